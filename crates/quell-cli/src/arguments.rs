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
    styles = STYLES,
    after_help = EXAMPLES
)]
pub struct Cli {
    #[command(flatten)]
    pub general: General,
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  quell scan ./logs                       alerts of the built-in rules
  quell scan ./logs --rules my-rules/     alerts of your own
  quell query 'process where process.name == \"nmap.exe\"' ./logs
  quell check my-rules/                   what is wrong with rules

`quell COMMAND --help` says more, `quell --help` also what exit codes and quell.toml mean.";

/// What every command understands.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "General")]
pub struct General {
    /// When to colour: auto, always or never; NO_COLOR and CLICOLOR are respected
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true
    )]
    pub color: Color,
    /// Print results and errors only: no summary, no warnings, no progress
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Threads to work with; 0 takes every core
    #[arg(long, global = true, value_name = "N", default_value_t = 0)]
    pub threads: u16,
    /// Take no defaults from quell.toml
    #[arg(long, global = true)]
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
        "{EXAMPLES}\n\nExit codes:\n{}\n\nConfiguration:\n{}\n\nTimes:\n  {}",
        exit::table(),
        indent(settings::HELP),
        "--since and --until take RFC 3339 (2023-04-02T10:11:09Z), a date and time\n  \
         (2023-04-02T10:11), or a date, which means its first moment. Without an offset they are\n  \
         in --timezone, UTC by default. --until itself is outside."
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
    let (command, taken) = settings::apply(command(), &matches, &path).map_err(NotParsed::Settings)?;
    let matches = command.try_get_matches_from(args).map_err(NotParsed::Clap)?;
    if taken && let Ok(general) = General::from_arg_matches(&matches) {
        // A file that came with the evidence must not change anything in silence.
        general.console().note(&format!("defaults from {}; --no-config ignores them", path.display()));
    }
    Ok(matches)
}

fn indent(text: &str) -> String {
    let lines: Vec<String> =
        text.lines().map(|line| if line.is_empty() { String::new() } else { format!("  {line}") }).collect();
    lines.join("\n")
}
