//! What matching leaves open of a step's condition: *deferred leaves*, which ask for an earlier step's event or for
//! lineage.
//!
//! Where a deferred leaf stands, matching takes whatever could make the condition true ([`possible`]). What is still to be
//! decided, the conjuncts with such leaves, is the step's residual. A hit on the step brings along [`Facts`]: how the other
//! tests of these conjuncts came out, and the values that the deferred leaves read of its event. Correlation then needs no
//! event to decide it.

use crate::compile::Compiler;
use crate::join_key::{self, as_held, compare_values};
use crate::lineage::{ProcessIds, ProcessSlots};
use crate::object::{Level, ObjectPlans, ObjectPlansBuilder, Root, Shared, each_read};
use crate::program::Program;
use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use quell_event::{Event, Slot};
use quell_ir::eval::{self, Outcome};
use quell_ir::expr::{CompareOp, Expr};
use quell_ir::predicate::Relation;
use quell_ir::{Condition, Datum, EventFilter, FieldRef, FieldType, Predicate, Scope, Value};
use serde::{Deserialize, Serialize};
use std::cell::{Cell, RefCell};
use std::sync::Arc;

/// What is left to decide of the hits of a step.
#[derive(Debug)]
pub struct Residual {
    tree: Node,
    /// The parts that matching can answer; their answers are [`Facts::known`].
    known: Box<[Program]>,
    deferred: Box<[Predicate]>,
    /// The filters of lineage and their numbers.
    sources: Box<[(EventFilter, u32)]>,
    /// What is kept of the event, in the order of [`Facts::fields`].
    own: Box<[CaptureField]>,
    /// Where the fields of earlier steps are: the step, the path, the place among what that step's hits keep.
    earlier: Box<[(u16, Arc<str>, usize)]>,
    process: Option<ProcessSlots>,
    plans: ObjectPlans,
    ties: Box<[Tie]>,
}

#[derive(Debug)]
enum Node {
    All(Box<[Node]>),
    Any(Box<[Node]>),
    Not(Box<Node>),
    /// By its place among [`Residual::known`].
    Known(usize),
    /// By its place among [`Residual::deferred`].
    Deferred(usize),
}

/// What a hit knows for the residual of its step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// A bit for each part that was answered, the lowest first.
    known: Box<[u64]>,
    fields: Box<[Captured]>,
    process: Option<ProcessIds>,
}

/// What is kept of a field: its values that are not null, and, of an array that is searched, its objects as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Captured {
    /// The scalars, in order.
    pub values: Vec<Value>,
    /// The objects, in order.
    pub objects: Vec<Arc<str>>,
}

/// A conjunct `field == event0.field`, by which events of the earlier step are told apart: those with different values wait side by
/// side. It stays in the residual too, which decides; for in fields of unknown type a number equals its text, and the two wait apart.
#[derive(Clone, Debug)]
pub struct Tie {
    /// The earlier step.
    pub step: u16,
    kind: FieldType,
    own: usize,
    other: usize,
}

/// A field of which something is kept.
#[derive(Clone, Debug)]
pub(crate) struct CaptureField {
    pub(crate) path: Arc<str>,
    pub(crate) slot: Slot,
    pub(crate) objects: bool,
}

impl CaptureField {
    pub(crate) fn captured(&self, event: &mut Event<'_>) -> Captured {
        let values = event.values(self.slot);
        let objects = if self.objects { values.objects().map(Arc::from).collect() } else { Vec::new() };
        Captured { values: values.iter().filter_map(owned).collect(), objects }
    }
}

/// Adds a field to those that are kept, unless it is there; says at which place it is.
pub(crate) fn keep(list: &mut Vec<CaptureField>, path: &Arc<str>, slot: Slot, objects: bool) -> usize {
    if let Some(at) = list.iter().position(|kept| kept.path == *path) {
        if let Some(kept) = list.get_mut(at) {
            kept.objects |= objects;
        }
        return at;
    }
    list.push(CaptureField { path: Arc::clone(path), slot, objects });
    list.len() - 1
}

pub(crate) fn owned(datum: Datum<'_>) -> Option<Value> {
    match datum {
        Datum::Null => None,
        Datum::Boolean(b) => Some(Value::Boolean(b)),
        Datum::Integer(n) => Some(Value::Integer(n)),
        Datum::Unsigned(n) => Some(Value::Unsigned(n)),
        Datum::Float(n) => Some(Value::Float(n)),
        Datum::Text(text) => Some(Value::Text(text.into())),
    }
}

/// Whether some leaf is deferred.
pub(crate) fn is_open(condition: &Condition) -> bool {
    let mut open = false;
    condition.each_leaf(&mut |leaf| open |= leaf.predicate.is_deferred());
    open
}

/// Calls `visit` on the filter of every lineage in a condition, also from within object scopes, but not on those within such
/// filters.
pub(crate) fn each_lineage<'c>(condition: &'c Condition, visit: &mut dyn FnMut(&'c EventFilter)) {
    condition.each_leaf(&mut |leaf| match &leaf.predicate {
        Predicate::Lineage { filter, .. } => visit(filter),
        Predicate::Object { condition, .. } => each_lineage(condition, visit),
        _ => {}
    });
}

/// What holds wherever the condition could: a deferred leaf is true where that helps, and false where it is denied.
pub(crate) fn possible(condition: &Condition) -> Condition {
    bound(condition, true)
}

fn bound(condition: &Condition, helps: bool) -> Condition {
    match condition {
        Condition::Leaf(leaf) if leaf.predicate.is_deferred() => Condition::Constant(helps),
        Condition::Leaf(_) | Condition::Constant(_) => condition.clone(),
        Condition::Not(inner) => bound(inner, !helps).negate(),
        Condition::And(parts) => Condition::all(parts.iter().map(|part| bound(part, helps))),
        Condition::Or(parts) => Condition::any(parts.iter().map(|part| bound(part, helps))),
    }
}

/// How a step's residual is made.
struct Builder<'b, 'o> {
    compiler: &'b mut Compiler<'o>,
    known: Vec<Program>,
    deferred: Vec<Predicate>,
}

impl Builder<'_, '_> {
    fn node(&mut self, condition: &Condition) -> Node {
        match condition {
            _ if !is_open(condition) => self.known(condition),
            Condition::Not(inner) => Node::Not(Box::new(self.node(inner))),
            Condition::And(parts) => Node::All(self.nodes(parts, Condition::all)),
            Condition::Or(parts) => Node::Any(self.nodes(parts, Condition::any)),
            Condition::Leaf(leaf) => {
                self.deferred.push(leaf.predicate.clone());
                Node::Deferred(self.deferred.len() - 1)
            }
            Condition::Constant(_) => self.known(condition),
        }
    }

    /// What matching can answer is one part, in front of the others.
    fn nodes(&mut self, parts: &[Condition], join: fn(Vec<Condition>) -> Condition) -> Box<[Node]> {
        let (open, closed): (Vec<&Condition>, Vec<&Condition>) = parts.iter().partition(|part| is_open(part));
        let mut nodes = Vec::with_capacity(open.len() + 1);
        if !closed.is_empty() {
            nodes.push(self.known(&join(closed.into_iter().cloned().collect())));
        }
        nodes.extend(open.into_iter().map(|part| self.node(part)));
        nodes.into()
    }

    fn known(&mut self, condition: &Condition) -> Node {
        self.known.push(Program::new(condition, &mut |predicate| self.compiler.intern(predicate)));
        Node::Known(self.known.len() - 1)
    }
}

impl Residual {
    /// What is left to decide of a step with these conjuncts. `earlier` holds, by step, what the hits of earlier steps keep.
    /// `process` is where the ids of processes are, if they are to be kept whatever the conjuncts say.
    pub(crate) fn new(
        conjuncts: &[Condition],
        compiler: &mut Compiler<'_>,
        earlier: &[Vec<CaptureField>],
        process: Option<ProcessSlots>,
    ) -> Option<Residual> {
        let open: Vec<&Condition> = conjuncts.iter().filter(|conjunct| is_open(conjunct)).collect();
        if open.is_empty() && process.is_none() {
            return None;
        }
        let mut builder = Builder { compiler, known: Vec::new(), deferred: Vec::new() };
        let tree = Node::All(open.iter().map(|conjunct| builder.node(conjunct)).collect());
        let Builder { compiler, known, deferred } = builder;

        let mut own = Vec::new();
        let mut places: Vec<(u16, Arc<str>, usize)> = Vec::new();
        let mut plans = ObjectPlansBuilder::default();
        for predicate in &deferred {
            plans.add(predicate);
            each_read(predicate, &mut |field, objects| match field.scope {
                Scope::Event => {
                    keep(&mut own, &field.path, compiler.slot(field, objects), objects);
                }
                Scope::Step(step) => {
                    let kept = earlier.get(usize::from(step));
                    let at = kept.and_then(|kept| kept.iter().position(|kept| kept.path == field.path));
                    places.extend(at.map(|at| (step, Arc::clone(&field.path), at)));
                }
                Scope::Element(_) => {}
            });
        }
        places.sort_unstable();
        places.dedup();

        let mut sources = Vec::new();
        for conjunct in &open {
            each_lineage(conjunct, &mut |filter| {
                if !sources.iter().any(|(known, _)| known == filter) {
                    sources.push((filter.clone(), compiler.source(filter)));
                }
            });
        }
        let process = if sources.is_empty() { process } else { Some(compiler.process_slots(true)) };
        let mut residual = Residual {
            tree,
            known: known.into(),
            deferred: deferred.into(),
            sources: sources.into(),
            own: own.into(),
            earlier: places.into(),
            process,
            plans: plans.build(),
            ties: Box::default(),
        };
        residual.ties = open.iter().filter_map(|conjunct| residual.tie(conjunct)).collect();
        Some(residual)
    }

    /// A conjunct as a tie. Not for types of which unequal values may have one key: the hit of one would push out the other's.
    fn tie(&self, conjunct: &Condition) -> Option<Tie> {
        let Condition::Leaf(leaf) = conjunct else { return None };
        let Predicate::Expr(Expr::Compare(CompareOp::Equal, left, right)) = &leaf.predicate else {
            return None;
        };
        let (Expr::Field(left), Expr::Field(right)) = (&**left, &**right) else { return None };
        let (own, other, step) = match (&left.scope, &right.scope) {
            (Scope::Event, Scope::Step(step)) => (left, right, *step),
            (Scope::Step(step), Scope::Event) => (right, left, *step),
            _ => return None,
        };
        let distinct = match own.kind {
            FieldType::Keyword
            | FieldType::Integer
            | FieldType::Float
            | FieldType::Boolean
            | FieldType::Ip
            | FieldType::Unknown => true,
            FieldType::Text
            | FieldType::Date
            | FieldType::Version
            | FieldType::Object
            | FieldType::Flattened
            | FieldType::Nested
            | FieldType::Unsupported => false,
        };
        if own.kind != other.kind || !distinct {
            return None;
        }
        Some(Tie { step, kind: own.kind, own: self.own_place(own)?, other: self.earlier_place(step, other)? })
    }

    fn own_place(&self, field: &FieldRef) -> Option<usize> {
        self.own.iter().position(|kept| kept.path == field.path)
    }

    fn earlier_place(&self, step: u16, field: &FieldRef) -> Option<usize> {
        let found = self.earlier.iter().find(|(of, path, _)| *of == step && *path == field.path);
        found.map(|(_, _, at)| *at)
    }

    /// By what events of earlier steps are told apart.
    #[must_use]
    pub fn ties(&self) -> &[Tie] {
        &self.ties
    }

    /// Whether the answer depends on the events of earlier steps, not on lineage alone.
    #[must_use]
    pub fn reads_earlier(&self) -> bool {
        !self.earlier.is_empty()
    }

    /// What an event that was matched says; `ask` runs a program on it.
    pub(crate) fn facts<'e>(
        &self,
        event: &mut Event<'e>,
        ask: &mut dyn FnMut(&Program, &mut Event<'e>) -> bool,
    ) -> Facts {
        let mut known = vec![0u64; self.known.len().div_ceil(64)];
        for (at, program) in self.known.iter().enumerate() {
            if let Some(word) = known.get_mut(at / 64) {
                *word |= u64::from(ask(program, event)) << (at % 64);
            }
        }
        Facts {
            known: known.into(),
            fields: self.own.iter().map(|field| field.captured(event)).collect(),
            process: self.process.map(|slots| slots.ids(event)),
        }
    }

    /// Whether a hit with these facts satisfies its step's condition, given that matching found it possible.
    ///
    /// `earlier` gives what the hit of an earlier step kept, [`crate::Hit::aliased`]; `None` where there is no such event,
    /// whose fields then are absent. `lineage` says whether the hit's process stands in the relation to a process of the
    /// source: [`crate::Lineage::holds`].
    pub fn holds<'a>(
        &'a self,
        facts: &'a Facts,
        earlier: &dyn Fn(u16) -> Option<&'a [Captured]>,
        lineage: &dyn Fn(Relation, u32) -> Outcome,
    ) -> Outcome {
        let cut = Cell::new(false);
        let kept = Kept { residual: self, facts, earlier, lineage, cut: &cut };
        let holds = self.node(&self.tree, &kept);
        Outcome { holds, cut: cut.get() }
    }

    fn node<'a>(&'a self, node: &Node, kept: &Kept<'a, '_>) -> bool {
        match node {
            Node::All(parts) => parts.iter().all(|part| self.node(part, kept)),
            Node::Any(parts) => parts.iter().any(|part| self.node(part, kept)),
            Node::Not(inner) => !self.node(inner, kept),
            Node::Known(at) => kept.facts.known(*at),
            Node::Deferred(at) => self.deferred.get(*at).is_some_and(|predicate| kept.test(predicate)),
        }
    }
}

impl Captured {
    /// About how many bytes it holds.
    pub(crate) fn bytes(&self) -> usize {
        let objects = self.objects.iter().map(|object| size_of::<Arc<str>>() + object.len()).sum::<usize>();
        size_of::<Captured>() + join_key::bytes(&self.values) + objects
    }
}

impl Facts {
    /// About how many bytes they hold.
    pub(crate) fn bytes(&self) -> usize {
        let fields = self.fields.iter().map(Captured::bytes).sum::<usize>();
        size_of::<Facts>() + size_of_val(&*self.known) + fields
    }

    fn known(&self, at: usize) -> bool {
        self.known.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    /// The ids of the event's process, where lineage needs them.
    #[must_use]
    pub fn process(&self) -> Option<&ProcessIds> {
        self.process.as_ref()
    }
}

impl Tie {
    /// The keys of a hit, in ascending order, none twice.
    #[must_use]
    pub fn keys(&self, facts: &Facts) -> Vec<Value> {
        self.held(facts.fields.get(self.own))
    }

    /// The keys of a hit of the earlier step.
    #[must_use]
    pub fn earlier_keys(&self, aliased: &[Captured]) -> Vec<Value> {
        self.held(aliased.get(self.other))
    }

    fn held(&self, captured: Option<&Captured>) -> Vec<Value> {
        let values = captured.map_or(&[][..], |captured| &captured.values);
        // What the type cannot hold may still equal itself.
        let held = |value: &Value| as_held(value.datum(), self.kind).unwrap_or_else(|| value.clone());
        let mut keys: Vec<Value> = values.iter().map(held).collect();
        keys.sort_by(compare_values);
        keys.dedup();
        keys
    }
}

/// What was kept of an event and of those before it.
struct Kept<'a, 'o> {
    residual: &'a Residual,
    facts: &'a Facts,
    earlier: &'o dyn Fn(u16) -> Option<&'a [Captured]>,
    lineage: &'o dyn Fn(Relation, u32) -> Outcome,
    cut: &'o Cell<bool>,
}

impl<'a> Kept<'a, '_> {
    fn test(&self, predicate: &'a Predicate) -> bool {
        // An object is no value, but its field has one.
        if let Predicate::Exists(field) = predicate {
            return self
                .captured(field)
                .is_some_and(|found| !(found.values.is_empty() && found.objects.is_empty()));
        }
        let (arena, buffers) = (Bump::new(), RefCell::default());
        let shared = Shared {
            root: self,
            plans: &self.residual.plans,
            arena: &arena,
            buffers: &buffers,
            cut: Cell::new(false),
        };
        let outcome = eval::predicate(predicate, &Level::root(&shared), &arena);
        self.cut.set(self.cut.get() || outcome.cut || shared.cut.get());
        outcome.holds
    }

    fn captured(&self, field: &FieldRef) -> Option<&'a Captured> {
        match field.scope {
            Scope::Event => self.facts.fields.get(self.residual.own_place(field)?),
            Scope::Step(step) => (self.earlier)(step)?.get(self.residual.earlier_place(step, field)?),
            Scope::Element(_) => None,
        }
    }
}

impl<'b, 'a: 'b> Root<'b> for Kept<'a, '_> {
    fn scalars(&self, field: &FieldRef, arena: &'b Bump) -> &'b [Datum<'b>] {
        let Some(captured) = self.captured(field) else { return &[] };
        BumpVec::from_iter_in(captured.values.iter().map(Value::datum), arena).into_bump_slice()
    }

    fn objects(&self, field: &FieldRef, arena: &'b Bump) -> &'b [&'b str] {
        let Some(captured) = self.captured(field) else { return &[] };
        BumpVec::from_iter_in(captured.objects.iter().map(|object| &**object), arena).into_bump_slice()
    }

    fn lineage(&self, relation: Relation, filter: &EventFilter) -> bool {
        let source = self.residual.sources.iter().find(|(known, _)| known == filter);
        source.is_some_and(|(_, number)| {
            let outcome = (self.lineage)(relation, *number);
            self.cut.set(self.cut.get() || outcome.cut);
            outcome.holds
        })
    }
}
