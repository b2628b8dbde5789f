//! The lexer: text to tokens and comments, by longest match; it stops at the first text that is no token.
//!
//! Source: Elasticsearch, "EQL syntax reference"; the Endgame dialect adds the old string forms.

use quell_ir::{Code, Diagnostic, Span};

use crate::Dialect;
use crate::limits::MAX_UNBALANCED_COMMENTS;

/// One token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub kind: TokenKind,
    pub span: Span,
}

/// The kinds of token. Their text is in the source, under the token's span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// `process`, `_a`, `@timestamp`
    Word,
    /// `startsWith~`
    TildeWord,
    /// `` `any name` ``
    QuotedWord,
    /// `$entry`
    Variable,
    Keyword(Keyword),
    /// `42`
    Integer,
    /// `4.2`, `.5`, `1e3`
    Decimal,
    /// `"text"`, and in the Endgame dialect `'text'`
    Text,
    /// `"""text"""`, and in the Endgame dialect `?"text"` and `?'text'`
    RawText,
    Sign(Sign),
    /// What could not be read; the lexer's finding says why. Nothing follows it.
    Broken,
    /// After the last token.
    End,
}

/// Declares an enum of fixed texts, with a table of them.
macro_rules! fixed_texts {
    ($(#[$doc:meta])* $name:ident { $($variant:ident $text:literal)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name { $($variant,)* }

        impl $name {
            /// All of them, in the order of their declaration.
            pub(crate) const ALL: &[$name] = &[$($name::$variant,)*];

            /// As written in a query.
            pub(crate) fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }
        }
    };
}

fixed_texts! {
    /// The reserved words. A tilde is glued on, so `in~` is one token.
    Keyword {
        And "and" Any "any" By "by" False "false" In "in" InFolded "in~" Join "join" Like "like" LikeFolded "like~"
        Maxspan "maxspan" Not "not" Null "null" Of "of" Or "or" Regex "regex" RegexFolded "regex~" Sample "sample"
        Sequence "sequence" True "true" Until "until" Where "where" With "with"
    }
}

fixed_texts! {
    /// The operators, those of two characters before their beginnings.
    Sign {
        Equal "==" NotEqual "!=" LessOrEqual "<=" GreaterOrEqual ">=" MissingOpen "!["
        Less "<" Greater ">" Assign "=" Colon ":" Plus "+" Minus "-" Star "*" Slash "/" Percent "%"
        Dot "." Comma "," Open "(" Close ")" StepOpen "[" StepClose "]" Bar "|" Optional "?"
    }
}

impl Keyword {
    /// The keyword that is written so.
    pub(crate) fn of(word: &str) -> Option<Keyword> {
        Keyword::ALL.iter().copied().find(|keyword| keyword.as_str() == word)
    }
}

/// A comment, delimiters included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Comment {
    pub span: Span,
    /// `//`: ends with its line.
    pub line: bool,
    /// Whether only white space stands before it on its line.
    pub starts_line: bool,
    /// Whether a token follows on the line on which it ends.
    pub followed: bool,
}

/// All that the lexer finds.
#[derive(Debug, Default)]
pub(crate) struct Lexed {
    /// The tokens; the last is `Broken` or `End`.
    pub tokens: Vec<Token>,
    pub comments: Vec<Comment>,
    /// Why the last token is `Broken`.
    pub finding: Option<Box<Diagnostic>>,
}

/// Reads all of `source`.
pub(crate) fn lex(source: &str, dialect: Dialect) -> Lexed {
    let mut lexer = Lexer {
        source,
        at: 0,
        dialect,
        unbalanced: 0,
        tokens: Vec::new(),
        comments: Vec::new(),
        fresh: true,
        unfollowed: 0,
    };
    let finding = loop {
        match lexer.step() {
            Ok(true) => {}
            Ok(false) => break None,
            Err(finding) => {
                let span = finding.span.unwrap_or_default();
                lexer.tokens.push(Token { kind: TokenKind::Broken, span });
                break Some(finding);
            }
        }
    };
    Lexed { tokens: lexer.tokens, comments: lexer.comments, finding }
}

struct Lexer<'s> {
    source: &'s str,
    at: usize,
    dialect: Dialect,
    unbalanced: u32,
    tokens: Vec<Token>,
    comments: Vec<Comment>,
    /// Whether nothing stands on this line yet.
    fresh: bool,
    /// How many comments stand before those after which no token has come on this line.
    unfollowed: usize,
}

type Found<T> = Result<T, Box<Diagnostic>>;

fn refuse<T>(code: Code, message: impl Into<String>, span: Span, help: impl Into<String>) -> Found<T> {
    Err(Box::new(Diagnostic::new(code, message).at(span).help(help)))
}

impl<'s> Lexer<'s> {
    fn rest(&self) -> &'s str {
        self.source.get(self.at..).unwrap_or("")
    }

    /// Reads one piece of white space, one comment or one token; `false` at the end of the text.
    fn step(&mut self) -> Found<bool> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            self.tokens.push(Token { kind: TokenKind::End, span: Span::new(self.at, self.at) });
            return Ok(false);
        };
        let start = self.at;
        let kind = match first {
            '\n' | '\r' => {
                self.fresh = true;
                self.unfollowed = self.comments.len();
                self.at += 1;
                return Ok(true);
            }
            ' ' | '\t' => {
                self.at += count(rest, |b| b == b' ' || b == b'\t');
                return Ok(true);
            }
            '/' if rest.starts_with("//") => {
                self.at += count(rest, |b| b != b'\n' && b != b'\r');
                self.comment(start, true);
                return Ok(true);
            }
            '/' if rest.starts_with("/*") => {
                self.at = self.block_comment_end()?;
                self.comment(start, false);
                return Ok(true);
            }
            'a'..='z' | 'A'..='Z' | '_' | '@' => self.word(rest),
            '`' => self.quoted_word(rest)?,
            '$' => self.variable(rest)?,
            '0'..='9' => self.number(rest),
            '.' if rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit) => self.number(rest),
            '"' if rest.starts_with("\"\"\"") => self.raw_text(rest)?,
            '"' => self.text(rest, '"')?,
            '\'' => self.old_text(rest, 0)?,
            '?' if rest.starts_with("?\"") || rest.starts_with("?'") => self.old_text(rest, 1)?,
            _ => self.sign(rest, first)?,
        };
        for comment in self.comments.iter_mut().skip(self.unfollowed) {
            comment.followed = true;
        }
        self.unfollowed = self.comments.len();
        self.fresh = false;
        self.tokens.push(Token { kind, span: Span::new(start, self.at) });
        Ok(true)
    }

    /// What is left of the line, for errors.
    fn line_span(&self, rest: &str) -> Span {
        let line = rest.split(['\n', '\r']).next().unwrap_or(rest).trim_end();
        Span::new(self.at, self.at + line.len())
    }

    fn comment(&mut self, start: usize, line: bool) {
        let span = Span::new(start, self.at);
        self.comments.push(Comment { span, line, starts_line: self.fresh, followed: false });
        self.fresh = false;
    }

    /// Comments nest where they balance; an inner `/*` that nothing closes is only text.
    fn block_comment_end(&mut self) -> Found<usize> {
        let bytes = self.source.as_bytes();
        let mut at = self.at + 2;
        let mut depth = 1_u32;
        let mut first_close = None;
        while let Some(&[a, b]) = bytes.get(at..at + 2) {
            match (a, b) {
                (b'/', b'*') => {
                    depth += 1;
                    at += 2;
                }
                (b'*', b'/') => {
                    depth -= 1;
                    at += 2;
                    first_close.get_or_insert(at);
                    if depth == 0 {
                        return Ok(at);
                    }
                }
                _ => at += 1,
            }
        }
        self.unbalanced += 1;
        let span = Span::new(self.at, self.at + 2);
        match first_close {
            None => refuse(Code::UNCLOSED_COMMENT, "this comment never ends", span, "close it with `*/`"),
            // Each of them reads to the end of the text: without a limit that would be quadratic.
            Some(_) if self.unbalanced > MAX_UNBALANCED_COMMENTS => refuse(
                Code::UNCLOSED_COMMENT,
                format!("more than {MAX_UNBALANCED_COMMENTS} comments hold a `/*` that nothing closes"),
                span,
                "comments nest: close each `/*` with `*/`",
            ),
            Some(end) => Ok(end),
        }
    }

    fn word(&mut self, rest: &str) -> TokenKind {
        // The first character may be `@`, which no later one is.
        let letters = 1 + count(rest.get(1..).unwrap_or(""), is_word);
        self.at += letters;
        let word = rest.get(..letters).unwrap_or("");
        if rest.as_bytes().get(letters) == Some(&b'~') && rest.starts_with(|c: char| c.is_ascii_alphabetic())
        {
            self.at += 1;
            let folded = rest.get(..=letters).unwrap_or("");
            return Keyword::of(folded).map_or(TokenKind::TildeWord, TokenKind::Keyword);
        }
        Keyword::of(word).map_or(TokenKind::Word, TokenKind::Keyword)
    }

    fn quoted_word(&mut self, rest: &str) -> Found<TokenKind> {
        let mut length = 1;
        loop {
            let Some(found) = rest.get(length..).and_then(|text| text.find('`')) else {
                let span = self.line_span(rest);
                return refuse(
                    Code::UNCLOSED_BACKTICK,
                    "this name in backticks is never closed",
                    span,
                    "close it with a backtick",
                );
            };
            length += found + 1;
            if rest.as_bytes().get(length) == Some(&b'`') {
                length += 1; // a doubled backtick is one of the name
            } else {
                break;
            }
        }
        let span = Span::new(self.at, self.at + length);
        self.at += length;
        if unquote_word(span.text(self.source)).is_empty() {
            return refuse(
                Code::UNCLOSED_BACKTICK,
                "nothing stands in these backticks",
                span,
                "write the field's name in them",
            );
        }
        Ok(TokenKind::QuotedWord)
    }

    fn variable(&mut self, rest: &str) -> Found<TokenKind> {
        let name = rest.get(1..).unwrap_or("");
        let letters = count(name, is_word);
        if letters == 0 || name.starts_with(|c: char| c.is_ascii_digit()) {
            return self.unrecognised('$', "a variable is `$` and a name, as in `$entry`");
        }
        self.at += 1 + letters;
        Ok(TokenKind::Variable)
    }

    fn number(&mut self, rest: &str) -> TokenKind {
        let digit = |b: u8| b.is_ascii_digit();
        let tail = |from: usize| rest.get(from..).unwrap_or("");
        let mut length = count(rest, digit);
        let mut kind = TokenKind::Integer;
        if tail(length).starts_with('.') {
            length += 1 + count(tail(length + 1), digit);
            kind = TokenKind::Decimal;
        }
        if let Some(exponent) = tail(length).strip_prefix(['e', 'E']) {
            let sign = usize::from(exponent.starts_with(['+', '-']));
            let digits = count(exponent.get(sign..).unwrap_or(""), digit);
            if digits > 0 {
                length += 1 + sign + digits;
                kind = TokenKind::Decimal;
            }
        }
        self.at += length;
        kind
    }

    fn text(&mut self, rest: &str, quote: char) -> Found<TokenKind> {
        let mut chars = rest.char_indices();
        chars.next(); // the quote itself
        while let Some((offset, c)) = chars.next() {
            match c {
                '\n' | '\r' => break,
                '\\' => {
                    let here = self.at + offset;
                    let escape = rest.get(offset..).unwrap_or("");
                    let taken = self.escape(here, escape)?;
                    // The backslash is taken; skip the rest of the escape.
                    for _ in 1..taken {
                        chars.next();
                    }
                }
                c if c == quote => {
                    self.at += offset + 1;
                    return Ok(TokenKind::Text);
                }
                _ => {}
            }
        }
        let span = self.line_span(rest);
        let help = if span.text(self.source).ends_with(r#"\""#) {
            r"a backslash before the quote is part of the text: write `\\` for one backslash"
        } else {
            "close it with a double quote on the same line; a line break inside is `\\n`"
        };
        refuse(Code::UNCLOSED_STRING, "this string is never closed", span, help)
    }

    /// How many characters the escape at the start of `escape` takes.
    fn escape(&self, here: usize, escape: &str) -> Found<usize> {
        let Some(letter) = escape.chars().nth(1) else { return Ok(1) };
        if simple_escape(letter).is_some() {
            return Ok(2);
        }
        if let Some(digits) = escape.strip_prefix("\\u{") {
            let length = count(digits, |b| b.is_ascii_hexdigit());
            if digits.as_bytes().get(length) == Some(&b'}') {
                let span = Span::new(here, here + 3 + length + 1);
                let digits = digits.get(..length).unwrap_or("");
                let help = "write 2 to 8 hexadecimal digits that name a Unicode character, as in `\\u{e9}`";
                if !(2..=8).contains(&length) {
                    let message =
                        format!("a unicode escape has 2 to 8 hexadecimal digits, this one has {length}");
                    return refuse(Code::UNICODE_ESCAPE, message, span, help);
                }
                let Ok(number) = u32::from_str_radix(digits, 16) else { return Ok(2) };
                if (0xD800..=0xDFFF).contains(&number) {
                    return refuse(
                        Code::UNICODE_ESCAPE,
                        format!("`{digits}` is half of a surrogate pair, not a character"),
                        span,
                        "write the character itself, or its own number",
                    );
                }
                if char::from_u32(number).is_none() {
                    return refuse(
                        Code::UNICODE_ESCAPE,
                        format!("`{digits}` is above 10FFFF, the last character"),
                        span,
                        help,
                    );
                }
                return Ok(3 + length + 1);
            }
        }
        if matches!(letter, '\n' | '\r') {
            return Ok(1); // the line break ends the string, which says more
        }
        let span = Span::new(here, here + 1 + letter.len_utf8());
        let help = format!("write `\\\\{letter}` for a backslash, or use a raw string: `\"\"\"…\"\"\"`");
        refuse(Code::UNKNOWN_ESCAPE, format!("`\\{letter}` is no escape"), span, help)
    }

    fn raw_text(&mut self, rest: &str) -> Found<TokenKind> {
        let body = rest.get(3..).unwrap_or("");
        let mut quotes = 0;
        let mut close = None;
        // One pass that stops at the line's end: a search for it alone would read a long line once for each string.
        for (offset, b) in body.bytes().enumerate().take_while(|(_, b)| !matches!(b, b'\n' | b'\r')) {
            quotes = if b == b'"' { quotes + 1 } else { 0 };
            if quotes == 3 {
                close = Some(offset - 2);
                break;
            }
        }
        let Some(close) = close else {
            let span = self.line_span(rest);
            let help =
                "close it with `\"\"\"` on the same line; a text with a line break is written `\"…\\n…\"`";
            return refuse(Code::UNCLOSED_STRING, "this raw string is never closed", span, help);
        };
        // One or two further quotes belong to the content.
        let more = count(body.get(close + 3..).unwrap_or(""), |b| b == b'"').min(2);
        self.at += 3 + close + 3 + more;
        Ok(TokenKind::RawText)
    }

    /// `'text'`, `?"text"`, `?'text'`: `mark` is 1 where a question mark stands before the quote.
    fn old_text(&mut self, rest: &str, mark: usize) -> Found<TokenKind> {
        let body = rest.get(mark..).unwrap_or("");
        let quote = body.chars().next().unwrap_or('\'');
        if self.dialect == Dialect::Endgame && mark == 0 {
            return self.text(rest, quote);
        }
        let mut escaped = false;
        let close =
            body.char_indices().skip(1).take_while(|(_, c)| !matches!(c, '\n' | '\r')).find(|(_, c)| {
                let closes = *c == quote && !escaped;
                // In a raw string a backslash only ever protects a quote; in the other it protects a backslash too.
                escaped = *c == '\\' && !(escaped && mark == 0);
                closes
            });
        let Some((close, _)) = close else {
            let span = self.line_span(rest);
            return refuse(
                Code::UNCLOSED_STRING,
                "this string is never closed",
                span,
                "strings stand in double quotes: `\"text\"`",
            );
        };
        let end = self.at + mark + close + 1;
        if self.dialect == Dialect::Endgame {
            self.at = end;
            return Ok(TokenKind::RawText);
        }
        let span = Span::new(self.at, end);
        let text = body.get(1..close).unwrap_or("");
        if mark == 1 {
            let help = format!("write it in triple double quotes: `\"\"\"{text}\"\"\"`");
            refuse(Code::OLD_STRING, "this is an old form of raw string", span, help)
        } else {
            let help = format!("use double quotes: `\"{text}\"`");
            refuse(Code::OLD_STRING, "strings do not stand in single quotes", span, help)
        }
    }

    fn sign(&mut self, rest: &str, first: char) -> Found<TokenKind> {
        if let Some(foreign) = FOREIGN.iter().find(|foreign| rest.starts_with(foreign.text)) {
            let span = Span::new(self.at, self.at + foreign.text.len());
            return refuse(
                Code::FOREIGN_OPERATOR,
                format!("`{}` is no operator here", foreign.text),
                span,
                foreign.help,
            );
        }
        if let Some(sign) = Sign::ALL.iter().copied().find(|sign| rest.starts_with(sign.as_str())) {
            self.at += sign.as_str().len();
            return Ok(TokenKind::Sign(sign));
        }
        match first {
            '!' => {
                let span = Span::new(self.at, self.at + 1);
                refuse(Code::FOREIGN_OPERATOR, "`!` is no operator here", span, "write `not`")
            }
            '~' => {
                let help = "a tilde is glued to the word before it, as in `in~`, `like~`, `regex~` or `startsWith~(…)`";
                refuse(
                    Code::STRAY_TILDE,
                    "this tilde belongs to no word",
                    Span::new(self.at, self.at + 1),
                    help,
                )
            }
            c if c.is_alphanumeric() => {
                self.unrecognised(c, "a field name with such characters stands in backticks")
            }
            '“' | '”' | '„' => {
                self.unrecognised(first, "strings stand in straight double quotes: `\"text\"`")
            }
            '\u{a0}' | '\u{feff}' | '\u{200b}' => {
                self.unrecognised(first, "this is an invisible character: delete it")
            }
            c => self.unrecognised(c, "text stands in double quotes, unusual field names in backticks"),
        }
    }

    fn unrecognised<T>(&self, c: char, help: &str) -> Found<T> {
        let span = Span::new(self.at, self.at + c.len_utf8());
        let shown = if c.is_control() || c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}') {
            format!("U+{:04X}", u32::from(c))
        } else {
            c.to_string()
        };
        refuse(Code::UNRECOGNISED_CHARACTER, format!("`{shown}` cannot stand here"), span, help)
    }
}

/// An operator that people bring from elsewhere.
struct Foreign {
    text: &'static str,
    help: &'static str,
}

/// Longer ones first. None of them is the beginning of a legal query.
static FOREIGN: &[Foreign] = &[
    Foreign { text: "===", help: "write `==`" },
    Foreign { text: "!==", help: "write `!=`" },
    Foreign { text: "&&", help: "write `and`" },
    Foreign { text: "&", help: "write `and`" },
    Foreign { text: "||", help: "write `or`" },
    Foreign { text: "<>", help: "write `!=`" },
    Foreign { text: "=~", help: "write `regex` for a regular expression, or `:` for a pattern without case" },
    Foreign { text: "!~", help: "write `not` in front: `not field regex \"…\"`" },
    Foreign { text: "!:", help: "write `not` in front: `not field : \"…\"`" },
];

fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

/// How many bytes at the start of `text` satisfy `test`.
fn count(text: &str, test: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|b| test(*b)).count()
}

fn simple_escape(letter: char) -> Option<char> {
    Some(match letter {
        'b' => '\u{8}',
        't' => '\t',
        'n' => '\n',
        'f' => '\u{c}',
        'r' => '\r',
        '"' | '\'' | '\\' => letter,
        _ => return None,
    })
}

/// The name in a [`TokenKind::QuotedWord`].
pub(crate) fn unquote_word(text: &str) -> String {
    let inner = text.strip_prefix('`').unwrap_or(text);
    let inner = inner.strip_suffix('`').unwrap_or(inner);
    inner.replace("``", "`")
}

/// The text that a [`TokenKind::Text`] or [`TokenKind::RawText`] stands for.
pub(crate) fn decode_text(written: &str) -> String {
    if let Some(inner) = written.strip_prefix("\"\"\"").and_then(|text| text.strip_suffix("\"\"\"")) {
        return inner.to_owned();
    }
    if let Some(old) = written.strip_prefix('?') {
        let quote = old.get(..1).unwrap_or("");
        let inner = old.strip_prefix(quote).unwrap_or(old);
        let inner = inner.strip_suffix(quote).unwrap_or(inner);
        return inner.replace(&format!("\\{quote}"), quote);
    }
    let inner = written.get(1..written.len().saturating_sub(1)).unwrap_or("");
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        text.push_str(rest.get(..at).unwrap_or(""));
        let escape = rest.get(at + 1..).unwrap_or("");
        rest = if let Some((digits, after)) = escape.strip_prefix("u{").and_then(|hex| hex.split_once('}')) {
            let decoded = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
            text.push(decoded.unwrap_or(char::REPLACEMENT_CHARACTER));
            after
        } else {
            let mut chars = escape.chars();
            if let Some(letter) = chars.next() {
                text.push(simple_escape(letter).unwrap_or(letter));
            }
            chars.as_str()
        };
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::{Lexed, TokenKind, decode_text, lex};
    use crate::Dialect::{Elasticsearch, Endgame};

    /// The tokens as `Kind:text`, without the end.
    fn tokens(source: &str, lexed: &Lexed) -> Vec<String> {
        let shown = lexed.tokens.iter().filter(|token| token.kind != TokenKind::End);
        shown
            .map(|token| {
                let kind = match token.kind {
                    TokenKind::Keyword(_) => "Keyword".to_owned(),
                    TokenKind::Sign(_) => "Sign".to_owned(),
                    kind => format!("{kind:?}"),
                };
                format!("{kind}:{}", token.span.text(source))
            })
            .collect()
    }

    #[test]
    fn every_form_of_token() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            (" \t\r\n", &[]),
            ("a _b @timestamp a1_", &["Word:a", "Word:_b", "Word:@timestamp", "Word:a1_"]),
            ("AND And and", &["Word:AND", "Word:And", "Keyword:and"]),
            (
                "in~ in like~ regex~ not",
                &["Keyword:in~", "Keyword:in", "Keyword:like~", "Keyword:regex~", "Keyword:not"],
            ),
            ("startsWith~(", &["TildeWord:startsWith~", "Sign:("]),
            ("not~ ins~", &["TildeWord:not~", "TildeWord:ins~"]),
            ("`a.b-c` `a``b` ````", &["QuotedWord:`a.b-c`", "QuotedWord:`a``b`", "QuotedWord:````"]),
            ("`two\nlines`", &["QuotedWord:`two\nlines`"]),
            ("$entry.x", &["Variable:$entry", "Sign:.", "Word:x"]),
            ("42 007", &["Integer:42", "Integer:007"]),
            (
                "1.5 1. .5 1e3 1.5E-3 .5e+2",
                &[
                    "Decimal:1.5",
                    "Decimal:1.",
                    "Decimal:.5",
                    "Decimal:1e3",
                    "Decimal:1.5E-3",
                    "Decimal:.5e+2",
                ],
            ),
            ("30s 1e 2em", &["Integer:30", "Word:s", "Integer:1", "Word:e", "Integer:2", "Word:em"]),
            ("a.5b", &["Word:a", "Decimal:.5", "Word:b"]),
            ("-5", &["Sign:-", "Integer:5"]),
            (r#""" "a" "a\"b""#, &[r#"Text:"""#, r#"Text:"a""#, r#"Text:"a\"b""#]),
            (r#""\b\t\n\f\r\"\'\\""#, &[r#"Text:"\b\t\n\f\r\"\'\\""#]),
            (r#""\u{41}\u{0010FFFF}""#, &[r#"Text:"\u{41}\u{0010FFFF}""#]),
            (r#""""C:\W""""#, &[r#"RawText:"""C:\W""""#]),
            (r#""""a"""" b"#, &[r#"RawText:"""a"""""#, "Word:b"]),
            (r#""""""a""""""#, &[r#"RawText:"""""a""""""#]),
            (
                "== != <= >= ![ < > = :",
                &[
                    "Sign:==", "Sign:!=", "Sign:<=", "Sign:>=", "Sign:![", "Sign:<", "Sign:>", "Sign:=",
                    "Sign::",
                ],
            ),
            (
                "+-*/%.,()[]|?",
                &[
                    "Sign:+", "Sign:-", "Sign:*", "Sign:/", "Sign:%", "Sign:.", "Sign:,", "Sign:(", "Sign:)",
                    "Sign:[", "Sign:]", "Sign:|", "Sign:?",
                ],
            ),
            ("? a", &["Sign:?", "Word:a"]),
            ("a//b\nc", &["Word:a", "Word:c"]),
            ("a/**/b/* x */c", &["Word:a", "Word:b", "Word:c"]),
            ("/* a /* b */ c */ d", &["Word:d"]),
            ("/* a /* b */ c", &["Word:c"]),
        ];
        for (source, expected) in cases {
            let lexed = lex(source, Elasticsearch);
            assert!(lexed.finding.is_none(), "{source}: {:?}", lexed.finding);
            assert_eq!(tokens(source, &lexed), *expected, "{source}");
        }
    }

    #[test]
    fn up_to_two_quotes_more_belong_to_a_raw_string() {
        for count in 6..=8 {
            let source = "\"".repeat(count);
            let lexed = lex(&source, Elasticsearch);
            assert_eq!(tokens(&source, &lexed), [format!("RawText:{source}")]);
            assert_eq!(decode_text(&source), "\"".repeat(count - 6));
        }
        for count in [1, 3, 4, 5, 9] {
            let source = "\"".repeat(count);
            assert!(lex(&source, Elasticsearch).finding.is_some(), "{source}");
        }
    }

    #[test]
    fn the_endgame_dialect_has_the_old_strings() {
        let cases: &[(&str, &str, &str)] = &[
            (r"'a'", r"Text:'a'", "a"),
            (r"'a\'b'", r"Text:'a\'b'", "a'b"),
            (r#"?"C:\W""#, r#"RawText:?"C:\W""#, r"C:\W"),
            (r#"?"a\"b""#, r#"RawText:?"a\"b""#, r#"a"b"#),
            (r"?'a\b'", r"RawText:?'a\b'", r"a\b"),
        ];
        for (source, token, text) in cases {
            let lexed = lex(source, Endgame);
            assert_eq!(tokens(source, &lexed), [*token], "{source}: {:?}", lexed.finding);
            assert_eq!(decode_text(source), *text, "{source}");
        }
    }

    #[test]
    fn strings_decode_once() {
        let cases: &[(&str, &str)] = &[
            (r#""""#, ""),
            (r#""a\tb""#, "a\tb"),
            (r#""C:\\new""#, r"C:\new"),
            (r#""\\u{41}""#, r"\u{41}"),
            (r#""\u{41}\u{e9}\u{00001F600}""#, "Aé\u{1F600}"),
            (r#""\b\f\"\'""#, "\u{8}\u{c}\"'"),
            (r#""""a\tb""""#, r"a\tb"),
            (r#""""a"""""#, r#"a""#),
            (r#""""""a""""""#, r#"""a"""#),
            (r#""""""""#, ""),
        ];
        for (written, text) in cases {
            if !written.contains("00001F600") {
                assert!(lex(written, Elasticsearch).finding.is_none(), "{written}");
            }
            assert_eq!(decode_text(written), *text, "{written}");
        }
    }

    /// What cannot be read: the text, the code, the text under the span.
    #[test]
    fn every_broken_token() {
        let cases: &[(&str, &str, &str)] = &[
            ("a ~ b", "E0009", "~"),
            ("in ~", "E0009", "~"),
            ("_a~", "E0009", "~"),
            ("# a", "E0001", "#"),
            ("é", "E0001", "é"),
            ("“a”", "E0001", "“"),
            ("a\u{a0}b", "E0001", "\u{a0}"),
            ("$", "E0001", "$"),
            ("$1", "E0001", "$"),
            ("a && b", "E0114", "&&"),
            ("a || b", "E0114", "||"),
            ("!a", "E0114", "!"),
            ("a !: b", "E0114", "!:"),
            ("a <> b", "E0114", "<>"),
            ("a === b", "E0114", "==="),
            ("a =~ b", "E0114", "=~"),
            ("\"abc", "E0002", "\"abc"),
            ("\"abc\nd\"", "E0002", "\"abc"),
            (r#""abc\" "#, "E0002", r#""abc\""#),
            ("\"abc\\\n\"", "E0002", "\"abc\\"),
            ("\"\"\"abc\n\"\"\"", "E0002", "\"\"\"abc"),
            ("\"\"\"", "E0002", "\"\"\""),
            (r#""C:\Windows""#, "E0003", r"\W"),
            (r#""a\é""#, "E0003", r"\é"),
            (r#""\u0041""#, "E0003", r"\u"),
            (r#""\u{41""#, "E0003", r"\u"),
            (r#""x\u{1}""#, "E0004", r"\u{1}"),
            (r#""x\u{}""#, "E0004", r"\u{}"),
            (r#""\u{123456789}""#, "E0004", r"\u{123456789}"),
            (r#""\u{d800}""#, "E0004", r"\u{d800}"),
            (r#""\u{DFFF}""#, "E0004", r"\u{DFFF}"),
            (r#""\u{110000}""#, "E0004", r"\u{110000}"),
            ("'abc' b", "E0005", "'abc'"),
            (r"'a\'b'", "E0005", r"'a\'b'"),
            (r#"?"abc""#, "E0005", r#"?"abc""#),
            ("?'abc'", "E0005", "?'abc'"),
            ("'abc", "E0002", "'abc"),
            ("a /* b", "E0006", "/*"),
            ("`abc", "E0007", "`abc"),
            ("``", "E0007", "``"),
        ];
        for (source, code, text) in cases {
            let lexed = lex(source, Elasticsearch);
            let finding = lexed.finding.unwrap_or_else(|| panic!("{source} is read"));
            assert_eq!(finding.code.as_str(), *code, "{source}: {}", finding.message);
            assert_eq!(finding.span.unwrap().text(source), *text, "{source}");
            assert!(finding.help.is_some(), "{source} has no help");
            assert_eq!(lexed.tokens.last().map(|token| token.kind), Some(TokenKind::Broken), "{source}");
        }
    }

    #[test]
    fn comments_know_their_line() {
        let source = "// one\na /* two */ b // three\n/* four\n*/ c /* five */";
        let lexed = lex(source, Elasticsearch);
        let seen: Vec<_> =
            lexed.comments.iter().map(|c| (c.span.text(source), c.line, c.starts_line, c.followed)).collect();
        assert_eq!(
            seen,
            [
                ("// one", true, true, false),
                ("/* two */", false, false, true),
                ("// three", true, false, false),
                ("/* four\n*/", false, true, true),
                ("/* five */", false, false, false),
            ]
        );
    }
}
