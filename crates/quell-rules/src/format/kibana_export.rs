//! Kibana's rule export: rules, exception lists and their items, connectors, and a last line of counts, one JSON object a
//! line. One object over several lines, and a list of objects, are read too.
//!
//! Source: Elastic's "Detections API: export rules". A line that is no JSON is reported, and reading goes on behind it.

use super::{Attachment, AttachmentKind, Reading};
use crate::exception;
use crate::json::next_value;
use crate::node::{Content, Node};
use crate::object;
use crate::rule::Origin;
use crate::schema::shortened;
use quell_ir::{Code, Diagnostic, Span};
use std::path::Path;
use std::sync::Arc;

/// What an object is, by keys that only this kind has; asked in this order.
static KINDS: &[(&[&str], ObjectKind)] = &[
    (&["rule_id"], ObjectKind::Rule),
    (&["risk_score", "severity"], ObjectKind::Rule),
    (&["item_id", "list_id"], ObjectKind::Attachment(AttachmentKind::ExceptionItem)),
    (&["list_id"], ObjectKind::Attachment(AttachmentKind::ExceptionList)),
    (&["exported_count"], ObjectKind::Attachment(AttachmentKind::Counts)),
    (&["exported_rules_count"], ObjectKind::Attachment(AttachmentKind::Counts)),
    (&["type", "attributes"], ObjectKind::Attachment(AttachmentKind::Connector)),
    (&["connector_type_id"], ObjectKind::Attachment(AttachmentKind::Connector)),
];

#[derive(Clone, Copy)]
enum ObjectKind {
    Rule,
    Attachment(AttachmentKind),
}

/// How many of the first objects are looked at to tell an export from other JSON.
const LOOKED_AT: usize = 20;

pub(super) fn recognises(head: &str, _path: &Path) -> bool {
    let head = head.trim_start();
    if !head.starts_with('{')
        && !head.strip_prefix('[').is_some_and(|rest| rest.trim_start().starts_with('{'))
    {
        return false;
    }
    let mut at = 0;
    for _ in 0..LOOKED_AT {
        match next_value(head, at) {
            Ok(Some((node, end))) => {
                let objects =
                    if node.items().is_empty() { std::slice::from_ref(&node) } else { node.items() };
                if objects.iter().any(|object| matches!(kind_of(object), Some(ObjectKind::Rule))) {
                    return true;
                }
                at = end;
            }
            Ok(None) => break,
            // A broken or cut line: what its keys look like decides.
            Err(_) => return ["\"rule_id\"", "\"risk_score\""].iter().all(|key| head.contains(key)),
        }
    }
    false
}

fn kind_of(object: &Node) -> Option<ObjectKind> {
    KINDS.iter().find(|(keys, _)| keys.iter().all(|key| object.get(key).is_some())).map(|(_, kind)| *kind)
}

pub(super) fn read(origin: &Arc<Origin>) -> Reading {
    let mut reading = Reading::default();
    let text: &str = &origin.text;
    let mut at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut rules = 0u64;
    loop {
        match next_value(text, at) {
            Ok(Some((node, end))) => {
                at = end;
                if let Content::List(items) = node.content {
                    items.into_iter().for_each(|item| take(item, origin, &mut reading, &mut rules));
                } else {
                    take(node, origin, &mut reading, &mut rules);
                }
            }
            Ok(None) => break,
            Err((message, span)) => {
                let start = at + text.get(at..).map_or(0, |rest| rest.len() - rest.trim_start().len());
                let line_end = next_object(text, start + 1);
                // Of a line that is cut off the next line is no part, though JSON would let it be.
                let cut_off = line_end
                    .filter(|end| text.as_bytes().get(start) == Some(&b'{') && *end <= span.start as usize);
                let finding = match cut_off {
                    Some(end) => Diagnostic::new(Code::MALFORMED_JSON, "the line ends within its object")
                        .at(Span::new(end, end)),
                    None => Diagnostic::new(Code::MALFORMED_JSON, message).at(span),
                };
                reading.findings.push(finding);
                match cut_off.or_else(|| next_object(text, (span.end as usize).max(at + 1))) {
                    Some(end) => at = end + 1,
                    None => break,
                }
            }
        }
    }
    reading
}

/// The end of the first line behind `from` after which a line starts with an object.
fn next_object(text: &str, from: usize) -> Option<usize> {
    text.as_bytes().get(from..)?.windows(2).position(|pair| pair == b"\n{").map(|at| from + at)
}

fn take(node: Node, origin: &Arc<Origin>, reading: &mut Reading, rules: &mut u64) {
    match kind_of(&node) {
        Some(ObjectKind::Rule) => {
            *rules += 1;
            if let Some(rule) = object::read(&node, "", origin, &mut reading.findings) {
                reading.rules.push((rule, Some(node)));
            }
        }
        Some(ObjectKind::Attachment(kind)) => {
            if kind == AttachmentKind::Counts {
                check_counts(&node, *rules, reading);
            }
            if kind == AttachmentKind::ExceptionItem {
                let read = exception::read_exported(&node, &origin.path, &origin.text, &mut reading.findings);
                reading.exceptions.extend(read);
            }
            reading.attachments.push(Attachment { kind, object: node.to_json() });
        }
        None => {
            let keys: Vec<&str> = node.members().iter().map(|member| member.key.as_str()).take(3).collect();
            let what = if keys.is_empty() {
                node.kind().to_owned()
            } else {
                format!("it has `{}`", keys.join("`, `"))
            };
            let message = format!("no rule and nothing else that an export holds: {}", shortened(&what));
            reading.findings.push(Diagnostic::new(Code::UNKNOWN_EXPORT_LINE, message).at(node.span));
        }
    }
}

fn check_counts(node: &Node, rules: u64, reading: &mut Reading) {
    let Some(count) = node.get("exported_rules_count") else { return };
    let Some(said) = count.integer() else { return };
    if u64::try_from(said) != Ok(rules) {
        let message = format!("the export says that it holds {said} rules, and there are {rules}");
        reading.findings.push(Diagnostic::new(Code::EXPORT_COUNT, message).at(count.span));
    }
}
