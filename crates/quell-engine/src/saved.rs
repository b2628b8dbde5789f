//! The state of a correlator as bytes that another process can go on from.
//!
//! Rules are named by id and by a hash of what they mean: the state of a rule that has changed or is gone is dropped and said,
//! all other goes on.

use crate::compile::{CompiledRule, Engine};
use crate::correlate::{Correlator, Recent, RuleState};
use crate::hit::{Hit, hex};
use crate::lineage::{Fact, Lineage};
use quell_ir::{Condition, Query};
use quell_rules::Exception;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::hash::{Hash, Hasher};
use thiserror::Error;

/// Why a state cannot be saved or gone on from.
#[derive(Debug, Error)]
pub enum StateError {
    /// It cannot be written as bytes.
    #[error("the state cannot be written: {0}")]
    Unwritable(#[source] postcard::Error),
    /// The bytes are no state, or one of another version.
    #[error("this is no saved state, or one of another version of quell: {0}")]
    Unreadable(#[source] postcard::Error),
}

/// A rule as saved states name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct RuleKey {
    id: String,
    meaning: String,
}

#[derive(Serialize)]
struct Saving<'a> {
    rules: Vec<RuleKey>,
    states: &'a [RuleState],
    waiting: Vec<&'a Hit>,
    recent: &'a Recent,
    evicted: &'a [u64],
    /// What the filters mean by which processes are told apart, in the order of their numbers.
    sources: Vec<String>,
    lineage: &'a Lineage,
}

#[derive(Deserialize)]
struct Saved {
    rules: Vec<RuleKey>,
    states: Vec<RuleState>,
    waiting: Vec<Hit>,
    recent: Recent,
    evicted: Vec<u64>,
    sources: Vec<String>,
    lineage: Lineage,
}

/// A state that was read.
pub struct Restored<'e> {
    /// What goes on.
    pub correlator: Correlator<'e>,
    /// Hits that wait for their time.
    pub waiting: Vec<Hit>,
    /// The ids of rules whose state was dropped, because they have changed or are gone.
    pub dropped: Vec<String>,
}

impl<'e> Correlator<'e> {
    /// All that it holds, with hits that have not been pushed yet.
    ///
    /// # Errors
    /// Where it cannot be written as bytes.
    pub fn save<'h>(&'h self, waiting: impl Iterator<Item = &'h Hit>) -> Result<Vec<u8>, StateError> {
        let waiting = self.moment.iter().chain(waiting).collect();
        let saving = Saving {
            rules: self.engine.keys(),
            states: &self.rules,
            waiting,
            recent: &self.recent,
            evicted: self.evicted(),
            sources: self.engine.source_meanings(),
            lineage: &self.lineage,
        };
        postcard::to_stdvec(&saving).map_err(StateError::Unwritable)
    }

    /// Goes on from saved bytes.
    ///
    /// # Errors
    /// Where the bytes are no saved state.
    pub fn restore(engine: &'e Engine, bytes: &[u8]) -> Result<Restored<'e>, StateError> {
        let saved: Saved = postcard::from_bytes(bytes).map_err(StateError::Unreadable)?;
        let Saved { rules, states, waiting, recent, evicted, sources, mut lineage } = saved;
        let old_rules = u32::try_from(rules.len()).unwrap_or(u32::MAX);
        let (mut correlator, mut dropped) = (Correlator::new(engine), Vec::new());
        let mut free: Vec<Option<RuleKey>> = engine.keys().into_iter().map(Some).collect();
        // By the saved rule's number; of two equal rules each goes on from its own state.
        let mut numbers: Vec<Option<u32>> = Vec::new();
        for ((key, state), evicted) in rules.into_iter().zip(states).zip(evicted) {
            let place = free.iter().position(|other| other.as_ref() == Some(&key));
            numbers.push(place.and_then(|place| u32::try_from(place).ok()));
            match place {
                Some(place) => {
                    if let Some(taken) = free.get_mut(place) {
                        *taken = None;
                    }
                    correlator.go_on_from(place, state, evicted);
                }
                None if state.is_empty() => {}
                None => dropped.push(key.id),
            }
        }
        let present = engine.source_meanings();
        let source = |old: u32| {
            let meaning = sources.get(old as usize)?;
            present.iter().position(|other| other == meaning).and_then(|place| u32::try_from(place).ok())
        };
        lineage.renumber(source);
        correlator.lineage = lineage;
        let new = |old: u32| match old.checked_sub(old_rules) {
            None => numbers.get(old as usize).copied().flatten(),
            Some(0) => engine.number_of(Fact::Creation),
            Some(fact) => engine.number_of(Fact::Source(source(fact - 1)?)),
        };
        correlator.recent = recent.renumber(new);
        let renumbered = |hit: Hit| Some(Hit { rule: new(hit.rule)?, ..hit });
        let waiting = waiting.into_iter().filter_map(renumbered).collect();
        Ok(Restored { correlator, waiting, dropped })
    }
}

impl Engine {
    pub(crate) fn keys(&self) -> Vec<RuleKey> {
        let key = |rule: &CompiledRule| RuleKey { id: rule.rule.id.clone(), meaning: rule.meaning.clone() };
        self.rules.iter().map(key).collect()
    }

    fn source_meanings(&self) -> Vec<String> {
        (0..).map_while(|number| self.source(number)).map(digest).collect()
    }
}

/// A hash of what a query means, of the fields that its hits carry, and of what is held back: spans and layout take no part.
pub(crate) fn meaning(query: &Query, captured: &[&str], exceptions: &[Exception]) -> String {
    if exceptions.is_empty() {
        return digest(&(query, captured));
    }
    let held: Vec<(&Condition, Option<i64>)> =
        exceptions.iter().map(|exception| (&*exception.condition, exception.item.expires)).collect();
    digest(&(query, captured, held))
}

fn digest<T: Hash + ?Sized>(of: &T) -> String {
    struct Content(Sha256);
    impl Hasher for Content {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }

        fn finish(&self) -> u64 {
            0 // the whole digest is taken instead
        }
    }
    let mut content = Content(Sha256::new());
    of.hash(&mut content);
    hex(&content.0.finalize(), 16)
}
