//! Why a request or an event in it is not taken, in words for whoever sent it.

use gyul_model::Lang;
use std::fmt;

/// Why nothing of a request was taken.
#[derive(Clone, PartialEq, Debug)]
pub enum BodyError {
    Empty,
    /// More bytes than this, before or after decompression.
    TooLarge(usize),
    TooManyEvents(usize),
    /// No JSON from this byte on.
    NotJson(usize),
    /// JSON, but of another shape than this one.
    NotShape(&'static str),
    /// Compressed, and broken.
    NotCompressed,
}

impl BodyError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            BodyError::Empty => "body_empty",
            BodyError::TooLarge(_) => "body_too_large",
            BodyError::TooManyEvents(_) => "too_many_events",
            BodyError::NotJson(_) => "bad_json",
            BodyError::NotShape(_) => "bad_shape",
            BodyError::NotCompressed => "bad_compression",
        }
    }

    /// The status of HTTP that says so.
    pub fn status(&self) -> u16 {
        if matches!(self, BodyError::TooLarge(_)) { 413 } else { 400 }
    }

    /// What is wrong and what to do.
    pub fn message(&self, lang: Lang) -> String {
        let (ko, en) = match self {
            BodyError::Empty => {
                ("요청 본문이 비어 있습니다. JSON을 담아 보내세요.".into(), "the body is empty. Send JSON.".into())
            }
            BodyError::TooLarge(n) => (
                format!("요청 본문이 {n}바이트를 넘습니다. 나누어 보내세요."),
                format!("the body is larger than {n} bytes. Send it in parts."),
            ),
            BodyError::TooManyEvents(n) => (
                format!("한 요청의 이벤트가 {n}개를 넘습니다. 나누어 보내세요."),
                format!("more than {n} events in one request. Send them in parts."),
            ),
            BodyError::NotJson(at) => (
                format!("JSON이 아닙니다. {at}번째 바이트부터 읽을 수 없습니다. 보내는 쪽의 JSON을 확인하세요."),
                format!("not JSON: cannot be read from byte {at} on. Check what the sender writes."),
            ),
            BodyError::NotShape(shape) => (
                format!("본문의 모양이 다릅니다. {shape} 형태로 보내세요."),
                format!("the body has another shape. Send {shape}."),
            ),
            BodyError::NotCompressed => (
                "압축을 풀 수 없습니다. Content-Encoding과 본문이 맞는지 확인하세요.".into(),
                "cannot be decompressed. Check that Content-Encoding fits the body.".into(),
            ),
        };
        lang.pick(ko, en)
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message(Lang::En))
    }
}

impl std::error::Error for BodyError {}

/// An event that was not taken; its neighbours were.
#[derive(Clone, PartialEq)]
pub struct Reject {
    /// Its place in the request, from 0.
    pub index: usize,
    pub code: RejectCode,
    /// The field to look at, such as `properties.total`; empty if it is the event as a whole.
    pub place: String,
    /// The event as it was sent. Personal data possible.
    pub content: String,
}

impl Reject {
    /// Where, why, and what to do.
    pub fn message(&self, lang: Lang) -> String {
        let reason = self.code.message(lang);
        if self.place.is_empty() { reason.to_string() } else { format!("{}: {reason}", self.place) }
    }
}

/// Hides what may be personal.
impl fmt::Debug for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event {}: {} at {:?}", self.index, self.code.as_str(), self.place)
    }
}

/// What is wrong with an event, and where.
#[derive(Clone, PartialEq)]
pub(crate) struct Fault {
    pub code: RejectCode,
    pub place: String,
}

impl Fault {
    pub fn new(code: RejectCode, place: impl Into<String>) -> Fault {
        Fault { code, place: place.into() }
    }
}

macro_rules! codes {
    ($($variant:ident $text:literal $ko:literal $en:literal)*) => {
        /// Stable codes of rejected events.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum RejectCode { $($variant),* }

        impl RejectCode {
            pub const ALL: &'static [RejectCode] = &[$(RejectCode::$variant),*];

            pub fn as_str(self) -> &'static str {
                match self { $(RejectCode::$variant => $text),* }
            }

            /// Why, and what to do.
            pub fn message(self, lang: Lang) -> &'static str {
                match self { $(RejectCode::$variant => lang.pick($ko, $en)),* }
            }
        }
    };
}

codes! {
    NotObject "not_object"
        "JSON 객체가 아닙니다. 이벤트 하나를 객체 하나로 보내세요."
        "not a JSON object. Send one object an event."
    NoType "no_type"
        "type이 없습니다. identify, track, page, screen, group, alias 중 하나를 적으세요."
        "no type. Say one of identify, track, page, screen, group, alias."
    UnknownType "unknown_type"
        "알 수 없는 type입니다. identify, track, page, screen, group, alias 중 하나를 적으세요."
        "an unknown type. Say one of identify, track, page, screen, group, alias."
    NoIdentity "no_user_anon_id"
        "누구의 이벤트인지 알 수 없습니다. userId나 anonymousId를 채우세요."
        "says not whose event it is. Fill in userId or anonymousId."
    UnknownKind "unknown_kind"
        "알 수 없는 식별자 종류입니다. user, email, phone, kakao, device, anonymous 중 하나를 적으세요."
        "an unknown kind of identifier. Say one of user, email, phone, kakao, device, anonymous."
    NoEventName "no_event_name"
        "이벤트 이름이 비어 있습니다. 채워 넣으세요."
        "no event name. Fill it in."
    NoGroup "no_group_id"
        "groupId가 비어 있습니다. 채워 넣으세요."
        "no groupId. Fill it in."
    NoPrevious "no_previous_id"
        "previousId가 비어 있습니다. 이전 식별자를 채워 넣으세요."
        "no previousId. Fill in the former id."
    NoTrait "no_trait"
        "알 수 있는 고객 속성이 하나도 없습니다."
        "says nothing about the customer that could be read."
    NoOrder "no_order"
        "주문번호가 비어 있습니다. 채워 넣으세요."
        "no order id. Fill it in."
    TimeUnreadable "time_unreadable"
        "시각을 읽을 수 없습니다. 2026-11-22T15:04:05+09:00처럼 적으세요."
        "the time cannot be read. Write it like 2026-11-22T15:04:05+09:00."
    TimeOutOfRange "time_out_of_range"
        "1900년부터 2200년 사이가 아닙니다. 날짜를 확인하세요."
        "not between the years 1900 and 2200. Check the date."
    TimeFuture "time_future"
        "미래의 시각입니다. 보내는 기기의 시계와 시간대를 확인하세요."
        "lies in the future. Check the sender's clock and time zone."
    NumberUnreadable "number_unreadable"
        "숫자로 읽을 수 없습니다. 39900처럼 숫자만 보내세요."
        "not a number. Send digits, such as 39900."
    NumberTooLong "number_too_long"
        "숫자가 15자리를 넘습니다. 번호라면 따옴표로 감싸 텍스트로 보내세요."
        "more than 15 digits. Put it in quotes if it is an identifier."
    NegativeAmount "negative_amount"
        "음수입니다. 환불은 Order Refunded 이벤트에 양수로 보내세요."
        "negative. Send refunds as Order Refunded with positive amounts."
    ZeroQuantity "zero_quantity"
        "수량이 0입니다."
        "the quantity is zero: nothing was bought."
    TooLarge "too_large"
        "이벤트 하나의 크기 제한을 넘습니다. 속성을 줄이세요."
        "larger than one event may be. Send fewer properties."
    TooDeep "too_deep"
        "너무 깊이 중첩되어 있습니다. 속성을 펼쳐서 보내세요."
        "nested too deep. Send flat properties."
    TooManyProperties "too_many_properties"
        "속성이 너무 많습니다. 줄여서 보내세요."
        "too many properties. Send fewer."
    TooLong "too_long"
        "텍스트가 너무 깁니다. 줄여서 보내세요."
        "a text is too long. Shorten it."
    NameTooLong "name_too_long"
        "이름이 너무 깁니다. 줄여서 보내세요."
        "a name is too long. Shorten it."
    BadText "bad_utf8"
        "UTF-8이 아닌 글자가 있습니다. 보내는 쪽의 문자 인코딩을 확인하세요."
        "holds characters that are not UTF-8. Check the sender's encoding."
}
