//! Field interning: the fields that a compiled rule set needs, numbered.

use rustc_hash::FxHashMap;
use std::sync::Arc;

/// The number of a field within a [`FieldSet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(u32);

impl Slot {
    /// The slot with this number.
    #[must_use]
    pub fn new(index: u32) -> Self {
        Slot(index)
    }

    /// The number, from 0.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Distinct field paths in the order in which they were asked for.
#[derive(Clone, Debug, Default)]
pub struct FieldSet {
    names: Vec<Arc<str>>,
    slots: FxHashMap<Arc<str>, Slot>,
}

impl FieldSet {
    /// The slot of a path; the same path always has the same slot.
    ///
    /// Rule sets hold some thousand fields; past 2^32 every further path shares the last slot.
    pub fn intern(&mut self, path: &str) -> Slot {
        if let Some(slot) = self.slots.get(path) {
            return *slot;
        }
        let slot = Slot(u32::try_from(self.names.len()).unwrap_or(u32::MAX));
        let name: Arc<str> = path.into();
        self.names.push(Arc::clone(&name));
        self.slots.insert(name, slot);
        slot
    }

    /// The slot of a path that was interned.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<Slot> {
        self.slots.get(path).copied()
    }

    /// The path of a slot; empty for a slot of another set.
    #[must_use]
    pub fn name(&self, slot: Slot) -> &str {
        self.names.get(slot.index()).map_or("", |name| name)
    }

    /// How many fields there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Slots and paths in order.
    pub fn iter(&self) -> impl Iterator<Item = (Slot, &str)> {
        (0u32..).map(Slot).zip(self.names.iter().map(|name| &**name))
    }
}

#[cfg(test)]
mod tests {
    use super::{FieldSet, Slot};

    #[test]
    fn a_path_keeps_its_slot() {
        let mut fields = FieldSet::default();
        assert!(fields.is_empty());
        let (a, b) = (fields.intern("a"), fields.intern("a.b"));
        assert_eq!((a.index(), b.index(), fields.intern("a"), fields.len()), (0, 1, a, 2));
        assert_eq!((fields.get("a.b"), fields.get("b")), (Some(b), None));
        assert_eq!((fields.name(b), fields.name(Slot::new(9))), ("a.b", ""));
        assert_eq!(fields.iter().collect::<Vec<_>>(), [(a, "a"), (b, "a.b")]);
    }
}
