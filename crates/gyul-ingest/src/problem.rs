//! What can be wrong with a file, a mapping or a row: typed, with a place, a reason and a next step, in two languages.

use crate::decode::Encoding;
use crate::mapping::Role;
use gyul_model::Lang;
use std::fmt;

/// Why a source cannot be read (further). Chunks that were handed out before remain good.
#[derive(Clone, Debug, PartialEq)]
pub struct InputError {
    /// The name the source was opened with.
    pub name: String,
    /// The line at which reading stopped, where there are lines.
    pub line: Option<u64>,
    pub kind: InputErrorKind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum InputErrorKind {
    /// Nothing in it at all.
    Empty,
    /// A header and no row.
    HeaderOnly,
    Directory,
    NotFound,
    /// No right to read, or the device failed; the system's own words.
    Io(String),
    /// The compressed or columnar file ends before its end.
    Truncated(String),
    /// Damaged: gzip, zstd, Parquet, Excel; the library's own words.
    Damaged(String),
    /// Bytes that are not text in the encoding that the beginning of the file has.
    Encoding {
        expected: &'static str,
    },
    /// A binary format that is not known here (old Excel, PDF, zip …).
    UnknownFormat(&'static str),
    /// A quote was opened and not closed for so many bytes.
    UnclosedQuote(usize),
    /// One record is longer than so many bytes.
    RecordTooLong(usize),
    /// More than can be held in memory, for formats that need all of it at once.
    TooLarge(u64),
}

/// Why a mapping cannot be inferred or used.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    pub kind: ProblemKind,
    /// The lines to add to the mapping file that would settle it.
    pub fix: String,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ProblemKind {
    /// No column found for what is needed; columns that might be it, best first.
    Missing {
        role: Role,
        candidates: Vec<String>,
    },
    /// Several columns are equally likely.
    Several {
        role: Role,
        candidates: Vec<String>,
    },
    /// The mapping names a column that the file does not have; the nearest one.
    NoSuchColumn {
        column: String,
        nearest: Option<String>,
    },
    /// Dates of the sample can be read day-month or month-day.
    AmbiguousDate {
        column: String,
        sample: String,
    },
    /// No date format reads the sample.
    UnknownDate {
        column: String,
        sample: String,
    },
    /// The mapping file cannot be understood: what, and where.
    BadMapping {
        what: String,
        line: Option<usize>,
    },
    UnknownZone(String),
}

/// A row that did not become an event, and why.
#[derive(Clone, PartialEq)]
pub struct Reject {
    /// Counted from 1 after the header.
    pub row: u64,
    /// Line of the (decoded) file on which the row starts; 0 where there are no lines.
    pub line: u64,
    pub code: RejectCode,
    /// The column to look at.
    pub column: Option<String>,
    /// Its content as found. Personal data possible.
    pub value: String,
    /// The whole row as found; CSV where the format is binary. Personal data possible.
    pub content: String,
}

/// Stable codes; `as_str` is what summaries and quarantine files show.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RejectCode {
    NoCustomer,
    NoTime,
    TimeUnreadable,
    TimeFuture,
    TimeOutOfRange,
    NumberUnreadable,
    NumberTooLong,
    NegativePrice,
    ZeroQuantity,
    NoOrder,
    NoAmount,
    NoEventName,
    NoTrait,
    ValueUnreadable,
    NotPaid,
    TestOrder,
    ColumnCount,
    UnclosedQuote,
    BadJson,
    TooLong,
}

impl InputError {
    /// What is wrong, where, and what to do.
    pub fn message(&self, lang: Lang) -> String {
        let place = match (self.line, lang) {
            (Some(line), Lang::Ko) => format!("{} {line}행 부근", self.name),
            (Some(line), Lang::En) => format!("{}, near line {line}", self.name),
            (None, _) => self.name.clone(),
        };
        let (ko, en): (String, String) = match &self.kind {
            InputErrorKind::Empty => (
                "파일이 비어 있습니다. 내보내기가 끝났는지 확인하세요.".into(),
                "the file is empty. Check that the export finished.".into(),
            ),
            InputErrorKind::HeaderOnly => (
                "머리글만 있고 자료 행이 없습니다. 내보낸 기간을 확인하세요.".into(),
                "there is a header but no row. Check the period that was exported.".into(),
            ),
            InputErrorKind::Directory => (
                "폴더입니다. 파일을 지정하세요 (예: 폴더/*.csv).".into(),
                "this is a directory. Name the files in it (for example dir/*.csv).".into(),
            ),
            InputErrorKind::NotFound => {
                ("파일이 없습니다. 경로를 확인하세요.".into(), "no such file. Check the path.".into())
            }
            InputErrorKind::Io(e) => (format!("읽을 수 없습니다: {e}"), format!("cannot be read: {e}")),
            InputErrorKind::Truncated(e) => (
                format!(
                    "파일이 중간에서 끊겼습니다 ({e}). 다시 내려받거나 내보내세요. 끊기기 전까지의 행은 읽었습니다."
                ),
                format!(
                    "the file ends too early ({e}). Download or export it again; rows before that point were read."
                ),
            ),
            InputErrorKind::Damaged(e) => (
                format!("파일이 손상되었습니다 ({e}). 다시 내려받거나 내보내세요."),
                format!("the file is damaged ({e}). Download or export it again."),
            ),
            InputErrorKind::Encoding { expected } => (
                format!(
                    "글자를 {expected}(으)로 읽을 수 없습니다. UTF-8로 다시 저장하거나 --encoding(매핑 파일에서는 encoding:)으로 인코딩을 지정하세요: {}.",
                    Encoding::NAMES
                ),
                format!(
                    "the text is not {expected}. Save it as UTF-8, or name its encoding with --encoding (in a mapping file, encoding:): {}.",
                    Encoding::NAMES
                ),
            ),
            InputErrorKind::UnknownFormat("xls") => (
                "옛 엑셀(.xls) 형식이거나 암호가 걸린 파일입니다. .xlsx 또는 CSV로 저장하세요.".into(),
                "this is an old Excel file (.xls) or one with a password. Save it as .xlsx or CSV.".into(),
            ),
            InputErrorKind::UnknownFormat("JSON array") => (
                "JSON 배열입니다. 한 줄에 객체 하나씩(JSON Lines) 저장하세요 (예: jq -c '.[]').".into(),
                "this is a JSON array. Write one object a line (JSON Lines), for example with jq -c '.[]'.".into(),
            ),
            InputErrorKind::UnknownFormat(f) => (
                format!("{f} 형식은 읽을 수 없습니다. CSV, JSON Lines, Parquet, .xlsx 중 하나로 저장하세요."),
                format!("{f} cannot be read. Save it as CSV, JSON Lines, Parquet or .xlsx."),
            ),
            InputErrorKind::UnclosedQuote(n) => (
                format!("열린 따옴표(\")가 {n}바이트 안에 닫히지 않았습니다. 이 행의 따옴표를 확인하세요."),
                format!("a quote (\") is not closed within {n} bytes. Mend the quotes of this row."),
            ),
            InputErrorKind::RecordTooLong(n) => (
                format!("한 행이 {n}바이트를 넘습니다. 줄바꿈과 구분자를 확인하세요."),
                format!("a row is longer than {n} bytes. Check line ends and delimiter."),
            ),
            InputErrorKind::TooLarge(n) => (
                format!("이 형식은 통째로 읽어야 하는데 {n}바이트를 넘습니다. CSV나 Parquet 파일로 저장하세요."),
                format!(
                    "this format must be read as a whole and exceeds {n} bytes. Save it as CSV or as a Parquet file."
                ),
            ),
        };
        format!("{place}: {}", lang.pick(ko, en))
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message(Lang::En))
    }
}

impl std::error::Error for InputError {}

impl Problem {
    /// What is wrong and what to do, with the lines for the mapping file.
    pub fn message(&self, lang: Lang) -> String {
        let text = self.reason(lang);
        if self.fix.is_empty() { text } else { format!("{text}:\n{}", self.fix) }
    }

    /// What is wrong and what to do.
    pub fn reason(&self, lang: Lang) -> String {
        let list = |c: &[String]| c.iter().map(|c| format!("`{c}`")).collect::<Vec<_>>().join(", ");
        let (ko, en) = match &self.kind {
            ProblemKind::Missing { role, candidates } => {
                let (ko, en) = role.words();
                let known = if candidates.is_empty() { "—".to_string() } else { list(candidates) };
                (
                    format!("{ko}에 해당하는 열을 찾지 못했습니다. 후보: {known}. --map 파일에 적어 주세요"),
                    format!("no column found for {en}. Candidates: {known}. Name it in a --map file"),
                )
            }
            ProblemKind::Several { role, candidates } => {
                let (ko, en) = role.words();
                (
                    format!("{ko}일 수 있는 열이 여럿입니다: {}. --map 파일에서 하나를 고르세요", list(candidates)),
                    format!("several columns may be {en}: {}. Choose one in a --map file", list(candidates)),
                )
            }
            ProblemKind::NoSuchColumn { column, nearest } => {
                let (ko, en) = match nearest {
                    Some(n) => (format!(" 혹시 `{n}`인가요?"), format!(" Did you mean `{n}`?")),
                    None => Default::default(),
                };
                (format!("파일에 `{column}` 열이 없습니다.{ko}"), format!("the file has no column `{column}`.{en}"))
            }
            ProblemKind::AmbiguousDate { column, sample } => (
                format!("`{column}` 열의 날짜({sample})는 일/월인지 월/일인지 알 수 없습니다. 형식을 정해 주세요"),
                format!("the dates of `{column}` ({sample}) can be day/month or month/day. Say which"),
            ),
            ProblemKind::UnknownDate { column, sample } => (
                format!("`{column}` 열의 날짜({sample})를 읽을 수 없습니다. 형식을 정하거나 다른 열을 고르세요"),
                format!("the dates of `{column}` ({sample}) cannot be read. Name their format or another column"),
            ),
            ProblemKind::BadMapping { what, line } => {
                let at = |ko: &str, en: &str| line.map(|l| (format!("{l}{ko}: "), format!("{en} {l}: ")));
                let (ko, en) = at("행", "line").unwrap_or_default();
                (format!("매핑 파일: {ko}{what}"), format!("mapping file: {en}{what}"))
            }
            ProblemKind::UnknownZone(z) => (
                format!("`{z}`라는 시간대는 없습니다 (예: Asia/Seoul)"),
                format!("there is no time zone `{z}` (an example is Asia/Seoul)"),
            ),
        };
        lang.pick(ko, en)
    }
}

impl RejectCode {
    pub const ALL: [RejectCode; 20] = [
        RejectCode::NoCustomer,
        RejectCode::NoTime,
        RejectCode::TimeUnreadable,
        RejectCode::TimeFuture,
        RejectCode::TimeOutOfRange,
        RejectCode::NumberUnreadable,
        RejectCode::NumberTooLong,
        RejectCode::NegativePrice,
        RejectCode::ZeroQuantity,
        RejectCode::NoOrder,
        RejectCode::NoAmount,
        RejectCode::NoEventName,
        RejectCode::NoTrait,
        RejectCode::ValueUnreadable,
        RejectCode::NotPaid,
        RejectCode::TestOrder,
        RejectCode::ColumnCount,
        RejectCode::UnclosedQuote,
        RejectCode::BadJson,
        RejectCode::TooLong,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            RejectCode::NoCustomer => "no_customer",
            RejectCode::NoTime => "no_time",
            RejectCode::TimeUnreadable => "time_unreadable",
            RejectCode::TimeFuture => "time_future",
            RejectCode::TimeOutOfRange => "time_out_of_range",
            RejectCode::NumberUnreadable => "number_unreadable",
            RejectCode::NumberTooLong => "number_too_long",
            RejectCode::NegativePrice => "negative_price",
            RejectCode::ZeroQuantity => "zero_quantity",
            RejectCode::NoOrder => "no_order",
            RejectCode::NoAmount => "no_amount",
            RejectCode::NoEventName => "no_event_name",
            RejectCode::NoTrait => "no_trait",
            RejectCode::ValueUnreadable => "value_unreadable",
            RejectCode::NotPaid => "not_paid",
            RejectCode::TestOrder => "test_order",
            RejectCode::ColumnCount => "column_count",
            RejectCode::UnclosedQuote => "unclosed_quote",
            RejectCode::BadJson => "bad_json",
            RejectCode::TooLong => "too_long",
        }
    }

    pub fn parse(text: &str) -> Option<RejectCode> {
        RejectCode::ALL.into_iter().find(|c| c.as_str() == text)
    }

    /// Why such rows are no events, and what to do.
    pub fn message(self, lang: Lang) -> &'static str {
        let (ko, en) = match self {
            RejectCode::NoCustomer => (
                "고객 번호가 비어 있습니다. 비회원 주문이면 그대로 두고, 아니면 채워 넣으세요.",
                "no customer. Leave it if it is a guest's order, else fill it in.",
            ),
            RejectCode::NoTime => ("시각이 비어 있습니다. 채워 넣으세요.", "no time. Fill it in."),
            RejectCode::TimeUnreadable => (
                "시각이 이 열의 형식과 다릅니다. 고치거나 매핑의 format을 바꾸세요.",
                "the time is not in the column's format. Mend it or change the mapping's format.",
            ),
            RejectCode::TimeFuture => {
                ("미래의 시각입니다. 날짜와 시간대를 확인하세요.", "lies in the future. Check date and time zone.")
            }
            RejectCode::TimeOutOfRange => (
                "1900년부터 2200년 사이가 아닙니다. 날짜를 확인하세요.",
                "not between the years 1900 and 2200. Check the date.",
            ),
            RejectCode::NumberUnreadable => (
                "숫자로 읽을 수 없습니다. 고치거나 매핑의 decimal을 확인하세요.",
                "not a number. Mend it or check the mapping's decimal style.",
            ),
            RejectCode::NumberTooLong => (
                "숫자가 15자리를 넘습니다. 번호라면 text로 매핑하세요.",
                "more than 15 digits. Map it as text if it is an identifier.",
            ),
            RejectCode::NegativePrice => (
                "가격이 음수입니다. 환불은 수량을 음수로 적으세요.",
                "negative price. Write refunds as a negative quantity.",
            ),
            RejectCode::ZeroQuantity => ("수량이 0입니다.", "the quantity is zero: nothing was bought."),
            RejectCode::NoOrder => ("주문번호가 비어 있습니다. 채워 넣으세요.", "no order number. Fill it in."),
            RejectCode::NoAmount => ("금액이 비어 있습니다. 채워 넣으세요.", "no amount. Fill it in."),
            RejectCode::NoEventName => ("이벤트 이름이 비어 있습니다. 채워 넣으세요.", "no event name. Fill it in."),
            RejectCode::NoTrait => {
                ("알 수 있는 속성이 하나도 없습니다.", "says nothing about the customer that could be read.")
            }
            RejectCode::ValueUnreadable => (
                "값이 이 열의 종류와 다릅니다. 고치거나 매핑의 type을 바꾸세요.",
                "the value does not fit the column's type. Mend it or change the mapping's type.",
            ),
            RejectCode::NotPaid => ("결제되지 않은 주문입니다.", "the order was never paid."),
            RejectCode::TestOrder => ("테스트 주문입니다.", "a test order."),
            RejectCode::ColumnCount => (
                "열의 개수가 머리글과 다릅니다. 따옴표와 구분자를 확인하세요.",
                "not as many columns as the header. Check quotes and delimiters.",
            ),
            RejectCode::UnclosedQuote => ("열린 따옴표가 닫히지 않았습니다.", "a quote is opened and not closed."),
            RejectCode::BadJson => ("JSON 객체가 아닙니다.", "not a JSON object."),
            RejectCode::TooLong => {
                ("값이 너무 깁니다(65,535바이트 초과).", "a value is too long (more than 65,535 bytes).")
            }
        };
        match lang {
            Lang::Ko => ko,
            Lang::En => en,
        }
    }
}

impl Reject {
    /// Reason and next step, with the column and the value.
    pub fn message(&self, lang: Lang) -> String {
        let reason = self.code.message(lang);
        match &self.column {
            Some(c) if self.value.is_empty() => format!("{c}: {reason}"),
            Some(c) => format!("{c} = {:?}: {reason}", self.value),
            None => reason.to_string(),
        }
    }
}

/// Hides what may be personal.
impl fmt::Debug for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Reject { row, line, code, column, .. } = self;
        f.debug_struct("Reject")
            .field("row", row)
            .field("line", line)
            .field("code", code)
            .field("column", column)
            .finish_non_exhaustive()
    }
}
