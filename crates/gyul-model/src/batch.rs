//! Events of one name, column by column: what import, generation and files hand to one another
//! without an allocation an event.

/// Rows of text in one buffer. `None` is kept apart from the empty text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TextColumn {
    bytes: String,
    /// End of each text in `bytes`. A text that comes again right after itself is kept once.
    ends: Vec<u32>,
    /// Each row's text: `code - 1` in `ends`; 0 if the row holds none.
    codes: Vec<u32>,
}

impl TextColumn {
    pub fn push(&mut self, text: Option<&str>) {
        let Some(text) = text else { return self.codes.push(0) };
        if self.ends.is_empty() || self.text(self.ends.len() - 1) != text {
            self.bytes.push_str(text);
            self.ends.push(self.bytes.len() as u32);
        }
        self.codes.push(self.ends.len() as u32);
    }

    pub fn get(&self, i: usize) -> Option<&str> {
        self.codes[i].checked_sub(1).map(|c| self.text(c as usize))
    }

    /// Rows of equal codes hold the same text; 0 is none. Rows of other codes may hold the same text too.
    pub fn code(&self, i: usize) -> u32 {
        self.codes[i]
    }

    pub fn len(&self) -> usize {
        self.codes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// Whether no row holds a text.
    pub fn is_unknown(&self) -> bool {
        self.ends.is_empty()
    }

    /// Makes room for so many rows.
    pub fn reserve(&mut self, rows: usize) {
        self.codes.reserve(rows);
    }

    fn text(&self, code: usize) -> &str {
        let start = if code == 0 { 0 } else { self.ends[code - 1] as usize };
        &self.bytes[start..self.ends[code] as usize]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_however_they_repeat() {
        let given = [None, Some("a"), Some("a"), None, Some("a"), Some(""), Some(""), Some("귤"), Some("a"), None];
        let mut column = TextColumn::default();
        given.iter().for_each(|t| column.push(*t));
        assert_eq!((0..column.len()).map(|i| column.get(i)).collect::<Vec<_>>(), given);
        for (i, a) in given.iter().enumerate() {
            for (j, b) in given.iter().enumerate() {
                assert!(column.code(i) != column.code(j) || a == b);
            }
            assert_eq!(column.code(i) == 0, a.is_none());
        }
        assert_eq!(column.code(1), column.code(4), "kept once over a gap");
        assert!(!column.is_unknown());
    }
}
