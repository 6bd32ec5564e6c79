//! A foreign file or stream: what it is, its header, and its rows in chunks of bounded size.

use crate::decode::{self, Bytes, Compression, Counted, Encoding, Text};
use crate::problem::{InputError, InputErrorKind as Kind};
use crate::rows::{Body, Chunk, Rows};
use crate::{csv, json, table};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A record longer than this is a fault of the file (mostly a quote that is never closed).
const RECORD_MAX: usize = 16 << 20;
/// Formats that need all bytes at once are read from streams up to this size.
const WHOLE_MAX: u64 = 1 << 30;
const HEAD: usize = 64 << 10;

/// Where bytes come from. A file lets formats seek that must (Parquet).
pub enum Input {
    File(File),
    Stream(Box<dyn Read + Send>),
}

/// What to take for granted instead of looking.
#[derive(Clone, Debug)]
pub struct Options {
    pub encoding: Option<Encoding>,
    pub delimiter: Option<u8>,
    /// About how many bytes of text a chunk holds.
    pub block_bytes: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options { encoding: None, delimiter: None, block_bytes: 1 << 20 }
    }
}

/// What all chunks of a source share.
pub(crate) struct Shape {
    pub header: Vec<String>,
}

/// An opened source.
pub struct Source {
    name: String,
    shape: Arc<Shape>,
    description: String,
    count: Arc<AtomicU64>,
    body: Reader,
    /// The first chunk, read ahead for the sample.
    first: Option<Chunk>,
    next_row: u64,
    next_line: u64,
    block_bytes: usize,
    failed: bool,
}

enum Reader {
    Csv { text: Text, rest: String, delimiter: u8 },
    Json { text: Text, rest: String },
    Table(table::Table),
}

impl Source {
    /// Looks at the first bytes: compression, format, encoding, delimiter, header. `name` is for messages.
    pub fn open(name: &str, input: Input, options: &Options) -> Result<Source, InputError> {
        let fail = |kind| InputError { name: name.to_string(), line: None, kind };
        let mut source = Source::begin(name, input, options).map_err(fail)?;
        match source.read_chunk()? {
            Some(chunk) => source.first = Some(chunk),
            None => return Err(fail(Kind::HeaderOnly)),
        }
        Ok(source)
    }

    /// Opens a file by its path.
    pub fn open_path(path: &Path, options: &Options) -> Result<Source, InputError> {
        let name = path.display().to_string();
        let fail = |kind| InputError { name: name.clone(), line: None, kind };
        if path.is_dir() {
            return Err(fail(Kind::Directory));
        }
        let file = File::open(path).map_err(|e| fail(decode::io_error(e)))?;
        Source::open(&name, Input::File(file), options)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn header(&self) -> &[String] {
        &self.shape.header
    }

    /// What was found, in short: `CSV ; · CP949 · gzip`.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The first rows, to infer a mapping from. They come again in the first chunk.
    pub fn sample(&self) -> Rows {
        self.first.clone().map(Chunk::into_rows).unwrap_or_default()
    }

    /// How many bytes of the (compressed) input were read.
    pub fn bytes_read(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// The next rows; `None` at the end. After an error there is nothing more.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>, InputError> {
        match self.first.take() {
            Some(chunk) => Ok(Some(chunk)),
            None => self.read_chunk(),
        }
    }

    fn begin(name: &str, input: Input, options: &Options) -> Result<Source, Kind> {
        let count = Arc::new(AtomicU64::new(0));
        let counted = |inner: Bytes| -> Bytes { Box::new(Counted { inner, count: count.clone() }) };
        let mut file = None;
        let input = match input {
            Input::File(f) => {
                file = f.try_clone().ok();
                counted(Box::new(f))
            }
            Input::Stream(s) => counted(s),
        };
        let (head, input) = decode::peek(input, HEAD)?;
        let (compression, input) = decode::unpack(input, &head)?;
        let (head, input) = if compression == Compression::None { (head, input) } else { decode::peek(input, HEAD)? };
        if head.is_empty() {
            return Err(Kind::Empty);
        }
        let build = |header: Vec<String>, description: String, body, next_line| Source {
            name: name.to_string(),
            shape: Arc::new(Shape { header }),
            description: description + suffix(compression),
            count: count.clone(),
            body,
            first: None,
            next_row: 1,
            next_line,
            // Offsets into a block are 32 bits wide.
            block_bytes: options.block_bytes.clamp(1, 64 << 20),
            failed: false,
        };
        match binary_format(&head) {
            Some("Parquet") => {
                let whole = match file.filter(|_| compression == Compression::None) {
                    Some(f) => table::Whole::File(f),
                    None => table::Whole::Bytes(read_whole(input)?),
                };
                let table = table::Table::parquet(whole)?;
                return Ok(build(unique(table.header.clone()), "Parquet".into(), Reader::Table(table), 0));
            }
            Some("Excel") => {
                let table = table::Table::excel(read_whole(input)?)?;
                let description = format!("Excel · {}", table.name);
                return Ok(build(unique(table.header.clone()), description, Reader::Table(table), 0));
            }
            Some(other) => return Err(Kind::UnknownFormat(other)),
            None => {}
        }
        let (encoding, bom) = match (options.encoding, Encoding::sniff(&head)) {
            (Some(asked), Some((found, bom))) if asked == found => (asked, bom),
            (Some(asked), _) => (asked, 0),
            (None, Some(found)) => found,
            (None, None) => return Err(Kind::Encoding { expected: "UTF-8, CP949, UTF-16" }),
        };
        let mut input = input;
        input.by_ref().take(bom as u64).read_to_end(&mut vec![]).map_err(decode::io_error)?;
        let sure = bom > 0 || options.encoding.is_some() || !head.is_ascii();
        let mut text = Text::new(input, encoding, sure);
        let mut rest = String::new();
        text.fill(&mut rest, options.block_bytes.clamp(1 << 12, 1 << 24))?;
        let shown = |what: &str, text: &Text| format!("{what} · {}", text.encoding.as_str());
        match rest.trim_start().bytes().next() {
            None => Err(Kind::Empty),
            Some(b'{') => {
                let header = json::keys(&rest);
                let description = shown("JSON Lines", &text);
                Ok(build(header, description, Reader::Json { text, rest }, 1))
            }
            Some(b'[') => Err(Kind::UnknownFormat("JSON array")),
            Some(_) => {
                let blank = rest.len() - rest.trim_start_matches(['\n', '\r']).len();
                let delimiter = options.delimiter.unwrap_or_else(|| csv::sniff_delimiter(&rest[blank..]));
                let end = loop {
                    let end = blank + csv::record_end(&rest.as_bytes()[blank..], 0, delimiter);
                    if end < rest.len() || text.is_done() {
                        break end;
                    }
                    if rest.len() > RECORD_MAX {
                        return Err(Kind::RecordTooLong(RECORD_MAX));
                    }
                    let more = rest.len();
                    text.fill(&mut rest, more)?;
                };
                let header = unique(csv::record(&rest[blank..end], delimiter));
                let next_line = 1 + memchr::memchr_iter(b'\n', &rest.as_bytes()[..end]).count() as u64;
                let kind = match delimiter {
                    b'\t' => "TSV".to_string(),
                    d => format!("CSV {}", d as char),
                };
                let description = shown(&kind, &text);
                rest.drain(..end);
                Ok(build(header, description, Reader::Csv { text, rest, delimiter }, next_line))
            }
        }
    }

    fn read_chunk(&mut self) -> Result<Option<Chunk>, InputError> {
        if self.failed {
            return Ok(None);
        }
        let (row, line) = (self.next_row, self.next_line);
        match self.read_body() {
            Ok(None) => Ok(None),
            Ok(Some((body, rows, lines))) => {
                self.next_row += rows;
                self.next_line += lines;
                Ok(Some(Chunk { shape: self.shape.clone(), body, first_row: row, first_line: line }))
            }
            Err(kind) => {
                self.failed = true;
                let line = match &self.body {
                    Reader::Table(_) => None,
                    Reader::Csv { rest, .. } | Reader::Json { rest, .. } => {
                        Some(line + memchr::memchr_iter(b'\n', rest.as_bytes()).count() as u64)
                    }
                };
                Err(InputError { name: self.name.clone(), line, kind })
            }
        }
    }

    /// The next body with its records and lines.
    fn read_body(&mut self) -> Result<Option<(Body, u64, u64)>, Kind> {
        let block = self.block_bytes;
        let (text, rest, delimiter) = match &mut self.body {
            Reader::Table(table) => {
                let rows = table.next(self.next_row)?;
                let n = rows.len() as u64;
                return Ok((n > 0).then_some((Body::Rows(rows), n, 0)));
            }
            Reader::Csv { text, rest, delimiter } => (text, rest, Some(*delimiter)),
            Reader::Json { text, rest } => (text, rest, None),
        };
        loop {
            // What was decoded before is long enough, or the end is reached, or there must be more.
            if rest.len() >= block || text.is_done() {
                let cut = match delimiter {
                    Some(d) => csv::cut(rest.as_bytes(), d),
                    None => json::cut(rest.as_bytes()),
                };
                if cut.end > 0 || text.is_done() {
                    let last = if text.is_done() { rest.len() } else { cut.end };
                    if rest[..last].trim().is_empty() && text.is_done() {
                        return Ok(None);
                    }
                    let tail = rest.split_off(last);
                    let body = std::mem::replace(rest, tail);
                    let (records, lines) = (cut.records, cut.lines);
                    let body = match delimiter {
                        Some(delimiter) => Body::Csv { text: body, delimiter },
                        None => Body::Json(body),
                    };
                    return Ok(Some((body, records, lines)));
                }
                if rest.len() > RECORD_MAX {
                    let open = cut.open;
                    return Err(if open { Kind::UnclosedQuote(RECORD_MAX) } else { Kind::RecordTooLong(RECORD_MAX) });
                }
            }
            text.fill(rest, block.max(rest.len()))?;
        }
    }
}

fn suffix(compression: Compression) -> &'static str {
    match compression {
        Compression::None => "",
        Compression::Gzip => " · gzip",
        Compression::Zstd => " · zstd",
    }
}

fn read_whole(input: Bytes) -> Result<Vec<u8>, Kind> {
    let mut bytes = vec![];
    input.take(WHOLE_MAX + 1).read_to_end(&mut bytes).map_err(decode::io_error)?;
    if bytes.len() as u64 > WHOLE_MAX { Err(Kind::TooLarge(WHOLE_MAX)) } else { Ok(bytes) }
}

/// Formats that are told by their first bytes.
fn binary_format(head: &[u8]) -> Option<&'static str> {
    match head {
        [b'P', b'A', b'R', b'1', ..] => Some("Parquet"),
        [b'P', b'K', 3, 4, ..] => Some("Excel"),
        [0xd0, 0xcf, 0x11, 0xe0, ..] => Some("xls"),
        [b'%', b'P', b'D', b'F', ..] => Some("PDF"),
        [b'B', b'Z', b'h', ..] => Some("bzip2"),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => Some("xz"),
        _ => None,
    }
}

/// Names for all columns, each once: an empty name becomes its number, a repeated one gets a number.
fn unique(header: Vec<String>) -> Vec<String> {
    let mut seen: Vec<String> = vec![];
    for (i, name) in header.into_iter().enumerate() {
        let name = name.trim().trim_start_matches('\u{feff}');
        let base = if name.is_empty() { format!("column {}", i + 1) } else { name.to_string() };
        let mut name = base.clone();
        let mut n = 2;
        while seen.contains(&name) {
            name = format!("{base} ({n})");
            n += 1;
        }
        seen.push(name);
    }
    seen
}
