//! Lineage: which processes had an event of a filter, and which stand in a relation to one of them.
//!
//! Semantics follow python EQL's `descendant of`, `child of` and `event of`, with ECS's entity ids in place of process
//! ids. A process belongs to a source from the time of its first such event on; what a process inherits is fixed when it
//! is created: a parent that becomes a source later has no part in it. A process is not its own descendant. Equal times
//! count as before, in whatever order facts of one time come.
//!
//! What a process inherited at its creation is kept with it and outlives its ancestors; where they are still known, the
//! path is walked too, so that facts of one time may come in any order.

use crate::compile::Engine;
use crate::hit::Hit;
use quell_event::{Event, Slot};
use quell_ir::eval::Outcome;
use quell_ir::predicate::Relation;
use quell_ir::printed::Printed;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most ancestors that are looked at for one question; the rest is cut off and said. Real trees are not so deep.
const MOST_ANCESTORS: usize = 1024;

/// What the hit of a hidden step says: one of a rule number from [`Engine::rules`]'s length on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A process was created.
    Creation,
    /// A process had an event that this filter of the rule set selects.
    Source(u32),
}

/// The ids of an event's process and its ancestors.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessIds {
    /// `process.entity_id`
    pub entity: Option<Arc<str>>,
    /// `process.parent.entity_id`
    pub parent: Option<Arc<str>>,
    /// `process.Ext.ancestry`: the ancestors, the parent first.
    pub ancestry: Box<[Arc<str>]>,
}

/// Where they are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProcessSlots {
    pub(crate) entity: Slot,
    pub(crate) parent: Slot,
    /// Where it is wanted: what only tells a fact has no use for it.
    pub(crate) ancestry: Option<Slot>,
}

impl ProcessSlots {
    pub(crate) fn ids(&self, event: &mut Event<'_>) -> ProcessIds {
        let mut texts = |slot: Slot, most: usize| -> Vec<Arc<str>> {
            let values = event.values(slot);
            let text = |value| Printed::default().text(value).filter(|text| !text.is_empty()).map(Arc::from);
            values.iter().filter_map(text).take(most).collect()
        };
        ProcessIds {
            entity: texts(self.entity, 1).pop(),
            parent: texts(self.parent, 1).pop(),
            ancestry: self.ancestry.map(|slot| texts(slot, MOST_ANCESTORS + 1)).unwrap_or_default().into(),
        }
    }
}

/// What is known of processes, the longest unheard of first. It is fed facts in ascending order of time.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<(Arc<str>, Process)>", into = "Vec<(Arc<str>, Process)>")]
pub struct Lineage {
    processes: FxHashMap<Arc<str>, Heard>,
    /// Who was heard of when.
    order: BTreeMap<u64, Arc<str>>,
    next: u64,
}

#[derive(Debug, Default)]
struct Heard {
    /// Its place in the order.
    at: u64,
    process: Process,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Process {
    /// When it was created, in nanoseconds since 1970, if that was seen.
    created: Option<i64>,
    parent: Option<Arc<str>>,
    /// The sources that it belongs to, and since when.
    sources: Vec<(u32, i64)>,
    /// The sources that it descended from when it was created, in ascending order.
    inherited: Vec<u32>,
}

impl From<Vec<(Arc<str>, Process)>> for Lineage {
    fn from(list: Vec<(Arc<str>, Process)>) -> Self {
        let mut lineage = Lineage::default();
        for (entity, process) in list {
            *lineage.touch(&entity) = process;
        }
        lineage
    }
}

impl From<Lineage> for Vec<(Arc<str>, Process)> {
    fn from(mut lineage: Lineage) -> Self {
        let process =
            |entity: Arc<str>| Some((Arc::clone(&entity), lineage.processes.remove(&entity)?.process));
        std::mem::take(&mut lineage.order).into_values().filter_map(process).collect()
    }
}

impl Clone for Lineage {
    fn clone(&self) -> Self {
        let process = |entity: &Arc<str>| Some((Arc::clone(entity), self.get(entity)?.clone()));
        self.order.values().filter_map(process).collect::<Vec<_>>().into()
    }
}

impl Lineage {
    /// Takes a hit of a hidden step, if it is one: facts come in ascending order of time, and those of one time in that of
    /// their rule numbers, since a filter may itself ask for lineage. Says whether the fact holds.
    pub fn observe(&mut self, engine: &Engine, hit: &Hit) -> Outcome {
        let nothing = Outcome { holds: false, cut: false };
        let (Some(fact), Some(time), Some(facts)) = (engine.fact_of(hit.rule), hit.time, &hit.facts) else {
            return nothing;
        };
        let Some(ProcessIds { entity: Some(entity), parent, .. }) = facts.process() else { return nothing };
        let outcome = engine.decide(hit, &|_| None, self);
        if outcome.holds {
            match fact {
                Fact::Creation => self.creation(time, entity, parent.as_ref()),
                Fact::Source(n) => self.source(n, time, entity),
            }
        }
        outcome
    }

    /// A process was created. Of several creations of one process the first counts.
    pub fn creation(&mut self, time: i64, entity: &Arc<str>, parent: Option<&Arc<str>>) {
        let parent = parent.filter(|parent| *parent != entity);
        let mut inherited = Vec::new();
        if let Some(parent) = parent
            && let Some(process) = self.get(parent)
        {
            inherited.clone_from(&process.inherited);
            inherited.extend(process.sources.iter().filter(|(_, since)| *since <= time).map(|(n, _)| *n));
            inherited.sort_unstable();
            inherited.dedup();
            // A parent that has children is not the one to be forgotten next.
            self.touch(&Arc::clone(parent));
        }
        let process = self.touch(entity);
        if process.created.is_none_or(|created| time < created) {
            process.created = Some(time);
            process.parent = parent.cloned();
            process.inherited = inherited;
        }
    }

    /// A process had an event of the source.
    pub fn source(&mut self, n: u32, time: i64, entity: &Arc<str>) {
        let process = self.touch(entity);
        match process.sources.iter_mut().find(|(known, _)| *known == n) {
            Some((_, since)) => *since = time.min(*since),
            None => process.sources.push((n, time)),
        }
    }

    /// Whether the process of an event at `time` stands in the relation to a process of the source.
    ///
    /// - `event of`: the process itself belonged to the source by then.
    /// - `child of`: its parent did when the process was created, or, if that was not seen, by the time of the event.
    /// - `descendant of`: an ancestor did when the next process on the path was created. `ancestry` says who the ancestors
    ///   are where creations were not seen, the parent first.
    #[must_use]
    pub fn holds(&self, relation: Relation, n: u32, time: i64, process: &ProcessIds) -> Outcome {
        let plain = |holds| Outcome { holds, cut: false };
        let Some(entity) = &process.entity else { return plain(false) };
        match relation {
            Relation::Event => plain(self.belongs(entity, n, time)),
            Relation::Child => {
                let known = self.get(entity);
                let created = known.and_then(|known| known.created).unwrap_or(time);
                let parent = known.and_then(|known| known.parent.as_ref());
                let parent = parent.or(process.parent.as_ref()).or(process.ancestry.first());
                let by = created.min(time);
                plain(parent.is_some_and(|parent| parent != entity && self.belongs(parent, n, by)))
            }
            Relation::Descendant => self.descends(n, time, entity, process),
        }
    }

    /// Walks the path of ancestors upwards.
    fn descends(&self, n: u32, time: i64, entity: &Arc<str>, process: &ProcessIds) -> Outcome {
        let mut reached = entity;
        // The latest time at which what the path has reached may have been created.
        let mut latest = time;
        let mut listed = process.ancestry.iter();
        let mut own_parent = process.parent.as_ref();
        for _ in 0..MOST_ANCESTORS {
            let known = self.get(reached);
            let created = known.and_then(|known| known.created);
            // A parent that was created behind its child is none.
            if reached != entity && created.is_some_and(|created| created > latest) {
                return Outcome { holds: false, cut: false };
            }
            if known.is_some_and(|known| known.inherited.binary_search(&n).is_ok()) {
                return Outcome { holds: true, cut: false };
            }
            latest = created.map_or(latest, |created| created.min(latest));
            let parent = known.and_then(|known| known.parent.as_ref());
            // The event's own parent is that of its own process, the first on the path.
            let Some(next) = listed.next().or(parent).or(own_parent) else {
                return Outcome { holds: false, cut: false };
            };
            own_parent = None;
            if next != entity && self.belongs(next, n, latest) {
                return Outcome { holds: true, cut: false };
            }
            reached = next;
        }
        Outcome { holds: false, cut: true }
    }

    fn belongs(&self, entity: &str, n: u32, by: i64) -> bool {
        let since =
            |process: &Process| process.sources.iter().any(|(known, since)| *known == n && *since <= by);
        self.get(entity).is_some_and(since)
    }

    /// Gives sources the numbers that they have in another rule set ([`Engine::source`]), and forgets those without one.
    pub fn renumber(&mut self, number: impl Fn(u32) -> Option<u32>) {
        for Heard { process, .. } in self.processes.values_mut() {
            process.sources =
                process.sources.iter().filter_map(|(n, since)| Some((number(*n)?, *since))).collect();
            process.inherited = process.inherited.iter().filter_map(|n| number(*n)).collect();
            process.inherited.sort_unstable();
        }
    }

    /// How many processes are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.processes.len()
    }

    /// Whether no process is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.processes.is_empty()
    }

    /// Forgets the `most` processes that were not heard of for the longest, and says how many there were. What others
    /// inherited from them stays.
    pub fn evict_oldest(&mut self, most: usize) -> usize {
        for evicted in 0..most {
            let Some((_, entity)) = self.order.pop_first() else { return evicted };
            self.processes.remove(&entity);
        }
        most
    }

    fn get(&self, entity: &str) -> Option<&Process> {
        self.processes.get(entity).map(|heard| &heard.process)
    }

    /// The process, which is now the one last heard of.
    fn touch(&mut self, entity: &Arc<str>) -> &mut Process {
        let heard = self.processes.entry(Arc::clone(entity)).or_default();
        self.order.remove(&heard.at);
        self.next += 1; // from 1, so that 0 is nobody's place
        heard.at = self.next;
        self.order.insert(heard.at, Arc::clone(entity));
        &mut heard.process
    }
}

#[cfg(test)]
mod tests {
    use super::{Lineage, MOST_ANCESTORS, ProcessIds};
    use proptest::prelude::*;
    use quell_ir::predicate::Relation::{self, Child, Descendant, Event};
    use std::sync::Arc;

    /// What happens to processes, in order.
    #[derive(Clone, Copy, Debug)]
    enum Told {
        /// At a time a process is created by another.
        Created(i64, &'static str, &'static str),
        /// At a time a process has an event of source 0.
        Source(i64, &'static str),
    }
    use Told::{Created, Source};

    fn lineage(told: &[Told]) -> Lineage {
        let mut lineage = Lineage::default();
        for told in told {
            match *told {
                Created(time, entity, parent) => {
                    let parent = (!parent.is_empty()).then(|| Arc::from(parent));
                    lineage.creation(time, &entity.into(), parent.as_ref());
                }
                Source(time, entity) => lineage.source(0, time, &entity.into()),
            }
        }
        lineage
    }

    /// `entity`, `entity<parent` or `entity<parent|ancestor,ancestor`.
    fn ids(text: &str) -> ProcessIds {
        let (ids, ancestry) = text.split_once('|').unwrap_or((text, ""));
        let (entity, parent) = ids.split_once('<').unwrap_or((ids, ""));
        let id = |id: &str| (!id.is_empty()).then(|| Arc::from(id));
        ProcessIds {
            entity: id(entity),
            parent: id(parent),
            ancestry: ancestry.split(',').filter_map(id).collect(),
        }
    }

    #[test]
    fn relations_hold_by_the_order_of_events() {
        type Question<'a> = (Relation, i64, &'a str, bool);
        let cases: &[(&[Told], &[Question<'_>])] = &[
            // A parent that is a source before it has a child.
            (
                &[Created(1, "a", "x"), Source(2, "a"), Created(3, "b", "a"), Created(4, "c", "b")],
                &[
                    (Event, 4, "a", true),
                    (Event, 1, "a", false),
                    (Event, 4, "b", false),
                    (Child, 4, "a", false),
                    (Child, 4, "b", true),
                    (Child, 4, "c", false),
                    (Descendant, 4, "a", false),
                    (Descendant, 4, "b", true),
                    (Descendant, 4, "c", true),
                    (Descendant, 4, "x", false),
                ],
            ),
            // One that becomes a source later: only later children.
            (
                &[Created(1, "b", "a"), Source(2, "a"), Created(3, "c", "a"), Created(4, "d", "b")],
                &[
                    (Descendant, 9, "b", false),
                    (Child, 9, "b", false),
                    (Descendant, 9, "c", true),
                    (Child, 9, "c", true),
                    (Descendant, 9, "d", false),
                ],
            ),
            // An ancestor that becomes a source between two creations: the path was closed.
            (
                &[
                    Created(1, "b", "a"),
                    Source(2, "a"),
                    Created(3, "c", "b"),
                    Source(4, "b"),
                    Created(5, "d", "c"),
                ],
                &[(Descendant, 9, "c", false), (Descendant, 9, "d", false)],
            ),
            // A source among sources is a descendant of the other alone.
            (
                &[Source(1, "a"), Created(2, "b", "a"), Source(3, "b")],
                &[(Descendant, 9, "a", false), (Descendant, 9, "b", true), (Event, 9, "b", true)],
            ),
            // Equal times count as before, in whatever order they come.
            (
                &[Created(1, "b", "a"), Source(1, "a")],
                &[(Descendant, 1, "b", true), (Child, 1, "b", true), (Event, 1, "a", true)],
            ),
            (
                &[Created(1, "c", "b"), Created(1, "b", "a"), Source(1, "a")],
                &[(Descendant, 1, "c", true), (Child, 1, "c", false)],
            ),
            // No creation was seen: what the event says of its process.
            (
                &[Source(5, "a")],
                &[
                    (Child, 6, "b<a", true),
                    (Child, 4, "b<a", false),
                    (Child, 6, "b", false),
                    (Child, 6, "b|a,z", true),
                    (Child, 6, "b|z,a", false),
                    (Descendant, 6, "b<a", true),
                    (Descendant, 5, "b<a", true),
                    (Descendant, 4, "b<a", false),
                    (Descendant, 6, "b", false),
                    (Descendant, 6, "b<p|p,q,a", true),
                    (Descendant, 6, "b<p|p,q,r", false),
                    // An event without an entity id has no relations.
                    (Event, 6, "", false),
                    (Child, 6, "<a", false),
                    (Descendant, 6, "<a|a", false),
                ],
            ),
            // Ancestry and creations: a creation on the way closes the path.
            (
                &[Created(3, "q", "a"), Source(5, "a"), Source(5, "z")],
                &[
                    (Descendant, 9, "b|p,q,a", false),
                    (Descendant, 9, "b|p,a", true),
                    (Descendant, 9, "b|p,q,a,z", false),
                    (Descendant, 9, "b|p,z,a", true),
                ],
            ),
            // Where ancestry ends, creations go on.
            (
                &[Source(1, "a"), Created(2, "q", "a")],
                &[
                    (Descendant, 9, "b|p,q", true),
                    (Descendant, 9, "b<q", true),
                    (Descendant, 9, "b|p", false),
                ],
            ),
            // Of two creations of one process the first counts.
            (
                &[Created(1, "b", "a"), Source(2, "a"), Created(3, "b", "a")],
                &[(Child, 9, "b", false), (Descendant, 9, "b", false)],
            ),
            // Nobody is their own parent or ancestor.
            (
                &[
                    Source(1, "a"),
                    Created(2, "a", "a"),
                    Created(3, "c", "b"),
                    Created(3, "b", "c"),
                    Source(3, "c"),
                ],
                &[
                    (Child, 9, "a", false),
                    (Child, 9, "a<a", false),
                    (Descendant, 9, "a", false),
                    (Descendant, 9, "a<a|a", false),
                    (Descendant, 9, "b", true),
                ],
            ),
        ];
        for (told, questions) in cases {
            let known = lineage(told);
            for (relation, time, process, expected) in *questions {
                let asked = format!("{relation:?} {time} {process} after {told:?}");
                assert_eq!(known.holds(*relation, 0, *time, &ids(process)).holds, *expected, "{asked}");
                assert!(!known.holds(*relation, 1, *time, &ids(process)).holds, "{asked}");
            }
        }
    }

    #[test]
    fn what_was_not_heard_of_is_forgotten_first_and_leaves_what_was_inherited() {
        let mut known = lineage(&[
            Source(1, "a"),
            Created(2, "b", "a"),
            Created(3, "c", "b"),
            Created(4, "other", "x"),
            Source(5, "other"),
            Created(6, "late", "other"),
        ]);
        assert_eq!(known.len(), 5);
        // `b` was heard of at 3, as a parent.
        assert_eq!(known.evict_oldest(2), 2);
        assert!(!known.holds(Event, 0, 9, &ids("a")).holds);
        assert!(known.holds(Descendant, 0, 9, &ids("c")).holds);
        let saved = serde_json::to_string(&known).unwrap();
        let mut again: Lineage = serde_json::from_str(&saved).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap(), saved);
        for known in [&mut known, &mut again] {
            assert_eq!(known.evict_oldest(1), 1);
            assert!(!known.holds(Descendant, 0, 9, &ids("c")).holds);
            assert!(known.holds(Child, 0, 9, &ids("late")).holds);
            assert_eq!(known.evict_oldest(9), 2);
            assert!(known.is_empty());
        }
    }

    #[test]
    fn another_rule_set_has_other_numbers() {
        let mut known = lineage(&[Source(1, "a"), Created(2, "b", "a")]);
        known.source(1, 2, &"a".into());
        known.creation(3, &"c".into(), Some(&"a".into()));
        known.renumber(|n| (n == 0).then_some(7));
        let holds = |relation, n, entity: &str| known.holds(relation, n, 9, &ids(entity)).holds;
        assert!(holds(Event, 7, "a") && holds(Descendant, 7, "b") && holds(Descendant, 7, "c"));
        assert!(
            (0..7).all(|n| !holds(Event, n, "a") && !holds(Descendant, n, "b") && !holds(Descendant, n, "c"))
        );
    }

    #[test]
    fn a_path_that_is_too_long_is_cut_and_said() {
        let mut known = Lineage::default();
        let id = |n: usize| -> Arc<str> { n.to_string().into() };
        // From the youngest to the oldest at one time, so that nothing is inherited.
        for n in (1..MOST_ANCESTORS + 10).rev() {
            known.creation(1, &id(n), Some(&id(n - 1)));
        }
        known.source(0, 1, &id(0));
        let near = known.holds(Descendant, 0, 1, &ids(&(MOST_ANCESTORS - 1).to_string()));
        assert!(near.holds && !near.cut);
        let far = known.holds(Descendant, 0, 1, &ids(&(MOST_ANCESTORS + 9).to_string()));
        assert!(!far.holds && far.cut);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]
        /// With every creation seen, descendants are those that python EQL's sets have: a process joins when it is created
        /// by a source or a member.
        #[test]
        fn descendants_are_those_of_python_eql(
            told in proptest::collection::vec((any::<bool>(), 0usize..8, 0usize..8), 0..40),
        ) {
            const NAMES: [&str; 8] = ["0", "1", "2", "3", "4", "5", "6", "7"];
            let (mut known, mut sources, mut members) = (Lineage::default(), Vec::new(), Vec::new());
            let mut created = Vec::new();
            for (time, (creation, entity, parent)) in (0i64..).zip(told) {
                if creation {
                    // Ids are given once, and parents are there before their children.
                    if created.contains(&entity) || parent == entity || !(created.is_empty() || created.contains(&parent)) {
                        continue;
                    }
                    created.push(entity);
                    if sources.contains(&parent) || members.contains(&parent) {
                        members.push(entity);
                    }
                    known.creation(time, &NAMES[entity].into(), Some(&NAMES[parent].into()));
                } else {
                    sources.push(entity);
                    known.source(0, time, &NAMES[entity].into());
                }
                for (n, name) in NAMES.iter().enumerate() {
                    let found = known.holds(Descendant, 0, time, &ids(name));
                    prop_assert_eq!(found.holds, members.contains(&n), "{} at {}", name, time);
                }
            }
        }
    }
}
