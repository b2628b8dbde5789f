//! References to fields.

use crate::FieldType;
use std::sync::Arc;

/// Whose field it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// The event that is tested.
    Event,
    /// The event of an earlier step of the sequence, by the step's index (Endpoint's `as event0`). A leaf with such a
    /// field is deferred: matching leaves it open and correlation decides it.
    Step(u16),
    /// The element of the innermost object scope around it, 0 being the innermost (`_arraysearch`, KQL nested).
    Element(u16),
}

/// A field of an event, a step or an element.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldRef {
    /// Whose field it is.
    pub scope: Scope,
    /// The dotted path; empty for an element that is itself the value (`$var` alone).
    pub path: Arc<str>,
    /// The type by the schema, or [`FieldType::Unknown`].
    pub kind: FieldType,
}

impl FieldRef {
    /// A field of the event.
    #[must_use]
    pub fn event(path: impl Into<Arc<str>>, kind: FieldType) -> Self {
        FieldRef { scope: Scope::Event, path: path.into(), kind }
    }
}
