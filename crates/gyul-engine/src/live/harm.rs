//! What a start could not read. It is told to whoever runs the server; nothing is made up in its place.

use gyul_model::Lang;
use gyul_store::log::{Damage, Recovered};
use std::collections::BTreeSet;
use std::path::PathBuf;

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
    use gyul_model::{IdKind, Identifier, Instant, Lang, Message};
    use gyul_store::StoreErrorKind;
    use gyul_store::log::{Log, Options as LogOptions};
    use std::path::Path;
    use std::sync::Arc;

    const NOW: Instant = Instant(1_700_000_000_000_000);

    fn open(dir: &Path) -> Result<Hub, gyul_store::StoreError> {
        let options = Options { checkpoint_every: 0, segment_bytes: 1 << 16, ..Options::default() };
        Hub::open(dir, options, Arc::new(|| NOW))
    }

    fn filled(dir: &Path) {
        let hub = open(dir).unwrap();
        for n in 0..9 {
            let who = vec![Identifier::new(IdKind::User, format!("customer-{n}"))];
            let m =
                Message { source: "api", id: format!("message-{n}"), who, ts: NOW, events: vec![("x".into(), vec![])] };
            hub.ingest_now(Incoming { messages: vec![m], rejected: vec![] }).unwrap();
        }
        hub.settle().unwrap();
        assert_eq!(hub.harms(), []);
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
            let [harm] = hub.harms() else { panic!("{:?}", hub.harms()) };
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
            (super::super::MESSAGE, vec![2], true),
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
                    let [harm] = hub.harms() else { panic!("{:?}", hub.harms()) };
                    assert!(harm.en.contains(&format!("record {seq} ")), "{harm:?}");
                }
            }
        }
    }
}
