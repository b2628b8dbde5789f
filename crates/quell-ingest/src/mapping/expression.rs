//! The small language of a mapping row: where a field's values come from, and how they are derived.
//!
//! ```text
//! row         = alternative { " else " alternative }      the first that gives a value
//! alternative = "=" constant | source { " | " derivation }
//! source      = name { ", " name }                        the first of these that has a value
//!             | name " + " name { " + " name }            all of them, joined by a tab; nothing where one is missing
//! name        = part of the envelope | event data | "field(" field ")"     another field of the event; only joined
//! derivation  = word [ "(" argument ")" ]
//! ```
//!
//! What stands in single quotes is taken as it is.

use super::derive::{self, Argument, ArgumentKind, Derivation};
use super::table::Lookups;
use crate::layout::ENVELOPE_PARTS;
use quell_ir::Value;

/// The first alternative that gives a value.
#[derive(Clone)]
pub(crate) struct Group {
    pub(crate) alternatives: Vec<Alternative>,
}

/// A source and what is made of it.
#[derive(Clone)]
pub(crate) struct Alternative {
    pub(crate) source: Source,
    pub(crate) steps: Vec<Step>,
}

/// Where values come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Always this.
    Constant(Value),
    /// The first of these that has a value.
    FirstOf(Vec<Name>),
    /// The first values of all, joined by a tab.
    Joined(Vec<Name>),
}

/// The name of a source field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// A part of the envelope, of [`ENVELOPE_PARTS`].
    Part(&'static str),
    /// An event data field.
    Data(String),
    /// Another field of the same event, whose row names no further one.
    Field(String),
}

/// A derivation with its argument.
#[derive(Clone)]
pub(crate) struct Step {
    pub(crate) derivation: &'static Derivation,
    pub(crate) argument: Argument,
}

impl Group {
    /// A group that always gives this value.
    pub(crate) fn constant(value: Value) -> Group {
        Group { alternatives: vec![Alternative { source: Source::Constant(value), steps: Vec::new() }] }
    }

    /// Reads a row. The error is a message without its place.
    pub(crate) fn parse(row: &str, lookups: &Lookups<'_>) -> Result<Group, String> {
        let alternatives = split(row, " else ").into_iter().map(|part| alternative(part.trim(), lookups));
        Ok(Group { alternatives: alternatives.collect::<Result<_, _>>()? })
    }
}

fn alternative(text: &str, lookups: &Lookups<'_>) -> Result<Alternative, String> {
    if let Some(constant) = text.strip_prefix('=') {
        let constant = constant.trim();
        if constant.is_empty() {
            return Err("a constant needs a text behind `=`".to_owned());
        }
        return Ok(Alternative { source: Source::Constant(Value::Text(constant.into())), steps: Vec::new() });
    }
    let mut parts = split(text, " | ").into_iter();
    let source = source(parts.next().unwrap_or("").trim())?;
    let mut steps = parts.map(|part| step(part.trim(), lookups)).collect::<Result<Vec<_>, _>>()?;
    if steps.is_empty() {
        steps.push(Step { derivation: &derive::TEXT, argument: Argument::None });
    }
    Ok(Alternative { source, steps })
}

fn source(text: &str) -> Result<Source, String> {
    let joined = split(text, " + ");
    let names =
        |parts: Vec<&str>| parts.into_iter().map(|part| name(part.trim())).collect::<Result<Vec<_>, _>>();
    if joined.len() > 1 {
        Ok(Source::Joined(names(joined)?))
    } else {
        let names = names(split(text, ", "))?;
        if names.iter().any(|name| matches!(name, Name::Field(_))) {
            return Err(format!("`{text}`: another field can only be joined with others"));
        }
        Ok(Source::FirstOf(names))
    }
}

fn name(text: &str) -> Result<Name, String> {
    if text.is_empty() {
        return Err("the name of a source field is missing".to_owned());
    }
    if let Some(part) = ENVELOPE_PARTS.iter().find(|part| **part == text) {
        return Ok(Name::Part(part));
    }
    if let Some(field) = text.strip_prefix("field(").and_then(|text| text.strip_suffix(')')) {
        return Ok(Name::Field(field.to_owned()));
    }
    let bare = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
    if bare.is_none() && text.contains(['.', '|', '(', ')', '\'', ' ']) {
        return Err(format!("`{text}` is no part of an event's envelope and no name of event data"));
    }
    Ok(Name::Data(bare.unwrap_or(text).to_owned()))
}

fn step(text: &str, lookups: &Lookups<'_>) -> Result<Step, String> {
    let (word, argument) = match text.split_once('(') {
        Some((word, rest)) => (word, Some(rest.strip_suffix(')').ok_or(format!("`{text}` lacks its `)`"))?)),
        None => (text, None),
    };
    let derivation = derive::find(word).ok_or_else(|| format!("there is no derivation `{word}`"))?;
    let argument =
        argument.map(|text| text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')).unwrap_or(text));
    let argument = match (derivation.argument, argument) {
        (ArgumentKind::None | ArgumentKind::OptionalWord(_), None) => Argument::None,
        (ArgumentKind::OptionalWord(words), Some(word)) if words.contains(&word) => {
            Argument::Text(word.into())
        }
        (ArgumentKind::Text, Some(text)) if !text.is_empty() => Argument::Text(text.into()),
        (ArgumentKind::Number, Some(text)) => match text.parse() {
            Ok(number) if number > 0 => Argument::Number(number),
            _ => return Err(format!("`{word}` takes a number from 1, not `{text}`")),
        },
        (ArgumentKind::Lookup, Some(name)) => {
            Argument::Lookup(lookups.get(name).ok_or_else(|| format!("there is no table `[lookup.{name}]`"))?)
        }
        (kind, _) => {
            return Err(match kind {
                ArgumentKind::None => format!("`{word}` takes nothing in brackets"),
                ArgumentKind::OptionalWord(words) => {
                    format!("`{word}` takes one of {} in brackets", words.join(", "))
                }
                _ => format!("`{word}` needs something in brackets"),
            });
        }
    };
    Ok(Step { derivation, argument })
}

/// Splits at a separator that does not stand in single quotes.
fn split<'t>(text: &'t str, separator: &str) -> Vec<&'t str> {
    let mut parts = Vec::new();
    let (mut start, mut from) = (0, 0);
    while let Some(found) = text.get(from..).and_then(|rest| rest.find(separator)) {
        let at = from + found;
        from = at + separator.len();
        let part = text.get(start..at).unwrap_or("");
        if part.matches('\'').count() % 2 == 0 {
            parts.push(part);
            start = from;
        }
    }
    parts.push(text.get(start..).unwrap_or(""));
    parts
}

#[cfg(test)]
mod tests {
    use super::{Group, Name, Source};
    use crate::mapping::derive::Argument;
    use crate::mapping::table::{Lookup, Lookups};
    use quell_ir::Value;
    use std::collections::BTreeMap;
    use std::sync::Arc;

    fn parse(row: &str) -> Result<Group, String> {
        let own = BTreeMap::from([("levels".to_owned(), Arc::new(Lookup::new([("1", "one")])))]);
        Group::parse(row, &Lookups { own: &own, shared: None })
    }

    fn data(name: &str) -> Name {
        Name::Data(name.to_owned())
    }

    #[test]
    fn rows_read_as_they_are_written() {
        let group = parse("A, B | before('\\') | lower else System.Channel else =none").unwrap();
        let [first, second, third] = &group.alternatives[..] else { panic!() };
        assert_eq!(first.source, Source::FirstOf(vec![data("A"), data("B")]));
        assert_eq!(
            first.steps.iter().map(|step| step.derivation.name).collect::<Vec<_>>(),
            ["before", "lower"]
        );
        assert_eq!(first.steps[0].argument.text(), "\\");
        assert_eq!(second.source, Source::FirstOf(vec![Name::Part("System.Channel")]));
        assert_eq!(second.steps[0].derivation.name, "text");
        assert_eq!(third.source, Source::Constant(Value::Text("none".into())));
        assert_eq!(
            parse("A + B | community_id").unwrap().alternatives[0].source,
            Source::Joined(vec![data("A"), data("B")])
        );
        assert_eq!(
            parse("field(a.b) + B").unwrap().alternatives[0].source,
            Source::Joined(vec![Name::Field("a.b".to_owned()), data("B")])
        );
        assert!(matches!(
            parse("A | lookup(levels)").unwrap().alternatives[0].steps[0].argument,
            Argument::Lookup(_)
        ));
    }

    #[test]
    fn separators_in_quotes_are_text() {
        let group = parse("A | before(' | ')").unwrap();
        assert_eq!(group.alternatives[0].steps[0].argument.text(), " | ");
    }

    #[test]
    fn mistakes_are_named() {
        for (row, message) in [
            ("", "the name of a source field is missing"),
            ("=", "a constant needs a text behind `=`"),
            (
                "System.Nothing",
                "`System.Nothing` is no part of an event's envelope and no name of event data",
            ),
            ("field(a.b)", "`field(a.b)`: another field can only be joined with others"),
            ("A | nonsense", "there is no derivation `nonsense`"),
            ("A | before", "`before` needs something in brackets"),
            ("A | lower(x)", "`lower` takes nothing in brackets"),
            ("A | hashes(crc)", "`hashes` takes one of md5, sha1, sha256, imphash in brackets"),
            ("A | lookup(other)", "there is no table `[lookup.other]`"),
            ("A | nth(0)", "`nth` takes a number from 1, not `0`"),
            ("A | before('x'", "`before('x'` lacks its `)`"),
        ] {
            assert_eq!(parse(row).err().as_deref(), Some(message), "{row}");
        }
    }
}
