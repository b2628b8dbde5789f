//! Sequences and samples against a slow matcher that is written from their definition, over random queries and events; and
//! that neither threads, nor files, nor the order in which hits come change a result.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::string_slice,
    clippy::cast_possible_wrap,
    missing_docs,
    unreachable_pub,
    reason = "a test may panic, and says what it covered"
)]

#[allow(dead_code, reason = "random conditions are for another test")]
#[path = "reference/random.rs"]
mod random;
#[path = "reference/sequences.rs"]
mod reference;

use quell::{CompileOptions, NoProgress, Outcome, Rule, Scan, ScanOptions, Sharding, compile_rule, schema};
use quell_engine::{Detection, Engine, EngineOptions, EngineRule, correlate};
use quell_event::{EventState, Position, RecordRef, RecordText};
use quell_ingest::{Context, DecodeOptions, Decoder, Layout};
use random::Dice;
use reference::{Found, Moment, Query};
use std::collections::BTreeSet;
use std::sync::Arc;

const TIEBREAKER: &str = "event.sequence";

fn engine(queries: &[Query], tiebreaker: bool) -> Engine {
    let compile = CompileOptions::new(schema());
    let rules = queries.iter().map(|query| {
        let rule = Rule::of_query(&query.text());
        match compile_rule(&rule, &compile) {
            Outcome::Runs { query, .. } => EngineRule { rule: Arc::new(rule), query },
            other => panic!("{}: {other:?}", query.text()),
        }
    });
    let options = EngineOptions {
        any_index: true,
        tiebreaker_field: tiebreaker.then(|| TIEBREAKER.to_owned()),
        ..EngineOptions::default()
    };
    let (engine, not_run) = Engine::new(rules.collect(), &options);
    assert!(not_run.is_empty());
    engine
}

/// What each rule finds, by its number; the hits come to correlation in any order.
fn found(engine: &Engine, events: &[Moment], dice: &mut Dice) -> Vec<Vec<Found>> {
    let decoder = Decoder::with_subtrees(
        Layout::Ecs,
        engine.fields(),
        &|slot| engine.subtree(slot),
        &DecodeOptions::default(),
    );
    let (mut matcher, mut state, context) = (engine.matcher(), EventState::default(), Context::new());
    let mut hits = Vec::new();
    for event in events {
        let number = event.number as u64;
        let text = event.document();
        let mut decoded = decoder.decode(&text, &mut state, &context).unwrap();
        let mut record = || RecordRef {
            source: 0,
            position: Position { offset: number * 1000, number },
            text: RecordText::Reread(0),
        };
        matcher.match_event(&mut decoded, &mut record, &mut hits);
    }
    for place in (1..hits.len()).rev() {
        hits.swap(place, dice.below(place + 1));
    }
    let mut by_rule = vec![Vec::new(); engine.rules().len()];
    for detection in correlate(engine, hits) {
        by_rule[detection.rule as usize].push(plain(&detection));
    }
    by_rule
}

fn plain(detection: &Detection) -> Found {
    let key = |key: &quell::Constant| match key {
        quell::Constant::Null => None,
        quell::Constant::Text(text) => Some(text.to_string()),
        other => panic!("{other:?}"),
    };
    let number = |member: &quell_engine::Member| usize::try_from(member.record.position.number).unwrap();
    Found {
        keys: detection.keys.iter().map(key).collect(),
        members: detection.members.iter().map(|member| member.as_ref().map(number)).collect(),
    }
}

/// How many rounds of 200 cases: `QUELL_CASES` may ask for more.
fn rounds(usual: u64) -> u64 {
    let cases = std::env::var("QUELL_CASES").ok().and_then(|cases| cases.parse::<u64>().ok());
    cases.map_or(usual, |cases| cases.div_ceil(200))
}

fn agree(rounds: u64, seed: u64, make: fn(&mut Dice) -> Query) {
    const QUERIES: usize = 20;
    const STREAMS: usize = 10;
    let (mut cases, mut with_results, mut results, mut refuted) = (0, 0, 0, 0);
    for round in 0..rounds {
        let mut dice = Dice::new(seed + round);
        let queries: Vec<Query> = (0..QUERIES).map(|_| make(&mut dice)).collect();
        let tiebreaker = dice.below(3) == 0;
        let engine = engine(&queries, tiebreaker);
        for _ in 0..STREAMS {
            let events = reference::events(&mut dice);
            let actual = found(&engine, &events, &mut dice);
            for (query, actual) in queries.iter().zip(&actual) {
                let expected = query.answer(&events, tiebreaker);
                refuted += usize::from(
                    query.without_missing_steps().answer(&events, tiebreaker).len() > expected.len(),
                );
                assert_eq!(
                    *actual,
                    expected,
                    "left quell, right the reference; tiebreaker {tiebreaker}:\n{}\n{}",
                    query.text(),
                    events.iter().map(Moment::document).collect::<Vec<_>>().join("\n")
                );
                cases += 1;
                with_results += usize::from(!expected.is_empty());
                results += expected.len();
            }
        }
    }
    println!(
        "{cases} cases, {results} results in {with_results} of them, {refuted} with results that were refuted; no difference"
    );
    assert!(with_results > cases / 10 && with_results < cases * 9 / 10, "the cases are one-sided");
}

#[test]
fn random_sequences_are_what_their_definition_says() {
    agree(rounds(150), 1, reference::sequence);
}

#[test]
fn random_samples_are_what_their_definition_says() {
    agree(rounds(25), 1_000_000, reference::sample);
}

/// Documents of all alerts, in order.
fn documents(queries: &[Query], paths: &[std::path::PathBuf], threads: usize) -> Vec<String> {
    let rules = queries.iter().map(|query| Rule::of_query(&query.text())).collect();
    let options = ScanOptions { threads, any_index: true, ..ScanOptions::default() };
    let scan = Scan::new(rules, &CompileOptions::new(schema()), options);
    assert_eq!(scan.len(), queries.len());
    let report = scan.run(paths, &NoProgress);
    assert_eq!(report.warnings.kept().len(), 0);
    let mut documents = report.documents();
    let text = |alert| serde_json::to_string(&documents.alert(alert).unwrap()).unwrap();
    report.alerts.iter().map(text).collect()
}

#[test]
fn threads_and_files_change_nothing() {
    let mut dice = Dice::new(7);
    for round in 0..6 {
        let queries: Vec<Query> = (0..12)
            .map(|n| if n % 4 == 3 { reference::sample(&mut dice) } else { reference::sequence(&mut dice) })
            .collect();
        let events: Vec<Moment> = (0..40).flat_map(|_| reference::events(&mut dice)).collect();
        let lines: Vec<String> = events.iter().map(|event| event.document() + "\n").collect();
        let folder = tempfile::tempdir().unwrap();
        let one = folder.path().join("one");
        let many = folder.path().join("many");
        for folder in [&one, &many] {
            std::fs::create_dir(folder).unwrap();
        }
        std::fs::write(one.join("all.ndjson"), lines.concat()).unwrap();
        for (number, part) in lines.chunks(1 + dice.below(30)).enumerate() {
            std::fs::write(many.join(format!("part-{number:05}.ndjson")), part.concat()).unwrap();
        }
        let mut reversed: Vec<_> =
            std::fs::read_dir(&many).unwrap().map(|entry| entry.unwrap().path()).collect();
        reversed.sort();
        reversed.reverse();
        let expected = documents(&queries, std::slice::from_ref(&one), 1);
        assert!(expected.len() > 20, "{} results", expected.len());
        for (paths, threads) in [(vec![one], 16), (vec![many.clone()], 1), (vec![many], 16), (reversed, 16)] {
            assert!(documents(&queries, &paths, threads) == expected, "round {round}, {threads} threads");
        }
    }
}

/// What `sharding` promises: the hits of one lane alone give the results that all hits give.
#[test]
fn lanes_give_together_what_all_hits_give() {
    let mut dice = Dice::new(11);
    let mut split = 0;
    for _ in 0..40 {
        let queries: Vec<Query> = (0..10).map(|_| reference::sequence(&mut dice)).collect();
        let engine = engine(&queries, false);
        let events = reference::events(&mut dice);
        let whole = found(&engine, &events, &mut dice);
        for (number, query) in (0u32..).zip(&queries) {
            let Some(Sharding::Fields(fields)) = engine.sharding(number) else { continue };
            split += 1;
            // The first key of all steps is the first of these fields; an event is in the lane of each of its values.
            let lanes: BTreeSet<_> = events.iter().flat_map(|event| event.values(&fields[0])).collect();
            let mut together: Vec<Found> = Vec::new();
            for lane in &lanes {
                let in_lane = |event: &&Moment| event.values(&fields[0]).contains(lane);
                let of_lane: Vec<Moment> = events.iter().filter(in_lane).cloned().collect();
                let found = found(&engine, &of_lane, &mut dice).swap_remove(number as usize);
                together.extend(found.into_iter().filter(|found| found.keys[0] == *lane));
            }
            let mut expected = whole[number as usize].clone();
            together.sort();
            expected.sort();
            assert_eq!(together, expected, "{}", query.text());
        }
    }
    assert!(split > 100, "{split}");
}
