//! `length(value)` of the Endgame dialect: the characters of a text. Of a field it also counts the elements of an array,
//! see [`crate::Expr::Length`].

use super::position;
use crate::function::{Call, Function, Kind, Missing, Spoken, ex, parameter};
use crate::value::Datum;

pub const LENGTH: Function = Function {
    name: "length",
    meaning: "the characters of a text, the elements of an array",
    folds: false,
    spoken: Spoken::Endgame,
    parameters: &[parameter("value", Kind::String)],
    returns: Kind::Integer,
    missing: Missing::Propagates,
    eval,
    examples: &[
        ex(r#"length("explorer.exe")"#, "12"),
        ex(r#"length("")"#, "0"),
        ex(r#"length("\u{1F600}")"#, "1"),
        ex("length(null)", "null"),
    ],
};

fn eval<'a>(_: &Call<'a>, arguments: &[Datum<'a>]) -> Datum<'a> {
    let &[Datum::Text(text)] = arguments else { return Datum::Null };
    position(text.chars().count())
}
