//! One customer's life in the shop: who they are, what they buy and what else they do.
//!
//! Orders follow the BG/NBD model: a rate from a gamma distribution, and after each order the customer stays away
//! for good with a probability of their own from a beta distribution. Occasions, weekdays and hours then shift the instants.
//! Instants are seconds of the Korean wall clock since 1970-01-01.

use super::catalogue::*;
use super::chance::Chance;
use gyul_model::{Date, Occasions};

pub const DAY: i64 = 86_400;
const YEAR: f64 = 365.0 * 86_400.0;

/// What the days are like that the shop is open for.
pub struct Season {
    pub start: i64,
    pub end: i64,
    /// For each day how much people shop, and the category that the day's occasion is about.
    days: Vec<(f64, Option<usize>)>,
    /// First seconds of the days that occasion buyers wait for.
    occasions: Vec<i64>,
    /// Instants of the campaigns of each channel.
    campaigns: [Vec<i64>; 4],
}

impl Season {
    pub fn new(start: Date, end: Date, chance: &mut Chance) -> Season {
        // Days before the occasion that count, how much more is bought, and what.
        const GIFTS: [(&str, i32, f64, Option<&str>); 10] = [
            ("seollal", 14, 1.7, Some("food")),
            ("chuseok", 14, 1.8, Some("food")),
            ("valentines_day", 7, 1.3, Some("snacks")),
            ("white_day", 7, 1.2, Some("snacks")),
            ("school_start", 10, 1.2, Some("bags")),
            ("childrens_day", 8, 1.3, Some("kids")),
            ("parents_day", 8, 1.4, Some("health")),
            ("pepero_day", 6, 1.6, Some("snacks")),
            ("black_friday", 3, 1.9, Some("digital")),
            ("christmas", 12, 1.5, None),
        ];
        let calendar = Occasions::builtin();
        let mut days: Vec<(f64, Option<usize>)> = (start.0..end.0)
            .map(|d| ([1.08, 1.05, 1.0, 1.0, 0.93, 0.85, 1.09][usize::from(Date(d).weekday() - 1) % 7], None))
            .collect();
        let mut occasions = vec![];
        for (id, before, more, about) in GIFTS {
            let about = about.and_then(|a| CATEGORIES.iter().position(|c| c.id == a));
            let dates = calendar.get(id).map(|o| o.dates.as_slice()).unwrap_or_default();
            for date in dates.iter().filter(|d| (start.0..end.0).contains(&d.0)) {
                occasions.push(i64::from(date.0) * DAY);
                for d in (date.0 - before).max(start.0)..=date.0 {
                    let (weight, category) = &mut days[(d - start.0) as usize];
                    // On the two great holidays themselves nobody shops.
                    *weight *= if d == date.0 && before == 14 { 0.4 } else { more };
                    *category = about.or(*category);
                }
            }
        }
        occasions.sort_unstable();
        let (start, end) = (i64::from(start.0) * DAY, i64::from(end.0) * DAY);
        let weeks = ((end - start) / (7 * DAY)).max(1) as usize;
        let campaigns = [0; 4].map(|_| {
            let mut all: Vec<i64> =
                (0..weeks).map(|_| chance.between(start, end) / DAY * DAY + chance.between(9, 20) * 3600).collect();
            all.sort_unstable();
            all
        });
        Season { start, end, days, occasions, campaigns }
    }

    fn day(&self, t: i64) -> (f64, Option<usize>) {
        self.days.get(((t - self.start) / DAY) as usize).copied().unwrap_or((0.0, None))
    }

    /// Moves an instant to a day nearby on which people shop, and to an hour at which they do.
    fn settle(&self, t: i64, chance: &mut Chance) -> i64 {
        const HOURS: [f64; 24] = [
            1.6, 0.8, 0.4, 0.2, 0.2, 0.3, 0.7, 1.4, 2.2, 3.2, 4.2, 4.4, 4.8, 4.2, 3.8, 3.8, 3.9, 4.0, 4.2, 4.8, 5.6,
            6.4, 6.2, 4.0,
        ];
        let candidates = [0; 5].map(|_| t / DAY + chance.between(-10, 11));
        let day = candidates[chance.weighted(&candidates.map(|d| self.day(d * DAY).0 + 1e-9))];
        let t = day * DAY + chance.weighted(&HOURS) as i64 * 3600 + chance.between(0, 3600);
        t.clamp(self.start, self.end - 1)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    OccasionBuyer,
    DiscountSeeker,
    CategoryLoyal,
    Regular,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::OccasionBuyer => "occasion_buyer",
            Kind::DiscountSeeker => "discount_seeker",
            Kind::CategoryLoyal => "category_loyal",
            Kind::Regular => "regular",
        }
    }
}

/// The truth about a customer, of which the shop sees the consequences only.
pub struct Customer {
    pub number: usize,
    pub name: String,
    pub gender: &'static str,
    pub birth: Date,
    pub region: &'static str,
    pub phone: String,
    /// When each channel was consented to.
    pub consents: [Option<i64>; 4],
    pub signup: i64,
    pub source: &'static str,
    pub kind: Kind,
    /// Orders a year while alive.
    pub rate: f64,
    /// Of staying away for good after an order.
    pub dropout: f64,
    pub dropped_out: Option<i64>,
    pub coupons: f64,
    pub favourites: [usize; 2],
    /// How often it is a favourite that is bought.
    pub loyalty: f64,
    opens: [f64; 4],
    clicks: [f64; 4],
}

pub struct Line {
    pub product: usize,
    pub quantity: i64,
    /// Won off the line.
    pub discount: i64,
}

pub struct Order {
    pub at: i64,
    pub lines: Vec<Line>,
    pub coupon: Option<&'static str>,
    /// When it was sent back, if it was.
    pub refunded: Option<i64>,
}

pub enum What {
    Page(u8),
    View(usize),
    Search(&'static str),
    Add { product: usize, quantity: i64 },
    Checkout { value: i64 },
    LogIn,
    Review { product: usize, stars: usize, words: (usize, usize) },
    Survey { score: i64 },
    Sent { channel: usize, campaign: usize },
    Opened { channel: usize, campaign: usize },
    Clicked { channel: usize, campaign: usize },
    Unsubscribed { channel: usize },
}

impl Customer {
    pub fn new(number: usize, season: &Season, chance: &mut Chance) -> Customer {
        let first_day = season.start - 2 * 365 * DAY;
        let signup = season.end - (chance.beta(1.0, 0.9) * (season.end - first_day) as f64) as i64 - DAY;
        let gender = ["여", "남", ""][chance.weighted(&[0.56, 0.41, 0.03])];
        let given = if gender == "남" { MALE } else { FEMALE };
        let name = SURNAMES[chance.weighted(&SURNAMES.map(|s| s.1))].0.to_string() + given[chance.below(given.len())];
        let age = (14.0 + chance.gamma(3.2) * 7.5).min(88.0);
        let consents = [0.58, 0.45, 0.52, 0.37].map(|p| {
            chance.happens(p).then(|| signup + if chance.happens(0.7) { 0 } else { chance.between(0, 120 * DAY) })
        });
        let coupons = chance.beta(0.6, 1.2);
        let loyalty = chance.beta(2.5, 1.2);
        let kind = match () {
            _ if chance.happens(0.04) => Kind::OccasionBuyer,
            _ if coupons > 0.75 => Kind::DiscountSeeker,
            _ if loyalty > 0.9 => Kind::CategoryLoyal,
            _ => Kind::Regular,
        };
        let favourite = chance.popular(CATEGORIES.len());
        Customer {
            number,
            name,
            gender,
            birth: Date((season.end / DAY) as i32 - (age * 365.25) as i32),
            region: REGIONS[chance.weighted(&REGIONS.map(|r| r.1))].0,
            // 010-0 and 010-1 are given to nobody.
            phone: format!("010-{:04}-{:04}", chance.below(2000), chance.below(10_000)),
            consents: consents.map(|c| c.filter(|t| *t < season.end)),
            signup,
            source: SOURCES[chance.weighted(&SOURCES.map(|s| s.1))].0,
            kind,
            rate: (chance.gamma(0.75) * 3.2 / 0.75).max(1e-3),
            dropout: chance.beta(0.9, 3.0),
            dropped_out: None,
            coupons,
            favourites: [favourite, (favourite + 1 + chance.below(4)) % CATEGORIES.len()],
            loyalty,
            opens: [0; 4].map(|_| chance.beta(1.2, 3.0)),
            clicks: [0; 4].map(|_| chance.beta(1.0, 2.5)),
        }
    }

    /// The channel whose messages are opened and clicked most, of those that were consented to.
    pub fn preferred_channel(&self) -> Option<&'static str> {
        let open = (0..4).filter(|c| self.consents[*c].is_some());
        let liking = |c: &usize| self.opens[*c] * self.clicks[*c];
        open.max_by(|a, b| liking(a).total_cmp(&liking(b))).map(|c| CHANNELS[c])
    }

    /// Expected number of orders in so many days after the end: `(1 - e^(-λpt)) / p` while alive.
    pub fn expected_orders(&self, days: f64) -> f64 {
        let mean = self.rate * days / 365.0;
        match self.dropped_out {
            Some(_) => 0.0,
            None if self.dropout * mean < 1e-9 => mean,
            None => -(-self.dropout * mean).exp_m1() / self.dropout,
        }
    }

    fn category(&self, chance: &mut Chance) -> usize {
        match () {
            _ if !chance.happens(self.loyalty) => chance.below(CATEGORIES.len()),
            _ if chance.happens(0.7) => self.favourites[0],
            _ => self.favourites[1],
        }
    }

    fn product(&self, chance: &mut Chance) -> usize {
        self.category(chance) * PRODUCTS + chance.popular(PRODUCTS)
    }

    /// All orders, ascending; finds out when the customer drops out.
    pub fn orders(&mut self, season: &Season, products: &[Product], chance: &mut Chance) -> Vec<Order> {
        let mut instants = vec![];
        let begin = self.signup.max(season.start);
        let mut t = begin as f64;
        loop {
            t += chance.exponential() * YEAR / self.rate;
            if t >= season.end as f64 {
                break;
            }
            let at = match self.kind {
                Kind::OccasionBuyer => self.next_occasion(t as i64, season, chance),
                _ => Some(season.settle(t as i64, chance).max(begin)),
            };
            let Some(at) = at else { break };
            instants.push(at);
            if chance.happens(self.dropout) {
                self.dropped_out = Some(at);
                break;
            }
        }
        instants.sort_unstable();
        // Two orders never share a second, so that a sequence of events is one.
        for i in 1..instants.len() {
            instants[i] = instants[i].max(instants[i - 1] + 1);
        }
        self.dropped_out = self.dropped_out.and(instants.last().copied());
        instants.into_iter().map(|at| self.order(at, season, products, chance)).collect()
    }

    /// An instant in the days before one of the next occasions.
    fn next_occasion(&self, t: i64, season: &Season, chance: &mut Chance) -> Option<i64> {
        let next = season.occasions.partition_point(|o| *o < t + 7 * DAY) + chance.below(3);
        let day = *season.occasions.get(next)? - chance.between(0, 7) * DAY;
        Some(day + chance.between(8 * 3600, DAY))
    }

    fn order(&self, at: i64, season: &Season, products: &[Product], chance: &mut Chance) -> Order {
        let coupon = chance.happens(self.coupons).then(|| *chance.pick(&COUPONS));
        let gift = season.day(at).1.filter(|_| chance.happens(0.45));
        let lines = (0..chance.geometric(0.34, 6)).map(|_| {
            let product = match gift {
                Some(category) => category * PRODUCTS + chance.popular(PRODUCTS),
                None => self.product(chance),
            };
            let quantity = chance.geometric(0.24, 9) as i64;
            let off = if coupon.is_some() { 12 } else { 0 };
            Line { product, quantity, discount: products[product].price * quantity * off / 100 }
        });
        let mut lines: Vec<Line> = lines.collect();
        lines.sort_by_key(|l| l.product);
        lines.dedup_by_key(|l| l.product);
        let refunded = chance.happens(0.05).then(|| at + chance.between(DAY / 2, 12 * DAY)).filter(|t| *t < season.end);
        Order { at, lines, coupon, refunded }
    }

    /// Everything but the orders, in order of time.
    pub fn events(
        &self,
        season: &Season,
        orders: &[Order],
        products: &[Product],
        chance: &mut Chance,
    ) -> Vec<(i64, What)> {
        let mut out = vec![];
        let begin = self.signup.max(season.start);
        for order in orders {
            self.around(order, products, chance, &mut out);
        }
        self.sessions(begin, season, products, chance, &mut out);
        for channel in 0..4 {
            if let Some(since) = self.consents[channel] {
                self.messages(channel, since, season, chance, &mut out);
            }
        }
        out.retain(|(t, _)| (begin..season.end).contains(t));
        out.sort_by_key(|(t, _)| *t);
        out
    }

    /// What surrounds an order: the visit before it, and opinions after it.
    fn around(&self, order: &Order, products: &[Product], chance: &mut Chance, out: &mut Vec<(i64, What)>) {
        let at = order.at;
        for line in &order.lines {
            out.push((at - chance.between(310, 900), What::View(line.product)));
            out.push((at - chance.between(100, 300), What::Add { product: line.product, quantity: line.quantity }));
        }
        let value = order.lines.iter().map(|l| products[l.product].price * l.quantity).sum();
        out.push((at - chance.between(20, 90), What::Checkout { value }));
        if chance.happens(0.5) {
            out.push((at - chance.between(901, 950), What::LogIn));
        }
        if chance.happens(0.09) {
            let stars = if order.refunded.is_some() {
                1 + chance.below(2)
            } else {
                1 + chance.weighted(&[0.04, 0.05, 0.13, 0.3, 0.48])
            };
            let product = order.lines[chance.below(order.lines.len())].product;
            out.push((
                at + chance.between(DAY, 20 * DAY),
                What::Review { product, stars, words: (chance.below(4), chance.below(4)) },
            ));
        }
        if chance.happens(0.05) {
            let score = (7.6 + 2.2 * chance.normal()).round().clamp(0.0, 10.0) as i64;
            out.push((at + chance.between(3600, 10 * DAY), What::Survey { score }));
        }
    }

    fn sessions(
        &self,
        begin: i64,
        season: &Season,
        products: &[Product],
        chance: &mut Chance,
        out: &mut Vec<(i64, What)>,
    ) {
        let years = (season.end - begin) as f64 / YEAR;
        let last = self.dropped_out.map_or(season.end, |t| (t + 20 * DAY).min(season.end));
        for _ in 0..chance.poisson(chance_weight(self.rate) * years) {
            let until = if chance.happens(0.92) { last } else { season.end };
            let mut t = season.settle(chance.between(begin, until), chance);
            if chance.happens(0.25) {
                out.push((t, What::LogIn));
            }
            let category = self.category(chance);
            if chance.happens(0.28) {
                t += chance.between(5, 60);
                out.push((t, What::Search(query(category, chance.below(8)))));
            }
            for _ in 0..chance.geometric(0.45, 12) {
                t += chance.between(5, 90);
                out.push((t, What::Page(chance.below(4) as u8)));
            }
            let mut seen = None;
            for _ in 0..chance.poisson(1.35) {
                t += chance.between(20, 200);
                let product = category * PRODUCTS + chance.popular(PRODUCTS);
                out.push((t, What::View(product)));
                seen = Some(product);
            }
            let Some(product) = seen.filter(|_| chance.happens(0.18)) else { continue };
            t += chance.between(10, 300);
            let quantity = chance.geometric(0.25, 9) as i64;
            out.push((t, What::Add { product, quantity }));
            if chance.happens(0.33) {
                out.push((t + chance.between(30, 300), What::Checkout { value: products[product].price * quantity }));
            }
        }
    }

    fn messages(&self, channel: usize, since: i64, season: &Season, chance: &mut Chance, out: &mut Vec<(i64, What)>) {
        let share = [0.35, 0.06, 0.2, 0.23][channel];
        let campaigns = &season.campaigns[channel];
        let first = campaigns.partition_point(|t| *t < since);
        for (campaign, sent) in campaigns.iter().enumerate().skip(first) {
            if !chance.happens(share) {
                continue;
            }
            let sent = sent + chance.between(0, 1800);
            out.push((sent, What::Sent { channel, campaign }));
            let gone = self.dropped_out.is_some_and(|t| sent > t + 60 * DAY);
            if !chance.happens(self.opens[channel] * if gone { 0.25 } else { 1.0 }) {
                continue;
            }
            let opened = sent + 2 + (chance.exponential() * 5.0 * 3600.0) as i64;
            out.push((opened, What::Opened { channel, campaign }));
            if chance.happens(self.clicks[channel]) {
                out.push((opened + chance.between(3, 400), What::Clicked { channel, campaign }));
            }
            if chance.happens(0.004) {
                out.push((opened + 30, What::Unsubscribed { channel }));
                break;
            }
        }
    }
}

/// Visits a year: those who buy more often look in more often.
fn chance_weight(rate: f64) -> f64 {
    3.0 + 4.0 * rate.sqrt()
}
