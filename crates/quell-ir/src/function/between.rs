//! `between(source, left, right [, greedy])`: the text between two others.
//!
//! Source: Elasticsearch's "EQL function reference", between.

use super::search::{Which, find};
use super::{Call, Function, Kind, Missing, Spoken, ex, parameter};
use crate::value::Datum;

pub const BETWEEN: Function = Function {
    name: "between",
    meaning: "the text between the first `left` and the next `right` (with `greedy` the last); empty where a bound is not found",
    folds: true,
    spoken: Spoken::Elasticsearch,
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
        ex(r#"between("abc", "[", "]")"#, r#""""#),
        ex(r#"between("a]b[c", "[", "]", true)"#, r#""""#),
        ex(r#"between("<A>x</a>", "<a>", "</A>")"#, r#""""#),
        ex(r#"between~("<A>x</a>", "<a>", "</A>")"#, r#""x""#),
        ex(r#"between("abc", "", "c")"#, r#""abc""#),
        ex(r#"between(null, "a", "b")"#, "null"),
        ex(r#"between("abc", "a", null)"#, "null"),
    ],
};

fn eval<'a>(call: &Call<'a>, arguments: &[Datum<'a>]) -> Datum<'a> {
    let Some((source, left, right, greedy)) = bounds(arguments) else { return Datum::Null };
    if source.is_empty() || left.is_empty() || right.is_empty() {
        return Datum::Text(source);
    }
    Datum::Text(inside(call, source, left, right, greedy).unwrap_or(""))
}

/// The text, its bounds, and whether the last right one is meant.
pub(super) fn bounds<'a>(arguments: &[Datum<'a>]) -> Option<(&'a str, &'a str, &'a str, bool)> {
    let [Datum::Text(source), Datum::Text(left), Datum::Text(right), rest @ ..] = arguments else {
        return None;
    };
    match rest {
        [] | [Datum::Null | Datum::Boolean(false)] => Some((source, left, right, false)),
        [Datum::Boolean(true)] => Some((source, left, right, true)),
        _ => None,
    }
}

fn inside<'a>(call: &Call<'a>, source: &'a str, left: &str, right: &str, greedy: bool) -> Option<&'a str> {
    let start = find(call, source, left, Which::First)?.end;
    let rest = source.get(start..)?;
    let which = if greedy { Which::Last } else { Which::First };
    rest.get(..find(call, rest, right, which)?.start)
}
