//! `quell bench`: how fast this machine parses JSON, and how fast quell matches rules on the same bytes.

use crate::arguments::General;
use crate::console::{BOLD, Console, DIM};
use crate::exit::Exit;
use crate::failure::{Failure, until_closed};
use crate::interrupt;
use crate::json_lines;
use crate::rule_options::RuleOptions;
use crate::units::{bytes, counted, duration, rate};
use clap::builder::PossibleValuesParser;
use clap::{Args, ValueHint};
use quell::{Scan, ScanOptions};
use serde_json::json;
use std::fs::File;
use std::hint::black_box;
use std::io::{self, Read as _, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Measure matching against the floor: the parse of the same bytes, and nothing else
///
/// One thread. The floor is sonic-rs's parse of each line to its document tree. quell's time is the projection of each
/// line and the match of every rule, in memory: reading files and writing alerts are not in it. Both are the median of
/// several rounds of the same run, one after the other in each.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    quell bench                                  a made-up corpus\n  \
    quell decode ./case-042 > events.ndjson; quell bench events.ndjson\n  \
    quell bench events.ndjson --rules rules/ --rounds 9 --output json")]
pub struct Bench {
    /// Files of JSON lines; without one a corpus is made up
    #[arg(value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub paths: Vec<PathBuf>,
    /// Rounds to take the median of
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub rounds: u16,
    /// Megabytes to make up, or to read of the files at most
    #[arg(long, value_name = "MB", default_value_t = 128, value_parser = clap::value_parser!(u64).range(1..=16_384))]
    pub size: u64,
    /// The format of the lines
    #[arg(long, value_name = "FORMAT", default_value = "ecs-json", value_parser = PossibleValuesParser::new(json_formats()))]
    pub input_format: String,
    /// How to print the result
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    pub output: Output,
    /// Run rules on every event, whatever index their patterns name
    #[arg(long, help_heading = "Rules")]
    pub any_index: bool,
    #[command(flatten)]
    pub rules: RuleOptions,
}

/// How the result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// For people
    Text,
    /// A JSON object
    Json,
}

/// The formats that are one JSON object a line.
fn json_formats() -> Vec<&'static str> {
    quell::input_format_names().into_iter().filter(|name| *name != "evtx").collect()
}

impl Bench {
    pub fn run(&self, general: &General) -> Result<Exit, Failure> {
        let console = general.console();
        let set = self.rules.load()?;
        let exit = crate::findings::tell_unusable(&console, &set.findings);
        let options = ScanOptions { threads: 1, any_index: self.any_index, ..ScanOptions::default() };
        let scan = Scan::new(set.rules, &self.rules.compile_options(), options);
        let corpus = self.corpus()?;

        interrupt::listen();
        let mut floor = Vec::new();
        let mut quell = Vec::new();
        let mut hits = 0;
        for _ in 0..self.rounds {
            if interrupt::asked() {
                break;
            }
            floor.push(timed(|| parse_lines(&corpus)));
            quell.push(timed(|| hits = black_box(scan.match_lines(&self.input_format, black_box(&corpus)))));
        }
        let exit = exit.or_if(interrupt::asked(), Exit::Interrupted);
        let rounds = floor.len();
        let (Some(floor), Some(quell)) = (median(floor), median(quell)) else { return Ok(exit) };
        let result = Measured {
            bytes: corpus.len() as u64,
            events: corpus.lines().filter(|line| !line.is_empty()).count() as u64,
            rules: scan.len(),
            rounds,
            floor,
            quell,
            hits,
        };
        until_closed(self.print(&console, &result))?;
        Ok(exit)
    }

    /// The lines of the files, or made-up ones.
    fn corpus(&self) -> Result<String, Failure> {
        let limit = usize::try_from(self.size.saturating_mul(1_000_000)).unwrap_or(usize::MAX);
        if self.paths.is_empty() {
            return Ok(corpus::make_up(limit));
        }
        let mut text = Vec::new();
        for path in &self.paths {
            let left = (limit as u64).saturating_sub(text.len() as u64);
            File::open(path)
                .and_then(|file| file.take(left).read_to_end(&mut text))
                .map_err(|error| Failure::unusable(format!("{}: {error}", path.display())))?;
        }
        // The last line may have been cut by the limit.
        if text.len() >= limit {
            text.truncate(text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1));
        }
        let text = String::from_utf8(text).map_err(|_| {
            Failure::unusable("these are no JSON lines in UTF-8")
                .help("`quell decode PATH > events.ndjson` makes JSON lines of whatever quell reads")
        })?;
        if text.lines().all(str::is_empty) {
            return Err(Failure::unusable("there is no line to measure"));
        }
        Ok(text)
    }

    fn print(&self, console: &Console, result: &Measured) -> io::Result<()> {
        match self.output {
            Output::Text => result.text(&mut console.out()),
            Output::Json => {
                let mut out = console.data();
                json_lines::pretty(&mut out, &result.json()).and_then(|()| out.flush())
            }
        }
    }
}

/// Parses each line to a document tree, and nothing else.
fn parse_lines(text: &str) -> usize {
    text.lines()
        .filter(|line| {
            sonic_rs::from_slice::<sonic_rs::Value>(black_box(line.as_bytes())).map(black_box).is_ok()
        })
        .count()
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let started = Instant::now();
    black_box(work());
    started.elapsed()
}

fn median(mut times: Vec<Duration>) -> Option<Duration> {
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}

/// What was measured.
struct Measured {
    bytes: u64,
    events: u64,
    rules: usize,
    rounds: usize,
    floor: Duration,
    quell: Duration,
    hits: u64,
}

impl Measured {
    fn megabytes_per_second(&self, time: Duration) -> f64 {
        crate::units::per_second(self.bytes, time) / 1.0e6
    }

    /// How many times as long as the floor.
    fn ratio(&self) -> f64 {
        let floor = self.floor.as_secs_f64();
        if floor > 0.0 { self.quell.as_secs_f64() / floor } else { 0.0 }
    }

    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let of = format!("{}, {}", counted(self.events, "event", "events"), bytes(self.bytes));
        let rounds = counted(self.rounds as u64, "round", "rounds");
        writeln!(
            out,
            "{of}; {}; one thread, median of {rounds}",
            counted(self.rules as u64, "rule", "rules")
        )?;
        for (name, time, what) in [
            ("floor", self.floor, "sonic-rs parses each line to its tree, and nothing else"),
            ("quell", self.quell, "projects each line and matches every rule"),
        ] {
            writeln!(
                out,
                "{BOLD}{name}{BOLD:#}  {:>8.0} MB/s  {:>8} events/s  {:>9}  {DIM}{what}{DIM:#}",
                self.megabytes_per_second(time),
                rate(self.events, time),
                duration(time)
            )?;
        }
        writeln!(
            out,
            "quell takes {:.2} of the floor's time; {}",
            self.ratio(),
            counted(self.hits, "hit", "hits")
        )
    }

    fn json(&self) -> serde_json::Value {
        let part = |time: Duration| {
            json!({
                "seconds": time.as_secs_f64(),
                "megabytes_per_second": self.megabytes_per_second(time),
                "events_per_second": crate::units::per_second(self.events, time),
            })
        };
        json!({
            "bytes": self.bytes,
            "events": self.events,
            "rules": self.rules,
            "rounds": self.rounds,
            "threads": 1,
            "floor": part(self.floor),
            "quell": part(self.quell),
            "ratio": self.ratio(),
            "hits": self.hits,
        })
    }
}

/// A corpus that looks like a day of endpoint logs: the same for everyone, made of a counter.
mod corpus {
    use serde_json::{Value, json};

    const PROGRAMS: [(&str, &str); 7] = [
        ("svchost.exe", "C:\\Windows\\System32\\svchost.exe -k netsvcs -p -s Schedule"),
        (
            "chrome.exe",
            "\"C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe\" --type=renderer --lang=en-US",
        ),
        (
            "powershell.exe",
            "powershell.exe -NoProfile -ExecutionPolicy AllSigned -File C:\\Scripts\\report.ps1",
        ),
        ("cmd.exe", "C:\\Windows\\system32\\cmd.exe /c dir /b C:\\Users\\Public\\Documents"),
        ("conhost.exe", "\\??\\C:\\Windows\\system32\\conhost.exe 0xffffffff -ForceV1"),
        ("taskhostw.exe", "taskhostw.exe /RuntimeWide"),
        ("sqlservr.exe", "\"C:\\Program Files\\SQL\\sqlservr.exe\" -sMSSQLSERVER"),
    ];

    const SCANNER: (&str, &str) = ("nmap.exe", "nmap.exe -sS -Pn -p 22,80,443 192.0.2.0/24");

    /// Whole lines, as many as fit into `bytes`; at least one.
    pub fn make_up(bytes: usize) -> String {
        let mut text = String::new();
        let mut number = 0u64;
        loop {
            let line = event(number).to_string();
            if number > 0 && text.len() + line.len() + 1 > bytes {
                return text;
            }
            text.push_str(&line);
            text.push('\n');
            number += 1;
        }
    }

    /// The n-th event: of five one starts a process, three are connections, one writes a file.
    fn event(n: u64) -> Value {
        let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        // One scanner in some thousand starts: alerts are rare in life too.
        let ordinary = usize::try_from(mixed % PROGRAMS.len() as u64).unwrap_or(0);
        let program = PROGRAMS.get(ordinary).filter(|_| n % 9973 != 5);
        let (name, command_line) = program.copied().unwrap_or(SCANNER);
        let mut event = json!({
            "@timestamp": format!("2024-03-11T{:02}:{:02}:{:02}.{:03}Z", n / 3_600_000 % 24, n / 60_000 % 60, n / 1000 % 60, n % 1000),
            "agent": {"type": "endpoint", "version": "8.12.2", "id": "0c5d3a1e-4b0f-4f0e-9c1d-2f7c6f1b8a11"},
            "ecs": {"version": "8.11.0"},
            "host": {
                "name": format!("ws-{:03}", mixed % 500), "hostname": format!("ws-{:03}", mixed % 500),
                "os": {"type": "windows", "family": "windows", "version": "10.0.19045.4170"},
                "ip": [format!("192.0.2.{}", mixed % 254 + 1)],
            },
            "user": {"domain": "LAB", "name": format!("user{}", mixed % 97), "id": format!("S-1-5-21-1-2-3-{}", 1000 + mixed % 97)},
            "process": {
                "pid": 1000 + mixed % 60_000, "entity_id": format!("{:016x}", mixed.wrapping_mul(n | 1)),
                "name": name, "executable": format!("C:\\Windows\\System32\\{name}"),
                "command_line": command_line, "args": command_line.split(' ').collect::<Vec<_>>(),
                "hash": {"sha256": format!("{:064x}", mixed)},
                "parent": {"pid": 600 + mixed % 5000, "name": "explorer.exe", "executable": "C:\\Windows\\explorer.exe"},
            },
        });
        let (more, dataset) = match n % 5 {
            0 => (
                json!({"event": {"kind": "event", "category": ["process"], "type": ["start"], "action": "start"}}),
                "process",
            ),
            4 => (
                json!({
                    "event": {"kind": "event", "category": ["file"], "type": ["creation"], "action": "creation"},
                    "file": {"name": "report.tmp", "path": format!("C:\\Users\\user{}\\AppData\\Local\\Temp\\report.tmp", mixed % 97), "size": mixed},
                }),
                "file",
            ),
            _ => (
                json!({
                    "event": {"kind": "event", "category": ["network"], "type": ["start"], "action": "connection_attempted"},
                    "source": {"ip": format!("192.0.2.{}", mixed % 254 + 1), "port": 49_152 + mixed % 16_000},
                    "destination": {"ip": format!("198.51.100.{}", mixed % 254 + 1), "port": 443},
                    "network": {"transport": "tcp", "type": "ipv4", "direction": "egress"},
                }),
                "network",
            ),
        };
        if let (Some(event), Value::Object(more)) = (event.as_object_mut(), more) {
            event.extend(more);
            event.insert(
                String::from("data_stream"),
                json!({"type": "logs", "dataset": format!("endpoint.events.{dataset}"), "namespace": "default"}),
            );
        }
        event
    }

    #[cfg(test)]
    mod tests {
        use super::make_up;

        #[test]
        fn the_corpus_is_whole_lines_and_the_same_each_time() {
            let text = make_up(100_000);
            assert!(text.len() <= 100_000 && text.ends_with('\n'));
            assert!(text.lines().all(|line| {
                serde_json::from_str::<serde_json::Value>(line).is_ok_and(|v| v["event"]["kind"] == "event")
            }));
            assert_eq!(text, make_up(100_000));
            assert_eq!(make_up(1).lines().count(), 1);
        }
    }
}
