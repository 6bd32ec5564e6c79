//! A partition's definition file as fields, and back into the same file. Classes that are not changed keep their lines
//! as they were written, comments included, wherever they are moved.

use super::draft::{About, Draft, column, last_line, words};
use crate::yaml::{Node, NodeKind, read};

/// One partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionDraft {
    pub about: About,
    pub classes: Vec<ClassDraft>,
    /// Its condition is empty.
    pub otherwise: ClassDraft,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassDraft {
    pub about: About,
    pub when: String,
    /// The id that it has in the file; empty for a new one.
    pub was: String,
}

/// Where the parts of a file stand, in lines from 0; ends are not included.
struct Layout<'a> {
    lines: Vec<&'a str>,
    /// Characters before the dash of the partition.
    indent: usize,
    start: usize,
    end: usize,
    /// The line `classes:` and the line behind the last class.
    classes: (usize, usize),
    /// Characters before the dashes of the classes.
    dash: usize,
    /// With the comments before each.
    each: Vec<(usize, usize)>,
    /// The line `otherwise:` and the line behind it.
    otherwise: Option<(usize, usize)>,
}

impl PartitionDraft {
    /// The one partition that a file defines; `None` if it defines another number of them or cannot be read.
    pub fn read(yaml: &str) -> Option<PartitionDraft> {
        let root = read(yaml).ok()??;
        let pairs = item(&root)?;
        let mut out = PartitionDraft { about: about(pairs)?.0, ..PartitionDraft::default() };
        for (key, value) in pairs {
            match (key.text()?, &value.kind) {
                ("classes", NodeKind::List(items)) => {
                    for item in items {
                        let NodeKind::Map(pairs) = &item.kind else { return None };
                        let (about, when) = about(pairs)?;
                        out.classes.push(ClassDraft { was: about.id.clone(), about, when });
                    }
                }
                ("otherwise", NodeKind::Scalar { text, .. }) => {
                    out.otherwise.about.id = text.clone();
                    out.otherwise.was = text.clone();
                }
                ("otherwise", NodeKind::Map(pairs)) => {
                    out.otherwise.about = about(pairs)?.0;
                    out.otherwise.was = out.otherwise.about.id.clone();
                }
                ("classes" | "otherwise", _) => return None,
                _ => {}
            }
        }
        Some(out)
    }

    /// The lines (from 1) on which the classes begin, and behind them the one of `otherwise`.
    pub fn lines(yaml: &str) -> Option<Vec<usize>> {
        let root = read(yaml).ok()??;
        let mut out = vec![];
        let mut last = usize::MAX;
        for (key, value) in item(&root)? {
            match (key.text()?, &value.kind) {
                ("classes", NodeKind::List(items)) => out.extend(items.iter().map(|i| i.line)),
                ("otherwise", _) => last = key.line,
                _ => {}
            }
        }
        out.push(last);
        Some(out)
    }

    /// `base` with this partition in it; `None` where the file holds more than it and has a shape that lines cannot mend.
    pub fn write(&self, base: &str) -> Option<String> {
        let kept = |text: String| PartitionDraft::read(&text).filter(|d| d.says(self)).map(|_| text);
        if let Some(text) = self.mended(base).and_then(kept) {
            return Some(text);
        }
        let more = read(base).ok().flatten().is_some_and(|root| match &root.kind {
            NodeKind::Map(all) => all.iter().any(|(k, _)| !matches!(k.text(), Some("version" | "partitions"))),
            _ => true,
        });
        (!more).then(|| self.whole())
    }

    fn says(&self, other: &PartitionDraft) -> bool {
        let class = |a: &ClassDraft, b: &ClassDraft| a.about == b.about && a.when.trim() == b.when.trim();
        self.about == other.about
            && self.otherwise.about == other.otherwise.about
            && self.classes.len() == other.classes.len()
            && self.classes.iter().zip(&other.classes).all(|(a, b)| class(a, b))
    }

    fn whole(&self) -> String {
        let mut out = String::from("version: 1\npartitions:\n");
        let head = Draft::new(self.about.clone(), "true".into()).write("");
        shifted(&head, 2).iter().filter(|l| l.trim() != "when: true").for_each(|l| line(&mut out, l));
        line(&mut out, "    classes:");
        for c in &self.classes {
            let text = Draft::new(c.about.clone(), c.when.clone()).write("");
            shifted(&text, 6).iter().for_each(|l| line(&mut out, l));
        }
        self.last(4).iter().for_each(|l| line(&mut out, l));
        out
    }

    /// The lines of `otherwise`.
    fn last(&self, indent: usize) -> Vec<String> {
        let text = Draft::new(self.otherwise.about.clone(), "true".into()).write("");
        let mut out = vec![format!("{}otherwise:", " ".repeat(indent))];
        let own = shifted(&text, indent).into_iter().filter(|l| l.trim() != "when: true");
        // The dash of the list gives way to a space.
        out.extend(own.enumerate().map(|(i, l)| if i == 0 { l.replacen("- ", "  ", 1) } else { l }));
        out
    }

    fn mended(&self, base: &str) -> Option<String> {
        let at = layout(base)?;
        let old = PartitionDraft::read(base)?;
        if old.classes.len() != at.each.len() {
            return None;
        }
        let text = |from: usize, to: usize| at.lines[from..to].iter().map(|l| format!("{l}\n")).collect::<String>();
        let mut classes = String::new();
        for c in &self.classes {
            let was = old.classes.iter().position(|o| o.was == c.was && !c.was.is_empty());
            let block = was.map(|i| text(at.each[i].0, at.each[i].1));
            match (was, block) {
                (Some(i), Some(block)) if old.classes[i] == *c => classes += &block,
                (Some(_), Some(block)) => {
                    let written = Draft::new(c.about.clone(), c.when.clone()).write(&format!("segments:\n{block}"));
                    match written.strip_prefix("segments:\n") {
                        Some(own) => classes += own,
                        None => shifted(&written, at.dash).iter().for_each(|l| line(&mut classes, l)),
                    }
                }
                _ => {
                    let written = Draft::new(c.about.clone(), c.when.clone()).write("");
                    shifted(&written, at.dash).iter().for_each(|l| line(&mut classes, l));
                }
            }
        }
        let last = match at.otherwise {
            Some((from, to)) if self.otherwise.about == old.otherwise.about => text(from, to),
            _ => self.last(at.indent + 2).iter().map(|l| format!("{l}\n")).collect(),
        };
        let head = |from: usize, to: usize| -> Option<String> {
            let own = text(from, to);
            if self.about == old.about {
                return Some(own);
            }
            let mark = format!("{}when: true\n", " ".repeat(at.indent + 2));
            let written = Draft::new(self.about.clone(), "true".into()).write(&format!("segments:\n{own}{mark}"));
            let own = written.strip_prefix("segments:\n")?;
            own.contains(&mark).then(|| own.replacen(&mark, "", 1))
        };
        let mut out = text(0, at.start);
        let (list, behind) = at.classes;
        match at.otherwise {
            // In front of the classes.
            Some((from, to)) if from < list => {
                out += &head(at.start, from)?;
                out += &last;
                out += &text(to, list);
                line(&mut out, at.lines[list]);
                out += &classes;
                out += &text(behind, at.end);
            }
            Some((from, to)) => {
                out += &head(at.start, list)?;
                line(&mut out, at.lines[list]);
                out += &classes;
                out += &text(behind, from);
                out += &last;
                out += &text(to, at.end);
            }
            None => {
                out += &head(at.start, list)?;
                line(&mut out, at.lines[list]);
                out += &classes;
                out += &last;
                out += &text(behind, at.end);
            }
        }
        out += &text(at.end, at.lines.len());
        Some(out)
    }
}

fn line(out: &mut String, line: &str) {
    out.push_str(line);
    out.push('\n');
}

/// The item of a file of one segment, with its dash so far in.
fn shifted(text: &str, dash: usize) -> Vec<String> {
    let own: Vec<&str> = text.lines().skip_while(|l| !l.trim_start().starts_with("- ")).collect();
    let now = own.first().map_or(0, |l| l.len() - l.trim_start().len());
    let pad = |l: &&str| match l.trim().is_empty() {
        true => String::new(),
        false => format!("{}{}", " ".repeat(dash), l.get(now..).unwrap_or(l.trim_start())),
    };
    own.iter().map(pad).collect()
}

fn layout(yaml: &str) -> Option<Layout<'_>> {
    let root = read(yaml).ok()??;
    let pairs = item(&root)?;
    let lines: Vec<&str> = yaml.lines().collect();
    let owned: Vec<String> = lines.iter().map(|l| l.to_string()).collect();
    let start = pairs.first()?.0.line.checked_sub(1)?;
    let inner = column(yaml, &pairs.first()?.0);
    let indent = lines.get(start)?.find('-')?;
    if !lines[start][..indent].trim().is_empty() || pairs.iter().any(|(k, _)| column(yaml, k) != inner) {
        return None;
    }
    let end = last_line(&owned, start, indent) + 1;
    let mut out = Layout { indent, start, end, classes: (0, 0), dash: 0, each: vec![], otherwise: None, lines };
    for (key, value) in pairs {
        let own = key.line.checked_sub(1)?;
        match (key.text()?, &value.kind) {
            ("classes", NodeKind::List(items)) => {
                let starts: Vec<usize> = items.iter().map(|i| i.line.checked_sub(1)).collect::<Option<_>>()?;
                out.dash = out.lines.get(*starts.first()?)?.find('-')?;
                let same = |s: &usize| {
                    out.lines.get(*s).is_some_and(|l| l.find('-') == Some(out.dash) && l[..out.dash].trim().is_empty())
                };
                if starts.first() == Some(&own) || !starts.iter().all(same) {
                    return None;
                }
                let behind = last_line(&owned, *starts.last()?, out.dash) + 1;
                // Comments before a dash belong to the class below them.
                let mut froms = starts.clone();
                for f in &mut froms {
                    while *f > own + 1 && out.lines[*f - 1].trim_start().starts_with('#') {
                        *f -= 1;
                    }
                }
                let ends = froms.iter().skip(1).copied().chain([behind]);
                out.each = froms.iter().copied().zip(ends).collect();
                if froms.first() != Some(&(own + 1)) {
                    return None;
                }
                out.classes = (own, behind);
            }
            ("otherwise", NodeKind::Map(pairs)) if pairs.first().is_some_and(|(k, _)| k.line == key.line) => {
                out.otherwise = Some((own, own + 1));
            }
            ("otherwise", _) => {
                out.otherwise = Some((own, last_line(&owned, own, inner) + 1));
            }
            _ => {}
        }
    }
    (!out.each.is_empty()).then_some(out)
}

/// The pairs of the only item under `partitions`.
fn item(root: &Node) -> Option<&[(Node, Node)]> {
    let NodeKind::Map(all) = &root.kind else { return None };
    let mut lists = all.iter().filter(|(k, _)| k.text() == Some("partitions"));
    let (Some((_, list)), None) = (lists.next(), lists.next()) else { return None };
    let NodeKind::List(items) = &list.kind else { return None };
    match items.as_slice() {
        [Node { kind: NodeKind::Map(pairs), .. }] => Some(pairs),
        _ => None,
    }
}

/// What a mapping says about itself, and its condition.
fn about(pairs: &[(Node, Node)]) -> Option<(About, String)> {
    let (mut about, mut when) = (About::default(), String::new());
    for (key, value) in pairs {
        match key.text()? {
            "id" => about.id = value.text()?.to_string(),
            "name" => (about.name_ko, about.name_en) = words(value)?,
            "description" => (about.description_ko, about.description_en) = words(value)?,
            "goal" => (about.goal_ko, about.goal_en) = words(value)?,
            "treatment" => (about.treatment_ko, about.treatment_en) = words(value)?,
            "owner" => about.owner = value.text()?.to_string(),
            "tags" => {
                let NodeKind::List(list) = &value.kind else { return None };
                about.tags = list.iter().map(|t| t.text().map(str::to_string)).collect::<Option<_>>()?;
            }
            "when" => when = value.text()?.to_string(),
            _ => {}
        }
    }
    Some((about, when))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# Above.
version: 1
partitions:
  - id: steps
    name: { ko: 단계, en: Steps }
    tags: [a]
    classes:
      # The first one.
      - id: new
        name: { ko: 신규, en: New }
        treatment: { ko: 환영합니다, en: Welcome them }
        # Ninety days.
        when: orders = 1 and since(order) <= 90d
      - id: active
        when: since(order) <= 90d
    otherwise:
      id: other
      name: { ko: 나머지, en: Others }
";

    #[test]
    fn what_is_not_changed_stays_as_written_wherever_it_is_moved() {
        let draft = PartitionDraft::read(FILE).unwrap();
        assert_eq!(draft.write(FILE).unwrap(), FILE);
        let mut turned = draft.clone();
        turned.classes.reverse();
        let text = turned.write(FILE).unwrap();
        let (first, second) =
            (text.find("- id: active").unwrap(), text.find("      # The first one.\n      - id: new").unwrap());
        assert!(first < second, "{text}");
        assert!(text.contains("        # Ninety days.\n"), "{text}");
        turned.classes.reverse();
        assert_eq!(turned.write(&text).unwrap(), FILE);
    }

    #[test]
    fn fields_change_their_lines_alone() {
        let mut draft = PartitionDraft::read(FILE).unwrap();
        draft.classes[0].when = "orders = 1 and since(order) <= 60d".into();
        assert_eq!(
            draft.write(FILE).unwrap(),
            FILE.replace("orders = 1 and since(order) <= 90d", "orders = 1 and since(order) <= 60d")
        );
        draft = PartitionDraft::read(FILE).unwrap();
        draft.about.name_en = "Stages".into();
        assert_eq!(draft.write(FILE).unwrap(), FILE.replace("en: Steps", "en: Stages"));
        draft = PartitionDraft::read(FILE).unwrap();
        draft.otherwise.about.name_ko = "기타".into();
        assert_eq!(draft.write(FILE).unwrap(), FILE.replace("ko: 나머지", "ko: 기타"));
    }

    #[test]
    fn classes_come_and_go() {
        let mut draft = PartitionDraft::read(FILE).unwrap();
        let about = About { id: "gone".into(), name_ko: "이탈".into(), ..About::default() };
        draft.classes.insert(1, ClassDraft { about, when: "since(order) > 365d".into(), was: String::new() });
        draft.classes.remove(0);
        let text = draft.write(FILE).unwrap();
        let back = PartitionDraft::read(&text).unwrap();
        assert_eq!(back.classes.iter().map(|c| c.about.id.as_str()).collect::<Vec<_>>(), ["gone", "active"]);
        assert!(!text.contains("The first one") && text.starts_with("# Above."), "{text}");
        assert!(crate::load(&[("f".into(), text.clone())], None).1.iter().all(|p| p.code != "yaml"), "{text}");
    }

    #[test]
    fn other_shapes_are_written_anew_if_nothing_else_is_lost() {
        let flow = "partitions: [{ id: p, classes: [{ id: a, when: orders > 1 }], otherwise: b }]";
        let mut draft = PartitionDraft::read(flow).unwrap();
        draft.classes[0].when = "orders > 2".into();
        let text = draft.write(flow).unwrap();
        let back = PartitionDraft::read(&text).unwrap();
        assert!(back.says(&draft), "{text}");
        assert_eq!(draft.write(&format!("events: {{ x: {{ event: X }} }}\n{flow}")), None);
        // A new one.
        assert!(PartitionDraft::read(&draft.write("").unwrap()).unwrap().says(&draft));
        for bad in ["", "partitions: 1", "segments: []", "partitions: [", "partitions: [{ id: [] }]"] {
            assert_eq!(PartitionDraft::read(bad), None, "{bad}");
        }
    }

    /// The files that everybody begins with.
    #[test]
    fn the_starter_partitions_survive_an_edit_of_every_class() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../segments");
        let text = std::fs::read_to_string(folder.join("lifecycle.yaml")).unwrap();
        let draft = PartitionDraft::read(&text).unwrap();
        assert_eq!(draft.write(&text).unwrap(), text);
        for i in 0..draft.classes.len() {
            let mut new = draft.clone();
            new.classes[i].when = "orders = 7".into();
            let written = new.write(&text).unwrap();
            let changed = written.lines().filter(|l| !text.contains(*l)).count();
            assert!(changed <= 1, "{i}: {written}");
            assert_eq!(
                written.lines().filter(|l| l.contains('#')).count(),
                text.lines().filter(|l| l.contains('#')).count()
            );
        }
    }
}
