//! Checkpoints: all that a stream holds at one moment, in a file, so that another process goes on as if nothing had been.
//!
//! A checkpoint says how far the input was read, how long the outputs were, and what correlation held. Whoever goes on from it cuts
//! the outputs back to that length and reads on from that place: so no alert is lost and none comes twice, wherever the
//! process died.

use quell_ingest::FollowPosition;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// What every state file begins with.
const MAGIC: &[u8] = b"quell state 3\n";

/// All that a stream holds at one moment.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Checkpoint {
    /// How far the followed file was read.
    pub(crate) position: Option<FollowPosition>,
    /// The outputs by path, and their lengths in bytes.
    pub(crate) outputs: Vec<(PathBuf, u64)>,
    /// The names of the formats of the records that are kept, by their source number.
    pub(crate) formats: Vec<String>,
    /// How many records came.
    pub(crate) arrived: u64,
    /// The latest time of an event, and the time before which all are late.
    pub(crate) newest: Option<i64>,
    pub(crate) watermark: Option<i64>,
    /// What was learnt of processes: a [`quell_ingest::Context`].
    pub(crate) context: Vec<u8>,
    /// What correlation holds.
    pub(crate) correlator: Vec<u8>,
    /// Which alerts others are suppressed by.
    pub(crate) suppressed: Vec<u8>,
}

/// Why a state file cannot be used.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// It cannot be read.
    #[error("{path}: the state cannot be read: {error}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// It is something else.
    #[error("{path}: this is no state of this version of quell; move it away to start anew")]
    Foreign {
        /// The file.
        path: String,
    },
    /// It cannot be written.
    #[error("{path}: the state cannot be written: {error}")]
    Unwritable {
        /// The file.
        path: String,
        /// What the system says.
        #[source]
        error: io::Error,
    },
}

impl Checkpoint {
    /// Reads a state file; none if there is none yet.
    ///
    /// # Errors
    /// It cannot be read, or is something else.
    pub fn load(path: &Path) -> Result<Option<Checkpoint>, CheckpointError> {
        let name = || path.display().to_string();
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(CheckpointError::Unreadable { path: name(), error }),
        };
        let checkpoint = bytes.strip_prefix(MAGIC).and_then(|bytes| postcard::from_bytes(bytes).ok());
        checkpoint.map(Some).ok_or_else(|| CheckpointError::Foreign { path: name() })
    }

    /// Writes the state file in one step: whoever reads it finds the old state or the new one, never a part.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn store(&self, path: &Path) -> Result<(), CheckpointError> {
        self.write(path)
            .map_err(|error| CheckpointError::Unwritable { path: path.display().to_string(), error })
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let bytes = postcard::to_stdvec(self).map_err(io::Error::other)?;
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let mut file = File::create(&beside)?;
        file.write_all(MAGIC)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    }

    /// How long an output was; none if it was not written then.
    #[must_use]
    pub fn length_of(&self, output: &Path) -> Option<u64> {
        self.outputs.iter().find(|(path, _)| path == output).map(|(_, length)| *length)
    }

    /// How far the followed file was read.
    #[must_use]
    pub fn position(&self) -> Option<&FollowPosition> {
        self.position.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::{Checkpoint, CheckpointError};
    use std::fs;

    #[test]
    fn a_state_is_read_as_it_was_written_and_nothing_else_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        assert!(Checkpoint::load(&path).unwrap().is_none());
        let written = Checkpoint {
            outputs: vec![("a.ndjson".into(), 7)],
            arrived: 9,
            newest: Some(-1),
            correlator: vec![1, 2],
            ..Checkpoint::default()
        };
        written.store(&path).unwrap();
        let read = Checkpoint::load(&path).unwrap().unwrap();
        assert_eq!(format!("{read:?}"), format!("{written:?}"));
        assert_eq!((read.length_of("a.ndjson".as_ref()), read.length_of("b".as_ref())), (Some(7), None));
        for other in [&b""[..], b"{}", b"quell state 3\n", b"quell state 2\nxxxxxxxxxxxxxx"] {
            fs::write(&path, other).unwrap();
            assert!(matches!(Checkpoint::load(&path), Err(CheckpointError::Foreign { .. })), "{other:?}");
        }
        assert!(matches!(Checkpoint::load(folder.path()), Err(CheckpointError::Unreadable { .. })));
        assert!(written.store(&folder.path().join("no/state")).is_err());
    }
}
