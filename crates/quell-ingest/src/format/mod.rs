//! Formats: how an input becomes records. A further format is one file here and one line in [`FORMATS`].

mod ecs_json;
mod evtx;
mod lines;
mod sample;
mod windows_json;
mod winlogbeat6;

use quell_ir::diagnostic::{did_you_mean, near_names};

use crate::Layout;
use crate::source::{Batch, Opened};

pub(crate) use lines::Lines;
pub use sample::{ObjectKeys, Sample};

/// How sure it is that an input is of a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Confidence(u8);

impl Confidence {
    /// It is not.
    pub const NONE: Confidence = Confidence(0);
    /// It is.
    pub const CERTAIN: Confidence = Confidence(100);

    /// That many in a hundred, at most 100.
    #[must_use]
    pub const fn percent(percent: u8) -> Confidence {
        Confidence(if percent > 100 { 100 } else { percent })
    }

    /// From 0 to 100.
    #[must_use]
    pub const fn as_percent(self) -> u8 {
        self.0
    }
}

/// A format of inputs.
pub trait Format: Send + Sync {
    /// The word for `--input-format`.
    fn name(&self) -> &'static str;

    /// A few words for people.
    fn title(&self) -> &'static str;

    /// The shape of its records.
    fn layout(&self) -> Layout;

    /// How sure it is that an input that starts like this is of this format.
    fn detect(&self, sample: &Sample<'_>) -> Confidence;

    /// Whether a record's text is the file's own bytes at its offset, so that it can be read again.
    fn rereadable(&self) -> bool;

    /// Whether its records are lines that mean something before the input has ended, so that a live input can be of it.
    fn streams(&self) -> bool {
        false
    }

    /// Starts reading.
    fn open(&self, input: Opened) -> Box<dyn RecordReader>;
}

/// Reads an input's records in their stored order.
pub trait RecordReader: Send {
    /// Puts the next records, and what went wrong before them, into `batch`. Whether there was anything: `false` is the
    /// end of the input, and the batch is empty then.
    fn next_batch(&mut self, batch: &mut Batch) -> bool;

    /// The same, where records are of no use in which `wanted` finds nothing: they may be left out, unread and unreported,
    /// and of those that are given out the numbers may be missing.
    fn next_batch_of(&mut self, batch: &mut Batch, _wanted: &Wanted<'_>) -> bool {
        self.next_batch(batch)
    }
}

/// Finds the first place in some records that makes one wanted; it lies within one line.
pub type Wanted<'w> = dyn Fn(&[u8]) -> Option<usize> + 'w;

/// Every format. Where two are equally sure of an input, the earlier one has it.
pub static FORMATS: &[&dyn Format] =
    &[&evtx::Evtx, &winlogbeat6::Winlogbeat6, &windows_json::WindowsJson, &ecs_json::EcsJson];

/// The format that an input starts like, if any.
#[must_use]
pub fn recognise(sample: &Sample<'_>) -> Option<(&'static dyn Format, Confidence)> {
    let mut best: Option<(&'static dyn Format, Confidence)> = None;
    for format in FORMATS {
        let confidence = format.detect(sample);
        if confidence > best.map_or(Confidence::NONE, |(_, confidence)| confidence) {
            best = Some((*format, confidence));
        }
    }
    best
}

/// A format was asked for that there is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown input format `{name}`: {}", did_you_mean(near).unwrap_or_else(|| format!("there are {}", names().join(", "))))]
pub struct UnknownFormat {
    /// What was asked for.
    pub name: String,
    /// Names near to it.
    pub near: Vec<&'static str>,
}

fn names() -> Vec<&'static str> {
    FORMATS.iter().map(|format| format.name()).collect()
}

/// The format of that name.
///
/// # Errors
/// Where there is none; the error says which names are near.
pub fn format_named(name: &str) -> Result<&'static dyn Format, UnknownFormat> {
    FORMATS
        .iter()
        .copied()
        .find(|format| format.name() == name)
        .ok_or_else(|| UnknownFormat { name: name.to_owned(), near: near_names(name, names()) })
}

#[cfg(test)]
mod tests {
    use super::{FORMATS, Sample, format_named, recognise};

    const SYSMON: &str = r#"{"EventID":1,"Channel":"Microsoft-Windows-Sysmon/Operational","Hostname":"ws-1","@timestamp":"2024-01-01T00:00:00Z","Image":"C:\\a.exe"}"#;
    const BEAT: &str = r#"{"@timestamp":"2024-01-01T00:00:00Z","beat":{"name":"x"},"log_name":"Security","event_id":4688,"event_data":{"NewProcessName":"a"}}"#;
    const ECS: &str =
        r#"{"@timestamp":"2024-01-01T00:00:00Z","event":{"category":["process"]},"process":{"name":"a"}}"#;

    /// The name of the format recognised in bytes that are all of an input.
    fn found(bytes: impl AsRef<[u8]>) -> Option<&'static str> {
        recognise(&Sample::new(bytes.as_ref(), true)).map(|(format, _)| format.name())
    }

    #[test]
    fn formats_are_told_by_content() {
        let mut evtx = b"ElfFile\0".to_vec();
        evtx.resize(4096, 0);
        let mut headless = vec![0x55; 4096];
        headless.extend_from_slice(b"ElfChnk\0");
        let mut second_chunk = vec![0x55; 4096 + 65536];
        second_chunk.extend_from_slice(b"ElfChnk\0");
        let time_created =
            r#"{"Source":"Raccine","TimeCreated":"2024-01-01 00:00:00.1","Hostname":"w","EventID":2}"#;
        let table: &[(&str, Vec<u8>, Option<&str>)] = &[
            ("evtx", evtx, Some("evtx")),
            ("evtx with a damaged header", headless, Some("evtx")),
            ("evtx with a damaged header and first chunk", second_chunk, Some("evtx")),
            ("an evtx chunk alone", b"ElfChnk\0xxxx".to_vec(), Some("evtx")),
            ("nxlog", SYSMON.into(), Some("windows-json")),
            ("with TimeCreated", time_created.into(), Some("windows-json")),
            ("winlogbeat 6", BEAT.into(), Some("winlogbeat6")),
            ("ecs", ECS.into(), Some("ecs-json")),
            ("ecs, dotted", br#"{"event.category":"process","process.name":"a"}"#.to_vec(), Some("ecs-json")),
            (
                "winlogbeat 7",
                br#"{"@timestamp":"x","winlog":{"event_id":1},"event":{"code":1}}"#.to_vec(),
                Some("ecs-json"),
            ),
            ("any object", br#"{"a":1}"#.to_vec(), Some("ecs-json")),
            ("an empty object", b" {} ".to_vec(), Some("ecs-json")),
            ("byte order mark", [b"\xef\xbb\xbf", SYSMON.as_bytes()].concat(), Some("windows-json")),
            ("blank lines first", format!("\r\n \n{SYSMON}\r\n").into(), Some("windows-json")),
            ("damaged lines first", format!("{{\"half\n\u{0}\u{1}\n{SYSMON}\n").into(), Some("windows-json")),
            ("many blank lines first", format!("{}{ECS}\n", "\n".repeat(9_000)).into(), Some("ecs-json")),
            (
                "many damaged lines first",
                format!("{}{ECS}\n", "# note\n".repeat(900)).into(),
                Some("ecs-json"),
            ),
            (
                "json lines that hold the magic of chunks",
                format!("{ECS}\n{}\n{ECS}\n", "ElfChnk\0".repeat(9_000)).into(),
                Some("ecs-json"),
            ),
            (
                "invalid UTF-8 inside",
                [b"{\"a\":\"\xff\"}\n", SYSMON.as_bytes()].concat(),
                Some("windows-json"),
            ),
            (
                "most lines count",
                format!("{ECS}\n{SYSMON}\n{SYSMON}\n{SYSMON}\n").into(),
                Some("windows-json"),
            ),
            (
                "deep nesting",
                format!("{}{}\n{ECS}", "{\"a\":".repeat(10_000), "}".repeat(10_000)).into(),
                Some("ecs-json"),
            ),
            ("nothing", Vec::new(), None),
            ("blank", b" \n\n".to_vec(), None),
            ("text", b"Hello, world\n{braces}\n".to_vec(), None),
            ("array", format!("[{ECS}]").into(), None),
            ("pretty-printed", b"{\n  \"a\": 1\n}\n".to_vec(), None),
            ("utf-16", b"\xff\xfe{\0\"\0a\0\"\0:\x001\0}\0".to_vec(), None),
            ("binary", (0..=255).cycle().take(9_000).collect(), None),
        ];
        for (what, bytes, expected) in table {
            assert_eq!(found(bytes), *expected, "{what}");
        }
    }

    #[test]
    fn a_line_longer_than_the_sample_is_told_by_its_beginning() {
        let mut bytes = SYSMON.trim_end_matches('}').as_bytes().to_vec();
        bytes.extend_from_slice(b",\"Message\":\"");
        bytes.resize(100_000, b'x');
        let (format, _) = recognise(&Sample::new(&bytes, false)).unwrap();
        assert_eq!(format.name(), "windows-json");
    }

    #[test]
    fn an_unrecognised_input_says_why() {
        for (bytes, reason) in [
            (&b"[{\"a\":1}]"[..], "a JSON array"),
            (b"{\n  \"a\": 1\n}\n", "over several lines"),
            (b"\xfe\xff\0{\0}", "UTF-16"),
            (b"\x7fELF\x02\x01\x01\0\0\0", "no known format"),
        ] {
            let sample = Sample::new(bytes, true);
            assert!(sample.why_unrecognised().contains(reason), "{}", sample.why_unrecognised());
        }
    }

    #[test]
    fn formats_have_names_of_their_own_and_near_names_are_offered() {
        for format in FORMATS {
            assert_eq!(format_named(format.name()).map(|f| f.name()), Ok(format.name()));
        }
        let near = format_named("windows-jsn").map(|f| f.name()).unwrap_err();
        assert_eq!(near.to_string(), "unknown input format `windows-jsn`: did you mean `windows-json`?");
        let far = format_named("parquet").map(|f| f.name()).unwrap_err();
        assert!(far.to_string().contains("there are evtx, "), "{far}");
    }
}
