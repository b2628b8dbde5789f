//! The syntax tree of a Lucene query: what the author wrote, with a span at every node.
//!
//! A parsed tree is at most [`crate::limits::MAX_DEPTH`] groups deep.

use crate::Literal;
use quell_ir::Span;
use quell_ir::expr::CompareOp;

/// A whole query.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The clauses; none is every event.
    pub clauses: Vec<Clause>,
    /// All of it, without white space around it.
    pub span: Span,
}

/// One clause and what stands before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Clause {
    /// `AND`, `OR` or nothing between the clause before and this one.
    pub conjunction: Option<Conjunction>,
    /// What stands right before it.
    pub modifier: Option<Modifier>,
    /// What is asked.
    pub expr: Expr,
}

/// What joins two clauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conjunction {
    /// `AND`, `&&`: both are required.
    And,
    /// `OR`, `||`
    Or,
}

/// What stands before a clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modifier {
    /// `+`: required.
    Plus,
    /// `-`: prohibited.
    Minus,
    /// `NOT`, `!`: prohibited.
    Not,
}

/// What a clause asks.
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
    /// `( … )`: one clause or more.
    Group(Vec<Clause>),
    /// `field:…`
    Field {
        /// The name.
        field: Literal,
        /// A group, or what one value can be.
        value: Box<Expr>,
    },
    /// `term`, `te?m*`, `"a phrase"`
    Term(Literal),
    /// `/expression/`
    Regex {
        /// Between the slashes, escaped slashes decoded.
        source: Box<str>,
        /// As written.
        text: Box<str>,
    },
    /// `[a TO b]`, `{a TO b}`, `[a TO *}`
    Range {
        /// The lower bound; none is `*`.
        low: Option<Literal>,
        /// Whether the lower bound is part of it: `[`.
        low_included: bool,
        /// The upper bound; none is `*`.
        high: Option<Literal>,
        /// Whether the upper bound is part of it: `]`.
        high_included: bool,
    },
    /// `>10`, `<=5`
    Compare {
        /// Which order.
        op: CompareOp,
        /// The value.
        value: Literal,
    },
    /// `…^2`
    Boost(Box<Expr>, Box<str>),
    /// `…~`, `…~2`
    Fuzzy(Box<Expr>, Box<str>),
}

impl Query {
    /// Whether both are the same but for their places in the text.
    #[must_use]
    pub fn same_as(&self, other: &Query) -> bool {
        same_clauses(&self.clauses, &other.clauses)
    }
}

fn same_clauses(a: &[Clause], b: &[Clause]) -> bool {
    let same_clause = |(a, b): (&Clause, &Clause)| {
        a.conjunction == b.conjunction && a.modifier == b.modifier && same(&a.expr, &b.expr)
    };
    a.len() == b.len() && a.iter().zip(b).all(same_clause)
}

fn same(a: &Expr, b: &Expr) -> bool {
    let bounds = |a: &Option<Literal>, b: &Option<Literal>| match (a, b) {
        (Some(a), Some(b)) => a.same_as(b),
        (a, b) => a.is_none() && b.is_none(),
    };
    match (&a.kind, &b.kind) {
        (ExprKind::Group(a), ExprKind::Group(b)) => same_clauses(a, b),
        (ExprKind::Field { field, value }, ExprKind::Field { field: other, value: other_value }) => {
            field.same_as(other) && same(value, other_value)
        }
        (ExprKind::Term(a), ExprKind::Term(b)) => a.same_as(b),
        (
            ExprKind::Range { low, low_included, high, high_included },
            ExprKind::Range { low: b_low, low_included: b_low_in, high: b_high, high_included: b_high_in },
        ) => {
            bounds(low, b_low)
                && bounds(high, b_high)
                && low_included == b_low_in
                && high_included == b_high_in
        }
        (ExprKind::Compare { op, value }, ExprKind::Compare { op: other, value: other_value }) => {
            op == other && value.same_as(other_value)
        }
        (ExprKind::Boost(a, number), ExprKind::Boost(b, other))
        | (ExprKind::Fuzzy(a, number), ExprKind::Fuzzy(b, other)) => number == other && same(a, b),
        (a, b) => a == b,
    }
}
