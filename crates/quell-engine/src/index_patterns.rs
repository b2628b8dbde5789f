//! A rule's index patterns against the index names of an event.
//!
//! Source: Elasticsearch, "Multi-target syntax", and "Search across clusters". An event's names are those of
//! [`quell_event::index_names`]; one without any matches every pattern and is counted. What a combination of names
//! matches is worked out once and kept.

use quell_event::{Event, EventIndex, FieldSet, Slot, index_names};
use quell_ir::pattern::Wildcard;
use quell_ir::{Case, Datum};
use rustc_hash::FxHashMap;

/// How many combinations of names are kept. Data that makes up more of them is answered anew.
const MOST_KEPT: usize = 4096;

/// The number of a list of patterns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PatternListId(u32);

/// The lists of patterns of all rules.
#[derive(Debug, Default)]
pub(crate) struct IndexPatterns {
    lists: Vec<Vec<IndexPattern>>,
    by_text: FxHashMap<Vec<String>, PatternListId>,
    slots: Option<NameSlots>,
}

/// One pattern: `logs-*`, `-logs-a-*`, `cluster:logs-*`.
#[derive(Debug)]
struct IndexPattern {
    excludes: bool,
    cluster: Option<Wildcard>,
    name: Wildcard,
}

/// The fields that tell an event's index names.
#[derive(Clone, Copy, Debug)]
struct NameSlots {
    index: Slot,
    stream_type: Slot,
    stream_dataset: Slot,
    stream_namespace: Slot,
    event_dataset: Slot,
    agent_type: Slot,
}

impl IndexPatterns {
    /// The number of a rule's list. The fields that tell names are wanted from the first list on.
    pub(crate) fn intern(&mut self, patterns: &[String], fields: &mut FieldSet) -> PatternListId {
        self.slots.get_or_insert_with(|| NameSlots {
            index: fields.intern("_index"),
            stream_type: fields.intern("data_stream.type"),
            stream_dataset: fields.intern("data_stream.dataset"),
            stream_namespace: fields.intern("data_stream.namespace"),
            event_dataset: fields.intern("event.dataset"),
            agent_type: fields.intern("agent.type"),
        });
        if let Some(id) = self.by_text.get(patterns) {
            return *id;
        }
        // There are no more lists than rules, and a rule's number has 32 bits.
        let id = PatternListId(u32::try_from(self.lists.len()).unwrap_or(u32::MAX));
        let split = patterns.iter().flat_map(|pattern| pattern.split(','));
        self.lists.push(split.map(|pattern| IndexPattern::parse(pattern.trim())).collect());
        self.by_text.insert(patterns.to_vec(), id);
        id
    }

    /// Whether an event has none of the fields that its index names are made of; false where no rule has patterns.
    pub(crate) fn is_nameless(&self, event: &mut Event<'_>) -> bool {
        let Some(slots) = &self.slots else { return false };
        [slots.index, slots.stream_dataset, slots.event_dataset]
            .iter()
            .all(|slot| event.values(*slot).is_empty())
            && beat(event.values(slots.agent_type).first()).is_none()
    }

    /// Whether a list matches an event with these names: the last pattern that covers a name decides, and one name is
    /// enough.
    fn matches(&self, list: PatternListId, names: &[String]) -> bool {
        let patterns = self.lists.get(list.0 as usize).map_or(&[][..], Vec::as_slice);
        names.is_empty()
            || names.iter().any(|name| {
                let last = patterns.iter().rev().find(|pattern| pattern.covers(name));
                last.is_some_and(|pattern| !pattern.excludes)
            })
    }
}

impl IndexPattern {
    fn parse(text: &str) -> IndexPattern {
        let (excludes, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (cluster, name) = match text.split_once(':') {
            Some((cluster, name)) => (Some(Wildcard::parse(cluster)), name),
            None => (None, text),
        };
        let cluster_excludes = cluster.is_some() && name.starts_with('-');
        let name = name.strip_prefix('-').filter(|_| cluster_excludes).unwrap_or(name);
        IndexPattern { excludes: excludes || cluster_excludes, cluster, name: Wildcard::parse(name) }
    }

    /// A name that says its cluster is covered by patterns of that cluster alone; one that does not may be from any.
    fn covers(&self, name: &str) -> bool {
        match (name.split_once(':'), &self.cluster) {
            (Some((cluster, name)), Some(pattern)) => {
                pattern.matches(cluster, Case::Sensitive) && self.name.matches(name, Case::Sensitive)
            }
            (Some(_), None) => false,
            (None, _) => self.name.matches(name, Case::Sensitive),
        }
    }
}

/// The Beat that an agent is, if it is one.
fn beat(agent_type: Datum<'_>) -> Option<&str> {
    agent_type.as_text().filter(|name| name.ends_with("beat"))
}

/// What each combination of names was found to match.
#[derive(Debug, Default)]
pub(crate) struct IndexCache {
    answers: FxHashMap<Box<str>, Box<[bool]>>,
    key: String,
    names: Vec<String>,
}

impl IndexCache {
    /// Whether a rule with this list looks at the event.
    pub(crate) fn matches(
        &mut self,
        patterns: &IndexPatterns,
        list: PatternListId,
        event: &mut Event<'_>,
    ) -> bool {
        let Some(slots) = &patterns.slots else { return true };
        let all = [
            slots.index,
            slots.stream_type,
            slots.stream_dataset,
            slots.stream_namespace,
            slots.event_dataset,
            slots.agent_type,
        ];
        for slot in all {
            event.prepare(slot);
        }
        self.key.clear();
        for slot in all {
            self.key.push_str(event.prepared(slot).first().as_text().unwrap_or(""));
            self.key.push('\0'); // no index name holds it
        }
        let at = list.0 as usize;
        if let Some(answer) = self.answers.get(self.key.as_str()) {
            return answer.get(at).copied().unwrap_or(false);
        }
        let text = |slot| event.prepared(slot).first().as_text();
        let stream_dataset = text(slots.stream_dataset);
        self.names.clear();
        index_names(
            &EventIndex {
                index: text(slots.index),
                stream_type: text(slots.stream_type),
                stream_dataset,
                stream_namespace: text(slots.stream_namespace),
                event_dataset: text(slots.event_dataset),
                // Within a data stream the agent is a Beat by name only.
                beat: beat(event.prepared(slots.agent_type).first()).filter(|_| stream_dataset.is_none()),
            },
            &mut self.names,
        );
        let ids = (0..).map(PatternListId).take(patterns.lists.len());
        let answer: Box<[bool]> = ids.map(|id| patterns.matches(id, &self.names)).collect();
        let matches = answer.get(at).copied().unwrap_or(false);
        if self.answers.len() >= MOST_KEPT {
            self.answers.clear();
        }
        self.answers.insert(self.key.as_str().into(), answer);
        matches
    }
}

#[cfg(test)]
mod tests {
    use super::{IndexPatterns, PatternListId};
    use quell_event::FieldSet;

    fn matches(patterns: &[&str], names: &[&str]) -> bool {
        let mut all = IndexPatterns::default();
        let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let id = all.intern(&patterns, &mut FieldSet::default());
        all.matches(id, &names)
    }

    #[test]
    fn patterns_include_exclude_and_name_clusters() {
        let cases: &[(&[&str], &[&str], bool)] = &[
            (&["logs-*"], &["logs-a-default"], true),
            (&["logs-a*"], &["logs-b-default"], false),
            (&["logs-b-*", "winlogbeat-*"], &["logs-a-default", "winlogbeat-"], true),
            (&["logs-*", "-logs-a-*"], &["logs-a-default"], false),
            (&["logs-*", "-logs-a-*"], &["logs-b-default"], true),
            (&["logs-*", "-logs-a-*", "logs-a-default"], &["logs-a-default"], true),
            (&["-logs-a-*"], &["logs-b-default"], false),
            (&["*:logs-*"], &["logs-a-default"], true),
            (&["*:logs-*"], &["eu:logs-a-default"], true),
            (&["us:logs-*"], &["eu:logs-a-default"], false),
            (&["logs-*"], &["eu:logs-a-default"], false),
            (&["logs-*", "-*:logs-a-*"], &["logs-a-default"], false),
            (&["*:logs-*", "*:-logs-a-*"], &["eu:logs-a-default"], false),
            (&["logs-b-*,logs-a-*"], &["logs-a-default"], true),
            (&["logs-a"], &["logs-a-default"], false),
            (&[], &["logs-a-default"], false),
            (&["logs-b-*"], &[], true),
        ];
        for (patterns, names, expected) in cases {
            assert_eq!(matches(patterns, names), *expected, "{patterns:?} {names:?}");
        }
    }

    #[test]
    fn equal_lists_are_one() {
        let mut all = IndexPatterns::default();
        let mut fields = FieldSet::default();
        let list = |text: &str| vec![text.to_owned()];
        assert_eq!(all.intern(&list("a"), &mut fields), PatternListId(0));
        assert_eq!(all.intern(&list("b"), &mut fields), PatternListId(1));
        assert_eq!(all.intern(&list("a"), &mut fields), PatternListId(0));
        assert_eq!(fields.len(), 6);
    }
}
