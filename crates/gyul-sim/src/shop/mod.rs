//! A synthetic Korean online shop with known truth: the same seed and end give the same bytes, one customer at a time.
//!
//! Nobody in it exists: names are drawn from lists, mail goes to example.com, telephone numbers are from ranges
//! that are given to nobody.

mod catalogue;
mod chance;
mod files;
mod life;

pub use chance::Chance;

use catalogue::products;
use files::Files;
use gyul_model::{Date, Instant, Zone};
use life::{Customer, Season};
use std::io::{self, Write};

#[derive(Clone, Debug)]
pub struct Options {
    pub customers: usize,
    pub months: u32,
    pub seed: u64,
    /// The first local day that is not part of the data.
    pub end: Date,
    /// Share of the order rows that are spoiled, `0.0` to `1.0`: repeated, wrong, or dated in another form.
    pub dirty: f64,
}

impl Options {
    pub fn new(customers: usize, months: u32, seed: u64, end: Date) -> Options {
        Options { customers, months: months.clamp(1, 120), seed, end, dirty: 0.0 }
    }
}

/// What was written: rows of each file, and what was spoiled on purpose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub customers: usize,
    pub orders: usize,
    pub refunds: usize,
    /// Rows of `orders.csv`, the header aside, spoiled ones included.
    pub order_rows: usize,
    /// Lines of `events.jsonl`.
    pub events: usize,
    /// Rows that repeat the row before them byte for byte.
    pub repeated: usize,
    /// Rows that cannot be taken: no customer, an impossible date, or no amount and quantity.
    pub wrong: usize,
    /// Good rows with the date in another form.
    pub redated: usize,
}

/// Opens a file of the given name for writing.
pub type Open<'a> = dyn FnMut(&str) -> io::Result<Box<dyn Write>> + 'a;

/// Writes `profiles.csv`, `orders.csv`, `events.jsonl`, `truth.csv` and `README.md`. Memory does not grow with the shop.
pub fn generate(options: &Options, open: &mut Open) -> io::Result<Counts> {
    let end = Zone::seoul().midnight(options.end);
    let start = Zone::seoul().date(Zone::seoul().plus_months(end, -(options.months as i32)));
    let season = Season::new(start, options.end, &mut Chance::new(options.seed, u64::MAX));
    let products = products();
    let mut files = Files::open(open, &products, options.seed, options.dirty)?;
    for number in 0..options.customers {
        // A chance of its own for each customer: a larger shop begins with the customers of a smaller one.
        let chance = &mut Chance::new(options.seed, number as u64);
        let mut customer = Customer::new(number + 1, &season, chance);
        let orders = customer.orders(&season, &products, chance);
        let events = customer.events(&season, &orders, &products, chance);
        files.customer(&customer, &orders, &events)?;
    }
    files.finish(open, options, start)
}

/// The instant at which the data end.
pub fn end_of(options: &Options) -> Instant {
    Zone::seoul().midnight(options.end)
}

#[cfg(test)]
mod tests;
