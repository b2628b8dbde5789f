//! The names of the indices in which Elastic would have kept an event, for the index patterns of rules.

/// What an event says of its index. Fields of the same names, `beat` apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct EventIndex<'a> {
    /// `_index`
    pub index: Option<&'a str>,
    /// `data_stream.type`; `logs` where it is missing
    pub stream_type: Option<&'a str>,
    /// `data_stream.dataset`
    pub stream_dataset: Option<&'a str>,
    /// `data_stream.namespace`; `default` where it is missing
    pub stream_namespace: Option<&'a str>,
    /// `event.dataset`
    pub event_dataset: Option<&'a str>,
    /// The Beat that would have shipped the event, where the source tells (`winlogbeat` for mapped Windows events);
    /// else it follows from the dataset.
    pub beat: Option<&'a str>,
}

/// Beats by the beginning of the datasets that they ship.
const BEATS: &[(&str, &str)] = &[
    ("windows.", "winlogbeat"),
    ("winlog.", "winlogbeat"),
    ("system.security", "winlogbeat"),
    ("system.application", "winlogbeat"),
    ("system.system", "winlogbeat"),
    ("sysmon_linux.", "filebeat"),
    ("auditd_manager.", "auditbeat"),
    ("auditd.", "auditbeat"),
    ("file_integrity", "auditbeat"),
    ("system.process", "auditbeat"),
    ("system.socket", "auditbeat"),
    ("system.login", "auditbeat"),
    ("system.user", "auditbeat"),
    ("network_traffic.", "packetbeat"),
    ("system.auth", "filebeat"),
    ("system.syslog", "filebeat"),
];

/// The Beat that ships a dataset, if one is known to.
#[must_use]
pub fn beat_of(dataset: &str) -> Option<&'static str> {
    BEATS.iter().find(|(start, _)| dataset.starts_with(start)).map(|(_, beat)| *beat)
}

/// Adds the names of an event's indices to `names`: its `_index` alone, if it has one; else the data stream's name from
/// `data_stream.*`, or else from `event.dataset`, and an index of the Beat for such events.
///
/// A rule's pattern is tested on each of them: an event for which nothing is added is of unknown origin. The Beat's name
/// is its own with a dash behind it, so that `winlogbeat-*` matches and `winlogbeat-8.1-*` does not.
pub fn index_names(event: &EventIndex<'_>, names: &mut Vec<String>) {
    if let Some(index) = filled(event.index) {
        // A backing index is named for its data stream; patterns are written for the stream.
        if let Some(stream) = index.strip_prefix(".ds-").and_then(without_generation) {
            names.push(stream.to_owned());
        }
        names.push(index.to_owned());
        return;
    }
    let dataset = filled(event.stream_dataset).or(filled(event.event_dataset));
    if let Some(dataset) = dataset {
        let kind = filled(event.stream_type).unwrap_or("logs");
        let namespace = filled(event.stream_namespace).unwrap_or("default");
        names.push(format!("{kind}-{dataset}-{namespace}"));
    }
    if let Some(beat) = filled(event.beat).or(dataset.and_then(beat_of)) {
        names.push(format!("{beat}-"));
    }
}

fn filled(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

/// The stream of `logs-a.b-default-2024.05.01-000003`.
fn without_generation(index: &str) -> Option<&str> {
    let (rest, generation) = index.rsplit_once('-')?;
    let (stream, date) = rest.rsplit_once('-')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    (digits(generation) && digits(date)).then_some(stream)
}

#[cfg(test)]
mod tests {
    use super::{EventIndex, index_names};

    fn names(event: EventIndex<'_>) -> Vec<String> {
        let mut names = Vec::new();
        index_names(&event, &mut names);
        names
    }

    #[test]
    fn an_index_of_its_own_is_the_only_name() {
        let event =
            EventIndex { index: Some("my-logs"), event_dataset: Some("windows.x"), ..Default::default() };
        assert_eq!(names(event), ["my-logs"]);
    }

    #[test]
    fn a_backing_index_has_the_name_of_its_stream_too() {
        let index = Some(".ds-logs-system.security-default-2024.05.01-000003");
        let backing = ".ds-logs-system.security-default-2024.05.01-000003";
        assert_eq!(
            names(EventIndex { index, ..Default::default() }),
            ["logs-system.security-default", backing]
        );
        assert_eq!(names(EventIndex { index: Some(".ds-odd"), ..Default::default() }), [".ds-odd"]);
    }

    #[test]
    fn a_data_stream_comes_before_the_event_dataset() {
        let event = EventIndex {
            stream_type: Some("metrics"),
            stream_dataset: Some("a.b"),
            stream_namespace: Some("prod"),
            event_dataset: Some("c.d"),
            ..Default::default()
        };
        assert_eq!(names(event), ["metrics-a.b-prod"]);
    }

    #[test]
    fn a_dataset_alone_makes_a_stream_and_tells_the_beat() {
        for (dataset, expected) in [
            ("system.security", vec!["logs-system.security-default", "winlogbeat-"]),
            ("windows.sysmon_operational", vec!["logs-windows.sysmon_operational-default", "winlogbeat-"]),
            ("auditd_manager.auditd", vec!["logs-auditd_manager.auditd-default", "auditbeat-"]),
            ("endpoint.events.process", vec!["logs-endpoint.events.process-default"]),
        ] {
            assert_eq!(names(EventIndex { event_dataset: Some(dataset), ..Default::default() }), expected);
        }
    }

    #[test]
    fn an_event_that_says_nothing_has_no_name() {
        assert!(names(EventIndex::default()).is_empty());
        assert!(
            names(EventIndex { index: Some(""), stream_dataset: Some(""), ..Default::default() }).is_empty()
        );
        let beat = EventIndex { beat: Some("winlogbeat"), ..Default::default() };
        assert_eq!(names(beat), ["winlogbeat-"]);
    }
}
