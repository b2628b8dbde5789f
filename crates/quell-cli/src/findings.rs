//! Findings about rules and queries, for people.

use crate::console::Console;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::plain_text::escape;
use crate::snippet::{Rank, Underlined, render};
use crate::units::counted;
use quell::{Diagnostic, FileFinding, Severity};
use std::io::{self, Write};
use std::path::Path;

/// What stands where a path would, for a query of the command line.
const QUERY: &str = "query";

/// How many findings there are of each severity.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub errors: u64,
    pub warnings: u64,
    pub notes: u64,
}

impl Tally {
    /// Counts.
    #[must_use]
    pub fn of<'f>(findings: impl IntoIterator<Item = &'f FileFinding>) -> Tally {
        let mut tally = Tally::default();
        for finding in findings {
            match finding.diagnostic.severity {
                Severity::Error => tally.errors += 1,
                Severity::Warning => tally.warnings += 1,
                Severity::Note => tally.notes += 1,
            }
        }
        tally
    }

    /// `2 errors, 1 warning`, or `no findings`.
    #[must_use]
    pub fn text(&self) -> String {
        let parts = [
            (self.errors, "error", "errors"),
            (self.warnings, "warning", "warnings"),
            (self.notes, "note", "notes"),
        ];
        let parts: Vec<String> =
            parts.iter().filter(|(n, ..)| *n > 0).map(|(n, one, many)| counted(*n, one, many)).collect();
        if parts.is_empty() { String::from("no findings") } else { parts.join(", ") }
    }
}

/// The finding with its source underlined.
#[must_use]
pub fn underlined(finding: &FileFinding) -> String {
    underlined_in(&finding.diagnostic, &finding.path, &finding.text)
}

/// The finding on one line: `path:line:column: severity[CODE]: message`.
#[must_use]
pub fn one_line(finding: &FileFinding) -> String {
    let place = finding.line_column().map_or_else(String::new, |(line, column)| format!(":{line}:{column}"));
    let Diagnostic { code, severity, message, .. } = &finding.diagnostic;
    let path = finding.path.display().to_string();
    format!("{}{place}: {}[{code}]: {}", escape(&path), severity.as_str(), escape(message))
}

fn underlined_in(diagnostic: &Diagnostic, path: &Path, source: &str) -> String {
    render(&Underlined {
        rank: match diagnostic.severity {
            Severity::Error => Rank::Error,
            Severity::Warning => Rank::Warning,
            Severity::Note => Rank::Note,
        },
        code: Some(diagnostic.code.as_str()),
        message: &diagnostic.message,
        path: &path.display().to_string(),
        source,
        span: diagnostic.span.map(|span| span.start as usize..span.end as usize),
        label: diagnostic.label.as_deref(),
        help: diagnostic.help.as_deref(),
    })
}

/// Writes findings with a blank line after each.
///
/// # Errors
/// What the stream says.
pub fn write<'f>(out: &mut dyn Write, findings: impl IntoIterator<Item = &'f FileFinding>) -> io::Result<()> {
    for finding in findings {
        writeln!(out, "{}\n", underlined(finding))?;
    }
    Ok(())
}

/// What keeps a query of the command line from running.
#[must_use]
pub fn refused_query(query: &str, findings: &[Diagnostic]) -> Failure {
    let told: Vec<String> =
        findings.iter().map(|finding| underlined_in(finding, Path::new(QUERY), query)).collect();
    Failure::Rendered { exit: Exit::Unusable, text: told.join("\n\n") }
}

/// Writes findings about a query of the command line, with a blank line after each.
///
/// # Errors
/// What the stream says.
pub fn write_about_query<'f>(
    out: &mut dyn Write,
    query: &str,
    findings: impl IntoIterator<Item = &'f Diagnostic>,
) -> io::Result<()> {
    findings
        .into_iter()
        .try_for_each(|finding| writeln!(out, "{}\n", underlined_in(finding, Path::new(QUERY), query)))
}

/// What is wrong with an option's value.
#[must_use]
pub fn refused_option(findings: &[Diagnostic]) -> Failure {
    match findings {
        [one] => {
            let failure = Failure::usage(&one.message);
            match &one.help {
                Some(help) => failure.help(help),
                None => failure,
            }
        }
        many => {
            let lines: Vec<String> = many
                .iter()
                .map(|finding| match &finding.help {
                    Some(help) => format!("{}\n  {help}", finding.message),
                    None => finding.message.clone(),
                })
                .collect();
            Failure::usage(lines.join("\n"))
        }
    }
}

/// Tells on standard error of the rules that cannot be used; returns the exit code that this means.
pub fn tell_unusable(console: &Console, findings: &[FileFinding]) -> Exit {
    let errors: Vec<&FileFinding> = findings.iter().filter(|finding| finding.diagnostic.is_error()).collect();
    let _ = write(&mut console.err(), errors.iter().copied());
    let warnings = findings.len() - errors.len();
    if warnings > 0 {
        console.warn(&format!(
            "{} about the rules; `quell check` shows them",
            counted(warnings as u64, "finding", "findings")
        ));
    }
    Exit::Success.or_if(!errors.is_empty(), Exit::Unusable)
}
