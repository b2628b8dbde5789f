//! The compiled matcher against the plain evaluation of the same conditions: random rules, random events.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod definition;
mod scan;

use bumpalo::Bump;
use definition::holds;
use proptest::prelude::*;
use quell_engine::{EngineOptions, EngineRule};
use quell_ir::expr::CompareOp;
use quell_ir::function;
use quell_ir::logic::Category;
use quell_ir::pattern::{IpBlock, Regex, Wildcard, folded};
use quell_ir::predicate::{Analyzer, TermTest};
use quell_ir::{
    Case, Condition, EventFilter, Expr, FieldRef, FieldType, Logic, Predicate, Query, Scope, Span, Value,
};
use scan::{bare_rule, engine_of, hit_rules, verdicts};
use serde_json::Value as Json;
use std::sync::Arc;

const NAMES: [&str; 4] = ["event.category", "event.type", "a", "b.c"];
const WORDS: [&str; 9] = ["process", "start", "a", "AB", "ab7", "7", "10.0.0.1", "É", "a start-7, É"];

fn field(scope: Scope) -> impl Strategy<Value = FieldRef> {
    let kind = prop_oneof![Just(FieldType::Keyword), Just(FieldType::Unknown)];
    (proptest::sample::select(&NAMES[..]), kind).prop_map(move |(path, kind)| FieldRef {
        scope: scope.clone(),
        path: path.into(),
        kind,
    })
}

fn word() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(&WORDS[..])
}

fn case() -> impl Strategy<Value = Case> {
    prop_oneof![Just(Case::Sensitive), Just(Case::Folded)]
}

fn order() -> impl Strategy<Value = CompareOp> {
    proptest::sample::select(&[CompareOp::Equal, CompareOp::Less, CompareOp::GreaterOrEqual][..])
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        word().prop_map(|word| Value::Text(word.into())),
        (0i64..9).prop_map(Value::Integer),
        any::<bool>().prop_map(Value::Boolean),
    ]
}

fn predicate(scope: Scope) -> impl Strategy<Value = Predicate> {
    let f = || field(scope.clone());
    let keyword = (f(), proptest::collection::vec(word(), 1..4), case()).prop_map(|(field, words, case)| {
        let text = |word: &&str| if case == Case::Folded { folded(word).into() } else { (*word).into() };
        let mut values: Vec<Arc<str>> = words.iter().map(text).collect();
        values.sort_unstable();
        values.dedup();
        Predicate::Keyword { field, values, case }
    });
    let pattern = proptest::sample::select(&["*a*", "?b*", "*7", "a?", "proc*", "*", "*.0.*", "*s*t*"][..]);
    let wildcard =
        (f(), proptest::collection::vec(pattern, 1..3), case()).prop_map(|(field, patterns, case)| {
            let patterns = patterns.iter().map(|pattern| Wildcard::parse(pattern)).collect();
            Predicate::Wildcard { field, patterns, case }
        });
    let regex = (f(), case()).prop_map(|(field, case)| Predicate::Regex {
        field,
        patterns: vec![Regex::parse("[a-c]+[0-9]*").unwrap()],
        case,
    });
    let length = (f(), 0i64..4).prop_map(|(field, n)| {
        let function = function::find("length").unwrap();
        let call = Expr::Call { function, case: Case::Sensitive, arguments: vec![Expr::Field(field)] };
        Predicate::Expr(Expr::Compare(
            CompareOp::Greater,
            Box::new(call),
            Box::new(Expr::Constant(Value::Integer(n))),
        ))
    });
    let joined = (f(), f(), word()).prop_map(|(left, right, word)| {
        let function = function::find("stringContains").unwrap();
        let arguments = vec![Expr::Field(left), Expr::Field(right)];
        let call = Expr::Call { function, case: Case::Folded, arguments };
        let operand = Box::new(Expr::Constant(Value::Text(word.into())));
        let other = Expr::In { operand, values: vec![Value::Text("a".into())], case: Case::Sensitive };
        Predicate::Expr(Expr::Or(vec![call, other]))
    });
    prop_oneof![
        4 => keyword,
        4 => wildcard,
        1 => f().prop_map(Predicate::Exists),
        1 => regex,
        1 => (f(), order(), word()).prop_map(|(field, op, word)| Predicate::TextOrder { field, op, value: word.into() }),
        1 => (f(), order(), 0i64..9).prop_map(|(field, op, n)| Predicate::Number { field, op, value: Value::Integer(n) }),
        1 => (f(), any::<bool>()).prop_map(|(field, value)| Predicate::Boolean { field, value }),
        1 => (f(), order(), value()).prop_map(|(field, op, value)| Predicate::Dynamic { field, op, value }),
        1 => f().prop_map(|field| Predicate::Ip { field, blocks: vec![IpBlock::parse("10.0.0.0/8").unwrap()] }),
        1 => f().prop_map(|field| Predicate::Date { field, from: 0, to: 5_000_000 }),
        1 => (f(), order()).prop_map(|(field, op)| Predicate::Version { field, op, value: "7".into() }),
        1 => length,
        1 => joined,
        2 => of_endgame(scope.clone()),
        1 => (f(), analyzer(), proptest::collection::vec(term(), 1..3)).prop_map(|(field, analyzer, terms)| {
            Predicate::Text { field, analyzer, terms }
        }),
        1 => (f(), analyzer(), term_test()).prop_map(|(field, analyzer, test)| {
            Predicate::TextTerm { field, analyzer, test }
        }),
        1 => nameless().prop_map(|test| Predicate::AnyField { test: Box::new(test) }),
        1 => (proptest::sample::select(&["*", "a", "b*", "event.*", "*.c"][..]), nameless()).prop_map(|(names, test)| {
            Predicate::FieldNames { pattern: Wildcard::parse(names), test: Box::new(test) }
        }),
    ]
}

fn analyzer() -> impl Strategy<Value = Analyzer> {
    prop_oneof![Just(Analyzer::Standard), Just(Analyzer::PowerShell)]
}

fn term() -> impl Strategy<Value = Arc<str>> {
    word().prop_map(|word| word.to_lowercase().into())
}

fn term_test() -> impl Strategy<Value = TermTest> {
    prop_oneof![
        Just(TermTest::Wildcard(Wildcard::parse("a*"))),
        Just(TermTest::Regex(Regex::parse("[a-c]+[0-9]*").unwrap())),
    ]
}

/// A test of some field without a name.
fn nameless() -> impl Strategy<Value = Predicate> {
    let field = || FieldRef::event("", FieldType::Unknown);
    prop_oneof![
        word().prop_map(move |word| Predicate::Keyword {
            field: field(),
            values: vec![word.into()],
            case: Case::Sensitive
        }),
        (analyzer(), proptest::collection::vec(term(), 1..3))
            .prop_map(move |(analyzer, terms)| Predicate::Text { field: field(), analyzer, terms }),
        Just(Predicate::Exists(field())),
    ]
}

/// What the Endgame dialect asks of a field as a whole, wanted true or false.
fn of_endgame(scope: Scope) -> impl Strategy<Value = Predicate> {
    let f = || field(scope.clone());
    let same = |op, left, value| Expr::Same(op, Box::new(left), Box::new(Expr::Constant(value)));
    let test = prop_oneof![
        (f(), order(), value()).prop_map(move |(field, op, value)| same(op, Expr::Whole(field), value)),
        (f(), 0_u64..3, value()).prop_map(move |(field, at, value)| same(
            CompareOp::Equal,
            Expr::Element(field, at),
            value
        )),
        (f(), any::<bool>(), 0_i64..4).prop_map(move |(field, list, n)| {
            same(CompareOp::Greater, Expr::Length { field, list }, Value::Integer(n))
        }),
        (f(), value())
            .prop_map(|(field, value)| Expr::Contains { field, values: vec![Expr::Constant(value)] }),
        (f(), f()).prop_map(|(field, other)| Expr::Contains { field, values: vec![Expr::Whole(other)] }),
        (f(), value(), value()).prop_map(|(field, a, b)| Expr::SameAsOne {
            operand: Box::new(Expr::Whole(field)),
            values: vec![a, b]
        }),
        f().prop_map(|field| Expr::Like {
            operand: Box::new(Expr::Text(Box::new(Expr::Whole(field)))),
            patterns: vec![Wildcard::parse_runs("a*")],
            case: Case::Folded,
        }),
    ];
    (test, any::<bool>())
        .prop_map(|(test, wanted)| Predicate::Expr(if wanted { test } else { Expr::Not(Box::new(test)) }))
}

fn tree(leaf: impl Strategy<Value = Predicate> + 'static) -> impl Strategy<Value = Condition> {
    let leaf = leaf.prop_map(|predicate| Condition::leaf(predicate, Span::default()));
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Condition::And),
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Condition::Or),
            inner.prop_map(|inner| Condition::Not(Box::new(inner))),
        ]
    })
}

fn condition() -> impl Strategy<Value = Condition> {
    let element = prop_oneof![3 => predicate(Scope::Element(0)), 1 => predicate(Scope::Event)];
    let list = || FieldRef::event("list", FieldType::Unknown);
    let objects = (tree(element), proptest::option::of(0_i64..3)).prop_map(move |(condition, least)| {
        let condition = Box::new(condition);
        let Some(least) = least else { return Predicate::Object { field: list(), condition } };
        let count = Box::new(Expr::Count { field: list(), condition });
        Predicate::Expr(Expr::Same(
            CompareOp::Greater,
            count,
            Box::new(Expr::Constant(Value::Integer(least))),
        ))
    });
    let length = (any::<bool>(), 0_i64..3).prop_map(move |(of_list, n)| {
        let length = Box::new(Expr::Length { field: list(), list: of_list });
        Predicate::Expr(Expr::Same(CompareOp::Equal, length, Box::new(Expr::Constant(Value::Integer(n)))))
    });
    tree(prop_oneof![8 => predicate(Scope::Event), 1 => objects, 1 => length])
}

fn scalar() -> impl Strategy<Value = Json> {
    prop_oneof![
        4 => word().prop_map(Json::from),
        1 => (0i64..9).prop_map(Json::from),
        1 => any::<bool>().prop_map(Json::from),
        1 => Just(Json::Null),
        1 => Just(serde_json::json!(0.5)),
        1 => Just(Json::from("e\u{0301}\"\\x")),
    ]
}

fn field_value() -> impl Strategy<Value = Json> {
    prop_oneof![2 => scalar(), 1 => proptest::collection::vec(scalar(), 0..4).prop_map(Json::Array)]
}

fn object() -> impl Strategy<Value = Json> {
    (field_value(), field_value(), field_value(), field_value()).prop_map(|(category, kind, a, c)| {
        serde_json::json!({ "event": { "category": category, "type": kind }, "a": a, "b": [{ "c": c }] })
    })
}

fn event() -> impl Strategy<Value = Json> {
    let element = prop_oneof![3 => object(), 1 => scalar()];
    (object(), proptest::collection::vec(element, 0..3)).prop_map(|(mut event, list)| {
        event["list"] = Json::Array(list);
        event
    })
}

fn category() -> impl Strategy<Value = Option<Arc<str>>> {
    proptest::option::of(prop_oneof![Just("process".into()), Just("a".into())])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..Default::default() })]
    #[test]
    fn the_compiled_matcher_agrees_with_plain_evaluation(
        rules in proptest::collection::vec((category(), condition()), 1..12),
        events in proptest::collection::vec(event(), 1..6),
    ) {
        let filter = |(category, condition): &(Option<Arc<str>>, Condition)| EventFilter {
            category: category.clone().map(|value| Category {
                field: FieldRef::event("event.category", FieldType::Keyword),
                value,
            }),
            condition: condition.clone(),
            span: Span::default(),
        };
        let compiled = rules.iter().enumerate().map(|(n, rule)| EngineRule {
            rule: Arc::new(bare_rule(&format!("{n:02}"))),
            query: Query { logic: Logic::Event(filter(rule)), pipes: Vec::new() },
        });
        let engine = engine_of(compiled.collect(), &EngineOptions::default());
        let records: Vec<String> = events.iter().map(Json::to_string).collect();
        let records: Vec<&str> = records.iter().map(String::as_str).collect();
        let found = hit_rules(&engine, &records);
        let mut arena = Bump::new();
        let filters: Vec<EventFilter> = rules.iter().map(filter).collect();
        for ((event, found), record) in events.iter().zip(&found).zip(&records) {
            let mut expected = Vec::new();
            let why = verdicts(&engine, &filters, record);
            for (n, rule) in rules.iter().enumerate() {
                let holds = holds(&filter(rule), event, &mut arena);
                prop_assert_eq!(why[n], Some(holds), "{} of {}", n, event);
                if holds {
                    expected.push(format!("{n:02}"));
                }
            }
            prop_assert_eq!(found, &expected.join(" "), "{}", event);
        }
    }
}
