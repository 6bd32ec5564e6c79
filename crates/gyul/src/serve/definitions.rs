//! Segments, partitions, measures: kept, counted, explained over time.

use super::conditions::in_words;
use super::span::{roots, spans};
use super::{Live, conflict, invalid, lock};
use gyul_engine::View;
use gyul_engine::live::{Action, DefKind as Sort, Outcome, World, definition_file};
use gyul_engine::needs::{Seen, words};
use gyul_model::{Duration, Instant};
use gyul_segment::Severity as Grade;
use gyul_segment::problem::Problem as Found;
use gyul_segment::tree::{About, Kind, Library, Partition, Words};
use gyul_timeline::Named;
use gyul_web::data::*;
use gyul_web::{Refusal, Reply};
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub(super) fn kind_of(kind: DefKind) -> Sort {
    match kind {
        DefKind::Segment => Sort::Segment,
        DefKind::Partition => Sort::Partition,
        DefKind::Measure => Sort::Measure,
    }
}

pub(super) fn shown(p: &Found) -> Problem {
    Problem {
        code: p.code.to_string(),
        severity: if p.severity == Grade::Error { Severity::Error } else { Severity::Warning },
        line: Some(p.line as u32),
        column: Some(p.column as u32),
        width: Some(p.width as u32),
        ko: p.ko.clone(),
        en: p.en.clone(),
        hint_ko: p.hint.as_ref().map(|(ko, _)| ko.clone()),
        hint_en: p.hint.as_ref().map(|(_, en)| en.clone()),
    }
}

pub(super) fn errors(problems: &[Found]) -> impl Iterator<Item = &Found> {
    problems.iter().filter(|p| p.severity == Grade::Error)
}

/// What the definitions of a kind say about themselves, by id.
fn ids(library: &Library, kind: DefKind) -> Vec<(&str, About)> {
    match kind {
        DefKind::Segment => library.segments.iter().map(|s| (s.id.as_str(), s.about.clone())).collect(),
        DefKind::Partition => library.partitions.iter().map(|p| (p.id.as_str(), p.about.clone())).collect(),
        DefKind::Measure => {
            let about = |name: &Words| About { name: name.clone(), ..About::default() };
            library.measures.iter().map(|m| (m.id.as_str(), about(&m.name))).collect()
        }
    }
}

/// The classes of a partition, without their sizes.
pub(super) fn classes(p: &Partition) -> Vec<ClassSize> {
    let class = |id: &String, about: &About, when: Option<&String>| ClassSize {
        class: id.clone(),
        name_ko: about.name.ko.clone(),
        name_en: about.name.en.clone(),
        goal_ko: about.goal.ko.clone(),
        goal_en: about.goal.en.clone(),
        treatment_ko: about.treatment.ko.clone(),
        treatment_en: about.treatment.en.clone(),
        when: when.cloned(),
        ..ClassSize::default()
    };
    let own = p.classes.iter().map(|c| class(&c.id, &c.about, Some(&c.source)));
    own.chain([class(&p.otherwise.id, &p.otherwise.about, None)]).collect()
}

/// What the states of definitions of a kind are told by.
struct Known<'a> {
    world: &'a World,
    kind: DefKind,
    problems: &'a [Found],
    last: &'a std::collections::HashMap<Arc<str>, Instant>,
    measured: &'a [(String, u64)],
    seen: Seen<'a>,
}

impl Live {
    pub(super) fn states(&self, kind: DefKind) -> Vec<DefState> {
        let measured = if kind == DefKind::Measure { self.measured() } else { vec![] };
        let last = self.last_changes();
        let world = self.hub.world();
        let (_, problems) = world.definitions.library(&world.schema());
        let all = world.definitions.iter().filter(|(k, ..)| *k == kind_of(kind));
        let seen = Seen::in_streams(world.live.schema().iter());
        let known = Known { world: &world, kind, problems: &problems, last: &last, measured: &measured, seen };
        all.map(|(_, id, v)| self.state(&known, id, v)).collect()
    }

    fn state(&self, known: &Known, id: &str, version: &gyul_engine::live::Version) -> DefState {
        let Known { world, kind, problems, last, measured, ref seen } = *known;
        let library = world.live.library();
        let file = definition_file(kind_of(kind), id);
        let reason = errors(problems).find(|p| p.file == file).map(shown);
        let about = ids(library, kind).into_iter().find(|(i, _)| *i == id).map(|(_, about)| about);
        let size_of = |name: &str| {
            let root = world.live.root(name)?;
            Some((world.live.members(root).count() as u64, world.objecting(root)))
        };
        let mut classes = match library.partitions.iter().find(|p| p.id == id) {
            Some(p) if kind == DefKind::Partition => self::classes(p),
            _ => vec![],
        };
        let lacks = |named| {
            let needs = seen.needs(library, named);
            (!needs.is_empty()).then(|| words(&needs)).map(|t| (t.ko, t.en)).unzip()
        };
        let place = library.partitions.iter().position(|p| p.id == id);
        for (k, c) in classes.iter_mut().enumerate() {
            (c.size, c.left_out) = size_of(&format!("{id}/{}", c.class)).unwrap_or_default();
            let asks = library.partitions.iter().find(|p| p.id == id).and_then(|p| p.classes.get(k));
            (c.says_ko, c.says_en) = asks.map(|a| in_words(library, &a.when, &a.source)).unwrap_or_default();
            (c.needs_ko, c.needs_en) = place.map_or((None, None), |p| lacks(Named::Class(p, k)));
        }
        let (needs_ko, needs_en) = match library.segments.iter().position(|s| s.id == id) {
            Some(i) if kind == DefKind::Segment => lacks(Named::Segment(i)),
            _ => (None, None),
        };
        let asks = library.segments.iter().find(|s| s.id == id).filter(|_| kind == DefKind::Segment);
        let (says_ko, says_en) = asks.map(|a| in_words(library, &a.when, &a.source)).unwrap_or_default();
        let own = if kind == DefKind::Segment { size_of(id) } else { None };
        let size = match kind {
            DefKind::Segment => own.map(|(size, _)| size),
            DefKind::Partition => about.as_ref().map(|_| classes.iter().map(|c| c.size).sum()),
            DefKind::Measure => measured.iter().find(|(m, _)| m == id).map(|(_, n)| *n),
        };
        let left_out = own.map_or_else(|| classes.iter().map(|c| c.left_out).sum(), |(_, left_out)| left_out);
        let last_change = match kind {
            DefKind::Partition => classes.iter().filter_map(|c| last.get(format!("{id}/{}", c.class).as_str())).max(),
            _ => last.get(id),
        };
        let about = about.unwrap_or_default();
        DefState {
            kind,
            id: id.to_string(),
            name_ko: about.name.ko,
            name_en: about.name.en,
            description_ko: about.description.ko,
            description_en: about.description.en,
            goal_ko: about.goal.ko,
            goal_en: about.goal.en,
            treatment_ko: about.treatment.ko,
            treatment_en: about.treatment.en,
            says_ko,
            says_en,
            needs_ko,
            needs_en,
            owner: about.owner,
            tags: about.tags,
            version: version.version,
            state: match (&reason, version.in_force) {
                (Some(_), _) => ComputeState::Failed,
                (None, true) => ComputeState::Live,
                (None, false) => ComputeState::Computing,
            },
            size: size.filter(|_| reason.is_none()),
            left_out,
            reason,
            classes,
            lag_ms: Some(self.lag(world)),
            last_change: last_change.copied(),
        }
    }

    /// For how many customers each measure is known.
    fn measured(&self) -> Vec<(String, u64)> {
        // A look at everybody: once a minute, whoever asks.
        let found = self.once("measured", |view, at| {
            let ids = view.library().measures.iter().map(|m| m.id.clone());
            Ok(ids.zip(view.measured(at)).collect::<Vec<(String, u64)>>())
        });
        found.map(|m| m.to_vec()).unwrap_or_default()
    }

    /// How far membership is behind what was acknowledged and behind the clock, in milliseconds.
    pub(super) fn lag(&self, world: &World) -> u64 {
        let now = self.hub.now();
        let waits = self.hub.gauges().logged.load(Ordering::Acquire) > world.next;
        let due = world.live.next_wake().filter(|t| *t < now);
        let since = match (waits, due) {
            (true, due) => Some(due.map_or(world.live.now(), |d| d.min(world.live.now()))),
            (false, due) => due,
        };
        since.map_or(0, |t| u64::try_from((now.0 - t.0) / 1000).unwrap_or(0))
    }

    pub(super) fn one_definition(&self, kind: DefKind, id: &str) -> Reply<Definition> {
        let measured = if kind == DefKind::Measure { self.measured() } else { vec![] };
        let last = self.last_changes();
        let world = self.hub.world();
        let version = world.definitions.get(kind_of(kind), id).ok_or(Refusal::NotFound)?;
        let (_, problems) = gyul_segment::check(&world.definitions.files(), Some(&world.schema()), |_| None);
        let file = definition_file(kind_of(kind), id);
        let warnings = problems.iter().filter(|p| p.file == file && p.severity == Grade::Warning).map(shown);
        let seen = Seen::in_streams(world.live.schema().iter());
        let known = Known { world: &world, kind, problems: &problems, last: &last, measured: &measured, seen };
        Ok(Definition {
            state: self.state(&known, id, version),
            yaml: version.text.clone().unwrap_or_default(),
            warnings: warnings.collect(),
        })
    }

    pub(super) fn defined(&self, kind: DefKind, id: &str, yaml: &str, if_version: Option<u32>) -> Reply<DefState> {
        only(kind, id, yaml)?;
        let _one = lock(&self.deciding);
        {
            let world = self.hub.world();
            let now = world.definitions.get(kind_of(kind), id).map(|v| v.version);
            // 0: there must be none.
            if if_version.is_some_and(|v| v != now.unwrap_or(0)) {
                return Err(conflict(
                    "version_conflict",
                    format!("다른 사람이 먼저 고쳤습니다(지금 판: {}). 다시 읽고 고치세요.", now.unwrap_or(0)),
                    format!("somebody else was faster (version {} is in force). Read it again.", now.unwrap_or(0)),
                ));
            }
            accepted(&world, kind, id, Some(yaml))?;
        }
        let define = Action::Define { kind: kind_of(kind).name().into(), id: id.into(), text: Some(yaml.to_string()) };
        match self.act(define)?.0 {
            Outcome::Version(_) => self.one_definition(kind, id).map(|d| d.state),
            _ => Err(Refusal::Internal("a definition was refused".into())),
        }
    }

    pub(super) fn undefined(&self, kind: DefKind, id: &str) -> Reply<()> {
        let _one = lock(&self.deciding);
        {
            let world = self.hub.world();
            world.definitions.get(kind_of(kind), id).ok_or(Refusal::NotFound)?;
            // What is proposed counts as well: it will be in force.
            let (library, _) = world.definitions.proposal(&world.schema());
            let place = ids(&library, kind).iter().position(|(i, _)| *i == id);
            let is_it = |k: &Kind| match k {
                Kind::Measure(i) => kind == DefKind::Measure && Some(*i) == place,
                Kind::InSegment(i) => kind == DefKind::Segment && Some(*i) == place,
                Kind::InClass { partition, .. } => kind == DefKind::Partition && Some(*partition) == place,
                _ => false,
            };
            let which = gyul_engine::resting_on(&library, &is_it);
            if !which.is_empty() {
                let which = which.join(", ");
                return Err(conflict(
                    "referred_to",
                    format!("다른 정의가 쓰고 있습니다. 그 정의를 먼저 고치세요: {which}"),
                    format!("other definitions rest on it; change them first: {which}"),
                ));
            }
        }
        self.act(Action::Define { kind: kind_of(kind).name().into(), id: id.into(), text: None }).map(|_| ())
    }

    pub(super) fn previewed(&self, kind: DefKind, yaml: &str) -> Reply<Preview> {
        let id = sole(kind, yaml)?;
        let (library, problems) = {
            let world = self.hub.world();
            accepted(&world, kind, &id, Some(yaml))?;
            let files = world.definitions.files_with(kind_of(kind), &id, Some(yaml));
            gyul_segment::check(&files, Some(&world.schema()), |_| None)
        };
        let file = definition_file(kind_of(kind), &id);
        let warnings = problems.iter().filter(|p| p.file == file).map(shown).collect();
        let now = self.hub.now();
        let view = View::of(self.view().timelines().clone(), library);
        let lost = || Refusal::Internal("a definition was lost".into());
        let library = view.library();
        let mut out = Preview { warnings, exact: true, ..Preview::default() };
        match kind {
            DefKind::Segment => {
                let i = library.segments.iter().position(|s| s.id == id).ok_or_else(lost)?;
                (out.population, out.size) = view.size(Named::Segment(i), now);
            }
            DefKind::Partition => {
                let p = library.partitions.iter().position(|p| p.id == id).ok_or_else(lost)?;
                let (members, everybody) = view.classes(library, p, now);
                out.population = everybody.count() as u64;
                out.classes = classes(&library.partitions[p]);
                out.classes.iter_mut().zip(&members).for_each(|(c, b)| c.size = b.count() as u64);
                out.size = out.classes.iter().map(|c| c.size).sum();
            }
            DefKind::Measure => {
                let i = library.measures.iter().position(|m| m.id == id).ok_or_else(lost)?;
                out.size = view.measured(now).get(i).copied().unwrap_or_default();
                out.population = self.hub.world().live.population().count() as u64;
            }
        }
        Ok(out)
    }

    pub(super) fn members_of(&self, of: &MembersOf, after: Option<&str>, limit: usize) -> Reply<Vec<Member>> {
        let now = self.hub.now();
        let name = name(of)?;
        let (mut page, timelines, library, named) = {
            let world = self.hub.world();
            let root = world.live.root(&name).ok_or(Refusal::NotFound)?;
            let given = world.live.members(root).iter().filter(|n| !world.objects(*n as u32));
            let ids = given.map(|n| (world.customer_id(n as u32), n as u32));
            let mut ids: Vec<(&str, u32)> = ids.filter(|(id, _)| after.is_none_or(|a| *id > a)).collect();
            if ids.len() > limit && limit > 0 {
                ids.select_nth_unstable(limit - 1);
            }
            ids.truncate(limit);
            ids.sort_unstable();
            let numbers: Vec<u32> = ids.iter().map(|(_, n)| *n).collect();
            let library = world.live.library().clone();
            let page: Vec<Member> =
                ids.iter().map(|(id, _)| Member { customer: id.to_string(), since: None, until: None }).collect();
            (page, world.live.some(&numbers), library.clone(), roots(&library).get(root).copied())
        };
        let Some(named) = named else { return Ok(page) };
        for (m, span) in page.iter_mut().zip(spans(&timelines, timelines.data().customers(), &library, named, now)) {
            (m.since, m.until) = (span.since, span.until);
        }
        Ok(page)
    }

    pub(super) fn sizes(&self, of: &MembersOf, range: HistoryRange) -> Reply<Vec<SizeAt>> {
        let view = self.view();
        let every = Duration::Exact(range.step_micros.max(1));
        let found = view.history(&[name(of)?], range.from, range.until, every).map_err(|_| Refusal::NotFound)?;
        let points = found.into_iter().flat_map(|s| s.points);
        Ok(points.map(|p| SizeAt { at: p.at, size: p.customers, entered: p.entered, left: p.left }).collect())
    }

    pub(super) fn all_versions(&self, kind: DefKind, id: &str) -> Reply<Vec<Version>> {
        let world = self.hub.world();
        let versions = world.definitions.versions(kind_of(kind), id);
        if versions.is_empty() {
            return Err(Refusal::NotFound);
        }
        let show = |v: &gyul_engine::live::Version| Version {
            version: v.version,
            at: v.at,
            yaml: v.text.clone().unwrap_or_default(),
            deleted: v.text.is_none(),
        };
        Ok(versions.iter().rev().map(show).collect())
    }

    pub(super) fn overlaps(&self, segments: &[String]) -> Reply<Vec<Overlap>> {
        let world = self.hub.world();
        let root = |id: &String| world.live.root(id).ok_or(Refusal::NotFound);
        let found = segments.iter().map(root).collect::<Reply<Vec<usize>>>()?;
        let mut out = vec![];
        for (i, a) in found.iter().enumerate() {
            for (j, b) in found.iter().enumerate().skip(i + 1) {
                let (x, y) = (world.live.members(*a), world.live.members(*b));
                out.push(Overlap {
                    a: segments[i].clone(),
                    b: segments[j].clone(),
                    both: x.overlap(y) as u64,
                    a_size: x.count() as u64,
                    b_size: y.count() as u64,
                });
            }
        }
        Ok(out)
    }

    pub(super) fn changed(&self, from: u64, limit: usize) -> Reply<Vec<Change>> {
        let some = self.hub.changes(from, limit).ok_or(Refusal::Gone)?;
        Ok(some.into_iter().map(|t| self.change(t)).collect())
    }

    pub(super) fn change(&self, t: gyul_engine::live::Told) -> Change {
        let what = match t.what.split_once('/') {
            Some((partition, class)) => {
                MembersOf { kind: DefKind::Partition, id: partition.into(), class: Some(class.into()) }
            }
            _ => MembersOf { kind: DefKind::Segment, id: t.what.to_string(), class: None },
        };
        let moved = if t.entered { Moved::Entered } else { Moved::Left };
        Change {
            offset: t.offset,
            at: t.at,
            customer: t.customer.to_string(),
            what,
            moved,
            cause: t.cause.into_owned(),
        }
    }
}

/// What membership is called in the world.
fn name(of: &MembersOf) -> Reply<String> {
    match (of.kind, &of.class) {
        (DefKind::Segment, _) => Ok(of.id.clone()),
        (DefKind::Partition, Some(class)) => Ok(format!("{}/{class}", of.id)),
        _ => Err(Refusal::NotFound),
    }
}

/// The id of the one definition that a text holds.
pub(super) fn sole(kind: DefKind, yaml: &str) -> Reply<String> {
    let top = |key: &str| yaml.lines().any(|l| l.strip_prefix(key).is_some_and(|rest| rest.starts_with(':')));
    let wrapped = ["segments", "partitions", "measures", "version"].iter().any(|k| top(k));
    if !wrapped && ["id", "when", "classes", "value"].iter().any(|k| top(k)) {
        let (things, rest) = match kind {
            DefKind::Segment => ("segments", "    when: count(order) >= 2"),
            DefKind::Partition => (
                "partitions",
                "    classes:\n      - id: new\n        when: count(order) = 1\n    otherwise: { id: other }",
            ),
            DefKind::Measure => ("measures", "    value: sum(order.total)"),
        };
        let like = format!("version: 1\n{things}:\n  - id: my_id\n{rest}");
        return Err(invalid(
            "bare_definition",
            format!("정의 하나만으로는 파일이 되지 않습니다. 이렇게 감싸세요:\n{like}"),
            format!("a definition alone is no file. Put it like this:\n{like}"),
        ));
    }
    let (library, problems) = gyul_segment::load(&[("definition.yaml".into(), yaml.into())], None);
    let count = library.segments.len() + library.partitions.len() + library.measures.len();
    match (ids(&library, kind).first(), count) {
        (Some((id, _)), 1) => Ok(id.to_string()),
        (None, 0) if problems.iter().any(|p| p.severity == Grade::Error) => {
            Err(Refusal::Invalid(errors(&problems).map(shown).collect()))
        }
        _ => {
            let word = kind_of(kind).name();
            Err(invalid(
                "not_one_definition",
                format!("정의가 하나({word})만 있어야 합니다. 나머지는 따로 저장하세요."),
                format!("it must hold one definition of a {word} and nothing else. Save the others by themselves."),
            ))
        }
    }
}

/// A text holds the definition that it is said to hold, and no other.
fn only(kind: DefKind, id: &str, yaml: &str) -> Reply<()> {
    let own = sole(kind, yaml)?;
    if own == id {
        return Ok(());
    }
    Err(invalid(
        "other_id",
        format!("본문의 id는 {own}인데 주소의 id는 {id}입니다. 둘을 맞추세요."),
        format!("the text defines {own}, but the address says {id}. Make them agree."),
    ))
}

/// The definitions would be no worse with this one changed.
fn accepted(world: &World, kind: DefKind, id: &str, text: Option<&str>) -> Reply<()> {
    let schema = world.schema();
    let file = definition_file(kind_of(kind), id);
    let key = |p: &Found| (p.file.clone(), p.code, p.en.clone());
    let (_, before) = gyul_segment::load(&world.definitions.files(), Some(&schema));
    let known: Vec<_> = errors(&before).map(key).collect();
    let files = world.definitions.files_with(kind_of(kind), id, text);
    let (_, after) = gyul_segment::load(&files, Some(&schema));
    let new: Vec<Problem> = errors(&after).filter(|p| p.file == file || !known.contains(&key(p))).map(shown).collect();
    if new.is_empty() { Ok(()) } else { Err(Refusal::Invalid(new)) }
}
