//! The bytes of an input: read in large blocks, decompressed on the way, and never all held at once.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quell_ir::Code;

use super::file::SourceFile;
use super::warning::{InputWarning, Loss};

/// How much a reader holds at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// About how many bytes of records make a batch.
    pub batch_bytes: usize,
    /// The longest record that is read; longer ones are skipped with a warning.
    pub max_record_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { batch_bytes: 4 << 20, max_record_bytes: 16 << 20 }
    }
}

impl Limits {
    /// The limits, brought to where a batch's offsets fit 32 bits whatever its last record adds.
    #[must_use]
    pub(crate) fn clamped(self) -> Limits {
        Limits {
            batch_bytes: self.batch_bytes.clamp(1, 1 << 28),
            max_record_bytes: self.max_record_bytes.clamp(2, 1 << 30),
        }
    }
}

/// An input's bytes from first to last, decompressed.
pub(crate) struct Stream {
    /// What was read ahead to recognise the format, and how far it was given out again.
    head: Vec<u8>,
    head_at: usize,
    rest: Box<dyn Read + Send>,
    /// A failure while reading ahead, kept until what came before it has been given out.
    failed_ahead: Option<io::Error>,
    compressed: bool,
    stored: Arc<AtomicU64>,
    stored_reported: u64,
}

impl Stream {
    /// The first bytes of a gzip member.
    const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
    /// Compressed bytes are read in blocks of this size.
    const COMPRESSED_BLOCK: usize = 128 << 10;

    /// Opens an input, and a gzip stream in it; nothing but that magic is read.
    pub(crate) fn open(file: &SourceFile) -> io::Result<Stream> {
        let stored = Arc::new(AtomicU64::new(0));
        let bytes: Box<dyn Read + Send> = if file.standard_input {
            Box::new(io::stdin())
        } else {
            Box::new(std::fs::File::open(&file.path)?)
        };
        Stream::over(Counted { bytes, count: Arc::clone(&stored) }, stored)
    }

    fn over(mut bytes: Counted, stored: Arc<AtomicU64>) -> io::Result<Stream> {
        let mut magic = Vec::new();
        bytes.by_ref().take(Stream::GZIP_MAGIC.len() as u64).read_to_end(&mut magic)?;
        let compressed = magic == Stream::GZIP_MAGIC;
        let whole = io::Cursor::new(magic).chain(bytes);
        let rest: Box<dyn Read + Send> = if compressed {
            let buffered = io::BufReader::with_capacity(Stream::COMPRESSED_BLOCK, whole);
            Box::new(flate2::bufread::MultiGzDecoder::new(buffered))
        } else {
            Box::new(whole)
        };
        let stream = Stream {
            head: Vec::new(),
            head_at: 0,
            rest,
            failed_ahead: None,
            compressed,
            stored,
            stored_reported: 0,
        };
        Ok(stream)
    }

    /// Whether it is decompressed on the way.
    pub(crate) fn compressed(&self) -> bool {
        self.compressed
    }

    /// The first `len` bytes, fewer only where the input ends or fails before; they are read again later. Also whether
    /// that is all there is.
    pub(crate) fn read_ahead(&mut self, len: usize) -> (&[u8], bool) {
        let result = read_up_to(&mut *self.rest, &mut self.head, len);
        let all = self.head.len() < len;
        self.failed_ahead = result.err();
        (&self.head, all)
    }

    /// The failure that ended [`Stream::read_ahead`], if one did.
    pub(crate) fn failed_ahead(&self) -> Option<&io::Error> {
        self.failed_ahead.as_ref()
    }

    /// Appends bytes to `buffer` until it holds `len`. Whether it does: otherwise the input has ended.
    ///
    /// # Errors
    /// Where reading fails; what came before the failure is in the buffer.
    pub(crate) fn fill(&mut self, buffer: &mut Vec<u8>, len: usize) -> io::Result<bool> {
        let ahead = self.head.get(self.head_at..).unwrap_or(&[]);
        if !ahead.is_empty() {
            let taken = ahead.get(..len.saturating_sub(buffer.len())).unwrap_or(ahead);
            buffer.extend_from_slice(taken);
            self.head_at += taken.len();
            if self.head_at == self.head.len() {
                (self.head, self.head_at) = (Vec::new(), 0);
            }
        }
        if buffer.len() >= len {
            return Ok(true);
        }
        if let Some(failure) = self.failed_ahead.take() {
            return Err(failure);
        }
        read_up_to(&mut *self.rest, buffer, len)?;
        Ok(buffer.len() >= len)
    }

    /// How many stored bytes were read since the last call.
    pub(crate) fn stored_bytes(&mut self) -> u64 {
        let now = self.stored.load(Ordering::Relaxed);
        let new = now.saturating_sub(self.stored_reported);
        self.stored_reported = now;
        new
    }

    /// What a failure of this stream means. `offset` is how far it was read.
    pub(crate) fn failure(&self, path: &Arc<Path>, error: &io::Error, offset: u64) -> InputWarning {
        use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
        let damaged = matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof);
        let warning = if self.compressed && damaged {
            let loss = if offset == 0 { Loss::Input } else { Loss::Records };
            let what = if error.kind() == UnexpectedEof { "is cut off" } else { "is corrupt" };
            let message = format!("the gzip stream {what}; what may follow is not read");
            InputWarning::new(Code::COMPRESSION_DAMAGED, path, loss, message)
        } else {
            InputWarning::new(Code::UNREADABLE, path, Loss::Input, format!("cannot be read further: {error}"))
        };
        warning.at(offset)
    }
}

/// Appends bytes to `buffer` until it holds `len` or the input ends.
fn read_up_to(from: &mut dyn Read, buffer: &mut Vec<u8>, len: usize) -> io::Result<()> {
    let missing = len.saturating_sub(buffer.len());
    buffer.reserve(missing);
    from.take(missing as u64).read_to_end(buffer).map(drop)
}

/// Counts the bytes that pass.
struct Counted {
    bytes: Box<dyn Read + Send>,
    count: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(into)?;
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
