//! `quell scan`: rules over logs, to alerts.

use crate::alert_sink::{Kind, Sink, WriteTo, parse_write};
use crate::arguments::General;
use crate::console::Console;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::findings::{Tally, tell_unusable};
use crate::input_options::{InputOptions, InputPaths, exit_of, lost_hits, tell_spill_errors};
use crate::interrupt;
use crate::plain_text::escape;
use crate::progress::Bar;
use crate::rule_options::RuleOptions;
use crate::summary::{self, Shown, Told, Unreadable};
use crate::write_targets;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, ValueHint};
use quell::{Alert, Documents, Report, RuleSeverity, ScanOptions};
use serde_json::{Map, Value};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;

/// Run rules over logs and print alerts
///
/// Reads files, folders, patterns and standard input; the format of each is found by its content. On a terminal alerts
/// are a table and a summary follows; elsewhere each alert is a line of JSON and the summary goes to standard error.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    quell scan ./case-042                                  built-in rules over a folder\n  \
    quell scan ./case-042 --rules rules/ --since 2023-04-01 --until 2023-04-03\n  \
    quell scan ./case-042 --write csv=alerts.csv           beside the table, a file\n  \
    quell scan ./case-042 --output ndjson | jq .kibana.alert.rule.name\n  \
    zcat events.json.gz | quell scan - --fail-on high      end with 1 from high on")]
pub struct Scan {
    #[command(flatten)]
    pub input_paths: InputPaths,
    /// How to print alerts [default: table on a terminal, else ndjson]
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Output")]
    pub output: Option<Kind>,
    /// Also write alerts to a file: table=FILE, ndjson=FILE or csv=FILE; repeatable
    #[arg(long, value_name = "KIND=FILE", value_parser = parse_write, value_hint = ValueHint::FilePath, help_heading = "Output")]
    pub write: Vec<WriteTo>,
    /// Leave out alerts of a lower severity
    #[arg(long, value_name = "SEVERITY", value_parser = severity_parser(), help_heading = "Output")]
    pub min_severity: Option<RuleSeverity>,
    /// Print at most this many alerts, the earliest first
    #[arg(long, value_name = "N", help_heading = "Output")]
    pub limit: Option<u64>,
    /// The lowest severity of which an alert makes the exit code 1; `never` for none
    #[arg(long, value_name = "SEVERITY", value_parser = FailOn::parser(), default_value = "low", help_heading = "Output")]
    pub fail_on: FailOn,
    /// Show alerts of building-block rules too (ndjson always holds them, marked)
    #[arg(long, help_heading = "Output")]
    pub show_building_blocks: bool,
    #[command(flatten)]
    pub input: InputOptions,
    /// Run rules on every event, whatever index their patterns name
    #[arg(long, help_heading = "Rules")]
    pub any_index: bool,
    #[command(flatten)]
    pub rules: RuleOptions,
}

/// From which severity on an alert is a failure.
#[derive(Clone, Copy, Debug)]
pub struct FailOn(Option<RuleSeverity>);

impl FailOn {
    fn parser() -> impl clap::builder::TypedValueParser<Value = FailOn> {
        let names = RuleSeverity::ALL.map(RuleSeverity::as_str).into_iter().chain(["never"]);
        PossibleValuesParser::new(names).map(|name| FailOn(RuleSeverity::of(&name)))
    }

    fn fails(self, severity: RuleSeverity) -> bool {
        self.0.is_some_and(|least| severity >= least)
    }
}

fn severity_parser() -> impl clap::builder::TypedValueParser<Value = RuleSeverity> {
    PossibleValuesParser::new(RuleSeverity::ALL.map(RuleSeverity::as_str))
        .try_map(|name| RuleSeverity::of(&name).ok_or("no such severity"))
}

impl Scan {
    pub fn run(&self, general: &General) -> Result<Exit, Failure> {
        let console = general.console();
        let set = self.rules.load()?;
        let rules_exit = tell_unusable(&console, &set.findings);
        let scan = quell::Scan::new(set.rules, &self.rules.compile_options(), self.options(general)?);
        let rules_exit = rules_exit.or(tell_unusable(&console, scan.findings()));
        let errors = Tally::of(set.findings.iter().chain(scan.findings())).errors;
        let files = self.open_files()?;

        interrupt::listen();
        let bar = Bar::new(&console);
        let kind = self.output.unwrap_or(if console.out_is_terminal() { Kind::Table } else { Kind::Ndjson });
        let mut writer = Writer::new(self, &console, kind, files);
        let report = scan.run_to(&self.input_paths.paths, &bar, &mut |alert, documents| {
            bar.clear();
            writer.alert(&alert, documents)
        });
        bar.clear();
        tell_spill_errors(&console, &report);
        let exit = rules_exit.or(self.exit(&report, writer.failing));
        let shown = writer.finish()?;
        let list = format!("quell rules list{}", self.rule_words());
        let next = self.next(&shown, &report, &list);
        let told = Told { rules: scan.len(), not_run: scan.not_run(), errors, list: &list, next: &next };
        summarize(&console, kind, &shown, &report, &told);
        Ok(exit.or_if(shown.unreadable > 0, Exit::Unusable))
    }
}

impl Scan {
    fn options(&self, general: &General) -> Result<ScanOptions, Failure> {
        Ok(ScanOptions { any_index: self.any_index, ..self.input.scan_options(general)? })
    }

    /// Files are opened before the work begins: a scan of an hour should not end with "permission denied".
    fn open_files(&self) -> Result<Vec<(Kind, PathBuf, File)>, Failure> {
        write_targets::check(&self.write, &self.input_paths.paths)?;
        let open = |to: &WriteTo| match File::create(&to.path) {
            Ok(file) => Ok((to.kind, to.path.clone(), file)),
            Err(error) => Err(Failure::output(&to.path.display().to_string(), &error)),
        };
        self.write.iter().map(open).collect()
    }

    fn exit(&self, report: &Report, failing: bool) -> Exit {
        exit_of(&self.input, &report.warnings)
            .or_if(lost_hits(report), Exit::Unusable)
            .or_if(failing, Exit::Findings)
            .or_if(report.interrupted, Exit::Interrupted)
    }

    fn severe_enough(&self, alert: &Alert) -> bool {
        self.min_severity.is_none_or(|least| alert.rule.severity >= least)
    }

    /// Commands that lead on from what was found, each as it would be typed.
    fn next(&self, shown: &Shown, report: &Report, list: &str) -> Vec<String> {
        let Some(path) = self.input_paths.paths.first() else { return Vec::new() };
        let path = quoted(&path.display().to_string());
        let rules = self.rule_words();
        match shown.first_rule() {
            Some(rule) => vec![
                format!("quell rules show {}{rules}", quoted(&rule.id)),
                format!("quell scan {path}{rules} --write csv=alerts.csv"),
            ],
            None if report.stats.events > 0 => {
                vec![format!("quell decode {path} --limit 1 --pretty"), list.to_owned()]
            }
            None => Vec::new(),
        }
    }

    /// `--rules` as it was given, for commands that lead on.
    fn rule_words(&self) -> String {
        self.rules.rules.iter().map(|word| format!(" --rules {}", quoted(word))).collect()
    }
}

/// Writes every alert to standard output and to the files. A reader who closes standard output ends only that.
struct Writer<'c> {
    command: &'c Scan,
    console: &'c Console,
    outputs: Vec<Output>,
    shown: Shown,
    unreadable: Unreadable,
    /// Whether an alert is severe enough for exit code 1.
    failing: bool,
    failure: Option<Failure>,
}

impl<'c> Writer<'c> {
    fn new(
        command: &'c Scan,
        console: &'c Console,
        kind: Kind,
        files: Vec<(Kind, PathBuf, File)>,
    ) -> Writer<'c> {
        let out: Box<dyn Write> = match kind {
            Kind::Table => Box::new(console.out()),
            Kind::Ndjson | Kind::Csv => Box::new(console.data()),
        };
        let mut outputs = vec![Output {
            name: String::from("to standard output"),
            sink: kind.sink(console.width()),
            out,
            open: true,
        }];
        for (kind, path, file) in files {
            // A file is no terminal: nothing is cut, and colours are stripped.
            let file: Box<dyn Write> = Box::new(BufWriter::new(file));
            let out = if kind == Kind::Table { Box::new(anstream::StripStream::new(file)) } else { file };
            outputs.push(Output { name: path.display().to_string(), sink: kind.sink(None), out, open: true });
        }
        Writer {
            command,
            console,
            outputs,
            shown: Shown::default(),
            unreadable: Unreadable::default(),
            failing: false,
            failure: None,
        }
    }

    /// Writes an alert; ends the work when it cannot be written.
    fn alert(&mut self, alert: &Alert, documents: &mut Documents<'_>) -> ControlFlow<()> {
        match self.write(alert, documents) {
            Ok(()) => ControlFlow::Continue(()),
            Err(failure) => {
                self.failure = Some(failure);
                ControlFlow::Break(())
            }
        }
    }

    fn write(&mut self, alert: &Alert, documents: &mut Documents<'_>) -> Result<(), Failure> {
        let Writer { command, shown, outputs, .. } = self;
        if !command.severe_enough(alert) {
            shown.below_severity += 1;
            return Ok(());
        }
        self.failing |= !alert.building_block && command.fail_on.fails(alert.rule.severity);
        if command.limit.is_some_and(|limit| shown.alerts >= limit) {
            shown.past_limit += 1;
            return Ok(());
        }
        let hidden = alert.building_block && !command.show_building_blocks;
        if hidden {
            shown.hidden_blocks += 1;
            if !outputs.iter().any(|output| output.sink.marks_building_blocks()) {
                return Ok(());
            }
        }
        let document = documents.alert(alert).unwrap_or_else(|error| {
            self.unreadable.tell(self.console, &format!("the event of alert {}: {error}", alert.id));
            Documents::alert_alone(alert)
        });
        if !hidden {
            shown.add(alert, &document);
        }
        let marks = |output: &&mut Output| !hidden || output.sink.marks_building_blocks();
        outputs.iter_mut().filter(marks).try_for_each(|output| output.alert(alert, &document))
    }

    fn finish(mut self) -> Result<Shown, Failure> {
        self.shown.unreadable = self.unreadable.finish(self.console);
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        self.outputs.into_iter().try_for_each(Output::finish)?;
        Ok(self.shown)
    }
}

/// One place that alerts go to.
struct Output {
    name: String,
    sink: Box<dyn Sink>,
    out: Box<dyn Write>,
    open: bool,
}

impl Output {
    fn alert(&mut self, alert: &Alert, document: &Map<String, Value>) -> Result<(), Failure> {
        if !self.open {
            return Ok(());
        }
        let result = self.sink.alert(&mut *self.out, alert, document);
        self.watch(result)
    }

    fn finish(mut self) -> Result<(), Failure> {
        if !self.open {
            return Ok(());
        }
        let Output { name, sink, out, .. } = &mut self;
        let sink = std::mem::replace(sink, Kind::Ndjson.sink(None));
        let result = sink.finish(&mut **out).and_then(|()| out.flush());
        match result.map_err(|error| Failure::output(name, &error)) {
            Err(Failure::ClosedPipe) => Ok(()),
            other => other,
        }
    }

    fn watch(&mut self, result: io::Result<()>) -> Result<(), Failure> {
        match result.map_err(|error| Failure::output(&self.name, &error)) {
            Err(Failure::ClosedPipe) => {
                self.open = false;
                Ok(())
            }
            other => other,
        }
    }
}

/// The summary goes where the table is; beside data it goes to standard error. Quiet leaves only what was not read.
fn summarize(console: &Console, kind: Kind, shown: &Shown, report: &Report, told: &Told<'_>) {
    if console.quiet {
        summary::tell_unread(console, &report.warnings);
        return;
    }
    // Standard output may have been closed: nobody misses the summary then.
    let _ = if kind == Kind::Table {
        let mut out = console.out();
        let gap = if shown.alerts > 0 { writeln!(out) } else { Ok(()) };
        gap.and_then(|()| summary::write(&mut out, shown, report, told))
    } else {
        summary::write(&mut console.err(), shown, report, told)
    };
}

/// A word as a shell takes it, with nothing in it that a terminal would obey.
fn quoted(word: &str) -> String {
    let safe = escape(word);
    if !safe.is_empty() && safe.chars().all(|c| c.is_alphanumeric() || "-_./:@%+=,\\".contains(c)) {
        safe.into_owned()
    } else {
        format!("'{}'", safe.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_are_quoted_for_a_shell() {
        for (word, expected) in [
            ("a/b.json", "a/b.json"),
            ("a b", "'a b'"),
            ("it's", "'it'\\''s'"),
            ("", "''"),
            ("$(x)", "'$(x)'"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }
}
