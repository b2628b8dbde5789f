//! `string(value)`: the text of a value.
//!
//! Source: Elasticsearch's "EQL function reference", string.

use super::{Call, Function, Kind, Missing, Spoken, ex, parameter};
use crate::printed::Printed;
use crate::value::Datum;

pub const STRING: Function = Function {
    name: "string",
    meaning: "the text of a value",
    folds: false,
    spoken: Spoken::Everywhere,
    parameters: &[parameter("value", Kind::Any)],
    returns: Kind::String,
    missing: Missing::Propagates,
    eval,
    examples: &[
        ex("string(42)", r#""42""#),
        ex("string(42.5)", r#""42.5""#),
        ex("string(4.0)", r#""4.0""#),
        ex("string(true)", r#""true""#),
        ex(r#"string("regsvr32.exe")"#, r#""regsvr32.exe""#),
        ex("string(null)", "null"),
    ],
};

fn eval<'a>(call: &Call<'a>, arguments: &[Datum<'a>]) -> Datum<'a> {
    match arguments {
        [Datum::Text(text)] => Datum::Text(text),
        [value] => Printed::default()
            .text(*value)
            .map_or(Datum::Null, |text| Datum::Text(call.arena.alloc_str(text))),
        _ => Datum::Null,
    }
}
