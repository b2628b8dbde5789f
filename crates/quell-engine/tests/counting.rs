//! Thresholds and new terms against plain definitions of them, whole, in pieces, and within bounds.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod scan;

use proptest::prelude::*;
use quell_engine::{
    Alert, Correlator, Detection, Engine, EngineOptions, EngineRule, Hit, NoTrace, Particulars,
    ThresholdResult, correlate,
};
use quell_eql::Dialect;
use quell_ir::logic::{Cardinality, JoinKey, NewTerms, Threshold};
use quell_ir::{Case, EventFilter, FieldRef, FieldType, Logic, Query, Value};
use quell_rules::rule::FieldOverrides;
use scan::{bare_rule, engine_of, hits_of, query};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

fn filter(eql: &str) -> EventFilter {
    match query(eql, Dialect::Elasticsearch).logic {
        Logic::Event(filter) => filter,
        _ => panic!("no event query"),
    }
}

fn field(path: &str) -> FieldRef {
    FieldRef::event(path, FieldType::Keyword)
}

fn keys(paths: &[&str]) -> Vec<JoinKey> {
    let key = |path: &&str| JoinKey { field: field(path), optional: false, case: Case::Sensitive };
    paths.iter().map(key).collect()
}

fn rule(id: &str, logic: Logic) -> EngineRule {
    EngineRule { rule: Arc::new(bare_rule(id)), query: Query { logic, pipes: Vec::new() } }
}

/// Windows are in milliseconds here.
fn threshold(by: &[&str], value: u64, cardinality: &[(&str, u64)], window: u64) -> Logic {
    Logic::Threshold(Threshold {
        filter: filter("any where go == true"),
        by: keys(by),
        value,
        cardinality: cardinality
            .iter()
            .map(|(path, value)| Cardinality { field: field(path), value: *value })
            .collect(),
        window: Duration::from_millis(window),
    })
}

fn new_terms(fields: &[&str], history: u64) -> Logic {
    Logic::NewTerms(NewTerms {
        filter: filter("any where go == true"),
        terms: keys(fields),
        history: Duration::from_millis(history),
    })
}

fn one(logic: Logic, options: &EngineOptions) -> Engine {
    engine_of(vec![rule("r", logic)], options)
}

/// The numbers of the events of each detection, from 1.
fn numbers(detections: &[Detection]) -> Vec<Vec<u64>> {
    let members = |found: &Detection| {
        found.members.iter().flatten().map(|member| member.record.position.number).collect()
    };
    detections.iter().map(members).collect()
}

fn found(engine: &Engine, records: &[&str]) -> Vec<Vec<u64>> {
    numbers(&correlate(engine, hits_of(engine, records).0))
}

fn result(found: &Detection) -> &ThresholdResult {
    match found.particulars.as_deref() {
        Some(Particulars::Threshold(result)) => result,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_group_alerts_when_it_reaches_its_value_and_is_quiet_for_a_window() {
    let engine = one(threshold(&["k"], 2, &[], 10), &EngineOptions::default());
    let records = [
        r#"{"@timestamp":0,"k":"a","go":true}"#,
        r#"{"@timestamp":11,"k":"a","go":true}"#, // the first is too old
        r#"{"@timestamp":12,"k":"b","go":true}"#, // another group
        r#"{"@timestamp":21,"k":"a","go":true}"#, // 2 and 4: exactly the window
        r#"{"@timestamp":22,"k":"a","go":true}"#, // quiet
        r#"{"@timestamp":31,"k":"a","go":true}"#, // quiet to the end of the window
        r#"{"@timestamp":32,"k":"a","go":true}"#, // 5, 6 and 7
        r#"{"@timestamp":32,"go":true}"#,         // no group
        r#"{"@timestamp":33,"k":"b","go":false}"#, // not of the rule
    ];
    let detections = correlate(&engine, hits_of(&engine, &records).0);
    assert_eq!(numbers(&detections), [vec![2, 4], vec![5, 6, 7]]);
    assert_eq!(detections[0].keys, [Value::Text("a".into())]);
    assert_eq!(detections[0].time, Some(21_000_000));
    let expected = ThresholdResult {
        terms: vec![("k".into(), Value::Text("a".into()))],
        cardinality: Vec::new(),
        count: 2,
        from: 11_000_000,
    };
    assert_eq!(*result(&detections[0]), expected);
    assert_eq!(result(&detections[1]).count, 3);
}

#[test]
fn distinct_values_are_counted_each_once_and_forgotten_with_their_events() {
    let engine = one(threshold(&[], 1, &[("p", 3)], 10), &EngineOptions::default());
    let records = [
        r#"{"@timestamp":0,"p":1,"go":true}"#,
        r#"{"@timestamp":1,"p":2,"go":true}"#,
        r#"{"@timestamp":2,"p":[1,2],"go":true}"#,
        r#"{"@timestamp":11,"p":3,"go":true}"#, // 1 and 2 by the third event
        r#"{"@timestamp":30,"p":[4,5],"go":true}"#,
        r#"{"@timestamp":31,"go":true}"#,
        r#"{"@timestamp":41,"p":6,"go":true}"#, // 4 and 5 are gone
    ];
    let detections = correlate(&engine, hits_of(&engine, &records).0);
    assert_eq!(numbers(&detections), [[2, 3, 4]]);
    assert_eq!(result(&detections[0]).cardinality, [("p".into(), 3)]);
    assert!(detections[0].keys.is_empty());
}

#[test]
fn an_event_counts_in_every_combination_of_its_values() {
    let engine = one(threshold(&["k", "h"], 2, &[], 10), &EngineOptions::default());
    let records = [
        r#"{"@timestamp":0,"k":["a","b"],"h":["x","y"],"go":true}"#,
        r#"{"@timestamp":1,"k":"a","h":"y","go":true}"#,
        r#"{"@timestamp":2,"k":"b","h":["x","z"],"go":true}"#,
        r#"{"@timestamp":3,"k":"b","go":true}"#,
    ];
    let detections = correlate(&engine, hits_of(&engine, &records).0);
    let keys: Vec<String> = detections.iter().map(|one| format!("{:?}", one.keys)).collect();
    assert_eq!(keys, [r#"[Text("a"), Text("y")]"#, r#"[Text("b"), Text("x")]"#]);
    assert_eq!(numbers(&detections), [[1, 2], [1, 3]]);
}

#[test]
fn only_the_newest_events_are_kept_and_all_are_counted() {
    let engine = one(threshold(&["k"], 250, &[], 10), &EngineOptions::default());
    let records: Vec<String> =
        (0..250).map(|n| format!(r#"{{"@timestamp":{},"k":"a","n":{n},"go":true}}"#, n / 100)).collect();
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    let detections = correlate(&engine, hits_of(&engine, &records).0);
    assert_eq!(detections.len(), 1);
    assert_eq!((result(&detections[0]).count, result(&detections[0]).from), (250, 0));
    assert_eq!(numbers(&detections)[0], (151..=250).collect::<Vec<u64>>());
}

#[test]
fn terms_are_new_when_a_whole_history_window_has_not_seen_them() {
    let options = EngineOptions { no_warm_up: true, ..EngineOptions::default() };
    let engine = one(new_terms(&["k"], 10), &options);
    let records = [
        r#"{"@timestamp":0,"k":"a","go":true}"#,
        r#"{"@timestamp":0,"k":["a","b"],"go":true}"#, // b is new
        r#"{"@timestamp":10,"k":"a","go":true}"#,      // seen at the very start of its history
        r#"{"@timestamp":20,"k":"a","go":true}"#,      // renewed at 10
        r#"{"@timestamp":31,"k":"a","go":true}"#,
        r#"{"@timestamp":32,"go":true}"#,
        r#"{"@timestamp":33,"k":"c","go":false}"#,
    ];
    let detections = correlate(&engine, hits_of(&engine, &records).0);
    assert_eq!(numbers(&detections), [[1], [2], [5]]);
    assert_eq!(
        detections[1].particulars.as_deref(),
        Some(&Particulars::NewTerms(vec![Value::Text("b".into())]))
    );
}

#[test]
fn a_new_terms_rule_is_silent_for_its_first_history_window() {
    let engine = one(new_terms(&["k"], 10), &EngineOptions::default());
    let records = [
        r#"{"@timestamp":5,"k":"a","go":true}"#,
        r#"{"@timestamp":14,"k":"b","go":true}"#,
        r#"{"@timestamp":15,"k":"c","go":true}"#,
        r#"{"@timestamp":15,"k":"a","go":true}"#,
    ];
    assert_eq!(found(&engine, &records), [[3]]);
    // The data began earlier than the rule's own events.
    let (mut correlator, mut detections) = (Correlator::new(&engine), Vec::new());
    correlator.begin(4_000_000);
    for hit in sorted(&engine, &records) {
        correlator.push(hit, &mut detections, &mut NoTrace);
    }
    correlator.finish(&mut detections, &mut NoTrace);
    assert_eq!(numbers(&detections), [[2], [3]]);
}

#[test]
fn rules_that_count_go_by_their_timestamp_override() {
    let with = |no_timestamp_fallback| {
        let mut of_override = bare_rule("r");
        of_override.overrides = FieldOverrides {
            timestamp_override: Some("event.created".to_owned()),
            no_timestamp_fallback,
            ..FieldOverrides::default()
        };
        let query = Query { logic: threshold(&[], 2, &[], 10), pipes: Vec::new() };
        engine_of(vec![EngineRule { rule: Arc::new(of_override), query }], &EngineOptions::default())
    };
    let records = [
        r#"{"@timestamp":0,"event.created":100,"go":true}"#,
        r#"{"@timestamp":90,"go":true}"#,
        r#"{"@timestamp":500,"event.created":105,"go":true}"#,
    ];
    assert_eq!(found(&with(false), &records), [[2, 1]]);
    assert_eq!(found(&with(true), &records), [[1, 3]]);
}

fn sorted(engine: &Engine, records: &[&str]) -> Vec<Hit> {
    let (mut hits, _) = hits_of(engine, records);
    hits.sort_by(|a, b| engine.order(a, b));
    hits
}

/// Time, groups (several where it has several bits), value.
type Row = (u8, u8, u8);

fn groups(bits: u8) -> impl Iterator<Item = u8> {
    (0..3).filter(move |group| bits & (1 << group) != 0)
}

fn record((time, bits, value): &Row) -> String {
    let groups: Vec<String> = groups(*bits).map(|group| format!("\"{group}\"")).collect();
    format!(r#"{{"@timestamp":{time},"k":[{}],"v":{value},"go":true}}"#, groups.join(","))
}

/// The detections of a threshold, by its definition: the places of the last events, and the counts.
fn plain_threshold(rows: &[Row], value: usize, distinct: usize, window: u8) -> Vec<(usize, u8, u64)> {
    let mut detections = Vec::new();
    for group in 0..3 {
        let mut alerted: Option<u8> = None;
        for (at, (time, bits, _)) in rows.iter().enumerate() {
            if bits & (1 << group) == 0 || alerted.is_some_and(|last| time - last <= window) {
                continue;
            }
            let within: Vec<&Row> = rows[..=at]
                .iter()
                .filter(|(then, bits, _)| bits & (1 << group) != 0 && time - then <= window)
                .collect();
            let values: BTreeSet<u8> = within.iter().map(|(_, _, value)| *value).collect();
            if within.len() >= value && values.len() >= distinct {
                alerted = Some(*time);
                detections.push((at, group, within.len() as u64));
            }
        }
    }
    detections.sort_unstable();
    detections
}

fn straight(engine: &Engine, hits: Vec<Hit>) -> Vec<Detection> {
    let (mut correlator, mut found) = (Correlator::new(engine), Vec::new());
    for hit in hits {
        correlator.push(hit, &mut found, &mut NoTrace);
    }
    correlator.finish(&mut found, &mut NoTrace);
    found
}

fn ids(engine: &Engine, detections: Vec<Detection>) -> Vec<String> {
    detections.into_iter().map(|found| Alert::new(engine, found).unwrap().id).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 300, ..Default::default() })]
    #[test]
    fn thresholds_are_what_their_definition_says(
        mut rows in proptest::collection::vec((0u8..40, 1u8..8, 0u8..4), 0..40),
        value in 1u64..5,
        distinct in 0u64..4,
        window in 0u8..12,
    ) {
        rows.sort_by_key(|(time, ..)| *time);
        let engine = one(threshold(&["k"], value, &[("v", distinct)], window.into()), &EngineOptions::default());
        let records: Vec<String> = rows.iter().map(record).collect();
        let records: Vec<&str> = records.iter().map(String::as_str).collect();
        let mut found: Vec<(usize, u8, u64)> = straight(&engine, sorted(&engine, &records))
            .iter()
            .map(|one| {
                let last = one.members.last().unwrap().as_ref().unwrap();
                let Value::Text(key) = &one.keys[0] else { panic!("no text") };
                (last.record.position.number as usize - 1, key.parse().unwrap(), result(one).count)
            })
            .collect();
        found.sort_unstable();
        prop_assert_eq!(found, plain_threshold(&rows, value as usize, distinct as usize, window));
    }

    #[test]
    fn counts_and_terms_go_on_where_they_were_saved(
        mut rows in proptest::collection::vec((0u8..40, 1u8..8, 0u8..4), 0..40),
        cuts in proptest::collection::vec(0usize..40, 0..6),
    ) {
        rows.sort_by_key(|(time, ..)| *time);
        let rules = || vec![
            rule("0", threshold(&["k"], 3, &[("v", 2)], 8)),
            rule("1", threshold(&[], 4, &[], 5)),
            rule("2", new_terms(&["k", "v"], 9)),
        ];
        let engine = engine_of(rules(), &EngineOptions::default());
        let records: Vec<String> = rows.iter().map(record).collect();
        let records: Vec<&str> = records.iter().map(String::as_str).collect();
        let hits = sorted(&engine, &records);
        let expected = ids(&engine, straight(&engine, hits.clone()));
        let again = engine_of(rules(), &EngineOptions::default());
        let (mut correlator, mut found) = (Correlator::new(&engine), Vec::new());
        for (at, hit) in hits.into_iter().enumerate() {
            if cuts.contains(&at) {
                let bytes = correlator.save(std::iter::empty()).unwrap();
                let restored = Correlator::restore(&again, &bytes).unwrap();
                prop_assert!(restored.dropped.is_empty());
                correlator = restored.correlator;
                for hit in restored.waiting {
                    correlator.push(hit, &mut found, &mut NoTrace);
                }
            }
            correlator.push(hit, &mut found, &mut NoTrace);
        }
        correlator.finish(&mut found, &mut NoTrace);
        prop_assert_eq!(ids(&engine, found), expected);
    }
}

#[test]
fn what_is_out_of_the_window_is_forgotten_and_the_rest_stays_within_bounds() {
    let rules = vec![rule("0", threshold(&["k"], 5, &[("n", 5)], 100)), rule("1", new_terms(&["k"], 100))];
    let engine = engine_of(rules, &EngineOptions::default());
    let records: Vec<String> =
        (0..20_000).map(|n| format!(r#"{{"@timestamp":{n},"k":"{n}","n":{n},"go":true}}"#)).collect();
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    let hits = sorted(&engine, &records);
    let (mut correlator, mut found) = (Correlator::new(&engine), Vec::new());
    let mut most = 0;
    for hit in hits {
        correlator.push(hit, &mut found, &mut NoTrace);
        most = most.max(correlator.bytes());
    }
    assert!(most < 3 << 20, "{most}");
    assert_eq!(correlator.evicted(), [0, 0]);
    correlator.evict(20_000, 20_000_000_000, &mut found);
    assert!(correlator.bytes() <= 20_000);
    assert!(correlator.evicted().iter().all(|n| *n > 0), "{:?}", correlator.evicted());
    correlator.evict(0, i64::MAX, &mut found);
    assert_eq!(correlator.bytes(), 0);
}
