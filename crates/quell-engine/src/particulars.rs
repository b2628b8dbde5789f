//! What a detection of a rule that counts or remembers says beside its events.

use crate::alert::iso_time;
use crate::join_key::{self, as_json};
use quell_ir::Value;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use std::sync::Arc;

/// It goes by the rule's type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Particulars {
    /// What a threshold rule counted.
    Threshold(ThresholdResult),
    /// The values of a new terms rule that were not seen before, in the order of its fields.
    NewTerms(Vec<Value>),
    /// The indicators that an event matches.
    Enrichments(Vec<Enrichment>),
}

/// That a value of an event is one of an indicator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Enrichment {
    /// The value.
    pub atomic: Value,
    /// The event's field.
    pub field: Arc<str>,
    /// The indicator's id.
    pub id: Arc<str>,
    /// The index that the indicator is kept in, or the file.
    pub index: Arc<str>,
    /// The name of its feed.
    pub feed: Option<Arc<str>>,
    /// What is known of it, as JSON.
    pub indicator: Arc<str>,
}

impl Enrichment {
    /// An entry of `threat.enrichments`. Source: ECS, "Threat fields".
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let indicator: serde_json::Value =
            serde_json::from_str(&self.indicator).unwrap_or_else(|_| json!({}));
        let feed = self.feed.as_ref().map_or_else(|| json!({}), |name| json!({ "name": &**name }));
        json!({
            "indicator": indicator,
            "feed": feed,
            "matched": {
                "atomic": as_json(&self.atomic),
                "field": &*self.field,
                "id": &*self.id,
                "index": &*self.index,
                "type": "indicator_match_rule",
            },
        })
    }
}

/// What a threshold rule counted, up to the event that reached the threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThresholdResult {
    /// The fields of the group, with its values.
    pub terms: Vec<(Arc<str>, Value)>,
    /// How many distinct values fields had, of which that was asked.
    pub cardinality: Vec<(Arc<str>, u64)>,
    /// How many events the window holds; a detection keeps the newest of them.
    pub count: u64,
    /// The time of the oldest of them, in nanoseconds since 1970.
    pub from: i64,
}

impl Particulars {
    /// The fields that it has in an alert document below `kibana.alert`; enrichments stand elsewhere. Source: Elastic Security's "Detection alert
    /// schema".
    #[must_use]
    pub fn to_json(&self) -> Map<String, serde_json::Value> {
        let mut fields = Map::new();
        match self {
            Particulars::Threshold(result) => {
                fields.insert("threshold_result".into(), result.to_json());
            }
            Particulars::NewTerms(terms) => {
                fields.insert("new_terms".into(), terms.iter().map(as_json).collect());
            }
            Particulars::Enrichments(_) => {}
        }
        fields
    }

    /// About how many bytes it holds.
    pub(crate) fn bytes(&self) -> usize {
        let values = match self {
            Particulars::Threshold(result) => {
                result.terms.iter().map(|(_, value)| join_key::bytes(std::slice::from_ref(value))).sum()
            }
            Particulars::NewTerms(terms) => join_key::bytes(terms),
            Particulars::Enrichments(enrichments) => size_of_val(enrichments.as_slice()),
        };
        size_of::<Particulars>() + values
    }
}

impl ThresholdResult {
    fn to_json(&self) -> serde_json::Value {
        let terms =
            self.terms.iter().map(|(field, value)| json!({ "field": &**field, "value": as_json(value) }));
        let mut fields = Map::new();
        fields.insert("terms".into(), terms.collect());
        if !self.cardinality.is_empty() {
            let all =
                self.cardinality.iter().map(|(field, value)| json!({ "field": &**field, "value": value }));
            fields.insert("cardinality".into(), all.collect());
        }
        fields.insert("count".into(), self.count.into());
        if let Some(from) = iso_time(self.from) {
            fields.insert("from".into(), from.into());
        }
        fields.into()
    }
}
