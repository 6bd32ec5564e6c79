//! JSON as a tape of nodes that borrow from the text.
//!
//! Own code, for what no reader gives together: the text of a number as it was sent, the bytes of each event for the
//! quarantine, one event's depth or bad characters told from its neighbours', no recursion, and no allocation per value.
//! `serde_json` judges it in the tests.

use std::borrow::Cow;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Null,
    Bool,
    Number,
    Text,
    Array,
    Object,
}

#[derive(Clone, Copy)]
struct Node {
    /// Of the key, without quotes; empty outside of objects.
    key: (u32, u32),
    /// Of the value; of a text, without quotes.
    value: (u32, u32),
    /// The node after this one and all that it holds.
    next: u32,
    kind: Kind,
    escaped_key: bool,
    escaped: bool,
}

/// A text that is one JSON value.
pub(crate) struct Tape<'a> {
    text: &'a str,
    nodes: Vec<Node>,
    /// Nodes that open one level more than is allowed, in order.
    deep: Vec<u32>,
}

/// Where the text ceases to be JSON.
#[derive(Debug, PartialEq)]
pub(crate) struct NotJson {
    pub at: usize,
}

/// A value of a tape.
#[derive(Clone, Copy)]
pub(crate) struct Json<'d, 'a> {
    tape: &'d Tape<'a>,
    at: u32,
}

impl<'a> Tape<'a> {
    /// Reads a text of less than 4 GiB. Deeper nesting than `depth` is read too, and found by [`Json::is_deep`].
    pub fn read(text: &'a str, depth: usize) -> Result<Tape<'a>, NotJson> {
        if text.len() >= u32::MAX as usize {
            return Err(NotJson { at: u32::MAX as usize });
        }
        let nodes = Vec::with_capacity(text.len() / 12 + 4);
        let mut reader = Reader { b: text.as_bytes(), i: 0, tape: Tape { text, nodes, deep: vec![] } };
        match reader.document(depth) {
            Some(()) => Ok(reader.tape),
            None => Err(NotJson { at: reader.i.min(text.len()) }),
        }
    }

    pub fn root(&self) -> Json<'_, 'a> {
        Json { tape: self, at: 0 }
    }
}

struct Reader<'a> {
    b: &'a [u8],
    i: usize,
    tape: Tape<'a>,
}

impl Reader<'_> {
    fn document(&mut self, depth: usize) -> Option<()> {
        // The containers that are open.
        let mut open: Vec<u32> = Vec::with_capacity(16);
        let mut key = (0, 0, false);
        'value: loop {
            let at = self.tape.nodes.len() as u32;
            let start = self.skip_space()?;
            let (kind, value, escaped) = match self.b[start] {
                b'"' => {
                    let (from, to, escaped) = self.string()?;
                    (Kind::Text, (from, to), escaped)
                }
                c @ (b'{' | b'[') => {
                    self.i += 1;
                    let kind = if c == b'{' { Kind::Object } else { Kind::Array };
                    self.push(key, kind, (start as u32, 0), false);
                    if open.len() == depth {
                        self.tape.deep.push(at);
                    }
                    let end = if c == b'{' { b'}' } else { b']' };
                    let next = self.skip_space()?;
                    open.push(at);
                    key = (0, 0, false);
                    if self.b[next] != end {
                        if c == b'{' {
                            key = self.key()?;
                        }
                        continue 'value;
                    }
                    if self.after(&mut open, &mut key)? {
                        continue 'value;
                    }
                    return self.finish();
                }
                b't' => (Kind::Bool, self.word("true")?, false),
                b'f' => (Kind::Bool, self.word("false")?, false),
                b'n' => (Kind::Null, self.word("null")?, false),
                _ => (Kind::Number, self.number()?, false),
            };
            self.push(key, kind, value, escaped);
            if !self.after(&mut open, &mut key)? {
                return self.finish();
            }
        }
    }

    #[inline]
    fn push(&mut self, key: (u32, u32, bool), kind: Kind, value: (u32, u32), escaped: bool) {
        let next = self.tape.nodes.len() as u32 + 1;
        self.tape.nodes.push(Node { key: (key.0, key.1), value, next, kind, escaped_key: key.2, escaped });
    }

    /// Goes on behind a value, closing what ends there. True if another value follows, false at the very end.
    #[inline]
    fn after(&mut self, open: &mut Vec<u32>, key: &mut (u32, u32, bool)) -> Option<bool> {
        loop {
            let Some(&container) = open.last() else { return Some(false) };
            let object = self.tape.nodes[container as usize].kind == Kind::Object;
            let at = self.skip_space()?;
            match (self.b[at], object) {
                (b',', _) => {
                    self.i += 1;
                    *key = (0, 0, false);
                    if object {
                        *key = self.key()?;
                    }
                    return Some(true);
                }
                (b'}', true) | (b']', false) => {
                    self.i += 1;
                    let next = self.tape.nodes.len() as u32;
                    let node = &mut self.tape.nodes[container as usize];
                    node.next = next;
                    node.value.1 = self.i as u32;
                    open.pop();
                }
                _ => return None,
            }
        }
    }

    fn finish(&mut self) -> Option<()> {
        self.skip_space().is_none().then_some(())
    }

    /// The place of the next byte that is no white space; `None` at the end.
    #[inline]
    fn skip_space(&mut self) -> Option<usize> {
        while matches!(self.b.get(self.i)?, b' ' | b'\n' | b'\r' | b'\t') {
            self.i += 1;
        }
        Some(self.i)
    }

    fn key(&mut self) -> Option<(u32, u32, bool)> {
        self.skip_space()?;
        let key = self.string()?;
        let at = self.skip_space()?;
        (self.b[at] == b':').then(|| self.i += 1)?;
        Some(key)
    }

    #[inline]
    fn string(&mut self) -> Option<(u32, u32, bool)> {
        (*self.b.get(self.i)? == b'"').then(|| self.i += 1)?;
        let (start, mut escaped) = (self.i, false);
        loop {
            self.i += plain(&self.b[self.i..]);
            match *self.b.get(self.i)? {
                b'"' => {
                    self.i += 1;
                    return Some((start as u32, self.i as u32 - 1, escaped));
                }
                b'\\' => {
                    escaped = true;
                    match *self.b.get(self.i + 1)? {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.i += 2,
                        b'u' => {
                            let hex = self.b.get(self.i + 2..self.i + 6)?;
                            hex.iter().all(u8::is_ascii_hexdigit).then(|| self.i += 6)?;
                        }
                        _ => return None,
                    }
                }
                0..=0x1f => return None,
                _ => self.i += 1,
            }
        }
    }

    fn word(&mut self, word: &str) -> Option<(u32, u32)> {
        let start = self.i;
        self.b[start..].starts_with(word.as_bytes()).then(|| self.i += word.len())?;
        Some((start as u32, self.i as u32))
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.i;
        while self.b.get(self.i).is_some_and(u8::is_ascii_digit) {
            self.i += 1;
        }
        (self.i > start).then_some(())
    }

    fn number(&mut self) -> Option<(u32, u32)> {
        let start = self.i;
        self.i += usize::from(self.b[self.i] == b'-');
        if self.b.get(self.i) == Some(&b'0') {
            self.i += 1;
        } else {
            self.digits()?;
        }
        if self.b.get(self.i) == Some(&b'.') {
            self.i += 1;
            self.digits()?;
        }
        if matches!(self.b.get(self.i), Some(b'e' | b'E')) {
            self.i += 1;
            self.i += usize::from(matches!(self.b.get(self.i), Some(b'+' | b'-')));
            self.digits()?;
        }
        Some((start as u32, self.i as u32))
    }
}

/// How many bytes neither end a string nor need a second look; eight at a time, so it may stop early before the end.
fn plain(b: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let below = |x: u64, n: u64| x.wrapping_sub(ONES * n) & !x & (ONES << 7);
    for (i, chunk) in b.as_chunks::<8>().0.iter().enumerate() {
        let x = u64::from_le_bytes(*chunk);
        let found = below(x, 0x20) | below(x ^ (ONES * 0x22), 1) | below(x ^ (ONES * 0x5c), 1);
        if found != 0 {
            return i * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    b.len() / 8 * 8
}

impl<'d, 'a> Json<'d, 'a> {
    fn node(self) -> &'d Node {
        &self.tape.nodes[self.at as usize]
    }

    pub fn kind(self) -> Kind {
        self.node().kind
    }

    /// Where the value stands in the text.
    pub fn span(self) -> (usize, usize) {
        let (from, to) = self.node().value;
        (from as usize, to as usize)
    }

    /// As it was sent; of a text, what is between the quotes.
    pub fn raw(self) -> &'a str {
        let (from, to) = self.span();
        self.tape.text.get(from..to).unwrap_or("")
    }

    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    pub fn bool(self) -> Option<bool> {
        (self.kind() == Kind::Bool).then(|| self.raw() == "true")
    }

    /// A text, its escapes resolved.
    pub fn text(self) -> Option<Cow<'a, str>> {
        (self.kind() == Kind::Text).then(|| resolve(self.raw(), self.node().escaped))
    }

    /// The text of a text, a number, or yes and no.
    pub fn scalar(self) -> Option<Cow<'a, str>> {
        match self.kind() {
            Kind::Text => self.text(),
            Kind::Number | Kind::Bool => Some(Cow::Borrowed(self.raw())),
            _ => None,
        }
    }

    /// A scalar that says something.
    pub fn known(self) -> Option<Cow<'a, str>> {
        self.scalar()
            .filter(|t| t.as_bytes().first().is_some_and(|b| (b'!'..=b'~').contains(b)) || !t.trim().is_empty())
    }

    /// Whether something in it is nested too deep.
    pub fn is_deep(self) -> bool {
        let first = self.tape.deep.partition_point(|d| *d < self.at);
        self.tape.deep.get(first).is_some_and(|d| *d < self.node().next)
    }

    /// The values of an array or an object, with their keys.
    pub fn children(self) -> Children<'d, 'a> {
        let node = self.node();
        let end = if matches!(node.kind, Kind::Array | Kind::Object) { node.next } else { self.at + 1 };
        Children { tape: self.tape, at: self.at + 1, end }
    }

    /// The value of a key; the last one, if the key stands there several times; null as if it were not there.
    pub fn get(self, name: &str) -> Option<Json<'d, 'a>> {
        if self.kind() != Kind::Object {
            return None;
        }
        let found = self.children().filter(|(k, _)| k == name).last().map(|(_, v)| v);
        found.filter(|v| !v.is_null())
    }

    /// `get` of each name in turn.
    pub fn at(self, path: &[&str]) -> Option<Json<'d, 'a>> {
        path.iter().try_fold(self, |v, name| v.get(name))
    }

    /// The scalar of a key that says something.
    pub fn str(self, name: &str) -> Option<Cow<'a, str>> {
        self.get(name)?.known()
    }
}

pub(crate) struct Children<'d, 'a> {
    tape: &'d Tape<'a>,
    at: u32,
    end: u32,
}

impl<'d, 'a> Iterator for Children<'d, 'a> {
    type Item = (Cow<'a, str>, Json<'d, 'a>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let node = &self.tape.nodes[self.at as usize];
        let key = self.tape.text.get(node.key.0 as usize..node.key.1 as usize).unwrap_or("");
        let value = Json { tape: self.tape, at: self.at };
        self.at = node.next;
        Some((resolve(key, node.escaped_key), value))
    }
}

/// Resolves escapes. Half a surrogate pair, left by programs that cut texts anywhere, becomes U+FFFD.
fn resolve(raw: &str, escaped: bool) -> Cow<'_, str> {
    if !escaped {
        return Cow::Borrowed(raw);
    }
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(i) = rest.find('\\') {
        out.push_str(&rest[..i]);
        let c = rest.as_bytes().get(i + 1).copied().unwrap_or(b'\\');
        rest = rest.get(i + 2..).unwrap_or("");
        out.push(match c {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = |t: &str| t.get(..4).and_then(|h| u32::from_str_radix(h, 16).ok());
                let first = unit(rest).unwrap_or(0xfffd);
                rest = rest.get(4..).unwrap_or("");
                let second = rest.strip_prefix("\\u").and_then(unit).filter(|s| (0xdc00..0xe000).contains(s));
                match (first, second) {
                    (0xd800..0xdc00, Some(second)) => {
                        rest = &rest[6..];
                        char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)).unwrap_or('\u{fffd}')
                    }
                    _ => char::from_u32(first).unwrap_or('\u{fffd}'),
                }
            }
            c => char::from(c),
        });
    }
    out.push_str(rest);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    /// `serde_json` rounds the last bit of a double either way; below the normal ones that is more than a share of it.
    fn near(a: f64, b: f64) -> bool {
        a == b || (a - b).abs() <= a.abs() * 1e-15 || (a - b).abs() < f64::MIN_POSITIVE
    }

    fn same(a: Json, b: &Value) -> bool {
        match b {
            Value::Null => a.is_null(),
            Value::Bool(x) => a.bool() == Some(*x),
            Value::Number(x) => a.kind() == Kind::Number && near(a.raw().parse().unwrap(), x.as_f64().unwrap()),
            Value::String(x) => a.text().as_deref() == Some(x),
            Value::Array(x) => {
                a.kind() == Kind::Array
                    && a.children().count() == x.len()
                    && a.children().zip(x).all(|((_, a), b)| same(a, b))
            }
            Value::Object(x) => {
                a.kind() == Kind::Object
                    && x.iter().all(
                        |(k, v)| if v.is_null() { a.get(k).is_none() } else { a.get(k).is_some_and(|a| same(a, v)) },
                    )
            }
        }
    }

    fn check(text: &str) {
        match (Tape::read(text, 32), serde_json::from_str::<Value>(text)) {
            (Ok(tape), Ok(value)) => assert!(same(tape.root(), &value), "{text}"),
            (Err(_), Err(_)) => {}
            (ours, theirs) => {
                // Only here do they differ: halves of surrogate pairs, numbers that no double holds, very deep nesting.
                let known = theirs.as_ref().is_err_and(|e| {
                    let e = e.to_string();
                    ["surrogate", "number out of range", "recursion limit", "end of hex escape"]
                        .iter()
                        .any(|w| e.contains(w))
                });
                assert!(known && ours.is_ok(), "{text}: {:?} {:?}", ours.map(|_| ()), theirs);
            }
        }
    }

    #[test]
    fn it_reads_what_serde_json_reads() {
        for text in [
            "",
            " ",
            "{}",
            "[]",
            "[ ]",
            "{ }",
            "null",
            "nul",
            "[1,]",
            "{\"a\":}",
            "{\"a\":1,}",
            "{,}",
            "[01]",
            "[-]",
            "[-0]",
            "[1.]",
            "[1.5e]",
            "[1e+2]",
            "[.5]",
            "[+1]",
            "[NaN]",
            "[1e999999]",
            "{\"a\":1,\"a\":2}",
            "{\"a\":1}{",
            "[1 2]",
            "\"\\u00e9\\ud83d\\ude00\"",
            "\"\\ud83d\"",
            "\"\\ud83dx\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\n\"",
            "[\"a\\\"b\\\\\"]",
            "]",
            "{\"a\"",
            "\"",
            " {\"a\" : [ {\"b\":[]} , true , false , null , \"가\" ] } ",
            "[[]]]",
            "[}",
            "{]",
            "{\"a\\u0062\":1}",
            "{1:2}",
        ] {
            check(text);
        }
    }

    #[test]
    fn depth_is_told_of_the_value_that_has_it() {
        let deep = format!("[{{\"a\":1}},{}1{}]", "[".repeat(40), "]".repeat(40));
        let tape = Tape::read(&deep, 32).unwrap();
        let items: Vec<_> = tape.root().children().map(|(_, v)| v.is_deep()).collect();
        assert_eq!(items, [false, true]);
        let abyss = "[".repeat(500_000) + &"]".repeat(500_000);
        assert!(Tape::read(&abyss, 32).unwrap().root().is_deep());
        assert!(Tape::read(&"[".repeat(500_000), 32).is_err());
    }

    proptest! {
        #[test]
        fn random_texts_are_read_alike(text in r#"([\[\]{},:"0-9.eE+\-a ]|null|true|"a"|"b":|\\u00e9|\\ud83d|\\n|\\"){0,40}"#) {
            check(&text);
        }

        #[test]
        fn whatever_serde_json_writes_is_read(keys in prop::collection::vec(any::<String>(), 0..6), n in any::<f64>(), i in any::<i64>()) {
            let mut value = serde_json::json!({"n": n, "i": i});
            for (i, k) in keys.iter().enumerate() {
                value = serde_json::json!({k: value, "list": [k, i, null, {k: k}]});
            }
            check(&value.to_string());
        }
    }
}
