//! Indicators in CSV with a header: columns are ECS fields, or a kind and a value.

use super::{Reading, described, observable};
use serde_json::Value;

/// What the column of kinds may be called.
const KINDS: &[&str] = &["type", "kind", "indicator_type", "ioc_type"];
/// What that of values may be called.
const VALUES: &[&str] = &["value", "indicator", "ioc", "ioc_value"];
/// Columns that stand for other fields.
const ALIASES: &[(&str, &str)] = &[
    ("id", "_id"),
    ("feed", "threat.feed.name"),
    ("description", "threat.indicator.description"),
    ("provider", "threat.indicator.provider"),
    ("confidence", "threat.indicator.confidence"),
    ("first_seen", "threat.indicator.first_seen"),
    ("last_seen", "threat.indicator.last_seen"),
];

pub(super) fn read(text: &str) -> Result<Reading, String> {
    let mut rows = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = rows.headers().map_err(|error| error.to_string())?.clone();
    let column = |names: &[&str]| {
        header.iter().position(|name| names.iter().any(|known| name.eq_ignore_ascii_case(known)))
    };
    let pair = column(KINDS).zip(column(VALUES));
    let fields: Vec<Option<&str>> = header.iter().map(field_of).collect();
    if pair.is_none() && !header.iter().any(|name| name.starts_with("threat.indicator.")) {
        return Err(
            "the header names neither fields such as `threat.indicator.ip` nor `type` and `value`".into()
        );
    }
    let mut reading = Reading::default();
    for row in rows.records() {
        let Ok(row) = row else {
            reading.not_read += 1;
            continue;
        };
        let of_pair = pair.map(|(kind, value)| observable(row.get(kind)?, row.get(value)?));
        let mut document = match of_pair {
            Some(Some(document)) => document,
            None => described("unknown", ""),
            Some(None) => {
                reading.not_read += 1;
                continue;
            }
        };
        let cells = fields.iter().zip(row.iter()).filter(|(_, cell)| !cell.is_empty());
        for (field, cell) in cells.filter_map(|(field, cell)| Some(((*field)?, cell))) {
            document.retain(|(name, _)| name != field);
            document.push((field.to_owned(), Value::from(cell)));
        }
        reading.documents.push(document);
    }
    Ok(reading)
}

/// The field of a column.
fn field_of(column: &str) -> Option<&str> {
    let alias = ALIASES.iter().find(|(name, _)| column.eq_ignore_ascii_case(name)).map(|(_, field)| *field);
    let ecs = ["threat.", "event.", "labels."].iter().any(|prefix| column.starts_with(prefix));
    alias.or((ecs || matches!(column, "@timestamp" | "_id" | "_index" | "tags")).then_some(column))
}
