//! Is this foreign thing an event, and if not, why?
//!
//! Bytes become rows ([`Source`]), a [`Mapping`] says what the columns mean ([`infer`] proposes one), and a [`Mapper`]
//! turns chunks of rows into [`gyul_model::StreamBatch`]es, or says of each row that is no event why not ([`Reject`]).
//! Rows in = rows accepted + rows rejected, always; the same row again has the same id, so the store finds duplicates.
//!
//! [`http`] does the same for requests: bytes in, messages and rejects out.
//!
//! Does not know where the bytes come from, what the time is (it is passed in), or what becomes of the events.
//!
//! ```no_run
//! # use gyul_ingest::*; use gyul_model::*;
//! # fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let ctx = Context { zone: Zone::seoul(), now: Instant(0), currency: None };
//! let mut source = Source::open_path("orders.csv".as_ref(), &Options::default())?;
//! let inferred = infer(Kind::Orders, source.header(), &source.sample(), &ctx).map_err(|p| p[0].message(Lang::En))?;
//! let mapper = Mapper::new(&inferred.mapping, source.header(), &ctx).map_err(|p| p[0].message(Lang::En))?;
//! while let Some(chunk) = source.next_chunk()? {
//!     let mapped = mapper.map(chunk); // in any thread
//!     assert_eq!(mapped.rows, mapped.accepted + mapped.rejects.len() as u64);
//! }
//! # Ok(()) }
//! ```

mod build;
mod csv;
mod decode;
mod dictionary;
pub mod http;
mod infer;
mod json;
mod mapper;
mod mapping;
pub mod plan;
mod problem;
mod rows;
mod source;
mod table;
mod values;

pub use decode::Encoding;
pub use dictionary::distance;
pub use infer::{Choice, Inferred, infer, propose};
pub use mapper::{Mapped, Mapper, Note};
pub use mapping::{Cancel, DecimalStyle, Field, FieldType, Grain, Kind, Mapping, Role, TimeFormat};
pub use problem::{InputError, InputErrorKind, Problem, ProblemKind, Reject, RejectCode};
pub use rows::{Chunk, Rows};
pub use source::{Input, Options, Source};
pub use values::place::regions;

use gyul_model::{Instant, Zone};

/// What the workspace knows and a file does not.
#[derive(Clone, Debug)]
pub struct Context {
    /// Where times without an offset are read.
    pub zone: Zone,
    /// The import's moment: what lies more than a day after it is rejected as future.
    pub now: Instant,
    /// Currency of amounts that do not say theirs, such as `KRW`.
    pub currency: Option<String>,
}
