//! `stringContains(source, part)`: whether a text contains another.
//!
//! Source: Elasticsearch's "EQL function reference", stringContains.

use super::search::{Which, find};
use super::{Call, Function, Kind, Missing, Spoken, ex, parameter};
use crate::value::Datum;

pub const STRING_CONTAINS: Function = Function {
    name: "stringContains",
    meaning: "true where `source` contains `part`; false where either is empty",
    folds: true,
    spoken: Spoken::Elasticsearch,
    parameters: &[parameter("source", Kind::String), parameter("part", Kind::String)],
    returns: Kind::Boolean,
    missing: Missing::Propagates,
    eval,
    examples: &[
        ex(r#"stringContains("start regsvr32.exe", "regsvr32")"#, "true"),
        ex(r#"stringContains("start regsvr32.exe", "RegSvr32")"#, "false"),
        ex(r#"stringContains~("start regsvr32.exe", "RegSvr32")"#, "true"),
        ex(r#"stringContains("a*b", "*")"#, "true"),
        ex(r#"stringContains("ab", "*")"#, "false"),
        ex(r#"stringContains("abc", "")"#, "false"),
        ex(r#"stringContains("", "")"#, "false"),
        ex(r#"stringContains(null, "a")"#, "null"),
        ex(r#"stringContains("a", null)"#, "null"),
    ],
};

fn eval<'a>(call: &Call<'a>, arguments: &[Datum<'a>]) -> Datum<'a> {
    let &[Datum::Text(source), Datum::Text(part)] = arguments else { return Datum::Null };
    Datum::Boolean(!source.is_empty() && !part.is_empty() && find(call, source, part, Which::First).is_some())
}
