//! `substring(source, start [, end])` of the Endgame dialect.

use super::{place, to_byte};
use crate::function::{Call, Function, Kind, Missing, Spoken, ex, parameter};
use crate::value::Datum;

pub const SUBSTRING: Function = Function {
    name: "substring",
    meaning: "the text from `start` to before `end`, in characters from 0; negative positions count from the end",
    folds: false,
    spoken: Spoken::Endgame,
    parameters: &[
        parameter("source", Kind::String),
        parameter("start", Kind::Number),
        parameter("end", Kind::Number).optional(),
    ],
    returns: Kind::String,
    missing: Missing::PropagatesFirst(1),
    eval,
    examples: &[
        ex(r#"substring("regsvr32.exe", 0, 3)"#, r#""reg""#),
        ex(r#"substring("regsvr32.exe", -4, -1)"#, r#"".ex""#),
        ex(r#"substring("regsvr32.exe", -100, 3)"#, r#""reg""#),
        ex(r#"substring("regsvr32.exe", 5, 2)"#, r#""""#),
        ex(r#"substring("regsvr32.exe", 50)"#, r#""""#),
        ex(r#"substring("regsvr32.exe", null, 3)"#, r#""reg""#),
        ex(r#"substring("\u{1F600}xy", 1, 2)"#, r#""x""#),
        ex("substring(null, 0, 3)", "null"),
    ],
};

fn eval<'a>(_: &Call<'a>, arguments: &[Datum<'a>]) -> Datum<'a> {
    let [Datum::Text(source), start, rest @ ..] = arguments else { return Datum::Null };
    let length = source.chars().count();
    let bound = |datum: &Datum<'_>, default: usize| match datum {
        Datum::Null => Some(default),
        Datum::Integer(n) => Some(place(*n, length)),
        _ => None,
    };
    let end = rest.first().unwrap_or(&Datum::Null);
    let (Some(start), Some(end)) = (bound(start, 0), bound(end, length)) else { return Datum::Null };
    Datum::Text(source.get(to_byte(source, start)..to_byte(source, end)).unwrap_or(""))
}
