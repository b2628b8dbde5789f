//! Positions in UTF-16 units, which Elasticsearch counts in, and the bytes they stand at.
//!
//! A position between the two units of a character outside the basic plane is moved to the character's end: half a
//! character is no text.

/// The length in UTF-16 units.
pub fn length(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().map(char::len_utf16).sum() }
}

/// The byte at which `units` have passed; the text's length if it has fewer.
pub fn to_byte(text: &str, units: usize) -> usize {
    if text.is_ascii() {
        return units.min(text.len());
    }
    let mut passed = 0;
    for (at, c) in text.char_indices() {
        if passed >= units {
            return at;
        }
        passed += c.len_utf16();
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::{length, to_byte};

    #[test]
    fn units_are_those_of_utf_16() {
        let text = "aé😀b";
        assert_eq!(length(text), 5);
        let bytes: Vec<usize> = (0..=6).map(|units| to_byte(text, units)).collect();
        assert_eq!(bytes, [0, 1, 3, 7, 7, 8, 8]);
        assert_eq!(to_byte("abc", 9), 3);
    }
}
