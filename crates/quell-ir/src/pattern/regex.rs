//! Lucene regular expressions, translated to the `regex` crate's.
//!
//! Source: Elasticsearch's "Regular expression syntax" and Lucene's class `RegExp`. The expression covers the whole
//! value, `^` and `$` are literal, `.` crosses line breaks, classes are ASCII. `@` (any string), `#` (no string), `"…"`
//! (literal) and `<n-m>` (a number) are translated; `~` (complement) and `&` (intersection) are refused: an automaton of
//! the `regex` crate cannot express them.

use crate::value::Case;
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

/// A Lucene expression that was found valid. Equality is by its source and its [`Ranges`].
#[derive(Clone, Debug)]
pub struct Regex {
    source: Arc<str>,
    ranges: Ranges,
    translated: Arc<str>,
    literal: Option<Arc<str>>,
    everything: bool,
    automata: Arc<Automata>,
}

/// The automata, built when first asked for; clones share them.
#[derive(Debug, Default)]
struct Automata {
    sensitive: OnceLock<Option<regex::Regex>>,
    folded: OnceLock<Option<regex::Regex>>,
}

/// What `regex~` does with ranges in brackets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ranges {
    /// `[a-c]` covers `B`, as literal characters do.
    #[default]
    Folded,
    /// `[a-c]` does not cover `B`: a limitation of Lucene. Brackets that negate are then case-sensitive as a whole.
    Exact,
    /// No expression of Lucene's but one of [`Regex::parse_start`].
    Start,
}

/// Why an expression is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RegexError {
    /// One plain sentence.
    pub message: String,
    /// Byte offset into the expression, where it is known.
    pub at: Option<usize>,
}

impl Regex {
    /// The longest expression that is read, in bytes.
    pub const MAX_LENGTH: usize = 64 << 10;

    /// Reads and checks an expression.
    ///
    /// # Errors
    /// Where it is no Lucene expression, uses an operator that cannot be translated, or grows too large.
    pub fn parse(source: &str) -> Result<Self, RegexError> {
        Regex::parse_with(source, Ranges::Folded)
    }

    /// Reads and checks an expression whose ranges are folded or not.
    ///
    /// # Errors
    /// As [`Regex::parse`].
    pub fn parse_with(source: &str, ranges: Ranges) -> Result<Self, RegexError> {
        let node = Parser::parse(source)?;
        let mut translated = String::from("^(?:");
        node.write(ranges, &mut translated);
        translated.push_str(")$");
        let mut text = String::new();
        let literal = node.literal(&mut text).then(|| text.into());
        let regex = Regex {
            source: source.into(),
            ranges,
            translated: translated.into(),
            literal,
            everything: node.is_everything(),
            automata: Arc::default(),
        };
        let automaton = regex.compile(Case::Sensitive)?;
        _ = regex.automata.sensitive.set(Some(automaton));
        Ok(regex)
    }

    /// Reads an expression of the Endgame dialect's `match`: the syntax is that of the `regex` crate, which is Python's
    /// without look-around and back-references; it is tried at the start of a value and need not reach its end.
    ///
    /// # Errors
    /// Where it is no such expression or grows too large.
    pub fn parse_start(source: &str) -> Result<Self, RegexError> {
        if source.len() > Self::MAX_LENGTH {
            return Err(RegexError { message: "the expression is too long".to_owned(), at: None });
        }
        let regex = |translated: String| Regex {
            source: source.into(),
            ranges: Ranges::Start,
            translated: translated.into(),
            literal: None,
            everything: false,
            automata: Arc::default(),
        };
        // Alone first: brackets that do not pair could pair with those around it.
        regex(source.to_owned()).compile(Case::Folded)?;
        let regex = regex(format!("^(?:{source})"));
        let automaton = regex.compile(Case::Folded)?;
        _ = regex.automata.folded.set(Some(automaton));
        Ok(regex)
    }

    /// The expression as written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The expression in the syntax of the `regex` crate, anchored at both ends; `.` is meant to cross line breaks.
    #[must_use]
    pub fn translated(&self) -> &str {
        &self.translated
    }

    /// The text, if the expression has no operator: it is then plain equality.
    #[must_use]
    pub fn as_literal(&self) -> Option<&str> {
        self.literal.as_deref()
    }

    /// Whether it covers every text (`.*`, `@`): it then asks whether there is a value.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.everything
    }

    /// Builds the automaton; with [`Case::Folded`], ranges in brackets are folded too.
    ///
    /// # Errors
    /// Where it grows past the size limit.
    pub fn compile(&self, case: Case) -> Result<regex::Regex, RegexError> {
        const SIZE_LIMIT: usize = 4 << 20; // bytes of automaton
        regex::RegexBuilder::new(&self.translated)
            .case_insensitive(case == Case::Folded)
            .dot_matches_new_line(true)
            .size_limit(SIZE_LIMIT)
            .nest_limit(200)
            .build()
            .map_err(|error| RegexError { message: plain_reason(&error), at: None })
    }

    /// The automaton, built at the first call and kept; `None` where it grows past the size limit.
    #[must_use]
    pub fn automaton(&self, case: Case) -> Option<&regex::Regex> {
        let kept = match case {
            Case::Sensitive => &self.automata.sensitive,
            Case::Folded => &self.automata.folded,
        };
        kept.get_or_init(|| self.compile(case).ok()).as_ref()
    }

    /// Whether the expression covers the whole of `text`.
    #[must_use]
    pub fn matches(&self, text: &str, case: Case) -> bool {
        self.automaton(case).is_some_and(|automaton| automaton.is_match(text))
    }
}

impl PartialEq for Regex {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source && self.ranges == other.ranges
    }
}

impl Eq for Regex {}

impl std::hash::Hash for Regex {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.source.hash(state);
        self.ranges.hash(state);
    }
}

impl PartialOrd for Regex {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Regex {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.source.cmp(&other.source).then(self.ranges.cmp(&other.ranges))
    }
}

fn plain_reason(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => "the expression is too large".to_owned(),
        regex::Error::Syntax(text) => {
            // The crate draws a picture; its last line holds the sentence.
            text.lines().last().unwrap_or("not a regular expression").trim_start_matches("error: ").to_owned()
        }
        _ => "not a regular expression".to_owned(),
    }
}

/// A parsed expression.
enum Node {
    Char(char),
    /// `"…"`
    Text(String),
    AnyChar,
    AnyString,
    Nothing,
    /// `\d \D \s \S \w \W`, by their letter.
    Class(char),
    Brackets {
        negated: bool,
        items: Vec<Item>,
    },
    /// `<n-m>`: with the number of digits where it is fixed.
    Interval {
        from: u32,
        to: u32,
        digits: Option<usize>,
    },
    Concat(Vec<Node>),
    Union(Vec<Node>),
    Repeat {
        node: Box<Node>,
        least: u32,
        most: Option<u32>,
    },
}

/// What stands in brackets.
enum Item {
    Range(char, char),
    Class(char),
}

struct Parser<'s> {
    source: &'s str,
    at: usize,
    depth: usize,
}

const MAX_DEPTH: usize = 50;

impl Parser<'_> {
    fn parse(source: &str) -> Result<Node, RegexError> {
        let mut parser = Parser { source, at: 0, depth: 0 };
        if source.len() > Regex::MAX_LENGTH {
            return Err(parser.error(format!("the expression is longer than {} bytes", Regex::MAX_LENGTH)));
        }
        if source.is_empty() {
            return Ok(Node::Concat(Vec::new()));
        }
        let node = parser.union()?;
        match parser.peek() {
            None => Ok(node),
            Some(_) => Err(parser.error("`)` closes no group; write `\\)` for the character")),
        }
    }

    fn union(&mut self) -> Result<Node, RegexError> {
        let mut branches = vec![self.concat()?];
        while self.eat('|') {
            branches.push(self.concat()?);
        }
        Ok(if branches.len() == 1 { branches.remove(0) } else { Node::Union(branches) })
    }

    fn concat(&mut self) -> Result<Node, RegexError> {
        if matches!(self.peek(), None | Some('|' | ')')) {
            return Err(self.error("an alternative is empty; write `()` for the empty string"));
        }
        let mut parts = Vec::new();
        while !matches!(self.peek(), None | Some('|' | ')')) {
            parts.push(self.repeated()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Node::Concat(parts) })
    }

    fn repeated(&mut self) -> Result<Node, RegexError> {
        const MAX_STACKED: usize = 20;
        let mut node = self.atom()?;
        let mut stacked = 0;
        loop {
            // A second mark repeats the first: there are no lazy repeats, `a*?` is `(a*)?`.
            let start = self.at;
            let (least, most) = match self.peek() {
                Some('?') => (0, Some(1)),
                Some('*') => (0, None),
                Some('+') => (1, None),
                Some('{') => self.counts()?,
                _ => return Ok(node),
            };
            if self.at == start {
                self.next();
            }
            stacked += 1;
            if stacked > MAX_STACKED {
                return Err(self.error("too many repeats of one expression"));
            }
            node = Node::Repeat { node: Box::new(node), least, most };
        }
    }

    /// `{n}`, `{n,}`, `{n,m}`
    fn counts(&mut self) -> Result<(u32, Option<u32>), RegexError> {
        self.next();
        let least = self.number()?;
        let most = if !self.eat(',') {
            Some(least)
        } else if self.peek() == Some('}') {
            None
        } else {
            Some(self.number()?)
        };
        if most.is_some_and(|most| most < least) {
            return Err(self.error("the repeat's upper bound is below its lower one"));
        }
        if !self.eat('}') {
            return Err(self.error("expected `}`; write `\\{` for the character `{`"));
        }
        Ok((least, most))
    }

    fn number(&mut self) -> Result<u32, RegexError> {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.next();
        }
        let digits = self.source.get(start..self.at).unwrap_or("");
        if digits.is_empty() {
            return Err(self.error("expected a number after `{`; write `\\{` for the character"));
        }
        digits
            .parse()
            .map_err(|_| RegexError { message: "the number is too large".to_owned(), at: Some(start) })
    }

    fn atom(&mut self) -> Result<Node, RegexError> {
        let start = self.at;
        // The caller has seen that there is a character. A repeat mark with nothing before it is itself.
        Ok(match self.next().unwrap_or(' ') {
            '.' => Node::AnyChar,
            '@' => Node::AnyString,
            '#' => Node::Nothing,
            '(' => return self.group(start),
            '[' => return self.brackets(start),
            '<' => return self.interval(start),
            '"' => {
                let text = self.until(
                    '"',
                    start,
                    "`\"` opens a literal text that is not closed; write `\\\"` for the character",
                )?;
                Node::Text(text.to_owned())
            }
            c @ ('~' | '&') => {
                let what = if c == '~' { "complement" } else { "intersection" };
                let message = format!(
                    "`{c}` is Lucene's {what} operator, which cannot be translated; write `\\{c}` for the character"
                );
                return Err(RegexError { message, at: Some(start) });
            }
            '\\' => match self.escape(start)? {
                Item::Class(letter) => Node::Class(letter),
                Item::Range(c, _) => Node::Char(c),
            },
            c => Node::Char(c),
        })
    }

    fn group(&mut self, start: usize) -> Result<Node, RegexError> {
        if self.peek() == Some('?') {
            return Err(RegexError {
                message: "`(?` groups are not supported; write `(\\?` for the character".to_owned(),
                at: Some(start),
            });
        }
        if self.eat(')') {
            return Ok(Node::Concat(Vec::new()));
        }
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(format!("groups are nested deeper than {MAX_DEPTH}")));
        }
        let unclosed = || RegexError {
            message: "`(` is not closed; write `\\(` for the character".to_owned(),
            at: Some(start),
        };
        if self.peek().is_none() {
            return Err(unclosed());
        }
        let node = self.union()?;
        self.depth -= 1;
        if self.eat(')') { Ok(node) } else { Err(unclosed()) }
    }

    fn brackets(&mut self, start: usize) -> Result<Node, RegexError> {
        let negated = self.eat('^');
        let mut items = Vec::new();
        loop {
            // The first character is a member even if it is `]`.
            let at = self.at;
            match self.next() {
                None => {
                    return Err(RegexError {
                        message: "`[` is not closed; write `\\[` for the character".to_owned(),
                        at: Some(start),
                    });
                }
                Some(']') if !items.is_empty() => return Ok(Node::Brackets { negated, items }),
                Some(c) => {
                    let item = if c == '\\' { self.escape(at)? } else { Item::Range(c, c) };
                    items.push(self.range(item, at)?);
                }
            }
        }
    }

    /// The range that `item` opens, or `item`. A `-` before the closing bracket is itself.
    fn range(&mut self, item: Item, at: usize) -> Result<Item, RegexError> {
        let Item::Range(from, _) = item else { return Ok(item) };
        let mut ahead = self.source.get(self.at..).unwrap_or("").chars();
        if ahead.next() != Some('-') || matches!(ahead.next(), None | Some(']')) {
            return Ok(item);
        }
        self.next();
        let end = self.at;
        let to = match self.next() {
            Some('\\') => match self.escape(end)? {
                Item::Range(c, _) => c,
                Item::Class(_) => {
                    return Err(RegexError {
                        message: "a class cannot end a range".to_owned(),
                        at: Some(end),
                    });
                }
            },
            Some(c) => c,
            None => from,
        };
        if to < from {
            return Err(RegexError { message: format!("the range `{from}-{to}` is reversed"), at: Some(at) });
        }
        Ok(Item::Range(from, to))
    }

    /// What stands after a backslash: a class, or a character that is itself.
    fn escape(&mut self, start: usize) -> Result<Item, RegexError> {
        match self.next() {
            Some(c @ ('d' | 'D' | 's' | 'S' | 'w' | 'W')) => Ok(Item::Class(c)),
            Some(c) if c.is_ascii_alphabetic() => {
                let message = format!(
                    "`\\{c}` is no escape here: the classes are \\d \\D \\s \\S \\w \\W, and a letter stands for itself"
                );
                Err(RegexError { message, at: Some(start) })
            }
            Some(c) => Ok(Item::Range(c, c)),
            None => {
                Err(RegexError { message: "a backslash ends the expression".to_owned(), at: Some(start) })
            }
        }
    }

    /// `<n-m>`: with the number of digits of both if it is the same, else with any number of zeros before.
    fn interval(&mut self, start: usize) -> Result<Node, RegexError> {
        let body = self.until(
            '>',
            start,
            "`<` opens a number interval `<n-m>` that is not closed; write `\\<` for the character",
        )?;
        let refused = || RegexError {
            message: "expected a number interval `<n-m>`; write `\\<` for the character".to_owned(),
            at: Some(start),
        };
        let number = |digits: &str| -> Option<u32> {
            let n = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse::<u32>().ok())??;
            i32::try_from(n).is_ok().then_some(n)
        };
        let (from, to) = body.split_once('-').ok_or_else(refused)?;
        let digits = (from.len() == to.len()).then_some(from.len());
        let from = number(from).ok_or_else(refused)?;
        let to = number(to).ok_or_else(refused)?;
        Ok(Node::Interval { from: from.min(to), to: from.max(to), digits })
    }

    fn until(&mut self, close: char, start: usize, message: &str) -> Result<&str, RegexError> {
        let from = self.at;
        let rest = self.source.get(from..).unwrap_or("");
        match rest.find(close) {
            Some(length) => {
                self.at = from + length + close.len_utf8();
                Ok(rest.get(..length).unwrap_or(""))
            }
            None => Err(RegexError { message: message.to_owned(), at: Some(start) }),
        }
    }

    fn peek(&self) -> Option<char> {
        self.source.get(self.at..).and_then(|rest| rest.chars().next())
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.next();
        }
        found
    }

    fn error(&self, message: impl Into<String>) -> RegexError {
        RegexError { message: message.into(), at: Some(self.at) }
    }
}

impl Node {
    /// Appends the expression in the `regex` crate's syntax; it can be repeated and joined as it stands.
    fn write(&self, ranges: Ranges, out: &mut String) {
        match self {
            Node::Char(c) => write_char(*c, out),
            Node::Text(text) => {
                out.push_str("(?:");
                text.chars().for_each(|c| write_char(c, out));
                out.push(')');
            }
            Node::AnyChar => out.push('.'),
            Node::AnyString => out.push_str("(?:.*)"),
            Node::Nothing => out.push_str(r"[^\x{0}-\x{10FFFF}]"),
            // Classes are ASCII whatever the case: a folded `[a-z]` would hold the Kelvin sign.
            Node::Class(letter) => {
                out.push_str(if letter.is_ascii_uppercase() { "(?-i:[^" } else { "(?-i:[" });
                out.push_str(class(*letter));
                out.push_str("])");
            }
            Node::Brackets { negated, items } => {
                let brackets = |out: &mut String, wanted: fn(&Item) -> bool| {
                    out.push_str(if *negated { "[^" } else { "[" });
                    items.iter().filter(|item| wanted(item)).for_each(|item| item.write(out));
                    out.push(']');
                };
                let (singles, spans) = items.iter().partition::<Vec<_>, _>(|item| Item::is_single(item));
                if ranges == Ranges::Folded || spans.is_empty() {
                    brackets(out, |_| true);
                } else if *negated || singles.is_empty() {
                    out.push_str("(?-i:");
                    brackets(out, |_| true);
                    out.push(')');
                } else {
                    out.push_str("(?:");
                    brackets(out, Item::is_single);
                    out.push_str("|(?-i:");
                    brackets(out, |item| !item.is_single());
                    out.push_str("))");
                }
            }
            Node::Interval { from, to, digits } => write_interval(*from, *to, *digits, out),
            Node::Concat(parts) => {
                out.push_str("(?:");
                parts.iter().for_each(|part| part.write(ranges, out));
                out.push(')');
            }
            Node::Union(branches) => {
                out.push_str("(?:");
                for (i, branch) in branches.iter().enumerate() {
                    if i > 0 {
                        out.push('|');
                    }
                    branch.write(ranges, out);
                }
                out.push(')');
            }
            Node::Repeat { node, least, most } => {
                out.push_str("(?:");
                node.write(ranges, out);
                match (least, most) {
                    (0, None) => out.push('*'),
                    (1, None) => out.push('+'),
                    (0, Some(1)) => out.push('?'),
                    (n, None) => _ = write!(out, "{{{n},}}"),
                    (n, Some(m)) => _ = write!(out, "{{{n},{m}}}"),
                }
                out.push(')');
            }
        }
    }

    /// Appends the one text that the expression covers; false where it covers others.
    fn literal(&self, out: &mut String) -> bool {
        match self {
            Node::Char(c) => out.push(*c),
            Node::Text(text) => out.push_str(text),
            Node::Concat(parts) => return parts.iter().all(|part| part.literal(out)),
            _ => return false,
        }
        true
    }

    fn is_everything(&self) -> bool {
        match self {
            Node::AnyString => true,
            Node::Repeat { node, least: 0, most: None } => {
                matches!(**node, Node::AnyChar) || node.is_everything()
            }
            Node::Repeat { node, least: 0, most: Some(1) } => node.is_everything(),
            Node::Concat(parts) => !parts.is_empty() && parts.iter().all(Node::is_everything),
            _ => false,
        }
    }
}

impl Item {
    fn is_single(&self) -> bool {
        matches!(self, Item::Range(from, to) if from == to)
    }

    fn write(&self, out: &mut String) {
        match self {
            Item::Range(from, to) => {
                write_char(*from, out);
                if from != to {
                    out.push('-');
                    write_char(*to, out);
                }
            }
            Item::Class(letter) => {
                out.push_str(if letter.is_ascii_uppercase() { "[^" } else { "[" });
                out.push_str(class(*letter));
                out.push(']');
            }
        }
    }
}

/// The members of a class, by its letter in either case.
fn class(letter: char) -> &'static str {
    match letter.to_ascii_lowercase() {
        'd' => "0-9",
        's' => r" \t\n\r",
        _ => "a-zA-Z_0-9",
    }
}

/// A character that stands for itself, in brackets and outside.
fn write_char(c: char, out: &mut String) {
    if c.is_alphanumeric() || (c as u32) > 0x7F {
        out.push(c);
    } else {
        _ = write!(out, "\\x{{{:X}}}", c as u32);
    }
}

/// The decimal numbers of an interval, as an alternation of ranges that differ in their last digits.
fn write_interval(from: u32, to: u32, digits: Option<usize>, out: &mut String) {
    out.push_str("(?:");
    if digits.is_none() {
        out.push_str("0*");
    }
    out.push_str("(?:");
    let mut low = u64::from(from);
    let to = u64::from(to);
    loop {
        // The longest run of full tens from `low` on: its last `free` digits take every value.
        let mut free = 0_u32;
        while low.is_multiple_of(10_u64.pow(free + 1)) && low + 10_u64.pow(free + 1) - 1 <= to && free < 10 {
            free += 1;
            if digits.is_none() && low == 0 {
                free = 0; // `0` alone: leading zeros are taken by `0*`
                break;
            }
        }
        let tens = 10_u64.pow(free);
        // Runs that differ in one digit more are one range: `3[0-9]` to `7[0-9]` is `[3-7][0-9]`.
        let digit = (low / tens) % 10;
        let room = if digits.is_none() && low == 0 { 0 } else { 9 - digit };
        let more = ((to + 1 - low) / tens).saturating_sub(1).min(room);
        let head = low / tens / 10;
        let width = digits.map_or(0, |digits| digits.saturating_sub(free as usize + 1));
        match (head, width) {
            (0, 0) => {}
            _ => _ = write!(out, "{head:0width$}"),
        }
        _ = write!(out, "[{digit}-{}]", digit + more);
        if free > 0 {
            _ = write!(out, "[0-9]{{{free}}}");
        }
        low += (more + 1) * tens;
        if low > to {
            break;
        }
        out.push('|');
    }
    out.push_str("))");
}

#[cfg(test)]
mod tests {
    use super::{Ranges, Regex};
    use crate::value::Case;
    use proptest::prelude::*;

    #[test]
    fn expressions_cover_whole_values_in_lucenes_dialect() {
        let cases: &[(&str, &str, bool)] = &[
            ("abc", "abc", true),
            ("abc", "xabcx", false),
            ("", "", true),
            ("", "a", false),
            ("()", "", true),
            ("a()b", "ab", true),
            ("a.c", "a\nc", true),
            ("^a$", "^a$", true),
            ("^a$", "a", false),
            ("a|bc", "bc", true),
            ("a|bc", "ac", false),
            ("(a|b)c", "ac", true),
            ("ab?", "a", true),
            ("ab*?", "abbb", true),
            ("ab+?", "a", true), // `(b+)?`, since there is no lazy repeat
            ("ab??", "a", true),
            ("a{2}", "aa", true),
            ("a{2}", "aaa", false),
            ("a{2,}", "aaaa", true),
            ("a{0,1}b", "b", true),
            ("(ab){2}", "abab", true),
            ("*a", "*a", true),
            ("+", "+", true),
            ("{2}", "{2}", true),
            ("a}", "a}", true),
            ("a]", "a]", true),
            ("a>b", "a>b", true),
            ("a-b/c,d:e=f!g'h`i%j_k", "a-b/c,d:e=f!g'h`i%j_k", true),
            (r"\.\*\(\)\[\]\{\}\+\?\|\\\^\$\@\#\~\&\<\>", r".*()[]{}+?|\^$@#~&<>", true),
            (r"\-[A-NP-Z]+", "-ABC", true),
            (r"[^ ]+[ ]{3,}x", "ab   x", true),
            ("[^a]", "é", true),
            ("[^a]", "a", false),
            ("[^a]", "\n", true),
            ("[]a]+", "]a", true),
            ("[^]]", "]", false),
            ("[a-]+", "-a", true),
            ("[-a]+", "-a", true),
            (r"[a\-z]+", "-", true),
            (r"[a\-z]", "b", false),
            (r"[\]\\]+", r"\]", true),
            ("[[]+", "[[", true),
            (r#"[."*+(&&^~)]+"#, r#"."*+(&^~)"#, true),
            ("[a&&b]", "a", true),
            ("[+--]", ",", true),
            (r"[\d.]+", "1.2", true),
            (r"[^\d]", "x", true),
            (r"[\D]", "5", false),
            (r"\d\D\s\S\w\W", "5a b_-", true),
            (r"\d", "٣", false),
            (r"\w", "é", false),
            (r"\W", "é", true),
            (r"\s", "\u{B}", false),
            (r#""a.*b"c"#, "a.*bc", true),
            (r#""a.*b"c"#, "axbc", false),
            (r#""ab"{2}"#, "abab", true),
            (r#""""#, "", true),
            (r#"\"x"#, "\"x", true),
            ("a@b", "a\nxyzb", true),
            ("a|#", "a", true),
            ("#", "", false),
            ("a#b", "ab", false),
            ("x<1-10>", "x7", true),
            ("x<1-10>", "x007", true),
            ("x<1-10>", "x11", false),
            ("<01-10>", "07", true),
            ("<01-10>", "7", false),
            ("<10-1>", "5", true),
        ];
        for (pattern, text, expected) in cases {
            let regex = Regex::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
            assert_eq!(
                regex.matches(text, Case::Sensitive),
                *expected,
                "{pattern} {text} {}",
                regex.translated()
            );
        }
    }

    #[test]
    fn folding_covers_literals_and_ranges_but_not_classes() {
        let cases = [
            ("[a-c]x", "BX", true),
            ("[^a]", "A", false),
            ("É", "é", true),
            ("k", "\u{212A}", true),
            (r"\w", "\u{212A}", false),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(
                Regex::parse(pattern).unwrap().matches(text, Case::Folded),
                expected,
                "{pattern} {text}"
            );
        }
        assert!(!Regex::parse("[a-c]").unwrap().matches("B", Case::Sensitive));
        let exact = Regex::parse_with("x[a-c]", Ranges::Exact).unwrap();
        assert!(exact.matches("Xb", Case::Folded));
        assert!(!exact.matches("XB", Case::Folded));
        assert!(Regex::parse_with("[xa-c]", Ranges::Exact).unwrap().matches("X", Case::Folded));
        assert_ne!(exact, Regex::parse("x[a-c]").unwrap());
    }

    #[test]
    fn refusals_name_the_place() {
        let cases: &[(&str, usize, &str)] = &[
            ("ab~c", 2, "complement"),
            ("a&b", 1, "intersection"),
            ("a(?i)b", 1, "`(?`"),
            ("a)", 1, "closes no group"),
            ("x(a", 1, "not closed"),
            ("x(", 1, "not closed"),
            ("x[a", 1, "not closed"),
            ("x[]", 1, "not closed"),
            ("x\"a", 1, "not closed"),
            ("x<1", 1, "not closed"),
            ("x<1>", 1, "interval"),
            ("x<a-b>", 1, "interval"),
            ("x<1-2-3>", 1, "interval"),
            ("<1-99999999999>", 0, "interval"),
            ("a{x}", 2, "number"),
            ("a{2", 3, "expected `}`"),
            ("a{3,2}", 5, "below"),
            ("a{99999999999}", 2, "too large"),
            ("[b-a]", 1, "reversed"),
            (r"[a-\d]", 3, "class"),
            (r"a\", 1, "backslash"),
            (r"a\t", 1, "no escape"),
            ("a|", 2, "empty"),
            ("(|a)", 1, "empty"),
            ("a||b", 2, "empty"),
        ];
        for (pattern, at, message) in cases {
            let error = Regex::parse(pattern).unwrap_err();
            assert_eq!(error.at, Some(*at), "{pattern}: {error}");
            assert!(error.message.contains(message), "{pattern}: {error}");
        }
    }

    #[test]
    fn plain_strings_and_everything_are_known() {
        assert_eq!(Regex::parse(r#"a\.b"*"c"#).unwrap().as_literal(), Some("a.b*c"));
        assert_eq!(Regex::parse("").unwrap().as_literal(), Some(""));
        assert_eq!(Regex::parse("(ab)c").unwrap().as_literal(), Some("abc"));
        assert_eq!(Regex::parse("a.c").unwrap().as_literal(), None);
        for pattern in [".*", "@", "(.*)", ".*.*", "(.*)?", ".*?"] {
            assert!(Regex::parse(pattern).unwrap().is_everything(), "{pattern}");
        }
        for pattern in [".+", ".", "", "a*", ".*a"] {
            assert!(!Regex::parse(pattern).unwrap().is_everything(), "{pattern}");
        }
    }

    #[test]
    fn hostile_expressions_are_refused_fast() {
        let deep = "(".repeat(100_000) + &")".repeat(100_000);
        let nested = "(".repeat(60) + "a" + &")".repeat(60);
        for pattern in [
            deep,
            nested,
            "a".repeat(70_000),
            "((((a{1000}){1000}){1000}){1000})".into(),
            "a".to_owned() + &"*".repeat(60_000),
        ] {
            assert!(Regex::parse(&pattern).is_err(), "{}", pattern.len());
        }
        assert!(Regex::parse(&("(".repeat(50) + "a" + &")".repeat(50))).is_ok());
    }

    proptest! {
        #[test]
        fn intervals_hold_their_numbers_and_no_other(a in 0_u32..3000, b in 0_u32..3000, n in 0_u32..3000) {
            let free = Regex::parse(&format!("<0{a}-{b}>")).unwrap(); // the zero makes lengths differ, or fixes them
            let fixed = Regex::parse(&format!("<{a:05}-{b:05}>")).unwrap();
            let inside = (a.min(b)..=a.max(b)).contains(&n);
            prop_assert_eq!(fixed.matches(&format!("{n:05}"), Case::Sensitive), inside, "{}", fixed.translated());
            let longer = format!("{n:06}");
            prop_assert!(!fixed.matches(&longer, Case::Sensitive));
            if format!("0{a}").len() != format!("{b}").len() {
                prop_assert_eq!(free.matches(&n.to_string(), Case::Sensitive), inside, "{}", free.translated());
                prop_assert_eq!(free.matches(&format!("00{n}"), Case::Sensitive), inside, "{}", free.translated());
            }
        }

        #[test]
        fn any_text_in_quotes_or_escaped_is_itself(text in "[^\"a-zA-Z]{0,12}") {
            let quoted = Regex::parse(&format!("\"{text}\"")).unwrap();
            prop_assert!(quoted.matches(&text, Case::Sensitive));
            let escaped: String = text.chars().flat_map(|c| ['\\', c]).collect();
            let escaped = Regex::parse(&escaped).unwrap();
            prop_assert!(escaped.matches(&text, Case::Sensitive));
            prop_assert_eq!(escaped.as_literal(), Some(text.as_str()));
        }

        #[test]
        fn no_expression_panics(text in "[a-c0-2.*+?|(){}\\[\\]^$\"<>@#~&\\\\-]{0,20}") {
            if let Ok(regex) = Regex::parse(&text) {
                _ = regex.matches("abc", Case::Folded);
            }
        }
    }
}
