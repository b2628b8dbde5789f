//! The public rules: every EQL query parses in its dialect, and formatting keeps its meaning and is stable.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a test may panic and print"
)]

#[path = "../../../testing/test_data.rs"]
mod test_data;

use std::path::{Path, PathBuf};
use test_data::test_data;

use quell_eql::{Dialect, format, format_source, parse};

fn toml_files(folder: &Path, into: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            toml_files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            into.push(path);
        }
    }
}

/// Every EQL query below `folder`, with the file that holds it.
fn queries(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    toml_files(folder, &mut files);
    let mut found = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let document: toml::Table =
            text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let Some(rule) = document.get("rule").and_then(toml::Value::as_table) else { continue };
        // Endpoint rules have no type: all of them are EQL.
        let kind = rule.get("type").or_else(|| rule.get("language")).and_then(toml::Value::as_str);
        if kind.is_some_and(|kind| kind != "eql") {
            continue;
        }
        if let Some(query) = rule.get("query").and_then(toml::Value::as_str) {
            found.push((file, query.to_owned()));
        }
    }
    found
}

fn check(folder: &str, dialect: Dialect, at_least: usize) {
    let Some(data) = test_data("") else { return };
    let queries = queries(&data.join("rules").join(folder));
    let mut wrong = Vec::new();
    for (file, source) in &queries {
        let name = file.file_name().unwrap().to_string_lossy();
        let tree = match parse(source, dialect) {
            Ok(tree) => tree,
            Err(findings) => {
                wrong.push(format!("{name}: {findings:?}"));
                continue;
            }
        };
        for (how, text) in
            [("format", format(&tree)), ("format_source", format_source(source, dialect).unwrap())]
        {
            match parse(&text, dialect) {
                Ok(again) if again.same_as(&tree) => {}
                Ok(_) => wrong.push(format!("{name}: {how} changes the tree:\n{text}")),
                Err(findings) => wrong.push(format!("{name}: {how} breaks it: {findings:?}\n{text}")),
            }
            if format_source(&text, dialect).as_deref() != Ok(text.as_str()) {
                wrong.push(format!(
                    "{name}: {how} is not stable:\n{text}\n{:?}",
                    format_source(&text, dialect)
                ));
            }
        }
        if let Some(show) = std::env::var_os("QUELL_SHOW_FORMATTED")
            && name.contains(&*show.to_string_lossy())
        {
            println!("--- {name}\n{}", format_source(source, dialect).unwrap());
        }
    }
    println!("{folder}: {} queries, {} wrong", queries.len(), wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(queries.len() >= at_least, "only {} queries found", queries.len());
}

#[test]
fn elastic_detection_rules_parse_and_format() {
    check("elastic", Dialect::Elasticsearch, 400);
}

#[test]
fn endpoint_behaviour_rules_parse_and_format() {
    check("endpoint", Dialect::Endpoint, 400);
}
