//! From a rule to a query that can run, or the reason why it cannot.

use crate::condition::{CompiledCondition, compile_condition, compile_rule_condition};
use crate::filters::compile_filters;
use crate::rule::{Language, Rule, RuleKind};
use crate::type_fields::{Fields, ThreatFields, TypeFields};
use quell_eql::Dialect;
use quell_ir::logic::ThreatMatch;
use quell_ir::{Code, Condition, Diagnostic, EventFilter, Logic, Predicate, Query, Schema, Scope, Span};

/// How rules are compiled.
#[derive(Clone, Copy)]
pub struct CompileOptions<'s> {
    /// The fields that there are.
    pub schema: &'s dyn Schema,
    /// Whether what is probably wrong (an unknown field) refuses the rule.
    pub strict: bool,
    /// Whether Elasticsearch's way is taken where quell's differs on purpose.
    pub strict_elasticsearch: bool,
    /// The dialect of EQL; `None` is the rule format's own.
    pub dialect: Option<Dialect>,
    /// What relative dates count from in queries over indicators, in nanoseconds since 1970: a feed is as new as its newest
    /// indicator. None where there are no indicators: a rule that asks for them does not run then.
    pub indicators_now: Option<i64>,
}

impl<'s> CompileOptions<'s> {
    /// The options that hold where nothing else is said.
    #[must_use]
    pub fn new(schema: &'s dyn Schema) -> Self {
        CompileOptions {
            schema,
            strict: false,
            strict_elasticsearch: false,
            dialect: None,
            indicators_now: None,
        }
    }
}

/// What became of a rule. Findings have their places in the text of the rule's file.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It runs. Spans within the query count in the query's own text.
    Runs {
        /// What it looks for.
        query: Query,
        /// What is probably not as it was meant.
        warnings: Vec<Diagnostic>,
    },
    /// It is right as far as quell can tell, but quell cannot run it yet.
    NotRunYet {
        /// Why, in plain words.
        reason: String,
        /// What it looks for, where quell could read that.
        query: Option<Query>,
        /// What is probably not as it was meant.
        warnings: Vec<Diagnostic>,
    },
    /// It has errors.
    Refused(Vec<Diagnostic>),
}

impl Outcome {
    /// What was found, whatever became of the rule.
    #[must_use]
    pub fn findings(&self) -> &[Diagnostic] {
        match self {
            Outcome::Runs { warnings, .. } | Outcome::NotRunYet { warnings, .. } => warnings,
            Outcome::Refused(errors) => errors,
        }
    }

    /// The same with a condition on every event, whatever step it is tested for.
    fn filtered(mut self, filter: &Condition, found: Vec<Diagnostic>) -> Outcome {
        if let Outcome::Runs { query, warnings } | Outcome::NotRunYet { query: Some(query), warnings, .. } =
            &mut self
        {
            warnings.extend(found);
            if *filter != Condition::Constant(true) {
                query.each_filter_mut(&mut |step| {
                    let own = std::mem::replace(&mut step.condition, Condition::Constant(true));
                    step.condition = Condition::all([own, filter.clone()]);
                });
            }
        }
        self
    }

    /// The query, where it could be read.
    #[must_use]
    pub fn query(&self) -> Option<&Query> {
        match self {
            Outcome::Runs { query, .. } => Some(query),
            Outcome::NotRunYet { query, .. } => query.as_ref(),
            Outcome::Refused(_) => None,
        }
    }
}

/// Compiles a rule: EQL runs, but for conditions on the event of another step within lineage, which are checked in full; so do
/// queries in KQL and Lucene, whatever their rule does with the events. Other rule types do not run.
#[must_use]
pub fn compile_rule(rule: &Rule, options: &CompileOptions<'_>) -> Outcome {
    match compile_filters(rule, options.schema) {
        Ok((filter, found)) => compile_unfiltered(rule, options).filtered(&filter, found),
        Err(reason) => Outcome::NotRunYet { reason, query: None, warnings: Vec::new() },
    }
}

/// A rule without its filters.
fn compile_unfiltered(rule: &Rule, options: &CompileOptions<'_>) -> Outcome {
    match (rule.kind, rule.language) {
        (RuleKind::Eql, _) => compile_eql(rule, options),
        (RuleKind::Query | RuleKind::Threshold | RuleKind::NewTerms | RuleKind::ThreatMatch, _) => {
            compile_query(rule, options)
        }
        (kind, language) => {
            Outcome::NotRunYet { reason: other_reason(kind, language), query: None, warnings: Vec::new() }
        }
    }
}

/// Why a rule of another type does not run.
fn other_reason(kind: RuleKind, language: Option<Language>) -> String {
    let language = match language {
        Some(Language::Lucene) => "Lucene",
        Some(Language::Esql) => "ES|QL",
        _ => "KQL",
    };
    match kind {
        RuleKind::MachineLearning => "machine learning jobs run in Elasticsearch alone".to_owned(),
        RuleKind::SavedQuery => "the saved query is kept in Kibana, not in the rule".to_owned(),
        RuleKind::Eql
        | RuleKind::Query
        | RuleKind::Threshold
        | RuleKind::NewTerms
        | RuleKind::ThreatMatch
        | RuleKind::Esql => format!("{language} queries cannot run yet"),
    }
}

/// Compiles a rule whose query is a condition, whatever its type does with the events.
fn compile_query(rule: &Rule, options: &CompileOptions<'_>) -> Outcome {
    // Without a query the filters say all, or every event is meant.
    if rule.query.is_none() && rule.kind == RuleKind::Query {
        let filter =
            EventFilter { category: None, condition: Condition::Constant(true), span: Span::default() };
        return Outcome::Runs {
            query: Query { logic: Logic::Event(filter), pipes: Vec::new() },
            warnings: Vec::new(),
        };
    }
    let mut compiled = match compile_rule_condition(rule, options) {
        Err(errors) => return Outcome::Refused(errors),
        Ok(compiled) => compiled,
    };
    let mut warnings = std::mem::take(&mut compiled.warnings);
    let filter = compiled.into_filter();
    let mut fields = Fields::new(options);
    let logic = match &rule.type_fields {
        TypeFields::None => Some(Logic::Event(filter)),
        TypeFields::Threshold(of) => {
            Some(Logic::Threshold(fields.threshold(of, filter, rule.schedule.look_back)))
        }
        TypeFields::NewTerms(of) => fields.new_terms(of, filter).map(Logic::NewTerms),
        TypeFields::ThreatMatch(of) => match compile_indicators(of, options) {
            Err(errors) => return Outcome::Refused(errors),
            Ok(mut indicators) => {
                warnings.append(&mut indicators.warnings);
                let mapping = fields.mapping(of);
                let indicators = indicators.into_filter();
                Some(Logic::ThreatMatch(ThreatMatch { filter, mapping, indicators }))
            }
        },
    };
    warnings.append(&mut fields.findings);
    match logic {
        Some(logic) if !warnings.iter().any(Diagnostic::is_error) => {
            let without = matches!(logic, Logic::ThreatMatch(_)) && options.indicators_now.is_none();
            let query = Query { logic, pipes: Vec::new() };
            if without {
                let reason = "no indicators are given (`--indicators`)".to_owned();
                return Outcome::NotRunYet { reason, query: Some(query), warnings };
            }
            Outcome::Runs { query, warnings }
        }
        _ => Outcome::Refused(warnings),
    }
}

/// The condition on the indicators of a threat match.
fn compile_indicators(
    fields: &ThreatFields,
    options: &CompileOptions<'_>,
) -> Result<CompiledCondition, Vec<Diagnostic>> {
    match &fields.query {
        Some(text) => {
            compile_condition(text, fields.language, Some(options.indicators_now.unwrap_or(0)), options)
        }
        None => Err(vec![Diagnostic::new(Code::MISSING_RULE_FIELD, "the rule has no threat query")]),
    }
}

fn compile_eql(rule: &Rule, options: &CompileOptions<'_>) -> Outcome {
    let Some(text) = &rule.query else {
        return Outcome::Refused(vec![Diagnostic::new(Code::MISSING_RULE_FIELD, "the rule has no query")]);
    };
    let overrides = &rule.overrides;
    let compiled = quell_eql::compile(
        &text.text,
        &quell_eql::Options {
            dialect: options.dialect.unwrap_or_else(|| rule.origin.format.dialect()),
            schema: options.schema,
            strict: options.strict,
            strict_elasticsearch: options.strict_elasticsearch,
            event_category_field: overrides.event_category.as_deref(),
            timestamp_field: overrides.timestamp_field.as_deref(),
            tiebreaker_field: overrides.tiebreaker.as_deref(),
        },
    );
    match compiled {
        Err(errors) => Outcome::Refused(text.in_file(errors)),
        Ok(compiled) => {
            let (query, warnings) = (compiled.query, text.in_file(compiled.warnings));
            match reason_against(&query) {
                Some(reason) => {
                    Outcome::NotRunYet { reason: reason.to_owned(), query: Some(query), warnings }
                }
                None => Outcome::Runs { query, warnings },
            }
        }
    }
}

/// Why a query cannot run yet, if it cannot.
fn reason_against(query: &Query) -> Option<&'static str> {
    query.filters().into_iter().find_map(|(filter, _)| reason_in(&filter.condition, false))
}

fn reason_in(condition: &Condition, in_lineage: bool) -> Option<&'static str> {
    let mut reason = None;
    condition.each_leaf(&mut |leaf| {
        let found = match &leaf.predicate {
            Predicate::Lineage { filter, .. } => reason_in(&filter.condition, true),
            Predicate::Object { condition, .. } => reason_in(condition, in_lineage),
            _ => None,
        };
        let mut earlier = false;
        leaf.predicate.each_field(&mut |field| earlier |= matches!(field.scope, Scope::Step(_)));
        let earlier = (in_lineage && earlier)
            .then_some("conditions on the event of another step within `descendant of` cannot run yet");
        reason = reason.or(found).or(earlier);
    });
    reason
}
