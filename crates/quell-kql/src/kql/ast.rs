//! The syntax tree of KQL: what the author wrote, with a span at every node.
//!
//! A parsed tree is at most [`crate::limits::MAX_DEPTH`] deep, so plain recursion over it is safe. `and` and `or` are flat
//! lists, however long.

use crate::Literal;
use quell_ir::Span;
use quell_ir::expr::CompareOp;

/// A whole query.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// What is asked; nothing is every event.
    pub root: Option<Expr>,
    /// All of it, without white space around it.
    pub span: Span,
}

/// A condition, or the values behind a field.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where.
    pub span: Span,
}

/// What an expression can be.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// `a or b`: two operands or more.
    Or(Vec<Expr>),
    /// `a and b`: two operands or more.
    And(Vec<Expr>),
    /// `not a`
    Not(Box<Expr>),
    /// `( … )` as written.
    Paren(Box<Expr>),
    /// `field: value`, `field: (a or not b)`. The values are built of `Or`, `And`, `Not`, `Paren` and `Value`.
    Field {
        /// The name.
        field: Literal,
        /// What stands behind the colon.
        values: Box<Expr>,
    },
    /// `field > value`
    Range {
        /// The name.
        field: Literal,
        /// `>`, `>=`, `<` or `<=`.
        op: CompareOp,
        /// The value.
        value: Literal,
    },
    /// `field: { … }`
    Nested {
        /// The name.
        field: Literal,
        /// The condition on one of its objects.
        condition: Box<Expr>,
    },
    /// A value: of the field before it, or of any field.
    Value(Literal),
}

impl Query {
    /// Whether both are the same but for their places in the text.
    #[must_use]
    pub fn same_as(&self, other: &Query) -> bool {
        match (&self.root, &other.root) {
            (Some(a), Some(b)) => same(a, b),
            (None, None) => true,
            _ => false,
        }
    }
}

fn same(a: &Expr, b: &Expr) -> bool {
    match (&a.kind, &b.kind) {
        (ExprKind::Or(a), ExprKind::Or(b)) | (ExprKind::And(a), ExprKind::And(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (ExprKind::Not(a), ExprKind::Not(b)) | (ExprKind::Paren(a), ExprKind::Paren(b)) => same(a, b),
        (ExprKind::Field { field, values }, ExprKind::Field { field: other, values: others }) => {
            field.same_as(other) && same(values, others)
        }
        (
            ExprKind::Range { field, op, value },
            ExprKind::Range { field: other, op: other_op, value: other_value },
        ) => field.same_as(other) && op == other_op && value.same_as(other_value),
        (
            ExprKind::Nested { field, condition },
            ExprKind::Nested { field: other, condition: other_condition },
        ) => field.same_as(other) && same(condition, other_condition),
        (ExprKind::Value(a), ExprKind::Value(b)) => a.same_as(b),
        _ => false,
    }
}
