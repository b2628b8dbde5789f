//! Findings stand at the right line and column of the file, and every lint finds what it is for.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "a test may panic")]

mod support;

use support::{check_files, elastic, places, underlined};

/// Wraps a query with an unknown operator at its second line into a rule.
fn with_query(written: &str) -> String {
    elastic(&[("query", written)])
}

#[test]
fn an_error_in_a_query_is_underlined_in_the_file() {
    // Rules in all notations of a text, whose value starts on line 12: where `&&` stands in the file.
    let table = [
        ("'''\nany where a == 1\n  && b == 2\n'''", (14, 3)),
        ("'''any where a == 1\n  && b == 2'''", (13, 3)),
        ("\"\"\"\nany where a == \\\"é\\\"\n\\t && b == 2\n\"\"\"", (14, 4)),
        ("\"\"\"any where a == \\u0031 \\\n    && b == 2\"\"\"", (13, 5)),
        ("\"any where a == \\\"é\\\" && b == 2\"", (12, 31)),
        ("'any where a == \"é\" && b == 2'", (12, 29)),
    ];
    for (query, (line, column)) in table {
        let checked = check_files(&[("a.toml", &with_query(query))]);
        let errors: Vec<_> = checked.findings.iter().filter(|f| f.diagnostic.is_error()).cloned().collect();
        assert_eq!(underlined(&errors)[0], "&&", "{query}: {errors:?}");
        assert_eq!(errors[0].line_column(), Some((line, column)), "{query}");
        assert_eq!((checked.refused, checked.runs), (1, 0));
    }
}

#[test]
fn an_error_in_an_exported_query_is_underlined_behind_its_escapes() {
    let line = serde_json::json!({
        "rule_id": "0e0f1a2b-3c4d-4e5f-8a9b-0c1d2e3f4a5b", "name": "n", "description": "d", "type": "eql", "language": "eql",
        "severity": "low", "risk_score": 1, "query": "any where a == \"\u{e9}\"\n\t&& b == 2",
    })
    .to_string();
    let checked = check_files(&[("a.ndjson", &format!("\n{line}\n"))]);
    assert_eq!(underlined(&checked.findings), ["&&"]);
    let column = line.find("&&").unwrap(); // é is two bytes and one character
    assert_eq!(checked.findings[0].line_column(), Some((2, column)));
}

#[test]
fn findings_are_sorted_by_file_and_place() {
    let broken = with_query("'any where true &&'").replace("\"A small rule\"", "\".A small rule.\"");
    let checked =
        check_files(&[("b.toml", &broken), ("a.toml", "[rule]\nname = x\n"), ("c/d.eql", "any were true")]);
    assert_eq!(
        places(&checked.findings),
        ["a.toml:2:8 E0303", "b.toml:5:8 W0331", "b.toml:5:8 W0331", "b.toml:12:25 E0114", "d.eql:1:5 E0101"]
    );
}

#[test]
fn sequences_are_checked() {
    let right = "'sequence by host.id [process where true] [file where true]'";
    let checked = check_files(&[("a.toml", &with_query(right))]);
    assert_eq!((checked.runs, checked.not_run_yet, checked.refused), (1, 0, 0));
    let wrong = "'sequence by host.id [process where true]'";
    let checked = check_files(&[("a.toml", &with_query(wrong))]);
    assert_eq!((checked.runs, checked.not_run_yet, checked.refused), (0, 0, 1));
    assert_eq!(checked.findings[0].diagnostic.code.as_str(), "E0127");
}

#[test]
fn each_lint_finds_what_it_is_for_and_nothing_else() {
    let threat = |technique: &str, reference: &str, sub: &str| {
        format!(
            "[{{ framework = \"f\", technique = [{{ id = \"{technique}\", name = \"n\", reference = \"{reference}\"{sub} }}] }}]"
        )
    };
    let url = "https://attack.mitre.org/techniques/T1046/";
    let sub = |id: &str| format!(", subtechnique = [{{ id = \"{id}\", name = \"n\" }}]");
    type Case = (&'static str, Vec<(&'static str, String)>, &'static [&'static str]);
    let cases: Vec<Case> = vec![
        ("nothing", vec![], &[]),
        ("id in capitals", vec![("rule_id", "\"0E0F1A2B-3C4D-4E5F-8A9B-0C1D2E3F4A5B\"".into())], &["W0330"]),
        ("id too short", vec![("rule_id", "\"abc\"".into())], &["W0330"]),
        ("name ends", vec![("name", "\"Name.\"".into())], &["W0331"]),
        ("name ends well", vec![("name", "\"Name (of it)\"".into())], &[]),
        ("interval", vec![("interval", "\"5 min\"".into())], &["W0332"]),
        ("from", vec![("from", "\"9m\"".into())], &["W0333"]),
        ("to", vec![("to", "\"now-1\"".into())], &["W0333"]),
        ("gap", vec![("interval", "\"10m\"".into()), ("from", "\"now-9m\"".into())], &["W0334"]),
        ("no gap", vec![("interval", "\"10m\"".into()), ("from", "\"now-10m\"".into())], &[]),
        ("gap by default", vec![("interval", "\"1h\"".into())], &["W0334"]),
        ("risk", vec![("risk_score", "73".into())], &["W0335"]),
        (
            "reference",
            vec![("threat", threat("T1046", "https://attack.mitre.org/techniques/T1046", ""))],
            &["W0336"],
        ),
        ("reference of another", vec![("threat", threat("T1047", url, ""))], &["W0336"]),
        ("reference well", vec![("threat", threat("T1046", url, &sub("T1046.001")))], &[]),
        ("sub-technique", vec![("threat", threat("T1046", url, &sub("T1059.001")))], &["W0337"]),
        ("sub-technique's form", vec![("threat", threat("T1046", url, &sub("T1046.1")))], &["W0337"]),
        ("language", vec![("language", String::new())], &["W0339"]),
    ];
    for (what, lines, expected) in cases {
        let lines: Vec<(&str, &str)> = lines.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let checked = check_files(&[("a.toml", &elastic(&lines))]);
        let lints: Vec<&str> = checked
            .findings
            .iter()
            .map(|finding| finding.diagnostic.code.as_str())
            .filter(|code| code.starts_with("W03"))
            .collect();
        assert_eq!(lints, expected, "{what}");
        assert!(
            checked.findings.iter().all(|f| f.diagnostic.span.is_some() || what == "gap by default"),
            "{what}"
        );
    }
}

#[test]
fn a_sequence_longer_than_the_look_back_is_found() {
    for (maxspan, expected) in [("1h", true), ("9m", false)] {
        let query =
            format!("'sequence by host.id with maxspan={maxspan} [process where true] [file where true]'");
        let checked = check_files(&[("a.toml", &elastic(&[("query", &query), ("from", "\"now-9m\"")]))]);
        let found = checked.findings.iter().any(|finding| finding.diagnostic.code.as_str() == "W0338");
        assert_eq!(found, expected, "{maxspan}");
    }
}
