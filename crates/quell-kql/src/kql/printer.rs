//! The printer of KQL: tree to text in one style. Literals stay as they were written.

use super::ast::{Expr, ExprKind, Query};
use crate::Literal;
use quell_ir::expr::CompareOp;

/// Lines longer than this are broken where they can be.
const WIDTH: usize = 100;
const INDENT: usize = 2;

/// The query in one style: keywords in lower case, one blank where one may stand, long lists one operand a line.
#[must_use]
pub fn format(query: &Query) -> String {
    let mut out = String::new();
    if let Some(root) = &query.root {
        write(root, 0, &mut out);
    }
    out
}

/// A text as a quoted literal.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Writes at a column: on one line where it fits, else broken at its outermost operators.
fn write(expr: &Expr, indent: usize, out: &mut String) {
    let flat = flat(expr);
    let column = out.rsplit('\n').next().map_or(0, |line| line.chars().count());
    if column + flat.chars().count() <= WIDTH {
        out.push_str(&flat);
        return;
    }
    match &expr.kind {
        ExprKind::Or(parts) => lines(parts, " or", indent, out),
        ExprKind::And(parts) => lines(parts, " and", indent, out),
        ExprKind::Not(inner) => {
            out.push_str("not ");
            write(inner, indent, out);
        }
        ExprKind::Paren(inner) => bracketed("(", inner, ")", indent, out),
        ExprKind::Field { field, values } => {
            out.push_str(&field.text);
            out.push_str(": ");
            write(values, indent, out);
        }
        ExprKind::Nested { field, condition } => {
            out.push_str(&field.text);
            bracketed(": {", condition, "}", indent, out);
        }
        ExprKind::Range { .. } | ExprKind::Value(_) => out.push_str(&flat),
    }
}

fn lines(parts: &[Expr], operator: &str, indent: usize, out: &mut String) {
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            out.push_str(operator);
            new_line(indent, out);
        }
        write(part, indent, out);
    }
}

fn bracketed(open: &str, inner: &Expr, close: &str, indent: usize, out: &mut String) {
    out.push_str(open);
    new_line(indent + INDENT, out);
    write(inner, indent + INDENT, out);
    new_line(indent, out);
    out.push_str(close);
}

fn new_line(indent: usize, out: &mut String) {
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', indent));
}

fn flat(expr: &Expr) -> String {
    match &expr.kind {
        ExprKind::Or(parts) => joined(parts, " or "),
        ExprKind::And(parts) => joined(parts, " and "),
        ExprKind::Not(inner) => format!("not {}", flat(inner)),
        ExprKind::Paren(inner) => format!("({})", flat(inner)),
        ExprKind::Field { field, values } => format!("{}: {}", field.text, flat(values)),
        ExprKind::Range { field, op, value } => {
            format!("{} {} {}", before_blank(field), sign(*op), before_blank(value))
        }
        ExprKind::Nested { field, condition } => format!("{}: {{ {} }}", field.text, flat(condition)),
        ExprKind::Value(value) => before_blank(value),
    }
}

/// A literal that a blank may follow: `not ` would be a keyword even at the end of a longer word, and ` and ` and ` or ` are.
fn before_blank(literal: &Literal) -> String {
    let text = &*literal.text;
    for word in ["not", "and", "or"].into_iter().filter(|_| !literal.quoted) {
        let Some((before, last)) = text.split_at_checked(text.len().saturating_sub(word.len())) else {
            continue;
        };
        let escaped = (before.len() - before.trim_end_matches('\\').len()) % 2 == 1;
        if !escaped
            && last.eq_ignore_ascii_case(word)
            && (word == "not" || before.ends_with(char::is_whitespace))
        {
            let first = last.chars().next().map_or(0, u32::from);
            return format!("{before}\\u{first:04x}{}", last.get(1..).unwrap_or_default());
        }
    }
    text.to_owned()
}

fn joined(parts: &[Expr], operator: &str) -> String {
    parts.iter().map(flat).collect::<Vec<_>>().join(operator)
}

fn sign(op: CompareOp) -> &'static str {
    match op {
        CompareOp::Less => "<",
        CompareOp::LessOrEqual => "<=",
        CompareOp::Greater => ">",
        _ => ">=",
    }
}
