//! Live inputs: what is written is handed out once, promptly, and from any saved position on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may panic, and its child process prints"
)]

use std::fs::{self, File, OpenOptions as FileOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use proptest::prelude::*;
use quell_event::Position;
use quell_ingest::{Batch, FollowPosition, Format, Limits, Live, LiveInput, Loss, OpenOptions, format_named};

/// Longer than anything takes; a test that waits so long has failed.
const LONG: Duration = Duration::from_secs(20);
/// Long enough that what is not handed out by then is not going to be.
const MOMENT: Duration = Duration::from_millis(400);

fn ecs() -> &'static dyn Format {
    format_named("ecs-json").ok().unwrap()
}

/// Lines of any text, one record a batch.
fn one_by_one() -> OpenOptions {
    OpenOptions { format: Some(ecs()), limits: Limits { batch_bytes: 1, ..Limits::default() } }
}

fn line(id: impl std::fmt::Display) -> String {
    format!(r#"{{"event":{{"id":"{id}"}}}}"#)
}

/// A live input and all that it gave.
struct Reader {
    input: LiveInput,
    batch: Batch,
    records: Vec<(Position, String)>,
    warnings: Vec<(&'static str, Loss)>,
    /// The position after each batch.
    positions: Vec<FollowPosition>,
    ending: Option<Result<(), String>>,
}

impl Reader {
    fn new(input: LiveInput) -> Reader {
        Reader {
            input,
            batch: Batch::default(),
            records: vec![],
            warnings: vec![],
            positions: vec![],
            ending: None,
        }
    }

    fn follow(path: &Path) -> Reader {
        Reader::new(LiveInput::follow(path, None, &OpenOptions::default()))
    }

    /// One look; whether there was something.
    fn look(&mut self, timeout: Duration) -> bool {
        match self.input.next(&mut self.batch, timeout) {
            // A followed file was opened: only its position is new.
            Live::Records if self.batch.bytes_read == 0 && self.batch.warnings.is_empty() => {
                assert!(self.input.position().is_some() && self.batch.records.is_empty());
                return self.look(timeout);
            }
            Live::Records => {
                let records = self.batch.iter().map(|(position, text)| (position, text.to_owned()));
                self.records.extend(records);
                self.warnings.extend(self.batch.warnings.kept().iter().map(|w| (w.code.as_str(), w.loss)));
                self.positions.extend(self.input.position());
                return true;
            }
            Live::Idle => {}
            Live::End => {
                self.ending.get_or_insert(Ok(()));
            }
            Live::Failed(warning) => self.ending = Some(Err(warning.to_string())),
        }
        assert!(self.batch.records.is_empty() && self.batch.warnings.is_empty());
        false
    }

    /// Reads until there are that many records.
    fn until(&mut self, count: usize) {
        let start = Instant::now();
        while self.records.len() < count {
            assert!(self.ending.is_none(), "{:?} after {:?}", self.ending, self.texts());
            assert!(start.elapsed() < LONG, "only {:?}; {:?}", self.texts(), self.warnings);
            self.look(MOMENT);
        }
    }

    /// Reads until nothing comes for a moment.
    fn rest(&mut self) {
        while self.look(MOMENT) {}
    }

    fn until_warned(&mut self, code: &str) {
        let start = Instant::now();
        while !self.warnings.iter().any(|(found, _)| *found == code) {
            assert!(start.elapsed() < LONG, "no {code}; {:?}", self.texts());
            self.look(MOMENT);
        }
    }

    fn until_ended(&mut self) -> Result<(), String> {
        let start = Instant::now();
        while self.ending.is_none() {
            assert!(start.elapsed() < LONG, "no end");
            self.look(MOMENT);
        }
        self.ending.clone().unwrap()
    }

    fn texts(&self) -> Vec<&str> {
        self.records.iter().map(|(_, text)| text.as_str()).collect()
    }

    fn codes(&self) -> Vec<&'static str> {
        self.warnings.iter().map(|(code, _)| *code).collect()
    }
}

fn append(path: &Path, bytes: impl AsRef<[u8]>) {
    let mut file = FileOptions::new().append(true).create(true).open(path).unwrap();
    file.write_all(bytes.as_ref()).unwrap();
}

/// A log and the files that were rotated away from it.
struct Log {
    folder: tempfile::TempDir,
    rotated: usize,
}

impl Log {
    fn new() -> Log {
        Log { folder: tempfile::tempdir().unwrap(), rotated: 0 }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("app.log")
    }

    fn numbered(&self, number: usize) -> PathBuf {
        self.folder.path().join(format!("app.log.{number}"))
    }

    /// Renames every file to the next number.
    fn rotate(&mut self) {
        for number in (1..=self.rotated).rev() {
            fs::rename(self.numbered(number), self.numbered(number + 1)).unwrap();
        }
        fs::rename(self.path(), self.numbered(1)).unwrap();
        self.rotated += 1;
    }

    /// Makes every rotated file as old as if there had been an hour between them.
    fn age(&self) {
        for number in 1..=self.rotated {
            let hours = Duration::from_secs(3600 * number as u64);
            let file = FileOptions::new().append(true).open(self.numbered(number)).unwrap();
            file.set_modified(SystemTime::now() - hours).unwrap();
        }
    }
}

// ---- standard input and pipes

/// Prints what it reads from standard input, when it is started so.
fn be_the_child() {
    let mut reader = Reader::new(LiveInput::stdin(&OpenOptions::default()));
    while reader.ending.is_none() {
        let before = reader.records.len();
        reader.look(LONG);
        for (position, text) in &reader.records[before..] {
            println!("record {} {} {text}", position.offset, position.number);
        }
    }
    println!("{:?} {:?} {:?}", reader.codes(), reader.ending, reader.input.position());
}

#[test]
fn standard_input_is_read_as_it_comes_and_ends() {
    const CHILD: &str = "QUELL_TEST_LIVE_CHILD";
    if std::env::var_os(CHILD).is_some() {
        be_the_child();
        return;
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "standard_input_is_read_as_it_comes_and_ends", "--nocapture"])
        .env(CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut printed = |start: &str| output.by_ref().find(|line| line.contains(start)).unwrap();
    writeln!(input, "\u{feff}{}\r", line("a")).unwrap();
    let first = printed("record");
    assert!(first.ends_with(&format!("record 3 1 {}", line("a"))), "{first}");
    // The last line needs no line break; the one before is no UTF-8.
    input.write_all(b"\n{\"\xff\"}\n").unwrap();
    write!(input, "{}", line("b")).unwrap();
    drop(input);
    // After the mark, the first line and its break, a blank line, and the six bytes that are no UTF-8.
    let offset = 3 + line("a").len() + 2 + 1 + 6;
    assert_eq!(printed("record"), format!("record {offset} 4 {}", line("b")));
    assert_eq!(printed("Ok"), r#"["W0411"] Some(Ok(())) None"#);
    assert!(child.wait().unwrap().success());
}

#[cfg(unix)]
mod pipes {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn pipe(folder: &Path) -> PathBuf {
        let path = folder.join("pipe");
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    }

    #[test]
    fn a_line_is_handed_out_while_the_writer_goes_on_and_so_is_the_next_writers() {
        let folder = tempfile::tempdir().unwrap();
        let path = pipe(folder.path());
        let mut reader = Reader::new(LiveInput::pipe(&path, &OpenOptions::default()));
        for writer in 0..3 {
            let mut file = FileOptions::new().write(true).open(&path).unwrap();
            for number in 0..3 {
                let before = reader.records.len();
                let sent = Instant::now();
                writeln!(file, "{}", line(format!("{writer}-{number}"))).unwrap();
                reader.until(before + 1);
                assert!(sent.elapsed() < Duration::from_millis(500), "{:?}", sent.elapsed());
            }
            // What the writer leaves without a line break is a record when it has closed the pipe.
            write!(file, "{}", line(format!("{writer}-last"))).unwrap();
            reader.look(Duration::from_millis(50));
            drop(file);
            reader.until((writer + 1) * 4);
        }
        let expected: Vec<String> =
            (0..3).flat_map(|w| ["0", "1", "2", "last"].map(|n| line(format!("{w}-{n}")))).collect();
        assert_eq!(reader.texts(), expected);
        let numbers: Vec<u64> = reader.records.iter().map(|(position, _)| position.number).collect();
        assert_eq!(numbers, (1..=12).collect::<Vec<_>>());
        assert_eq!((reader.codes(), reader.ending), (vec![], None));
        assert!(reader.input.position().is_none());
    }

    #[test]
    fn a_pipe_without_writer_is_dropped_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let start = Instant::now();
        let mut reader = Reader::new(LiveInput::pipe(&pipe(folder.path()), &OpenOptions::default()));
        assert!(!reader.look(Duration::from_millis(50)) && reader.ending.is_none());
        drop(reader);
        assert!(start.elapsed() < Duration::from_secs(2));
    }

    #[test]
    fn a_writer_of_garbage_costs_what_it_wrote() {
        let folder = tempfile::tempdir().unwrap();
        let path = pipe(folder.path());
        let mut reader = Reader::new(LiveInput::pipe(&path, &OpenOptions::default()));
        fs::write(&path, "no json\nat all").unwrap();
        reader.until_warned("W0402");
        fs::write(&path, line("a") + "\n").unwrap();
        reader.until(1);
        assert_eq!((reader.texts(), reader.codes()), (vec![line("a").as_str()], vec!["W0402"]));
    }

    #[test]
    fn a_fast_writer_waits_for_a_slow_reader() {
        let folder = tempfile::tempdir().unwrap();
        let path = pipe(folder.path());
        let limits = Limits { batch_bytes: 64 << 10, ..Limits::default() };
        let options = OpenOptions { limits, ..OpenOptions::default() };
        let mut input = LiveInput::pipe(&path, &options);
        let written = Arc::new(AtomicUsize::new(0));
        let lines = 400_000;
        let writer = std::thread::spawn({
            let written = Arc::clone(&written);
            move || {
                let mut file = FileOptions::new().write(true).open(path).unwrap();
                for number in 0..lines {
                    let line = line(number) + "\n";
                    file.write_all(line.as_bytes()).unwrap();
                    written.fetch_add(line.len(), Ordering::Relaxed);
                }
            }
        });
        let mut batch = Batch::default();
        let mut taken = 0;
        let mut records = 0;
        let start = Instant::now();
        while records < lines {
            if records < 20_000 {
                std::thread::sleep(Duration::from_millis(50));
                let ahead = written.load(Ordering::Relaxed) - taken;
                assert!(ahead < 512 << 10, "{ahead} bytes are held");
            }
            assert!(start.elapsed() < LONG, "{records} of {lines}");
            assert!(!matches!(input.next(&mut batch, MOMENT), Live::End | Live::Failed(_)));
            for (_, text) in batch.iter() {
                assert_eq!(text, line(records));
                records += 1;
            }
            assert!(batch.text.capacity() < 512 << 10, "{}", batch.text.capacity());
            taken += usize::try_from(batch.bytes_read).unwrap();
        }
        writer.join().unwrap();
    }
}

// ---- what cannot be live

#[test]
fn what_cannot_be_live_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let evtx = OpenOptions { format: format_named("evtx").ok(), ..OpenOptions::default() };
    let plain = OpenOptions::default();
    let cases: &[(&[u8], &OpenOptions, &str)] = &[
        (b"{\"a\":1}\n", &evtx, "evtx cannot be read as it comes; winlogbeat6, windows-json, ecs-json can"),
        (b"ElfFile\0\n....", &plain, "evtx cannot be read as it comes"),
        (b"\x1f\x8b\x08\n", &plain, "compressed"),
        (b"\xff\xfe{\0\n\0", &plain, "UTF-16"),
        (&b"what is this\n".repeat(30_000), &plain, "of no known format"),
    ];
    for (bytes, options, reason) in cases {
        let path = folder.path().join("input");
        fs::write(&path, bytes).unwrap();
        let ending = Reader::new(LiveInput::follow(&path, None, options)).until_ended().unwrap_err();
        assert!(ending.contains(reason), "{ending}");
    }
    assert!(Reader::follow(folder.path()).until_ended().unwrap_err().contains("not a regular file"));
    // Anything that is no pipe ends.
    let path = folder.path().join("file");
    fs::write(&path, line("a")).unwrap();
    let mut reader = Reader::new(LiveInput::pipe(&path, &plain));
    assert_eq!(reader.until_ended(), Ok(()));
    assert_eq!(reader.texts(), [line("a")]);
    fs::write(&path, "").unwrap();
    let mut reader = Reader::new(LiveInput::pipe(&path, &plain));
    assert_eq!((reader.until_ended(), reader.codes()), (Ok(()), vec!["W0406"]));
}

// ---- following

#[test]
fn a_file_that_is_not_there_yet_is_waited_for() {
    let log = Log::new();
    let mut reader = Reader::follow(&log.path());
    assert!(!reader.look(Duration::from_millis(300)));
    append(&log.path(), line("a") + "\n");
    reader.until(1);
    assert_eq!((reader.texts(), reader.codes()), (vec![line("a").as_str()], vec![]));
    assert_eq!(reader.input.format().map(Format::name), Some("ecs-json"));
}

#[test]
fn the_format_is_told_by_the_first_lines_and_saved() {
    let log = Log::new();
    append(&log.path(), "# started\n");
    let mut reader = Reader::follow(&log.path());
    assert!(!reader.look(Duration::from_millis(100)), "nothing says yet what it is");
    append(&log.path(), "{\"EventID\":1,\"Channel\":\"Security\",\"Hostname\":\"w\"}\n");
    reader.until(2);
    assert_eq!(reader.input.format().map(Format::name), Some("windows-json"));
    let position = reader.input.position().unwrap();
    append(&log.path(), line("of another format") + "\n");
    let mut reader = Reader::new(LiveInput::follow(&log.path(), Some(position), &OpenOptions::default()));
    reader.until(1);
    assert_eq!(reader.input.format().map(Format::name), Some("windows-json"));
}

#[test]
fn lines_and_characters_that_come_in_pieces_are_put_together() {
    let log = Log::new();
    let text = format!("\u{feff}{}\n\r\n{}\r\n{}\n", line("é"), line("日本語"), line("🦀"));
    let mut reader = Reader::follow(&log.path());
    for byte in text.as_bytes() {
        append(&log.path(), [*byte]);
        reader.look(Duration::from_millis(3));
    }
    reader.until(3);
    assert_eq!(reader.texts(), [line("é"), line("日本語"), line("🦀")]);
    let places: Vec<_> = reader.records.iter().map(|(p, _)| (p.offset, p.number)).collect();
    let at = |id: &str| text.find(&line(id)).unwrap() as u64;
    assert_eq!(places, [(3, 1), (at("日本語"), 3), (at("🦀"), 4)]);
    let position = reader.input.position().unwrap();
    assert_eq!((position.offset(), position.lines()), (text.len() as u64, 4));
}

#[test]
fn a_last_line_waits_for_its_line_break_and_is_a_record_at_a_rotation() {
    let mut log = Log::new();
    append(&log.path(), format!("{}\n{}", line("a"), line("b")));
    let mut reader = Reader::follow(&log.path());
    reader.until(1);
    reader.rest();
    assert_eq!(reader.texts(), [line("a")]);
    log.rotate();
    append(&log.path(), "");
    reader.rest();
    assert_eq!(
        reader.texts(),
        [line("a")],
        "while the new file is empty the writer may go on with the old one"
    );
    append(&log.numbered(1), format!("\n{}\n{}", line("c"), line("d")));
    reader.until(3);
    append(&log.path(), line("e") + "\n");
    reader.until(5);
    assert_eq!(reader.texts(), ["a", "b", "c", "d", "e"].map(line));
    let last = reader.records[4].0;
    assert_eq!((last.offset, last.number), (0, 1));
    assert_eq!(reader.codes(), Vec::<&str>::new());
}

#[test]
fn a_file_that_is_deleted_is_read_to_its_end_and_the_next_waited_for() {
    let log = Log::new();
    append(&log.path(), line("a") + "\n");
    let mut reader = Reader::follow(&log.path());
    reader.until(1);
    let mut file = FileOptions::new().append(true).open(log.path()).unwrap();
    fs::remove_file(log.path()).unwrap();
    writeln!(file, "{}", line("b")).unwrap();
    reader.until(2);
    append(&log.path(), line("c") + "\n");
    reader.until(3);
    assert_eq!(
        (reader.texts(), reader.codes()),
        (["a", "b", "c"].map(line).iter().map(String::as_str).collect(), vec![])
    );
}

#[test]
fn a_cut_is_reported_and_the_file_read_from_its_beginning() {
    let log = Log::new();
    append(&log.path(), format!("{}\n{}\n", line("a"), line("long enough")));
    let mut reader = Reader::follow(&log.path());
    reader.until(2);
    File::create(log.path()).unwrap();
    reader.until_warned("W0408");
    append(&log.path(), line("b") + "\n");
    reader.until(3);
    // Written anew and longer than before: only the beginning tells.
    fs::write(log.path(), format!("{}\n", line("c")).repeat(9)).unwrap();
    reader.until(12);
    assert_eq!(reader.codes(), ["W0408", "W0408"]);
    assert_eq!(reader.texts()[2..4], [line("b"), line("c")]);
    // The same while nobody looks.
    let position = reader.input.position();
    drop(reader);
    fs::write(log.path(), line("d") + "\n").unwrap();
    let mut reader = Reader::new(LiveInput::follow(&log.path(), position, &OpenOptions::default()));
    reader.until(1);
    assert_eq!((reader.texts(), reader.codes()), (vec![line("d").as_str()], vec!["W0408"]));
}

#[test]
fn what_cannot_be_read_on_is_reported() {
    let mut log = Log::new();
    append(&log.path(), line("a") + "\n");
    let mut reader = Reader::follow(&log.path());
    reader.until(1);
    let position = reader.input.position();
    drop(reader);
    let resume = |log: &Log| {
        let mut reader =
            Reader::new(LiveInput::follow(&log.path(), position.clone(), &OpenOptions::default()));
        reader.rest();
        reader
    };
    // A compressed file between the one of the position and the present one.
    for id in ["lost", "b"] {
        log.rotate();
        append(&log.path(), line(id) + "\n");
    }
    log.age();
    let compressed = log.folder.path().join("app.log.1.gz");
    fs::rename(log.numbered(1), &compressed).unwrap();
    let reader = resume(&log);
    assert_eq!((reader.texts(), reader.codes()), (vec![line("b").as_str()], vec!["W0409"]));
    // The one of the position is compressed itself: what was written after it is still there.
    fs::rename(&compressed, log.numbered(1)).unwrap();
    let old = fs::read(log.numbered(2)).unwrap();
    fs::write(log.folder.path().join("app.log.2.gz"), old).unwrap();
    fs::remove_file(log.numbered(2)).unwrap();
    for number in 1..=2 {
        let name = if number == 1 { "app.log.1" } else { "app.log.2.gz" };
        let file = FileOptions::new().append(true).open(log.folder.path().join(name)).unwrap();
        file.set_modified(SystemTime::now() + Duration::from_secs(30 - number)).unwrap();
    }
    let reader = resume(&log);
    assert_eq!(reader.texts(), [line("lost"), line("b")]);
    assert_eq!(reader.codes(), ["W0409", "W0409"]);
    // Nothing but the present one is left.
    fs::remove_file(log.numbered(1)).unwrap();
    fs::remove_file(log.folder.path().join("app.log.2.gz")).unwrap();
    let reader = resume(&log);
    assert_eq!((reader.texts(), reader.codes()), (vec![line("b").as_str()], vec!["W0409"]));
}

#[test]
fn other_logs_of_the_folder_are_left_alone() {
    let mut log = Log::new();
    append(&log.path(), line("a") + "\n");
    let mut reader = Reader::follow(&log.path());
    reader.until(1);
    log.rotate();
    for other in ["app.log2", "app-errors.log", "other.log.1", "app.log.lock"] {
        append(&log.folder.path().join(other), line(other) + "\n");
    }
    fs::create_dir(log.folder.path().join("app.log.3")).unwrap();
    append(&log.path(), line("b") + "\n");
    reader.until(2);
    reader.rest();
    assert_eq!(reader.texts(), [line("a"), line("b")]);
}

#[test]
fn a_huge_line_is_skipped_without_being_held() {
    let log = Log::new();
    let mut reader = Reader::follow(&log.path());
    append(&log.path(), line("a") + "\n");
    reader.until(1);
    let position = reader.input.position();
    for _ in 0..40 {
        append(&log.path(), "x".repeat(1 << 20));
        reader.look(Duration::from_millis(1));
    }
    assert_eq!(reader.input.position(), position, "the line has not ended");
    append(&log.path(), format!("\n{}\n", line("b")));
    reader.until(2);
    assert_eq!(
        (reader.texts(), reader.codes()),
        (["a", "b"].map(line).iter().map(String::as_str).collect(), vec!["W0501"])
    );
    assert_eq!(reader.records[1].0.number, 3);
    let saved = reader.positions.iter().find(|saved| saved.lines() >= 2).cloned();
    append(&log.path(), line("c") + "\n");
    let mut reader = Reader::new(LiveInput::follow(&log.path(), saved, &OpenOptions::default()));
    reader.until(1);
    assert_eq!(reader.texts().last(), Some(&line("c").as_str()));
    assert_eq!(reader.codes(), Vec::<&str>::new());
}

// ---- positions

#[test]
fn every_saved_position_gives_exactly_what_follows() {
    let mut log = Log::new();
    let mut expected = Vec::new();
    for file in 0..4 {
        if file > 0 {
            log.rotate();
        }
        for record in 0..3 {
            // The last line of a rotated file lacks its line break.
            let end = if record == 2 && file < 3 { "" } else { "\n" };
            let text = line(format!("{file}.{record}"));
            append(&log.path(), format!("{text}{end}"));
            expected.push(text);
        }
        if file == 0 {
            log.age();
        }
    }
    log.age();
    // Begun at the oldest file, as by somebody who was there all the time.
    let mut first = Reader::new(LiveInput::follow(&log.numbered(3), None, &one_by_one()));
    first.until(2);
    let saved = first.positions[0].clone();
    let mut reader = Reader::new(LiveInput::follow(&log.path(), Some(saved.clone()), &one_by_one()));
    reader.until(11);
    assert_eq!(reader.texts(), expected[1..]);
    let positions: Vec<_> = std::iter::once(saved).chain(reader.positions).collect();
    assert_eq!(positions.len(), expected.len());
    for (at, position) in positions.into_iter().enumerate() {
        let saved: FollowPosition = serde_json::from_str(&serde_json::to_string(&position).unwrap()).unwrap();
        assert_eq!(saved, position);
        let mut reader = Reader::new(LiveInput::follow(&log.path(), Some(saved), &OpenOptions::default()));
        assert_eq!(reader.input.position().as_ref(), Some(&position));
        reader.until(expected.len() - at - 1);
        assert!(!reader.look(Duration::from_millis(20)));
        assert_eq!(reader.texts(), expected[at + 1..], "after record {at}");
        assert_eq!(reader.codes(), Vec::<&str>::new());
    }
}

#[test]
fn a_log_that_is_rotated_faster_than_it_is_looked_at_is_read_whole() {
    let mut log = Log::new();
    append(&log.path(), line("first") + "\n");
    let path = log.path();
    let mut reader = Reader::follow(&path);
    reader.until(1);
    let count = 3_000;
    let writer = std::thread::spawn(move || {
        for number in 0..count {
            if number % 100 == 0 {
                log.rotate();
            }
            append(&log.path(), line(number) + "\n");
            if number % 10 == 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        log
    });
    let mut records = std::mem::take(&mut reader.records);
    let start = Instant::now();
    for round in 1.. {
        while reader.records.len() < round * 50 && records.len() + reader.records.len() <= count {
            assert!(start.elapsed() < LONG, "{} of {count}", records.len() + reader.records.len());
            reader.look(MOMENT);
        }
        assert_eq!(reader.codes(), Vec::<&str>::new());
        records.append(&mut reader.records);
        if records.len() > count {
            break;
        }
        let saved = reader.input.position();
        reader = Reader::new(LiveInput::follow(&path, saved, &OpenOptions::default()));
    }
    assert!(!reader.look(MOMENT));
    let _log = writer.join().unwrap();
    let texts: Vec<&str> = records.iter().map(|(_, text)| text.as_str()).skip(1).collect();
    assert_eq!(texts, (0..count).map(line).collect::<Vec<_>>());
}

#[test]
fn a_batch_is_of_one_file_however_late_it_is_taken() {
    let mut log = Log::new();
    append(&log.path(), line("first") + "\n");
    let mut reader = Reader::follow(&log.path());
    reader.until(1);
    let saved = reader.input.position();
    for file in 0..3 {
        log.rotate();
        append(&log.path(), format!("{}\n{}\n", line(file), line("more")));
    }
    log.age();
    let mut reader = Reader::new(LiveInput::follow(&log.path(), saved, &OpenOptions::default()));
    for file in 0..3 {
        std::thread::sleep(Duration::from_millis(50));
        reader.until(file * 2 + 1);
        assert_eq!(reader.records.len(), file * 2 + 2);
        assert_eq!(reader.records[file * 2].0, Position { offset: 0, number: 1 });
    }
    let mut files: Vec<_> = reader.positions.iter().map(FollowPosition::file).collect();
    files.dedup();
    assert_eq!(files.len(), 3);
}

/// Follows a log, and prints of each record the position after it and its text, when it is started so.
fn be_the_follower(path: &Path, saved: &str) -> ! {
    let saved = serde_json::from_str(saved).unwrap();
    let mut reader = Reader::new(LiveInput::follow(path, saved, &one_by_one()));
    loop {
        let before = reader.records.len();
        reader.look(LONG);
        for (_, text) in &reader.records[before..] {
            println!("kept\t{}\t{text}", serde_json::to_string(&reader.input.position()).unwrap());
        }
        assert_eq!(reader.codes(), Vec::<&str>::new());
    }
}

#[test]
fn a_follower_that_is_killed_at_any_point_goes_on_exactly() {
    const LOG: &str = "QUELL_TEST_LIVE_LOG";
    const SAVED: &str = "QUELL_TEST_LIVE_SAVED";
    if let Some(path) = std::env::var_os(LOG) {
        be_the_follower(Path::new(&path), &std::env::var(SAVED).unwrap());
    }
    let mut log = Log::new();
    let path = log.path();
    append(&path, line(0) + "\n");
    // Without a position there is nothing to go on from.
    let mut first = Reader::follow(&path);
    first.until(1);
    let mut saved = serde_json::to_string(&first.input.position()).unwrap();
    let mut texts = vec![line(0)];
    drop(first);
    let count = 1_200;
    let writer = std::thread::spawn(move || {
        for number in 1..count {
            if number % 200 == 0 {
                log.rotate();
            }
            append(&log.path(), line(number) + "\n");
            std::thread::sleep(Duration::from_millis(1));
        }
        log
    });
    let start = Instant::now();
    for round in 0u64.. {
        assert!(start.elapsed() < 2 * LONG, "{} of {count}", texts.len());
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_follower_that_is_killed_at_any_point_goes_on_exactly", "--nocapture"])
            .envs([(LOG, path.as_os_str()), (SAVED, saved.as_ref())])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let killer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(60 + round * 37 % 200));
            child.kill().unwrap();
            child.wait().unwrap();
        });
        // A last line that was cut off by the kill was not kept.
        for text in output.lines().map(Result::unwrap) {
            let mut parts = text.splitn(3, '\t').skip(1);
            if let (Some(position), Some(text)) = (parts.next(), parts.next())
                && text.ends_with("}}")
            {
                saved = position.to_owned();
                texts.push(text.to_owned());
            }
        }
        killer.join().unwrap();
        if texts.len() >= count {
            break;
        }
    }
    let _log = writer.join().unwrap();
    assert_eq!(texts, (0..count).map(line).collect::<Vec<_>>());
}

/// What happens to a log and its reader.
#[derive(Clone, Debug)]
enum Step {
    /// So many bytes of what is to be written are written.
    Append(usize),
    /// The file is renamed; the next append makes a new one.
    Rotate,
    /// As many batches are taken.
    Read(usize),
    /// The reader is killed, and starts again from what it has saved.
    Restart,
    /// Time goes by until the rotated files are old.
    Age,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (1usize..90).prop_map(Step::Append),
        2 => Just(Step::Rotate),
        4 => (1usize..4).prop_map(Step::Read),
        2 => Just(Step::Restart),
        1 => Just(Step::Age),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_each_record_is_handed_out_once(
        steps in prop::collection::vec(step(), 1..40),
        one_by_one_too in any::<bool>(),
    ) {
        let options = if one_by_one_too {
            one_by_one()
        } else {
            OpenOptions { format: Some(ecs()), ..OpenOptions::default() }
        };
        let mut log = Log::new();
        let source: Vec<u8> = (0..2_000).flat_map(|number| format!("{number} é🦀\n").into_bytes()).collect();
        // The files from the oldest on, as they were written.
        let mut files: Vec<Vec<u8>> = vec![line("first").into_bytes()];
        files[0].push(b'\n');
        append(&log.path(), &files[0]);
        let mut written = 0;
        let mut reader = Reader::new(LiveInput::follow(&log.path(), None, &options));
        // Without a position there is nothing to start again from.
        reader.until(1);
        let mut records = std::mem::take(&mut reader.records);
        let mut lost = 0;
        for step in steps {
            match step {
                Step::Append(count) => {
                    let piece = &source[written..written + count];
                    written += count;
                    files.last_mut().unwrap().extend_from_slice(piece);
                    append(&log.path(), piece);
                }
                Step::Rotate if log.path().exists() => {
                    log.rotate();
                    files.push(Vec::new());
                }
                Step::Rotate => {}
                Step::Read(count) => {
                    for _ in 0..count {
                        reader.look(Duration::from_millis(15));
                    }
                }
                Step::Restart => {
                    let saved = serde_json::to_string(&reader.input.position().unwrap()).unwrap();
                    records.append(&mut reader.records);
                    lost += reader.warnings.iter().filter(|(code, _)| *code == "W0411").count();
                    prop_assert!(reader.codes().iter().all(|code| *code == "W0411"), "{:?}", reader.codes());
                    let saved = serde_json::from_str(&saved).unwrap();
                    reader = Reader::new(LiveInput::follow(&log.path(), Some(saved), &options));
                }
                Step::Age => log.age(),
            }
        }
        // A last file that is whole and not empty, so that all before it is due.
        if !log.path().exists() {
            append(&log.path(), "");
        }
        append(&log.path(), "\nlast\n");
        files.last_mut().unwrap().extend_from_slice(b"\nlast\n");

        let mut expected = Vec::new();
        let mut damaged = 0;
        for bytes in &files {
            for text in bytes.split(|byte| *byte == b'\n') {
                match std::str::from_utf8(text.trim_ascii_end()) {
                    Ok("") => {}
                    Ok(text) => expected.push(text.to_owned()),
                    Err(_) => damaged += 1,
                }
            }
        }
        let start = Instant::now();
        while reader.records.last().is_none_or(|(_, text)| text != "last") && start.elapsed() < LONG {
            reader.look(MOMENT);
        }
        reader.look(Duration::from_millis(20));
        records.append(&mut reader.records);
        lost += reader.warnings.iter().filter(|(code, _)| *code == "W0411").count();
        let texts: Vec<&str> = records.iter().map(|(_, text)| text.as_str()).collect();
        prop_assert_eq!(texts, expected);
        prop_assert_eq!(lost, damaged);
        prop_assert!(reader.codes().iter().all(|code| *code == "W0411"), "{:?}", reader.codes());
    }
}
