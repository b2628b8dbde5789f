//! Compiling a set of rules: predicates interned across rules, gates, witnesses, flat conditions.

use crate::gate::{Discriminators, Gate};
use crate::index_patterns::{IndexPatterns, PatternListId};
use crate::join_key::KeyField;
use crate::matcher::Matcher;
use crate::object::{ObjectPlans, ObjectPlansBuilder, wants_objects};
use crate::program::Program;
use crate::sequence::SequencePlan;
use crate::text_index::{TextIndex, TextIndexBuilder};
use crate::truth::PredicateId;
use crate::witness;
use quell_event::{FieldSet, Slot};
use quell_ir::expr::CompareOp;
use quell_ir::function::compare::is_plain_text;
use quell_ir::logic::{JoinKey, Pipe, Sharding};
use quell_ir::{Case, Condition, EventFilter, FieldRef, FieldType, Logic, Predicate, Query, Scope, Value};
use quell_rules::Rule;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::Arc;

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
    /// `timestamp_override` chooses the events of a run in Elastic and takes no part here.
    pub timestamp_field: Option<String>,
    /// The field that orders events of equal time, for rules that name none; none by default.
    pub tiebreaker_field: Option<String>,
    /// How many results of each rule are kept; all by default.
    pub limit: Option<ResultLimit>,
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

/// A rule that cannot run yet, and why.
#[derive(Clone, Debug)]
pub struct NotRunYet {
    /// The rule.
    pub rule: Arc<Rule>,
    /// A clause without a full stop: `tests on any field do not run yet`.
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
    pub(crate) index: IndexPatterns,
    pub(crate) objects: ObjectPlans,
    pub(crate) member: MemberSlots,
    pub(crate) limit: Option<ResultLimit>,
    fields: FieldSet,
    subtrees: Vec<bool>,
}

#[derive(Debug)]
pub(crate) struct CompiledRule {
    pub(crate) rule: Arc<Rule>,
    pub(crate) pipes: Vec<Pipe>,
    pub(crate) join: Join,
    pub(crate) sharding: Sharding,
    pub(crate) time: Slot,
    pub(crate) tiebreaker: Option<Slot>,
    /// What stages after matching read.
    pub(crate) captures: Vec<Slot>,
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
}

impl Join {
    /// Whether an event without a time takes no part.
    pub(crate) fn needs_time(&self) -> bool {
        matches!(self, Join::Sequence(_))
    }
}

/// One condition that events are tested for: an event rule has one.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) rule: u32,
    pub(crate) number: u16,
    /// What its join keys are made of; none for an event rule, empty for a sequence without keys.
    pub(crate) keys: Option<Box<[KeyField]>>,
    pub(crate) gate: Gate,
    pub(crate) index: Option<PatternListId>,
    pub(crate) program: Program,
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
        let mut compiler = Compiler::new(options);
        let mut not_run = Vec::new();
        for EngineRule { rule, query } in rules {
            match missing_part_of(&query) {
                None => compiler.add(rule, query),
                Some(reason) => not_run.push(NotRunYet { rule, reason }),
            }
        }
        (compiler.finish(), not_run)
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
    match &query.logic {
        Logic::Join(_) => return Some("`join` does not run yet"),
        Logic::Sequence(sequence) if sequence.until_first => {
            return Some("sequences of the Endgame dialect do not run yet");
        }
        Logic::Event(_) | Logic::Sequence(_) | Logic::Sample(_) => {}
    }
    if !query.pipes.iter().all(|pipe| matches!(pipe, Pipe::Head(_) | Pipe::Tail(_))) {
        return Some("of the pipes only `head` and `tail` run yet");
    }
    query.filters().into_iter().find_map(|(filter, _)| missing_part(&filter.condition))
}

/// What a condition needs that the engine does not have yet.
fn missing_part(condition: &Condition) -> Option<&'static str> {
    let mut missing = None;
    condition.each_leaf(&mut |leaf| {
        let found = match &leaf.predicate {
            Predicate::Lineage { .. } => {
                Some("lineage (`descendant of`, `child of`, `event of`) does not run yet")
            }
            Predicate::AnyField { .. } => Some("tests on any field do not run yet"),
            Predicate::FieldNames { .. } => Some("tests on patterns of field names do not run yet"),
            Predicate::Text { .. } => Some("terms of analysed text do not run yet"),
            Predicate::Object { condition, .. } => missing_part(condition),
            _ => None,
        };
        let found = found.or_else(|| {
            leaf.predicate.is_deferred().then_some("tests on the event of another step do not run yet")
        });
        missing = missing.or(found);
    });
    missing
}

struct Compiler<'o> {
    options: &'o EngineOptions,
    fields: FieldSet,
    subtrees: Vec<bool>,
    interned: FxHashMap<Predicate, PredicateId>,
    tests: Vec<Test>,
    text_of: FxHashMap<Slot, u32>,
    text: Vec<(Slot, TextIndexBuilder)>,
    objects: ObjectPlansBuilder,
    discriminators: Discriminators,
    index: IndexPatterns,
    rules: Vec<CompiledRule>,
    steps: Vec<Step>,
    partitions: BTreeMap<Vec<u64>, Partition>,
    member: MemberSlots,
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
            objects: ObjectPlansBuilder::default(),
            discriminators: Discriminators::default(),
            index: IndexPatterns::default(),
            rules: Vec::new(),
            steps: Vec::new(),
            partitions: BTreeMap::new(),
            member,
        }
    }

    fn add(&mut self, rule: Arc<Rule>, query: Query) {
        let sharding = query.sharding();
        let (join, steps) = match query.logic {
            Logic::Event(filter) => (Join::Event, vec![(filter, None)]),
            Logic::Sequence(sequence) => {
                let plan = SequencePlan::new(&sequence);
                let steps = sequence.steps.into_iter().chain(sequence.until);
                (Join::Sequence(plan), steps.map(|step| (step.filter, Some(step.by))).collect())
            }
            Logic::Sample(steps) | Logic::Join(quell_ir::logic::Join { steps, .. }) => {
                let steps: Vec<_> = steps.into_iter().map(|step| (step.filter, Some(step.by))).collect();
                (Join::Sample(steps.len()), steps)
            }
        };
        let index = match &rule.index {
            Some(patterns) if !self.options.any_index => Some(self.index.intern(patterns, &mut self.fields)),
            _ => None,
        };
        for (number, (filter, by)) in (0..).zip(steps) {
            self.add_step(&rule, number, filter, by, index);
        }
        let overrides = &rule.overrides;
        let time = overrides.timestamp_field.as_deref().or(self.options.timestamp_field.as_deref());
        let tiebreaker = overrides.tiebreaker.as_deref().or(self.options.tiebreaker_field.as_deref());
        let time = self.fields.intern(time.unwrap_or("@timestamp"));
        let tiebreaker = tiebreaker.map(|field| self.fields.intern(field));
        let captures = suppressed_by(&rule).map(|field| self.fields.intern(field)).collect();
        self.rules.push(CompiledRule {
            rule,
            pipes: query.pipes,
            join,
            sharding,
            time,
            tiebreaker,
            captures,
        });
    }

    /// Adds a step of the rule that is being added.
    fn add_step(
        &mut self,
        rule: &Rule,
        number: u16,
        filter: EventFilter,
        by: Option<Vec<JoinKey>>,
        index: Option<PatternListId>,
    ) {
        let mut conjuncts = conjuncts(rule, filter);
        let gate = self.discriminators.gate(&mut conjuncts, &mut self.fields);
        let condition = Condition::all(conjuncts);
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
        };
        let keys = by.map(|by| by.iter().map(key).collect());
        // A set of 2^32 rules would not fit in memory.
        let rule = u32::try_from(self.rules.len()).unwrap_or(u32::MAX);
        self.steps.push(Step { rule, number, keys, gate, index, program });
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

    fn intern(&mut self, predicate: &Predicate) -> PredicateId {
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
            Predicate::Text { .. }
            | Predicate::FieldNames { .. }
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
        self.collect_slots(predicate, &mut slots);
        slots.sort_unstable();
        slots.dedup();
        slots
    }

    fn collect_slots(&mut self, predicate: &Predicate, slots: &mut Vec<Slot>) {
        let objects = wants_objects(predicate);
        let mut read = |field: &FieldRef| {
            if field.scope == Scope::Event {
                slots.push(self.slot(field, objects));
            }
        };
        if let Predicate::Object { field, condition } = predicate {
            read(field);
            condition.each_leaf(&mut |leaf| self.collect_slots(&leaf.predicate, slots));
        } else {
            predicate.each_field(&mut read);
        }
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

    fn slot(&mut self, field: &FieldRef, subtree: bool) -> Slot {
        let slot = self.fields.intern(&field.path);
        if self.subtrees.len() <= slot.index() {
            self.subtrees.resize(slot.index() + 1, false);
        }
        if let Some(wanted) = self.subtrees.get_mut(slot.index()) {
            *wanted |= subtree;
        }
        slot
    }

    fn finish(self) -> Engine {
        let text = self.text.into_iter().map(|(slot, builder)| TextField { slot, index: builder.build() });
        Engine {
            rules: self.rules,
            steps: self.steps,
            partitions: self.partitions.into_values().collect(),
            discriminators: self.discriminators,
            tests: self.tests,
            text: text.collect(),
            index: self.index,
            objects: self.objects.build(),
            member: self.member,
            limit: self.options.limit,
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

/// What must hold of an event, part by part: its system, its category, the condition.
///
/// An Endpoint rule's `os_list` is the systems that it is installed on; an event that names no system may be from any.
fn conjuncts(rule: &Rule, filter: EventFilter) -> Vec<Condition> {
    let equals = |field: FieldRef, values: Vec<Arc<str>>| {
        Condition::leaf(Predicate::Keyword { field, values, case: Case::Sensitive }, filter.span)
    };
    let mut conjuncts = Vec::new();
    if let Some(category) = filter.category {
        conjuncts.push(equals(category.field, vec![category.value]));
    }
    if !rule.os_list.is_empty() {
        let field = FieldRef::event("host.os.type", FieldType::Keyword);
        let mut systems: Vec<Arc<str>> = rule.os_list.iter().map(|name| name.as_str().into()).collect();
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
