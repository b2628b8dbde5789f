//! `wildcard(source, pattern, …)`: whether one of the patterns covers a text; the same as `like`.
//!
//! Source: Elasticsearch's EQL plugin registers it; its manual does not list it.

use super::{Call, Function, Kind, Missing, Spoken, ex, parameter};
use crate::pattern::Wildcard;
use crate::value::Datum;

pub const WILDCARD: Function = Function {
    name: "wildcard",
    meaning: "true where one of the patterns covers the whole text; `*` is any run of characters, `?` exactly one",
    folds: true,
    spoken: Spoken::Elasticsearch,
    parameters: &[
        parameter("source", Kind::String),
        parameter("pattern", Kind::String).repeated().constant(),
    ],
    returns: Kind::Boolean,
    missing: Missing::PropagatesFirst(1),
    eval,
    examples: &[
        ex(r#"wildcard("cmd.exe", "*.exe")"#, "true"),
        ex(r#"wildcard("cmd.exe", "*.dll", "c?d.*")"#, "true"),
        ex(r#"wildcard("cmd.exe", "CMD*")"#, "false"),
        ex(r#"wildcard~("cmd.exe", "CMD*")"#, "true"),
        ex(r#"wildcard(null, "*")"#, "null"),
    ],
};

fn eval<'a>(call: &Call<'a>, arguments: &[Datum<'a>]) -> Datum<'a> {
    let Some((Datum::Text(source), patterns)) = arguments.split_first() else { return Datum::Null };
    let mut patterns = patterns.iter().filter_map(|pattern| pattern.as_text());
    Datum::Boolean(patterns.any(|pattern| Wildcard::parse(pattern).matches(source, call.case)))
}
