//! When a rule runs and how far back it looks: `from`, `to`, `interval`, and the windows of rule types.
//!
//! Source: Elastic's "Detections API: create rule", and Elasticsearch's "Date math".

use crate::finding::Findings;
use crate::node::Node;
use crate::schema::shortened;
use quell_ir::{Code, Diagnostic};
use std::time::Duration;

/// What Kibana takes where a rule does not say it.
pub(crate) const DEFAULT_FROM: &str = "now-6m";
/// The same of how often it runs.
pub(crate) const DEFAULT_INTERVAL: &str = "5m";

/// When a rule runs in Kibana.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// How far back a run looks: `to` less `from`.
    pub look_back: Duration,
    /// How much time lies between runs.
    pub interval: Duration,
}

impl Default for Schedule {
    fn default() -> Self {
        Schedule { look_back: Duration::from_secs(6 * 60), interval: Duration::from_secs(5 * 60) }
    }
}

impl Schedule {
    /// The schedule of a rule object. What is not in its form is a finding where a rule of that type needs it (`counts`), and
    /// else as if it were not there.
    pub(crate) fn read(object: &Node, prefix: &str, counts: bool, findings: &mut Findings) -> Schedule {
        let mut ago = |name: &str, otherwise: Option<u64>| match object.get(name) {
            None => otherwise,
            Some(node) => {
                let seconds = node.text().and_then(seconds_ago);
                if seconds.is_none() && counts && node.text().is_some() {
                    findings.push(not_a_time_ago(node, &format!("{prefix}{name}")));
                }
                seconds
            }
        };
        let from = ago("from", seconds_ago(DEFAULT_FROM));
        let to = ago("to", Some(0));
        let interval = object.get("interval").and_then(Node::text);
        let interval = seconds(interval.unwrap_or(DEFAULT_INTERVAL), "smhd");
        let usual = Schedule::default();
        let look_back = from.zip(to).map(|(from, to)| from.saturating_sub(to));
        Schedule {
            look_back: look_back.map_or(usual.look_back, Duration::from_secs),
            interval: interval.map_or(usual.interval, Duration::from_secs),
        }
    }
}

/// The finding of a time that is not so long ago.
pub(crate) fn not_a_time_ago(node: &Node, name: &str) -> Diagnostic {
    let written = shortened(node.text().unwrap_or(""));
    Diagnostic::new(Code::RULE_FIELD_VALUE, format!("field `{name}` cannot be `{written}`"))
        .at(node.span)
        .help("write `now-` and a time: `now-9m`, `now-2h`, `now-7d`")
}

/// How many seconds `now-9m` is ago; `now` is none.
pub(crate) fn seconds_ago(text: &str) -> Option<u64> {
    if text == "now" { Some(0) } else { seconds(text.strip_prefix("now-")?, "smhHdw") }
}

/// The seconds of a whole number and a unit out of `units`.
pub(crate) fn seconds(text: &str, units: &str) -> Option<u64> {
    let unit = text.chars().next_back().filter(|unit| units.contains(*unit))?;
    let digits = text.strip_suffix(unit)?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let of_unit = match unit {
        's' => 1,
        'm' => 60,
        'h' | 'H' => 3_600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(of_unit)
}

#[cfg(test)]
mod tests {
    use super::seconds_ago;

    #[test]
    fn times_ago_are_a_number_and_a_unit() {
        let cases = [
            ("now", Some(0)),
            ("now-9m", Some(540)),
            ("now-7205s", Some(7205)),
            ("now-2h", Some(7200)),
            ("now-14d", Some(14 * 86_400)),
            ("now-1w", Some(7 * 86_400)),
            ("now-1d/d", None),
            ("now+1d", None),
            ("now-1M", None),
            ("now-m", None),
            ("9m", None),
            ("2024-05-01", None),
            ("now-99999999999999999999d", None),
        ];
        for (text, seconds) in cases {
            assert_eq!(seconds_ago(text), seconds, "{text}");
        }
    }
}
