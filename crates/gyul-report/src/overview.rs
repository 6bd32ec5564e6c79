//! The page's first answer: how many customers, how much, how concentrated, and how the months went.

use crate::html::{axis, both, empty, pick, plain, say, section, table_behind, text};
use crate::words::{count, decimal, money, month, percent};
use crate::{Lang, ReportData};

pub fn render(data: &ReportData) -> String {
    let mut body = warnings(data);
    let t = &data.totals;
    if t.customers == 0 && t.orders == 0 {
        body += &empty(
            say("아직 데이터가 없습니다.", "There is no data yet."),
            format!(
                "{} <code>gyul import orders.csv --as orders</code>",
                say("주문 파일을 하나 가져오면 이 자리가 채워집니다.", "Import one file of orders to fill this page:")
            ),
        );
        return section("overview", say("한눈에 보기", "At a glance"), String::new(), &body);
    }
    body += &tiles(data);
    body += &months(data);
    section("overview", say("한눈에 보기", "At a glance"), headline(data), &body)
}

fn warnings(data: &ReportData) -> String {
    if data.warnings.is_empty() {
        return String::new();
    }
    let items: String = data.warnings.iter().map(|w| format!("<li>{}</li>", text(w))).collect();
    format!(
        "<div class=\"note\" role=\"note\"><h3>{}</h3><ul>{items}</ul></div>",
        say("먼저 알아 두세요", "Before you read")
    )
}

fn headline(data: &ReportData) -> String {
    let t = &data.totals;
    match (t.top10_share, t.buyers) {
        (_, 0) => say("아직 구매한 고객이 없습니다.", "Nobody has bought yet."),
        (Some(share), _) => both(|lang| {
            let share = percent(share);
            match lang {
                Lang::Ko => format!("구매액 상위 10% 고객이 매출의 {share}를 차지합니다."),
                Lang::En => format!("The top 10% of buyers bring {share} of the revenue."),
            }
        }),
        (None, buyers) => both(|lang| {
            let share = percent(t.repeat_buyers as f64 / buyers as f64);
            match lang {
                Lang::Ko => format!("구매 고객의 {share}가 두 번 이상 샀습니다."),
                Lang::En => format!("{share} of buyers have bought more than once."),
            }
        }),
    }
}

fn tiles(data: &ReportData) -> String {
    let t = &data.totals;
    let amount = |a: f64| both(|lang| money(a, &data.currency, lang));
    let of = |part: u64, whole: u64| if whole == 0 { "–".into() } else { percent(part as f64 / whole as f64) };
    let mut out = String::from("<dl class=\"tiles\">");
    let mut tile = |name: String, value: String, note: String| {
        out += &format!("<div><dt>{name}</dt><dd>{value}</dd><dd class=\"sub\">{note}</dd></div>");
    };
    tile(
        say("고객", "Customers"),
        count(t.customers),
        both(|lang| format!("{} {}", pick(lang, "구매 경험", "have bought:"), of(t.buyers, t.customers))),
    );
    tile(
        say("순매출", "Net revenue"),
        amount(t.revenue),
        if t.buyers == 0 {
            "–".into()
        } else {
            format!("{} {}", say("구매 고객당", "per buyer"), amount(t.revenue / t.buyers as f64))
        },
    );
    tile(
        say("주문", "Orders"),
        count(t.orders),
        if t.orders == 0 {
            "–".into()
        } else {
            format!("{} {}", say("주문당", "per order"), amount(t.revenue / t.orders as f64))
        },
    );
    tile(
        say("재구매율", "Repeat rate"),
        of(t.repeat_buyers, t.buyers),
        if t.buyers == 0 {
            "–".into()
        } else {
            both(|lang| {
                let n = decimal(t.orders as f64 / t.buyers as f64);
                match lang {
                    Lang::Ko => format!("구매 고객당 {n}회 주문"),
                    Lang::En => format!("{n} orders per buyer"),
                }
            })
        },
    );
    out + "</dl>"
}

fn months(data: &ReportData) -> String {
    if data.months.len() < 2 {
        return String::new();
    }
    let max = data.months.iter().map(|m| m.revenue).fold(0.0, f64::max);
    let n = data.months.len();
    let mut bars = String::new();
    for (i, m) in data.months.iter().enumerate() {
        let h = if max > 0.0 { (m.revenue.max(0.0) / max * 100.0).clamp(0.0, 100.0) } else { 0.0 };
        let title = plain(|lang| {
            let orders = count(m.orders);
            let orders = if lang == Lang::Ko { format!("주문 {orders}건") } else { format!("{orders} orders") };
            format!("{} · {} · {orders}", month(m.month, lang), money(m.revenue, &data.currency, lang))
        });
        bars += &format!(
            "<rect class=\"bar\" x=\"{:.2}\" y=\"{:.2}\" width=\"0.72\" height=\"{h:.2}\"><title>{title}</title></rect>",
            i as f64 + 0.14,
            100.0 - h
        );
    }
    let axis = axis(n, |i| both(|lang| month(data.months[i].month, lang)));
    let best = data.months.iter().max_by(|a, b| a.revenue.total_cmp(&b.revenue));
    let lead = best.map_or(String::new(), |m| {
        both(|lang| {
            let (when, much) = (month(m.month, lang), money(m.revenue, &data.currency, lang));
            match lang {
                Lang::Ko => format!("가장 많이 팔린 달은 {when}, 순매출 {much}입니다."),
                Lang::En => format!("The best month was {when} with {much}."),
            }
        })
    });
    let rows: Vec<Vec<String>> = data
        .months
        .iter()
        .map(|m| {
            let amount = both(|lang| money(m.revenue, &data.currency, lang));
            vec![both(|lang| month(m.month, lang)), amount, count(m.orders)]
        })
        .collect();
    let head = [say("월", "Month"), say("순매출", "Net revenue"), say("주문", "Orders")];
    format!(
        "<h3>{}</h3><p class=\"lead\">{lead}</p><figure class=\"chart\"><div class=\"plot\">\
         <span class=\"grid\" style=\"bottom:100%\">{}</span><span class=\"grid\" style=\"bottom:50%\"></span>\
         <svg viewBox=\"0 0 {n} 100\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">{bars}</svg></div>\
         <div class=\"axis\" aria-hidden=\"true\">{axis}</div></figure>{}",
        say("월별 매출", "Revenue by month"),
        both(|lang| money(max, &data.currency, lang)),
        plain(|lang| pick(lang, "월별 순매출 막대그래프", "Bar chart of net revenue by month").into()),
        table_behind(&head, &rows)
    )
}
