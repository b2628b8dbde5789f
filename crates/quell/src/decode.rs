//! Records as whole ECS documents, in the order of the inputs.

use crate::pipeline::{InputFacts, Progress, Seen};
use crate::scan::ScanOptions;
use quell_ingest::{Batch, ContextBuilder, DocumentDecoder, Layout, WarningLog, discover, open};
use quell_ir::Datum;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

/// What became of the inputs.
#[derive(Debug, Default)]
pub struct Decoded {
    /// Documents that were made.
    pub documents: u64,
    /// What was wrong with the inputs.
    pub warnings: WarningLog,
    /// Whether it was stopped before the end, by the watcher or by the sink.
    pub interrupted: bool,
}

/// Makes the ECS document of every record and gives it to `sink`, which may end it.
pub fn decode<P: AsRef<Path>>(
    paths: &[P],
    options: &ScanOptions,
    progress: &dyn Progress,
    sink: &mut dyn FnMut(&Map<String, Value>) -> ControlFlow<()>,
) -> Decoded {
    let found = discover(paths);
    let mut decoded = Decoded { warnings: found.warnings, ..Decoded::default() };
    let mut seen = Seen {
        files_total: found.files.len() as u64,
        bytes_total: found.files.iter().filter_map(|file| file.bytes).sum(),
        ..Seen::default()
    };
    let (open_options, decode_options) = (options.open_options(), options.decode_options());
    let mut decoders: HashMap<Layout, DocumentDecoder> = HashMap::new();
    // Documents are given out as they come, with what was seen before them.
    let mut context = ContextBuilder::new(&decode_options);
    let mut batch = Batch::default();
    for file in &found.files {
        let mut input = match open(file, &open_options) {
            Ok(input) => input,
            Err(warning) => {
                decoded.warnings.push(warning);
                continue;
            }
        };
        let facts =
            InputFacts { path: Arc::clone(&file.path), format: input.format, rereadable: input.rereadable };
        let layout = input.format.layout();
        let decoder = decoders.entry(layout).or_insert_with(|| DocumentDecoder::new(layout, &decode_options));
        while input.next_batch(&mut batch) {
            let mut damaged = WarningLog::default();
            for (position, text) in batch.iter() {
                context.observe(layout, text);
                match decoder.document(text, context.context()) {
                    Ok(document) if in_range(&document, options) => {
                        decoded.documents += 1;
                        if sink(&document).is_break() {
                            decoded.interrupted = true;
                            return decoded;
                        }
                    }
                    Ok(_) => {}
                    Err(error) => facts.damaged(position, &error, &mut damaged),
                }
            }
            decoded.warnings.absorb(&mut damaged);
            decoded.warnings.absorb(&mut batch.warnings);
            seen.events = decoded.documents;
            seen.bytes_done += batch.stored_bytes_read;
            progress.update(&seen);
            if progress.cancelled() {
                decoded.interrupted = true;
                return decoded;
            }
        }
        seen.files_done += 1;
    }
    progress.update(&seen);
    decoded
}

fn in_range(document: &Map<String, Value>, options: &ScanOptions) -> bool {
    if options.since.is_none() && options.until.is_none() {
        return true;
    }
    let Some(time) = document.get("@timestamp").and_then(time_of) else { return false };
    options.since.is_none_or(|since| time >= since) && options.until.is_none_or(|until| time < until)
}

/// The first time in a value, as a scan reads it.
fn time_of(value: &Value) -> Option<i64> {
    let datum = match value {
        Value::Array(list) => return list.iter().find(|value| !value.is_null()).and_then(time_of),
        Value::String(text) => Datum::Text(text),
        Value::Number(number) => number
            .as_i64()
            .map(Datum::Integer)
            .or_else(|| number.as_u64().map(Datum::Unsigned))
            .or_else(|| number.as_f64().map(Datum::Float))?,
        Value::Null | Value::Bool(_) | Value::Object(_) => return None,
    };
    quell_ir::date::date_of(datum)
}
