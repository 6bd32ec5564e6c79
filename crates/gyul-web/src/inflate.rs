//! Bodies that come compressed, never taking more memory than the limit says, whatever the input claims.

use std::io::Read;

#[derive(Debug, PartialEq)]
pub enum Inflate {
    TooLarge,
    Broken,
    Unknown,
}

/// Decodes one `Content-Encoding`. Several at once are nobody's habit but an attacker's.
pub fn inflate(encoding: &str, bytes: &[u8], limit: usize) -> Result<Vec<u8>, Inflate> {
    let encoding = encoding.trim();
    let is = |name: &str| encoding.eq_ignore_ascii_case(name);
    if is("gzip") || is("x-gzip") {
        return read(flate2::read::MultiGzDecoder::new(bytes), limit);
    }
    if is("deflate") {
        // The standard means zlib's frame, some senders leave it out.
        return match read(flate2::read::ZlibDecoder::new(bytes), limit) {
            Err(Inflate::Broken) => read(flate2::read::DeflateDecoder::new(bytes), limit),
            done => done,
        };
    }
    if is("zstd") {
        let mut decoder = zstd::stream::read::Decoder::new(bytes).map_err(|_| Inflate::Broken)?;
        // A frame's window is memory too: 8 MiB, as browsers allow.
        decoder.window_log_max(23).map_err(|_| Inflate::Broken)?;
        return read(decoder, limit);
    }
    Err(Inflate::Unknown)
}

fn read(reader: impl Read, limit: usize) -> Result<Vec<u8>, Inflate> {
    let mut out = vec![];
    reader.take(limit as u64 + 1).read_to_end(&mut out).map_err(|_| Inflate::Broken)?;
    if out.len() > limit { Err(Inflate::TooLarge) } else { Ok(out) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn pack(encoding: &str, bytes: &[u8]) -> Vec<u8> {
        let level = flate2::Compression::best();
        match encoding {
            "gzip" => {
                let mut w = flate2::write::GzEncoder::new(vec![], level);
                w.write_all(bytes).unwrap();
                w.finish().unwrap()
            }
            "deflate" => {
                let mut w = flate2::write::ZlibEncoder::new(vec![], level);
                w.write_all(bytes).unwrap();
                w.finish().unwrap()
            }
            _ => zstd::stream::encode_all(bytes, 19).unwrap(),
        }
    }

    #[test]
    fn encodings_come_back_and_bombs_are_refused() {
        for encoding in ["gzip", "deflate", "zstd"] {
            assert_eq!(inflate(encoding, &pack(encoding, b"{}"), 2).unwrap(), b"{}");
            assert_eq!(inflate(encoding, &pack(encoding, b"{} "), 2), Err(Inflate::TooLarge));
            let bomb = pack(encoding, &vec![0; 2 << 20]);
            assert!(bomb.len() < 64 << 10);
            assert_eq!(inflate(encoding, &bomb, 1 << 16), Err(Inflate::TooLarge));
            assert_eq!(inflate(encoding, b"\x01no such thing", 99), Err(Inflate::Broken));
        }
        assert_eq!(inflate("br", b"", 9), Err(Inflate::Unknown));
        assert_eq!(inflate("gzip, gzip", b"", 9), Err(Inflate::Unknown));
    }
}
