//! Reading a field of a document that may nest, write names with dots, or mix both.

use serde_json::{Map, Value};
use std::borrow::Cow;

/// The value at the dotted `path`; where nested and dotted forms both hold it, the nested one.
#[must_use]
pub fn get<'v>(document: &'v Map<String, Value>, path: &str) -> Option<&'v Value> {
    let dots = path.match_indices('.').map(|(at, _)| at);
    for at in dots {
        let (head, tail) = (path.get(..at)?, path.get(at + 1..)?);
        if let Some(found) = document.get(head).and_then(Value::as_object).and_then(|inner| get(inner, tail))
        {
            return Some(found);
        }
    }
    document.get(path)
}

/// The value at `path` as text: of a list its elements, with a comma between them.
#[must_use]
pub fn text<'v>(document: &'v Map<String, Value>, path: &str) -> Option<Cow<'v, str>> {
    as_text(get(document, path)?)
}

fn as_text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Null | Value::Object(_) => None,
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Bool(_) | Value::Number(_) => Some(Cow::Owned(value.to_string())),
        Value::Array(items) => {
            let texts: Vec<Cow<'_, str>> = items.iter().filter_map(as_text).collect();
            (!texts.is_empty()).then(|| Cow::Owned(texts.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::text;
    use serde_json::{Map, Value, json};

    #[test]
    fn every_way_to_write_a_field_is_read() {
        let cases = [
            (json!({"a": {"b": {"c": "x"}}}), Some("x")),
            (json!({"a.b.c": "x"}), Some("x")),
            (json!({"a.b": {"c": "x"}}), Some("x")),
            (json!({"a": {"b.c": "x"}}), Some("x")),
            (json!({"a": {"b": {}}, "a.b.c": "x"}), Some("x")),
            (json!({"a": {"b": {"c": ["x", 1, null, true]}}}), Some("x, 1, true")),
            (json!({"a": {"b": {"c": ""}}}), None),
            (json!({"a": {"b": {"c": {"d": 1}}}}), None),
            (json!({"a": 1}), None),
        ];
        for (document, expected) in cases {
            let Value::Object(document) = document else { panic!() };
            assert_eq!(text(&document, "a.b.c").as_deref(), expected, "{document:?}");
        }
        assert_eq!(text(&Map::new(), ""), None);
    }
}
