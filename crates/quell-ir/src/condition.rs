//! The two-valued condition tree: `and`, `or`, `not` over leaves.
//!
//! Source: Elasticsearch's "EQL syntax reference". A condition is split at `and`, `or` and `not`; what remains are
//! leaves, and a leaf is true or false, never null: `not (x > 1)` holds where `x` is absent.

use crate::{Predicate, Span};

/// A condition over one event.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Condition {
    /// Always true or always false.
    Constant(bool),
    /// All of them; the empty list is true.
    And(Vec<Condition>),
    /// Any of them; the empty list is false.
    Or(Vec<Condition>),
    /// Not it.
    Not(Box<Condition>),
    /// One test.
    Leaf(Leaf),
}

/// A test and where it stands in the query. Two leaves with the same predicate are equal, wherever they stand.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// What is tested.
    pub predicate: Predicate,
    /// Where it stands in the source.
    pub span: Span,
}

impl PartialEq for Leaf {
    fn eq(&self, other: &Self) -> bool {
        self.predicate == other.predicate
    }
}

impl Eq for Leaf {}

impl std::hash::Hash for Leaf {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.predicate.hash(state);
    }
}

impl Condition {
    /// The leaf of a predicate that stands at `span`.
    #[must_use]
    pub fn leaf(predicate: Predicate, span: Span) -> Condition {
        Condition::Leaf(Leaf { predicate, span })
    }

    /// All of `parts`, flattened, with constants folded away.
    #[must_use]
    pub fn all(parts: impl IntoIterator<Item = Condition>) -> Condition {
        let mut flat = Vec::new();
        for part in parts {
            match part {
                Condition::Constant(true) => {}
                Condition::Constant(false) => return Condition::Constant(false),
                Condition::And(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        match flat.len() {
            0 => Condition::Constant(true),
            1 => flat.remove(0),
            _ => Condition::And(flat),
        }
    }

    /// Any of `parts`, flattened, with constants folded away.
    #[must_use]
    pub fn any(parts: impl IntoIterator<Item = Condition>) -> Condition {
        let mut flat = Vec::new();
        for part in parts {
            match part {
                Condition::Constant(false) => {}
                Condition::Constant(true) => return Condition::Constant(true),
                Condition::Or(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        match flat.len() {
            0 => Condition::Constant(false),
            1 => flat.remove(0),
            _ => Condition::Or(flat),
        }
    }

    /// The opposite, with constants and double negation folded away.
    #[must_use]
    pub fn negate(self) -> Condition {
        match self {
            Condition::Constant(b) => Condition::Constant(!b),
            Condition::Not(inner) => *inner,
            other => Condition::Not(Box::new(other)),
        }
    }

    /// Calls `visit` on every leaf, left to right.
    pub fn each_leaf<'c>(&'c self, visit: &mut impl FnMut(&'c Leaf)) {
        match self {
            Condition::Constant(_) => {}
            Condition::And(parts) | Condition::Or(parts) => {
                for part in parts {
                    part.each_leaf(visit);
                }
            }
            Condition::Not(inner) => inner.each_leaf(visit),
            Condition::Leaf(leaf) => visit(leaf),
        }
    }
}
