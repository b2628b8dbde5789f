//! The two streams: what is for people, what is for programs, and whether a terminal shows it.

use crate::failure::Failure;
use crate::plain_text::escape_lines;
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use std::io::{self, BufWriter, IsTerminal as _, StderrLock, StdoutLock, Write};

/// Red and bold: errors, critical.
pub const RED: Style = AnsiColor::Red.on_default().bold();
/// Bright red: high.
pub const ORANGE: Style = AnsiColor::BrightRed.on_default();
/// Yellow: warnings, medium.
pub const YELLOW: Style = AnsiColor::Yellow.on_default();
/// Blue: low, help.
pub const BLUE: Style = AnsiColor::BrightBlue.on_default();
/// Bold: what the eye should find.
pub const BOLD: Style = Style::new().bold();
/// Dim: what it may skip.
pub const DIM: Style = Style::new().dimmed();

/// The columns of a terminal that does not say how many it has.
const UNKNOWN_WIDTH: usize = 100;

/// When output is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set or CLICOLOR is 0.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Standard output and standard error, and how to write to them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Console {
    /// When to colour.
    pub color: Color,
    /// Results and errors only: no summary, no warning, no progress.
    pub quiet: bool,
}

impl Console {
    /// Standard output for people: coloured where it may be.
    #[must_use]
    pub fn out(&self) -> AutoStream<StdoutLock<'static>> {
        AutoStream::new(io::stdout().lock(), self.choice())
    }

    /// Standard error for people.
    #[must_use]
    pub fn err(&self) -> AutoStream<StderrLock<'static>> {
        AutoStream::new(io::stderr().lock(), self.choice())
    }

    /// Standard output for programs: the bytes as they are, buffered.
    #[must_use]
    pub fn data(&self) -> BufWriter<StdoutLock<'static>> {
        BufWriter::with_capacity(256 * 1024, io::stdout().lock())
    }

    /// Whether a person looks at standard output.
    #[must_use]
    pub fn out_is_terminal(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// The columns of the terminal that standard output is, or `COLUMNS`; `None` means that nothing need be cut.
    #[must_use]
    pub fn width(&self) -> Option<usize> {
        let is_terminal = self.out_is_terminal();
        let size = is_terminal.then(|| terminal_size::terminal_size_of(io::stdout())).flatten();
        let named = || std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
        size.map(|(columns, _)| usize::from(columns.0))
            .or_else(named)
            .filter(|columns| *columns > 0)
            .or(is_terminal.then_some(UNKNOWN_WIDTH))
    }

    /// Tells why a command ends. Standard error may be gone too: then nobody listens.
    pub fn tell(&self, failure: &Failure) {
        let mut err = self.err();
        let _ = match failure {
            Failure::ClosedPipe => Ok(()),
            Failure::Rendered { text, .. } => writeln!(err, "{text}"),
            Failure::Told { message, help, .. } => {
                let told = writeln!(err, "{RED}error{RED:#}{BOLD}: {}{BOLD:#}", escape_lines(message));
                match help {
                    Some(help) => {
                        told.and_then(|()| writeln!(err, "{BLUE}help{BLUE:#}: {}", escape_lines(help)))
                    }
                    None => told,
                }
            }
        };
    }

    /// A note on standard error, unless quiet.
    pub fn note(&self, message: &str) {
        if !self.quiet {
            let _ = writeln!(self.err(), "{DIM}note: {}{DIM:#}", escape_lines(message));
        }
    }

    /// A warning on standard error, unless quiet.
    pub fn warn(&self, message: &str) {
        if !self.quiet {
            let _ = writeln!(self.err(), "{YELLOW}warning{YELLOW:#}: {}", escape_lines(message));
        }
    }

    /// An error that ends nothing, on standard error.
    pub fn error(&self, message: &str) {
        let _ = writeln!(self.err(), "{RED}error{RED:#}: {}", escape_lines(message));
    }

    fn choice(self) -> ColorChoice {
        match self.color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        }
    }
}
