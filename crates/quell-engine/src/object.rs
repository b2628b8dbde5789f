//! What expressions and object scopes read: the fields of events, and those of the array elements around a test.
//!
//! An element is projected onto the members that any rule asks of its array, into a buffer that is used again.

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use quell_event::{Event, EventState, FieldSet, Projection, ProjectionBuilder, Scalar, Slot, Want};
use quell_ir::eval::Fields;
use quell_ir::predicate::Relation;
use quell_ir::{Condition, Datum, EventFilter, Expr, FieldRef, FieldType, Predicate, Scope};
use rustc_hash::FxHashMap;
use std::cell::{Cell, RefCell};

/// The members that are asked of each array.
#[derive(Debug, Default)]
pub(crate) struct ObjectPlansBuilder {
    arrays: FxHashMap<FieldRef, Members>,
}

#[derive(Debug, Default)]
struct Members {
    fields: FieldSet,
    subtrees: Vec<bool>,
}

impl Members {
    fn add(&mut self, path: &str, subtree: bool) {
        let slot = self.fields.intern(path).index();
        if self.subtrees.len() <= slot {
            self.subtrees.resize(slot + 1, false);
        }
        if let Some(wanted) = self.subtrees.get_mut(slot) {
            *wanted |= subtree;
        }
    }
}

impl ObjectPlansBuilder {
    /// Adds what a predicate of the event asks of elements.
    pub(crate) fn add(&mut self, predicate: &Predicate) {
        self.collect(predicate, &mut Vec::new());
    }

    /// `around` holds the arrays around the predicate, the innermost last.
    fn collect<'p>(&mut self, predicate: &'p Predicate, around: &mut Vec<&'p FieldRef>) {
        if let Predicate::Object { field, condition } = predicate {
            self.array(field, condition, around);
        } else if let Predicate::Expr(expr) = predicate {
            expr.walk(&mut |part| match part {
                Expr::Count { field, condition } => self.array(field, condition, around),
                Expr::Length { field, .. } => {
                    self.member(field, true, around);
                    self.arrays.entry(field.clone()).or_default();
                }
                Expr::Whole(field)
                | Expr::Element(field, _)
                | Expr::Contains { field, .. }
                | Expr::Field(field) => self.member(field, false, around),
                _ => {}
            });
        } else {
            predicate.each_field(&mut |field| self.member(field, wants_objects(predicate), around));
        }
    }

    /// An array whose elements are tested.
    fn array<'p>(&mut self, field: &'p FieldRef, condition: &'p Condition, around: &mut Vec<&'p FieldRef>) {
        self.member(field, true, around);
        self.arrays.entry(field.clone()).or_default();
        around.push(field);
        condition.each_leaf(&mut |leaf| self.collect(&leaf.predicate, around));
        around.pop();
    }

    fn member(&mut self, field: &FieldRef, subtree: bool, around: &[&FieldRef]) {
        if let Scope::Element(up) = field.scope
            && let Some(array) = around.iter().rev().nth(usize::from(up))
            && !field.path.is_empty()
        {
            self.arrays.entry((*array).clone()).or_default().add(&field.path, subtree);
        }
    }

    pub(crate) fn build(self) -> ObjectPlans {
        let plan = |members: Members| {
            let mut builder = ProjectionBuilder::new();
            for ((slot, path), subtree) in members.fields.iter().zip(&members.subtrees) {
                builder.add(path, slot.index(), if *subtree { Want::Subtree } else { Want::Scalars });
            }
            ObjectPlan { projection: builder.build(), members: members.fields }
        };
        ObjectPlans {
            arrays: self.arrays.into_iter().map(|(field, members)| (field, plan(members))).collect(),
        }
    }
}

/// Whether a predicate looks at the objects of its field and not at scalars alone. To ask whether a field exists that is
/// an object by its type means to ask for an object.
pub(crate) fn wants_objects(predicate: &Predicate) -> bool {
    match predicate {
        Predicate::Object { .. } => true,
        Predicate::Expr(expr) => {
            let mut counts = false;
            expr.walk(&mut |part| counts |= matches!(part, Expr::Count { .. } | Expr::Length { .. }));
            counts
        }
        Predicate::Exists(field) => {
            matches!(field.kind, FieldType::Object | FieldType::Nested | FieldType::Flattened)
        }
        _ => false,
    }
}

/// How the elements of each array are read.
#[derive(Debug, Default)]
pub(crate) struct ObjectPlans {
    arrays: FxHashMap<FieldRef, ObjectPlan>,
}

#[derive(Debug)]
struct ObjectPlan {
    members: FieldSet,
    projection: Projection,
}

/// Calls `visit` on every field that a predicate reads, also from within object scopes, and says whether its objects are
/// wanted. Lineage reads none.
pub(crate) fn each_read<'p>(predicate: &'p Predicate, visit: &mut dyn FnMut(&'p FieldRef, bool)) {
    if let Predicate::Object { field, condition } = predicate {
        visit(field, true);
        condition.each_leaf(&mut |leaf| each_read(&leaf.predicate, visit));
    } else {
        let objects = wants_objects(predicate);
        predicate.each_field(&mut |field| visit(field, objects));
    }
}

/// What stands around all elements: the event as it is matched, or what was kept of it and of earlier ones.
pub(crate) trait Root<'a> {
    /// The values of a field that are not null.
    fn scalars(&self, field: &FieldRef, arena: &'a Bump) -> &'a [Datum<'a>];

    /// The JSON texts of a field's objects.
    fn objects(&self, field: &FieldRef, arena: &'a Bump) -> &'a [&'a str];

    /// Whether some scalar of the event satisfies the test, whatever its path. Only the event that is matched knows all of them.
    fn any_scalar(&self, test: &mut dyn FnMut(&str, Datum<'_>) -> bool) -> bool {
        _ = test;
        false
    }

    /// Whether the event's process stands in the relation.
    fn lineage(&self, relation: Relation, filter: &EventFilter) -> bool;
}

/// The event that is matched. The fields that will be read were prepared before.
pub(crate) struct Matched<'a, 'x> {
    pub(crate) event: &'a Event<'x>,
    pub(crate) fields: &'a FieldSet,
}

impl<'a> Root<'a> for Matched<'a, '_> {
    fn scalars(&self, field: &FieldRef, arena: &'a Bump) -> &'a [Datum<'a>] {
        let Some(slot) = self.slot(field) else { return &[] };
        let values = self.event.prepared(slot);
        BumpVec::from_iter_in(values.iter().filter(|value| !value.is_null()), arena).into_bump_slice()
    }

    fn objects(&self, field: &FieldRef, arena: &'a Bump) -> &'a [&'a str] {
        let Some(slot) = self.slot(field) else { return &[] };
        BumpVec::from_iter_in(self.event.prepared(slot).objects(), arena).into_bump_slice()
    }

    fn any_scalar(&self, test: &mut dyn FnMut(&str, Datum<'_>) -> bool) -> bool {
        let mut found = false;
        // What nests too deeply is seen as far as it was read.
        _ = self.event.walk(&mut |path, value| found = found || test(path, value));
        found
    }

    /// Matching leaves it open: no predicate that is asked here has it.
    fn lineage(&self, _relation: Relation, _filter: &EventFilter) -> bool {
        false
    }
}

impl Matched<'_, '_> {
    fn slot(&self, field: &FieldRef) -> Option<Slot> {
        if field.scope == Scope::Event { self.fields.get(&field.path) } else { None }
    }
}

/// What all levels of a test share.
pub(crate) struct Shared<'a, 'o> {
    pub(crate) root: &'o dyn Root<'a>,
    pub(crate) plans: &'a ObjectPlans,
    pub(crate) arena: &'a Bump,
    /// Buffers for elements, as many as were ever needed at once.
    pub(crate) buffers: &'a RefCell<Vec<EventState>>,
    /// Whether an element could not be read.
    pub(crate) cut: Cell<bool>,
}

/// A value whose text lies in the arena.
pub(crate) fn in_arena<'a>(value: Datum<'_>, arena: &'a Bump) -> Datum<'a> {
    match value {
        Datum::Text(text) => Datum::Text(arena.alloc_str(text)),
        Datum::Boolean(b) => Datum::Boolean(b),
        Datum::Integer(n) => Datum::Integer(n),
        Datum::Unsigned(n) => Datum::Unsigned(n),
        Datum::Float(n) => Datum::Float(n),
        Datum::Null => Datum::Null,
    }
}

/// The root, or an element within one of its arrays.
pub(crate) struct Level<'a, 'o> {
    shared: &'o Shared<'a, 'o>,
    /// The element and the level around it; none for the root itself.
    element: Option<(Element<'a, 'o>, &'o Level<'a, 'o>)>,
}

#[derive(Clone, Copy)]
enum Element<'a, 'o> {
    Scalar(Datum<'a>),
    Object { text: &'a str, members: &'a FieldSet, state: &'o EventState },
}

impl<'a, 'o> Level<'a, 'o> {
    /// The level of the root.
    pub(crate) fn root(shared: &'o Shared<'a, 'o>) -> Self {
        Level { shared, element: None }
    }

    /// The element that an element scope means: 0 is the one at hand.
    fn element(&self, up: u16) -> Option<Element<'a, 'o>> {
        let (mut element, mut around) = self.element?;
        for _ in 0..up {
            (element, around) = around.element?;
        }
        Some(element)
    }

    fn scalars(&self, field: &FieldRef) -> &'a [Datum<'a>] {
        let arena = self.shared.arena;
        let values = match (&field.scope, self.held(field)) {
            (Scope::Event | Scope::Step(_), _) => return self.shared.root.scalars(field, arena),
            (_, Some(Element::Scalar(value))) if field.path.is_empty() => {
                BumpVec::from_iter_in([value], arena)
            }
            (_, Some(Element::Object { text, members, state })) => {
                let Some(slot) = members.get(&field.path) else { return &[] };
                let values = state.source.values(slot.index()).map(|value| value.datum(text, &state.arena));
                // The buffer is used again before the evaluation ends: text moves to the arena.
                let kept = values.map(|value| in_arena(value, arena));
                BumpVec::from_iter_in(kept.filter(|value| !value.is_null()), arena)
            }
            _ => return &[],
        };
        values.into_bump_slice()
    }

    fn objects(&self, field: &FieldRef) -> &'a [&'a str] {
        let arena = self.shared.arena;
        let objects = match (&field.scope, self.held(field)) {
            (Scope::Event | Scope::Step(_), _) => return self.shared.root.objects(field, arena),
            (_, Some(Element::Object { text, members, state })) => {
                let Some(slot) = members.get(&field.path) else { return &[] };
                let objects = state.source.values(slot.index()).filter_map(|value| match value {
                    Scalar::Object(object) => Some(object.resolve(text, "")),
                    _ => None,
                });
                BumpVec::from_iter_in(objects, arena)
            }
            _ => return &[],
        };
        objects.into_bump_slice()
    }

    fn held(&self, field: &FieldRef) -> Option<Element<'a, 'o>> {
        if let Scope::Element(up) = field.scope { self.element(up) } else { None }
    }
}

impl<'a> Fields<'a> for Level<'a, '_> {
    fn values(&self, field: &FieldRef, _arena: &'a Bump) -> &'a [Datum<'a>] {
        self.scalars(field)
    }

    /// Within an element too it is the event's.
    fn any_scalar(&self, test: &mut dyn FnMut(&str, Datum<'_>) -> bool) -> bool {
        self.shared.root.any_scalar(test)
    }

    fn lineage(&self, relation: Relation, filter: &EventFilter) -> bool {
        self.shared.root.lineage(relation, filter)
    }

    fn any_object(&self, field: &FieldRef, test: &mut dyn FnMut(&dyn Fields<'a>) -> bool) -> bool {
        let scalar = |value: &Datum<'a>| {
            test(&Level { shared: self.shared, element: Some((Element::Scalar(*value), self)) })
        };
        if self.scalars(field).iter().any(scalar) {
            return true;
        }
        let Some(plan) = self.shared.plans.arrays.get(field) else { return false };
        let buffer = self.shared.buffers.borrow_mut().pop();
        let mut state = buffer.unwrap_or_default();
        let found = self.objects(field).iter().any(|object| {
            state.begin(plan.members.len(), 0);
            if plan.projection.project(object, &mut state).is_err() {
                self.shared.cut.set(true);
                return false;
            }
            let element = Element::Object { text: object, members: &plan.members, state: &state };
            test(&Level { shared: self.shared, element: Some((element, self)) })
        });
        self.shared.buffers.borrow_mut().push(state);
        found
    }
}
