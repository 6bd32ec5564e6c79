//! Events of one name, column by column: what import, generation and files hand to one another
//! without an allocation an event.

/// Rows of text in one buffer. `None` is kept apart from the empty text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TextColumn {
    bytes: String,
    /// End of each row in `bytes`; `known[i]` says whether the row holds a text at all.
    ends: Vec<u32>,
    known: Vec<bool>,
}

impl TextColumn {
    pub fn push(&mut self, text: Option<&str>) {
        self.bytes.push_str(text.unwrap_or(""));
        self.ends.push(self.bytes.len() as u32);
        self.known.push(text.is_some());
    }

    pub fn get(&self, i: usize) -> Option<&str> {
        let start = if i == 0 { 0 } else { self.ends[i - 1] as usize };
        self.known[i].then(|| &self.bytes[start..self.ends[i] as usize])
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

/// One property of a batch of events. Unknown is `None`, for numbers and instants `i64::MIN`.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    Bool(Vec<Option<bool>>),
    /// Mantissas at one scale for the whole column.
    Num {
        scale: u8,
        mantissas: Vec<i64>,
    },
    Text(TextColumn),
    /// Microseconds since the epoch.
    Instant(Vec<i64>),
    /// Items of a list joined with U+001F.
    List(TextColumn),
}

impl Column {
    pub fn len(&self) -> usize {
        match self {
            Column::Bool(v) => v.len(),
            Column::Num { mantissas: v, .. } | Column::Instant(v) => v.len(),
            Column::Text(t) | Column::List(t) => t.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Events of one name, in order of arrival. All columns have the same length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StreamBatch {
    /// The event's name; `names::IDENTIFY` for traits.
    pub name: String,
    pub customer: TextColumn,
    /// Microseconds since the epoch; `Instant::ALWAYS` for undated traits.
    pub ts: Vec<i64>,
    /// Identity of the event within its customer: an equal id means the same event once more.
    pub id: Vec<u64>,
    /// Place of each event in the log; empty: whoever stores them gives the places, in this order.
    pub seq: Vec<u64>,
    /// Row of the source file, counted from 1 after the header; 0 where there is none.
    pub row: Vec<u64>,
    pub props: Vec<(String, Column)>,
}

impl StreamBatch {
    pub fn len(&self) -> usize {
        self.ts.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ts.is_empty()
    }
}
