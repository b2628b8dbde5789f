//! KQL to the intermediate form.

use super::ast::{Expr, ExprKind, Query};
use crate::lower::{Lowerer, Target};
use quell_ir::Condition;

pub(crate) fn lower(query: &Query, lowerer: &mut Lowerer<'_>) -> Condition {
    query.root.as_ref().map_or(Condition::Constant(true), |root| condition(root, lowerer))
}

fn condition(expr: &Expr, lowerer: &mut Lowerer<'_>) -> Condition {
    match &expr.kind {
        ExprKind::Or(parts) => lowerer.any(parts, condition),
        ExprKind::And(parts) => {
            Condition::all(parts.iter().map(|part| condition(part, lowerer)).collect::<Vec<_>>())
        }
        ExprKind::Not(inner) => condition(inner, lowerer).negate(),
        ExprKind::Paren(inner) => condition(inner, lowerer),
        ExprKind::Field { field, values } => {
            let target = lowerer.target(field);
            match &values.kind {
                ExprKind::Value(value) => lowerer.value(&target, value, expr.span),
                _ => values_of(&target, values, lowerer),
            }
        }
        ExprKind::Range { field, op, value } => {
            let target = lowerer.target(field);
            lowerer.range(&target, *op, value, expr.span)
        }
        ExprKind::Nested { field, condition: inner } => {
            lowerer.nested(field, expr.span, |lowerer| condition(inner, lowerer))
        }
        ExprKind::Value(value) => lowerer.value(&Target::Any, value, expr.span),
    }
}

fn values_of(target: &Target, expr: &Expr, lowerer: &mut Lowerer<'_>) -> Condition {
    match &expr.kind {
        ExprKind::Or(parts) => lowerer.any(parts, |part, lowerer| values_of(target, part, lowerer)),
        ExprKind::And(parts) => {
            Condition::all(parts.iter().map(|part| values_of(target, part, lowerer)).collect::<Vec<_>>())
        }
        ExprKind::Not(inner) => values_of(target, inner, lowerer).negate(),
        ExprKind::Paren(inner) => values_of(target, inner, lowerer),
        ExprKind::Value(value) => lowerer.value(target, value, expr.span),
        // The parser puts nothing else behind a colon.
        ExprKind::Field { .. } | ExprKind::Range { .. } | ExprKind::Nested { .. } => condition(expr, lowerer),
    }
}
