//! What do the numbers look like? One self-contained page of HTML from plain data.
//!
//! Pure: no files, no clock, no network, and no knowledge of engines or definitions. The page needs no scripts:
//! the language switch is a pair of radio buttons and CSS, charts are inline SVG beside real text, and every chart
//! has its table. It reads on a phone, in the dark and on paper.

mod data;
mod html;
mod lifecycle;
mod overlap;
mod overview;
mod quality;
mod rfm;
mod segments;
pub mod words;

pub use data::{
    Flow, Known, Lang, Lifecycle, Missing, Month, Overlap, Quality, Rejected, ReportData, Rfm, RfmCell, Segment,
    Sufficiency, Text, Totals,
};

use html::{both, escape, plain, say};

/// The whole page. Never fails: what is missing is said on the page, lists of unequal length are cut to the shorter.
pub fn render(data: &ReportData) -> String {
    let sections = [
        ("overview", say("한눈에 보기", "At a glance"), overview::render(data)),
        ("rfm", say("RFM 지도", "RFM map"), rfm::render(data)),
        ("lifecycle", say("생애주기", "Lifecycle"), lifecycle::render(data)),
        ("segments", say("세그먼트", "Segments"), segments::render(data)),
        ("overlap", say("겹침", "Overlap"), overlap::render(data)),
        ("quality", say("데이터 품질", "Data quality"), quality::render(data)),
        ("sufficiency", say("데이터 충분성", "Sufficiency"), quality::sufficiency(data)),
    ];
    let shown = || sections.iter().filter(|(_, _, body)| !body.is_empty());
    let nav: String = shown().map(|(id, name, _)| format!("<a href=\"#{id}\">{name}</a>")).collect();
    let body: String = shown().map(|(_, _, body)| body.as_str()).collect();
    let checked = |lang| if data.lang == lang { " checked" } else { "" };
    let html_lang = if data.lang == Lang::Ko { "ko" } else { "en" };
    format!(
        "<!DOCTYPE html>\n<html lang=\"{html_lang}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"generator\" content=\"Gyul\">\n\
         <title>{title}</title>\n<style>\n{css}</style>\n</head>\n<body>\n\
         <input class=\"switch\" type=\"radio\" name=\"lang\" id=\"lang-ko\" aria-label=\"한국어\"{ko}>\n\
         <input class=\"switch\" type=\"radio\" name=\"lang\" id=\"lang-en\" aria-label=\"English\"{en}>\n\
         <div class=\"page\">\n<header>\n<div class=\"top\"><p class=\"brand\">{mark}Gyul</p>\
         <p class=\"langs\"><label for=\"lang-ko\">한국어</label><label for=\"lang-en\">English</label></p></div>\n\
         <h1>{shop}</h1>\n<p class=\"when\">{when}</p>\n<nav aria-label=\"{contents}\">{nav}</nav>\n</header>\n\
         <main>\n{body}</main>\n<footer>{footer}</footer>\n</div>\n</body>\n</html>\n",
        title = plain(|lang| format!("{} · {}", name(data, lang), html::pick(lang, "고객 리포트", "Customer report"))),
        css = include_str!("style.css"),
        ko = checked(Lang::Ko),
        en = checked(Lang::En),
        mark = MARK,
        shop = both(|lang| name(data, lang)),
        when = both(|lang| when(data, lang)),
        contents = plain(|lang| html::pick(lang, "목차", "Contents").into()),
        footer = footer(data),
    )
}

/// A tangerine: 귤 is what Gyul means.
const MARK: &str = "<svg class=\"mark\" viewBox=\"0 0 24 24\" aria-hidden=\"true\"><circle cx=\"12\" cy=\"14\" r=\"9\"/>\
    <path d=\"M12 6c0-3 2-5 6-5 0 4-3 5-6 5z\"/></svg>";

fn name(data: &ReportData, lang: Lang) -> String {
    match data.shop.as_str() {
        "" => html::pick(lang, "고객 리포트", "Customer report").into(),
        shop => shop.into(),
    }
}

fn when(data: &ReportData, lang: Lang) -> String {
    let at = words::date(data.as_of, lang);
    match (data.period, lang) {
        (None, Lang::Ko) => format!("{at} 기준"),
        (None, Lang::En) => format!("As of {at}"),
        (Some((from, to)), Lang::Ko) => {
            format!("{at} 기준 · 데이터 기간 {} ~ {}", words::date(from, lang), words::date(to, lang))
        }
        (Some((from, to)), Lang::En) => {
            format!("As of {at} · data from {} to {}", words::date(from, lang), words::date(to, lang))
        }
    }
}

fn footer(data: &ReportData) -> String {
    let mut out = String::new();
    if let Some(source) = &data.source {
        out += &format!("<p>{}</p>", html::text(source));
    }
    out += &format!(
        "<p>{}</p>",
        say(
            "모든 수치는 위 기준 시점의 값이며 환불을 뺀 순매출입니다. 이 파일은 네트워크 없이 열립니다.",
            "All numbers are as of the date above; revenue is net of refunds. This file needs no network."
        )
    );
    if !data.currency.is_empty() {
        out += &format!("<p>{} {}</p>", say("통화:", "Currency:"), escape(&data.currency));
    }
    out
}
