//! `winlogbeat6`: JSON lines of Winlogbeat 6, from before ECS: event data under `event_data`.

use super::lines::LineReader;
use super::{Confidence, Format, RecordReader, Sample};
use crate::Layout;
use crate::source::Opened;

/// JSON lines of Winlogbeat 6.
pub(super) struct Winlogbeat6;

impl Format for Winlogbeat6 {
    fn name(&self) -> &'static str {
        "winlogbeat6"
    }

    fn title(&self) -> &'static str {
        "JSON lines of Winlogbeat 6"
    }

    fn layout(&self) -> Layout {
        Layout::Winlogbeat6
    }

    fn detect(&self, sample: &Sample<'_>) -> Confidence {
        let share = sample
            .share(|keys| keys.has("event_id") && keys.has_any(&["log_name", "event_data", "source_name"]));
        Confidence::percent(share.min(95))
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
