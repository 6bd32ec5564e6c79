//! What people read.

use crate::hand::CannotMerge;
use crate::identities::{Nobody, Reason};
use crate::snapshot::CannotLoad;
use gyul_model::{IdKind, Lang};

fn kind_name(kind: IdKind, lang: Lang) -> &'static str {
    match kind {
        IdKind::User => lang.pick("회원 ID", "user id"),
        IdKind::Email => lang.pick("이메일", "e-mail"),
        IdKind::Phone => lang.pick("전화번호", "phone number"),
        IdKind::Kakao => lang.pick("카카오 ID", "Kakao id"),
        IdKind::Device => lang.pick("기기 ID", "device id"),
        IdKind::Anonymous => lang.pick("익명 ID", "anonymous id"),
    }
}

impl Nobody {
    pub fn message(self, lang: Lang) -> String {
        match self {
            Nobody::NoNames => lang
                .pick(
                    "누구의 일인지 알 수 있는 ID가 없습니다. userId나 anonymousId를 함께 보내 주세요.",
                    "no id says whose this is: send a userId or an anonymousId with it",
                )
                .into(),
            Nobody::Blocked(kind) => {
                let name = kind_name(kind, lang);
                lang.pick(
                    format!("{name} 값이 아무도 가리키지 않는 값(null, guest, 000 등)이라 주인을 정할 수 없습니다. 보내는 쪽에서 실제 값을 넣거나 비워 주세요."),
                    format!("the {name} is a value that names nobody (null, guest, 000): send the real one, or none"),
                )
            }
            Nobody::Full => lang
                .pick(
                    "ID를 더 받을 수 없습니다. 고객 번호 4,294,967,295개를 모두 썼습니다. 데이터 폴더를 나누어 주세요.",
                    "no room for another id: all 4,294,967,295 numbers are taken; divide the data directory",
                )
                .into(),
        }
    }
}

impl Reason {
    pub fn message(self, lang: Lang) -> String {
        match self {
            Reason::TooMany(IdKind::User) => lang
                .pick(
                    "서로 다른 회원 ID가 있어 저절로 합치지 않았습니다. 같은 사람이라면 직접 합쳐 주세요.",
                    "they have different user ids and are not joined by themselves; merge them by hand if they are one person",
                )
                .into(),
            Reason::TooMany(kind) => {
                let name = kind_name(kind, lang);
                lang.pick(
                    format!("한 고객이 가질 수 있는 {name} 수를 넘어 합치지 않았습니다. 같은 사람이라면 직접 합치거나 한도를 올려 주세요."),
                    format!("the customer would have more than one may have of this kind: {name}; merge by hand or raise the limit"),
                )
            }
            Reason::Parted => lang
                .pick(
                    "전에 사람이 나눈 고객이라 저절로 합치지 않았습니다. 같은 사람이라면 직접 합쳐 주세요.",
                    "they were parted by hand and are not joined by themselves; merge them by hand if they are one person",
                )
                .into(),
        }
    }
}

impl CannotMerge {
    pub fn message(self, lang: Lang) -> &'static str {
        match self {
            CannotMerge::NoSuchHandle => lang.pick(
                "그런 고객이 없습니다. ID를 확인해 주세요. 삭제된 고객일 수 있습니다.",
                "there is no such customer: check the id; the customer may have been erased",
            ),
            CannotMerge::SameCustomer => lang.pick(
                "이미 같은 고객입니다. 더 할 일이 없습니다.",
                "they are the same customer already; nothing is left to do",
            ),
            CannotMerge::NoSuchMerge => lang.pick(
                "그런 병합이 없습니다. 고객의 병합 이력에서 번호를 확인해 주세요.",
                "there is no such merge: look up its number in the customer's history",
            ),
            CannotMerge::AlreadyUndone => lang.pick(
                "이미 되돌린 병합입니다. 다시 합치려면 두 고객을 직접 합쳐 주세요.",
                "this merge was undone before; to join the two again, merge them by hand",
            ),
            CannotMerge::Alone => lang.pick(
                "다른 ID와 합쳐지지 않은 ID라 떼어 낼 것이 없습니다.",
                "this id is joined with no other; there is nothing to take it out of",
            ),
        }
    }
}

impl CannotLoad {
    pub fn message(self, lang: Lang) -> String {
        match self {
            CannotLoad::NotIdentities => lang
                .pick(
                    "고객 ID 저장본이 아닙니다. 로그에서 다시 만들 수 있습니다.",
                    "this holds no identities; they can be made again from the log",
                )
                .into(),
            CannotLoad::Newer(version) => lang.pick(
                format!("더 새로운 귤이 저장한 형식({version})입니다. 귤을 새 버전으로 올려 주세요."),
                format!("written by a newer Gyul (format {version}): use that one"),
            ),
            CannotLoad::Damaged(place) => lang.pick(
                format!("고객 ID 저장본이 손상되었습니다({place}). 백업이나 로그에서 다시 만들어 주세요."),
                format!("the saved identities are damaged ({place}): make them again from a backup or the log"),
            ),
        }
    }
}
