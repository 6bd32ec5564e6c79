//! Parameters and bodies, checked, with errors that name the place.

use crate::problem::{ApiError, ApiResult};
use axum::body::Body;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gyul_model::{Identifier, Instant};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;

pub const DAYS_MAX: i64 = 36_525;
pub const LIMIT_MAX: usize = 1000;

/// The parameters of a query.
pub struct Args(HashMap<String, String>);

impl<S: Send + Sync> FromRequestParts<S> for Args {
    type Rejection = Box<ApiError>;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Args, Box<ApiError>> {
        let (ko, en) = ("쿼리를 읽을 수 없습니다.", "the query cannot be read.");
        let query = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let pairs = query.map_err(|_| ApiError::bad("bad_query", ko, en))?.0;
        let mut args = HashMap::with_capacity(pairs.len());
        for (name, value) in pairs {
            if args.insert(name, value).is_some() {
                let (ko, en) =
                    ("같은 매개변수가 두 번 있습니다. 한 번만 적으세요.", "a parameter is there twice. Say it once.");
                return Err(ApiError::bad("repeated_parameter", ko, en));
            }
        }
        Ok(Args(args))
    }
}

impl Args {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }

    /// With this, where nothing was said.
    pub fn or(mut self, name: &str, value: &str) -> Args {
        if self.get(name).is_none() {
            self.0.insert(name.into(), value.into());
        }
        self
    }

    pub fn need(&self, name: &str) -> ApiResult<&str> {
        let (ko, en) = (format!("{name} 매개변수가 필요합니다."), format!("the parameter {name} is missing."));
        self.get(name).ok_or_else(|| ApiError::bad("missing_parameter", ko, en))
    }

    pub fn number<T: std::str::FromStr>(&self, name: &str) -> ApiResult<Option<T>> {
        self.parse(name, "0 이상의 정수", "a whole number", |v| v.parse().ok())
    }

    /// So many days, at most a century: a length that no sum of instants overflows.
    pub fn days(&self, name: &str) -> ApiResult<Option<i64>> {
        let read = |v: &str| v.parse().ok().filter(|n| (1..=DAYS_MAX).contains(n));
        self.parse(name, "1에서 36525까지의 정수", "a whole number of days from 1 to 36525", read)
    }

    pub fn instant(&self, name: &str) -> ApiResult<Option<Instant>> {
        // An unescaped `+` arrives as a space.
        let read = |v: &str| Instant::parse_rfc3339(&v.replace(' ', "+"));
        self.parse(name, "2026-11-22T00:00:00+09:00 같은 시각", "an instant like 2026-11-22T00:00:00+09:00", read)
    }

    pub fn limit(&self) -> ApiResult<usize> {
        let read = |v: &str| v.parse().ok().filter(|n| (1..=LIMIT_MAX).contains(n));
        Ok(self.parse("limit", "1에서 1000까지의 정수", "a whole number from 1 to 1000", read)?.unwrap_or(100))
    }

    /// What [`cursor`] wrote.
    pub fn cursor<T>(&self, read: impl Fn(&str) -> Option<T>) -> ApiResult<Option<T>> {
        let decode = |v: &str| read(&String::from_utf8(URL_SAFE_NO_PAD.decode(v).ok()?).ok()?);
        self.parse("cursor", "앞 페이지가 알려 준 next", "the `next` of the page before", decode)
    }

    fn parse<T>(&self, name: &str, ko: &str, en: &str, read: impl Fn(&str) -> Option<T>) -> ApiResult<Option<T>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let wrong = || {
            ApiError::bad(
                "bad_parameter",
                format!("{name} 매개변수를 읽을 수 없습니다. 필요한 값: {ko}."),
                format!("the parameter {name} cannot be read. It is {en}."),
            )
        };
        read(value).map(Some).ok_or_else(wrong)
    }
}

pub fn cursor(plain: impl AsRef<str>) -> String {
    URL_SAFE_NO_PAD.encode(plain.as_ref())
}

#[derive(Serialize)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
}

/// A page of at most `limit`, out of one more: the one too many says that there are more.
pub fn page<T: Serialize>(mut items: Vec<T>, limit: usize, place: impl Fn(&T) -> String) -> ApiResult {
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|last| cursor(place(last)));
    json(&Page { items, next })
}

pub fn json(value: &impl Serialize) -> ApiResult {
    let bytes = serde_json::to_vec(value).map_err(|e| crate::Refusal::Internal(e.to_string()))?;
    Ok(media("application/json", bytes))
}

pub fn media(kind: &'static str, body: impl Into<Body>) -> Response {
    let mut response = body.into().into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

pub fn body<T: DeserializeOwned>(bytes: &[u8]) -> ApiResult<T> {
    serde_json::from_slice(bytes).map_err(|e| {
        let (line, column) = (e.line(), e.column());
        // serde's own words may quote what was sent: only the place is told, and whether it is JSON at all.
        let what = if e.is_data() {
            ("기대한 모양이 아닙니다", "is not of the shape expected")
        } else {
            ("JSON이 아닙니다", "is not JSON")
        };
        ApiError::bad(
            if e.is_data() { "bad_shape" } else { "bad_json" },
            format!("본문이 {line}행 {column}열에서 {}. API 문서를 확인하세요.", what.0),
            format!("the body {} at line {line}, column {column}. See the API's pages.", what.1),
        )
    })
}

pub fn text(bytes: &[u8]) -> ApiResult<&str> {
    let (ko, en) = ("본문이 UTF-8이 아닙니다.", "the body is not UTF-8.");
    std::str::from_utf8(bytes).map_err(|_| ApiError::bad("bad_utf8", ko, en))
}

/// Any name of a customer: a user id as it is, others with their kind (`email:a@b.kr`).
pub fn identifier(handle: &str) -> ApiResult<Identifier> {
    let (ko, en) = ("고객의 id가 비어 있거나 너무 깁니다.", "the id of the customer is empty or too long.");
    if handle.is_empty() || handle.len() > 512 {
        return Err(ApiError::bad("bad_id", ko, en));
    }
    Ok(Identifier::of_handle(handle))
}

/// The id of a definition, a key or a source.
pub fn name(text: &str) -> ApiResult<&str> {
    let fits = !text.is_empty() && text.len() <= 200 && !text.chars().any(char::is_control);
    let (ko, en) = (
        "이름이 비어 있거나 200바이트를 넘거나 제어 문자가 있습니다.",
        "the name is empty, longer than 200 bytes, or has control characters.",
    );
    if fits { Ok(text) } else { Err(ApiError::bad("bad_name", ko, en)) }
}
