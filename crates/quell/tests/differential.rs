//! The compiled matcher against a plain tree-walking evaluator: random rules on random events, and every public rule on a
//! sample of real ones. No difference is allowed.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::string_slice,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    missing_docs,
    unreachable_pub,
    reason = "a test may panic, and says what it covered"
)]

mod reference;
#[path = "../../../testing/test_data.rs"]
mod test_data;

use quell::{CompileOptions, Outcome, Rule, RuleSet, RuleSpec, compile_rule};
use quell_engine::{Engine, EngineOptions, EngineRule, Lineage};
use quell_event::{EventState, Position, RecordRef, RecordText};
use quell_ingest::{Batch, Context, DecodeOptions, Decoder, DocumentDecoder, Layout, OpenOptions};
use reference::Reference;
use reference::random::{Dice, document, query};
use std::sync::Arc;
use test_data::test_data;

/// Rules compiled together, each with its syntax tree for the reference.
struct Both {
    engine: Engine,
    trees: Vec<(Arc<Rule>, quell_eql::ast::Query)>,
}

fn both(rules: Vec<Rule>) -> Both {
    let options = CompileOptions::new(quell::schema());
    let mut runnable = Vec::new();
    // The reference knows EQL alone.
    let of_eql = |rule: &Rule| rule.kind == quell_rules::RuleKind::Eql;
    for rule in rules.into_iter().filter(of_eql).map(Arc::new) {
        match compile_rule(&rule, &options) {
            Outcome::Runs { query, .. } if matches!(query.logic, quell_ir::Logic::Event(_)) => {
                runnable.push(EngineRule { rule, query });
            }
            Outcome::Runs { .. } | Outcome::NotRunYet { .. } => {}
            Outcome::Refused(errors) => {
                panic!("{}: {errors:?}\n{}", rule.id, rule.query.as_ref().unwrap().text)
            }
        }
    }
    let (engine, refused) =
        Engine::new(runnable, &EngineOptions { any_index: true, ..EngineOptions::default() });
    assert!(refused.is_empty(), "{:?}", refused.first());
    let trees = engine
        .rules()
        .map(|rule| {
            let text = &rule.query.as_ref().unwrap().text;
            (Arc::clone(rule), quell_eql::parse(text, rule.origin.format.dialect()).unwrap())
        })
        .collect();
    Both { engine, trees }
}

impl Both {
    fn decoder(&self, layout: Layout) -> Decoder {
        let subtree = |slot| self.engine.subtree(slot);
        Decoder::with_subtrees(layout, self.engine.fields(), &subtree, &DecodeOptions::default())
    }

    /// Which rules the engine and the reference see in each record; panics at the first difference.
    fn compare(
        &self,
        layout: Layout,
        records: &[(String, serde_json::Map<String, serde_json::Value>)],
    ) -> usize {
        let decoder = self.decoder(layout);
        let mut matcher = self.engine.matcher();
        let mut state = EventState::default();
        let reference = Reference { schema: quell::schema() };
        let mut found = 0;
        for (text, document) in records {
            let context = Context::new();
            let mut event = decoder.decode(text, &mut state, &context).unwrap();
            let mut hits = Vec::new();
            let mut record =
                || RecordRef { source: 0, position: Position::default(), text: RecordText::Owned("".into()) };
            matcher.match_event(&mut event, &mut record, &mut hits);
            // No process has a lineage here: no event but this one is seen.
            let lineage = Lineage::default();
            hits.retain(|hit| self.engine.decide(hit, &|_| None, &lineage).holds);
            let mut by_engine: Vec<u32> = hits.iter().map(|hit| hit.rule).collect();
            by_engine.sort_unstable();
            for (number, (rule, tree)) in (0u32..).zip(&self.trees) {
                let expected = reference.selects(tree, document).unwrap() && runs_on(rule, document);
                let actual = by_engine.binary_search(&number).is_ok();
                found += usize::from(expected);
                assert_eq!(
                    actual,
                    expected,
                    "the engine says {actual}, the reference {expected}:\n{}\n{}\n{text}",
                    rule.id,
                    rule.query.as_ref().unwrap().text
                );
            }
        }
        found
    }
}

/// An Endpoint rule runs on the systems that it lists, and where none is named.
fn runs_on(rule: &Rule, document: &serde_json::Map<String, serde_json::Value>) -> bool {
    let whole = serde_json::Value::Object(document.clone());
    let systems = reference::leaves(&whole, "host.os.type");
    rule.os_list.is_empty()
        || systems.is_empty()
        || systems.iter().any(|os| rule.os_list.iter().any(|listed| os.as_str() == Some(listed)))
}

#[test]
fn random_rules_on_random_events_agree() {
    const ROUNDS: u64 = 40;
    const RULES: usize = 100;
    const EVENTS: usize = 60;
    let mut found = 0;
    for round in 0..ROUNDS {
        let mut dice = Dice::new(round + 1);
        let rules = (0..RULES)
            .map(|number| {
                let mut rule = Rule::of_query(&query(&mut dice));
                rule.id = format!("random-{round}-{number}");
                rule
            })
            .collect();
        let records: Vec<_> = (0..EVENTS)
            .map(|_| {
                let document = document(&mut dice);
                (serde_json::to_string(&document).unwrap(), document)
            })
            .collect();
        found += both(rules).compare(Layout::Ecs, &records);
    }
    let cases = usize::try_from(ROUNDS).unwrap() * RULES * EVENTS;
    println!("{cases} cases, {found} matches, no difference");
    assert!(found > cases / 20 && found < cases * 19 / 20, "the cases are one-sided: {found} of {cases}");
}

#[test]
fn public_rules_on_real_events_agree() {
    let Some(folder) = test_data("") else { return };
    let specs = ["elastic", "endpoint"].map(|rules| RuleSpec::Path(folder.join("rules").join(rules)));
    let both = both(RuleSet::load(&specs).rules);
    assert!(both.trees.len() > 700, "{} rules run", both.trees.len());
    let mut records = 0;
    let mut found = 0;
    let inputs = ["windows-json", "evtx"].map(|inputs| folder.join(inputs));
    for file in quell_ingest::discover(&inputs).files {
        let Ok(mut input) = quell_ingest::open(&file, &OpenOptions::default()) else { continue };
        let layout = input.format.layout();
        let documents = DocumentDecoder::new(layout, &DecodeOptions::default());
        let mut batch = Batch::default();
        let mut raw = Vec::new();
        let mut seen = 0usize;
        while input.next_batch(&mut batch) {
            for (_, text) in batch.iter() {
                seen += 1;
                // Process starts are what most rules ask for: more of those than of the rest.
                let start = ["\"EventID\":1,", "\"event_id\":1,", "4688"].iter().any(|id| text.contains(id));
                let every = if layout == Layout::Evtx { 16 } else { 400 };
                if seen.is_multiple_of(every) || (start && seen.is_multiple_of(every / 8)) {
                    raw.push((text.to_owned(), documents.document(text, &Context::new()).unwrap()));
                }
            }
        }
        // As it was recorded, with fields made when they are asked for ...
        found += both.compare(layout, &raw);
        // ... and as the ECS document that `decode` prints.
        let ecs: Vec<_> = raw
            .into_iter()
            .map(|(_, document)| (serde_json::to_string(&document).unwrap(), document))
            .collect();
        both.compare(Layout::Ecs, &ecs);
        records += ecs.len();
    }
    println!("{} rules on {records} events, {found} matches, no difference", both.trees.len());
    assert!(found > 20, "{found} matches");
}
