//! What an explanation says in words: of a step of a story, of a part of a rule, of a key.

use crate::story::{Line, What};
use crate::units::{clock, counted, instant, interval};
use quell::{Constant, Explain, KeptOut, Part, PartCounts, PartKind};

/// What a story is told with.
#[derive(Clone, Copy)]
pub struct Words<'e> {
    pub explain: &'e Explain,
    /// The time of the last event that was read, in nanoseconds since 1970.
    pub end: Option<i64>,
}

impl Words<'_> {
    /// The number of a part among all: `2`; `until` for that.
    pub fn number(&self, part: usize) -> String {
        match self.explain.parts().get(part).map(|part| part.kind) {
            Some(PartKind::Until) => String::from("until"),
            _ => (part + 1).to_string(),
        }
    }

    /// `step 2`, or `step 2 (3 of 5)` where it must come several times.
    pub fn step(&self, place: usize) -> String {
        let part = self.explain.part_of_place(place);
        let runs = self.explain.parts().get(part).map_or(1, |part| part.runs);
        let first = (0..place).rev().take_while(|other| self.explain.part_of_place(*other) == part).count();
        if runs > 1 {
            format!("step {} ({} of {runs})", part + 1, first + 1)
        } else {
            format!("step {}", part + 1)
        }
    }

    /// The number of the part that a line is about.
    pub fn part(&self, what: &What) -> usize {
        let last = self.explain.places().saturating_sub(1);
        match what {
            What::Reached { place, .. }
            | What::Nothing { place }
            | What::Unlike { place }
            | What::TooLong { place, .. }
            | What::Between { place, .. } => self.explain.part_of_place(*place),
            What::Left { place, .. } => self.explain.part_of_place(place + 1),
            What::Forbidden { gap } => self.explain.part_of_gap(*gap),
            What::RefutedBehind | What::Decided => self.explain.part_of_gap(self.explain.places()),
            What::Complete | What::Open { .. } | What::Refuted { .. } => self.explain.part_of_place(last),
            What::Ended { .. } => self.explain.parts().len().saturating_sub(1),
            What::Counted { .. } | What::Remembered { .. } => 0,
        }
    }

    /// What happened.
    pub fn line(&self, line: &Line) -> String {
        let told = match (&line.what, self.end) {
            (What::Decided, Some(end)) if line.time > end => {
                format!("nothing came until the log ended at {}: complete", clock(end))
            }
            (what, _) => self.what(what),
        };
        if line.count > 1 {
            format!("{told} ({} times since {})", crate::units::count(line.count), clock(line.since))
        } else {
            told
        }
    }

    fn what(&self, what: &What) -> String {
        let last = self.explain.places().saturating_sub(1);
        let maxspan = self.maxspan();
        let span = maxspan.map(interval).unwrap_or_default();
        match what {
            What::Reached { place, replaces: None } => format!("{} reached", self.step(*place)),
            What::Reached { place, replaces: Some(since) } => {
                format!("{} reached; replaces the one of {}", self.step(*place), clock(*since))
            }
            What::Nothing { place } => format!("{} came, but nothing waited for it", self.step(*place)),
            What::Unlike { place } => {
                format!("{} came, but does not go with the events before it", self.step(*place))
            }
            What::TooLong { place, after } => format!(
                "{} came {} after the first event: maxspan is {span}",
                self.step(*place),
                interval(*after)
            ),
            What::Ended { place, since } => {
                format!("until: ends what waited for {} since {}", self.step(place + 1), clock(*since))
            }
            What::Forbidden { gap } if *gap < self.explain.places() => {
                format!("must not come before {}: noted", self.step(*gap))
            }
            What::Forbidden { .. } => String::from("must not come behind the last step: noted"),
            What::Between { place, came } => format!(
                "an event that must not come before {} came at {}: will be refuted",
                self.step(*place),
                clock(nanoseconds(*came))
            ),
            What::Complete => format!("{} reached: complete", self.step(last)),
            What::Open { until } => format!(
                "{} reached: complete unless step {} comes by {}",
                self.step(last),
                self.explain.part_of_gap(self.explain.places()) + 1,
                clock(nanoseconds(*until))
            ),
            What::Refuted { lead: Some(lead) } => format!(
                "{} reached, but refuted: an event that must not come before {} came at {}",
                self.step(last),
                self.step(0),
                clock(nanoseconds(*lead))
            ),
            What::Refuted { lead: None } => {
                format!("{} reached, but refuted: an event came between that must not", self.step(last))
            }
            What::RefutedBehind => String::from("came behind the last step: refuted"),
            What::Decided => String::from("nothing came until then: complete"),
            What::Left { place, since, began } => self.left(*place, *since, *began),
            What::Counted { count, distinct, quiet_since, reached } => {
                let end = match (reached, quiet_since) {
                    (true, _) => String::from(": an alert"),
                    (false, Some(since)) => format!("; quiet since {}", clock(*since)),
                    (false, None) => String::new(),
                };
                format!("{}{end}", self.counted(*count, distinct))
            }
            What::Remembered { last, new, silent } => {
                let history = self.explain.history().map(span_words).unwrap_or_default();
                let seen = match (last, new) {
                    (None, _) => String::from("never seen before"),
                    (Some(last), true) => format!("last seen at {}, more than {history} ago", instant(*last)),
                    (Some(last), false) => format!("seen at {}", instant(*last)),
                };
                match (new, silent) {
                    (true, true) => format!("{seen}: new, but the first {history} are silent (--no-warm-up)"),
                    (true, false) => format!("{seen}: new, an alert"),
                    (false, _) => format!("{seen}: not new"),
                }
            }
        }
    }

    /// `2 of 3 events, 1 of 2 values of user.name`
    fn counted(&self, count: u64, distinct: &[u64]) -> String {
        let Some(threshold) = self.explain.threshold() else { return String::new() };
        let of_fields = threshold.cardinality.iter().zip(distinct);
        let values =
            of_fields.map(|(asked, n)| format!(", {n} of {} values of {}", asked.value, asked.field.path));
        let count = crate::units::count(count);
        format!("{count} of {}{}", counted(threshold.value, "event", "events"), values.collect::<String>())
    }

    fn left(&self, place: usize, since: i64, began: i64) -> String {
        let next = self.step(place + 1);
        let deadline = self.maxspan().map(|maxspan| began.saturating_add(maxspan));
        match (deadline, self.end) {
            (Some(deadline), Some(end)) if deadline < end => {
                format!("{next} did not come until {}, when maxspan was over", clock(deadline))
            }
            (_, Some(end)) => {
                format!("waits for {next}; the log ends {} later", interval(end.saturating_sub(since)))
            }
            _ => format!("waits for {next}"),
        }
    }

    /// In nanoseconds.
    fn maxspan(&self) -> Option<i64> {
        self.explain.maxspan().map(|span| i64::try_from(span.as_nanos()).unwrap_or(i64::MAX))
    }

    /// When it happened, for people; what is left over happened in the end.
    pub fn when(&self, line: &Line) -> String {
        match &line.what {
            What::Left { .. } => String::from("in the end"),
            What::Decided if self.end.is_some_and(|end| line.time > end) => String::from("in the end"),
            _ => instant(line.time),
        }
    }

    /// The fields by which events are joined, with the values of a key.
    pub fn key(&self, key: &[Constant]) -> String {
        let fields = self.explain.join_fields();
        if fields.is_empty() {
            return String::from("all events");
        }
        let pair = |(names, value): (&Vec<std::sync::Arc<str>>, &Constant)| {
            format!("{} = {}", names.join(" / "), value_text(value))
        };
        fields.iter().zip(key).map(pair).collect::<Vec<_>>().join(", ")
    }
}

/// A span of time for people.
pub fn span_words(span: std::time::Duration) -> String {
    interval(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX))
}

/// A value as it is shown.
pub fn value_text(value: &Constant) -> String {
    match value {
        Constant::Null => String::from("null"),
        Constant::Boolean(b) => b.to_string(),
        Constant::Integer(n) => n.to_string(),
        Constant::Unsigned(n) => n.to_string(),
        Constant::Float(n) => n.to_string(),
        Constant::Text(text) => text.to_string(),
    }
}

/// The values of a key, one after the other.
pub fn key_text(key: &[Constant]) -> String {
    key.iter().map(value_text).collect::<Vec<_>>().join(", ")
}

/// What came to a part.
pub fn counts(part: &Part, counts: &PartCounts) -> String {
    let mut told = vec![counted(counts.matched, "event", "events")];
    if part.kind == PartKind::Step {
        told.push(format!("{} came here", counted(counts.reached, "sequence", "sequences")));
    }
    let more = [
        (counts.replaced, "replaced by newer ones"),
        (counts.ended, "ended by until"),
        (counts.left, "waited in vain"),
        (counts.nothing, "found nothing that waited"),
        (counts.unlike, "did not go with the events before"),
        (counts.too_long, "too late for maxspan"),
    ];
    let more = more.iter().filter(|(n, _)| *n > 0);
    told.extend(more.map(|(n, words)| format!("{} {words}", crate::units::count(*n))));
    told.join(", ")
}

/// Why an event takes no part whatever the condition says.
pub fn kept_out(why: &KeptOut) -> String {
    let words = match why {
        KeptOut::Index => {
            "the rule's index patterns match none of the event's index names (--any-index ignores them)"
        }
        KeptOut::System => "the rule is for other operating systems",
        KeptOut::Time => "the event has no time",
        KeptOut::Key => "the event has no value for a join field",
        KeptOut::Exception(name) => return format!("the exception `{name}` covers the event"),
    };
    words.to_owned()
}

fn nanoseconds(milliseconds: i64) -> i64 {
    milliseconds.saturating_mul(1_000_000)
}
