//! Keys, users, webhook sources, settings, the audit log: an owner's endpoints.

use crate::access::{self, Access, Record, Role, Secret, SourceKind};
use crate::app::App;
use crate::args::{self, Args};
use crate::audit::{self, Entry};
use crate::data::{IdentityRules, Settings};
use crate::guard::Caller;
use crate::problem::{ApiError, ApiResult};
use crate::table::{Endpoint, NUMBERS, OWNER, Table};
use crate::traffic::SenderTraffic;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use gyul_model::Instant;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

type Shared = State<Arc<App>>;

/// So that the records stay readable at a start.
const KEYS_MAX: usize = 1000;
const USERS_MAX: usize = 1000;
const SOURCES_MAX: usize = 1000;
const PASSWORD_MIN: usize = 10;

pub fn add(table: &mut Table) {
    let tag = "access";
    table.at(
        Endpoint::get("/api/v1/keys", "listKeys", tag, OWNER)
            .says("API 키 목록", "Keys, without their secrets")
            .gives_page::<KeyView>(),
        keys,
    );
    table.at(
        Endpoint::post("/api/v1/keys", "makeKey", tag, OWNER)
            .says("API 키를 만듭니다. 키는 한 번만 보입니다", "Makes a key. It is shown this once")
            .takes::<NewKey>()
            .gives::<MadeKey>()
            .status(201)
            .secret(),
        make_key,
    );
    table.at(
        Endpoint::delete("/api/v1/keys/{id}", "deleteKey", tag, OWNER)
            .says("키를 없앱니다", "Takes a key out of force"),
        delete_key,
    );
    table.at(
        Endpoint::get("/api/v1/users", "listUsers", tag, OWNER).says("사용자 목록", "Users").gives_page::<UserView>(),
        users,
    );
    table.at(
        Endpoint::post("/api/v1/users", "makeUser", tag, OWNER)
            .says("사용자를 만듭니다", "Adds a user")
            .takes::<NewUser>()
            .gives::<UserView>()
            .status(201),
        make_user,
    );
    table.at(
        Endpoint::put("/api/v1/users/{email}/role", "changeRole", tag, OWNER)
            .says("사용자의 역할을 바꿉니다", "Changes the role of a user; one owner always stays")
            .takes::<NewRole>()
            .status(204),
        change_role,
    );
    table.at(
        Endpoint::delete("/api/v1/users/{email}", "deleteUser", tag, OWNER)
            .says("사용자를 없앱니다", "Removes a user and ends their sessions; one owner always stays"),
        delete_user,
    );
    table.at(
        Endpoint::get("/api/v1/sources", "listSources", tag, OWNER)
            .says("웹훅을 보내는 쇼핑몰 목록", "Shops whose webhooks are taken")
            .gives_page::<SourceView>(),
        sources,
    );
    table.at(
        Endpoint::get("/api/v1/traffic", "getTraffic", tag, OWNER)
            .says(
                "키와 쇼핑몰마다 얼마나 보내는지",
                "How much each key and each shop sends, in this minute, hour and day since the server started",
            )
            .gives_page::<SenderTraffic>(),
        traffic,
    );
    table.at(
        Endpoint::put("/api/v1/sources/{name}", "putSource", tag, OWNER)
            .says(
                "쇼핑몰의 웹훅을 받습니다",
                "Takes a shop's webhooks at `/webhooks/<kind>/<name>`, proved by this secret",
            )
            .takes::<NewSource>()
            .status(204),
        put_source,
    );
    table.at(
        Endpoint::delete("/api/v1/sources/{name}", "deleteSource", tag, OWNER)
            .says("웹훅을 더 받지 않습니다", "Takes no more webhooks of a shop"),
        delete_source,
    );
    table.at(
        Endpoint::get("/api/v1/settings", "getSettings", "workspace", NUMBERS)
            .says("작업 공간의 설정", "Zone, currency, and how far back to look")
            .gives::<Settings>(),
        settings,
    );
    table.at(
        Endpoint::put("/api/v1/settings", "putSettings", "workspace", OWNER)
            .says("설정을 바꿉니다", "Changes the settings")
            .takes::<Settings>()
            .status(204),
        put_settings,
    );
    table.at(
        Endpoint::get("/api/v1/settings/identity", "getIdentityRules", "workspace", OWNER)
            .says("같은 고객으로 보는 규칙", "How names become customers")
            .gives::<IdentityRules>(),
        identity_rules,
    );
    table.at(
        Endpoint::put("/api/v1/settings/identity", "putIdentityRules", "workspace", OWNER)
            .says("같은 고객으로 보는 규칙을 앞으로 올 것부터 바꿉니다", "Changes them for what comes later")
            .takes::<IdentityRules>()
            .status(204),
        put_identity_rules,
    );
    table.at(
        Endpoint::get("/api/v1/audit", "listAudit", "workspace", OWNER)
            .says("누가 무엇을 바꾸었는지", "Who changed what, newest first")
            .paged::<Entry>(),
        audit,
    );
}

fn text(micros: i64) -> String {
    Instant(micros).to_string()
}

fn created(value: &impl Serialize) -> ApiResult<Response> {
    let mut response = args::json(value)?;
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

fn too_many(max: usize) -> Box<ApiError> {
    ApiError::new(
        StatusCode::CONFLICT,
        "too_many",
        format!("{max}개까지 만들 수 있습니다. 쓰지 않는 것을 없애세요."),
        format!("there can be {max}. Remove what is not used."),
    )
}

// Keys

#[derive(Serialize, ToSchema)]
struct KeyView {
    id: String,
    name: String,
    role: Role,
    made: String,
    made_by: String,
    expires: Option<String>,
    /// To the day.
    last_used: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewKey {
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    role: Role,
    /// RFC 3339; never if absent.
    #[schema(format = DateTime)]
    expires: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct MadeKey {
    id: String,
    /// Shown this once.
    key: String,
}

async fn keys(State(app): Shared) -> ApiResult {
    let view = |(id, k): (&String, &access::Key)| KeyView {
        id: id.clone(),
        name: k.name.clone(),
        role: k.role,
        made: text(k.made),
        made_by: k.by.clone(),
        expires: k.expires.map(text),
        last_used: k.last_used.map(text),
    };
    let items: Vec<KeyView> = app.access().keys.iter().map(view).collect();
    args::json(&args::Page { items, next: None })
}

pub async fn make_key(State(app): Shared, Extension(caller): Extension<Caller>, body: Bytes) -> ApiResult {
    let new: NewKey = args::body(&body)?;
    args::name(&new.name)?;
    let now = app.now();
    let expires = match &new.expires {
        None => None,
        Some(t) => Some(Instant::parse_rfc3339(t).filter(|t| *t > now).ok_or_else(|| {
            let (ko, en) =
                ("expires는 앞으로 올 RFC 3339 시각이어야 합니다.", "expires is an instant to come, in RFC 3339.");
            ApiError::bad("bad_expiry", ko, en)
        })?),
    };
    let secret = Secret::new_key();
    let id = secret.id().to_string();
    let record = Record::KeyMade {
        id: id.clone(),
        hash: secret.hash(),
        name: new.name,
        role: new.role,
        made: now.0,
        expires: expires.map(|t| t.0),
        by: caller.name,
    };
    let decide = move |access: &Access| match access.keys.len() {
        n if n >= KEYS_MAX => Err(too_many(KEYS_MAX)),
        _ => Ok((Some(record), ())),
    };
    app.change_access(decide).await?;
    audit::about(&id);
    created(&MadeKey { id, key: secret.text })
}

pub async fn delete_key(State(app): Shared, Path(id): Path<String>) -> ApiResult {
    let decide = move |access: &Access| match access.keys.contains_key(&id) {
        true => Ok((Some(Record::KeyGone { id }), ())),
        false => Err(ApiError::not_found()),
    };
    app.change_access(decide).await?;
    Ok(super::done())
}

// Users

#[derive(Serialize, ToSchema)]
struct UserView {
    email: String,
    name: String,
    role: Role,
    made: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewUser {
    #[schema(pattern = r"^[^@\s]+@[^@\s]+$", max_length = 254)]
    email: String,
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    role: Role,
    #[schema(min_length = 10, max_length = 300)]
    password: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewRole {
    role: Role,
}

async fn users(State(app): Shared) -> ApiResult {
    let view = |(email, u): (&String, &access::User)| UserView {
        email: email.clone(),
        name: u.name.clone(),
        role: u.role,
        made: text(u.made),
    };
    let items: Vec<UserView> = app.access().users.iter().map(view).collect();
    args::json(&args::Page { items, next: None })
}

pub async fn make_user(State(app): Shared, body: Bytes) -> ApiResult {
    let new: NewUser = args::body(&body)?;
    created(&add_user(&app, new.email, new.name, new.role, new.password, false).await?)
}

/// Adds a user; the first one only while there is none.
async fn add_user(
    app: &Arc<App>,
    email: String,
    name: String,
    role: Role,
    password: String,
    first: bool,
) -> ApiResult<UserView> {
    let email = address(&email)?;
    args::name(&name)?;
    let password = hashed(app, password).await?;
    let made = app.now().0;
    let view = UserView { email: email.clone(), name: name.clone(), role, made: text(made) };
    let decide = move |access: &Access| {
        if access.users.len() >= USERS_MAX {
            return Err(too_many(USERS_MAX));
        }
        if access.users.contains_key(&email) || (first && !access.users.is_empty()) {
            let (ko, en) = ("이미 있는 사용자입니다.", "there is such a user already.");
            return Err(ApiError::new(StatusCode::CONFLICT, "user_exists", ko, en));
        }
        Ok((Some(Record::UserPut { email, name, role, password, made }), ()))
    };
    app.change_access(decide).await?;
    audit::about(&view.email);
    Ok(view)
}

/// The first owner, made at the first start.
pub async fn add_first_owner(app: &Arc<App>, email: String, name: String, password: String) -> ApiResult<()> {
    add_user(app, email, name, Role::Owner, password, true).await.map(|_| ())
}

/// A user's name for signing in: an address, in lower case.
pub fn address(text: &str) -> ApiResult<String> {
    let email = text.trim().to_lowercase();
    let fits = email.len() <= 254 && !email.contains(|c: char| c.is_whitespace() || c.is_control());
    let parts = email.split_once('@').filter(|(a, b)| !a.is_empty() && !b.is_empty() && !b.contains('@'));
    let (ko, en) = ("이메일 주소를 확인하세요.", "check the e-mail address.");
    if fits && parts.is_some() { Ok(email) } else { Err(ApiError::bad("bad_email", ko, en)) }
}

pub async fn hashed(app: &App, password: String) -> ApiResult<String> {
    // Argon2 takes any length; nobody types more than this.
    if password.chars().count() < PASSWORD_MIN || password.len() > 1000 {
        let (ko, en) = (
            "비밀번호는 10자 이상, 1000바이트 이하여야 합니다.",
            "a password has at least 10 characters and at most 1000 bytes.",
        );
        return Err(ApiError::bad("bad_password", ko, en));
    }
    let _permit = app.passwords.acquire().await.map_err(|_| crate::Refusal::Stopping)?;
    let hash = tokio::task::spawn_blocking(move || access::hash_password(&password)).await.ok().flatten();
    Ok(hash.ok_or_else(|| crate::Refusal::Internal("a password was not hashed".into()))?)
}

/// Whether a change leaves somebody who may change anything.
fn keeps_an_owner(access: &Access, email: &str, role: Option<Role>) -> ApiResult<()> {
    let user = access.users.get(email).ok_or_else(ApiError::not_found)?;
    let lost = user.role == Role::Owner && role != Some(Role::Owner) && access.owners() == 1;
    let (ko, en) = (
        "마지막 소유자입니다. 다른 사용자를 먼저 소유자로 정하세요.",
        "this is the last owner. Make somebody else an owner first.",
    );
    if lost { Err(ApiError::new(StatusCode::CONFLICT, "last_owner", ko, en)) } else { Ok(()) }
}

pub async fn change_role(State(app): Shared, Path(email): Path<String>, body: Bytes) -> ApiResult {
    let NewRole { role } = args::body(&body)?;
    let email = address(&email)?;
    let decide = move |access: &Access| {
        keeps_an_owner(access, &email, Some(role))?;
        Ok((Some(Record::UserRole { email, role }), ()))
    };
    app.change_access(decide).await?;
    Ok(super::done())
}

pub async fn delete_user(State(app): Shared, Path(email): Path<String>) -> ApiResult {
    let email = address(&email)?;
    let decide = move |access: &Access| {
        keeps_an_owner(access, &email, None)?;
        Ok((Some(Record::UserGone { email }), ()))
    };
    app.change_access(decide).await?;
    Ok(super::done())
}

// Sources

#[derive(Serialize, ToSchema)]
struct SourceView {
    name: String,
    kind: SourceKind,
    prefix: String,
    /// Where its webhooks go.
    path: String,
    made: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewSource {
    kind: SourceKind,
    /// What the shop signs with, or sends: at least 8 characters.
    #[schema(min_length = 8, max_length = 500)]
    secret: String,
    /// In front of its customers' ids, for workspaces that unite several shops; none if absent.
    #[serde(default)]
    #[schema(max_length = 200)]
    prefix: String,
}

async fn sources(State(app): Shared) -> ApiResult {
    let view = |(name, s): (&String, &access::Source)| SourceView {
        name: name.clone(),
        kind: s.kind,
        prefix: s.prefix.clone(),
        path: format!("/webhooks/{}/{name}", s.kind.name()),
        made: text(s.made),
    };
    let items: Vec<SourceView> = app.access().sources.iter().map(view).collect();
    args::json(&args::Page { items, next: None })
}

async fn traffic(State(app): Shared) -> ApiResult {
    args::json(&args::Page { items: app.traffic.flows(app.now()), next: None })
}

pub async fn put_source(State(app): Shared, Path(name): Path<String>, body: Bytes) -> ApiResult {
    let new: NewSource = args::body(&body)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
        let (ko, en) = ("이름은 영문자, 숫자, -, _로 64자까지입니다.", "a name has up to 64 letters, digits, - and _.");
        return Err(ApiError::bad("bad_name", ko, en));
    }
    if !(8..=500).contains(&new.secret.chars().count()) {
        let (ko, en) = ("secret은 8자 이상, 500자 이하여야 합니다.", "secret has 8 to 500 characters.");
        return Err(ApiError::bad("bad_secret", ko, en));
    }
    if !new.prefix.is_empty() {
        args::name(&new.prefix)?;
    }
    let NewSource { kind, secret, prefix } = new;
    let made = app.now().0;
    let decide = move |access: &Access| match access.sources.len() {
        n if n >= SOURCES_MAX && !access.sources.contains_key(&name) => Err(too_many(SOURCES_MAX)),
        _ => Ok((Some(Record::SourcePut { name, kind, secret, prefix, made }), ())),
    };
    app.change_access(decide).await?;
    Ok(super::done())
}

pub async fn delete_source(State(app): Shared, Path(name): Path<String>) -> ApiResult {
    let decide = move |access: &Access| match access.sources.contains_key(&name) {
        true => Ok((Some(Record::SourceGone { name }), ())),
        false => Err(ApiError::not_found()),
    };
    app.change_access(decide).await?;
    Ok(super::done())
}

// The workspace

async fn settings(State(app): Shared) -> ApiResult {
    args::json(&app.ask(|b| b.settings()).await?)
}

pub async fn put_settings(State(app): Shared, body: Bytes) -> ApiResult {
    let settings: Settings = args::body(&body)?;
    let Settings { zone, currency, retention } = &settings;
    audit::about(format!("{zone}, {currency}, {}", retention.as_deref().unwrap_or("none")));
    app.ask(move |b| b.put_settings(&settings)).await?;
    Ok(super::done())
}

async fn identity_rules(State(app): Shared) -> ApiResult {
    args::json(&app.ask(|b| b.identity_rules()).await?)
}

pub async fn put_identity_rules(State(app): Shared, body: Bytes) -> ApiResult {
    let rules: IdentityRules = args::body(&body)?;
    audit::about("identity");
    app.ask(move |b| b.put_identity_rules(&rules)).await?;
    Ok(super::done())
}

async fn audit(State(app): Shared, args: Args) -> ApiResult {
    let limit = args.limit()?;
    let before = args.cursor(|text| text.parse().ok())?;
    let kept = entries(&app, before, limit + 1).await?;
    args::page(kept, limit, |e: &Entry| e.number.to_string())
}

/// Lines of the audit log, newest first.
pub async fn entries(app: &Arc<App>, before: Option<u64>, limit: usize) -> ApiResult<Vec<Entry>> {
    let kept = app.ask(move |b| b.audit(before, limit)).await?;
    let read = |(number, bytes): (u64, Vec<u8>)| {
        let entry: Option<Entry> = serde_json::from_slice(&bytes).ok();
        entry.map(|e| Entry { number, ..e })
    };
    Ok(kept.into_iter().filter_map(read).collect())
}
