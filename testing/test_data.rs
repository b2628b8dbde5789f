//! Where the recorded test data lies: include it as a module of a test.
#![allow(clippy::print_stdout, reason = "a test says that it was skipped")]

use std::path::{Path, PathBuf};

/// A folder of the test data, `""` being all of it; `None`, and a line that says so, where it is missing.
pub fn test_data(folder: &str) -> Option<PathBuf> {
    // Every crate lies two folders deep.
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let path = std::env::var_os("QUELL_TEST_DATA").map_or_else(beside, PathBuf::from).join(folder);
    if !path.is_dir() {
        println!("skipped: no test data at {}", path.display());
        return None;
    }
    Some(path)
}
