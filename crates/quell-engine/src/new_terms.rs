//! New terms: combinations of values that were not seen for a whole history window.
//!
//! Source: Elastic Security's "Create a new terms rule", and what its executor asks of Elasticsearch. It runs at ticks and takes
//! a combination for new if it was not seen between the start of the history window and that of the look-back; here each event
//! is looked at as it comes, in the order of events, and every occurrence is remembered. A rule is silent until it has seen a whole
//! history window, for before that all is new.

use crate::correlate::{Detection, Member};
use crate::join_key::{self, ALLOCATION, Key};
use crate::particulars::Particulars;
use crate::trace::{Remembered, Trace};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A compiled new terms rule.
#[derive(Debug)]
pub(crate) struct NewTermsPlan {
    /// How long a combination is remembered, in nanoseconds.
    pub(crate) history: i64,
    /// Whether it speaks at once.
    pub(crate) no_warm_up: bool,
}

/// What one new terms rule remembers.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct NewTermsState {
    /// When each combination was last seen.
    seen: FxHashMap<Key, i64>,
    /// The time from which on the rule has seen everything.
    began: Option<i64>,
    /// How many combinations were left when they were last swept.
    swept: usize,
    /// The bytes that it holds, about.
    bytes: usize,
}

impl NewTermsState {
    /// Takes note that the rule sees all from this time on.
    pub(crate) fn begin(&mut self, time: i64) {
        self.began = Some(self.began.map_or(time, |began| began.min(time)));
    }

    /// Takes the combinations of one event, and gives those that are new.
    pub(crate) fn event(
        &mut self,
        plan: &NewTermsPlan,
        rule: u32,
        time: i64,
        keys: &[Key],
        member: Member,
        trace: &mut dyn Trace,
    ) -> Vec<Detection> {
        let began = *self.began.get_or_insert(time);
        let silent = !plan.no_warm_up && time.saturating_sub(began) < plan.history;
        let mut found = Vec::new();
        for key in keys {
            let last = self.seen.insert(Arc::clone(key), time);
            if last.is_none() {
                self.bytes += key_bytes(key);
            }
            let new = last.is_none_or(|last| time.saturating_sub(last) > plan.history);
            if trace.listens() {
                let member = Arc::new(member.clone());
                trace.remembered(key, time, &Remembered { member, last, new, silent });
            }
            if new && !silent {
                found.push(Detection {
                    keys: key.to_vec(),
                    particulars: Some(Box::new(Particulars::NewTerms(key.to_vec()))),
                    ..Detection::of_event(rule, member.clone())
                });
            }
        }
        if self.seen.len() > (2 * self.swept).max(1024) {
            self.sweep(plan, time);
        }
        found
    }

    /// Forgets what was not seen for a whole history window.
    pub(crate) fn sweep(&mut self, plan: &NewTermsPlan, now: i64) {
        self.keep(|last| now.saturating_sub(last) <= plan.history);
        self.swept = self.seen.len();
    }

    fn keep(&mut self, stays: impl Fn(i64) -> bool) -> u64 {
        let (before, bytes) = (self.seen.len(), &mut self.bytes);
        self.seen.retain(|key, last| {
            let stays = stays(*last);
            if !stays {
                *bytes -= key_bytes(key);
            }
            stays
        });
        (before - self.seen.len()) as u64
    }

    /// When each combination was last seen.
    pub(crate) fn pending_times(&self) -> impl Iterator<Item = i64> {
        self.seen.values().copied()
    }

    /// Forgets what was not seen since then, and says how much that was: it will be new again.
    pub(crate) fn evict(&mut self, oldest: i64) -> u64 {
        self.keep(|last| last > oldest)
    }

    /// About how many bytes it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether it remembers nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }
}

fn key_bytes(key: &Key) -> usize {
    join_key::bytes(key) + size_of::<Key>() + size_of::<i64>() + ALLOCATION
}
