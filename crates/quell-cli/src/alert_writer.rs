//! Writes alerts to standard output and to files, less those that are not wanted, and counts them.

use crate::alert_sink::{Kind, Sink, WriteTo};
use crate::console::Console;
use crate::failure::Failure;
use crate::summary::{Shown, Unreadable};
use quell::{Alert, Checkpoint, Documents, RuleSeverity};
use serde_json::{Map, Value};
use std::fs::{self, File};
use std::io::{self, BufWriter, Seek as _, SeekFrom, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;

/// Which alerts are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// None of a lower severity.
    pub min_severity: Option<RuleSeverity>,
    /// No more than that many.
    pub limit: Option<u64>,
    /// Building blocks too.
    pub building_blocks: bool,
    /// From which severity on an alert is a failure.
    pub fail_on: Option<RuleSeverity>,
}

/// Writes every alert to all outputs. A reader who closes standard output ends only that.
pub struct AlertWriter<'c> {
    wanted: Wanted,
    console: &'c Console,
    outputs: Vec<Output>,
    shown: Shown,
    unreadable: Unreadable,
    /// Whether an alert is severe enough for exit code 1.
    pub failing: bool,
    failure: Option<Failure>,
}

impl<'c> AlertWriter<'c> {
    /// Writes to standard output and to these files.
    #[must_use]
    pub fn new(wanted: Wanted, console: &'c Console, kind: Kind, files: Vec<OpenedFile>) -> AlertWriter<'c> {
        let out: Box<dyn Write> = match kind {
            Kind::Table => Box::new(console.out()),
            Kind::Ndjson | Kind::Csv => Box::new(console.data()),
        };
        let standard_output = Output {
            name: String::from("to standard output"),
            sink: kind.sink(console.width()),
            out,
            open: true,
            file: None,
        };
        let outputs = std::iter::once(standard_output).chain(files.into_iter().map(Output::file)).collect();
        AlertWriter {
            wanted,
            console,
            outputs,
            shown: Shown::default(),
            unreadable: Unreadable::default(),
            failing: false,
            failure: None,
        }
    }

    /// Writes an alert; ends the work when it cannot be written.
    pub fn alert(&mut self, alert: &Alert, documents: &mut Documents<'_>) -> ControlFlow<()> {
        let written = self.write(alert, documents);
        self.goes_on(written)
    }

    fn goes_on(&mut self, result: Result<(), Failure>) -> ControlFlow<()> {
        match result {
            Ok(()) => ControlFlow::Continue(()),
            Err(failure) => {
                self.failure = Some(failure);
                ControlFlow::Break(())
            }
        }
    }

    fn write(&mut self, alert: &Alert, documents: &mut Documents<'_>) -> Result<(), Failure> {
        let AlertWriter { wanted, shown, outputs, .. } = self;
        if wanted.min_severity.is_some_and(|least| alert.rule.severity < least) {
            shown.below_severity += 1;
            return Ok(());
        }
        if alert.held_by.is_some() {
            let document = self.document(alert, documents);
            return self.outputs.iter_mut().try_for_each(|output| output.alert(alert, &document));
        }
        let fails = wanted.fail_on.is_some_and(|least| alert.rule.severity >= least);
        // Nobody is called during maintenance.
        self.failing |= !alert.building_block && fails && alert.maintenance.is_empty();
        if wanted.limit.is_some_and(|limit| shown.alerts >= limit) {
            shown.past_limit += 1;
            return Ok(());
        }
        let hidden = alert.building_block && !wanted.building_blocks;
        if hidden {
            shown.hidden_blocks += 1;
            if !outputs.iter().any(|output| output.sink.marks_building_blocks()) {
                return Ok(());
            }
        }
        let document = self.document(alert, documents);
        self.shown.in_maintenance += u64::from(!hidden && !alert.maintenance.is_empty());
        if !hidden {
            self.shown.add(alert, &document);
        }
        let marks = |output: &&mut Output| !hidden || output.sink.marks_building_blocks();
        self.outputs.iter_mut().filter(marks).try_for_each(|output| output.alert(alert, &document))
    }

    fn document(&mut self, alert: &Alert, documents: &mut Documents<'_>) -> Map<String, Value> {
        documents.alert(alert).unwrap_or_else(|error| {
            self.unreadable.tell(self.console, &format!("the event of alert {}: {error}", alert.id));
            Documents::alert_alone(alert)
        })
    }

    /// Lets what was written be seen, and gives the lengths of the files. Where nobody reads any more, it says so.
    ///
    /// # Errors
    /// What the system says.
    pub fn settle(&mut self) -> io::Result<Vec<(PathBuf, u64)>> {
        let mut lengths = Vec::new();
        for output in &mut self.outputs {
            if let Err(failure) = output.settle() {
                self.failure.get_or_insert(failure);
                return Err(io::Error::other("it failed"));
            }
            lengths.extend(output.length()?);
        }
        Ok(lengths)
    }

    /// Whether anybody reads what is written.
    #[must_use]
    pub fn is_read(&self) -> bool {
        self.outputs.iter().any(|output| output.open)
    }

    /// Writes what is held back, and gives the counts.
    ///
    /// # Errors
    /// What could not be written.
    pub fn finish(mut self) -> Result<Shown, Failure> {
        self.shown.unreadable = self.unreadable.finish(self.console);
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        self.outputs.into_iter().try_for_each(Output::finish)?;
        Ok(self.shown)
    }
}

/// A file that alerts go to.
pub struct OpenedFile {
    kind: Kind,
    path: PathBuf,
    file: File,
    begun: bool,
}

impl OpenedFile {
    /// Opens the file, empty.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn create(to: &WriteTo) -> Result<OpenedFile, Failure> {
        let name = || to.path.display().to_string();
        let file = File::create(&to.path).map_err(|error| Failure::output(&name(), &error))?;
        Ok(OpenedFile { kind: to.kind, path: to.path.clone(), file, begun: false })
    }

    /// Opens the file, cut back to what it was at a checkpoint, to go on behind that.
    ///
    /// # Errors
    /// It cannot be written, or is shorter than it was.
    pub fn go_on(to: &WriteTo, checkpoint: &Checkpoint) -> Result<OpenedFile, Failure> {
        let Some(length) = checkpoint.length_of(&to.path).filter(|length| *length > 0) else {
            return OpenedFile::create(to);
        };
        let name = to.path.display().to_string();
        let failed = |error| Failure::output(&name, &error);
        let mut file = fs::OpenOptions::new().write(true).open(&to.path).map_err(failed)?;
        if file.metadata().map_err(failed)?.len() < length {
            let message = format!("{name} is shorter than when the state was saved: alerts would be missing");
            return Err(Failure::unusable(message).help("move the state file away to start anew"));
        }
        file.set_len(length).and_then(|()| file.seek(SeekFrom::End(0))).map_err(failed)?;
        Ok(OpenedFile { kind: to.kind, path: to.path.clone(), file, begun: true })
    }
}

/// One place that alerts go to.
struct Output {
    name: String,
    sink: Box<dyn Sink>,
    out: Box<dyn Write>,
    open: bool,
    /// The file, if its length can be asked.
    file: Option<(PathBuf, File)>,
}

impl Output {
    fn file(opened: OpenedFile) -> Output {
        let OpenedFile { kind, path, file, begun } = opened;
        let name = path.display().to_string();
        let handle = file.try_clone().ok().filter(|file| file.metadata().is_ok_and(|data| data.is_file()));
        // A file is no terminal: nothing is cut, and colours are stripped.
        let file: Box<dyn Write> = Box::new(BufWriter::new(file));
        let out = if kind == Kind::Table { Box::new(anstream::StripStream::new(file)) } else { file };
        let file = handle.map(|handle| (path, handle));
        Output { name, sink: kind.sink_behind(None, begun), out, open: true, file }
    }

    fn alert(&mut self, alert: &Alert, document: &Map<String, Value>) -> Result<(), Failure> {
        if !self.open {
            return Ok(());
        }
        let result = self.sink.alert(&mut *self.out, alert, document);
        self.watch(result)
    }

    fn settle(&mut self) -> Result<(), Failure> {
        if !self.open {
            return Ok(());
        }
        let result = self.sink.settle(&mut *self.out);
        self.watch(result)
    }

    fn length(&self) -> io::Result<Option<(PathBuf, u64)>> {
        let Some((path, file)) = &self.file else { return Ok(None) };
        Ok(Some((path.clone(), file.metadata()?.len())))
    }

    fn finish(mut self) -> Result<(), Failure> {
        if !self.open {
            return Ok(());
        }
        let Output { name, sink, out, .. } = &mut self;
        let sink = std::mem::replace(sink, Kind::Ndjson.sink(None));
        let result = sink.finish(&mut **out).and_then(|()| out.flush());
        match result.map_err(|error| Failure::output(name, &error)) {
            Err(Failure::ClosedPipe) => Ok(()),
            other => other,
        }
    }

    fn watch(&mut self, result: io::Result<()>) -> Result<(), Failure> {
        match result.map_err(|error| Failure::output(&self.name, &error)) {
            Err(Failure::ClosedPipe) => {
                self.open = false;
                Ok(())
            }
            other => other,
        }
    }
}
