use gyul_model::Date;

/// A text for people in both languages. An empty side is filled by the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Text {
    pub ko: String,
    pub en: String,
}

impl Text {
    pub fn new(ko: impl Into<String>, en: impl Into<String>) -> Text {
        Text { ko: ko.into(), en: en.into() }
    }

    /// The same in both languages: a file name, an id.
    pub fn same(text: impl Into<String>) -> Text {
        let text = text.into();
        Text { ko: text.clone(), en: text }
    }

    pub fn is_empty(&self) -> bool {
        self.ko.is_empty() && self.en.is_empty()
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lang {
    #[default]
    Ko,
    En,
}

/// Everything the page shows. Amounts are in the currency's main unit, rounded for display; shares are 0 to 1.
/// An absent part is left out of the page or shown as an empty state that says what to do.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportData {
    /// The shop's name or the name of the data, as a heading.
    pub shop: String,
    /// The language shown first; the reader can switch.
    pub lang: Lang,
    /// The local date of the instant at which everything was evaluated.
    pub as_of: Date,
    /// Local dates of the first and the last event.
    pub period: Option<(Date, Date)>,
    /// ISO 4217, such as `KRW`.
    pub currency: String,
    pub totals: Totals,
    /// Ascending, without gaps: a month without orders has zeros.
    pub months: Vec<Month>,
    pub quality: Option<Quality>,
    pub sufficiency: Option<Sufficiency>,
    pub rfm: Option<Rfm>,
    pub lifecycle: Option<Lifecycle>,
    /// The dates of every `Segment::history`, ascending; the last is `as_of`.
    pub history_dates: Vec<Date>,
    /// In the order of the definitions; those of one `group` side by side.
    pub segments: Vec<Segment>,
    pub overlap: Option<Overlap>,
    /// What a reader should know before trusting a number; from the definitions' lint, for example.
    pub warnings: Vec<Text>,
    /// Where the data comes from and under which licence, if that must be said.
    pub source: Option<Text>,
}

impl ReportData {
    /// A report without content; the parts that are known are set afterwards.
    pub fn new(shop: impl Into<String>, as_of: Date, currency: impl Into<String>) -> ReportData {
        ReportData {
            shop: shop.into(),
            lang: Lang::default(),
            as_of,
            period: None,
            currency: currency.into(),
            totals: Totals::default(),
            months: Vec::new(),
            quality: None,
            sufficiency: None,
            rfm: None,
            lifecycle: None,
            history_dates: Vec::new(),
            segments: Vec::new(),
            overlap: None,
            warnings: Vec::new(),
            source: None,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Totals {
    /// Everybody known at `as_of`.
    pub customers: u64,
    /// Customers with at least one order.
    pub buyers: u64,
    /// Customers with at least two orders.
    pub repeat_buyers: u64,
    pub orders: u64,
    /// Net of refunds.
    pub revenue: f64,
    /// The share of the revenue that the 10 % of buyers with the highest spending bring.
    pub top10_share: Option<f64>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Month {
    /// The month's first day.
    pub month: Date,
    pub orders: u64,
    /// Net of the refunds of the month; may be negative.
    pub revenue: f64,
}

/// What became of the rows. `rows = events + duplicates + sum of rejected counts`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Quality {
    pub rows: u64,
    /// Rows that became events.
    pub events: u64,
    pub duplicates: u64,
    pub rejected: Vec<Rejected>,
    /// File names as imported.
    pub files: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rejected {
    /// The stable code of the reason.
    pub code: String,
    pub reason: Text,
    /// What to do about it.
    pub hint: Text,
    pub count: u64,
    /// Places such as `orders.csv, line 12`, or offending values; never personal data.
    pub examples: Vec<String>,
}

/// What can be trusted with this much data.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sufficiency {
    /// Months between the first and the last order.
    pub months: f64,
    /// Orders per buyer.
    pub orders_per_buyer: Option<f64>,
    /// Days from the last event to `as_of`.
    pub stale_days: Option<i32>,
    /// The share of customers of whom something is known: consent, age, region, …
    pub known: Vec<Known>,
    pub missing: Vec<Missing>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    pub what: Text,
    pub share: f64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Missing {
    /// What the data lacks: "product views", "birth dates".
    pub what: Text,
    /// Names of the segments that stay empty or coarse without it.
    pub segments: Vec<Text>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rfm {
    /// `cells[f - 1][r - 1]` for scores 1 to 5; 5 is the most recent and the most frequent.
    pub cells: [[RfmCell; 5]; 5],
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct RfmCell {
    pub customers: u64,
    pub revenue: f64,
    /// Mean M score; absent for an empty cell.
    pub m_mean: Option<f64>,
    /// The named class the cell belongs to; empty if there is none.
    pub class: Text,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lifecycle {
    /// The classes' names in the order of the partition, `otherwise` last.
    pub classes: Vec<Text>,
    /// Ascending; month ends, say. Each with one count per class.
    pub series: Vec<(Date, Vec<u64>)>,
    pub flow: Option<Flow>,
}

/// Who went where between two dates.
#[derive(Clone, Debug, PartialEq)]
pub struct Flow {
    pub from: Date,
    pub to: Date,
    /// `moves[i][j]`: customers in class `i` at `from` and in class `j` at `to`.
    pub moves: Vec<Vec<u64>>,
    /// Per class at `to`: customers who were not known at `from`.
    pub joined: Vec<u64>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Segment {
    /// The id as in the definitions; `partition/class` for a class.
    pub id: String,
    /// An empty name shows the id.
    pub name: Text,
    /// The partition's name; empty for a segment of its own.
    pub group: Text,
    pub goal: Text,
    pub treatment: Text,
    /// What the data lacks to tell who is in; empty if it can be told. Then sizes say nothing.
    pub needs: Text,
    pub customers: u64,
    /// Net revenue of its members over the whole period.
    pub revenue: Option<f64>,
    /// Sizes at `ReportData::history_dates`; empty if not computed.
    pub history: Vec<u64>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overlap {
    pub names: Vec<Text>,
    /// Symmetric; `both[i][j]` customers are in both, `both[i][i]` is the size.
    pub both: Vec<Vec<u64>>,
}
