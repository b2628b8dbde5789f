//! One input as it was found: its name, and how it came to be read.

use std::path::Path;
use std::sync::Arc;

/// How an input came to be read: what is unrecognised in a folder is only counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin {
    /// The user named it.
    Named,
    /// A folder or a pattern held it.
    Found,
}

/// An input: a regular file, a pipe that was named, or standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path as it was named, or as the named folder leads to it; `-` is standard input.
    pub path: Arc<Path>,
    /// How it came to be read.
    pub origin: Origin,
    /// Whether it is standard input.
    pub standard_input: bool,
    /// Its length in bytes as it is stored; `None` where it cannot be told before it is read, and then it cannot be
    /// read twice.
    pub bytes: Option<u64>,
}

impl SourceFile {
    /// The regular file, or the pipe, at `path`.
    ///
    /// # Errors
    /// Where its metadata cannot be read.
    pub fn at(path: &Path) -> std::io::Result<SourceFile> {
        let metadata = std::fs::metadata(path)?;
        Ok(SourceFile {
            path: path.into(),
            origin: Origin::Named,
            standard_input: false,
            bytes: metadata.is_file().then_some(metadata.len()),
        })
    }

    /// An input that is read as it comes; `-` is standard input.
    #[must_use]
    pub fn live(path: &Arc<Path>) -> SourceFile {
        let standard_input = path.as_os_str() == "-";
        SourceFile { path: Arc::clone(path), origin: Origin::Named, standard_input, bytes: None }
    }

    /// Standard input.
    #[must_use]
    pub fn standard_input() -> SourceFile {
        SourceFile { path: Path::new("-").into(), origin: Origin::Named, standard_input: true, bytes: None }
    }
}
