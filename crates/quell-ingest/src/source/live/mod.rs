//! Live inputs: records as they come, from standard input, a named pipe, or a file that is being written.
//!
//! A thread of its own reads, so that the caller never blocks longer than it asked for, and a reader that blocks is left
//! behind when the input is dropped. What is there is handed over at once, however little; what the caller does not take
//! stops the reader, so memory is bounded by [`super::Limits`].

mod feed;
mod follow;
mod handoff;
mod pipe;
mod position;
mod rotation;

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use quell_ir::Code;

use super::batch::Batch;
use super::open::OpenOptions;
use super::warning::{InputWarning, Loss};
use crate::format::{FORMATS, Format, format_named};
use feed::{Feed, Stop};
use handoff::{Ending, Handoff, Taken};

pub use position::{FileIdentity, FollowPosition};

/// An input that is read as it comes. Only formats of lines can be live: those whose [`Format::streams`] is true.
pub struct LiveInput {
    path: Arc<Path>,
    handoff: Arc<Handoff>,
    thread: Option<JoinHandle<()>>,
    position: Option<FollowPosition>,
    format: Option<&'static dyn Format>,
}

/// What came of waiting for a live input.
#[derive(Debug)]
pub enum Live {
    /// The batch holds records, or warnings, or only blank lines were read, or a followed file was opened; all of one file.
    Records,
    /// Nothing came in time. The batch is empty.
    Idle,
    /// The input has ended. The batch is empty.
    End,
    /// The input cannot be read, or not any further; the batch is empty, and [`Live::End`] follows.
    Failed(InputWarning),
}

impl LiveInput {
    /// Standard input, to its end.
    #[must_use]
    pub fn stdin(options: &OpenOptions) -> LiveInput {
        LiveInput::start(Path::new("-"), options, None, pipe::standard_input)
    }

    /// What a reader gives, to its end; `name` stands for it in warnings.
    #[must_use]
    pub fn reader(reader: Box<dyn Read + Send>, name: &Path, options: &OpenOptions) -> LiveInput {
        LiveInput::start(name, options, None, |feed| pipe::reader(feed, reader))
    }

    /// The named pipe at `path`. When its last writer has closed it, the next one is waited for; a pipe without a name in
    /// the file system, as of a shell's `<(…)`, and anything else that is no pipe, ends there.
    ///
    /// One that is dropped while there is no writer keeps waiting for one until the program ends, so a pipe should be
    /// opened once.
    #[must_use]
    pub fn pipe(path: &Path, options: &OpenOptions) -> LiveInput {
        LiveInput::start(path, options, None, pipe::named_pipe)
    }

    /// The file at `path`, from its beginning or from a saved position, through all its rotations; it never ends.
    ///
    /// A file that is not there yet, or not any more, is waited for. When the path names another file, the old one is
    /// read to its end first. What was rotated away while nobody looked is found beside it; what is missing is a warning.
    #[must_use]
    pub fn follow(path: &Path, resume: Option<FollowPosition>, options: &OpenOptions) -> LiveInput {
        let saved = resume.clone();
        LiveInput::start(path, options, resume, |feed| follow::follow(feed, saved))
    }

    fn start(
        path: &Path,
        options: &OpenOptions,
        position: Option<FollowPosition>,
        read: impl FnOnce(Feed) -> Result<(), Stop> + Send + 'static,
    ) -> LiveInput {
        let path: Arc<Path> = path.into();
        let limits = options.limits.clamped();
        let handoff = Arc::new(Handoff::new(limits.batch_bytes));
        let saved =
            position.as_ref().and_then(FollowPosition::format).and_then(|name| format_named(name).ok());
        let format = options.format.or(saved);
        let mut input = LiveInput { path, handoff, thread: None, position, format };
        if let Some(format) = format.filter(|format| !format.streams()) {
            input.handoff.end(Ending::Failed(input.not_live(format)));
            return input;
        }
        let feed = Feed::new(Arc::clone(&input.handoff), Arc::clone(&input.path), limits, format);
        let handoff = Arc::clone(&input.handoff);
        let thread =
            std::thread::Builder::new().name("live input".to_owned()).spawn(move || match read(feed) {
                Ok(()) => handoff.end(Ending::End),
                Err(Stop::Failed(warning)) => handoff.end(Ending::Failed(warning)),
                Err(Stop::Closed) => {}
            });
        match thread {
            Ok(thread) => input.thread = Some(thread),
            Err(error) => {
                let message = format!("no thread to read it: {error}");
                input.handoff.end(Ending::Failed(input.failure(message)));
            }
        }
        input
    }

    /// Waits for records, at most as long as `timeout`, and puts all that are there into `batch`.
    pub fn next(&mut self, batch: &mut Batch, timeout: Duration) -> Live {
        batch.clear();
        // Asked first: a thread that has ended has said why before.
        let stopped = self.thread.as_ref().is_none_or(JoinHandle::is_finished);
        let timeout = if stopped { Duration::ZERO } else { timeout };
        match self.handoff.take(batch, timeout) {
            Taken::Batch { position, format } => {
                self.position = position.or(self.position.take());
                self.format = format.or(self.format);
                Live::Records
            }
            Taken::Ending(Ending::End) => Live::End,
            Taken::Ending(Ending::Failed(warning)) => Live::Failed(warning),
            Taken::Nothing if stopped => {
                self.handoff.end(Ending::End);
                Live::Failed(self.failure("its reader stopped; this is a fault of quell".to_owned()))
            }
            Taken::Nothing => Live::Idle,
        }
    }

    /// Where a followed file is to be read on: after everything that [`LiveInput::next`] has put into batches, and before
    /// everything else. `None` while nothing was, and of other inputs.
    #[must_use]
    pub fn position(&self) -> Option<FollowPosition> {
        self.position.clone()
    }

    /// The format: as it was asked for, as it was saved, or as the first lines were recognised; known with the first
    /// records at the latest.
    #[must_use]
    pub fn format(&self) -> Option<&'static dyn Format> {
        self.format
    }

    /// The path; `-` is standard input.
    #[must_use]
    pub fn path(&self) -> &Arc<Path> {
        &self.path
    }

    fn failure(&self, message: String) -> InputWarning {
        InputWarning::new(Code::UNREADABLE, &self.path, Loss::Input, message)
    }

    fn not_live(&self, format: &'static dyn Format) -> InputWarning {
        InputWarning::new(Code::UNRECOGNISED, &self.path, Loss::Input, not_live(format))
    }
}

/// Why a format cannot be read from a live input.
fn not_live(format: &dyn Format) -> String {
    let live: Vec<_> = FORMATS.iter().filter(|format| format.streams()).map(|format| format.name()).collect();
    format!("{} cannot be read as it comes; {} can", format.name(), live.join(", "))
}

impl Drop for LiveInput {
    /// Tells the reader to stop, and does not wait for it: it may be blocked for as long as nobody writes.
    fn drop(&mut self) {
        self.handoff.close();
    }
}
