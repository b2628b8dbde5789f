//! What a query is expected to be refused or warned for: `CODE [LINE:COLUMN] `text` [words]`.

use quell::Diagnostic;

#[derive(Debug, PartialEq)]
pub struct Finding {
    code: String,
    /// Line and column, from 1; it must be said where the text stands more than once.
    place: Option<(usize, usize)>,
    /// The text under the span; empty at the query's end.
    text: String,
    /// Words that the message, the label or the help holds.
    words: String,
}

impl Finding {
    /// Reads a line. The text stands in backticks, more of them and blanks where it holds backticks itself; the word
    /// `end` stands for the empty text at the query's end.
    pub fn parse(line: &str, query: &str) -> Result<Finding, String> {
        let (code, rest) = line.trim().split_once(' ').ok_or("a code and the text that it is about")?;
        let mut rest = rest.trim_start();
        let mut place = None;
        if rest.starts_with(|c: char| c.is_ascii_digit()) {
            let (written, after) = rest.split_once(' ').unwrap_or((rest, ""));
            place =
                written.split_once(':').and_then(|(line, column)| line.parse().ok().zip(column.parse().ok()));
            if place.is_none() {
                return Err(format!("`{written}` is no LINE:COLUMN"));
            }
            rest = after.trim_start();
        }
        let (text, words) = marked(rest).ok_or("the text stands in backticks, or it is `end`")?;
        let times = if text.is_empty() { 1 } else { query.matches(&text).count() };
        match (times, place) {
            (0, _) => return Err(format!("`{text}` does not stand in the query")),
            (1, _) | (_, Some(_)) => {}
            _ => return Err(format!("`{text}` stands {times} times in the query: say LINE:COLUMN")),
        }
        Ok(Finding { code: code.to_owned(), place, text, words: words.trim().to_owned() })
    }

    /// Why the finding is not the one that is expected.
    fn differs(&self, found: &Diagnostic, query: &str) -> Option<String> {
        let Some(span) = found.span else { return Some(format!("{} has no place", shown(found, query))) };
        let at = span.line_column(query);
        let same = found.code.as_str() == self.code
            && span.text(query) == self.text
            && self.place.is_none_or(|place| place == at)
            && (!self.text.is_empty()
                || query.get(span.start as usize..).is_some_and(|rest| rest.trim().is_empty()));
        if !same {
            let place = self.place.map(|(line, column)| format!("{line}:{column} ")).unwrap_or_default();
            return Some(format!(
                "expected {} {place}{}, found {}",
                self.code,
                quoted(&self.text),
                shown(found, query)
            ));
        }
        let said = [Some(&*found.message), found.label.as_deref(), found.help.as_deref()];
        let said = said.into_iter().flatten().collect::<Vec<_>>().join("; ");
        (!said.contains(&self.words)).then(|| format!("`{}` is not among: {said}", self.words))
    }
}

/// The text in backticks or `end`, and what comes after it.
fn marked(line: &str) -> Option<(String, &str)> {
    if let Some(rest) = line.strip_prefix("end") {
        return Some((String::new(), rest));
    }
    let text = line.trim_start_matches('`');
    let (text, rest) = match line.split_at(line.len() - text.len()).0 {
        "" => return None,
        "`" => text.split_once('`')?,
        fence => text.strip_prefix(' ')?.split_once(&format!(" {fence}"))?,
    };
    Some((text.to_owned(), rest))
}

fn quoted(text: &str) -> String {
    match text {
        "" => "end".to_owned(),
        text if text.contains("``") => format!("``` {text} ```"),
        text if text.contains('`') => format!("`` {text} ``"),
        text => format!("`{text}`"),
    }
}

/// A finding as a spec would say it.
pub fn shown(found: &Diagnostic, query: &str) -> String {
    let place = found.span.map(|span| {
        let (line, column) = span.line_column(query);
        format!(" {line}:{column} {}", quoted(span.text(query)))
    });
    format!("{}{} ({})", found.code.as_str(), place.unwrap_or_default(), found.message)
}

/// Compares findings one by one, in order.
pub fn compare(expected: &[Finding], found: &[Diagnostic], query: &str) -> Result<(), String> {
    if expected.len() != found.len() {
        let all: Vec<String> = found.iter().map(|found| shown(found, query)).collect();
        return Err(format!(
            "expected {} findings, found {}: {}",
            expected.len(),
            found.len(),
            all.join("; ")
        ));
    }
    match expected.iter().zip(found).find_map(|(expected, found)| expected.differs(found, query)) {
        Some(difference) => Err(difference),
        None => Ok(()),
    }
}

#[test]
fn findings_are_read() {
    let query = "any where `a` == `a` or b";
    let read = |line| Finding::parse(line, query);
    let finding = |place, text: &str, words: &str| {
        Ok(Finding { code: "E1".into(), place, text: text.into(), words: words.into() })
    };
    assert_eq!(read("E1 `b`"), finding(None, "b", ""));
    assert_eq!(read("E1 1:25 `b` write `c`"), finding(Some((1, 25)), "b", "write `c`"));
    assert_eq!(read("E1 1:11 `` `a` `` words"), finding(Some((1, 11)), "`a`", "words"));
    assert_eq!(read("E1 end words"), finding(None, "", "words"));
    for wrong in ["E1", "E1 b", "E1 `c`", "E1 `` `a` ``", "E1 1.5 `b`"] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}
