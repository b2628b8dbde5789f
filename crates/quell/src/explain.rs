//! An explanation: one rule over inputs, and all that happens on the way to its alerts or away from them.
//!
//! What happens is told as it happens and not kept, so memory is that of a scan. How single events stand to each part of the
//! rule is found while they are matched.

use crate::pipeline::Progress;
use crate::scan::{NotRun, Report, Scan, ScanOptions};
use quell_engine::{
    Correlator, Counted, Detection, Found, Hit, HitRuns, Key, Merged, Remembered, SpillError, Step, Trace,
    Verdict, Why,
};
use quell_eql::ast;
use quell_event::{Event, RecordRef, Slot};
use quell_ir::logic::Threshold;
use quell_ir::printed::Printed;
use quell_ir::{EventFilter, Logic, Query, Scope, Span, Value};
use quell_rules::{CompileOptions, FileFinding, Outcome, Rule, compile_rule};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Events of one identity whose verdicts are kept.
const MOST_EVENTS: usize = 16;

/// One rule, ready to be explained.
pub struct Explain {
    scan: Scan,
    query: Query,
    text: String,
    /// How often each test is denied by `not` directly in front of it.
    denied: HashMap<Span, usize>,
    parts: Vec<Part>,
    /// The part of each place of a sequence, and of each gap.
    places: Vec<usize>,
    gaps: Vec<usize>,
}

/// Why a rule cannot be explained.
#[derive(Debug)]
pub enum NotExplained {
    /// It is wrong.
    Refused(Vec<FileFinding>),
    /// It is right but cannot run yet.
    NotRun(NotRun),
}

/// A part of a rule: a condition on one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is to the rule.
    pub kind: PartKind,
    /// Its condition as it is written, from the category on.
    pub text: String,
    /// How often it must come.
    pub runs: u32,
    /// Its join keys.
    pub by: Vec<Arc<str>>,
}

/// What a part is to its rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartKind {
    /// All of it: an event rule has this one.
    Event,
    /// A step of a sequence that must come.
    Step,
    /// A step of a sequence that must not come.
    Missing,
    /// What ends the pending sequences.
    Until,
    /// A filter of a sample.
    Filter,
}

/// To what an explanation is limited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Focus {
    /// The event of this identity, as alerts show it, and all that shares a key with it.
    pub event: Option<String>,
    /// Join fields and the values that they must have; of one field any.
    pub keys: Vec<(String, String)>,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Told<'t> {
    /// To the sequences of a key, at a time in nanoseconds since 1970.
    Happened {
        /// The values of the join fields.
        key: &'t Key,
        /// When.
        time: i64,
        /// What.
        step: Step,
    },
    /// An event satisfied a filter of a sample.
    Matched {
        /// The values of the join fields.
        key: &'t Key,
        /// The number of the filter.
        part: usize,
        /// The event.
        hit: &'t Hit,
    },
    /// A threshold rule counted an event in a group.
    Counted {
        /// The values of the group.
        key: &'t Key,
        /// When, in nanoseconds since 1970.
        time: i64,
        /// What it has counted.
        counted: &'t Counted,
    },
    /// A new terms rule met values.
    Remembered {
        /// The values.
        key: &'t Key,
        /// When, in nanoseconds since 1970.
        time: i64,
        /// What it knows of them.
        remembered: &'t Remembered,
    },
    /// A sequence, sample or event was found, the rule's pipes considered.
    Found(&'t Detection),
}

/// Takes what happens.
pub type ToldSink<'a> = dyn FnMut(Told<'_>) + 'a;

/// What came to each part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartCounts {
    /// Events that satisfied its condition, as far as the event alone can tell.
    pub matched: u64,
    /// Sequences that came up to here.
    pub reached: u64,
    /// Sequences that waited behind it and were replaced by newer ones.
    pub replaced: u64,
    /// Events that came here, but nothing waited for them.
    pub nothing: u64,
    /// Events that came here, but did not go with the events before them.
    pub unlike: u64,
    /// Events that came here later than `maxspan`.
    pub too_long: u64,
    /// Sequences that waited behind it and were ended by `until`.
    pub ended: u64,
    /// Sequences that waited behind it for what never came.
    pub left: u64,
}

/// An event that was looked for.
#[derive(Clone, Debug)]
pub struct SeenEvent {
    /// Its identity.
    pub id: String,
    /// Its time, in nanoseconds since 1970.
    pub time: Option<i64>,
    /// How to have its record again.
    pub record: RecordRef,
    /// How it stands to each part of the rule.
    pub verdicts: Vec<PartVerdict>,
}

/// How an event stands to a part.
#[derive(Clone, Debug)]
pub struct PartVerdict {
    /// Whether it takes part; none if other events decide.
    pub holds: Option<bool>,
    /// The condition.
    pub reason: Reason,
    /// What keeps it out although the condition may hold.
    pub kept_out: Vec<KeptOut>,
    /// The keys that it takes part with.
    pub keys: Vec<Key>,
}

/// What keeps an event out of a rule whatever its condition says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeptOut {
    /// The rule's index patterns match none of its index names.
    Index,
    /// The rule is for other operating systems.
    System,
    /// It has no time.
    Time,
    /// It has no value for a join field.
    Key,
    /// The exception of that name covers it.
    Exception(String),
}

/// A condition, or a piece of one, with its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    /// What it is made of.
    pub kind: ReasonKind,
    /// Whether it holds; none if other events decide.
    pub holds: Option<bool>,
    /// The pieces of `and`, `or` and `not`.
    pub parts: Vec<Reason>,
}

/// What a condition is made of.
#[derive(Clone, Debug, PartialEq)]
pub enum ReasonKind {
    /// All of its parts.
    And,
    /// Any of its parts.
    Or,
    /// Not its part.
    Not,
    /// Nothing that an event could change.
    Constant,
    /// One test.
    Test {
        /// As it is written, with a `not` in front.
        text: String,
        /// The fields that it reads and the values that they have.
        read: Vec<(Arc<str>, Vec<Value>)>,
    },
}

/// What became of a rule.
pub struct Explanation {
    /// What was read, as of a scan.
    pub report: Report,
    /// What came to each part.
    pub counts: Vec<PartCounts>,
    /// Of each part the fields that no event had.
    pub absent: Vec<Vec<Arc<str>>>,
    /// The events that were looked for, as many as are kept.
    pub events: Vec<SeenEvent>,
    /// What was found: events, sequences or samples, the rule's pipes considered.
    pub found: u64,
    /// Sequences that were complete but refuted by what must not come.
    pub refuted: u64,
    /// Hits that the rule's index patterns left out.
    pub outside_index: u64,
    /// Hits that were left out because a join field has no value.
    pub without_key: u64,
}

impl Explain {
    /// Compiles a rule.
    ///
    /// # Errors
    /// It is refused, or cannot run yet.
    pub fn new(
        rule: Rule,
        compile: &CompileOptions<'_>,
        options: ScanOptions,
    ) -> Result<Explain, NotExplained> {
        let compile = &CompileOptions { indicators_now: options.indicators.now(), ..*compile };
        let query = match compile_rule(&rule, compile) {
            Outcome::Runs { query, .. } => Some(query),
            Outcome::NotRunYet { .. } | Outcome::Refused(_) => None,
        };
        let text = rule.query.as_ref().map(|query| query.text.clone()).unwrap_or_default();
        let dialect = compile.dialect.unwrap_or_else(|| rule.origin.format.dialect());
        let scan = Scan::new(vec![rule], compile, options);
        if let Some(not_run) = scan.not_run().first() {
            return Err(NotExplained::NotRun(not_run.clone()));
        }
        let Some(query) = query else { return Err(NotExplained::Refused(scan.findings().to_vec())) };
        let mut denied = HashMap::new();
        if let Ok(tree) = quell_eql::parse(&text, dialect) {
            each_condition(&tree, &mut |condition| count_denials(condition, 0, &mut denied));
        }
        let parts = parts_of(&query, &text);
        let (places, gaps) = places_of(&parts);
        Ok(Explain { scan, query, text, denied, parts, places, gaps })
    }

    /// The rule.
    #[must_use]
    pub fn rule(&self) -> Option<&Arc<Rule>> {
        self.scan.engine().rule(0)
    }

    /// What was found while compiling it.
    #[must_use]
    pub fn findings(&self) -> &[FileFinding] {
        self.scan.findings()
    }

    /// Its parts, in the order in which they are written.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The part of the event at that place of a sequence.
    #[must_use]
    pub fn part_of_place(&self, place: usize) -> usize {
        self.places.get(place).copied().unwrap_or(0)
    }

    /// The first part that must not come in that gap of a sequence.
    #[must_use]
    pub fn part_of_gap(&self, gap: usize) -> usize {
        self.gaps.get(gap).copied().unwrap_or(0)
    }

    /// How many events a sequence has that is complete.
    #[must_use]
    pub fn places(&self) -> usize {
        self.places.len()
    }

    /// The longest time from the first event of a sequence to its last.
    #[must_use]
    pub fn maxspan(&self) -> Option<Duration> {
        match &self.query.logic {
            Logic::Sequence(sequence) => sequence.maxspan,
            Logic::Event(_)
            | Logic::Sample(_)
            | Logic::Join(_)
            | Logic::Threshold(_)
            | Logic::NewTerms(_)
            | Logic::ThreatMatch(_) => None,
        }
    }

    /// What a threshold rule counts.
    #[must_use]
    pub fn threshold(&self) -> Option<&Threshold> {
        match &self.query.logic {
            Logic::Threshold(threshold) => Some(threshold),
            _ => None,
        }
    }

    /// Whether it counts or remembers.
    #[must_use]
    pub fn counts(&self) -> bool {
        matches!(self.query.logic, Logic::Threshold(_) | Logic::NewTerms(_))
    }

    /// How long a new terms rule remembers.
    #[must_use]
    pub fn history(&self) -> Option<Duration> {
        match &self.query.logic {
            Logic::NewTerms(terms) => Some(terms.history),
            _ => None,
        }
    }

    /// The join fields, by their place in a key; where parts differ, each name.
    #[must_use]
    pub fn join_fields(&self) -> Vec<Vec<Arc<str>>> {
        let longest = self.parts.iter().map(|part| part.by.len()).max().unwrap_or(0);
        let names = |place: usize| {
            let mut names: Vec<Arc<str>> = Vec::new();
            for name in self.parts.iter().filter_map(|part| part.by.get(place)) {
                if !names.contains(name) {
                    names.push(Arc::clone(name));
                }
            }
            names
        };
        (0..longest).map(names).collect()
    }

    /// Finds the inputs that `paths` name, runs the rule over them, and tells `sink` what happens within the focus, in order.
    /// A focus on a field that is no join field has nothing in it.
    pub fn run_to<P: AsRef<Path>>(
        &self,
        paths: &[P],
        focus: &Focus,
        progress: &dyn Progress,
        sink: &mut ToldSink<'_>,
    ) -> Explanation {
        let watch = || Some(Watch::new(self, focus));
        let (report, rest) = self.scan.match_then(paths, progress, &watch, |report, workers, matched| {
            let (mut present, mut events, mut keys) = (BTreeMap::new(), Vec::new(), Vec::new());
            let mut runs = Vec::new();
            for worker in workers {
                let (hits, watch) = worker.into_parts();
                runs.push(hits);
                if let Some(watch) = watch {
                    for (path, n) in watch.present {
                        *present.entry(path).or_insert(0u64) += n;
                    }
                    events.extend(watch.events);
                    keys.extend(watch.keys);
                }
            }
            events.sort_by_key(|event: &SeenEvent| (event.record.source, event.record.position));
            events.truncate(MOST_EVENTS);
            let mut listener = Listener {
                explain: self,
                wanted: Wanted::new(self, focus, keys),
                counts: vec![PartCounts::default(); self.parts.len()],
                refuted: 0,
                sink,
            };
            let (found, errors, cut) = self.correlate(self.scan.began(report), runs, &mut listener);
            report.spill_errors = errors;
            report.stats.tests_cut += cut;
            let absent = self.absent(&present);
            (
                listener.counts,
                listener.refuted,
                found,
                absent,
                events,
                matched.other_index,
                matched.without_key,
            )
        });
        let (counts, refuted, found, absent, events, outside_index, without_key) = rest;
        Explanation { report, counts, absent, events, found, refuted, outside_index, without_key }
    }

    fn correlate(
        &self,
        began: Option<i64>,
        runs: Vec<HitRuns<'_>>,
        listener: &mut Listener<'_, '_>,
    ) -> (u64, Vec<SpillError>, u64) {
        let engine = self.scan.engine();
        let mut correlator = Correlator::new(engine);
        if let Some(time) = began {
            correlator.begin(time);
        }
        let mut found = Detections::default();
        let mut hits = Merged::new(engine, runs);
        for hit in &mut hits {
            if engine.fact_of(hit.rule).is_none() {
                listener.hit(&hit);
            }
            correlator.push(hit, &mut found, listener);
            found.tell(listener);
        }
        let cut = correlator.finish(&mut found, listener).tests_cut;
        found.tell(listener);
        (found.total, hits.take_errors(), cut)
    }

    fn filters(&self) -> impl Iterator<Item = &EventFilter> {
        self.query.filters().into_iter().map(|(filter, _)| filter)
    }

    /// Of each part the fields that are in no event.
    fn absent(&self, present: &BTreeMap<Arc<str>, u64>) -> Vec<Vec<Arc<str>>> {
        let of_part = |(filter, part): (&EventFilter, &Part)| {
            let mut fields = part.by.clone();
            fields.extend(filter.category.iter().map(|category| Arc::clone(&category.field.path)));
            filter.condition.each_leaf(&mut |leaf| {
                leaf.predicate.each_field(&mut |field| {
                    if field.scope == Scope::Event {
                        fields.push(Arc::clone(&field.path));
                    }
                });
            });
            fields.sort_unstable();
            fields.dedup();
            fields.retain(|path| present.get(path).is_none_or(|n| *n == 0));
            fields
        };
        self.filters().zip(&self.parts).map(of_part).collect()
    }

    fn verdict(&self, step: u16, filter: &EventFilter, event: &mut Event<'_>) -> Option<PartVerdict> {
        let verdict = self.scan.engine().verdict(0, step, filter, event)?;
        let without_key = verdict.keys.as_ref().is_some_and(|keys| keys.is_empty());
        let kept_out = [
            (!verdict.index, KeptOut::Index),
            (!verdict.system, KeptOut::System),
            (!verdict.time, KeptOut::Time),
            (without_key, KeptOut::Key),
        ];
        Some(PartVerdict {
            holds: verdict.holds(),
            kept_out: kept_out
                .into_iter()
                .filter_map(|(out, why)| out.then_some(why))
                .chain(verdict.exception.clone().map(KeptOut::Exception))
                .collect(),
            keys: verdict.keys.iter().flatten().cloned().collect(),
            reason: self.reason(&verdict, filter),
        })
    }

    /// The category's test, then the condition.
    fn reason(&self, verdict: &Verdict, filter: &EventFilter) -> Reason {
        let condition = self.piece(&verdict.condition);
        let Some(test) = &verdict.category else { return condition };
        let text = filter.span.text(&self.text);
        let category = text.find("where").and_then(|at| text.get(..at + "where".len())).unwrap_or(text);
        let kind = ReasonKind::Test { text: one_line(category), read: test.read.clone() };
        let mut parts = vec![Reason { kind, holds: test.holds, parts: Vec::new() }];
        match condition.kind {
            ReasonKind::And => parts.extend(condition.parts),
            ReasonKind::Constant if condition.holds == Some(true) => {}
            _ => parts.push(condition),
        }
        joined(ReasonKind::And, parts)
    }

    fn piece(&self, why: &Why) -> Reason {
        let holds = why.holds();
        if let Some(test) = self.test(why) {
            return test;
        }
        let of = |parts: &[Why]| parts.iter().map(|part| self.piece(part)).collect();
        let (kind, parts) = match why {
            Why::Constant(_) | Why::Test(_) => (ReasonKind::Constant, Vec::new()),
            Why::All(parts) => (ReasonKind::And, of(parts)),
            Why::Any(parts) => (ReasonKind::Or, of(parts)),
            Why::Not(inner) => (ReasonKind::Not, vec![self.piece(inner)]),
        };
        Reason { kind, holds, parts }
    }

    /// What is one test as it is written: perhaps several predicates, perhaps with a `not` that the text has in it or before it.
    fn test(&self, why: &Why) -> Option<Reason> {
        let (inner, negated) = match why {
            Why::Not(inner) => (&**inner, true),
            other => (other, false),
        };
        let tests = match inner {
            Why::Test(test) => vec![test],
            Why::Any(parts) => parts
                .iter()
                .map(|part| if let Why::Test(test) = part { Some(test) } else { None })
                .collect::<Option<Vec<_>>>()?,
            _ => return None,
        };
        let (first, others) = tests.split_first()?;
        if others.iter().any(|test| test.span != first.span) {
            return None;
        }
        // A test that does not stand alone in the text: the answer is then that of the predicate.
        let denied = self.denied.get(&first.span).copied().unwrap_or(usize::from(negated));
        let text = format!("{}{}", "not ".repeat(denied), one_line(first.span.text(&self.text)));
        let mut read = first.read.clone();
        for (path, values) in others.iter().flat_map(|test| &test.read) {
            if !read.iter().any(|(known, _)| known == path) {
                read.push((Arc::clone(path), values.clone()));
            }
        }
        Some(Reason { kind: ReasonKind::Test { text, read }, holds: why.holds(), parts: Vec::new() })
    }
}

fn joined(kind: ReasonKind, mut parts: Vec<Reason>) -> Reason {
    if parts.len() == 1
        && let Some(only) = parts.pop()
    {
        return only;
    }
    let holds = match parts.iter().find(|part| part.holds == Some(false)) {
        Some(_) => Some(false),
        None => parts.iter().all(|part| part.holds.is_some()).then_some(true),
    };
    Reason { kind, holds, parts }
}

/// The text with each run of white space made one blank.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn parts_of(query: &Query, text: &str) -> Vec<Part> {
    let part = |kind, filter: &EventFilter, runs, by: &[quell_ir::logic::JoinKey]| Part {
        kind,
        text: one_line(filter.span.text(text)),
        runs,
        by: by.iter().map(|key| Arc::clone(&key.field.path)).collect(),
    };
    match &query.logic {
        Logic::Event(filter) => vec![part(PartKind::Event, filter, 1, &[])],
        Logic::Sequence(sequence) => {
            let step = |step: &quell_ir::logic::Step| {
                let kind = if step.missing { PartKind::Missing } else { PartKind::Step };
                part(kind, &step.filter, step.runs, &step.by)
            };
            let until = sequence.until.iter().map(|step| part(PartKind::Until, &step.filter, 1, &step.by));
            sequence.steps.iter().map(step).chain(until).collect()
        }
        Logic::Sample(steps) => {
            steps.iter().map(|step| part(PartKind::Filter, &step.filter, 1, &step.by)).collect()
        }
        Logic::Join(join) => {
            let until = join.until.iter().map(|step| part(PartKind::Until, &step.filter, 1, &step.by));
            let filters = join.steps.iter().map(|step| part(PartKind::Filter, &step.filter, 1, &step.by));
            filters.chain(until).collect()
        }
        Logic::Threshold(threshold) => {
            vec![part(PartKind::Event, &threshold.filter, 1, &threshold.by)]
        }
        Logic::NewTerms(terms) => vec![part(PartKind::Event, &terms.filter, 1, &terms.terms)],
        Logic::ThreatMatch(threat) => vec![part(PartKind::Event, &threat.filter, 1, &[])],
    }
}

/// The part of each place, and the first part of each gap.
fn places_of(parts: &[Part]) -> (Vec<usize>, Vec<usize>) {
    let (mut places, mut gaps) = (Vec::new(), Vec::new());
    for (number, part) in parts.iter().enumerate() {
        match part.kind {
            PartKind::Step => places.extend(std::iter::repeat_n(number, part.runs as usize)),
            PartKind::Missing => {
                let gap = places.len();
                // Gaps without such a part are never asked for.
                while gaps.len() <= gap {
                    gaps.push(number);
                }
            }
            PartKind::Event | PartKind::Until | PartKind::Filter => {}
        }
    }
    (places, gaps)
}

fn each_condition(query: &ast::Query, visit: &mut dyn FnMut(&ast::Expr)) {
    match &query.body {
        ast::Body::Event(filter) => visit(&filter.condition),
        ast::Body::Sequence(sequence) => {
            let steps = sequence.steps.iter().chain(sequence.until.as_deref());
            steps.for_each(|step| visit(&step.filter.condition));
        }
        ast::Body::Sample(sample) => sample.steps.iter().for_each(|step| visit(&step.filter.condition)),
        ast::Body::Join(join) => join.steps.iter().for_each(|step| visit(&step.filter.condition)),
    }
}

/// Notes of each test how many `not` stand before it and before no other.
fn count_denials(condition: &ast::Expr, denied: usize, found: &mut HashMap<Span, usize>) {
    match &condition.kind {
        ast::ExprKind::Paren(inner) => count_denials(inner, denied, found),
        ast::ExprKind::Not(inner) => count_denials(inner, denied + 1, found),
        ast::ExprKind::And(parts) | ast::ExprKind::Or(parts) => {
            parts.iter().for_each(|part| count_denials(part, 0, found));
        }
        _ => _ = found.insert(condition.span, denied),
    }
}

/// Looks at events while they are matched, on one thread.
pub(crate) struct Watch<'w> {
    explain: &'w Explain,
    wanted: Option<&'w str>,
    slots: Vec<(Arc<str>, Slot)>,
    present: Vec<(Arc<str>, u64)>,
    events: Vec<SeenEvent>,
    keys: Vec<Key>,
    /// Whether the present event is one that is looked for.
    here: bool,
}

impl<'w> Watch<'w> {
    fn new(explain: &'w Explain, focus: &'w Focus) -> Watch<'w> {
        let fields = explain.scan.engine().fields();
        let paths = explain.query.fields();
        let slots: Vec<_> =
            paths.into_iter().filter_map(|path| Some((path.clone(), fields.get(&path)?))).collect();
        let present = slots.iter().map(|(path, _)| (Arc::clone(path), 0)).collect();
        let wanted = focus.event.as_deref();
        Watch { explain, wanted, slots, present, events: Vec::new(), keys: Vec::new(), here: false }
    }

    /// Before the event is matched.
    pub(crate) fn event(
        &mut self,
        time: Option<i64>,
        event: &mut Event<'_>,
        record: &mut dyn FnMut() -> RecordRef,
    ) {
        for ((_, slot), (_, n)) in self.slots.iter().zip(&mut self.present) {
            *n += u64::from(!event.values(*slot).is_empty());
        }
        self.here = false;
        let Some(wanted) = self.wanted else { return };
        let id = self.explain.scan.engine().identity(event);
        self.here = is_identity(wanted, id.as_str());
        if self.here && self.events.len() < MOST_EVENTS {
            let filters = (0..).zip(self.explain.filters());
            let verdicts =
                filters.filter_map(|(step, filter)| self.explain.verdict(step, filter, event)).collect();
            let id = id.as_str().to_owned();
            self.events.push(SeenEvent { id, time, record: record(), verdicts });
        }
    }

    /// The hits of the event.
    pub(crate) fn hits(&mut self, hits: &[Hit]) {
        if self.here {
            self.keys.extend(hits.iter().flat_map(|hit| hit.keys.iter().cloned()));
        }
    }
}

/// Whether an event of that identity is meant; of equal records alerts number all but the first.
fn is_identity(wanted: &str, id: &str) -> bool {
    let numbered = |n: &str| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit());
    wanted == id || wanted.strip_prefix(id).and_then(|rest| rest.strip_prefix('#')).is_some_and(numbered)
}

/// The keys that are told of.
struct Wanted<'f> {
    /// Those of the event, if one is looked for.
    event: Option<HashSet<Key>>,
    /// The places of a field in keys, and its values.
    fields: Vec<(Vec<usize>, Vec<&'f str>)>,
}

impl<'f> Wanted<'f> {
    fn new(explain: &Explain, focus: &'f Focus, keys: Vec<Key>) -> Wanted<'f> {
        let join_fields = explain.join_fields();
        let mut by_name: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, value) in &focus.keys {
            by_name.entry(name).or_default().push(value);
        }
        let places = |name: &str| -> Vec<usize> {
            let named =
                join_fields.iter().enumerate().filter(|(_, names)| names.iter().any(|own| **own == *name));
            named.map(|(place, _)| place).collect()
        };
        let fields = by_name.into_iter().map(|(name, values)| (places(name), values)).collect();
        Wanted { event: focus.event.is_some().then(|| keys.into_iter().collect()), fields }
    }

    fn has(&self, key: &Key) -> bool {
        let printed = |value: &Value, wanted: &str| match Printed::default().text(value.datum()) {
            Some(text) => text == wanted,
            None => wanted == "null",
        };
        let in_fields = self.fields.iter().all(|(places, values)| {
            places
                .iter()
                .filter_map(|place| key.get(*place))
                .any(|own| values.iter().any(|value| printed(own, value)))
        });
        in_fields && self.event.as_ref().is_none_or(|keys| keys.contains(key))
    }
}

/// Counts what happens and passes it on.
struct Listener<'l, 's> {
    explain: &'l Explain,
    wanted: Wanted<'l>,
    counts: Vec<PartCounts>,
    refuted: u64,
    sink: &'l mut ToldSink<'s>,
}

impl Listener<'_, '_> {
    fn hit(&mut self, hit: &Hit) {
        let part = usize::from(hit.step);
        if let Some(counts) = self.counts.get_mut(part) {
            counts.matched += 1;
        }
        if self.explain.parts.get(part).is_some_and(|part| part.kind == PartKind::Filter) {
            for key in hit.keys.iter().filter(|key| self.wanted.has(key)) {
                (self.sink)(Told::Matched { key, part, hit });
            }
        }
    }

    fn count(&mut self, step: &Step) {
        let last = self.explain.places.len().saturating_sub(1);
        let (place, counter): (usize, fn(&mut PartCounts) -> &mut u64) = match step {
            Step::Reached { place, .. } => (*place, |counts| &mut counts.reached),
            Step::Replaced { place, .. } => (*place, |counts| &mut counts.replaced),
            Step::Nothing { place, .. } => (*place, |counts| &mut counts.nothing),
            Step::Unlike { place, .. } => (*place, |counts| &mut counts.unlike),
            Step::TooLong { place, .. } => (*place, |counts| &mut counts.too_long),
            Step::Ended { place, .. } => (*place, |counts| &mut counts.ended),
            Step::Left { place, .. } => (*place, |counts| &mut counts.left),
            Step::Complete { .. } | Step::Open { .. } | Step::Refuted { .. } => {
                (last, |counts| &mut counts.reached)
            }
            Step::Forbidden { .. }
            | Step::Between { .. }
            | Step::Decided { .. }
            | Step::RefutedBehind { .. } => {
                self.refuted += u64::from(matches!(step, Step::RefutedBehind { .. }));
                return;
            }
        };
        self.refuted += u64::from(matches!(step, Step::Refuted { .. }));
        let part = self.explain.part_of_place(place);
        // A step that must come several times is reached when the last of them came.
        let halfway = place < last && self.explain.part_of_place(place + 1) == part;
        if halfway && matches!(step, Step::Reached { .. }) {
            return;
        }
        if let Some(counts) = self.counts.get_mut(part) {
            *counter(counts) += 1;
        }
    }
}

impl Trace for Listener<'_, '_> {
    fn step(&mut self, key: &Key, time: i64, step: Step) {
        self.count(&step);
        if self.wanted.has(key) {
            (self.sink)(Told::Happened { key, time, step });
        }
    }

    fn counted(&mut self, key: &Key, time: i64, counted: &Counted) {
        if self.wanted.has(key) {
            (self.sink)(Told::Counted { key, time, counted });
        }
    }

    fn remembered(&mut self, key: &Key, time: i64, remembered: &Remembered) {
        if self.wanted.has(key) {
            (self.sink)(Told::Remembered { key, time, remembered });
        }
    }
}

/// What was found and not yet told.
#[derive(Default)]
struct Detections {
    waiting: Vec<Detection>,
    total: u64,
}

impl Found for Detections {
    fn found(&mut self, detection: Detection, _last: bool) {
        self.total += 1;
        self.waiting.push(detection);
    }
}

impl Detections {
    fn tell(&mut self, listener: &mut Listener<'_, '_>) {
        for detection in self.waiting.drain(..) {
            let wanted = detection.keys.is_empty() || listener.wanted.has(&Key::from(detection.keys.clone()));
            if wanted {
                (listener.sink)(Told::Found(&detection));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_identity;

    #[test]
    fn equal_records_are_meant_by_each_of_their_ids() {
        for (wanted, id, expected) in [
            ("a", "a", true),
            ("a#2", "a", true),
            ("a#2", "a#2", true),
            ("a", "a#2", false),
            ("a#", "a", false),
            ("ab", "a", false),
            ("a#x", "a", false),
        ] {
            assert_eq!(is_identity(wanted, id), expected, "{wanted} {id}");
        }
    }
}
