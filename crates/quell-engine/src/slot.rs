//! What waits behind one place of a sequence: one pending sequence, or, where later steps are tied to its events, one for each of their
//! values.
//!
//! Events of an alias sequence without `maxspan` may wait for ever, thousands of them in one slot. So they are found by the values of a
//! tie of the next step, and those of other values are not asked whether the event goes with them.

use crate::correlate::Member;
use crate::join_key::{self, ALLOCATION};
use quell_ir::date::parse_date;
use quell_ir::pattern::parse_ip;
use quell_ir::value::Number;
use quell_ir::{Datum, Value};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The values of each tie, in ascending order.
pub(crate) type Tied = Box<[Vec<Value>]>;

/// Events that still wait for others.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Pending {
    /// The values of its events that later steps are tied to.
    pub(crate) tied: Tied,
    /// The time of the first, in nanoseconds.
    pub(crate) began: i64,
    /// The last time before it at which something came that must not, in whole milliseconds.
    pub(crate) lead: Option<i64>,
    /// Whether something came between its events that must not.
    pub(crate) refuted: bool,
    pub(crate) events: Vec<Arc<Member>>,
}

impl Pending {
    /// About how many bytes it holds, what finds it by its ties included.
    pub(crate) fn bytes(&self) -> usize {
        let values = self.tied.iter().map(|values| join_key::bytes(values)).sum::<usize>();
        let found_by = if self.tied.is_empty() { 0 } else { 2 * values + TIED };
        events_bytes(&self.events) + found_by
    }
}

/// What finding one pending sequence takes besides its values: a place in three tables.
const TIED: usize = 4 * ALLOCATION + 3 * size_of::<(Tied, u64, Value)>();

pub(crate) fn events_bytes(events: &[Arc<Member>]) -> usize {
    size_of::<Pending>() + ALLOCATION + events.iter().map(|event| event.bytes()).sum::<usize>()
}

/// What waits behind one place.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Slot {
    /// Nothing is tied to its events.
    One(Option<Pending>),
    Apart(Box<Apart>),
}

/// Those that differ in what they are tied by.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Apart {
    /// By number, in the order in which they came.
    waiting: BTreeMap<u64, Pending>,
    /// How many have come: the number of the next.
    came: u64,
    /// The number of each.
    numbers: FxHashMap<Tied, u64>,
    /// The tie of the next step by which they are found, by its place among their ties.
    found_by: Option<usize>,
    /// The numbers of those with a value of that tie.
    by_value: FxHashMap<Value, BTreeSet<u64>>,
    /// How many there were when those that had waited too long were last forgotten.
    left: usize,
}

impl Slot {
    /// A slot with `ties` ties; `found_by` is that of the next step, if it has one.
    pub(crate) fn new(ties: usize, found_by: Option<usize>) -> Slot {
        if ties == 0 {
            Slot::One(None)
        } else {
            Slot::Apart(Box::new(Apart { found_by, ..Apart::default() }))
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Slot::One(one) => one.is_none(),
            Slot::Apart(apart) => apart.waiting.is_empty(),
        }
    }

    pub(crate) fn get(&self, number: u64) -> Option<&Pending> {
        match self {
            Slot::One(one) => one.as_ref(),
            Slot::Apart(apart) => apart.waiting.get(&number),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Pending> {
        let (one, apart) = match self {
            Slot::One(one) => (one.as_ref(), None),
            Slot::Apart(apart) => (None, Some(apart.waiting.values())),
        };
        one.into_iter().chain(apart.into_iter().flatten())
    }

    /// The numbers of those that an event may go with, oldest first. `values` are its own values of the tie by which they are
    /// found.
    pub(crate) fn candidates(
        &self,
        values: impl FnOnce() -> Vec<Value>,
    ) -> std::iter::Chain<std::option::IntoIter<u64>, std::vec::IntoIter<u64>> {
        // Of no number a list takes no allocation.
        let (one, several) = match self {
            Slot::One(one) => (one.as_ref().map(|_| 0), Vec::new()),
            Slot::Apart(apart) if apart.found_by.is_none() => (None, apart.waiting.keys().copied().collect()),
            Slot::Apart(apart) => {
                let with = |value: &Value| apart.by_value.get(&alike(value)).into_iter().flatten().copied();
                let mut numbers: Vec<u64> = values().iter().flat_map(with).collect();
                numbers.sort_unstable();
                numbers.dedup();
                (None, numbers)
            }
        };
        one.into_iter().chain(several)
    }

    /// Lets one wait instead of what was there with the same ties.
    pub(crate) fn put(&mut self, pending: Pending) -> Option<Pending> {
        match self {
            Slot::One(one) => one.replace(pending),
            Slot::Apart(apart) => apart.put(pending),
        }
    }

    pub(crate) fn take(&mut self, number: u64) -> Option<Pending> {
        match self {
            Slot::One(one) => one.take(),
            Slot::Apart(apart) => apart.take(number),
        }
    }

    /// Takes out those of whom it holds, and gives each to `out`.
    pub(crate) fn take_where(&mut self, holds: impl Fn(&Pending) -> bool, out: impl FnMut(Pending)) {
        match self {
            Slot::One(one) => one.take_if(|one| holds(one)).into_iter().for_each(out),
            Slot::Apart(apart) => {
                let taken = apart.waiting.iter().filter(|(_, pending)| holds(pending));
                let taken: Vec<u64> = taken.map(|(number, _)| *number).collect();
                taken.into_iter().filter_map(|number| apart.take(number)).for_each(out);
            }
        }
    }

    /// Whether there are twice as many as when that was last asked and answered with yes.
    pub(crate) fn has_doubled(&self) -> bool {
        matches!(self, Slot::Apart(apart) if apart.waiting.len() > (2 * apart.left).max(64))
    }

    /// Notes that all have been looked at.
    pub(crate) fn looked_at(&mut self) {
        if let Slot::Apart(apart) = self {
            apart.left = apart.waiting.len();
        }
    }
}

impl Apart {
    fn put(&mut self, pending: Pending) -> Option<Pending> {
        let same = self.numbers.get(&pending.tied).copied();
        let old = same.and_then(|number| self.take(number));
        let number = self.came;
        self.came += 1;
        for value in self.values(&pending.tied) {
            self.by_value.entry(alike(&value)).or_default().insert(number);
        }
        self.numbers.insert(pending.tied.clone(), number);
        self.waiting.insert(number, pending);
        old
    }

    fn take(&mut self, number: u64) -> Option<Pending> {
        let pending = self.waiting.remove(&number)?;
        self.numbers.remove(&pending.tied);
        for value in self.values(&pending.tied) {
            let value = alike(&value);
            if let Some(numbers) = self.by_value.get_mut(&value) {
                numbers.remove(&number);
                if numbers.is_empty() {
                    self.by_value.remove(&value);
                }
            }
        }
        Some(pending)
    }

    /// The values by which one with these ties is found.
    fn values(&self, tied: &Tied) -> Vec<Value> {
        self.found_by.and_then(|tie| tied.get(tie)).cloned().unwrap_or_default()
    }
}

/// The same for all values that may be equal in a field of any type: in one of unknown type a number equals its text, a date another
/// writing of it, and so does an address. Source: `quell_ir::function::compare::compare_data`.
fn alike(value: &Value) -> Value {
    let text = |text: String| Value::Text(text.into());
    match value.datum() {
        Datum::Null => Value::Null,
        Datum::Boolean(b) => text(b.to_string()),
        datum => match (datum.to_number(), datum) {
            (Some(number), _) => float(number),
            (None, Datum::Text(own)) => match (parse_date(own), parse_ip(own)) {
                // A number is a date in milliseconds.
                (Some(date), _) => float(Number::Integer(i128::from(date.div_euclid(1_000_000)))),
                (None, Some(address)) => text(address.to_canonical().to_string()),
                (None, None) => text(own.to_lowercase()),
            },
            (None, _) => Value::Null,
        },
    }
}

/// Numbers that differ in what a float cannot hold are alike too.
#[allow(clippy::cast_precision_loss, reason = "what is alike need not be equal")]
fn float(number: Number) -> Value {
    let float = match number {
        Number::Integer(n) => n as f64,
        Number::Float(n) => n,
    };
    Value::Float(if float == 0.0 || float.is_nan() { 0.0 } else { float })
}

#[cfg(test)]
mod tests {
    use super::{Pending, Slot};
    use quell_ir::Value;
    use quell_ir::expr::CompareOp;
    use quell_ir::function::compare::compare_data;

    fn pending(tied: &[&[&str]], began: i64) -> Pending {
        let values = |values: &&[&str]| values.iter().map(|value| Value::Text((*value).into())).collect();
        Pending {
            tied: tied.iter().map(values).collect(),
            began,
            lead: None,
            refuted: false,
            events: Vec::new(),
        }
    }

    fn text(text: &str) -> Value {
        Value::Text(text.into())
    }

    fn began(slot: &Slot, values: &[Value]) -> Vec<i64> {
        let numbers = slot.candidates(|| values.to_vec());
        numbers.filter_map(|number| slot.get(number)).map(|pending| pending.began).collect()
    }

    #[test]
    fn without_ties_the_newest_replaces_what_waits() {
        let mut slot = Slot::new(0, None);
        assert!(slot.put(pending(&[], 1)).is_none());
        assert_eq!(slot.put(pending(&[], 2)).map(|old| old.began), Some(1));
        assert_eq!(began(&slot, &[]), [2]);
        assert!(slot.take(0).is_some() && slot.is_empty());
    }

    #[test]
    fn what_may_be_equal_is_alike() {
        let pairs = [
            (Value::Integer(7), text("7")),
            (text(" 7.0"), Value::Float(7.0)),
            (Value::Float(-0.0), Value::Integer(0)),
            (Value::Boolean(true), text("true")),
            (text("2024-05-01T12:00:00Z"), Value::Integer(1_714_564_800_000)),
            (text("2024-05-01T14:00:00+02:00"), text("2024-05-01T12:00:00.000Z")),
            (text("::ffff:192.0.2.1"), text("192.0.2.1")),
            (text("2001:DB8:0::1"), text("2001:db8::1")),
        ];
        for (a, b) in pairs {
            assert_eq!(compare_data(CompareOp::Equal, a.datum(), b.datum()), Some(true), "{a:?} {b:?}");
            assert_eq!(super::alike(&a), super::alike(&b), "{a:?} {b:?}");
        }
    }

    #[test]
    fn those_of_other_values_wait_apart_and_are_found_by_theirs() {
        let mut slot = Slot::new(2, Some(1));
        for (n, tied) in (1..).zip([["a", "x"], ["b", "x"], ["a", "7"]]) {
            assert!(slot.put(pending(&[&[tied[0]], &[tied[1]]], n)).is_none());
        }
        assert!(slot.put(pending(&[&["c"], &["x", "y"]], 4)).is_none());
        assert_eq!(began(&slot, &[text("x")]), [1, 2, 4]);
        assert_eq!(began(&slot, &[text("y"), text("x"), Value::Integer(7)]), [1, 2, 3, 4]);
        assert_eq!(began(&slot, &[text("z")]), [0; 0]);
        // The same ties: the newer one replaces it, and is the newest.
        assert_eq!(slot.put(pending(&[&["a"], &["x"]], 5)).map(|old| old.began), Some(1));
        assert_eq!(began(&slot, &[text("x")]), [2, 4, 5]);
        let mut taken = Vec::new();
        slot.take_where(|pending| pending.began != 4, |pending| taken.push(pending.began));
        assert_eq!(taken, [2, 3, 5]);
        assert_eq!(began(&slot, &[text("y")]), [4]);
        assert!(slot.take(3).is_some() && slot.is_empty());
        assert_eq!(began(&slot, &[text("y")]), [0; 0]);
    }
}
