//! `add(a, b)`: the sum, the same as `a + b`.
//!
//! Source: Elasticsearch's "EQL function reference", add.

use super::{Function, Kind, Missing, Spoken, ex, parameter};
use crate::expr::ArithmeticOp;

pub const ADD: Function = Function {
    name: "add",
    meaning: "the sum, the same as `a + b`",
    folds: false,
    spoken: Spoken::Everywhere,
    parameters: &[parameter("a", Kind::Number), parameter("b", Kind::Number)],
    returns: Kind::Number,
    missing: Missing::Propagates,
    eval: |_, arguments| ArithmeticOp::Add.apply(arguments),
    examples: &[
        ex("add(1, 2)", "3"),
        ex("add(1, 2.5)", "3.5"),
        ex("add(1, null)", "null"),
        ex("add(9223372036854775807, 1)", "null"),
    ],
};
