//! `quell scan`: rules over logs, to alerts.

use crate::alert_sink::{Kind, WriteTo, parse_write};
use crate::alert_writer::{AlertWriter, OpenedFile, Wanted};
use crate::arguments::General;
use crate::console::Console;
use crate::exception_options::ExceptionOptions;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::findings::{Tally, tell_unusable};
use crate::input_options::{InputOptions, InputPaths, exit_of, lost_hits, tell_spill_errors};
use crate::interrupt;
use crate::live_options::LiveOptions;
use crate::live_scan::{LiveOutput, UntilInterrupted};
use crate::memory_options::MemoryOptions;
use crate::plain_text::escape;
use crate::progress::Bar;
use crate::rule_options::RuleOptions;
use crate::summary::{self, Shown, Told};
use crate::write_targets;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, ValueHint};
use quell::{MaintenanceWindow, Report, RuleSeverity, ScanOptions, StreamError};
use std::io::Write as _;
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
    zcat events.json.gz | quell scan - --fail-on high      end with 1 from high on\n  \
    quell scan --follow events.ndjson --state quell.state --write ndjson=alerts.ndjson")]
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
    /// Show what exceptions hold back too, marked by what holds it; of sequences, the events that took no part
    #[arg(long, help_heading = "Output")]
    pub show_held: bool,
    /// Maintenance windows (TOML, or JSON of Kibana's API): their alerts are marked and leave the exit code alone; repeatable
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Output")]
    pub maintenance_windows: Vec<PathBuf>,
    #[command(flatten)]
    pub input: InputOptions,
    #[command(flatten)]
    pub live: LiveOptions,
    /// Run rules on every event, whatever index their patterns name
    #[arg(long, help_heading = "Rules")]
    pub any_index: bool,
    #[command(flatten)]
    pub memory: MemoryOptions,
    #[command(flatten)]
    pub rules: RuleOptions,
    #[command(flatten)]
    pub exceptions: ExceptionOptions,
}

/// From which severity on an alert is a failure.
#[derive(Clone, Copy, Debug)]
pub struct FailOn(Option<RuleSeverity>);

impl FailOn {
    fn parser() -> impl clap::builder::TypedValueParser<Value = FailOn> {
        let names = RuleSeverity::ALL.map(RuleSeverity::as_str).into_iter().chain(["never"]);
        PossibleValuesParser::new(names).map(|name| FailOn(RuleSeverity::of(&name)))
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
        let (exceptions, mut wrong) = self.exceptions.load(&set.exceptions);
        let mut maintenance = Vec::new();
        for path in &self.maintenance_windows {
            let (windows, found) = MaintenanceWindow::load(path);
            maintenance.extend(windows);
            wrong.extend(found);
        }
        let rules_exit = rules_exit.or(tell_unusable(&console, &wrong));
        let options = ScanOptions { exceptions, maintenance, ..self.options(general, &console)? };
        let scan = quell::Scan::new(set.rules, &self.rules.compile_options(), options);
        let rules_exit = rules_exit.or(tell_unusable(&console, scan.findings()));
        let errors = Tally::of(set.findings.iter().chain(&wrong).chain(scan.findings())).errors;
        let kind = self.output.unwrap_or(if console.out_is_terminal() { Kind::Table } else { Kind::Ndjson });
        let (report, writer) = if self.live.is_live() {
            self.live(&console, kind, &scan)?
        } else {
            self.batch(&console, kind, &scan)?
        };
        let exit = rules_exit.or(self.exit(&report, writer.failing));
        let shown = writer.finish()?;
        let list = format!("quell rules list{}", self.rule_words());
        let next = self.next(&shown, &report, &list);
        let told = Told { rules: scan.len(), not_run: scan.not_run(), errors, list: &list, next: &next };
        summarize(&console, kind, &shown, &report, &told);
        Ok(exit.or_if(shown.unreadable > 0, Exit::Unusable))
    }

    /// Reads the inputs to their ends.
    fn batch<'c>(
        &self,
        console: &'c Console,
        kind: Kind,
        scan: &quell::Scan,
    ) -> Result<(Report, AlertWriter<'c>), Failure> {
        // Files are opened before the work begins: a scan of an hour should not end with "permission denied".
        write_targets::check(&self.write, &self.input_paths.paths)?;
        let files: Result<Vec<OpenedFile>, Failure> = self.write.iter().map(OpenedFile::create).collect();
        let mut writer = AlertWriter::new(self.wanted(), console, kind, files?);
        interrupt::listen();
        let bar = Bar::new(console);
        let report = scan.run_to(&self.input_paths.paths, &bar, &mut |alert, documents| {
            bar.clear();
            writer.alert(&alert, documents)
        });
        bar.clear();
        tell_spill_errors(console, &report);
        Ok((report, writer))
    }

    /// Reads the input as it comes.
    fn live<'c>(
        &self,
        console: &'c Console,
        kind: Kind,
        scan: &quell::Scan,
    ) -> Result<(Report, AlertWriter<'c>), Failure> {
        let checkpoint = self.live.checkpoint()?;
        let format = self.input.input_format.as_deref();
        let input = self.live.input(&self.input_paths.paths, format, checkpoint.as_ref())?;
        write_targets::check(&self.write, &self.input_paths.paths)?;
        let open = |to: &WriteTo| match &checkpoint {
            Some(checkpoint) => OpenedFile::go_on(to, checkpoint),
            None => OpenedFile::create(to),
        };
        let files: Result<Vec<OpenedFile>, Failure> = self.write.iter().map(open).collect();
        let mut writer = AlertWriter::new(self.wanted(), console, kind, files?);
        interrupt::listen();
        let mut output = LiveOutput { writer: &mut writer, console };
        let report =
            scan.stream(input, checkpoint, &self.live.stream_options(), &mut output, &UntilInterrupted);
        match report {
            Ok(report) => Ok((report, writer)),
            // The writer knows better what failed.
            Err(StreamError::Output(error)) => {
                writer.finish()?;
                Err(Failure::output("the alerts", &error))
            }
            Err(error) => Err(Failure::unusable(error.to_string())),
        }
    }

    fn options(&self, general: &General, console: &Console) -> Result<ScanOptions, Failure> {
        let show_held = self.show_held;
        let options =
            ScanOptions { any_index: self.any_index, show_held, ..self.input.scan_options(general)? };
        self.memory.apply(options, console)
    }

    fn wanted(&self) -> Wanted {
        Wanted {
            min_severity: self.min_severity,
            limit: self.limit,
            building_blocks: self.show_building_blocks,
            fail_on: self.fail_on.0,
        }
    }

    fn exit(&self, report: &Report, failing: bool) -> Exit {
        exit_of(&self.input, &report.warnings)
            .or_if(lost_hits(report), Exit::Unusable)
            .or_if(failing, Exit::Findings)
            .or_if(report.interrupted, Exit::Interrupted)
    }

    /// Commands that lead on from what was found, each as it would be typed.
    fn next(&self, shown: &Shown, report: &Report, list: &str) -> Vec<String> {
        let Some(path) = self.input_paths.paths.first() else { return Vec::new() };
        let path = quoted(&path.display().to_string());
        let rules = self.rule_words();
        match shown.first_rule() {
            _ if self.live.is_live() => Vec::new(),
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
