//! An alert in a few words: what a table or a spreadsheet shows of it.

use crate::columns::Cell;
use crate::document::text;
use crate::units::second;
use quell::{Alert, RuleSeverity, Totals};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// The words.
#[derive(Clone, Debug)]
pub struct AlertRow<'a> {
    /// Nanoseconds since 1970.
    pub time: Option<i64>,
    pub severity: RuleSeverity,
    pub risk_score: u8,
    pub rule: &'a str,
    pub rule_id: &'a str,
    pub host: Cow<'a, str>,
    pub user: String,
    pub process: Cow<'a, str>,
    /// What was done: the command line, or what else the event is about.
    pub what: String,
    pub id: &'a str,
}

/// What stands for a step that must not come.
pub const MISSING: &str = "no such event";

/// Where the host's name is looked for.
const HOST: &[&str] = &["host.name", "host.hostname", "winlog.computer_name", "agent.name", "observer.name"];
/// Where the process's name is looked for.
const PROCESS: &[&str] = &["process.name", "process.executable"];
/// What an event is about, where it has no command line.
const WHAT: &[&str] = &[
    "process.command_line",
    "powershell.file.script_block_text",
    "process.args",
    "file.path",
    "registry.path",
    "dns.question.name",
    "dll.path",
    "url.full",
];

impl<'a> AlertRow<'a> {
    /// The words of an alert, by its document. Of several events what they share counts, then what the last one says.
    #[must_use]
    pub fn of(alert: &'a Alert, document: &'a Map<String, Value>) -> Self {
        let last = joined_events(alert, document).filter_map(|(_, event)| event).last().unwrap_or(document);
        let or_last = |paths| match first(document, paths) {
            shared if shared.is_empty() => first(last, paths),
            shared => shared,
        };
        let shared_user = Some(user(document)).filter(|user| !user.is_empty());
        AlertRow {
            time: alert.time,
            severity: alert.rule.severity,
            risk_score: alert.rule.risk_score,
            rule: &alert.rule.name,
            rule_id: &alert.rule.id,
            host: or_last(HOST),
            user: shared_user.unwrap_or_else(|| user(last)),
            process: or_last(PROCESS),
            what: match &alert.totals {
                Some(totals) if alert.members.is_empty() => counted_key(totals),
                _ => what(last),
            },
            id: &alert.id,
        }
    }
}

/// What a result of `count` is about: `2x net.exe`.
fn counted_key(totals: &Totals) -> String {
    format!("{}x {}", totals.count, key_text(totals))
}

/// The key of counts as text; of several parts as JSON.
#[must_use]
pub fn key_text(totals: &Totals) -> String {
    match totals.to_json().remove("key") {
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

/// The events of a sequence or sample with their documents, nothing for a step that must not come; none for an alert of a
/// single event.
pub fn joined_events<'a>(
    alert: &'a Alert,
    document: &'a Map<String, Value>,
) -> impl Iterator<Item = (Option<i64>, Option<&'a Map<String, Value>>)> {
    let events = document.get("events").filter(|_| alert.is_joined()).and_then(Value::as_array);
    alert.members.iter().zip(events.into_iter().flatten()).map(|(member, event)| match member {
        Some(member) => (member.time, event.as_object()),
        None => (None, None),
    })
}

/// An event in a row: time, category, host, user, process, what was done.
#[must_use]
pub fn event_cells(time: Option<i64>, document: &Map<String, Value>) -> Vec<Cell> {
    let time = time.map_or_else(|| String::from("no time"), second);
    vec![
        Cell::new(&time),
        Cell::new(&text(document, "event.category").unwrap_or_default()),
        Cell::new(&first(document, HOST)),
        Cell::new(&user(document)),
        Cell::new(&first(document, PROCESS)),
        Cell::new(&what(document)),
    ]
}

fn first<'d>(document: &'d Map<String, Value>, paths: &[&str]) -> Cow<'d, str> {
    paths.iter().find_map(|path| text(document, path)).unwrap_or_default()
}

/// `DOMAIN\name`, `name`, or an id.
fn user(document: &Map<String, Value>) -> String {
    match (text(document, "user.domain"), text(document, "user.name")) {
        (Some(domain), Some(name)) => format!("{domain}\\{name}"),
        (None, Some(name)) => name.into_owned(),
        (_, None) => text(document, "user.id").unwrap_or_default().into_owned(),
    }
}

fn what(document: &Map<String, Value>) -> String {
    let said = first(document, WHAT);
    if !said.is_empty() {
        return said.into_owned();
    }
    if let Some(address) = text(document, "destination.ip").or_else(|| text(document, "destination.domain")) {
        return match text(document, "destination.port") {
            Some(port) => format!("to {address}:{port}"),
            None => format!("to {address}"),
        };
    }
    text(document, "message").unwrap_or_default().into_owned()
}

#[cfg(test)]
mod tests {
    use super::{user, what};
    use serde_json::{Value, json};

    #[test]
    fn an_event_is_told_by_what_it_has() {
        let cases = [
            (json!({"process": {"command_line": "a b", "args": ["a"]}, "message": "m"}), "a b"),
            (json!({"process.args": ["a", "b"]}), "a, b"),
            (json!({"powershell": {"file": {"script_block_text": "1..9"}}}), "1..9"),
            (json!({"destination": {"ip": "192.0.2.1", "port": 445}}), "to 192.0.2.1:445"),
            (json!({"destination": {"domain": "a.example"}}), "to a.example"),
            (json!({"message": "m"}), "m"),
            (json!({}), ""),
        ];
        for (document, expected) in cases {
            let Value::Object(document) = document else { panic!() };
            assert_eq!(what(&document), expected, "{document:?}");
        }
    }

    #[test]
    fn users_have_their_domain_in_front() {
        let cases = [
            (json!({"user": {"domain": "LAB", "name": "bob", "id": "S-1"}}), "LAB\\bob"),
            (json!({"user": {"name": "root"}}), "root"),
            (json!({"user": {"domain": "LAB", "id": "S-1"}}), "S-1"),
        ];
        for (document, expected) in cases {
            let Value::Object(document) = document else { panic!() };
            assert_eq!(user(&document), expected);
        }
    }
}
