//! Orders from their lines, and refunds tied to the orders they take back.

use crate::interner::Interner;
use crate::rows::{BucketRows, Kind, StreamRows, Values};
use crate::table::Field;
use gyul_model::{POW10, hash64, names};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;

/// Marks what was derived here, so that the next merge derives it anew.
pub const DERIVED: &str = "derived";
/// Marks refund lines whose `order_id` was found, not given.
pub const MATCHED: &str = "matched";

/// Columns of a line that its order takes over, from the first line that knows them.
const PASSED_ON: [&str; 6] = ["currency", "coupon", "channel", "source", "payment_method", "country"];

/// The columns that [`derive`] will make, given those that there are.
pub fn fields(given: &BTreeMap<String, Vec<Field>>) -> Vec<(&'static str, Vec<Field>)> {
    let mut out = vec![];
    let field = |name: &str, kind, scale| Field { name: name.into(), kind, scale };
    for (lines, key, event) in
        [(names::ITEM, "order_id", names::ORDER), (names::ITEM_REFUND, "refund_id", names::REFUND)]
    {
        let Some(columns) = given.get(lines) else { continue };
        let of = |n: &str| columns.iter().find(|c| c.name == n);
        let scale = |n: &str| of(n).filter(|c| c.kind == Kind::Num).map_or(0, |c| c.scale);
        if event == names::REFUND {
            out.push((lines, vec![field("order_id", Kind::Text, 0), field(MATCHED, Kind::Bool, 0)]));
        }
        let total = scale("total").max(scale("price") + scale("quantity")).min(9);
        let mut list = vec![
            field("total", Kind::Num, total),
            field("quantity", Kind::Num, scale("quantity")),
            field("items", Kind::Num, 0),
            field(DERIVED, Kind::Bool, 0),
        ];
        let passed = PASSED_ON.into_iter().chain(["order_id", key]);
        list.extend(passed.filter(|n| of(n).is_none_or(|c| c.kind == Kind::Text)).map(|n| field(n, Kind::Text, 0)));
        list.retain(|f| {
            of(&f.name).is_some() || ["total", "quantity", "items", DERIVED, "order_id", key].contains(&f.name.as_str())
        });
        out.push((event, list));
    }
    out
}

/// Brings a bucket's derived events up to date with its lines. Returns how many there are.
pub fn derive(bucket: &mut BucketRows) -> u64 {
    for name in [names::ORDER, names::REFUND] {
        let Some(s) = bucket.streams.iter_mut().find(|s| s.name == name) else { continue };
        let Some(d) = s.find(DERIVED) else { continue };
        let kept: Vec<u32> = (0..s.len() as u32).filter(|i| d.ints[*i as usize] != 1).collect();
        s.keep(&kept);
    }
    tie_refunds(bucket);
    whole(bucket, names::ITEM, "order_id", names::ORDER) + whole(bucket, names::ITEM_REFUND, "refund_id", names::REFUND)
}

fn known_text(c: Option<&Values>, i: usize) -> Option<&str> {
    c.filter(|c| c.kind == Kind::Text).and_then(|c| c.text_at(i))
}

fn number(c: Option<&Values>, i: usize) -> Option<i64> {
    c.filter(|c| c.kind == Kind::Num).map(|c| c.ints[i]).filter(|v| *v != i64::MIN)
}

/// Money and quantity of a line.
struct Amounts<'a> {
    total: Option<&'a Values>,
    price: Option<&'a Values>,
    quantity: Option<&'a Values>,
    scale: u8,
}

impl<'a> Amounts<'a> {
    fn of(s: &'a StreamRows) -> Amounts<'a> {
        let scale_of = |c: Option<&Values>| c.map_or(0, |c| c.scale);
        let (total, price, quantity) = (s.find("total"), s.find("price"), s.find("quantity"));
        let scale = scale_of(total).max(scale_of(price) + scale_of(quantity)).min(9);
        Amounts { total, price, quantity, scale }
    }

    /// The line's total at `scale`; price times quantity where no total is given.
    fn total(&self, i: usize) -> Option<i64> {
        if let (Some(t), Some(c)) = (number(self.total, i), self.total) {
            return t.checked_mul(POW10[(self.scale - c.scale.min(self.scale)) as usize]);
        }
        let (price, quantity) = (number(self.price, i)?, number(self.quantity, i).or(Some(1))?);
        let own = self.price.map_or(0, |c| c.scale) + self.quantity.map_or(0, |c| c.scale);
        let exact = i128::from(price) * i128::from(quantity) * 10_i128.pow(u32::from(self.scale.saturating_sub(own)));
        i64::try_from(exact / 10_i128.pow(u32::from(own.saturating_sub(self.scale)))).ok()
    }
}

/// Sums lines up to one event for each value of `key`, unless the event was imported as such.
fn whole(bucket: &mut BucketRows, lines: &str, key: &str, event: &str) -> u64 {
    let Some(at) = bucket.streams.iter().position(|s| s.name == lines) else { return 0 };
    let l = &bucket.streams[at];
    let Some(keys) = l.find(key).filter(|c| c.kind == Kind::Text) else { return 0 };
    let given: FxHashSet<(u32, &str)> = bucket
        .streams
        .iter()
        .filter(|s| s.name == event)
        .flat_map(|s| (0..s.len()).filter_map(|i| Some((s.customer[i], known_text(s.find(key), i)?))))
        .collect();
    let mut groups: FxHashMap<(u32, u32), u32> = FxHashMap::default();
    let mut group_of = vec![];
    let is_given =
        |i| !given.is_empty() && known_text(Some(keys), i).is_some_and(|k| given.contains(&(l.customer[i], k)));
    let summed: Vec<u32> = (0..l.len()).filter(|i| keys.codes[*i] != 0 && !is_given(*i)).map(|i| i as u32).collect();
    let (mut last, mut group) = (None, 0);
    for i in &summed {
        let key = (l.customer[*i as usize], keys.codes[*i as usize]);
        if last != Some(key) {
            let next = groups.len() as u32;
            group = *groups.entry(key).or_insert(next);
            last = Some(key);
        }
        group_of.push(group);
    }
    // The lines of group g are members[ends[g - 1]..ends[g]].
    let mut ends = vec![0_usize; groups.len() + 1];
    group_of.iter().for_each(|g| ends[*g as usize + 1] += 1);
    (1..ends.len()).for_each(|g| ends[g] += ends[g - 1]);
    let mut members = vec![0_u32; summed.len()];
    for (i, g) in summed.iter().zip(&group_of) {
        members[ends[*g as usize]] = *i;
        ends[*g as usize] += 1;
    }
    let mut start = 0;
    let mut identity = format!("derived\0{event}\0");
    let prefix = identity.len();
    let amounts = Amounts::of(l);
    let quantity_scale = amounts.quantity.map_or(0, |c| c.scale);
    let mut out = StreamRows { name: event.into(), ..StreamRows::default() };
    let mut num = |name: &str, scale| {
        let i = out.column(name, Kind::Num);
        out.columns[i].scale = scale;
    };
    num("total", amounts.scale);
    num("quantity", quantity_scale);
    num("items", 0);
    out.column(DERIVED, Kind::Bool);
    let passed: Vec<&str> = if event == names::ORDER {
        PASSED_ON.into_iter().chain([key]).collect()
    } else {
        vec!["currency", "order_id", key]
    };
    let passed: Vec<&Values> = passed.iter().filter_map(|n| l.find(n)).filter(|c| c.kind == Kind::Text).collect();
    for c in &passed {
        out.column(&c.name, Kind::Text);
    }
    for end in &ends[..groups.len()] {
        let rows = &members[start..*end];
        start = *end;
        let first = *rows.iter().min_by_key(|i| (l.ts[**i as usize], l.seq[**i as usize])).unwrap_or(&0) as usize;
        let sum = |f: &dyn Fn(usize) -> Option<i64>| {
            // One line without an amount leaves the sum unknown.
            rows.iter().try_fold(0_i64, |sum, i| sum.checked_add(f(*i as usize)?)).unwrap_or(i64::MIN)
        };
        out.customer.push(l.customer[first]);
        out.ts.push(l.ts[first]);
        // Lines have even numbers; their order comes right behind the first of them.
        out.seq.push(l.seq[first] + 1);
        let text = known_text(Some(keys), first).unwrap_or("");
        identity.truncate(prefix);
        identity.push_str(text);
        out.id.push(hash64(identity.as_bytes()));
        out.columns[0].ints.push(sum(&|i| amounts.total(i)));
        out.columns[1].ints.push(sum(&|i| number(amounts.quantity, i)));
        out.columns[2].ints.push(rows.len() as i64);
        out.columns[3].ints.push(1);
        for (k, c) in passed.iter().enumerate() {
            let value = rows.iter().find_map(|i| c.text_at(*i as usize));
            out.columns[4 + k].text(value);
        }
    }
    let count = out.len() as u64;
    if count > 0 {
        extend(bucket, out);
    }
    count
}

/// Adds rows to the bucket's stream of their name.
fn extend(bucket: &mut BucketRows, rows: StreamRows) {
    let at = bucket.stream(&rows.name);
    let s = &mut bucket.streams[at];
    if s.len() == 0 && s.columns.is_empty() {
        *s = rows;
        return;
    }
    let before = s.len();
    for c in &rows.columns {
        let i = s.column(&c.name, c.kind);
        let own = &mut s.columns[i];
        own.widen(c.scale);
        let p = POW10[(own.scale - c.scale) as usize];
        if c.is_text() {
            (0..c.codes.len()).for_each(|k| own.text(c.text_at(k)));
        } else {
            let scaled = |v: &i64| if *v == i64::MIN { *v } else { v.checked_mul(p).unwrap_or(i64::MIN) };
            own.ints.extend(c.ints.iter().map(|v| if c.kind == Kind::Num { scaled(v) } else { *v }));
        }
    }
    s.customer.extend(rows.customer);
    s.ts.extend(rows.ts);
    s.seq.extend(rows.seq);
    s.id.extend(rows.id);
    let len = s.len();
    debug_assert!(len >= before);
    s.columns.iter_mut().for_each(|c| c.pad(len));
}

/// A purchased line: instant, row, quantity left.
type Bought = (i64, u32, i64);

/// Finds for each refunded line the latest earlier purchase of the same product with enough of it left.
fn tie_refunds(bucket: &mut BucketRows) {
    let Some(r) = bucket.streams.iter().position(|s| s.name == names::ITEM_REFUND) else { return };
    let found: Vec<Option<String>> = {
        let refunds = &bucket.streams[r];
        let matched = refunds.find(MATCHED);
        let given = refunds.find("order_id");
        let Some(items) = bucket.streams.iter().find(|s| s.name == names::ITEM) else { return };
        let (product, order, quantity) = (items.find("product_id"), items.find("order_id"), items.find("quantity"));
        let mut lines: FxHashMap<(u32, &str), Vec<Bought>> = FxHashMap::default();
        for i in 0..items.len() {
            if let Some(p) = known_text(product, i) {
                let left = number(quantity, i).unwrap_or(i64::MAX);
                lines.entry((items.customer[i], p)).or_default().push((items.ts[i], i as u32, left));
            }
        }
        lines.values_mut().for_each(|v| v.sort_unstable());
        let mut by_time: Vec<usize> = (0..refunds.len()).collect();
        // Those that name their order come first: no guess may use up what they take back.
        let guessed = |i: usize| known_text(given, i).is_none() || matched.is_some_and(|m| m.ints[i] == 1);
        by_time.sort_by_key(|i| (guessed(*i), refunds.ts[*i], refunds.seq[*i]));
        let mut found = vec![None; refunds.len()];
        let (r_product, r_quantity) = (refunds.find("product_id"), refunds.find("quantity"));
        // Quantities of both sides at one scale.
        let scale_of = |c: Option<&Values>| c.map_or(0, |c| c.scale);
        let scale = scale_of(quantity).max(scale_of(r_quantity));
        let (up, r_up) = (POW10[(scale - scale_of(quantity)) as usize], POW10[(scale - scale_of(r_quantity)) as usize]);
        lines.values_mut().flatten().for_each(|l| l.2 = l.2.saturating_mul(up));
        for i in by_time {
            let ours = matched.is_some_and(|m| m.ints[i] == 1);
            let Some(p) = known_text(r_product, i) else { continue };
            let Some(bought) = lines.get_mut(&(refunds.customer[i], p)) else { continue };
            let back = number(r_quantity, i).map_or(POW10[scale as usize], |q| q.saturating_mul(r_up));
            // An order that is named takes the refund; else the latest earlier one with enough left.
            let named = known_text(given, i).filter(|_| !ours);
            let hit = bought.iter_mut().rev().find(|(ts, line, left)| match named {
                Some(o) => known_text(order, *line as usize) == Some(o),
                None => *ts <= refunds.ts[i] && *left >= back,
            });
            if let Some((_, line, left)) = hit {
                *left = left.saturating_sub(back);
                found[i] = named.is_none().then(|| known_text(order, *line as usize).map(str::to_string)).flatten();
            }
        }
        // What was matched before and is no longer becomes unknown again.
        for (i, f) in found.iter_mut().enumerate() {
            if f.is_none() && matched.is_none_or(|m| m.ints[i] != 1) {
                *f = known_text(given, i).map(|t| format!("\u{0}{t}"));
            }
        }
        found
    };
    let s = &mut bucket.streams[r];
    let order = s.column("order_id", Kind::Text);
    let matched = s.column(MATCHED, Kind::Bool);
    if s.columns[order].kind != Kind::Text || s.columns[matched].kind != Kind::Bool {
        return;
    }
    let mut dict = std::mem::take(&mut s.columns[order].dict);
    s.columns[order].codes = found.iter().map(|f| code(&mut dict, f.as_deref())).collect();
    s.columns[order].dict = dict;
    s.columns[matched].ints =
        found.iter().map(|f| i64::from(f.as_ref().is_some_and(|t| !t.starts_with('\u{0}')))).collect();
}

fn code(dict: &mut Interner, found: Option<&str>) -> u32 {
    found.map_or(0, |t| dict.code(t.trim_start_matches('\u{0}')) + 1)
}
