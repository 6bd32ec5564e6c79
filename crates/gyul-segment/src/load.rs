//! Definition files to a library: what was good, and the list of what was not.

use crate::lint::{Facts, Place, lint};
use crate::problem::{Problem, Severity, nearest};
use crate::resolve::{Resolver, Schema};
use crate::syntax::{Ast, Fault, parse};
use crate::tree::{About, Class, Expr, Library, Measure, Otherwise, Partition, Segment, Span, Words};
use crate::yaml::{Node, NodeKind, read};
use gyul_model::{Date, Occasion, Occasions, Zone};
use std::collections::BTreeMap;

/// Reads definition files, `(name, text)` each, into one library. `schema`, if at hand, says which events, properties
/// and traits the data has. A definition with a problem is kept as far as it can be: its wrong parts are false.
pub fn load(files: &[(String, String)], schema: Option<&Schema>) -> (Library, Vec<Problem>) {
    let (library, _, problems) = read_all(files).library(schema);
    (library, problems)
}

/// Loads, and if nothing is wrong looks for what may not mean what was meant. `ask` tells about the data at hand.
pub fn check(
    files: &[(String, String)],
    schema: Option<&Schema>,
    ask: impl FnOnce(&Library) -> Option<Facts>,
) -> (Library, Vec<Problem>) {
    let mut loader = read_all(files);
    let names: Vec<String> = files.iter().map(|(n, _)| n.clone()).collect();
    let sources = loader.files.clone();
    let (library, places, mut problems) = loader.library(schema);
    if problems.iter().any(|p| p.severity == Severity::Error) {
        return (library, problems);
    }
    loader = Loader { files: sources, ..Loader::default() };
    for (place, fault) in lint(&library, ask(&library).as_ref()) {
        let w = match place {
            Place::Measure(i) => places.measures.get(i),
            Place::Segment(i) => places.segments.get(i),
            Place::Class(p, c) => places.classes.get(p).and_then(|p| p.get(c)),
        };
        if let Some(w) = w {
            loader.in_text(w, Severity::Warning, fault);
        }
    }
    problems.append(&mut loader.problems);
    problems.sort_by_key(|p| (names.iter().position(|n| *n == p.file), p.line, p.column));
    problems.dedup();
    (library, problems)
}

fn read_all(files: &[(String, String)]) -> Loader {
    let mut l = Loader { files: files.iter().map(|(n, t)| Source::new(n, t)).collect(), ..Loader::default() };
    for (i, (_, text)) in files.iter().enumerate() {
        l.file(i, text);
    }
    l
}

/// Where the expressions of a library were written, in its order.
struct Places {
    measures: Vec<Written>,
    segments: Vec<Written>,
    classes: Vec<Vec<Written>>,
}

#[derive(Clone)]
struct Source {
    name: String,
    chars: Vec<char>,
    lines: Vec<String>,
}

impl Source {
    fn new(name: &str, text: &str) -> Source {
        Source {
            name: name.to_string(),
            chars: text.chars().collect(),
            lines: text.lines().map(str::to_string).collect(),
        }
    }

    /// Line (from 1) and column (from 1) of a character.
    fn place(&self, index: usize) -> (usize, usize) {
        let before = &self.chars[..index.min(self.chars.len())];
        let line = before.iter().filter(|c| **c == '\n').count() + 1;
        let column = before.iter().rev().take_while(|c| **c != '\n').count() + 1;
        (line, column)
    }
}

/// An expression with the way back to its place.
pub(crate) struct Written {
    pub file: usize,
    pub text: String,
    pub ast: Ast,
    places: Vec<usize>,
}

pub(crate) struct RawEvent {
    pub names: Vec<String>,
    pub filter: Option<Written>,
}

struct RawDef {
    id: String,
    about: About,
    when: Written,
}

struct RawPartition {
    id: String,
    about: About,
    classes: Vec<RawDef>,
    otherwise: Otherwise,
}

#[derive(Default)]
struct Loader {
    files: Vec<Source>,
    problems: Vec<Problem>,
    zone: Option<Zone>,
    currency: Option<String>,
    events: BTreeMap<String, RawEvent>,
    occasions: Vec<Occasion>,
    measures: Vec<RawDef>,
    segments: Vec<RawDef>,
    partitions: Vec<RawPartition>,
    ids: BTreeMap<String, (usize, usize)>,
    /// File and line of short names and occasions.
    declared: BTreeMap<(&'static str, String), (usize, usize)>,
}

const ABOUT: [&str; 6] = ["name", "description", "goal", "treatment", "owner", "tags"];

impl Loader {
    fn problem(&mut self, file: usize, index: usize, width: usize, severity: Severity, fault: Fault) {
        let source = &self.files[file];
        let (line, column) = source.place(index);
        let excerpt = source.lines.get(line - 1).cloned().unwrap_or_default();
        let Fault { code, ko, en, hint, .. } = fault;
        let file = source.name.clone();
        self.problems.push(Problem { severity, code, file, line, column, width: width.max(1), excerpt, ko, en, hint });
    }

    fn at(&mut self, file: usize, node: &Node, fault: Fault) {
        let width = match &node.kind {
            NodeKind::Scalar { block: false, .. } => node.end.saturating_sub(node.index),
            _ => 1,
        };
        self.problem(file, node.index, width, Severity::Error, fault);
    }

    fn in_text(&mut self, w: &Written, severity: Severity, fault: Fault) {
        let place = |b: u32| w.places.get(b as usize).or(w.places.last()).copied().unwrap_or(0);
        let (start, end) = (place(fault.span.start), place(fault.span.end.saturating_sub(1).max(fault.span.start)));
        self.problem(w.file, start, (end + 1).saturating_sub(start), severity, fault);
    }

    // ---- reading

    fn file(&mut self, file: usize, text: &str) {
        let root = match read(text) {
            Ok(Some(node)) => node,
            Ok(None) => {
                let fault = Fault::new(
                    Span::default(),
                    "empty_file",
                    "정의가 없는 빈 파일입니다",
                    "the file has no definitions",
                );
                self.problem(file, 0, 1, Severity::Warning, fault);
                return;
            }
            Err(e) => {
                let fault = Fault::new(
                    Span::default(),
                    "yaml",
                    format!("YAML로 읽을 수 없습니다: {}", e.message),
                    format!("this is not valid YAML: {}", e.message),
                );
                let fault = fault.hint(
                    "들여쓰기와 콜론 뒤 빈칸을 확인하세요. 특수 문자가 든 식은 >- 다음 줄에 쓰면 안전합니다",
                    "check the indentation and the space behind colons; an expression with special characters is safe \
                     on the lines below >-",
                );
                let index = self.index_of(file, e.line, e.column);
                self.problem(file, index, 1, Severity::Error, fault);
                return;
            }
        };
        let known = ["version", "zone", "currency", "events", "occasions", "measures", "segments", "partitions"];
        let Some(pairs) = self.map(file, &root, &known) else { return };
        for (key, value) in pairs {
            match key.text().unwrap_or("") {
                "version" if value.text() != Some("1") => {
                    let fault = Fault::new(
                        Span::default(),
                        "version",
                        "이 Gyul은 version: 1만 읽습니다",
                        "this Gyul reads version: 1",
                    );
                    self.at(file, value, fault);
                }
                "zone" => match value.text().and_then(Zone::new) {
                    Some(z) => self.zone = Some(z),
                    None => self.expected(file, value, "시간대(예: Asia/Seoul)", "a time zone such as Asia/Seoul"),
                },
                "currency" => self.currency = self.scalar(file, value),
                "events" => self.events(file, value),
                "occasions" => self.occasions(file, value),
                "measures" => self.measures(file, value),
                "segments" => {
                    for def in self.list(file, value) {
                        if let Some(def) = self.definition(file, def) {
                            self.segments.push(def);
                        }
                    }
                }
                "partitions" => {
                    for p in self.list(file, value) {
                        self.partition(file, p);
                    }
                }
                _ => {}
            }
        }
    }

    fn index_of(&self, file: usize, line: usize, column: usize) -> usize {
        let before: usize =
            self.files[file].lines.iter().take(line.saturating_sub(1)).map(|l| l.chars().count() + 1).sum();
        before + column.saturating_sub(1)
    }

    fn expected(&mut self, file: usize, node: &Node, ko: &str, en: &str) {
        let fault = Fault::new(
            Span::default(),
            "expected",
            format!("여기에는 {ko}이(가) 와야 합니다"),
            format!("expected {en} here"),
        );
        self.at(file, node, fault);
    }

    fn map<'n>(&mut self, file: usize, node: &'n Node, known: &[&str]) -> Option<&'n [(Node, Node)]> {
        let NodeKind::Map(pairs) = &node.kind else {
            self.expected(file, node, "'키: 값' 목록", "a mapping of keys to values");
            return None;
        };
        for (i, (key, _)) in pairs.iter().enumerate() {
            let Some(text) = key.text() else {
                self.expected(file, key, "이름", "a name");
                continue;
            };
            if !known.is_empty() && !known.contains(&text) {
                let fault = Fault::new(
                    Span::default(),
                    "unknown_key",
                    format!("'{text}'은(는) 여기에 쓸 수 없는 키입니다"),
                    format!("'{text}' is no key of this place"),
                );
                let fault = match nearest(text, known.iter().copied()) {
                    Some(n) => fault.hint(format!("혹시 '{n}'인가요?"), format!("did you mean '{n}'?")),
                    None => {
                        let list = known.join(", ");
                        fault.hint(format!("쓸 수 있는 키: {list}"), format!("the keys are {list}"))
                    }
                };
                self.at(file, key, fault);
            }
            if pairs[..i].iter().any(|(k, _)| k.text() == Some(text)) {
                let fault = Fault::new(
                    Span::default(),
                    "duplicate_key",
                    format!("'{text}'이(가) 두 번 나옵니다"),
                    format!("'{text}' stands here twice"),
                );
                self.at(file, key, fault);
            }
        }
        Some(pairs)
    }

    fn list<'n>(&mut self, file: usize, node: &'n Node) -> &'n [Node] {
        match &node.kind {
            NodeKind::List(items) => items,
            _ => {
                self.expected(file, node, "'-'로 시작하는 목록", "a list of items that begin with '-'");
                &[]
            }
        }
    }

    fn scalar(&mut self, file: usize, node: &Node) -> Option<String> {
        match node.text() {
            Some(t) => Some(t.to_string()),
            None => {
                self.expected(file, node, "글자", "a text");
                None
            }
        }
    }

    /// `name: 한국어` or `name: { ko: …, en: … }`.
    fn words(&mut self, file: usize, node: &Node) -> Words {
        if let Some(t) = node.text() {
            let korean = t.chars().any(|c| ('가'..='힣').contains(&c));
            let t = Some(t.to_string());
            return if korean { Words { ko: t, en: None } } else { Words { ko: None, en: t } };
        }
        let mut words = Words::default();
        for (key, value) in self.map(file, node, &["ko", "en"]).unwrap_or(&[]) {
            let text = self.scalar(file, value);
            match key.text() {
                Some("ko") => words.ko = text,
                Some("en") => words.en = text,
                _ => {}
            }
        }
        words
    }

    fn about(&mut self, file: usize, key: &str, value: &Node, about: &mut About) {
        match key {
            "name" => about.name = self.words(file, value),
            "description" => about.description = self.words(file, value),
            "goal" => about.goal = self.words(file, value),
            "treatment" => about.treatment = self.words(file, value),
            "owner" => about.owner = self.scalar(file, value),
            "tags" => about.tags = self.list(file, value).iter().filter_map(|t| t.text().map(str::to_string)).collect(),
            _ => {}
        }
    }

    fn written(&mut self, file: usize, node: &Node) -> Option<Written> {
        let text = self.scalar(file, node)?;
        let places = node.places(&self.files[file].chars);
        let (ast, faults) = parse(&text);
        let w = Written { file, text, ast, places };
        for fault in faults {
            self.in_text(&w, Severity::Error, fault);
        }
        Some(w)
    }

    fn events(&mut self, file: usize, node: &Node) {
        for (key, value) in self.map(file, node, &[]).unwrap_or(&[]) {
            let Some(alias) = key.text() else { continue };
            let mut raw = RawEvent { names: vec![], filter: None };
            if let Some(name) = value.text() {
                raw.names.push(name.to_string());
            } else {
                for (k, v) in self.map(file, value, &["event", "where"]).unwrap_or(&[]) {
                    match (k.text(), &v.kind) {
                        (Some("event"), NodeKind::List(list)) => {
                            raw.names.extend(list.iter().filter_map(|n| n.text().map(str::to_string)));
                        }
                        (Some("event"), _) => raw.names.extend(self.scalar(file, v)),
                        (Some("where"), _) => raw.filter = self.written(file, v),
                        _ => {}
                    }
                }
            }
            if raw.names.is_empty() {
                self.expected(file, value, "event: 이벤트 이름", "event: and the name of an event");
            }
            self.declare(file, key, "events", alias);
            self.events.insert(alias.to_string(), raw);
        }
    }

    fn occasions(&mut self, file: usize, node: &Node) {
        for item in self.list(file, node) {
            let mut occasion = Occasion { id: String::new(), ko: String::new(), en: String::new(), dates: vec![] };
            for (key, value) in self.map(file, item, &["id", "name", "dates"]).unwrap_or(&[]) {
                match key.text().unwrap_or("") {
                    "id" => occasion.id = self.scalar(file, value).unwrap_or_default(),
                    "name" => {
                        let words = self.words(file, value);
                        occasion.ko = words.ko.clone().or(words.en.clone()).unwrap_or_default();
                        occasion.en = words.en.or(words.ko).unwrap_or_default();
                    }
                    "dates" => {
                        for d in self.list(file, value) {
                            match d.text().and_then(Date::parse) {
                                Some(d) => occasion.dates.push(d),
                                None => self.expected(file, d, "날짜(예: 2026-09-25)", "a date such as 2026-09-25"),
                            }
                        }
                    }
                    _ => {}
                }
            }
            if occasion.id.is_empty() {
                self.expected(file, item, "id", "an id");
                continue;
            }
            self.declare(file, item, "occasions", &occasion.id);
            self.occasions.push(occasion);
        }
    }

    fn measures(&mut self, file: usize, node: &Node) {
        for (key, value) in self.map(file, node, &[]).unwrap_or(&[]) {
            let Some(id) = key.text().map(str::to_string) else { continue };
            let mut about = About::default();
            let when = if value.text().is_some() {
                self.written(file, value)
            } else {
                let mut when = None;
                for (k, v) in self.map(file, value, &["value", "name", "description"]).unwrap_or(&[]) {
                    match k.text().unwrap_or("") {
                        "value" => when = self.written(file, v),
                        other => self.about(file, other, v, &mut about),
                    }
                }
                when
            };
            self.claim(file, key, &id);
            match when {
                Some(when) => self.measures.push(RawDef { id, about, when }),
                None => self.expected(file, value, "식", "an expression"),
            }
        }
    }

    /// A short name or occasion of another file is replaced, which is worth a word.
    fn declare(&mut self, file: usize, node: &Node, section: &'static str, id: &str) {
        let before = self.declared.insert((section, id.to_string()), (file, node.line));
        if let Some((other, line)) = before.filter(|(other, _)| *other != file) {
            let name = self.files[other].name.clone();
            let fault = Fault::new(
                Span::default(),
                "duplicate",
                format!("'{id}'은(는) {name}:{line}에도 있습니다. 모든 파일에서 여기의 뜻을 씁니다"),
                format!("'{id}' is declared at {name}:{line} too; in all files it means what stands here"),
            );
            let fault = fault.hint("한 곳만 남기거나 이름을 바꾸세요", "keep one of them, or rename one");
            self.problem(file, node.index, id.chars().count(), Severity::Warning, fault);
        }
    }

    /// Ids are unique among measures, segments and partitions together.
    fn claim(&mut self, file: usize, node: &Node, id: &str) {
        if !id.starts_with(|c: char| c.is_alphabetic() || c == '_')
            || !id.chars().all(|c| c.is_alphanumeric() || c == '_')
        {
            let fault = Fault::new(
                Span::default(),
                "id",
                format!("'{id}'은(는) id로 쓸 수 없습니다: 글자로 시작하고 글자, 숫자, _만 씁니다"),
                format!("'{id}' cannot be an id: begin with a letter, then letters, digits and _"),
            );
            self.at(file, node, fault);
        }
        if let Some((other, line)) = self.ids.get(id).copied() {
            let name = self.files[other].name.clone();
            let fault = Fault::new(
                Span::default(),
                "duplicate_id",
                format!("'{id}'은(는) 이미 {name}:{line}에 있습니다"),
                format!("'{id}' is defined already, at {name}:{line}"),
            );
            self.at(file, node, fault);
        } else {
            self.ids.insert(id.to_string(), (file, node.line));
        }
    }

    fn definition(&mut self, file: usize, node: &Node) -> Option<RawDef> {
        let (mut id, mut when, mut about) = (None, None, About::default());
        let known: Vec<&str> = ["id", "when"].into_iter().chain(ABOUT).collect();
        for (key, value) in self.map(file, node, &known)? {
            match key.text().unwrap_or("") {
                "id" => id = self.scalar(file, value).map(|id| (id, value)),
                "when" => when = self.written(file, value),
                other => self.about(file, other, value, &mut about),
            }
        }
        let Some((id, at)) = id else {
            self.expected(file, node, "id", "an id");
            return None;
        };
        self.claim(file, at, &id);
        let Some(when) = when else {
            self.expected(file, node, "when: 조건", "when: and a condition");
            return None;
        };
        Some(RawDef { id, about, when })
    }

    fn partition(&mut self, file: usize, node: &Node) {
        let (mut id, mut about, mut classes) = (None, About::default(), vec![]);
        let mut otherwise = Otherwise { id: "other".into(), about: About::default() };
        let known: Vec<&str> = ["id", "classes", "otherwise"].into_iter().chain(ABOUT).collect();
        for (key, value) in self.map(file, node, &known).unwrap_or(&[]) {
            match key.text().unwrap_or("") {
                "id" => id = self.scalar(file, value).map(|id| (id, value)),
                "classes" => {
                    // Class ids live within their partition.
                    let outer = std::mem::take(&mut self.ids);
                    for class in self.list(file, value) {
                        classes.extend(self.definition(file, class));
                    }
                    self.ids = outer;
                }
                "otherwise" => match value.text() {
                    Some(t) => otherwise.id = t.to_string(),
                    None => {
                        let known: Vec<&str> = ["id"].into_iter().chain(ABOUT).collect();
                        for (k, v) in self.map(file, value, &known).unwrap_or(&[]) {
                            match k.text().unwrap_or("") {
                                "id" => otherwise.id = self.scalar(file, v).unwrap_or_default(),
                                other => self.about(file, other, v, &mut otherwise.about),
                            }
                        }
                    }
                },
                other => self.about(file, other, value, &mut about),
            }
        }
        let Some((id, at)) = id else {
            self.expected(file, node, "id", "an id");
            return;
        };
        self.claim(file, at, &id);
        if classes.iter().any(|c| c.id == otherwise.id) {
            let fault = Fault::new(
                Span::default(),
                "duplicate_id",
                format!("otherwise의 id '{}'이(가) 다른 클래스와 같습니다", otherwise.id),
                format!("otherwise has the id '{}' of a class", otherwise.id),
            );
            self.at(file, at, fault);
        }
        self.partitions.push(RawPartition { id, about, classes, otherwise });
    }

    // ---- resolving

    fn library(mut self, schema: Option<&Schema>) -> (Library, Places, Vec<Problem>) {
        let mut occasions = Occasions::builtin();
        std::mem::take(&mut self.occasions).into_iter().for_each(|o| occasions.insert(o));
        let events = std::mem::take(&mut self.events);
        let (measures, segments) = (std::mem::take(&mut self.measures), std::mem::take(&mut self.segments));
        let partitions = std::mem::take(&mut self.partitions);
        let zone = self.zone.clone().unwrap_or_else(Zone::seoul);
        let asts = |defs: &[RawDef]| defs.iter().map(|d| (d.id.clone(), d.when.ast.clone())).collect::<Vec<_>>();
        let classes = partitions
            .iter()
            .map(|p| {
                let mut ids: Vec<String> = p.classes.iter().map(|c| c.id.clone()).collect();
                ids.push(p.otherwise.id.clone());
                (p.id.clone(), ids, p.classes.iter().map(|c| c.when.ast.clone()).collect())
            })
            .collect();
        let aliases = events
            .iter()
            .map(|(k, e)| (k.clone(), (e.names.clone(), e.filter.as_ref().map(|w| w.ast.clone()))))
            .collect();
        let mut r = Resolver::new(zone.clone(), &occasions, aliases, asts(&measures), asts(&segments), classes, schema);

        for (alias, raw) in &events {
            if let Some(w) = &raw.filter {
                r.check_alias(alias);
                self.take(&mut r, w);
            }
        }
        let mut out = Library {
            zone,
            currency: self.currency.clone().unwrap_or_else(|| "KRW".into()),
            occasions: occasions.clone(),
            measures: vec![],
            segments: vec![],
            partitions: vec![],
        };
        // Each after those that it uses, so that their types are known.
        let mut exprs: BTreeMap<usize, Expr> = BTreeMap::new();
        for i in r.measure_order() {
            exprs.insert(i, r.measure(i, &measures[i].when.ast));
            self.take(&mut r, &measures[i].when);
        }
        let mut places = Places { measures: vec![], segments: vec![], classes: vec![] };
        for (def, expr) in measures.into_iter().zip(exprs.into_values()) {
            out.measures.push(Measure { id: def.id, name: def.about.name, expr, source: def.when.text.clone() });
            places.measures.push(def.when);
        }
        for def in segments {
            let when = r.segment(&def.when.ast);
            self.take(&mut r, &def.when);
            out.segments.push(Segment { id: def.id, about: def.about, when, source: def.when.text.clone() });
            places.segments.push(def.when);
        }
        for p in partitions {
            let (mut classes, mut wheres) = (vec![], vec![]);
            for def in p.classes {
                let when = r.segment(&def.when.ast);
                self.take(&mut r, &def.when);
                classes.push(Class { id: def.id, about: def.about, when, source: def.when.text.clone() });
                wheres.push(def.when);
            }
            places.classes.push(wheres);
            out.partitions.push(Partition { id: p.id, about: p.about, classes, otherwise: p.otherwise });
        }
        let mut problems = self.problems;
        let order = |p: &Problem| (files_index(&self.files, &p.file), p.line, p.column);
        problems.sort_by_key(order);
        problems.dedup();
        (out, places, problems)
    }

    fn take(&mut self, r: &mut Resolver, w: &Written) {
        for (severity, fault) in r.take_faults() {
            self.in_text(w, severity, fault);
        }
    }
}

fn files_index(files: &[Source], name: &str) -> usize {
    files.iter().position(|f| f.name == name).unwrap_or(usize::MAX)
}
