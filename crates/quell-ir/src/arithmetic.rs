//! Arithmetic on scalars: `+ - * / %` and the sign.
//!
//! Source: Elasticsearch's "EQL syntax reference" and "EQL function reference", add to modulo. Two integers give an
//! integer, a float on a side gives a float. What has no answer (a division by zero, an overflow, a side that is no
//! number) is null.

use crate::expr::ArithmeticOp;
use crate::value::{Datum, Number};

impl ArithmeticOp {
    /// The result for two scalars; null where there is none.
    #[must_use]
    pub fn apply<'a>(self, arguments: &[Datum<'a>]) -> Datum<'a> {
        let &[left, right] = arguments else { return Datum::Null };
        let (Some(a), Some(b)) = (left.as_number(), right.as_number()) else { return Datum::Null };
        match (a, b) {
            (Number::Integer(a), Number::Integer(b)) => {
                let signed = !matches!((left, right), (Datum::Unsigned(_), _) | (_, Datum::Unsigned(_)));
                self.integers(a, b).map_or(Datum::Null, |n| fit(n, signed))
            }
            _ => self.floats(a.as_f64(), b.as_f64()),
        }
    }

    /// At most 64 bits on each side, so nothing overflows 128.
    fn integers(self, a: i128, b: i128) -> Option<i128> {
        match self {
            ArithmeticOp::Add => a.checked_add(b),
            ArithmeticOp::Subtract => a.checked_sub(b),
            ArithmeticOp::Multiply => a.checked_mul(b),
            ArithmeticOp::Divide => a.checked_div(b),
            ArithmeticOp::Modulo => a.checked_rem(b),
        }
    }

    fn floats<'a>(self, a: f64, b: f64) -> Datum<'a> {
        let result = match self {
            ArithmeticOp::Add => a + b,
            ArithmeticOp::Subtract => a - b,
            ArithmeticOp::Multiply => a * b,
            ArithmeticOp::Divide => a / b,
            ArithmeticOp::Modulo => a % b,
        };
        if result.is_finite() { Datum::Float(result) } else { Datum::Null }
    }
}

/// `-x`; null where `x` is no number.
#[must_use]
pub fn negate(datum: Datum<'_>) -> Datum<'_> {
    match datum {
        Datum::Integer(n) => fit(-i128::from(n), true),
        Datum::Unsigned(n) => fit(-i128::from(n), false),
        Datum::Float(n) => Datum::Float(-n),
        Datum::Null | Datum::Boolean(_) | Datum::Text(_) => Datum::Null,
    }
}

/// The integer in 64 bits: signed as long as no unsigned operand asks for more.
fn fit<'a>(n: i128, signed: bool) -> Datum<'a> {
    match i64::try_from(n) {
        Ok(n) => Datum::Integer(n),
        Err(_) if signed => Datum::Null,
        Err(_) => Datum::from_integer(n),
    }
}

#[cfg(test)]
mod tests {
    use super::negate;
    use crate::expr::ArithmeticOp;
    use crate::value::Datum::{self, Float, Integer, Null, Text, Unsigned};

    #[test]
    fn integers_stay_integers_and_nothing_wraps() {
        let cases: &[(Datum<'_>, ArithmeticOp, Datum<'_>, Datum<'_>)] = &[
            (Integer(7), ArithmeticOp::Divide, Integer(2), Integer(3)),
            (Integer(-7), ArithmeticOp::Divide, Integer(2), Integer(-3)),
            (Integer(-7), ArithmeticOp::Modulo, Integer(3), Integer(-1)),
            (Integer(i64::MAX), ArithmeticOp::Add, Integer(1), Null),
            (Integer(i64::MIN), ArithmeticOp::Divide, Integer(-1), Null),
            (Integer(i64::MAX), ArithmeticOp::Multiply, Integer(i64::MAX), Null),
            (Unsigned(u64::MAX - 1), ArithmeticOp::Add, Integer(1), Unsigned(u64::MAX)),
            (Unsigned(u64::MAX), ArithmeticOp::Add, Integer(1), Null),
            (Unsigned(u64::MAX), ArithmeticOp::Subtract, Unsigned(u64::MAX), Integer(0)),
            (Integer(1), ArithmeticOp::Add, Float(0.5), Float(1.5)),
            (Float(f64::MAX), ArithmeticOp::Multiply, Integer(2), Null),
            (Integer(1), ArithmeticOp::Divide, Integer(0), Null),
            (Float(1.0), ArithmeticOp::Modulo, Integer(0), Null),
            (Text("1"), ArithmeticOp::Add, Integer(1), Null),
            (Null, ArithmeticOp::Add, Integer(1), Null),
        ];
        for (a, op, b, expected) in cases {
            let found = op.apply(&[*a, *b]);
            assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{a:?} {op:?} {b:?}");
        }
        assert!(negate(Integer(i64::MIN)).is_null());
        assert!(matches!(negate(Float(1.5)), Float(n) if n == -1.5));
        assert!(matches!(negate(Unsigned(1 << 63)), Integer(i64::MIN)));
    }
}
