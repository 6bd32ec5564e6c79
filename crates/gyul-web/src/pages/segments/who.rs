//! Who are they? What sets the members apart from everybody else as far as it is more than chance, and what they are worth.

use super::super::customers::trait_label as label;
use super::super::explore::{amount, region_name};
use super::super::page::encode;
use super::super::{Page, format, show};
use crate::app::App;
use crate::data::explore::{Money, NumbersBeside, Profile, ShareBeside, Span, TraitBeside};
use crate::problem::ApiResult;
use crate::table::{Endpoint, NUMBERS, Table};
use askama::Template;
use axum::extract::{Path, State};
use gyul_model::{Instant, MICROS_DAY};
use std::sync::Arc;

type Shared = State<Arc<App>>;

/// Traits with a real difference that are shown, and values of each.
const SHOWN: usize = 12;
const VALUES: usize = 5;
/// Of the sentence at the top.
const SAID: usize = 3;
/// A year of orders: whatever the season.
const DAYS: i64 = 365;

pub fn add(table: &mut Table) {
    table.at(
        Endpoint::page("/segments/{id}/who", "partSegmentWho", NUMBERS),
        |s: Shared, p: Page, Path(id): Path<String>| who(s, p, id),
    );
    table.at(
        Endpoint::page("/partitions/{id}/classes/{class}/who", "partClassWho", NUMBERS),
        |s: Shared, p: Page, Path((id, class)): Path<(String, String)>| who(s, p, format!("{id}/{class}")),
    );
    table.at(
        Endpoint::page("/segments/{id}/worth", "partSegmentWorth", NUMBERS),
        |s: Shared, p: Page, Path(id): Path<String>| worth(s, p, id),
    );
    table.at(
        Endpoint::page("/partitions/{id}/classes/{class}/worth", "partClassWorth", NUMBERS),
        |s: Shared, p: Page, Path((id, class)): Path<(String, String)>| worth(s, p, format!("{id}/{class}")),
    );
}

/// A share or a mean, inside and outside, on a scale of thousandths.
struct Line {
    name: String,
    address: Option<String>,
    inside: String,
    outside: String,
    drawn: Option<Drawn>,
    sentence: String,
    more: bool,
    real: bool,
}

struct Drawn {
    inside: u64,
    outside: u64,
    /// The outside's place moved by the interval of the difference.
    low: u64,
    high: u64,
}

struct Group {
    name: String,
    /// For how many of the members it is known, where not for all.
    known: Option<String>,
    /// Its one line is a mean.
    number: bool,
    lines: Vec<Line>,
}

#[derive(Template)]
#[template(path = "segments/who.html")]
struct Who {
    page: Page,
    compared: usize,
    found: usize,
    /// What sets them apart most, in words.
    says: Vec<String>,
    real: Vec<Group>,
    /// Compared, and no more than chance.
    rest: Vec<Group>,
    csv: String,
}

async fn who(State(app): Shared, page: Page, of: String) -> ApiResult {
    let asked = of.clone();
    let profile = app.ask(move |b| b.profile(&asked)).await?;
    show(&page.clone(), &view(page, &profile, &of))
}

fn view(page: Page, p: &Profile, of: &str) -> Who {
    let (mut real, mut rest, mut says) = (vec![], vec![], vec![]);
    let (mut compared, mut found) = (0, 0);
    for t in &p.traits {
        let lines = lines(&page, t);
        let tests = t.shares.iter().map(|s| s.difference.is_some());
        compared += tests.chain(t.numbers.iter().map(|n| n.difference.is_some())).filter(|tested| *tested).count();
        found += lines.iter().filter(|l| l.real).count();
        let (mut yes, mut no): (Vec<Line>, Vec<Line>) = lines.into_iter().partition(|l| l.real);
        let known = (t.known_members < p.members)
            .then(|| page.t1("segments-who-known", "share", format::share(t.known_members, p.members)));
        let group = |lines| Group { name: name_of(&page, t), known: known.clone(), number: t.numbers.is_some(), lines };
        if !yes.is_empty() && real.len() < SHOWN {
            yes.truncate(VALUES);
            if says.len() < SAID {
                // Of classes and values, what there is more of says more than what there is less of.
                let best = yes.iter().find(|l| l.more).unwrap_or(&yes[0]);
                says.push(best.sentence.clone());
            }
            real.push(group(yes));
        }
        no.truncate(VALUES);
        if !no.is_empty() {
            rest.push(group(no));
        }
    }
    let csv = format!("/api/v1/explore/profile?of={}&format=csv", encode(of));
    Who { page, compared, found, says, real, rest, csv }
}

fn name_of(page: &Page, t: &TraitBeside) -> String {
    match t.kind.as_str() {
        "trait" | "age" => label(page, if t.kind == "age" { "age" } else { &t.id }),
        _ => page.name(&t.name_ko, &t.name_en, &t.id),
    }
}

fn value_of(page: &Page, t: &TraitBeside, s: &ShareBeside) -> String {
    match (t.kind.as_str(), t.id.as_str(), s.value.as_str()) {
        ("trait", "region", code) => region_name(page, code),
        ("trait", "gender", v @ ("female" | "male" | "other")) => page.t(&format!("segments-gender-{v}")),
        ("trait", _, "true") => page.t("segments-yes"),
        _ => page.name(&s.name_ko, &s.name_en, &s.value),
    }
}

fn lines(page: &Page, t: &TraitBeside) -> Vec<Line> {
    if let Some(n) = &t.numbers {
        return vec![mean(page, t, n)];
    }
    let part = |n: u64, of: u64| if of == 0 { None } else { Some(n as f64 / of as f64) };
    let shares: Vec<(&ShareBeside, Option<f64>, Option<f64>)> =
        t.shares.iter().map(|s| (s, part(s.members, t.known_members), part(s.others, t.known_others))).collect();
    let most = shares.iter().flat_map(|(_, x, y)| [*x, *y]).flatten().fold(0.0, f64::max);
    // A whole scale where shares are large; one that shows them where all are small.
    let scale = if most > 0.4 { 1.0 } else { most * 1.25 };
    let line = |(s, x, y): (&ShareBeside, Option<f64>, Option<f64>)| {
        let name = value_of(page, t, s);
        let address =
            (t.kind == "partition").then(|| format!("/partitions/{}/classes/{}", encode(&t.id), encode(&s.value)));
        let percent = |x: Option<f64>| x.map_or("–".to_string(), format::percent);
        let (inside, outside) = (percent(x), percent(y));
        let more = x > y;
        let bounds = s.difference.map(|d| (d.low, d.high));
        let drawn = x.zip(y).map(|(x, y)| drawn((x, y), bounds, scale));
        let named = format!("{}: {name}", name_of(page, t));
        let sentence = said(page, &named, x.unwrap_or(0.0), y.unwrap_or(0.0), (&inside, &outside));
        Line { name, address, inside, outside, drawn, sentence, more, real: s.real }
    };
    shares.into_iter().map(line).collect()
}

fn drawn((x, y): (f64, f64), bounds: Option<(f64, f64)>, scale: f64) -> Drawn {
    let place = |v: f64| if scale > 0.0 { (v / scale * 1000.0).clamp(0.0, 1000.0).round() as u64 } else { 0 };
    let (low, high) = bounds.map_or((y, y), |(low, high)| (y + low, y + high));
    Drawn { inside: place(x), outside: place(y), low: place(low), high: place(high) }
}

fn mean(page: &Page, t: &TraitBeside, n: &NumbersBeside) -> Line {
    let (x, y) = (n.mean_members, n.mean_others);
    let (inside, outside) = (amount(page, x, t.unit), amount(page, y, t.unit));
    let bounds = n.difference.map(|d| (d.low, d.high));
    let drawn = (x >= 0.0 && y >= 0.0).then(|| drawn((x, y), bounds, x.max(y) * 1.25));
    let parts =
        [("name", name_of(page, t).into()), ("inside", inside.clone().into()), ("outside", outside.clone().into())];
    let sentence = page.tn("segments-who-mean", &parts);
    Line {
        name: page.t("segments-who-average"),
        address: None,
        inside,
        outside,
        drawn,
        sentence,
        more: x > y,
        real: n.real,
    }
}

fn said(page: &Page, name: &str, x: f64, y: f64, (inside, outside): (&str, &str)) -> String {
    let more = x > y;
    let times = if y > 0.0 && x > 0.0 { if more { x / y } else { y / x } } else { f64::INFINITY };
    let message = match (more, times) {
        (true, t) if (1.95..1000.0).contains(&t) => "segments-who-times-more",
        (true, _) => "segments-who-more",
        (false, t) if (1.95..1000.0).contains(&t) => "segments-who-times-less",
        (false, _) => "segments-who-less",
    };
    let parts = [
        ("name", name.to_string().into()),
        ("n", format::decimal(times, if times < 10.0 { 1 } else { 0 }).into()),
        ("inside", inside.to_string().into()),
        ("outside", outside.to_string().into()),
    ];
    page.tn(message, &parts)
}

/// One line of what they are worth.
struct Figure {
    name: String,
    inside: String,
    outside: String,
    /// The inside by the outside.
    times: String,
    more: Option<bool>,
}

#[derive(Template)]
#[template(path = "segments/worth.html")]
struct Worth {
    page: Page,
    figures: Vec<Figure>,
    members: u64,
    share: String,
    revenue_share: String,
    csv: String,
}

async fn worth(State(app): Shared, page: Page, of: String) -> ApiResult {
    let span = Span { after: Instant(page.now.0 - DAYS * MICROS_DAY), until: page.now };
    let asked = of.clone();
    let found = app.ask(move |b| b.worth(Some(&asked), span)).await?;
    let (own, rest) = (found.of, beside(&found.all, &found.of));
    let figures = figures(&page, &own, &rest);
    let share = format::share(own.customers, found.all.customers);
    let positive = found.all.net > 0.0 && own.net >= 0.0;
    let revenue_share = if positive { format::percent(own.net / found.all.net) } else { "–".into() };
    let csv = format!("/api/v1/explore/worth?of={}&back={DAYS}&format=csv", encode(&of));
    show(&page.clone(), &Worth { page, figures, members: own.customers, share, revenue_share, csv })
}

/// Everybody but the members.
fn beside(all: &Money, own: &Money) -> Money {
    Money {
        customers: all.customers.saturating_sub(own.customers),
        buyers: all.buyers.saturating_sub(own.buyers),
        repeat_buyers: all.repeat_buyers.saturating_sub(own.repeat_buyers),
        orders: all.orders.saturating_sub(own.orders),
        gross: all.gross - own.gross,
        refunds: all.refunds - own.refunds,
        net: all.net - own.net,
        ..Money::default()
    }
}

fn figures(page: &Page, own: &Money, rest: &Money) -> Vec<Figure> {
    let by = |a: f64, b: f64| (b > 0.0).then(|| a / b);
    let money = |x: f64| format::money(x, &page.settings.currency, page.lang);
    let number = |x: f64| format::decimal(x, 2);
    type Of = fn(&Money) -> (f64, f64);
    type Said<'a> = &'a dyn Fn(f64) -> String;
    let all: [(&str, Of, Said); 6] = [
        ("income", |m| (m.net, m.customers as f64), &money),
        ("orders", |m| (m.orders as f64, m.customers as f64), &number),
        ("basket", |m| (m.gross, m.orders as f64), &money),
        ("buyers", |m| (m.buyers as f64, m.customers as f64), &format::percent),
        ("repeat", |m| (m.repeat_buyers as f64, m.buyers as f64), &format::percent),
        ("refunds", |m| (m.refunds, m.gross), &format::percent),
    ];
    let figure = |(name, of, text): &(&str, Of, Said)| {
        let (x, y) = (of(own), of(rest));
        let (x, y) = (by(x.0, x.1), by(y.0, y.1));
        let say = |v: Option<f64>| v.map_or("–".into(), text);
        let times = x.zip(y).filter(|(_, y)| *y > 0.0).map(|(x, y)| x / y).filter(|t| *t >= 0.0);
        Figure {
            name: page.t(&format!("segments-worth-{name}")),
            inside: say(x),
            outside: say(y),
            times: times.map_or("–".into(), |t| page.t1("segments-worth-times", "n", format::decimal(t, 2))),
            more: times.filter(|t| (t - 1.0).abs() >= 0.005).map(|t| t > 1.0),
        }
    };
    all.iter().map(figure).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_stays_on_its_scale() {
        let d = drawn((0.3, 0.1), Some((0.15, 0.25)), 0.5);
        assert_eq!((d.inside, d.outside, d.low, d.high), (600, 200, 500, 700));
        let d = drawn((1.0, 0.9), Some((-2.0, 2.0)), 1.0);
        assert_eq!((d.low, d.high), (0, 1000));
        assert_eq!(drawn((0.0, 0.0), None, 0.0).inside, 0);
    }

    #[test]
    fn those_beside_are_everybody_less_the_members() {
        let all =
            Money { customers: 10, buyers: 6, orders: 9, gross: 90.0, net: 80.0, refunds: 10.0, ..Money::default() };
        let own = Money { customers: 4, buyers: 4, orders: 6, gross: 60.0, net: 60.0, ..Money::default() };
        let rest = beside(&all, &own);
        assert_eq!((rest.customers, rest.buyers, rest.orders), (6, 2, 3));
        assert_eq!((rest.gross, rest.net, rest.refunds), (30.0, 20.0, 10.0));
    }
}
