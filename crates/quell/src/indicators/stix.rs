//! Indicators of a STIX 2.1 bundle.

use super::{Reading, observable, pattern};
use serde_json::{Map, Value};

/// Which property of an indicator becomes which field.
const PROPERTIES: &[(&str, &str)] = &[
    ("modified", "@timestamp"),
    ("description", "threat.indicator.description"),
    ("valid_from", "threat.indicator.first_seen"),
    ("confidence", "threat.indicator.confidence"),
    ("created_by_ref", "threat.indicator.provider"),
    ("labels", "tags"),
];

/// Reads the indicators of a bundle. Other objects say nothing of their own; an indicator that is revoked, or of which the pattern
/// asks for more than one value at once, is counted.
pub(super) fn read(bundle: &Map<String, Value>) -> Reading {
    let mut reading = Reading::default();
    let objects = bundle.get("objects").and_then(Value::as_array).into_iter().flatten();
    for object in objects.filter(|object| object.get("type").is_some_and(|kind| kind == "indicator")) {
        let revoked = object.get("revoked").is_some_and(|revoked| *revoked == Value::Bool(true));
        let stix = object.get("pattern_type").and_then(Value::as_str).is_none_or(|kind| kind == "stix");
        let text = object.get("pattern").and_then(Value::as_str).filter(|_| stix && !revoked);
        let found = text.and_then(pattern::read);
        let Some(alternatives) = found.filter(|all| !all.is_empty()) else {
            reading.not_read += 1;
            continue;
        };
        let several = alternatives.len() > 1;
        for (number, (name, value)) in (1..).zip(alternatives) {
            match observable(&name, &value) {
                Some(mut document) => {
                    let id = object.get("id").and_then(Value::as_str).unwrap_or("indicator");
                    let id = if several { format!("{id}#{number}") } else { id.to_owned() };
                    document.push(("_id".to_owned(), id.into()));
                    for (property, field) in PROPERTIES {
                        if let Some(value) = object.get(*property).filter(|value| !value.is_null()) {
                            document.push(((*field).to_owned(), value.clone()));
                        }
                    }
                    reading.documents.push(document);
                }
                None => reading.not_read += 1,
            }
        }
    }
    reading
}
