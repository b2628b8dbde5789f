//! Sources: bad inputs cost what they must and nothing else, and each is named with its place.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may panic, and says what it skipped"
)]

#[path = "../../../testing/test_data.rs"]
mod test_data;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use test_data::test_data;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use quell_event::Position;
use quell_ingest::TellTale;
use quell_ingest::format::format_named;
use quell_ingest::source::{
    Batch, InputWarning, Limits, Loss, OpenOptions, Origin, Reread, SourceFile, discover, open,
};

/// All that an input gave.
#[derive(Debug, Default)]
struct Read {
    format: &'static str,
    rereadable: bool,
    records: Vec<(Position, String)>,
    warnings: Vec<InputWarning>,
    bytes: u64,
    stored_bytes: u64,
    batches: usize,
}

impl Read {
    fn codes(&self) -> Vec<&'static str> {
        self.warnings.iter().map(|warning| warning.code.as_str()).collect()
    }

    fn texts(&self) -> Vec<&str> {
        self.records.iter().map(|(_, text)| text.as_str()).collect()
    }

    fn places(&self) -> Vec<(u64, u64)> {
        self.records.iter().map(|(position, _)| (position.offset, position.number)).collect()
    }
}

fn read_as(file: &SourceFile, options: &OpenOptions) -> Read {
    let mut read = Read::default();
    let mut input = match open(file, options) {
        Ok(input) => input,
        Err(warning) => {
            read.warnings.push(warning);
            return read;
        }
    };
    (read.format, read.rereadable) = (input.format.name(), input.rereadable);
    let mut batch = Batch::default();
    while input.next_batch(&mut batch) {
        read.records.extend(batch.iter().map(|(position, text)| (position, text.to_owned())));
        read.warnings.extend(batch.warnings.kept().iter().cloned());
        read.bytes += batch.bytes_read;
        read.stored_bytes += batch.stored_bytes_read;
        read.batches += 1;
    }
    assert!(!input.next_batch(&mut batch) && batch.records.is_empty(), "the end is not the end");
    read
}

fn read(path: &Path) -> Read {
    read_as(&SourceFile::at(path).unwrap(), &OpenOptions::default())
}

fn small(batch_bytes: usize, max_record_bytes: usize) -> OpenOptions {
    OpenOptions { format: None, limits: Limits { batch_bytes, max_record_bytes } }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A folder with files in it.
fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    folder
}

/// Reads bytes from a file with a name that says nothing.
fn read_bytes(bytes: &[u8], options: &OpenOptions) -> Read {
    let folder = folder(&[("input", bytes)]);
    read_as(&SourceFile::at(&folder.path().join("input")).unwrap(), options)
}

const A: &str = r#"{"event":{"id":"a"}}"#;
const B: &str = r#"{"event":{"id":"b"}}"#;

// ---- lines

/// Whatever the size of batches, those with the mark are the same, at the same places, as when all are read.
#[test]
fn of_lines_those_that_are_wanted_are_the_ones_with_the_mark() {
    let plain = format!(
        "{A}\n{{\"v\":\"468\"}}\n\r\n  {{\"v\":4688}}\r\n{{\"v\":[4689,4688]}}\n{B}\n{{\"v\":46894}}"
    );
    let long = format!("{A}\n{{\"v\":\"4688{}\"}}\n{{\"v\":4689}}\n", "x".repeat(2000));
    let damaged = [format!("{A}\n").as_bytes(), b"{\"v\":\"4688\xff\"}\n{\"v\":4688}\n"].concat();
    let marked = [&b"\xef\xbb\xbf"[..], b"{\"v\":4688}\n"].concat();
    let tell_tale = TellTale::default();
    for bytes in [plain.as_bytes(), long.as_bytes(), &damaged, &marked] {
        for stored in [bytes.to_vec(), gzip(bytes)] {
            for batch_bytes in [1, 7, 64, 1 << 20] {
                let options =
                    OpenOptions { format: format_named("ecs-json").ok(), ..small(batch_bytes, 500) };
                let all = read_bytes(&stored, &options).records.into_iter();
                let expected: Vec<(u64, String)> = all
                    .filter(|(_, text)| tell_tale.find(text.as_bytes()).is_some())
                    .map(|(position, text)| (position.offset, text))
                    .collect();
                assert!(!expected.is_empty());
                let folder = folder(&[("input", &stored)]);
                let file = SourceFile::at(&folder.path().join("input")).unwrap();
                let mut input = open(&file, &options).unwrap();
                let (mut batch, mut found) = (Batch::default(), Vec::new());
                while input.next_batch_of(&mut batch, &|text| tell_tale.find(text)) {
                    found.extend(batch.iter().map(|(position, text)| (position.offset, text.to_owned())));
                }
                assert_eq!(found, expected, "batches of {batch_bytes}");
            }
        }
    }
}

#[test]
fn damaged_lines_cost_themselves_alone() {
    let deep = format!("{}{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(2000));
    let half = A.get(..10).unwrap();
    let [a, b] = [A, B];
    type Row<'a> = (&'a str, Vec<u8>, Vec<&'a str>, Vec<(&'a str, Option<u64>, Option<u64>)>);
    let table: Vec<Row<'_>> = vec![
        ("whole", format!("{a}\n{b}\n").into(), vec![a, b], vec![]),
        ("no line break at the end", format!("{a}\n{b}").into(), vec![a, b], vec![]),
        (
            "half a line at the end is the decoder's to report",
            format!("{a}\n{half}").into(),
            vec![a, half],
            vec![],
        ),
        ("CRLF and blank lines", format!("\r\n{a}\r\n\n  \r\n{b}\r\n\r\n").into(), vec![a, b], vec![]),
        (
            "invalid UTF-8",
            [a.as_bytes(), b"\n{\"\xff\"}\n", b.as_bytes()].concat(),
            vec![a, b],
            vec![("W0411", Some(21), Some(2))],
        ),
        (
            "long line first",
            format!("{long}\n{a}\n{b}\n").into(),
            vec![a, b],
            vec![("W0501", Some(0), Some(1))],
        ),
        ("long line", format!("{a}\n{long}\n{b}\n").into(), vec![a, b], vec![("W0501", Some(21), Some(2))]),
        (
            "long line last",
            format!("{a}\n{b}\n{long}").into(),
            vec![a, b],
            vec![("W0501", Some(42), Some(3))],
        ),
        ("nested 10,000 deep", format!("{a}\n{deep}\n").into(), vec![a, &deep], vec![]),
        ("zeros", [a.as_bytes(), b"\n\0\0\0\n", b.as_bytes()].concat(), vec![a, "\0\0\0", b], vec![]),
        (
            "two objects on a line are the decoder's to report",
            format!("{a}{b}\n{b}").into(),
            vec![r#"{"event":{"id":"a"}}{"event":{"id":"b"}}"#, b],
            vec![],
        ),
    ];
    for (what, bytes, records, warnings) in table {
        for batch_bytes in [1, 16, 1 << 20] {
            let limit = if what.contains("long") { 1000 } else { 1 << 20 };
            let read = read_bytes(&bytes, &small(batch_bytes, limit));
            assert_eq!(read.format, "ecs-json", "{what}");
            assert_eq!(read.texts(), records, "{what}, batches of {batch_bytes}");
            let found: Vec<_> = read.warnings.iter().map(|w| (w.code.as_str(), w.offset, w.record)).collect();
            assert_eq!(found, warnings, "{what}, batches of {batch_bytes}");
            assert!(read.warnings.iter().all(|warning| warning.loss == Loss::Records), "{what}");
            assert_eq!((read.bytes, read.stored_bytes), (bytes.len() as u64, bytes.len() as u64), "{what}");
        }
    }
}

#[test]
fn records_know_their_line_and_offset() {
    let read = read_bytes(format!("\u{feff}{A}\r\n\r\n{B}\n").as_bytes(), &OpenOptions::default());
    assert_eq!(read.texts(), [A, B]);
    assert_eq!(read.places(), [(3, 1), (27, 3)]);
}

#[test]
fn a_line_of_100_megabytes_is_skipped_without_being_held() {
    let mut line = b"{\"a\":\"".to_vec();
    line.resize(100_000_000, b'x');
    let bytes = gzip(&[A.as_bytes(), b"\n", &line, b"\"}\n", B.as_bytes()].concat());
    let folder = folder(&[("big", &bytes)]);
    let mut input =
        open(&SourceFile::at(&folder.path().join("big")).unwrap(), &OpenOptions::default()).unwrap();
    let mut batch = Batch::default();
    let (mut texts, mut warnings) = (Vec::new(), Vec::new());
    while input.next_batch(&mut batch) {
        texts.extend(batch.iter().map(|(_, text)| text.to_owned()));
        warnings.extend(batch.warnings.kept().iter().map(ToString::to_string));
        assert!(batch.text.capacity() < 1 << 20, "{}", batch.text.capacity());
    }
    assert_eq!(texts, [A, B]);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("offset 21: line 2 is 100000003 bytes long"), "{}", warnings[0]);
}

#[test]
fn a_flood_of_damaged_lines_is_counted_and_not_kept() {
    let bytes = [format!("{A}\n").as_bytes(), &b"{\"\xff\"}\n".repeat(50_000)].concat();
    let folder = folder(&[("flood", &bytes)]);
    let mut input =
        open(&SourceFile::at(&folder.path().join("flood")).unwrap(), &OpenOptions::default()).unwrap();
    let mut batch = Batch::default();
    assert!(input.next_batch(&mut batch));
    assert_eq!((batch.records.len(), batch.warnings.total_of(Loss::Records)), (1, 50_000));
    assert_eq!(batch.warnings.kept().len(), 100);
}

#[test]
fn a_record_is_read_again_from_its_place() {
    let bytes = format!("\u{feff}{A}\r\n\n{B}");
    let folder = folder(&[("plain", bytes.as_bytes()), ("packed", &gzip(bytes.as_bytes()))]);
    let file = SourceFile::at(&folder.path().join("plain")).unwrap();
    let plain = read_as(&file, &OpenOptions::default());
    assert!(plain.rereadable);
    for (position, text) in &plain.records {
        assert_eq!(Reread::default().record(&file, *position, text.len() as u32).unwrap(), *text);
    }
    assert!(
        Reread::default().record(&file, Position { offset: 30, number: 9 }, 1000).is_err(),
        "it is not that long"
    );
    assert!(!read(&folder.path().join("packed")).rereadable);
}

/// What a line may hold: text, blanks, zeros, damaged UTF-8, and lengths around the limits.
fn line() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => "\\{\"[a-zé€]{0,20}\":1\\}".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..40)
            .prop_map(|bytes| bytes.into_iter().filter(|b| *b != b'\n').collect()),
        1 => "[ \r\t]{0,3}".prop_map(String::into_bytes),
        1 => (90usize..110).prop_map(|n| vec![b'x'; n]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// However it is cut into batches, a file gives its lines, each once and at its place, or names them.
    #[test]
    fn batches_together_are_the_lines(
        lines in proptest::collection::vec(line(), 0..30),
        batch_bytes in 1usize..300,
        ends in any::<bool>(),
    ) {
        const MAX: usize = 100;
        let mut bytes = lines.join(&b'\n');
        if ends {
            bytes.push(b'\n');
        }
        let options = OpenOptions { format: Some(format_named("ecs-json").unwrap()), ..small(batch_bytes, MAX) };
        prop_assume!(!bytes.trim_ascii().is_empty() && !bytes.starts_with(&[0x1f, 0x8b]));
        prop_assume!(![&[0xff, 0xfe][..], &[0xfe, 0xff], b"\xef\xbb\xbf"].iter().any(|bom| bytes.starts_with(bom)));
        let (mut records, mut lost, mut offset) = (Vec::new(), Vec::new(), 0u64);
        for (line, number) in bytes.split(|b| *b == b'\n').zip(1u64..) {
            let text = line.trim_ascii_end();
            match std::str::from_utf8(text) {
                _ if text.is_empty() => {}
                Ok(text) if text.len() <= MAX => records.push((Position { offset, number }, text.to_owned())),
                _ => lost.push((Some(offset), Some(number))),
            }
            offset += line.len() as u64 + 1;
        }
        let read = read_bytes(&bytes, &options);
        prop_assert_eq!(read.records, records);
        let found: Vec<_> = read.warnings.iter().map(|warning| (warning.offset, warning.record)).collect();
        prop_assert_eq!(found, lost);
        prop_assert_eq!(read.bytes, bytes.len() as u64);
    }
}

// ---- whole inputs

#[test]
fn inputs_that_cannot_be_used_say_so() {
    let table: &[(&str, &[u8], &str, Loss, Loss)] = &[
        ("empty", b"", "W0406", Loss::Nothing, Loss::Nothing),
        ("blank", b"\n \r\n", "W0406", Loss::Nothing, Loss::Nothing),
        ("binary", b"\x7fELF\x02\x01\x01\0\0\0\n\0", "W0402", Loss::Input, Loss::Nothing),
        ("text", b"hello\n", "W0402", Loss::Input, Loss::Nothing),
        ("array", b"[{\"a\":1}]", "W0402", Loss::Input, Loss::Nothing),
        ("utf-16", b"\xff\xfe{\0}\0", "W0402", Loss::Input, Loss::Nothing),
    ];
    for (what, bytes, code, named, found) in table {
        let folder = folder(&[("f", bytes)]);
        let discovery = discover(&[folder.path()]);
        assert_eq!(discovery.files[0].origin, Origin::Found);
        let in_folder = read_as(&discovery.files[0], &OpenOptions::default());
        let by_name = read(&folder.path().join("f"));
        assert_eq!((in_folder.codes(), by_name.codes()), (vec![*code], vec![*code]), "{what}");
        assert_eq!((by_name.warnings[0].loss, in_folder.warnings[0].loss), (*named, *found), "{what}");
        assert!(by_name.warnings[0].to_string().contains("/f: "), "{}", by_name.warnings[0]);
    }
}

#[test]
fn an_input_that_vanishes_or_is_a_folder_is_unreadable() {
    let folder = folder(&[("gone", A.as_bytes()), ("sub/x", b"")]);
    let mut file = SourceFile::at(&folder.path().join("gone")).unwrap();
    fs::remove_file(&file.path).unwrap();
    let read = read_as(&file, &OpenOptions::default());
    assert_eq!((read.codes(), read.warnings[0].loss), (vec!["W0401"], Loss::Input));
    file.path = folder.path().join("sub").into();
    assert_eq!(read_as(&file, &OpenOptions::default()).codes(), ["W0401"]);
}

#[test]
fn a_format_that_is_asked_for_is_taken() {
    let folder = folder(&[("f", A.as_bytes())]);
    let file = SourceFile::at(&folder.path().join("f")).unwrap();
    for name in ["ecs-json", "windows-json", "winlogbeat6"] {
        let options = OpenOptions { format: Some(format_named(name).unwrap()), ..OpenOptions::default() };
        let read = read_as(&file, &options);
        assert_eq!((read.format, read.texts()), (name, vec![A]));
    }
    let options = OpenOptions { format: Some(format_named("evtx").unwrap()), ..OpenOptions::default() };
    assert_eq!(read_as(&file, &options).codes(), ["W0434"]);
}

// ---- gzip

#[test]
fn gzip_is_told_by_content_and_what_is_read_before_damage_is_kept() {
    let many: String = (0..20_000).map(|n| format!("{{\"event\":{{\"id\":\"{n}\"}}}}\n")).collect();
    let packed = gzip(many.as_bytes());
    let mut corrupt = packed.clone();
    let middle = corrupt.len() / 2;
    corrupt[middle..middle + 64].fill(0xff);
    let cut = &packed[..packed.len() / 2];
    let members = [gzip(A.as_bytes()), gzip(b"\n"), gzip(B.as_bytes())].concat();
    let garbage = [&packed[..], b"garbage"].concat();

    let whole = read_bytes(&packed, &OpenOptions::default());
    assert_eq!((whole.records.len(), whole.codes().len()), (20_000, 0));
    assert_eq!((whole.bytes, whole.stored_bytes), (many.len() as u64, packed.len() as u64));
    assert_eq!(read_bytes(&members, &OpenOptions::default()).texts(), [A, B]);
    assert_eq!(read_bytes(&gzip(b""), &OpenOptions::default()).codes(), ["W0406"]);

    for (what, bytes) in [("cut", cut), ("corrupt", &corrupt), ("garbage", &garbage)] {
        for batch_bytes in [1000, 4 << 20] {
            let read = read_bytes(bytes, &small(batch_bytes, 1 << 20));
            assert_eq!(read.codes(), ["W0420"], "{what}");
            assert_eq!(read.warnings[0].loss, Loss::Records, "{what}");
            let at = read.warnings[0].offset.unwrap();
            assert_eq!(at, read.bytes, "{what}");
            // All whole lines before the damage, and nothing that is not a line.
            let before = many.as_bytes().get(..at as usize).unwrap_or(many.as_bytes());
            if what != "corrupt" {
                assert_eq!(read.records.len(), before.iter().filter(|b| **b == b'\n').count(), "{what}");
                assert!(read.texts().iter().zip(many.lines()).all(|(a, b)| *a == b), "{what}");
            }
            assert!(read.records.len() > 1000, "{what}: {}", read.records.len());
        }
    }
    assert_eq!(read_bytes(&packed[..9], &OpenOptions::default()).warnings[0].loss, Loss::Input);
    assert_eq!(read_bytes(&[0x1f, 0x8b], &OpenOptions::default()).codes(), ["W0420"]);
}

#[test]
fn a_gzip_bomb_takes_no_memory() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    for _ in 0..256 {
        encoder.write_all(&vec![b'{'; 1 << 20]).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 1 << 20);
    let options = OpenOptions { format: Some(format_named("ecs-json").unwrap()), ..OpenOptions::default() };
    let read = read_bytes(&bomb, &options);
    assert_eq!((read.records.len(), read.codes(), read.bytes), (0, vec!["W0501"], 256 << 20));
}

// ---- recorded data

#[test]
fn recorded_windows_json_is_told_apart_and_read_line_by_line() {
    let Some(folder) = test_data("windows-json") else { return };
    let (mut records, mut bytes) = (0, 0);
    for file in discover(&[folder]).files {
        let name = file.path.file_name().unwrap().to_str().unwrap();
        let beat = name.starts_with("empire_enable_rdp") || name.starts_with("empire_wdigest_downgrade");
        let expected = if beat { "winlogbeat6" } else { "windows-json" };
        let mut input = open(&file, &OpenOptions::default()).unwrap();
        assert_eq!(input.format.name(), expected, "{name}");
        assert!(input.confidence.as_percent() >= 90 && input.compressed && !input.rereadable, "{name}");
        let mut plain = String::new();
        let packed = fs::File::open(&file.path).unwrap();
        std::io::Read::read_to_string(&mut flate2::read::MultiGzDecoder::new(packed), &mut plain).unwrap();
        let mut lines = plain.lines().filter(|line| !line.trim().is_empty());
        let mut batch = Batch::default();
        while input.next_batch(&mut batch) {
            assert!(batch.warnings.is_empty(), "{name}: {:?}", batch.warnings);
            assert!(batch.iter().all(|(_, text)| Some(text) == lines.next().map(str::trim_end)), "{name}");
            records += batch.records.len();
            bytes += batch.bytes_read;
        }
        assert_eq!(lines.next(), None, "{name}");
    }
    println!("{records} records, {bytes} bytes");
    assert!(records > 0);
}

// ---- finding

fn names(base: &Path, found: &quell_ingest::source::Discovery) -> Vec<String> {
    let name = |path: &Path| path.strip_prefix(base).unwrap_or(path).display().to_string();
    found.files.iter().map(|file| name(&file.path)).collect()
}

#[test]
fn inputs_are_sorted_and_found_once_whatever_the_order_of_arguments() {
    let folder =
        folder(&[("b.json", b"x"), ("a/z", b""), ("a/b/c.gz", b""), ("a-b", b""), ("c[1].json", b"")]);
    let base = folder.path();
    let join = |names: &[&str]| names.iter().map(|name| base.join(name)).collect::<Vec<PathBuf>>();
    // Names compare one by one: `a/z` comes before `a-b`.
    let all = vec!["a/b/c.gz", "a/z", "a-b", "b.json", "c[1].json"];
    let table: Vec<(Vec<PathBuf>, Vec<&str>)> = vec![
        (join(&[""]), all.clone()),
        (join(&["b.json", "a", "a/z", "", "."]), all.clone()),
        (join(&["", "a", "b.json", "a/../a/z"]), all),
        (join(&["*.json"]), vec!["b.json", "c[1].json"]),
        (join(&["c[1].json"]), vec!["c[1].json"]),
        (join(&["**/*.gz", "a"]), vec!["a/b/c.gz", "a/z"]),
        (join(&["a*"]), vec!["a/b/c.gz", "a/z", "a-b"]),
        (vec!["-".into(), base.join("b.json"), "-".into()], vec!["b.json", "-"]),
    ];
    for (mut arguments, expected) in table {
        for _ in 0..2 {
            let found = discover(&arguments);
            assert_eq!(names(base, &found), expected, "{arguments:?}");
            assert!(found.warnings.is_empty(), "{:?}", found.warnings);
            arguments.reverse();
        }
    }
    let both = discover(&join(&["", "b.json"]));
    let origin = |name: &str| both.files.iter().find(|file| file.path.ends_with(name)).unwrap().origin;
    assert_eq!((origin("b.json"), origin("a-b")), (Origin::Named, Origin::Found));
}

#[test]
fn an_empty_folder_is_named_and_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    let found = discover(&[folder.path()]);
    let warnings: Vec<String> = found.warnings.kept().iter().map(ToString::to_string).collect();
    assert_eq!(warnings, [format!("{}: no file in this folder", folder.path().display())]);
    assert_eq!(found.warnings.total_of(Loss::Nothing), 1);
}

#[test]
fn what_is_not_there_is_named() {
    let folder = folder(&[("a", b"")]);
    let found =
        discover(&[folder.path().join("nope"), folder.path().join("*.evtx"), folder.path().join("[")]);
    assert!(found.files.is_empty());
    let messages: Vec<String> = found.warnings.kept().iter().map(|w| w.message.clone()).collect();
    assert_eq!(found.warnings.total_of(Loss::Input), 3);
    assert!(messages.iter().any(|m| m == "no such file or folder"), "{messages:?}");
    assert!(messages.iter().any(|m| m == "nothing matches the pattern"), "{messages:?}");
    assert!(messages.iter().any(|m| m.starts_with("not a pattern")), "{messages:?}");
}

#[cfg(unix)]
mod links {
    use super::{A, OpenOptions, Origin, discover, folder, names, read_as};
    use quell_ingest::source::Loss;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::process::Command;

    #[test]
    fn loops_and_broken_links_are_named_and_files_read_once() {
        let folder = folder(&[("a/file", b"x"), ("other/file", b"y")]);
        let base = folder.path();
        symlink(base, base.join("a/up")).unwrap();
        symlink(base.join("itself"), base.join("itself")).unwrap();
        symlink(base.join("nowhere"), base.join("broken")).unwrap();
        symlink(base.join("a/file"), base.join("twice")).unwrap();
        symlink(base.join("other"), base.join("zz")).unwrap();
        let found = discover(&[base]);
        assert_eq!(names(base, &found), ["a/file", "other/file"]);
        let codes: Vec<_> = found.warnings.kept().iter().map(|w| w.code.as_str()).collect();
        assert_eq!(codes, ["W0405", "W0403", "W0405"], "{:?}", found.warnings);
        assert_eq!(found.warnings.total_of(Loss::Nothing), 3);
        let named = discover(&[base.join("broken"), base.join("itself")]);
        assert_eq!((named.files.len(), named.warnings.total_of(Loss::Input)), (0, 2));
    }

    #[test]
    fn folders_linked_in_exponentially_many_ways_are_searched_once() {
        let folder = folder(&[("40/file", b"x")]);
        let base = folder.path();
        for level in 0..40 {
            let here = base.join(level.to_string());
            fs::create_dir(&here).unwrap();
            for side in ["l", "r"] {
                symlink(base.join((level + 1).to_string()), here.join(side)).unwrap();
            }
        }
        assert_eq!(discover(&[base.join("0")]).files.len(), 1);
    }

    #[test]
    fn a_pipe_is_read_where_it_is_named_and_left_out_of_a_folder() {
        let folder = folder(&[("file", A.as_bytes())]);
        let pipe = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let found = discover(&[folder.path()]);
        assert_eq!(names(folder.path(), &found), ["file"]);
        assert_eq!(found.warnings.kept()[0].code.as_str(), "W0404");

        let named = discover(&[&pipe]);
        assert_eq!((named.files[0].origin, named.files[0].bytes), (Origin::Named, None));
        let writer = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::write(pipe, format!("{A}\n{A}\n")).unwrap()
        });
        let read = read_as(&named.files[0], &OpenOptions::default());
        writer.join().unwrap();
        assert_eq!((read.texts(), read.rereadable), (vec![A, A], false));
    }
}
