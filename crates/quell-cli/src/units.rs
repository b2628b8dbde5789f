//! Numbers, sizes and times as people read them.

use jiff::Timestamp;
use std::time::Duration;

/// `17`, `1,234`, `54.7 k`, `1.04 M`.
#[must_use]
pub fn count(n: u64) -> String {
    if n < 10_000 { grouped(n) } else { scaled(n, &["", "k", "M", "G", "T"]) }
}

/// `17 B`, `54.7 kB`, `2.40 GB`: powers of 1000.
#[must_use]
pub fn bytes(n: u64) -> String {
    if n < 1000 { format!("{n} B") } else { scaled(n, &["B", "kB", "MB", "GB", "TB"]) }
}

/// Reads a size: `512M`, `2G`, `64KiB`; a number alone is bytes. `K`, `M` and `G` are powers of 1024, as memory is counted.
///
/// # Errors
/// It is none.
pub fn parse_size(text: &str) -> Result<usize, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits).unwrap_or((text, ""));
    let shift = match unit.trim().to_ascii_uppercase().trim_end_matches('B').trim_end_matches('I') {
        "" => Some(0),
        "K" => Some(10),
        "M" => Some(20),
        "G" => Some(30),
        _ => None,
    };
    let size = number.parse::<usize>().ok().zip(shift).and_then(|(n, shift)| n.checked_mul(1 << shift));
    size.ok_or_else(|| String::from("expected a size such as 512M or 2G"))
}

/// Reads a time: `30s`, `5m`, `1h`, `500ms`.
///
/// # Errors
/// It is none.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let duration = text.parse::<jiff::SignedDuration>().ok().and_then(|time| Duration::try_from(time).ok());
    duration.ok_or_else(|| String::from("expected a time such as 30s, 5m or 1h"))
}

/// `1 file`, `2 files`.
#[must_use]
pub fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// `0.8 ms`, `0.31 s`, `4.2 s`, `2 min 5 s`.
#[must_use]
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        s if s < 0.0095 => format!("{:.1} ms", s * 1000.0),
        s if s < 0.995 => format!("{s:.2} s"),
        s if s < 99.5 => format!("{s:.1} s"),
        _ => format!("{} min {} s", time.as_secs() / 60, time.as_secs() % 60),
    }
}

/// How many of `n` a second; 0 where no time passed.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "a rate is rounded to three digits")]
pub fn per_second(n: u64, time: Duration) -> f64 {
    let seconds = time.as_secs_f64();
    if seconds > 0.0 { n as f64 / seconds } else { 0.0 }
}

/// A rate as a count.
#[must_use]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the value was clamped before")]
pub fn rate(n: u64, time: Duration) -> String {
    count(per_second(n, time).round().clamp(0.0, 1.0e18) as u64)
}

/// `2023-04-02 10:11:09`, UTC, from nanoseconds since 1970.
#[must_use]
pub fn second(nanos: i64) -> String {
    format_time(nanos, "%Y-%m-%d %H:%M:%S")
}

/// `2023-04-02 10:11:09`, or `2023-04-02 10:11:09.123` where there is a fraction, UTC.
#[must_use]
pub fn instant(nanos: i64) -> String {
    format_time(nanos, "%Y-%m-%d %H:%M:%S%.f")
}

/// `10:11:09`, or `10:11:09.123` where there is a fraction, UTC.
#[must_use]
pub fn clock(nanos: i64) -> String {
    format_time(nanos, "%H:%M:%S%.f")
}

/// How far two times lie apart, exactly, by its two largest units: `61 s` is `1 min 1 s`, 36 hours are `1 d 12 h`.
#[must_use]
pub fn interval(nanos: i64) -> String {
    const UNITS: [(i64, &str); 6] = [
        (86_400_000_000_000, "d"),
        (3_600_000_000_000, "h"),
        (60_000_000_000, "min"),
        (1_000_000_000, "s"),
        (1_000_000, "ms"),
        (1, "ns"),
    ];
    let mut rest = nanos.max(0);
    let mut parts = Vec::new();
    for (size, unit) in UNITS {
        let n = rest / size;
        rest %= size;
        if n > 0 && parts.len() < 2 {
            parts.push(format!("{n} {unit}"));
        }
    }
    if parts.is_empty() { String::from("0 s") } else { parts.join(" ") }
}

/// `2023-04-02 10:11`, UTC.
#[must_use]
pub fn minute(nanos: i64) -> String {
    format_time(nanos, "%Y-%m-%d %H:%M")
}

/// `2023-04-02T10:11:09.123Z`.
#[must_use]
pub fn iso(nanos: i64) -> String {
    // Three digits of the second, or as many more as it needs.
    let format = match nanos {
        n if n % 1_000_000 == 0 => "%Y-%m-%dT%H:%M:%S%.3fZ",
        n if n % 1_000 == 0 => "%Y-%m-%dT%H:%M:%S%.6fZ",
        _ => "%Y-%m-%dT%H:%M:%S%.9fZ",
    };
    format_time(nanos, format)
}

fn format_time(nanos: i64, format: &str) -> String {
    Timestamp::from_nanosecond(i128::from(nanos))
        .map_or_else(|_| String::from("?"), |time| time.strftime(format).to_string())
}

fn grouped(n: u64) -> String {
    let digits = n.to_string();
    match digits.len().checked_sub(3).and_then(|at| digits.split_at_checked(at)) {
        Some((head, tail)) if !head.is_empty() => format!("{head},{tail}"),
        _ => digits,
    }
}

/// Three significant digits and a unit.
#[allow(clippy::cast_precision_loss, reason = "three digits are kept")]
fn scaled(n: u64, units: &[&str]) -> String {
    let mut value = n as f64;
    let mut units = units.iter();
    let mut unit = units.next();
    while value >= 999.5 {
        let Some(next) = units.next() else { break };
        unit = Some(next);
        value /= 1000.0;
    }
    let unit = unit.copied().unwrap_or_default();
    let decimals = match value {
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::{
        bytes, clock, count, counted, duration, instant, interval, iso, parse_duration, parse_size, second,
    };
    use std::time::Duration;

    #[test]
    fn counts_keep_three_digits() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (1234, "1,234"),
            (9_999, "9,999"),
            (54_712, "54.7 k"),
            (999_600, "1.00 M"),
            (1_040_000, "1.04 M"),
            (u64::MAX, "18446744 T"),
        ];
        for (n, expected) in cases {
            assert_eq!(count(n), expected);
        }
        assert_eq!(counted(1, "file", "files"), "1 file");
        assert_eq!(counted(0, "file", "files"), "0 files");
    }

    #[test]
    fn sizes_are_decimal() {
        for (n, expected) in [(0, "0 B"), (999, "999 B"), (1000, "1.00 kB"), (2_400_000_000, "2.40 GB")] {
            assert_eq!(bytes(n), expected);
        }
    }

    #[test]
    fn sizes_and_times_are_read() {
        for (text, expected) in [("0", 0), ("17", 17), ("64KiB", 65536), ("512M", 512 << 20), ("2g", 2 << 30)]
        {
            assert_eq!(parse_size(text), Ok(expected), "{text}");
        }
        for text in ["", "M", "-1", "1.5G", "1T", "99999999999999999999", "17179869184G"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
        for (text, ms) in [("30s", 30_000), ("500ms", 500), ("1h 5m", 3_900_000), ("0s", 0)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "30", "-5s", "soon"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn intervals_are_exact_to_two_units() {
        let cases = [
            (0, "0 s"),
            (-5, "0 s"),
            (2_500, "2 s 500 ms"),
            (60_000, "1 min"),
            (61_000, "1 min 1 s"),
            (3_600_001, "1 h 1 ms"),
            (129_600_000, "1 d 12 h"),
        ];
        for (milliseconds, expected) in cases {
            assert_eq!(interval(milliseconds * 1_000_000), expected);
        }
    }

    #[test]
    fn times_fit_their_size() {
        let cases = [
            (800, "0.8 ms"),
            (9_400, "9.4 ms"),
            (310_000, "0.31 s"),
            (999_000, "1.0 s"),
            (125_400_000, "2 min 5 s"),
        ];
        for (micros, expected) in cases {
            assert_eq!(duration(Duration::from_micros(micros)), expected);
        }
        assert_eq!(second(1_680_430_269_123_000_000), "2023-04-02 10:11:09");
        assert_eq!(iso(1_680_430_269_123_000_000), "2023-04-02T10:11:09.123Z");
        assert_eq!(instant(1_680_430_269_123_000_000), "2023-04-02 10:11:09.123");
        assert_eq!(clock(1_680_430_269_000_000_000), "10:11:09");
        assert_eq!(iso(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(iso(i64::MIN), "1677-09-21T00:12:43.145224192Z");
    }
}
