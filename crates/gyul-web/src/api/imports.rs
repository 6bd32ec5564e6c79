//! Files that people upload.

use crate::app::App;
use crate::args::{self, Args};
use crate::audit;
use crate::data::{Draft, Import, Meaning};
use crate::problem::{ApiError, ApiResult};
use crate::table::{EDIT, Endpoint, NAME, NUMBERS, Table};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use bytes::Bytes;
use futures_util::StreamExt;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use tokio::io::AsyncWriteExt;

type Shared = State<Arc<App>>;

pub fn add(table: &mut Table) {
    let tag = "imports";
    table.at(
        Endpoint::post("/api/v1/imports", "startImport", tag, EDIT)
            .says(
                "파일을 올려 가져옵니다",
                "Uploads a file (CSV, Excel, Parquet, JSON lines; also compressed) and imports it",
            )
            .needs("name", NAME, "The file's name: its ending tells the format.")
            .takes_media("application/octet-stream")
            .gives::<Import>()
            .status(202)
            .streams(),
        start,
    );
    table.at(
        Endpoint::post("/api/v1/drafts", "draftImport", tag, EDIT)
            .says(
                "파일을 올려 열의 뜻을 먼저 확인합니다",
                "Uploads a file to look at before it is imported: what its columns mean, what would be rejected",
            )
            .needs("name", NAME, "The file's name: its ending tells the format.")
            .takes_media("application/octet-stream")
            .gives::<Draft>()
            .status(201)
            .streams(),
        draft,
    );
    table.at(
        Endpoint::get("/api/v1/drafts/{id}", "getDraft", tag, EDIT)
            .says(
                "올린 파일의 열의 뜻과 시험 결과",
                "What was inferred of an uploaded file, and what became of its first rows",
            )
            .query("kind", NAME, "`orders`, `events` or `profiles`; found out if absent.")
            .gives::<Draft>(),
        look,
    );
    table.at(
        Endpoint::post("/api/v1/drafts/{id}/import", "importDraft", tag, EDIT)
            .says(
                "올린 파일을 이 매핑으로 가져옵니다",
                "Imports it with this mapping, which later files of its name go by too",
            )
            .takes_media("application/yaml")
            .gives::<Import>()
            .status(202),
        import_draft,
    );
    table.at(
        Endpoint::delete("/api/v1/drafts/{id}", "dropDraft", tag, EDIT)
            .says("올린 파일을 버립니다", "Forgets an uploaded file"),
        drop_draft,
    );
    table.at(
        Endpoint::get("/api/v1/imports", "listImports", tag, NUMBERS)
            .says("가져오기 목록과 진행", "Imports with their progress, newest first")
            .gives_page::<Import>(),
        list,
    );
    table.at(
        Endpoint::get("/api/v1/imports/{id}", "getImport", tag, NUMBERS)
            .says("가져오기 하나의 진행", "The progress of one import")
            .gives::<Import>(),
        one,
    );
}

/// Removes an upload that was not handed over.
struct Upload(Option<PathBuf>);

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(path) = self.0.take() {
            // Left over at worst; nothing else can be done about it here.
            let _ = std::fs::remove_file(path);
        }
    }
}

async fn start(State(app): Shared, args: Args, body: Body) -> ApiResult {
    let (path, name) = receive(&app, &args, body).await?;
    let mut upload = Upload(Some(path.clone()));
    let import = app.ask(move |b| b.import(path, &name)).await?;
    upload.0 = None;
    let mut response = args::json(&import)?;
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

/// The file that was sent, and its name.
async fn receive(app: &Arc<App>, args: &Args, body: Body) -> ApiResult<(PathBuf, String)> {
    let name = args::name(args.need("name")?)?;
    if name.contains(['/', '\\']) {
        let (ko, en) = ("name에는 경로 없이 파일 이름만 적으세요.", "name is a file's name, without a path.");
        return Err(ApiError::bad("bad_name", ko, en));
    }
    let _permit = app.uploads.try_acquire().map_err(|_| crate::Refusal::Busy(10))?;
    let path = app.upload_path();
    let mut upload = Upload(Some(path.clone()));
    write(app, &path, body).await?;
    upload.0 = None;
    audit::about(name);
    Ok((path, name.to_string()))
}

async fn draft(State(app): Shared, args: Args, body: Body) -> ApiResult {
    let (path, name) = receive(&app, &args, body).await?;
    let mut upload = Upload(Some(path.clone()));
    let draft = app.ask(move |b| b.draft(path, &name)).await?;
    upload.0 = None;
    let mut response = args::json(&draft)?;
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

fn number(id: &str) -> ApiResult<u64> {
    id.parse().map_err(|_| ApiError::not_found())
}

async fn look(State(app): Shared, Path(id): Path<String>, args: Args) -> ApiResult {
    let (id, meaning) = (number(&id)?, Meaning::Inferred(args.get("kind").map(str::to_string)));
    args::json(&app.ask(move |b| b.try_draft(id, &meaning)).await?)
}

async fn import_draft(State(app): Shared, Path(id): Path<String>, body: Bytes) -> ApiResult {
    let (id, mapping) = (number(&id)?, args::text(&body)?.to_string());
    let import = app.ask(move |b| b.import_draft(id, &mapping)).await?;
    let mut response = args::json(&import)?;
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

async fn drop_draft(State(app): Shared, Path(id): Path<String>) -> ApiResult {
    let id = number(&id)?;
    app.ask(move |b| b.drop_draft(id)).await?;
    Ok(super::done())
}

async fn write(app: &App, path: &FilePath, body: Body) -> ApiResult<()> {
    let disk = |_: std::io::Error| crate::Refusal::Storage(60);
    let mut file = tokio::fs::OpenOptions::new().write(true).create_new(true).open(path).await.map_err(disk)?;
    let mut stream = body.into_data_stream();
    let mut bytes = 0u64;
    loop {
        let next = tokio::time::timeout(app.options.body_timeout, stream.next()).await.map_err(|_| {
            let (ko, en) =
                ("올리던 파일이 멈추었습니다. 다시 올리세요.", "the upload came to a halt. Upload it again.");
            ApiError::new(StatusCode::REQUEST_TIMEOUT, "timeout", ko, en)
        })?;
        let Some(piece) = next else { break };
        let piece = piece.map_err(|_| {
            let (ko, en) =
                ("올리던 파일이 중간에 끊겼습니다. 다시 올리세요.", "the upload broke off. Upload it again.");
            ApiError::bad("body_incomplete", ko, en)
        })?;
        bytes += piece.len() as u64;
        if bytes > app.options.upload_bytes_max {
            return Err(ApiError::too_large(usize::try_from(app.options.upload_bytes_max).unwrap_or(usize::MAX)));
        }
        file.write_all(&piece).await.map_err(disk)?;
    }
    if bytes == 0 {
        let (ko, en) = ("올린 파일이 비어 있습니다.", "the file is empty.");
        return Err(ApiError::bad("body_empty", ko, en));
    }
    file.flush().await.map_err(disk)?;
    Ok(())
}

async fn list(State(app): Shared) -> ApiResult {
    let items = app.ask(|b| b.imports()).await?;
    args::json(&args::Page { items, next: None })
}

async fn one(State(app): Shared, Path(id): Path<String>) -> ApiResult {
    let imports = app.ask(|b| b.imports()).await?;
    let import = imports.into_iter().find(|i| i.id.to_string() == id).ok_or_else(ApiError::not_found)?;
    args::json(&import)
}
