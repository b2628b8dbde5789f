//! The place in the tokens, the findings so far, and how to say that something else was expected.

use quell_ir::{Code, Diagnostic, Span};

use crate::Dialect;
use crate::lexer::{Keyword, Lexed, Sign, Token, TokenKind};
use crate::limits::{MAX_DEPTH, MAX_FINDINGS};

/// What was read, or the syntax error that ends the reading.
pub(super) type Found<T> = Result<T, Box<Diagnostic>>;

pub(super) struct Parser<'s> {
    source: &'s str,
    dialect: Dialect,
    lexed: Lexed,
    at: usize,
    findings: Vec<Diagnostic>,
    /// How many expressions are being read above this place.
    depth: u32,
    /// How high the tree of the expression is that was read last.
    pub(super) height: u32,
    /// The variables of the `_arraysearch` calls around this place.
    pub(super) variables: Vec<&'s str>,
}

impl<'s> Parser<'s> {
    pub(super) fn new(source: &'s str, dialect: Dialect, lexed: Lexed) -> Self {
        Parser {
            source,
            dialect,
            lexed,
            at: 0,
            findings: Vec::new(),
            depth: 0,
            height: 0,
            variables: Vec::new(),
        }
    }

    /// What was reported, in the order of the text.
    pub(super) fn into_findings(self) -> Vec<Diagnostic> {
        let mut findings = self.findings;
        findings.sort_by_key(|finding| finding.span.map(|span| span.start));
        findings
    }

    pub(super) fn report(&mut self, finding: Diagnostic) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(finding);
        }
    }

    /// The finding that was reported last.
    pub(super) fn take_last(&mut self) -> Option<Diagnostic> {
        self.findings.pop()
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.dialect
    }

    fn token(&self, ahead: usize) -> Token {
        let last = || self.lexed.tokens.last().copied();
        let end = Token { kind: TokenKind::End, span: Span::default() };
        self.lexed.tokens.get(self.at + ahead).copied().or_else(last).unwrap_or(end)
    }

    pub(super) fn kind(&self) -> TokenKind {
        self.token(0).kind
    }

    pub(super) fn kind_after(&self, ahead: usize) -> TokenKind {
        self.token(ahead).kind
    }

    pub(super) fn span(&self) -> Span {
        self.token(0).span
    }

    pub(super) fn text(&self) -> &'s str {
        self.span().text(self.source)
    }

    /// The text of a span.
    pub(super) fn slice(&self, span: Span) -> &'s str {
        span.text(self.source)
    }

    /// The text of a span on one line, cut where it is long: for messages.
    pub(super) fn shorten(&self, span: Span) -> String {
        const MOST: usize = 60;
        let mut text = String::new();
        for word in self.slice(span).split_whitespace() {
            if !text.is_empty() {
                text.push(' ');
            }
            text.extend(word.chars().take(MOST + 1));
            if text.chars().count() > MOST {
                return text.chars().take(MOST).chain(['…']).collect();
            }
        }
        text
    }

    fn previous(&self) -> Option<Token> {
        self.lexed.tokens.get(self.at.checked_sub(1)?).copied()
    }

    pub(super) fn previous_span(&self) -> Span {
        self.previous().map_or(Span::default(), |token| token.span)
    }

    pub(super) fn advance(&mut self) {
        if self.at + 1 < self.lexed.tokens.len() {
            self.at += 1;
        }
    }

    /// Whether nothing stands between this token and the next ones, `count` of them.
    pub(super) fn is_glued(&self, count: usize) -> bool {
        (0..count).all(|ahead| self.token(ahead).span.end == self.token(ahead + 1).span.start)
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        self.kind() == TokenKind::Word && self.text() == word
    }

    pub(super) fn eat_sign(&mut self, sign: Sign) -> bool {
        self.eat(TokenKind::Sign(sign))
    }

    pub(super) fn eat_keyword(&mut self, keyword: Keyword) -> bool {
        self.eat(TokenKind::Keyword(keyword))
    }

    fn eat(&mut self, kind: TokenKind) -> bool {
        let found = self.kind() == kind;
        if found {
            self.advance();
        }
        found
    }

    pub(super) fn expect_end(&mut self, expected: &str) -> Found<()> {
        if self.kind() == TokenKind::End { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    /// `=`
    pub(super) fn expect_assignment(&mut self) -> Found<()> {
        if self.eat_sign(Sign::Assign) { Ok(()) } else { Err(self.unexpected("`=`")) }
    }

    /// The closing bracket of what `open` opened; its span.
    pub(super) fn expect_close(&mut self, close: Sign, open: Span, expected: &str) -> Found<Span> {
        let span = self.span();
        if self.eat_sign(close) {
            return Ok(span);
        }
        if self.kind() == TokenKind::End {
            let bracket = self.slice(open);
            let finding =
                Diagnostic::new(Code::UNCLOSED_BRACKET, format!("this `{bracket}` is never closed"));
            let help = format!("close it with `{}`", close.as_str());
            return Err(Box::new(finding.at(open).label("opened here").help(help)));
        }
        Err(self.unexpected(expected))
    }

    /// Goes one expression down.
    pub(super) fn enter(&mut self) -> Found<()> {
        self.depth += 1;
        self.check_depth(self.depth, self.span())
    }

    /// Comes up again from an expression as high as `height`.
    pub(super) fn leave(&mut self, height: u32) -> Found<()> {
        self.depth = self.depth.saturating_sub(1);
        self.height = height;
        self.check_depth(height, self.previous_span())
    }

    fn check_depth(&self, depth: u32, span: Span) -> Found<()> {
        if depth <= MAX_DEPTH {
            return Ok(());
        }
        let finding = Diagnostic::new(
            Code::TOO_DEEP,
            format!("expressions are nested more than {MAX_DEPTH} deep here"),
        );
        Err(Box::new(finding.at(span).help("remove parentheses that do nothing, or split the rule")))
    }

    /// A keyword in the wrong case, as in `AND`.
    pub(super) fn is_foreign_case(&self) -> bool {
        self.lower_keyword(self.token(0)).is_some()
    }

    fn lower_keyword(&self, token: Token) -> Option<Keyword> {
        let text = self.slice(token.span);
        let foreign = matches!(token.kind, TokenKind::Word | TokenKind::TildeWord);
        if foreign && text.len() < 16 { Keyword::of(&text.to_ascii_lowercase()) } else { None }
    }

    /// The finding for this token, where only `expected` could stand.
    pub(super) fn unexpected(&mut self, expected: &str) -> Box<Diagnostic> {
        if self.kind() == TokenKind::Broken
            && let Some(finding) = self.lexed.finding.take()
        {
            return finding;
        }
        // `a AND b` fails at AND; `NOT a` fails behind NOT, which was read as a field.
        let suspects = [Some(self.token(0)), self.previous()];
        let of_a_path = |token: Token| {
            let before = self.lexed.tokens.iter().rfind(|other| other.span.end <= token.span.start);
            before.is_some_and(|other| other.kind == TokenKind::Sign(Sign::Dot))
        };
        for token in suspects.into_iter().flatten() {
            if let Some(keyword) = self.lower_keyword(token)
                && !of_a_path(token)
            {
                let written = self.slice(token.span);
                let message = format!("`{written}` is not in lower case, so it is no keyword");
                let help = format!("write `{}`", keyword.as_str());
                return Box::new(
                    Diagnostic::new(Code::UPPER_CASE_KEYWORD, message).at(token.span).help(help),
                );
            }
        }
        let mut finding = self.unexpected_here(expected);
        if let Some(help) = self.unexpected_help() {
            finding = finding.help(help);
        }
        Box::new(finding)
    }

    /// The finding for this token as it is, without looking for the cause.
    pub(super) fn unexpected_here(&self, expected: &str) -> Diagnostic {
        let (message, span) = match self.kind() {
            TokenKind::End => {
                let end = self.previous_span().end;
                ("the query ends too early".to_owned(), Span { start: end, end })
            }
            _ => (format!("`{}` cannot stand here", self.shorten(self.span())), self.span()),
        };
        Diagnostic::new(Code::UNEXPECTED_TOKEN, message).at(span).label(format!("expected {expected}"))
    }

    fn unexpected_help(&self) -> Option<String> {
        let before = self.previous()?.kind;
        let digits = || self.text().trim_start_matches('.').split('.').next().unwrap_or("").to_owned();
        match (before, self.kind()) {
            (TokenKind::Word | TokenKind::QuotedWord, TokenKind::Decimal) if self.text().starts_with('.') => {
                Some(format!(
                    "a part of a field name that begins with a digit stands in backticks: `` .`{}…` ``",
                    digits()
                ))
            }
            (TokenKind::Sign(Sign::Dot), TokenKind::Integer | TokenKind::Decimal) => Some(format!(
                "a part of a field name that begins with a digit stands in backticks: `` .`{}…` ``",
                digits()
            )),
            (TokenKind::Sign(Sign::Comma), TokenKind::Sign(Sign::Close)) => {
                Some("remove the comma".to_owned())
            }
            (_, TokenKind::Text | TokenKind::RawText)
                if matches!(before, TokenKind::Text | TokenKind::RawText) =>
            {
                Some("a comma is missing between the two strings".to_owned())
            }
            _ => None,
        }
    }
}
