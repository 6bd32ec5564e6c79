//! Where customers stand on their way, month by month, and who went where between two dates.

use crate::html::{axis, both, empty, pick, plain, say, section, table_behind, text};
use crate::words::{count, date, month, people, percent};
use crate::{Flow, Lang, Lifecycle, ReportData};

pub fn render(data: &ReportData) -> String {
    let title = say("고객 생애주기", "Customer lifecycle");
    let Some(cycle) =
        data.lifecycle.as_ref().filter(|c| c.series.iter().any(|(_, counts)| counts.iter().any(|n| *n > 0)))
    else {
        let body = empty(
            say("아직 단계를 나눌 고객이 없습니다.", "There are no customers to place yet."),
            say(
                "주문이나 행동 데이터를 가져오면 달마다 어느 단계에 있었는지 볼 수 있습니다.",
                "Import orders or events to see where customers stood in each month.",
            ),
        );
        return section("lifecycle", title, String::new(), &body);
    };
    let mut body = stacked(cycle);
    if let Some(flow) = &cycle.flow {
        body += &sankey(cycle, flow);
    }
    section("lifecycle", title, lead(cycle), &body)
}

/// Without overflow on absurd input.
fn sum(counts: impl Iterator<Item = u64>) -> u64 {
    counts.fold(0, u64::saturating_add)
}

fn lead(cycle: &Lifecycle) -> String {
    let Some((_, counts)) = cycle.series.last() else { return String::new() };
    let sum = sum(counts.iter().copied());
    let Some((i, n)) = counts.iter().enumerate().take(cycle.classes.len()).max_by_key(|(_, n)| **n) else {
        return String::new();
    };
    both(|lang| {
        let (name, share) = (cycle.classes[i].get(lang), percent(*n as f64 / sum.max(1) as f64));
        match lang {
            Lang::Ko => format!("지금 가장 많은 단계는 ‘{name}’, 전체의 {share}({})입니다.", people(*n, lang)),
            Lang::En => format!("Most customers are now “{name}”: {share} of all ({}).", people(*n, lang)),
        }
    })
}

fn stacked(cycle: &Lifecycle) -> String {
    let n = cycle.series.len();
    let k = cycle.classes.len();
    let max = cycle.series.iter().map(|(_, c)| sum(c.iter().copied())).max().unwrap_or(0).max(1) as f64;
    let mut bars = String::new();
    for (i, (at, counts)) in cycle.series.iter().enumerate() {
        let mut y = 100.0;
        for (c, size) in counts.iter().enumerate().take(k).filter(|(_, size)| **size > 0) {
            let h = *size as f64 / max * 100.0;
            y -= h;
            let title = plain(|lang| {
                format!("{} · {} · {}", month(*at, lang), cycle.classes[c].get(lang), people(*size, lang))
            });
            bars += &format!(
                "<rect class=\"c{}\" x=\"{:.2}\" y=\"{y:.2}\" width=\"0.84\" height=\"{h:.2}\"><title>{title}</title></rect>",
                c % 10,
                i as f64 + 0.08
            );
        }
    }
    let axis = axis(n, |i| both(|lang| month(cycle.series[i].0, lang)));
    let latest = cycle.series.last().map(|(_, c)| c.as_slice()).unwrap_or(&[]);
    // From the top of the columns to their foot, so that legend and chart read alike.
    let key: String = cycle
        .classes
        .iter()
        .enumerate()
        .rev()
        .filter(|(c, _)| cycle.series.iter().any(|(_, counts)| counts.get(*c).is_some_and(|n| *n > 0)))
        .map(|(c, name)| {
            let now = count(latest.get(c).copied().unwrap_or(0));
            format!("<li><i class=\"dot c{}\"></i>{} <b>{now}</b></li>", c % 10, text(name))
        })
        .collect();
    let mut head = vec![say("월", "Month")];
    head.extend(cycle.classes.iter().map(text));
    let rows: Vec<Vec<String>> = cycle
        .series
        .iter()
        .map(|(at, counts)| {
            let mut row = vec![both(|lang| month(*at, lang))];
            row.extend(counts.iter().take(k).map(|n| count(*n)));
            row
        })
        .collect();
    format!(
        "<figure class=\"chart tall\"><div class=\"plot\"><span class=\"grid\" style=\"bottom:100%\">{}</span>\
         <span class=\"grid\" style=\"bottom:50%\"></span>\
         <svg viewBox=\"0 0 {n} 100\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">{bars}</svg></div>\
         <div class=\"axis\" aria-hidden=\"true\">{axis}</div><ul class=\"key\">{key}</ul></figure>{}",
        both(|lang| people(max as u64, lang)),
        plain(|lang| pick(lang, "월별 생애주기 단계별 고객 수", "Customers in each lifecycle stage by month").into()),
        table_behind(&head, &rows)
    )
}

/// One end of the flow: a class or the newcomers, with its place in per cent of the height.
struct Node {
    class: Option<usize>,
    size: u64,
    top: f64,
    height: f64,
}

/// Between two nodes lies this much, so that the labels of even the smallest do not touch.
const GAP: f64 = 5.4;

fn nodes(sizes: Vec<(Option<usize>, u64)>, scale: f64) -> Vec<Node> {
    let shown: Vec<_> = sizes.into_iter().filter(|(_, size)| *size > 0).collect();
    let used: f64 = shown.iter().map(|(_, size)| *size as f64 * scale).sum::<f64>() + GAP * shown.len() as f64;
    let mut top = ((100.0 - used) / 2.0).max(0.0) + GAP / 2.0;
    shown
        .into_iter()
        .map(|(class, size)| {
            let height = size as f64 * scale;
            let node = Node { class, size, top, height };
            top += height + GAP;
            node
        })
        .collect()
}

fn sankey(cycle: &Lifecycle, flow: &Flow) -> String {
    let k = cycle.classes.len();
    let at = |i: usize, j: usize| flow.moves.get(i).and_then(|row| row.get(j)).copied().unwrap_or(0);
    let joined = |j: usize| flow.joined.get(j).copied().unwrap_or(0);
    let before: Vec<_> =
        (0..k).map(|i| (Some(i), sum((0..k).map(|j| at(i, j))))).chain([(None, sum((0..k).map(joined)))]).collect();
    let after: Vec<_> = (0..k).map(|j| (Some(j), sum((0..k).map(|i| at(i, j)).chain([joined(j)])))).collect();
    let total = sum(after.iter().map(|(_, n)| *n));
    if total == 0 {
        return String::new();
    }
    let most = |sizes: &[(Option<usize>, u64)]| sizes.iter().filter(|(_, n)| *n > 0).count();
    let room = 100.0 - GAP * most(&before).max(most(&after)) as f64;
    let scale = room.max(20.0) / total as f64;
    let (left, right) = (nodes(before, scale), nodes(after, scale));

    let mut ribbons = String::new();
    let mut into: Vec<f64> = right.iter().map(|n| n.top).collect();
    for from in &left {
        let mut y = from.top;
        for (slot, to) in right.iter().enumerate() {
            let Some(j) = to.class else { continue };
            let n = from.class.map_or_else(|| joined(j), |i| at(i, j));
            if n == 0 {
                continue;
            }
            let h = n as f64 * scale;
            let (a, b) = (y, into[slot]);
            y += h;
            into[slot] += h;
            let title =
                plain(|lang| format!("{} → {} · {}", name(cycle, from, lang), name(cycle, to, lang), people(n, lang)));
            // The colour says where they came from.
            let class = from.class.map_or("new".into(), |i| format!("c{}", i % 10));
            ribbons += &format!(
                "<path class=\"ribbon {class}\" d=\"M0 {a:.2}C50 {a:.2} 50 {b:.2} 100 {b:.2}V{:.2}C50 {:.2} 50 {:.2} 0 {:.2}Z\">\
                 <title>{title}</title></path>",
                b + h,
                b + h,
                a + h,
                a + h
            );
        }
    }
    let ends = |nodes: &[Node], side: &str| -> String {
        let labels: String = nodes
            .iter()
            .map(|node| {
                let class = node.class.map_or("new".into(), |i| format!("c{}", i % 10));
                format!(
                    "<li style=\"top:{:.2}%\"><span>{} <b>{}</b></span></li><li class=\"end {class}\" style=\"top:{:.2}%;height:{:.2}%\"></li>",
                    node.top + node.height / 2.0,
                    both(|lang| name(cycle, node, lang)),
                    count(node.size),
                    node.top,
                    node.height.max(0.3)
                )
            })
            .collect();
        format!("<ul class=\"{side}\" aria-hidden=\"true\">{labels}</ul>")
    };
    format!(
        "<h3>{}</h3><p class=\"lead\">{}</p><figure class=\"flow\"><p class=\"ends\"><span>{}</span><span>{}</span></p>\
         <div class=\"sankey\">{}<svg viewBox=\"0 0 100 100\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">{ribbons}</svg>{}</div></figure>{}",
        say("누가 어디로 옮겨 갔나", "Who went where"),
        moved(cycle, flow, total),
        both(|lang| date(flow.from, lang)),
        both(|lang| date(flow.to, lang)),
        ends(&left, "from"),
        plain(|lang| pick(lang, "두 시점 사이 단계 이동", "Moves between stages from one date to the other").into()),
        ends(&right, "to"),
        flow_table(cycle, &left, &right, at, joined)
    )
}

fn name(cycle: &Lifecycle, node: &Node, lang: Lang) -> String {
    match node.class {
        Some(i) => cycle.classes[i].get(lang).into(),
        None => pick(lang, "새로 온 고객", "New arrivals").into(),
    }
}

fn moved(cycle: &Lifecycle, flow: &Flow, total: u64) -> String {
    let k = cycle.classes.len();
    let stayed = sum((0..k).filter_map(|i| flow.moves.get(i)?.get(i).copied()));
    let joined = sum(flow.joined.iter().take(k).copied());
    let known = total.saturating_sub(joined);
    if known == 0 {
        return say("모두 이 기간에 새로 온 고객입니다.", "Everybody arrived within this time.");
    }
    both(|lang| {
        let share = percent(known.saturating_sub(stayed) as f64 / known as f64);
        match lang {
            Lang::Ko => {
                format!("기존 고객의 {share}가 다른 단계로 옮겨 갔고, {}이 새로 왔습니다.", people(joined, lang))
            }
            Lang::En => format!("{share} of the earlier customers changed stage; {} arrived.", people(joined, lang)),
        }
    })
}

fn flow_table(
    cycle: &Lifecycle,
    left: &[Node],
    right: &[Node],
    at: impl Fn(usize, usize) -> u64,
    joined: impl Fn(usize) -> u64,
) -> String {
    let mut head = vec![say("전 → 후", "From → to")];
    head.extend(right.iter().map(|node| both(|lang| name(cycle, node, lang))));
    let rows: Vec<Vec<String>> = left
        .iter()
        .map(|from| {
            let mut row = vec![both(|lang| name(cycle, from, lang))];
            row.extend(
                right
                    .iter()
                    .filter_map(|to| to.class)
                    .map(|j| count(from.class.map_or_else(|| joined(j), |i| at(i, j)))),
            );
            row
        })
        .collect();
    table_behind(&head, &rows)
}
