//! What a filter means, said plainly: fields are looked up in the parsed document, the condition tree is walked.
#![allow(dead_code, reason = "each test file uses its own part")]

use bumpalo::Bump;
use quell_ir::eval::{self, Fields};
use quell_ir::predicate::Relation;
use quell_ir::{Datum, EventFilter, FieldRef, Scope};
use serde_json::Value as Json;

/// Whether a document, in which no key has dots, satisfies a filter. It follows no event and its process has no lineage.
pub fn holds(filter: &EventFilter, document: &Json, arena: &mut Bump) -> bool {
    holds_after(filter, document, &Before { events: &[], lineage: &|_, _| false }, arena)
}

/// What deferred leaves ask for.
#[derive(Clone, Copy)]
pub struct Before<'a> {
    /// The events of earlier steps.
    pub events: &'a [Json],
    /// Whether the event's process stands in the relation to one that the filter selects.
    pub lineage: &'a dyn Fn(Relation, &EventFilter) -> bool,
}

/// Whether a document, in which no key has dots, satisfies a filter, given what was before.
pub fn holds_after(filter: &EventFilter, document: &Json, before: &Before<'_>, arena: &mut Bump) -> bool {
    arena.reset();
    let plain = Plain { object: document, around: None, before };
    let of_category = filter.category.as_ref().is_none_or(|category| {
        plain.values(&category.field, arena).iter().any(|value| value.as_text() == Some(&category.value))
    });
    of_category && eval::condition(&filter.condition, &plain, arena).holds
}

/// The definition: fields looked up in the parsed document.
struct Plain<'a, 'o> {
    object: &'a Json,
    around: Option<&'o Plain<'a, 'o>>,
    before: &'a Before<'a>,
}

impl<'a> Plain<'a, '_> {
    fn found(&self, field: &FieldRef) -> Vec<&'a Json> {
        let mut holder = self;
        match field.scope {
            Scope::Element(up) => {
                for _ in 0..up {
                    holder = holder.around.unwrap();
                }
            }
            _ => {
                while let Some(around) = holder.around {
                    holder = around;
                }
            }
        }
        let mut found = match field.scope {
            Scope::Step(step) => self.before.events.get(usize::from(step)).into_iter().collect(),
            _ => vec![holder.object],
        };
        // Documents here are nested, never dotted.
        for segment in field.path.split('.').filter(|segment| !segment.is_empty()) {
            found = found.into_iter().flat_map(leaves).filter_map(|value| value.get(segment)).collect();
        }
        found.into_iter().flat_map(leaves).collect()
    }
}

fn leaves(value: &Json) -> Vec<&Json> {
    match value {
        Json::Array(list) => list.iter().flat_map(leaves).collect(),
        other => vec![other],
    }
}

fn datum(value: &Json) -> Option<Datum<'_>> {
    match value {
        Json::Bool(b) => Some(Datum::Boolean(*b)),
        Json::String(text) => Some(Datum::Text(text)),
        Json::Number(n) => Some(n.as_i64().map_or_else(|| Datum::Float(n.as_f64().unwrap()), Datum::Integer)),
        _ => None,
    }
}

fn any_scalar(value: &Json, path: &str, test: &mut dyn FnMut(&str, Datum<'_>) -> bool) -> bool {
    match value {
        Json::Object(members) => members.iter().any(|(name, value)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            any_scalar(value, &path, test)
        }),
        Json::Array(list) => list.iter().any(|value| any_scalar(value, path, test)),
        scalar => datum(scalar).is_some_and(|value| test(path, value)),
    }
}

impl<'a> Fields<'a> for Plain<'a, '_> {
    fn values(&self, field: &FieldRef, arena: &'a Bump) -> &'a [Datum<'a>] {
        let values: Vec<Datum<'a>> = self.found(field).into_iter().filter_map(datum).collect();
        arena.alloc_slice_copy(&values)
    }

    fn any_object(&self, field: &FieldRef, test: &mut dyn FnMut(&dyn Fields<'a>) -> bool) -> bool {
        self.found(field).into_iter().any(|object| {
            !object.is_null() && test(&Plain { object, around: Some(self), before: self.before })
        })
    }

    fn any_scalar(&self, test: &mut dyn FnMut(&str, Datum<'_>) -> bool) -> bool {
        let mut event = self;
        while let Some(around) = event.around {
            event = around;
        }
        any_scalar(event.object, "", test)
    }

    fn lineage(&self, relation: Relation, filter: &EventFilter) -> bool {
        (self.before.lineage)(relation, filter)
    }
}
