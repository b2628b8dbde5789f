//! What went wrong with an input, where, and what was lost by it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use quell_event::Position;
use quell_ir::Code;

/// What a finding about an input cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Loss {
    /// No record: everything that is there was read.
    Nothing,
    /// One record or several; the others were read. An error only with `--strict-input`.
    Records,
    /// The input, or all the rest of it: the exit code is 2.
    Input,
}

/// One finding about an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputWarning {
    /// The stable code; its registry entry holds the long explanation.
    pub code: Code,
    /// The input; `-` is standard input.
    pub path: Arc<Path>,
    /// Byte offset in the (decompressed) input.
    pub offset: Option<u64>,
    /// The record's number: its line from 1, or the EVTX record id.
    pub record: Option<u64>,
    /// What was lost.
    pub loss: Loss,
    /// One plain sentence in lower case without a full stop.
    pub message: String,
}

impl InputWarning {
    /// A finding about the input as a whole.
    #[must_use]
    pub fn new(code: Code, path: &Arc<Path>, loss: Loss, message: impl Into<String>) -> Self {
        InputWarning {
            code,
            path: Arc::clone(path),
            offset: None,
            record: None,
            loss,
            message: message.into(),
        }
    }

    /// The finding at a byte offset.
    #[must_use]
    pub fn at(mut self, offset: u64) -> Self {
        self.offset = Some(offset);
        self
    }

    /// The finding at a record.
    #[must_use]
    pub fn of_record(mut self, position: Position) -> Self {
        self.offset = Some(position.offset);
        self.record = Some(position.number);
        self
    }
}

impl fmt::Display for InputWarning {
    /// `file: offset N: message`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.as_os_str() == "-" {
            f.write_str("standard input")?;
        } else {
            write!(f, "{}", self.path.display())?;
        }
        if let Some(offset) = self.offset {
            write!(f, ": offset {offset}")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// How often something was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// What was found.
    pub code: Code,
    /// What it cost.
    pub loss: Loss,
    /// How often.
    pub count: u64,
}

/// Findings: the first are kept, all are counted, so that a file of damaged lines costs no memory.
#[derive(Clone, Debug)]
pub struct WarningLog {
    limit: usize,
    kept: Vec<InputWarning>,
    tallies: Vec<Tally>,
}

impl Default for WarningLog {
    fn default() -> Self {
        WarningLog::with_limit(WarningLog::KEPT)
    }
}

impl WarningLog {
    /// How many findings a log keeps unless asked otherwise.
    pub const KEPT: usize = 100;

    /// A log that keeps the first `limit` findings.
    #[must_use]
    pub fn with_limit(limit: usize) -> Self {
        WarningLog { limit, kept: Vec::new(), tallies: Vec::new() }
    }

    /// Counts a finding, and keeps it while there is room.
    pub fn push(&mut self, warning: InputWarning) {
        self.push_with(warning.code, warning.loss, || warning);
    }

    /// The same; the finding is made only where it is kept. Its code and loss must be those given.
    pub fn push_with(&mut self, code: Code, loss: Loss, warning: impl FnOnce() -> InputWarning) {
        self.count(Tally { code, loss, count: 1 });
        if self.kept.len() < self.limit {
            self.kept.push(warning());
        }
    }

    /// Moves all of `other` to the end of this log.
    pub fn absorb(&mut self, other: &mut WarningLog) {
        let room = self.limit.saturating_sub(self.kept.len());
        self.kept.extend(other.kept.drain(..).take(room));
        for tally in other.tallies.drain(..) {
            self.count(tally);
        }
    }

    fn count(&mut self, found: Tally) {
        match self.tallies.iter_mut().find(|tally| tally.code == found.code && tally.loss == found.loss) {
            Some(tally) => tally.count += found.count,
            None => self.tallies.push(found),
        }
    }

    /// Puts the findings that were kept in the order of the input.
    pub fn sort(&mut self) {
        self.kept.sort_by(|a, b| {
            let key = |warning: &InputWarning| (warning.offset, warning.record);
            key(a).cmp(&key(b)).then_with(|| a.path.cmp(&b.path)).then_with(|| a.message.cmp(&b.message))
        });
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.kept.clear();
        self.tallies.clear();
    }

    /// The findings that were kept, in the order they came.
    #[must_use]
    pub fn kept(&self) -> &[InputWarning] {
        &self.kept
    }

    /// How often each thing was found, in the order of its first time.
    #[must_use]
    pub fn tallies(&self) -> &[Tally] {
        &self.tallies
    }

    /// How many findings there were.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.tallies.iter().map(|tally| tally.count).sum()
    }

    /// How many findings there were of that cost.
    #[must_use]
    pub fn total_of(&self, loss: Loss) -> u64 {
        self.tallies.iter().filter(|tally| tally.loss == loss).map(|tally| tally.count).sum()
    }

    /// How many findings were counted and not kept.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.total().saturating_sub(self.kept.len() as u64)
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tallies.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::{InputWarning, Loss, WarningLog};
    use quell_event::Position;
    use quell_ir::Code;
    use std::path::Path;
    use std::sync::Arc;

    #[test]
    fn a_warning_names_file_offset_and_reason() {
        let path: Arc<Path> = Path::new("logs/a.json").into();
        let warning = InputWarning::new(Code::RECORD_NOT_UTF8, &path, Loss::Records, "line 3 is not UTF-8")
            .of_record(Position { offset: 40, number: 3 });
        assert_eq!(warning.to_string(), "logs/a.json: offset 40: line 3 is not UTF-8");
        let whole =
            InputWarning::new(Code::EMPTY_INPUT, &Path::new("-").into(), Loss::Nothing, "nothing in it");
        assert_eq!(whole.to_string(), "standard input: nothing in it");
    }

    #[test]
    fn a_log_keeps_some_and_counts_all() {
        let path: Arc<Path> = Path::new("a").into();
        let lost = || InputWarning::new(Code::RECORD_NOT_UTF8, &path, Loss::Records, "x");
        let mut log = WarningLog::with_limit(3);
        for _ in 0..2 {
            log.push(lost());
        }
        let mut other = WarningLog::default();
        for _ in 0..5 {
            other.push(lost());
        }
        other.push(InputWarning::new(Code::EMPTY_INPUT, &path, Loss::Nothing, "y"));
        log.absorb(&mut other);
        assert!(other.is_empty());
        assert_eq!((log.kept().len(), log.total(), log.dropped()), (3, 8, 5));
        assert_eq!(
            (log.total_of(Loss::Records), log.total_of(Loss::Nothing), log.total_of(Loss::Input)),
            (7, 1, 0)
        );
    }
}
