//! Records that are lines: split, checked to be UTF-8, and otherwise left as they are.
//!
//! Whether a line is JSON is the decoder's to say; here nothing is parsed. The cost of a line is one search for its end,
//! one check of its encoding, in blocks, and one copy.

use std::path::Path;
use std::sync::Arc;

use memchr::{memchr, memrchr};
use quell_event::Position;
use quell_ir::Code;

use super::RecordReader;
use super::sample::BYTE_ORDER_MARK;
use crate::source::{Batch, InputWarning, Loss, Opened};

/// Reads an input line by line.
pub(super) struct LineReader {
    input: Opened,
    /// What was read and not yet given out: it starts with a line.
    buffer: Vec<u8>,
    /// Offset of the buffer's first byte in the input.
    offset: u64,
    /// The number of the buffer's first line, from 1.
    line: u64,
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
        LineReader { input, buffer: Vec::new(), offset: 0, line: 1, state: State::Start }
    }

    /// Reads on until the buffer holds `len` bytes or the input ends.
    fn fill(&mut self, batch: &mut Batch, len: usize) {
        if matches!(self.state, State::Ended | State::Failed) {
            return;
        }
        let before = self.buffer.len();
        let result = self.input.stream.fill(&mut self.buffer, len);
        batch.bytes_read += self.buffer.len().saturating_sub(before) as u64;
        batch.stored_bytes_read += self.input.stream.stored_bytes();
        if self.state == State::Start {
            self.state = State::Reading;
            if self.buffer.starts_with(BYTE_ORDER_MARK) {
                self.advance(BYTE_ORDER_MARK.len());
            }
        }
        match result {
            Ok(true) => {}
            Ok(false) => self.state = State::Ended,
            Err(error) => {
                let at = self.offset + self.buffer.len() as u64;
                batch.warnings.push(self.input.stream.failure(&self.input.path, &error, at));
                self.state = State::Failed;
            }
        }
    }

    /// Forgets the buffer's first bytes.
    fn advance(&mut self, len: usize) {
        self.buffer.drain(..len.min(self.buffer.len()));
        self.offset += len as u64;
    }

    /// Fills the batch with the buffer's first `len` bytes: whole lines.
    fn deliver(&mut self, batch: &mut Batch, len: usize) {
        let block = self.buffer.get(..len).unwrap_or(&self.buffer);
        let whole = simdutf8::basic::from_utf8(block).ok();
        let base = batch.text.len();
        if let Some(text) = whole {
            batch.text.push_str(text);
        }
        let max = self.input.limits.max_record_bytes;
        let path = &self.input.path;
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

    /// Drops the line that the buffer begins with, which is longer than the limit, as it is read.
    fn skip_line(&mut self, batch: &mut Batch) {
        let position = Position { offset: self.offset, number: self.line };
        loop {
            if let Some(end) = memchr(b'\n', &self.buffer) {
                self.advance(end + 1);
                break;
            }
            self.advance(self.buffer.len());
            self.fill(batch, LineReader::SKIP_BLOCK);
            if self.buffer.is_empty() {
                break;
            }
        }
        self.line += 1;
        let len = self.offset.saturating_sub(position.offset);
        batch.warnings.push(too_long(&self.input.path, position, len, self.input.limits.max_record_bytes));
    }

    /// Whether the last line, which no line break ends, is to be given out: not where the input failed inside it, for
    /// that was reported already.
    fn last_line_is_whole(&self) -> bool {
        self.state == State::Ended || self.buffer.trim_ascii_end().ends_with(b"}")
    }
}

fn too_long(path: &Arc<Path>, position: Position, len: u64, max: usize) -> InputWarning {
    let message = format!("line {} is {len} bytes long, {max} is the limit; skipped", position.number);
    InputWarning::new(Code::RECORD_TOO_LONG, path, Loss::Records, message).of_record(position)
}

impl RecordReader for LineReader {
    fn next_batch(&mut self, batch: &mut Batch) -> bool {
        batch.clear();
        let max = self.input.limits.max_record_bytes;
        let mut wanted = self.input.limits.batch_bytes;
        let before = self.offset;
        loop {
            self.fill(batch, wanted);
            let ended = matches!(self.state, State::Ended | State::Failed);
            match memrchr(b'\n', &self.buffer) {
                Some(last) if !ended || !self.last_line_is_whole() => self.deliver(batch, last + 1),
                None if !ended && self.buffer.len() <= max => {
                    wanted = self.buffer.len().saturating_mul(2).min(max + 1);
                    continue;
                }
                None if !ended => self.skip_line(batch),
                None if !self.last_line_is_whole() => self.advance(self.buffer.len()),
                _ => self.deliver(batch, self.buffer.len()),
            }
            return self.offset > before || !batch.warnings.is_empty();
        }
    }
}
