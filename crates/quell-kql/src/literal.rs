//! A literal: a value or a name as both languages write it, with its wildcards told apart from the characters they are.

use quell_ir::Span;
use quell_ir::pattern::{Token, Wildcard};

/// A value or a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Literal {
    /// The value, escapes decoded; wildcards are tokens of their own.
    pub pattern: Wildcard,
    /// Whether it stands in quotes: a phrase of analysed text, and no wildcards.
    pub quoted: bool,
    /// As written, quotes and escapes included.
    pub text: Box<str>,
    /// Where.
    pub span: Span,
}

impl Literal {
    /// The text, where there is no wildcard in it.
    #[must_use]
    pub fn plain(&self) -> Option<&str> {
        self.pattern.as_literal()
    }

    /// Whether both are the same but for their places in the text.
    #[must_use]
    pub fn same_as(&self, other: &Literal) -> bool {
        self.pattern == other.pattern && self.quoted == other.quoted && self.text == other.text
    }

    /// Whether it is one `*` alone.
    #[must_use]
    pub fn is_lone_wildcard(&self) -> bool {
        self.pattern.is_everything()
    }
}

/// Collects the parts of a literal.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    tokens: Vec<Token>,
    text: String,
    /// The first half of a character that was written as two escapes.
    high: Option<u32>,
}

impl Parts {
    pub(crate) fn push(&mut self, c: char) {
        self.end_high();
        self.text.push(c);
    }

    pub(crate) fn push_str(&mut self, text: &str) {
        self.end_high();
        self.text.push_str(text);
    }

    /// A unit of UTF-16, as `\u` writes it; half of a character alone is the replacement character.
    pub(crate) fn push_unit(&mut self, unit: u32) {
        match (self.high.take(), unit) {
            (Some(high), 0xDC00..=0xDFFF) => {
                let c = 0x10000 + ((high - 0xD800) << 10) + (unit - 0xDC00);
                self.text.push(char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            (high, _) => {
                if high.is_some() {
                    self.text.push(char::REPLACEMENT_CHARACTER);
                }
                match unit {
                    0xD800..=0xDBFF => self.high = Some(unit),
                    _ => self.text.push(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER)),
                }
            }
        }
    }

    pub(crate) fn wildcard(&mut self, token: Token) {
        self.end_text();
        self.tokens.push(token);
    }

    pub(crate) fn into_pattern(mut self) -> Wildcard {
        self.end_text();
        Wildcard::from_tokens(self.tokens)
    }

    /// Without white space at both ends.
    pub(crate) fn into_trimmed(mut self) -> Wildcard {
        self.end_text();
        if let Some(Token::Literal(text)) = self.tokens.first_mut() {
            *text = text.trim_start().into();
        }
        if let Some(Token::Literal(text)) = self.tokens.last_mut() {
            *text = text.trim_end().into();
        }
        Wildcard::from_tokens(self.tokens)
    }

    fn end_high(&mut self) {
        if self.high.take().is_some() {
            self.text.push(char::REPLACEMENT_CHARACTER);
        }
    }

    fn end_text(&mut self) {
        self.end_high();
        if !self.text.is_empty() {
            self.tokens.push(Token::Literal(std::mem::take(&mut self.text).into()));
        }
    }
}
