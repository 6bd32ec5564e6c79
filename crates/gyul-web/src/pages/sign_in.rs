//! The first page that somebody sees: signing in, and the first owner of a new installation.

use super::{Page, field, go, show};
use crate::api::session::{self, Setup};
use crate::app::App;
use crate::guard::{Caller, Ip};
use crate::pages::page::is_own;
use crate::problem::{ApiError, ApiResult};
use crate::table::{ANYBODY, Endpoint, OPEN, Table};
use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use bytes::Bytes;
use std::sync::Arc;

type Shared = State<Arc<App>>;

#[derive(Template)]
#[template(path = "sign-in.html")]
struct SignIn {
    page: Page,
    title: String,
    to: String,
    email: String,
    wrong: Option<String>,
}

#[derive(Template)]
#[template(path = "welcome.html")]
struct Welcome {
    page: Page,
    title: String,
    token: String,
    email: String,
    name: String,
    wrong: Option<String>,
}

pub fn add(table: &mut Table) {
    table.at(Endpoint::page("/sign-in", "pageSignIn", OPEN), ask);
    table.at(Endpoint::form("/sign-in", "formSignIn", OPEN).audited(false), enter);
    table.at(Endpoint::form("/sign-out", "formSignOut", ANYBODY).audited(false), leave);
    table.at(Endpoint::page("/welcome", "pageWelcome", OPEN), greet);
    table.at(Endpoint::form("/welcome", "formWelcome", OPEN).audited(false), set_up);
    table.at(Endpoint::page("/enter", "pageEnter", OPEN), enter_by_link);
    table.at(Endpoint::page("/preferences", "pagePreferences", OPEN), prefer);
}

async fn ask(State(app): Shared, page: Page, args: crate::args::Args) -> ApiResult {
    if app.access().users.is_empty() {
        return Ok(go(&page, "/welcome"));
    }
    let to = args.get("to").filter(|to| is_own(to)).unwrap_or("/").to_string();
    let title = page.t("sign-in-title");
    show(&page.clone(), &SignIn { page, title, to, email: String::new(), wrong: None })
}

async fn enter(State(app): Shared, Extension(Ip(ip)): Extension<Ip>, page: Page, body: Bytes) -> ApiResult {
    let text = |name| field(&body, name).unwrap_or_default();
    let (email, to) = (text("email"), text("to"));
    let to = if is_own(&to) { to } else { "/".into() };
    match session::begin_session(&app, ip, &email, text("password")).await {
        Ok((_, _, token)) => {
            let mut response = go(&page, &to);
            session::set_cookie(&app, &mut response, &token);
            Ok(response)
        }
        Err(e) => {
            let (title, wrong) = (page.t("sign-in-title"), Some(e.message(page.lang).to_string()));
            let mut response = show(&page.clone(), &SignIn { page, title, to, email, wrong })?;
            *response.status_mut() = e.status;
            Ok(response)
        }
    }
}

async fn leave(State(app): Shared, Extension(caller): Extension<Caller>, page: Page) -> ApiResult {
    session::end_session(&app, &caller).await?;
    let mut response = go(&page, "/sign-in");
    session::set_cookie(&app, &mut response, "");
    Ok(response)
}

async fn greet(State(app): Shared, page: Page, args: crate::args::Args) -> ApiResult {
    if !app.access().users.is_empty() {
        return Ok(go(&page, "/sign-in"));
    }
    let token = args.get("token").unwrap_or_default().to_string();
    let title = page.t("sign-in-welcome");
    show(&page.clone(), &Welcome { page, title, token, email: String::new(), name: String::new(), wrong: None })
}

/// Makes the first owner and lets them in.
async fn set_up(State(app): Shared, Extension(Ip(ip)): Extension<Ip>, page: Page, body: Bytes) -> ApiResult {
    let text = |name| field(&body, name).unwrap_or_default();
    let (token, email, name, password) = (text("token"), text("email"), text("name"), text("password"));
    let setup = Setup { token: token.clone(), email: email.clone(), name: name.clone(), password: password.clone() };
    let entered = match session::make_first_owner(&app, ip, setup).await {
        Ok(()) => session::begin_session(&app, ip, &email, password).await,
        Err(e) => Err(e),
    };
    match entered {
        Ok((_, _, session_token)) => {
            let mut response = go(&page, "/");
            session::set_cookie(&app, &mut response, &session_token);
            Ok(response)
        }
        Err(e) => {
            let (title, wrong) = (page.t("sign-in-welcome"), Some(e.message(page.lang).to_string()));
            let mut response = show(&page.clone(), &Welcome { page, title, token, email, name, wrong })?;
            *response.status_mut() = e.status;
            Ok(response)
        }
    }
}

/// Lets in who has the link that a demo printed.
async fn enter_by_link(
    State(app): Shared,
    Extension(Ip(ip)): Extension<Ip>,
    page: Page,
    args: crate::args::Args,
) -> ApiResult {
    let sent = crate::access::digest(args.get("token").unwrap_or_default());
    let guest = app.options.guest.as_ref().filter(|g| crate::access::same(&sent, &crate::access::digest(&g.token)));
    let Some(guest) = guest else {
        // Guesses are slowed down as wrong passwords are.
        return match crate::guard::stranger(&app, ip) {
            e if e.status == StatusCode::TOO_MANY_REQUESTS => Err(e),
            _ => Ok(go(&page, "/sign-in")),
        };
    };
    let (_, token) = session::new_session(&app, &guest.email, None).await?;
    let mut response = go(&page, "/");
    session::set_cookie(&app, &mut response, &token);
    Ok(response)
}

/// Keeps a choice of language or theme in a cookie and leads back.
async fn prefer(State(app): Shared, page: Page, args: crate::args::Args) -> ApiResult {
    let to = args.get("to").filter(|to| is_own(to)).unwrap_or("/");
    let (name, value) = match (args.get("lang"), args.get("theme")) {
        (Some(lang @ ("ko" | "en")), _) => (super::LANG_COOKIE, lang),
        (_, Some(theme @ ("light" | "dark" | "auto"))) => (super::page::THEME_COOKIE, theme),
        _ => {
            let (ko, en) = ("lang이나 theme을 고르세요.", "choose a lang or a theme.");
            return Err(ApiError::bad("bad_preference", ko, en));
        }
    };
    let mut response = go(&page, to);
    let secure = if app.options.secure_cookie { "; Secure" } else { "" };
    let cookie = format!("{name}={value}; Path=/; SameSite=Lax; Max-Age=31536000{secure}");
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    Ok(response)
}
