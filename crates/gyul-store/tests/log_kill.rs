//! A real process on a real disk is killed while it appends: what it acknowledged is there.

use gyul_model::Instant;
use gyul_store::StoreErrorKind;
use gyul_store::log::{Entry, Log, Options};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const CHILD: &str = "GYUL_LOG_KILL_CHILD";

fn options() -> Options {
    Options { segment_bytes: 256 << 10, ..Options::default() }
}

fn payload(seq: u64) -> Vec<u8> {
    seq.to_le_bytes().repeat(1 + (seq % 60) as usize)
}

/// Appends for ever and prints the number behind each commit.
fn child(data: &Path) {
    let (mut log, _) = Log::open(data, options()).unwrap();
    let mut out = std::io::stdout();
    for round in 0u64.. {
        for i in 0..1 + round % 50 {
            log.append(1, Instant(0), 1, &payload(log.next() + i)).unwrap();
        }
        log.commit().unwrap();
        writeln!(out, "acknowledged {}", log.next()).unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn a_killed_process_leaves_all_that_it_acknowledged() {
    if let Some(data) = std::env::var_os(CHILD) {
        return child(&PathBuf::from(data));
    }
    let data = std::env::temp_dir().join(format!("gyul-log-kill-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&data);
    let mut acknowledged = 0;
    let mut checked = 0;
    for round in 0..20 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_killed_process_leaves_all_that_it_acknowledged", "--nocapture"])
            .env(CHILD, &data)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut told = |line: Option<Result<String, _>>| -> bool {
            let Some(Ok(line)) = line else { return false };
            let Some((_, n)) = line.split_once("acknowledged ") else { return true };
            acknowledged = n.parse().unwrap();
            true
        };
        for _ in 0..1 + round * 7 % 90 {
            assert!(told(lines.next()), "the process ended by itself");
        }
        child.kill().unwrap();
        // What it said before it died counts too.
        while told(lines.next()) {}
        child.wait().unwrap();
        let (log, found) = Log::open(&data, options()).unwrap();
        assert_eq!(found.damage, []);
        assert!(found.next >= acknowledged, "round {round}: {} of {acknowledged}", found.next);
        // Old ones were read in earlier rounds.
        let mut reader = log.read(checked);
        let mut expected = checked;
        while let Some(entry) = reader.next().unwrap() {
            let Entry::Record(r) = entry else { panic!("{entry:?}") };
            assert_eq!((r.seq, r.payload), (expected, &*payload(expected)));
            expected += 1;
        }
        assert_eq!(expected, found.next);
        checked = found.next.saturating_sub(500);
    }
    assert!(acknowledged > 500, "{acknowledged}");
    let _ = std::fs::remove_dir_all(&data);
}

#[test]
fn two_processes_cannot_write_one_log() {
    let data = std::env::temp_dir().join(format!("gyul-log-lock-{}", std::process::id()));
    let first = Log::open(&data, options()).unwrap();
    let e = Log::open(&data, options()).err().unwrap();
    assert!(matches!(e.kind, StoreErrorKind::LogLocked), "{e}");
    drop(first);
    // The other test starts processes: until each has become another program, it holds what was open here.
    let again = (0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        Log::open(&data, options()).is_ok()
    });
    assert!(again);
    let _ = std::fs::remove_dir_all(&data);
}
