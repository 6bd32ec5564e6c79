//! What the columns of a foreign table mean, and the YAML that says so.

use crate::decode::Encoding;
use crate::problem::{Problem, ProblemKind};
use serde_yaml_ng::Value;

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
    /// Of a text file, where it cannot be told from the bytes.
    pub encoding: Option<Encoding>,
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

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Orders => "orders",
            Kind::Events => "events",
            Kind::Profiles => "profiles",
        }
    }

    pub fn parse(text: &str) -> Option<Kind> {
        [Kind::Orders, Kind::Events, Kind::Profiles].into_iter().find(|k| k.as_str() == text)
    }
}

impl Role {
    #[rustfmt::skip]
    pub const ALL: [Role; 20] = [
        Role::Customer, Role::Time, Role::Order, Role::Line, Role::Product, Role::Name, Role::Category, Role::Brand,
        Role::Quantity, Role::Price, Role::Total, Role::Discount, Role::Coupon, Role::Currency, Role::Channel,
        Role::Status, Role::CancelledAt, Role::Test, Role::Event, Role::Id,
    ];

    /// Its key in the mapping file.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Customer => "customer",
            Role::Time => "time",
            Role::Order => "order",
            Role::Line => "line",
            Role::Product => "product",
            Role::Name => "name",
            Role::Category => "category",
            Role::Brand => "brand",
            Role::Quantity => "quantity",
            Role::Price => "price",
            Role::Total => "total",
            Role::Discount => "discount",
            Role::Coupon => "coupon",
            Role::Currency => "currency",
            Role::Channel => "channel",
            Role::Status => "status",
            Role::CancelledAt => "cancelled_at",
            Role::Test => "test",
            Role::Event => "event",
            Role::Id => "id",
        }
    }

    pub fn parse(text: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|r| r.as_str() == text)
    }

    /// What it is called in sentences: `(Korean, English)`.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Role::Customer => ("고객 번호", "the customer's id"),
            Role::Time => ("시각(주문일시 등)", "the time"),
            Role::Order => ("주문번호", "the order number"),
            Role::Line => ("주문 품목 번호", "the order line's id"),
            Role::Product => ("상품 코드", "the product's id"),
            Role::Name => ("상품명", "the product's name"),
            Role::Category => ("카테고리", "the category"),
            Role::Brand => ("브랜드", "the brand"),
            Role::Quantity => ("수량", "the quantity"),
            Role::Price => ("단가", "the unit price"),
            Role::Total => ("결제 금액", "the amount"),
            Role::Discount => ("할인 금액", "the discount"),
            Role::Coupon => ("쿠폰", "the coupon"),
            Role::Currency => ("통화", "the currency"),
            Role::Channel => ("채널", "the channel"),
            Role::Status => ("주문 상태", "the order status"),
            Role::CancelledAt => ("취소 일시", "the time of cancellation"),
            Role::Test => ("테스트 주문 표시", "the mark of test orders"),
            Role::Event => ("이벤트 이름", "the event's name"),
            Role::Id => ("이벤트 ID", "the event's id"),
        }
    }
}

impl TimeFormat {
    const ALL: [(TimeFormat, &str); 7] = [
        (TimeFormat::Ymd, "ymd"),
        (TimeFormat::Dmy, "dmy"),
        (TimeFormat::Mdy, "mdy"),
        (TimeFormat::EpochSeconds, "epoch_s"),
        (TimeFormat::EpochMillis, "epoch_ms"),
        (TimeFormat::EpochMicros, "epoch_us"),
        (TimeFormat::Excel, "excel"),
    ];

    pub fn as_str(self) -> &'static str {
        TimeFormat::ALL.iter().find(|f| f.0 == self).map_or("ymd", |f| f.1)
    }

    pub fn parse(text: &str) -> Option<TimeFormat> {
        TimeFormat::ALL.iter().find(|f| f.1 == text).map(|f| f.0)
    }
}

impl Mapping {
    pub(crate) fn new(kind: Kind) -> Mapping {
        Mapping {
            kind,
            encoding: None,
            grain: Grain::Orders,
            columns: vec![],
            time: None,
            decimal: DecimalStyle::Point,
            zone: None,
            currency: None,
            event: None,
            cancel: Cancel::default(),
            properties: vec![],
            traits: vec![],
            ignore: vec![],
        }
    }

    /// The column of a role.
    pub fn column(&self, role: Role) -> Option<&str> {
        self.columns.iter().find(|(r, _)| *r == role).map(|(_, c)| c.as_str())
    }

    /// Reads the YAML form; errors name line and reason.
    pub fn from_yaml(text: &str) -> Result<Mapping, Vec<Problem>> {
        let root: Value =
            serde_yaml_ng::from_str(text).map_err(|e| vec![bad(e.to_string(), e.location().map(|l| l.line()), "")])?;
        let mut reader = Reader { problems: vec![], text };
        let mapping = reader.mapping(&root);
        if reader.problems.is_empty() { Ok(mapping) } else { Err(reader.problems) }
    }

    /// Writes the YAML form; [`Mapping::from_yaml`] reads it back.
    pub fn to_yaml(&self) -> String {
        let mut out = format!("kind: {}\n", self.kind.as_str());
        if self.kind == Kind::Orders {
            let rows = if self.grain == Grain::Lines {
                "lines   # a row is a line of an order"
            } else {
                "orders   # a row is an order"
            };
            out += &format!("rows: {rows}\n");
        }
        if let Some(encoding) = self.encoding {
            out += &format!("encoding: {}\n", encoding.as_str());
        }
        if let Some(zone) = &self.zone {
            out += &format!("zone: {}\n", scalar(zone));
        }
        if let Some(currency) = &self.currency {
            out += &format!("currency: {}\n", scalar(currency));
        }
        let decimal = match self.decimal {
            DecimalStyle::Point => "point   # 1,234.50",
            DecimalStyle::Comma => "comma   # 1.234,50",
        };
        out += &format!("decimal: {decimal}\n");
        if let Some(event) = &self.event {
            out += &format!("event: {}\n", scalar(event));
        }
        out += "columns:\n";
        for (role, column) in &self.columns {
            match (role, self.time) {
                (Role::Time, Some(f)) => {
                    out += &format!("  time: {{column: {}, format: {}}}\n", scalar(column), f.as_str());
                }
                _ => out += &format!("  {}: {}\n", role.as_str(), scalar(column)),
            }
        }
        if self.cancel != Cancel::default() {
            out += "cancel:\n";
            if let Some(prefix) = &self.cancel.prefix {
                out += &format!("  prefix: {}\n", scalar(prefix));
            }
            if !self.cancel.status.is_empty() {
                let words: Vec<_> = self.cancel.status.iter().map(|s| scalar(s)).collect();
                out += &format!("  status: [{}]\n", words.join(", "));
            }
        }
        for (key, fields) in [("properties", &self.properties), ("traits", &self.traits)] {
            if !fields.is_empty() {
                out += &format!("{key}:\n");
                fields.iter().for_each(|f| out += &format!("  {}\n", field_yaml(f)));
            }
        }
        if !self.ignore.is_empty() {
            out += "ignore:\n";
            self.ignore.iter().for_each(|c| out += &format!("  - {}\n", scalar(c)));
        }
        out
    }
}

fn field_yaml(f: &Field) -> String {
    let (name, column) = (scalar(&f.name), scalar(&f.column));
    match f.kind {
        FieldType::Text => format!("{name}: {column}"),
        FieldType::Number => format!("{name}: {{column: {column}, type: number}}"),
        FieldType::Bool => format!("{name}: {{column: {column}, type: bool}}"),
        FieldType::List => format!("{name}: {{column: {column}, type: list}}"),
        FieldType::Time(t) => format!("{name}: {{column: {column}, type: time, format: {}}}", t.as_str()),
    }
}

/// A YAML scalar; quoted unless it is plainly a word.
pub(crate) fn scalar(text: &str) -> String {
    let plain = text.chars().next().is_some_and(char::is_alphabetic)
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '/' | '-' | ' '))
        && !text.ends_with(' ')
        && !["true", "false", "yes", "no", "null", "on", "off", "y", "n", "nan", "inf"]
            .contains(&text.to_lowercase().as_str());
    if plain {
        return text.to_string();
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() || matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}') => {
                out += &format!("\\U{:08x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out + "\""
}

fn bad(what: impl Into<String>, line: Option<usize>, fix: &str) -> Problem {
    Problem { kind: ProblemKind::BadMapping { what: what.into(), line }, fix: fix.to_string() }
}

struct Reader<'a> {
    problems: Vec<Problem>,
    text: &'a str,
}

impl Reader<'_> {
    fn fail(&mut self, key: &str, what: String, fix: &str) {
        let line = self.text.lines().position(|l| l.trim_start().starts_with(key)).map(|i| i + 1);
        self.problems.push(bad(what, line, fix));
    }

    /// A text, a number or a boolean as text; anything else is a problem.
    fn text(&mut self, key: &str, value: &Value) -> Option<String> {
        match value {
            Value::String(s) => Some(s.clone()),
            Value::Number(n) => Some(n.to_string()),
            Value::Bool(b) => Some(b.to_string()),
            _ => {
                self.fail(key, format!("`{key}` must be a text"), "");
                None
            }
        }
    }

    fn pairs(&mut self, key: &str, value: &Value) -> Vec<(String, Value)> {
        let Value::Mapping(map) = value else {
            if !value.is_null() {
                self.fail(key, format!("`{key}` must be a list of `key: value` lines"), "");
            }
            return vec![];
        };
        map.iter().filter_map(|(k, v)| Some((self.text(key, k)?, v.clone()))).collect()
    }

    fn list(&mut self, key: &str, value: &Value) -> Vec<String> {
        match value {
            Value::Sequence(items) => items.iter().filter_map(|i| self.text(key, i)).collect(),
            Value::Null => vec![],
            one => self.text(key, one).into_iter().collect(),
        }
    }

    fn one_of<T>(&mut self, key: &str, value: &Value, parse: impl Fn(&str) -> Option<T>, choices: &str) -> Option<T> {
        let text = self.text(key, value)?;
        let found = parse(&text);
        if found.is_none() {
            self.fail(
                key,
                format!("`{key}: {text}` is none of: {choices}"),
                &format!("{key}: {}", choices.split(',').next().unwrap_or("")),
            );
        }
        found
    }

    fn mapping(&mut self, root: &Value) -> Mapping {
        let mut m = Mapping::new(Kind::Orders);
        let (mut kind, mut grain) = (None, None);
        for (key, value) in self.pairs("mapping", root) {
            match key.as_str() {
                "kind" => kind = self.one_of("kind", &value, Kind::parse, "orders, events, profiles"),
                "rows" => {
                    let parse = |t: &str| match t {
                        "lines" => Some(Grain::Lines),
                        "orders" => Some(Grain::Orders),
                        _ => None,
                    };
                    grain = self.one_of("rows", &value, parse, "orders, lines");
                }
                "encoding" => m.encoding = self.one_of("encoding", &value, Encoding::parse, Encoding::NAMES),
                "zone" => m.zone = self.text("zone", &value),
                "currency" => m.currency = self.text("currency", &value),
                "event" => m.event = self.text("event", &value),
                "decimal" => {
                    let parse = |t: &str| match t {
                        "point" => Some(DecimalStyle::Point),
                        "comma" => Some(DecimalStyle::Comma),
                        _ => None,
                    };
                    m.decimal = self.one_of("decimal", &value, parse, "point, comma").unwrap_or_default();
                }
                "columns" => self.columns(&mut m, &value),
                "cancel" => {
                    for (k, v) in self.pairs("cancel", &value) {
                        match k.as_str() {
                            "prefix" => m.cancel.prefix = self.text("prefix", &v),
                            "status" => m.cancel.status = self.list("status", &v),
                            _ => self.fail(&k, format!("`cancel` knows `prefix` and `status`, not `{k}`"), ""),
                        }
                    }
                }
                "properties" => m.properties = self.fields("properties", &value),
                "traits" => m.traits = self.fields("traits", &value),
                "ignore" => m.ignore = self.list("ignore", &value),
                _ => self.fail(
                    &key,
                    format!("unknown key `{key}`; known are kind, rows, encoding, zone, currency, decimal, event, columns, cancel, properties, traits, ignore"),
                    "",
                ),
            }
        }
        match kind {
            Some(k) => m.kind = k,
            None if self.problems.is_empty() => self.fail("kind", "`kind` is missing".into(), "kind: orders"),
            None => {}
        }
        let line =
            m.column(Role::Product).is_some() || m.column(Role::Line).is_some() || m.column(Role::Name).is_some();
        m.grain = grain.unwrap_or(if line { Grain::Lines } else { Grain::Orders });
        m
    }

    fn columns(&mut self, m: &mut Mapping, value: &Value) {
        for (key, value) in self.pairs("columns", value) {
            let Some(role) = Role::parse(&key) else {
                let known: Vec<_> = Role::ALL.iter().map(|r| r.as_str()).collect();
                self.fail(
                    &key,
                    format!("`columns` knows {}; `{key}` can go under `properties` or `traits`", known.join(", ")),
                    "",
                );
                continue;
            };
            let mut column = None;
            match &value {
                Value::Mapping(_) => {
                    for (k, v) in self.pairs(&key, &value) {
                        match k.as_str() {
                            "column" => column = self.text(&key, &v),
                            "format" if role == Role::Time => {
                                m.time = self.one_of("format", &v, TimeFormat::parse, FORMATS);
                            }
                            _ => self.fail(
                                &key,
                                format!("`{key}` knows `column` (and `time` a `format`), not `{k}`"),
                                "",
                            ),
                        }
                    }
                }
                _ => column = self.text(&key, &value),
            }
            if let Some(column) = column {
                m.columns.retain(|(r, _)| *r != role);
                m.columns.push((role, column));
            }
        }
    }

    fn fields(&mut self, key: &str, value: &Value) -> Vec<Field> {
        let mut out = vec![];
        for (name, value) in self.pairs(key, value) {
            let (mut column, mut kind, mut format) = (None, "text".to_string(), TimeFormat::Ymd);
            match &value {
                Value::Mapping(_) => {
                    for (k, v) in self.pairs(&name, &value) {
                        match k.as_str() {
                            "column" => column = self.text(&name, &v),
                            "type" => kind = self.text(&name, &v).unwrap_or_default(),
                            "format" => {
                                format = self.one_of("format", &v, TimeFormat::parse, FORMATS).unwrap_or(format);
                            }
                            _ => {
                                self.fail(&name, format!("`{name}` knows `column`, `type` and `format`, not `{k}`"), "")
                            }
                        }
                    }
                }
                _ => column = self.text(&name, &value),
            }
            let kind = match kind.as_str() {
                "text" => FieldType::Text,
                "number" => FieldType::Number,
                "bool" => FieldType::Bool,
                "time" => FieldType::Time(format),
                "list" => FieldType::List,
                other => {
                    self.fail(
                        &name,
                        format!("type `{other}` is none of: text, number, bool, time, list"),
                        "type: text",
                    );
                    continue;
                }
            };
            match column {
                Some(column) => out.push(Field { name, column, kind }),
                None => self.fail(&name, format!("`{name}` names no column"), ""),
            }
        }
        out
    }
}

const FORMATS: &str = "ymd, dmy, mdy, epoch_s, epoch_ms, epoch_us, excel";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let mut m = Mapping::new(Kind::Orders);
        m.grain = Grain::Lines;
        m.columns = vec![
            (Role::Customer, "고객 번호".into()),
            (Role::Time, "주문일시 #1: \"x\"".into()),
            (Role::Product, "no".into()),
        ];
        m.time = Some(TimeFormat::Dmy);
        m.zone = Some("Asia/Seoul".into());
        m.currency = Some("KRW".into());
        m.decimal = DecimalStyle::Comma;
        m.cancel = Cancel { prefix: Some("C".into()), status: vec!["취소".into(), "- 반품".into()] };
        m.properties = vec![Field { name: "memo".into(), column: "123".into(), kind: FieldType::Number }];
        m.traits = vec![
            Field { name: "consent.sms".into(), column: "SMS\\수신".into(), kind: FieldType::Bool },
            Field { name: "since".into(), column: "가입일".into(), kind: FieldType::Time(TimeFormat::Ymd) },
        ];
        m.ignore = vec!["비고".into()];
        assert_eq!(Mapping::from_yaml(&m.to_yaml()), Ok(m));
    }

    #[test]
    fn mistakes_are_all_named_with_their_lines() {
        let text = "kind: order\ncolumns:\n  customr: id\n  time: {column: t, format: iso}\nfoo: 1\n";
        let problems = Mapping::from_yaml(text).unwrap_err();
        let lines: Vec<_> = problems
            .iter()
            .map(|p| match &p.kind {
                ProblemKind::BadMapping { line, .. } => *line,
                _ => None,
            })
            .collect();
        assert_eq!(lines, [Some(1), Some(3), None, Some(5)]);
        assert!(Mapping::from_yaml("kind: [").is_err());
        assert!(Mapping::from_yaml("").is_err());
    }
}
