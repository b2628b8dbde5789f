//! A stream: rules over records as they come, without end.
//!
//! Event rules need no order: their alerts come at once. What is joined waits `lateness` for records that come late, and is then
//! correlated in order. The watermark is the time before which everything is late: the latest event's time, less the lateness;
//! while nothing comes, the clock moves it on. What correlation holds stays within `max_state`: what falls out is counted.

use crate::alert_stage::AlertStage;
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::documents::{Documents, Made};
use crate::pipeline::{InputFacts, Progress, Seen};
use crate::scan::{Decoders, MatchWork, Report, Scan};
use jiff::Timestamp;
use quell_engine::{Alert, Correlator, Detection, Hit, Limited, NoTrace, StateError, Waiting};
use quell_event::Position;
use quell_ingest::{
    Batch, Context, ContextBuilder, DecodeOptions, Format, InputWarning, Live, LiveInput, OpenOptions,
    SourceFile, WarningLog,
};
use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use thiserror::Error;

/// How a stream is read.
#[derive(Clone, Debug)]
pub struct StreamOptions {
    /// How long what is joined waits for records that come late.
    pub lateness: Duration,
    /// The bytes, about, that may wait, be pending, or be known of processes; of these a quarter at most.
    pub max_state: usize,
    /// Where checkpoints go.
    pub state: Option<PathBuf>,
    /// How much time lies between checkpoints at least.
    pub checkpoint_every: Duration,
}

impl Default for StreamOptions {
    fn default() -> Self {
        StreamOptions {
            lateness: Duration::from_secs(30),
            max_state: 256 << 20,
            state: None,
            checkpoint_every: Duration::from_secs(1),
        }
    }
}

/// Takes what a stream gives.
pub trait StreamOutput {
    /// An alert. It may say that it wants no more.
    fn alert(&mut self, alert: &Alert, documents: &mut Documents<'_>) -> ControlFlow<()>;

    /// Something is wrong with the input.
    fn warning(&mut self, warning: &InputWarning);

    /// Nothing more comes for a moment: what was written shall be seen. Gives the outputs that can be cut back, by path, and
    /// their lengths.
    ///
    /// # Errors
    /// What the system says.
    fn settle(&mut self) -> std::io::Result<Vec<(PathBuf, u64)>>;
}

/// What a stream counts besides what every scan does.
#[derive(Clone, Debug, Default)]
pub struct StreamCounts {
    /// Events that came too late to be joined.
    pub late: u64,
    /// Events from the future, which do not move the watermark.
    pub future: u64,
    /// Hits of events from the future that were dropped for want of memory.
    pub future_dropped: u64,
    /// Hits that were joined before their time, for want of memory: later ones of their time were late.
    pub hurried: u64,
    /// Pending sequences that were dropped for want of memory, by rule id.
    pub evicted: Vec<(String, u64)>,
    /// Starts and ends of processes that were forgotten for want of memory, the oldest first: what is told of them is absent.
    pub forgotten: u64,
    /// Processes that were forgotten for want of memory, the longest unheard of first: their descendants may not be known as such.
    pub forgotten_processes: u64,
    /// Identities of records that were forgotten for want of memory: alerts about equal records may have equal ids.
    pub forgotten_identities: u64,
    /// Rules whose saved state was dropped, because they have changed or are gone.
    pub dropped: Vec<String>,
    /// How often the state was saved.
    pub checkpoints: u64,
}

/// Why a stream cannot go on.
#[derive(Debug, Error)]
pub enum StreamError {
    /// The saved state is of no use.
    #[error("the saved state cannot be gone on from: {0}; move the state file away to start anew")]
    State(#[from] StateError),
    /// The state file is of no use, or cannot be written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The outputs cannot be written.
    #[error("the output cannot be written: {0}")]
    Output(#[from] std::io::Error),
}

/// Standard input, read as it comes; of this format, or as its first lines say.
#[must_use]
pub fn stream_standard_input(format: Option<&str>) -> LiveInput {
    LiveInput::stdin(&open_options(format))
}

/// What a reader gives, read as it comes to its end; `name` stands for it where a path would.
#[must_use]
pub fn stream_reader(reader: Box<dyn Read + Send>, name: &Path, format: Option<&str>) -> LiveInput {
    LiveInput::reader(reader, name, &open_options(format))
}

/// A named pipe, read as it comes, from one writer after the other.
#[must_use]
pub fn stream_pipe(path: &Path, format: Option<&str>) -> LiveInput {
    LiveInput::pipe(path, &open_options(format))
}

/// A file that is followed as it grows, from its beginning or from a checkpoint on.
#[must_use]
pub fn follow(path: &Path, format: Option<&str>, checkpoint: Option<&Checkpoint>) -> LiveInput {
    let position = checkpoint.and_then(|checkpoint| checkpoint.position.clone());
    LiveInput::follow(path, position, &open_options(format))
}

fn open_options(format: Option<&str>) -> OpenOptions {
    let format = format.and_then(|name| quell_ingest::format_named(name).ok());
    OpenOptions { format, ..OpenOptions::default() }
}

impl Scan {
    /// Runs the rules over records as they come, until the input ends or `progress` says so. With a state file the end is a pause:
    /// what is pending is saved and waits for the next run; without one, the end decides.
    ///
    /// # Errors
    /// Where the state or the output cannot be written, or the checkpoint be gone on from.
    pub fn stream(
        &self,
        input: LiveInput,
        checkpoint: Option<Checkpoint>,
        options: &StreamOptions,
        output: &mut dyn StreamOutput,
        progress: &dyn Progress,
    ) -> Result<Report, StreamError> {
        let decoders = Decoders::new(self.engine(), self.options());
        let mut stream = Stream::new(self, &decoders, input, checkpoint.as_ref(), options)?;
        let interrupted = stream.run(output, progress)?;
        Ok(stream.report(interrupted))
    }
}

/// How far ahead of the clock what a process did may be, in nanoseconds; what is further is not learnt.
const MOST_AHEAD: i64 = 24 * 3600 * 1_000_000_000;

/// The share of the memory that what is learnt of processes takes, the same at every time: which of it is forgotten is then a
/// matter of the records alone.
fn context_limit(options: &StreamOptions) -> usize {
    options.max_state / 4
}

/// The share that results take which pipes hold.
fn room_in_pipes(options: &StreamOptions) -> usize {
    options.max_state / 8
}

struct Stream<'s> {
    scan: &'s Scan,
    options: &'s StreamOptions,
    input: LiveInput,
    file: SourceFile,
    decode: DecodeOptions,
    /// What was learnt of processes; nothing where no rule asks for it.
    context: ContextBuilder,
    learns: bool,
    /// How much was forgotten before this stream began.
    forgotten: u64,
    work: MatchWork<'s>,
    /// Hits that an exception covers, if those are to be seen.
    held: Vec<Hit>,
    stage: AlertStage<'s>,
    made: Made,
    waiting: Waiting,
    correlator: Correlator<'s>,
    formats: Vec<&'static dyn Format>,
    arrived: u64,
    newest: Option<i64>,
    /// The earliest event of this run that was not late.
    first: Option<i64>,
    watermark: Option<i64>,
    warnings: WarningLog,
    counts: StreamCounts,
    /// What limits left out of a correlator that is done.
    limited: Limited,
    seen: Seen,
    started: Instant,
    /// When records came last.
    came: Instant,
    saved: Saved,
}

/// When the state was saved last, and whether there is anything new.
struct Saved {
    at: Option<Instant>,
    took: Duration,
    new: bool,
}

impl<'s> Stream<'s> {
    fn new(
        scan: &'s Scan,
        decoders: &'s Decoders<'s>,
        input: LiveInput,
        checkpoint: Option<&Checkpoint>,
        options: &'s StreamOptions,
    ) -> Result<Stream<'s>, StreamError> {
        let now = Instant::now();
        let decode = scan.options().decode_options();
        let mut stream = Stream {
            scan,
            options,
            file: SourceFile::live(input.path()),
            input,
            context: ContextBuilder::going_on(Context::with_limit(context_limit(options)), &decode),
            learns: Context::is_asked(scan.engine().fields()),
            forgotten: 0,
            decode,
            work: MatchWork::new(scan, decoders),
            held: Vec::new(),
            stage: AlertStage::new(scan.engine(), scan.windows(), scan.options(), false),
            made: Made::default(),
            waiting: Waiting::default(),
            correlator: Correlator::new(scan.engine()).with_room_in_pipes(room_in_pipes(options)),
            formats: Vec::new(),
            arrived: 0,
            newest: None,
            first: None,
            watermark: None,
            warnings: WarningLog::default(),
            counts: StreamCounts::default(),
            limited: Limited::default(),
            seen: Seen { files_total: 1, ..Seen::default() },
            started: now,
            came: now,
            saved: Saved { at: None, took: Duration::ZERO, new: false },
        };
        if let Some(checkpoint) = checkpoint {
            stream.go_on_from(checkpoint)?;
        }
        Ok(stream)
    }

    fn go_on_from(&mut self, checkpoint: &Checkpoint) -> Result<(), StreamError> {
        let restored = Correlator::restore(self.scan.engine(), &checkpoint.correlator)?;
        self.correlator = restored.correlator.with_room_in_pipes(room_in_pipes(self.options));
        self.stage.restore(&checkpoint.suppressed)?;
        restored.waiting.into_iter().for_each(|hit| self.waiting.push(hit));
        self.counts.dropped = restored.dropped;
        self.formats =
            checkpoint.formats.iter().filter_map(|name| quell_ingest::format_named(name).ok()).collect();
        self.arrived = checkpoint.arrived;
        (self.newest, self.watermark) = (checkpoint.newest, checkpoint.watermark);
        // Rules that ask nothing do not learn, and what is known from before a gap would be wrong behind it.
        if self.learns && !checkpoint.context.is_empty() {
            let mut context: Context =
                postcard::from_bytes(&checkpoint.context).map_err(StateError::Unreadable)?;
            self.forgotten = context.forgotten();
            context.limit_to(context_limit(self.options));
            self.context = ContextBuilder::going_on(context, &self.decode);
        }
        Ok(())
    }

    /// Reads to the end, and says whether it was ended before.
    fn run(&mut self, output: &mut dyn StreamOutput, progress: &dyn Progress) -> Result<bool, StreamError> {
        const PATIENCE: Duration = Duration::from_millis(50);
        let mut batch = Batch::default();
        loop {
            if progress.cancelled() {
                self.save(output, true)?;
                return Ok(true);
            }
            let mut found = Vec::new();
            match self.input.next(&mut batch, PATIENCE) {
                Live::Records => {
                    self.saved.new = true;
                    if let Some(format) = self.input.format() {
                        let source = self.source_of(format);
                        self.batch(&mut batch, source, format, &mut found);
                    }
                }
                Live::Idle => self.advance_by_the_clock(&mut found),
                Live::Failed(warning) => {
                    output.warning(&warning);
                    self.warnings.push(warning);
                }
                Live::End => return self.end(output).map(|()| false),
            }
            batch.warnings.kept().iter().for_each(|warning| output.warning(warning));
            self.warnings.absorb(&mut batch.warnings);
            if self.give(found, output).is_break() {
                return Ok(false);
            }
            progress.update(&self.seen);
            self.save(output, false)?;
        }
    }

    /// Matches the records of a batch.
    fn batch(
        &mut self,
        batch: &mut Batch,
        source: u32,
        format: &'static dyn Format,
        found: &mut Vec<Detection>,
    ) {
        let facts = InputFacts { path: self.input.path().clone(), format, rereadable: false };
        let now = self.clock();
        let latest = now.saturating_add(MOST_AHEAD);
        let mut damaged = WarningLog::default();
        for (position, text) in batch.iter() {
            self.arrived += 1;
            let place = Position { offset: self.arrived, number: self.arrived };
            if self.learns {
                self.context.observe_in(self.arrived, format.layout(), text, latest);
            }
            let known = self.context.context();
            match self.work.record(source, format.layout(), false, place, text, known) {
                Ok(time) => self.hits_of_record(time, now, found),
                Err(error) => facts.damaged(position, &error, &mut damaged),
            }
        }
        batch.warnings.absorb(&mut damaged);
        self.seen.events = self.work.events();
        self.seen.bytes_done += batch.stored_bytes_read;
        self.seen.bytes_total = self.seen.bytes_done;
        self.came = Instant::now();
        self.release(found);
    }

    /// The number of the records of a format: each has its own decoder.
    fn source_of(&mut self, format: &'static dyn Format) -> u32 {
        let known = self.formats.iter().position(|known| known.name() == format.name());
        let number = known.unwrap_or_else(|| {
            self.formats.push(format);
            self.formats.len() - 1
        });
        u32::try_from(number).unwrap_or(u32::MAX)
    }

    /// Sends the hits of one record on their ways, and moves the watermark. `now` is the latest time that is not the future.
    fn hits_of_record(&mut self, time: Option<i64>, now: i64, found: &mut Vec<Detection>) {
        let mut late = false;
        for hit in self.work.take_hits() {
            self.seen.hits += 1;
            late |= self.hit(hit, found);
        }
        self.counts.late += u64::from(late);
        if let Some(time) = time.filter(|time| *time <= now) {
            self.begin(self.scan.options().since.map_or(time, |since| since.max(time)));
        }
        match time {
            Some(time) if time > now => self.counts.future += 1,
            Some(time) if self.newest.is_none_or(|newest| newest < time) => {
                self.newest = Some(time);
                self.raise(time);
            }
            _ => {}
        }
    }

    /// Tells new terms rules from when on they see everything: what comes late has no part in that.
    fn begin(&mut self, time: i64) {
        let in_time = self.watermark.is_none_or(|watermark| time >= watermark);
        if in_time && self.first.is_none_or(|first| time < first) {
            self.first = Some(time);
            self.correlator.begin(time);
        }
    }

    /// One hit; true if it is too late to be joined.
    fn hit(&mut self, hit: Hit, found: &mut Vec<Detection>) -> bool {
        if hit.held_by.is_some() {
            self.held.push(hit);
            return false;
        }
        if self.scan.engine().is_immediate(hit.rule) {
            self.correlator.alone(&hit, found);
            return false;
        }
        let waits = match hit.time {
            Some(time) => self.watermark.is_none_or(|watermark| time >= watermark),
            None => self.scan.engine().is_timeless(hit.rule),
        };
        if waits {
            self.waiting.push(hit);
            return false;
        }
        !self.correlator.fact(&hit) && !self.correlator.alone(&hit, found)
    }

    /// Raises the watermark to what a present time means.
    fn raise(&mut self, present: i64) {
        let lateness = i64::try_from(self.options.lateness.as_nanos()).unwrap_or(i64::MAX);
        self.watermark = self.watermark.max(Some(present.saturating_sub(lateness)));
    }

    /// While nothing comes, time goes on all the same.
    fn advance_by_the_clock(&mut self, found: &mut Vec<Detection>) {
        if let Some(newest) = self.newest {
            let idle = i64::try_from(self.came.elapsed().as_nanos()).unwrap_or(i64::MAX);
            self.raise(newest.saturating_add(idle));
            self.release(found);
        }
    }

    /// Correlates what lies before the watermark, and keeps what is held within bounds.
    fn release(&mut self, found: &mut Vec<Detection>) {
        if self.waiting.bytes() > self.options.max_state / 2 {
            self.hurry(found);
        }
        let Some(watermark) = self.watermark else { return self.evict(i64::MIN, found) };
        for hit in self.waiting.release(self.scan.engine(), watermark) {
            self.correlator.push(hit, found, &mut NoTrace);
            self.saved.new = true;
        }
        self.correlator.advance(watermark, found, &mut NoTrace);
        self.evict(watermark, found);
    }

    /// Makes room: lets go of what is from the future, then of what has no time, and of half of the rest if need be.
    fn hurry(&mut self, found: &mut Vec<Detection>) {
        let half = self.options.max_state / 2;
        self.counts.future_dropped += self.waiting.drop_behind(self.clock()) as u64;
        if self.waiting.bytes() > half {
            for hit in self.waiting.release_timeless(self.scan.engine()) {
                self.counts.hurried += 1;
                self.correlator.push(hit, found, &mut NoTrace);
            }
            self.correlator.advance(self.watermark.unwrap_or(i64::MIN), found, &mut NoTrace);
        }
        if self.waiting.bytes() > half
            && let Some(middle) = self.waiting.middle()
            && self.watermark < Some(middle)
        {
            let before = self.waiting.iter().filter(|hit| hit.time < Some(middle)).count();
            self.counts.hurried += before as u64;
            self.watermark = Some(middle);
        }
    }

    /// Keeps what is pending within bounds.
    fn evict(&mut self, now: i64, found: &mut Vec<Detection>) {
        let room =
            self.options.max_state.saturating_sub(self.waiting.bytes() + self.context.context().bytes());
        if self.correlator.bytes() > room {
            // A little more than needed, or the next event would do it again.
            self.correlator.evict(room / 4 * 3, now, found);
        }
    }

    fn give(&mut self, found: Vec<Detection>, output: &mut dyn StreamOutput) -> ControlFlow<()> {
        if found.is_empty() && self.held.is_empty() {
            return ControlFlow::Continue(());
        }
        let held = std::mem::take(&mut self.held);
        self.saved.new = true;
        let made = std::mem::take(&mut self.made);
        let mut documents =
            Documents::of_stream(&self.file, &self.formats, &self.decode, self.context.context(), made);
        let mut alerts = Vec::new();
        held.iter().for_each(|hit| self.stage.held(hit, &mut |alert| alerts.push(alert)));
        for detection in found {
            self.stage.push(detection, &mut |alert| alerts.push(alert));
        }
        let wanted = alerts.into_iter().try_for_each(|alert| {
            let alert = self.stage.marked(alert, &mut documents);
            output.alert(&alert, &mut documents)
        });
        self.made = documents.finish();
        wanted
    }

    /// Saves the state, if it is time; lets what was written be seen in any case.
    fn save(&mut self, output: &mut dyn StreamOutput, now: bool) -> Result<(), StreamError> {
        if !self.saved.new && !now {
            return Ok(());
        }
        // A large state is saved more rarely: not more than a twentieth of the time goes into it.
        let pause = self.options.checkpoint_every.max(self.saved.took * 20);
        let due = now || self.saved.at.is_none_or(|at| at.elapsed() >= pause);
        let outputs = output.settle()?;
        let Some(path) = self.options.state.as_ref().filter(|_| due) else { return Ok(()) };
        let begun = Instant::now();
        let checkpoint = Checkpoint {
            position: self.input.position(),
            outputs,
            formats: self.formats.iter().map(|format| format.name().to_owned()).collect(),
            arrived: self.arrived,
            newest: self.newest,
            watermark: self.watermark,
            context: self.saved_context()?,
            correlator: self.correlator.save(self.waiting.iter())?,
            suppressed: self.stage.save()?,
        };
        checkpoint.store(path)?;
        self.counts.checkpoints += 1;
        self.saved = Saved { at: Some(Instant::now()), took: begun.elapsed(), new: false };
        Ok(())
    }

    fn saved_context(&self) -> Result<Vec<u8>, StateError> {
        if !self.learns {
            return Ok(Vec::new());
        }
        postcard::to_stdvec(self.context.context()).map_err(StateError::Unwritable)
    }

    fn end(&mut self, output: &mut dyn StreamOutput) -> Result<(), StreamError> {
        if self.options.state.is_some() {
            return self.save(output, true);
        }
        let mut found = Vec::new();
        for hit in self.waiting.release_all(self.scan.engine()) {
            self.correlator.push(hit, &mut found, &mut NoTrace);
        }
        self.count_evicted();
        let correlator = std::mem::replace(&mut self.correlator, Correlator::new(self.scan.engine()));
        self.limited = correlator.finish(&mut found, &mut NoTrace);
        let _ = self.give(found, output);
        output.settle()?;
        Ok(())
    }

    fn count_evicted(&mut self) {
        let of_rule = self.scan.engine().rules().zip(self.correlator.evicted());
        let evicted = of_rule.filter(|(_, n)| **n > 0).map(|(rule, n)| (rule.id.clone(), *n));
        self.counts.evicted.extend(evicted);
        self.counts.forgotten_processes += self.correlator.forgotten_processes();
        self.counts.forgotten_identities += self.correlator.forgotten_identities();
    }

    /// Now by the clock, and the lateness: what is later is from the future.
    fn clock(&self) -> i64 {
        let now = i64::try_from(Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX);
        now.saturating_add(i64::try_from(self.options.lateness.as_nanos()).unwrap_or(i64::MAX))
    }

    fn report(mut self, interrupted: bool) -> Report {
        // A correlator that is done was counted, and the one in its place has nothing to count.
        self.count_evicted();
        let limited = self.correlator.limited();
        let cut = self.limited.tests_cut + limited.tests_cut;
        let lost = self.limited.results_lost + limited.results_lost;
        self.counts.forgotten = self.context.context().forgotten().saturating_sub(self.forgotten);
        let mut report = self.scan.report_of_stream(&self.work, self.file, self.warnings, self.counts);
        report.stats.bytes = self.seen.bytes_done;
        let counts = self.stage.counts();
        report.stats.suppressed = counts.suppression.suppressed;
        report.stats.suppressions_let_go = counts.suppression.let_go;
        report.stats.maintenance_unknown = counts.maintenance_unknown;
        report.stats.tests_cut += cut;
        report.stats.results_lost += lost;
        report.stats.elapsed = self.started.elapsed();
        report.interrupted = interrupted;
        report
    }
}
