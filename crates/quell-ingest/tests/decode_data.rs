//! Every record of the test data decodes, and the mapped events have what rules need.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may panic"
)]

#[path = "../../../testing/test_data.rs"]
mod test_data;

use quell_event::{EventState, FieldSet, Slot};
use quell_ingest::{
    Batch, Context, DecodeOptions, Decoder, DocumentDecoder, Layout, OpenOptions, discover, open,
};
use quell_ir::Datum;
use std::collections::BTreeMap;
use std::path::Path;
use test_data::test_data;

/// The fields that each event must have, by dataset and event id.
const REQUIRED: &[(&str, &str, &[&str])] = &[
    (
        "windows.sysmon_operational",
        "1",
        &[
            "process.name",
            "process.pid",
            "process.entity_id",
            "process.args",
            "process.command_line",
            "process.parent.name",
            "process.hash.sha256",
            "user.name",
        ],
    ),
    (
        "windows.sysmon_operational",
        "3",
        &[
            "process.name",
            "source.ip",
            "destination.ip",
            "destination.port",
            "network.transport",
            "network.direction",
        ],
    ),
    ("windows.sysmon_operational", "5", &["process.name", "process.entity_id"]),
    ("windows.sysmon_operational", "7", &["process.name", "dll.name"]),
    ("windows.sysmon_operational", "11", &["process.name", "file.path", "file.name"]),
    ("windows.sysmon_operational", "13", &["process.name", "registry.path", "registry.value"]),
    ("windows.sysmon_operational", "22", &["dns.question.name", "process.name"]),
    (
        "system.security",
        "4688",
        &["process.name", "process.pid", "process.parent.pid", "user.name", "event.outcome"],
    ),
    ("system.security", "4689", &["process.name", "process.pid", "user.name"]),
    (
        "system.security",
        "5156",
        &["process.pid", "source.ip", "destination.port", "network.transport", "network.direction"],
    ),
    (
        "windows.powershell_operational",
        "4103",
        &["powershell.command.name", "process.command_line", "process.entity_id"],
    ),
    ("windows.powershell_operational", "4104", &["powershell.file.script_block_text", "powershell.total"]),
];

/// The fields that every record must have.
const ALWAYS: &[&str] =
    &["@timestamp", "event.code", "host.name", "host.os.type", "winlog.channel", "event.dataset"];

struct Check {
    fields: FieldSet,
    dataset: Slot,
    code: Slot,
    always: Vec<Slot>,
    required: Vec<(&'static str, &'static str, Vec<Slot>)>,
    seen: BTreeMap<(String, String), u64>,
    /// How often a required field is missing.
    missing: BTreeMap<String, u64>,
}

impl Check {
    fn new() -> Self {
        let mut fields = FieldSet::default();
        let (dataset, code) = (fields.intern("event.dataset"), fields.intern("event.code"));
        let always = ALWAYS.iter().map(|field| fields.intern(field)).collect();
        let required = REQUIRED
            .iter()
            .map(|(set, id, names)| (*set, *id, names.iter().map(|name| fields.intern(name)).collect()))
            .collect();
        let (seen, missing) = (BTreeMap::new(), BTreeMap::new());
        Check { fields, dataset, code, always, required, seen, missing }
    }

    fn record(&mut self, decoder: &Decoder, record: &str, state: &mut EventState, context: &Context) {
        let mut event = decoder.decode(record, state, context).unwrap();
        let mut text = |slot| event.values(slot).first().as_text().unwrap_or("").to_owned();
        let (dataset, code) = (text(self.dataset), text(self.code));
        let row = self.required.iter().find(|(set, id, _)| *set == dataset && *id == code);
        let required = row.map_or(&[][..], |(_, _, slots)| slots);
        for slot in self.always.iter().chain(required) {
            let values = event.values(*slot);
            if values.is_empty() {
                *self.missing.entry(format!("{dataset} {code} {}", self.fields.name(*slot))).or_default() +=
                    1;
            }
            // A dash may be an argument of a command, but is no value of any other field.
            let name = self.fields.name(*slot);
            let blank = values.iter().any(|value| matches!(value, Datum::Text("" | "-")));
            assert!(!blank || name == "process.args", "{name}");
        }
        *self.seen.entry((dataset, code)).or_default() += 1;
    }
}

/// Reads, decodes and checks every record of a folder; of every 16th the document too.
fn check(folder: &Path) -> Check {
    let mut check = Check::new();
    let options = DecodeOptions::default();
    let layouts = [Layout::Evtx, Layout::FlatWindows, Layout::Winlogbeat6, Layout::Ecs];
    let decoders = layouts.map(|layout| Decoder::new(layout, &check.fields, &options));
    let documents = layouts.map(|layout| DocumentDecoder::new(layout, &options));
    let (mut state, context, mut batch) = (EventState::default(), Context::new(), Batch::default());
    for file in discover(&[folder.to_path_buf()]).files {
        let Ok(mut input) = open(&file, &OpenOptions::default()) else { continue };
        let at = layouts.iter().position(|layout| *layout == input.format.layout()).unwrap();
        while input.next_batch(&mut batch) {
            for (number, (_, record)) in batch.iter().enumerate() {
                check.record(&decoders[at], record, &mut state, &context);
                if number % 16 == 0 {
                    let document = documents[at].document(record, &context).unwrap();
                    assert_eq!(document["event"]["kind"], "event");
                    assert!(document["@timestamp"].is_string());
                }
            }
        }
    }
    eprintln!("{} records of {} kinds", check.seen.values().sum::<u64>(), check.seen.len());
    check
}

#[test]
fn every_windows_json_record_decodes() {
    let Some(folder) = test_data("windows-json") else { return };
    let check = check(&folder);
    for (dataset, code, count) in [
        ("windows.sysmon_operational", "1", 210),
        ("windows.sysmon_operational", "3", 650),
        ("windows.sysmon_operational", "5", 175),
        ("windows.sysmon_operational", "11", 297),
        ("windows.sysmon_operational", "22", 238),
        ("system.security", "4688", 634),
        ("system.security", "4689", 545),
        ("system.security", "5156", 1885),
        ("windows.powershell_operational", "4103", 1452),
        ("windows.powershell_operational", "4104", 78),
    ] {
        assert_eq!(check.seen.get(&(dataset.to_owned(), code.to_owned())), Some(&count), "{dataset} {code}");
    }
    // What the recordings themselves lack: NXLog lost some fields, and the first processes have no parent and no user.
    let lacking = [
        ("system.security 4688 process.parent.pid", 12),
        ("system.security 4688 user.name", 11),
        ("windows.powershell_operational 4103 powershell.command.name", 1),
        ("windows.powershell_operational 4104 powershell.file.script_block_text", 4),
        ("windows.powershell_operational 4104 powershell.total", 4),
        ("windows.sysmon_operational 1 process.pid", 14),
    ];
    assert_eq!(check.missing, lacking.map(|(field, count)| (field.to_owned(), count)).into());
}

#[test]
fn every_evtx_record_decodes() {
    let Some(folder) = test_data("evtx") else { return };
    let check = check(&folder);
    let starts = check.seen.get(&("windows.sysmon_operational".to_owned(), "1".to_owned()));
    assert_eq!(starts, Some(&1491));
    // Old configurations of Sysmon that take no SHA-256, a value without a name, RDP events that name no channel.
    let lacking = [
        ("windows.sysmon_operational 1 process.hash.sha256", 206),
        ("windows.sysmon_operational 1 process.parent.name", 2),
        ("windows.sysmon_operational 13 registry.value", 1),
        ("winlog.winlog 6 winlog.channel", 415),
    ];
    assert_eq!(check.missing, lacking.map(|(field, count)| (field.to_owned(), count)).into());
}
