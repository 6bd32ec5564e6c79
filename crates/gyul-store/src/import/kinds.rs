//! Batches brought to the kinds of columns that the base has.

use super::Import;
use crate::derive;
use crate::rows::Kind;
use gyul_model::{Column, Decimal, Instant, StreamBatch, TextColumn};

/// Names of our own columns: a property of that name gets an underscore behind it.
const RESERVED: [&str; 6] = ["customer", "ts", "seq", "id", derive::DERIVED, derive::MATCHED];

impl Import {
    /// The batch with its columns in the kinds that the base has; `None` if everything fits already. What cannot be
    /// brought to them is unknown, as what no reader understands, and counted: the event stays.
    pub(super) fn fit(&mut self, batch: &StreamBatch) -> Option<StreamBatch> {
        let mut out: Option<StreamBatch> = None;
        for (c, (name, data)) in batch.props.iter().enumerate() {
            let reserved = RESERVED.contains(&name.as_str());
            let name = if reserved { format!("{name}_") } else { name.clone() };
            if reserved {
                out.get_or_insert_with(|| batch.clone()).props[c].0 = name.clone();
            }
            let kind = Kind::of(data);
            let scale = if let Column::Num { scale, .. } = data { *scale } else { 0 };
            let entry = self.schema.entry((batch.name.clone(), name.clone())).or_insert((kind, scale));
            if entry.0 == kind {
                entry.1 = entry.1.max(scale);
                continue;
            }
            let column = converted(data, entry.0);
            if let Column::Num { scale, .. } = &column {
                entry.1 = entry.1.max(*scale);
            }
            let lost = (0..data.len()).filter(|i| known(data, *i) && !known(&column, *i)).count();
            if lost > 0 {
                *self.unfit.entry(name).or_default() += lost as u64;
            }
            out.get_or_insert_with(|| batch.clone()).props[c].1 = column;
        }
        out
    }
}

fn known(c: &Column, i: usize) -> bool {
    match c {
        Column::Bool(v) => v[i].is_some(),
        Column::Num { mantissas: v, .. } | Column::Instant(v) => v[i] != i64::MIN,
        Column::Text(t) | Column::List(t) => t.get(i).is_some(),
    }
}

/// A value as text.
fn text_of(c: &Column, i: usize) -> Option<String> {
    match c {
        Column::Bool(v) => v[i].map(|b| b.to_string()),
        Column::Num { scale, mantissas } => {
            Some(mantissas[i]).filter(|m| *m != i64::MIN).map(|m| Decimal::new(m, *scale).to_string())
        }
        Column::Instant(v) => Some(v[i]).filter(|t| *t != i64::MIN).map(|t| Instant(t).to_string()),
        Column::Text(t) | Column::List(t) => t.get(i).map(str::to_string),
    }
}

/// A column in another kind: everything can be a text; texts that read as numbers can be numbers.
fn converted(c: &Column, to: Kind) -> Column {
    let n = c.len();
    let text = |i: usize| text_of(c, i);
    let texts = |f: &dyn Fn(usize) -> Option<String>| {
        let mut out = TextColumn::default();
        (0..n).for_each(|i| out.push(f(i).as_deref()));
        out
    };
    match to {
        Kind::Text => Column::Text(texts(&text)),
        Kind::List => Column::List(texts(&text)),
        Kind::Bool => Column::Bool((0..n).map(|i| text(i).and_then(|t| t.parse().ok())).collect()),
        Kind::Instant => Column::Instant(
            (0..n).map(|i| text(i).and_then(|t| Instant::parse_rfc3339(&t)).map_or(i64::MIN, |t| t.0)).collect(),
        ),
        Kind::Num => {
            let numbers: Vec<Option<Decimal>> = (0..n).map(|i| text(i).and_then(|t| Decimal::parse(&t))).collect();
            let scale = numbers.iter().flatten().map(|d| d.scale()).max().unwrap_or(0);
            let mantissas = numbers.iter().map(|d| d.and_then(|d| d.at_scale(scale)).unwrap_or(i64::MIN)).collect();
            Column::Num { scale, mantissas }
        }
    }
}
