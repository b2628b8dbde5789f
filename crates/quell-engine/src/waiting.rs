//! Hits of a stream that wait for late ones, so that correlation sees all in order.

use crate::compile::Engine;
use crate::hit::Hit;
use std::collections::BTreeMap;

/// Hits by their time.
#[derive(Debug, Default)]
pub struct Waiting {
    hits: BTreeMap<i64, Vec<Hit>>,
    bytes: usize,
}

impl Waiting {
    /// Lets a hit of that time wait until it has come.
    pub fn push(&mut self, time: i64, hit: Hit) {
        self.bytes += hit.bytes();
        self.hits.entry(time).or_default().push(hit);
    }

    /// Takes out the hits before a time, in order.
    pub fn release(&mut self, engine: &Engine, before: i64) -> Vec<Hit> {
        let later = self.hits.split_off(&before);
        let mut released: Vec<Hit> =
            std::mem::replace(&mut self.hits, later).into_values().flatten().collect();
        released.sort_by(|a, b| engine.order(a, b));
        self.bytes = self.bytes.saturating_sub(released.iter().map(Hit::bytes).sum());
        released
    }

    /// The time before which about half of the hits lie.
    #[must_use]
    pub fn middle(&self) -> Option<i64> {
        let half = self.hits.values().map(Vec::len).sum::<usize>() / 2;
        let mut before = 0;
        self.hits.iter().find_map(|(time, hits)| {
            before += hits.len();
            (before > half).then_some(time.saturating_add(1))
        })
    }

    /// All that wait, in no promised order.
    pub fn iter(&self) -> impl Iterator<Item = &Hit> {
        self.hits.values().flatten()
    }

    /// About how many bytes they hold.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}
