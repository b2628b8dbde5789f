//! Each format is read, recognised by its content, into the same rule.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "a test may panic")]

mod support;

use quell_rules::{AttachmentKind, Language, RuleFormat, RuleKind, RuleSeverity};
use serde_json::json;
use support::{elastic, load, places, underlined};

const ELASTIC: &str = r#"
[metadata]
creation_date = "2026/01/02"
maturity = "deprecated"

[rule]
author = ["A"]
description = """
Finds a.
"""
index = ["logs-a-*", "winlogbeat-*"]
name = "Name of it"
risk_score = 21
rule_id = "11111111-2222-4333-8444-555555555555"
severity = "low"
type = "eql"
language = "eql"
tags = ["OS: Windows"]
building_block_type = "default"
timestamp_override = "event.ingested"
event_category_override = "my.category"
tiebreaker_field = "event.sequence"
timestamp_field = "event.start"
something_new = { a = [1, 2.5, true] }
query = '''
process where process.name : "a*"
'''

[[rule.threat]]
framework = "MITRE ATT&CK"
[rule.threat.tactic]
id = "TA0007"
name = "Discovery"
reference = "https://attack.mitre.org/tactics/TA0007/"
[[rule.threat.technique]]
id = "T1059"
name = "Interpreter"
reference = "https://attack.mitre.org/techniques/T1059/"
[[rule.threat.technique.subtechnique]]
id = "T1059.001"
name = "PowerShell"
reference = "https://attack.mitre.org/techniques/T1059/001/"
"#;

#[test]
fn an_elastic_rule_has_all_its_fields() {
    let set = load(&[("a.toml", ELASTIC)]);
    assert_eq!(places(&set.findings), [""; 0]);
    let rule = &set.rules[0];
    assert_eq!(rule.id, "11111111-2222-4333-8444-555555555555");
    assert_eq!((rule.name.as_str(), rule.description.as_str()), ("Name of it", "Finds a.\n"));
    assert_eq!((rule.kind, rule.language), (RuleKind::Eql, Some(Language::Eql)));
    assert_eq!((rule.severity, rule.risk_score, rule.version.as_str()), (RuleSeverity::Low, 21, "1"));
    assert_eq!(rule.index.as_deref().unwrap(), ["logs-a-*", "winlogbeat-*"]);
    assert_eq!(rule.tags, ["OS: Windows"]);
    assert!(rule.building_block && rule.deprecated);
    assert_eq!(rule.overrides.timestamp_override.as_deref(), Some("event.ingested"));
    assert_eq!(rule.overrides.event_category.as_deref(), Some("my.category"));
    assert_eq!(rule.overrides.tiebreaker.as_deref(), Some("event.sequence"));
    assert_eq!(rule.overrides.timestamp_field.as_deref(), Some("event.start"));
    assert_eq!(
        (rule.threat[0].tactic_id.as_str(), rule.threat[0].tactic_name.as_str()),
        ("TA0007", "Discovery")
    );
    assert_eq!(
        rule.threat[0].techniques.iter().map(|t| t.id.as_str()).collect::<Vec<_>>(),
        ["T1059", "T1059.001"]
    );
    assert_eq!(rule.fields["something_new"], json!({"a": [1, 2.5, true]}));
    assert_eq!(rule.beside["metadata"]["creation_date"], "2026/01/02");
    let query = rule.query.as_ref().unwrap();
    assert_eq!(query.text, "process where process.name : \"a*\"\n");
    let offset = query.offset.unwrap();
    assert_eq!(rule.origin.text.get(offset..offset + query.text.len()).unwrap(), query.text);
    assert_eq!(rule.origin.format, RuleFormat::ElasticToml);
}

#[test]
fn a_rule_without_index_or_with_an_empty_one_matches_all() {
    for lines in [vec![], vec![("index", "[]")]] {
        assert_eq!(load(&[("a.toml", &elastic(&lines))]).rules[0].index, None);
    }
}

#[test]
fn a_deprecated_folder_marks_its_rules() {
    let set = load(&[("_deprecated/a.toml", &elastic(&[])), ("b.toml", &elastic(&[("rule_id", "\"b\"")]))]);
    assert_eq!(set.rules.iter().map(|rule| rule.deprecated).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn an_endpoint_rule_is_high_and_keeps_its_actions() {
    let text = r#"
[rule]
id = "b-1"
name = "N"
description = "D"
license = "L"
os_list = ["windows", "linux"]
reference = ["https://example.org"]
version = "1.0.4"
query = "any where true"

optional_actions = []
[[actions]]
action = "kill_process"
field = "process.entity_id"
state = 0

[[threat]]
framework = "MITRE ATT&CK"
[[threat.technique]]
id = "T1046"
name = "Network Service Discovery"
[threat.tactic]
id = "TA0007"
name = "Discovery"

[internal]
min_endpoint_version = "8.0.0"
"#;
    let set = load(&[("a.toml", text)]);
    assert_eq!(places(&set.findings), [""; 0]);
    let rule = &set.rules[0];
    assert_eq!((rule.id.as_str(), rule.version.as_str(), rule.kind), ("b-1", "1.0.4", RuleKind::Eql));
    assert_eq!((rule.severity, rule.risk_score), (RuleSeverity::High, 73));
    assert_eq!(rule.os_list, ["windows", "linux"]);
    assert_eq!(rule.threat[0].techniques[0].id, "T1046");
    assert_eq!(rule.fields["actions"][0]["action"], "kill_process");
    assert_eq!(rule.beside["internal"]["min_endpoint_version"], "8.0.0");
    assert_eq!(rule.origin.format.dialect(), quell_eql::Dialect::Endpoint);
}

fn exported(id: &str, extra: &serde_json::Value) -> serde_json::Value {
    let mut rule = json!({
        "id": "f00", "rule_id": id, "name": "N", "description": "D", "type": "eql", "language": "eql",
        "query": "any where true", "risk_score": 99, "severity": "critical", "version": 7, "immutable": true,
        "rule_source": {"type": "external", "is_customized": false}, "index": ["logs-*"], "enabled": false,
        "exceptions_list": [{"id": "e", "list_id": "l", "type": "detection", "namespace_type": "single"}],
        "threat": [], "tags": ["t"], "meta": null, "revision": 0
    });
    for (key, value) in extra.as_object().unwrap() {
        rule[key] = value.clone();
    }
    rule
}

#[test]
fn a_kibana_export_gives_its_rules_and_keeps_the_rest() {
    let lines = [
        exported("r-1", &json!({})),
        exported("r-2", &json!({"type": "query", "language": "lucene", "query": "a:b"})),
        json!({"_version": "x", "list_id": "l", "type": "detection", "name": "L"}),
        json!({"item_id": "i", "list_id": "l", "name": "I", "entries": [
            {"field": "process.name", "operator": "included", "type": "match", "value": "nmap"}
        ]}),
        json!({"item_id": "j", "list_id": "l", "entries": []}),
        json!({"id": "c", "type": "action", "attributes": {"actionTypeId": ".slack"}}),
        json!({"exported_count": 5, "exported_rules_count": 2, "missing_rules": []}),
    ];
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let set = load(&[("export.ndjson", &text)]);
    assert_eq!(places(&set.findings), ["export.ndjson:5:1 E0315"]);
    assert_eq!(set.exceptions.iter().map(|item| item.name.as_str()).collect::<Vec<_>>(), ["I"]);
    assert_eq!(set.rules.iter().map(|rule| rule.id.as_str()).collect::<Vec<_>>(), ["r-1", "r-2"]);
    assert_eq!((set.rules[0].version.as_str(), set.rules[0].risk_score), ("7", 99));
    assert_eq!(set.rules[0].fields["immutable"], true);
    assert_eq!(set.rules[1].language, Some(Language::Lucene));
    let kinds: Vec<AttachmentKind> = set.attachments.iter().map(|a| a.kind).collect();
    use AttachmentKind::{Connector, Counts, ExceptionItem, ExceptionList};
    assert_eq!(kinds, [ExceptionList, ExceptionItem, ExceptionItem, Connector, Counts]);
}

#[test]
fn an_export_may_be_one_object_over_many_lines_or_a_list() {
    let rule = exported("r-1", &json!({}));
    let other = exported("r-2", &json!({}));
    let pretty = serde_json::to_string_pretty(&rule).unwrap();
    let list = serde_json::to_string_pretty(&json!([rule, other])).unwrap();
    assert_eq!(load(&[("a.json", &format!("\u{feff}{pretty}"))]).rules.len(), 1);
    assert_eq!(load(&[("a.json", &list)]).rules.len(), 2);
}

#[test]
fn a_broken_line_costs_no_other_line() {
    let good = exported("r-1", &json!({})).to_string();
    let text = format!("{{\"rule_id\": }}\n{good}\n{{\"hello\": 1}}\n{{\"exported_rules_count\": 5}}\n");
    let set = load(&[("a.ndjson", &text)]);
    assert_eq!(set.rules.len(), 1);
    assert_eq!(places(&set.findings), ["a.ndjson:1:13 E0304", "a.ndjson:3:1 W0322", "a.ndjson:4:26 W0323"]);
}

#[test]
fn a_line_that_is_cut_off_costs_no_line_behind_it() {
    let good = |id: &str| exported(id, &json!({})).to_string();
    for cut in
        ["{\"rule_id\":", "{\"rule_id\": \"x\"", "{\"rule_id\": \"x\",", "{\"a\": [", "{\"a\": \"x", "{"]
    {
        let text = format!("{}\n{cut}\n{}\n{cut}\r\n{}\n{cut}", good("r-1"), good("r-2"), good("r-3"));
        let set = load(&[("a.ndjson", &text)]);
        let ids: Vec<&str> = set.rules.iter().map(|rule| rule.id.as_str()).collect();
        assert_eq!(ids, ["r-1", "r-2", "r-3"], "{cut}");
        let lines: Vec<String> =
            places(&set.findings).iter().map(|place| place.split(':').nth(1).unwrap().to_owned()).collect();
        assert_eq!(lines, ["2", "4", "6"], "{cut}: {:?}", places(&set.findings));
    }
}

#[test]
fn a_bare_query_is_named_by_its_file_and_known_by_its_text() {
    let set = load(&[
        ("Port scan.eql", "// finds a scan\nprocess where true\n"),
        ("sub/b.EQL", "process where false"),
    ]);
    assert_eq!(places(&set.findings), [""; 0]);
    let rule = &set.rules[0];
    assert_eq!((rule.name.as_str(), rule.severity, rule.risk_score), ("Port scan", RuleSeverity::Low, 21));
    assert!(rule.id.starts_with("eql-") && rule.id != set.rules[1].id);
    let same = load(&[("other.eql", "// finds a scan\r\nprocess where true")]);
    assert_eq!(same.rules[0].id, rule.id);
}

#[test]
fn formats_are_recognised_by_content_and_other_files_are_left_alone() {
    let set = load(&[
        ("rule.json", &elastic(&[])),
        ("package.toml", "name = \"x\"\n[[set]]\nname = \"y\"\n"),
        ("events.ndjson", "{\"@timestamp\": \"2024-05-01\", \"process\": {\"name\": \"a\"}}\n"),
        ("alerts.json", "{\"rule\": {\"rule_id\": \"a\"}}"),
        ("notes.txt", "[rule]"),
    ]);
    assert_eq!(places(&set.findings), [""; 0]);
    assert_eq!(set.rules.len(), 1);
    let names: Vec<&str> =
        set.without_rules.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["alerts.json", "events.ndjson", "package.toml"]);
}

#[test]
fn what_the_schema_does_not_allow_is_refused_with_its_place() {
    // (line, the value that is underlined, code)
    let table: &[(&str, &str, &str)] = &[
        ("risk_score", "\"47\"", "E0306"),
        ("risk_score", "101", "E0307"),
        ("risk_score", "-1", "E0307"),
        ("risk_score", "4.5", "E0306"),
        ("severity", "\"severe\"", "E0307"),
        ("type", "\"EQL\"", "E0307"),
        ("language", "\"kuery\"", "E0308"),
        ("language", "3", "E0306"),
        ("name", "[]", "E0306"),
        ("query", "1", "E0306"),
        ("index", "\"logs-*\"", "E0306"),
        ("tags", "{}", "E0306"),
        ("max_signals", "0", "E0307"),
        ("enabled", "\"yes\"", "E0306"),
        ("threat", "{}", "E0306"),
        ("threat", "[1]", "E0306"),
        ("investigation_fields", "[]", "E0306"),
    ];
    for (name, value, code) in table {
        let set = load(&[("a.toml", &elastic(&[(name, value)]))]);
        assert_eq!(set.rules.len(), 0, "{name} = {value}");
        let found = &set.findings[0];
        assert_eq!(found.diagnostic.code.as_str(), *code, "{name} = {value}: {}", found.diagnostic.message);
        let expected = if *value == "[1]" { "1" } else { value };
        assert_eq!(underlined(&set.findings)[0], expected, "{name} = {value}");
        assert!(found.diagnostic.message.contains(name) || *code == "E0308", "{}", found.diagnostic.message);
        assert_eq!(found.rule_id.as_deref(), Some("0e0f1a2b-3c4d-4e5f-8a9b-0c1d2e3f4a5b"));
    }
}

#[test]
fn limits_inside_nested_objects_are_held() {
    let table = [
        ("alert_suppression", "{ group_by = [\"a\", \"b\", \"c\", \"d\"] }", "alert_suppression.group_by"),
        (
            "alert_suppression",
            "{ duration = { value = 0, unit = \"m\" } }",
            "alert_suppression.duration.value",
        ),
        ("alert_suppression", "{ duration = { unit = \"m\" } }", "alert_suppression.duration.value"),
        ("threshold", "{ field = [], value = 0 }", "threshold.value"),
        ("new_terms", "{ field = \"new_terms_fields\", value = [] }", "new_terms.value"),
        ("exceptions_list", "[{ id = \"x\" }]", "exceptions_list.list_id"),
        ("threat", "[{ framework = \"f\", technique = [{ id = 3, name = \"n\" }] }]", "threat.technique.id"),
        ("required_fields", "[{ name = \"n\", type = \"t\", ecs = 1 }]", "required_fields.ecs"),
    ];
    for (name, value, path) in table {
        let set = load(&[("a.toml", &elastic(&[(name, value)]))]);
        assert_eq!(set.findings.len(), 1, "{name} = {value}: {:?}", set.findings);
        assert!(
            set.findings[0].diagnostic.message.contains(&format!("`rule.{path}`")),
            "{}",
            set.findings[0].diagnostic.message
        );
    }
}

#[test]
fn missing_fields_are_named() {
    for name in ["name", "description", "rule_id", "risk_score", "severity", "type", "query"] {
        let set = load(&[("a.toml", &elastic(&[(name, "")]))]);
        assert_eq!(set.rules.len(), 0, "{name}");
        assert_eq!(set.findings[0].diagnostic.code.as_str(), "E0305", "{name}");
        assert!(set.findings[0].diagnostic.message.contains(&format!("`rule.{name}`")), "{name}");
    }
    let set = load(&[("a.toml", &elastic(&[("severity", ""), ("severty", "\"low\"")]))]);
    assert_eq!(underlined(&set.findings), ["severty"]);
    assert_eq!(set.findings[0].diagnostic.help.as_deref(), Some("is `severty` meant to be `severity`?"));
}

#[test]
fn each_type_asks_for_its_own_fields() {
    type Case = (&'static str, &'static str, &'static [(&'static str, &'static str)]);
    let table: &[Case] = &[
        ("query", "kuery", &[]),
        ("saved_query", "kuery", &[("saved_id", "\"x\"")]),
        ("threshold", "lucene", &[("threshold", "{ field = [\"a\"], value = 3 }")]),
        ("new_terms", "kuery", &[("new_terms", "{ field = \"new_terms_fields\", value = [\"a\"] }")]),
        ("new_terms", "kuery", &[("new_terms_fields", "[\"a\"]")]),
        (
            "threat_match",
            "kuery",
            &[("threat_index", "[]"), ("threat_query", "\"*\""), ("threat_mapping", "[]")],
        ),
        ("machine_learning", "", &[("machine_learning_job_id", "\"j\""), ("anomaly_threshold", "50")]),
        ("esql", "esql", &[]),
    ];
    for (kind, language, needs) in table {
        let (kind_text, language) = (format!("{kind:?}"), format!("{language:?}"));
        let mut lines = vec![("type", kind_text.as_str()), ("language", language.trim_matches('"'))];
        lines[1].1 = if lines[1].1.is_empty() { "" } else { &language };
        lines.extend_from_slice(needs);
        let set = load(&[("a.toml", &elastic(&lines))]);
        assert_eq!(places(&set.findings), [""; 0], "{kind}");
        assert_eq!(set.rules[0].kind.as_str(), *kind);
        for (name, _) in *needs {
            let without: Vec<(&str, &str)> = lines.iter().copied().filter(|(own, _)| own != name).collect();
            let set = load(&[("a.toml", &elastic(&without))]);
            assert_eq!(set.findings[0].diagnostic.code.as_str(), "E0305", "{kind} without {name}");
        }
    }
}

#[test]
fn wrong_metadata_is_a_warning_and_stops_nothing() {
    let text = elastic(&[]).replace("\"production\"", "\"done\"\ncreation_date = \"2026-01-02\"");
    let set = load(&[("a.toml", &text)]);
    assert_eq!(places(&set.findings), ["a.toml:3:17 W0325", "a.toml:2:12 W0325"]);
    assert_eq!((set.rules.len(), set.has_errors()), (1, false));
}
