//! Records that are lines: split, checked to be UTF-8, and otherwise left as they are.
//!
//! Whether a line is JSON is the decoder's to say; here nothing is parsed. The cost of a line is one search for its end,
//! one check of its encoding, in blocks, and one copy.

use std::path::Path;
use std::sync::Arc;

use memchr::{memchr, memrchr};
use quell_event::Position;
use quell_ir::Code;

use super::sample::BYTE_ORDER_MARK;
use super::{RecordReader, Wanted};
use crate::source::{Batch, InputWarning, Limits, Loss, Opened};

/// What was read of an input and not yet given out: it starts with a line.
pub(crate) struct Lines {
    path: Arc<Path>,
    /// The longest line that is given out.
    max: usize,
    bytes: Vec<u8>,
    /// Offset of the first byte in the input.
    offset: u64,
    /// The number of the first line, from 1.
    line: u64,
    /// The place of the line that is being dropped, for it is longer than the limit.
    dropping: Option<Position>,
}

impl Lines {
    /// Lines of the input at `path`, before anything of it was read.
    pub(crate) fn new(path: Arc<Path>, limits: Limits) -> Self {
        Lines::resumed(path, limits, 0, 0)
    }

    /// The same, where `lines` lines of together `offset` bytes were given out before.
    pub(crate) fn resumed(path: Arc<Path>, limits: Limits, offset: u64, lines: u64) -> Self {
        let max = limits.max_record_bytes;
        Lines { path, max, bytes: Vec::new(), offset, line: lines.saturating_add(1), dropping: None }
    }

    /// What was read and not yet given out.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where further bytes are to be appended.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Offset in the input of the first byte that was not given out: where a line begins, also while one is dropped.
    pub(crate) fn offset(&self) -> u64 {
        self.dropping.map_or(self.offset, |position| position.offset)
    }

    /// How many bytes of the input were read.
    pub(crate) fn read(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }

    /// How many lines were given out or skipped.
    pub(crate) fn count(&self) -> u64 {
        self.line.saturating_sub(1)
    }

    /// Passes the mark that an input may begin with, and says how long it is.
    pub(crate) fn skip_mark(&mut self) -> usize {
        let is_there = self.offset == 0 && self.bytes.starts_with(BYTE_ORDER_MARK);
        let len = if is_there { BYTE_ORDER_MARK.len() } else { 0 };
        self.advance(len);
        len
    }

    /// Whether the buffer is longer than a line may be.
    pub(crate) fn is_too_long(&self) -> bool {
        self.bytes.len() > self.max
    }

    /// Forgets the first bytes.
    pub(crate) fn advance(&mut self, len: usize) {
        self.bytes.drain(..len.min(self.bytes.len()));
        self.offset += len as u64;
    }

    /// Appends the first `len` bytes, whole lines, to the batch.
    pub(crate) fn deliver(&mut self, batch: &mut Batch, len: usize) {
        let block = self.bytes.get(..len).unwrap_or(&self.bytes);
        let whole = simdutf8::basic::from_utf8(block).ok();
        let base = batch.text.len();
        if let Some(text) = whole {
            batch.text.push_str(text);
        }
        let (path, max) = (&self.path, self.max);
        let mut start = 0;
        while let Some(rest) = block.get(start..).filter(|rest| !rest.is_empty()) {
            let end = memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
            let line = rest.get(..end).unwrap_or(rest).trim_ascii_end();
            let position = Position { offset: self.offset + start as u64, number: self.line };
            if line.len() > max {
                batch.warnings.push_with(Code::RECORD_TOO_LONG, Loss::Records, || {
                    too_long(path, position, line.len() as u64, max)
                });
            } else if line.is_empty() {
            } else if whole.is_some() {
                batch.push_span(base + start, line.len(), position);
            } else if let Ok(line) = simdutf8::basic::from_utf8(line) {
                batch.push(position, line);
            } else {
                batch.warnings.push_with(Code::RECORD_NOT_UTF8, Loss::Records, || {
                    let message = format!("line {} is not UTF-8; skipped", position.number);
                    InputWarning::new(Code::RECORD_NOT_UTF8, path, Loss::Records, message).of_record(position)
                });
            }
            self.line += 1;
            start += end;
        }
        self.advance(len);
    }

    /// Appends those of the first `len` bytes' whole lines in which `wanted` finds something. All others are neither checked nor
    /// counted: their cost is that search.
    fn deliver_wanted(&mut self, batch: &mut Batch, len: usize, wanted: &Wanted<'_>) {
        let block = self.bytes.get(..len).unwrap_or(&self.bytes);
        let mut at = 0;
        while let Some(rest) = block.get(at..)
            && let Some((before, behind)) = wanted(rest).and_then(|found| rest.split_at_checked(found))
        {
            let start = memrchr(b'\n', before).map_or(0, |last| last + 1);
            let end = before.len() + memchr(b'\n', behind).map_or(behind.len(), |end| end + 1);
            let line = rest.get(start..end).unwrap_or(&[]).trim_ascii_end();
            if line.len() <= self.max
                && let Ok(line) = simdutf8::basic::from_utf8(line)
            {
                let offset = self.offset + (at + start) as u64;
                batch.push(Position { offset, number: 0 }, line);
            }
            // A place at the very end, behind the last line, would be found again and again.
            at += end.max(1);
        }
        self.advance(len);
    }

    /// Drops the line that the buffer begins with as far as it was read. Whether its end was reached: otherwise it is
    /// to be called again when more was read.
    pub(crate) fn drop_line(&mut self, batch: &mut Batch) -> bool {
        self.dropping.get_or_insert(Position { offset: self.offset, number: self.line });
        let end = memchr(b'\n', &self.bytes);
        self.advance(end.map_or(self.bytes.len(), |end| end + 1));
        if end.is_some() {
            self.line_dropped(batch);
        }
        end.is_some()
    }

    /// Whether a line is being dropped whose end was not reached.
    pub(crate) fn is_dropping(&self) -> bool {
        self.dropping.is_some()
    }

    /// Reports the line that was dropped, at its end or that of the input.
    pub(crate) fn line_dropped(&mut self, batch: &mut Batch) {
        if let Some(position) = self.dropping.take() {
            self.line += 1;
            let len = self.offset.saturating_sub(position.offset);
            batch.warnings.push(too_long(&self.path, position, len, self.max));
        }
    }
}

fn too_long(path: &Arc<Path>, position: Position, len: u64, max: usize) -> InputWarning {
    let message = format!("line {} is {len} bytes long, {max} is the limit; skipped", position.number);
    InputWarning::new(Code::RECORD_TOO_LONG, path, Loss::Records, message).of_record(position)
}

/// Reads an input line by line.
pub(super) struct LineReader {
    input: Opened,
    lines: Lines,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing was read yet.
    Start,
    Reading,
    /// The buffer holds the last bytes.
    Ended,
    /// The same, and more should have come.
    Failed,
}

impl LineReader {
    /// How much of a line that is skipped is held at once.
    const SKIP_BLOCK: usize = 1 << 20;

    /// A reader at the beginning of `input`.
    pub(super) fn new(input: Opened) -> Self {
        let lines = Lines::new(Arc::clone(&input.path), input.limits);
        LineReader { input, lines, state: State::Start }
    }

    /// Reads on until the buffer holds `len` bytes or the input ends.
    fn fill(&mut self, batch: &mut Batch, len: usize) {
        if matches!(self.state, State::Ended | State::Failed) {
            return;
        }
        let before = self.lines.bytes().len();
        let result = self.input.stream.fill(self.lines.buffer(), len);
        batch.bytes_read += self.lines.bytes().len().saturating_sub(before) as u64;
        batch.stored_bytes_read += self.input.stream.stored_bytes();
        if self.state == State::Start {
            self.state = State::Reading;
            self.lines.skip_mark();
        }
        match result {
            Ok(true) => {}
            Ok(false) => self.state = State::Ended,
            Err(error) => {
                let at = self.lines.read();
                batch.warnings.push(self.input.stream.failure(&self.input.path, &error, at));
                self.state = State::Failed;
            }
        }
    }

    /// Drops the line that the buffer begins with, which is longer than the limit, as it is read.
    fn skip_line(&mut self, batch: &mut Batch) {
        while !self.lines.drop_line(batch) {
            self.fill(batch, LineReader::SKIP_BLOCK);
            if self.lines.bytes().is_empty() {
                self.lines.line_dropped(batch);
                return;
            }
        }
    }

    /// Whether the last line, which no line break ends, is to be given out: not where the input failed inside it, for
    /// that was reported already.
    fn last_line_is_whole(&self) -> bool {
        self.state == State::Ended || self.lines.bytes().trim_ascii_end().ends_with(b"}")
    }
}

impl RecordReader for LineReader {
    fn next_batch(&mut self, batch: &mut Batch) -> bool {
        self.next(batch, None)
    }

    fn next_batch_of(&mut self, batch: &mut Batch, wanted: &Wanted<'_>) -> bool {
        self.next(batch, Some(wanted))
    }
}

impl LineReader {
    fn deliver(&mut self, batch: &mut Batch, len: usize, wanted: Option<&Wanted<'_>>) {
        match wanted {
            Some(wanted) => self.lines.deliver_wanted(batch, len, wanted),
            None => self.lines.deliver(batch, len),
        }
    }

    fn next(&mut self, batch: &mut Batch, wanted_lines: Option<&Wanted<'_>>) -> bool {
        batch.clear();
        let max = self.input.limits.max_record_bytes;
        let mut wanted = self.input.limits.batch_bytes;
        let before = self.lines.offset();
        loop {
            self.fill(batch, wanted);
            let ended = matches!(self.state, State::Ended | State::Failed);
            let held = self.lines.bytes().len();
            match memrchr(b'\n', self.lines.bytes()) {
                Some(last) if !ended || !self.last_line_is_whole() => {
                    self.deliver(batch, last + 1, wanted_lines)
                }
                None if !ended && !self.lines.is_too_long() => {
                    wanted = held.saturating_mul(2).min(max + 1);
                    continue;
                }
                None if !ended => self.skip_line(batch),
                None if !self.last_line_is_whole() => self.lines.advance(held),
                _ => self.deliver(batch, held, wanted_lines),
            }
            return self.lines.offset() > before || !batch.warnings.is_empty();
        }
    }
}
