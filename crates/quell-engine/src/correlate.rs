//! Correlation: hits in, detections out, in one order.
//!
//! Of an event rule each hit is a detection; those of sequences and samples are joined, those of thresholds counted, those of
//! new terms rules remembered. Hits come in the order of [`Engine::order`]: by time, then rule by rule, of each rule by its
//! tiebreaker (an absent one comes last), then by input; among those that are still equal and come from one log of one host, the
//! record's number decides. What has no time comes last. Source: Elasticsearch's "EQL search", the order of matching events, and
//! "EQL pipe reference".
//!
//! A [`Correlator`] takes them one by one and holds no more than what may still become a detection: the same one serves
//! files, whose hits are sorted first, and streams, whose hits wait a while for late ones.

use crate::compile::{CompiledRule, Engine, Join};
use crate::hit::{Hit, MemberId, Tiebreaker, aliased_bytes};
use crate::hit_runs::in_order;
use crate::join::JoinState;
use crate::join_key;
use crate::lineage::Lineage;
use crate::new_terms::NewTermsState;
use crate::particulars::Particulars;
use crate::pipes::{Pipes, Room, Totals};
use crate::residual::Captured;
use crate::sample::SampleState;
use crate::sequence::{Around, SequenceState, milliseconds};
use crate::threshold::ThresholdState;
use crate::trace::{NoTrace, Trace};
use quell_event::{RecordRef, RecordText};
use quell_ir::Value;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a rule detected: one event, or several that belong together.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Detection {
    /// The rule's number in the engine.
    pub rule: u32,
    /// The time of its last event, in nanoseconds since 1970.
    pub time: Option<i64>,
    /// The values that its events have in common by the rule; none for an event rule.
    pub keys: Vec<Value>,
    /// Its events in order; `None` stands for a step that must not come.
    pub members: Vec<Option<Member>>,
    /// What `count` and `unique_count` say of it (Endgame dialect). A result of `count` is nothing else: it has no events and
    /// no time.
    pub totals: Option<Totals>,
    /// What a rule says that counts or remembers.
    pub particulars: Option<Box<Particulars>>,
}

/// An event of a detection.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Member {
    /// Its identity; of equal records each has its own.
    pub id: MemberId,
    /// Its time, in nanoseconds since 1970.
    pub time: Option<i64>,
    /// The values of the fields that later stages read.
    pub captures: Box<[Vec<Value>]>,
    /// What later steps read of it, if they read any of it.
    pub(crate) aliased: Option<Arc<[Captured]>>,
    /// How to have its record again.
    pub record: RecordRef,
}

impl Member {
    /// The event of a hit, the n-th, from 1, of equal ones.
    pub(crate) fn of(hit: &Hit, n: usize) -> Member {
        Member {
            id: hit.member.repeated(n),
            time: hit.time,
            captures: hit.captures.clone(),
            aliased: hit.aliased.clone(),
            record: hit.record.clone(),
        }
    }

    /// The same event at the step of another hit, of which other fields may be kept.
    pub(crate) fn at_step_of(self: &Arc<Self>, hit: &Hit) -> Arc<Member> {
        match (&self.aliased, &hit.aliased) {
            (None, None) => Arc::clone(self),
            (Some(own), Some(other)) if Arc::ptr_eq(own, other) => Arc::clone(self),
            (_, other) => Arc::new(Member { aliased: other.clone(), ..Member::clone(self) }),
        }
    }

    /// About how many bytes it holds.
    pub(crate) fn bytes(&self) -> usize {
        let text = if let RecordText::Owned(text) = &self.record.text { text.len() } else { 0 };
        let captured = self.captures.iter().map(|values| join_key::bytes(values)).sum::<usize>();
        size_of::<Member>()
            + join_key::ALLOCATION
            + self.id.as_str().len()
            + text
            + captured
            + aliased_bytes(&self.aliased)
    }
}

/// Makes detections of all hits of a scan, in whatever order they are: see [`correlate_in_order`].
#[must_use]
pub fn correlate(engine: &Engine, hits: Vec<Hit>) -> Vec<Detection> {
    let mut found = Vec::new();
    correlate_in_order(engine, None, in_order(engine, hits), &mut |detection| found.push(detection));
    found
}

/// Makes detections of hits in the order of [`Engine::order`] and gives each to `out` as it is found, and says what limits left
/// out. They are ordered by time, then by rule id; what only the end of the input decides, samples and what `tail` keeps, comes
/// last. `began` is the time from which on the data holds everything: see [`Correlator::begin`].
pub fn correlate_in_order(
    engine: &Engine,
    began: Option<i64>,
    hits: impl Iterator<Item = Hit>,
    out: &mut dyn FnMut(Detection),
) -> Limited {
    let mut correlator = Correlator::new(engine);
    if let Some(time) = began {
        correlator.begin(time);
    }
    let mut in_order = InOrder::new(engine);
    for hit in hits {
        correlator.push(hit, &mut in_order, &mut NoTrace);
        in_order.release(&correlator, out);
    }
    let limited = correlator.finish(&mut in_order, &mut NoTrace);
    in_order.finish(out);
    limited
}

impl Engine {
    /// The order in which a [`Correlator`] takes hits, but for record numbers, which it sees to itself.
    #[must_use]
    pub fn order(&self, a: &Hit, b: &Hit) -> Ordering {
        let rank = |hit: &Hit| self.rank(hit.rule);
        let input = |hit: &Hit| (hit.record.source, hit.record.position, hit.step);
        absent_last(&a.time, &b.time)
            .then_with(|| rank(a).cmp(&rank(b)))
            .then_with(|| absent_last::<Box<Tiebreaker>>(&a.tiebreaker, &b.tiebreaker))
            .then_with(|| input(a).cmp(&input(b)))
    }
}

/// Correlates the hits of a rule set as they come.
pub struct Correlator<'e> {
    pub(crate) engine: &'e Engine,
    pub(crate) rules: Vec<RuleState>,
    /// Hits of one rule whose order their record numbers may still change.
    pub(crate) moment: Vec<Hit>,
    /// What is known of processes, for rules that ask for their ancestors.
    pub(crate) lineage: Lineage,
    /// Tests that a limit cut short.
    cut: Cell<u64>,
    /// How often each identity came at the present time of the present rule.
    repetitions: Repetitions,
    /// The same of those that were given out at once.
    pub(crate) recent: Recent,
    /// When complete sequences are decided: in whole milliseconds, by rule and number.
    due: BTreeSet<(i64, u32, u64)>,
    /// The rules that have an undecided sequence, by the time of the first.
    undecided: BTreeMap<u32, i64>,
    evicted: Vec<u64>,
    forgotten_processes: u64,
    /// What pipes hold.
    room: Room,
}

/// About how many bytes are held of a process.
const PROCESS_BYTES: usize = 400;

/// What a rule has seen.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RuleState {
    pub(crate) joined: Joined,
    pub(crate) pipes: Pipes,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Joined {
    Event,
    Sequence(SequenceState),
    Sample(SampleState),
    Unordered(JoinState),
    Threshold(ThresholdState),
    NewTerms(NewTermsState),
}

impl RuleState {
    pub(crate) fn new(rule: &CompiledRule, engine: &Engine) -> RuleState {
        let joined = match &rule.join {
            Join::Event => Joined::Event,
            Join::Sequence(_) => Joined::Sequence(SequenceState::default()),
            Join::Sample(_) => Joined::Sample(SampleState::default()),
            Join::Unordered(_) => Joined::Unordered(JoinState::default()),
            Join::Threshold(_) => Joined::Threshold(ThresholdState::default()),
            Join::NewTerms(_) => Joined::NewTerms(NewTermsState::default()),
        };
        RuleState { joined, pipes: Pipes::new(&rule.pipes, engine.limit) }
    }

    /// Whether nothing is pending.
    pub(crate) fn is_empty(&self) -> bool {
        let joined = match &self.joined {
            Joined::Event => true,
            Joined::Sequence(state) => state.is_empty(),
            Joined::Sample(state) => state.is_empty(),
            Joined::Unordered(state) => state.is_empty(),
            Joined::Threshold(state) => state.is_empty(),
            Joined::NewTerms(state) => state.is_empty(),
        };
        joined && self.pipes.is_empty()
    }
}

/// What limits left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limited {
    /// Tests that were cut short.
    pub tests_cut: u64,
    /// Results that pipes left out because they held too much already.
    pub results_lost: u64,
}

/// Takes detections as they are found.
pub trait Found {
    /// A detection; `last` if only the end of the input decided it, so that it is out of order.
    fn found(&mut self, detection: Detection, last: bool);
}

impl Found for Vec<Detection> {
    fn found(&mut self, detection: Detection, _last: bool) {
        self.push(detection);
    }
}

impl<'e> Correlator<'e> {
    /// A correlator that has seen nothing.
    #[must_use]
    pub fn new(engine: &'e Engine) -> Correlator<'e> {
        Correlator {
            engine,
            rules: engine.rules.iter().map(|rule| RuleState::new(rule, engine)).collect(),
            moment: Vec::new(),
            lineage: Lineage::default(),
            cut: Cell::new(0),
            repetitions: Repetitions::default(),
            recent: Recent::default(),
            due: BTreeSet::new(),
            undecided: BTreeMap::new(),
            evicted: vec![0; engine.rules.len()],
            forgotten_processes: 0,
            room: Room::default(),
        }
    }

    /// The same with room for so many bytes of results that pipes hold, about, instead of 1 GiB.
    #[must_use]
    pub fn with_room_in_pipes(mut self, bytes: usize) -> Correlator<'e> {
        self.room = self.room.limited_to(bytes);
        self
    }

    /// Takes note that everything is seen from this time on: a new terms rule is silent for its history window from then. A
    /// rule that is not told takes its first hit for the beginning.
    pub fn begin(&mut self, time: i64) {
        for state in &mut self.rules {
            if let Joined::NewTerms(terms) = &mut state.joined {
                terms.begin(time);
            }
        }
    }

    /// Takes the next hit in the order of [`Engine::order`].
    pub fn push(&mut self, hit: Hit, found: &mut dyn Found, trace: &mut dyn Trace) {
        if hit.held_by.is_some() {
            return;
        }
        if self.engine.fact_of(hit.rule).is_some() {
            self.flush(found, trace);
            self.fact(&hit);
            return;
        }
        let same = |last: &Hit| last.time == hit.time && last.rule == hit.rule;
        match self.moment.last() {
            Some(last) if same(last) && last.tiebreaker == hit.tiebreaker => {}
            Some(last) if same(last) => self.flush(found, trace),
            last => {
                let same_time = last.is_some_and(|last| last.time == hit.time);
                self.flush(found, trace);
                self.repetitions.clear();
                // What the hit may refute was decided if its window had closed before. What has no time refutes nothing.
                if !same_time && hit.time.is_some() {
                    self.pass(hit.time, found, trace);
                }
            }
        }
        self.moment.push(hit);
    }

    /// Takes what a hit says of processes, if it is a fact; one that comes late is late for later hits alone.
    pub fn fact(&mut self, hit: &Hit) -> bool {
        let cut = self.lineage.observe(self.engine, hit).cut;
        self.cut.set(self.cut.get() + u64::from(cut));
        self.engine.fact_of(hit.rule).is_some()
    }

    /// What limits left out until now.
    #[must_use]
    pub fn limited(&self) -> Limited {
        let pipes = || self.rules.iter().map(|rule| &rule.pipes);
        Limited {
            tests_cut: self.cut.get() + pipes().map(Pipes::cut).sum::<u64>(),
            results_lost: pipes().map(Pipes::lost).sum(),
        }
    }

    /// Takes note that no hit before `time` will come any more.
    pub fn advance(&mut self, time: i64, found: &mut dyn Found, trace: &mut dyn Trace) {
        if self.moment.first().is_some_and(|hit| hit.time.is_none_or(|at| at < time)) {
            self.flush(found, trace);
            self.repetitions.clear();
        }
        if self.moment.is_empty() {
            self.pass(Some(time), found, trace);
        }
        self.recent.forget(time);
    }

    /// Takes note that there are no more hits, and says what limits left out.
    pub fn finish(mut self, found: &mut dyn Found, trace: &mut dyn Trace) -> Limited {
        self.flush(found, trace);
        self.pass(None, found, trace);
        let mut limited = Limited { tests_cut: self.cut.get(), results_lost: 0 };
        let mut by_rank: Vec<(u32, RuleState)> = (0..).zip(self.rules).collect();
        by_rank.sort_by_key(|(number, _)| self.engine.rank(*number));
        for (number, RuleState { joined, mut pipes }) in by_rank {
            let Some(rule) = self.engine.rules.get(number as usize) else { continue };
            if let Joined::Sequence(state) = &joined
                && trace.listens()
            {
                state.tell_left(trace);
            }
            if let Joined::Sample(state) = joined {
                for detection in state.finish(number) {
                    if let Some(detection) = pipes.push(&rule.pipes, detection, &mut self.room) {
                        found.found(detection, true);
                    }
                }
            }
            let last = pipes.finish(&rule.pipes, number, &mut self.room);
            last.into_iter().for_each(|detection| found.found(detection, true));
            limited.tests_cut += pipes.cut();
            limited.results_lost += pipes.lost();
        }
        limited
    }

    /// Gives a hit of an event rule its own detection at once, in whatever order it comes; says whether it is one. What needs no
    /// order need not wait for it, and what comes too late for it still meets its rule.
    pub fn alone(&mut self, hit: &Hit, found: &mut dyn Found) -> bool {
        let Some(state) = self.rules.get_mut(hit.rule as usize) else { return false };
        if !matches!(state.joined, Joined::Event) {
            return false;
        }
        if !decided(self.engine, &self.lineage, &self.cut, hit, |_| None) {
            return true;
        }
        let member = self.recent.member(hit);
        let Some(rule) = self.engine.rules.get(hit.rule as usize) else { return true };
        let detection = rule.detection(hit, member);
        if let Some(detection) = state.pipes.push(&rule.pipes, detection, &mut self.room) {
            found.found(detection, false);
        }
        true
    }

    /// The time of the earliest sequence that is complete but not decided.
    #[must_use]
    pub fn undecided(&self) -> Option<i64> {
        self.undecided.values().min().copied()
    }

    /// About how many bytes it holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let bytes = |state: &RuleState| match &state.joined {
            Joined::Event => 0,
            Joined::Sequence(state) => state.bytes(),
            Joined::Sample(state) => state.bytes(),
            Joined::Unordered(state) => state.bytes(),
            Joined::Threshold(state) => state.bytes(),
            Joined::NewTerms(state) => state.bytes(),
        };
        let joined = self.rules.iter().map(bytes).sum::<usize>();
        joined + self.lineage.len() * PROCESS_BYTES + self.room.held
    }

    /// Drops what has waited longest until no more than `bytes` are held, and counts it: pending sequences, complete ones that
    /// are not decided, groups of thresholds, and what new terms rules remember. `now` is the present time of the events.
    pub fn evict(&mut self, bytes: usize, now: i64, found: &mut dyn Found) {
        for (rule, state) in self.engine.rules.iter().zip(&mut self.rules) {
            match (&rule.join, &mut state.joined) {
                (Join::Sequence(plan), Joined::Sequence(state)) => state.sweep(plan, now, &mut NoTrace),
                (Join::Threshold(plan), Joined::Threshold(state)) => state.sweep(plan, now),
                (Join::NewTerms(plan), Joined::NewTerms(state)) => state.sweep(plan, now),
                _ => {}
            }
        }
        // Processes come and go: the half that was heard of last is the half that may still have children.
        if self.lineage.len() * PROCESS_BYTES > bytes / 2 {
            let spare = self.lineage.len().saturating_sub(bytes / 4 / PROCESS_BYTES);
            self.forgotten_processes += self.lineage.evict_oldest(spare) as u64;
        }
        while self.bytes() > bytes {
            let mut times: Vec<i64> = Vec::new();
            for state in &self.rules {
                match &state.joined {
                    Joined::Sequence(state) => times.extend(state.pending_times()),
                    Joined::Unordered(state) => times.extend(state.pending_times()),
                    Joined::Threshold(state) => times.extend(state.pending_times()),
                    Joined::NewTerms(state) => times.extend(state.pending_times()),
                    Joined::Event | Joined::Sample(_) => {}
                }
            }
            let quarter = times.len() / 4;
            let oldest = if times.is_empty() { None } else { Some(*times.select_nth_unstable(quarter).1) };
            let mut dropped = 0;
            for (number, (rule, state)) in self.engine.rules.iter().zip(&mut self.rules).enumerate() {
                let evicted = match (&rule.join, &mut state.joined, oldest) {
                    (Join::Sequence(plan), Joined::Sequence(state), Some(oldest)) => {
                        state.evict(plan, oldest)
                    }
                    (_, Joined::Unordered(state), oldest) => state.evict(oldest.unwrap_or(i64::MAX)),
                    (_, Joined::Threshold(state), Some(oldest)) => state.evict(oldest),
                    (_, Joined::NewTerms(state), Some(oldest)) => state.evict(oldest),
                    (Join::Sample(_), Joined::Sample(state), None) => state.evict(),
                    _ => 0,
                };
                dropped += evicted;
                if let Some(count) = self.evicted.get_mut(number) {
                    *count += evicted;
                }
            }
            if dropped == 0 {
                break;
            }
        }
        for number in (0..).take(self.rules.len()) {
            self.release(number, found);
        }
    }

    /// How many pending sequences or samples of each rule were dropped for want of memory.
    #[must_use]
    pub fn evicted(&self) -> &[u64] {
        &self.evicted
    }

    /// Goes on from what a rule had pending.
    pub(crate) fn go_on_from(&mut self, place: usize, state: RuleState, evicted: u64) {
        let (Ok(number), Some(rule)) = (u32::try_from(place), self.rules.get_mut(place)) else { return };
        if let Joined::Sequence(sequences) = &state.joined {
            self.due.extend(sequences.all_due().map(|due| (due.at, number, due.number)));
            if let Some(time) = sequences.undecided() {
                self.undecided.insert(number, time);
            }
        }
        self.room.held += state.pipes.held();
        *rule = state;
        if let Some(count) = self.evicted.get_mut(place) {
            *count = evicted;
        }
    }

    /// How many processes were forgotten for want of memory, so that their descendants may not be known as such.
    #[must_use]
    pub fn forgotten_processes(&self) -> u64 {
        self.forgotten_processes
    }

    /// How many identities of equal records were forgotten for want of memory: those that still come have equal alert ids.
    #[must_use]
    pub fn forgotten_identities(&self) -> u64 {
        self.recent.forgotten
    }

    /// Decides what is due before a time; `None` is the end, before which everything is.
    fn pass(&mut self, time: Option<i64>, found: &mut dyn Found, trace: &mut dyn Trace) {
        let now = time.map_or(i64::MAX, milliseconds);
        let end = time.is_none();
        while let Some((at, rule, number)) = self.due.first().copied() {
            if at >= now && !end {
                break;
            }
            self.due.pop_first();
            let Some(state) = self.rules.get_mut(rule as usize) else { continue };
            if let Joined::Sequence(sequences) = &mut state.joined {
                sequences.decide(number, at, trace);
            }
            self.release(rule, found);
        }
    }

    /// Gives out the sequences of a rule that wait for nothing.
    fn release(&mut self, number: u32, found: &mut dyn Found) {
        let rule = self.engine.rules.get(number as usize);
        let (Some(rule), Some(state)) = (rule, self.rules.get_mut(number as usize)) else { return };
        let (Join::Sequence(plan), Joined::Sequence(sequences)) = (&rule.join, &mut state.joined) else {
            return;
        };
        while let Some(detection) = sequences.next(plan, number) {
            if let Some(detection) = state.pipes.push(&rule.pipes, detection, &mut self.room) {
                found.found(detection, false);
            }
        }
        match sequences.undecided() {
            Some(time) => self.undecided.insert(number, time),
            None => self.undecided.remove(&number),
        };
    }

    /// Correlates the hits of the present moment.
    fn flush(&mut self, found: &mut dyn Found, trace: &mut dyn Trace) {
        let mut moment = std::mem::take(&mut self.moment);
        if moment.first().is_some_and(|first| moment.iter().any(|hit| !of_one_event(first, hit))) {
            moment = by_record_number(moment);
        }
        let mut rest = moment.as_slice();
        while let Some(first) = rest.first() {
            let of_event = rest.iter().take_while(|hit| of_one_event(first, hit)).count();
            let (hits, others) = rest.split_at(of_event);
            self.event(first, hits, found, trace);
            rest = others;
        }
        moment.clear();
        self.moment = moment;
    }

    /// Correlates the hits of one event of one rule.
    fn event(&mut self, first: &Hit, hits: &[Hit], found: &mut dyn Found, trace: &mut dyn Trace) {
        let number = first.rule;
        let rule = self.engine.rules.get(number as usize);
        let (Some(rule), Some(state)) = (rule, self.rules.get_mut(number as usize)) else { return };
        let member = self.repetitions.member(first);
        let (engine, lineage, cut) = (self.engine, &self.lineage, &self.cut);
        let alone = |hit: &Hit| decided(engine, lineage, cut, hit, |_| None);
        match (&rule.join, &mut state.joined) {
            (Join::Event, _) => {
                if alone(first)
                    && let Some(detection) =
                        state.pipes.push(&rule.pipes, rule.detection(first, member), &mut self.room)
                {
                    found.found(detection, false);
                }
            }
            (Join::Sequence(plan), Joined::Sequence(sequences)) => {
                let Some(time) = first.time else { return };
                let (mut due, traced) = (Vec::new(), trace.listens());
                let holds = |hit: &Hit, events: &[Arc<Member>]| {
                    decided(engine, lineage, cut, hit, |step| {
                        events.get(plan.place_of(step)?).and_then(|event| event.aliased.as_deref())
                    })
                };
                let mut around = Around { holds: &holds, trace, traced };
                sequences.event(plan, time, hits, &Arc::new(member), &mut around, &mut due);
                self.due.extend(due.into_iter().map(|due| (due.at, number, due.number)));
                self.release(number, found);
            }
            (Join::Sample(filters), Joined::Sample(samples)) => {
                samples.event(*filters, hits.iter().filter(|hit| alone(hit)), &Arc::new(member));
            }
            (Join::Unordered(steps), Joined::Unordered(joins)) => {
                let hits = hits.iter().filter(|hit| alone(hit));
                for detection in joins.event(*steps, number, hits, &Arc::new(member)) {
                    if let Some(detection) = state.pipes.push(&rule.pipes, detection, &mut self.room) {
                        found.found(detection, false);
                    }
                }
            }
            (Join::Threshold(plan), Joined::Threshold(groups)) => {
                let Some(time) = first.time.filter(|_| alone(first)) else { return };
                let detected = groups.event(plan, number, time, first, member, trace);
                detected.into_iter().for_each(|detection| found.found(detection, false));
            }
            (Join::NewTerms(plan), Joined::NewTerms(terms)) => {
                let Some(time) = first.time.filter(|_| alone(first)) else { return };
                let detected = terms.event(plan, number, time, &first.keys, member, trace);
                detected.into_iter().for_each(|detection| found.found(detection, false));
            }
            _ => {}
        }
    }
}

/// Whether a hit satisfies what was left open when it was matched, given the events before it.
fn decided<'h>(
    engine: &'h Engine,
    lineage: &Lineage,
    cut: &Cell<u64>,
    hit: &'h Hit,
    earlier: impl Fn(u16) -> Option<&'h [Captured]>,
) -> bool {
    // Most rules leave nothing open.
    if hit.facts.is_none() {
        return true;
    }
    let outcome = engine.decide(hit, &earlier, lineage);
    cut.set(cut.get() + u64::from(outcome.cut));
    outcome.holds
}

impl CompiledRule {
    /// A hit of an event rule as a detection.
    fn detection(&self, hit: &Hit, member: Member) -> Detection {
        let enrichments = self.lookup.as_ref().map(|lookup| lookup.enrichments(&hit.keys));
        let particulars = enrichments.map(|all| Box::new(Particulars::Enrichments(all)));
        Detection { particulars, ..Detection::of_event(hit.rule, member) }
    }
}

impl Detection {
    pub(crate) fn of_event(rule: u32, member: Member) -> Detection {
        Detection {
            rule,
            time: member.time,
            keys: Vec::new(),
            members: vec![Some(member)],
            totals: None,
            particulars: None,
        }
    }

    /// A result without events; its rule is named later.
    pub(crate) fn of_totals(totals: Totals) -> Detection {
        Detection {
            rule: 0,
            time: None,
            keys: Vec::new(),
            members: Vec::new(),
            totals: Some(totals),
            particulars: None,
        }
    }

    /// About how many bytes it holds.
    pub(crate) fn bytes(&self) -> usize {
        let members = self.members.iter().flatten().map(Member::bytes).sum::<usize>();
        let particulars = self.particulars.as_ref().map_or(0, |particulars| particulars.bytes());
        size_of::<Detection>() + join_key::bytes(&self.keys) + members + particulars
    }
}

/// How often each identity came.
#[derive(Default)]
struct Repetitions {
    /// The first; most often there is no other.
    first: Option<MemberId>,
    all: FxHashMap<MemberId, usize>,
}

impl Repetitions {
    /// The event of the next hit. Of equal records each has an identity of its own: they have one time too.
    fn member(&mut self, hit: &Hit) -> Member {
        let Some(first) = &self.first else {
            self.first = Some(hit.member.clone());
            return Member::of(hit, 1);
        };
        if self.all.is_empty() {
            self.all.insert(first.clone(), 1);
        }
        let n = self.all.entry(hit.member.clone()).or_default();
        *n += 1;
        Member::of(hit, *n)
    }

    fn clear(&mut self) {
        self.first = None;
        self.all.clear();
    }
}

/// The most identities that are remembered of hits that were given out at once.
const MOST_RECENT: usize = 1 << 18;

/// How often each identity of each rule came at each time of late, whatever else came between.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Recent {
    times: FxHashMap<(u32, MemberId, Option<i64>), usize>,
    /// How many were left when old ones were last forgotten.
    left: usize,
    /// How many were forgotten for want of memory: an equal record that still comes has the identity of the first.
    forgotten: u64,
}

impl Recent {
    fn member(&mut self, hit: &Hit) -> Member {
        if self.times.len() >= MOST_RECENT {
            self.forgotten += self.times.len() as u64;
            self.times.clear();
        }
        let n = self.times.entry((hit.rule, hit.member.clone(), hit.time)).or_default();
        *n += 1;
        Member::of(hit, *n)
    }

    /// Forgets, from time to time, those before a time.
    fn forget(&mut self, time: i64) {
        if self.times.len() > (2 * self.left).max(1024) {
            self.times.retain(|(_, _, at), _| at.is_some_and(|at| at >= time));
            self.left = self.times.len();
        }
    }

    /// Names the rules anew; what belongs to none is forgotten.
    pub(crate) fn renumber(self, new: impl Fn(u32) -> Option<u32>) -> Recent {
        let renumbered =
            self.times.into_iter().filter_map(|((rule, id, at), n)| Some(((new(rule)?, id, at), n)));
        Recent { times: renumbered.collect(), left: self.left, forgotten: self.forgotten }
    }
}

/// Puts detections in the order of time, then of rule ids, while some sequences wait to be decided. What only the end decided
/// comes last.
pub struct InOrder<'e> {
    engine: &'e Engine,
    held: BTreeMap<(bool, i64, u32, u64), Detection>,
    last: Vec<Detection>,
    came: u64,
}

impl<'e> InOrder<'e> {
    /// Holds nothing.
    #[must_use]
    pub fn new(engine: &'e Engine) -> InOrder<'e> {
        InOrder { engine, held: BTreeMap::new(), last: Vec::new(), came: 0 }
    }

    /// Gives out what nothing can come before any more: all that is earlier than the first undecided sequence.
    pub fn release(&mut self, correlator: &Correlator<'_>, out: &mut dyn FnMut(Detection)) {
        if self.held.is_empty() {
            return;
        }
        match correlator.undecided() {
            None => std::mem::take(&mut self.held).into_values().for_each(out),
            Some(time) => {
                let held = self.held.split_off(&(false, time, 0, 0));
                std::mem::replace(&mut self.held, held).into_values().for_each(out);
            }
        }
    }

    /// Gives out the rest.
    pub fn finish(self, out: &mut dyn FnMut(Detection)) {
        self.held.into_values().chain(self.last).for_each(out);
    }
}

impl Found for InOrder<'_> {
    fn found(&mut self, detection: Detection, last: bool) {
        if last {
            self.last.push(detection);
            return;
        }
        self.came += 1;
        let (absent, time) = (detection.time.is_none(), detection.time.unwrap_or(0));
        let place = (absent, time, self.engine.rank(detection.rule), self.came);
        self.held.insert(place, detection);
    }
}

/// Within a moment, the hits of one rule that have equal time and tiebreaker, puts the events of one log of one host in the
/// order of their record numbers, in the places that they hold together. So the order is total, whatever stands between them.
fn by_record_number(moment: Vec<Hit>) -> Vec<Hit> {
    let mut events: Vec<Vec<Hit>> = Vec::new();
    for hit in moment {
        match events.last_mut() {
            Some(hits) if hits.last().is_some_and(|last| of_one_event(last, &hit)) => hits.push(hit),
            _ => events.push(vec![hit]),
        }
    }
    let series = |event: &Vec<Hit>| event.first().and_then(|hit| hit.series);
    let mut places: FxHashMap<u64, Vec<usize>> = FxHashMap::default();
    for (place, event) in events.iter().enumerate() {
        if let Some(series) = series(event) {
            places.entry(series.origin).or_default().push(place);
        }
    }
    let mut moves: Vec<(usize, Vec<Hit>)> = Vec::new();
    for places in places.into_values().filter(|places| places.len() > 1) {
        let take = |place: &usize| events.get_mut(*place).map(std::mem::take);
        let mut group: Vec<Vec<Hit>> = places.iter().filter_map(take).collect();
        group.sort_by_key(|event| series(event).map(|series| series.number));
        moves.extend(places.into_iter().zip(group));
    }
    for (place, event) in moves {
        if let Some(emptied) = events.get_mut(place) {
            *emptied = event;
        }
    }
    events.into_iter().flatten().collect()
}

/// Of two hits of one rule.
fn of_one_event(a: &Hit, b: &Hit) -> bool {
    (a.record.source, a.record.position) == (b.record.source, b.record.position)
}

/// The later of two times; an absent one is the latest.
pub(crate) fn later(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    if absent_last(&a, &b).is_lt() { b } else { a }
}

fn absent_last<T: Ord>(a: &Option<T>, b: &Option<T>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => a.cmp(b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}

#[cfg(test)]
mod tests {
    use super::by_record_number;
    use crate::hit::{Hit, Series};
    use quell_event::{Position, RecordRef, RecordText};

    fn hit(offset: u64, series: Option<(u64, u64)>) -> Hit {
        let position = Position { offset, number: offset };
        Hit {
            rule: 0,
            step: 0,
            keys: Box::default(),
            time: Some(5),
            tiebreaker: None,
            series: series.map(|(origin, number)| Series { origin, number }),
            member: "m".into(),
            captures: Box::default(),
            facts: None,
            aliased: None,
            held_by: None,
            record: RecordRef { source: 0, position, text: RecordText::Reread(1) },
        }
    }

    #[test]
    fn record_numbers_order_what_one_log_wrote_at_one_time() {
        // Logs 1 and 2 stand mixed; a hit without a log keeps its place.
        let hits = vec![
            hit(0, Some((1, 30))),
            hit(1, Some((2, 8))),
            hit(2, None),
            hit(3, Some((1, 10))),
            hit(4, Some((2, 7))),
            hit(5, Some((1, 20))),
        ];
        let offsets: Vec<u64> = by_record_number(hits).iter().map(|hit| hit.record.position.offset).collect();
        assert_eq!(offsets, [3, 4, 2, 5, 1, 0]);
    }
}
