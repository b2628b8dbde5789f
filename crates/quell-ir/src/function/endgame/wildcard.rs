//! `wildcard(source, pattern, …)` of the Endgame dialect, where `*` alone is a wildcard.

use crate::function::{Call, Function, Kind, Missing, Spoken, ex, parameter};
use crate::pattern::Wildcard;
use crate::value::Datum;

pub const WILDCARD: Function = Function {
    name: "wildcard",
    meaning: "true where one of the patterns covers the whole text; `*` is any run of characters, `?` a question mark",
    folds: false,
    spoken: Spoken::Endgame,
    parameters: &[
        parameter("source", Kind::String),
        parameter("pattern", Kind::String).repeated().constant(),
    ],
    returns: Kind::Boolean,
    missing: Missing::PropagatesFirst(1),
    eval,
    examples: &[
        ex(r#"wildcard("cmd.exe", "*.EXE")"#, "true"),
        ex(r#"wildcard("cmd.exe", "*.dll", "c*d.*")"#, "true"),
        ex(r#"wildcard("cmd.exe", "cm?.exe")"#, "false"),
        ex(r#"wildcard("cm?.exe", "cm?.*")"#, "true"),
        ex(r#"wildcard(null, "*")"#, "null"),
    ],
};

fn eval<'a>(call: &Call<'a>, arguments: &[Datum<'a>]) -> Datum<'a> {
    let Some((Datum::Text(source), patterns)) = arguments.split_first() else { return Datum::Null };
    let mut patterns = patterns.iter().filter_map(|pattern| pattern.as_text());
    Datum::Boolean(patterns.any(|pattern| Wildcard::parse_runs(pattern).matches(source, call.case)))
}
