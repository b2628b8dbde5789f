//! A finding with the text that it is about, underlined.

use crate::plain_text::escape;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use std::ops::Range;

/// Columns that a finding may take; longer source lines are trimmed around what is underlined.
const WIDTH: usize = 140;
/// Source lines that are shown of a finding that covers many.
const LINES: usize = 12;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// Worth knowing.
    Note,
    /// Probably not what was meant.
    Warning,
    /// It cannot be used.
    Error,
}

/// What is told of a finding.
#[derive(Clone, Debug)]
pub struct Underlined<'a> {
    /// How bad it is.
    pub rank: Rank,
    /// The stable code, where it has one.
    pub code: Option<&'a str>,
    /// What is wrong.
    pub message: &'a str,
    /// The file, as the user knows it.
    pub path: &'a str,
    /// The file's text.
    pub source: &'a str,
    /// The bytes of it that are meant.
    pub span: Option<Range<usize>>,
    /// Words under the underlined text.
    pub label: Option<&'a str>,
    /// What to do about it.
    pub help: Option<&'a str>,
}

/// The finding with its source text, coloured for a stream that strips colours where they are not wanted.
#[must_use]
pub fn render(finding: &Underlined<'_>) -> String {
    let level = match finding.rank {
        Rank::Note => Level::NOTE,
        Rank::Warning => Level::WARNING,
        Rank::Error => Level::ERROR,
    };
    let message = escape(finding.message);
    let path = escape(finding.path);
    let label = finding.label.map(escape);
    let help = finding.help.map(escape);

    let mut title = level.primary_title(message.as_ref());
    if let Some(code) = finding.code {
        title = title.id(code);
    }
    let mut group = match finding.span.clone().and_then(|span| window(finding.source, span)) {
        Some(Window { text, first_line, span }) => {
            let mut annotation = AnnotationKind::Primary.span(span);
            if let Some(label) = &label {
                annotation = annotation.label(label.as_ref());
            }
            let snippet = Snippet::source(text).path(path.as_ref()).line_start(first_line).fold(false);
            Group::with_title(title).element(snippet.annotation(annotation))
        }
        None => Group::with_title(title).element(Origin::path(path.as_ref())),
    };
    if let Some(help) = &help {
        group = group.element(Level::HELP.message(help.as_ref()));
    }
    Renderer::styled().term_width(WIDTH).render(&[group])
}

/// The lines that a span touches, at most [`LINES`] of them: the renderer then need not walk the whole file.
struct Window<'a> {
    text: &'a str,
    first_line: usize,
    span: Range<usize>,
}

fn window(source: &str, span: Range<usize>) -> Option<Window<'_>> {
    let start = source.floor_char_boundary(span.start);
    let end = source.ceil_char_boundary(span.end.min(source.len()).max(start));
    let from = source.get(..start)?.rfind('\n').map_or(0, |at| at + 1);
    let rest = source.get(from..)?;
    let wanted = end - from;
    let mut to = rest.len();
    for (line, (at, _)) in rest.match_indices('\n').enumerate() {
        // A span that ends with a line feed ends on the line before it.
        if at + 1 >= wanted || line + 1 >= LINES {
            to = at;
            break;
        }
    }
    let text = rest.get(..to)?.trim_end_matches('\r');
    let first_line = source.get(..from)?.bytes().filter(|b| *b == b'\n').count() + 1;
    let start = (start - from).min(text.len());
    Some(Window { text, first_line, span: start..wanted.clamp(start, text.len()) })
}

#[cfg(test)]
mod tests {
    use super::{LINES, Rank, Underlined, render};
    use anstream::adapter::strip_str;
    use std::ops::Range;

    fn finding(source: &str, span: Option<Range<usize>>) -> String {
        let finding = Underlined {
            rank: Rank::Error,
            code: Some("E0104"),
            message: "unknown field `process.comand_line`",
            path: "rules/scan.toml",
            source,
            span,
            label: Some("not in ECS"),
            help: Some("did you mean `process.command_line`?"),
        };
        strip_str(&render(&finding)).to_string()
    }

    #[test]
    fn the_source_line_is_shown_and_underlined() {
        let source = "a\nb\n  and process.comand_line : \"x\"\r\nlast";
        let expected = "\
error[E0104]: unknown field `process.comand_line`
 --> rules/scan.toml:3:7
  |
3 |   and process.comand_line : \"x\"
  |       ^^^^^^^^^^^^^^^^^^^ not in ECS
  |
  = help: did you mean `process.command_line`?";
        assert_eq!(finding(source, Some(10..29)), expected);
    }

    #[test]
    fn without_a_place_the_file_is_named() {
        let text = finding("", None);
        assert!(text.contains("--> rules/scan.toml\n"), "{text}");
    }

    #[test]
    fn no_span_is_too_odd() {
        let sources = ["", "\n", "é", "é\n漢\n", "a\r\nb\r\n", "\t\u{1b}[31m\u{202e}x\n"];
        for source in sources {
            for start in 0..=source.len() + 1 {
                for end in 0..=source.len() + 2 {
                    let text = finding(source, Some(start..end));
                    assert!(text.starts_with("error[E0104]"), "{source:?} {start}..{end}");
                    assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
                }
            }
        }
    }

    #[test]
    fn a_finding_that_covers_much_shows_little() {
        let source = "process where\n".repeat(1000);
        let lines = finding(&source, Some(0..source.len())).lines().count();
        assert!(lines < LINES + 10, "{lines}");
    }
}
