//! Analysis: how the content of a text field becomes terms, in events and in queries alike.
//!
//! Source: Elasticsearch's "Standard analyzer" and "Pattern analyzer". Nothing allocates: a word is a slice of the text, and
//! is compared with a term, which is in lower case, as it stands.

use crate::predicate::{Analyzer, TermTest};
use crate::value::Case;
use unicode_segmentation::{UWordBounds, UnicodeSegmentation};

/// A longer word is cut into terms of this many characters.
const LONGEST: usize = 255;

/// The words of a text, in order.
#[derive(Debug)]
pub struct Words<'t> {
    source: Source<'t>,
    /// What is left of a word that was too long.
    rest: &'t str,
}

enum Source<'t> {
    Standard(UWordBounds<'t>),
    /// The standard analyser's, what was not looked at yet of a text that is ASCII.
    Ascii(&'t str),
    /// What was not looked at yet.
    PowerShell(&'t str),
}

impl std::fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Source::Standard(_) | Source::Ascii(_) => "Standard",
            Source::PowerShell(_) => "PowerShell",
        })
    }
}

impl Analyzer {
    /// The words that the analyser finds; each is a term once it is lower-cased.
    #[must_use]
    pub fn words(self, text: &str) -> Words<'_> {
        let source = match self {
            Analyzer::Standard if text.is_ascii() => Source::Ascii(text),
            Analyzer::Standard => Source::Standard(text.split_word_bounds()),
            Analyzer::PowerShell => Source::PowerShell(text),
        };
        Words { source, rest: "" }
    }

    /// The terms of a text, in lower case.
    #[must_use]
    pub fn terms(self, text: &str) -> Vec<String> {
        self.words(text).map(str::to_lowercase).collect()
    }

    /// Whether a term may hold this character, as far as one character tells.
    #[must_use]
    pub fn keeps(self, c: char) -> bool {
        match self {
            Analyzer::Standard => {
                c.is_alphanumeric() || matches!(c, '_' | '.' | '\'' | ':' | ',' | '\u{2019}')
            }
            Analyzer::PowerShell => is_of_word(c),
        }
    }

    /// Whether the terms stand in the text one after the other; one term need only stand somewhere.
    #[must_use]
    pub fn has_phrase<T: AsRef<str>>(self, text: &str, terms: &[T]) -> bool {
        let Some((first, others)) = terms.split_first() else { return false };
        let mut words = self.words(text);
        while let Some(word) = words.next() {
            if is_term(word, first.as_ref()) {
                let mut following = words.again();
                if others.iter().all(|term| following.next().is_some_and(|word| is_term(word, term.as_ref())))
                {
                    return true;
                }
            }
        }
        false
    }

    /// Whether one term of the text passes the test.
    #[must_use]
    pub fn has_term(self, text: &str, test: &TermTest) -> bool {
        self.words(text).any(|word| test.passes(word))
    }
}

impl TermTest {
    /// Whether a term passes, in whatever case it is.
    #[must_use]
    pub fn passes(&self, term: &str) -> bool {
        match self {
            TermTest::Wildcard(pattern) => pattern.matches(term, Case::Folded),
            TermTest::Regex(pattern) => pattern.matches(term, Case::Folded),
        }
    }
}

impl<'t> Words<'t> {
    /// The same words from here on, to be read apart.
    fn again(&self) -> Words<'t> {
        let source = match &self.source {
            Source::Standard(words) => Source::Standard(words.clone()),
            Source::Ascii(text) => Source::Ascii(text),
            Source::PowerShell(text) => Source::PowerShell(text),
        };
        Words { source, rest: self.rest }
    }
}

impl<'t> Iterator for Words<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        let word = if self.rest.is_empty() {
            match &mut self.source {
                Source::Standard(parts) => parts.find(|part| part.contains(char::is_alphanumeric))?,
                Source::Ascii(text) => {
                    let (word, rest) = next_ascii(text)?;
                    *text = rest;
                    word
                }
                Source::PowerShell(text) => {
                    let start = text.trim_start_matches(|c| !is_of_word(c));
                    let end = start.find(|c| !is_of_word(c)).unwrap_or(start.len());
                    let (word, rest) = start.split_at_checked(end)?;
                    *text = rest;
                    if word.is_empty() {
                        return None;
                    }
                    word
                }
            }
        } else {
            std::mem::take(&mut self.rest)
        };
        if word.len() <= LONGEST {
            return Some(word);
        }
        let end = word.char_indices().nth(LONGEST).map_or(word.len(), |(at, _)| at);
        let (word, rest) = word.split_at_checked(end)?;
        self.rest = rest;
        Some(word)
    }
}

/// The next word of an ASCII text, and what stands behind it: the rules of Unicode text segmentation that are left of all of
/// them. Most text is ASCII, and those take a table look-up for each character.
fn next_ascii(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let at = |at: usize| bytes.get(at).copied().unwrap_or(b' ');
    let mut end = 0;
    loop {
        // Underscores join letters and digits, but are no word alone.
        let start = end + bytes.get(end..)?.iter().position(|b| b.is_ascii_alphanumeric() || *b == b'_')?;
        end = start;
        let mut named = false;
        loop {
            let joins = match at(end) {
                b'_' => true,
                b if b.is_ascii_alphanumeric() => {
                    named = true;
                    true
                }
                b => end > start && is_joint(at(end - 1), b, at(end + 1)),
            };
            if !joins {
                break;
            }
            end += 1;
        }
        if named {
            return Some((text.get(start..end)?, text.get(end..)?));
        }
    }
}

/// Whether a sign between two characters does not part them.
fn is_joint(before: u8, sign: u8, behind: u8) -> bool {
    match sign {
        b'.' | b'\'' => {
            before.is_ascii_alphabetic() && behind.is_ascii_alphabetic()
                || before.is_ascii_digit() && behind.is_ascii_digit()
        }
        b':' => before.is_ascii_alphabetic() && behind.is_ascii_alphabetic(),
        b',' | b';' => before.is_ascii_digit() && behind.is_ascii_digit(),
        _ => false,
    }
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

/// Whether a word, lower-cased, is the term.
fn is_term(word: &str, term: &str) -> bool {
    if word.is_ascii() {
        return word.len() == term.len()
            && word.bytes().zip(term.bytes()).all(|(word, term)| word.to_ascii_lowercase() == term);
    }
    word.chars().flat_map(char::to_lowercase).eq(term.chars())
}

#[cfg(test)]
mod tests {
    use crate::predicate::Analyzer::{self, PowerShell, Standard};
    use proptest::prelude::*;
    use unicode_segmentation::UnicodeSegmentation;

    #[test]
    fn texts_are_split_as_elasticsearch_splits_them() {
        let cases: &[(Analyzer, &str, &[&str])] = &[
            (
                Standard,
                "The 2 QUICK Brown-Foxes, O'Neil's",
                &["the", "2", "quick", "brown", "foxes", "o'neil's"],
            ),
            (Standard, "example.com:443 a_b", &["example.com", "443", "a_b"]),
            (Standard, "C:\\Windows\\cmd.exe", &["c", "windows", "cmd.exe"]),
            (Standard, "-- !!", &[]),
            (PowerShell, "Test-NetConnection 1..254", &["test-netconnection", "1", "254"]),
            (PowerShell, "[Net.Sockets.TcpClient]::new()", &["net", "sockets", "tcpclient", "new"]),
            (PowerShell, "$été_1", &["t", "_1"]),
            (PowerShell, "", &[]),
        ];
        for (analyzer, text, expected) in cases {
            assert_eq!(analyzer.terms(text), *expected, "{text}");
        }
    }

    #[test]
    fn long_words_are_cut() {
        let terms = PowerShell.terms(&"a".repeat(600));
        assert_eq!(terms.iter().map(String::len).collect::<Vec<_>>(), [255, 255, 90]);
        assert_eq!(Standard.terms(&"é".repeat(256)).len(), 2);
    }

    #[test]
    fn phrases_are_neighbours() {
        let text = "a b a b c";
        for (terms, expected) in [
            (&["a", "b", "c"][..], true),
            (&["b", "a"], true),
            (&["a", "c"], false),
            (&["c"], true),
            (&[], false),
        ] {
            assert_eq!(Standard.has_phrase(text, terms), expected, "{terms:?}");
        }
    }

    proptest! {
        #[test]
        fn ascii_texts_are_split_like_all_others(text in "[ -~\\t\\r\\n]{0,40}|[ab19_.:,;' -]{0,24}") {
            let words: Vec<&str> = Standard.words(&text).collect();
            let bounds = text.split_word_bounds().filter(|part| part.contains(char::is_alphanumeric));
            prop_assert_eq!(words, bounds.collect::<Vec<_>>());
        }

        #[test]
        fn a_text_is_a_phrase_of_its_own_terms(text in "[a-zA-Z0-9 .'_éÄ-]{0,40}") {
            for analyzer in [Standard, PowerShell] {
                let terms = analyzer.terms(&text);
                prop_assert_eq!(analyzer.has_phrase(&text, &terms), !terms.is_empty());
            }
        }
    }
}
