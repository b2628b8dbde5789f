//! Alerts: detections with their rule's words, and the document that Elastic Security would store.
//!
//! Source: Elastic Security's "Detection alert schema". An alert holds no wall clock and nothing random: the same rule and
//! the same events give the same document.

use crate::compile::Engine;
use crate::correlate::{Detection, Member};
use crate::hit::{Hit, hex};
use crate::particulars::{Enrichment, Particulars};
use crate::pipes::Totals;
use crate::suppress::Suppression;
use quell_ir::Value as Constant;
use quell_rules::{ExceptionItem, Rule, RuleKind, RuleSeverity, Threat};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::sync::Arc;

/// A detection that is shown or stored.
#[derive(Clone, Debug)]
pub struct Alert {
    /// A hash of the rule's id and version, the key, and the members' identities: 32 hexadecimal digits.
    pub id: String,
    /// The rule.
    pub rule: Arc<Rule>,
    /// The time of its last event, in nanoseconds since 1970.
    pub time: Option<i64>,
    /// The values that its events have in common by the rule.
    pub keys: Vec<Constant>,
    /// Its events in order; `None` stands for a step that must not come.
    pub members: Vec<Option<Member>>,
    /// What `count` and `unique_count` say of it (Endgame dialect).
    pub totals: Option<Totals>,
    /// What a rule says that counts or remembers.
    pub particulars: Option<Box<Particulars>>,
    /// Whether it is recorded but not shown.
    pub building_block: bool,
    /// What holds it back: then it is none, and given only because that was asked for.
    pub held_by: Option<HeldBy>,
    /// What it says of the alerts that it stands for, if its rule suppresses.
    pub suppression: Option<Suppression>,
    /// The maintenance windows that it falls into. It is recorded, and nobody needs to be told.
    pub maintenance: Vec<Maintenance>,
}

/// What holds an alert back.
#[derive(Clone, Debug)]
pub enum HeldBy {
    /// An exception covers its event.
    Exception(Arc<ExceptionItem>),
    /// The alert of that id stands for it.
    Suppression(String),
}

impl HeldBy {
    /// The exception's name, or the alert that stands for it.
    #[must_use]
    pub fn name(&self) -> Cow<'_, str> {
        match self {
            HeldBy::Exception(item) => Cow::Borrowed(&item.name),
            HeldBy::Suppression(id) => Cow::Owned(format!("suppression, alert {id}")),
        }
    }

    fn to_json(&self) -> Value {
        match self {
            HeldBy::Exception(item) => {
                json!({ "list_id": item.list_id, "item_id": item.id, "name": item.name })
            }
            HeldBy::Suppression(id) => json!({ "suppressed_by": id }),
        }
    }
}

/// A maintenance window, as an alert names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maintenance {
    /// Its id.
    pub id: Arc<str>,
    /// Its title.
    pub title: Arc<str>,
}

impl Alert {
    /// The alert of a detection; `None` for a detection of another engine.
    #[must_use]
    pub fn new(engine: &Engine, detection: Detection) -> Option<Alert> {
        let rule = Arc::clone(engine.rule(detection.rule)?);
        Some(Alert {
            id: id(&rule, &detection),
            time: detection.time,
            keys: detection.keys,
            members: detection.members,
            totals: detection.totals,
            particulars: detection.particulars,
            building_block: rule.building_block,
            held_by: None,
            suppression: None,
            maintenance: Vec::new(),
            rule,
        })
    }

    /// What a hit would have been, or would have been a part of, but for the exception that covers it; `None` for a hit that none
    /// covers.
    #[must_use]
    pub fn held(engine: &Engine, hit: &Hit) -> Option<Alert> {
        let item = Arc::clone(&engine.holds.get(hit.held_by?)?.item);
        let detection = Detection {
            rule: hit.rule,
            time: hit.time,
            keys: Vec::new(),
            members: vec![Some(Member::of(hit, 1))],
            totals: None,
            particulars: None,
        };
        Some(Alert { held_by: Some(HeldBy::Exception(item)), ..Alert::new(engine, detection)? })
    }

    /// About how many bytes it holds.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Alert>() + self.members.iter().flatten().map(Member::bytes).sum::<usize>()
    }

    /// Whether it is of several events that belong together, as those of sequences, samples and thresholds are, if only one of
    /// them is there.
    #[must_use]
    pub fn is_joined(&self) -> bool {
        match self.particulars.as_deref() {
            Some(Particulars::Threshold(_)) => true,
            Some(Particulars::NewTerms(_) | Particulars::Enrichments(_)) => false,
            None => self.members.len() > 1 || !self.keys.is_empty(),
        }
    }
}

fn id(rule: &Rule, detection: &Detection) -> String {
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        // The length in front keeps neighbouring parts apart.
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    part(&rule.id);
    part(&rule.version);
    part(&detection.keys.len().to_string());
    for key in &detection.keys {
        part(&key_text(key));
    }
    for member in &detection.members {
        // No identity is empty.
        part(member.as_ref().map_or("", |member| member.id.as_str()));
    }
    if let Some(totals) = &detection.totals {
        part(&Value::from(totals.to_json()).to_string());
    }
    hex(&hash.finalize(), 16)
}

/// A key's kind and value. It goes into ids and must never change.
fn key_text(key: &Constant) -> String {
    match key {
        Constant::Null => "null".to_owned(),
        Constant::Boolean(b) => format!("boolean {b}"),
        Constant::Integer(n) => format!("integer {n}"),
        Constant::Unsigned(n) => format!("integer {n}"),
        Constant::Float(n) => format!("float {:016x}", n.to_bits()),
        Constant::Text(text) => format!("text {text}"),
    }
}

/// The alert as a document: the fields of its event at the top, all else under `kibana.alert`.
///
/// Of a sequence or sample the fields that all its events share stand at the top, and the events themselves in `events`,
/// `{"missing": true}` for a step that must not come. `sources` are the documents of the members, in order, `None` for such
/// a step. `event.kind` keeps the event's own value, where Elastic puts `signal`: what the event said is not lost.
#[must_use]
pub fn alert_document(alert: &Alert, mut sources: Vec<Option<Map<String, Value>>>) -> Map<String, Value> {
    let ancestors = ancestors(alert, &sources);
    let mut document = if alert.is_joined() {
        shared_fields(&sources)
    } else {
        // A record may be large: it is not copied.
        sources.pop().flatten().unwrap_or_default()
    };
    let mut content = Map::new();
    content.insert("uuid".into(), alert.id.as_str().into());
    if let Some(time) = alert.time.and_then(iso_time) {
        content.insert("original_time".into(), time.into());
    }
    content.insert("reason".into(), reason(alert, &document).into());
    content.insert("severity".into(), severity(alert.rule.severity).into());
    content.insert("risk_score".into(), alert.rule.risk_score.into());
    content.insert("depth".into(), 1.into());
    content.insert("ancestors".into(), ancestors);
    if alert.building_block {
        content.insert("building_block_type".into(), "default".into());
    }
    if let Some(held_by) = &alert.held_by {
        content.insert("held_by".into(), held_by.to_json());
    }
    if let Some(suppression) = &alert.suppression {
        content.insert("suppression".into(), suppression_object(suppression));
    }
    if !alert.maintenance.is_empty() {
        let ids = alert.maintenance.iter().map(|window| Value::from(&*window.id));
        content.insert("maintenance_window_ids".into(), ids.collect());
        let titles = alert.maintenance.iter().map(|window| Value::from(&*window.title));
        content.insert("maintenance_window_names".into(), titles.collect());
    }
    content.insert("rule".into(), rule_object(&alert.rule));
    if let Some(totals) = &alert.totals {
        content.insert("totals".into(), totals.to_json().into());
    }
    if let Some(particulars) = &alert.particulars {
        content.extend(particulars.to_json());
    }
    if let Some(Particulars::Enrichments(enrichments)) = alert.particulars.as_deref() {
        enrich(&mut document, enrichments);
    }
    take_out(&mut document, "kibana.alert");
    let kibana = document.entry("kibana").or_insert_with(|| Value::Object(Map::new()));
    if !kibana.is_object() {
        *kibana = Value::Object(Map::new());
    }
    if let Some(kibana) = kibana.as_object_mut() {
        kibana.insert("alert".into(), Value::Object(content));
    }
    if alert.is_joined() {
        take_out(&mut document, "events");
        let event = |source: Option<Map<String, Value>>| match source {
            Some(source) => Value::Object(source),
            None => json!({ "missing": true }),
        };
        document.insert("events".into(), sources.into_iter().map(event).collect());
    }
    document
}

/// Adds what is known of threats to what the event says of itself.
fn enrich(document: &mut Map<String, Value>, enrichments: &[Enrichment]) {
    let own = match at_path(document, "threat.enrichments").cloned() {
        None => Vec::new(),
        Some(Value::Array(list)) => list,
        Some(one) => vec![one],
    };
    take_out(document, "threat.enrichments");
    let all = own.into_iter().chain(enrichments.iter().map(Enrichment::to_json)).collect();
    match document.entry("threat").or_insert_with(|| Value::Object(Map::new())) {
        Value::Object(threat) => _ = threat.insert("enrichments".into(), all),
        _ => _ = document.insert("threat.enrichments".into(), all),
    }
}

fn suppression_object(suppression: &Suppression) -> Value {
    let value = |value: &Constant| match value {
        Constant::Null => Value::Null,
        Constant::Boolean(b) => (*b).into(),
        Constant::Integer(n) => (*n).into(),
        Constant::Unsigned(n) => (*n).into(),
        Constant::Float(n) => (*n).into(),
        Constant::Text(text) => (&**text).into(),
    };
    let term = |(field, values): &(String, Vec<Constant>)| {
        let values = match values.as_slice() {
            [] => Value::Null,
            [one] => value(one),
            several => several.iter().map(value).collect(),
        };
        json!({ "field": field, "value": values })
    };
    let mut object = Map::new();
    object.insert("terms".into(), suppression.terms.iter().map(term).collect());
    for (name, time) in [("start", suppression.start), ("end", suppression.end)] {
        if let Some(time) = iso_time(time) {
            object.insert(name.into(), time.into());
        }
    }
    object.insert("docs_count".into(), suppression.count.into());
    Value::Object(object)
}

/// The fields that all documents hold with the same value, written as the first one writes them.
fn shared_fields(sources: &[Option<Map<String, Value>>]) -> Map<String, Value> {
    let mut documents = sources.iter().flatten();
    let Some(first) = documents.next() else { return Map::new() };
    let others: Vec<&Map<String, Value>> = documents.collect();
    if others.is_empty() { first.clone() } else { shared(first, "", &others) }
}

/// The part of an object at `path` that the other documents hold too.
fn shared(object: &Map<String, Value>, path: &str, others: &[&Map<String, Value>]) -> Map<String, Value> {
    let mut found = Map::new();
    for (name, value) in object {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match value {
            Value::Object(inner) => {
                let inner = shared(inner, &path, others);
                if !inner.is_empty() {
                    found.insert(name.clone(), Value::Object(inner));
                }
            }
            value if others.iter().all(|other| at_path(other, &path) == Some(value)) => {
                found.insert(name.clone(), value.clone());
            }
            _ => {}
        }
    }
    found
}

/// The value at a dotted path, however its segments are spread over nested objects and dotted keys.
fn at_path<'d>(document: &'d Map<String, Value>, path: &str) -> Option<&'d Value> {
    let nested =
        |(dot, _): (usize, &str)| at_path(document.get(path.get(..dot)?)?.as_object()?, path.get(dot + 1..)?);
    document.get(path).or_else(|| path.match_indices('.').find_map(nested))
}

/// Removes a field and all below it, however its path is spread over nested objects and dotted keys: an event must not
/// speak in its alert's name.
fn take_out(document: &mut Map<String, Value>, path: &str) {
    let below = |name: &str, path: &str| {
        name.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    document.retain(|name, _| !below(name, path));
    for (dot, _) in path.match_indices('.') {
        let (Some(name), Some(rest)) = (path.get(..dot), path.get(dot + 1..)) else { continue };
        if let Some(Value::Object(inner)) = document.get_mut(name) {
            take_out(inner, rest);
        }
    }
}

fn ancestors(alert: &Alert, sources: &[Option<Map<String, Value>>]) -> Value {
    let ancestor = |(at, member): (usize, &Option<Member>)| {
        let member = member.as_ref()?;
        let mut ancestor = Map::new();
        ancestor.insert("id".into(), member.id.as_str().into());
        ancestor.insert("type".into(), "event".into());
        let source = sources.get(at).and_then(Option::as_ref);
        if let Some(index) = source.and_then(|source| first_text(source, "_index")) {
            ancestor.insert("index".into(), index.into());
        }
        ancestor.insert("depth".into(), 0.into());
        Some(Value::Object(ancestor))
    };
    alert.members.iter().enumerate().filter_map(ancestor).collect()
}

fn rule_object(rule: &Rule) -> Value {
    let mut object = Map::new();
    object.insert("rule_id".into(), rule.id.as_str().into());
    object.insert("name".into(), rule.name.as_str().into());
    if !rule.description.is_empty() {
        object.insert("description".into(), rule.description.as_str().into());
    }
    // Elastic's versions are numbers, an Endpoint rule's are not.
    let version = rule.version.parse::<u64>().map_or_else(|_| rule.version.as_str().into(), Value::from);
    object.insert("version".into(), version);
    object.insert("rule_type_id".into(), type_id(rule.kind).into());
    object.insert("severity".into(), severity(rule.severity).into());
    object.insert("risk_score".into(), rule.risk_score.into());
    object.insert("tags".into(), rule.tags.as_slice().into());
    object.insert("threat".into(), threat(rule));
    for name in ["references", "false_positives"] {
        if let Some(value) = rule.fields.get(name) {
            object.insert(name.into(), value.clone());
        }
    }
    Value::Object(object)
}

fn type_id(kind: RuleKind) -> &'static str {
    match kind {
        RuleKind::Eql => "siem.eqlRule",
        RuleKind::Query => "siem.queryRule",
        RuleKind::SavedQuery => "siem.savedQueryRule",
        RuleKind::Threshold => "siem.thresholdRule",
        RuleKind::NewTerms => "siem.newTermsRule",
        RuleKind::ThreatMatch => "siem.indicatorRule",
        RuleKind::MachineLearning => "siem.mlRule",
        RuleKind::Esql => "siem.esqlRule",
    }
}

fn severity(severity: RuleSeverity) -> &'static str {
    match severity {
        RuleSeverity::Low => "low",
        RuleSeverity::Medium => "medium",
        RuleSeverity::High => "high",
        RuleSeverity::Critical => "critical",
    }
}

/// The rule's own objects with their links, or else such objects made of what was read.
fn threat(rule: &Rule) -> Value {
    match rule.fields.get("threat") {
        Some(own) if own.is_array() => own.clone(),
        _ => rule.threat.iter().map(threat_object).collect(),
    }
}

fn threat_object(threat: &Threat) -> Value {
    let named = |id: &str, name: &str| json!({ "id": id, "name": name });
    let mut techniques: Vec<Value> = Vec::new();
    for technique in threat.techniques.iter().filter(|technique| !technique.id.contains('.')) {
        let below = |other: &&quell_rules::Technique| {
            other.id.strip_prefix(&technique.id).is_some_and(|rest| rest.starts_with('.'))
        };
        let parts = threat.techniques.iter().filter(below).map(|part| named(&part.id, &part.name));
        let mut object = named(&technique.id, &technique.name);
        let parts: Vec<Value> = parts.collect();
        if let Some(object) = object.as_object_mut()
            && !parts.is_empty()
        {
            object.insert("subtechnique".into(), parts.into());
        }
        techniques.push(object);
    }
    json!({
        "framework": threat.framework,
        "tactic": named(&threat.tactic_id, &threat.tactic_name),
        "technique": techniques,
    })
}

/// What a reason names of an event, in this order: the words in front, and the field.
const REASON_PARTS: &[(&str, &str)] = &[
    ("process", "process.name"),
    ("parent process", "process.parent.name"),
    ("file", "file.name"),
    ("source", "source.ip"),
    ("destination", "destination.ip"),
];

/// One sentence: what kind of event, its process, who, where, which alert.
fn reason(alert: &Alert, document: &Map<String, Value>) -> String {
    let field = |path| first_text(document, path);
    let mut sentence = match field("event.category") {
        Some(category) => format!("{category} event"),
        None => "event".to_owned(),
    };
    let named = REASON_PARTS.iter().filter_map(|(words, path)| Some(format!("{words} {}", field(path)?)));
    let named: Vec<String> = named.collect();
    if !named.is_empty() {
        sentence.push_str(" with ");
        sentence.push_str(&named.join(", "));
    }
    if let Some(user) = field("user.name") {
        sentence.push_str(&format!(" by {user}"));
    }
    if let Some(host) = field("host.name") {
        sentence.push_str(&format!(" on {host}"));
    }
    sentence.push_str(&format!(" created {} alert {}.", severity(alert.rule.severity), alert.rule.name));
    sentence
}

/// The first scalar at a dotted path as text, however its segments are spread over nested objects and dotted keys.
fn first_text(document: &Map<String, Value>, path: &str) -> Option<String> {
    let direct = document.get(path).and_then(scalar_text);
    let splits =
        path.match_indices('.').filter_map(|(dot, _)| Some((path.get(..dot)?, path.get(dot + 1..)?)));
    direct.or_else(|| {
        let mut nested = splits.filter_map(|(key, rest)| objects_text(document.get(key)?, rest));
        nested.next()
    })
}

fn objects_text(value: &Value, path: &str) -> Option<String> {
    match value {
        Value::Object(object) => first_text(object, path),
        Value::Array(list) => list.iter().find_map(|value| objects_text(value, path)),
        _ => None,
    }
}

fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(n) => Some(n.to_string()),
        Value::Bool(b) => Some(b.to_string()),
        Value::Array(list) => list.iter().find_map(scalar_text),
        Value::Null | Value::Object(_) => None,
    }
}

/// An instant as ISO 8601 in UTC with three digits of the second, or as many more as it needs: six or nine.
pub(crate) fn iso_time(nanoseconds: i64) -> Option<String> {
    let time = jiff::Timestamp::from_nanosecond(i128::from(nanoseconds)).ok()?;
    Some(match nanoseconds {
        n if n % 1_000_000 == 0 => format!("{time:.3}"),
        n if n % 1_000 == 0 => format!("{time:.6}"),
        _ => format!("{time:.9}"),
    })
}
