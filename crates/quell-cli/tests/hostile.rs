//! Inputs and command lines that mean harm, or come to it by accident: nothing is lost, overwritten or read for ever.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use serde_json::Value;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use support::{Ran, command, quell_in};

/// An event that the built-in rule finds.
const GOOD: &str = r#"{"@timestamp":"2024-01-01T00:00:00Z","event":{"category":["process"],"type":["start"]},"process":{"name":"nmap","pid":1},"host":{"name":"h"}}"#;

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    folder
}

fn in_folder(folder: &Path, args: &[&str]) -> Ran {
    quell_in(folder, args.iter().chain(&["--no-config"]))
}

/// The event with one more member.
fn with(member: &str) -> String {
    format!("{},{member}}}\n", GOOD.strip_suffix('}').unwrap())
}

#[test]
fn no_field_beside_the_rules_own_can_suppress_an_alert() {
    // As deep as a test can read again.
    let deep = |open: &str, close: &str| format!("\"x\":{}1{}", open.repeat(100), close.repeat(100));
    let members = [
        r#""x":"\ud800""#.to_owned(),
        r#""\ud800":1"#.to_owned(),
        r#""x":"\q""#.to_owned(),
        "\"x\":\"\u{1}\u{1b}[2J\"".to_owned(),
        r#""x":1e999"#.to_owned(),
        r#""x":01"#.to_owned(),
        format!("\"x\":{}", "9".repeat(5_000)),
        r#""x":[1,]"#.to_owned(),
        r#""x":{"y":tru}"#.to_owned(),
        deep("[", "]"),
        deep("{\"y\":", "}"),
    ];
    for member in &members {
        let folder = folder(&[("a.ndjson", with(member).as_bytes())]);
        let shown: String = member.chars().take(40).collect();
        for output in ["ndjson", "csv", "table"] {
            let ran = in_folder(folder.path(), &["scan", "a.ndjson", "-q", "--output", output]);
            assert_eq!((ran.code, ran.stderr.as_str()), (1, ""), "{shown}");
            assert!(ran.stdout.contains("Network Service Discovery"), "{shown}: {}", ran.stdout);
            assert!(!ran.stdout.contains(['\u{1}', '\u{1b}']), "{shown}");
        }
        let alert = &lines(&in_folder(folder.path(), &["scan", "a.ndjson", "-q"]).stdout)[0];
        assert_eq!(alert["process"]["name"], "nmap", "{shown}");
        let results = lines(&in_folder(folder.path(), &["query", "any where true", "a.ndjson", "-q"]).stdout);
        let decoded = lines(&in_folder(folder.path(), &["decode", "a.ndjson", "-q"]).stdout);
        assert_eq!(results[0]["events"][0]["_source"], decoded[0], "{shown}");
        assert!(decoded[0].get("x").or(decoded[0].get("\u{fffd}")).is_some(), "{shown}");
    }
}

#[test]
fn files_that_are_written_overwrite_no_input() {
    let line = format!("{GOOD}\n");
    let folder = folder(&[
        ("logs/a.ndjson", line.as_bytes()),
        ("logs/b.ndjson", line.as_bytes()),
        ("old.csv", b"old"),
    ]);
    let scan = |more: &[&str]| in_folder(folder.path(), &[&["scan", "-q", "--output", "csv"], more].concat());
    for refused in [
        &["logs/a.ndjson", "--write", "ndjson=logs/a.ndjson"][..],
        &["logs/a.ndjson", "--write", "csv=logs/../logs/a.ndjson"],
        &["logs", "--write", "csv=out.csv", "--write", "table=logs/b.ndjson"],
        &["logs/*.ndjson", "--write", "csv=./logs/b.ndjson"],
        &["logs", "--write", "csv=new.txt", "--write", "ndjson=./new.txt"],
        &["logs", "--write", "csv=old.csv", "--write", "table=logs/../old.csv"],
    ] {
        let ran = scan(refused);
        assert_eq!(ran.code, 3, "{refused:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("--write"), "{refused:?}: {}", ran.stderr);
        for name in ["logs/a.ndjson", "logs/b.ndjson"] {
            assert_eq!(fs::read_to_string(folder.path().join(name)).unwrap(), line, "{refused:?}");
        }
        assert_eq!(fs::read_to_string(folder.path().join("old.csv")).unwrap(), "old", "{refused:?}");
        assert!(!folder.path().join("new.txt").exists(), "{refused:?}");
    }
    let ran = scan(&["logs", "--write", "csv=old.csv", "--write", "ndjson=logs/new.ndjson"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert_eq!(fs::read_to_string(folder.path().join("old.csv")).unwrap(), ran.stdout);
    assert_eq!(lines(&fs::read_to_string(folder.path().join("logs/new.ndjson")).unwrap()).len(), 2);
}

#[test]
fn what_is_printed_into_a_folder_that_is_read_is_not_read_again() {
    let text = format!("{GOOD}\n").repeat(20_000);
    let logs = folder(&[("a.ndjson", text.as_bytes()), ("z.ndjson", format!("{GOOD}\n").as_bytes())]);
    let out = File::options().append(true).open(logs.path().join("z.ndjson")).unwrap();
    let mut child = command(["decode", ".", "--no-config"])
        .current_dir(logs.path())
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let written = || fs::metadata(logs.path().join("z.ndjson")).unwrap().len();
    while child.try_wait().unwrap().is_none() {
        if written() > 4 * text.len() as u64 {
            child.kill().unwrap();
            panic!("it reads what it writes");
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let ended = child.wait_with_output().unwrap();
    let told = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(0), "{told}");
    assert!(told.contains("z.ndjson: standard output goes there"), "{told}");
    assert_eq!(fs::read_to_string(logs.path().join("z.ndjson")).unwrap().lines().count(), 20_001);
}

#[test]
fn every_bad_input_is_named_and_costs_no_other_record() {
    let around = |bad: &[u8]| [GOOD.as_bytes(), b"\n", bad, b"\n", GOOD.as_bytes(), b"\n"].concat();
    let second = GOOD.len() + 1;
    let deep = format!("{{\"process\":{{\"name\":{}{}}}}}", "[".repeat(10_000), "]".repeat(10_000));
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    // Two lines that cannot be packed away, so that what is cut off is the second.
    let noise: String = (0..200_000u32)
        .map(|n| char::from(b'a' + (n.wrapping_mul(2_654_435_761) >> 24) as u8 % 26))
        .collect();
    packed.write_all(format!("{GOOD}\n{}", with(&format!("\"x\":\"{noise}\""))).as_bytes()).unwrap();
    let mut packed = packed.finish().unwrap();
    packed.truncate(packed.len() / 2);
    let long = format!("{{\"x\":\"{}\"}}", "x".repeat(17 << 20));
    let binary: Vec<u8> = (0..=255).cycle().take(5_000).collect();
    // The file, its bytes, the good records in it, where the warning points, and a part of what it says.
    type Row<'r> = (&'r str, Vec<u8>, usize, Option<usize>, &'r str);
    let table: &[Row<'_>] = &[
        ("half.ndjson", around(br#"{"process":{"name":"nma"#), 2, Some(second + 23), "ends too early"),
        ("utf8.ndjson", around(b"{\"x\":\"\xff\"}"), 2, Some(second), "not UTF-8"),
        ("nul.ndjson", around(b"\0\0\0"), 2, Some(second), "not a JSON object"),
        ("array.ndjson", around(b"[1]"), 2, Some(second), "not a JSON object"),
        ("two.ndjson", around(b"{} {}"), 2, Some(second + 3), "behind the record"),
        ("deep.ndjson", around(deep.as_bytes()), 2, None, "nested"),
        ("long.ndjson", around(long.as_bytes()), 2, Some(second), "is the limit"),
        ("cut.gz", packed, 1, None, "cut off"),
        (
            "first.ndjson",
            [&b"\n".repeat(10_000)[..], b"# note\n", GOOD.as_bytes()].concat(),
            1,
            Some(10_000),
            "not a JSON object",
        ),
        ("empty.json", Vec::new(), 0, None, "nothing in it"),
        ("header.evtx", b"ElfFile\0".to_vec(), 0, Some(0), "inside its header"),
        ("binary.log", binary, 0, None, "no known format"),
        ("utf16.json", b"\xff\xfe{\0}\0".to_vec(), 0, None, "UTF-16"),
    ];
    let files: Vec<(&str, &[u8])> = table.iter().map(|(name, bytes, ..)| (*name, bytes.as_slice())).collect();
    let folder = folder(&files);
    let mut all = 0;
    for (name, _, good, offset, says) in table {
        let ran = in_folder(folder.path(), &["scan", name]);
        assert_eq!(lines(&ran.stdout).len(), *good, "{name}: {}", ran.stderr);
        let place = offset.map_or(String::new(), |offset| format!("offset {offset}: "));
        let warning = ran.stderr.lines().find(|line| line.trim_start().starts_with(name));
        let warning = warning.unwrap_or_else(|| panic!("{name} is not named: {}", ran.stderr));
        assert!(warning.contains(&place) && warning.contains(says), "{name}: {warning}");
        all += good;
    }
    for threads in ["1", "2", "7"] {
        let ran = in_folder(folder.path(), &["scan", ".", "--threads", threads]);
        assert_eq!((lines(&ran.stdout).len(), ran.code), (all, 1), "{}", ran.stderr);
    }
}

#[cfg(unix)]
#[test]
fn a_folder_of_loops_and_pipes_is_read_to_its_end() {
    use std::os::unix::fs::symlink;
    let folder = folder(&[("a/good.ndjson", GOOD.as_bytes())]);
    let at = |name: &str| folder.path().join(name);
    symlink("..", at("a/up")).unwrap();
    symlink("self", at("self")).unwrap();
    symlink("nowhere", at("broken")).unwrap();
    symlink("a/good.ndjson", at("twice.ndjson")).unwrap();
    symlink("/dev/zero", at("zero")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
    let ran = in_folder(folder.path(), &["scan", "."]);
    assert_eq!((lines(&ran.stdout).len(), ran.code), (1, 1), "{}", ran.stderr);
    for name in ["a/up", "self", "broken", "zero", "pipe"] {
        assert!(ran.stderr.contains(&format!("./{name}: ")), "{name}: {}", ran.stderr);
    }
}

#[test]
fn names_of_files_are_told_with_nothing_that_a_terminal_obeys() {
    let folder = folder(&[("x\n0 alerts\u{1b}[2J.ndjson", b"{\"a\":1}\n{\"a\"")]);
    let ran = in_folder(folder.path(), &["scan", "."]);
    assert!(ran.stderr.contains("x\\n0 alerts\\u{1b}[2J.ndjson: offset 12"), "{}", ran.stderr);
    assert!(!ran.stderr.contains('\u{1b}') && !ran.stderr.contains("\n0 alerts\\"), "{}", ran.stderr);
}
