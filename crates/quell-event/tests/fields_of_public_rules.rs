//! The schema knows every field that a public EQL rule names, with a type that the rule can use.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test may panic and print")]

#[path = "../../../testing/test_data.rs"]
mod test_data;

use quell_eql::{Dialect, Options, compile};
use quell_event::EcsSchema;
use std::path::{Path, PathBuf};
use test_data::test_data;

fn rule_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rule_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
}

#[test]
fn every_field_is_known_and_of_a_fitting_type() {
    let Some(rules) = test_data("rules") else { return };
    let mut checked = 0;
    let mut findings = Vec::new();
    let schema = EcsSchema::new();
    for (folder, dialect) in [("elastic", Dialect::Elasticsearch), ("endpoint", Dialect::Endpoint)] {
        let mut files = Vec::new();
        rule_files(&rules.join(folder), &mut files);
        for file in files {
            let Ok(text) = std::fs::read_to_string(&file) else { continue };
            let Ok(document) = text.parse::<toml::Table>() else { continue };
            let of_rule =
                |key: &str| document.get("rule").and_then(|rule| rule.get(key)).and_then(toml::Value::as_str);
            let Some(query) = of_rule("query") else { continue };
            if of_rule("language").unwrap_or("eql") != "eql" {
                continue;
            }
            checked += 1;
            let options = Options { dialect, strict: true, ..Options::new(&schema) };
            match compile(query, &options) {
                Ok(compiled) => {
                    findings.extend(compiled.warnings.into_iter().map(|finding| (file.clone(), finding)))
                }
                Err(found) => findings.extend(found.into_iter().map(|finding| (file.clone(), finding))),
            }
        }
    }
    println!("{checked} EQL rules");
    let lines: Vec<String> =
        findings.iter().map(|(file, finding)| format!("{}: {}", file.display(), finding.message)).collect();
    assert!(lines.is_empty(), "{}", lines.join("\n"));
    assert!(checked > 1000, "{checked} rules");
}
