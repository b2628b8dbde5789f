//! `indexOf(source, part [, start])` of the Endgame dialect.

use super::{place, position, to_byte};
use crate::function::search::{Which, find};
use crate::function::{Call, Function, Kind, Missing, Spoken, ex, parameter};
use crate::value::Datum;

pub const INDEX_OF: Function = Function {
    name: "indexOf",
    meaning: "the position, from 0, of the first `part` at or after `start`, which counts from the end where it is negative; null where there is none",
    folds: false,
    spoken: Spoken::Endgame,
    parameters: &[
        parameter("source", Kind::String),
        parameter("part", Kind::String),
        parameter("start", Kind::Number).optional(),
    ],
    returns: Kind::Integer,
    missing: Missing::PropagatesFirst(2),
    eval,
    examples: &[
        ex(r#"indexOf("subdomain", "D")"#, "3"),
        ex(r#"indexOf("a.b.c", ".", 2)"#, "3"),
        ex(r#"indexOf("a.b.c", ".", -3)"#, "3"),
        ex(r#"indexOf("a.b.c", ".", -99)"#, "1"),
        ex(r#"indexOf("a.b.c", ".", 9)"#, "null"),
        ex(r#"indexOf("a.b.c", ".", null)"#, "1"),
        ex(r#"indexOf("abc", "", 2)"#, "2"),
        ex(r#"indexOf("abc", "", 9)"#, "null"),
        ex(r#"indexOf("\u{1F600}x", "x")"#, "1"),
        ex(r#"indexOf(null, "a")"#, "null"),
    ],
};

fn eval<'a>(call: &Call<'a>, arguments: &[Datum<'a>]) -> Datum<'a> {
    let [Datum::Text(source), Datum::Text(part), rest @ ..] = arguments else { return Datum::Null };
    let length = source.chars().count();
    let start = match rest {
        [] | [Datum::Null] => 0,
        [Datum::Integer(n)] if usize::try_from(*n).is_ok_and(|n| n > length) => return Datum::Null,
        [Datum::Integer(n)] => place(*n, length),
        _ => return Datum::Null,
    };
    if part.is_empty() {
        return position(start);
    }
    let from = to_byte(source, start);
    let found = source.get(from..).and_then(|rest| find(call, rest, part, Which::First));
    let before = found.and_then(|at| source.get(..from + at.start));
    before.map_or(Datum::Null, |before| position(before.chars().count()))
}
