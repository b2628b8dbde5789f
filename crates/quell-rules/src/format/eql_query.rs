//! A bare EQL query in a file that ends in `.eql`: its name is the file's, its id a hash of its text.
//!
//! It says no severity: it has what Kibana gives a new rule, `low` and 21.

use super::Reading;
use crate::rule::{FieldOverrides, Language, Origin, QueryText, Rule, RuleFormat, RuleKind, RuleSeverity};
use crate::schedule::Schedule;
use crate::source_map::SourceMap;
use crate::type_fields::TypeFields;
use quell_ir::{Code, Diagnostic, Span};
use serde_json::Map;
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Arc;

const SEVERITY: RuleSeverity = RuleSeverity::Low;
const RISK_SCORE: u8 = 21;

pub(super) fn recognises(_head: &str, path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("eql"))
}

pub(super) fn read(origin: &Arc<Origin>) -> Reading {
    let mut reading = Reading::default();
    let text = origin.text.strip_prefix('\u{feff}').unwrap_or(&origin.text);
    if text.trim().is_empty() {
        reading.findings.push(Diagnostic::new(Code::NOT_A_RULE, "the file is empty"));
        return reading;
    }
    reading.rules.push((rule(origin, text), None));
    reading
}

impl Rule {
    /// The rule of an EQL query that stands in no file; findings count in its own text.
    #[must_use]
    pub fn of_query(query: &str) -> Rule {
        let origin = Origin { path: "query".into(), text: query.into(), format: RuleFormat::Eql };
        rule(&Arc::new(origin), query)
    }

    /// The same of a query in another language.
    #[must_use]
    pub fn of_query_in(language: Language, query: &str) -> Rule {
        let kind = match language {
            Language::Eql => RuleKind::Eql,
            Language::Kql | Language::Lucene => RuleKind::Query,
            Language::Esql => RuleKind::Esql,
        };
        Rule { kind, language: Some(language), ..Rule::of_query(query) }
    }
}

/// `text` is the end of the origin's text.
fn rule(origin: &Arc<Origin>, text: &str) -> Rule {
    let offset = origin.text.len().saturating_sub(text.len());
    let span = Span::new(offset, origin.text.len());
    Rule {
        id: id_of(text),
        name: origin.path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned()),
        description: String::new(),
        kind: RuleKind::Eql,
        language: Some(Language::Eql),
        query: Some(QueryText::new(text.to_owned(), span, Some(SourceMap::verbatim(offset)))),
        index: None,
        severity: SEVERITY,
        risk_score: RISK_SCORE,
        tags: Vec::new(),
        threat: Vec::new(),
        version: "1".to_owned(),
        building_block: false,
        overrides: FieldOverrides::default(),
        schedule: Schedule::default(),
        type_fields: TypeFields::None,
        os_list: Vec::new(),
        deprecated: false,
        fields: Map::new(),
        beside: Map::new(),
        origin: Arc::clone(origin),
    }
}

/// The same text gives the same id, whatever the line ends and the white space around it.
fn id_of(text: &str) -> String {
    let digest = Sha256::digest(text.trim().replace("\r\n", "\n"));
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("eql-{hex}")
}
