//! A request's bytes as text.

use super::problem::Fault;
use super::tape::{Json, Kind};
use super::{BodyError, Limits, RejectCode};
use std::borrow::Cow;
use std::io::Read;

/// A body as text, and the places where it was not UTF-8.
pub(crate) struct Body<'a> {
    pub text: Cow<'a, str>,
    /// Where U+FFFD stands for bytes that are no characters, in order.
    damaged: Vec<usize>,
}

impl<'a> Body<'a> {
    pub fn read(bytes: &'a [u8], limits: &Limits) -> Result<Body<'a>, BodyError> {
        if bytes.len() > limits.body {
            return Err(BodyError::TooLarge(limits.body));
        }
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        if bytes.trim_ascii().is_empty() {
            return Err(BodyError::Empty);
        }
        if let Ok(text) = std::str::from_utf8(bytes) {
            return Ok(Body { text: Cow::Borrowed(text), damaged: vec![] });
        }
        let (mut text, mut damaged) = (String::with_capacity(bytes.len()), vec![]);
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            if !chunk.invalid().is_empty() {
                damaged.push(text.len());
                text.push('\u{fffd}');
            }
        }
        Ok(Body { text: Cow::Owned(text), damaged })
    }

    fn is_damaged(&self, from: usize, to: usize) -> bool {
        let first = self.damaged.partition_point(|at| *at < from);
        self.damaged.get(first).is_some_and(|at| *at < to)
    }

    /// Refuses what no event may be.
    pub fn check(&self, item: Json, limits: &Limits) -> Result<(), Fault> {
        self.check_at(item, 0, limits)
    }

    /// [`Body::check`] of a part of the text that was read for itself, from `base` on.
    pub fn check_at(&self, item: Json, base: usize, limits: &Limits) -> Result<(), Fault> {
        let (from, to) = item.span();
        let code = if item.kind() != Kind::Object {
            RejectCode::NotObject
        } else if to - from > limits.event {
            RejectCode::TooLarge
        } else if item.is_deep() {
            RejectCode::TooDeep
        } else if self.is_damaged(base + from, base + to) {
            RejectCode::BadText
        } else {
            return Ok(());
        };
        Err(Fault::new(code, ""))
    }
}

/// Decompresses gzip (also several members), but never more than `limit` bytes, whatever the input claims.
pub fn inflate(bytes: &[u8], limit: usize) -> Result<Vec<u8>, BodyError> {
    let mut out = Vec::with_capacity(bytes.len().saturating_mul(4).min(limit));
    let mut reader = flate2::read::MultiGzDecoder::new(bytes).take(limit as u64 + 1);
    reader.read_to_end(&mut out).map_err(|_| BodyError::NotCompressed)?;
    if out.len() > limit { Err(BodyError::TooLarge(limit)) } else { Ok(out) }
}
