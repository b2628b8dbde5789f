//! `quell fmt`: queries in one style, in `.eql` files and inside rule files, with all else left byte for byte.

use crate::arguments::General;
use crate::console::Console;
use crate::exit::Exit;
use crate::failure::{Failure, until_closed};
use crate::findings;
use crate::rule_options::{dialect_parser, language_parser};
use crate::units::counted;
use clap::{Args, ValueHint};
use quell::{Dialect, FileFinding, Language, Rule, RuleFormat, RuleKind, RuleSet, RuleSpec, format_query};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

/// A query longer than this is not formatted.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// Set queries in one style, in place
///
/// Formats .eql files and the query in EQL, KQL or Lucene inside rule files (TOML); comments stay, and everything but the query stays as it
/// is. Rules in JSON are left alone: there a query is one line.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    quell fmt rules/                  every rule below a folder\n  \
    quell fmt --check rules/          change nothing; end with 1 if something would change\n  \
    quell fmt - < query.eql           from standard input to standard output")]
pub struct Fmt {
    /// Rule files, .eql files, folders, or - for one query from standard input
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub paths: Vec<String>,
    /// Write nothing; name the files that are not formatted, and end with 1 if there are any
    #[arg(long)]
    pub check: bool,
    /// The language of a query from standard input
    #[arg(long, value_name = "LANGUAGE", default_value = "eql", value_parser = language_parser())]
    pub language: Language,
    /// The dialect of EQL [default: that of the rule's format]
    #[arg(long, value_name = "DIALECT", value_parser = dialect_parser())]
    pub dialect: Option<Dialect>,
}

impl Fmt {
    pub fn run(&self, general: &General) -> Result<Exit, Failure> {
        let console = general.console();
        if self.paths.iter().any(|path| path == "-") {
            if self.paths.len() > 1 {
                return Err(Failure::usage("`-` stands alone: standard input is one query"));
            }
            return self.standard_input();
        }
        let mut done = Done::default();
        for path in &self.paths {
            self.format_rules(&console, path, &mut done)?;
        }
        if !console.quiet {
            let _ = writeln!(console.err(), "{}", self.summary(&done));
        }
        Ok(Exit::Success
            .or_if(self.check && done.changed > 0, Exit::Findings)
            .or_if(done.refused > 0, Exit::Unusable))
    }

    fn standard_input(&self) -> Result<Exit, Failure> {
        let mut query = String::new();
        let read = io::stdin().lock().take(MAX_BYTES).read_to_string(&mut query);
        read.map_err(|error| Failure::unusable(format!("cannot read standard input: {error}")))?;
        let formatted = format_query(&query, self.language, self.dialect.unwrap_or_default())
            .map_err(|errors| findings::refused_query(&query, &errors))?;
        let text = format!("{}\n", formatted.trim_end());
        if self.check {
            return Ok(Exit::Success.or_if(text != query, Exit::Findings));
        }
        until_closed(io::stdout().lock().write_all(text.as_bytes()))?;
        Ok(Exit::Success)
    }

    fn format_rules(&self, console: &Console, path: &str, done: &mut Done) -> Result<(), Failure> {
        if !Path::new(path).exists() {
            return Err(Failure::usage(format!("no file or folder `{path}`")));
        }
        let set = RuleSet::load(&[RuleSpec::Path(path.into())]);
        for finding in set.findings.iter().filter(|finding| finding.diagnostic.is_error()) {
            done.refused += 1;
            done.tell(console, finding);
        }
        let rules = set.rules.iter().filter(|rule| rule.origin.format != RuleFormat::KibanaNdjson);
        for (rule, language) in rules.filter_map(|rule| Some((rule, language_of(rule)?))) {
            match formatted_file(rule, language, self.dialect.unwrap_or_else(|| rule.origin.format.dialect()))
            {
                Ok(text) if text == *rule.origin.text => done.same += 1,
                Ok(text) => {
                    done.changed += 1;
                    self.replace(console, rule, &text)?;
                }
                Err(refusals) => {
                    done.refused += 1;
                    refusals.iter().for_each(|refusal| done.tell(console, refusal));
                }
            }
        }
        Ok(())
    }

    fn replace(&self, console: &Console, rule: &Rule, text: &str) -> Result<(), Failure> {
        let path = &rule.origin.path;
        if self.check {
            return until_closed(writeln!(console.out(), "{}", path.display()));
        }
        std::fs::write(path, text).map_err(|error| Failure::output(&path.display().to_string(), &error))
    }

    fn summary(&self, done: &Done) -> String {
        let files = counted(done.changed, "file", "files");
        let changed = if self.check { format!("{files} would change") } else { format!("{files} changed") };
        let refused = if done.refused > 0 { format!(", {} refused", done.refused) } else { String::new() };
        format!("{changed}, {} as they should be{refused}", done.same)
    }
}

/// What was done.
#[derive(Default)]
struct Done {
    changed: u64,
    same: u64,
    refused: u64,
}

impl Done {
    fn tell(&self, console: &Console, finding: &FileFinding) {
        let _ = findings::write(&mut console.err(), [finding]);
    }
}

/// The language of the rule's query, if it is one that can be formatted.
fn language_of(rule: &Rule) -> Option<Language> {
    match (rule.kind, rule.language) {
        (RuleKind::Eql, _) => Some(Language::Eql),
        (RuleKind::Esql | RuleKind::MachineLearning | RuleKind::SavedQuery, _)
        | (_, Some(Language::Esql)) => None,
        (_, language) => Some(language.unwrap_or(Language::Kql)),
    }
}

/// The text of the rule's file with the query formatted.
fn formatted_file(rule: &Rule, language: Language, dialect: Dialect) -> Result<String, Vec<FileFinding>> {
    let text = &*rule.origin.text;
    let Some(query) = &rule.query else { return Ok(text.to_owned()) };
    let in_file = |diagnostic: quell::Diagnostic| FileFinding {
        path: rule.origin.path.clone(),
        text: Arc::clone(&rule.origin.text),
        rule_id: Some(rule.id.clone()),
        diagnostic: quell::Diagnostic { span: diagnostic.span.map(|span| query.locate(span)), ..diagnostic },
    };
    let formatted = format_query(&query.text, language, dialect)
        .map_err(|errors| errors.into_iter().map(in_file).collect::<Vec<_>>())?;
    let formatted = formatted.trim();
    if rule.origin.format == RuleFormat::Eql {
        return Ok(format!("{formatted}\n"));
    }
    if formatted == query.text.trim() {
        return Ok(text.to_owned());
    }
    let (start, end) = (query.span.start as usize, query.span.end as usize);
    let parts = (text.get(..start), text.get(start..end), text.get(end..));
    let (Some(before), Some(value), Some(after)) = parts else { return Ok(text.to_owned()) };
    let new = format!("{before}{}{after}", toml_value(value, &query.text, query.offset.is_some(), formatted));
    // What is written must say what was read, but for white space in the query.
    if same_but_query(text, &new, formatted) { Ok(new) } else { Ok(text.to_owned()) }
}

/// The query as a TOML string: quoted as it was where it stood verbatim, else as a literal of several lines.
fn toml_value(value: &str, query: &str, verbatim: bool, formatted: &str) -> String {
    let quotes =
        ["'''", "\"\"\"", "'", "\""].into_iter().find(|quotes| value.starts_with(quotes)).unwrap_or_default();
    let one_line = quotes.len() == 1;
    if verbatim && (!one_line || !formatted.contains('\n')) {
        let lead = query.get(..query.len() - query.trim_start().len()).unwrap_or_default();
        let trail = query.get(query.trim_end().len()..).unwrap_or_default();
        // A line feed right after the quotes is not part of the value.
        let break_after = if value.get(quotes.len()..).is_some_and(|rest| rest.starts_with(['\n', '\r'])) {
            "\n"
        } else {
            ""
        };
        return format!("{quotes}{break_after}{lead}{formatted}{trail}{quotes}");
    }
    if formatted.contains("'''") {
        return value.to_owned();
    }
    format!("'''\n{formatted}\n'''")
}

fn same_but_query(old: &str, new: &str, formatted: &str) -> bool {
    let read = |text: &str| -> Option<(toml::Table, String)> {
        let mut table: toml::Table = text.parse().ok()?;
        let rule = table.get_mut("rule")?.as_table_mut()?;
        let query = rule.remove("query")?.as_str()?.to_owned();
        Some((table, query))
    };
    match (read(old), read(new)) {
        (Some((old, _)), Some((new, query))) => old == new && query.trim() == formatted,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{same_but_query, toml_value};

    #[test]
    fn a_query_keeps_its_quotes_where_it_can() {
        let cases = [
            (
                "'''\nany  where true\n'''",
                "any  where true\n",
                true,
                "any where true",
                "'''\nany where true\n'''",
            ),
            (
                "\"\"\"any  where true\"\"\"",
                "any  where true",
                true,
                "any where true",
                "\"\"\"any where true\"\"\"",
            ),
            ("\"any  where true\"", "any  where true", true, "any where true", "\"any where true\""),
            (
                "\"any where a\"",
                "any where a",
                true,
                "any where a and\n  b",
                "'''\nany where a and\n  b\n'''",
            ),
            ("\"a == \\\"x\\\"\"", "a == \"x\"", false, "a == \"x\"", "'''\na == \"x\"\n'''"),
            ("\"'''\\n\"", "'''\n", false, "'''", "\"'''\\n\""),
        ];
        for (value, query, verbatim, formatted, expected) in cases {
            assert_eq!(toml_value(value, query, verbatim, formatted), expected);
        }
    }

    #[test]
    fn a_file_that_says_something_else_is_noticed() {
        let old = "[rule]\nname = 'a'\nquery = 'any  where true'\n";
        assert!(same_but_query(old, "[rule]\nname = 'a'\nquery = 'any where true'\n", "any where true"));
        assert!(!same_but_query(old, "[rule]\nname = 'b'\nquery = 'any where true'\n", "any where true"));
        assert!(!same_but_query(old, "[rule]\nname = 'a'\nquery = 'any where false'\n", "any where true"));
        assert!(!same_but_query(old, "[rule\n", "any where true"));
    }
}
