//! Any bytes as a record: the projection never panics, reads what is JSON, and finds what a plain walk of the document
//! finds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quell_event::{EventState, Projection, ProjectionBuilder, ProjectionErrorKind, Scalar, Want, walk};
use quell_ir::Datum;
use serde_json::Value;
use std::sync::LazyLock;

/// Paths that meet, nest in each other and share beginnings.
const PATHS: &[&str] = &["a", "a.b", "a.b.c", "b", "ab", "a.c", "event.code", "event", "", "é"];

static PROJECTION: LazyLock<Projection> = LazyLock::new(|| {
    let mut builder = ProjectionBuilder::new();
    for (slot, path) in PATHS.iter().enumerate() {
        builder.add(path, slot, if *path == "event" { Want::Subtree } else { Want::Scalars });
    }
    builder.build()
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(record) = std::str::from_utf8(bytes) else { return };
    let mut state = EventState::default();
    state.begin(PATHS.len(), 0);
    let read = PROJECTION.project(record, &mut state);
    _ = walk(record, &mut |_, _| {});
    let Ok(document) = serde_json::from_str::<Value>(record) else { return };
    if !document.is_object() {
        assert!(read.is_err(), "no object, and yet read");
        return;
    }
    if let Err(error) = read {
        let limits = [ProjectionErrorKind::TooDeep, ProjectionErrorKind::TooManyValues];
        assert!(limits.contains(&error.kind), "{error}");
        return;
    }
    // Written anew, no key stands twice in one object.
    let record = document.to_string();
    for _ in 0..2 {
        state.begin(PATHS.len(), 0);
        PROJECTION.project(&record, &mut state).expect("JSON that serde_json wrote");
        for (slot, path) in PATHS.iter().enumerate() {
            let mut expected = Vec::new();
            collect(&document, path, &mut expected);
            let found: Vec<Value> = state
                .source
                .values(slot)
                .filter(|value| !matches!(value, Scalar::Object(_)))
                .map(|value| plain(value.datum(&record, &state.arena)))
                .collect();
            let expected: Vec<Value> = expected.into_iter().cloned().collect();
            assert_eq!(found, expected, "{path} in {record}");
        }
    }
});

fn plain(datum: Datum<'_>) -> Value {
    match datum {
        Datum::Null => Value::Null,
        Datum::Boolean(b) => b.into(),
        Datum::Integer(n) => n.into(),
        Datum::Unsigned(n) => n.into(),
        Datum::Float(n) => n.into(),
        Datum::Text(text) => text.into(),
    }
}

/// The scalars at a dotted path, however it is spread over objects and keys.
fn collect<'v>(value: &'v Value, path: &str, found: &mut Vec<&'v Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, path, found)),
        Value::Object(members) if !path.is_empty() => {
            for (key, value) in members {
                if key == path {
                    leaf(value, found);
                } else if let Some(rest) = path.strip_prefix(key.as_str()).and_then(|rest| rest.strip_prefix('.')) {
                    collect(value, rest, found);
                }
            }
        }
        _ => {}
    }
}

fn leaf<'v>(value: &'v Value, found: &mut Vec<&'v Value>) {
    match value {
        Value::Null | Value::Object(_) => {}
        Value::Array(items) => items.iter().for_each(|item| leaf(item, found)),
        scalar => found.push(scalar),
    }
}
