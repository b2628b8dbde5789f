//! Conditions in KQL or Lucene wherever a rule file holds them: the query of a rule, the indicators of a threat match, the
//! scope of a maintenance window.

use crate::compile::CompileOptions;
use crate::rule::{Language, QueryText, Rule};
use quell_ir::{Code, Condition, Diagnostic, EventFilter, Span};

/// A condition that can run.
#[derive(Clone, Debug)]
pub struct CompiledCondition {
    /// What an event must satisfy; spans within it count in the text of the condition itself.
    pub condition: Condition,
    /// The condition in its own text, without white space around it.
    pub span: Span,
    /// What is probably not as it was meant, placed in the file.
    pub warnings: Vec<Diagnostic>,
}

impl CompiledCondition {
    /// The events that it selects, of whatever category.
    #[must_use]
    pub fn into_filter(self) -> EventFilter {
        EventFilter { category: None, condition: self.condition, span: self.span }
    }
}

/// The condition of a rule's own query, which is KQL unless the rule says Lucene.
///
/// # Errors
/// What is wrong with it, placed in the file, warnings included; or that the rule has no query.
pub fn compile_rule_condition(
    rule: &Rule,
    options: &CompileOptions<'_>,
) -> Result<CompiledCondition, Vec<Diagnostic>> {
    let Some(text) = &rule.query else {
        return Err(vec![Diagnostic::new(Code::MISSING_RULE_FIELD, "the rule has no query")]);
    };
    compile_condition(text, rule.language.unwrap_or(Language::Kql), None, options)
}

/// The condition of any text in KQL or Lucene. `now` is what relative dates count from, in nanoseconds since 1970; without
/// it they are refused.
///
/// # Errors
/// What is wrong with it, placed in the file, warnings included.
pub fn compile_condition(
    text: &QueryText,
    language: Language,
    now: Option<i64>,
    options: &CompileOptions<'_>,
) -> Result<CompiledCondition, Vec<Diagnostic>> {
    let language = match language {
        Language::Kql => quell_kql::Language::Kql,
        Language::Lucene => quell_kql::Language::Lucene,
        Language::Eql | Language::Esql => {
            let message = format!("a condition is written in KQL or Lucene, not in `{}`", language.as_str());
            return Err(vec![Diagnostic::new(Code::RULE_LANGUAGE, message).at(text.span)]);
        }
    };
    let kql = quell_kql::Options { schema: options.schema, strict: options.strict, now };
    match quell_kql::compile(&text.text, language, &kql) {
        Ok(compiled) => Ok(CompiledCondition {
            condition: compiled.condition,
            span: compiled.span,
            warnings: text.in_file(compiled.warnings),
        }),
        Err(findings) => Err(text.in_file(findings)),
    }
}
