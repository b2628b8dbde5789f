//! Where each character of a decoded string stands in the file that holds it.

use quell_ir::Span;

/// The way from offsets in a decoded string to offsets in its file: runs that the file holds verbatim, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceMap {
    /// Where a run starts: in the decoded string, and in the file.
    runs: Vec<(u32, u32)>,
}

/// How a string is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notation {
    /// No escapes at all: TOML's `'…'` and `'''…'''`.
    Literal,
    /// TOML's `"…"` and `"""…"""`.
    TomlBasic,
    /// JSON's `"…"`.
    Json,
}

impl SourceMap {
    /// A string that stands in the file as it is.
    #[must_use]
    pub fn verbatim(offset: usize) -> SourceMap {
        SourceMap { runs: vec![(0, clamp(offset))] }
    }

    /// The offset of the string in the file, where the file holds all of it verbatim.
    #[must_use]
    pub fn offset(&self) -> Option<usize> {
        if let [(0, source)] = self.runs.as_slice() { Some(*source as usize) } else { None }
    }

    /// The place in the file of a place in the string.
    #[must_use]
    pub fn locate(&self, span: Span) -> Option<Span> {
        let at = |offset: u32| {
            let run = self.runs.partition_point(|(decoded, _)| *decoded <= offset).checked_sub(1)?;
            let (decoded, source) = self.runs.get(run)?;
            Some((source + (offset - decoded)) as usize)
        };
        Some(Span::new(at(span.start)?, at(span.end)?))
    }

    fn run(&mut self, decoded: usize, source: usize) {
        let (decoded, source) = (clamp(decoded), clamp(source));
        match self.runs.last_mut() {
            // The same distance as before: the run goes on.
            Some((d, s)) if decoded >= *d && source >= *s && decoded - *d == source - *s => {}
            Some(last) if last.0 == decoded => *last = (decoded, source),
            _ => self.runs.push((decoded, source)),
        }
    }
}

fn clamp(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Decodes what stands between the quotes of a string, which starts in the file at `offset`.
///
/// # Errors
/// The place, within `raw`, of an escape that the notation does not have.
pub(crate) fn decode(raw: &str, offset: usize, notation: Notation) -> Result<(String, SourceMap), usize> {
    let mut text = String::with_capacity(raw.len());
    let mut map = SourceMap::default();
    let mut rest = raw;
    while !rest.is_empty() {
        let at = raw.len() - rest.len();
        map.run(text.len(), offset + at);
        if notation == Notation::Literal {
            text.push_str(rest);
            break;
        }
        let plain = rest.find('\\').unwrap_or(rest.len());
        let (head, tail) = rest.split_at_checked(plain).ok_or(at)?;
        text.push_str(head);
        let at = at + plain;
        if tail.is_empty() {
            break;
        }
        map.run(text.len(), offset + at);
        let (decoded, length) = escape(tail, notation).ok_or(at)?;
        text.extend(decoded);
        rest = tail.get(length..).ok_or(at)?;
    }
    map.run(text.len(), offset + raw.len());
    if map.runs.is_empty() {
        map = SourceMap::verbatim(offset);
    }
    Ok((text, map))
}

/// The character that the escape at the start of `text` stands for, if any, and the escape's length.
fn escape(text: &str, notation: Notation) -> Option<(Option<char>, usize)> {
    let kind = text.chars().nth(1)?;
    let plain = |c| Some((Some(c), 2));
    match (kind, notation) {
        ('"', _) => plain('"'),
        ('\\', _) => plain('\\'),
        ('/', Notation::Json) => plain('/'),
        ('b', _) => plain('\u{8}'),
        ('f', _) => plain('\u{c}'),
        ('n', _) => plain('\n'),
        ('r', _) => plain('\r'),
        ('t', _) => plain('\t'),
        ('e', Notation::TomlBasic) => plain('\u{1b}'),
        ('x', Notation::TomlBasic) => Some((Some(char::from_u32(hex(text, 2, 4)?)?), 4)),
        ('U', Notation::TomlBasic) => Some((Some(char::from_u32(hex(text, 2, 10)?)?), 10)),
        ('u', Notation::TomlBasic) => Some((Some(char::from_u32(hex(text, 2, 6)?)?), 6)),
        ('u', Notation::Json) => {
            let first = hex(text, 2, 6)?;
            if (0xD800..0xDC00).contains(&first) && text.get(6..8) == Some("\\u") {
                let second = hex(text, 8, 12)?;
                if (0xDC00..0xE000).contains(&second) {
                    let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                    return Some((char::from_u32(code), 12));
                }
            }
            // Half of a pair stands for no character.
            Some((Some(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER)), 6))
        }
        // A backslash at a line's end swallows all white space up to the next word.
        (' ' | '\t' | '\r' | '\n', Notation::TomlBasic) => {
            let after = text.get(1..)?;
            Some((None, text.len() - after.trim_start_matches([' ', '\t', '\r', '\n']).len()))
        }
        _ => None,
    }
}

fn hex(text: &str, from: usize, to: usize) -> Option<u32> {
    let digits = text.get(from..to)?;
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::{Notation, decode};
    use quell_ir::Span;

    #[test]
    fn escapes_decode_and_every_word_is_found_again() {
        let table = [
            (Notation::Literal, r"a\nword", r"a\nword"),
            (Notation::Json, r"a\nword", "a\nword"),
            (Notation::Json, r"\u0041\ud83d\ude00\/ word \\", "A\u{1F600}/ word \\"),
            (Notation::Json, r"\ud83d word", "\u{FFFD} word"),
            (Notation::TomlBasic, "é\\t\\U0001F600\\x41 word", "é\t\u{1F600}A word"),
            (Notation::TomlBasic, "a \\\n    word", "a word"),
        ];
        for (notation, raw, expected) in table {
            let (text, map) = decode(raw, 100, notation).unwrap();
            assert_eq!(text, expected);
            let start = text.find("word").unwrap();
            let span = map.locate(Span::new(start, start + 4)).unwrap();
            let found = raw.get(span.start as usize - 100..span.end as usize - 100).unwrap();
            assert_eq!(found, "word", "in {raw:?}");
        }
    }

    #[test]
    fn only_a_string_without_escapes_has_an_offset() {
        assert_eq!(decode("ab", 7, Notation::Json).unwrap().1.offset(), Some(7));
        assert_eq!(decode("", 7, Notation::Json).unwrap().1.offset(), Some(7));
        assert_eq!(decode(r"a\tb", 7, Notation::Json).unwrap().1.offset(), None);
    }

    #[test]
    fn a_wrong_escape_is_refused_at_its_place() {
        assert_eq!(decode(r"ab\q", 0, Notation::Json), Err(2));
        assert_eq!(decode(r"\u12", 0, Notation::Json), Err(0));
        assert_eq!(decode(r"\u+123", 0, Notation::TomlBasic), Err(0));
        assert_eq!(decode("\\", 0, Notation::TomlBasic), Err(0));
    }
}
