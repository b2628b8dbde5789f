//! The examples of every function: parsed, compiled, evaluated, and held to the result that they state.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use bumpalo::Bump;
use quell_eql::{Dialect, Options, ast, compile, parse_condition};
use quell_ir::eval::{self, Fields};
use quell_ir::function::{ENDGAME_FUNCTIONS, FUNCTIONS, Function};
use quell_ir::schema::NoSchema;
use quell_ir::{Datum, FieldRef, Logic, Value};

/// The literals of a call in order, each as the field that takes its place, so that nothing is folded.
struct Arguments(Vec<(String, Value)>);

impl<'a> Fields<'a> for Arguments {
    fn values(&self, field: &FieldRef, arena: &'a Bump) -> &'a [Datum<'a>] {
        let value = &self.0.iter().find(|(name, _)| *name == *field.path).unwrap().1;
        match value {
            Value::Null => &[],
            Value::Text(text) => arena.alloc_slice_copy(&[Datum::Text(arena.alloc_str(text))]),
            Value::Boolean(b) => arena.alloc_slice_copy(&[Datum::Boolean(*b)]),
            Value::Integer(n) => arena.alloc_slice_copy(&[Datum::Integer(*n)]),
            Value::Unsigned(n) => arena.alloc_slice_copy(&[Datum::Unsigned(*n)]),
            Value::Float(n) => arena.alloc_slice_copy(&[Datum::Float(*n)]),
        }
    }
}

/// The condition that a call gives a result, and its opposite where the result is a value.
fn tests_of(call: &str, result: &str) -> Vec<(String, bool)> {
    match result {
        "null" => vec![(format!("({call}) == null"), true)],
        "true" => vec![(call.to_owned(), true), (format!("({call}) != null"), true)],
        "false" => vec![(call.to_owned(), false), (format!("({call}) != null"), true)],
        other => vec![(format!("({call}) == {other}"), true), (format!("({call}) != {other}"), false)],
    }
}

fn holds(condition: &str, fields: &dyn for<'a> Fields<'a>, dialect: Dialect) -> bool {
    let query = format!("any where {condition}");
    let compiled = compile(&query, &Options { dialect, ..Options::new(&NoSchema) })
        .unwrap_or_else(|found| panic!("{query}: {found:?}"));
    let Logic::Event(filter) = compiled.query.logic else { panic!("{query}") };
    let arena = Bump::new();
    let outcome = eval::condition(&filter.condition, fields, &arena);
    assert!(!outcome.cut, "{query}");
    outcome.holds
}

#[test]
fn every_example_gives_its_result_folded_and_evaluated() {
    let count = examples_give_their_results(FUNCTIONS, Dialect::Elasticsearch);
    assert!(count > 90, "{count} examples");
    let of_endgame: Vec<&Function> = (ENDGAME_FUNCTIONS.iter().copied())
        .filter(|function| function.spoken == quell_ir::function::Spoken::Endgame)
        .collect();
    let count = examples_give_their_results(&of_endgame, Dialect::Endgame);
    assert!(count > 70, "{count} examples");
}

fn examples_give_their_results(functions: &[&Function], dialect: Dialect) -> usize {
    let holds = |condition: &str, fields: &Arguments| holds(condition, fields, dialect);
    let mut count = 0;
    for function in functions {
        for example in function.examples {
            for (condition, expected) in tests_of(example.call, example.result) {
                assert_eq!(holds(&condition, &Arguments(Vec::new())), expected, "{condition}");
            }
            // The same with fields for the arguments that may be fields.
            let call = parse_condition(example.call, dialect).unwrap();
            let ast::ExprKind::Call(tree) = &call.kind else { panic!("{} is no call", example.call) };
            assert_eq!(&*tree.name.text, function.name, "an example of another function");
            let mut fields = Vec::new();
            let mut arguments = Vec::new();
            for (place, argument) in tree.arguments.iter().enumerate() {
                let text = argument.span.text(example.call);
                let literal = match &argument.kind {
                    ast::ExprKind::Literal(literal) if !function.parameter(place).unwrap().constant => {
                        literal.value.clone()
                    }
                    _ => {
                        arguments.push(text.to_owned());
                        continue;
                    }
                };
                arguments.push(format!("f{place}"));
                fields.push((format!("f{place}"), literal));
            }
            let tilde = if tree.folded { "~" } else { "" };
            let call = format!("{}{tilde}({})", function.name, arguments.join(", "));
            for (condition, expected) in tests_of(&call, example.result) {
                assert_eq!(
                    holds(&condition, &Arguments(fields.clone())),
                    expected,
                    "{condition} with {fields:?}"
                );
            }
            count += 1;
        }
    }
    count
}
