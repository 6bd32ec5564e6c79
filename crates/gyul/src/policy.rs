//! The staleness policy: declared in words, resolved to an instant, kept in the manifest.
//!
//! An instant that stands still is what makes batch, history and the live server answer alike. `keep D` moves it on by
//! whole days: when it is declared, with each import, and when a server starts.

use crate::failure::{Failure, IO};
use crate::output::thousands;
use crate::time;
use gyul_engine::LeftOut;
use gyul_model::{Instant, Lang, Zone};
use gyul_store::{Manifest, Policy, StoreError};
use std::path::Path;

/// A policy as of now; `none` is no policy.
pub fn parse(text: &str, now: Instant, zone: &Zone) -> Result<Option<Policy>, Failure> {
    let from = if text == "none" {
        return Ok(None);
    } else if let Some(d) = text.strip_prefix("keep ") {
        // A day is kept whole or not at all.
        zone.midnight(zone.date(zone.ago(now, time::duration(d.trim())?)))
    } else if let Some(t) = text.strip_prefix("ignore events before ") {
        time::beginning(t, zone)?
    } else {
        return Err(Failure::usage(
            format!(
                "'{text}'은(는) 보존 정책이 아닙니다. keep 3y, ignore events before 2023-01-01, none 중 하나로 적으세요."
            ),
            format!("'{text}' is no policy. Write keep 3y, ignore events before 2023-01-01, or none."),
        ));
    };
    Ok(Some(Policy { said: text.to_string(), from }))
}

/// Puts a policy in force. Gives whether it leaves out other events than before.
pub fn put(dir: &Path, policy: Option<Policy>) -> Result<bool, StoreError> {
    let mut manifest = Manifest::read(dir)?;
    if manifest.policy == policy {
        return Ok(false);
    }
    let from = |p: &Option<Policy>| p.as_ref().map(|p| p.from);
    let moved = from(&manifest.policy) != from(&policy);
    manifest.policy = policy;
    manifest.write(dir)?;
    Ok(moved)
}

/// The policy that is in force, moved on to now.
pub fn moved_on(dir: &Path, now: Instant) -> Option<Policy> {
    let manifest = Manifest::read(dir).ok()?;
    let zone = Zone::new(&manifest.zone).unwrap_or_else(Zone::seoul);
    let kept = manifest.policy?;
    parse(&kept.said, now, &zone).ok().flatten().or(Some(kept))
}

/// Moves the policy of a directory on that no server has written to: with one, the server does it, and tells what changes.
pub fn renew(dir: &Path, now: Instant) -> Result<(), Failure> {
    if dir.join("log").exists() {
        return Ok(());
    }
    match moved_on(dir, now) {
        Some(p) => put(dir, Some(p)).map(|_| ()).map_err(|e| Failure::says(IO, |l| e.message(l))),
        None => Ok(()),
    }
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
