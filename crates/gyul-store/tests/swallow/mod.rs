//! What must hold of a log whatever its bytes are.

use gyul_model::Instant;
use gyul_store::log::{Disk, Entry, Log, Options, SimDisk};
use std::sync::Arc;

const NAME: &str = "00000000000000000000.log";

fn options() -> Options {
    Options { segment_bytes: 4096, ahead: false, salt: Some(7), ..Options::default() }
}

fn read(log: &Log) -> Vec<(u64, Vec<u8>)> {
    let (mut rows, mut reader, mut end) = (vec![], log.read(0), 0);
    while let Some(entry) = reader.next().unwrap() {
        let numbers = match entry {
            Entry::Record(r) => {
                rows.push((r.seq, r.payload.to_vec()));
                r.seq..r.seq + u64::from(r.span)
            }
            Entry::Damaged(d) => d.lost,
        };
        assert!(numbers.start >= end, "numbers rise");
        end = numbers.end;
    }
    rows
}

/// Opens a segment of these bytes. What is read is read again the same, and what is appended comes behind it; or it is refused.
pub fn swallow(bytes: &[u8]) {
    let disk = SimDisk::new(1);
    disk.create(NAME).unwrap().write_at(0, bytes).unwrap();
    let open = || Log::open_on(Arc::new(disk.clone()), options()).map(|(log, _)| log);
    let Ok(mut log) = open() else { return };
    let mut rows = read(&log);
    // A number near the end of all numbers is refused.
    if let Ok(seq) = log.append(1, Instant(5), 1, b"new") {
        log.commit().unwrap();
        rows.push((seq, b"new".to_vec()));
    }
    assert_eq!(read(&log), rows);
    drop(log);
    assert_eq!(read(&open().unwrap()), rows);
}

/// The same of a good segment in which some places are other bytes: pairs of a place and what stands there.
pub fn swallow_edited(edits: &[u8]) {
    let disk = SimDisk::new(1);
    let mut log = Log::open_on(Arc::new(disk.clone()), options()).unwrap().0;
    for n in 0..6_u64 {
        log.append(1 + (n % 3) as u8, Instant(n as i64), 1 + (n % 2) as u32, &[n as u8; 20]).unwrap();
        if n % 2 == 1 {
            log.commit().unwrap();
        }
    }
    let mut bytes = disk.content(NAME).unwrap();
    for edit in edits.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % bytes.len();
        bytes[at] = edit[2];
    }
    swallow(&bytes);
}
