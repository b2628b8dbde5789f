//! Where a record came from, and how to have it again.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Where a record stands in its source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// Byte offset in the (decompressed) source: of the line, or of the record in an EVTX file.
    pub offset: u64,
    /// The record's own number: the line, from 1, or the EVTX record id.
    pub number: u64,
}

/// A record that can be had again, for the document of an alert.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecordRef {
    /// The number of the source in the order of the scan.
    pub source: u32,
    /// Where in it.
    pub position: Position,
    /// The record's JSON text.
    pub text: RecordText,
}

/// The text of a record, or how to read it again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum RecordText {
    /// Read it again: this many bytes at the position's offset.
    Reread(u32),
    /// It is kept: the source cannot be read twice, or what was read is not its bytes.
    Owned(Arc<str>),
}
