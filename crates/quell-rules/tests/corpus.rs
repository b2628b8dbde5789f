//! Public rules: all of them load, and every EQL rule that says nothing of lineage compiles.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "a test may panic")]

mod support;
#[path = "../../../testing/test_data.rs"]
mod test_data;

use quell_event::EcsSchema;
use quell_ir::Span;
use quell_ir::schema::NoSchema;
use quell_rules::{CompileOptions, Outcome, RuleKind, RuleSet, RuleSpec, check, compile_rule};
use std::collections::BTreeMap;
use support::{places, spec};
use test_data::test_data;

fn load(folder: &str) -> Option<RuleSet> {
    let set = RuleSet::load(&[spec(&test_data("rules")?.join(folder))]);
    assert_eq!(places(&set.findings), [""; 0]);
    Some(set)
}

#[test]
fn every_public_rule_loads_and_every_eql_rule_compiles() {
    for (folder, rules) in [("elastic", 1068), ("endpoint", 631)] {
        let Some(set) = load(folder) else { return };
        assert_eq!((set.rules.len(), set.files, set.without_rules.len()), (rules, rules, 0));
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for rule in &set.rules {
            let outcome = match compile_rule(rule, &CompileOptions::new(&NoSchema)) {
                Outcome::Runs { .. } => "runs".to_owned(),
                Outcome::NotRunYet { reason, query, .. } => {
                    let read = matches!(rule.kind, RuleKind::Eql | RuleKind::ThreatMatch);
                    assert_eq!(query.is_some(), read, "{}", rule.name);
                    reason
                }
                Outcome::Refused(errors) => panic!("{}: {errors:?}", rule.origin.path.display()),
            };
            *counts
                .entry(format!(
                    "{} {}: {outcome}",
                    rule.kind.as_str(),
                    rule.language.map_or("", |l| l.as_str())
                ))
                .or_default() += 1;
            // Every query, however it is written, is found again in its file.
            if let Some(query) = &rule.query {
                for word in query.text.split_whitespace().filter(|word| !word.contains(['"', '\\'])) {
                    let start = word.as_ptr() as usize - query.text.as_ptr() as usize;
                    let span = query.locate(Span::new(start, start + word.len()));
                    assert_eq!(span.text(&rule.origin.text), word, "{}", rule.name);
                }
            }
        }
        println!("{folder}: {counts:#?}");
    }
}

/// The lints were made for these rules' own repository, so they must have little to say of them.
#[test]
fn lints_say_little_of_public_rules() {
    let Some(data) = test_data("") else { return };
    let checked = check(
        &[spec(&data.join("rules/elastic")), spec(&data.join("rules/endpoint"))],
        &CompileOptions::new(&NoSchema),
    );
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in
        checked.findings.iter().filter(|finding| finding.diagnostic.code.as_str().starts_with("W03"))
    {
        *counts.entry(finding.diagnostic.code.as_str()).or_default() += 1;
        if counts[finding.diagnostic.code.as_str()] <= 2 {
            println!("{}: {}", finding.path.display(), finding.diagnostic.message);
        }
    }
    println!("{counts:#?}");
    assert!(counts.values().sum::<usize>() < 100, "{counts:?}");
}

#[test]
fn the_published_query_is_embedded_word_for_word() {
    let set = RuleSet::load(&[RuleSpec::Embedded("t1046-published".to_owned())]);
    assert_eq!(places(&set.findings), [""; 0]);
    let rule = &set.rules[0];
    assert_eq!((rule.index.as_ref(), rule.risk_score, rule.severity.as_str()), (None, 47, "medium"));
    assert_eq!(rule.threat[0].techniques[0].id, "T1046");
    let checked = check(&[RuleSpec::Embedded("t1046".to_owned())], &CompileOptions::new(&NoSchema));
    let lints: Vec<_> = checked.findings.iter().filter(|f| f.diagnostic.code.as_str() != "W0201").collect();
    assert!(lints.is_empty(), "{lints:?}");

    let Some(data) = test_data("") else { return };
    let Ok(page) = std::fs::read_to_string(data.join("../reference/t1046.md")) else {
        println!("skipped: no test data");
        return;
    };
    let section = page.split("\n## 11.").nth(1).unwrap();
    let published = section.split("```eql\n").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(rule.query.as_ref().unwrap().text, published);
}

/// With field types known, no rule is refused that runs without them.
#[test]
fn every_eql_rule_compiles_with_the_schema_of_ecs() {
    let schema = EcsSchema::new();
    for folder in ["elastic", "endpoint"] {
        let Some(set) = load(folder) else { return };
        let (mut warned, mut warnings) = (0, 0);
        for rule in &set.rules {
            let outcome = compile_rule(rule, &CompileOptions::new(&schema));
            assert!(!matches!(outcome, Outcome::Refused(_)), "{}: {outcome:?}", rule.origin.path.display());
            warned += usize::from(!outcome.findings().is_empty());
            warnings += outcome.findings().len();
        }
        println!("{folder}: {warnings} warnings in {warned} rules");
    }
    let published = RuleSet::load(&[RuleSpec::Embedded("t1046-published".to_owned())]);
    let outcome =
        compile_rule(&published.rules[0], &CompileOptions { strict: true, ..CompileOptions::new(&schema) });
    assert!(matches!(&outcome, Outcome::Runs { warnings, .. } if warnings.is_empty()), "{outcome:?}");
}
