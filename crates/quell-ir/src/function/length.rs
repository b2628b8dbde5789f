//! `length(string)`: how long a text is.
//!
//! Source: Elasticsearch's "EQL function reference", length. It never counts the elements of an array.

use super::{Call, Function, Kind, Missing, Spoken, ex, parameter, units};
use crate::value::Datum;

pub const LENGTH: Function = Function {
    name: "length",
    meaning: "the length of a text in UTF-16 units",
    folds: false,
    spoken: Spoken::Elasticsearch,
    parameters: &[parameter("string", Kind::String)],
    returns: Kind::Integer,
    missing: Missing::Propagates,
    eval,
    examples: &[
        ex(r#"length("explorer.exe")"#, "12"),
        ex(r#"length("")"#, "0"),
        ex(r#"length("é")"#, "1"),
        ex(r#"length("\u{1F600}")"#, "2"),
        ex("length(null)", "null"),
    ],
};

fn eval<'a>(_: &Call<'a>, arguments: &[Datum<'a>]) -> Datum<'a> {
    let &[Datum::Text(text)] = arguments else { return Datum::Null };
    i64::try_from(units::length(text)).map_or(Datum::Null, Datum::Integer)
}
