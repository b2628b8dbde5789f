//! `modulo(a, b)` of the Endgame dialect, the same as `a % b`: the remainder with the sign of `b`.

use crate::expr::ArithmeticOp;
use crate::function::{Call, Function, Kind, Missing, Spoken, ex, parameter};
use crate::value::Datum;

pub const MODULO: Function = Function {
    name: "modulo",
    meaning: "the remainder, the same as `a % b`, with the sign of `b`; by zero null",
    folds: false,
    spoken: Spoken::Endgame,
    parameters: &[parameter("a", Kind::Number), parameter("b", Kind::Number)],
    returns: Kind::Number,
    missing: Missing::Propagates,
    eval,
    examples: &[
        ex("modulo(10, 3)", "1"),
        ex("modulo(-10, 3)", "2"),
        ex("modulo(10, -3)", "-2"),
        ex("modulo(-10, -3)", "-1"),
        ex("modulo(-9, 3)", "0"),
        ex("modulo(5.5, 2)", "1.5"),
        ex("modulo(-5.5, 2)", "0.5"),
        ex("modulo(1, 0)", "null"),
        ex("modulo(null, 2)", "null"),
    ],
};

fn eval<'a>(_: &Call<'a>, arguments: &[Datum<'a>]) -> Datum<'a> {
    let &[_, b] = arguments else { return Datum::Null };
    let rest = ArithmeticOp::Modulo.apply(arguments);
    let (Some(size), Some(divisor)) = (rest.as_number(), b.as_number()) else { return Datum::Null };
    let (size, divisor) = (size.as_f64(), divisor.as_f64());
    if size != 0.0 && (size < 0.0) != (divisor < 0.0) { ArithmeticOp::Add.apply(&[rest, b]) } else { rest }
}
