//! Dates as Elasticsearch's default format `strict_date_optional_time||epoch_millis` reads them, and the space form of
//! Windows and databases.
//!
//! Source: Elasticsearch's "format" mapping page. Times without an offset are UTC. Nothing allocates.

use crate::value::Datum;

/// The instants that a text names: what it leaves out is filled with the least and with the greatest.
///
/// As in Elasticsearch's rounding, a missing time is the whole day, missing fractions are the whole second, but a
/// missing month or day is the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instants {
    /// The first, in nanoseconds since 1970.
    pub first: i64,
    /// The last, in nanoseconds since 1970.
    pub last: i64,
}

/// The instant of a text in nanoseconds since 1970, what it leaves out filled with the least. Instants that do not fit
/// (before 1677, after 2262) are clamped.
#[must_use]
pub fn parse_date(text: &str) -> Option<i64> {
    parse_instants(text).map(|instants| instants.first)
}

/// The instant of an event's value: a text, or a number of milliseconds since 1970.
#[must_use]
#[allow(clippy::cast_possible_truncation, reason = "a float is clamped when it is cast")]
pub fn date_of(datum: Datum<'_>) -> Option<i64> {
    match datum {
        Datum::Text(text) => parse_date(text),
        Datum::Integer(millis) => Some(millis.saturating_mul(NANOS_PER_MILLI)),
        Datum::Unsigned(_) => Some(i64::MAX),
        Datum::Float(millis) if millis.is_finite() => Some((millis * 1e6) as i64),
        Datum::Float(_) | Datum::Null | Datum::Boolean(_) => None,
    }
}

/// The instants that a query's constant names: a text as [`parse_instants`], or the millisecond of a number.
#[must_use]
pub fn instants_of(datum: Datum<'_>) -> Option<Instants> {
    match datum {
        Datum::Text(text) => parse_instants(text),
        Datum::Integer(_) => {
            let first = date_of(datum)?;
            Some(Instants { first, last: first.saturating_add(NANOS_PER_MILLI - 1) })
        }
        other => date_of(other).map(|at| Instants { first: at, last: at }),
    }
}

const NANOS_PER_MILLI: i64 = 1_000_000;
const NANOS_PER_SECOND: i128 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// The instants that a text names: `2024`, `2024-05`, `2024-05-01`, `2024-05-01T10`, `…T10:00`, `…T10:00:00`, with a
/// fraction of up to nine digits (more are cut off) after `.` or `,` and an offset `Z`, `+02`, `+0200` or `+02:00`; a
/// space for the `T`; or milliseconds since 1970, if there are more than four digits.
#[must_use]
pub fn parse_instants(text: &str) -> Option<Instants> {
    let bytes = text.trim().as_bytes();
    if let Some(instants) = epoch_millis(bytes) {
        return Some(instants);
    }
    let mut reader = Reader { bytes };
    let year = reader.digits(4)?;
    let month = if reader.eat(b"-") { reader.digits(2)? } else { 1 };
    let has_day = bytes.len() > 7 && reader.eat(b"-");
    let day = if has_day { reader.digits(2)? } else { 1 };
    let days = days_since_1970(year, month, day)?;
    if reader.bytes.is_empty() {
        let start = i128::from(days * SECONDS_PER_DAY) * NANOS_PER_SECOND;
        return Some(instants(start, i128::from(SECONDS_PER_DAY) * NANOS_PER_SECOND));
    }
    if !has_day || !(reader.eat(b"T") || reader.eat(b"t") || reader.eat(b" ")) {
        return None;
    }
    let hour = reader.digits(2)?;
    let mut seconds = hour * 3600;
    let mut nanos = 0;
    let mut width = 3600 * NANOS_PER_SECOND;
    let mut minute = 0;
    let mut second = 0;
    if reader.eat(b":") {
        minute = reader.digits(2)?;
        seconds += minute * 60;
        width = 60 * NANOS_PER_SECOND;
        if reader.eat(b":") {
            second = reader.digits(2)?;
            seconds += second.min(59); // a leap second is the second before it
            width = NANOS_PER_SECOND;
            if reader.eat(b".") || reader.eat(b",") {
                (nanos, width) = reader.fraction()?;
            }
        }
    }
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let offset = reader.offset()?;
    let whole = days * SECONDS_PER_DAY + seconds - offset;
    Some(instants(i128::from(whole) * NANOS_PER_SECOND + i128::from(nanos), width))
}

fn instants(start: i128, width: i128) -> Instants {
    let clamp = |n: i128| i64::try_from(n).unwrap_or(if n < 0 { i64::MIN } else { i64::MAX });
    Instants { first: clamp(start), last: clamp(start + width - 1) }
}

fn epoch_millis(bytes: &[u8]) -> Option<Instants> {
    let (negative, digits) = match bytes.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, bytes),
    };
    let enough = if negative { 1 } else { 5 };
    if digits.len() < enough || digits.len() > 18 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let millis = digits.iter().fold(0_i128, |n, digit| n * 10 + i128::from(digit - b'0'));
    let millis = if negative { -millis } else { millis };
    let per_milli = i128::from(NANOS_PER_MILLI);
    Some(instants(millis * per_milli, per_milli))
}

struct Reader<'t> {
    bytes: &'t [u8],
}

impl Reader<'_> {
    fn digits(&mut self, count: usize) -> Option<i64> {
        let (digits, rest) = self.bytes.split_at_checked(count)?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        self.bytes = rest;
        Some(digits.iter().fold(0, |n, digit| n * 10 + i64::from(digit - b'0')))
    }

    fn eat(&mut self, wanted: &[u8]) -> bool {
        let rest = self.bytes.strip_prefix(wanted);
        self.bytes = rest.unwrap_or(self.bytes);
        rest.is_some()
    }

    /// Nanoseconds, and how many nanoseconds the last digit is worth.
    fn fraction(&mut self) -> Option<(i64, i128)> {
        let mut nanos = 0;
        let mut unit = 1_000_000_000;
        let mut any = false;
        while let Some((digit, rest)) = self.bytes.split_first().filter(|(byte, _)| byte.is_ascii_digit()) {
            unit /= 10;
            nanos += i64::from(digit - b'0') * unit;
            self.bytes = rest;
            any = true;
        }
        any.then_some((nanos, i128::from(unit.max(1))))
    }

    /// Seconds east of UTC; the text must end behind it.
    fn offset(&mut self) -> Option<i64> {
        if self.bytes.is_empty() || self.bytes == b"Z" || self.bytes == b"z" {
            return Some(0);
        }
        let sign = if self.eat(b"+") {
            1
        } else if self.eat(b"-") {
            -1
        } else {
            return None;
        };
        let hours = self.digits(2)?;
        let minutes = if self.eat(b":") || !self.bytes.is_empty() { self.digits(2)? } else { 0 };
        (self.bytes.is_empty() && hours <= 18 && minutes <= 59)
            .then_some(sign * (hours * 3600 + minutes * 60))
    }
}

/// Days of the proleptic Gregorian calendar.
fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if day < 1 || day > longest {
        return None;
    }
    // Years that begin in March put the leap day last.
    let year = if month > 2 { year } else { year - 1 };
    let month = (month + 9) % 12;
    let era_days = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(era_days + (153 * month + 2) / 5 + day - 1 - 719_468)
}

#[cfg(test)]
mod tests {
    use super::{Instants, date_of, parse_date, parse_instants};
    use crate::value::Datum;
    use proptest::prelude::*;

    #[test]
    fn the_forms_of_a_date() {
        let noon = 1_714_564_800_000_000_000; // 2024-05-01T12:00:00Z
        let cases = [
            ("2024-05-01T12:00:00Z", noon),
            ("2024-05-01T12:00:00", noon),
            ("2024-05-01 12:00:00", noon),
            ("2024-05-01t12:00:00z", noon),
            ("2024-05-01T12:00Z", noon),
            ("2024-05-01T12", noon),
            ("2024-05-01T14:00:00+02:00", noon),
            ("2024-05-01T14:00:00+0200", noon),
            ("2024-05-01T14:00:00+02", noon),
            ("2024-05-01T07:30:00-04:30", noon),
            ("2024-05-01T12:00:00.5Z", noon + 500_000_000),
            ("2024-05-01 12:00:00.123", noon + 123_000_000),
            ("2024-05-01T12:00:00,1234567Z", noon + 123_456_700),
            ("2024-05-01T12:00:00.1234567899Z", noon + 123_456_789),
            ("1714564800123", noon + 123_000_000),
            ("2024-05-01", noon - 43_200_000_000_000),
            ("2024-05", noon - 43_200_000_000_000),
            ("2024", 1_704_067_200_000_000_000),
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59.999999999Z", -1),
            ("-1", -1_000_000),
            ("2000-02-29", 951_782_400_000_000_000),
            ("9999-12-31", i64::MAX),
            ("0001-01-01", i64::MIN),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_date(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_date() {
        for text in [
            "",
            "x",
            "24-05-01",
            "2024-5-1",
            "2024-13-01",
            "2024-02-30",
            "2023-02-29",
            "2024-05-01T",
            "2024-05-01T25:00",
            "2024-05-01Tx",
            "2024-05-01T12:00:00.",
            "2024-05-01T12:00:00 UTC",
            "2024-05-01T12:60:00Z",
            "2024-05-01T12:00:00+99",
            "2024-05-01x",
            "2024-",
            "2024-05-",
            "123",
            "1.5",
            "20240501T120000Z",
            "12:00:00",
            "2024-05T10:00",
            "99999999999999999999999",
        ] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }

    #[test]
    fn missing_parts_make_a_span() {
        let day = parse_instants("2024-05-01").unwrap();
        assert_eq!(day.last - day.first, 86_400_000_000_000 - 1);
        let second = parse_instants("2024-05-01T12:00:00Z").unwrap();
        assert_eq!(second.last - second.first, 999_999_999);
        let milli = parse_instants("2024-05-01T12:00:00.123Z").unwrap();
        assert_eq!(milli.last - milli.first, 999_999);
        let exact = parse_instants("2024-05-01T12:00:00.123456789Z").unwrap();
        assert_eq!(exact, Instants { first: exact.first, last: exact.first });
    }

    #[test]
    fn numbers_are_milliseconds() {
        assert_eq!(date_of(Datum::Integer(1500)), Some(1_500_000_000));
        assert_eq!(date_of(Datum::Integer(2024)), Some(2_024_000_000));
        assert_eq!(date_of(Datum::Float(1.5)), Some(1_500_000));
        assert_eq!(date_of(Datum::Float(f64::NAN)), None);
        assert_eq!(date_of(Datum::Boolean(true)), None);
    }

    proptest! {
        #[test]
        fn every_instant_reads_back(nanos in any::<i64>()) {
            let printed = jiff::Timestamp::from_nanosecond(i128::from(nanos)).unwrap().to_string();
            prop_assert_eq!(parse_date(&printed), Some(nanos), "{}", printed);
        }

        #[test]
        fn no_text_panics(text in "[0-9TZ:. +-]{0,30}") {
            _ = parse_instants(&text);
        }
    }
}
