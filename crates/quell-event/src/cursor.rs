//! Reading JSON text token by token, and past what nobody asked for.

use crate::scan::{Block, Escapes, Lanes, prefix_parity};
use crate::{ProjectionError, ProjectionErrorKind as Kind, Scalar};

/// What a read gives.
pub(crate) type Read<T> = Result<T, ProjectionError>;

/// A place in a record. Offsets are bytes from the record's start; records are shorter than 4 GiB.
///
/// The quotes are found 64 bytes at a time, ahead of the place: where a string ends does not depend on where the value
/// before it ended, so a processor works on several values at once. Quotes behind the place are taken from the word, so
/// that its lowest bit is the next one.
///
/// A cursor is copied freely. What is called for each token is inlined and what is not takes the cursor by value, so
/// that it stays in registers.
#[derive(Clone, Copy, Default)]
pub(crate) struct Cursor<'r> {
    record: &'r str,
    at: usize,
    /// Offset of the block of 64 bytes that the words are about.
    block: usize,
    /// The quotes of the block that are not escaped and not passed.
    quotes: u64,
    /// The backslashes of the block.
    backslashes: u64,
    escapes: Escapes,
}

/// The text between two quotes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawText {
    /// Offset just past the opening quote.
    pub(crate) start: usize,
    /// Offset of the closing quote.
    pub(crate) end: usize,
    /// Whether there may be a backslash in it.
    pub(crate) escaped: bool,
}

#[cold]
#[inline(never)]
pub(crate) fn error<T>(offset: usize, kind: Kind) -> Read<T> {
    Err(ProjectionError { offset, kind })
}

impl<'r> Cursor<'r> {
    /// The start of a record.
    pub(crate) fn new(record: &'r str) -> Read<Self> {
        if u32::try_from(record.len()).is_err() {
            return error(0, Kind::TooLong);
        }
        let (mut cursor, bytes) = (Cursor { record, ..Cursor::default() }, record.as_bytes());
        cursor.look_at(bytes);
        Ok(cursor)
    }

    /// Makes the words of the block with which the bytes begin.
    #[inline(always)]
    fn look_at(&mut self, bytes: &[u8]) {
        let (quotes, backslashes) = match bytes.first_chunk() {
            Some(block) => quotes_and_backslashes(block),
            None => quotes_and_backslashes_at_the_end(bytes),
        };
        self.backslashes = backslashes;
        self.quotes = quotes & !self.escapes.next(backslashes);
    }

    /// Goes to the next block, unless this is the last.
    #[inline(always)]
    fn next_block(&mut self) -> bool {
        let next = self.block + 64;
        let rest = self.bytes().get(next..).unwrap_or_default();
        if rest.is_empty() {
            return false;
        }
        self.block = next;
        self.look_at(rest);
        true
    }

    #[inline(always)]
    pub(crate) fn offset(&self) -> usize {
        self.at
    }

    /// The record's bytes.
    #[inline(always)]
    pub(crate) fn bytes(&self) -> &'r [u8] {
        self.record.as_bytes()
    }

    /// The record's text between two offsets.
    #[inline(always)]
    pub(crate) fn text(&self, start: usize, end: usize) -> &'r str {
        self.record.get(start..end).unwrap_or("")
    }

    /// What stands from here on.
    #[inline(always)]
    fn rest(&self) -> &'r [u8] {
        self.bytes().get(self.at..).unwrap_or_default()
    }

    /// The error for the byte that was read last.
    #[inline(always)]
    pub(crate) fn unexpected<T>(&self) -> Read<T> {
        error(self.at.saturating_sub(1), Kind::BadToken)
    }

    #[inline(always)]
    fn truncated<T>(&self) -> Read<T> {
        error(self.record.len(), Kind::Truncated)
    }

    /// The next byte that is not white space, which is passed.
    #[inline(always)]
    pub(crate) fn token(&mut self) -> Read<u8> {
        let mut byte = self.bytes().get(self.at).copied().unwrap_or(0);
        if byte <= b' ' {
            self.at = self.behind_space();
            let Some(found) = self.bytes().get(self.at) else { return self.truncated() };
            byte = *found;
        }
        self.at += 1;
        Ok(byte)
    }

    #[inline(never)]
    fn behind_space(self) -> usize {
        let space =
            self.rest().iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.at + space
    }

    /// The opening brace of a record.
    pub(crate) fn open_record(&mut self) -> Read<()> {
        if self.token()? == b'{' { Ok(()) } else { error(self.at - 1, Kind::NotAnObject) }
    }

    /// Nothing but white space up to the end.
    pub(crate) fn close_record(&mut self) -> Read<()> {
        match self.token() {
            Err(_) => Ok(()),
            Ok(_) => error(self.at - 1, Kind::TrailingText),
        }
    }

    /// A colon, and the first byte of the value behind it.
    #[inline(always)]
    pub(crate) fn colon(&mut self) -> Read<u8> {
        if let Some([b':', first]) = self.rest().first_chunk()
            && *first > b' '
        {
            self.at += 2;
            return Ok(*first);
        }
        if self.token()? != b':' {
            return self.unexpected();
        }
        self.token()
    }

    /// Passes a comma and the opening quote of a key, if they come next and no space is between.
    #[inline(always)]
    pub(crate) fn next_key(&mut self) -> bool {
        let found = self.rest().first_chunk() == Some(b",\"");
        if found {
            self.at += 2;
        }
        found
    }

    /// A string whose opening quote was read.
    #[inline(always)]
    pub(crate) fn string(&mut self) -> Read<RawText> {
        let start = self.at;
        if self.quotes == 0 && !self.next_quote() {
            return self.truncated();
        }
        debug_assert_eq!(
            self.block + self.quotes.trailing_zeros() as usize + 1,
            start,
            "the opening quote is the next"
        );
        // Backslashes above the opening quote.
        let mut inside = self.backslashes & !(self.quotes ^ self.quotes.wrapping_sub(1));
        self.quotes &= self.quotes.wrapping_sub(1);
        let mut escaped = false;
        if self.quotes == 0 {
            escaped = inside != 0;
            match self.string_goes_on() {
                Some((there, seen)) => {
                    *self = there;
                    escaped |= seen;
                }
                None => return self.truncated(),
            }
            inside = self.backslashes;
        }
        let below = self.quotes.wrapping_sub(1) & !self.quotes;
        let end = self.block + self.quotes.trailing_zeros() as usize;
        self.quotes &= self.quotes.wrapping_sub(1);
        self.at = end + 1;
        Ok(RawText { start, end, escaped: escaped || inside & below != 0 })
    }

    /// Goes on to the first block with a quote.
    #[inline(always)]
    fn next_quote(&mut self) -> bool {
        while self.quotes == 0 {
            if !self.next_block() {
                return false;
            }
        }
        true
    }

    /// The first block behind this with a quote, and whether there are backslashes between.
    #[inline(always)]
    fn string_goes_on(mut self) -> Option<(Self, bool)> {
        let mut seen = false;
        loop {
            if !self.next_block() {
                return None;
            }
            if self.quotes != 0 {
                return Some((self, seen));
            }
            seen |= self.backslashes != 0;
        }
    }

    /// Passes a value whose first byte was read. Strings must end, brackets must be balanced, and a bare word must look
    /// like one; what is inside of containers is not looked at, nor whether a brace is closed by a bracket.
    #[inline(always)]
    pub(crate) fn skip_value(&mut self, first: u8) -> Read<()> {
        match first {
            b'"' => self.string().map(|_| ()),
            b'{' | b'[' => self.skip_container(),
            b'-' | b'0'..=b'9' => {
                self.at = self.number_end();
                Ok(())
            }
            _ => self.literal(first).map(|_| ()),
        }
    }

    /// Passes the rest of an object or array, whose opening bracket was read, at any depth.
    #[inline(always)]
    pub(crate) fn skip_container(&mut self) -> Read<()> {
        match self.behind_container() {
            Some(behind) => {
                *self = behind;
                Ok(())
            }
            None => self.truncated(),
        }
    }

    #[inline(never)]
    fn behind_container(mut self) -> Option<Self> {
        while self.at >= self.block + 64 {
            if !self.next_block() {
                return None;
            }
        }
        let mut ahead = u64::MAX << (self.at - self.block);
        let mut inside = 0u64; // all bits set where a string goes on from the block before
        let mut depth = 1usize;
        loop {
            let strings = prefix_parity(self.quotes) ^ inside;
            inside = 0u64.wrapping_sub(strings >> 63);
            let rest = self.bytes().get(self.block..).unwrap_or_default();
            let (opened, closed) = match rest.first_chunk() {
                Some(block) => brackets(block),
                None => brackets_at_the_end(rest),
            };
            let opened = opened & !strings & ahead;
            let mut closed = closed & !strings & ahead;
            let mut passed = 0;
            while closed != 0 {
                let lowest = closed & closed.wrapping_neg();
                let before = (opened & (lowest - 1)).count_ones() as usize;
                passed += 1;
                if depth + before == passed {
                    self.at = self.block + closed.trailing_zeros() as usize + 1;
                    self.quotes &= !(lowest - 1);
                    return Some(self);
                }
                closed ^= lowest;
            }
            depth = depth + opened.count_ones() as usize - passed;
            ahead = u64::MAX;
            if !self.next_block() {
                return None;
            }
        }
    }

    /// Where the characters of a number end that go on here.
    #[inline(always)]
    fn number_end(self) -> usize {
        let characters = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        self.at + self.rest().iter().take_while(characters).count()
    }

    /// `true`, `false` or `null` (which is no value), the first byte of which was read.
    #[inline(always)]
    pub(crate) fn literal(&mut self, first: u8) -> Read<Option<Scalar>> {
        let (rest, value): (&[u8], _) = match first {
            b't' => (b"rue", Some(Scalar::Boolean(true))),
            b'f' => (b"alse", Some(Scalar::Boolean(false))),
            b'n' => (b"ull", None),
            _ => return self.unexpected(),
        };
        let found = self.rest();
        if found.starts_with(rest) {
            self.at += rest.len();
            Ok(value)
        } else if rest.starts_with(found) {
            self.truncated()
        } else {
            self.unexpected()
        }
    }

    /// A number, the first byte of which was read: an integer where it fits 64 bits, else a float.
    #[inline(always)]
    pub(crate) fn number(&mut self, first: u8) -> Read<Scalar> {
        let start = self.at - 1;
        if first != b'-' {
            let mut digits = u64::from(first - b'0');
            let mut end = self.at;
            // Up to 18 digits cannot overflow.
            while let Some(byte @ b'0'..=b'9') = self.bytes().get(end)
                && end - start < 18
            {
                digits = digits * 10 + u64::from(byte - b'0');
                end += 1;
            }
            let leading_zero = first == b'0' && end - start > 1;
            if let Some(b',' | b'}' | b']') = self.bytes().get(end)
                && !leading_zero
            {
                self.at = end;
                return Ok(Scalar::Integer(digits.cast_signed()));
            }
        }
        let end = self.number_end();
        let number = any_number(self.record, start, end)?;
        self.at = end;
        Ok(number)
    }
}

#[inline(never)]
fn any_number(record: &str, start: usize, end: usize) -> Read<Scalar> {
    let text = record.get(start..end).unwrap_or("");
    match shape(text) {
        // `-0` is a float: an integer has no negative zero.
        Some(true) if text != "-0" => {
            if let Ok(n) = text.parse() {
                return Ok(Scalar::Integer(n));
            }
            if let Ok(n) = text.parse() {
                return Ok(Scalar::Unsigned(n));
            }
        }
        Some(_) => {}
        None if end == record.len() => return error(end, Kind::Truncated),
        None => return error(start, Kind::BadToken),
    }
    match text.parse::<f64>() {
        Ok(n) if n.is_finite() => Ok(Scalar::Float(n)),
        _ => error(start, Kind::NumberOutOfRange),
    }
}

#[inline(always)]
fn quotes_and_backslashes(block: &[u8; 64]) -> (u64, u64) {
    let block = Block::load(block);
    (block.equal(b'"'), block.equal(b'\\'))
}

/// Opening and closing brackets of both kinds.
#[inline(always)]
fn brackets(block: &[u8; 64]) -> (u64, u64) {
    let block = Block::load(block).braces();
    (block.equal(b'{'), block.equal(b'}'))
}

#[inline(never)]
fn quotes_and_backslashes_at_the_end(rest: &[u8]) -> (u64, u64) {
    quotes_and_backslashes(&filled_up(rest))
}

#[inline(never)]
fn brackets_at_the_end(rest: &[u8]) -> (u64, u64) {
    brackets(&filled_up(rest))
}

/// The last bytes of a record, with spaces behind.
fn filled_up(rest: &[u8]) -> [u8; 64] {
    let mut bytes = [b' '; 64];
    if let Some(start) = bytes.get_mut(..rest.len()) {
        start.copy_from_slice(rest);
    }
    bytes
}

/// Whether a text is a JSON number, and then whether it is an integer.
fn shape(text: &str) -> Option<bool> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let rest = text.strip_prefix('-').unwrap_or(text);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest.starts_with('0')) {
        return None;
    }
    let mut rest = rest.get(whole..)?;
    let integer = rest.is_empty();
    if let Some(fraction) = rest.strip_prefix('.') {
        let count = digits(fraction);
        if count == 0 {
            return None;
        }
        rest = fraction.get(count..)?;
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let count = digits(exponent);
        if count == 0 {
            return None;
        }
        rest = exponent.get(count..)?;
    }
    rest.is_empty().then_some(integer)
}

/// Appends a string's content with its escapes decoded; a surrogate without its other half becomes U+FFFD. An error is
/// the offset of a bad escape within `raw`; then nothing is appended.
pub(crate) fn unescape(raw: &str, out: &mut String) -> Result<(), usize> {
    let before = out.len();
    let mut at = 0;
    loop {
        let rest = raw.get(at..).unwrap_or("");
        let Some((plain, behind)) = plain_len(rest.as_bytes()).and_then(|plain| rest.split_at_checked(plain))
        else {
            out.push_str(rest);
            return Ok(());
        };
        out.push_str(plain);
        at += plain.len();
        let Some((c, len)) = decode_escape(behind.get(1..).unwrap_or("")) else {
            out.truncate(before);
            return Err(at);
        };
        out.push(c);
        at += 1 + len;
    }
}

/// The character that an escape of a JSON string stands for, by the text behind its backslash, and how many bytes of that
/// text it takes; `None` where it is no escape. A surrogate without its other half becomes U+FFFD.
#[inline]
#[must_use]
pub fn decode_escape(text: &str) -> Option<(char, usize)> {
    let short = match text.as_bytes().first()? {
        byte @ (b'"' | b'\\' | b'/') => char::from(*byte),
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'u' => return unicode_escape(text),
        _ => return None,
    };
    Some((short, 1))
}

/// How far the next backslash is. Windows paths have one every few bytes.
#[inline(always)]
fn plain_len(bytes: &[u8]) -> Option<usize> {
    let near = bytes.first_chunk().map_or(0, |chunk| Lanes::load(chunk).equal(b'\\'));
    if near == 0 { memchr::memchr(b'\\', bytes) } else { Some(near.trailing_zeros() as usize) }
}

/// The character of a `u` with four digits, or of two such that are a pair, and how many bytes it takes.
fn unicode_escape(text: &str) -> Option<(char, usize)> {
    const UNIT: usize = 5; // u and four digits
    let first = code_unit(text)?;
    if let Some(c) = char::from_u32(first) {
        return Some((c, UNIT));
    }
    let second = text.get(UNIT..).and_then(|rest| rest.strip_prefix('\\')).and_then(code_unit);
    if let (0xd800..=0xdbff, Some(second @ 0xdc00..=0xdfff)) = (first, second) {
        let c = char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00))?;
        return Some((c, UNIT + 1 + UNIT));
    }
    Some((char::REPLACEMENT_CHARACTER, UNIT))
}

fn code_unit(text: &str) -> Option<u32> {
    let digits = text.strip_prefix('u')?.get(..4)?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::{Cursor, shape, unescape};
    use crate::Scalar;

    #[test]
    fn numbers_have_the_shape_that_json_gives_them() {
        for text in ["0", "-0", "10", "123456789012345678901"] {
            assert_eq!(shape(text), Some(true), "{text}");
        }
        for text in ["0.5", "-1.25e+7", "1e5", "1E-5", "0e0"] {
            assert_eq!(shape(text), Some(false), "{text}");
        }
        for text in ["", "-", "01", "1.", ".5", "1e", "1e+", "+1", "1-2", "--1", "1.2.3", "1e5e5"] {
            assert_eq!(shape(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_read_into_the_narrowest_kind() {
        let cases = [
            ("0", Scalar::Integer(0)),
            ("7", Scalar::Integer(7)),
            ("-7", Scalar::Integer(-7)),
            ("999999999999999999", Scalar::Integer(999_999_999_999_999_999)),
            ("1000000000000000000", Scalar::Integer(1_000_000_000_000_000_000)),
            ("9223372036854775807", Scalar::Integer(i64::MAX)),
            ("-9223372036854775808", Scalar::Integer(i64::MIN)),
            ("9223372036854775808", Scalar::Unsigned(9_223_372_036_854_775_808)),
            ("18446744073709551615", Scalar::Unsigned(u64::MAX)),
            ("18446744073709551616", Scalar::Float(18_446_744_073_709_551_616.0)),
            ("-9223372036854775809", Scalar::Float(-9_223_372_036_854_775_809.0)),
            ("-0", Scalar::Float(-0.0)),
            ("1.0", Scalar::Float(1.0)),
            ("1e3", Scalar::Float(1000.0)),
        ];
        for (text, expected) in cases {
            for end in ["", ",", " ", "}"] {
                let record = format!("{text}{end}");
                let mut cursor = Cursor::new(&record).unwrap();
                let first = cursor.token().unwrap();
                assert_eq!(cursor.number(first), Ok(expected), "{record}");
                assert_eq!(cursor.offset(), text.len(), "{record}");
            }
        }
    }

    #[test]
    fn escapes_are_decoded() {
        let cases = [
            (r"plain", "plain"),
            (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t"),
            (r"C:\\Windows\\x", r"C:\Windows\x"),
            (r"\u0041\u00e9\uFFFF", "Aé\u{ffff}"),
            (r"\ud83d\ude00", "😀"),
            (r"\ud83d", "\u{fffd}"),
            (r"\ud83dx", "\u{fffd}x"),
            (r"\ud83d\n", "\u{fffd}\n"),
            (r"\ud83d\u0041", "\u{fffd}A"),
            (r"\ude00\ud83d", "\u{fffd}\u{fffd}"),
            (r"\ud83d\ud83d\ude00", "\u{fffd}😀"),
            (r"é\u0000é", "é\0é"),
        ];
        for (raw, expected) in cases {
            let mut out = String::from(">");
            assert_eq!(unescape(raw, &mut out), Ok(()), "{raw}");
            assert_eq!(out, format!(">{expected}"), "{raw}");
        }
        for (raw, at) in
            [(r"\x", 0), (r"ab\u12", 2), (r"a\u12g4", 1), (r"\u+123", 0), (r"\", 0), (r"\n\é", 2)]
        {
            let mut out = String::from(">");
            assert_eq!(unescape(raw, &mut out), Err(at), "{raw}");
            assert_eq!(out, ">", "{raw}");
        }
    }
}
