//! Elastic Endpoint's behaviour rules: `[rule]` with `os_list` and an EQL query, `[[threat]]` and `[[actions]]` beside it.
//!
//! Source: Elastic's public repository of endpoint protections. A rule says no severity. It is there to stop a process at
//! once, so it is held to be sure of itself: `high`, with the risk score that goes with it.

use super::{Reading, has_key, has_table, parse_toml};
use crate::node::Node;
use crate::rule::{FieldOverrides, Language, Origin, Rule, RuleKind, RuleSeverity};
use crate::schedule::Schedule;
use crate::type_fields::TypeFields;
use crate::{object, schema};
use quell_ir::{Code, Diagnostic};
use std::path::Path;
use std::sync::Arc;

const SEVERITY: RuleSeverity = RuleSeverity::High;
const RISK_SCORE: u8 = 73;

pub(super) fn recognises(head: &str, _path: &Path) -> bool {
    has_table(head, "rule")
        && (has_key(head, "os_list") || has_key(head, "id"))
        && !has_key(head, "rule_id")
        && !has_key(head, "risk_score")
}

pub(super) fn read(origin: &Arc<Origin>) -> Reading {
    let mut reading = Reading::default();
    let Some(tree) = parse_toml(origin, &mut reading.findings) else { return reading };
    let Some(node) = tree.get("rule") else {
        reading.findings.push(Diagnostic::new(Code::MISSING_RULE_FIELD, "table `[rule]` is missing"));
        return reading;
    };
    schema::check(node, schema::ENDPOINT_RULE, "rule.", &mut reading.findings);
    schema::check(&tree, schema::ENDPOINT_FILE, "", &mut reading.findings);
    if let Some(id) = object::text(node, "id") {
        reading.findings.about(0, &id);
    }
    if reading.findings.errors() == 0
        && let Some(rule) = rule_of(&tree, node, origin)
    {
        reading.rules.push((rule, Some(tree)));
    }
    reading
}

fn rule_of(tree: &Node, node: &Node, origin: &Arc<Origin>) -> Option<Rule> {
    let mut fields = node.to_map();
    let mut beside = tree.to_map();
    beside.shift_remove("rule");
    for name in ["threat", "actions", "optional_actions"] {
        if let Some(value) = beside.shift_remove(name) {
            fields.insert(name.to_owned(), value);
        }
    }
    Some(Rule {
        id: object::text(node, "id")?,
        name: object::text(node, "name")?,
        description: object::text(node, "description")?,
        kind: RuleKind::Eql,
        language: Some(Language::Eql),
        query: object::text_at(node, "query", origin),
        index: None,
        severity: SEVERITY,
        risk_score: RISK_SCORE,
        tags: Vec::new(),
        threat: tree.get("threat").map(object::threats).unwrap_or_default(),
        version: object::text(node, "version").unwrap_or_else(|| "1".to_owned()),
        building_block: false,
        overrides: FieldOverrides::default(),
        schedule: Schedule::default(),
        type_fields: TypeFields::None,
        os_list: node.get("os_list").map(Node::texts).unwrap_or_default(),
        deprecated: false,
        fields,
        beside,
        origin: Arc::clone(origin),
    })
}
