//! A case's query, ready to run with what the case asks for.

use crate::document::Case;
use quell::{CompileOptions, QueryError, QueryOptions, Scan, ScanOptions, query, schema};

/// The query as the case has it, or another text of it.
pub fn scan_of(case: &Case, text: &str) -> Result<Scan, QueryError> {
    let options = &case.options;
    let compile = CompileOptions {
        strict: options.strict,
        strict_elasticsearch: options.strict_elasticsearch,
        ..CompileOptions::new(schema())
    };
    let query_options = QueryOptions {
        scan: ScanOptions {
            threads: 1,
            input_format: Some("ecs-json".to_owned()),
            timestamp_field: options.timestamp_field.clone(),
            tiebreaker_field: options.tiebreaker_field.clone(),
            ..ScanOptions::default()
        },
        event_category_field: options.event_category_field.clone(),
        size: options.size,
        result_position: options.result_position,
        dialect: options.dialect,
        language: options.language,
    };
    query(text, &compile, &query_options)
}
