//! A file's way in: uploaded, looked at, its columns given their meaning, imported.

use super::*;
use axum::extract::Path;
use bytes::Bytes;

/// Roles that a column of each kind can have, as the mapping file writes them.
const ORDERS: &[&str] = &[
    "customer",
    "time",
    "order",
    "total",
    "status",
    "quantity",
    "price",
    "product",
    "name",
    "category",
    "brand",
    "line",
    "discount",
    "coupon",
    "channel",
    "currency",
    "cancelled_at",
    "test",
];
const EVENTS: &[&str] = &["customer", "time", "event", "id"];
const PROFILES: &[&str] = &["customer", "time"];
const TYPES: &[&str] = &["text", "number", "bool", "time", "list"];
const TIMES: &[&str] = &["ymd", "dmy", "mdy", "epoch_s", "epoch_ms", "epoch_us", "excel"];

pub fn add(table: &mut Table) {
    table.at(Endpoint::page("/data/import", "pageImport", EDIT), choose);
    table.at(Endpoint::page("/data/import/{id}", "pageDraft", EDIT), draft);
    table.at(Endpoint::form("/data/import/{id}", "tryDraft", EDIT).audited(false), change);
    table.at(Endpoint::form("/data/import/{id}/start", "importDraft", EDIT), start);
    table.at(Endpoint::form("/data/import/{id}/drop", "dropDraft", EDIT), forget);
    table.at(Endpoint::page("/data/imports/{id}", "pageProgress", NUMBERS), progress);
}

#[derive(Template)]
#[template(path = "data/import.html")]
struct Choose {
    page: Page,
    title: String,
    frame: Frame,
    imports: Vec<ImportLine>,
}

async fn choose(State(app): Shared, page: Page, args: Args) -> ApiResult {
    let imports = app.ask(|b| b.imports()).await?;
    let done = (args.get("done") == Some("dropped")).then(|| page.t("data-draft-dropped"));
    let template = Choose {
        title: page.t("data-tab-import"),
        frame: Frame::new(&page, "import").says(done),
        imports: imports.into_iter().take(IMPORTS).map(|i| import_line(&page, i)).collect(),
        page: page.clone(),
    };
    show(&page, &template)
}

#[derive(Template)]
#[template(path = "data/draft.html")]
struct DraftPage {
    page: Page,
    title: String,
    frame: Frame,
    table: DraftTable,
}

#[derive(Template)]
#[template(path = "data/draft-table.html")]
struct DraftTable {
    page: Page,
    draft: Draft,
    size: String,
    kinds: Vec<(&'static str, String, bool)>,
    times: Vec<(&'static str, String, bool)>,
    columns: Vec<ColumnLine>,
    problems: Vec<String>,
    remarks: Vec<String>,
    rejected: Vec<(String, RejectedRows)>,
    lost: u64,
    ready: bool,
    wrong: Option<String>,
}

struct ColumnLine {
    column: DraftColumn,
    why: Option<String>,
    sure: bool,
    /// Value, words, whether it is chosen; in groups.
    roles: Vec<(String, String, bool)>,
    fields: Vec<(String, String, bool)>,
    is_field: bool,
}

/// As one choice: `customer`, `property:number`, `trait:text`, nothing.
fn choice(m: &ColumnMeaning) -> String {
    match m.target.as_str() {
        "property" | "trait" => format!("{}:{}", m.target, m.kind),
        target => target.to_string(),
    }
}

fn table_of(page: &Page, draft: Draft, wrong: Option<String>) -> DraftTable {
    let roles: &[&str] = match draft.kind.as_str() {
        "events" => EVENTS,
        "profiles" => PROFILES,
        _ => ORDERS,
    };
    // What else a column can be: of orders and profiles a trait, of events a property or a trait.
    let targets: &[&str] = if draft.kind == "events" { &["property", "trait"] } else { &["trait"] };
    let column = |column: DraftColumn| {
        let chosen = choice(&column.meaning);
        let role = |r: &&str| (r.to_string(), page.t(&format!("data-role-{r}")), chosen == **r);
        let field = |(target, kind): (&str, &str)| {
            let value = format!("{target}:{kind}");
            let words = page.t2(
                "data-field",
                "what",
                page.t(&format!("data-target-{target}")),
                "type",
                page.t(&format!("data-type-{kind}")),
            );
            (value.clone(), words, chosen == value)
        };
        let fields = targets.iter().flat_map(|t| TYPES.iter().map(|k| (*t, *k)));
        ColumnLine {
            why: column.why_ko.as_ref().zip(column.why_en.as_ref()).map(|(ko, en)| page.either(ko, en).to_string()),
            sure: column.confidence.is_none_or(|c| c >= 90),
            roles: roles.iter().map(role).collect(),
            fields: fields.map(field).collect(),
            is_field: matches!(column.meaning.target.as_str(), "property" | "trait"),
            column,
        }
    };
    let words = |p: &Problem| page.either(&p.ko, &p.en).to_string();
    let rejected = draft.tried.iter().flat_map(|t| &t.rejected);
    DraftTable {
        size: format::bytes(draft.bytes),
        kinds: ["orders", "events", "profiles"].map(|k| (k, page.t(&format!("data-kind-{k}")), draft.kind == k)).into(),
        times: TIMES.iter().map(|t| (*t, page.t(&format!("data-time-{t}")), draft.time_format == *t)).collect(),
        columns: draft.columns.iter().cloned().map(column).collect(),
        problems: draft.problems.iter().map(words).collect(),
        remarks: draft.remarks.iter().map(words).collect(),
        rejected: rejected.map(|r| (page.either(&r.ko, &r.en).to_string(), r.clone())).collect(),
        lost: draft.tried.as_ref().map_or(0, |t| t.rows.saturating_sub(t.events)),
        ready: draft.problems.is_empty() && draft.tried.as_ref().is_some_and(|t| t.events > 0),
        wrong,
        draft,
        page: page.clone(),
    }
}

fn number(id: &str) -> ApiResult<u64> {
    id.parse().map_err(|_| ApiError::not_found())
}

fn show_draft(page: Page, draft: Draft, wrong: Option<String>) -> ApiResult {
    let title = page.t1("data-draft-title", "name", &draft.name);
    let frame = Frame::new(&page, "import");
    let table = table_of(&page, draft, wrong);
    if page.partial { show(&page, &table) } else { show(&page.clone(), &DraftPage { page, title, frame, table }) }
}

async fn draft(State(app): Shared, page: Page, Path(id): Path<String>) -> ApiResult {
    let id = number(&id)?;
    let draft = app.ask(move |b| b.try_draft(id, &Meaning::Inferred(None))).await?;
    show_draft(page, draft, None)
}

/// The form as a mapping. A change of the kind begins anew.
fn meaning(body: &[u8]) -> Meaning {
    let all = fields(body);
    let get = |name: &str| all.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str()).unwrap_or_default();
    let yaml = get("yaml");
    if get("apply") == "yaml" && !yaml.trim().is_empty() {
        return Meaning::Yaml(yaml.to_string());
    }
    if get("kind") != get("kind-before") {
        return Meaning::Inferred(Some(get("kind").to_string()));
    }
    let count = all.iter().filter(|(n, _)| n.starts_with("column-")).count();
    let column = |i: usize| {
        let chosen = get(&format!("column-{i}"));
        let (target, kind) = chosen.split_once(':').unwrap_or((chosen, ""));
        ColumnMeaning { target: target.into(), name: get(&format!("name-{i}")).into(), kind: kind.into() }
    };
    Meaning::Chosen(ChosenMapping {
        kind: get("kind").into(),
        lines: get("rows") == "lines",
        time_format: get("time").into(),
        decimal_comma: get("decimal") == "comma",
        event: get("event").into(),
        columns: (0..count).map(column).collect(),
    })
}

/// What was chosen, or why not together with what there was.
async fn tried(app: &Arc<App>, page: &Page, id: u64, meaning: Meaning) -> ApiResult<(Draft, Option<String>)> {
    match app.ask(move |b| b.try_draft(id, &meaning)).await {
        Ok(draft) => Ok((draft, None)),
        Err(e) if e.status.as_u16() == 422 => {
            let of = |p: &Problem| page.either(&p.ko, &p.en).to_string();
            let words: Vec<String> = e.problems().iter().map(of).collect();
            let draft = app.ask(move |b| b.try_draft(id, &Meaning::Inferred(None))).await?;
            Ok((draft, Some(words.join(" "))))
        }
        Err(e) => Err(e),
    }
}

async fn change(State(app): Shared, page: Page, Path(id): Path<String>, body: Bytes) -> ApiResult {
    let (draft, wrong) = tried(&app, &page, number(&id)?, meaning(&body)).await?;
    show_draft(page, draft, wrong)
}

async fn start(State(app): Shared, page: Page, Path(id): Path<String>, body: Bytes) -> ApiResult {
    let id = number(&id)?;
    let (draft, wrong) = tried(&app, &page, id, meaning(&body)).await?;
    if wrong.is_some() || !draft.problems.is_empty() {
        return show_draft(page, draft, wrong);
    }
    let import = app.ask(move |b| b.import_draft(id, &draft.mapping)).await?;
    Ok(go(&page, &format!("/data/imports/{}", import.id)))
}

async fn forget(State(app): Shared, page: Page, Path(id): Path<String>) -> ApiResult {
    let id = number(&id)?;
    app.ask(move |b| b.drop_draft(id)).await?;
    Ok(go(&page, "/data/import?done=dropped"))
}

#[derive(Template)]
#[template(path = "data/progress.html")]
struct ProgressPage {
    page: Page,
    title: String,
    frame: Frame,
    part: ProgressPart,
}

#[derive(Template)]
#[template(path = "data/progress-part.html")]
struct ProgressPart {
    page: Page,
    line: ImportLine,
}

async fn progress(State(app): Shared, page: Page, Path(id): Path<String>) -> ApiResult {
    let id = number(&id)?;
    let imports = app.ask(|b| b.imports()).await?;
    let import = imports.into_iter().find(|i| i.id == id).ok_or_else(ApiError::not_found)?;
    let title = page.t1("data-progress-title", "name", &import.name);
    let part = ProgressPart { line: import_line(&page, import), page: page.clone() };
    if page.partial {
        return show(&page, &part);
    }
    let frame = Frame::new(&page, "import");
    show(&page.clone(), &ProgressPage { page, title, frame, part })
}
