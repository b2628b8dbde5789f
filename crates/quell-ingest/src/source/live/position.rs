//! Where a followed file is to be read on: which file it was, whatever its name is by then, and how far it was read.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};

use crate::format::{Format, Lines};

/// A place between two records of a followed file, to be saved and given to [`super::LiveInput::follow`] later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowPosition {
    file: FileIdentity,
    /// Bytes before the place.
    offset: u64,
    /// Lines before the place.
    lines: u64,
    /// Of the file's first bytes, as many as lie before the place and [`HEAD_BYTES`] at most.
    head: u64,
    /// When the file was last written to, as it was known: nanoseconds since 1970.
    modified: u64,
    format: Option<String>,
}

/// How many of a file's first bytes tell it from another that got its inode.
const HEAD_BYTES: usize = 1 << 10;

impl FollowPosition {
    /// Which file it is a place of.
    #[must_use]
    pub fn file(&self) -> FileIdentity {
        self.file
    }

    /// How many bytes of the file lie before it.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// How many lines of the file lie before it.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// The name of the format.
    #[must_use]
    pub fn format(&self) -> Option<&str> {
        self.format.as_deref()
    }

    /// When the file was last written to, as it was known.
    pub(super) fn modified(&self) -> u64 {
        self.modified
    }

    /// The place in `file`, if that is the file of this position and was not cut or written anew since.
    pub(super) fn place_in(&self, file: File) -> io::Result<Option<Place>> {
        let metadata = file.metadata()?;
        let mut place = Place::new(file, &metadata);
        place.file.seek(SeekFrom::Start(0))?;
        let head = HEAD_BYTES.min(len(self.offset)) as u64;
        Read::take(&mut place.file, head).read_to_end(&mut place.head)?;
        place.file.seek(SeekFrom::Start(self.offset))?;
        let is_same = place.identity.may_be(self.file)
            && metadata.len() >= self.offset
            && place.head_before(self.offset) == self.head;
        Ok(is_same.then_some(place))
    }
}

/// What tells a file from the others of its folder, whatever its name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileIdentity {
    /// The device, where there is such a number. It may be another after the machine was started anew.
    device: u64,
    /// The inode; elsewhere when the file was created, in nanoseconds since 1970.
    number: u64,
}

impl FileIdentity {
    #[cfg(unix)]
    pub(super) fn of(metadata: &Metadata) -> FileIdentity {
        use std::os::unix::fs::MetadataExt;
        FileIdentity { device: metadata.dev(), number: metadata.ino() }
    }

    #[cfg(not(unix))]
    pub(super) fn of(metadata: &Metadata) -> FileIdentity {
        let created = metadata.created().unwrap_or(UNIX_EPOCH);
        FileIdentity { device: 0, number: nanoseconds(created) }
    }

    /// Whether both may be the same file, seen before and after a start of the machine.
    pub(super) fn may_be(self, other: FileIdentity) -> bool {
        self.number == other.number
    }
}

/// When a file was last written to, in nanoseconds since 1970.
pub(super) fn modified(metadata: &Metadata) -> u64 {
    nanoseconds(metadata.modified().unwrap_or(UNIX_EPOCH))
}

fn nanoseconds(time: std::time::SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// A number of bytes as a length in memory; one that does not fit is more than is ever held.
fn len(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// A file that is followed.
pub(super) struct Place {
    pub(super) file: File,
    pub(super) identity: FileIdentity,
    modified: u64,
    head: Vec<u8>,
    /// The hash of a complete head.
    hash: Option<u64>,
}

impl Place {
    /// The beginning of a file.
    pub(super) fn new(file: File, metadata: &Metadata) -> Place {
        Place {
            file,
            identity: FileIdentity::of(metadata),
            modified: modified(metadata),
            head: Vec::new(),
            hash: None,
        }
    }

    /// Notes the bytes that were read at an offset.
    pub(super) fn pass(&mut self, at: u64, bytes: &[u8]) {
        if at == self.head.len() as u64 {
            let room = HEAD_BYTES.saturating_sub(self.head.len());
            self.head.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        }
    }

    /// The position after the lines that were given out.
    pub(super) fn position(&mut self, lines: &Lines, format: Option<&'static dyn Format>) -> FollowPosition {
        if let Ok(metadata) = self.file.metadata() {
            self.modified = modified(&metadata);
        }
        FollowPosition {
            file: self.identity,
            offset: lines.offset(),
            lines: lines.count(),
            head: self.head_before(lines.offset()),
            modified: self.modified,
            format: format.map(|format| format.name().to_owned()),
        }
    }

    /// Whether the file is shorter than the `read` bytes that were read of it, or begins otherwise.
    pub(super) fn was_cut(&mut self, read: u64) -> io::Result<bool> {
        if self.file.metadata()?.len() < read {
            return Ok(true);
        }
        let mut head = Vec::with_capacity(HEAD_BYTES);
        self.file.seek(SeekFrom::Start(0))?;
        Read::take(&mut self.file, self.head.len() as u64).read_to_end(&mut head)?;
        self.file.seek(SeekFrom::Start(read))?;
        Ok(head != self.head)
    }

    /// The hash of the head, as far as it lies before `offset`: the first 8 bytes of its SHA-1.
    fn head_before(&mut self, offset: u64) -> u64 {
        if let Some(hash) = self.hash.filter(|_| offset >= HEAD_BYTES as u64) {
            return hash;
        }
        let head = self.head.get(..len(offset)).unwrap_or(&self.head);
        let digest = Sha1::digest(head);
        let hash = digest.first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
        if head.len() == HEAD_BYTES {
            self.hash = Some(hash);
        }
        hash
    }
}
