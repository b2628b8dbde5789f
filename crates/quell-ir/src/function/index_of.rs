//! `indexOf(source, part [, start])`: where a text first occurs in another.
//!
//! Source: Elasticsearch's "EQL function reference", indexOf.

use super::search::{Which, find};
use super::{Call, Function, Kind, Missing, Spoken, ex, parameter, units};
use crate::value::Datum;

pub const INDEX_OF: Function = Function {
    name: "indexOf",
    meaning: "the position, from 0 in UTF-16 units, of the first `part` at or after `start`; null where there is none",
    folds: true,
    spoken: Spoken::Elasticsearch,
    parameters: &[
        parameter("source", Kind::String),
        parameter("part", Kind::String),
        parameter("start", Kind::Integer).optional(),
    ],
    returns: Kind::Integer,
    missing: Missing::PropagatesFirst(2),
    eval,
    examples: &[
        ex(r#"indexOf("subdomain", "d")"#, "3"),
        ex(r#"indexOf("subdomain", "D")"#, "null"),
        ex(r#"indexOf~("subdomain", "D")"#, "3"),
        ex(r#"indexOf("a.b.c", ".", 2)"#, "3"),
        ex(r#"indexOf("a.b.c", ".", -5)"#, "1"),
        ex(r#"indexOf("a.b.c", ".", 9)"#, "null"),
        ex(r#"indexOf("a.b.c", ".", null)"#, "1"),
        ex(r#"indexOf("abc", "", 2)"#, "2"),
        ex(r#"indexOf("abc", "", -2)"#, "0"),
        ex(r#"indexOf("abc", "", 9)"#, "3"),
        ex(r#"indexOf("é\u{1F600}x", "x")"#, "3"),
        ex(r#"indexOf(null, "a")"#, "null"),
        ex(r#"indexOf("a", null)"#, "null"),
    ],
};

fn eval<'a>(call: &Call<'a>, arguments: &[Datum<'a>]) -> Datum<'a> {
    let [Datum::Text(source), Datum::Text(part), rest @ ..] = arguments else { return Datum::Null };
    let start = match rest {
        [] | [Datum::Null] => 0,
        [Datum::Integer(n)] => usize::try_from(*n).unwrap_or(0),
        [Datum::Unsigned(_)] => usize::MAX,
        _ => return Datum::Null,
    };
    if part.is_empty() {
        return position(start.min(units::length(source)));
    }
    let from = units::to_byte(source, start);
    let found = source.get(from..).and_then(|rest| find(call, rest, part, Which::First));
    found
        .and_then(|at| source.get(..from + at.start))
        .map_or(Datum::Null, |before| position(units::length(before)))
}

fn position<'a>(at: usize) -> Datum<'a> {
    i64::try_from(at).map_or(Datum::Null, Datum::Integer)
}
