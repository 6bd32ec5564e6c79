//! The REST API: thin, each endpoint asks the backend one question.

pub mod admin;
mod builder;
mod changes;
pub mod customers;
mod definitions;
pub mod events;
pub mod explore;
pub mod hooks;
pub mod imports;
mod ingest;
mod pages;
pub mod session;
mod system;
pub mod webhooks;

use crate::table::Table;

/// All endpoints.
pub fn table() -> Table {
    let mut table = Table::default();
    ingest::add(&mut table);
    webhooks::add(&mut table);
    customers::add(&mut table);
    definitions::add(&mut table);
    builder::add(&mut table);
    changes::add(&mut table);
    events::add(&mut table);
    explore::add(&mut table);
    hooks::add(&mut table);
    imports::add(&mut table);
    admin::add(&mut table);
    session::add(&mut table);
    system::add(&mut table);
    pages::add(&mut table);
    crate::pages::add(&mut table);
    table
}

fn done() -> axum::response::Response {
    axum::response::IntoResponse::into_response(axum::http::StatusCode::NO_CONTENT)
}
