//! What the tests of rule files share: a folder of files to load, and the test data.

#![allow(dead_code, reason = "each test file uses a part of it")]

use quell_ir::schema::NoSchema;
use quell_rules::{Checked, CompileOptions, FileFinding, RuleSet, RuleSpec, check};
use std::path::Path;
use tempfile::TempDir;

/// A folder with these files.
pub fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

pub fn spec(path: &Path) -> RuleSpec {
    RuleSpec::Path(path.to_owned())
}

pub fn load(files: &[(&str, &str)]) -> RuleSet {
    let folder = folder(files);
    RuleSet::load(&[spec(folder.path())])
}

pub fn check_files(files: &[(&str, &str)]) -> Checked {
    let folder = folder(files);
    check(&[spec(folder.path())], &CompileOptions::new(&NoSchema))
}

/// `file:line:column code` of each finding; without a place `file code`.
pub fn places(findings: &[FileFinding]) -> Vec<String> {
    findings
        .iter()
        .map(|finding| {
            let name = finding.path.file_name().unwrap().to_str().unwrap();
            match finding.line_column() {
                Some((line, column)) => format!("{name}:{line}:{column} {}", finding.diagnostic.code),
                None => format!("{name} {}", finding.diagnostic.code),
            }
        })
        .collect()
}

/// The underlined text of each finding.
pub fn underlined(findings: &[FileFinding]) -> Vec<&str> {
    findings
        .iter()
        .map(|finding| finding.diagnostic.span.map_or("", |span| span.text(&finding.text)))
        .collect()
}

/// A small valid rule in Elastic's TOML, with the given lines instead of its own or beside them.
pub fn elastic(lines: &[(&str, &str)]) -> String {
    let mut fields = vec![
        ("name", "\"A small rule\""),
        ("description", "\"Finds a\""),
        ("rule_id", "\"0e0f1a2b-3c4d-4e5f-8a9b-0c1d2e3f4a5b\""),
        ("risk_score", "47"),
        ("severity", "\"medium\""),
        ("type", "\"eql\""),
        ("language", "\"eql\""),
        ("query", "'process where process.name == \"a\"'"),
    ];
    for (name, value) in lines {
        fields.retain(|(own, _)| own != name);
        fields.push((name, value));
    }
    let lines: String = fields
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name} = {value}\n"))
        .collect();
    format!("[metadata]\nmaturity = \"production\"\n\n[rule]\n{lines}")
}
