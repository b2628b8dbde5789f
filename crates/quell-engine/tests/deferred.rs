//! What matching leaves open: aliases of earlier steps and lineage, from records through a matcher to the decision.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod definition;
mod scan;

use bumpalo::Bump;
use definition::{Before, holds, holds_after};
use proptest::prelude::*;
use quell_engine::{Captured, Engine, EngineOptions, EngineRule, Fact, Facts, Hit, Lineage, Residual};
use quell_ir::expr::CompareOp;
use quell_ir::logic::{Category, Sequence, Sharding, Step};
use quell_ir::pattern::Wildcard;
use quell_ir::predicate::Relation;
use quell_ir::{
    Case, Condition, EventFilter, Expr, FieldRef, FieldType, Logic, Predicate, Query, Scope, Span, Value,
};
use scan::{bare_rule, engine_of, hits_of, with_rule};
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// An engine of rules in the Endpoint's dialect, named `0`, `1`, …
fn endpoint(queries: &[&str]) -> Engine {
    let rule = |(n, eql): (usize, &&str)| {
        let mut rule = bare_rule(&n.to_string());
        rule.os_list = vec!["windows".to_owned()];
        with_rule(rule, eql)
    };
    engine_of(queries.iter().enumerate().map(rule).collect(), &EngineOptions::default())
}

/// The numbers of the records, from 0, that hit that step of rule 0, and whether the hit stands after the events that
/// `earlier` names by the numbers of their records. Lineage is fed on the way.
fn decided(engine: &Engine, records: &[&str], step: u16, earlier: &[usize]) -> Vec<(usize, bool)> {
    let (hits, _) = hits_of(engine, records);
    let number = |hit: &Hit| usize::try_from(hit.record.position.number).unwrap() - 1;
    let before = |step: u16| -> Option<&[Captured]> {
        let record = earlier.get(usize::from(step))?;
        let hit = hits.iter().find(|hit| (hit.rule, hit.step) == (0, step) && number(hit) == *record)?;
        hit.aliased.as_deref()
    };
    let mut lineage = Lineage::default();
    let mut found = Vec::new();
    for record in 0..records.len() {
        let mut of_record: Vec<&Hit> = hits.iter().filter(|hit| number(hit) == record).collect();
        of_record.sort_by_key(|hit| std::cmp::Reverse(engine.fact_of(hit.rule).is_some()));
        of_record.iter().for_each(|hit| assert!(!lineage.observe(engine, hit).cut));
        for hit in of_record.iter().filter(|hit| (hit.rule, hit.step) == (0, step)) {
            found.push((record, engine.decide(hit, &before, &lineage).holds));
        }
    }
    found
}

#[test]
fn a_step_reads_the_event_of_an_earlier_one() {
    let first =
        r#"{"@timestamp":1,"process":{"name":["a.exe","b"],"pid":7,"args":["x","y"]},"my":[{"path":"dir"}]}"#;
    // The condition of the second step, records that satisfy it behind `first`, and records that do not.
    let cases: &[(&str, &[&str], &[&str])] = &[
        (
            "process.name == event0.process.name",
            &[r#"{"process":{"name":"b"}}"#, r#"{"process":{"name":["c","a.exe"]}}"#],
            &[r#"{"process":{"name":"A.exe"}}"#, "{}"],
        ),
        ("event0.process.pid == process.pid", &[r#"{"process":{"pid":"7"}}"#], &[r#"{"process":{"pid":8}}"#]),
        (
            "event0.process.pid != process.pid",
            &[r#"{"process":{"pid":8}}"#, "{}"],
            &[r#"{"process":{"pid":7}}"#],
        ),
        (
            r#"startswith~(process.command_line, event0.process.name) and user.name == "u""#,
            &[r#"{"process":{"command_line":"A.EXE -x"},"user":{"name":"u"}}"#],
            &[r#"{"process":{"command_line":"c"},"user":{"name":"u"}}"#],
        ),
        (
            r#"not stringcontains(process.command_line, concat(event0.process.name, "!", event0.process.pid))"#,
            &["{}", r#"{"process":{"command_line":"b 7"}}"#],
            &[r#"{"process":{"command_line":"at b!7 now"}}"#],
        ),
        (
            r#"event0.process.args : "Y" and (user.name == "u" or event0.user.name != null)"#,
            &[r#"{"user":{"name":"u"}}"#],
            &[],
        ),
        (
            r#"_arraysearch(process.Ext.frames, $f, stringcontains~($f.symbol, concat(event0.process.name, "!x")) and $f.size > 3)"#,
            &[r#"{"process":{"Ext":{"frames":[{"symbol":"q"},{"symbol":"B!X","size":4}]}}}"#],
            &[
                r#"{"process":{"Ext":{"frames":[{"symbol":"b!x","size":1},{"symbol":"y","size":4}]}}}"#,
                r#"{"process":{"Ext":{"frames":"b!x"}}}"#,
                "{}",
            ],
        ),
        (
            "_arraysearch(event0.my, $m, $m.path == user.name)",
            &[r#"{"user":{"name":"dir"}}"#],
            &[r#"{"user":{"name":"other"}}"#, "{}"],
        ),
    ];
    for (condition, yes, no) in cases {
        let engine = endpoint(&[&format!(
            "sequence [any where @timestamp != null] as event0 [any where {condition}]"
        )]);
        let records: Vec<String> =
            [&[first], *yes, *no].concat().iter().map(|record| (*record).to_owned()).collect();
        let timed = |(n, record): (usize, &String)| {
            let mut record: Json = serde_json::from_str(record).unwrap();
            record["@timestamp"] = Json::from(n + 1);
            record.to_string()
        };
        let records: Vec<String> = records.iter().enumerate().map(timed).collect();
        let records: Vec<&str> = records.iter().map(String::as_str).collect();
        let found = decided(&engine, &records, 1, &[0]);
        let stands: Vec<usize> =
            found.iter().filter(|(n, holds)| *holds && *n > 0).map(|(n, _)| *n).collect();
        assert_eq!(stands, (1..=yes.len()).collect::<Vec<_>>(), "{condition}");
        // What every other record lacks is found by matching alone.
        let nothing = decided(&engine, &records, 1, &[]);
        assert_eq!(nothing.len(), found.len(), "{condition}");
    }
}

#[test]
fn what_matching_can_answer_keeps_events_out() {
    let engine = endpoint(&[
        r#"sequence [any where true] as event0 [any where process.name == "a" and (process.pid == 1 or event0.process.pid == 2)]"#,
    ]);
    let records = [
        r#"{"@timestamp":1,"process":{"name":"b","pid":2}}"#,
        r#"{"@timestamp":2,"process":{"name":"a","pid":1}}"#,
        r#"{"@timestamp":3,"process":{"name":"a","pid":3}}"#,
    ];
    assert_eq!(decided(&engine, &records, 1, &[0]), [(1, true), (2, true)]);
    assert_eq!(decided(&engine, &records, 1, &[1]), [(1, true), (2, false)]);
    assert!(
        engine.residual(0, 0).is_none() && engine.residual(0, 2).is_none() && engine.residual(1, 0).is_none()
    );
    assert!(engine.residual(0, 1).unwrap().reads_earlier());
    let (hits, _) = hits_of(&engine, &records);
    assert!(
        hits.iter()
            .all(|hit| hit.facts.is_some() == (hit.step == 1) && hit.aliased.is_some() == (hit.step == 0))
    );
}

#[test]
fn facts_survive_being_saved() {
    let engine = endpoint(&[
        "sequence [any where true] as event0 [any where _arraysearch(process.Ext.frames, $f, $f.size == event0.process.pid) and descendant of [any where true]]",
    ]);
    let record = r#"{"@timestamp":3,"process":{"pid":3,"entity_id":"c","parent":{"entity_id":"p"},"Ext":{"ancestry":["p","g"],"frames":[{"size":3},"s"]}}}"#;
    let (hits, _) = hits_of(&engine, &[record]);
    let hit = hits.iter().find(|hit| (hit.rule, hit.step) == (0, 1)).unwrap();
    let facts = hit.facts.as_deref().unwrap();
    let again: Facts = serde_json::from_str(&serde_json::to_string(facts).unwrap()).unwrap();
    assert_eq!(again, *facts);
    let ids = facts.process().unwrap();
    assert_eq!((ids.entity.as_deref(), ids.parent.as_deref(), ids.ancestry.len()), (Some("c"), Some("p"), 2));
    let aliased = hits.iter().find(|hit| hit.step == 0 && hit.rule == 0).unwrap().aliased.clone().unwrap();
    let text = serde_json::to_string(&aliased).unwrap();
    assert_eq!(serde_json::from_str::<Arc<[Captured]>>(&text).unwrap(), aliased);
    assert_eq!(aliased[0].values, [Value::Integer(3)]);
}

#[test]
fn equalities_with_an_earlier_event_tie_a_step_to_it() {
    let ties = |condition: &str| {
        let engine = endpoint(&[&format!(
            "sequence [any where true] as event0 [any where true] as event1 [any where {condition}]"
        )]);
        let records = [
            r#"{"@timestamp":1,"process":{"name":["b","a","b"],"pid":7.0,"executable":9}}"#,
            r#"{"@timestamp":2,"process":{"name":"a","pid":"7","executable":"9"}}"#,
        ];
        let (hits, _) = hits_of(&engine, &records);
        let at = |record: u64, step: u16| {
            hits.iter().find(|hit| hit.record.position.number == record && hit.step == step).unwrap().clone()
        };
        let residual: &Residual = engine.residual(0, 2).unwrap();
        let keys = residual.ties().iter().map(|tie| {
            let own = tie.keys(at(2, 2).facts.as_deref().unwrap());
            (tie.step, tie.earlier_keys(at(1, tie.step).aliased.as_deref().unwrap()), own)
        });
        keys.collect::<Vec<_>>()
    };
    let text = |text: &str| Value::Text(text.into());
    assert_eq!(
        ties("process.name == event0.process.name and event1.process.pid == process.pid"),
        [
            (0, vec![text("a"), text("b")], vec![text("a")]),
            (1, vec![Value::Integer(7)], vec![Value::Integer(7)])
        ]
    );
    assert_eq!(ties("event1.process.executable == process.name"), [(1, vec![text("9")], vec![text("a")])]);
    assert_eq!(ties("my.unknown == event0.my.unknown and event1.source.ip == source.ip").len(), 2);
    for none in [
        "process.name != event0.process.name",
        "process.name == event0.process.name or process.pid == 1",
        "not process.name == event0.process.name",
        "event1.process.name == event0.process.name",
        "event.created == event0.event.created",
        "startswith(process.name, event0.process.name)",
    ] {
        assert!(ties(none).is_empty(), "{none}");
    }
}

/// A process event at a time; no parent where it is empty.
fn process(time: i64, kind: &str, name: &str, entity: &str, parent: &str) -> String {
    json!({
        "@timestamp": time,
        "event": { "category": "process", "type": kind },
        "process": { "name": name, "entity_id": entity, "parent": { "entity_id": parent } },
    })
    .to_string()
}

#[test]
fn lineage_is_told_by_hidden_hits() {
    let engine = endpoint(&[
        r#"process where process.name == "child" and descendant of [process where process.name == "doc"]"#,
        r#"process where not descendant of [process where process.name == "doc"] and process.name == "child""#,
        r#"any where descendant of [process where process.name == "other" and descendant of [process where process.name == "doc"]]"#,
    ]);
    assert_eq!(engine.rules().len(), 3);
    let facts: Vec<Option<Fact>> = (2..7).map(|rule| engine.fact_of(rule)).collect();
    let expected = [None, Some(Fact::Creation), Some(Fact::Source(0)), Some(Fact::Source(1)), None];
    assert_eq!(facts, expected);
    assert_eq!(engine.sharding(0), Some(&Sharding::SingleLane));
    let records = [
        process(1, "start", "doc", "d", "explorer"),
        process(2, "start", "child", "c1", "d"),
        process(3, "start", "other", "o", "c1"),
        process(4, "start", "child", "c2", "o"),
        process(5, "start", "child", "c3", "explorer"),
        process(6, "start", "child", "", "d"),
    ];
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    let (hits, stats) = hits_of(&engine, &records);
    // Matching leaves the lineage of all of them open.
    assert_eq!(stats.hits, [4, 4, 6]);
    let facts: Vec<(u64, Fact)> =
        hits.iter().filter_map(|hit| Some((hit.record.position.number, engine.fact_of(hit.rule)?))).collect();
    let expected = [
        (1, Fact::Creation),
        (1, Fact::Source(0)),
        (2, Fact::Creation),
        (3, Fact::Creation),
        (3, Fact::Source(1)),
        (4, Fact::Creation),
        (5, Fact::Creation),
    ];
    let mut sorted = facts;
    sorted.sort_by_key(|(number, fact)| (*number, *fact != Fact::Creation));
    assert_eq!(sorted, expected);

    let mut lineage = Lineage::default();
    let mut found = vec![Vec::new(); 3];
    let mut ordered: Vec<&Hit> = hits.iter().collect();
    ordered.sort_by_key(|hit| (hit.time, std::cmp::Reverse(engine.fact_of(hit.rule).is_some()), hit.rule));
    for hit in ordered {
        lineage.observe(&engine, hit);
        if engine.fact_of(hit.rule).is_none() && engine.decide(hit, &|_| None, &lineage).holds {
            found[hit.rule as usize].push(hit.record.position.number);
        }
    }
    // Nothing is known of a process without an id: it is no descendant.
    assert_eq!(found, [vec![2, 4], vec![5, 6], vec![4]]);
}

#[test]
fn lineage_stands_in_any_step() {
    let engine = endpoint(&[r#"sequence by user.name
           [any where process.name == "a" and not descendant of [process where process.name == "doc"]] as event0
           [any where descendant of [process where process.name == "doc"] or event0.process.name == process.name]
           until [process where event.type == "end" and descendant of [process where process.name == "doc"]]"#]);
    for step in 0..3 {
        assert_eq!(engine.residual(0, step).unwrap().reads_earlier(), step == 1);
    }
    let Some(source) = engine.source(0) else { panic!("a source was asked for") };
    assert!(source.category.is_some() && engine.source(1).is_none());
    // One filter, however often it is asked for.
    assert_eq!((engine.fact_of(2), engine.fact_of(3)), (Some(Fact::Source(0)), None));
}

#[test]
fn facts_without_time_are_counted_and_their_records_are_not_kept() {
    let engine = endpoint(&["any where descendant of [any where process.name == \"a\"]"]);
    let records = [
        r#"{"process":{"name":"a","entity_id":"e"}}"#,
        r#"{"process":{"name":"a"}}"#,
        r#"{"@timestamp":1,"process":{"name":"a","entity_id":"e"}}"#,
    ];
    let (hits, stats) = hits_of(&engine, &records);
    assert_eq!(stats.without_time, 1);
    let facts: Vec<&Hit> = hits.iter().filter(|hit| engine.fact_of(hit.rule).is_some()).collect();
    assert_eq!(facts.len(), 1);
    assert!(matches!(facts[0].record.text, quell_event::RecordText::Reread(0)));
    assert!(
        hits.iter().all(|hit| hit.rule != 0 || matches!(hit.record.text, quell_event::RecordText::Owned(_)))
    );
}

const WORDS: [&str; 3] = ["a", "b", "7"];

fn field(scope: Scope) -> impl Strategy<Value = FieldRef> {
    proptest::sample::select(&["x", "y"][..]).prop_map(move |path| FieldRef {
        scope: scope.clone(),
        path: path.into(),
        kind: FieldType::Keyword,
    })
}

fn equal(left: FieldRef, right: FieldRef) -> Predicate {
    Predicate::Expr(Expr::Compare(
        CompareOp::Equal,
        Box::new(Expr::Field(left)),
        Box::new(Expr::Field(right)),
    ))
}

fn keyword(scope: Scope) -> impl Strategy<Value = Predicate> {
    (field(scope), proptest::sample::select(&WORDS[..])).prop_map(|(field, word)| Predicate::Keyword {
        field,
        values: vec![word.into()],
        case: Case::Sensitive,
    })
}

fn filter(condition: Condition) -> EventFilter {
    EventFilter { category: None, condition, span: Span::default() }
}

fn event_of() -> impl Strategy<Value = Predicate> {
    keyword(Scope::Event).prop_map(|predicate| Predicate::Lineage {
        relation: Relation::Event,
        filter: Box::new(filter(Condition::leaf(predicate, Span::default()))),
    })
}

fn predicate() -> impl Strategy<Value = Predicate> {
    let leaf = |predicate| Condition::leaf(predicate, Span::default());
    let step = Scope::Step(0);
    let array = prop_oneof![Just(Scope::Event), Just(step.clone())].prop_map(|scope| FieldRef {
        scope,
        path: "list".into(),
        kind: FieldType::Unknown,
    });
    let inner = prop_oneof![
        keyword(Scope::Element(0)),
        (field(Scope::Element(0)), field(step.clone())).prop_map(|(own, other)| equal(own, other)),
        (field(Scope::Element(0)), field(Scope::Event)).prop_map(|(own, other)| equal(own, other)),
        event_of(),
    ];
    prop_oneof![
        4 => keyword(Scope::Event),
        1 => field(Scope::Event).prop_map(|field| Predicate::Wildcard { field, patterns: vec![Wildcard::parse("?")], case: Case::Folded }),
        2 => keyword(step.clone()),
        1 => field(step.clone()).prop_map(Predicate::Exists),
        3 => (field(Scope::Event), field(step)).prop_map(|(own, other)| equal(own, other)),
        2 => (array, inner.clone()).prop_map(move |(field, predicate)| Predicate::Object { field, condition: Box::new(leaf(predicate)) }),
        2 => event_of(),
    ]
}

fn condition() -> impl Strategy<Value = Condition> {
    let leaf = predicate().prop_map(|predicate| Condition::leaf(predicate, Span::default()));
    leaf.prop_recursive(4, 20, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Condition::And),
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Condition::Or),
            inner.prop_map(|inner| Condition::Not(Box::new(inner))),
        ]
    })
}

fn event() -> impl Strategy<Value = Json> {
    let word = || proptest::sample::select(&WORDS[..]);
    let some = || proptest::collection::vec(word(), 0..3);
    (some(), some(), word(), word()).prop_map(|(x, y, inner, other)| {
        json!({ "x": x, "y": y, "list": [{ "x": inner }, { "y": other }], "process": { "entity_id": "p" } })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..Default::default() })]
    #[test]
    fn matching_finds_what_is_possible_and_the_residual_decides(
        rules in proptest::collection::vec(condition(), 1..6),
        events in proptest::collection::vec(event(), 1..5),
    ) {
        let step = |condition: Condition, alias: Option<&str>| Step {
            filter: filter(condition),
            by: Vec::new(),
            runs: 1,
            missing: false,
            fork: false,
            alias: alias.map(Arc::from),
        };
        let compiled = rules.iter().enumerate().map(|(n, condition)| EngineRule {
            rule: Arc::new(bare_rule(&n.to_string())),
            query: Query {
                logic: Logic::Sequence(Sequence {
                    maxspan: None,
                    steps: vec![step(Condition::Constant(true), Some("event0")), step(condition.clone(), None)],
                    until: None,
                    until_first: false,
                }),
                pipes: Vec::new(),
            },
        });
        let engine = engine_of(compiled.collect(), &EngineOptions::default());
        let timed = |(n, event): (usize, &Json)| {
            let mut event = event.clone();
            event["@timestamp"] = Json::from(n + 1);
            event.to_string()
        };
        let records: Vec<String> = events.iter().enumerate().map(timed).collect();
        let records: Vec<&str> = records.iter().map(String::as_str).collect();
        let (mut hits, _) = hits_of(&engine, &records);
        hits.sort_by_key(|hit| (hit.time, std::cmp::Reverse(hit.rule)));
        let first: Vec<&Hit> = (0..rules.len()).map(|rule| hits.iter().find(|hit| hit.rule as usize == rule && hit.step == 0).unwrap()).collect();
        let mut lineage = Lineage::default();
        let mut arena = Bump::new();
        for (number, event) in events.iter().enumerate() {
            let of_event: Vec<&Hit> = hits.iter().filter(|hit| hit.record.position.number == number as u64 + 1).collect();
            of_event.iter().for_each(|hit| _ = lineage.observe(&engine, hit));
            let known = |_: Relation, filter: &EventFilter| events[..=number].iter().any(|event| holds(filter, event, &mut Bump::new()));
            let before = Before { events: &events[..1], lineage: &known };
            for (n, rule) in rules.iter().enumerate() {
                let expected = holds_after(&filter(rule.clone()), event, &before, &mut arena);
                let hit = of_event.iter().find(|hit| hit.rule as usize == n && hit.step == 1);
                let earlier = |step: u16| if step == 0 { first[n].aliased.as_deref() } else { None };
                let found = hit.is_some_and(|hit| engine.decide(hit, &earlier, &lineage).holds);
                prop_assert_eq!(found, expected, "{:?}\n{}\nafter {}", rule, event, events[0]);
            }
        }
    }
}

#[test]
fn a_category_is_part_of_a_source() {
    let lineage = |category: Option<&str>| Predicate::Lineage {
        relation: Relation::Child,
        filter: Box::new(EventFilter {
            category: category.map(|value| Category {
                field: FieldRef::event("event.category", FieldType::Keyword),
                value: value.into(),
            }),
            ..filter(Condition::Constant(true))
        }),
    };
    for (category, expected) in [(None, true), (Some("process"), true), (Some("file"), false)] {
        let rule = EngineRule {
            rule: Arc::new(bare_rule("0")),
            query: Query {
                logic: Logic::Event(filter(Condition::leaf(lineage(category), Span::default()))),
                pipes: Vec::new(),
            },
        };
        let engine = engine_of(vec![rule], &EngineOptions::default());
        let records = [process(1, "start", "a", "p", "g"), process(2, "start", "a", "c", "p")];
        let records: Vec<&str> = records.iter().map(String::as_str).collect();
        assert_eq!(decided(&engine, &records, 0, &[]), [(0, false), (1, expected)], "{category:?}");
    }
}
