//! One event in view: a record, its slots, and the resolver that makes ECS slots from source slots.

use crate::projection::Frame;
use crate::walk::walk;
use crate::{Facts, NoFacts, ProjectionError, Scalar, Slot, SlotTable, TextRef};
use quell_ir::Datum;
use std::cell::OnceCell;

/// Buffers for one event at a time, reused from event to event by one thread.
#[derive(Debug, Default)]
pub struct EventState {
    /// What the projection found, by source slot.
    pub source: SlotTable,
    /// What was made of it, by ECS slot.
    pub ecs: SlotTable,
    /// Derived and unescaped text.
    pub arena: String,
    /// Text that a derivation writes while it reads the arena; empty between derivations.
    pub scratch: String,
    /// What the projection is inside of.
    pub(crate) frames: Vec<Frame>,
}

impl EventState {
    /// Forgets the last event and makes room for so many slots.
    pub fn begin(&mut self, source_slots: usize, ecs_slots: usize) {
        self.source.begin(source_slots);
        self.ecs.begin(ecs_slots);
        self.arena.clear();
    }

    /// Puts text into the arena; empty past 4 GiB.
    pub fn store_text(&mut self, text: &str) -> Option<TextRef> {
        let start = self.arena.len();
        self.arena.push_str(text);
        TextRef::arena(start, text.len())
    }
}

/// Makes the ECS slots of one kind of record.
pub trait Resolver: Sync {
    /// Fills one ECS slot from the source slots, and from the facts where these do not do: pushes its values to
    /// `state.ecs`, or marks it empty.
    fn resolve(&self, slot: Slot, record: &str, facts: &dyn Facts, state: &mut EventState);
}

/// Makes the whole ECS document of a record, for tests that name no field.
pub trait Whole: Sync {
    /// The document's JSON text; `None` where there is none.
    fn document(&self, record: &str, facts: &dyn Facts) -> Option<String>;
}

/// An event that conditions can be tested on.
pub struct Event<'a> {
    record: &'a str,
    state: &'a mut EventState,
    /// `None`: the record is an ECS document, and source slots are ECS slots.
    resolver: Option<&'a dyn Resolver>,
    facts: &'a dyn Facts,
    whole: Option<&'a dyn Whole>,
    /// The whole document, made when it is first asked for.
    document: OnceCell<Option<String>>,
}

impl<'a> Event<'a> {
    /// A view of a record whose source slots are filled. Without a resolver, source slot n is ECS slot n.
    #[must_use]
    pub fn new(record: &'a str, state: &'a mut EventState, resolver: Option<&'a dyn Resolver>) -> Self {
        Event { record, state, resolver, facts: &NoFacts, whole: None, document: OnceCell::new() }
    }

    /// The same, with facts that its resolver may ask for.
    #[must_use]
    pub fn with_facts(self, facts: &'a dyn Facts) -> Self {
        Event { facts, ..self }
    }

    /// The same, with what makes its whole document.
    #[must_use]
    pub fn with_whole(self, whole: &'a dyn Whole) -> Self {
        Event { whole: Some(whole), ..self }
    }

    /// Calls `visit` with the dotted path and the value of every scalar of its ECS document but nulls. Slow: for tests that
    /// name no field.
    ///
    /// # Errors
    /// Where the document nests too deeply; what stands before was visited.
    pub fn walk(&self, visit: &mut dyn FnMut(&str, Datum<'_>)) -> Result<(), ProjectionError> {
        if self.resolver.is_none() {
            return walk(self.record, visit);
        }
        let make = || self.whole.and_then(|whole| whole.document(self.record, self.facts));
        self.document.get_or_init(make).as_deref().map_or(Ok(()), |document| walk(document, visit))
    }

    /// The record's JSON text.
    #[must_use]
    pub fn record(&self) -> &'a str {
        self.record
    }

    /// The values of a field, made now if nobody asked before.
    pub fn values(&mut self, slot: Slot) -> Values<'_> {
        self.prepare(slot);
        self.prepared(slot)
    }

    /// Makes the values of a field unless that was done before, so that several fields can be read side by side with
    /// [`Event::prepared`].
    pub fn prepare(&mut self, slot: Slot) {
        if let Some(resolver) = self.resolver
            && !self.state.ecs.is_known(slot.index())
        {
            resolver.resolve(slot, self.record, self.facts, self.state);
            self.state.ecs.mark(slot.index());
        }
    }

    /// The values of a field that was prepared; empty if it was not.
    #[must_use]
    pub fn prepared(&self, slot: Slot) -> Values<'_> {
        let table = if self.resolver.is_some() { &self.state.ecs } else { &self.state.source };
        Values {
            first: table.first(slot.index()),
            table,
            slot,
            record: self.record,
            arena: &self.state.arena,
        }
    }
}

/// The values of one field: a list, empty where the field is absent.
#[derive(Clone, Copy)]
pub struct Values<'e> {
    table: &'e SlotTable,
    slot: Slot,
    first: Option<Scalar>,
    record: &'e str,
    arena: &'e str,
}

impl<'e> Values<'e> {
    /// Whether the field has no value. A subtree slot that holds an object has one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// The first value, or null.
    #[must_use]
    pub fn first(&self) -> Datum<'e> {
        self.first.map_or(Datum::Null, |value| value.datum(self.record, self.arena))
    }

    /// The values in order.
    pub fn iter(&self) -> impl Iterator<Item = Datum<'e>> + Clone + use<'e> {
        let (record, arena) = (self.record, self.arena);
        self.table.values(self.slot.index()).map(move |value| value.datum(record, arena))
    }

    /// The raw JSON of the objects in a subtree slot.
    pub fn objects(&self) -> impl Iterator<Item = &'e str> + Clone + use<'e> {
        let (record, arena) = (self.record, self.arena);
        self.table.values(self.slot.index()).filter_map(move |value| match value {
            Scalar::Object(text) => Some(text.resolve(record, arena)),
            _ => None,
        })
    }
}
