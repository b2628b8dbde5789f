//! What one file says of a process is told of the events of another: whatever their order, and by however many threads.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use quell::{
    Alert, Checkpoint, CompileOptions, Documents, InputWarning, NoProgress, Progress, Report, Rule, Scan,
    ScanOptions, Seen, StreamOptions, StreamOutput, schema,
};
use serde_json::{Value, json};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tempfile::TempDir;

const LIVES: &str = "sequence by process.entity_id [process where event.code == \"4688\"] [any where event.code != \"4688\"] [process where event.code == \"4689\"]";

fn event(host: &str, second: u32, id: u32, data: &Value) -> Value {
    let mut record = json!({
        "TimeCreated": format!("2024-05-01T10:00:{second:02}.500Z"),
        "Hostname": host,
        "EventID": id,
        "SourceName": "Microsoft-Windows-Security-Auditing",
        "Channel": "Security",
    });
    record.as_object_mut().unwrap().extend(data.as_object().unwrap().clone());
    record
}

fn start(host: &str, second: u32, pid: u32, parent: u32, program: &str) -> Value {
    let data = json!({
        "NewProcessId": format!("{pid:#x}"),
        "NewProcessName": format!("C:\\{program}"),
        "CommandLine": format!("{program} -x"),
        "ProcessId": format!("{parent:#x}"),
    });
    event(host, second, 4688, &data)
}

fn connection(host: &str, second: u32, pid: u32) -> Value {
    event(host, second, 5156, &json!({"ProcessID": pid, "DestAddress": "10.0.0.1", "DestPort": "445"}))
}

fn end(host: &str, second: u32, pid: u32) -> Value {
    event(host, second, 4689, &json!({"ProcessId": format!("{pid:#x}")}))
}

fn write(folder: &TempDir, name: &str, records: &[Value]) -> PathBuf {
    let path = folder.path().join(name);
    let lines: Vec<String> = records.iter().map(Value::to_string).collect();
    std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    path
}

fn compiled(query: &str, threads: usize) -> Scan {
    let options = ScanOptions { threads, any_index: true, ..ScanOptions::default() };
    let scan = Scan::new(vec![Rule::of_query(query)], &CompileOptions::new(schema()), options);
    assert_eq!(scan.len(), 1, "{:?}", scan.findings());
    scan
}

fn scan<P: AsRef<Path>>(query: &str, paths: &[P], threads: usize) -> Report {
    compiled(query, threads).run(paths, &NoProgress)
}

/// The documents of all alerts' events.
fn found<P: AsRef<Path>>(query: &str, paths: &[P], threads: usize) -> Vec<Value> {
    let report = scan(query, paths, threads);
    let mut documents = report.documents();
    let events = report.alerts.iter().flat_map(|alert| documents.events(alert).unwrap());
    events.map(|event| Value::Object(event.unwrap())).collect()
}

fn seconds(documents: &[Value]) -> Vec<(String, String)> {
    let of = |document: &Value, field: &str| document.pointer(field).unwrap().as_str().unwrap().to_owned();
    let second = |time: &str| time.split(':').nth(2).unwrap().split('.').next().unwrap().to_owned();
    documents.iter().map(|one| (of(one, "/host/name"), second(&of(one, "/@timestamp")))).collect()
}

/// Two hosts, and on one of them one process id used twice. The names of the files put the starts first or last.
fn story(starts: &str, others: &str) -> (TempDir, Vec<PathBuf>) {
    let folder = TempDir::new().unwrap();
    let starts = write(
        &folder,
        starts,
        &[
            start("ws-1", 20, 7, 4, "second.exe"),
            start("WS-1", 10, 7, 4, "first.exe"),
            start("ws-2", 12, 7, 4, "third.exe"),
        ],
    );
    let others = write(
        &folder,
        others,
        &[
            connection("ws-1", 5, 7), // by a process that is older than the log
            end("ws-1", 6, 7),
            connection("ws-1", 11, 7),
            end("ws-1", 13, 7),
            connection("ws-1", 15, 7), // by nobody who is known
            end("ws-1", 16, 7),
            end("ws-1", 24, 7),
            connection("ws-1", 22, 7),
            connection("ws-2", 20, 7),
            end("ws-2", 22, 7),
        ],
    );
    (folder, vec![starts, others])
}

#[test]
fn a_sequence_by_entity_id_joins_events_that_have_process_ids_alone() {
    let expected = [
        ("WS-1", "10"),
        ("ws-1", "11"),
        ("ws-1", "13"),
        ("ws-2", "12"),
        ("ws-2", "20"),
        ("ws-2", "22"),
        ("ws-1", "20"),
        ("ws-1", "22"),
        ("ws-1", "24"),
    ]
    .map(|(host, second)| (host.to_owned(), second.to_owned()));
    let mut results = Vec::new();
    for (starts, others) in [("a.ndjson", "b.ndjson"), ("b.ndjson", "a.ndjson")] {
        let (_folder, paths) = story(starts, others);
        for threads in [1, 4] {
            let documents = found(LIVES, &paths, threads);
            assert_eq!(seconds(&documents), expected, "{starts} {others} {threads}");
            for alert in documents.chunks(3) {
                let ids: Vec<&Value> = alert.iter().map(|event| &event["process"]["entity_id"]).collect();
                assert!(ids[0].is_string() && ids[0] == ids[1] && ids[1] == ids[2], "{ids:?}");
            }
            results.push(documents);
        }
    }
    results.dedup();
    assert_eq!(results.len(), 1);
}

#[test]
fn an_unknown_start_gives_no_id() {
    let (_folder, paths) = story("a.ndjson", "b.ndjson");
    let query = "any where event.code != \"4688\" and process.entity_id == null";
    let expected = ["05", "06", "15", "16"].map(|second| ("ws-1".to_owned(), second.to_owned()));
    assert_eq!(seconds(&found(query, &paths, 2)), expected);
    // Without the file of the starts nothing has one.
    assert_eq!(found(query, &paths[1..], 2).len(), 10);
}

#[test]
fn a_parent_is_told_of_by_its_own_start() {
    let folder = TempDir::new().unwrap();
    let child = write(&folder, "a.ndjson", &[start("ws-1", 30, 8, 7, "child.exe")]);
    let parent = write(&folder, "b.ndjson", &[start("ws-1", 20, 7, 4, "parent.exe")]);
    let query = r#"process where process.parent.name == "parent.exe" and process.parent.args == "-x" and process.parent.entity_id != null"#;
    let [document] = &found(query, &[&child, &parent], 1)[..] else { panic!("one child") };
    let [of_parent] = &found(r#"process where process.pid == 7"#, &[&parent], 1)[..] else { panic!() };
    assert_eq!(document["process"]["parent"]["entity_id"], of_parent["process"]["entity_id"]);
    assert_eq!(document["process"]["parent"]["command_line"], "parent.exe -x");
    assert_eq!(found(query, &[&child], 1).len(), 0);
}

#[test]
fn what_is_known_does_not_depend_on_how_a_file_is_stored() {
    let (folder, paths) = story("a.ndjson", "b.ndjson");
    let plain = found(LIVES, &paths, 2);
    let packed = folder.path().join("a.ndjson.gz");
    let mut writer =
        flate2::write::GzEncoder::new(std::fs::File::create(&packed).unwrap(), flate2::Compression::fast());
    std::io::copy(&mut std::fs::File::open(&paths[0]).unwrap(), &mut writer).unwrap();
    writer.finish().unwrap();
    assert_eq!(found(LIVES, &[&packed, &paths[1]], 2), plain);
}

#[test]
fn the_first_pass_shows_how_far_it_is() {
    struct Watched(std::sync::Mutex<Vec<Seen>>);
    impl Progress for Watched {
        fn update(&self, seen: &Seen) {
            self.0.lock().unwrap().push(*seen);
        }
    }
    let (_folder, paths) = story("a.ndjson", "b.ndjson");
    for (query, passes) in [(LIVES, 2), ("any where process.pid == 7", 1)] {
        let watched = Watched(std::sync::Mutex::default());
        compiled(query, 1).run(&paths, &watched);
        let seen = watched.0.into_inner().unwrap();
        let ends: Vec<&Seen> =
            seen.chunk_by(|a, b| a.first_pass == b.first_pass).flat_map(<[Seen]>::last).collect();
        assert_eq!(ends.len(), passes);
        assert!(ends.iter().all(|seen| seen.bytes_done == seen.bytes_total && seen.files_done == 2));
        assert!(ends.iter().rev().skip(1).all(|seen| seen.first_pass && seen.events == 0));
    }
}

/// `decode` gives documents as they come, with what was seen before them.
#[test]
fn decoded_documents_are_completed_by_what_came_before_them() {
    let (_folder, paths) = story("a.ndjson", "b.ndjson");
    let mut with_id = 0;
    quell::decode(&paths, &ScanOptions::default(), &NoProgress, &mut |document| {
        with_id += usize::from(document["process"].get("entity_id").is_some());
        ControlFlow::Continue(())
    });
    assert_eq!(with_id, 9);
}

/// Takes the documents of the events of a stream's alerts.
#[derive(Default)]
struct Taken(Vec<Value>);

impl StreamOutput for Taken {
    fn alert(&mut self, alert: &Alert, documents: &mut Documents<'_>) -> ControlFlow<()> {
        let events = documents.events(alert).unwrap();
        self.0.extend(events.into_iter().map(|event| Value::Object(event.unwrap())));
        ControlFlow::Continue(())
    }

    fn warning(&mut self, warning: &InputWarning) {
        panic!("{warning}");
    }

    fn settle(&mut self) -> std::io::Result<Vec<(PathBuf, u64)>> {
        Ok(Vec::new())
    }
}

/// Ends a stream when it has seen so many records.
struct Until {
    wanted: u64,
    seen: AtomicU64,
}

impl Progress for Until {
    fn update(&self, seen: &Seen) {
        self.seen.store(seen.events, Ordering::Relaxed);
    }

    fn cancelled(&self) -> bool {
        self.seen.load(Ordering::Relaxed) >= self.wanted
    }
}

/// A log that is followed, by one process after the other.
struct Followed {
    folder: TempDir,
    max_state: usize,
}

impl Followed {
    fn new() -> Followed {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("log"), "").unwrap();
        Followed { folder, max_state: StreamOptions::default().max_state }
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Appends records, and starts a process that goes on from the state until it has read them.
    fn read(&self, query: &str, records: &[Value]) -> (Vec<Value>, Report) {
        let (log, state) = (self.folder.path().join("log"), self.state());
        let mut text = std::fs::read_to_string(&log).unwrap();
        records.iter().for_each(|record| text += &format!("{record}\n"));
        std::fs::write(&log, text).unwrap();
        let checkpoint = Checkpoint::load(&state).unwrap();
        let input = quell::follow(&log, Some("windows-json"), checkpoint.as_ref());
        let options = StreamOptions {
            lateness: Duration::from_millis(100),
            max_state: self.max_state,
            state: Some(state),
            ..StreamOptions::default()
        };
        let until = Until { wanted: records.len() as u64, seen: AtomicU64::new(0) };
        let mut taken = Taken::default();
        let report = compiled(query, 1).stream(input, checkpoint, &options, &mut taken, &until).unwrap();
        assert_eq!(report.stats.events, records.len() as u64);
        (taken.0, report)
    }
}

/// The story as it happened, and something after it.
fn as_it_happened() -> Vec<Value> {
    vec![
        connection("ws-1", 5, 7),
        end("ws-1", 6, 7),
        start("WS-1", 10, 7, 4, "first.exe"),
        connection("ws-1", 11, 7),
        start("ws-2", 12, 7, 4, "third.exe"),
        end("ws-1", 13, 7),
        connection("ws-1", 15, 7),
        end("ws-1", 16, 7),
        start("ws-1", 20, 7, 4, "second.exe"),
        connection("ws-2", 20, 7),
        connection("ws-1", 22, 7),
        end("ws-2", 22, 7),
        end("ws-1", 24, 7),
        connection("ws-3", 59, 1),
    ]
}

#[test]
fn a_stream_learns_as_it_reads_and_goes_on_where_it_stopped() {
    let records = as_it_happened();
    let folder = TempDir::new().unwrap();
    let expected = found(LIVES, &[write(&folder, "whole.ndjson", &records)], 1);
    assert_eq!(expected.len(), 9);
    for size in [records.len(), 5, 1] {
        let followed = Followed::new();
        let parts = records.chunks(size).map(|part| followed.read(LIVES, part).0);
        assert_eq!(parts.collect::<Vec<_>>().concat(), expected, "{size} records a process");
    }
}

/// Its documents too: they are made behind a batch, of which the later records told more.
#[test]
fn an_event_of_a_stream_knows_what_came_before_it_alone() {
    let records = [connection("ws-1", 11, 7), start("ws-1", 10, 7, 4, "late.exe"), connection("ws-1", 12, 7)];
    let query = "any where event.code == \"5156\" and (process.entity_id == null or process.pid == 7)";
    let ids = |documents: &[Value]| -> Vec<bool> {
        documents.iter().map(|one| one["process"].get("entity_id").is_some()).collect()
    };
    assert_eq!(ids(&Followed::new().read(query, &records).0), [false, true]);
    let folder = TempDir::new().unwrap();
    assert_eq!(ids(&found(query, &[write(&folder, "log", &records)], 1)), [true, true]);
}

#[test]
fn what_a_stream_knows_of_processes_is_bounded() {
    let query = "any where event.code == \"5156\" and process.entity_id != null";
    let hour = |minute: u32, mut record: Value| -> Value {
        let time = record["TimeCreated"].as_str().unwrap().replace("T10:00:", &format!("T10:{minute:02}:"));
        record["TimeCreated"] = json!(time);
        record
    };
    let starts: Vec<Value> =
        (0..3000).map(|n| hour(n / 60, start("ws-1", n % 60, n + 100, 4, "some.exe"))).collect();
    let mut followed = Followed::new();
    followed.max_state = 400_000;
    let (_, report) = followed.read(query, &starts);
    let forgotten = report.stream.unwrap().forgotten;
    assert!((2000..3000).contains(&forgotten), "{forgotten}");
    assert!(std::fs::metadata(followed.state()).unwrap().len() < 100_000);
    // The youngest are known, also by the next process, and what that one forgets is its own.
    let ends = [hour(59, connection("ws-1", 0, 100)), hour(59, connection("ws-1", 1, 3099))];
    let (documents, report) = followed.read(query, &ends);
    let pids: Vec<&Value> = documents.iter().map(|one| &one["process"]["pid"]).collect();
    assert_eq!(pids, [&json!(3099)]);
    assert_eq!(report.stream.unwrap().forgotten, 0);
}

#[test]
fn a_clock_that_is_years_ahead_makes_nothing_forgotten() {
    let query = "any where event.code == \"5156\" and process.entity_id != null";
    let mut records = vec![start("ws-1", 10, 7, 4, "first.exe")];
    for n in 0..2000 {
        let mut ahead = start("ws-9", 10, 100 + n, 4, "ahead.exe");
        ahead["TimeCreated"] = json!("2199-05-01T10:00:00Z");
        records.push(ahead);
    }
    records.push(connection("ws-1", 12, 7));
    let mut followed = Followed::new();
    followed.max_state = 400_000;
    let (documents, report) = followed.read(query, &records);
    assert_eq!((documents.len(), report.stream.unwrap().forgotten), (1, 0));
}

/// What was known before a gap could be wrong behind it: a process id may have been used again.
#[test]
fn rules_that_ask_nothing_leave_nothing_to_go_on_from() {
    let (asks, does_not) =
        ("any where process.entity_id != null and event.code == \"5156\"", "any where false");
    let followed = Followed::new();
    followed.read(asks, &[start("ws-1", 10, 7, 4, "first.exe")]);
    assert_eq!(followed.read(asks, &[connection("ws-1", 11, 7)]).0.len(), 1);
    followed.read(does_not, &[end("ws-1", 12, 7), connection("ws-1", 13, 8)]);
    assert_eq!(followed.read(asks, &[connection("ws-1", 14, 7)]).0.len(), 0);
}
