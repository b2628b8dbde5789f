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

use quell::{
    CompileOptions, Dialect, NoProgress, Outcome, Rule, Scan, ScanOptions, Sharding, compile_rule, schema,
};
use quell_engine::{Detection, Engine, EngineOptions, EngineRule, correlate};
use quell_event::{EventState, Position, RecordRef, RecordText};
use quell_ingest::{Context, DecodeOptions, Decoder, Layout};
use random::Dice;
use reference::{Found, Moment, Query};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const TIEBREAKER: &str = "event.sequence";

/// The queries as rules, and one more that finds nothing: it asks what became of processes, so facts come between the hits.
fn engine(queries: &[Query], tiebreaker: bool) -> Engine {
    let compile = CompileOptions { dialect: Some(Dialect::Endpoint), ..CompileOptions::new(schema()) };
    let of_lineage = "file where descendant of [any where true]".to_owned();
    let rules = queries.iter().map(Query::text).chain([of_lineage]).map(|text| {
        let rule = Rule::of_query(&text);
        match compile_rule(&rule, &compile) {
            Outcome::Runs { query, .. } => EngineRule { rule: Arc::new(rule), query },
            other => panic!("{text}: {other:?}"),
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

/// Documents of all alerts, in order, as they are written.
fn documents(queries: &[String], paths: &[PathBuf], threads: usize, hit_memory: usize) -> Vec<String> {
    let rules = queries.iter().map(|query| Rule::of_query(query)).collect();
    let options = ScanOptions { threads, hit_memory, any_index: true, ..ScanOptions::default() };
    let compile = CompileOptions { dialect: Some(Dialect::Endpoint), ..CompileOptions::new(schema()) };
    let scan = Scan::new(rules, &compile, options);
    assert_eq!(scan.len(), queries.len());
    let report = scan.run(paths, &NoProgress);
    assert_eq!(report.warnings.kept().len() + report.spill_errors.len(), 0);
    let mut documents = report.documents();
    let text = |alert| serde_json::to_string(&documents.alert(alert).unwrap()).unwrap();
    report.alerts.iter().map(text).collect()
}

/// What asks for the events of other steps and for lineage.
const OPEN: [&str; 4] = [
    r#"sequence with maxspan=20ms [any where process.name == "a"] as event0 [any where user.name == event0.user.name and process.name == "b"]"#,
    r#"sequence [any where process.name == "a"] as event0 [any where true] [any where process.name == "c" and startswith(host.id, event0.host.id)]"#,
    r#"any where process.name == "c" and descendant of [any where process.name == "a"]"#,
    r#"sequence by host.id [any where descendant of [any where process.name == "b"]] [any where process.name == "d"] until [any where process.name == "a" and not descendant of [any where process.name == "b"]]"#,
];

/// An event of one of two logs, whose numbers order what has one time and one place, and of a process that has a parent.
fn line(event: &Moment, padding: &str, dice: &mut Dice) -> String {
    let mut document: serde_json::Value = serde_json::from_str(&event.document()).unwrap();
    if dice.below(2) == 0 {
        document["host.name"] = "h".into();
        document["winlog.channel"] = (*dice.one_of(&["Security", "System"])).into();
        document["winlog.record_id"] = dice.below(50).into();
    }
    document["process.parent.entity_id"] = (*dice.one_of(&["x", "y", "z", "w"])).into();
    document["message"] = padding.into();
    format!("{document}\n")
}

/// The files of a folder, whose names sort as they were written.
fn split(folder: &Path, lines: &[String], files: usize) -> Vec<PathBuf> {
    std::fs::create_dir(folder).unwrap();
    let size = lines.len().div_ceil(files);
    let part = |(number, part): (usize, &[String])| {
        let path = folder.join(format!("part-{number:05}.ndjson"));
        std::fs::write(&path, part.concat()).unwrap();
        path
    };
    lines.chunks(size).enumerate().map(part).collect()
}

#[test]
fn threads_and_files_change_nothing() {
    const SPILLS: usize = 1000;
    let mut dice = Dice::new(7);
    for round in 0..4 {
        let random = (0..12)
            .map(|n| if n % 4 == 3 { reference::sample(&mut dice) } else { reference::sequence(&mut dice) });
        let mut queries: Vec<String> = random.map(|query| query.text()).collect();
        queries.extend(OPEN.map(str::to_owned));
        queries.push("any where process.name in (\"a\", \"d\")".to_owned());
        let events: Vec<Moment> = (0..40).flat_map(|_| reference::events(&mut dice)).collect();
        // In the first round a file is many batches, so that threads share it.
        let padding = "p".repeat(if round == 0 { 20_000 } else { 0 });
        let lines: Vec<String> = events.iter().map(|event| line(event, &padding, &mut dice)).collect();
        let folder = tempfile::tempdir().unwrap();
        let one = split(&folder.path().join("one"), &lines, 1);
        let few = split(&folder.path().join("few"), &lines, 3 + dice.below(9));
        let mut hundred = split(&folder.path().join("hundred"), &lines, 100);
        assert!(one.len() == 1 && hundred.len() > 80, "{} lines in {} files", lines.len(), hundred.len());
        let all = hundred[0].parent().unwrap().to_owned();
        for place in (1..hundred.len()).rev() {
            hundred.swap(place, dice.below(place + 1));
        }
        let expected = documents(&queries, &one, 1, usize::MAX);
        assert!(expected.len() > 100, "{} results", expected.len());
        for (paths, threads, hit_memory) in [
            (&one, 16, usize::MAX),
            (&one, 1, SPILLS),
            (&one, 16, SPILLS),
            (&few, 16, SPILLS),
            (&vec![all.clone()], 1, usize::MAX),
            (&vec![all], 16, SPILLS),
            (&hundred, 1, SPILLS),
            (&hundred, 16, usize::MAX),
            (&hundred, 16, SPILLS),
        ] {
            let found = documents(&queries, paths, threads, hit_memory);
            assert!(
                found == expected,
                "round {round}, {} paths, {threads} threads, {hit_memory}",
                paths.len()
            );
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
