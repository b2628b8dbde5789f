//! Static checks: everything that can be said of rules without an event.

use crate::compile::{CompileOptions, Outcome, compile_rule};
use crate::finding::{FileFinding, Findings};
use crate::lints::{self, Subject};
use crate::load::{Loader, RuleSet, RuleSpec};

/// What `check` found.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// Every finding, by file and place.
    pub findings: Vec<FileFinding>,
    /// The rules, and the findings of reading them (which stand in `findings` too).
    pub set: RuleSet,
    /// How many of the rules run.
    pub runs: usize,
    /// How many are right but do not run yet.
    pub not_run_yet: usize,
    /// How many have errors in their query. Rules that could not be read at all are not among them.
    pub refused: usize,
}

/// Reads, compiles and lints every rule of the paths and sets.
#[must_use]
pub fn check(specs: &[RuleSpec], options: &CompileOptions<'_>) -> Checked {
    let mut loader = Loader::default();
    loader.load(specs);
    let (set, nodes) = loader.into_set();
    let mut checked = Checked { findings: set.findings.clone(), ..Checked::default() };
    for (rule, node) in set.rules.iter().zip(&nodes) {
        let outcome = compile_rule(rule, options);
        match &outcome {
            Outcome::Runs { .. } => checked.runs += 1,
            Outcome::NotRunYet { .. } => checked.not_run_yet += 1,
            Outcome::Refused(_) => checked.refused += 1,
        }
        let mut findings = Findings::default();
        for diagnostic in outcome.findings() {
            findings.push_about(Some(&rule.id), diagnostic.clone());
        }
        if let Some(object) = node {
            for diagnostic in lints::lint(&Subject { rule, object, query: outcome.query() }) {
                findings.push_about(Some(&rule.id), diagnostic);
            }
        }
        checked.findings.extend(findings.into_file(&rule.origin.path, &rule.origin.text));
    }
    checked.findings.sort_by(FileFinding::order);
    checked.set = set;
    checked
}
