//! Finding the inputs that paths, folders and patterns name.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use quell_ir::Code;
use same_file::Handle;
use walkdir::WalkDir;

use super::file::{Origin, SourceFile};
use super::warning::{InputWarning, Loss, WarningLog};

/// What was found.
#[derive(Clone, Debug)]
pub struct Discovery {
    /// The inputs, sorted by path, name by name; standard input comes last. None stands twice.
    pub files: Vec<SourceFile>,
    /// What could not be found or looked into.
    pub warnings: WarningLog,
}

/// The inputs that `paths` name: files; folders with all that is below them; patterns with `*`, `?`, `[…]` and `**`
/// where no file has that name; `-` for standard input. The file that this process's standard output goes to is left out.
///
/// A file that several paths lead to, also through links, is read once, under the first of its names (without `..` where
/// there is one). Neither the order of the arguments nor that of the folders matters. In a folder every regular file is
/// taken, for the content says what it is.
pub fn discover<P: AsRef<Path>>(paths: &[P]) -> Discovery {
    let mut arguments: Vec<&Path> = paths.iter().map(AsRef::as_ref).collect();
    arguments.sort_by(|a, b| compare(a, b));
    arguments.dedup();
    let mut search =
        Search { found: BTreeMap::new(), output: output_file(), warnings: WarningLog::default() };
    for argument in &arguments {
        if *argument != Path::new(STANDARD_INPUT) {
            search.argument(argument);
        }
    }
    let mut files: Vec<SourceFile> = search.found.into_values().collect();
    files.sort_by(|a, b| compare(&a.path, &b.path));
    if arguments.contains(&Path::new(STANDARD_INPUT)) {
        files.push(SourceFile::standard_input());
    }
    Discovery { files, warnings: search.warnings }
}

const STANDARD_INPUT: &str = "-";

/// The order of inputs: name by name, with `./a` as `a`.
fn compare(a: &Path, b: &Path) -> std::cmp::Ordering {
    fn names(path: &Path) -> impl Iterator<Item = Component<'_>> {
        path.components().filter(|name| *name != Component::CurDir)
    }
    names(a).cmp(names(b)).then_with(|| a.cmp(b))
}

/// The order in which one file's names are preferred: those without `..`, then the first.
fn prefer(a: &Path, b: &Path) -> std::cmp::Ordering {
    let winding = |path: &Path| path.components().any(|name| name == Component::ParentDir);
    winding(a).cmp(&winding(b)).then_with(|| compare(a, b))
}

struct Search {
    /// The inputs by their canonical paths.
    found: BTreeMap<PathBuf, SourceFile>,
    output: Option<Handle>,
    warnings: WarningLog,
}

/// The regular file that standard output goes to.
fn output_file() -> Option<Handle> {
    Handle::stdout().ok().filter(|output| output.as_file().metadata().is_ok_and(|data| data.is_file()))
}

impl Search {
    fn argument(&mut self, path: &Path) {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {
                let before = self.warnings.total();
                if !self.folder(path, &mut HashSet::new()) && self.warnings.total() == before {
                    self.warn(Code::EMPTY_INPUT, path, Loss::Nothing, "no file in this folder");
                }
            }
            Ok(metadata) => self.add(path, Origin::Named, &metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => match pattern(path) {
                Some(pattern) => self.pattern(path, pattern),
                None => {
                    let broken = fs::symlink_metadata(path).is_ok();
                    let message = if broken { "the link leads nowhere" } else { "no such file or folder" };
                    self.warn(Code::NO_SUCH_INPUT, path, Loss::Input, message);
                }
            },
            Err(error) => {
                self.warn(Code::UNREADABLE, path, Loss::Input, format!("cannot be read: {error}"));
            }
        }
    }

    fn pattern(&mut self, path: &Path, pattern: &str) {
        let matches = match glob::glob(pattern) {
            Ok(matches) => matches,
            Err(error) => {
                self.warn(Code::NO_SUCH_INPUT, path, Loss::Input, format!("not a pattern: {}", error.msg));
                return;
            }
        };
        let mut any = false;
        let mut visited = HashSet::new();
        for found in matches {
            any = true;
            match found {
                Ok(found) => self.matched(&found, &mut visited),
                Err(error) => {
                    let message = format!("cannot be read: {}", error.error());
                    self.warn(Code::UNREADABLE, error.path(), Loss::Input, message);
                }
            }
        }
        if !any {
            self.warn(Code::NO_SUCH_INPUT, path, Loss::Input, "nothing matches the pattern");
        }
    }

    fn matched(&mut self, path: &Path, visited: &mut HashSet<PathBuf>) {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {
                self.folder(path, visited);
            }
            Ok(metadata) if metadata.is_file() => self.add(path, Origin::Found, &metadata),
            Ok(_) => self.not_a_file(path),
            Err(error) => self.skipped_link(path, &error),
        }
    }

    /// Takes every regular file below `folder`, and says whether there was any. A folder in `visited` was searched before
    /// under another name.
    fn folder(&mut self, folder: &Path, visited: &mut HashSet<PathBuf>) -> bool {
        let mut any = false;
        let mut entries = WalkDir::new(folder)
            .follow_links(true)
            .sort_by(|a, b| a.file_name().cmp(b.file_name()))
            .into_iter();
        while let Some(entry) = entries.next() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.walk_failed(folder, &error);
                    continue;
                }
            };
            if entry.file_type().is_dir() {
                // Links between folders can name each folder in exponentially many ways.
                if !visited.insert(identity(entry.path())) {
                    entries.skip_current_dir();
                }
            } else if entry.file_type().is_file() {
                any = true;
                match entry.metadata() {
                    Ok(metadata) => self.add(entry.path(), Origin::Found, &metadata),
                    Err(error) => self.walk_failed(folder, &error),
                }
            } else {
                self.not_a_file(entry.path());
            }
        }
        any
    }

    fn walk_failed(&mut self, folder: &Path, error: &walkdir::Error) {
        let path = error.path().unwrap_or(folder);
        if let Some(ancestor) = error.loop_ancestor() {
            let message = format!("the link leads back to {}", ancestor.display());
            self.warn(Code::LINK_LOOP, path, Loss::Nothing, message);
        } else if let Some(error) = error.io_error() {
            self.skipped_link(path, error);
        }
    }

    /// A link that leads nowhere, or back to itself, costs nothing; anything else that cannot be looked at does.
    fn skipped_link(&mut self, path: &Path, error: &io::Error) {
        let link = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
        if link && error.kind() == io::ErrorKind::NotFound {
            self.warn(Code::NO_SUCH_INPUT, path, Loss::Nothing, "the link leads nowhere");
        } else if link && error.kind() != io::ErrorKind::PermissionDenied {
            self.warn(Code::LINK_LOOP, path, Loss::Nothing, format!("the link cannot be followed: {error}"));
        } else {
            self.warn(Code::UNREADABLE, path, Loss::Input, format!("cannot be read: {error}"));
        }
    }

    fn not_a_file(&mut self, path: &Path) {
        self.warn(Code::NOT_A_FILE, path, Loss::Nothing, "not a regular file");
    }

    fn add(&mut self, path: &Path, origin: Origin, metadata: &fs::Metadata) {
        if metadata.is_file()
            && let Some(output) = &self.output
            && Handle::from_path(path).is_ok_and(|file| file == *output)
        {
            let loss = if origin == Origin::Named { Loss::Input } else { Loss::Nothing };
            self.warn(Code::INPUT_IS_OUTPUT, path, loss, "standard output goes there, so it is not read");
            return;
        }
        let file = SourceFile {
            path: path.into(),
            origin,
            standard_input: false,
            bytes: metadata.is_file().then_some(metadata.len()),
        };
        let known = self.found.entry(identity(path)).or_insert_with(|| file.clone());
        known.origin = known.origin.min(file.origin);
        if prefer(&file.path, &known.path).is_lt() {
            known.path = file.path;
        }
    }

    fn warn(&mut self, code: Code, path: &Path, loss: Loss, message: impl Into<String>) {
        self.warnings.push_with(code, loss, || InputWarning::new(code, &Arc::from(path), loss, message));
    }
}

/// The path under which a file or folder is known, whichever way it was reached.
fn identity(path: &Path) -> PathBuf {
    // A pipe of `/dev/fd` has no canonical path; its own will do.
    fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
}

/// The path as a pattern, if it is one.
fn pattern(path: &Path) -> Option<&str> {
    path.as_os_str().to_str().filter(|text| text.contains(['*', '?', '[']))
}
