//! A case's query, ready to run with what the case asks for.

use crate::document::{Beside, Case};
use quell::{
    CompileOptions, ExceptionSet, FileFinding, MaintenanceWindow, QueryError, QueryOptions, Rule, RuleSet,
    RuleSpec, Scan, ScanOptions, query, schema,
};
use std::path::Path;

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
    let folder = tempfile::tempdir().unwrap();
    let (exceptions, maintenance) = beside(&case.beside, folder.path());
    let query_options = QueryOptions {
        scan: ScanOptions {
            exceptions,
            maintenance,
            show_held: case.beside.held.is_some(),
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
    let Some(fields) = &case.beside.rule else { return query(text, &compile, &query_options) };
    let mut rule = Rule::of_query_in(options.language, text);
    rule.fields.extend(fields.clone());
    let compile = CompileOptions { dialect: Some(options.dialect), ..compile };
    let scan = Scan::new(vec![rule], &compile, ScanOptions { any_index: true, ..query_options.scan });
    match scan.not_run().first() {
        Some(not_run) => Err(QueryError::NotRunYet(not_run.reason.clone())),
        None => Ok(scan),
    }
}

/// What the case has in files, of exceptions and windows. They must be sound.
fn beside(beside: &Beside, folder: &Path) -> (ExceptionSet, Vec<MaintenanceWindow>) {
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let mut exceptions = ExceptionSet::default();
    if let Some(text) = &beside.exceptions {
        let (set, wrong) = ExceptionSet::load(&[file("exceptions.toml", text)]);
        assert!(wrong.is_empty(), "{wrong:?}");
        exceptions = set;
    }
    for (name, values) in &beside.lists {
        let wrong = exceptions.add_values(name, &file("values.txt", values));
        assert!(wrong.is_none(), "{wrong:?}");
    }
    let windows = beside.windows.as_ref().map(|text| {
        let (windows, wrong) = MaintenanceWindow::load(&file("windows.toml", text));
        assert!(wrong.is_empty(), "{wrong:?}");
        windows
    });
    (exceptions, windows.unwrap_or_default())
}

/// A whole rule, read from a file.
fn scan_of_rule(case: &Case, text: &str) -> Result<Scan, QueryError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rule.toml");
    std::fs::write(&path, text).unwrap();
    let set = RuleSet::load(&[RuleSpec::Path(path)]);
    let (exceptions, maintenance) = beside(&case.beside, folder.path());
    let options = ScanOptions {
        exceptions,
        maintenance,
        show_held: case.beside.held.is_some(),
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
