//! Why a copy was not sent or brought back.

use object_store::Error as Store;
use std::path::PathBuf;

#[derive(Debug)]
pub enum Error {
    /// Neither `s3://bucket/prefix` nor `file:///folder`.
    Address(String),
    /// What the store said, in our words: its own may hold names of keys.
    Store(&'static str, &'static str),
    Io(PathBuf, std::io::Error),
    /// What was fetched is not what was sent.
    Damaged(String),
    /// There is no copy at this place.
    Nothing,
}

impl Error {
    /// Korean and English.
    pub fn message(&self) -> (String, String) {
        match self {
            Error::Address(a) => (
                format!("'{a}' 주소를 알 수 없습니다. s3://버킷/경로 나 file:///폴더 처럼 적으세요."),
                format!("'{a}' is no address. Write it like s3://bucket/prefix or file:///folder."),
            ),
            Error::Store(ko, en) => (
                format!(
                    "원격 저장소: {ko}. AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT를 확인하세요."
                ),
                format!(
                    "the object store: {en}. Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT."
                ),
            ),
            Error::Io(path, e) => {
                let path = path.display();
                (format!("{path}: 읽거나 쓸 수 없습니다({e})."), format!("{path} cannot be read or written ({e})."))
            }
            Error::Damaged(name) => (
                format!("원격 저장소의 {name} 내용이 보낸 것과 다릅니다. 더 오래된 백업을 쓰세요."),
                format!("{name} in the object store is not what was sent. Use an older backup."),
            ),
            Error::Nothing => (
                "이 주소에는 사본이 없습니다. 경로를 확인하세요.".into(),
                "there is no copy at this address. Check its prefix.".into(),
            ),
        }
    }
}

impl From<Store> for Error {
    fn from(e: Store) -> Error {
        let (ko, en) = match e {
            Store::NotFound { .. } => ("버킷이나 파일이 없습니다", "the bucket or the file is not there"),
            Store::PermissionDenied { .. } => ("권한이 없습니다", "permission denied"),
            Store::Unauthenticated { .. } => ("키가 맞지 않습니다", "the keys are not accepted"),
            Store::UnknownConfigurationKey { .. } => ("설정을 알 수 없습니다", "an unknown setting"),
            _ => ("응답하지 않거나 거절했습니다", "it did not answer, or refused"),
        };
        Error::Store(ko, en)
    }
}
