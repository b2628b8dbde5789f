//! What a query does with the events that its conditions select.

use crate::condition::Condition;
use crate::expr::Expr;
use crate::field::{FieldRef, Scope};
use crate::span::Span;
use crate::value::Case;
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
        for pipe in &self.pipes {
            pipe.each_field(&mut |field| _ = paths.insert(Arc::clone(&field.path)));
        }
        match &self.logic {
            Logic::Threshold(threshold) => {
                paths.extend(threshold.cardinality.iter().map(|other| Arc::clone(&other.field.path)));
            }
            Logic::ThreatMatch(threat) => {
                paths.extend(threat.entries().map(|entry| Arc::clone(&entry.field.path)));
            }
            Logic::Event(_) | Logic::Sequence(_) | Logic::Sample(_) | Logic::Join(_) | Logic::NewTerms(_) => {
            }
        }
        paths.into_iter().collect()
    }

    /// How the work of correlating the query's hits can be split.
    ///
    /// Keys of one name at one place of every step split it: what has other values there never meets. Pipes count the
    /// results of all keys.
    #[must_use]
    pub fn sharding(&self) -> Sharding {
        if !self.pipes.is_empty() {
            return Sharding::SingleLane;
        }
        if let Logic::Event(_) | Logic::ThreatMatch(_) = self.logic {
            return Sharding::Free;
        }
        let steps: Vec<&[JoinKey]> = self.filters().into_iter().map(|(_, by)| by).collect();
        let Some((first, others)) = steps.split_first() else { return Sharding::SingleLane };
        let common = |(place, key): (usize, &JoinKey)| {
            let path = &key.field.path;
            // A key that ignores case has many spellings of one value.
            let same = |by: &&[JoinKey]| {
                by.get(place).is_some_and(|other| other.field.path == *path && other.case == Case::Sensitive)
            };
            (same(first) && others.iter().all(same)).then(|| Arc::clone(path))
        };
        let fields: Vec<Arc<str>> = first.iter().enumerate().filter_map(common).collect();
        if fields.is_empty() { Sharding::SingleLane } else { Sharding::Fields(fields) }
    }

    /// Calls `change` on every filter, `until` included.
    pub fn each_filter_mut(&mut self, change: &mut dyn FnMut(&mut EventFilter)) {
        match &mut self.logic {
            Logic::Event(filter) => change(filter),
            Logic::Threshold(Threshold { filter, .. })
            | Logic::NewTerms(NewTerms { filter, .. })
            | Logic::ThreatMatch(ThreatMatch { filter, .. }) => change(filter),
            Logic::Sequence(Sequence { steps, until, .. }) | Logic::Join(Join { steps, until }) => {
                steps.iter_mut().chain(until).for_each(|step| change(&mut step.filter));
            }
            Logic::Sample(steps) => steps.iter_mut().for_each(|step| change(&mut step.filter)),
        }
    }

    /// Every filter with its join keys, `until` included.
    #[must_use]
    pub fn filters(&self) -> Vec<(&EventFilter, &[JoinKey])> {
        match &self.logic {
            Logic::Event(filter) => vec![(filter, &[])],
            Logic::Sequence(Sequence { steps, until, .. }) => {
                steps.iter().chain(until).map(|step| (&step.filter, &*step.by)).collect()
            }
            Logic::Sample(steps) => steps.iter().map(|step| (&step.filter, &*step.by)).collect(),
            Logic::Join(Join { steps, until }) => {
                steps.iter().chain(until).map(|step| (&step.filter, &*step.by)).collect()
            }
            Logic::Threshold(threshold) => vec![(&threshold.filter, &threshold.by)],
            Logic::NewTerms(terms) => vec![(&terms.filter, &terms.terms)],
            Logic::ThreatMatch(threat) => vec![(&threat.filter, &[])],
        }
    }
}

/// Over what the correlation of a query's hits can be spread without a change of its results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sharding {
    /// Over anything: every event is a result of its own.
    Free,
    /// By the values of these fields: hits that differ in them never join.
    Fields(Vec<Arc<str>>),
    /// Over nothing: all hits in one lane.
    SingleLane,
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
    /// The same with events told apart by their steps (Endgame dialect).
    Join(Join),
    /// So many events with equal values within some time.
    Threshold(Threshold),
    /// Values that were not seen for some time.
    NewTerms(NewTerms),
    /// Single events that have values of known threats.
    ThreatMatch(ThreatMatch),
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
    /// Whether an event of `until` ends them before it is tried on the steps (Endgame dialect).
    pub until_first: bool,
}

/// Steps in any order (Endgame dialect): the first event of each step is kept for each key; when all steps have one, they
/// are the result, and the key starts anew. Source: the Python implementation of EQL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Join {
    /// The steps, two at least.
    pub steps: Vec<Step>,
    /// What drops the events that were kept for its key.
    pub until: Option<Step>,
}

/// Events of one group that are counted over a sliding window. Source: Elastic Security's "Create a threshold rule".
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Threshold {
    /// Which events.
    pub filter: EventFilter,
    /// The fields whose values make the groups; none makes one group of all events.
    pub by: Vec<JoinKey>,
    /// How many events of a group it takes, at least 1.
    pub value: u64,
    /// How many distinct values of these fields it takes too.
    pub cardinality: Vec<Cardinality>,
    /// How long an event counts. An event that is exactly so old still does.
    pub window: Duration,
}

/// So many distinct values of a field.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cardinality {
    /// The field.
    pub field: FieldRef,
    /// How many; 0 asks for nothing.
    pub value: u64,
}

/// Combinations of values that were not seen for some time. Source: Elastic Security's "Create a new terms rule".
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NewTerms {
    /// Which events.
    pub filter: EventFilter,
    /// The fields, one to three.
    pub terms: Vec<JoinKey>,
    /// How long a combination is remembered since it was last seen.
    pub history: Duration,
}

/// Events whose values are those of an indicator of threats. Source: Elastic Security's "Create an indicator match rule".
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ThreatMatch {
    /// Which events.
    pub filter: EventFilter,
    /// How fields of events and of one indicator must agree: in all entries of some list.
    pub mapping: Vec<Vec<ThreatEntry>>,
    /// Which indicators.
    pub indicators: EventFilter,
}

impl ThreatMatch {
    /// All entries of its mapping.
    pub fn entries(&self) -> impl Iterator<Item = &ThreatEntry> {
        self.mapping.iter().flatten()
    }
}

/// That a field of the event has a value of the indicator.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ThreatEntry {
    /// The event's field.
    pub field: FieldRef,
    /// The path of the indicator's field.
    pub indicator: Arc<str>,
    /// Whether it must not have it.
    pub negate: bool,
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
    /// `fork` (Endgame dialect): the pending sequence is copied and not moved, so that it can go on with later events too.
    pub fork: bool,
}

/// A join key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JoinKey {
    /// The field.
    pub field: FieldRef,
    /// `?field`: an absent value is a key of its own.
    pub optional: bool,
    /// Whether texts are one key that differ in case alone (Endgame dialect).
    pub case: Case,
}

/// A pipe over ordered results.
///
/// All but `head` and `tail` belong to the Endgame dialect. Their expressions read a result's first event by
/// [`Scope::Event`] and the one at place n by [`Scope::Step`]. Behind `count` and `unique_count` the fields `count`,
/// `percent`, `key`, `hosts` and `total_hosts` are those that the pipe has made. Source: the Python implementation of EQL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Pipe {
    /// The first n.
    Head(u64),
    /// The last n.
    Tail(u64),
    /// What satisfies the condition.
    Filter(Condition),
    /// In ascending order of the keys, texts without case, stable; null as the empty value of its type.
    Sort(Vec<Expr>),
    /// The first result for each key, texts without case.
    Unique(Vec<Expr>),
    /// The same, with `count`, `percent` and, where events name a host, `hosts` and `total_hosts` in its first event.
    UniqueCount(Vec<Expr>),
    /// One event for each key with `key`, `count`, `percent` and hosts, in ascending order of count and key; without keys
    /// one event with the `key` "totals" and a `count`.
    Count(Vec<Expr>),
}

impl Pipe {
    /// Calls `visit` on every field of a result's events that it reads.
    pub fn each_field<'p>(&'p self, visit: &mut dyn FnMut(&'p FieldRef)) {
        match self {
            Pipe::Head(_) | Pipe::Tail(_) => {}
            Pipe::Filter(condition) => condition.each_leaf(&mut |leaf| {
                leaf.predicate.each_field(&mut |field| {
                    if !matches!(field.scope, Scope::Element(_)) {
                        visit(field);
                    }
                });
            }),
            Pipe::Sort(keys) | Pipe::Unique(keys) | Pipe::UniqueCount(keys) | Pipe::Count(keys) => {
                keys.iter().for_each(|key| key.each_field(visit));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Cardinality, EventFilter, Join, JoinKey, Logic, NewTerms, Pipe, Query, Sequence, Sharding, Step,
        ThreatEntry, ThreatMatch, Threshold,
    };
    use crate::condition::Condition;
    use crate::field::FieldRef;
    use crate::schema::FieldType;
    use crate::span::Span;
    use crate::value::Case;
    use std::sync::Arc;
    use std::time::Duration;

    fn step(by: &[&str]) -> Step {
        let key = |path: &&str| JoinKey {
            field: FieldRef::event(*path, FieldType::Keyword),
            optional: false,
            case: Case::Sensitive,
        };
        let filter =
            EventFilter { category: None, condition: Condition::Constant(true), span: Span::default() };
        Step { filter, by: by.iter().map(key).collect(), runs: 1, missing: false, alias: None, fork: false }
    }

    #[test]
    fn what_all_steps_have_at_one_place_splits_the_work() {
        let fields = |names: &[&str]| Sharding::Fields(names.iter().map(|name| (*name).into()).collect());
        type Names<'a> = &'a [&'a str];
        let cases: &[(&[Names<'_>], Option<Names<'_>>, Sharding)] = &[
            (&[&["a"], &["a"]], None, fields(&["a"])),
            (&[&["a", "b"], &["a", "c"]], None, fields(&["a"])),
            (&[&["a", "b"], &["b", "a"]], None, Sharding::SingleLane),
            (&[&["a", "b"], &["a", "b"]], None, fields(&["a", "b"])),
            (&[&["a"], &["b"]], None, Sharding::SingleLane),
            (&[&[], &[]], None, Sharding::SingleLane),
            (&[&["a"], &["a"]], Some(&["b"]), Sharding::SingleLane),
        ];
        for (steps, until, expected) in cases {
            let steps: Vec<Step> = steps.iter().map(|by| step(by)).collect();
            let sequence =
                Sequence { maxspan: None, steps: steps.clone(), until: until.map(step), until_first: false };
            let query = |logic, pipes| Query { logic, pipes };
            assert_eq!(query(Logic::Sequence(sequence.clone()), vec![]).sharding(), *expected);
            let piped = query(Logic::Sequence(sequence), vec![Pipe::Head(1)]);
            assert_eq!(piped.sharding(), Sharding::SingleLane);
            let join = Join { steps: steps.clone(), until: until.map(step) };
            assert_eq!(query(Logic::Join(join), vec![]).sharding(), *expected);
            if until.is_none() {
                assert_eq!(query(Logic::Sample(steps), vec![]).sharding(), *expected);
            }
        }
        assert_eq!(Query { logic: Logic::Event(step(&[]).filter), pipes: vec![] }.sharding(), Sharding::Free);
    }

    #[test]
    fn counting_rules_read_what_they_group_by_and_are_split_by_it() {
        let path = |names: &[&str]| names.iter().map(|name| (*name).into()).collect::<Vec<Arc<str>>>();
        let counted = |by: &[&str]| {
            let field = FieldRef::event("n", FieldType::Integer);
            let logic = Logic::Threshold(Threshold {
                filter: step(&[]).filter,
                by: step(by).by,
                value: 3,
                cardinality: vec![Cardinality { field, value: 2 }],
                window: Duration::from_secs(60),
            });
            Query { logic, pipes: vec![] }
        };
        assert_eq!(counted(&["b", "a"]).fields(), path(&["a", "b", "n"]));
        assert_eq!(counted(&["b", "a"]).sharding(), Sharding::Fields(path(&["b", "a"])));
        assert_eq!(counted(&[]).sharding(), Sharding::SingleLane);
        let terms =
            NewTerms { filter: step(&[]).filter, terms: step(&["a"]).by, history: Duration::from_secs(60) };
        let terms = Query { logic: Logic::NewTerms(terms), pipes: vec![] };
        assert_eq!(terms.fields(), path(&["a"]));
        assert_eq!(terms.sharding(), Sharding::Fields(path(&["a"])));
        let entry = |field: &str| ThreatEntry {
            field: FieldRef::event(field, FieldType::Ip),
            indicator: "threat.indicator.ip".into(),
            negate: false,
        };
        let threat = ThreatMatch {
            filter: step(&[]).filter,
            mapping: vec![vec![entry("source.ip")], vec![entry("destination.ip"), entry("source.ip")]],
            indicators: step(&[]).filter,
        };
        let threat = Query { logic: Logic::ThreatMatch(threat), pipes: vec![] };
        assert_eq!(threat.fields(), path(&["destination.ip", "source.ip"]));
        assert_eq!(threat.sharding(), Sharding::Free);
    }
}
