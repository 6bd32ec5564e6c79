//! The staleness policy: declared in words, resolved to an instant, kept in the manifest.
//!
//! An instant that stands still is what makes batch, history and the live server answer alike. `keep D` moves it on by
//! whole days: when it is declared, with each import, and while a server runs.

use crate::failure::{Failure, IO};
use crate::output::thousands;
use gyul_engine::{LeftOut, retention};
use gyul_model::{Instant, Lang, Zone};
use gyul_store::{Manifest, Policy, StoreError};
use std::path::Path;

/// A policy as of now; `none` is no policy.
pub fn parse(text: &str, now: Instant, zone: &Zone) -> Result<Option<Policy>, Failure> {
    retention::policy(text, now, zone).map_err(|e| Failure::usage(e.message(Lang::Ko), e.message(Lang::En)))
}

/// Puts a policy in force where no server has written: its log would say what was decided.
pub fn put(dir: &Path, policy: Option<Policy>) -> Result<(), StoreError> {
    let mut manifest = Manifest::read(dir)?;
    if manifest.policy == policy {
        return Ok(());
    }
    manifest.policy = policy;
    manifest.write(dir)
}

/// Moves the policy of a directory on that no server has written to: with one, the server does it, and tells what changes.
pub fn renew(dir: &Path, now: Instant) -> Result<(), Failure> {
    let Ok(manifest) = Manifest::read(dir) else { return Ok(()) };
    let Some(policy) = manifest.policy.filter(|_| !dir.join("log").exists()) else { return Ok(()) };
    let zone = Zone::new(&manifest.zone).unwrap_or_else(Zone::seoul);
    let moved = retention::moved_on(&policy, now, &zone);
    put(dir, Some(moved)).map_err(|e| Failure::says(IO, |l| e.message(l)))
}

/// What a policy leaves out, in a sentence with its line's end.
pub fn said(lang: Lang, left_out: Option<&LeftOut>, zone: &Zone) -> String {
    let Some(l) = left_out else { return String::new() };
    let (n, of, from) = (thousands(l.events), thousands(l.of), zone.date(l.from));
    lang.pick(
        format!("보존 정책 '{}': {from} 전의 이벤트 {n}건(전체 {of}건 중)을 제외했습니다.\n", l.policy),
        format!("policy '{}': leaves out {n} of {of} events, those before {from}\n", l.policy),
    )
}
