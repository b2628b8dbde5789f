//! Lowering: what a field and a value of either language ask, by the field's type, with all checks of names and values.
//!
//! Sources: Kibana's conversion of KQL to Elasticsearch's queries; Elasticsearch's "Match query", "Match phrase query",
//! "Term query", "Wildcard query" and "Query string query".

mod field;
mod merge;
mod value;

use crate::limits::MAX_FINDINGS;
use crate::{Language, Options};
use quell_ir::pattern::Wildcard;
use quell_ir::predicate::Analyzer;
use quell_ir::{Condition, Diagnostic, FieldRef, Span};
use std::sync::Arc;

pub(crate) struct Lowerer<'s> {
    source: &'s str,
    language: Language,
    options: &'s Options<'s>,
    findings: Vec<Diagnostic>,
    /// The paths of the nested objects around the place that is lowered, innermost last.
    nested: Vec<Arc<str>>,
    /// The schema's analysed fields, once they were asked for.
    text_fields: Option<Vec<(Arc<str>, Analyzer)>>,
}

/// What a value is held against.
pub(crate) enum Target {
    Field(Named),
    /// The fields whose names the pattern covers.
    Names(Wildcard),
    /// Every field.
    Any,
    /// Nothing that could hold (which was reported).
    Nothing,
}

/// A field that a query names.
pub(crate) struct Named {
    field: FieldRef,
    /// What splits its text, where it is analysed.
    analyzer: Option<Analyzer>,
    /// Whether case was folded when it was indexed.
    caseless: bool,
    /// As the query writes it.
    written: String,
    span: Span,
}

impl<'s> Lowerer<'s> {
    pub(crate) fn new(source: &'s str, language: Language, options: &'s Options<'s>) -> Self {
        Lowerer { source, language, options, findings: Vec::new(), nested: Vec::new(), text_fields: None }
    }

    /// What was found, in the order of the text.
    pub(crate) fn into_findings(mut self) -> Vec<Diagnostic> {
        self.findings.sort_by_key(|finding| finding.span);
        self.findings
    }

    /// Any of the parts, tests of one field made one test.
    pub(crate) fn any<T>(
        &mut self,
        parts: &[T],
        mut lower: impl FnMut(&T, &mut Self) -> Condition,
    ) -> Condition {
        let parts: Vec<Condition> = parts.iter().map(|part| lower(part, self)).collect();
        merge::any(parts)
    }

    pub(crate) fn report(&mut self, finding: Diagnostic) {
        let told =
            self.findings.iter().any(|told| told.code == finding.code && told.message == finding.message);
        let has_errors = || self.findings.iter().any(Diagnostic::is_error);
        if !told && (self.findings.len() < MAX_FINDINGS || (finding.is_error() && !has_errors())) {
            self.findings.push(finding);
        }
    }

    /// What the query says at a place, cut to fit a message.
    fn text(&self, span: Span) -> String {
        const LONGEST: usize = 60;
        let text = span.text(self.source);
        match text.char_indices().nth(LONGEST) {
            Some((at, _)) => format!("{}…", text.get(..at).unwrap_or("")),
            None => text.to_owned(),
        }
    }

    /// The analysed fields whose names the pattern covers; all of them without one.
    fn text_fields(&mut self, names: Option<&Wildcard>) -> Vec<(FieldRef, Analyzer)> {
        let schema = self.options.schema;
        let fields = self.text_fields.get_or_insert_with(|| schema.text_fields());
        fields
            .iter()
            .filter(|(path, _)| names.is_none_or(|names| names.matches(path, quell_ir::Case::Sensitive)))
            .map(|(path, analyzer)| (FieldRef::event(Arc::clone(path), quell_ir::FieldType::Text), *analyzer))
            .collect()
    }
}
