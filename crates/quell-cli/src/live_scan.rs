//! A scan of an input that is read as it comes: alerts when they are found, until Ctrl-C.

use crate::alert_writer::AlertWriter;
use crate::console::Console;
use quell::{Alert, Documents, InputWarning, Progress, Seen, StreamOutput};
use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// Where a stream's alerts and warnings go.
pub struct LiveOutput<'w, 'c> {
    pub writer: &'w mut AlertWriter<'c>,
    pub console: &'c Console,
}

impl StreamOutput for LiveOutput<'_, '_> {
    fn alert(&mut self, alert: &Alert, documents: &mut Documents<'_>) -> ControlFlow<()> {
        self.writer.alert(alert, documents)?;
        if self.writer.is_read() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }

    fn warning(&mut self, warning: &InputWarning) {
        self.console.warn(&warning.to_string());
    }

    fn settle(&mut self) -> io::Result<Vec<(PathBuf, u64)>> {
        self.writer.settle()
    }
}

/// Shows no progress, for there is no end to come nearer to; Ctrl-C ends it.
#[derive(Clone, Copy, Debug)]
pub struct UntilInterrupted;

impl Progress for UntilInterrupted {
    fn update(&self, _seen: &Seen) {}

    fn cancelled(&self) -> bool {
        crate::interrupt::asked()
    }
}
