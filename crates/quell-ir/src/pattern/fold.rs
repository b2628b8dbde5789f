//! Unicode simple case folding, with a fast path for ASCII.
//!
//! Simple folding maps one character to one: É to é, KELVIN SIGN to k, ſ to s; ß stays ß. It is what Elasticsearch's
//! case-insensitive queries use since 2026.

/// The simple case folding of one character.
#[must_use]
pub fn fold_char(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    unicode_case_mapping::case_folded(c).and_then(|folded| char::from_u32(folded.get())).unwrap_or(c)
}

/// The folded text.
#[must_use]
pub fn folded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    fold_into(text, &mut out);
    out
}

/// Appends the folded text to `out`. It allocates only where `out` has to grow.
pub fn fold_into(text: &str, out: &mut String) {
    if text.is_ascii() {
        let start = out.len();
        out.push_str(text);
        if let Some(tail) = out.get_mut(start..) {
            tail.make_ascii_lowercase();
        }
    } else {
        out.extend(text.chars().map(fold_char));
    }
}

/// Whether two texts are equal but for case.
#[must_use]
pub fn equal_folded(a: &str, b: &str) -> bool {
    if a.is_ascii() && b.is_ascii() {
        return a.eq_ignore_ascii_case(b);
    }
    a.chars().map(fold_char).eq(b.chars().map(fold_char))
}

#[cfg(test)]
mod tests {
    use super::{equal_folded, folded};

    #[test]
    fn folding_is_simple_and_unicode() {
        assert_eq!(folded("CMD.EXE"), "cmd.exe");
        assert_eq!(folded("É\u{212A}ſß"), "éksß");
        assert!(equal_folded("\u{212A}", "k"));
        assert!(equal_folded("STRASSE", "strasse"));
        assert!(!equal_folded("ß", "ss"));
        assert!(!equal_folded("a", "ab"));
    }
}
