//! `quell explain`: why a rule fired on these logs, or why it did not.

use crate::alert_row::event_cells;
use crate::arguments::General;
use crate::columns::{Cell, Column, Columns};
use crate::console::{BOLD, Console, DIM, YELLOW};
use crate::exception_options::ExceptionOptions;
use crate::exit::Exit;
use crate::failure::{Failure, until_closed};
use crate::findings::tell_unusable;
use crate::input_options::{InputOptions, InputPaths, exit_of, lost_hits, tell_spill_errors};
use crate::interrupt;
use crate::json_lines;
use crate::memory_options::MemoryOptions;
use crate::plain_text::{cut, escape};
use crate::progress::Bar;
use crate::rule_options::RuleOptions;
use crate::story::{Happening, Line, Stories, Story};
use crate::story_words::{Words, counts, kept_out, span_words, value_text};
use crate::summary::{self, Unreadable};
use crate::units::{count, counted, instant, iso};
use clap::Args;
use quell::{
    Constant, Documents, Explanation, Focus, NotExplained, Part, PartKind, PartVerdict, Reason, ReasonKind,
    ScanOptions, SeenEvent,
};
use serde_json::{Map, Value, json};
use std::io::{self, Write};

/// Tell why a rule fired on logs, or why it did not
///
/// Of a sequence it shows what happened to each key over time: which step was reached when, what replaced, ended or
/// refuted it, and what never came. Of an event (--event) it shows which tests of the rule's conditions hold.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    quell explain \"Scanner Then*\" ./logs                    the keys that came furthest\n  \
    quell explain my-rule.toml ./logs --key host.id=h1      one key from beginning to end\n  \
    quell explain my-rule.toml ./logs --event 4kbd3f        one event, test by test, and its keys\n  \
    quell explain my-rule.toml ./logs --output ndjson | jq 'select(.kind == \"key\")'")]
pub struct Explain {
    /// Id or name (`*` stands for anything), or a file that holds one rule
    #[arg(value_name = "RULE")]
    pub name: String,
    #[command(flatten)]
    pub input_paths: InputPaths,
    /// Only the event of this id, as alerts show it, and the keys that it took part in
    #[arg(long, value_name = "ID", help_heading = "Output")]
    pub event: Option<String>,
    /// Only where this join field has this value; repeatable
    #[arg(long, value_name = "FIELD=VALUE", value_parser = parse_key, help_heading = "Output")]
    pub key: Vec<(String, String)>,
    /// Tell of at most this many keys, those that came furthest first
    #[arg(long, value_name = "N", default_value_t = 5, help_heading = "Output")]
    pub limit: usize,
    /// How to print it [default: table on a terminal, else ndjson]
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Output")]
    pub output: Option<Output>,
    #[command(flatten)]
    pub input: InputOptions,
    /// Look at every event, whatever index the rule's patterns name
    #[arg(long, help_heading = "Rules")]
    pub any_index: bool,
    #[command(flatten)]
    pub memory: MemoryOptions,
    #[command(flatten)]
    pub rules: RuleOptions,
    #[command(flatten)]
    pub exceptions: ExceptionOptions,
}

/// How an explanation is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// Aligned columns, for people
    Table,
    /// The rule, each event and each key as one JSON object a line
    Ndjson,
}

fn parse_key(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((field, value)) if !field.trim().is_empty() => Ok((field.trim().to_owned(), value.to_owned())),
        _ => Err(String::from("expected FIELD=VALUE, such as host.id=h1")),
    }
}

impl Explain {
    pub fn run(&self, general: &General) -> Result<Exit, Failure> {
        let console = general.console();
        let (rule, exported, exit) = self.rules.load_one(&console, &self.name)?;
        let (exceptions, wrong) = self.exceptions.load(&exported);
        let exit = exit.or(tell_unusable(&console, &wrong));
        let options =
            ScanOptions { exceptions, any_index: self.any_index, ..self.input.scan_options(general)? };
        let options = self.memory.apply(options, &console)?;
        let explain = match quell::Explain::new(rule, &self.rules.compile_options(), options) {
            Ok(explain) => explain,
            Err(NotExplained::NotRun(not_run)) => return Err(Failure::unusable(not_run.reason)),
            Err(NotExplained::Refused(findings)) => return Ok(exit.or(tell_unusable(&console, &findings))),
        };
        let exit = exit.or(tell_unusable(&console, explain.findings()));
        let focus = Focus { event: self.event.clone(), keys: self.key.clone() };
        check_keys(&explain, &focus)?;

        let mut stories = Stories::new(&explain, self.event.as_deref());
        interrupt::listen();
        let bar = Bar::new(&console);
        let explanation =
            explain.run_to(&self.input_paths.paths, &focus, &bar, &mut |told| stories.told(told));
        bar.clear();
        tell_spill_errors(&console, &explanation.report);
        let forgotten = stories.forgotten;
        let told = Telling {
            words: Words { explain: &explain, end: explanation.report.stats.last },
            explanation: &explanation,
            stories: stories.finish(),
            forgotten,
            limit: self.limit,
            focus: &focus,
        };
        let kind =
            self.output.unwrap_or(if console.out_is_terminal() { Output::Table } else { Output::Ndjson });
        let unreadable = match kind {
            Output::Table => told.table(&console)?,
            Output::Ndjson => told.ndjson(&console)?,
        };
        told.summarize(&console);
        let unseen = self.event.as_ref().filter(|_| explanation.events.is_empty());
        if let Some(event) = unseen {
            console.error(&format!("no event of the id `{event}` was read"));
        }
        Ok(exit
            .or(exit_of(&self.input, &explanation.report.warnings))
            .or_if(unseen.is_some() || unreadable > 0 || lost_hits(&explanation.report), Exit::Unusable)
            .or_if(explanation.report.interrupted, Exit::Interrupted))
    }
}

/// That each field of `--key` is a join field.
fn check_keys(explain: &quell::Explain, focus: &Focus) -> Result<(), Failure> {
    let fields: Vec<_> = explain.join_fields().into_iter().flatten().collect();
    match focus.keys.iter().find(|(name, _)| !fields.iter().any(|field| **field == **name)) {
        None => Ok(()),
        Some((name, _)) => {
            let help = if fields.is_empty() {
                String::from("the rule joins its events by no field")
            } else {
                format!("its join fields are {}", fields.join(", "))
            };
            Err(Failure::usage(format!("`{name}` is no join field of the rule")).help(help))
        }
    }
}

/// All that is told.
struct Telling<'t> {
    words: Words<'t>,
    explanation: &'t Explanation,
    stories: Vec<Story>,
    forgotten: u64,
    limit: usize,
    focus: &'t Focus,
}

/// The number of a part, its condition, what came to it.
const PARTS: [Column; 3] = [Column::word(6), Column::text(60, 40), Column::rest()];
/// Time, part, what happened, host, user, process, what the event is about.
const STORY: [Column; 7] = [
    Column::word(29),
    Column::word(6),
    Column::text(100, 60),
    Column::text(24, 13),
    Column::text(24, 13),
    Column::text(24, 13),
    Column::rest(),
];
/// Time, category, host, user, process, what the event is about.
const EVENT: [Column; 6] = [
    Column::word(19),
    Column::word(16),
    Column::text(24, 13),
    Column::text(24, 13),
    Column::text(24, 13),
    Column::rest(),
];
/// A test, and what the event has.
const REASONS: [Column; 2] = [Column::text(90, 60), Column::rest()];

impl Telling<'_> {
    fn parts(&self) -> &[Part] {
        self.words.explain.parts()
    }

    /// Prints it for people; says how many records could not be read again.
    fn table(&self, console: &Console) -> Result<u64, Failure> {
        let mut out = console.out();
        let mut shown = Shown::new(console, self.explanation);
        let written = self.write_rule(&mut out, console).and_then(|()| {
            self.explanation
                .events
                .iter()
                .try_for_each(|event| self.write_event(&mut out, &mut shown, event))?;
            self.stories
                .iter()
                .take(self.limit)
                .try_for_each(|story| self.write_story(&mut out, &mut shown, story))?;
            self.write_rest(&mut out)
        });
        until_closed(written)?;
        Ok(shown.unreadable.finish(console))
    }

    fn write_rule(&self, out: &mut dyn Write, console: &Console) -> io::Result<()> {
        let explain = self.words.explain;
        let name = explain.rule().map(|rule| rule.name.as_str()).unwrap_or_default();
        writeln!(out, "{BOLD}{}{BOLD:#}{}", escape(name), escape(&self.shape()))?;
        let mut columns = Columns::new(&PARTS, console.width());
        for ((number, part), came) in self.parts().iter().enumerate().zip(&self.explanation.counts) {
            let text =
                if part.kind == PartKind::Missing { format!("![{}]", part.text) } else { part.text.clone() };
            let text = if part.runs > 1 { format!("{text} with runs={}", part.runs) } else { text };
            let text = cut(&text, MOST_CONDITION);
            columns.row(
                out,
                vec![
                    Cell::styled(&self.words.number(number), BOLD),
                    Cell::new(&text),
                    Cell::new(&counts(part, came)),
                ],
            )?;
        }
        columns.finish(out)?;
        for note in self.notes() {
            writeln!(out, "{}", escape(&note))?;
        }
        Ok(())
    }

    /// `: sequence by host.id with maxspan 1 min`.
    fn shape(&self) -> String {
        let explain = self.words.explain;
        let fields: Vec<String> = explain.join_fields().iter().map(|names| names.join(" / ")).collect();
        let by = if fields.is_empty() { String::new() } else { format!(" by {}", fields.join(", ")) };
        let maxspan = explain.maxspan().and_then(|span| i64::try_from(span.as_nanos()).ok());
        let maxspan =
            maxspan.map(|span| format!(" within {}", crate::units::interval(span))).unwrap_or_default();
        match self.parts().first().map(|part| part.kind) {
            Some(PartKind::Step | PartKind::Missing) => format!(": a sequence{by}{maxspan}"),
            Some(PartKind::Filter) => format!(": a sample{by}"),
            _ => match (explain.threshold(), explain.history()) {
                (Some(threshold), _) => format!(": a count{by} within {}", span_words(threshold.window)),
                (None, Some(history)) => format!(": values{by} that are new within {}", span_words(history)),
                (None, None) => String::from(": single events"),
            },
        }
    }

    /// What was found, and what kept events from taking part.
    fn notes(&self) -> Vec<String> {
        let explanation = self.explanation;
        let (one, many) = match self.parts().first().map(|part| part.kind) {
            Some(PartKind::Step | PartKind::Missing) => ("sequence", "sequences"),
            Some(PartKind::Filter) => ("sample", "samples"),
            _ if self.words.explain.counts() => ("alert", "alerts"),
            _ => ("event", "events"),
        };
        /// What satisfied a condition but takes no part.
        const HITS: [&str; 2] = ["match", "matches"];
        let mut notes = vec![format!("{} found", counted(explanation.found, one, many))];
        let left_out = [
            (explanation.refuted, [one, many], "refuted by what must not come"),
            (
                explanation.outside_index,
                HITS,
                "left out by the rule's index patterns (--any-index ignores them)",
            ),
            (explanation.without_key, HITS, "left out for want of a join field's value"),
            (explanation.report.stats.events_without_time, HITS, "left out for want of a time"),
        ];
        notes.extend(
            left_out
                .iter()
                .filter(|(n, ..)| *n > 0)
                .map(|(n, [one, many], why)| format!("{} {why}", counted(*n, one, many))),
        );
        if explanation.report.stats.events == 0 {
            return notes;
        }
        let parts = self.parts().iter().zip(&explanation.counts).zip(&explanation.absent).enumerate();
        for (number, ((part, came), absent)) in parts {
            let needed = matches!(part.kind, PartKind::Event | PartKind::Step | PartKind::Filter);
            if !needed || came.matched > 0 {
                continue;
            }
            let what = match part.kind {
                PartKind::Event => String::from("the rule"),
                PartKind::Filter => format!("filter {}", number + 1),
                _ => format!("step {}", number + 1),
            };
            let absent: Vec<String> = absent.iter().map(|field| format!("`{field}`")).collect();
            let why = match absent.as_slice() {
                [] => String::from("its fields are there, but not with these values in one event"),
                names => format!("no event has {}", names.join(" or ")),
            };
            notes.push(format!("no event took part in {what}: {why}"));
        }
        notes
    }

    fn write_event(&self, out: &mut dyn Write, shown: &mut Shown<'_>, event: &SeenEvent) -> io::Result<()> {
        writeln!(out, "\n{BOLD}event {}{BOLD:#}", escape(&event.id))?;
        let happening =
            Happening { id: event.id.as_str().into(), time: event.time, record: event.record.clone() };
        let mut columns = Columns::new(&EVENT, shown.width);
        columns.row(out, shown.cells(&happening))?;
        columns.finish(out)?;
        for (number, verdict) in event.verdicts.iter().enumerate() {
            let Some(part) = self.parts().get(number) else { continue };
            let of = match part.kind {
                PartKind::Event => String::from("the rule"),
                PartKind::Step => format!("step {}", number + 1),
                PartKind::Missing => format!("step {}, which must not come", number + 1),
                PartKind::Until => String::from("until"),
                PartKind::Filter => format!("filter {}", number + 1),
            };
            writeln!(out, "{of}: {}", in_words(verdict.holds))?;
            write_reasons(out, shown.width, &verdict.reason)?;
            for why in &verdict.kept_out {
                writeln!(out, "  {YELLOW}{}{YELLOW:#}", escape(&kept_out(why)))?;
            }
        }
        Ok(())
    }

    fn write_story(&self, out: &mut dyn Write, shown: &mut Shown<'_>, story: &Story) -> io::Result<()> {
        let far = format!("{}{}", escape(&self.words.key(&story.key)), self.came_to(story));
        writeln!(out, "\n{BOLD}{far}{BOLD:#}")?;
        let mut columns = Columns::new(&STORY, shown.width);
        for (number, (n, first)) in story.filters.iter().enumerate() {
            let words = counted(*n, "event", "events");
            let time = first.as_ref().and_then(|first| first.time).map(instant).unwrap_or_default();
            self.row(
                out,
                &mut columns,
                shown,
                [&time, &self.words.number(number), &words],
                first.as_ref(),
                false,
            )?;
        }
        let [head, marked, tail] = story.lines();
        for (at, line) in head.iter().chain(&marked).chain(&tail).enumerate() {
            if at == head.len() && story.omitted > 0 {
                let words =
                    format!("… {} left out, but for what decided", counted(story.omitted, "line", "lines"));
                columns.row(out, vec![Cell::new(""), Cell::new(""), Cell::styled(&words, DIM)])?;
            }
            self.write_line(out, &mut columns, shown, line)?;
        }
        columns.finish(out)
    }

    fn write_line(
        &self,
        out: &mut dyn Write,
        columns: &mut Columns<'_>,
        shown: &mut Shown<'_>,
        line: &Line,
    ) -> io::Result<()> {
        let number = self.words.number(self.words.part(&line.what));
        let cells = [&*self.words.when(line), &number, &self.words.line(line)];
        self.row(out, columns, shown, cells, line.event.as_ref(), line.marked)
    }

    fn row(
        &self,
        out: &mut dyn Write,
        columns: &mut Columns<'_>,
        shown: &mut Shown<'_>,
        [time, number, words]: [&str; 3],
        event: Option<&Happening>,
        marked: bool,
    ) -> io::Result<()> {
        let style = if marked { BOLD } else { anstyle::Style::new() };
        let mut cells =
            vec![Cell::styled(time, style), Cell::styled(number, style), Cell::styled(words, style)];
        if let Some(event) = event {
            cells.extend(shown.cells(event).into_iter().skip(2));
        }
        columns.row(out, cells)
    }

    /// `: 2 found`, or how far it came.
    fn came_to(&self, story: &Story) -> String {
        let places = self.words.explain.places();
        match (story.found, story.furthest.checked_sub(1)) {
            (0, _) if places == 0 && story.filters.is_empty() => String::from(": no alert"),
            (0, _) if places == 0 => format!(": {} of {} filters", story.furthest, story.filters.len()),
            (0, None) => String::from(": no step reached"),
            (0, Some(_)) if story.furthest == places => String::from(": all steps reached, but not found"),
            (0, Some(place)) => format!(": came to {}", self.words.step(place)),
            (found, _) => format!(": {} found", count(found)),
        }
    }

    fn write_rest(&self, out: &mut dyn Write) -> io::Result<()> {
        let joins = self.parts().first().is_some_and(|part| part.kind != PartKind::Event);
        let asked = !self.explanation.events.is_empty() || !self.focus.keys.is_empty();
        if joins && asked && self.stories.is_empty() {
            let words = match self.focus.keys.is_empty() {
                true => "the event takes no part: nothing happened to any key because of it",
                false => "nothing happened to such a key",
            };
            writeln!(out, "\n{words}")?;
        }
        let more = self.stories.len().saturating_sub(self.limit) as u64;
        if more > 0 {
            let words = counted(more, "more key, which came", "more keys, which came");
            writeln!(out, "\n{words} no further than these; --limit shows more, --key one")?;
        }
        if self.forgotten > 0 {
            let words = counted(self.forgotten, "key that came", "keys that came");
            writeln!(out, "{words} least far were forgotten for want of memory; --key shows one in full")?;
        }
        Ok(())
    }

    /// Prints it for programs; nothing is read again for that.
    fn ndjson(&self, console: &Console) -> Result<u64, Failure> {
        let mut out = console.data();
        let written = std::iter::once(self.rule_object())
            .chain(self.explanation.events.iter().map(event_object))
            .chain(self.stories.iter().take(self.limit).map(|story| self.story_object(story)))
            .try_for_each(|object| json_lines::line(&mut out, &object))
            .and_then(|()| out.flush());
        until_closed(written)?;
        Ok(0)
    }

    fn rule_object(&self) -> Value {
        let explanation = self.explanation;
        let parts = self.parts().iter().zip(&explanation.counts).zip(&explanation.absent);
        let parts: Vec<Value> = parts
            .map(|((part, came), absent)| {
                json!({
                    "kind": part_kind(part.kind),
                    "condition": part.text,
                    "runs": part.runs,
                    "by": part.by,
                    "fields_in_no_event": absent,
                    "events": came.matched,
                    "reached": came.reached,
                    "replaced": came.replaced,
                    "nothing_waited": came.nothing,
                    "unlike": came.unlike,
                    "too_late": came.too_long,
                    "ended": came.ended,
                    "waited_in_vain": came.left,
                })
            })
            .collect();
        let rule = self.words.explain.rule();
        json!({
            "kind": "rule",
            "rule_id": rule.map(|rule| rule.id.as_str()),
            "name": rule.map(|rule| rule.name.as_str()),
            "parts": parts,
            "found": explanation.found,
            "refuted": explanation.refuted,
            "outside_index": explanation.outside_index,
            "without_key": explanation.without_key,
            "keys": self.stories.len() as u64 + self.forgotten,
        })
    }

    fn story_object(&self, story: &Story) -> Value {
        let filters: Vec<Value> = story
            .filters
            .iter()
            .map(|(n, first)| json!({"events": n, "first": first.as_ref().map(happening_object)}))
            .collect();
        let [head, marked, tail] = story.lines();
        let lines: Vec<Value> = head
            .iter()
            .chain(&marked)
            .chain(&tail)
            .map(|line| {
                json!({
                    "@timestamp": iso(line.time),
                    "step": self.words.number(self.words.part(&line.what)),
                    "what": self.words.line(line),
                    "event": line.event.as_ref().map(happening_object),
                    "times": line.count,
                })
            })
            .collect();
        let mut object = json!({
            "kind": "key",
            "key": story.key.iter().map(constant).collect::<Vec<Value>>(),
            "found": story.found,
            "furthest": story.furthest,
            "lines_left_out": story.omitted,
        });
        if let Some(object) = object.as_object_mut() {
            let (name, list) = if filters.is_empty() { ("lines", lines) } else { ("filters", filters) };
            object.insert(name.to_owned(), Value::Array(list));
        }
        object
    }

    fn summarize(&self, console: &Console) {
        let report = &self.explanation.report;
        if console.quiet {
            summary::tell_unread(console, &report.warnings);
            return;
        }
        let mut err = console.err();
        let _ = summary::write_work(&mut err, &report.stats);
        let _ = summary::write_unread(&mut err, &report.warnings);
        let _ = summary::write_interrupted(&mut err, report.interrupted);
    }
}

/// The columns that a condition takes at most where nothing need be cut.
const MOST_CONDITION: usize = 120;

/// What makes rows of events: it reads their records again.
struct Shown<'s> {
    console: &'s Console,
    documents: Documents<'s>,
    unreadable: Unreadable,
    width: Option<usize>,
}

impl<'s> Shown<'s> {
    fn new(console: &'s Console, explanation: &'s Explanation) -> Shown<'s> {
        let documents = explanation.report.documents();
        Shown { console, documents, unreadable: Unreadable::default(), width: console.width() }
    }

    fn cells(&mut self, event: &Happening) -> Vec<Cell> {
        let document = self.documents.record(&event.record).unwrap_or_else(|error| {
            self.unreadable.tell(self.console, &error.to_string());
            Map::new()
        });
        event_cells(event.time, &document)
    }
}

fn in_words(holds: Option<bool>) -> &'static str {
    match holds {
        Some(true) => "match",
        Some(false) => "no match",
        None => "a match if events before it allow",
    }
}

/// The tree of a condition, a line each.
fn write_reasons(out: &mut dyn Write, width: Option<usize>, reason: &Reason) -> io::Result<()> {
    let mut columns = Columns::new(&REASONS, width);
    let mut rows = Vec::new();
    let decides = reason.kind == ReasonKind::And && reason.holds == Some(false);
    tree(reason, "  ", "  ", &mut |depth, row| rows.push((depth, row)), 0);
    for (depth, (text, reason)) in rows {
        let mark = if decides && depth == 1 && reason.holds == Some(false) { "  <- decides" } else { "" };
        let style = if reason.holds == Some(false) { YELLOW } else { anstyle::Style::new() };
        columns
            .row(out, vec![Cell::styled(&text, style), Cell::new(&format!("{}{mark}", values(reason)))])?;
    }
    columns.finish(out)
}

fn tree<'r>(
    reason: &'r Reason,
    first: &str,
    rest: &str,
    row: &mut impl FnMut(usize, (String, &'r Reason)),
    depth: usize,
) {
    let word = match &reason.kind {
        ReasonKind::And => String::from("and"),
        ReasonKind::Or => String::from("or"),
        ReasonKind::Not => String::from("not"),
        ReasonKind::Constant => String::from("always"),
        ReasonKind::Test { text, .. } => cut(text, MOST_CONDITION).into_owned(),
    };
    let holds = match reason.holds {
        Some(true) => "true ",
        Some(false) => "false",
        None => "open ",
    };
    row(depth, (format!("{first}{holds}  {word}"), reason));
    let last = reason.parts.len().saturating_sub(1);
    for (at, part) in reason.parts.iter().enumerate() {
        let (branch, below) = if at == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        tree(part, &format!("{rest}{branch}"), &format!("{rest}{below}"), row, depth + 1);
    }
}

/// What the event has in the fields of a test; where that is one field, its values alone.
fn values(reason: &Reason) -> String {
    /// Values that are shown of one field.
    const MOST: usize = 8;
    let ReasonKind::Test { read, .. } = &reason.kind else { return String::new() };
    let list = |values: &[Constant]| {
        let shown = values.iter().take(MOST).map(|value| constant(value).to_string());
        let more = (values.len() > MOST).then(|| String::from("…"));
        match values {
            [] => String::from("absent"),
            [one] => constant(one).to_string(),
            _ => format!("[{}]", shown.chain(more).collect::<Vec<_>>().join(", ")),
        }
    };
    match read.as_slice() {
        [(_, values)] => list(values),
        many => many
            .iter()
            .map(|(path, values)| format!("{path} = {}", list(values)))
            .collect::<Vec<_>>()
            .join(", "),
    }
}

fn part_kind(kind: PartKind) -> &'static str {
    match kind {
        PartKind::Event => "event",
        PartKind::Step => "step",
        PartKind::Missing => "missing",
        PartKind::Until => "until",
        PartKind::Filter => "filter",
    }
}

fn event_object(event: &SeenEvent) -> Value {
    let verdict = |verdict: &PartVerdict| {
        json!({
            "holds": verdict.holds,
            "kept_out": verdict.kept_out.iter().map(kept_out).collect::<Vec<_>>(),
            "keys": verdict.keys.iter().map(|key| key.iter().map(constant).collect()).collect::<Vec<Vec<Value>>>(),
            "condition": reason_object(&verdict.reason),
        })
    };
    json!({
        "kind": "event",
        "id": event.id,
        "@timestamp": event.time.map(iso),
        "parts": event.verdicts.iter().map(verdict).collect::<Vec<_>>(),
    })
}

fn reason_object(reason: &Reason) -> Value {
    let parts = || reason.parts.iter().map(reason_object).collect::<Vec<_>>();
    match &reason.kind {
        ReasonKind::And => json!({"holds": reason.holds, "and": parts()}),
        ReasonKind::Or => json!({"holds": reason.holds, "or": parts()}),
        ReasonKind::Not => json!({"holds": reason.holds, "not": parts()}),
        ReasonKind::Constant => json!({"holds": reason.holds}),
        ReasonKind::Test { text, read } => {
            let values =
                read.iter().map(|(path, values)| (path.to_string(), values.iter().map(constant).collect()));
            json!({"holds": reason.holds, "test": text, "values": values.collect::<Map<String, Value>>()})
        }
    }
}

fn happening_object(event: &Happening) -> Value {
    json!({"id": &*event.id, "@timestamp": event.time.map(iso)})
}

fn constant(value: &Constant) -> Value {
    match value {
        Constant::Null => Value::Null,
        Constant::Boolean(b) => json!(b),
        Constant::Integer(n) => json!(n),
        Constant::Unsigned(n) => json!(n),
        Constant::Float(n) => json!(n),
        Constant::Text(_) => json!(value_text(value)),
    }
}
