//! The state of a correlator as bytes that another process can go on from.
//!
//! Rules are named by id and by a hash of what they mean: the state of a rule that has changed or is gone is dropped and said,
//! all other goes on.

use crate::compile::Engine;
use crate::correlate::{Correlator, Joined, RuleState};
use crate::hit::{Hit, hex};
use quell_ir::Query;
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
}

#[derive(Deserialize)]
struct Saved {
    rules: Vec<RuleKey>,
    states: Vec<RuleState>,
    waiting: Vec<Hit>,
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
        let (states, moment) = self.parts();
        let waiting = moment.iter().chain(waiting).collect();
        let saving = Saving { rules: self.engine().keys(), states, waiting };
        postcard::to_stdvec(&saving).map_err(StateError::Unwritable)
    }

    /// Goes on from saved bytes.
    ///
    /// # Errors
    /// Where the bytes are no saved state.
    pub fn restore(engine: &'e Engine, bytes: &[u8]) -> Result<Restored<'e>, StateError> {
        let Saved { rules, states, waiting } = postcard::from_bytes(bytes).map_err(StateError::Unreadable)?;
        let mut numbers: Vec<Option<u32>> = Vec::new();
        let (mut correlator, mut dropped) = (Correlator::new(engine), Vec::new());
        let present = engine.keys();
        for (key, state) in rules.iter().zip(states) {
            let place = present.iter().position(|other| other == key).filter(|place| {
                // Of two equal rules each goes on from its own state.
                !numbers.contains(&u32::try_from(*place).ok())
            });
            let number = place.and_then(|place| u32::try_from(place).ok());
            let went_on = number.is_some_and(|number| correlator.go_on_from(number, state));
            if !went_on && !rules_state_is_empty(key, &mut dropped) {
                continue;
            }
            numbers.push(number.filter(|_| went_on));
        }
        let renumbered = |mut hit: Hit| {
            hit.rule = numbers.get(hit.rule as usize).copied().flatten()?;
            Some(hit)
        };
        let waiting = waiting.into_iter().filter_map(renumbered).collect();
        Ok(Restored { correlator, waiting, dropped })
    }
}
