//! What becomes of a rule, by its type, its overrides and the options.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "a test may panic")]

mod support;

use quell_eql::Dialect;
use quell_ir::schema::NoSchema;
use quell_ir::{FieldInfo, FieldType, Logic, Schema};
use quell_rules::{CompileOptions, Language, Outcome, Rule, compile_condition, compile_rule};
use support::{elastic, load, places};

/// Knows `process.name` and `my.category` alone.
struct Small;

impl Schema for Small {
    fn field(&self, path: &str) -> Option<FieldInfo> {
        ["process.name", "my.category"]
            .contains(&path)
            .then_some(FieldInfo { kind: FieldType::Keyword, array: false })
    }

    fn near(&self, _path: &str) -> Vec<String> {
        vec!["process.name".to_owned()]
    }

    fn name(&self) -> &str {
        "small"
    }
}

fn rule(lines: &[(&str, &str)]) -> Rule {
    let set = load(&[("a.toml", &elastic(lines))]);
    assert_eq!(places(&set.findings), [""; 0]);
    set.rules[0].clone()
}

#[test]
fn an_event_query_runs_with_the_category_field_of_its_rule() {
    for (lines, field) in
        [(vec![], "event.category"), (vec![("event_category_override", "\"my.category\"")], "my.category")]
    {
        let Outcome::Runs { query, warnings } = compile_rule(&rule(&lines), &CompileOptions::new(&Small))
        else {
            panic!("does not run");
        };
        assert_eq!(warnings, []);
        let Logic::Event(filter) = query.logic else { panic!("no event query") };
        assert_eq!(filter.category.unwrap().field.path.as_ref(), field);
    }
}

#[test]
fn an_unknown_field_is_a_warning_in_the_file_and_refuses_only_when_strict() {
    let rule = rule(&[("query", "'process where proces.name == \"a\"'")]);
    let mut options = CompileOptions::new(&Small);
    let Outcome::Runs { warnings, .. } = compile_rule(&rule, &options) else { panic!("does not run") };
    assert_eq!(warnings[0].span.unwrap().text(&rule.origin.text), "proces.name");
    options.strict = true;
    let Outcome::Refused(errors) = compile_rule(&rule, &options) else { panic!("not refused") };
    assert_eq!(errors[0].span.unwrap().text(&rule.origin.text), "proces.name");
}

#[test]
fn the_dialect_is_the_formats_own_unless_it_is_given() {
    let rule = rule(&[("query", "'process where process.name == process.parent.name'")]);
    let mut options = CompileOptions::new(&NoSchema);
    assert!(matches!(compile_rule(&rule, &options), Outcome::Refused(_)));
    options.dialect = Some(Dialect::Endpoint);
    assert!(matches!(compile_rule(&rule, &options), Outcome::Runs { .. }));
}

#[test]
fn what_does_not_run_yet_says_why() {
    let table = [("esql", "esql", "'from a'", "ES|QL queries cannot run yet")];
    for (kind, language, query, expected) in table {
        let (kind, language) = (format!("{kind:?}"), format!("{language:?}"));
        let rule = rule(&[("type", &kind), ("language", &language), ("query", query)]);
        let Outcome::NotRunYet { reason, query, .. } = compile_rule(&rule, &CompileOptions::new(&NoSchema))
        else {
            panic!("{expected}: another outcome");
        };
        assert_eq!((reason.as_str(), query.is_some()), (expected, false));
    }
}

#[test]
fn queries_in_kql_and_lucene_run_over_events_of_every_category() {
    for (language, query) in
        [("kuery", "'process.name: (a or b)'"), ("lucene", "'process.name:(a OR b)'"), ("kuery", "''")]
    {
        let rule = rule(&[("type", "\"query\""), ("language", &format!("{language:?}")), ("query", query)]);
        let Outcome::Runs { query, warnings } = compile_rule(&rule, &CompileOptions::new(&Small)) else {
            panic!("does not run");
        };
        assert_eq!(warnings, []);
        let Logic::Event(filter) = query.logic else { panic!("no event query") };
        assert!(filter.category.is_none());
    }
}

#[test]
fn findings_about_kql_stand_in_the_file() {
    let rule = rule(&[("type", "\"query\""), ("language", "\"kuery\""), ("query", "'proces.name: a'")]);
    let mut options = CompileOptions::new(&Small);
    let Outcome::Runs { warnings, .. } = compile_rule(&rule, &options) else { panic!("does not run") };
    assert_eq!(warnings[0].span.unwrap().text(&rule.origin.text), "proces.name");
    assert_eq!(warnings[0].help.as_deref(), Some("did you mean `process.name`?"));
    options.strict = true;
    let Outcome::Refused(errors) = compile_rule(&rule, &options) else { panic!("not refused") };
    assert_eq!(errors[0].span.unwrap().text(&rule.origin.text), "proces.name");
}

#[test]
fn any_text_of_a_rule_can_be_a_condition() {
    let rule =
        rule(&[("type", "\"query\""), ("language", "\"kuery\""), ("query", "'@timestamp >= now-30d/d'")]);
    let options = CompileOptions::new(&NoSchema);
    let text = rule.query.as_ref().unwrap();
    let errors = compile_condition(text, Language::Kql, None, &options).unwrap_err();
    assert_eq!(errors[0].span.unwrap().text(&rule.origin.text), "now-30d/d");
    let now = Some(1_714_564_800_000_000_000);
    assert!(compile_condition(text, Language::Kql, now, &options).is_ok());
    let errors = compile_condition(text, Language::Eql, now, &options).unwrap_err();
    assert_eq!(errors[0].code.as_str(), "E0308");
}

#[test]
fn sequences_run_unless_lineage_needs_another_step() {
    let within = Some("conditions on the event of another step within `descendant of` cannot run yet");
    let table = [
        (r#"process where not descendant of [process where process.name == "a"]"#, None),
        ("sequence [any where true] [any where descendant of [any where true]]", None),
        ("sequence [any where true] as event0 [any where a == event0.a]", None),
        ("sequence [any where true] as event0 [any where descendant of [any where a == event0.a]]", within),
        (
            "sequence [any where true] as event0 [any where true] until [any where not descendant of [any where _arraysearch(b, $b, $b.a == event0.a)]]",
            within,
        ),
        ("sequence [any where true] as event0 [any where true]", None),
        ("sequence by a with maxspan=1s [any where true] ![any where true]", None),
        ("sample by a [any where true] [any where true]", None),
    ];
    for (query, expected) in table {
        let text = format!(
            "[rule]\nid = \"1\"\nname = \"n\"\ndescription = \"d\"\nos_list = []\nquery = '''\n{query}\n'''\n"
        );
        let set = load(&[("a.toml", &text)]);
        match (compile_rule(&set.rules[0], &CompileOptions::new(&NoSchema)), expected) {
            (Outcome::Runs { .. }, None) => {}
            (Outcome::NotRunYet { reason, .. }, Some(expected)) => assert_eq!(reason, expected, "{query}"),
            (other, _) => panic!("{query}: {other:?}"),
        }
    }
}
