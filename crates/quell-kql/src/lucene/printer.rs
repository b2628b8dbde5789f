//! The printer of Lucene queries: tree to text in one style. Values stay as they were written.

use super::ast::{Clause, Conjunction, Expr, ExprKind, Modifier, Query};
use crate::Literal;
use quell_ir::expr::CompareOp;

/// The query in one style: operators as words, one blank where one may stand.
#[must_use]
pub fn format(query: &Query) -> String {
    let mut out = String::new();
    clauses(&query.clauses, &mut out);
    out
}

fn clauses(parts: &[Clause], out: &mut String) {
    for (place, clause) in parts.iter().enumerate() {
        if place > 0 {
            out.push(' ');
        }
        out.push_str(match clause.conjunction {
            Some(Conjunction::And) => "AND ",
            Some(Conjunction::Or) => "OR ",
            None => "",
        });
        out.push_str(match clause.modifier {
            Some(Modifier::Plus) => "+",
            Some(Modifier::Minus) => "-",
            Some(Modifier::Not) => "NOT ",
            None => "",
        });
        write(&clause.expr, out);
    }
}

fn write(expr: &Expr, out: &mut String) {
    match &expr.kind {
        ExprKind::Group(inner) => {
            out.push('(');
            clauses(inner, out);
            out.push(')');
        }
        ExprKind::Field { field, value } => {
            out.push_str(&field.text);
            out.push(':');
            write(value, out);
        }
        ExprKind::Term(term) => out.push_str(&term.text),
        ExprKind::Regex { text, .. } => out.push_str(text),
        ExprKind::Range { low, low_included, high, high_included } => {
            let bound = |bound: &Option<Literal>| {
                bound.as_ref().map_or_else(|| "*".into(), |bound| bound.text.clone())
            };
            out.push(if *low_included { '[' } else { '{' });
            out.push_str(&bound(low));
            out.push_str(" TO ");
            out.push_str(&bound(high));
            out.push(if *high_included { ']' } else { '}' });
        }
        ExprKind::Compare { op, value } => {
            out.push_str(match op {
                CompareOp::Less => "<",
                CompareOp::LessOrEqual => "<=",
                CompareOp::Greater => ">",
                _ => ">=",
            });
            out.push_str(&value.text);
        }
        ExprKind::Boost(inner, number) => {
            write(inner, out);
            out.push('^');
            out.push_str(number);
        }
        ExprKind::Fuzzy(inner, number) => {
            write(inner, out);
            out.push('~');
            out.push_str(number);
        }
    }
}
