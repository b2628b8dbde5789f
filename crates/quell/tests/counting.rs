//! Rules that count: all public ones run, and alerts are the same however events are spread over threads and inputs.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may panic, and says what it covered"
)]

#[path = "../../../testing/test_data.rs"]
mod test_data;

use quell::{
    Alert, CompileOptions, NoProgress, Rule, RuleKind, RuleSet, RuleSpec, Scan, ScanOptions, schema,
};
use std::collections::BTreeMap;
use std::path::PathBuf;
use test_data::test_data;

fn counting_rules() -> Option<Vec<Rule>> {
    let set = RuleSet::load(&[RuleSpec::Path(test_data("rules")?.join("elastic"))]);
    let counts = |rule: &Rule| matches!(rule.kind, RuleKind::Threshold | RuleKind::NewTerms);
    Some(set.rules.into_iter().filter(counts).collect())
}

fn ids(alerts: &[Alert]) -> Vec<String> {
    alerts.iter().map(|alert| alert.id.clone()).collect()
}

#[test]
fn public_rules_that_count_give_the_same_with_one_thread_and_many() {
    let Some(rules) = counting_rules() else { return };
    let paths: Vec<PathBuf> = ["windows-json", "zeek"].iter().filter_map(|name| test_data(name)).collect();
    let run = |threads: usize, paths: &[PathBuf]| {
        let options =
            ScanOptions { threads, no_warm_up: true, hit_memory: 1 << 16, ..ScanOptions::default() };
        let scan = Scan::new(rules.clone(), &CompileOptions::new(schema()), options);
        assert_eq!((scan.len(), scan.not_run().len()), (rules.len(), 0));
        scan.run(paths, &NoProgress).alerts
    };
    let alone = run(1, &paths);
    let backwards: Vec<PathBuf> = paths.iter().rev().cloned().collect();
    assert_eq!(ids(&run(16, &backwards)), ids(&alone));
    assert!(!alone.is_empty());
    let mut by_rule: BTreeMap<&str, usize> = BTreeMap::new();
    alone.iter().for_each(|alert| *by_rule.entry(alert.rule.name.as_str()).or_default() += 1);
    println!("{} rules, {} alerts: {by_rule:?}", rules.len(), alone.len());
}

#[test]
fn ties_in_time_are_the_same_however_events_are_spread_over_files() {
    let folder = tempfile::tempdir().unwrap();
    let rule = "[rule]\nname = \"N\"\ndescription = \"D\"\nrule_id = \"r\"\nrisk_score = 21\nseverity = \"low\"\ntype = \"threshold\"\n\
                from = \"now-1m\"\nquery = \"process.name: a\"\n[rule.threshold]\nfield = [\"host.name\"]\nvalue = 5\n";
    std::fs::write(folder.path().join("rule.toml"), rule).unwrap();
    let event = |n: usize| {
        let (second, host) = (n / 40, n % 3);
        format!(
            "{{\"@timestamp\":\"2024-05-01T00:{:02}:00Z\",\"_id\":\"{n}\",\"process.name\":\"a\",\"host.name\":\"h{host}\"}}\n",
            second
        )
    };
    let lines: Vec<String> = (0..400).map(event).collect();
    let alerts = |name: &str, files: usize, threads: usize| {
        let logs = folder.path().join(name);
        std::fs::create_dir(&logs).unwrap();
        for (number, part) in lines.chunks(lines.len().div_ceil(files)).enumerate() {
            std::fs::write(logs.join(format!("{number:03}.ndjson")), part.concat()).unwrap();
        }
        let set = RuleSet::load(&[RuleSpec::Path(folder.path().join("rule.toml"))]);
        let options = ScanOptions { threads, ..ScanOptions::default() };
        let scan = Scan::new(set.rules, &CompileOptions::new(schema()), options);
        ids(&scan.run(&[logs], &NoProgress).alerts)
    };
    let one = alerts("one", 1, 1);
    assert!(one.len() >= 10, "{}", one.len());
    assert_eq!(alerts("many", 7, 16), one);
}
