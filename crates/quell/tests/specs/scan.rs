//! A case's query, ready to run with what the case asks for.

use crate::document::Case;
use quell::{
    CompileOptions, FileFinding, QueryError, QueryOptions, RuleSet, RuleSpec, Scan, ScanOptions, query,
    schema,
};

/// The query as the case has it, or another text of it.
pub fn scan_of(case: &Case, text: &str) -> Result<Scan, QueryError> {
    let options = &case.options;
    if options.rule {
        return scan_of_rule(case, text);
    }
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

/// A whole rule, read from a file.
fn scan_of_rule(case: &Case, text: &str) -> Result<Scan, QueryError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rule.toml");
    std::fs::write(&path, text).unwrap();
    let set = RuleSet::load(&[RuleSpec::Path(path)]);
    let options = ScanOptions {
        threads: 1,
        input_format: Some("ecs-json".to_owned()),
        no_warm_up: case.options.no_warm_up,
        ..ScanOptions::default()
    };
    let scan = Scan::new(set.rules, &CompileOptions::new(schema()), options);
    if let Some(not_run) = scan.not_run().first() {
        return Err(QueryError::NotRunYet(not_run.reason.clone()));
    }
    if scan.is_empty() {
        let all = |findings: &[FileFinding]| -> Vec<quell::Diagnostic> {
            findings.iter().map(|finding| finding.diagnostic.clone()).collect()
        };
        return Err(QueryError::Refused([all(&set.findings), all(scan.findings())].concat()));
    }
    Ok(scan)
}
