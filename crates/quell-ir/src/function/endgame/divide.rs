//! `divide(a, b)` of the Endgame dialect, the same as `a / b`: of two integers the quotient rounded down.

use crate::expr::ArithmeticOp;
use crate::function::{Call, Function, Kind, Missing, Spoken, ex, parameter};
use crate::value::Datum;

pub const DIVIDE: Function = Function {
    name: "divide",
    meaning: "the quotient, the same as `a / b`: of two integers an integer, rounded down; by zero null",
    folds: false,
    spoken: Spoken::Endgame,
    parameters: &[parameter("a", Kind::Number), parameter("b", Kind::Number)],
    returns: Kind::Number,
    missing: Missing::Propagates,
    eval,
    examples: &[
        ex("divide(7, 2)", "3"),
        ex("divide(-7, 2)", "-4"),
        ex("divide(7, -2)", "-4"),
        ex("divide(-7, -2)", "3"),
        ex("divide(-8, 2)", "-4"),
        ex("divide(7, 2.0)", "3.5"),
        ex("divide(1, 0)", "null"),
        ex("divide(1, 0.0)", "null"),
        ex("divide(null, 2)", "null"),
    ],
};

fn eval<'a>(_: &Call<'a>, arguments: &[Datum<'a>]) -> Datum<'a> {
    let &[a, b] = arguments else { return Datum::Null };
    let quotient = ArithmeticOp::Divide.apply(arguments);
    // What is cut toward zero lies above the quotient where the signs differ and something is left over.
    let left_over = match (ArithmeticOp::Modulo.apply(arguments), b.as_number()) {
        (Datum::Integer(rest), Some(b)) => rest != 0 && (rest < 0) != (b.as_f64() < 0.0),
        _ => false,
    };
    if left_over && a.as_number().is_some() {
        ArithmeticOp::Subtract.apply(&[quotient, Datum::Integer(1)])
    } else {
        quotient
    }
}
