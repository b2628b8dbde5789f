//! Runs the real binary and looks at what it did.
#![allow(dead_code, reason = "each test file uses its part of it")]

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a run printed, and how it ended.
#[derive(Debug)]
pub struct Ran {
    pub stdout: String,
    pub stderr: String,
    pub code: i32,
}

/// The folder of the fixtures.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The binary, in the fixtures' folder, with an environment that colours and cuts nothing.
pub fn command<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quell"));
    for name in ["CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "RUST_BACKTRACE"] {
        command.env_remove(name);
    }
    command.env("NO_COLOR", "1").current_dir(fixtures()).args(args);
    command
}

/// Runs it.
pub fn quell<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Ran {
    ran(command(args).stdin(Stdio::null()))
}

/// Runs it in a folder of its own.
pub fn quell_in<S: AsRef<OsStr>>(folder: &Path, args: impl IntoIterator<Item = S>) -> Ran {
    ran(command(args).stdin(Stdio::null()).current_dir(folder))
}

/// Runs it with text on standard input.
pub fn quell_with<S: AsRef<OsStr>>(input: &[u8], args: impl IntoIterator<Item = S>) -> Ran {
    let mut child =
        command(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // It may end without reading all of it.
    let _ = stdin.write_all(input);
    drop(stdin);
    into_ran(child.wait_with_output().unwrap())
}

/// Runs a prepared command.
pub fn ran(command: &mut Command) -> Ran {
    into_ran(command.output().unwrap())
}

fn into_ran(output: std::process::Output) -> Ran {
    Ran {
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code().unwrap_or(-1),
    }
}

/// The text without what differs from run to run: times taken, and rates.
pub fn timeless(text: &str) -> String {
    let taken = regex::Regex::new(r" in [0-9.]+ (ms|s) \([0-9.,]+( [kMG])? events/s\)").unwrap();
    taken.replace_all(text, " in TIME (RATE)").into_owned()
}
