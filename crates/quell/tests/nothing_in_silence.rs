//! What did not run, or not in full, is named: no rule is passed over in silence, and no event.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use quell::{CompileOptions, NoProgress, RuleSet, RuleSpec, Scan, ScanOptions, schema};
use std::collections::BTreeSet;

fn rule(id: &str, kind: &str, language: &str, query: &str) -> String {
    let text = "author = [\"A tester\"]\ndescription = \"A rule.\"\nlicense = \"Apache-2.0\"\nrisk_score = 47\nseverity = \"medium\"\n";
    let threshold =
        if kind == "threshold" { "[rule.threshold]\nfield = [\"user.name\"]\nvalue = 2\n" } else { "" };
    format!(
        "[rule]\n{text}name = \"{id}\"\nrule_id = \"{id}\"\ntype = \"{kind}\"\nlanguage = \"{language}\"\nquery = '''\n{query}\n'''\n{threshold}"
    )
}

/// Kibana issue 285154 is about evaluations that nobody hears were left out.
#[test]
fn each_rule_runs_or_is_named_with_a_reason() {
    let rules = [
        ("runs", "eql", "eql", "process where process.name == \"a\""),
        ("finds-nothing", "eql", "eql", "sequence by user.name [file where true] [process where true]"),
        ("of-kql", "query", "kuery", "process.name : a"),
        ("of-esql", "esql", "esql", "FROM logs-*"),
        ("counts", "threshold", "kuery", "process.name : a"),
        ("is-wrong", "eql", "eql", "process where process.name = \"a\""),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (id, kind, language, query) in rules {
        std::fs::write(folder.path().join(format!("{id}.toml")), rule(id, kind, language, query)).unwrap();
    }
    let set = RuleSet::load(&[RuleSpec::Path(folder.path().to_owned())]);
    assert_eq!(set.rules.len(), rules.len());
    let scan = Scan::new(set.rules, &CompileOptions::new(schema()), ScanOptions::default());

    let not_run: BTreeSet<(&str, &str)> =
        scan.not_run().iter().map(|not_run| (not_run.rule.id.as_str(), not_run.reason.as_str())).collect();
    let expected = [("of-esql", "ES|QL queries cannot run yet")];
    assert_eq!(not_run, expected.into());
    let errors = scan.findings().iter().filter(|finding| finding.diagnostic.is_error());
    let refused: BTreeSet<&str> = errors.filter_map(|finding| finding.rule_id.as_deref()).collect();
    assert_eq!(refused, ["is-wrong"].into());

    let nothing: [&str; 0] = [];
    let report = scan.run(&nothing, &NoProgress);
    let ran: BTreeSet<&str> = report.hits_by_rule.iter().map(|(rule, _)| rule.id.as_str()).collect();
    assert_eq!(ran, ["counts", "finds-nothing", "of-kql", "runs"].into());
    let of_not_run = not_run.iter().map(|(id, _)| *id);
    let all: BTreeSet<&str> = ran.into_iter().chain(refused).chain(of_not_run).collect();
    assert_eq!(all.len(), rules.len());
}

#[test]
fn events_that_take_no_part_are_counted() {
    let rules = [
        "sequence by user.name [process where process.name == \"a\"] [process where process.name == \"b\"]",
        "process where process.name == \"a\"",
    ];
    let events = [
        r#"{"event.category":"process","process.name":"a","user.name":"u"}"#,
        r#"{"event.category":"process","process.name":"c","user.name":"u"}"#,
        r#"{"@timestamp":"2024-05-01T00:00:00Z","event.category":"process","process.name":"b","user.name":"u"}"#,
        r#"{"@timestamp":"2024-05-01T00:00:01Z","event.category":"process","process.name":"b""#,
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.ndjson");
    std::fs::write(&path, events.join("\n")).unwrap();
    let rules = rules.into_iter().map(quell::Rule::of_query).collect();
    let options =
        ScanOptions { any_index: true, input_format: Some("ecs-json".to_owned()), ..ScanOptions::default() };
    let report = Scan::new(rules, &CompileOptions::new(schema()), options).run(&[path], &NoProgress);
    assert_eq!((report.stats.events, report.stats.events_without_time), (3, 1));
    assert_eq!(report.warnings.kept().len(), 1, "the line that is no JSON");
    assert_eq!(report.alerts.len(), 1);
}
