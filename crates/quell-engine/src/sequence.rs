//! Sequences: the events of one key, one after the other.
//!
//! Source: Elasticsearch's "EQL syntax reference", "Sequences" and "Missing events", and what its matcher does. Of every
//! key each step but the last has a slot for one pending sequence, whose last event it matched. An event moves what waits
//! in the slot before its step on, and the newest start wins: what it finds in its own slot is replaced. Steps are tried
//! from the last to the first, so that no event follows itself. In the Endgame dialect `until` is looked at before them, and where a
//! step forks, what waited for it stays. What must not come (`![…]`) is noted as it comes; only behind the
//! last step has a sequence to wait for it.
//!
//! Events come in ascending order, one by one, and nothing is looked at twice: so the same code serves files and streams,
//! and what has not ended within `maxspan` can be forgotten.

use crate::correlate::{Detection, Member};
use crate::hit::Hit;
use crate::join_key::{ALLOCATION, Key, compare_keys};
use crate::residual::Tie;
use crate::slot::{self, Pending, Slot, events_bytes};
use crate::trace::{Step, Trace};
use quell_ir::logic;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

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
    /// Of each place, whether what goes on to it stays where it was too (`fork`).
    forks: Vec<bool>,
    /// Whether `until` is looked at before the steps.
    until_first: bool,
    /// Of each gap, before the first place to behind the last, whether something must not come there.
    watched: Vec<bool>,
    /// Of each place, what a later step ties to an event up to there. Sequences that differ in it are apart, like those of
    /// different keys.
    ties: Vec<Vec<Tied>>,
}

/// A tie of a step to an event before it.
#[derive(Clone, Debug)]
struct Tied {
    /// The step.
    step: u16,
    /// The event's place.
    to: usize,
    tie: Tie,
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

impl SequencePlan {
    pub(crate) fn new(sequence: &logic::Sequence) -> SequencePlan {
        let maxspan = sequence.maxspan.map(|span| i64::try_from(span.as_nanos()).unwrap_or(i64::MAX));
        let (mut roles, mut positive, mut places) = (Vec::new(), Vec::new(), 0);
        let mut forks = Vec::new();
        for step in &sequence.steps {
            let runs = step.runs as usize;
            positive.extend(std::iter::repeat_n(!step.missing, runs));
            if step.missing {
                roles.push(Role::Missing(places));
            } else {
                roles.push(Role::Places(places..places + runs));
                forks.extend(std::iter::repeat_n(step.fork, runs));
                places += runs;
            }
        }
        roles.extend(sequence.until.iter().map(|_| Role::Until));
        let watches = |gap| roles.iter().any(|role| matches!(role, Role::Missing(at) if *at == gap));
        let watched = (0..=places).map(watches).collect();
        let until_first = sequence.until_first;
        let ties = vec![Vec::new(); places];
        SequencePlan { maxspan, roles, positive, places, forks, until_first, watched, ties }
    }

    /// Notes what a step ties to the events of earlier ones.
    pub(crate) fn tie(&mut self, step: u16, ties: &[Tie]) {
        let Some(Role::Places(own)) = self.roles.get(usize::from(step)).cloned() else { return };
        for tie in ties {
            let Some(earlier) = self.place_of(tie.step) else { continue };
            for at in self.ties.iter_mut().take(own.start).skip(earlier) {
                at.push(Tied { step, to: earlier, tie: tie.clone() });
            }
        }
    }

    /// Whether something must not come behind that many steps.
    fn watches(&self, gap: usize) -> bool {
        self.watched.get(gap).copied().unwrap_or(false)
    }

    /// Whether what goes on to a place stays where it was too.
    fn forks(&self, place: usize) -> bool {
        self.forks.get(place).copied().unwrap_or(false)
    }

    /// Whether a sequence that began then is too old at `now`.
    fn too_long(&self, began: i64, now: i64) -> bool {
        self.maxspan.is_some_and(|most| now.saturating_sub(began) > most)
    }

    /// The place of the event of a written step; of several the last.
    pub(crate) fn place_of(&self, step: u16) -> Option<usize> {
        match self.roles.get(usize::from(step))? {
            Role::Places(places) => places.end.checked_sub(1),
            Role::Missing(_) | Role::Until => None,
        }
    }

    /// What is tied to the events of a sequence that waits behind a place.
    fn ties(&self, place: usize) -> &[Tied] {
        self.ties.get(place).map_or(&[], Vec::as_slice)
    }

    /// The values of that.
    fn tied(&self, place: usize, events: &[Arc<Member>]) -> slot::Tied {
        let values = |tied: &Tied| {
            events
                .get(tied.to)
                .and_then(|event| event.aliased.as_deref())
                .map(|aliased| tied.tie.earlier_keys(aliased))
        };
        self.ties(place).iter().map(|tie| values(tie).unwrap_or_default()).collect()
    }

    /// The tie of a hit's step by which what waits behind a place is found, and its place among the ties there.
    fn found_by(&self, place: usize, step: u16) -> Option<(usize, &Tie)> {
        let own = self.ties(place).iter().enumerate().find(|(_, tied)| tied.step == step);
        own.map(|(at, tied)| (at, &tied.tie))
    }

    /// The written step of a place.
    fn step_of(&self, place: usize) -> Option<u16> {
        let of = |role: &Role| matches!(role, Role::Places(places) if places.contains(&place));
        u16::try_from(self.roles.iter().position(of)?).ok()
    }

    /// An empty slot behind a place.
    fn slot(&self, place: usize) -> Slot {
        let ties = self.ties(place).len();
        if ties == 0 {
            return Slot::new(0, None);
        }
        let found_by = self.step_of(place + 1).and_then(|next| self.found_by(place, next));
        Slot::new(ties, found_by.map(|(at, _)| at))
    }

    /// The events at their steps.
    fn members(&self, events: Vec<Arc<Member>>) -> Vec<Option<Member>> {
        let mut events = events.into_iter().map(Arc::unwrap_or_clone);
        self.positive.iter().map(|positive| if *positive { events.next() } else { None }).collect()
    }
}

/// All that one sequence rule has pending.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct SequenceState {
    lanes: FxHashMap<Key, Lane>,
    /// How many lanes were left when they were last swept.
    swept: usize,
    /// Complete sequences in the order of their last events; those behind an undecided one wait for it.
    complete: VecDeque<Complete>,
    /// How many complete ones left the queue: the number of its front.
    gone: u64,
    /// The bytes that it holds, about.
    bytes: usize,
}

/// What is pending for one key.
#[derive(Debug, Serialize, Deserialize)]
struct Lane {
    /// By the place of the last event.
    slots: Vec<Slot>,
    /// By gap, what must not come there; empty if nothing is watched.
    marks: Vec<Option<Mark>>,
    /// The numbers of complete ones that something behind them can still refute.
    waiting: Vec<u64>,
}

/// The last two times at which something came that must not, in whole milliseconds: events of equal time do not count.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Mark {
    latest: i64,
    earlier: Option<i64>,
}

impl Mark {
    /// The latest time, in nanoseconds.
    fn nanoseconds(self) -> i64 {
        self.latest.saturating_mul(1_000_000)
    }

    fn before(self, time: i64) -> Option<i64> {
        if self.latest < time { Some(self.latest) } else { self.earlier }
    }
}

/// What becomes of what waits and an event that goes with it.
enum Moved {
    /// It is too late.
    Dropped,
    On(Pending),
}

/// A complete sequence.
#[derive(Debug, Serialize, Deserialize)]
struct Complete {
    key: Key,
    events: Vec<Arc<Member>>,
    verdict: Verdict,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Verdict {
    /// Something may come until then that must not, in whole milliseconds.
    Open(i64),
    Stands,
    Refuted,
}

/// When a complete sequence is decided, unless something refutes it before.
pub(crate) struct Due {
    /// In whole milliseconds; decided by the first event behind it.
    pub(crate) at: i64,
    /// Its number.
    pub(crate) number: u64,
}

/// What a sequence asks of the rest of the correlator.
pub(crate) struct Around<'a> {
    /// Whether what was left open when the event was matched holds, given the events before it.
    pub(crate) holds: &'a dyn Fn(&Hit, &[Arc<Member>]) -> bool,
    /// Told of everything that happens.
    pub(crate) trace: &'a mut dyn Trace,
    /// Whether anybody listens.
    pub(crate) traced: bool,
}

impl Around<'_> {
    fn tell(&mut self, key: &Key, time: i64, step: impl FnOnce() -> Step) {
        if self.traced {
            self.trace.step(key, time, step());
        }
    }
}

impl SequenceState {
    /// Takes the hits of one event, in the order of steps. Gives what is decided and waits for nothing to `found`, and what is
    /// decided later to `due`.
    pub(crate) fn event(
        &mut self,
        plan: &SequencePlan,
        time: i64,
        hits: &[Hit],
        member: &Arc<Member>,
        around: &mut Around<'_>,
        due: &mut Vec<Due>,
    ) {
        if plan.until_first {
            self.until_all(plan, time, hits, member, around);
        }
        for hit in hits.iter().rev() {
            let Some(role) = plan.roles.get(usize::from(hit.step)) else { continue };
            let member = &member.at_step_of(hit);
            for key in &hit.keys {
                match role {
                    Role::Places(places) => {
                        for place in places.clone().rev() {
                            self.place(plan, key, place, time, hit, member, around, due);
                        }
                    }
                    Role::Missing(gap) => self.forbidden(plan, key, *gap, time, hit, member, around),
                    Role::Until => {}
                }
            }
        }
        if !plan.until_first {
            // It ends what this very event began or moved on, but not what it completed.
            self.until_all(plan, time, hits, member, around);
        }
        if self.lanes.len() > (2 * self.swept).max(1024) {
            self.sweep(plan, time, around.trace);
        }
    }

    fn until_all(
        &mut self,
        plan: &SequencePlan,
        time: i64,
        hits: &[Hit],
        member: &Arc<Member>,
        around: &mut Around<'_>,
    ) {
        for hit in hits {
            if let Some(Role::Until) = plan.roles.get(usize::from(hit.step)) {
                for key in &hit.keys {
                    self.until(plan, key, time, hit, member, around);
                }
            }
        }
    }

    #[allow(clippy::too_many_arguments, reason = "an event at a place of a key is all of these")]
    fn place(
        &mut self,
        plan: &SequencePlan,
        key: &Key,
        place: usize,
        time: i64,
        hit: &Hit,
        member: &Arc<Member>,
        around: &mut Around<'_>,
        due: &mut Vec<Due>,
    ) {
        let Some(before) = place.checked_sub(1) else {
            if let Some(pending) = self.begin(plan, key, time, hit, member, around) {
                self.reach(plan, key, place, time, pending, around, due);
            }
            return;
        };
        let slot = self.lanes.get(key).and_then(|lane| lane.slots.get(before));
        let Some(slot) = slot.filter(|slot| !slot.is_empty()) else {
            around.tell(key, time, || Step::Nothing { place, member: Arc::clone(member) });
            return;
        };
        let values = || {
            let tie = plan.found_by(before, hit.step).map(|(_, tie)| tie);
            tie.zip(hit.facts.as_deref()).map(|(tie, facts)| tie.keys(facts)).unwrap_or_default()
        };
        let mut unlike = true;
        for number in slot.candidates(values) {
            match self.go_on(plan, key, before, number, time, hit, member, around) {
                None => {}
                Some(Moved::Dropped) => unlike = false,
                Some(Moved::On(pending)) => {
                    unlike = false;
                    self.reach(plan, key, place, time, pending, around, due);
                }
            }
        }
        if unlike {
            around.tell(key, time, || Step::Unlike { place, member: Arc::clone(member) });
        }
    }

    /// A sequence has come to a place.
    #[allow(clippy::too_many_arguments, reason = "an event at a place of a key is all of these")]
    fn reach(
        &mut self,
        plan: &SequencePlan,
        key: &Key,
        place: usize,
        time: i64,
        mut pending: Pending,
        around: &mut Around<'_>,
        due: &mut Vec<Due>,
    ) {
        if place + 1 == plan.places {
            self.completed(plan, key, time, pending, around, due);
            return;
        }
        around.tell(key, time, || Step::Reached { place, events: pending.events.clone() });
        pending.tied = plan.tied(place, &pending.events);
        self.bytes += pending.bytes();
        let bytes = &mut self.bytes;
        let lane = lane(&mut self.lanes, bytes, plan, key);
        let Some(slot) = lane.slots.get_mut(place) else { return };
        if let Some(old) = slot.put(pending) {
            *bytes = bytes.saturating_sub(old.bytes());
            around.tell(key, time, || Step::Replaced { place, events: old.events });
        } else if slot.has_doubled() {
            let too_long = |pending: &Pending| plan.too_long(pending.began, time);
            slot.take_where(too_long, |old| {
                *bytes = bytes.saturating_sub(old.bytes());
                around.tell(key, time, || Step::Left { place, events: old.events });
            });
            slot.looked_at();
        }
    }

    fn begin(
        &mut self,
        plan: &SequencePlan,
        key: &Key,
        time: i64,
        hit: &Hit,
        member: &Arc<Member>,
        around: &mut Around<'_>,
    ) -> Option<Pending> {
        if !(around.holds)(hit, &[]) {
            return None;
        }
        let lead = if plan.watches(0) {
            self.mark(key, 0).and_then(|mark| mark.before(milliseconds(time)))
        } else {
            None
        };
        let events = vec![Arc::clone(member)];
        Some(Pending { tied: Box::default(), began: time, lead, refuted: false, events })
    }

    /// Tries the event on one of those that wait before a place; `None` if it does not go with it. What it goes with is used up,
    /// whatever comes of it, unless the place forks: then all but what waited too long stays.
    #[allow(clippy::too_many_arguments, reason = "an event at a place of a key is all of these")]
    fn go_on(
        &mut self,
        plan: &SequencePlan,
        key: &Key,
        before: usize,
        number: u64,
        time: i64,
        hit: &Hit,
        member: &Arc<Member>,
        around: &mut Around<'_>,
    ) -> Option<Moved> {
        let lane = self.lanes.get_mut(key)?;
        let slot = lane.slots.get_mut(before)?;
        if !(around.holds)(hit, &slot.get(number)?.events) {
            return None;
        }
        let stays = plan.forks(before + 1) && !plan.too_long(slot.get(number)?.began, time);
        let mut pending = if stays {
            slot.get(number)?.clone()
        } else {
            let taken = slot.take(number)?;
            self.bytes = self.bytes.saturating_sub(taken.bytes());
            taken
        };
        let mark = lane.marks.get(before + 1).copied().flatten();
        if !lane.stays(plan, key, &mut self.bytes) {
            self.lanes.remove(key);
        }
        if plan.too_long(pending.began, time) {
            around.tell(key, time, || Step::TooLong {
                place: before + 1,
                member: Arc::clone(member),
                events: pending.events,
            });
            return Some(Moved::Dropped);
        }
        let last = pending.events.last().and_then(|last| last.time).map_or(i64::MIN, milliseconds);
        let between = mark.and_then(|mark| mark.before(milliseconds(time))).filter(|came| *came > last);
        if let Some(came) = between {
            around.tell(key, time, || Step::Between { place: before + 1, came });
            pending.refuted = true;
        }
        pending.events.push(Arc::clone(member));
        Some(Moved::On(pending))
    }

    fn completed(
        &mut self,
        plan: &SequencePlan,
        key: &Key,
        time: i64,
        pending: Pending,
        around: &mut Around<'_>,
        due: &mut Vec<Due>,
    ) {
        let verdict = verdict(plan, time, &pending);
        around.tell(key, time, || match verdict {
            Verdict::Stands => Step::Complete { events: pending.events.clone() },
            Verdict::Open(until) => Step::Open { until, events: pending.events.clone() },
            Verdict::Refuted => Step::Refuted { lead: pending.lead, events: pending.events.clone() },
        });
        if verdict == Verdict::Refuted {
            return;
        }
        if let Verdict::Open(at) = verdict {
            let number = self.gone + self.complete.len() as u64;
            due.push(Due { at, number });
            lane(&mut self.lanes, &mut self.bytes, plan, key).waiting.push(number);
        }
        self.bytes += pending.bytes();
        self.complete.push_back(Complete { key: Arc::clone(key), events: pending.events, verdict });
    }

    #[allow(clippy::too_many_arguments, reason = "an event in a gap of a key is all of these")]
    fn forbidden(
        &mut self,
        plan: &SequencePlan,
        key: &Key,
        gap: usize,
        time: i64,
        hit: &Hit,
        member: &Arc<Member>,
        around: &mut Around<'_>,
    ) {
        if !(around.holds)(hit, &[]) {
            return;
        }
        let now = milliseconds(time);
        if gap == plan.places {
            let Some(lane) = self.lanes.get_mut(key) else { return };
            let (complete, gone) = (&mut self.complete, self.gone);
            lane.waiting.retain(|number| {
                let Some(one) = complete.get_mut(place_in(gone, *number)) else { return false };
                let last = one.events.last().and_then(|last| last.time).map_or(i64::MAX, milliseconds);
                let refutes = now > last;
                if refutes {
                    one.verdict = Verdict::Refuted;
                    around.tell(key, time, || Step::RefutedBehind {
                        events: one.events.clone(),
                        by: Arc::clone(member),
                    });
                }
                !refutes
            });
            return;
        }
        around.tell(key, time, || Step::Forbidden { gap, by: Arc::clone(member) });
        let lane = lane(&mut self.lanes, &mut self.bytes, plan, key);
        let Some(mark) = lane.marks.get_mut(gap) else { return };
        *mark = Some(match *mark {
            Some(old) if old.latest == now => old,
            Some(old) => Mark { latest: now, earlier: Some(old.latest) },
            None => Mark { latest: now, earlier: None },
        });
    }

    fn until(
        &mut self,
        plan: &SequencePlan,
        key: &Key,
        time: i64,
        hit: &Hit,
        member: &Arc<Member>,
        around: &mut Around<'_>,
    ) {
        let Some(lane) = self.lanes.get_mut(key) else { return };
        let bytes = &mut self.bytes;
        for (place, slot) in lane.slots.iter_mut().enumerate() {
            slot.take_where(
                |pending| (around.holds)(hit, &pending.events),
                |ended| {
                    *bytes = bytes.saturating_sub(ended.bytes());
                    if around.traced {
                        let step = Step::Ended { place, events: ended.events, by: Arc::clone(member) };
                        around.trace.step(key, time, step);
                    }
                },
            );
        }
        if !lane.stays(plan, key, &mut self.bytes) {
            self.lanes.remove(key);
        }
    }

    fn mark(&self, key: &Key, gap: usize) -> Option<Mark> {
        self.lanes.get(key)?.marks.get(gap).copied().flatten()
    }

    /// Decides a complete sequence whose time has come, in milliseconds: nothing refuted it.
    pub(crate) fn decide(&mut self, number: u64, at: i64, trace: &mut dyn Trace) {
        let Some(one) = self.complete.get_mut(place_in(self.gone, number)) else { return };
        if matches!(one.verdict, Verdict::Open(_)) {
            one.verdict = Verdict::Stands;
            if trace.listens() {
                let step = Step::Decided { events: one.events.clone() };
                trace.step(&one.key, at.saturating_mul(1_000_000), step);
            }
        }
        if let Some(lane) = self.lanes.get_mut(&one.key) {
            lane.waiting.retain(|waiting| *waiting != number);
        }
    }

    /// The next sequence that stands and waits for none before it.
    pub(crate) fn next(&mut self, plan: &SequencePlan, rule: u32) -> Option<Detection> {
        loop {
            if matches!(self.complete.front()?.verdict, Verdict::Open(_)) {
                return None;
            }
            let one = self.complete.pop_front()?;
            self.gone += 1;
            self.bytes = self.bytes.saturating_sub(events_bytes(&one.events));
            if one.verdict == Verdict::Stands {
                let time = one.events.last().and_then(|last| last.time);
                let members = plan.members(one.events);
                return Some(Detection {
                    rule,
                    time,
                    keys: one.key.to_vec(),
                    members,
                    totals: None,
                    particulars: None,
                });
            }
        }
    }

    /// The time of the first complete sequence that is not decided.
    pub(crate) fn undecided(&self) -> Option<i64> {
        self.complete.front()?.events.last()?.time
    }

    /// What is due, of a state that was saved.
    pub(crate) fn all_due(&self) -> impl Iterator<Item = Due> {
        let open = |(place, one): (usize, &Complete)| match one.verdict {
            Verdict::Open(at) => Some(Due { at, number: self.gone + place as u64 }),
            Verdict::Stands | Verdict::Refuted => None,
        };
        self.complete.iter().enumerate().filter_map(open)
    }

    /// Forgets what can never be seen in a result at `now` or later.
    pub(crate) fn sweep(&mut self, plan: &SequencePlan, now: i64, trace: &mut dyn Trace) {
        if let Some(maxspan) = plan.maxspan {
            let oldest = milliseconds(now.saturating_sub(maxspan)) - 1;
            let (bytes, traced) = (&mut self.bytes, trace.listens());
            self.lanes.retain(|key, lane| {
                for (place, slot) in lane.slots.iter_mut().enumerate() {
                    let too_long = |pending: &Pending| plan.too_long(pending.began, now);
                    slot.take_where(too_long, |old| {
                        *bytes = bytes.saturating_sub(old.bytes());
                        if traced {
                            trace.step(key, now, Step::Left { place, events: old.events });
                        }
                    });
                }
                for mark in &mut lane.marks {
                    if mark.is_some_and(|mark| mark.latest < oldest) {
                        *mark = None;
                    }
                }
                lane.stays(plan, key, bytes)
            });
        }
        self.swept = self.lanes.len();
    }

    /// Tells what still waits when nothing comes any more, at the time of its last event, in the order of keys.
    pub(crate) fn tell_left(&self, trace: &mut dyn Trace) {
        let mut lanes: Vec<(&Key, &Lane)> = self.lanes.iter().collect();
        lanes.sort_by(|(a, _), (b, _)| compare_keys(a, b));
        for (key, lane) in lanes {
            for (place, slot) in lane.slots.iter().enumerate() {
                for pending in slot.iter() {
                    let time = pending.events.last().and_then(|last| last.time).unwrap_or(pending.began);
                    trace.step(key, time, Step::Left { place, events: pending.events.clone() });
                }
            }
        }
    }

    /// About how many bytes it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether it holds nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.lanes.is_empty() && self.complete.is_empty()
    }

    /// The times of the last events of everything pending, and of what must not come.
    pub(crate) fn pending_times(&self) -> impl Iterator<Item = i64> {
        let slots = self.lanes.values().flat_map(|lane| lane.slots.iter().flat_map(Slot::iter));
        let pending = slots.map(|pending| &pending.events);
        let open = self.complete.iter().filter(|one| matches!(one.verdict, Verdict::Open(_)));
        let events = pending.chain(open.map(|one| &one.events));
        let marks = self.lanes.values().flat_map(|lane| lane.marks.iter().flatten());
        events.filter_map(|events| events.last()?.time).chain(marks.map(|mark| mark.nanoseconds()))
    }

    /// Drops what is pending since `time` or longer, and says how much that was: sequences, and what must not come and came.
    pub(crate) fn evict(&mut self, plan: &SequencePlan, time: i64) -> u64 {
        let mut evicted = 0;
        let bytes = &mut self.bytes;
        for one in &mut self.complete {
            let old = one.events.last().is_none_or(|last| last.time <= Some(time));
            if old && matches!(one.verdict, Verdict::Open(_)) {
                one.verdict = Verdict::Refuted;
                // Its place in the queue stays until those before it have left.
                let events = std::mem::take(&mut one.events);
                *bytes = bytes.saturating_sub(events_bytes(&events) - events_bytes(&[]));
                evicted += 1;
            }
        }
        let (complete, gone) = (&self.complete, self.gone);
        self.lanes.retain(|key, lane| {
            for slot in &mut lane.slots {
                let old =
                    |pending: &Pending| pending.events.last().is_none_or(|last| last.time <= Some(time));
                slot.take_where(old, |old| {
                    *bytes = bytes.saturating_sub(old.bytes());
                    evicted += 1;
                });
            }
            for mark in &mut lane.marks {
                if mark.take_if(|mark| mark.nanoseconds() <= time).is_some() {
                    evicted += 1;
                }
            }
            // The queue may be done with them before they are due.
            let waits = |number: &u64| {
                let one = complete.get(place_in(gone, *number));
                one.is_some_and(|one| matches!(one.verdict, Verdict::Open(_)))
            };
            lane.waiting.retain(waits);
            lane.stays(plan, key, bytes)
        });
        evicted
    }
}

/// Whether a complete sequence stands. The window of `maxspan` around it must be free: to its left as far as its last event
/// allows, to its right as far as its first one does.
fn verdict(plan: &SequencePlan, time: i64, pending: &Pending) -> Verdict {
    if pending.refuted {
        return Verdict::Refuted;
    }
    let (first, last) = (milliseconds(pending.began), milliseconds(time));
    let Some(maxspan) = plan.maxspan.map(milliseconds) else { return Verdict::Stands };
    if !plan.watches(plan.places) {
        let free = pending.lead.is_none_or(|lead| last.saturating_sub(lead) > maxspan);
        return if free { Verdict::Stands } else { Verdict::Refuted };
    }
    // With both ends watched, an end without such an event leaves the window all the room it needs.
    let from = match pending.lead {
        Some(lead) => lead,
        None if plan.watches(0) => return Verdict::Stands,
        None => first,
    };
    let until = from.saturating_add(maxspan);
    if until > last { Verdict::Open(until) } else { Verdict::Stands }
}

fn lane<'l>(
    lanes: &'l mut FxHashMap<Key, Lane>,
    bytes: &mut usize,
    plan: &SequencePlan,
    key: &Key,
) -> &'l mut Lane {
    lanes.entry(Arc::clone(key)).or_insert_with(|| {
        *bytes += lane_bytes(plan, key);
        let gaps = if plan.watched.contains(&true) { plan.places } else { 0 };
        Lane {
            slots: (0..plan.places.saturating_sub(1)).map(|place| plan.slot(place)).collect(),
            marks: vec![None; gaps],
            waiting: Vec::new(),
        }
    })
}

impl Lane {
    /// Whether anything is left in it; if not, its own bytes are counted off.
    fn stays(&self, plan: &SequencePlan, key: &Key, bytes: &mut usize) -> bool {
        let stays = !self.is_empty();
        if !stays {
            *bytes = bytes.saturating_sub(lane_bytes(plan, key));
        }
        stays
    }

    fn is_empty(&self) -> bool {
        self.waiting.is_empty()
            && self.slots.iter().all(Slot::is_empty)
            && self.marks.iter().all(Option::is_none)
    }
}

fn lane_bytes(plan: &SequencePlan, key: &Key) -> usize {
    // The table is up to half empty, and twice as large for a moment when it grows.
    let entry = 3 * (size_of::<Lane>() + size_of::<Key>());
    entry + ALLOCATION + plan.places * size_of::<Slot>() + crate::join_key::bytes(key)
}

/// The place in the queue of complete ones of that number.
fn place_in(gone: u64, number: u64) -> usize {
    number.checked_sub(gone).and_then(|place| usize::try_from(place).ok()).unwrap_or(usize::MAX)
}

/// The whole milliseconds of a time in nanoseconds.
pub(crate) fn milliseconds(nanoseconds: i64) -> i64 {
    nanoseconds.div_euclid(1_000_000)
}
