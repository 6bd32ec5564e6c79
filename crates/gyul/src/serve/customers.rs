//! Customers, one at a time.

use super::span::{is_ranked, roots, since_in, spans};
use super::{Live, as_own_event, conflict, find, lock, names_of, storage};
use gyul_engine::View;
use gyul_engine::live::{Action, Outcome, World};
use gyul_model::{
    ColumnData, ColumnKind, Event, IdKind, Identifier, Instant, Lang, Message, Timeline, Value, Zone, names,
};
use gyul_segment::explain::{Condition, in_words, reason, value};
use gyul_segment::tree::Library;
use gyul_timeline::Named;
use gyul_web::data::*;
use gyul_web::{Refusal, Reply};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Traits that a customer may be found by.
pub(super) const NAMES: [&str; 4] = ["name", "first_name", "last_name", "nickname"];

/// Names looked through while nothing else happens: about two thousandths of a second.
const SEARCH_GROUP: u32 = 50_000;

impl Live {
    pub(super) fn about(&self, who: &Identifier) -> Reply<Customer> {
        let now = self.hub.now();
        let (mut out, timelines, library, inside) = {
            let world = self.hub.world();
            let (number, head) = find(&world, who)?;
            let timeline = world.timeline(number);
            let dated = || timeline.events.iter().map(|e| e.ts).filter(|t| *t != Instant::ALWAYS);
            let identifiers = world.identifiers(head).into_iter();
            let out = Customer {
                id: world.customer_id(number).to_string(),
                events: timeline.events.len() as u64,
                first_seen: dated().min(),
                last_seen: dated().max(),
                identifiers: identifiers.map(|(k, value)| IdentifierOf { kind: k.name().into(), value }).collect(),
                traits: World::traits(&timeline, now).into_iter().collect(),
                segments: vec![],
                classes: vec![],
                merges: merges(&world, head),
                worth: worth(&timeline, now),
                traits_since: traits_since(&timeline, now),
                objects_since: world.objects_since(head),
            };
            let inside: Vec<usize> = world.memberships(number).filter(|_| !world.objects(number)).collect();
            (out, world.live.some(&[number]), world.live.library().clone(), inside)
        };
        let roots = roots(&library);
        for root in inside {
            let Some(&named) = roots.get(root) else { continue };
            let span = spans(&timelines, 1, &library, named, now).first().copied().unwrap_or_default();
            let (since, until, ranked) = (span.since, span.until, span.ranked);
            match (named, class_of(&library, named)) {
                (Named::Segment(i), _) => {
                    out.segments.push(Membership { segment: library.segments[i].id.clone(), since, until, ranked });
                }
                (_, Some((partition, class))) => {
                    out.classes.push(ClassOf {
                        partition: partition.into(),
                        class: class.into(),
                        since,
                        until,
                        ranked,
                    });
                }
                _ => {}
            }
        }
        Ok(out)
    }

    pub(super) fn decided(&self, who: &Identifier) -> Reply<Decision> {
        let world = self.hub.world();
        let (number, _) = find(&world, who)?;
        let objects = world.objects(number);
        let mut out = Decision { customer: world.customer_id(number).to_string(), objects, ..Decision::default() };
        let names = world.live.names();
        let segments = world.live.library().segments.len();
        for root in world.memberships(number).filter(|_| !objects) {
            match names[root].split_once('/') {
                Some((partition, class)) if root >= segments => {
                    out.classes.insert(partition.to_string(), class.to_string());
                }
                _ => out.segments.push(names[root].to_string()),
            }
        }
        let now = self.hub.now();
        let mut traits: BTreeMap<String, Value> = BTreeMap::new();
        for e in world.live.events_of(number, names::IDENTIFY).into_iter().filter(|e| e.ts <= now) {
            traits.extend(e.props);
        }
        out.traits = traits.into_iter().collect();
        Ok(out)
    }

    pub(super) fn events_of(
        &self,
        who: &Identifier,
        before: Option<(Instant, u64)>,
        limit: usize,
    ) -> Reply<Vec<TimelineEvent>> {
        let mut all = {
            let world = self.hub.world();
            handled(&world, find(&world, who)?.0)
        };
        all.retain(|(e, _)| before.is_none_or(|b| (e.ts, e.seq) < b));
        all.sort_by_key(|(e, _)| std::cmp::Reverse((e.ts, e.seq)));
        all.truncate(limit);
        let event = |(e, handle): (Event, Option<String>)| TimelineEvent {
            ts: e.ts,
            seq: e.seq,
            name: e.name,
            properties: e.props,
            handle,
        };
        Ok(all.into_iter().map(event).collect())
    }

    pub(super) fn explained(&self, who: &Identifier, kind: DefKind, id: &str) -> Reply<Why> {
        let now = self.hub.now();
        let (customer, class, alone, library) = {
            let world = self.hub.world();
            let (number, _) = find(&world, who)?;
            if world.objects(number) {
                return Err(conflict(
                    "objects",
                    "프로파일링을 거부한 고객이라 어떤 세그먼트에도 속하지 않습니다.",
                    "this customer objects to being profiled and is in no segment.",
                ));
            }
            let prefix = format!("{id}/");
            let class = world.memberships(number).map(|r| world.live.names()[r].clone());
            let class = class.filter_map(|n| n.strip_prefix(&prefix).map(str::to_string)).next();
            let alone = world.live.some(&[number]);
            (world.customer_id(number).to_string(), class, alone, world.live.library().clone())
        };
        let asked_for = roots(&library).into_iter().find(|n| match class_of(&library, *n) {
            Some((p, k)) => kind == DefKind::Partition && p == id && class.as_deref().is_none_or(|c| c == k),
            None => kind == DefKind::Segment && name_of(&library, *n) == id,
        });
        let ranked = asked_for.is_none_or(|n| is_ranked(&alone, &library, n));
        // Where nobody else has a say, nobody else is looked at.
        let view = if ranked { self.view() } else { Arc::new(View::of(alone, (*library).clone())) };
        let library = view.library();
        let asked = match kind {
            DefKind::Segment if library.segments.iter().any(|s| s.id == id) => id.to_string(),
            DefKind::Partition => {
                let p = library.partitions.iter().find(|p| p.id == id).ok_or(Refusal::NotFound)?;
                let class = class.as_deref().unwrap_or(&p.otherwise.id);
                format!("{id}/{class}")
            }
            _ => return Err(Refusal::NotFound),
        };
        let found = view.why(&asked, &customer, now).map_err(|_| Refusal::NotFound)?;
        let named = roots(library).into_iter().find(|n| name_of(library, *n) == asked);
        let mut out =
            Why { member: found.why.verdict, class: None, since: None, until: None, ranked, conditions: vec![] };
        if kind == DefKind::Partition {
            out.class = class.filter(|_| found.why.verdict);
        }
        out.since = named.and_then(|n| since_in(&view, n, &customer, now));
        out.until = found.next.map(|(t, _)| t);
        let zone = view.zone();
        let show = |c: &Condition| {
            let part = |(text, v): &(String, Option<gyul_segment::reference::Val>)| {
                format!("{text} = {}", v.as_ref().map_or("–".into(), |v| value(v, zone, Lang::En)))
            };
            let parts: Vec<String> = c.operands.iter().map(part).collect();
            (!parts.is_empty()).then(|| parts.join(", "))
        };
        if let Some(c) = &found.why.condition {
            flatten(c, 0, zone, &show, &mut out.conditions);
        }
        // Of the classes that come first, what decided against each.
        for earlier in &found.why.earlier {
            let Some(c) = &earlier.condition else { continue };
            let said = |lang| format!("{}: {}", earlier.title(lang), reason(c, zone, lang));
            let mut parts = vec![];
            flatten(c, 0, zone, &show, &mut parts);
            let events = parts.iter().find(|p| !p.events.is_empty());
            out.conditions.push(ConditionHolds {
                depth: 0,
                text: c.source.clone(),
                holds: false,
                found: show(c),
                says_ko: said(Lang::Ko),
                says_en: said(Lang::En),
                events: events.map(|p| p.events.clone()).unwrap_or_default(),
                more: events.map_or(0, |p| p.more),
            });
        }
        Ok(out)
    }

    /// Names of theirs that are the text first, then those that begin with it, then names of people; each by id.
    pub(super) fn searched(&self, text: &str, after: Option<FoundAt>, limit: usize) -> FoundCustomers {
        let sought = Sought::of(text);
        let room = limit.saturating_mul(4) + 1;
        // Those behind the page before; some more than are wanted, since who stands further ahead is left out here.
        let (mut found, mut exact) = (BTreeSet::new(), BTreeSet::new());
        let mut truncated = false;
        let mut put = |found: &mut BTreeSet<FoundAt>, at: FoundAt| {
            if after.as_ref().is_none_or(|a| at > *a) {
                found.insert(at);
                if found.len() > room {
                    found.pop_last();
                    truncated = true;
                }
            }
        };
        let mut from = 0;
        // A piece at a time: events go in between.
        loop {
            let world = self.hub.world();
            let ids = &world.identities;
            let until = (ids.len() as u32).min(from + SEARCH_GROUP);
            for handle in from..until {
                let Some(kind) = ids.kind_of(handle) else { continue };
                let Some(rank) = sought.rank(kind, ids.handle_id(handle)) else { continue };
                let Some(number) = world.number_of(ids.head_of(handle)) else { continue };
                let id = world.customer_id(world.live.head(number)).to_string();
                if rank == 0 {
                    exact.insert(id.clone());
                }
                put(&mut found, FoundAt { rank, id });
            }
            if until == ids.len() as u32 {
                break;
            }
            from = until;
        }
        if found.len() <= limit + exact.len() {
            self.named_like(&sought.text, |id| put(&mut found, FoundAt { rank: 2, id: id.to_string() }));
        }
        let (world, now) = (self.hub.world(), self.hub.now());
        let mut out = FoundCustomers::default();
        let mut last = None;
        for at in found {
            if out.heads.len() == limit {
                out.next = last;
                return out;
            }
            last = Some(at.clone());
            let Some((number, head)) = world.find(&Identifier::of_handle(&at.id)) else { continue };
            let ahead = match at.rank {
                0 => false,
                1 => exact.contains(&at.id),
                _ => {
                    let handles = world.identities.handles_of(world.identities.head_of(head)).iter();
                    let mut known = handles.filter_map(|h| Some((world.identities.kind_of(*h)?, *h)));
                    known.any(|(kind, h)| sought.rank(kind, world.identities.handle_id(h)).is_some())
                }
            };
            if !ahead {
                out.heads.push(head_of(&world, number, now));
            }
        }
        out.next = last.filter(|_| truncated);
        out
    }

    pub(super) fn recently(&self, limit: usize) -> Vec<CustomerHead> {
        let now = self.hub.now();
        let mut out = vec![];
        let mut seen = BTreeSet::new();
        {
            let world = self.hub.world();
            // The latest messages; a customer sends several.
            for (_, handle) in world.owners.iter().rev().take(limit.saturating_mul(200)) {
                let number = world.number_of(*handle).map(|n| world.live.head(n));
                if let Some(number) = number.filter(|n| seen.insert(*n)) {
                    out.push(head_of(&world, number, now));
                    if out.len() >= limit {
                        break;
                    }
                }
            }
        }
        if out.len() < limit {
            let latest = self.looked().latest.clone();
            let world = self.hub.world();
            for id in latest {
                let Some((number, _)) = world.find(&Identifier::of_handle(&id)) else { continue };
                if out.len() < limit && seen.insert(number) {
                    out.push(head_of(&world, number, now));
                }
            }
        }
        out.sort_by_key(|h| std::cmp::Reverse(h.last_seen));
        out
    }

    /// Customers whose name begins like this, in no order.
    fn named_like(&self, wanted: &str, mut put: impl FnMut(&str)) {
        let view = self.view();
        let data = view.data();
        let Some(s) = data.streams.iter().position(|s| s.name == names::IDENTIFY) else { return };
        for (c, info) in data.streams[s].columns.iter().enumerate().filter(|(_, c)| NAMES.contains(&c.name.as_str())) {
            let ColumnKind::Text(dict) = &info.kind else { continue };
            let fits: Vec<bool> =
                (0..dict.len()).map(|i| dict.get(i).is_some_and(|t| starts_with(t, wanted))).collect();
            if !fits.contains(&true) {
                continue;
            }
            for bucket in &data.buckets {
                let stream = &bucket.streams[s];
                let Some(ColumnData::Codes(codes)) = stream.columns.get(c) else { continue };
                for customer in 0..bucket.customers.len() {
                    let mut rows = stream.rows(customer);
                    let fit =
                        |i| codes.get(i).checked_sub(1).is_some_and(|code| fits.get(code as usize) == Some(&true));
                    if rows.any(fit) {
                        bucket.customers.get(customer).into_iter().for_each(&mut put);
                    }
                }
            }
        }
    }

    pub(super) fn merged(&self, into: &Identifier, from: &Identifier) -> Reply<Merged> {
        {
            let world = self.hub.world();
            let (a, b) = (find(&world, into)?, find(&world, from)?);
            if a.1 == b.1 {
                return Err(conflict("same_customer", "이미 같은 고객입니다.", "they are the same customer already."));
            }
        }
        let action = Action::Merge { into: into.handle(), from: from.handle() };
        match self.act(action)? {
            (Outcome::Merged(merge), _) => {
                let world = self.hub.world();
                let merge = world.identities.merge_of(merge).ok_or(Refusal::NotFound)?;
                Ok(told(&world, &merge))
            }
            (Outcome::Refused("unknown"), _) => Err(Refusal::NotFound),
            _ => Err(conflict("cannot_merge", "두 고객을 합칠 수 없습니다.", "these two cannot be joined.")),
        }
    }

    pub(super) fn unmerged(&self, decision: u64) -> Reply<()> {
        let merge = u32::try_from(decision).map_err(|_| Refusal::NotFound)?;
        if self.hub.world().identities.merge_of(merge).is_none() {
            return Err(Refusal::NotFound);
        }
        match self.act(Action::Unmerge { merge })?.0 {
            Outcome::Refused(_) => {
                Err(conflict("already_undone", "이미 되돌린 합치기입니다.", "this merge was taken back already."))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn objected(&self, who: &Identifier, objects: bool) -> Reply<()> {
        let names: Vec<String> = {
            let world = self.hub.world();
            let (_, head) = find(&world, who)?;
            let own = world.identities.handles_of(head).iter().map(|h| world.identities.handle_id(*h).to_string());
            // Objected under the one name that they go by: a merge that is undone leaves the other part free.
            if objects { vec![world.identities.handle_id(head).to_string()] } else { own.collect() }
        };
        self.act(Action::Object { names, objects }).map(|_| ())
    }

    pub(super) fn exported(&self, who: &Identifier) -> Reply<String> {
        let about = self.about(who)?;
        let mut events = self.events_of(who, None, usize::MAX)?;
        // What no answer rests on is theirs as well.
        let handles = {
            let world = self.hub.world();
            let (_, head) = find(&world, who)?;
            world.identities.handles_of(head).to_vec()
        };
        let several = handles.len() > 1;
        for (handle, e) in self.hub.left_out_of(&handles).map_err(storage)? {
            let handle = Some(handle).filter(|_| several);
            events.push(TimelineEvent { ts: e.ts, seq: e.seq, name: e.name, properties: e.props, handle });
        }
        events.sort_by_key(|e| std::cmp::Reverse((e.ts, e.seq)));
        let world = self.hub.world();
        let (_, head) = find(&world, who)?;
        let own: Vec<String> = world.identifiers(head).into_iter().map(|(_, v)| v).collect();
        let names_them = |content: &str| own.iter().any(|id| gyul_engine::live::mentions(content, id));
        let kept = world.quarantine.iter().filter(|(_, (_, r))| names_them(&r.content));
        let quarantine: Vec<serde_json::Value> = kept
            .map(|(n, (at, r))| serde_json::json!({ "number": n, "at": at.to_string(), "content": r.content }))
            .collect();
        drop(world);
        let whole = serde_json::json!({
            "format": "gyul-customer-1", "customer": about, "events": events, "quarantine": quarantine,
            "changes": self.changes_of(&about.id),
        });
        Ok(whole.to_string())
    }

    /// What is still in the stream of changes about one customer.
    fn changes_of(&self, customer: &str) -> Vec<Change> {
        let mut out = vec![];
        let mut from = 0;
        loop {
            let Some(some) = self.hub.changes(from, 10_000) else {
                // The oldest are no longer at hand.
                from = self.hub.changes_first();
                continue;
            };
            let Some(last) = some.last() else { break };
            from = last.offset + 1;
            out.extend(some.into_iter().filter(|t| *t.customer == *customer).map(|t| self.change(t)));
        }
        out
    }

    /// The stream of changes up to now: when each thing changed last.
    pub(super) fn last_changes(&self) -> std::collections::HashMap<Arc<str>, Instant> {
        let mut moved = lock(&self.moved);
        loop {
            let Some(some) = self.hub.changes(moved.next, 10_000) else {
                moved.next = self.hub.changes_first();
                continue;
            };
            let Some(last) = some.last() else { break };
            moved.next = last.offset + 1;
            moved.last.extend(some.into_iter().map(|t| (t.what, t.at)));
        }
        moved.last.clone()
    }
}

/// A customer as a line in a list.
pub(super) fn head_of(world: &World, number: u32, now: Instant) -> CustomerHead {
    let timeline = world.timeline(number);
    let last_seen = timeline.events.iter().map(|e| e.ts).filter(|t| *t != Instant::ALWAYS).max();
    let traits = World::traits(&timeline, now);
    let first = |wanted: &[&str]| wanted.iter().find_map(|n| traits.get(*n).map(Value::to_string));
    CustomerHead {
        id: world.customer_id(number).to_string(),
        name: first(&NAMES),
        contact: first(&["email", "phone"]),
        events: timeline.events.len() as u64,
        last_seen,
    }
}

/// Events with the handles they came under, if there are several.
fn handled(world: &World, number: u32) -> Vec<(Event, Option<String>)> {
    let handles = world.live.handles(&number);
    if handles.len() < 2 {
        return world.timeline(number).events.into_iter().map(|e| (e, None)).collect();
    }
    let own = |h: &u32| {
        let id = world.live.id(*h).to_string();
        world.live.handle_timeline(*h).events.into_iter().map(move |e| (e, Some(id.clone())))
    };
    handles.iter().flat_map(own).collect()
}

fn merges(world: &World, head: u32) -> Vec<Merged> {
    let standing = world.identities.merges_of(head).into_iter().filter(|m| m.undone.is_none());
    standing.map(|m| told(world, &m)).collect()
}

fn told(world: &World, m: &gyul_profile::Merge) -> Merged {
    let reason = match m.why {
        gyul_profile::Why::Hand => "by hand",
        gyul_profile::Why::Seen => "seen together",
        gyul_profile::Why::Alias => "alias",
    };
    Merged {
        decision: m.id.into(),
        customer: world.identities.handle_id(world.identities.head_of(m.a)).to_string(),
        from: world.identities.handle_id(m.b).to_string(),
        reason: reason.into(),
        at: m.at,
    }
}

/// Without making anything: most names do not begin like this.
/// What somebody typed to find a customer.
struct Sought {
    text: String,
    digits: String,
    phone: String,
}

impl Sought {
    fn of(text: &str) -> Sought {
        let text = text.trim().to_lowercase();
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let phone = match digits.strip_prefix('0') {
            Some(rest) => format!("+82{rest}"),
            None => format!("+{digits}"),
        };
        Sought { text, digits, phone }
    }

    /// 0 where a name is the text, 1 where it begins with it.
    fn rank(&self, kind: IdKind, id: &str) -> Option<u8> {
        let value = if kind == IdKind::User { id } else { id.split_once(':').map_or(id, |(_, v)| v) };
        let begins = match kind {
            IdKind::Phone => self.digits.len() >= 2 && value.starts_with(&self.phone),
            _ => starts_with(value, &self.text) || (kind != IdKind::User && starts_with(id, &self.text)),
        };
        begins.then(|| u8::from(value.len() != self.text.len()))
    }
}

fn starts_with(name: &str, wanted: &str) -> bool {
    let mut own = name.chars().flat_map(char::to_lowercase);
    wanted.chars().all(|c| own.next() == Some(c))
}

pub(super) fn class_of(library: &Library, named: Named) -> Option<(&str, &str)> {
    let Named::Class(p, k) = named else { return None };
    let partition = library.partitions.get(p)?;
    Some((&partition.id, partition.classes.get(k).map_or(&partition.otherwise.id, |c| &c.id)))
}

pub(super) fn name_of(library: &Library, named: Named) -> String {
    match (named, class_of(library, named)) {
        (_, Some((partition, class))) => format!("{partition}/{class}"),
        (Named::Segment(i), _) => library.segments[i].id.clone(),
        (Named::Measure(i), _) => library.measures[i].id.clone(),
        _ => String::new(),
    }
}

fn flatten(
    c: &Condition,
    depth: u32,
    zone: &Zone,
    show: &dyn Fn(&Condition) -> Option<String>,
    out: &mut Vec<ConditionHolds>,
) {
    let event = |e: &gyul_segment::explain::Evidence| EvidenceOf {
        ts: e.ts,
        name: e.name.clone(),
        properties: e.props.iter().map(|(n, v)| (n.clone(), v.to_string())).collect(),
    };
    out.push(ConditionHolds {
        depth,
        text: c.source.clone(),
        holds: c.verdict,
        found: show(c),
        says_ko: in_words(c, zone, Lang::Ko),
        says_en: in_words(c, zone, Lang::En),
        events: c.events.iter().rev().map(event).collect(),
        more: c.events_total.saturating_sub(c.events.len()) as u64,
    });
    c.parts.iter().for_each(|p| flatten(p, depth + 1, zone, show, out));
}

/// What was bought up to now.
fn worth(timeline: &Timeline, now: Instant) -> Purchases {
    let of = |name: &'static str| timeline.events.iter().filter(move |e| e.name == name && e.ts <= now);
    // Amounts have at most a few decimals, and are many only for machines: floats are exact enough to be shown.
    let sum = |name| {
        let amounts = of(name).filter_map(|e| match e.prop("total") {
            Some(Value::Num(n)) => Some(n.to_f64()),
            _ => None,
        });
        amounts.fold(None, |sum: Option<f64>, x| Some(sum.unwrap_or(0.0) + x))
    };
    Purchases {
        orders: of(names::ORDER).count() as u64,
        refunds: of(names::REFUND).count() as u64,
        revenue: sum(names::ORDER).map(|paid| paid - sum(names::REFUND).unwrap_or(0.0)),
        last_order: of(names::ORDER).map(|e| e.ts).max(),
    }
}

/// Since when each trait has had its value.
fn traits_since(timeline: &Timeline, now: Instant) -> Vec<TraitSince> {
    let mut out: BTreeMap<&str, (&Value, Instant)> = BTreeMap::new();
    for e in timeline.events.iter().filter(|e| e.name == names::IDENTIFY && e.ts <= now) {
        for (name, value) in &e.props {
            if out.get(name.as_str()).is_none_or(|(old, _)| *old != value) {
                out.insert(name, (value, e.ts));
            }
        }
    }
    let since = |(name, (_, t)): (&str, (&Value, Instant))| TraitSince {
        name: name.to_string(),
        since: Some(t).filter(|t| *t != Instant::ALWAYS),
    };
    out.into_iter().map(since).collect()
}

/// A message's own words, for the quarantine.
pub(super) fn content_of(m: &Message) -> String {
    let mut events = as_own_event(m);
    if events.is_empty() {
        // Names of one person, and nothing happened.
        let mut who = names_of(m);
        if let Some(former) = &m.previous {
            // Our own events know no former names: a browser's id is the nearest.
            let kind = if former.kind == IdKind::User { IdKind::Anonymous } else { former.kind };
            who.entry(kind.name()).or_insert(former.value.clone().into());
        }
        events.push(serde_json::json!({ "who": who, "ts": m.ts.to_string(), "id": m.id }));
    }
    let one = if events.len() == 1 { events.pop() } else { None };
    one.unwrap_or(serde_json::Value::Array(events)).to_string()
}
