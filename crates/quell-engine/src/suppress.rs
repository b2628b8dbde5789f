//! Suppression: of alerts of a rule that agree in some fields, the first is given, and it counts the others.
//!
//! Source: Elastic Security's "Suppress detection alerts". An alert is suppressed that comes within the rule's duration, counted
//! from the first alert with its values, by the alerts' own times; without a duration that is one `interval` of the rule. What
//! has no value for a field has a group of its own, or is not suppressed at all, as the rule says. Of a sequence a field counts
//! whose values all of its events share.
//!
//! Where input ends, the first alert waits until its time has passed, so that it is complete when it is given. A stream gives it
//! at once, and only the summary counts what followed.

use crate::alert::{Alert, HeldBy};
use crate::compile::Engine;
use crate::saved::RuleKey;
use quell_ir::Value;
use quell_rules::Rule;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most first alerts that are remembered; of more, those whose time ends first are let go, and counted.
const MOST_OPEN: usize = 100_000;
/// The bytes that first alerts which wait may take, about.
const MOST_BYTES: usize = 256 << 20;

/// What a first alert says of those that it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// The fields by which alerts are suppressed, and the values.
    pub terms: Vec<(String, Vec<Value>)>,
    /// The time of the first alert, in nanoseconds since 1970.
    pub start: i64,
    /// The time of the last.
    pub end: i64,
    /// How many were suppressed.
    pub count: u64,
}

/// How a rule suppresses.
#[derive(Debug)]
struct Plan {
    fields: Vec<String>,
    /// Nanoseconds.
    duration: i64,
    /// Whether what lacks a field is given always.
    needs_all: bool,
}

/// The values of a group; an empty list where there are none.
type Group = Box<[Vec<Value>]>;

/// Takes alerts in order and gives those that are not suppressed.
pub struct Suppressor<'e> {
    engine: &'e Engine,
    plans: Vec<Option<Arc<Plan>>>,
    /// Whether first alerts wait until they are complete.
    waits: bool,
    open: FxHashMap<(u32, Group), Open>,
    /// Whose time ends when.
    ends: BTreeMap<(i64, u64), (u32, Group)>,
    came: u64,
    bytes: usize,
    counts: SuppressionCounts,
}

/// What was suppressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SuppressionCounts {
    /// Alerts that were suppressed.
    pub suppressed: u64,
    /// First alerts that were let go before their time, because there were too many: later ones were not suppressed.
    pub let_go: u64,
}

#[derive(Debug)]
struct Open {
    place: (i64, u64),
    id: String,
    start: i64,
    end: i64,
    count: u64,
    /// The first alert, if it waits.
    alert: Option<Alert>,
}

/// A first alert as saved states hold it.
#[derive(Serialize, Deserialize)]
struct SavedOpen {
    rule: RuleKey,
    group: Group,
    id: String,
    start: i64,
    end: i64,
    count: u64,
}

impl Plan {
    fn of(rule: &Rule) -> Option<Plan> {
        let own = rule.fields.get("alert_suppression")?;
        let fields = own.get("group_by").and_then(|fields| fields.as_array());
        let fields = fields.into_iter().flatten().filter_map(|field| field.as_str()).map(str::to_owned);
        let seconds = own.get("duration").and_then(duration).unwrap_or_else(|| interval(rule));
        let strategy = own.get("missing_fields_strategy").and_then(|word| word.as_str());
        Some(Plan {
            fields: fields.collect(),
            duration: i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000_000),
            needs_all: strategy == Some("doNotSuppress"),
        })
    }

    /// The group of an alert; none if it is given whatever came before.
    fn group(&self, alert: &Alert) -> Option<Group> {
        if self.fields.is_empty() {
            return Some(alert.keys.iter().map(|key| vec![key.clone()]).collect());
        }
        let group: Group = (0..self.fields.len()).map(|field| shared(alert, field)).collect();
        let lacks = group.iter().any(Vec::is_empty);
        (!lacks || !self.needs_all).then_some(group)
    }

    fn terms(&self, group: &Group) -> Vec<(String, Vec<Value>)> {
        self.fields.iter().cloned().zip(group.iter().cloned()).collect()
    }
}

/// The seconds of `{ value, unit }`.
fn duration(duration: &serde_json::Value) -> Option<u64> {
    let value = duration.get("value")?.as_u64()?;
    value.checked_mul(unit(duration.get("unit")?.as_str()?)?)
}

/// The seconds from one run of the rule to the next. Source: "Detections API: rule object", `interval`.
fn interval(rule: &Rule) -> u64 {
    const USUAL: u64 = 300;
    let text = rule.fields.get("interval").and_then(|interval| interval.as_str()).unwrap_or("5m");
    let split = text.len().saturating_sub(1);
    let parts = text.get(..split).zip(text.get(split..));
    parts.and_then(|(digits, name)| digits.parse::<u64>().ok()?.checked_mul(unit(name)?)).unwrap_or(USUAL)
}

fn unit(name: &str) -> Option<u64> {
    [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)]
        .into_iter()
        .find(|(known, _)| *known == name)
        .map(|(_, n)| n)
}

/// The values of a field that all events of the alert have; none if they differ.
fn shared(alert: &Alert, field: usize) -> Vec<Value> {
    let mut members = alert.members.iter().flatten().map(|member| member.captures.get(field));
    let Some(Some(first)) = members.next() else { return Vec::new() };
    if members.all(|other| other == Some(first)) { first.clone() } else { Vec::new() }
}

impl<'e> Suppressor<'e> {
    /// Suppresses for the rules of the engine; `waits` says whether first alerts wait until they are complete.
    #[must_use]
    pub fn new(engine: &'e Engine, waits: bool) -> Suppressor<'e> {
        Suppressor {
            engine,
            plans: engine.rules().map(|rule| Plan::of(rule).map(Arc::new)).collect(),
            waits,
            open: FxHashMap::default(),
            ends: BTreeMap::new(),
            came: 0,
            bytes: 0,
            counts: SuppressionCounts::default(),
        }
    }

    /// Takes the next alert, of the rule of that number, and gives what is to be given now: those that are suppressed too,
    /// marked, where `show` says so.
    pub fn push(&mut self, rule: u32, alert: Alert, show: bool, out: &mut dyn FnMut(Alert)) {
        let Some(time) = alert.time else { return out(alert) };
        self.release(time, out);
        let plan = self.plans.get(rule as usize).cloned().flatten();
        let Some((plan, group)) = plan.and_then(|plan| {
            let group = plan.group(&alert)?;
            Some((plan, group))
        }) else {
            return out(alert);
        };
        let key = (rule, group);
        if let Some(first) = self.open.get_mut(&key)
            && time.abs_diff(first.start) <= plan.duration.unsigned_abs()
        {
            (first.start, first.end) = (first.start.min(time), first.end.max(time));
            first.count += 1;
            self.counts.suppressed += 1;
            if show {
                let held_by = Some(HeldBy::Suppression(first.id.clone()));
                out(Alert { held_by, ..alert });
            }
            return;
        }
        if let Some(first) = self.open.remove(&key) {
            self.ends.remove(&first.place);
            self.close(&key, first, out);
        }
        let place = (time.saturating_add(plan.duration), self.came);
        self.came += 1;
        let id = alert.id.clone();
        let alert = if self.waits {
            self.bytes += alert.bytes();
            Some(alert)
        } else {
            let terms = plan.terms(&key.1);
            out(Alert {
                suppression: Some(Suppression { terms, start: time, end: time, count: 0 }),
                ..alert
            });
            None
        };
        self.ends.insert(place, key.clone());
        self.open.insert(key, Open { place, id, start: time, end: time, count: 0, alert });
        while self.open.len() > MOST_OPEN || self.bytes > MOST_BYTES {
            self.counts.let_go += 1;
            self.close_first(out);
        }
    }

    /// Gives the first alerts whose time has passed.
    pub fn release(&mut self, time: i64, out: &mut dyn FnMut(Alert)) {
        while self.ends.first_key_value().is_some_and(|((end, _), _)| *end < time) {
            self.close_first(out);
        }
    }

    /// Gives all that wait, and says what was suppressed.
    pub fn finish(mut self, out: &mut dyn FnMut(Alert)) -> SuppressionCounts {
        while !self.ends.is_empty() {
            self.close_first(out);
        }
        self.counts
    }

    /// What was suppressed until now.
    #[must_use]
    pub fn counts(&self) -> SuppressionCounts {
        self.counts
    }

    fn close_first(&mut self, out: &mut dyn FnMut(Alert)) {
        let Some((_, key)) = self.ends.pop_first() else { return };
        if let Some(first) = self.open.remove(&key) {
            self.close(&key, first, out);
        }
    }

    fn close(&mut self, (rule, group): &(u32, Group), first: Open, out: &mut dyn FnMut(Alert)) {
        let plan = self.plans.get(*rule as usize).cloned().flatten();
        let (Some(plan), Some(alert)) = (plan, first.alert) else { return };
        self.bytes = self.bytes.saturating_sub(alert.bytes());
        let terms = plan.terms(group);
        let Open { start, end, count, .. } = first;
        out(Alert { suppression: Some(Suppression { terms, start, end, count }), ..alert });
    }

    /// All that it holds, for a stream to go on from.
    ///
    /// # Errors
    /// Where it cannot be written as bytes.
    pub fn save(&self) -> Result<Vec<u8>, postcard::Error> {
        let keys = self.engine.keys();
        let saved = self.ends.values().filter_map(|key| {
            let Open { id, start, end, count, .. } = self.open.get(key)?;
            let rule = keys.get(key.0 as usize)?.clone();
            Some(SavedOpen {
                rule,
                group: key.1.clone(),
                id: id.clone(),
                start: *start,
                end: *end,
                count: *count,
            })
        });
        postcard::to_stdvec(&saved.collect::<Vec<_>>())
    }

    /// Goes on from saved bytes; what was held of rules that have changed is dropped.
    ///
    /// # Errors
    /// Where the bytes are no saved state.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), postcard::Error> {
        let saved: Vec<SavedOpen> = postcard::from_bytes(bytes)?;
        let keys = self.engine.keys();
        for SavedOpen { rule, group, id, start, end, count } in saved {
            let number = keys.iter().position(|key| *key == rule).and_then(|n| u32::try_from(n).ok());
            let plan = number.and_then(|n| Some((n, self.plans.get(n as usize)?.as_ref()?)));
            let Some((number, plan)) = plan else { continue };
            let place = (start.saturating_add(plan.duration), self.came);
            self.came += 1;
            self.ends.insert(place, (number, group.clone()));
            self.open.insert((number, group), Open { place, id, start, end, count, alert: None });
        }
        Ok(())
    }
}
