//! `multiply(a, b)`: the product, the same as `a * b`.
//!
//! Source: Elasticsearch's "EQL function reference", multiply.

use super::{Function, Kind, Missing, Spoken, ex, parameter};
use crate::expr::ArithmeticOp;

pub const MULTIPLY: Function = Function {
    name: "multiply",
    meaning: "the product, the same as `a * b`",
    folds: false,
    spoken: Spoken::Everywhere,
    parameters: &[parameter("a", Kind::Number), parameter("b", Kind::Number)],
    returns: Kind::Number,
    missing: Missing::Propagates,
    eval: |_, arguments| ArithmeticOp::Multiply.apply(arguments),
    examples: &[ex("multiply(2, 3)", "6"), ex("multiply(0.5, 3)", "1.5"), ex("multiply(null, null)", "null")],
};
