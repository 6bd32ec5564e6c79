//! What does a marketer see? Pages made on the server: who is in which segment, why, and what to do next.
//!
//! A page is a handler that asks the [`crate::Backend`] and fills a template of `templates/`, whose words are in
//! `messages/` and whose styles and scripts are in `assets/`. Pages stand in the one table of endpoints, so roles and
//! limits hold for them as for the API. Knows nothing that the API does not.

mod assets;
mod builder;
mod chart;
mod customers;
mod data;
mod errors;
pub mod explore;
pub mod format;
mod page;
mod partitions;
mod segments;
mod settings;
mod sign_in;
mod start;
#[cfg(test)]
mod tests;
mod words;

pub use errors::Reader;
pub use page::{LANG_COOKIE, Page};

use crate::problem::ApiResult;
use crate::table::{Endpoint, OPEN, Table};
use askama::Template;
use axum::http::{HeaderValue, header};
use axum::response::Response;

/// Nothing from elsewhere, no script or style within the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub fn add(table: &mut Table) {
    let asset = Endpoint::page("/assets/{version}/{file}", "pageAsset", OPEN).hot();
    table.at(asset, assets::serve);
    sign_in::add(table);
    builder::add(table);
    segments::add(table);
    partitions::add(table);
    customers::add(table);
    data::add(table);
    explore::add(table);
    settings::add(table);
    start::add(table);
}

/// A template as an answer.
pub fn show(page: &Page, template: &impl Template) -> ApiResult {
    let text = template.render().map_err(|e| crate::Refusal::Internal(format!("a page: {e}")))?;
    let mut response = assets::html(text, page.gzip);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    Ok(response)
}

/// Leads to another page of ours, also where only a part of a page was asked for.
pub fn go(page: &Page, to: &str) -> Response {
    use axum::response::IntoResponse;
    let mut response = axum::http::StatusCode::NO_CONTENT.into_response();
    let place = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
    if page.partial {
        response.headers_mut().insert("hx-redirect", place);
    } else {
        *response.status_mut() = axum::http::StatusCode::SEE_OTHER;
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// A field of a form.
pub fn field(body: &[u8], name: &str) -> Option<String> {
    fields(body).into_iter().find(|(n, _)| n == name).map(|(_, value)| value)
}

/// All fields of a form (`application/x-www-form-urlencoded`), in order.
pub fn fields(body: &[u8]) -> Vec<(String, String)> {
    let Ok(text) = std::str::from_utf8(body) else { return vec![] };
    let query = format!("/?{text}").parse::<axum::http::Uri>().ok();
    let pairs = query.and_then(|uri| axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&uri).ok());
    pairs.map(|p| p.0).unwrap_or_default()
}
