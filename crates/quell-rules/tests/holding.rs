//! What holds back: exceptions, filters and maintenance windows, and what is said where they are wrong.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

mod support;

use quell_event::EcsSchema;
use quell_rules::{
    CompileOptions, ExceptionSet, FileFinding, MaintenanceWindow, Outcome, Rule, compile_rule,
};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Instant;

fn file(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

/// Each finding as its code and the text that it underlines.
fn told(findings: &[FileFinding]) -> Vec<String> {
    let of = |finding: &FileFinding| {
        let at = finding.diagnostic.span.map(|span| span.text(&finding.text)).unwrap_or_default();
        format!("{} {at}", finding.diagnostic.code.as_str())
    };
    findings.iter().map(of).collect()
}

fn exceptions(name: &str, text: &str) -> (usize, Vec<String>) {
    let (_folder, path) = file(name, text);
    let (set, mut findings) = ExceptionSet::load(&[path]);
    findings.extend(set.compile(&EcsSchema::new()).findings);
    (set.items().len(), told(&findings))
}

fn item(entry: &str) -> String {
    format!("[[item]]\nname = \"n\"\nrules = [\"*\"]\nentries = [{entry}]\n")
}

#[test]
fn what_is_wrong_with_an_exception_is_underlined() {
    let table = [
        ("{ field = 'process.name', operator = 'included', type = 'match', value = 'a' }", 1, None),
        (
            "{ operator = 'included', type = 'exists' }",
            0,
            Some("E0315 { operator = 'included', type = 'exists' }"),
        ),
        ("{ field = 'a', operator = 'include', type = 'exists' }", 0, Some("E0315 'include'")),
        ("{ field = 'a', operator = 'included', type = 'regex' }", 0, Some("E0315 'regex'")),
        (
            "{ field = 'process.pid', operator = 'included', type = 'match', value = 'x' }",
            1,
            Some("W0321 { field = 'process.pid', operator = 'included', type = 'match', value = 'x' }"),
        ),
        (
            "{ field = 'source.ip', operator = 'included', type = 'list', list = { id = 'l', type = 'ip' } }",
            1,
            Some("W0321 'l'"),
        ),
        ("{ field = 'proces.name', operator = 'included', type = 'exists' }", 1, Some("W0201 'proces.name'")),
        (
            "{ field = 'source.ip', operator = 'included', type = 'wildcard', value = '10.*' }",
            1,
            Some("W0321 { field = 'source.ip', operator = 'included', type = 'wildcard', value = '10.*' }"),
        ),
    ];
    for (entry, items, expected) in table {
        let (found, told) = exceptions("e.toml", &item(entry));
        assert_eq!(
            (found, told.first().map(String::as_str), told.len() < 2),
            (items, expected, true),
            "{entry}: {told:?}"
        );
    }
    for (text, code) in
        [("", "E0316 "), ("[[item]]\nname = 'n'\n", "E0315"), ("[[item]", "E0303"), ("a = 1", "E0316 ")]
    {
        let (items, told) = exceptions("e.toml", text);
        assert!(items == 0 && told.len() == 1 && told[0].starts_with(code), "{text}: {told:?}");
    }
    let deep = "{ field = 'a', type = 'nested', entries = [".repeat(100);
    assert_eq!(exceptions("e.toml", &item(&deep)).0, 0);
}

#[test]
fn a_broken_line_of_an_export_costs_no_other() {
    let good = json!({"item_id": "i", "list_id": "l", "name": "n", "entries": [
        {"field": "process.name", "operator": "included", "type": "match", "value": "a"}
    ]});
    let list = json!({"list_id": "l", "type": "detection", "name": "L"});
    let text = format!("{list}\n{{\"entries\": \n{good}\n{{\"exported_exception_list_count\": 1}}\n");
    let (items, told) = exceptions("e.ndjson", &text);
    assert_eq!((items, told.len()), (1, 1), "{told:?}");
    assert!(told[0].starts_with("E0304"), "{told:?}");
}

#[test]
fn an_exception_is_for_the_rules_that_have_its_list_or_that_it_names() {
    let text = "[[item]]\nname = \"a\"\nlist_id = \"mine\"\nentries = [{ field = \"process.name\", operator = \"included\", type = \"exists\" }]\n\
        [[item]]\nname = \"b\"\nlist_id = \"other\"\nentries = [{ field = \"process.name\", operator = \"included\", type = \"exists\" }]\n\
        [[item]]\nname = \"c\"\nrules = [\"r\"]\nentries = [{ field = \"process.name\", operator = \"included\", type = \"exists\" }]\n";
    let (_folder, path) = file("e.toml", text);
    let (set, findings) = ExceptionSet::load(&[path]);
    assert!(findings.is_empty(), "{findings:?}");
    let compiled = set.compile(&EcsSchema::new());
    let mut rule = Rule::of_query("any where true");
    rule.id = "r".to_owned();
    rule.fields.insert("exceptions_list".into(), json!([{"list_id": "mine", "type": "detection"}]));
    let names = |rule: &Rule| compiled.of(rule).iter().map(|e| e.item.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&rule), ["a", "c"]);
    assert_eq!(names(&Rule::of_query("any where true")), [""; 0]);
    assert_eq!(told(&compiled.unused([&rule].into_iter())), ["W0341 \"b\""]);
}

fn filtered(filters: Value) -> Outcome {
    let mut rule = Rule::of_query("process where true");
    rule.fields.insert("filters".into(), filters);
    compile_rule(&rule, &CompileOptions::new(&EcsSchema::new()))
}

#[test]
fn a_filter_that_cannot_be_read_refuses_its_rule_with_the_reason() {
    let mut deep = json!({"term": {"process.name": "a"}});
    for _ in 0..100 {
        deep = json!({"bool": {"must": [deep]}});
    }
    let table = [
        (json!([{"query": {"geo_shape": {}}}]), "`geo_shape` is not supported"),
        (json!([{"query": {"term": {"process.name": "a", "process.pid": 1}}}]), "takes one field"),
        (json!([{"query": {"match_phrase": {"process.name": {"query": "a", "slop": 2}}}}]), "slop"),
        (json!([{"query": {"term": {"process.name": {"value": "a", "fuzzy": 1}}}}]), "`fuzzy`"),
        (json!([{"query": {"range": {"process.pid": {"gte": "x"}}}}]), "cannot be `x`"),
        (json!([{"query": {"wildcard": {"source.ip": "10.*"}}}]), "patterns are for texts"),
        (
            json!([{"query": {"bool": {"should": [{"match_all": {}}, {"match_all": {}}, {"match_all": {}}], "minimum_should_match": 2}}}]),
            "minimum_should_match",
        ),
        (json!([{"query": {"query_string": {"query": "(("}}}]), "cannot be read"),
        (json!([{"meta": {}}]), "without a query"),
        (json!([3]), "no object"),
        (json!([{"query": deep}]), "nested more than"),
    ];
    for (filters, expected) in table {
        let Outcome::NotRunYet { reason, .. } = filtered(filters.clone()) else { panic!("{filters}") };
        assert!(reason.contains(expected), "{filters}: {reason}");
    }
    let off = filtered(json!([{"meta": {"disabled": true}, "query": {"geo_shape": {}}}]));
    assert!(matches!(off, Outcome::Runs { .. }));
}

fn windows(name: &str, text: &str) -> (Vec<MaintenanceWindow>, Vec<String>) {
    let (_folder, path) = file(name, text);
    let (windows, findings) = MaintenanceWindow::load(&path);
    (windows, told(&findings))
}

#[test]
fn windows_of_kibana_and_of_its_api_start_when_those_of_toml_do() {
    let toml = "[[window]]\ntitle = \"w\"\nduration = \"2h\"\nstart = \"2024-03-25T22:00:00\"\ntimezone = \"Europe/Berlin\"\nrrule = \"FREQ=WEEKLY;INTERVAL=1;BYDAY=MO,TU;COUNT=4\"\n";
    let kibana = json!({"type": "maintenance-window", "id": "i", "attributes": {"title": "w", "enabled": true, "duration": 7_200_000,
        "rRule": {"dtstart": "2024-03-25T21:00:00.000Z", "tzid": "Europe/Berlin", "freq": 2, "interval": 1, "byweekday": ["MO", "TU"], "count": 4}}});
    let api = json!({"data": [{"id": "i", "title": "w", "schedule": {"custom": {"start": "2024-03-25T21:00:00Z", "duration": "2h",
        "timezone": "Europe/Berlin", "recurring": {"every": "1w", "onWeekDay": ["MO", "TU"], "occurrences": 4}}}}]});
    let times: Vec<i64> =
        ["2024-03-25T21:00:00Z", "2024-03-26T21:00:00Z", "2024-04-01T20:00:00Z", "2024-04-02T20:00:00Z"]
            .iter()
            .map(|time| quell_ir::date::parse_date(time).unwrap())
            .collect();
    for (name, text) in
        [("w.toml", toml.to_owned()), ("w.json", kibana.to_string()), ("w.json", api.to_string())]
    {
        let (windows, told) = windows(name, &text);
        assert_eq!(told, [""; 0], "{text}");
        assert_eq!((windows.len(), windows[0].duration), (1, 7_200_000_000_000), "{text}");
        assert_eq!(windows[0].starts(100), (times.clone(), true), "{text}");
    }
}

#[test]
fn a_window_that_is_wrong_is_reported_and_one_that_starts_often_ends() {
    let window = |more: &str| format!("[[window]]\ntitle = \"w\"\n{more}\n");
    let start = "start = \"2024-01-01T00:00:00\"\n";
    for more in [
        "".to_owned(),
        format!("{start}duration = \"0h\""),
        format!("{start}duration = \"2h\"\ntimezone = \"Europe/Atlantis\""),
        format!("{start}duration = \"2h\"\nrrule = \"FREQ=SOMETIMES\""),
        format!("{start}duration = \"2h\"\nrrule = \"FREQ=DAILY\\nDTSTART:20000101T000000Z\""),
        "duration = \"2h\"\nstart = \"soon\"".to_owned(),
    ] {
        let (windows, told) = windows("w.toml", &window(&more));
        assert!(windows.is_empty() && told.len() == 1 && told[0].starts_with("E0318"), "{more}: {told:?}");
    }
    let often = format!("{start}duration = \"1m\"\nrrule = \"FREQ=SECONDLY\"");
    let (found, _) = windows("w.toml", &window(&often));
    let (starts, all) = found[0].starts(1000);
    assert_eq!((starts.len(), all), (1000, false));
    let never = format!("{start}duration = \"1m\"\nrrule = \"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30\"");
    let begun = Instant::now();
    let (found, _) = windows("w.toml", &window(&never));
    assert!(found.iter().all(|window| window.starts(u16::MAX).0.is_empty()));
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
}
