//! What is read and how: the options that every command that reads logs shares.

use crate::arguments::General;
use crate::console::Console;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::units::parse_size;
use clap::builder::PossibleValuesParser;
use clap::{Args, ValueHint};
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use quell::{Loss, Report, ScanOptions, SpillError, WarningLog};
use std::path::PathBuf;

/// What to read.
#[derive(Args, Clone, Debug)]
pub struct InputPaths {
    /// Files, folders (with all that is in them), patterns such as 'logs/*.evtx', or - for standard input
    #[arg(required = true, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,
}

/// How to read it.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Input")]
pub struct InputOptions {
    /// Read every input as this format instead of looking at its content
    #[arg(long, value_name = "FORMAT", value_parser = PossibleValuesParser::new(quell::input_format_names()))]
    pub input_format: Option<String>,
    /// The time zone of times that name none: UTC, a name such as Europe/Berlin, or an offset such as +02:00
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = parse_zone)]
    pub timezone: TimeZone,
    /// Only events from this time on (RFC 3339, or a date)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub since: Option<Time>,
    /// Only events before this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub until: Option<Time>,
    /// End with exit code 2 if any record was lost, not only if a whole input was
    #[arg(long)]
    pub strict_input: bool,
    /// Memory for what rules matched; beyond it, it goes to a temporary file
    #[arg(long, value_name = "SIZE", default_value = "512M", value_parser = parse_size)]
    pub hit_memory: usize,
}

impl InputOptions {
    /// These options and the number of threads, as the library takes them.
    ///
    /// # Errors
    /// The period of `--since` and `--until` is empty, or a time cannot be represented.
    pub fn scan_options(&self, general: &General) -> Result<ScanOptions, Failure> {
        let resolve = |time: &Option<Time>| time.as_ref().map(|time| time.nanos(&self.timezone)).transpose();
        let (since, until) = (resolve(&self.since)?, resolve(&self.until)?);
        if let (Some(from), Some(to)) = (since, until)
            && from >= to
        {
            return Err(Failure::usage("--since is not before --until"));
        }
        Ok(ScanOptions {
            threads: usize::from(general.threads),
            input_format: self.input_format.clone(),
            timezone: self.timezone.clone(),
            since,
            until,
            hit_memory: self.hit_memory,
            ..ScanOptions::default()
        })
    }
}

/// What unread inputs and lost records mean for the exit code.
#[must_use]
pub fn exit_of(options: &InputOptions, warnings: &WarningLog) -> Exit {
    let lost = options.strict_input && warnings.total_of(Loss::Records) > 0;
    Exit::Success.or_if(lost || warnings.total_of(Loss::Input) > 0, Exit::Unusable)
}

/// Says what went wrong with hits that were moved to disk. Quiet or not: what is lost is said.
pub fn tell_spill_errors(console: &Console, report: &Report) {
    for error in &report.spill_errors {
        console.error(&error.to_string());
    }
}

/// Whether hits were lost on their way to the disk and back.
#[must_use]
pub fn lost_hits(report: &Report) -> bool {
    report.spill_errors.iter().any(|error| matches!(error, SpillError::Read(_)))
}

/// A point in time as it was given: with its offset, or on the clock of `--timezone`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Time {
    /// With an offset.
    Exact(Timestamp),
    /// Without.
    Clock(DateTime),
}

impl Time {
    fn nanos(&self, zone: &TimeZone) -> Result<i64, Failure> {
        let timestamp = match self {
            Time::Exact(time) => *time,
            Time::Clock(clock) => zone
                .to_timestamp(*clock)
                .map_err(|error| Failure::usage(format!("{clock} is no time in this time zone: {error}")))?,
        };
        i64::try_from(timestamp.as_nanosecond()).map_err(|_| {
            Failure::usage(format!("{timestamp} is too far from 1970: events lie between 1677 and 2262"))
        })
    }
}

fn parse_time(text: &str) -> Result<Time, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(Time::Exact(time));
    }
    if let Ok(clock) = text.parse::<DateTime>() {
        return Ok(Time::Clock(clock));
    }
    if let Ok(date) = text.parse::<Date>() {
        return Ok(Time::Clock(date.to_datetime(jiff::civil::Time::midnight())));
    }
    let relative = text.trim_start_matches(['-', '+']).parse::<SignedDuration>().is_ok()
        || (text.ends_with(['s', 'm', 'h', 'd', 'w'])
            && text.starts_with(|c: char| c.is_ascii_digit() || c == '-'))
        || text.contains("now")
        || text.contains("ago");
    Err(String::from(if relative {
        "logs have no `now`: name a date such as 2023-04-02, or a time such as 2023-04-02T10:11:09Z"
    } else {
        "expected a date such as 2023-04-02, or a time such as 2023-04-02T10:11:09Z"
    }))
}

fn parse_zone(text: &str) -> Result<TimeZone, String> {
    if text.eq_ignore_ascii_case("utc") || text == "Z" {
        return Ok(TimeZone::UTC);
    }
    if let Some(offset) = fixed_offset(text) {
        return Ok(TimeZone::fixed(offset));
    }
    TimeZone::get(text)
        .map_err(|_| String::from("expected UTC, a name such as Europe/Berlin, or an offset such as +02:00"))
}

/// `+02:00`, `-0530`, `+2`.
fn fixed_offset(text: &str) -> Option<jiff::tz::Offset> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+')?),
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some((hours, minutes)) => (hours, minutes),
        None => digits.split_at_checked(2).filter(|(_, rest)| !rest.is_empty()).unwrap_or((digits, "0")),
    };
    let number = |text: &str| text.parse::<i32>().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    if minutes > 59 || hours > 23 {
        return None;
    }
    jiff::tz::Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

#[cfg(test)]
mod tests {
    use super::{Time, parse_time, parse_zone};

    fn nanos(text: &str, zone: &str) -> i64 {
        parse_time(text).unwrap().nanos(&parse_zone(zone).unwrap()).unwrap() / 1_000_000_000
    }

    #[test]
    fn times_are_exact_or_on_the_clock_of_the_zone() {
        let cases = [
            ("2023-04-02T10:11:09Z", "UTC", 1_680_430_269),
            ("2023-04-02T12:11:09+02:00", "Europe/Berlin", 1_680_430_269),
            ("2023-04-02T10:11:09", "UTC", 1_680_430_269),
            ("2023-04-02 10:11:09", "+02:00", 1_680_423_069),
            ("2023-04-02T10:11", "-0530", 1_680_450_060),
            ("2023-04-02", "UTC", 1_680_393_600),
            ("2023-04-02", "Europe/Berlin", 1_680_386_400),
        ];
        for (text, zone, expected) in cases {
            assert_eq!(nanos(text, zone), expected, "{text} {zone}");
        }
        assert!(matches!(parse_time("2023-04-02"), Ok(Time::Clock(_))));
    }

    #[test]
    fn what_is_no_time_says_what_would_be() {
        for (text, part) in [
            ("7d", "no `now`"),
            ("24h", "no `now`"),
            ("now-1h", "no `now`"),
            ("", "expected"),
            ("x", "expected"),
        ] {
            let error = parse_time(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(parse_time("2023-04-31").is_err());
        assert!(parse_time("1500-01-01").unwrap().nanos(&jiff::tz::TimeZone::UTC).is_err());
    }

    #[test]
    fn zones_are_names_or_offsets() {
        for zone in ["UTC", "utc", "Z", "Europe/Berlin", "+02:00", "-0530", "+2"] {
            assert!(parse_zone(zone).is_ok(), "{zone}");
        }
        for zone in ["", "Mars/Olympus", "+", "+25:00", "+02:99", "+-2", "+1:2:3"] {
            assert!(parse_zone(zone).is_err(), "{zone}");
        }
    }
}
