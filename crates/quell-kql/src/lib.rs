//! Kibana's query language (KQL) and Lucene query strings: parsers, formatters, and lowering to quell's intermediate form.
//!
//! Both languages ask the same of a field, so they share [`Literal`] and the lowering of a name and a value.
//!
//! Sources: Kibana's manual page "Kibana Query Language", Elasticsearch's "Query string query".

mod date_math;
pub mod kql;
pub mod limits;
mod literal;
mod lower;
pub mod lucene;
mod text;

pub use literal::Literal;

use quell_ir::{Condition, Diagnostic, Schema, Span};

/// The language of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// Kibana's, `kuery` in rules.
    Kql,
    /// Lucene's query string, as Kibana sends it.
    Lucene,
}

/// What a query is compiled for.
#[derive(Clone, Copy)]
pub struct Options<'s> {
    /// The fields that it may name.
    pub schema: &'s dyn Schema,
    /// Whether a field that the schema does not know is an error.
    pub strict: bool,
    /// What `now` is, in nanoseconds since 1970; without it relative dates are refused, for logs are seldom today's.
    pub now: Option<i64>,
}

impl<'s> Options<'s> {
    /// Nothing strict, no clock.
    #[must_use]
    pub fn new(schema: &'s dyn Schema) -> Self {
        Options { schema, strict: false, now: None }
    }
}

impl std::fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("schema", &self.schema.name())
            .field("strict", &self.strict)
            .field("now", &self.now)
            .finish()
    }
}

/// A query that can run.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// What an event must satisfy.
    pub condition: Condition,
    /// The query in its text, without white space around it.
    pub span: Span,
    /// What is worth knowing about it.
    pub warnings: Vec<Diagnostic>,
}

/// Parses, checks and lowers a query.
///
/// # Errors
/// The syntax error, or else every finding about names and values, warnings included, where one of them is an error.
pub fn compile(source: &str, language: Language, options: &Options<'_>) -> Result<Compiled, Vec<Diagnostic>> {
    let mut lowerer = lower::Lowerer::new(source, language, options);
    let (condition, span) = match language {
        Language::Kql => {
            let query = kql::parse(source)?;
            (kql::lower(&query, &mut lowerer), query.span)
        }
        Language::Lucene => {
            let query = lucene::parse(source)?;
            (lucene::lower(&query, &mut lowerer), query.span)
        }
    };
    let findings = lowerer.into_findings();
    if findings.iter().any(Diagnostic::is_error) {
        return Err(findings);
    }
    Ok(Compiled { condition, span, warnings: findings })
}

/// The query in one style, without a line break at its end.
///
/// # Errors
/// The syntax error.
pub fn format_source(source: &str, language: Language) -> Result<String, Vec<Diagnostic>> {
    match language {
        Language::Kql => kql::parse(source).map(|query| kql::format(&query)),
        Language::Lucene => lucene::parse(source).map(|query| lucene::format(&query)),
    }
}
