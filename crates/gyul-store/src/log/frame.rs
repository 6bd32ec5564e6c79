//! How a record and the head of a segment look on disk. All numbers are little-endian.
//!
//! ```text
//! frame   0  2  magic                 head   0  8  magic
//!         2  1  version of the format        8  4  version of the format
//!         3  1  kind, 0: blank               12 4  0
//!         4  4  length of the payload        16 8  number of the segment's first record
//!         8  4  span                         24 8  first of the segment before, or u64::MAX
//!        12  4  checksum of the payload      32 8  salt
//!        16  8  sequence number              40 4  checksum of the 40 bytes before
//!        24  8  received at, µs
//!        32  4  numbers since the first of its commit
//!        36  4  checksum of the 36 bytes before
//!        40     payload
//! ```
//! Checksums are CRC-32C; those of frames begin with the salt, which nobody outside knows: bytes that somebody sends in can
//! never pass for a frame when a damaged place is searched for what is still good.

use gyul_model::Instant;
use std::ops::Range;

pub const VERSION: u32 = 1;
pub const MAGIC: [u8; 2] = [0xA7, 0x4C];
pub const FRAME: usize = 40;
/// The head is written twice, into sectors of their own.
pub const HEADS: [u64; 2] = [0, 512];
pub const HEAD: usize = 44;
/// Where the first frame of a segment begins.
pub const BEGIN: u64 = 1024;
const HEAD_MAGIC: [u8; 8] = *b"GYUL-LOG";
pub const NONE: u64 = u64::MAX;

/// What a frame says of its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub len: u32,
    pub span: u32,
    pub seq: u64,
    pub at: Instant,
    /// The first number of the commit that it came with.
    pub commit: u64,
    pub payload_sum: u32,
}

impl Frame {
    pub fn seqs(&self) -> Range<u64> {
        self.seq..self.seq + u64::from(self.span)
    }

    /// Bytes on disk.
    pub fn size(&self) -> u64 {
        FRAME as u64 + u64::from(self.len)
    }
}

pub fn sum(salt: u64, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&salt.to_le_bytes()), bytes)
}

pub fn encode(out: &mut Vec<u8>, f: &Frame, payload: &[u8], salt: u64) {
    let start = out.len();
    out.extend(MAGIC);
    out.extend([VERSION as u8, f.kind]);
    out.extend((payload.len() as u32).to_le_bytes());
    out.extend(f.span.to_le_bytes());
    out.extend(sum(salt, payload).to_le_bytes());
    out.extend(f.seq.to_le_bytes());
    out.extend(f.at.0.to_le_bytes());
    out.extend(((f.seq - f.commit) as u32).to_le_bytes());
    let head = sum(salt, &out[start..]);
    out.extend(head.to_le_bytes());
    out.extend_from_slice(payload);
}

/// Reads the head of a frame; `None` if these bytes are none.
pub fn decode(bytes: &[u8], salt: u64) -> Option<Frame> {
    let bytes = bytes.get(..FRAME)?;
    if bytes[..2] != MAGIC || sum(salt, &bytes[..36]) != u32_at(bytes, 36) {
        return None;
    }
    let seq = u64_at(bytes, 16);
    let frame = Frame {
        kind: bytes[3],
        len: u32_at(bytes, 4),
        span: u32_at(bytes, 8),
        payload_sum: u32_at(bytes, 12),
        seq,
        at: Instant(u64_at(bytes, 24) as i64),
        commit: seq.checked_sub(u64::from(u32_at(bytes, 32)))?,
    };
    (u32::from(bytes[2]) == VERSION && frame.span > 0 && seq.checked_add(u64::from(frame.span)).is_some())
        .then_some(frame)
}

/// What the head of a segment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub first: u64,
    /// The first of the segment before it, `NONE` if it began the log.
    pub before: u64,
    pub salt: u64,
}

/// Why a head cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub enum BadHead {
    Broken,
    Newer(u32),
}

impl Head {
    pub fn encode(&self) -> [u8; HEAD] {
        let mut out = [0; HEAD];
        out[..8].copy_from_slice(&HEAD_MAGIC);
        out[8..12].copy_from_slice(&VERSION.to_le_bytes());
        out[16..24].copy_from_slice(&self.first.to_le_bytes());
        out[24..32].copy_from_slice(&self.before.to_le_bytes());
        out[32..40].copy_from_slice(&self.salt.to_le_bytes());
        let sum = crc32c::crc32c(&out[..40]);
        out[40..].copy_from_slice(&sum.to_le_bytes());
        out
    }

    pub fn decode(bytes: &[u8]) -> Result<Head, BadHead> {
        let bytes = bytes.get(..HEAD).ok_or(BadHead::Broken)?;
        if bytes[..8] != HEAD_MAGIC || crc32c::crc32c(&bytes[..40]) != u32_at(bytes, 40) {
            return Err(BadHead::Broken);
        }
        match u32_at(bytes, 8) {
            VERSION => Ok(Head { first: u64_at(bytes, 16), before: u64_at(bytes, 24), salt: u64_at(bytes, 32) }),
            v => Err(BadHead::Newer(v)),
        }
    }
}

pub fn name(first: u64) -> String {
    format!("{first:020}.log")
}

pub fn first_of(name: &str) -> Option<u64> {
    let stem = name.strip_suffix(".log")?;
    (stem.len() == 20 && stem.bytes().all(|b| b.is_ascii_digit())).then(|| stem.parse().ok())?
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().rev().fold(0, |n, b| n << 8 | u32::from(*b))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..at + 8].iter().rev().fold(0, |n, b| n << 8 | u64::from(*b))
}
