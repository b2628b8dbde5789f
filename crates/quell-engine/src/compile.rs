//! Compiling a set of rules: predicates interned across rules, gates, witnesses, flat conditions.

use crate::gate::{Discriminators, Gate};
use crate::hit::Hit;
use crate::hold::{Hold, Holds};
use crate::index_patterns::{IndexPatterns, PatternListId};
use crate::join_key::KeyField;
use crate::lineage::{Fact, Lineage, ProcessSlots};
use crate::matcher::Matcher;
use crate::new_terms::NewTermsPlan;
use crate::object::{ObjectPlans, ObjectPlansBuilder, each_read, wants_objects};
use crate::pipes::PipePlan;
use crate::program::Program;
use crate::residual::{CaptureField, Captured, Residual, each_lineage, keep, possible};
use crate::saved;
use crate::sequence::SequencePlan;
use crate::term_index::TermIndex;
use crate::text_index::{TextIndex, TextIndexBuilder};
use crate::threats::{Indicator, Lookup, has_fields};
use crate::threshold::{Distinct, ThresholdPlan};
use crate::truth::PredicateId;
use crate::witness;
use quell_event::{Event, FieldSet, Slot};
use quell_ir::date::date_of;
use quell_ir::eval::Outcome;
use quell_ir::expr::CompareOp;
use quell_ir::function::compare::is_plain_text;
use quell_ir::logic::{self, Category, JoinKey, Sharding};
use quell_ir::predicate::Analyzer;
use quell_ir::{
    Case, Condition, EventFilter, FieldRef, FieldType, Logic, Predicate, Query, Scope, Span, Value,
};
use quell_rules::{Exception, ExceptionItem, Rule};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A rule and its query, lowered.
#[derive(Clone, Debug)]
pub struct EngineRule {
    /// The rule.
    pub rule: Arc<Rule>,
    /// Its query.
    pub query: Query,
}

/// How a rule set is compiled and run.
#[derive(Clone, Debug, Default)]
pub struct EngineOptions {
    /// Whether rules look at every event, whatever their index patterns say.
    pub any_index: bool,
    /// The field that holds an event's time, for rules that name none; `@timestamp` by default. A rule's
    /// `timestamp_override` chooses the events of a run in Elastic: it is the time of rules that count or remember, and takes no
    /// part in others.
    pub timestamp_field: Option<String>,
    /// The field that orders events of equal time, for rules that name none; none by default.
    pub tiebreaker_field: Option<String>,
    /// How many results of each rule are kept; all by default.
    pub limit: Option<ResultLimit>,
    /// Whether new terms rules speak before they have seen a whole history window.
    pub no_warm_up: bool,
    /// The indicators of indicator match rules, by rule id. One that has none cannot run.
    pub indicators: BTreeMap<String, Arc<[Arc<Indicator>]>>,
    /// Whether hits that an exception covers are given out, marked ([`Hit::held_by`]), and not just counted.
    pub show_held: bool,
}

/// How many results of a query are kept. It stands directly in front of the first `head` or `tail` and takes its
/// direction. Source: Elasticsearch's "EQL search API", `size` and `result_position`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResultLimit {
    /// The most results.
    pub size: u64,
    /// Which ones, where no pipe says so.
    pub position: ResultPosition,
}

/// Which end of the ordered results is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResultPosition {
    /// The earliest.
    Head,
    /// The latest.
    #[default]
    Tail,
}

/// How many texts a seldom test looks at one by one.
const MOST_IN_TURN: usize = 64;

/// A rule that cannot run yet, and why.
#[derive(Clone, Debug)]
pub struct NotRunYet {
    /// The rule.
    pub rule: Arc<Rule>,
    /// A clause without a full stop: `tests on the event of another step within lineage do not run yet`.
    pub reason: &'static str,
}

/// A compiled rule set. It does not change and is shared by all threads; each has a [`Matcher`] of its own.
#[derive(Debug)]
pub struct Engine {
    pub(crate) rules: Vec<CompiledRule>,
    pub(crate) steps: Vec<Step>,
    pub(crate) partitions: Vec<Partition>,
    pub(crate) discriminators: Discriminators,
    pub(crate) tests: Vec<Test>,
    pub(crate) text: Vec<TextField>,
    /// The tests of analysed text, by field and analyser.
    pub(crate) terms: Vec<(Slot, TermIndex)>,
    pub(crate) index: IndexPatterns,
    pub(crate) objects: ObjectPlans,
    pub(crate) member: MemberSlots,
    pub(crate) limit: Option<ResultLimit>,
    /// The exceptions of all rules.
    pub(crate) holds: Holds,
    /// Whether hits that an exception covers are given out, marked.
    pub(crate) show_held: bool,
    /// The place of each rule in the order of their ids.
    ranks: Vec<u32>,
    /// What hits of hidden steps are made of.
    pub(crate) fact_reads: Reads,
    /// The number of the first hidden step.
    first_fact: usize,
    sources: Vec<EventFilter>,
    fields: FieldSet,
    subtrees: Vec<bool>,
}

#[derive(Debug)]
pub(crate) struct CompiledRule {
    pub(crate) rule: Arc<Rule>,
    pub(crate) pipes: PipePlan,
    pub(crate) join: Join,
    pub(crate) sharding: Sharding,
    /// A hash of what its query means.
    pub(crate) meaning: String,
    pub(crate) reads: Reads,
    /// The indicators that its events must match.
    pub(crate) lookup: Option<Lookup>,
    /// What it must not find.
    pub(crate) exceptions: Vec<Exception>,
    /// The number of its first step.
    first_step: usize,
}

/// What every hit of a rule is made of.
#[derive(Debug)]
pub(crate) struct Reads {
    /// Of several the first that has a date.
    pub(crate) time: Vec<Slot>,
    pub(crate) tiebreaker: Option<Slot>,
    /// What stages after matching read.
    pub(crate) captures: Vec<Slot>,
}

impl Reads {
    /// The event's time, in nanoseconds since 1970.
    pub(crate) fn time_of(&self, event: &mut Event<'_>) -> Option<i64> {
        self.time.iter().find_map(|slot| date_of(event.values(*slot).first()))
    }
}

/// What becomes of a rule's hits.
#[derive(Debug)]
pub(crate) enum Join {
    /// Each is a detection.
    Event,
    /// They are joined one after the other.
    Sequence(SequencePlan),
    /// They are joined in any order; this many filters.
    Sample(usize),
    /// The same by `join`; so many steps, `until` not among them.
    Unordered(usize),
    /// They are counted.
    Threshold(ThresholdPlan),
    /// Their keys are remembered.
    NewTerms(NewTermsPlan),
}

impl Join {
    /// Whether an event without a time takes no part.
    pub(crate) fn needs_time(&self) -> bool {
        matches!(self, Join::Sequence(_) | Join::Threshold(_) | Join::NewTerms(_))
    }
}

/// One condition that events are tested for: an event rule has one. Hidden steps, which tell facts of lineage, stand behind
/// those of all rules.
#[derive(Debug)]
pub(crate) struct Step {
    /// The rule; of a hidden step the number of rules and which hidden step it is, added up.
    pub(crate) rule: u32,
    pub(crate) number: u16,
    /// What its join keys are made of; none for an event rule, empty for a sequence without keys.
    pub(crate) keys: Option<Box<[KeyField]>>,
    pub(crate) gate: Gate,
    pub(crate) index: Option<PatternListId>,
    /// True wherever the condition could be.
    pub(crate) program: Program,
    /// What is left to decide. A hidden step has one always.
    pub(crate) residual: Option<Residual>,
    /// What later steps read of its event.
    pub(crate) aliased: Box<[CaptureField]>,
}

/// The steps of one gate, and what has to be asked to find those that an event may satisfy.
#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) gate: Gate,
    /// Steps without a witness.
    pub(crate) always: Vec<u32>,
    /// Witnesses that one field's structure answers together.
    pub(crate) text: Vec<u32>,
    /// Witnesses that are asked one by one.
    pub(crate) single: Vec<PredicateId>,
}

/// An interned predicate.
#[derive(Debug)]
pub(crate) struct Test {
    pub(crate) predicate: Predicate,
    pub(crate) how: How,
    /// The steps that it is a witness of.
    pub(crate) witnessed: Vec<u32>,
}

/// How a predicate is answered.
#[derive(Debug)]
pub(crate) enum How {
    /// With all others of its field, by this structure.
    Text(u32),
    /// With all others of its field's terms, by this structure.
    Terms(u32),
    /// By each element of the field.
    Elements(Slot),
    /// By the field's having a value, or an object.
    Exists { slot: Slot, objects: bool },
    /// By evaluation over these fields.
    Evaluated(Vec<Slot>),
}

#[derive(Debug)]
pub(crate) struct TextField {
    pub(crate) slot: Slot,
    pub(crate) index: TextIndex,
}

/// The fields of which an event's identity and order are made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemberSlots {
    pub(crate) id: Slot,
    pub(crate) event_id: Slot,
    pub(crate) host: Slot,
    pub(crate) computer: Slot,
    pub(crate) channel: Slot,
    pub(crate) record_number: Slot,
}

/// How large a compiled rule set is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineSize {
    /// Rules that run.
    pub rules: usize,
    /// Distinct predicates of all of them.
    pub predicates: usize,
    /// Fields that are read.
    pub fields: usize,
    /// Sets of steps with one gate.
    pub partitions: usize,
    /// Steps that every event of their gate is tested for, because they have no witness.
    pub without_witness: usize,
}

impl Engine {
    /// Compiles the rules that can run; the others are returned beside the engine.
    ///
    /// The depth of conditions is limited by the front ends that made them.
    #[must_use]
    pub fn new(rules: Vec<EngineRule>, options: &EngineOptions) -> (Engine, Vec<NotRunYet>) {
        let rules = rules.into_iter().map(|rule| (rule, Vec::new())).collect();
        let (engine, not_run, _) = Engine::with_exceptions(rules, options);
        (engine, not_run)
    }

    /// The same with the exceptions of each rule. Those that cannot be applied are returned too, each with the reason.
    #[must_use]
    pub fn with_exceptions(
        rules: Vec<(EngineRule, Vec<Exception>)>,
        options: &EngineOptions,
    ) -> (Engine, Vec<NotRunYet>, Vec<(Exception, &'static str)>) {
        let mut compiler = Compiler::new(options);
        let mut not_run = Vec::new();
        let mut not_applied = Vec::new();
        for (EngineRule { rule, query }, exceptions) in rules {
            let missing = missing_part_of(&query).or_else(|| compiler.missing_indicators(&rule, &query));
            if let Some(reason) = missing {
                not_run.push(NotRunYet { rule, reason });
                continue;
            }
            let mut applied = Vec::new();
            for exception in exceptions {
                match missing_part(&exception.condition, false) {
                    None => applied.push(exception),
                    Some(reason) => not_applied.push((exception, reason)),
                }
            }
            compiler.add(rule, query, applied);
        }
        (compiler.finish(), not_run, not_applied)
    }

    /// The fields that events must have slots for.
    #[must_use]
    pub fn fields(&self) -> &FieldSet {
        &self.fields
    }

    /// Whether a field is wanted with the objects that it holds ([`quell_event::Want::Subtree`]).
    #[must_use]
    pub fn subtree(&self, slot: Slot) -> bool {
        self.subtrees.get(slot.index()).copied().unwrap_or(false)
    }

    /// The rules that run, by the number that hits and detections carry.
    pub fn rules(&self) -> impl ExactSizeIterator<Item = &Arc<Rule>> {
        self.rules.iter().map(|compiled| &compiled.rule)
    }

    /// The rule of that number.
    #[must_use]
    pub fn rule(&self, number: u32) -> Option<&Arc<Rule>> {
        self.rules.get(number as usize).map(|compiled| &compiled.rule)
    }

    /// The place of a rule in the order of ids: so detections of one time come. Facts come before them, in the order of their
    /// numbers: those that are asked for within others first.
    pub(crate) fn rank(&self, number: u32) -> u32 {
        let facts = self.steps.len().saturating_sub(self.first_fact);
        match self.ranks.get(number as usize) {
            Some(rank) => rank.saturating_add(u32::try_from(facts).unwrap_or(u32::MAX)),
            None => number.saturating_sub(u32::try_from(self.rules.len()).unwrap_or(u32::MAX)),
        }
    }

    /// Whether each hit of that rule is a detection for itself, whatever came before or comes later.
    #[must_use]
    pub fn is_immediate(&self, number: u32) -> bool {
        let rule = self.rules.get(number as usize);
        self.limit.is_none()
            && self.residual(number, 0).is_none()
            && rule.is_some_and(|rule| matches!(rule.join, Join::Event) && rule.pipes.is_empty())
    }

    /// Whether the rule joins events without regard to time, so that a hit without one takes part.
    #[must_use]
    pub fn is_timeless(&self, number: u32) -> bool {
        let joins = |rule: &CompiledRule| !matches!(rule.join, Join::Event) && !rule.join.needs_time();
        self.rules.get(number as usize).is_some_and(joins)
    }

    /// What a hit of that rule number says, if it is a fact of lineage and no hit of a rule. Such numbers follow those of the
    /// rules: first the creation of processes, then the sources, those that are asked for within another before it.
    #[must_use]
    pub fn fact_of(&self, rule: u32) -> Option<Fact> {
        let hidden = (rule as usize).checked_sub(self.rules.len())?;
        if hidden >= self.steps.len() - self.first_fact {
            return None;
        }
        let source = hidden.checked_sub(1).and_then(|source| u32::try_from(source).ok());
        Some(source.map_or(Fact::Creation, Fact::Source))
    }

    /// The number that hits of a fact carry, if this rule set asks for it.
    pub(crate) fn number_of(&self, fact: Fact) -> Option<u32> {
        let first = u32::try_from(self.rules.len()).ok()?;
        let number = match fact {
            Fact::Creation => first,
            Fact::Source(source) => first.checked_add(1)?.checked_add(source)?,
        };
        self.fact_of(number).map(|_| number)
    }

    /// The filter of a source of lineage, by its number in [`Fact::Source`].
    #[must_use]
    pub fn source(&self, number: u32) -> Option<&EventFilter> {
        self.sources.get(number as usize)
    }

    /// What is left to decide of hits on that step of that rule, or on a hidden step, if matching does not decide all.
    #[must_use]
    pub fn residual(&self, rule: u32, step: u16) -> Option<&Residual> {
        let at = match self.rules.get(rule as usize) {
            Some(compiled) => compiled.first_step + usize::from(step),
            None => self.first_fact + (rule as usize).checked_sub(self.rules.len())?,
        };
        self.steps.get(at).filter(|found| (found.rule, found.number) == (rule, step))?.residual.as_ref()
    }

    /// Whether a hit satisfies its step's condition, given the events of earlier steps ([`Hit::aliased`], by the steps'
    /// numbers) and the lineage of processes up to the time of the hit, facts of that very time included.
    pub fn decide<'h>(
        &'h self,
        hit: &'h Hit,
        earlier: &dyn Fn(u16) -> Option<&'h [Captured]>,
        lineage: &Lineage,
    ) -> Outcome {
        let plain = |holds| Outcome { holds, cut: false };
        let Some(residual) = self.residual(hit.rule, hit.step) else { return plain(true) };
        let Some(facts) = &hit.facts else { return plain(false) };
        residual.holds(facts, earlier, &|relation, source| match facts.process() {
            // What has no time comes last.
            Some(process) => lineage.holds(relation, source, hit.time.unwrap_or(i64::MAX), process),
            None => plain(false),
        })
    }

    /// The exceptions, by the number that hits and counts carry, each with its rule.
    pub fn exceptions(&self) -> impl Iterator<Item = (&Arc<Rule>, &Arc<ExceptionItem>)> {
        (0..self.holds.len()).filter_map(|number| {
            let hold = self.holds.get(u32::try_from(number).ok()?)?;
            Some((self.rule(hold.rule)?, &hold.item))
        })
    }

    /// How the correlation of that rule's hits can be split.
    #[must_use]
    pub fn sharding(&self, number: u32) -> Option<&Sharding> {
        self.rules.get(number as usize).map(|compiled| &compiled.sharding)
    }

    /// What one thread needs to match events.
    #[must_use]
    pub fn matcher(&self) -> Matcher<'_> {
        Matcher::new(self)
    }

    /// How large it is.
    #[must_use]
    pub fn size(&self) -> EngineSize {
        EngineSize {
            rules: self.rules.len(),
            predicates: self.tests.len(),
            fields: self.fields.len(),
            partitions: self.partitions.len(),
            without_witness: self.partitions.iter().map(|partition| partition.always.len()).sum(),
        }
    }
}

/// What a query needs that the engine does not have yet.
fn missing_part_of(query: &Query) -> Option<&'static str> {
    query.filters().into_iter().find_map(|(filter, _)| missing_part(&filter.condition, false))
}

/// What a condition needs that the engine does not have yet. `in_lineage`: it is that of a filter of lineage.
fn missing_part(condition: &Condition, in_lineage: bool) -> Option<&'static str> {
    let mut missing = None;
    condition.each_leaf(&mut |leaf| {
        let found = match &leaf.predicate {
            Predicate::Lineage { filter, .. } => missing_part(&filter.condition, true),
            Predicate::Object { condition, .. } => missing_part(condition, in_lineage),
            _ => None,
        };
        let mut earlier = false;
        leaf.predicate.each_field(&mut |field| earlier |= matches!(field.scope, Scope::Step(_)));
        let earlier = (in_lineage && earlier)
            .then_some("tests on the event of another step within lineage do not run yet");
        missing = missing.or(found).or(earlier);
    });
    missing
}

pub(crate) struct Compiler<'o> {
    options: &'o EngineOptions,
    fields: FieldSet,
    subtrees: Vec<bool>,
    interned: FxHashMap<Predicate, PredicateId>,
    tests: Vec<Test>,
    text_of: FxHashMap<Slot, u32>,
    text: Vec<(Slot, TextIndexBuilder)>,
    terms_of: FxHashMap<(Slot, Analyzer), u32>,
    terms: Vec<(Slot, TermIndex)>,
    objects: ObjectPlansBuilder,
    discriminators: Discriminators,
    index: IndexPatterns,
    rules: Vec<CompiledRule>,
    steps: Vec<Step>,
    partitions: BTreeMap<Vec<u64>, Partition>,
    member: MemberSlots,
    sources: FxHashMap<EventFilter, u32>,
    /// The filters of lineage, by their numbers.
    source_filters: Vec<EventFilter>,
}

/// Where a step stands and what holds for all steps of its rule.
#[derive(Clone, Copy)]
struct Place<'r> {
    rule: u32,
    number: u16,
    /// The systems that the rule is for.
    systems: &'r [String],
    index: Option<PatternListId>,
    /// By step, what is kept of the events that later steps read.
    aliased: &'r [Vec<CaptureField>],
    /// Which ids of processes are kept in any case.
    process: Option<ProcessSlots>,
}

impl<'o> Compiler<'o> {
    fn new(options: &'o EngineOptions) -> Self {
        let mut fields = FieldSet::default();
        let member = MemberSlots {
            id: fields.intern("_id"),
            event_id: fields.intern("event.id"),
            host: fields.intern("host.name"),
            computer: fields.intern("winlog.computer_name"),
            channel: fields.intern("winlog.channel"),
            record_number: fields.intern("winlog.record_id"),
        };
        Compiler {
            options,
            fields,
            subtrees: Vec::new(),
            interned: FxHashMap::default(),
            tests: Vec::new(),
            text_of: FxHashMap::default(),
            text: Vec::new(),
            terms_of: FxHashMap::default(),
            terms: Vec::new(),
            objects: ObjectPlansBuilder::default(),
            discriminators: Discriminators::default(),
            index: IndexPatterns::default(),
            rules: Vec::new(),
            steps: Vec::new(),
            partitions: BTreeMap::new(),
            member,
            sources: FxHashMap::default(),
            source_filters: Vec::new(),
        }
    }

    fn add(&mut self, rule: Arc<Rule>, query: Query, exceptions: Vec<Exception>) {
        let sharding = sharding(&query);
        let meaning = saved::meaning(&query, &suppressed_by(&rule).collect::<Vec<_>>(), &exceptions);
        let (mut counted, mut lookup) = (Vec::new(), None);
        let (mut join, steps) = match query.logic {
            Logic::Event(filter) => (Join::Event, vec![(filter, None)]),
            Logic::Sequence(sequence) => {
                let plan = SequencePlan::new(&sequence);
                let steps = sequence.steps.into_iter().chain(sequence.until);
                (Join::Sequence(plan), steps.map(|step| (step.filter, Some(step.by))).collect())
            }
            Logic::Sample(steps) => {
                let steps: Vec<_> = steps.into_iter().map(|step| (step.filter, Some(step.by))).collect();
                (Join::Sample(steps.len()), steps)
            }
            Logic::Join(logic::Join { steps, until }) => {
                let join = Join::Unordered(steps.len());
                let steps = steps.into_iter().chain(until);
                (join, steps.map(|step| (step.filter, Some(step.by))).collect())
            }
            Logic::Threshold(threshold) => {
                let plan = threshold_plan(&threshold);
                counted = threshold.cardinality;
                (Join::Threshold(plan), vec![(threshold.filter, Some(threshold.by))])
            }
            Logic::NewTerms(terms) => {
                let plan =
                    NewTermsPlan { history: nanoseconds(terms.history), no_warm_up: self.options.no_warm_up };
                (Join::NewTerms(plan), vec![(terms.filter, Some(terms.terms))])
            }
            Logic::ThreatMatch(threat) => {
                lookup = Some(self.lookup(&rule, &threat));
                let condition = Condition::all([has_fields(&threat), threat.filter.condition]);
                (Join::Event, vec![(EventFilter { condition, ..threat.filter }, None)])
            }
        };
        let index = match &rule.index {
            Some(patterns) if !self.options.any_index => Some(self.index.intern(patterns, &mut self.fields)),
            _ => None,
        };
        let first_step = self.steps.len();
        let mut aliased = self.aliased(steps.iter().map(|(filter, _)| filter));
        if let (Join::Threshold(plan), Some(kept)) = (&mut join, aliased.first_mut()) {
            for (distinct, of) in plan.distinct.iter_mut().zip(&counted) {
                distinct.place = keep(kept, &of.field.path, self.slot(&of.field, false), false);
            }
        }
        let pipes = PipePlan::new(query.pipes, &mut aliased, self);
        // A set of 2^32 rules would not fit in memory.
        let of_rule = u32::try_from(self.rules.len()).unwrap_or(u32::MAX);
        let (systems, aliased) = (&*rule.os_list, &*aliased);
        for (number, (filter, by)) in (0..).zip(steps) {
            self.add_step(
                Place { rule: of_rule, number, systems, index, aliased, process: None },
                filter,
                by,
            );
        }
        if let Join::Sequence(plan) = &mut join {
            for step in self.steps.iter().skip(first_step) {
                plan.tie(step.number, step.residual.as_ref().map_or(&[], Residual::ties));
            }
        }
        let overrides = &rule.overrides;
        let tiebreaker = overrides.tiebreaker.as_deref().or(self.options.tiebreaker_field.as_deref());
        let reads = Reads {
            time: self.times(&rule, &join),
            tiebreaker: tiebreaker.map(|field| self.fields.intern(field)),
            captures: suppressed_by(&rule).map(|field| self.fields.intern(field)).collect(),
        };
        self.rules.push(CompiledRule {
            rule,
            pipes,
            join,
            sharding,
            meaning,
            reads,
            lookup,
            exceptions,
            first_step,
        });
    }

    /// Why an indicator match rule cannot run, if that is for want of indicators.
    fn missing_indicators(&self, rule: &Rule, query: &Query) -> Option<&'static str> {
        match (&query.logic, self.options.indicators.get(&rule.id)) {
            (Logic::ThreatMatch(_), None) => Some("no indicators are given (`--indicators`)"),
            (Logic::ThreatMatch(_), Some(given)) if given.is_empty() => {
                Some("none of the indicators that are given satisfies its threat query")
            }
            _ => None,
        }
    }

    fn lookup(&mut self, rule: &Rule, threat: &logic::ThreatMatch) -> Lookup {
        let indicators = self.options.indicators.get(&rule.id).cloned().unwrap_or_default();
        Lookup::new(threat, &indicators, |field| KeyField {
            slot: self.slot(field, false),
            kind: field.kind,
            optional: false,
            folded: false,
        })
    }

    /// The fields of the time of a rule's events.
    fn times(&mut self, rule: &Rule, join: &Join) -> Vec<Slot> {
        let overrides = &rule.overrides;
        let usual = self.time(overrides.timestamp_field.as_deref());
        match (join, &overrides.timestamp_override) {
            (Join::Threshold(_) | Join::NewTerms(_), Some(field)) => {
                let mut times = vec![self.fields.intern(field)];
                if !overrides.no_timestamp_fallback {
                    times.push(usual);
                }
                times
            }
            _ => vec![usual],
        }
    }

    /// The field of an event's time, for a rule that names one or for all.
    fn time(&mut self, own: Option<&str>) -> Slot {
        self.fields.intern(own.or(self.options.timestamp_field.as_deref()).unwrap_or("@timestamp"))
    }

    /// By step, what is kept of the events that later steps read.
    fn aliased<'f>(
        &mut self,
        filters: impl ExactSizeIterator<Item = &'f EventFilter>,
    ) -> Vec<Vec<CaptureField>> {
        let mut aliased = vec![Vec::new(); filters.len()];
        for (number, filter) in filters.enumerate() {
            filter.condition.each_leaf(&mut |leaf| {
                each_read(&leaf.predicate, &mut |field, objects| {
                    if let Scope::Step(step) = field.scope
                        && usize::from(step) < number
                        && let Some(kept) = aliased.get_mut(usize::from(step))
                    {
                        keep(kept, &field.path, self.slot(field, objects), objects);
                    }
                });
            });
        }
        aliased
    }

    /// Adds a step of the rule that is being added, or a hidden one.
    fn add_step(&mut self, place: Place<'_>, filter: EventFilter, by: Option<Vec<JoinKey>>) {
        let Place { rule, number, systems, index, aliased, process } = place;
        let mut conjuncts = conjuncts(systems, filter);
        let gate = self.discriminators.gate(&mut conjuncts, &mut self.fields);
        let residual = Residual::new(&conjuncts, self, aliased, process);
        let condition = possible(&Condition::all(conjuncts));
        let program = Program::new(&condition, &mut |predicate| self.intern(predicate));
        let witnesses = witness::of(&condition, &mut |predicate| self.intern(predicate));
        let step = u32::try_from(self.steps.len()).unwrap_or(u32::MAX);
        if !program.is_never() {
            self.enter(step, gate, witnesses.map(|found| found.predicates));
        }
        let key = |key: &JoinKey| KeyField {
            slot: self.fields.intern(&key.field.path),
            kind: key.field.kind,
            optional: key.optional,
            folded: key.case == Case::Folded,
        };
        let keys = by.map(|by| by.iter().map(key).collect());
        let aliased = aliased.get(usize::from(number)).cloned().unwrap_or_default().into();
        self.steps.push(Step { rule, number, keys, gate, index, program, residual, aliased });
    }

    /// The number of a filter of lineage. Those that it asks for itself have lower ones.
    pub(crate) fn source(&mut self, filter: &EventFilter) -> u32 {
        if let Some(number) = self.sources.get(filter) {
            return *number;
        }
        each_lineage(&filter.condition, &mut |inner| _ = self.source(inner));
        let number = u32::try_from(self.source_filters.len()).unwrap_or(u32::MAX);
        self.source_filters.push(filter.clone());
        self.sources.insert(filter.clone(), number);
        number
    }

    pub(crate) fn process_slots(&mut self, ancestry: bool) -> ProcessSlots {
        ProcessSlots {
            entity: self.fields.intern("process.entity_id"),
            parent: self.fields.intern("process.parent.entity_id"),
            ancestry: ancestry.then(|| self.fields.intern("process.Ext.ancestry")),
        }
    }

    /// Adds the hidden steps, if any rule asks for lineage. They look at every event, whatever the rule's index patterns and
    /// systems: a process and its ancestors are of one host.
    fn add_facts(&mut self) {
        if self.source_filters.is_empty() {
            return;
        }
        let process = Some(self.process_slots(false));
        let filters = std::iter::once(creation()).chain(self.source_filters.clone());
        for (hidden, filter) in filters.enumerate() {
            let rule = u32::try_from(self.rules.len() + hidden).unwrap_or(u32::MAX);
            let place = Place { rule, number: 0, systems: &[], index: None, aliased: &[], process };
            self.add_step(place, filter, None);
        }
    }

    /// The exceptions of all rules, compiled when all else is: they share the tests that there are, and add none that is asked
    /// before something hits.
    fn holds(&mut self) -> Holds {
        let exceptions: Vec<(u32, Exception)> = (0..)
            .zip(&mut self.rules)
            .flat_map(|(number, rule)| {
                std::mem::take(&mut rule.exceptions).into_iter().map(move |e| (number, e))
            })
            .collect();
        let mut holds = Holds::new(self.rules.len());
        for (rule, exception) in exceptions {
            let program = Program::new(&exception.condition, &mut |predicate| self.intern_rare(predicate));
            holds.push(Hold { rule, item: exception.item, program });
        }
        holds
    }

    /// The test of a predicate that is asked seldom: it stays out of what answers all tests of a field together.
    fn intern_rare(&mut self, predicate: &Predicate) -> PredicateId {
        if let Some(id) = self.interned.get(predicate) {
            return *id;
        }
        let how = match predicate {
            // Many texts without case need the structure: looked at one by one they would take long.
            Predicate::Keyword { case: Case::Folded, values, .. } if values.len() > MOST_IN_TURN => {
                return self.intern(predicate);
            }
            Predicate::Keyword { field, .. }
            | Predicate::Wildcard { field, .. }
            | Predicate::Dynamic { field, .. } => How::Elements(self.slot(field, false)),
            _ => return self.intern(predicate),
        };
        let id = PredicateId(u32::try_from(self.tests.len()).unwrap_or(u32::MAX));
        self.tests.push(Test { predicate: predicate.clone(), how, witnessed: Vec::new() });
        self.interned.insert(predicate.clone(), id);
        id
    }

    /// Enters a step into the partition of its gate.
    fn enter(&mut self, step: u32, gate: Gate, witnesses: Option<Vec<PredicateId>>) {
        let partition = self.partitions.entry(gate.key()).or_insert_with(|| Partition {
            gate,
            always: Vec::new(),
            text: Vec::new(),
            single: Vec::new(),
        });
        let Some(witnesses) = witnesses else {
            partition.always.push(step);
            return;
        };
        for id in witnesses {
            let Some(test) = self.tests.get_mut(id.index()) else { continue };
            test.witnessed.push(step);
            match test.how {
                How::Text(field) if !partition.text.contains(&field) => partition.text.push(field),
                How::Text(_) => {}
                _ if !partition.single.contains(&id) => partition.single.push(id),
                _ => {}
            }
        }
    }

    pub(crate) fn intern(&mut self, predicate: &Predicate) -> PredicateId {
        if let Some(id) = self.interned.get(predicate) {
            return *id;
        }
        let id = PredicateId(u32::try_from(self.tests.len()).unwrap_or(u32::MAX));
        let how = self.how(predicate, id);
        self.tests.push(Test { predicate: predicate.clone(), how, witnessed: Vec::new() });
        self.interned.insert(predicate.clone(), id);
        id
    }

    fn how(&mut self, predicate: &Predicate, id: PredicateId) -> How {
        match predicate {
            Predicate::Keyword { field, values, case } => {
                self.text(field, |index| index.keyword(values, *case, id))
            }
            Predicate::Wildcard { field, patterns, case } => {
                self.text(field, |index| index.wildcards(patterns, *case, id))
            }
            // Such a text equals nothing but itself, in whatever kind of field.
            Predicate::Dynamic { field, op: CompareOp::Equal, value: Value::Text(value) }
                if is_plain_text(value) =>
            {
                self.text(field, |index| index.text(value, id))
            }
            Predicate::Exists(field) => {
                let objects = wants_objects(predicate);
                How::Exists { slot: self.slot(field, objects), objects }
            }
            Predicate::Regex { field, .. }
            | Predicate::TextOrder { field, .. }
            | Predicate::Number { field, .. }
            | Predicate::Date { field, .. }
            | Predicate::Ip { field, .. }
            | Predicate::IpOrder { field, .. }
            | Predicate::Version { field, .. }
            | Predicate::Boolean { field, .. }
            | Predicate::Dynamic { field, .. } => How::Elements(self.slot(field, false)),
            Predicate::Text { field, analyzer, terms } => {
                self.terms(field, *analyzer, |index| index.phrase(terms, id))
            }
            Predicate::TextTerm { field, analyzer, test } => {
                self.terms(field, *analyzer, |index| index.test(test, id))
            }
            Predicate::FieldNames { .. }
            | Predicate::AnyField { .. }
            | Predicate::Object { .. }
            | Predicate::Lineage { .. }
            | Predicate::Expr(_) => {
                self.objects.add(predicate);
                How::Evaluated(self.slots(predicate))
            }
        }
    }

    /// The event's fields that a predicate reads, also from within object scopes.
    fn slots(&mut self, predicate: &Predicate) -> Vec<Slot> {
        let mut slots = Vec::new();
        each_read(predicate, &mut |field, objects| {
            if field.scope == Scope::Event {
                slots.push(self.slot(field, objects));
            }
        });
        slots.sort_unstable();
        slots.dedup();
        slots
    }

    fn text(&mut self, field: &FieldRef, add: impl FnOnce(&mut TextIndexBuilder)) -> How {
        let slot = self.slot(field, false);
        let next = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        let at = *self.text_of.entry(slot).or_insert(next);
        if at == next {
            self.text.push((slot, TextIndexBuilder::default()));
        }
        if let Some((_, builder)) = self.text.get_mut(at as usize) {
            add(builder);
        }
        How::Text(at)
    }

    fn terms(&mut self, field: &FieldRef, analyzer: Analyzer, add: impl FnOnce(&mut TermIndex)) -> How {
        let slot = self.slot(field, false);
        let next = u32::try_from(self.terms.len()).unwrap_or(u32::MAX);
        let at = *self.terms_of.entry((slot, analyzer)).or_insert(next);
        if at == next {
            self.terms.push((slot, TermIndex::new(analyzer)));
        }
        if let Some((_, index)) = self.terms.get_mut(at as usize) {
            add(index);
        }
        How::Terms(at)
    }

    pub(crate) fn slot(&mut self, field: &FieldRef, subtree: bool) -> Slot {
        let slot = self.fields.intern(&field.path);
        if self.subtrees.len() <= slot.index() {
            self.subtrees.resize(slot.index() + 1, false);
        }
        if let Some(wanted) = self.subtrees.get_mut(slot.index()) {
            *wanted |= subtree;
        }
        slot
    }

    fn finish(mut self) -> Engine {
        let first_fact = self.steps.len();
        self.add_facts();
        let holds = self.holds();
        let fact_reads = Reads { time: vec![self.time(None)], tiebreaker: None, captures: Vec::new() };
        let text = self.text.into_iter().map(|(slot, builder)| TextField { slot, index: builder.build() });
        let mut by_id: Vec<(&str, usize)> =
            self.rules.iter().enumerate().map(|(number, rule)| (rule.rule.id.as_str(), number)).collect();
        by_id.sort_unstable();
        let mut ranks = vec![0; self.rules.len()];
        for (rank, (_, number)) in (1..).zip(by_id) {
            if let Some(place) = ranks.get_mut(number) {
                *place = rank;
            }
        }
        Engine {
            ranks,
            rules: self.rules,
            steps: self.steps,
            partitions: self.partitions.into_values().collect(),
            discriminators: self.discriminators,
            tests: self.tests,
            text: text.collect(),
            terms: self.terms,
            index: self.index,
            objects: self.objects.build(),
            member: self.member,
            limit: self.options.limit,
            holds,
            show_held: self.options.show_held,
            fact_reads,
            first_fact,
            sources: self.source_filters,
            fields: self.fields,
            subtrees: self.subtrees,
        }
    }
}

/// The fields by whose values a rule's alerts are suppressed.
fn suppressed_by(rule: &Rule) -> impl Iterator<Item = &str> {
    let fields = rule.fields.get("alert_suppression").and_then(|suppression| suppression.get("group_by"));
    fields.and_then(|fields| fields.as_array()).into_iter().flatten().filter_map(|field| field.as_str())
}

fn threshold_plan(threshold: &logic::Threshold) -> ThresholdPlan {
    let distinct = threshold.cardinality.iter().map(|of| Distinct {
        field: Arc::clone(&of.field.path),
        kind: of.field.kind,
        place: 0,
        value: of.value,
    });
    ThresholdPlan {
        by: threshold.by.iter().map(|key| Arc::clone(&key.field.path)).collect(),
        value: threshold.value,
        distinct: distinct.collect(),
        window: nanoseconds(threshold.window),
    }
}

fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// How the correlation of a query's hits can be split. What asks for lineage needs the facts of every process.
fn sharding(query: &Query) -> Sharding {
    let mut lineage = false;
    for (filter, _) in query.filters() {
        each_lineage(&filter.condition, &mut |_| lineage = true);
    }
    if lineage { Sharding::SingleLane } else { query.sharding() }
}

/// The events that say that a process was created.
fn creation() -> EventFilter {
    let keyword = |path: &str| FieldRef::event(path, FieldType::Keyword);
    let start = Predicate::Keyword {
        field: keyword("event.type"),
        values: vec!["start".into()],
        case: Case::Sensitive,
    };
    EventFilter {
        category: Some(Category { field: keyword("event.category"), value: "process".into() }),
        condition: Condition::leaf(start, Span::default()),
        span: Span::default(),
    }
}

/// What must hold of an event, part by part: its system, its category, the condition.
///
/// An Endpoint rule's `os_list` is the systems that it is installed on; an event that names no system may be from any.
fn conjuncts(systems: &[String], filter: EventFilter) -> Vec<Condition> {
    let equals = |field: FieldRef, values: Vec<Arc<str>>| {
        Condition::leaf(Predicate::Keyword { field, values, case: Case::Sensitive }, filter.span)
    };
    let mut conjuncts = Vec::new();
    if let Some(category) = filter.category {
        conjuncts.push(equals(category.field, vec![category.value]));
    }
    if !systems.is_empty() {
        let field = FieldRef::event("host.os.type", FieldType::Keyword);
        let mut systems: Vec<Arc<str>> = systems.iter().map(|name| name.as_str().into()).collect();
        systems.sort_unstable();
        systems.dedup();
        let absent = Condition::leaf(Predicate::Exists(field.clone()), filter.span).negate();
        conjuncts.push(Condition::any([equals(field, systems), absent]));
    }
    match filter.condition {
        Condition::And(parts) => conjuncts.extend(parts),
        other => conjuncts.push(other),
    }
    conjuncts
}
