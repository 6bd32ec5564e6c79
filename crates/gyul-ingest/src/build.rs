//! Growing a batch column by column.

use gyul_model::{Column, Decimal, POW10, StreamBatch, TextColumn};

pub(crate) const UNKNOWN: i64 = i64::MIN;

/// A batch in the making. Columns are declared first; each row pushes every column once.
pub(crate) struct Builder {
    batch: StreamBatch,
    /// How many rows to make room for as soon as there is one.
    room: usize,
}

impl Builder {
    /// A batch of at most so many rows, mostly.
    pub fn new(name: &str, room: usize) -> Builder {
        Builder { batch: StreamBatch { name: name.to_string(), ..StreamBatch::default() }, room }
    }

    /// Adds a column and tells its index.
    pub fn column(&mut self, name: &str, column: Column) -> usize {
        self.batch.props.push((name.to_string(), column));
        self.batch.props.len() - 1
    }

    pub fn texts(&mut self, name: &str) -> usize {
        self.column(name, Column::Text(TextColumn::default()))
    }

    pub fn numbers(&mut self, name: &str) -> usize {
        self.column(name, Column::Num { scale: 0, mantissas: vec![] })
    }

    pub fn head(&mut self, customer: &str, ts: i64, id: u64, row: u64) {
        if self.batch.is_empty() {
            self.reserve();
        }
        self.batch.customer.push(Some(customer));
        self.batch.ts.push(ts);
        self.batch.id.push(id);
        self.batch.row.push(row);
    }

    fn reserve(&mut self) {
        let StreamBatch { customer, ts, id, row, props, .. } = &mut self.batch;
        customer.reserve(self.room);
        ts.reserve(self.room);
        id.reserve(self.room);
        row.reserve(self.room);
        for (_, column) in props {
            match column {
                Column::Bool(v) => v.reserve(self.room),
                Column::Num { mantissas: v, .. } | Column::Instant(v) => v.reserve(self.room),
                Column::Text(t) | Column::List(t) => t.reserve(self.room),
            }
        }
    }

    pub fn text(&mut self, column: usize, value: Option<&str>) {
        if let Column::Text(t) | Column::List(t) = &mut self.batch.props[column].1 {
            t.push(value);
        }
    }

    pub fn boolean(&mut self, column: usize, value: Option<bool>) {
        if let Column::Bool(v) = &mut self.batch.props[column].1 {
            v.push(value);
        }
    }

    pub fn instant(&mut self, column: usize, value: Option<i64>) {
        if let Column::Instant(v) = &mut self.batch.props[column].1 {
            v.push(value.unwrap_or(UNKNOWN));
        }
    }

    /// Whether a number fits the column: its scale may make others too long, or theirs it.
    pub fn fits(&self, column: usize, value: Option<Decimal>) -> bool {
        let (Some(d), Column::Num { scale, mantissas }) = (value, &self.batch.props[column].1) else { return true };
        if d.scale() == *scale || mantissas.is_empty() {
            true
        } else if d.scale() < *scale {
            d.at_scale(*scale).is_some()
        } else {
            let factor = POW10[(d.scale() - scale) as usize];
            mantissas.iter().all(|m| *m == UNKNOWN || m.checked_mul(factor).is_some_and(|m| m != UNKNOWN))
        }
    }

    /// Pushes a number that [`Builder::fits`].
    pub fn number(&mut self, column: usize, value: Option<Decimal>) {
        let Column::Num { scale, mantissas } = &mut self.batch.props[column].1 else { return };
        let Some(d) = value else { return mantissas.push(UNKNOWN) };
        if d.scale() > *scale {
            let factor = POW10[(d.scale() - *scale) as usize];
            mantissas.iter_mut().filter(|m| **m != UNKNOWN).for_each(|m| *m = m.saturating_mul(factor));
            *scale = d.scale();
        }
        mantissas.push(d.at_scale(*scale).unwrap_or(UNKNOWN));
    }

    /// The batch, without columns of which nothing is known; `None` if it has no rows.
    pub fn finish(mut self) -> Option<StreamBatch> {
        self.batch.props.retain(|(_, c)| match c {
            Column::Bool(v) => v.iter().any(Option::is_some),
            Column::Num { mantissas: v, .. } | Column::Instant(v) => v.iter().any(|x| *x != UNKNOWN),
            Column::Text(t) | Column::List(t) => !t.is_unknown(),
        });
        (!self.batch.is_empty()).then_some(self.batch)
    }
}

/// Collects what identifies an event, part by part, and hashes it.
#[derive(Default)]
pub(crate) struct Identity(Vec<u8>);

impl Identity {
    pub fn start(&mut self, kind: &str) -> &mut Identity {
        self.0.clear();
        self.text(kind)
    }

    pub fn text(&mut self, text: &str) -> &mut Identity {
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(0);
        self
    }

    pub fn int(&mut self, n: i64) -> &mut Identity {
        self.0.extend_from_slice(&n.to_le_bytes());
        self
    }

    pub fn number(&mut self, d: Option<Decimal>) -> &mut Identity {
        match d {
            Some(d) => {
                self.0.push(d.scale());
                self.int(d.mantissa())
            }
            None => {
                self.0.push(0xff);
                self
            }
        }
    }

    pub fn hash(&self) -> u64 {
        gyul_model::hash64(&self.0)
    }
}
