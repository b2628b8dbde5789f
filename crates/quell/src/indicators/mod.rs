//! Indicators of threats from files: CSV, STIX 2.1 bundles, and ECS documents, all made ECS documents.
//!
//! Sources: ECS, "Threat fields"; the STIX 2.1 specification of OASIS.

mod csv_file;
mod ecs;
mod pattern;
mod stix;

use crate::scan::{Decoders, MatchWork, Scan, ScanOptions};
use quell_engine::{Engine, EngineOptions, EngineRule, Indicator};
use quell_event::{NoFacts, Position};
use quell_ingest::Layout;
use quell_ir::date::date_of;
use quell_ir::logic::ThreatMatch;
use quell_ir::{Datum, Logic, Query, Value as Constant};
use quell_rules::Rule;
use quell_rules::type_fields::TypeFields;
use rustc_hash::FxHashMap;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;

/// The largest file of indicators.
const MOST_BYTES: u64 = 512 << 20;
/// The most indicators of all files.
const MOST_INDICATORS: usize = 4_000_000;

/// Why a file of indicators is of no use.
#[derive(Debug, Error)]
pub enum IndicatorError {
    /// It cannot be read.
    #[error("{path}: {error}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: std::io::Error,
    },
    /// It is too large.
    #[error("{path}: a file of indicators may have 512 MiB, and all of them 4,000,000 indicators", path = path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It is nothing that holds indicators.
    #[error("{path}: {reason}", path = path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// Indicators, as ECS documents.
#[derive(Clone, Debug, Default)]
pub struct Indicators {
    documents: Vec<Document>,
    not_read: u64,
    now: i64,
}

/// The document of an indicator, its fields by dotted path.
#[derive(Clone, Debug)]
struct Document {
    id: Arc<str>,
    file: Arc<str>,
    fields: Vec<(String, Value)>,
}

/// What a reader gives of a file.
#[derive(Default)]
struct Reading {
    /// The fields of each indicator, by dotted path.
    documents: Vec<Vec<(String, Value)>>,
    /// What was passed over.
    not_read: u64,
}

impl Indicators {
    /// Reads files; the content of each says what it is.
    ///
    /// # Errors
    /// The first file that cannot be read at all.
    pub fn load<P: AsRef<Path>>(paths: &[P]) -> Result<Indicators, IndicatorError> {
        let mut all = Indicators::default();
        for path in paths {
            all.add(path.as_ref())?;
        }
        // What says no time is as new as the newest.
        let now = Value::from(iso(all.now));
        for document in &mut all.documents {
            if document.first("@timestamp").is_none() {
                document.fields.push(("@timestamp".to_owned(), now.clone()));
            }
        }
        Ok(all)
    }

    fn add(&mut self, path: &Path) -> Result<(), IndicatorError> {
        let unreadable = |error| IndicatorError::Unreadable { path: path.to_owned(), error };
        let too_large = || IndicatorError::TooLarge { path: path.to_owned() };
        if std::fs::metadata(path).map_err(unreadable)?.len() > MOST_BYTES {
            return Err(too_large());
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        let reading = read(text.trim_start_matches('\u{feff}'))
            .map_err(|reason| IndicatorError::Malformed { path: path.to_owned(), reason })?;
        self.not_read += reading.not_read;
        if self.documents.len() + reading.documents.len() > MOST_INDICATORS {
            return Err(too_large());
        }
        let file: Arc<str> = path.file_name().unwrap_or_default().to_string_lossy().into();
        for (number, fields) in (1..).zip(reading.documents) {
            let mut document = Document { id: "".into(), file: Arc::clone(&file), fields };
            let id = ["_id", "event.id"].iter().find_map(|name| document.first(name)?.as_str());
            document.id = id.map_or_else(|| format!("{file}#{number}").into(), Arc::from);
            let time = document.first("@timestamp").and_then(Value::as_str);
            self.now = self.now.max(time.and_then(|time| date_of(Datum::Text(time))).unwrap_or(0));
            self.documents.push(document);
        }
        Ok(())
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.documents.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    /// How many lines and objects of the files were passed over, because they are no indicator that quell can read.
    #[must_use]
    pub fn not_read(&self) -> u64 {
        self.not_read
    }

    /// The time of the newest, in nanoseconds since 1970: what relative dates of threat queries count from. None if there are
    /// none.
    #[must_use]
    pub fn now(&self) -> Option<i64> {
        (!self.is_empty()).then_some(self.now)
    }

    /// Those that satisfy the threat query of each indicator match rule, by rule id; nothing at all without any indicator.
    pub(crate) fn of_rules<'r>(
        &self,
        rules: impl Iterator<Item = &'r EngineRule>,
    ) -> BTreeMap<String, Arc<[Arc<Indicator>]>> {
        let threats: Vec<(&Arc<Rule>, &ThreatMatch)> = rules
            .filter_map(|rule| match &rule.query.logic {
                Logic::ThreatMatch(threat) => Some((&rule.rule, threat)),
                _ => None,
            })
            .collect();
        if self.documents.is_empty() || threats.is_empty() {
            return BTreeMap::new();
        }
        let chosen = self.chosen(&threats);
        let of_rule = |((rule, threat), chosen): (&(&Arc<Rule>, &ThreatMatch), BTreeSet<usize>)| {
            let paths: BTreeSet<&Arc<str>> = threat.entries().map(|entry| &entry.indicator).collect();
            let documents = chosen.iter().filter_map(|at| self.documents.get(*at));
            let all = documents.map(|document| Arc::new(document.indicator(indicator_path(rule), &paths)));
            (rule.id.clone(), all.collect())
        };
        threats.iter().zip(chosen).map(of_rule).collect()
    }

    /// By rule, the places of the documents that satisfy its threat query. The index of a document counts where it names one: a
    /// file is given for what it holds.
    fn chosen(&self, threats: &[(&Arc<Rule>, &ThreatMatch)]) -> Vec<BTreeSet<usize>> {
        let (named, nameless): (Vec<usize>, Vec<usize>) = (0..self.documents.len())
            .partition(|place| self.documents.get(*place).is_some_and(|one| one.first("_index").is_some()));
        let mut chosen = vec![BTreeSet::new(); threats.len()];
        for (places, any_index) in [(named, false), (nameless, true)] {
            if !places.is_empty() {
                self.choose(threats, &places, any_index, &mut chosen);
            }
        }
        chosen
    }

    fn choose(
        &self,
        threats: &[(&Arc<Rule>, &ThreatMatch)],
        places: &[usize],
        any_index: bool,
        chosen: &mut [BTreeSet<usize>],
    ) {
        let queries = threats.iter().enumerate().map(|(number, (rule, threat))| {
            let patterns = rule.fields.get("threat_index").and_then(Value::as_array);
            let index = patterns.map(|all| all.iter().filter_map(Value::as_str).map(str::to_owned).collect());
            let rule = Rule { id: number.to_string(), index, os_list: Vec::new(), ..Rule::clone(rule) };
            let query = Query { logic: Logic::Event(threat.indicators.clone()), pipes: Vec::new() };
            EngineRule { rule: Arc::new(rule), query }
        });
        let options = EngineOptions { any_index, ..EngineOptions::default() };
        let (engine, _) = Engine::new(queries.collect(), &options);
        let numbers: Vec<usize> = engine.rules().map(|rule| rule.id.parse().unwrap_or(usize::MAX)).collect();
        let scan = Scan::of_engine(engine, ScanOptions::default());
        let decoders = Decoders::new(scan.engine(), scan.options());
        let mut work = MatchWork::new(&scan, &decoders);
        for place in places {
            let Some(document) = self.documents.get(*place) else { continue };
            _ = work.record(0, Layout::Ecs, false, Position::default(), &document.text(), &NoFacts);
            for hit in work.take_hits() {
                let rule = numbers.get(hit.rule as usize).and_then(|number| chosen.get_mut(*number));
                rule.into_iter().for_each(|places| _ = places.insert(*place));
            }
        }
    }
}

fn indicator_path(rule: &Rule) -> &str {
    match &rule.type_fields {
        TypeFields::ThreatMatch(fields) => &fields.path,
        _ => "threat.indicator",
    }
}

impl Document {
    fn first(&self, path: &str) -> Option<&Value> {
        self.fields.iter().find(|(name, _)| name == path).map(|(_, value)| value)
    }

    /// It as one line of JSON.
    fn text(&self) -> String {
        let mut object = Map::new();
        for (path, value) in &self.fields {
            match object.entry(path.as_str()) {
                serde_json::map::Entry::Vacant(vacant) => _ = vacant.insert(value.clone()),
                serde_json::map::Entry::Occupied(mut known) => match known.get_mut() {
                    Value::Array(list) => list.push(value.clone()),
                    one => *one = Value::Array(vec![one.take(), value.clone()]),
                },
            }
        }
        Value::Object(object).to_string()
    }

    fn indicator(&self, path: &str, compared: &BTreeSet<&Arc<str>>) -> Indicator {
        let mut values: FxHashMap<Arc<str>, Vec<Constant>> = FxHashMap::default();
        for (name, value) in &self.fields {
            if let Some(path) = compared.get(&Arc::from(name.as_str())) {
                values.entry(Arc::clone(path)).or_default().extend(constant(value));
            }
        }
        let index = self.first("_index").and_then(Value::as_str);
        Indicator {
            id: Arc::clone(&self.id),
            index: index.map_or_else(|| Arc::clone(&self.file), Arc::from),
            feed: self.first("threat.feed.name").and_then(Value::as_str).map(Arc::from),
            content: Value::Object(self.below(path)).to_string().into(),
            values,
        }
    }

    /// What stands below a path, as objects within objects.
    fn below(&self, path: &str) -> Map<String, Value> {
        let mut content = Map::new();
        for (name, value) in &self.fields {
            if let Some(rest) = name.strip_prefix(path).and_then(|rest| rest.strip_prefix('.')) {
                put(&mut content, rest, value);
            }
        }
        content
    }
}

/// Puts a value at a dotted path; what stands in its way stays.
fn put(object: &mut Map<String, Value>, path: &str, value: &Value) {
    match path.split_once('.') {
        None => match object.get_mut(path) {
            None => _ = object.insert(path.to_owned(), value.clone()),
            Some(Value::Array(list)) => list.push(value.clone()),
            Some(Value::Object(_)) => {}
            Some(one) => *one = Value::Array(vec![one.take(), value.clone()]),
        },
        Some((name, rest)) => {
            if let Value::Object(inner) = object.entry(name).or_insert_with(|| Value::Object(Map::new())) {
                put(inner, rest, value);
            }
        }
    }
}

fn constant(value: &Value) -> Option<Constant> {
    match value {
        Value::Bool(b) => Some(Constant::Boolean(*b)),
        Value::String(text) => Some(Constant::Text(text.as_str().into())),
        Value::Number(n) => n
            .as_i64()
            .map(Constant::Integer)
            .or_else(|| n.as_u64().map(Constant::Unsigned))
            .or_else(|| n.as_f64().map(Constant::Float)),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn read(text: &str) -> Result<Reading, String> {
    if !text.trim_start().starts_with(['{', '[']) {
        return csv_file::read(text);
    }
    // A bundle is one object over many lines, documents are one a line.
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(bundle)) if bundle.contains_key("objects") => Ok(stix::read(&bundle)),
        Ok(Value::Array(objects)) => Ok(ecs::read(objects.into_iter().map(Some))),
        Ok(one) => Ok(ecs::read(std::iter::once(Some(one)))),
        Err(_) => {
            let lines = text.lines().filter(|line| !line.trim().is_empty());
            Ok(ecs::read(lines.map(|line| serde_json::from_str(line).ok())))
        }
    }
}

/// What every indicator says that is no ECS document itself: so threat queries know it.
fn described(kind: &str, value: &str) -> Vec<(String, Value)> {
    [
        ("event.kind", "enrichment"),
        ("event.category", "threat"),
        ("event.type", "indicator"),
        ("event.module", "threatintel"),
        ("event.dataset", "ti_file.indicator"),
        ("threat.indicator.type", kind),
        ("threat.indicator.name", value),
    ]
    .map(|(name, value)| (name.to_owned(), value.into()))
    .into()
}

fn iso(nanoseconds: i64) -> String {
    let time = jiff::Timestamp::from_nanosecond(nanoseconds.into()).unwrap_or_default();
    format!("{time:.3}")
}

/// The kinds of observables: how STIX and lists call them, what ECS calls the type, and the ECS fields of the value.
struct Observable {
    names: &'static [&'static str],
    kind: &'static str,
    fields: &'static [&'static str],
}

static OBSERVABLES: &[Observable] = &[
    Observable {
        names: &["ipv4-addr:value", "ip", "ipv4", "ipv4-addr", "ip-dst", "ip-src"],
        kind: "ipv4-addr",
        fields: &["threat.indicator.ip"],
    },
    Observable {
        names: &["ipv6-addr:value", "ipv6", "ipv6-addr"],
        kind: "ipv6-addr",
        fields: &["threat.indicator.ip"],
    },
    Observable {
        names: &["domain-name:value", "domain", "domain-name", "hostname"],
        kind: "domain-name",
        fields: &["threat.indicator.url.domain"],
    },
    Observable {
        names: &["url:value", "url", "uri"],
        kind: "url",
        fields: &["threat.indicator.url.full", "threat.indicator.url.original"],
    },
    Observable {
        names: &["file:hashes.md5", "md5"],
        kind: "file",
        fields: &["threat.indicator.file.hash.md5"],
    },
    Observable {
        names: &["file:hashes.sha-1", "file:hashes.sha1", "sha1"],
        kind: "file",
        fields: &["threat.indicator.file.hash.sha1"],
    },
    Observable {
        names: &["file:hashes.sha-256", "file:hashes.sha256", "sha256"],
        kind: "file",
        fields: &["threat.indicator.file.hash.sha256"],
    },
    Observable {
        names: &["file:hashes.sha-512", "file:hashes.sha512", "sha512"],
        kind: "file",
        fields: &["threat.indicator.file.hash.sha512"],
    },
    Observable { names: &["file:name", "filename"], kind: "file", fields: &["threat.indicator.file.name"] },
    Observable {
        names: &["email-addr:value", "email", "email-addr"],
        kind: "email-addr",
        fields: &["threat.indicator.email.address"],
    },
    Observable {
        names: &["windows-registry-key:key", "regkey"],
        kind: "windows-registry-key",
        fields: &["threat.indicator.registry.path"],
    },
];

/// The document of a value that is called so; none for what is not known.
fn observable(name: &str, value: &str) -> Option<Vec<(String, Value)>> {
    let name = name.to_ascii_lowercase();
    let known = OBSERVABLES.iter().find(|known| known.names.contains(&name.as_str()))?;
    // Elastic's integrations and quell's mappings write hashes in small letters.
    let lowered = value.to_ascii_lowercase();
    let value = if known.fields.iter().any(|field| field.contains(".hash.")) { &lowered } else { value };
    let mut fields = described(known.kind, value);
    fields.extend(known.fields.iter().map(|field| ((*field).to_owned(), value.into())));
    Some(fields)
}
