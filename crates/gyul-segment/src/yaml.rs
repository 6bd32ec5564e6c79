//! YAML with places: every node knows where it stands in the file.

use saphyr_parser::{Event, Parser, ScalarStyle};

#[derive(Clone, Debug)]
pub struct Node {
    pub kind: NodeKind,
    /// Character index of the start in the file, and the line (from 1) there.
    pub index: usize,
    pub line: usize,
    /// Character index of the end.
    pub end: usize,
}

#[derive(Clone, Debug)]
pub enum NodeKind {
    /// `block` texts (`|` and `>`) begin on the line below.
    Scalar {
        text: String,
        block: bool,
    },
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

/// A fault of the YAML itself.
pub struct YamlError {
    pub line: usize,
    pub column: usize,
    pub message: String,
}

const DEPTH_MAX: usize = 32;

/// The first document of the text; `None` if it is empty.
pub fn read(text: &str) -> Result<Option<Node>, YamlError> {
    // Open lists and maps; a map collects keys and values alternately.
    let mut open: Vec<(Node, Vec<Node>)> = vec![];
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|e| YamlError {
            line: e.marker().line(),
            column: e.marker().col() + 1,
            message: e.info().to_string(),
        })?;
        let refuse = |message: &str| {
            Err(YamlError { line: span.start.line(), column: span.start.col() + 1, message: message.to_string() })
        };
        let node = |kind| Node { kind, index: span.start.index(), line: span.start.line(), end: span.end.index() };
        let done = match event {
            Event::Scalar(text, style, ..) => Some(node(NodeKind::Scalar {
                text: text.to_string(),
                block: matches!(style, ScalarStyle::Literal | ScalarStyle::Folded),
            })),
            Event::SequenceStart(..) | Event::MappingStart(..) if open.len() >= DEPTH_MAX => {
                return refuse("nested too deeply");
            }
            Event::SequenceStart(..) => {
                open.push((node(NodeKind::List(vec![])), vec![]));
                None
            }
            Event::MappingStart(..) => {
                open.push((node(NodeKind::Map(vec![])), vec![]));
                None
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some((mut node, items)) = open.pop() else { return refuse("unexpected end") };
                node.end = span.end.index();
                node.kind = match node.kind {
                    NodeKind::Map(_) => {
                        let mut items = items.into_iter();
                        let mut pairs = vec![];
                        while let (Some(k), Some(v)) = (items.next(), items.next()) {
                            pairs.push((k, v));
                        }
                        NodeKind::Map(pairs)
                    }
                    _ => NodeKind::List(items),
                };
                Some(node)
            }
            Event::Alias(_) => return refuse("aliases (*) are not supported here"),
            _ => None,
        };
        if let Some(node) = done {
            match open.last_mut() {
                Some((_, items)) => items.push(node),
                None => return Ok(Some(node)),
            }
        }
    }
    Ok(None)
}

impl Node {
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Where each byte of a scalar's text stands in the file, as character indexes: folding and quoting move
    /// white space only, so the other characters are found one after the other.
    pub fn places(&self, file: &[char]) -> Vec<usize> {
        let Some(text) = self.text() else { return vec![] };
        let mut at = self.index;
        if matches!(file.get(at), Some('|' | '>')) && matches!(self.kind, NodeKind::Scalar { block: true, .. }) {
            // Behind the indicator and its line.
            while at < file.len() && file[at] != '\n' {
                at += 1;
            }
        }
        let mut places = vec![];
        for c in text.chars() {
            if !c.is_whitespace() {
                let found = (at..self.end.min(file.len())).find(|i| file[*i] == c);
                at = found.unwrap_or(at);
            }
            places.extend(std::iter::repeat_n(at, c.len_utf8()));
            if !c.is_whitespace() {
                at += 1;
            }
        }
        places.push(at);
        places
    }
}
