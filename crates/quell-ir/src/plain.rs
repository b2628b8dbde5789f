//! The plainest predicates: what a field and a constant come to by the field's type, whatever language asked.

use crate::date::{Instants, instants_of};
use crate::expr::{CompareOp, Expr};
use crate::function::compare::is_plain_text;
use crate::pattern::{IpBlock, Regex, Wildcard, folded, parse_ip};
use crate::printed::Printed;
use crate::value::Number;
use crate::{Case, FieldRef, FieldType, Predicate, Value};
use std::collections::HashSet;
use std::sync::Arc;

/// A field against a constant. `None`: no value of the field's type satisfies it.
#[must_use]
pub fn compared(field: FieldRef, op: CompareOp, value: &Value) -> Option<Predicate> {
    let datum = value.datum();
    Some(match field.kind {
        FieldType::Keyword => {
            let value: Arc<str> = text_of(value);
            match op {
                CompareOp::Equal => Predicate::Keyword { field, values: vec![value], case: Case::Sensitive },
                _ => Predicate::TextOrder { field, op, value },
            }
        }
        FieldType::Integer | FieldType::Float => {
            let value = match datum.to_number()? {
                Number::Integer(n) => match (i64::try_from(n), u64::try_from(n)) {
                    (Ok(n), _) => Value::Integer(n),
                    (_, Ok(n)) => Value::Unsigned(n),
                    _ => return None,
                },
                // A whole float is the integer, so that equal tests are one.
                Number::Float(n) => whole(n).map_or(Value::Float(n), Value::Integer),
            };
            Predicate::Number { field, op, value }
        }
        FieldType::Boolean => {
            let value = datum.to_boolean()?;
            match op {
                CompareOp::Equal => Predicate::Boolean { field, value },
                _ => {
                    let value = Expr::Constant(Value::Boolean(value));
                    Predicate::Expr(Expr::Compare(op, Box::new(Expr::Field(field)), Box::new(value)))
                }
            }
        }
        FieldType::Date => in_dates(field, op, instants_of(datum)?),
        FieldType::Ip => match op {
            CompareOp::Equal => in_blocks(field, vec![IpBlock::parse(datum.as_text()?)?]),
            _ => Predicate::IpOrder { field, op, value: parse_ip(datum.as_text()?)? },
        },
        FieldType::Version => Predicate::Version { field, op, value: datum.as_text()?.into() },
        _ => match (op, value) {
            (CompareOp::Equal, Value::Boolean(b)) => Predicate::Boolean { field, value: *b },
            (CompareOp::Equal, Value::Text(text)) if is_plain_text(text) => {
                Predicate::Keyword { field, values: vec![Arc::clone(text)], case: Case::Sensitive }
            }
            _ => Predicate::Dynamic { field, op, value: value.clone() },
        },
    })
}

/// A date field against what a constant names.
#[must_use]
pub fn in_dates(field: FieldRef, op: CompareOp, instants: Instants) -> Predicate {
    let (from, to) = match op {
        CompareOp::Equal | CompareOp::NotEqual => (instants.first, instants.last),
        CompareOp::Less => (i64::MIN, instants.first.saturating_sub(1)),
        CompareOp::LessOrEqual => (i64::MIN, instants.last),
        CompareOp::Greater => (instants.last.saturating_add(1), i64::MAX),
        CompareOp::GreaterOrEqual => (instants.first, i64::MAX),
    };
    Predicate::Date { field, from, to }
}

/// A field against a list, any of which may hold: one predicate for all texts, one for all addresses, one for each other value.
#[must_use]
pub fn one_of(field: &FieldRef, values: &[Value], case: Case) -> Vec<Predicate> {
    let mut texts: Vec<Arc<str>> = Vec::new();
    let mut blocks: Vec<IpBlock> = Vec::new();
    let mut others: Vec<Predicate> = Vec::new();
    let mut seen: HashSet<Predicate> = HashSet::new();
    for value in values {
        if case == Case::Folded {
            texts.push(text_of(value));
            continue;
        }
        match compared(field.clone(), CompareOp::Equal, value) {
            Some(Predicate::Keyword { values, .. }) => texts.extend(values),
            Some(Predicate::Ip { blocks: found, .. }) => blocks.extend(found),
            Some(other) if seen.insert(other.clone()) => others.push(other),
            Some(_) | None => {}
        }
    }
    let texts = keyword(field, texts, case);
    let blocks = (!blocks.is_empty()).then(|| in_blocks(field.clone(), blocks));
    texts.into_iter().chain(blocks).chain(others).collect()
}

/// A field against patterns: those without a wildcard are plain values.
#[must_use]
pub fn like(field: FieldRef, patterns: Vec<Wildcard>, case: Case) -> Vec<Predicate> {
    if patterns.iter().any(Wildcard::is_everything) {
        return vec![Predicate::Exists(field)];
    }
    let plain = |pattern: &Wildcard| pattern.as_literal().map(Arc::from);
    let texts = keyword(&field, patterns.iter().filter_map(plain).collect(), case);
    let mut patterns: Vec<Wildcard> =
        patterns.into_iter().filter(|pattern| pattern.as_literal().is_none()).collect();
    patterns.sort_unstable();
    patterns.dedup();
    let patterns = (!patterns.is_empty()).then_some(Predicate::Wildcard { field, patterns, case });
    texts.into_iter().chain(patterns).collect()
}

/// A field against regular expressions: those without an operator are plain values.
#[must_use]
pub fn regex(field: FieldRef, patterns: Vec<Regex>, case: Case) -> Vec<Predicate> {
    if patterns.iter().any(Regex::is_everything) {
        return vec![Predicate::Exists(field)];
    }
    let plain = |pattern: &Regex| pattern.as_literal().map(Arc::from);
    let texts = keyword(&field, patterns.iter().filter_map(plain).collect(), case);
    let mut patterns: Vec<Regex> =
        patterns.into_iter().filter(|pattern| pattern.as_literal().is_none()).collect();
    patterns.sort_unstable();
    patterns.dedup();
    let patterns = (!patterns.is_empty()).then_some(Predicate::Regex { field, patterns, case });
    texts.into_iter().chain(patterns).collect()
}

/// A field against texts, sorted and, where case does not matter, folded; `None` where there is none.
#[must_use]
pub fn keyword(field: &FieldRef, mut values: Vec<Arc<str>>, case: Case) -> Option<Predicate> {
    if case == Case::Folded {
        values.iter_mut().for_each(|value| *value = folded(value).into());
    }
    values.sort_unstable();
    values.dedup();
    (!values.is_empty()).then(|| Predicate::Keyword { field: field.clone(), values, case })
}

/// A field against address blocks, sorted.
#[must_use]
pub fn in_blocks(field: FieldRef, mut blocks: Vec<IpBlock>) -> Predicate {
    blocks.sort_unstable();
    blocks.dedup();
    Predicate::Ip { field, blocks }
}

fn text_of(value: &Value) -> Arc<str> {
    match value {
        Value::Text(text) => Arc::clone(text),
        other => Printed::default().text(other.datum()).unwrap_or("").into(),
    }
}

/// The integer that a float is, where it is one that floats hold exactly.
#[allow(clippy::cast_possible_truncation, reason = "the range was tested before")]
fn whole(n: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53
    (n.fract() == 0.0 && n.abs() <= EXACT).then_some(n as i64)
}
