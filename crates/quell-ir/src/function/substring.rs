//! `substring(source, start [, end])`: a part of a text by its position.
//!
//! Source: Elasticsearch's "EQL function reference", substring.

use super::{Call, Function, Kind, Missing, Spoken, ex, parameter, units};
use crate::value::Datum;

pub const SUBSTRING: Function = Function {
    name: "substring",
    meaning: "the text from `start` to before `end`, in UTF-16 units from 0; negative positions count from the end",
    folds: false,
    spoken: Spoken::Elasticsearch,
    parameters: &[
        parameter("source", Kind::String),
        parameter("start", Kind::Integer),
        parameter("end", Kind::Integer).optional(),
    ],
    returns: Kind::String,
    missing: Missing::PropagatesFirst(1),
    eval,
    examples: &[
        ex(r#"substring("regsvr32.exe", 0, 3)"#, r#""reg""#),
        ex(r#"substring("regsvr32.exe", -4)"#, r#"".exe""#),
        ex(r#"substring("regsvr32.exe", -4, -1)"#, r#"".ex""#),
        ex(r#"substring("regsvr32.exe", 3, -4)"#, r#""svr32""#),
        ex(r#"substring("regsvr32.exe", -100, 3)"#, r#""reg""#),
        ex(r#"substring("regsvr32.exe", 5, 2)"#, r#""""#),
        ex(r#"substring("regsvr32.exe", 50)"#, r#""""#),
        ex(r#"substring("regsvr32.exe", 8, null)"#, r#"".exe""#),
        ex(r#"substring("regsvr32.exe", null, 3)"#, r#""reg""#),
        ex(r#"substring("", 0, 3)"#, r#""""#),
        ex(r#"substring("é\u{1F600}x", 1, 3)"#, r#""\u{1F600}""#),
        ex("substring(null, 0, 3)", "null"),
    ],
};

fn eval<'a>(_: &Call<'a>, arguments: &[Datum<'a>]) -> Datum<'a> {
    let [Datum::Text(source), start, rest @ ..] = arguments else { return Datum::Null };
    let length = units::length(source);
    let Some(start) = position(*start, length, 0) else { return Datum::Null };
    let end = match rest {
        [] => Some(length),
        [end] => position(*end, length, length),
        _ => None,
    };
    let Some(end) = end else { return Datum::Null };
    Datum::Text(source.get(units::to_byte(source, start)..units::to_byte(source, end)).unwrap_or(""))
}

/// A position inside the text: negative ones from its end, null as the default, all clamped.
fn position(datum: Datum<'_>, length: usize, default: usize) -> Option<usize> {
    match datum {
        Datum::Null => Some(default),
        Datum::Unsigned(_) => Some(length),
        Datum::Integer(n) => {
            let distance = usize::try_from(n.unsigned_abs()).unwrap_or(usize::MAX);
            Some(if n < 0 { length.saturating_sub(distance) } else { distance.min(length) })
        }
        Datum::Boolean(_) | Datum::Float(_) | Datum::Text(_) => None,
    }
}
