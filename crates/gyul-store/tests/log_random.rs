//! Random schedules of everything that can be done with a log and happen to its disk, against a list of records.
//!
//! A seed replays any failure: `GYUL_SEED=n cargo test -p gyul-store --test log_random`.

use gyul_model::Instant;
use gyul_store::log::{BLANK, Entry, Fault, Log, Options, Rewrite, SimDisk};
use std::io::ErrorKind;
use std::sync::Arc;

struct Rng(u64);

impl Rng {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let x = self.0 ^ (self.0 >> 33);
        (x.wrapping_mul(0xFF51_AFD7_ED55_8CCD) >> 33) % n
    }
}

#[derive(Clone, PartialEq)]
struct Row {
    seq: u64,
    span: u32,
    kind: u8,
    at: i64,
    payload: Vec<u8>,
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (n, first) = (self.payload.len(), self.payload.first());
        write!(f, "{}+{} kind {} at {}: {n} × {first:?}", self.seq, self.span, self.kind, self.at)
    }
}

/// A record, and what it is perhaps: a rewrite that failed may have happened or not until one succeeds.
#[derive(Clone)]
struct Known {
    row: Row,
    perhaps: Vec<Row>,
}

struct World {
    seed: u64,
    rng: Rng,
    disk: SimDisk,
    log: Option<Log>,
    /// Acknowledged, not pruned for certain.
    known: Vec<Known>,
    /// A commit that failed and was not recovered from: after a crash a beginning of it may be there.
    failed: Vec<Row>,
    pending: Vec<Row>,
    next: u64,
    pruned: u64,
    /// What happened, counted so that the test can tell that everything did.
    happened: [u64; 6],
}

const OPTIONS: Options = Options { segment_bytes: 4096, first: 10, check_all: true, ahead: false, salt: Some(3) };

impl World {
    fn new(seed: u64) -> World {
        let disk = SimDisk::new(seed);
        let mut w = World {
            seed,
            rng: Rng(seed),
            disk,
            log: None,
            known: vec![],
            failed: vec![],
            pending: vec![],
            next: 10,
            pruned: 10,
            happened: [0; 6],
        };
        w.open();
        w
    }

    fn open(&mut self) {
        // Opening may fail too; then the process ends and is started again.
        if self.rng.below(4) == 0 {
            let fault = self.fault();
            let after = self.rng.below(8);
            self.disk.fail_after(after, fault);
        }
        let opened = Log::open_on(Arc::new(self.disk.clone()), OPTIONS);
        let (log, found) = match opened {
            Ok(x) => x,
            Err(_) => {
                self.happened[0] += 1;
                if self.rng.below(2) == 0 {
                    self.disk.kill()
                } else {
                    self.disk.crash()
                }
                Log::open_on(Arc::new(self.disk.clone()), OPTIONS).unwrap_or_else(|e| panic!("seed {}: {e}", self.seed))
            }
        };
        assert_eq!(found.damage, [], "seed {}: a crash is no damage", self.seed);
        assert_eq!(found.next, log.next());
        // Whole records of the failed commit, from its first on.
        for row in std::mem::take(&mut self.failed) {
            if row.seq < found.next {
                self.happened[1] += 1;
                self.next = row.seq + u64::from(row.span);
                self.known.push(Known { row, perhaps: vec![] });
            }
        }
        self.pending.clear();
        assert_eq!(found.next, self.next, "seed {}: next number", self.seed);
        self.log = Some(log);
        self.check();
    }

    fn fault(&mut self) -> Fault {
        match self.rng.below(4) {
            0 => Fault::Write(ErrorKind::StorageFull),
            1 => Fault::Write(ErrorKind::Other),
            _ => Fault::Sync,
        }
    }

    fn check(&mut self) {
        let Some(log) = &self.log else { return };
        let from = if self.rng.below(2) == 0 { 0 } else { self.rng.below(self.next + 2) };
        let mut reader = log.read(from);
        let mut rows = vec![];
        while let Some(entry) = reader.next().unwrap() {
            match entry {
                Entry::Record(r) => {
                    rows.push(Row { seq: r.seq, span: r.span, kind: r.kind, at: r.at.0, payload: r.payload.to_vec() })
                }
                Entry::Damaged(d) => panic!("seed {}: {d:?}", self.seed),
            }
        }
        let reaches = |k: &&Known| k.row.seq + u64::from(k.row.span) > from;
        let expected: Vec<&Known> = self.known.iter().filter(reaches).collect();
        // What was pruned may be there still, as a beginning.
        let missing = expected.len().checked_sub(rows.len()).unwrap_or_else(|| panic!("seed {}: too many", self.seed));
        assert!(
            expected[..missing].iter().all(|k| k.row.seq + u64::from(k.row.span) <= self.pruned),
            "seed {}: lost {:?}",
            self.seed,
            expected[missing - 1].row
        );
        for (row, known) in rows.iter().zip(&expected[missing..]) {
            assert!(
                *row == known.row || known.perhaps.contains(row),
                "seed {}: {row:?} for {:?}",
                self.seed,
                known.row
            );
        }
    }

    fn commit(&mut self) {
        let Some(log) = &mut self.log else { return };
        match log.commit() {
            Ok(()) => {
                for row in self.pending.drain(..) {
                    self.next = row.seq + u64::from(row.span);
                    self.known.push(Known { row, perhaps: vec![] });
                }
            }
            Err(_) => {
                self.happened[2] += 1;
                // Refused without a try leaves what failed before.
                if self.failed.is_empty() {
                    self.failed = std::mem::take(&mut self.pending);
                }
                self.pending.clear();
            }
        }
        assert_eq!(log.next(), self.next, "seed {}", self.seed);
    }

    fn rewrite(&mut self) {
        let Some(log) = &mut self.log else { return };
        let modulus = 2 + self.rng.below(6);
        let long = self.rng.below(300) as usize;
        let change = |row: &Row| match row.seq % modulus {
            _ if row.kind == BLANK => None,
            0 => Some(Row { kind: BLANK, payload: vec![], ..row.clone() }),
            1 => Some(Row { payload: vec![0xA7; long], ..row.clone() }),
            _ => None,
        };
        let result = log.rewrite(&mut |r| match r.seq % modulus {
            0 => Rewrite::Blank,
            1 => Rewrite::Replace(vec![0xA7; long]),
            _ => Rewrite::Keep,
        });
        for k in &mut self.known {
            let now: Vec<Row> = [&k.row].into_iter().chain(&k.perhaps).cloned().collect();
            let mut then: Vec<Row> = now.iter().map(|r| change(r).unwrap_or(r.clone())).collect();
            if result.is_err() {
                then.extend(now);
            }
            k.row = then.remove(0);
            k.perhaps = then;
        }
        self.happened[3] += u64::from(result.is_err());
        self.happened[4] += u64::from(result.is_ok());
    }

    fn step(&mut self) {
        match self.rng.below(40) {
            0..=11 => {
                let (kind, at, span) =
                    (1 + self.rng.below(200) as u8, self.rng.below(1000) as i64, 1 + self.rng.below(3));
                let long = if self.rng.below(12) == 0 { self.rng.below(6000) } else { self.rng.below(120) } as usize;
                // Zeros and magics of frames, so that torn places look like good ones.
                let byte = [0, 0xA7, 0x4C, 7][self.rng.below(4) as usize];
                let payload = vec![byte; long];
                let Some(log) = &mut self.log else { return };
                if let Ok(seq) = log.append(kind, Instant(at), span as u32, &payload) {
                    self.pending.push(Row { seq, span: span as u32, kind, at, payload });
                }
            }
            12..=23 => self.commit(),
            24..=26 => {
                let (after, fault) = (self.rng.below(6), self.fault());
                self.disk.fail_after(after, fault);
            }
            27 => self.disk.refuse((self.rng.below(2) == 0).then_some(ErrorKind::StorageFull)),
            28..=31 => {
                let Some(log) = &mut self.log else { return };
                if log.recover().is_ok() {
                    assert!(!log.is_unsure());
                    self.failed.clear();
                }
                self.pending.clear();
            }
            32 | 33 => {
                self.log = None;
                self.disk.crash();
                self.open();
            }
            34 => {
                self.log = None;
                self.disk.kill();
                self.open();
            }
            35 => {
                let before = self.rng.below(self.next + 5);
                let Some(log) = &mut self.log else { return };
                self.pruned = self.pruned.max(before);
                let _ = log.prune(before);
            }
            36 | 37 => self.rewrite(),
            _ => self.check(),
        }
        self.happened[5] += 1;
    }
}

#[test]
fn whatever_happens_every_acknowledged_record_is_there_once_and_in_order() {
    let only: Option<u64> = std::env::var("GYUL_SEED").ok().and_then(|s| s.parse().ok());
    let mut happened = [0; 6];
    for seed in only.map_or(0..2_000, |s| s..s + 1) {
        let mut w = World::new(seed);
        for _ in 0..120 {
            w.step();
        }
        w.log = None;
        w.disk.crash();
        w.open();
        (0..6).for_each(|i| happened[i] += w.happened[i]);
    }
    println!("failed opens, kept of failed commits, failed commits, failed and good rewrites, steps: {happened:?}");
    assert!(only.is_some() || happened.iter().all(|n| *n > 100), "{happened:?}");
}
