//! Pipes: which results of a rule are kept, in which order, and what they come to, as they come in order.
//!
//! Source: Elasticsearch's "EQL pipe reference"; of all but `head` and `tail` the Python implementation of EQL. The implied limit
//! stands directly in front of the first of those two and takes its direction. Pipes read what the hits kept of their events, so that no
//! event is read again ([`PipePlan`]).

use crate::compile::{Compiler, ResultLimit, ResultPosition};
use crate::correlate::Detection;
use crate::join_key::{self, ALLOCATION, Key, as_held, as_json, compare_keys, folded_value, whole};
use crate::object::{Level, ObjectPlans, ObjectPlansBuilder, Root, Shared, each_read, in_arena};
use crate::residual::{CaptureField, Captured, keep};
use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use quell_event::EventState;
use quell_ir::logic::Pipe;
use quell_ir::predicate::Relation;
use quell_ir::{Condition, Datum, EventFilter, Expr, FieldRef, FieldType, Predicate, Scope, Value, eval};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};
use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// The field that names an event's host.
const HOST: &str = "host.name";

/// The most bytes that pipes hold where nothing else is said, about.
const MOST_HELD: usize = 1 << 30;

/// What the pipes of all rules hold together. Where it is full, what comes is left out and counted; `tail` leaves out its oldest.
#[derive(Debug)]
pub(crate) struct Room {
    /// The most bytes, about.
    most: usize,
    pub(crate) held: usize,
}

impl Default for Room {
    fn default() -> Self {
        Room { most: MOST_HELD, held: 0 }
    }
}

impl Room {
    /// The same with another limit.
    pub(crate) fn limited_to(self, most: usize) -> Room {
        Room { most, ..self }
    }

    fn is_full(&self) -> bool {
        self.held > self.most
    }
}

/// What `count` and `unique_count` say of results.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// The key as the first of them has it, a list for each part; `totals` where `count` has no keys; empty behind
    /// `unique_count`, whose results are those of events.
    pub key: Vec<Vec<Value>>,
    /// How many there are.
    pub count: u64,
    /// Their share of all, up to 1; none where `count` has no keys, and where there are none at all.
    pub percent: Option<f64>,
    /// The names of their hosts, in order.
    pub hosts: Vec<Arc<str>>,
}

impl Totals {
    /// As JSON: `count`, `key`, `percent`, and, where there are any, `hosts` and `total_hosts`. A key of several parts is a
    /// list.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Map<String, serde_json::Value> {
        let mut object = serde_json::Map::new();
        object.insert("count".into(), self.count.into());
        if !self.hosts.is_empty() {
            let hosts = self.hosts.iter().map(|host| serde_json::Value::from(&**host)).collect();
            object.insert("hosts".into(), hosts);
        }
        let part = |part: &Vec<Value>| match part.as_slice() {
            [] => serde_json::Value::Null,
            [one] => as_json(one),
            several => several.iter().map(as_json).collect(),
        };
        match self.key.as_slice() {
            [] => {}
            [one] => _ = object.insert("key".into(), part(one)),
            several => _ = object.insert("key".into(), several.iter().map(part).collect()),
        }
        if let Some(percent) = self.percent {
            object.insert("percent".into(), percent.into());
        }
        if !self.hosts.is_empty() {
            object.insert("total_hosts".into(), self.hosts.len().into());
        }
        object
    }

    /// What the pipes behind read of a field that was made.
    fn made(&self, name: &str) -> Option<Vec<Value>> {
        let integer = |n: u64| Value::Integer(i64::try_from(n).unwrap_or(i64::MAX));
        match name {
            "count" => Some(vec![integer(self.count)]),
            "percent" => Some(self.percent.map(Value::Float).into_iter().collect()),
            "hosts" => Some(self.hosts.iter().map(|host| Value::Text(Arc::clone(host))).collect()),
            "total_hosts" if self.hosts.is_empty() => Some(Vec::new()),
            "total_hosts" => Some(vec![integer(self.hosts.len() as u64)]),
            // `unique_count` makes no key: an event's own field may have that name.
            "key" => match self.key.as_slice() {
                [] => None,
                [one] => Some(one.clone()),
                several => Some(several.iter().map(|part| whole(part)).collect()),
            },
            _ => None,
        }
    }
}

/// The compiled pipes of one rule.
#[derive(Debug)]
pub(crate) struct PipePlan {
    pipes: Vec<Pipe>,
    /// By event of a result, the fields that its hit keeps.
    kept: Vec<Vec<Arc<str>>>,
    plans: ObjectPlans,
}

impl PipePlan {
    /// `aliased` are the fields that the hits of each step keep; what pipes read is added.
    pub(crate) fn new(
        pipes: Vec<Pipe>,
        aliased: &mut [Vec<CaptureField>],
        compiler: &mut Compiler<'_>,
    ) -> PipePlan {
        let mut plans = ObjectPlansBuilder::default();
        for pipe in &pipes {
            let mut read = |predicate: &Predicate| {
                plans.add(predicate);
                each_read(predicate, &mut |field, objects| {
                    let Some(event) = event_of(field) else { return };
                    let Some(kept) = aliased.get_mut(event) else { return };
                    keep(kept, &field.path, compiler.slot(field, objects), objects);
                });
            };
            match pipe {
                Pipe::Head(_) | Pipe::Tail(_) => {}
                Pipe::Filter(condition) => condition.each_leaf(&mut |leaf| read(&leaf.predicate)),
                Pipe::Sort(keys) | Pipe::Unique(keys) | Pipe::UniqueCount(keys) | Pipe::Count(keys) => {
                    keys.iter().for_each(|key| read(&Predicate::Expr(key.clone())));
                }
            }
            if let (Pipe::UniqueCount(_) | Pipe::Count(_), Some(first)) = (pipe, aliased.first_mut()) {
                let host = FieldRef::event(HOST, FieldType::Keyword);
                keep(first, &host.path, compiler.slot(&host, false), false);
            }
        }
        let paths = |fields: &Vec<CaptureField>| fields.iter().map(|field| Arc::clone(&field.path)).collect();
        PipePlan { pipes, kept: aliased.iter().map(paths).collect(), plans: plans.build() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pipes.is_empty()
    }

    fn captured<'d>(&self, detection: &'d Detection, event: usize, path: &str) -> Option<&'d Captured> {
        let at = self.kept.get(event)?.iter().position(|kept| **kept == *path)?;
        detection.members.get(event)?.as_ref()?.aliased.as_deref()?.get(at)
    }

    /// The host of the first event.
    fn host(&self, detection: &Detection) -> Option<Arc<str>> {
        match self.captured(detection, 0, HOST)?.values.first()? {
            Value::Text(text) if !text.is_empty() => Some(Arc::clone(text)),
            _ => None,
        }
    }

    fn holds(&self, condition: &Condition, detection: &Detection, cut: &mut u64) -> bool {
        match condition {
            Condition::Constant(b) => *b,
            Condition::And(parts) => parts.iter().all(|part| self.holds(part, detection, cut)),
            Condition::Or(parts) => parts.iter().any(|part| self.holds(part, detection, cut)),
            Condition::Not(inner) => !self.holds(inner, detection, cut),
            Condition::Leaf(leaf) => {
                if let Predicate::Exists(field) = &leaf.predicate {
                    return Piped { plan: self, detection }.has(field);
                }
                let (arena, buffers) = (Bump::new(), RefCell::default());
                let root = Piped { plan: self, detection };
                let shared = self.shared(&root, &arena, &buffers);
                let outcome = eval::predicate(&leaf.predicate, &Level::root(&shared), &arena);
                *cut += u64::from(outcome.cut || shared.cut.get());
                outcome.holds
            }
        }
    }

    /// The keys of the pipe at that place.
    fn key_list(&self, pipe: usize) -> &[Expr] {
        match self.pipes.get(pipe) {
            Some(Pipe::Sort(keys) | Pipe::Unique(keys) | Pipe::UniqueCount(keys) | Pipe::Count(keys)) => keys,
            _ => &[],
        }
    }

    /// Their values, a list for each.
    fn keys_of(&self, pipe: usize, detection: &Detection, cut: &mut u64) -> Vec<Vec<Value>> {
        self.key_list(pipe).iter().map(|key| self.key(key, detection, cut)).collect()
    }

    fn key(&self, key: &Expr, detection: &Detection, cut: &mut u64) -> Vec<Value> {
        let root = Piped { plan: self, detection };
        if let Expr::Whole(field) = key {
            // Of a key of several parts null is a part like any other.
            if let Some(made) = root.made(field) {
                let held = |value: &Value| as_held(value.datum(), FieldType::Unknown).unwrap_or(Value::Null);
                return made.iter().map(held).collect();
            }
            let values = root.values(field);
            return values.iter().filter_map(|value| as_held(value.datum(), field.kind)).collect();
        }
        let (arena, buffers) = (Bump::new(), RefCell::default());
        let shared = self.shared(&root, &arena, &buffers);
        let (value, limited) = eval::value(key, &Level::root(&shared), &arena);
        *cut += u64::from(limited || shared.cut.get());
        as_held(value, FieldType::Unknown).into_iter().collect()
    }

    fn shared<'a, 'o>(
        &'a self,
        root: &'o dyn Root<'a>,
        arena: &'a Bump,
        buffers: &'a RefCell<Vec<EventState>>,
    ) -> Shared<'a, 'o> {
        Shared { root, plans: &self.plans, arena, buffers, cut: Cell::new(false) }
    }
}

/// A result as pipes read it.
struct Piped<'a> {
    plan: &'a PipePlan,
    detection: &'a Detection,
}

impl<'a> Piped<'a> {
    /// What a pipe before has made of that name.
    fn made(&self, field: &FieldRef) -> Option<Vec<Value>> {
        if field.scope != Scope::Event {
            return None;
        }
        self.detection.totals.as_ref()?.made(&field.path)
    }

    fn captured(&self, field: &FieldRef) -> Option<&'a Captured> {
        self.plan.captured(self.detection, event_of(field)?, &field.path)
    }

    fn values(&self, field: &FieldRef) -> Vec<Value> {
        let captured = || self.captured(field).map(|captured| captured.values.clone());
        self.made(field).or_else(captured).unwrap_or_default()
    }

    /// Whether it is there, be it as a value or as an object.
    fn has(&self, field: &FieldRef) -> bool {
        match self.made(field) {
            Some(made) => !made.is_empty(),
            None => self
                .captured(field)
                .is_some_and(|found| !(found.values.is_empty() && found.objects.is_empty())),
        }
    }
}

impl<'b, 'a: 'b> Root<'b> for Piped<'a> {
    fn scalars(&self, field: &FieldRef, arena: &'b Bump) -> &'b [Datum<'b>] {
        if let Some(made) = self.made(field) {
            let datum = |value: &Value| in_arena(value.datum(), arena);
            return BumpVec::from_iter_in(made.iter().map(datum), arena).into_bump_slice();
        }
        let Some(captured) = self.captured(field) else { return &[] };
        BumpVec::from_iter_in(captured.values.iter().map(Value::datum), arena).into_bump_slice()
    }

    fn objects(&self, field: &FieldRef, arena: &'b Bump) -> &'b [&'b str] {
        let Some(captured) = self.captured(field) else { return &[] };
        BumpVec::from_iter_in(captured.objects.iter().map(|object| &**object), arena).into_bump_slice()
    }

    /// The language has none behind a pipe.
    fn lineage(&self, _relation: Relation, _filter: &EventFilter) -> bool {
        false
    }
}

/// Whose field a pipe reads: that of the result's event at this place.
fn event_of(field: &FieldRef) -> Option<usize> {
    match field.scope {
        Scope::Event => Some(0),
        Scope::Step(step) => Some(usize::from(step)),
        Scope::Element(_) => None,
    }
}

/// The pipes of one rule, and what they have let through or hold.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Pipes {
    stages: Vec<Stage>,
    /// Results that were left out because too much was held.
    lost: u64,
    /// Tests that a limit cut short.
    cut: u64,
}

/// One pipe; `pipe` is its place in the plan.
#[derive(Debug, Serialize, Deserialize)]
enum Stage {
    /// So many more.
    Head(u64),
    /// The last so many.
    Tail {
        size: u64,
        kept: VecDeque<Detection>,
        held: usize,
    },
    Filter {
        pipe: usize,
    },
    /// With their keys, without case; each is a list.
    Sort {
        pipe: usize,
        kept: Vec<(Vec<Vec<Value>>, Detection)>,
        held: usize,
    },
    Unique {
        pipe: usize,
        seen: FxHashSet<Key>,
        held: usize,
    },
    UniqueCount {
        pipe: usize,
        groups: Groups,
    },
    Count {
        pipe: usize,
        groups: Groups,
    },
}

/// Results of one key, case apart, in the order in which the first of each came.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Groups {
    places: FxHashMap<Key, usize>,
    groups: Vec<Group>,
    /// All that was counted.
    total: u64,
    held: usize,
}

#[derive(Debug, Serialize, Deserialize)]
struct Group {
    /// As the first has it.
    key: Vec<Vec<Value>>,
    /// The first, where it is the result.
    first: Option<Detection>,
    count: u64,
    hosts: BTreeSet<Arc<str>>,
}

impl Groups {
    /// Counts a result; false where it would hold too much.
    fn add(
        &mut self,
        key: Vec<Vec<Value>>,
        first: impl FnOnce() -> Option<Detection>,
        count: u64,
        hosts: impl Iterator<Item = Arc<str>>,
        full: bool,
    ) -> bool {
        let folded = folded_key(&key);
        let place = match self.places.get(&folded) {
            Some(place) => *place,
            None if full => return false,
            None => {
                let first = first();
                let parts = key.iter().map(|part| join_key::bytes(part)).sum::<usize>();
                self.held += 2 * ALLOCATION + size_of::<Group>() + parts + join_key::bytes(&folded);
                self.held += first.as_ref().map_or(0, Detection::bytes);
                self.places.insert(folded, self.groups.len());
                self.groups.push(Group { key, first, count: 0, hosts: BTreeSet::new() });
                self.groups.len() - 1
            }
        };
        let Some(group) = self.groups.get_mut(place) else { return false };
        group.count = group.count.saturating_add(count);
        self.total = self.total.saturating_add(count);
        for host in hosts {
            if !full && !group.hosts.contains(&host) {
                self.held += ALLOCATION + size_of::<Arc<str>>() + host.len();
                group.hosts.insert(host);
            }
        }
        true
    }
}

impl Group {
    #[allow(clippy::cast_precision_loss, reason = "a share need not be exact")]
    fn share(&self, total: u64) -> Option<f64> {
        (total > 0).then(|| self.count as f64 / total as f64)
    }
}

/// What parts of a key that differ in case alone have in common.
fn folded_key(parts: &[Vec<Value>]) -> Key {
    parts.iter().map(|part| folded_value(&whole(part))).collect()
}

/// What results are sorted by: the parts one after the other, each element by element.
fn sort_key(mut parts: Vec<Vec<Value>>) -> Vec<Vec<Value>> {
    for part in &mut parts {
        if part.is_empty() {
            part.push(Value::Null);
        }
        part.iter_mut().for_each(|value| *value = folded_value(value));
    }
    parts
}

/// What null counts as at each place of some keys: the empty value of the kind that the place has.
fn empty_values<'k>(keys: impl Iterator<Item = &'k [Value]>) -> Vec<Value> {
    let mut empty: Vec<Value> = Vec::new();
    for key in keys {
        empty.resize(empty.len().max(key.len()), Value::Null);
        for (empty, value) in empty.iter_mut().zip(key).filter(|(empty, _)| **empty == Value::Null) {
            *empty = match value {
                Value::Null => Value::Null,
                Value::Boolean(_) => Value::Boolean(false),
                Value::Integer(_) | Value::Unsigned(_) | Value::Float(_) => Value::Integer(0),
                Value::Text(_) => Value::Text("".into()),
            };
        }
    }
    empty
}

fn filled(key: &[Value], empty: &[Value]) -> Vec<Value> {
    let fill = |(value, empty): (&Value, &Value)| if *value == Value::Null { empty } else { value }.clone();
    key.iter().zip(empty).map(fill).collect()
}

impl Pipes {
    pub(crate) fn new(plan: &PipePlan, limit: Option<ResultLimit>) -> Pipes {
        let counts = |pipe: &Pipe| matches!(pipe, Pipe::Head(_) | Pipe::Tail(_));
        let first = plan.pipes.iter().position(counts).unwrap_or(plan.pipes.len());
        let implied = limit.map(|limit| {
            let tail = match plan.pipes.get(first) {
                Some(pipe) => matches!(pipe, Pipe::Tail(_)),
                None => limit.position == ResultPosition::Tail,
            };
            if tail { Pipe::Tail(limit.size) } else { Pipe::Head(limit.size) }
        });
        let stage = |(pipe, what): (usize, &Pipe)| match what {
            Pipe::Head(n) => Stage::Head(*n),
            Pipe::Tail(n) => Stage::Tail { size: *n, kept: VecDeque::new(), held: 0 },
            Pipe::Filter(_) => Stage::Filter { pipe },
            Pipe::Sort(_) => Stage::Sort { pipe, kept: Vec::new(), held: 0 },
            Pipe::Unique(_) => Stage::Unique { pipe, seen: FxHashSet::default(), held: 0 },
            Pipe::UniqueCount(_) => Stage::UniqueCount { pipe, groups: Groups::default() },
            Pipe::Count(_) => Stage::Count { pipe, groups: Groups::default() },
        };
        let mut pipes: Vec<(usize, &Pipe)> = plan.pipes.iter().enumerate().collect();
        pipes.splice(first..first, implied.iter().map(|pipe| (first, pipe)));
        Pipes { stages: pipes.into_iter().map(stage).collect(), lost: 0, cut: 0 }
    }

    /// What comes out at once, if anything.
    pub(crate) fn push(
        &mut self,
        plan: &PipePlan,
        detection: Detection,
        room: &mut Room,
    ) -> Option<Detection> {
        if self.stages.is_empty() {
            return Some(detection);
        }
        let mut limits = Limits { room, lost: &mut self.lost, cut: &mut self.cut };
        through(plan, &mut self.stages, detection, &mut limits)
    }

    /// What comes out at the end, of the rule with that number.
    pub(crate) fn finish(&mut self, plan: &PipePlan, rule: u32, room: &mut Room) -> Vec<Detection> {
        let mut out = Vec::new();
        let mut stages = self.stages.as_mut_slice();
        while let Some((stage, others)) = stages.split_first_mut() {
            room.held = room.held.saturating_sub(stage.held());
            for mut detection in stage.end(plan) {
                // What was saved may have had another number.
                detection.rule = rule;
                let mut limits = Limits { room: &mut *room, lost: &mut self.lost, cut: &mut self.cut };
                out.extend(through(plan, others, detection, &mut limits));
            }
            stages = others;
        }
        out
    }

    /// About how many bytes it holds.
    pub(crate) fn held(&self) -> usize {
        self.stages.iter().map(Stage::held).sum()
    }

    /// Whether it holds nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.stages.iter().all(|stage| match stage {
            Stage::Head(_) | Stage::Filter { .. } => true,
            Stage::Tail { kept, .. } => kept.is_empty(),
            Stage::Sort { kept, .. } => kept.is_empty(),
            Stage::Unique { seen, .. } => seen.is_empty(),
            Stage::UniqueCount { groups, .. } | Stage::Count { groups, .. } => groups.groups.is_empty(),
        })
    }

    /// How many results were left out because too much was held.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    /// How many tests a limit cut short.
    pub(crate) fn cut(&self) -> u64 {
        self.cut
    }
}

/// What the pipes of a rule count against.
struct Limits<'l> {
    room: &'l mut Room,
    lost: &'l mut u64,
    cut: &'l mut u64,
}

impl Limits<'_> {
    /// Takes note that a stage that held so much holds more.
    fn more(&mut self, held: &mut usize, bytes: usize) {
        *held += bytes;
        self.room.held += bytes;
    }

    fn count(
        &mut self,
        groups: &mut Groups,
        key: Vec<Vec<Value>>,
        first: impl FnOnce() -> Option<Detection>,
        count: u64,
        hosts: impl Iterator<Item = Arc<str>>,
    ) {
        let held = groups.held;
        let counted = groups.add(key, first, count, hosts, self.room.is_full());
        self.room.held += groups.held - held;
        *self.lost += u64::from(!counted);
    }
}

fn through(
    plan: &PipePlan,
    stages: &mut [Stage],
    detection: Detection,
    limits: &mut Limits<'_>,
) -> Option<Detection> {
    for stage in stages {
        match stage {
            Stage::Head(0) => return None,
            Stage::Head(left) => *left -= 1,
            Stage::Tail { size, kept, held } => {
                limits.more(held, detection.bytes());
                kept.push_back(detection);
                while kept.len() as u64 > *size || (limits.room.is_full() && !kept.is_empty()) {
                    *limits.lost += u64::from(kept.len() as u64 <= *size);
                    let bytes = kept.pop_front().map_or(0, |oldest| oldest.bytes());
                    *held = held.saturating_sub(bytes);
                    limits.room.held = limits.room.held.saturating_sub(bytes);
                }
                return None;
            }
            Stage::Filter { pipe } => {
                let Some(Pipe::Filter(condition)) = plan.pipes.get(*pipe) else { continue };
                if !plan.holds(condition, &detection, limits.cut) {
                    return None;
                }
            }
            Stage::Sort { pipe, kept, held } => {
                if limits.room.is_full() {
                    *limits.lost += 1;
                } else {
                    let key = sort_key(plan.keys_of(*pipe, &detection, limits.cut));
                    let parts = key.iter().map(|part| join_key::bytes(part)).sum::<usize>();
                    limits.more(held, detection.bytes() + parts);
                    kept.push((key, detection));
                }
                return None;
            }
            Stage::Unique { pipe, seen, held } => {
                let key = folded_key(&plan.keys_of(*pipe, &detection, limits.cut));
                if seen.contains(&key) {
                    return None;
                }
                if limits.room.is_full() {
                    *limits.lost += 1;
                    return None;
                }
                limits.more(held, size_of::<Key>() + join_key::bytes(&key));
                seen.insert(key);
            }
            Stage::UniqueCount { pipe, groups } => {
                let key = plan.keys_of(*pipe, &detection, limits.cut);
                let (count, hosts) = match &detection.totals {
                    Some(totals) => (totals.count, totals.hosts.clone()),
                    None => (1, plan.host(&detection).into_iter().collect()),
                };
                limits.count(groups, key, || Some(detection), count, hosts.into_iter());
                return None;
            }
            Stage::Count { pipe, groups } => {
                let key = plan.keys_of(*pipe, &detection, limits.cut);
                // What was counted before has given its hosts away.
                let host = if detection.totals.is_none() { plan.host(&detection) } else { None };
                limits.count(groups, key, || None, 1, host.into_iter());
                return None;
            }
        }
    }
    Some(detection)
}

impl Stage {
    /// About how many bytes it holds.
    fn held(&self) -> usize {
        match self {
            Stage::Head(_) | Stage::Filter { .. } => 0,
            Stage::Tail { held, .. } | Stage::Sort { held, .. } | Stage::Unique { held, .. } => *held,
            Stage::UniqueCount { groups, .. } | Stage::Count { groups, .. } => groups.held,
        }
    }

    /// What only the end decides.
    fn end(&mut self, plan: &PipePlan) -> Vec<Detection> {
        match self {
            Stage::Head(_) | Stage::Filter { .. } | Stage::Unique { .. } => Vec::new(),
            Stage::Tail { kept, .. } => std::mem::take(kept).into(),
            Stage::Sort { kept, .. } => {
                let mut kept = std::mem::take(kept);
                let parts = kept.first().map_or(0, |(key, _)| key.len());
                for place in 0..parts {
                    let all = kept.iter().filter_map(|(key, _)| key.get(place).map(Vec::as_slice));
                    let empty = empty_values(all);
                    for part in kept.iter_mut().filter_map(|(key, _)| key.get_mut(place)) {
                        *part = filled(part, &empty);
                    }
                }
                kept.sort_by(|(a, _), (b, _)| {
                    let parts = a.iter().zip(b).map(|(a, b)| compare_keys(a, b));
                    parts.fold(Ordering::Equal, Ordering::then)
                });
                kept.into_iter().map(|(_, detection)| detection).collect()
            }
            Stage::UniqueCount { groups, .. } => {
                let total = groups.total;
                let result = |group: Group| {
                    let percent = group.share(total);
                    let mut detection = group.first?;
                    let key = detection.totals.take().map(|totals| totals.key).unwrap_or_default();
                    let hosts = group.hosts.into_iter().collect();
                    detection.totals = Some(Totals { key, count: group.count, percent, hosts });
                    Some(detection)
                };
                std::mem::take(groups).groups.into_iter().filter_map(result).collect()
            }
            Stage::Count { pipe, groups } => {
                let Groups { mut groups, total, .. } = std::mem::take(groups);
                let keyless = plan.key_list(*pipe).is_empty();
                if keyless && groups.is_empty() {
                    groups.push(Group { key: Vec::new(), first: None, count: 0, hosts: BTreeSet::new() });
                }
                let whole_key = |group: &Group| group.key.iter().map(|part| whole(part)).collect::<Vec<_>>();
                let keys: Vec<Vec<Value>> = groups.iter().map(whole_key).collect();
                let empty = empty_values(keys.iter().map(Vec::as_slice));
                groups.sort_by_cached_key(|group| (group.count, Ordered(filled(&whole_key(group), &empty))));
                let result = |mut group: Group| {
                    let percent = if keyless { None } else { group.share(total) };
                    if keyless {
                        group.key = vec![vec![Value::Text("totals".into())]];
                    }
                    let hosts = group.hosts.into_iter().collect();
                    Detection::of_totals(Totals { key: group.key, count: group.count, percent, hosts })
                };
                groups.into_iter().map(result).collect()
            }
        }
    }
}

/// Keys in their order.
struct Ordered(Vec<Value>);

impl PartialEq for Ordered {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ordered {}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> Ordering {
        compare_keys(&self.0, &other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{PipePlan, Pipes, Room};
    use crate::compile::{ResultLimit, ResultPosition};
    use crate::correlate::{Detection, Member};
    use crate::object::ObjectPlans;
    use crate::residual::Captured;
    use quell_event::{Position, RecordRef, RecordText};
    use quell_ir::logic::Pipe::{self, Head, Tail};
    use quell_ir::{Expr, FieldRef, FieldType, Value};
    use std::ops::Range;

    #[test]
    fn pipes_apply_from_left_to_right_behind_the_limit() {
        let limit = |size, position| Some(ResultLimit { size, position });
        let cases: &[(&[Pipe], Option<ResultLimit>, Range<i64>)] = &[
            (&[], None, 0..20),
            (&[Head(3)], None, 0..3),
            (&[Tail(3)], None, 17..20),
            (&[Tail(10), Head(7)], None, 10..17),
            (&[Head(10), Tail(7)], None, 3..10),
            (&[Tail(10), Tail(3)], None, 17..20),
            (&[Head(0)], None, 0..0),
            (&[Tail(0)], None, 20..20),
            (&[Head(50)], None, 0..20),
            (&[Tail(50)], None, 0..20),
            (&[Head(u64::MAX)], None, 0..20),
            (&[], limit(10, ResultPosition::Tail), 10..20),
            (&[], limit(10, ResultPosition::Head), 0..10),
            (&[Head(50)], limit(10, ResultPosition::Tail), 0..10),
            (&[Tail(5), Head(2)], limit(10, ResultPosition::Head), 15..17),
        ];
        for (pipes, limit, expected) in cases {
            let plan = PipePlan { pipes: pipes.to_vec(), kept: Vec::new(), plans: ObjectPlans::default() };
            let (mut state, mut room) = (Pipes::new(&plan, *limit), Room::default());
            let one = |time| Detection {
                rule: 0,
                time: Some(time),
                keys: Vec::new(),
                members: Vec::new(),
                totals: None,
                particulars: None,
            };
            let mut found: Vec<Detection> =
                (0..20).filter_map(|time| state.push(&plan, one(time), &mut room)).collect();
            found.extend(state.finish(&plan, 0, &mut room));
            assert_eq!(room.held, 0, "{pipes:?}");
            let found: Vec<Option<i64>> = found.iter().map(|one| one.time).collect();
            assert_eq!(found, expected.clone().map(Some).collect::<Vec<_>>(), "{pipes:?} {limit:?}");
        }
    }

    /// A result of one event that keeps one value.
    fn result(n: i64) -> Detection {
        let aliased = Captured { values: vec![Value::Integer(n)], objects: Vec::new() };
        let record =
            RecordRef { source: 0, position: Position { offset: 0, number: 0 }, text: RecordText::Reread(1) };
        Detection::of_event(
            0,
            Member {
                id: n.to_string().as_str().into(),
                time: Some(n),
                captures: Box::default(),
                aliased: Some([aliased].into()),
                record,
            },
        )
    }

    #[test]
    fn what_is_held_is_limited_and_what_is_left_out_is_counted() {
        let key = || vec![Expr::Whole(FieldRef::event("n", FieldType::Unknown))];
        let most = 5000;
        let held_back = [Pipe::Sort(key()), Pipe::UniqueCount(key()), Pipe::Count(key())];
        for pipe in held_back.into_iter().chain([Pipe::Unique(key()), Tail(4000)]) {
            let kept = vec![vec!["n".into()]];
            let plan = PipePlan { pipes: vec![pipe.clone()], kept, plans: ObjectPlans::default() };
            let (mut state, mut room) = (Pipes::new(&plan, None), Room::default().limited_to(1 << 16));
            let mut found: Vec<Detection> =
                (0..most).filter_map(|n| state.push(&plan, result(most - n), &mut room)).collect();
            assert_eq!(state.held(), room.held, "{pipe:?}");
            assert!((1 << 15..1 << 17).contains(&room.held), "{pipe:?}");
            found.extend(state.finish(&plan, 0, &mut room));
            let held = i64::try_from(found.len()).unwrap();
            assert!((50..most).contains(&held), "{pipe:?} {held}");
            let all = if let Tail(size) = pipe { size.cast_signed() } else { most };
            if all == most {
                assert_eq!(state.lost(), u64::try_from(most - held).unwrap(), "{pipe:?}");
            } else {
                assert!(state.lost() > 0, "{pipe:?}");
            }
            // The first are there.
            let count = |one: &Detection| one.totals.as_ref().map(|totals| totals.count);
            assert!(found.iter().all(|one| count(one).is_none_or(|n| n == 1)));
            let last = found.last().unwrap();
            match pipe {
                Pipe::Sort(_) => assert_eq!(last.time, Some(most)),
                Tail(_) => assert_eq!(last.time, Some(1)),
                Pipe::Count(_) => assert_eq!(last.totals.as_ref().unwrap().key, [[Value::Integer(most)]]),
                _ => assert_eq!(last.time, Some(most - held + 1)),
            }
        }
    }
}
