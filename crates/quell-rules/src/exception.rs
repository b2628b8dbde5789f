//! Exceptions: what a rule shall not find. What they say is read here, and lowered to conditions.
//!
//! Source: Elastic Security's "Add and manage exceptions" and "Exceptions API", and how Kibana makes filters of them: an item
//! holds where all of its entries do, on one of its systems; an `excluded` entry is denied. Two forms are read: what Kibana
//! exports, a JSON object a line, and TOML with the same fields, an `[[item]]` each.

use crate::finding::{FileFinding, Findings};
use crate::json::next_value;
use crate::limits::{MAX_EXCEPTION_ENTRIES, MAX_EXCEPTION_ITEMS, MAX_EXPORT_BYTES};
use crate::load::read_text;
use crate::node::{Content, Node, parse_toml};
use crate::rule::Rule;
use crate::term::{Terms, escaped_wildcard};
use crate::value_list::ValueList;
use quell_ir::date::parse_date;
use quell_ir::diagnostic::{did_you_mean, near_names};
use quell_ir::{Code, Condition, Diagnostic, FieldRef, FieldType, Predicate, Schema, Span, Value};
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use walkdir::WalkDir;

/// One exception.
#[derive(Clone, Debug)]
pub struct ExceptionItem {
    /// `item_id`.
    pub id: String,
    /// The list that it belongs to, which rules name.
    pub list_id: String,
    /// The name for people.
    pub name: String,
    /// Systems that it is for; empty means any.
    pub os_types: Vec<String>,
    /// After this time, in nanoseconds since 1970, it no longer holds. It is compared with the time of the event, not with the
    /// clock, so that a log gives the same alerts whenever it is read.
    pub expires: Option<i64>,
    /// Ids of rules that it is for besides those that name its list; `*` is every rule. Only the TOML form has them.
    pub rules: Vec<String>,
    /// The file.
    pub path: PathBuf,
    /// The file's text.
    pub text: Arc<str>,
    span: Span,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    field: String,
    at: Span,
    span: Span,
    excluded: bool,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    OneOf(Vec<Value>),
    Exists,
    Wildcard(String),
    List { id: String, kind: String, at: Span },
    Nested(Vec<Entry>),
}

/// The words of `type`.
const TYPES: [&str; 6] = ["match", "match_any", "exists", "wildcard", "list", "nested"];
/// The words of `operator`.
const OPERATORS: [&str; 2] = ["included", "excluded"];

/// An exception as a condition: what satisfies it is held back.
#[derive(Clone, Debug)]
pub struct Exception {
    /// What it says.
    pub item: Arc<ExceptionItem>,
    /// What it holds back.
    pub condition: Arc<Condition>,
}

/// Exceptions, and the value lists that they name.
#[derive(Clone, Debug, Default)]
pub struct ExceptionSet {
    items: Vec<Arc<ExceptionItem>>,
    values: BTreeMap<String, Arc<ValueList>>,
}

/// Exceptions that can be applied, and what was found of the others.
#[derive(Clone, Debug, Default)]
pub struct CompiledExceptions {
    exceptions: Vec<Exception>,
    /// What is wrong with them.
    pub findings: Vec<FileFinding>,
}

impl ExceptionSet {
    /// Reads files, and all files of folders that hold exceptions. What is broken is left out and reported.
    #[must_use]
    pub fn load(paths: &[PathBuf]) -> (ExceptionSet, Vec<FileFinding>) {
        let mut set = ExceptionSet::default();
        let mut findings = Vec::new();
        for path in paths {
            if !path.is_dir() {
                set.file(path, true, &mut findings);
                continue;
            }
            for entry in WalkDir::new(path).max_depth(crate::limits::MAX_FOLDER_DEPTH).sort_by_file_name() {
                match entry {
                    Ok(entry) if entry.file_type().is_file() && has_ending(entry.path()) => {
                        set.file(entry.path(), false, &mut findings);
                    }
                    Ok(_) => {}
                    Err(error) => {
                        let finding = Diagnostic::new(Code::EXCEPTION_UNREADABLE, error.to_string());
                        findings.push(about(error.path().unwrap_or(path), &Arc::from(""), finding));
                    }
                }
            }
        }
        (set, findings)
    }

    fn file(&mut self, path: &Path, given: bool, findings: &mut Vec<FileFinding>) {
        let text: Arc<str> = match read_text(path, MAX_EXPORT_BYTES) {
            Ok(text) => text.into(),
            Err(reason) => {
                let finding = Diagnostic::new(Code::EXCEPTION_UNREADABLE, reason);
                return findings.push(about(path, &Arc::from(""), finding));
            }
        };
        let (items, found) = read(path, &text);
        if items.is_empty() && found.len() == 0 && given {
            let help = "a file of exceptions is what Kibana exports (NDJSON), or TOML with `[[item]]`";
            let finding = Diagnostic::new(Code::EXCEPTION_UNREADABLE, "no exception in this file").help(help);
            findings.push(about(path, &Arc::from(""), finding));
        }
        findings.extend(found.into_file(path, &text));
        findings.extend(self.add(items));
    }

    /// Adds exceptions; one that is there already is left out. Says what the limit leaves out.
    pub fn add(&mut self, items: impl IntoIterator<Item = Arc<ExceptionItem>>) -> Option<FileFinding> {
        let mut known: HashSet<(String, String)> =
            self.items.iter().map(|item| (item.list_id.clone(), item.id.clone())).collect();
        for item in items {
            if self.items.len() >= MAX_EXCEPTION_ITEMS {
                let message = format!("more than {MAX_EXCEPTION_ITEMS} exceptions: the rest is not applied");
                let finding = Diagnostic::new(Code::EXCEPTION_UNREADABLE, message).at(item.span);
                return Some(about(&item.path, &item.text, finding));
            }
            if known.insert((item.list_id.clone(), item.id.clone())) {
                self.items.push(item);
            }
        }
        None
    }

    /// Gives a value list to the exceptions that name it, and says where the file cannot be read.
    pub fn add_values(&mut self, id: &str, path: &Path) -> Option<FileFinding> {
        match ValueList::load(path) {
            Ok(list) => {
                self.values.insert(id.to_owned(), Arc::new(list));
                None
            }
            Err(reason) => {
                let finding = Diagnostic::new(Code::VALUE_LIST_UNREADABLE, reason);
                Some(about(path, &Arc::from(""), finding))
            }
        }
    }

    /// The exceptions.
    pub fn items(&self) -> impl ExactSizeIterator<Item = &Arc<ExceptionItem>> {
        self.items.iter()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Lowers all of them. What cannot be applied is left out and reported.
    #[must_use]
    pub fn compile(&self, schema: &dyn Schema) -> CompiledExceptions {
        let mut compiled = CompiledExceptions::default();
        for item in &self.items {
            let mut terms = Terms::new(schema);
            match lower_item(item, &self.values, &mut terms) {
                Ok(condition) => compiled
                    .exceptions
                    .push(Exception { item: Arc::clone(item), condition: Arc::new(condition) }),
                Err(refusal) => compiled.findings.push(refusal.into_finding(item)),
            }
            let warnings = terms.into_warnings();
            compiled.findings.extend(warnings.into_iter().map(|w| about(&item.path, &item.text, w)));
        }
        compiled
    }
}

impl CompiledExceptions {
    /// The exceptions of a rule: those whose list it names, and those that name it.
    pub fn of(&self, rule: &Rule) -> Vec<Exception> {
        self.exceptions.iter().filter(|exception| exception.item.is_for(rule)).cloned().collect()
    }

    /// Says of each list that no rule has: its exceptions hold nothing back.
    #[must_use]
    pub fn unused<'r>(&self, rules: impl Iterator<Item = &'r Rule> + Clone) -> Vec<FileFinding> {
        let mut told = HashSet::new();
        let mut findings = Vec::new();
        for Exception { item, .. } in &self.exceptions {
            if rules.clone().any(|rule| item.is_for(rule)) || !told.insert(&item.list_id) {
                continue;
            }
            let message = format!("no rule has the exception list `{}`", item.list_id);
            let finding = Diagnostic::new(Code::EXCEPTIONS_UNUSED, message).at(item.span);
            let help = "a rule names its lists in `exceptions_list`; a TOML item may name rules in `rules`";
            findings.push(about(&item.path, &item.text, finding.help(help)));
        }
        findings
    }
}

impl ExceptionItem {
    /// Whether the rule has it.
    #[must_use]
    pub fn is_for(&self, rule: &Rule) -> bool {
        let named = |id: &String| id == "*" || *id == rule.id;
        let lists = rule.fields.get("exceptions_list").and_then(|lists| lists.as_array());
        let list_id = |list: &serde_json::Value| {
            list.get("list_id").and_then(|id| id.as_str()) == Some(self.list_id.as_str())
        };
        self.rules.iter().any(named) || lists.is_some_and(|lists| lists.iter().any(list_id))
    }

    /// A finding about it.
    #[must_use]
    pub fn not_applied(&self, reason: &str) -> FileFinding {
        let message = format!("the exception `{}` is not applied: {reason}", self.name);
        about(&self.path, &self.text, Diagnostic::new(Code::EXCEPTIONS_NOT_APPLIED, message).at(self.span))
    }
}

/// Why an item cannot be applied, and where that stands.
struct Refusal {
    reason: String,
    at: Span,
    /// The value list that is wrong, if one is.
    list: Option<(Arc<ValueList>, Span)>,
}

impl Refusal {
    fn into_finding(self, item: &ExceptionItem) -> FileFinding {
        let message = format!("the exception `{}` is not applied: {}", item.name, self.reason);
        let finding = Diagnostic::new(Code::EXCEPTIONS_NOT_APPLIED, message);
        match self.list {
            Some((list, at)) => about(&list.path, &list.text, finding.at(at)),
            None => about(&item.path, &item.text, finding.at(self.at)),
        }
    }
}

fn about(path: &Path, text: &Arc<str>, diagnostic: Diagnostic) -> FileFinding {
    FileFinding { path: path.to_owned(), text: Arc::clone(text), rule_id: None, diagnostic }
}

fn has_ending(path: &Path) -> bool {
    let endings = ["ndjson", "json", "toml"];
    path.extension().is_some_and(|ending| endings.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

type Values = BTreeMap<String, Arc<ValueList>>;

fn lower_item(item: &ExceptionItem, values: &Values, terms: &mut Terms<'_>) -> Result<Condition, Refusal> {
    let mut parts = Vec::new();
    if !item.os_types.is_empty() {
        let systems: Vec<Value> = item.os_types.iter().map(|os| Value::Text(os.as_str().into())).collect();
        // Agents name the system in the one field or in the other.
        let mut of = |path: &str| {
            let refused = |reason| Refusal { reason, at: item.span, list: None };
            terms.named(path, item.span).and_then(|field| field.terms(&systems)).map_err(refused)
        };
        parts.push(Condition::any([of("host.os.type")?, of("host.os.name.caseless")?]));
    }
    for entry in &item.entries {
        parts.push(lower_entry(entry, None, values, terms)?);
    }
    Ok(Condition::all(parts))
}

fn lower_entry(
    entry: &Entry,
    above: Option<&str>,
    values: &Values,
    terms: &mut Terms<'_>,
) -> Result<Condition, Refusal> {
    let refused = |reason: String| Refusal { reason, at: entry.span, list: None };
    let path = match above {
        Some(above) => format!("{above}.{}", entry.field),
        None => entry.field.clone(),
    };
    if let Test::Nested(entries) = &entry.test {
        let mut refusal = None;
        let lowered = terms.nested(&path, entry.span, |terms| {
            let parts: Result<Vec<_>, _> =
                entries.iter().map(|inner| lower_entry(inner, Some(&path), values, terms)).collect();
            parts.map(Condition::all).map_err(|found| {
                let reason = found.reason.clone();
                refusal = Some(found);
                reason
            })
        });
        return lowered.map_err(|reason| refusal.unwrap_or_else(|| refused(reason)));
    }
    let named = terms.named(&path, entry.at).map_err(refused)?;
    let condition = match &entry.test {
        Test::OneOf(values) => named.terms(values),
        Test::Exists => Ok(named.exists()),
        Test::Wildcard(pattern) => named.wildcard(escaped_wildcard(pattern), false),
        Test::List { id, kind, at } => {
            let Some(list) = values.get(id) else {
                let reason = format!("there is no value list `{id}` (--value-list {id}=FILE)");
                return Err(Refusal { reason, at: *at, list: None });
            };
            return lower_list(named, kind, list, entry).map(|found| denied(found, entry.excluded));
        }
        Test::Nested(_) => Ok(Condition::Constant(false)),
    };
    condition.map(|condition| denied(condition, entry.excluded)).map_err(refused)
}

fn denied(condition: Condition, excluded: bool) -> Condition {
    if excluded { condition.negate() } else { condition }
}

/// A field has a value of the list: by the field's type where the schema knows it, else by the list's.
fn lower_list(
    named: crate::term::Named,
    kind: &str,
    list: &Arc<ValueList>,
    entry: &Entry,
) -> Result<Condition, Refusal> {
    let refused = |reason| Refusal { reason, at: entry.span, list: None };
    let field: &FieldRef = &named.field;
    let addresses = match field.kind {
        FieldType::Ip => true,
        FieldType::Unknown => matches!(kind, "ip" | "ip_range"),
        _ => kind == "ip_range",
    };
    if addresses {
        if !matches!(field.kind, FieldType::Ip | FieldType::Unknown | FieldType::Keyword) {
            return Err(refused(format!("`{}` holds no addresses", entry.field)));
        }
        let blocks = list.blocks().map_err(|(reason, at)| Refusal {
            reason,
            at: entry.span,
            list: Some((Arc::clone(list), at)),
        })?;
        if blocks.is_empty() {
            return Ok(Condition::Constant(false));
        }
        return Ok(Condition::leaf(Predicate::Ip { field: field.clone(), blocks }, entry.span));
    }
    if matches!(field.kind, FieldType::Keyword | FieldType::Text | FieldType::Unknown) {
        return named.texts(list.values().map(|(value, _)| value.into()).collect()).map_err(refused);
    }
    let values: Vec<Value> = list.values().map(|(value, _)| Value::Text(value.into())).collect();
    named.terms(&values).map_err(refused)
}

/// Reads the text of a file.
pub(crate) fn read(path: &Path, text: &Arc<str>) -> (Vec<Arc<ExceptionItem>>, Findings) {
    let mut reader = Reader { path, text, findings: Findings::default(), items: Vec::new() };
    if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("toml")) {
        reader.toml();
    } else {
        reader.ndjson();
    }
    (reader.items, reader.findings)
}

/// Reads an item of a Kibana export.
pub(crate) fn read_exported(
    node: &Node,
    path: &Path,
    text: &Arc<str>,
    findings: &mut Findings,
) -> Option<Arc<ExceptionItem>> {
    let mut reader = Reader { path, text, findings: Findings::default(), items: Vec::new() };
    reader.item(node, None, &[]);
    reader.findings.into_diagnostics().for_each(|finding| findings.push(finding));
    reader.items.pop()
}

struct Reader<'t> {
    path: &'t Path,
    text: &'t Arc<str>,
    findings: Findings,
    items: Vec<Arc<ExceptionItem>>,
}

impl Reader<'_> {
    fn wrong(&mut self, at: Span, message: impl Into<String>) {
        self.findings.push(Diagnostic::new(Code::EXCEPTION_MALFORMED, message).at(at));
    }

    fn toml(&mut self) {
        let tree = match parse_toml(self.text) {
            Ok(tree) => tree,
            Err((message, span)) => {
                let finding = Diagnostic::new(Code::MALFORMED_TOML, message);
                return self.findings.push(span.into_iter().fold(finding, Diagnostic::at));
            }
        };
        let list = tree.get("list");
        let list_id = list.and_then(|list| list.get("list_id")).and_then(Node::text);
        let rules = list.and_then(|list| list.get("rules")).map(Node::texts).unwrap_or_default();
        for node in tree.get("item").map(Node::items).unwrap_or_default() {
            self.item(node, list_id, &rules);
        }
    }

    /// Objects one after the other, or lists of them; what is no exception item is passed over.
    fn ndjson(&mut self) {
        let mut at = if self.text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        loop {
            match next_value(self.text, at) {
                Ok(Some((node, end))) => {
                    at = end;
                    let nodes = if let Content::List(items) = node.content { items } else { vec![node] };
                    for node in &nodes {
                        if node.get("entries").is_some() {
                            self.item(node, None, &[]);
                        }
                    }
                }
                Ok(None) => return,
                Err((message, span)) => {
                    self.findings.push(Diagnostic::new(Code::MALFORMED_JSON, message).at(span));
                    // A line that is cut off costs no line behind it.
                    let rest = self.text.get(at..).unwrap_or_default();
                    let start = at + (rest.len() - rest.trim_start().len());
                    match self.text.get(start..).and_then(|rest| rest.find("\n{")) {
                        Some(line) => at = start + line + 1,
                        None => return,
                    }
                }
            }
        }
    }

    fn item(&mut self, node: &Node, list_id: Option<&str>, rules: &[String]) {
        let before = self.findings.errors();
        let text = |name: &str| node.get(name).and_then(Node::text).map(str::to_owned);
        let name = text("name");
        let id = text("item_id").or_else(|| name.clone());
        let Some(id) = id else { return self.wrong(node.span, "an exception needs an `item_id`") };
        let list_id = text("list_id").or_else(|| list_id.map(str::to_owned));
        let own = node.get("rules").map(Node::texts).unwrap_or_default();
        let rules: Vec<String> = rules.iter().cloned().chain(own).collect();
        if list_id.is_none() && rules.is_empty() {
            return self.wrong(node.span, "an exception needs a `list_id`, which rules name, or `rules`");
        }
        let expires = node.get("expire_time").and_then(|time| {
            let found = time.text().and_then(parse_date);
            if found.is_none() {
                self.wrong(time.span, "`expire_time` is no time");
            }
            found
        });
        let nodes = node.get("entries").map(Node::items).unwrap_or_default();
        if nodes.is_empty() {
            return self.wrong(node.span, "an exception without entries holds nothing");
        }
        let mut left = MAX_EXCEPTION_ENTRIES;
        let entries = self.entries(nodes, false, &mut left);
        if self.findings.errors() > before {
            return;
        }
        self.items.push(Arc::new(ExceptionItem {
            name: name.unwrap_or_else(|| id.clone()),
            id,
            list_id: list_id.unwrap_or_default(),
            os_types: node.get("os_types").map(Node::texts).unwrap_or_default(),
            expires,
            rules,
            path: self.path.to_owned(),
            text: Arc::clone(self.text),
            span: node.get("name").or_else(|| node.get("item_id")).map_or(node.span, |node| node.span),
            entries,
        }));
    }

    fn entries(&mut self, nodes: &[Node], nested: bool, left: &mut usize) -> Vec<Entry> {
        let mut entries = Vec::new();
        for node in nodes {
            if *left == 0 {
                self.wrong(node.span, format!("more than {MAX_EXCEPTION_ENTRIES} entries"));
                break;
            }
            *left -= 1;
            entries.extend(self.entry(node, nested, left));
        }
        entries
    }

    fn entry(&mut self, node: &Node, nested: bool, left: &mut usize) -> Option<Entry> {
        let Some(field) = node.get("field").filter(|field| field.text().is_some_and(|f| !f.is_empty()))
        else {
            self.wrong(node.span, "an entry needs a `field`");
            return None;
        };
        let kind = self.word(node, "type", &TYPES)?;
        let operator = match kind {
            "nested" => "included",
            _ => self.word(node, "operator", &OPERATORS)?,
        };
        let test = match kind {
            "match" | "match_any" => {
                let values = node.get("value").map(values_of).unwrap_or_default();
                if values.is_empty() {
                    self.wrong(node.span, format!("an entry of type `{kind}` needs a `value`"));
                    return None;
                }
                Test::OneOf(values)
            }
            "exists" => Test::Exists,
            "wildcard" => match node.get("value").and_then(Node::text) {
                Some(pattern) => Test::Wildcard(pattern.to_owned()),
                None => {
                    self.wrong(node.span, "an entry of type `wildcard` needs a text as its `value`");
                    return None;
                }
            },
            "list" => {
                let list = node.get("list");
                let Some(id) = list.and_then(|list| list.get("id")).filter(|id| id.text().is_some()) else {
                    self.wrong(node.span, "an entry of type `list` needs a `list` with an `id`");
                    return None;
                };
                let kind = list.and_then(|list| list.get("type")).and_then(Node::text).unwrap_or("keyword");
                Test::List {
                    id: id.text().unwrap_or_default().to_owned(),
                    kind: kind.to_owned(),
                    at: id.span,
                }
            }
            _ if nested => {
                self.wrong(node.span, "a nested entry cannot stand within a nested entry");
                return None;
            }
            _ => {
                let inner = node.get("entries").map(Node::items).unwrap_or_default();
                if inner.is_empty() {
                    self.wrong(node.span, "an entry of type `nested` needs `entries`");
                    return None;
                }
                Test::Nested(self.entries(inner, true, left))
            }
        };
        let excluded = operator == "excluded";
        let field_name = field.text().unwrap_or_default().to_owned();
        Some(Entry { field: field_name, at: field.span, span: node.span, excluded, test })
    }

    fn word<'w>(&mut self, node: &Node, key: &str, words: &[&'w str]) -> Option<&'w str> {
        let Some(value) = node.get(key) else {
            self.wrong(node.span, format!("an entry needs its `{key}`"));
            return None;
        };
        let written = value.text().unwrap_or_default();
        let found = words.iter().find(|word| **word == written).copied();
        if found.is_none() {
            let help = did_you_mean(&near_names(written, words.iter().copied()))
                .unwrap_or_else(|| format!("it is one of {}", words.join(", ")));
            let message = format!("`{key}` cannot be `{}`", crate::schema::shortened(written));
            self.findings.push(Diagnostic::new(Code::EXCEPTION_MALFORMED, message).at(value.span).help(help));
        }
        found
    }
}

/// The scalars of a value or of a list.
fn values_of(node: &Node) -> Vec<Value> {
    match &node.content {
        Content::List(items) => items.iter().filter_map(scalar).collect(),
        _ => scalar(node).into_iter().collect(),
    }
}

fn scalar(node: &Node) -> Option<Value> {
    match &node.content {
        Content::Text(text) => Some(Value::Text(text.as_str().into())),
        Content::Boolean(b) => Some(Value::Boolean(*b)),
        Content::Number(n) => n
            .as_i64()
            .map(Value::Integer)
            .or_else(|| n.as_u64().map(Value::Unsigned))
            .or_else(|| n.as_f64().map(Value::Float)),
        Content::Null | Content::List(_) | Content::Table(_) => None,
    }
}
