//! The public rules: every KQL and Lucene query parses, compiles and is formatted without a change of its meaning.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test may panic and print")]

#[path = "../../../testing/test_data.rs"]
mod test_data;

use quell_event::EcsSchema;
use quell_ir::schema::NoSchema;
use quell_ir::{Code, Schema};
use quell_kql::{Language, Options, compile, format_source};
use std::path::{Path, PathBuf};
use test_data::test_data;

struct Found {
    path: PathBuf,
    language: Language,
    query: String,
    /// Of what holds indicators; its dates count from now.
    of_indicators: bool,
}

fn queries(folder: &Path, into: &mut Vec<Found>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            queries(&path, into);
            continue;
        }
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let document: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
        let Some(rule) = document.get("rule").and_then(toml::Value::as_table) else { continue };
        let text = |name: &str| rule.get(name).and_then(toml::Value::as_str).map(str::to_owned);
        for (query, language, of_indicators) in
            [("query", "language", false), ("threat_query", "threat_language", true)]
        {
            let language = match text(language).as_deref() {
                Some("kuery") => Language::Kql,
                Some("lucene") => Language::Lucene,
                _ => continue,
            };
            if let Some(query) = text(query) {
                into.push(Found { path: path.clone(), language, query, of_indicators });
            }
        }
    }
}

#[test]
fn the_detection_rules_compile() {
    let Some(data) = test_data("rules/elastic") else { return };
    let mut found = Vec::new();
    queries(&data, &mut found);
    assert!(found.len() >= 400, "only {} queries", found.len());
    let ecs = EcsSchema::new();
    let mut failed = Vec::new();
    let mut warnings = Vec::new();
    for Found { path, language, query, of_indicators } in &found {
        let formatted = format_source(query, *language).unwrap();
        assert_eq!(format_source(&formatted, *language).unwrap(), formatted, "{}", path.display());
        for schema in [&NoSchema as &dyn Schema, &ecs] {
            let now = of_indicators.then_some(1_714_564_800_000_000_000);
            let options = Options { now, ..Options::new(schema) };
            match compile(query, *language, &options) {
                Ok(compiled) => {
                    let again = compile(&formatted, *language, &options).unwrap();
                    assert_eq!(again.condition, compiled.condition, "{}", path.display());
                    for warning in compiled.warnings {
                        if warning.code != Code::UNKNOWN_FIELD {
                            warnings.push(format!(
                                "{}: {} {}",
                                path.display(),
                                warning.code,
                                warning.message
                            ));
                        }
                    }
                }
                Err(errors) => failed.extend(errors.iter().filter(|error| error.is_error()).map(|error| {
                    let text = error.span.unwrap().text(query);
                    format!(
                        "{} with {}: {} {} at `{text}`",
                        path.display(),
                        schema.name(),
                        error.code,
                        error.message
                    )
                })),
            }
            if *of_indicators {
                let errors = compile(query, *language, &Options::new(schema)).unwrap_err();
                assert!(errors.iter().any(|error| error.code == Code::RELATIVE_DATE), "{errors:?}");
            }
        }
    }
    println!("{} queries; {} warnings: {warnings:#?}", found.len(), warnings.len());
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), found.len(), failed.join("\n"));
}
