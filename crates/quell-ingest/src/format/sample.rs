//! The beginning of an input, by which its format is told.

use memchr::memchr;

/// The beginning of an input: its bytes, and the top-level names of its first JSON objects.
#[derive(Debug)]
pub struct Sample<'a> {
    bytes: &'a [u8],
    objects: Vec<ObjectKeys<'a>>,
}

impl<'a> Sample<'a> {
    /// How many objects are looked at. Blank and damaged lines are passed, however many come first.
    const OBJECTS: usize = 64;

    /// The sample of an input that starts with `bytes`, or is them where they are `complete`.
    #[must_use]
    pub fn new(bytes: &'a [u8], complete: bool) -> Self {
        let mut sample = Sample { bytes, objects: Vec::new() };
        if sample.is_utf16() {
            return sample;
        }
        let mut rest = sample.text();
        while sample.objects.len() < Sample::OBJECTS {
            let Some(end) = memchr(b'\n', rest).or((complete && !rest.is_empty()).then_some(rest.len()))
            else {
                break;
            };
            let (line, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            sample.objects.extend(ObjectKeys::of(line).filter(|keys| keys.closed));
            rest = after.strip_prefix(b"\n").unwrap_or(after);
        }
        if sample.objects.is_empty() && !complete {
            // One line longer than the sample: its beginning has to do.
            sample.objects.extend(ObjectKeys::of(rest));
        }
        sample
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The bytes after a UTF-8 byte order mark.
    fn text(&self) -> &'a [u8] {
        self.bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(self.bytes)
    }

    /// Whether there is nothing but white space.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.text().trim_ascii().is_empty()
    }

    /// Whether it starts with the byte order mark of UTF-16.
    #[must_use]
    pub fn is_utf16(&self) -> bool {
        self.bytes.starts_with(&[0xff, 0xfe]) || self.bytes.starts_with(&[0xfe, 0xff])
    }

    /// The first lines that are JSON objects, by their top-level names.
    #[must_use]
    pub fn objects(&self) -> &[ObjectKeys<'a>] {
        &self.objects
    }

    /// How many in a hundred of the objects are as `wanted`; 0 where there are none.
    #[must_use]
    pub fn share(&self, wanted: impl Fn(&ObjectKeys<'a>) -> bool) -> u8 {
        let hits = self.objects.iter().filter(|keys| wanted(keys)).count();
        u8::try_from(hits * 100 / self.objects.len().max(1)).unwrap_or(100)
    }

    /// Why no format knows it, as a sentence.
    #[must_use]
    pub fn why_unrecognised(&self) -> &'static str {
        let text = self.text().trim_ascii_start();
        if self.is_utf16() {
            "UTF-16 text; convert it to UTF-8"
        } else if text.starts_with(b"[")
            && text.get(1..).is_some_and(|rest| rest.trim_ascii_start().starts_with(b"{"))
        {
            "a JSON array; write one object a line"
        } else if text.strip_prefix(b"{").is_some_and(|rest| rest.trim_ascii_start().starts_with(b"\"")) {
            "JSON over several lines; write one object a line"
        } else {
            "of no known format"
        }
    }
}

/// The mark that some programs put before UTF-8 text.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The top-level names of a JSON object, found without parsing its values: the object may be cut off, nested without
/// end, or damaged inside.
#[derive(Debug)]
pub struct ObjectKeys<'a> {
    /// As they are written, escapes included.
    names: Vec<&'a [u8]>,
    /// Whether the object ends, and nothing follows it.
    closed: bool,
}

impl<'a> ObjectKeys<'a> {
    /// More names than any recorder writes.
    const NAMES: usize = 1024;

    /// The names of the object that `line` holds, or begins with where it is cut off; `None` for anything else.
    fn of(line: &'a [u8]) -> Option<ObjectKeys<'a>> {
        let mut rest = line.trim_ascii().strip_prefix(b"{")?;
        let first = rest.trim_ascii_start();
        if !first.starts_with(b"\"") && !first.starts_with(b"}") {
            return None;
        }
        let mut keys = ObjectKeys { names: Vec::new(), closed: false };
        let mut depth = 1u32;
        while let Some((byte, after)) = rest.split_first() {
            rest = after;
            match byte {
                b'{' | b'[' => depth = depth.saturating_add(1),
                b'}' | b']' => depth = depth.saturating_sub(1),
                b'"' => {
                    let Some(end) = string_end(rest) else { break };
                    let (text, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
                    rest = after.get(1..).unwrap_or(&[]);
                    let is_name = depth == 1 && rest.trim_ascii_start().starts_with(b":");
                    if is_name && keys.names.len() < ObjectKeys::NAMES {
                        keys.names.push(text);
                    }
                }
                _ => {}
            }
            if depth == 0 {
                keys.closed = rest.is_empty();
                break;
            }
        }
        Some(keys)
    }

    /// Whether the object has that name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.names.contains(&name.as_bytes())
    }

    /// Whether the object has one of those names.
    #[must_use]
    pub fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.has(name))
    }

    /// Whether the object has one of those names, or one of them and a dot before something.
    #[must_use]
    pub fn has_any_root(&self, roots: &[&str]) -> bool {
        self.names.iter().any(|name| {
            let root = name.split(|byte| *byte == b'.').next().unwrap_or(name);
            roots.iter().any(|wanted| root == wanted.as_bytes())
        })
    }
}

/// The offset of the quote that ends a JSON string, from after its first one.
fn string_end(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text.get(at) == Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}
