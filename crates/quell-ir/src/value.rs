//! Values: constants of a query, and what an event's fields hold.

use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Whether letters of different case are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Case {
    /// `a` is not `A`.
    Sensitive,
    /// `a` is `A`, by Unicode simple case folding.
    Folded,
}

/// A constant of a query. Equality and hash are by kind and content (floats by their bits).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Value {
    /// `null`
    Null,
    /// `true`, `false`
    Boolean(bool),
    /// An integer that fits 64 signed bits.
    Integer(i64),
    /// An integer that fits only 64 unsigned bits.
    Unsigned(u64),
    /// A floating-point number.
    Float(f64),
    /// Text, escapes already decoded.
    Text(Arc<str>),
}

impl Value {
    /// The same value as events hold it.
    #[must_use]
    pub fn datum(&self) -> Datum<'_> {
        match self {
            Value::Null => Datum::Null,
            Value::Boolean(b) => Datum::Boolean(*b),
            Value::Integer(n) => Datum::Integer(*n),
            Value::Unsigned(n) => Datum::Unsigned(*n),
            Value::Float(n) => Datum::Float(*n),
            Value::Text(text) => Datum::Text(text),
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Boolean(a), Value::Boolean(b)) => a == b,
            (Value::Integer(a), Value::Integer(b)) => a == b,
            (Value::Unsigned(a), Value::Unsigned(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
            (Value::Text(a), Value::Text(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Value::Null => {}
            Value::Boolean(b) => b.hash(state),
            Value::Integer(n) => n.hash(state),
            Value::Unsigned(n) => n.hash(state),
            Value::Float(n) => n.to_bits().hash(state),
            Value::Text(text) => text.hash(state),
        }
    }
}

/// One scalar of an event, or the result of an expression. Copied freely; text is borrowed.
#[derive(Clone, Copy, Debug, Default)]
pub enum Datum<'a> {
    /// No value.
    #[default]
    Null,
    /// `true`, `false`
    Boolean(bool),
    /// An integer that fits 64 signed bits.
    Integer(i64),
    /// An integer above `i64::MAX`.
    Unsigned(u64),
    /// A floating-point number.
    Float(f64),
    /// Text.
    Text(&'a str),
}

impl<'a> Datum<'a> {
    /// Whether there is no value.
    #[must_use]
    pub fn is_null(self) -> bool {
        matches!(self, Datum::Null)
    }

    /// The text, if it is text.
    #[must_use]
    pub fn as_text(self) -> Option<&'a str> {
        if let Datum::Text(text) = self { Some(text) } else { None }
    }

    /// The number, if it is a number.
    #[must_use]
    pub fn as_number(self) -> Option<Number> {
        match self {
            Datum::Integer(n) => Some(Number::Integer(i128::from(n))),
            Datum::Unsigned(n) => Some(Number::Integer(i128::from(n))),
            Datum::Float(n) => Some(Number::Float(n)),
            Datum::Null | Datum::Boolean(_) | Datum::Text(_) => None,
        }
    }

    /// The number, if it is a number or a text that reads as one: how a numeric mapping indexes a string.
    #[must_use]
    pub fn to_number(self) -> Option<Number> {
        match self {
            Datum::Text(text) => Number::parse(text),
            other => other.as_number(),
        }
    }

    /// The boolean, if it is one or the text `true` or `false`: how a boolean mapping indexes a string.
    #[must_use]
    pub fn to_boolean(self) -> Option<bool> {
        match self {
            Datum::Boolean(b) => Some(b),
            Datum::Text("true") => Some(true),
            Datum::Text("false") => Some(false),
            _ => None,
        }
    }

    /// An integer as the narrowest variant that holds it, or null where none does.
    #[must_use]
    pub fn from_integer(n: i128) -> Datum<'a> {
        if let Ok(n) = i64::try_from(n) {
            Datum::Integer(n)
        } else if let Ok(n) = u64::try_from(n) {
            Datum::Unsigned(n)
        } else {
            Datum::Null
        }
    }
}

/// A number that compares exactly: integers of up to 64 bits stay integers.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Number {
    /// An integer of up to 64 bits, signed or unsigned.
    Integer(i128),
    /// A floating-point number.
    Float(f64),
}

impl Number {
    /// A decimal integer or float, as JSON and Java write them; white space around it is ignored.
    #[must_use]
    pub fn parse(text: &str) -> Option<Number> {
        let text = text.trim();
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return None; // "inf" and "nan" are names, not numbers
        }
        if let Ok(n) = text.parse::<i64>() {
            return Some(Number::Integer(i128::from(n)));
        }
        if let Ok(n) = text.parse::<u64>() {
            return Some(Number::Integer(i128::from(n)));
        }
        text.parse::<f64>().ok().map(Number::Float)
    }

    /// The nearest float.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a float is what was asked for")]
    pub fn as_f64(self) -> f64 {
        match self {
            Number::Integer(n) => n as f64,
            Number::Float(n) => n,
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

impl PartialOrd for Number {
    /// By mathematical value, without rounding an integer to a float. NaN compares with nothing.
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (*self, *other) {
            (Number::Integer(a), Number::Integer(b)) => Some(a.cmp(&b)),
            (Number::Float(a), Number::Float(b)) => a.partial_cmp(&b),
            (Number::Integer(a), Number::Float(b)) => compare_integer(a, b),
            (Number::Float(a), Number::Integer(b)) => compare_integer(b, a).map(Ordering::reverse),
        }
    }
}

/// Compares an integer of at most 65 bits with a float, exactly.
#[allow(clippy::cast_possible_truncation, reason = "the range was tested before")]
fn compare_integer(a: i128, b: f64) -> Option<Ordering> {
    const LIMIT: f64 = 1.0e30; // far past 64 bits, well within i128
    if b.is_nan() {
        None
    } else if b >= LIMIT {
        Some(Ordering::Less)
    } else if b <= -LIMIT {
        Some(Ordering::Greater)
    } else {
        let whole = b.trunc();
        let fraction = b - whole;
        Some(a.cmp(&(whole as i128)).then_with(|| {
            // The whole parts agree: what is left of `b` decides.
            if fraction > 0.0 {
                Ordering::Less
            } else if fraction < 0.0 {
                Ordering::Greater
            } else {
                Ordering::Equal
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::Number;
    use std::cmp::Ordering;

    #[test]
    fn integers_and_floats_compare_by_value() {
        let cases = [
            (Number::Integer(3), Number::Float(3.0), Some(Ordering::Equal)),
            (Number::Integer(3), Number::Float(3.5), Some(Ordering::Less)),
            (Number::Integer(-3), Number::Float(-3.5), Some(Ordering::Greater)),
            (Number::Integer(0), Number::Float(-0.0), Some(Ordering::Equal)),
            (
                Number::Integer(9_007_199_254_740_993),
                Number::Float(9_007_199_254_740_992.0),
                Some(Ordering::Greater),
            ),
            (Number::Integer(1), Number::Float(f64::NAN), None),
            (Number::Integer(1), Number::Float(f64::INFINITY), Some(Ordering::Less)),
        ];
        for (a, b, expected) in cases {
            assert_eq!(a.partial_cmp(&b), expected, "{a:?} {b:?}");
            assert_eq!(b.partial_cmp(&a), expected.map(Ordering::reverse), "{b:?} {a:?}");
        }
    }

    #[test]
    fn text_that_is_no_number_is_refused() {
        for text in ["", "inf", "nan", "-", "0x10", "1_000", "e5"] {
            assert!(Number::parse(text).is_none(), "{text}");
        }
        assert_eq!(Number::parse(" -7 "), Some(Number::Integer(-7)));
        assert_eq!(Number::parse("4.50"), Some(Number::Float(4.5)));
        assert_eq!(Number::parse("18446744073709551615"), Some(Number::Integer(i128::from(u64::MAX))));
    }
}
