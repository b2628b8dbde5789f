//! Numbers and booleans, and what is said of a list by counting.

use super::{Argument, ArgumentKind, Derivation, Run};
use quell_event::Scalar;
use quell_ir::Datum;

pub(super) static INTEGER: Derivation = Derivation {
    name: "integer",
    doc: "An integer: decimal, or hexadecimal behind `0x`; nothing where the text is neither.",
    argument: ArgumentKind::None,
    run: Run::Each(|input, _, out| match input.datum {
        Datum::Integer(_) | Datum::Unsigned(_) => out.scalar(input.scalar),
        _ => {
            if let Some(number) = integer(input.text) {
                out.integer(number);
            }
        }
    }),
    examples: &[
        ("", "5120", &["5120"]),
        ("", "0x1400", &["5120"]),
        ("", "0XFF", &["255"]),
        ("", "-1", &["-1"]),
        ("", "0x", &[]),
        ("", "0x-1", &[]),
        ("", "0x10000000000000000", &[]),
        ("", "12a", &[]),
    ],
};

/// An integer in decimal, or in hexadecimal behind `0x`.
pub(crate) fn integer(text: &str) -> Option<i64> {
    let text = text.trim();
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            i64::from_str_radix(digits, 16).ok()
        }
        Some(_) => None,
        None => text.parse().ok(),
    }
}

pub(super) static BOOLEAN: Derivation = Derivation {
    name: "boolean",
    doc: "`true` or `false`, in any case; nothing for other text.",
    argument: ArgumentKind::None,
    run: Run::Each(|input, _, out| {
        for value in [true, false] {
            if input.text.eq_ignore_ascii_case(if value { "true" } else { "false" }) {
                out.scalar(Scalar::Boolean(value));
            }
        }
    }),
    examples: &[("", "true", &["true"]), ("", "False", &["false"]), ("", "1", &[])],
};

pub(super) static COUNT: Derivation = Derivation {
    name: "count",
    doc: "The number of values; nothing for none.",
    argument: ArgumentKind::None,
    run: Run::Total(|values| Scalar::Integer(i64::try_from(values).unwrap_or(i64::MAX))),
    examples: &[],
};

pub(crate) static NTH: Derivation = Derivation {
    name: "nth",
    doc: "The value at this place of a list, from 1.",
    argument: ArgumentKind::Number,
    run: Run::Select(|index, argument| matches!(argument, Argument::Number(number) if index + 1 == *number)),
    examples: &[],
};
