//! Joins: for each key the first event of every step, in any order of time (Endgame dialect).
//!
//! When all steps have one, they are a result, and the key starts anew; `until` drops what its key has, before the same event
//! is tried on the steps. One event may be that of several steps. Source: the Python implementation of EQL.

use crate::correlate::{Detection, Member};
use crate::hit::Hit;
use crate::join_key::{self, ALLOCATION, Key};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What one rule with a join has pending.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct JoinState {
    lanes: FxHashMap<Key, Lane>,
    bytes: usize,
}

/// What is pending for one key.
#[derive(Debug, Serialize, Deserialize)]
struct Lane {
    /// By step.
    events: Vec<Option<Arc<Member>>>,
    /// The time of the last of them.
    latest: Option<i64>,
}

impl JoinState {
    /// Takes the hits of one event, in the order of steps, those of `until` behind them, and gives the results that it
    /// completes.
    pub(crate) fn event<'h>(
        &mut self,
        steps: usize,
        rule: u32,
        hits: impl Iterator<Item = &'h Hit> + Clone,
        member: &Arc<Member>,
    ) -> Vec<Detection> {
        let ends = |hit: &&Hit| usize::from(hit.step) >= steps;
        for key in hits.clone().filter(ends).flat_map(|hit| &hit.keys) {
            self.drop_lane(key);
        }
        let mut found = Vec::new();
        for hit in hits.filter(|hit| !ends(hit)) {
            let member = &member.at_step_of(hit);
            for key in &hit.keys {
                found.extend(self.take(steps, rule, key, usize::from(hit.step), member));
            }
        }
        found
    }

    fn take(
        &mut self,
        steps: usize,
        rule: u32,
        key: &Key,
        step: usize,
        member: &Arc<Member>,
    ) -> Option<Detection> {
        let bytes = &mut self.bytes;
        let lane = self.lanes.entry(Arc::clone(key)).or_insert_with(|| {
            *bytes += lane_bytes(key, steps);
            Lane { events: vec![None; steps], latest: None }
        });
        let place = lane.events.get_mut(step).filter(|place| place.is_none())?;
        *place = Some(Arc::clone(member));
        self.bytes += member.bytes();
        lane.latest = member.time;
        if lane.events.iter().any(Option::is_none) {
            return None;
        }
        let events = self.drop_lane(key)?.events;
        let members = events.into_iter().map(|event| event.map(Arc::unwrap_or_clone)).collect();
        // Events come in order: this one is the last.
        Some(Detection {
            rule,
            time: member.time,
            keys: key.to_vec(),
            members,
            totals: None,
            particulars: None,
        })
    }

    fn drop_lane(&mut self, key: &Key) -> Option<Lane> {
        let lane = self.lanes.remove(key)?;
        let held = lane.bytes(key);
        self.bytes = self.bytes.saturating_sub(held);
        Some(lane)
    }

    /// About how many bytes it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether it holds nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// The times at which the last event of each key came.
    pub(crate) fn pending_times(&self) -> impl Iterator<Item = i64> {
        self.lanes.values().filter_map(|lane| lane.latest)
    }

    /// Drops what has had no event since `time` or longer, and says of how many keys that was.
    pub(crate) fn evict(&mut self, time: i64) -> u64 {
        let (before, bytes) = (self.lanes.len(), &mut self.bytes);
        self.lanes.retain(|key, lane| {
            let kept = lane.latest.is_some_and(|latest| latest > time);
            if !kept {
                *bytes = bytes.saturating_sub(lane.bytes(key));
            }
            kept
        });
        (before - self.lanes.len()) as u64
    }
}

impl Lane {
    fn bytes(&self, key: &Key) -> usize {
        let events = self.events.iter().flatten().map(|event| event.bytes()).sum::<usize>();
        lane_bytes(key, self.events.len()) + events
    }
}

fn lane_bytes(key: &Key, steps: usize) -> usize {
    let places = ALLOCATION + steps * size_of::<Option<Arc<Member>>>();
    size_of::<Lane>() + size_of::<Key>() + places + join_key::bytes(key)
}
