//! What happens inside a sequence, for those who want to know why it was or was not found.

use crate::correlate::Member;
use crate::join_key::Key;
use std::sync::Arc;

/// Told of every step of a sequence rule's correlation, in the order in which it happens.
pub trait Trace {
    /// Something happened to the sequences of a key at a time in nanoseconds since 1970.
    fn step(&mut self, key: &Key, time: i64, step: Step);

    /// A threshold rule has counted an event in the group of a key, at a time in nanoseconds since 1970.
    fn counted(&mut self, _key: &Key, _time: i64, _counted: &Counted) {}

    /// A new terms rule has met values.
    fn remembered(&mut self, _key: &Key, _time: i64, _remembered: &Remembered) {}

    /// Whether it listens at all.
    fn listens(&self) -> bool {
        true
    }
}

/// Listens to nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTrace;

impl Trace for NoTrace {
    fn step(&mut self, _key: &Key, _time: i64, _step: Step) {}

    fn listens(&self) -> bool {
        false
    }
}

/// What a group of a threshold rule has counted with an event.
#[derive(Clone, Debug)]
pub struct Counted {
    /// The event.
    pub member: Arc<Member>,
    /// How many events the window holds, it included.
    pub count: u64,
    /// How many distinct values, by field.
    pub distinct: Vec<u64>,
    /// When the group was a detection, in nanoseconds since 1970, if it is quiet since then.
    pub quiet_since: Option<i64>,
    /// Whether it is one now.
    pub reached: bool,
}

/// What a new terms rule knows of values that an event has.
#[derive(Clone, Debug)]
pub struct Remembered {
    /// The event.
    pub member: Arc<Member>,
    /// When they were last seen, in nanoseconds since 1970.
    pub last: Option<i64>,
    /// Whether they are new.
    pub new: bool,
    /// Whether the rule is silent still, because it has not seen a whole history window.
    pub silent: bool,
}

/// What happened. Places count the events that must come, `runs` written out, from 0; gap n lies before place n.
#[derive(Clone, Debug)]
pub enum Step {
    /// A sequence waits now behind this place.
    Reached {
        /// The place of its last event.
        place: usize,
        /// Its events.
        events: Vec<Arc<Member>>,
    },
    /// A newer one took the place of these events.
    Replaced {
        /// The place of the last event.
        place: usize,
        /// The events that were forgotten.
        events: Vec<Arc<Member>>,
    },
    /// An event came for this place, but nothing waited for it.
    Nothing {
        /// The place.
        place: usize,
        /// The event.
        member: Arc<Member>,
    },
    /// An event came for this place that does not go with the events before it.
    Unlike {
        /// The place.
        place: usize,
        /// The event.
        member: Arc<Member>,
    },
    /// An event came for this place, but the first one was longer ago than `maxspan`: these events were forgotten.
    TooLong {
        /// The place.
        place: usize,
        /// The event.
        member: Arc<Member>,
        /// The events that had waited.
        events: Vec<Arc<Member>>,
    },
    /// `until` ended these events.
    Ended {
        /// The place of the last one.
        place: usize,
        /// The events.
        events: Vec<Arc<Member>>,
        /// The event of `until`.
        by: Arc<Member>,
    },
    /// Something came that must not come in this gap.
    Forbidden {
        /// The gap.
        gap: usize,
        /// The event.
        by: Arc<Member>,
    },
    /// Something had come before this place that must not: the sequence goes on and will be refuted.
    Between {
        /// The place.
        place: usize,
        /// When it came, in milliseconds since 1970.
        came: i64,
    },
    /// All steps were reached: it is found.
    Complete {
        /// The events.
        events: Vec<Arc<Member>>,
    },
    /// All steps were reached; it is found unless something comes that must not.
    Open {
        /// Until then, in milliseconds since 1970.
        until: i64,
        /// The events.
        events: Vec<Arc<Member>>,
    },
    /// All steps were reached, but something had come that must not.
    Refuted {
        /// When it came before the first event, in milliseconds since 1970; none if it came between.
        lead: Option<i64>,
        /// The events.
        events: Vec<Arc<Member>>,
    },
    /// Something came behind the last event that must not.
    RefutedBehind {
        /// The events.
        events: Vec<Arc<Member>>,
        /// What came.
        by: Arc<Member>,
    },
    /// Nothing came behind the last event that must not: it is found.
    Decided {
        /// The events.
        events: Vec<Arc<Member>>,
    },
    /// What a sequence waited for did not come: not within `maxspan`, or not before the input ended. Told when it is forgotten,
    /// some time after `maxspan` is over, or in the end.
    Left {
        /// The place of the last event.
        place: usize,
        /// The events that waited.
        events: Vec<Arc<Member>>,
    },
}
