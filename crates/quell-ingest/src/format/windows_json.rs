//! `windows-json`: JSON lines of flat Windows events, as NXLog and Logstash write them.

use super::lines::LineReader;
use super::{Confidence, Format, RecordReader, Sample};
use crate::Layout;
use crate::source::Opened;

/// JSON lines of flat Windows events.
pub(super) struct WindowsJson;

/// What stands beside `EventID`: one of these at least.
const BESIDE: &[&str] = &[
    "Channel",
    "SourceName",
    "Source",
    "ProviderGuid",
    "Hostname",
    "EventTime",
    "TimeCreated",
    "SourceModuleType",
];

impl Format for WindowsJson {
    fn name(&self) -> &'static str {
        "windows-json"
    }

    fn title(&self) -> &'static str {
        "JSON lines of flat Windows events (NXLog, Logstash)"
    }

    fn layout(&self) -> Layout {
        Layout::FlatWindows
    }

    fn detect(&self, sample: &Sample<'_>) -> Confidence {
        Confidence::percent(sample.share(|keys| keys.has("EventID") && keys.has_any(BESIDE)).min(95))
    }

    fn rereadable(&self) -> bool {
        true
    }

    fn streams(&self) -> bool {
        true
    }

    fn open(&self, input: Opened) -> Box<dyn RecordReader> {
        Box::new(LineReader::new(input))
    }
}
