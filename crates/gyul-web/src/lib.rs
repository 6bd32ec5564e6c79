//! How do people and programs reach the engine over HTTP? Ingest, REST, the stream of changes, keys and roles.
//!
//! Whatever stands behind it implements [`Backend`]. Does not know rules of the domain.
//!
//! [`serve`] listens. Every endpoint is a line in the table ([`table`]), which says who may call it; [`guard`] lets
//! nothing through that is not in it.

mod access;
mod api;
mod app;
mod args;
mod audit;
mod backend;
mod body;
pub mod data;
#[cfg(test)]
mod fake;
mod guard;
mod hooks;
mod idempotency;
mod inflate;
mod limits;
mod openapi;
mod otel;
mod pages;
mod problem;
mod server;
mod table;
#[cfg(test)]
mod tests;
mod traffic;
mod veil;

pub use access::{Role, SourceKind};
pub use app::{App, Guest, Options, make_guest, make_key};
pub use backend::{Backend, Explore, Incoming, Later, Refusal, Reply};
pub use hooks::{Letter, Post, post_by_network};
pub use limits::Rate;
pub use server::{ServeError, Started, router, serve, serve_until};
