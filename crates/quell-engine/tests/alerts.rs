//! The document of an alert.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod scan;

use quell_engine::{Alert, EngineOptions, alert_document};
use quell_rules::{Rule, RuleSeverity, Technique, Threat};
use scan::{bare_rule, detections, engine_of, with_rule};
use serde_json::{Value, json};

fn document(rule: Rule, record: &str) -> Value {
    let engine = engine_of(vec![with_rule(rule, "any where true")], &EngineOptions::default());
    let detection = detections(&engine, &[record]).remove(0);
    let alert = Alert::new(&engine, detection).unwrap();
    let source: Value = serde_json::from_str(record).unwrap();
    Value::Object(alert_document(&alert, vec![Some(source.as_object().unwrap().clone())]))
}

#[test]
fn an_event_cannot_speak_in_its_alerts_name() {
    for record in [
        r#"{"kibana.alert.rule.name":"x","a":1}"#,
        r#"{"kibana":{"alert.uuid":"x"},"a":1}"#,
        r#"{"kibana":{"alert":{"uuid":"x","workflow_status":"closed"}},"a":1}"#,
        r#"{"kibana.alert":{"uuid":"x"},"kibana":"x","a":1}"#,
        r#"{"kibana.alert":"x","a":1}"#,
    ] {
        let document = document(bare_rule("9c1f"), record);
        let names: Vec<&String> = document.as_object().unwrap().keys().collect();
        assert!(names.iter().all(|name| ["a", "kibana"].contains(&name.as_str())), "{record}: {names:?}");
        let kibana = document["kibana"].as_object().unwrap();
        assert_eq!(kibana.keys().collect::<Vec<_>>(), ["alert"], "{record}");
        assert_eq!(kibana["alert"]["rule"]["rule_id"], "9c1f", "{record}");
        assert_ne!(kibana["alert"]["uuid"], "x", "{record}");
        assert!(kibana["alert"].get("workflow_status").is_none(), "{record}");
    }
    let beside = document(bare_rule("9c1f"), r#"{"kibana.alerts":1,"kibana":{"version":"8"}}"#);
    assert_eq!((&beside["kibana.alerts"], &beside["kibana"]["version"]), (&json!(1), &json!("8")));
}

fn technique(id: &str, name: &str) -> Technique {
    Technique { id: id.to_owned(), name: name.to_owned() }
}

#[test]
fn a_document_is_the_event_and_the_rule() {
    let mut rule = bare_rule("9c1f");
    rule.name = "Port scan".to_owned();
    rule.description = "Scans.".to_owned();
    rule.version = "3".to_owned();
    rule.severity = RuleSeverity::High;
    rule.risk_score = 73;
    rule.tags = vec!["Tactic: Discovery".to_owned()];
    rule.threat = vec![Threat {
        framework: "MITRE ATT&CK".to_owned(),
        tactic_id: "TA0007".to_owned(),
        tactic_name: "Discovery".to_owned(),
        techniques: vec![
            technique("T1046", "Network Service Discovery"),
            technique("T1087", "Account Discovery"),
            technique("T1087.001", "Local Account"),
        ],
    }];
    let record = r#"{"_id":"e1","_index":"logs-x","@timestamp":"2024-05-01T10:00:00.25Z","event":{"kind":"event","category":["process"]},"process":{"name":"nmap","parent.name":"cmd.exe"},"user.name":"bob","host":[{"name":"ws-17"}],"kibana":{"version":"8"}}"#;
    let document = document(rule, record);
    assert_eq!(document["event"]["kind"], "event");
    assert_eq!(document["kibana"]["version"], "8");
    let alert = &document["kibana"]["alert"];
    let expected = json!({
        "uuid": alert["uuid"],
        "original_time": "2024-05-01T10:00:00.250Z",
        "reason": "process event with process nmap, parent process cmd.exe by bob on ws-17 created high alert Port scan.",
        "severity": "high",
        "risk_score": 73,
        "depth": 1,
        "ancestors": [{ "id": "e1", "type": "event", "index": "logs-x", "depth": 0 }],
        "rule": {
            "rule_id": "9c1f",
            "name": "Port scan",
            "description": "Scans.",
            "version": 3,
            "rule_type_id": "siem.eqlRule",
            "severity": "high",
            "risk_score": 73,
            "tags": ["Tactic: Discovery"],
            "threat": [{
                "framework": "MITRE ATT&CK",
                "tactic": { "id": "TA0007", "name": "Discovery" },
                "technique": [
                    { "id": "T1046", "name": "Network Service Discovery" },
                    { "id": "T1087", "name": "Account Discovery", "subtechnique": [{ "id": "T1087.001", "name": "Local Account" }] },
                ],
            }],
        },
    });
    assert_eq!(*alert, expected);
    assert_eq!(alert["uuid"].as_str().unwrap().len(), 32);
}

#[test]
fn a_building_block_says_so_and_an_event_may_say_nothing() {
    let mut rule = bare_rule("b");
    rule.building_block = true;
    rule.version = "1.0.2".to_owned();
    rule.fields = json!({ "threat": [{ "own": true }], "references": ["https://example.org"] })
        .as_object()
        .unwrap()
        .clone();
    let document = document(rule, r#"{"kibana":"odd"}"#);
    let alert = &document["kibana"]["alert"];
    assert_eq!(alert["building_block_type"], "default");
    assert_eq!(alert["rule"]["version"], "1.0.2");
    assert_eq!(alert["rule"]["threat"], json!([{ "own": true }]));
    assert_eq!(alert["rule"]["references"], json!(["https://example.org"]));
    assert_eq!(alert["reason"], "event created medium alert Rule b.");
    assert!(alert.get("original_time").is_none());
    assert!(alert["ancestors"][0].get("index").is_none());
}

#[test]
fn times_keep_the_digits_that_they_have() {
    for (time, expected) in [
        ("2024-05-01T10:00:00Z", "2024-05-01T10:00:00.000Z"),
        ("2024-05-01T10:00:00.000001Z", "2024-05-01T10:00:00.000001Z"),
        ("1960-01-01T00:00:00.123456789Z", "1960-01-01T00:00:00.123456789Z"),
    ] {
        let document = document(bare_rule("t"), &format!(r#"{{"@timestamp":"{time}"}}"#));
        assert_eq!(document["kibana"]["alert"]["original_time"], expected);
    }
}

/// The document of the first alert of a query over JSON events.
fn joined(query: &str, records: &[&str]) -> (Alert, Value) {
    let engine = engine_of(vec![with_rule(bare_rule("s"), query)], &EngineOptions::default());
    let alert = Alert::new(&engine, detections(&engine, records).remove(0)).unwrap();
    let source = |text: &quell_event::RecordText| match text {
        quell_event::RecordText::Owned(text) => serde_json::from_str(text).unwrap(),
        other => panic!("{other:?}"),
    };
    let sources: Vec<_> =
        alert.members.iter().map(|member| Some(source(&member.as_ref()?.record.text))).collect();
    let document = Value::Object(alert_document(&alert, sources));
    (alert, document)
}

#[test]
fn a_sequence_shows_what_its_events_share_and_each_of_them() {
    let first = r#"{"_id":"e1","@timestamp":"2024-05-01T10:00:00Z","event":{"category":["process"],"type":["start"]},"process":{"name":"a","pid":1},"host.name":"h","user":{"name":"bob","id":"1"}}"#;
    let second = r#"{"_id":"e2","@timestamp":"2024-05-01T10:00:02Z","event.category":["process"],"process":{"name":"b","pid":1},"host":{"name":"h"},"user":{"name":"eve"}}"#;
    let query = "sequence by process.pid with maxspan=1m [process where process.name == \"a\"]
        ![process where process.name == \"x\"] [process where process.name == \"b\"]";
    let (alert, document) = joined(query, &[first, second]);
    assert_eq!(alert.keys, [quell_ir::Value::Integer(1)]);
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(document["events"], json!([parse(first), { "missing": true }, parse(second)]));
    let mut shared = document.clone();
    let content = shared.as_object_mut().unwrap().remove("kibana").unwrap();
    shared.as_object_mut().unwrap().remove("events");
    assert_eq!(
        shared,
        json!({ "event": { "category": ["process"] }, "process": { "pid": 1 }, "host.name": "h" })
    );
    let content = &content["alert"];
    assert_eq!(content["original_time"], "2024-05-01T10:00:02.000Z");
    assert_eq!(content["depth"], 1);
    assert_eq!(
        content["ancestors"],
        json!([
            { "id": "e1", "type": "event", "depth": 0 },
            { "id": "e2", "type": "event", "depth": 0 },
        ])
    );
    assert_eq!(content["reason"], "process event on h created medium alert Rule s.");
}

#[test]
fn ids_of_joined_events_tell_keys_apart() {
    let record = |id: &str, second: u32| {
        format!(
            r#"{{"_id":"{id}","@timestamp":"2024-05-01T10:00:0{second}Z","process":{{"args":["x","y"],"name":"{id}"}}}}"#
        )
    };
    let (first, second) = (record("a", 1), record("b", 2));
    let query =
        "sequence by process.args [any where process.name == \"a\"] [any where process.name == \"b\"]";
    let engine = engine_of(vec![with_rule(bare_rule("s"), query)], &EngineOptions::default());
    let found = detections(&engine, &[&first, &second]);
    let ids: Vec<String> =
        found.into_iter().map(|detection| Alert::new(&engine, detection).unwrap().id).collect();
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1]);
}
