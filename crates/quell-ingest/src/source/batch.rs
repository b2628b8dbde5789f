//! A batch: some megabytes of records, the unit that is decoded and matched in parallel.

use quell_event::Position;

use super::warning::WarningLog;

/// Where a record lies in its batch's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordSpan {
    /// Byte offset in the text.
    pub start: u32,
    /// Length in bytes.
    pub len: u32,
    /// Where the record stands in its source.
    pub position: Position,
}

/// Records in the order of their source. The buffers are reused from batch to batch.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The text that the records lie in. What lies between them means nothing.
    pub text: String,
    /// The records.
    pub records: Vec<RecordSpan>,
    /// What went wrong while they were read.
    pub warnings: WarningLog,
    /// Bytes read for this batch, after decompression.
    pub bytes_read: u64,
    /// Bytes read for this batch as they are stored: what progress is measured by.
    pub stored_bytes_read: u64,
}

impl Batch {
    /// Empties it; the buffers stay.
    pub fn clear(&mut self) {
        self.text.clear();
        self.records.clear();
        self.warnings.clear();
        self.bytes_read = 0;
        self.stored_bytes_read = 0;
    }

    /// The text of a record of this batch.
    #[must_use]
    pub fn text_of(&self, record: RecordSpan) -> &str {
        let start = record.start as usize;
        self.text.get(start..start + record.len as usize).unwrap_or("")
    }

    /// The records' places and texts, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Position, &str)> {
        self.records.iter().map(|record| (record.position, self.text_of(*record)))
    }

    /// Appends a record's text.
    pub(crate) fn push(&mut self, position: Position, text: &str) {
        let start = self.text.len();
        self.text.push_str(text);
        self.push_span(start, text.len(), position);
    }

    /// Adds a record whose text is there already. [`super::Limits`] keep a batch far below 4 GiB, so both numbers fit.
    pub(crate) fn push_span(&mut self, start: usize, len: usize, position: Position) {
        if let (Ok(start), Ok(len)) = (u32::try_from(start), u32::try_from(len)) {
            self.records.push(RecordSpan { start, len, position });
        }
    }
}
