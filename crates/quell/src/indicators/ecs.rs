//! Indicators that are ECS documents already: one a line.

use super::Reading;
use serde_json::Value;

/// How deep documents may be nested.
const MOST_DEPTH: usize = 64;

/// Takes documents; what is none, or says nothing of a threat, is counted.
pub(super) fn read(documents: impl Iterator<Item = Option<Value>>) -> Reading {
    let mut reading = Reading::default();
    for document in documents {
        let mut fields = Vec::new();
        // A search result has the document in `_source`.
        match document {
            Some(Value::Object(mut object)) => {
                let source = object.remove("_source").filter(Value::is_object);
                flatten(&Value::Object(object), String::new(), 0, &mut fields);
                source.into_iter().for_each(|source| flatten(&source, String::new(), 0, &mut fields));
            }
            _ => fields.clear(),
        }
        if fields.iter().any(|(name, _)| name.starts_with("threat.") || name.starts_with("threatintel.")) {
            reading.documents.push(fields);
        } else {
            reading.not_read += 1;
        }
    }
    reading
}

/// Every scalar with its dotted path, those of lists too.
fn flatten(value: &Value, path: String, depth: usize, fields: &mut Vec<(String, Value)>) {
    if depth > MOST_DEPTH {
        return;
    }
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(value, path, depth + 1, fields);
            }
        }
        Value::Array(list) => {
            list.iter().for_each(|value| flatten(value, path.clone(), depth + 1, fields));
        }
        Value::Null => {}
        scalar => fields.push((path, scalar.clone())),
    }
}
