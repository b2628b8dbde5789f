//! The commands: one file and two lines here each.

pub mod bench;
pub mod check;
pub mod completions;
pub mod decode;
pub mod explain;
pub mod fmt;
pub mod query;
pub mod rules;
pub mod scan;

use crate::arguments::General;
use crate::exit::Exit;
use crate::failure::Failure;
use clap::Subcommand;

/// What quell can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    Scan(scan::Scan),
    Query(query::Query),
    Explain(explain::Explain),
    Check(check::Check),
    Fmt(fmt::Fmt),
    Rules(rules::Rules),
    Decode(decode::Decode),
    Bench(bench::Bench),
    Completions(completions::Completions),
}

impl Command {
    /// Does it.
    ///
    /// # Errors
    /// Why it could not be done, with the exit code.
    pub fn run(&self, general: &General) -> Result<Exit, Failure> {
        match self {
            Command::Scan(command) => command.run(general),
            Command::Query(command) => command.run(general),
            Command::Explain(command) => command.run(general),
            Command::Check(command) => command.run(general),
            Command::Fmt(command) => command.run(general),
            Command::Rules(command) => command.run(general),
            Command::Decode(command) => command.run(general),
            Command::Bench(command) => command.run(general),
            Command::Completions(command) => command.run(),
        }
    }
}
