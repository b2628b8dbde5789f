//! A correlator that is saved and gone on from gives what it would have given, and what is pending stays within bounds.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod scan;

use proptest::prelude::*;
use quell_engine::{Alert, Correlator, Detection, Engine, EngineOptions, EngineRule, Hit, NoTrace};
use quell_eql::Dialect;
use scan::{bare_rule, engine, engine_of, hits_of, query, with_rule};
use std::sync::Arc;

const RULES: [&str; 7] = [
    "any where v == 1",
    "sequence by k [any where v == 0] [any where v == 1] [any where true]",
    "sequence by k with maxspan=3ms [any where v == 0] ![any where v == 2] [any where v == 1] ![any where v == 3]",
    "sequence with maxspan=4ms ![any where v == 3] [any where v == 0] with runs=2 until [any where v == 2]",
    "sequence by k with maxspan=2ms [any where true] ![any where v == 1]",
    "sample by k [any where v == 0] [any where v == 1]",
    "sequence by k [any where v == 0] [any where v == 1] | tail 2",
];

fn sorted(engine: &Engine, records: &[(u8, u8, u8)]) -> Vec<Hit> {
    let records: Vec<String> = records
        .iter()
        .map(|(time, key, value)| format!(r#"{{"@timestamp":{time},"k":{key},"v":{value}}}"#))
        .collect();
    let (mut hits, _) = hits_of(engine, &records.iter().map(String::as_str).collect::<Vec<_>>());
    hits.sort_by(|a, b| engine.order(a, b));
    hits
}

fn ids(engine: &Engine, detections: Vec<Detection>) -> Vec<(String, String)> {
    let alert = |detection| Alert::new(engine, detection).unwrap();
    detections.into_iter().map(alert).map(|alert| (alert.rule.id.clone(), alert.id)).collect()
}

fn straight(engine: &Engine, hits: Vec<Hit>) -> Vec<Detection> {
    let (mut correlator, mut found) = (Correlator::new(engine), Vec::new());
    for hit in hits {
        correlator.push(hit, &mut found, &mut NoTrace);
    }
    correlator.finish(&mut found, &mut NoTrace);
    found
}

/// The same of the Endgame dialect.
const ENDGAME: [&str; 8] = [
    "sequence by k with maxspan=5ms [any where v == 0] [any where v == 1] fork until [any where v == 2] | unique v",
    "sequence by k [any where v == 0] [any where v == 1] fork [any where true] | sort events[1].k, k",
    "join by k [any where v == 0] [any where v == 1] [any where v > 1] until [any where v == 4]",
    "join by k [any where v == 0] [any where true] | filter events[1].v != 3 | tail 3",
    "any where v != 2 | unique_count v | filter count > 1",
    "any where true | unique k, v | count k",
    "any where true | sort v | head 3 | count",
    "any where v == 1 | head 4 | count v, k | sort key[1]",
];

fn all_rules() -> Vec<EngineRule> {
    let all = RULES.iter().map(|eql| (eql, Dialect::Elasticsearch));
    let all = all.chain(ENDGAME.iter().map(|eql| (eql, Dialect::Endgame)));
    let rule = |(n, (eql, dialect)): (usize, (&&str, Dialect))| EngineRule {
        rule: Arc::new(bare_rule(&n.to_string())),
        query: query(eql, dialect),
    };
    all.enumerate().map(rule).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 200, ..Default::default() })]
    #[test]
    fn a_state_goes_on_where_it_was_saved(
        records in proptest::collection::vec((0u8..20, 0u8..3, 0u8..5), 0..40),
        cuts in proptest::collection::vec(0usize..200, 0..4),
    ) {
        let engine = engine_of(all_rules(), &EngineOptions::default());
        let hits = sorted(&engine, &records);
        let expected = ids(&engine, straight(&engine, hits.clone()));

        // The other process has its rules in another order, and one more.
        let rules = all_rules().into_iter().rev();
        let more = [with_rule(bare_rule("more"), "any where false")];
        let other = engine_of(more.into_iter().chain(rules).collect(), &EngineOptions::default());
        let engines = [&engine, &other];
        let (mut present, mut all) = (0, Vec::new());
        let mut correlator = Correlator::new(engines[0]);
        let renumber = |mut hit: Hit, engine: &Engine| {
            let id = hit.rule.to_string();
            hit.rule = u32::try_from(engine.rules().position(|rule| rule.id == id).unwrap()).unwrap();
            hit
        };
        for (n, hit) in hits.iter().enumerate() {
            let mut found = Vec::new();
            if cuts.contains(&n) {
                let bytes = correlator.save(std::iter::empty()).unwrap();
                present = 1 - present;
                let restored = Correlator::restore(engines[present], &bytes).unwrap();
                prop_assert!(restored.dropped.is_empty());
                correlator = restored.correlator;
                for hit in restored.waiting {
                    correlator.push(hit, &mut found, &mut NoTrace);
                }
            }
            correlator.push(renumber(hit.clone(), engines[present]), &mut found, &mut NoTrace);
            all.extend(ids(engines[present], found));
        }
        let mut rest: Vec<Detection> = Vec::new();
        correlator.finish(&mut rest, &mut NoTrace);
        all.extend(ids(engines[present], rest));
        let (mut expected, mut all): (Vec<String>, Vec<String>) =
            (expected.into_iter().map(|(_, id)| id).collect(), all.into_iter().map(|(_, id)| id).collect());
        expected.sort();
        all.sort();
        prop_assert_eq!(all, expected);
    }
}

#[test]
fn the_state_of_a_changed_rule_is_dropped_and_named() {
    let old = engine(&["sequence by k [any where v == 0] [any where v == 1]", "any where true"]);
    let mut correlator = Correlator::new(&old);
    for hit in sorted(&old, &[(1, 0, 0)]) {
        correlator.push(hit, &mut Vec::new(), &mut NoTrace);
    }
    correlator.advance(10_000_000, &mut Vec::new(), &mut NoTrace);
    let bytes = correlator.save(std::iter::empty()).unwrap();
    let new = engine(&["sequence by k [any where v == 0] [any where v == 2]", "any where false"]);
    let restored = Correlator::restore(&new, &bytes).unwrap();
    assert_eq!(restored.dropped, ["0"]);
    assert_eq!(restored.correlator.bytes(), 0);
    let layout =
        engine(&["sequence  by k\n[any where v == 0] // the same\n[any where v == 1]", "any where true"]);
    let restored = Correlator::restore(&layout, &bytes).unwrap();
    assert!(restored.dropped.is_empty());
    assert!(restored.correlator.bytes() > 0);
    assert!(Correlator::restore(&old, &bytes[..bytes.len() / 2]).is_err());
    assert!(Correlator::restore(&old, b"no state").is_err());
}

#[test]
fn what_waits_longest_is_dropped_first_and_counted() {
    let engine = engine(&["sequence by k [any where v == 0] [any where v == 1]", "any where true"]);
    let mut correlator = Correlator::new(&engine);
    let records: Vec<String> = (0..1000).map(|n| format!(r#"{{"@timestamp":{n},"k":{n},"v":0}}"#)).collect();
    let (mut hits, _) = hits_of(&engine, &records.iter().map(String::as_str).collect::<Vec<_>>());
    hits.sort_by(|a, b| engine.order(a, b));
    let mut found = Vec::new();
    for hit in hits {
        correlator.push(hit, &mut found, &mut NoTrace);
    }
    let (before, most) = (correlator.bytes(), 100_000);
    assert!(before > most);
    correlator.evict(most, 1_000_000_000, &mut found);
    assert!(correlator.bytes() <= most && correlator.bytes() > most / 2, "{}", correlator.bytes());
    let evicted = correlator.evicted()[0];
    assert!(evicted > 0 && evicted < 1000);
    assert_eq!(correlator.evicted()[1], 0);
    // The newest are still there.
    let mut late: Vec<Detection> = Vec::new();
    let ends = [r#"{"@timestamp":1001,"k":0,"v":1}"#, r#"{"@timestamp":1002,"k":999,"v":1}"#];
    for hit in hits_of(&engine, &ends).0.into_iter().filter(|hit| hit.rule == 0) {
        correlator.push(hit, &mut late, &mut NoTrace);
    }
    correlator.finish(&mut late, &mut NoTrace);
    let times: Vec<_> = late.iter().filter(|found| found.rule == 0).map(|found| found.time).collect();
    assert_eq!(times, [Some(1_002_000_000)]);
}

#[test]
fn a_sequence_over_many_keys_forgets_what_cannot_end() {
    let engine =
        engine(&["sequence by k with maxspan=5ms [any where v == 0] ![any where v == 2] [any where v == 1]"]);
    let mut correlator = Correlator::new(&engine);
    let mut most = 0;
    for round in 0..50 {
        let records: Vec<String> = (0..1000)
            .map(|n| {
                format!(r#"{{"@timestamp":{},"k":{},"v":{}}}"#, round * 1000 + n, round * 1000 + n, n % 2 * 2)
            })
            .collect();
        let (mut hits, _) = hits_of(&engine, &records.iter().map(String::as_str).collect::<Vec<_>>());
        hits.sort_by(|a, b| engine.order(a, b));
        for hit in hits {
            correlator.push(hit, &mut Vec::new(), &mut NoTrace);
        }
        most = most.max(correlator.bytes());
    }
    assert!(most < 2_000_000, "{most}");
}

#[test]
fn of_joins_what_waits_longest_is_dropped_first_and_counted() {
    let join = "join by k [any where v == 0] [any where v == 1]";
    let rule = EngineRule { rule: Arc::new(bare_rule("join")), query: query(join, Dialect::Endgame) };
    let engine = engine_of(vec![rule], &EngineOptions::default());
    let mut correlator = Correlator::new(&engine);
    let records: Vec<String> = (0..1000).map(|n| format!(r#"{{"@timestamp":{n},"k":{n},"v":0}}"#)).collect();
    let (mut hits, _) = hits_of(&engine, &records.iter().map(String::as_str).collect::<Vec<_>>());
    hits.sort_by(|a, b| engine.order(a, b));
    let mut found = Vec::new();
    for hit in hits {
        correlator.push(hit, &mut found, &mut NoTrace);
    }
    let (before, most) = (correlator.bytes(), 100_000);
    assert!(before > most);
    correlator.evict(most, 1_000_000_000, &mut found);
    assert!(correlator.bytes() <= most && correlator.bytes() > most / 2, "{}", correlator.bytes());
    assert!(correlator.evicted()[0] > 0 && correlator.evicted()[0] < 1000);
    // The newest are still there; when they have ended, nothing is held.
    let ends: Vec<String> = (0..1000).map(|n| format!(r#"{{"@timestamp":2000,"k":{n},"v":1}}"#)).collect();
    let (mut ends, _) = hits_of(&engine, &ends.iter().map(String::as_str).collect::<Vec<_>>());
    ends.sort_by(|a, b| engine.order(a, b));
    let evicted = correlator.evicted()[0];
    let mut late: Vec<Detection> = Vec::new();
    for hit in ends {
        correlator.push(hit, &mut late, &mut NoTrace);
    }
    correlator.advance(3_000_000_000, &mut late, &mut NoTrace);
    assert_eq!(late.len() as u64, 1000 - evicted);
    assert!(late.iter().all(|found| found.members.len() == 2));
    assert_eq!(correlator.bytes(), correlator_of_ends(&engine, evicted));
}

/// What ends without a beginning hold.
fn correlator_of_ends(engine: &Engine, ends: u64) -> usize {
    let mut correlator = Correlator::new(engine);
    let records: Vec<String> = (0..ends).map(|n| format!(r#"{{"@timestamp":2000,"k":{n},"v":1}}"#)).collect();
    let (mut hits, _) = hits_of(engine, &records.iter().map(String::as_str).collect::<Vec<_>>());
    hits.sort_by(|a, b| engine.order(a, b));
    for hit in hits {
        correlator.push(hit, &mut Vec::new(), &mut NoTrace);
    }
    correlator.advance(3_000_000_000, &mut Vec::new(), &mut NoTrace);
    correlator.bytes()
}
