//! What the engine is given: tests of one field as one predicate, of the plainest kind that the field's type allows.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test may panic")]

use quell_event::EcsSchema;
use quell_ir::predicate::{Analyzer, TermTest};
use quell_ir::{Case, Condition, FieldType, Predicate, Scope};
use quell_kql::Language::{self, Kql, Lucene};
use quell_kql::{Options, compile};

fn condition(source: &str, language: Language) -> Condition {
    let schema = EcsSchema::new();
    compile(source, language, &Options::new(&schema))
        .unwrap_or_else(|found| panic!("{source}: {found:#?}"))
        .condition
}

/// The one predicate of a query.
fn predicate(source: &str, language: Language) -> Predicate {
    match condition(source, language) {
        Condition::Leaf(leaf) => leaf.predicate,
        other => panic!("{source}: {other:?}"),
    }
}

#[test]
fn or_over_one_field_is_one_predicate() {
    for (source, language) in [
        ("process.name: (b or a or b)", Kql),
        ("process.name: b or process.name: a", Kql),
        ("(process.name: a) or process.name: (b or a)", Kql),
        ("process.name:(a b)", Lucene),
        ("process.name:b OR process.name:a", Lucene),
    ] {
        let Predicate::Keyword { field, values, case } = predicate(source, language) else {
            panic!("{source}")
        };
        assert_eq!((&*field.path, case), ("process.name", Case::Sensitive), "{source}");
        assert_eq!(values.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), ["a", "b"], "{source}");
    }
    let Predicate::Wildcard { patterns, .. } = predicate("process.name: (b* or a* or b*)", Kql) else {
        panic!()
    };
    assert_eq!(patterns.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a*", "b*"]);
    let Predicate::Ip { blocks, .. } = predicate("source.ip: (10.0.0.0/8 or 1.2.3.4)", Kql) else { panic!() };
    assert_eq!(blocks.len(), 2);
    let Condition::Or(parts) = condition("process.name: (a or b* or c) or user.name: a", Kql) else {
        panic!()
    };
    assert_eq!(parts.len(), 3, "one of texts, one of patterns, one of the other field");
}

#[test]
fn multi_fields_read_their_field() {
    let Predicate::Text { field, analyzer, terms } = predicate("process.command_line.text: \"A b\"", Kql)
    else {
        panic!()
    };
    assert_eq!(
        (&*field.path, field.kind, analyzer),
        ("process.command_line", FieldType::Text, Analyzer::Standard)
    );
    assert_eq!(terms.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), ["a", "b"]);
    let Predicate::Keyword { field, values, case } = predicate("process.name.caseless: CMD.exe", Kql) else {
        panic!()
    };
    assert_eq!((&*field.path, case, values[0].as_ref()), ("process.name", Case::Folded, "cmd.exe"));
    let Predicate::TextTerm { analyzer, test: TermTest::Wildcard(pattern), .. } =
        predicate("powershell.file.script_block_text: Invoke-*", Kql)
    else {
        panic!()
    };
    assert_eq!((analyzer, pattern.to_string().as_str()), (Analyzer::PowerShell, "invoke-*"));
}

#[test]
fn names_within_a_nested_object_are_its_members() {
    let Predicate::Object { field, condition } = predicate("process.pe.sections:{ name: upx }", Kql) else {
        panic!()
    };
    assert_eq!((&*field.path, field.scope), ("process.pe.sections", Scope::Event));
    let Condition::Leaf(leaf) = *condition else { panic!() };
    let Predicate::Keyword { field, .. } = leaf.predicate else { panic!() };
    assert_eq!((&*field.path, field.scope), ("name", Scope::Element(0)));
}

#[test]
fn spans_are_those_of_the_tests() {
    let source = "process.name: a and (user.name: (b or c) or not process.pid >= 4)";
    let mut spans = Vec::new();
    condition(source, Kql).each_leaf(&mut |leaf| spans.push(leaf.span.text(source).to_owned()));
    assert_eq!(spans, ["process.name: a", "b or c", "process.pid >= 4"]);
}
