//! What a rule type asks for beside a query: what is counted, what is remembered, what threats are looked for.
//!
//! Source: Elastic's "Detections API: create rule", the fields of each type. In Elastic's rule TOML the fields of a new terms rule
//! stand in `new_terms`.

use crate::compile::CompileOptions;
use crate::finding::Findings;
use crate::node::{Content, Node};
use crate::object::text_at;
use crate::rule::{Language, Origin, QueryText, RuleKind};
use crate::schedule::{not_a_time_ago, seconds_ago};
use quell_ir::logic::{Cardinality, JoinKey, NewTerms, ThreatEntry, Threshold};
use quell_ir::schema::unknown_field;
use quell_ir::{Case, Code, Diagnostic, EventFilter, FieldRef, FieldType, Severity, Span};
use std::time::Duration;

/// What a rule's type asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TypeFields {
    /// Nothing.
    #[default]
    None,
    /// `threshold`
    Threshold(ThresholdFields),
    /// `new_terms`
    NewTerms(NewTermsFields),
    /// `threat_match`
    ThreatMatch(ThreatFields),
}

/// A field name with its place in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedField {
    /// The name.
    pub name: String,
    /// Where it stands in the origin's text.
    pub span: Span,
}

/// What a threshold rule counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThresholdFields {
    /// The fields of the groups; none makes one group.
    pub by: Vec<NamedField>,
    /// How many events it takes.
    pub value: u64,
    /// How many distinct values of which fields.
    pub cardinality: Vec<(NamedField, u64)>,
}

/// What a new terms rule remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTermsFields {
    /// The fields.
    pub fields: Vec<NamedField>,
    /// How far the history window reaches back; Kibana has no usual one.
    pub history: Option<Duration>,
}

/// What an indicator match rule compares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreatFields {
    /// In some list all entries must agree.
    pub mapping: Vec<Vec<ThreatField>>,
    /// Which indicators.
    pub query: Option<QueryText>,
    /// The language of that query.
    pub language: Language,
    /// Where an indicator's document holds it.
    pub path: String,
}

/// A field of events and one of indicators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreatField {
    /// The event's.
    pub field: NamedField,
    /// The indicator's.
    pub indicator: String,
    /// Whether they must differ.
    pub negate: bool,
}

/// Where indicators are in ECS.
const INDICATOR_PATH: &str = "threat.indicator";

impl TypeFields {
    /// Reads what a rule of that type asks for; what is not in its form is a finding.
    pub(crate) fn read(
        object: &Node,
        prefix: &str,
        kind: RuleKind,
        origin: &Origin,
        findings: &mut Findings,
    ) -> TypeFields {
        let read = match kind {
            RuleKind::Threshold => object.get("threshold").and_then(threshold).map(TypeFields::Threshold),
            RuleKind::NewTerms => Some(TypeFields::NewTerms(new_terms(object, prefix, findings))),
            RuleKind::ThreatMatch => Some(TypeFields::ThreatMatch(threat(object, origin))),
            _ => None,
        };
        read.unwrap_or_default()
    }
}

fn threshold(node: &Node) -> Option<ThresholdFields> {
    let cardinality = node.get("cardinality").map(Node::items).unwrap_or_default().iter();
    let cardinality = cardinality.filter_map(|one| {
        let value = one.get("value").and_then(Node::integer)?;
        Some((named(one.get("field")?)?, u64::try_from(value).ok()?))
    });
    Some(ThresholdFields {
        by: node.get("field").map(names).unwrap_or_default(),
        value: node.get("value").and_then(Node::integer).and_then(|value| u64::try_from(value).ok())?,
        cardinality: cardinality.collect(),
    })
}

fn new_terms(object: &Node, prefix: &str, findings: &mut Findings) -> NewTermsFields {
    let table = object.get("new_terms");
    let fields = object.get("new_terms_fields").or_else(|| table?.get("value"));
    let in_table = || table?.get("history_window_start")?.items().first()?.get("value");
    let start = object.get("history_window_start").or_else(in_table);
    let history = start.and_then(|start| {
        let seconds = start.text().and_then(seconds_ago);
        if seconds.is_none() {
            findings.push(not_a_time_ago(start, &format!("{prefix}history_window_start")));
        }
        seconds.map(Duration::from_secs)
    });
    NewTermsFields { fields: fields.map(names).unwrap_or_default(), history }
}

fn threat(object: &Node, origin: &Origin) -> ThreatFields {
    let entry = |entry: &Node| {
        Some(ThreatField {
            field: named(entry.get("field")?)?,
            indicator: entry.get("value")?.text()?.to_owned(),
            negate: entry.get("negate").is_some_and(|node| matches!(node.content, Content::Boolean(true))),
        })
    };
    let lists = object.get("threat_mapping").map(Node::items).unwrap_or_default().iter();
    let entries = |list: &Node| list.get("entries").map(Node::items).unwrap_or_default().to_vec();
    let text = |name: &str| object.get(name).and_then(Node::text);
    ThreatFields {
        mapping: lists.map(|list| entries(list).iter().filter_map(entry).collect()).collect(),
        query: text_at(object, "threat_query", origin),
        language: text("threat_language").and_then(Language::of).unwrap_or(Language::Kql),
        path: text("threat_indicator_path")
            .filter(|path| !path.is_empty())
            .unwrap_or(INDICATOR_PATH)
            .to_owned(),
    }
}

/// The names of a list, or the one name. An empty one is none: so older rules say that they have no group.
fn names(node: &Node) -> Vec<NamedField> {
    let one = std::slice::from_ref(node);
    let nodes = if node.text().is_some() { one } else { node.items() };
    nodes.iter().filter_map(named).filter(|field| !field.name.is_empty()).collect()
}

fn named(node: &Node) -> Option<NamedField> {
    Some(NamedField { name: node.text()?.to_owned(), span: node.span })
}

/// Fields that a rule names beside its query, as the schema knows them.
pub(crate) struct Fields<'o> {
    options: &'o CompileOptions<'o>,
    pub(crate) findings: Vec<Diagnostic>,
}

impl<'o> Fields<'o> {
    pub(crate) fn new(options: &'o CompileOptions<'o>) -> Fields<'o> {
        Fields { options, findings: Vec::new() }
    }

    /// The field of that name, a multi-field by what documents hold.
    fn field(&mut self, named: &NamedField) -> FieldRef {
        let schema = self.options.schema;
        let kind = schema.field(&named.name).map(|info| info.kind);
        if kind.is_none() && !schema.is_open() {
            let finding = unknown_field(schema, &named.name, &named.name, None).at(named.span);
            let severity = if self.options.strict { Severity::Error } else { finding.severity };
            self.findings.push(finding.severity(severity));
        }
        FieldRef::event(schema.indexed(&named.name).stored, kind.unwrap_or(FieldType::Unknown))
    }

    fn key(&mut self, named: &NamedField) -> JoinKey {
        JoinKey { field: self.field(named), optional: false, case: Case::Sensitive }
    }

    pub(crate) fn threshold(
        &mut self,
        fields: &ThresholdFields,
        filter: EventFilter,
        window: Duration,
    ) -> Threshold {
        let cardinality = fields.cardinality.iter();
        Threshold {
            filter,
            by: fields.by.iter().map(|field| self.key(field)).collect(),
            value: fields.value,
            cardinality: cardinality
                .map(|(field, value)| Cardinality { field: self.field(field), value: *value })
                .collect(),
            window,
        }
    }

    pub(crate) fn new_terms(&mut self, fields: &NewTermsFields, filter: EventFilter) -> Option<NewTerms> {
        let Some(history) = fields.history else {
            let message = "field `history_window_start` is missing; every `new_terms` rule has it";
            self.findings.push(Diagnostic::new(Code::MISSING_RULE_FIELD, message));
            return None;
        };
        let terms = fields.fields.iter().map(|field| self.key(field)).collect();
        Some(NewTerms { filter, terms, history })
    }

    pub(crate) fn mapping(&mut self, fields: &ThreatFields) -> Vec<Vec<ThreatEntry>> {
        let mut entry = |entry: &ThreatField| ThreatEntry {
            field: self.field(&entry.field),
            indicator: entry.indicator.as_str().into(),
            negate: entry.negate,
        };
        fields.mapping.iter().map(|list| list.iter().map(&mut entry).collect()).collect()
    }
}

/// What is missing of a mapping, if anything.
pub(crate) fn check_mapping(object: &Node, prefix: &str, findings: &mut Findings) {
    let Some(node) = object.get("threat_mapping") else { return };
    for list in node.items() {
        let Some(entries) = list.get("entries") else { continue };
        let compares = |entry: &Node| {
            !entry.get("negate").is_some_and(|negate| matches!(negate.content, Content::Boolean(true)))
        };
        if !entries.items().iter().any(compares) {
            let message =
                format!("field `{prefix}threat_mapping` has a list whose entries are all negated, or none");
            findings.push(
                Diagnostic::new(Code::RULE_FIELD_VALUE, message)
                    .at(entries.span)
                    .help("add an entry whose fields must agree"),
            );
        }
    }
}
