//! Comparison of two values whose types no schema fixes: converted by the values at hand.
//!
//! Source: Elasticsearch converts a query's constant to the field's mapped type. Where no mapping is known, the value
//! says what it is. A value of the wrong kind makes an order null and is never equal; it does not end the query.

use crate::date::{date_of, parse_date};
use crate::expr::CompareOp;
use crate::pattern::{fold_char, parse_ip};
use crate::printed::Printed;
use crate::value::{Datum, Number};
use std::cmp::Ordering;
use std::net::IpAddr;

/// Compares two scalars; `None` is null.
///
/// - Null on a side: null.
/// - Numbers compare by value, exactly.
/// - A number and a text: as numbers if the text reads as one, else as dates if it reads as one.
/// - A boolean and a text: by the texts `true` and `false`.
/// - Two texts: as dates if both are whole dates, as addresses if both are, else by code points.
/// - Anything else: never equal, and an order is null.
#[must_use]
pub fn compare_data(op: CompareOp, left: Datum<'_>, right: Datum<'_>) -> Option<bool> {
    if left.is_null() || right.is_null() {
        return None;
    }
    match order_of(left, right) {
        Some(order) => Some(op.holds(order)),
        None => match op {
            CompareOp::Equal => Some(false),
            CompareOp::NotEqual => Some(true),
            _ => None,
        },
    }
}

/// Compares the texts of two scalars by code points: how a keyword field compares with any constant.
#[must_use]
pub fn compare_texts(op: CompareOp, left: Datum<'_>, right: Datum<'_>) -> Option<bool> {
    let mut printed = (Printed::default(), Printed::default());
    Some(op.holds(printed.0.text(left)?.cmp(printed.1.text(right)?)))
}

/// Compares two scalars of one kind: texts without case, numbers by value, booleans; `None` (null) where a side is null or
/// the kinds differ. Source: the Python implementation of EQL, whose dialect is Endgame's.
#[must_use]
pub fn compare_alike(op: CompareOp, left: Datum<'_>, right: Datum<'_>) -> Option<bool> {
    let order = match (left, right) {
        (Datum::Text(a), Datum::Text(b)) => a.chars().map(fold_char).cmp(b.chars().map(fold_char)),
        (Datum::Boolean(a), Datum::Boolean(b)) => a.cmp(&b),
        _ => match left.as_number()?.partial_cmp(&right.as_number()?) {
            Some(order) => order,
            // NaN is no number's equal and stands in no order.
            None => return Some(op == CompareOp::NotEqual),
        },
    };
    Some(op.holds(order))
}

/// The order of two addresses, an IPv4 one as `::ffff:a.b.c.d`.
#[must_use]
pub fn compare_addresses(left: IpAddr, right: IpAddr) -> Ordering {
    let wide = |address: IpAddr| match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    wide(left).cmp(&wide(right))
}

fn order_of(left: Datum<'_>, right: Datum<'_>) -> Option<Ordering> {
    match (left, right) {
        (Datum::Text(a), Datum::Text(b)) => Some(order_of_texts(a, b)),
        (Datum::Boolean(_), _) | (_, Datum::Boolean(_)) => Some(left.to_boolean()?.cmp(&right.to_boolean()?)),
        (Datum::Text(text), number) | (number, Datum::Text(text)) => {
            let order = match Number::parse(text) {
                Some(parsed) => number.as_number()?.partial_cmp(&parsed)?,
                None => date_of(number)?.cmp(&parse_date(text)?),
            };
            Some(if left.as_text().is_some() { order.reverse() } else { order })
        }
        _ => left.as_number()?.partial_cmp(&right.as_number()?),
    }
}

fn order_of_texts(a: &str, b: &str) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    if let (Some(a), Some(b)) = (whole_date(a), whole_date(b)) {
        return a.cmp(&b);
    }
    if let (Some(a), Some(b)) = (address(a), address(b)) {
        return compare_addresses(a, b);
    }
    a.cmp(b)
}

/// A date with a day: `2024` and `2024-05` are more likely to be something else.
fn whole_date(text: &str) -> Option<i64> {
    let dashes = text.as_bytes().get(4) == Some(&b'-') && text.as_bytes().get(7) == Some(&b'-');
    if dashes { parse_date(text) } else { None }
}

fn address(text: &str) -> Option<IpAddr> {
    let first = text.as_bytes().first()?;
    if first.is_ascii_hexdigit() || *first == b':' { parse_ip(text) } else { None }
}

/// Whether a text of unknown type equals nothing but itself: no number, boolean, date or address, which may be written
/// in more than one way.
#[must_use]
pub fn is_plain_text(text: &str) -> bool {
    Number::parse(text).is_none()
        && Datum::Text(text).to_boolean().is_none()
        && parse_date(text).is_none()
        && parse_ip(text).is_none()
}

#[cfg(test)]
mod tests {
    use super::{compare_alike, compare_data, compare_texts, is_plain_text};
    use crate::expr::CompareOp::{self, Equal, Greater, Less, LessOrEqual, NotEqual};
    use crate::value::Datum::{self, Boolean, Float, Integer, Null, Text, Unsigned};
    use proptest::prelude::*;

    #[test]
    fn values_are_converted_by_what_they_are() {
        let cases: &[(Datum<'_>, CompareOp, Datum<'_>, Option<bool>)] = &[
            (Null, Equal, Integer(1), None),
            (Text("a"), NotEqual, Null, None),
            (Null, Equal, Null, None),
            (Integer(7), Equal, Float(7.0), Some(true)),
            (Integer(3), Equal, Float(3.5), Some(false)),
            (Unsigned(u64::MAX), Greater, Integer(i64::MAX), Some(true)),
            (Integer(7), Equal, Text("7"), Some(true)),
            (Text(" 7.0"), Equal, Integer(7), Some(true)),
            (Text("10"), Greater, Integer(9), Some(true)),
            (Integer(9), Less, Text("10"), Some(true)),
            (Text("abc"), Equal, Integer(7), Some(false)),
            (Text("abc"), NotEqual, Integer(7), Some(true)),
            (Text("abc"), Less, Integer(7), None),
            (Boolean(true), Equal, Text("true"), Some(true)),
            (Text("false"), Equal, Boolean(false), Some(true)),
            (Boolean(true), Equal, Text("yes"), Some(false)),
            (Boolean(true), Equal, Integer(1), Some(false)),
            (Boolean(true), Greater, Integer(1), None),
            (Boolean(false), Less, Boolean(true), Some(true)),
            (Text("2024-05-01T12:00:00Z"), Equal, Integer(1_714_564_800_000), Some(true)),
            (Integer(1_714_564_800_001), Greater, Text("2024-05-01T12:00:00Z"), Some(true)),
            (Text("2024-05-01T14:00:00+02:00"), Equal, Text("2024-05-01T12:00:00.000Z"), Some(true)),
            (Text("2024-05-01 13:00:00"), Less, Text("2024-05-01T12:00:00Z"), Some(false)),
            (Text("::1"), Equal, Text("0:0:0:0:0:0:0:1"), Some(true)),
            (Text("10.0.0.10"), Greater, Text("10.0.0.9"), Some(true)),
            (Text("::ffff:1.2.3.4"), Equal, Text("1.2.3.4"), Some(true)),
            (Text("System"), Less, Text("system"), Some(true)),
            (Text("10"), Less, Text("9"), Some(true)),
            (Text("a"), LessOrEqual, Text("a"), Some(true)),
            (Text(""), Less, Text("a"), Some(true)),
            (Float(f64::NAN), Equal, Float(f64::NAN), Some(false)),
        ];
        for (left, op, right, expected) in cases {
            assert_eq!(compare_data(*op, *left, *right), *expected, "{left:?} {} {right:?}", op.as_str());
        }
    }

    #[test]
    fn only_what_is_of_one_kind_compares_in_the_endgame_dialect() {
        let cases: &[(Datum<'_>, CompareOp, Datum<'_>, Option<bool>)] = &[
            (Text("CMD.exe"), Equal, Text("cmd.EXE"), Some(true)),
            (Text("B"), Greater, Text("a"), Some(true)),
            (Text("a"), NotEqual, Text("A"), Some(false)),
            (Integer(7), Equal, Float(7.0), Some(true)),
            (Boolean(true), NotEqual, Boolean(false), Some(true)),
            (Text("7"), Equal, Integer(7), None),
            (Boolean(true), Equal, Integer(1), None),
            (Text("true"), NotEqual, Boolean(true), None),
            (Null, Equal, Null, None),
            (Float(f64::NAN), Equal, Float(f64::NAN), Some(false)),
            (Text("2024-05-01"), Equal, Text("2024-05-01T00:00:00Z"), Some(false)),
        ];
        for (left, op, right, expected) in cases {
            assert_eq!(compare_alike(*op, *left, *right), *expected, "{left:?} {} {right:?}", op.as_str());
        }
    }

    #[test]
    fn keywords_compare_as_text() {
        assert_eq!(compare_texts(Equal, Text("7"), Integer(7)), Some(true));
        assert_eq!(compare_texts(Equal, Text("7.0"), Integer(7)), Some(false));
        assert_eq!(compare_texts(Equal, Boolean(true), Text("true")), Some(true));
        assert_eq!(compare_texts(Less, Null, Text("true")), None);
    }

    fn datum() -> impl Strategy<Value = (u8, i64, String)> {
        (0_u8..5, -3_i64..3, "[0-9.:a-]{0,4}|true|2024-05-01|::1")
    }

    fn as_datum((kind, n, text): &(u8, i64, String)) -> Datum<'_> {
        match kind {
            0 => Null,
            1 => Boolean(*n > 0),
            2 => Integer(*n),
            3 => Float(0.5 * f64::from(i32::try_from(*n).unwrap())),
            _ => Text(text),
        }
    }

    proptest! {
        #[test]
        fn turning_the_sides_round_changes_nothing(a in datum(), b in datum()) {
            let (a, b) = (as_datum(&a), as_datum(&b));
            for op in [Equal, NotEqual, Less, LessOrEqual, Greater] {
                prop_assert_eq!(compare_data(op, a, b), compare_data(op.turned(), b, a));
            }
            prop_assert_eq!(compare_data(Equal, a, b).map(|equal| !equal), compare_data(NotEqual, a, b));
        }

        #[test]
        fn plain_text_equals_what_has_the_same_text(text in "[g-z]{0,3}|[0-9]{1,2}[.:-][g-z]|[-.:a]{1,3}[g-z]", other in datum(), same: bool) {
            // Words, and what begins like a number, an address or a date and is none.
            prop_assume!(is_plain_text(&text));
            let other = if same { Text(&text) } else { as_datum(&other) };
            prop_assert_eq!(compare_data(Equal, other, Text(&text)), compare_texts(Equal, other, Text(&text)));
        }
    }
}
