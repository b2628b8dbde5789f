//! The public rules: every EQL query compiles in its dialect, without a schema and with ECS.
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

use quell_eql::{Dialect, Options, compile};
use quell_ir::schema::NoSchema;
use quell_ir::{Code, FieldInfo, FieldType, Schema};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use test_data::test_data;

fn queries(folder: &Path, into: &mut Vec<(PathBuf, String)>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            queries(&path, into);
            continue;
        }
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let document: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
        let Some(rule) = document.get("rule").and_then(toml::Value::as_table) else { continue };
        let kind = rule.get("type").or_else(|| rule.get("language")).and_then(toml::Value::as_str);
        if kind.is_none_or(|kind| kind == "eql")
            && let Some(query) = rule.get("query").and_then(toml::Value::as_str)
        {
            into.push((path, query.to_owned()));
        }
    }
}

/// ECS alone, as its table lists it.
struct Ecs(BTreeMap<String, FieldType>);

impl Ecs {
    fn read(data: &Path) -> Self {
        let table = std::fs::read_to_string(data.join("ecs-fields.csv")).unwrap();
        let mut lines = table.lines();
        let header: Vec<&str> = lines.next().unwrap().split(',').collect();
        let column = |name: &str| header.iter().position(|found| *found == name).unwrap();
        let (name, kind) = (column("field"), column("type"));
        let field = |line: &str| {
            let cells: Vec<&str> = line.split(',').collect();
            let kind = match cells[kind] {
                "keyword" | "constant_keyword" | "wildcard" => FieldType::Keyword,
                "text" | "match_only_text" => FieldType::Text,
                "long" | "integer" | "short" | "byte" | "unsigned_long" => FieldType::Integer,
                "float" | "double" | "half_float" | "scaled_float" => FieldType::Float,
                "boolean" => FieldType::Boolean,
                "date" => FieldType::Date,
                "ip" => FieldType::Ip,
                "version" => FieldType::Version,
                "object" => FieldType::Object,
                "nested" => FieldType::Nested,
                "flattened" => FieldType::Flattened,
                _ => FieldType::Unsupported,
            };
            (cells[name].to_owned(), kind)
        };
        Ecs(lines.map(field).collect())
    }
}

impl Schema for Ecs {
    fn field(&self, path: &str) -> Option<FieldInfo> {
        self.0.get(path).map(|kind| FieldInfo { kind: *kind, array: false })
    }

    fn near(&self, _path: &str) -> Vec<String> {
        Vec::new() // not what is tested here, and slow
    }

    fn name(&self) -> &str {
        "ECS"
    }
}

fn check(folder: &str, dialect: Dialect, at_least: usize) {
    let Some(data) = test_data("") else { return };
    let mut rules = Vec::new();
    queries(&data.join("rules").join(folder), &mut rules);
    assert!(rules.len() >= at_least, "only {} rules below {folder}", rules.len());
    let ecs = Ecs::read(&data);
    let mut failed = Vec::new();
    let mut unknown = BTreeSet::new();
    let mut other_warnings = Vec::new();
    for (file, query) in &rules {
        for schema in [&NoSchema as &dyn Schema, &ecs] {
            let options = Options { dialect, ..Options::new(schema) };
            match compile(query, &options) {
                Ok(compiled) => {
                    for warning in compiled.warnings {
                        assert!(!schema.is_open(), "{}: {}", file.display(), warning.message);
                        if warning.code == Code::UNKNOWN_FIELD {
                            unknown.insert(warning.span.unwrap().text(query).to_owned());
                        } else {
                            other_warnings.push(format!("{}: {}", file.display(), warning.message));
                        }
                    }
                }
                Err(found) => {
                    let found: Vec<String> = found
                        .iter()
                        .filter(|finding| finding.is_error())
                        .map(|finding| {
                            format!(
                                "{} {} at `{}`",
                                finding.code,
                                finding.message,
                                finding.span.unwrap().text(query)
                            )
                        })
                        .collect();
                    failed.push(format!("{} with {}: {}", file.display(), schema.name(), found.join("; ")));
                }
            }
        }
    }
    println!(
        "{folder}: {} rules compile; {} names are not in ECS; warnings: {other_warnings:#?}",
        rules.len(),
        unknown.len()
    );
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), rules.len(), failed.join("\n"));
}

#[test]
fn the_detection_rules_compile() {
    check("elastic", Dialect::Elasticsearch, 500);
}

#[test]
fn the_endpoint_rules_compile() {
    check("endpoint", Dialect::Endpoint, 600);
}
