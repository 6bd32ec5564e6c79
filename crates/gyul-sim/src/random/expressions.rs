use super::events::{CATEGORIES, CHANNELS, GENDERS, PRODUCTS, REGIONS, SPANS, TAGS};
use super::{Config, Rng};
use gyul_model::{Date, Decimal, Duration, Instant, MICROS_DAY, Occasions, Period, Zone, names};
use gyul_segment::tree::*;

/// A well-typed library with every kind of expression, sooner or later.
pub fn library(rng: &mut Rng, zone: Zone) -> Library {
    library_with(rng, zone, &Config::default())
}

pub fn library_with(rng: &mut Rng, zone: Zone, config: &Config) -> Library {
    let mut g = Gen { rng, config, measures: vec![], segments: 0, classes: vec![], ranks: config.allow_ranks };
    let mut lib = Library {
        zone,
        currency: "KRW".into(),
        occasions: Occasions::builtin(),
        measures: vec![],
        segments: vec![],
        partitions: vec![],
    };
    for i in 0..config.measures {
        let expr = match g.rng.below(4) {
            0 | 1 => g.num(1),
            2 => g.dur(1),
            _ => g.instant(),
        };
        g.measures.push(expr.ty);
        lib.measures.push(Measure { id: format!("m{i}"), name: Words::default(), expr, source: String::new() });
    }
    // Partitions come in between, so that the segments after them can ask for a class.
    let half = config.segments / 2;
    for i in 0..config.segments {
        if i == half {
            lib.partitions = (0..config.partitions).map(|p| g.partition(p)).collect();
        }
        let when = g.bool(config.depth);
        g.segments += 1;
        lib.segments.push(Segment { id: format!("s{i}"), about: About::default(), when, source: String::new() });
    }
    if half >= config.segments {
        lib.partitions = (0..config.partitions).map(|p| g.partition(p)).collect();
    }
    lib
}

struct Gen<'a> {
    rng: &'a mut Rng,
    config: &'a Config,
    /// Types of the measures so far.
    measures: Vec<Type>,
    /// How many segments there are so far.
    segments: usize,
    /// Number of classes of each partition so far, `otherwise` included.
    classes: Vec<usize>,
    /// Off inside a rank's population, most of the time: ranks of ranks of ranks are slow.
    ranks: bool,
}

fn e(kind: Kind, ty: Type) -> Expr {
    Expr { kind, ty, span: Span::default() }
}

fn b(e: Expr) -> Box<Expr> {
    Box::new(e)
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|t| t.to_string()).collect()
}

impl Gen<'_> {
    fn partition(&mut self, p: usize) -> Partition {
        let n = 1 + self.rng.below(3);
        let class = |g: &mut Self, k: usize| Class {
            id: format!("k{k}"),
            about: About::default(),
            when: g.bool(1),
            source: String::new(),
        };
        let classes = (0..n).map(|k| class(self, k)).collect();
        self.classes.push(n + 1);
        let otherwise = Otherwise { id: "other".into(), about: About::default() };
        Partition { id: format!("p{p}"), about: About::default(), classes, otherwise }
    }

    fn cmp(&mut self) -> Cmp {
        self.rng.choose(&[Cmp::Eq, Cmp::Ne, Cmp::Lt, Cmp::Le, Cmp::Gt, Cmp::Ge])
    }

    fn equality(&mut self) -> Cmp {
        self.rng.choose(&[Cmp::Eq, Cmp::Eq, Cmp::Ne])
    }

    // ---- constants

    fn small(&mut self) -> Expr {
        e(Kind::Num(Decimal::from(self.rng.between(-1, 4))), Type::Num)
    }

    fn money(&mut self) -> Expr {
        let d = Decimal::new(self.rng.between(-2, 20) * 25, self.rng.choose(&[0, 0, 1, 2]));
        e(Kind::Num(d), Type::Num)
    }

    fn span(&mut self) -> Expr {
        e(Kind::Dur(self.rng.choose(SPANS)), Type::Dur)
    }

    fn date(&mut self) -> Expr {
        let (m, d) = self.rng.choose(&[(2, 28), (2, 29), (3, 10), (9, 17), (11, 3), (12, 31)]);
        let date = Date::new(2024, m, d).unwrap_or(Date(19_800));
        e(Kind::Date(Date(date.0 + self.rng.between(-1, 1) as i32)), Type::Date)
    }

    fn fixed_instant(&mut self) -> Expr {
        let Kind::Date(d) = self.date().kind else { return e(Kind::Now, Type::Instant) };
        e(Kind::Instant(Instant(i64::from(d.0) * MICROS_DAY)), Type::Instant)
    }

    // ---- the customer

    fn bool(&mut self, depth: u32) -> Expr {
        let kind = if depth > 0 && self.rng.percent(60) {
            let list = |g: &mut Self| (0..2 + g.rng.below(2)).map(|_| g.bool(depth - 1)).collect();
            match self.rng.below(3) {
                0 => Kind::Not(b(self.bool(depth - 1))),
                1 => Kind::And(list(self)),
                _ => Kind::Or(list(self)),
            }
        } else {
            self.condition()
        };
        e(kind, Type::Bool)
    }

    fn condition(&mut self) -> Kind {
        loop {
            return match self.rng.below(22) {
                0..=3 => Kind::Cmp(self.cmp(), b(self.num(1)), b(self.small())),
                4 | 5 => Kind::Cmp(self.cmp(), b(self.num(1)), b(self.money())),
                6 => Kind::Cmp(self.cmp(), b(self.num(1)), b(self.num(1))),
                7 | 8 => Kind::Cmp(self.cmp(), b(self.dur(1)), b(self.span())),
                9 => Kind::Cmp(self.cmp(), b(self.instant()), b(self.instant())),
                10 => self.on_text(),
                11 => {
                    let known = match self.rng.below(4) {
                        0 => self.num(1),
                        1 => self.dur(1),
                        2 => self.text(),
                        _ => self.trait_of(&["points", "consent.email", "joined", "tags", "never"]),
                    };
                    Kind::IsKnown(b(known))
                }
                12 => Kind::InNum(b(self.num(0)), vec![Decimal::from(0), Decimal::from(2), Decimal::new(125, 1)]),
                13 => self.trait_of(&["consent.email", "consent.email", "gender"]).kind,
                14 => {
                    let value = e(Kind::Bool(self.rng.percent(50)), Type::Bool);
                    Kind::Cmp(self.equality(), b(self.trait_of(&["consent.email"])), b(value))
                }
                15 => Kind::Contains(b(self.trait_of(&["tags", "region"])), self.rng.pick(TAGS).into()),
                16 if self.config.allow_calendar => {
                    if self.rng.percent(50) {
                        Kind::Cmp(self.cmp(), b(e(Kind::Today, Type::Date)), b(self.date()))
                    } else {
                        self.near_occasion(Kind::Today)
                    }
                }
                17 if self.segments > 0 => Kind::InSegment(self.rng.below(self.segments)),
                18 if !self.classes.is_empty() => {
                    let partition = self.rng.below(self.classes.len());
                    Kind::InClass { partition, class: self.rng.below(self.classes[partition]) }
                }
                19 if self.ranks => self.rank(),
                20 => {
                    let percent = Decimal::new(self.rng.between(0, 1000), 1);
                    Kind::Sample { percent, salt: self.rng.pick(&["a", "b"]).into() }
                }
                21 if self.rng.percent(20) => Kind::Bool(self.rng.percent(50)),
                _ => continue,
            };
        }
    }

    fn on_text(&mut self) -> Kind {
        let text = b(self.text());
        let all: Vec<&str> = [GENDERS, REGIONS, CHANNELS, PRODUCTS, CATEGORIES].concat();
        match self.rng.below(8) {
            0 | 1 => {
                let constant = e(Kind::Text(self.rng.pick(&all).into()), Type::Text);
                Kind::Cmp(self.equality(), text, b(constant))
            }
            2 => Kind::Cmp(self.equality(), text, b(self.text())),
            3 => Kind::InText(text, texts(&["female", "web", "p1", "tea", "KR-11"])),
            4 => Kind::StartsWith(text, self.rng.pick(&["te", "p", "KR", "f"]).into()),
            5 => Kind::EndsWith(text, self.rng.pick(&["a", "1", "male"]).into()),
            6 => self.matches(text),
            _ => Kind::Within(text, self.rng.pick(&["KR", "KR-11", "tea"]).into()),
        }
    }

    fn matches(&mut self, text: Box<Expr>) -> Kind {
        let source = self.rng.pick(&["^te", "a$", "[12]", "male|app"]);
        match regex::Regex::new(source) {
            Ok(regex) => Kind::Matches(text, Pattern1 { text: source.into(), regex }),
            Err(_) => Kind::Bool(false),
        }
    }

    fn near_occasion(&mut self, date: Kind) -> Kind {
        let occasion = self.rng.pick(&["chuseok", "christmas", "no such day"]).to_string();
        Kind::NearOccasion { date: b(e(date, Type::Date)), occasion, days: self.rng.choose(&[0, 1, 3, 14]) }
    }

    fn trait_of(&mut self, names: &[&str]) -> Expr {
        e(Kind::Trait(self.rng.pick(names).into()), Type::Any)
    }

    fn text(&mut self) -> Expr {
        match self.rng.below(3) {
            0 => self.trait_of(&["gender", "region", "birth_date"]),
            1 => self.trait_of(&["gender", "region", "points"]),
            _ => {
                let op = self.rng.choose(&[AggOp::First, AggOp::Last, AggOp::Mode]);
                let value = self.prop(&["channel", "product_id", "category"]);
                self.agg(op, Some(value), Type::Any)
            }
        }
    }

    fn num(&mut self, depth: u32) -> Expr {
        if depth > 0 && self.rng.percent(25) {
            let op = self.rng.choose(&[Arith::Add, Arith::Sub, Arith::Mul, Arith::Div]);
            let (x, y) = match op {
                Arith::Div if self.rng.percent(40) => (self.dur(0), self.dur(0)),
                _ => (self.num(0), self.num(0)),
            };
            return e(Kind::Arith(op, b(x), b(y)), Type::Num);
        }
        match self.rng.below(12) {
            0 | 1 => self.agg(AggOp::Count, None, Type::Num),
            2 | 3 => {
                let op = self.rng.choose(&[AggOp::Sum, AggOp::Sum, AggOp::Avg, AggOp::Min, AggOp::Max]);
                let value = self.event_num(1);
                self.agg(op, Some(value), Type::Num)
            }
            4 => {
                let op = self.rng.choose(&[AggOp::First, AggOp::Last, AggOp::Mode]);
                let value = self.event_num(0);
                self.agg(op, Some(value), Type::Any)
            }
            5 => {
                let value = self.prop(&["product_id", "category", "channel", "total", "gift"]);
                self.agg(AggOp::Distinct, Some(value), Type::Num)
            }
            6 => self.trait_of(&["points", "points", "gender"]),
            7 if self.config.allow_calendar => {
                if self.rng.percent(50) {
                    let period = self.rng.choose(&[Period::Day, Period::Week, Period::Month]);
                    self.agg(AggOp::Streak(period), None, Type::Num)
                } else {
                    self.agg(AggOp::Days, None, Type::Num)
                }
            }
            8 if self.config.allow_calendar => e(Kind::Age, Type::Num),
            9 if self.config.allow_patterns => e(Kind::Pattern(Box::new(self.pattern())), Type::Num),
            10 if self.measures.contains(&Type::Num) => self.measure(Type::Num),
            11 if self.ranks => e(self.number_rank(), Type::Num),
            _ => self.agg(AggOp::Count, None, Type::Num),
        }
    }

    fn measure(&mut self, ty: Type) -> Expr {
        let fitting: Vec<usize> = (0..self.measures.len()).filter(|i| self.measures[*i] == ty).collect();
        e(Kind::Measure(self.rng.choose(&fitting)), ty)
    }

    fn dur(&mut self, depth: u32) -> Expr {
        if depth > 0 && self.rng.percent(20) {
            let op = self.rng.choose(&[Arith::Add, Arith::Sub, Arith::Mul, Arith::Div]);
            let second = if matches!(op, Arith::Add | Arith::Sub) { self.dur(0) } else { self.small() };
            return e(Kind::Arith(op, b(self.dur(0)), b(second)), Type::Dur);
        }
        match self.rng.below(6) {
            0 => self.agg(AggOp::LongestGap, None, Type::Dur),
            1 => self.agg(AggOp::AverageGap, None, Type::Dur),
            2 => {
                let op = self.rng.choose(&[AggOp::Sum, AggOp::Avg, AggOp::Min, AggOp::Max, AggOp::Last]);
                let value = self.event_dur();
                self.agg(op, Some(value), Type::Dur)
            }
            3 if self.measures.contains(&Type::Dur) => self.measure(Type::Dur),
            _ => {
                let since = self.instant();
                e(Kind::Arith(Arith::Sub, b(e(Kind::Now, Type::Instant)), b(since)), Type::Dur)
            }
        }
    }

    fn instant(&mut self) -> Expr {
        match self.rng.below(9) {
            0..=3 => {
                let op = self.rng.choose(&[AggOp::FirstAt, AggOp::LastAt]);
                self.agg(op, None, Type::Instant)
            }
            4 => {
                let op = self.rng.choose(&[AggOp::First, AggOp::Last, AggOp::Min, AggOp::Max]);
                let value = if self.rng.percent(50) { self.prop(&["ship_by"]) } else { e(Kind::Ts, Type::Instant) };
                self.agg(op, Some(value), Type::Instant)
            }
            5 => self.trait_of(&["joined"]),
            6 if self.measures.contains(&Type::Instant) => self.measure(Type::Instant),
            7 => self.fixed_instant(),
            _ => self.ago(),
        }
    }

    fn ago(&mut self) -> Expr {
        let kind = match self.rng.below(4) {
            0 if self.config.allow_calendar => Kind::Ago(Duration::Months(self.rng.choose(&[1, 12]))),
            1 if self.config.allow_calendar => Kind::EndOf { period: self.period(), back: self.rng.choose(&[1, 1, 2]) },
            _ => Kind::Ago(Duration::Exact(self.rng.choose(SPANS))),
        };
        e(kind, Type::Instant)
    }

    fn period(&mut self) -> Period {
        self.rng.choose(&[Period::Day, Period::Week, Period::Month, Period::Quarter, Period::Year])
    }

    fn rank(&mut self) -> Kind {
        let p = Decimal::from(self.rng.choose(&[1, 20, 50, 75, 100]));
        let kind =
            self.rng.choose(&[RankKind::Top(p), RankKind::Bottom(p), RankKind::AboveAverage, RankKind::BelowAverage]);
        self.rank_of(kind)
    }

    fn number_rank(&mut self) -> Kind {
        let kind = self.rng.choose(&[RankKind::Quintile, RankKind::Percentile]);
        self.rank_of(kind)
    }

    fn rank_of(&mut self, kind: RankKind) -> Kind {
        let nested = self.ranks && self.rng.percent(15);
        let outer = std::mem::replace(&mut self.ranks, nested);
        let x = match self.rng.below(5) {
            0 => self.dur(0),
            1 => self.instant(),
            _ => self.num(1),
        };
        let among = self.rng.percent(40).then(|| self.bool(0));
        self.ranks = outer;
        Kind::Rank(Box::new(Rank { kind, x, among }))
    }

    // ---- aggregates

    fn agg(&mut self, op: AggOp, value: Option<Expr>, ty: Type) -> Expr {
        let select = self.select(true);
        let window = self.window();
        let last = self.rng.percent(15).then(|| self.rng.choose(&[1, 2, 3]));
        e(Kind::Agg(Box::new(Agg { op, select, value, window, last })), ty)
    }

    fn names(&mut self) -> Names {
        match self.rng.below(10) {
            0 => Names::Any,
            1 => Names::Of(texts(&[names::ITEM, names::VIEW])),
            2 => Names::Of(texts(&[names::ORDER, names::SENT])),
            3 => Names::Of(texts(&[self.rng.pick(&["Never Happened", names::IDENTIFY])])),
            4 => Names::Of(texts(&[names::ITEM])),
            5 => Names::Of(texts(&[names::VIEW])),
            _ => Names::Of(texts(&[names::ORDER])),
        }
    }

    fn select(&mut self, near: bool) -> EventSelect {
        let events = self.names();
        let filter = self.rng.percent(40).then(|| self.event_bool(1, near));
        EventSelect { events, filter }
    }

    fn window(&mut self) -> Window {
        let window = |after, until| Window { after, until };
        match self.rng.below(10) {
            0..=2 => window(None, None),
            3 => {
                let since = self.rng.choose(&[AggOp::LastAt, AggOp::FirstAt]);
                let select = EventSelect { events: self.names(), filter: None };
                let agg = Agg { op: since, select, value: None, window: Window::default(), last: None };
                window(Some(e(Kind::Agg(Box::new(agg)), Type::Instant)), None)
            }
            4 => {
                let bound = if self.rng.percent(50) { self.fixed_instant() } else { self.trait_of(&["joined"]) };
                if self.rng.percent(50) { window(Some(bound), None) } else { window(None, Some(bound)) }
            }
            5 if self.config.allow_calendar => {
                let (period, back) = (self.period(), self.rng.choose(&[1, 1, 2]));
                let end = |back| Some(e(Kind::EndOf { period, back }, Type::Instant));
                window(end(back), if back == 1 { None } else { end(back - 1) })
            }
            6 => {
                let (x, y) = (self.rng.choose(SPANS), self.rng.choose(SPANS));
                let ago = |us: i64| Some(e(Kind::Ago(Duration::Exact(us)), Type::Instant));
                window(ago(x.max(y)), ago(x.min(y)))
            }
            _ => window(Some(self.ago()), None),
        }
    }

    fn pattern(&mut self) -> Pattern {
        let by = self.rng.percent(30).then(|| self.rng.pick(&["product_id", "channel"]).to_string());
        let n = 1 + self.rng.below(3);
        let steps = (0..n).map(|i| {
            let select = if by.is_some() {
                let events = Names::Of(texts(&[self.rng.pick(&[names::VIEW, names::ITEM, names::ORDER, names::SENT])]));
                EventSelect { events, filter: None }
            } else {
                self.select(false)
            };
            let within = (i > 0 && self.rng.percent(30)).then(|| self.rng.choose(SPANS));
            let without = if i > 0 && self.rng.percent(30) { vec![self.select(false)] } else { vec![] };
            Step { select, within, without }
        });
        let steps = steps.collect();
        let within = self.rng.percent(40).then(|| self.rng.choose(SPANS));
        Pattern { steps, within, by, window: self.window() }
    }

    // ---- one event

    fn prop(&mut self, names: &[&str]) -> Expr {
        e(Kind::Prop(self.rng.pick(names).into()), Type::Any)
    }

    fn event_num(&mut self, depth: u32) -> Expr {
        if depth > 0 && self.rng.percent(20) {
            let op = self.rng.choose(&[Arith::Add, Arith::Mul, Arith::Sub, Arith::Div]);
            return e(Kind::Arith(op, b(self.event_num(0)), b(self.event_num(0))), Type::Num);
        }
        match self.rng.below(8) {
            0 => e(Kind::Nth, Type::Num),
            1 if self.config.allow_calendar => e(Kind::Hour, Type::Num),
            2 if self.config.allow_calendar => e(Kind::Weekday, Type::Num),
            3 => self.prop(&["quantity", "channel", "never"]),
            _ => self.prop(&["total", "total", "price", "quantity"]),
        }
    }

    fn event_dur(&mut self) -> Expr {
        if self.rng.percent(60) {
            return e(Kind::Gap, Type::Dur);
        }
        let (x, y) = (self.prop(&["ship_by"]), e(Kind::Ts, Type::Instant));
        e(Kind::Arith(Arith::Sub, b(x), b(y)), Type::Dur)
    }

    fn event_bool(&mut self, depth: u32, near: bool) -> Expr {
        if depth > 0 && self.rng.percent(30) {
            let (x, y) = (self.event_bool(0, near), self.event_bool(0, near));
            let kind = match self.rng.below(3) {
                0 => Kind::Not(b(x)),
                1 => Kind::And(vec![x, y]),
                _ => Kind::Or(vec![x, y]),
            };
            return e(kind, Type::Bool);
        }
        let kind = loop {
            break match self.rng.below(13) {
                0..=2 => Kind::Cmp(self.cmp(), b(self.event_num(0)), b(self.money())),
                3 => Kind::Cmp(self.cmp(), b(self.event_num(1)), b(self.small())),
                4 => {
                    let value = e(Kind::Text(self.rng.pick(&["p1", "web", "tea"]).into()), Type::Text);
                    Kind::Cmp(self.equality(), b(self.prop(&["product_id", "channel", "category"])), b(value))
                }
                5 => Kind::InText(b(self.prop(&["product_id", "channel", "total"])), texts(&["p1", "p2", "app"])),
                6 => self.prop(&["gift"]).kind,
                7 => Kind::Cmp(self.cmp(), b(self.event_dur()), b(self.span())),
                8 => Kind::IsKnown(b(self.prop(&["total", "category", "ship_by", "labels", "gift"]))),
                9 => Kind::Contains(b(self.prop(&["labels", "category"])), self.rng.pick(TAGS).into()),
                10 => {
                    let name = e(Kind::Text(self.rng.pick(&[names::ORDER, names::VIEW]).into()), Type::Text);
                    Kind::Cmp(self.equality(), b(e(Kind::EventName, Type::Text)), b(name))
                }
                11 if self.config.allow_calendar => {
                    if self.rng.percent(50) {
                        Kind::Cmp(self.cmp(), b(e(Kind::LocalDate, Type::Date)), b(self.date()))
                    } else {
                        self.near_occasion(Kind::LocalDate)
                    }
                }
                12 if near && self.config.allow_near => {
                    let direction = self.rng.choose(&[Direction::After, Direction::Before]);
                    let within = self.rng.percent(70).then(|| self.rng.choose(SPANS));
                    Kind::Near(Box::new(Near { direction, select: self.select(false), within }))
                }
                _ => continue,
            };
        };
        e(kind, Type::Bool)
    }
}
