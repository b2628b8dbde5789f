//! Finding a text in a text, with or without case, in linear time.

use super::Call;
use crate::pattern::fold_char;
use crate::value::Case;
use bumpalo::collections::String;
use std::ops::Range;

/// Which occurrence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    First,
    Last,
}

/// Where `part` occurs in `text`, in bytes.
pub fn find(call: &Call<'_>, text: &str, part: &str, which: Which) -> Option<Range<usize>> {
    if call.case == Case::Sensitive {
        return position(text, part, which).map(|at| at..at + part.len());
    }
    // Simple folding maps one character to one, so positions in characters agree.
    let folded = |text: &str| String::from_iter_in(text.chars().map(fold_char), call.arena);
    let (text_folded, part_folded) = (folded(text), folded(part));
    let at = position(&text_folded, &part_folded, which)?;
    if text.is_ascii() && text_folded.len() == text.len() {
        return Some(at..at + part_folded.len());
    }
    let skipped = text_folded.get(..at)?.chars().count();
    let mut ends = text.char_indices().map(|(at, _)| at).chain([text.len()]).skip(skipped);
    let start = ends.next()?;
    let end = ends.nth(part.chars().count().checked_sub(1)?)?;
    Some(start..end)
}

/// Whether `text` starts with `part`.
pub fn starts_with(case: Case, text: &str, part: &str) -> bool {
    match case {
        Case::Sensitive => text.starts_with(part),
        Case::Folded => begins(text.chars().map(fold_char), part.chars().map(fold_char)),
    }
}

/// Whether `text` ends with `part`.
pub fn ends_with(case: Case, text: &str, part: &str) -> bool {
    match case {
        Case::Sensitive => text.ends_with(part),
        Case::Folded => begins(text.chars().rev().map(fold_char), part.chars().rev().map(fold_char)),
    }
}

fn begins(mut text: impl Iterator<Item = char>, mut part: impl Iterator<Item = char>) -> bool {
    part.all(|wanted| text.next() == Some(wanted))
}

fn position(text: &str, part: &str, which: Which) -> Option<usize> {
    match which {
        Which::First => memchr::memmem::find(text.as_bytes(), part.as_bytes()),
        Which::Last => memchr::memmem::rfind(text.as_bytes(), part.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Which, ends_with, find, starts_with};
    use crate::function::Call;
    use crate::value::Case;
    use bumpalo::Bump;

    #[test]
    fn folded_positions_are_those_of_the_text_itself() {
        let arena = Bump::new();
        let call = Call::new(Case::Folded, &arena);
        let text = "\u{212A}É-kÉ"; // the Kelvin sign takes three bytes, its folding one
        assert_eq!(find(&call, text, "ké", Which::First), Some(0..5));
        assert_eq!(find(&call, text, "KÉ", Which::Last), Some(6..9));
        assert_eq!(find(&call, "abcABC", "c", Which::Last), Some(5..6));
        assert_eq!(find(&call, "abc", "\u{212A}", Which::First), None);
        assert!(starts_with(Case::Folded, text, "Ké-"));
        assert!(ends_with(Case::Folded, text, "\u{212A}é"));
        assert!(!ends_with(Case::Sensitive, text, "ké"));
        assert!(!starts_with(Case::Folded, "a", "ab"));
    }
}
