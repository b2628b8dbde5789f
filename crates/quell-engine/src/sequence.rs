//! Sequences: the events of one key, one after the other.
//!
//! Source: Elasticsearch's "EQL syntax reference", "Sequences" and "Missing events", and what its matcher does. Of every
//! key each step but the last has a slot for one pending sequence, whose last event it matched. An event moves what waits
//! in the slot before its step on, and the newest start wins: what it finds in its own slot is replaced. Steps are tried
//! from the last to the first, so that no event follows itself. Steps that must not come (`![…]`) are looked at when the
//! others are complete.

use crate::hit::Hit;
use crate::join_key::Key;
use quell_ir::logic;
use rustc_hash::FxHashMap;
use std::ops::Range;

/// A compiled sequence.
#[derive(Debug)]
pub(crate) struct SequencePlan {
    /// The longest time from the first event to the last, in nanoseconds.
    maxspan: Option<i64>,
    /// What hits of each written step are; `until` comes behind the steps.
    roles: Vec<Role>,
    /// The steps of a result, `runs` written out: whether each must come.
    positive: Vec<bool>,
    /// How many of them must.
    places: usize,
}

/// What the hits of a written step are to the sequence.
#[derive(Clone, Debug)]
enum Role {
    /// Events at these places among the steps that must come; several with `runs`.
    Places(Range<usize>),
    /// Events that must not come behind that many steps.
    Missing(usize),
    /// The end of what is pending.
    Until,
}

/// The hits of one event on the steps of one rule, in the order of the steps; never none.
#[derive(Clone, Debug)]
pub(crate) struct Occurrence {
    pub(crate) hits: Vec<Hit>,
}

/// Events that belong together, as numbers of occurrences.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Joined {
    pub(crate) key: Key,
    /// One for each step, `None` for one that must not come.
    pub(crate) members: Vec<Option<usize>>,
}

impl SequencePlan {
    pub(crate) fn new(sequence: &logic::Sequence) -> SequencePlan {
        let maxspan = sequence.maxspan.map(|span| i64::try_from(span.as_nanos()).unwrap_or(i64::MAX));
        let mut plan = SequencePlan { maxspan, roles: Vec::new(), positive: Vec::new(), places: 0 };
        for step in &sequence.steps {
            let runs = step.runs as usize;
            plan.positive.extend(std::iter::repeat_n(!step.missing, runs));
            if step.missing {
                plan.roles.push(Role::Missing(plan.places));
            } else {
                plan.roles.push(Role::Places(plan.places..plan.places + runs));
                plan.places += runs;
            }
        }
        plan.roles.extend(sequence.until.iter().map(|_| Role::Until));
        plan
    }

    /// The sequences among the occurrences, which are in ascending order. They come in the order of their last events, and
    /// those with the same one in the order of their keys. An occurrence without a time takes no part.
    pub(crate) fn join(&self, occurrences: &[Occurrence]) -> Vec<Joined> {
        let mut run = Run {
            plan: self,
            keys: KeyNumbers::default(),
            slots: FxHashMap::default(),
            until: FxHashMap::default(),
            forbidden: FxHashMap::default(),
            completed: Vec::new(),
        };
        for (number, occurrence) in occurrences.iter().enumerate() {
            let Some(time) = occurrence.hits.first().and_then(|hit| hit.time) else { continue };
            run.event(number, time, &occurrence.hits);
        }
        run.finish(occurrences)
    }

    /// Whether there is a step behind that many others that must not come.
    fn watches(&self, gap: usize) -> bool {
        self.roles.iter().any(|role| matches!(role, Role::Missing(at) if *at == gap))
    }

    /// The events at their steps.
    fn members(&self, events: &[usize]) -> Vec<Option<usize>> {
        let mut events = events.iter().copied();
        self.positive.iter().map(|positive| if *positive { events.next() } else { None }).collect()
    }
}

/// A number for each key.
#[derive(Default)]
struct KeyNumbers<'h> {
    numbers: FxHashMap<&'h Key, u32>,
    keys: Vec<&'h Key>,
}

impl<'h> KeyNumbers<'h> {
    fn of(&mut self, key: &'h Key) -> u32 {
        // 2^32 keys would not fit in memory.
        let next = u32::try_from(self.keys.len()).unwrap_or(u32::MAX);
        let number = *self.numbers.entry(key).or_insert(next);
        if number == next {
            self.keys.push(key);
        }
        number
    }
}

/// Events that still wait for others.
#[derive(Debug)]
struct Pending {
    /// The time of the first, in nanoseconds.
    began: i64,
    events: Vec<usize>,
}

struct Run<'p, 'h> {
    plan: &'p SequencePlan,
    keys: KeyNumbers<'h>,
    /// By key and by the place of the last event.
    slots: FxHashMap<(u32, usize), Pending>,
    /// The latest event of each key that ends what is pending.
    until: FxHashMap<u32, usize>,
    /// Of each key and each gap between places, the times of events that must not come there, in whole milliseconds.
    forbidden: FxHashMap<(u32, usize), Vec<i64>>,
    completed: Vec<(u32, Vec<usize>)>,
}

impl<'h> Run<'_, 'h> {
    fn event(&mut self, number: usize, time: i64, hits: &'h [Hit]) {
        let plan = self.plan;
        let roles = |hit: &'h Hit| Some((plan.roles.get(usize::from(hit.step))?, hit.keys.iter()));
        for (role, keys) in hits.iter().rev().filter_map(roles) {
            for key in keys {
                let key = self.keys.of(key);
                match role {
                    Role::Places(places) => {
                        places.clone().rev().for_each(|place| self.step(key, place, number, time));
                    }
                    Role::Missing(gap) => {
                        self.forbidden.entry((key, *gap)).or_default().push(milliseconds(time));
                    }
                    Role::Until => {}
                }
            }
        }
        // It ends what this very event began or moved on, but not what it completed.
        for (_, keys) in hits.iter().filter_map(roles).filter(|(role, _)| matches!(role, Role::Until)) {
            for key in keys {
                let key = self.keys.of(key);
                self.until.insert(key, number);
            }
        }
    }

    fn step(&mut self, key: u32, place: usize, number: usize, time: i64) {
        let mut pending = Pending { began: time, events: Vec::new() };
        if let Some(before) = place.checked_sub(1) {
            // It is used up, whatever comes of it.
            let Some(found) = self.slots.remove(&(key, before)) else { return };
            let span = time.saturating_sub(found.began);
            let ended = self.until.get(&key).is_some_and(|until| found.events.last() <= Some(until));
            if self.plan.maxspan.is_some_and(|most| span > most) || ended {
                return;
            }
            pending = found;
        }
        pending.events.push(number);
        if place + 1 == self.plan.places {
            self.completed.push((key, pending.events));
        } else {
            self.slots.insert((key, place), pending);
        }
    }

    /// What is complete, less what an event refutes that must not come.
    fn finish(self, occurrences: &[Occurrence]) -> Vec<Joined> {
        let time = |number: usize| occurrences.get(number).and_then(|one| one.hits.first()?.time);
        let mut joined = Vec::new();
        for (key, events) in &self.completed {
            let times: Option<Vec<i64>> =
                events.iter().map(|number| time(*number).map(milliseconds)).collect();
            let Some(key_values) = self.keys.keys.get(*key as usize) else { continue };
            if times.is_some_and(|times| self.stands(*key, &times)) {
                joined.push(Joined { key: Key::clone(key_values), members: self.plan.members(events) });
            }
        }
        joined
    }

    /// Whether nothing came that must not come: in the middle at all, before and behind within a window of `maxspan` that
    /// holds the events. `times` are the events', in whole milliseconds.
    fn stands(&self, key: u32, times: &[i64]) -> bool {
        let (Some(first), Some(last)) = (times.first(), times.last()) else { return false };
        let forbidden = |gap: usize| self.forbidden.get(&(key, gap)).map_or(&[][..], Vec::as_slice);
        let mut pairs = (1..).zip(times.iter().zip(times.iter().skip(1)));
        let refuted = pairs.any(|(gap, (before, after))| {
            let next = next_behind(forbidden(gap), *before);
            next.is_some_and(|next| next < *after)
        });
        // A gap that the sequence does not watch has no events.
        let before = forbidden(0);
        let lead = before.get(..before.partition_point(|time| time < first)).and_then(<[i64]>::last);
        let trail = next_behind(forbidden(times.len()), *last);
        let longer = |from: i64, to: i64| {
            self.plan.maxspan.is_none_or(|most| to.saturating_sub(from) > milliseconds(most))
        };
        !refuted
            && match (lead, trail) {
                (None, None) => true,
                // With both ends watched, an end without such an event leaves the window all the room it needs.
                (Some(_), None) if self.plan.watches(times.len()) => true,
                (None, Some(_)) if self.plan.watches(0) => true,
                (Some(lead), None) => longer(*lead, *last),
                (None, Some(trail)) => longer(*first, trail),
                (Some(lead), Some(trail)) => longer(*lead, trail),
            }
    }
}

/// The first time behind `time`.
fn next_behind(times: &[i64], time: i64) -> Option<i64> {
    times.get(times.partition_point(|other| *other <= time)).copied()
}

/// The whole milliseconds of a time in nanoseconds.
fn milliseconds(nanoseconds: i64) -> i64 {
    nanoseconds.div_euclid(1_000_000)
}
