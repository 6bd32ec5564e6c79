//! Laws of the durable log: what was acknowledged is there once and in order, damage costs only what is damaged.

use gyul_model::Instant;
use gyul_store::StoreErrorKind;
use gyul_store::log::{BLANK, Damage, Entry, Fault, Log, Options, Recovered, SimDisk};
use std::io::ErrorKind;
use std::sync::Arc;

type Row = (u64, u32, u8, i64, Vec<u8>);

fn options(segment_bytes: u64) -> Options {
    Options { segment_bytes, ahead: false, salt: Some(7), ..Options::default() }
}

fn open(disk: &SimDisk, segment_bytes: u64) -> (Log, Recovered) {
    Log::open_on(Arc::new(disk.clone()), options(segment_bytes)).unwrap()
}

fn read(log: &Log, from: u64) -> (Vec<Row>, Vec<Damage>) {
    let (mut rows, mut damage) = (vec![], vec![]);
    let mut reader = log.read(from);
    while let Some(entry) = reader.next().unwrap() {
        match entry {
            Entry::Record(r) => rows.push((r.seq, r.span, r.kind, r.at.0, r.payload.to_vec())),
            Entry::Damaged(d) => damage.push(d),
        }
    }
    (rows, damage)
}

fn append(log: &mut Log, text: &str) -> u64 {
    log.append(1, Instant(5), 1, text.as_bytes()).unwrap()
}

/// Commits of three records each, with texts that say their number.
fn filled(disk: &SimDisk, commits: u64, segment_bytes: u64) -> Log {
    let mut log = open(disk, segment_bytes).0;
    for _ in 0..commits {
        for _ in 0..3 {
            let text = format!("record {}", log.next());
            append(&mut log, &text);
        }
        log.commit().unwrap();
    }
    log
}

fn segments(disk: &SimDisk) -> Vec<String> {
    use gyul_store::log::Disk;
    disk.list("").unwrap().into_iter().filter(|n| n.ends_with(".log")).collect()
}

#[test]
fn what_was_committed_is_read_back_in_order_and_the_rest_is_not_seen() {
    let disk = SimDisk::new(1);
    let (mut log, found) = open(&disk, 4096);
    assert_eq!((found.first, found.next, found.cut_bytes), (0, 0, 0));
    assert_eq!(log.append(3, Instant(-1), 2, b"two").unwrap(), 0);
    assert_eq!(log.append(4, Instant(9), 1, b"").unwrap(), 2);
    log.commit().unwrap();
    assert_eq!(append(&mut log, "waits"), 3);
    let expected = vec![(0, 2, 3, -1, b"two".to_vec()), (2, 1, 4, 9, vec![])];
    assert_eq!(read(&log, 0), (expected.clone(), vec![]));
    assert_eq!(read(&log, 1).0, expected, "a number inside a span finds its record");
    assert_eq!(read(&log, 2).0, expected[1..]);
    assert_eq!(read(&log, 3).0, []);
    drop(log);
    let (log, found) = open(&disk, 4096);
    assert_eq!((found.first, found.next), (0, 3));
    assert_eq!(read(&log, 0).0, expected);
}

#[test]
fn a_log_begins_at_the_number_asked_for() {
    let disk = SimDisk::new(1);
    let at = Options { first: 500, ..options(4096) };
    let (mut log, found) = Log::open_on(Arc::new(disk.clone()), at).unwrap();
    assert_eq!((found.first, found.next), (500, 500));
    assert_eq!(append(&mut log, "a"), 500);
}

#[test]
fn segments_follow_each_other_and_whole_ones_are_pruned() {
    let disk = SimDisk::new(1);
    let mut log = filled(&disk, 100, 4096);
    assert!(segments(&disk).len() > 4);
    assert_eq!(read(&log, 0).0.len(), 300);
    let bytes = log.bytes();
    log.prune(200).unwrap();
    assert!(log.bytes() < bytes);
    let first = log.first();
    assert!(first > 100 && first <= 200);
    assert_eq!(read(&log, 0).0.first().unwrap().0, first);
    log.prune(u64::MAX).unwrap();
    assert_eq!(segments(&disk).len(), 1, "the segment that is written stays");
    drop(log);
    let (log, found) = open(&disk, 4096);
    assert_eq!((found.next, found.damage.len()), (300, 0));
    assert_eq!(read(&log, 290).0.len(), 10);
}

#[test]
fn a_commit_larger_than_a_segment_gets_a_larger_segment() {
    let disk = SimDisk::new(1);
    let mut log = open(&disk, 4096).0;
    let big = vec![0xA7; 20_000];
    for _ in 0..3 {
        log.append(1, Instant(0), 1, &big).unwrap();
        log.commit().unwrap();
        append(&mut log, "small");
        log.commit().unwrap();
    }
    drop(log);
    let (log, _) = open(&disk, 4096);
    let rows = read(&log, 0).0;
    assert_eq!(rows.len(), 6);
    assert!(rows.iter().step_by(2).all(|r| r.4 == big));
}

#[test]
fn records_beyond_the_limits_are_refused_and_cost_nothing() {
    let mut log = open(&SimDisk::new(1), 4096).0;
    let refused = |e: gyul_store::StoreError| assert!(matches!(e.kind, StoreErrorKind::RecordRefused), "{e}");
    refused(log.append(1, Instant(0), 1, &vec![0; (16 << 20) + 1]).unwrap_err());
    refused(log.append(BLANK, Instant(0), 1, b"").unwrap_err());
    refused(log.append(1, Instant(0), 0, b"").unwrap_err());
    assert_eq!(append(&mut log, "a"), 0);
}

#[test]
fn a_full_disk_is_survived_without_a_restart() {
    let disk = SimDisk::new(1);
    let mut log = filled(&disk, 5, 4096);
    for kind in [ErrorKind::StorageFull, ErrorKind::ReadOnlyFilesystem] {
        let next = log.next();
        disk.refuse(Some(kind));
        // Until the segment is full as well.
        append(&mut log, "lost");
        let e = log.commit().unwrap_err();
        assert!(matches!(&e.kind, StoreErrorKind::Io(e) if e.kind() == kind), "{e}");
        assert!(matches!(log.append(1, Instant(0), 1, b"x").unwrap_err().kind, StoreErrorKind::LogUnsure));
        assert!(log.recover().is_err());
        assert_eq!(read(&log, 0).0.len() as u64, next, "what is there is read all the while");
        disk.refuse(None);
        log.recover().unwrap();
        assert_eq!(append(&mut log, "again"), next, "the number is given anew");
        log.commit().unwrap();
        assert_eq!(read(&log, next).0[0].4, b"again");
    }
}

#[test]
fn after_a_failed_sync_the_file_is_left() {
    for seed in 0..50 {
        let disk = SimDisk::new(seed);
        let mut log = filled(&disk, 5, 4096);
        append(&mut log, &"unsure".repeat(100));
        disk.fail_after(1, Fault::Sync);
        log.commit().unwrap_err();
        log.recover().unwrap();
        append(&mut log, "sure");
        log.commit().unwrap();
        drop(log);
        disk.crash();
        let (log, found) = open(&disk, 4096);
        assert_eq!((found.next, found.damage.len()), (16, 0), "seed {seed}");
        assert_eq!(read(&log, 15).0[0].4, b"sure");
    }
}

#[test]
fn a_reader_in_another_thread_sees_what_was_committed_when_it_began() {
    let data = std::env::temp_dir().join(format!("gyul-log-reader-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&data);
    let with = Options { segment_bytes: 64 << 10, ..Options::default() };
    let mut log = Log::open(&data, with).unwrap().0;
    let mut readers = vec![];
    for round in 0..300 {
        for _ in 0..20 {
            let text = format!("record {}", log.next());
            append(&mut log, &text);
        }
        log.commit().unwrap();
        if round % 20 == 0 {
            let (mut reader, end) = (log.read(round), log.next());
            readers.push(std::thread::spawn(move || {
                let mut seqs = round..end;
                while let Some(entry) = reader.next().unwrap() {
                    let Entry::Record(r) = entry else { panic!("{entry:?}") };
                    assert_eq!(Some(r.seq), seqs.next());
                }
                assert!(seqs.is_empty());
            }));
        }
    }
    readers.into_iter().for_each(|r| r.join().unwrap());
    drop(log);
    let _ = std::fs::remove_dir_all(&data);
}
