//! Names: which field a name stands for, and what the schema says of it.

use super::{Lowerer, Named, Target};
use crate::{Language, Literal};
use quell_ir::pattern::Wildcard;
use quell_ir::schema::unknown_field;
use quell_ir::{Code, Condition, Diagnostic, FieldRef, FieldType, Predicate, Scope, Severity, Span};
use std::sync::Arc;

impl Lowerer<'_> {
    /// What a name stands for.
    pub(crate) fn target(&mut self, name: &Literal) -> Target {
        if let Some(pattern) = self.name_pattern(name) {
            if !self.nested.is_empty() {
                return self.not_in_nested("a pattern of names", name.span);
            }
            return if pattern.is_everything() { Target::Any } else { Target::Names(pattern) };
        }
        let written = name.plain().unwrap_or("");
        let path = self.full_path(written);
        let indexed = self.options.schema.indexed(&path);
        let kind = match self.options.schema.field(&path) {
            Some(info) => info.kind,
            None => {
                self.unknown(written, &path, name.span);
                FieldType::Unknown
            }
        };
        if let Some(above) = self.nested_above(&path) {
            let message =
                format!("`{written}` is a member of the nested object `{above}`, so this matches no event");
            let member = path.strip_prefix(above.as_str()).map_or("", |rest| rest.trim_start_matches('.'));
            let help = format!("write `{above}:{{ {member}: … }}`");
            self.report(
                Diagnostic::new(Code::NESTED_OUTSIDE, message).at(name.span).label("nested").help(help),
            );
            return Target::Nothing;
        }
        Target::Field(Named {
            field: self.reference(indexed.stored, kind),
            analyzer: indexed.analyzer,
            caseless: indexed.caseless,
            written: written.to_owned(),
            span: name.span,
        })
    }

    /// `field:{ … }`: the condition on one object.
    pub(crate) fn nested(
        &mut self,
        name: &Literal,
        span: Span,
        condition: impl FnOnce(&mut Self) -> Condition,
    ) -> Condition {
        let Some(written) = name.plain() else {
            self.not_in_nested("a pattern of names", name.span);
            return Condition::Constant(false);
        };
        let path: Arc<str> = self.full_path(written).into();
        match self.options.schema.field(&path).map(|info| info.kind) {
            Some(FieldType::Nested) => {}
            None => self.unknown(written, &path, name.span),
            Some(kind) => {
                let message = format!("`{written}` is no nested object");
                let help = format!("write the whole names of its members: `{written}.…`");
                self.report(
                    Diagnostic::new(Code::NOT_NESTED, message).at(name.span).label(kind.as_str()).help(help),
                );
            }
        }
        let field = self.reference(&path, FieldType::Nested);
        self.nested.push(path);
        let condition = Box::new(condition(self));
        self.nested.pop();
        Condition::leaf(Predicate::Object { field, condition }, span)
    }

    pub(super) fn not_in_nested(&mut self, what: &str, span: Span) -> Target {
        let message = format!("{what} cannot stand within a nested object");
        self.report(
            Diagnostic::new(Code::NOT_IN_NESTED, message).at(span).help("name a member of the object"),
        );
        Target::Nothing
    }

    /// The pattern of a name. A Lucene query escapes the wildcards of names, as only values may hold bare ones.
    fn name_pattern(&self, name: &Literal) -> Option<Wildcard> {
        match (name.plain(), self.language) {
            (None, _) => Some(name.pattern.clone()),
            (Some(plain), Language::Lucene) if plain.contains('*') => Some(Wildcard::parse_runs(plain)),
            (Some(_), _) => None,
        }
    }

    fn full_path(&self, name: &str) -> String {
        match self.nested.last() {
            Some(above) => format!("{above}.{name}"),
            None => name.to_owned(),
        }
    }

    /// The field at a full path, from where it is named.
    fn reference(&self, path: &str, kind: FieldType) -> FieldRef {
        match self.nested.last() {
            Some(above) => {
                let rest = path.strip_prefix(&**above).map_or(path, |rest| rest.trim_start_matches('.'));
                FieldRef { scope: Scope::Element(0), path: rest.into(), kind }
            }
            None => FieldRef::event(path, kind),
        }
    }

    /// The nested object that holds the field, where the query has not entered it.
    fn nested_above(&self, path: &str) -> Option<String> {
        let entered = self.nested.last().map_or(0, |path| path.len());
        let above = path.match_indices('.').filter(|(dot, _)| *dot > entered);
        let mut above = above.filter_map(|(dot, _)| path.get(..dot));
        let kind = |path| self.options.schema.field(path).map(|info| info.kind);
        above.find(|path| kind(path) == Some(FieldType::Nested)).map(str::to_owned)
    }

    fn unknown(&mut self, written: &str, path: &str, span: Span) {
        let schema = self.options.schema;
        if schema.is_open() {
            return;
        }
        // Looking for near names takes time: once for each name.
        let message = format!("unknown field `{written}`");
        if self.findings.iter().any(|told| told.message == message) {
            return;
        }
        let mut finding = unknown_field(schema, written, path, None).at(span);
        if self.options.strict {
            finding = finding.severity(Severity::Error);
        }
        self.report(finding);
    }
}
