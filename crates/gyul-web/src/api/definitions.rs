//! Segments, partitions and measures: the same verbs for each.

use crate::app::App;
use crate::args::{self, Args};
use crate::data::*;
use crate::guard::Caller;
use crate::problem::{ApiError, ApiResult};
use crate::table::{EDIT, Endpoint, Kind, NAME, NUMBERS, PEOPLE, Table};
use crate::veil;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use gyul_model::MICROS_DAY;
use std::sync::Arc;

type Shared = State<Arc<App>>;

/// How many points a history can have.
const POINTS_MAX: i64 = 2000;
const OVERLAP_MAX: usize = 50;

pub fn add(table: &mut Table) {
    kind(table, DefKind::Segment, "segments", "Segment");
    kind(table, DefKind::Partition, "partitions", "Partition");
    kind(table, DefKind::Measure, "measures", "Measure");
    table.at(
        Endpoint::get("/api/v1/overlap", "overlap", "definitions", NUMBERS)
            .says("세그먼트끼리 겹치는 고객 수", "How many customers are in each pair of segments")
            .needs("segments", Kind::Text(3, 10_000), "2 to 50 ids with commas between.")
            .gives_page::<Overlap>(),
        overlap,
    );
    table.at(
        Endpoint::get("/api/v1/movement", "getMovement", "definitions", NUMBERS)
            .says(
                "두 시각 사이의 움직임",
                "Sizes, entries and exits between two instants, and the flow between classes",
            )
            .query("from", Kind::Instant, "7 days before `until` if absent.")
            .query("until", Kind::Instant, "Now if absent.")
            .gives::<Movement>(),
        |State(app): Shared, args: Args| async move {
            let until = args.instant("until")?.unwrap_or_else(|| app.now());
            let from = args.instant("from")?.unwrap_or(gyul_model::Instant(until.0.saturating_sub(7 * MICROS_DAY)));
            if from > until {
                let (ko, en) = ("from이 until보다 늦습니다.", "from is after until.");
                return Err(ApiError::bad("bad_range", ko, en));
            }
            args::json(&*app.ask(move |b| b.movement(from, until)).await?)
        },
    );
    table.at(
        Endpoint::get("/api/v1/revenue", "getRevenue", "definitions", NUMBERS)
            .says("세그먼트별 매출", "Net revenue of the members of each segment and class, over all time")
            .gives::<Revenue>(),
        |State(app): Shared| async move { args::json(&*app.ask(|b| b.revenue()).await?) },
    );
    table.at(
        Endpoint::get("/api/v1/growth", "getGrowth", "definitions", NUMBERS)
            .says(
                "모든 세그먼트와 등급의 90일 증감과 매출",
                "Sizes of all segments and classes over 90 days, and what their members bought; 503 until it is computed",
            )
            .gives::<Growth>(),
        |State(app): Shared| async move { args::json(&app.ask(|b| b.growth()).await?) },
    );
    table.at(
        Endpoint::post("/api/v1/partitions/draft", "draftPartition", "definitions", PEOPLE)
            .says(
                "분류를 고치면 몇 명이 옮겨 가는지 봅니다",
                "A partition as text and as fields, with problems and how many would move from class to class",
            )
            .takes::<PartitionAsk>()
            .gives::<PartitionShown>()
            .audited(false),
        |State(app): Shared, body: Bytes| async move {
            let ask: PartitionAsk = args::body(&body)?;
            args::json(&app.ask(move |b| b.partition_draft(&ask)).await?)
        },
    );
}

fn kind(table: &mut Table, kind: DefKind, things: &str, thing: &str) {
    let tag = "definitions";
    let base = format!("/api/v1/{things}");
    let one = format!("{base}/{{id}}");
    table.at(
        Endpoint::get(&base, format!("list{thing}s"), tag, NUMBERS)
            .says("정의와 그 상태 목록", "All of them with version, state, size, lag and last change")
            .gives_page::<DefState>(),
        move |State(app): Shared| async move {
            let items = app.ask(move |b| b.definitions(kind)).await?;
            args::json(&args::Page { items, next: None })
        },
    );
    table.at(
        Endpoint::get(&one, format!("get{thing}"), tag, NUMBERS)
            .says("정의 하나", "One definition, with its text and state; its version is the ETag")
            .gives::<Definition>(),
        move |State(app): Shared, Path(id): Path<String>| async move {
            let definition = app.ask(move |b| b.definition(kind, &id)).await?;
            let version = definition.state.version;
            Ok::<_, Box<ApiError>>(with_version(args::json(&definition)?, version))
        },
    );
    table.at(
        Endpoint::put(&one, format!("put{thing}"), tag, EDIT)
            .says(
                "정의를 저장합니다",
                "Saves a definition: a file (YAML) with `version: 1` and one entry under `segments:`, `partitions:` or `measures:`. Computed beside the version in force, then swapped in. If-Match guards against \
                 somebody else's edit",
            )
            .takes_media("application/yaml")
            .gives::<DefState>(),
        move |State(app): Shared, Path(id): Path<String>, headers: HeaderMap, body: Bytes| async move {
            let id = args::name(&id)?.to_string();
            let (yaml, version) = (args::text(&body)?.to_string(), if_match(&headers)?);
            let state = app.ask(move |b| b.put_definition(kind, &id, &yaml, version)).await?;
            Ok::<_, Box<ApiError>>(with_version(args::json(&state)?, state.version))
        },
    );
    table.at(
        Endpoint::delete(&one, format!("delete{thing}"), tag, EDIT)
            .says("정의를 지웁니다", "Deletes a definition; refused while others refer to it"),
        move |State(app): Shared, Path(id): Path<String>| async move {
            app.ask(move |b| b.delete_definition(kind, &id)).await?;
            Ok::<_, Box<ApiError>>(super::done())
        },
    );
    table.at(
        Endpoint::post(format!("{base}/preview"), format!("preview{thing}"), tag, PEOPLE)
            .says("저장하지 않고 세어 봅니다", "Counts a definition (YAML) without saving it")
            .takes_media("application/yaml")
            .gives::<Preview>()
            .audited(false),
        move |State(app): Shared, body: Bytes| async move {
            let yaml = args::text(&body)?.to_string();
            args::json(&app.ask(move |b| b.preview(kind, &yaml)).await?)
        },
    );
    table.at(
        Endpoint::get(format!("{one}/versions"), format!("list{thing}Versions"), tag, NUMBERS)
            .says("지난 판들", "All versions, newest first")
            .gives_page::<Version>(),
        move |State(app): Shared, Path(id): Path<String>| async move {
            let items = app.ask(move |b| b.versions(kind, &id)).await?;
            args::json(&args::Page { items, next: None })
        },
    );
    if kind == DefKind::Measure {
        return;
    }
    let class = "The class, for partitions.";
    table.at(
        Endpoint::get(format!("{one}/members"), format!("list{thing}Members"), tag, PEOPLE)
            .says("속한 고객들", "Members in the order of their ids")
            .query("class", NAME, class)
            .paged::<Member>(),
        move |State(app): Shared, Extension(caller): Extension<Caller>, Path(id): Path<String>, args: Args| async move {
            let (of, limit) = (members_of(kind, id, &args)?, args.limit()?);
            let key = app.access().salt.clone().unwrap_or_default();
            let after = args.cursor(|text| veil::unseal(&key, text))?;
            let mut members = app.ask(move |b| b.members(&of, after.as_deref(), limit + 1)).await?;
            let more = members.len() > limit;
            members.truncate(limit);
            let next = members.last().filter(|_| more).map(|m| args::cursor(veil::seal(&key, &m.customer)));
            if veil::veils(caller.role) {
                members.iter_mut().for_each(veil::member);
            }
            args::json(&args::Page { items: members, next })
        },
    );
    table.at(
        Endpoint::get(format!("{one}/history"), format!("get{thing}History"), tag, NUMBERS)
            .says("크기의 변화", "The size over time, also from before the definition was written")
            .query("class", NAME, class)
            .query("from", Kind::Instant, "90 days before `until` if absent.")
            .query("until", Kind::Instant, "Now if absent.")
            .query("days", Kind::Days, "Days between points; 1 if absent. At most 2000 points.")
            .gives_page::<SizeAt>(),
        move |State(app): Shared, Path(id): Path<String>, args: Args| async move {
            let of = members_of(kind, id, &args)?;
            let range = range(&app, &args)?;
            let items = app.ask(move |b| b.history(&of, range)).await?;
            args::json(&args::Page { items, next: None })
        },
    );
}

/// Refuses a name that no definition has, and says which is near.
pub async fn must_be(app: &Arc<App>, kind: DefKind, id: String) -> ApiResult<()> {
    let asked = id.clone();
    match app.ask(move |b| b.definition(kind, &asked)).await {
        Ok(_) => return Ok(()),
        Err(e) if e.code == "not_found" => {}
        Err(e) => return Err(e),
    }
    let known = app.ask(move |b| b.definitions(kind)).await?;
    let near = known.iter().map(|d| (gyul_ingest::distance(&d.id, &id), &d.id)).min();
    let near = near.filter(|(far, _)| *far <= id.chars().count().div_ceil(3) + 1).map(|(_, id)| id);
    let (ko, en) = match near {
        Some(near) => (format!(" 혹시 {near}인가요?"), format!(" Is it {near}?")),
        None => (String::new(), String::new()),
    };
    Err(ApiError::new(
        StatusCode::NOT_FOUND,
        "unknown_definition",
        format!("{id}(이)라는 정의가 없습니다.{ko}"),
        format!("there is no definition {id}.{en}"),
    ))
}

fn members_of(kind: DefKind, id: String, args: &Args) -> ApiResult<MembersOf> {
    let class = if kind == DefKind::Partition { Some(args.need("class")?.to_string()) } else { None };
    Ok(MembersOf { kind, id, class })
}

fn range(app: &App, args: &Args) -> ApiResult<HistoryRange> {
    let until = args.instant("until")?.unwrap_or_else(|| app.now());
    let default = gyul_model::Instant(until.0.saturating_sub(90 * MICROS_DAY));
    let from = args.instant("from")?.unwrap_or(default);
    let step = args.days("days")?.unwrap_or(1) * MICROS_DAY;
    let points = until.0.saturating_sub(from.0).checked_div(step);
    if from > until || points.is_none_or(|n| n >= POINTS_MAX) {
        let (ko, en) = (
            "from이 until보다 늦거나, 점이 2000개를 넘습니다. days를 늘리세요.",
            "from is after until, or there are more than 2000 points. Use more days.",
        );
        return Err(ApiError::bad("bad_range", ko, en));
    }
    Ok(HistoryRange { from, until, step_micros: step })
}

async fn overlap(State(app): Shared, args: Args) -> ApiResult {
    let ids: Vec<String> = args.need("segments")?.split(',').map(|id| id.trim().to_string()).collect();
    if !(2..=OVERLAP_MAX).contains(&ids.len()) || ids.iter().any(String::is_empty) {
        let (ko, en) = (
            "segments에는 id를 쉼표로 나누어 2개에서 50개까지 적으세요.",
            "segments has 2 to 50 ids with commas between.",
        );
        return Err(ApiError::bad("bad_parameter", ko, en));
    }
    let items = app.ask(move |b| b.overlap(&ids)).await?;
    args::json(&args::Page { items, next: None })
}

fn with_version(mut response: Response, version: u32) -> Response {
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

fn if_match(headers: &HeaderMap) -> ApiResult<Option<u32>> {
    let Some(value) = headers.get(header::IF_MATCH).filter(|v| v.as_bytes() != b"*") else { return Ok(None) };
    let version = value.to_str().ok().and_then(|v| v.trim().trim_matches('"').parse().ok());
    let (ko, en) =
        ("If-Match에는 읽을 때 받은 ETag를 넣으세요.", "If-Match is the ETag that came with the definition.");
    version.map(Some).ok_or_else(|| ApiError::bad("bad_if_match", ko, en))
}
