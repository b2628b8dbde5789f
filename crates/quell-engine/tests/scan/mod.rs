//! A scan in small: rules as EQL, events as JSON text, and what comes of them.
#![allow(dead_code, reason = "each test file uses its own part")]

use quell_engine::{Detection, Engine, EngineOptions, EngineRule, Hit, MatchStats, correlate};
use quell_eql::{Options, compile};
use quell_event::{Event, EventState, Position, Projection, ProjectionBuilder, RecordRef, RecordText, Want};
use quell_ir::{EventFilter, FieldInfo, FieldType, Query, Schema};
use quell_rules::rule::{FieldOverrides, Origin};
use quell_rules::schedule::Schedule;
use quell_rules::type_fields::TypeFields;
use quell_rules::{Rule, RuleFormat, RuleKind, RuleSeverity};
use std::sync::Arc;

/// Types of the fields that the tests use; others are unknown.
pub struct TestSchema;

const FIELDS: &[(&str, FieldType)] = &[
    ("@timestamp", FieldType::Date),
    ("event.action", FieldType::Keyword),
    ("event.category", FieldType::Keyword),
    ("event.created", FieldType::Date),
    ("event.type", FieldType::Keyword),
    ("file.size", FieldType::Integer),
    ("host.os.type", FieldType::Keyword),
    ("host.os.version", FieldType::Version),
    ("process.Ext.frames", FieldType::Object),
    ("process.args", FieldType::Keyword),
    ("process.code_signature.trusted", FieldType::Boolean),
    ("process.command_line", FieldType::Keyword),
    ("process.executable", FieldType::Keyword),
    ("process.name", FieldType::Keyword),
    ("process.parent.name", FieldType::Keyword),
    ("process.pid", FieldType::Integer),
    ("process.score", FieldType::Float),
    ("source.ip", FieldType::Ip),
    ("user.name", FieldType::Keyword),
];

impl Schema for TestSchema {
    fn field(&self, path: &str) -> Option<FieldInfo> {
        let (_, kind) = FIELDS.iter().find(|(name, _)| *name == path)?;
        Some(FieldInfo { kind: *kind, array: false })
    }

    fn near(&self, _path: &str) -> Vec<String> {
        Vec::new()
    }

    fn name(&self) -> &str {
        "test"
    }
}

pub fn query(eql: &str, dialect: quell_eql::Dialect) -> Query {
    let options = Options { dialect, ..Options::new(&TestSchema) };
    compile(eql, &options).unwrap_or_else(|findings| panic!("{eql}: {findings:?}")).query
}

pub fn bare_rule(id: &str) -> Rule {
    Rule {
        id: id.to_owned(),
        name: format!("Rule {id}"),
        description: String::new(),
        kind: RuleKind::Eql,
        language: None,
        query: None,
        index: None,
        severity: RuleSeverity::Medium,
        risk_score: 47,
        tags: Vec::new(),
        threat: Vec::new(),
        version: "1".to_owned(),
        building_block: false,
        overrides: FieldOverrides::default(),
        schedule: Schedule::default(),
        type_fields: TypeFields::None,
        os_list: Vec::new(),
        deprecated: false,
        fields: serde_json::Map::new(),
        beside: serde_json::Map::new(),
        origin: Arc::new(Origin { path: "test".into(), text: "".into(), format: RuleFormat::Eql }),
    }
}

pub fn with_rule(rule: Rule, eql: &str) -> EngineRule {
    let dialect = if rule.os_list.is_empty() {
        quell_eql::Dialect::Elasticsearch
    } else {
        quell_eql::Dialect::Endpoint
    };
    EngineRule { rule: Arc::new(rule), query: query(eql, dialect) }
}

/// An engine of rules named `0`, `1`, … that must all run.
pub fn engine(queries: &[&str]) -> Engine {
    let rules =
        queries.iter().enumerate().map(|(n, eql)| with_rule(bare_rule(&n.to_string()), eql)).collect();
    engine_of(rules, &EngineOptions::default())
}

pub fn engine_of(rules: Vec<EngineRule>, options: &EngineOptions) -> Engine {
    let (engine, not_run) = Engine::new(rules, options);
    assert!(not_run.is_empty(), "{not_run:?}");
    engine
}

pub fn projection(engine: &Engine) -> Projection {
    let mut builder = ProjectionBuilder::new();
    for (slot, path) in engine.fields().iter() {
        builder.add(path, slot.index(), if engine.subtree(slot) { Want::Subtree } else { Want::Scalars });
    }
    builder.build()
}

pub fn record_ref(n: usize, record: &str) -> RecordRef {
    let position = Position { offset: n as u64 * 1000, number: n as u64 + 1 };
    RecordRef { source: 0, position, text: RecordText::Owned(record.into()) }
}

pub fn hits_of(engine: &Engine, records: &[&str]) -> (Vec<Hit>, MatchStats) {
    let projection = projection(engine);
    let mut state = EventState::default();
    let mut matcher = engine.matcher();
    let mut hits = Vec::new();
    for (n, record) in records.iter().enumerate() {
        state.begin(engine.fields().len(), 0);
        projection.project(record, &mut state).unwrap();
        let mut event = Event::new(record, &mut state, None);
        matcher.match_event(&mut event, &mut || record_ref(n, record), &mut hits);
    }
    (hits, matcher.stats())
}

pub fn detections(engine: &Engine, records: &[&str]) -> Vec<Detection> {
    correlate(engine, hits_of(engine, records).0)
}

/// For each record the ids of the rules that it hits, sorted and joined by blanks.
pub fn hit_rules(engine: &Engine, records: &[&str]) -> Vec<String> {
    let (hits, _) = hits_of(engine, records);
    let ids = |n: usize| {
        let of_record = hits.iter().filter(|hit| hit.record.position.number == n as u64 + 1);
        let mut ids: Vec<&str> = of_record.map(|hit| engine.rule(hit.rule).unwrap().id.as_str()).collect();
        ids.sort_unstable();
        ids.join(" ")
    };
    (0..records.len()).map(ids).collect()
}

/// How a record stands to the first step of each rule, whose filters these are.
pub fn verdicts(engine: &Engine, filters: &[EventFilter], record: &str) -> Vec<Option<bool>> {
    let mut state = EventState::default();
    state.begin(engine.fields().len(), 0);
    projection(engine).project(record, &mut state).unwrap();
    let mut event = Event::new(record, &mut state, None);
    let verdict = |(rule, filter)| engine.verdict(rule, 0, filter, &mut event).unwrap().holds();
    (0..).zip(filters).map(verdict).collect()
}
