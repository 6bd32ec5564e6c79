//! Explanations in Korean and English.

use super::{Condition, Shape, Why, one_name};
use crate::reference::{Number, Reference, Threshold, Val};
use crate::tree::{Agg, AggOp, Arith, Cmp, Expr, Kind, RankKind, Window, Words};
use gyul_model::{Date, Decimal, Duration, Instant, Lang, MICROS_DAY, MICROS_HOUR, MICROS_MINUTE, Period, Zone, names};

/// The explanation as text: a line a condition, indented, with the events behind it.
pub fn render(why: &Why, zone: &Zone, lang: Lang) -> String {
    let head = match (lang, why.exists, why.verdict) {
        (Lang::Ko, false, _) => format!("{}: 이 시점에는 아직 알려지지 않은 고객입니다.", why.customer),
        (Lang::Ko, _, true) => format!("✓ {} 고객은 {}에 속합니다.", why.customer, why.id),
        (Lang::Ko, _, false) => format!("✗ {} 고객은 {}에 속하지 않습니다.", why.customer, why.id),
        (Lang::En, false, _) => format!("{}: not known yet at this time.", why.customer),
        (Lang::En, _, true) => format!("✓ {} is in {}.", why.customer, why.id),
        (Lang::En, _, false) => format!("✗ {} is not in {}.", why.customer, why.id),
    };
    let mut out = format!("{head}\n");
    for c in &why.conditions {
        lines(c, zone, lang, 1, &mut out);
    }
    out
}

fn lines(c: &Condition, zone: &Zone, lang: Lang, depth: usize, out: &mut String) {
    let mark = if c.verdict { "✓" } else { "✗" };
    let text = in_words(c, zone, lang);
    let indent = "  ".repeat(depth);
    out.push_str(&format!("{indent}{mark} {text}\n"));
    for e in &c.events {
        let props: Vec<String> = e.props.iter().map(|(n, v)| format!("{n} {v}")).collect();
        let line = format!("{indent}    {}  {}  {}", moment(zone, e.ts, lang), e.name, props.join(", "));
        out.push_str(line.trim_end());
        out.push('\n');
    }
    let more = c.events_total - c.events.len().min(c.events_total);
    if more > 0 {
        out.push_str(&match lang {
            Lang::Ko => format!("{indent}    … 이전 {more}건 더\n"),
            Lang::En => format!("{indent}    … and {more} earlier\n"),
        });
    }
    c.parts.iter().for_each(|p| lines(p, zone, lang, depth + 1, out));
}

/// One condition in words, without what is below it.
pub fn in_words(c: &Condition, zone: &Zone, lang: Lang) -> String {
    let said = match (lang, c.shape) {
        (Lang::Ko, Shape::All) => Some("모두 만족"),
        (Lang::Ko, Shape::Any) => Some("하나 이상 만족"),
        (Lang::Ko, Shape::Not) => Some("다음이 아님"),
        (Lang::En, Shape::All) => Some("all of"),
        (Lang::En, Shape::Any) => Some("at least one of"),
        (Lang::En, Shape::Not) => Some("not"),
        (_, Shape::Single) => match lang {
            Lang::Ko => c.says.ko.as_deref(),
            Lang::En => c.says.en.as_deref(),
        },
    };
    said.map_or_else(|| plain(c, zone, lang), str::to_string)
}

/// The source text with its values, for forms without words of their own.
fn plain(c: &Condition, zone: &Zone, lang: Lang) -> String {
    let unknown = if lang == Lang::Ko { "알 수 없음" } else { "unknown" };
    let show = |(name, v): &(String, Option<Val>)| {
        let value = v.as_ref().map_or(unknown.to_string(), |v| value(v, zone, lang));
        (*name != value).then(|| format!("{name} = {value}"))
    };
    // A constant is its own source text: nothing to say.
    let is_constant =
        |(name, _): &&(String, Option<Val>)| !name.starts_with(|c: char| c.is_ascii_digit() || "'\"-".contains(c));
    let values: Vec<String> = c.operands.iter().filter(is_constant).filter_map(show).collect();
    if values.is_empty() { c.source.clone() } else { format!("{} ({})", c.source, values.join(", ")) }
}

/// A condition of a common form in plain words.
pub(super) fn condition<'a>(r: &Reference<'a>, customer: usize, e: &'a Expr, rank: Option<&(Val, Threshold)>) -> Words {
    let zone = &r.library().zone;
    match &e.kind {
        Kind::Cmp(cmp, a, b) => {
            let (Some(subject), Some(limit)) = (subject(r, a), r.value(b, customer)) else {
                return since_instant(r, customer, *cmp, a, b).unwrap_or_default();
            };
            let own = r.value(a, customer);
            let counts = is_count(a);
            let say = |lang| {
                let unit = |v: &Val| {
                    if counts && lang == Lang::Ko { value(v, zone, lang) + "건" } else { value(v, zone, lang) }
                };
                sentence(lang, &subject(lang), own.as_ref().map(unit), &needs(*cmp, &unit(&limit), lang), counts)
            };
            both(say)
        }
        Kind::Rank(k) => both(|lang| ranked(zone, k.kind, rank, lang)),
        _ => Words::default(),
    }
}

fn both(say: impl Fn(Lang) -> String) -> Words {
    Words { ko: Some(say(Lang::Ko)), en: Some(say(Lang::En)) }
}

fn sentence(lang: Lang, subject: &str, own: Option<String>, needs: &str, counts: bool) -> String {
    match (lang, own) {
        (Lang::Ko, Some(own)) => format!("{subject} {own} (기준: {needs})"),
        (Lang::Ko, None) => format!("{subject} 알 수 없음 (기준: {needs})"),
        (Lang::En, Some(own)) if counts => format!("{own} {subject} (needs {needs})"),
        (Lang::En, Some(own)) => format!("{subject}: {own} (needs {needs})"),
        (Lang::En, None) => format!("{subject}: unknown (needs {needs})"),
    }
}

/// `last order >= 30 days ago` as people say it: so long since the last order.
fn since_instant<'a>(r: &Reference<'a>, customer: usize, cmp: Cmp, a: &'a Expr, b: &'a Expr) -> Option<Words> {
    let (Kind::Agg(agg), Kind::Ago(limit)) = (&a.kind, &b.kind) else { return None };
    let (ko, en) = match agg.op {
        AggOp::LastAt => ("마지막", "last"),
        AggOp::FirstAt => ("첫", "first"),
        _ => return None,
    };
    let (noun_ko, noun_en) = noun(agg, false)?;
    let flipped = match cmp {
        Cmp::Lt => Cmp::Gt,
        Cmp::Le => Cmp::Ge,
        Cmp::Gt => Cmp::Lt,
        Cmp::Ge => Cmp::Le,
        same => same,
    };
    let own = match r.value(a, customer) {
        Some(Val::Instant(t)) => Some(r.at().0.checked_sub(t)?),
        _ => None,
    };
    Some(both(|lang| {
        let subject = match lang {
            Lang::Ko => format!("{ko} {noun_ko} 후"),
            Lang::En => format!("time since the {en} {noun_en}"),
        };
        sentence(lang, &subject, own.map(|us| span(us, lang)), &needs(flipped, &length(*limit, lang), lang), false)
    }))
}

fn is_count(e: &Expr) -> bool {
    matches!(&e.kind, Kind::Agg(a) if a.op == AggOp::Count)
}

/// What is measured, in words: `None` for forms without.
fn subject<'a>(r: &Reference<'a>, e: &'a Expr) -> Option<impl Fn(Lang) -> String> {
    let words = match &e.kind {
        Kind::Agg(agg) => aggregate(agg)?,
        Kind::Arith(Arith::Sub, now, at) if matches!(now.kind, Kind::Now) => {
            let Kind::Agg(agg) = &at.kind else { return None };
            let (ko, en) = noun(agg, false)?;
            match agg.op {
                AggOp::LastAt => (format!("마지막 {ko} 후"), format!("time since the last {en}")),
                AggOp::FirstAt => (format!("첫 {ko} 후"), format!("time since the first {en}")),
                _ => return None,
            }
        }
        Kind::Age => ("나이".into(), "age".into()),
        Kind::Trait(name) => (name.clone(), name.clone()),
        Kind::Measure(i) => {
            let m = &r.library().measures[*i];
            let ko = m.name.ko.as_ref().or(m.name.en.as_ref()).unwrap_or(&m.id);
            let en = m.name.en.as_ref().or(m.name.ko.as_ref()).unwrap_or(&m.id);
            (ko.clone(), en.clone())
        }
        _ => return None,
    };
    Some(move |lang| if lang == Lang::Ko { words.0.clone() } else { words.1.clone() })
}

fn aggregate(agg: &Agg) -> Option<(String, String)> {
    if agg.select.filter.is_some() || agg.last.is_some() {
        return None;
    }
    let (window_ko, window_en) = window(&agg.window)?;
    let (ko, en) = noun(agg, agg.op == AggOp::Count)?;
    let property = match agg.value.as_ref().map(|v| &v.kind) {
        Some(Kind::Prop(name)) => name.as_str(),
        None => "",
        _ => return None,
    };
    let (what_ko, what_en) = match agg.op {
        AggOp::Count => return Some((format!("{window_ko}{ko}"), format!("{en}{window_en}"))),
        AggOp::Sum => ("합계", "sum of"),
        AggOp::Avg => ("평균", "average"),
        AggOp::Min => ("최솟값", "smallest"),
        AggOp::Max => ("최댓값", "largest"),
        AggOp::Distinct => ("서로 다른 값", "different values of"),
        _ => return None,
    };
    Some((format!("{window_ko}{ko} {property} {what_ko}"), format!("{what_en} {en} {property}{window_en}")))
}

fn noun(agg: &Agg, plural: bool) -> Option<(&str, String)> {
    let name = one_name(&agg.select.events)?;
    let (ko, en) = match name {
        names::ORDER => ("주문", "order"),
        names::ITEM => ("구매 상품", "product purchase"),
        names::REFUND => ("환불", "refund"),
        names::ITEM_REFUND => ("상품 환불", "product refund"),
        names::VIEW => ("상품 조회", "product view"),
        names::CART => ("장바구니 담기", "cart addition"),
        names::SEARCH => ("검색", "search"),
        names::CHECKOUT => ("결제 시작", "checkout"),
        names::SENT => ("발송 메시지", "message sent"),
        names::OPENED => ("열어 본 메시지", "message opened"),
        names::CLICKED => ("클릭한 메시지", "message clicked"),
        other => (other, other),
    };
    let en = match (plural, en) {
        (false, _) => en.to_string(),
        (true, "search") => "searches".into(),
        (true, _) if en.starts_with("message ") => en.replacen("message", "messages", 1),
        (true, _) if name == en => format!("{en} events"),
        (true, _) => format!("{en}s"),
    };
    Some((ko, en))
}

/// `(before the noun in Korean, after it in English)`.
fn window(w: &Window) -> Option<(String, String)> {
    match (w.after.as_ref().map(|e| &e.kind), &w.until) {
        (None, None) => Some((String::new(), String::new())),
        (Some(Kind::Ago(d)), None) => {
            let (ko, en) = (length(*d, Lang::Ko), length(*d, Lang::En));
            // "in the last day", not "in the last 1 day".
            let en = en.strip_prefix("1 ").unwrap_or(&en);
            Some((format!("최근 {ko} 안에 "), format!(" in the last {en}")))
        }
        (Some(Kind::EndOf { period, back: 1 }), None) => {
            let (ko, en) = match period {
                Period::Day => ("오늘", "today"),
                Period::Week => ("이번 주", "this week"),
                Period::Month => ("이번 달", "this month"),
                Period::Quarter => ("이번 분기", "this quarter"),
                Period::Year => ("올해", "this year"),
            };
            Some((format!("{ko} "), format!(" {en}")))
        }
        _ => None,
    }
}

fn needs(cmp: Cmp, limit: &str, lang: Lang) -> String {
    match (lang, cmp) {
        (Lang::Ko, Cmp::Eq) => limit.to_string(),
        (Lang::Ko, Cmp::Ne) => format!("{limit} 아님"),
        (Lang::Ko, Cmp::Lt) => format!("{limit} 미만"),
        (Lang::Ko, Cmp::Le) => format!("{limit} 이하"),
        (Lang::Ko, Cmp::Gt) => format!("{limit} 초과"),
        (Lang::Ko, Cmp::Ge) => format!("{limit} 이상"),
        (Lang::En, Cmp::Eq) => limit.to_string(),
        (Lang::En, Cmp::Ne) => format!("other than {limit}"),
        (Lang::En, Cmp::Lt) => format!("less than {limit}"),
        (Lang::En, Cmp::Le) => format!("at most {limit}"),
        (Lang::En, Cmp::Gt) => format!("more than {limit}"),
        (Lang::En, Cmp::Ge) => format!("at least {limit}"),
    }
}

fn ranked(zone: &Zone, kind: RankKind, rank: Option<&(Val, Threshold)>, lang: Lang) -> String {
    let ko = lang == Lang::Ko;
    let what = match kind {
        RankKind::Top(p) if ko => format!("상위 {p}%"),
        RankKind::Top(p) => format!("top {p}%"),
        RankKind::Bottom(p) if ko => format!("하위 {p}%"),
        RankKind::Bottom(p) => format!("bottom {p}%"),
        RankKind::AboveAverage => if ko { "평균 초과" } else { "above average" }.into(),
        RankKind::BelowAverage => if ko { "평균 미만" } else { "below average" }.into(),
        RankKind::Quintile => if ko { "5분위" } else { "quintile" }.into(),
        RankKind::Percentile => if ko { "백분위" } else { "percentile" }.into(),
    };
    let Some((own, threshold)) = rank else {
        return if ko {
            format!("{what}: 비교 대상이 아님")
        } else {
            format!("{what}: not among those compared")
        };
    };
    let own = value(own, zone, lang);
    let limit = match threshold {
        Threshold::Value(v) => {
            let cmp = match kind {
                RankKind::Bottom(_) => Cmp::Le,
                RankKind::AboveAverage => Cmp::Gt,
                RankKind::BelowAverage => Cmp::Lt,
                _ => Cmp::Ge,
            };
            needs(cmp, &value(v, zone, lang), lang)
        }
        Threshold::Below { below, of } if ko => format!("{of}명 중 {below}명이 더 낮음"),
        Threshold::Below { below, of } => format!("{below} of {of} are lower"),
    };
    match (ko, threshold) {
        (true, Threshold::Value(_)) => format!("{what}: {own} (기준: {limit})"),
        (false, Threshold::Value(_)) => format!("{what}: {own} (needs {limit})"),
        _ => format!("{what}: {own} ({limit})"),
    }
}

/// A value as people read it.
pub fn value(v: &Val, zone: &Zone, lang: Lang) -> String {
    match v {
        Val::Bool(b) => match (lang, b) {
            (Lang::Ko, true) => "예".into(),
            (Lang::Ko, false) => "아니요".into(),
            (Lang::En, true) => "yes".into(),
            (Lang::En, false) => "no".into(),
        },
        Val::Num(n) => number(*n),
        Val::Dur(n) => span(n.to_f64() as i64, lang),
        Val::Instant(t) => moment(zone, Instant(*t), lang),
        Val::Date(d) => d.to_string(),
        Val::Text(t) => format!("'{t}'"),
        Val::List(items) => items.join(", "),
    }
}

/// With separators; quotients to two places.
fn number(n: Number) -> String {
    let text = match n {
        Number::Exact { .. } => n.to_decimal().map_or_else(|| n.to_f64().to_string(), |d| d.to_string()),
        Number::Quotient(x) => Decimal::from_f64((x * 100.0).round() / 100.0).map_or(x.to_string(), |d| d.to_string()),
    };
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |d| ("-", d));
    let (whole, part) = digits.split_once('.').map_or((digits, String::new()), |(w, p)| (w, format!(".{p}")));
    let mut grouped = String::new();
    for (i, c) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(c);
    }
    format!("{sign}{grouped}{part}")
}

fn length(d: Duration, lang: Lang) -> String {
    match d {
        Duration::Exact(us) => span(us, lang),
        Duration::Months(m) if m % 12 == 0 && m != 0 => unit(i64::from(m) / 12, "년", "year", lang),
        Duration::Months(m) => unit(m.into(), "개월", "month", lang),
    }
}

/// In the largest unit that gives at least one, with one decimal place where it does not divide.
fn span(us: i64, lang: Lang) -> String {
    let units = [(MICROS_DAY, "일", "day"), (MICROS_HOUR, "시간", "hour"), (MICROS_MINUTE, "분", "minute")];
    let (size, ko, en) =
        units.into_iter().find(|(size, ..)| us.unsigned_abs() >= *size as u64).unwrap_or((1_000_000, "초", "second"));
    if us % size == 0 {
        return unit(us / size, ko, en, lang);
    }
    let n = us as f64 / size as f64;
    match lang {
        Lang::Ko => format!("{n:.1}{ko}"),
        Lang::En => format!("{n:.1} {en}s"),
    }
}

fn unit(n: i64, ko: &str, en: &str, lang: Lang) -> String {
    match (lang, n) {
        (Lang::Ko, _) => format!("{n}{ko}"),
        (Lang::En, 1) => format!("1 {en}"),
        (Lang::En, _) => format!("{n} {en}s"),
    }
}

fn moment(zone: &Zone, t: Instant, lang: Lang) -> String {
    if t == Instant::ALWAYS {
        return if lang == Lang::Ko { "날짜 없음" } else { "undated" }.into();
    }
    let (date, minutes): (Date, i64) = (zone.date(t), zone.time_of_day(t) / MICROS_MINUTE);
    format!("{date} {:02}:{:02}", minutes / 60, minutes % 60)
}
