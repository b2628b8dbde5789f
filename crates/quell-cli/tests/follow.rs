//! A followed log, and a process that is killed again and again: no alert is lost and none comes twice.
//!
//! `QUELL_KILLS` says how often it is killed (8 by default).
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const RULES: [(&str, &str); 3] = [
    ("alone", "any where v == 3"),
    ("pair", "sequence by k with maxspan=10s [any where v == 0] [any where v == 1]"),
    ("missing", "sequence by k with maxspan=10s [any where v == 0] [any where v == 1] ![any where v == 2]"),
];

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

fn rules(folder: &Path) {
    for (id, query) in RULES {
        let text = format!(
            "[rule]\nrule_id = \"{id}\"\nname = \"{id}\"\ntype = \"eql\"\nlanguage = \"eql\"\ndescription = \"x\"\n\
             severity = \"high\"\nrisk_score = 70\nquery = '''\n{query}\n'''\n"
        );
        fs::write(folder.join(format!("{id}.toml")), text).unwrap();
    }
}

/// Records out of order by up to four seconds.
fn record(dice: &mut Dice, number: u64, time: &mut u64) -> String {
    *time += dice.below(300);
    let late = dice.below(4000);
    let (k, v) = (dice.below(20), dice.below(5));
    format!("{{\"@timestamp\":{},\"k\":{k},\"v\":{v},\"event\":{{\"id\":\"{number}\"}}}}\n", *time - late)
}

/// Writes the log in pieces that end anywhere, and renames it from time to time.
fn write_log(folder: &Path, done: &AtomicBool) {
    let (mut dice, mut time, mut number) = (Dice(7), 1_700_000_000_000, 0);
    let (log, mut rotations) = (folder.join("log.ndjson"), 0);
    while !done.load(Ordering::Relaxed) {
        let mut file = OpenOptions::new().create(true).append(true).open(&log).unwrap();
        for _ in 0..=dice.below(40) {
            let mut text = String::new();
            for _ in 0..=dice.below(30) {
                number += 1;
                text.push_str(&record(&mut dice, number, &mut time));
            }
            let (a, b) = text.split_at(usize::try_from(dice.below(text.len() as u64)).unwrap());
            for part in [a, b] {
                file.write_all(part.as_bytes()).unwrap();
                std::thread::sleep(Duration::from_millis(dice.below(4)));
            }
        }
        rotations += 1;
        // Like dates, these names sort in the order of writing: of files written within one tick of the clock they decide.
        fs::rename(&log, folder.join(format!("log.ndjson-2024.{rotations:04}"))).unwrap();
    }
    // An hour later: whatever waits is decided.
    let mut last = String::new();
    write!(last, "{{\"@timestamp\":{},\"k\":-1,\"v\":9}}", time + 3_600_000).unwrap();
    fs::write(&log, last + "\n").unwrap();
}

struct Followed<'f> {
    logs: &'f Path,
    rules: &'f Path,
    out: &'f Path,
}

impl Followed<'_> {
    fn start(&self) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quell"));
        command
            .args(["scan", "--follow", "--lateness", "60s", "--output", "ndjson", "--fail-on", "never"])
            .arg("--state")
            .arg(self.out.join("state"))
            .arg("--write")
            .arg(format!("ndjson={}", self.out.join("alerts.ndjson").display()))
            .arg("--rules")
            .arg(self.rules)
            .arg(self.logs.join("log.ndjson"))
            .stdout(Stdio::null())
            .stderr(File::create(self.out.join("stderr")).unwrap());
        command.spawn().unwrap()
    }
}

/// Each alert, and how often it is in the file.
fn alerts(text: &str) -> BTreeMap<String, (u64, &str)> {
    let mut alerts = BTreeMap::new();
    for line in text.lines() {
        let alert: serde_json::Value = serde_json::from_str(line).unwrap();
        let id = alert["kibana"]["alert"]["uuid"].as_str().unwrap().to_owned();
        alerts.entry(id).or_insert((0, line)).0 += 1;
    }
    alerts
}

#[test]
fn a_process_that_is_killed_loses_no_alert_and_repeats_none() {
    let kills: u64 = std::env::var("QUELL_KILLS").map_or(8, |kills| kills.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let [logs, rules_at, out] = ["logs", "rules", "out"].map(|name| folder.path().join(name));
    [&logs, &rules_at, &out].iter().for_each(|path| fs::create_dir(path).unwrap());
    rules(&rules_at);
    let followed = Followed { logs: &logs, rules: &rules_at, out: &out };
    let (done, mut dice) = (AtomicBool::new(false), Dice(11));
    // What was rotated away before anybody followed is nobody's: the first process has begun when the first line is written.
    fs::write(logs.join("log.ndjson"), "").unwrap();
    let mut first = followed.start();
    let begun = Instant::now();
    while !out.join("state").exists() {
        assert!(begun.elapsed() < Duration::from_secs(30), "no state was saved");
        std::thread::sleep(Duration::from_millis(5));
    }
    first.kill().unwrap();
    first.wait().unwrap();

    std::thread::scope(|scope| {
        scope.spawn(|| write_log(&logs, &done));
        for _ in 0..kills {
            let mut process = followed.start();
            // Often before its first checkpoint, often behind several.
            let longest = if dice.below(3) == 0 { 2500 } else { 400 };
            std::thread::sleep(Duration::from_millis(dice.below(longest)));
            process.kill().unwrap();
            process.wait().unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });

    let whole = Command::new(env!("CARGO_BIN_EXE_quell"))
        .args(["scan", "--output", "ndjson", "--quiet", "--fail-on", "never", "--rules"])
        .args([&rules_at, &logs])
        .output()
        .unwrap();
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stderr));
    let whole = String::from_utf8(whole.stdout).unwrap();
    let expected = alerts(&whole);

    let mut process = followed.start();
    let begun = Instant::now();
    let read = || fs::read_to_string(out.join("alerts.ndjson")).unwrap_or_default();
    while read().lines().count() < expected.len() && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(100));
    }
    // What is too much would come a moment later.
    std::thread::sleep(Duration::from_millis(500));
    process.kill().unwrap();
    process.wait().unwrap();
    let written = read();
    let found = alerts(&written);
    let without =
        |some: &BTreeMap<String, (u64, &str)>, others: &BTreeMap<String, (u64, &str)>| -> Vec<String> {
            some.iter()
                .filter(|(id, _)| !others.contains_key(*id))
                .map(|(_, (_, alert))| (*alert).to_owned())
                .collect()
        };
    let (missing, foreign) = (without(&expected, &found), without(&found, &expected));
    let repeated = found.values().filter(|(n, _)| *n > 1).count();
    println!("{kills} kills, {} alerts", expected.len());
    assert!(expected.len() > 50, "{}", expected.len());
    assert_eq!(
        (missing.len(), repeated, foreign.len()),
        (0, 0, 0),
        "missing, repeated, foreign; standard error: {}; some that are missing: {:#?}",
        fs::read_to_string(out.join("stderr")).unwrap(),
        missing.iter().take(5).collect::<Vec<_>>()
    );
}
