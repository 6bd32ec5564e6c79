//! Laws of damage: it costs only what is damaged, it is reported, and nothing is made up.

use gyul_model::{Instant, Lang};
use gyul_store::StoreErrorKind;
use gyul_store::log::{BLANK, Damage, Disk, Entry, Log, Options, Recovered, Rewrite, SimDisk};
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn options(segment_bytes: u64) -> Options {
    Options { segment_bytes, ahead: false, salt: Some(7), ..Options::default() }
}

fn open(disk: &SimDisk) -> (Log, Recovered) {
    Log::open_on(Arc::new(disk.clone()), options(4096)).unwrap()
}

fn read(log: &Log) -> (Vec<(u64, Vec<u8>)>, Vec<Damage>) {
    let (mut rows, mut damage) = (vec![], vec![]);
    let mut reader = log.read(0);
    while let Some(entry) = reader.next().unwrap() {
        match entry {
            Entry::Record(r) => rows.push((r.seq, r.payload.to_vec())),
            Entry::Damaged(d) => damage.push(d),
        }
    }
    (rows, damage)
}

fn text(seq: u64) -> Vec<u8> {
    format!("what happened as number {seq:04}").into_bytes()
}

/// Commits of `size` records each.
fn filled(disk: &SimDisk, commits: u64, size: u64) {
    let mut log = open(disk).0;
    for _ in 0..commits {
        for i in 0..size {
            log.append(1, Instant(5), 1, &text(log.next() + i)).unwrap();
        }
        log.commit().unwrap();
    }
}

fn segments(disk: &SimDisk) -> Vec<String> {
    disk.list("").unwrap().into_iter().filter(|n| n.ends_with(".log")).collect()
}

fn place(content: &[u8], seq: u64) -> usize {
    let text = text(seq);
    content.windows(text.len()).position(|w| w == text).unwrap()
}

/// Found by the law's simulation: the zeros that a start wrote over a refused commit were lost with a failed sync, and when
/// power went later, its end stood behind what had been acknowledged meanwhile.
#[test]
fn what_is_left_of_a_commit_that_was_refused_is_no_damage_of_what_came_later() {
    let refused = SimDisk::new(1);
    filled(&refused, 1, 30);
    let name = segments(&refused).remove(0);
    let left = refused.content(&name).unwrap();
    for at in [512, 1024] {
        let disk = SimDisk::new(1);
        filled(&disk, 2, 2);
        let end = place(&disk.content(&name).unwrap(), 3) + text(3).len();
        let from = (end + 1).next_multiple_of(at);
        assert!(from < place(&left, 29) - 40, "a whole record is left");
        disk.damage(&name, |c| c[from..].copy_from_slice(&left[from..]));
        let (mut log, found) = open(&disk);
        assert_eq!((found.next, found.damage.len()), (4, 0), "{:?}", found.damage);
        log.append(1, Instant(5), 1, &text(4)).unwrap();
        log.commit().unwrap();
        drop(log);
        let (log, _) = open(&disk);
        let (rows, damage) = read(&log);
        assert_eq!((rows, damage), ((0..5).map(|n| (n, text(n))).collect(), vec![]));
    }
}

#[test]
fn a_flip_of_any_byte_is_detected_or_harmless() {
    let sound = SimDisk::new(1);
    filled(&sound, 6, 2);
    let name = segments(&sound).remove(0);
    let content = sound.content(&name).unwrap();
    let end = place(&content, 11) + text(11).len();
    for (at, flip) in (0..end + 64).flat_map(|at| [(at, 1u8), (at, 0x80), (at, 0xFF)]) {
        let disk = SimDisk::new(1);
        filled(&disk, 6, 2);
        disk.damage(&name, |c| c[at] ^= flip);
        let (mut log, found) = match Log::open_on(Arc::new(disk.clone()), options(4096)) {
            Ok(x) => x,
            Err(e) => panic!("byte {at}: {e}"),
        };
        let (rows, damage) = read(&log);
        let right = rows.iter().all(|(seq, payload)| *payload == text(*seq));
        assert!(right, "byte {at}: something else than was written");
        assert!(rows.windows(2).all(|w| w[0].0 < w[1].0), "byte {at}");
        let lost: u64 = found.damage.iter().map(|d| d.lost.end - d.lost.start).sum();
        assert_eq!(rows.len() as u64 + lost, found.next, "byte {at}: every number is read or reported");
        assert_eq!(lost, damage.iter().map(|d| d.lost.end - d.lost.start).sum::<u64>());
        assert!(lost <= 1, "byte {at}: one record, not more");
        assert!(found.next >= 10, "byte {at}: at most the last commit can pass for an unfinished one");
        if rows.len() < 12 {
            assert!(lost > 0 || found.cut_bytes > 0, "byte {at}: a loss is reported");
        }
        // And life goes on behind it.
        let seq = log.append(1, Instant(5), 1, &text(found.next)).unwrap();
        log.commit().unwrap();
        assert_eq!(read(&log).0.last(), Some(&(seq, text(seq))));
        drop(log);
        assert_eq!(open(&disk).1.next, seq + 1, "byte {at}");
    }
}

#[test]
fn damage_in_the_middle_is_reported_with_its_place_and_kept() {
    let disk = SimDisk::new(1);
    filled(&disk, 12, 1);
    let name = segments(&disk).remove(0);
    let content = disk.content(&name).unwrap();
    let (from, to) = (place(&content, 4) - 40, place(&content, 7) - 40);
    disk.damage(&name, |c| c[from..to].fill(0));
    let (mut log, found) = open(&disk);
    let damage = found.damage[0].clone();
    assert_eq!((damage.offset, damage.bytes, damage.lost.clone()), (from as u64, (to - from) as u64, 4..7));
    assert_eq!(damage.kept, Some(PathBuf::from(format!("log/damaged/00000000000000000000-{from}.bin"))));
    assert_eq!(found.next, 12);
    let seqs: Vec<u64> = read(&log).0.iter().map(|r| r.0).collect();
    assert_eq!(seqs, [0, 1, 2, 3, 7, 8, 9, 10, 11]);
    assert!(damage.message(Lang::En).contains("records 4 to 6"));
    assert!(damage.message(Lang::Ko).contains("4–6번"));
    // A rewrite leaves the gap and goes on telling of it.
    assert_eq!(log.rewrite(&mut |r| if r.seq == 8 { Rewrite::Blank } else { Rewrite::Keep }).unwrap(), 1);
    let (rows, damage) = read(&log);
    assert_eq!((rows.len(), damage[0].bytes, damage[0].lost.clone()), (9, 0, 4..7));
    assert_eq!(disk.list("damaged").unwrap().len(), 1);
    log.forget_damaged().unwrap();
    assert!(disk.list("damaged").unwrap().is_empty());
}

#[test]
fn a_torn_end_is_cut_and_an_earlier_commit_never() {
    let disk = SimDisk::new(1);
    filled(&disk, 4, 3);
    let name = segments(&disk).remove(0);
    let content = disk.content(&name).unwrap();
    // The middle record of the last commit: the first stays, the last is cut, as after a torn write.
    let at = place(&content, 10);
    disk.damage(&name, |c| c[at] ^= 1);
    let (log, found) = open(&disk);
    assert_eq!((found.next, found.damage.len()), (10, 0));
    assert!(found.cut_bytes > 0 && found.cut_kept.is_some(), "whole records were in it: a copy is kept");
    assert_eq!(read(&log).0.len(), 10);
    drop(log);
    let (_, found) = open(&disk);
    assert_eq!((found.next, found.cut_bytes), (10, 0), "cut once");
}

#[test]
fn a_missing_segment_is_reported_and_the_others_are_read() {
    for check_all in [true, false] {
        let disk = SimDisk::new(1);
        filled(&disk, 100, 3);
        let names = segments(&disk);
        let number = |n: &String| n[..20].parse::<u64>().unwrap();
        let (first, end) = (number(&names[2]), number(&names[3]));
        disk.remove(&names[2]).unwrap();
        let (log, found) = Log::open_on(Arc::new(disk.clone()), Options { check_all, ..options(4096) }).unwrap();
        assert_eq!(found.damage.iter().map(|d| d.lost.clone()).collect::<Vec<_>>(), vec![first..end]);
        let (rows, damage) = read(&log);
        assert_eq!(rows.len() as u64, 300 - (end - first));
        assert_eq!(damage.len(), 1);
    }
}

#[test]
fn damage_in_a_sealed_segment_is_found_by_opening_or_by_reading() {
    let disk = SimDisk::new(1);
    filled(&disk, 100, 3);
    let name = segments(&disk).remove(1);
    // Its end, and its head altogether.
    disk.damage(&name, |c| {
        let end = c.iter().rposition(|b| *b != 0).unwrap();
        c[end - 10..=end].fill(0);
        c[..600].fill(0x55);
    });
    let (log, found) = open(&disk);
    assert_eq!(found.damage.iter().map(|d| d.lost.end - d.lost.start).sum::<u64>(), 1);
    assert_eq!(read(&log).0.len(), 299);
    drop(log);
    let (log, _) = Log::open_on(Arc::new(disk), Options { check_all: false, ..options(4096) }).unwrap();
    assert_eq!(log.check().unwrap().iter().map(|d| d.lost.end - d.lost.start).sum::<u64>(), 1);
}

#[test]
fn bytes_that_somebody_sends_never_pass_for_a_record() {
    // The frames of another log, which has another salt, as payload; then the frame around them is damaged.
    let other = SimDisk::new(2);
    let with = Options { salt: Some(8), ..options(4096) };
    let mut log = Log::open_on(Arc::new(other.clone()), with).unwrap().0;
    for _ in 0..20 {
        log.append(1, Instant(5), 1, b"forged").unwrap();
    }
    log.commit().unwrap();
    let forged = other.content(&segments(&other)[0]).unwrap()[1024..].to_vec();
    let disk = SimDisk::new(1);
    let mut log = open(&disk).0;
    for payload in [&text(0), &forged, &text(2), &text(3)] {
        log.append(1, Instant(5), 1, payload).unwrap();
        log.commit().unwrap();
    }
    let name = segments(&disk).into_iter().find(|n| n.starts_with("00000000000000000001")).unwrap();
    drop(log);
    disk.damage(&name, |c| c[1024 + 8] ^= 1);
    let (log, found) = open(&disk);
    assert_eq!(found.damage[0].lost, 1..2);
    assert!(read(&log).0.iter().all(|r| r.1 != b"forged"));
}

#[test]
fn erased_records_are_gone_from_the_disk_and_keep_their_number() {
    let disk = SimDisk::new(1);
    filled(&disk, 60, 3);
    let mut log = open(&disk).0;
    let changed = log.rewrite(&mut |r| match r.seq % 10 {
        3 => Rewrite::Blank,
        4 => Rewrite::Replace(b"without a name".to_vec()),
        _ => Rewrite::Keep,
    });
    assert_eq!(changed.unwrap(), 36);
    let none = log.rewrite(&mut |r| {
        assert_ne!(r.kind, BLANK, "blank records are not asked about");
        Rewrite::Keep
    });
    assert_eq!(none.unwrap(), 0);
    drop(log);
    for name in segments(&disk) {
        let content = disk.content(&name).unwrap();
        for seq in [3, 44, 173] {
            assert!(!content.windows(text(seq).len()).any(|w| w == text(seq)), "{name}");
        }
    }
    let (log, found) = open(&disk);
    assert_eq!((found.next, found.damage.len()), (180, 0));
    let rows = read(&log).0;
    assert!(rows.iter().zip(0..).all(|(row, i)| row.0 == i), "no number is missing");
    assert_eq!((&*rows[3].1, &*rows[4].1, &rows[5].1), (&b""[..], &b"without a name"[..], &text(5)));
}

#[test]
fn a_segment_of_a_newer_format_is_not_touched() {
    let disk = SimDisk::new(1);
    filled(&disk, 2, 1);
    let name = segments(&disk).remove(0);
    disk.damage(&name, |c| {
        for at in [0, 512] {
            c[at + 8] = 9;
            let sum = crc32c::crc32c(&c[at..at + 40]);
            c[at + 40..at + 44].copy_from_slice(&sum.to_le_bytes());
        }
    });
    let before = disk.content(&name);
    let e = Log::open_on(Arc::new(disk.clone()), options(4096)).err().unwrap();
    assert!(matches!(e.kind, StoreErrorKind::Newer(9)), "{e}");
    assert_eq!(disk.content(&name), before);
}

/// The file lies in the repository for ever. `GYUL_SAMPLE=1` writes it, for a new format beside the old.
#[test]
fn a_log_of_format_1_still_opens() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/log-1/00000000000000000040.log");
    if std::env::var_os("GYUL_SAMPLE").is_some() {
        let disk = SimDisk::new(1);
        let with = Options { first: 40, ..options(2048) };
        let mut log = Log::open_on(Arc::new(disk.clone()), with).unwrap().0;
        log.append(1, Instant(1_700_000_000_000_000), 1, "주문".as_bytes()).unwrap();
        log.append(200, Instant(-1), 3, b"").unwrap();
        log.commit().unwrap();
        log.append(2, Instant(0), 1, &[0xA7, 0x4C, 0, 255]).unwrap();
        log.commit().unwrap();
        log.rewrite(&mut |r| if r.kind == 1 { Rewrite::Replace("환불".into()) } else { Rewrite::Keep }).unwrap();
        std::fs::create_dir_all(sample.parent().unwrap()).unwrap();
        std::fs::write(&sample, disk.content("00000000000000000040.log").unwrap()).unwrap();
    }
    let content = std::fs::read(&sample).unwrap();
    let disk = SimDisk::new(1);
    let file = disk.create("00000000000000000040.log").unwrap();
    file.write_at(0, &content).unwrap();
    let (log, found) = open(&disk);
    assert_eq!((found.first, found.next, found.cut_bytes, found.damage.len()), (40, 45, 0, 0));
    let mut reader = log.read(0);
    let mut rows = vec![];
    while let Some(Entry::Record(r)) = reader.next().unwrap() {
        rows.push((r.seq, r.span, r.kind, r.at.0, r.payload.to_vec()));
    }
    let expected = [
        (40, 1, 1, 1_700_000_000_000_000, "환불".as_bytes().to_vec()),
        (41, 3, 200, -1, vec![]),
        (44, 1, 2, 0, vec![0xA7, 0x4C, 0, 255]),
    ];
    assert_eq!(rows, expected);
}
