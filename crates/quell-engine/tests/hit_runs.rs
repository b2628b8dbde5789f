//! Hits beyond a budget go to disk and come back in the same order, none lost.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod scan;

use proptest::prelude::*;
use quell_engine::{EngineOptions, Hit, HitRuns, Merged};
use scan::{bare_rule, engine_of, hits_of, with_rule};

fn shape(hits: impl IntoIterator<Item = Hit>) -> Vec<String> {
    hits.into_iter().map(|hit| format!("{hit:?}")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 60, ..Default::default() })]
    #[test]
    fn budgets_and_threads_change_nothing(
        records in proptest::collection::vec((proptest::option::of(0u8..5), 0u8..3, 0u8..3), 0..40),
        threads in 1usize..4,
        budget in 0usize..4000,
    ) {
        let rules = ["sequence by k [any where true] [any where v == 1]", "any where v != 2", "sample by k [any where v == 0] [any where v == 1]"];
        let rules = rules.iter().enumerate().map(|(n, eql)| with_rule(bare_rule(&n.to_string()), eql)).collect();
        let options = EngineOptions { tiebreaker_field: Some("v".to_owned()), ..Default::default() };
        let engine = engine_of(rules, &options);
        let records: Vec<String> = records
            .iter()
            .map(|(time, key, value)| {
                let time = time.map(|time| format!(r#""@timestamp":{time},"#)).unwrap_or_default();
                format!(r#"{{{time}"k":["{key}",null,"ü{value}"],"v":{value},"winlog":{{"computer_name":"h","channel":"c","record_id":{value}}}}}"#)
            })
            .collect();
        let (hits, _) = hits_of(&engine, &records.iter().map(String::as_str).collect::<Vec<_>>());
        let mut plain = hits.clone();
        plain.sort_by(|a, b| engine.order(a, b));

        let mut runs: Vec<HitRuns<'_>> = (0..threads).map(|_| HitRuns::new(&engine, budget)).collect();
        for (number, hit) in hits.iter().enumerate() {
            let of_thread = &mut runs[number % threads];
            of_thread.hits.push(hit.clone());
            of_thread.settle();
        }
        if budget == 0 {
            prop_assert_eq!(runs.iter().map(HitRuns::on_disk).sum::<usize>(), hits.len());
        }
        let mut merged = Merged::new(&engine, runs);
        prop_assert_eq!(shape(&mut merged), shape(plain));
        prop_assert!(merged.take_errors().is_empty());
    }
}
