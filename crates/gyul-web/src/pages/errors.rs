//! What a reader sees when a page cannot be shown: what happened, and the next step.

use super::{Page, page::encode, show};
use crate::app::App;
use crate::problem::ApiError;
use askama::Template;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use std::sync::Arc;

/// Who reads the answer: a person in front of a browser, who is not told in JSON.
pub struct Reader {
    page: Page,
    get: bool,
    /// The address is that of a page; else of nothing at all.
    known: bool,
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    page: &'a Page,
    title: String,
    error: &'a ApiError,
    message: String,
    request_id: &'a str,
    signed_in: bool,
}

#[derive(Template)]
#[template(path = "error-part.html")]
struct ErrorPart<'a> {
    page: &'a Page,
    message: String,
}

impl Reader {
    /// `page` says whether the endpoint is one; `None` if there is none at this address.
    pub fn of(app: &App, request: &Request, page: Option<bool>) -> Option<Reader> {
        let accepts = request.headers().get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let part = request.headers().contains_key("hx-request");
        let person = accepts.contains("text/html") || part;
        let api = request.uri().path().starts_with("/api/") || request.uri().path().starts_with("/v1/");
        let fits = page.unwrap_or(!api);
        let caller = || crate::guard::caller_of(app, request);
        (person && fits).then(|| Reader {
            page: Page { caller: caller(), ..Page::bare(request.headers(), request.uri()) },
            get: *request.method() == Method::GET,
            known: page.is_some(),
        })
    }

    pub fn refused(&self, app: &Arc<App>, error: &ApiError, request_id: &str) -> Response {
        if error.status == StatusCode::UNAUTHORIZED && self.known {
            let nobody = app.access().users.is_empty();
            let to = match (nobody, self.get && !self.page.partial && self.page.here != "/") {
                (true, _) => "/welcome".to_string(),
                (false, true) => format!("/sign-in?to={}", encode(&self.page.here)),
                (false, false) => "/sign-in".to_string(),
            };
            return super::go(&self.page, &to);
        }
        let message = sentence(error.message(self.page.lang));
        let shown = if self.page.partial {
            show(&self.page, &ErrorPart { page: &self.page, message })
        } else {
            let name = match error.status.as_u16() {
                403 => "common-error-forbidden",
                404 | 410 => "common-error-missing",
                429 | 503 => "common-error-busy",
                500..=599 => "common-error-ours",
                _ => "common-error-request",
            };
            let title = self.page.t(name);
            let signed_in = self.page.caller.is_some();
            show(&self.page, &ErrorPage { page: &self.page, title, error, message, request_id, signed_in })
        };
        let Ok(mut response) = shown else { return error.respond(self.page.lang, request_id) };
        *response.status_mut() = error.status;
        if let Some(seconds) = error.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if self.page.partial {
            // Told in a corner of the page, whatever was to be replaced.
            response.headers_mut().insert("hx-retarget", HeaderValue::from_static("#notices"));
            response.headers_mut().insert("hx-reswap", HeaderValue::from_static("afterbegin"));
        }
        response
    }
}

/// With a capital in front: the API's words begin small, as those of programs do.
pub fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}
