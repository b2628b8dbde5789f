//! `modulo(a, b)`: the remainder, the same as `a % b`, with the sign of `a`; by zero null.
//!
//! Source: Elasticsearch's "EQL function reference", modulo.

use super::{Function, Kind, Missing, Spoken, ex, parameter};
use crate::expr::ArithmeticOp;

pub const MODULO: Function = Function {
    name: "modulo",
    meaning: "the remainder, the same as `a % b`, with the sign of `a`; by zero null",
    folds: false,
    spoken: Spoken::Elasticsearch,
    parameters: &[parameter("a", Kind::Number), parameter("b", Kind::Number)],
    returns: Kind::Number,
    missing: Missing::Propagates,
    eval: |_, arguments| ArithmeticOp::Modulo.apply(arguments),
    examples: &[
        ex("modulo(10, 6)", "4"),
        ex("modulo(10, -6)", "4"),
        ex("modulo(-10, -6)", "-4"),
        ex("modulo(-7, 3)", "-1"),
        ex("modulo(5, 0.5)", "0.0"),
        ex("modulo(5, 0)", "null"),
        ex("modulo(null, 2)", "null"),
    ],
};
