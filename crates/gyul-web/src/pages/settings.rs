//! Who may do what, and how is the workspace set? Thin: each form does what the API does, under the API's name.

mod identity;
mod workspace;

use super::{Page, field, go, show};
use crate::access::Role;
use crate::api::{admin, hooks};
use crate::app::App;
use crate::args::Args;
use crate::audit::Entry;
use crate::data::{DefKind, DefState};
use crate::guard::Caller;
use crate::problem::{ApiError, ApiResult};
use crate::table::{Access, Endpoint, OWNER, Table};
use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use bytes::Bytes;
use gyul_model::Instant;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::sync::Arc;

type Shared = State<Arc<App>>;

const AUDIT_PAGE: usize = 50;

pub fn add(table: &mut Table) {
    let form = |path: &str, operation: &str, access: Access| Endpoint::form(path, operation, access);
    workspace::add(table);
    identity::add(table);
    table.at(Endpoint::page("/settings/users", "pageUsers", OWNER), users);
    table.at(form("/settings/users", "makeUser", OWNER), make_user);
    table.at(form("/settings/users/{email}/role", "changeRole", OWNER), change_role);
    table.at(form("/settings/users/{email}/delete", "deleteUser", OWNER), delete_user);
    table.at(Endpoint::page("/settings/keys", "pageKeys", OWNER), keys);
    table.at(form("/settings/keys", "makeKey", OWNER).secret(), make_key);
    table.at(form("/settings/keys/{id}/delete", "deleteKey", OWNER), delete_key);
    table.at(Endpoint::page("/settings/hooks", "pageHooks", OWNER), all_hooks);
    table.at(form("/settings/hooks", "makeHook", OWNER).secret(), make_hook);
    table.at(form("/settings/hooks/{id}/delete", "deleteHook", OWNER), delete_hook);
    table.at(form("/settings/hooks/{id}/retry", "retryHook", OWNER), retry_hook);
    table.at(Endpoint::page("/settings/audit", "pageAudit", OWNER), audit);
}

/// What the pages of this place share: which of them it is, and what became of the last form.
struct Frame {
    page: Page,
    done: Option<String>,
    wrong: Option<String>,
    /// Address, name, whether it is this one.
    tabs: Vec<(&'static str, String, bool)>,
}

impl Frame {
    fn new(page: Page, tab: &str, args: &Args) -> Frame {
        let done = match args.get("done") {
            Some("saved") => Some(page.t("settings-saved")),
            Some("gone") => Some(page.t("settings-gone")),
            _ => None,
        };
        let tabs = tabs(&page, tab);
        Frame { page, done, wrong: None, tabs }
    }

    fn wrong(page: Page, tab: &str, e: &ApiError) -> Frame {
        let wrong = Some(super::errors::sentence(e.message(page.lang)));
        let tabs = tabs(&page, tab);
        Frame { page, done: None, wrong, tabs }
    }
}

fn tabs(page: &Page, tab: &str) -> Vec<(&'static str, String, bool)> {
    let all = [
        ("/settings", "workspace", page.t("settings-tab-workspace"), true),
        ("/settings/users", "users", page.t("settings-tab-users"), page.is_owner()),
        ("/settings/keys", "keys", page.t("settings-tab-keys"), page.is_owner()),
        ("/settings/hooks", "hooks", page.t("settings-tab-hooks"), page.is_owner()),
        ("/settings/audit", "audit", page.t("settings-tab-audit"), page.is_owner()),
    ];
    let shown = all.into_iter().filter(|(.., may)| *may);
    shown.map(|(to, id, name, _)| (to, name, id == tab)).collect()
}

fn role_name(page: &Page, role: Role) -> String {
    page.t(match role {
        Role::Owner => "settings-role-owner",
        Role::Marketer => "settings-role-marketer",
        Role::Analyst => "settings-role-analyst",
        Role::ReadOnly => "settings-role-read-only",
        Role::Ingest => "settings-role-ingest",
    })
}

/// A choice of a role.
struct Choice {
    code: String,
    name: String,
    role: Role,
}

fn roles(page: &Page) -> Vec<Choice> {
    Role::ALL.iter().map(|r| Choice { code: code(*r), name: role_name(page, *r), role: *r }).collect()
}

/// As in the API.
fn code(role: Role) -> String {
    serde_json::to_value(role).ok().and_then(|v| v.as_str().map(str::to_string)).unwrap_or_default()
}

/// What an endpoint of the API answered.
async fn said(answer: ApiResult<Response>) -> ApiResult<Value> {
    let bytes = answer?.into_body().collect().await.map(|b| b.to_bytes()).unwrap_or_default();
    Ok(serde_json::from_slice(&bytes).unwrap_or_default())
}

fn as_body(value: &Value) -> Bytes {
    Bytes::from(value.to_string())
}

// Users

struct UserLine {
    email: String,
    name: String,
    role: Role,
    made: Instant,
    own: bool,
}

#[derive(Template)]
#[template(path = "settings/users.html")]
struct Users {
    page: Page,
    title: String,
    frame: Frame,
    users: Vec<UserLine>,
    roles: Vec<Choice>,
}

fn show_users(app: &App, frame: Frame) -> ApiResult {
    let own = frame.page.who().to_string();
    let access = app.access();
    let users = access.users.iter().map(|(email, u)| UserLine {
        email: email.clone(),
        name: u.name.clone(),
        role: u.role,
        made: Instant(u.made),
        own: *email == own,
    });
    let users = users.collect();
    let (page, title, roles) = (frame.page.clone(), frame.page.t("settings-title"), roles(&frame.page));
    show(&page.clone(), &Users { page, title, frame, users, roles })
}

async fn users(State(app): Shared, page: Page, args: Args) -> ApiResult {
    show_users(&app, Frame::new(page, "users", &args))
}

fn after<T>(app: &App, page: Page, done: ApiResult<T>, to: &str) -> ApiResult {
    match done {
        Ok(_) => Ok(go(&page, to)),
        Err(e) => show_users(app, Frame::wrong(page, "users", &e)),
    }
}

async fn make_user(State(app): Shared, page: Page, body: Bytes) -> ApiResult {
    let text = |name| field(&body, name).unwrap_or_default();
    let new =
        json!({ "email": text("email"), "name": text("name"), "role": text("role"), "password": text("password") });
    let done = admin::make_user(State(Arc::clone(&app)), as_body(&new)).await;
    after(&app, page, done, "/settings/users?done=saved")
}

async fn change_role(State(app): Shared, path: Path<String>, page: Page, body: Bytes) -> ApiResult {
    let new = json!({ "role": field(&body, "role").unwrap_or_default() });
    let done = admin::change_role(State(Arc::clone(&app)), path, as_body(&new)).await;
    after(&app, page, done, "/settings/users?done=saved")
}

async fn delete_user(State(app): Shared, path: Path<String>, page: Page) -> ApiResult {
    let done = admin::delete_user(State(Arc::clone(&app)), path).await;
    after(&app, page, done, "/settings/users?done=gone")
}

// Keys

struct KeyLine {
    id: String,
    name: String,
    role_name: String,
    made: Instant,
    by: String,
    expires: Option<Instant>,
    used: Option<Instant>,
}

#[derive(Template)]
#[template(path = "settings/keys.html")]
struct Keys {
    page: Page,
    title: String,
    frame: Frame,
    keys: Vec<KeyLine>,
    roles: Vec<Choice>,
    /// Shown this once.
    made: Option<String>,
}

fn show_keys(app: &App, frame: Frame, made: Option<String>) -> ApiResult {
    let access = app.access();
    let keys = access.keys.iter().map(|(id, k)| KeyLine {
        id: id.clone(),
        name: k.name.clone(),
        role_name: role_name(&frame.page, k.role),
        made: Instant(k.made),
        by: k.by.split_once(':').map_or(k.by.as_str(), |(_, who)| who).to_string(),
        expires: k.expires.map(Instant),
        used: k.last_used.map(Instant),
    });
    let mut keys: Vec<KeyLine> = keys.collect();
    keys.sort_by_key(|k| std::cmp::Reverse(k.made));
    let (page, title, roles) = (frame.page.clone(), frame.page.t("settings-title"), roles(&frame.page));
    show(&page.clone(), &Keys { page, title, frame, keys, roles, made })
}

async fn keys(State(app): Shared, page: Page, args: Args) -> ApiResult {
    show_keys(&app, Frame::new(page, "keys", &args), None)
}

async fn make_key(State(app): Shared, caller: Extension<Caller>, page: Page, args: Args, body: Bytes) -> ApiResult {
    let text = |name| field(&body, name).unwrap_or_default();
    let days: Option<i64> = text("days").parse().ok();
    let expires =
        days.map(|d| Instant(app.now().0.saturating_add(d.saturating_mul(gyul_model::MICROS_DAY))).to_string());
    let new = json!({ "name": text("name"), "role": text("role"), "expires": expires });
    match said(admin::make_key(State(Arc::clone(&app)), caller, as_body(&new)).await).await {
        Ok(made) => show_keys(&app, Frame::new(page, "keys", &args), made["key"].as_str().map(str::to_string)),
        Err(e) => show_keys(&app, Frame::wrong(page, "keys", &e), None),
    }
}

async fn delete_key(State(app): Shared, path: Path<String>, page: Page) -> ApiResult {
    match admin::delete_key(State(Arc::clone(&app)), path).await {
        Ok(_) => Ok(go(&page, "/settings/keys?done=gone")),
        Err(e) => show_keys(&app, Frame::wrong(page, "keys", &e), None),
    }
}

// Hooks

struct HookLine {
    id: String,
    url: String,
    only: Option<String>,
    made: Instant,
    active: bool,
    reason: Option<String>,
    dead: usize,
}

#[derive(Template)]
#[template(path = "settings/hooks.html")]
struct Hooks {
    page: Page,
    title: String,
    frame: Frame,
    hooks: Vec<HookLine>,
    segments: Vec<DefState>,
    made: Option<String>,
}

async fn show_hooks(app: &Arc<App>, frame: Frame, made: Option<String>) -> ApiResult {
    let segments = app.ask(|b| b.definitions(DefKind::Segment)).await?;
    let access = app.access();
    let hooks = access.hooks.iter().map(|(id, h)| HookLine {
        id: id.clone(),
        url: h.url.clone(),
        only: h.only.as_ref().map(|(_, id)| id.clone()),
        made: Instant(h.made),
        active: h.active,
        reason: h.reason.clone(),
        dead: h.dead.len(),
    });
    let hooks = hooks.collect();
    drop(access);
    let (page, title) = (frame.page.clone(), frame.page.t("settings-title"));
    show(&page.clone(), &Hooks { page, title, frame, hooks, segments, made })
}

async fn all_hooks(State(app): Shared, page: Page, args: Args) -> ApiResult {
    show_hooks(&app, Frame::new(page, "hooks", &args), None).await
}

async fn make_hook(State(app): Shared, page: Page, args: Args, body: Bytes) -> ApiResult {
    let text = |name| field(&body, name).unwrap_or_default();
    let mut new = json!({ "url": text("url").trim() });
    if let Some(segment) = field(&body, "segment").filter(|s| !s.is_empty()) {
        new["segment"] = segment.into();
    }
    match said(hooks::make(State(Arc::clone(&app)), as_body(&new)).await).await {
        Ok(made) => {
            let secret = made["secret"].as_str().map(str::to_string);
            show_hooks(&app, Frame::new(page, "hooks", &args), secret).await
        }
        Err(e) => show_hooks(&app, Frame::wrong(page, "hooks", &e), None).await,
    }
}

async fn delete_hook(State(app): Shared, path: Path<String>, page: Page) -> ApiResult {
    hooks::delete(State(app), path).await?;
    Ok(go(&page, "/settings/hooks?done=gone"))
}

async fn retry_hook(State(app): Shared, path: Path<String>, page: Page) -> ApiResult {
    hooks::retry(State(app), path).await?;
    Ok(go(&page, "/settings/hooks?done=saved"))
}

// The audit log

struct AuditLine {
    at: Option<Instant>,
    who: String,
    what: String,
    target: Option<String>,
}

#[derive(Template)]
#[template(path = "settings/audit.html")]
struct Audit {
    page: Page,
    title: String,
    frame: Frame,
    lines: Vec<AuditLine>,
    next: Option<u64>,
}

async fn audit(State(app): Shared, page: Page, args: Args) -> ApiResult {
    let before = args.number("before")?;
    let mut entries = admin::entries(&app, before, AUDIT_PAGE + 1).await?;
    let more = entries.len() > AUDIT_PAGE;
    entries.truncate(AUDIT_PAGE);
    let next = entries.last().filter(|_| more).map(|e| e.number);
    // The operation in words of the reader, as the API's pages have them.
    let words = |e: &Entry| {
        let found = app.endpoints.iter().find(|x| x.id == e.what && !x.page);
        found.map_or(e.what.clone(), |x| page.lang.pick(x.ko, x.en).split(". ").next().unwrap_or_default().to_string())
    };
    let line = |e: &Entry| AuditLine {
        at: Instant::parse_rfc3339(&e.at),
        who: e.who.split_once(':').map_or(e.who.as_str(), |(_, who)| who).to_string(),
        what: words(e),
        target: e.target.clone(),
    };
    let lines = entries.iter().map(line).collect();
    let (title, frame) = (page.t("settings-title"), Frame::new(page.clone(), "audit", &args));
    show(&page.clone(), &Audit { page, title, frame, lines, next })
}
