//! All tests of one field's analysed text at once: the text is split into terms once for each event, however many rules ask.

use crate::truth::{PredicateId, Truth};
use quell_ir::Datum;
use quell_ir::predicate::{Analyzer, TermTest};
use quell_ir::printed::Printed;
use rustc_hash::FxHashMap;
use std::ops::Range;
use std::sync::Arc;

/// The tests of one field and analyser.
#[derive(Debug)]
pub(crate) struct TermIndex {
    analyzer: Analyzer,
    /// By their first terms.
    phrases: FxHashMap<Arc<str>, Vec<Phrase>>,
    tests: Vec<(TermTest, PredicateId)>,
}

#[derive(Debug)]
struct Phrase {
    /// The terms behind the first.
    others: Box<[Arc<str>]>,
    id: PredicateId,
}

/// The terms of the text at hand, in buffers that are used again.
#[derive(Debug, Default)]
pub(crate) struct TermScratch {
    text: String,
    terms: Vec<Range<usize>>,
}

impl TermScratch {
    fn split(&mut self, analyzer: Analyzer, text: &str) {
        self.text.clear();
        self.terms.clear();
        for word in analyzer.words(text) {
            let start = self.text.len();
            if word.is_ascii() {
                self.text.extend(word.chars().map(|c| c.to_ascii_lowercase()));
            } else {
                self.text.extend(word.chars().flat_map(char::to_lowercase));
            }
            self.terms.push(start..self.text.len());
        }
    }

    fn term(&self, at: usize) -> Option<&str> {
        self.text.get(self.terms.get(at)?.clone())
    }
}

impl TermIndex {
    pub(crate) fn new(analyzer: Analyzer) -> TermIndex {
        TermIndex { analyzer, phrases: FxHashMap::default(), tests: Vec::new() }
    }

    /// Adds a phrase; one without terms is in no text.
    pub(crate) fn phrase(&mut self, terms: &[Arc<str>], id: PredicateId) {
        if let Some((first, others)) = terms.split_first() {
            self.phrases.entry(Arc::clone(first)).or_default().push(Phrase { others: others.into(), id });
        }
    }

    /// Adds a test that one term must pass.
    pub(crate) fn test(&mut self, test: &TermTest, id: PredicateId) {
        self.tests.push((test.clone(), id));
    }

    /// Marks every predicate that one of the values satisfies as true.
    pub(crate) fn run<'v>(
        &self,
        values: impl Iterator<Item = Datum<'v>>,
        scratch: &mut TermScratch,
        truth: &mut Truth,
    ) {
        let mut printed = Printed::default();
        for value in values {
            let Some(text) = printed.text(value) else { continue };
            scratch.split(self.analyzer, text);
            for at in 0..scratch.terms.len() {
                let Some(term) = scratch.term(at) else { continue };
                for Phrase { others, id } in self.phrases.get(term).into_iter().flatten() {
                    let follow =
                        others.iter().zip(at + 1..).all(|(term, at)| scratch.term(at) == Some(&**term));
                    if follow {
                        truth.set(*id, true);
                    }
                }
                for (test, id) in &self.tests {
                    if truth.get(*id).is_none() && test.passes(term) {
                        truth.set(*id, true);
                    }
                }
            }
        }
    }
}
