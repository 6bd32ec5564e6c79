//! The explanation as text: the verdict in a sentence, the conditions behind it, and the events, each list once.

use super::phrase::titled;
use super::show::{moment, value};
use super::{Condition, Evidence, Placed, Shape, Why, terms};
use crate::reference::Val;
use crate::tree::Words;
use gyul_model::{Instant, Lang, Value, Zone};

/// The most conditions told in one line.
const TOLD_MAX: usize = 4;

pub fn render(why: &Why, zone: &Zone, lang: Lang) -> String {
    let mut page = Page { zone, lang, out: String::new(), lists: vec![] };
    page.all(why);
    page.out
}

struct Page<'z> {
    zone: &'z Zone,
    lang: Lang,
    out: String,
    /// Those referred to so far, with how many events there are in all.
    lists: Vec<(Vec<Evidence>, usize)>,
}

impl Page<'_> {
    fn pick(&self, ko: impl Into<String>, en: impl Into<String>) -> String {
        self.lang.pick(ko.into(), en.into())
    }

    fn line(&mut self, depth: usize, text: &str) {
        self.out += &format!("{}{text}\n", "  ".repeat(depth));
    }

    /// By its name, and the id that commands know it by.
    fn called(&self, name: &Words, id: &str) -> String {
        match titled(name, "", self.lang) {
            "" => id.to_string(),
            name if name == id => id.to_string(),
            name => self.pick(format!("'{name}'({id})"), format!("{name} ({id})")),
        }
    }

    fn all(&mut self, why: &Why) {
        let (who, what) = (&why.customer, self.called(&why.name, &why.id));
        let elsewhere = why.class.as_ref().filter(|_| !why.verdict);
        let head = match (why.exists, why.verdict, elsewhere) {
            (false, ..) => self.pick(
                format!("{who}: 이 시점에는 아직 알려지지 않은 고객입니다."),
                format!("{who}: not known yet at this time."),
            ),
            (_, true, _) => self.pick(format!("✓ {who} 고객은 {what}에 속합니다."), format!("✓ {who} is in {what}.")),
            (_, _, None) => {
                self.pick(format!("✗ {who} 고객은 {what}에 속하지 않습니다."), format!("✗ {who} is not in {what}."))
            }
            (_, _, Some(class)) => {
                let actual = self.called(&class.name, &class.id);
                let because = self.because(why, class);
                self.pick(
                    format!("✗ {who} 고객은 {actual}에 속하고 {what}에는 속하지 않습니다. 이유: {because}"),
                    format!("✗ {who} is in {actual}, not in {what}, because: {because}"),
                )
            }
        };
        self.line(0, &head);
        if !why.exists {
            return;
        }
        match elsewhere {
            None => match &why.condition {
                Some(c) => self.conditions(c, 1),
                None => {
                    let text = self.pick("어느 등급의 조건에도 맞지 않습니다.", "No other class's condition holds.");
                    self.line(1, &text);
                }
            },
            Some(class) => {
                self.class(&class.name, &class.id, class.condition.as_ref());
                if why.condition.is_some() {
                    self.class(&why.name, &why.id, why.condition.as_ref());
                }
            }
        }
        // What was asked about has been told in full.
        let earlier: Vec<&Placed> = why.earlier.iter().filter(|p| p.id != why.id).collect();
        if !earlier.is_empty() {
            let text = self.pick("먼저 살펴본 등급", "Classes that come first");
            self.line(1, &text);
        }
        for p in earlier {
            let name = titled(&p.name, &p.id, self.lang).to_string();
            let Some(c) = &p.condition else { continue };
            let marks = self.refer(c);
            let text = reason(c, self.zone, self.lang);
            self.line(2, &format!("✗ {name}: {text}{marks}"));
        }
        self.events();
    }

    fn because(&self, why: &Why, class: &Placed) -> String {
        match &why.condition {
            Some(c) if !c.verdict => reason(c, self.zone, self.lang),
            Some(_) => {
                let name = titled(&class.name, &class.id, self.lang);
                self.pick(
                    format!("조건은 맞지만 먼저 살펴보는 '{name}'에 이미 속합니다"),
                    format!("its condition holds, but {name} comes first"),
                )
            }
            None => self.pick("다른 등급의 조건에 맞습니다", "the condition of another class holds"),
        }
    }

    fn class(&mut self, name: &Words, id: &str, condition: Option<&Condition>) {
        let name = titled(name, id, self.lang).to_string();
        let Some(c) = condition else {
            let text = self.pick(
                format!("✓ {name}: 다른 어느 등급의 조건에도 맞지 않음"),
                format!("✓ {name}: no other class's condition holds"),
            );
            return self.line(1, &text);
        };
        let mark = mark(c.verdict);
        if c.parts.is_empty() {
            let (text, marks) = (in_words(c, self.zone, self.lang), self.refer(c));
            return self.line(1, &format!("{mark} {name}: {text}{marks}"));
        }
        let text = in_words(c, self.zone, self.lang);
        self.line(1, &format!("{mark} {name}: {text}"));
        c.parts.iter().for_each(|p| self.conditions(p, 2));
    }

    fn conditions(&mut self, c: &Condition, depth: usize) {
        let text = in_words(c, self.zone, self.lang);
        // A group's events are those of its parts.
        let marks = if c.shape == Shape::Single { self.refer(c) } else { String::new() };
        self.line(depth, &format!("{} {text}{marks}", mark(c.verdict)));
        c.parts.iter().for_each(|p| self.conditions(p, depth + 1));
    }

    /// The numbers of the lists of events behind it.
    fn refer(&mut self, c: &Condition) -> String {
        if c.shape != Shape::Single {
            return c
                .parts
                .iter()
                .map(|p| self.refer(p))
                .fold(String::new(), |all, one| if all.contains(&one) { all } else { all + &one });
        }
        // What has no date is a trait from the beginning, whose value the sentence tells.
        if c.events.iter().all(|e| e.ts == Instant::ALWAYS) {
            return String::new();
        }
        let same = |l: &(Vec<Evidence>, usize)| {
            let alike = |(a, b): (&Evidence, &Evidence)| (a.ts, &a.name) == (b.ts, &b.name);
            (l.0.len(), l.1) == (c.events.len(), c.events_total) && l.0.iter().zip(&c.events).all(alike)
        };
        let i = self.lists.iter().position(same).unwrap_or(self.lists.len());
        match self.lists.get_mut(i) {
            // Another condition may look at other properties of the same events.
            Some((known, _)) => known.iter_mut().zip(&c.events).for_each(|(known, e)| {
                let new = |p: &&(String, Value)| !known.props.iter().any(|(n, _)| *n == p.0);
                let new: Vec<_> = e.props.iter().filter(new).cloned().collect();
                known.props.extend(new);
            }),
            None => self.lists.push((c.events.clone(), c.events_total)),
        }
        format!(" [{}]", i + 1)
    }

    fn events(&mut self) {
        if self.lists.is_empty() {
            return;
        }
        let text = self.pick("근거가 된 이벤트", "Events behind it");
        self.line(1, &text);
        for (i, (events, total)) in std::mem::take(&mut self.lists).into_iter().enumerate() {
            for (k, e) in events.iter().enumerate() {
                let number = if k == 0 { format!("[{}]", i + 1) } else { String::new() };
                let (when, name) = (moment(self.zone, e.ts, self.lang), terms::happened(&e.name, self.lang));
                let props: Vec<String> = e.props.iter().map(|(n, v)| self.property(n, v)).collect();
                let text = format!("{number:<4} {when}  {name}  {}", props.join(", "));
                self.line(2, text.trim_end());
            }
            let more = total.saturating_sub(events.len());
            if more > 0 {
                let text = self.pick(format!("     … 이전 {more}건 더"), format!("     … and {more} earlier"));
                self.line(2, &text);
            }
        }
    }

    fn property(&self, name: &str, v: &Value) -> String {
        let shown = match v {
            Value::Text(t) => match terms::value(name, t, self.lang) {
                quoted if quoted.starts_with('\'') => t.clone(),
                known => known,
            },
            Value::Bool(b) => value(&Val::Bool(*b), self.zone, self.lang),
            Value::Num(n) => value(&Val::Num((*n).into()), self.zone, self.lang),
            other => other.to_string(),
        };
        format!("{} {shown}", terms::field(name, self.lang))
    }
}

fn mark(verdict: bool) -> &'static str {
    if verdict { "✓" } else { "✗" }
}

/// One condition in words, without what is below it.
pub fn in_words(c: &Condition, zone: &Zone, lang: Lang) -> String {
    let said = match (lang, c.shape) {
        (Lang::Ko, Shape::All) => Some("다음을 모두 만족해야 함"),
        (Lang::Ko, Shape::Any) => Some("다음 중 하나라도 만족해야 함"),
        (Lang::En, Shape::All) => Some("all of these"),
        (Lang::En, Shape::Any) => Some("at least one of these"),
        (Lang::Ko, Shape::Single) => c.says.ko.as_deref(),
        (Lang::En, Shape::Single) => c.says.en.as_deref(),
    };
    said.map_or_else(|| plain(c, zone, lang), str::to_string)
}

/// What decided a condition, in one line.
pub fn reason(c: &Condition, zone: &Zone, lang: Lang) -> String {
    let mut told = vec![];
    decided_by(c, &mut told);
    let more = told.len() > TOLD_MAX;
    told.truncate(TOLD_MAX);
    let text = told.iter().map(|c| in_words(c, zone, lang)).collect::<Vec<_>>().join("; ");
    if more { text + "; …" } else { text }
}

fn decided_by<'c>(c: &'c Condition, told: &mut Vec<&'c Condition>) {
    // One part is enough against "all", and for "any".
    let enough = match c.shape {
        Shape::Single => return told.push(c),
        Shape::All => !c.verdict,
        Shape::Any => c.verdict,
    };
    let mut parts = c.parts.iter().filter(|p| p.verdict == c.verdict);
    if enough {
        parts.next().into_iter().for_each(|p| decided_by(p, told));
    } else {
        parts.for_each(|p| decided_by(p, told));
    }
}

/// The source text with its values, for forms without words of their own.
fn plain(c: &Condition, zone: &Zone, lang: Lang) -> String {
    let unknown = lang.pick("모름", "unknown");
    let show = |(name, v): &(String, Option<Val>)| {
        let value = v.as_ref().map_or(unknown.to_string(), |v| value(v, zone, lang));
        (*name != value).then(|| format!("{name} = {value}"))
    };
    // A constant is its own source text: nothing to say.
    let is_constant =
        |(name, _): &&(String, Option<Val>)| !name.starts_with(|c: char| c.is_ascii_digit() || "'\"-".contains(c));
    let values: Vec<String> = c.operands.iter().filter(is_constant).filter_map(show).collect();
    if values.is_empty() { c.source.clone() } else { format!("{} ({})", c.source, values.join(", ")) }
}
