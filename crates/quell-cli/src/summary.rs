//! What a scan says at its end: alerts, work done, and everything that was not read or not run.

use crate::alert_sink::severity_style;
use crate::console::{BOLD, Console, DIM, RED, YELLOW};
use crate::plain_text::{cut, escape};
use crate::units::{bytes, count, counted, duration, minute, rate};
use quell::{
    Alert, Code, HeldBack, InputWarning, Loss, NotRun, Report, Rule, RuleSeverity, Stats, StreamCounts,
    WarningLog,
};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::sync::Arc;

/// Lines that one part of the summary takes at most.
const LINES: usize = 10;
/// Hosts that are told apart; more are "more than".
const MAX_HOSTS: usize = 100_000;

/// What was shown, counted while it was.
#[derive(Debug, Default)]
pub struct Shown {
    by_rule: BTreeMap<String, (Arc<Rule>, u64)>,
    hosts: BTreeSet<String>,
    /// Alerts that were shown.
    pub alerts: u64,
    /// Building blocks that were not.
    pub hidden_blocks: u64,
    /// Alerts past `--limit`.
    pub past_limit: u64,
    /// Alerts below `--min-severity`.
    pub below_severity: u64,
    /// Alerts that were shown and fall into maintenance windows.
    pub in_maintenance: u64,
    /// Alerts whose record could not be read again; they are shown without its fields.
    pub unreadable: u64,
}

impl Shown {
    /// Counts an alert that is shown.
    pub fn add(&mut self, alert: &Alert, document: &Map<String, Value>) {
        self.alerts += 1;
        self.by_rule.entry(alert.rule.id.clone()).or_insert_with(|| (Arc::clone(&alert.rule), 0)).1 += 1;
        if self.hosts.len() < MAX_HOSTS
            && let Some(host) = crate::document::text(document, "host.name")
        {
            self.hosts.insert(host.into_owned());
        }
    }

    /// A rule that fired, for the hints.
    #[must_use]
    pub fn first_rule(&self) -> Option<&Rule> {
        self.by_rule.values().max_by_key(|(_, n)| *n).map(|(rule, _)| &**rule)
    }

    fn by_severity(&self) -> Vec<(RuleSeverity, u64)> {
        let mut counts: BTreeMap<RuleSeverity, u64> = BTreeMap::new();
        for (rule, n) in self.by_rule.values() {
            *counts.entry(rule.severity).or_default() += n;
        }
        counts.into_iter().rev().collect()
    }
}

/// Records that could not be had again for what was found in them: the first are named, also when quiet, all counted.
#[derive(Debug, Default)]
pub struct Unreadable(u64);

impl Unreadable {
    /// Counts one.
    pub fn tell(&mut self, console: &Console, message: &str) {
        if self.0 < LINES as u64 {
            console.error(message);
        }
        self.0 += 1;
    }

    /// How many there were, the unnamed ones of which are told.
    pub fn finish(self, console: &Console) -> u64 {
        let more = self.0.saturating_sub(LINES as u64);
        if more > 0 {
            console.error(&format!("and {} more that cannot be read again", count(more)));
        }
        self.0
    }
}

/// What a summary tells besides.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// How many rules ran.
    pub rules: usize,
    /// Those that cannot run yet, and why.
    pub not_run: &'a [NotRun],
    /// How many errors there are in the rules; they were told before.
    pub errors: u64,
    /// The command that lists them.
    pub list: &'a str,
    /// Commands that go on from here.
    pub next: &'a [String],
}

/// Writes the summary of a scan.
///
/// # Errors
/// What the stream says.
pub fn write(out: &mut dyn Write, shown: &Shown, report: &Report, told: &Told<'_>) -> io::Result<()> {
    write_alerts(out, shown, told)?;
    write_held(out, &report.held)?;
    write_alert_notes(out, shown, &report.stats)?;
    write_work(out, &report.stats)?;
    write_notes(out, &report.stats)?;
    if let Some(counts) = &report.stream {
        write_stream_notes(out, counts)?;
    }
    write_unread(out, &report.warnings)?;
    if told.errors > 0 {
        writeln!(
            out,
            "{RED}refused{RED:#}: {} in rules, exceptions or windows, told above",
            counted(told.errors, "error", "errors")
        )?;
    }
    write_not_run(out, told)?;
    write_interrupted(out, report.interrupted)?;
    if !told.next.is_empty() {
        writeln!(out, "{DIM}next:{DIM:#} {}", told.next.join(", "))?;
    }
    Ok(())
}

/// That the work was ended before its end.
pub fn write_interrupted(out: &mut dyn Write, interrupted: bool) -> io::Result<()> {
    if interrupted {
        writeln!(out, "{YELLOW}interrupted{YELLOW:#}: not everything was read")?;
    }
    Ok(())
}

/// `3 alerts (2 high, 1 medium) by 3 of 24 rules on 2 hosts`, and how many by each rule.
fn write_alerts(out: &mut dyn Write, shown: &Shown, told: &Told<'_>) -> io::Result<()> {
    write!(out, "{BOLD}{}{BOLD:#}", counted(shown.alerts, "alert", "alerts"))?;
    let severities: Vec<String> = shown
        .by_severity()
        .into_iter()
        .map(|(severity, n)| {
            let style = severity_style(severity);
            format!("{} {style}{}{style:#}", count(n), severity.as_str())
        })
        .collect();
    if !severities.is_empty() {
        write!(out, " ({})", severities.join(", "))?;
    }
    write!(
        out,
        " by {} of {}",
        count(shown.by_rule.len() as u64),
        counted(told.rules as u64, "rule", "rules")
    )?;
    if !shown.hosts.is_empty() {
        write!(out, " on {}", counted(shown.hosts.len() as u64, "host", "hosts"))?;
    }
    let left_out = [
        (shown.hidden_blocks, "building-block hit", "building-block hits", " (--show-building-blocks)"),
        (shown.below_severity, "alert", "alerts", " below --min-severity"),
        (shown.past_limit, "alert", "alerts", " past --limit"),
    ];
    for (n, one, many, why) in left_out {
        if n > 0 {
            write!(out, "; {} not shown{why}", counted(n, one, many))?;
        }
    }
    writeln!(out)?;
    let mut rules: Vec<&(Arc<Rule>, u64)> = shown.by_rule.values().collect();
    rules.sort_by(|a, b| {
        b.0.severity.cmp(&a.0.severity).then(b.1.cmp(&a.1)).then_with(|| a.0.name.cmp(&b.0.name))
    });
    for (rule, n) in rules.iter().take(LINES) {
        let style = severity_style(rule.severity);
        let name = escape(&rule.name);
        writeln!(
            out,
            "  {style}{:<8}{style:#} {:>6}  {}",
            rule.severity.as_str(),
            count(*n),
            cut(&name, 80)
        )?;
    }
    if rules.len() > LINES {
        writeln!(out, "  and {}", counted((rules.len() - LINES) as u64, "more rule", "more rules"))?;
    }
    Ok(())
}

/// What became of alerts: suppressed ones, those of maintenance windows.
fn write_alert_notes(out: &mut dyn Write, shown: &Shown, stats: &Stats) -> io::Result<()> {
    if stats.suppressed > 0 {
        let alerts = counted(stats.suppressed, "alert", "alerts");
        writeln!(
            out,
            "{DIM}suppressed: {alerts}, counted by the first of each kind (--show-held lists them){DIM:#}"
        )?;
    }
    if shown.in_maintenance > 0 {
        let alerts = counted(shown.in_maintenance, "alert", "alerts");
        writeln!(out, "{DIM}in maintenance windows: {alerts}; they leave the exit code alone{DIM:#}")?;
    }
    Ok(())
}

/// `held back: 12 hits by 2 exceptions`, and how many by each.
fn write_held(out: &mut dyn Write, held: &[HeldBack]) -> io::Result<()> {
    if held.is_empty() {
        return Ok(());
    }
    let mut items: BTreeMap<(&str, &str), (&str, u64)> = BTreeMap::new();
    for HeldBack { item, hits, .. } in held {
        items.entry((&item.list_id, &item.id)).or_insert((&item.name, 0)).1 += hits;
    }
    let mut items: Vec<(&str, u64)> = items.into_values().collect();
    let total: u64 = items.iter().map(|(_, hits)| hits).sum();
    writeln!(
        out,
        "{DIM}held back: {} by {} (--show-held lists them){DIM:#}",
        counted(total, "hit", "hits"),
        counted(items.len() as u64, "exception", "exceptions")
    )?;
    items.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    for (name, hits) in items.iter().take(LINES) {
        writeln!(out, "  {DIM}{:>6}  {}{DIM:#}", count(*hits), cut(&escape(name), 80))?;
    }
    if items.len() > LINES {
        writeln!(
            out,
            "  and {}",
            counted((items.len() - LINES) as u64, "more exception", "more exceptions")
        )?;
    }
    Ok(())
}

/// `312 files, 1.04 M events, 2.4 GB in 1.9 s (547 k events/s); 2023-04-01 22:00 to 2023-04-03 04:12 UTC`
pub fn write_work(out: &mut dyn Write, stats: &Stats) -> io::Result<()> {
    write!(
        out,
        "{}, {}, {} in {} ({} events/s)",
        counted(stats.files, "file", "files"),
        counted(stats.events, "event", "events"),
        bytes(stats.bytes),
        duration(stats.elapsed),
        rate(stats.events, stats.elapsed)
    )?;
    if let (Some(first), Some(last)) = (stats.first, stats.last) {
        write!(out, "; {} to {} UTC", minute(first), minute(last))?;
    }
    writeln!(out)
}

/// What a reader of the counts should know: events that took no part, or took part where they might not have.
pub fn write_notes(out: &mut dyn Write, stats: &Stats) -> io::Result<()> {
    let notes = [
        (stats.events_out_of_range, "outside --since and --until, or without a time"),
        (stats.events_without_index, "name no index: rules were run on them whatever their index patterns"),
        (stats.events_without_time, "without a time took no part in sequences or counts"),
    ];
    for (n, what) in notes {
        if n > 0 {
            writeln!(out, "{DIM}{} {what}{DIM:#}", counted(n, "event", "events"))?;
        }
    }
    let limits = [
        (stats.keys_cut, ["event", "events"], "with very many values in join keys took part with some alone"),
        (
            stats.context_forgotten,
            ["start or end of a process was", "starts and ends of processes were"],
            "forgotten: what is told of them is absent",
        ),
        (stats.tests_cut, ["test", "tests"], "of very long values ended early and may have missed a match"),
        (stats.results_lost, ["result", "results"], "left out by pipes that held very much already"),
        (
            stats.suppressions_let_go,
            ["first alert was", "first alerts were"],
            "let go early: others like it were not suppressed",
        ),
        (
            stats.maintenance_unknown,
            ["alert", "alerts"],
            "come after more starts of a maintenance window than are counted out",
        ),
    ];
    for (n, [one, many], what) in limits {
        if n > 0 {
            writeln!(out, "{YELLOW}limited{YELLOW:#}: {} {what}", counted(n, one, many))?;
        }
    }
    Ok(())
}

/// What was not joined as it would be in a log that is read as a whole.
fn write_stream_notes(out: &mut dyn Write, counts: &StreamCounts) -> io::Result<()> {
    let notes = [
        (counts.late, ["event", "events"], "came too late for sequences (--lateness)"),
        (counts.future, ["event", "events"], "from the future"),
        (counts.hurried, ["hit", "hits"], "joined before late ones could come (--max-state)"),
    ];
    for (n, [one, many], what) in notes {
        if n > 0 {
            writeln!(out, "{DIM}{} {what}{DIM:#}", counted(n, one, many))?;
        }
    }
    let forgotten = [
        (counts.future_dropped, ["hit", "hits"], "from the future dropped (--max-state)"),
        (
            counts.forgotten_processes,
            ["process was", "processes were"],
            "forgotten: descendants may be missed",
        ),
        (
            counts.forgotten_identities,
            ["record was", "records were"],
            "forgotten: of equal ones, alerts have one id",
        ),
    ];
    for (n, [one, many], what) in forgotten {
        if n > 0 {
            writeln!(out, "{YELLOW}limited{YELLOW:#}: {} {what}", counted(n, one, many))?;
        }
    }
    for (rule, n) in counts.evicted.iter().take(LINES) {
        let what = counted(*n, "pending sequence", "pending sequences");
        writeln!(out, "{YELLOW}limited{YELLOW:#}: {what} of {} dropped (--max-state)", escape(rule))?;
    }
    if counts.forgotten > 0 {
        let what = counted(counts.forgotten, "start or end of a process", "starts and ends of processes");
        writeln!(
            out,
            "{YELLOW}limited{YELLOW:#}: {what} forgotten: what is told of them is absent (--max-state)"
        )?;
    }
    for rule in counts.dropped.iter().take(LINES) {
        writeln!(out, "{YELLOW}dropped{YELLOW:#}: the saved state of {}, which has changed", escape(rule))?;
    }
    for (kind, n) in [("limited", counts.evicted.len()), ("dropped", counts.dropped.len())] {
        if n > LINES {
            writeln!(
                out,
                "{YELLOW}{kind}{YELLOW:#}: and {}",
                counted((n - LINES) as u64, "more rule", "more rules")
            )?;
        }
    }
    Ok(())
}

/// Whole inputs, records, and what cost nothing, each by name.
pub fn write_unread(out: &mut dyn Write, warnings: &WarningLog) -> io::Result<()> {
    let parts = [
        (Loss::Input, "not read", "input", "inputs"),
        (Loss::Records, "lost", "record", "records"),
        (Loss::Nothing, "noticed", "oddity", "oddities"),
    ];
    for (loss, what, one, many) in parts {
        let total = count_of(warnings, |code, found| found == loss && !is_no_log(code, found));
        if total == 0 {
            continue;
        }
        let of_kind: Vec<&InputWarning> = warnings
            .kept()
            .iter()
            .filter(|warning| warning.loss == loss && !is_no_log(warning.code, loss))
            .collect();
        writeln!(out, "{YELLOW}{what}{YELLOW:#}: {}", counted(total, one, many))?;
        for warning in of_kind.iter().take(LINES) {
            writeln!(out, "  {}", escape(&warning.to_string()))?;
        }
        let more = total.saturating_sub(of_kind.len().min(LINES) as u64);
        if more > 0 {
            writeln!(out, "  and {} more", count(more))?;
        }
    }
    let no_logs = count_of(warnings, is_no_log);
    if no_logs > 0 {
        writeln!(out, "{DIM}passed over: {} of no known format{DIM:#}", counted(no_logs, "file", "files"))?;
    }
    Ok(())
}

/// A file in a folder that is no log, such as a README: it is counted, and needs no attention.
fn is_no_log(code: Code, loss: Loss) -> bool {
    code == Code::UNRECOGNISED && loss == Loss::Nothing
}

fn count_of(warnings: &WarningLog, wanted: impl Fn(Code, Loss) -> bool) -> u64 {
    warnings.tallies().iter().filter(|tally| wanted(tally.code, tally.loss)).map(|tally| tally.count).sum()
}

/// `not run: 4 rules (…)`, and how many of them for each reason.
fn write_not_run(out: &mut dyn Write, told: &Told<'_>) -> io::Result<()> {
    let not_run = told.not_run;
    if not_run.is_empty() {
        return Ok(());
    }
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    for rule in not_run {
        *reasons.entry(rule.reason.as_str()).or_default() += 1;
    }
    let mut reasons: Vec<(&str, u64)> = reasons.into_iter().collect();
    reasons.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    writeln!(
        out,
        "{YELLOW}not run{YELLOW:#}: {} (`{}` names them)",
        counted(not_run.len() as u64, "rule", "rules"),
        told.list
    )?;
    for (reason, n) in reasons.iter().take(LINES) {
        writeln!(out, "  {:>6}  {}", count(*n), escape(reason))?;
    }
    if reasons.len() > LINES {
        writeln!(out, "  and {}", counted((reasons.len() - LINES) as u64, "more reason", "more reasons"))?;
    }
    Ok(())
}

/// What is told even when quiet: the inputs that could not be read.
pub fn tell_unread(console: &Console, warnings: &WarningLog) {
    let mut err = console.err();
    for warning in warnings.kept().iter().filter(|warning| warning.loss == Loss::Input) {
        let _ = writeln!(err, "{RED}error{RED:#}: {}", escape(&warning.to_string()));
    }
}
