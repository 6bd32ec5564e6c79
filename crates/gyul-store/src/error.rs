use gyul_model::Lang;
use std::fmt;
use std::path::{Path, PathBuf};

/// What can go wrong with a data directory: where, why, and what to do.
#[derive(Debug)]
pub struct StoreError {
    pub path: PathBuf,
    pub kind: StoreErrorKind,
}

#[derive(Debug)]
pub enum StoreErrorKind {
    /// No data directory here.
    Missing,
    Io(std::io::Error),
    /// A file of ours that cannot be read back; the library's words.
    Damaged(String),
    /// Written by a newer Gyul.
    Newer(u64),
    /// Another process imports right now.
    Locked,
    /// Another process writes the log.
    LogLocked,
    /// A write failed; the log takes nothing until `recover` succeeds.
    LogUnsure,
    /// A record of the log that is too large, or without numbers, or of the kind of erased ones.
    RecordRefused,
    /// The file would bring more event names than so many.
    TooManyNames(usize),
    /// More events than row numbers: about 2 billion.
    Full,
}

impl StoreError {
    pub fn new(path: &Path, kind: StoreErrorKind) -> StoreError {
        StoreError { path: path.to_path_buf(), kind }
    }

    /// For `map_err`: the error at this path.
    pub fn io(path: &Path) -> impl FnOnce(std::io::Error) -> StoreError {
        let path = path.to_path_buf();
        move |e| StoreError { path, kind: StoreErrorKind::Io(e) }
    }

    pub(crate) fn damaged(path: &Path, reason: impl fmt::Display) -> StoreError {
        StoreError::new(path, StoreErrorKind::Damaged(reason.to_string()))
    }

    /// One sentence, with the next step.
    pub fn message(&self, lang: Lang) -> String {
        let p = self.path.display();
        let (ko, en) = match &self.kind {
            StoreErrorKind::Missing => (
                format!(
                    "{p}에 Gyul 데이터가 없습니다. 먼저 gyul import로 파일을 가져오거나 --data로 폴더를 지정하세요"
                ),
                format!(
                    "there is no Gyul data in {p}: import a file first (gyul import), or name the folder with --data"
                ),
            ),
            StoreErrorKind::Io(e) => {
                let (why_ko, why_en) = match e.kind() {
                    std::io::ErrorKind::StorageFull => (
                        "디스크가 가득 찼습니다. 공간을 비우고 다시 실행하세요",
                        "the disk is full: make room and run it again",
                    ),
                    std::io::ErrorKind::PermissionDenied => (
                        "권한이 없습니다. 폴더의 쓰기 권한을 확인하세요",
                        "no permission: check the rights of the folder",
                    ),
                    std::io::ErrorKind::ReadOnlyFilesystem => (
                        "읽기 전용 디스크입니다. 다른 폴더를 --data로 지정하세요",
                        "the disk is read-only: name another folder with --data",
                    ),
                    _ => ("읽거나 쓸 수 없습니다", "cannot be read or written"),
                };
                (format!("{p}: {why_ko} ({e})"), format!("{p}: {why_en} ({e})"))
            }
            StoreErrorKind::Damaged(r) => (
                format!("{p}: 파일이 손상되었습니다({r}). 백업에서 되돌리거나 원본 파일을 새 폴더로 다시 가져오세요"),
                format!(
                    "{p} is damaged ({r}): restore it from a backup, or import the original files into a new folder"
                ),
            ),
            StoreErrorKind::Newer(v) => (
                format!("{p}: 더 새로운 Gyul이 만든 데이터(형식 {v})입니다. Gyul을 업데이트하세요"),
                format!("{p} was written by a newer Gyul (format {v}): update Gyul"),
            ),
            StoreErrorKind::TooManyNames(max) => (
                format!(
                    "{p}: 이벤트 이름이 {max}개를 넘게 됩니다. 이벤트 이름으로 정한 열이 맞는지 확인하고, 상품이나 번호는 속성으로 가져오세요"
                ),
                format!(
                    "{p}: there would be more than {max} event names: check which column says the event's name, and import products or numbers as properties"
                ),
            ),
            StoreErrorKind::Locked => (
                format!("{p}: 다른 가져오기가 진행 중입니다. 끝난 뒤 다시 실행하세요"),
                format!("{p}: another import is running: try again when it is done"),
            ),
            StoreErrorKind::LogLocked => (
                format!(
                    "{p}: 다른 Gyul 서버가 이 폴더를 쓰고 있습니다. 그 서버를 멈추거나 다른 폴더를 --data로 지정하세요"
                ),
                format!("{p}: another Gyul server uses this folder: stop it, or name another folder with --data"),
            ),
            StoreErrorKind::LogUnsure => (
                format!("{p}: 쓰기에 실패한 뒤 아직 복구되지 않았습니다. 디스크를 확인하면 자동으로 다시 시작합니다"),
                format!(
                    "{p}: a write failed and the log has not recovered yet: look at the disk, it goes on by itself"
                ),
            ),
            StoreErrorKind::RecordRefused => (
                format!(
                    "{p}: 기록 하나의 한도(16 MiB)나 한 번에 쓰는 한도(256 MiB)를 넘습니다. 더 작게 나누어 보내세요"
                ),
                format!("{p}: over the limit of one record (16 MiB) or of one commit (256 MiB): send smaller pieces"),
            ),
            StoreErrorKind::Full => (
                format!("{p}: 이벤트가 한 폴더의 한도(약 20억 건)를 넘습니다"),
                format!("{p}: more events than one folder holds (about 2 billion)"),
            ),
        };
        lang.pick(ko, en)
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message(Lang::En))
    }
}

impl std::error::Error for StoreError {}
