//! `number(string [, base])` of the Endgame dialect.

use crate::function::number::{base, integer};
use crate::function::{Call, Function, Kind, Missing, Spoken, ex, parameter};
use crate::value::{Datum, Number};

pub const NUMBER: Function = Function {
    name: "number",
    meaning: "the number that a text names: with one point a decimal, behind `0x` in base 16, of digits alone in base 10 or `base`; else null",
    folds: false,
    spoken: Spoken::Endgame,
    parameters: &[parameter("string", Kind::String), parameter("base", Kind::Number).optional()],
    returns: Kind::Number,
    missing: Missing::PropagatesFirst(1),
    eval,
    examples: &[
        ex(r#"number("1337")"#, "1337"),
        ex(r#"number("-7")"#, "-7"),
        ex(r#"number("42.5")"#, "42.5"),
        ex(r#"number("1e3")"#, "null"),
        ex(r#"number("1.5e3")"#, "1500.0"),
        ex(r#"number(" 31 ")"#, "null"),
        ex(r#"number("0xff")"#, "255"),
        ex(r#"number("0xff", 16)"#, "255"),
        ex(r#"number("ff", 16)"#, "null"),
        ex(r#"number("31", 13)"#, "40"),
        ex(r#"number("9.5", null)"#, "9.5"),
        ex(r#"number("9.5", 8)"#, "null"),
        ex(r#"number("9", 8)"#, "null"),
        ex(r#"number("--9")"#, "null"),
        ex(r#"number("abc")"#, "null"),
        ex("number(null)", "null"),
    ],
};

fn eval<'a>(_: &Call<'a>, arguments: &[Datum<'a>]) -> Datum<'a> {
    let [Datum::Text(text), rest @ ..] = arguments else { return Datum::Null };
    let Some(base) = base(rest) else { return Datum::Null };
    if text.matches('.').count() == 1 && matches!(base, None | Some(10)) {
        return match Number::parse(text) {
            Some(number) if number.as_f64().is_finite() => Datum::Float(number.as_f64()),
            _ => Datum::Null,
        };
    }
    match text.strip_prefix("0x") {
        Some(digits) if matches!(base, None | Some(16)) => integer(digits, 16),
        _ if text.trim_start_matches(['-', '+']).bytes().all(|b| b.is_ascii_digit()) => {
            integer(text, base.unwrap_or(10))
        }
        _ => Datum::Null,
    }
}
