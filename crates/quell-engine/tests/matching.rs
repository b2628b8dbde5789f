//! Which events satisfy which rules: every kind of predicate on scalars, lists, absent fields and values of wrong kinds.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod scan;

use quell_engine::{Engine, EngineOptions, EngineRule};
use quell_eql::Dialect;
use quell_event::{Event, EventState, Facts, Resolver, Scalar, Slot, Whole};
use quell_ir::logic::{Query, Step};
use quell_ir::pattern::Wildcard;
use quell_ir::{Case, Condition, EventFilter, FieldRef, FieldType, Logic, Predicate, Span};
use scan::{bare_rule, engine, engine_of, hit_rules, hits_of, query, with_rule};
use std::sync::Arc;

/// A query, and records that satisfy it or do not.
const CASES: &[(&str, &[&str], &[&str])] = &[
    (
        r#"any where process.name == "a""#,
        &[
            r#"{"process":{"name":"a"}}"#,
            r#"{"process.name":["b","a"]}"#,
            r#"{"process":[{"name":"b"},{"name":"a"}]}"#,
        ],
        &[
            r"{}",
            r#"{"process":{"name":"A"}}"#,
            r#"{"process":{"name":null}}"#,
            r#"{"process":{"name":{"a":"a"}}}"#,
        ],
    ),
    (
        r#"any where process.name != "a""#,
        &[r"{}", r#"{"process.name":"b"}"#, r#"{"process.name":[]}"#],
        &[r#"{"process.name":["b","a"]}"#],
    ),
    (
        r#"any where process.name : "NMAP.exe""#,
        &[r#"{"process.name":"nmap.EXE"}"#, r#"{"process.name":["x","nmap.exe"]}"#],
        &[r#"{"process.name":"nmap"}"#, r"{}"],
    ),
    (
        r#"any where process.name in ("7", "true")"#,
        &[r#"{"process.name":7}"#, r#"{"process.name":true}"#, r#"{"process.name":"7"}"#],
        &[r#"{"process.name":7.5}"#, r#"{"process.name":false}"#],
    ),
    (
        r#"any where process.name in~ ("É", "k")"#,
        &["{\"process.name\":\"é\"}", "{\"process.name\":\"\u{212A}\"}"],
        &[r#"{"process.name":"e"}"#],
    ),
    (
        r#"any where process.command_line like~ ("*-sS *", "scan?", "x*")"#,
        &[
            r#"{"process.command_line":"nmap -ss 10.0.0.1"}"#,
            r#"{"process.command_line":"SCAN7"}"#,
            r#"{"process.command_line":"X"}"#,
        ],
        &[r#"{"process.command_line":"nmap -ss"}"#, r#"{"process.command_line":"scan77"}"#, r"{}"],
    ),
    (
        r#"any where process.command_line like "*A*b*""#,
        &[r#"{"process.command_line":"xAyb"}"#, "{\"process.command_line\":\"A\\nb\"}"],
        &[r#"{"process.command_line":"xayb"}"#, r#"{"process.command_line":"bA"}"#],
    ),
    (
        r#"any where process.name : "*""#,
        &[r#"{"process.name":""}"#, r#"{"process.name":1}"#],
        &[r"{}", r#"{"process.name":[null]}"#],
    ),
    (
        r#"any where process.name regex~ "nc(at)?[0-9]*""#,
        &[r#"{"process.name":"NCAT12"}"#, r#"{"process.name":["x","nc"]}"#],
        &[r#"{"process.name":"nc."}"#, r"{}"],
    ),
    (
        r#"any where process.name > "b""#,
        &[r#"{"process.name":["a","c"]}"#],
        &[r#"{"process.name":"b"}"#, r"{}"],
    ),
    (
        "any where process.pid == 4",
        &[r#"{"process.pid":4}"#, r#"{"process.pid":"4"}"#, r#"{"process.pid":[1,4.0]}"#],
        &[r#"{"process.pid":5}"#, r#"{"process.pid":"x"}"#, r#"{"process.pid":true}"#, r"{}"],
    ),
    (
        "any where process.pid > 5 and process.pid < 3",
        &[r#"{"process.pid":[1,10]}"#],
        &[r#"{"process.pid":4}"#],
    ),
    ("any where not process.pid > 5", &[r"{}", r#"{"process.pid":5}"#], &[r#"{"process.pid":[1,6]}"#]),
    (
        "any where process.score >= 0.5",
        &[r#"{"process.score":"0.5"}"#, r#"{"process.score":1}"#],
        &[r#"{"process.score":0.25}"#],
    ),
    (
        r#"any where event.created >= "2024-05-01" and event.created < "2024-05-02T00:00:00Z""#,
        &[r#"{"event.created":"2024-05-01T12:00:00.5Z"}"#, r#"{"event.created":1714521600000}"#],
        &[r#"{"event.created":"2024-04-30"}"#, r#"{"event.created":"yesterday"}"#, r"{}"],
    ),
    (
        r#"any where cidrmatch(source.ip, "10.0.0.0/8", "fe80::/10")"#,
        &[r#"{"source.ip":["192.168.0.1","10.1.2.3"]}"#, r#"{"source.ip":"FE80::1"}"#],
        &[r#"{"source.ip":"11.0.0.1"}"#, r#"{"source.ip":"ten"}"#, r#"{"source.ip":10}"#, r"{}"],
    ),
    (r#"any where source.ip == "::1""#, &[r#"{"source.ip":"0:0:0:0:0:0:0:1"}"#], &[r#"{"source.ip":"::2"}"#]),
    (
        r#"any where host.os.version >= "1.10""#,
        &[r#"{"host.os.version":"1.10.1"}"#],
        &[r#"{"host.os.version":"1.9"}"#],
    ),
    (
        "any where process.code_signature.trusted == false",
        &[r#"{"process.code_signature.trusted":false}"#, r#"{"process.code_signature.trusted":"false"}"#],
        &[r"{}", r#"{"process.code_signature.trusted":true}"#, r#"{"process.code_signature.trusted":0}"#],
    ),
    (
        "any where process.code_signature.trusted != true",
        &[r"{}", r#"{"process.code_signature.trusted":false}"#],
        &[r#"{"process.code_signature.trusted":[false,true]}"#],
    ),
    ("any where user.name == null", &[r"{}", r#"{"user":{"name":[]}}"#], &[r#"{"user.name":""}"#]),
    ("any where user.name != null", &[r#"{"user.name":""}"#], &[r"{}"]),
    // Fields of no known type.
    (
        r#"any where my.field == "x""#,
        &[r#"{"my":{"field":["y","x"]}}"#],
        &[r#"{"my.field":"X"}"#, r#"{"my.field":1}"#],
    ),
    (
        r#"any where my.field == "7""#,
        &[r#"{"my.field":7}"#, r#"{"my.field":"7"}"#],
        &[r#"{"my.field":8}"#, r#"{"my.field":"7.0x"}"#],
    ),
    ("any where my.field > 3", &[r#"{"my.field":"4"}"#], &[r#"{"my.field":"x"}"#, r"{}"]),
    (r#"any where my.field == "::1""#, &[r#"{"my.field":"0::1"}"#], &[r#"{"my.field":"::2"}"#]),
    // Expressions.
    (
        "any where length(process.name) > 3",
        &[r#"{"process.name":["a","abcd"]}"#],
        &[r#"{"process.name":["ab","abc"]}"#, r"{}"],
    ),
    (
        "any where not length(process.name) > 3",
        &[r"{}", r#"{"process.name":"abc"}"#],
        &[r#"{"process.name":"abcd"}"#],
    ),
    (
        r#"any where concat(process.name, ":", user.name) == "a:b""#,
        &[r#"{"process.name":["x","a"],"user.name":["y","b"]}"#],
        &[r#"{"process.name":"a"}"#, r#"{"process.name":"a","user.name":"c"}"#],
    ),
    ("any where process.pid + 1 == 5", &[r#"{"process.pid":[9,4]}"#], &[r#"{"process.pid":5}"#, r"{}"]),
    (
        r#"any where startsWith~(process.command_line, process.name)"#,
        &[r#"{"process.command_line":"CMD /c","process.name":"cmd"}"#],
        &[r#"{"process.command_line":"cmd"}"#],
    ),
    // Categories.
    (
        "process where true",
        &[r#"{"event":{"category":["file","process"]}}"#, r#"{"event.category":"process"}"#],
        &[r"{}", r#"{"event.category":"Process"}"#],
    ),
    ("any where true", &[r"{}"], &[]),
    ("any where false", &[], &[r"{}"]),
    (
        r#"process where event.type == "start" and event.type == "info""#,
        &[r#"{"event":{"category":"process","type":["start","info"]}}"#],
        &[
            r#"{"event":{"category":"process","type":"start"}}"#,
            r#"{"event":{"category":"process","type":"info"}}"#,
        ],
    ),
    (
        r#"process where event.type in ("start", "change") and host.os.type == "linux""#,
        &[r#"{"event":{"category":"process","type":"change"},"host.os.type":"linux"}"#],
        &[
            r#"{"event":{"category":"process","type":"change"},"host.os.type":"macos"}"#,
            r#"{"event":{"category":"process","type":"change"}}"#,
            r#"{"event":{"category":"process","type":"end"},"host.os.type":"linux"}"#,
        ],
    ),
    // Witnesses of every shape.
    (
        r#"process where not process.name : "a" and not user.name : "b""#,
        &[r#"{"event.category":"process"}"#, r#"{"event.category":"process","process.name":"c"}"#],
        &[
            r#"{"event.category":"process","process.name":"A"}"#,
            r#"{"event.category":"process","user.name":["x","b"]}"#,
        ],
    ),
    (
        r#"any where process.name == "a" or not user.name == "b""#,
        &[r"{}", r#"{"process.name":"a","user.name":"b"}"#],
        &[r#"{"user.name":"b"}"#],
    ),
    (
        r#"any where process.name == "a" or process.pid == 4 or user.name like "b*" or length(process.args) == 2"#,
        &[
            r#"{"process.name":"a"}"#,
            r#"{"process.pid":4}"#,
            r#"{"user.name":"bob"}"#,
            r#"{"process.args":["x","yy"]}"#,
        ],
        &[r"{}", r#"{"process.name":"b","process.pid":3,"user.name":"a","process.args":"x"}"#],
    ),
    (
        r#"any where not (process.name != "a" or user.name != "b")"#,
        &[r#"{"process.name":"a","user.name":"b"}"#],
        &[r#"{"process.name":"a"}"#, r"{}"],
    ),
];

#[test]
fn each_query_alone_and_all_together() {
    let all = engine(&CASES.iter().map(|(query, _, _)| *query).collect::<Vec<_>>());
    for (n, (query, matching, other)) in CASES.iter().enumerate() {
        let alone = engine(&[query]);
        let id = n.to_string();
        for (records, expected) in [(matching, true), (other, false)] {
            for record in *records {
                assert_eq!(hit_rules(&alone, &[record]) == ["0"], expected, "{query}\n{record}");
                let together = hit_rules(&all, &[record]);
                assert_eq!(
                    together[0].split(' ').any(|hit| hit == id),
                    expected,
                    "{query} among others\n{record}"
                );
            }
        }
    }
}

#[test]
fn what_rules_have_in_common_is_one_predicate() {
    let apart = engine(&[r#"any where process.name : "a""#, "any where process.pid == 4"]);
    let common = engine(&[
        r#"any where process.name : "a" and process.pid == 4"#,
        r#"any where process.name : "A" or process.pid == 4"#,
        r#"process where event.type == "start" and not process.name : "a""#,
    ]);
    assert_eq!(apart.size().predicates, 2);
    // Category and type are the gate's.
    assert_eq!(common.size().predicates, 2);
}

#[test]
fn only_what_a_witness_points_at_is_looked_at() {
    let engine = engine(&[
        r#"process where event.type == "start" and process.name : "a" and process.pid > 1"#,
        r#"process where event.type == "end" and process.name : "a""#,
        r#"network where process.name : "a""#,
        r#"process where not process.name : "a""#,
        "process where false",
    ]);
    assert_eq!(engine.size().without_witness, 1);
    let record = r#"{"event":{"category":"process","type":"start"},"process":{"name":"A","pid":0}}"#;
    let (hits, stats) = hits_of(&engine, &[record]);
    // The first by its witness, the fourth because it has none; gates hold the others back.
    assert_eq!((hits.len(), stats.candidates, stats.events), (0, 2, 1));
    let (_, stats) = hits_of(&engine, &[r#"{"event":{"category":"file"},"process":{"name":"A"}}"#]);
    assert_eq!(stats.candidates, 0);
}

#[test]
fn object_scopes_hold_for_one_element() {
    let endpoint = |eql: &str| {
        let mut rule = bare_rule("o");
        rule.os_list = vec!["windows".to_owned()];
        engine_of(vec![with_rule(rule, eql)], &EngineOptions::default())
    };
    let frames = |frames: &str| format!(r#"{{"user.name":"K","process":{{"Ext":{{"frames":{frames}}}}}}}"#);
    let both = r#"any where _arraysearch(process.Ext.frames, $f, $f.module : "k*" and $f.size >= 3)"#;
    let event_field = "any where _arraysearch(process.Ext.frames, $f, startswith~($f.module, user.name))";
    let inner = r#"any where _arraysearch(process.Ext.frames, $f, _arraysearch($f.signers, $s, $s.name == "x" and $f.size == 1))"#;
    let exists = "any where process.Ext.frames != null";
    let cases = [
        (both, r#"[{"module":"KERNEL","size":3},{"module":"x"}]"#, true),
        (both, r#"[{"module":"k"},{"module":"x","size":9}]"#, false),
        (both, r#"{"module":"k\u0065r","size":"5"}"#, true),
        (both, "[]", false),
        (both, r#"["k",3]"#, false),
        (event_field, r#"[{"module":"no"},{"module":"kernel"}]"#, true),
        (event_field, r#"[{"module":"no"}]"#, false),
        (
            inner,
            r#"[{"size":2,"signers":[{"name":"x"}]},{"size":1,"signers":[{"name":"y"},{"name":"x"}]}]"#,
            true,
        ),
        (inner, r#"[{"size":2,"signers":[{"name":"x"}]},{"size":1,"signers":{"name":"y"}}]"#, false),
        (exists, r#"[{"a":1}]"#, true),
        (exists, "null", false),
    ];
    for (eql, value, expected) in cases {
        let engine = endpoint(eql);
        for _ in 0..2 {
            assert_eq!(hits_of(&engine, &[&frames(value)]).0.len() == 1, expected, "{eql}\n{value}");
        }
    }
}

#[test]
fn another_rules_object_scope_does_not_make_a_scalar_field_present() {
    let mut rule = bare_rule("o");
    rule.os_list = vec!["windows".to_owned()];
    let search = with_rule(rule, "any where _arraysearch(my.list, $e, $e.a == 1)");
    let exists = with_rule(bare_rule("e"), "any where my.list != null");
    let record = r#"{"my":{"list":[{"a":1}]}}"#;
    let alone = engine_of(vec![exists.clone()], &EngineOptions::default());
    assert_eq!(hit_rules(&alone, &[record]), [""]);
    assert_eq!(hit_rules(&engine_of(vec![search, exists], &EngineOptions::default()), &[record]), ["o"]);
}

#[test]
fn an_endpoint_rule_keeps_to_its_systems() {
    let mut rule = bare_rule("e");
    rule.os_list = vec!["windows".to_owned(), "macos".to_owned()];
    let engine =
        engine_of(vec![with_rule(rule, r#"any where process.name == "a""#)], &EngineOptions::default());
    let record = |os: &str| format!(r#"{{"process.name":"a"{os}}}"#);
    let records = [record(r#","host.os.type":"windows""#), record(r#","host.os.type":"linux""#), record("")];
    assert_eq!(hit_rules(&engine, &records.each_ref().map(String::as_str)), ["e", "", "e"]);
}

#[test]
fn combinations_past_the_limit_are_reported() {
    let engine = engine(&["any where length(concat(process.args, user.name, process.name)) == 1"]);
    let list = (0..20).map(|n| format!("\"aa{n}\"")).collect::<Vec<_>>().join(",");
    let record = format!(r#"{{"process":{{"args":[{list}],"name":[{list}]}},"user.name":[{list}]}}"#);
    let (hits, stats) = hits_of(&engine, &[&record]);
    assert_eq!((hits.len(), stats.cut), (0, 1));
}

#[test]
fn index_patterns_choose_events() {
    let indexed = |id: &str, patterns: &[&str]| {
        let mut rule = bare_rule(id);
        rule.index = Some(patterns.iter().map(|pattern| (*pattern).to_owned()).collect());
        with_rule(rule, "any where true")
    };
    let rules = vec![
        indexed("all", &["logs-*", "winlogbeat-*"]),
        indexed("beat", &["winlogbeat-*"]),
        indexed("not-sec", &["logs-*", "-logs-system.security*"]),
        indexed("remote", &["*:logs-*"]),
        with_rule(bare_rule("none"), "any where true"),
    ];
    let records = [
        r#"{"_index":"winlogbeat-8.1-2024.01.01"}"#,
        r#"{"data_stream":{"type":"logs","dataset":"system.security","namespace":"prod"}}"#,
        r#"{"event":{"dataset":"endpoint.events.process"}}"#,
        r#"{"_index":".ds-logs-endpoint.events.process-default-2024.05.01-000001"}"#,
        r#"{"agent.type":"winlogbeat"}"#,
        r#"{"_index":"my-own"}"#,
        r"{}",
    ];
    let expected = [
        "all beat none",
        "all beat none remote",
        "all none not-sec remote",
        "all none not-sec remote",
        "all beat none",
        "none",
        "all beat none not-sec remote",
    ];
    let engine = engine_of(rules.clone(), &EngineOptions::default());
    assert_eq!(hit_rules(&engine, &records), expected);
    let (_, stats) = hits_of(&engine, &records);
    assert_eq!(stats.without_index, 1);
    assert_eq!(stats.other_index, 11);
    // Twice the same: the second time from what is kept.
    let twice: Vec<&str> = records.iter().chain(&records).copied().collect();
    assert_eq!(hit_rules(&engine, &twice)[records.len()..], expected);

    let any = engine_of(rules, &EngineOptions { any_index: true, ..Default::default() });
    let (hits, stats) = hits_of(&any, &records);
    assert_eq!((hits.len(), stats.without_index, stats.other_index), (5 * records.len(), 0, 0));
}

#[test]
fn what_cannot_run_yet_is_named() {
    let endpoint = |eql: &str| {
        let mut rule = bare_rule("x");
        rule.os_list = vec!["windows".to_owned()];
        with_rule(rule, eql)
    };
    let cases = [(
        endpoint(
            "sequence [any where true] as event0 [any where descendant of [any where user.name == event0.user.name]]",
        ),
        "within lineage",
    )];
    for (rule, word) in cases {
        let (engine, not_run) = Engine::new(
            vec![rule, with_rule(bare_rule("runs"), "any where true")],
            &EngineOptions::default(),
        );
        assert!(not_run.len() == 1 && not_run[0].reason.contains(word), "{not_run:?}");
        assert_eq!(engine.rules().map(|rule| rule.id.as_str()).collect::<Vec<_>>(), ["runs"]);
    }
    let Logic::Sequence(sequence) =
        query("sequence by user.name [any where true] [any where true]", Dialect::Elasticsearch).logic
    else {
        panic!("a sequence was written");
    };
    assert!(sequence.steps.iter().all(|Step { runs, .. }| *runs == 1));
}

/// Gives `process.name` from the source slot 0, upper-cased, when it is asked for.
struct Mapped {
    name: Slot,
}

impl Resolver for Mapped {
    fn resolve(&self, slot: Slot, record: &str, _: &dyn Facts, state: &mut EventState) {
        if slot == self.name
            && let Some(value) = state.source.first(0)
        {
            let text = value.datum(record, &state.arena).as_text().unwrap_or("").to_uppercase();
            let text = state.store_text(&text).unwrap();
            state.ecs.push(slot.index(), Scalar::Text(text));
        }
    }
}

#[test]
fn fields_that_a_mapping_makes_are_matched() {
    let engine =
        engine(&[r#"any where process.name == "NMAP" and user.name == null and length(process.name) == 4"#]);
    let resolver = Mapped { name: engine.fields().get("process.name").unwrap() };
    let record = r#"{"Image":"nmap"}"#;
    let mut builder = quell_event::ProjectionBuilder::new();
    builder.add("Image", 0, quell_event::Want::Scalars);
    let mut state = EventState::default();
    state.begin(1, engine.fields().len());
    builder.build().project(record, &mut state).unwrap();
    let mut hits = Vec::new();
    let mut event = Event::new(record, &mut state, Some(&resolver));
    engine.matcher().match_event(&mut event, &mut || scan::record_ref(0, record), &mut hits);
    assert_eq!(hits.len(), 1);
}

impl Whole for Mapped {
    fn document(&self, record: &str, _: &dyn Facts) -> Option<String> {
        Some(format!(r#"{{"process":{{"name":"NMAP","args":["a",7]}},"winlog":{{"event_data":{record}}}}}"#))
    }
}

#[test]
fn tests_that_name_no_field_see_the_whole_document_that_a_mapping_makes() {
    let keyword = |value: &str| Predicate::Keyword {
        field: FieldRef::event("", FieldType::Unknown),
        values: vec![value.into()],
        case: Case::Sensitive,
    };
    let any = |value: &str| Predicate::AnyField { test: Box::new(keyword(value)) };
    let named = |names: &str, value: &str| Predicate::FieldNames {
        pattern: Wildcard::parse(names),
        test: Box::new(keyword(value)),
    };
    let cases = [
        (any("NMAP"), true),
        (any("nmap"), true),
        (any("7"), true),
        (any("zmap"), false),
        (named("winlog.*", "nmap"), true),
        (named("process.*", "nmap"), false),
        (named("process.a*", "7"), true),
    ];
    for (predicate, expected) in cases {
        let condition = Condition::leaf(predicate.clone(), Span::default());
        let filter = EventFilter { category: None, condition, span: Span::default() };
        let query = Query { logic: Logic::Event(filter), pipes: vec![] };
        let rules = vec![EngineRule { rule: Arc::new(bare_rule("0")), query }];
        let engine = engine_of(rules, &EngineOptions::default());
        let mapped = Mapped { name: Slot::new(u32::MAX) };
        let record = r#"{"Image":"nmap"}"#;
        let mut state = EventState::default();
        state.begin(1, engine.fields().len());
        let mut hits = Vec::new();
        let mut event = Event::new(record, &mut state, Some(&mapped)).with_whole(&mapped);
        engine.matcher().match_event(&mut event, &mut || scan::record_ref(0, record), &mut hits);
        assert_eq!(hits.len(), usize::from(expected), "{predicate:?}");
    }
}

#[test]
fn events_of_sequences_without_time_or_with_too_many_keys_are_counted_once() {
    let engine = engine(&[
        "sequence by process.args, user.name [any where true] [any where true]",
        "sample by process.args, user.name [any where true] [any where true]",
    ]);
    let names: Vec<String> = (0..40).map(|n| format!("\"{n}\"")).collect();
    let many = format!(
        r#"{{"@timestamp":"2024-05-01T00:00:00Z","process":{{"args":[{0}]}},"user":{{"name":[{0}]}}}}"#,
        names.join(",")
    );
    let records = [
        r#"{"@timestamp":"2024-05-01T00:00:00Z","process":{"args":["a"]},"user":{"name":"u"}}"#,
        r#"{"process":{"args":["a"]},"user":{"name":"u"}}"#,
        r#"{"process":{"args":["a"]}}"#,
        many.as_str(),
    ];
    let (hits, stats) = hits_of(&engine, &records);
    // Two steps each: the sequence takes the first and the last event, the sample the second too.
    assert_eq!((hits.len(), &*stats.hits), (10, &[4, 6][..]));
    assert_eq!((stats.without_time, stats.keys_cut), (1, 1));
}
