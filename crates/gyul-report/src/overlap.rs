//! How many customers two segments share.

use crate::html::{both, heat, plain, say, section};
use crate::words::{count, people, percent};
use crate::{Lang, Overlap, ReportData};

pub fn render(data: &ReportData) -> String {
    let Some(overlap) = data.overlap.as_ref().filter(|o| o.names.len().min(o.both.len()) >= 2) else {
        return String::new();
    };
    let n = overlap.names.len().min(overlap.both.len());
    let columns: String = (1..=n).map(|i| format!("<th scope=\"col\">{i}</th>")).collect();
    let mut rows = String::new();
    for i in 0..n {
        rows +=
            &format!("<tr><th scope=\"row\"><b>{}</b> {}</th>", i + 1, both(|lang| overlap.names[i].get(lang).into()));
        rows += &(0..n).map(|j| cell(overlap, i, j)).collect::<String>();
        rows += "</tr>";
    }
    let body = format!(
        "<div class=\"scroll\"><table class=\"map overlap\"><caption>{}</caption><thead><tr><td></td>{columns}</tr></thead>\
         <tbody>{rows}</tbody></table></div>",
        say(
            "칸마다 함께 속한 고객 수와 자카드 지수(둘 중 하나에라도 속한 고객 가운데 둘 다에 속한 비율). 대각선은 세그먼트의 크기입니다.",
            "Customers in both, and the Jaccard index: those in both as a share of those in either. The diagonal is the segment's size."
        )
    );
    section("overlap", say("세그먼트 겹침", "How segments overlap"), lead(overlap, n), &body)
}

fn at(overlap: &Overlap, i: usize, j: usize) -> u64 {
    overlap.both.get(i).and_then(|row| row.get(j)).copied().unwrap_or(0)
}

fn jaccard(overlap: &Overlap, i: usize, j: usize) -> Option<f64> {
    let common = at(overlap, i, j);
    let either = (at(overlap, i, i).saturating_add(at(overlap, j, j))).saturating_sub(common);
    (either > 0).then(|| common as f64 / either as f64)
}

fn cell(overlap: &Overlap, i: usize, j: usize) -> String {
    let n = at(overlap, i, j);
    if i == j {
        return format!("<td class=\"self\"><b>{}</b></td>", count(n));
    }
    let share = jaccard(overlap, i, j);
    let title =
        plain(|lang| format!("{} ∩ {} · {}", overlap.names[i].get(lang), overlap.names[j].get(lang), people(n, lang)));
    let step = heat(share.unwrap_or(0.0), 1.0);
    match n {
        0 => format!("<td class=\"h0\" title=\"{title}\">·</td>"),
        _ => format!(
            "<td class=\"h{step}\" title=\"{title}\"><b>{}</b><small>{}</small></td>",
            count(n),
            share.map_or("–".into(), percent)
        ),
    }
}

fn lead(overlap: &Overlap, n: usize) -> String {
    let pairs = (0..n).flat_map(|i| (0..i).map(move |j| (j, i)));
    let closest = pairs.filter_map(|(i, j)| Some((i, j, jaccard(overlap, i, j)?))).max_by(|a, b| a.2.total_cmp(&b.2));
    match closest.filter(|c| c.2 > 0.0) {
        None => say("함께 속한 고객이 없습니다.", "No two segments share a customer."),
        Some((i, j, share)) => both(|lang| {
            let (a, b, share) = (overlap.names[i].get(lang), overlap.names[j].get(lang), percent(share));
            match lang {
                Lang::Ko => format!(
                    "가장 많이 겹치는 두 세그먼트는 ‘{a}’, ‘{b}’입니다(자카드 지수 {share}). 같은 메시지가 두 번 가지 않게 살펴보세요."
                ),
                Lang::En => format!(
                    "“{a}” and “{b}” overlap most, with a Jaccard index of {share}. Mind that nobody gets the same message twice."
                ),
            }
        }),
    }
}
