//! `divide(a, b)`: the quotient, the same as `a / b`: of two integers an integer, cut toward zero; by zero null.
//!
//! Source: Elasticsearch's "EQL function reference", divide.

use super::{Function, Kind, Missing, Spoken, ex, parameter};
use crate::expr::ArithmeticOp;

pub const DIVIDE: Function = Function {
    name: "divide",
    meaning: "the quotient, the same as `a / b`: of two integers an integer, cut toward zero; by zero null",
    folds: false,
    spoken: Spoken::Elasticsearch,
    parameters: &[parameter("a", Kind::Number), parameter("b", Kind::Number)],
    returns: Kind::Number,
    missing: Missing::Propagates,
    eval: |_, arguments| ArithmeticOp::Divide.apply(arguments),
    examples: &[
        ex("divide(7, 2)", "3"),
        ex("divide(-7, 2)", "-3"),
        ex("divide(7, 2.0)", "3.5"),
        ex("divide(4, 3.0)", "1.3333333333333333"),
        ex("divide(1, 0)", "null"),
        ex("divide(1, 0.0)", "null"),
        ex("divide(null, 2)", "null"),
    ],
};
