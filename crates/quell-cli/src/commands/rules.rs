//! `quell rules`: which rules there are, and what one of them looks for.

use crate::arguments::General;
use crate::columns::{Cell, Column, Columns};
use crate::console::{BOLD, Console, DIM, YELLOW};
use crate::exit::Exit;
use crate::failure::{Failure, until_closed};
use crate::findings::tell_unusable;
use crate::json_lines;
use crate::plain_text::{escape, escape_lines};
use crate::rule_options::RuleOptions;
use crate::units::{count, counted};
use clap::{Args, Subcommand};
use quell::{Outcome, Rule, RuleKind, Sharding, compile_rule};
use serde_json::{Map, Value, json};
use std::io::{self, Write};

/// List rules, or show one
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    quell rules list                              the built-in rules\n  \
    quell rules list --rules rules/ --output json\n  \
    quell rules show \"Detect Network*\"            one rule, by name or id")]
pub struct Rules {
    #[command(subcommand)]
    pub action: Action,
}

/// What is asked about rules.
#[derive(Debug, Subcommand)]
pub enum Action {
    List(List),
    Show(Show),
    Template(Template),
}

/// List the rules: severity, type, whether they run, id, name
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    quell rules list --technique T1046\n  \
    quell rules list --rules my-rules/ --output ndjson | jq 'select(.runs | not)'")]
pub struct List {
    /// How to print them
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "table")]
    pub output: ListOutput,
    #[command(flatten)]
    pub rules: RuleOptions,
}

/// How a list is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ListOutput {
    /// Aligned columns
    Table,
    /// A JSON list
    Json,
    /// One JSON object a line
    Ndjson,
}

/// Show one rule: what it says of itself, its query, the fields it reads
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    quell rules show \"Detect Network*\"\n  \
    quell rules show 9a1b2c3d-… --rules my-rules/ --output json")]
pub struct Show {
    /// Id or name (`*` stands for anything), or a file that holds one rule
    #[arg(value_name = "RULE")]
    pub name: String,
    /// How to print it
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    pub output: ShowOutput,
    #[command(flatten)]
    pub rules: RuleOptions,
}

/// How a rule is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ShowOutput {
    /// For people
    Text,
    /// A JSON object
    Json,
}

impl Rules {
    pub fn run(&self, general: &General) -> Result<Exit, Failure> {
        let console = general.console();
        match &self.action {
            Action::List(list) => list.run(&console),
            Action::Show(show) => show.run(&console),
            Action::Template(template) => template.run(&console),
        }
    }
}

/// List the templates of exceptions and maintenance windows, or print one to be filled in
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    quell rules template\n  \
    quell rules template t1046/inventory-scans > inventory.toml")]
pub struct Template {
    /// The template's name
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
}

impl Template {
    fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let templates = quell::templates();
        let mut out = console.data();
        let text = match &self.name {
            None => templates.iter().map(|(name, _)| format!("{name}\n")).collect(),
            Some(wanted) => {
                let found = templates.iter().find(|(name, _)| name == wanted);
                let Some((_, text)) = found else {
                    let near = quell::near_names(wanted, templates.iter().map(|(name, _)| name.as_str()));
                    let failure = Failure::usage(format!("there is no template `{wanted}`"));
                    let help = quell::did_you_mean(&near);
                    return Err(failure
                        .help(help.unwrap_or_else(|| String::from("`quell rules template` lists them"))));
                };
                (*text).to_owned()
            }
        };
        until_closed(out.write_all(text.as_bytes()).and_then(|()| out.flush()))?;
        Ok(Exit::Success)
    }
}

impl List {
    fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let set = self.rules.load()?;
        let options = self.rules.compile_options();
        let rules: Vec<(&Rule, Outcome)> =
            set.rules.iter().map(|rule| (rule, compile_rule(rule, &options))).collect();
        let refused = rules.iter().any(|(_, outcome)| matches!(outcome, Outcome::Refused(_)));
        let exit = tell_unusable(console, &set.findings).or_if(refused, Exit::Unusable);
        until_closed(match self.output {
            ListOutput::Table => table(console, &rules),
            ListOutput::Json => {
                let list: Vec<Value> = rules.iter().map(|(rule, outcome)| object(rule, outcome)).collect();
                let mut out = console.data();
                json_lines::pretty(&mut out, &list).and_then(|()| out.flush())
            }
            ListOutput::Ndjson => {
                let mut out = console.data();
                rules
                    .iter()
                    .try_for_each(|(rule, outcome)| json_lines::line(&mut out, &object(rule, outcome)))
                    .and_then(|()| out.flush())
            }
        })?;
        Ok(exit)
    }
}

impl Show {
    fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let (rule, _, exit) = self.rules.load_one(console, &self.name)?;
        let (rule, outcome) = (&rule, compile_rule(&rule, &self.rules.compile_options()));
        until_closed(match self.output {
            ShowOutput::Text => show(&mut console.out(), rule, &outcome),
            ShowOutput::Json => {
                let mut full = object(rule, &outcome);
                if let Some(object) = full.as_object_mut() {
                    object.insert(String::from("rule"), Value::Object(rule.fields.clone()));
                }
                let mut out = console.data();
                json_lines::pretty(&mut out, &full).and_then(|()| out.flush())
            }
        })?;
        Ok(exit)
    }
}

/// Severity, type, state, id, name.
const COLUMNS: [Column; 5] =
    [Column::word(8), Column::word(16), Column::text(40, 30), Column::word(36), Column::rest()];

fn table(console: &Console, rules: &[(&Rule, Outcome)]) -> io::Result<()> {
    let mut out = console.out();
    let mut columns = Columns::new(&COLUMNS, console.width());
    let mut runs = 0u64;
    for (rule, outcome) in rules {
        let state = State::of(outcome);
        runs += u64::from(state.runs);
        let style = if state.runs { anstyle::Style::new() } else { YELLOW };
        let cells = vec![
            Cell::styled(rule.severity.as_str(), crate::alert_sink::severity_style(rule.severity)),
            Cell::new(rule.kind.as_str()),
            Cell::styled(state.reason.as_deref().unwrap_or("runs"), style),
            Cell::styled(&rule.id, DIM),
            Cell::new(&rule.name),
        ];
        columns.row(&mut out, cells)?;
    }
    columns.finish(&mut out)?;
    if console.quiet {
        return Ok(());
    }
    let total = rules.len() as u64;
    let rest = if runs == total { String::new() } else { format!(", {} of them cannot run", total - runs) };
    let mut err = console.err();
    writeln!(err, "{}{rest}", counted(total, "rule", "rules"))?;
    for line in by_type(rules) {
        writeln!(err, "  {line}")?;
    }
    Ok(())
}

/// How many rules of each type run: `query 253`, `esql 0 of 98`.
fn by_type(rules: &[(&Rule, Outcome)]) -> Vec<String> {
    let line = |kind: RuleKind| {
        let of_kind = || rules.iter().filter(|(rule, _)| rule.kind == kind);
        let (all, run) =
            (of_kind().count(), of_kind().filter(|(_, outcome)| State::of(outcome).runs).count());
        let [all, run] = [all, run].map(|n| count(n as u64));
        let of = if run == all { String::new() } else { format!(" of {all}") };
        (all != "0").then(|| format!("{:<17}{run}{of}", kind.as_str()))
    };
    RuleKind::ALL.into_iter().filter_map(line).collect()
}

/// Whether a rule runs, and why not.
struct State {
    runs: bool,
    reason: Option<String>,
}

impl State {
    fn of(outcome: &Outcome) -> State {
        match outcome {
            Outcome::Runs { .. } => State { runs: true, reason: None },
            Outcome::NotRunYet { reason, .. } => State { runs: false, reason: Some(reason.clone()) },
            Outcome::Refused(errors) => {
                let first = errors.first().map(|error| error.message.as_str()).unwrap_or_default();
                State { runs: false, reason: Some(format!("refused: {first}")) }
            }
        }
    }
}

fn object(rule: &Rule, outcome: &Outcome) -> Value {
    let state = State::of(outcome);
    json!({
        "rule_id": rule.id,
        "name": rule.name,
        "version": rule.version,
        "severity": rule.severity.as_str(),
        "risk_score": rule.risk_score,
        "type": rule.kind.as_str(),
        "language": rule.language.map(|language| language.as_str()),
        "runs": state.runs,
        "reason": state.reason,
        "building_block": rule.building_block,
        "deprecated": rule.deprecated,
        "tags": rule.tags,
        "techniques": techniques(rule),
        "index": rule.index,
        "fields": fields(outcome),
        "sharding": sharding(outcome),
        "source": rule.origin.path.display().to_string(),
        "format": rule.origin.format.as_str(),
    })
}

fn techniques(rule: &Rule) -> Vec<&str> {
    rule.threat.iter().flat_map(|threat| &threat.techniques).map(|technique| technique.id.as_str()).collect()
}

/// The fields that the query reads.
fn fields(outcome: &Outcome) -> Vec<String> {
    outcome.query().map(|query| query.fields().iter().map(ToString::to_string).collect()).unwrap_or_default()
}

/// How the correlation of its hits can be split: by nothing, by fields, or by anything.
fn sharding(outcome: &Outcome) -> Value {
    match outcome.query().map(quell::Query::sharding) {
        None => Value::Null,
        Some(Sharding::Free) => "free".into(),
        Some(Sharding::SingleLane) => "single lane".into(),
        Some(Sharding::Fields(fields)) => fields.iter().map(|field| Value::from(&**field)).collect(),
    }
}

fn sharding_in_words(outcome: &Outcome) -> String {
    match outcome.query().map(quell::Query::sharding) {
        None => String::new(),
        Some(Sharding::Free) => String::from("freely: each event stands alone"),
        Some(Sharding::SingleLane) => String::from("not at all: a single lane"),
        Some(Sharding::Fields(fields)) => format!("by {}", fields.join(", ")),
    }
}

fn show(out: &mut dyn Write, rule: &Rule, outcome: &Outcome) -> io::Result<()> {
    let state = State::of(outcome);
    writeln!(out, "{BOLD}{}{BOLD:#}", escape(&rule.name))?;
    let severity = crate::alert_sink::severity_style(rule.severity);
    writeln!(
        out,
        "{severity}{}{severity:#}, risk score {}, version {}",
        rule.severity.as_str(),
        rule.risk_score,
        escape(&rule.version)
    )?;
    if !rule.description.trim().is_empty() {
        writeln!(out, "\n{}", escape_lines(rule.description.trim()))?;
    }
    writeln!(out)?;
    // `eql in eql` says nothing.
    let language =
        rule.language.map(|language| language.as_str()).filter(|language| *language != rule.kind.as_str());
    let language = language.map(|language| format!(" in {language}")).unwrap_or_default();
    let marks = [(rule.building_block, ", building block"), (rule.deprecated, ", deprecated")];
    let marks: String = marks.iter().filter(|(on, _)| *on).map(|(_, text)| *text).collect();
    let index = rule.index.as_ref().map_or_else(|| String::from("any"), |patterns| patterns.join(", "));
    let attack: Vec<String> = rule
        .threat
        .iter()
        .map(|threat| {
            let names =
                threat.techniques.iter().map(|technique| format!("{} {}", technique.id, technique.name));
            let names: Vec<String> = names.collect();
            format!("{} {}: {}", threat.tactic_id, threat.tactic_name, names.join(", "))
        })
        .collect();
    let rows = [
        ("id", rule.id.clone()),
        ("type", format!("{}{language}{marks}", rule.kind.as_str())),
        ("runs", state.reason.map_or_else(|| String::from("yes"), |reason| format!("no: {reason}"))),
        ("source", format!("{} ({})", rule.origin.path.display(), rule.origin.format.as_str())),
        ("index", index),
        ("ATT&CK", attack.join("; ")),
        ("tags", rule.tags.join(", ")),
        ("fields", fields(outcome).join(", ")),
        ("shards", sharding_in_words(outcome)),
        ("data", data_sources(&rule.fields)),
    ];
    for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        writeln!(out, "{BOLD}{name:<8}{BOLD:#} {}", escape(value))?;
    }
    if let Some(query) = &rule.query {
        writeln!(out, "\n{}", indented(query.text.trim(), 0))?;
    }
    for (name, title) in
        [("setup", "Setup"), ("false_positives", "False positives"), ("references", "References")]
    {
        let items = lines_of(rule.fields.get(name));
        if !items.is_empty() {
            writeln!(out, "\n{BOLD}{title}{BOLD:#}")?;
            for item in items {
                writeln!(out, "{}", indented(item.trim(), common_indentation(item.trim())))?;
            }
        }
    }
    Ok(())
}

/// The integrations that the rule names.
fn data_sources(fields: &Map<String, Value>) -> String {
    let integrations =
        fields.get("related_integrations").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let names = integrations.iter().filter_map(|one| {
        let package = text(one, "package")?;
        Some(text(one, "integration").map_or_else(|| package.clone(), |part| format!("{package}.{part}")))
    });
    names.collect::<Vec<_>>().join(", ")
}

fn lines_of(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::String(text)) if !text.trim().is_empty() => vec![text],
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// The indentation that the lines after the first have in common: the file's, not the text's.
fn common_indentation(text: &str) -> usize {
    text.lines().skip(1).filter(|line| !line.trim().is_empty()).map(indentation).min().unwrap_or(0)
}

/// The text two columns in, each line less `common` blanks.
fn indented(text: &str, common: usize) -> String {
    let lines = text.lines().map(|line| {
        let line = line.get(common.min(indentation(line))..).unwrap_or(line).trim_end();
        if line.is_empty() { String::new() } else { format!("  {}", escape(line)) }
    });
    lines.collect::<Vec<_>>().join("\n")
}
