//! Detections over the public corpora: the published query's exact counts, and a golden table of all rules.
//!
//! The table holds counts alone. Where a change moves one, the test prints what was added and removed and fails; run it
//! with QUELL_UPDATE_GOLDEN=1 to accept the new table.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::print_stdout, reason = "what changed is to be read in the log")]

#[path = "../../../testing/test_data.rs"]
mod test_data;

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use test_data::test_data;

struct Outcome {
    alerts: Vec<Value>,
    errors: String,
    code: Option<i32>,
}

fn scan(arguments: &[&str], input: &Path) -> Outcome {
    let output = Command::new(env!("CARGO_BIN_EXE_quell"))
        .args(["scan", "--no-config", "--output", "ndjson"])
        .args(arguments)
        .arg(input)
        .output()
        .unwrap();
    let alerts = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    Outcome {
        alerts,
        errors: String::from_utf8_lossy(&output.stderr).into_owned(),
        code: output.status.code(),
    }
}

fn command_lines(outcome: &Outcome) -> Vec<&str> {
    outcome.alerts.iter().map(|alert| alert["process"]["command_line"].as_str().unwrap_or("")).collect()
}

#[test]
fn the_published_query_finds_three_events_in_the_evtx_samples() {
    let Some(data) = test_data("") else { return };
    let outcome = scan(&["--rules", "t1046-published"], &data.join("evtx"));
    let found = command_lines(&outcome);
    assert_eq!(found.len(), 3, "{found:?}\n{}", outcome.errors);
    for expected in ["net view", "net view /domain", "arp -a"] {
        let hits = found.iter().filter(|line| line.ends_with(&format!("\"{expected}\""))).count();
        assert_eq!(hits, 1, "{expected} is not once among {found:?}");
    }
    for alert in &outcome.alerts {
        assert_eq!(alert["process"]["name"].as_str().unwrap().to_lowercase(), "cmd.exe");
    }
    assert_eq!(outcome.code, Some(1), "{}", outcome.errors);
}

#[test]
fn the_published_query_finds_four_events_in_the_windows_recordings() {
    let Some(data) = test_data("") else { return };
    let outcome = scan(&["--rules", "t1046-published"], &data.join("windows-json"));
    assert_eq!(outcome.alerts.len(), 4, "{:?}\n{}", command_lines(&outcome), outcome.errors);
    assert_eq!(outcome.code, Some(1), "{}", outcome.errors);
}

/// Rule id and folder, to counts with the rules' index patterns honoured and with any index.
type Table = BTreeMap<(String, String), (u64, u64)>;

#[test]
fn detections_of_all_event_rules_are_those_of_the_golden_table() {
    let Some(data) = test_data("") else { return };
    let mut table = Table::new();
    for folder in ["evtx", "windows-json"] {
        for (any_index, arguments) in [(false, &[][..]), (true, &["--any-index"][..])] {
            for rules in ["elastic", "endpoint"] {
                let rules = data.join("rules").join(rules);
                let mut all = vec!["--rules", rules.to_str().unwrap(), "--show-building-blocks"];
                all.extend_from_slice(arguments);
                for alert in scan(&all, &data.join(folder)).alerts {
                    let id = alert["kibana"]["alert"]["rule"]["rule_id"].as_str().unwrap().to_owned();
                    let counts = table.entry((id, folder.to_owned())).or_default();
                    *(if any_index { &mut counts.1 } else { &mut counts.0 }) += 1;
                }
            }
        }
    }
    assert!(!table.is_empty(), "no rule detects anything");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/detections.tsv");
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    let (before, after) = (parse(&golden), &table);
    let mut changes = Vec::new();
    for key in before.keys().chain(after.keys().filter(|key| !before.contains_key(*key))) {
        let (old, new) =
            (before.get(key).copied().unwrap_or_default(), after.get(key).copied().unwrap_or_default());
        if old != new {
            changes.push(format!(
                "{} in {}: {} -> {} with its index, {} -> {} with any",
                key.0, key.1, old.0, new.0, old.1, new.1
            ));
        }
    }
    let total = |table: &Table| table.values().map(|counts| counts.1).sum::<u64>();
    println!(
        "detections over the public corpora: {} by {} rules (before: {} by {})",
        total(after),
        rules_in(after),
        total(&before),
        rules_in(&before)
    );
    for change in &changes {
        println!("changed: {change}");
    }
    if changes.is_empty() {
        println!("changed: nothing");
        return;
    }
    if std::env::var_os("QUELL_UPDATE_GOLDEN").is_some() {
        std::fs::write(path, render(after)).unwrap();
    } else {
        panic!("{} detections changed; see above", changes.len());
    }
}

fn rules_in(table: &Table) -> usize {
    let mut ids: Vec<&String> = table.keys().map(|(id, _)| id).collect();
    ids.dedup();
    ids.len()
}

fn parse(text: &str) -> Table {
    let mut table = Table::new();
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        table.insert(
            (cells[0].into(), cells[1].into()),
            (cells[2].parse().unwrap(), cells[3].parse().unwrap()),
        );
    }
    table
}

fn render(table: &Table) -> String {
    let mut text = String::from("rule_id\tdata\tits_index\tany_index\n");
    for ((id, folder), (own, any)) in table {
        text.push_str(&format!("{id}\t{folder}\t{own}\t{any}\n"));
    }
    text
}
