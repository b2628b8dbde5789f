//! Derivations: the closed list of ways in which a mapping row makes a field's values from a recorder's.
//!
//! Each is one entry: name, meaning, argument, code and examples; the examples are tests. The same code serves the
//! lazy slots of a scan and whole documents. Nothing here allocates: output goes to the event's slots and buffers.

mod args;
mod community_id;
mod date;
mod dns;
mod hashes;
mod numbers;
mod paths;
mod powershell;
mod process;
mod registry;
mod texts;
mod windows;

pub(crate) use numbers::{NTH, integer};
pub(crate) use process::{PROCESS, hash_lower};
pub(crate) use texts::TEXT;

use super::table::Lookup;
use jiff::tz::TimeZone;
use quell_event::{Facts, Scalar, SlotTable, TextRef};
use quell_ir::Datum;
use std::fmt::Write;
use std::sync::Arc;

/// All derivations.
pub(crate) static DERIVATIONS: &[&Derivation] = &[
    &args::WINDOWS_ARGS,
    &community_id::COMMUNITY_ID,
    &date::DATE,
    &date::LOCAL_DATE,
    &dns::DNS_ANSWERS,
    &dns::RESOLVED_IPS,
    &hashes::HASHES,
    &numbers::BOOLEAN,
    &numbers::COUNT,
    &numbers::INTEGER,
    &NTH,
    &paths::BASENAME,
    &paths::DIRECTORY,
    &paths::EXTENSION,
    &powershell::CONTEXT,
    &powershell::INVOCATION_DETAILS,
    &process::ENTITY_ID,
    &PROCESS,
    &registry::REGISTRY_DATA,
    &registry::REGISTRY_DATA_TYPE,
    &registry::REGISTRY_HIVE,
    &registry::REGISTRY_KEY,
    &texts::AFTER,
    &texts::BEFORE,
    &texts::LOOKUP,
    &texts::LOWER,
    &TEXT,
    &windows::GUID,
    &windows::IP,
    &windows::IP_VERSION,
    &windows::KEYWORDS,
    &windows::OUTCOME,
    &windows::SID,
];

/// The derivation of this name.
pub(crate) fn find(name: &str) -> Option<&'static Derivation> {
    DERIVATIONS.iter().find(|derivation| derivation.name == name).copied()
}

/// What derivations are told besides their input.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The time zone of times that do not name theirs.
    pub(crate) timezone: TimeZone,
}

/// One way to make values from values.
#[allow(
    dead_code,
    reason = "the tests read the documentation: they hold the reference page and the code to it"
)]
pub(crate) struct Derivation {
    /// The word in a mapping row.
    pub(crate) name: &'static str,
    /// What it gives: one sentence without its subject, for the reference page.
    pub(crate) doc: &'static str,
    /// What may stand in brackets behind the name.
    pub(crate) argument: ArgumentKind,
    /// The code.
    pub(crate) run: Run,
    /// Argument, input, and the outputs as text.
    pub(crate) examples: &'static [Example],
}

pub(crate) type Example = (&'static str, &'static str, &'static [&'static str]);

/// How a derivation sees the values of its source.
pub(crate) enum Run {
    /// One by one.
    Each(fn(&Input<'_>, &Argument, &mut Output<'_>)),
    /// It keeps those whose index (from 0) it accepts. Blank values count.
    Select(fn(usize, &Argument) -> bool),
    /// As their number.
    Total(fn(usize) -> Scalar),
}

/// What a derivation may take in brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ArgumentKind {
    /// Nothing.
    None,
    /// A text.
    Text,
    /// One of these words, or nothing.
    OptionalWord(&'static [&'static str]),
    /// A number from 1.
    Number,
    /// The name of a look-up table.
    Lookup,
}

/// What stands in brackets behind a derivation.
#[derive(Clone, Debug)]
pub(crate) enum Argument {
    None,
    Text(Box<str>),
    Number(usize),
    Lookup(Arc<Lookup>),
}

impl Argument {
    /// The text, or nothing.
    pub(crate) fn text(&self) -> &str {
        if let Argument::Text(text) = self { text } else { "" }
    }

    /// Whether the text is this word.
    pub(crate) fn is(&self, word: &str) -> bool {
        self.text() == word
    }
}

/// One value that a derivation starts from.
pub(crate) struct Input<'i> {
    pub(crate) scalar: Scalar,
    pub(crate) datum: Datum<'i>,
    /// The value as text, numbers in decimal.
    pub(crate) text: &'i str,
    pub(crate) settings: &'i Settings,
    /// What is known besides the record.
    pub(crate) facts: &'i dyn Facts,
}

/// Where a derivation puts its values.
pub(crate) struct Output<'s> {
    pub(crate) input: Option<(TextRef, &'s str)>,
    pub(crate) table: &'s mut SlotTable,
    pub(crate) slot: usize,
    /// Text that moves to the arena's end when the derivation returns.
    pub(crate) scratch: &'s mut String,
    pub(crate) arena_len: usize,
}

impl Output<'_> {
    /// Gives a text, unless it is empty.
    pub(crate) fn text(&mut self, text: &str) {
        if !text.is_empty() {
            self.element(text);
        }
    }

    /// Gives a text, also an empty one. A part of the input is not copied.
    pub(crate) fn element(&mut self, text: &str) {
        if let Some((whole, start)) = self.input.and_then(|(whole, of)| Some((whole, offset_in(text, of)?))) {
            self.text_ref(whole.part(start, text.len()));
        } else {
            self.build(|buffer| buffer.push_str(text));
        }
    }

    /// Gives the text that is appended to the buffer, also an empty one.
    pub(crate) fn build(&mut self, write: impl FnOnce(&mut String)) {
        let start = self.scratch.len();
        write(self.scratch);
        self.text_ref(TextRef::arena(self.arena_len + start, self.scratch.len() - start));
    }

    /// Gives an integer.
    pub(crate) fn integer(&mut self, value: i64) {
        self.scalar(Scalar::Integer(value));
    }

    /// Gives any value whose text, if it has one, is of the record or the arena.
    pub(crate) fn scalar(&mut self, value: Scalar) {
        self.table.push(self.slot, value);
    }

    /// Gives an object of texts: as JSON without a member asked for, else that member.
    pub(crate) fn object(&mut self, member: &str, members: &[(&str, &str)]) {
        if !member.is_empty() {
            for (_, text) in members.iter().filter(|(name, _)| *name == member) {
                self.text(text);
            }
            return;
        }
        let start = self.scratch.len();
        for (at, (name, text)) in members.iter().filter(|(_, text)| !text.is_empty()).enumerate() {
            self.scratch.push(if at == 0 { '{' } else { ',' });
            quote(name, self.scratch);
            self.scratch.push(':');
            quote(text, self.scratch);
        }
        if self.scratch.len() > start {
            self.scratch.push('}');
            let json = TextRef::arena(self.arena_len + start, self.scratch.len() - start);
            if let Some(json) = json {
                self.scalar(Scalar::Object(json));
            }
        }
    }

    fn text_ref(&mut self, text: Option<TextRef>) {
        // `None`: the arena has passed 4 GiB; no record that passes the size limit comes near.
        if let Some(text) = text {
            self.scalar(Scalar::Text(text));
        }
    }
}

/// Where `part` lies in `whole`, if it is a part of it in memory.
fn offset_in(part: &str, whole: &str) -> Option<usize> {
    let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    (start.checked_add(part.len())? <= whole.len()).then_some(start)
}

/// A JSON string.
fn quote(text: &str, json: &mut String) {
    json.push('"');
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            c if c < ' ' => {
                // Writing to a string does not fail.
                let _ = write!(json, "\\u{:04x}", u32::from(c));
            }
            c => json.push(c),
        }
    }
    json.push('"');
}

/// A number or boolean as text, on the stack.
pub(crate) struct Digits {
    bytes: [u8; Digits::CAPACITY],
    len: usize,
}

impl Digits {
    /// The longest float without an exponent takes 327 characters.
    const CAPACITY: usize = 352;

    pub(crate) fn new() -> Self {
        Digits { bytes: [0; Self::CAPACITY], len: 0 }
    }

    /// The value as text: a text itself, numbers in decimal, nothing for null.
    pub(crate) fn of<'d>(&'d mut self, datum: Datum<'d>) -> &'d str {
        // What does not fit is cut off; nothing is so long.
        let _ = match datum {
            Datum::Text(text) => return text,
            Datum::Null => return "",
            Datum::Boolean(true) => return "true",
            Datum::Boolean(false) => return "false",
            Datum::Integer(n) => write!(self, "{n}"),
            Datum::Unsigned(n) => write!(self, "{n}"),
            Datum::Float(n) => write!(self, "{n}"),
        };
        self.bytes.get(..self.len).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or("")
    }
}

impl Write for Digits {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let room = self.bytes.get_mut(self.len..self.len + text.len()).ok_or(std::fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.len += text.len();
        Ok(())
    }
}

/// The values that a derivation makes of one text, when nothing else is known.
#[cfg(test)]
pub(crate) fn values_of(derivation: &Derivation, argument: &Argument, text: &str) -> Vec<String> {
    use quell_event::NoFacts;
    let settings = Settings { timezone: TimeZone::UTC };
    let (mut table, mut scratch) = (SlotTable::default(), String::new());
    table.begin(1);
    let whole = TextRef::record(0, text.len()).unwrap();
    let Run::Each(run) = derivation.run else { panic!("{} takes more than one value", derivation.name) };
    let input = Input {
        scalar: Scalar::Text(whole),
        datum: Datum::Text(text),
        text,
        settings: &settings,
        facts: &NoFacts,
    };
    let mut output = Output {
        input: Some((whole, text)),
        table: &mut table,
        slot: 0,
        scratch: &mut scratch,
        arena_len: 0,
    };
    run(&input, argument, &mut output);
    table
        .values(0)
        .map(|value| match value {
            Scalar::Object(json) => json.resolve(text, &scratch).to_owned(),
            value => Digits::new().of(value.datum(text, &scratch)).to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Argument, ArgumentKind, DERIVATIONS, Digits, Run, quote, values_of};
    use quell_ir::Datum;

    #[test]
    fn names_are_distinct() {
        let mut names: Vec<&str> = DERIVATIONS.iter().map(|derivation| derivation.name).collect();
        names.sort_unstable();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    }

    #[test]
    fn every_example_holds() {
        for derivation in DERIVATIONS {
            if !matches!(derivation.run, Run::Each(_)) || derivation.argument == ArgumentKind::Lookup {
                continue; // tested beside their code
            }
            assert!(!derivation.examples.is_empty(), "{} has no example", derivation.name);
            for (argument, input, expected) in derivation.examples {
                let argument =
                    if argument.is_empty() { Argument::None } else { Argument::Text((*argument).into()) };
                let values = values_of(derivation, &argument, input);
                assert_eq!(values, *expected, "{}({argument:?}) of {input:?}", derivation.name);
            }
        }
    }

    #[test]
    fn every_derivation_is_in_the_reference_page() {
        let page = include_str!("../../../mappings/README.md");
        for derivation in DERIVATIONS {
            let start = format!("| `{}", derivation.name);
            let line = page
                .lines()
                .find(|line| line.strip_prefix(&start).is_some_and(|rest| rest.starts_with(['`', '('])));
            let line = line.unwrap_or_else(|| panic!("mappings/README.md lacks `{}`", derivation.name));
            assert!(
                line.contains(derivation.doc),
                "mappings/README.md should say: {start}` | {} |",
                derivation.doc
            );
        }
    }

    #[test]
    fn numbers_print_on_the_stack() {
        for (datum, expected) in [
            (Datum::Integer(i64::MIN), i64::MIN.to_string()),
            (Datum::Unsigned(u64::MAX), u64::MAX.to_string()),
            (Datum::Float(-5e-324), (-5e-324_f64).to_string()),
            (Datum::Float(f64::MIN), f64::MIN.to_string()),
            (Datum::Boolean(true), "true".to_owned()),
            (Datum::Null, String::new()),
        ] {
            assert_eq!(Digits::new().of(datum), expected);
        }
    }

    #[test]
    fn quoted_text_reads_back() {
        let text = "a\"b\\c\n\u{1}é";
        let mut json = String::new();
        quote(text, &mut json);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
