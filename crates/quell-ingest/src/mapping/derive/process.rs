//! Processes: the ids of those that have none of their own, and what is known of a process by its number and a time.
//!
//! A source that names processes by numbers alone, as the Security log does, gets ids made of what it says. Elastic's agents
//! make theirs of host, number and start too, but of other things of the host: the ids differ.

use super::{ArgumentKind, Derivation, Digits, Run};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD as BASE64;
use quell_event::PartOfLife;
use quell_ir::Datum;
use quell_ir::date::parse_date;
use sha2::{Digest, Sha256};

pub(super) static ENTITY_ID: Derivation = Derivation {
    name: "entity_id",
    doc: "An id for the process of `host + process id + start`: the first 12 bytes, in base 64, of the SHA-256 of the host in lower case, the process id and the start in nanoseconds since 1970, both in decimal, with a zero byte between them.",
    argument: ArgumentKind::None,
    run: Run::Each(|input, _, out| {
        if let Some(Named { host, pid, time }) = Named::parse(input.text) {
            out.text(std::str::from_utf8(&entity_id(host, pid, time)).unwrap_or(""));
        }
    }),
    examples: &[
        ("", "ws-1.lab.example\t5120\t2024-05-01T10:11:12.3460000Z", &["voMFqwdHrSezfu/f"]),
        ("", "WS-1.LAB.EXAMPLE\t5120\t2024-05-01T10:11:12.346Z", &["voMFqwdHrSezfu/f"]),
        ("", "ws-1.lab.example\t5120\tyesterday", &[]),
        ("", "ws-1.lab.example\t-1\t2024-05-01T10:11:12.346Z", &[]),
    ],
};

pub(crate) static PROCESS: Derivation = Derivation {
    name: "process",
    doc: "The `entity_id` of the process that ran at `host + process id + time`, or, with a word in brackets, what else its start said; with `ended` the id of the process that ended then. Nothing where its start is not known.",
    argument: ArgumentKind::OptionalWord(&["ended", "executable", "command_line"]),
    run: Run::Each(|input, argument, out| {
        let Some(Named { host, pid, time }) = Named::parse(input.text) else { return };
        let part = if argument.is("ended") { PartOfLife::End } else { PartOfLife::Any };
        let Some(process) = input.facts.process(host, pid, time, part) else { return };
        match argument.text() {
            "executable" => out.text(process.executable),
            "command_line" => out.text(process.command_line),
            _ => out.text(std::str::from_utf8(&entity_id(host, pid, process.start)).unwrap_or("")),
        }
    }),
    examples: &[("", "ws-1.lab.example\t5120\t2024-05-01T10:11:12.346Z", &[])],
};

/// A process by its number and a time.
struct Named<'t> {
    host: &'t str,
    pid: u32,
    time: i64,
}

impl<'t> Named<'t> {
    /// Reads `host`, `process id` and `time` with tabs between them. A host may hold anything.
    fn parse(text: &'t str) -> Option<Named<'t>> {
        let mut parts = text.rsplitn(3, '\t');
        let (time, pid, host) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Named { host, pid: pid.parse().ok()?, time: parse_date(time)? })
    }
}

const ID_BYTES: usize = 12;

fn entity_id(host: &str, pid: u32, start: i64) -> [u8; ID_BYTES / 3 * 4] {
    let mut hash = Sha256::new();
    hash_lower(&mut hash, host);
    let mut digits = Digits::new();
    hash.update([0]);
    hash.update(digits.of(Datum::Integer(pid.into())));
    hash.update([0]);
    digits = Digits::new();
    hash.update(digits.of(Datum::Integer(start)));
    let hash = hash.finalize();
    let mut id = [0; ID_BYTES / 3 * 4];
    // It fits: four characters for every three bytes.
    let _ = BASE64.encode_slice(hash.get(..ID_BYTES).unwrap_or_default(), &mut id);
    id
}

/// Hashes a text with its ASCII letters in lower case.
pub(crate) fn hash_lower(hash: &mut Sha256, text: &str) {
    for part in text.as_bytes().chunks(64) {
        let mut lower = [0; 64];
        if let Some(lower) = lower.get_mut(..part.len()) {
            lower.copy_from_slice(part);
            lower.make_ascii_lowercase();
            hash.update(lower);
        }
    }
}
