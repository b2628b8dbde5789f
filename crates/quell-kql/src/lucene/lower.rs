//! Lucene queries to the intermediate form.
//!
//! Clauses are required, optional or prohibited; there is no precedence. `AND` makes the clauses on both of its sides
//! required. Of optional clauses one must hold, unless required ones stand beside them.

use super::ast::{Clause, Conjunction, Expr, ExprKind, Modifier, Query};
use crate::lower::{Lowerer, Target};
use quell_ir::expr::CompareOp;
use quell_ir::{Code, Condition, Diagnostic};

pub(crate) fn lower(query: &Query, lowerer: &mut Lowerer<'_>) -> Condition {
    clauses(&query.clauses, &Target::Any, lowerer)
}

#[derive(Clone, Copy, PartialEq)]
enum Occurs {
    Must,
    Should,
    MustNot,
}

fn clauses(parts: &[Clause], target: &Target, lowerer: &mut Lowerer<'_>) -> Condition {
    let mut occurs: Vec<Occurs> = Vec::new();
    for clause in parts {
        let and = clause.conjunction == Some(Conjunction::And);
        if let Some(before) = occurs.last_mut().filter(|before| and && **before == Occurs::Should) {
            *before = Occurs::Must;
        }
        occurs.push(match clause.modifier {
            Some(Modifier::Minus | Modifier::Not) => Occurs::MustNot,
            Some(Modifier::Plus) => Occurs::Must,
            None if and => Occurs::Must,
            None => Occurs::Should,
        });
    }
    let of = |wanted: Occurs| -> Vec<&Expr> {
        parts
            .iter()
            .zip(&occurs)
            .filter(|(_, occurs)| **occurs == wanted)
            .map(|(clause, _)| &clause.expr)
            .collect()
    };
    let (must, should, must_not) = (of(Occurs::Must), of(Occurs::Should), of(Occurs::MustNot));
    let mut all: Vec<Condition> = must.iter().map(|expr| lower_expr(expr, target, lowerer)).collect();
    let optional = lowerer.any(&should, |expr, lowerer| lower_expr(expr, target, lowerer));
    match (must.is_empty(), should.first()) {
        (_, None) => {}
        (true, Some(_)) => all.push(optional),
        (false, Some(first)) => {
            let finding = Diagnostic::new(
                Code::LUCENE_MIXED,
                "an optional clause beside required ones changes nothing",
            );
            lowerer.report(
                finding
                    .at(first.span)
                    .label("no effect")
                    .help("put parentheses around what belongs together"),
            );
        }
    }
    all.extend(must_not.iter().map(|expr| lower_expr(expr, target, lowerer).negate()));
    Condition::all(all)
}

fn lower_expr(expr: &Expr, target: &Target, lowerer: &mut Lowerer<'_>) -> Condition {
    match &expr.kind {
        ExprKind::Group(inner) => clauses(inner, target, lowerer),
        ExprKind::Field { field, value } if field.plain() == Some("_exists_") => match &value.kind {
            ExprKind::Term(name) => {
                let target = lowerer.target(name);
                lowerer.has_value(&target, expr.span)
            }
            _ => {
                let finding = Diagnostic::new(Code::QUERY_UNEXPECTED, "`_exists_` takes the name of a field");
                lowerer.report(finding.at(value.span).label("expected a field"));
                Condition::Constant(false)
            }
        },
        ExprKind::Field { field, value } => {
            let target = lowerer.target(field);
            lower_expr(value, &target, lowerer)
        }
        ExprKind::Term(value) => lowerer.value(target, value, value.span),
        ExprKind::Regex { source, .. } => lowerer.regex(target, source, expr.span),
        ExprKind::Range { low: None, high: None, .. } => lowerer.has_value(target, expr.span),
        ExprKind::Range { low, low_included, high, high_included } => {
            let from = if *low_included { CompareOp::GreaterOrEqual } else { CompareOp::Greater };
            let to = if *high_included { CompareOp::LessOrEqual } else { CompareOp::Less };
            let bounds = [(low, from), (high, to)];
            let bounds = bounds.into_iter().filter_map(|(bound, op)| Some((bound.as_ref()?, op)));
            Condition::all(
                bounds.map(|(bound, op)| lowerer.range(target, op, bound, expr.span)).collect::<Vec<_>>(),
            )
        }
        ExprKind::Compare { op, value } => lowerer.range(target, *op, value, expr.span),
        ExprKind::Boost(inner, _) => {
            let finding =
                Diagnostic::new(Code::LUCENE_BOOST, "a boost raises a score, and nothing is scored here");
            lowerer.report(finding.at(expr.span).help("remove it"));
            lower_expr(inner, target, lowerer)
        }
        ExprKind::Fuzzy(..) => {
            let finding = Diagnostic::new(
                Code::LUCENE_UNSUPPORTED,
                "words that are nearly the same cannot be searched",
            );
            lowerer.report(finding.at(expr.span).help("write the spellings that are meant"));
            Condition::Constant(false)
        }
    }
}
