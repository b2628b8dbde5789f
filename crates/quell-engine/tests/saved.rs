//! A correlator that is saved and gone on from gives what it would have given, and what is pending stays within bounds.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod scan;

use proptest::prelude::*;
use quell_engine::{Alert, Correlator, Detection, Engine, EngineOptions, EngineRule, Hit, NoTrace};
use quell_eql::Dialect;
use scan::{bare_rule, engine, engine_of, hits_of, query, with_rule};
use std::sync::Arc;

/// The last two are of the Endpoint's dialect.
const RULES: [&str; 9] = [
    "any where v == 1",
    "sequence by k [any where v == 0] [any where v == 1] [any where true]",
    "sequence by k with maxspan=3ms [any where v == 0] ![any where v == 2] [any where v == 1] ![any where v == 3]",
    "sequence with maxspan=4ms ![any where v == 3] [any where v == 0] with runs=2 until [any where v == 2]",
    "sequence by k with maxspan=2ms [any where true] ![any where v == 1]",
    "sample by k [any where v == 0] [any where v == 1]",
    "sequence by k [any where v == 0] [any where v == 1] | tail 2",
    "sequence with maxspan=9ms [any where v == 0] as event0 [any where user.name == event0.user.name] as event1 [any where v > event0.v and user.name != event1.user.name] until [any where v == 3 and user.name == event0.user.name]",
    "sequence [any where descendant of [any where v == 1]] [any where v == 2 and not descendant of [any where v == 0]]",
];

/// A rule of [`RULES`].
fn rule(n: usize) -> EngineRule {
    let (id, eql) = (n.to_string(), RULES[n]);
    if n < 7 { with_rule(bare_rule(&id), eql) } else { endpoint(&id, eql) }
}

fn sorted(engine: &Engine, records: &[(u8, u8, u8)]) -> Vec<Hit> {
    let records: Vec<String> = records
        .iter()
        .map(|(time, key, value)| {
            let kind = if value % 2 == 0 { "start" } else { "change" };
            format!(
                r#"{{"@timestamp":{time},"k":{key},"v":{value},"user.name":"{key}","event.category":"process","event.type":"{kind}","process.entity_id":"{value}","process.parent.entity_id":"{key}"}}"#
            )
        })
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
    let endgame = |(n, eql): (usize, &&str)| EngineRule {
        rule: Arc::new(bare_rule(&(RULES.len() + n).to_string())),
        query: query(eql, Dialect::Endgame),
    };
    (0..RULES.len()).map(rule).chain(ENDGAME.iter().enumerate().map(endgame)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 200, ..Default::default() })]
    #[test]
    fn a_state_goes_on_where_it_was_saved(
        records in proptest::collection::vec((0u8..20, 0u8..3, 0u8..5), 0..40),
        cuts in proptest::collection::vec(0usize..40, 0..8),
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
            let (id, rules) = (hit.rule.to_string(), engine.rules().len());
            // Facts of processes have the numbers behind the rules'.
            let fact = || hit.rule as usize - RULES.len() - ENDGAME.len() + rules;
            let number = engine.rules().position(|rule| rule.id == id).unwrap_or_else(fact);
            hit.rule = u32::try_from(number).unwrap();
            hit
        };
        for (n, hit) in hits.iter().enumerate() {
            let mut found = Vec::new();
            // As a stream does between its batches.
            if cuts.contains(&n) && n % 2 == 0 {
                let mut decided = Vec::new();
                let watermark = hit.time.unwrap().min(hits[n.saturating_sub(1)].time.unwrap() + 1);
                correlator.advance(watermark, &mut decided, &mut NoTrace);
                all.extend(ids(engines[present], decided));
            }
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

/// A thousand keys begin, and are evicted to less than they take.
fn evict_of_a_thousand(correlator: &mut Correlator<'_>, engine: &Engine) {
    let records: Vec<String> = (0..1000).map(|n| format!(r#"{{"@timestamp":{n},"k":{n},"v":0}}"#)).collect();
    let (mut hits, _) = hits_of(engine, &records.iter().map(String::as_str).collect::<Vec<_>>());
    hits.sort_by(|a, b| engine.order(a, b));
    let mut found = Vec::new();
    for hit in hits {
        correlator.push(hit, &mut found, &mut NoTrace);
    }
    let (before, most) = (correlator.bytes(), 100_000);
    assert!(before > most);
    correlator.evict(most, 1_000_000_000, &mut found);
    assert!(correlator.bytes() <= most && correlator.bytes() > most / 2, "{}", correlator.bytes());
}

#[test]
fn what_waits_longest_is_dropped_first_and_counted() {
    let engine = engine(&["sequence by k [any where v == 0] [any where v == 1]", "any where true"]);
    let mut correlator = Correlator::new(&engine);
    evict_of_a_thousand(&mut correlator, &engine);
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
fn of_what_is_not_decided_no_more_is_dropped_than_must_be() {
    let engine = engine(&["sequence by k with maxspan=1h [any where v == 0] ![any where v == 1]"]);
    let mut correlator = Correlator::new(&engine);
    let records: Vec<String> = (0..1000).map(|n| format!(r#"{{"@timestamp":{n},"k":{n},"v":0}}"#)).collect();
    let (mut hits, _) = hits_of(&engine, &records.iter().map(String::as_str).collect::<Vec<_>>());
    hits.sort_by(|a, b| engine.order(a, b));
    let mut found: Vec<Detection> = Vec::new();
    for hit in hits {
        correlator.push(hit, &mut found, &mut NoTrace);
    }
    let most = correlator.bytes() / 2;
    correlator.evict(most, 1_000_000_000, &mut found);
    assert!(correlator.bytes() <= most && correlator.bytes() > most / 2, "{}", correlator.bytes());
    let evicted = correlator.evicted()[0];
    correlator.finish(&mut found, &mut NoTrace);
    assert_eq!(found.len() as u64, 1000 - evicted);
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

/// A rule of the Endpoint's dialect.
fn endpoint(id: &str, eql: &str) -> EngineRule {
    let mut rule = bare_rule(id);
    rule.os_list = vec!["windows".to_owned()];
    with_rule(rule, eql)
}

#[test]
fn a_window_closes_at_its_time_whatever_comes_between() {
    // What only says something of processes, a watermark, or nothing comes between the sequence and what is too late to refute it.
    let rules = || {
        vec![
            with_rule(bare_rule("0"), "sequence with maxspan=10ms [any where v == 1] ![any where v == 2]"),
            endpoint("1", "file where descendant of [any where v == 9]"),
        ]
    };
    let engine = engine_of(rules(), &EngineOptions::default());
    let begun = r#"{"@timestamp":0,"v":1}"#;
    let created =
        r#"{"@timestamp":15,"event":{"category":"process","type":"start"},"process":{"entity_id":"p"}}"#;
    let too_late = r#"{"@timestamp":20,"v":2}"#;
    let found = |records: &[&str], advanced: Option<i64>| {
        let (mut hits, _) = hits_of(&engine, records);
        hits.sort_by(|a, b| engine.order(a, b));
        let (mut correlator, mut found) = (Correlator::new(&engine), Vec::new());
        for hit in hits {
            let first = hit.time == Some(0);
            correlator.push(hit, &mut found, &mut NoTrace);
            if let (true, Some(time)) = (first, advanced) {
                correlator.advance(time * 1_000_000, &mut found, &mut NoTrace);
            }
        }
        correlator.finish(&mut found, &mut NoTrace);
        found.len()
    };
    assert_eq!(found(&[begun, too_late], None), 1);
    assert_eq!(found(&[begun, created, too_late], None), 1);
    assert_eq!(found(&[begun, too_late], Some(5)), 1);
    let in_time = r#"{"@timestamp":10,"v":2}"#;
    let created = created.replace("15", "5");
    assert_eq!(found(&[begun, &created, in_time], None), 0);
    assert_eq!(found(&[begun, in_time], Some(5)), 0);
}

#[test]
fn a_time_of_its_own_is_no_repetition_whatever_comes_between() {
    let engine = engine_of(
        vec![
            with_rule(bare_rule("0"), "any where v == 1 | head 9"),
            endpoint("1", "file where descendant of [any where v == 9]"),
        ],
        &EngineOptions::default(),
    );
    let created =
        r#"{"@timestamp":15,"event":{"category":"process","type":"start"},"process":{"entity_id":"p"}}"#;
    let (one, other) = (r#"{"@timestamp":0,"_id":"e","v":1}"#, r#"{"@timestamp":20,"_id":"e","v":1}"#);
    let found = |records: &[&str]| {
        let (mut hits, _) = hits_of(&engine, records);
        hits.sort_by(|a, b| engine.order(a, b));
        let found = straight(&engine, hits);
        let id = |found: &Detection| found.members[0].as_ref().unwrap().id.as_str().to_owned();
        found.iter().map(id).collect::<Vec<_>>()
    };
    assert_eq!(found(&[one, other]), ["e", "e"]);
    assert_eq!(found(&[one, created, other]), ["e", "e"]);
    assert_eq!(found(&[one, one, created, other]), ["e", "e#2", "e"]);
}

#[test]
fn an_event_that_needs_no_order_has_the_identity_that_order_gives_it() {
    let eql = "any where v == 1";
    let engine = engine(&[eql]);
    let record = |time: u32, id: &str| format!(r#"{{"@timestamp":{time},"_id":"{id}","v":1}}"#);
    let records = [record(1, "e"), record(2, "e"), record(1, "f"), record(1, "e"), record(1, "f")];
    let (hits, _) = hits_of(&engine, &records.iter().map(String::as_str).collect::<Vec<_>>());
    let (mut correlator, mut at_once) = (Correlator::new(&engine), Vec::new());
    for hit in &hits {
        assert!(correlator.alone(hit, &mut at_once));
    }
    let in_order = quell_engine::correlate(&engine, hits);
    let ids = |found: &[Detection]| {
        let id = |found: &Detection| found.members[0].as_ref().unwrap().id.as_str().to_owned();
        let mut ids: Vec<String> = found.iter().map(id).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(&at_once), ids(&in_order));
    assert_eq!(ids(&at_once), ["e", "e", "e#2", "f", "f#2"]);
}

#[test]
fn nothing_of_what_must_not_come_is_held_beyond_the_bound() {
    // What came before anything, what waits to be refuted, and what came between.
    for (eql, values) in [
        ("sequence by k with maxspan=1h ![any where v == 0] [any where v == 1]", [0, 0]),
        ("sequence by k with maxspan=1h [any where v == 0] ![any where v == 1]", [0, 0]),
        ("sequence by k with maxspan=1h [any where v == 0] ![any where v == 1] [any where v == 2]", [1, 1]),
        ("sequence by k with maxspan=1h ![any where v == 0] [any where v == 1] ![any where v == 2]", [0, 1]),
    ] {
        let engine = engine(&[eql]);
        let (mut correlator, most) = (Correlator::new(&engine), 100_000);
        for round in 0..5 {
            let record = |n: usize| {
                let (key, value) = (round * 1000 + n / 2, values[n % 2]);
                format!(r#"{{"@timestamp":{},"k":{key},"v":{value}}}"#, round * 2000 + n)
            };
            let records: Vec<String> = (0..2000).map(record).collect();
            let (mut hits, _) = hits_of(&engine, &records.iter().map(String::as_str).collect::<Vec<_>>());
            hits.sort_by(|a, b| engine.order(a, b));
            for hit in hits {
                correlator.push(hit, &mut Vec::new(), &mut NoTrace);
            }
            let now = i64::from(round as u32 + 1) * 2_000_000_000;
            correlator.advance(now, &mut Vec::new(), &mut NoTrace);
            correlator.evict(most, now, &mut Vec::new());
            assert!(correlator.bytes() <= most, "{eql}: {} in round {round}", correlator.bytes());
        }
        assert!(correlator.evicted()[0] > 2_000, "{eql}: {}", correlator.evicted()[0]);
        // A day later nothing is pending, and nothing is held.
        let end = 100_000_000_000_000;
        correlator.advance(end, &mut Vec::new(), &mut NoTrace);
        correlator.evict(most, end, &mut Vec::new());
        assert_eq!(correlator.bytes(), 0, "{eql}");
    }
}

#[test]
fn of_joins_what_waits_longest_is_dropped_first_and_counted() {
    let join = "join by k [any where v == 0] [any where v == 1]";
    let rule = EngineRule { rule: Arc::new(bare_rule("join")), query: query(join, Dialect::Endgame) };
    let engine = engine_of(vec![rule], &EngineOptions::default());
    let mut correlator = Correlator::new(&engine);
    evict_of_a_thousand(&mut correlator, &engine);
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
