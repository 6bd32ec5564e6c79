//! How names become customers: a part of the workspace's page.

use super::workspace::after;
use super::{as_body, field};
use crate::api::admin;
use crate::app::App;
use crate::data::IdentityRules;
use crate::pages::{Page, fields};
use crate::problem::ApiResult;
use crate::table::{Endpoint, OWNER, Table};
use axum::extract::State;
use bytes::Bytes;
use gyul_model::IdKind;
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub fn add(table: &mut Table) {
    table.at(Endpoint::form("/settings/identity", "putIdentityRules", OWNER), put_rules);
}

pub(super) struct Rules {
    pub kinds: Vec<KindLine>,
    /// Name, whether it is believed.
    pub sources: Vec<(String, bool)>,
    pub alias_joins_users: bool,
    /// One a line.
    pub blocked: String,
    pub built_in: Vec<String>,
}

pub(super) struct KindLine {
    pub kind: &'static str,
    pub name: String,
    pub help: String,
    pub limit: u32,
    pub verify: bool,
}

impl Rules {
    pub fn of(page: &Page, rules: IdentityRules) -> Rules {
        let l = rules.limits;
        let limits = [l.user, l.email, l.phone, l.kakao, l.device, l.anonymous];
        let line = |(kind, limit): (IdKind, u32)| KindLine {
            kind: kind.name(),
            name: page.t(&format!("settings-identity-{}", kind.name())),
            help: page.t(&format!("settings-identity-help-{}", kind.name())),
            limit,
            verify: rules.verify.iter().any(|v| v == kind.name()),
        };
        let sources = rules.known.sources.iter().map(|s| (s.clone(), rules.verified_sources.contains(s)));
        Rules {
            kinds: IdKind::ALL.into_iter().zip(limits).map(line).collect(),
            sources: sources.collect(),
            alias_joins_users: rules.alias_joins_users,
            blocked: rules.blocked.join("\n"),
            built_in: rules.known.built_in,
        }
    }
}

async fn put_rules(State(app): State<Arc<App>>, page: Page, body: Bytes) -> ApiResult {
    let sent = fields(&body);
    let all = |name: &str| sent.iter().filter(|(n, _)| n == name).map(|(_, v)| v.clone()).collect::<Vec<String>>();
    let limit = |kind: IdKind| {
        let text = field(&body, &format!("limit-{}", kind.name())).unwrap_or_default();
        // What is no number is beyond every limit, and refused in the same words.
        (kind.name().to_string(), Value::from(text.trim().parse().unwrap_or(u32::MAX)))
    };
    let limits: Map<String, Value> = IdKind::ALL.into_iter().map(limit).collect();
    let blocked = field(&body, "blocked").unwrap_or_default();
    let blocked: Vec<&str> = blocked.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    let rules = json!({
        "limits": limits,
        "verify": all("verify"),
        "verified_sources": all("source"),
        "alias_joins_users": !all("alias").is_empty(),
        "blocked": blocked,
    });
    let done = admin::put_identity_rules(State(Arc::clone(&app)), as_body(&rules)).await;
    after(&app, page, done).await
}
