//! Signing in and out, and the first owner.

use super::admin;
use crate::access::{self, Access, Record, Role, Secret};
use crate::app::App;
use crate::args;
use crate::guard::{self, COOKIE, Caller, Ip};
use crate::problem::{ApiError, ApiResult};
use crate::table::{ANYBODY, Endpoint, OPEN, Table};
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use gyul_model::MICROS_DAY;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Instant;
use utoipa::ToSchema;

type Shared = State<Arc<App>>;

const SESSION_DAYS: i64 = 14;

pub fn add(table: &mut Table) {
    let tag = "session";
    table.at(
        Endpoint::post("/api/v1/setup", "setUp", tag, OPEN)
            .says(
                "첫 소유자를 만듭니다",
                "Makes the first owner, with the token that the server printed when it started",
            )
            .takes::<Setup>()
            .status(204),
        set_up,
    );
    table.at(
        Endpoint::post("/api/v1/session", "signIn", tag, OPEN)
            .says("로그인합니다", "Signs in: sets a cookie and tells the CSRF token that writes need")
            .takes::<SignIn>()
            .gives::<Me>(),
        sign_in,
    );
    table.at(
        Endpoint::delete("/api/v1/session", "signOut", tag, ANYBODY).says("로그아웃합니다", "Signs out").audited(false),
        sign_out,
    );
    table.at(
        Endpoint::get("/api/v1/me", "getMe", tag, ANYBODY)
            .says("누구로 들어와 있는지", "Who is signed in, with which role")
            .gives::<Me>(),
        me,
    );
    table.at(
        Endpoint::put("/api/v1/me/password", "changePassword", tag, ANYBODY)
            .says("비밀번호를 바꿉니다", "Changes one's own password and ends all of one's sessions")
            .takes::<NewPassword>()
            .status(204),
        change_password,
    );
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    pub token: String,
    pub email: String,
    pub name: String,
    /// At least ten characters.
    pub password: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SignIn {
    email: String,
    password: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    old: String,
    new: String,
}

#[derive(Serialize, ToSchema)]
struct Me {
    /// `key:<name>` or `user:<address>`.
    who: String,
    role: Role,
    /// For the header `X-CSRF-Token`; null for keys, which need none.
    csrf: Option<String>,
}

async fn set_up(State(app): Shared, Extension(Ip(ip)): Extension<Ip>, body: Bytes) -> ApiResult {
    make_first_owner(&app, ip, args::body(&body)?).await?;
    Ok(super::done())
}

pub async fn make_first_owner(app: &Arc<App>, ip: std::net::IpAddr, setup: Setup) -> ApiResult<()> {
    attempt(app, ip, "setup")?;
    let fits = {
        let expected = app.setup.lock().unwrap_or_else(|e| e.into_inner());
        expected.as_ref().is_some_and(|hash| access::same(&access::digest(setup.token.trim()), hash))
    };
    if !fits {
        let (ko, en) = (
            "설정 토큰이 맞지 않거나 이미 쓰였습니다. 서버가 시작할 때 출력한 토큰을 확인하세요.",
            "the setup token is wrong or was used already. See what the server printed when it started.",
        );
        return Err(ApiError::new(StatusCode::FORBIDDEN, "bad_setup_token", ko, en));
    }
    admin::add_first_owner(app, setup.email, setup.name, setup.password).await?;
    app.setup.lock().unwrap_or_else(|e| e.into_inner()).take();
    Ok(())
}

/// One try of an address at an account.
fn attempt(app: &App, ip: std::net::IpAddr, account: &str) -> ApiResult<()> {
    let now = Instant::now();
    let slow = |wait| ApiError::rate(guard::seconds(wait));
    app.strangers.take(&ip, now).map_err(slow)?;
    app.accounts.take(&account.to_string(), now).map_err(slow)
}

/// Takes as long for nobody as for somebody.
async fn fits(app: &App, hash: Option<String>, password: String) -> ApiResult<bool> {
    let _permit = app.passwords.acquire().await.map_err(|_| crate::Refusal::Stopping)?;
    let check = move || access::verify_password(&password, hash.as_deref());
    Ok(tokio::task::spawn_blocking(check).await.unwrap_or(false))
}

async fn sign_in(State(app): Shared, Extension(Ip(ip)): Extension<Ip>, body: Bytes) -> ApiResult {
    let SignIn { email, password } = args::body(&body)?;
    let (email, role, token) = begin_session(&app, ip, &email, password).await?;
    let me = Me { who: format!("user:{email}"), role, csrf: Some(guard::csrf_of(&token)) };
    let mut response = args::json(&me)?;
    set_cookie(&app, &mut response, &token);
    Ok(response)
}

/// The user's address and role, and the token of a new session.
pub async fn begin_session(
    app: &Arc<App>,
    ip: std::net::IpAddr,
    email: &str,
    password: String,
) -> ApiResult<(String, Role, String)> {
    let email = email.trim().to_lowercase();
    if email.len() > 254 || password.len() > 1000 {
        return Err(wrong());
    }
    attempt(app, ip, &email)?;
    let hash = app.access().users.get(&email).map(|u| u.password.clone());
    if !fits(app, hash.clone(), password).await? {
        return Err(wrong());
    }
    let (role, token) = new_session(app, &email, hash).await?;
    Ok((email, role, token))
}

/// A session of a user whose password is still the one that was looked at, where one was.
pub async fn new_session(app: &Arc<App>, email: &str, hash: Option<String>) -> ApiResult<(Role, String)> {
    let email = email.to_string();
    let token = Secret::new_token();
    let (session, expires) = (token.hash(), app.now().0 + SESSION_DAYS * MICROS_DAY);
    let decide = move |access: &Access| {
        // The user may be gone, or have another password, by now.
        let user =
            access.users.get(&email).filter(|u| hash.as_ref().is_none_or(|h| *h == u.password)).ok_or_else(wrong)?;
        Ok((Some(Record::SessionMade { hash: session, email, expires }), user.role))
    };
    let role = app.change_access(decide).await?;
    Ok((role, token.text))
}

fn wrong() -> Box<ApiError> {
    let (ko, en) = ("이메일이나 비밀번호가 맞지 않습니다.", "the e-mail address or the password is wrong.");
    ApiError::new(StatusCode::UNAUTHORIZED, "wrong_password", ko, en)
}

/// Lets the browser in with a session, or forgets it, for an empty token.
pub fn set_cookie(app: &App, response: &mut Response, token: &str) {
    let seconds = if token.is_empty() { 0 } else { SESSION_DAYS * 24 * 3600 };
    let secure = if app.options.secure_cookie { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
}

/// Ends the session that somebody is here by, if it is one.
pub async fn end_session(app: &Arc<App>, caller: &Caller) -> ApiResult<()> {
    let Some(session) = &caller.session else { return Ok(()) };
    let hash = access::digest(session);
    app.change_access(move |_| Ok((Some(Record::SessionGone { hash }), ()))).await
}

async fn sign_out(State(app): Shared, Extension(caller): Extension<Caller>) -> ApiResult {
    end_session(&app, &caller).await?;
    let mut response = super::done();
    set_cookie(&app, &mut response, "");
    Ok(response)
}

async fn me(Extension(caller): Extension<Caller>) -> ApiResult {
    let csrf = caller.session.as_deref().map(guard::csrf_of);
    args::json(&Me { who: caller.name, role: caller.role, csrf })
}

pub async fn change_password(
    State(app): Shared,
    Extension(Ip(ip)): Extension<Ip>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> ApiResult {
    let NewPassword { old, new } = args::body(&body)?;
    let Some(email) = caller.id.strip_prefix("u:").map(str::to_string) else {
        let (ko, en) =
            ("키에는 비밀번호가 없습니다. 로그인한 뒤에 바꾸세요.", "a key has no password. Sign in to change yours.");
        return Err(ApiError::bad("no_password", ko, en));
    };
    attempt(&app, ip, &email)?;
    let hash = app.access().users.get(&email).map(|u| u.password.clone());
    if old.len() > 1000 || !fits(&app, hash, old).await? {
        // Not 401: the session is good, and browsers would ask for another.
        let (ko, en) = ("지금 비밀번호가 맞지 않습니다.", "the present password is wrong.");
        return Err(ApiError::new(StatusCode::FORBIDDEN, "wrong_password", ko, en));
    }
    let password = admin::hashed(&app, new).await?;
    app.change_access(move |_| Ok((Some(Record::UserPassword { email, password }), ()))).await?;
    let mut response = super::done();
    set_cookie(&app, &mut response, "");
    Ok(response)
}
