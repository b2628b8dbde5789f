//! What commands do: options that select and limit, files that are written, pipes that close, Ctrl-C.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may panic, and say that it was skipped"
)]

mod support;
#[path = "../../../testing/test_data.rs"]
mod test_data;

use serde_json::Value;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use support::{command, quell, quell_in, quell_with};
use test_data::test_data;

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// The hosts of the alerts of a scan with these options.
fn hosts(options: &[&str]) -> Vec<String> {
    let args = ["scan", "logs", "--rules", "rules", "--rule", "Scanner*Arguments", "--quiet"];
    let ran = quell(args.iter().chain(options));
    lines(&ran.stdout).iter().map(|alert| alert["host"]["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn options_select_alerts() {
    let all = hosts(&[]);
    assert_eq!(all.len(), 3);
    assert_eq!(hosts(&["--limit", "1"]), all[..1]);
    assert_eq!(hosts(&["--limit", "0"]), [] as [String; 0]);
    assert_eq!(hosts(&["--since", "2024-03-11T10:00:12Z"]), all[1..]);
    assert_eq!(hosts(&["--until", "2024-03-11T10:00:12Z"]), all[..1]);
    assert_eq!(hosts(&["--since", "2024-03-11T12:00:12", "--timezone", "+02:00"]), all[1..]);
    assert_eq!(hosts(&["--until", "2024-03-11"]), [] as [String; 0]);
    assert_eq!(hosts(&["--min-severity", "critical"]), [] as [String; 0]);
    assert_eq!(hosts(&["--threads", "1"]), all);
    assert_eq!(hosts(&["--threads", "7"]), all);
}

#[test]
fn index_patterns_are_honoured_unless_told_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let rule = std::fs::read_to_string(support::fixtures().join("rules/scanner.toml")).unwrap();
    let other = rule.replace("\"logs-endpoint.events.process-*\", ", "");
    std::fs::write(folder.path().join("other.toml"), other).unwrap();
    let rules = folder.path().to_str().unwrap();
    let count = |more: &[&str]| {
        quell(["scan", "logs", "-q", "--rules", rules].iter().chain(more)).stdout.lines().count()
    };
    assert_eq!((count(&[]), count(&["--any-index"])), (1, 3));
}

#[test]
fn building_blocks_are_marked_in_ndjson_and_hidden_elsewhere() {
    let scan = |more: &[&str]| quell(["scan", "logs", "-q", "--rules", "rules"].iter().chain(more)).stdout;
    let marked = lines(&scan(&[]))
        .iter()
        .filter(|alert| alert["kibana"]["alert"]["building_block_type"] == "default")
        .count();
    assert_eq!(marked, 2);
    let (hidden, shown) = (scan(&["--output", "csv"]), scan(&["--output", "csv", "--show-building-blocks"]));
    assert_eq!((hidden.lines().count(), shown.lines().count()), (4, 6));
}

#[test]
fn alerts_are_written_beside_what_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (csv, ndjson, table) = (path("a.csv"), path("a.ndjson"), path("a.txt"));
    let args =
        ["scan", "logs", "--rules", "rules", "--color", "always", "--output", "table"].map(String::from);
    let writes = [format!("csv={csv}"), format!("ndjson={ndjson}"), format!("table={table}")];
    let ran = quell(args.into_iter().chain(writes.into_iter().flat_map(|to| [String::from("--write"), to])));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let read = |path: &str| std::fs::read_to_string(path).unwrap();
    assert_eq!(read(&csv).lines().count(), 4);
    assert_eq!(lines(&read(&ndjson)).len(), 5);
    assert_eq!(read(&table).lines().count(), 3);
    assert!(!read(&table).contains('\u{1b}'));
}

#[test]
fn no_output_holds_what_a_terminal_obeys() {
    let is_unsafe = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
    let runs: [&[&str]; 6] = [
        &["scan", "logs", "--rules", "rules", "--output", "table"],
        &["scan", "logs", "--rules", "rules", "--output", "csv"],
        &["scan", "logs", "--rules", "rules", "--output", "ndjson"],
        &["query", "any where true", "logs", "--output", "table"],
        &["query", "any where true", "logs", "--output", "ndjson"],
        &["decode", "logs"],
    ];
    for args in runs {
        let ran = quell(args);
        let text = format!("{}{}", ran.stdout, ran.stderr);
        assert!(text.contains("owned"), "{args:?} shows nothing of the record");
        let found: Vec<char> = text.chars().filter(|c| is_unsafe(*c)).collect();
        assert!(found.is_empty(), "{args:?}: {found:?}");
    }
}

#[test]
fn a_query_takes_elasticsearchs_parameters() {
    let query = |query: &str, more: &[&str]| {
        let ran = quell(["query", query, "logs", "-q"].iter().chain(more));
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let times = lines(&ran.stdout)
            .iter()
            .map(|result| result["events"][0]["_source"]["@timestamp"].to_string())
            .collect::<Vec<_>>();
        assert!(times.is_sorted(), "{times:?}");
        times
    };
    let all = query("process where true", &[]);
    assert_eq!(all.len(), 6);
    assert_eq!(query("process where true", &["--size", "2"]), all[4..]);
    assert_eq!(query("process where true", &["--size", "2", "--result-position", "head"]), all[..2]);
    assert_eq!(query("process where true | head 3", &["--size", "2"]), all[..2]);
    assert_eq!(query("root where true", &["--event-category-field", "user.name"]).len(), 1);
    let documents = lines(&quell(["query", "process where process.args == \"-sS\"", "logs", "-q"]).stdout);
    assert_eq!(documents[0]["events"][0]["_id"], "doc-2");
    assert!(documents[0]["events"][0]["_source"].get("_id").is_none());
    assert_eq!(documents[0]["join_keys"], Value::Array(Vec::new()));
}

#[test]
fn decode_prints_what_scan_reads() {
    let documents = lines(&quell(["decode", "logs", "-q"]).stdout);
    assert_eq!(documents.len(), 6);
    let sysmon = documents.iter().find(|document| document["event"]["code"] == "1").unwrap();
    assert_eq!(sysmon["process"]["name"], "nmap.exe");
    // What was decoded is an input again, and says the same.
    let decoded = quell(["decode", "logs", "-q"]).stdout;
    let again =
        quell_with(decoded.as_bytes(), ["scan", "-", "--rules", "rules", "--output", "csv", "-q"]).stdout;
    let first = quell(["scan", "logs", "--rules", "rules", "--output", "csv", "-q"]).stdout;
    // The id stands before what holds an alert back, and what it stands for.
    let without_id = |text: &str| {
        text.lines().map(|line| line.rsplitn(5, ',').last().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(without_id(&again), without_id(&first));
}

#[test]
fn fmt_changes_the_query_alone_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let toml = "# kept\n[rule]\nname   =  'Odd spaces stay'\nauthor = ['a']\ndescription = 'd'\nlanguage = 'eql'\nrisk_score = 21\n\
                rule_id = '8d1c7a52-2a0e-4c6b-9d70-5f6a3b1e0c09'\nseverity = 'low'\ntype = 'eql'\nquery = '''\nprocess   where process.name==\"a\"\n'''\n# also kept\n";
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    write("rule.toml", toml);
    write("bare.eql", "process where  process.pid==4 // four\n");
    write("good.eql", "process where process.pid == 4\n");

    let check = quell_in(folder.path(), ["fmt", "--check", "."]);
    assert_eq!(check.code, 1, "{}", check.stderr);
    assert_eq!(check.stdout.lines().count(), 2, "{}", check.stdout);
    assert_eq!(read("rule.toml"), toml);

    let done = quell_in(folder.path(), ["fmt", "."]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_eq!(
        read("rule.toml"),
        toml.replace("process   where process.name==\"a\"", "process where process.name == \"a\"")
    );
    assert!(read("bare.eql").contains("process.pid == 4") && read("bare.eql").contains("// four"));
    assert_eq!(quell_in(folder.path(), ["fmt", "--check", "."]).code, 0);

    let formatted = quell_with(b"any   where true", ["fmt", "-"]);
    assert_eq!((formatted.code, formatted.stdout.as_str()), (0, "any where true\n"));
    assert_eq!(quell_with(b"any where", ["fmt", "-"]).code, 2);
    assert_eq!(quell_with(b"any   where true", ["fmt", "-", "--check"]).code, 1);
}

#[test]
fn every_rule_that_fmt_formats_still_says_the_same() {
    let Some(rules) = test_data("rules") else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut copied = 0;
    for family in ["elastic", "endpoint"] {
        copied += copy_rules(&rules.join(family), &folder.path().join(family));
    }
    let queries = |folder: &Path| {
        quell_in(folder, ["rules", "list", "--rules", ".", "--output", "ndjson", "-q"]).stdout
    };
    let before = queries(folder.path());
    let done = quell_in(folder.path(), ["fmt", "."]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    println!("{copied} files: {}", done.stderr);
    assert_eq!(queries(folder.path()), before);
    let again = quell_in(folder.path(), ["fmt", "--check", "."]);
    assert_eq!(again.code, 0, "{}", again.stdout);
}

fn copy_rules(from: &Path, to: &Path) -> usize {
    std::fs::create_dir_all(to).unwrap();
    let mut copied = 0;
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copied += copy_rules(&path, &target);
        } else if path.extension().is_some_and(|ending| ending == "toml") {
            // Contents alone: the originals are read-only.
            std::fs::write(target, std::fs::read(path).unwrap()).unwrap();
            copied += 1;
        }
    }
    copied
}

#[test]
fn the_examples_show_every_scanner_among_the_noise() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let ran = quell(["scan", examples.to_str().unwrap()]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let mut found: Vec<(String, String)> = lines(&ran.stdout)
        .iter()
        .map(|alert| {
            let of = |parent: &str| {
                let flat = format!("{parent}.name");
                alert[parent]["name"].as_str().or(alert[&flat].as_str()).unwrap().to_owned()
            };
            (of("host"), of("process"))
        })
        .collect();
    found.sort();
    let expected = [
        ("SRV-03.lab.example", "cmd.exe"),
        ("WS-09.lab.example", "nbtscan.exe"),
        ("WS-17.lab.example", "nmap.exe"),
        ("WS-17.lab.example", "nmap.exe"),
        ("WS-22.lab.example", "powershell.exe"),
        ("WS-22.lab.example", "powershell.exe"),
        ("build-02", "masscan"),
        ("web-01", "nmap"),
    ];
    assert_eq!(found, expected.map(|(host, process)| (host.to_owned(), process.to_owned())));
    assert!(!ran.stderr.contains("lost") && !ran.stderr.contains("not read"), "{}", ran.stderr);
}

#[test]
fn the_published_query_finds_what_is_known_to_be_there() {
    for (folder, expected) in [("evtx", 3), ("windows-json", 4)] {
        let Some(path) = test_data(folder) else { return };
        let ran = quell(["scan", "--rules", "t1046-published", path.to_str().unwrap()]);
        assert_eq!(ran.stdout.lines().count(), expected, "{}", ran.stderr);
    }
}

#[test]
fn bench_measures_both_on_the_same_bytes() {
    let ran = quell(["bench", "--size", "1", "--rounds", "1", "--output", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let result: Value = serde_json::from_str(&ran.stdout).unwrap();
    let (bytes, events) = (result["bytes"].as_u64().unwrap(), result["events"].as_u64().unwrap());
    assert!(bytes <= 1_000_000 && bytes > 900_000 && events > 500, "{result}");
    assert_eq!(result["hits"], 1);
    for part in ["floor", "quell"] {
        let seconds = result[part]["seconds"].as_f64().unwrap();
        let rate = result[part]["events_per_second"].as_f64().unwrap();
        assert!((rate * seconds / result["events"].as_f64().unwrap() - 1.0).abs() < 1e-6);
    }
    let file = quell(["bench", "logs/ecs.ndjson", "--rounds", "1", "--rules", "rules"]);
    assert!(file.stdout.starts_with("4 events,") && file.stdout.contains("3 hits"), "{}", file.stdout);
}

#[test]
fn completions_name_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = quell(["completions", shell]).stdout;
        for name in ["scan", "query", "check", "fmt", "rules", "decode", "bench", "completions"] {
            assert!(script.contains(name), "{shell}: {name}");
        }
    }
}

/// A file of many events, the first of which is a scan.
fn many_events(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("many.ndjson");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
    for n in 0..50_000 {
        writeln!(file, "{}", event(n)).unwrap();
    }
    file.flush().unwrap();
    path
}

fn event(n: u64) -> String {
    let name = if n == 0 { "nmap" } else { "sh" };
    format!(
        "{{\"@timestamp\":\"2024-01-01T00:00:{:02}Z\",\"event\":{{\"id\":\"{n}\",\"category\":\"process\",\"type\":\"start\"}},\"process\":{{\"name\":\"{name}\"}}}}",
        n % 60
    )
}

#[test]
fn a_reader_that_leaves_ends_it_quietly() {
    let folder = tempfile::tempdir().unwrap();
    let path = many_events(folder.path());
    let path = path.to_str().unwrap();
    for args in [vec!["decode", path], vec!["query", "process where true", path, "--output", "ndjson", "-q"]]
    {
        let mut child = command(&args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        assert!(first.starts_with('{'), "{first}");
        // The reader is dropped here: the pipe is closed.
        let output = child.wait_with_output().unwrap();
        assert_eq!(
            (output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()),
            (Some(0), ""),
            "{args:?}"
        );
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_scan_with_what_it_found() {
    let mut child = command(["scan", "-", "--threads", "1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // An endless input: only the signal ends it.
    let feeder = std::thread::spawn(move || {
        let mut n = 0;
        while writeln!(stdin, "{}", event(n)).is_ok() {
            n += 1;
        }
        n
    });
    std::thread::sleep(Duration::from_millis(1500));
    let pid = child.id().to_string();
    let sent = std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert!(sent.success());
    let started = Instant::now();
    let output = child.wait_with_output().unwrap();
    let (stdout, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(started.elapsed() < Duration::from_secs(20), "it took {:?} to stop", started.elapsed());
    assert_eq!(stdout.lines().count(), 1, "{stderr}");
    assert!(stderr.contains("interrupted"), "{stderr}");
    assert!(feeder.join().unwrap() > 1000);
}
