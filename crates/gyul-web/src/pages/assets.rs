//! Styles, scripts and their licences, compiled into the binary, compressed once, kept by browsers for ever.

use crate::problem::{ApiError, ApiResult};
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};
use std::io::Write;
use std::sync::{LazyLock, OnceLock};

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_bytes!(concat!("../../assets/", $name)).as_slice())),*]
    };
}

/// What pages refer to. Styles of all pages are one file, in this order.
static FILES: &[(&str, &[u8])] = &files![
    "css/base.css",
    "css/parts.css",
    "css/start.css",
    "css/segments.css",
    "css/builder.css",
    "css/partitions.css",
    "css/customers.css",
    "css/explore.css",
    "css/data.css",
    "css/settings.css",
    "js/app.js",
    "js/charts.js",
    "js/live.js",
    "js/builder-labels.js",
    "js/builder-fields.js",
    "js/builder-cards.js",
    "js/builder-text.js",
    "js/builder-editor.js",
    "js/builder.js",
    "js/customers.js",
    "js/data.js",
    "js/partition-cards.js",
    "js/partitions.js",
    "js/settings.js",
    "icon.svg",
    "vendor/htmx/htmx.min.js",
    "vendor/echarts/echarts.min.js",
];

struct Asset {
    name: String,
    kind: &'static str,
    plain: Vec<u8>,
    packed: OnceLock<Vec<u8>>,
}

/// All of them, and a hash over their content.
static ASSETS: LazyLock<(String, Vec<Asset>)> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    let mut style = vec![];
    let mut out = vec![];
    for (name, bytes) in FILES {
        hash.update(bytes);
        let kind = match name.rsplit('.').next() {
            Some("css") => {
                style.extend_from_slice(bytes);
                continue;
            }
            Some("svg") => "image/svg+xml",
            _ => "text/javascript; charset=utf-8",
        };
        // Flat: the address has one part for the version and one for the name.
        let name = name.rsplit('/').next().unwrap_or(name).to_string();
        out.push(Asset { name, kind, plain: bytes.to_vec(), packed: OnceLock::new() });
    }
    out.push(Asset { name: "gyul.css".into(), kind: "text/css; charset=utf-8", plain: style, packed: OnceLock::new() });
    let version: String = hash.finalize().iter().take(6).map(|b| format!("{b:02x}")).collect();
    (version, out)
});

/// `gyul.css`, `app.js`, …
pub fn address(name: &str) -> String {
    format!("/assets/{}/{name}", ASSETS.0)
}

pub async fn serve(Path((_, name)): Path<(String, String)>, headers: HeaderMap) -> ApiResult {
    let asset = ASSETS.1.iter().find(|a| a.name == name).ok_or_else(ApiError::not_found)?;
    let accepts = headers.get(header::ACCEPT_ENCODING).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let gzip = accepts.contains("gzip");
    let body = if gzip { asset.packed.get_or_init(|| pack(&asset.plain, 9)).clone() } else { asset.plain.clone() };
    let mut response = crate::args::media(asset.kind, body);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if gzip {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(response)
}

pub fn pack(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 3), Compression::new(level));
    // A vector takes all that it is given.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

/// A page, compressed where that saves something.
pub fn html(text: String, gzip: bool) -> Response {
    let worth = gzip && text.len() > 1400;
    let body = if worth { pack(text.as_bytes(), 4) } else { text.into_bytes() };
    let mut response = crate::args::media("text/html; charset=utf-8", body);
    if worth {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-encoding, cookie"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_view_without_charts_is_small() {
        let sizes = ASSETS.1.iter().filter(|a| a.name != "echarts.min.js").map(|a| pack(&a.plain, 9).len());
        let all: usize = sizes.sum();
        assert!(all < 200_000, "{all} bytes compressed");
    }

    /// All styles are one file: a class that two pages use would look on each as the other wants it.
    #[test]
    fn a_class_of_one_page_is_no_class_of_another() {
        let name = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
        let pages: Vec<(&str, &str)> = FILES
            .iter()
            .filter(|(n, _)| n.ends_with(".css") && !["css/base.css", "css/parts.css"].contains(n))
            .map(|(n, bytes)| (*n, std::str::from_utf8(bytes).unwrap()))
            .collect();
        let mut seen = 0;
        for (file, text) in &pages {
            // What stands alone before a rule is dressed wherever it is: `.steps { … }`.
            let selectors = text.split('{').map(|s| s.rsplit(['}', '/']).next().unwrap_or_default());
            let alone = selectors.flat_map(|s| s.split(',')).filter_map(|s| s.trim().strip_prefix('.'));
            for class in alone.filter(|c| c.chars().all(name)) {
                seen += 1;
                for (other, text) in pages.iter().filter(|(other, _)| other != file) {
                    let used = text.split('.').skip(1).any(|t| t.split(|c| !name(c)).next() == Some(class));
                    assert!(!used, ".{class} of {file} is used in {other}");
                }
            }
        }
        assert!(seen > 40, "{seen}");
    }

    /// A page of ours asks nobody else for anything.
    #[test]
    fn our_own_files_name_no_other_host() {
        for (name, bytes) in FILES.iter().filter(|(n, _)| !n.starts_with("vendor")) {
            let text = String::from_utf8_lossy(bytes);
            for part in text.split("://").skip(1) {
                assert!(part.starts_with("www.w3.org"), "{name}: ://{}", part.chars().take(30).collect::<String>());
            }
        }
    }
}
