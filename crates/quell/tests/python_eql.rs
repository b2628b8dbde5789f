//! quell against the Python implementation of EQL, `eql` on PyPI, on random queries and events: of the Endgame dialect, and of
//! Elasticsearch's where the two agree.
//!
//! It needs a Python with that module: `QUELL_EQL_PYTHON` names it, else `python3` is tried. `QUELL_CASES` says how many
//! cases are run, ten queries over the same events a round, and `QUELL_FIRST_ROUND` with which round they begin: a round is
//! made from its number alone.
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

#[path = "reference/endgame_dialect.rs"]
mod endgame_dialect;
#[allow(dead_code, reason = "its queries and documents are for another test")]
#[path = "reference/random.rs"]
mod random;
#[path = "reference/shared_dialect.rs"]
mod shared_dialect;

use quell::{CompileOptions, Dialect, NoProgress, Rule, Scan, ScanOptions, schema};
use random::Dice;
use serde_json::{Value as Json, json};
use shared_dialect::{event_query, events, identified, sequence};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use tempfile::NamedTempFile;

/// The ids of the events of each result, in order, and behind them the counts that pipes made.
type Results = Vec<Vec<String>>;
/// Or why there are none.
type Answer = Result<Results, String>;

/// Both implementations.
struct Both {
    python: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    file: NamedTempFile,
    dialect: Dialect,
}

impl Both {
    /// `None`, and a line that says so, where there is no Python with the module.
    fn start(dialect: Dialect) -> Option<Both> {
        let named = std::env::var_os("QUELL_EQL_PYTHON");
        let python = named.clone().unwrap_or_else(|| "python3".into());
        let imports = Command::new(&python).args(["-c", "import eql"]).stderr(Stdio::null()).status();
        if !imports.is_ok_and(|status| status.success()) {
            assert!(named.is_none(), "{} cannot import eql", python.display());
            println!("skipped: no python with eql");
            return None;
        }
        let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testing/python_eql.py");
        let mut command = Command::new(&python);
        command.arg(driver).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut python = command.spawn().unwrap();
        Some(Both {
            questions: python.stdin.take().unwrap(),
            answers: BufReader::new(python.stdout.take().unwrap()),
            python,
            dialect,
            file: tempfile::Builder::new().suffix(".ndjson").tempfile().unwrap(),
        })
    }

    /// What quell answers to each query, and Python, which thinks meanwhile.
    fn answers(&mut self, queries: &[String], events: &[Json]) -> (Vec<Answer>, Vec<Answer>) {
        let dialect = self.dialect.as_str();
        let question = json!({ "queries": queries, "dialect": dialect, "events": events }).to_string() + "\n";
        self.questions.write_all(question.as_bytes()).unwrap();
        let quell = self.quell(queries, events).into_iter().map(Ok).collect();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "python went away over one of {queries:#?}");
        let answers: Vec<Json> = serde_json::from_str(&line).unwrap();
        assert_eq!(answers.len(), queries.len());
        let answer = |answer: &Json| match answer.as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(serde_json::from_value(answer.clone()).unwrap()),
        };
        (quell, answers.iter().map(answer).collect())
    }

    fn quell(&self, queries: &[String], events: &[Json]) -> Vec<Results> {
        let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
        std::fs::write(self.file.path(), lines).unwrap();
        let rules = queries.iter().enumerate().map(|(number, query)| {
            let mut rule = Rule::of_query(query);
            rule.id = number.to_string();
            rule
        });
        let options = ScanOptions {
            threads: 1,
            any_index: true,
            input_format: Some("ecs-json".to_owned()),
            ..ScanOptions::default()
        };
        let compile = CompileOptions { dialect: Some(self.dialect), ..CompileOptions::new(schema()) };
        let scan = Scan::new(rules.collect(), &compile, options);
        if scan.len() != queries.len() {
            panic!("not all of {queries:#?} run: {:#?}", scan.findings());
        }
        let report = scan.run(&[self.file.path()], &NoProgress);
        assert_eq!(report.warnings.kept().len(), 0, "{:?}", report.warnings.kept().iter().next());
        let mut results = vec![Results::new(); queries.len()];
        for alert in &report.alerts {
            let ids = alert.members.iter().map(|member| member.as_ref().unwrap().id.as_str().to_owned());
            let totals = alert.totals.as_ref().map(|totals| {
                let mut sorted: BTreeMap<_, _> = totals.to_json().into_iter().collect();
                // Python writes null as the empty value of its kind: here they are one.
                sorted.entry("key".to_owned()).and_modify(|key| match key {
                    Json::Array(parts) => parts.iter_mut().for_each(emptied),
                    key => emptied(key),
                });
                serde_json::to_string(&sorted).unwrap()
            });
            results[alert.rule.id.parse::<usize>().unwrap()].push(ids.chain(totals).collect());
        }
        results
    }

    fn agree(&mut self, cases: u64, most_events: usize, make: fn(&mut Dice) -> String) {
        let endgame = self.dialect == Dialect::Endgame;
        const QUERIES: u64 = 10;
        let rounds = cases.div_ceil(QUERIES);
        let first = number("QUELL_FIRST_ROUND").unwrap_or(1);
        let (mut with_results, mut results, mut failed) = (0, 0, 0);
        for round in first..first + rounds {
            let mut dice = Dice::new(round);
            let queries: Vec<String> = (0..QUERIES).map(|_| make(&mut dice)).collect();
            let events = if endgame {
                endgame_dialect::events(&mut dice, most_events)
            } else {
                events(&mut dice, most_events)
            };
            let (quell, python) = self.answers(&queries, &events);
            for ((query, quell), python) in queries.iter().zip(&quell).zip(&python) {
                // In the Endgame dialect it fails where it sorts by nothing but nulls, and over shares of nothing.
                let fails =
                    |error: &String| error.starts_with("TypeError: '<'") || error.starts_with("ZeroDivision");
                if endgame && python.as_ref().is_err_and(fails) {
                    failed += 1;
                    continue;
                }
                if quell != python {
                    self.show(query, events, round);
                }
                let found = quell.as_ref().map_or(0, Vec::len);
                with_results += u64::from(found > 0);
                results += found;
            }
        }
        let cases = rounds * QUERIES;
        println!(
            "{cases} cases, {results} results in {with_results} of them, no difference; python failed in {failed}"
        );
        assert!(failed <= cases / 50, "python failed in too many");
        assert!(
            cases < 1000 || (with_results > cases / 10 && with_results < cases * 9 / 10),
            "the cases are one-sided"
        );
    }

    /// Panics with the fewest events that show the difference.
    fn show(&mut self, query: &str, mut events: Vec<Json>, round: u64) -> ! {
        let queries = [query.to_owned()];
        let mut at = 0;
        // An empty file is warned of.
        while at < events.len() && events.len() > 1 {
            let one = events.remove(at);
            let (quell, python) = self.answers(&queries, &events);
            if quell == python {
                events.insert(at, one);
                at += 1;
            }
        }
        let (quell, python) = self.answers(&queries, &events);
        panic!(
            "QUELL_CASES=1 QUELL_FIRST_ROUND={round}\n{query}\n{}\nquell:  {:?}\npython: {:?}",
            events.iter().map(Json::to_string).collect::<Vec<_>>().join("\n"),
            quell[0],
            python[0]
        );
    }
}

impl Drop for Both {
    fn drop(&mut self) {
        _ = self.python.kill();
        _ = self.python.wait();
    }
}

fn emptied(key: &mut Json) {
    if *key == json!(0) || *key == json!("") {
        *key = Json::Null;
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

fn cases() -> u64 {
    number("QUELL_CASES").unwrap_or(2000)
}

#[test]
fn sequences_agree() {
    if let Some(mut both) = Both::start(Dialect::Elasticsearch) {
        both.agree(cases().div_ceil(5) * 3, 30, sequence);
    }
}

#[test]
fn conditions_agree() {
    if let Some(mut both) = Both::start(Dialect::Elasticsearch) {
        both.agree(cases().div_ceil(5) * 2, 12, event_query);
    }
}

#[test]
fn endgame_sequences_agree() {
    if let Some(mut both) = Both::start(Dialect::Endgame) {
        both.agree(cases().div_ceil(3), 30, endgame_dialect::sequence);
    }
}

#[test]
fn endgame_joins_agree() {
    if let Some(mut both) = Both::start(Dialect::Endgame) {
        both.agree(cases().div_ceil(3), 30, endgame_dialect::join);
    }
}

#[test]
fn endgame_pipes_agree() {
    if let Some(mut both) = Both::start(Dialect::Endgame) {
        both.agree(cases().div_ceil(3), 30, endgame_dialect::piped_events);
    }
}

/// Where the dialects differ the random cases do not go; each row is a difference that the comparison sees.
#[test]
fn differences_are_seen() {
    let Some(mut both) = Both::start(Dialect::Elasticsearch) else { return };
    let one = |field: &str, value: Json| vec![with("1", 0, field, value)];
    let user = |name: &str| one("user", json!({ "name": name }));
    let exit = |code: i64| one("process", json!({ "exit_code": code }));
    let acting = |actions: &[(&str, i64)]| -> Vec<Json> {
        (1..)
            .zip(actions)
            .map(|(id, (action, time))| with(&id.to_string(), *time, "user", json!({ "name": action })))
            .collect()
    };
    let until = "sequence [any where user.name == \"a\"] [any where user.name == \"b\"] until [any where user.name == \"b\"]";
    let span = "sequence with maxspan=1500ms [any where user.name == \"a\"] [any where user.name == \"b\"]";
    #[rustfmt::skip]
    let rows: Vec<(&str, &str, Vec<Json>, bool)> = vec![
        // What differs, the query, the events, and whether quell finds something where Python does not, or the reverse.
        ("python folds case", "any where user.name == \"A\"", user("a"), false),
        ("python knows no lists", "any where user.name == \"a\"", one("user", json!({ "name": ["a"] })), true),
        ("not of null is null", "any where not user.name == \"a\"", one("user", json!({})), true),
        ("null != 1 is null", "any where indexOf(user.name, \"z\") != 1", user("a"), true),
        ("between gives null", "any where between(user.name, \"<\", \">\") == \"\"", user("a"), true),
        ("numbers are no texts", "any where process.exit_code == \"7\"", exit(7), true),
        ("division rounds down", "any where process.exit_code / 2 == -4", exit(-7), false),
        ("the sign of a remainder", "any where process.exit_code % 3 == 2", exit(-7), false),
        ("contains an empty text", "any where stringContains(user.name, \"\")", user("a"), false),
        ("? is literal", "any where user.name : \"?\"", user("a"), true),
        ("no exponents", "any where number(user.name) == 1000", user("1e3"), true),
        ("white space", "any where number(user.name) == 7", user(" 7 "), true),
        ("digits above 9", "any where number(user.name, 16) == 255", user("ff"), true),
        ("families of addresses", "any where cidrMatch(source.ip, \"::/0\")", one("source", json!({ "ip": "10.0.0.1" })), true),
        ("until comes first", until, acting(&[("a", 0), ("b", 10)]), true),
        ("parts of seconds", span, acting(&[("a", 0), ("b", 1200)]), true),
    ];
    for (what, query, events, by_quell) in rows {
        let (quell, python) = both.answers(&[query.to_owned()], &events);
        let some = |answers: &[Answer]| !answers[0].as_ref().unwrap().is_empty();
        assert_eq!((some(&quell), some(&python)), (by_quell, !by_quell), "{what}: {quell:?} {python:?}");
    }
}

fn with(id: &str, milliseconds: i64, field: &str, value: Json) -> Json {
    identified(json!({ field: value }), id, "process", milliseconds)
}
