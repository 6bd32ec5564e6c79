//! The shop's exports, as a Korean shop system would write them.

use super::catalogue::*;
use super::chance::Chance;
use super::life::{Customer, DAY, Order, What};
use super::{Counts, Open, Options};
use gyul_model::Date;
use std::io::{self, BufWriter, Write};

type Out = BufWriter<Box<dyn Write>>;

pub struct Files<'a> {
    products: &'a [Product],
    profiles: Out,
    orders: Out,
    events: Out,
    truth: Out,
    dirt: Chance,
    dirty: f64,
    counts: Counts,
    row: Vec<u8>,
}

impl<'a> Files<'a> {
    pub fn open(open: &mut Open, products: &'a [Product], seed: u64, dirty: f64) -> io::Result<Files<'a>> {
        let mut file = |name: &str, head: &str| -> io::Result<Out> {
            let mut out = BufWriter::with_capacity(1 << 16, open(name)?);
            out.write_all(head.as_bytes())?;
            Ok(out)
        };
        Ok(Files {
            products,
            profiles: file(
                "profiles.csv",
                "\u{feff}회원ID,이름,성별,생년월일,지역,이메일,휴대폰,이메일수신동의,이메일동의일,SMS수신동의,SMS동의일,카카오수신동의,카카오동의일,푸시수신동의,푸시동의일,가입일,가입경로\n",
            )?,
            orders: file(
                "orders.csv",
                "\u{feff}주문번호,주문일시,회원ID,상품번호,상품명,카테고리,단가,수량,할인금액,결제금액,쿠폰명,주문상태\n",
            )?,
            events: file("events.jsonl", "")?,
            truth: file(
                "truth.csv",
                "customer,kind,state,orders_per_year,dropout_p,alive,dropped_out_at,orders,expected_orders_90d,coupon_affinity,favourite_category,loyalty,preferred_channel\n",
            )?,
            dirt: Chance::new(seed, u64::MAX - 1),
            dirty,
            counts: Counts::default(),
            row: vec![],
        })
    }

    pub fn customer(&mut self, c: &Customer, orders: &[Order], events: &[(i64, What)]) -> io::Result<()> {
        self.profile(c)?;
        for (i, order) in orders.iter().enumerate() {
            self.order(c, i + 1, order, false)?;
            if order.refunded.is_some() {
                self.order(c, i + 1, order, true)?;
            }
        }
        for (i, (at, what)) in events.iter().enumerate() {
            self.event(c, i, *at, what)?;
        }
        self.truth(c, orders)?;
        self.counts.customers += 1;
        self.counts.orders += orders.len();
        self.counts.refunds += orders.iter().filter(|o| o.refunded.is_some()).count();
        self.counts.events += events.len();
        Ok(())
    }

    /// Writes the README and says what was written.
    pub fn finish(mut self, open: &mut Open, options: &Options, start: Date) -> io::Result<Counts> {
        for out in [&mut self.profiles, &mut self.orders, &mut self.events, &mut self.truth] {
            out.flush()?;
        }
        let mut readme = open("README.md")?;
        readme.write_all(self::readme(options, start, &self.counts).as_bytes())?;
        readme.flush()?;
        Ok(self.counts)
    }

    fn profile(&mut self, c: &Customer) -> io::Result<()> {
        let out = &mut self.profiles;
        write!(out, "C{:07},{},{},{},{},", c.number, c.name, c.gender, c.birth, c.region)?;
        write!(out, "user{}@example.com,{}", c.number, c.phone)?;
        for consent in c.consents {
            match consent {
                Some(at) => write!(out, ",Y,{}", Stamp(at, '-'))?,
                None => out.write_all(b",N,")?,
            }
        }
        writeln!(out, ",{},{}", Stamp(c.signup, '-'), c.source)
    }

    /// A row a line; a refund repeats the order's lines with the quantity and the amounts taken back.
    fn order(&mut self, c: &Customer, nth: usize, order: &Order, back: bool) -> io::Result<()> {
        let at = order.refunded.filter(|_| back).unwrap_or(order.at);
        let sign = if back { -1 } else { 1 };
        for line in &order.lines {
            let spoil = self.dirty > 0.0 && self.dirt.happens(self.dirty);
            let how = if spoil { self.dirt.below(5) } else { 9 };
            let p = &self.products[line.product];
            let row = &mut self.row;
            row.clear();
            write!(row, "{}-{:07}-{:02},", Day(order.at), c.number, nth % 100)?;
            match how {
                1 => write!(row, "{}-13-32 25:61:00", 2026)?,
                2 => write!(row, "{}", Stamp(at, '.'))?,
                _ => write!(row, "{}", Stamp(at, '-'))?,
            }
            match how {
                3 => row.push(b','),
                _ => write!(row, ",C{:07}", c.number)?,
            }
            write!(row, ",{},{},{},", p.id, p.name, CATEGORIES[p.category].ko)?;
            let total = p.price * line.quantity - line.discount;
            match how {
                4 => row.extend_from_slice("확인필요,한개,0,미정".as_bytes()),
                _ => write!(row, "{},{},{},{}", p.price, sign * line.quantity, sign * line.discount, sign * total)?,
            }
            writeln!(row, ",{},{}", order.coupon.unwrap_or(""), if back { "환불" } else { "결제완료" })?;
            self.orders.write_all(row)?;
            self.counts.order_rows += 1;
            match how {
                0 => {
                    self.orders.write_all(row)?;
                    self.counts.order_rows += 1;
                    self.counts.repeated += 1;
                }
                1 | 3 | 4 => self.counts.wrong += 1,
                2 => self.counts.redated += 1,
                _ => {}
            }
        }
        Ok(())
    }

    fn event(&mut self, c: &Customer, i: usize, at: i64, what: &What) -> io::Result<()> {
        let out = &mut self.events;
        let (kind, name) = match what {
            What::Page(_) => ("page", "Page Viewed"),
            What::View(_) => ("track", "Product Viewed"),
            What::Search(_) => ("track", "Products Searched"),
            What::Add { .. } => ("track", "Product Added"),
            What::Checkout { .. } => ("track", "Checkout Started"),
            What::LogIn => ("track", "Logged In"),
            What::Review { .. } => ("track", "Product Reviewed"),
            What::Survey { .. } => ("track", "Survey Answered"),
            What::Sent { .. } => ("track", "Message Sent"),
            What::Opened { .. } => ("track", "Message Opened"),
            What::Clicked { .. } => ("track", "Message Clicked"),
            What::Unsubscribed { .. } => ("track", "Unsubscribed"),
        };
        let number = c.number;
        write!(out, r#"{{"type":"{kind}","messageId":"m{number}-{i}","userId":"C{number:07}","#)?;
        let key = if kind == "page" { "name" } else { "event" };
        write!(out, r#""{key}":"{name}","timestamp":"{}","properties":{{"#, Iso(at))?;
        let product = |out: &mut Out, p: usize| {
            let p = &self.products[p];
            let category = CATEGORIES[p.category].ko;
            write!(out, r#""product_id":"{}","name":"{}","category":"{category}","price":{}"#, p.id, p.name, p.price)
        };
        match *what {
            What::Page(n) => write!(out, r#""path":"{}""#, ["/", "/best", "/event", "/mypage"][usize::from(n) % 4])?,
            What::View(p) => product(out, p)?,
            What::Search(query) => write!(out, r#""query":"{query}""#)?,
            What::Add { product: p, quantity } => {
                product(out, p)?;
                write!(out, r#","quantity":{quantity}"#)?;
            }
            What::Checkout { value } => write!(out, r#""value":{value},"currency":"KRW""#)?,
            What::LogIn => {}
            What::Review { product: p, stars, words } => {
                product(out, p)?;
                let (first, second) = &REVIEWS[stars - 1];
                write!(out, r#","rating":{stars},"review_body":"{} {}""#, first[words.0], second[words.1])?;
            }
            What::Survey { score } => write!(out, r#""survey":"nps","rating":{score}"#)?,
            What::Sent { channel, campaign }
            | What::Opened { channel, campaign }
            | What::Clicked { channel, campaign } => {
                let channel = CHANNELS[channel];
                write!(out, r#""channel":"{channel}","campaign_id":"{channel}-{campaign}""#)?;
            }
            What::Unsubscribed { channel } => write!(out, r#""channel":"{}""#, CHANNELS[channel])?,
        }
        out.write_all(b"}}\n")
    }

    fn truth(&mut self, c: &Customer, orders: &[Order]) -> io::Result<()> {
        let state = match (orders.is_empty(), c.dropped_out) {
            (true, _) => "never_bought",
            (_, Some(_)) => "churned",
            _ => "active",
        };
        let out = &mut self.truth;
        write!(
            out,
            "C{:07},{},{state},{:.6},{:.6},{},",
            c.number,
            c.kind.name(),
            c.rate,
            c.dropout,
            u8::from(c.dropped_out.is_none())
        )?;
        if let Some(at) = c.dropped_out {
            write!(out, "{}", Stamp(at, '-'))?;
        }
        write!(out, ",{},{:.6},{:.6},", orders.len(), c.expected_orders(90.0), c.coupons)?;
        writeln!(out, "{},{:.6},{}", CATEGORIES[c.favourites[0]].ko, c.loyalty, c.preferred_channel().unwrap_or(""))
    }
}

/// `2026-01-14 15:04:05`, or with other separators `2026.01.14 15:04:05`.
struct Stamp(i64, char);

/// `20260114`
struct Day(i64);

/// `2026-01-14T15:04:05+09:00`
struct Iso(i64);

/// Year to second.
fn parts(t: i64) -> (i16, i8, i8, i64, i64, i64) {
    let (y, m, d) = Date(t.div_euclid(DAY) as i32).ymd();
    let s = t.rem_euclid(DAY);
    (y, m, d, s / 3600, s / 60 % 60, s % 60)
}

impl std::fmt::Display for Stamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ((y, m, d, h, min, s), sep) = (parts(self.0), self.1);
        write!(f, "{y:04}{sep}{m:02}{sep}{d:02} {h:02}:{min:02}:{s:02}")
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (y, m, d, ..) = parts(self.0);
        write!(f, "{y:04}{m:02}{d:02}")
    }
}

impl std::fmt::Display for Iso {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (y, m, d, h, min, s) = parts(self.0);
        write!(f, "{y:04}-{m:02}-{d:02}T{h:02}:{min:02}:{s:02}+09:00")
    }
}

fn readme(options: &Options, start: Date, counts: &Counts) -> String {
    let Options { customers, months, seed, end, dirty } = options;
    let Counts { orders, refunds, order_rows, events, repeated, wrong, redated, .. } = counts;
    let percent = dirty * 100.0;
    format!(
        "# 가상의 온라인 쇼핑몰 / A synthetic online shop\n\n\
         `gyul generate --customers {customers} --months {months} --seed {seed} --end {end}`, 오염 행 {percent} % / spoiled rows {percent} %.\n\
         같은 값이면 언제나 같은 파일이 나옵니다. 실존 인물은 없습니다. / The same numbers give the same files. Nobody in them exists.\n\
         기간 / period: {start} – {end} (마지막 날 제외 / last day excluded), Asia/Seoul.\n\n\
         | 파일 / file | 내용 / content | 행 / rows |\n| --- | --- | ---: |\n\
         | profiles.csv | 회원 정보와 수신 동의 / customers and their consents | {customers} |\n\
         | orders.csv | 주문 상품 한 줄씩, 주문 {orders}건, 환불 {refunds}건 / one row an order line, {orders} orders, {refunds} refunds | {order_rows} |\n\
         | events.jsonl | 조회, 검색, 장바구니, 결제 시작, 메시지, 후기, 설문, 로그인 / views, searches, carts, checkouts, messages, reviews, surveys, logins | {events} |\n\
         | truth.csv | 모형의 참값 / the truth behind it | {customers} |\n\n\
         일부러 망친 주문 행 / order rows spoiled on purpose: 중복 / repeated {repeated}, 오류 / wrong {wrong}, 다른 날짜 형식 / dated in another form {redated}.\n\n\
         truth.csv: `kind` 성향 / disposition (occasion_buyer, discount_seeker, category_loyal, regular), `state` never_bought | active | churned, \
         `orders_per_year` λ, `dropout_p` 주문 후 이탈 확률 / probability of staying away for good after an order, \
         `expected_orders_90d` 기간 끝 이후 90일 동안의 기대 주문 수 / expected orders in the 90 days after the end.\n"
    )
}
