//! A request's bytes as text.

use super::{BodyError, Limits};
use std::borrow::Cow;
use std::io::Read;

/// A body as text, and the places where it was not UTF-8.
pub(crate) struct Body<'a> {
    pub text: Cow<'a, str>,
    /// Where U+FFFD stands for bytes that are no characters.
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

    pub fn is_damaged(&self, (from, to): (usize, usize)) -> bool {
        !self.damaged.is_empty() && self.damaged.iter().any(|at| (from..to).contains(at))
    }
}

/// Decompresses gzip (also several members), but never more than `limit` bytes, whatever the input claims.
pub fn inflate(bytes: &[u8], limit: usize) -> Result<Vec<u8>, BodyError> {
    let mut out = Vec::with_capacity(bytes.len().saturating_mul(4).min(limit));
    let mut reader = flate2::read::MultiGzDecoder::new(bytes).take(limit as u64 + 1);
    reader.read_to_end(&mut out).map_err(|_| BodyError::NotCompressed)?;
    if out.len() > limit { Err(BodyError::TooLarge(limit)) } else { Ok(out) }
}
