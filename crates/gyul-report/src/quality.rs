//! What became of every row, and how far the data can be trusted.

use crate::html::{both, empty, escape, pick, say, section, text};
use crate::words::{count, decimal, percent};
use crate::{Lang, Quality, Rejected, ReportData, Sufficiency};

pub fn render(data: &ReportData) -> String {
    let Some(q) = &data.quality else { return String::new() };
    let title = say("데이터 품질", "Data quality");
    if q.rows == 0 {
        let body = empty(
            say("가져온 행이 없습니다.", "No rows have been imported."),
            say(
                "파일이 비어 있거나 머리글만 있는지 확인해 주세요.",
                "Check whether the file is empty or has only a header.",
            ),
        );
        return section("quality", title, String::new(), &body);
    }
    let rejected = q.rejected.iter().fold(0u64, |n, r| n.saturating_add(r.count));
    let lead = both(|lang| {
        let (rows, events, share) = (count(q.rows), count(q.events), percent(q.events as f64 / q.rows as f64));
        let (dup, rej) = (count(q.duplicates), count(rejected));
        match lang {
            Lang::Ko => format!(
                "{rows}행 가운데 {events}행({share})을 썼습니다. 중복 {dup}행은 한 번만 세었고, {rej}행은 따로 보관했습니다."
            ),
            Lang::En => format!(
                "Of {rows} rows {events} ({share}) are used; {dup} duplicates count once and {rej} are set aside."
            ),
        }
    });
    let body = bar(q, rejected) + &reasons(q) + &files(q);
    section("quality", title, lead, &body)
}

fn bar(q: &Quality, rejected: u64) -> String {
    let parts = [
        ("ok", say("사용", "Used"), q.events),
        ("dup", say("중복", "Duplicates"), q.duplicates),
        ("bad", say("제외", "Rejected"), rejected),
    ];
    let mut x = 0.0;
    let mut rects = String::new();
    let mut key = String::new();
    for (class, name, n) in parts {
        let w = n as f64 / q.rows as f64 * 100.0;
        rects += &format!("<rect class=\"{class}\" x=\"{x:.3}\" width=\"{w:.3}\" height=\"10\"/>");
        x += w;
        key += &format!(
            "<li><i class=\"dot {class}\"></i>{name} <b>{}</b> <small>{}</small></li>",
            count(n),
            percent(n as f64 / q.rows as f64)
        );
    }
    format!(
        "<figure><svg class=\"split\" viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">{rects}</svg>\
         <ul class=\"key\">{key}</ul></figure>"
    )
}

fn reasons(q: &Quality) -> String {
    let mut reasons: Vec<&Rejected> = q.rejected.iter().filter(|r| r.count > 0).collect();
    if reasons.is_empty() {
        return String::new();
    }
    reasons.sort_by_key(|r| std::cmp::Reverse(r.count));
    let rows: String = reasons
        .iter()
        .map(|r| {
            let hint = if r.hint.is_empty() { String::new() } else { format!("<small>{}</small>", text(&r.hint)) };
            let name = if r.reason.is_empty() { escape(&r.code) } else { text(&r.reason) };
            let examples: Vec<String> =
                r.examples.iter().take(3).map(|e| format!("<code>{}</code>", escape(e))).collect();
            format!(
                "<tr><th scope=\"row\">{name}{hint}</th><td class=\"num\">{}</td><td class=\"examples\">{}</td></tr>",
                count(r.count),
                examples.join(" ")
            )
        })
        .collect();
    format!(
        "<h3>{}</h3><table class=\"plain reasons\"><thead><tr><th scope=\"col\">{}</th><th scope=\"col\">{}</th><th scope=\"col\">{}</th></tr></thead>\
         <tbody>{rows}</tbody></table><p class=\"lead\">{} <code>gyul quarantine list</code></p>",
        say("제외한 이유", "Why rows were set aside"),
        say("이유", "Reason"),
        say("행", "Rows"),
        say("예", "Examples"),
        say("고친 뒤 다시 가져올 수 있습니다:", "They can be mended and imported again:"),
    )
}

fn files(q: &Quality) -> String {
    if q.files.is_empty() {
        return String::new();
    }
    let names: Vec<String> = q.files.iter().map(|f| format!("<code>{}</code>", escape(f))).collect();
    format!("<p class=\"lead\">{} {}</p>", say("가져온 파일:", "Imported files:"), names.join(" "))
}

pub fn sufficiency(data: &ReportData) -> String {
    let Some(s) = &data.sufficiency else { return String::new() };
    let months = decimal(s.months);
    let lead = both(|lang| match (s.months, lang) {
        (24.0.., Lang::Ko) => format!("{months}개월의 주문이 있어 계절과 추세를 가를 수 있습니다."),
        (24.0.., Lang::En) => format!("{months} months of orders: enough to tell season from trend."),
        (12.0.., Lang::Ko) => {
            format!("{months}개월의 주문이 있습니다. 2년이 차기 전에는 계절 때문인지 추세 때문인지 가를 수 없습니다.")
        }
        (12.0.., Lang::En) => format!(
            "{months} months of orders: a year is full, but what is season and what is trend cannot be told apart before two."
        ),
        (_, Lang::Ko) => {
            format!("{months}개월의 주문이 있습니다. 1년이 차기 전에는 12개월 기준 지표가 실제보다 작게 나옵니다.")
        }
        (_, Lang::En) => {
            format!("{months} months of orders: measures over twelve months are too small until a year is full.")
        }
    });
    let mut body = facts(s);
    if !s.known.is_empty() {
        let rows: String = s
            .known
            .iter()
            .map(|k| {
                let share = k.share.clamp(0.0, 1.0);
                format!(
                    "<li><span>{}</span><i class=\"track\"><i style=\"width:{:.1}%\"></i></i><b>{}</b></li>",
                    text(&k.what),
                    share * 100.0,
                    percent(share)
                )
            })
            .collect();
        body += &format!(
            "<h3>{}</h3><ul class=\"known\">{rows}</ul>",
            say("고객 정보가 채워진 비율", "What is known of the customers")
        );
    }
    if !s.missing.is_empty() {
        let rows: String = s
            .missing
            .iter()
            .map(|m| {
                let names: Vec<String> = m.segments.iter().map(text).collect();
                format!("<li><b>{}</b> → {}</li>", text(&m.what), names.join(", "))
            })
            .collect();
        body += &format!(
            "<h3>{}</h3><p class=\"lead\">{}</p><ul class=\"missing\">{rows}</ul>",
            say("더 있으면 좋은 데이터", "What is missing"),
            say(
                "아래 데이터가 없어 오른쪽 세그먼트는 알 수 없습니다.",
                "Without it the segments on the right cannot be told."
            )
        );
    }
    section("sufficiency", say("데이터가 충분한가", "Is there enough data?"), lead, &body)
}

fn facts(s: &Sufficiency) -> String {
    let mut out = String::from("<dl class=\"tiles\">");
    let mut tile = |name: String, value: String| out += &format!("<div><dt>{name}</dt><dd>{value}</dd></div>");
    tile(
        say("주문 기간", "Months of orders"),
        both(|lang| match lang {
            Lang::Ko => format!("{}개월", decimal(s.months)),
            Lang::En => decimal(s.months),
        }),
    );
    if let Some(n) = s.orders_per_buyer {
        tile(
            say("구매 고객당 주문", "Orders per buyer"),
            both(|lang| match lang {
                Lang::Ko => format!("{}회", decimal(n)),
                Lang::En => decimal(n),
            }),
        );
    }
    if let Some(days) = s.stale_days {
        tile(
            say("마지막 이벤트", "Latest event"),
            both(|lang| match (days, lang) {
                (..=0, _) => pick(lang, "기준일 당일", "same day").into(),
                (_, Lang::Ko) => format!("{days}일 전"),
                (1, Lang::En) => "1 day ago".into(),
                (_, Lang::En) => format!("{days} days ago"),
            }),
        );
    }
    out + "</dl>"
}
