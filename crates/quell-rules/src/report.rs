//! Findings for machines: plain JSON, and SARIF 2.1.0 for code scanning.

use crate::finding::FileFinding;
use quell_ir::{Code, Severity, Span};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// A list of objects: `path`, `line`, `column`, `end_line`, `end_column` (from 1, the end behind the last character),
/// `code`, `severity`, `message`, `label`, `help`, `rule_id`. What is unknown is absent.
#[must_use]
pub fn to_json(findings: &[FileFinding]) -> Value {
    findings.iter().map(finding_object).collect()
}

fn finding_object(finding: &FileFinding) -> Value {
    let diagnostic = &finding.diagnostic;
    let mut object = Map::new();
    object.insert("path".to_owned(), finding.path.to_string_lossy().into());
    if let Some(span) = diagnostic.span {
        let region = Region::of(span, &finding.text);
        for (name, n) in [
            ("line", region.line),
            ("column", region.column),
            ("end_line", region.end_line),
            ("end_column", region.end_column),
        ] {
            object.insert(name.to_owned(), n.into());
        }
    }
    object.insert("code".to_owned(), diagnostic.code.as_str().into());
    object.insert("severity".to_owned(), diagnostic.severity.as_str().into());
    object.insert("message".to_owned(), diagnostic.message.as_str().into());
    for (name, text) in
        [("label", &diagnostic.label), ("help", &diagnostic.help), ("rule_id", &finding.rule_id)]
    {
        if let Some(text) = text {
            object.insert(name.to_owned(), text.as_str().into());
        }
    }
    Value::Object(object)
}

/// A SARIF log of one run.
///
/// Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0".
#[must_use]
pub fn to_sarif(findings: &[FileFinding]) -> Value {
    let codes: BTreeMap<&str, Code> =
        findings.iter().map(|f| (f.diagnostic.code.as_str(), f.diagnostic.code)).collect();
    let places: BTreeMap<&str, usize> = codes.keys().enumerate().map(|(at, code)| (*code, at)).collect();
    let rules: Vec<Value> = codes.values().map(|code| sarif_rule(*code)).collect();
    let results: Vec<Value> = findings
        .iter()
        .map(|finding| sarif_result(finding, places.get(finding.diagnostic.code.as_str())))
        .collect();
    json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "quell", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn sarif_rule(code: Code) -> Value {
    json!({
        "id": code.as_str(),
        "shortDescription": {"text": code.title()},
        "fullDescription": {"text": code.explanation()},
        "defaultConfiguration": {"level": level(code.severity())},
    })
}

fn sarif_result(finding: &FileFinding, rule_index: Option<&usize>) -> Value {
    let diagnostic = &finding.diagnostic;
    let message = match &diagnostic.help {
        Some(help) => format!("{}; {help}", diagnostic.message),
        None => diagnostic.message.clone(),
    };
    let mut place = json!({"artifactLocation": {"uri": uri(&finding.path)}});
    if let (Some(span), Some(place)) = (diagnostic.span, place.as_object_mut()) {
        let region = Region::of(span, &finding.text);
        let region = json!({
            "startLine": region.line,
            "startColumn": region.column,
            "endLine": region.end_line,
            "endColumn": region.end_column,
        });
        place.insert("region".to_owned(), region);
    }
    json!({
        "ruleId": diagnostic.code.as_str(),
        "ruleIndex": rule_index,
        "level": level(diagnostic.severity),
        "message": {"text": message},
        "locations": [{"physicalLocation": place}],
    })
}

/// SARIF's word for a severity, which is ours.
fn level(severity: Severity) -> &'static str {
    severity.as_str()
}

/// Lines and columns of a span, from 1, the end behind its last character.
struct Region {
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
}

impl Region {
    fn of(span: Span, text: &str) -> Region {
        let (line, column) = span.line_column(text);
        let (end_line, end_column) = Span { start: span.end, end: span.end }.line_column(text);
        Region { line, column, end_line, end_column }
    }
}

/// A path as a URI reference: forward slashes, and every byte that a path in a URI cannot hold as `%xx`.
fn uri(path: &Path) -> String {
    let text = path.to_string_lossy().replace('\\', "/");
    let mut uri = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' | b':' => {
                uri.push(char::from(byte))
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    // An absolute path is a file on this machine; a first part with a colon would read as a scheme.
    let first = uri.split('/').next().unwrap_or_default();
    if uri.starts_with('/') {
        format!("file://{uri}")
    } else if first.len() == 2 && first.ends_with(':') {
        format!("file:///{uri}")
    } else {
        uri
    }
}

#[cfg(test)]
mod tests {
    use super::{to_json, to_sarif, uri};
    use crate::finding::FileFinding;
    use quell_ir::{Code, Diagnostic, Span};
    use serde_json::json;
    use std::path::Path;

    fn findings() -> Vec<FileFinding> {
        let finding = |path: &str, text: &str, diagnostic| FileFinding {
            path: path.into(),
            text: text.into(),
            rule_id: Some("r-1".to_owned()),
            diagnostic,
        };
        vec![
            finding(
                "a b/x.toml",
                "é = 1\nab = 2",
                Diagnostic::new(Code::RULE_FIELD_TYPE, "wrong").at(Span::new(7, 9)).help("mend it"),
            ),
            finding("a b/x.toml", "", Diagnostic::new(Code::DUPLICATE_RULE, "twice").label("here")),
        ]
    }

    #[test]
    fn json_has_places_from_one() {
        assert_eq!(
            to_json(&findings()),
            json!([
                {"path": "a b/x.toml", "line": 2, "column": 1, "end_line": 2, "end_column": 3, "code": "E0306",
                 "severity": "error", "message": "wrong", "help": "mend it", "rule_id": "r-1"},
                {"path": "a b/x.toml", "code": "W0320", "severity": "warning", "message": "twice", "label": "here",
                 "rule_id": "r-1"},
            ])
        );
    }

    #[test]
    fn sarif_results_point_to_their_rules_and_regions() {
        let log = to_sarif(&findings());
        assert_eq!(log["version"], "2.1.0");
        let run = &log["runs"][0];
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        for result in run["results"].as_array().unwrap() {
            let at = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(rules[at]["id"], result["ruleId"]);
        }
        assert_eq!(
            run["results"][0],
            json!({
                "ruleId": "E0306", "ruleIndex": 0, "level": "error", "message": {"text": "wrong; mend it"},
                "locations": [{"physicalLocation": {
                    "artifactLocation": {"uri": "a%20b/x.toml"},
                    "region": {"startLine": 2, "startColumn": 1, "endLine": 2, "endColumn": 3},
                }}],
            })
        );
        assert!(run["results"][1]["locations"][0]["physicalLocation"].get("region").is_none());
    }

    #[test]
    fn paths_become_uri_references() {
        assert_eq!(uri(Path::new("rules/é.toml")), "rules/%C3%A9.toml");
        assert_eq!(uri(Path::new("/tmp/a.toml")), "file:///tmp/a.toml");
        assert_eq!(uri(Path::new("embedded:t1046/rules/a.toml")), "embedded:t1046/rules/a.toml");
    }
}
