//! Expressions inside a leaf, where logic is three-valued: null in, null out.
//!
//! A leaf that no plainer predicate covers is an expression. It is evaluated for each combination of one element of
//! each field that it names (an absent field contributes null), and holds if some combination gives true.

use crate::field::FieldRef;
use crate::function::Function;
use crate::pattern::{Regex, Wildcard};
use crate::value::{Case, Value};

/// An expression of a leaf.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Expr {
    /// A constant.
    Constant(Value),
    /// One element of a field.
    Field(FieldRef),
    /// A function of the registry.
    Call {
        /// Which.
        function: &'static Function,
        /// Whether `~` followed its name.
        case: Case,
        /// As many as its signature allows.
        arguments: Vec<Expr>,
    },
    /// `+ - * / %`
    Arithmetic(ArithmeticOp, Box<Expr>, Box<Expr>),
    /// `-x`
    Negative(Box<Expr>),
    /// `== != < <= > >=`; null if a side is null.
    Compare(CompareOp, Box<Expr>, Box<Expr>),
    /// `x == null`: true or false, never null.
    IsNull(Box<Expr>),
    /// `x in (…)` and its `~` form: equality with one of the constants.
    In {
        /// What is looked for.
        operand: Box<Expr>,
        /// The constants, none of them null.
        values: Vec<Value>,
        /// Whether case matters.
        case: Case,
    },
    /// `:`, `like`, `like~`: a text that one of the patterns covers.
    Like {
        /// What is tested.
        operand: Box<Expr>,
        /// The patterns.
        patterns: Vec<Wildcard>,
        /// Whether case matters.
        case: Case,
    },
    /// `regex`, `regex~`
    Regex {
        /// What is tested.
        operand: Box<Expr>,
        /// The patterns.
        patterns: Vec<Regex>,
        /// Whether case matters.
        case: Case,
    },
    /// Three-valued `and`.
    And(Vec<Expr>),
    /// Three-valued `or`.
    Or(Vec<Expr>),
    /// Three-valued `not`.
    Not(Box<Expr>),
}

/// A comparison operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CompareOp {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl CompareOp {
    /// The operator as written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            CompareOp::Equal => "==",
            CompareOp::NotEqual => "!=",
            CompareOp::Less => "<",
            CompareOp::LessOrEqual => "<=",
            CompareOp::Greater => ">",
            CompareOp::GreaterOrEqual => ">=",
        }
    }

    /// The operator with its sides exchanged: `4 < x` is `x > 4`.
    #[must_use]
    pub fn turned(self) -> CompareOp {
        match self {
            CompareOp::Equal | CompareOp::NotEqual => self,
            CompareOp::Less => CompareOp::Greater,
            CompareOp::LessOrEqual => CompareOp::GreaterOrEqual,
            CompareOp::Greater => CompareOp::Less,
            CompareOp::GreaterOrEqual => CompareOp::LessOrEqual,
        }
    }

    /// Whether an order of the two sides satisfies it.
    #[must_use]
    pub fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            CompareOp::Equal => order.is_eq(),
            CompareOp::NotEqual => order.is_ne(),
            CompareOp::Less => order.is_lt(),
            CompareOp::LessOrEqual => order.is_le(),
            CompareOp::Greater => order.is_gt(),
            CompareOp::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// An arithmetic operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ArithmeticOp {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Modulo,
}

impl ArithmeticOp {
    /// The operator as written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ArithmeticOp::Add => "+",
            ArithmeticOp::Subtract => "-",
            ArithmeticOp::Multiply => "*",
            ArithmeticOp::Divide => "/",
            ArithmeticOp::Modulo => "%",
        }
    }
}

impl Expr {
    /// Calls `visit` on every field, left to right.
    pub fn each_field<'e>(&'e self, visit: &mut dyn FnMut(&'e FieldRef)) {
        match self {
            Expr::Constant(_) => {}
            Expr::Field(field) => visit(field),
            Expr::Call { arguments: parts, .. } | Expr::And(parts) | Expr::Or(parts) => {
                for part in parts {
                    part.each_field(visit);
                }
            }
            Expr::Arithmetic(_, left, right) | Expr::Compare(_, left, right) => {
                left.each_field(visit);
                right.each_field(visit);
            }
            Expr::Negative(inner)
            | Expr::IsNull(inner)
            | Expr::Not(inner)
            | Expr::In { operand: inner, .. }
            | Expr::Like { operand: inner, .. }
            | Expr::Regex { operand: inner, .. } => inner.each_field(visit),
        }
    }
}
