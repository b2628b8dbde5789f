//! Explanations: every test as it is written with its answer, and counts that agree with a scan.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use quell::{
    CompileOptions, Dialect, Explain, Explanation, Focus, NoProgress, Reason, ReasonKind, Rule, ScanOptions,
    SequenceStep, Told,
};
use serde_json::{Value, json};
use std::io::Write as _;

fn explain(eql: &str, dialect: Dialect) -> Explain {
    let compile = CompileOptions { dialect: Some(dialect), ..CompileOptions::new(quell::schema()) };
    Explain::new(Rule::of_query(eql), &compile, ScanOptions::default()).unwrap_or_else(|_| panic!("{eql}"))
}

fn file_of(events: &[Value]) -> tempfile::NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(".ndjson").tempfile().unwrap();
    for event in events {
        writeln!(file, "{event}").unwrap();
    }
    file
}

fn run(explain: &Explain, events: &[Value], focus: &Focus) -> (Explanation, Vec<String>) {
    let file = file_of(events);
    let mut told = Vec::new();
    let explanation = explain.run_to(&[file.path()], focus, &NoProgress, &mut |one| {
        if let Told::Happened { key, step, .. } = one {
            let key: Vec<String> = key.iter().map(|value| format!("{value:?}")).collect();
            told.push(format!("{} {}", key.join(","), name_of(&step)));
        }
    });
    (explanation, told)
}

fn name_of(step: &SequenceStep) -> String {
    let text = format!("{step:?}");
    text.split([' ', '{']).next().unwrap().to_owned()
}

/// The tests of a tree that are not the category's, each with its answer, left to right.
fn tests(reason: &Reason) -> Vec<(String, Option<bool>)> {
    match &reason.kind {
        ReasonKind::Test { text, .. } if text.ends_with(" where") => Vec::new(),
        ReasonKind::Test { text, .. } => vec![(text.clone(), reason.holds)],
        _ => reason.parts.iter().flat_map(tests).collect(),
    }
}

/// How the event stands to the condition: all of it, and test by test.
fn why(condition: &str, dialect: Dialect, event: &Value) -> (Option<bool>, Vec<(String, Option<bool>)>) {
    let explain = explain(&format!("process where {condition}"), dialect);
    let focus = Focus { event: Some(String::from("e")), keys: Vec::new() };
    let (explanation, _) = run(&explain, std::slice::from_ref(event), &focus);
    let [seen] = explanation.events.as_slice() else { panic!("{condition}") };
    let verdict = &seen.verdicts[0];
    assert_eq!(verdict.holds, Some(explanation.found == 1), "{condition}");
    (verdict.holds, tests(&verdict.reason))
}

#[test]
fn every_test_stands_as_it_is_written() {
    let event = json!({
        "_id": "e", "@timestamp": "2024-01-01T00:00:00Z", "event": {"category": "process"},
        "process": {"name": "a.exe", "args": ["-x", "-y"], "pid": 7, "Ext": {"frames": [{"n": 1}]}},
    });
    let yes = Some(true);
    let no = Some(false);
    type Tests<'a> = &'a [(&'a str, Option<bool>)];
    let cases: &[(&str, Option<bool>, Tests<'_>)] = &[
        (r#"process.name == "a.exe""#, yes, &[(r#"process.name == "a.exe""#, yes)]),
        (r#"process.name != "a.exe""#, no, &[(r#"process.name != "a.exe""#, no)]),
        (r#"not process.name == "a.exe""#, no, &[(r#"not process.name == "a.exe""#, no)]),
        (r#"not (process.name == "b.exe")"#, yes, &[(r#"not process.name == "b.exe""#, yes)]),
        (r#"process.name not in ("a.exe", "b")"#, no, &[(r#"process.name not in ("a.exe", "b")"#, no)]),
        (
            r#"not process.name not in ("a.exe", "b")"#,
            yes,
            &[(r#"not process.name not in ("a.exe", "b")"#, yes)],
        ),
        (r#"not not process.pid == 7"#, yes, &[("not not process.pid == 7", yes)]),
        ("process.parent.name == null", yes, &[("process.parent.name == null", yes)]),
        ("process.parent.name != null", no, &[("process.parent.name != null", no)]),
        ("not process.parent.name == null", no, &[("not process.parent.name == null", no)]),
        // One test, though its patterns are asked in two ways.
        (r#"process.args : ("-x", "-z*")"#, yes, &[(r#"process.args : ("-x", "-z*")"#, yes)]),
        (r#"not process.args : ("-x", "-z*")"#, no, &[(r#"not process.args : ("-x", "-z*")"#, no)]),
        (
            "not (process.pid == 7 and process.pid > 8) and\n  process.pid  <  9",
            yes,
            &[("process.pid == 7", yes), ("process.pid > 8", no), ("process.pid < 9", yes)],
        ),
        (
            r#"/* not */ process.pid == 8 or not /* a */ ( /* b */ process.pid == 8 )"#,
            yes,
            &[("process.pid == 8", no), ("not process.pid == 8", yes)],
        ),
        (r#"length(process.name) == 5"#, yes, &[("length(process.name) == 5", yes)]),
    ];
    for (condition, holds, expected) in cases {
        let (found, found_tests) = why(condition, Dialect::Elasticsearch, &event);
        let expected: Vec<(String, Option<bool>)> =
            expected.iter().map(|(text, holds)| ((*text).to_owned(), *holds)).collect();
        assert_eq!((found, found_tests), (*holds, expected), "{condition}");
    }
}

fn event(id: &str, second: u32, key: &str, name: &str) -> Value {
    json!({
        "_id": id, "@timestamp": format!("2024-01-01T00:00:{second:02}Z"), "event": {"category": "process"},
        "host": {"name": key}, "process": {"name": name},
    })
}

#[test]
fn what_happens_is_told_in_order_and_within_the_focus() {
    let explain = explain(
        r#"sequence by host.name with maxspan=5s [any where process.name == "a"] [any where process.name == "b"] until [any where process.name == "c"]"#,
        Dialect::Elasticsearch,
    );
    let events = [
        event("1", 0, "x", "a"),
        event("2", 1, "y", "a"),
        event("3", 2, "x", "a"),
        event("4", 3, "x", "b"),
        event("5", 4, "y", "c"),
        event("6", 5, "y", "b"),
        event("7", 6, "y", "a"),
        event("8", 20, "y", "b"),
        event("9", 21, "x", "a"),
    ];
    let (explanation, told) = run(&explain, &events, &Focus::default());
    let x = |what: &str| format!("Text(\"x\") {what}");
    let y = |what: &str| format!("Text(\"y\") {what}");
    let expected = [
        x("Reached"),
        y("Reached"),
        x("Reached"),
        x("Replaced"),
        x("Complete"),
        y("Ended"),
        y("Nothing"),
        y("Reached"),
        y("TooLong"),
        x("Reached"),
        x("Left"),
    ];
    assert_eq!(told, expected);
    assert_eq!(explanation.found, 1);
    let counts = &explanation.counts;
    assert_eq!((counts[0].matched, counts[0].reached, counts[0].replaced), (5, 5, 1));
    assert_eq!((counts[0].ended, counts[0].left), (1, 1));
    assert_eq!((counts[1].matched, counts[1].reached, counts[1].nothing, counts[1].too_long), (3, 1, 1, 1));
    assert_eq!(counts[2].matched, 1);

    let by_key = Focus { event: None, keys: vec![("host.name".into(), "y".into())] };
    let by_event = Focus { event: Some("5".into()), keys: Vec::new() };
    for focus in [by_key, by_event] {
        let (explanation, told) = run(&explain, &events, &focus);
        assert_eq!(told, expected.iter().filter(|line| line.contains("\"y\"")).cloned().collect::<Vec<_>>());
        assert_eq!(explanation.counts, *counts, "the counts are of all keys");
    }
    let nothing = Focus { event: Some("5".into()), keys: vec![("host.name".into(), "x".into())] };
    assert_eq!(run(&explain, &events, &nothing).1, [] as [String; 0]);
}

#[test]
fn what_keeps_events_out_is_counted() {
    let explain = explain(
        r#"sequence by host.name [process where process.name == "a"] [registry where registry.path : "*"]"#,
        Dialect::Elasticsearch,
    );
    let mut without_key = event("1", 0, "x", "a");
    without_key.as_object_mut().unwrap().remove("host");
    let focus = Focus { event: Some("1".into()), keys: Vec::new() };
    let (explanation, _) = run(&explain, &[without_key], &focus);
    assert_eq!((explanation.without_key, explanation.counts[0].matched), (1, 0));
    let names: Vec<Vec<&str>> =
        explanation.absent.iter().map(|fields| fields.iter().map(|field| &**field).collect()).collect();
    assert_eq!(names, [vec!["host.name"], vec!["host.name", "registry.path"]]);
    let verdict = &explanation.events[0].verdicts[0];
    assert_eq!((verdict.holds, verdict.reason.holds), (Some(false), Some(true)));
    assert_eq!(verdict.kept_out, [quell::KeptOut::Key]);
}

#[test]
fn what_other_events_decide_is_open() {
    let explain = explain(
        r#"sequence [process where process.name == "a"] as event0 [process where process.name == "b" and host.name == event0.host.name]"#,
        Dialect::Endpoint,
    );
    let events = [event("1", 0, "x", "a"), event("2", 1, "y", "b"), event("3", 2, "x", "b")];
    let focus = Focus { event: Some("3".into()), keys: Vec::new() };
    let (explanation, told) = run(&explain, &events, &focus);
    let holds: Vec<Option<bool>> = explanation.events[0].verdicts.iter().map(|part| part.holds).collect();
    assert_eq!(holds, [Some(false), None]);
    assert_eq!(told.iter().map(|line| line.trim()).collect::<Vec<_>>(), ["Reached", "Unlike", "Complete"]);
    assert_eq!(explanation.counts[1].unlike, 1);
}
