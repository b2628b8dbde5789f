//! The whole documents of alerts, made again from their records.

use quell_engine::{Alert, Member, alert_document};
use quell_event::{RecordRef, RecordText};
use quell_ingest::{
    Context, DecodeError, DecodeOptions, DocumentDecoder, Format, Layout, Reread, SourceFile,
};
use serde_json::{Map, Value};
use std::collections::HashMap;
use thiserror::Error;

/// Makes documents; keeps one decoder for each layout that it met.
pub struct Documents<'r> {
    /// By the number that records carry: the file, and its format where it could be opened.
    sources: Vec<(&'r SourceFile, Option<&'static dyn Format>)>,
    options: &'r DecodeOptions,
    context: &'r Context,
    made: Made,
}

/// What the next documents can use again.
#[derive(Default)]
pub(crate) struct Made {
    decoders: HashMap<Layout, DocumentDecoder>,
    reread: Reread,
}

/// Why a record cannot be had again.
#[derive(Debug, Error)]
pub enum DocumentError {
    /// Its file cannot be read any more, or was changed.
    #[error("{path}: cannot be read again: {error}")]
    Changed {
        /// The file.
        path: String,
        /// What reading it gave.
        error: std::io::Error,
    },
    /// It is not what it was when it was matched.
    #[error("{path}: {error}")]
    Undecodable {
        /// The file.
        path: String,
        /// What decoding it gave.
        error: DecodeError,
    },
    /// It belongs to another scan.
    #[error("the record belongs to another scan")]
    Unknown,
}

impl<'r> Documents<'r> {
    pub(crate) fn new(
        files: &'r [SourceFile],
        formats: &'r [Option<&'static dyn Format>],
        options: &'r DecodeOptions,
        context: &'r Context,
    ) -> Documents<'r> {
        let sources = files.iter().zip(formats.iter().copied()).collect();
        Documents { sources, options, context, made: Made::default() }
    }

    /// Documents of the records of a stream, each number of which means one of its formats.
    pub(crate) fn of_stream(
        file: &'r SourceFile,
        formats: &[&'static dyn Format],
        options: &'r DecodeOptions,
        context: &'r Context,
        made: Made,
    ) -> Documents<'r> {
        let sources = formats.iter().map(|format| (file, Some(*format))).collect();
        Documents { sources, options, context, made }
    }

    /// What the next documents of the same stream can use again.
    pub(crate) fn finish(self) -> Made {
        self.made
    }

    /// The alert as one document: its event's fields at the top, or those that its events share and the events
    /// themselves in `events`; the rest under `kibana.alert`.
    ///
    /// # Errors
    /// Where a record cannot be had again.
    pub fn alert(&mut self, alert: &Alert) -> Result<Map<String, Value>, DocumentError> {
        Ok(alert_document(alert, self.events(alert)?))
    }

    /// The alert without its event's fields, for where the record cannot be had again: what was found is not lost.
    #[must_use]
    pub fn alert_alone(alert: &Alert) -> Map<String, Value> {
        alert_document(alert, Vec::new())
    }

    /// The ECS documents of the alert's events, in order; `None` for a step that must not come.
    ///
    /// # Errors
    /// Where a record cannot be had again.
    pub fn events(&mut self, alert: &Alert) -> Result<Vec<Option<Map<String, Value>>>, DocumentError> {
        let document =
            |member: &Option<Member>| member.as_ref().map(|one| self.record(&one.record)).transpose();
        alert.members.iter().map(document).collect()
    }

    /// The ECS document of a record.
    ///
    /// # Errors
    /// Where it cannot be had again.
    pub fn record(&mut self, record: &RecordRef) -> Result<Map<String, Value>, DocumentError> {
        let source = self.sources.get(record.source as usize).ok_or(DocumentError::Unknown)?;
        let (file, format) = (source.0, source.1.ok_or(DocumentError::Unknown)?);
        let path = || file.path.display().to_string();
        let again;
        let text: &str = match &record.text {
            RecordText::Owned(text) => text,
            RecordText::Reread(len) => {
                again = self
                    .made
                    .reread
                    .record(file, record.position, *len)
                    .map_err(|error| DocumentError::Changed { path: path(), error })?;
                &again
            }
        };
        let layout = format.layout();
        let decoder =
            self.made.decoders.entry(layout).or_insert_with(|| DocumentDecoder::new(layout, self.options));
        // As the rules saw it: what later records of a stream told, they did not know.
        let known = self.context.as_of(record.position.number);
        decoder.document(text, &known).map_err(|error| DocumentError::Undecodable { path: path(), error })
    }
}
