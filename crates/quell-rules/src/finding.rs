//! Findings of rule files: where they are kept while a file is read, and what they are once its path is known.

use crate::limits::MAX_FINDINGS;
use quell_ir::{Code, Diagnostic};
use std::cmp::Ordering;
use std::path::PathBuf;
use std::sync::Arc;

/// A finding and the file it is about.
#[derive(Clone, Debug)]
pub struct FileFinding {
    /// The file, as its path was given or found; or `embedded:…`.
    pub path: PathBuf,
    /// The text that the finding's span counts in; empty where the file could not be read.
    pub text: Arc<str>,
    /// The id of the rule it is about, where it is about one.
    pub rule_id: Option<String>,
    /// What was found.
    pub diagnostic: Diagnostic,
}

impl FileFinding {
    /// Line and column of its start, from 1, the column in characters; `None` where it is about the whole file.
    #[must_use]
    pub fn line_column(&self) -> Option<(usize, usize)> {
        self.diagnostic.span.map(|span| span.line_column(&self.text))
    }

    /// By path, then place, then code.
    #[must_use]
    pub fn order(&self, other: &FileFinding) -> Ordering {
        let key = |finding: &FileFinding| (finding.diagnostic.span, finding.diagnostic.code.as_str());
        (&self.path, key(self), &self.diagnostic.message).cmp(&(
            &other.path,
            key(other),
            &other.diagnostic.message,
        ))
    }
}

/// The findings of one file, bounded in number.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    list: Vec<(Option<String>, Diagnostic)>,
    dropped: usize,
    errors: usize,
}

impl Findings {
    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        self.push_about(None, diagnostic);
    }

    /// A finding about the rule of that id.
    pub(crate) fn push_about(&mut self, rule_id: Option<&str>, diagnostic: Diagnostic) {
        self.errors += usize::from(diagnostic.is_error());
        if self.list.len() < MAX_FINDINGS {
            self.list.push((rule_id.map(str::to_owned), diagnostic));
        } else {
            self.dropped += 1;
        }
    }

    /// How many errors there were, those past the limit included.
    pub(crate) fn errors(&self) -> usize {
        self.errors
    }

    /// Says of the findings from `from` on which rule they are about.
    pub(crate) fn about(&mut self, from: usize, rule_id: &str) {
        for (about, _) in self.list.iter_mut().skip(from) {
            about.get_or_insert_with(|| rule_id.to_owned());
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// The findings alone.
    pub(crate) fn into_diagnostics(self) -> impl Iterator<Item = Diagnostic> {
        self.list.into_iter().map(|(_, diagnostic)| diagnostic)
    }

    /// The findings with their file, and what the limit dropped.
    pub(crate) fn into_file(
        self,
        path: &std::path::Path,
        text: &Arc<str>,
    ) -> impl Iterator<Item = FileFinding> {
        let more = (self.dropped > 0).then(|| {
            (
                None,
                Diagnostic::new(
                    Code::TOO_MANY_FINDINGS,
                    format!("{} more findings are not shown", self.dropped),
                ),
            )
        });
        let (path, text) = (path.to_owned(), Arc::clone(text));
        self.list.into_iter().chain(more).map(move |(rule_id, diagnostic)| FileFinding {
            path: path.clone(),
            text: Arc::clone(&text),
            rule_id,
            diagnostic,
        })
    }
}
