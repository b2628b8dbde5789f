//! Golden documents: each mapped event in each Windows layout, and what the lazy fields of a scan say of the same record.
//!
//! The records are made here; the documents stand in `tests/decode/`. `QUELL_BLESS=1` writes them anew.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may panic"
)]

use proptest::prelude::*;
use quell_event::{EventState, FieldSet};
use quell_ingest::{Context, ContextBuilder, DecodeOptions, Decoder, DocumentDecoder, Layout};
use quell_ir::Datum;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

const LAYOUTS: [(Layout, &str); 3] =
    [(Layout::Evtx, "evtx"), (Layout::FlatWindows, "flat_windows"), (Layout::Winlogbeat6, "winlogbeat_6")];

/// One event, apart from any layout.
struct Sample {
    name: &'static str,
    provider: Provider,
    id: i64,
    /// As the EVTX decoder types them; the other layouts hold texts.
    data: Value,
}

#[derive(Clone, Copy)]
struct Provider {
    name: &'static str,
    guid: &'static str,
    channel: &'static str,
    keywords: u64,
    user: Option<&'static str>,
}

const SYSMON: Provider = Provider {
    name: "Microsoft-Windows-Sysmon",
    guid: "{5770385f-c22a-43e0-bf4c-06f5698ffbd9}",
    channel: "Microsoft-Windows-Sysmon/Operational",
    keywords: 0x8000_0000_0000_0000,
    user: Some("S-1-5-18"),
};
const SECURITY: Provider = Provider {
    name: "Microsoft-Windows-Security-Auditing",
    guid: "{54849625-5478-4994-a5ba-3e3b0328c30d}",
    channel: "Security",
    keywords: 0x8020_0000_0000_0000,
    user: None,
};
const POWERSHELL: Provider = Provider {
    name: "Microsoft-Windows-PowerShell",
    guid: "{a0c1853b-5c40-4b15-8766-3cf1c58f985a}",
    channel: "Microsoft-Windows-PowerShell/Operational",
    keywords: 0,
    user: Some("S-1-5-21-1-2-3-1104"),
};

fn samples() -> Vec<Sample> {
    let sample = |name, provider, id, data| Sample { name, provider, id, data };
    vec![
        sample(
            "sysmon-1",
            SYSMON,
            1,
            json!({
                "RuleName": "-",
                "UtcTime": "2024-05-01 10:11:12.345",
                "ProcessGuid": "{0f0e0d0c-0b0a-6632-1000-000000001200}",
                "ProcessId": 5120,
                "Image": "C:\\Tools\\nmap.exe",
                "FileVersion": "7.95",
                "Description": "Nmap",
                "Product": "Nmap",
                "Company": "Insecure.Org",
                "OriginalFileName": "nmap.exe",
                "CommandLine": "\"C:\\Tools\\nmap.exe\" -sV  -p 22,80 \"10.0.0.1\"",
                "CurrentDirectory": "C:\\Users\\ann\\",
                "User": "LAB\\ann",
                "LogonGuid": "{0f0e0d0c-0b0a-6632-2000-000000000000}",
                "LogonId": "0x3e7a1",
                "TerminalSessionId": 1,
                "IntegrityLevel": "High",
                "Hashes": "MD5=0123456789ABCDEF0123456789ABCDEF,SHA256=00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF,IMPHASH=FEDCBA9876543210FEDCBA9876543210",
                "ParentProcessGuid": "{0f0e0d0c-0b0a-6632-0f00-000000001200}",
                "ParentProcessId": 4004,
                "ParentImage": "C:\\Windows\\System32\\cmd.exe",
                "ParentCommandLine": "cmd.exe /k",
            }),
        ),
        sample(
            "sysmon-3",
            SYSMON,
            3,
            json!({
                "RuleName": "scan",
                "UtcTime": "2024-05-01 10:11:12.345",
                "ProcessGuid": "{0f0e0d0c-0b0a-6632-1000-000000001200}",
                "ProcessId": 5120,
                "Image": "C:\\Tools\\nmap.exe",
                "User": "LAB\\ann",
                "Protocol": "tcp",
                "Initiated": true,
                "SourceIsIpv6": false,
                "SourceIp": "10.0.0.9",
                "SourceHostname": "ws-1.lab.example",
                "SourcePort": 49811,
                "SourcePortName": "-",
                "DestinationIsIpv6": false,
                "DestinationIp": "10.0.0.1",
                "DestinationHostname": "",
                "DestinationPort": 80,
                "DestinationPortName": "http",
            }),
        ),
        sample(
            "sysmon-5",
            SYSMON,
            5,
            json!({
                "RuleName": "",
                "UtcTime": "2024-05-01 10:11:12.345",
                "ProcessGuid": "{0f0e0d0c-0b0a-6632-1000-000000001200}",
                "ProcessId": 5120,
                "Image": "C:\\Tools\\nmap.exe",
                "User": "LAB\\ann",
            }),
        ),
        sample(
            "sysmon-11",
            SYSMON,
            11,
            json!({
                "RuleName": "-",
                "UtcTime": "2024-05-01 10:11:12.345",
                "ProcessGuid": "{0f0e0d0c-0b0a-6632-1000-000000001200}",
                "ProcessId": 5120,
                "Image": "C:\\Tools\\nmap.exe",
                "TargetFilename": "C:\\Users\\ann\\out.scan.txt",
                "CreationUtcTime": "2024-05-01 10:11:12.000",
            }),
        ),
        sample(
            "sysmon-13",
            SYSMON,
            13,
            json!({
                "RuleName": "-",
                "EventType": "SetValue",
                "UtcTime": "2024-05-01 10:11:12.345",
                "ProcessGuid": "{0f0e0d0c-0b0a-6632-1000-000000001200}",
                "ProcessId": 5120,
                "Image": "C:\\Windows\\regedit.exe",
                "TargetObject": "HKLM\\SOFTWARE\\Example\\Enabled",
                "Details": "DWORD (0x00000001)",
            }),
        ),
        sample(
            "sysmon-22",
            SYSMON,
            22,
            json!({
                "RuleName": "-",
                "UtcTime": "2024-05-01 10:11:12.345",
                "ProcessGuid": "{0f0e0d0c-0b0a-6632-1000-000000001200}",
                "ProcessId": 5120,
                "QueryName": "app.lab.example",
                "QueryStatus": "0",
                "QueryResults": "type:  5 web.lab.example;::ffff:10.0.0.5;fe80::5;",
                "Image": "C:\\Windows\\System32\\PING.EXE",
                "User": "LAB\\ann",
            }),
        ),
        sample(
            "security-4688",
            SECURITY,
            4688,
            json!({
                "SubjectUserSid": "S-1-5-21-1-2-3-1104",
                "SubjectUserName": "ann",
                "SubjectDomainName": "LAB",
                "SubjectLogonId": "0x3e7a1",
                "NewProcessId": "0x1400",
                "NewProcessName": "C:\\Program Files\\Nmap\\nmap.exe",
                "TokenElevationType": "%%1937",
                "ProcessId": "0xfa4",
                "CommandLine": "\"C:\\Program Files\\Nmap\\nmap.exe\" -sV \"10.0.0.1 10.0.0.2\"",
                "TargetUserSid": "S-1-0-0",
                "TargetUserName": "-",
                "TargetDomainName": "-",
                "TargetLogonId": "0x0",
                "ParentProcessName": "C:\\Windows\\System32\\cmd.exe",
                "MandatoryLabel": "S-1-16-12288",
            }),
        ),
        sample(
            "security-4689",
            SECURITY,
            4689,
            json!({
                "SubjectUserSid": "S-1-5-21-1-2-3-1104",
                "SubjectUserName": "ann",
                "SubjectDomainName": "LAB",
                "SubjectLogonId": "0x3e7a1",
                "Status": "0x0",
                "ProcessId": "0x1400",
                "ProcessName": "C:\\Program Files\\Nmap\\nmap.exe",
            }),
        ),
        sample(
            "security-5156",
            SECURITY,
            5156,
            json!({
                "ProcessID": 5120,
                "Application": "\\device\\harddiskvolume3\\tools\\nmap.exe",
                "Direction": "%%14593",
                "SourceAddress": "10.0.0.9",
                "SourcePort": "49811",
                "DestAddress": "10.0.0.1",
                "DestPort": "445",
                "Protocol": 6,
                "FilterRTID": 66000,
                "LayerName": "%%14611",
                "LayerRTID": 48,
                "RemoteUserID": "S-1-0-0",
                "RemoteMachineID": "S-1-0-0",
            }),
        ),
        sample(
            "powershell-4103",
            POWERSHELL,
            4103,
            json!({
                "ContextInfo": "        Severity = Informational\r\n        Host Name = ConsoleHost\r\n        Host Version = 5.1.19041.1\r\n        Host ID = 11111111-2222-3333-4444-555555555555\r\n        Host Application = powershell.exe -NoProfile -File \"C:\\My Scripts\\scan.ps1\"\r\n        Engine Version = 5.1.19041.1\r\n        Runspace ID = 66666666-7777-8888-9999-000000000000\r\n        Pipeline ID = 7\r\n        Command Name = Test-Port\r\n        Command Type = Cmdlet\r\n        Script Name = C:\\My Scripts\\scan.ps1\r\n        Command Path = \r\n        Sequence Number = 18\r\n        User = LAB\\ann\r\n        Connected User = \r\n        Shell ID = Microsoft.PowerShell\r\n",
                "UserData": "",
                "Payload": "CommandInvocation(Test-Port): \"Test-Port\"\r\nParameterBinding(Test-Port): name=\"Port\"; value=\"22; 80\"\r\n",
            }),
        ),
        sample(
            "powershell-4104",
            POWERSHELL,
            4104,
            json!({
                "MessageNumber": 1,
                "MessageTotal": 2,
                "ScriptBlockText": "foreach ($p in 22,80) {\r\n\t\"é $p\"\r\n}",
                "ScriptBlockId": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
                "Path": "C:\\My Scripts\\scan.ps1",
            }),
        ),
    ]
}

fn text(value: &Value) -> Value {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned).into()
}

fn texts(data: &Value) -> Map<String, Value> {
    data.as_object().unwrap().iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

/// The record as a recorder of this layout writes it.
fn render(sample: &Sample, layout: Layout) -> Value {
    let Sample { provider, id, data, .. } = sample;
    match layout {
        Layout::Evtx => {
            let mut system = json!({
                "Provider_attributes": {"Name": provider.name, "Guid": provider.guid},
                "EventID": id,
                "Version": 2,
                "Level": 4,
                "Task": 1,
                "Opcode": 0,
                "Keywords": format!("{:#x}", provider.keywords),
                "TimeCreated_attributes": {"SystemTime": "2024-05-01T10:11:12.3460000Z"},
                "EventRecordID": 77,
                "Correlation": null,
                "Execution_attributes": {"ProcessID": 2032, "ThreadID": 1996},
                "Channel": provider.channel,
                "Computer": "ws-1.lab.example",
            });
            if let Some(user) = provider.user {
                system["Security_attributes"] = json!({"UserID": user});
            }
            json!({
                "Event_attributes": {"xmlns": "http://schemas.microsoft.com/win/2004/08/events/event"},
                "Event": {"System": system, "EventData": data},
            })
        }
        Layout::FlatWindows => {
            let mut record = json!({
                "EventTime": "2024-05-01 10:11:12",
                "Hostname": "ws-1.lab.example",
                "Keywords": provider.keywords.cast_signed(),
                "EventType": if provider.keywords << 10 >> 63 == 1 { "AUDIT_SUCCESS" } else { "INFO" },
                "SeverityValue": 2,
                "Severity": "INFO",
                "EventID": id,
                "SourceName": provider.name,
                "ProviderGuid": provider.guid.to_uppercase(),
                "Version": 2,
                "Task": 1,
                "OpcodeValue": 0,
                "RecordNumber": 77,
                "ExecutionProcessID": 2032,
                "ThreadID": 1996,
                "Channel": provider.channel.to_lowercase(),
                "Message": "what happened",
                "Category": "Some Task",
                "Opcode": "Info",
                "EventReceivedTime": "2024-05-01 10:11:14",
                "SourceModuleName": "eventlog",
                "SourceModuleType": "im_msvistalog",
                "@timestamp": "2024-05-01T10:11:15.000Z",
                "@version": "1",
                "host": "collector",
                "port": 60000,
                "tags": ["lab"],
            });
            if let Some(user) = provider.user {
                record["UserID"] = user.into();
                record["AccountName"] = "SYSTEM".into();
                record["Domain"] = "NT AUTHORITY".into();
                record["AccountType"] = "User".into();
            }
            let map = record.as_object_mut().unwrap();
            if data.get("EventType").is_some() {
                map.insert("EventTypeOrignal".to_owned(), "INFO".into());
            }
            map.extend(texts(data));
            record
        }
        Layout::Winlogbeat6 => {
            let mut record = json!({
                "@timestamp": "2024-05-01T10:11:12.346Z",
                "@metadata": {"beat": "winlogbeat", "type": "doc", "version": "6.7.0"},
                "beat": {"name": "collector", "hostname": "collector", "version": "6.7.0"},
                "host": {"name": "collector"},
                "type": "wineventlog",
                "source_name": provider.name,
                "provider_guid": provider.guid,
                "log_name": provider.channel,
                "event_id": id,
                "computer_name": "ws-1.lab.example",
                "record_number": "77",
                "process_id": 2032,
                "thread_id": 1996,
                "version": 2,
                "level": "Information",
                "task": "Some Task",
                "opcode": "Info",
                "message": "what happened",
                "event_data": texts(data),
            });
            if provider.keywords << 10 >> 63 == 1 {
                record["keywords"] = json!(["Audit Success"]);
            }
            if let Some(user) = provider.user {
                record["user"] =
                    json!({"identifier": user, "name": "SYSTEM", "domain": "NT AUTHORITY", "type": "User"});
            }
            record
        }
        Layout::Ecs => panic!("an ECS document is no Windows layout"),
    }
}

fn document(layout: Layout, record: &Value) -> Value {
    document_with(layout, record, &Context::new())
}

fn document_with(layout: Layout, record: &Value, context: &Context) -> Value {
    let decoder = DocumentDecoder::new(layout, &DecodeOptions::default());
    Value::Object(decoder.document(&record.to_string(), context).unwrap())
}

/// Every scalar of a document by its dotted path.
fn leaves(path: &str, value: &Value, out: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                leaves(&format!("{path}{}{key}", if path.is_empty() { "" } else { "." }), value, out);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| leaves(path, value, out)),
        scalar => out.push((path.to_owned(), scalar.clone())),
    }
}

#[test]
fn documents_are_the_golden_ones() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/decode");
    for sample in samples() {
        let documents: Map<String, Value> = LAYOUTS
            .iter()
            .map(|(layout, name)| ((*name).to_owned(), document(*layout, &render(&sample, *layout))))
            .collect();
        let documents = Value::Object(documents);
        let file = folder.join(format!("{}.json", sample.name));
        if std::env::var_os("QUELL_BLESS").is_some() {
            std::fs::write(&file, serde_json::to_string_pretty(&documents).unwrap() + "\n").unwrap();
        }
        let golden: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        for (_, name) in LAYOUTS {
            assert_eq!(documents[name], golden[name], "{} as {name}", sample.name);
        }
    }
}

#[test]
fn lazy_fields_say_what_the_document_says() {
    for sample in samples() {
        for (layout, name) in LAYOUTS {
            let what = format!("{} as {name}", sample.name);
            lazy_as_in_the_document(layout, &render(&sample, layout), &Context::new(), &what);
        }
    }
}

fn lazy_as_in_the_document(layout: Layout, record: &Value, context: &Context, what: &str) {
    let mut expected = Vec::new();
    leaves("", &document_with(layout, record, context), &mut expected);
    let mut fields = FieldSet::default();
    for (path, _) in &expected {
        fields.intern(path);
    }
    let decoder = Decoder::new(layout, &fields, &DecodeOptions::default());
    let (mut state, record) = (EventState::default(), record.to_string());
    let mut event = decoder.decode(&record, &mut state, context).unwrap();
    for (slot, path) in fields.iter() {
        let lazy: Vec<Value> = event
            .values(slot)
            .iter()
            .map(|datum| match datum {
                Datum::Text(text) => text.into(),
                Datum::Integer(n) => n.into(),
                Datum::Boolean(b) => b.into(),
                other => panic!("{other:?}"),
            })
            .collect();
        let whole: Vec<Value> =
            expected.iter().filter(|(other, _)| other == path).map(|(_, value)| value.clone()).collect();
        assert_eq!(lazy, whole, "{path} of {what}");
    }
}

/// What the Security log says of the processes is told of later events, whatever the recorder.
#[test]
fn what_starts_have_said_completes_other_events() {
    let samples = samples();
    let named = |name: &str| samples.iter().find(|sample| sample.name == name).unwrap();
    for (layout, name) in LAYOUTS {
        let mut parent = render(named("security-4688"), layout);
        let mut child = parent.clone();
        let data = |record: &mut Value, name: &str, value: Option<&str>| {
            let object = match layout {
                Layout::Evtx => &mut record["Event"]["EventData"],
                Layout::Winlogbeat6 => &mut record["event_data"],
                _ => record,
            };
            match value {
                Some(value) => object[name] = value.into(),
                None => drop(object.as_object_mut().unwrap().remove(name)),
            }
        };
        data(&mut parent, "NewProcessId", Some("0xfa4"));
        data(&mut parent, "NewProcessName", Some("C:\\Tools\\sh.exe"));
        data(&mut parent, "CommandLine", Some("\"C:\\Tools\\sh.exe\" -c nmap"));
        data(&mut child, "ParentProcessName", None); // as Windows 7 writes it
        let mut builder = ContextBuilder::new(&DecodeOptions::default());
        for record in [&parent, &child, &render(named("sysmon-1"), layout)] {
            builder.observe(layout, &record.to_string());
        }
        let context = builder.finish();
        let alone = |record: &Value| document(layout, record)["process"]["entity_id"].clone();
        assert!(alone(&parent).is_string() && alone(&parent) != alone(&child), "{name}");
        let document = document_with(layout, &child, &context);
        assert_eq!(document["process"]["entity_id"], alone(&child), "{name}");
        assert_eq!(
            document["process"]["parent"],
            json!({
                "args": ["\"C:\\Tools\\sh.exe\"", "-c", "nmap"],
                "args_count": 3,
                "command_line": "\"C:\\Tools\\sh.exe\" -c nmap",
                "entity_id": alone(&parent),
                "executable": "C:\\Tools\\sh.exe",
                "name": "sh.exe",
                "pid": 4004,
            }),
            "{name}"
        );
        lazy_as_in_the_document(layout, &child, &context, name);
        for other in ["security-4689", "security-5156"] {
            let record = render(named(other), layout);
            assert_eq!(
                document_with(layout, &record, &context)["process"]["entity_id"],
                alone(&child),
                "{other} as {name}"
            );
            lazy_as_in_the_document(layout, &record, &context, &format!("{other} as {name}"));
        }
        // Sysmon's own ids stay.
        let sysmon = render(named("sysmon-5"), layout);
        assert_eq!(
            document_with(layout, &sysmon, &context)["process"]["entity_id"],
            "{0f0e0d0c-0b0a-6632-1000-000000001200}",
            "{name}"
        );
    }
}

/// What the mapping pages say of each event, apart from the golden files.
#[test]
fn events_are_what_elastic_makes_of_them() {
    type Facts = &'static [(&'static str, &'static str)];
    let facts: [(&str, Facts); 10] = [
        (
            "sysmon-1",
            &[
                ("/@timestamp", "\"2024-05-01T10:11:12.345Z\""),
                ("/event/kind", "\"event\""),
                ("/event/category", r#"["process"]"#),
                ("/event/type", r#"["start"]"#),
                ("/event/action", "\"Process creation\""),
                ("/event/code", "\"1\""),
                ("/event/dataset", "\"windows.sysmon_operational\""),
                ("/event/provider", "\"Microsoft-Windows-Sysmon\""),
                ("/data_stream/dataset", "\"windows.sysmon_operational\""),
                ("/host/os/type", "\"windows\""),
                ("/host/name", "\"ws-1.lab.example\""),
                ("/process/name", "\"nmap.exe\""),
                ("/process/pid", "5120"),
                ("/process/args", r#"["C:\\Tools\\nmap.exe","-sV","-p","22,80","10.0.0.1"]"#),
                ("/process/args_count", "5"),
                ("/process/entity_id", "\"{0f0e0d0c-0b0a-6632-1000-000000001200}\""),
                ("/process/hash/md5", "\"0123456789abcdef0123456789abcdef\""),
                ("/process/pe/imphash", "\"fedcba9876543210fedcba9876543210\""),
                ("/process/parent/name", "\"cmd.exe\""),
                ("/process/parent/args", r#"["cmd.exe","/k"]"#),
                ("/user/id", "\"S-1-5-18\""),
                ("/user/name", "\"ann\""),
                ("/user/domain", "\"LAB\""),
                ("/winlog/event_id", "\"1\""),
                ("/winlog/channel", "\"Microsoft-Windows-Sysmon/Operational\""),
                ("/winlog/event_data/ProcessId", "\"5120\""),
            ],
        ),
        (
            "sysmon-3",
            &[
                ("/event/category", r#"["network"]"#),
                ("/event/type", r#"["start","connection","protocol"]"#),
                ("/event/action", "\"Network connection\""),
                ("/network/direction", "\"egress\""),
                ("/network/transport", "\"tcp\""),
                ("/network/type", "\"ipv4\""),
                ("/network/protocol", "\"http\""),
                ("/source/port", "49811"),
                ("/destination/ip", "\"10.0.0.1\""),
                ("/destination/port", "80"),
                ("/related/ip", r#"["10.0.0.9","10.0.0.1"]"#),
                ("/related/hosts", r#"["ws-1.lab.example"]"#),
                ("/rule/name", "\"scan\""),
            ],
        ),
        ("sysmon-5", &[("/event/category", r#"["process"]"#), ("/event/type", r#"["end"]"#)]),
        (
            "sysmon-11",
            &[
                ("/event/category", r#"["file"]"#),
                ("/event/type", r#"["creation"]"#),
                ("/event/action", "\"FileCreate\""),
                ("/file/name", "\"out.scan.txt\""),
                ("/file/directory", "\"C:\\\\Users\\\\ann\""),
                ("/file/extension", "\"txt\""),
            ],
        ),
        (
            "sysmon-22",
            &[
                ("/event/type", r#"["connection","protocol","info"]"#),
                ("/dns/question/name", "\"app.lab.example\""),
                ("/dns/resolved_ip", r#"["10.0.0.5","fe80::5"]"#),
                ("/dns/answers/0", r#"{"type":"CNAME","data":"web.lab.example"}"#),
                ("/sysmon/dns/status", "\"SUCCESS\""),
                ("/network/protocol", "\"dns\""),
            ],
        ),
        (
            "security-4688",
            &[
                ("/event/action", "\"created-process\""),
                ("/event/module", "\"system\""),
                ("/event/dataset", "\"system.security\""),
                ("/event/outcome", "\"success\""),
                ("/process/pid", "5120"),
                ("/process/args", r#"["\"C:\\Program Files\\Nmap\\nmap.exe\"","-sV","10.0.0.1 10.0.0.2"]"#),
                ("/process/parent/pid", "4004"),
                ("/process/parent/name", "\"cmd.exe\""),
                ("/user/id", "\"S-1-5-21-1-2-3-1104\""),
                ("/winlog/logon/id", "\"0x3e7a1\""),
                ("/winlog/channel", "\"Security\""),
                ("/winlog/keywords", r#"["Audit Success"]"#),
                ("/winlog/event_data/TokenElevationType", "\"%%1937\""),
            ],
        ),
        (
            "security-4689",
            &[
                ("/event/type", r#"["end"]"#),
                ("/event/action", "\"exited-process\""),
                ("/process/name", "\"nmap.exe\""),
            ],
        ),
        (
            "security-5156",
            &[
                ("/event/type", r#"["connection","info","allowed"]"#),
                ("/event/action", "\"windows-firewall-connection\""),
                ("/network/direction", "\"outbound\""),
                ("/network/transport", "\"tcp\""),
                ("/process/name", "\"nmap.exe\""),
                ("/process/pid", "5120"),
                ("/destination/port", "445"),
            ],
        ),
        (
            "powershell-4103",
            &[
                ("/event/type", r#"["info"]"#),
                ("/powershell/command/name", "\"Test-Port\""),
                ("/process/entity_id", "\"11111111-2222-3333-4444-555555555555\""),
                ("/process/args/3", r#""C:\\My Scripts\\scan.ps1""#),
                ("/process/title", "\"ConsoleHost\""),
                ("/powershell/command/invocation_details/1/value", r#""\"22; 80\"""#),
                ("/user/name", "\"ann\""),
            ],
        ),
        (
            "powershell-4104",
            &[
                ("/event/category", r#"["process"]"#),
                ("/event/type", r#"["info"]"#),
                ("/powershell/file/script_block_text", r#""foreach ($p in 22,80) {\r\n\t\"é $p\"\r\n}""#),
                ("/powershell/sequence", "1"),
                ("/powershell/total", "2"),
                ("/file/name", "\"scan.ps1\""),
                ("/user/id", "\"S-1-5-21-1-2-3-1104\""),
                ("/winlog/process/pid", "2032"),
            ],
        ),
    ];
    let samples = samples();
    for (name, facts) in facts {
        let sample = samples.iter().find(|sample| sample.name == name).unwrap();
        for (layout, layout_name) in LAYOUTS {
            let document = document(layout, &render(sample, layout));
            for (pointer, expected) in facts {
                let found = document.pointer(pointer).map(ToString::to_string);
                assert_eq!(found.as_deref(), Some(*expected), "{pointer} of {name} as {layout_name}");
            }
        }
    }
}

#[test]
fn absent_things_stay_absent() {
    let samples = samples();
    for (name, pointer) in [
        ("sysmon-1", "/rule/name"),
        ("sysmon-3", "/destination/domain"),
        ("sysmon-3", "/process/command_line"),
        ("sysmon-5", "/event/outcome"),
        ("security-4688", "/process/parent/entity_id"),
        ("security-4688", "/process/parent/command_line"),
        ("security-4689", "/process/entity_id"),
        ("security-5156", "/process/entity_id"),
        ("security-4688", "/user/effective"),
        ("security-4688", "/winlog/event_data/TargetUserName"),
        ("powershell-4103", "/powershell/command/path"),
        ("powershell-4103", "/powershell/connected_user"),
        ("powershell-4103", "/process/name"),
        ("powershell-4104", "/process"),
    ] {
        let sample = samples.iter().find(|sample| sample.name == name).unwrap();
        for (layout, layout_name) in LAYOUTS {
            let document = document(layout, &render(sample, layout));
            assert_eq!(document.pointer(pointer), None, "{pointer} of {name} as {layout_name}");
        }
    }
}

/// The values of one field of a record.
fn field(layout: Layout, record: &Value, path: &str, options: &DecodeOptions) -> Vec<String> {
    let mut fields = FieldSet::default();
    let slot = fields.intern(path);
    let decoder = Decoder::new(layout, &fields, options);
    let (mut state, context, record) = (EventState::default(), Context::new(), record.to_string());
    let mut event = decoder.decode(&record, &mut state, &context).unwrap();
    event.values(slot).iter().filter_map(|datum| datum.as_text().map(str::to_owned)).collect()
}

#[test]
fn the_time_is_the_best_that_there_is() {
    let options = DecodeOptions { timezone: jiff::tz::TimeZone::get("America/New_York").unwrap() };
    let mut record = json!({
        "SourceName": "Microsoft-Windows-Sysmon",
        "EventID": 5,
        "UtcTime": "2024-05-01 10:00:00.001",
        "TimeCreated": "2024-05-01T10:00:00.0020000Z",
        "EventTime": "2024-05-01 06:00:03",
        "@timestamp": "2024-05-01T10:00:04Z",
    });
    for (without, expected) in [
        ("", "2024-05-01T10:00:00.001Z"),
        ("UtcTime", "2024-05-01T10:00:00.0020000Z"),
        ("TimeCreated", "2024-05-01T10:00:03.000Z"),
        ("EventTime", "2024-05-01T10:00:04.000Z"),
    ] {
        record.as_object_mut().unwrap().remove(without);
        assert_eq!(field(Layout::FlatWindows, &record, "@timestamp", &options), [expected]);
    }
    record["UtcTime"] = "yesterday".into();
    assert_eq!(field(Layout::FlatWindows, &record, "@timestamp", &options), ["2024-05-01T10:00:04.000Z"]);
}

#[test]
fn a_row_is_chosen_by_provider_then_guid_then_channel() {
    let options = DecodeOptions::default();
    for (record, expected) in [
        (json!({"SourceName": "MICROSOFT-windows-sysmon", "EventID": 1}), &["start"][..]),
        (json!({"SourceName": "Microsoft-Windows-Sysmon", "EventID": "1"}), &["start"]),
        (
            json!({"SourceName": "?", "ProviderGuid": "{5770385F-C22A-43E0-BF4C-06F5698FFBD9}", "EventID": 5}),
            &["end"],
        ),
        (json!({"Channel": "microsoft-windows-sysmon/operational", "EventID": 5}), &["end"]),
        // Another provider writes to the same channel: its event 5 is not Sysmon's.
        (
            json!({"SourceName": "Other", "Channel": "Microsoft-Windows-Sysmon/Operational", "EventID": 5}),
            &[],
        ),
        (json!({"SourceName": "Microsoft-Windows-Sysmon", "EventID": 999}), &[]),
        (json!({"SourceName": "Microsoft-Windows-Sysmon"}), &[]),
        (json!({"SourceName": 7, "EventID": []}), &[]),
        (json!({}), &[]),
    ] {
        assert_eq!(field(Layout::FlatWindows, &record, "event.type", &options), expected, "{record}");
    }
}

#[test]
fn event_data_of_unmapped_events_is_reachable_and_the_recorders_keys_are_not_event_data() {
    let options = DecodeOptions::default();
    let flat = json!({"SourceName": "Other", "EventID": 7, "Channel": "System", "EventType": "INFO", "Answer": 42, "Blank": "-"});
    for (path, expected) in [
        ("winlog.event_data.Answer", &["42"][..]),
        ("winlog.event_data.Blank", &[]),
        ("winlog.event_data.Channel", &[]),
        ("winlog.event_data.EventType", &[]),
        ("event.dataset", &["system.system"]),
        ("event.code", &["7"]),
    ] {
        assert_eq!(field(Layout::FlatWindows, &flat, path, &options), expected, "{path}");
    }
    assert_eq!(document(Layout::FlatWindows, &flat)["winlog"]["event_data"], json!({"Answer": "42"}));
    let kept = json!({"SourceName": "Microsoft-Windows-Sysmon", "EventID": 12, "EventType": "CreateKey"});
    assert_eq!(field(Layout::FlatWindows, &kept, "winlog.event_data.EventType", &options), ["CreateKey"]);
}

#[test]
fn unnamed_data_are_numbered() {
    let options = DecodeOptions::default();
    let list = json!({"Event": {"System": {"EventID": 9}, "EventData": {"Data": {"#text": ["a", "", "c"]}}}});
    let single = json!({"Event": {"System": {"EventID": 9}, "EventData": {"Data": {"#text": "only"}, "Binary": "00"}}});
    for (record, path, expected) in [
        (&list, "winlog.event_data.param1", &["a"][..]),
        (&list, "winlog.event_data.param2", &[]),
        (&list, "winlog.event_data.param3", &["c"]),
        (&list, "winlog.event_data.param4", &[]),
        (&list, "winlog.event_data.param0", &[]),
        (&single, "winlog.event_data.param1", &["only"]),
    ] {
        assert_eq!(field(Layout::Evtx, record, path, &options), expected, "{path}");
    }
    assert_eq!(document(Layout::Evtx, &list)["winlog"]["event_data"], json!({"param1": "a", "param3": "c"}));
    assert_eq!(
        document(Layout::Evtx, &single)["winlog"]["event_data"],
        json!({"param1": "only", "Binary": "00"})
    );
}

#[test]
fn user_data_is_found_without_the_element_around_it() {
    let options = DecodeOptions::default();
    let evtx = json!({"Event": {"System": {"EventID": 1102}, "UserData": {
        "LogFileCleared_attributes": {"xmlns": "x"},
        "LogFileCleared": {"SubjectUserName": "ann", "BackupPath": null, "Count": 3},
    }}});
    let beat =
        json!({"event_id": 1102, "user_data": {"SubjectUserName": "ann", "xml_name": "LogFileCleared"}});
    for (layout, record) in [(Layout::Evtx, &evtx), (Layout::Winlogbeat6, &beat)] {
        assert_eq!(field(layout, record, "winlog.user_data.SubjectUserName", &options), ["ann"]);
        assert_eq!(document(layout, record)["winlog"]["user_data"]["SubjectUserName"], "ann");
        assert_eq!(document(layout, record)["winlog"]["user_data"]["xml_name"], "LogFileCleared");
    }
    assert_eq!(field(Layout::Evtx, &evtx, "winlog.user_data.Count", &options), ["3"]);
}

#[test]
fn an_ecs_record_is_its_own_document() {
    let record = json!({"process.name": "a", "event": {"category": "process"}, "unknown": [1, {"x": null}]});
    assert_eq!(document(Layout::Ecs, &record), record);
    assert_eq!(field(Layout::Ecs, &record, "process.name", &DecodeOptions::default()), ["a"]);
}

#[test]
fn objects_are_kept_where_subtrees_are_asked_for() {
    let mut fields = FieldSet::default();
    let (list, name) = (fields.intern("list"), fields.intern("list.name"));
    let decoder =
        Decoder::with_subtrees(Layout::Ecs, &fields, &|slot| slot == list, &DecodeOptions::default());
    let (mut state, context) = (EventState::default(), Context::new());
    let mut event = decoder.decode(r#"{"list":[{"name":"a"},{"name":"b"}]}"#, &mut state, &context).unwrap();
    event.prepare(list);
    assert_eq!(event.prepared(list).objects().collect::<Vec<_>>(), [r#"{"name":"a"}"#, r#"{"name":"b"}"#]);
    assert_eq!(event.values(name).iter().filter_map(Datum::as_text).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn errors_say_where() {
    let context = Context::new();
    let mut fields = FieldSet::default();
    fields.intern("process.name");
    for (record, offset) in [("", 0), ("[]", 0), (r#"{"EventID":1"#, 12), (r#"{"EventID":1} x"#, 14)] {
        for (layout, _) in LAYOUTS.iter().chain(&[(Layout::Ecs, "ecs")]) {
            let decoder = Decoder::new(*layout, &fields, &DecodeOptions::default());
            let mut state = EventState::default();
            let error = decoder.decode(record, &mut state, &context).err().expect(record);
            assert_eq!(error.offset, offset, "{record} {layout:?}: {error}");
            let document =
                DocumentDecoder::new(*layout, &DecodeOptions::default()).document(record, &context);
            assert!(document.is_err(), "{record}");
        }
    }
}

/// A state that has read one event says nothing of it about the next.
#[test]
fn a_reused_state_forgets() {
    let mut fields = FieldSet::default();
    let (args, category) = (fields.intern("process.args"), fields.intern("event.category"));
    let decoder = Decoder::new(Layout::FlatWindows, &fields, &DecodeOptions::default());
    let (mut state, context) = (EventState::default(), Context::new());
    let first = json!({"SourceName": "Microsoft-Windows-Sysmon", "EventID": 1, "CommandLine": "a \"b c\""})
        .to_string();
    let second = json!({"SourceName": "Other", "EventID": 1, "CommandLine": "a"}).to_string();
    for (record, expected) in [(&first, 2), (&second, 0), (&first, 2)] {
        let mut event = decoder.decode(record, &mut state, &context).unwrap();
        assert_eq!(event.values(args).iter().count(), expected);
        assert_eq!(event.values(category).is_empty(), expected == 0);
    }
}

/// A list made of several sources keeps every value once and has an end.
#[test]
fn united_lists_are_distinct_and_bounded() {
    let record = |answers: &str| json!({"SourceName": "Microsoft-Windows-Sysmon", "EventID": 3, "SourceIp": answers, "DestinationIp": "10.0.0.1"});
    let options = DecodeOptions::default();
    assert_eq!(field(Layout::FlatWindows, &record("10.0.0.1"), "related.ip", &options), ["10.0.0.1"]);
    assert_eq!(field(Layout::FlatWindows, &record("::ffff:10.0.0.1"), "related.ip", &options), ["10.0.0.1"]);
    let hashes: String = (1..2000).map(|n| format!("SHA1={n:040x},")).collect();
    let many = json!({"SourceName": "Microsoft-Windows-Sysmon", "EventID": 1, "Hashes": hashes});
    assert_eq!(field(Layout::FlatWindows, &many, "related.hash", &options).len(), 256);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~\\r\\né]{0,12}".prop_map(Value::from),
        r#"(0x|%%|"|\\|=|\(|;|: |, |type:|-){0,8}"#.prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-zA-Z#.]{0,6}", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever stands in a record's fields, it decodes, and the fields of a scan are those of the document.
    #[test]
    fn strange_values_decode(
        which in 0..11_usize,
        layout in 0..3_usize,
        strange in prop::collection::vec((any::<prop::sample::Index>(), any_json()), 1..6),
    ) {
        let samples = samples();
        let (layout, _) = LAYOUTS[layout];
        let mut record = render(&samples[which], layout);
        let data = match layout {
            Layout::Evtx => &mut record["Event"]["EventData"],
            Layout::Winlogbeat6 => &mut record["event_data"],
            _ => &mut record,
        };
        let data = data.as_object_mut().unwrap();
        let names: Vec<String> = data.keys().cloned().collect();
        for (index, value) in strange {
            data.insert(index.get(&names).clone(), value);
        }
        let document = document(layout, &record);
        let mut expected = Vec::new();
        leaves("", &document, &mut expected);
        // Event data with dots, lists or objects in them have other paths in documents than they came with.
        expected.retain(|(path, _)| !path.starts_with("winlog."));
        for (path, value) in expected {
            if let Value::String(text) = &value {
                let lazy = field(layout, &record, &path, &DecodeOptions::default());
                prop_assert!(lazy.contains(text), "{path}: {text:?} not in {lazy:?}");
            }
        }
    }
}
