//! The projection against the floor: sonic-rs's parse of the same bytes to its document tree.
//!
//! `cargo bench -p quell-event`. Documents are made here; recorded Windows events are measured too where the test data
//! lies beside the workspace (or where `QUELL_TEST_DATA` says).

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a benchmark may panic"
)]

#[path = "../../../testing/test_data.rs"]
mod test_data;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use quell_event::{EventState, Projection, ProjectionBuilder, Want};
use std::hint::black_box;
use std::io::Read;
use test_data::test_data;

/// What a set of process and network rules asks of ECS documents.
const ECS_FIELDS: [&str; 35] = [
    "@timestamp",
    "event.category",
    "event.type",
    "event.action",
    "event.code",
    "event.dataset",
    "event.outcome",
    "host.id",
    "host.name",
    "host.os.type",
    "process.name",
    "process.executable",
    "process.command_line",
    "process.args",
    "process.args_count",
    "process.pid",
    "process.entity_id",
    "process.working_directory",
    "process.hash.sha256",
    "process.pe.original_file_name",
    "process.code_signature.trusted",
    "process.code_signature.subject_name",
    "process.parent.name",
    "process.parent.executable",
    "process.parent.command_line",
    "process.parent.args",
    "process.parent.pid",
    "process.Ext.token.integrity_level_name",
    "user.id",
    "user.name",
    "user.domain",
    "destination.ip",
    "destination.port",
    "file.path",
    "winlog.event_data.LogonType",
];

/// What the same rules ask of flat Windows events.
const WINDOWS_FIELDS: [&str; 35] = [
    "@timestamp",
    "EventTime",
    "TimeCreated",
    "UtcTime",
    "EventID",
    "Channel",
    "SourceName",
    "Hostname",
    "RecordNumber",
    "Image",
    "CommandLine",
    "CurrentDirectory",
    "User",
    "LogonGuid",
    "LogonId",
    "IntegrityLevel",
    "Hashes",
    "ParentProcessGuid",
    "ParentProcessId",
    "ParentImage",
    "ParentCommandLine",
    "ProcessGuid",
    "ProcessId",
    "OriginalFileName",
    "NewProcessName",
    "NewProcessId",
    "SubjectUserSid",
    "SubjectUserName",
    "SubjectDomainName",
    "SubjectLogonId",
    "TargetFilename",
    "DestinationIp",
    "DestinationPort",
    "QueryName",
    "ScriptBlockText",
];

/// Process events as an agent writes them, about 2 kB each, all different.
fn ecs_documents(count: usize) -> Vec<String> {
    let mut seed = 1u64;
    let mut pick = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let names = [
        "svchost.exe",
        "cmd.exe",
        "powershell.exe",
        "conhost.exe",
        "explorer.exe",
        "net.exe",
        "WmiPrvSE.exe",
    ];
    let mut documents = Vec::new();
    for n in 0..count {
        let (name, parent) = (names[n * 5 % 7], names[n * 3 % 7]);
        let arguments: Vec<String> =
            (0..pick(6)).map(|a| format!("--option{a}=value-{}", pick(100_000))).collect();
        let quoted: Vec<String> = arguments.iter().map(|a| format!("\"{a}\"")).collect();
        let sep = if quoted.is_empty() { "" } else { ", " };
        let file = if pick(3) == 0 {
            format!(
                r#""file":{{"path":"C:\\Temp\\{n}.tmp","name":"{n}.tmp","extension":"tmp","size":{}}},"#,
                pick(99_999)
            )
        } else {
            String::new()
        };
        documents.push(format!(
            r#"{{"@timestamp":"2024-05-0{}T10:{:02}:{:02}.123Z","agent":{{"id":"3a{:08x}-1111","type":"endpoint","version":"8.13.2","name":"ws-{}"}},"ecs":{{"version":"8.10.0"}},"data_stream":{{"namespace":"default","type":"logs","dataset":"endpoint.events.process"}},"elastic":{{"agent":{{"id":"3a{:08x}-2222"}}}},{file}"host":{{"hostname":"ws-{}","os":{{"Ext":{{"variant":"Windows 11 Pro"}},"kernel":"22H2 (10.0.22621.2283)","name":"Windows","family":"windows","type":"windows","version":"22H2","platform":"windows","full":"Windows 11 Pro 22H2"}},"ip":["10.0.{}.{}","fe80::1","127.0.0.1"],"name":"ws-{}","id":"{:032x}","mac":["00-50-56-{:02x}-11-22"],"architecture":"x86_64"}},"process":{{"Ext":{{"ancestry":["QmFzZTY0{:08x}","QmFzZTY0{:08x}"],"code_signature":[{{"trusted":true,"subject_name":"Microsoft Windows","exists":true,"status":"trusted"}}],"authentication_id":"0x3e7","token":{{"integrity_level_name":"high","elevation":false,"elevation_level":"default"}},"relative_file_creation_time":{}.25}},"parent":{{"args":["C:\\Windows\\{parent}","-x"],"name":"{parent}","pid":{},"args_count":2,"entity_id":"UGFyZW50{:08x}","command_line":"\"C:\\Windows\\{parent}\" -x","executable":"C:\\Windows\\{parent}"}},"pe":{{"original_file_name":"{name}"}},"name":"{name}","pid":{},"working_directory":"C:\\Windows\\system32\\","entity_id":"U2VsZg{:08x}","executable":"C:\\Windows\\System32\\{name}","args":["C:\\Windows\\System32\\{name}"{sep}{}],"args_count":{},"command_line":"C:\\Windows\\System32\\{name} {}","code_signature":{{"trusted":true,"subject_name":"Microsoft Windows","exists":true,"status":"trusted"}},"hash":{{"md5":"{:032x}","sha1":"{:040x}","sha256":"{:064x}"}}}},"message":"Endpoint process event","event":{{"sequence":{},"ingested":"2024-05-01T10:00:02Z","created":"2024-05-01T10:00:01.5Z","kind":"event","module":"endpoint","action":"start","id":"Ng{:016x}","category":["process"],"type":["start"],"dataset":"endpoint.events.process","outcome":"unknown"}},"user":{{"domain":"LAB","name":"user{}","id":"S-1-5-21-{}-{}-{}-1001"}}}}"#,
            1 + pick(9), pick(60), pick(60), pick(1 << 31), pick(90), pick(1 << 31), pick(90), pick(250), pick(250), pick(90),
            pick(1 << 31), pick(250), pick(1 << 31), pick(1 << 31), pick(90_000), pick(20_000), pick(1 << 31), pick(20_000),
            pick(1 << 31), quoted.join(", "), quoted.len() + 1, arguments.join(" "), pick(1 << 31), pick(1 << 31),
            pick(1 << 31), pick(1 << 31), pick(1 << 31), pick(50), pick(1 << 31), pick(1 << 31), pick(1 << 31),
        ));
    }
    documents
}

/// The lines of some recordings, at most 16 MB.
fn recorded(names: &[&str]) -> Option<Vec<String>> {
    let folder = test_data("windows-json")?;
    let mut lines = Vec::new();
    for name in names {
        let file = std::fs::File::open(folder.join(name)).ok()?;
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(file).take(16 << 20).read_to_end(&mut text).ok()?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        lines.extend(whole.lines().map(str::to_owned));
    }
    Some(lines)
}

fn projection(fields: &[&str]) -> Projection {
    let mut builder = ProjectionBuilder::new();
    for (slot, field) in fields.iter().enumerate() {
        builder.add(field, slot, Want::Scalars);
    }
    builder.build()
}

fn measure(criterion: &mut Criterion, name: &str, fields: &[&str], lines: &[String]) {
    let projection = projection(fields);
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Bytes(lines.iter().map(|line| line.len() as u64).sum()));
    group.bench_function("sonic-rs Value", |bencher| {
        bencher.iter(|| {
            for line in lines {
                black_box(sonic_rs::from_slice::<sonic_rs::Value>(line.as_bytes()).unwrap());
            }
        });
    });
    group.bench_function("projection", |bencher| {
        let mut state = EventState::default();
        bencher.iter(|| {
            for line in lines {
                state.begin(fields.len(), 0);
                projection.project(line, &mut state).unwrap();
                black_box(&mut state);
            }
        });
    });
    group.finish();
}

fn benchmarks(criterion: &mut Criterion) {
    measure(criterion, "ecs documents", &ECS_FIELDS, &ecs_documents(1000));
    let flat = ["psh_cmstp_execution_bypassuac_2020-10-2201543213.ndjson.gz"];
    if let Some(lines) = recorded(&flat) {
        measure(criterion, "recorded flat events", &WINDOWS_FIELDS, &lines);
    }
    let nested = ["empire_wdigest_downgrade_2019-05-18201922.ndjson.gz"];
    if let Some(lines) = recorded(&nested) {
        let fields = WINDOWS_FIELDS.map(|field| format!("event_data.{field}"));
        measure(criterion, "recorded winlogbeat events", &fields.each_ref().map(String::as_str), &lines);
    }
}

criterion_group!(benches, benchmarks);
criterion_main!(benches);
