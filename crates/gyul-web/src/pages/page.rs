//! What every page knows: the reader's language and role, where it is, and how to write numbers.

use super::words::{Part, say};
use super::{assets, format};
use crate::access::Role;
use crate::app::App;
use crate::data::Settings;
use crate::guard::{Caller, cookie, csrf_of};
use crate::problem::{ApiError, ApiResult, lang_of};
use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use gyul_model::{Instant, Lang};
use std::sync::Arc;

/// The reader's choices live in cookies, without which the browser's are taken.
pub const LANG_COOKIE: &str = "gyul_lang";
pub const THEME_COOKIE: &str = "gyul_theme";

/// The frame of a page. An extractor: handlers take it as an argument.
#[derive(Clone)]
pub struct Page {
    pub lang: Lang,
    /// `light`, `dark`, or nothing for the system's.
    pub theme: &'static str,
    /// Nobody on the pages before signing in.
    pub caller: Option<Caller>,
    /// The path and query of this page: where a change of language leads back to.
    pub here: String,
    /// Only a part of a page is wanted.
    pub partial: bool,
    pub settings: Settings,
    pub now: Instant,
    /// Bytes that the browser takes compressed.
    pub gzip: bool,
}

impl FromRequestParts<Arc<App>> for Page {
    type Rejection = Box<ApiError>;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> ApiResult<Page> {
        let settings = app.ask(|b| b.settings()).await?;
        let mut page = Page::bare(&parts.headers, &parts.uri);
        page.caller = parts.extensions.get::<Caller>().cloned();
        (page.settings, page.now) = (settings, app.now());
        Ok(page)
    }
}

impl Page {
    /// Without a caller and settings: for what is shown when those cannot be had.
    pub fn bare(headers: &axum::http::HeaderMap, uri: &axum::http::Uri) -> Page {
        let theme = match cookie(headers, THEME_COOKIE).as_deref() {
            Some("light") => "light",
            Some("dark") => "dark",
            _ => "",
        };
        let accepts = headers.get(header::ACCEPT_ENCODING).and_then(|v| v.to_str().ok()).unwrap_or_default();
        Page {
            lang: lang_of(headers),
            theme,
            caller: None,
            here: uri.path_and_query().map_or("/", |p| p.as_str()).to_string(),
            partial: headers.contains_key("hx-request") && !headers.contains_key("hx-boosted"),
            settings: Settings::default(),
            now: Instant(0),
            gzip: accepts.contains("gzip"),
        }
    }

    pub fn code(&self) -> &'static str {
        self.lang.pick("ko", "en")
    }

    pub fn is_ko(&self) -> bool {
        self.lang == Lang::Ko
    }

    /// A message.
    pub fn t(&self, name: &str) -> String {
        say(self.lang, name, &[])
    }

    /// A message with one part.
    pub fn t1(&self, name: &str, part: &str, value: impl Into<Part>) -> String {
        say(self.lang, name, &[(part, value.into())])
    }

    pub fn t2(&self, name: &str, a: &str, x: impl Into<Part>, b: &str, y: impl Into<Part>) -> String {
        say(self.lang, name, &[(a, x.into()), (b, y.into())])
    }

    pub fn tn(&self, name: &str, parts: &[(&str, Part)]) -> String {
        say(self.lang, name, parts)
    }

    /// The text in the reader's language, or what there is.
    pub fn either<'a>(&self, ko: &'a str, en: &'a str) -> &'a str {
        match self.lang.pick((ko, en), (en, ko)) {
            ("", other) => other,
            (own, _) => own,
        }
    }

    /// A tag; those of the starter library in the reader's words.
    pub fn tag(&self, tag: &str) -> String {
        const KNOWN: [&str; 16] = [
            "behaviour",
            "channel",
            "grow",
            "keep",
            "lifecycle",
            "occasion",
            "onboard",
            "people",
            "price",
            "recover",
            "rfm",
            "risk",
            "save",
            "taste",
            "value",
            "win-back",
        ];
        if KNOWN.contains(&tag) { self.t(&format!("segments-tagged-{}", tag.replace('-', "_"))) } else { tag.into() }
    }

    /// A definition's name, or its id.
    pub fn name(&self, ko: &Option<String>, en: &Option<String>, id: &str) -> String {
        let (own, other) = self.lang.pick((ko, en), (en, ko));
        own.clone().or_else(|| other.clone()).unwrap_or_else(|| id.to_string())
    }

    /// A condition in words, or as it is written where it has none.
    pub fn sentence(&self, ko: &Option<String>, en: &Option<String>, written: Option<&str>) -> String {
        let said = self.lang.pick(ko, en).as_deref().or(written).unwrap_or_default();
        let mut rest = said.chars();
        rest.next().map_or(String::new(), |first| first.to_uppercase().chain(rest).collect())
    }

    /// What the data lacks to tell who is in something, in the reader's words; nothing where it can be told.
    pub fn lacks(&self, ko: &Option<String>, en: &Option<String>) -> Option<String> {
        Some(self.either(ko.as_deref()?, en.as_deref()?).to_string())
    }

    pub fn count(&self, n: &u64) -> String {
        format::count(*n)
    }

    pub fn share(&self, part: &u64, whole: &u64) -> String {
        format::share(*part, *whole)
    }

    pub fn money(&self, amount: f64) -> String {
        format::money(amount, &self.settings.currency, self.lang)
    }

    /// As exact as somebody who compares wants it.
    pub fn money_about(&self, amount: f64) -> String {
        format::money_about(amount, &self.settings.currency, self.lang)
    }

    pub fn money_short(&self, amount: f64) -> String {
        format::money_short(amount, &self.settings.currency, self.lang)
    }

    pub fn date(&self, at: impl At) -> String {
        format::date(at.at(), &self.settings.zone, self.lang)
    }

    pub fn moment(&self, at: impl At) -> String {
        format::moment(at.at(), self.now, &self.settings.zone, self.lang, false)
    }

    pub fn ago(&self, at: impl At) -> String {
        format::relative(at.at(), self.now, self.lang)
    }

    /// For `<time datetime>`.
    pub fn iso(&self, at: impl At) -> String {
        at.at().to_string()
    }

    /// What scripts send with each write.
    pub fn csrf(&self) -> String {
        self.caller.as_ref().and_then(|c| c.session.as_deref()).map(csrf_of).unwrap_or_default()
    }

    /// Who is signed in, as the page shows it.
    pub fn who(&self) -> &str {
        self.caller.as_ref().map_or("", |c| c.name.split_once(':').map_or(c.name.as_str(), |(_, n)| n))
    }

    fn role(&self) -> Option<Role> {
        self.caller.as_ref().map(|c| c.role)
    }

    /// Changes definitions and data.
    pub fn may_edit(&self) -> bool {
        matches!(self.role(), Some(Role::Owner | Role::Marketer))
    }

    /// Sees customers.
    pub fn may_see_people(&self) -> bool {
        matches!(self.role(), Some(Role::Owner | Role::Marketer | Role::Analyst))
    }

    pub fn is_owner(&self) -> bool {
        self.role() == Some(Role::Owner)
    }

    /// Where a file of `assets/` is found: its address changes with its content, so browsers keep it for ever.
    pub fn asset(&self, name: &str) -> String {
        assets::address(name)
    }

    /// The places of the navigation: address, message, whether it is this one.
    pub fn places(&self) -> Vec<Place> {
        let all = [
            ("/", "common-nav-start", "home", true),
            ("/segments", "common-nav-segments", "segments", true),
            ("/partitions", "common-nav-partitions", "partitions", true),
            ("/customers", "common-nav-customers", "people", self.may_see_people()),
            ("/explore", "common-nav-explore", "chart", true),
            ("/data", "common-nav-data", "data", true),
            ("/settings", "common-nav-settings", "gear", true),
        ];
        let path = self.here.split('?').next().unwrap_or_default();
        let inside = |address: &str| path == address || address != "/" && path.starts_with(&format!("{address}/"));
        let shown = all.into_iter().filter(|(.., may)| *may);
        shown
            .map(|(address, message, icon, _)| Place { address, name: self.t(message), icon, current: inside(address) })
            .collect()
    }

    /// The same page in another language or theme.
    pub fn other(&self, what: &str, value: &str) -> String {
        format!("/preferences?{what}={value}&to={}", encode(&self.here))
    }
}

/// An instant, however many references a template puts before it.
pub trait At {
    fn at(&self) -> Instant;
}

impl At for Instant {
    fn at(&self) -> Instant {
        *self
    }
}

impl<T: At> At for &T {
    fn at(&self) -> Instant {
        (**self).at()
    }
}

/// A line of the navigation.
pub struct Place {
    pub address: &'static str,
    pub name: String,
    pub icon: &'static str,
    pub current: bool,
}

/// For a part of a path or query.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(b as char),
            _ => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}

/// Whether an address leads to a page of ours: nobody is sent elsewhere.
pub fn is_own(address: &str) -> bool {
    address.starts_with('/') && !address.starts_with("//") && !address.contains(['\\', '\n', '\r'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_leads_to_a_page_of_ours_only() {
        assert!(is_own("/segments?q=1"));
        for other in ["//evil.example", "https://evil.example", "/\\evil.example", "", "segments"] {
            assert!(!is_own(other), "{other}");
        }
        assert_eq!(encode("/a b?c=귤"), "%2Fa%20b%3Fc%3D%EA%B7%A4");
    }
}
