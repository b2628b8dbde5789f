//! `endsWith(source, part)`: whether a text ends with another.
//!
//! Source: Elasticsearch's "EQL function reference", endsWith.

use super::search::ends_with;
use super::{Call, Function, Kind, Missing, Spoken, ex, parameter};
use crate::value::Datum;

pub const ENDS_WITH: Function = Function {
    name: "endsWith",
    meaning: "true where `source` ends with `part`",
    folds: true,
    spoken: Spoken::Everywhere,
    parameters: &[parameter("source", Kind::String), parameter("part", Kind::String)],
    returns: Kind::Boolean,
    missing: Missing::Propagates,
    eval,
    examples: &[
        ex(r#"endsWith("explorer.exe", ".exe")"#, "true"),
        ex(r#"endsWith("explorer.exe", ".EXE")"#, "false"),
        ex(r#"endsWith~("explorer.exe", ".EXE")"#, "true"),
        ex(r#"endsWith("explorer.exe", "")"#, "true"),
        ex(r#"endsWith("explorer.exe", "*.exe")"#, "false"),
        ex(r#"endsWith(null, ".exe")"#, "null"),
        ex(r#"endsWith("explorer.exe", null)"#, "null"),
    ],
};

fn eval<'a>(call: &Call<'a>, arguments: &[Datum<'a>]) -> Datum<'a> {
    let &[Datum::Text(source), Datum::Text(part)] = arguments else { return Datum::Null };
    Datum::Boolean(ends_with(call.case, source, part))
}
