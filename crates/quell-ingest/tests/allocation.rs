//! Once its buffers have grown, decoding an event and making its fields allocates nothing.

#![allow(unsafe_code, reason = "a global allocator cannot be written without")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../../testing/counting_allocator.rs"]
mod counting_allocator;

use counting_allocator::allocations;
use quell_event::{EventState, FieldSet};
use quell_ingest::{Context, DecodeOptions, Decoder, Layout, ProcessChange, ProcessFact};
/// Fields with every kind of source: constants, copies, derivations, chains of them, unions, joins, event data.
const FIELDS: &[&str] = &[
    "@timestamp",
    "destination.port",
    "dns.answers.data",
    "event.category",
    "event.dataset",
    "event.module",
    "event.outcome",
    "event.type",
    "host.name",
    "host.os.type",
    "network.community_id",
    "network.direction",
    "powershell.command.invocation_details.value",
    "powershell.command.name",
    "process.args",
    "process.args_count",
    "process.command_line",
    "process.entity_id",
    "process.hash.md5",
    "process.name",
    "process.parent.command_line",
    "process.parent.entity_id",
    "process.parent.name",
    "process.pid",
    "related.hash",
    "related.user",
    "user.name",
    "winlog.channel",
    "winlog.event_data.ProcessId",
    "winlog.event_id",
    "winlog.keywords",
];

const FLAT: &[&str] = &[
    r#"{"EventTime":"2024-05-01 10:11:12","Hostname":"ws-1","Keywords":-9223372036854775808,"EventType":"INFO","EventID":1,"SourceName":"Microsoft-Windows-Sysmon","Channel":"microsoft-windows-sysmon/operational","UtcTime":"2024-05-01 10:11:12.345","ProcessId":"5120","Image":"C:\\Tools\\nmap.exe","CommandLine":"\"C:\\Tools\\nmap.exe\" -sV \"a \\\"b\\\" c\"","Hashes":"MD5=0A,SHA256=0B","User":"LAB\\ann","ParentImage":"C:\\Windows\\cmd.exe"}"#,
    r#"{"EventTime":"2024-05-01 10:11:12","EventID":3,"SourceName":"Microsoft-Windows-Sysmon","Protocol":"tcp","Initiated":"true","SourceIp":"10.0.0.9","SourcePort":"49811","DestinationIp":"10.0.0.1","DestinationPort":"80"}"#,
    r#"{"EventTime":"2024-05-01 10:11:12","EventID":22,"SourceName":"Microsoft-Windows-Sysmon","QueryName":"a.example","QueryResults":"type:  5 b.example;::ffff:10.0.0.5;"}"#,
    r#"{"EventTime":"2024-05-01 10:11:12","EventID":4688,"ProviderGuid":"{54849625-5478-4994-A5BA-3E3B0328C30D}","Keywords":-9214364837600034816,"ProcessId":"0xfa4","Hostname":"ws-1","NewProcessId":"0x1400","NewProcessName":"C:\\a.exe","CommandLine":"a.exe -x","SubjectUserName":"ann","TargetUserName":"bob"}"#,
    r#"{"EventTime":"2024-05-01 10:11:12","EventID":4103,"SourceName":"Microsoft-Windows-PowerShell","ContextInfo":"   Host Application = p.exe -a\r\n   Command Name = Get-Date\r\n","Payload":"CommandInvocation(Get-Date): \"Get-Date\"\r\n"}"#,
    r#"{"EventTime":"2024-05-01 10:11:12","EventID":7036,"SourceName":"Service Control Manager","param1":"x"}"#,
];

const ECS: &[&str] = &[
    r#"{"@timestamp":"2024-05-01T10:11:12Z","event":{"category":["process"],"type":["start"]},"process":{"name":"a\u0062","args":["a","b c"],"pid":7},"host.os.type":"linux"}"#,
    r#"{"event":{"category":"network"},"destination":{"port":443}}"#,
];

#[test]
fn events_are_decoded_without_allocation() {
    let mut fields = FieldSet::default();
    let slots: Vec<_> = FIELDS.iter().map(|field| fields.intern(field)).collect();
    let zone = DecodeOptions { timezone: jiff::tz::TimeZone::get("Europe/Berlin").unwrap() };
    let mut context = Context::new();
    let change = ProcessChange::Started { executable: r"C:\Windows\cmd.exe", command_line: "cmd.exe /k" };
    context.observe(&ProcessFact { host: "WS-1", pid: 0xfa4, time: 0, change });
    for (layout, records, options) in [
        (Layout::FlatWindows, FLAT, DecodeOptions::default()),
        (Layout::FlatWindows, FLAT, zone),
        (Layout::Ecs, ECS, DecodeOptions::default()),
    ] {
        let decoder = Decoder::new(layout, &fields, &options);
        let mut state = EventState::default();
        let mut rounds = [(0, 0); 3];
        for (spent, values) in &mut rounds {
            let before = allocations();
            for record in records {
                let mut event = decoder.decode(record, &mut state, &context).unwrap();
                *values += slots.iter().map(|slot| event.values(*slot).iter().count()).sum::<usize>();
            }
            *spent = allocations() - before;
        }
        let [(first, values), (second, _), (third, same)] = rounds;
        assert!(
            first > 0 && values > records.len() && values == same,
            "{layout:?}: the test sees what it counts"
        );
        assert_eq!((second, third), (0, 0), "{layout:?}");
    }
}
