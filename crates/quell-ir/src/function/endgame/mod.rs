//! Functions that give something else in the Endgame dialect. All ignore case and count characters, not UTF-16 units.
//!
//! Source: the Python implementation of EQL. Where it ends with an exception, these give null.

pub mod between;
pub mod cidr_match;
pub mod divide;
pub mod index_of;
pub mod length;
pub mod modulo;
pub mod number;
pub mod string_contains;
pub mod substring;
pub mod wildcard;

use crate::value::Datum;

fn position<'a>(at: usize) -> Datum<'a> {
    i64::try_from(at).map_or(Datum::Null, Datum::Integer)
}

/// The byte at which `characters` have passed; the text's length if it has fewer.
fn to_byte(text: &str, characters: usize) -> usize {
    text.char_indices().nth(characters).map_or(text.len(), |(at, _)| at)
}

/// A place in a text of `length` characters: a negative one counts from its end; clamped to it.
fn place(n: i64, length: usize) -> usize {
    let distance = usize::try_from(n.unsigned_abs()).unwrap_or(usize::MAX);
    if n < 0 { length.saturating_sub(distance) } else { distance.min(length) }
}
