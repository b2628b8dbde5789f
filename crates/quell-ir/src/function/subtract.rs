//! `subtract(a, b)`: the difference, the same as `a - b`.
//!
//! Source: Elasticsearch's "EQL function reference", subtract.

use super::{Function, Kind, Missing, Spoken, ex, parameter};
use crate::expr::ArithmeticOp;

pub const SUBTRACT: Function = Function {
    name: "subtract",
    meaning: "the difference, the same as `a - b`",
    folds: false,
    spoken: Spoken::Everywhere,
    parameters: &[parameter("a", Kind::Number), parameter("b", Kind::Number)],
    returns: Kind::Number,
    missing: Missing::Propagates,
    eval: |_, arguments| ArithmeticOp::Subtract.apply(arguments),
    examples: &[ex("subtract(10, 2)", "8"), ex("subtract(10, 0.5)", "9.5"), ex("subtract(null, 2)", "null")],
};
