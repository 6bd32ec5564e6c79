//! A backend in memory, for the tests of this crate: just enough to answer.

mod explore;

use crate::backend::{Backend, Incoming, Later, Refusal, Reply};
use crate::data::*;
use gyul_model::{Identifier, Instant, Message};
use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

pub struct Fake {
    pub state: Mutex<State>,
    pub end: watch::Sender<u64>,
}

#[derive(Default)]
pub struct State {
    pub messages: Vec<Message>,
    seen: HashSet<String>,
    pub rejects: Vec<Rejected>,
    pub definitions: BTreeMap<(DefKind, String), Vec<String>>,
    pub changes: Vec<Change>,
    pub access: Vec<Vec<u8>>,
    pub audit: Vec<Vec<u8>>,
    pub settings: Settings,
    pub rules: IdentityRules,
    pub plan: Option<String>,
    pub imports: Vec<(Import, PathBuf)>,
    pub drafts: Vec<(String, PathBuf)>,
    pub erased: Vec<Identifier>,
    pub merges: u64,
    /// What every call is answered with, if anything.
    pub refusal: Option<Refusal>,
    pub stopped: bool,
    pub damaged: u64,
    pub failing: Vec<&'static str>,
    pub objecting: HashSet<String>,
    /// Whoever is told of goes by an address, and says so everywhere.
    pub personal: bool,
}

/// What somebody may call themselves.
pub const HOSTILE: &str = "<script>alert(1)</script>\u{202e}\"'&";

/// What nobody who sees people veiled may read: a name, an address, a number.
pub const SECRETS: [&str; 3] = ["김철수", "kim@example.kr", "010-1234-5678"];

pub const T: Instant = Instant(1_767_225_600_000_000);

impl Default for Fake {
    fn default() -> Fake {
        Fake { state: Mutex::default(), end: watch::channel(0).0 }
    }
}

impl Fake {
    pub fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap())
    }

    fn ask<T>(&self, f: impl FnOnce(&mut State) -> Reply<T>) -> Reply<T> {
        self.with(|s| match &s.refusal {
            Some(refusal) => Err(refusal.clone()),
            None => f(s),
        })
    }

    /// A segment that there is.
    pub fn define(&self, segment: &str) {
        let id = (DefKind::Segment, segment.to_string());
        self.with(|s| {
            s.definitions.entry(id).or_insert_with(|| vec!["x".into()]);
        });
    }

    pub fn change(&self, customer: &str, segment: &str, moved: Moved) {
        self.define(segment);
        let end = self.with(|s| {
            s.changes.push(Change {
                offset: s.changes.len() as u64,
                at: T,
                customer: customer.into(),
                what: MembersOf { kind: DefKind::Segment, id: segment.into(), class: None },
                moved,
                cause: "event".into(),
            });
            s.changes.len() as u64
        });
        self.end.send_replace(end);
    }
}

fn state_of(kind: DefKind, id: &str, version: usize) -> DefState {
    DefState {
        kind,
        id: id.into(),
        name_ko: None,
        name_en: None,
        description_ko: None,
        description_en: None,
        goal_ko: Some("더 자주 사게 합니다".into()),
        goal_en: None,
        treatment_ko: None,
        treatment_en: None,
        says_ko: (kind == DefKind::Segment).then(|| "주문 수 4건 이상".into()),
        says_en: (kind == DefKind::Segment).then(|| "orders: at least 4".into()),
        needs_ko: (id == "blind").then(|| "쿠폰".into()),
        needs_en: (id == "blind").then(|| "coupons".into()),
        owner: Some("kim".into()),
        tags: vec!["keep".into()],
        version: version as u32,
        state: ComputeState::Live,
        reason: None,
        size: Some(3),
        left_out: 0,
        classes: match kind {
            DefKind::Partition => {
                ["new", "other"].map(|c| ClassSize { class: c.into(), size: 1, ..ClassSize::default() }).to_vec()
            }
            _ => vec![],
        },
        lag_ms: Some(0),
        last_change: Some(Instant::ALWAYS),
    }
}

fn problem(code: &str) -> Problem {
    Problem {
        code: code.into(),
        line: Some(1),
        column: Some(7),
        ko: "알 수 없는 이름입니다".into(),
        en: "an unknown name".into(),
        hint_ko: Some("가까운 이름: order".into()),
        hint_en: Some("the nearest is order".into()),
        ..Problem::default()
    }
}

fn known(who: &Identifier) -> Reply<String> {
    if who.value.starts_with("nobody") { Err(Refusal::NotFound) } else { Ok(who.handle()) }
}

impl Backend for Fake {
    fn ingest(&self, batch: Incoming) -> Later<Ack> {
        let done = self.ask(|s| {
            let mut ack = Ack { rejected: batch.rejects.len() as u64, ..Ack::default() };
            s.rejects.extend(batch.rejects);
            for m in batch.messages {
                if s.seen.insert(m.id.clone()) {
                    s.messages.push(m);
                    ack.accepted += 1;
                } else {
                    ack.duplicates += 1;
                }
            }
            ack.offset = s.messages.len() as u64;
            Ok(ack)
        });
        Box::pin(async { done })
    }

    fn events(&self) -> Reply<Vec<EventSchema>> {
        self.ask(|s| {
            let property = |name: &str| PropertySchema {
                name: name.into(),
                types: vec!["text".into()],
                count: 1,
                examples: vec!["card".into(), SECRETS[1].into(), SECRETS[2].into()],
            };
            let properties = if s.personal { vec![property("method"), property("note")] } else { vec![] };
            Ok(vec![EventSchema { name: "Order Completed".into(), count: 1, properties, ..EventSchema::default() }])
        })
    }

    fn plan(&self) -> Reply<Option<String>> {
        self.ask(|s| Ok(s.plan.clone()))
    }

    fn put_plan(&self, yaml: &str) -> Reply<()> {
        self.ask(|s| {
            s.plan = Some(yaml.into());
            Ok(())
        })
    }

    fn quarantine(&self, before: Option<u64>, limit: usize) -> Reply<Vec<Quarantined>> {
        self.ask(|s| {
            let all = s.rejects.iter().enumerate().rev().map(|(i, r)| Quarantined {
                number: i as u64,
                at: T,
                via: "key:test".into(),
                code: r.code.into(),
                place: r.place.clone(),
                ko: r.ko.clone(),
                en: r.en.clone(),
                content: r.content.clone(),
            });
            Ok(all.filter(|q| before.is_none_or(|b| q.number < b)).take(limit).collect())
        })
    }

    fn mend(&self, number: u64, content: &str) -> Reply<()> {
        self.ask(|s| {
            let found = s.rejects.get_mut(number as usize).ok_or(Refusal::NotFound)?;
            found.content = content.into();
            Ok(())
        })
    }

    fn dismiss(&self, number: u64) -> Reply<()> {
        self.ask(|s| {
            let found = s.rejects.get(number as usize).map(|_| ()).ok_or(Refusal::NotFound);
            found.map(|()| drop(s.rejects.remove(number as usize)))
        })
    }

    fn replay(&self, numbers: Option<&[u64]>) -> Reply<Replayed> {
        self.ask(|s| {
            let n = numbers.map_or(s.rejects.len(), <[u64]>::len) as u64;
            Ok(Replayed { accepted: n, ..Replayed::default() })
        })
    }

    fn customer(&self, who: &Identifier) -> Reply<Customer> {
        self.ask(|s| {
            Ok(Customer {
                id: known(who)?,
                events: 1,
                first_seen: Some(T),
                last_seen: Some(T),
                identifiers: vec![IdentifierOf { kind: who.kind.name().into(), value: who.value.clone() }],
                traits: vec![
                    ("age".into(), 31.into()),
                    ("consent.email".into(), gyul_model::Value::Bool(true)),
                    ("email".into(), gyul_model::Value::Text("kim@example.kr".into())),
                    (
                        "name".into(),
                        gyul_model::Value::Text(if who.value == "hostile" { HOSTILE } else { "김철수" }.into()),
                    ),
                    ("phone".into(), gyul_model::Value::Text("+821012345678".into())),
                ],
                segments: vec![Membership { segment: "vip".into(), since: Some(T), until: None, ranked: true }],
                classes: vec![],
                merges: vec![Merged {
                    decision: 7,
                    customer: known(who)?,
                    from: "anonymous:a1".into(),
                    reason: "seen together".into(),
                    at: T,
                }],
                worth: Purchases { orders: 2, refunds: 0, revenue: Some(50_000.0), last_order: Some(T) },
                traits_since: vec![],
                objects_since: s.objecting.contains(&who.handle()).then_some(T),
            })
        })
    }

    fn search(&self, text: &str, after: Option<FoundAt>, limit: usize) -> Reply<FoundCustomers> {
        // As many as are asked for, and once more so many.
        let head = |i: usize| CustomerHead {
            id: if i == 0 { text.into() } else { format!("{text}{i}") },
            name: Some("김철수".into()),
            contact: Some("kim@example.kr".into()),
            events: 3,
            last_seen: Some(T),
        };
        let many = if text == "many" { limit } else { 1 };
        let start = if after.is_some() { many } else { 0 };
        let next = (text == "many" && after.is_none()).then(|| FoundAt { rank: 1, id: format!("{text}{}", many - 1) });
        self.ask(|_| Ok(FoundCustomers { heads: (start..start + many).map(head).collect(), next }))
    }

    fn heads(&self, ids: &[String]) -> Reply<Vec<CustomerHead>> {
        let there = ids.iter().filter(|id| *id != "nobody");
        let head =
            |id: &String| CustomerHead { id: id.clone(), name: Some("김철수".into()), ..CustomerHead::default() };
        self.ask(|_| Ok(there.map(head).collect()))
    }

    fn recent(&self, limit: usize) -> Reply<Vec<CustomerHead>> {
        let head = |i| CustomerHead {
            id: format!("C{i}"),
            name: Some("이영희".into()),
            last_seen: Some(T),
            ..CustomerHead::default()
        };
        self.ask(|_| Ok((0..3).take(limit).map(head).collect()))
    }

    fn timeline(&self, who: &Identifier, before: Option<(Instant, u64)>, limit: usize) -> Reply<Vec<TimelineEvent>> {
        self.ask(|s| {
            known(who)?;
            let said = |name: &str, text: String| (name.to_string(), gyul_model::Value::Text(text));
            let told = [
                said("name", SECRETS[0].into()),
                said("note", format!("{} {}", SECRETS[0], SECRETS[2])),
                said("plan", format!("{},{}", SECRETS[1], SECRETS[2])),
            ];
            let personal = s.personal;
            let event = |seq: u64| TimelineEvent {
                ts: T,
                seq,
                name: if personal { "Form Submitted" } else { "Page Viewed" }.into(),
                properties: if personal { told.to_vec() } else { vec![] },
                handle: personal.then(|| format!("email:{}", SECRETS[1])),
            };
            Ok((0..5).rev().map(event).filter(|e| before.is_none_or(|b| (e.ts, e.seq) < b)).take(limit).collect())
        })
    }

    fn decision(&self, who: &Identifier) -> Reply<Decision> {
        self.ask(|s| {
            let traits =
                if s.personal { vec![("email".into(), gyul_model::Value::Text(SECRETS[1].into()))] } else { vec![] };
            Ok(Decision { customer: known(who)?, segments: vec!["vip".into()], traits, ..Decision::default() })
        })
    }

    fn why(&self, who: &Identifier, _: DefKind, _: &str) -> Reply<Why> {
        self.ask(|s| {
            known(who)?;
            let said = Some(SECRETS[1].to_string()).filter(|_| s.personal);
            let condition = ConditionHolds {
                text: "count(order) > 0".into(),
                says_en: said.clone().unwrap_or_default(),
                found: said,
                ..ConditionHolds::default()
            };
            Ok(Why { conditions: vec![condition], ..Why::default() })
        })
    }

    fn merge(&self, into: &Identifier, from: &Identifier) -> Reply<Merged> {
        self.ask(|s| {
            if into == from {
                return Err(Refusal::Conflict(Box::new(problem("same"))));
            }
            s.merges += 1;
            let (customer, from) = (known(into)?, known(from)?);
            Ok(Merged { decision: s.merges, customer, from, reason: "by hand".into(), at: T })
        })
    }

    fn unmerge(&self, decision: u64) -> Reply<()> {
        self.ask(|_| if decision == 404 { Err(Refusal::NotFound) } else { Ok(()) })
    }

    fn backup(&self) -> Reply<Backup> {
        Ok(Backup { folder: "backups/1".into(), next: 1 })
    }

    fn erase(&self, who: &Identifier) -> Reply<ErasureReport> {
        self.ask(|s| {
            known(who)?;
            s.erased.push(who.clone());
            Ok(ErasureReport { removed: [("log".to_string(), 1)].into(), ..ErasureReport::default() })
        })
    }

    fn object(&self, who: &Identifier, objects: bool) -> Reply<()> {
        self.ask(|s| {
            let name = known(who)?;
            if objects {
                s.objecting.insert(name)
            } else {
                s.objecting.remove(&name)
            };
            Ok(())
        })
    }

    fn export(&self, who: &Identifier) -> Reply<String> {
        self.ask(|_| known(who).map(|id| serde_json::json!({ "id": id }).to_string()))
    }

    fn definitions(&self, kind: DefKind) -> Reply<Vec<DefState>> {
        self.ask(|s| {
            let of_kind = s.definitions.iter().filter(|((k, _), _)| *k == kind);
            Ok(of_kind.map(|((k, id), v)| state_of(*k, id, v.len())).collect())
        })
    }

    fn definition(&self, kind: DefKind, id: &str) -> Reply<Definition> {
        self.ask(|s| {
            let versions = s.definitions.get(&(kind, id.to_string())).ok_or(Refusal::NotFound)?;
            let yaml = versions.last().cloned().unwrap_or_default();
            Ok(Definition { state: state_of(kind, id, versions.len()), yaml, warnings: vec![] })
        })
    }

    fn put_definition(&self, kind: DefKind, id: &str, yaml: &str, if_version: Option<u32>) -> Reply<DefState> {
        self.ask(|s| {
            if yaml.contains("oops") {
                return Err(Refusal::Invalid(vec![problem("unknown_name")]));
            }
            let versions = s.definitions.entry((kind, id.to_string())).or_default();
            if if_version.is_some_and(|v| v as usize != versions.len()) {
                return Err(Refusal::Conflict(Box::new(problem("version"))));
            }
            versions.push(yaml.into());
            Ok(state_of(kind, id, versions.len()))
        })
    }

    fn delete_definition(&self, kind: DefKind, id: &str) -> Reply<()> {
        self.ask(|s| s.definitions.remove(&(kind, id.to_string())).map(|_| ()).ok_or(Refusal::NotFound))
    }

    fn preview(&self, _: DefKind, yaml: &str) -> Reply<Preview> {
        self.ask(|_| {
            if yaml.contains("oops") {
                return Err(Refusal::Invalid(vec![problem("unknown_name")]));
            }
            Ok(Preview { size: 1, population: 2, exact: true, ..Preview::default() })
        })
    }

    fn form(&self, ask: &FormAsk) -> Reply<FormShown> {
        let text = ask.text.clone().unwrap_or_default();
        let problems = if text.contains("oops") {
            vec![TextProblem { problem: problem("unknown_name"), start: Some(3) }]
        } else {
            vec![]
        };
        let about = ask.about.clone().unwrap_or_default();
        self.ask(|_| Ok(FormShown { yaml: ask.yaml.clone(), about, text, problems, ..FormShown::default() }))
    }

    fn effects(&self, ask: &EffectsAsk) -> Reply<EffectsShown> {
        let name = || Some("이영희".to_string());
        let head = |i| CustomerHead { id: format!("C{i}"), name: name(), events: 1, ..CustomerHead::default() };
        self.ask(|_| {
            Ok(EffectsShown {
                at: T,
                population: 2,
                size: Some(1),
                saved: None,
                compared: ask.compare.as_ref().map(|_| Beside { size: 2, both: 1 }),
                parts: vec![PartEffect { key: "0".into(), alone: Some(1), without: Some(2), problems: vec![] }],
                missing: vec![],
                sample: (0..ask.sample).map(head).collect(),
                problems: vec![],
            })
        })
    }

    fn vocabulary(&self) -> Reply<Vocabulary> {
        let event = WordEvent { name: "order".into(), event: "Order Completed".into(), ..WordEvent::default() };
        self.ask(|s| {
            let values = if s.personal { vec![SECRETS[1].into()] } else { vec![] };
            let traits = vec![WordProperty { name: "plan".into(), kind: "text".into(), values }];
            Ok(Vocabulary { events: vec![event], traits, ..Vocabulary::default() })
        })
    }

    fn members(&self, of: &MembersOf, after: Option<&str>, limit: usize) -> Reply<Vec<Member>> {
        self.ask(|s| {
            assert_eq!(of.kind == DefKind::Partition, of.class.is_some());
            let id = |i: i32| if s.personal { format!("email:{i}{}", SECRETS[1]) } else { format!("C{i}") };
            let all = (0..5).map(|i| Member { customer: id(i), since: Some(T), until: None });
            Ok(all.filter(|m| after.is_none_or(|a| *m.customer > *a)).take(limit).collect())
        })
    }

    fn history(&self, _: &MembersOf, range: HistoryRange) -> Reply<Vec<SizeAt>> {
        assert!(range.step_micros > 0 && range.from <= range.until);
        self.ask(|_| {
            Ok([(range.from, 1), (range.until, 2)]
                .map(|(at, size)| SizeAt { at, size, entered: Some(1), left: Some(0) })
                .to_vec())
        })
    }

    fn versions(&self, kind: DefKind, id: &str) -> Reply<Vec<Version>> {
        self.ask(|s| {
            let versions = s.definitions.get(&(kind, id.to_string())).ok_or(Refusal::NotFound)?;
            let of = |(i, yaml): (usize, &String)| Version {
                version: i as u32 + 1,
                at: T,
                yaml: yaml.clone(),
                deleted: false,
            };
            Ok(versions.iter().enumerate().rev().map(of).collect())
        })
    }

    fn growth(&self) -> Reply<Growth> {
        self.ask(|s| {
            let of = s.definitions.keys().filter(|(kind, _)| *kind == DefKind::Segment);
            let of = of.map(|(_, id)| GrowthOf { id: id.clone(), sizes: vec![1, 3], revenue: Some(1000.0) }).collect();
            let point = |size| SizeAt { at: T, size, entered: None, left: None };
            Ok(Growth { at: T, population: vec![point(3), point(4)], revenue: Some(2000.0), of })
        })
    }

    fn partition_draft(&self, ask: &PartitionAsk) -> Reply<PartitionShown> {
        self.ask(|_| {
            let class = |id: &str| ClassForm { id: id.into(), was: id.into(), ..ClassForm::default() };
            let form = PartitionForm {
                id: "steps".into(),
                classes: vec![ClassForm { when: "count(order) >= 1".into(), ..class("new") }],
                otherwise: class("other"),
                ..PartitionForm::default()
            };
            let form = ask.form.clone().unwrap_or(form);
            let wrong = form.classes.iter().position(|c| c.when.contains("oops"));
            let problems = wrong.map(|i| ClassProblem { problem: problem("unknown_name"), class: Some(i as u32) });
            let size = |size| ClassSize { class: "new".into(), size, ..ClassSize::default() };
            let moves = Moves {
                population: 4,
                before: vec![size(1), size(3)],
                after: vec![size(2), size(2)],
                counts: vec![vec![1, 0], vec![1, 2]],
                moved: 1,
            };
            Ok(PartitionShown {
                yaml: ask.yaml.clone(),
                form: Some(form),
                moves: (ask.count && problems.is_none()).then_some(moves),
                problems: problems.into_iter().collect(),
                conditions: vec![ConditionShown {
                    when: "count(order) >= 1".into(),
                    says_ko: Some("주문 1건 이상".into()),
                    says_en: Some("orders: at least 1".into()),
                    blanks: vec![Blank {
                        at: 16,
                        before_ko: "주문 ".into(),
                        after_ko: "건 이상".into(),
                        before_en: "orders: at least ".into(),
                        after_en: String::new(),
                    }],
                }],
            })
        })
    }

    fn overlap(&self, of: &[String]) -> Reply<Vec<Overlap>> {
        let pair = |b: &String| Overlap { a: of[0].clone(), b: b.clone(), both: 1, a_size: 3, b_size: 3 };
        self.ask(|_| Ok(of.iter().skip(1).map(pair).collect()))
    }

    fn movement(&self, _: Instant, _: Instant) -> Reply<Arc<Movement>> {
        let class = |class: &str, size| ClassSize { class: class.into(), size, ..ClassSize::default() };
        let flow = Flow {
            partition: "lifecycle".into(),
            name_ko: None,
            name_en: None,
            classes: vec![class("loyal", 3), class("other", 4)],
            moves: vec![vec![2, 1], vec![1, 2]],
            joined: vec![0, 1],
        };
        let sizes = SizesBetween { id: "vip".into(), before: 2, after: 3, entered: 2, left: 1 };
        let (population_before, population_after) = (6, 7);
        self.ask(|_| {
            Ok(Arc::new(Movement { population_before, population_after, sizes: vec![sizes], flows: vec![flow] }))
        })
    }

    fn revenue(&self) -> Reply<Arc<Revenue>> {
        let of = BTreeMap::from([("rfm/champions".to_string(), 70.0), ("rfm/lost".to_string(), 30.0)]);
        self.ask(|_| Ok(Arc::new(Revenue { of, all: 100.0 })))
    }

    fn changes(&self, from: u64, limit: usize) -> Reply<Vec<Change>> {
        self.ask(|s| Ok(s.changes.iter().filter(|c| c.offset >= from).take(limit).cloned().collect()))
    }

    fn changes_end(&self) -> watch::Receiver<u64> {
        self.end.subscribe()
    }

    fn import(&self, file: PathBuf, name: &str) -> Reply<Import> {
        self.ask(|s| {
            let bytes = std::fs::metadata(&file).map_err(|e| Refusal::Internal(e.to_string()))?.len();
            let import = Import { id: s.imports.len() as u64, name: name.into(), bytes, ..Import::default() };
            s.imports.push((import.clone(), file));
            Ok(import)
        })
    }

    fn imports(&self) -> Reply<Vec<Import>> {
        self.ask(|s| Ok(s.imports.iter().map(|(i, _)| i.clone()).collect()))
    }

    fn draft(&self, file: PathBuf, name: &str) -> Reply<Draft> {
        self.ask(|s| {
            let id = s.drafts.len() as u64 + 1;
            s.drafts.push((name.to_string(), file));
            Ok(Draft { id, name: name.into(), ..Draft::default() })
        })
    }

    fn try_draft(&self, id: u64, meaning: &Meaning) -> Reply<Draft> {
        self.ask(|s| {
            let at = (id as usize).checked_sub(1).ok_or(Refusal::NotFound)?;
            let (name, file) = s.drafts.get(at).ok_or(Refusal::NotFound)?;
            let text = std::fs::read_to_string(file).map_err(|_| Refusal::NotFound)?;
            let mut lines = text.lines().map(|l| l.split(',').map(str::to_string).collect::<Vec<_>>());
            let header = lines.next().unwrap_or_default();
            let chosen = match meaning {
                Meaning::Chosen(c) => Some(c.clone()),
                Meaning::Inferred(_) => None,
                Meaning::Yaml(_) => return Err(Refusal::Invalid(vec![problem("bad_mapping")])),
            };
            let column = |(i, column): (usize, String)| DraftColumn {
                column,
                meaning: chosen.as_ref().and_then(|c| c.columns.get(i).cloned()).unwrap_or_default(),
                ..DraftColumn::default()
            };
            Ok(Draft {
                id,
                name: name.clone(),
                found: "CSV ,".into(),
                kind: chosen.as_ref().map_or("orders".into(), |c| c.kind.clone()),
                mapping: "kind: orders\n".into(),
                columns: header.into_iter().enumerate().map(column).collect(),
                sample: lines.take(3).collect(),
                tried: Some(Tried { rows: 2, events: 1, ..Tried::default() }),
                ..Draft::default()
            })
        })
    }

    fn import_draft(&self, id: u64, _: &str) -> Reply<Import> {
        let found = self.with(|s| s.drafts.get((id as usize).wrapping_sub(1)).cloned());
        let (name, file) = found.ok_or(Refusal::NotFound)?;
        self.import(file, &name)
    }

    fn drop_draft(&self, id: u64) -> Reply<()> {
        self.ask(|s| s.drafts.get((id as usize).wrapping_sub(1)).map(|_| ()).ok_or(Refusal::NotFound))
    }

    fn import_rejects(&self) -> Reply<Vec<ImportRejects>> {
        let row = RejectedRow { line: 3, column: Some("금액".into()), content: HOSTILE.into() };
        let (ko, en) = ("금액을 읽을 수 없습니다".into(), "the amount cannot be read".into());
        let reason = RejectedRows { code: "value_unreadable".into(), ko, en, rows: 2, examples: vec![row] };
        self.ask(|_| Ok(vec![ImportRejects { import: 1, source: "orders.csv".into(), reasons: vec![reason] }]))
    }

    fn rejected_file(&self, import: u64) -> Reply<String> {
        self.ask(|_| if import == 1 { Ok("a,b\n1,x\n".into()) } else { Err(Refusal::NotFound) })
    }

    fn settle_rejects(&self, import: u64) -> Reply<()> {
        self.ask(|_| if import == 1 { Ok(()) } else { Err(Refusal::NotFound) })
    }

    fn enough(&self) -> Reply<Enough> {
        let definitions = vec!["vip".into()];
        let missing = MissingWord { name: "birth_date".into(), is_trait: true, definitions, ..MissingWord::default() };
        self.ask(|_| {
            Ok(Enough { customers: 3, buyers: 2, orders: 5, events: 9, missing: vec![missing], ..Enough::default() })
        })
    }

    fn daily(&self, days: u32) -> Reply<Vec<DayVolume>> {
        let day = |i| DayVolume { day: format!("2026-01-{:02}", i % 28 + 1), events: u64::from(i) };
        self.ask(|_| Ok((0..days).map(day).collect()))
    }

    fn settings(&self) -> Reply<Settings> {
        self.ask(|s| Ok(s.settings.clone()))
    }

    fn put_settings(&self, settings: &Settings) -> Reply<()> {
        self.ask(|s| {
            s.settings = settings.clone();
            Ok(())
        })
    }

    fn identity_rules(&self) -> Reply<IdentityRules> {
        self.ask(|s| Ok(s.rules.clone()))
    }

    fn put_identity_rules(&self, rules: &IdentityRules) -> Reply<()> {
        self.ask(|s| {
            s.rules = rules.clone();
            Ok(())
        })
    }

    fn keep_access(&self, record: Vec<u8>) -> Reply<()> {
        self.ask(|s| {
            s.access.push(record);
            Ok(())
        })
    }

    fn access(&self) -> Reply<Vec<Vec<u8>>> {
        self.ask(|s| Ok(s.access.clone()))
    }

    fn keep_audit(&self, entry: Vec<u8>) -> Reply<()> {
        self.ask(|s| {
            s.audit.push(entry);
            Ok(())
        })
    }

    fn audit(&self, before: Option<u64>, limit: usize) -> Reply<Vec<(u64, Vec<u8>)>> {
        self.ask(|s| {
            let all = s.audit.iter().enumerate().rev().map(|(i, e)| (i as u64, e.clone()));
            Ok(all.filter(|(i, _)| before.is_none_or(|b| *i < b)).take(limit).collect())
        })
    }

    fn health(&self) -> Health {
        self.with(|s| Health {
            ready: s.refusal.is_none(),
            writable: s.refusal.is_none(),
            damaged: s.damaged,
            failing: s.failing.clone(),
        })
    }

    fn metrics(&self) -> Vec<Metric> {
        vec![Metric {
            name: "segment_size",
            help: "Members.",
            kind: MetricKind::Gauge,
            labels: vec![("segment", "v\"i\np".into())],
            value: 3.0,
        }]
    }

    fn stop(&self) {
        self.with(|s| s.stopped = true);
    }
}
