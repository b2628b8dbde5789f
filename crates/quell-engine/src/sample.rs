//! Samples: for each key one event a filter, all different, in any order of time.
//!
//! Source: Elasticsearch's "EQL syntax reference", "Samples". Where several events would do, the first in the order of
//! events is taken, the first filter choosing first.

use crate::join_key::{Key, compare_keys};
use crate::sequence::{Joined, Occurrence};
use rustc_hash::FxHashMap;

/// One sample of every key that has one, in ascending order of keys.
pub(crate) fn samples(filters: usize, occurrences: &[Occurrence]) -> Vec<Joined> {
    let mut candidates: FxHashMap<&Key, Vec<Vec<usize>>> = FxHashMap::default();
    for (number, occurrence) in occurrences.iter().enumerate() {
        for hit in &occurrence.hits {
            for key in &hit.keys {
                let lists = candidates.entry(key).or_insert_with(|| vec![Vec::new(); filters]);
                // As many as there are filters are enough: the others can take no more from it.
                if let Some(list) = lists.get_mut(usize::from(hit.step)).filter(|list| list.len() < filters) {
                    list.push(number);
                }
            }
        }
    }
    let chosen = candidates.into_iter().filter_map(|(key, lists)| {
        let members = choose(&lists)?.into_iter().map(Some).collect();
        Some(Joined { key: Key::clone(key), members })
    });
    let mut joined: Vec<Joined> = chosen.collect();
    joined.sort_by(|a, b| compare_keys(&a.key, &b.key));
    joined
}

/// A different event of each list, the first of the first list that leaves a choice to the others, and so on.
fn choose(lists: &[Vec<usize>]) -> Option<Vec<usize>> {
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
struct Holders(FxHashMap<usize, usize>);

impl Holders {
    fn event_of(&self, filter: usize) -> Option<usize> {
        self.0.iter().find(|(_, holder)| **holder == filter).map(|(event, _)| *event)
    }

    /// Finds an event for a filter; filters from `settled` on may have to change theirs. `seen` are events that were tried.
    fn seat(&mut self, filter: usize, lists: &[Vec<usize>], settled: usize, seen: &mut Vec<usize>) -> bool {
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
    fn take(&mut self, filter: usize, event: usize, lists: &[Vec<usize>]) -> bool {
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
    fn by_trying(lists: &[Vec<usize>], taken: &mut Vec<usize>) -> Option<Vec<usize>> {
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
            lists in proptest::collection::vec(proptest::collection::btree_set(0usize..6, 0..5), 1..6)
        ) {
            let lists: Vec<Vec<usize>> = lists.into_iter().map(|list| list.into_iter().collect()).collect();
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
