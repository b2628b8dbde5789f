//! One structure a field that answers all of the field's text predicates at once: hash maps for exact values, with and
//! without case, and one automaton for the literals of all wildcards with verification behind it.

use crate::truth::{Marks, PredicateId, Truth};
use crate::wildcard::Pattern;
use aho_corasick::{AhoCorasick, AhoCorasickKind};
use quell_ir::pattern::{Token, Wildcard, fold_into, folded};
use quell_ir::printed::Printed;
use quell_ir::{Case, Datum};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Up to here patterns are tried one by one: the automaton reads a text byte by byte, which few patterns do not repay.
const TRIED_SINGLY: usize = 4;

/// Literals of this many bytes together still get the fast form of the automaton, some 200 times as large.
const FAST_AUTOMATON: usize = 16 << 10;

/// What a field is asked, while it is collected.
#[derive(Debug, Default)]
pub(crate) struct TextIndexBuilder {
    exact: BTreeMap<Arc<str>, Vec<PredicateId>>,
    folded: BTreeMap<Arc<str>, Vec<PredicateId>>,
    text_only: BTreeMap<Arc<str>, Vec<PredicateId>>,
    patterns: Vec<(Wildcard, Case, PredicateId)>,
}

/// The compiled structure.
#[derive(Debug)]
pub(crate) struct TextIndex {
    exact: Exact,
    folded: Exact,
    /// Exact values that only text equals, never the text of a number or boolean.
    text_only: Exact,
    patterns: Vec<Verified>,
    /// Literals of patterns, found in folded text. Absent where there are few patterns.
    automaton: Option<AhoCorasick>,
    /// For each literal, which patterns it may be the sign of.
    of_literal: Vec<std::ops::Range<usize>>,
    /// Patterns that are tried on every value.
    always: std::ops::Range<usize>,
    /// Whether any test needs the folded text.
    folds: bool,
}

#[derive(Debug)]
struct Verified {
    predicate: PredicateId,
    pattern: Pattern,
    case: Case,
}

/// Buffers that a run needs.
#[derive(Debug, Default)]
pub(crate) struct TextScratch {
    folded: String,
    /// Which literals were seen in the present value.
    seen: Marks,
}

impl TextScratch {
    pub(crate) fn new(literals: usize) -> TextScratch {
        TextScratch { folded: String::new(), seen: Marks::new(literals) }
    }
}

impl TextIndexBuilder {
    /// An element's text equals one of the values; folded ones are folded here once more, which changes nothing.
    pub(crate) fn keyword(&mut self, values: &[Arc<str>], case: Case, predicate: PredicateId) {
        for value in values {
            match case {
                Case::Sensitive => self.exact.entry(Arc::clone(value)).or_default().push(predicate),
                Case::Folded => self.folded.entry(folded(value).into()).or_default().push(predicate),
            }
        }
    }

    /// An element is this text.
    pub(crate) fn text(&mut self, value: &Arc<str>, predicate: PredicateId) {
        self.text_only.entry(Arc::clone(value)).or_default().push(predicate);
    }

    /// An element's text is covered by one of the patterns.
    pub(crate) fn wildcards(&mut self, patterns: &[Wildcard], case: Case, predicate: PredicateId) {
        for pattern in patterns {
            match pattern.as_literal() {
                Some(literal) => self.keyword(&[literal.into()], case, predicate),
                None => self.patterns.push((pattern.clone(), case, predicate)),
            }
        }
    }

    pub(crate) fn build(self) -> TextIndex {
        let automatic = self.patterns.len() > TRIED_SINGLY;
        let mut groups: BTreeMap<Option<String>, Vec<Verified>> = BTreeMap::new();
        for (pattern, case, predicate) in self.patterns {
            let literal = if automatic { sign(&pattern) } else { None };
            let compiled = match case {
                Case::Sensitive => Pattern::new(&pattern),
                Case::Folded => Pattern::new(&pattern.folded()),
            };
            groups.entry(literal).or_default().push(Verified { predicate, pattern: compiled, case });
        }
        let mut index = TextIndex {
            exact: Exact::new(self.exact),
            folded: Exact::new(self.folded),
            text_only: Exact::new(self.text_only),
            patterns: Vec::new(),
            automaton: None,
            of_literal: Vec::new(),
            always: 0..0,
            folds: false,
        };
        let mut literals = Vec::new();
        for (literal, group) in groups {
            let start = index.patterns.len();
            index.patterns.extend(group);
            let range = start..index.patterns.len();
            match literal {
                None => index.always = range,
                Some(literal) => {
                    literals.push(literal);
                    index.of_literal.push(range);
                }
            }
        }
        index.automaton = automaton(&literals);
        if index.automaton.is_none() {
            // Without an automaton every pattern is tried.
            index.always = 0..index.patterns.len();
            index.of_literal.clear();
        }
        index.folds = index.automaton.is_some()
            || !index.folded.is_empty()
            || index.patterns.iter().any(|pattern| pattern.case == Case::Folded);
        index
    }
}

/// The longest literal, folded; of two as long the later one, since paths begin alike and end differently.
fn sign(pattern: &Wildcard) -> Option<String> {
    let literals = pattern.tokens().iter().filter_map(|token| match token {
        Token::Literal(text) => Some(&**text),
        Token::AnyChar | Token::AnyRun => None,
    });
    literals.max_by_key(|text| text.len()).map(folded)
}

fn automaton(literals: &[String]) -> Option<AhoCorasick> {
    if literals.is_empty() {
        return None;
    }
    let size: usize = literals.iter().map(String::len).sum();
    let kind = if size <= FAST_AUTOMATON { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA };
    AhoCorasick::builder().kind(Some(kind)).build(literals).ok()
}

impl TextIndex {
    /// How many literals it may see in a value.
    pub(crate) fn literals(&self) -> usize {
        self.of_literal.len()
    }

    /// Marks every predicate of the field that one of the values satisfies as true, and calls `fired` once for each.
    pub(crate) fn run<'v>(
        &self,
        values: impl Iterator<Item = Datum<'v>>,
        scratch: &mut TextScratch,
        truth: &mut Truth,
        fired: &mut dyn FnMut(PredicateId),
    ) {
        let mut hit = |predicate| {
            if truth.get(predicate).is_none() {
                truth.set(predicate, true);
                fired(predicate);
            }
        };
        let mut printed = Printed::default();
        for value in values {
            let Some(text) = printed.text(value) else { continue };
            self.exact.find(text, &mut hit);
            if let Datum::Text(_) = value {
                self.text_only.find(text, &mut hit);
            }
            if !self.folds {
                self.verify(&self.always, text, text, &mut hit);
                continue;
            }
            let folded = if is_folded(text) {
                text
            } else {
                scratch.folded.clear();
                fold_into(text, &mut scratch.folded);
                &scratch.folded
            };
            self.folded.find(folded, &mut hit);
            self.verify(&self.always, text, folded, &mut hit);
            let Some(automaton) = &self.automaton else { continue };
            scratch.seen.begin();
            for found in automaton.find_overlapping_iter(folded) {
                // Once a value: a pattern is verified against the whole of it, so time stays bounded.
                let literal = found.pattern().as_usize();
                if scratch.seen.set(literal)
                    && let Some(range) = self.of_literal.get(literal)
                {
                    self.verify(range, text, folded, &mut hit);
                }
            }
        }
    }

    #[inline]
    fn verify(
        &self,
        range: &std::ops::Range<usize>,
        text: &str,
        folded: &str,
        hit: &mut impl FnMut(PredicateId),
    ) {
        for verified in self.patterns.get(range.clone()).unwrap_or_default() {
            let text = match verified.case {
                Case::Sensitive => text,
                Case::Folded => folded,
            };
            if verified.pattern.covers(text) {
                hit(verified.predicate);
            }
        }
    }
}

fn is_folded(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase())
}

/// A map from whole values to predicates.
#[derive(Debug, Default)]
struct Exact {
    map: FxHashMap<Arc<str>, Box<[PredicateId]>>,
    shortest: usize,
    longest: usize,
}

impl Exact {
    fn new(map: BTreeMap<Arc<str>, Vec<PredicateId>>) -> Exact {
        let lengths = || map.keys().map(|key| key.len());
        Exact {
            shortest: lengths().min().unwrap_or(usize::MAX),
            longest: lengths().max().unwrap_or(0),
            map: map.into_iter().map(|(key, list)| (key, list.into())).collect(),
        }
    }

    fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    #[inline]
    fn find(&self, text: &str, hit: &mut impl FnMut(PredicateId)) {
        if text.len() < self.shortest || text.len() > self.longest {
            return; // not even hashed
        }
        for predicate in self.map.get(text).into_iter().flatten() {
            hit(*predicate);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{TextIndexBuilder, TextScratch};
    use crate::truth::{PredicateId, Truth};
    use proptest::prelude::*;
    use quell_ir::pattern::Wildcard;
    use quell_ir::{Case, Datum, FieldRef, FieldType, Predicate};

    fn case() -> impl Strategy<Value = Case> {
        prop_oneof![Just(Case::Sensitive), Just(Case::Folded)]
    }

    fn predicates() -> impl Strategy<Value = Vec<Predicate>> {
        let field = || FieldRef::event("f", FieldType::Keyword);
        let keyword = ("[abAÉék17]{0,3}", case()).prop_map(move |(value, case)| {
            let value = if case == Case::Folded { quell_ir::pattern::folded(&value) } else { value };
            Predicate::Keyword { field: field(), values: vec![value.into()], case }
        });
        let wildcard =
            (proptest::collection::vec("[abAÉé?*7]{1,6}", 1..3), case()).prop_map(move |(patterns, case)| {
                let patterns = patterns.iter().map(|pattern| Wildcard::parse(pattern)).collect();
                Predicate::Wildcard { field: field(), patterns, case }
            });
        proptest::collection::vec(prop_oneof![keyword, wildcard], 0..20)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn all_predicates_at_once_answer_as_each_alone(
            predicates in predicates(),
            texts in proptest::collection::vec("[abAÉéK\u{212A}17]{0,8}", 0..3),
            number in proptest::option::of(0i64..100),
        ) {
            let mut builder = TextIndexBuilder::default();
            for (id, predicate) in (0..).map(PredicateId).zip(&predicates) {
                match predicate {
                    Predicate::Keyword { values, case, .. } => builder.keyword(values, *case, id),
                    Predicate::Wildcard { patterns, case, .. } => builder.wildcards(patterns, *case, id),
                    other => panic!("{other:?} is not made here"),
                }
            }
            let values: Vec<Datum<'_>> =
                texts.iter().map(|text| Datum::Text(text)).chain(number.map(Datum::Integer)).collect();
            let index = builder.build();
            let mut truth = Truth::new(predicates.len());
            truth.begin();
            let mut scratch = TextScratch::new(index.literals());
            let mut fired = Vec::new();
            index.run(values.iter().copied(), &mut scratch, &mut truth, &mut |id| fired.push(id));
            for (id, predicate) in (0..).map(PredicateId).zip(&predicates) {
                let expected = values.iter().any(|value| predicate.test_datum(*value));
                prop_assert_eq!(truth.get(id), expected.then_some(true), "{:?}", predicate);
                prop_assert_eq!(fired.iter().filter(|fired| **fired == id).count(), usize::from(expected));
            }
        }
    }

    #[test]
    fn a_value_full_of_signs_takes_no_quadratic_time() {
        let mut builder = TextIndexBuilder::default();
        for n in 0..8u32 {
            builder.wildcards(&[Wildcard::parse(&format!("*aa*b{n}"))], Case::Folded, PredicateId(n));
        }
        let index = builder.build();
        let mut truth = Truth::new(8);
        truth.begin();
        let text = "a".repeat(4 << 20);
        let mut scratch = TextScratch::new(index.literals());
        index.run([Datum::Text(&text)].into_iter(), &mut scratch, &mut truth, &mut |_| ());
        assert_eq!(truth.get(PredicateId(0)), None);
    }
}
