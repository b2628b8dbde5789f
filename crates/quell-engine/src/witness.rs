//! Witnesses: predicates of which at least one holds wherever a condition holds.
//!
//! A step is looked at only if one of its witnesses fired. What is negated, and what one element cannot decide, is no
//! witness; where nothing is left, the step is looked at for every event that passes its gate.

use crate::truth::PredicateId;
use quell_ir::expr::CompareOp;
use quell_ir::{Condition, FieldRef, Predicate};

/// A set of witnesses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Witnesses {
    /// The set; empty for a condition that never holds.
    pub(crate) predicates: Vec<PredicateId>,
    /// In how many events of 10 000 one of them may fire: a guess, which only speed depends on.
    weight: u64,
}

/// The best set of witnesses of a condition, if it has any.
pub(crate) fn of(
    condition: &Condition,
    intern: &mut dyn FnMut(&Predicate) -> PredicateId,
) -> Option<Witnesses> {
    let mut witnesses = find(condition, true, intern)?;
    witnesses.predicates.sort_unstable();
    witnesses.predicates.dedup();
    Some(witnesses)
}

/// Witnesses of the condition, or, if not `wanted`, of its opposite.
fn find(
    condition: &Condition,
    wanted: bool,
    intern: &mut dyn FnMut(&Predicate) -> PredicateId,
) -> Option<Witnesses> {
    match condition {
        Condition::Constant(value) if *value == wanted => None,
        Condition::Constant(_) => Some(Witnesses { predicates: Vec::new(), weight: 0 }),
        Condition::Not(inner) => find(inner, !wanted, intern),
        Condition::And(parts) if wanted => best(parts, wanted, intern),
        Condition::Or(parts) if !wanted => best(parts, wanted, intern),
        Condition::And(parts) | Condition::Or(parts) => union(parts, wanted, intern),
        Condition::Leaf(leaf) if wanted => {
            let weight = weight(&leaf.predicate)?;
            Some(Witnesses { predicates: vec![intern(&leaf.predicate)], weight })
        }
        Condition::Leaf(_) => None,
    }
}

fn best(
    parts: &[Condition],
    wanted: bool,
    intern: &mut dyn FnMut(&Predicate) -> PredicateId,
) -> Option<Witnesses> {
    parts.iter().filter_map(|part| find(part, wanted, intern)).min_by_key(|found| found.weight)
}

fn union(
    parts: &[Condition],
    wanted: bool,
    intern: &mut dyn FnMut(&Predicate) -> PredicateId,
) -> Option<Witnesses> {
    let mut all = Witnesses { predicates: Vec::new(), weight: 0 };
    for part in parts {
        let found = find(part, wanted, intern)?;
        all.predicates.extend(found.predicates);
        all.weight += found.weight;
    }
    Some(all)
}

/// Fields with few distinct values: nearly every event has the one that is asked for.
const FEW_VALUES: &[&str] = &[
    "agent.type",
    "data_stream.dataset",
    "data_stream.namespace",
    "data_stream.type",
    "event.action",
    "event.category",
    "event.code",
    "event.dataset",
    "event.kind",
    "event.module",
    "event.outcome",
    "event.provider",
    "event.type",
    "host.os.family",
    "host.os.platform",
    "host.os.type",
    "network.direction",
    "network.protocol",
    "network.transport",
    "network.type",
    "user.domain",
    "user.id",
    "winlog.channel",
    "winlog.provider_name",
];

/// In how many events of 10 000 the predicate may hold; `None` if it is no witness, because it is unknown until hits are
/// correlated or costs as much as the whole condition.
fn weight(predicate: &Predicate) -> Option<u64> {
    let among = |field: &FieldRef, values: usize| {
        let each = if FEW_VALUES.contains(&&*field.path) { 2000 } else { 20 };
        (each * values as u64).min(6000)
    };
    if predicate.is_deferred() {
        return None;
    }
    match predicate {
        Predicate::Keyword { field, values, .. } => Some(among(field, values.len())),
        Predicate::Dynamic { field, op: CompareOp::Equal, .. } => Some(among(field, 1)),
        Predicate::Number { field, op: CompareOp::Equal, .. } => Some(among(field, 1).max(100)),
        Predicate::Wildcard { patterns, .. } => {
            let each = patterns.iter().map(|pattern| match pattern.longest_literal().map_or(0, str::len) {
                0 => 8000,
                1..=2 => 3000,
                3..=5 => 200,
                _ => 60,
            });
            Some(each.sum::<u64>().min(8000))
        }
        Predicate::Regex { .. } | Predicate::Version { .. } => Some(2500),
        Predicate::Ip { .. } | Predicate::IpOrder { .. } => Some(3000),
        Predicate::Number { .. } | Predicate::Dynamic { .. } | Predicate::TextOrder { .. } => Some(4000),
        Predicate::Boolean { .. } | Predicate::Date { .. } => Some(5000),
        Predicate::Exists(_) => Some(7000),
        // Rarely true, but the whole text is read for it: only where there is nothing better.
        Predicate::Text { .. } | Predicate::TextTerm { .. } => Some(3500),
        Predicate::FieldNames { .. }
        | Predicate::AnyField { .. }
        | Predicate::Object { .. }
        | Predicate::Lineage { .. }
        | Predicate::Expr(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::of;
    use crate::truth::PredicateId;
    use quell_ir::pattern::Wildcard;
    use quell_ir::{Case, Condition, Expr, FieldRef, FieldType, Predicate, Scope, Span, Value};

    fn field(path: &str) -> FieldRef {
        FieldRef::event(path, FieldType::Keyword)
    }

    fn name(value: &str) -> Condition {
        let values = vec![value.into()];
        leaf(Predicate::Keyword { field: field("process.name"), values, case: Case::Folded })
    }

    fn wild(pattern: &str) -> Condition {
        let patterns = vec![Wildcard::parse(pattern)];
        leaf(Predicate::Wildcard { field: field("process.command_line"), patterns, case: Case::Folded })
    }

    fn leaf(predicate: Predicate) -> Condition {
        Condition::leaf(predicate, Span::default())
    }

    fn exists() -> Condition {
        leaf(Predicate::Exists(field("x")))
    }

    fn not(condition: Condition) -> Condition {
        Condition::Not(Box::new(condition))
    }

    /// The witnesses as numbers in the order of asking, which is not kept: only how many and which is tested.
    fn witnesses(condition: &Condition) -> Option<Vec<String>> {
        let mut known: Vec<Predicate> = Vec::new();
        let found = of(condition, &mut |predicate| {
            let at = known.iter().position(|known| known == predicate).unwrap_or_else(|| {
                known.push(predicate.clone());
                known.len() - 1
            });
            PredicateId(u32::try_from(at).unwrap())
        })?;
        let text = |id: &PredicateId| match &known[id.index()] {
            Predicate::Keyword { values, .. } => values[0].to_string(),
            Predicate::Wildcard { patterns, .. } => patterns[0].to_string(),
            Predicate::Exists(field) => format!("{}?", field.path),
            other => format!("{other:?}"),
        };
        Some(found.predicates.iter().map(text).collect())
    }

    #[test]
    fn the_rarest_conjunct_and_all_of_a_disjunction() {
        let deferred = leaf(Predicate::Exists(FieldRef { scope: Scope::Step(0), ..field("a") }));
        let expr = leaf(Predicate::Expr(Expr::Constant(Value::Boolean(true))));
        let cases: Vec<(Condition, Option<Vec<&str>>)> = vec![
            (Condition::Constant(true), None),
            (Condition::Constant(false), Some(vec![])),
            (name("a"), Some(vec!["a"])),
            (not(name("a")), None),
            (not(not(name("a"))), Some(vec!["a"])),
            (Condition::And(vec![exists(), name("a"), wild("*longliteral*")]), Some(vec!["a"])),
            (Condition::And(vec![not(name("a")), exists()]), Some(vec!["x?"])),
            (Condition::And(vec![not(name("a")), not(exists())]), None),
            (Condition::Or(vec![name("a"), wild("*b*")]), Some(vec!["a", "*b*"])),
            (Condition::Or(vec![name("a"), name("a")]), Some(vec!["a"])),
            (Condition::Or(vec![name("a"), not(name("b"))]), None),
            (
                Condition::Or(vec![name("a"), Condition::And(vec![not(name("b")), name("c")])]),
                Some(vec!["a", "c"]),
            ),
            (not(Condition::Or(vec![not(name("a")), not(name("b"))])), Some(vec!["a"])),
            (not(Condition::And(vec![not(name("a")), not(name("b"))])), Some(vec!["a", "b"])),
            (deferred.clone(), None),
            (Condition::And(vec![deferred.clone(), name("a")]), Some(vec!["a"])),
            (Condition::Or(vec![deferred, name("a")]), None),
            (expr.clone(), None),
            (Condition::And(vec![expr, name("a")]), Some(vec!["a"])),
            (Condition::And(vec![name("a"), Condition::Constant(false)]), Some(vec![])),
        ];
        for (condition, expected) in cases {
            let expected = expected.map(|list| list.into_iter().map(str::to_owned).collect());
            assert_eq!(witnesses(&condition), expected, "{condition:?}");
        }
    }
}
