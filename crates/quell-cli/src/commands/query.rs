//! `quell query`: one query over logs, answered in the shape of Elasticsearch.

use crate::alert_row::{MISSING, event_cells, key_text};
use crate::arguments::General;
use crate::columns::{Cell, Column, Columns};
use crate::console::{BOLD, Console, DIM};
use crate::exit::Exit;
use crate::failure::{Failure, until_closed};
use crate::findings::{refused_query, write_about_query};
use crate::input_options::{InputOptions, InputPaths, exit_of, lost_hits, tell_spill_errors};
use crate::interrupt;
use crate::json_lines;
use crate::progress::Bar;
use crate::rule_options::{dialect_parser, language_parser};
use crate::summary::{self, Unreadable};
use crate::units::counted;
use clap::Args;
use quell::{
    Alert, CompileOptions, Constant, Dialect, Language, QueryError, QueryOptions, Report, ResultPosition,
    ScanOptions, Totals,
};
use serde_json::{Map, Value, json};
use std::io::{self, Write};
use std::ops::ControlFlow;

/// Run one query over logs and print what it finds
///
/// Results come in ascending order and without a limit unless --size is given. As ndjson each is one line of the shape
/// that Elasticsearch's EQL search answers: {"events":[{"_source":{…}}],"join_keys":[…]}. What the Endgame dialect's pipes
/// count stands beside these: {"count":2,"key":"nmap.exe","percent":0.5}.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    quell query 'process where process.name == \"nmap.exe\"' ./logs\n  \
    quell query 'network where destination.port == 445 | head 10' ./logs --output ndjson\n  \
    quell query --language kql 'process.name: (nmap.exe or masscan*)' ./logs\n  \
    quell query 'any where true' events.json --event-category-field type")]
pub struct Query {
    /// The query
    #[arg(value_name = "QUERY")]
    pub query: String,
    #[command(flatten)]
    pub input_paths: InputPaths,
    /// How to print results [default: table on a terminal, else ndjson]
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Output")]
    pub output: Option<Output>,
    /// Print at most this many results
    #[arg(long, value_name = "N", help_heading = "Output")]
    pub size: Option<u64>,
    /// Which results --size keeps, where no `head` or `tail` says so
    #[arg(long, value_enum, value_name = "END", default_value = "tail", help_heading = "Output")]
    pub result_position: Position,
    /// The field of an event's time
    #[arg(long, value_name = "FIELD", default_value = "@timestamp", help_heading = "Query")]
    pub timestamp_field: String,
    /// The field that the word before `where` is held against
    #[arg(long, value_name = "FIELD", default_value = "event.category", help_heading = "Query")]
    pub event_category_field: String,
    /// The field that orders events of the same time
    #[arg(long, value_name = "FIELD", help_heading = "Query")]
    pub tiebreaker_field: Option<String>,
    /// The language that the query is written in
    #[arg(long, value_name = "LANGUAGE", default_value = "eql", value_parser = language_parser(), help_heading = "Query")]
    pub language: Language,
    /// The dialect of EQL
    #[arg(long, value_name = "DIALECT", default_value = "elasticsearch", value_parser = dialect_parser(), help_heading = "Query")]
    pub dialect: Dialect,
    /// Refuse unknown fields
    #[arg(long, help_heading = "Query")]
    pub strict: bool,
    /// Take Elasticsearch's way wherever quell otherwise differs on purpose
    #[arg(long, help_heading = "Query")]
    pub strict_elasticsearch: bool,
    #[command(flatten)]
    pub input: InputOptions,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// Aligned columns, for people
    Table,
    /// One result a line, as Elasticsearch answers
    Ndjson,
}

/// Which end of the results is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Position {
    /// The earliest
    Head,
    /// The latest
    Tail,
}

impl Query {
    pub fn run(&self, general: &General) -> Result<Exit, Failure> {
        let console = general.console();
        if self.language != Language::Eql && self.dialect != Dialect::default() {
            return Err(Failure::usage("--dialect is about EQL"));
        }
        let options = self.options(general)?;
        let scan =
            quell::query(&self.query, &self.compile_options(), &options).map_err(|error| match error {
                QueryError::Refused(errors) => refused_query(&self.query, &errors),
                QueryError::NotRunYet(reason) => Failure::unusable(reason),
            })?;
        if !console.quiet {
            let warnings = scan.findings().iter().map(|warning| &warning.diagnostic);
            let _ = write_about_query(&mut console.err(), &self.query, warnings);
        }
        let kind =
            self.output.unwrap_or(if console.out_is_terminal() { Output::Table } else { Output::Ndjson });
        let mut writer: Box<dyn Results> = match kind {
            Output::Table => Box::new(Table::new(&console)),
            Output::Ndjson => Box::new(Ndjson { out: Box::new(console.data()) }),
        };
        let (mut unreadable, mut written, mut results) = (Unreadable::default(), Ok(()), 0);
        interrupt::listen();
        let bar = Bar::new(&console);
        let report = scan.run_to(&self.input_paths.paths, &bar, &mut |result, documents| {
            bar.clear();
            results += 1;
            match documents.events(&result) {
                Ok(sources) => written = writer.result(&result, sources),
                Err(error) => unreadable.tell(&console, &error.to_string()),
            }
            if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        bar.clear();
        let written = written.and_then(|()| writer.finish());
        until_closed(written)?;
        tell_spill_errors(&console, &report);
        let unreadable = unreadable.finish(&console);
        summarize(&console, results, &report);
        Ok(exit_of(&self.input, &report.warnings)
            .or_if(unreadable > 0 || lost_hits(&report), Exit::Unusable)
            .or_if(report.interrupted, Exit::Interrupted))
    }

    fn options(&self, general: &General) -> Result<QueryOptions, Failure> {
        Ok(QueryOptions {
            scan: ScanOptions {
                timestamp_field: Some(self.timestamp_field.clone()),
                tiebreaker_field: self.tiebreaker_field.clone(),
                ..self.input.scan_options(general)?
            },
            language: self.language,
            dialect: self.dialect,
            size: self.size,
            result_position: match self.result_position {
                Position::Head => ResultPosition::Head,
                Position::Tail => ResultPosition::Tail,
            },
            event_category_field: Some(self.event_category_field.clone()),
        })
    }

    fn compile_options(&self) -> CompileOptions<'static> {
        CompileOptions {
            strict: self.strict,
            strict_elasticsearch: self.strict_elasticsearch,
            ..CompileOptions::new(quell::schema())
        }
    }
}

/// Takes results in order, with the documents of their events.
trait Results {
    fn result(&mut self, result: &Alert, sources: Vec<Option<Map<String, Value>>>) -> io::Result<()>;

    fn finish(self: Box<Self>) -> io::Result<()>;
}

struct Ndjson {
    out: Box<dyn Write>,
}

impl Results for Ndjson {
    fn result(&mut self, result: &Alert, sources: Vec<Option<Map<String, Value>>>) -> io::Result<()> {
        let mut line = Map::new();
        // A result of `count` has no events.
        if !sources.is_empty() {
            line.insert("events".to_owned(), sources.into_iter().map(event).collect());
            line.insert("join_keys".to_owned(), join_keys(result).into());
        }
        line.extend(result.totals.iter().flat_map(Totals::to_json));
        json_lines::line(&mut self.out, &Value::Object(line))
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.out.flush()
    }
}

/// The values that the result's events have in common; none for a single event.
fn join_keys(result: &Alert) -> Vec<Value> {
    let value = |key: &Constant| match key {
        Constant::Null => Value::Null,
        Constant::Boolean(b) => json!(b),
        Constant::Integer(n) => json!(n),
        Constant::Unsigned(n) => json!(n),
        Constant::Float(n) => json!(n),
        Constant::Text(text) => json!(&**text),
    };
    result.keys.iter().map(value).collect()
}

/// An event as Elasticsearch answers it. What a document says of its own index and id stands beside `_source`; of a step
/// that must not come all three are empty.
fn event(source: Option<Map<String, Value>>) -> Value {
    let Some(mut source) = source else {
        return json!({"_index": "", "_id": "", "_source": {}, "missing": true});
    };
    let mut event = Map::new();
    for name in ["_index", "_id"] {
        if let Some(value) = source.shift_remove(name) {
            event.insert(name.to_owned(), value);
        }
    }
    event.insert(String::from("_source"), Value::Object(source));
    Value::Object(event)
}

/// The number of the result where one may have several events; time, category, host, user, process, what was done.
const COLUMNS: [Column; 7] = [
    Column::word(8),
    Column::word(19),
    Column::word(16),
    Column::text(24, 13),
    Column::text(24, 13),
    Column::text(24, 13),
    Column::rest(),
];

/// How many, their share, on how many hosts, the key.
const TOTALS: [Column; 4] = [Column::word(20), Column::word(7), Column::word(24), Column::rest()];

fn total_cells(totals: &Totals) -> Vec<Cell> {
    let percent = totals.percent.map_or_else(String::new, |share| format!("{:.2}%", share * 100.0));
    let hosts = match totals.hosts.len() as u64 {
        0 => String::new(),
        hosts => counted(hosts, "host", "hosts"),
    };
    let count = Cell::styled(&totals.count.to_string(), BOLD);
    vec![count, Cell::new(&percent), Cell::new(&hosts), Cell::new(&key_text(totals))]
}

struct Table {
    out: Box<dyn Write>,
    columns: Columns<'static>,
    /// Where results are no events but counts.
    totals: Columns<'static>,
    number: u64,
}

impl Table {
    fn new(console: &Console) -> Table {
        Table {
            out: Box::new(console.out()),
            columns: Columns::new(&COLUMNS, console.width()),
            totals: Columns::new(&TOTALS, console.width()),
            number: 0,
        }
    }
}

impl Results for Table {
    fn result(&mut self, result: &Alert, sources: Vec<Option<Map<String, Value>>>) -> io::Result<()> {
        self.number += 1;
        if let (Some(totals), true) = (&result.totals, sources.is_empty()) {
            return self.totals.row(&mut self.out, total_cells(totals));
        }
        // Of a sequence the number stands at its first event, and behind `unique_count` how often it came.
        let mut mark = match &result.totals {
            Some(totals) => format!("{}x", totals.count),
            None if sources.len() > 1 => self.number.to_string(),
            None => String::new(),
        };
        result.members.iter().zip(&sources).try_for_each(|(member, source)| {
            let mark = Cell::styled(&std::mem::take(&mut mark), BOLD);
            let cells = match (member, source) {
                (Some(member), Some(source)) => event_cells(member.time, source),
                _ => vec![Cell::styled(MISSING, DIM)],
            };
            self.columns.row(&mut self.out, std::iter::once(mark).chain(cells).collect())
        })
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.columns.finish(&mut self.out)?;
        self.totals.finish(&mut self.out)
    }
}

fn summarize(console: &Console, results: u64, report: &Report) {
    if console.quiet {
        summary::tell_unread(console, &report.warnings);
        return;
    }
    let mut err = console.err();
    let results = counted(results, "result", "results");
    let _ = writeln!(err, "{BOLD}{results}{BOLD:#}");
    let _ = summary::write_work(&mut err, &report.stats);
    let _ = summary::write_notes(&mut err, &report.stats);
    let _ = summary::write_unread(&mut err, &report.warnings);
    let _ = summary::write_interrupted(&mut err, report.interrupted);
}
