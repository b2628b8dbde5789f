//! One query over inputs, as Elasticsearch's EQL search API answers it; of KQL and Lucene each event is a result.

use crate::scan::{Scan, ScanOptions};
use quell_engine::{ResultLimit, ResultPosition};
use quell_eql::Dialect;
use quell_ir::Diagnostic;
use quell_rules::{CompileOptions, Language, Rule};

/// How many results Elasticsearch gives unless told otherwise; quell gives as many with `strict_elasticsearch`.
const ELASTICSEARCH_SIZE: u64 = 10;

/// What the search API takes beside the query. Source: Elasticsearch's "EQL search API".
#[derive(Clone, Debug, Default)]
pub struct QueryOptions {
    /// How inputs are read; its timestamp and tiebreaker fields are the API's.
    pub scan: ScanOptions,
    /// The field of the category, `event.category` by default.
    pub event_category_field: Option<String>,
    /// The most results; all by default, and 10, as Elasticsearch gives, with [`CompileOptions::strict_elasticsearch`].
    pub size: Option<u64>,
    /// Which results the size keeps, where no pipe says so.
    pub result_position: ResultPosition,
    /// The language of the query, EQL by default.
    pub language: Language,
    /// The dialect of EQL.
    pub dialect: Dialect,
}

/// Why a query does not run.
#[derive(Debug)]
pub enum QueryError {
    /// It is wrong.
    Refused(Vec<Diagnostic>),
    /// It is right but cannot run yet.
    NotRunYet(String),
}

/// A query, ready to run: a scan whose alerts are its results, in ascending order, and whose findings are warnings.
///
/// # Errors
/// Where the query is refused or cannot run yet.
pub fn query(source: &str, compile: &CompileOptions<'_>, options: &QueryOptions) -> Result<Scan, QueryError> {
    let mut rule = Rule::of_query_in(options.language, source);
    rule.overrides.event_category.clone_from(&options.event_category_field);
    let compile = CompileOptions { dialect: Some(options.dialect), ..*compile };
    // A query asks all events; index patterns belong to rules.
    let size = options.size.or(compile.strict_elasticsearch.then_some(ELASTICSEARCH_SIZE));
    let limit = size.map(|size| ResultLimit { size, position: options.result_position });
    let scan_options = ScanOptions { any_index: true, limit, ..options.scan.clone() };
    let scan = Scan::new(vec![rule], &compile, scan_options);
    if let Some(not_run) = scan.not_run().first() {
        return Err(QueryError::NotRunYet(not_run.reason.clone()));
    }
    if scan.is_empty() {
        let errors = scan.findings().iter().map(|finding| finding.diagnostic.clone()).collect();
        return Err(QueryError::Refused(errors));
    }
    Ok(scan)
}

/// A query in one style; the dialect is EQL's.
///
/// # Errors
/// What is wrong with its syntax; of ES|QL, which is not read here, that it is none of the others.
pub fn format_query(source: &str, language: Language, dialect: Dialect) -> Result<String, Vec<Diagnostic>> {
    match language {
        Language::Kql => quell_kql::format_source(source, quell_kql::Language::Kql),
        Language::Lucene => quell_kql::format_source(source, quell_kql::Language::Lucene),
        Language::Eql | Language::Esql => quell_eql::format_source(source, dialect),
    }
}
