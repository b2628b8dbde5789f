//! Maintenance windows: when nobody wants to be told of alerts.
//!
//! Source: Kibana's "Maintenance windows" and its API. Two forms are read: Kibana's objects, as JSON, and TOML, a `[[window]]`
//! each. When a window starts is a recurrence rule (RFC 5545) in a time zone: it starts at the same time of day before and after
//! a change of the clocks, and lasts as many hours.

use crate::compile::CompileOptions;
use crate::condition::compile_condition;
use crate::finding::{FileFinding, Findings};
use crate::json::next_value;
use crate::limits::{MAX_TOML_BYTES, MAX_WINDOWS};
use crate::load::read_text;
use crate::node::{Content, Node, parse_toml};
use crate::rule::{Language, QueryText};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use quell_ir::{Code, Diagnostic, EventFilter, Span};
use rrule::RRuleSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A window, or many by one rule.
#[derive(Clone, Debug)]
pub struct MaintenanceWindow {
    /// Its id; the title where the file has none.
    pub id: String,
    /// The title.
    pub title: String,
    /// Whether it counts.
    pub enabled: bool,
    /// How long it lasts, in nanoseconds.
    pub duration: i64,
    starts: Box<RRuleSet>,
    /// Which alerts it is for; none means all.
    scope: Option<QueryText>,
    path: PathBuf,
    text: Arc<str>,
    span: Span,
}

impl MaintenanceWindow {
    /// Reads a file. What is broken is left out and reported.
    #[must_use]
    pub fn load(path: &Path) -> (Vec<MaintenanceWindow>, Vec<FileFinding>) {
        let text: Arc<str> = match read_text(path, MAX_TOML_BYTES) {
            Ok(text) => text.into(),
            Err(reason) => {
                let finding = Diagnostic::new(Code::WINDOW_MALFORMED, reason);
                return (Vec::new(), vec![about(path, &Arc::from(""), finding)]);
            }
        };
        let json = !path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("toml"));
        let mut reader =
            Reader { path, text: &text, json, findings: Findings::default(), windows: Vec::new() };
        if json {
            reader.json()
        } else {
            reader.toml()
        }
        if reader.windows.is_empty() && reader.findings.len() == 0 {
            reader.wrong(Span::default(), "no maintenance window in this file");
        }
        let findings = reader.findings.into_file(path, &text).collect();
        (reader.windows, findings)
    }

    /// The first starts, at most so many, in nanoseconds since 1970; and whether these are all.
    #[must_use]
    pub fn starts(&self, most: u16) -> (Vec<i64>, bool) {
        let found = self.starts.as_ref().clone().all(most);
        let nanoseconds = found.dates.iter().map(|date| date.timestamp().saturating_mul(1_000_000_000));
        (nanoseconds.collect(), !found.limited)
    }

    /// Which alerts it is for, none meaning all, and what is wrong with that.
    #[must_use]
    pub fn compile_scope(&self, options: &CompileOptions<'_>) -> (Option<EventFilter>, Vec<FileFinding>) {
        let found =
            |list: Vec<Diagnostic>| list.into_iter().map(|one| about(&self.path, &self.text, one)).collect();
        match self.scope.as_ref().map(|scope| compile_condition(scope, Language::Kql, None, options)) {
            None => (None, Vec::new()),
            Some(Ok(mut compiled)) => {
                let warnings = std::mem::take(&mut compiled.warnings);
                (Some(compiled.into_filter()), found(warnings))
            }
            Some(Err(errors)) => (None, found(errors)),
        }
    }

    /// A finding about it.
    #[must_use]
    pub fn not_applied(&self, reason: &str) -> FileFinding {
        let message = format!("the maintenance window `{}` is not applied: {reason}", self.title);
        about(&self.path, &self.text, Diagnostic::new(Code::WINDOW_MALFORMED, message).at(self.span))
    }
}

fn about(path: &Path, text: &Arc<str>, diagnostic: Diagnostic) -> FileFinding {
    FileFinding { path: path.to_owned(), text: Arc::clone(text), rule_id: None, diagnostic }
}

/// What a file says of when a window starts.
struct Schedule {
    /// The start, as it is written.
    start: String,
    zone: String,
    /// The parts of the recurrence rule; none if it starts once.
    rule: Option<String>,
}

struct Reader<'t> {
    path: &'t Path,
    text: &'t Arc<str>,
    json: bool,
    findings: Findings,
    windows: Vec<MaintenanceWindow>,
}

impl Reader<'_> {
    fn wrong(&mut self, at: Span, message: impl Into<String>) {
        self.findings.push(Diagnostic::new(Code::WINDOW_MALFORMED, message).at(at));
    }

    fn toml(&mut self) {
        match parse_toml(self.text) {
            Ok(tree) => {
                for node in tree.get("window").map(Node::items).unwrap_or_default() {
                    self.window(node);
                }
            }
            Err((message, span)) => {
                let finding = Diagnostic::new(Code::MALFORMED_TOML, message);
                self.findings.push(span.into_iter().fold(finding, Diagnostic::at));
            }
        }
    }

    /// Objects one after the other, lists of them, and what the API finds (`maintenance_windows`, `data`).
    fn json(&mut self) {
        let mut at = 0;
        loop {
            match next_value(self.text, at) {
                Ok(Some((node, end))) => {
                    at = end;
                    self.object(&node);
                }
                Ok(None) => return,
                Err((message, span)) => {
                    return self.findings.push(Diagnostic::new(Code::MALFORMED_JSON, message).at(span));
                }
            }
        }
    }

    fn object(&mut self, node: &Node) {
        let list = ["maintenanceWindows", "maintenance_windows", "data"].iter().find_map(|key| node.get(key));
        match (&node.content, list) {
            (Content::List(items), _) => items.iter().for_each(|item| self.window(item)),
            (_, Some(list)) => list.items().iter().for_each(|item| self.window(item)),
            _ => self.window(node),
        }
    }

    fn window(&mut self, node: &Node) {
        if self.windows.len() >= MAX_WINDOWS {
            if self.windows.len() == MAX_WINDOWS {
                self.wrong(node.span, format!("more than {MAX_WINDOWS} windows: the rest is left out"));
            }
            return;
        }
        let id = node.get("id").and_then(Node::text);
        // A saved object holds the window among its attributes.
        let node = node.get("attributes").unwrap_or(node);
        let Some(title) = node.get("title").filter(|title| title.text().is_some()) else {
            return self.wrong(node.span, "a maintenance window needs a `title`");
        };
        let custom = node.get("schedule").map(|schedule| schedule.get("custom").unwrap_or(schedule));
        let duration = node.get("duration").or_else(|| custom.and_then(|custom| custom.get("duration")));
        let Some(length) = duration.and_then(nanoseconds) else {
            let at = duration.map_or(node.span, |duration| duration.span);
            return self.wrong(at, "a maintenance window needs a `duration`, such as \"2h\" or milliseconds");
        };
        let schedule = match (node.get("rRule").or_else(|| node.get("r_rule")), custom) {
            (Some(rule), _) => schedule_of_kibana(rule),
            (None, Some(custom)) => schedule_of_api(custom),
            (None, None) => schedule_of_toml(node),
        };
        let starts = match schedule.and_then(|schedule| recurrence(&schedule)) {
            Ok(starts) => starts,
            Err(reason) => return self.wrong(title.span, reason),
        };
        let scope = scope_of(node).or_else(|| scope_of(node.get("scope")?.get("alerting")?.get("query")?));
        let scope = scope.map(|scope| {
            let map = scope.source_map(self.text, self.json);
            QueryText::new(scope.text().unwrap_or_default().to_owned(), scope.span, map)
        });
        let name = title.text().unwrap_or_default();
        let enabled = node.get("enabled").is_none_or(|flag| !matches!(flag.content, Content::Boolean(false)));
        self.windows.push(MaintenanceWindow {
            id: id.unwrap_or(name).to_owned(),
            title: name.to_owned(),
            enabled,
            duration: length,
            starts: Box::new(starts),
            scope,
            path: self.path.to_owned(),
            text: Arc::clone(self.text),
            span: title.span,
        });
    }
}

/// The KQL of a scope, if it says anything.
fn scope_of(node: &Node) -> Option<&Node> {
    let scoped = node.get("scoped_query").or_else(|| node.get("scopedQuery"));
    let own =
        scoped.and_then(|scoped| scoped.get("kql")).or_else(|| node.get("kql")).or_else(|| node.get("scope"));
    own.filter(|kql| kql.text().is_some_and(|text| !text.trim().is_empty()))
}

/// Milliseconds, or a number with a unit.
fn nanoseconds(node: &Node) -> Option<i64> {
    if let Some(milliseconds) = node.integer() {
        return milliseconds.checked_mul(1_000_000).filter(|n| *n > 0);
    }
    let text = node.text()?;
    // Kibana's word for a window without an end.
    if text == "-1" {
        return Some(i64::MAX);
    }
    let unit = text.chars().next_back()?;
    let seconds: i64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        _ => return None,
    };
    let number: i64 = text.strip_suffix(unit)?.trim().parse().ok()?;
    number.checked_mul(seconds)?.checked_mul(1_000_000_000).filter(|n| *n > 0)
}

fn text_of(node: &Node, key: &str) -> Option<String> {
    node.get(key).and_then(Node::text).map(str::to_owned)
}

fn zone_of(node: &Node, key: &str) -> String {
    text_of(node, key).unwrap_or_else(|| String::from("UTC"))
}

/// `start`, `timezone`, and `rrule` as RFC 5545 has it, `FREQ=WEEKLY;BYDAY=MO`.
fn schedule_of_toml(node: &Node) -> Result<Schedule, String> {
    let start = text_of(node, "start").ok_or("a maintenance window needs a `start`")?;
    Ok(Schedule { start, zone: zone_of(node, "timezone"), rule: text_of(node, "rrule") })
}

/// `rRule` of Kibana's own objects.
fn schedule_of_kibana(rule: &Node) -> Result<Schedule, String> {
    const FREQUENCIES: [&str; 7] = ["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"];
    const DAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
    let start = text_of(rule, "dtstart").ok_or("the rule of a maintenance window needs a `dtstart`")?;
    let zone = zone_of(rule, "tzid");
    let frequency = match rule.get("freq") {
        None => return Ok(Schedule { start, zone, rule: None }),
        Some(freq) => {
            let number = freq.integer().and_then(|n| usize::try_from(n).ok());
            let known = number.and_then(|n| FREQUENCIES.get(n).copied());
            let named = freq.text().map(str::to_uppercase);
            let named = FREQUENCIES.into_iter().find(|word| named.as_deref() == Some(*word));
            known.or(named).ok_or("the rule of a maintenance window has an unknown `freq`")?
        }
    };
    let mut parts = vec![format!("FREQ={frequency}")];
    for (key, name) in [("interval", "INTERVAL"), ("count", "COUNT")] {
        parts.extend(rule.get(key).and_then(Node::integer).map(|n| format!("{name}={n}")));
    }
    if let Some(until) = text_of(rule, "until") {
        parts.push(format!("UNTIL={}", utc(&until)?));
    }
    let day = |node: &Node| match node.integer() {
        Some(n) => usize::try_from(n).ok().and_then(|n| DAYS.get(n)).map(|day| (*day).to_owned()),
        None => node.text().map(str::to_owned),
    };
    let lists = [
        ("byweekday", "BYDAY"),
        ("bymonthday", "BYMONTHDAY"),
        ("bymonth", "BYMONTH"),
        ("bysetpos", "BYSETPOS"),
        ("byyearday", "BYYEARDAY"),
        ("byweekno", "BYWEEKNO"),
        ("byhour", "BYHOUR"),
        ("byminute", "BYMINUTE"),
        ("bysecond", "BYSECOND"),
    ];
    for (key, name) in lists {
        let Some(node) = rule.get(key) else { continue };
        let items = if node.items().is_empty() { std::slice::from_ref(node) } else { node.items() };
        let number = |node: &Node| node.integer().map(|n| n.to_string());
        let values: Option<Vec<String>> =
            items.iter().map(|item| if name == "BYDAY" { day(item) } else { number(item) }).collect();
        let values = values.ok_or_else(|| format!("`{key}` of a maintenance window cannot be read"))?;
        parts.push(format!("{name}={}", values.join(",")));
    }
    Ok(Schedule { start, zone, rule: Some(parts.join(";")) })
}

/// `schedule.custom` of Kibana's API.
fn schedule_of_api(custom: &Node) -> Result<Schedule, String> {
    let start = text_of(custom, "start").ok_or("the schedule of a maintenance window needs a `start`")?;
    let zone = zone_of(custom, "timezone");
    let Some(recurring) = custom.get("recurring") else { return Ok(Schedule { start, zone, rule: None }) };
    let every = text_of(recurring, "every").unwrap_or_else(|| String::from("1d"));
    let unit = every.chars().next_back().unwrap_or('d');
    let frequency = match unit {
        'd' => "DAILY",
        'w' => "WEEKLY",
        'M' => "MONTHLY",
        'y' => "YEARLY",
        _ => return Err(format!("a maintenance window cannot come every `{every}`")),
    };
    let number = every.strip_suffix(unit).and_then(|digits| digits.parse::<u16>().ok());
    let number = number.ok_or_else(|| format!("a maintenance window cannot come every `{every}`"))?;
    let mut parts = vec![format!("FREQ={frequency}"), format!("INTERVAL={number}")];
    parts.extend(recurring.get("occurrences").and_then(Node::integer).map(|n| format!("COUNT={n}")));
    if let Some(end) = text_of(recurring, "end") {
        parts.push(format!("UNTIL={}", utc(&end)?));
    }
    for (key, name) in [("onWeekDay", "BYDAY"), ("onMonthDay", "BYMONTHDAY"), ("onMonth", "BYMONTH")] {
        let Some(node) = recurring.get(key) else { continue };
        let word = |node: &Node| {
            node.text()
                .map(str::to_owned)
                .or_else(|| node.integer().map(|n| n.to_string()))
                .unwrap_or_default()
        };
        let values: Vec<String> = node.items().iter().map(word).collect();
        parts.push(format!("{name}={}", values.join(",")));
    }
    Ok(Schedule { start, zone, rule: Some(parts.join(";")) })
}

/// An instant as recurrence rules write it.
fn utc(text: &str) -> Result<String, String> {
    let time: Timestamp = text.parse().map_err(|_| format!("`{text}` is no time"))?;
    Ok(time.strftime("%Y%m%dT%H%M%SZ").to_string())
}

fn recurrence(schedule: &Schedule) -> Result<RRuleSet, String> {
    let Schedule { start, zone, rule } = schedule;
    let found = TimeZone::get(zone).map_err(|_| format!("`{zone}` is no time zone"))?;
    // A time with an offset is a moment; one without is a time of day in the zone.
    let local = match start.parse::<Timestamp>() {
        Ok(moment) => found.to_datetime(moment),
        Err(_) => start.parse::<DateTime>().map_err(|_| format!("`{start}` is no time"))?,
    };
    let rule = rule.as_deref().unwrap_or("FREQ=DAILY;COUNT=1");
    if !rule.chars().all(|sign| sign.is_ascii_alphanumeric() || "=;,+-".contains(sign)) {
        return Err(format!("`{}` is no recurrence rule", crate::schema::shortened(rule)));
    }
    let text = format!("DTSTART;TZID={zone}:{}\nRRULE:{rule}", local.strftime("%Y%m%dT%H%M%S"));
    text.parse::<RRuleSet>().map_err(|error| format!("its recurrence rule cannot be used: {error}"))
}
