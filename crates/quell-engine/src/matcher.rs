//! Matching: one pass over one event that finds the steps it satisfies.
//!
//! Gates choose the partitions, witnesses the candidates, flat conditions the hits. Nothing is cleared between events, and
//! an event that hits nothing allocates nothing once buffers have grown.

use crate::compile::{Engine, How, Step};
use crate::gate::Masks;
use crate::hit::{EventFacts, Hit};
use crate::index_patterns::IndexCache;
use crate::join_key::{self, Keys};
use crate::object::{Level, Matched, Shared};
use crate::program::Program;
use crate::residual::Facts;
use crate::stats::MatchStats;
use crate::term_index::TermScratch;
use crate::text_index::TextScratch;
use crate::truth::{Marks, PredicateId, Truth};
use bumpalo::Bump;
use quell_event::{Event, EventState, RecordRef, RecordText};
use quell_ir::eval;
use rustc_hash::FxHashMap;
use std::cell::{Cell, RefCell};

/// How many combinations of gate values are remembered; data that makes up more of them is answered anew.
const MOST_LIVE: usize = 4096;

/// What one thread needs to match events. Made by [`Engine::matcher`].
pub struct Matcher<'e> {
    engine: &'e Engine,
    answers: Answers<'e>,
    fired: Vec<PredicateId>,
    /// Steps that were looked at for the present event.
    looked_at: Marks,
    live: LiveSteps,
    index: IndexCache,
    stats: MatchStats,
}

impl<'e> Matcher<'e> {
    pub(crate) fn new(engine: &'e Engine) -> Self {
        Matcher {
            engine,
            answers: Answers::new(engine),
            fired: Vec::new(),
            looked_at: Marks::new(engine.steps.len()),
            live: LiveSteps::default(),
            index: IndexCache::default(),
            stats: MatchStats {
                hits: vec![0; engine.rules.len()],
                held: vec![0; engine.holds.len()],
                ..Default::default()
            },
        }
    }

    /// Appends the event's hits to `hits`. `record` says how to have the record again; it is called at most once, at the
    /// first hit. The event has a slot for each of [`Engine::fields`].
    pub fn match_event(
        &mut self,
        event: &mut Event<'_>,
        record: &mut dyn FnMut() -> RecordRef,
        hits: &mut Vec<Hit>,
    ) {
        let engine = self.engine;
        self.stats.events += 1;
        self.stats.without_index += u64::from(engine.index.is_nameless(event));
        self.answers.begin();
        self.looked_at.begin();
        self.fired.clear();

        let masks = engine.discriminators.masks(event);
        let live = self.live.of(engine, masks);
        for field in &live.text {
            self.answers.run(*field, event, &mut |id| self.fired.push(id));
        }
        for id in &live.single {
            if self.answers.test(*id, event) {
                self.fired.push(*id);
            }
        }

        let witnessed =
            self.fired.iter().filter_map(|id| engine.tests.get(id.index())).flat_map(|test| &test.witnessed);
        let mut facts = None;
        let (without_time, keys_cut) = (self.stats.without_time, self.stats.keys_cut);
        for number in live.always.iter().chain(witnessed) {
            let Some(step) = engine.steps.get(*number as usize) else { continue };
            if !step.gate.admits(&masks) || !self.looked_at.set(*number as usize) {
                continue;
            }
            self.stats.candidates += 1;
            if !step.program.run(|id| self.answers.test(id, event)) {
                continue;
            }
            if let Some(list) = step.index
                && !self.index.matches(&engine.index, list, event)
            {
                self.stats.other_index += 1;
                continue;
            }
            hits.extend(hit(step, &mut facts, event, record, &mut self.answers, &mut self.stats));
        }
        // Events are counted, not their hits.
        self.stats.without_time = self.stats.without_time.min(without_time + 1);
        self.stats.keys_cut = self.stats.keys_cut.min(keys_cut + 1);
    }

    /// What was counted so far.
    #[must_use]
    pub fn stats(&self) -> MatchStats {
        MatchStats { cut: self.answers.cut, ..self.stats.clone() }
    }
}

/// The hit of an event that satisfies a step's condition, or may satisfy it, unless it has no key for it or no place in
/// time.
#[cold]
fn hit(
    step: &Step,
    event_facts: &mut Option<EventFacts>,
    event: &mut Event<'_>,
    record: &mut dyn FnMut() -> RecordRef,
    answers: &mut Answers<'_>,
    stats: &mut MatchStats,
) -> Option<Hit> {
    let engine = answers.engine;
    let rule = engine.rules.get(step.rule as usize);
    let reads = rule.map_or(&engine.fact_reads, |rule| &rule.reads);
    let keys = match &step.keys {
        Some(fields) => {
            let keys = join_key::keys(fields, event);
            if keys.list.is_empty() {
                stats.without_key += 1;
                return None;
            }
            keys
        }
        None => match rule.and_then(|rule| rule.lookup.as_ref()) {
            Some(lookup) => {
                let matches = lookup.matches(event);
                if matches.list.is_empty() {
                    return None;
                }
                matches
            }
            None => Keys::default(),
        },
    };
    let mut ask = |program: &Program, event: &mut Event<'_>| program.run(|id| answers.test(id, event));
    let facts = step.residual.as_ref().map(|residual| residual.facts(event, &mut ask));
    let has_process = || facts.as_ref().and_then(Facts::process).is_some_and(|ids| ids.entity.is_some());
    if rule.is_none() && !has_process() {
        return None; // a fact of no process
    }
    if rule.is_none_or(|rule| rule.join.needs_time()) && reads.time_of(event).is_none() {
        stats.without_time += 1;
        return None;
    }
    stats.keys_cut += u64::from(keys.cut);
    let held_by = if engine.holds.any(step.rule) {
        let time = reads.time_of(event);
        engine.holds.covering(step.rule, time, |id| answers.test(id, event))
    } else {
        None
    };
    if let Some(number) = held_by {
        if let Some(count) = stats.held.get_mut(number as usize) {
            *count += 1;
        }
        if !engine.show_held {
            return None;
        }
    }
    let known = event_facts.get_or_insert_with(|| EventFacts::new(event, &engine.member, record()));
    let mut hit = known.hit(step, keys.list, facts, reads, event);
    hit.held_by = held_by;
    match stats.hits.get_mut(step.rule as usize) {
        Some(_) if held_by.is_some() => {}
        Some(count) => *count += 1,
        // Nobody will have the record of a fact again.
        None => hit.record.text = RecordText::Reread(0),
    }
    Some(hit)
}

/// The steps that events of one combination of gate values may satisfy, merged from their partitions.
#[derive(Debug, Default)]
struct Live {
    always: Vec<u32>,
    text: Vec<u32>,
    single: Vec<PredicateId>,
}

impl Live {
    fn new(engine: &Engine, masks: &Masks) -> Live {
        let mut live = Live::default();
        for partition in engine.partitions.iter().filter(|partition| partition.gate.admits(masks)) {
            live.always.extend(&partition.always);
            live.text.extend(&partition.text);
            live.single.extend(&partition.single);
        }
        live.text.sort_unstable();
        live.text.dedup();
        live.single.sort_unstable();
        live.single.dedup();
        live
    }
}

/// Live steps by gate values. Neighbouring events are often of one kind, so the last answer is tried first.
#[derive(Debug, Default)]
struct LiveSteps {
    known: FxHashMap<Masks, usize>,
    sets: Vec<Live>,
    last: Option<(Masks, usize)>,
}

impl LiveSteps {
    fn of(&mut self, engine: &Engine, masks: Masks) -> &Live {
        let at = match self.last {
            Some((last, at)) if last == masks => at,
            _ => match self.known.get(&masks) {
                Some(at) => *at,
                None => self.insert(engine, masks),
            },
        };
        self.last = Some((masks, at));
        static NOTHING: Live = Live { always: Vec::new(), text: Vec::new(), single: Vec::new() };
        self.sets.get(at).unwrap_or(&NOTHING)
    }

    #[cold]
    fn insert(&mut self, engine: &Engine, masks: Masks) -> usize {
        if self.sets.len() >= MOST_LIVE {
            self.known.clear();
            self.sets.clear();
        }
        let at = self.sets.len();
        self.sets.push(Live::new(engine, &masks));
        self.known.insert(masks, at);
        at
    }
}

/// The answers of predicates for the present event, found when they are first asked for.
struct Answers<'e> {
    engine: &'e Engine,
    truth: Truth,
    /// Fields whose text predicates have all been answered: those that are not true are false.
    done: Marks,
    text: TextScratch,
    /// The same of fields whose terms were tested.
    terms_done: Marks,
    terms: TermScratch,
    arena: Bump,
    buffers: RefCell<Vec<EventState>>,
    cut: u64,
}

impl<'e> Answers<'e> {
    fn new(engine: &'e Engine) -> Self {
        let literals = engine.text.iter().map(|field| field.index.literals()).max();
        Answers {
            engine,
            truth: Truth::new(engine.tests.len()),
            done: Marks::new(engine.text.len()),
            text: TextScratch::new(literals.unwrap_or(0)),
            terms_done: Marks::new(engine.terms.len()),
            terms: TermScratch::default(),
            arena: Bump::new(),
            buffers: RefCell::default(),
            cut: 0,
        }
    }

    fn begin(&mut self) {
        self.truth.begin();
        self.done.begin();
        self.terms_done.begin();
    }

    /// Answers all text predicates of a field, unless that was done; `fired` is called for those that are true.
    fn run(&mut self, field: u32, event: &mut Event<'_>, fired: &mut dyn FnMut(PredicateId)) {
        if !self.done.set(field as usize) {
            return;
        }
        if let Some(field) = self.engine.text.get(field as usize) {
            let values = event.values(field.slot);
            if !values.is_empty() {
                field.index.run(values.iter(), &mut self.text, &mut self.truth, fired);
            }
        }
    }

    /// Answers all tests of a field's terms, unless that was done.
    fn run_terms(&mut self, field: u32, event: &mut Event<'_>) {
        if !self.terms_done.set(field as usize) {
            return;
        }
        if let Some((slot, index)) = self.engine.terms.get(field as usize) {
            index.run(event.values(*slot).iter(), &mut self.terms, &mut self.truth);
        }
    }

    #[inline]
    fn test(&mut self, id: PredicateId, event: &mut Event<'_>) -> bool {
        match self.truth.get(id) {
            Some(answer) => answer,
            None => {
                let answer = self.ask(id, event);
                self.truth.set(id, answer);
                answer
            }
        }
    }

    fn ask(&mut self, id: PredicateId, event: &mut Event<'_>) -> bool {
        let Some(test) = self.engine.tests.get(id.index()) else { return false };
        match &test.how {
            How::Text(field) => {
                self.run(*field, event, &mut |_| ());
                self.truth.get(id) == Some(true)
            }
            How::Terms(field) => {
                self.run_terms(*field, event);
                self.truth.get(id) == Some(true)
            }
            How::Elements(slot) => event.values(*slot).iter().any(|value| test.predicate.test_datum(value)),
            How::Exists { slot, objects: true } => !event.values(*slot).is_empty(),
            // Another rule may have asked for the objects of this field.
            How::Exists { slot, objects: false } => event.values(*slot).iter().any(|value| !value.is_null()),
            How::Evaluated(slots) => {
                for slot in slots {
                    event.prepare(*slot);
                }
                self.arena.reset();
                let matched = Matched { event, fields: self.engine.fields() };
                let shared = Shared {
                    root: &matched,
                    plans: &self.engine.objects,
                    arena: &self.arena,
                    buffers: &self.buffers,
                    cut: Cell::new(false),
                };
                let outcome = eval::predicate(&test.predicate, &Level::root(&shared), &self.arena);
                self.cut += u64::from(outcome.cut || shared.cut.get());
                outcome.holds
            }
        }
    }
}
