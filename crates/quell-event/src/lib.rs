//! Events: schemas, field interning, slots, and the projection of JSON records onto slots.
//!
//! A record is JSON text. The projection fills its *source slots* in one pass; *ECS slots* are made from them lazily by a
//! [`Resolver`], the compiled row of a mapping, once the record's channel and event id are known. Where a record is an
//! ECS document already, both spaces are one.

mod cursor;
mod event;
mod facts;
mod fields;
mod index_names;
mod projection;
mod record;
mod scan;
mod schema;
mod slots;
mod walk;

pub use cursor::decode_escape;
pub use event::{Event, EventState, Resolver, Values, Whole};
pub use facts::{Facts, KnownProcess, NoFacts, PartOfLife};
pub use fields::{FieldSet, Slot};
pub use index_names::{EventIndex, beat_of, index_names};
pub use projection::{
    MAX_DEPTH, MAX_SEGMENTS, MAX_VALUES, Projection, ProjectionBuilder, ProjectionError, ProjectionErrorKind,
    Want,
};
pub use record::{Position, RecordRef, RecordText};
pub use schema::{EcsSchema, RowError, RowErrorReason};
pub use slots::{Scalar, SlotTable, SlotWalk, TextRef};
pub use walk::walk;
