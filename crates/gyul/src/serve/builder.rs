//! Drafts: text as cards and back, what each condition does, and the words that conditions can use.

use super::customers::NAMES;
use super::definitions::shown;
use super::{Live, invalid, lock};
use gyul_engine::effects::{Beside as Set, Effector, Question};
use gyul_engine::live::{DefKind as Sort, definition_file, split_definitions as split};
use gyul_engine::{STARTER, View};
use gyul_model::{ColumnKind, Date, Identifier, Instant, names};
use gyul_segment::form::{self, Draft, Node};
use gyul_segment::tree::{Type, Words};
use gyul_segment::{ALIASES, syntax};
use gyul_web::data::*;
use gyul_web::{Refusal, Reply};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant as Clock};

/// The copy in which drafts are counted, for as long as it may serve: a count that moves because of the clock or of
/// strangers' events, not because of what was typed, confuses.
pub(super) struct Drafts {
    made: Clock,
    /// Where in the log the copy stands.
    next: u64,
    now: Instant,
    effector: Arc<Effector>,
}

impl Drafts {
    /// No question will be answered from it any more.
    pub(super) fn is_old(&self) -> bool {
        self.made.elapsed() > AGE_QUIET
    }
}

const AGE: Duration = Duration::from_secs(10);
/// While nothing happens only the clock moves.
const AGE_QUIET: Duration = Duration::from_secs(60);

/// Traits whose values name a person.
const PERSONAL: [&str; 10] =
    ["email", "phone", "birth_date", "address", "push_token", "token", "id", "user", "memo", "kakao"];
/// A text with more different values is no choice.
const CHOICES_MAX: usize = 60;

impl Live {
    pub(super) fn formed(&self, ask: &FormAsk) -> Reply<FormShown> {
        let mut draft = opened(&ask.yaml)?;
        if let Some(about) = &ask.about {
            draft.about = form::About::deserialize(about).map_err(|_| shapeless("about"))?;
        }
        let mut out = FormShown::default();
        if let Some(form) = &ask.form {
            let made = form::tree(&Node::deserialize(form).map_err(|_| shapeless("form"))?);
            out.missing = made.missing.iter().map(missing).collect();
            out.text = made.ast.as_ref().map(form::lines).unwrap_or_default();
            out.form = Some(form.clone());
        } else {
            out.text = ask.text.clone().unwrap_or_else(|| laid_out(&draft.when));
            let (ast, faults) = syntax::parse(&out.text);
            out.form = match out.text.trim().is_empty() {
                true => Some(serde_json::json!({ "is": "all", "parts": [] })),
                false if faults.is_empty() => serde_json::to_value(form::of(&ast)).ok(),
                false => None,
            };
        }
        draft.when = if out.text.trim().is_empty() { "true".into() } else { out.text.trim().to_string() };
        out.yaml = draft.write(&ask.yaml);
        out.about = serde_json::to_value(&draft.about).unwrap_or_default();
        out.problems = self.problems_of(&out, &draft.about.id, ask.of.as_deref());
        Ok(out)
    }

    fn problems_of(&self, shown_form: &FormShown, id: &str, of: Option<&str>) -> Vec<TextProblem> {
        let (files, schema, taken) = {
            let world = self.hub.world();
            let taken = of != Some(id) && world.definitions.get(Sort::Segment, id).is_some();
            (world.definitions.files_with(Sort::Segment, id, Some(&shown_form.yaml)), world.schema(), taken)
        };
        let (_, found) = gyul_segment::check(&files, Some(&schema), |_| None);
        let file = definition_file(Sort::Segment, id);
        let written = Draft::read(&shown_form.yaml);
        let place = |p: &gyul_segment::Problem| {
            let written = written.as_ref()?;
            let at = written.place(&shown_form.yaml, p.line, p.column)?;
            // The same character in the text at hand, which may have other white space.
            let before = written.when.chars().take(at).filter(|c| !c.is_whitespace()).count();
            let mut seen = 0;
            let found = shown_form.text.chars().position(|c| {
                seen += usize::from(!c.is_whitespace());
                seen > before
            });
            Some(found.unwrap_or(shown_form.text.chars().count()) as u32)
        };
        let mine = found.iter().filter(|p| p.file == file);
        let mut out: Vec<TextProblem> = mine.map(|p| TextProblem { problem: shown(p), start: place(p) }).collect();
        if taken {
            let (ko, en) = ("이미 있는 id입니다. 다른 id를 쓰세요.", "This id is taken. Choose another one.");
            let problem = Problem { code: "id_taken".into(), ko: ko.into(), en: en.into(), ..Problem::default() };
            out.push(TextProblem { problem, start: None });
        }
        out
    }

    pub(super) fn effected(&self, ask: &EffectsAsk) -> Reply<EffectsShown> {
        let draft = opened(&ask.yaml)?;
        let node = match &ask.form {
            Some(form) => Node::deserialize(form).map_err(|_| shapeless("form"))?,
            None => form::of(&syntax::parse(&draft.when).0),
        };
        let (effector, now) = self.drafts();
        let at = match &ask.at {
            Some(text) => self.moment(text)?.min(now),
            None => now,
        };
        let id = draft.about.id.clone();
        let (files, schema, saved) = {
            let world = self.hub.world();
            let saved = ask.of.as_deref().and_then(|of| world.definitions.get(Sort::Segment, of)?.text.clone());
            (world.definitions.files_with(Sort::Segment, &id, Some(&ask.yaml)), world.schema(), saved)
        };
        let saved = saved.and_then(|yaml| Draft::read(&yaml)).map(|d| d.when);
        let saved = saved.filter(|when| syntax::parse(when).1.is_empty());
        let other = ask.compare.as_deref().filter(|c| !c.is_empty() && *c != id).map(condition_of);
        let file = definition_file(Sort::Segment, &id);
        let e = effector.effects(&Question {
            files: &files,
            file: &file,
            id: &id,
            form: &node,
            saved: saved.as_deref(),
            other: other.as_deref(),
            at,
            schema: &schema,
            sample: ask.sample as usize,
        });
        let beside = |s: Set| Beside { size: s.size, both: s.both };
        let parts = e.parts.iter().map(|p| PartEffect {
            key: p.key.clone(),
            alone: p.alone,
            without: p.without,
            problems: p.problems.iter().map(shown).collect(),
        });
        Ok(EffectsShown {
            at,
            population: e.population,
            size: e.size,
            saved: e.saved.map(beside),
            compared: e.other.map(beside),
            parts: parts.collect(),
            missing: form::tree(&node).missing.iter().map(missing).collect(),
            sample: e.sample.iter().filter_map(|id| self.head(id)).collect(),
            problems: e.problems.iter().map(shown).collect(),
        })
    }

    /// A customer as a line in a list; none who objects to it.
    fn head(&self, id: &str) -> Option<CustomerHead> {
        let world = self.hub.world();
        let (number, _) = world.find(&Identifier::of_handle(id))?;
        (!world.objects(number)).then(|| super::customers::head_of(&world, number, self.hub.now()))
    }

    /// An instant, or the end of a local day.
    fn moment(&self, text: &str) -> Reply<Instant> {
        let zone = || self.hub.world().live.library().zone.clone();
        let day = |d: Date| Instant(zone().midnight(Date(d.0 + 1)).0 - 1);
        Date::parse(text).map(day).or_else(|| Instant::parse_rfc3339(text)).ok_or_else(|| {
            invalid(
                "bad_moment",
                "날짜를 2026-01-31처럼 적으세요.",
                "write the date as in 2026-01-31, or an instant as in 2026-01-31T09:00:00+09:00.",
            )
        })
    }

    fn drafts(&self) -> (Arc<Effector>, Instant) {
        let mut drafts = lock(&self.drafts);
        let next = self.hub.world().next;
        let fits = |d: &&Drafts| d.made.elapsed() < if d.next == next { AGE_QUIET } else { AGE };
        if let Some(d) = drafts.as_ref().filter(fits) {
            return (d.effector.clone(), d.now);
        }
        // The old copy goes first.
        *drafts = None;
        let view: Arc<View> = self.view();
        let (made, now) = (Clock::now(), self.hub.now());
        let effector = Arc::new(Effector::new(view));
        *drafts = Some(Drafts { made, next, now, effector: effector.clone() });
        (effector, now)
    }

    pub(super) fn words(&self) -> Vocabulary {
        let schema = self.event_schema();
        let world = self.hub.world();
        let library = world.live.library().clone();
        let traits = world.schema().traits;
        let mut out = Vocabulary::default();
        for e in schema.iter().filter(|e| e.name != names::IDENTIFY) {
            let short = ALIASES.iter().find(|(_, event)| *event == e.name).map(|(short, _)| short.to_string());
            out.events.push(WordEvent {
                quoted: short.is_none(),
                name: short.unwrap_or_else(|| e.name.clone()),
                event: e.name.clone(),
                count: e.count,
                properties: e.properties.iter().map(word_of).collect(),
            });
        }
        // What is known without declaring can be asked for before it has happened.
        for (short, event) in ALIASES.iter().filter(|(_, event)| schema.iter().all(|e| e.name != *event)) {
            out.events.push(WordEvent { name: short.to_string(), event: event.to_string(), ..WordEvent::default() });
        }
        out.traits = traits.into_iter().map(|(name, ty)| self.trait_word(&world, name, ty)).collect();
        let named = |id: &str, w: &Words, kind: Option<&str>| WordNamed {
            id: id.to_string(),
            name_ko: w.ko.clone(),
            name_en: w.en.clone(),
            kind: kind.map(str::to_string),
        };
        out.measures = library.measures.iter().map(|m| named(&m.id, &m.name, Some(type_name(m.expr.ty)))).collect();
        out.segments = library.segments.iter().map(|s| named(&s.id, &s.about.name, None)).collect();
        for p in &library.partitions {
            let last = [(&p.otherwise.id, &p.otherwise.about)];
            let classes = p.classes.iter().map(|c| (&c.id, &c.about)).chain(last);
            let classes = classes.map(|(id, about)| named(id, &about.name, None)).collect();
            out.partitions.push(WordPartition { named: named(&p.id, &p.about.name, None), classes });
        }
        out.occasions = library
            .occasions
            .iter()
            .map(|o| WordNamed {
                id: o.id.clone(),
                name_ko: Some(o.ko.clone()),
                name_en: Some(o.en.clone()),
                kind: None,
            })
            .collect();
        out.starters = starters();
        out
    }

    fn trait_word(&self, world: &gyul_engine::live::World, name: String, ty: Type) -> WordProperty {
        let low = name.to_lowercase();
        let personal = NAMES.contains(&low.as_str()) || PERSONAL.iter().any(|p| low.contains(p));
        let mut values = BTreeSet::new();
        let streams = world.live.schema().iter().filter(|s| s.name == names::IDENTIFY);
        for column in streams.flat_map(|s| &s.columns).filter(|c| c.name == name && !personal) {
            if let ColumnKind::Text(dict) = &column.kind
                && dict.len() <= CHOICES_MAX
            {
                values.extend((0..dict.len()).filter_map(|i| dict.get(i).map(str::to_string)));
            }
        }
        WordProperty { name, kind: type_name(ty).into(), values: values.into_iter().collect() }
    }
}

fn opened(yaml: &str) -> Reply<Draft> {
    if yaml.trim().is_empty() {
        return Ok(Draft::default());
    }
    Draft::read(yaml).ok_or_else(|| {
        invalid(
            "not_one_definition",
            "세그먼트가 하나만 있는 YAML이 아닙니다.",
            "this is not the YAML of one segment and nothing else.",
        )
    })
}

/// A condition over several lines where that moves white space alone.
fn laid_out(when: &str) -> String {
    let (ast, faults) = syntax::parse(when);
    let lines = form::lines(&ast);
    let same = |a: &str, b: &str| a.chars().filter(|c| !c.is_whitespace()).eq(b.chars().filter(|c| !c.is_whitespace()));
    if faults.is_empty() && !when.contains(['#', '\n']) && same(&lines, when) { lines } else { when.to_string() }
}

fn shapeless(what: &str) -> Refusal {
    invalid("bad_shape", format!("{what}의 모양이 맞지 않습니다."), format!("{what} is not of the shape expected."))
}

fn missing(m: &form::Missing) -> CardMissing {
    CardMissing { key: m.key.clone(), ko: m.ko.clone(), en: m.en.clone() }
}

/// `vip`, or `lifecycle/at_risk`.
fn condition_of(name: &str) -> String {
    let kind = match name.split_once('/') {
        Some((partition, class)) => {
            let path = |p: &str| syntax::Path { parts: vec![p.to_string()], quoted: false };
            let ast = |name: &str| {
                Box::new(syntax::Ast { kind: syntax::AstKind::Name(path(name)), span: Default::default() })
            };
            syntax::AstKind::Cmp(gyul_segment::tree::Cmp::Eq, ast(partition), ast(class))
        }
        None => syntax::AstKind::InSegment(name.to_string()),
    };
    syntax::print(&syntax::Ast { kind, span: Default::default() })
}

fn word_of(p: &PropertySchema) -> WordProperty {
    let kind = p.types.first().cloned().unwrap_or_default();
    let values = if kind == "text" || kind == "list" { p.examples.clone() } else { vec![] };
    WordProperty { name: p.name.clone(), kind, values }
}

fn type_name(ty: Type) -> &'static str {
    match ty {
        Type::Bool => "bool",
        Type::Num => "number",
        Type::Dur => "duration",
        Type::Instant | Type::Date => "instant",
        Type::List => "list",
        _ => "text",
    }
}

fn starters() -> Vec<WordStarter> {
    let parts = STARTER.iter().flat_map(|(_, text)| split(text));
    let segments = parts.filter(|(kind, ..)| *kind == Sort::Segment);
    let one = |(_, id, yaml): (Sort, String, String)| {
        let about = Draft::read(&yaml)?.about;
        let some = |t: String| Some(t).filter(|t| !t.is_empty());
        Some(WordStarter {
            named: WordNamed { id, name_ko: some(about.name_ko), name_en: some(about.name_en), kind: None },
            goal_ko: some(about.goal_ko),
            goal_en: some(about.goal_en),
            yaml,
        })
    };
    segments.filter_map(one).collect()
}
