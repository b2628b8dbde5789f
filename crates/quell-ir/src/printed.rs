//! The text of a scalar, made without an allocation.
//!
//! Numbers are printed as Java does, since that is what a keyword field and the functions `string` and `concat` of
//! Elasticsearch see: `42`, `42.5`, `4.0`, `1.0E10`.

use crate::value::Datum;
use std::fmt::Write;

/// A place for the text of a number. Reused freely.
#[derive(Clone, Debug, Default)]
pub struct Printed {
    bytes: [u8; 32],
    length: usize,
}

impl Printed {
    /// The text of a scalar: its own if it is text, else one that is printed here. `None` for null.
    pub fn text<'t, 'a: 't>(&'t mut self, datum: Datum<'a>) -> Option<&'t str> {
        self.length = 0;
        // Every number is shorter than the buffer, so writing cannot fail.
        match datum {
            Datum::Null => return None,
            Datum::Text(text) => return Some(text),
            Datum::Boolean(b) => return Some(if b { "true" } else { "false" }),
            Datum::Integer(n) => _ = write!(self, "{n}"),
            Datum::Unsigned(n) => _ = write!(self, "{n}"),
            Datum::Float(n) => self.float(n),
        }
        Some(self.as_str())
    }

    /// `Double.toString`: the shortest digits that read back, an exponent below 0.001 and from 10 million on.
    fn float(&mut self, n: f64) {
        let size = n.abs();
        if n.is_nan() {
            _ = self.write_str("NaN");
        } else if n.is_infinite() {
            _ = self.write_str(if n > 0.0 { "Infinity" } else { "-Infinity" });
        } else if size != 0.0 && !(1e-3..1e7).contains(&size) {
            let mut digits = Printed::default();
            _ = write!(digits, "{n:e}");
            let (mantissa, exponent) = digits.as_str().split_once('e').unwrap_or((digits.as_str(), "0"));
            let fraction = if mantissa.contains('.') { "" } else { ".0" };
            _ = write!(self, "{mantissa}{fraction}E{exponent}");
        } else {
            _ = write!(self, "{n:?}");
        }
    }

    fn as_str(&self) -> &str {
        self.bytes.get(..self.length).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or("")
    }
}

impl Write for Printed {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(std::fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Printed;
    use crate::value::Datum;
    use proptest::prelude::*;

    #[test]
    fn numbers_look_as_java_prints_them() {
        let cases = [
            (Datum::Integer(i64::MIN), Some("-9223372036854775808")),
            (Datum::Unsigned(u64::MAX), Some("18446744073709551615")),
            (Datum::Float(42.5), Some("42.5")),
            (Datum::Float(4.0), Some("4.0")),
            (Datum::Float(-0.0), Some("-0.0")),
            (Datum::Float(0.001), Some("0.001")),
            (Datum::Float(0.0001), Some("1.0E-4")),
            (Datum::Float(9_999_999.0), Some("9999999.0")),
            (Datum::Float(1e7), Some("1.0E7")),
            (Datum::Float(1.25e300), Some("1.25E300")),
            (Datum::Float(f64::MIN), Some("-1.7976931348623157E308")),
            (Datum::Float(f64::NAN), Some("NaN")),
            (Datum::Boolean(true), Some("true")),
            (Datum::Text("a"), Some("a")),
            (Datum::Null, None),
        ];
        for (datum, expected) in cases {
            assert_eq!(Printed::default().text(datum), expected, "{datum:?}");
        }
    }

    proptest! {
        #[test]
        fn every_float_fits_and_reads_back(n in any::<f64>().prop_filter("finite", |n| n.is_finite())) {
            let mut printed = Printed::default();
            let text = printed.text(Datum::Float(n)).unwrap();
            prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), n.to_bits(), "{}", text);
        }
    }
}
