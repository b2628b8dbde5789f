//! From a rule object, as Elastic's TOML and Kibana's API have it alike, to a [`Rule`].

use crate::finding::Findings;
use crate::node::{Content, Node};
use crate::rule::{
    FieldOverrides, Language, Origin, QueryText, Rule, RuleFormat, RuleKind, RuleSeverity, Technique, Threat,
};
use crate::schedule::Schedule;
use crate::schema;
use crate::type_fields::{self, TypeFields};
use quell_ir::{Code, Diagnostic};
use serde_json::Map;
use std::sync::Arc;

/// What a rule type asks of a rule beside what all rules have.
struct Kind {
    kind: RuleKind,
    /// Its languages, the usual one first; none means that it has no query.
    languages: &'static [Language],
    /// Fields that it needs; of alternatives one is enough.
    needs: &'static [&'static [&'static str]],
}

/// The rule types. Source: Elastic's "Detections API: create rule", the fields of each type.
static KINDS: &[Kind] = &[
    Kind { kind: RuleKind::Eql, languages: &[Language::Eql], needs: &[&["query"]] },
    Kind { kind: RuleKind::Query, languages: &[Language::Kql, Language::Lucene], needs: &[] },
    Kind {
        kind: RuleKind::SavedQuery,
        languages: &[Language::Kql, Language::Lucene],
        needs: &[&["saved_id"]],
    },
    Kind {
        kind: RuleKind::Threshold,
        languages: &[Language::Kql, Language::Lucene],
        needs: &[&["query"], &["threshold"]],
    },
    Kind {
        kind: RuleKind::NewTerms,
        languages: &[Language::Kql, Language::Lucene],
        needs: &[&["query"], &["new_terms", "new_terms_fields"]],
    },
    Kind {
        kind: RuleKind::ThreatMatch,
        languages: &[Language::Kql, Language::Lucene],
        needs: &[&["query"], &["threat_index"], &["threat_query"], &["threat_mapping"]],
    },
    Kind {
        kind: RuleKind::MachineLearning,
        languages: &[],
        needs: &[&["machine_learning_job_id"], &["anomaly_threshold"]],
    },
    Kind { kind: RuleKind::Esql, languages: &[Language::Esql], needs: &[&["query"]] },
];

/// Reads a rule object; `None`, with the reasons in `findings`, where it is no valid rule. `prefix` is what stands before
/// its fields in messages (`rule.` in TOML).
pub(crate) fn read(
    object: &Node,
    prefix: &str,
    origin: &Arc<Origin>,
    findings: &mut Findings,
) -> Option<Rule> {
    let (from, errors) = (findings.len(), findings.errors());
    schema::check(object, schema::RULE, prefix, findings);
    let kind = text(object, "type").and_then(|word| RuleKind::of(&word));
    if let Some(kind) = kind.and_then(|kind| KINDS.iter().find(|known| known.kind == kind)) {
        check_kind(object, prefix, kind, findings);
    }
    let id = text(object, "rule_id");
    let counts = matches!(kind, Some(RuleKind::Threshold | RuleKind::NewTerms));
    let schedule = Schedule::read(object, prefix, counts, findings);
    let type_fields =
        kind.map(|kind| TypeFields::read(object, prefix, kind, origin, findings)).unwrap_or_default();
    if kind == Some(RuleKind::ThreatMatch) {
        type_fields::check_mapping(object, prefix, findings);
    }
    if let Some(id) = &id {
        findings.about(from, id);
    }
    if findings.errors() > errors {
        return None;
    }

    let kind = kind?;
    let usual =
        KINDS.iter().find(|known| known.kind == kind).and_then(|known| known.languages.first().copied());
    let language = text(object, "language").and_then(|word| Language::of(&word)).or(usual);
    let index = object.get("index").map(Node::texts).filter(|patterns| !patterns.is_empty());
    Some(Rule {
        id: id?,
        name: text(object, "name")?,
        description: text(object, "description")?,
        kind,
        language,
        query: text_at(object, "query", origin),
        index,
        severity: text(object, "severity").and_then(|word| RuleSeverity::of(&word))?,
        risk_score: object.get("risk_score").and_then(Node::integer).and_then(|n| u8::try_from(n).ok())?,
        tags: object.get("tags").map(Node::texts).unwrap_or_default(),
        threat: object.get("threat").map(threats).unwrap_or_default(),
        version: object
            .get("version")
            .and_then(Node::integer)
            .map_or_else(|| "1".to_owned(), |n| n.to_string()),
        building_block: object.get("building_block_type").is_some(),
        overrides: FieldOverrides {
            timestamp_override: text(object, "timestamp_override"),
            no_timestamp_fallback: object
                .get("timestamp_override_fallback_disabled")
                .is_some_and(|node| matches!(node.content, Content::Boolean(true))),
            timestamp_field: text(object, "timestamp_field"),
            event_category: text(object, "event_category_override"),
            tiebreaker: text(object, "tiebreaker_field"),
        },
        schedule,
        type_fields,
        os_list: Vec::new(),
        deprecated: in_deprecated_folder(origin),
        fields: object.to_map(),
        beside: Map::new(),
        origin: Arc::clone(origin),
    })
}

fn check_kind(object: &Node, prefix: &str, kind: &Kind, findings: &mut Findings) {
    for alternatives in kind.needs {
        if !alternatives.iter().any(|name| object.get(name).is_some())
            && let Some(name) = alternatives.first()
        {
            let finding = schema::missing(object, prefix, name);
            let message = format!("{}; every `{}` rule has it", finding.message, kind.kind.as_str());
            findings.push(Diagnostic { message, ..finding });
        }
    }
    let Some(node) = object.get("language") else { return };
    let Some(language) = node.text().and_then(Language::of) else { return };
    if !kind.languages.is_empty() && !kind.languages.contains(&language) {
        let words: Vec<String> =
            kind.languages.iter().map(|language| format!("`{}`", language.as_str())).collect();
        let message =
            format!("a rule of type `{}` cannot be written in `{}`", kind.kind.as_str(), language.as_str());
        let help = format!("its language is {}", words.join(" or "));
        findings.push(Diagnostic::new(Code::RULE_LANGUAGE, message).at(node.span).help(help));
    }
}

/// The text of a field, or nothing where it has none.
pub(crate) fn text(object: &Node, name: &str) -> Option<String> {
    object.get(name)?.text().map(str::to_owned)
}

/// A query in the field of that name, with its place in the file.
pub(crate) fn text_at(object: &Node, name: &str, origin: &Origin) -> Option<QueryText> {
    let node = object.get(name)?;
    let map = node.source_map(&origin.text, origin.format == RuleFormat::KibanaNdjson);
    Some(QueryText::new(node.text()?.to_owned(), node.span, map))
}

/// The `threat` list. Sub-techniques stand behind their technique.
pub(crate) fn threats(node: &Node) -> Vec<Threat> {
    node.items()
        .iter()
        .map(|threat| {
            let tactic = threat.get("tactic");
            let of_tactic = |name| tactic.and_then(|tactic| text(tactic, name)).unwrap_or_default();
            let mut techniques = Vec::new();
            for technique in threat.get("technique").map(Node::items).unwrap_or_default() {
                techniques.extend(technique_of(technique));
                let subs = technique.get("subtechnique").map(Node::items).unwrap_or_default();
                techniques.extend(subs.iter().filter_map(technique_of));
            }
            Threat {
                framework: text(threat, "framework").unwrap_or_default(),
                tactic_id: of_tactic("id"),
                tactic_name: of_tactic("name"),
                techniques,
            }
        })
        .collect()
}

fn technique_of(node: &Node) -> Option<Technique> {
    Some(Technique { id: text(node, "id")?, name: text(node, "name")? })
}

/// Elastic's repository moves rules that it no longer maintains to a folder of this name.
fn in_deprecated_folder(origin: &Origin) -> bool {
    origin.path.components().any(|part| part.as_os_str() == "_deprecated")
}
