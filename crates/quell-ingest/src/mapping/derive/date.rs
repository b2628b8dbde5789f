//! Times as Windows recorders write them, made ISO 8601 in UTC.

use super::{ArgumentKind, Derivation, Input, Output, Run};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use quell_ir::Datum;

pub(super) static DATE: Derivation = Derivation {
    name: "date",
    doc: "A time as ISO 8601 in UTC, with three digits of a second or as many as it has; one without a zone is UTC. A number is seconds, or milli-, micro- or nanoseconds by its size. Nothing for what is no time.",
    argument: ArgumentKind::None,
    run: Run::Each(|input, _, out| date(input, &TimeZone::UTC, out)),
    examples: &[
        ("", "2020-10-12 22:34:38.101", &["2020-10-12T22:34:38.101Z"]),
        ("", "2019-05-12T13:30:32.9317560Z", &["2019-05-12T13:30:32.9317560Z"]),
        ("", "2020-10-12 22:34:38", &["2020-10-12T22:34:38.000Z"]),
        ("", "2020-10-12T22:34:38.5+02:00", &["2020-10-12T20:34:38.500Z"]),
        ("", "2020-10-12T00:30:00,25-0130", &["2020-10-12T02:00:00.250Z"]),
        ("", "2020-02-30 00:00:00", &[]),
        ("", "2020-10-12", &[]),
        ("", "12.10.2020 22:34:38", &[]),
        ("", "2020-10-12 22:34:38 PM", &[]),
    ],
};

pub(super) static LOCAL_DATE: Derivation = Derivation {
    name: "local_date",
    doc: "As `date`, but a time without a zone is in the time zone that the user names (`--timezone`, UTC by default).",
    argument: ArgumentKind::None,
    run: Run::Each(|input, _, out| date(input, &input.settings.timezone, out)),
    examples: &[("", "2020-10-12 18:34:38", &["2020-10-12T18:34:38.000Z"])],
};

/// A time of day on a day, as it was written.
struct Written {
    time: DateTime,
    /// How many digits of a second were written, at most nine.
    digits: usize,
    /// The offset that was written.
    offset: Option<Offset>,
}

fn date(input: &Input<'_>, timezone: &TimeZone, out: &mut Output<'_>) {
    let utc = match input.datum {
        Datum::Integer(number) => since_1970(number).map(|(time, digits)| (in_utc(time), digits)),
        Datum::Text(text) => written(text.trim()).and_then(|written| {
            let timestamp = match written.offset {
                Some(offset) if offset == Offset::UTC => return Some((written.time, written.digits)),
                Some(offset) => offset.to_timestamp(written.time).ok()?,
                None if *timezone == TimeZone::UTC => return Some((written.time, written.digits)),
                // A local time that comes twice a year is the earlier one, one that never comes is shifted.
                None => timezone.to_ambiguous_timestamp(written.time).compatible().ok()?,
            };
            Some((in_utc(timestamp), written.digits))
        }),
        _ => None,
    };
    let Some((time, digits)) = utc.filter(|(time, _)| (0..=9999).contains(&time.year())) else { return };
    out.build(|buffer| {
        push(buffer, time.year().into(), 4, '-');
        push(buffer, time.month().into(), 2, '-');
        push(buffer, time.day().into(), 2, 'T');
        push(buffer, time.hour().into(), 2, ':');
        push(buffer, time.minute().into(), 2, ':');
        push(buffer, time.second().into(), 2, '.');
        let digits = u32::try_from(digits.clamp(3, 9)).unwrap_or(9);
        push(buffer, time.subsec_nanosecond() / 10_i32.pow(9 - digits), digits, 'Z');
    });
}

/// Appends a number with so many digits, and what stands behind it. Every event has a time: this is faster than `write!`.
fn push(buffer: &mut String, number: i32, digits: u32, behind: char) {
    let digit = |place: u32| number.unsigned_abs() / 10_u32.pow(place) % 10;
    buffer.extend((0..digits).rev().filter_map(|place| char::from_digit(digit(place), 10)));
    buffer.push(behind);
}

fn in_utc(timestamp: Timestamp) -> DateTime {
    Offset::UTC.to_datetime(timestamp)
}

/// The instant of a number of seconds, or of smaller units where it is too big for that.
fn since_1970(number: i64) -> Option<(Timestamp, usize)> {
    Some(match number.unsigned_abs() {
        0..100_000_000_000 => (Timestamp::from_second(number).ok()?, 3),
        100_000_000_000..100_000_000_000_000 => (Timestamp::from_millisecond(number).ok()?, 3),
        100_000_000_000_000..100_000_000_000_000_000 => (Timestamp::from_microsecond(number).ok()?, 6),
        _ => (Timestamp::from_nanosecond(i128::from(number)).ok()?, 9),
    })
}

/// Reads `2020-10-12 22:34:38.101`, with `T` for the space, and `Z` or an offset behind it.
fn written(text: &str) -> Option<Written> {
    let mut reader = Reader { rest: text.as_bytes() };
    let year = i16::try_from(reader.number(4)?).ok()?;
    reader.one_of(b"-")?;
    let month = i8::try_from(reader.number(2)?).ok()?;
    reader.one_of(b"-")?;
    let day = i8::try_from(reader.number(2)?).ok()?;
    reader.one_of(b"T t")?;
    let hour = i8::try_from(reader.number(2)?).ok()?;
    reader.one_of(b":")?;
    let minute = i8::try_from(reader.number(2)?).ok()?;
    reader.one_of(b":")?;
    let second = i8::try_from(reader.number(2)?).ok()?;
    let (mut nanos, mut digits) = (0, 0);
    if reader.one_of(b".,").is_some() {
        nanos = reader.fraction(&mut digits)?;
    }
    let offset = reader.offset()?;
    let time = DateTime::new(year, month, day, hour, minute, second, nanos).ok()?;
    Some(Written { time, digits, offset })
}

struct Reader<'t> {
    rest: &'t [u8],
}

impl Reader<'_> {
    /// So many digits.
    fn number(&mut self, digits: usize) -> Option<i32> {
        let (number, rest) = self.rest.split_at_checked(digits)?;
        self.rest = rest;
        number
            .iter()
            .try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i32::from(byte - b'0')))
    }

    fn one_of(&mut self, wanted: &[u8]) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        wanted.contains(first).then(|| {
            self.rest = rest;
            *first
        })
    }

    /// At least one digit behind the point, as nanoseconds; past nine they are cut off.
    fn fraction(&mut self, digits: &mut usize) -> Option<i32> {
        let mut nanos = 0;
        let mut seen = 0;
        while let Some(digit) = self.one_of(b"0123456789") {
            seen += 1;
            if seen <= 9 {
                nanos = nanos * 10 + i32::from(digit - b'0');
            }
        }
        *digits = seen.min(9);
        (seen > 0).then(|| (*digits..9).fold(nanos, |nanos, _| nanos * 10))
    }

    /// `Z`, `+02`, `+0200`, `+02:00` or nothing, up to the end.
    fn offset(&mut self) -> Option<Option<Offset>> {
        if self.rest.is_empty() {
            return Some(None);
        }
        if self.one_of(b"Zz").is_some() {
            return self.rest.is_empty().then_some(Some(Offset::UTC));
        }
        let sign = if self.one_of(b"+-")? == b'+' { 1 } else { -1 };
        let mut seconds = self.number(2)? * 3600;
        if !self.rest.is_empty() {
            let _ = self.one_of(b":");
            seconds += self.number(2).filter(|minutes| *minutes < 60)? * 60;
        }
        (self.rest.is_empty()).then(|| Offset::from_seconds(sign * seconds).ok()).flatten().map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::{DATE, LOCAL_DATE};
    use crate::mapping::derive::{Argument, Input, Output, Run, Settings, values_of};
    use jiff::tz::TimeZone;
    use proptest::prelude::*;
    use quell_event::{NoFacts, Scalar, SlotTable};
    use quell_ir::Datum;

    fn in_zone(text: &str, zone: &str) -> String {
        let settings = Settings { timezone: TimeZone::get(zone).unwrap() };
        let Run::Each(run) = LOCAL_DATE.run else { panic!() };
        let (mut table, mut scratch) = (SlotTable::default(), String::new());
        table.begin(1);
        let (scalar, datum) = (Scalar::Boolean(true), Datum::Text(text));
        let input = Input { scalar, datum, text, settings: &settings, facts: &NoFacts };
        let mut out = Output { input: None, table: &mut table, slot: 0, scratch: &mut scratch, arena_len: 0 };
        run(&input, &Argument::None, &mut out);
        scratch
    }

    fn of_number(number: i64) -> String {
        let settings = Settings { timezone: TimeZone::UTC };
        let Run::Each(run) = DATE.run else { panic!() };
        let (mut table, mut scratch) = (SlotTable::default(), String::new());
        table.begin(1);
        let scalar = Scalar::Integer(number);
        let input =
            Input { scalar, datum: Datum::Integer(number), text: "", settings: &settings, facts: &NoFacts };
        run(
            &input,
            &Argument::None,
            &mut Output { input: None, table: &mut table, slot: 0, scratch: &mut scratch, arena_len: 0 },
        );
        scratch
    }

    #[test]
    fn local_times_are_moved_to_utc() {
        for (text, zone, expected) in [
            ("2020-10-12 18:34:38", "America/New_York", "2020-10-12T22:34:38.000Z"),
            ("2020-12-12 18:34:38.1234", "America/New_York", "2020-12-12T23:34:38.1234Z"),
            ("2021-03-28 02:30:00", "Europe/Berlin", "2021-03-28T01:30:00.000Z"), // a time that never was
            ("2021-10-31 02:30:00", "Europe/Berlin", "2021-10-31T00:30:00.000Z"), // one that came twice
            ("2020-10-12T18:34:38Z", "America/New_York", "2020-10-12T18:34:38.000Z"),
            ("2020-10-12T18:34:38+01", "America/New_York", "2020-10-12T17:34:38.000Z"),
        ] {
            assert_eq!(in_zone(text, zone), expected, "{text} in {zone}");
        }
    }

    #[test]
    fn numbers_are_read_by_their_size() {
        for (number, expected) in [
            (1_602_542_078, "2020-10-12T22:34:38.000Z"),
            (1_602_542_078_101, "2020-10-12T22:34:38.101Z"),
            (1_602_542_078_101_002, "2020-10-12T22:34:38.101002Z"),
            (1_602_542_078_101_002_003, "2020-10-12T22:34:38.101002003Z"),
            (-1, "1969-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(of_number(number), expected);
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_comes_out_goes_in(text in "[0-9TZ:. +-]{0,32}") {
            for value in values_of(&DATE, &Argument::None, &text) {
                prop_assert_eq!(values_of(&DATE, &Argument::None, &value), vec![value]);
            }
        }
    }
}
