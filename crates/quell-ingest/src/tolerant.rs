//! Documents of records that are not JSON throughout: whatever the projection reads past, a document can still hold.
//!
//! A rule may match a record whose other fields hold half of a surrogate pair, a number out of range, a control
//! character, or arrays in arrays without end. The alert needs its document all the same, so what no JSON value can be
//! stands in it as text, as it was written.

use quell_event::decode_escape;
use serde_json::{Map, Number, Value};

/// How deep objects and arrays may nest in a document that had to be mended; what is deeper is kept as text. Alerts and
/// results nest a few levels more, and many readers of JSON stop at 128.
const DEPTH: usize = 64;

/// The document of a record, or `None` where it is no object, or its own members cannot be told apart.
pub(crate) fn document(record: &str) -> Option<Map<String, Value>> {
    let mut reader = Reader { text: record, at: 0 };
    reader.expect(b'{').ok()?;
    let document = reader.members(DEPTH - 1).ok()?;
    reader.token().is_err().then_some(document)
}

/// Why a value cannot be read.
enum Fault {
    /// It is no JSON; a container around it can still be kept as text.
    Malformed,
    /// The record ends within it, and so within all that is around it.
    Ends,
}

type Read<T> = Result<T, Fault>;

struct Reader<'r> {
    text: &'r str,
    at: usize,
}

impl<'r> Reader<'r> {
    fn rest(&self) -> &'r str {
        self.text.get(self.at..).unwrap_or("")
    }

    /// The next byte that is not white space, which is passed.
    fn token(&mut self) -> Read<u8> {
        self.skip(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
        let byte = self.text.as_bytes().get(self.at).copied().ok_or(Fault::Ends)?;
        self.at += 1;
        Ok(byte)
    }

    fn expect(&mut self, wanted: u8) -> Read<()> {
        if self.token()? == wanted { Ok(()) } else { Err(Fault::Malformed) }
    }

    fn skip(&mut self, passed: impl Fn(u8) -> bool) {
        self.at += self.rest().bytes().take_while(|byte| passed(*byte)).count();
    }

    /// The members of an object whose opening brace was read. `room` is how many containers may yet be opened in it.
    fn members(&mut self, room: usize) -> Read<Map<String, Value>> {
        let mut members = Map::new();
        if self.closes(b'}')? {
            return Ok(members);
        }
        loop {
            self.expect(b'"')?;
            let name = self.string()?;
            self.expect(b':')?;
            let value = self.value(room)?;
            members.insert(name, value);
            if self.closes(b'}')? {
                return Ok(members);
            }
            self.expect(b',')?;
        }
    }

    fn elements(&mut self, room: usize) -> Read<Vec<Value>> {
        let mut elements = Vec::new();
        if self.closes(b']')? {
            return Ok(elements);
        }
        loop {
            elements.push(self.value(room)?);
            if self.closes(b']')? {
                return Ok(elements);
            }
            self.expect(b',')?;
        }
    }

    /// Passes a closing bracket, if it comes next.
    fn closes(&mut self, bracket: u8) -> Read<bool> {
        let found = self.token()? == bracket;
        self.at -= usize::from(!found);
        Ok(found)
    }

    fn value(&mut self, room: usize) -> Read<Value> {
        let first = self.token()?;
        let start = self.at - 1;
        match first {
            b'"' => self.string().map(Value::String),
            b'{' | b'[' => {
                let read = match room.checked_sub(1) {
                    None => Err(Fault::Malformed),
                    Some(room) if first == b'{' => self.members(room).map(Value::Object),
                    Some(room) => self.elements(room).map(Value::Array),
                };
                match read {
                    Err(Fault::Malformed) => self.container_as_text(start),
                    other => other,
                }
            }
            b'-' | b'0'..=b'9' => {
                self.skip(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'));
                let text = self.text.get(start..self.at).unwrap_or("");
                Ok(serde_json::from_str::<Number>(text).map_or_else(|_| text.into(), Value::Number))
            }
            _ => {
                let words = [("true", true.into()), ("false", false.into()), ("null", Value::Null)];
                let text = self.text.get(start..).unwrap_or("");
                let found = words.into_iter().find(|(word, _)| text.starts_with(word));
                let (word, value) = found.ok_or(Fault::Malformed)?;
                self.at = start + word.len();
                Ok(value)
            }
        }
    }

    /// The container that begins at `start` as it was written.
    fn container_as_text(&mut self, start: usize) -> Read<Value> {
        self.at = start;
        let mut depth = 0usize;
        loop {
            self.skip(|byte| !matches!(byte, b'"' | b'{' | b'[' | b'}' | b']'));
            match self.token()? {
                b'"' => self.at += raw_string(self.rest()).ok_or(Fault::Ends)?.len() + 1,
                b'{' | b'[' => depth += 1,
                _ => depth = depth.saturating_sub(1),
            }
            if depth == 0 {
                return Ok(self.text.get(start..self.at).unwrap_or("").into());
            }
        }
    }

    /// A string whose opening quote was read.
    fn string(&mut self) -> Read<String> {
        let raw = raw_string(self.rest()).ok_or(Fault::Ends)?;
        self.at += raw.len() + 1;
        Ok(unescaped(raw))
    }
}

/// What stands before the quote that ends a string.
fn raw_string(text: &str) -> Option<&str> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.as_bytes().get(at..)?)?;
        if text.as_bytes().get(at) == Some(&b'"') {
            return text.get(..at);
        }
        at += 2;
    }
}

/// The string with its escapes decoded. Half of a surrogate pair becomes U+FFFD; what is no escape stays as it is.
fn unescaped(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((plain, escape)) = rest.split_once('\\') {
        out.push_str(plain);
        let (decoded, len) = decode_escape(escape).unwrap_or(('\\', 0));
        out.push(decoded);
        rest = escape.get(len..).unwrap_or("");
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::document;
    use proptest::prelude::*;
    use quell_event::{EventState, ProjectionBuilder};
    use serde_json::{Value, json};

    fn read(record: &str) -> Option<Value> {
        document(record).map(Value::Object)
    }

    #[test]
    fn what_is_no_json_stands_there_as_text() {
        let deep = format!("{}1{}", "[".repeat(500), "]".repeat(500));
        let table = [
            (r#"{"a":1e400,"b":-01,"c":1.5}"#, json!({"a": "1e400", "b": "-01", "c": 1.5})),
            (r#"{"a":"\ud800","b":"x\udc00\ud83d\ude00"}"#, json!({"a": "\u{fffd}", "b": "x\u{fffd}😀"})),
            (r#"{"\ud800":"\ud83d\u0041"}"#, json!({"\u{fffd}": "\u{fffd}A"})),
            (r#"{"a":"\x\u12\n"}"#, json!({"a": "\\x\\u12\n"})),
            ("{\"a\":\"x\u{1}\ty\"}", json!({"a": "x\u{1}\ty"})),
            (r#"{"a":[1,{"b":tru}],"c":[2]}"#, json!({"a": [1, "{\"b\":tru}"], "c": [2]})),
            (r#"{"a":[1,]}"#, json!({"a": "[1,]"})),
            (r#"{"a":{"b":1]}"#, json!({"a": "{\"b\":1]"})),
            (r#" { "a" : [ ] , "b" : { } , "c" : null } "#, json!({"a": [], "b": {}, "c": null})),
        ];
        for (record, expected) in table {
            assert_eq!(read(record), Some(expected), "{record}");
        }
        let mut innermost = read(&format!("{{\"a\":{deep}}}")).unwrap()["a"].take();
        while innermost.is_array() {
            innermost = innermost[0].take();
        }
        assert!(innermost.as_str().is_some_and(|text| text.starts_with("[[") && text.contains('1')));
    }

    #[test]
    fn what_is_no_record_has_no_document() {
        let opened = "{\"a\":[".repeat(100_000);
        for record in [
            "",
            "[]",
            "1",
            "{",
            "{}x",
            r#"{"a":1"#,
            r#"{"a":"b}"#,
            r#"{"a":tru}"#,
            r#"{"a" 1}"#,
            r#"{a:1}"#,
            &opened,
        ] {
            assert_eq!(read(record), None, "{record:.20}");
        }
    }

    fn damaged_value() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            "[-+.e0-9]{1,8}".prop_map(|digits| format!("1{digits}")),
            r#"[a-z\u{1}é]{0,5}"#.prop_map(|text| format!("\"{text}\"")),
            r#"(\\[uxnd"\\]|d8|0){0,6}"#.prop_map(|text| format!("\"{text}0\"")),
            Just("true".to_owned()),
            Just("null".to_owned()),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let list = prop::collection::vec(inner.clone(), 0..4);
            prop_oneof![
                list.clone().prop_map(|list| format!("[{}]", list.join(","))),
                list.clone().prop_map(|list| format!("[{}}}", list.join(" "))),
                prop::collection::vec(inner, 0..4).prop_map(|list| {
                    let members: Vec<String> = list.iter().map(|value| format!("\"k\":{value}")).collect();
                    format!("{{{}}}", members.join(","))
                }),
            ]
        })
    }

    proptest! {
        /// Whatever the projection takes for a record has a document.
        #[test]
        fn every_record_has_a_document(values in prop::collection::vec(damaged_value(), 0..4)) {
            let members: Vec<String> = values.iter().enumerate().map(|(n, v)| format!("\"a{n}\":{v}")).collect();
            let record = format!("{{{}}}", members.join(","));
            let mut wanted = ProjectionBuilder::new();
            wanted.add("wanted", 0, quell_event::Want::Scalars);
            let mut state = EventState::default();
            state.begin(1, 0);
            let accepted = wanted.build().project(&record, &mut state).is_ok();
            prop_assert!(!accepted || document(&record).is_some(), "{}", record);
        }

        /// What serde_json reads is read the same.
        #[test]
        fn json_is_read_as_json(text in ".*", number in any::<i64>(), float in any::<f64>(), keys in prop::collection::vec(".{0,3}", 0..4)) {
            let inner: serde_json::Map<_, _> = keys.into_iter().map(|key| (key, json!([text, {}]))).collect();
            let value = json!({"t": text, "n": [number, float, null, true], "o": inner});
            prop_assert_eq!(read(&value.to_string()), serde_json::from_str(&value.to_string()).ok());
        }
    }
}
