//! One customer.

use super::timeline::{self, Timeline};
use super::{Said, Shared, address, is_veiled, short};
use crate::app::App;
use crate::args::{self, Args};
use crate::data::*;
use crate::pages::explore::region_name;
use crate::pages::page::encode;
use crate::pages::{Page, format, show};
use crate::problem::{ApiError, ApiResult};
use crate::veil;
use askama::Template;
use axum::extract::{Path, State};
use gyul_model::{Identifier, Instant, Value, names};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Channels that every shop thinks of.
const CHANNELS: [&str; 4] = ["email", "sms", "kakao", "push"];
const VALUE_CHARS: usize = 300;

#[derive(Template)]
#[template(path = "customers/person.html")]
struct Person {
    page: Page,
    title: String,
    to: String,
    id: String,
    /// As it is, for who may erase.
    own_id: String,
    name: Option<String>,
    customer: Customer,
    veiled: bool,
    revenue: Option<String>,
    traits: Vec<TraitLine>,
    channels: Vec<Channel>,
    members: Members,
    identifiers: Vec<(String, String)>,
    merges: Vec<MergeLine>,
    timeline: Timeline,
    done: Option<String>,
    wrong: Option<String>,
}

struct TraitLine {
    label: String,
    name: String,
    value: String,
    since: Option<Instant>,
}

/// Whether somebody may and can be reached, and why not.
struct Channel {
    name: String,
    consent: Option<bool>,
    since: Option<Instant>,
    reachable: bool,
    reason: String,
}

struct MergeLine {
    decision: u64,
    from: String,
    reason: String,
    at: Instant,
}

/// What somebody is in; followed live.
#[derive(Template)]
#[template(path = "customers/memberships.html")]
struct Members {
    page: Page,
    to: String,
    lines: Vec<MemberLine>,
    /// What the data cannot tell of anybody: neither in nor out.
    unknown: Vec<Unknown>,
}

struct Unknown {
    address: String,
    name: String,
    needs: String,
}

struct MemberLine {
    kind: &'static str,
    id: String,
    /// The partition, for a class.
    of: Option<String>,
    name: String,
    since: Option<Instant>,
    until: Option<Instant>,
    ranked: bool,
}

pub fn name_of(customer: &Customer) -> Option<String> {
    let text = |wanted: &str| customer.traits.iter().find(|(n, _)| n == wanted).map(|(_, v)| v.to_string());
    let both = || Some(format!("{} {}", text("first_name")?, text("last_name")?));
    let found = text("name").or_else(both).or_else(|| text("first_name")).or_else(|| text("nickname"));
    found.filter(|n| !n.trim().is_empty())
}

pub async fn page(State(app): Shared, page: Page, Path(id): Path<String>, args: Args) -> ApiResult {
    let who = args::identifier(&id)?;
    let done = match args.get("done") {
        Some("merged") => Some("customers-merged"),
        Some("parted") => Some("customers-parted"),
        Some("objected") => Some("customers-objected"),
        Some("withdrawn") => Some("customers-withdrawn"),
        _ => None,
    };
    show_page(&app, page, who, &Said { done, wrong: None }, args.get("event").map(str::to_string)).await
}

pub async fn show_page(app: &Arc<App>, page: Page, who: Identifier, said: &Said, event: Option<String>) -> ApiResult {
    let asked = who.clone();
    let mut customer = app.ask(move |b| b.customer(&asked)).await?;
    let members = members(app, &page, &customer).await?;
    let veiled = is_veiled(&page);
    let timeline = timeline::of(app, &page, &customer.id, None, event, None).await?;
    let channels = channels(&page, &customer);
    let to = address(&customer.id);
    let own_id = customer.id.clone();
    if veiled {
        veil::customer(&mut customer);
    }
    let id = if veiled { veil::handle(&own_id) } else { own_id.clone() };
    let name = name_of(&customer).map(|n| short(&n, VALUE_CHARS));
    let title = short(name.as_deref().unwrap_or(&id), 60);
    let since: BTreeMap<&str, Option<Instant>> =
        customer.traits_since.iter().map(|t| (t.name.as_str(), t.since)).collect();
    let shown = customer.traits.iter().filter(|(n, _)| !n.starts_with(names::CONSENT));
    let line = |(name, v): &(String, Value)| TraitLine {
        label: label(&page, name),
        name: name.clone(),
        value: value(&page, name, v),
        since: since.get(name.as_str()).copied().flatten(),
    };
    let kind = |i: &IdentifierOf| {
        let known = ["user", "email", "phone", "kakao", "device", "anonymous"].contains(&i.kind.as_str());
        let kind = if known { page.t(&format!("customers-id-{}", i.kind)) } else { i.kind.clone() };
        (kind, short(&i.value, 120))
    };
    let merge = |m: &Merged| MergeLine {
        decision: m.decision,
        from: short(&m.from, 120),
        reason: page.t(match m.reason.as_str() {
            "by hand" => "customers-merge-by-hand",
            "alias" => "customers-merge-alias",
            _ => "customers-merge-seen",
        }),
        at: m.at,
    };
    let template = Person {
        title,
        to,
        id,
        own_id,
        name,
        veiled,
        revenue: customer.worth.revenue.map(|r| page.money(r)),
        traits: shown.map(line).collect(),
        channels,
        members,
        identifiers: customer.identifiers.iter().map(kind).collect(),
        merges: customer.merges.iter().map(merge).collect(),
        timeline,
        done: said.done.map(|d| page.t(d)),
        wrong: said.wrong.map(|w| page.t(w)),
        customer,
        page: page.clone(),
    };
    show(&page, &template)
}

/// What a trait is called, where it is one that every shop has.
pub fn label(page: &Page, name: &str) -> String {
    const KNOWN: [&str; 13] = [
        "name",
        "email",
        "phone",
        "gender",
        "birth_date",
        "age",
        "region",
        "country",
        "city",
        "grade",
        "address",
        "channel",
        "joined_at",
    ];
    if let Some(channel) = name.strip_prefix(names::CONSENT).filter(|c| CHANNELS.contains(c)) {
        return page.t1("customers-trait-consent", "channel", page.t(&format!("customers-channel-{channel}")));
    }
    if KNOWN.contains(&name) { page.t(&format!("customers-trait-{name}")) } else { short(name, 80) }
}

/// Values that import and ingest write in one way, as people say them: `female`, `KR-11`, `+821012345678`.
fn known_value(page: &Page, name: &str, text: &str) -> Option<String> {
    match (name, text) {
        ("gender", "female" | "male" | "other") => Some(page.t(&format!("segments-gender-{text}"))),
        ("region", code) => Some(region_name(page, code)).filter(|said| said != code),
        ("channel", channel) if CHANNELS.contains(&channel) => Some(page.t(&format!("customers-channel-{channel}"))),
        ("phone", number) => phone(number),
        _ => None,
    }
}

/// A Korean number as it is dialled at home; others stay as they are.
fn phone(number: &str) -> Option<String> {
    let home = format!("0{}", number.strip_prefix("+82").filter(|n| n.chars().all(|c| c.is_ascii_digit()))?);
    match (home.len(), home.starts_with("02")) {
        (11, false) => Some(format!("{}-{}-{}", &home[..3], &home[3..7], &home[7..])),
        (10, false) => Some(format!("{}-{}-{}", &home[..3], &home[3..6], &home[6..])),
        (9 | 10, true) => Some(format!("02-{}-{}", &home[2..home.len() - 4], &home[home.len() - 4..])),
        _ => None,
    }
}

pub fn value(page: &Page, name: &str, v: &Value) -> String {
    match v {
        Value::Bool(true) => page.t("customers-yes"),
        Value::Bool(false) => page.t("customers-no"),
        Value::Instant(t) => page.moment(*t),
        Value::Num(n) if names::MONEY.contains(&name) => page.money(n.to_f64()),
        Value::Num(n) => format::decimal(n.to_f64(), 4),
        Value::Text(t) => known_value(page, name, t).unwrap_or_else(|| short(t, VALUE_CHARS)),
        Value::List(l) => short(&l.join(", "), VALUE_CHARS),
    }
}

/// `consent(c)` is the trait `consent.c`; `reachable(c)` a consent, an address and no sign that it leads nowhere.
fn channels(page: &Page, c: &Customer) -> Vec<Channel> {
    let of = |name: &str| c.traits.iter().find(|(n, _)| n == name).map(|(_, v)| v);
    let own = c.traits.iter().filter_map(|(n, _)| n.strip_prefix(names::CONSENT));
    let mut all: Vec<&str> = CHANNELS.to_vec();
    own.for_each(|n| {
        if !all.contains(&n) {
            all.push(n);
        }
    });
    let channel = |channel: &str| {
        let name = format!("{}{channel}", names::CONSENT);
        let consent = of(&name).and_then(|v| if let Value::Bool(b) = v { Some(*b) } else { None });
        let needs = match channel {
            "email" => "email",
            "push" => "push_token",
            _ => "phone",
        };
        let lost = of(&format!("unreachable.{channel}")).is_some_and(|v| *v != Value::Bool(false));
        let (reachable, reason) = match consent {
            Some(true) if lost => (false, "customers-reach-lost"),
            Some(true) if of(needs).is_none() => (false, "customers-reach-no-address"),
            Some(true) => (true, "customers-reach-yes"),
            Some(false) => (false, "customers-reach-refused"),
            None => (false, "customers-reach-unknown"),
        };
        let known = CHANNELS.contains(&channel);
        Channel {
            name: if known { page.t(&format!("customers-channel-{channel}")) } else { short(channel, 40) },
            consent,
            since: c.traits_since.iter().find(|t| t.name == name).and_then(|t| t.since),
            reachable,
            reason: page.t(reason),
        }
    };
    all.into_iter().map(channel).collect()
}

async fn members(app: &Arc<App>, page: &Page, customer: &Customer) -> ApiResult<Members> {
    let segments = app.ask(|b| b.definitions(DefKind::Segment)).await?;
    let partitions = app.ask(|b| b.definitions(DefKind::Partition)).await?;
    let (mut lines, mut unknown) = (vec![], vec![]);
    for c in &customer.classes {
        let found = partitions.iter().find(|p| p.id == c.partition);
        let class = found.and_then(|p| p.classes.iter().find(|k| k.class == c.class));
        if let Some((p, needs)) = found.and_then(|p| Some((p, undecided(page, p, &c.class)?))) {
            let name = page.name(&p.name_ko, &p.name_en, &p.id);
            unknown.push(Unknown { address: format!("/partitions/{}", encode(&p.id)), name, needs });
            continue;
        }
        lines.push(MemberLine {
            kind: "partitions",
            id: c.partition.clone(),
            of: Some(found.map_or(c.partition.clone(), |p| page.name(&p.name_ko, &p.name_en, &p.id))),
            name: class.map_or(c.class.clone(), |k| page.name(&k.name_ko, &k.name_en, &k.class)),
            since: c.since,
            until: c.until,
            ranked: c.ranked,
        });
    }
    // As on the page of partitions: what a marketer asks first.
    lines.sort_by_key(|l| (l.id != "lifecycle", l.id != "rfm"));
    for s in &segments {
        let Some(needs) = page.lacks(&s.needs_ko, &s.needs_en) else { continue };
        let name = page.name(&s.name_ko, &s.name_en, &s.id);
        unknown.push(Unknown { address: format!("/segments/{}", encode(&s.id)), name, needs });
    }
    // Who objects to being profiled is in nothing for another reason, which the page tells above.
    if customer.objects_since.is_some() {
        unknown.clear();
    }
    for m in &customer.segments {
        let found = segments.iter().find(|s| s.id == m.segment);
        if found.is_some_and(|s| s.needs_en.is_some()) {
            continue;
        }
        lines.push(MemberLine {
            kind: "segments",
            id: m.segment.clone(),
            of: None,
            name: found.map_or(m.segment.clone(), |s| page.name(&s.name_ko, &s.name_en, &s.id)),
            since: m.since,
            until: m.until,
            ranked: m.ranked,
        });
    }
    Ok(Members { page: page.clone(), to: address(&customer.id), lines, unknown })
}

/// What the data lacks to tell the class of somebody who seems to be in `class`. Nobody's can be told where it lacks
/// something for each of the conditions.
fn undecided(page: &Page, p: &DefState, class: &str) -> Option<String> {
    let own = p.classes.iter().find(|k| k.class == class)?;
    let mut asked = p.classes.iter().filter(|k| k.when.is_some()).map(|k| page.lacks(&k.needs_ko, &k.needs_en));
    let first = asked.clone().next().flatten();
    page.lacks(&own.needs_ko, &own.needs_en).or(if asked.all(|n| n.is_some()) { first } else { None })
}

pub async fn memberships(State(app): Shared, page: Page, Path(id): Path<String>) -> ApiResult {
    let who = args::identifier(&id)?;
    let customer = app.ask(move |b| b.customer(&who)).await?;
    show(&page, &members(&app, &page, &customer).await?)
}

#[derive(Template)]
#[template(path = "customers/why.html")]
struct WhyPart {
    page: Page,
    lines: Vec<WhyLine>,
    since: Option<Instant>,
    until: Option<Instant>,
    ranked: bool,
}

struct WhyLine {
    depth: usize,
    says: String,
    holds: bool,
    events: Vec<EvidenceOf>,
    more: u64,
    /// The events stand above already.
    again: bool,
}

/// Whether these events were shown before; many conditions rest on the same ones.
fn is_again(shown: &mut Vec<Vec<EvidenceOf>>, events: &[EvidenceOf]) -> bool {
    let again = !events.is_empty() && shown.iter().any(|s| s == events);
    if !again {
        shown.push(events.to_vec());
    }
    again
}

pub async fn why(
    State(app): Shared,
    page: Page,
    Path((id, kind, definition)): Path<(String, String, String)>,
) -> ApiResult {
    let who = args::identifier(&id)?;
    let kind = match kind.as_str() {
        "segments" => DefKind::Segment,
        "partitions" => DefKind::Partition,
        _ => return Err(ApiError::not_found()),
    };
    let mut why = app.ask(move |b| b.why(&who, kind, &definition)).await?;
    if is_veiled(&page) {
        veil::why(&mut why);
    }
    let event = |e: EvidenceOf| EvidenceOf {
        properties: e.properties.into_iter().map(|p| evidence(&page, &e.name, p)).collect(),
        name: timeline::title(&page, &e.name),
        ..e
    };
    let mut shown: Vec<Vec<EvidenceOf>> = vec![];
    let line = |c: ConditionHolds| {
        let again = is_again(&mut shown, &c.events);
        let events = if again { vec![] } else { c.events };
        WhyLine {
            depth: c.depth.min(6) as usize,
            says: short(page.lang.pick(&c.says_ko, &c.says_en), VALUE_CHARS),
            holds: c.holds,
            events: events.into_iter().map(event).collect(),
            more: c.more,
            again,
        }
    };
    let lines = why.conditions.into_iter().map(line).collect();
    let part = WhyPart { page: page.clone(), lines, since: why.since, until: why.until, ranked: why.ranked };
    show(&page, &part)
}

/// A property of an event that decided something, as the timeline writes it; of a trait, as the list of traits does.
fn evidence(page: &Page, event: &str, (name, text): (String, String)) -> (String, String) {
    let called = if event == names::IDENTIFY { label(page, &name) } else { timeline::property(page, &name) };
    let value = match text.parse::<f64>() {
        Ok(amount) if names::MONEY.contains(&name.as_str()) => page.money(amount),
        _ => known_value(page, &name, &text).unwrap_or_else(|| short(&text, VALUE_CHARS)),
    };
    (called, value)
}

#[cfg(test)]
mod tests {
    use super::phone;

    #[test]
    fn a_phone_number_is_written_as_it_is_dialled() {
        assert_eq!(phone("+821016060033").as_deref(), Some("010-1606-0033"));
        assert_eq!(phone("+82111234567").as_deref(), Some("011-123-4567"));
        assert_eq!(phone("+82212345678").as_deref(), Some("02-1234-5678"));
        assert_eq!(phone("+82312345678").as_deref(), Some("031-234-5678"));
        // Other countries, numbers that are none, and veiled ones.
        for other in ["+447911123456", "+82", "+82-10-****-0033", "010-****-0033", "+8210160600331234"] {
            assert_eq!(phone(other), None, "{other}");
        }
    }
}
