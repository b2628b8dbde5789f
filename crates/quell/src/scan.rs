//! A scan: rules over inputs, to alerts.

use crate::alert_stage::AlertStage;
use crate::context::read_context;
use crate::documents::Documents;
use crate::explain::Watch;
use crate::indicators::Indicators;
use crate::maintenance::Windows;
use crate::pipeline::{Counts, Driven, InputFacts, Progress, Work, drive};
use crate::stream::StreamCounts;
use jiff::tz::TimeZone;
use quell_engine::{
    Alert, Engine, EngineOptions, EngineRule, Hit, HitRuns, Indicator, Limited, MatchStats, Matcher, Merged,
    ResultLimit, SpillError, correlate_in_order,
};
use quell_event::{EventState, Facts, NoFacts, Position, RecordRef, RecordText, Slot};
use quell_ingest::{
    Batch, Context, DecodeError, DecodeOptions, Decoder, Format, Layout, OpenOptions, SourceFile, WarningLog,
    discover, format_named,
};
use quell_ir::date::date_of;
use quell_ir::schema::NoSchema;
use quell_rules::{
    CompileOptions, ExceptionItem, ExceptionSet, FileFinding, MaintenanceWindow, Outcome, Rule, compile_rule,
};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// How inputs are read and matched.
#[derive(Clone, Debug)]
pub struct ScanOptions {
    /// Threads; 0 is one a core.
    pub threads: usize,
    /// The format of every input, by name; without it the content says. A name that is no format is ignored: see
    /// [`crate::input_format_names`].
    pub input_format: Option<String>,
    /// The zone of times that name none.
    pub timezone: TimeZone,
    /// Only events from this time on, in nanoseconds since 1970. An event without a time is left out then.
    pub since: Option<i64>,
    /// Only events before this time.
    pub until: Option<i64>,
    /// Whether rules look at every event, whatever their index patterns say.
    pub any_index: bool,
    /// The field of an event's time, for rules that name none.
    pub timestamp_field: Option<String>,
    /// The field that orders events of equal time, for rules that name none.
    pub tiebreaker_field: Option<String>,
    /// How many results of each rule are kept.
    pub limit: Option<ResultLimit>,
    /// Whether new terms rules speak before they have seen a whole history window.
    pub no_warm_up: bool,
    /// What indicator match rules look for.
    pub indicators: Arc<Indicators>,
    /// The bytes of hits that are held in memory, about; more go to temporary files. None is dropped.
    pub hit_memory: usize,
    /// What rules shall not find.
    pub exceptions: ExceptionSet,
    /// Whether what an exception covers is given out too, as alerts that say so ([`Alert::held_by`]).
    pub show_held: bool,
    /// When nobody wants to be told of alerts: they are marked ([`Alert::maintenance`]).
    pub maintenance: Vec<MaintenanceWindow>,
}

/// Takes alerts, with what makes their documents; it may say that it wants no more.
pub type AlertSink<'a> = dyn FnMut(Alert, &mut Documents<'_>) -> ControlFlow<()> + 'a;

impl Default for ScanOptions {
    fn default() -> Self {
        ScanOptions {
            threads: 0,
            input_format: None,
            timezone: TimeZone::UTC,
            since: None,
            until: None,
            any_index: false,
            timestamp_field: None,
            tiebreaker_field: None,
            limit: None,
            no_warm_up: false,
            indicators: Arc::default(),
            hit_memory: 512 << 20,
            exceptions: ExceptionSet::default(),
            show_held: false,
            maintenance: Vec::new(),
        }
    }
}

impl ScanOptions {
    /// The bytes of hits that one thread holds.
    fn hit_memory(&self) -> usize {
        self.hit_memory / self.threads()
    }

    pub(crate) fn threads(&self) -> usize {
        const MOST: usize = 256;
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        }
        .min(MOST)
    }

    pub(crate) fn open_options(&self) -> OpenOptions {
        let format = self.input_format.as_deref().and_then(|name| format_named(name).ok());
        OpenOptions { format, ..OpenOptions::default() }
    }

    pub(crate) fn decode_options(&self) -> DecodeOptions {
        DecodeOptions { timezone: self.timezone.clone() }
    }
}

/// A rule that does not run, and why.
#[derive(Clone, Debug)]
pub struct NotRun {
    /// The rule.
    pub rule: Arc<Rule>,
    /// A clause without a full stop: `KQL queries cannot run yet`.
    pub reason: String,
}

/// Compiled rules, ready to run over inputs any number of times.
pub struct Scan {
    engine: Engine,
    options: ScanOptions,
    windows: Windows,
    not_run: Vec<NotRun>,
    findings: Vec<FileFinding>,
}

impl Scan {
    /// Compiles rules. A rule that is refused or cannot run yet stops no other: see [`Scan::findings`] and
    /// [`Scan::not_run`].
    #[must_use]
    pub fn new(rules: Vec<Rule>, compile: &CompileOptions<'_>, options: ScanOptions) -> Scan {
        let compile = &CompileOptions { indicators_now: options.indicators.now(), ..*compile };
        let mut runnable = Vec::new();
        let mut not_run = Vec::new();
        let mut exceptions = options.exceptions.compile(compile.schema);
        let mut findings = std::mem::take(&mut exceptions.findings);
        findings.extend(exceptions.unused(rules.iter()));
        for rule in rules.into_iter().map(Arc::new) {
            let outcome = compile_rule(&rule, compile);
            findings.extend(outcome.findings().iter().map(|diagnostic| FileFinding {
                path: rule.origin.path.clone(),
                text: Arc::clone(&rule.origin.text),
                rule_id: Some(rule.id.clone()),
                diagnostic: diagnostic.clone(),
            }));
            match outcome {
                Outcome::Runs { query, .. } => {
                    let held = exceptions.of(&rule);
                    runnable.push((EngineRule { rule, query }, held));
                }
                Outcome::NotRunYet { reason, .. } => not_run.push(NotRun { rule, reason }),
                Outcome::Refused(_) => {}
            }
        }
        let indicators = options.indicators.of_rules(runnable.iter().map(|(rule, _)| rule));
        let options_of_engine = engine_options(&options, indicators);
        let (engine, refused, not_applied) = Engine::with_exceptions(runnable, &options_of_engine);
        findings.extend(not_applied.iter().map(|(exception, reason)| exception.item.not_applied(reason)));
        not_run
            .extend(refused.into_iter().map(|rule| NotRun { rule: rule.rule, reason: rule.reason.into() }));
        let (windows, wrong) = Windows::new(&options.maintenance, compile);
        findings.extend(wrong);
        Scan { engine, options, windows, not_run, findings }
    }

    /// The scan of rules that are compiled already.
    pub(crate) fn of_engine(engine: Engine, options: ScanOptions) -> Scan {
        let (windows, _) = Windows::new(&[], &CompileOptions::new(&NoSchema));
        Scan { engine, options, windows, not_run: Vec::new(), findings: Vec::new() }
    }

    /// How many rules run.
    #[must_use]
    pub fn len(&self) -> usize {
        self.engine.rules().len()
    }

    /// Whether no rule runs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rules that do not run.
    #[must_use]
    pub fn not_run(&self) -> &[NotRun] {
        &self.not_run
    }

    /// What was found while compiling; a rule with an error is refused.
    #[must_use]
    pub fn findings(&self) -> &[FileFinding] {
        &self.findings
    }

    /// Finds the inputs that `paths` name (files, folders, patterns, `-`), runs the rules over them, and keeps all alerts.
    pub fn run<P: AsRef<Path>>(&self, paths: &[P], progress: &dyn Progress) -> Report {
        let mut alerts = Vec::new();
        let mut report = self.run_to(paths, progress, &mut |alert, _| {
            alerts.push(alert);
            ControlFlow::Continue(())
        });
        report.alerts = alerts;
        report
    }

    /// Finds the inputs that `paths` name, runs the rules over them, and gives the alerts to `sink`, in order; the report has
    /// none. Memory stays flat however many there are.
    pub fn run_to<P: AsRef<Path>>(
        &self,
        paths: &[P],
        progress: &dyn Progress,
        sink: &mut AlertSink<'_>,
    ) -> Report {
        let correlate = |report: &mut Report, workers: Vec<MatchWork<'_>>, _: MatchStats| {
            let runs = workers.into_iter().map(|worker| worker.hits).collect();
            let (spill_errors, limited) = self.correlate(runs, report, sink);
            report.spill_errors = spill_errors;
            report.stats.tests_cut += limited.tests_cut;
            report.stats.results_lost += limited.results_lost;
        };
        self.match_then(paths, progress, &|| None, correlate).0
    }

    /// Matches all that `paths` name, with somebody who watches on each thread, and does `then` with what that gave.
    pub(crate) fn match_then<'w, P: AsRef<Path>, R>(
        &'w self,
        paths: &[P],
        progress: &dyn Progress,
        watch: &dyn Fn() -> Option<Watch<'w>>,
        then: impl FnOnce(&mut Report, Vec<MatchWork<'_>>, MatchStats) -> R,
    ) -> (Report, R) {
        let started = Instant::now();
        let found = discover(paths);
        let decoders = Decoders::new(&self.engine, &self.options);
        let context = Arc::new(read_context(self.engine.fields(), &found.files, &self.options, progress));
        let work = |_| BatchWork {
            work: MatchWork { watch: watch(), ..MatchWork::new(self, &decoders) },
            context: &context,
        };
        let workers: Vec<BatchWork<'_>> = (0..self.options.threads()).map(work).collect();
        let (workers, driven) = drive(&found.files, &self.options.open_options(), workers, progress);
        let workers: Vec<MatchWork<'_>> = workers.into_iter().map(|worker| worker.work).collect();
        let mut report = Report::new(found.files, found.warnings, driven, &self.options);
        let mut matched = MatchStats::default();
        for worker in &workers {
            matched.add(&worker.matcher.stats());
            report.stats.absorb(worker);
        }
        self.count(&mut report, &matched);
        report.stats.context_forgotten = context.forgotten();
        report.context = Arc::clone(&context);
        let rest = then(&mut report, workers, matched);
        report.stats.elapsed = started.elapsed();
        (report, rest)
    }

    /// What a stream came to.
    pub(crate) fn report_of_stream(
        &self,
        work: &MatchWork<'_>,
        file: SourceFile,
        warnings: WarningLog,
        counts: StreamCounts,
    ) -> Report {
        let mut report = Report::new(vec![file], warnings, Driven::default(), &self.options);
        report.stats.absorb(work);
        self.count(&mut report, &work.matcher.stats());
        report.stream = Some(counts);
        report
    }

    /// Notes what matching counted.
    fn count(&self, report: &mut Report, matched: &MatchStats) {
        report.stats.events_without_index = matched.without_index;
        report.stats.tests_cut = matched.cut;
        report.stats.candidates = matched.candidates;
        report.stats.events_without_time = matched.without_time;
        report.stats.keys_cut = matched.keys_cut;
        let held = self.engine.exceptions().zip(&matched.held).filter(|(_, hits)| **hits > 0);
        report.held = held
            .map(|((rule, item), hits)| HeldBack {
                rule: Arc::clone(rule),
                item: Arc::clone(item),
                hits: *hits,
            })
            .collect();
        report.hits_by_rule = self.engine.rules().cloned().zip(matched.hits.iter().copied()).collect();
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn windows(&self) -> &Windows {
        &self.windows
    }

    pub(crate) fn options(&self) -> &ScanOptions {
        &self.options
    }

    /// Correlates all hits in order and gives each alert as it is found. Says which hits could not be had again, and what
    /// limits left out.
    fn correlate(
        &self,
        runs: Vec<HitRuns<'_>>,
        report: &mut Report,
        sink: &mut AlertSink<'_>,
    ) -> (Vec<SpillError>, Limited) {
        let stage = AlertStage::new(&self.engine, &self.windows, &self.options, true);
        let documents = report.documents();
        // Held hits and detections go the same way, one from within the other's loop.
        let outlet = RefCell::new(Outlet { stage, documents, sink, wanted: ControlFlow::Continue(()) });
        let mut hits = Merged::new(&self.engine, runs);
        let began = self.began(report);
        let unheld = hits.by_ref().filter(|hit| {
            if hit.held_by.is_some() {
                outlet.borrow_mut().give(|stage, out| stage.held(hit, out));
            }
            hit.held_by.is_none()
        });
        let limited = correlate_in_order(&self.engine, began, unheld, &mut |detection| {
            outlet.borrow_mut().give(|stage, out| stage.push(detection, out));
        });
        let mut outlet = outlet.into_inner();
        outlet.give(|stage, out| stage.finish(out));
        let counts = outlet.stage.counts();
        report.stats.suppressed = counts.suppression.suppressed;
        report.stats.suppressions_let_go = counts.suppression.let_go;
        report.stats.maintenance_unknown = counts.maintenance_unknown;
        (hits.take_errors(), limited)
    }

    /// The time from which on the rules have seen everything there is.
    pub(crate) fn began(&self, report: &Report) -> Option<i64> {
        report.stats.first.max(self.options.since)
    }

    /// Matches JSON lines that lie in memory, on this thread, and gives the number of hits: what `quell bench` times.
    ///
    /// Lines that cannot be decoded are passed over.
    pub fn match_lines(&self, format: &str, lines: &str) -> u64 {
        let decoders = Decoders::new(&self.engine, &self.options);
        let mut work = MatchWork::new(self, &decoders);
        let layout = format_named(format).map_or(Layout::Ecs, |format| format.layout());
        let mut hits = 0;
        for (number, line) in (1..).zip(lines.lines()) {
            let position = Position { offset: 0, number };
            _ = work.record(0, layout, false, position, line, &NoFacts);
            hits += work.hits.hits.drain(..).len() as u64;
        }
        hits
    }
}

/// The way of alerts to the sink.
struct Outlet<'o, 's, 'k> {
    stage: AlertStage<'s>,
    documents: Documents<'o>,
    sink: &'o mut AlertSink<'k>,
    wanted: ControlFlow<()>,
}

impl<'s> Outlet<'_, 's, '_> {
    /// Gives the sink what some work of the last stage gives.
    fn give(&mut self, work: impl FnOnce(&mut AlertStage<'s>, &mut dyn FnMut(Alert))) {
        if self.wanted.is_break() {
            return;
        }
        let mut alerts = Vec::new();
        work(&mut self.stage, &mut |alert| alerts.push(alert));
        for alert in alerts {
            let alert = self.stage.marked(alert, &mut self.documents);
            if self.wanted.is_continue() {
                self.wanted = (self.sink)(alert, &mut self.documents);
            }
        }
    }
}

fn engine_options(
    options: &ScanOptions,
    indicators: BTreeMap<String, Arc<[Arc<Indicator>]>>,
) -> EngineOptions {
    EngineOptions {
        any_index: options.any_index,
        timestamp_field: options.timestamp_field.clone(),
        tiebreaker_field: options.tiebreaker_field.clone(),
        limit: options.limit,
        no_warm_up: options.no_warm_up,
        indicators,
        show_held: options.show_held,
    }
}

/// One decoder for each layout, compiled when its first record comes.
pub(crate) struct Decoders<'s> {
    engine: &'s Engine,
    options: DecodeOptions,
    by_layout: [(Layout, OnceLock<Decoder>); Layout::ALL.len()],
}

impl<'s> Decoders<'s> {
    pub(crate) fn new(engine: &'s Engine, options: &ScanOptions) -> Decoders<'s> {
        let by_layout = Layout::ALL.map(|layout| (layout, OnceLock::new()));
        Decoders { engine, options: options.decode_options(), by_layout }
    }

    fn of(&self, layout: Layout) -> Option<&Decoder> {
        let (_, decoder) = self.by_layout.iter().find(|(known, _)| *known == layout)?;
        let subtree = |slot: Slot| self.engine.subtree(slot);
        let compile = || Decoder::with_subtrees(layout, self.engine.fields(), &subtree, &self.options);
        Some(decoder.get_or_init(compile))
    }
}

/// Decoding and matching on one thread.
pub(crate) struct MatchWork<'s> {
    matcher: Matcher<'s>,
    decoders: &'s Decoders<'s>,
    state: EventState,
    timestamp: Option<Slot>,
    since: Option<i64>,
    until: Option<i64>,
    hits: HitRuns<'s>,
    watch: Option<Watch<'s>>,
    events: u64,
    out_of_range: u64,
    first: Option<i64>,
    last: Option<i64>,
}

impl<'s> MatchWork<'s> {
    pub(crate) fn new(scan: &'s Scan, decoders: &'s Decoders<'s>) -> Self {
        MatchWork {
            matcher: scan.engine.matcher(),
            decoders,
            state: EventState::default(),
            timestamp: scan
                .engine
                .fields()
                .get(scan.options.timestamp_field.as_deref().unwrap_or("@timestamp")),
            since: scan.options.since,
            until: scan.options.until,
            hits: HitRuns::new(&scan.engine, scan.options.hit_memory()),
            watch: None,
            events: 0,
            out_of_range: 0,
            first: None,
            last: None,
        }
    }

    /// Decodes and matches one record, by what is known besides, and gives its time.
    pub(crate) fn record(
        &mut self,
        source: u32,
        layout: Layout,
        rereadable: bool,
        position: Position,
        text: &str,
        facts: &dyn Facts,
    ) -> Result<Option<i64>, DecodeError> {
        let Some(decoder) = self.decoders.of(layout) else { return Ok(None) };
        let mut event = decoder.decode(text, &mut self.state, facts)?;
        self.events += 1;
        let time = self.timestamp.and_then(|slot| date_of(event.values(slot).first()));
        if let Some(time) = time {
            self.first = Some(self.first.map_or(time, |first| first.min(time)));
            self.last = Some(self.last.map_or(time, |last| last.max(time)));
        }
        let outside = |time: i64| {
            self.since.is_some_and(|since| time < since) || self.until.is_some_and(|until| time >= until)
        };
        if (self.since.is_some() || self.until.is_some()) && time.is_none_or(outside) {
            self.out_of_range += 1;
            return Ok(time);
        }
        let mut reference = || {
            let text = match u32::try_from(text.len()) {
                Ok(len) if rereadable => RecordText::Reread(len),
                _ => RecordText::Owned(text.into()),
            };
            RecordRef { source, position, text }
        };
        if let Some(watch) = &mut self.watch {
            watch.event(time, &mut event, &mut reference);
        }
        let before = self.hits.hits.len();
        self.matcher.match_event(&mut event, &mut reference, &mut self.hits.hits);
        if let Some(watch) = &mut self.watch {
            watch.hits(self.hits.hits.get(before..).unwrap_or_default());
        }
        Ok(time)
    }

    /// The hits of the last records.
    pub(crate) fn take_hits(&mut self) -> Vec<Hit> {
        std::mem::take(&mut self.hits.hits)
    }

    /// What it found, and who watched.
    pub(crate) fn into_parts(self) -> (HitRuns<'s>, Option<Watch<'s>>) {
        (self.hits, self.watch)
    }

    /// Records that were decoded.
    pub(crate) fn events(&self) -> u64 {
        self.events
    }
}

/// One thread's share of a scan.
struct BatchWork<'s> {
    work: MatchWork<'s>,
    context: &'s Context,
}

impl Work for BatchWork<'_> {
    fn batch(&mut self, source: u32, input: &InputFacts, batch: &mut Batch, counts: &mut Counts) {
        let layout = input.format.layout();
        let BatchWork { work, context } = self;
        let before = work.hits.hits.len();
        let mut damaged = WarningLog::default();
        for (position, text) in batch.iter() {
            match work.record(source, layout, input.rereadable, position, text, *context) {
                Ok(_) => counts.events += 1,
                Err(error) => input.damaged(position, &error, &mut damaged),
            }
        }
        batch.warnings.absorb(&mut damaged);
        counts.hits += (work.hits.hits.len() - before) as u64;
        work.hits.settle();
    }
}

/// What a scan found.
pub struct Report {
    /// The alerts in order of time, building blocks among them; those that only the end of the input decided come last, and
    /// those of rules that suppress when their time has passed.
    pub alerts: Vec<Alert>,
    /// What went wrong with hits that were moved to disk.
    pub spill_errors: Vec<SpillError>,
    /// What was wrong with the inputs.
    pub warnings: WarningLog,
    /// What exceptions held back, of each exception of each rule that held back anything.
    pub held: Vec<HeldBack>,
    /// Each rule that ran, and how many events satisfied it.
    pub hits_by_rule: Vec<(Arc<Rule>, u64)>,
    /// Counts and times.
    pub stats: Stats,
    /// Whether it was stopped before the end.
    pub interrupted: bool,
    /// What a stream counted besides.
    pub stream: Option<StreamCounts>,
    files: Vec<SourceFile>,
    formats: Vec<Option<&'static dyn Format>>,
    decode: DecodeOptions,
    context: Arc<Context>,
}

/// How many hits of a rule an exception held back.
#[derive(Clone, Debug)]
pub struct HeldBack {
    /// The rule.
    pub rule: Arc<Rule>,
    /// The exception.
    pub item: Arc<ExceptionItem>,
    /// How many hits. Of a sequence those of each step count.
    pub hits: u64,
}

/// Counts and times of a scan.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Inputs that were found.
    pub files: u64,
    /// Records that were decoded.
    pub events: u64,
    /// Of those, how many `since` and `until` left out.
    pub events_out_of_range: u64,
    /// Of those, how many say nothing of an index, so that every rule's index patterns match.
    pub events_without_index: u64,
    /// Tests that a limit cut short.
    pub tests_cut: u64,
    /// Results that `sort`, `unique` and counts left out, because they held too much already (Endgame dialect).
    pub results_lost: u64,
    /// Alerts that were suppressed: the first of their kind stands for them.
    pub suppressed: u64,
    /// First alerts that were let go before their time because there were too many.
    pub suppressions_let_go: u64,
    /// Alerts of which it is not known whether they fall into a maintenance window, because it starts too often.
    pub maintenance_unknown: u64,
    /// Events that some sequence would take but for their having no time.
    pub events_without_time: u64,
    /// Events that took part in a sequence or sample with not all of their join keys, because those are too many.
    pub keys_cut: u64,
    /// Starts and ends of processes that were forgotten, the oldest first: fields that are made of them are absent.
    pub context_forgotten: u64,
    /// Conditions that were looked at, because a witness fired or there is none.
    pub candidates: u64,
    /// Bytes read, after decompression.
    pub bytes: u64,
    /// The earliest event, in nanoseconds since 1970.
    pub first: Option<i64>,
    /// The latest event.
    pub last: Option<i64>,
    /// How long it took.
    pub elapsed: Duration,
}

impl Stats {
    fn absorb(&mut self, worker: &MatchWork<'_>) {
        self.events += worker.events;
        self.events_out_of_range += worker.out_of_range;
        self.first = [self.first, worker.first].into_iter().flatten().min();
        self.last = [self.last, worker.last].into_iter().flatten().max();
    }
}

impl Report {
    pub(crate) fn new(
        files: Vec<SourceFile>,
        mut warnings: WarningLog,
        driven: Driven,
        options: &ScanOptions,
    ) -> Report {
        for mut of_input in driven.warnings {
            // Threads finish batches in any order.
            of_input.sort();
            warnings.absorb(&mut of_input);
        }
        Report {
            alerts: Vec::new(),
            spill_errors: Vec::new(),
            warnings,
            held: Vec::new(),
            hits_by_rule: Vec::new(),
            stats: Stats { files: files.len() as u64, bytes: driven.bytes, ..Stats::default() },
            interrupted: driven.interrupted,
            stream: None,
            files,
            formats: driven.formats,
            decode: options.decode_options(),
            context: Arc::default(),
        }
    }

    /// What makes documents of the alerts.
    #[must_use]
    pub fn documents(&self) -> Documents<'_> {
        Documents::new(&self.files, &self.formats, &self.decode, &self.context)
    }
}
