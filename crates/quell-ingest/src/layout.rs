//! Layouts: the shapes in which recorders write one and the same event.
//!
//! A layout is a table: where in a record each part of a Windows event's envelope stands, and where its event data. The
//! mappings name envelope parts as the Windows event schema does (`System.Computer`); only this file knows JSON paths.

/// The shape of a JSON record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Layout {
    /// An ECS document: nested, dotted or mixed.
    Ecs,
    /// A Windows event as the EVTX decoder writes it: `Event.System.*`, `Event.EventData.*`.
    Evtx,
    /// A flat Windows event of NXLog or Logstash: `Channel`, `EventID`, event data beside them.
    FlatWindows,
    /// Winlogbeat 6: `log_name`, `event_id`, event data under `event_data`.
    Winlogbeat6,
}

impl Layout {
    /// Every layout.
    pub const ALL: [Layout; 4] = [Layout::Ecs, Layout::Evtx, Layout::FlatWindows, Layout::Winlogbeat6];
}

impl Layout {
    /// The layout's table; an ECS document has none, its paths are its fields.
    pub(crate) fn envelope(self) -> Option<&'static Envelope> {
        match self {
            Layout::Ecs => None,
            Layout::Evtx => Some(&EVTX),
            Layout::FlatWindows => Some(&FLAT_WINDOWS),
            Layout::Winlogbeat6 => Some(&WINLOGBEAT_6),
        }
    }
}

/// The parts of an envelope that a mapping may name. What stands behind `System` is the Windows event schema's name;
/// `Rendered` is text that the recorder looked up (names of levels, tasks, accounts); `Recorder` is its own.
pub(crate) const ENVELOPE_PARTS: &[&str] = &[
    "System.Provider.Name",
    "System.Provider.Guid",
    "System.EventID",
    "System.Version",
    "System.Level",
    "System.Task",
    "System.Opcode",
    "System.Keywords",
    "System.TimeCreated",
    "System.EventRecordID",
    "System.ActivityID",
    "System.RelatedActivityID",
    "System.ProcessID",
    "System.ThreadID",
    "System.Channel",
    "System.Computer",
    "System.UserID",
    "Rendered.Message",
    "Rendered.Level",
    "Rendered.Task",
    "Rendered.Opcode",
    "Rendered.Keywords",
    "Rendered.UserName",
    "Rendered.UserDomain",
    "Rendered.UserType",
    "Recorder.EventTime",
    "Recorder.Timestamp",
    "Recorder.Tags",
];

/// Where a layout keeps a Windows event.
pub(crate) struct Envelope {
    /// JSON paths of each part, best first. What is not listed, the layout does not have.
    parts: &'static [(&'static str, &'static [&'static str])],
    /// What stands before the name of an event data field.
    data: &'static str,
    /// The list of unnamed event data, which Elastic calls `param1`, `param2` and so on.
    pub(crate) unnamed_data: Option<&'static str>,
    /// The path of user data, and whether one element of unknown name stands around its fields.
    pub(crate) user_data: Option<(&'static str, bool)>,
    /// Keys beside the event data that are not event data; they matter where `data` is empty.
    recorder_keys: &'static [&'static str],
    /// Names that may be event data or the recorder's own word, and the recorder's words.
    pub(crate) ambiguous: &'static [(&'static str, &'static [&'static str])],
}

impl Envelope {
    /// The JSON paths of a part, best first.
    pub(crate) fn part(&self, name: &str) -> &'static [&'static str] {
        self.parts.iter().find(|(part, _)| *part == name).map_or(&[], |(_, paths)| *paths)
    }

    /// The JSON path of an event data field, or `None` where that key is the recorder's own.
    pub(crate) fn data_path(&self, name: &str) -> Option<String> {
        (!self.is_recorder_key(name)).then(|| format!("{}{name}", self.data))
    }

    /// Whether the key is part of the envelope, not event data.
    pub(crate) fn is_recorder_key(&self, name: &str) -> bool {
        self.recorder_keys.contains(&name)
    }

    /// The path of the object that holds the event data; empty for the record itself.
    pub(crate) fn data_object(&self) -> &'static str {
        self.data.trim_end_matches('.')
    }
}

/// The `evtx` crate's JSON with attributes beside their elements.
static EVTX: Envelope = Envelope {
    parts: &[
        ("System.Provider.Name", &["Event.System.Provider_attributes.Name"]),
        ("System.Provider.Guid", &["Event.System.Provider_attributes.Guid"]),
        ("System.EventID", &["Event.System.EventID"]),
        ("System.Version", &["Event.System.Version"]),
        ("System.Level", &["Event.System.Level"]),
        ("System.Task", &["Event.System.Task"]),
        ("System.Opcode", &["Event.System.Opcode"]),
        ("System.Keywords", &["Event.System.Keywords"]),
        ("System.TimeCreated", &["Event.System.TimeCreated_attributes.SystemTime"]),
        ("System.EventRecordID", &["Event.System.EventRecordID"]),
        ("System.ActivityID", &["Event.System.Correlation_attributes.ActivityID"]),
        ("System.RelatedActivityID", &["Event.System.Correlation_attributes.RelatedActivityID"]),
        ("System.ProcessID", &["Event.System.Execution_attributes.ProcessID"]),
        ("System.ThreadID", &["Event.System.Execution_attributes.ThreadID"]),
        ("System.Channel", &["Event.System.Channel"]),
        ("System.Computer", &["Event.System.Computer"]),
        ("System.UserID", &["Event.System.Security_attributes.UserID"]),
        ("Rendered.Message", &["Event.RenderingInfo.Message"]),
        ("Rendered.Level", &["Event.RenderingInfo.Level"]),
        ("Rendered.Task", &["Event.RenderingInfo.Task"]),
        ("Rendered.Opcode", &["Event.RenderingInfo.Opcode"]),
        ("Rendered.Keywords", &["Event.RenderingInfo.Keywords.Keyword"]),
    ],
    data: "Event.EventData.",
    unnamed_data: Some("Event.EventData.Data.#text"),
    user_data: Some(("Event.UserData", true)),
    recorder_keys: &["Data"],
    ambiguous: &[],
};

/// NXLog's `im_msvistalog` fields, and the flat form that others write with the event schema's names.
static FLAT_WINDOWS: Envelope = Envelope {
    parts: &[
        ("System.Provider.Name", &["SourceName"]),
        ("System.Provider.Guid", &["ProviderGuid"]),
        ("System.EventID", &["EventID"]),
        ("System.Version", &["Version"]),
        ("System.Level", &["Level"]),
        ("System.Task", &["Task"]),
        ("System.Opcode", &["OpcodeValue"]),
        ("System.Keywords", &["Keywords"]),
        ("System.TimeCreated", &["TimeCreated"]),
        ("System.EventRecordID", &["RecordNumber", "EventRecordID"]),
        ("System.ActivityID", &["ActivityID"]),
        ("System.RelatedActivityID", &["RelatedActivityID"]),
        ("System.ProcessID", &["ExecutionProcessID"]),
        ("System.ThreadID", &["ThreadID"]),
        ("System.Channel", &["Channel"]),
        ("System.Computer", &["Hostname", "Computer"]),
        ("System.UserID", &["UserID"]),
        ("Rendered.Message", &["Message"]),
        ("Rendered.Level", &["Severity"]),
        ("Rendered.Task", &["Category"]),
        ("Rendered.Opcode", &["Opcode"]),
        ("Rendered.Keywords", &["EventTypeOrignal", "EventType"]),
        ("Rendered.UserName", &["AccountName"]),
        ("Rendered.UserDomain", &["Domain"]),
        ("Rendered.UserType", &["AccountType"]),
        ("Recorder.EventTime", &["EventTime"]),
        ("Recorder.Timestamp", &["@timestamp"]),
        ("Recorder.Tags", &["tags"]),
    ],
    data: "",
    unnamed_data: None,
    user_data: None,
    recorder_keys: &[
        "@timestamp",
        "@version",
        "AccountName",
        "AccountType",
        "ActivityID",
        "Category",
        "Channel",
        "Computer",
        "Domain",
        "ERROR_EVT_UNRESOLVED",
        "EventID",
        "EventReceivedTime",
        "EventRecordID",
        "EventTime",
        "EventTypeOrignal", // so spelt by the pipeline that makes room for an event's own `EventType`
        "ExecutionProcessID",
        "Hostname",
        "Keywords",
        "Level",
        "Message",
        "Opcode",
        "OpcodeValue",
        "ProviderGuid",
        "RecordNumber",
        "RelatedActivityID",
        "Severity",
        "SeverityValue",
        "SourceModuleName",
        "SourceModuleType",
        "SourceName",
        "Task",
        "ThreadID",
        "TimeCreated",
        "UserID",
        "Version",
        "host",
        "port",
        "tags",
    ],
    ambiguous: &[(
        "EventType",
        &["INFO", "WARNING", "ERROR", "CRITICAL", "VERBOSE", "DEBUG", "AUDIT_SUCCESS", "AUDIT_FAILURE"],
    )],
};

/// Winlogbeat's documents before they were ECS.
static WINLOGBEAT_6: Envelope = Envelope {
    parts: &[
        ("System.Provider.Name", &["source_name"]),
        ("System.Provider.Guid", &["provider_guid"]),
        ("System.EventID", &["event_id"]),
        ("System.Version", &["version"]),
        ("System.TimeCreated", &["@timestamp"]),
        ("System.EventRecordID", &["record_number"]),
        ("System.ActivityID", &["activity_id"]),
        ("System.RelatedActivityID", &["related_activity_id"]),
        ("System.ProcessID", &["process_id"]),
        ("System.ThreadID", &["thread_id"]),
        ("System.Channel", &["log_name"]),
        ("System.Computer", &["computer_name"]),
        ("System.UserID", &["user.identifier"]),
        ("Rendered.Message", &["message"]),
        ("Rendered.Level", &["level"]),
        ("Rendered.Task", &["task"]),
        ("Rendered.Opcode", &["opcode"]),
        ("Rendered.Keywords", &["keywords"]),
        ("Rendered.UserName", &["user.name"]),
        ("Rendered.UserDomain", &["user.domain"]),
        ("Rendered.UserType", &["user.type"]),
        ("Recorder.Tags", &["tags"]),
    ],
    data: "event_data.",
    unnamed_data: None,
    user_data: Some(("user_data", false)),
    recorder_keys: &[],
    ambiguous: &[],
};

#[cfg(test)]
mod tests {
    use super::{ENVELOPE_PARTS, Layout};

    const WINDOWS: [Layout; 3] = [Layout::Evtx, Layout::FlatWindows, Layout::Winlogbeat6];

    #[test]
    fn tables_name_known_parts_alone_and_all_have_what_chooses_a_row() {
        for layout in WINDOWS {
            let envelope = layout.envelope().unwrap();
            for (part, paths) in envelope.parts {
                assert!(ENVELOPE_PARTS.contains(part), "{layout:?} {part}");
                assert!(!paths.is_empty(), "{layout:?} {part}");
            }
            for part in ["System.Provider.Name", "System.Provider.Guid", "System.Channel", "System.EventID"] {
                assert!(!envelope.part(part).is_empty(), "{layout:?} {part}");
            }
        }
    }

    #[test]
    fn in_a_flat_record_the_envelope_is_no_event_data() {
        let envelope = Layout::FlatWindows.envelope().unwrap();
        for (part, paths) in envelope.parts {
            for path in *paths {
                let shared = envelope.ambiguous.iter().any(|(name, _)| name == path);
                assert_eq!(envelope.data_path(path).is_none(), !shared, "{part} {path}");
            }
        }
        assert_eq!(envelope.data_path("CommandLine").as_deref(), Some("CommandLine"));
    }
}
