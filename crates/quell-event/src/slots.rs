//! Slot tables: the values of one event's fields, kept in buffers that are reused from event to event.
//!
//! Nothing is cleared between events: an epoch says which slots were filled by the present one. Values hold no
//! references; a text is a range of the record or of the arena for derived text.

use quell_ir::Datum;

/// A range of the record's text or of the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextRef {
    start: u32,
    len: u32,
    arena: bool,
}

impl TextRef {
    /// A range of the record; `None` past 4 GiB.
    #[must_use]
    pub fn record(start: usize, len: usize) -> Option<Self> {
        Some(TextRef { start: u32::try_from(start).ok()?, len: u32::try_from(len).ok()?, arena: false })
    }

    /// A range of the arena; `None` past 4 GiB.
    #[must_use]
    pub fn arena(start: usize, len: usize) -> Option<Self> {
        Some(TextRef { start: u32::try_from(start).ok()?, len: u32::try_from(len).ok()?, arena: true })
    }

    /// A part of the same text: so many bytes from `start` on, or `None` where it does not reach so far.
    #[must_use]
    pub fn part(self, start: usize, len: usize) -> Option<Self> {
        let (start, len) = (u32::try_from(start).ok()?, u32::try_from(len).ok()?);
        let fits = start.checked_add(len)? <= self.len;
        fits.then_some(TextRef { start: self.start.checked_add(start)?, len, arena: self.arena })
    }

    /// The text.
    #[must_use]
    pub fn resolve<'a>(self, record: &'a str, arena: &'a str) -> &'a str {
        let from = if self.arena { arena } else { record };
        let start = self.start as usize;
        from.get(start..start + self.len as usize).unwrap_or("")
    }
}

/// One value of a slot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// `true`, `false`
    Boolean(bool),
    /// An integer that fits 64 signed bits.
    Integer(i64),
    /// An integer above `i64::MAX`.
    Unsigned(u64),
    /// Any other number.
    Float(f64),
    /// Text, escapes decoded.
    Text(TextRef),
    /// The raw JSON of an object; only in slots that were projected as subtrees.
    Object(TextRef),
}

impl Scalar {
    /// The value with its text in reach; an object is no value and gives null.
    #[must_use]
    pub fn datum<'a>(self, record: &'a str, arena: &'a str) -> Datum<'a> {
        match self {
            Scalar::Boolean(b) => Datum::Boolean(b),
            Scalar::Integer(n) => Datum::Integer(n),
            Scalar::Unsigned(n) => Datum::Unsigned(n),
            Scalar::Float(n) => Datum::Float(n),
            Scalar::Text(text) => Datum::Text(text.resolve(record, arena)),
            Scalar::Object(_) => Datum::Null,
        }
    }
}

const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Head {
    epoch: u32,
    first: u32,
    last: u32,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    value: Scalar,
    next: u32,
}

/// Where a walk over the values of a slot stands; see [`SlotTable::walk`].
#[derive(Clone, Copy, Debug)]
pub struct SlotWalk(u32);

/// Lists of values, one a slot, in insertion order.
#[derive(Debug, Default)]
pub struct SlotTable {
    epoch: u32,
    heads: Vec<Head>,
    entries: Vec<Entry>,
}

impl SlotTable {
    /// Forgets all values and makes room for `slots` slots.
    pub fn begin(&mut self, slots: usize) {
        self.entries.clear();
        self.epoch = self.epoch.wrapping_add(1);
        if self.epoch == 0 {
            // After 2^32 events an old epoch would look like the present one.
            self.heads.clear();
            self.epoch = 1;
        }
        if self.heads.len() < slots {
            self.heads.resize(slots, Head { epoch: 0, first: NONE, last: NONE });
        }
    }

    /// Whether the slot was filled (or marked empty) for this event.
    #[must_use]
    pub fn is_known(&self, slot: usize) -> bool {
        self.heads.get(slot).is_some_and(|head| head.epoch == self.epoch)
    }

    /// Marks a slot as known to be empty, unless it is known already.
    pub fn mark(&mut self, slot: usize) {
        if let Some(head) = self.heads.get_mut(slot)
            && head.epoch != self.epoch
        {
            *head = Head { epoch: self.epoch, first: NONE, last: NONE };
        }
    }

    /// Appends a value to a slot. Values past 2^32 are dropped; no record that passes the size limit has so many.
    #[inline]
    pub fn push(&mut self, slot: usize, value: Scalar) {
        let (Some(head), Ok(at)) = (self.heads.get_mut(slot), u32::try_from(self.entries.len())) else {
            return;
        };
        if head.epoch == self.epoch
            && let Some(last) = self.entries.get_mut(head.last as usize)
        {
            last.next = at;
            head.last = at;
        } else {
            *head = Head { epoch: self.epoch, first: at, last: at };
        }
        self.entries.push(Entry { value, next: NONE });
    }

    /// The values of a slot in insertion order.
    pub fn values(&self, slot: usize) -> impl Iterator<Item = Scalar> + Clone {
        let first = match self.heads.get(slot) {
            Some(head) if head.epoch == self.epoch => head.first,
            _ => NONE,
        };
        let mut next = first;
        std::iter::from_fn(move || {
            let entry = self.entries.get(next as usize)?;
            next = entry.next;
            Some(entry.value)
        })
    }

    /// The start of a walk over a slot's values that does not borrow the table, so that it can be added to meanwhile.
    #[must_use]
    pub fn walk(&self, slot: usize) -> SlotWalk {
        match self.heads.get(slot) {
            Some(head) if head.epoch == self.epoch => SlotWalk(head.first),
            _ => SlotWalk(NONE),
        }
    }

    /// The next value of a walk.
    pub fn step(&self, walk: &mut SlotWalk) -> Option<Scalar> {
        let entry = self.entries.get(walk.0 as usize)?;
        walk.0 = entry.next;
        Some(entry.value)
    }

    /// The first value of a slot.
    #[must_use]
    pub fn first(&self, slot: usize) -> Option<Scalar> {
        self.values(slot).next()
    }
}

#[cfg(test)]
mod tests {
    use super::{Scalar, SlotTable, TextRef};
    use quell_ir::Datum;

    fn values(table: &SlotTable, slot: usize) -> Vec<Scalar> {
        table.values(slot).collect()
    }

    #[test]
    fn slots_keep_their_values_in_order_and_apart() {
        let mut table = SlotTable::default();
        table.begin(3);
        for n in 0..10 {
            table.push(n % 2, Scalar::Integer(i64::try_from(n).unwrap()));
        }
        assert_eq!(values(&table, 0), [0, 2, 4, 6, 8].map(Scalar::Integer));
        assert_eq!(values(&table, 1), [1, 3, 5, 7, 9].map(Scalar::Integer));
        assert_eq!(values(&table, 2), []);
        assert_eq!((table.first(1), table.first(2), table.first(3)), (Some(Scalar::Integer(1)), None, None));
        assert_eq!((table.is_known(1), table.is_known(2)), (true, false));
        table.push(3, Scalar::Boolean(true)); // out of range: dropped
        assert_eq!(values(&table, 3), []);
    }

    #[test]
    fn a_slot_marked_as_empty_is_known_and_can_still_be_filled() {
        let mut table = SlotTable::default();
        table.begin(1);
        table.mark(0);
        assert!(table.is_known(0) && table.first(0).is_none());
        table.push(0, Scalar::Boolean(true));
        table.mark(0);
        assert_eq!(values(&table, 0), [Scalar::Boolean(true)]);
    }

    #[test]
    fn nothing_is_left_from_the_event_before_even_when_epochs_start_again() {
        let mut table = SlotTable::default();
        table.begin(2);
        table.push(1, Scalar::Boolean(true));
        table.epoch = u32::MAX - 1;
        for _ in 0..4 {
            table.begin(2);
            assert!(!table.is_known(1) && table.first(1).is_none());
            table.push(1, Scalar::Integer(7));
            assert_eq!(values(&table, 1), [Scalar::Integer(7)]);
        }
    }

    #[test]
    fn a_walk_lets_the_table_grow() {
        let mut table = SlotTable::default();
        table.begin(2);
        table.push(0, Scalar::Integer(1));
        table.push(0, Scalar::Integer(2));
        let mut walk = table.walk(0);
        while let Some(value) = table.step(&mut walk) {
            table.push(1, value);
        }
        assert_eq!(values(&table, 1), [1, 2].map(Scalar::Integer));
        assert!(table.step(&mut table.walk(5)).is_none());
    }

    #[test]
    fn texts_resolve_in_the_record_or_the_arena_and_never_panic() {
        let text = |text: Option<TextRef>| text.unwrap().resolve("récord", "arena").to_owned();
        assert_eq!(text(TextRef::record(3, 2)), "co");
        assert_eq!(text(TextRef::arena(1, 4)), "rena");
        assert_eq!(text(TextRef::record(2, 2)), "", "inside of a character");
        assert_eq!(text(TextRef::arena(4, 9)), "", "past the end");
        assert!(TextRef::record(usize::MAX, 0).is_none());
        let object = Scalar::Object(TextRef::record(0, 1).unwrap());
        assert!(matches!(object.datum("{", ""), Datum::Null));
    }
}
