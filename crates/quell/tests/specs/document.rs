//! A spec as Markdown: what it holds, and what may not stand in it.

use crate::Fault;
use crate::events::Events;
use crate::finding::Finding;
use quell::{Dialect, Language, ResultPosition};
use serde_json::Value;
use std::rc::Rc;

#[derive(Debug)]
pub struct Spec {
    pub cases: Vec<Case>,
}

/// A query and what is expected of it.
#[derive(Debug)]
pub struct Case {
    /// The line of the query's block.
    pub line: usize,
    pub query: String,
    pub options: CaseOptions,
    pub beside: Beside,
    pub warned: Vec<Finding>,
    pub expected: Expected,
}

/// What a rule has beside its query.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// Other fields of the rule, as a JSON object.
    pub rule: Option<serde_json::Map<String, Value>>,
    /// Exceptions in TOML.
    pub exceptions: Option<String>,
    /// Value lists by name.
    pub lists: Vec<(String, String)>,
    /// Maintenance windows in TOML.
    pub windows: Option<String>,
    /// What is held back, in order: an event, and by what. None where the case does not say.
    pub held: Option<Vec<(String, String)>>,
}

#[derive(Debug)]
pub enum Expected {
    Results { line: usize, events: Rc<Events>, results: Vec<ExpectedResult>, cut: bool },
    Refused { line: usize, findings: Vec<Finding> },
}

/// One line of an `expect` block.
#[derive(Debug)]
pub struct ExpectedResult {
    /// The id of each step's event; none for a missing step.
    pub ids: Vec<Option<String>>,
    /// The join keys, where the line says them.
    pub keys: Option<Vec<Value>>,
    /// What was counted; none where nothing was.
    pub totals: Option<Value>,
}

#[derive(Clone, Debug, Default)]
pub struct CaseOptions {
    pub language: Language,
    /// Whether it is a whole rule in TOML and no query.
    pub rule: bool,
    pub no_warm_up: bool,
    pub dialect: Dialect,
    pub strict: bool,
    pub strict_elasticsearch: bool,
    pub size: Option<u64>,
    pub result_position: ResultPosition,
    pub timestamp_field: Option<String>,
    pub tiebreaker_field: Option<String>,
    pub event_category_field: Option<String>,
}

impl Spec {
    pub fn parse(text: &str) -> Result<Spec, Fault> {
        let (prose, blocks) = split(text)?;
        if !prose.first().is_some_and(|line| line.starts_with("# ")) {
            return Err(Fault::new(1, "the first line must be the title, `# …`"));
        }
        if !prose.iter().any(|line| line.contains("Source:")) {
            return Err(Fault::new(1, "no `Source:` says where the behaviour is described"));
        }
        let mut reader = Reader::default();
        for block in blocks {
            reader.block(block)?;
        }
        reader.finish()
    }
}

/// A fenced block.
struct Block<'t> {
    /// The line of its opening fence.
    line: usize,
    /// What the fence says: the kind, then options.
    info: &'t str,
    lines: Vec<&'t str>,
}

impl<'t> Block<'t> {
    /// The lines that are not blank, with their numbers.
    fn numbered(&self) -> impl Iterator<Item = (usize, &'t str)> {
        (self.line + 1..).zip(self.lines.iter().copied()).filter(|(_, line)| !line.trim().is_empty())
    }
}

/// The lines outside blocks, and the blocks.
fn split(text: &str) -> Result<(Vec<&str>, Vec<Block<'_>>), Fault> {
    let (mut prose, mut blocks) = (Vec::new(), Vec::new());
    let mut lines = (1..).zip(text.lines());
    while let Some((number, line)) = lines.next() {
        if let Some(info) = line.strip_prefix("```") {
            let mut block = Block { line: number, info: info.trim(), lines: Vec::new() };
            loop {
                match lines.next() {
                    Some((_, "```")) => break,
                    Some((_, line)) => block.lines.push(line),
                    None => return Err(Fault::new(number, "the block is never closed")),
                }
            }
            blocks.push(block);
        } else if ["```", "~~~"].iter().any(|fence| line.trim_start().starts_with(fence)) {
            return Err(Fault::new(number, "a block must start at the line's start, with ```"));
        } else {
            prose.push(line);
        }
    }
    Ok((prose, blocks))
}

/// What every rule has.
const RULE: &str =
    "[rule]\nname = \"N\"\ndescription = \"D\"\nrule_id = \"r\"\nrisk_score = 21\nseverity = \"low\"\n";

/// The query that waits for what is expected of it.
#[derive(Debug)]
struct Open {
    line: usize,
    query: String,
    options: CaseOptions,
    beside: Beside,
    warned: Vec<Finding>,
}

#[derive(Default)]
struct Reader {
    events: Option<Rc<Events>>,
    open: Option<Open>,
    cases: Vec<Case>,
}

impl Reader {
    fn block(&mut self, block: Block<'_>) -> Result<(), Fault> {
        let (kind, info) = block.info.split_once(' ').unwrap_or((block.info, ""));
        if !matches!(kind, "eql" | "kql" | "lucene" | "toml" | "expect" | "value-list") && !info.is_empty() {
            return Err(Fault::new(block.line, format!("`{kind}` takes no options")));
        }
        match kind {
            "eql" => self.query(&block, Language::Eql, info),
            "kql" => self.query(&block, Language::Kql, info),
            "lucene" => self.query(&block, Language::Lucene, info),
            "toml" => self.rule(&block, info),
            "events" => {
                self.events = Some(Rc::new(Events::parse(block.numbered())?));
                Ok(())
            }
            "rule" => {
                let object = serde_json::from_str(&block.lines.join("\n"));
                let object =
                    object.map_err(|error| Fault::new(block.line, format!("no JSON object: {error}")))?;
                self.beside(&block)?.rule = Some(object);
                Ok(())
            }
            "exceptions" => {
                self.beside(&block)?.exceptions = Some(block.lines.join("\n"));
                Ok(())
            }
            "value-list" => {
                self.beside(&block)?.lists.push((info.to_owned(), block.lines.join("\n")));
                Ok(())
            }
            "windows" => {
                self.beside(&block)?.windows = Some(block.lines.join("\n"));
                Ok(())
            }
            "held" => {
                let line = |(number, line): (usize, &str)| {
                    let (id, by) =
                        line.split_once('|').ok_or_else(|| Fault::new(number, "no `id | by what`"))?;
                    Ok((id.trim().to_owned(), by.trim().to_owned()))
                };
                let held = block.numbered().map(line).collect::<Result<_, Fault>>()?;
                self.beside(&block)?.held = Some(held);
                Ok(())
            }
            "warned" => {
                let open = self.open.as_mut().ok_or_else(|| without_query(&block))?;
                open.warned = findings(&block, &open.query)?;
                Ok(())
            }
            "refused" => {
                let open = self.open.take().ok_or_else(|| without_query(&block))?;
                let findings = findings(&block, &open.query)?;
                self.close(open, Expected::Refused { line: block.line, findings });
                Ok(())
            }
            "expect" => {
                if !matches!(info, "" | "cut") {
                    return Err(Fault::new(block.line, "`expect` knows the word `cut` alone"));
                }
                let open = self.open.take().ok_or_else(|| without_query(&block))?;
                let events =
                    self.events.clone().ok_or_else(|| Fault::new(block.line, "no events stand above"))?;
                let results = block
                    .numbered()
                    .map(|(number, line)| expected_result(number, line, &events))
                    .collect::<Result<_, _>>()?;
                let cut = info == "cut";
                self.close(open, Expected::Results { line: block.line, events, results, cut });
                Ok(())
            }
            other => Err(Fault::new(block.line, format!("a block `{other}` is not known"))),
        }
    }

    fn query(&mut self, block: &Block<'_>, language: Language, info: &str) -> Result<(), Fault> {
        self.all_closed()?;
        let query = block.lines.join("\n");
        let options = CaseOptions { language, ..options(block.line, info)? };
        if block.lines.iter().all(|line| line.trim().is_empty()) && query.is_empty() {
            return Err(Fault::new(block.line, "the query is empty; write a blank for an empty query"));
        }
        self.open =
            Some(Open { line: block.line, query, options, beside: Beside::default(), warned: Vec::new() });
        Ok(())
    }

    /// A rule: what stands in its `[rule]`, but for what no spec is about.
    fn rule(&mut self, block: &Block<'_>, info: &str) -> Result<(), Fault> {
        self.all_closed()?;
        let mut options = CaseOptions { rule: true, ..CaseOptions::default() };
        let mut words = info.split_whitespace();
        if words.next() != Some("rule") {
            return Err(Fault::new(block.line, "a block `toml` holds a `rule`"));
        }
        for word in words {
            match word {
                "no-warm-up" => options.no_warm_up = true,
                _ => return Err(Fault::new(block.line, format!("an option `{word}` is not known"))),
            }
        }
        let query = format!("{RULE}{}\n", block.lines.join("\n"));
        self.open =
            Some(Open { line: block.line, query, options, warned: Vec::new(), beside: Beside::default() });
        Ok(())
    }

    fn beside(&mut self, block: &Block<'_>) -> Result<&mut Beside, Fault> {
        self.open.as_mut().map(|open| &mut open.beside).ok_or_else(|| without_query(block))
    }

    fn close(&mut self, open: Open, expected: Expected) {
        let Open { line, query, options, beside, warned } = open;
        self.cases.push(Case { line, query, options, beside, warned, expected });
    }

    fn all_closed(&self) -> Result<(), Fault> {
        match &self.open {
            Some(open) => Err(Fault::new(open.line, "the query has neither `expect` nor `refused`")),
            None => Ok(()),
        }
    }

    fn finish(self) -> Result<Spec, Fault> {
        self.all_closed()?;
        if self.cases.is_empty() {
            return Err(Fault::new(1, "no case"));
        }
        Ok(Spec { cases: self.cases })
    }
}

fn without_query(block: &Block<'_>) -> Fault {
    Fault::new(block.line, "no query stands above")
}

fn findings(block: &Block<'_>, query: &str) -> Result<Vec<Finding>, Fault> {
    let found: Vec<Finding> = block
        .numbered()
        .map(|(number, line)| Finding::parse(line, query).map_err(|message| Fault::new(number, message)))
        .collect::<Result<_, _>>()?;
    if found.is_empty() {
        return Err(Fault::new(block.line, "the block is empty"));
    }
    Ok(found)
}

fn expected_result(number: usize, line: &str, events: &Events) -> Result<ExpectedResult, Fault> {
    let (ids, rest) = line.split_once('|').map_or((line, None), |(ids, rest)| (ids, Some(rest)));
    let mut expected = ExpectedResult { ids: Vec::new(), keys: None, totals: None };
    for id in ids.split_whitespace() {
        if id != "-" && !events.has(id) {
            return Err(Fault::new(number, format!("no event has the id `{id}`")));
        }
        expected.ids.push((id != "-").then(|| id.to_owned()));
    }
    for part in rest.into_iter().flat_map(|rest| rest.split('|')) {
        match serde_json::from_str(part) {
            Ok(Value::Array(keys)) => expected.keys = Some(keys),
            Ok(totals @ Value::Object(_)) => expected.totals = Some(totals),
            _ => {
                let what = "neither a JSON array of join keys nor a JSON object of counts";
                return Err(Fault::new(number, format!("`{}` is {what}", part.trim())));
            }
        }
    }
    Ok(expected)
}

fn options(line: usize, info: &str) -> Result<CaseOptions, Fault> {
    let mut options = CaseOptions::default();
    let (mut size, mut position) = (None, None);
    for option in info.split_whitespace() {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let wrong = |what: &str| Fault::new(line, format!("`{value}` is no {what}"));
        match name {
            "dialect" => options.dialect = Dialect::of(value).ok_or_else(|| wrong("dialect"))?,
            "strict" if option == name => options.strict = true,
            "strict-elasticsearch" if option == name => options.strict_elasticsearch = true,
            "size" => size = Some(value.parse().map_err(|_| wrong("number"))?),
            "result-position" => {
                position = Some(match value {
                    "head" => ResultPosition::Head,
                    "tail" => ResultPosition::Tail,
                    _ => return Err(wrong("position")),
                });
            }
            "timestamp-field" => options.timestamp_field = Some(value.to_owned()),
            "tiebreaker-field" => options.tiebreaker_field = Some(value.to_owned()),
            "event-category-field" => options.event_category_field = Some(value.to_owned()),
            _ => return Err(Fault::new(line, format!("an option `{name}` is not known"))),
        }
    }
    if size.is_none() && position.is_some() {
        return Err(Fault::new(line, "`result-position` says nothing without `size`"));
    }
    options.size = size;
    options.result_position = position.unwrap_or_default();
    Ok(options)
}
