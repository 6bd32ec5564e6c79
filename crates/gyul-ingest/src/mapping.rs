//! What the columns of a foreign table mean.

/// What one row of the file is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Orders,
    Events,
    Profiles,
}

/// Whether a row of orders is an order or one of its lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Grain {
    Orders,
    Lines,
}

/// A column with a meaning of its own. `as_str` is its key in the mapping file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Role {
    Customer,
    /// When it happened; of profiles, from when on the traits hold.
    Time,
    Order,
    /// Identity of an order line.
    Line,
    Product,
    Name,
    Category,
    Brand,
    Quantity,
    /// Price of one piece.
    Price,
    /// Of the row: the order's or the line's.
    Total,
    Discount,
    Coupon,
    Currency,
    Channel,
    /// Order status in words: paid, cancelled, returned.
    Status,
    /// When it was cancelled or refunded; cancelled if filled in.
    CancelledAt,
    /// Marks test orders.
    Test,
    /// The event's name.
    Event,
    /// Identity of the event.
    Id,
}

/// How a number's text uses `.` and `,`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DecimalStyle {
    /// `1,234.50`
    #[default]
    Point,
    /// `1.234,50`
    Comma,
}

/// The order of the parts of a date, or what a number counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimeFormat {
    /// `2026-11-22`, `2026.11.22 오후 3:04`, `20261122`, ISO 8601 …
    Ymd,
    /// `22/11/2026`
    Dmy,
    /// `11/22/2026`
    Mdy,
    EpochSeconds,
    EpochMillis,
    EpochMicros,
    /// Days since 1899-12-30.
    Excel,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FieldType {
    Text,
    Number,
    Bool,
    Time(TimeFormat),
    /// Items separated by `,`, `;` or `|`.
    List,
}

/// A property or trait taken from a column.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field {
    /// Name of the property or trait.
    pub name: String,
    pub column: String,
    pub kind: FieldType,
}

/// What tells cancellations and refunds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cancel {
    /// Order ids that start so and go on with a digit are cancelling invoices (`C536379`).
    pub prefix: Option<String>,
    /// Further words of the status column that mean cancelled, besides those known.
    pub status: Vec<String>,
}

/// What the columns of a foreign table mean. Written as YAML for people to read and edit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mapping {
    pub kind: Kind,
    pub grain: Grain,
    pub columns: Vec<(Role, String)>,
    pub time: Option<TimeFormat>,
    pub decimal: DecimalStyle,
    /// IANA name for times without an offset; the workspace's if none.
    pub zone: Option<String>,
    pub currency: Option<String>,
    /// Name of all events, where no column says it.
    pub event: Option<String>,
    pub cancel: Cancel,
    pub properties: Vec<Field>,
    pub traits: Vec<Field>,
    /// Columns that are left out on purpose.
    pub ignore: Vec<String>,
}

impl Mapping {
    /// Reads the YAML form; errors name line and reason.
    pub fn from_yaml(text: &str) -> Result<Mapping, Vec<crate::Problem>>;
    pub fn to_yaml(&self) -> String;
}
