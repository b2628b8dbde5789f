//! `quell check`: everything that can be said of rules without an event.

use crate::arguments::General;
use crate::console::{BOLD, Console};
use crate::exception_options::ExceptionOptions;
use crate::exit::Exit;
use crate::failure::{Failure, until_closed};
use crate::findings::{self, Tally};
use crate::json_lines;
use crate::rule_options::RuleOptions;
use crate::units::{count, counted};
use clap::{Args, ValueHint};
use quell::{Checked, Code, FileFinding, did_you_mean, near_names, report};
use std::collections::HashSet;
use std::io::{self, Write};

/// Say what is wrong with rules, each finding with its file, line and column
///
/// Reads, compiles and lints rules; needs no logs. Ends with 0 where there is nothing to say, with 1 where there are
/// warnings, and with 2 where a rule cannot be used.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    quell check rules/                        all rules below a folder\n  \
    quell check rules/scan.toml --strict      an unknown field is an error\n  \
    quell check rules/ --output sarif > findings.sarif\n  \
    quell check --explain W0201               what a code means")]
pub struct Check {
    /// Rule files, folders of rules, or embedded sets [default: --rules, else t1046]
    #[arg(value_name = "RULES", value_hint = ValueHint::AnyPath)]
    pub paths: Vec<String>,
    /// Print the page about a code, and do nothing else
    #[arg(long, value_name = "CODE")]
    pub explain: Option<String>,
    /// How to print the findings; `short` is one line each: path:line:column: severity[CODE]: message
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    pub output: Output,
    #[command(flatten)]
    pub rules: RuleOptions,
    #[command(flatten)]
    pub exceptions: ExceptionOptions,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// With the source underlined
    Text,
    /// One line each
    Short,
    /// A JSON list
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
}

impl Check {
    pub fn run(&self, general: &General) -> Result<Exit, Failure> {
        let console = general.console();
        if let Some(code) = &self.explain {
            return explain(&console, code);
        }
        let mut checked = self.check()?;
        let (exceptions, wrong) = self.exceptions.load(&checked.set.exceptions);
        checked.findings.extend(wrong);
        checked.findings.extend(exceptions.compile(quell::schema()).findings);
        checked.findings.sort_by(FileFinding::order);
        let tally = Tally::of(&checked.findings);
        until_closed(self.print(&console, &checked.findings))?;
        if !console.quiet && !matches!(self.output, Output::Json | Output::Sarif) {
            let mut err = console.err();
            until_closed(writeln!(err, "{BOLD}{}{BOLD:#}{}", tally.text(), about(&checked)))?;
        }
        Ok(Exit::Success.or_if(tally.warnings > 0, Exit::Findings).or_if(tally.errors > 0, Exit::Unusable))
    }

    /// What was found of the selected rules. A file that could not be read belongs to every selection.
    fn check(&self) -> Result<Checked, Failure> {
        let specs = self.rules.specs(&self.paths)?;
        let options = self.rules.compile_options();
        let mut checked = quell::check(&specs, &options);
        let selection = self.rules.selection();
        if selection.is_empty() {
            return Ok(checked);
        }
        let rules = std::mem::take(&mut checked.set.rules);
        let selected = selection.apply(rules).map_err(|errors| findings::refused_option(&errors))?;
        let ids: HashSet<&str> = selected.iter().map(|rule| rule.id.as_str()).collect();
        checked.findings.retain(|finding| finding.rule_id.as_deref().is_none_or(|id| ids.contains(id)));
        (checked.runs, checked.not_run_yet, checked.refused) = (0, 0, 0);
        for rule in &selected {
            match quell::compile_rule(rule, &options) {
                quell::Outcome::Runs { .. } => checked.runs += 1,
                quell::Outcome::NotRunYet { .. } => checked.not_run_yet += 1,
                quell::Outcome::Refused(_) => checked.refused += 1,
            }
        }
        checked.set.rules = selected;
        Ok(checked)
    }

    fn print(&self, console: &Console, found: &[FileFinding]) -> io::Result<()> {
        match self.output {
            Output::Text => findings::write(&mut console.out(), found),
            Output::Short => {
                let mut out = console.data();
                for finding in found {
                    writeln!(out, "{}", findings::one_line(finding))?;
                }
                out.flush()
            }
            Output::Json => print_json(console, &report::to_json(found)),
            Output::Sarif => print_json(console, &report::to_sarif(found)),
        }
    }
}

/// ` in 12 rules of 10 files: 9 run, 2 do not run yet, 1 refused`
fn about(checked: &Checked) -> String {
    let set = &checked.set;
    let rules = counted(set.rules.len() as u64, "rule", "rules");
    let files = counted(set.files as u64, "file", "files");
    let mut parts = Vec::new();
    let run = if checked.runs == 1 { "runs" } else { "run" };
    for (n, what) in
        [(checked.runs, run), (checked.not_run_yet, "cannot run yet"), (checked.refused, "refused")]
    {
        if n > 0 {
            parts.push(format!("{} {what}", count(n as u64)));
        }
    }
    if !set.without_rules.is_empty() {
        parts.push(format!("{} without a rule", counted(set.without_rules.len() as u64, "file", "files")));
    }
    let ends = if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) };
    format!(" in {rules} of {files}{ends}")
}

fn print_json(console: &Console, value: &serde_json::Value) -> io::Result<()> {
    let mut out = console.data();
    json_lines::pretty(&mut out, value)?;
    out.flush()
}

fn explain(console: &Console, name: &str) -> Result<Exit, Failure> {
    let Some(code) = Code::find(name) else {
        let near = near_names(name, Code::all().map(Code::as_str));
        let help = did_you_mean(&near).unwrap_or_else(|| String::from("codes look like E0201 or W0401"));
        return Err(Failure::usage(format!("there is no code `{name}`")).help(help));
    };
    let mut out = console.out();
    let text = format!(
        "{BOLD}{code}: {}{BOLD:#} ({})\n\n{}",
        code.title(),
        code.severity().as_str(),
        code.explanation()
    );
    until_closed(writeln!(out, "{text}"))?;
    Ok(Exit::Success)
}
