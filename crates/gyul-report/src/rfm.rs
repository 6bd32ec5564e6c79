//! Recency by frequency: where the customers are and where the money is.

use crate::html::{both, empty, heat, pick, plain, say, section, text};
use crate::words::{count, decimal, money, people, percent};
use crate::{Lang, ReportData, Rfm, Text};

pub fn render(data: &ReportData) -> String {
    let title = say("RFM 지도", "RFM map");
    let Some(rfm) = data.rfm.as_ref().filter(|rfm| total(rfm).0 > 0) else {
        let body = empty(
            say("아직 주문이 없어 지도를 그릴 수 없습니다.", "There are no orders to map yet."),
            say(
                "주문을 가져오면 최근성과 구매 횟수로 고객을 나누어 보여 줍니다.",
                "Import orders to see buyers by recency and frequency.",
            ),
        );
        return section("rfm", title, String::new(), &body);
    };
    let body = format!("<div class=\"two\"><div>{}</div><div>{}</div></div>", map(data, rfm), classes(data, rfm));
    section("rfm", title, lead(rfm), &body)
}

/// Customers and revenue of all cells.
fn total(rfm: &Rfm) -> (u64, f64) {
    rfm.cells.iter().flatten().fold((0, 0.0), |(n, r), c| (n.saturating_add(c.customers), r + c.revenue))
}

fn lead(rfm: &Rfm) -> String {
    let (customers, revenue) = total(rfm);
    let best = rfm.cells[3..]
        .iter()
        .flat_map(|row| &row[3..])
        .fold((0u64, 0.0), |(n, r), c| (n.saturating_add(c.customers), r + c.revenue));
    both(|lang| {
        let share = percent(best.0 as f64 / customers as f64);
        let money = if revenue > 0.0 { percent(best.1 / revenue) } else { "–".into() };
        match lang {
            Lang::Ko => {
                format!("최근에 자주 산 고객(R·F 모두 4점 이상)은 구매 고객의 {share}이고, 매출의 {money}를 만듭니다.")
            }
            Lang::En => {
                format!(
                    "Recent and frequent buyers (R and F of 4 or 5) are {share} of all buyers and bring {money} of the revenue."
                )
            }
        }
    })
}

fn map(data: &ReportData, rfm: &Rfm) -> String {
    let max = rfm.cells.iter().flatten().map(|c| c.customers).max().unwrap_or(0);
    let (_, revenue) = total(rfm);
    let mut rows = String::new();
    for f in (0..5).rev() {
        rows += &format!("<tr><th scope=\"row\">F{}</th>", f + 1);
        for r in 0..5 {
            let c = &rfm.cells[f][r];
            let share = if revenue > 0.0 { percent(c.revenue / revenue) } else { "–".into() };
            let title = plain(|lang| {
                let m =
                    c.m_mean.map_or(String::new(), |m| format!(" · {} {}", pick(lang, "평균 M", "mean M"), decimal(m)));
                let class = c.class.get(lang);
                let amount = money(c.revenue, &data.currency, lang);
                format!("R{} F{} {class} · {} · {amount}{m}", r + 1, f + 1, people(c.customers, lang))
            });
            rows += &match c.customers {
                0 => format!("<td class=\"h0\" title=\"{title}\">·</td>"),
                n => {
                    let m =
                        c.m_mean.map_or(String::new(), |m| format!("<small class=\"wide\">M {}</small>", decimal(m)));
                    let step = heat(n as f64, max as f64);
                    format!("<td class=\"h{step}\" title=\"{title}\"><b>{}</b><small>{share}</small>{m}</td>", count(n))
                }
            };
        }
        rows += "</tr>";
    }
    let columns: String = (1..=5).map(|r| format!("<th scope=\"col\">R{r}</th>")).collect();
    format!(
        "<table class=\"map\"><caption>{}</caption><thead><tr><td></td>{columns}</tr></thead><tbody>{rows}</tbody></table>\
         <p class=\"ends\"><span>{}</span><span>{}</span></p>",
        say(
            "칸마다 고객 수, 매출 비중, 구매액 점수(M)의 평균. 위로 갈수록 자주, 오른쪽으로 갈수록 최근에 샀습니다.",
            "Customers, share of revenue and mean money score (M) in each field. Higher is more often, further right more recent."
        ),
        say("← 오래전", "← long ago"),
        say("최근 →", "recent →"),
    )
}

/// What the fields of one class add up to, the largest revenue first.
fn classes(data: &ReportData, rfm: &Rfm) -> String {
    let mut sums: Vec<(&Text, u64, f64)> = Vec::new();
    for c in rfm.cells.iter().flatten().filter(|c| !c.class.is_empty() && c.customers > 0) {
        match sums.iter_mut().find(|(name, ..)| **name == c.class) {
            Some((_, n, r)) => (*n, *r) = (n.saturating_add(c.customers), *r + c.revenue),
            None => sums.push((&c.class, c.customers, c.revenue)),
        }
    }
    if sums.is_empty() {
        return String::new();
    }
    sums.sort_by(|a, b| b.2.total_cmp(&a.2));
    let (customers, revenue) = total(rfm);
    let rows: String = sums
        .iter()
        .map(|(name, n, r)| {
            let of = *n as f64 / customers.max(1) as f64;
            let share = if revenue > 0.0 { (r / revenue).clamp(0.0, 1.0) } else { 0.0 };
            format!(
                "<tr><th scope=\"row\">{}</th><td>{}<small>{}</small></td><td>{}<small>{}</small></td></tr>\
                 <tr class=\"pair\" aria-hidden=\"true\"><td colspan=\"3\"><i class=\"a\" style=\"width:{:.1}%\"></i>\
                 <i class=\"b\" style=\"width:{:.1}%\"></i></td></tr>",
                text(name),
                count(*n),
                percent(of),
                both(|lang| money(*r, &data.currency, lang)),
                percent(share),
                of * 100.0,
                share * 100.0
            )
        })
        .collect();
    format!(
        "<table class=\"classes\"><caption>{}</caption><thead><tr><th scope=\"col\">{}</th><th scope=\"col\"><i class=\"key a\"></i>{}</th>\
         <th scope=\"col\"><i class=\"key b\"></i>{}</th></tr></thead><tbody>{rows}</tbody></table>",
        say("등급별 고객과 매출", "Customers and revenue by class"),
        say("등급", "Class"),
        say("고객", "Customers"),
        say("매출", "Revenue"),
    )
}
