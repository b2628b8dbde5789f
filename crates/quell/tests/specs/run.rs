//! One case, run: the query is compiled and put to a file of JSON lines, as `quell query` does.

use crate::Fault;
use crate::document::{Case, Expected, ExpectedResult};
use crate::events::{Events, Form};
use crate::finding::{self, shown};
use crate::scan::scan_of;
use quell::{
    Alert, Constant, FileFinding, HeldBy, NoProgress, Particulars, QueryError, Report, Totals, format_query,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Whether what is expected comes about.
pub fn run(case: &Case) -> Result<(), Fault> {
    match &case.expected {
        Expected::Refused { line, findings } => {
            refused(case, findings).map_err(|message| Fault::new(*line, message))
        }
        Expected::Results { line, events, results, cut } => {
            // The query as it stands and as the formatter writes it, over documents of both forms.
            let formatted = match case.options.rule {
                true => case.query.clone(),
                false => format_query(&case.query, case.options.language, case.options.dialect)
                    .map_err(|found| refusal(case, &found))?,
            };
            for (text, form) in
                [(&case.query, Form::Dotted), (&case.query, Form::Nested), (&formatted, Form::Dotted)]
            {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("events.ndjson");
                std::fs::write(&path, events.documents(form)).unwrap();
                let (report, findings) =
                    answer(case, text, &[&path]).map_err(|error| failure(case, error))?;
                if text == &case.query {
                    warned(case, &findings)?;
                }
                let said = if std::ptr::eq(text, &formatted) {
                    format!(" (formatted: {text})")
                } else {
                    format!(" ({form:?})")
                };
                compare(results, events, &report)
                    .and_then(|()| held(case, events, &report))
                    .and_then(|()| limits(&report, *cut))
                    .map_err(|message| Fault::new(*line, message + &said))?;
            }
            Ok(())
        }
    }
}

fn answer<P: AsRef<Path>>(
    case: &Case,
    text: &str,
    paths: &[P],
) -> Result<(Report, Vec<FileFinding>), QueryError> {
    let scan = scan_of(case, text)?;
    Ok((scan.run(paths, &NoProgress), scan.findings().to_vec()))
}

fn refused(case: &Case, expected: &[finding::Finding]) -> Result<(), String> {
    let nothing: [&str; 0] = [];
    match answer(case, &case.query, &nothing) {
        Err(QueryError::Refused(found)) => finding::compare(expected, &found, &case.query),
        Ok(_) | Err(QueryError::NotRunYet(_)) => Err("nothing is refused".to_owned()),
    }
}

fn warned(case: &Case, findings: &[FileFinding]) -> Result<(), Fault> {
    let found: Vec<quell::Diagnostic> = findings.iter().map(|finding| finding.diagnostic.clone()).collect();
    if let (Some(first), []) = (found.first(), case.warned.as_slice()) {
        return Err(Fault::new(case.line, format!("warned: {}", shown(first, &case.query))));
    }
    finding::compare(&case.warned, &found, &case.query).map_err(|message| Fault::new(case.line, message))
}

fn failure(case: &Case, error: QueryError) -> Fault {
    match error {
        QueryError::Refused(found) => refusal(case, &found),
        QueryError::NotRunYet(reason) => Fault::new(case.line, format!("does not run yet: {reason}")),
    }
}

fn refusal(case: &Case, found: &[quell::Diagnostic]) -> Fault {
    let all: Vec<String> = found.iter().map(|found| shown(found, &case.query)).collect();
    Fault::new(case.line, format!("refused: {}", all.join("; ")))
}

/// Whether a limit cut a test is part of what is expected.
fn limits(report: &Report, cut: bool) -> Result<(), String> {
    match (report.stats.tests_cut > 0, cut) {
        (true, false) => Err("a limit cut a test short".to_owned()),
        (false, true) => Err("no limit was met".to_owned()),
        _ => Ok(()),
    }
}

fn compare(expected: &[ExpectedResult], events: &Events, report: &Report) -> Result<(), String> {
    let mut warnings = report.warnings.kept().iter();
    if let Some(warning) = warnings.next() {
        return Err(format!("the events could not be read: {warning:?}"));
    }
    let with_keys = |place: usize| expected.get(place).is_some_and(|line| line.keys.is_some());
    let with_counts = |place: usize| expected.get(place).is_some_and(|line| line.totals.is_some());
    let mut found = Vec::new();
    for (place, alert) in report.alerts.iter().filter(|alert| alert.held_by.is_none()).enumerate() {
        let ids = alert.members.iter().map(|member| match member {
            Some(member) => events.id(member.record.position.number),
            None => Some("-"),
        });
        let ids: Option<Vec<&str>> = ids.collect();
        let ids = ids.ok_or("a result is none of the events")?;
        let keys: Vec<Value> = alert.keys.iter().map(json).collect();
        let mut totals = alert.totals.as_ref().map(Totals::to_json).unwrap_or_default();
        if let Some(suppression) = alert.suppression.as_ref().filter(|found| found.count > 0) {
            totals.insert("suppressed".into(), suppression.count.into());
        }
        if !alert.maintenance.is_empty() {
            let titles = alert.maintenance.iter().map(|window| Value::from(&*window.title));
            totals.insert("maintenance".into(), titles.collect());
        }
        let totals = (!totals.is_empty()).then(|| Value::from(totals));
        let totals = totals.or_else(|| counted(alert).filter(|_| with_counts(place)));
        found.push(line(&ids, with_keys(place).then_some(&keys), totals.as_ref()));
    }
    let ids = |line: &ExpectedResult| -> Vec<String> {
        line.ids.iter().map(|id| id.clone().unwrap_or_else(|| "-".to_owned())).collect()
    };
    let of = |wanted: &ExpectedResult| line(&ids(wanted), wanted.keys.as_ref(), wanted.totals.as_ref());
    let wanted: Vec<String> = expected.iter().map(of).collect();
    if wanted == found {
        return Ok(());
    }
    let list = |lines: &[String]| if lines.is_empty() { "nothing".to_owned() } else { lines.join("; ") };
    Err(format!("expected {}, found {}", list(&wanted), list(&found)))
}

/// What a threshold rule has counted: `{"count":3}`, with the cardinalities by field where there are any.
fn counted(alert: &Alert) -> Option<Value> {
    let Some(Particulars::Threshold(result)) = alert.particulars.as_deref() else { return None };
    let distinct = result.cardinality.iter().map(|(field, n)| (field.to_string(), Value::from(*n)));
    let counts = distinct.chain([("count".to_owned(), result.count.into())]);
    Some(Value::Object(counts.collect()))
}

/// What is held back, where the case says it.
fn held(case: &Case, events: &Events, report: &Report) -> Result<(), String> {
    let Some(expected) = &case.beside.held else { return Ok(()) };
    let mut found = Vec::new();
    for alert in &report.alerts {
        let Some(by) = &alert.held_by else { continue };
        let member = alert.members.iter().flatten().last().ok_or("what is held has no event")?;
        let id = events.id(member.record.position.number).ok_or("what is held is none of the events")?;
        let by = match by {
            HeldBy::Exception(item) => item.name.clone(),
            HeldBy::Suppression(_) => "suppression".to_owned(),
        };
        found.push((id.to_owned(), by));
    }
    if found == *expected { Ok(()) } else { Err(format!("expected as held {expected:?}, found {found:?}")) }
}

fn line<S: AsRef<str>>(ids: &[S], keys: Option<&Vec<Value>>, totals: Option<&Value>) -> String {
    let ids: Vec<&str> = ids.iter().map(AsRef::as_ref).collect();
    let keys = keys.map(|keys| format!(" | {}", Value::from(keys.clone())));
    let totals = totals.map(|totals| format!(" | {}", sorted(totals)));
    ids.join(" ") + &keys.unwrap_or_default() + &totals.unwrap_or_default()
}

/// The same whatever the order of its members.
fn sorted(object: &Value) -> String {
    let members: BTreeMap<&String, &Value> = object.as_object().into_iter().flatten().collect();
    serde_json::to_string(&members).unwrap()
}

fn json(key: &Constant) -> Value {
    match key {
        Constant::Null => Value::Null,
        Constant::Boolean(b) => (*b).into(),
        Constant::Integer(n) => (*n).into(),
        Constant::Unsigned(n) => (*n).into(),
        Constant::Float(n) => (*n).into(),
        Constant::Text(text) => text.as_ref().into(),
    }
}
