//! Wildcard patterns compiled for speed: literals are found by vector search, the plain shapes by one comparison.
//!
//! Agrees with [`quell_ir::pattern::Wildcard::matches`], which is the definition.

use memchr::memmem::Finder;
use quell_ir::pattern::{Token, Wildcard};

/// A compiled pattern. For matching without case, compile the folded pattern and match folded text.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    shape: Shape,
    /// No shorter text matches, in bytes.
    shortest: usize,
}

#[derive(Clone, Debug)]
enum Shape {
    Equal(Box<str>),
    Prefix(Box<str>),
    Suffix(Box<str>),
    Contains(Box<Finder<'static>>),
    Segments(Segments),
}

/// Stretches of fixed length with runs between them.
#[derive(Clone, Debug)]
struct Segments {
    /// Stands at the start; empty if the pattern begins with a run.
    first: Vec<Piece>,
    /// Found one after the other, each as far left as can be.
    middle: Vec<Found>,
    /// Stands at the end; empty if the pattern ends with a run. `None` if there is no run at all: `first` is everything.
    last: Option<Vec<Piece>>,
}

/// A segment that is searched. It begins with a literal, since `?` goes before `*` in a parsed pattern.
#[derive(Clone, Debug)]
struct Found {
    literal: Box<Finder<'static>>,
    rest: Vec<Piece>,
}

#[derive(Clone, Debug)]
enum Piece {
    Literal(Box<str>),
    AnyChar,
}

impl Pattern {
    pub(crate) fn new(pattern: &Wildcard) -> Pattern {
        let tokens = pattern.tokens();
        let shortest = tokens.iter().map(|token| match token {
            Token::Literal(text) => text.len(),
            Token::AnyChar => 1,
            Token::AnyRun => 0,
        });
        let shape = match tokens {
            [] => Shape::Equal("".into()),
            [Token::Literal(text)] => Shape::Equal((**text).into()),
            [Token::Literal(text), Token::AnyRun] => Shape::Prefix((**text).into()),
            [Token::AnyRun, Token::Literal(text)] => Shape::Suffix((**text).into()),
            [Token::AnyRun, Token::Literal(text), Token::AnyRun] => Shape::Contains(finder(text)),
            _ => Shape::Segments(Segments::new(tokens)),
        };
        Pattern { shape, shortest: shortest.sum() }
    }

    /// Whether the pattern covers the whole of `text`.
    pub(crate) fn covers(&self, text: &str) -> bool {
        text.len() >= self.shortest
            && match &self.shape {
                Shape::Equal(literal) => text == &**literal,
                Shape::Prefix(literal) => text.starts_with(&**literal),
                Shape::Suffix(literal) => text.ends_with(&**literal),
                Shape::Contains(literal) => literal.find(text.as_bytes()).is_some(),
                Shape::Segments(segments) => segments.cover(text),
            }
    }
}

impl Segments {
    fn new(tokens: &[Token]) -> Segments {
        let mut parts = tokens.split(|token| *token == Token::AnyRun).map(pieces);
        let first = parts.next().unwrap_or_default();
        let last = parts.next_back();
        let middle = parts.filter_map(|part| {
            let mut part = part.into_iter();
            let Some(Piece::Literal(literal)) = part.next() else { return None };
            Some(Found { literal: finder(&literal), rest: part.collect() })
        });
        Segments { first, middle: middle.collect(), last }
    }

    fn cover(&self, text: &str) -> bool {
        let Some(rest) = strip_start(&self.first, text) else { return false };
        let Some(last) = &self.last else { return rest.is_empty() };
        let Some(mut rest) = strip_end(last, rest) else { return false };
        self.middle.iter().all(|segment| {
            let after = segment.find(rest);
            rest = after.unwrap_or("");
            after.is_some()
        })
    }
}

impl Found {
    /// What follows the leftmost place where the segment stands.
    fn find<'t>(&self, text: &'t str) -> Option<&'t str> {
        let mut rest = text;
        loop {
            let at = self.literal.find(rest.as_bytes())?;
            let after = rest.get(at + self.literal.needle().len()..)?;
            if let Some(after) = strip_start(&self.rest, after) {
                return Some(after);
            }
            // A literal is never empty, so its first character can be stepped over.
            let step = rest.get(at..)?.chars().next()?.len_utf8();
            rest = rest.get(at + step..)?;
        }
    }
}

fn finder(literal: &str) -> Box<Finder<'static>> {
    Box::new(Finder::new(literal.as_bytes()).into_owned())
}

fn pieces(tokens: &[Token]) -> Vec<Piece> {
    let piece = |token: &Token| match token {
        Token::Literal(text) => Some(Piece::Literal((**text).into())),
        Token::AnyChar => Some(Piece::AnyChar),
        Token::AnyRun => None,
    };
    tokens.iter().filter_map(piece).collect()
}

fn strip_start<'t>(pieces: &[Piece], mut text: &'t str) -> Option<&'t str> {
    for piece in pieces {
        text = match piece {
            Piece::Literal(literal) => text.strip_prefix(&**literal)?,
            Piece::AnyChar => {
                let mut chars = text.chars();
                chars.next()?;
                chars.as_str()
            }
        };
    }
    Some(text)
}

fn strip_end<'t>(pieces: &[Piece], mut text: &'t str) -> Option<&'t str> {
    for piece in pieces.iter().rev() {
        text = match piece {
            Piece::Literal(literal) => text.strip_suffix(&**literal)?,
            Piece::AnyChar => {
                let mut chars = text.chars();
                chars.next_back()?;
                chars.as_str()
            }
        };
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::Pattern;
    use proptest::prelude::*;
    use quell_ir::Case;
    use quell_ir::pattern::Wildcard;

    #[test]
    fn a_segment_is_tried_again_further_right() {
        let pattern = Pattern::new(&Wildcard::parse("*a?c*x"));
        assert!(pattern.covers("a-ba-cx"));
        assert!(pattern.covers("aabcx"));
        assert!(!pattern.covers("a-ba-c"));
        assert!(!Pattern::new(&Wildcard::parse("ab*ba")).covers("aba"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn compiled_patterns_agree_with_plain_ones(pattern in "[ab?*é]{0,8}", text in "[abé]{0,10}") {
            let plain = Wildcard::parse(&pattern);
            prop_assert_eq!(Pattern::new(&plain).covers(&text), plain.matches(&text, Case::Sensitive));
        }
    }
}
