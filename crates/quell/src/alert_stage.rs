//! The last stage: detections become alerts, of which some are suppressed and some fall into maintenance windows.

use crate::documents::Documents;
use crate::maintenance::{Marker, Windows};
use crate::scan::ScanOptions;
use quell_engine::{Alert, Detection, Engine, Hit, StateError, SuppressionCounts, Suppressor};

/// Makes alerts of detections, in order.
pub(crate) struct AlertStage<'s> {
    engine: &'s Engine,
    suppressor: Suppressor<'s>,
    marker: Marker<'s>,
    show_held: bool,
    /// Whether first alerts wait until they are complete.
    waits: bool,
    /// What was counted by a suppressor that is done.
    done: SuppressionCounts,
}

/// What the stage counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StageCounts {
    pub(crate) suppression: SuppressionCounts,
    pub(crate) maintenance_unknown: u64,
}

impl<'s> AlertStage<'s> {
    pub(crate) fn new(
        engine: &'s Engine,
        windows: &'s Windows,
        options: &ScanOptions,
        waits: bool,
    ) -> AlertStage<'s> {
        AlertStage {
            engine,
            suppressor: Suppressor::new(engine, waits),
            marker: Marker::new(windows, options),
            show_held: options.show_held,
            waits,
            done: SuppressionCounts::default(),
        }
    }

    /// Takes a detection, and gives what is to be given now.
    pub(crate) fn push(&mut self, detection: Detection, out: &mut dyn FnMut(Alert)) {
        let rule = detection.rule;
        if let Some(alert) = Alert::new(self.engine, detection) {
            self.suppressor.push(rule, alert, self.show_held, out);
        }
    }

    /// Takes a hit that an exception covers, if those are wanted.
    pub(crate) fn held(&mut self, hit: &Hit, out: &mut dyn FnMut(Alert)) {
        Alert::held(self.engine, hit).into_iter().for_each(out);
    }

    /// Gives what waits.
    pub(crate) fn finish(&mut self, out: &mut dyn FnMut(Alert)) {
        let next = Suppressor::new(self.engine, self.waits);
        self.done = std::mem::replace(&mut self.suppressor, next).finish(out);
    }

    /// The alert with the windows that it falls into. What is held back needs none.
    pub(crate) fn marked(&mut self, mut alert: Alert, documents: &mut Documents<'_>) -> Alert {
        if alert.held_by.is_none() {
            alert.maintenance = self.marker.windows_of(&alert, documents);
        }
        alert
    }

    pub(crate) fn counts(&self) -> StageCounts {
        let now = self.suppressor.counts();
        let suppression = SuppressionCounts {
            suppressed: self.done.suppressed + now.suppressed,
            let_go: self.done.let_go + now.let_go,
        };
        StageCounts { suppression, maintenance_unknown: self.marker.unknown() }
    }

    pub(crate) fn save(&self) -> Result<Vec<u8>, StateError> {
        self.suppressor.save().map_err(StateError::Unwritable)
    }

    pub(crate) fn restore(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.suppressor.restore(bytes).map_err(StateError::Unreadable)
    }
}
