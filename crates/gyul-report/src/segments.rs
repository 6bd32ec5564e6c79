//! Every segment: how big, how it grew, what it is for and what to do.

use crate::html::{both, empty, pick, plain, say, section, text};
use crate::words::{count, date, money, people, percent};
use crate::{Lang, ReportData, Segment};

pub fn render(data: &ReportData) -> String {
    let title = say("세그먼트", "Segments");
    if data.segments.is_empty() {
        let body = empty(
            say("아직 정의한 세그먼트가 없습니다.", "No segments are defined yet."),
            format!(
                "{} <code>gyul report -f segments/</code>",
                say("기본 제공 정의로 바로 시작할 수 있습니다.", "Start with the library that comes with Gyul:")
            ),
        );
        return section("segments", title, String::new(), &body);
    }
    let mut body = String::new();
    let mut rest = data.segments.as_slice();
    while let Some(first) = rest.first() {
        let n = rest.iter().take_while(|s| s.group == first.group).count();
        let (group, others) = rest.split_at(n);
        body += &table(data, group);
        rest = others;
    }
    section("segments", title, lead(data), &body)
}

fn lead(data: &ReportData) -> String {
    let singles = || data.segments.iter().filter(|s| s.group.is_empty() && s.needs.is_empty());
    let change = |s: &&Segment| Some(s.customers as i128 - i128::from(*s.history.first()?));
    let fastest = singles().filter_map(|s| Some((s, change(&s)?))).max_by_key(|(_, change)| *change);
    match (fastest.filter(|(_, change)| *change > 0), data.history_dates.first()) {
        (Some((s, change)), Some(since)) => both(|lang| {
            let (name, since, change) = (name(s, lang), date(*since, lang), people(change as u64, lang));
            match lang {
                Lang::Ko => format!("{since} 이후 가장 많이 늘어난 세그먼트는 ‘{name}’입니다(+{change})."),
                Lang::En => format!("Since {since} “{name}” grew most (+{change})."),
            }
        }),
        _ => say(
            "한 고객이 여러 세그먼트에 들어갈 수 있어 비중의 합은 100%를 넘을 수 있습니다.",
            "A customer may be in several segments, so the shares may add up to more than 100%.",
        ),
    }
}

fn name(s: &Segment, lang: Lang) -> String {
    match s.name.get(lang) {
        "" => s.id.clone(),
        name => name.into(),
    }
}

/// Those that have, or once had, anybody; the others wait behind a fold, so that they do not hide what there is to see.
fn table(data: &ReportData, group: &[Segment]) -> String {
    let heading = match group.first() {
        Some(s) if !s.group.is_empty() => text(&s.group),
        _ => say("세그먼트별 크기와 쓰임", "Sizes and uses"),
    };
    let money_known = group.iter().any(|s| s.revenue.is_some());
    let ever = |s: &&Segment| s.needs.is_empty() && (s.customers > 0 || s.history.iter().any(|n| *n > 0));
    let (used, unused): (Vec<&Segment>, Vec<&Segment>) = group.iter().partition(ever);
    // A partition with everybody in one class says only that the data for it is missing.
    let tells_nothing = group.first().is_some_and(|s| !s.group.is_empty()) && used.len() <= 1;
    let rows = |list: &[&Segment]| head(list, data, money_known);
    if tells_nothing {
        let all: Vec<&Segment> = group.iter().collect();
        let why = say(
            "모두 한 클래스에 있습니다. 나눌 데이터가 아직 없습니다.",
            "everybody is in one class; the data to tell them apart is missing.",
        );
        return format!("<details><summary>{heading}: {why}</summary>{}</details>", rows(&all));
    }
    let mut out = format!("<h3>{heading}</h3>");
    if !used.is_empty() {
        out += &rows(&used);
    }
    if !unused.is_empty() {
        let n = unused.len() as u64;
        let summary = both(|lang| match lang {
            Lang::Ko => format!(
                "아무도 없거나 데이터가 없어 알 수 없는 항목 {}개. 필요한 데이터는 ‘데이터가 충분한가’에 있습니다.",
                count(n)
            ),
            Lang::En => format!(
                "{} without anybody, or without the data to tell. “Is there enough data?” says what is missing.",
                count(n)
            ),
        });
        out += &format!("<details><summary>{summary}</summary>{}</details>", rows(&unused));
    }
    out
}

fn head(list: &[&Segment], data: &ReportData, money_known: bool) -> String {
    let rows: String = list.iter().map(|s| row(data, s, money_known)).collect();
    format!(
        "<table class=\"segments\"><thead><tr><th scope=\"col\">{}</th><th scope=\"col\">{}</th>\
         <th scope=\"col\">{}</th>{}<th scope=\"col\">{}</th></tr></thead><tbody>{rows}</tbody></table>",
        say("이름과 목표", "Name and goal"),
        say("고객", "Customers"),
        say("추이", "Growth"),
        if money_known { format!("<th scope=\"col\">{}</th>", say("매출", "Revenue")) } else { String::new() },
        say("권장 활동", "Treatment"),
    )
}

fn row(data: &ReportData, s: &Segment, money_known: bool) -> String {
    if !s.needs.is_empty() {
        return untold(s, money_known);
    }
    let share = if data.totals.customers > 0 { s.customers as f64 / data.totals.customers as f64 } else { 0.0 };
    let goal = if s.goal.is_empty() { String::new() } else { format!("<small>{}</small>", text(&s.goal)) };
    let bar = match s.customers {
        0 => String::new(),
        _ => format!("<i class=\"bar\" style=\"width:{:.1}%\"></i>", (share * 100.0).clamp(0.0, 100.0)),
    };
    let revenue = match s.revenue {
        _ if !money_known => String::new(),
        None => "<td class=\"num revenue\">–</td>".into(),
        Some(r) => {
            let part = if data.totals.revenue > 0.0 { percent(r / data.totals.revenue) } else { "–".into() };
            format!(
                "<td class=\"num revenue\">{}<small>{part}</small></td>",
                both(|lang| money(r, &data.currency, lang))
            )
        }
    };
    format!(
        "<tr><th scope=\"row\">{}{goal}</th><td class=\"num size\"><b>{}</b><small>{}</small>\
         {bar}</td><td class=\"trend\">{}</td>{revenue}<td class=\"do\">{}</td></tr>",
        both(|lang| name(s, lang)),
        both(|lang| people(s.customers, lang)),
        percent(share),
        spark(data, s),
        text(&s.treatment)
    )
}

/// Nobody and everybody are no answers where the data cannot tell.
fn untold(s: &Segment, money_known: bool) -> String {
    let goal = if s.goal.is_empty() { String::new() } else { format!("<small>{}</small>", text(&s.goal)) };
    let why = both(|lang| match lang {
        Lang::Ko => format!("데이터 없음: {}", s.needs.get(lang)),
        Lang::En => format!("no data: needs {}", s.needs.get(lang)),
    });
    format!(
        "<tr><th scope=\"row\">{}{goal}</th><td class=\"num size\">–<small>{why}</small></td><td class=\"trend\">–</td>{}\
         <td class=\"do\">{}</td></tr>",
        both(|lang| name(s, lang)),
        if money_known { "<td class=\"num revenue\">–</td>" } else { "" },
        text(&s.treatment)
    )
}

/// A line from the first to the last date, its scale beginning at zero.
fn spark(data: &ReportData, s: &Segment) -> String {
    let n = s.history.len().min(data.history_dates.len());
    if n < 2 {
        return "–".into();
    }
    let history = &s.history[..n];
    let max = history.iter().copied().max().unwrap_or(0).max(1) as f64;
    let points: Vec<String> = history
        .iter()
        .enumerate()
        .map(|(i, v)| format!("{:.1},{:.1}", i as f64 / (n - 1) as f64 * 100.0, 29.0 - *v as f64 / max * 27.0))
        .collect();
    let (first, last) = (history[0], history[n - 1]);
    let change = match (first, last) {
        (a, b) if a == b => say("변화 없음", "unchanged"),
        (a, b) if b > a => format!("▲ {}", count(b - a)),
        (a, b) => format!("▼ {}", count(a - b)),
    };
    let title = plain(|lang| {
        let (from, to) = (date(data.history_dates[0], lang), date(data.history_dates[n - 1], lang));
        format!("{from} {} {} {to} {}", people(first, lang), pick(lang, "→", "→"), people(last, lang))
    });
    let points = points.join(" ");
    format!(
        "<svg class=\"spark\" viewBox=\"0 0 100 30\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{title}\"><title>{title}</title>\
         <polygon points=\"0,30 {points} 100,30\"/><polyline points=\"{points}\"/></svg><small>{change}</small>"
    )
}
