//! Thresholds: so many events of one group within a sliding window.
//!
//! Source: Elastic Security's "Create a threshold rule", and what its executor asks of Elasticsearch: a composite aggregation
//! with a cardinality. It runs at ticks; here each event is looked at as it comes, in the order of events. The window ends with
//! it and is as long as the rule's look-back. The event that brings a group to its threshold is a detection, and the group is
//! quiet until a whole window has passed since then: so no event is in two detections of a group. Distinct values are
//! counted exactly.

use crate::correlate::{Detection, Member};
use crate::hit::Hit;
use crate::join_key::{self, ALLOCATION, Key, as_held};
use crate::particulars::{Particulars, ThresholdResult};
use crate::trace::{Counted, Trace};
use quell_ir::{FieldType, Value};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;

/// The most events that a detection keeps, the newest ones; what they are counted to is exact.
const MOST_MEMBERS: usize = 100;

/// A compiled threshold.
#[derive(Debug)]
pub(crate) struct ThresholdPlan {
    /// The fields of its groups.
    pub(crate) by: Vec<Arc<str>>,
    /// How many events it takes.
    pub(crate) value: u64,
    /// What must have many values.
    pub(crate) distinct: Vec<Distinct>,
    /// How long an event counts, in nanoseconds.
    pub(crate) window: i64,
}

/// A field of which the distinct values are counted.
#[derive(Debug)]
pub(crate) struct Distinct {
    pub(crate) field: Arc<str>,
    pub(crate) kind: FieldType,
    /// Where hits carry its values, in [`Hit::aliased`].
    pub(crate) place: usize,
    /// How many it takes.
    pub(crate) value: u64,
}

/// What one threshold rule has counted.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct ThresholdState {
    groups: FxHashMap<Key, Group>,
    /// How many groups were left when they were last swept.
    swept: usize,
    /// The bytes that it holds, about.
    bytes: usize,
}

/// The events of one group within the window.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Group {
    /// Oldest first; what came at one time is one where nothing is told apart.
    seen: VecDeque<Seen>,
    count: u64,
    /// By field, how many events have each value.
    distinct: Vec<FxHashMap<Value, u64>>,
    /// The newest events.
    members: VecDeque<Arc<Member>>,
    /// When it was last a detection; it is quiet for a window from then on.
    alerted: Option<i64>,
    /// The bytes that it holds, about.
    bytes: usize,
}

#[derive(Debug, Serialize, Deserialize)]
struct Seen {
    time: i64,
    events: u64,
    /// By field, the values.
    values: Vec<Vec<Value>>,
}

impl Seen {
    /// About how many it takes. Its values stand in the counts of distinct ones too.
    fn bytes(&self) -> usize {
        size_of::<Seen>() + self.values.iter().map(|values| 2 * join_key::bytes(values)).sum::<usize>()
    }
}

impl Group {
    /// The time of what it heard last.
    fn newest(&self) -> i64 {
        self.seen.back().map(|seen| seen.time).max(self.alerted).unwrap_or(i64::MIN)
    }

    /// Forgets what does not count any more.
    fn forget(&mut self, plan: &ThresholdPlan, now: i64) {
        let old = |time: i64| now.saturating_sub(time) > plan.window;
        while let Some(seen) = self.seen.pop_front_if(|seen| old(seen.time)) {
            self.bytes -= seen.bytes();
            self.count -= seen.events;
            for (counts, values) in self.distinct.iter_mut().zip(&seen.values) {
                for value in values {
                    if let Some(count) = counts.get_mut(value) {
                        *count -= 1;
                        if *count == 0 {
                            counts.remove(value);
                        }
                    }
                }
            }
        }
        while let Some(member) = self.members.pop_front_if(|member| member.time.is_none_or(old)) {
            self.bytes -= member.bytes();
        }
        self.alerted.take_if(|alerted| old(*alerted));
    }

    fn add(&mut self, plan: &ThresholdPlan, time: i64, hit: &Hit, member: &Arc<Member>) {
        let values: Vec<Vec<Value>> = plan.distinct.iter().map(|distinct| distinct.values(hit)).collect();
        self.distinct.resize_with(plan.distinct.len(), FxHashMap::default);
        for (counts, values) in self.distinct.iter_mut().zip(&values) {
            for value in values {
                *counts.entry(value.clone()).or_default() += 1;
            }
        }
        self.count += 1;
        match self.seen.back_mut() {
            Some(last) if last.time == time && plan.distinct.is_empty() => last.events += 1,
            _ => {
                let seen = Seen { time, events: 1, values };
                self.bytes += seen.bytes();
                self.seen.push_back(seen);
            }
        }
        if self.members.len() >= MOST_MEMBERS
            && let Some(oldest) = self.members.pop_front()
        {
            self.bytes -= oldest.bytes();
        }
        self.bytes += member.bytes();
        self.members.push_back(Arc::clone(member));
    }

    fn reaches(&self, plan: &ThresholdPlan) -> bool {
        let enough =
            |(distinct, counts): (&Distinct, &FxHashMap<_, _>)| counts.len() as u64 >= distinct.value;
        self.count >= plan.value && plan.distinct.iter().zip(&self.distinct).all(enough)
    }

    /// What it has counted, as a detection; it starts anew then.
    fn take(&mut self, plan: &ThresholdPlan, rule: u32, key: &Key, time: i64) -> Detection {
        let counts = plan.distinct.iter().zip(&self.distinct);
        let result = ThresholdResult {
            terms: plan.by.iter().cloned().zip(key.iter().cloned()).collect(),
            cardinality: counts.map(|(one, counts)| (Arc::clone(&one.field), counts.len() as u64)).collect(),
            count: self.count,
            from: self.seen.front().map_or(time, |seen| seen.time),
        };
        // Nothing of this counts when the group may speak again.
        let members = std::mem::take(self).members;
        self.alerted = Some(time);
        Detection {
            rule,
            time: Some(time),
            keys: key.to_vec(),
            members: members.into_iter().map(|member| Some(Arc::unwrap_or_clone(member))).collect(),
            totals: None,
            particulars: Some(Box::new(Particulars::Threshold(result))),
        }
    }
}

impl Distinct {
    /// The values that an event has, none twice.
    fn values(&self, hit: &Hit) -> Vec<Value> {
        let captured = hit.aliased.as_deref().and_then(|captured| captured.get(self.place));
        let values = captured.into_iter().flat_map(|captured| &captured.values);
        let mut values: Vec<Value> = values.filter_map(|value| as_held(value.datum(), self.kind)).collect();
        values.sort_by(join_key::compare_values);
        values.dedup();
        values
    }
}

impl ThresholdState {
    /// Takes the hit of one event, and gives what is detected with it.
    pub(crate) fn event(
        &mut self,
        plan: &ThresholdPlan,
        rule: u32,
        time: i64,
        hit: &Hit,
        member: Member,
        trace: &mut dyn Trace,
    ) -> Vec<Detection> {
        let (member, mut found) = (Arc::new(member), Vec::new());
        for key in &hit.keys {
            let bytes = &mut self.bytes;
            let group = self.groups.entry(Arc::clone(key)).or_insert_with(|| {
                *bytes += key_bytes(key);
                Group::default()
            });
            *bytes -= group.bytes;
            group.forget(plan, time);
            group.add(plan, time, hit, &member);
            let reached = group.reaches(plan) && group.alerted.is_none();
            if trace.listens() {
                trace.counted(key, time, &group.told(&member, reached));
            }
            if reached {
                found.push(group.take(plan, rule, key, time));
            }
            *bytes += group.bytes;
        }
        if self.groups.len() > (2 * self.swept).max(1024) {
            self.sweep(plan, time);
        }
        found
    }

    /// Forgets the groups that hold nothing any more.
    pub(crate) fn sweep(&mut self, plan: &ThresholdPlan, now: i64) {
        self.keep(|group| now.saturating_sub(group.newest()) <= plan.window);
        self.swept = self.groups.len();
    }

    fn keep(&mut self, stays: impl Fn(&Group) -> bool) -> u64 {
        let (before, bytes) = (self.groups.len(), &mut self.bytes);
        self.groups.retain(|key, group| {
            let stays = stays(group);
            if !stays {
                *bytes -= key_bytes(key) + group.bytes;
            }
            stays
        });
        (before - self.groups.len()) as u64
    }

    /// When each group was last heard of.
    pub(crate) fn pending_times(&self) -> impl Iterator<Item = i64> {
        self.groups.values().map(Group::newest)
    }

    /// Drops the groups that were not heard of since then, and says how many that were.
    pub(crate) fn evict(&mut self, oldest: i64) -> u64 {
        self.keep(|group| group.newest() > oldest)
    }

    /// About how many bytes it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether it holds nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }
}

impl Group {
    fn told(&self, member: &Arc<Member>, reached: bool) -> Counted {
        Counted {
            member: Arc::clone(member),
            count: self.count,
            distinct: self.distinct.iter().map(|counts| counts.len() as u64).collect(),
            quiet_since: self.alerted,
            reached,
        }
    }
}

fn key_bytes(key: &Key) -> usize {
    join_key::bytes(key) + size_of::<Group>() + ALLOCATION
}
