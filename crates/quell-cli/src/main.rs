//! The binary `quell`: a command each in `commands`, and rendering. Nothing below this crate prints.

mod alert_row;
mod alert_sink;
mod alert_writer;
mod arguments;
mod columns;
mod commands;
mod console;
mod document;
mod exception_options;
mod exit;
mod failure;
mod findings;
mod input_options;
mod interrupt;
mod json_lines;
mod live_options;
mod live_scan;
mod memory_options;
mod plain_text;
mod progress;
mod rule_options;
mod settings;
mod snippet;
mod story;
mod story_words;
mod summary;
mod units;
mod write_targets;

use crate::arguments::NotParsed;
use crate::console::Console;
use crate::exit::Exit;
use clap::error::ErrorKind;
use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    let exit = match arguments::parse(&args) {
        Ok(cli) => cli.command.run(&cli.general).unwrap_or_else(|failure| {
            cli.general.console().tell(&failure);
            failure.exit()
        }),
        Err(NotParsed::Clap(error)) => told_by_clap(&error),
        Err(NotParsed::Settings(failure)) => {
            Console::default().tell(&failure);
            failure.exit()
        }
    };
    exit.into()
}

/// Help and version go to standard output and are what was asked for; all else is a usage error.
fn told_by_clap(error: &clap::Error) -> Exit {
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Success,
        _ => Exit::Usage,
    }
}
