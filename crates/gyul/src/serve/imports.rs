//! Files that come in through the server, one after the other, while events go on coming in.

use super::{Live, lock, problem};
use crate::verbs::import::map_path;
use gyul_engine::live::Hub;
use gyul_engine::{Done, FileInput, ImportFailure, Imported, Request};
use gyul_ingest::{Context, Kind, Mapping, Options, Problem as Found, Role, Source};
use gyul_model::{Lang, Zone};
use gyul_store::{ImportMeta, Manifest};
use gyul_web::data::*;
use gyul_web::{Refusal, Reply};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Imports that are shown.
const SHOWN_MAX: usize = 1000;
/// Imports that may wait for their turn.
const WAITING_MAX: usize = 16;

/// Those that are in the base already, for the list.
pub(super) fn known(dir: &Path) -> Vec<Import> {
    let Ok(manifest) = Manifest::read(dir) else { return vec![] };
    let files = manifest.imports.iter().filter(|i| i.kind != "log").enumerate();
    let show = |(n, i): (usize, &ImportMeta)| Import {
        id: n as u64 + 1,
        // Where a file lay is nobody's business on a page.
        name: Path::new(&i.source).file_name().map_or(i.source.clone(), |n| n.to_string_lossy().into_owned()),
        rows: i.rows_done,
        events: i.events,
        duplicates: i.duplicates,
        rejected: i.rejected_total(),
        done: true,
        ..Import::default()
    };
    files.map(show).collect()
}

impl Live {
    pub(super) fn started(&self, file: PathBuf, name: &str) -> Reply<Import> {
        self.begin(file, name, None)
    }

    /// With a mapping that somebody chose, which is kept for later files of this name.
    pub(super) fn begin(&self, file: PathBuf, name: &str, mapping: Option<Mapping>) -> Reply<Import> {
        let bytes = std::fs::metadata(&file).map_err(|_| Refusal::Storage(10))?.len();
        let import = {
            let mut imports = lock(&self.imports);
            if imports.iter().filter(|i| !i.done).count() >= WAITING_MAX {
                return Err(Refusal::Busy(30));
            }
            let id = imports.last().map_or(1, |i| i.id + 1);
            let import = Import { id, name: name.to_string(), bytes, ..Import::default() };
            imports.push(import.clone());
            let much = imports.len().saturating_sub(SHOWN_MAX);
            imports.drain(..much);
            import
        };
        let settings = self.workspace();
        let job = Job {
            hub: self.hub.clone(),
            imports: self.imports.clone(),
            turn: self.turn.clone(),
            id: import.id,
            file,
            name: name.to_string(),
            mapping,
            zone: Zone::new(&settings.zone).unwrap_or_else(Zone::seoul),
            currency: settings.currency,
        };
        let thread = std::thread::Builder::new().name("gyul-import".into());
        thread.spawn(move || job.run()).map_err(|_| Refusal::Busy(10))?;
        Ok(import)
    }
}

struct Job {
    hub: Arc<Hub>,
    imports: Arc<Mutex<Vec<Import>>>,
    turn: Arc<Mutex<()>>,
    id: u64,
    file: PathBuf,
    name: String,
    mapping: Option<Mapping>,
    zone: Zone,
    currency: String,
}

impl Job {
    fn run(&self) {
        let _turn = lock(&self.turn);
        let result = self.import();
        // The upload has had its turn; what is left over goes with the next start.
        let _ = std::fs::remove_file(&self.file);
        self.show(|i| {
            match result {
                Ok(done) => {
                    i.rows = done.rows;
                    i.events = done.events;
                    i.duplicates = done.duplicates;
                    i.rejected = done.rejected_total();
                    i.bytes_read = i.bytes;
                    i.remarks = done.remarks.iter().map(remark).collect();
                }
                Err(p) => i.problem = Some(*p),
            }
            i.done = true;
        });
    }

    fn show(&self, change: impl FnOnce(&mut Import)) {
        if let Some(import) = lock(&self.imports).iter_mut().find(|i| i.id == self.id) {
            change(import);
        }
    }

    fn import(&self) -> Result<Imported, Box<Problem>> {
        let (kind, mapping) = match &self.mapping {
            Some(m) => (m.kind, Some(m.clone())),
            None => self.meaning()?,
        };
        let numbers = |n: u64| self.hub.reserve(n);
        let request = Request {
            input: FileInput::Named(&self.name, &self.file),
            kind,
            mapping,
            encoding: None,
            zone: self.zone.clone(),
            currency: self.currency.clone(),
            now: self.hub.now(),
            dry_run: false,
            numbers: Some(&numbers),
        };
        let mut progress = |d: Done| self.show(|i| (i.bytes_read, i.rows) = (d.bytes.min(i.bytes), d.rows));
        let dir = self.hub.dir();
        let _nobody_goes = self.hub.erasing();
        if kind == Kind::Profiles {
            // Whether a trait has dates already is told by the base: what came in lately belongs to it first.
            self.hub.checkpoint().map_err(|e| failed(ImportFailure::Store(e)))?;
        }
        self.hub.alone(|| {
            let before = Manifest::read(dir).ok();
            let done = gyul_engine::import(dir, request, &mut progress);
            if let Some(m) = &self.mapping {
                let path = map_path(dir, &self.name, m.kind.as_str());
                // Without it the next file is looked at anew, so a failure is none.
                let _ = std::fs::create_dir_all(dir.join("maps")).and_then(|()| std::fs::write(path, m.to_yaml()));
            }
            // Part of a large file is there also where it failed in the end.
            let generation = |m: Manifest| m.generation;
            if Manifest::read(dir).ok().map(generation) != before.as_ref().map(|m| m.generation) {
                self.hub.reload(before.as_ref()).map_err(|e| failed(ImportFailure::Store(e)))?;
            }
            done.map_err(failed)
        })
    }

    /// What a row of the file is about: the first kind whose columns are all found, and one that tells it from the others. A mapping that was used for a file
    /// of this name holds again.
    fn meaning(&self) -> Result<(Kind, Option<Mapping>), Box<Problem>> {
        let kinds = [Kind::Events, Kind::Orders, Kind::Profiles];
        for kind in kinds {
            let path = map_path(self.hub.dir(), &self.name, kind.as_str());
            let kept = std::fs::read_to_string(path).ok().and_then(|t| Mapping::from_yaml(&t).ok());
            if kept.is_some() {
                return Ok((kind, kept));
            }
        }
        let context = Context { zone: self.zone.clone(), now: self.hub.now(), currency: Some(self.currency.clone()) };
        let mut why: Option<Vec<Found>> = None;
        for kind in kinds {
            let open = std::fs::File::open(&self.file).map(gyul_ingest::Input::File);
            let unread = |e| failed(ImportFailure::Store(gyul_store::StoreError::io(&self.file)(e)));
            let file = open.map_err(unread)?;
            let source = Source::open(&self.name, file, &Options::default());
            let source = source.map_err(|e| failed(ImportFailure::Input(e)))?;
            match gyul_ingest::infer(kind, source.header(), &source.sample(), &context) {
                Ok(found) if tells(kind, &found.mapping) => return Ok((kind, None)),
                Ok(_) => {}
                Err(problems) => {
                    // The kind that is missing least is most likely meant.
                    if why.as_ref().is_none_or(|w| problems.len() < w.len()) {
                        why = Some(problems);
                    }
                }
            }
        }
        Err(failed(ImportFailure::Mapping(why.unwrap_or_default(), None)))
    }
}

/// What deserves a look, though nothing is wrong.
pub(super) fn remark((ko, en): &(String, String)) -> Problem {
    let (ko, en) = (ko.clone(), en.clone());
    Problem { code: "remark".into(), severity: Severity::Warning, ko, en, ..Problem::default() }
}

/// Whether a column says what the rows are: a name of an event; an order or an amount; neither.
pub(super) fn tells(kind: Kind, mapping: &Mapping) -> bool {
    let has = |roles: &[Role]| roles.iter().any(|r| mapping.column(*r).is_some());
    match kind {
        Kind::Events => has(&[Role::Event]),
        Kind::Orders => has(&[Role::Order, Role::Total, Role::Price]),
        Kind::Profiles => true,
    }
}

pub(super) fn failed(e: ImportFailure) -> Box<Problem> {
    let say = |l: Lang| match &e {
        ImportFailure::Input(e) => e.message(l),
        ImportFailure::Store(e) => e.message(l),
        ImportFailure::Mapping(problems, _) => problems.iter().map(|p| p.message(l)).collect::<Vec<_>>().join(" "),
    };
    let code = match &e {
        ImportFailure::Input(_) => "import_unreadable",
        ImportFailure::Store(_) => "import_storage",
        ImportFailure::Mapping(..) => "import_mapping",
    };
    Box::new(problem(code, say(Lang::Ko), say(Lang::En)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_tell_what_a_row_is_about() {
        let kind = |text: &str| {
            let context =
                Context { zone: Zone::seoul(), now: gyul_model::Instant(1_800_000_000_000_000), currency: None };
            let fits = |kind: &Kind| {
                let input = gyul_ingest::Input::Stream(Box::new(std::io::Cursor::new(text.as_bytes().to_vec())));
                let source = Source::open("f.csv", input, &Options::default()).ok()?;
                let found = gyul_ingest::infer(*kind, source.header(), &source.sample(), &context).ok()?;
                tells(*kind, &found.mapping).then_some(())
            };
            [Kind::Events, Kind::Orders, Kind::Profiles].into_iter().find(|k| fits(k).is_some())
        };
        assert_eq!(kind("customer_id,event,time\nC1,Coupon Used,2026-11-20T10:00:00Z\n"), Some(Kind::Events));
        let orders = "customer_id,order_time,order_id,amount\nC1,2026-11-01T10:00:00Z,f1,5000\n";
        assert_eq!(kind(orders), Some(Kind::Orders));
        assert_eq!(kind("주문번호,주문일시,회원ID,결제금액\n1,2026-01-05 10:00,kim,10000\n"), Some(Kind::Orders));
        assert_eq!(kind("customer_id,city,email\nC1,제주,x@y.kr\n"), Some(Kind::Profiles));
        assert_eq!(kind("a,b\n1,2\n"), None);
    }
}
