//! The hand-over between the thread that reads a live input and its caller: one batch, added to until it is taken.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::FollowPosition;
use super::feed::Stop;
use crate::format::Format;
use crate::source::batch::Batch;
use crate::source::warning::InputWarning;

/// Why no further records come.
#[derive(Debug)]
pub(super) enum Ending {
    /// The input is at its end.
    End,
    /// It could not be read further.
    Failed(InputWarning),
}

/// What the caller gets.
pub(super) enum Taken {
    /// A batch, the position after it where there is one, and the format.
    Batch {
        position: Option<FollowPosition>,
        format: Option<&'static dyn Format>,
    },
    Ending(Ending),
    Nothing,
}

pub(super) struct Handoff {
    state: Mutex<State>,
    /// Something is there for the caller.
    filled: Condvar,
    /// The caller took the batch, or wants no more.
    taken: Condvar,
    /// The reader adds to a batch until this many bytes were read for it.
    batch_bytes: u64,
}

/// What is handed over next.
#[derive(Default)]
pub(super) struct State {
    pub(super) batch: Batch,
    /// Where the followed file is to be read on after the batch.
    pub(super) position: Option<FollowPosition>,
    pub(super) format: Option<&'static dyn Format>,
    /// Whether a position is to be handed over though nothing was read: the caller may save it at once.
    pub(super) begun: bool,
    ending: Option<Ending>,
    closed: bool,
}

impl State {
    /// Whether there is a batch to take.
    fn is_filled(&self) -> bool {
        self.begun || self.batch.bytes_read > 0 || !self.batch.warnings.is_empty()
    }
}

impl Handoff {
    pub(super) fn new(batch_bytes: usize) -> Self {
        Handoff {
            state: Mutex::default(),
            filled: Condvar::new(),
            taken: Condvar::new(),
            batch_bytes: batch_bytes as u64,
        }
    }

    /// The caller's side: takes what is there, waiting for it no longer than `timeout`. The batch given is reused.
    pub(super) fn take(&self, batch: &mut Batch, timeout: Duration) -> Taken {
        let wait = |state: &mut State| !state.is_filled() && state.ending.is_none();
        let (mut state, _) = self
            .filled
            .wait_timeout_while(self.lock(), timeout, wait)
            .unwrap_or_else(PoisonError::into_inner);
        if state.is_filled() {
            std::mem::swap(&mut state.batch, batch);
            state.begun = false;
            self.taken.notify_all();
            return Taken::Batch { position: state.position.clone(), format: state.format };
        }
        match state.ending.replace(Ending::End) {
            Some(ending) => Taken::Ending(ending),
            None => {
                state.ending = None;
                Taken::Nothing
            }
        }
    }

    /// The caller's side: no more is wanted.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.taken.notify_all();
    }

    /// Waits until there is room in the batch.
    pub(super) fn room(&self) -> Result<(), Stop> {
        self.wait_while(|state| state.batch.bytes_read >= self.batch_bytes)
    }

    /// Waits until all was taken, so that what follows is a batch of its own.
    pub(super) fn drained(&self) -> Result<(), Stop> {
        self.wait_while(|state| state.is_filled())
    }

    fn wait_while(&self, full: impl Fn(&State) -> bool) -> Result<(), Stop> {
        let state = self
            .taken
            .wait_while(self.lock(), |state| full(state) && !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        if state.closed { Err(Stop::Closed) } else { Ok(()) }
    }

    /// Sleeps, unless the caller wants no more.
    pub(super) fn pause(&self, length: Duration) -> Result<(), Stop> {
        let end = Instant::now() + length;
        let mut state = self.lock();
        loop {
            if state.closed {
                return Err(Stop::Closed);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            state = self.taken.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Adds to what is handed over next.
    pub(super) fn give(&self, add: impl FnOnce(&mut State)) -> Result<(), Stop> {
        let mut state = self.lock();
        if state.closed {
            return Err(Stop::Closed);
        }
        add(&mut state);
        if state.is_filled() {
            self.filled.notify_all();
        }
        Ok(())
    }

    /// Says that no further records come. The first reason stands.
    pub(super) fn end(&self, ending: Ending) {
        self.lock().ending.get_or_insert(ending);
        self.filled.notify_all();
    }

    /// A side that panicked left sound data: all is changed in one step.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
