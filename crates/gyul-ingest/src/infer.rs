//! What the columns probably mean: from their headers, and from what is in them.

use crate::Context;
use crate::dictionary as dict;
use crate::mapper::missing;
use crate::mapping::{Field, FieldType, Grain, Kind, Mapping, Role, TimeFormat, scalar};
use crate::problem::{Problem, ProblemKind};
use crate::rows::Rows;
use crate::values::{number, time, traits};
use gyul_model::Lang;

/// Rows that are looked at.
const SAMPLE_ROWS: usize = 20_000;
/// Samples that are shown of a column.
const SHOWN: usize = 3;

/// A proposed mapping and how it came about.
#[derive(Clone, Debug)]
pub struct Inferred {
    pub mapping: Mapping,
    pub choices: Vec<Choice>,
    /// What was settled by evidence and deserves a look, such as two date formats in one column: `(Korean, English)`.
    pub notes: Vec<(String, String)>,
}

/// One decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The role, property or trait, as in the mapping file.
    pub target: String,
    pub column: String,
    /// 0 to 100: 90 and more by a usual name, less by values or a rare name.
    pub confidence: u8,
    /// Why, `(Korean, English)`.
    pub why: (String, String),
    /// Values of the column, the first different ones.
    pub samples: Vec<String>,
}

impl Choice {
    pub fn why(&self, lang: Lang) -> &str {
        match lang {
            Lang::Ko => &self.why.0,
            Lang::En => &self.why.1,
        }
    }
}

struct Look<'a> {
    kind: Kind,
    header: &'a [String],
    rows: &'a Rows,
    n: usize,
    choices: Vec<Choice>,
    problems: Vec<Problem>,
    notes: Vec<(String, String)>,
    mapping: Mapping,
    used: Vec<bool>,
}

/// Proposes a mapping, or says what is missing with the lines that would settle it.
pub fn infer(kind: Kind, header: &[String], sample: &Rows, ctx: &Context) -> Result<Inferred, Vec<Problem>> {
    match propose(kind, header, sample, ctx) {
        (found, problems) if problems.is_empty() => Ok(found),
        (_, problems) => Err(problems),
    }
}

/// As much of a mapping as can be found, and what is missing: for people who then choose the rest.
pub fn propose(kind: Kind, header: &[String], sample: &Rows, ctx: &Context) -> (Inferred, Vec<Problem>) {
    let mut look = Look {
        kind,
        header,
        rows: sample,
        n: sample.len().min(SAMPLE_ROWS),
        choices: vec![],
        problems: vec![],
        notes: vec![],
        mapping: Mapping::new(kind),
        used: vec![false; header.len()],
    };
    look.required(ctx);
    match kind {
        Kind::Orders => look.orders(),
        Kind::Events => look.events(),
        Kind::Profiles => look.rest_as_traits(),
    }
    look.decimal();
    for (i, h) in header.iter().enumerate() {
        if !look.used[i] {
            look.mapping.ignore.push(h.clone());
        }
    }
    (Inferred { mapping: look.mapping, choices: look.choices, notes: look.notes }, look.problems)
}

impl<'a> Look<'a> {
    fn values(&self, column: usize) -> impl Iterator<Item = &'a str> + use<'a> {
        let rows = self.rows;
        (0..self.n).filter(move |i| rows.rows[*i].flaw.is_none()).filter_map(move |i| rows.known(i, column))
    }

    /// The share of known values that pass, in percent; `None` if nothing is known.
    fn share(&self, column: usize, pass: impl Fn(&str) -> bool) -> Option<usize> {
        let (mut n, mut fit) = (0, 0);
        for v in self.values(column) {
            n += 1;
            fit += usize::from(pass(v));
        }
        (n > 0).then(|| fit * 100 / n)
    }

    fn samples(&self, column: usize) -> Vec<String> {
        let mut out: Vec<String> = vec![];
        for v in self.values(column).take(1000) {
            if out.len() < SHOWN && !out.iter().any(|o| o == v) {
                out.push(v.chars().take(60).collect());
            }
        }
        out
    }

    fn choose(&mut self, target: &str, column: usize, confidence: u8, why: (&str, &str)) {
        self.used[column] = true;
        self.choices.push(Choice {
            target: target.to_string(),
            column: self.header[column].clone(),
            confidence,
            why: (why.0.to_string(), why.1.to_string()),
            samples: self.samples(column),
        });
    }

    /// The unused column whose header is the likeliest for a role.
    fn by_name(&self, role: Role) -> Option<usize> {
        let ranked = self.header.iter().enumerate().filter(|(i, _)| !self.used[*i]);
        let ranked = ranked.filter_map(|(i, h)| Some((dict::rank(self.kind, role, h)?, i)));
        // Empty columns (Cafe24 exports many) only where there is nothing better.
        ranked.min_by_key(|(rank, i)| (self.values(*i).next().is_none(), *rank)).map(|(_, i)| i)
    }

    fn take(&mut self, role: Role) -> Option<usize> {
        let column = self.by_name(role)?;
        self.set(role, column, 95, ("열 이름으로", "by its name"));
        Some(column)
    }

    fn set(&mut self, role: Role, column: usize, confidence: u8, why: (&str, &str)) {
        self.mapping.columns.push((role, self.header[column].clone()));
        self.choose(role.as_str(), column, confidence, why);
    }

    fn required(&mut self, ctx: &Context) {
        if self.take(Role::Customer).is_none() {
            let mut candidates: Vec<(bool, String)> = (0..self.header.len())
                .filter(|i| self.values(*i).next().is_some())
                .map(|i| (!dict::key(&self.header[i]).contains("id"), self.header[i].clone()))
                .collect();
            candidates.sort();
            let names = candidates.into_iter().map(|c| c.1).take(5).collect();
            self.problems.push(missing(Role::Customer, names));
        }
        if let Some(column) = self.by_name(Role::Time) {
            self.set(Role::Time, column, 95, ("열 이름으로", "by its name"));
            self.time_format(column, ctx);
        } else if self.kind != Kind::Profiles {
            let dates: Vec<usize> = (0..self.header.len())
                .filter(|i| !self.used[*i])
                .filter(|i| self.share(*i, |v| v.len() >= 6 && !time::formats(v).is_empty()).is_some_and(|s| s >= 90))
                .collect();
            match dates[..] {
                [column] => {
                    self.set(Role::Time, column, 70, ("날짜가 든 유일한 열", "the only column of dates"));
                    self.time_format(column, ctx);
                }
                [] => self.problems.push(missing(Role::Time, vec![])),
                _ => {
                    let candidates: Vec<String> = dates.iter().map(|i| self.header[*i].clone()).collect();
                    let fix = format!("columns:\n  time: {}", scalar(&candidates[0]));
                    self.problems.push(Problem { kind: ProblemKind::Several { role: Role::Time, candidates }, fix });
                }
            }
        }
    }

    /// The format that reads most of the sample; an undecided day and month is asked for.
    fn time_format(&mut self, column: usize, ctx: &Context) {
        match self.format_of(column, ctx) {
            Ok(Some(format)) => self.mapping.time = Some(format),
            Ok(None) => {}
            Err(problem) => self.problems.push(problem),
        }
    }

    fn format_of(&mut self, column: usize, ctx: &Context) -> Result<Option<TimeFormat>, Problem> {
        use TimeFormat::*;
        let all = [Ymd, Dmy, Mdy, EpochSeconds, EpochMillis, EpochMicros, Excel];
        let mut counts = [0_usize; 7];
        let (mut n, mut first) = (0, None);
        let mut clock = time::Clock::new(&ctx.zone);
        for v in self.values(column) {
            n += 1;
            first.get_or_insert(v);
            for f in time::formats(v) {
                // A date in the future is no evidence for its format.
                let past = clock.parse(v, f).is_some_and(|t| t.0 <= ctx.now.0.saturating_add(gyul_model::MICROS_DAY));
                let i = all.iter().position(|a| *a == f).unwrap_or(0);
                counts[i] += usize::from(past);
            }
        }
        let Some(first) = first else { return Ok(None) };
        let name = self.header[column].clone();
        let fix = |f: TimeFormat| format!("columns:\n  time: {{column: {}, format: {}}}", scalar(&name), f.as_str());
        let sample: String = first.chars().take(40).collect();
        let (best, most) = all.iter().zip(counts).rev().max_by_key(|(_, c)| *c).map_or((Ymd, 0), |(f, c)| (*f, c));
        if most == 0 {
            return Err(Problem { kind: ProblemKind::UnknownDate { column: name.clone(), sample }, fix: fix(Ymd) });
        }
        let mut chosen = best;
        if matches!(best, Dmy | Mdy) && counts[1] == counts[2] {
            // Nothing but days up to the twelfth: dots are written by people who write the day first.
            if first.contains('.') && !first.contains('/') {
                chosen = Dmy;
            } else if !first.bytes().any(|b| b.is_ascii_alphabetic()) {
                let kind = ProblemKind::AmbiguousDate { column: name.clone(), sample };
                return Err(Problem { kind, fix: format!("{}   # or dmy", fix(Mdy)) });
            }
        }
        if most < n {
            let (bad, format) = (n - most, chosen.as_str());
            self.notes.push((
                format!("`{name}`: 표본 {n}개 중 {bad}개가 {format} 형식이 아닙니다. 그런 행은 거부됩니다"),
                format!("`{name}`: {bad} of {n} sampled values are not {format}; such rows will be rejected"),
            ));
        }
        Ok(Some(chosen))
    }

    fn orders(&mut self) {
        // Shopify calls the order `Name`; with line items beside it, it is no person's.
        let shopify = self.header.iter().any(|h| dict::key(h) == "lineitemname");
        let order = match self.take(Role::Order) {
            None if shopify => {
                let name = self.header.iter().position(|h| h == "Name").filter(|i| !self.used[*i]);
                name.inspect(|i| self.set(Role::Order, *i, 90, ("Shopify 내보내기", "a Shopify export")))
            }
            found => found,
        };
        for role in [Role::Line, Role::Product, Role::Name, Role::Category, Role::Brand, Role::Quantity, Role::Price] {
            self.take(role);
        }
        let has = |m: &Mapping, r| m.column(r).is_some();
        let m = &self.mapping;
        let goods = has(m, Role::Product) || has(m, Role::Name) || has(m, Role::Line);
        let repeats = order.is_some_and(|c| self.repeats(c));
        let lines = goods || (repeats && has(m, Role::Quantity) && has(m, Role::Price));
        self.mapping.grain = if lines { Grain::Lines } else { Grain::Orders };
        if let Some(total) = self.by_name(Role::Total) {
            let whole = lines && has(&self.mapping, Role::Price) && !dict::is_line_total(&self.header[total]);
            if whole {
                let name = &self.header[total];
                self.notes.push((
                    format!("`{name}`: 주문 전체 금액일 수 있어 쓰지 않고 수량 × 단가를 씁니다"),
                    format!("`{name}`: may be the whole order's amount, so quantity × price is used instead"),
                ));
            } else {
                self.set(Role::Total, total, 90, ("열 이름으로", "by its name"));
            }
        } else if !lines && self.mapping.column(Role::Price).is_some() {
            // One price and no goods: the order's amount.
            if let Some(i) = self.mapping.columns.iter().position(|(r, _)| *r == Role::Price)
                && self.mapping.column(Role::Quantity).is_none()
            {
                self.mapping.columns[i].0 = Role::Total;
            }
        }
        for role in
            [Role::Discount, Role::Coupon, Role::Currency, Role::Channel, Role::Status, Role::CancelledAt, Role::Test]
        {
            self.take(role);
        }
        self.drop_non_numbers();
        if let Some(order) = order {
            let plain = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
            let marked = |t: &str| t.strip_prefix(['C', 'c']).is_some_and(plain);
            if self.values(order).any(marked) && self.share(order, |t| plain(t)).is_some_and(|s| s > 50) {
                self.mapping.cancel.prefix = Some("C".into());
                let name = &self.header[order];
                self.notes.push((
                    format!("`{name}`: C로 시작하는 번호는 취소 전표로 봅니다"),
                    format!("`{name}`: ids such as C123 are taken as cancelling invoices"),
                ));
            }
        }
        for column in 0..self.header.len() {
            let name = dict::trait_name(&self.header[column]);
            if let Some(name) = name.filter(|_| !self.used[column]) {
                // In an order, name, phone and address are often the receiver's.
                let whose = dict::key(&self.header[column]);
                let own = ["주문자", "구매자", "회원", "고객", "customer", "buyer"].iter().any(|w| whose.contains(w));
                if own
                    || matches!(name, "country" | "region" | "gender" | "birth_date" | "email")
                    || name.starts_with("consent.")
                {
                    self.add_trait(name, column);
                }
            }
        }
    }

    fn repeats(&self, column: usize) -> bool {
        let mut seen = rustc_hash::FxHashSet::default();
        self.values(column).any(|v| !seen.insert(v))
    }

    /// Number roles whose column holds no numbers were named misleadingly.
    fn drop_non_numbers(&mut self) {
        for role in [Role::Quantity, Role::Price, Role::Total, Role::Discount] {
            let Some(name) = self.mapping.column(role) else { continue };
            let Some(column) = self.header.iter().position(|h| h == name) else { continue };
            let reads = |t: &str| {
                number::parse(t, crate::DecimalStyle::Point).is_ok()
                    || number::parse(t, crate::DecimalStyle::Comma).is_ok()
            };
            if self.share(column, reads).is_some_and(|s| s < 50) {
                self.mapping.columns.retain(|(r, _)| *r != role);
                self.choices.retain(|c| c.target != role.as_str());
                self.used[column] = false;
            }
        }
    }

    fn events(&mut self) {
        self.take(Role::Id);
        if self.take(Role::Event).is_none() {
            self.problems.push(Problem {
                kind: ProblemKind::Missing { role: Role::Event, candidates: self.few_values() },
                fix: "event: Product Viewed   # the same for all rows, or\ncolumns:\n  event: …".into(),
            });
        }
        for column in 0..self.header.len() {
            let header = &self.header[column];
            let outer = ["context.", "integrations.", "_metadata."].iter().any(|p| header.starts_with(p));
            let envelope = matches!(
                header.as_str(),
                "type" | "writeKey" | "sentAt" | "receivedAt" | "originalTimestamp" | "anonymousId"
            );
            if self.used[column] || outer || envelope || self.values(column).next().is_none() {
                continue;
            }
            if header.starts_with("traits.") {
                let name = dict::trait_name(header).map_or_else(|| dict::slug(header), str::to_string);
                self.add_trait(&name, column);
                continue;
            }
            let name = dict::property_name(header).map_or_else(|| dict::slug(header), str::to_string);
            if self.mapping.properties.iter().any(|p| p.name == name) {
                continue;
            }
            let kind = self.type_of(column, &name);
            self.mapping.properties.push(Field { name: name.clone(), column: self.header[column].clone(), kind });
            self.choose(&format!("properties.{name}"), column, 80, ("나머지 열", "one of the other columns"));
        }
    }

    /// Columns with few different values, which may name events.
    fn few_values(&self) -> Vec<String> {
        let few = |i: &usize| {
            let distinct: rustc_hash::FxHashSet<&str> = self.values(*i).collect();
            !self.used[*i] && !distinct.is_empty() && distinct.len() <= 50 && distinct.len() * 2 <= self.n.max(2)
        };
        (0..self.header.len()).filter(few).map(|i| self.header[i].clone()).take(5).collect()
    }

    fn rest_as_traits(&mut self) {
        // The customer's e-mail may be both: who it is, and a trait.
        for column in 0..self.header.len() {
            let named = dict::trait_name(&self.header[column]);
            let is_time = self.mapping.column(Role::Time) == Some(self.header[column].as_str());
            if is_time || (self.used[column] && named.is_none()) || self.values(column).next().is_none() {
                continue;
            }
            let name = named.map_or_else(|| dict::slug(&self.header[column]), str::to_string);
            self.add_trait(&name, column);
        }
        if self.mapping.traits.is_empty() {
            self.problems.push(Problem {
                kind: ProblemKind::Missing { role: Role::Name, candidates: vec![] },
                fix: "traits:\n  gender: …".into(),
            });
        }
    }

    fn add_trait(&mut self, name: &str, column: usize) {
        let yes_no = |s: &Self| s.share(column, |t| traits::boolean(t).is_some()).is_some_and(|p| p >= 90);
        // A column 이메일 or SMS full of Y and N is the consent.
        let name = if name == "email" && yes_no(self) { "consent.email" } else { name };
        if self.mapping.traits.iter().any(|t| t.name == name) {
            return;
        }
        let kind = self.type_of(column, name);
        self.mapping.traits.push(Field { name: name.to_string(), column: self.header[column].clone(), kind });
        self.choose(&format!("traits.{name}"), column, 90, ("열 이름으로", "by its name"));
    }

    /// What the values of a property or trait are.
    fn type_of(&self, column: usize, name: &str) -> FieldType {
        const TEXTS: [&str; 9] =
            ["gender", "birth_date", "region", "country", "city", "email", "phone", "name", "grade"];
        if TEXTS.contains(&name) || name.ends_with("_id") || name == "id" || name == "coupon" || name.ends_with("code")
        {
            return FieldType::Text;
        }
        if name.starts_with("consent.") {
            return FieldType::Bool;
        }
        if name == "tags" {
            return FieldType::List;
        }
        let all = |pass: &dyn Fn(&str) -> bool| self.share(column, pass) == Some(100);
        let leading_zero = |t: &str| t.len() > 1 && t.starts_with('0') && t.bytes().all(|b| b.is_ascii_digit());
        let digit = |t: &str| matches!(t, "0" | "1");
        if all(&|t| traits::boolean(t).is_some()) && !all(&digit) {
            FieldType::Bool
        } else if all(&|t| number::parse(t, crate::DecimalStyle::Point).is_ok() && !leading_zero(t)) {
            FieldType::Number
        } else if all(&|t| t.len() >= 8 && time::civil(t, TimeFormat::Ymd).is_some()) {
            FieldType::Time(TimeFormat::Ymd)
        } else {
            FieldType::Text
        }
    }

    /// The decimal style of all number columns together.
    fn decimal(&mut self) {
        let columns: Vec<usize> = [Role::Price, Role::Total, Role::Discount, Role::Quantity]
            .iter()
            .filter_map(|r| self.mapping.column(*r))
            .filter_map(|name| self.header.iter().position(|h| h == name))
            .collect();
        let style = number::style(columns.iter().flat_map(|c| self.values(*c)));
        self.mapping.decimal = style.unwrap_or_default();
    }
}
