//! Expressions inside a leaf, where logic is three-valued: null in, null out.
//!
//! A leaf that no plainer predicate covers is an expression. It is evaluated for each combination of one element of
//! each field that it names (an absent field contributes null), and holds if some combination gives true. In the Endgame
//! dialect arrays are values: there fields are read whole, and nothing is combined.

use crate::condition::Condition;
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
    /// A field as one value (Endgame dialect, whose arrays are values): null where it is absent or has several.
    Whole(FieldRef),
    /// `x[2]` (Endgame dialect): the element at this place, counted from 0; null where there is none.
    Element(FieldRef, u64),
    /// `length(x)` of a field (Endgame dialect): of several values their number, of one text its characters, else null.
    Length {
        /// The field.
        field: FieldRef,
        /// Whether a single value counts as a list of one.
        list: bool,
    },
    /// `arrayContains(x, ...)` (Endgame dialect): an element of `x` is the same as one of the values; null where `x` is
    /// absent.
    Contains {
        /// The array.
        field: FieldRef,
        /// What is looked for.
        values: Vec<Expr>,
    },
    /// `arrayCount(x, e, ...)` (Endgame dialect): how many elements satisfy the condition; inside, fields have
    /// [`crate::Scope::Element`].
    Count {
        /// The array.
        field: FieldRef,
        /// What an element must satisfy.
        condition: Box<Condition>,
    },
    /// A comparison as the Endgame dialect makes it: texts without case, numbers by value, booleans; null if a side is
    /// null or the two are not of one kind.
    Same(CompareOp, Box<Expr>, Box<Expr>),
    /// Membership by [`Expr::Same`]: null if the operand is null, false if no member is the same.
    SameAsOne {
        /// What is looked for.
        operand: Box<Expr>,
        /// The constants, none of them null.
        values: Vec<Value>,
    },
    /// The value where it is a text, else null.
    Text(Box<Expr>),
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
    /// Calls `visit` on this expression and on those within it, left to right; not on those of a condition on elements.
    pub fn walk<'e>(&'e self, visit: &mut dyn FnMut(&'e Expr)) {
        visit(self);
        match self {
            Expr::Constant(_)
            | Expr::Field(_)
            | Expr::Whole(_)
            | Expr::Element(..)
            | Expr::Length { .. }
            | Expr::Count { .. } => {}
            Expr::Call { arguments: parts, .. }
            | Expr::And(parts)
            | Expr::Or(parts)
            | Expr::Contains { values: parts, .. } => {
                for part in parts {
                    part.walk(visit);
                }
            }
            Expr::Arithmetic(_, left, right) | Expr::Compare(_, left, right) | Expr::Same(_, left, right) => {
                left.walk(visit);
                right.walk(visit);
            }
            Expr::Negative(inner)
            | Expr::IsNull(inner)
            | Expr::Not(inner)
            | Expr::Text(inner)
            | Expr::In { operand: inner, .. }
            | Expr::Like { operand: inner, .. }
            | Expr::Regex { operand: inner, .. }
            | Expr::SameAsOne { operand: inner, .. } => inner.walk(visit),
        }
    }

    /// Calls `visit` on every field, left to right, those of conditions on elements included.
    pub fn each_field<'e>(&'e self, visit: &mut dyn FnMut(&'e FieldRef)) {
        self.walk(&mut |expr| match expr {
            Expr::Field(field)
            | Expr::Whole(field)
            | Expr::Element(field, _)
            | Expr::Length { field, .. }
            | Expr::Contains { field, .. } => visit(field),
            Expr::Count { field, condition } => {
                visit(field);
                condition.each_leaf(&mut |leaf| leaf.predicate.each_field(visit));
            }
            _ => {}
        });
    }
}
