//! `quell completions`: a script that completes the command line in a shell.

use crate::arguments;
use crate::exit::Exit;
use crate::failure::{Failure, until_closed};
use clap::Args;
use clap_complete::Shell;
use std::io::{self, Write as _};

/// Print a script that completes quell's command line in a shell
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    quell completions bash > ~/.local/share/bash-completion/completions/quell\n  \
    quell completions zsh > \"${fpath[1]}/_quell\"\n  \
    quell completions fish > ~/.config/fish/completions/quell.fish")]
pub struct Completions {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: Shell,
}

impl Completions {
    pub fn run(&self) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut arguments::command(), "quell", &mut script);
        until_closed(io::stdout().lock().write_all(&script))?;
        Ok(Exit::Success)
    }
}
