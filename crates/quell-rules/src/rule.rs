//! A rule as Elastic's rule schema describes it, whatever file it came from.
//!
//! Source: Elastic's "Detections API: rule object" and the TOML form of its public rule repository.

use crate::schedule::Schedule;
use crate::source_map::SourceMap;
use crate::type_fields::TypeFields;
use quell_eql::Dialect;
use quell_ir::{Diagnostic, Span};
use serde_json::{Map, Value};
use std::path::PathBuf;
use std::sync::Arc;

/// A rule. What the engine reads has a field of its own; everything the file says is kept in `fields` beside it.
#[derive(Clone, Debug)]
pub struct Rule {
    /// `rule_id`: stable over versions. A bare query's is a hash of its text.
    pub id: String,
    /// The name for people.
    pub name: String,
    /// What it says of itself.
    pub description: String,
    /// The rule type.
    pub kind: RuleKind,
    /// The query language.
    pub language: Option<Language>,
    /// The query, with where it stands in `origin.text`.
    pub query: Option<QueryText>,
    /// The index patterns; `None` matches every event.
    pub index: Option<Vec<String>>,
    /// How bad a detection is.
    pub severity: RuleSeverity,
    /// 0 to 100.
    pub risk_score: u8,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its place in ATT&CK.
    pub threat: Vec<Threat>,
    /// The version, as text: Endpoint's have dots.
    pub version: String,
    /// Whether its detections are building blocks: recorded, not shown.
    pub building_block: bool,
    /// `timestamp_override`, `event_category_override`, `timestamp_field`, `tiebreaker_field`.
    pub overrides: FieldOverrides,
    /// When it runs in Kibana, and how far back it looks.
    pub schedule: Schedule,
    /// What its type asks for beside a query.
    pub type_fields: TypeFields,
    /// Operating systems of an Endpoint rule; empty means any.
    pub os_list: Vec<String>,
    /// Whether it is no longer maintained: `maturity = "deprecated"`, or a `_deprecated` folder. It runs all the same.
    pub deprecated: bool,
    /// All fields of the rule object as the file gives them. For an Endpoint rule, `threat`, `actions` and
    /// `optional_actions` too, which stand beside its `[rule]`.
    pub fields: Map<String, Value>,
    /// What a TOML file holds beside the rule: `metadata`, `transform`, `internal`.
    pub beside: Map<String, Value>,
    /// Where it came from.
    pub origin: Arc<Origin>,
}

/// Field names that a rule sets for itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldOverrides {
    /// The time that windows are measured by, before `@timestamp`.
    pub timestamp_override: Option<String>,
    /// Whether an event without that field has no time (`timestamp_override_fallback_disabled`).
    pub no_timestamp_fallback: bool,
    /// Instead of `@timestamp`.
    pub timestamp_field: Option<String>,
    /// Instead of `event.category`.
    pub event_category: Option<String>,
    /// What orders events of equal time.
    pub tiebreaker: Option<String>,
}

/// A query inside a rule file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryText {
    /// The query.
    pub text: String,
    /// Byte offset of its first character in the origin's text, where the file holds it verbatim.
    pub offset: Option<usize>,
    /// The whole value in the origin's text, quotes included.
    pub span: Span,
    /// Where each of its characters stands in the origin's text, escapes accounted for.
    pub map: SourceMap,
}

impl QueryText {
    /// A query that stands at `span`, each character where `map` says; without a map only the whole of it is known.
    #[must_use]
    pub fn new(text: String, span: Span, map: Option<SourceMap>) -> QueryText {
        let map = map.unwrap_or_default();
        QueryText { text, offset: map.offset(), span, map }
    }

    /// The place in the origin's text of a place in the query.
    #[must_use]
    pub fn locate(&self, span: Span) -> Span {
        self.map.locate(span).unwrap_or(self.span)
    }

    /// Findings about the query, placed in the origin's text.
    #[must_use]
    pub fn in_file(&self, findings: Vec<Diagnostic>) -> Vec<Diagnostic> {
        let locate =
            |finding: Diagnostic| Diagnostic { span: finding.span.map(|span| self.locate(span)), ..finding };
        findings.into_iter().map(locate).collect()
    }
}

/// The file of a rule, shared by all rules in it.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The path as it was given, or `embedded:t1046/…`.
    pub path: PathBuf,
    /// Its whole text, for findings that underline it.
    pub text: Arc<str>,
    /// Its format.
    pub format: RuleFormat,
}

/// The format of a rule file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RuleFormat {
    /// Elastic's rule TOML.
    ElasticToml,
    /// Kibana's rule export, one JSON object a line.
    KibanaNdjson,
    /// An Endpoint behaviour rule.
    EndpointToml,
    /// A bare query: EQL where it stands in a file.
    Eql,
}

impl RuleFormat {
    /// The name for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RuleFormat::ElasticToml => "Elastic rule TOML",
            RuleFormat::KibanaNdjson => "Kibana rule export",
            RuleFormat::EndpointToml => "Endpoint behaviour rule",
            RuleFormat::Eql => "EQL query",
        }
    }

    /// The dialect of EQL that rules of this format are written in.
    #[must_use]
    pub fn dialect(self) -> Dialect {
        match self {
            RuleFormat::EndpointToml => Dialect::Endpoint,
            RuleFormat::ElasticToml | RuleFormat::KibanaNdjson | RuleFormat::Eql => Dialect::Elasticsearch,
        }
    }
}

/// A rule type of Elastic Security.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RuleKind {
    /// `eql`
    Eql,
    /// `query`
    Query,
    /// `saved_query`
    SavedQuery,
    /// `threshold`
    Threshold,
    /// `new_terms`
    NewTerms,
    /// `threat_match`
    ThreatMatch,
    /// `machine_learning`
    MachineLearning,
    /// `esql`
    Esql,
}

impl RuleKind {
    /// Every rule type.
    pub const ALL: [RuleKind; 8] = [
        RuleKind::Eql,
        RuleKind::Query,
        RuleKind::SavedQuery,
        RuleKind::Threshold,
        RuleKind::NewTerms,
        RuleKind::ThreatMatch,
        RuleKind::MachineLearning,
        RuleKind::Esql,
    ];

    /// The word in a rule's `type`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RuleKind::Eql => "eql",
            RuleKind::Query => "query",
            RuleKind::SavedQuery => "saved_query",
            RuleKind::Threshold => "threshold",
            RuleKind::NewTerms => "new_terms",
            RuleKind::ThreatMatch => "threat_match",
            RuleKind::MachineLearning => "machine_learning",
            RuleKind::Esql => "esql",
        }
    }

    /// The type of that word.
    #[must_use]
    pub fn of(word: &str) -> Option<RuleKind> {
        RuleKind::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// A query language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Language {
    /// `eql`
    #[default]
    Eql,
    /// `kuery`
    Kql,
    /// `lucene`
    Lucene,
    /// `esql`
    Esql,
}

impl Language {
    /// Every language.
    pub const ALL: [Language; 4] = [Language::Eql, Language::Kql, Language::Lucene, Language::Esql];

    /// The word in a rule's `language`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Language::Eql => "eql",
            Language::Kql => "kuery",
            Language::Lucene => "lucene",
            Language::Esql => "esql",
        }
    }

    /// The language of that word.
    #[must_use]
    pub fn of(word: &str) -> Option<Language> {
        Language::ALL.into_iter().find(|language| language.as_str() == word)
    }
}

/// How bad a detection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RuleSeverity {
    /// `low`
    Low,
    /// `medium`
    Medium,
    /// `high`
    High,
    /// `critical`
    Critical,
}

impl RuleSeverity {
    /// Every severity, mildest first.
    pub const ALL: [RuleSeverity; 4] =
        [RuleSeverity::Low, RuleSeverity::Medium, RuleSeverity::High, RuleSeverity::Critical];

    /// The word in a rule's `severity`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RuleSeverity::Low => "low",
            RuleSeverity::Medium => "medium",
            RuleSeverity::High => "high",
            RuleSeverity::Critical => "critical",
        }
    }

    /// The severity of that word.
    #[must_use]
    pub fn of(word: &str) -> Option<RuleSeverity> {
        RuleSeverity::ALL.into_iter().find(|severity| severity.as_str() == word)
    }

    /// The risk scores that go with it. Source: Elastic Security's "Create a detection rule", risk score.
    #[must_use]
    pub fn risk_scores(self) -> std::ops::RangeInclusive<u8> {
        match self {
            RuleSeverity::Low => 0..=21,
            RuleSeverity::Medium => 22..=47,
            RuleSeverity::High => 48..=73,
            RuleSeverity::Critical => 74..=100,
        }
    }
}

/// One tactic and its techniques.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Threat {
    /// `MITRE ATT&CK`
    pub framework: String,
    /// `TA0007`
    pub tactic_id: String,
    /// `Discovery`
    pub tactic_name: String,
    /// Techniques and sub-techniques.
    pub techniques: Vec<Technique>,
}

/// A technique or sub-technique.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Technique {
    /// `T1046`, `T1059.001`
    pub id: String,
    /// `Network Service Discovery`
    pub name: String,
}
