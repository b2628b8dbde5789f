//! Options of inputs that are read as they come: how long to wait, how much to hold, where to save.

use crate::failure::Failure;
use crate::units::{parse_duration, parse_size};
use clap::{Args, ValueHint};
use quell::{Checkpoint, CheckpointError, LiveInput, StreamOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How a live input is read.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Live input")]
#[command(group = clap::ArgGroup::new("live").args(["stream", "follow"]))]
pub struct LiveOptions {
    /// Read PATH, - or a named pipe, as it comes, and give alerts at once
    #[arg(long)]
    pub stream: bool,
    /// Read the file PATH and follow it as it grows, also when it is rotated by renaming
    #[arg(long, conflicts_with = "stream")]
    pub follow: bool,
    /// How long sequences wait for records that come late
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_duration, requires = "live")]
    pub lateness: Duration,
    /// The most memory for what is pending or known; what falls out is counted
    #[arg(long, value_name = "SIZE", default_value = "256M", value_parser = parse_size, requires = "live")]
    pub max_state: usize,
    /// Save what is pending to FILE about once a second, and go on from it when it is there
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "live")]
    pub state: Option<PathBuf>,
}

impl LiveOptions {
    /// Whether the input is read as it comes.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.stream || self.follow
    }

    /// These options as the library takes them.
    #[must_use]
    pub fn stream_options(&self) -> StreamOptions {
        StreamOptions {
            lateness: self.lateness,
            max_state: self.max_state,
            state: self.state.clone(),
            ..StreamOptions::default()
        }
    }

    /// The saved state, if there is one.
    ///
    /// # Errors
    /// It cannot be read, or is something else.
    pub fn checkpoint(&self) -> Result<Option<Checkpoint>, Failure> {
        let load = |path: &PathBuf| Checkpoint::load(path);
        self.state.as_ref().map(load).transpose().map(Option::flatten).map_err(unusable)
    }

    /// The input: exactly one can be read as it comes.
    ///
    /// # Errors
    /// There are several, or it is nothing that can be read so.
    pub fn input(
        &self,
        paths: &[PathBuf],
        format: Option<&str>,
        checkpoint: Option<&Checkpoint>,
    ) -> Result<LiveInput, Failure> {
        let flag = if self.follow { "--follow" } else { "--stream" };
        let [path] = paths else {
            return Err(Failure::usage(format!("{flag} reads one input, not {}", paths.len()))
                .help("start one for each input"));
        };
        let standard_input = path.as_os_str() == "-";
        match (self.follow, standard_input) {
            (true, true) => Err(Failure::usage("standard input cannot be followed").help("use --stream -")),
            (true, false) if path.is_dir() => {
                Err(Failure::usage(format!("{} is a folder: a file can be followed", path.display())))
            }
            (true, false) => Ok(quell::follow(path, format, checkpoint)),
            (false, true) => Ok(quell::stream_standard_input(format)),
            (false, false) => pipe(path, format),
        }
    }
}

fn pipe(path: &Path, format: Option<&str>) -> Result<LiveInput, Failure> {
    let data = path
        .metadata()
        .map_err(|error| Failure::unusable(format!("{}: cannot be read: {error}", path.display())))?;
    if data.is_file() || data.is_dir() {
        let message = format!("{} is no pipe: --stream reads - or a named pipe", path.display());
        return Err(
            Failure::usage(message).help("a file is read to its end without --stream, and on with --follow")
        );
    }
    Ok(quell::stream_pipe(path, format))
}

fn unusable(error: CheckpointError) -> Failure {
    Failure::unusable(error.to_string())
}
