//! Which of the loaded rules are used: by id, name, tag, technique, and what is left out.

use crate::rule::Rule;
use quell_ir::diagnostic::{did_you_mean, near_names};
use quell_ir::pattern::Wildcard;
use quell_ir::{Case, Code, Diagnostic};
use std::collections::BTreeSet;

/// A selection. Within one list any value is enough; all lists that are not empty must be satisfied; `exclude` comes last.
/// Values compare without case, and `*` and `?` are wildcards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Ids or names.
    pub rules: Vec<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Techniques and tactics: `T1059` has `T1059.001` in it, `TA0007` all techniques under that tactic.
    pub techniques: Vec<String>,
    /// Ids or names of rules that are left out.
    pub exclude: Vec<String>,
}

/// A list of the selection: what it is called, and the words of a rule that its values are held against.
struct Criterion {
    option: &'static str,
    what: &'static str,
    values: fn(&Selection) -> &[String],
    words: fn(&Rule) -> Vec<&str>,
    excludes: bool,
}

static CRITERIA: &[Criterion] = &[
    Criterion { option: "--rule", what: "rule", values: |s| &s.rules, words: id_and_name, excludes: false },
    Criterion { option: "--tag", what: "tag", values: |s| &s.tags, words: tags, excludes: false },
    Criterion {
        option: "--technique",
        what: "technique",
        values: |s| &s.techniques,
        words: techniques,
        excludes: false,
    },
    Criterion {
        option: "--exclude",
        what: "rule",
        values: |s| &s.exclude,
        words: id_and_name,
        excludes: true,
    },
];

fn id_and_name(rule: &Rule) -> Vec<&str> {
    vec![&rule.id, &rule.name]
}

fn tags(rule: &Rule) -> Vec<&str> {
    rule.tags.iter().map(String::as_str).collect()
}

/// A sub-technique counts as its technique too.
fn techniques(rule: &Rule) -> Vec<&str> {
    let mut words = Vec::new();
    for threat in &rule.threat {
        words.push(threat.tactic_id.as_str());
        for technique in &threat.techniques {
            words.push(technique.id.as_str());
            words.extend(technique.id.split_once('.').map(|(parent, _)| parent));
        }
    }
    words
}

impl Selection {
    /// Whether everything is selected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        CRITERIA.iter().all(|criterion| (criterion.values)(self).is_empty())
    }

    /// The selected rules, in their order.
    ///
    /// # Errors
    /// A value matches no rule (with the near names), or no rule fulfils the whole selection.
    pub fn apply(&self, rules: Vec<Rule>) -> Result<Vec<Rule>, Vec<Diagnostic>> {
        let findings: Vec<Diagnostic> =
            CRITERIA.iter().flat_map(|criterion| criterion.unmatched(self, &rules)).collect();
        if !findings.is_empty() {
            return Err(findings);
        }
        let any = !rules.is_empty();
        let tests: Vec<(&Criterion, Vec<Wildcard>)> = CRITERIA
            .iter()
            .map(|criterion| {
                (criterion, (criterion.values)(self).iter().map(|value| Wildcard::parse(value)).collect())
            })
            .collect();
        let selected: Vec<Rule> = rules
            .into_iter()
            .filter(|rule| {
                tests.iter().all(|(criterion, patterns)| {
                    patterns.is_empty()
                        || patterns.iter().any(|pattern| criterion.matches(pattern, rule))
                            != criterion.excludes
                })
            })
            .collect();
        if any && selected.is_empty() && !self.is_empty() {
            let message = "no rule is left by the selection as a whole";
            let help = "a rule must match each of the options given, and not `--exclude`";
            return Err(vec![Diagnostic::new(Code::SELECTION_EMPTY, message).help(help)]);
        }
        Ok(selected)
    }
}

impl Criterion {
    fn matches(&self, pattern: &Wildcard, rule: &Rule) -> bool {
        (self.words)(rule).into_iter().any(|word| pattern.matches(word, Case::Folded))
    }

    /// A finding for each value that no rule matches.
    fn unmatched(&self, selection: &Selection, rules: &[Rule]) -> Vec<Diagnostic> {
        (self.values)(selection)
            .iter()
            .filter(|value| {
                let pattern = Wildcard::parse(value);
                !rules.iter().any(|rule| self.matches(&pattern, rule))
            })
            .map(|value| {
                let words: BTreeSet<&str> = rules.iter().flat_map(|rule| (self.words)(rule)).collect();
                let message = format!("`{} {value}` matches no {}", self.option, self.what);
                let help = did_you_mean(&near_names(value, words))
                    .unwrap_or_else(|| "`quell rules list` shows the rules that there are".to_owned());
                Diagnostic::new(Code::NOTHING_SELECTED, message).help(help)
            })
            .collect()
    }
}
