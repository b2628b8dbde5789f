//! From bytes as they come to whole lines handed over, and the format by the first of them.

use std::path::Path;
use std::sync::Arc;

use memchr::{memchr, memrchr};
use quell_ir::Code;

use super::handoff::Handoff;
use super::not_live;
use super::position::Place;
use crate::format::{Format, Lines, Sample, recognise};
use crate::source::open::SAMPLE_BYTES;
use crate::source::stream::Limits;
use crate::source::warning::{InputWarning, Loss};

/// Why a reader stops before its input has ended.
pub(super) enum Stop {
    /// The caller wants no more.
    Closed,
    /// The input is of no use any more.
    Failed(InputWarning),
}

/// Takes bytes and hands over lines.
pub(super) struct Feed {
    pub(super) handoff: Arc<Handoff>,
    pub(super) path: Arc<Path>,
    limits: Limits,
    format: Option<&'static dyn Format>,
    lines: Lines,
    /// How many of the bytes held are whole lines; more than none only while the format is not known.
    whole: usize,
    /// How many of these were looked at for the format.
    looked_at: usize,
    /// Which file is read, where one is followed.
    place: Option<Place>,
}

impl Feed {
    pub(super) fn new(
        handoff: Arc<Handoff>,
        path: Arc<Path>,
        limits: Limits,
        format: Option<&'static dyn Format>,
    ) -> Feed {
        let lines = Lines::new(Arc::clone(&path), limits);
        Feed { handoff, path, limits, format, lines, whole: 0, looked_at: 0, place: None }
    }

    /// Begins with a file at an offset before which there are `lines` lines. What was not handed over of another is
    /// forgotten.
    pub(super) fn start(&mut self, place: Place, offset: u64, lines: u64) {
        self.lines = Lines::resumed(Arc::clone(&self.path), self.limits, offset, lines);
        (self.whole, self.looked_at) = (0, 0);
        self.place = Some(place);
    }

    /// The file that is read.
    pub(super) fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// The same, to look at the file itself.
    pub(super) fn place_mut(&mut self) -> Option<&mut Place> {
        self.place.as_mut()
    }

    /// How many bytes of the file were taken.
    pub(super) fn read(&self) -> u64 {
        self.lines.read()
    }

    /// Takes the bytes that follow, and hands over the lines that they end.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        let at = self.lines.read();
        if let Some(place) = &mut self.place {
            place.pass(at, bytes);
        }
        let held = self.lines.bytes().len();
        self.lines.buffer().extend_from_slice(bytes);
        if self.lines.is_dropping() {
            self.give(|lines, batch| {
                lines.drop_line(batch);
            })?;
            self.whole = memrchr(b'\n', self.lines.bytes()).map_or(0, |last| last + 1);
        } else if let Some(last) = memrchr(b'\n', bytes) {
            self.whole = held + last + 1;
        }
        self.refuse(at)?;
        if self.format.is_none() && !self.look()? {
            return Ok(());
        }
        self.deliver_whole()?;
        if self.lines.is_too_long() {
            self.give(|lines, batch| {
                lines.drop_line(batch);
            })?;
        }
        Ok(())
    }

    /// The end of the input: what no line break ends is a record too.
    ///
    /// # Errors
    /// Where the caller wants no more, or the input held nothing that it can be recognised by.
    pub(super) fn finish(&mut self) -> Result<(), Stop> {
        if self.lines.is_dropping() {
            return self.give(|lines, batch| lines.line_dropped(batch));
        }
        let sample = Sample::new(self.lines.bytes(), true);
        let blank = sample.is_blank();
        if blank && self.lines.offset() == 0 {
            let empty = InputWarning::new(Code::EMPTY_INPUT, &self.path, Loss::Nothing, "nothing in it");
            return Err(Stop::Failed(empty));
        }
        if self.format.is_none() && !blank {
            let found = recognise(&sample).map(|(format, _)| format);
            let reason = sample.why_unrecognised();
            self.settle(found, reason)?;
        }
        self.deliver_whole()?;
        self.handoff.room()?;
        self.deliver(self.lines.bytes().len())
    }

    /// The end of one file or writer, after which another may come whatever that was.
    pub(super) fn pass_on(&mut self) -> Result<(), Stop> {
        match self.finish() {
            Err(Stop::Failed(warning)) => {
                self.lines.advance(self.lines.bytes().len());
                (self.whole, self.looked_at) = (0, 0);
                if warning.loss == Loss::Nothing { Ok(()) } else { self.warn(warning) }
            }
            result => result,
        }
    }

    /// Hands over a warning.
    pub(super) fn warn(&self, warning: InputWarning) -> Result<(), Stop> {
        self.handoff.give(|state| state.batch.warnings.push(warning))
    }

    /// Looks at the lines that came since for the format; whether it is known then. Lines that say nothing about it are
    /// kept until one does, up to a limit.
    fn look(&mut self) -> Result<bool, Stop> {
        let new = self.lines.bytes().get(self.looked_at..self.whole).unwrap_or(&[]);
        if let Some((format, _)) = recognise(&Sample::new(new, true)).filter(|_| !new.is_empty()) {
            self.settle(Some(format), "")?;
        } else if self.lines.bytes().len() >= SAMPLE_BYTES {
            let bytes = self.lines.bytes().get(..SAMPLE_BYTES).unwrap_or(self.lines.bytes());
            let sample = Sample::new(bytes, false);
            let (found, reason) = (recognise(&sample), sample.why_unrecognised());
            self.settle(found.map(|(format, _)| format), reason)?;
        }
        self.looked_at = self.whole;
        Ok(self.format.is_some())
    }

    fn settle(&mut self, found: Option<&'static dyn Format>, reason: &str) -> Result<(), Stop> {
        self.format = match found {
            Some(format) if format.streams() => Some(format),
            Some(format) => return Err(self.unrecognised(not_live(format))),
            None => return Err(self.unrecognised(reason.to_owned())),
        };
        Ok(())
    }

    /// Refuses an input that starts like what no line can. `before` is how much of it was read before.
    fn refuse(&self, before: u64) -> Result<(), Stop> {
        const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
        if self.lines.offset() > 0 || before >= GZIP_MAGIC.len() as u64 {
            return Ok(());
        }
        let sample = Sample::new(self.lines.bytes().get(..GZIP_MAGIC.len()).unwrap_or(&[]), false);
        if sample.is_utf16() {
            return Err(self.unrecognised(sample.why_unrecognised().to_owned()));
        }
        if sample.bytes() == GZIP_MAGIC {
            return Err(
                self.unrecognised("compressed; what is read as it comes must be plain text".to_owned())
            );
        }
        Ok(())
    }

    fn unrecognised(&self, reason: String) -> Stop {
        Stop::Failed(InputWarning::new(Code::UNRECOGNISED, &self.path, Loss::Input, reason))
    }

    /// Hands over the whole lines, as batches of about the size that is asked for.
    fn deliver_whole(&mut self) -> Result<(), Stop> {
        while self.whole > 0 {
            self.handoff.room()?;
            let piece = self.piece();
            self.whole -= piece;
            self.deliver(piece)?;
        }
        self.looked_at = 0;
        Ok(())
    }

    /// How many of the whole lines' bytes fit a batch: one line at least.
    fn piece(&self) -> usize {
        let lines = self.lines.bytes().get(..self.whole).unwrap_or(self.lines.bytes());
        let Some((first, rest)) = lines.split_at_checked(self.limits.batch_bytes) else { return self.whole };
        let end = memrchr(b'\n', first).or_else(|| Some(first.len() + memchr(b'\n', rest)?));
        end.map_or(self.whole, |end| end + 1)
    }

    fn deliver(&mut self, len: usize) -> Result<(), Stop> {
        self.give(|lines, batch| {
            let mark = lines.skip_mark();
            lines.deliver(batch, len.saturating_sub(mark));
        })
    }

    /// Says where the first file begins before anything was read of it: rotated away, it could not be found again.
    pub(super) fn announce(&mut self) -> Result<(), Stop> {
        let (lines, place, format) = (&self.lines, &mut self.place, self.format);
        self.handoff.give(|state| {
            state.position = place.as_mut().map(|place| place.position(lines, format));
            state.begun = true;
        })
    }

    /// Adds to the batch, and says what the position after it is.
    fn give(&mut self, add: impl FnOnce(&mut Lines, &mut crate::source::Batch)) -> Result<(), Stop> {
        let (lines, place, format) = (&mut self.lines, &mut self.place, self.format);
        self.handoff.give(|state| {
            let before = lines.offset();
            add(lines, &mut state.batch);
            let read = lines.offset().saturating_sub(before);
            if read == 0 {
                return;
            }
            state.batch.bytes_read += read;
            state.batch.stored_bytes_read += read;
            state.format = format;
            state.position = place.as_mut().map(|place| place.position(lines, format));
        })
    }
}
