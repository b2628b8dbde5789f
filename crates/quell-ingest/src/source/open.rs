//! Opening an input: decompression and format by its content.

use std::path::Path;
use std::sync::Arc;

use quell_ir::Code;

use super::batch::Batch;
use super::file::{Origin, SourceFile};
use super::stream::{Limits, Stream};
use super::warning::{InputWarning, Loss};
use crate::format::{Confidence, Format, RecordReader, Sample, Wanted, recognise};

/// How inputs are opened.
#[derive(Clone, Copy, Default)]
pub struct OpenOptions {
    /// The format of every input, whatever its content looks like.
    pub format: Option<&'static dyn Format>,
    /// How much is held at once.
    pub limits: Limits,
}

/// What a format gets to read from: the bytes from the first, decompressed.
pub struct Opened {
    pub(crate) path: Arc<Path>,
    pub(crate) stream: Stream,
    pub(crate) limits: Limits,
}

/// An opened input.
pub struct Input {
    /// The format that reads it.
    pub format: &'static dyn Format,
    /// How sure it is that this is its format; certain where the user said so.
    pub confidence: Confidence,
    /// Whether it is decompressed on the way.
    pub compressed: bool,
    /// Whether its records can be read again by [`super::Reread`]; otherwise they have to be kept.
    pub rereadable: bool,
    reader: Box<dyn RecordReader>,
}

impl Input {
    /// Puts the next records, and what went wrong before them, into `batch`. Whether there was anything: `false` is the
    /// end of the input, and the batch is empty then.
    pub fn next_batch(&mut self, batch: &mut Batch) -> bool {
        self.reader.next_batch(batch)
    }

    /// The same, where records are of no use in which `wanted` finds nothing: they may be left out
    /// ([`RecordReader::next_batch_of`]).
    pub fn next_batch_of(&mut self, batch: &mut Batch, wanted: &Wanted<'_>) -> bool {
        self.reader.next_batch_of(batch, wanted)
    }
}

/// How many (decompressed) bytes a format is told by.
pub(super) const SAMPLE_BYTES: usize = 256 << 10;

/// Opens an input and finds its format.
///
/// # Errors
/// Where it cannot be read, holds nothing, or is of no known format; the finding says what that costs.
pub fn open(file: &SourceFile, options: &OpenOptions) -> Result<Input, InputWarning> {
    let mut stream = Stream::open(file).map_err(|error| {
        InputWarning::new(Code::UNREADABLE, &file.path, Loss::Input, format!("cannot be read: {error}"))
    })?;
    let (format, confidence) = find_format(file, &mut stream, options)?;
    let compressed = stream.compressed();
    let opened = Opened { path: Arc::clone(&file.path), stream, limits: options.limits.clamped() };
    Ok(Input {
        format,
        confidence,
        compressed,
        rereadable: format.rereadable() && !compressed && file.bytes.is_some(),
        reader: format.open(opened),
    })
}

fn find_format(
    file: &SourceFile,
    stream: &mut Stream,
    options: &OpenOptions,
) -> Result<(&'static dyn Format, Confidence), InputWarning> {
    let (bytes, complete) = stream.read_ahead(SAMPLE_BYTES);
    let sample = Sample::new(bytes, complete);
    let blank = sample.is_blank();
    let found = match options.format {
        Some(format) if !sample.is_utf16() => Some((format, Confidence::CERTAIN)),
        _ => recognise(&sample),
    };
    let reason = sample.why_unrecognised();
    if blank {
        return Err(match stream.failed_ahead() {
            Some(error) => stream.failure(&file.path, error, 0),
            None => InputWarning::new(Code::EMPTY_INPUT, &file.path, Loss::Nothing, "nothing in it"),
        });
    }
    found.ok_or_else(|| {
        let loss = if file.origin == Origin::Named { Loss::Input } else { Loss::Nothing };
        InputWarning::new(Code::UNRECOGNISED, &file.path, loss, reason)
    })
}
