//! `quell decode`: logs as the ECS documents that rules see.

use crate::arguments::General;
use crate::console::Console;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::input_options::{InputOptions, InputPaths, exit_of};
use crate::interrupt;
use crate::json_lines;
use crate::progress::Bar;
use crate::summary;
use clap::Args;
use std::io::{self, Write as _};
use std::ops::ControlFlow;

/// Print logs as the ECS documents that rules see
///
/// One line of JSON an event, in the order of the inputs.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    quell decode Security.evtx | head -3\n  \
    quell decode ./case-042 --since 2023-04-01 > events.ndjson\n  \
    quell decode sysmon.json --pretty --limit 1")]
pub struct Decode {
    #[command(flatten)]
    pub input_paths: InputPaths,
    /// Indent the JSON
    #[arg(long, help_heading = "Output")]
    pub pretty: bool,
    /// Print at most this many events
    #[arg(long, value_name = "N", help_heading = "Output")]
    pub limit: Option<u64>,
    #[command(flatten)]
    pub input: InputOptions,
}

impl Decode {
    pub fn run(&self, general: &General) -> Result<Exit, Failure> {
        let console = general.console();
        let options = self.input.scan_options(general)?;
        interrupt::listen();
        let bar = Bar::new(&console);
        let mut out = console.data();
        let mut left = self.limit.unwrap_or(u64::MAX);
        let mut written: io::Result<()> = Ok(());
        let decoded = quell::decode(&self.input_paths.paths, &options, &bar, &mut |document| {
            if left == 0 {
                return ControlFlow::Break(());
            }
            left -= 1;
            written = if self.pretty {
                json_lines::pretty(&mut out, document)
            } else {
                json_lines::line(&mut out, document)
            };
            if written.is_err() || left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        bar.clear();
        // A reader who has seen enough is the usual end of this command.
        written.and_then(|()| out.flush()).map_err(|error| Failure::output("to standard output", &error))?;
        tell(&console, &decoded);
        Ok(exit_of(&self.input, &decoded.warnings).or_if(interrupt::asked(), Exit::Interrupted))
    }
}

/// What was not read. Work done is not told: a pipe of documents has no summary.
fn tell(console: &Console, decoded: &quell::Decoded) {
    if console.quiet {
        summary::tell_unread(console, &decoded.warnings);
    } else {
        let _ = summary::write_unread(&mut console.err(), &decoded.warnings);
        let _ = summary::write_interrupted(&mut console.err(), interrupt::asked());
    }
}
