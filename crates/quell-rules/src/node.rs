//! A document with the place of every value: what TOML and JSON are read to, so that findings can underline.

use crate::source_map::{Notation, SourceMap, decode};
use quell_ir::Span;
use serde_json::{Map, Number, Value};
use toml::de::{DeTable, DeValue};

/// A value and where it stands in its file.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) content: Content,
}

/// What a node holds.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Null,
    Boolean(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Table(Vec<Member>),
}

/// A key and its value, in the file's order.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) node: Node,
}

impl Node {
    /// The member of that name; of several the last, as `JSON.parse` takes it. A null is no value.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.members()
            .iter()
            .rev()
            .find(|member| member.key == key)
            .map(|member| &member.node)
            .filter(|n| !n.is_null())
    }

    pub(crate) fn members(&self) -> &[Member] {
        if let Content::Table(members) = &self.content { members } else { &[] }
    }

    pub(crate) fn items(&self) -> &[Node] {
        if let Content::List(items) = &self.content { items } else { &[] }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        if let Content::Text(text) = &self.content { Some(text) } else { None }
    }

    pub(crate) fn integer(&self) -> Option<i64> {
        if let Content::Number(number) = &self.content { number.as_i64() } else { None }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.content, Content::Null)
    }

    /// The texts of a list, or the one text.
    pub(crate) fn texts(&self) -> Vec<String> {
        match &self.content {
            Content::Text(text) => vec![text.clone()],
            _ => self.items().iter().filter_map(Node::text).map(str::to_owned).collect(),
        }
    }

    /// What people call this kind of value.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.content {
            Content::Null => "null",
            Content::Boolean(_) => "a boolean",
            Content::Number(n) if n.is_f64() => "a decimal number",
            Content::Number(_) => "an integer",
            Content::Text(_) => "a text",
            Content::List(_) => "a list",
            Content::Table(_) => "an object",
        }
    }

    /// The value without its places.
    pub(crate) fn to_json(&self) -> Value {
        match &self.content {
            Content::Null => Value::Null,
            Content::Boolean(b) => Value::Bool(*b),
            Content::Number(n) => Value::Number(n.clone()),
            Content::Text(text) => Value::String(text.clone()),
            Content::List(items) => Value::Array(items.iter().map(Node::to_json).collect()),
            Content::Table(_) => Value::Object(self.to_map()),
        }
    }

    /// The members without their places; empty where it is no table.
    pub(crate) fn to_map(&self) -> Map<String, Value> {
        self.members().iter().map(|member| (member.key.clone(), member.node.to_json())).collect()
    }

    /// Where each character of a text stands in `source`, the whole file. Tells TOML and JSON apart by the quotes.
    pub(crate) fn source_map(&self, source: &str, json: bool) -> Option<SourceMap> {
        let text = self.text()?;
        let raw = self.span.text(source);
        let (quote, notation) =
            ["'''", "\"\"\"", "'", "\""].into_iter().find(|q| raw.starts_with(q)).map(|quote| {
                let notation = match quote {
                    _ if json => Notation::Json,
                    "'" | "'''" => Notation::Literal,
                    _ => Notation::TomlBasic,
                };
                (if json { "\"" } else { quote }, notation)
            })?;
        let inside = raw.strip_prefix(quote)?.strip_suffix(quote)?;
        // A line break right behind the opening quotes does not count.
        let trimmed = if quote.len() == 3 {
            inside.strip_prefix('\n').or_else(|| inside.strip_prefix("\r\n")).unwrap_or(inside)
        } else {
            inside
        };
        let offset = self.span.start as usize + quote.len() + (inside.len() - trimmed.len());
        let (decoded, map) = decode(trimmed, offset, notation).ok()?;
        (decoded == text).then_some(map)
    }
}

/// Reads a TOML file. Its tables are at most as deep as the `toml` crate allows (80).
pub(crate) fn parse_toml(text: &str) -> Result<Node, (String, Option<Span>)> {
    let table = DeTable::parse(text).map_err(|error| {
        let span = error.span().map(|range| Span::new(range.start, range.end));
        (error.message().lines().next().unwrap_or("malformed").trim().to_owned(), span)
    })?;
    let range = table.span();
    Ok(Node { span: Span::new(range.start, range.end), content: toml_table(table.get_ref()) })
}

fn toml_table(table: &DeTable<'_>) -> Content {
    let mut members: Vec<Member> = table
        .iter()
        .map(|(key, value)| {
            let (key_range, range) = (key.span(), value.span());
            Member {
                key: key.get_ref().to_string(),
                key_span: Span::new(key_range.start, key_range.end),
                node: Node { span: Span::new(range.start, range.end), content: toml_value(value.get_ref()) },
            }
        })
        .collect();
    members.sort_by_key(|member| member.key_span.start);
    Content::Table(members)
}

fn toml_value(value: &DeValue<'_>) -> Content {
    match value {
        DeValue::String(text) => Content::Text(text.to_string()),
        DeValue::Integer(n) => match i64::from_str_radix(n.as_str(), n.radix()) {
            Ok(n) => Content::Number(n.into()),
            Err(_) => Content::Text(n.as_str().to_owned()),
        },
        // Infinite and not-a-number have no number in JSON; they stay what was written.
        DeValue::Float(n) => match n.as_str().parse::<f64>().ok().and_then(Number::from_f64) {
            Some(number) => Content::Number(number),
            None => Content::Text(n.as_str().to_owned()),
        },
        DeValue::Boolean(b) => Content::Boolean(*b),
        DeValue::Datetime(date) => Content::Text(date.to_string()),
        DeValue::Array(items) => Content::List(
            items
                .iter()
                .map(|item| {
                    let range = item.span();
                    Node { span: Span::new(range.start, range.end), content: toml_value(item.get_ref()) }
                })
                .collect(),
        ),
        DeValue::Table(table) => toml_table(table),
    }
}

#[cfg(test)]
mod tests {
    use super::parse_toml;
    use quell_ir::Span;

    #[test]
    fn strings_of_every_notation_are_found_in_the_file() {
        let quotes = [("'''\n", "'''"), ("'''", "'''"), ("\"\"\"\r\n", "\"\"\""), ("'", "'"), ("\"", "\"")];
        for (open, close) in quotes {
            let text = format!("a = 1\nq = {open}any where word{close}\n");
            let tree = parse_toml(&text).unwrap();
            let node = tree.get("q").unwrap();
            let start = node.text().unwrap().find("word").unwrap();
            let span = node.source_map(&text, false).unwrap().locate(Span::new(start, start + 4)).unwrap();
            assert_eq!(span.text(&text), "word", "{text}");
        }
    }

    #[test]
    fn members_keep_the_order_of_the_file() {
        let tree = parse_toml("z = 1\na = 2\n[m]\nk = 0x10\nf = 1.5\n[b]\n").unwrap();
        let keys: Vec<&str> = tree.members().iter().map(|m| m.key.as_str()).collect();
        assert_eq!(keys, ["z", "a", "m", "b"]);
        assert_eq!(tree.to_json(), serde_json::json!({"z": 1, "a": 2, "m": {"k": 16, "f": 1.5}, "b": {}}));
    }

    #[test]
    fn deep_toml_is_refused() {
        for text in [format!("a = {}", "[".repeat(100_000)), format!("{}a = 1", "a.".repeat(100_000))] {
            assert!(parse_toml(&text).is_err());
        }
    }
}
