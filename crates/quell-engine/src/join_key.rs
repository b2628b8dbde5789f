//! Join keys: by which values events belong together.
//!
//! A mandatory key without a value keeps its event out of the step; an optional one counts as null, and null equals null.
//! A list takes part once for every combination of distinct values. Values are compared exactly, as their field's type
//! holds them. Source: Elasticsearch's "EQL syntax reference", "by keyword" and "Optional by fields". In the Endgame dialect
//! case is nothing, and a list is one value.

use crate::alert::iso_time;
use quell_event::{Event, Slot};
use quell_ir::date::date_of;
use quell_ir::pattern::{folded, parse_ip};
use quell_ir::printed::Printed;
use quell_ir::value::Number;
use quell_ir::{Datum, FieldType, Value};
use std::cmp::Ordering;
use std::sync::Arc;

/// The values of a step's keys, the whole sequence's first.
pub type Key = Arc<[Value]>;

/// The combinations of values that one event takes part with; the rest is cut off and counted.
const MOST_KEYS: usize = 1024;

/// Where the values of one key are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyField {
    pub(crate) slot: Slot,
    pub(crate) kind: FieldType,
    pub(crate) optional: bool,
    /// Whether texts are one key that differ in case alone. Then a list is one value too, as all lists are in the Endgame
    /// dialect.
    pub(crate) folded: bool,
}

/// The keys of an event for one step.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    /// In ascending order, none twice; empty if the event takes no part.
    pub(crate) list: Box<[Key]>,
    /// Whether there were more.
    pub(crate) cut: bool,
}

/// The keys of an event. Of no fields it is one, which all events have.
pub(crate) fn keys(fields: &[KeyField], event: &mut Event<'_>) -> Keys {
    let mut cut = false;
    let mut combinations: Vec<Vec<Value>> = vec![Vec::new()];
    for field in fields {
        let values = distinct(field, event);
        let most = MOST_KEYS / combinations.len().max(1);
        // The first field's values vary slowest, so that the order of combinations is the order of keys. A cut takes from
        // the end of each prefix alike.
        cut |= values.len() > most.max(1);
        let values = values.get(..most.max(1)).unwrap_or(&values);
        let longer =
            |prefix: &Vec<Value>, value: &Value| [prefix.as_slice(), std::slice::from_ref(value)].concat();
        combinations =
            combinations.iter().flat_map(|prefix| values.iter().map(|value| longer(prefix, value))).collect();
    }
    Keys { list: combinations.into_iter().map(Key::from).collect(), cut }
}

/// The distinct values of a key in ascending order; of an optional one without any, null.
fn distinct(field: &KeyField, event: &mut Event<'_>) -> Vec<Value> {
    let values = event.values(field.slot).iter();
    let mut values: Vec<Value> = values.filter_map(|value| as_held(value, field.kind)).collect();
    if field.folded {
        values = vec![whole(&values.iter().map(folded_value).collect::<Vec<_>>())];
        if !field.optional {
            values.retain(|value| *value != Value::Null);
        }
        return values;
    }
    values.sort_by(compare_values);
    values.dedup();
    if values.is_empty() && field.optional {
        values.push(Value::Null);
    }
    values
}

/// A list as one value: several as the JSON of their texts, none as null.
pub(crate) fn whole(values: &[Value]) -> Value {
    match values {
        [] => Value::Null,
        [one] => one.clone(),
        several => {
            let json: Vec<serde_json::Value> = several.iter().map(as_json).collect();
            Value::Text(serde_json::Value::from(json).to_string().into())
        }
    }
}

/// A constant as JSON.
pub(crate) fn as_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Boolean(b) => (*b).into(),
        Value::Integer(n) => (*n).into(),
        Value::Unsigned(n) => (*n).into(),
        Value::Float(n) => (*n).into(),
        Value::Text(text) => (&**text).into(),
    }
}

/// The same value for all texts that differ in case alone.
pub(crate) fn folded_value(value: &Value) -> Value {
    match value {
        Value::Text(text) => Value::Text(folded(text).into()),
        other => other.clone(),
    }
}

/// The value as a field of that type holds it: equal values are then the same. None for one that it cannot hold.
pub(crate) fn as_held(value: Datum<'_>, kind: FieldType) -> Option<Value> {
    let text = |text: &str| Value::Text(text.into());
    match kind {
        FieldType::Integer | FieldType::Float => value.to_number().and_then(number),
        FieldType::Boolean => value.to_boolean().map(Value::Boolean),
        FieldType::Ip => Some(text(&parse_ip(value.as_text()?)?.to_canonical().to_string())),
        FieldType::Date => Some(text(&iso_time(date_of(value)?)?)),
        FieldType::Unknown => match value {
            Datum::Null => None,
            Datum::Boolean(b) => Some(Value::Boolean(b)),
            Datum::Text(own) => Some(text(own)),
            Datum::Integer(_) | Datum::Unsigned(_) | Datum::Float(_) => value.as_number().and_then(number),
        },
        FieldType::Keyword
        | FieldType::Text
        | FieldType::Version
        | FieldType::Object
        | FieldType::Flattened
        | FieldType::Nested
        | FieldType::Unsupported => Printed::default().text(value).map(text),
    }
}

/// A number as an integer where it is one. NaN is no value.
#[allow(clippy::cast_possible_truncation, reason = "a whole number of that range was asked for")]
fn number(number: Number) -> Option<Value> {
    const WHOLE: f64 = 9_007_199_254_740_992.0; // up to here each whole number is a float
    let whole = match number {
        Number::Integer(n) => n,
        Number::Float(n) if n.is_nan() => return None,
        Number::Float(n) if n.fract() == 0.0 && n.abs() <= WHOLE => n as i128,
        Number::Float(n) => return Some(Value::Float(n)),
    };
    match Datum::from_integer(whole) {
        Datum::Integer(n) => Some(Value::Integer(n)),
        Datum::Unsigned(n) => Some(Value::Unsigned(n)),
        _ => None,
    }
}

/// What an allocation takes besides its content: the counts of shared ones, and the allocator's own.
pub(crate) const ALLOCATION: usize = 32;

/// About how many bytes a key takes.
pub(crate) fn bytes(key: &[Value]) -> usize {
    let text = |value: &Value| if let Value::Text(text) = value { ALLOCATION + text.len() } else { 0 };
    ALLOCATION + size_of_val(key) + key.iter().map(text).sum::<usize>()
}

/// The order of keys: by their first values, then their second ones.
pub(crate) fn compare_keys(a: &[Value], b: &[Value]) -> Ordering {
    let differing = a.iter().zip(b).map(|(a, b)| compare_values(a, b)).find(|order| order.is_ne());
    differing.unwrap_or_else(|| a.len().cmp(&b.len()))
}

/// Null, then booleans, numbers, texts.
pub(crate) fn compare_values(a: &Value, b: &Value) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Null => 0,
        Value::Boolean(_) => 1,
        Value::Integer(_) | Value::Unsigned(_) | Value::Float(_) => 2,
        Value::Text(_) => 3,
    };
    match (a, b) {
        (Value::Boolean(a), Value::Boolean(b)) => a.cmp(b),
        (Value::Text(a), Value::Text(b)) => a.cmp(b),
        _ => rank(a).cmp(&rank(b)).then_with(|| {
            let numbers = a.datum().as_number().zip(b.datum().as_number());
            numbers.and_then(|(a, b)| a.partial_cmp(&b)).unwrap_or(Ordering::Equal)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::{KeyField, MOST_KEYS, as_held, compare_keys, keys};
    use quell_event::{Event, EventState, FieldSet, ProjectionBuilder, Want};
    use quell_ir::{Datum, FieldType, Value};

    fn keys_of(record: &str, fields: &[(&str, bool)]) -> (Vec<Vec<Value>>, bool) {
        let mut set = FieldSet::default();
        let mut builder = ProjectionBuilder::new();
        let fields: Vec<KeyField> = fields
            .iter()
            .map(|(path, optional)| {
                let slot = set.intern(path);
                builder.add(path, slot.index(), Want::Scalars);
                KeyField { slot, kind: FieldType::Keyword, optional: *optional, folded: false }
            })
            .collect();
        let mut state = EventState::default();
        state.begin(set.len(), 0);
        builder.build().project(record, &mut state).unwrap();
        let found = keys(&fields, &mut Event::new(record, &mut state, None));
        (found.list.iter().map(|key| key.to_vec()).collect(), found.cut)
    }

    #[test]
    fn an_event_has_every_combination_of_distinct_values() {
        let text = |text: &str| Value::Text(text.into());
        type Case<'a> = (&'a str, &'a [(&'a str, bool)], Vec<Vec<Value>>);
        let cases: &[Case<'_>] = &[
            (r#"{}"#, &[], vec![vec![]]),
            (r#"{"a": "x"}"#, &[("a", false)], vec![vec![text("x")]]),
            (r#"{"a": 7}"#, &[("a", false)], vec![vec![text("7")]]),
            (r#"{}"#, &[("a", false)], vec![]),
            (r#"{"a": [null]}"#, &[("a", false)], vec![]),
            (r#"{}"#, &[("a", true)], vec![vec![Value::Null]]),
            (r#"{"a": ""}"#, &[("a", false)], vec![vec![text("")]]),
            (r#"{"a": ["y", null, "x", "y"]}"#, &[("a", true)], vec![vec![text("x")], vec![text("y")]]),
            (
                r#"{"a": ["y", "x"], "b": ["q", "p"]}"#,
                &[("a", false), ("b", false)],
                vec![
                    vec![text("x"), text("p")],
                    vec![text("x"), text("q")],
                    vec![text("y"), text("p")],
                    vec![text("y"), text("q")],
                ],
            ),
            (r#"{"a": ["y", "x"]}"#, &[("a", false), ("b", false)], vec![]),
            (r#"{"a": "y"}"#, &[("b", true), ("a", false)], vec![vec![Value::Null, text("y")]]),
        ];
        for (record, fields, expected) in cases {
            let (found, cut) = keys_of(record, fields);
            assert_eq!(&found, expected, "{record}");
            assert!(!cut);
            assert!(found.is_sorted_by(|a, b| compare_keys(a, b).is_lt()));
        }
    }

    #[test]
    fn combinations_are_limited_and_the_cut_is_said() {
        let list: Vec<String> = (0..100).map(|n| format!("\"{n}\"")).collect();
        let list = list.join(",");
        let record = format!("{{\"a\": [{list}], \"b\": [{list}], \"c\": [{list}]}}");
        assert_eq!(keys_of(&record, &[("a", false)]).0.len(), 100);
        for fields in [&[("a", false), ("b", false)][..], &[("a", false), ("b", false), ("c", false)][..]] {
            let (found, cut) = keys_of(&record, fields);
            assert!(cut);
            assert!(found.len() <= MOST_KEYS && found.len() >= MOST_KEYS / 2, "{}", found.len());
        }
    }

    #[test]
    fn values_are_compared_as_their_type_holds_them() {
        let text = |text: &str| Some(Value::Text(text.into()));
        let cases = [
            (Datum::Text("5"), FieldType::Integer, Some(Value::Integer(5))),
            (Datum::Float(5.0), FieldType::Integer, Some(Value::Integer(5))),
            (Datum::Float(5.5), FieldType::Float, Some(Value::Float(5.5))),
            (Datum::Float(-0.0), FieldType::Float, Some(Value::Integer(0))),
            (Datum::Float(f64::NAN), FieldType::Float, None),
            (Datum::Text("five"), FieldType::Integer, None),
            (Datum::Unsigned(u64::MAX), FieldType::Integer, Some(Value::Unsigned(u64::MAX))),
            (Datum::Integer(5), FieldType::Keyword, text("5")),
            (Datum::Boolean(true), FieldType::Keyword, text("true")),
            (Datum::Text("true"), FieldType::Boolean, Some(Value::Boolean(true))),
            (Datum::Text("::ffff:192.0.2.1"), FieldType::Ip, text("192.0.2.1")),
            (Datum::Text("2001:DB8:0::1"), FieldType::Ip, text("2001:db8::1")),
            (Datum::Text("no address"), FieldType::Ip, None),
            (Datum::Text("2024-05-01T00:00:00+00:00"), FieldType::Date, text("2024-05-01T00:00:00.000Z")),
            (Datum::Text("5"), FieldType::Unknown, text("5")),
            (Datum::Float(5.0), FieldType::Unknown, Some(Value::Integer(5))),
            (Datum::Null, FieldType::Keyword, None),
        ];
        for (value, kind, expected) in cases {
            assert_eq!(as_held(value, kind), expected, "{value:?} in {kind:?}");
        }
    }
}
