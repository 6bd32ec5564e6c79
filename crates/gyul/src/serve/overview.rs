//! How everything grew, and what a partition would be if it were drawn otherwise.

use super::definitions::{classes, errors, shown};
use super::{Live, invalid, lock};
use gyul_engine::live::{DefKind as Sort, definition_file};
use gyul_model::{Instant, MICROS_DAY};
use gyul_segment::form::{ClassDraft, PartitionDraft};
use gyul_web::data::*;
use gyul_web::{Refusal, Reply};
use std::sync::Arc;
use std::time::{Duration, Instant as Clock};

/// The last answer, and the work on the next one.
#[derive(Default)]
pub(super) struct Grown {
    last: Option<(Clock, u64, Growth)>,
    working: bool,
}

const AGE: Duration = Duration::from_secs(3600);
const DAYS: i64 = 90;
const STEP_DAYS: i64 = 6;

impl Live {
    pub(super) fn grown(&self) -> Reply<Growth> {
        let defined = self.definitions_at();
        let old = {
            let mut grown = lock(&self.grown);
            let old = match &grown.last {
                Some((made, at, growth)) if *at == defined && made.elapsed() < AGE => return Ok(growth.clone()),
                Some((_, at, growth)) => Some((*at == defined, growth.clone())),
                None => None,
            };
            if grown.working {
                // What was true an hour ago is shown meanwhile; what other definitions said is not.
                return old.filter(|(same, _)| *same).map(|(_, g)| g).ok_or(Refusal::Computing(2));
            }
            grown.working = true;
            old
        };
        let (view, now, place) = (self.view(), self.hub.now(), Arc::clone(&self.grown));
        std::thread::spawn(move || {
            // Also if the work ends early: the next one who asks starts it again.
            let _done = Done(place.clone());
            let instants: Vec<Instant> =
                (0..=DAYS / STEP_DAYS).rev().map(|n| Instant(now.0 - n * STEP_DAYS * MICROS_DAY)).collect();
            let found = view.growth(&instants);
            let points = found.instants.iter().zip(&found.population);
            let growth = Growth {
                at: now,
                population: points.map(|(at, n)| SizeAt { at: *at, size: *n, entered: None, left: None }).collect(),
                revenue: found.revenue,
                of: found.of.into_iter().map(|g| GrowthOf { id: g.id, sizes: g.sizes, revenue: g.revenue }).collect(),
            };
            lock(&place).last = Some((Clock::now(), defined, growth));
        });
        old.filter(|(same, _)| *same).map(|(_, g)| g).ok_or(Refusal::Computing(2))
    }

    /// Moves whenever other definitions come into force.
    fn definitions_at(&self) -> u64 {
        let world = self.hub.world();
        let newest = world.definitions.iter().filter(|(.., v)| v.in_force).map(|(.., v)| v.seq).max().unwrap_or(0);
        // Taking one out leaves fewer.
        newest.wrapping_mul(1 << 16).wrapping_add(world.live.names().len() as u64)
    }

    pub(super) fn partition_drafted(&self, ask: &PartitionAsk) -> Reply<PartitionShown> {
        let draft = match &ask.form {
            Some(form) => Some(draft_of(form, &ask.yaml)),
            None => PartitionDraft::read(&ask.yaml),
        };
        let yaml = match (&ask.form, &draft) {
            (Some(_), Some(draft)) => draft.write(&ask.yaml).ok_or_else(|| {
                invalid(
                    "not_one_definition",
                    "이 파일은 칸으로 고칠 수 없는 모양입니다. 텍스트로 고치세요.",
                    "this file has a shape that fields cannot edit. Edit it as text.",
                )
            })?,
            _ => ask.yaml.clone(),
        };
        let mut out = PartitionShown { form: draft.as_ref().map(form_of), yaml, ..PartitionShown::default() };
        let id = match &draft {
            Some(d) => d.about.id.clone(),
            None => super::definitions::sole(DefKind::Partition, &out.yaml)?,
        };
        let file = definition_file(Sort::Partition, &id);
        let (files, schema, taken) = {
            let world = self.hub.world();
            let taken = ask.of.as_deref() != Some(&id) && world.definitions.get(Sort::Partition, &id).is_some();
            (world.definitions.files_with(Sort::Partition, &id, Some(&out.yaml)), world.schema(), taken)
        };
        let (library, found) = gyul_segment::check(&files, Some(&schema), |_| None);
        let starts: Vec<usize> = PartitionDraft::lines(&out.yaml).unwrap_or_default();
        let class = |line: usize| starts.iter().rposition(|s| *s <= line).map(|i| i as u32);
        let count = draft.as_ref().map_or(0, |d| d.classes.len() as u32);
        let mine = found.iter().filter(|p| p.file == file);
        out.problems =
            mine.map(|p| ClassProblem { problem: shown(p), class: class(p.line).filter(|c| *c < count) }).collect();
        let whens: Vec<&str> = draft.iter().flat_map(|d| &d.classes).map(|c| c.when.as_str()).collect();
        out.conditions = super::conditions::shown(&files, &schema, &whens);
        if taken {
            let (ko, en) = ("이미 있는 id입니다. 다른 id를 쓰세요.", "This id is taken. Choose another one.");
            let problem = Problem { code: "id_taken".into(), ko: ko.into(), en: en.into(), ..Problem::default() };
            out.problems.push(ClassProblem { problem, class: None });
        }
        let place = library.partitions.iter().position(|p| p.id == id);
        let (Some(p), true) = (place, ask.count && errors(&found).all(|e| e.file != file)) else { return Ok(out) };
        let (view, now) = (self.view(), self.hub.now());
        let (after, everybody) = view.classes(&library, p, now);
        let mut moves = Moves { population: everybody.count() as u64, ..Moves::default() };
        moves.after = classes(&library.partitions[p]);
        moves.after.iter_mut().zip(&after).for_each(|(c, b)| c.size = b.count() as u64);
        let saved = view.library().partitions.iter().position(|s| Some(s.id.as_str()) == ask.of.as_deref());
        if let Some(s) = saved {
            let (before, _) = view.classes(view.library(), s, now);
            moves.before = classes(&view.library().partitions[s]);
            moves.before.iter_mut().zip(&before).for_each(|(c, b)| c.size = b.count() as u64);
            moves.counts = gyul_engine::moves(&before, &after);
            let other = |i: usize, j: usize| moves.before[i].class != moves.after[j].class;
            let cells = moves
                .counts
                .iter()
                .enumerate()
                .flat_map(|(i, row)| row.iter().enumerate().map(move |(j, n)| (i, j, n)));
            moves.moved = cells.filter(|(i, j, _)| other(*i, *j)).map(|(.., n)| n).sum();
        }
        out.moves = Some(moves);
        Ok(out)
    }
}

/// The work is over, whatever came of it.
struct Done(Arc<std::sync::Mutex<Grown>>);

impl Drop for Done {
    fn drop(&mut self) {
        lock(&self.0).working = false;
    }
}

fn form_of(d: &PartitionDraft) -> PartitionForm {
    let class = |c: &ClassDraft| ClassForm {
        id: c.about.id.clone(),
        name_ko: c.about.name_ko.clone(),
        name_en: c.about.name_en.clone(),
        goal_ko: c.about.goal_ko.clone(),
        goal_en: c.about.goal_en.clone(),
        when: c.when.clone(),
        was: c.was.clone(),
    };
    PartitionForm {
        id: d.about.id.clone(),
        name_ko: d.about.name_ko.clone(),
        name_en: d.about.name_en.clone(),
        goal_ko: d.about.goal_ko.clone(),
        goal_en: d.about.goal_en.clone(),
        classes: d.classes.iter().map(class).collect(),
        otherwise: class(&d.otherwise),
    }
}

/// The fields, with what they do not say from the file.
fn draft_of(form: &PartitionForm, base: &str) -> PartitionDraft {
    let mut out = PartitionDraft::read(base).unwrap_or_default();
    let class = |c: &ClassForm, old: Option<&ClassDraft>| {
        let mut new = old.cloned().unwrap_or_default();
        let a = &mut new.about;
        a.id = c.id.trim().to_string();
        (a.name_ko, a.name_en) = (c.name_ko.trim().into(), c.name_en.trim().into());
        (a.goal_ko, a.goal_en) = (c.goal_ko.trim().into(), c.goal_en.trim().into());
        new.when = c.when.replace("\r\n", "\n").trim().to_string();
        new.was = c.was.clone();
        new
    };
    let found = |was: &str| out.classes.iter().find(|c| c.was == was && !was.is_empty());
    let classes = form.classes.iter().map(|c| class(c, found(&c.was))).collect();
    let otherwise = class(&form.otherwise, Some(&out.otherwise));
    out.about.id = form.id.trim().to_string();
    (out.about.name_ko, out.about.name_en) = (form.name_ko.trim().into(), form.name_en.trim().into());
    (out.about.goal_ko, out.about.goal_en) = (form.goal_ko.trim().into(), form.goal_en.trim().into());
    (out.classes, out.otherwise) = (classes, otherwise);
    out
}
