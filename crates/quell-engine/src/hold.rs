//! What holds hits back: the exceptions of rules, compiled with them.
//!
//! Source: Elastic Security's "Add and manage exceptions". A hit that an exception covers is no hit, in whatever step of the
//! rule: an exception is part of what the rule asks of every event. It is asked only about events that hit.

use crate::program::Program;
use crate::truth::PredicateId;
use quell_rules::ExceptionItem;
use std::sync::Arc;

/// An exception of a rule.
#[derive(Debug)]
pub(crate) struct Hold {
    pub(crate) rule: u32,
    pub(crate) item: Arc<ExceptionItem>,
    pub(crate) program: Program,
}

/// The exceptions of all rules, those of one rule next to each other; hits and counts name them by number.
#[derive(Debug)]
pub(crate) struct Holds {
    list: Vec<Hold>,
    /// By rule: the number of its first exception, and of the one behind its last.
    of_rule: Vec<(u32, u32)>,
}

impl Holds {
    pub(crate) fn new(rules: usize) -> Holds {
        Holds { list: Vec::new(), of_rule: vec![(0, 0); rules] }
    }

    /// Adds an exception, rule by rule.
    pub(crate) fn push(&mut self, hold: Hold) {
        let number = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        if let Some((first, end)) = self.of_rule.get_mut(hold.rule as usize) {
            if first == end {
                *first = number;
            }
            *end = number + 1;
        }
        self.list.push(hold);
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn get(&self, number: u32) -> Option<&Hold> {
        self.list.get(number as usize)
    }

    /// Whether the rule has any.
    pub(crate) fn any(&self, rule: u32) -> bool {
        self.of_rule.get(rule as usize).is_some_and(|(first, end)| first < end)
    }

    /// The number of the first exception of the rule that covers an event of this time, if one does. One that expires covers no
    /// event without a time.
    pub(crate) fn covering(
        &self,
        rule: u32,
        time: Option<i64>,
        mut test: impl FnMut(PredicateId) -> bool,
    ) -> Option<u32> {
        let (first, end) = *self.of_rule.get(rule as usize)?;
        (first..end).find(|number| {
            self.get(*number).is_some_and(|hold| {
                let valid = hold.item.expires.is_none_or(|until| time.is_some_and(|time| time <= until));
                valid && hold.program.run(&mut test)
            })
        })
    }
}
