//! The table of events, and the documents that it stands for.

use crate::Fault;
use serde_json::{Map, Value, json};

/// Events in the order of their rows.
#[derive(Debug)]
pub struct Events {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    id: String,
    document: Map<String, Value>,
}

/// How dotted names of columns stand in documents; it must make no difference.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// `{"process.name": "a"}`
    Dotted,
    /// `{"process": {"name": "a"}}`
    Nested,
}

/// 2024-05-01T00:00:00Z in nanoseconds since 1970: what the column `time` counts from.
const BEGINNING: i128 = 1_714_521_600_000_000_000;
const SECOND: i128 = 1_000_000_000;

impl Events {
    pub fn parse<'t>(mut lines: impl Iterator<Item = (usize, &'t str)>) -> Result<Events, Fault> {
        let (number, head) = lines.next().ok_or_else(|| Fault::new(1, "a table of events is empty"))?;
        let columns = cells(head);
        if columns.first() != Some(&"id") {
            return Err(Fault::new(number, "the first column must be `id`"));
        }
        for (place, column) in columns.iter().enumerate() {
            if column.is_empty() || columns.iter().take(place).any(|before| before == column) {
                return Err(Fault::new(number, format!("the column `{column}` stands twice or has no name")));
            }
        }
        if columns.contains(&"time") && columns.contains(&"@timestamp") {
            return Err(Fault::new(number, "`time` and `@timestamp` are the same"));
        }
        let mut events = Events { rows: Vec::new() };
        for (number, line) in lines {
            let row =
                row(&columns, line, events.rows.len()).map_err(|message| Fault::new(number, message))?;
            if events.has(&row.id) {
                return Err(Fault::new(number, format!("the id `{}` stands twice", row.id)));
            }
            events.rows.push(row);
        }
        Ok(events)
    }

    pub fn has(&self, id: &str) -> bool {
        self.rows.iter().any(|row| row.id == id)
    }

    /// The id of the event in that line of the documents, from 1.
    pub fn id(&self, line: u64) -> Option<&str> {
        let place = usize::try_from(line).ok()?.checked_sub(1)?;
        self.rows.get(place).map(|row| row.id.as_str())
    }

    /// The documents as JSON lines.
    pub fn documents(&self, form: Form) -> String {
        let line = |row: &Row| match form {
            Form::Dotted => format!("{}\n", Value::Object(row.document.clone())),
            Form::Nested => format!("{}\n", Value::Object(nested(&row.document))),
        };
        self.rows.iter().map(line).collect()
    }
}

fn cells(line: &str) -> Vec<&str> {
    line.split('|').map(str::trim).collect()
}

fn row(columns: &[&str], line: &str, place: usize) -> Result<Row, String> {
    let cells = cells(line);
    if cells.len() > columns.len() {
        return Err(format!("{} cells for {} columns", cells.len(), columns.len()));
    }
    let mut document = Map::new();
    if !columns.contains(&"time") && !columns.contains(&"@timestamp") {
        document.insert("@timestamp".into(), at(place as i128 * SECOND)?);
    }
    if !columns.contains(&"event.category") {
        document.insert("event.category".into(), json!(["process"]));
    }
    let mut id = "";
    for (column, cell) in columns.iter().zip(cells) {
        match *column {
            "id" => id = cell,
            _ if cell.is_empty() => {}
            "time" => _ = document.insert("@timestamp".into(), at(span(cell)?)?),
            column => _ = document.insert(column.into(), value(cell)?),
        }
    }
    if id.is_empty() || id == "-" || id.contains(char::is_whitespace) {
        return Err("a row needs an id, one word".to_owned());
    }
    Ok(Row { id: id.to_owned(), document })
}

/// A cell's value: JSON where it is that, else the text as it stands.
fn value(cell: &str) -> Result<Value, String> {
    match serde_json::from_str(cell) {
        Ok(value) => Ok(value),
        Err(_) if !cell.starts_with(['"', '[', '{']) => Ok(Value::String(cell.to_owned())),
        Err(error) => Err(format!("`{cell}` looks like JSON but is none: {error}")),
    }
}

/// `1.5s` and the like in nanoseconds.
fn span(cell: &str) -> Result<i128, String> {
    let wrong = || format!("`{cell}` is no time: write a number and ns, ms, s, m, h or d");
    let unit_at = cell.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(wrong)?;
    let (number, unit) = cell.split_at(unit_at);
    let unit = match unit {
        "ns" => 1,
        "ms" => SECOND / 1000,
        "s" => SECOND,
        "m" => 60 * SECOND,
        "h" => 3600 * SECOND,
        "d" => 86400 * SECOND,
        _ => return Err(wrong()),
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let scale = 10_i128.pow(u32::try_from(part.len()).ok().filter(|digits| *digits < 10).ok_or_else(wrong)?);
    let digits: i128 = format!("{whole}{part}").parse().map_err(|_| wrong())?;
    Ok(digits * unit / scale)
}

fn at(offset: i128) -> Result<Value, String> {
    let instant = jiff::Timestamp::from_nanosecond(BEGINNING + offset);
    instant.map(|instant| Value::String(instant.to_string())).map_err(|error| error.to_string())
}

/// The document with dotted names as objects in objects; as it stands where two columns name one place.
fn nested(document: &Map<String, Value>) -> Map<String, Value> {
    let mut root = Map::new();
    for (path, value) in document {
        let segments: Vec<&str> = path.split('.').collect();
        if segments.iter().any(|segment| segment.is_empty()) || !put(&mut root, &segments, value) {
            return document.clone();
        }
    }
    root
}

fn put(object: &mut Map<String, Value>, path: &[&str], value: &Value) -> bool {
    match path {
        [] => false,
        [last] if object.contains_key(*last) => false,
        [last] => {
            object.insert((*last).to_owned(), value.clone());
            true
        }
        [first, rest @ ..] => match object.entry(*first).or_insert_with(|| json!({})) {
            Value::Object(inner) => put(inner, rest, value),
            _ => false,
        },
    }
}

#[test]
fn rows_become_documents() {
    let table =
        "id | time | process.name | process | x\na | 1.5s | b | {\"pid\":4} | C:\\t\nb | | [1,null] | | 007";
    let events = Events::parse((1..).zip(table.lines())).unwrap();
    let category = r#""event.category":["process"]"#;
    let first = format!(
        r#"{{{category},"@timestamp":"2024-05-01T00:00:01.5Z","process.name":"b","process":{{"pid":4}},"x":"C:\\t"}}"#
    );
    let second = format!(r#"{{{category},"process.name":[1,null],"x":"007"}}"#);
    assert_eq!(events.documents(Form::Dotted), format!("{first}\n{second}\n"));
    // The first has two columns for the place `process`.
    let second = r#"{"event":{"category":["process"]},"process":{"name":[1,null]},"x":"007"}"#;
    assert_eq!(events.documents(Form::Nested), format!("{first}\n{second}\n"));
    assert_eq!((events.id(1), events.id(2), events.id(3)), (Some("a"), Some("b"), None));
}

#[test]
fn times_are_exact() {
    let cases =
        [("0s", 0), ("5.001s", 5_001_000_000), ("-2m", -120_000_000_000), ("7ms", 7_000_000), ("1ns", 1)];
    for (cell, expected) in cases {
        assert_eq!(span(cell), Ok(expected), "{cell}");
    }
    for cell in ["5", "s", "1w", "x s"] {
        assert!(span(cell).is_err(), "{cell}");
    }
}
