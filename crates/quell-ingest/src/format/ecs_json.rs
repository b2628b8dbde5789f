//! `ecs-json`: JSON lines of ECS documents, nested, dotted or mixed. Objects that look like nothing else are tried so.

use super::lines::LineReader;
use super::{Confidence, Format, RecordReader, Sample};
use crate::Layout;
use crate::source::Opened;

/// JSON lines of ECS documents.
pub(super) struct EcsJson;

/// Names of which an ECS document has one at least, alone or before a dot.
const ROOTS: &[&str] =
    &["@timestamp", "event", "ecs", "process", "winlog", "data_stream", "agent", "_source"];

/// Names that no ECS document has at its top; recorders of Windows events do, some beside an `@timestamp`.
const NOT_ECS: &[&str] = &["EventID", "event_id"];

impl Format for EcsJson {
    fn name(&self) -> &'static str {
        "ecs-json"
    }

    fn title(&self) -> &'static str {
        "JSON lines of ECS documents"
    }

    fn layout(&self) -> Layout {
        Layout::Ecs
    }

    fn detect(&self, sample: &Sample<'_>) -> Confidence {
        if sample.objects().is_empty() {
            return Confidence::NONE;
        }
        let share = sample.share(|keys| keys.has_any_root(ROOTS) && !keys.has_any(NOT_ECS));
        Confidence::percent(share.clamp(10, 90))
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
