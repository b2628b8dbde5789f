//! Reading records again, for the documents of alerts.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use quell_event::Position;

use super::file::SourceFile;

/// Reads records again. Alerts of one file come in runs, so the file that was read last stays open.
#[derive(Debug, Default)]
pub struct Reread {
    open: Option<(Arc<Path>, File)>,
}

impl Reread {
    /// The `len` bytes at the position's offset of a file whose [`super::Input`] was `rereadable`.
    ///
    /// # Errors
    /// Where the file cannot be read any more, has become shorter, or holds no UTF-8 there: it was changed meanwhile.
    pub fn record(&mut self, file: &SourceFile, position: Position, len: u32) -> io::Result<String> {
        let stored = self.open(&file.path)?;
        stored.seek(SeekFrom::Start(position.offset))?;
        let mut bytes = Vec::with_capacity(len as usize);
        stored.take(u64::from(len)).read_to_end(&mut bytes)?;
        if bytes.len() != len as usize {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file has become shorter"));
        }
        String::from_utf8(bytes)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the file was changed"))
    }

    fn open(&mut self, path: &Arc<Path>) -> io::Result<&mut File> {
        let known = self.open.take().filter(|(open, _)| open == path);
        let opened = match known {
            Some(known) => known,
            None => (Arc::clone(path), File::open(path)?),
        };
        Ok(&mut self.open.insert(opened).1)
    }
}
