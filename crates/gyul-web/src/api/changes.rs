//! Who entered and who left: as a stream that can be resumed, and page by page.

use crate::app::App;
use crate::args::{self, Args};
use crate::data::{Change, DefKind};
use crate::guard::{self, Caller};
use crate::problem::{ApiError, ApiResult};
use crate::table::{Endpoint, Kind, NAME, PEOPLE, Table};
use crate::veil;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use bytes::Bytes;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;

type Shared = State<Arc<App>>;

/// Changes asked for at once.
const CHUNK: usize = 1000;
/// So that proxies and clients see that the stream lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub fn add(table: &mut Table) {
    let filters = |e: Endpoint| {
        e.query("from", Kind::Whole(0), "The first offset wanted; from now on if absent.")
            .query("segment", NAME, "Only this segment.")
            .query("partition", NAME, "Only this partition.")
            .query("customer", NAME, "Only this customer, by the id that they go by.")
    };
    table.at(
        filters(Endpoint::get("/v1/changes", "streamChanges", "changes", PEOPLE))
            .says("들어오고 나가는 고객의 흐름", "Server-sent events of changes; resumes after Last-Event-ID")
            .gives_media("text/event-stream"),
        stream,
    );
    table.at(
        filters(Endpoint::get("/api/v1/changes", "listChanges", "changes", PEOPLE))
            .says(
                "들어오고 나간 고객",
                "Changes from an offset on; `next` is always there: ask again with it as `from`",
            )
            .query("limit", Kind::Limit, "How many at most.")
            .gives_page::<Change>(),
        list,
    );
}

/// What a reader wants to see.
#[derive(Clone, Default)]
struct Filter {
    segment: Option<String>,
    partition: Option<String>,
    customer: Option<String>,
}

impl Filter {
    fn of(args: &Args) -> Filter {
        Filter {
            segment: args.get("segment").map(str::to_string),
            partition: args.get("partition").map(str::to_string),
            customer: args.get("customer").map(str::to_string),
        }
    }

    /// What is filtered by must be there, or nothing would ever come.
    async fn check(&self, app: &Arc<App>) -> ApiResult<()> {
        let asked = [(DefKind::Segment, &self.segment), (DefKind::Partition, &self.partition)];
        for (kind, id) in asked.into_iter().filter_map(|(kind, id)| Some((kind, id.clone()?))) {
            super::definitions::must_be(app, kind, id).await?;
        }
        Ok(())
    }

    fn takes(&self, change: &Change) -> bool {
        if self.customer.as_ref().is_some_and(|c| *c != change.customer) {
            return false;
        }
        let wanted = match change.what.kind {
            DefKind::Segment => &self.segment,
            DefKind::Partition => &self.partition,
            DefKind::Measure => return false,
        };
        match wanted {
            Some(id) => *id == change.what.id,
            None => self.segment.is_none() && self.partition.is_none(),
        }
    }
}

async fn list(State(app): Shared, Extension(caller): Extension<Caller>, args: Args) -> ApiResult {
    let (limit, filter) = (args.limit()?, Filter::of(&args));
    let from = args.number("from")?.unwrap_or_else(|| *app.backend.changes_end().borrow());
    filter.check(&app).await?;
    within(&app, from)?;
    let found = app.ask(move |b| b.changes(from, limit)).await?;
    // What was looked through counts, not what passed the filter.
    let next = found.last().map_or(from, |c| c.offset.saturating_add(1));
    let mut items: Vec<Change> = found.into_iter().filter(|c| filter.takes(c)).collect();
    if veil::veils(caller.role) {
        items.iter_mut().for_each(veil::change);
    }
    args::json(&args::Page { items, next: Some(next.to_string()) })
}

async fn stream(State(app): Shared, Extension(caller): Extension<Caller>, headers: HeaderMap, args: Args) -> ApiResult {
    let filter = Filter::of(&args);
    let end = app.backend.changes_end();
    let last = headers.get("last-event-id").map(|v| v.to_str().ok().and_then(|v| v.trim().parse::<u64>().ok()));
    let from = match last {
        Some(Some(last)) => last.saturating_add(1),
        Some(None) => {
            let (ko, en) =
                ("Last-Event-ID는 받은 변화의 번호여야 합니다.", "Last-Event-ID is the number of a change received.");
            return Err(ApiError::bad("bad_last_event_id", ko, en));
        }
        None => args.number("from")?.unwrap_or_else(|| *end.borrow()),
    };
    // Refuses here, where it still can be told by a status.
    filter.check(&app).await?;
    within(&app, from)?;
    app.ask(move |b| b.changes(from, 1)).await?;
    let open = Open::new(&app)?;
    let reader =
        Reader { end, stopping: app.stopping.subscribe(), from, filter, greeted: false, caller, _open: open, app };
    let body = Body::from_stream(futures_util::stream::unfold(reader, |mut reader| async move {
        let chunk = reader.next().await?;
        Some((Ok::<_, Infallible>(chunk), reader))
    }));
    let mut response = args::media("text/event-stream", body);
    // Proxies that collect answers would hold changes back.
    response.headers_mut().insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

/// An offset behind the end was never given out: of another server, or of a copy that was restored since.
fn within(app: &App, from: u64) -> ApiResult<()> {
    let end = *app.backend.changes_end().borrow();
    if from <= end {
        return Ok(());
    }
    Err(ApiError::new(
        StatusCode::GONE,
        "beyond_end",
        format!(
            "번호 {from}은(는) 아직 없습니다. 지금 끝은 {end}입니다. 구성원을 다시 읽고 from={end}부터 이어 가세요."
        ),
        format!("there is no offset {from}: the stream ends at {end}. Read the members anew, then go on from={end}."),
    ))
}

/// Counts a stream as long as it lives.
struct Open(Arc<App>);

impl Open {
    fn new(app: &Arc<App>) -> ApiResult<Open> {
        let before = app.counters.streams.fetch_add(1, Ordering::Relaxed);
        let open = Open(Arc::clone(app));
        if before >= app.options.streams_max as u64 {
            return Err(crate::Refusal::Busy(10).into());
        }
        Ok(open)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.counters.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Reader {
    app: Arc<App>,
    end: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
    from: u64,
    filter: Filter,
    greeted: bool,
    caller: Caller,
    _open: Open,
}

impl Reader {
    /// The next piece of the stream; none when it is over.
    async fn next(&mut self) -> Option<Bytes> {
        if !self.greeted {
            self.greeted = true;
            return Some(Bytes::from_static(b"retry: 2000\n: gyul\n\n"));
        }
        loop {
            if *self.stopping.borrow() {
                return None;
            }
            // A key may have been taken out of force since.
            let Some(role) = guard::role_now(&self.app, &self.caller).filter(|role| PEOPLE.allows(*role)) else {
                return self.part("unauthorized");
            };
            // Seen before asking: what comes while asking wakes the wait below.
            let end = *self.end.borrow_and_update();
            if self.from < end {
                let from = self.from;
                let mut found = match self.app.ask(move |b| b.changes(from, CHUNK)).await {
                    Ok(found) => found,
                    Err(e) => return self.part(e.code),
                };
                if let Some(last) = found.last() {
                    self.from = last.offset.saturating_add(1);
                    found.retain(|c| self.filter.takes(c));
                    if veil::veils(role) {
                        found.iter_mut().for_each(veil::change);
                    }
                    let text: String = found.iter().map(frame).collect();
                    if !text.is_empty() {
                        return Some(text.into());
                    }
                    continue;
                }
            }
            tokio::select! {
                moved = self.end.changed() => moved.ok()?,
                _ = self.stopping.changed() => return None,
                () = tokio::time::sleep(KEEP_ALIVE) => return Some(Bytes::from_static(b": alive\n\n")),
            }
        }
    }

    /// The last words of a stream that cannot go on; the client comes back and learns more.
    fn part(&mut self, code: &str) -> Option<Bytes> {
        self.stopping = watch::channel(true).1;
        Some(format!("event: error\ndata: {{\"code\":\"{code}\"}}\n\n").into())
    }
}

fn frame(change: &Change) -> String {
    let data = serde_json::to_string(change).unwrap_or_default();
    format!("id: {}\nevent: change\ndata: {data}\n\n", change.offset)
}
