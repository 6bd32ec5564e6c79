//! The command line. Scripts rely on it: names and meanings stay.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use gyul_ingest::Encoding;
use std::path::PathBuf;

/// The data directory if none is named.
pub const DATA: &str = "gyul-data";

/// Customer segments that are exact at every moment / 언제나 정확한 고객 세그먼트
#[derive(Parser)]
#[command(name = "gyul", version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    /// Where Gyul keeps its data / 데이터 폴더
    #[arg(long, global = true, value_name = "DIR", default_value = DATA)]
    pub data: PathBuf,
    /// Language of messages; otherwise that of the system / 메시지 언어
    #[arg(long, global = true, value_enum)]
    pub lang: Option<LangArg>,
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LangArg {
    Ko,
    En,
}

#[derive(Subcommand)]
pub enum Verb {
    /// Turn files into events / 파일 가져오기
    Import(ImportArgs),
    /// Check definitions / 정의 검사
    Check(CheckArgs),
    /// Ask about segments / 세그먼트 조회
    #[command(subcommand)]
    Segments(Segments),
    /// One row a customer, one column a measure, class and trait / 고객별 지표
    Measures(MeasuresArgs),
    /// One page of HTML with everything / 리포트
    Report(ReportArgs),
    /// Rows that became no events / 거부된 행
    #[command(subcommand)]
    Quarantine(Quarantine),
    /// What is known / 데이터 정보
    #[command(subcommand)]
    Data(Data),
    /// A synthetic Korean shop with known truth / 가상 쇼핑몰 만들기
    Generate(GenerateArgs),
    /// The live server: events in, segments always right / 실시간 서버
    Serve(ServeArgs),
    /// A copy of the data directory / 백업
    Backup(BackupArgs),
    /// A backup becomes a data directory / 백업 되돌리기
    Restore(RestoreArgs),
    /// Gyul on real data / 실제 데이터로 보기
    Demo(DemoArgs),
}

#[derive(Args)]
pub struct ImportArgs {
    /// CSV, TSV, JSON Lines, Parquet or .xlsx, plain or gzip/zstd / 가져올 파일
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// What a row is about / 행의 종류
    #[arg(long = "as", value_enum, value_name = "KIND")]
    pub kind: KindArg,
    /// What the columns mean; inferred if left out / 매핑 파일
    #[arg(long, value_name = "MAP.yaml")]
    pub map: Option<PathBuf>,
    /// Write the mapping that was used / 사용한 매핑 저장
    #[arg(long, value_name = "MAP.yaml")]
    pub save_map: Option<PathBuf>,
    /// Of a text file, where it cannot be told / 문자 인코딩, 알아낼 수 없을 때
    #[arg(long, value_name = "NAME", value_parser = encodings())]
    pub encoding: Option<Encoding>,
    /// Look, and change nothing / 확인만 하기
    #[arg(long)]
    pub dry_run: bool,
}

fn encodings() -> impl TypedValueParser<Value = Encoding> {
    let names = Encoding::NAMES.split(", ").map(|name| match name {
        "cp949" => PossibleValue::new(name).aliases(["euc-kr", "ms949"]),
        "windows-1252" => PossibleValue::new(name).aliases(["cp1252", "latin1"]),
        _ => PossibleValue::new(name),
    });
    PossibleValuesParser::new(names).try_map(|name| Encoding::parse(&name).ok_or(name))
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KindArg {
    Orders,
    Events,
    Profiles,
}

#[derive(Args)]
pub struct CheckArgs {
    /// Files or folders of definitions / 정의 파일이나 폴더
    #[arg(required = true, value_name = "DEFS")]
    pub defs: Vec<PathBuf>,
    /// Form of the answer / 출력 형식
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    pub format: TextFormat,
}

/// Definitions and the instant of the question.
#[derive(Args)]
pub struct Asked {
    /// Files or folders of definitions; the starter library if left out / 정의 파일이나 폴더
    #[arg(short = 'f', long = "defs", value_name = "DEFS")]
    pub defs: Vec<PathBuf>,
    /// The instant of the question: RFC 3339, a local date (its end), or `end` for the data's; now if left out / 기준 시각
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<String>,
    /// Leave out what arrived after this / 이때까지 들어온 것만
    #[arg(long, value_name = "TIME")]
    pub known_at: Option<String>,
}

#[derive(Subcommand)]
pub enum Segments {
    /// How many are in each / 세그먼트별 인원
    Count {
        #[command(flatten)]
        asked: Asked,
        /// Form of the answer / 출력 형식
        #[arg(long, value_enum, default_value_t = TableFormat::Table)]
        format: TableFormat,
    },
    /// Who is in / 세그먼트의 고객
    Members {
        /// A segment, or partition/class / 세그먼트, 또는 분류/등급
        id: String,
        #[command(flatten)]
        asked: Asked,
        /// Form of the answer / 출력 형식
        #[arg(long, value_enum, default_value_t = MembersFormat::Csv)]
        format: MembersFormat,
        /// A file instead of the screen / 저장할 파일
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Sizes, entries and exits over time / 시간에 따른 변화
    History {
        /// Segments, partition/class, or whole partitions / 세그먼트, 분류/등급, 또는 분류 전체
        #[arg(required = true)]
        ids: Vec<String>,
        #[command(flatten)]
        asked: Asked,
        /// Beginning; the data's if left out / 시작
        #[arg(long, value_name = "T")]
        from: Option<String>,
        /// End; that of --as-of if left out / 끝
        #[arg(long, value_name = "T")]
        to: Option<String>,
        /// Step: 1d, 1w, 1mo … / 간격
        #[arg(long, value_name = "D", default_value = "1mo")]
        every: String,
        /// Form of the answer / 출력 형식
        #[arg(long, value_enum, default_value_t = TableFormat::Table)]
        format: TableFormat,
        /// Every entry and exit instead of sizes / 진입과 이탈을 하나씩
        #[arg(long)]
        changes: bool,
    },
    /// Why somebody is in, or not, and until when / 왜 속하는지, 아닌지, 언제까지인지
    Why {
        /// A segment, partition/class, or a whole partition / 세그먼트, 분류/등급, 또는 분류 전체
        id: String,
        /// An id of the imported files / 가져온 파일에 적힌 고객 ID
        customer: String,
        #[command(flatten)]
        asked: Asked,
    },
    /// How many are in both / 겹치는 고객 수
    Overlap {
        /// Two or more segments, or partition/class / 둘 이상의 세그먼트나 분류/등급
        #[arg(required = true, num_args = 2..)]
        ids: Vec<String>,
        #[command(flatten)]
        asked: Asked,
        /// Form of the answer / 출력 형식
        #[arg(long, value_enum, default_value_t = TableFormat::Table)]
        format: TableFormat,
    },
}

#[derive(Args)]
pub struct MeasuresArgs {
    #[command(flatten)]
    pub asked: Asked,
    /// .csv, .json (JSON Lines) or .parquet / 저장할 파일
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
}

#[derive(Args)]
pub struct ReportArgs {
    #[command(flatten)]
    pub asked: Asked,
    /// Where the page goes / 저장할 파일
    #[arg(short, long, value_name = "FILE", default_value = "report.html")]
    pub output: PathBuf,
    /// Heading of the page / 제목
    #[arg(long, value_name = "NAME")]
    pub shop: Option<String>,
}

#[derive(Subcommand)]
pub enum Quarantine {
    /// Reasons and numbers / 사유별 건수
    List {
        /// Form of the answer / 출력 형식
        #[arg(long, value_enum, default_value_t = TableFormat::Table)]
        format: TableFormat,
    },
    /// The rows of an import / 거부된 행 보기
    Show {
        /// Number of the import, from `list`; the last if left out / `list`에 나온 번호, 없으면 마지막 가져오기
        import: Option<String>,
        /// This reason alone / 이 사유만
        #[arg(long)]
        reason: Option<String>,
        /// How many rows at most / 최대 몇 행까지
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// Write the rows of an import to a file that can be mended / 고칠 파일로 저장
    Export {
        /// Number of the import, from `list`; the last if left out / `list`에 나온 번호, 없으면 마지막 가져오기
        import: Option<String>,
        /// The file to be mended / 저장할 파일
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Import a mended file with the mapping of its import / 고친 파일 다시 가져오기
    Retry {
        /// Number of the import, from `list` / `list`에 나온 번호
        import: String,
        /// The mended file / 고친 파일
        file: PathBuf,
    },
}

#[derive(Subcommand)]
pub enum Data {
    /// Events, customers, imports / 요약
    Info {
        /// Form of the answer / 출력 형식
        #[arg(long, value_enum, default_value_t = TextFormat::Text)]
        format: TextFormat,
    },
    /// What can be trusted, and what is missing / 충분성
    Sufficiency {
        #[command(flatten)]
        asked: Asked,
        /// Form of the answer / 출력 형식
        #[arg(long, value_enum, default_value_t = TextFormat::Text)]
        format: TextFormat,
    },
    /// Everything as open Parquet / Parquet으로 내보내기
    Export {
        /// A folder for the Parquet files / 저장할 폴더
        #[arg(short, long, value_name = "DIR")]
        output: PathBuf,
    },
    /// Which events are too old to be looked at / 보존 정책
    Policy {
        /// `keep 3y`, `ignore events before 2023-01-01` or `none`; shown if left out / `keep 3y`, `ignore events before 2023-01-01`, `none` 중 하나, 없으면 지금 정책을 보여 줌
        policy: Vec<String>,
    },
}

#[derive(Args)]
pub struct GenerateArgs {
    /// How many customers / 고객 수
    #[arg(long)]
    pub customers: usize,
    /// How many months / 기간(개월)
    #[arg(long, default_value_t = 24)]
    pub months: u32,
    /// The same seed and end give the same shop / 같은 값과 같은 --end면 같은 쇼핑몰
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The day before which it ends; today if left out / 이 날짜 전날까지의 데이터. 없으면 오늘
    #[arg(long, value_name = "DATE")]
    pub end: Option<String>,
    /// Share of spoiled order rows, 0 to 1 / 오류 행 비율
    #[arg(long, default_value_t = 0.0)]
    pub dirty: f64,
    /// A folder for the files / 저장할 폴더
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
}

#[derive(Args)]
pub struct ServeArgs {
    /// Where to listen; loopback unless said otherwise / 받을 주소
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7700")]
    pub listen: String,
    /// Behind a proxy that does TLS: believe its X-Forwarded headers, cookies over TLS only / TLS 프록시 뒤에서
    #[arg(long)]
    pub behind_proxy: bool,
    /// Where POST /api/v1/backup puts its copies / 실행 중 백업을 둘 폴더
    #[arg(long, value_name = "DIR")]
    pub backups: Option<PathBuf>,
    /// Keep a copy in an object store: s3://bucket/prefix or file:///folder; builds with the feature object-store / 원격 사본
    #[arg(long, value_name = "URL")]
    pub remote: Option<String>,
    /// Make an owner's API key, show it once, and end / 소유자 키를 만들고 끝내기
    #[arg(long)]
    pub make_key: bool,
}

#[derive(Args)]
pub struct BackupArgs {
    /// A new folder / 새 폴더
    #[arg(value_name = "TO")]
    pub to: PathBuf,
}

#[derive(Args)]
pub struct RestoreArgs {
    /// What `gyul backup` made, or where `gyul serve --remote` keeps its copy / 백업 폴더나 원격 주소
    #[arg(value_name = "FROM")]
    pub from: PathBuf,
}

#[derive(Args)]
pub struct DemoArgs {
    /// Do not open a browser / 브라우저를 열지 않기
    #[arg(long)]
    pub no_open: bool,
    /// Show it and end / 한 번만 보여 주고 끝내기
    #[arg(long)]
    pub once: bool,
    /// Where the live demo listens / 실시간 데모의 주소
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7700")]
    pub listen: String,
    /// The history ends today, and the month after it arrives from now on, so many times as fast / 그다음 한 달을 지금부터 배속으로 재생
    #[arg(long, value_name = "60x", conflicts_with = "once")]
    pub replay: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TableFormat {
    Table,
    Csv,
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TextFormat {
    Text,
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MembersFormat {
    Csv,
    Json,
    Parquet,
}
