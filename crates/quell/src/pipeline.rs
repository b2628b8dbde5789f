//! The pipeline's drive: several threads take batches of records from many inputs, in any order.
//!
//! A thread opens the next input that nobody has opened and works through it; when there is none left it helps with an
//! input that another thread has open, batch by batch. So a thousand small files and one huge file both keep every core
//! busy. Order is not kept here: whatever comes out carries its place, and correlation sorts.

use quell_event::Position;
use quell_ingest::{
    Batch, DecodeError, Format, Input, InputWarning, Loss, OpenOptions, SourceFile, WarningLog, open,
};
use quell_ir::Code;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a scan has seen so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// Inputs that were found.
    pub files_total: u64,
    /// Inputs that were read to their end, or could not be read.
    pub files_done: u64,
    /// Bytes of all inputs as they are stored; standard input and pipes count nothing.
    pub bytes_total: u64,
    /// Bytes of those inputs that were read to their end.
    pub bytes_done: u64,
    /// Records decoded.
    pub events: u64,
    /// Records that satisfied a rule's condition.
    pub hits: u64,
    /// Whether this is the first of two passes, which learns of processes; the second begins at nothing again.
    pub first_pass: bool,
}

/// Watches a scan, and may end it.
pub trait Progress: Sync {
    /// Called at most some twenty times a second, and once at the end.
    fn update(&self, _seen: &Seen) {}

    /// Whether to stop: the scan then ends with what it has found.
    fn cancelled(&self) -> bool {
        false
    }
}

/// Watches nothing and never stops.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl Progress for NoProgress {}

/// What one thread does with the batches that it gets.
pub(crate) trait Work: Send {
    /// Whether it works on an input of this format at all.
    fn wants(&self, _file: &SourceFile, _format: &dyn Format) -> bool {
        true
    }

    /// Reads the next batch of an input; false at its end.
    fn read(&self, input: &mut Input, batch: &mut Batch) -> bool {
        input.next_batch(batch)
    }

    /// Works on one batch. `source` is the number of its input.
    fn batch(&mut self, source: u32, input: &InputFacts, batch: &mut Batch, counts: &mut Counts);
}

/// What work needs to know of the input that a batch is from.
pub(crate) struct InputFacts {
    /// Its path.
    pub(crate) path: Arc<Path>,
    /// Its format.
    pub(crate) format: &'static dyn Format,
    /// Whether its records can be read again.
    pub(crate) rereadable: bool,
}

impl InputFacts {
    /// Notes a record that could not be decoded.
    pub(crate) fn damaged(&self, position: Position, error: &DecodeError, warnings: &mut WarningLog) {
        warnings.push_with(Code::RECORD_NOT_JSON, Loss::Records, || {
            // A decoded format has no bytes of its own at the error: its record's place is all there is to say.
            let within = if self.format.rereadable() { error.offset as u64 } else { 0 };
            InputWarning::new(Code::RECORD_NOT_JSON, &self.path, Loss::Records, error.message.as_str())
                .of_record(Position { offset: position.offset + within, number: position.number })
        });
    }
}

/// What one batch came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) events: u64,
    pub(crate) hits: u64,
}

/// What became of the inputs.
#[derive(Default)]
pub(crate) struct Driven {
    /// What was wrong with each.
    pub(crate) warnings: Vec<WarningLog>,
    /// The format of each, where it could be opened.
    pub(crate) formats: Vec<Option<&'static dyn Format>>,
    /// Bytes after decompression.
    pub(crate) bytes: u64,
    /// Whether it was stopped before the end.
    pub(crate) interrupted: bool,
}

/// Runs one worker a thread over all inputs and gives the workers back.
pub(crate) fn drive<W: Work>(
    files: &[SourceFile],
    options: &OpenOptions,
    workers: Vec<W>,
    progress: &dyn Progress,
) -> (Vec<W>, Driven) {
    let drive = Drive {
        files,
        options,
        progress,
        next: AtomicUsize::new(0),
        open: Mutex::default(),
        driven: Mutex::new(Driven {
            warnings: vec![WarningLog::default(); files.len()],
            formats: vec![None; files.len()],
            ..Driven::default()
        }),
        counters: Counters::default(),
        interrupted: AtomicBool::new(false),
        last_update: Mutex::new(None),
    };
    drive.update(true);
    let workers = if workers.len() == 1 {
        workers.into_iter().map(|worker| drive.work(worker)).collect()
    } else {
        std::thread::scope(|scope| {
            let threads: Vec<_> =
                workers.into_iter().map(|worker| scope.spawn(|| drive.work(worker))).collect();
            // A worker that panicked is a fault of ours: it is passed on, not swallowed.
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        })
    };
    drive.update(true);
    let mut driven = drive.driven.into_inner().unwrap_or_else(PoisonError::into_inner);
    driven.interrupted = drive.interrupted.into_inner();
    (workers, driven)
}

struct Drive<'d> {
    files: &'d [SourceFile],
    options: &'d OpenOptions,
    progress: &'d dyn Progress,
    /// The next input that nobody has opened.
    next: AtomicUsize,
    /// Inputs that are open.
    open: Mutex<Vec<Arc<OpenInput>>>,
    driven: Mutex<Driven>,
    counters: Counters,
    interrupted: AtomicBool,
    last_update: Mutex<Option<Instant>>,
}

struct OpenInput {
    source: usize,
    facts: InputFacts,
    /// `None` once it was read to its end.
    input: Mutex<Option<Input>>,
}

#[derive(Default)]
struct Counters {
    files_done: AtomicU64,
    bytes_done: AtomicU64,
    events: AtomicU64,
    hits: AtomicU64,
}

impl Drive<'_> {
    fn work<W: Work>(&self, mut worker: W) -> W {
        let mut batch = Batch::default();
        while let Some(input) = self.take_input(&worker) {
            while self.step(&input, &mut worker, &mut batch) {}
            self.close(&input);
        }
        worker
    }

    /// An input to work on: a new one if there is one, else one that another thread works on too.
    fn take_input<W: Work>(&self, worker: &W) -> Option<Arc<OpenInput>> {
        while !self.stopped() {
            let source = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(file) = self.files.get(source) else { break };
            match open(file, self.options) {
                Ok(input) if !worker.wants(file, input.format) => {
                    self.counters.bytes_done.fetch_add(file.bytes.unwrap_or(0), Ordering::Relaxed);
                    self.file_done();
                }
                Ok(input) => {
                    let facts = InputFacts {
                        path: Arc::clone(&file.path),
                        format: input.format,
                        rereadable: input.rereadable,
                    };
                    if let Some(format) = lock(&self.driven).formats.get_mut(source) {
                        *format = Some(facts.format);
                    }
                    let opened = Arc::new(OpenInput { source, facts, input: Mutex::new(Some(input)) });
                    lock(&self.open).push(Arc::clone(&opened));
                    return Some(opened);
                }
                Err(warning) => {
                    if let Some(warnings) = lock(&self.driven).warnings.get_mut(source) {
                        warnings.push(warning);
                    }
                    self.file_done();
                }
            }
        }
        if self.stopped() { None } else { lock(&self.open).last().cloned() }
    }

    /// Works on one batch of the input; false when there is none left.
    fn step<W: Work>(&self, opened: &OpenInput, worker: &mut W, batch: &mut Batch) -> bool {
        if self.stopped() {
            return false;
        }
        {
            let mut slot = lock(&opened.input);
            let Some(input) = slot.as_mut() else { return false };
            if !worker.read(input, batch) {
                *slot = None;
                drop(slot);
                self.file_done();
                return false;
            }
        }
        let mut counts = Counts::default();
        worker.batch(u32::try_from(opened.source).unwrap_or(u32::MAX), &opened.facts, batch, &mut counts);
        {
            let mut driven = lock(&self.driven);
            driven.bytes += batch.bytes_read;
            if let Some(warnings) = driven.warnings.get_mut(opened.source) {
                warnings.absorb(&mut batch.warnings);
            }
        }
        self.counters.events.fetch_add(counts.events, Ordering::Relaxed);
        self.counters.hits.fetch_add(counts.hits, Ordering::Relaxed);
        self.counters.bytes_done.fetch_add(batch.stored_bytes_read, Ordering::Relaxed);
        self.update(false);
        true
    }

    /// Takes an input out of the list that threads help with.
    fn close(&self, input: &Arc<OpenInput>) {
        lock(&self.open).retain(|other| !Arc::ptr_eq(other, input));
    }

    fn file_done(&self) {
        self.counters.files_done.fetch_add(1, Ordering::Relaxed);
        self.update(false);
    }

    fn stopped(&self) -> bool {
        if self.interrupted.load(Ordering::Relaxed) {
            return true;
        }
        let cancelled = self.progress.cancelled();
        if cancelled {
            self.interrupted.store(true, Ordering::Relaxed);
        }
        cancelled
    }

    /// Tells the watcher, unless it was told a moment ago or another thread is telling it.
    fn update(&self, always: bool) {
        const PAUSE: Duration = Duration::from_millis(50);
        let Ok(mut last) = self.last_update.try_lock() else { return };
        if !always && last.is_some_and(|at| at.elapsed() < PAUSE) {
            return;
        }
        *last = Some(Instant::now());
        self.progress.update(&Seen {
            files_total: self.files.len() as u64,
            files_done: self.counters.files_done.load(Ordering::Relaxed),
            bytes_total: self.files.iter().filter_map(|file| file.bytes).sum(),
            bytes_done: self.counters.bytes_done.load(Ordering::Relaxed),
            events: self.counters.events.load(Ordering::Relaxed),
            hits: self.counters.hits.load(Ordering::Relaxed),
            first_pass: false,
        });
    }
}

/// A lock whose holder panicked still holds sound data: counters and lists that are changed in one step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
