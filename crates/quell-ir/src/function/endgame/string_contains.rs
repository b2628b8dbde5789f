//! `stringContains(source, part)` of the Endgame dialect: false, not null, for what is no text.

use crate::function::search::{Which, find};
use crate::function::{Call, Function, Kind, Missing, Spoken, ex, parameter};
use crate::value::Datum;

pub const STRING_CONTAINS: Function = Function {
    name: "stringContains",
    meaning: "true where `source` contains `part`, else false, also for an absent one",
    folds: false,
    spoken: Spoken::Endgame,
    parameters: &[parameter("source", Kind::String), parameter("part", Kind::String)],
    returns: Kind::Boolean,
    missing: Missing::PropagatesFirst(0),
    eval,
    examples: &[
        ex(r#"stringContains("start regsvr32.exe", "RegSvr32")"#, "true"),
        ex(r#"stringContains("abc", "")"#, "true"),
        ex(r#"stringContains("abc", "*")"#, "false"),
        ex(r#"stringContains(null, "a")"#, "false"),
        ex(r#"stringContains("a", null)"#, "false"),
    ],
};

fn eval<'a>(call: &Call<'a>, arguments: &[Datum<'a>]) -> Datum<'a> {
    let &[Datum::Text(source), Datum::Text(part)] = arguments else { return Datum::Boolean(false) };
    Datum::Boolean(part.is_empty() || find(call, source, part, Which::First).is_some())
}
