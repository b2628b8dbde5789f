//! What a query does with the events that its conditions select.

use crate::condition::Condition;
use crate::field::{FieldRef, Scope};
use crate::span::Span;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// A whole query.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Query {
    /// What it looks for.
    pub logic: Logic,
    /// What is done with the ordered results, left to right.
    pub pipes: Vec<Pipe>,
}

impl Query {
    /// The paths of the event fields that the query reads, categories and join keys included; sorted, none twice. Fields
    /// of an element (`$var.path`) belong to the field that is searched.
    #[must_use]
    pub fn fields(&self) -> Vec<Arc<str>> {
        let mut paths = BTreeSet::new();
        for (filter, by) in self.filters() {
            paths.extend(filter.category.iter().map(|category| Arc::clone(&category.field.path)));
            paths.extend(by.iter().map(|key| Arc::clone(&key.field.path)));
            filter.condition.each_leaf(&mut |leaf| {
                leaf.predicate.each_field(&mut |field| {
                    if !matches!(field.scope, Scope::Element(_)) {
                        paths.insert(Arc::clone(&field.path));
                    }
                });
            });
        }
        paths.into_iter().collect()
    }

    /// Every filter with its join keys, `until` included.
    fn filters(&self) -> Vec<(&EventFilter, &[JoinKey])> {
        match &self.logic {
            Logic::Event(filter) => vec![(filter, &[])],
            Logic::Sequence(Sequence { steps, until, .. }) => {
                steps.iter().chain(until).map(|step| (&step.filter, &*step.by)).collect()
            }
            Logic::Sample(steps) => steps.iter().map(|step| (&step.filter, &*step.by)).collect(),
        }
    }
}

/// What a query looks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Logic {
    /// Single events.
    Event(EventFilter),
    /// Events one after the other.
    Sequence(Sequence),
    /// Events with a key in common, in any order.
    Sample(Vec<Step>),
}

/// Which events take part: a category and a condition.
#[derive(Clone, Debug)]
pub struct EventFilter {
    /// `process where` is `event.category == "process"`, case-sensitive; `any where` is none.
    pub category: Option<Category>,
    /// The rest.
    pub condition: Condition,
    /// Where it stands in the source.
    pub span: Span,
}

impl PartialEq for EventFilter {
    fn eq(&self, other: &Self) -> bool {
        self.category == other.category && self.condition == other.condition
    }
}

impl Eq for EventFilter {}

impl std::hash::Hash for EventFilter {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.category.hash(state);
        self.condition.hash(state);
    }
}

/// The category test of a filter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Category {
    /// The field, by default `event.category`.
    pub field: FieldRef,
    /// Its value.
    pub value: Arc<str>,
}

/// Steps in order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sequence {
    /// The longest time from the first event to the last; none means no limit.
    pub maxspan: Option<Duration>,
    /// The steps, with `runs` not expanded.
    pub steps: Vec<Step>,
    /// What ends pending sequences of its key.
    pub until: Option<Step>,
}

/// One step of a sequence or sample.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// Which events.
    pub filter: EventFilter,
    /// The join keys: those of the whole sequence first, then the step's own.
    pub by: Vec<JoinKey>,
    /// How often it must come (`with runs`), at least 1.
    pub runs: u32,
    /// `![…]`: it must not come.
    pub missing: bool,
    /// What later steps call its event (`as event0`).
    pub alias: Option<Arc<str>>,
}

/// A join key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JoinKey {
    /// The field.
    pub field: FieldRef,
    /// `?field`: an absent value is a key of its own.
    pub optional: bool,
}

/// A pipe over ordered results.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Pipe {
    /// The first n.
    Head(u64),
    /// The last n.
    Tail(u64),
}
