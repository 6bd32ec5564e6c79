//! From bytes to text: what is compressed is unpacked, what is another encoding becomes UTF-8.

use crate::problem::InputErrorKind;
use encoding_rs::{Decoder, DecoderResult, EUC_KR, UTF_16BE, UTF_16LE, WINDOWS_1252};
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Encodings of text files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    Utf8,
    /// CP949, the superset of EUC-KR that Korean Windows writes.
    Cp949,
    Utf16Le,
    Utf16Be,
    /// Western European; never guessed, only on request.
    Windows1252,
}

impl Encoding {
    /// What [`Encoding::parse`] knows, for those who choose.
    pub const NAMES: &str = "utf-8, cp949, utf-16le, utf-16be, windows-1252";

    pub fn as_str(self) -> &'static str {
        match self {
            Encoding::Utf8 => "UTF-8",
            Encoding::Cp949 => "CP949",
            Encoding::Utf16Le => "UTF-16LE",
            Encoding::Utf16Be => "UTF-16BE",
            Encoding::Windows1252 => "Windows-1252",
        }
    }

    /// Reads the usual names: `utf-8`, `cp949`, `euc-kr`, `utf-16le`, `latin1` …
    pub fn parse(name: &str) -> Option<Encoding> {
        let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        Some(match name.to_ascii_lowercase().as_str() {
            "utf8" | "utf8bom" => Encoding::Utf8,
            "cp949" | "euckr" | "ms949" | "uhc" | "ksc5601" | "windows949" => Encoding::Cp949,
            "utf16" | "utf16le" => Encoding::Utf16Le,
            "utf16be" => Encoding::Utf16Be,
            "windows1252" | "cp1252" | "latin1" | "iso88591" => Encoding::Windows1252,
            _ => return None,
        })
    }

    /// Tells the encoding from the first bytes: `(encoding, length of the byte-order mark)`.
    pub(crate) fn sniff(head: &[u8]) -> Option<(Encoding, usize)> {
        match head {
            [0xef, 0xbb, 0xbf, ..] => return Some((Encoding::Utf8, 3)),
            [0xff, 0xfe, ..] => return Some((Encoding::Utf16Le, 2)),
            [0xfe, 0xff, ..] => return Some((Encoding::Utf16Be, 2)),
            _ => {}
        }
        // Commas, digits and line ends are ASCII: in UTF-16 every second byte of them is zero.
        let pairs = &head[..head.len().min(512) & !1];
        let zeros = |odd: usize| pairs.iter().skip(odd).step_by(2).filter(|b| **b == 0).count() * 8 > pairs.len();
        if !pairs.is_empty() && zeros(1) {
            return Some((Encoding::Utf16Le, 0));
        }
        if !pairs.is_empty() && zeros(0) {
            return Some((Encoding::Utf16Be, 0));
        }
        match std::str::from_utf8(head) {
            Ok(_) => Some((Encoding::Utf8, 0)),
            Err(e) if e.error_len().is_none() && e.valid_up_to() > 0 => Some((Encoding::Utf8, 0)),
            Err(_) => decodes_as_cp949(head).then_some((Encoding::Cp949, 0)),
        }
    }
}

fn decodes_as_cp949(bytes: &[u8]) -> bool {
    let mut text = String::with_capacity(bytes.len() * 3);
    let mut decoder = EUC_KR.new_decoder_without_bom_handling();
    let (result, _) = decoder.decode_to_string_without_replacement(bytes, &mut text, false);
    !matches!(result, DecoderResult::Malformed(..))
}

/// Counts what it reads, for progress.
pub(crate) struct Counted<R> {
    pub inner: R,
    pub count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.count.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Compression {
    None,
    Gzip,
    Zstd,
}

pub(crate) type Bytes = Box<dyn Read + Send>;

/// Reads up to `n` bytes ahead: what was read, and a reader that begins with it again.
pub(crate) fn peek(mut input: Bytes, n: usize) -> Result<(Vec<u8>, Bytes), InputErrorKind> {
    let mut head = Vec::with_capacity(n);
    input.by_ref().take(n as u64).read_to_end(&mut head).map_err(io_error)?;
    let again = io::Cursor::new(head.clone()).chain(input);
    Ok((head, Box::new(again)))
}

pub(crate) fn unpack(input: Bytes, head: &[u8]) -> Result<(Compression, Bytes), InputErrorKind> {
    Ok(match head {
        [0x1f, 0x8b, ..] => (Compression::Gzip, Box::new(flate2::read::MultiGzDecoder::new(input))),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            (Compression::Zstd, Box::new(zstd::stream::read::Decoder::new(input).map_err(io_error)?))
        }
        _ => (Compression::None, input),
    })
}

pub(crate) fn io_error(e: io::Error) -> InputErrorKind {
    match e.kind() {
        io::ErrorKind::UnexpectedEof => InputErrorKind::Truncated(e.to_string()),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other => {
            InputErrorKind::Damaged(e.to_string())
        }
        io::ErrorKind::IsADirectory => InputErrorKind::Directory,
        io::ErrorKind::NotFound => InputErrorKind::NotFound,
        _ => InputErrorKind::Io(e.to_string()),
    }
}

/// Text of any encoding as UTF-8, block by block.
pub(crate) struct Text {
    input: Bytes,
    pub encoding: Encoding,
    /// Of UTF-8: whether the encoding is sure (asked for, marked, or seen in a letter beyond ASCII).
    sure: bool,
    decoder: Option<Decoder>,
    raw: Vec<u8>,
    /// Bytes at the start of `raw` left from the last block.
    carried: usize,
    done: bool,
}

impl Text {
    pub fn new(input: Bytes, encoding: Encoding, sure: bool) -> Text {
        let decoder = match encoding {
            Encoding::Utf8 => None,
            Encoding::Cp949 => Some(EUC_KR.new_decoder_without_bom_handling()),
            Encoding::Utf16Le => Some(UTF_16LE.new_decoder_without_bom_handling()),
            Encoding::Utf16Be => Some(UTF_16BE.new_decoder_without_bom_handling()),
            Encoding::Windows1252 => Some(WINDOWS_1252.new_decoder_without_bom_handling()),
        };
        Text { input, encoding, sure, decoder, raw: vec![], carried: 0, done: false }
    }

    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Appends about `want` bytes' worth of text, or all that is left.
    pub fn fill(&mut self, text: &mut String, want: usize) -> Result<(), InputErrorKind> {
        self.raw.resize(self.carried + want, 0);
        let mut at = self.carried;
        while at < self.raw.len() {
            match self.input.read(&mut self.raw[at..]) {
                Ok(0) => {
                    self.done = true;
                    break;
                }
                Ok(n) => at += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(io_error(e)),
            }
        }
        self.raw.truncate(at);
        if self.decoder.is_none() { self.fill_utf8(text) } else { self.fill_decoded(text) }
    }

    fn fill_utf8(&mut self, text: &mut String) -> Result<(), InputErrorKind> {
        let valid = match std::str::from_utf8(&self.raw) {
            Ok(s) => {
                self.sure |= !s.is_ascii();
                text.push_str(s);
                s.len()
            }
            Err(e) => {
                let broken = e.error_len().is_some() || self.done;
                let s = std::str::from_utf8(&self.raw[..e.valid_up_to()]).unwrap_or("");
                let ascii = s.is_ascii();
                if broken && !self.sure && decodes_as_cp949(&self.raw) {
                    // All ASCII before this block: its letters say that it is CP949.
                    *self = Text {
                        raw: std::mem::take(&mut self.raw),
                        done: self.done,
                        ..Text::new(std::mem::replace(&mut self.input, Box::new(io::empty())), Encoding::Cp949, true)
                    };
                    return self.fill_decoded(text);
                }
                self.sure |= !ascii;
                text.push_str(s);
                if broken {
                    return Err(InputErrorKind::Encoding { expected: self.encoding.as_str() });
                }
                s.len()
            }
        };
        self.raw.drain(..valid);
        self.carried = self.raw.len();
        Ok(())
    }

    fn fill_decoded(&mut self, text: &mut String) -> Result<(), InputErrorKind> {
        let Some(decoder) = &mut self.decoder else { return Ok(()) };
        let room = decoder.max_utf8_buffer_length_without_replacement(self.raw.len()).unwrap_or(self.raw.len() * 4);
        text.reserve(room);
        let (result, _) = decoder.decode_to_string_without_replacement(&self.raw, text, self.done);
        self.raw.clear();
        self.carried = 0;
        match result {
            DecoderResult::InputEmpty => Ok(()),
            _ => Err(InputErrorKind::Encoding { expected: self.encoding.as_str() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8], block: usize) -> Result<String, InputErrorKind> {
        let (encoding, bom) =
            Encoding::sniff(&bytes[..bytes.len().min(16)]).ok_or(InputErrorKind::Encoding { expected: "any" })?;
        let mut text = Text::new(Box::new(io::Cursor::new(bytes[bom..].to_vec())), encoding, bom > 0);
        let mut out = String::new();
        while !text.is_done() {
            text.fill(&mut out, block)?;
        }
        Ok(out)
    }

    #[test]
    fn the_same_text_in_every_encoding_and_block_size() {
        let text = "고객번호,주문일시\n뷁,2026\n";
        let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let utf16be: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let (cp949, _, _) = EUC_KR.encode(text);
        for block in [1, 2, 3, 7, 1000] {
            assert_eq!(decode(text.as_bytes(), block).as_deref(), Ok(text));
            assert_eq!(decode(&[b"\xef\xbb\xbf", text.as_bytes()].concat(), block).as_deref(), Ok(text));
            assert_eq!(decode(&cp949, block).as_deref(), Ok(text));
            assert_eq!(decode(&[b"\xff\xfe".as_slice(), &utf16].concat(), block).as_deref(), Ok(text));
            assert_eq!(decode(&[b"\xfe\xff".as_slice(), &utf16be].concat(), block).as_deref(), Ok(text));
        }
    }

    #[test]
    fn korean_after_a_long_ascii_beginning_is_found() {
        let (cp949, _, _) = EUC_KR.encode("customer_id,order_date,name\n1,2026-11-22,홍길동\n");
        assert!(decode(&cp949, 1000).unwrap().ends_with("홍길동\n"));
        let mixed = [b"customer_id,order_date,n\n1,\xed\x99\x8d\n".as_slice(), b"2,\xb1\xe6\n"].concat();
        assert_eq!(decode(&mixed, 30), Err(InputErrorKind::Encoding { expected: "UTF-8" }));
    }
}
