//! Date math: `now-30d/d`, `2024-05-01||+1M/d`.
//!
//! Source: Elasticsearch's "Common options", "Date math". Months and days are UTC's.

use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;
use jiff::{Span, Timestamp};
use quell_ir::date::{Instants, parse_instants};

/// What a text of date math came to.
#[derive(Debug, PartialEq)]
pub(crate) enum Math {
    /// It is none: an instant, or anything else.
    Plain,
    /// It counts from `now`, which is not known.
    NoClock,
    /// It looks like date math but is none.
    Malformed,
    /// The instants that it names: rounded, the whole unit.
    Instants(Instants),
}

/// The most steps of one text.
const MAX_STEPS: usize = 64;

pub(crate) fn read(text: &str, now: Option<i64>) -> Math {
    let (start, steps) = if let Some(steps) = text.strip_prefix("now") {
        match now {
            Some(now) => (now, steps),
            None if steps.is_empty() || steps.starts_with(['+', '-', '/']) => return Math::NoClock,
            None => return Math::Plain,
        }
    } else if let Some((anchor, steps)) = text.split_once("||") {
        match parse_instants(anchor) {
            Some(instants) => (instants.first, steps),
            None => return Math::Malformed,
        }
    } else {
        return Math::Plain;
    };
    calculated(start, steps).map_or(Math::Malformed, Math::Instants)
}

fn calculated(start: i64, mut steps: &str) -> Option<Instants> {
    let mut at = Offset::UTC.to_datetime(Timestamp::from_nanosecond(i128::from(start)).ok()?);
    let mut rounded: Option<Span> = None;
    for _ in 0..MAX_STEPS {
        let mut chars = steps.chars();
        let Some(operator) = chars.next() else { break };
        steps = chars.as_str();
        let digits = steps.len() - steps.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, rest) = steps.split_at_checked(digits)?;
        let mut chars = rest.chars();
        let unit = chars.next()?;
        steps = chars.as_str();
        let amount: i64 = if number.is_empty() { 1 } else { number.parse().ok()? };
        match operator {
            '+' => at = at.checked_add(span(amount, unit)?).ok()?,
            '-' => at = at.checked_sub(span(amount, unit)?).ok()?,
            '/' if number.is_empty() => {
                at = floor(at, unit)?;
                rounded = Some(span(1, unit)?);
            }
            _ => return None,
        }
    }
    if !steps.is_empty() {
        return None;
    }
    let first = nanos(at)?;
    let last = match rounded {
        Some(unit) => nanos(at.checked_add(unit).ok()?)?.saturating_sub(1),
        None => first,
    };
    Some(Instants { first, last })
}

fn span(amount: i64, unit: char) -> Option<Span> {
    let span = Span::new();
    match unit {
        'y' => span.try_years(amount),
        'M' => span.try_months(amount),
        'w' => span.try_weeks(amount),
        'd' => span.try_days(amount),
        'h' | 'H' => span.try_hours(amount),
        'm' => span.try_minutes(amount),
        's' => span.try_seconds(amount),
        _ => return None,
    }
    .ok()
}

/// The start of the unit; weeks begin on Monday.
fn floor(at: DateTime, unit: char) -> Option<DateTime> {
    let date = at.date();
    let midnight = |date: Date| date.at(0, 0, 0, 0);
    Some(match unit {
        'y' => midnight(Date::new(date.year(), 1, 1).ok()?),
        'M' => midnight(date.first_of_month()),
        'w' => {
            let since = i64::from(date.weekday().to_monday_zero_offset());
            midnight(date.checked_sub(Span::new().try_days(since).ok()?).ok()?)
        }
        'd' => midnight(date),
        'h' | 'H' => date.at(at.hour(), 0, 0, 0),
        'm' => date.at(at.hour(), at.minute(), 0, 0),
        's' => date.at(at.hour(), at.minute(), at.second(), 0),
        _ => return None,
    })
}

fn nanos(at: DateTime) -> Option<i64> {
    let nanos = Offset::UTC.to_timestamp(at).ok()?.as_nanosecond();
    Some(i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX }))
}

#[cfg(test)]
mod tests {
    use super::{Math, read};
    use quell_ir::date::{Instants, parse_date};

    #[test]
    fn dates_are_calculated() {
        let at = |text| parse_date(text).unwrap();
        let now = at("2024-03-31T10:20:30Z");
        for (text, first, last) in [
            ("now", "2024-03-31T10:20:30Z", None),
            ("now-30d/d", "2024-03-01", Some("2024-03-02")),
            ("now-1M", "2024-02-29T10:20:30Z", None),
            ("now/w", "2024-03-25", Some("2024-04-01")),
            ("now/y", "2024-01-01", Some("2025-01-01")),
            ("now+h/h", "2024-03-31T11:00:00Z", Some("2024-03-31T12:00:00Z")),
            ("2024-01-31||+1M/d", "2024-02-29", Some("2024-03-01")),
        ] {
            let first = at(first);
            let last = last.map_or(first, |last| at(last) - 1);
            assert_eq!(read(text, Some(now)), Math::Instants(Instants { first, last }), "{text}");
        }
        for (text, expected) in [
            ("2024-05-01", Math::Plain),
            ("nowhere", Math::Plain),
            ("now-5m", Math::NoClock),
            ("x||+1d", Math::Malformed),
            ("2024||+1x", Math::Malformed),
            ("2024||1d", Math::Malformed),
            ("2024||+99999999999999999999d", Math::Malformed),
            ("2024||/2d", Math::Malformed),
        ] {
            assert_eq!(read(text, None), expected, "{text}");
        }
        assert_eq!(read(&format!("2024||{}", "+1d".repeat(65)), None), Math::Malformed);
    }
}
