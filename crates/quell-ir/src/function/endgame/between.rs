//! `between(source, left, right [, greedy])` of the Endgame dialect: null where a bound is not found.

use crate::function::between::bounds;
use crate::function::search::{Which, find};
use crate::function::{Call, Function, Kind, Missing, Spoken, ex, parameter};
use crate::value::Datum;

pub const BETWEEN: Function = Function {
    name: "between",
    meaning: "the text between the first `left` and the next `right` (with `greedy` the last); null where a bound is not found",
    folds: false,
    spoken: Spoken::Endgame,
    parameters: &[
        parameter("source", Kind::String),
        parameter("left", Kind::String),
        parameter("right", Kind::String),
        parameter("greedy", Kind::Boolean).optional(),
    ],
    returns: Kind::String,
    missing: Missing::PropagatesFirst(3),
    eval,
    examples: &[
        ex(r#"between("a[b][c]d", "[", "]")"#, r#""b""#),
        ex(r#"between("a[b][c]d", "[", "]", true)"#, r#""b][c""#),
        ex(r#"between("abc", "[", "]")"#, "null"),
        ex(r#"between("a]b[c", "[", "]", true)"#, "null"),
        ex(r#"between("<A>x</a>", "<a>", "</A>")"#, r#""x""#),
        ex(r#"between("abc", "", "c")"#, r#""ab""#),
        ex(r#"between("abc", "a", "")"#, r#""""#),
        ex(r#"between("abc", "a", "", true)"#, r#""bc""#),
        ex(r#"between(null, "a", "b")"#, "null"),
        ex(r#"between("abc", "a", null)"#, "null"),
    ],
};

fn eval<'a>(call: &Call<'a>, arguments: &[Datum<'a>]) -> Datum<'a> {
    let Some((source, left, right, greedy)) = bounds(arguments) else { return Datum::Null };
    inside(call, source, left, right, greedy).map_or(Datum::Null, Datum::Text)
}

fn inside<'a>(call: &Call<'a>, source: &'a str, left: &str, right: &str, greedy: bool) -> Option<&'a str> {
    let start = if left.is_empty() { 0 } else { find(call, source, left, Which::First)?.end };
    let rest = source.get(start..)?;
    let end = match (right.is_empty(), greedy) {
        (true, true) => rest.len(),
        (true, false) => 0,
        (false, true) => find(call, rest, right, Which::Last)?.start,
        (false, false) => find(call, rest, right, Which::First)?.start,
    };
    rest.get(..end)
}
