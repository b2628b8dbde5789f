//! The place in a query's text, and the findings of a parser: what both parsers read by.

use quell_ir::expr::CompareOp;
use quell_ir::{Code, Diagnostic, Span};

use crate::limits::{MAX_DEPTH, MAX_SOURCE_BYTES};

/// What was read, or the syntax error that ends the reading.
pub(crate) type Found<T> = Result<T, Box<Diagnostic>>;

pub(crate) struct Text<'s> {
    pub source: &'s str,
    pub at: usize,
    depth: u32,
}

impl<'s> Text<'s> {
    pub(crate) fn new(source: &'s str) -> Found<Text<'s>> {
        if source.len() > MAX_SOURCE_BYTES {
            let message = format!("the query has {} bytes, {MAX_SOURCE_BYTES} are the most", source.len());
            return Err(Box::new(Diagnostic::new(Code::QUERY_TOO_LONG, message).help("split it")));
        }
        Ok(Text { source, at: 0, depth: 0 })
    }

    pub(crate) fn rest(&self) -> &'s str {
        self.source.get(self.at..).unwrap_or("")
    }

    pub(crate) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(crate) fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    pub(crate) fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    /// A sign of order, read past where one stands here.
    pub(crate) fn order(&mut self) -> Option<CompareOp> {
        let signs = [
            ("<=", CompareOp::LessOrEqual),
            (">=", CompareOp::GreaterOrEqual),
            ("<", CompareOp::Less),
            (">", CompareOp::Greater),
        ];
        signs.into_iter().find_map(|(sign, op)| self.eat(sign).then_some(op))
    }

    /// Whether this word stands here in any case, and what follows it.
    pub(crate) fn after_word(&self, word: &str) -> Option<&'s str> {
        self.word_at(self.at, word)
    }

    /// Whether this word stands at a place in any case, and what follows it.
    pub(crate) fn word_at(&self, at: usize, word: &str) -> Option<&'s str> {
        let (found, rest) = self.source.get(at..)?.split_at_checked(word.len())?;
        found.eq_ignore_ascii_case(word).then_some(rest)
    }

    pub(crate) fn skip(&mut self, is: impl Fn(char) -> bool) -> usize {
        let rest = self.rest();
        let skipped = rest.len() - rest.trim_start_matches(is).len();
        self.at += skipped;
        skipped
    }

    pub(crate) fn span_from(&self, start: usize) -> Span {
        Span::new(start, self.at)
    }

    /// The character that stands here, or the end.
    pub(crate) fn here(&self) -> Span {
        Span::new(self.at, self.at + self.peek().map_or(0, char::len_utf8))
    }

    /// Four hexadecimal digits, read past where they stand here.
    pub(crate) fn hex_unit(&mut self) -> Option<u32> {
        let (digits, _) = self.rest().split_at_checked(4)?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).ok()
    }

    /// Reads something that stands within something else.
    pub(crate) fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Found<T>) -> Found<T> {
        if self.depth == MAX_DEPTH {
            let message = format!("the query is nested more than {MAX_DEPTH} deep");
            return Err(Box::new(
                Diagnostic::new(Code::TOO_DEEP, message).at(self.here()).help("flatten it"),
            ));
        }
        self.depth += 1;
        let found = read(self);
        self.depth -= 1;
        found
    }

    /// That something else must stand here.
    pub(crate) fn expected(&self, what: &str) -> Box<Diagnostic> {
        let message = match self.peek() {
            Some(c) => format!("unexpected `{c}`"),
            None => "the query ends too early".to_owned(),
        };
        let finding = Diagnostic::new(Code::QUERY_UNEXPECTED, message).at(self.here());
        Box::new(finding.label(format!("expected {what}")))
    }

    /// What closes `open`, which stands at `start`.
    pub(crate) fn close(&mut self, open: char, start: usize) -> Found<()> {
        let close = match open {
            '(' => ")",
            _ => "}",
        };
        if self.eat(close) {
            return Ok(());
        }
        if self.peek().is_some() {
            return Err(self.expected(&format!("`and`, `or` or `{close}`")));
        }
        let message = format!("`{open}` is never closed");
        let finding =
            Diagnostic::new(Code::QUERY_UNCLOSED, message).at(Span::new(start, start + open.len_utf8()));
        Err(Box::new(finding.label("opened here").help(format!("close it with `{close}`"))))
    }

    pub(crate) fn unclosed_quote(&self, start: usize) -> Box<Diagnostic> {
        let finding = Diagnostic::new(Code::QUERY_UNCLOSED_QUOTE, "the quote is never closed")
            .at(Span::new(start, self.source.len()));
        Box::new(
            finding
                .label("opened here")
                .help("close it with `\"`; write `\\\\` where a text ends with a backslash"),
        )
    }
}
