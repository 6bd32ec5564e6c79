//! What could not be read, at the start or since. It is told to whoever runs the server; nothing is made up in its place.
//!
//! What a start could not read is not in the world either, and is passed over from then on. What comes to be unreadable while
//! the server runs is in memory still: whatever would go on without it is not done, and the log keeps what it has.

use super::hub::lock;
use gyul_model::Lang;
use gyul_store::log::{Damage, Recovered};
use gyul_store::{StoreError, StoreErrorKind};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Mutex;

/// One place that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Harm {
    pub ko: String,
    pub en: String,
    /// How many numbers of records are lost in it.
    pub records: u64,
}

impl Harm {
    pub fn message(&self, lang: Lang) -> &str {
        if lang == Lang::Ko { &self.ko } else { &self.en }
    }
}

/// What is done behind, and can fail for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Behind {
    /// Moving the log into the base.
    Checkpoint,
    /// Taking in what an import brought.
    Import,
    /// Leaving out other events.
    Retention,
}

impl Behind {
    pub fn name(self) -> &'static str {
        match self {
            Behind::Checkpoint => "checkpoint",
            Behind::Import => "import",
            Behind::Retention => "retention",
        }
    }

    fn failed(self, e: &StoreError) -> Harm {
        let (ko, en) = match self {
            Behind::Checkpoint => (
                "체크포인트를 만들지 못했습니다. 받은 데이터는 메모리와 로그에 있고, 다시 시도합니다",
                "a checkpoint could not be made; what was taken is in memory and in the log, and it is tried again",
            ),
            Behind::Import => (
                "가져온 데이터를 반영하지 못했습니다. 그 전까지의 데이터로 계속 답하며, 서버를 다시 시작하면 반영됩니다",
                "what was imported could not be taken in; answers go on without it until the server is started again",
            ),
            Behind::Retention => (
                "살펴보는 기간을 옮기지 못했습니다. 전의 기간으로 계속 답하며 다시 시도합니다",
                "how far back to look could not be moved; answers go on as before, and it is tried again",
            ),
        };
        let (why_ko, why_en) = (e.message(Lang::Ko), e.message(Lang::En));
        Harm { ko: format!("{ko}: {why_ko}"), en: format!("{en}: {why_en}"), records: 0 }
    }
}

type Listener = Box<dyn Fn(&Harm) + Send>;

/// What could not be read so far, while others read on.
#[derive(Default)]
pub(super) struct Harmed {
    /// As of the start.
    known: Harms,
    since: Mutex<Harms>,
    failing: Mutex<BTreeMap<Behind, Harm>>,
    listeners: Mutex<Vec<Listener>>,
}

impl Harmed {
    pub fn since(known: Harms) -> Harmed {
        Harmed { known, ..Harmed::default() }
    }

    pub fn all(&self) -> Vec<Harm> {
        let (since, failing) = (lock(&self.since), lock(&self.failing));
        self.known.found.iter().chain(&since.found).chain(failing.values()).cloned().collect()
    }

    pub fn failing(&self) -> Vec<Behind> {
        lock(&self.failing).keys().copied().collect()
    }

    pub fn on_harm(&self, f: Listener) {
        lock(&self.listeners).push(f);
    }

    fn tell(&self, harm: &Harm) {
        lock(&self.listeners).iter().for_each(|f| f(harm));
    }

    /// Met by whoever reads the log anew. An error if it is not missing in the world.
    pub fn met(&self, d: &Damage) -> Result<(), StoreError> {
        if self.known.places.contains(&(d.file.clone(), d.offset)) {
            return Ok(());
        }
        let new = {
            let mut since = lock(&self.since);
            let before = since.found.len();
            since.damage(d);
            since.found.get(before).cloned()
        };
        new.iter().for_each(|harm| self.tell(harm));
        let (at, bytes) = (d.offset, d.bytes);
        let said = format!("{bytes} bytes from byte {at} cannot be read back");
        Err(StoreError::new(&d.file, StoreErrorKind::Damaged(said)))
    }

    /// What became of something that is done behind; told when it begins to fail, or fails in another way.
    pub fn tried<T>(&self, what: Behind, done: Result<T, StoreError>) -> Result<T, StoreError> {
        match &done {
            Ok(_) => {
                lock(&self.failing).remove(&what);
                if what == Behind::Checkpoint {
                    // Whatever the log said up to here was read, and is in the base.
                    *lock(&self.since) = Harms::default();
                }
            }
            Err(e) => {
                let harm = what.failed(e);
                if lock(&self.failing).insert(what, harm.clone()).as_ref() != Some(&harm) {
                    self.tell(&harm);
                }
            }
        }
        done
    }
}

/// All of them, each place once however often it was met.
#[derive(Default)]
pub(super) struct Harms {
    pub found: Vec<Harm>,
    places: BTreeSet<(PathBuf, u64)>,
}

impl Harms {
    /// What opening a log found.
    pub fn opened(&mut self, r: &Recovered) {
        r.damage.iter().for_each(|d| self.damage(d));
        if let Some(kept) = &r.cut_kept {
            let (kept, bytes) = (kept.display(), r.cut_bytes);
            self.found.push(Harm {
                ko: format!(
                    "로그의 끝에서 끝나지 않은 쓰기 {bytes}바이트를 잘라 냈습니다. 나중에 손상된 것일 수도 있어 사본을 남겼습니다: {kept}"
                ),
                en: format!(
                    "an unfinished write of {bytes} bytes was cut off the log's end; as it may have been damaged later, a copy is kept: {kept}"
                ),
                records: 0,
            });
        }
    }

    pub fn damage(&mut self, d: &Damage) {
        if self.places.insert((d.file.clone(), d.offset)) {
            let records = d.lost.end.saturating_sub(d.lost.start);
            self.found.push(Harm { ko: d.message(Lang::Ko), en: d.message(Lang::En), records });
        }
    }

    /// A record whose checksum is right and whose content is not.
    pub fn unreadable(&mut self, seq: u64) {
        self.found.push(Harm {
            ko: format!("로그의 기록 {seq}번을 해석할 수 없습니다. 백업이 있으면 로그를 되돌리세요"),
            en: format!(
                "record {seq} of the log cannot be understood: restore the log if there is a backup; all others are read"
            ),
            records: 1,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Hub, Incoming, Options};
    use super::Behind;
    use gyul_model::{IdKind, Identifier, Instant, Lang, Message};
    use gyul_store::StoreErrorKind;
    use gyul_store::log::{Log, Options as LogOptions};
    use std::io::{Read, Seek, SeekFrom, Write};
    use std::path::{Path, PathBuf};
    use std::sync::{Arc, Mutex};

    const NOW: Instant = Instant(1_700_000_000_000_000);

    fn open(dir: &Path) -> Result<Hub, gyul_store::StoreError> {
        let options = Options { checkpoint_every: 0, segment_bytes: 1 << 16, ..Options::default() };
        Hub::open(dir, options, Arc::new(|| NOW))
    }

    fn filled(dir: &Path) {
        let hub = open(dir).unwrap();
        for n in 0..9 {
            let who = vec![Identifier::new(IdKind::User, format!("customer-{n}"))];
            let m = Message {
                source: "api",
                id: format!("message-{n}"),
                who,
                previous: None,
                ts: NOW,
                events: vec![("x".into(), vec![])],
            };
            hub.ingest_now(Incoming { messages: vec![m], rejected: vec![] }).unwrap();
        }
        hub.settle().unwrap();
        assert_eq!(hub.harms(), vec![]);
    }

    /// The file and place of a text in the log.
    fn place(dir: &Path, text: &[u8]) -> (PathBuf, u64) {
        let files = std::fs::read_dir(dir.join("log")).unwrap().map(|f| f.unwrap().path());
        let found = |f: PathBuf| {
            let at = memchr::memmem::find(&std::fs::read(&f).ok()?, text)?;
            Some((f, at as u64))
        };
        files.filter_map(found).next().unwrap()
    }

    fn flip((file, at): &(PathBuf, u64)) {
        let mut f = std::fs::OpenOptions::new().read(true).write(true).open(file).unwrap();
        let mut byte = [0];
        f.seek(SeekFrom::Start(*at)).and_then(|_| f.read_exact(&mut byte)).unwrap();
        f.seek(SeekFrom::Start(*at)).and_then(|_| f.write_all(&[byte[0] ^ 1])).unwrap();
    }

    fn everybody(hub: &Hub) -> usize {
        (0..9).filter(|n| hub.world().find(&Identifier::new(IdKind::User, format!("customer-{n}"))).is_some()).count()
    }

    #[test]
    fn damage_that_comes_while_it_runs_is_told_and_nothing_goes_on_without_what_it_said() {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path());
        let hub = open(dir.path()).unwrap();
        let told = Arc::new(Mutex::new(vec![]));
        let tell = told.clone();
        hub.on_harm(move |h| tell.lock().unwrap().push(h.clone()));
        let place = place(dir.path(), b"customer-4");
        flip(&place);
        for _ in 0..2 {
            let e = hub.checkpoint().unwrap_err();
            assert!(matches!(e.kind, StoreErrorKind::Damaged(_)) && e.path == place.0, "{e:?}");
            let policy = crate::retention::policy("keep 1d", NOW, &gyul_model::Zone::seoul()).unwrap();
            assert!(matches!(hub.keep(policy, "min").unwrap_err().kind, StoreErrorKind::Damaged(_)));
        }
        assert_eq!(everybody(&hub), 9, "it is in memory still");
        assert_eq!(hub.failing(), [Behind::Checkpoint, Behind::Retention]);
        let harms = hub.harms();
        assert_eq!(harms.iter().map(|h| h.records).collect::<Vec<_>>(), [1, 0, 0], "{harms:?}");
        let name = place.0.file_name().unwrap().to_str().unwrap();
        assert!(harms.iter().all(|h| h.ko.contains(name) && h.en.contains(name)), "{harms:?}");
        assert_eq!(*told.lock().unwrap(), harms, "each once");
        // Put right, it goes on.
        flip(&place);
        hub.checkpoint().unwrap();
        hub.keep(None, "min").unwrap();
        assert_eq!((hub.harms(), hub.failing(), everybody(&hub)), (vec![], vec![], 9));
        // A file of the base.
        let part = {
            let mut files = vec![];
            super::super::erase::list(&dir.path().join("base"), &mut files);
            files.into_iter().find(|f| f.ends_with("x/part-0.parquet")).unwrap()
        };
        let whole = std::fs::read(&part).unwrap();
        std::fs::write(&part, &whole[..whole.len() / 2]).unwrap();
        let policy = crate::retention::policy("keep 2d", NOW, &gyul_model::Zone::seoul()).unwrap();
        assert!(hub.keep(policy.clone(), "min").is_err());
        let [harm] = &hub.harms()[..] else { panic!("{:?}", hub.harms()) };
        assert!(harm.en.contains("part-0.parquet") && harm.ko.contains("part-0.parquet"), "{harm:?}");
        assert_eq!((hub.failing(), everybody(&hub)), (vec![Behind::Retention], 9));
        std::fs::write(&part, whole).unwrap();
        hub.keep(policy, "min").unwrap();
        assert_eq!(hub.harms(), vec![]);
        // What a start cannot read is passed over from then on, as the world has done.
        filled_more(&hub);
        drop(hub);
        flip(&self::place(dir.path(), b"customer-more"));
        let hub = open(dir.path()).unwrap();
        assert_eq!(hub.harms().len(), 1);
        hub.checkpoint().unwrap();
        assert_eq!((hub.harms().len(), hub.failing()), (1, vec![]), "and it is told on");
    }

    fn filled_more(hub: &Hub) {
        let who = vec![Identifier::new(IdKind::User, "customer-more")];
        let m = Message {
            source: "api",
            id: "more".into(),
            who,
            previous: None,
            ts: NOW,
            events: vec![("x".into(), vec![])],
        };
        hub.ingest_now(Incoming { messages: vec![m], rejected: vec![] }).unwrap();
        // Damage to the last commit would look like one that was never finished.
        hub.settle().unwrap();
        hub.settle().unwrap();
    }

    #[test]
    fn a_damaged_middle_is_told_with_its_place_and_costs_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path());
        let files = std::fs::read_dir(dir.path().join("log")).unwrap().map(|f| f.unwrap().path());
        let (file, mut bytes, at) = files
            .filter_map(|f| {
                let bytes = std::fs::read(&f).ok()?;
                let at = memchr::memmem::find(&bytes, b"customer-4")?;
                Some((f, bytes, at))
            })
            .next()
            .unwrap();
        bytes[at] ^= 1;
        std::fs::write(&file, bytes).unwrap();
        // As often as it is opened.
        for _ in 0..2 {
            let hub = open(dir.path()).unwrap();
            let [harm] = &hub.harms()[..] else { panic!("{:?}", hub.harms()) };
            assert_eq!(harm.records, 1);
            let name = file.file_name().unwrap().to_str().unwrap();
            assert!(harm.message(Lang::En).contains(name) && harm.message(Lang::Ko).contains(name), "{harm:?}");
            let lost = |n: i32| hub.world().find(&Identifier::new(IdKind::User, format!("customer-{n}"))).is_none();
            assert_eq!((0..9).filter(|n| lost(*n)).collect::<Vec<_>>(), [4]);
        }
    }

    #[test]
    fn what_a_later_gyul_wrote_is_refused_and_not_passed_over() {
        let action = |tag: u8| vec![1, 0, tag];
        for (kind, payload, newer) in [
            (9, vec![1], true),
            (super::super::MESSAGE, vec![3], true),
            (super::super::ACTION, action(200), true),
            (super::super::ACTION, action(2), false),
            (super::super::MESSAGE, vec![1], false),
        ] {
            let dir = tempfile::tempdir().unwrap();
            filled(dir.path());
            let options = LogOptions { segment_bytes: 1 << 16, ..LogOptions::default() };
            let (mut log, _) = Log::open(dir.path(), options).unwrap();
            let seq = log.append(kind, NOW, 1, &payload).unwrap();
            log.commit().unwrap();
            drop(log);
            match open(dir.path()) {
                Err(e) => assert!(newer && matches!(e.kind, StoreErrorKind::Newer(_)), "{kind} {payload:?}: {e:?}"),
                Ok(hub) => {
                    assert!(!newer, "{kind} {payload:?}");
                    let [harm] = &hub.harms()[..] else { panic!("{:?}", hub.harms()) };
                    assert!(harm.en.contains(&format!("record {seq} ")), "{harm:?}");
                }
            }
        }
    }
}
