//! `concat(value, …)`: the texts of all values, joined.
//!
//! Source: Elasticsearch's "EQL function reference", concat.

use super::{Call, Function, Kind, Missing, Spoken, ex, parameter};
use crate::printed::Printed;
use crate::value::Datum;
use bumpalo::collections::String;

pub const CONCAT: Function = Function {
    name: "concat",
    meaning: "the texts of all values, joined",
    folds: false,
    spoken: Spoken::Everywhere,
    parameters: &[parameter("value", Kind::Any).repeated()],
    returns: Kind::String,
    missing: Missing::Propagates,
    eval,
    examples: &[
        ex(r#"concat("process is ", "regsvr32.exe")"#, r#""process is regsvr32.exe""#),
        ex(r#"concat(1, "-", 42.5, "-", 4.0, "-", true)"#, r#""1-42.5-4.0-true""#),
        ex("concat(7)", r#""7""#),
        ex(r#"concat("a", null)"#, "null"),
    ],
};

fn eval<'a>(call: &Call<'a>, arguments: &[Datum<'a>]) -> Datum<'a> {
    let mut printed = Printed::default();
    let mut size = 0_usize;
    for argument in arguments {
        size = size.saturating_add(printed.text(*argument).map_or(0, str::len));
    }
    if size > Call::MAX_TEXT {
        call.cut.set(true);
        return Datum::Null;
    }
    let mut joined = String::with_capacity_in(size, call.arena);
    for argument in arguments {
        joined.push_str(printed.text(*argument).unwrap_or(""));
    }
    Datum::Text(joined.into_bump_str())
}
