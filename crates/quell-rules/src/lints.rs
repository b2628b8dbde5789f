//! Lints: what a rule says that is allowed, but probably not meant. One line in [`LINTS`] each.
//!
//! Source: the schema tests of Elastic's public rule repository and "Create a detection rule" of Elastic Security.

use crate::node::Node;
use crate::rule::{Rule, RuleFormat, RuleKind};
use crate::schedule::{DEFAULT_FROM, DEFAULT_INTERVAL, seconds, seconds_ago};
use crate::schema::shortened;
use quell_ir::{Code, Diagnostic, Logic, Query, Span};

/// What a lint looks at.
pub(crate) struct Subject<'r> {
    pub(crate) rule: &'r Rule,
    /// The object that it was read from; for an Endpoint rule the whole file.
    pub(crate) object: &'r Node,
    /// Its query, where that could be read.
    pub(crate) query: Option<&'r Query>,
}

/// A lint.
struct Lint {
    code: Code,
    /// The formats that it is about.
    formats: &'static [RuleFormat],
    /// Reports each place where it applies.
    check: fn(&Subject<'_>, &mut dyn FnMut(Finding)),
}

/// Where a lint applies: message, place, help.
type Finding = (String, Option<Span>, String);

use RuleFormat::{ElasticToml, EndpointToml, KibanaNdjson};

static LINTS: &[Lint] = &[
    Lint { code: Code::RULE_ID_FORM, formats: &[ElasticToml, EndpointToml], check: id_form },
    Lint { code: Code::RULE_NAME_FORM, formats: &[ElasticToml], check: name_form },
    Lint { code: Code::INTERVAL_FORM, formats: &[ElasticToml, KibanaNdjson], check: interval_form },
    Lint { code: Code::FROM_FORM, formats: &[ElasticToml, KibanaNdjson], check: from_form },
    Lint { code: Code::LOOKBACK_GAP, formats: &[ElasticToml, KibanaNdjson], check: lookback_gap },
    Lint { code: Code::LOOKBACK_MAXSPAN, formats: &[ElasticToml, KibanaNdjson], check: lookback_maxspan },
    Lint { code: Code::SEVERITY_AND_RISK, formats: &[ElasticToml, KibanaNdjson], check: severity_and_risk },
    Lint {
        code: Code::THREAT_REFERENCE,
        formats: &[ElasticToml, KibanaNdjson, EndpointToml],
        check: threat_reference,
    },
    Lint {
        code: Code::SUBTECHNIQUE_PLACE,
        formats: &[ElasticToml, KibanaNdjson, EndpointToml],
        check: subtechnique_place,
    },
    Lint { code: Code::DEFAULT_LANGUAGE, formats: &[ElasticToml, KibanaNdjson], check: default_language },
];

/// Everything that the lints find in a rule.
pub(crate) fn lint(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for lint in LINTS.iter().filter(|lint| lint.formats.contains(&subject.rule.origin.format)) {
        (lint.check)(subject, &mut |(message, span, help)| {
            let finding = Diagnostic::new(lint.code, message).help(help);
            found.push(span.into_iter().fold(finding, Diagnostic::at));
        });
    }
    found
}

impl Subject<'_> {
    /// A field of the rule and its place.
    fn text(&self, name: &str) -> Option<(&str, Span)> {
        let node = self.object.get(name)?;
        Some((node.text()?, node.span))
    }

    /// How far back a run looks, in seconds, where that can be told.
    fn lookback(&self) -> Option<u64> {
        seconds_ago(self.text("from").map_or(DEFAULT_FROM, |(from, _)| from))
    }
}

fn id_form(subject: &Subject<'_>, report: &mut dyn FnMut(Finding)) {
    let id = &subject.rule.id;
    let parts: Vec<usize> = id.split('-').map(str::len).collect();
    let digits = id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b'-'));
    if parts == [8, 4, 4, 4, 12] && digits {
        return;
    }
    let object = subject.object.get("rule").unwrap_or(subject.object);
    let span = object.get("rule_id").or_else(|| object.get("id")).map(|node| node.span);
    report((
        format!("rule id `{}` is no lower-case UUID", shortened(id)),
        span,
        "make one with `uuidgen`".to_owned(),
    ));
}

fn name_form(subject: &Subject<'_>, report: &mut dyn FnMut(Finding)) {
    let Some((name, span)) = subject.text("name") else { return };
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        report((
            "the name starts with neither a letter nor a digit".to_owned(),
            Some(span),
            "change its start".to_owned(),
        ));
    }
    if !name.ends_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, ']' | ')')) {
        let message = "the name ends with neither a letter, a digit, `]` nor `)`";
        report((message.to_owned(), Some(span), "change its end".to_owned()));
    }
}

fn interval_form(subject: &Subject<'_>, report: &mut dyn FnMut(Finding)) {
    let Some((interval, span)) = subject.text("interval") else { return };
    if seconds(interval, "smhd").is_none() {
        let help = "write a whole number and `s`, `m`, `h` or `d`: `5m`";
        report((
            format!("interval `{}` is not in its form", shortened(interval)),
            Some(span),
            help.to_owned(),
        ));
    }
}

fn from_form(subject: &Subject<'_>, report: &mut dyn FnMut(Finding)) {
    for name in ["from", "to"] {
        let Some((moment, span)) = subject.text(name) else { continue };
        if !is_date_math(moment) {
            let help = "write a moment from now: `now-9m`";
            report((
                format!("`{name}` is no date math: `{}`", shortened(moment)),
                Some(span),
                help.to_owned(),
            ));
        }
    }
}

fn lookback_gap(subject: &Subject<'_>, report: &mut dyn FnMut(Finding)) {
    let interval = subject.text("interval");
    let text = interval.map_or(DEFAULT_INTERVAL, |(interval, _)| interval);
    let (Some(every), Some(back)) = (seconds(text, "smhd"), subject.lookback()) else { return };
    if back < every {
        let span = subject.text("from").or(interval).map(|(_, span)| span);
        let message = format!(
            "each run looks back {back} s, and runs are {every} s apart: events in between are missed"
        );
        report((message, span, format!("let `from` be `now-{text}` or earlier")));
    }
}

fn lookback_maxspan(subject: &Subject<'_>, report: &mut dyn FnMut(Finding)) {
    let Some(Logic::Sequence(sequence)) = subject.query.map(|query| &query.logic) else { return };
    let (Some(maxspan), Some(back)) = (sequence.maxspan, subject.lookback()) else { return };
    if maxspan.as_secs() > back {
        let span = subject
            .text("from")
            .map(|(_, span)| span)
            .or_else(|| subject.object.get("query").map(|node| node.span));
        let message =
            format!("a sequence may last {} s, and each run looks back {back} s", maxspan.as_secs());
        report((message, span, "let `from` reach back at least `maxspan`".to_owned()));
    }
}

fn severity_and_risk(subject: &Subject<'_>, report: &mut dyn FnMut(Finding)) {
    let (severity, risk) = (subject.rule.severity, subject.rule.risk_score);
    let scores = severity.risk_scores();
    if !scores.contains(&risk) {
        let span = subject.object.get("risk_score").map(|node| node.span);
        let message = format!("severity `{}` and risk score {risk} do not fit", severity.as_str());
        report((
            message,
            span,
            format!("`{}` goes with {} to {}", severity.as_str(), scores.start(), scores.end()),
        ));
    }
}

fn threat_reference(subject: &Subject<'_>, report: &mut dyn FnMut(Finding)) {
    let mut check = |node: &Node, folder: &str| {
        let (Some(id), Some(reference)) = (node.get("id").and_then(Node::text), node.get("reference")) else {
            return;
        };
        let expected = format!("https://attack.mitre.org/{folder}/{}/", id.replace('.', "/"));
        if reference.text().is_some_and(|url| url != expected) {
            let message = format!("the reference is not the page of `{}`", shortened(id));
            report((message, Some(reference.span), format!("write `{}`", shortened(&expected))));
        }
    };
    for threat in threats(subject) {
        if let Some(tactic) = threat.get("tactic") {
            check(tactic, "tactics");
        }
        for technique in items(threat, "technique") {
            check(technique, "techniques");
            for sub in items(technique, "subtechnique") {
                check(sub, "techniques");
            }
        }
    }
}

fn subtechnique_place(subject: &Subject<'_>, report: &mut dyn FnMut(Finding)) {
    for technique in threats(subject).iter().flat_map(|threat| items(threat, "technique")) {
        let Some(parent) = technique.get("id").and_then(Node::text) else { continue };
        for id in items(technique, "subtechnique").iter().filter_map(|sub| sub.get("id")) {
            let text = id.text().unwrap_or_default();
            let number = text.strip_prefix(parent).and_then(|rest| rest.strip_prefix('.'));
            if !number.is_some_and(|n| n.len() == 3 && n.bytes().all(|b| b.is_ascii_digit())) {
                let message = format!("`{}` is no sub-technique of `{}`", shortened(text), shortened(parent));
                report((message, Some(id.span), "move it under its own technique".to_owned()));
            }
        }
    }
}

fn default_language(subject: &Subject<'_>, report: &mut dyn FnMut(Finding)) {
    let rule = subject.rule;
    let (Some(language), None) = (rule.language, subject.object.get("language")) else { return };
    if rule.query.is_some() && rule.kind != RuleKind::MachineLearning {
        let span = subject.object.get("type").map(|node| node.span);
        let message = format!("the rule does not say its language; `{}` is taken", language.as_str());
        report((message, span, format!("add `language`: `{}`", language.as_str())));
    }
}

fn threats<'s>(subject: &Subject<'s>) -> &'s [Node] {
    items(subject.object, "threat")
}

fn items<'n>(node: &'n Node, name: &str) -> &'n [Node] {
    node.get(name).map(Node::items).unwrap_or_default()
}

/// Whether a text is date math from now on (`now-1d/d`), or a fixed date.
///
/// Source: Elasticsearch's "Date math".
fn is_date_math(text: &str) -> bool {
    const UNITS: &str = "yMwdhHms";
    let Some(mut rest) = text.strip_prefix("now") else {
        return text.starts_with(|c: char| c.is_ascii_digit()) && text.contains('-');
    };
    while let Some(sign) = rest.chars().next() {
        let behind = rest.get(1..).unwrap_or_default();
        let digits = behind.len() - behind.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let unit = match sign {
            '+' | '-' if digits > 0 => behind.get(digits..),
            '/' => Some(behind),
            _ => return false,
        };
        match unit.and_then(|unit| unit.strip_prefix(|c| UNITS.contains(c))) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::is_date_math;
    use crate::schedule::seconds;

    #[test]
    fn spans_of_time() {
        assert_eq!(seconds("5m", "smhd"), Some(300));
        assert_eq!(seconds("2d", "smhd"), Some(172_800));
        for wrong in ["", "m", "5", "5 m", "1.5m", "5w", "-5m", "5é", "99999999999999999999d"] {
            assert_eq!(seconds(wrong, "smhd"), None, "{wrong}");
        }
    }

    #[test]
    fn date_math() {
        for right in ["now", "now-9m", "now-1d/d", "now/w", "now+1h-5m", "2024-05-01T00:00:00Z"] {
            assert!(is_date_math(right), "{right}");
        }
        for wrong in ["", "9m", "now-", "now-9", "now-9x", "now 9m", "now-m", "nowé", "now-9mé", "yesterday"]
        {
            assert!(!is_date_math(wrong), "{wrong}");
        }
    }
}
