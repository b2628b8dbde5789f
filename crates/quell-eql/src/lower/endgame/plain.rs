//! The plainest test of a leaf in the Endgame dialect.
//!
//! A predicate of the IR holds by any element of its field and converts values, where this dialect takes a field as one
//! value of one kind. For a field that the schema knows as single the two agree and the predicate stands alone; for
//! others it stands in front, where the engine finds it fast, and the exact expression behind it decides.

use crate::lower::Lowerer;
use quell_ir::expr::{CompareOp, Expr};
use quell_ir::pattern::{IpBlock, Wildcard};
use quell_ir::plain::{compared, in_blocks, keyword, like, one_of, regex};
use quell_ir::{Case, Condition, FieldRef, FieldType, Predicate, Scope, Span, Value};
use std::sync::Arc;

/// What a leaf comes to without its expression.
struct Plain {
    field: FieldRef,
    /// One of them holds wherever the leaf is true.
    hits: Vec<Predicate>,
    /// Where the leaf is false, if the field is single.
    misses: Misses,
    /// Whether elements are asked one by one anyway, so that the field need not be single.
    any_element: bool,
}

enum Misses {
    /// The field is there and no hit holds.
    Other,
    /// No hit holds: the test is never null.
    NoHit,
    /// One of these holds.
    These(Vec<Predicate>),
}

impl Plain {
    fn new(field: &FieldRef, hits: Vec<Predicate>, misses: Misses) -> Option<Plain> {
        Some(Plain { field: field.clone(), hits, misses, any_element: false })
    }
}

impl Lowerer<'_> {
    /// Where a boolean expression has the wanted answer.
    pub(super) fn answer(&self, expr: Expr, wanted: bool, span: Span) -> Condition {
        match expr {
            Expr::Constant(value) => Condition::Constant(value == Value::Boolean(wanted)),
            Expr::Not(inner) => self.answer(*inner, !wanted, span),
            Expr::And(parts) => self.answers(parts, wanted, wanted, span),
            Expr::Or(parts) => self.answers(parts, wanted, !wanted, span),
            Expr::IsNull(inner) => match *inner {
                Expr::Element(field, 0) => super::answered(Predicate::Exists(field), !wanted, span),
                other => super::answered(Predicate::Expr(Expr::IsNull(Box::new(other))), wanted, span),
            },
            other => self.leaf_answer(other, wanted, span),
        }
    }

    fn answers(&self, parts: Vec<Expr>, wanted: bool, all: bool, span: Span) -> Condition {
        let parts = parts.into_iter().map(|part| self.answer(part, wanted, span));
        if all { Condition::all(parts) } else { Condition::any(parts) }
    }

    fn leaf_answer(&self, expr: Expr, wanted: bool, span: Span) -> Condition {
        let any = |predicates: Vec<Predicate>| {
            Condition::any(predicates.into_iter().map(|predicate| Condition::leaf(predicate, span)))
        };
        let plain = plain(&expr);
        let exact =
            Condition::leaf(Predicate::Expr(if wanted { expr } else { Expr::Not(Box::new(expr)) }), span);
        let Some(Plain { field, hits, misses, any_element }) = plain else { return exact };
        let there = Condition::leaf(Predicate::Exists(field.clone()), span);
        match (self.is_known(&field, any_element), wanted) {
            (true, true) => any(hits),
            (true, false) => match misses {
                Misses::Other => Condition::all([there, any(hits).negate()]),
                Misses::NoHit => any(hits).negate(),
                Misses::These(predicates) => any(predicates),
            },
            (false, true) => Condition::all([any(hits), exact]),
            (false, false) => match misses {
                Misses::NoHit => exact,
                Misses::Other | Misses::These(_) => Condition::all([there, exact]),
            },
        }
    }

    /// Whether the schema knows the field's type, and that it is no list where that matters.
    fn is_known(&self, field: &FieldRef, any_element: bool) -> bool {
        let info = if field.scope == Scope::Event { self.options.schema.field(&field.path) } else { None };
        field.kind != FieldType::Unknown && info.is_some_and(|info| any_element || !info.array)
    }
}

fn plain(expr: &Expr) -> Option<Plain> {
    match expr {
        Expr::Whole(field) => Plain::new(field, truth(field, true), Misses::These(truth(field, false))),
        Expr::Same(op, left, right) | Expr::Compare(op, left, right) => match (&**left, &**right) {
            (Expr::Whole(field), Expr::Constant(value)) => comparison(field, *op, value),
            _ => None,
        },
        Expr::SameAsOne { operand, values } => match &**operand {
            Expr::Whole(field) => Plain::new(field, members(field, values), Misses::Other),
            _ => None,
        },
        Expr::Like { operand, patterns, case } => {
            let field = text_field(operand)?;
            Plain::new(field, like(field.clone(), patterns.clone(), *case), Misses::Other)
        }
        Expr::Regex { operand, patterns, case } => {
            let field = text_field(operand)?;
            Plain::new(field, regex(field.clone(), patterns.clone(), *case), Misses::Other)
        }
        Expr::Contains { field, values } => {
            let constant = |value: &Expr| match value {
                Expr::Constant(value) => Some(value.clone()),
                _ => None,
            };
            let values: Vec<Value> = values.iter().map(constant).collect::<Option<_>>()?;
            let plain = Plain::new(field, members(field, &values), Misses::Other)?;
            Some(Plain { any_element: true, ..plain })
        }
        Expr::Call { function, arguments, .. } => called(function.name, arguments),
        _ => None,
    }
}

fn truth(field: &FieldRef, value: bool) -> Vec<Predicate> {
    vec![Predicate::Boolean { field: field.clone(), value }]
}

/// The field of a text test, if values of its type are texts or may be.
fn text_field(operand: &Expr) -> Option<&FieldRef> {
    let Expr::Text(inner) = operand else { return None };
    match &**inner {
        Expr::Whole(field) if matches!(field.kind, FieldType::Keyword | FieldType::Unknown) => Some(field),
        _ => None,
    }
}

fn comparison(field: &FieldRef, op: CompareOp, value: &Value) -> Option<Plain> {
    let test = |op| compared(field.clone(), op, value).into_iter();
    match value {
        Value::Boolean(b) if op == CompareOp::Equal => {
            Plain::new(field, truth(field, *b), Misses::These(truth(field, !*b)))
        }
        Value::Text(_) if matches!(field.kind, FieldType::Keyword | FieldType::Unknown) => {
            // Texts stand in no order that a predicate knows: theirs depends on case.
            let equal = op == CompareOp::Equal;
            if equal {
                Plain::new(field, members(field, std::slice::from_ref(value)), Misses::Other)
            } else {
                None
            }
        }
        Value::Null | Value::Boolean(_) => None,
        // `==` an address may mean a block, which has no order.
        _ if op == CompareOp::Equal && field.kind == FieldType::Ip => {
            Plain::new(field, test(op).collect(), Misses::Other)
        }
        _ => {
            let opposite: Vec<Predicate> = match op {
                CompareOp::Equal => test(CompareOp::Less).chain(test(CompareOp::Greater)).collect(),
                CompareOp::NotEqual => test(CompareOp::Equal).collect(),
                CompareOp::Less => test(CompareOp::GreaterOrEqual).collect(),
                CompareOp::LessOrEqual => test(CompareOp::Greater).collect(),
                CompareOp::Greater => test(CompareOp::LessOrEqual).collect(),
                CompareOp::GreaterOrEqual => test(CompareOp::Less).collect(),
            };
            Plain::new(field, test(op).collect(), Misses::These(opposite))
        }
    }
}

/// A field against a list: texts without case, other values as they are.
fn members(field: &FieldRef, values: &[Value]) -> Vec<Predicate> {
    let text = |value: &Value| match value {
        Value::Text(text) if matches!(field.kind, FieldType::Keyword | FieldType::Unknown) => {
            Some(Arc::clone(text))
        }
        _ => None,
    };
    let texts = keyword(field, values.iter().filter_map(text).collect(), Case::Folded);
    let others: Vec<Value> = values.iter().filter(|value| text(value).is_none()).cloned().collect();
    texts.into_iter().chain(one_of(field, &others, Case::Sensitive)).collect()
}

/// A function of a field and constants that a predicate answers.
fn called(name: &str, arguments: &[Expr]) -> Option<Plain> {
    let (Expr::Whole(field), rest) = arguments.split_first()? else { return None };
    let text = |argument: &Expr| match argument {
        Expr::Constant(Value::Text(text)) => Some(Arc::clone(text)),
        _ => None,
    };
    let texts: Vec<Arc<str>> = rest.iter().map(text).collect::<Option<_>>()?;
    if name == "cidrMatch" {
        let blocks = texts.iter().filter_map(|text| IpBlock::parse(text)).collect();
        return Plain::new(field, vec![in_blocks(field.clone(), blocks)], Misses::NoHit);
    }
    if !matches!(field.kind, FieldType::Keyword | FieldType::Unknown) {
        return None;
    }
    let [part] = texts.as_slice() else { return None };
    let (pattern, misses) = match name {
        "startsWith" => (Wildcard::starts_with(part), Misses::Other),
        "endsWith" => (Wildcard::ends_with(part), Misses::Other),
        "stringContains" => (Wildcard::contains(part), Misses::NoHit),
        _ => return None,
    };
    Plain::new(field, like(field.clone(), vec![pattern], Case::Folded), misses)
}
