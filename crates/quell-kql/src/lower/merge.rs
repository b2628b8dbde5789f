//! `or` over tests of one field: one test with many values, which the engine looks up at once.

use quell_ir::{Case, Condition, FieldRef, Leaf, Predicate};
use std::collections::HashMap;

/// What tests must have in common to become one.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    Keyword(FieldRef, Case),
    Wildcard(FieldRef, Case),
    Ip(FieldRef),
}

fn key(predicate: &Predicate) -> Option<Key> {
    Some(match predicate {
        Predicate::Keyword { field, case, .. } => Key::Keyword(field.clone(), *case),
        Predicate::Wildcard { field, case, .. } => Key::Wildcard(field.clone(), *case),
        Predicate::Ip { field, .. } => Key::Ip(field.clone()),
        _ => return None,
    })
}

/// Any of the parts.
pub(super) fn any(parts: Vec<Condition>) -> Condition {
    let flat = match Condition::any(parts) {
        Condition::Or(parts) => parts,
        other => return other,
    };
    let mut places: HashMap<Key, usize> = HashMap::new();
    let mut kept: Vec<Condition> = Vec::new();
    for part in flat {
        let place = match &part {
            Condition::Leaf(leaf) => key(&leaf.predicate).map(|key| *places.entry(key).or_insert(kept.len())),
            _ => None,
        };
        match (place.and_then(|place| kept.get_mut(place)), part) {
            (Some(Condition::Leaf(first)), Condition::Leaf(other)) => join(first, other),
            (_, part) => kept.push(part),
        }
    }
    kept.iter_mut().for_each(sort);
    Condition::any(kept)
}

fn join(first: &mut Leaf, other: Leaf) {
    first.span = first.span.to(other.span);
    match (&mut first.predicate, other.predicate) {
        (Predicate::Keyword { values, .. }, Predicate::Keyword { values: more, .. }) => values.extend(more),
        (Predicate::Wildcard { patterns, .. }, Predicate::Wildcard { patterns: more, .. }) => {
            patterns.extend(more);
        }
        (Predicate::Ip { blocks, .. }, Predicate::Ip { blocks: more, .. }) => blocks.extend(more),
        _ => {}
    }
}

fn sort(part: &mut Condition) {
    let Condition::Leaf(leaf) = part else { return };
    match &mut leaf.predicate {
        Predicate::Keyword { values, .. } => {
            values.sort_unstable();
            values.dedup();
        }
        Predicate::Wildcard { patterns, .. } => {
            patterns.sort_unstable();
            patterns.dedup();
        }
        Predicate::Ip { blocks, .. } => {
            blocks.sort_unstable();
            blocks.dedup();
        }
        _ => {}
    }
}
