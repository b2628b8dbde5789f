//! Rotated files: which files beside the followed one were rotated away from it, and in which order.

use std::cmp::Ordering;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::position::{FileIdentity, FollowPosition, Place, modified};

/// Where a followed file stands: its folder and its name there, links resolved.
pub(super) struct Standing {
    folder: PathBuf,
    name: String,
}

/// A file that was rotated away.
#[derive(Debug)]
pub(super) struct Rotated {
    pub(super) path: PathBuf,
    pub(super) identity: FileIdentity,
    modified: u64,
    bytes: u64,
    /// What was put in the place of, or behind, the followed file's name.
    suffix: String,
    compressed: bool,
}

/// What comes after a file that was read to its end.
pub(super) struct Successors {
    /// The next file, unless it is the followed one itself.
    pub(super) next: Option<Rotated>,
    /// Files before that one that cannot be read on.
    pub(super) compressed: Vec<PathBuf>,
}

impl Standing {
    /// Where the file at `path` stands, or would if it were there.
    pub(super) fn of(path: &Path) -> Standing {
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let folder = real.parent().filter(|parent| !parent.as_os_str().is_empty());
        Standing {
            folder: folder.unwrap_or(Path::new(".")).to_path_buf(),
            name: real.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        }
    }

    /// Calls `each` for every regular file of the folder, and its metadata.
    fn files(&self, mut each: impl FnMut(&str, PathBuf, &fs::Metadata)) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            // One that vanishes meanwhile is rotated on: the next look finds it.
            if let Ok(metadata) = entry.metadata()
                && metadata.is_file()
            {
                each(&entry.file_name().to_string_lossy(), entry.path(), &metadata);
            }
        }
        Ok(())
    }

    /// The file of a saved position, under whatever name.
    pub(super) fn find(&self, position: &FollowPosition) -> Option<Place> {
        let mut named = Vec::new();
        self.files(|_, path, metadata| {
            if FileIdentity::of(metadata).may_be(position.file()) {
                named.push(path);
            }
        })
        .ok()?;
        named.into_iter().find_map(|path| position.place_in(fs::File::open(path).ok()?).ok()?)
    }

    /// What was rotated away after the file of that identity, last written to at `since`, in the order of writing.
    pub(super) fn after(&self, file: Option<FileIdentity>, since: u64) -> Successors {
        let mut rotated: Vec<Rotated> = Vec::new();
        // A folder that cannot be listed names no file; the followed one is still opened by its own name.
        let _ = self.files(|name, path, metadata| {
            if let Some(suffix) = suffix(&self.name, name) {
                rotated.push(Rotated {
                    path,
                    identity: FileIdentity::of(metadata),
                    modified: modified(metadata),
                    bytes: metadata.len(),
                    suffix: suffix.to_owned(),
                    compressed: is_compressed(name),
                });
            }
        });
        rotated.sort_by(Rotated::order);
        let own = rotated.iter().position(|other| Some(other.identity) == file);
        let newer = match own {
            Some(own) => rotated.split_off(own + 1),
            None => rotated.into_iter().filter(|other| other.modified > since).collect(),
        };
        let mut successors = Successors { next: None, compressed: Vec::new() };
        // A file that is renamed while the folder is listed may stand in the list twice.
        for other in newer.into_iter().filter(|other| other.bytes > 0 && Some(other.identity) != file) {
            if !other.compressed {
                successors.next = Some(other);
                break;
            } else if other.modified > since {
                // One with the same time is the file itself, compressed.
                successors.compressed.push(other.path);
            }
        }
        successors
    }
}

impl Rotated {
    /// The order of writing. Times are as coarse as the clock's tick, so names decide where they are equal: of plain
    /// numbers the highest is the oldest, of dates the lowest.
    fn order(&self, other: &Rotated) -> Ordering {
        let number = |rotated: &Rotated| rotated.suffix.get(1..)?.parse::<u16>().ok();
        self.modified.cmp(&other.modified).then_with(|| match (number(self), number(other)) {
            (Some(own), Some(others)) => others.cmp(&own),
            _ => self.suffix.cmp(&other.suffix),
        })
    }
}

/// What a rotation put behind `name` (`app.log.1`, `app.log-20240101.gz`), or between its stem and its extension
/// (`app-2024-01-01.log`): something that starts with a mark and holds a digit, or one of a few words. `None` where
/// `other` is another log, or the followed file itself.
fn suffix<'a>(name: &str, other: &'a str) -> Option<&'a str> {
    const WORDS: &[&str] = &[".old", ".bak", ".prev", ".previous", "~"];
    let between = || {
        let (stem, extension) = name.rsplit_once('.')?;
        other.strip_prefix(stem)?.strip_suffix(extension)?.strip_suffix('.')
    };
    let is_suffix = |suffix: &str| {
        WORDS.contains(&uncompressed(suffix))
            || suffix.starts_with(['.', '-', '_'])
                && uncompressed(suffix).contains(|c: char| c.is_ascii_digit())
    };
    other
        .strip_prefix(name)
        .filter(|suffix| is_suffix(suffix))
        .or_else(|| between().filter(|suffix| is_suffix(suffix)))
}

/// What compressors put behind a name.
const COMPRESSED: &[&str] = &[".gz", ".bz2", ".xz", ".zst", ".lz4", ".zip", ".Z"];

fn is_compressed(name: &str) -> bool {
    uncompressed(name).len() < name.len()
}

fn uncompressed(name: &str) -> &str {
    COMPRESSED.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::{Standing, suffix};
    use std::fs::File;
    use std::time::{Duration, SystemTime};

    #[test]
    fn rotated_names_are_told_from_other_logs() {
        for (name, other, expected) in [
            ("app.log", "app.log.1", Some(".1")),
            ("app.log", "app.log.2.gz", Some(".2.gz")),
            ("app.log", "app.log-20240101", Some("-20240101")),
            ("app.log", "app.log.old", Some(".old")),
            ("app.log", "app-2024-01-01.log", Some("-2024-01-01")),
            ("app.log", "app.1.log", Some(".1")),
            ("app.log", "app.log", None),
            ("app.log", "app.log2", None),
            ("app.log", "app2.log", None),
            ("app.log", "app-errors.log", None),
            ("app.log", "app.log.gz", None),
            ("app.log", "app.log.bz2", None),
            ("app", "app.log", None),
            ("app", "app.1", Some(".1")),
            ("app", "application.1", None),
        ] {
            assert_eq!(suffix(name, other), expected, "{name} {other}");
        }
    }

    #[test]
    fn rotated_files_are_in_the_order_of_writing() {
        // Names with their ages in seconds, the newest first.
        let cases: &[&[(&str, u64)]] = &[
            &[(".1", 10), (".2", 20), (".10", 30)],
            &[(".1", 5), (".2", 5), (".10", 5)],
            &[("-20240102", 5), ("-20240101", 5)],
            &[(".1", 3), (".old", 5)],
        ];
        let now = SystemTime::now();
        for files in cases {
            let folder = tempfile::tempdir().unwrap();
            let path = |suffix: &str| folder.path().join(format!("app.log{suffix}"));
            for (suffix, age) in *files {
                std::fs::write(path(suffix), "x").unwrap();
                let file = File::options().append(true).open(path(suffix)).unwrap();
                file.set_modified(now - Duration::from_secs(*age)).unwrap();
            }
            let standing = Standing::of(&path(""));
            let mut next = standing.after(None, 0).next;
            let mut found = Vec::new();
            while let Some(rotated) = next {
                next = standing.after(Some(rotated.identity), rotated.modified).next;
                found.push(rotated.suffix);
            }
            let order: Vec<&str> = files.iter().rev().map(|(suffix, _)| *suffix).collect();
            assert_eq!(found, order);
        }
    }
}
