//! Why an event satisfies a condition or not: the condition's tree with the answer at every node.
//!
//! It is for people and asked of single events, so the plain evaluation answers and nothing is shared with matching.

use crate::compile::Engine;
use crate::hit::{MemberId, member};
use crate::index_patterns::IndexCache;
use crate::join_key::{Key, keys};
use crate::object::{Level, Matched, Shared};
use crate::residual::owned;
use bumpalo::Bump;
use quell_event::Event;
use quell_ir::{Condition, EventFilter, FieldRef, Predicate, Scope, Span, Value, eval};
use std::cell::{Cell, RefCell};
use std::sync::Arc;

/// A condition with its answers. What only other events can tell is open: `None`.
#[derive(Clone, Debug, PartialEq)]
pub enum Why {
    /// Always so.
    Constant(bool),
    /// All of them.
    All(Vec<Why>),
    /// Any of them.
    Any(Vec<Why>),
    /// Not it.
    Not(Box<Why>),
    /// One test.
    Test(Tested),
}

/// A test with its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Tested {
    /// Where it stands in the query.
    pub span: Span,
    /// Whether it holds; none if earlier events or the lineage of processes decide.
    pub holds: Option<bool>,
    /// What it reads of the event: each field and its values.
    pub read: Vec<(Arc<str>, Vec<Value>)>,
}

impl Why {
    /// Whether it holds.
    #[must_use]
    pub fn holds(&self) -> Option<bool> {
        match self {
            Why::Constant(holds) => Some(*holds),
            Why::All(parts) => decided_by(parts, false),
            Why::Any(parts) => decided_by(parts, true),
            Why::Not(inner) => inner.holds().map(|holds| !holds),
            Why::Test(test) => test.holds,
        }
    }
}

/// One part that is `decisive` decides; else all must be known.
fn decided_by(parts: &[Why], decisive: bool) -> Option<bool> {
    let mut open = false;
    for part in parts {
        match part.holds() {
            Some(holds) if holds == decisive => return Some(decisive),
            Some(_) => {}
            None => open = true,
        }
    }
    (!open).then_some(!decisive)
}

/// How an event stands to one step of a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The category that the step asks for, unless it is any.
    pub category: Option<Tested>,
    /// The condition.
    pub condition: Why,
    /// Whether the rule is for the event's operating system.
    pub system: bool,
    /// Whether the rule's index patterns match the event.
    pub index: bool,
    /// Whether the event has the time that the rule needs.
    pub time: bool,
    /// The join keys; none for an event rule.
    pub keys: Option<Box<[Key]>>,
    /// The name of the exception that covers the event, if one does.
    pub exception: Option<String>,
}

impl Verdict {
    /// Whether the event takes part in the step.
    #[must_use]
    pub fn holds(&self) -> Option<bool> {
        let category = self.category.as_ref().is_none_or(|test| test.holds == Some(true));
        let keys = self.keys.as_ref().is_none_or(|keys| !keys.is_empty());
        if !(category && self.system && self.index && self.time && keys && self.exception.is_none()) {
            return Some(false);
        }
        self.condition.holds()
    }
}

impl Engine {
    /// The identity of an event, as its hits carry it.
    #[must_use]
    pub fn identity(&self, event: &mut Event<'_>) -> MemberId {
        member(event, &self.member)
    }

    /// How an event stands to a step of a rule, whose filter this is; none if there is no such step.
    #[must_use]
    pub fn verdict(
        &self,
        rule: u32,
        step: u16,
        filter: &EventFilter,
        event: &mut Event<'_>,
    ) -> Option<Verdict> {
        let compiled = self.rules.get(rule as usize)?;
        let found = self.steps.iter().find(|found| (found.rule, found.number) == (rule, step))?;
        let index = found.index.is_none_or(|list| IndexCache::default().matches(&self.index, list, event));
        let time = !compiled.join.needs_time() || compiled.reads.time_of(event).is_some();
        let keys = found.keys.as_ref().map(|fields| keys(fields, event).list);
        let category = filter.category.as_ref().map(|category| {
            let (path, values) = self.read(&category.field, event);
            let holds = values.iter().any(|value| value.datum().as_text() == Some(&category.value));
            Tested { span: filter.span, holds: Some(holds), read: vec![(path, values)] }
        });
        let condition = self.why(&filter.condition, event);
        let at = compiled.reads.time_of(event);
        let covering = self.holds.covering(rule, at, |id| {
            self.tests.get(id.index()).is_some_and(|test| self.holds(&test.predicate, event))
        });
        let exception = covering.and_then(|number| Some(self.holds.get(number)?.item.name.clone()));
        Some(Verdict { category, condition, system: self.is_for(rule, event), index, time, keys, exception })
    }

    /// An event that names no system may be from any.
    fn is_for(&self, rule: u32, event: &mut Event<'_>) -> bool {
        let systems = self.rule(rule).map_or(&[][..], |rule| &rule.os_list);
        let Some(slot) = self.fields().get("host.os.type") else { return true };
        let values = event.values(slot);
        systems.is_empty()
            || values.is_empty()
            || values
                .iter()
                .filter_map(|value| value.as_text())
                .any(|own| systems.iter().any(|name| name == own))
    }

    fn why(&self, condition: &Condition, event: &mut Event<'_>) -> Why {
        let mut all = |parts: &[Condition]| parts.iter().map(|part| self.why(part, event)).collect();
        match condition {
            Condition::Constant(holds) => Why::Constant(*holds),
            Condition::And(parts) => Why::All(all(parts)),
            Condition::Or(parts) => Why::Any(all(parts)),
            Condition::Not(inner) => Why::Not(Box::new(self.why(inner, event))),
            Condition::Leaf(leaf) => {
                let mut fields: Vec<&FieldRef> = Vec::new();
                leaf.predicate.each_field(&mut |field| {
                    if field.scope == Scope::Event && !fields.contains(&field) {
                        fields.push(field);
                    }
                });
                let read = fields.into_iter().map(|field| self.read(field, event)).collect();
                let holds = (!leaf.predicate.is_deferred()).then(|| self.holds(&leaf.predicate, event));
                Why::Test(Tested { span: leaf.span, holds, read })
            }
        }
    }

    fn holds(&self, predicate: &Predicate, event: &mut Event<'_>) -> bool {
        for (slot, _) in self.fields().iter() {
            event.prepare(slot);
        }
        let (arena, buffers) = (Bump::new(), RefCell::default());
        let matched = Matched { event, fields: self.fields() };
        let shared = Shared {
            root: &matched,
            plans: &self.objects,
            arena: &arena,
            buffers: &buffers,
            cut: Cell::new(false),
        };
        eval::predicate(predicate, &Level::root(&shared), &arena).holds
    }

    fn read(&self, field: &FieldRef, event: &mut Event<'_>) -> (Arc<str>, Vec<Value>) {
        let values = match self.fields().get(&field.path) {
            Some(slot) => event.values(slot).iter().filter_map(owned).collect(),
            None => Vec::new(),
        };
        (Arc::clone(&field.path), values)
    }
}

#[cfg(test)]
mod tests {
    use super::{Tested, Why};
    use quell_ir::Span;

    #[test]
    fn what_is_open_is_decided_by_what_is_not() {
        let test = |holds| Why::Test(Tested { span: Span::default(), holds, read: Vec::new() });
        let (yes, no, open) = (test(Some(true)), test(Some(false)), test(None));
        let cases = [
            (Why::All(vec![]), Some(true)),
            (Why::Any(vec![]), Some(false)),
            (Why::All(vec![open.clone(), no.clone()]), Some(false)),
            (Why::All(vec![open.clone(), yes.clone()]), None),
            (Why::Any(vec![open.clone(), yes.clone()]), Some(true)),
            (Why::Any(vec![open.clone(), no.clone()]), None),
            (Why::Not(Box::new(open)), None),
            (Why::Not(Box::new(no)), Some(true)),
        ];
        for (why, expected) in cases {
            assert_eq!(why.holds(), expected, "{why:?}");
        }
    }
}
