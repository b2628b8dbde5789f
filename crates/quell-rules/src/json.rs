//! A JSON reader that keeps the place of every value. (serde_json gives values without places.)

use crate::limits::{MAX_JSON_DEPTH, MAX_JSON_VALUES};
use crate::node::{Content, Member, Node};
use crate::source_map::{Notation, decode};
use quell_ir::Span;

/// What is wrong with a JSON text, and where.
pub(crate) type JsonError = (&'static str, Span);

/// The value that starts at or behind `from`, and the offset behind it; `None` where only white space is left.
pub(crate) fn next_value(text: &str, from: usize) -> Result<Option<(Node, usize)>, JsonError> {
    let mut reader = Reader { text, at: from, values: 0 };
    reader.skip_space();
    if reader.peek().is_none() {
        return Ok(None);
    }
    let node = reader.value(0)?;
    Ok(Some((node, reader.at)))
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    values: u32,
}

impl Reader<'_> {
    fn value(&mut self, depth: u32) -> Result<Node, JsonError> {
        self.values += 1;
        if depth > MAX_JSON_DEPTH {
            return Err(self.wrong("nested too deeply"));
        }
        if self.values > MAX_JSON_VALUES {
            return Err(self.wrong("too many values in one object"));
        }
        let start = self.at;
        let content = match self.peek() {
            Some(b'{') => self.table(depth)?,
            Some(b'[') => self.list(depth)?,
            Some(b'"') => Content::Text(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.word("true", Content::Boolean(true))?,
            Some(b'f') => self.word("false", Content::Boolean(false))?,
            Some(b'n') => self.word("null", Content::Null)?,
            Some(_) => return Err(self.wrong("expected a value")),
            None => return Err(self.wrong("the text ends within a value")),
        };
        Ok(Node { span: Span::new(start, self.at), content })
    }

    fn table(&mut self, depth: u32) -> Result<Content, JsonError> {
        self.at += 1;
        let mut members = Vec::new();
        if self.closes(b'}') {
            return Ok(Content::Table(members));
        }
        loop {
            self.skip_space();
            let start = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.wrong("expected a name in double quotes"));
            }
            let key = self.string()?;
            let key_span = Span::new(start, self.at);
            self.skip_space();
            if self.peek() != Some(b':') {
                return Err(self.wrong("expected `:`"));
            }
            self.at += 1;
            self.skip_space();
            let node = self.value(depth + 1)?;
            members.push(Member { key, key_span, node });
            if self.closes(b'}') {
                return Ok(Content::Table(members));
            }
            self.comma("expected `,` or `}`")?;
        }
    }

    fn list(&mut self, depth: u32) -> Result<Content, JsonError> {
        self.at += 1;
        let mut items = Vec::new();
        if self.closes(b']') {
            return Ok(Content::List(items));
        }
        loop {
            self.skip_space();
            items.push(self.value(depth + 1)?);
            if self.closes(b']') {
                return Ok(Content::List(items));
            }
            self.comma("expected `,` or `]`")?;
        }
    }

    fn string(&mut self) -> Result<String, JsonError> {
        let inside = self.at + 1;
        let rest = self.text.as_bytes().get(inside..).unwrap_or_default();
        let mut length = 0;
        loop {
            match rest.get(length) {
                Some(b'"') => break,
                Some(b'\\') => length += 2,
                Some(0..=0x1f) => {
                    self.at = inside + length;
                    return Err(self.wrong("line break or control character in a text"));
                }
                Some(_) => length += 1,
                None => return Err(self.wrong("text never closed")),
            }
        }
        let raw = self.text.get(inside..inside + length).unwrap_or("");
        match decode(raw, inside, Notation::Json) {
            Ok((text, _)) => {
                self.at = inside + length + 1;
                Ok(text)
            }
            Err(at) => {
                self.at = inside + at;
                Err(self.wrong("unknown escape"))
            }
        }
    }

    fn number(&mut self) -> Result<Content, JsonError> {
        let rest = self.text.get(self.at..).unwrap_or("");
        let length =
            rest.find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E')).unwrap_or(rest.len());
        match serde_json::from_str(rest.get(..length).unwrap_or("")) {
            Ok(number) => {
                self.at += length;
                Ok(Content::Number(number))
            }
            Err(_) => Err(self.wrong("malformed number")),
        }
    }

    fn word(&mut self, word: &str, content: Content) -> Result<Content, JsonError> {
        if self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            self.at += word.len();
            Ok(content)
        } else {
            Err(self.wrong("expected a value"))
        }
    }

    /// Whether the next sign is `bracket`, which is then behind us.
    fn closes(&mut self, bracket: u8) -> bool {
        self.skip_space();
        let closes = self.peek() == Some(bracket);
        if closes {
            self.at += 1;
        }
        closes
    }

    fn comma(&mut self, message: &'static str) -> Result<(), JsonError> {
        if self.peek() != Some(b',') {
            return Err(self.wrong(message));
        }
        self.at += 1;
        Ok(())
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// An error at the character that we are at.
    fn wrong(&self, message: &'static str) -> JsonError {
        let length = self.text.get(self.at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        (message, Span::new(self.at, self.at + length))
    }
}

#[cfg(test)]
mod tests {
    use super::next_value;
    use proptest::prelude::*;

    #[test]
    fn values_follow_one_another() {
        let text = "{\"a\": [1, -2.5e3, \"\\u00e9\"]}\n\n  {\"b\": null, \"c\": {}, \"d\": [], \"e\": true}";
        let (first, at) = next_value(text, 0).unwrap().unwrap();
        assert_eq!(first.to_json(), serde_json::json!({"a": [1, -2500.0, "é"]}));
        let (second, at) = next_value(text, at).unwrap().unwrap();
        assert_eq!(second.to_json(), serde_json::json!({"b": null, "c": {}, "d": [], "e": true}));
        assert_eq!(second.get("e").unwrap().span.text(text), "true");
        assert!(next_value(text, at).unwrap().is_none());
    }

    #[test]
    fn what_is_malformed_is_named_at_its_place() {
        let table = [
            ("{\"a\": }", "expected a value", 6),
            ("{\"a\" 1}", "expected `:`", 5),
            ("{a: 1}", "expected a name in double quotes", 1),
            ("{\"a\": 1 \"b\"}", "expected `,` or `}`", 8),
            ("[1 2]", "expected `,` or `]`", 3),
            ("[1", "expected `,` or `]`", 2),
            ("\"a", "text never closed", 0),
            ("\"a\\q\"", "unknown escape", 2),
            ("[01]", "malformed number", 1),
            ("[tru]", "expected a value", 1),
            ("\"a\nb\"", "line break or control character in a text", 2),
        ];
        for (text, message, at) in table {
            let (found, span) = next_value(text, 0).unwrap_err();
            assert_eq!((found, span.start), (message, at), "{text}");
        }
        assert_eq!(next_value(&"[".repeat(1_000_000), 0).unwrap_err().0, "nested too deeply");
        let many = format!("[{}0]", "0,".repeat(600_000));
        assert_eq!(next_value(&many, 0).unwrap_err().0, "too many values in one object");
    }

    proptest! {
        /// What serde_json writes is read to the same value.
        #[test]
        fn agrees_with_serde_json(text in ".*", number in any::<i64>(), float in any::<f32>(), keys in prop::collection::vec(".{0,3}", 0..4)) {
            let inner: serde_json::Map<_, _> = keys.into_iter().map(|k| (k, serde_json::json!(text))).collect();
            let value = serde_json::json!({"t": text, "n": number, "f": float, "l": [inner, null, true]});
            for written in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
                let (node, end) = next_value(&written, 0).unwrap().unwrap();
                prop_assert_eq!(node.to_json(), serde_json::from_str::<serde_json::Value>(&written).unwrap());
                prop_assert_eq!(end, written.len());
            }
        }

        /// Whatever comes, serde_json and this reader agree on whether it is JSON (unpaired surrogates aside).
        #[test]
        fn refuses_what_serde_json_refuses(text in "[\\[\\]{}:,\"a0-9.e \\\\nt-]{0,24}") {
            let ours = match next_value(&text, 0) {
                Ok(Some((_, end))) => text.get(end..).unwrap().trim().is_empty(),
                Ok(None) | Err(_) => false,
            };
            prop_assert_eq!(ours, serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{}", text);
        }
    }
}
