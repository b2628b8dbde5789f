//! What matching costs beside projecting the same documents onto the same fields, for 1, 50 and 500 rules.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a benchmark may panic")]

#[path = "../tests/scan/mod.rs"]
mod scan;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use quell_event::{Event, EventState};
use scan::{engine, projection, record_ref};
use std::fmt::Write as _;
use std::hint::black_box;

/// A plain generator of numbers, the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

const CATEGORIES: [&str; 4] = ["process", "network", "file", "registry"];
const SYSTEMS: [&str; 3] = ["windows", "linux", "macos"];

/// Rules shaped as published ones are: a category, a system, a type, names, patterns, exclusions.
fn rules(count: u64) -> Vec<String> {
    let mut numbers = Numbers(7);
    let rule = |n: u64| {
        let category = CATEGORIES[numbers.below(4) as usize];
        let system = SYSTEMS[numbers.below(3) as usize];
        let mut text = format!(r#"{category} where host.os.type == "{system}" and event.type == "start""#);
        match numbers.below(4) {
            0 => _ = write!(text, r#" and process.name : ("tool{n}.exe", "other{n}.exe")"#),
            1 => {
                _ = write!(text, r#" and process.command_line : ("*--flag{n} *", "*secret{n}*", "*x{n}*y*")"#)
            }
            2 => _ = write!(text, r#" and process.executable : "?:\\Users\\*\\temp{n}\\*.exe""#),
            _ => _ = write!(text, r#" and process.args in ("-a{n}", "--b{n}") and process.pid > {n}"#),
        }
        if numbers.below(2) == 0 {
            _ = write!(
                text,
                r#" and not process.parent.name : ("agent{n}.exe", "svc*") and not user.name == "system""#
            );
        }
        text
    };
    (0..count).map(rule).collect()
}

/// ECS documents of some 2 kB.
fn documents(count: u64) -> Vec<String> {
    let mut numbers = Numbers(11);
    let document = |n: u64| {
        let category = CATEGORIES[numbers.below(4) as usize];
        let (pid, dir) = (numbers.below(60_000), numbers.below(500));
        let filler: String = (0..24).fold(String::new(), |mut text, at| {
            _ = write!(
                text,
                r#""field_{at}":"some text of no interest, number {}","#,
                numbers.below(1_000_000)
            );
            text
        });
        format!(
            r#"{{"@timestamp":"2024-05-01T10:00:00.000Z","agent":{{"id":"a-{n}","type":"endpoint","version":"8.13.0"}},"data_stream":{{"type":"logs","dataset":"endpoint.events.{category}","namespace":"default"}},"event":{{"category":["{category}"],"type":["start"],"action":"start","id":"e{n}","kind":"event","dataset":"endpoint.events.{category}"}},"host":{{"name":"ws-{}","id":"h-17","os":{{"type":"windows","family":"windows","version":"10.0.19045"}}}},"process":{{"name":"Program{dir}.exe","executable":"C:\\Users\\bob\\AppData\\Local\\dir{dir}\\Program{dir}.exe","command_line":"\"C:\\Users\\bob\\AppData\\Local\\dir{dir}\\Program{dir}.exe\" --mode fast --input C:\\data\\file{n}.txt","args":["C:\\Users\\bob\\AppData\\Local\\dir{dir}\\Program{dir}.exe","--mode","fast","--input","C:\\data\\file{n}.txt"],"pid":{pid},"entity_id":"p-{n}","parent":{{"name":"explorer.exe","pid":812}}}},"user":{{"name":"bob","domain":"LAB","id":"S-1-5-21-1"}},"extra":{{{filler}"last":1}}}}"#,
            n % 50,
        )
    };
    (0..count).map(document).collect()
}

fn matching(criterion: &mut Criterion) {
    let documents = documents(2000);
    let bytes: usize = documents.iter().map(String::len).sum();
    let mut group = criterion.benchmark_group("2000 documents");
    group.throughput(Throughput::Bytes(bytes as u64));
    for count in [1, 50, 500] {
        let rules = rules(count);
        let engine = engine(&rules.iter().map(String::as_str).collect::<Vec<_>>());
        let projection = projection(&engine);
        let mut state = EventState::default();
        group.bench_function(format!("project, {count} rules"), |bencher| {
            bencher.iter(|| {
                for document in &documents {
                    state.begin(engine.fields().len(), 0);
                    projection.project(black_box(document), &mut state).unwrap();
                }
            });
        });
        let mut matcher = engine.matcher();
        let mut hits = Vec::new();
        group.bench_function(format!("project and match, {count} rules"), |bencher| {
            bencher.iter(|| {
                hits.clear();
                for (n, document) in documents.iter().enumerate() {
                    state.begin(engine.fields().len(), 0);
                    projection.project(black_box(document), &mut state).unwrap();
                    let mut event = Event::new(document, &mut state, None);
                    matcher.match_event(&mut event, &mut || record_ref(n, document), &mut hits);
                }
                hits.len()
            });
        });
        assert!(hits.is_empty(), "{} hits", hits.len());
    }
    group.finish();
}

criterion_group!(benches, matching);
criterion_main!(benches);
