//! The compiled matcher against plain evaluation for every published rule of single events that runs, on events made to satisfy them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may panic and says that it was skipped"
)]

mod definition;
mod scan;
#[path = "../../../testing/test_data.rs"]
mod test_data;

use bumpalo::Bump;
use definition::holds;
use quell_engine::{Engine, EngineOptions, EngineRule, Hit, Lineage};
use quell_event::EcsSchema;
use quell_ir::expr::CompareOp;
use quell_ir::pattern::{Token, Wildcard};
use quell_ir::{Condition, EventFilter, FieldRef, Logic, Predicate, Scope, Value};
use quell_rules::{CompileOptions, Outcome, RuleSet, RuleSpec, compile_rule};
use scan::hits_of;
use serde_json::{Map, Value as Json};
use std::path::PathBuf;
use std::sync::Arc;
use test_data::test_data;

fn rules(folders: &[PathBuf]) -> Vec<EngineRule> {
    let specs: Vec<RuleSpec> = folders.iter().cloned().map(RuleSpec::Path).collect();
    let schema = EcsSchema::new();
    let options = CompileOptions::new(&schema);
    let compiled =
        RuleSet::load(&specs).rules.into_iter().filter_map(|rule| match compile_rule(&rule, &options) {
            Outcome::Runs { query, .. } if matches!(query.logic, Logic::Event(_)) => {
                Some(EngineRule { rule: Arc::new(rule), query })
            }
            _ => None,
        });
    compiled.collect()
}

fn filter(rule: &EngineRule) -> &EventFilter {
    match &rule.query.logic {
        Logic::Event(filter) => filter,
        _ => panic!("only event queries were kept"),
    }
}

/// Puts a value at a path, beside what is there.
fn put(object: &mut Map<String, Json>, path: &str, value: Json) {
    match path.split_once('.') {
        Some((key, rest)) => {
            let inner = object.entry(key).or_insert_with(|| Json::Object(Map::new()));
            if let Some(inner) = inner.as_object_mut() {
                put(inner, rest, value);
            }
        }
        None => match object.get_mut(path) {
            None => _ = object.insert(path.to_owned(), value),
            Some(Json::Array(list)) => list.push(value),
            Some(Json::Object(_)) => {}
            Some(old) => *old = Json::Array(vec![old.take(), value]),
        },
    }
}

fn number(op: CompareOp, value: &Value) -> Json {
    let (n, other) = match value {
        Value::Integer(n) => (*n, None),
        Value::Float(n) => (0, Some(*n)),
        Value::Text(text) => return Json::from(&**text),
        Value::Boolean(b) => return Json::from(*b),
        Value::Null | Value::Unsigned(_) => (0, None),
    };
    let step = match op {
        CompareOp::Less => -1,
        CompareOp::Greater => 1,
        _ => 0,
    };
    other.map_or_else(|| Json::from(n + step), |other| Json::from(other + step as f64))
}

fn text(pattern: &Wildcard) -> String {
    let token = |token: &Token| match token {
        Token::Literal(text) => text.to_string(),
        Token::AnyChar => "C".to_owned(),
        Token::AnyRun => "any".to_owned(),
    };
    pattern.tokens().iter().map(token).collect()
}

/// Makes a document more likely to satisfy a condition; `choice` says which of several ways is taken.
fn satisfy(condition: &Condition, choice: usize, scope: &Scope, object: &mut Map<String, Json>) {
    match condition {
        Condition::Constant(_) | Condition::Not(_) => {}
        Condition::And(parts) => parts.iter().for_each(|part| satisfy(part, choice, scope, object)),
        Condition::Or(parts) => {
            if let Some(part) = parts.get(choice % parts.len()) {
                satisfy(part, choice / 2, scope, object);
            }
        }
        Condition::Leaf(leaf) => {
            let mut set = |field: &FieldRef, value: Json| {
                if field.scope == *scope {
                    put(object, &field.path, value);
                }
            };
            match &leaf.predicate {
                Predicate::Keyword { field, values, .. } => {
                    set(field, Json::from(&*values[choice % values.len()]))
                }
                Predicate::Wildcard { field, patterns, .. } => {
                    set(field, Json::from(text(&patterns[choice % patterns.len()])));
                }
                Predicate::Exists(field) => set(field, Json::from("there")),
                Predicate::Regex { field, .. } => set(field, Json::from("C:\\a")),
                Predicate::TextOrder { field, value, .. } | Predicate::Version { field, value, .. } => {
                    set(field, Json::from(&**value));
                }
                Predicate::Number { field, op, value } | Predicate::Dynamic { field, op, value } => {
                    set(field, number(*op, value));
                }
                Predicate::Date { field, from, .. } => set(field, Json::from(from / 1_000_000)),
                Predicate::Ip { field, blocks } => {
                    set(field, Json::from(blocks[choice % blocks.len()].network().to_string()));
                }
                Predicate::Boolean { field, value } => set(field, Json::from(*value)),
                Predicate::Object { field, condition } => {
                    let mut element = Map::new();
                    satisfy(condition, choice, &Scope::Element(0), &mut element);
                    set(field, Json::Array(vec![Json::from("scalar"), Json::Object(element)]));
                }
                Predicate::Expr(expr) => {
                    expr.each_field(&mut |field| set(field, Json::from("C:\\some text")))
                }
                _ => {}
            }
        }
    }
}

fn documents(rules: &[EngineRule]) -> Vec<Json> {
    let document = |(n, rule): (usize, &EngineRule)| {
        let filter = filter(rule);
        [n, n * 7 + 1, n * 31 + 5].map(|choice| {
            let mut object = Map::new();
            if let Some(category) = &filter.category {
                put(&mut object, &category.field.path, Json::from(&*category.value));
            }
            satisfy(&filter.condition, choice, &Scope::Event, &mut object);
            Json::Object(object)
        })
    };
    rules.iter().enumerate().flat_map(document).collect()
}

/// Rules that are asked of every document plainly, beside those that hit: one in so many, each document others.
const ASKED: usize = 37;

#[test]
fn published_rules_match_as_their_conditions_say() {
    let Some(data) = test_data("") else { return };
    let rules = rules(&[data.join("rules/elastic"), data.join("rules/endpoint")]);
    assert!(rules.len() > 500, "{}", rules.len());
    let (engine, not_run) =
        Engine::new(rules.clone(), &EngineOptions { any_index: true, ..Default::default() });
    assert!(not_run.is_empty(), "{not_run:?}");
    eprintln!("{:?}", engine.size());

    let documents = documents(&rules);
    let records: Vec<String> = documents.iter().map(Json::to_string).collect();
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    let (hits, stats) = hits_of(&engine, &records);
    let mut hit_rules: Vec<Vec<u32>> = vec![Vec::new(); records.len()];
    // The processes of these documents have no lineage, as in the definition.
    let lineage = Lineage::default();
    let decided =
        |hit: &&Hit| engine.fact_of(hit.rule).is_none() && engine.decide(hit, &|_| None, &lineage).holds;
    for hit in hits.iter().filter(decided) {
        hit_rules[usize::try_from(hit.record.position.number).unwrap() - 1].push(hit.rule);
    }

    let mut arena = Bump::new();
    for (n, (document, hits)) in documents.iter().zip(&hit_rules).enumerate() {
        let own = n / 3;
        let asked = (n % ASKED..rules.len()).step_by(ASKED).chain([own]);
        for at in asked.chain(hits.iter().map(|rule| *rule as usize)) {
            let rule = &rules[at];
            let system = document.pointer("/host/os/type").map(Json::to_string);
            let of_system = rule.rule.os_list.is_empty()
                || system
                    .is_none_or(|system| rule.rule.os_list.iter().any(|name| system.contains(name.as_str())));
            let expected = of_system && holds(filter(rule), document, &mut arena);
            let found = hits.contains(&u32::try_from(at).unwrap());
            assert_eq!(
                found,
                expected,
                "{} ({})\n{document}",
                rule.rule.name,
                rule.rule.origin.path.display()
            );
        }
    }
    let satisfied = (0..rules.len())
        .filter(|own| (0..3).any(|way| hit_rules[own * 3 + way].contains(&u32::try_from(*own).unwrap())));
    let satisfied = satisfied.count();
    eprintln!(
        "{} rules, {satisfied} hit by a document made for them; {stats:?}",
        rules.len(),
        stats = Short(&stats)
    );
    assert!(satisfied * 4 > rules.len() * 3, "{satisfied} of {}", rules.len());
}

/// Counts without the list of each rule's hits.
struct Short<'s>(&'s quell_engine::MatchStats);

impl std::fmt::Debug for Short<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hits: u64 = self.0.hits.iter().sum();
        write!(
            f,
            "{} events, {} candidates, {hits} hits, {} cut",
            self.0.events, self.0.candidates, self.0.cut
        )
    }
}
