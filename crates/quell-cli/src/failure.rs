//! Why a command could not go on: one sentence, an exit code, a line of help.

use crate::exit::Exit;
use std::io;

/// What ends a command early.
#[derive(Debug)]
pub enum Failure {
    /// Whoever read our output has gone: nothing is left to say.
    ClosedPipe,
    /// Something to tell.
    Told {
        /// The code to end with.
        exit: Exit,
        /// What is wrong, in lower case.
        message: String,
        /// What to do about it.
        help: Option<String>,
    },
    /// Something whose telling is complete already: a rendered finding.
    Rendered {
        /// The code to end with.
        exit: Exit,
        /// The text.
        text: String,
    },
}

impl Failure {
    /// The command line or the configuration is wrong.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure::Told { exit: Exit::Usage, message: message.into(), help: None }
    }

    /// A rule or an input cannot be used.
    #[must_use]
    pub fn unusable(message: impl Into<String>) -> Failure {
        Failure::Told { exit: Exit::Unusable, message: message.into(), help: None }
    }

    /// The failure with a line of help.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Failure {
        if let Failure::Told { help, .. } = &mut self {
            *help = Some(text.into());
        }
        self
    }

    /// Writing to `what` failed.
    #[must_use]
    pub fn output(what: &str, error: &io::Error) -> Failure {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Failure::ClosedPipe
        } else {
            Failure::usage(format!("cannot write {what}: {error}"))
        }
    }

    /// The code to end with.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Failure::ClosedPipe => Exit::Success,
            Failure::Told { exit, .. } | Failure::Rendered { exit, .. } => *exit,
        }
    }
}

/// A write to standard output whose reader may leave when it has seen enough: that is no failure.
///
/// # Errors
/// Any other failure of the stream.
pub fn until_closed(result: io::Result<()>) -> Result<(), Failure> {
    match result.map_err(|error| Failure::output("to standard output", &error)) {
        Err(Failure::ClosedPipe) => Ok(()),
        other => other,
    }
}
