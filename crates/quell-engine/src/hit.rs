//! Hits: that an event satisfies a step of a rule, and all that later stages need to know of the event.

use crate::compile::{MemberSlots, Reads, Step};
use crate::join_key::{self, Key};
use crate::residual::{Captured, Facts, owned};
use quell_event::{Event, RecordRef, RecordText, Slot};
use quell_ir::value::Number;
use quell_ir::{Datum, Value};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::cmp::Ordering;
use std::fmt::Write as _;
use std::sync::Arc;

/// An event that satisfies a step of a rule.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hit {
    /// The rule's number in the engine.
    pub rule: u32,
    /// The step of the rule as it is written, from 0; an event rule has one, `until` comes behind the last.
    pub step: u16,
    /// The join keys that the event has for the step, in ascending order; an event rule has none.
    pub keys: Box<[Key]>,
    /// The event's time, in nanoseconds since 1970; of several values the first. None if it has none that is a date.
    pub time: Option<i64>,
    /// The value of the rule's tiebreaker field, if it has one.
    pub tiebreaker: Option<Box<Tiebreaker>>,
    /// The record's place in the log of its host, if it says so.
    pub series: Option<Series>,
    /// The event's identity.
    pub member: MemberId,
    /// The values of the fields that the rule's later stages read: those that alerts are suppressed by.
    pub captures: Box<[Vec<Value>]>,
    /// What decides whether the condition holds, where matching could not: see [`Engine::decide`]. None where it did.
    ///
    /// [`Engine::decide`]: crate::Engine::decide
    pub facts: Option<Arc<Facts>>,
    /// What later steps read of the event, if they read any of it.
    pub aliased: Option<Arc<[Captured]>>,
    /// The number of the exception that covers the event, so that the hit is none. Such hits are made only where
    /// [`EngineOptions::show_held`] asks for them, and no correlation takes them.
    ///
    /// [`EngineOptions::show_held`]: crate::EngineOptions::show_held
    pub held_by: Option<u32>,
    /// How to have the record again.
    pub record: RecordRef,
}

impl Hit {
    /// About how many bytes it holds, in a list that grows by doubling.
    pub(crate) fn bytes(&self) -> usize {
        let text = if let RecordText::Owned(text) = &self.record.text { text.len() } else { 0 };
        let keys = self.keys.iter().map(|key| size_of::<Key>() + join_key::bytes(key)).sum::<usize>();
        let captured = self.captures.iter().map(|values| join_key::bytes(values)).sum::<usize>();
        let facts = self.facts.as_ref().map_or(0, |facts| facts.bytes());
        size_of::<Hit>()
            + self.member.as_str().len()
            + text
            + keys
            + captured
            + facts
            + aliased_bytes(&self.aliased)
    }
}

/// About how many bytes is kept of an event for later steps.
pub(crate) fn aliased_bytes(aliased: &Option<Arc<[Captured]>>) -> usize {
    aliased.as_deref().into_iter().flatten().map(Captured::bytes).sum()
}

/// The identity of an event: its `_id`, else its `event.id`, else a hash of its record's text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MemberId(Arc<str>);

impl MemberId {
    /// The identity as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The identity of the n-th event, from 1, that has this one: records that are equal to the last byte are told apart
    /// by how often they came.
    pub(crate) fn repeated(&self, n: usize) -> MemberId {
        if n == 1 { self.clone() } else { MemberId(format!("{}#{n}", self.0).into()) }
    }
}

impl From<&str> for MemberId {
    fn from(text: &str) -> Self {
        MemberId(text.into())
    }
}

/// A record's place in one log of one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Series {
    /// A hash of host and channel.
    pub origin: u64,
    /// The record's number in that log.
    pub number: u64,
}

/// What orders events of equal time. Numbers come before texts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Tiebreaker {
    /// A number, never NaN.
    Number(Number),
    /// A text.
    Text(Arc<str>),
}

impl Tiebreaker {
    fn of(datum: Datum<'_>) -> Option<Tiebreaker> {
        match datum {
            Datum::Null => None,
            Datum::Text(text) => Some(Tiebreaker::Text(text.into())),
            Datum::Boolean(b) => Some(Tiebreaker::Text(b.to_string().into())),
            Datum::Float(n) if n.is_nan() => None,
            Datum::Integer(_) | Datum::Unsigned(_) | Datum::Float(_) => {
                datum.as_number().map(Tiebreaker::Number)
            }
        }
    }
}

impl PartialEq for Tiebreaker {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Tiebreaker {}

impl PartialOrd for Tiebreaker {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Tiebreaker {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Tiebreaker::Number(a), Tiebreaker::Number(b)) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
            (Tiebreaker::Text(a), Tiebreaker::Text(b)) => a.cmp(b),
            (Tiebreaker::Number(_), Tiebreaker::Text(_)) => Ordering::Less,
            (Tiebreaker::Text(_), Tiebreaker::Number(_)) => Ordering::Greater,
        }
    }
}

/// What all hits of one event have in common, worked out at its first hit.
#[derive(Clone, Debug)]
pub(crate) struct EventFacts {
    member: MemberId,
    series: Option<Series>,
    record: RecordRef,
}

impl EventFacts {
    pub(crate) fn new(event: &mut Event<'_>, slots: &MemberSlots, record: RecordRef) -> EventFacts {
        EventFacts { member: member(event, slots), series: series(event, slots), record }
    }

    pub(crate) fn hit(
        &self,
        step: &Step,
        keys: Box<[Key]>,
        facts: Option<Facts>,
        reads: &Reads,
        event: &mut Event<'_>,
    ) -> Hit {
        let captured = |slot: &Slot| event.values(*slot).iter().filter_map(owned).collect();
        let captures = reads.captures.iter().map(captured).collect();
        let aliased = step.aliased.iter().map(|field| field.captured(event)).collect();
        Hit {
            rule: step.rule,
            step: step.number,
            keys,
            time: reads.time_of(event),
            tiebreaker: reads
                .tiebreaker
                .and_then(|slot| Tiebreaker::of(event.values(slot).first()).map(Box::new)),
            series: self.series,
            member: self.member.clone(),
            captures,
            facts: facts.map(Arc::new),
            aliased: if step.aliased.is_empty() { None } else { Some(aliased) },
            held_by: None,
            record: self.record.clone(),
        }
    }
}

pub(crate) fn member(event: &mut Event<'_>, slots: &MemberSlots) -> MemberId {
    for slot in [slots.id, slots.event_id] {
        if let Datum::Text(id) = event.values(slot).first()
            && !id.is_empty()
        {
            return MemberId(id.into());
        }
    }
    MemberId(hex(&Sha256::digest(event.record().as_bytes()), 16).into())
}

fn series(event: &mut Event<'_>, slots: &MemberSlots) -> Option<Series> {
    let number = match event.values(slots.record_number).first() {
        Datum::Integer(n) => u64::try_from(n).ok()?,
        Datum::Unsigned(n) => n,
        Datum::Text(text) => text.parse().ok()?,
        _ => return None,
    };
    for slot in [slots.host, slots.computer, slots.channel] {
        event.prepare(slot);
    }
    let text = |slot| event.prepared(slot).first().as_text().filter(|text| !text.is_empty());
    let host = text(slots.host).or(text(slots.computer))?;
    let channel = text(slots.channel)?;
    let mut hash = Sha256::new();
    // Recorders differ in the case of both.
    for part in [host, channel] {
        hash.update(part.to_lowercase().as_bytes());
        hash.update([0]);
    }
    let origin = u64::from_le_bytes(*hash.finalize().first_chunk()?);
    Some(Series { origin, number })
}

/// The first `bytes` bytes as hexadecimal digits.
pub(crate) fn hex(digest: &[u8], bytes: usize) -> String {
    let mut text = String::with_capacity(bytes * 2);
    for byte in digest.iter().take(bytes) {
        _ = write!(text, "{byte:02x}"); // writing to a string cannot fail
    }
    text
}

#[cfg(test)]
mod tests {
    use super::Tiebreaker;
    use quell_ir::Datum;

    #[test]
    fn tiebreakers_are_in_one_order() {
        let ordered = [
            Datum::Integer(-1),
            Datum::Float(0.5),
            Datum::Integer(2),
            Datum::Unsigned(u64::MAX),
            Datum::Text("10"),
            Datum::Text("9"),
            Datum::Boolean(true),
        ];
        let keys: Vec<Tiebreaker> = ordered.iter().filter_map(|datum| Tiebreaker::of(*datum)).collect();
        assert_eq!(keys.len(), ordered.len());
        assert!(keys.is_sorted());
        assert!(Tiebreaker::of(Datum::Null).is_none());
    }
}
