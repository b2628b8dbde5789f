//! Hits of a stream that wait for late ones, so that correlation sees all in order.

use crate::compile::Engine;
use crate::hit::Hit;
use crate::hit_runs::in_order;
use std::collections::BTreeMap;

/// Hits by their time.
#[derive(Debug, Default)]
pub struct Waiting {
    hits: BTreeMap<i64, Vec<Hit>>,
    /// Those without a time: they come last.
    timeless: Vec<Hit>,
    bytes: usize,
}

impl Waiting {
    /// Lets a hit wait until its time has come; without one, until the end.
    pub fn push(&mut self, hit: Hit) {
        self.bytes += hit.bytes();
        match hit.time {
            Some(time) => self.hits.entry(time).or_default().push(hit),
            None => self.timeless.push(hit),
        }
    }

    /// Takes out the hits before a time, in order.
    pub fn release(&mut self, engine: &Engine, before: i64) -> impl Iterator<Item = Hit> + use<> {
        let later = self.hits.split_off(&before);
        let released = std::mem::replace(&mut self.hits, later).into_values().flatten().collect();
        self.taken(engine, released)
    }

    /// Takes out those without a time.
    pub fn release_timeless(&mut self, engine: &Engine) -> impl Iterator<Item = Hit> + use<> {
        let released = std::mem::take(&mut self.timeless);
        self.taken(engine, released)
    }

    /// Takes out all of them, in order.
    pub fn release_all(&mut self, engine: &Engine) -> impl Iterator<Item = Hit> + use<> {
        let timed = std::mem::take(&mut self.hits).into_values().flatten();
        let released = timed.chain(std::mem::take(&mut self.timeless)).collect();
        self.taken(engine, released)
    }

    /// Drops the hits behind a time, and says how many there were.
    pub fn drop_behind(&mut self, time: i64) -> usize {
        let dropped: Vec<Hit> =
            self.hits.split_off(&time.saturating_add(1)).into_values().flatten().collect();
        self.bytes = self.bytes.saturating_sub(dropped.iter().map(Hit::bytes).sum());
        dropped.len()
    }

    fn taken(&mut self, engine: &Engine, released: Vec<Hit>) -> impl Iterator<Item = Hit> + use<> {
        self.bytes = self.bytes.saturating_sub(released.iter().map(Hit::bytes).sum());
        in_order(engine, released)
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
        self.hits.values().flatten().chain(&self.timeless)
    }

    /// About how many bytes they hold.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}
