//! Documents: the whole ECS document of a record, for alerts, `decode` and `query`.
//!
//! A document is made by the same plans as the lazy fields of a scan, compiled for every field that a mapping knows, with
//! all event data as they came beside them.

use crate::layout::Envelope;
use crate::mapping::Mappings;
use crate::tolerant;
use crate::{DecodeError, DecodeOptions, Decoder, Layout};
use quell_event::{Event, EventState, Facts, FieldSet, MAX_VALUES, Slot};
use quell_ir::Datum;
use serde_json::{Map, Value};

/// Makes ECS documents of records.
pub struct DocumentDecoder {
    layout: Layout,
    decoder: Decoder,
    /// In the order of the document: by path.
    fields: Vec<DocumentField>,
}

struct DocumentField {
    path: String,
    slot: Slot,
    /// Whether it is a list even of one value.
    list: bool,
}

impl DocumentDecoder {
    /// A decoder of whole documents for records of one layout.
    #[must_use]
    pub fn new(layout: Layout, options: &DecodeOptions) -> Self {
        let mut slots = FieldSet::default();
        let mut fields: Vec<DocumentField> = Vec::new();
        if layout != Layout::Ecs {
            for (path, list) in Mappings::embedded().fields() {
                // The members of an object that is a field itself stand in it.
                let inside = fields.last().is_some_and(|last: &DocumentField| {
                    path.strip_prefix(&last.path).is_some_and(|rest| rest.starts_with('.'))
                });
                if !inside {
                    fields.push(DocumentField { path: path.to_owned(), slot: slots.intern(path), list });
                }
            }
        }
        DocumentDecoder { layout, decoder: Decoder::new(layout, &slots, options), fields }
    }

    /// The document of a record: nested, its mapped keys sorted, event data in the record's order. An ECS record is its own
    /// document.
    ///
    /// What is no JSON within it stands in the document as text, and so does what nests too deeply.
    ///
    /// # Errors
    /// Where the record is no JSON object.
    pub fn document(&self, record: &str, facts: &dyn Facts) -> Result<Map<String, Value>, DecodeError> {
        let Some(envelope) = self.layout.envelope() else { return parse(record) };
        self.mapped(envelope, record, facts).or_else(|error| {
            // A field that no rule reads may be beyond what the mapping reads: the alert is not lost by it.
            let tame =
                tolerant::document(record).map(|source| Value::Object(within_limits(source)).to_string());
            self.mapped(envelope, tame.as_deref().ok_or(error)?, facts)
        })
    }

    fn mapped(
        &self,
        envelope: &Envelope,
        record: &str,
        facts: &dyn Facts,
    ) -> Result<Map<String, Value>, DecodeError> {
        let mut state = EventState::default();
        let mut event = self.decoder.decode(record, &mut state, facts)?;
        let mut document = Map::new();
        for field in &self.fields {
            if let Some(value) = field.value(&mut event) {
                insert(&mut document, &field.path, value);
            }
        }
        let source = parse(record)?;
        if let Some((path, wrapped)) = envelope.user_data
            && let Some(data) = user_data(member(&source, path), wrapped)
        {
            insert(&mut document, "winlog.user_data", Value::Object(data));
        }
        let data = event_data(envelope, source);
        if !data.is_empty() {
            insert(&mut document, "winlog.event_data", Value::Object(data));
        }
        Ok(document)
    }
}

impl DocumentField {
    /// The field's value: a list where it is one by its kind, or has more than one value.
    fn value(&self, event: &mut Event<'_>) -> Option<Value> {
        let values = event.values(self.slot);
        let mut list: Vec<Value> = values.iter().map(json).filter(|value| !value.is_null()).collect();
        list.extend(values.objects().filter_map(|object| parse(object).ok()).map(Value::Object));
        match list.len() {
            0 => None,
            1 if !self.list => list.pop(),
            _ => Some(Value::Array(list)),
        }
    }
}

/// The record with lists of more values than the projection takes as text.
fn within_limits(mut source: Map<String, Value>) -> Map<String, Value> {
    fn count(value: &Value) -> usize {
        match value {
            Value::Array(list) => list.iter().map(count).sum(),
            Value::Object(map) => map.values().map(count).sum(),
            _ => 1,
        }
    }
    fn cut(value: &mut Value, room: &mut usize) {
        match value {
            Value::Object(map) => map.values_mut().for_each(|value| cut(value, room)),
            Value::Array(_) => match room.checked_sub(count(value)) {
                Some(left) => *room = left,
                None => *value = Value::String(value.to_string()),
            },
            _ => {}
        }
    }
    let mut room = MAX_VALUES / 2;
    source.values_mut().for_each(|value| cut(value, &mut room));
    source
}

fn json(datum: Datum<'_>) -> Value {
    match datum {
        Datum::Null => Value::Null,
        Datum::Boolean(b) => b.into(),
        Datum::Integer(n) => n.into(),
        Datum::Unsigned(n) => n.into(),
        Datum::Float(n) => n.into(),
        Datum::Text(text) => text.into(),
    }
}

fn parse(record: &str) -> Result<Map<String, Value>, DecodeError> {
    serde_json::from_str(record).or_else(|error| {
        // What no rule reads may be anything: an alert is not lost by it.
        if let Some(document) = tolerant::document(record) {
            return Ok(document);
        }
        // serde_json counts lines and columns from 1.
        let lines = record.split_inclusive('\n').take(error.line().saturating_sub(1));
        let offset = lines.map(str::len).sum::<usize>() + error.column().saturating_sub(1);
        let message = error.to_string();
        let message = message.split_once(" at line").map_or(message.as_str(), |(message, _)| message);
        Err(DecodeError { offset, message: message.to_owned() })
    })
}

/// Puts a value at a dotted path. Mappings give no path that ends in another.
fn insert(map: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            map.insert(path.to_owned(), value);
        }
        Some((key, rest)) => {
            if let Value::Object(inner) = map.entry(key).or_insert_with(|| Value::Object(Map::new())) {
                insert(inner, rest, value);
            }
        }
    }
}

/// The value at a dotted path of nested objects.
fn member<'m>(map: &'m Map<String, Value>, path: &str) -> Option<&'m Value> {
    match path.split_once('.') {
        None => map.get(path),
        Some((key, rest)) => member(map.get(key)?.as_object()?, rest),
    }
}

/// The event data as Elastic keeps them: texts, without blanks and dashes, unnamed ones as `param1`, `param2`.
fn event_data(envelope: &Envelope, mut source: Map<String, Value>) -> Map<String, Value> {
    let path = envelope.data_object();
    let data = if path.is_empty() {
        std::mem::take(&mut source)
    } else {
        member(&source, path).and_then(Value::as_object).cloned().unwrap_or_default()
    };
    let unnamed = envelope.unnamed_data.and_then(|path| member(&source, path));
    let unnamed = match unnamed {
        Some(Value::Array(list)) => list.clone(),
        Some(single) => vec![single.clone()],
        None => Vec::new(),
    };
    let params = unnamed.into_iter().zip(1..).map(|(value, number)| (format!("param{number}"), value));
    let named = data.into_iter().filter(|(name, _)| !envelope.is_recorder_key(name));
    let named = named.filter(|(name, value)| {
        let words =
            envelope.ambiguous.iter().find(|(known, _)| known == name).map_or(&[][..], |(_, words)| *words);
        !value.as_str().is_some_and(|text| words.contains(&text))
    });
    params.chain(named).filter_map(|(name, value)| Some((name, texts(value)?))).collect()
}

/// User data without the element around them, whose name stands beside them as in Winlogbeat's documents.
fn user_data(source: Option<&Value>, wrapped: bool) -> Option<Map<String, Value>> {
    let source = source?.as_object()?;
    if !wrapped {
        return Some(
            source.clone().into_iter().filter_map(|(name, value)| Some((name, texts(value)?))).collect(),
        );
    }
    let mut data = Map::new();
    for (element, value) in source.iter().filter(|(name, _)| !name.ends_with("_attributes")) {
        data.insert("xml_name".to_owned(), element.as_str().into());
        let members = value.as_object().cloned().unwrap_or_default();
        data.extend(members.into_iter().filter_map(|(name, value)| Some((name, texts(value)?))));
    }
    (!data.is_empty()).then_some(data)
}

/// The value with its scalars as texts; nothing of blanks, dashes and nulls.
fn texts(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Bool(b) => Some(b.to_string().into()),
        Value::Number(number) => Some(match number.as_f64() {
            Some(float) if number.is_f64() => float.to_string().into(),
            _ => number.to_string().into(),
        }),
        Value::String(text) => (!matches!(text.as_str(), "" | "-")).then_some(Value::String(text)),
        Value::Array(list) => {
            let list: Vec<Value> = list.into_iter().filter_map(texts).collect();
            (!list.is_empty()).then_some(Value::Array(list))
        }
        Value::Object(map) => {
            let map: Map<String, Value> =
                map.into_iter().filter_map(|(name, value)| Some((name, texts(value)?))).collect();
            (!map.is_empty()).then_some(Value::Object(map))
        }
    }
}
