//! `quell decode` against ECS documents that were written from the field references, not from the mapping tables.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use serde_json::Value;
use std::path::Path;
use std::process::Command;

#[test]
fn decoded_events_are_the_documents_that_were_written_by_hand() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/decode");
    let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    assert_eq!(names.len(), 10, "one document for each event id");
    let mut wrong = Vec::new();
    for path in names {
        let golden: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let document = decode(&golden["input"], golden["layout"].as_str().unwrap());
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        for (field, expected) in golden["expect"].as_object().unwrap() {
            let found = lookup(&document, field);
            if found != Some(expected) {
                wrong.push(format!("{name}: {field} is {found:?}, not {expected}"));
            }
        }
        for field in golden["absent"].as_array().unwrap() {
            let field = field.as_str().unwrap();
            if let Some(found) = lookup(&document, field) {
                wrong.push(format!("{name}: {field} is {found}, not absent"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn decode(record: &Value, layout: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("input.json");
    std::fs::write(&input, format!("{record}\n")).unwrap();
    for format in [None, Some(layout)] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quell"));
        command.arg("decode").arg(&input);
        if let Some(format) = format {
            command.args(["--input-format", format]);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        if format.is_some() {
            return serde_json::from_slice(&output.stdout).unwrap();
        }
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(found["event"]["code"].is_string(), "{layout} is not recognised by its content: {found}");
    }
    Value::Null
}

fn lookup<'v>(document: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(document, |value, segment| value.get(segment))
}
