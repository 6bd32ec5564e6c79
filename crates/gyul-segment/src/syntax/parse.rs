use super::lex::{Token, lex};
use super::*;

/// How deep expressions may nest.
const DEPTH_MAX: usize = 64;
/// How many operators of one kind may follow one another: `1 + 1 + …` nests to the left.
const CHAIN_MAX: usize = 256;

/// Names of the functions that fold events.
pub const AGGREGATES: [&str; 18] = [
    "count",
    "sum",
    "avg",
    "min",
    "max",
    "distinct",
    "first",
    "last",
    "mode",
    "since",
    "age_of",
    "first_at",
    "last_at",
    "longest_gap",
    "average_gap",
    "streak",
    "days",
    "share",
];

/// Words of the language: a name that begins with one stands in quotes.
pub(super) const RESERVED: [&str; 30] = [
    "true",
    "false",
    "in",
    "during",
    "occasion",
    "followed",
    "preceded",
    "and",
    "or",
    "not",
    "where",
    "within",
    "among",
    "by",
    "is",
    "between",
    "above",
    "below",
    "contains",
    "starts",
    "ends",
    "matches",
    "last",
    "this",
    "previous",
    "since",
    "before",
    "today",
    "yesterday",
    "without",
];

/// Reads one expression. What could not be read is `Wrong` in the tree, with a fault each.
pub fn parse(text: &str) -> (Ast, Vec<Fault>) {
    let (tokens, faults) = lex(text);
    let mut p = Parser { tokens, at: 0, faults, depth: 0 };
    let ast = p.or();
    let end = p.end_of_last();
    // After `&&` and the like the rest is no news.
    let told = p.faults.iter().any(|f| f.code == "character" && f.span.start >= end);
    if p.peek() != &Token::End && !told {
        let found = p.found();
        p.fault(
            "unexpected",
            format!("식이 끝난 뒤에 {found}이(가) 더 있습니다"),
            format!("there is {found} after the end of the expression"),
            Some(("and나 or로 이으세요".into(), "join conditions with and, or".into())),
        );
    }
    let mut faults = p.faults;
    faults.sort_by_key(|f| f.span.start);
    (ast, faults)
}

/// Stand in messages for what has no text of its own.
const END: &str = "\u{0}end";
const WRONG: &str = "\u{0}wrong";

fn in_words(message: &str, end: &str, wrong: &str) -> String {
    message.replace(END, end).replace(WRONG, wrong)
}

struct Parser {
    tokens: Vec<(Token, Span)>,
    at: usize,
    faults: Vec<Fault>,
    depth: usize,
}

type Made = Result<AstKind, ()>;

impl Parser {
    // ---- tokens

    fn peek(&self) -> &Token {
        &self.tokens[self.at].0
    }

    fn peek_at(&self, n: usize) -> &Token {
        let i = (self.at + n).min(self.tokens.len() - 1);
        &self.tokens[i].0
    }

    fn span(&self) -> Span {
        self.tokens[self.at].1
    }

    fn next(&mut self) -> Token {
        let t = self.tokens[self.at].0.clone();
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
        t
    }

    fn end_of_last(&self) -> u32 {
        if self.at == 0 { 0 } else { self.tokens[self.at - 1].1.end }
    }

    fn is_word(&self, n: usize, word: &str) -> bool {
        matches!(self.peek_at(n), Token::Word { text, quoted: false } if text == word)
    }

    fn take_word(&mut self, word: &str) -> bool {
        let yes = self.is_word(0, word);
        if yes {
            self.next();
        }
        yes
    }

    fn take_sign(&mut self, sign: &str) -> bool {
        let yes = matches!(self.peek(), Token::Sign(s) if *s == sign);
        if yes {
            self.next();
        }
        yes
    }

    fn found(&self) -> String {
        match self.peek() {
            Token::Word { text, .. } => format!("'{text}'"),
            Token::Text(t) => format!("'{t}'"),
            Token::Sign(s) => format!("'{s}'"),
            Token::Num(n) => format!("{n}"),
            Token::Percent(n) => format!("{n}%"),
            Token::Dur(d) => format!("{d}"),
            Token::Date(d) => format!("{d}"),
            Token::Instant(t) => format!("{t}"),
            // Every message puts this in both languages: see `in_words`.
            Token::Wrong => WRONG.into(),
            Token::End => END.into(),
        }
    }

    fn fault(&mut self, code: &'static str, ko: String, en: String, hint: Option<(String, String)>) {
        let (ko, en) = (in_words(&ko, "식의 끝", "읽을 수 없는 글"), in_words(&en, "the end", "unreadable text"));
        let span = self.span();
        // What follows from an earlier fault at the same place is noise.
        let wrong = matches!(self.peek(), Token::Wrong);
        if !wrong && !self.faults.iter().any(|f| f.span.start == span.start) {
            self.faults.push(Fault { span, code, ko, en, hint });
        }
    }

    fn expected<T>(&mut self, ko: &str, en: &str) -> Result<T, ()> {
        let found = self.found();
        self.fault(
            "expected",
            format!("여기에 올 것: {ko}. 지금 있는 것: {found}"),
            format!("expected {en}, found {found}"),
            None,
        );
        Err(())
    }

    fn need_sign(&mut self, sign: &'static str) -> Result<(), ()> {
        if self.take_sign(sign) { Ok(()) } else { self.expected(&format!("'{sign}'"), &format!("'{sign}'")) }
    }

    /// Goes on behind the parenthesis that closes the current one.
    fn recover(&mut self) {
        let mut open = 0;
        loop {
            match self.peek() {
                Token::End => return,
                Token::Sign("(") => open += 1,
                Token::Sign(")") if open == 0 => {
                    self.next();
                    return;
                }
                Token::Sign(")") => open -= 1,
                _ => {}
            }
            self.next();
        }
    }

    fn made(&self, start: u32, kind: AstKind) -> Ast {
        Ast { kind, span: Span { start, end: self.end_of_last().max(start) } }
    }

    // ---- conditions

    fn or(&mut self) -> Ast {
        self.list("or", Self::and, AstKind::Or)
    }

    fn and(&mut self) -> Ast {
        self.list("and", Self::not, AstKind::And)
    }

    fn list(&mut self, word: &str, part: fn(&mut Self) -> Ast, join: fn(Vec<Ast>) -> AstKind) -> Ast {
        let start = self.span().start;
        let first = part(self);
        if !self.is_word(0, word) {
            return first;
        }
        let mut parts = vec![first];
        while self.take_word(word) {
            parts.push(part(self));
        }
        self.made(start, join(parts))
    }

    fn not(&mut self) -> Ast {
        let start = self.span().start;
        if self.is_word(0, "not") {
            self.next();
            let inner = self.nested(Self::not);
            return self.made(start, AstKind::Not(Box::new(inner)));
        }
        self.comparison()
    }

    fn nested(&mut self, part: fn(&mut Self) -> Ast) -> Ast {
        let start = self.span().start;
        if self.depth >= DEPTH_MAX {
            return self.too_deep(start);
        }
        self.depth += 1;
        let ast = part(self);
        self.depth -= 1;
        ast
    }

    /// Gives up on the rest of the text.
    fn too_deep(&mut self, start: u32) -> Ast {
        self.fault(
            "too_deep",
            format!("괄호나 not이 {DEPTH_MAX}단계보다 깊거나 연산이 {CHAIN_MAX}개 넘게 이어집니다"),
            format!("the expression nests deeper than {DEPTH_MAX} levels or chains more than {CHAIN_MAX} operators"),
            Some(("measures나 다른 세그먼트로 나누세요".into(), "split it into measures or segments".into())),
        );
        self.at = self.tokens.len() - 1;
        self.made(start, AstKind::Wrong)
    }

    fn comparison(&mut self) -> Ast {
        let start = self.span().start;
        let left = self.sum();
        let negated = self.is_word(0, "not")
            && ["in", "between", "contains", "starts", "ends", "matches", "within"].iter().any(|w| self.is_word(1, w));
        if negated {
            self.next();
        }
        let kind = match self.compared(left) {
            Ok(Ok(kind)) => kind,
            Ok(Err(plain)) => return plain,
            Err(()) => AstKind::Wrong,
        };
        let ast = self.made(start, kind);
        if negated { self.made(start, AstKind::Not(Box::new(ast))) } else { ast }
    }

    /// The comparison that begins with `left`, or `left` itself if none follows.
    fn compared(&mut self, left: Ast) -> Result<Result<AstKind, Ast>, ()> {
        let cmp = match self.peek() {
            Token::Sign("=") => Some(Cmp::Eq),
            Token::Sign("!=") => Some(Cmp::Ne),
            Token::Sign("<") => Some(Cmp::Lt),
            Token::Sign("<=") => Some(Cmp::Le),
            Token::Sign(">") => Some(Cmp::Gt),
            Token::Sign(">=") => Some(Cmp::Ge),
            _ => None,
        };
        let left = Box::new(left);
        if let Some(cmp) = cmp {
            self.next();
            if self.take_sign("=") {
                self.at -= 1;
                self.fault(
                    "equals",
                    "같은지는 '=' 하나로 비교합니다".into(),
                    "equality is written with one '='".into(),
                    None,
                );
                self.next();
            }
            let right = self.sum();
            return Ok(Ok(AstKind::Cmp(cmp, left, Box::new(right))));
        }
        if self.take_word("between") {
            let low = self.sum();
            if !self.take_word("and") {
                return self.expected("'and'", "'and'");
            }
            let high = self.sum();
            return Ok(Ok(AstKind::Between(left, Box::new(low), Box::new(high))));
        }
        if self.is_word(0, "in") && (self.is_word(1, "top") || self.is_word(1, "bottom")) {
            self.next();
            let top = self.take_word("top");
            if !top {
                self.next();
            }
            let Token::Percent(p) = self.peek().clone() else {
                return self.expected("퍼센트(예: 10%)", "a percentage such as 10%");
            };
            self.next();
            let kind = if top { RankWord::Top(p) } else { RankWord::Bottom(p) };
            let among = self.among()?;
            return Ok(Ok(AstKind::Rank { kind, x: left, among }));
        }
        if (self.is_word(0, "above") || self.is_word(0, "below")) && self.is_word(1, "average") {
            let above = self.take_word("above");
            if !above {
                self.next();
            }
            self.next();
            let kind = if above { RankWord::AboveAverage } else { RankWord::BelowAverage };
            let among = self.among()?;
            return Ok(Ok(AstKind::Rank { kind, x: left, among }));
        }
        if self.is_word(0, "in") && matches!(self.peek_at(1), Token::Sign("(")) {
            self.at += 2;
            let mut list = vec![];
            loop {
                list.push(self.sum());
                if !self.take_sign(",") {
                    break;
                }
            }
            self.close();
            return Ok(Ok(AstKind::In(left, list)));
        }
        if self.take_word("is") {
            let not = self.take_word("not");
            if self.take_word("known") {
                return Ok(Ok(if not { AstKind::IsUnknown(left) } else { AstKind::IsKnown(left) }));
            }
            if self.take_word("unknown") {
                return Ok(Ok(if not { AstKind::IsKnown(left) } else { AstKind::IsUnknown(left) }));
            }
            return self.expected("'known'이나 'unknown'", "'known' or 'unknown'");
        }
        let test = if self.take_word("contains") {
            TextTest::Contains
        } else if self.is_word(0, "starts") && self.is_word(1, "with") {
            self.at += 2;
            TextTest::StartsWith
        } else if self.is_word(0, "ends") && self.is_word(1, "with") {
            self.at += 2;
            TextTest::EndsWith
        } else if self.take_word("matches") {
            TextTest::Matches
        } else if self.is_word(0, "within") && matches!(self.peek_at(1), Token::Text(_)) {
            self.next();
            TextTest::Within
        } else {
            return Ok(Err(*left));
        };
        let Token::Text(text) = self.peek().clone() else {
            return self.expected("작은따옴표로 묶은 글자", "a text in single quotes");
        };
        self.next();
        Ok(Ok(AstKind::Test(test, left, text)))
    }

    fn among(&mut self) -> Result<Option<Box<Ast>>, ()> {
        if !self.take_word("among") {
            return Ok(None);
        }
        self.need_sign("(")?;
        let condition = self.nested(Self::or);
        self.close();
        Ok(Some(Box::new(condition)))
    }

    // ---- arithmetic

    fn sum(&mut self) -> Ast {
        self.chain(Self::product, &[("+", Arith::Add), ("-", Arith::Sub)])
    }

    fn product(&mut self) -> Ast {
        self.chain(Self::unary, &[("*", Arith::Mul), ("/", Arith::Div)])
    }

    fn chain(&mut self, part: fn(&mut Self) -> Ast, signs: &[(&str, Arith)]) -> Ast {
        let start = self.span().start;
        let mut left = part(self);
        let mut length = 0;
        while let Some((_, op)) = signs.iter().find(|(s, _)| self.take_sign(s)) {
            length += 1;
            if length > CHAIN_MAX {
                return self.too_deep(start);
            }
            let right = part(self);
            left = self.made(start, AstKind::Arith(*op, Box::new(left), Box::new(right)));
        }
        left
    }

    fn unary(&mut self) -> Ast {
        let start = self.span().start;
        if self.take_sign("-") {
            let inner = self.nested(Self::unary);
            let kind = match inner.kind {
                AstKind::Num(n) => AstKind::Num(Decimal::new(-n.mantissa(), n.scale())),
                _ => AstKind::Neg(Box::new(inner)),
            };
            return self.made(start, kind);
        }
        let kind = self.primary().unwrap_or(AstKind::Wrong);
        self.made(start, kind)
    }

    fn primary(&mut self) -> Made {
        match self.peek().clone() {
            Token::Num(n) => self.constant(AstKind::Num(n)),
            Token::Percent(n) => self.constant(AstKind::Percent(n)),
            Token::Dur(d) => self.constant(AstKind::Dur(d)),
            Token::Date(d) => self.constant(AstKind::Date(d)),
            Token::Instant(t) => self.constant(AstKind::Instant(t)),
            Token::Text(t) => self.constant(AstKind::Text(t)),
            Token::Wrong => self.constant(AstKind::Wrong),
            Token::Sign("(") => {
                self.next();
                let inner = self.nested(Self::or);
                self.close();
                Ok(inner.kind)
            }
            Token::Word { text, quoted } => self.word(&text, quoted),
            _ => self.expected("값이나 조건", "a value or a condition"),
        }
    }

    fn constant(&mut self, kind: AstKind) -> Made {
        self.next();
        Ok(kind)
    }

    fn close(&mut self) {
        if !self.take_sign(")") {
            let _ = self.expected::<()>("')'", "')'");
            self.recover();
        }
    }

    fn word(&mut self, word: &str, quoted: bool) -> Made {
        if quoted {
            return self.name();
        }
        let call = matches!(self.peek_at(1), Token::Sign("("));
        match word {
            "true" | "false" => self.constant(AstKind::Bool(word == "true")),
            "in" if self.is_word(1, "segment") => {
                self.at += 2;
                let Token::Word { text, .. } = self.peek().clone() else {
                    return self.expected("세그먼트 id", "the id of a segment");
                };
                self.constant(AstKind::InSegment(text))
            }
            "during" if self.is_word(1, "occasion") => {
                self.at += 2;
                self.occasion()
            }
            "occasion" if matches!(self.peek_at(1), Token::Word { .. }) => {
                self.next();
                self.occasion()
            }
            "followed" | "preceded" if self.is_word(1, "by") => {
                self.at += 2;
                let event = self.event()?;
                let within = if self.take_word("within") { Some(self.duration()?) } else { None };
                Ok(AstKind::Near { after: word == "followed", event, within })
            }
            "sequence" | "funnel_step" if call => self.call(|p| p.sequence(word == "sequence")),
            "quintile" | "percentile" if call => {
                let kind = if word == "quintile" { RankWord::Quintile } else { RankWord::Percentile };
                self.at += 2;
                let x = Box::new(self.nested(Self::or));
                self.close();
                let among = self.among()?;
                Ok(AstKind::Rank { kind, x, among })
            }
            _ if call && AGGREGATES.contains(&word) => self.call(|p| p.agg(word)),
            _ if call => self.call(|p| {
                let mut args = vec![];
                while !matches!(p.peek(), Token::Sign(")") | Token::End) {
                    args.push(p.nested(Self::or));
                    if !p.take_sign(",") {
                        break;
                    }
                }
                Ok(AstKind::Call(word.to_string(), args))
            }),
            "and" | "or" | "where" | "within" | "among" | "by" | "is" => {
                self.expected("값이나 조건", "a value or a condition")
            }
            _ => self.name(),
        }
    }

    /// Reads `name(…)`; after a fault inside it goes on behind the closing parenthesis.
    fn call(&mut self, inside: impl FnOnce(&mut Self) -> Made) -> Made {
        self.at += 2;
        if self.depth >= DEPTH_MAX {
            self.nested(Self::or);
            return Err(());
        }
        self.depth += 1;
        let made = inside(self);
        self.depth -= 1;
        match made {
            Ok(kind) => {
                self.close();
                Ok(kind)
            }
            Err(()) => {
                self.recover();
                Err(())
            }
        }
    }

    fn not_reserved(&mut self) -> Result<(), ()> {
        let Token::Word { text, quoted: false } = self.peek().clone() else { return Ok(()) };
        if !RESERVED.contains(&text.as_str()) {
            return Ok(());
        }
        self.fault(
            "reserved",
            format!("'{text}'은(는) 언어가 쓰는 단어라 여기에 이름으로 쓸 수 없습니다"),
            format!("'{text}' is a word of the language and cannot stand here as a name"),
            Some((
                format!("이름이라면 \"{text}\"처럼 큰따옴표로 묶으세요"),
                format!("if it is a name, write \"{text}\""),
            )),
        );
        Err(())
    }

    fn name(&mut self) -> Made {
        let quoted = matches!(self.peek(), Token::Word { quoted: true, .. });
        self.not_reserved()?;
        let mut parts = vec![];
        loop {
            let Token::Word { text, .. } = self.peek().clone() else { return self.expected("이름", "a name") };
            self.next();
            parts.push(text);
            if !self.take_sign(".") {
                return Ok(AstKind::Name(Path { parts, quoted }));
            }
        }
    }

    fn duration(&mut self) -> Result<Duration, ()> {
        let Token::Dur(d) = *self.peek() else { return self.expected("기간(예: 30d)", "a duration such as 30d") };
        self.next();
        Ok(d)
    }

    fn occasion(&mut self) -> Made {
        let Token::Word { text: name, .. } = self.peek().clone() else {
            return self.expected("기념일 이름", "the name of an occasion");
        };
        self.next();
        let within = if self.take_word("within") { self.duration()? } else { Duration::Exact(0) };
        Ok(AstKind::Occasion { name, within })
    }

    // ---- events

    fn event(&mut self) -> Result<EventRef, ()> {
        let start = self.span().start;
        let Token::Word { text: name, quoted } = self.peek().clone() else {
            return self.expected("이벤트 이름", "the name of an event");
        };
        self.not_reserved()?;
        self.next();
        let filter = if self.take_word("where") { Some(Box::new(self.nested(Self::or))) } else { None };
        Ok(EventRef { name, quoted, filter, span: Span { start, end: self.end_of_last() } })
    }

    fn agg(&mut self, func: &str) -> Made {
        let arg = self.nested(Self::sum);
        let filter = if self.take_word("where") { Some(self.nested(Self::or)) } else { None };
        let mut windows = vec![];
        while self.take_sign(",") {
            windows.push(self.window()?);
        }
        Ok(AstKind::Agg(Box::new(Agg { func: func.to_string(), arg, filter, windows })))
    }

    fn window(&mut self) -> Result<WindowAst, ()> {
        if self.take_word("last") {
            return match self.peek().clone() {
                Token::Dur(d) => {
                    self.next();
                    Ok(WindowAst::Last(d))
                }
                Token::Num(n) if n.scale() == 0 && n.mantissa() > 0 && n.mantissa() <= 1_000_000 => {
                    self.next();
                    Ok(WindowAst::LastCount(n.mantissa() as u32))
                }
                _ => self.expected(
                    "기간이나 개수(예: last 30d, last 5)",
                    "a duration or a number of events, as in last 30d or last 5",
                ),
            };
        }
        if self.take_word("between") {
            let from = self.duration()?;
            if !self.take_word("and") {
                return self.expected("'and'", "'and'");
            }
            let to = self.duration()?;
            if !self.take_word("ago") {
                return self.expected("'ago'", "'ago'");
            }
            return Ok(WindowAst::Between(from, to));
        }
        if self.take_word("today") {
            return Ok(WindowAst::Period(Period::Day, 0));
        }
        if self.take_word("yesterday") {
            return Ok(WindowAst::Period(Period::Day, 1));
        }
        if self.is_word(0, "this") || self.is_word(0, "previous") {
            let back = i32::from(self.is_word(0, "previous"));
            self.next();
            return Ok(WindowAst::Period(self.period()?, back));
        }
        if self.take_word("since") {
            if self.take_word("last") {
                return Ok(WindowAst::SinceLast(self.event()?));
            }
            return match self.next_instant()? {
                Ok(date) => Ok(WindowAst::SinceDate(date)),
                Err(instant) => Ok(WindowAst::SinceInstant(instant)),
            };
        }
        if self.take_word("before") {
            return match self.next_instant()? {
                Ok(date) => Ok(WindowAst::BeforeDate(date)),
                Err(instant) => Ok(WindowAst::BeforeInstant(instant)),
            };
        }
        if self.is_word(0, "during") && self.is_word(1, "occasion") {
            self.at += 2;
            return match self.occasion()? {
                AstKind::Occasion { name, within } => Ok(WindowAst::During(name, within)),
                _ => Err(()),
            };
        }
        if self.take_word("by") {
            return Ok(WindowAst::By(self.period()?));
        }
        let found = self.found();
        self.fault(
            "window",
            format!("{found}은(는) 기간 조건이 아닙니다"),
            format!("{found} is no window"),
            Some((
                "쓸 수 있는 것: last 30d, last 5, between 30d and 3d ago, today, this month, previous week, since 2026-01-01, \
                 before 2026-01-01, since last cart, during occasion chuseok within 7d"
                    .into(),
                "windows are: last 30d, last 5, between 30d and 3d ago, today, this month, previous week, since 2026-01-01, \
                 before 2026-01-01, since last cart, during occasion chuseok within 7d"
                    .into(),
            )),
        );
        Err(())
    }

    fn next_instant(&mut self) -> Result<Result<Date, Instant>, ()> {
        match *self.peek() {
            Token::Date(d) => {
                self.next();
                Ok(Ok(d))
            }
            Token::Instant(t) => {
                self.next();
                Ok(Err(t))
            }
            _ => self.expected("날짜(예: 2026-01-31)", "a date such as 2026-01-31"),
        }
    }

    fn period(&mut self) -> Result<Period, ()> {
        let periods = [
            ("day", Period::Day),
            ("week", Period::Week),
            ("month", Period::Month),
            ("quarter", Period::Quarter),
            ("year", Period::Year),
        ];
        match periods.iter().find(|(w, _)| self.take_word(w)) {
            Some((_, p)) => Ok(*p),
            None => self.expected("day, week, month, quarter, year 중 하나", "day, week, month, quarter or year"),
        }
    }

    fn sequence(&mut self, whole: bool) -> Made {
        let mut steps: Vec<StepAst> = vec![];
        loop {
            let event = self.event()?;
            let mut step = StepAst { event, within: None, without: vec![] };
            loop {
                if self.take_word("in") {
                    step.within = Some(self.duration()?);
                } else if self.take_word("without") {
                    step.without.push(self.event()?);
                } else {
                    break;
                }
            }
            steps.push(step);
            if !self.take_sign("->") {
                break;
            }
        }
        let mut within = None;
        let mut by = None;
        let mut windows = vec![];
        // `within` and `by` may follow the last step straight away or behind a comma.
        loop {
            let comma = self.take_sign(",");
            if self.take_word("within") {
                within = Some(self.duration()?);
            } else if self.take_word("by") {
                let Token::Word { text, .. } = self.peek().clone() else {
                    return self.expected("속성 이름", "the name of a property");
                };
                self.next();
                by = Some(text);
            } else if comma {
                windows.push(self.window()?);
            } else {
                break;
            }
        }
        Ok(AstKind::Sequence(Box::new(Sequence { whole, steps, within, by, windows })))
    }
}
