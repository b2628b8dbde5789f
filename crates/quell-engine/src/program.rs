//! A condition as a flat decision program: one node a test, each saying where to go if it holds and if not.
//!
//! `and`, `or` and `not` vanish into the jumps; every jump goes to a node made earlier, so a run ends.

use crate::truth::PredicateId;
use quell_ir::{Condition, Predicate};

/// A compiled condition.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    nodes: Box<[Node]>,
    entry: Target,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    test: PredicateId,
    yes: Target,
    no: Target,
}

#[derive(Clone, Copy, Debug)]
enum Target {
    Answer(bool),
    Node(u32),
}

impl Program {
    /// Compiles a condition. What is cheap to test is tested first: the order does not change the answer.
    pub(crate) fn new(condition: &Condition, intern: &mut dyn FnMut(&Predicate) -> PredicateId) -> Program {
        let mut nodes = Vec::new();
        let entry = compile(condition, Target::Answer(true), Target::Answer(false), &mut nodes, intern);
        Program { nodes: nodes.into(), entry }
    }

    /// The answer, asking `test` for no more predicates than are needed.
    #[inline]
    pub(crate) fn run(&self, mut test: impl FnMut(PredicateId) -> bool) -> bool {
        let mut target = self.entry;
        loop {
            match target {
                Target::Answer(answer) => return answer,
                Target::Node(at) => {
                    let Some(node) = self.nodes.get(at as usize) else { return false };
                    target = if test(node.test) { node.yes } else { node.no };
                }
            }
        }
    }

    /// Whether it can never be true.
    pub(crate) fn is_never(&self) -> bool {
        matches!(self.entry, Target::Answer(false))
    }
}

fn compile(
    condition: &Condition,
    yes: Target,
    no: Target,
    nodes: &mut Vec<Node>,
    intern: &mut dyn FnMut(&Predicate) -> PredicateId,
) -> Target {
    match condition {
        Condition::Constant(true) => yes,
        Condition::Constant(false) => no,
        Condition::Not(inner) => compile(inner, no, yes, nodes, intern),
        // From the last part to the first: each one's way on leads to the next.
        Condition::And(parts) => {
            cheapest_first(parts).iter().rev().fold(yes, |next, part| compile(part, next, no, nodes, intern))
        }
        Condition::Or(parts) => {
            cheapest_first(parts).iter().rev().fold(no, |next, part| compile(part, yes, next, nodes, intern))
        }
        Condition::Leaf(leaf) => {
            // A program of 2^32 nodes would not fit in memory.
            let at = u32::try_from(nodes.len()).unwrap_or(u32::MAX);
            nodes.push(Node { test: intern(&leaf.predicate), yes, no });
            Target::Node(at)
        }
    }
}

fn cheapest_first(parts: &[Condition]) -> Vec<&Condition> {
    let mut parts: Vec<&Condition> = parts.iter().collect();
    parts.sort_by_cached_key(|part| {
        let mut total = 0u64;
        part.each_leaf(&mut |leaf| total += cost(&leaf.predicate));
        total
    });
    parts
}

/// About how long a test takes, relative to a look-up.
fn cost(predicate: &Predicate) -> u64 {
    match predicate {
        Predicate::Exists(_) | Predicate::Keyword { .. } | Predicate::Boolean { .. } => 1,
        Predicate::Number { .. } | Predicate::TextOrder { .. } => 2,
        Predicate::Ip { .. } | Predicate::IpOrder { .. } | Predicate::Dynamic { .. } => 4,
        Predicate::Date { .. } | Predicate::Version { .. } | Predicate::Wildcard { .. } => 8,
        Predicate::Regex { .. } | Predicate::Text { .. } | Predicate::TextTerm { .. } => 30,
        Predicate::Expr(_) => 50,
        Predicate::Object { .. } | Predicate::Lineage { .. } => 200,
        Predicate::FieldNames { .. } | Predicate::AnyField { .. } => 1000,
    }
}

#[cfg(test)]
mod tests {
    use super::Program;
    use crate::truth::PredicateId;
    use proptest::prelude::*;
    use quell_ir::{Condition, FieldRef, FieldType, Predicate, Span};

    fn leaf(n: u32) -> Condition {
        Condition::leaf(
            Predicate::Exists(FieldRef::event(n.to_string(), FieldType::Keyword)),
            Span::default(),
        )
    }

    fn number(predicate: &Predicate) -> PredicateId {
        let Predicate::Exists(field) = predicate else { panic!("only Exists is made here") };
        PredicateId(field.path.parse().unwrap())
    }

    fn plain(condition: &Condition, truth: u8) -> bool {
        match condition {
            Condition::Constant(b) => *b,
            Condition::And(parts) => parts.iter().all(|part| plain(part, truth)),
            Condition::Or(parts) => parts.iter().any(|part| plain(part, truth)),
            Condition::Not(inner) => !plain(inner, truth),
            Condition::Leaf(leaf) => truth >> number(&leaf.predicate).0 & 1 == 1,
        }
    }

    fn conditions() -> impl Strategy<Value = Condition> {
        let leaves = prop_oneof![any::<bool>().prop_map(Condition::Constant), (0u32..5).prop_map(leaf)];
        leaves.prop_recursive(5, 40, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Condition::And),
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Condition::Or),
                inner.prop_map(|inner| Condition::Not(Box::new(inner))),
            ]
        })
    }

    proptest! {
        #[test]
        fn programs_answer_as_their_conditions(condition in conditions()) {
            let program = Program::new(&condition, &mut number);
            for truth in 0..32u8 {
                prop_assert_eq!(program.run(|id| truth >> id.0 & 1 == 1), plain(&condition, truth));
            }
        }
    }

    #[test]
    fn nothing_is_asked_that_cannot_matter() {
        let condition = Condition::And(vec![leaf(0), Condition::Or(vec![leaf(1), leaf(2)])]);
        let program = Program::new(&condition, &mut number);
        let mut asked = Vec::new();
        assert!(!program.run(|id| {
            asked.push(id.0);
            false
        }));
        assert_eq!(asked, [0]);
        assert!(Program::new(&Condition::Or(vec![]), &mut number).is_never());
    }
}
