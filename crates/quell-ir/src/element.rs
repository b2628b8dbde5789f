//! Whether one element of a field satisfies a predicate: the plain form of every test.

use crate::date::date_of;
use crate::function::compare::{compare_addresses, compare_data, compare_texts};
use crate::pattern::{equal_folded, in_any_block, parse_ip};
use crate::predicate::Predicate;
use crate::printed::Printed;
use crate::value::{Case, Datum};
use crate::version::compare_versions;

impl Predicate {
    /// Whether this one element satisfies the test. Allocates nothing. Numbers and booleans are text to a text test, text
    /// that reads as a number is a number to a numeric one, and so on: what a mapping of the field's type would make of
    /// the value.
    ///
    /// A predicate that one element cannot answer (an expression, an object scope, lineage) gives false, as does
    /// [`Predicate::FieldNames`] (ask its inner test).
    #[must_use]
    pub fn test_datum(&self, element: Datum<'_>) -> bool {
        let mut printed = Printed::default();
        match self {
            Predicate::Exists(_) => !element.is_null(),
            Predicate::Keyword { values, case, .. } => printed.text(element).is_some_and(|text| match case {
                Case::Sensitive => values.binary_search_by(|value| (**value).cmp(text)).is_ok(),
                Case::Folded => values.iter().any(|value| equal_folded(value, text)),
            }),
            Predicate::Wildcard { patterns, case, .. } => printed
                .text(element)
                .is_some_and(|text| patterns.iter().any(|pattern| pattern.matches(text, *case))),
            Predicate::Regex { patterns, case, .. } => printed
                .text(element)
                .is_some_and(|text| patterns.iter().any(|pattern| pattern.matches(text, *case))),
            Predicate::TextOrder { op, value, .. } => {
                compare_texts(*op, element, Datum::Text(value)) == Some(true)
            }
            Predicate::Number { op, value, .. } => {
                let order =
                    element.to_number().zip(value.datum().as_number()).and_then(|(a, b)| a.partial_cmp(&b));
                order.is_some_and(|order| op.holds(order))
            }
            Predicate::Date { from, to, .. } => date_of(element).is_some_and(|at| *from <= at && at <= *to),
            Predicate::Ip { blocks, .. } => {
                element.as_text().and_then(parse_ip).is_some_and(|address| in_any_block(blocks, address))
            }
            Predicate::IpOrder { op, value, .. } => element
                .as_text()
                .and_then(parse_ip)
                .is_some_and(|address| op.holds(compare_addresses(address, *value))),
            Predicate::Version { op, value, .. } => {
                printed.text(element).is_some_and(|text| op.holds(compare_versions(text, value)))
            }
            Predicate::Boolean { value, .. } => element.to_boolean() == Some(*value),
            Predicate::Dynamic { op, value, .. } => compare_data(*op, element, value.datum()) == Some(true),
            Predicate::AnyField { test } => test.test_datum(element),
            Predicate::Text { analyzer, terms, .. } => {
                printed.text(element).is_some_and(|text| analyzer.has_phrase(text, terms))
            }
            Predicate::TextTerm { analyzer, test, .. } => {
                printed.text(element).is_some_and(|text| analyzer.has_term(text, test))
            }
            Predicate::FieldNames { .. }
            | Predicate::Object { .. }
            | Predicate::Lineage { .. }
            | Predicate::Expr(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::expr::CompareOp::{Equal, Greater, Less, LessOrEqual};
    use crate::field::FieldRef;
    use crate::pattern::{IpBlock, Regex, Wildcard};
    use crate::predicate::Predicate;
    use crate::schema::FieldType;
    use crate::value::{Case, Datum, Value};

    #[test]
    fn each_kind_of_test_reads_an_element_its_own_way() {
        let field = || FieldRef::event("f", FieldType::Unknown);
        let keyword = |values: &[&str], case| Predicate::Keyword {
            field: field(),
            values: values.iter().map(|value| (*value).into()).collect(),
            case,
        };
        let number = |op, value| Predicate::Number { field: field(), op, value };
        let cases: Vec<(Predicate, Datum<'_>, bool)> = vec![
            (Predicate::Exists(field()), Datum::Text(""), true),
            (Predicate::Exists(field()), Datum::Null, false),
            (keyword(&["7", "a"], Case::Sensitive), Datum::Integer(7), true),
            (keyword(&["a", "true"], Case::Sensitive), Datum::Boolean(true), true),
            (keyword(&["a"], Case::Sensitive), Datum::Text("A"), false),
            (keyword(&["a"], Case::Folded), Datum::Text("A"), true),
            (keyword(&["a"], Case::Folded), Datum::Null, false),
            (
                Predicate::Wildcard {
                    field: field(),
                    patterns: vec![Wildcard::parse("4?")],
                    case: Case::Sensitive,
                },
                Datum::Integer(42),
                true,
            ),
            (
                Predicate::Regex {
                    field: field(),
                    patterns: vec![Regex::parse("[a-c]+").unwrap()],
                    case: Case::Folded,
                },
                Datum::Text("ABC"),
                true,
            ),
            (Predicate::TextOrder { field: field(), op: Less, value: "b".into() }, Datum::Text("a"), true),
            (number(Equal, Value::Float(3.0)), Datum::Text("3"), true),
            (number(Equal, Value::Float(3.5)), Datum::Integer(3), false),
            (number(Greater, Value::Integer(3)), Datum::Text("x"), false),
            (Predicate::Date { field: field(), from: 0, to: 1_000_000 }, Datum::Integer(1), true),
            (Predicate::Date { field: field(), from: 0, to: 1_000_000 }, Datum::Text("1970-01-01"), true),
            (Predicate::Date { field: field(), from: 1, to: i64::MAX }, Datum::Text("1970-01-01"), false),
            (
                Predicate::Ip { field: field(), blocks: vec![IpBlock::parse("10.0.0.0/8").unwrap()] },
                Datum::Text("10.1.1.1"),
                true,
            ),
            (
                Predicate::Ip { field: field(), blocks: vec![IpBlock::parse("::/0").unwrap()] },
                Datum::Text("x"),
                false,
            ),
            (
                Predicate::IpOrder { field: field(), op: Greater, value: "10.0.0.9".parse().unwrap() },
                Datum::Text("10.0.0.10"),
                true,
            ),
            (
                Predicate::Version { field: field(), op: LessOrEqual, value: "1.10".into() },
                Datum::Text("1.9"),
                true,
            ),
            (Predicate::Boolean { field: field(), value: false }, Datum::Text("false"), true),
            (Predicate::Boolean { field: field(), value: false }, Datum::Null, false),
            (
                Predicate::Dynamic { field: field(), op: Equal, value: Value::Text("7".into()) },
                Datum::Integer(7),
                true,
            ),
        ];
        for (predicate, element, expected) in cases {
            assert_eq!(predicate.test_datum(element), expected, "{predicate:?} {element:?}");
        }
    }
}
