//! Events in, the tracking plan, the quarantine, and what is seen of events.

use super::customers::content_of;
use super::{Live, invalid, lock, refused};
use gyul_engine::live::{Acked, Action, Incoming as Batch, Outcome, Rejected as Kept};
use gyul_ingest::http::{self, Call, Limits, Parsed};
use gyul_ingest::plan::Plan;
use gyul_model::{ColumnData, ColumnKind, Instant, Lang, MICROS_DAY, names};
use gyul_web::data::*;
use gyul_web::{Incoming, Later, Refusal, Reply};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Texts of a property that are few enough to be categories, not people's words.
const CATEGORIES_MAX: usize = 50;
const EXAMPLES: usize = 5;
/// The numbers of the schema page are counted anew after this.
const SCHEMA_AGE: Duration = Duration::from_secs(10);
/// Messages that are tried again at once.
const REPLAY_GROUP: usize = 1000;

impl Live {
    pub(super) fn take(&self, batch: Incoming) -> Later<Ack> {
        let (tell, told) = oneshot::channel();
        self.hub.ingest(
            self.checked(batch),
            Box::new(move |r| {
                // Whoever asked may have gone; the batch stays.
                let _ = tell.send(r);
            }),
        );
        Box::pin(async move {
            match told.await {
                Ok(r) => r.map(acked).map_err(refused),
                Err(_) => Err(Refusal::Stopping),
            }
        })
    }

    /// With what the tracking plan says.
    fn checked(&self, batch: Incoming) -> Batch {
        let keep = |r: Rejected| Kept {
            via: batch.via.clone(),
            code: r.code.to_string(),
            place: r.place,
            ko: r.ko,
            en: r.en,
            content: r.content,
        };
        let mut rejected: Vec<Kept> = batch.rejects.into_iter().map(keep).collect();
        let plan = self.plan.read().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(plan) = plan else {
            return self.bounded(Batch { messages: batch.messages, rejected }, &batch.via);
        };
        let mut messages = Vec::with_capacity(batch.messages.len());
        for m in batch.messages {
            match plan.check(&m) {
                None => messages.push(m),
                Some(v) => rejected.push(Kept {
                    via: batch.via.clone(),
                    code: v.code().to_string(),
                    place: v.place(),
                    ko: v.message(Lang::Ko),
                    en: v.message(Lang::En),
                    content: content_of(&m),
                }),
            }
        }
        self.bounded(Batch { messages, rejected }, &batch.via)
    }

    pub(super) fn declare(&self, yaml: &str) -> Reply<()> {
        let plan = Some(Plan::from_yaml(yaml).map_err(plan_problems)?).filter(|p| !p.is_empty()).map(Arc::new);
        let _one = lock(&self.deciding);
        self.act(Action::Plan(plan.is_some().then(|| yaml.to_string())))?;
        *self.plan.write().unwrap_or_else(PoisonError::into_inner) = plan;
        Ok(())
    }

    pub(super) fn quarantined(&self, before: Option<u64>, limit: usize) -> Vec<Quarantined> {
        let world = self.hub.world();
        let older = world.quarantine.range(..before.unwrap_or(u64::MAX)).rev().take(limit);
        let show = |(number, (at, r)): (&u64, &(Instant, Kept))| Quarantined {
            number: *number,
            at: *at,
            via: r.via.clone(),
            code: r.code.clone(),
            place: r.place.clone(),
            ko: r.ko.clone(),
            en: r.en.clone(),
            content: r.content.clone(),
        };
        older.map(show).collect()
    }

    pub(super) fn mended(&self, number: u64, content: &str) -> Reply<()> {
        if !self.hub.world().quarantine.contains_key(&number) {
            return Err(Refusal::NotFound);
        }
        match self.act(Action::Mend { number, content: content.to_string() })?.0 {
            Outcome::Refused(_) => Err(Refusal::NotFound),
            _ => Ok(()),
        }
    }

    pub(super) fn replayed(&self, numbers: Option<&[u64]>) -> Reply<Replayed> {
        // One at a time: two replays of the same message would both find it.
        let _one = lock(&self.deciding);
        let mut waiting: Vec<(u64, Instant, Kept)> = {
            let world = self.hub.world();
            let all = world.quarantine.iter().map(|(n, (at, r))| (*n, *at, r.clone()));
            match numbers {
                None => all.collect(),
                Some(wanted) => {
                    let wanted: std::collections::BTreeSet<u64> = wanted.iter().copied().collect();
                    all.filter(|(n, ..)| wanted.contains(n)).collect()
                }
            }
        };
        let mut out = Replayed::default();
        while !waiting.is_empty() {
            let rest = waiting.split_off(waiting.len().min(REPLAY_GROUP));
            let group = std::mem::replace(&mut waiting, rest);
            let mut batch = Batch::default();
            let mut released = vec![];
            for (number, at, kept) in group {
                let Some(parsed) = read_again(&kept.content, at) else {
                    out.still_rejected += 1;
                    continue;
                };
                let again = Incoming { messages: parsed.messages, via: kept.via, ..Incoming::default() };
                let checked = self.checked(again);
                if !parsed.rejects.is_empty() || !checked.rejected.is_empty() || checked.messages.is_empty() {
                    out.still_rejected += 1;
                    continue;
                }
                batch.messages.extend(checked.messages);
                released.push(number);
            }
            if released.is_empty() {
                continue;
            }
            // First taken, then released: a crash in between tries them again, and they are known by their ids.
            let acked = self.hub.ingest_now(batch).map_err(refused)?;
            (out.accepted, out.duplicates) = (out.accepted + acked.accepted, out.duplicates + acked.duplicates);
            self.act(Action::Released(released))?;
        }
        Ok(out)
    }

    pub(super) fn event_schema(&self) -> Vec<EventSchema> {
        let mut cached = lock(&self.schema);
        if let Some((made, schema)) = &*cached
            && made.elapsed() < SCHEMA_AGE
        {
            return schema.clone();
        }
        let (volumes, timelines) = {
            let world = self.hub.world();
            (world.volumes.clone(), world.live.freeze())
        };
        let day = self.hub.now().0 - MICROS_DAY;
        let data = timelines.data();
        let mut out: Vec<EventSchema> = vec![];
        for (s, info) in data.streams.iter().enumerate() {
            let volume = volumes.get(&info.name).copied().unwrap_or_default();
            let streams = || data.buckets.iter().map(|b| &b.streams[s]);
            let known = |c: usize| streams().filter_map(|s| Some(known_in(s.columns.get(c)?, s.ts.len()))).sum::<u64>();
            let property = |(c, column): (usize, &gyul_model::ColumnInfo)| PropertySchema {
                name: column.name.clone(),
                types: vec![type_of(&column.kind).into()],
                count: known(c),
                examples: if info.name == names::IDENTIFY { vec![] } else { examples(&column.name, &column.kind) },
            };
            out.push(EventSchema {
                name: info.name.clone(),
                count: volume.count,
                last_day: streams().map(|s| s.ts.iter().filter(|t| **t >= day).count() as u64).sum(),
                first_seen: volume.first,
                last_seen: volume.last,
                properties: info.columns.iter().enumerate().map(property).collect(),
            });
        }
        out.retain(|e| e.count > 0);
        out.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
        *cached = Some((std::time::Instant::now(), out.clone()));
        out
    }
}

fn acked(a: Acked) -> Ack {
    Ack { accepted: a.accepted, duplicates: a.duplicates, rejected: a.rejected, offset: a.next.saturating_sub(1) }
}

fn plan_problems(problems: Vec<gyul_ingest::plan::PlanProblem>) -> Refusal {
    let show = |p: gyul_ingest::plan::PlanProblem| Problem {
        code: "bad_plan".into(),
        line: p.line.map(|l| l as u32),
        ko: p.ko,
        en: p.en,
        ..Problem::default()
    };
    match problems.is_empty() {
        true => invalid("bad_plan", "계획을 읽을 수 없습니다.", "the plan cannot be read."),
        false => Refusal::Invalid(problems.into_iter().map(show).collect()),
    }
}

/// Reads a message again as it came in: as one of Segment's calls, or in our own form.
fn read_again(content: &str, received: Instant) -> Option<Parsed> {
    let limits = Limits::webhook();
    let value: serde_json::Value = serde_json::from_str(content).ok()?;
    let segment = |o: &serde_json::Map<String, serde_json::Value>| {
        let call = o.get("type").and_then(|t| t.as_str()).and_then(Call::parse);
        call.is_some() || o.contains_key("event") || o.contains_key("traits") || o.contains_key("userId")
    };
    match value.as_object() {
        Some(o) if segment(o) => {
            let call = match o.get("type").and_then(|t| t.as_str()).and_then(Call::parse) {
                Some(call) => call,
                None if o.contains_key("event") => Call::parse("track")?,
                None => Call::parse("identify")?,
            };
            http::segment(call, content.as_bytes(), received, &limits).ok()
        }
        _ => http::events(content.as_bytes(), received, &limits).ok(),
    }
}

fn type_of(kind: &ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Bool => "bool",
        ColumnKind::Num { .. } => "number",
        ColumnKind::Instant => "instant",
        ColumnKind::Text(_) => "text",
        ColumnKind::List(_) => "list",
    }
}

/// In how many of so many rows a column is known.
fn known_in(data: &ColumnData, rows: usize) -> u64 {
    let count = |known: &dyn Fn(usize) -> bool| (0..rows).filter(|i| known(*i)).count() as u64;
    match data {
        ColumnData::Bool(v) => count(&|i| v[i] < 2),
        ColumnData::Num(v) => count(&|i| v.get(i) != i64::MIN),
        ColumnData::Instant(v) => count(&|i| v[i] != i64::MIN),
        ColumnData::Codes(v) => count(&|i| v.get(i) != 0),
    }
}

/// Words that a property has, if they are categories; names of people and what they wrote are not shown.
fn examples(name: &str, kind: &ColumnKind) -> Vec<String> {
    const PERSONAL: [&str; 12] =
        ["name", "email", "phone", "address", "ip", "comment", "text", "query", "message", "memo", "review", "title"];
    let lower = name.to_lowercase();
    let ColumnKind::Text(dict) = kind else { return vec![] };
    if dict.len() > CATEGORIES_MAX || PERSONAL.iter().any(|p| lower.contains(p)) {
        return vec![];
    }
    (0..dict.len()).filter_map(|i| dict.get(i)).take(EXAMPLES).map(str::to_string).collect()
}
