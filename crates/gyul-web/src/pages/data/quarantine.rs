//! What was not taken, why, and how it gets in after all.

use super::*;
use crate::veil;
use axum::extract::Path;
use bytes::Bytes;
use gyul_model::Instant;
use std::collections::BTreeMap;

/// Messages looked through for the reasons; the oldest beyond are counted with the next look.
const LOOKED_AT: usize = 5000;
const SHOWN: usize = 20;
const CONTENT_CHARS: usize = 20_000;

pub fn add(table: &mut Table) {
    table.at(Endpoint::page("/data/quarantine", "pageQuarantine", PEOPLE), list);
    table.at(Endpoint::form("/data/quarantine/{number}", "mendQuarantined", EDIT), mend);
    table.at(Endpoint::form("/data/quarantine/replay", "replayQuarantine", EDIT), replay);
    table.at(Endpoint::page("/data/quarantine/imports/{id}", "pageRejectedFile", EDIT), file);
    table.at(Endpoint::form("/data/quarantine/imports/{id}/settle", "settleRejects", EDIT), settle);
}

#[derive(Template)]
#[template(path = "data/quarantine.html")]
struct List {
    page: Page,
    title: String,
    frame: Frame,
    /// Code, words, how many, whether it is the one shown.
    reasons: Vec<(String, String, u64, bool)>,
    total: u64,
    lines: Vec<Line>,
    more: bool,
    code: String,
    imports: Vec<ImportRejects>,
    veiled: bool,
}

struct Line {
    number: u64,
    at: Instant,
    via: String,
    place: String,
    says: String,
    content: Option<String>,
}

async fn show_list(app: &Arc<App>, page: Page, frame: Frame, code: String) -> ApiResult {
    let (all, imports) = app.ask(|b| Ok((b.quarantine(None, LOOKED_AT)?, b.import_rejects()?))).await?;
    let mut reasons: BTreeMap<String, (String, u64)> = BTreeMap::new();
    for q in &all {
        // Of one place; the reason is the same at others.
        let words = || {
            let said = page.either(&q.ko, &q.en);
            let own = said.strip_prefix(q.place.as_str()).and_then(|rest| rest.strip_prefix(": "));
            crate::pages::errors::sentence(own.unwrap_or(said))
        };
        reasons.entry(q.code.clone()).or_insert_with(|| (words(), 0)).1 += 1;
    }
    let total = all.len() as u64;
    let mut shown: Vec<Quarantined> = all.into_iter().filter(|q| code.is_empty() || q.code == code).collect();
    let more = shown.len() > SHOWN;
    shown.truncate(SHOWN);
    let veiled = page.caller.as_ref().is_none_or(|c| veil::veils(c.role));
    let line = |mut q: Quarantined| {
        let content = (!veiled).then(|| pretty(&q.content));
        if veiled {
            veil::quarantined(&mut q);
        }
        Line {
            number: q.number,
            at: q.at,
            via: q.via,
            place: q.place,
            says: page.either(&q.ko, &q.en).to_string(),
            content,
        }
    };
    let lines = shown.into_iter().map(line).collect();
    let mut reasons: Vec<(String, String, u64, bool)> =
        reasons.into_iter().map(|(c, (words, n))| (c.clone(), words, n, c == code)).collect();
    reasons.sort_by_key(|(_, _, n, _)| std::cmp::Reverse(*n));
    let title = page.t("data-tab-quarantine");
    show(&page.clone(), &List { page, title, frame, reasons, total, lines, more, code, imports, veiled })
}

/// With a line for each field, as people mend it.
fn pretty(content: &str) -> String {
    let read: Option<serde_json::Value> = serde_json::from_str(content).ok();
    let text = read.and_then(|v| serde_json::to_string_pretty(&v).ok()).unwrap_or_else(|| content.to_string());
    text.chars().take(CONTENT_CHARS).collect()
}

async fn list(State(app): Shared, page: Page, args: Args) -> ApiResult {
    let count = |name: &str| args.get(name).and_then(|n| n.parse::<u64>().ok());
    let done = match (args.get("done"), count("taken"), count("left")) {
        (Some("mended"), ..) => Some(page.t("data-mended")),
        (Some("dismissed"), ..) => Some(page.t("data-dismissed")),
        (Some("settled"), ..) => Some(page.t("data-settled")),
        (Some("replayed"), Some(taken), Some(left)) => Some(page.t2("data-replayed", "taken", taken, "left", left)),
        _ => None,
    };
    let frame = Frame::new(&page, "quarantine").says(done);
    let code = args.get("code").unwrap_or_default().to_string();
    show_list(&app, page, frame, code).await
}

async fn mend(State(app): Shared, page: Page, Path(number): Path<String>, body: Bytes) -> ApiResult {
    let (content, number) = (field(&body, "content").unwrap_or_default(), number.parse::<u64>());
    let (Ok(number), code) = (number, field(&body, "code").unwrap_or_default()) else {
        return Err(ApiError::not_found());
    };
    if field(&body, "then").as_deref() == Some("dismiss") {
        app.ask(move |b| b.dismiss(number)).await?;
        return Ok(go(&page, &format!("/data/quarantine?done=dismissed&code={}", super::super::page::encode(&code))));
    }
    if let Err(e) = serde_json::from_str::<serde_json::Value>(&content) {
        let mut frame = Frame::new(&page, "quarantine");
        frame.wrong = Some(page.t2("data-mend-bad", "line", e.line(), "column", e.column()));
        return show_list(&app, page, frame, code).await;
    }
    let try_it = field(&body, "then").as_deref() == Some("replay");
    app.ask(move |b| b.mend(number, &content)).await?;
    if try_it {
        let done = app.ask(move |b| b.replay(Some(&[number]))).await?;
        return Ok(go(&page, &told(&done, &code)));
    }
    Ok(go(&page, &format!("/data/quarantine?done=mended&code={}", super::super::page::encode(&code))))
}

fn told(done: &Replayed, code: &str) -> String {
    let taken = done.accepted + done.duplicates;
    let code = super::super::page::encode(code);
    format!("/data/quarantine?done=replayed&taken={taken}&left={}&code={code}", done.still_rejected)
}

/// One of them, all of a reason, or all.
async fn replay(State(app): Shared, page: Page, body: Bytes) -> ApiResult {
    let code = field(&body, "code").unwrap_or_default();
    let one: Option<u64> = field(&body, "number").and_then(|n| n.parse().ok());
    let reason = code.clone();
    let done = app.ask(move |b| match (one, reason.is_empty()) {
        (Some(number), _) => b.replay(Some(&[number])),
        (None, true) => b.replay(None),
        (None, false) => {
            let all = b.quarantine(None, LOOKED_AT)?;
            let numbers: Vec<u64> = all.into_iter().filter(|q| q.code == reason).map(|q| q.number).collect();
            b.replay(Some(&numbers))
        }
    });
    let done = done.await?;
    Ok(go(&page, &told(&done, &code)))
}

/// Rows of a file to mend, in the form of that file.
async fn file(State(app): Shared, Path(id): Path<String>) -> ApiResult {
    let id = id.parse().map_err(|_| ApiError::not_found())?;
    let text = app.ask(move |b| b.rejected_file(id)).await?;
    // With the mark that makes spreadsheets read it as UTF-8.
    Ok(crate::args::media("text/csv; charset=utf-8", format!("\u{feff}{text}")))
}

async fn settle(State(app): Shared, page: Page, Path(id): Path<String>) -> ApiResult {
    let id = id.parse().map_err(|_| ApiError::not_found())?;
    app.ask(move |b| b.settle_rejects(id)).await?;
    Ok(go(&page, "/data/quarantine?done=settled"))
}
