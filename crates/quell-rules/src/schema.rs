//! The fields of a rule: one line each, with the kind of value that Elastic's rule schema gives it.
//!
//! Source: Elastic's "Detections API: rule object", and the TOML form of its public rule repository. A field that is not
//! here is kept unread.

use crate::finding::Findings;
use crate::node::{Content, Member, Node};
use quell_ir::diagnostic::{did_you_mean, near_names};
use quell_ir::{Code, Diagnostic};

/// What a field may hold.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    /// Anything.
    Any,
    /// A text.
    Text,
    /// `true` or `false`.
    Flag,
    /// An integer within bounds.
    Integer(i64, i64),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A date written `YYYY/MM/DD`.
    Day,
    /// A list of texts, of a length within bounds.
    Texts(usize, usize),
    /// A text, or a list of texts.
    TextOrTexts,
    /// A list of anything.
    List,
    /// An object with these fields, and maybe more.
    Object(&'static [Field]),
    /// A list of such objects.
    Objects(&'static [Field]),
}

/// A field that an object may have.
#[derive(Clone, Copy)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    shape: Shape,
    required: bool,
}

const fn may(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, required: false }
}

const fn must(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, required: true }
}

use Shape::{Any, Day, Flag, Integer, List, Object, Objects, Text, TextOrTexts, Texts, Word};

const TEXTS: Shape = Texts(0, usize::MAX);
const COUNT: Shape = Integer(0, i64::MAX);
const POSITIVE: Shape = Integer(1, i64::MAX);

/// The rule object of Elastic's rule TOML (`[rule]`) and of Kibana's API. What only some rule types need is said in
/// [`crate::object`].
pub(crate) const RULE: &[Field] = &[
    must("name", Text),
    must("description", Text),
    must("rule_id", Text),
    must("risk_score", Integer(0, 100)),
    must("severity", Word(&["low", "medium", "high", "critical"])),
    must(
        "type",
        Word(&[
            "eql",
            "query",
            "saved_query",
            "threshold",
            "new_terms",
            "threat_match",
            "machine_learning",
            "esql",
        ]),
    ),
    may("language", Word(&["eql", "kuery", "lucene", "esql"])),
    may("query", Text),
    may("index", TEXTS),
    may("data_view_id", Text),
    may("filters", List),
    may("saved_id", Text),
    may("author", TEXTS),
    may("license", Text),
    may("note", Text),
    may("setup", Text),
    may("references", TEXTS),
    may("false_positives", TEXTS),
    may("tags", TEXTS),
    may("from", Text),
    may("to", Text),
    may("interval", Text),
    may("max_signals", POSITIVE),
    may("enabled", Flag),
    may("version", POSITIVE),
    may("revision", COUNT),
    may("immutable", Flag),
    may("rule_source", Object(&[may("type", Text), may("is_customized", Flag)])),
    may("output_index", Text),
    may("namespace", Text),
    may("meta", Object(&[])),
    may("building_block_type", Text),
    may("timestamp_override", Text),
    may("timestamp_override_fallback_disabled", Flag),
    may("timestamp_field", Text),
    may("event_category_override", Text),
    may("tiebreaker_field", Text),
    may("rule_name_override", Text),
    may("timeline_id", Text),
    may("timeline_title", Text),
    may("investigation_fields", Object(&[may("field_names", Texts(1, usize::MAX))])),
    may(
        "exceptions_list",
        Objects(&[
            may("id", Text),
            must("list_id", Text),
            may("type", Text),
            may("namespace_type", Word(&["single", "agnostic"])),
        ]),
    ),
    may("actions", Objects(&[])),
    may("throttle", Text),
    may("response_actions", Objects(&[])),
    may(
        "severity_mapping",
        Objects(&[must("field", Text), may("operator", Text), may("value", Text), may("severity", Text)]),
    ),
    may("risk_score_mapping", Objects(&[must("field", Text), may("operator", Text), may("value", Text)])),
    may(
        "related_integrations",
        Objects(&[must("package", Text), may("version", Text), may("integration", Text)]),
    ),
    may("required_fields", Objects(&[must("name", Text), must("type", Text), may("ecs", Flag)])),
    may("threat", THREAT),
    may(
        "alert_suppression",
        Object(&[
            may("group_by", Texts(1, 3)),
            may("duration", Object(&[must("value", POSITIVE), must("unit", Word(&["s", "m", "h"]))])),
            may("missing_fields_strategy", Word(&["suppress", "doNotSuppress"])),
        ]),
    ),
    may(
        "threshold",
        Object(&[
            may("field", TextOrTexts),
            must("value", POSITIVE),
            may("cardinality", Objects(&[must("field", Text), must("value", COUNT)])),
        ]),
    ),
    may(
        "new_terms",
        Object(&[
            must("field", Text),
            must("value", Texts(1, 3)),
            may("history_window_start", Objects(&[must("field", Text), must("value", Text)])),
        ]),
    ),
    may("new_terms_fields", Texts(1, 3)),
    may("history_window_start", Text),
    may("machine_learning_job_id", TextOrTexts),
    may("anomaly_threshold", Integer(0, 100)),
    may("threat_index", TEXTS),
    may("threat_query", Text),
    may("threat_language", Word(&["kuery", "lucene"])),
    may("threat_indicator_path", Text),
    may("threat_filters", List),
    may(
        "threat_mapping",
        Objects(&[must(
            "entries",
            Objects(&[must("field", Text), must("type", Text), must("value", Text), may("negate", Flag)]),
        )]),
    ),
    may("concurrent_searches", POSITIVE),
    may("items_per_search", POSITIVE),
    may("promotion", Flag),
];

const THREAT: Shape = Objects(&[
    may("framework", Text),
    may("tactic", Object(&[must("id", Text), must("name", Text), may("reference", Text)])),
    may(
        "technique",
        Objects(&[
            must("id", Text),
            must("name", Text),
            may("reference", Text),
            may("subtechnique", Objects(&[must("id", Text), must("name", Text), may("reference", Text)])),
        ]),
    ),
]);

/// The `[metadata]` of Elastic's rule TOML.
pub(crate) const METADATA: &[Field] = &[
    may("creation_date", Day),
    may("updated_date", Day),
    may("deprecation_date", Day),
    may("maturity", Word(&["development", "experimental", "beta", "production", "deprecated"])),
    may("integration", TextOrTexts),
    may("min_stack_version", Text),
    may("min_stack_comments", Text),
    may("os_type_list", TEXTS),
    may("query_schema_validation", Flag),
    may("extended", Any),
    may("bypass_bbr_timing", Flag),
    may("promotion", Flag),
];

/// The `[rule]` of an Endpoint behaviour rule.
pub(crate) const ENDPOINT_RULE: &[Field] = &[
    must("id", Text),
    must("name", Text),
    must("description", Text),
    must("query", Text),
    may("version", Text),
    may("license", Text),
    may("os_list", TEXTS),
    may("reference", TextOrTexts),
];

/// What stands beside the `[rule]` of an Endpoint behaviour rule.
pub(crate) const ENDPOINT_FILE: &[Field] = &[
    may("actions", Objects(ENDPOINT_ACTION)),
    may("optional_actions", Objects(ENDPOINT_ACTION)),
    may("threat", THREAT),
    may("internal", Object(&[may("min_endpoint_version", Text)])),
];

const ENDPOINT_ACTION: &[Field] = &[must("action", Text), may("field", Text), may("state", COUNT)];

/// Holds an object to its fields. `prefix` is its own dotted name with a dot behind it, or empty.
pub(crate) fn check(object: &Node, fields: &[Field], prefix: &str, findings: &mut Findings) {
    for field in fields {
        match member(object, field.name) {
            Some(member) => {
                check_value(&member.node, field.shape, &format!("{prefix}{}", field.name), findings)
            }
            None if field.required => findings.push(missing(object, prefix, field.name)),
            None => {}
        }
    }
}

/// The finding that `object` lacks the field, with the name that was perhaps meant for it.
pub(crate) fn missing(object: &Node, prefix: &str, name: &str) -> Diagnostic {
    let keys = object.members().iter().map(|member| member.key.as_str());
    let finding = Diagnostic::new(Code::MISSING_RULE_FIELD, format!("field `{prefix}{name}` is missing"));
    match near_names(name, keys).first() {
        Some(near) => {
            let at = object.members().iter().find(|member| member.key == *near).map(|member| member.key_span);
            let finding = finding.help(format!("is `{near}` meant to be `{name}`?"));
            at.into_iter().fold(finding, Diagnostic::at)
        }
        None => finding.at(object.span).help(format!("add `{name}`")),
    }
}

fn member<'n>(object: &'n Node, name: &str) -> Option<&'n Member> {
    object.members().iter().rev().find(|member| member.key == name && !member.node.is_null())
}

fn check_value(node: &Node, shape: Shape, name: &str, findings: &mut Findings) {
    let wrong_type = |expected: &str| {
        Diagnostic::new(
            Code::RULE_FIELD_TYPE,
            format!("field `{name}` must be {expected}, not {}", node.kind()),
        )
        .at(node.span)
        .label(format!("expected {expected}"))
    };
    let not_allowed = |message: String| Diagnostic::new(Code::RULE_FIELD_VALUE, message).at(node.span);
    match (shape, &node.content) {
        (Any, _)
        | (Text, Content::Text(_))
        | (Flag, Content::Boolean(_))
        | (TextOrTexts, Content::Text(_)) => {}
        (Text, _) => findings.push(wrong_type("a text")),
        (Flag, _) => findings.push(wrong_type("a boolean")),
        (Integer(least, most), _) => match node.integer() {
            Some(n) if n < least => {
                findings.push(not_allowed(format!("field `{name}` must be at least {least}")))
            }
            Some(n) if n > most => {
                findings.push(not_allowed(format!("field `{name}` must be at most {most}")))
            }
            Some(_) => {}
            None => findings.push(wrong_type("an integer")),
        },
        (Word(words), Content::Text(text)) => {
            if !words.contains(&text.as_str()) {
                let help = did_you_mean(&near_names(text, words.iter().copied()))
                    .unwrap_or_else(|| format!("use one of {}", words.join(", ")));
                findings
                    .push(not_allowed(format!("field `{name}` cannot be `{}`", shortened(text))).help(help));
            }
        }
        (Word(_), _) => findings.push(wrong_type("a text")),
        (Day, Content::Text(text)) => {
            if !is_day(text) {
                findings
                    .push(not_allowed(format!("field `{name}` is no date")).help("write it as YYYY/MM/DD"));
            }
        }
        (Day, _) => findings.push(wrong_type("a text")),
        (Texts(least, most), Content::List(items)) => {
            check_texts(items, name, findings);
            if items.len() < least || items.len() > most {
                let most = if most == usize::MAX { "or more".to_owned() } else { format!("to {most}") };
                findings.push(not_allowed(format!(
                    "field `{name}` must list {least} {most} texts, not {}",
                    items.len()
                )));
            }
        }
        (TextOrTexts, Content::List(items)) => check_texts(items, name, findings),
        (Texts(..), _) => findings.push(wrong_type("a list of texts")),
        (TextOrTexts, _) => findings.push(wrong_type("a text or a list of texts")),
        (List, Content::List(_)) => {}
        (List, _) => findings.push(wrong_type("a list")),
        (Object(fields), Content::Table(_)) => check(node, fields, &format!("{name}."), findings),
        (Object(_), _) => findings.push(wrong_type("an object")),
        (Objects(fields), Content::List(items)) => {
            for item in items {
                check_value(item, Object(fields), name, findings);
            }
        }
        (Objects(_), _) => findings.push(wrong_type("a list of objects")),
    }
}

fn check_texts(items: &[Node], name: &str, findings: &mut Findings) {
    for item in items.iter().filter(|item| item.text().is_none()) {
        let message = format!("field `{name}` must hold texts alone, not {}", item.kind());
        findings.push(Diagnostic::new(Code::RULE_FIELD_TYPE, message).at(item.span).label("expected a text"));
    }
}

fn is_day(text: &str) -> bool {
    let mut parts = text.split('/');
    let mut part = |length: usize, most: u32| {
        parts.next().is_some_and(|part| {
            part.len() == length
                && part.bytes().all(|b| b.is_ascii_digit())
                && part.parse().is_ok_and(|n: u32| n >= 1 && n <= most)
        })
    };
    part(4, 9999) && part(2, 12) && part(2, 31) && parts.next().is_none()
}

/// A text of the file, cut to fit a message.
pub(crate) fn shortened(text: &str) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or("")),
        None => text.to_owned(),
    }
}
