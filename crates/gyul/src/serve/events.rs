//! Events in, the tracking plan, the quarantine, and what is seen of events.

use super::customers::content_of;
use super::names::too_many;
use super::{Live, invalid, lock, refused};
use gyul_engine::live::{Acked, Action, Incoming as Batch, Outcome, Rejected as Kept, SOURCES};
use gyul_ingest::http::{self, RejectCode, Sent};
use gyul_ingest::plan::Plan;
use gyul_model::{ColumnData, ColumnKind, Instant, Lang, MICROS_DAY, Message, names};
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
const REFUSED_SHOWN: usize = 100;

impl Live {
    pub(super) fn take(&self, batch: Incoming) -> Later<Ack> {
        let (tell, told) = oneshot::channel();
        let (batch, refused_here) = self.checked(batch);
        self.hub.ingest(
            batch,
            Box::new(move |r| {
                // Whoever asked may have gone; the batch stays.
                let _ = tell.send(r);
            }),
        );
        Box::pin(async move {
            match told.await {
                Ok(r) => r.map(|a| Ack { refused: refused_here, ..acked(a) }).map_err(refused),
                Err(_) => Err(Refusal::Stopping),
            }
        })
    }

    /// Without what is nobody's, breaks the tracking plan or has a name too many, and why.
    fn checked(&self, batch: Incoming) -> (Batch, Vec<gyul_web::data::Refused>) {
        let keep = |r: Rejected| Kept {
            via: batch.via.clone(),
            code: r.code.to_string(),
            place: r.place,
            ko: r.ko,
            en: r.en,
            content: r.content,
            form: batch.sent.form.clone(),
            around: batch.sent.around.clone(),
        };
        let mut not_taken: Vec<(usize, Message, Kept)> = vec![];
        let mut rejected: Vec<Kept> = batch.rejects.into_iter().map(keep).collect();
        let plan = self.plan.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut messages = Vec::with_capacity(batch.messages.len());
        for (n, m) in batch.messages.into_iter().enumerate() {
            match self.why_not(&m, plan.as_deref()) {
                None => messages.push((n, m)),
                Some(why) => not_taken.push((n, m, why)),
            }
        }
        let (messages, beyond) = self.bounded(messages);
        not_taken.extend(beyond.into_iter().map(|(n, m)| (n, m, too_many())));
        not_taken.sort_by_key(|(n, ..)| *n);
        let mut refused = vec![];
        for (n, m, why) in not_taken {
            if refused.len() < REFUSED_SHOWN {
                let Kept { code, place, ko, en, .. } = why.clone();
                refused.push(gyul_web::data::Refused { message: n, code, place, ko, en });
            }
            let Sent { form, around } = Sent::message(m.source);
            rejected.push(Kept { via: batch.via.clone(), content: content_of(&m), form, around, ..why });
        }
        (Batch { messages, rejected }, refused)
    }

    /// Why a message that was understood is not taken.
    fn why_not(&self, m: &Message, plan: Option<&Plan>) -> Option<Kept> {
        let blocked = self.blocked.read().unwrap_or_else(PoisonError::into_inner);
        if m.who.iter().all(|id| blocked.has(id.kind, &id.value)) {
            return Some(Kept {
                code: "no_owner".into(),
                place: "who".into(),
                ko: "누구의 것인지 알 수 없습니다: 보낸 id가 모두 아무도 뜻하지 않는 값입니다(null, undefined, test …). 실제 고객 id를 보내세요.".into(),
                en: "it is nobody's: every id it carries is a value that names nobody (null, undefined, test …). Send the customer's own id.".into(),
                ..Kept::default()
            });
        }
        let v = plan?.check(m)?;
        Some(Kept {
            code: v.code().to_string(),
            place: v.place(),
            ko: v.message(Lang::Ko),
            en: v.message(Lang::En),
            ..Kept::default()
        })
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

    /// Leaves a message out for good.
    pub(super) fn dismissed(&self, number: u64) -> Reply<()> {
        let _one = lock(&self.deciding);
        if !self.hub.world().quarantine.contains_key(&number) {
            return Err(Refusal::NotFound);
        }
        self.act(Action::Released(vec![number])).map(|_| ())
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
                // What stands for unreadable bytes is no text: somebody has to mend it.
                let unread =
                    kept.code == RejectCode::BadText.as_str() && kept.content.contains(char::REPLACEMENT_CHARACTER);
                let sent = Sent { form: kept.form, around: kept.around };
                let Some(parsed) = http::again(&sent, &kept.content, at, &SOURCES).ok().filter(|_| !unread) else {
                    out.still_rejected += 1;
                    continue;
                };
                let again = Incoming { messages: parsed.messages, via: kept.via, ..Incoming::default() };
                let (checked, _) = self.checked(again);
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
            let streams = || data.buckets.iter().enumerate().map(|(b, of)| (&of.streams[s], timelines.rows(b, s)));
            let known =
                |c: usize| streams().filter_map(|(s, rows)| Some(known_in(s.columns.get(c)?, rows))).sum::<u64>();
            let property = |(c, column): (usize, &gyul_model::ColumnInfo)| PropertySchema {
                name: column.name.clone(),
                types: vec![type_of(&column.kind).into()],
                count: known(c),
                examples: if info.name == names::IDENTIFY { vec![] } else { examples(&column.name, &column.kind) },
            };
            out.push(EventSchema {
                name: info.name.clone(),
                count: volume.count,
                last_day: streams().map(|(s, rows)| rows.filter(|i| s.ts[*i] >= day).count() as u64).sum(),
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
    let offset = a.next.saturating_sub(1);
    Ack { accepted: a.accepted, duplicates: a.duplicates, rejected: a.rejected, offset, refused: vec![] }
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

fn type_of(kind: &ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Bool => "bool",
        ColumnKind::Num { .. } => "number",
        ColumnKind::Instant => "instant",
        ColumnKind::Text(_) => "text",
        ColumnKind::List(_) => "list",
    }
}

/// In how many of these rows a column is known.
fn known_in(data: &ColumnData, rows: impl Iterator<Item = usize> + Clone) -> u64 {
    let count = |known: &dyn Fn(usize) -> bool| rows.clone().filter(|i| known(*i)).count() as u64;
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
