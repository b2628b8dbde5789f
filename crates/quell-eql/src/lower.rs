//! Lowering: from the syntax tree to the intermediate form, with every check of names and types.
//!
//! Sources: Elasticsearch's "EQL syntax reference" and "EQL function reference". The condition tree is split at `and`,
//! `or` and `not`; each leaf is checked and becomes the plainest predicate that means the same.

mod call;
mod condition;
mod endgame;
mod expression;
mod field;
mod pipes;
mod plain;
mod types;

use crate::{Dialect, ast, limits, parse};
use quell_ir::logic::{Category, Join, JoinKey, Sequence, Step};
use quell_ir::schema::FieldType;
use quell_ir::{Case, Code, Diagnostic, EventFilter, FieldRef, Logic, Query, Schema, Span};
use std::sync::Arc;
use std::time::Duration;
use types::Type;

/// What a query is compiled for.
#[derive(Clone, Copy)]
pub struct Options<'s> {
    /// The dialect that it is written in.
    pub dialect: Dialect,
    /// The fields that it may name.
    pub schema: &'s dyn Schema,
    /// Whether a field that the schema does not know is an error unless it is marked with `?`.
    pub strict: bool,
    /// Whether to go Elasticsearch's way where quell goes another on purpose.
    pub strict_elasticsearch: bool,
    /// The field of the category, by default `event.category`.
    pub event_category_field: Option<&'s str>,
    /// The field of the time, by default `@timestamp`.
    pub timestamp_field: Option<&'s str>,
    /// The field that orders events of equal time, by default none.
    pub tiebreaker_field: Option<&'s str>,
}

impl<'s> Options<'s> {
    /// Elasticsearch's dialect, nothing strict, the usual fields.
    #[must_use]
    pub fn new(schema: &'s dyn Schema) -> Self {
        Options {
            dialect: Dialect::Elasticsearch,
            schema,
            strict: false,
            strict_elasticsearch: false,
            event_category_field: None,
            timestamp_field: None,
            tiebreaker_field: None,
        }
    }
}

impl std::fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("dialect", &self.dialect)
            .field("schema", &self.schema.name())
            .field("strict", &self.strict)
            .field("strict_elasticsearch", &self.strict_elasticsearch)
            .finish_non_exhaustive()
    }
}

/// A query that can run.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// Its meaning.
    pub query: Query,
    /// What is worth knowing about it.
    pub warnings: Vec<Diagnostic>,
    /// Its syntax tree.
    pub ast: ast::Query,
}

/// Parses, checks and lowers a query.
///
/// # Errors
/// The syntax errors, or else every finding about names and types, warnings included, where one of them is an error.
pub fn compile(source: &str, options: &Options<'_>) -> Result<Compiled, Vec<Diagnostic>> {
    let ast = parse(source, options.dialect)?;
    let (query, warnings) = lower(&ast, source, options)?;
    Ok(Compiled { query, warnings, ast })
}

/// Checks and lowers a parsed query; `source` is the text that it was parsed from. Gives the warnings too.
///
/// # Errors
/// Every finding about names and types, warnings included, where one of them is an error.
pub fn lower(
    ast: &ast::Query,
    source: &str,
    options: &Options<'_>,
) -> Result<(Query, Vec<Diagnostic>), Vec<Diagnostic>> {
    let mut lowerer = Lowerer {
        source,
        options,
        findings: Vec::new(),
        aliases: Vec::new(),
        step: None,
        scopes: Vec::new(),
        piped: None,
    };
    let query = lowerer.query(ast);
    let mut findings = lowerer.findings;
    findings.sort_by_key(|finding| finding.span);
    if findings.iter().any(Diagnostic::is_error) { Err(findings) } else { Ok((query, findings)) }
}

struct Lowerer<'s> {
    source: &'s str,
    options: &'s Options<'s>,
    findings: Vec<Diagnostic>,
    /// The steps' aliases, by the steps' places.
    aliases: Vec<Option<Arc<str>>>,
    /// The step that is lowered.
    step: Option<usize>,
    /// The `_arraysearch` calls around the place that is lowered, innermost last.
    scopes: Vec<ElementScope>,
    /// What the pipe reads that is lowered.
    piped: Option<pipes::Piped>,
}

/// One `_arraysearch`, or `arraySearch` or `arrayCount` of the Endgame dialect.
struct ElementScope {
    variable: Box<str>,
    array: Arc<str>,
}

impl Lowerer<'_> {
    fn query(&mut self, ast: &ast::Query) -> Query {
        let logic = match &ast.body {
            ast::Body::Event(filter) => Logic::Event(self.filter(filter)),
            ast::Body::Sequence(sequence) => {
                let steps = self.steps(&sequence.by, &sequence.steps, sequence.until.as_deref());
                let (steps, until) = self.split_until(steps, sequence.until.is_some());
                let maxspan =
                    sequence.maxspan.as_ref().map(|maxspan| Duration::from_millis(maxspan.milliseconds()));
                let until_first = self.options.dialect == Dialect::Endgame;
                Logic::Sequence(Sequence { maxspan, steps, until, until_first })
            }
            ast::Body::Sample(sample) => Logic::Sample(self.steps(&sample.by, &sample.steps, None)),
            ast::Body::Join(join) => {
                let steps = self.steps(&join.by, &join.steps, join.until.as_deref());
                let (steps, until) = self.split_until(steps, join.until.is_some());
                Logic::Join(Join { steps, until })
            }
        };
        Query { logic, pipes: self.pipes(&ast.body, &ast.pipes) }
    }

    /// The steps in order, `until` behind them.
    fn steps(&mut self, by: &[ast::Expr], steps: &[ast::Step], until: Option<&ast::Step>) -> Vec<Step> {
        let alias = |step: &ast::Step| step.alias.as_ref().map(|alias| Arc::from(&*alias.text));
        self.aliases = steps.iter().map(alias).collect();
        let mut types: Vec<Vec<(Type, Span)>> = Vec::new();
        let mut lowered = Vec::new();
        for (place, step) in steps.iter().chain(until).enumerate() {
            self.step = Some(place);
            let filter = self.filter(&step.filter);
            let mut keys = Vec::new();
            let mut kinds = Vec::new();
            for key in by.iter().chain(&step.by) {
                let Some((key, kind)) = self.join_key(key) else { continue };
                keys.push(key);
                kinds.push(kind);
            }
            types.push(kinds);
            lowered.push(Step {
                filter,
                by: keys,
                runs: step.runs.as_ref().map_or(1, |runs| runs.count),
                missing: step.missing,
                alias: alias(step),
                fork: step.fork.as_ref().is_some_and(|fork| fork.value),
            });
        }
        self.step = None;
        self.check_key_types(&types);
        lowered
    }

    fn split_until(&self, mut steps: Vec<Step>, has_until: bool) -> (Vec<Step>, Option<Step>) {
        let until = if has_until { steps.pop() } else { None };
        (steps, until)
    }

    fn join_key(&mut self, key: &ast::Expr) -> Option<(JoinKey, (Type, Span))> {
        let endgame = self.options.dialect == Dialect::Endgame;
        let field = if endgame {
            self.endgame_key(key)?
        } else {
            key.unwrapped().as_field()? // the parser has refused anything else
        };
        let resolved = self.field(field);
        // In the Endgame dialect null is a value to join on.
        let optional = endgame || field.mark == ast::FieldMark::Optional;
        let case = if endgame { Case::Folded } else { Case::Sensitive };
        Some((JoinKey { field: resolved.field, optional, case }, (resolved.kind, key.span)))
    }

    fn check_key_types(&mut self, steps: &[Vec<(Type, Span)>]) {
        let longest = steps.iter().map(Vec::len).max().unwrap_or(0);
        for place in 0..longest {
            let mut first: Option<(Type, Span)> = None;
            for (kind, span) in steps.iter().filter_map(|keys| keys.get(place)).copied() {
                match first {
                    _ if kind.family().is_none() => {}
                    None => first = Some((kind, span)),
                    Some((other, _)) if other.family() == kind.family() => {}
                    Some((other, other_span)) => {
                        let message = format!(
                            "the join key `{}` is {}, `{}` at its place in another step is {}",
                            self.text(span),
                            kind.phrase(),
                            self.text(other_span),
                            other.phrase(),
                        );
                        let finding =
                            Diagnostic::new(Code::JOIN_KEY_TYPES, message).at(span).label(kind.as_str());
                        self.report(finding.help("join on fields of one type at each position"));
                        return;
                    }
                }
            }
        }
    }

    fn filter(&mut self, filter: &ast::Filter) -> EventFilter {
        let category = filter.category.name.as_ref().map(|name| {
            let path = self.options.event_category_field.unwrap_or("event.category");
            let kind = self.options.schema.field(path).map_or(FieldType::Keyword, |info| info.kind);
            Category { field: FieldRef::event(path, kind), value: Arc::from(&**name) }
        });
        let condition = if self.options.dialect == Dialect::Endgame {
            self.decided(&filter.condition, true)
        } else {
            self.condition(&filter.condition).condition()
        };
        EventFilter { category, condition, span: filter.span }
    }

    fn report(&mut self, finding: Diagnostic) {
        if self.findings.len() < limits::MAX_FINDINGS || (finding.is_error() && !self.has_errors()) {
            self.findings.push(finding);
        }
    }

    fn has_errors(&self) -> bool {
        self.findings.iter().any(Diagnostic::is_error)
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
}
