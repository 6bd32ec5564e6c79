//! `gyul backup` and `gyul restore`: a data directory as a copy, whole and consistent.

use crate::Context;
use crate::args::{BackupArgs, RestoreArgs};
use crate::failure::Failure;
use crate::output::print;
use crate::serve;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Not part of the data: locks, and uploads that wait for their import.
const LEFT_OUT: [&str; 4] = ["lock", "serve.lock", "uploads", "gyul.json.tmp"];

pub fn backup(context: &Context, args: &BackupArgs) -> Result<u8, Failure> {
    let (from, to) = (&context.data, &args.to);
    if !from.join("gyul.json").exists() && !from.join("log").exists() {
        let d = from.display();
        return Err(Failure::io(
            format!("{d}: 데이터가 없는 폴더입니다. --data로 데이터 폴더를 지정하세요."),
            format!("{d} holds no data. Name the data directory with --data."),
        ));
    }
    vacant(to)?;
    // Nobody writes while it is copied, and what the log held is in the base.
    let _alone = serve::alone(from).map_err(|f| busy(f, from))?;
    whole(from, to)?;
    let to = to.display();
    print(&context.lang.pick(
        format!("{to}에 백업했습니다. 되돌리기: gyul --data 새폴더 restore {to}\n"),
        format!("backed up to {to}. To bring it back: gyul --data NEW restore {to}\n"),
    ))?;
    Ok(0)
}

pub fn restore(context: &Context, args: &RestoreArgs) -> Result<u8, Failure> {
    let (from, to) = (&args.from, &context.data);
    if let Some(address) = from.to_str().filter(|f| f.contains("://")) {
        vacant(to)?;
        fetch(address, to)?;
        return opened(context, to);
    }
    if !from.join("gyul.json").exists() && !from.join("log").exists() {
        let d = from.display();
        return Err(Failure::io(
            format!("{d}: 백업이 아닙니다. gyul backup이 만든 폴더를 지정하세요."),
            format!("{d} is no backup. Name a folder that gyul backup made."),
        ));
    }
    vacant(to)?;
    whole(from, to)?;
    opened(context, to)
}

#[cfg(feature = "object-store")]
fn fetch(address: &str, to: &Path) -> Result<(), Failure> {
    if to.exists() {
        fs::remove_dir(to).map_err(|e| Failure::write(to, &e))?;
    }
    serve::remote::fetch(address, to)
}

#[cfg(not(feature = "object-store"))]
fn fetch(_: &str, _: &Path) -> Result<(), Failure> {
    Err(no_remote())
}

#[cfg(not(feature = "object-store"))]
pub fn no_remote() -> Failure {
    Failure::usage(
        "이 실행 파일은 원격 저장소를 쓸 수 없습니다. cargo build --release --features object-store로 다시 빌드하세요.",
        "this build knows no object store. Build it with cargo build --release --features object-store.",
    )
}

/// It is brought up once, so that a damaged backup is known now and not at the next start.
fn opened(context: &Context, to: &Path) -> Result<u8, Failure> {
    let live = serve::open(to, None)?;
    gyul_web::Backend::stop(&live);
    let to = to.display();
    print(&context.lang.pick(format!("{to}에 되돌렸습니다.\n"), format!("restored to {to}\n")))?;
    Ok(0)
}

fn busy(f: Failure, from: &Path) -> Failure {
    let d = from.display();
    if !f.en.contains("in use by a server") {
        return f;
    }
    Failure::io(
        format!(
            "{d}: 서버가 쓰고 있습니다. 서버를 멈춘 뒤(Ctrl-C) 백업하거나, gyul serve --backups 폴더 로 시작한 서버에 POST /api/v1/backup을 보내세요."
        ),
        format!(
            "{d} is in use by a server. Stop it (Ctrl-C), then back up; or send POST /api/v1/backup to a server started with gyul serve --backups DIR."
        ),
    )
}

/// Nothing is ever copied over something.
fn vacant(to: &Path) -> Result<(), Failure> {
    let empty = match fs::read_dir(to) {
        Ok(mut entries) => entries.next().is_none(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => true,
        Err(e) => return Err(Failure::read(to, &e)),
    };
    if empty {
        return Ok(());
    }
    let d = to.display();
    Err(Failure::usage(
        format!("{d}: 비어 있지 않은 폴더입니다. 새 폴더를 지정하세요."),
        format!("{d} is not empty. Name a new folder."),
    ))
}

/// Copies beside, makes it durable, and gives it its name: a copy is there whole or not at all.
fn whole(from: &Path, to: &Path) -> Result<(), Failure> {
    let mut name = to.file_name().unwrap_or_default().to_os_string();
    name.push(".part");
    let beside = to.with_file_name(name);
    let _ = fs::remove_dir_all(&beside);
    copy(from, &beside)?;
    if to.exists() {
        fs::remove_dir(to).map_err(|e| Failure::write(to, &e))?;
    }
    fs::rename(&beside, to).map_err(|e| Failure::write(to, &e))?;
    let parent = to.parent().filter(|p| !p.as_os_str().is_empty()).map_or(PathBuf::from("."), Path::to_path_buf);
    fs::File::open(&parent).and_then(|d| d.sync_all()).map_err(|e| Failure::write(&parent, &e))
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::create_dir_all(to).map_err(|e| Failure::write(to, &e))?;
    for entry in fs::read_dir(from).map_err(|e| Failure::read(from, &e))? {
        let entry = entry.map_err(|e| Failure::read(from, &e))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if LEFT_OUT.iter().any(|n| entry.file_name() == *n) {
            continue;
        }
        if source.is_dir() {
            copy(&source, &target)?;
        } else {
            fs::copy(&source, &target).map_err(|e| Failure::write(&target, &e))?;
            fs::File::open(&target).and_then(|f| f.sync_all()).map_err(|e| Failure::write(&target, &e))?;
        }
    }
    fs::File::open(to).and_then(|d| d.sync_all()).map_err(|e| Failure::write(to, &e))
}
