//! What rules shall not find: the options of the commands that apply exceptions.

use clap::{Args, ValueHint};
use quell::{ExceptionItem, ExceptionSet, FileFinding};
use std::path::PathBuf;
use std::sync::Arc;

/// Exceptions and their value lists.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Rules")]
pub struct ExceptionOptions {
    /// Exceptions: a file that Kibana exports or TOML, or a folder of them; repeatable
    #[arg(long, value_name = "FILE|DIR", value_hint = ValueHint::AnyPath)]
    pub exceptions: Vec<PathBuf>,
    /// A value list that exceptions name, one value a line; repeatable
    #[arg(long, value_name = "NAME=FILE", value_parser = parse_value_list, value_hint = ValueHint::FilePath)]
    pub value_list: Vec<(String, PathBuf)>,
}

impl ExceptionOptions {
    /// The exceptions of `--exceptions` and those that rule files hold (`exported`), with their value lists; and what is wrong
    /// with them.
    #[must_use]
    pub fn load(&self, exported: &[Arc<ExceptionItem>]) -> (ExceptionSet, Vec<FileFinding>) {
        let (mut set, mut findings) = ExceptionSet::load(&self.exceptions);
        findings.extend(set.add(exported.iter().cloned()));
        for (name, path) in &self.value_list {
            findings.extend(set.add_values(name, path));
        }
        (set, findings)
    }
}

fn parse_value_list(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => Ok((name.to_owned(), path.into())),
        _ => Err(String::from("expected NAME=FILE, such as scanners=scanners.txt")),
    }
}
