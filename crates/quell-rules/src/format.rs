//! The rule formats: one file and one line in [`FORMATS`] each, told apart by content.

mod elastic_toml;
mod endpoint_toml;
mod eql_query;
mod kibana_export;

use crate::exception::ExceptionItem;
use crate::finding::Findings;
use crate::limits;
use crate::node::Node;
use crate::rule::{Origin, Rule, RuleFormat};
use quell_ir::{Code, Diagnostic};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

/// A rule format.
pub(crate) struct Format {
    pub(crate) format: RuleFormat,
    /// The most bytes of a file.
    pub(crate) max_bytes: usize,
    /// Whether this is one, by the start of its text (without a byte order mark) and, for a bare query, its path.
    recognises: fn(&str, &Path) -> bool,
    /// Reads a file.
    pub(crate) read: fn(&Arc<Origin>) -> Reading,
}

/// Every format, asked in this order.
static FORMATS: &[Format] = &[
    Format {
        format: RuleFormat::KibanaNdjson,
        max_bytes: limits::MAX_EXPORT_BYTES,
        recognises: kibana_export::recognises,
        read: kibana_export::read,
    },
    Format {
        format: RuleFormat::EndpointToml,
        max_bytes: limits::MAX_TOML_BYTES,
        recognises: endpoint_toml::recognises,
        read: endpoint_toml::read,
    },
    Format {
        format: RuleFormat::ElasticToml,
        max_bytes: limits::MAX_TOML_BYTES,
        recognises: elastic_toml::recognises,
        read: elastic_toml::read,
    },
    Format {
        format: RuleFormat::Eql,
        max_bytes: limits::MAX_QUERY_BYTES,
        recognises: eql_query::recognises,
        read: eql_query::read,
    },
];

/// The endings of the files that are looked at in folders.
pub(crate) const ENDINGS: &[&str] = &["toml", "ndjson", "json", "eql"];

/// What a file held.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// The rules, each with the object that it was read from (a bare query has none).
    pub(crate) rules: Vec<(Rule, Option<Node>)>,
    /// What else a Kibana export holds.
    pub(crate) attachments: Vec<Attachment>,
    /// The exceptions among it.
    pub(crate) exceptions: Vec<Arc<ExceptionItem>>,
    /// What is wrong with it.
    pub(crate) findings: Findings,
}

/// An object of a Kibana export that is no rule: kept as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Attachment {
    /// What it is.
    pub kind: AttachmentKind,
    /// The object.
    pub object: Value,
}

/// What an object of a Kibana export is, if no rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttachmentKind {
    /// An exception list, without its items.
    ExceptionList,
    /// One exception.
    ExceptionItem,
    /// A connector that actions use.
    Connector,
    /// The counts of the last line.
    Counts,
}

/// The format of a file by the start of its text.
pub(crate) fn recognise(head: &str, path: &Path) -> Option<&'static Format> {
    let head = head.strip_prefix('\u{feff}').unwrap_or(head);
    FORMATS.iter().find(|format| (format.recognises)(head, path))
}

/// Whether some line of TOML text opens the table.
fn has_table(text: &str, name: &str) -> bool {
    text.lines()
        .filter_map(|line| line.trim().strip_prefix('[')?.strip_prefix(name))
        .any(|rest| rest.starts_with(']'))
}

/// Whether some line of TOML text gives the key a value.
fn has_key(text: &str, key: &str) -> bool {
    text.lines()
        .filter_map(|line| line.trim_start().strip_prefix(key))
        .any(|rest| rest.trim_start().strip_prefix('=').is_some_and(|value| !value.starts_with('=')))
}

/// Reads a TOML file, or says why it is none.
fn parse_toml(origin: &Origin, findings: &mut Findings) -> Option<Node> {
    match crate::node::parse_toml(&origin.text) {
        Ok(tree) => Some(tree),
        Err((message, span)) => {
            let finding = Diagnostic::new(Code::MALFORMED_TOML, message);
            findings.push(span.into_iter().fold(finding, Diagnostic::at));
            None
        }
    }
}
