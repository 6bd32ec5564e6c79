//! Numbers over everybody or over segments, as JSON or (`format=csv`) as CSV.

use crate::app::App;
use crate::args::{self, Args};
use crate::data::explore::*;
use crate::guard::Caller;
use crate::problem::{ApiError, ApiResult};
use crate::table::{Endpoint, Kind, NAME, NUMBERS, PEOPLE, Table};
use crate::veil;
use axum::Extension;
use axum::extract::State;
use gyul_model::{Date, Duration, Instant, MICROS_DAY, MICROS_HOUR, Period};
use serde::Serialize;
use std::sync::Arc;

type Shared = State<Arc<App>>;

/// Segments that are told apart at once.
pub const OF_MAX: usize = 4;
pub const STEPS: [&str; 8] = ["step1", "step2", "step3", "step4", "step5", "step6", "step7", "step8"];
pub const WHERE: [&str; 8] = ["where1", "where2", "where3", "where4", "where5", "where6", "where7", "where8"];

const OF: &str = "A segment, or `partition/class`; everybody if absent.";
const SOME: &str = "Up to 4 segments or classes with commas between.";
const EVENT: &str = "The event's name; Order Completed if absent.";
const ORDER: &str = "Order Completed";

pub fn add(table: &mut Table) {
    let get = |path: &str, id: &'static str, ko, en| {
        Endpoint::get(format!("/api/v1/explore/{path}"), id, "explore", NUMBERS).says(ko, en).query(
            "format",
            Kind::Text(3, 4),
            "`csv`, or `json` if absent.",
        )
    };
    let span = |e: Endpoint, from: &'static str| {
        e.query("back", Kind::Days, "So many days before `until`, instead of `from`.")
            .query("from", Kind::Instant, from)
            .query("until", Kind::Instant, "Now if absent.")
    };
    table.at(
        get(
            "profile",
            "exploreProfile",
            "다른 고객과 무엇이 다른지",
            "A segment or class beside everybody else: what sets its members apart, and which differences are real",
        )
        .needs("of", NAME, "A segment, or `partition/class`.")
        .gives::<Profile>(),
        |State(app): Shared, args: Args| async move {
            let of = args::name(args.need("of")?)?.to_string();
            let (found, settings) = app.ask(move |b| Ok((b.profile(&of)?, b.settings()?))).await?;
            answer(&args, &*found, |f| f.table(&settings.currency))
        },
    );
    table.at(
        span(
            get(
                "worth",
                "exploreWorth",
                "매출과 주문",
                "Orders, revenue and repeat rate of a segment beside everybody's",
            ),
            "The beginning of the data if absent.",
        )
        .query("of", NAME, OF)
        .gives::<Worth>(),
        |State(app): Shared, args: Args| async move {
            let (of, span) = (of(&args), span_of(&app, &args, None)?);
            answer(&args, &*app.ask(move |b| b.worth(of.as_deref(), span)).await?, Worth::table)
        },
    );
    table.at(
        get("cohorts", "exploreCohorts", "코호트 잔존", "Who comes back, by the period of their first event")
            .query("event", NAME, EVENT)
            .query("period", Kind::Text(4, 5), "`week`, or `month` if absent.")
            .query("last", Kind::Whole(1), "Periods back, at most 60; 13 if absent.")
            .query("of", NAME, OF)
            .gives::<Cohorts>(),
        |State(app): Shared, args: Args| async move {
            let ask = cohort_ask(&args)?;
            answer(&args, &*app.ask(move |b| b.cohorts(&ask)).await?, Cohorts::table)
        },
    );
    let mut funnel = get("funnel", "exploreFunnel", "퍼널", "How many get how far through 2 to 8 steps, and how fast");
    for (i, name) in STEPS.into_iter().enumerate() {
        let step = "The event of this step.";
        funnel = if i < 2 { funnel.needs(name, NAME, step) } else { funnel.query(name, NAME, step) };
    }
    for name in WHERE {
        let en = "A condition on the event of this step; for the roles that see people.";
        funnel = funnel.query(name, Kind::Text(1, 1000), en);
    }
    table.at(
        funnel
            .query("within", Kind::Text(2, 20), "From the first step to the last, as 7d; however long if absent.")
            .query("first", Kind::Text(10, 10), "The first local day, as 2026-01-31.")
            .query("last", Kind::Text(10, 10), "The last local day.")
            .query("of", Kind::Text(1, 1000), SOME)
            .gives::<Funnel>(),
        |State(app): Shared, Extension(caller): Extension<Caller>, args: Args| async move {
            let ask = funnel_ask(&args, PEOPLE.allows(caller.role))?;
            let events: Vec<String> = ask.steps.iter().map(|s| s.event.clone()).collect();
            answer(&args, &*app.ask(move |b| b.funnel(&ask)).await?, |f| f.table(&events))
        },
    );
    table.at(
        span(
            get("paths", "explorePaths", "경로", "What customers do after an event, or before it"),
            "90 days before `until` if absent.",
        )
        .query("event", NAME, EVENT)
        .query("direction", Kind::Text(2, 4), "`to` the event, or `from` it if absent.")
        .query("steps", Kind::Whole(1), "At most 5; 4 if absent.")
        .query("top", Kind::Whole(1), "Events shown at each step, at most 12; 6 if absent.")
        .query("days", Kind::Whole(1), "A step counts within so many days of the event; 7 if absent.")
        .query("of", NAME, OF)
        .gives::<Paths>(),
        |State(app): Shared, args: Args| async move {
            let ask = path_ask(&app, &args)?;
            answer(&args, &*app.ask(move |b| b.paths(&ask)).await?, Paths::table)
        },
    );
    table.at(
        span(
            get("hours", "exploreHours", "요일과 시간", "Events by weekday and hour on the workspace's clock"),
            "90 days before `until` if absent.",
        )
        .query("event", NAME, EVENT)
        .query("of", NAME, OF)
        .gives::<Hours>(),
        |State(app): Shared, args: Args| async move {
            let (event, of) = (event(&args)?, of(&args));
            let span = span_of(&app, &args, Some(90))?;
            answer(&args, &*app.ask(move |b| b.hours(&event, of.as_deref(), span)).await?, Hours::table)
        },
    );
    table.at(
        span(
            get("regions", "exploreRegions", "시/도별 고객과 매출", "Customers and revenue by region"),
            "The beginning of the data if absent.",
        )
        .query("of", NAME, OF)
        .gives::<Regions>(),
        |State(app): Shared, args: Args| async move {
            let (of, span) = (of(&args), span_of(&app, &args, None)?);
            answer(&args, &*app.ask(move |b| b.regions(of.as_deref(), span)).await?, Regions::table)
        },
    );
    table.at(
        get("rfm", "exploreRfm", "RFM 지도", "Customers and revenue by recency and frequency, 5 by 5")
            .query(
                "days",
                Kind::Text(7, 40),
                "Four numbers of days that divide recency, as 30,60,120,240. Quintiles if absent.",
            )
            .query("orders", Kind::Text(7, 40), "Four numbers of orders that divide frequency, as 2,3,5,10.")
            .query("before", Kind::Instant, "An earlier instant to compare with.")
            .query("ago", Kind::Days, "The same as so many days ago.")
            .query("of", NAME, OF)
            .gives::<RfmMap>(),
        |State(app): Shared, args: Args| async move {
            let ask = rfm_ask(&app, &args)?;
            answer(&args, &*app.ask(move |b| b.rfm(&ask)).await?, RfmMap::table)
        },
    );
    table.at(
        get(
            "distribution",
            "exploreDistribution",
            "지표의 분포",
            "How a measure is spread over everybody and over segments",
        )
        .needs("measure", NAME, "The measure's id.")
        .query("of", Kind::Text(1, 1000), SOME)
        .gives::<Spread>(),
        |State(app): Shared, args: Args| async move {
            let (measure, of) = (args::name(args.need("measure")?)?.to_string(), several(&args)?);
            let (found, settings) = app.ask(move |b| Ok((b.spread(&measure, &of)?, b.settings()?))).await?;
            answer(&args, &*found, |f| f.table(&settings.currency))
        },
    );
    table.at(
        get("comparison", "exploreComparison", "세그먼트 비교", "Up to four segments side by side")
            .needs("of", Kind::Text(1, 1000), SOME)
            .gives::<Comparison>(),
        |State(app): Shared, args: Args| async move {
            args.need("of")?;
            let of = several(&args)?;
            let (found, settings) = app.ask(move |b| Ok((b.compare(&of)?, b.settings()?))).await?;
            answer(&args, &*found, |f| f.table(&settings.currency))
        },
    );
    table.at(
        span(
            get(
                "causes",
                "exploreCauses",
                "진입과 이탈의 까닭",
                "Entries and exits by day and cause, as far back as they are kept",
            ),
            "30 days before `until` if absent.",
        )
        .query("of", NAME, "A segment, or `partition/class`; all of them if absent.")
        .gives::<Causes>(),
        |State(app): Shared, args: Args| async move {
            let (of, span) = (of(&args), span_of(&app, &args, Some(30))?);
            answer(&args, &*app.ask(move |b| b.causes(of.as_deref(), span)).await?, Causes::table)
        },
    );
    // Rare values may tell of a single person.
    table.at(
        Endpoint::get("/api/v1/explore/values", "exploreValues", "explore", PEOPLE)
            .says("속성에 쓰인 값들", "The most frequent values of an event's property or of a trait, or its range")
            .query("event", NAME, "The event's name; traits if absent.")
            .needs("property", NAME, "Its property, or the trait.")
            .query("text", Kind::Text(1, 200), "That values begin with, or else hold.")
            .query("limit", Kind::Limit, "How many at most.")
            .query("format", Kind::Text(3, 4), "`csv`, or `json` if absent.")
            .gives::<Values>(),
        |State(app): Shared, Extension(caller): Extension<Caller>, args: Args| async move {
            let event = args.get("event").map(str::to_string);
            let (property, text) =
                (args.need("property")?.to_string(), args.get("text").unwrap_or_default().to_string());
            let ask = ValuesAsk { event, property, text, limit: args.limit()? as u32 };
            let (event, property) = (ask.event.clone(), ask.property.clone());
            let mut found = (*app.ask(move |b| b.values(&ask)).await?).clone();
            if veil::veils(caller.role) {
                veil::listed(&mut found, event.as_deref(), &property);
            }
            answer(&args, &found, Values::table)
        },
    );
}

fn answer<A: Serialize>(args: &Args, found: &A, table: impl Fn(&A) -> Csv) -> ApiResult {
    match args.get("format") {
        None | Some("json") => args::json(found),
        Some("csv") => Ok(args::media("text/csv; charset=utf-8", table(found).text())),
        Some(_) => Err(ApiError::bad("bad_parameter", "format은 json이나 csv입니다.", "format is json or csv.")),
    }
}

// What is asked, read from a query; the pages ask in the same words

pub fn of(args: &Args) -> Option<String> {
    args.get("of").map(str::to_string)
}

pub fn several(args: &Args) -> ApiResult<Vec<String>> {
    // A form has a field for each.
    let fields = ["of", "of1", "of2", "of3", "of4"].into_iter().filter_map(|f| args.get(f));
    let ids = fields.flat_map(|f| f.split(',')).map(str::trim).filter(|id| !id.is_empty());
    let mut out: Vec<String> = vec![];
    ids.for_each(|id| {
        if !out.iter().any(|o| o == id) {
            out.push(id.to_string());
        }
    });
    if out.len() > OF_MAX {
        let (ko, en) = ("한 번에 네 개까지 비교할 수 있습니다.", "up to four segments can be compared at once.");
        return Err(ApiError::bad("too_many", ko, en));
    }
    Ok(out)
}

pub fn event(args: &Args) -> ApiResult<String> {
    Ok(args::name(args.get("event").unwrap_or(ORDER))?.to_string())
}

/// `days` back from now where nothing is said; everything if `None`.
pub fn span_of(app: &App, args: &Args, days: Option<i64>) -> ApiResult<Span> {
    let until = args.instant("until")?;
    let end = until.unwrap_or_else(|| app.now());
    let days = args.days("back")?.or(days);
    let default = days.map_or(i64::MIN, |d| end.0 - d * MICROS_DAY);
    let after = args.instant("from")?.map_or(default, |from| from.0 - 1);
    // What is not said ends with what is known; by the hour, so that a page looked at again asks the same.
    let after =
        if days.is_some() && args.get("from").is_none() { after.div_euclid(MICROS_HOUR) * MICROS_HOUR } else { after };
    if after > end.0 {
        let (ko, en) = ("from이 until보다 늦습니다.", "from is after until.");
        return Err(ApiError::bad("bad_range", ko, en));
    }
    Ok(Span { after: Instant(after), until: until.unwrap_or(Instant::LAST) })
}

pub fn bounded(args: &Args, name: &str, default: u32, max: u32) -> ApiResult<u32> {
    Ok(args.number::<u32>(name)?.unwrap_or(default).clamp(1, max))
}

pub fn cohort_ask(args: &Args) -> ApiResult<CohortAsk> {
    let period = match args.get("period") {
        None | Some("month") => Period::Month,
        Some("week") => Period::Week,
        Some(_) => {
            let (ko, en) = ("period는 week나 month입니다.", "period is week or month.");
            return Err(ApiError::bad("bad_parameter", ko, en));
        }
    };
    Ok(CohortAsk { event: event(args)?, period, last: bounded(args, "last", 13, 60)?, of: of(args) })
}

pub fn path_ask(app: &App, args: &Args) -> ApiResult<PathAsk> {
    Ok(PathAsk {
        event: event(args)?,
        back: args.get("direction") == Some("to"),
        of: of(args),
        span: span_of(app, args, Some(90))?,
        steps: bounded(args, "steps", 4, 5)?,
        top: bounded(args, "top", 6, 12)?,
        days: bounded(args, "days", 7, 366)?,
    })
}

pub fn funnel_ask(args: &Args, people: bool) -> ApiResult<FunnelAsk> {
    let mut steps = vec![];
    for (step, filter) in STEPS.iter().zip(WHERE) {
        let Some(event) = args.get(step) else { continue };
        let filter = args.get(filter).map(str::to_string);
        if filter.is_some() && !people {
            return Err(ApiError::forbidden());
        }
        steps.push(FunnelStep { event: args::name(event)?.to_string(), filter });
    }
    if steps.len() < 2 {
        let (ko, en) = ("단계가 둘 이상이어야 합니다.", "there must be two steps or more.");
        return Err(ApiError::bad("too_few_steps", ko, en));
    }
    let day = |name: &str| match args.get(name).map(|v| Date::parse(v).ok_or(v)) {
        None => Ok(None),
        Some(Ok(date)) => Ok(Some(date)),
        Some(Err(_)) => Err(ApiError::bad(
            "bad_parameter",
            format!("{name}에는 2026-01-31 같은 날짜를 적으세요."),
            format!("{name} is a date like 2026-01-31."),
        )),
    };
    Ok(FunnelAsk { steps, within: within(args)?, from: day("first")?, until: day("last")?, of: several(args)? })
}

/// `30min`, `12h`, `7d`.
fn within(args: &Args) -> ApiResult<Option<Duration>> {
    let Some(text) = args.get("within") else { return Ok(None) };
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit = match &text[end..] {
        "min" => MICROS_HOUR / 60,
        "h" => MICROS_HOUR,
        "d" => MICROS_DAY,
        "w" => 7 * MICROS_DAY,
        _ => 0,
    };
    match text[..end].parse::<u16>().ok().filter(|n| *n > 0 && unit > 0) {
        Some(n) => Ok(Some(Duration::Exact(i64::from(n) * unit))),
        None => {
            let (ko, en) = ("within에는 30min, 12h, 7d처럼 적으세요.", "within is a duration like 30min, 12h or 7d.");
            Err(ApiError::bad("bad_parameter", ko, en))
        }
    }
}

pub fn rfm_ask(app: &App, args: &Args) -> ApiResult<RfmAsk> {
    let four = |name: &str| -> ApiResult<Option<[u32; 4]>> {
        let Some(text) = args.get(name) else { return Ok(None) };
        let list: Vec<u32> = text.split(',').map_while(|n| n.trim().parse().ok()).collect();
        let rising = list.windows(2).all(|w| w[0] < w[1]) && text.split(',').count() == 4;
        match <[u32; 4]>::try_from(list) {
            Ok(four) if rising => Ok(Some(four)),
            _ => Err(ApiError::bad(
                "bad_parameter",
                format!("{name}에는 점점 커지는 정수 네 개를 쉼표로 나누어 적으세요."),
                format!("{name} is four rising whole numbers with commas between."),
            )),
        }
    };
    let fixed = match (four("days")?, four("orders")?) {
        (None, None) => None,
        (days, orders) => Some((days.unwrap_or([30, 60, 120, 240]), orders.unwrap_or([2, 3, 5, 10]))),
    };
    let hour = app.now().0.div_euclid(MICROS_HOUR) * MICROS_HOUR;
    let ago = args.days("ago")?.map(|d| Instant(hour - d * MICROS_DAY));
    Ok(RfmAsk { fixed, of: of(args), before: args.instant("before")?.or(ago) })
}

// As tables

/// A table as text, as RFC 4180 has it.
pub struct Csv {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Csv {
    fn new(head: &[&str]) -> Csv {
        Csv { head: head.iter().map(|h| h.to_string()).collect(), rows: vec![] }
    }

    fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    fn text(&self) -> String {
        let mut out = String::new();
        for row in std::iter::once(&self.head).chain(&self.rows) {
            let cells: Vec<String> = row.iter().map(|c| cell(c)).collect();
            out += &cells.join(",");
            out += "\r\n";
        }
        out
    }
}

/// A text that begins like a formula is not one: spreadsheets would run it.
fn cell(text: &str) -> String {
    let formula =
        text.starts_with(['=', '+', '@', '\t', '\r']) || text.starts_with('-') && text.parse::<f64>().is_err();
    let text = if formula { format!("'{text}") } else { text.to_string() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

fn known<T: ToString>(x: Option<T>) -> String {
    x.map(|x| x.to_string()).unwrap_or_default()
}

const MONEY: [&str; 10] = [
    "customers",
    "buyers",
    "repeat_buyers",
    "orders",
    "gross",
    "refunds",
    "net",
    "average_order",
    "per_customer",
    "repeat_rate",
];

fn money(m: &Money) -> Vec<String> {
    vec![
        m.customers.to_string(),
        m.buyers.to_string(),
        m.repeat_buyers.to_string(),
        m.orders.to_string(),
        m.gross.to_string(),
        m.refunds.to_string(),
        m.net.to_string(),
        known(m.average_order),
        known(m.per_customer),
        known(m.repeat_rate),
    ]
}

fn with(first: &str, rest: Vec<String>) -> Vec<String> {
    std::iter::once(first.to_string()).chain(rest).collect()
}

const ALL: &str = "everybody";

impl Unit {
    /// As a table's head says it; nothing for plain numbers.
    fn symbol(self, currency: &str) -> &str {
        match self {
            Unit::Number => "",
            Unit::Duration => "microseconds",
            Unit::Money => currency,
            Unit::Share => "of 1",
        }
    }

    fn named(self, name: &str, currency: &str) -> String {
        match self.symbol(currency) {
            "" => name.to_string(),
            unit => format!("{name} ({unit})"),
        }
    }
}

impl Profile {
    pub fn table(&self, currency: &str) -> Csv {
        let mut out = Csv::new(&[
            "kind",
            "id",
            "value",
            "members",
            "others",
            "of_members",
            "of_others",
            "mean_members",
            "mean_others",
            "median_members",
            "median_others",
            "effect",
            "low",
            "high",
            "p",
            "real",
            "unit",
        ]);
        for t in &self.traits {
            let difference =
                |d: &Option<DifferenceOf>| [known(d.map(|d| d.low)), known(d.map(|d| d.high)), known(d.map(|d| d.p))];
            let about = || vec![t.kind.clone(), t.id.clone()];
            let of = || vec![t.known_members.to_string(), t.known_others.to_string()];
            for s in &t.shares {
                let mut row = about();
                row.extend([s.value.clone(), s.members.to_string(), s.others.to_string()]);
                row.extend(of());
                row.extend(vec![String::new(); 4]);
                row.push(s.effect.to_string());
                row.extend(difference(&s.difference));
                row.extend([s.real.to_string(), String::new()]);
                out.row(row);
            }
            if let Some(n) = &t.numbers {
                let mut row = about();
                row.extend(vec![String::new(); 3]);
                row.extend(of());
                row.extend([n.mean_members, n.mean_others, n.median_members, n.median_others].map(|x| x.to_string()));
                row.push(known(n.effect));
                row.extend(difference(&n.difference));
                row.extend([n.real.to_string(), t.unit.symbol(currency).to_string()]);
                out.row(row);
            }
        }
        out
    }
}

impl Worth {
    pub fn table(&self) -> Csv {
        let mut out = Csv::new(&[&["of"][..], &MONEY].concat());
        out.row(with("members", money(&self.of)));
        out.row(with(ALL, money(&self.all)));
        out
    }
}

impl Cohorts {
    pub fn table(&self) -> Csv {
        let mut out = Csv::new(&["start", "period", "customers", "of"]);
        for c in &self.cohorts {
            let size = c.kept.first().copied().unwrap_or(0);
            for (k, n) in c.kept.iter().enumerate() {
                out.row(vec![c.start.clone(), k.to_string(), n.to_string(), size.to_string()]);
            }
        }
        out
    }
}

impl Funnel {
    pub fn table(&self, events: &[String]) -> Csv {
        let mut out = Csv::new(&["of", "step", "event", "customers", "median_seconds"]);
        for o in &self.of {
            for (i, s) in o.steps.iter().enumerate() {
                let (id, event) = (o.id.as_deref().unwrap_or(ALL), events.get(i).cloned().unwrap_or_default());
                let median = known(s.median.map(|m| m as f64 / 1e6));
                out.row(vec![id.into(), (i + 1).to_string(), event, s.customers.to_string(), median]);
            }
        }
        out
    }
}

impl Paths {
    pub fn table(&self) -> Csv {
        let mut out = Csv::new(&["step", "from", "to", "customers"]);
        let name = |s: &Stop| s.event.clone().unwrap_or_else(|| format!("({})", s.kind));
        for l in &self.links {
            out.row(vec![(l.step + 1).to_string(), name(&l.from), name(&l.to), l.customers.to_string()]);
        }
        out
    }
}

impl Hours {
    pub fn table(&self) -> Csv {
        let mut out = Csv::new(&["weekday", "hour", "events"]);
        for (day, hours) in self.counts.iter().enumerate() {
            for (hour, n) in hours.iter().enumerate() {
                out.row(vec![(day + 1).to_string(), hour.to_string(), n.to_string()]);
            }
        }
        out
    }
}

impl Regions {
    pub fn table(&self) -> Csv {
        let mut out = Csv::new(&[&["region"][..], &MONEY].concat());
        self.regions.iter().for_each(|r| out.row(with(&r.code, money(&r.money))));
        out.row(with("", money(&self.unknown)));
        out
    }
}

impl RfmMap {
    pub fn table(&self) -> Csv {
        let mut out = Csv::new(&["recency", "frequency", "customers", "net", "before", "stayed", "class"]);
        for (f, row) in self.cells.iter().enumerate() {
            for (r, c) in row.iter().enumerate() {
                let place = [(r + 1).to_string(), (f + 1).to_string(), c.customers.to_string(), c.net.to_string()];
                let mut row = place.to_vec();
                row.extend([known(c.before), known(c.stayed), c.class.clone().unwrap_or_default()]);
                out.row(row);
            }
        }
        out
    }
}

impl Spread {
    pub fn table(&self, currency: &str) -> Csv {
        let [from, to] = ["from", "to"].map(|name| self.unit.named(name, currency));
        let mut out = Csv::new(&["of", &from, &to, "customers"]);
        for o in &self.of {
            for (i, n) in o.counts.iter().enumerate() {
                let edge = |i: usize| known(self.edges.get(i));
                out.row(vec![o.id.as_deref().unwrap_or(ALL).into(), edge(i), edge(i + 1), n.to_string()]);
            }
        }
        out
    }
}

impl Comparison {
    pub fn table(&self, currency: &str) -> Csv {
        let ids: Vec<&str> = std::iter::once(ALL).chain(self.ids.iter().map(String::as_str)).collect();
        let mut out = Csv::new(&[&["what"][..], &ids].concat());
        let all: Vec<Vec<String>> = self.money.iter().map(money).collect();
        for (i, name) in MONEY.iter().enumerate() {
            let money = ["gross", "refunds", "net", "average_order", "per_customer"].contains(name);
            let name = if money { Unit::Money.named(name, currency) } else { name.to_string() };
            out.row(with(&name, all.iter().map(|m| m[i].clone()).collect()));
        }
        for (id, both) in self.ids.iter().zip(&self.both) {
            out.row(with(
                &format!("also in {id}"),
                std::iter::once(String::new()).chain(both.iter().map(u64::to_string)).collect(),
            ));
        }
        for m in &self.measures {
            let named = |what: &str| m.unit.named(&format!("{what} {}", m.id), currency);
            out.row(with(&named("mean"), m.each.iter().map(|e| known(e.mean)).collect()));
            out.row(with(&named("median"), m.each.iter().map(|e| known(e.median)).collect()));
        }
        out
    }
}

impl Values {
    pub fn table(&self) -> Csv {
        let mut out = Csv::new(&["value", "count"]);
        self.top.iter().for_each(|v| out.row(vec![v.value.clone(), v.count.to_string()]));
        out
    }
}

impl Causes {
    pub fn table(&self) -> Csv {
        let mut out = Csv::new(&["day", "cause", "entered", "left"]);
        for d in &self.days {
            out.row(vec![d.day.clone(), d.cause.clone(), d.entered.to_string(), d.left.to_string()]);
        }
        out
    }
}
