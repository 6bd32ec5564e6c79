//! Orders, refunds and their lines, whoever tells of them: the same events as an imported file gives.

use super::problem::Fault;
use super::props::{self, Props};
use super::tape::{Json, Kind};
use super::{Limits, RejectCode};
use crate::mapper::orders::product as times;
use crate::values::number;
use gyul_model::{Decimal, Value, names};

/// Properties and events as a message holds them.
pub(crate) type Events = Vec<(String, Vec<(String, Value)>)>;

/// An order, or what of it is taken back.
#[derive(Default)]
pub(crate) struct Order {
    pub id: Option<String>,
    /// What is taken back goes by this; then amounts are what is given back.
    pub refund: Option<String>,
    pub total: Option<Decimal>,
    pub discount: Option<Decimal>,
    pub coupon: Option<String>,
    pub currency: Option<String>,
    pub channel: Option<String>,
    pub lines: Vec<Line>,
}

#[derive(Default)]
pub(crate) struct Line {
    pub product: Option<String>,
    pub name: Option<String>,
    pub category: Option<String>,
    pub brand: Option<String>,
    pub variant: Option<String>,
    pub sku: Option<String>,
    pub coupon: Option<String>,
    pub price: Option<Decimal>,
    pub quantity: Option<Decimal>,
    pub total: Option<Decimal>,
    pub discount: Option<Decimal>,
}

impl Line {
    /// Reads a product of Segment's specification.
    pub fn read(p: Json, place: &str) -> Result<Line, Fault> {
        let text = |names: &[&str]| names.iter().find_map(|n| p.str(n)).map(|t| t.into_owned());
        let at = |n: &str| format!("{place}.{n}");
        let sku = text(&["sku"]);
        let mut line = Line {
            product: text(&["product_id", "productId", "id"]).or_else(|| sku.clone()),
            name: text(&["name"]),
            category: text(&["category"]),
            brand: text(&["brand"]),
            variant: text(&["variant"]),
            sku,
            coupon: text(&["coupon"]),
            price: props::number(p.get("price"), &at("price"))?,
            quantity: props::number(p.get("quantity"), &at("quantity"))?,
            total: props::number(p.get("total"), &at("total"))?,
            discount: props::number(p.get("discount"), &at("discount"))?,
        };
        line.check(place)?;
        Ok(line)
    }

    /// Fills in what follows: one piece if no number is given, price times quantity if no total is.
    pub fn check(&mut self, place: &str) -> Result<(), Fault> {
        let at = |n: &str| format!("{place}.{n}");
        let quantity = *self.quantity.get_or_insert(Decimal::from(1));
        if quantity == Decimal::ZERO {
            return Err(Fault::new(RejectCode::ZeroQuantity, at("quantity")));
        }
        for (number, name) in [(Some(quantity), "quantity"), (self.price, "price"), (self.total, "total")] {
            if number.is_some_and(|n| n < Decimal::ZERO) {
                return Err(Fault::new(RejectCode::NegativeAmount, at(name)));
            }
        }
        if self.total.is_none()
            && let Some(price) = self.price
        {
            let total = times(price, quantity).ok_or_else(|| Fault::new(RejectCode::NumberTooLong, at("price")))?;
            self.total = Some(total);
        }
        if self.product.is_none() {
            self.product.clone_from(&self.name);
        }
        Ok(())
    }
}

impl Line {
    /// Sets the properties of a product.
    pub fn set(self, p: &mut Props) -> Result<(), Fault> {
        p.set_text("product_id", self.product)?;
        p.set_text("name", self.name)?;
        p.set_text("category", self.category)?;
        p.set_text("brand", self.brand)?;
        p.set_text("variant", self.variant)?;
        p.set_text("sku", self.sku)?;
        p.set_text("coupon", self.coupon)?;
        p.set_number("price", self.price)?;
        p.set_number("quantity", self.quantity)?;
        p.set_number("total", self.total)?;
        p.set_number("discount", self.discount)
    }
}

impl Order {
    /// Reads the properties of Segment's order events. `made` is the id of an order that has none.
    pub fn read(p: Option<Json>, refund: bool, made: impl FnOnce() -> String) -> Result<Order, Fault> {
        let Some(p) = p else { return Ok(Order { id: Some(made()), ..Order::default() }) };
        let text = |names: &[&str]| names.iter().find_map(|n| p.str(n)).map(|t| t.into_owned());
        let mut order = Order {
            id: text(&["order_id", "orderId"]),
            discount: props::number(p.get("discount"), "properties.discount")?,
            coupon: text(&["coupon"]),
            currency: p.str("currency").and_then(|c| number::currency(&c)),
            channel: text(&["channel"]),
            ..Order::default()
        };
        for name in ["total", "revenue", "value"] {
            if order.total.is_none() {
                order.total = props::number(p.get(name), &format!("properties.{name}"))?;
            }
        }
        if let Some(total) = order.total.as_mut().filter(|t| **t < Decimal::ZERO) {
            if !refund {
                return Err(Fault::new(RejectCode::NegativeAmount, "properties.total"));
            }
            *total = number::neg(*total);
        }
        if let Some(products) = p.get("products").filter(|v| v.kind() == Kind::Array) {
            for (i, (_, product)) in products.children().enumerate() {
                order.lines.push(Line::read(product, &format!("properties.products.{i}"))?);
            }
        }
        if refund {
            if order.id.is_none() {
                return Err(Fault::new(RejectCode::NoOrder, "properties.order_id"));
            }
            order.refund = text(&["refund_id"]).or_else(|| order.id.clone());
        } else if order.id.is_none() {
            order.id = text(&["checkout_id"]).or_else(|| Some(made()));
        }
        Ok(order)
    }

    /// The order's event, with what else was said of it, and one event for each line.
    pub fn events(self, mut whole: Props, limits: &Limits) -> Result<Events, Fault> {
        let (order_name, line_name) =
            if self.refund.is_some() { (names::REFUND, names::ITEM_REFUND) } else { (names::ORDER, names::ITEM) };
        let sum = |of: fn(&Line) -> Option<Decimal>| {
            let mut numbers = self.lines.iter().map(of);
            let first = numbers.next()??;
            numbers.try_fold(first, |a, b| add(a, b?))
        };
        let total = self.total.or_else(|| sum(|l| l.total));
        let quantity = sum(|l| l.quantity);
        let mut out = Vec::with_capacity(1 + self.lines.len());
        whole.set_text("order_id", self.id.as_deref())?;
        whole.set_text("refund_id", self.refund.as_deref())?;
        whole.set_number("total", total)?;
        if !self.lines.is_empty() {
            whole.set_number("quantity", quantity)?;
            whole.set_number("items", Some(Decimal::from(self.lines.len() as i64)))?;
        }
        whole.set_text("coupon", self.coupon.as_deref())?;
        whole.set_number("discount", self.discount)?;
        whole.set_text("currency", self.currency.as_deref())?;
        whole.set_text("channel", self.channel.as_deref())?;
        out.push((order_name.to_string(), whole.out));
        for l in self.lines {
            let mut p = Props::new(limits);
            p.set_text("order_id", self.id.as_deref())?;
            p.set_text("refund_id", self.refund.as_deref())?;
            let coupon = l.coupon.clone().or_else(|| self.coupon.clone());
            l.set(&mut p)?;
            p.set_text("coupon", coupon)?;
            p.set_text("currency", self.currency.as_deref())?;
            p.set_text("channel", self.channel.as_deref())?;
            out.push((line_name.to_string(), p.out));
        }
        Ok(out)
    }
}

/// The exact sum; `None` if it has too many digits.
pub(crate) fn add(a: Decimal, b: Decimal) -> Option<Decimal> {
    let scale = a.scale().max(b.scale());
    let at = |d: Decimal| i128::from(d.mantissa()) * 10_i128.pow(u32::from(scale - d.scale()));
    Decimal::checked(at(a) + at(b), scale)
}
