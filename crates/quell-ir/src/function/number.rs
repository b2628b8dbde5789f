//! `number(string [, base])`: a text read as a number.
//!
//! Source: Elasticsearch's "EQL function reference", number. A text that is no number gives null.

use super::{Call, Function, Kind, Missing, Spoken, ex, parameter};
use crate::value::{Datum, Number};

pub const NUMBER: Function = Function {
    name: "number",
    meaning: "the number that a text names, in base 10 unless `base` is given or `0x` stands before it; null where it names none",
    folds: false,
    spoken: Spoken::Elasticsearch,
    parameters: &[parameter("string", Kind::String), parameter("base", Kind::Integer).optional().constant()],
    returns: Kind::Number,
    missing: Missing::PropagatesFirst(1),
    eval,
    examples: &[
        ex(r#"number("1337")"#, "1337"),
        ex(r#"number("-7")"#, "-7"),
        ex(r#"number("42.5")"#, "42.5"),
        ex(r#"number("-.5")"#, "-0.5"),
        ex(r#"number("1e3")"#, "1000.0"),
        ex(r#"number("  31  ")"#, "31"),
        ex(r#"number("0xff")"#, "255"),
        ex(r#"number("0xff", 16)"#, "255"),
        ex(r#"number("ff", 16)"#, "255"),
        ex(r#"number("31", 13)"#, "40"),
        ex(r#"number("9.5", null)"#, "9.5"),
        ex(r#"number("9.5", 8)"#, "null"),
        ex(r#"number("")"#, "null"),
        ex(r#"number("abc")"#, "null"),
        ex(r#"number("1", 99)"#, "null"),
        ex("number(null)", "null"),
    ],
};

fn eval<'a>(_: &Call<'a>, arguments: &[Datum<'a>]) -> Datum<'a> {
    let [Datum::Text(text), rest @ ..] = arguments else { return Datum::Null };
    let text = text.trim();
    let Some(base) = base(rest) else { return Datum::Null };
    let hexadecimal = if matches!(base, None | Some(16)) { text.strip_prefix("0x") } else { None };
    match (hexadecimal, base) {
        (Some(digits), _) => integer(digits, 16),
        (None, Some(base)) if base != 10 => integer(text, base),
        (None, _) => match Number::parse(text) {
            Some(Number::Integer(n)) => Datum::from_integer(n),
            Some(Number::Float(n)) if n.is_finite() => Datum::Float(n),
            _ => Datum::Null,
        },
    }
}

/// The base, if one is given; nothing where it is none.
pub(super) fn base(rest: &[Datum<'_>]) -> Option<Option<u32>> {
    match rest {
        [] | [Datum::Null] => Some(None),
        [Datum::Integer(base)] => u32::try_from(*base).ok().filter(|base| (2..=36).contains(base)).map(Some),
        _ => None,
    }
}

/// The whole number that the digits are in a base, if it fits.
pub(super) fn integer<'a>(digits: &str, base: u32) -> Datum<'a> {
    i64::from_str_radix(digits, base).map_or(Datum::Null, Datum::Integer)
}
