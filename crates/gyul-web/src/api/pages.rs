//! The tracker script, the OpenAPI document and the page to try it. Nothing here asks any other host for anything.

use crate::app::App;
use crate::args;
use crate::problem::ApiResult;
use crate::table::{Endpoint, OPEN, Table};
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use std::sync::Arc;

const TRACKER: &str = include_str!("../../assets/gyul.js");
const DOCS: &str = include_str!("../../assets/docs.html");
const DOCS_JS: &str = include_str!("../../assets/docs.js");
const DOCS_CSS: &str = include_str!("../../assets/docs.css");

pub fn add(table: &mut Table) {
    table.at(
        Endpoint::get("/gyul.js", "tracker", "ingest", OPEN)
            .says("쇼핑몰에 넣는 스크립트", "The tracker script for a shop's pages")
            .gives_media("text/javascript; charset=utf-8")
            .hot(),
        || async { kept(args::media("text/javascript; charset=utf-8", TRACKER), "public, max-age=3600") },
    );
    table.at(
        Endpoint::get("/api/openapi.json", "openApi", "system", OPEN)
            .says("OpenAPI 문서", "This document")
            .gives_json(serde_json::json!({ "type": "object" })),
        |State(app): State<Arc<App>>| async move {
            ApiResult::Ok(args::media("application/json", app.openapi.clone()))
        },
    );
    let page = |path, id, media| {
        Endpoint::get(path, id, "system", OPEN)
            .says("API를 써 보는 페이지", "The page to try the API")
            .gives_media(media)
    };
    table.at(page("/api/docs", "docs", "text/html; charset=utf-8"), || async {
        let mut response = args::media("text/html; charset=utf-8", DOCS);
        let policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
        ApiResult::Ok(response)
    });
    table.at(page("/api/docs.js", "docsScript", "text/javascript; charset=utf-8"), || async {
        ApiResult::Ok(args::media("text/javascript; charset=utf-8", DOCS_JS))
    });
    table.at(page("/api/docs.css", "docsStyle", "text/css; charset=utf-8"), || async {
        ApiResult::Ok(args::media("text/css; charset=utf-8", DOCS_CSS))
    });
}

fn kept(mut response: Response, how: &'static str) -> ApiResult {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(how));
    Ok(response)
}
