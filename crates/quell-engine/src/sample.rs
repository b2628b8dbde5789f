//! Samples: for each key one event a filter, all different, in any order of time.
//!
//! Source: Elasticsearch's "EQL syntax reference", "Samples". Where several events would do, the first in the order of
//! events is taken, the first filter choosing first. What is found is known when all events have been seen.

use crate::correlate::{Detection, Member};
use crate::hit::Hit;
use crate::join_key::{self, Key, compare_keys};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Events that a filter may choose from, with their numbers.
type Candidates = Vec<(u64, Arc<Member>)>;

/// What one sample rule has seen.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct SampleState {
    /// For each key and filter the first events, with their numbers.
    candidates: FxHashMap<Key, Vec<Candidates>>,
    events: u64,
    bytes: usize,
}

impl SampleState {
    /// Takes the hits of one event.
    pub(crate) fn event<'h>(
        &mut self,
        filters: usize,
        hits: impl Iterator<Item = &'h Hit>,
        member: &Arc<Member>,
    ) {
        let number = self.events;
        self.events += 1;
        for hit in hits {
            for key in &hit.keys {
                let bytes = &mut self.bytes;
                let lists = self.candidates.entry(Arc::clone(key)).or_insert_with(|| {
                    *bytes += join_key::bytes(key) + filters * size_of::<Candidates>();
                    vec![Vec::new(); filters]
                });
                // As many as there are filters are enough: the others can take no more from it.
                if let Some(list) = lists.get_mut(usize::from(hit.step)).filter(|list| list.len() < filters) {
                    self.bytes += member.bytes();
                    list.push((number, Arc::clone(member)));
                }
            }
        }
    }

    /// One sample of every key that has one, in ascending order of keys.
    pub(crate) fn finish(self, rule: u32) -> Vec<Detection> {
        let chosen = self.candidates.into_iter().filter_map(|(key, lists)| {
            let numbers: Vec<Vec<u64>> =
                lists.iter().map(|list| list.iter().map(|(number, _)| *number).collect()).collect();
            let events: BTreeMap<u64, &Arc<Member>> =
                lists.iter().flatten().map(|(number, member)| (*number, member)).collect();
            let member = |number: &u64| events.get(number).map(|member| Member::clone(member));
            let members: Vec<Option<Member>> = choose(&numbers)?.iter().map(member).collect();
            let times = members.iter().flatten().map(|member| member.time);
            let time = times.reduce(crate::correlate::later).flatten();
            Some((key, Detection { rule, time, keys: Vec::new(), members, totals: None, particulars: None }))
        });
        let mut found: Vec<(Key, Detection)> = chosen.collect();
        found.sort_by(|(a, _), (b, _)| compare_keys(a, b));
        let with_key = |(key, detection): (Key, Detection)| Detection { keys: key.to_vec(), ..detection };
        found.into_iter().map(with_key).collect()
    }

    /// About how many bytes it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether it holds nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.candidates.is_empty()
    }

    /// Forgets everything, and says how many keys that were.
    pub(crate) fn evict(&mut self) -> u64 {
        self.bytes = 0;
        std::mem::take(&mut self.candidates).len() as u64
    }
}

/// A different event of each list, the first of the first list that leaves a choice to the others, and so on.
fn choose(lists: &[Vec<u64>]) -> Option<Vec<u64>> {
    let mut holders = Holders::default();
    for filter in 0..lists.len() {
        if !holders.seat(filter, lists, 0, &mut Vec::new()) {
            return None;
        }
    }
    // Every filter has an event; from the first on each changes to the earliest that it can have without leaving a later
    // one without.
    for (filter, list) in lists.iter().enumerate() {
        for event in list {
            let mut tried = holders.clone();
            if tried.take(filter, *event, lists) {
                holders = tried;
                break;
            }
        }
    }
    (0..lists.len()).map(|filter| holders.event_of(filter)).collect()
}

/// Which filter has which event.
#[derive(Clone, Default)]
struct Holders(FxHashMap<u64, usize>);

impl Holders {
    fn event_of(&self, filter: usize) -> Option<u64> {
        self.0.iter().find(|(_, holder)| **holder == filter).map(|(event, _)| *event)
    }

    /// Finds an event for a filter; filters from `settled` on may have to change theirs. `seen` are events that were tried.
    fn seat(&mut self, filter: usize, lists: &[Vec<u64>], settled: usize, seen: &mut Vec<u64>) -> bool {
        for event in lists.get(filter).into_iter().flatten() {
            if seen.contains(event) {
                continue;
            }
            seen.push(*event);
            let free = match self.0.get(event) {
                None => true,
                Some(holder) if *holder < settled => false,
                Some(holder) => self.seat(*holder, lists, settled, seen),
            };
            if free {
                self.0.insert(*event, filter);
                return true;
            }
        }
        false
    }

    /// Gives this event to a filter; filters behind it make room, those before it do not.
    fn take(&mut self, filter: usize, event: u64, lists: &[Vec<u64>]) -> bool {
        let holder = self.0.get(&event).copied();
        if holder == Some(filter) {
            return true;
        }
        if holder.is_some_and(|holder| holder < filter) {
            return false;
        }
        if let Some(own) = self.event_of(filter) {
            self.0.remove(&own);
        }
        self.0.insert(event, filter);
        holder.is_none_or(|holder| self.seat(holder, lists, filter + 1, &mut vec![event]))
    }
}

#[cfg(test)]
mod tests {
    use super::choose;
    use proptest::prelude::*;

    /// Every way, the first filter first, its first events first.
    fn by_trying(lists: &[Vec<u64>], taken: &mut Vec<u64>) -> Option<Vec<u64>> {
        let Some(list) = lists.get(taken.len()) else { return Some(taken.clone()) };
        for event in list {
            if !taken.contains(event) {
                taken.push(*event);
                if let Some(found) = by_trying(lists, taken) {
                    return Some(found);
                }
                taken.pop();
            }
        }
        None
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5000))]
        #[test]
        fn the_choice_is_the_first_of_all_ways(
            lists in proptest::collection::vec(proptest::collection::btree_set(0u64..6, 0..5), 1..6)
        ) {
            let lists: Vec<Vec<u64>> = lists.into_iter().map(|list| list.into_iter().collect()).collect();
            prop_assert_eq!(choose(&lists), by_trying(&lists, &mut Vec::new()));
        }
    }

    #[test]
    fn many_filters_with_too_few_events_do_not_take_forever() {
        let lists = vec![(0..39).collect(); 40];
        assert_eq!(choose(&lists), None);
        let lists = vec![(0..40).rev().collect(); 40];
        assert_eq!(choose(&lists), Some((0..40).rev().collect()));
    }
}
