//! `startsWith(source, part)`: whether a text starts with another.
//!
//! Source: Elasticsearch's "EQL function reference", startsWith.

use super::search::starts_with;
use super::{Call, Function, Kind, Missing, Spoken, ex, parameter};
use crate::value::Datum;

pub const STARTS_WITH: Function = Function {
    name: "startsWith",
    meaning: "true where `source` starts with `part`",
    folds: true,
    spoken: Spoken::Everywhere,
    parameters: &[parameter("source", Kind::String), parameter("part", Kind::String)],
    returns: Kind::Boolean,
    missing: Missing::Propagates,
    eval,
    examples: &[
        ex(r#"startsWith("regsvr32.exe", "reg")"#, "true"),
        ex(r#"startsWith("regsvr32.exe", "Reg")"#, "false"),
        ex(r#"startsWith~("regsvr32.exe", "Reg")"#, "true"),
        ex(r#"startsWith("regsvr32.exe", "")"#, "true"),
        ex(r#"startsWith("a*b", "a*")"#, "true"),
        ex(r#"startsWith("ab", "a*")"#, "false"),
        ex(r#"startsWith("regsvr32.exe", null)"#, "null"),
        ex(r#"startsWith(null, "reg")"#, "null"),
    ],
};

fn eval<'a>(call: &Call<'a>, arguments: &[Datum<'a>]) -> Datum<'a> {
    let &[Datum::Text(source), Datum::Text(part)] = arguments else { return Datum::Null };
    Datum::Boolean(starts_with(call.case, source, part))
}
