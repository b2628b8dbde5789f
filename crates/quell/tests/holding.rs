//! What is held back, through the library: large value lists, what suppression counts, and what a scan says of it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

use quell::{CompileOptions, ExceptionSet, NoProgress, Report, Rule, Scan, ScanOptions};
use serde_json::json;
use std::path::Path;
use std::time::Instant;

fn scan(folder: &Path, query: &str, fields: serde_json::Value, options: ScanOptions) -> Report {
    let mut rule = Rule::of_query(query);
    rule.fields.extend(fields.as_object().unwrap().clone());
    let options = ScanOptions { any_index: true, ..options };
    let scan = Scan::new(vec![rule], &CompileOptions::new(quell::schema()), options);
    assert!(scan.findings().is_empty(), "{:?}", scan.findings());
    scan.run(&[folder.join("e.ndjson")], &NoProgress)
}

fn event(n: u32, more: serde_json::Value) -> String {
    let minute = n / 60 % 60;
    let mut event = json!({
        "@timestamp": format!("2024-01-01T{:02}:{minute:02}:{:02}Z", n / 3600 % 24, n % 60),
        "event": {"category": ["network"]},
    });
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    format!("{event}\n")
}

#[test]
fn value_lists_of_a_hundred_thousand_lines_stay_fast() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let events: String = (0..20_000u32)
        .map(|n| {
            event(
                n,
                json!({"source.ip": format!("10.{}.{}.7", n / 200, n % 200), "host.name": format!("h{n}")}),
            )
        })
        .collect();
    std::fs::write(path("e.ndjson"), events).unwrap();
    let ranges: String = (0..50_000u32)
        .filter(|n| n / 200 != 5)
        .map(|n| format!("10.{0}.{1}.3-10.{0}.{1}.9\n", n / 200, n % 200))
        .collect();
    let others: String = (0..50_000u32).map(|n| format!("192.168.{}.{}/32\n", n / 256, n % 256)).collect();
    std::fs::write(path("ips.txt"), ranges + &others).unwrap();
    let hosts: String = (0..100_000u32).map(|n| format!("H{n}\n")).collect();
    std::fs::write(path("hosts.txt"), hosts).unwrap();
    let item = |field: &str, id: &str, kind: &str| {
        format!(
            "[[item]]\nname = \"{id}\"\nrules = [\"*\"]\nentries = [{{ field = \"{field}\", operator = \"included\", type = \"list\", list = {{ id = \"{id}\", type = \"{kind}\" }} }}]\n"
        )
    };
    for (field, id, kind, left) in
        [("source.ip", "ips", "ip_range", 200), ("host.name.caseless", "hosts", "keyword", 0)]
    {
        std::fs::write(path("e.toml"), item(field, id, kind)).unwrap();
        let (mut exceptions, wrong) = ExceptionSet::load(&[path("e.toml")]);
        assert!(wrong.is_empty());
        assert!(exceptions.add_values(id, &path(&format!("{id}.txt"))).is_none());
        let begun = Instant::now();
        let report = scan(
            folder.path(),
            "network where true",
            json!({}),
            ScanOptions { exceptions, ..ScanOptions::default() },
        );
        assert_eq!(report.alerts.len(), left, "{id}");
        assert_eq!(report.held.iter().map(|held| held.hits).sum::<u64>(), 20_000 - left as u64);
        assert!(begun.elapsed().as_secs() < 20, "{id}: {:?}", begun.elapsed());
    }
}

#[test]
fn threads_change_nothing_in_what_is_held_back() {
    let folder = tempfile::tempdir().unwrap();
    let events: String =
        (0..20_000u32).map(|n| event(n, json!({"host.name": format!("h{}", n % 7)}))).collect();
    std::fs::write(folder.path().join("e.ndjson"), events).unwrap();
    let item = "[[item]]\nname = \"n\"\nrules = [\"*\"]\nentries = [{ field = \"host.name\", operator = \"included\", type = \"match\", value = \"h3\" }]\n";
    std::fs::write(folder.path().join("e.toml"), item).unwrap();
    let suppression =
        json!({"alert_suppression": {"group_by": ["host.name"], "duration": {"value": 10, "unit": "m"}}});
    let told = |threads, hit_memory| {
        let (exceptions, _) = ExceptionSet::load(&[folder.path().join("e.toml")]);
        let options =
            ScanOptions { threads, hit_memory, exceptions, show_held: true, ..ScanOptions::default() };
        let report = scan(folder.path(), "network where true", suppression.clone(), options);
        let alerts: Vec<String> = report
            .alerts
            .iter()
            .map(|alert| {
                format!(
                    "{} {:?} {:?}",
                    alert.id,
                    alert.held_by.as_ref().map(|by| by.name().into_owned()),
                    alert.suppression
                )
            })
            .collect();
        (alerts, report.stats.suppressed)
    };
    let (alerts, suppressed) = told(1, 512 << 20);
    // All but those of h3; one in ten minutes and a second of each other host.
    assert_eq!(alerts.len(), 20_000);
    assert_eq!(suppressed, 17_143 - 6 * 34);
    assert_eq!(told(4, 100_000), (alerts, suppressed));
}
