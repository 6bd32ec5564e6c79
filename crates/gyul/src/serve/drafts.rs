//! Files that people look at before they are imported: what the columns mean, and what would become of the rows.

use super::imports::{failed, remark, tells};
use super::{Live, lock, storage};
use crate::verbs::import::map_path;
use gyul_engine::{Engine, ImportFailure};
use gyul_ingest::{
    Context, DecimalStyle, Field, FieldType, Grain, Inferred, Input, Kind, Mapper, Mapping, Options, Problem as Found,
    RejectCode, Role, Source, TimeFormat, propose,
};
use gyul_model::{Lang, Zone};
use gyul_web::data::*;
use gyul_web::{Refusal, Reply};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Files that wait at the same time; the oldest gives way.
const KEPT_MAX: usize = 16;
const AGE_MAX: Duration = Duration::from_secs(6 * 3600);
/// Rows that are tried.
const TRIED_ROWS: u64 = 20_000;
const SAMPLE_ROWS: usize = 5;
const CELL_CHARS: usize = 120;
const EXAMPLES: usize = 3;

#[derive(Default)]
pub(super) struct Uploads {
    last: u64,
    files: BTreeMap<u64, Upload>,
}

#[derive(Clone)]
struct Upload {
    path: PathBuf,
    name: String,
    bytes: u64,
    made: Instant,
}

impl Uploads {
    /// Forgets what is old, and makes room for one more.
    fn tidy(&mut self) {
        let old = |u: &Upload| u.made.elapsed() > AGE_MAX;
        while self.files.first_key_value().is_some_and(|(_, u)| old(u)) || self.files.len() >= KEPT_MAX {
            let Some((_, gone)) = self.files.pop_first() else { break };
            remove(&gone.path);
        }
    }
}

/// What is left over goes with the next start.
fn remove(path: &Path) {
    let _ = std::fs::remove_file(path);
}

impl Live {
    pub(super) fn drafted(&self, path: PathBuf, name: &str) -> Reply<Draft> {
        let bytes = std::fs::metadata(&path).map_err(|_| Refusal::Storage(10))?.len();
        // Under a name by which an erasure knows that nobody needs it yet.
        let name_of = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let kept = path.with_file_name(format!("{}{name_of}", gyul_engine::live::DRAFT));
        std::fs::rename(&path, &kept).map_err(|_| Refusal::Storage(10))?;
        let path = kept;
        let mut uploads = lock(&self.uploads);
        uploads.tidy();
        uploads.last += 1;
        let id = uploads.last;
        uploads.files.insert(id, Upload { path, name: name.to_string(), bytes, made: Instant::now() });
        Ok(Draft { id, name: name.to_string(), bytes, ..Draft::default() })
    }

    pub(super) fn dropped(&self, id: u64) -> Reply<()> {
        let upload = lock(&self.uploads).files.remove(&id).ok_or(Refusal::NotFound)?;
        remove(&upload.path);
        Ok(())
    }

    pub(super) fn draft_imported(&self, id: u64, mapping: &str) -> Reply<Import> {
        let mapping = Mapping::from_yaml(mapping).map_err(|p| Refusal::Invalid(problems(&p)))?;
        let mut upload = lock(&self.uploads).files.remove(&id).ok_or(Refusal::NotFound)?;
        // It has its turn: an erasure names it from now on.
        let name_of = upload.path.file_name().map(|n| n.to_string_lossy().replacen(gyul_engine::live::DRAFT, "", 1));
        let going = upload.path.with_file_name(name_of.unwrap_or_default());
        std::fs::rename(&upload.path, &going).map_err(|_| Refusal::NotFound)?;
        upload.path = going;
        match self.begin(upload.path.clone(), &upload.name, Some(mapping)) {
            Ok(import) => Ok(import),
            Err(e) => {
                // It can be tried again.
                lock(&self.uploads).files.insert(id, upload);
                Err(e)
            }
        }
    }

    pub(super) fn tried(&self, id: u64, meaning: &Meaning) -> Reply<Draft> {
        let upload = lock(&self.uploads).files.get(&id).cloned().ok_or(Refusal::NotFound)?;
        let mut draft = Draft { id, name: upload.name.clone(), bytes: upload.bytes, ..Draft::default() };
        let file = std::fs::File::open(&upload.path).map_err(|_| Refusal::NotFound)?;
        let mut source = match Source::open(&upload.name, Input::File(file), &Options::default()) {
            Ok(source) => source,
            Err(e) => {
                draft.problems = vec![*failed(ImportFailure::Input(e))];
                return Ok(draft);
            }
        };
        let settings = self.workspace();
        let zone = Zone::new(&settings.zone).unwrap_or_else(Zone::seoul);
        let context = Context { zone, now: self.hub.now(), currency: Some(settings.currency) };
        let remembered = |kind: Kind| {
            let path = map_path(self.hub.dir(), &upload.name, kind.as_str());
            std::fs::read_to_string(path).ok().and_then(|t| Mapping::from_yaml(&t).ok())
        };
        let sample = source.sample();
        let guess = |kind| propose(kind, source.header(), &sample, &context);
        let (found, mapping, mut wrong): (Inferred, Mapping, Vec<Found>) = match meaning {
            Meaning::Yaml(yaml) => {
                let mapping = Mapping::from_yaml(yaml).map_err(|p| Refusal::Invalid(problems(&p)))?;
                (guess(mapping.kind).0, mapping, vec![])
            }
            Meaning::Chosen(chosen) => {
                let (found, _) = guess(Kind::parse(&chosen.kind).unwrap_or(Kind::Orders));
                let mapping = as_chosen(chosen, source.header(), &found.mapping);
                (found, mapping, vec![])
            }
            Meaning::Inferred(kind) => {
                let wanted = kind.as_deref().and_then(Kind::parse);
                let kinds = wanted.map_or(vec![Kind::Events, Kind::Orders, Kind::Profiles], |k| vec![k]);
                let kept = kinds.iter().find_map(|k| remembered(*k));
                draft.remembered = kept.is_some();
                match kept {
                    Some(mapping) => (guess(mapping.kind).0, mapping, vec![]),
                    None => {
                        let mut all: Vec<(Inferred, Vec<Found>)> = kinds.into_iter().map(guess).collect();
                        let fits = |(f, p): &(Inferred, Vec<Found>)| p.is_empty() && tells(f.mapping.kind, &f.mapping);
                        let least = || all.iter().enumerate().min_by_key(|(_, (_, p))| p.len()).map_or(0, |(i, _)| i);
                        let best = all.iter().position(fits).unwrap_or_else(least);
                        let (found, wrong) = all.swap_remove(best);
                        (found.clone(), found.mapping, wrong)
                    }
                }
            }
        };
        let header = source.header().to_vec();
        draft.found = source.description().to_string();
        draft.kind = mapping.kind.as_str().into();
        draft.lines = mapping.grain == Grain::Lines;
        draft.time_format = mapping.time.map_or("", TimeFormat::as_str).into();
        draft.decimal_comma = mapping.decimal == DecimalStyle::Comma;
        draft.event = mapping.event.clone().unwrap_or_default();
        draft.mapping = mapping.to_yaml();
        if found.mapping == mapping {
            draft.remarks = found.notes.iter().map(remark).collect();
        }
        let cell = |row: usize, column: usize| sample.cell(row, column).chars().take(CELL_CHARS).collect::<String>();
        let rows = (0..sample.len()).take(SAMPLE_ROWS);
        draft.sample = rows.map(|r| (0..header.len()).map(|c| cell(r, c)).collect()).collect();
        let column = |(i, name): (usize, &String)| {
            let meaning = meaning_of(&mapping, name);
            let own = |target: &str| {
                target == meaning.target || target.split_once('.').is_some_and(|(_, n)| n == meaning.name)
            };
            let choice = found.choices.iter().find(|c| c.column == *name && own(&c.target));
            let mut samples: Vec<String> = vec![];
            for r in 0..sample.len().min(200) {
                let value = cell(r, i);
                if samples.len() < EXAMPLES && !value.is_empty() && !samples.contains(&value) {
                    samples.push(value);
                }
            }
            DraftColumn {
                column: name.clone(),
                meaning,
                why_ko: choice.map(|c| c.why(Lang::Ko).to_string()),
                why_en: choice.map(|c| c.why(Lang::En).to_string()),
                confidence: choice.map(|c| c.confidence),
                samples,
            }
        };
        draft.columns = header.iter().enumerate().map(column).collect();
        drop(sample);
        match Mapper::new(&mapping, &header, &context) {
            Ok(mapper) if wrong.is_empty() => match try_rows(&mapper, &mut source) {
                Ok(tried) => draft.tried = Some(tried),
                Err(e) => draft.problems.push(*failed(ImportFailure::Input(e))),
            },
            Ok(_) => {}
            Err(more) => wrong.extend(more.into_iter().filter(|p| !wrong.contains(p)).collect::<Vec<_>>()),
        }
        draft.problems.extend(problems(&wrong));
        Ok(draft)
    }

    pub(super) fn rejects(&self) -> Reply<Vec<ImportRejects>> {
        let Some(files) = self.quarantine_files()? else { return Ok(vec![]) };
        let show = |(n, file): (usize, gyul_store::QuarantineFile)| {
            let mut reasons: Vec<RejectedRows> = vec![];
            for r in file.rows {
                let i = reasons.iter().position(|x| x.code == r.code).unwrap_or_else(|| {
                    reasons.push(reason(&r.code));
                    reasons.len() - 1
                });
                reasons[i].rows += 1;
                if reasons[i].examples.len() < EXAMPLES {
                    let line = if r.line > 0 { r.line } else { r.row };
                    reasons[i].examples.push(RejectedRow { line, column: r.column, content: short(&r.content) });
                }
            }
            reasons.sort_by_key(|r| std::cmp::Reverse(r.rows));
            ImportRejects { import: n as u64, source: file.source, reasons }
        };
        Ok(files.into_iter().filter(|(_, f)| !f.rows.is_empty()).map(show).collect())
    }

    fn quarantine_files(&self) -> Reply<Option<Vec<(usize, gyul_store::QuarantineFile)>>> {
        let dir = self.hub.dir();
        if !dir.join("gyul.json").exists() {
            return Ok(None);
        }
        Ok(Some(Engine::open(dir).and_then(|e| e.quarantine()).map_err(storage)?))
    }

    fn quarantine_file(&self, import: u64) -> Reply<gyul_store::QuarantineFile> {
        let files = self.quarantine_files()?.unwrap_or_default();
        files.into_iter().find(|(n, _)| *n as u64 == import).map(|(_, f)| f).ok_or(Refusal::NotFound)
    }

    pub(super) fn rejects_as_file(&self, import: u64) -> Reply<String> {
        let file = self.quarantine_file(import)?;
        let mut text = String::new();
        if !file.header.is_empty() {
            text += &format!("{}\n", file.header);
        }
        file.rows.iter().for_each(|r| text += &format!("{}\n", r.content.trim_end_matches(['\r', '\n'])));
        Ok(text)
    }

    pub(super) fn rejects_settled(&self, import: u64) -> Reply<()> {
        // An import writes the same files.
        let Ok(_turn) = self.turn.try_lock() else { return Err(Refusal::Busy(30)) };
        let file = self.quarantine_file(import)?;
        let rows: Vec<u64> = file.rows.iter().map(|r| r.row).collect();
        gyul_store::resolve(self.hub.dir(), &file.import, &rows).map_err(storage)
    }
}

fn short(text: &str) -> String {
    text.trim_end().chars().take(500).collect()
}

fn reason(code: &str) -> RejectedRows {
    let say = |l: Lang| RejectCode::parse(code).map_or(code, |c| c.message(l)).to_string();
    RejectedRows { code: code.into(), ko: say(Lang::Ko), en: say(Lang::En), ..RejectedRows::default() }
}

fn problems(found: &[Found]) -> Vec<Problem> {
    let show = |p: &Found| Problem {
        code: "import_mapping".into(),
        ko: p.message(Lang::Ko),
        en: p.message(Lang::En),
        ..Problem::default()
    };
    found.iter().map(show).collect()
}

fn try_rows(mapper: &Mapper, source: &mut Source) -> Result<Tried, gyul_ingest::InputError> {
    let mut out = Tried { whole: true, ..Tried::default() };
    while let Some(chunk) = source.next_chunk()? {
        if out.rows >= TRIED_ROWS {
            out.whole = false;
            break;
        }
        let mapped = mapper.map(chunk);
        out.rows += mapped.rows;
        out.events += mapped.accepted;
        for r in mapped.rejects {
            let code = r.code.as_str();
            let i = out.rejected.iter().position(|x| x.code == code).unwrap_or_else(|| {
                out.rejected.push(reason(code));
                out.rejected.len() - 1
            });
            let of = &mut out.rejected[i];
            of.rows += 1;
            if of.examples.len() < EXAMPLES {
                let line = if r.line > 0 { r.line } else { r.row };
                of.examples.push(RejectedRow { line, column: r.column, content: short(&r.content) });
            }
        }
        for note in mapped.notes {
            match out.unknown.iter_mut().find(|(c, _)| *c == note.column) {
                Some((_, n)) => *n += note.count,
                None => out.unknown.push((note.column, note.count)),
            }
        }
    }
    out.rejected.sort_by_key(|r| std::cmp::Reverse(r.rows));
    Ok(out)
}

/// What a mapping says of a column. Of several meanings the first: who somebody is comes before what they are like.
fn meaning_of(mapping: &Mapping, column: &str) -> ColumnMeaning {
    if let Some((role, _)) = mapping.columns.iter().find(|(_, c)| c == column) {
        return ColumnMeaning { target: role.as_str().into(), ..ColumnMeaning::default() };
    }
    let field = |target: &str, f: &Field| ColumnMeaning {
        target: target.into(),
        name: f.name.clone(),
        kind: match f.kind {
            FieldType::Text => "text",
            FieldType::Number => "number",
            FieldType::Bool => "bool",
            FieldType::Time(_) => "time",
            FieldType::List => "list",
        }
        .into(),
    };
    let own = |f: &&Field| f.column == column;
    let property = mapping.properties.iter().find(own).map(|f| field("property", f));
    property.or_else(|| mapping.traits.iter().find(own).map(|f| field("trait", f))).unwrap_or_default()
}

/// What was chosen as a mapping; what nobody can choose is as it was found.
fn as_chosen(chosen: &ChosenMapping, header: &[String], found: &Mapping) -> Mapping {
    let mut out = found.clone();
    out.kind = Kind::parse(&chosen.kind).unwrap_or(Kind::Orders);
    out.grain = if chosen.lines { Grain::Lines } else { Grain::Orders };
    out.decimal = if chosen.decimal_comma { DecimalStyle::Comma } else { DecimalStyle::Point };
    out.time = TimeFormat::parse(&chosen.time_format).or(found.time).or(Some(TimeFormat::Ymd));
    out.event = Some(chosen.event.trim().to_string()).filter(|e| !e.is_empty());
    out.columns.clear();
    out.properties.clear();
    out.ignore.clear();
    // A column may say who somebody is and be a trait besides, such as an e-mail address: that stays.
    let beside = std::mem::take(&mut out.traits);
    for (column, meaning) in header.iter().zip(&chosen.columns) {
        let kind = match meaning.kind.as_str() {
            "number" => FieldType::Number,
            "bool" => FieldType::Bool,
            "list" => FieldType::List,
            "time" => FieldType::Time(out.time.unwrap_or(TimeFormat::Ymd)),
            _ => FieldType::Text,
        };
        let name = Some(meaning.name.trim()).filter(|n| !n.is_empty()).unwrap_or(column).to_string();
        let field = Field { name, column: column.clone(), kind };
        match (Role::parse(&meaning.target), meaning.target.as_str()) {
            (Some(role), _) => {
                out.columns.push((role, column.clone()));
                out.traits.extend(beside.iter().filter(|t| t.column == *column && role == Role::Customer).cloned());
            }
            (_, "property") => out.properties.push(field),
            (_, "trait") => out.traits.push(field),
            _ => out.ignore.push(column.clone()),
        }
    }
    if out.columns.iter().all(|(r, _)| *r != Role::Time) {
        out.time = None;
    }
    out.columns.sort_by_key(|(role, _)| *role);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use gyul_web::Backend;

    fn bed() -> (tempfile::TempDir, Live) {
        let dir = tempfile::tempdir().unwrap();
        let live = crate::serve::open(&dir.path().join("data"), None).unwrap();
        (dir, live)
    }

    fn upload(dir: &tempfile::TempDir, live: &Live, name: &str, bytes: &[u8]) -> u64 {
        let path = dir.path().join(format!("upload-{name}"));
        std::fs::write(&path, bytes).unwrap();
        live.draft(path, name).unwrap().id
    }

    fn done(live: &Live, id: u64) -> Import {
        for _ in 0..500 {
            let import = live.imports().unwrap().into_iter().find(|i| i.id == id).unwrap();
            if import.done {
                return import;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the import does not end");
    }

    /// `주문번호,주문일시,누구,결제금액` in CP949.
    const HEADER: &[u8] = b"\xc1\xd6\xb9\xae\xb9\xf8\xc8\xa3,\xc1\xd6\xb9\xae\xc0\xcf\xbd\xc3,\xb4\xa9\xb1\xb8,\xb0\xe1\xc1\xa6\xb1\xdd\xbe\xd7\n";

    #[test]
    fn a_cp949_file_with_a_column_nobody_knows_is_settled_by_a_choice() {
        let (dir, live) = bed();
        let rows = b"o1,2026-01-05 10:00,kim,10000\no2,2026-01-06 10:00,lee,20000\no3,2026-01-07 10:00,lee,what\n";
        let id = upload(&dir, &live, "orders.csv", &[HEADER, rows].concat());
        let draft = live.try_draft(id, &Meaning::Inferred(None)).unwrap();
        assert!(draft.found.contains("CP949"), "{}", draft.found);
        assert_eq!(draft.columns[2].column, "누구");
        assert!(!draft.problems.is_empty() && draft.tried.is_none(), "nobody says who the customer is");
        let mut chosen = ChosenMapping {
            kind: draft.kind.clone(),
            lines: draft.lines,
            time_format: draft.time_format.clone(),
            columns: draft.columns.iter().map(|c| c.meaning.clone()).collect(),
            ..ChosenMapping::default()
        };
        chosen.columns[2].target = "customer".into();
        let draft = live.try_draft(id, &Meaning::Chosen(chosen)).unwrap();
        assert_eq!(draft.problems, []);
        let tried = draft.tried.unwrap();
        assert_eq!((tried.rows, tried.events, tried.rejected[0].rows, tried.whole), (3, 2, 1, true));
        assert_eq!((tried.rejected[0].examples[0].line, draft.sample.len()), (4, 3));
        assert!(live.search("kim", None, 5).unwrap().heads.is_empty(), "nothing is imported yet");
        let import = done(&live, live.import_draft(id, &draft.mapping).unwrap().id);
        assert_eq!((import.problem, import.rows, import.events, import.rejected), (None, 3, 2, 1));
        assert_eq!(live.search("kim", None, 5).unwrap().heads[0].id, "kim");
        let who = gyul_model::Identifier::of_handle("lee");
        let lee = live.customer(&who).unwrap();
        assert_eq!((lee.worth.orders, lee.worth.revenue), (1, Some(20_000.0)));
        assert_eq!(live.recent(5).unwrap()[0].id, "lee");
        // What was rejected waits, and the choice holds for the next file of this name.
        let rejects = live.import_rejects().unwrap();
        assert_eq!((rejects[0].source.as_str(), rejects[0].reasons[0].rows), ("orders.csv", 1));
        assert!(live.rejected_file(rejects[0].import).unwrap().contains("o3"));
        live.settle_rejects(rejects[0].import).unwrap();
        assert!(live.import_rejects().unwrap().is_empty());
        let again = upload(&dir, &live, "orders.csv", &[HEADER, b"o4,2026-01-09 10:00,kim,5000\n"].concat());
        let draft = live.try_draft(again, &Meaning::Inferred(None)).unwrap();
        assert!(draft.remembered && draft.problems.is_empty());
        assert_eq!(live.try_draft(id, &Meaning::Inferred(None)), Err(Refusal::NotFound), "imported drafts are gone");
        live.stop();
    }

    #[test]
    fn what_cannot_be_read_says_why_and_drafts_do_not_pile_up() {
        let (dir, live) = bed();
        let id = upload(&dir, &live, "a.csv", b"only,a,header\n");
        assert!(!live.try_draft(id, &Meaning::Inferred(None)).unwrap().problems.is_empty());
        let bad = Meaning::Yaml("kind: nothing".into());
        let readable = upload(&dir, &live, "b.csv", b"customer_id,order_time,amount\nC1,2026-01-05 10:00,5\n");
        assert!(matches!(live.try_draft(readable, &bad), Err(Refusal::Invalid(_))));
        let yaml = live.try_draft(readable, &Meaning::Inferred(None)).unwrap().mapping;
        assert_eq!(live.try_draft(readable, &Meaning::Yaml(yaml.clone())).unwrap().mapping, yaml);
        live.drop_draft(readable).unwrap();
        assert!(!dir.path().join("upload-b.csv").exists());
        assert_eq!(live.import_draft(readable, &yaml).err(), Some(Refusal::NotFound));
        for i in 0..KEPT_MAX + 3 {
            upload(&dir, &live, &format!("n{i}.csv"), b"a\n1\n");
        }
        assert_eq!(lock(&live.uploads).files.len(), KEPT_MAX);
        assert!(!dir.path().join("upload-n0.csv").exists());
        live.stop();
    }
}
