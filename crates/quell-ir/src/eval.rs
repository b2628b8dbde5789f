//! Evaluation of conditions: the any-element rule, three-valued inside a leaf, two-valued outside.
//!
//! Source: Elasticsearch's "EQL syntax reference". A leaf is evaluated for every combination of one element of each field
//! that it names (a field named twice takes one element; an absent one is null) and holds if one combination gives true.
//! This is the plain form; the engine answers most leaves by faster structures and must agree with it.

use crate::arithmetic::negate;
use crate::expr::{CompareOp, Expr};
use crate::field::FieldRef;
use crate::function::compare::{compare_alike, compare_data, compare_texts};
use crate::function::{Call, Kind};
use crate::pattern::{equal_folded, parse_ip};
use crate::predicate::{Predicate, Relation};
use crate::printed::Printed;
use crate::schema::FieldType;
use crate::value::{Case, Datum, Number, Value};
use crate::{Condition, EventFilter};
use bumpalo::Bump;
use bumpalo::collections::Vec;
use std::cell::Cell;

/// What an evaluation reads: the fields of an event, of earlier steps, of the elements around it.
pub trait Fields<'a> {
    /// The values of a field that are not null, in order; empty where it is absent. What has to be copied goes to the
    /// arena.
    fn values(&self, field: &FieldRef, arena: &'a Bump) -> &'a [Datum<'a>];

    /// Calls `test` with the fields of each object of an array until it gives true, and says whether it did. Inside,
    /// [`crate::Scope::Element`] 0 is that object.
    fn any_object(&self, field: &FieldRef, test: &mut dyn FnMut(&dyn Fields<'a>) -> bool) -> bool {
        _ = (field, test);
        false
    }

    /// Calls `test` with the dotted path and the value of every scalar of the event until it gives true, and says whether it
    /// did.
    fn any_scalar(&self, test: &mut dyn FnMut(&str, Datum<'_>) -> bool) -> bool {
        _ = test;
        false
    }

    /// Whether the process of the event stands in the relation to one whose event the filter selects.
    fn lineage(&self, relation: Relation, filter: &EventFilter) -> bool {
        _ = (relation, filter);
        false
    }
}

/// An answer, and whether a limit bit on the way to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it holds.
    pub holds: bool,
    /// Whether combinations were left out, or a text given up, so that `holds` may wrongly be false.
    pub cut: bool,
}

/// The most combinations of elements that one leaf tries.
pub const MAX_COMBINATIONS: usize = 4096;

/// The most bytes that one leaf puts into the arena before it stops trying.
pub const MAX_SCRATCH: usize = 32 << 20;

/// Whether an expression holds for some combination of elements.
pub fn holds<'a>(expr: &'a Expr, fields: &dyn Fields<'a>, arena: &'a Bump) -> Outcome {
    let mut bindings = bindings(expr, fields, arena);
    let before = arena.allocated_bytes();
    let evaluation = Evaluation { arena, fields: Some(fields), cut: Cell::new(false) };
    for _ in 0..MAX_COMBINATIONS {
        if let Datum::Boolean(true) = evaluation.value(expr, &bindings) {
            return Outcome { holds: true, cut: evaluation.cut.get() };
        }
        if !advance(&mut bindings) {
            return Outcome { holds: false, cut: evaluation.cut.get() };
        }
        if arena.allocated_bytes().saturating_sub(before) > MAX_SCRATCH {
            break;
        }
    }
    Outcome { holds: false, cut: true }
}

/// The value of an expression, and whether a limit bit on the way to it. Of a field that is not read whole the first element
/// counts.
pub fn value<'a>(expr: &'a Expr, fields: &dyn Fields<'a>, arena: &'a Bump) -> (Datum<'a>, bool) {
    let evaluation = Evaluation { arena, fields: Some(fields), cut: Cell::new(false) };
    let value = evaluation.value(expr, &bindings(expr, fields, arena));
    (value, evaluation.cut.get())
}

/// The value of an expression that names no field, or `None` where it names one.
pub fn constant<'a>(expr: &'a Expr, arena: &'a Bump) -> Option<Datum<'a>> {
    let mut named = false;
    expr.each_field(&mut |_| named = true);
    let evaluation = Evaluation { arena, fields: None, cut: Cell::new(false) };
    let value = evaluation.value(expr, &[]);
    (!named && !evaluation.cut.get()).then_some(value)
}

/// Whether a predicate holds for an event.
pub fn predicate<'a>(predicate: &'a Predicate, fields: &dyn Fields<'a>, arena: &'a Bump) -> Outcome {
    let plain = |holds| Outcome { holds, cut: false };
    match predicate {
        Predicate::Expr(expr) => holds(expr, fields, arena),
        Predicate::Lineage { relation, filter } => plain(fields.lineage(*relation, filter)),
        Predicate::AnyField { test } => {
            plain(fields.any_scalar(&mut |_, value| !value.is_null() && test.test_datum(value)))
        }
        Predicate::FieldNames { pattern, test } => plain(fields.any_scalar(&mut |path, value| {
            !value.is_null() && pattern.matches(path, Case::Sensitive) && test.test_datum(value)
        })),
        Predicate::Object { field, condition: inner } => {
            let mut cut = false;
            let holds = fields.any_object(field, &mut |element| {
                let outcome = condition(inner, element, arena);
                cut |= outcome.cut;
                outcome.holds
            });
            Outcome { holds, cut }
        }
        other => {
            let mut values: &[Datum<'_>] = &[];
            other.each_field(&mut |field| values = fields.values(field, arena));
            plain(values.iter().any(|value| other.test_datum(*value)))
        }
    }
}

/// Whether a condition holds for an event.
pub fn condition<'a>(condition: &'a Condition, fields: &dyn Fields<'a>, arena: &'a Bump) -> Outcome {
    let mut cut = false;
    let holds = two_valued(condition, fields, arena, &mut cut);
    Outcome { holds, cut }
}

fn two_valued<'a>(
    condition: &'a Condition,
    fields: &dyn Fields<'a>,
    arena: &'a Bump,
    cut: &mut bool,
) -> bool {
    match condition {
        Condition::Constant(b) => *b,
        Condition::And(parts) => parts.iter().all(|part| two_valued(part, fields, arena, cut)),
        Condition::Or(parts) => parts.iter().any(|part| two_valued(part, fields, arena, cut)),
        Condition::Not(inner) => !two_valued(inner, fields, arena, cut),
        Condition::Leaf(leaf) => {
            let outcome = predicate(&leaf.predicate, fields, arena);
            *cut |= outcome.cut;
            outcome.holds
        }
    }
}

/// A field and the element that it takes in this combination.
struct Binding<'a> {
    field: &'a FieldRef,
    values: &'a [Datum<'a>],
    at: usize,
    /// Whether its elements take turns; else the field is read whole.
    moves: bool,
}

/// The fields of an expression, each at its first element.
fn bindings<'a>(expr: &'a Expr, fields: &dyn Fields<'a>, arena: &'a Bump) -> Vec<'a, Binding<'a>> {
    let mut bindings: Vec<'_, Binding<'_>> = Vec::new_in(arena);
    expr.walk(&mut |part| {
        let (field, moves) = match part {
            Expr::Field(field) => (field, true),
            Expr::Whole(field)
            | Expr::Element(field, _)
            | Expr::Length { field, .. }
            | Expr::Contains { field, .. } => (field, false),
            _ => return,
        };
        match bindings.iter_mut().find(|binding| binding.field == field) {
            Some(binding) => binding.moves |= moves,
            None => {
                let values = held(fields.values(field, arena), field.kind, arena);
                bindings.push(Binding { field, values, at: 0, moves });
            }
        }
    });
    bindings
}

/// The values as a mapping of the field's type holds them: what functions and arithmetic see. One that the type cannot
/// hold is null.
fn held<'a>(values: &'a [Datum<'a>], kind: FieldType, arena: &'a Bump) -> &'a [Datum<'a>] {
    let as_it_is = |value: &Datum<'_>| match kind {
        FieldType::Keyword | FieldType::Text | FieldType::Flattened | FieldType::Version => {
            matches!(value, Datum::Text(_))
        }
        FieldType::Integer => value.as_number().is_some(),
        FieldType::Float => matches!(value, Datum::Float(_)),
        FieldType::Boolean => matches!(value, Datum::Boolean(_)),
        FieldType::Ip => false,
        FieldType::Date
        | FieldType::Object
        | FieldType::Nested
        | FieldType::Unsupported
        | FieldType::Unknown => true,
    };
    if values.iter().all(as_it_is) {
        return values;
    }
    let hold = |value: &Datum<'a>| if as_it_is(value) { *value } else { converted(*value, kind, arena) };
    Vec::from_iter_in(values.iter().map(hold), arena).into_bump_slice()
}

fn converted<'a>(value: Datum<'a>, kind: FieldType, arena: &'a Bump) -> Datum<'a> {
    match kind {
        FieldType::Integer => match value.to_number() {
            Some(Number::Integer(n)) => Datum::from_integer(n),
            Some(Number::Float(n)) => Datum::Float(n),
            None => Datum::Null,
        },
        FieldType::Float => value.to_number().map_or(Datum::Null, |n| Datum::Float(n.as_f64())),
        FieldType::Boolean => value.to_boolean().map_or(Datum::Null, Datum::Boolean),
        FieldType::Ip => {
            let address = value.as_text().and_then(parse_ip).map(|address| address.to_canonical());
            address.map_or(Datum::Null, |address| {
                Datum::Text(bumpalo::format!(in arena, "{}", address).into_bump_str())
            })
        }
        _ => {
            let mut printed = Printed::default();
            printed.text(value).map_or(Datum::Null, |text| Datum::Text(arena.alloc_str(text)))
        }
    }
}

/// The next combination, the last field turning fastest; false after the last one.
fn advance(bindings: &mut [Binding<'_>]) -> bool {
    for binding in bindings.iter_mut().rev().filter(|binding| binding.moves) {
        binding.at += 1;
        if binding.at < binding.values.len() {
            return true;
        }
        binding.at = 0;
    }
    false
}

/// What every element satisfies.
static ANY: Condition = Condition::Constant(true);

struct Evaluation<'a, 'f> {
    arena: &'a Bump,
    /// What conditions on elements read; none where the expression names no field.
    fields: Option<&'f dyn Fields<'a>>,
    cut: Cell<bool>,
}

impl<'a> Evaluation<'a, '_> {
    fn value(&self, expr: &'a Expr, bindings: &[Binding<'a>]) -> Datum<'a> {
        match expr {
            Expr::Constant(value) => value.datum(),
            Expr::Field(field) => {
                let binding = bindings.iter().find(|binding| binding.field == field);
                binding.and_then(|binding| binding.values.get(binding.at)).copied().unwrap_or(Datum::Null)
            }
            Expr::Call { function, case, arguments } => {
                let mut values = Vec::with_capacity_in(arguments.len(), self.arena);
                values.extend(arguments.iter().map(|argument| self.value(argument, bindings)));
                let call = Call::new(*case, self.arena);
                let result = function.call(&call, &values);
                self.cut.set(self.cut.get() || call.cut.get());
                result
            }
            Expr::Arithmetic(op, left, right) => {
                op.apply(&[self.value(left, bindings), self.value(right, bindings)])
            }
            Expr::Negative(inner) => negate(self.value(inner, bindings)),
            Expr::Compare(op, left, right) => {
                let (a, b) = (self.value(left, bindings), self.value(right, bindings));
                truth(compare(*op, (left, a), (right, b)))
            }
            Expr::IsNull(inner) => Datum::Boolean(self.value(inner, bindings).is_null()),
            Expr::In { operand, values, case } => {
                let found = self.value(operand, bindings);
                if found.is_null() {
                    return Datum::Null;
                }
                Datum::Boolean(values.iter().any(|value| equals(operand, found, value, *case)))
            }
            Expr::Like { operand, patterns, case } => self
                .texts(operand, bindings, |text| patterns.iter().any(|pattern| pattern.matches(text, *case))),
            Expr::Regex { operand, patterns, case } => self
                .texts(operand, bindings, |text| patterns.iter().any(|pattern| pattern.matches(text, *case))),
            Expr::And(parts) => self.all(parts, bindings, true),
            Expr::Or(parts) => self.all(parts, bindings, false),
            Expr::Not(inner) => truth(self.value(inner, bindings).to_boolean().map(|b| !b)),
            Expr::Whole(field) => match values(field, bindings) {
                [value] => *value,
                _ => Datum::Null,
            },
            Expr::Element(field, at) => {
                let place = usize::try_from(*at).unwrap_or(usize::MAX);
                values(field, bindings).get(place).copied().unwrap_or(Datum::Null)
            }
            Expr::Length { field, list } => match values(field, bindings) {
                // Objects are no values, but elements.
                [] => match self.count(field, &ANY) {
                    Datum::Integer(0) => Datum::Null,
                    objects => objects,
                },
                [Datum::Text(text)] if !list => count(text.chars().count()),
                [_] if !list => Datum::Null,
                several => count(several.len()),
            },
            Expr::Contains { field, values: wanted } => {
                let found = values(field, bindings);
                if found.is_empty() {
                    return Datum::Null;
                }
                let same = |wanted| found.iter().any(|found| is_same(*found, self.value(wanted, bindings)));
                Datum::Boolean(wanted.iter().any(same))
            }
            Expr::Count { field, condition } => self.count(field, condition),
            Expr::Same(op, left, right) => {
                truth(compare_alike(*op, self.value(left, bindings), self.value(right, bindings)))
            }
            Expr::SameAsOne { operand, values } => {
                let found = self.value(operand, bindings);
                if found.is_null() {
                    return Datum::Null;
                }
                Datum::Boolean(values.iter().any(|value| is_same(found, value.datum())))
            }
            Expr::Text(inner) => match self.value(inner, bindings) {
                text @ Datum::Text(_) => text,
                _ => Datum::Null,
            },
        }
    }

    fn count(&self, field: &FieldRef, inner: &'a Condition) -> Datum<'a> {
        let mut found = 0_usize;
        if let Some(fields) = self.fields {
            fields.any_object(field, &mut |element| {
                let outcome = condition(inner, element, self.arena);
                self.cut.set(self.cut.get() || outcome.cut);
                found += usize::from(outcome.holds);
                false // so that the next is looked at too
            });
        }
        count(found)
    }

    fn texts(&self, operand: &'a Expr, bindings: &[Binding<'a>], test: impl Fn(&str) -> bool) -> Datum<'a> {
        truth(Printed::default().text(self.value(operand, bindings)).map(test))
    }

    /// Three-valued `and` (`decided` by false) and `or` (by true).
    fn all(&self, parts: &'a [Expr], bindings: &[Binding<'a>], unit: bool) -> Datum<'a> {
        let mut unknown = false;
        for part in parts {
            match self.value(part, bindings).to_boolean() {
                Some(b) if b == unit => {}
                Some(b) => return Datum::Boolean(b),
                None => unknown = true,
            }
        }
        if unknown { Datum::Null } else { Datum::Boolean(unit) }
    }
}

fn values<'a>(field: &FieldRef, bindings: &[Binding<'a>]) -> &'a [Datum<'a>] {
    bindings.iter().find(|binding| binding.field == field).map_or(&[], |binding| binding.values)
}

fn count<'a>(n: usize) -> Datum<'a> {
    i64::try_from(n).map_or(Datum::Null, Datum::Integer)
}

fn is_same(a: Datum<'_>, b: Datum<'_>) -> bool {
    compare_alike(CompareOp::Equal, a, b) == Some(true)
}

fn truth<'a>(answer: Option<bool>) -> Datum<'a> {
    answer.map_or(Datum::Null, Datum::Boolean)
}

/// Compares as text where both sides are text by their types, or one is and the other is a constant.
fn compare(op: CompareOp, (left, a): (&Expr, Datum<'_>), (right, b): (&Expr, Datum<'_>)) -> Option<bool> {
    let texts = match (left, right) {
        (Expr::Constant(_), other) | (other, Expr::Constant(_)) => is_text(other),
        _ => is_text(left) && is_text(right),
    };
    if texts { compare_texts(op, a, b) } else { compare_data(op, a, b) }
}

fn equals(operand: &Expr, found: Datum<'_>, wanted: &Value, case: Case) -> bool {
    match case {
        Case::Folded => {
            let mut printed = Printed::default();
            let Value::Text(wanted) = wanted else { return false };
            printed.text(found).is_some_and(|found| equal_folded(found, wanted))
        }
        Case::Sensitive if is_text(operand) => {
            compare_texts(CompareOp::Equal, found, wanted.datum()) == Some(true)
        }
        Case::Sensitive => compare_data(CompareOp::Equal, found, wanted.datum()) == Some(true),
    }
}

fn is_text(expr: &Expr) -> bool {
    match expr {
        Expr::Field(field) => field.kind == FieldType::Keyword,
        Expr::Call { function, .. } => function.returns == Kind::String,
        _ => false,
    }
}
