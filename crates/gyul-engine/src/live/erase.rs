//! One person is forgotten: in memory, in the log, in the base, in the stream of changes, in the quarantines.
//!
//! The order survives a crash at any moment. First the names go into `erasing`, then the decision into the log
//! (numbers alone), then a checkpoint leaves their rows behind; only then are their records in the log blanked, as
//! replaying what is behind the checkpoint must find everybody else under the same numbers. The file goes last: while it
//! is there, opening the directory does all of it again.

use super::hub::{Ask, Hub};
use super::record::{self, Action};
use gyul_model::{IdKind, Identifier, Message};
use gyul_store::log::Rewrite;
use gyul_store::{Store, StoreError, StoreErrorKind};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What was removed, and what was looked through afterwards.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Erased {
    /// Place to how many things were removed there.
    pub removed: BTreeMap<&'static str, u64>,
    /// Places in which none of the names is found any more.
    pub verified: Vec<Place>,
    /// Places that still hold one of the names, and what that means.
    pub pending: Vec<Place>,
}

/// Where somebody was looked for, in words.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    pub ko: String,
    pub en: String,
}

impl Place {
    fn new(ko: impl Into<String>, en: impl Into<String>) -> Place {
        Place { ko: ko.into(), en: en.into() }
    }
}

/// Traits that lead to a person: their values are looked for afterwards as well.
const CONTACTS: [&str; 3] = ["email", "phone", "mobile"];
/// A name shorter than this is part of everything: it is not looked for in texts.
const LOOKED_FOR_MIN: usize = 4;

impl Hub {
    /// Forgets the customer that an identifier leads to. `None`: there is nobody.
    pub fn erase(&self, who: &Identifier, by: &str) -> Result<Option<Erased>, StoreError> {
        let _one = self.erasing();
        // One that the disk interrupted comes first: the list of what is under way is one person's.
        self.finish_erasures()?;
        // What was acknowledged already may name the person, or tell of another name.
        self.settle().map_err(|_| StoreError::io(self.dir())(std::io::Error::other("the log takes nothing now")))?;
        let names: Vec<String> = {
            let world = self.world();
            // Known is also who has done nothing.
            let Some(handle) = world.identities.find(who) else { return Ok(None) };
            let handles = world.identities.handles_of(world.identities.head_of(handle));
            handles.iter().map(|h| world.identities.handle_id(*h).to_string()).collect()
        };
        put(self.dir(), &names)?;
        self.forget(&names, by).map(Some)
    }

    /// Goes on where a crash interrupted.
    pub(super) fn finish_erasures(&self) -> Result<(), StoreError> {
        match get(self.dir())? {
            Some(names) => self.forget(&names, "gyul").map(|_| ()),
            None => Ok(()),
        }
    }

    /// May be done again after any part of it.
    fn forget(&self, names: &[String], by: &str) -> Result<Erased, StoreError> {
        let mut out = Erased::default();
        let (handles, events, contacts) = {
            let world = self.world();
            let handles: Vec<u32> = names.iter().filter_map(|n| world.identities.find_handle(n)).collect();
            let own = handles.iter().filter_map(|h| world.number_of(*h));
            let events: usize = own.map(|n| world.live.handle_timeline(n).events.len()).sum();
            let own = handles.iter().filter_map(|h| world.number_of(*h));
            let traits = own.flat_map(|n| world.live.events_of(n, gyul_model::names::IDENTIFY)).flat_map(|e| e.props);
            let contacts = traits.filter(|(n, _)| CONTACTS.iter().any(|c| n.to_lowercase().contains(c)));
            let contacts: Vec<String> = contacts.map(|(_, v)| v.to_string()).collect();
            (handles, events as u64, contacts)
        };
        out.removed.insert("names", names.len() as u64);
        out.removed.insert("timeline", events);
        let refused = |_| StoreError::io(self.dir())(std::io::Error::other("the log takes nothing now"));
        // The log still has these when a crash came before it was blanked.
        let rejected: Vec<u64> = {
            let world = self.world();
            world.quarantine.iter().filter(|(_, (_, r))| r.speaks_of(names)).map(|(n, _)| *n).collect()
        };
        let live = rejected.len() as u64;
        if !rejected.is_empty() {
            self.act(Action::Released(rejected), by).map_err(refused)?;
        }
        if !handles.is_empty() {
            self.act(Action::Erase { handles }, by).map_err(refused)?;
        }
        // Names that came to be theirs after the order was given went with them.
        let all: Vec<String> = names.iter().cloned().chain(self.world().forgotten.iter().cloned()).collect();
        let names = &all.into_iter().collect::<BTreeSet<String>>().into_iter().collect::<Vec<String>>()[..];
        put(self.dir(), names)?;
        let summary = self.alone(|| self.settle_base(names.to_vec()))?;
        out.removed.insert("base", summary.forgotten);
        out.removed.insert("log", self.rewrite(self.blanks(names))?);
        out.removed.insert("changes", self.forget_changes(names)?);
        out.removed.insert("quarantine", live + forget_rows(self.dir(), names)?);
        let words: Vec<String> = values(names).chain(contacts).filter(|v| v.len() >= LOOKED_FOR_MIN).collect();
        out.removed.insert("drafts", forget_drafts(self.dir(), &words)?);
        self.verify(names, &words, &mut out)?;
        let path = pending(self.dir());
        fs::remove_file(&path).map_err(StoreError::io(&path))?;
        sync(self.dir())?;
        self.forgotten_now();
        Ok(out)
    }

    /// The records of these people up to the checkpoint.
    fn blanks(&self, names: &[String]) -> Ask {
        let (names, upto) = (names.to_vec(), self.settled());
        // Whoever else a message names is alive in the world.
        let world = self.world();
        let others: Arc<dyn Fn(&Identifier) -> bool + Send + Sync> = {
            let alive = world.identities.clone();
            Arc::new(move |id| alive.find(id).is_some())
        };
        Box::new(move |r| {
            let theirs = r.seq < upto
                && match r.kind {
                    record::MESSAGE => record::read_message(r.payload).is_ok_and(|m| is_of(&m, &names, &*others)),
                    record::REJECTED => record::read_rejected(r.payload).is_ok_and(|r| r.speaks_of(&names)),
                    record::ACTION => record::read_action(r.payload).is_ok_and(|(a, _)| names_somebody(&a, &names)),
                    _ => false,
                };
            if theirs { Rewrite::Blank } else { Rewrite::Keep }
        })
    }

    /// Reads everything again, as a stranger would.
    fn verify(&self, names: &[String], words: &[String], out: &mut Erased) -> Result<(), StoreError> {
        let dir = self.dir();
        let mut say = |ko: &str, en: &str, found: u64| match found {
            0 => out.verified.push(Place::new(ko, en)),
            n => out.pending.push(Place::new(format!("{ko}: {n}건"), format!("{en}: {n}"))),
        };
        {
            let world = self.world();
            let known = names.iter().filter(|n| world.identities.find_handle(n).is_some()).count();
            say("메모리", "memory", known as u64);
        }
        let named = match Store::open(dir) {
            Ok(store) => store.named(names)?,
            Err(e) if matches!(e.kind, StoreErrorKind::Missing) => 0,
            Err(e) => return Err(e),
        };
        say("저장 파일에 있는 모든 고객 열", "base: every column of customers", named);
        let told = self.changes(self.changes_first(), usize::MAX).unwrap_or_default();
        let told = told.iter().filter(|t| names.iter().any(|n| **n == *t.customer)).count();
        say("세그먼트 변화 기록", "changes", told as u64);
        let mut files = vec![];
        list(dir, &mut files);
        let mut clean = 0;
        for path in files {
            let name = path.strip_prefix(dir).unwrap_or(&path).display().to_string();
            // Compressed, and read above; the list of what is under way.
            let upload = path.starts_with(uploads(dir));
            let own = (name.ends_with(".parquet") && !upload) || path == pending(dir);
            if own || words.is_empty() {
                continue;
            }
            match found(&path, words, upload) {
                Ok(true) if upload => out.pending.push(Place::new(
                    format!(
                        "{name}: 가져오기를 기다리는 파일에 같은 글자가 있거나, 안을 살펴볼 수 없는 파일입니다. 이 파일의 내용은 이번 삭제가 끝난 뒤에 들어옵니다"
                    ),
                    format!(
                        "{name}: a file on its way in holds the same text, or cannot be looked through; what it brings comes after this erasure"
                    ),
                )),
                Ok(false) => clean += 1,
                Ok(true) => out.pending.push(Place::new(
                    format!("{name}: 다른 사람의 기록에 같은 글자가 있습니다"),
                    format!("{name}: somebody else's record holds the same text"),
                )),
                // Gone meanwhile: a log segment that is no longer needed.
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => return Err(StoreError::io(&path)(e)),
            }
        }
        if clean > 0 {
            let (ko, en) = (format!("그 밖의 파일 {clean}개 전체"), format!("every byte of {clean} other files"));
            out.verified.push(Place::new(ko, en));
        }
        Ok(())
    }
}

/// A message is somebody's if a name of theirs is in it and no stronger one that is somebody else's.
fn is_of(m: &Message, names: &[String], alive: &dyn Fn(&Identifier) -> bool) -> bool {
    let own = |id: &Identifier| {
        let handle = id.handle();
        names.iter().any(|n| *n == handle || (id.kind != IdKind::User && n.eq_ignore_ascii_case(&handle)))
    };
    let mut who: Vec<&Identifier> = m.who.iter().collect();
    who.sort_by_key(|id| id.kind);
    match who.iter().find(|id| own(id) || alive(id)) {
        Some(id) => own(id),
        None => false,
    }
}

/// The values of names, without their kinds.
fn values(names: &[String]) -> impl Iterator<Item = String> + '_ {
    names.iter().map(|n| Identifier::of_handle(n).value)
}

pub(super) fn speaks_of(content: &str, names: &[String]) -> bool {
    // A short name is a word of everything: it counts where it stands as a text of its own.
    values(names)
        .any(|v| if v.len() < LOOKED_FOR_MIN { content.contains(&format!("\"{v}\"")) } else { mentions(content, &v) })
}

pub(super) fn names_somebody(action: &Action, names: &[String]) -> bool {
    match action {
        Action::Merge { into, from } => names.contains(into) || names.contains(from),
        Action::Mend { content, .. } => speaks_of(content, names),
        Action::Object { names: theirs, .. } => theirs.iter().any(|n| names.contains(n)),
        _ => false,
    }
}

/// Whether a text holds a name as a word of its own.
pub fn mentions(text: &str, name: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    !name.is_empty()
        && text.match_indices(name).any(|(at, found)| {
            let before = text[..at].chars().next_back();
            let after = text[at + found.len()..].chars().next();
            !before.is_some_and(part) && !after.is_some_and(part)
        })
}

/// Where files wait that people upload.
fn uploads(dir: &Path) -> PathBuf {
    dir.join("uploads")
}

/// Files begin like this that somebody looks at before importing them; who wants them still uploads them again.
pub const DRAFT: &str = "draft-";

/// Drafts that hold one of these words, or may hold it.
fn forget_drafts(dir: &Path, words: &[String]) -> Result<u64, StoreError> {
    let mut files = vec![];
    list(&uploads(dir), &mut files);
    let mut count = 0;
    for path in files.into_iter().filter(|f| f.file_name().is_some_and(|n| n.to_string_lossy().starts_with(DRAFT))) {
        match found(&path, words, true) {
            Ok(false) => continue,
            Ok(true) => fs::remove_file(&path).map_err(StoreError::io(&path))?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            Err(e) => return Err(StoreError::io(&path)(e)),
        }
        count += 1;
    }
    Ok(count)
}

/// Whether a file holds one of these words; an `upload` that is no plain text may.
fn found(path: &Path, words: &[String], upload: bool) -> std::io::Result<bool> {
    if words.is_empty() {
        return Ok(false);
    }
    if upload {
        let mut head = vec![];
        fs::File::open(path)?.take(4096).read_to_end(&mut head)?;
        // UTF-16, workbooks and whatever is compressed have these bytes at once.
        let packed = [&b"\x1f\x8b"[..], b"PK", b"\x28\xb5\x2f\xfd", b"BZh", b"PAR1"];
        if head.contains(&0) || packed.iter().any(|p| head.starts_with(p)) {
            return Ok(true);
        }
    }
    search(path, words)
}

/// Rows of imports that were rejected. A short name is found in every row: such rows stay.
fn forget_rows(dir: &Path, names: &[String]) -> Result<u64, StoreError> {
    let names: Vec<String> = values(names).filter(|v| v.len() >= LOOKED_FOR_MIN).collect();
    let mut count = 0;
    for file in gyul_store::quarantined(dir)? {
        let theirs = file.rows.iter().filter(|r| names.iter().any(|n| mentions(&r.content, n)));
        let rows: Vec<u64> = theirs.map(|r| r.row).collect();
        if !rows.is_empty() {
            gyul_store::resolve(dir, &file.import, &rows)?;
            count += rows.len() as u64;
        }
    }
    Ok(count)
}

fn pending(dir: &Path) -> PathBuf {
    dir.join("erasing")
}

fn put(dir: &Path, names: &[String]) -> Result<(), StoreError> {
    let path = pending(dir);
    let beside = dir.join("erasing.tmp");
    let text = names.join("\u{1f}");
    let mut file = fs::File::create(&beside).map_err(StoreError::io(&beside))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(StoreError::io(&beside))?;
    fs::rename(&beside, &path).map_err(StoreError::io(&path))?;
    sync(dir)
}

/// Whoever an erasure forgets that is under way.
pub(super) fn pending_names(dir: &Path) -> Result<Vec<String>, StoreError> {
    Ok(get(dir)?.unwrap_or_default())
}

fn get(dir: &Path) -> Result<Option<Vec<String>>, StoreError> {
    let path = pending(dir);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text.split('\u{1f}').filter(|n| !n.is_empty()).map(str::to_string).collect())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(StoreError::io(&path)(e)),
    }
}

fn sync(dir: &Path) -> Result<(), StoreError> {
    fs::File::open(dir).and_then(|d| d.sync_all()).map_err(StoreError::io(dir))
}

pub(super) fn list(dir: &Path, out: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for path in entries.filter_map(|e| Some(e.ok()?.path())) {
        if path.is_dir() { list(&path, out) } else { out.push(path) }
    }
}

/// Whether a file holds one of some texts.
fn search(path: &Path, words: &[String]) -> std::io::Result<bool> {
    const CHUNK: usize = 1 << 20;
    let longest = words.iter().map(String::len).max().unwrap_or(0);
    let finders: Vec<_> = words.iter().map(|w| memchr::memmem::Finder::new(w.as_bytes())).collect();
    let mut file = fs::File::open(path)?;
    let mut bytes: Vec<u8> = vec![];
    loop {
        // What may be the beginning of a word stays for the next round.
        let keep = bytes.len().min(longest.saturating_sub(1));
        bytes.drain(..bytes.len() - keep);
        let read = (&mut file).take(CHUNK as u64).read_to_end(&mut bytes)?;
        if finders.iter().any(|f| f.find(&bytes).is_some()) {
            return Ok(true);
        }
        if read == 0 {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::hub::{Incoming, Options};
    use super::*;
    use gyul_model::Instant;

    #[test]
    fn a_name_is_found_as_a_word_and_not_within_others() {
        for (text, name, is) in [
            (r#"{"userId":"C1"}"#, "C1", true),
            (r#"{"userId":"C12"}"#, "C1", false),
            ("a@b.kr", "a@b.kr", true),
            ("귤a@b.kr", "a@b.kr", false),
            ("", "C1", false),
            ("C1", "", false),
        ] {
            assert_eq!(mentions(text, name), is, "{text} {name}");
        }
    }

    #[test]
    fn a_message_belongs_to_its_strongest_known_name() {
        let alive = |id: &Identifier| id.value == "C2";
        let of = |who: &[(IdKind, &str)]| {
            let who = who.iter().map(|(k, v)| Identifier::new(*k, *v)).collect();
            let m = Message { source: "api", id: "m".into(), who, previous: None, ts: Instant(0), events: vec![] };
            is_of(&m, &["C1".into(), "email:a@b.kr".into(), "anonymous:x".into()], &alive)
        };
        assert!(of(&[(IdKind::User, "C1"), (IdKind::Anonymous, "y")]));
        assert!(of(&[(IdKind::Anonymous, "x")]));
        assert!(of(&[(IdKind::Anonymous, "x"), (IdKind::User, "null")]), "a blocked name is nobody's");
        assert!(of(&[(IdKind::Email, "A@b.kr")]));
        assert!(!of(&[(IdKind::Email, "a@b.kr"), (IdKind::User, "C2")]), "somebody else's, who shares an address");
        assert!(!of(&[(IdKind::User, "C3")]));
    }

    #[test]
    fn a_text_is_found_across_the_pieces_that_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let mut bytes = vec![b'.'; (1 << 20) - 3];
        bytes.extend(b"min@shop.kr......");
        fs::write(&path, &bytes).unwrap();
        assert!(search(&path, &["min@shop.kr".into()]).unwrap());
        assert!(!search(&path, &["min@shop.com".into()]).unwrap());
    }

    #[test]
    fn drafts_that_name_the_person_go_and_files_on_their_way_in_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { checkpoint_every: 0, segment_bytes: 1 << 16, ..Options::default() };
        let hub = Hub::open(dir.path(), options, Arc::new(|| Instant(1_700_000_100_000_000))).unwrap();
        let messages = vec![message(1, &[(IdKind::User, "customer-minji")], &[("email", "minji@shop.example")])];
        hub.ingest_now(Incoming { messages, rejected: vec![] }).unwrap();
        let folder = uploads(dir.path());
        fs::create_dir_all(&folder).unwrap();
        for (name, content) in [
            ("draft-1", &b"email,total\nminji@shop.example,1\n"[..]),
            ("draft-2", b"email,total\nbora@shop.example,1\n"),
            ("draft-3", b"PK\x03\x04 a workbook"),
            ("upload-4", b"email,total\nminji@shop.example,1\n"),
            ("upload-5", b"email,total\nbora@shop.example,1\n"),
        ] {
            fs::write(folder.join(name), content).unwrap();
        }
        let report = hub.erase(&Identifier::of_handle("customer-minji"), "min").unwrap().unwrap();
        assert_eq!(report.removed["drafts"], 2);
        let [pending] = &report.pending[..] else { panic!("{:?}", report.pending) };
        assert!(pending.en.starts_with("uploads/upload-4: ") && pending.ko.contains("기다리는"), "{pending:?}");
        let korean = |p: &Place| p.ko.chars().any(|c| ('가'..='힣').contains(&c));
        assert!(report.verified.len() > 2 && report.verified.iter().all(korean), "{:?}", report.verified);
        let mut left: Vec<String> =
            fs::read_dir(folder).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
        left.sort();
        assert_eq!(left, ["draft-2", "upload-4", "upload-5"]);
    }

    fn message(n: usize, who: &[(IdKind, &str)], props: &[(&str, &str)]) -> Message {
        let who = who.iter().map(|(k, v)| Identifier::new(*k, *v)).collect();
        let props = props.iter().map(|(n, v)| (n.to_string(), gyul_model::Value::text(*v))).collect();
        let (id, ts) = (format!("m{n}"), Instant(1_700_000_000_000_000 + n as i64));
        Message {
            source: "api",
            id,
            who,
            previous: None,
            ts,
            events: vec![(gyul_model::names::IDENTIFY.into(), props)],
        }
    }

    fn everybody(hub: &Hub) -> Vec<(String, usize)> {
        let world = hub.world();
        let one = |n| (world.customer_id(n).to_string(), world.timeline(n).events.len());
        let mut all: Vec<_> = world.live.population().iter().map(|n| one(n as u32)).collect();
        all.sort();
        all
    }

    /// `Hub::erase`, killed after so many of its steps.
    fn killed(hub: &Hub, names: &[String], steps: usize) {
        put(hub.dir(), names).unwrap();
        if steps > 0 {
            let handles = names.iter().filter_map(|n| hub.world().identities.find_handle(n)).collect();
            hub.act(Action::Erase { handles }, "min").unwrap();
        }
        if steps > 1 {
            hub.alone(|| hub.settle_base(names.to_vec())).unwrap();
        }
        if steps > 2 {
            hub.rewrite(hub.blanks(names)).unwrap();
        }
        if steps > 3 {
            hub.forget_changes(names).unwrap();
        }
    }

    #[test]
    fn nothing_of_an_erased_person_stays_wherever_it_was_killed_and_nothing_of_others_goes() {
        let open = |dir: &Path| {
            let text = "version: 1\nsegments:\n  - id: jeju\n    when: city = \"제주\"\n".to_string();
            let starter = vec![("s.yaml".to_string(), text)];
            let options = Options { starter, checkpoint_every: 0, segment_bytes: 1 << 16, ..Options::default() };
            Hub::open(dir, options, Arc::new(|| Instant(1_700_000_100_000_000))).unwrap()
        };
        let (minji, secret) = ("customer-minji", "minji@shop.example");
        for (steps, settled) in (0..5).flat_map(|s| [(s, false), (s, true)]) {
            let dir = tempfile::tempdir().unwrap();
            let hub = open(dir.path());
            let mut batch = Incoming::default();
            for n in 0..40 {
                let other = format!("customer-{n}");
                batch.messages.push(message(2 * n, &[(IdKind::User, &other)], &[("city", "제주")]));
                let who = [(IdKind::User, minji), (IdKind::Anonymous, "browser-of-minji")];
                batch.messages.push(message(2 * n + 1, &who[n % 2..], &[("email", secret), ("city", "제주")]));
            }
            let rejected = super::super::record::Rejected {
                via: "k".into(),
                code: "no_time".into(),
                place: String::new(),
                ko: String::new(),
                en: String::new(),
                content: format!("{{\"userId\":\"{minji}\"}}"),
                ..Default::default()
            };
            batch.rejected =
                vec![rejected.clone(), super::super::record::Rejected { content: "{}".into(), ..rejected.clone() }];
            // The request can name somebody whom the event does not.
            let around = rejected.content.clone();
            batch.rejected.push(super::super::record::Rejected { content: "{}".into(), around, ..rejected });
            hub.ingest_now(batch).unwrap();
            hub.act(Action::Merge { into: "customer-1".into(), from: minji.into() }, "min").unwrap();
            hub.act(Action::Unmerge { merge: 1 }, "min").unwrap();
            hub.settle().unwrap();
            if settled {
                hub.checkpoint().unwrap();
            }
            let mut others = everybody(&hub);
            others.retain(|(id, _)| id != minji);
            assert_eq!(others.len(), 40);
            let names: Vec<String> = {
                let world = hub.world();
                let (_, head) = world.find(&Identifier::of_handle(minji)).unwrap();
                let handles = world.identities.handles_of(head);
                handles.iter().map(|h| world.identities.handle_id(*h).to_string()).collect()
            };
            assert_eq!(names.len(), 2);
            let case = format!("killed after {steps} steps, checkpoint before: {settled}");
            let hub = if steps == 4 {
                let report = hub.erase(&Identifier::of_handle("anonymous:browser-of-minji"), "min").unwrap().unwrap();
                assert_eq!(report.pending, vec![], "{case}");
                assert_eq!(report.removed["timeline"], 40);
                hub
            } else {
                killed(&hub, &names, steps);
                drop(hub);
                open(dir.path())
            };
            let mut first = Some(hub);
            for _ in 0..2 {
                let hub = first.take().unwrap_or_else(|| open(dir.path()));
                assert_eq!(everybody(&hub), others, "{case}");
                assert!(hub.world().find(&Identifier::of_handle(minji)).is_none(), "{case}");
                assert_eq!(hub.world().quarantine.len(), 1, "{case}");
                assert!(
                    hub.changes(0, 1000).unwrap().iter().all(|t| names.iter().all(|n| **n != *t.customer)),
                    "{case}"
                );
                drop(hub);
                let mut files = vec![];
                list(dir.path(), &mut files);
                let words = [minji.to_string(), secret.to_string(), "browser-of-minji".to_string()];
                for f in files {
                    assert!(!search(&f, &words).unwrap(), "{case}: {f:?}");
                }
                assert_eq!(Store::open(dir.path()).unwrap().named(&names).unwrap(), 0, "{case}");
            }
        }
    }
}
