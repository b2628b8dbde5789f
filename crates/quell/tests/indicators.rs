//! Indicator match rules over files of indicators in all forms.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use quell::{
    CompileOptions, Indicators, NoProgress, Particulars, RuleSet, RuleSpec, Scan, ScanOptions, schema,
};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

const MAPPING: &str = "[[rule.threat_mapping]]\n[[rule.threat_mapping.entries]]\nfield = \"destination.ip\"\ntype = \"mapping\"\nvalue = \"threat.indicator.ip\"\n";

fn rule(mapping: &str, threat_query: &str) -> String {
    format!(
        "[rule]\nname = \"N\"\ndescription = \"D\"\nrule_id = \"r\"\nrisk_score = 21\nseverity = \"low\"\ntype = \"threat_match\"\n\
         query = \"event.category: network\"\nthreat_index = [\"logs-ti_*\"]\nthreat_query = '''{threat_query}'''\n{mapping}"
    )
}

struct Case {
    folder: tempfile::TempDir,
}

impl Case {
    fn new() -> Case {
        Case { folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn scan(&self, rule: &str, indicators: &[(&str, &str)]) -> Scan {
        let paths: Vec<PathBuf> = indicators.iter().map(|(name, text)| self.file(name, text)).collect();
        let set = RuleSet::load(&[RuleSpec::Path(self.file("rule.toml", rule))]);
        assert!(!set.has_errors(), "{:?}", set.findings);
        let indicators = Arc::new(Indicators::load(&paths).unwrap());
        let options = ScanOptions { indicators, threads: 1, ..ScanOptions::default() };
        Scan::new(set.rules, &CompileOptions::new(schema()), options)
    }

    /// Of each alert the event's id and, of each match, the indicator's id, the field and the value.
    fn matches(&self, scan: &Scan, events: &[Value]) -> Vec<(String, Vec<String>)> {
        let lines: String = events.iter().fold(String::new(), |mut text, event| {
            writeln!(text, "{event}").unwrap();
            text
        });
        let report = scan.run(&[self.file("events.ndjson", &lines)], &NoProgress);
        let alert = |alert: &quell::Alert| {
            let Some(Particulars::Enrichments(all)) = alert.particulars.as_deref() else {
                panic!("no enrichments")
            };
            let one = |one: &quell::Enrichment| {
                let matched = &one.to_json()["matched"];
                format!("{} {} {}", matched["id"].as_str().unwrap(), one.field, text(&matched["atomic"]))
            };
            (alert.members[0].as_ref().unwrap().id.as_str().to_owned(), all.iter().map(one).collect())
        };
        report.alerts.iter().map(alert).collect()
    }
}

fn event(id: &str, fields: &Value) -> Value {
    let mut event =
        json!({"_id": id, "@timestamp": "2024-05-01T00:00:00Z", "event": {"category": "network"}});
    for (name, value) in fields.as_object().unwrap() {
        event[name] = value.clone();
    }
    event
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn of(id: &str, matches: &[&str]) -> (String, Vec<String>) {
    (id.to_owned(), matches.iter().map(|text| (*text).to_owned()).collect())
}

const CSV: &str = "type,value,id\nipv4,198.51.100.7,c1\nwhat,ever,c2\nipv4,not an address,c3\n";
const STIX: &str = r#"{"type":"bundle","objects":[
    {"type":"indicator","id":"i1","pattern":"[ipv4-addr:value = '198.51.100.8' OR file:hashes.'SHA-256' = 'AB']","modified":"2024-04-30T00:00:00Z"},
    {"type":"indicator","id":"i2","pattern":"[file:size = 5]"},
    {"type":"indicator","id":"i3","pattern":"[ipv4-addr:value = '198.51.100.11']","revoked":true},
    {"type":"malware","id":"m"}]}"#;
const ECS: &str = r#"{"_id":"e1","@timestamp":"2024-05-01T00:00:00Z","threat":{"feed":{"name":"f"},"indicator":{"ip":["198.51.100.9","2001:db8::1"]}}}
{"_id":"e2","@timestamp":"2024-01-01T00:00:00Z","threat.indicator.ip":"198.51.100.10"}
{"_id":"e3","_index":"logs-other-default","@timestamp":"2024-05-01T00:00:00Z","threat.indicator.ip":"198.51.100.12"}
nothing
"#;

#[test]
fn indicators_of_all_forms_are_looked_up() {
    let case = Case::new();
    let scan = case.scan(
        &rule(MAPPING, r#"@timestamp >= "now-30d/d" and threat.indicator.ip: *"#),
        &[("a.csv", CSV), ("b.json", STIX), ("c.ndjson", ECS)],
    );
    assert!(scan.not_run().is_empty(), "{:?}", scan.not_run());
    let address = |id: &str, address: Value| event(id, &json!({"destination": {"ip": address}}));
    let events = [
        address("1", json!("198.51.100.7")),
        address("2", json!("198.51.100.8")),
        address("3", json!(["10.0.0.1", "2001:DB8:0::1", "198.51.100.9"])),
        address("4", json!("198.51.100.10")), // older than its newest indicator by more than the query allows
        address("5", json!("198.51.100.11")), // revoked
        address("6", json!("198.51.100.12")), // of another index
        address("7", json!("10.0.0.1")),
        event("8", &json!({"source": {"ip": "198.51.100.7"}})),
    ];
    let expected = [
        of("1", &["c1 destination.ip 198.51.100.7"]),
        of("2", &["i1#1 destination.ip 198.51.100.8"]),
        of("3", &["e1 destination.ip 198.51.100.9", "e1 destination.ip 2001:db8::1"]),
    ];
    assert_eq!(case.matches(&scan, &events), expected);
}

#[test]
fn what_is_no_indicator_is_counted_and_what_is_no_file_of_them_refused() {
    let case = Case::new();
    let load = |name: &str, text: &str| Indicators::load(&[case.file(name, text)]);
    let counts = |name: &str, text: &str| {
        let all = load(name, text).unwrap();
        (all.len(), all.not_read())
    };
    assert_eq!(counts("a.csv", CSV), (2, 1));
    assert_eq!(counts("b.json", STIX), (2, 2));
    assert_eq!(counts("c.ndjson", ECS), (3, 1));
    assert_eq!(counts("d.csv", "threat.indicator.ip,labels.x\n198.51.100.7,y\n"), (1, 0));
    assert!(load("e.csv", "a,b\n1,2\n").is_err());
    assert!(Indicators::load(&["/no/such/file"]).is_err());
}

#[test]
fn a_rule_without_indicators_does_not_run_and_says_why() {
    let case = Case::new();
    let reason = |indicators: &[(&str, &str)], query: &str| {
        let scan = case.scan(&rule(MAPPING, query), indicators);
        scan.not_run().first().map(|not_run| not_run.reason.clone())
    };
    assert_eq!(reason(&[], "*:*").as_deref(), Some("no indicators are given (`--indicators`)"));
    let nothing = "none of the indicators that are given satisfies its threat query";
    assert_eq!(reason(&[("a.csv", CSV)], "threat.feed.name: other").as_deref(), Some(nothing));
    assert_eq!(reason(&[("a.csv", CSV)], "*:*"), None);
}

#[test]
fn entries_of_a_list_agree_with_one_indicator_unless_they_are_negated() {
    let entry = |field: &str, value: &str, negate: bool| {
        let negate = if negate { "negate = true\n" } else { "" };
        format!(
            "[[rule.threat_mapping.entries]]\nfield = \"{field}\"\ntype = \"mapping\"\nvalue = \"{value}\"\n{negate}"
        )
    };
    let mapping = format!(
        "[[rule.threat_mapping]]\n{}{}[[rule.threat_mapping]]\n{}{}",
        entry("destination.ip", "threat.indicator.ip", false),
        entry("destination.port", "threat.indicator.port", false),
        entry("source.ip", "threat.indicator.ip", false),
        entry("user.name", "threat.indicator.name", true),
    );
    let indicators = r#"{"_id":"a","threat":{"indicator":{"ip":"198.51.100.1","port":80}}}
{"_id":"b","threat":{"indicator":{"ip":"198.51.100.2","port":443,"name":"root"}}}"#;
    let case = Case::new();
    let scan = case.scan(&rule(&mapping, "*:*"), &[("i.ndjson", indicators)]);
    let to = |id: &str, ip: &str, port: u16| event(id, &json!({"destination": {"ip": ip, "port": port}}));
    let by =
        |id: &str, ip: &str, user: Value| event(id, &json!({"source": {"ip": ip}, "user": {"name": user}}));
    let events = [
        to("1", "198.51.100.1", 80),
        to("2", "198.51.100.1", 443), // of two indicators
        by("3", "198.51.100.2", json!("guest")),
        by("4", "198.51.100.2", json!(["guest", "root"])),
        by("5", "198.51.100.2", Value::Null),
        by("6", "198.51.100.1", json!("guest")), // says nothing of the name
    ];
    let expected = [
        of("1", &["a destination.ip 198.51.100.1", "a destination.port 80"]),
        of("3", &["b source.ip 198.51.100.2"]),
        of("5", &["b source.ip 198.51.100.2"]),
    ];
    assert_eq!(case.matches(&scan, &events), expected);
}

#[test]
fn the_number_of_indicators_does_not_slow_events_down() {
    let case = Case::new();
    let events: Vec<Value> = (0..2000)
        .map(|n| {
            event(&n.to_string(), &json!({"destination": {"ip": format!("10.1.{}.{}", n / 256, n % 256)}}))
        })
        .collect();
    let time = |indicators: u32| {
        let mut csv = "type,value\n".to_owned();
        for n in 0..indicators {
            writeln!(csv, "ipv4,172.{}.{}.{}", 16 + n / 65536, n / 256 % 256, n % 256).unwrap();
        }
        csv.push_str("ipv4,10.1.0.5\n");
        let scan = case.scan(&rule(MAPPING, "*:*"), &[("i.csv", &csv)]);
        let started = Instant::now();
        assert_eq!(case.matches(&scan, &events).len(), 1);
        started.elapsed()
    };
    let few = time(10);
    let many = time(100_000);
    // Generous, for machines are busy: with a loop over all it would be thousands of times as long.
    assert!(many < few * 20 + Duration::from_secs(1), "{few:?} {many:?}");
}
