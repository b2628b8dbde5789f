//! Indicators of threats, and the look-up of an event's values among them.
//!
//! Source: Elastic Security's "Create an indicator match rule". In a list of entries all must agree with one indicator; one list
//! that agrees is enough. The values of an indicator are a key, so an event costs a few look-ups however many indicators there
//! are.

use crate::join_key::{self, Key, KeyField, Keys, as_held};
use crate::particulars::Enrichment;
use quell_event::Event;
use quell_ir::logic::ThreatMatch;
use quell_ir::{Condition, Predicate, Value};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// The indicators that one event of a rule is told of; Kibana enriches an alert with as many.
const MOST_MATCHES: usize = 200;

/// What is known of a threat.
#[derive(Clone, Debug, Default)]
pub struct Indicator {
    /// Its id.
    pub id: Arc<str>,
    /// The index that it is kept in, or the file.
    pub index: Arc<str>,
    /// The name of the feed that it came with.
    pub feed: Option<Arc<str>>,
    /// What its document holds at the rule's indicator path, as JSON.
    pub content: Arc<str>,
    /// Its values in the fields that rules compare.
    pub values: FxHashMap<Arc<str>, Vec<Value>>,
}

impl Indicator {
    fn values(&self, path: &str) -> &[Value] {
        self.values.get(path).map_or(&[], Vec::as_slice)
    }
}

/// The indicators of one rule, ready to be looked up.
#[derive(Debug)]
pub(crate) struct Lookup {
    lists: Vec<List>,
    indicators: Arc<[Arc<Indicator>]>,
}

/// A list of entries.
#[derive(Debug)]
struct List {
    /// The event's fields that must agree, in the order of keys.
    fields: Vec<KeyField>,
    /// Their paths.
    paths: Vec<Arc<str>>,
    /// By their values, the numbers of the indicators that have them.
    by_values: FxHashMap<Key, Vec<u32>>,
    /// The event's fields that must not agree, and the paths of the indicator's.
    negated: Vec<(KeyField, Arc<str>)>,
}

impl Lookup {
    pub(crate) fn new(
        threat: &ThreatMatch,
        indicators: &Arc<[Arc<Indicator>]>,
        mut field: impl FnMut(&quell_ir::FieldRef) -> KeyField,
    ) -> Lookup {
        let mut list = |entries: &Vec<quell_ir::logic::ThreatEntry>| {
            let (negated, agreeing): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| entry.negate);
            let fields: Vec<KeyField> = agreeing.iter().map(|entry| field(&entry.field)).collect();
            let mut by_values: FxHashMap<Key, Vec<u32>> = FxHashMap::default();
            for (number, indicator) in (0..).zip(indicators.iter()) {
                // An entry that the indicator says nothing of leaves it out of the list, negated or not.
                if negated.iter().any(|entry| indicator.values(&entry.indicator).is_empty()) {
                    continue;
                }
                let values = agreeing.iter().zip(&fields).map(|(entry, field)| {
                    let held = |value: &Value| as_held(value.datum(), field.kind);
                    indicator.values(&entry.indicator).iter().filter_map(held).collect()
                });
                for key in combinations(values.collect()) {
                    let numbers = by_values.entry(key).or_default();
                    if numbers.last() != Some(&number) {
                        numbers.push(number);
                    }
                }
            }
            List {
                paths: agreeing.iter().map(|entry| Arc::clone(&entry.field.path)).collect(),
                negated: negated
                    .iter()
                    .map(|entry| (field(&entry.field), Arc::clone(&entry.indicator)))
                    .collect(),
                fields,
                by_values,
            }
        };
        Lookup { lists: threat.mapping.iter().map(&mut list).collect(), indicators: Arc::clone(indicators) }
    }

    /// What an event matches: the number of the list, that of the indicator, and the values that agree.
    pub(crate) fn matches(&self, event: &mut Event<'_>) -> Keys {
        let (mut found, mut cut) = (Vec::new(), false);
        for (number, list) in (0..).zip(&self.lists) {
            let keys = join_key::keys(&list.fields, event);
            cut |= keys.cut;
            for key in &keys.list {
                for indicator in list.by_values.get(key).into_iter().flatten() {
                    if self.differs(list, *indicator, event) {
                        if found.len() >= MOST_MATCHES {
                            return Keys { list: found.into(), cut: true };
                        }
                        let numbers = [Value::Integer(number), Value::Integer((*indicator).into())];
                        found.push(numbers.into_iter().chain(key.iter().cloned()).collect());
                    }
                }
            }
        }
        Keys { list: found.into(), cut }
    }

    /// Whether an event differs from an indicator in the entries of a list that are negated.
    fn differs(&self, list: &List, indicator: u32, event: &mut Event<'_>) -> bool {
        let Some(indicator) = self.indicators.get(indicator as usize) else { return false };
        list.negated.iter().all(|(field, path)| {
            let own: Vec<Value> =
                event.values(field.slot).iter().filter_map(|value| as_held(value, field.kind)).collect();
            let same =
                |value: &Value| as_held(value.datum(), field.kind).is_some_and(|value| own.contains(&value));
            !indicator.values(path).iter().any(same)
        })
    }

    /// What an alert says of the matches.
    pub(crate) fn enrichments(&self, matches: &[Key]) -> Vec<Enrichment> {
        let of = |key: &Key| -> Option<Vec<Enrichment>> {
            let (list, rest) = key.split_first()?;
            let (indicator, values) = rest.split_first()?;
            let list = self.lists.get(number(list)?)?;
            let indicator = self.indicators.get(number(indicator)?)?;
            let enrichment = |(path, value): (&Arc<str>, &Value)| Enrichment {
                atomic: value.clone(),
                field: Arc::clone(path),
                id: Arc::clone(&indicator.id),
                index: Arc::clone(&indicator.index),
                feed: indicator.feed.clone(),
                indicator: Arc::clone(&indicator.content),
            };
            Some(list.paths.iter().zip(values).map(enrichment).collect())
        };
        matches.iter().filter_map(of).flatten().collect()
    }
}

fn number(value: &Value) -> Option<usize> {
    if let Value::Integer(n) = value { usize::try_from(*n).ok() } else { None }
}

/// Every combination of one value of each field.
fn combinations(values: Vec<Vec<Value>>) -> Vec<Key> {
    const MOST: usize = 1024;
    let mut combinations: Vec<Vec<Value>> = vec![Vec::new()];
    for values in values {
        let longer = |prefix: &Vec<Value>| {
            let prefix = prefix.clone();
            values.iter().map(move |value| [prefix.as_slice(), std::slice::from_ref(value)].concat())
        };
        combinations = combinations.iter().flat_map(longer).take(MOST).collect();
    }
    combinations.into_iter().map(Key::from).collect()
}

/// That an event has the fields of some list that must agree.
pub(crate) fn has_fields(threat: &ThreatMatch) -> Condition {
    let span = threat.filter.span;
    let list = |entries: &Vec<quell_ir::logic::ThreatEntry>| {
        let agreeing = entries.iter().filter(|entry| !entry.negate);
        Condition::all(agreeing.map(|entry| Condition::leaf(Predicate::Exists(entry.field.clone()), span)))
    };
    Condition::any(threat.mapping.iter().map(list))
}
