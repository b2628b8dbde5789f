//! Reading one record again, for the document of an alert.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use quell_event::Position;

use super::file::SourceFile;

/// The `len` bytes at the position's offset of a file whose [`super::Input`] was `rereadable`.
///
/// # Errors
/// Where the file cannot be read any more, has become shorter, or holds no UTF-8 there: it was changed meanwhile.
pub fn reread(file: &SourceFile, position: Position, len: u32) -> io::Result<String> {
    let mut stored = File::open(&file.path)?;
    stored.seek(SeekFrom::Start(position.offset))?;
    let mut bytes = Vec::with_capacity(len as usize);
    stored.take(u64::from(len)).read_to_end(&mut bytes)?;
    if bytes.len() != len as usize {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file has become shorter"));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the file was changed"))
}
