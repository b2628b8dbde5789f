//! The command line as a whole: what holds for every command, and how `quell.toml` takes part.

use crate::commands::Command;
use crate::console::{Color, Console};
use crate::exit;
use crate::failure::Failure;
use crate::settings;
use anstyle::Style;
use clap::builder::Styles;
use clap::{ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser};
use std::ffi::OsString;

/// Elastic's detection rules on any log, without a cluster.
///
/// Runs Elastic Security's detection rules over EVTX and JSON logs where they lie. The rules that find network service
/// discovery (MITRE ATT&CK T1046) are built in.
#[derive(Debug, Parser)]
#[command(
    name = "quell",
    version,
    args_override_self = true,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = false,
    infer_subcommands = false,
    styles = STYLES,
    after_help = "Examples:\n  \
        quell scan ./logs                       alerts of the built-in rules\n  \
        quell scan ./logs --rules my-rules/     alerts of your own\n  \
        quell query 'process where process.name == \"nmap.exe\"' ./logs\n  \
        quell check my-rules/                   what is wrong with rules\n\n\
        `quell COMMAND --help` says more, `quell --help` also what exit codes and quell.toml mean."
)]
pub struct Cli {
    #[command(flatten)]
    pub general: General,
    #[command(subcommand)]
    pub command: Command,
}

/// What every command understands.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "General")]
pub struct General {
    /// When to colour; NO_COLOR and CLICOLOR are respected
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value = "auto", display_order = 900)]
    pub color: Color,
    /// Print results and errors only: no summary, no warnings, no progress
    #[arg(long, short, global = true, display_order = 901)]
    pub quiet: bool,
    /// Threads to work with; 0 takes every core
    #[arg(long, global = true, value_name = "N", default_value_t = 0, display_order = 902)]
    pub threads: u16,
    /// Take no defaults from quell.toml
    #[arg(long, global = true, display_order = 903)]
    pub no_config: bool,
}

impl General {
    /// The streams, as the options want them.
    #[must_use]
    pub fn console(&self) -> Console {
        Console { color: self.color, quiet: self.quiet }
    }
}

const STYLES: Styles = Styles::styled()
    .header(Style::new().bold())
    .usage(Style::new().bold())
    .literal(anstyle::AnsiColor::Cyan.on_default())
    .placeholder(Style::new());

/// Why there is nothing to run.
#[derive(Debug)]
pub enum NotParsed {
    /// What clap has to say: help, the version, or a usage error.
    Clap(clap::Error),
    /// What is wrong with `quell.toml`.
    Settings(Failure),
}

/// The whole command, for parsing, completions and help.
#[must_use]
pub fn command() -> clap::Command {
    let long = format!(
        "Exit codes:\n{}\n\nConfiguration:\n{}\n\nTimes:\n  {}",
        exit::table(),
        indent(settings::HELP),
        "--since and --until take RFC 3339 (2023-04-02T10:11:09Z), a date and time (2023-04-02T10:11), or a date,\n  \
         which means its first moment. Without an offset they are in --timezone, UTC by default."
    );
    settings::with_negations(Cli::command().after_long_help(long))
}

/// The command line, with the defaults of `quell.toml`.
///
/// # Errors
/// Either may be wrong.
pub fn parse(args: &[OsString]) -> Result<Cli, NotParsed> {
    let matches = command().try_get_matches_from(args).map_err(NotParsed::Clap)?;
    let matches = with_settings(args, matches)?;
    Cli::from_arg_matches(&matches).map_err(|error| NotParsed::Clap(error.format(&mut command())))
}

fn with_settings(args: &[OsString], matches: ArgMatches) -> Result<ArgMatches, NotParsed> {
    if matches.get_flag("no_config") {
        return Ok(matches);
    }
    let Some(path) = std::env::current_dir().ok().and_then(|folder| settings::find(&folder)) else {
        return Ok(matches);
    };
    let command = settings::apply(command(), &matches, &path).map_err(NotParsed::Settings)?;
    command.try_get_matches_from(args).map_err(NotParsed::Clap)
}

fn indent(text: &str) -> String {
    let lines: Vec<String> =
        text.lines().map(|line| if line.is_empty() { String::new() } else { format!("  {line}") }).collect();
    lines.join("\n")
}
