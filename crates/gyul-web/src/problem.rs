//! What went wrong with a request, as RFC 9457's `application/problem+json` in the reader's language.

use crate::Refusal;
use crate::data::{Problem, Severity};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use gyul_model::Lang;
use serde_json::{Value, json};

/// The reader's language: the one chosen on a page, else what the browser asks for; English unless Korean comes first.
pub fn lang_of(headers: &HeaderMap) -> Lang {
    match crate::guard::cookie(headers, crate::pages::LANG_COOKIE).as_deref() {
        Some("ko") => return Lang::Ko,
        Some("en") => return Lang::En,
        _ => {}
    }
    let accept = headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let weight = |wanted: &str| {
        let weights = accept.split(',').take(20).filter_map(|part| {
            let mut fields = part.trim().split(';');
            let tag = fields.next()?.trim().to_ascii_lowercase();
            let fits = tag == wanted || tag.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('-'));
            let q = fields.find_map(|f| f.trim().strip_prefix("q=")?.parse::<f32>().ok()).unwrap_or(1.0);
            fits.then_some(q)
        });
        weights.fold(0.0f32, f32::max)
    };
    if weight("ko") > weight("en") { Lang::Ko } else { Lang::En }
}

/// A refused request. The words are chosen when the language is known.
#[derive(Debug)]
pub struct ApiError {
    pub status: StatusCode,
    /// Stable.
    pub code: &'static str,
    ko: String,
    en: String,
    errors: Vec<Problem>,
    /// Seconds.
    pub retry_after: Option<u32>,
    /// For the log only.
    pub internal: Option<String>,
}

pub type ApiResult<T = Response> = Result<T, Box<ApiError>>;

impl ApiError {
    pub fn new(status: StatusCode, code: &'static str, ko: impl Into<String>, en: impl Into<String>) -> Box<ApiError> {
        let (ko, en) = (ko.into(), en.into());
        Box::new(ApiError { status, code, ko, en, errors: vec![], retry_after: None, internal: None })
    }

    pub fn bad(code: &'static str, ko: impl Into<String>, en: impl Into<String>) -> Box<ApiError> {
        ApiError::new(StatusCode::BAD_REQUEST, code, ko, en)
    }

    pub fn not_found() -> Box<ApiError> {
        let (ko, en) =
            ("찾는 것이 없습니다. 주소와 id를 확인하세요.", "there is no such thing. Check the address and the id.");
        ApiError::new(StatusCode::NOT_FOUND, "not_found", ko, en)
    }

    pub fn unauthorized() -> Box<ApiError> {
        ApiError::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "누구인지 확인할 수 없습니다. Authorization 헤더에 유효한 키를 넣거나 로그인하세요.",
            "nobody is signed in. Put a valid key into the Authorization header, or sign in.",
        )
    }

    pub fn forbidden() -> Box<ApiError> {
        ApiError::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "이 역할로는 할 수 없는 일입니다. 소유자에게 권한을 요청하세요.",
            "this role may not do that. Ask an owner for another role.",
        )
    }

    pub fn too_large(limit: usize) -> Box<ApiError> {
        ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("요청 본문이 {limit}바이트를 넘습니다. 나누어 보내세요."),
            format!("the body is larger than {limit} bytes. Send it in parts."),
        )
    }

    pub fn rate(seconds: u32) -> Box<ApiError> {
        let mut e = ApiError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "rate_limited",
            format!("요청이 너무 잦습니다. {seconds}초 뒤에 다시 보내세요."),
            format!("too many requests. Try again in {seconds} s."),
        );
        e.retry_after = Some(seconds);
        e
    }

    /// Each with its place, where an input is wrong.
    pub fn problems(&self) -> &[Problem] {
        &self.errors
    }

    pub fn message(&self, lang: Lang) -> &str {
        lang.pick(&self.ko, &self.en)
    }

    pub fn respond(&self, lang: Lang, request_id: &str) -> Response {
        let mut body = json!({
            "type": format!("urn:gyul:problem:{}", self.code),
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.message(lang),
            "request_id": request_id,
        });
        if !self.errors.is_empty() {
            body["errors"] = self.errors.iter().map(|p| localised(p, lang)).collect();
        }
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/problem+json"));
        let language = lang.pick("ko", "en");
        headers.insert(header::CONTENT_LANGUAGE, header::HeaderValue::from_static(language));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let basic = header::HeaderValue::from_static("Bearer realm=\"gyul\"");
            headers.insert(header::WWW_AUTHENTICATE, basic);
        }
        response
    }
}

/// A problem in one language, with its place where it has one.
fn localised(p: &Problem, lang: Lang) -> Value {
    let mut out = json!({
        "code": p.code,
        "severity": match p.severity { Severity::Error => "error", Severity::Warning => "warning" },
        "message": lang.pick(&p.ko, &p.en),
    });
    let places = [("line", p.line), ("column", p.column), ("width", p.width)];
    for (name, at) in places.into_iter().filter_map(|(n, at)| Some((n, at?))) {
        out[name] = at.into();
    }
    if let Some(hint) = lang.pick(&p.hint_ko, &p.hint_en) {
        out["hint"] = hint.as_str().into();
    }
    out
}

/// Carried by a response until the outer layer, which knows the language, writes the words.
#[derive(Clone)]
pub struct Pending(pub std::sync::Arc<ApiError>);

impl IntoResponse for Box<ApiError> {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(Pending(std::sync::Arc::new(*self)));
        response
    }
}

impl From<Refusal> for Box<ApiError> {
    fn from(refusal: Refusal) -> Box<ApiError> {
        let later = |code, ko: &str, en: &str, seconds: u32| {
            let mut e = ApiError::new(StatusCode::SERVICE_UNAVAILABLE, code, ko, en);
            e.retry_after = Some(seconds.max(1));
            e
        };
        match refusal {
            Refusal::NotFound => ApiError::not_found(),
            Refusal::Invalid(errors) => {
                let (ko, en) = match errors.first() {
                    Some(p) => (p.ko.clone(), p.en.clone()),
                    None => ("입력이 올바르지 않습니다.".into(), "the input is not valid.".into()),
                };
                let mut e = ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", ko, en);
                e.errors = errors;
                e
            }
            Refusal::Conflict(p) => {
                let mut e = ApiError::new(StatusCode::CONFLICT, "conflict", p.ko.clone(), p.en.clone());
                e.errors = vec![*p];
                e
            }
            Refusal::Gone => ApiError::new(
                StatusCode::GONE,
                "gone",
                "그 위치의 기록은 더 이상 보관되지 않습니다. 처음 상태를 다시 읽고 최신 위치부터 이어 가세요.",
                "what was there is no longer kept. Read the present state and go on from the latest offset.",
            ),
            Refusal::Busy(s) => later(
                "busy",
                "지금은 처리할 것이 밀려 있습니다. 잠시 뒤에 다시 보내세요.",
                "there is too much to do at the moment. Try again soon.",
                s,
            ),
            Refusal::Storage(s) => later(
                "storage",
                "디스크에 쓸 수 없어 아무것도 받지 않았습니다. 남은 공간을 확인한 뒤 다시 보내세요.",
                "the disk cannot be written, so nothing was taken. Check its free space, then try again.",
                s,
            ),
            Refusal::Computing(s) => later(
                "computing",
                "첫 계산이 아직 끝나지 않았습니다. 잠시 뒤에 다시 물어보세요.",
                "the first computation is still under way. Ask again soon.",
                s,
            ),
            Refusal::Stopping => later(
                "stopping",
                "서버가 종료되는 중입니다. 잠시 뒤에 다시 보내세요.",
                "the server is on its way down. Try again soon.",
                5,
            ),
            Refusal::Unsupported => ApiError::new(
                StatusCode::NOT_IMPLEMENTED,
                "unsupported",
                "이 버전에서는 아직 할 수 없는 일입니다.",
                "this version cannot do that yet.",
            ),
            Refusal::Internal(why) => {
                let mut e = ApiError::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "internal",
                    "서버에서 오류가 났습니다. 요청 번호와 함께 로그를 확인하세요.",
                    "something went wrong on the server. Look for the request id in its log.",
                );
                e.internal = Some(why);
                e
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_follows_the_weights() {
        for (accept, lang) in [
            ("", Lang::En),
            ("ko", Lang::Ko),
            ("ko-KR,ko;q=0.9,en;q=0.8", Lang::Ko),
            ("en-US,ko;q=0.9", Lang::En),
            ("fr, kok", Lang::En),
            ("en;q=0.1, ko;q=0.2", Lang::Ko),
            (";;;q=,,,", Lang::En),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, accept.parse().unwrap());
            assert_eq!(lang_of(&headers), lang, "{accept}");
        }
    }
}
