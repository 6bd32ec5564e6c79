//! A request's body in memory: whole, decompressed, in time, and within what all bodies together may take.

use crate::app::App;
use crate::inflate::{Inflate, inflate};
use crate::problem::{ApiError, ApiResult};
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What bodies may take together is counted in pieces of so many bytes.
const PIECE: usize = 1024;

/// Larger ones are decompressed on a thread that may take its time.
const INLINE_MAX: usize = 16 * 1024;

/// The memory that all bodies share.
pub struct Room(Arc<Semaphore>);

/// A part of it, for as long as a request is answered.
#[derive(Default)]
pub struct Taken(Option<OwnedSemaphorePermit>);

impl Room {
    pub fn new(bytes: usize) -> Room {
        Room(Arc::new(Semaphore::new((bytes / PIECE).clamp(1, Semaphore::MAX_PERMITS))))
    }

    /// Only for bytes that are here: who claims much and sends little takes little.
    fn take(&self, taken: &mut Taken, bytes: usize) -> ApiResult<()> {
        let pieces = u32::try_from(bytes.div_ceil(PIECE)).unwrap_or(u32::MAX);
        let more = Arc::clone(&self.0).try_acquire_many_owned(pieces).map_err(|_| crate::Refusal::Busy(1))?;
        match &mut taken.0 {
            Some(permit) => permit.merge(more),
            None => taken.0 = Some(more),
        }
        Ok(())
    }
}

/// Replaces a request's body by one that is there as a whole. `needed` refuses an empty one.
pub async fn whole(app: &App, request: Request, limit: usize, needed: bool) -> ApiResult<(Request, Taken)> {
    let (mut parts, body) = request.into_parts();
    let length = parts.headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|n| n > limit as u64) {
        return Err(ApiError::too_large(limit));
    }
    let mut taken = Taken::default();
    let read = tokio::time::timeout(app.options.body_timeout, read(app, body, limit, &mut taken));
    let bytes = read.await.unwrap_or_else(|_| {
        let (ko, en) = ("본문이 제때 오지 않았습니다. 다시 보내세요.", "the body did not come in time. Send it again.");
        Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "timeout", ko, en))
    })?;
    if needed && bytes.is_empty() {
        let (ko, en) = ("요청 본문이 비어 있습니다.", "the body is empty.");
        return Err(ApiError::bad("body_empty", ko, en));
    }
    let bytes = match encoding_of(&mut parts.headers) {
        Some(encoding) => {
            app.bodies.take(&mut taken, limit)?;
            decompress(encoding, bytes, limit).await?
        }
        None => bytes,
    };
    Ok((Request::from_parts(parts, Body::from(bytes)), taken))
}

async fn read(app: &App, mut body: Body, limit: usize, taken: &mut Taken) -> ApiResult<Bytes> {
    let (mut first, mut all) = (Bytes::new(), BytesMut::new());
    while let Some(frame) = body.frame().await {
        let broken = |_| {
            let (ko, en) = ("본문이 중간에 끊겼습니다. 다시 보내세요.", "the body broke off. Send it again.");
            ApiError::bad("body_incomplete", ko, en)
        };
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        if first.len() + all.len() + data.len() > limit {
            return Err(ApiError::too_large(limit));
        }
        app.bodies.take(taken, data.len())?;
        // Most bodies come in one piece, which need not be copied.
        if first.is_empty() && all.is_empty() {
            first = data;
        } else {
            all.extend_from_slice(&std::mem::take(&mut first));
            all.extend_from_slice(&data);
        }
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

fn encoding_of(headers: &mut HeaderMap) -> Option<String> {
    let value = headers.remove(header::CONTENT_ENCODING)?;
    let encoding = value.to_str().unwrap_or("?").to_string();
    (!encoding.eq_ignore_ascii_case("identity")).then_some(encoding)
}

async fn decompress(encoding: String, bytes: Bytes, limit: usize) -> ApiResult<Bytes> {
    let inflated = if bytes.len() <= INLINE_MAX {
        inflate(&encoding, &bytes, limit)
    } else {
        let work = tokio::task::spawn_blocking(move || inflate(&encoding, &bytes, limit));
        work.await.unwrap_or(Err(Inflate::Broken))
    };
    inflated.map(Bytes::from).map_err(|e| match e {
        Inflate::TooLarge => ApiError::too_large(limit),
        Inflate::Broken => ApiError::bad(
            "bad_compression",
            "압축을 풀 수 없습니다. Content-Encoding과 본문이 맞는지 확인하세요.",
            "cannot be decompressed. Check that Content-Encoding fits the body.",
        ),
        Inflate::Unknown => ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unknown_encoding",
            "모르는 Content-Encoding입니다. gzip, deflate, zstd 중 하나로 보내세요.",
            "an unknown Content-Encoding. Use gzip, deflate or zstd.",
        ),
    })
}
