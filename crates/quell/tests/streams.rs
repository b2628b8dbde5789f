//! A stream gives what the same events give as files: every spec and random queries, in pieces of any size, stopped and gone on
//! from at any point. What comes late, from the future or beyond the memory is counted and takes no part.
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

#[allow(dead_code, reason = "what is refused is for another test")]
#[path = "specs/document.rs"]
mod document;
#[allow(dead_code, reason = "which event a result is of is for another test")]
#[path = "specs/events.rs"]
mod events;
#[path = "specs/fault.rs"]
mod fault;
#[path = "specs/files.rs"]
mod files;
#[allow(dead_code, reason = "what is refused is for another test")]
#[path = "specs/finding.rs"]
mod finding;
#[allow(dead_code, reason = "random conditions are for another test")]
#[path = "reference/random.rs"]
mod random;
#[allow(dead_code, reason = "what the definition says is for another test")]
#[path = "reference/sequences.rs"]
mod reference;
#[path = "specs/scan.rs"]
mod scan;

use document::{Expected, Spec};
use events::Form;
use fault::Fault;
use files::files_below;
use quell::{
    Alert, Checkpoint, CompileOptions, Dialect, Documents, InputWarning, Language, NoProgress, Report, Rule,
    Scan, ScanOptions, StreamOptions, StreamOutput, schema, stream_reader,
};
use random::Dice;
use scan::scan_of;
use std::collections::VecDeque;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// Gives pieces one by one: the next when the stream has done with the one before.
struct Pieces {
    pieces: VecDeque<Vec<u8>>,
    first: bool,
    done_with: Receiver<()>,
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if !std::mem::replace(&mut self.first, false) {
            // A piece without an end of line is nothing yet: no one says when it was looked at.
            let _ = self.done_with.recv_timeout(Duration::from_millis(20));
        }
        let Some(mut piece) = self.pieces.pop_front() else { return Ok(0) };
        let rest = piece.split_off(piece.len().min(into.len()));
        into[..piece.len()].copy_from_slice(&piece);
        if !rest.is_empty() {
            self.pieces.push_front(rest);
        }
        Ok(piece.len())
    }
}

struct Output {
    ids: Vec<String>,
    done_with: Sender<()>,
}

impl StreamOutput for Output {
    fn alert(&mut self, alert: &Alert, _: &mut Documents<'_>) -> ControlFlow<()> {
        self.ids.push(named(alert));
        ControlFlow::Continue(())
    }

    fn warning(&mut self, warning: &InputWarning) {
        // Of an input that is empty one is told, and nothing else is wrong with any.
        assert!(warning.to_string().contains("nothing in it"), "{warning}");
    }

    fn settle(&mut self) -> io::Result<Vec<(PathBuf, u64)>> {
        let _ = self.done_with.send(());
        Ok(Vec::new())
    }
}

/// Streams pieces, from a checkpoint on; with a state file the end is a pause. Gives the ids of the alerts.
fn stream(
    scan: &Scan,
    pieces: &[Vec<u8>],
    checkpoint: Option<Checkpoint>,
    options: &StreamOptions,
) -> (Vec<String>, Report) {
    let (sender, receiver) = channel();
    let reader = Pieces { pieces: pieces.iter().cloned().collect(), first: true, done_with: receiver };
    let input = stream_reader(Box::new(reader), Path::new("pieces"), Some("ecs-json"));
    let mut output = Output { ids: Vec::new(), done_with: sender };
    let report = scan.stream(input, checkpoint, options, &mut output, &NoProgress).unwrap();
    (output.ids, report)
}

/// The ids of the alerts of one file with these lines, in order.
fn of_file(scan: &Scan, lines: &[String]) -> Vec<String> {
    alerts_of_file(scan, lines).into_iter().map(|alert| named(&alert)).collect()
}

/// The id, the rule and the places of the events do for a message.
fn named(alert: &Alert) -> String {
    let member = |member: &Option<quell::Member>| member.as_ref().map(|member| member.id.as_str().to_owned());
    let members: Vec<Option<String>> = alert.members.iter().map(member).collect();
    format!("{} {} {members:?}", alert.id, alert.rule.id)
}

fn alerts_of_file(scan: &Scan, lines: &[String]) -> Vec<Alert> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.ndjson");
    std::fs::write(&path, lines.concat()).unwrap();
    scan.run(&[path], &NoProgress).alerts
}

/// By how much the lines are out of order.
fn lag(lines: &[String]) -> Duration {
    let time = |line: &String| {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        let time = event.get("@timestamp")?.as_str()?.parse::<jiff::Timestamp>().ok()?;
        Some(time.as_nanosecond())
    };
    let (mut newest, mut lag) = (i128::MIN, 0);
    for time in lines.iter().filter_map(time) {
        newest = newest.max(time);
        lag = lag.max(newest - time);
    }
    Duration::from_nanos(u64::try_from(lag).unwrap())
}

/// The text in pieces that end anywhere, or at the ends of lines.
fn pieces(lines: &[String], dice: &mut Dice) -> Vec<Vec<u8>> {
    match dice.below(4) {
        0 => vec![lines.concat().into_bytes()],
        1 => {
            let text = lines.concat().into_bytes();
            let size = 1 + text.len() / 8 + dice.below(text.len().max(1));
            text.chunks(size).map(<[u8]>::to_vec).collect()
        }
        _ => lines.iter().map(|line| line.clone().into_bytes()).collect(),
    }
}

/// Streams the lines with no more lateness than they need, stopped and gone on from at `stops`. Each part has a scan of its own.
fn of_stream(make: &dyn Fn() -> Scan, lines: &[String], stops: &[usize], dice: &mut Dice) -> Vec<String> {
    let lateness = lag(lines);
    // While the machine is busy with others the clock moves the watermark on: then events are late that need not be.
    for _ in 0..8 {
        if let Some(ids) = parts_of_stream(make, lines, stops, lateness, dice) {
            return ids;
        }
    }
    vec!["some event is always late".to_owned()]
}

fn parts_of_stream(
    make: &dyn Fn() -> Scan,
    lines: &[String],
    stops: &[usize],
    lateness: Duration,
    dice: &mut Dice,
) -> Option<Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let mut ids = Vec::new();
    let mut from = 0;
    for end in stops.iter().copied().map(Some).chain([None]) {
        let options = StreamOptions {
            lateness,
            state: end.map(|_| state.clone()),
            checkpoint_every: Duration::ZERO,
            ..StreamOptions::default()
        };
        let part = &lines[from..end.unwrap_or(lines.len())];
        let checkpoint = Checkpoint::load(&state).unwrap();
        let (found, report) = stream(&make(), &pieces(part, dice), checkpoint, &options);
        let counts = report.stream.unwrap();
        assert_eq!((counts.hurried, counts.dropped.len(), counts.evicted.len()), (0, 0, 0));
        if counts.late > 0 {
            return None;
        }
        ids.extend(found);
        from = end.unwrap_or(0);
    }
    Some(ids)
}

fn stops(lines: usize, dice: &mut Dice) -> Vec<usize> {
    let mut stops: Vec<usize> = (0..dice.below(4)).map(|_| dice.below(lines + 1)).collect();
    stops.sort_unstable();
    stops
}

/// What stands in one list alone, or more often than in the other.
fn beyond(ids: &[String], others: &[String]) -> Vec<String> {
    let mut others = others.to_vec();
    let beyond = |id: &&String| {
        let same = others.iter().position(|other| other == *id);
        same.map(|at| others.swap_remove(at)).is_none()
    };
    ids.iter().filter(beyond).cloned().collect()
}

fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort();
    ids
}

#[test]
fn every_spec_holds_in_a_stream() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../specs").canonicalize().unwrap();
    let files =
        ["eql", "kql", "lucene", "counting"].into_iter().flat_map(|name| files_below(&folder.join(name)));
    let mut dice = Dice::new(21);
    let (mut cases, mut results, mut faults) = (0, 0, Vec::new());
    for path in files {
        let spec = Spec::parse(&std::fs::read_to_string(&path).unwrap());
        let spec =
            spec.unwrap_or_else(|fault| panic!("{}:{}: {}", path.display(), fault.line, fault.message));
        for case in &spec.cases {
            let Expected::Results { events, .. } = &case.expected else { continue };
            // What is asked of single events alone is the same in any stream.
            let of_single_events =
                !["sequence", "sample", "|", " of ["].iter().any(|word| case.query.contains(word));
            let of_query = !case.options.rule && case.options.language == Language::Eql;
            if of_query && of_single_events {
                continue;
            }
            let text = events.documents(Form::Dotted);
            let lines: Vec<String> = text.lines().map(|line| format!("{line}\n")).collect();
            let expected = of_file(&scan_of(case, &case.query).unwrap(), &lines);
            for round in 0..2 {
                let stops = if round == 0 { Vec::new() } else { stops(lines.len(), &mut dice) };
                let found = of_stream(&|| scan_of(case, &case.query).unwrap(), &lines, &stops, &mut dice);
                cases += 1;
                results += found.len();
                if sorted(found.clone()) != sorted(expected.clone()) {
                    faults.push(format!(
                        "{}:{}: {} results in a stream with stops at {stops:?}, {} of a file\n{}\n{}",
                        path.strip_prefix(&folder).unwrap().display(),
                        case.line,
                        found.len(),
                        expected.len(),
                        case.query,
                        lines.concat()
                    ));
                }
            }
        }
    }
    println!("{cases} streams, {results} results");
    assert!(faults.is_empty(), "{}\n{} faults", faults.join("\n"), faults.len());
    assert!(cases > 400 && results > 400);
}

/// What asks for the events of other steps and for lineage. An event without a time comes last in files, where all processes are
/// known; in a stream it is decided as it comes.
const OPEN: [&str; 3] = [
    r#"sequence with maxspan=20ms [any where process.name == "a"] as event0 [any where user.name == event0.user.name and process.name == "b"]"#,
    r#"any where process.name == "c" and @timestamp != null and descendant of [any where process.name == "a"]"#,
    r#"sequence by host.id [any where descendant of [any where process.name == "b"]] [any where process.name == "d"] until [any where process.name == "a" and not descendant of [any where process.name == "b"]]"#,
];

/// The event of a process that has a parent; some of them create it.
fn line(event: &reference::Moment, dice: &mut Dice) -> String {
    let mut document: serde_json::Value = serde_json::from_str(&event.document()).unwrap();
    document["process.parent.entity_id"] = (*dice.one_of(&["x", "y", "z", "w"])).into();
    document["event.category"] = "process".into();
    document["event.type"] = (*dice.one_of(&["start", "end"])).into();
    format!("{document}\n")
}

/// Rules with the places of the queries as their ids.
fn numbered<Q: AsRef<str>>(queries: &[Q]) -> Vec<Rule> {
    let rule =
        |(number, query): (usize, &Q)| Rule { id: number.to_string(), ..Rule::of_query(query.as_ref()) };
    queries.iter().enumerate().map(rule).collect()
}

fn scan_of_queries(queries: &[String]) -> Scan {
    let rules = numbered(queries);
    let options = ScanOptions { threads: 1, any_index: true, ..ScanOptions::default() };
    let compile = CompileOptions { dialect: Some(Dialect::Endpoint), ..CompileOptions::new(schema()) };
    let scan = Scan::new(rules, &compile, options);
    assert_eq!(scan.len(), queries.len(), "{:?}", scan.findings());
    scan
}

#[test]
fn random_streams_give_what_their_files_give() {
    let (mut results, mut stopped) = (0, 0);
    for round in 0..60 {
        let mut dice = Dice::new(5000 + round);
        let mut queries: Vec<String> = (0..10)
            .map(|n| if n == 9 { reference::sample(&mut dice) } else { reference::sequence(&mut dice) })
            .map(|query| query.text())
            .collect();
        queries.push("any where process.name == \"a\"".to_owned());
        queries.extend(OPEN.map(str::to_owned));
        queries.push(format!("{} | head 2", reference::sequence(&mut dice).text()));
        queries.push(format!("{} | tail 2", reference::sequence(&mut dice).text()));
        for _ in 0..3 {
            let events = reference::events(&mut dice);
            let lines: Vec<String> = events.iter().map(|event| line(event, &mut dice)).collect();
            let expected = of_file(&scan_of_queries(&queries), &lines);
            let stops = stops(lines.len(), &mut dice);
            let found = of_stream(&|| scan_of_queries(&queries), &lines, &stops, &mut dice);
            assert!(
                sorted(found.clone()) == sorted(expected.clone()),
                "round {round}, stops {stops:?}: only in a stream {:?}, only of a file {:?}\n{}\n{}",
                beyond(&found, &expected),
                beyond(&expected, &found),
                queries.join("\n"),
                lines.concat()
            );
            results += found.len();
            stopped += stops.len();
        }
    }
    println!("{results} results, {stopped} stops");
    assert!(results > 1000 && stopped > 100);
}

fn event(second: i64, name: &str, key: usize) -> String {
    let time = jiff::Timestamp::from_second(1_714_521_600 + second).unwrap();
    format!(
        "{{\"@timestamp\":\"{time}\",\"process\":{{\"name\":\"{name}\"}},\"user\":{{\"name\":\"{key}\"}}}}\n"
    )
}

/// The names of the rules' alerts, `0` for the first query, in the order in which they came, and the report.
fn told(
    queries: &[&str],
    parts: &[Vec<String>],
    options: &StreamOptions,
    checkpoint: Option<Checkpoint>,
) -> (Vec<usize>, Report) {
    let rules = numbered(queries);
    let scan_options = ScanOptions { threads: 1, any_index: true, ..ScanOptions::default() };
    let compile = CompileOptions { dialect: Some(Dialect::Endpoint), ..CompileOptions::new(schema()) };
    let scan = Scan::new(rules, &compile, scan_options);
    assert_eq!(scan.len(), queries.len(), "{:?}", scan.findings());
    let (sender, receiver) = channel();
    let pieces = parts.iter().map(|lines| lines.concat().into_bytes()).collect();
    let reader = Pieces { pieces, first: true, done_with: receiver };
    let input = stream_reader(Box::new(reader), Path::new("pieces"), Some("ecs-json"));
    let mut output = Named { rules: Vec::new(), done_with: sender };
    let report = scan.stream(input, checkpoint, options, &mut output, &NoProgress).unwrap();
    (output.rules, report)
}

struct Named {
    rules: Vec<usize>,
    done_with: Sender<()>,
}

impl StreamOutput for Named {
    fn alert(&mut self, alert: &Alert, _: &mut Documents<'_>) -> ControlFlow<()> {
        self.rules.push(alert.rule.id.parse().unwrap());
        ControlFlow::Continue(())
    }

    fn warning(&mut self, warning: &InputWarning) {
        panic!("{warning}");
    }

    fn settle(&mut self) -> io::Result<Vec<(PathBuf, u64)>> {
        let _ = self.done_with.send(());
        Ok(Vec::new())
    }
}

fn lateness(seconds: u64) -> StreamOptions {
    StreamOptions { lateness: Duration::from_secs(seconds), ..StreamOptions::default() }
}

const PAIR: &str =
    "sequence by user.name [any where process.name == \"a\"] [any where process.name == \"b\"]";

#[test]
fn what_comes_too_late_meets_event_rules_and_is_counted() {
    let alone = "any where process.name == \"b\"";
    // The second `b` is half a minute behind the watermark; an `x` is of no rule's concern.
    let parts = [
        vec![event(0, "a", 1)],
        vec![event(100, "x", 0), event(100, "a", 2)],
        vec![event(40, "x", 1), event(40, "b", 1)],
        vec![event(80, "b", 2), event(101, "b", 2)],
    ];
    let (rules, report) = told(&[PAIR, alone], &parts, &lateness(30), None);
    assert_eq!(sorted_numbers(rules), [0, 1, 1, 1], "only the pair of 2 stands");
    let counts = report.stream.unwrap();
    assert_eq!((counts.late, counts.future), (1, 0));
}

fn sorted_numbers(mut numbers: Vec<usize>) -> Vec<usize> {
    numbers.sort_unstable();
    numbers
}

#[test]
fn an_event_from_the_future_does_not_make_the_others_late() {
    let future = 4_000_000_000;
    let parts = [
        vec![event(0, "a", 1)],
        vec![event(future, "b", 2), event(future, "b", 3)],
        vec![event(1, "b", 1), event(2, "a", 2)],
    ];
    let (rules, report) = told(&[PAIR], &parts, &lateness(0), None);
    assert_eq!(rules, [0, 0], "of 1, and at the end of 2");
    let counts = report.stream.unwrap();
    assert_eq!((counts.late, counts.future), (0, 2));
}

/// Not even where there is no room for what waits.
#[test]
fn a_flood_from_the_future_does_not_make_the_others_late() {
    let options = StreamOptions { max_state: 20_000, ..lateness(0) };
    let flood = |from: i64| (0..200).map(|n| event(4_000_000_000 + from + n, "b", 1)).collect::<Vec<_>>();
    let parts = [vec![event(0, "a", 1)], flood(0), flood(200), vec![event(1, "b", 1), event(2, "x", 1)]];
    let (rules, report) = told(&[PAIR], &parts, &options, None);
    let counts = report.stream.unwrap();
    assert_eq!((rules, counts.late, counts.future, counts.hurried), (vec![0], 0, 400, 0));
    assert!(counts.future_dropped > 300, "{counts:?}");
}

/// Samples need no times; what has none waits for the end, unless there is no room.
#[test]
fn a_sample_takes_events_without_a_time() {
    let sample = "sample by user.name [any where process.name == \"a\"] [any where process.name == \"b\"]";
    let timeless = |name, key| {
        let mut event: serde_json::Value = serde_json::from_str(&event(0, name, key)).unwrap();
        event.as_object_mut().unwrap().remove("@timestamp");
        format!("{event}\n")
    };
    let parts = [vec![timeless("a", 1), event(5, "b", 2)], vec![event(9, "b", 1)], vec![timeless("a", 2)]];
    let (rules, report) = told(&[sample, PAIR], &parts, &lateness(0), None);
    assert_eq!((rules, report.stream.unwrap().late), (vec![0, 0], 0));

    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let options = StreamOptions { max_state: 100_000, state: Some(state.clone()), ..lateness(0) };
    let parts: Vec<Vec<String>> =
        (0..40).map(|part| (0..100).map(|n| timeless("a", part * 100 + n)).collect()).collect();
    let (_, report) = told(&[sample], &parts, &options, None);
    let (counts, held) = (report.stream.unwrap(), std::fs::metadata(&state).unwrap().len());
    assert!(held < 200_000 && !counts.evicted.is_empty(), "{held} bytes, {counts:?}");
    assert_eq!(counts.late, 0);
}

/// What must not come decides nothing any more when the window has closed, whatever was or was not correlated just before.
#[test]
fn a_missing_event_behind_its_window_refutes_nothing() {
    let query = "sequence by user.name with maxspan=10s [any where process.name == \"a\"] ![any where process.name == \"m\"]";
    let lines = [event(0, "a", 1), event(5, "x", 1), event(30, "m", 1), event(40, "x", 1)];
    let parts: Vec<Vec<String>> = lines.iter().map(|line| vec![line.clone()]).collect();
    for parts in [parts.as_slice(), &[lines.to_vec()]] {
        let (rules, report) = told(&[query], parts, &lateness(0), None);
        assert_eq!((rules, report.stream.unwrap().late), (vec![0], 0));
    }
    let refuted =
        [vec![event(0, "a", 1)], vec![event(5, "x", 1)], vec![event(10, "m", 1), event(40, "x", 1)]];
    assert_eq!(told(&[query], &refuted, &lateness(0), None).0, [0; 0]);
}

/// What is held is what a checkpoint holds, so its size says whether the memory is bounded.
#[test]
fn what_is_held_stays_within_its_bounds_and_what_falls_out_is_counted() {
    const KEYS: usize = 4000;
    const MOST: usize = 100_000;
    let a = "[any where process.name == \"a\"]";
    let m = "[any where process.name == \"m\"]";
    let event_of = "process where event.action == \"none\" or descendant of [process where true]";
    let queries = [
        (format!("sequence by user.name {a} {m}"), "a", 1),
        (format!("sequence by user.name with maxspan=7d {a} ![any where process.name == \"b\"]"), "a", 1),
        (format!("sequence by user.name with maxspan=7d ![any where process.name == \"m\"] {a}"), "m", 1),
        (
            format!(
                "sequence with maxspan=7d {a} as event0 [any where user.name == event0.user.name and process.name == \"b\"]"
            ),
            "a",
            1,
        ),
        (format!("sample by user.name {a} {m}"), "a", 1),
        (event_of.to_owned(), "a", 1),
        ("any where process.name == \"a\" | tail 4000".to_owned(), "a", 1),
        // All at one time in the future: they wait.
        (format!("sequence by user.name {a} {m}"), "a", 0),
    ];
    for (query, name, step) in &queries {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let options = StreamOptions { max_state: MOST, state: Some(state.clone()), ..lateness(0) };
        let line = |n: usize| {
            let second = if *step == 0 { 4_000_000_000 } else { n as i64 };
            let process = format!("\"entity_id\":\"entity-number-{n}\",\"name\"");
            let text = event(second, name, n).replace("\"name\"", &process);
            text.replace("{\"@time", "{\"event\":{\"category\":\"process\",\"type\":\"start\"},\"@time")
        };
        let parts: Vec<Vec<String>> =
            (0..40).map(|part| (0..KEYS / 40).map(|n| line(part * (KEYS / 40) + n)).collect()).collect();
        let (_, report) = told(&[query], &parts, &options, None);
        let counts = report.stream.unwrap();
        let evicted: u64 = counts.evicted.iter().map(|(_, n)| n).sum();
        let left_out = report.stats.results_lost;
        let fell_out = evicted + counts.forgotten_processes + counts.future_dropped + left_out;
        let held = std::fs::metadata(&state).unwrap().len();
        println!("{query}: {held} bytes, {fell_out} fell out, {} hurried", counts.hurried);
        assert!(held < MOST as u64 * 2, "{query}: {held} bytes");
        assert!(fell_out > KEYS as u64 / 2, "{query}: {counts:?}");
        assert_eq!(counts.late, 0, "{query}: {counts:?}");
    }
}

#[test]
fn what_is_suppressed_is_remembered_over_a_stop() {
    let make = || {
        let mut rule = Rule::of_query("any where process.name == \"a\"");
        let suppression =
            serde_json::json!({"group_by": ["user.name"], "duration": {"value": 7, "unit": "s"}});
        rule.fields.insert("alert_suppression".into(), suppression);
        let options = ScanOptions { threads: 1, any_index: true, ..ScanOptions::default() };
        Scan::new(vec![rule], &CompileOptions::new(schema()), options)
    };
    let lines: Vec<String> = (0..60).map(|second| event(second, "a", usize::from(second % 3 == 0))).collect();
    let expected = of_file(&make(), &lines);
    // From 0, 9, 18 … and from 1, 10, 19 …: each first one covers the seven seconds behind it.
    assert_eq!(expected.len(), 7 + 7);
    for round in 0..20 {
        let mut dice = Dice::new(9000 + round);
        let stops = stops(lines.len(), &mut dice);
        let found = of_stream(&make, &lines, &stops, &mut dice);
        assert_eq!(sorted(found), sorted(expected.clone()), "round {round}, stops {stops:?}");
    }
}
