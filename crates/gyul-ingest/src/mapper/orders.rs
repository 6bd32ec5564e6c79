//! Orders: one row an order, or one row a line of an order; what was cancelled or returned is a refund.

use super::*;
use fields::Traits;

/// What a status column says.
#[derive(Clone, Copy, PartialEq, Debug)]
enum State {
    Paid,
    Cancelled,
    Unpaid,
}

struct Streams {
    bought: Stream,
    refunded: Stream,
    /// The purchases behind rows that are marked as cancelled.
    implied: Stream,
}

struct Stream {
    builder: Builder,
    order: usize,
    refund: Option<usize>,
    line: Option<LineColumns>,
    quantity: usize,
    total: usize,
    /// Of roles that no column has, there is none here either.
    discount: Option<usize>,
    coupon: Option<usize>,
    currency: usize,
    channel: Option<usize>,
    fields: FieldSet,
    /// What the file calls the currency, and its code.
    currency_code: (String, Option<String>),
}

struct LineColumns {
    product: usize,
    name: Option<usize>,
    category: Option<usize>,
    brand: Option<usize>,
    price: usize,
}

/// A row that was understood.
struct Row<'a> {
    customer: Cow<'a, str>,
    ts: i64,
    order: Option<&'a str>,
    product: Option<&'a str>,
    name: Option<&'a str>,
    category: Option<&'a str>,
    brand: Option<&'a str>,
    coupon: Option<&'a str>,
    currency: Option<&'a str>,
    channel: Option<&'a str>,
    /// Positive from here on, also of refunds.
    quantity: Option<Decimal>,
    price: Option<Decimal>,
    total: Option<Decimal>,
    discount: Option<Decimal>,
    /// The id of the row's purchase or refund.
    id: u64,
    refund: Refund<'a>,
}

#[derive(Clone, Copy, PartialEq)]
enum Refund<'a> {
    No,
    /// A cancelling invoice of its own; the order it takes back is the store's to find.
    Invoice(Option<&'a str>),
    /// A negative row under an order's own number.
    Negative,
    /// A row that was a purchase and is marked as cancelled, when.
    Marked {
        ts: i64,
        id: u64,
    },
}

pub(super) fn map(work: &mut Work) -> (Vec<StreamBatch>, Vec<StreamBatch>) {
    let mapper = work.mapper;
    let lines = mapper.mapping.grain == Grain::Lines;
    let (bought, refunded) = if lines { (names::ITEM, names::ITEM_REFUND) } else { (names::ORDER, names::REFUND) };
    let mut streams = Streams {
        bought: Stream::new(work, bought, lines, false),
        refunded: Stream::new(work, refunded, lines, true),
        implied: Stream::new(work, bought, lines, false),
    };
    let mut learnt = Traits::new(work);
    let mut state = Memo::new(State::Paid);
    let mut made = String::new();
    for i in 0..work.rows.len() {
        match understand(work, i, lines, &mut state, &mut made).and_then(|r| streams.take(work, i, r, &made)) {
            Ok((customer, ts)) => learnt.learn(work, i, &customer, ts),
            Err(fault) => work.reject(i, fault),
        }
    }
    let batches = [streams.bought, streams.refunded].into_iter().filter_map(|s| s.builder.finish()).collect();
    let mut side: Vec<StreamBatch> = streams.implied.builder.finish().into_iter().collect();
    side.extend(learnt.finish());
    (batches, side)
}

impl Stream {
    fn new(work: &Work, name: &str, lines: bool, refund: bool) -> Stream {
        let mapper = work.mapper;
        let room = if refund { 0 } else { work.rows.len() };
        let mut b = Builder::new(name, room);
        let texts = |b: &mut Builder, role, name| mapper.at(role).map(|_| b.texts(name));
        Stream {
            order: b.texts("order_id"),
            refund: refund.then(|| b.texts("refund_id")),
            line: lines.then(|| LineColumns {
                product: b.texts("product_id"),
                name: texts(&mut b, Role::Name, "name"),
                category: texts(&mut b, Role::Category, "category"),
                brand: texts(&mut b, Role::Brand, "brand"),
                price: b.numbers("price"),
            }),
            quantity: b.numbers("quantity"),
            total: b.numbers("total"),
            discount: mapper.at(Role::Discount).map(|_| b.numbers("discount")),
            coupon: texts(&mut b, Role::Coupon, "coupon"),
            currency: b.texts("currency"),
            channel: texts(&mut b, Role::Channel, "channel"),
            fields: FieldSet::declare(&mut b, &mapper.properties, false),
            builder: b,
            currency_code: (String::new(), None),
        }
    }

    fn fits(&self, r: &Row) -> bool {
        let price = self.line.as_ref().is_none_or(|l| self.builder.fits(l.price, r.price));
        price
            && self.builder.fits(self.quantity, r.quantity)
            && self.builder.fits(self.total, r.total)
            && self.discount.is_none_or(|c| self.builder.fits(c, r.discount))
    }

    fn push(
        &mut self,
        work: &mut Work,
        i: usize,
        r: &Row,
        (ts, id): (i64, u64),
        order: Option<&str>,
        refund: Option<&str>,
    ) {
        let b = &mut self.builder;
        b.head(&r.customer, ts, id, work.rows.rows[i].row);
        b.text(self.order, order);
        if let Some(c) = self.refund {
            b.text(c, refund);
        }
        if let Some(l) = &self.line {
            b.text(l.product, r.product);
            l.name.into_iter().for_each(|c| b.text(c, r.name));
            l.category.into_iter().for_each(|c| b.text(c, r.category));
            l.brand.into_iter().for_each(|c| b.text(c, r.brand));
            b.number(l.price, r.price);
        }
        b.number(self.quantity, r.quantity);
        b.number(self.total, r.total);
        self.discount.into_iter().for_each(|c| b.number(c, r.discount));
        self.coupon.into_iter().for_each(|c| b.text(c, r.coupon));
        self.channel.into_iter().for_each(|c| b.text(c, r.channel));
        let (name, code) = &mut self.currency_code;
        match r.currency {
            Some(c) if c != name => {
                *name = c.to_string();
                *code = number::currency(c);
            }
            _ => {}
        }
        let code = r.currency.and(code.as_deref());
        b.text(self.currency, code.or(work.mapper.currency.as_deref()));
        self.fields.push(work, &mut self.builder, i);
    }
}

impl Streams {
    /// Pushes a row. `made` is the order id made up for a line without one, if it is not empty.
    fn take<'a>(
        &mut self,
        work: &mut Work<'a>,
        i: usize,
        r: Row<'a>,
        made: &str,
    ) -> Result<(Cow<'a, str>, i64), Fault> {
        let made = (!made.is_empty()).then_some(made);
        let order = r.order.or(made);
        let too_long = (RejectCode::NumberTooLong, work.mapper.at(Role::Total).or(work.mapper.at(Role::Price)));
        let fits = match r.refund {
            Refund::No => self.bought.fits(&r),
            Refund::Marked { .. } => self.refunded.fits(&r) && self.implied.fits(&r),
            _ => self.refunded.fits(&r),
        };
        if !fits {
            return Err(too_long);
        }
        match r.refund {
            Refund::No => self.bought.push(work, i, &r, (r.ts, r.id), order, None),
            Refund::Invoice(invoice) => self.refunded.push(work, i, &r, (r.ts, r.id), None, invoice.or(made)),
            Refund::Negative => self.refunded.push(work, i, &r, (r.ts, r.id), r.order, order),
            Refund::Marked { ts, id } => {
                self.refunded.push(work, i, &r, (ts, id), order, order);
                self.implied.push(work, i, &r, (r.ts, r.id), order, None);
            }
        }
        Ok((r.customer, r.ts))
    }
}

fn understand<'a>(
    work: &mut Work<'a>,
    i: usize,
    lines: bool,
    memo: &mut Memo<'a, State>,
    made: &mut String,
) -> Result<Row<'a>, Fault> {
    made.clear();
    work.flaw(i)?;
    let mapper = work.mapper;
    if work.cell(i, Role::Test).is_some_and(|t| traits::boolean(t) != Some(false)) {
        return Err((RejectCode::TestOrder, mapper.at(Role::Test)));
    }
    let customer = work.customer(i)?;
    let ts = work.time(i, Role::Time)?.ok_or((RejectCode::NoTime, mapper.at(Role::Time)))?;
    let order = work.text(i, Role::Order)?;
    if order.is_none() && mapper.at(Role::Order).is_some() {
        return Err((RejectCode::NoOrder, mapper.at(Role::Order)));
    }
    let state = match work.cell(i, Role::Status) {
        Some(text) => memo.get(text, |t| state(t, mapper.status_is_flag, &mapper.mapping.cancel.status)),
        None => State::Paid,
    };
    let cancelled_at = work.time(i, Role::CancelledAt)?;
    if state == State::Unpaid {
        return Err((RejectCode::NotPaid, mapper.at(Role::Status)));
    }
    let (mut quantity, price) = (work.number(i, Role::Quantity)?, work.number(i, Role::Price)?);
    let (mut total, discount) = (work.number(i, Role::Total)?, work.number(i, Role::Discount)?);
    if price.is_some_and(|p| p.mantissa() < 0) {
        return Err((RejectCode::NegativePrice, mapper.at(Role::Price)));
    }
    if quantity == Some(Decimal::ZERO) {
        return Err((RejectCode::ZeroQuantity, mapper.at(Role::Quantity)));
    }
    if !lines && total.is_none() && mapper.at(Role::Total).is_some() {
        return Err((RejectCode::NoAmount, mapper.at(Role::Total)));
    }
    let below = |d: Option<Decimal>| d.is_some_and(|d| d.mantissa() < 0);
    let negative = below(quantity) || below(total);
    if lines && quantity.is_none() && mapper.at(Role::Quantity).is_none() {
        quantity = Some(Decimal::from(if below(total) { -1 } else { 1 }));
    }
    if below(total) && quantity.is_some_and(|q| q > Decimal::ZERO) && price.is_some() {
        return Err((RejectCode::NegativePrice, mapper.at(Role::Total)));
    }
    // Identity is taken from what was found, signs included.
    if total.is_none()
        && let (Some(q), Some(p)) = (quantity, price)
    {
        total = Some(product(q, p).ok_or((RejectCode::NumberTooLong, mapper.at(Role::Price)))?);
    }
    let product = work.text(i, Role::Product)?;
    let name = work.text(i, Role::Name)?;
    let line = work.text(i, Role::Line)?;
    let prefix = mapper.mapping.cancel.prefix.as_deref();
    let invoice = order.filter(|o| prefix.is_some_and(|p| is_cancelling(o, p)));
    let own = invoice.is_some() || negative;
    let id = match (lines, line, order) {
        (_, Some(line), _) => work.identity.start(if own { "refund line" } else { "line" }).text(line).hash(),
        (false, None, Some(order)) if !own => work.identity.start("order").text(order).hash(),
        _ => {
            let id = work.identity.start(if own { "refund" } else { "purchase" });
            id.text(order.unwrap_or("")).text(product.unwrap_or("")).text(name.unwrap_or("")).int(ts);
            id.number(quantity).number(price).number(total).number(discount).hash()
        }
    };
    let refund = if invoice.is_some() {
        Refund::Invoice(order)
    } else if negative && order.is_none() {
        Refund::Invoice(None)
    } else if negative {
        Refund::Negative
    } else if state == State::Cancelled || cancelled_at.is_some() {
        let cancel = work.identity.start("cancelled").int(id as i64).hash();
        Refund::Marked { ts: cancelled_at.unwrap_or(ts), id: cancel }
    } else {
        Refund::No
    };
    if lines && order.is_none() {
        // Lines of one customer at one instant are one order.
        let key = work.identity.start("made").text(&customer).int(ts).hash();
        made.push_str(&format!("auto-{key:016x}"));
    }
    let abs = |d: Option<Decimal>| d.map(|d| if d.mantissa() < 0 { number::neg(d) } else { d });
    Ok(Row {
        customer,
        ts,
        order,
        product: product.or(name),
        name,
        category: work.text(i, Role::Category)?,
        brand: work.text(i, Role::Brand)?,
        coupon: work.text(i, Role::Coupon)?,
        currency: work.text(i, Role::Currency)?.or_else(|| dressed_currency(work, i)),
        channel: work.text(i, Role::Channel)?,
        quantity: abs(quantity),
        price,
        total: abs(total),
        discount: abs(discount),
        id,
        refund,
    })
}

/// The amount itself, if it carries a currency's symbol and no column names one.
fn dressed_currency<'a>(work: &Work<'a>, i: usize) -> Option<&'a str> {
    let text = work.cell(i, Role::Total).or_else(|| work.cell(i, Role::Price))?;
    let ends = |b: Option<&u8>| b.is_some_and(|b| !b.is_ascii_digit() && !matches!(b, b'-' | b'(' | b')' | b'.'));
    let bytes = text.as_bytes();
    (ends(bytes.first()) || ends(bytes.last())).then_some(text)
}

fn is_cancelling(order: &str, prefix: &str) -> bool {
    let rest =
        order.get(..prefix.len()).filter(|head| head.eq_ignore_ascii_case(prefix)).map(|_| &order[prefix.len()..]);
    !prefix.is_empty() && rest.is_some_and(|r| r.starts_with(|c: char| c.is_ascii_digit()))
}

/// The product, rounded half to even where it has too many places.
pub(crate) fn product(a: Decimal, b: Decimal) -> Option<Decimal> {
    let mut m = i128::from(a.mantissa()) * i128::from(b.mantissa());
    let mut scale = a.scale() + b.scale();
    if scale > gyul_model::SCALE_MAX {
        let unit = 10_i128.pow(u32::from(scale - gyul_model::SCALE_MAX));
        let (q, r) = (m / unit, (m % unit).abs() * 2);
        m = q + if r > unit || (r == unit && q % 2 != 0) { m.signum() } else { 0 };
        scale = gyul_model::SCALE_MAX;
    }
    Decimal::checked(m, scale)
}

fn state(text: &str, flag: bool, words: &[String]) -> State {
    let lower = text.to_lowercase();
    if flag && let Some(yes) = traits::boolean(text) {
        return if yes { State::Cancelled } else { State::Paid };
    }
    if words.iter().any(|w| lower.contains(&w.to_lowercase())) {
        return State::Cancelled;
    }
    let has = |words: &[&str]| words.iter().any(|w| lower.contains(w));
    if has(&[
        "입금전",
        "입금 전",
        "입금대기",
        "결제대기",
        "미결제",
        "미입금",
        "결제실패",
        "pending",
        "unpaid",
        "awaiting",
        "waiting",
        "failed",
        "expired",
        "voided",
        "draft",
    ]) {
        State::Unpaid
    } else if has(&["철회", "거부", "partial", "부분", "not cancel", "미취소"]) {
        State::Paid
    } else if has(&["취소", "반품", "환불", "cancel", "refund", "return", "chargeback"]) {
        // Asked for is not done.
        if has(&["요청", "신청", "접수", "request"]) { State::Paid } else { State::Cancelled }
    } else {
        State::Paid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_in_the_words_of_shop_systems() {
        let s = |t| state(t, false, &["stornie".into()]);
        for t in ["취소완료", "반품완료", "refunded", "Cancelled", "RETURNED", "환불", "storniert"] {
            assert_eq!(s(t), State::Cancelled, "{t}");
        }
        for t in ["결제완료", "배송중", "paid", "구매확정", "취소철회", "partially_refunded", "반품요청", "complete"]
        {
            assert_eq!(s(t), State::Paid, "{t}");
        }
        for t in ["입금전", "pending", "결제대기"] {
            assert_eq!(s(t), State::Unpaid, "{t}");
        }
        assert_eq!(state("Y", true, &[]), State::Cancelled);
        assert_eq!(state("N", true, &[]), State::Paid);
    }

    #[test]
    fn products_are_exact_or_rounded_once() {
        let d = |t| Decimal::parse(t).unwrap();
        assert_eq!(product(d("2.55"), d("6")), Some(d("15.3")));
        assert_eq!(product(d("0.00001"), d("0.00005")), Some(d("0")));
        assert_eq!(product(d("0.00003"), d("0.00005")), Some(d("0.000000002")));
        assert_eq!(product(d("999999999999999"), d("10")), None);
    }
}
