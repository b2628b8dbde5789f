//! The truth table: what is known of each predicate for the present event.
//!
//! Every cell holds the epoch in which it was written, so nothing is cleared from event to event.

/// The number of an interned predicate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PredicateId(pub(crate) u32);

impl PredicateId {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Stamps with the epoch in which each was set.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    epoch: u32,
    marks: Vec<u32>,
}

impl Marks {
    pub(crate) fn new(count: usize) -> Marks {
        Marks { epoch: 0, marks: vec![0; count] }
    }

    /// Forgets all marks.
    pub(crate) fn begin(&mut self) {
        self.epoch = self.epoch.wrapping_add(1);
        if self.epoch == 0 {
            self.marks.fill(0); // an old epoch would look like the present one
            self.epoch = 1;
        }
    }

    /// Sets a mark; says whether it was not set before. Marks that do not exist count as set.
    pub(crate) fn set(&mut self, at: usize) -> bool {
        match self.marks.get_mut(at) {
            Some(mark) if *mark != self.epoch => {
                *mark = self.epoch;
                true
            }
            _ => false,
        }
    }
}

/// A boolean for each predicate, or nothing.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    /// At most 31 bits: a cell is the epoch, then the value.
    epoch: u32,
    cells: Vec<u32>,
}

impl Truth {
    pub(crate) fn new(predicates: usize) -> Truth {
        Truth { epoch: 0, cells: vec![0; predicates] }
    }

    /// Forgets all answers.
    pub(crate) fn begin(&mut self) {
        self.epoch += 1;
        if self.epoch > u32::MAX >> 1 {
            self.cells.fill(0);
            self.epoch = 1;
        }
    }

    #[inline]
    pub(crate) fn get(&self, id: PredicateId) -> Option<bool> {
        let cell = *self.cells.get(id.index())?;
        (cell >> 1 == self.epoch).then_some(cell & 1 == 1)
    }

    #[inline]
    pub(crate) fn set(&mut self, id: PredicateId, value: bool) {
        if let Some(cell) = self.cells.get_mut(id.index()) {
            *cell = self.epoch << 1 | u32::from(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Marks, PredicateId, Truth};

    #[test]
    fn answers_last_for_one_event_even_when_epochs_start_over() {
        let mut truth = Truth { epoch: (u32::MAX >> 1) - 1, cells: vec![0; 1] };
        let id = PredicateId(0);
        for value in [true, false, true] {
            truth.begin();
            assert_eq!(truth.get(id), None);
            truth.set(id, value);
            assert_eq!(truth.get(id), Some(value));
        }
        assert_eq!(truth.get(PredicateId(9)), None);
    }

    #[test]
    fn marks_last_for_one_event_even_when_epochs_start_over() {
        let mut marks = Marks { epoch: u32::MAX - 1, marks: vec![0; 1] };
        for _ in 0..3 {
            marks.begin();
            assert!(marks.set(0));
            assert!(!marks.set(0));
        }
        assert!(!marks.set(9));
    }
}
