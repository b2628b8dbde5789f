//! Files that are written beside standard output: none of them is an input, and none is written twice.

use crate::alert_sink::WriteTo;
use crate::failure::Failure;
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Looks at the files of `--write` before they are opened, which empties them.
///
/// # Errors
/// One is an input, also one that a folder holds: a log would be lost. Or two are the same file.
pub fn check(targets: &[WriteTo], input_paths: &[PathBuf]) -> Result<(), Failure> {
    if targets.is_empty() {
        return Ok(());
    }
    let inputs: HashSet<PathBuf> =
        quell::input_files(input_paths).iter().filter_map(|path| fs::canonicalize(path).ok()).collect();
    let mut written = HashSet::new();
    for target in targets {
        let Some(file) = regular_file(&target.path) else { continue };
        let name = target.path.display();
        if inputs.contains(&file) {
            return Err(Failure::usage(format!("`--write` would overwrite an input: {name}"))
                .help("write it outside of what is scanned, or remove it first if it is an older result"));
        }
        if !written.insert(file) {
            return Err(Failure::usage(format!("two of `--write` name the same file: {name}")));
        }
    }
    Ok(())
}

/// The one name of a regular file, which may not exist yet; `None` for a device or a pipe, and where it cannot be told:
/// then opening it says why.
fn regular_file(path: &Path) -> Option<PathBuf> {
    match fs::canonicalize(path) {
        Ok(known) => fs::metadata(&known).is_ok_and(|data| data.is_file()).then_some(known),
        Err(_) => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            Some(fs::canonicalize(folder.unwrap_or(Path::new("."))).ok()?.join(path.file_name()?))
        }
    }
}
