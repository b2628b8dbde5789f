//! What is wrong with a rule, a query or an input: one value, rendered at the edge.

use crate::{Code, Span};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; nothing changes.
    Note,
    /// Probably not what was meant; it runs all the same.
    Warning,
    /// It cannot run.
    Error,
}

impl Severity {
    /// The lower-case English word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// One finding. The message is one plain sentence in lower case without a full stop, with the user's words in
/// backticks; `help` is one line that can be acted on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The stable code; its registry entry holds the long explanation.
    pub code: Code,
    /// How bad it is; by default what the registry says of the code.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// Where it is wrong, in the text that was parsed.
    pub span: Option<Span>,
    /// A few words to stand under the underlined text.
    pub label: Option<String>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A finding with the code's own severity and no place.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Diagnostic {
            code,
            severity: code.severity(),
            message: message.into(),
            span: None,
            label: None,
            help: None,
        }
    }

    /// The finding at `span`.
    #[must_use]
    pub fn at(mut self, span: Span) -> Self {
        self.span = Some(span);
        self
    }

    /// The finding with words under the underlined text.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// The finding with a line of help.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The finding with another severity (`--strict` makes errors of warnings).
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Whether it stops the rule from running.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// The names nearest to `wanted` by edit distance, best first, at most three: for "did you mean".
///
/// A name is near when at most a third of its characters (and at least one) would have to change.
#[must_use]
pub fn near_names<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    const MAX_WANTED: usize = 256;
    if wanted.len() > MAX_WANTED {
        return Vec::new();
    }
    let folded = wanted.to_lowercase();
    let limit = (wanted.chars().count() / 3).max(1);
    let mut near: Vec<(usize, &str)> = names
        .into_iter()
        .filter(|name| name.len().abs_diff(wanted.len()) <= limit + 1)
        .map(|name| (strsim::osa_distance(&folded, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    near.sort_unstable();
    near.dedup();
    near.into_iter().take(3).map(|(_, name)| name).collect()
}

/// "did you mean `a`, `b` or `c`?", or `None` where nothing is near.
#[must_use]
pub fn did_you_mean(near: &[impl AsRef<str>]) -> Option<String> {
    let (last, first) = near.split_last()?;
    let mut text = String::from("did you mean ");
    for (i, name) in first.iter().enumerate() {
        if i > 0 {
            text.push_str(", ");
        }
        text.push_str(&format!("`{}`", name.as_ref()));
    }
    if !first.is_empty() {
        text.push_str(" or ");
    }
    text.push_str(&format!("`{}`?", last.as_ref()));
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::{did_you_mean, near_names};

    #[test]
    fn near_names_are_sorted_by_distance() {
        let names = ["process.command_line", "process.name", "file.path"];
        assert_eq!(near_names("process.comand_line", names), ["process.command_line"]);
        assert!(near_names("zzz", names).is_empty());
    }

    #[test]
    fn did_you_mean_reads_as_a_question() {
        assert_eq!(did_you_mean(&[""; 0]), None);
        assert_eq!(did_you_mean(&["a"]).as_deref(), Some("did you mean `a`?"));
        assert_eq!(did_you_mean(&["a", "b", "c"]).as_deref(), Some("did you mean `a`, `b` or `c`?"));
    }
}
