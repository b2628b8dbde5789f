//! Wildcard patterns: `*` is any run of characters, `?` exactly one, everything else is literal.
//!
//! Source: Elasticsearch's "EQL syntax reference", pattern comparison. There is no escape, and both wildcards cross line
//! breaks. A literal `*` can still occur in a pattern that was built from a function's constant argument.

use super::fold::{fold_char, fold_into};
use crate::value::Case;
use std::sync::Arc;

/// A part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Token {
    /// This text.
    Literal(Arc<str>),
    /// `?`: one character.
    AnyChar,
    /// `*`: any characters, or none. Never two in a row.
    AnyRun,
}

/// A parsed pattern. It covers the whole of a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Wildcard {
    tokens: Vec<Token>,
}

impl Wildcard {
    /// Reads a pattern in which `*` and `?` are wildcards.
    #[must_use]
    pub fn parse(pattern: &str) -> Self {
        let mut tokens = Vec::new();
        let mut literal = String::new();
        for c in pattern.chars() {
            let token = match c {
                '*' => Token::AnyRun,
                '?' => Token::AnyChar,
                other => {
                    literal.push(other);
                    continue;
                }
            };
            if !literal.is_empty() {
                tokens.push(Token::Literal(std::mem::take(&mut literal).into()));
            }
            tokens.push(token);
        }
        if !literal.is_empty() {
            tokens.push(Token::Literal(literal.into()));
        }
        Wildcard::from_tokens(tokens)
    }

    /// Reads a pattern in which `*` alone is a wildcard, as in the Endgame dialect.
    #[must_use]
    pub fn parse_runs(pattern: &str) -> Self {
        let mut tokens = Vec::new();
        for (at, literal) in pattern.split('*').enumerate() {
            if at > 0 {
                tokens.push(Token::AnyRun);
            }
            tokens.push(Token::Literal(literal.into()));
        }
        Wildcard::from_tokens(tokens)
    }

    /// A pattern of these parts; neighbouring runs become one.
    #[must_use]
    pub fn from_tokens(tokens: impl IntoIterator<Item = Token>) -> Self {
        let mut kept: Vec<Token> = Vec::new();
        for token in tokens {
            match (&token, kept.last()) {
                (Token::AnyRun, Some(Token::AnyRun)) => {}
                (Token::Literal(text), _) if text.is_empty() => {}
                _ => kept.push(token),
            }
        }
        // `*?` and `?*` mean the same; the order `?*` lets equal patterns be equal and matching go forward.
        let mut at = 0;
        while at + 1 < kept.len() {
            if kept.get(at) == Some(&Token::AnyRun) && kept.get(at + 1) == Some(&Token::AnyChar) {
                kept.swap(at, at + 1);
                at = at.saturating_sub(1);
            } else {
                at += 1;
            }
        }
        kept.dedup_by(|a, b| *a == Token::AnyRun && *b == Token::AnyRun);
        Wildcard { tokens: kept }
    }

    /// Starts with this text: `text*` with the text literal.
    #[must_use]
    pub fn starts_with(text: &str) -> Self {
        Wildcard::from_tokens([Token::Literal(text.into()), Token::AnyRun])
    }

    /// Ends with this text.
    #[must_use]
    pub fn ends_with(text: &str) -> Self {
        Wildcard::from_tokens([Token::AnyRun, Token::Literal(text.into())])
    }

    /// Contains this text.
    #[must_use]
    pub fn contains(text: &str) -> Self {
        Wildcard::from_tokens([Token::AnyRun, Token::Literal(text.into()), Token::AnyRun])
    }

    /// The parts, normalised: no two runs and no two literals in a row, `?` before `*`.
    #[must_use]
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// The text, if the pattern has no wildcard: the pattern is then plain equality.
    #[must_use]
    pub fn as_literal(&self) -> Option<&str> {
        match self.tokens.as_slice() {
            [] => Some(""),
            [Token::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether it covers every text, the empty one too.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.tokens == [Token::AnyRun]
    }

    /// The same pattern with its literals folded, to be matched against folded text.
    #[must_use]
    pub fn folded(&self) -> Wildcard {
        let fold = |token: &Token| match token {
            Token::Literal(text) => {
                let mut out = String::new();
                fold_into(text, &mut out);
                Token::Literal(out.into())
            }
            other => other.clone(),
        };
        Wildcard { tokens: self.tokens.iter().map(fold).collect() }
    }

    /// The longest literal: a text that every match contains.
    #[must_use]
    pub fn longest_literal(&self) -> Option<&str> {
        let literals = self.tokens.iter().filter_map(|token| match token {
            Token::Literal(text) => Some(&**text),
            Token::AnyChar | Token::AnyRun => None,
        });
        literals.max_by_key(|text| text.len())
    }

    /// Whether the pattern covers the whole of `text`. Takes time in proportion to the product of both lengths at worst.
    #[must_use]
    pub fn matches(&self, text: &str, case: Case) -> bool {
        let same: fn(char, char) -> bool = match case {
            Case::Sensitive => |a, b| a == b,
            Case::Folded => |a, b| a == b || fold_char(a) == fold_char(b),
        };
        covers(&self.tokens, text, same)
    }
}

/// Matches token by token; where a literal fails, the latest run takes one more character (greedy, no recursion).
fn covers(tokens: &[Token], text: &str, same: fn(char, char) -> bool) -> bool {
    let mut at = 0; // next token
    let mut rest = text;
    let mut retry: Option<(usize, &str)> = None; // after the latest run: its next token, and where it was tried
    loop {
        let advanced = match tokens.get(at) {
            Some(Token::AnyRun) => {
                at += 1;
                if at == tokens.len() {
                    return true;
                }
                retry = Some((at, rest));
                continue;
            }
            Some(Token::AnyChar) => skip_char(rest),
            Some(Token::Literal(literal)) => strip(rest, literal, same),
            None if rest.is_empty() => return true,
            None => None,
        };
        if let Some(after) = advanced {
            rest = after;
            at += 1;
            continue;
        }
        let Some((token, tried)) = retry else { return false };
        let Some(shorter) = skip_char(tried) else { return false };
        retry = Some((token, shorter));
        at = token;
        rest = shorter;
    }
}

fn skip_char(text: &str) -> Option<&str> {
    let mut chars = text.chars();
    chars.next().map(|_| chars.as_str())
}

fn strip<'t>(text: &'t str, literal: &str, same: fn(char, char) -> bool) -> Option<&'t str> {
    let mut chars = text.chars();
    for wanted in literal.chars() {
        if !chars.next().is_some_and(|found| same(found, wanted)) {
            return None;
        }
    }
    Some(chars.as_str())
}

impl std::fmt::Display for Wildcard {
    /// The pattern as written; a literal `*` looks like a wildcard here.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for token in &self.tokens {
            match token {
                Token::Literal(text) => f.write_str(text)?,
                Token::AnyChar => f.write_str("?")?,
                Token::AnyRun => f.write_str("*")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Token, Wildcard};
    use crate::value::Case;

    #[test]
    fn patterns_cover_whole_values() {
        let cases = [
            ("a*", "a", true),
            ("a*", "ab", true),
            ("a*", "ba", false),
            ("a?c*", "abc", true),
            ("a?c*", "a-cde", true),
            ("a?c*", "ac", false),
            ("*.exe", ".exe", true),
            ("*.exe", "a.exe ", false),
            (r"?:\Users\*", r"C:\Users\x", true),
            (r"?:\Users\*", r"C:\Users\", true),
            (r"?:\Users\*", r"C:\Users", false),
            ("**", "", true),
            ("", "", true),
            ("", "a", false),
            ("*a*b*c*", "xxaxbxcx", true),
            ("*a*b*c*", "xxaxcxb", false),
            ("*?", "", false),
            ("*?", "é", true),
            ("?", "é", true),
            ("a*b", "a\nb", true),
            ("*aab", "aaab", true),
            ("%_[", "%_[", true),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(Wildcard::parse(pattern).matches(text, Case::Sensitive), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn folded_matching_follows_case_folding() {
        assert!(Wildcard::parse("*NMAP*").matches("c:\\Nmap.exe", Case::Folded));
        assert!(Wildcard::parse("*k*").matches("\u{212A}", Case::Folded));
        assert!(!Wildcard::parse("*NMAP*").matches("c:\\Nmap.exe", Case::Sensitive));
    }

    #[test]
    fn equal_patterns_are_equal() {
        assert_eq!(Wildcard::parse("a***b"), Wildcard::parse("a*b"));
        assert_eq!(Wildcard::parse("a*?*b").tokens(), Wildcard::parse("a?*b").tokens());
        assert_eq!(Wildcard::parse("abc").as_literal(), Some("abc"));
        assert!(Wildcard::parse("**").is_everything());
    }

    #[test]
    fn literal_stars_of_functions_stay_literal() {
        let pattern = Wildcard::contains("a*b");
        assert!(pattern.matches("xa*by", Case::Sensitive));
        assert!(!pattern.matches("xaxby", Case::Sensitive));
        assert_eq!(pattern.tokens().get(1), Some(&Token::Literal("a*b".into())));
    }

    #[test]
    fn many_runs_stay_fast() {
        let pattern = Wildcard::parse(&"*a".repeat(200));
        let text = "a".repeat(199) + &"b".repeat(50_000);
        assert!(!pattern.matches(&text, Case::Sensitive));
    }
}
