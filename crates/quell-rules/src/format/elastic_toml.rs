//! Elastic's rule TOML: `[metadata]` and `[rule]`.
//!
//! Source: the README and CLI guide of Elastic's public rule repository.

use super::{Reading, has_table, parse_toml};
use crate::node::Node;
use crate::rule::Origin;
use crate::{object, schema};
use quell_ir::{Code, Diagnostic, Severity};
use std::path::Path;
use std::sync::Arc;

pub(super) fn recognises(head: &str, _path: &Path) -> bool {
    has_table(head, "rule")
}

pub(super) fn read(origin: &Arc<Origin>) -> Reading {
    let mut reading = Reading::default();
    let Some(tree) = parse_toml(origin, &mut reading.findings) else { return reading };
    let Some(node) = tree.get("rule") else {
        reading.findings.push(Diagnostic::new(Code::MISSING_RULE_FIELD, "table `[rule]` is missing"));
        return reading;
    };
    let rule = object::read(node, "rule.", origin, &mut reading.findings);
    check_metadata(&tree, &mut reading);
    let Some(mut rule) = rule else { return reading };
    rule.beside = tree.to_map();
    rule.beside.shift_remove("rule");
    let maturity = tree.get("metadata").and_then(|metadata| object::text(metadata, "maturity"));
    rule.deprecated |= maturity.as_deref() == Some("deprecated");
    reading.rules.push((rule, Some(node.clone())));
    reading
}

/// What `[metadata]` says wrongly stops no rule, so its errors are warnings.
fn check_metadata(tree: &Node, reading: &mut Reading) {
    let Some(metadata) = tree.get("metadata") else { return };
    let mut findings = crate::finding::Findings::default();
    schema::check(metadata, schema::METADATA, "metadata.", &mut findings);
    for diagnostic in findings.into_diagnostics() {
        let code = Code::METADATA_FORM;
        reading.findings.push(Diagnostic { code, severity: Severity::Warning, ..diagnostic });
    }
}
