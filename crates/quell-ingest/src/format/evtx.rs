//! `evtx`: Windows event log files, chunk by chunk, each record as compact JSON.
//!
//! The JSON is what the crate `evtx` makes of a record's binary XML, with the attributes of an element beside it:
//!
//! ```json
//! {"Event_attributes": {"xmlns": "…"}, "Event": {
//!   "System": {
//!     "Provider_attributes": {"Name": "Microsoft-Windows-Sysmon", "Guid": "{5770385f-…}"},
//!     "EventID": 1, "EventID_attributes": {"Qualifiers": 0}, "Version": 5, "Level": 4, "Task": 1, "Opcode": 0,
//!     "Keywords": "0x8000000000000000", "TimeCreated_attributes": {"SystemTime": "2024-05-19T17:32:00.4829823Z"},
//!     "EventRecordID": 22013, "Correlation_attributes": {"ActivityID": "{…}"},
//!     "Execution_attributes": {"ProcessID": 1768, "ThreadID": 2272}, "Channel": "…", "Computer": "ws-1",
//!     "Security_attributes": {"UserID": "S-1-5-18"}},
//!   "EventData": {"Image": "C:\\…", "ProcessId": 2728, "Initiated": true, "LogonId": "0x3e7"}}}
//! ```
//!
//! `EventID` is always a number. An element without content is `null` (`"Security": null`, `"EventData": null`), and what
//! an old event does not have is missing (`Version`, `Opcode`, `Execution_attributes`, `Channel`). Event data without
//! names is `"EventData": {"Data": {"#text": "one"}}` or `{"Data": {"#text": ["one", "two"]}}`; a name that comes twice
//! gets `_1`. An event may have `"UserData": {"LogFileCleared": {…}}` in place of `EventData`.
//!
//! A file is a header of 4 KiB and chunks of 64 KiB, each with a header, checksums and a table of names of its own; so a
//! chunk can be read whatever happened to the rest. The file header's count of chunks only tells that a file was cut
//! between two of them. Chunks that hold zeros only are reserved space, and those whose header alone is zeroed were
//! cleared by Windows.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use evtx::err::{ChunkError, EvtxError};
use evtx::{EvtxChunkData, EvtxFileHeader, ParserSettings};
use memchr::memmem;
use quell_event::Position;
use quell_ir::Code;

use super::{Confidence, Format, RecordReader, Sample};
use crate::Layout;
use crate::source::{Batch, InputWarning, Loss, Opened};

const FILE_HEADER_BYTES: usize = 4096;
const CHUNK_BYTES: usize = 65536;
const CHUNK_HEADER_BYTES: usize = 512;
const RECORD_HEADER_BYTES: u64 = 24;
const FILE_MAGIC: &[u8] = b"ElfFile\0";
const CHUNK_MAGIC: &[u8] = b"ElfChnk\0";
const RECORD_MAGIC: &[u8] = b"**\0\0";

/// Windows event log files.
pub(super) struct Evtx;

impl Format for Evtx {
    fn name(&self) -> &'static str {
        "evtx"
    }

    fn title(&self) -> &'static str {
        "Windows event log (EVTX)"
    }

    fn layout(&self) -> Layout {
        Layout::Evtx
    }

    fn detect(&self, sample: &Sample<'_>) -> Confidence {
        if sample.bytes().starts_with(FILE_MAGIC) {
            return Confidence::CERTAIN;
        }
        let chunk_at = |at: usize| sample.bytes().get(at..).is_some_and(|rest| rest.starts_with(CHUNK_MAGIC));
        let places = (FILE_HEADER_BYTES..sample.bytes().len()).step_by(CHUNK_BYTES);
        let found = chunk_at(0) || places.into_iter().any(chunk_at);
        if found { Confidence::percent(90) } else { Confidence::NONE }
    }

    fn rereadable(&self) -> bool {
        false
    }

    fn open(&self, input: Opened) -> Box<dyn RecordReader> {
        Box::new(ChunkReader {
            input,
            settings: Arc::new(ParserSettings::new().indent(false).separate_json_attributes(true)),
            buffer: Vec::new(),
            offset: 0,
            chunk: 0,
            counted: None,
            started: false,
            ended: false,
        })
    }
}

/// Reads a file one chunk after the other.
struct ChunkReader {
    input: Opened,
    settings: Arc<ParserSettings>,
    /// What was read and not yet used: it starts where a chunk should.
    buffer: Vec<u8>,
    /// Offset of the buffer's first byte in the file.
    offset: u64,
    /// The number of the buffer's chunk, from 0.
    chunk: u64,
    /// How many chunks an intact file header counts, until the end of the file has been held against it.
    counted: Option<u64>,
    started: bool,
    ended: bool,
}

impl RecordReader for ChunkReader {
    fn next_batch(&mut self, batch: &mut Batch) -> bool {
        batch.clear();
        let before = self.offset;
        if !self.started {
            self.started = true;
            self.skip_file_header(batch);
        }
        while batch.text.len() < self.input.limits.batch_bytes && self.read_chunk(batch) {}
        self.offset > before || !batch.warnings.is_empty()
    }
}

impl ChunkReader {
    /// Reads on until the buffer holds `len` bytes or the input ends.
    fn fill(&mut self, batch: &mut Batch, len: usize) {
        if self.ended {
            return;
        }
        let before = self.buffer.len();
        let result = self.input.stream.fill(&mut self.buffer, len);
        batch.bytes_read += self.buffer.len().saturating_sub(before) as u64;
        batch.stored_bytes_read += self.input.stream.stored_bytes();
        match result {
            Ok(more) => self.ended = !more,
            Err(error) => {
                let at = self.offset + self.buffer.len() as u64;
                batch.warnings.push(self.input.stream.failure(&self.input.path, &error, at));
                self.ended = true;
            }
        }
    }

    /// Forgets the buffer's first bytes.
    fn advance(&mut self, len: usize) {
        let len = len.min(self.buffer.len());
        self.buffer.drain(..len);
        self.offset += len as u64;
    }

    fn warn(&self, batch: &mut Batch, code: Code, loss: Loss, message: String) {
        batch.warnings.push(InputWarning::new(code, &self.input.path, loss, message).at(self.offset));
    }

    /// Moves to the first chunk, and says so where no intact file header stands before it.
    fn skip_file_header(&mut self, batch: &mut Batch) {
        self.fill(batch, FILE_HEADER_BYTES);
        if self.buffer.starts_with(CHUNK_MAGIC) {
            let message = "the file starts with a chunk; it has no file header".to_owned();
            self.warn(batch, Code::EVTX_HEADER_DAMAGED, Loss::Nothing, message);
            return;
        }
        if self.buffer.len() < FILE_HEADER_BYTES {
            self.warn(batch, Code::EVTX_CUT_OFF, Loss::Records, "the file ends inside its header".to_owned());
        } else if let Ok(header) = EvtxFileHeader::from_bytes(&self.buffer)
            && header.validate_checksum()
        {
            self.counted = Some(header.chunk_count.into());
        } else {
            let message = "the file header is damaged; the chunks are read all the same".to_owned();
            self.warn(batch, Code::EVTX_HEADER_DAMAGED, Loss::Nothing, message);
        }
        self.advance(FILE_HEADER_BYTES);
    }

    /// Reads what stands in the place of one chunk. Whether there was anything.
    fn read_chunk(&mut self, batch: &mut Batch) -> bool {
        // A magic that starts in this chunk's last bytes is to be seen whole.
        self.fill(batch, CHUNK_BYTES + CHUNK_MAGIC.len() - 1);
        if self.buffer.is_empty() {
            if let Some(counted) = self.counted.take().filter(|counted| *counted > self.chunk) {
                let message = format!(
                    "the file ends after {} of the {counted} chunks that its header counts",
                    self.chunk
                );
                self.warn(batch, Code::EVTX_CUT_OFF, Loss::Records, message);
            }
            return false;
        }
        let place = self.buffer.get(..CHUNK_BYTES).unwrap_or(&self.buffer);
        let mut used = place.len();
        if place.starts_with(CHUNK_MAGIC) {
            self.read_records(batch, place, Header::AsStored);
        } else if place.iter().all(|byte| *byte == 0) {
            // Reserved space.
        } else if let Some(at) = memmem::find(&self.buffer, CHUNK_MAGIC) {
            used = at;
            let message = format!("{at} bytes before the next chunk belong to none");
            self.warn(batch, Code::EVTX_CHUNK_DAMAGED, Loss::Records, message);
        } else if place.iter().take(CHUNK_HEADER_BYTES).all(|byte| *byte == 0) {
            let message = format!("chunk {} was cleared; what is left in it is not read", self.chunk);
            self.warn(batch, Code::EVTX_CHUNK_DAMAGED, Loss::Nothing, message);
        } else if place.get(CHUNK_HEADER_BYTES..).is_some_and(|records| records.starts_with(RECORD_MAGIC)) {
            self.read_records(batch, place, Header::AsStored);
        } else {
            let message = format!("chunk {} has no header and no records that can be told apart", self.chunk);
            self.warn(batch, Code::EVTX_CHUNK_DAMAGED, Loss::Records, message);
        }
        self.advance(used);
        self.chunk += 1;
        true
    }

    /// Gives out the records of the chunk `stored`, which may be cut off.
    fn read_records(&self, batch: &mut Batch, stored: &[u8], header: Header) {
        let mut bytes = stored.to_vec();
        bytes.resize(CHUNK_BYTES, 0);
        if header == Header::Rebuilt {
            rebuild_header(&mut bytes);
        }
        if !stored.starts_with(CHUNK_MAGIC) {
            restore_magic(&mut bytes);
        }
        let cut_off = stored.len() < CHUNK_BYTES;
        let mut data = match EvtxChunkData::new(bytes, false) {
            Ok(data) => data,
            Err(error) => {
                let message = format!("chunk {} cannot be read: {}", self.chunk, reason(&error));
                self.warn(batch, Code::EVTX_CHUNK_DAMAGED, Loss::Records, message);
                return;
            }
        };
        let intact =
            stored.starts_with(CHUNK_MAGIC) && header == Header::AsStored && data.validate_checksum();
        if header == Header::AsStored && !data.validate_header_checksum() {
            // Any of its numbers may be wrong, also the one that says where the records end.
            return self.read_records(batch, stored, Header::Rebuilt);
        }
        let mut progress = Progress::default();
        // The crate is written not to panic. Should it, the rest of this chunk is lost and nothing else.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            self.render_records(batch, &mut data, stored, header, &mut progress)
        }));
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(_)) if header == Header::AsStored => {
                return self.read_records(batch, stored, Header::Rebuilt);
            }
            Ok(Err(error)) => {
                let message = format!("chunk {} cannot be read: {}", self.chunk, reason(&error));
                self.warn(batch, Code::EVTX_CHUNK_DAMAGED, Loss::Records, message);
            }
            Err(_) => {
                let message =
                    format!("chunk {} cannot be read past its first {} records", self.chunk, progress.read);
                self.warn(batch, Code::EVTX_CHUNK_DAMAGED, Loss::Records, message);
            }
        }
        if !intact {
            self.report_damage(batch, &data, header, cut_off, progress);
        }
    }

    /// Says that a chunk is damaged, and how many of its records are missing without having been named.
    fn report_damage(
        &self,
        batch: &mut Batch,
        data: &EvtxChunkData,
        header: Header,
        cut_off: bool,
        progress: Progress,
    ) {
        let Progress { read, failed } = progress;
        let chunk = self.chunk;
        if cut_off {
            let message = format!("the file ends inside chunk {chunk}; {read} of its records are read");
            self.warn(batch, Code::EVTX_CUT_OFF, Loss::Records, message);
            return;
        }
        let part = if header == Header::Rebuilt { "the header of chunk" } else { "chunk" };
        let message = format!("{part} {chunk} fails its checksum; {read} of its records are read");
        self.warn(batch, Code::EVTX_CHECKSUM, Loss::Nothing, message);
        let numbers = data.header.first_event_record_number..=data.header.last_event_record_number;
        let there = numbers.end().saturating_sub(*numbers.start()).saturating_add(1);
        let missing = there.saturating_sub(read + failed);
        if header == Header::AsStored && there <= MOST_RECORDS && missing > 0 {
            let message = format!("{missing} of the {there} records of chunk {chunk} are missing");
            self.warn(batch, Code::EVTX_CHUNK_DAMAGED, Loss::Records, message);
        }
    }

    /// Renders a chunk's records one after the other. An error is one of the whole chunk, before its first record.
    fn render_records(
        &self,
        batch: &mut Batch,
        data: &mut EvtxChunkData,
        stored: &[u8],
        header: Header,
        progress: &mut Progress,
    ) -> Result<(), ChunkError> {
        let mut chunk = data.parse(Arc::clone(&self.settings))?;
        let mut last_id = None;
        for record in chunk.iter() {
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    if header == Header::AsStored || !is_end_of_records(&error, stored) {
                        progress.failed += 1;
                        self.record_failed(batch, stored, &error);
                    }
                    continue;
                }
            };
            let id = record.event_record_id;
            let start = record.binxml_offset.saturating_sub(RECORD_HEADER_BYTES);
            if header == Header::Rebuilt
                && last_id.is_some_and(|last| id <= last)
                && !lies_before_free_space(start, stored)
            {
                break; // what lies past the last record is left from the chunk's earlier use
            }
            last_id = Some(id);
            if record.binxml_offset + u64::from(record.binxml_size) > stored.len() as u64 {
                progress.failed += 1;
                continue; // the file ends inside it, which is reported of the chunk
            }
            let mut position = Position { offset: self.offset + start, number: id };
            let rendered = record.into_json();
            if let Some(number) = rendered.as_ref().ok().and_then(|json| event_record_id(&json.data)) {
                position.number = number;
            }
            match rendered {
                Ok(json) if json.data.len() > self.input.limits.max_record_bytes => {
                    progress.failed += 1;
                    let (number, len) = (position.number, json.data.len());
                    let message = format!("record {number} is {len} bytes long as JSON; skipped");
                    let warning =
                        InputWarning::new(Code::RECORD_TOO_LONG, &self.input.path, Loss::Records, message);
                    batch.warnings.push(warning.of_record(position));
                }
                Ok(json) => {
                    progress.read += 1;
                    batch.push(position, &json.data);
                }
                Err(error) => {
                    progress.failed += 1;
                    self.record_failed(batch, stored, &error);
                }
            }
        }
        Ok(())
    }

    fn record_failed(&self, batch: &mut Batch, stored: &[u8], error: &EvtxError) {
        let (code, loss, path) = (Code::EVTX_RECORD_DAMAGED, Loss::Records, &self.input.path);
        batch.warnings.push_with(code, loss, || {
            // The error knows the number in the record's header, which an export counts anew; the offset is certain.
            let start = match error {
                EvtxError::FailedToParseRecord { record_id, .. } => offset_of_record(stored, *record_id),
                EvtxError::FailedToReadRecordAt { offset, .. } => Some(*offset),
                _ => None,
            };
            let message = format!("a record of chunk {} cannot be read: {}", self.chunk, reason(error));
            InputWarning::new(code, path, loss, message).at(self.offset + start.unwrap_or(0))
        });
    }
}

/// Which chunk header is gone by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Header {
    AsStored,
    /// One that holds for any chunk, since the stored one is damaged.
    Rebuilt,
}

/// How far a chunk was read.
#[derive(Clone, Copy, Default)]
struct Progress {
    /// Records given out.
    read: u64,
    /// Records reported, or lost with the end of the file.
    failed: u64,
}

/// More records than fit a chunk: a larger number is damage.
const MOST_RECORDS: u64 = (CHUNK_BYTES - CHUNK_HEADER_BYTES) as u64 / (RECORD_HEADER_BYTES + 4);

/// Where a chunk header says where its records end.
const FREE_SPACE: usize = 48;

/// Where a chunk header keeps its numbers, and what a rebuilt one has there: any record id, records up to the chunk's
/// end, and no tables of names and templates, which only save searching.
const REBUILT: &[(usize, &[u8])] = &[
    (24, &0u64.to_le_bytes()),
    (32, &u64::MAX.to_le_bytes()),
    (44, &(CHUNK_BYTES as u32).to_le_bytes()),
    (FREE_SPACE, &(CHUNK_BYTES as u32).to_le_bytes()),
    (128, &[0; CHUNK_HEADER_BYTES - 128]),
];

fn rebuild_header(chunk: &mut [u8]) {
    for (at, bytes) in REBUILT {
        if let Some(place) = chunk.get_mut(*at..*at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }
}

fn restore_magic(chunk: &mut [u8]) {
    if let Some(place) = chunk.get_mut(..CHUNK_MAGIC.len()) {
        place.copy_from_slice(CHUNK_MAGIC);
    }
}

/// Where a chunk's damaged header says that its records end, if that is a place in the chunk.
fn free_space(stored: &[u8]) -> Option<u64> {
    let bytes = stored.get(FREE_SPACE..FREE_SPACE + 4)?.try_into().ok()?;
    let at = u32::from_le_bytes(bytes);
    (CHUNK_HEADER_BYTES..=CHUNK_BYTES).contains(&(at as usize)).then_some(u64::from(at))
}

/// Whether an error tells of no record but of the place where a chunk's damaged header says that they end.
fn is_end_of_records(error: &EvtxError, stored: &[u8]) -> bool {
    matches!(error, EvtxError::FailedToReadRecordAt { offset, .. } if free_space(stored) == Some(*offset))
}

/// Whether a chunk's damaged header says that a record at `start` is one of the chunk's own.
fn lies_before_free_space(start: u64, stored: &[u8]) -> bool {
    free_space(stored).is_some_and(|end| start < end)
}

/// The number that the log gave to the record, which it keeps in an export.
fn event_record_id(json: &str) -> Option<u64> {
    const KEY: &str = "\"EventRecordID\":";
    let at = memmem::find(json.as_bytes(), KEY.as_bytes())?;
    let digits = json.get(at + KEY.len()..)?;
    let end = digits.find(|c: char| !c.is_ascii_digit())?;
    digits.get(..end)?.parse().ok()
}

/// Where in a chunk the header of the record with that id stands.
fn offset_of_record(chunk: &[u8], id: u64) -> Option<u64> {
    memmem::find_iter(chunk, RECORD_MAGIC)
        .find(|at| chunk.get(at + 8..at + 16) == Some(&id.to_le_bytes()))
        .map(|at| at as u64)
}

/// The innermost reason of an error: the outer ones say only what was being done. It quotes the file, so it is cut.
fn reason(error: &dyn Error) -> String {
    const LONGEST: usize = 200;
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string().chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}
