//! Mapping tables: TOML files, one a provider, read into rows.
//!
//! `mappings/README.md` says how a file is written. A row that cannot be read is left out and reported; a test holds that
//! the embedded files have none.

use super::expression::Group;
use quell_ir::Value;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::Arc;
use thiserror::Error;

/// What is wrong with a mapping file.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{file}: {key}: {message}")]
pub struct MappingError {
    /// The file's name.
    pub file: String,
    /// The key in it.
    pub key: String,
    /// What is wrong with it.
    pub message: String,
}

/// How one field is made.
#[derive(Clone)]
pub(crate) struct Row {
    /// Whether the field is a list: then it has the values of all groups, each once.
    pub(crate) list: bool,
    pub(crate) groups: Vec<Group>,
}

/// Rows by field.
pub(crate) type Rows = BTreeMap<String, Row>;

/// A table of words, compared without case.
#[derive(Debug)]
pub(crate) struct Lookup {
    words: CaselessMap<Box<str>>,
}

impl Lookup {
    pub(crate) fn new<'t>(words: impl IntoIterator<Item = (&'t str, &'t str)>) -> Self {
        let mut map = CaselessMap::default();
        for (word, meaning) in words {
            map.insert(word, meaning.into());
        }
        Lookup { words: map }
    }

    pub(crate) fn get(&self, word: &str) -> Option<&str> {
        self.words.get(word).map(|meaning| &**meaning)
    }
}

/// The look-up tables that a file may name: its own, then the shared ones.
pub(crate) struct Lookups<'l> {
    pub(crate) own: &'l BTreeMap<String, Arc<Lookup>>,
    pub(crate) shared: Option<&'l BTreeMap<String, Arc<Lookup>>>,
}

impl Lookups<'_> {
    pub(crate) fn get(&self, name: &str) -> Option<Arc<Lookup>> {
        self.own.get(name).or_else(|| self.shared?.get(name)).cloned()
    }
}

/// Keys without regard to the case of ASCII letters; a look-up allocates nothing.
#[derive(Debug)]
pub(crate) struct CaselessMap<V> {
    by_hash: FxHashMap<u64, Vec<(Box<str>, V)>>,
}

impl<V> Default for CaselessMap<V> {
    fn default() -> Self {
        CaselessMap { by_hash: FxHashMap::default() }
    }
}

impl<V> CaselessMap<V> {
    pub(crate) fn insert(&mut self, key: &str, value: V) {
        self.by_hash.entry(caseless_hash(key)).or_default().push((key.into(), value));
    }

    pub(crate) fn get(&self, key: &str) -> Option<&V> {
        let entries = self.by_hash.get(&caseless_hash(key))?;
        entries.iter().find(|(known, _)| known.eq_ignore_ascii_case(key)).map(|(_, value)| value)
    }
}

/// FNV-1a over the letters in lower case.
fn caseless_hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// One file.
#[derive(Default)]
pub(crate) struct MappingFile {
    /// Provider names, GUIDs and channels by which the file is chosen, the strongest first.
    pub(crate) providers: Vec<String>,
    pub(crate) guids: Vec<String>,
    pub(crate) channels: Vec<String>,
    pub(crate) lookups: BTreeMap<String, Arc<Lookup>>,
    /// Rows of every event.
    pub(crate) every: Rows,
    /// Rows of single events, by id.
    pub(crate) events: BTreeMap<i64, Rows>,
    pub(crate) errors: Vec<MappingError>,
}

impl MappingFile {
    /// Reads a file. `shared` are the look-up tables that it may use beside its own.
    pub(crate) fn parse(
        file: &str,
        text: &str,
        shared: Option<&BTreeMap<String, Arc<Lookup>>>,
    ) -> MappingFile {
        let mut mapping = MappingFile::default();
        let table = match text.parse::<toml::Table>() {
            Ok(table) => table,
            Err(error) => {
                mapping.error(file, "", error.message());
                return mapping;
            }
        };
        if let Some(toml::Value::Table(lookups)) = table.get("lookup") {
            mapping.read_lookups(file, lookups);
        }
        for (key, value) in &table {
            match (key.as_str(), value) {
                ("lookup", toml::Value::Table(_)) => {}
                ("provider", value) => mapping.providers = mapping.read_texts(file, key, value),
                ("guid", value) => mapping.guids = mapping.read_texts(file, key, value),
                ("channel", value) => mapping.channels = mapping.read_texts(file, key, value),
                ("every", toml::Value::Table(rows)) => {
                    mapping.every = mapping.read_rows(file, key, rows, shared)
                }
                ("event", toml::Value::Table(events)) => mapping.read_events(file, events, shared),
                _ => mapping.error(file, key, "no such key"),
            }
        }
        mapping
    }

    fn error(&mut self, file: &str, key: &str, message: &str) {
        self.errors.push(MappingError {
            file: file.to_owned(),
            key: key.to_owned(),
            message: message.to_owned(),
        });
    }

    fn read_lookups(&mut self, file: &str, lookups: &toml::Table) {
        for (name, words) in lookups {
            let words = words
                .as_table()
                .into_iter()
                .flatten()
                .map(|(word, meaning)| Some((word.as_str(), meaning.as_str()?)));
            match words.collect::<Option<Vec<_>>>() {
                Some(words) if !words.is_empty() => {
                    self.lookups.insert(name.clone(), Arc::new(Lookup::new(words)));
                }
                _ => self.error(file, &format!("lookup.{name}"), "a look-up table has a text for every word"),
            }
        }
    }

    fn read_texts(&mut self, file: &str, key: &str, value: &toml::Value) -> Vec<String> {
        let texts = match value {
            toml::Value::String(text) => Some(vec![text.clone()]),
            toml::Value::Array(texts) => texts.iter().map(|text| text.as_str().map(str::to_owned)).collect(),
            _ => None,
        };
        texts.unwrap_or_else(|| {
            self.error(file, key, "expected a text or a list of texts");
            Vec::new()
        })
    }

    fn read_events(
        &mut self,
        file: &str,
        events: &toml::Table,
        shared: Option<&BTreeMap<String, Arc<Lookup>>>,
    ) {
        let mut likes = Vec::new();
        for (id, rows) in events {
            let key = format!("event.{id}");
            let (Ok(number), toml::Value::Table(rows)) = (id.parse(), rows) else {
                self.error(file, &key, "an event is a table under its id");
                continue;
            };
            let mut rows = rows.clone();
            match rows.remove("like") {
                None => {}
                Some(toml::Value::Integer(model)) => likes.push((number, model)),
                Some(_) => self.error(file, &key, "`like` takes the id of another event"),
            }
            let rows = self.read_rows(file, &key, &rows, shared);
            self.events.insert(number, rows);
        }
        for (number, model) in likes {
            let Some(model_rows) = self.events.get(&model).cloned() else {
                self.error(file, &format!("event.{number}"), "`like` names an event that is not in the file");
                continue;
            };
            let rows = self.events.entry(number).or_default();
            for (field, row) in model_rows {
                rows.entry(field).or_insert(row);
            }
        }
    }

    fn read_rows(
        &mut self,
        file: &str,
        at: &str,
        table: &toml::Table,
        shared: Option<&BTreeMap<String, Arc<Lookup>>>,
    ) -> Rows {
        let mut rows = Rows::new();
        for (key, value) in table {
            let row = if SHORT_FORMS.contains(&key.as_str()) {
                constants(value).map(|row| (format!("event.{key}"), row))
            } else if key.contains('.') || key.starts_with('@') || UNDOTTED.contains(&key.as_str()) {
                row(value, &Lookups { own: &self.lookups, shared }).map(|row| (key.clone(), row))
            } else {
                Err("a row's key is a field in quotes".to_owned())
            };
            match row {
                Ok((field, row)) => {
                    rows.insert(field, row);
                }
                Err(message) => self.error(file, &format!("{at}.\"{key}\""), &message),
            }
        }
        rows
    }
}

/// Constants of `event.*` that every event has, written without quotes.
const SHORT_FORMS: &[&str] = &["action", "category", "type"];

/// Fields without a dot.
const UNDOTTED: &[&str] = &["message", "tags"];

/// A text, or a list of texts that makes the field a list.
fn constants(value: &toml::Value) -> Result<Row, String> {
    let constant = |value: &toml::Value| {
        value
            .as_str()
            .map(|text| Group::constant(Value::Text(text.into())))
            .ok_or("expected a text".to_owned())
    };
    match value {
        toml::Value::Array(list) => {
            Ok(Row { list: true, groups: list.iter().map(constant).collect::<Result<_, _>>()? })
        }
        value => Ok(Row { list: false, groups: vec![constant(value)?] }),
    }
}

fn row(value: &toml::Value, lookups: &Lookups<'_>) -> Result<Row, String> {
    let group = |value: &toml::Value| match value {
        toml::Value::String(text) => Group::parse(text, lookups),
        toml::Value::Integer(number) => Ok(Group::constant(Value::Integer(*number))),
        toml::Value::Boolean(truth) => Ok(Group::constant(Value::Boolean(*truth))),
        _ => Err("expected a text, a number or a boolean".to_owned()),
    };
    match value {
        toml::Value::Array(list) => {
            Ok(Row { list: true, groups: list.iter().map(group).collect::<Result<_, _>>()? })
        }
        value => Ok(Row { list: false, groups: vec![group(value)?] }),
    }
}

#[cfg(test)]
mod tests {
    use super::{CaselessMap, MappingFile};

    #[test]
    fn look_ups_do_not_regard_case() {
        let mut map = CaselessMap::default();
        map.insert("Security", 1);
        map.insert("System", 2);
        assert_eq!(map.get("SECURITY"), Some(&1));
        assert_eq!(map.get("system"), Some(&2));
        assert_eq!(map.get("systems"), None);
    }

    #[test]
    fn an_event_may_be_like_another() {
        let text = "
            provider = 'P'
            [event.1]
            category = ['network']
            \"a.b\" = 'X'
            [event.2]
            like = 1
            \"a.b\" = 'Y'
        ";
        let file = MappingFile::parse("p.toml", text, None);
        assert_eq!(file.errors, []);
        assert_eq!(file.events[&2].keys().collect::<Vec<_>>(), ["a.b", "event.category"]);
        assert!(file.events[&2]["event.category"].list);
    }

    #[test]
    fn errors_name_file_and_key_and_leave_the_other_rows() {
        let text = "
            provider = 'P'
            colour = 'red'
            [lookup.x]
            a = 1
            [every]
            \"a.b\" = 'X | nothing'
            \"a.c\" = 'X'
            b = 'X'
            \"a.d\" = 1.5
            [event.x]
            \"a.b\" = 'X'
            [event.3]
            like = 4
        ";
        let file = MappingFile::parse("p.toml", text, None);
        let mut errors: Vec<String> = file.errors.iter().map(ToString::to_string).collect();
        errors.sort();
        assert_eq!(
            errors,
            [
                "p.toml: colour: no such key",
                "p.toml: event.3: `like` names an event that is not in the file",
                "p.toml: event.x: an event is a table under its id",
                "p.toml: every.\"a.b\": there is no derivation `nothing`",
                "p.toml: every.\"a.d\": expected a text, a number or a boolean",
                "p.toml: every.\"b\": a row's key is a field in quotes",
                "p.toml: lookup.x: a look-up table has a text for every word",
            ]
        );
        assert_eq!(file.every.keys().collect::<Vec<_>>(), ["a.c"]);
        let broken = MappingFile::parse("p.toml", "[every", None);
        assert_eq!(broken.errors.len(), 1);
    }
}
