//! Names: whose field a path is, and what the schema says of it.

use super::Lowerer;
use super::types::Type;
use crate::{Dialect, ast};
use quell_ir::schema::unknown_field;
use quell_ir::{Code, Diagnostic, FieldRef, FieldType, Scope, Severity};
use std::sync::Arc;

/// What a path stands for.
pub(super) struct Resolved {
    pub(super) field: FieldRef,
    pub(super) kind: Type,
    /// Optional, unknown, and Elasticsearch's way is asked for: the literal null.
    pub(super) is_null: bool,
}

impl Lowerer<'_> {
    /// The field at a path whose value is used.
    pub(super) fn field(&mut self, field: &ast::Field) -> Resolved {
        let (scope, path, known_as) = self.place(field);
        let Some(info) = self.options.schema.field(&known_as) else {
            return self.unknown_field(field, scope, path);
        };
        let nested = scope == Scope::Event && self.is_in_nested(&known_as);
        let kind = if nested { FieldType::Nested } else { info.kind };
        if let Some(finding) = self.unusable(kind, &known_as, field) {
            self.report(finding.at(field.span));
        }
        let field = FieldRef { scope, path, kind: info.kind };
        Resolved { field, kind: Type::of_field(info.kind), is_null: false }
    }

    /// The array that an `_arraysearch` goes through: an object is as good as any.
    pub(super) fn array(&mut self, field: &ast::Field) -> (FieldRef, Arc<str>) {
        let (scope, path, known_as) = self.place(field);
        let kind = match self.options.schema.field(&known_as) {
            Some(info) => info.kind,
            None => self.unknown_field(field, scope.clone(), Arc::clone(&path)).field.kind,
        };
        (FieldRef { scope, path, kind }, known_as)
    }

    /// Whether an object above the path is nested: EQL cannot search the members of one either.
    fn is_in_nested(&self, path: &str) -> bool {
        let above = path.match_indices('.').filter_map(|(dot, _)| path.get(..dot));
        let kind = |path| self.options.schema.field(path).map(|info| info.kind);
        above.into_iter().any(|path| kind(path) == Some(FieldType::Nested))
    }

    /// Whose field it is, its path there, and the path by which the schema knows it.
    fn place(&mut self, field: &ast::Field) -> (Scope, Arc<str>, Arc<str>) {
        let dotted: Arc<str> = field.dotted().into();
        let (first, rest) = dotted.split_once('.').unwrap_or((&dotted, ""));
        if field.mark == ast::FieldMark::Variable {
            let innermost_first = self.scopes.iter().rev().enumerate();
            let found = innermost_first.into_iter().find(|(_, scope)| *scope.variable == *first);
            // The parser has refused a variable that nothing declares.
            let (depth, array) = found.map_or((0, ""), |(depth, scope)| (depth, &*scope.array));
            let known_as = if rest.is_empty() { array.into() } else { format!("{array}.{rest}").into() };
            return (Scope::Element(u16::try_from(depth).unwrap_or(u16::MAX)), rest.into(), known_as);
        }
        if self.options.dialect == Dialect::Endgame
            && let Some(depth) = self.scopes.iter().rev().position(|scope| *scope.variable == *first)
        {
            let array = self.scopes.iter().rev().nth(depth).map_or("", |scope| &scope.array);
            let known_as = if rest.is_empty() { array.into() } else { format!("{array}.{rest}").into() };
            return (Scope::Element(u16::try_from(depth).unwrap_or(u16::MAX)), rest.into(), known_as);
        }
        let alias = |alias: &Option<Arc<str>>| alias.as_deref() == Some(first);
        if rest.is_empty() || self.options.dialect != Dialect::Endpoint {
            return (Scope::Event, Arc::clone(&dotted), dotted);
        }
        let Some(step) = self.aliases.iter().position(alias) else {
            return (Scope::Event, Arc::clone(&dotted), dotted);
        };
        let rest: Arc<str> = rest.into();
        let scope = match self.step {
            Some(here) if here == step => Scope::Event,
            Some(here) if here < step => {
                let message = format!("`{first}` is a later step's event, which has not come yet");
                let finding = Diagnostic::new(Code::ALIAS_ORDER, message).at(field.span);
                self.report(finding.help("move the condition to the later step"));
                Scope::Event
            }
            _ => Scope::Step(u16::try_from(step).unwrap_or(u16::MAX)),
        };
        (scope, Arc::clone(&rest), rest)
    }

    /// Reports a name that the schema does not know, once for each name.
    fn unknown_field(&mut self, field: &ast::Field, scope: Scope, path: Arc<str>) -> Resolved {
        let optional = field.mark == ast::FieldMark::Optional;
        let open = self.options.schema.is_open();
        let element_itself = path.is_empty();
        if !optional && !open && !element_itself {
            self.report_unknown(field, &path);
        }
        let is_null = optional && !open && self.options.strict_elasticsearch;
        let field = FieldRef { scope, path, kind: FieldType::Unknown };
        Resolved { field, kind: if is_null { Type::Null } else { Type::Unknown }, is_null }
    }

    fn report_unknown(&mut self, field: &ast::Field, path: &str) {
        let written = field.dotted();
        let message = format!("unknown field `{written}`");
        if self
            .findings
            .iter()
            .any(|finding| finding.code == Code::UNKNOWN_FIELD && finding.message == message)
        {
            return;
        }
        let optional = format!("write `?{written}` if the field is optional");
        let otherwise = (self.options.dialect == Dialect::Elasticsearch).then_some(&*optional);
        let mut finding = unknown_field(self.options.schema, &written, path, otherwise).at(field.span);
        if self.options.strict || self.options.strict_elasticsearch {
            finding = finding.severity(Severity::Error);
        }
        self.report(finding);
    }

    /// The refusal of a field that has no value to compare.
    fn unusable(&self, kind: FieldType, path: &str, field: &ast::Field) -> Option<Diagnostic> {
        let written = field.dotted();
        match kind {
            FieldType::Text => {
                let message = format!("`{written}` is analysed text, which has no exact value to compare");
                Some(
                    Diagnostic::new(Code::TEXT_FIELD, message)
                        .label("text")
                        .help("search its words with KQL, or use a keyword field"),
                )
            }
            // The Endpoint's own rules ask whether an object is there; in the Endgame dialect arrays of them are values.
            FieldType::Object | FieldType::Flattened if self.options.dialect != Dialect::Elasticsearch => {
                None
            }
            FieldType::Object | FieldType::Flattened => {
                let message = format!("`{written}` is an object and has no value of its own");
                let help = format!("name one of its members: `{path}.…`");
                Some(Diagnostic::new(Code::UNUSABLE_FIELD, message).label(kind.as_str()).help(help))
            }
            FieldType::Nested => {
                let message =
                    format!("`{written}` is a nested object or within one, which EQL cannot search");
                Some(
                    Diagnostic::new(Code::UNUSABLE_FIELD, message).label("nested").help("search it with KQL"),
                )
            }
            FieldType::Unsupported => {
                let message = format!("`{written}` is of a type that no condition can use");
                Some(
                    Diagnostic::new(Code::UNUSABLE_FIELD, message)
                        .label("unsupported type")
                        .help("use another field"),
                )
            }
            _ => None,
        }
    }
}
