//! Decoding: from a record of any layout to an event whose fields are made when they are asked for.
//!
//! A decoder is compiled for one layout and one set of fields. One pass of the projection fills the source slots that these
//! fields can need; then provider and event id choose a plan, and the plan makes a field from its sources the first time
//! that a rule reads it. Nothing is allocated for an event once the buffers have grown.

use crate::layout::Envelope;
use crate::mapping::Mappings;
use crate::mapping::derive::{Settings, integer};
use crate::mapping::plan::{Place, Plan, Planner, Sources};
use crate::{DocumentDecoder, Layout};
use jiff::tz::TimeZone;
use quell_event::{
    Event, EventState, Facts, FieldSet, Projection, ProjectionBuilder, Resolver, Slot, Want, Whole,
};
use quell_ir::Datum;
use rustc_hash::FxHashMap;
use std::sync::OnceLock;
use thiserror::Error;

/// What the user decides of decoding.
#[derive(Clone, Debug)]
pub struct DecodeOptions {
    /// The time zone of times that name none, such as NXLog's `EventTime`.
    pub timezone: TimeZone,
}

impl Default for DecodeOptions {
    /// UTC.
    fn default() -> Self {
        DecodeOptions { timezone: TimeZone::UTC }
    }
}

/// Why a record is no event.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{message} at byte {offset}")]
pub struct DecodeError {
    /// Where, in bytes from the record's start.
    pub offset: usize,
    /// What is wrong.
    pub message: String,
}

impl From<quell_event::ProjectionError> for DecodeError {
    fn from(error: quell_event::ProjectionError) -> Self {
        DecodeError { offset: error.offset, message: error.kind.to_string() }
    }
}

/// Makes events of records.
pub struct Decoder {
    layout: Layout,
    options: DecodeOptions,
    /// What makes whole documents, once one is asked for.
    documents: OnceLock<Box<DocumentDecoder>>,
    projection: Projection,
    source_slots: usize,
    ecs_slots: usize,
    /// `None` for ECS documents, whose source slots are their ECS slots.
    windows: Option<WindowsPlans>,
}

impl Decoder {
    /// A decoder for records of one layout, of which these fields are read.
    #[must_use]
    pub fn new(layout: Layout, fields: &FieldSet, options: &DecodeOptions) -> Decoder {
        Self::with_subtrees(layout, fields, &|_| false, options)
    }

    /// The same, where some slots take whole objects too (for conditions on the elements of a list).
    #[must_use]
    pub fn with_subtrees(
        layout: Layout,
        fields: &FieldSet,
        subtree: &dyn Fn(Slot) -> bool,
        options: &DecodeOptions,
    ) -> Decoder {
        match layout.envelope() {
            None => Self::identity(layout, fields, subtree, options),
            Some(envelope) => Self::windows(layout, envelope, fields, options),
        }
    }

    fn identity(
        layout: Layout,
        fields: &FieldSet,
        subtree: &dyn Fn(Slot) -> bool,
        options: &DecodeOptions,
    ) -> Decoder {
        let mut projection = ProjectionBuilder::new();
        for (slot, path) in fields.iter() {
            projection.add(path, slot.index(), if subtree(slot) { Want::Subtree } else { Want::Scalars });
        }
        Decoder {
            layout,
            options: options.clone(),
            documents: OnceLock::new(),
            projection: projection.build(),
            source_slots: fields.len(),
            ecs_slots: 0,
            windows: None,
        }
    }

    fn windows(
        layout: Layout,
        envelope: &'static Envelope,
        fields: &FieldSet,
        options: &DecodeOptions,
    ) -> Decoder {
        let settings = Settings { timezone: options.timezone.clone() };
        let mut sources = Sources::new(envelope);
        let key = EventKey {
            provider: sources.part("System.Provider.Name"),
            guid: sources.part("System.Provider.Guid"),
            channel: sources.part("System.Channel"),
            event_id: sources.part("System.EventID"),
        };
        let mut planner = Planner::new(sources, fields, settings);
        let mappings = Mappings::embedded();
        let providers = mappings.providers.iter().map(|provider| ProviderPlans {
            every: planner.plan(&provider.every),
            events: provider.events.iter().map(|(id, rows)| (*id, planner.plan(rows))).collect(),
        });
        let providers = providers.collect();
        let every = planner.plan(&mappings.every);
        let (sources, ecs_slots) = planner.finish();
        let (source_slots, projection) = sources.finish();
        let windows = WindowsPlans { mappings, key, providers, every };
        Decoder {
            layout,
            options: options.clone(),
            documents: OnceLock::new(),
            projection: projection.build(),
            source_slots,
            ecs_slots,
            windows: Some(windows),
        }
    }

    /// Reads a record. Its fields are made when they are asked for, of the record and of what is known besides.
    ///
    /// # Errors
    /// Where the record is no JSON object or passes a limit of the projection.
    pub fn decode<'a>(
        &'a self,
        record: &'a str,
        state: &'a mut EventState,
        facts: &'a dyn Facts,
    ) -> Result<Event<'a>, DecodeError> {
        state.begin(self.source_slots, self.ecs_slots);
        self.projection.project(record, state)?;
        let resolver = self.windows.as_ref().map(|windows| windows.choose(record, state) as &dyn Resolver);
        Ok(Event::new(record, state, resolver).with_facts(facts).with_whole(self))
    }
}

impl Whole for Decoder {
    fn document(&self, record: &str, facts: &dyn Facts) -> Option<String> {
        let documents =
            self.documents.get_or_init(|| Box::new(DocumentDecoder::new(self.layout, &self.options)));
        let document = documents.document(record, facts).ok()?;
        Some(serde_json::Value::Object(document).to_string())
    }
}

/// The plans of all Windows events, and what chooses among them.
struct WindowsPlans {
    mappings: &'static Mappings,
    key: EventKey,
    providers: Vec<ProviderPlans>,
    /// For events of providers that have no mapping.
    every: Plan,
}

struct ProviderPlans {
    every: Plan,
    events: FxHashMap<i64, Plan>,
}

/// The source slots by which an event's plan is chosen.
struct EventKey {
    provider: Vec<Place>,
    guid: Vec<Place>,
    channel: Vec<Place>,
    event_id: Vec<Place>,
}

impl WindowsPlans {
    /// By the provider's name or GUID; by the channel only where the record names no provider, since other providers write to
    /// the same channel.
    fn choose(&self, record: &str, state: &EventState) -> &Plan {
        let first = |places: &[Place]| {
            let mut values = places.iter().filter_map(|place| state.source.first(place.slot));
            values.next().map_or(Datum::Null, |value| value.datum(record, &state.arena))
        };
        let text = |places: &[Place]| first(places).as_text().filter(|text| !text.is_empty());
        let (name, guid) = (text(&self.key.provider), text(&self.key.guid));
        let by_provider = name
            .and_then(|name| self.mappings.by_name.get(name))
            .or_else(|| self.mappings.by_guid.get(guid?));
        let number = match (name, guid) {
            (None, None) => text(&self.key.channel).and_then(|channel| self.mappings.by_channel.get(channel)),
            _ => by_provider,
        };
        let Some(provider) = number.and_then(|number| self.providers.get(*number)) else {
            return &self.every;
        };
        let id = match first(&self.key.event_id) {
            Datum::Integer(id) => Some(id),
            Datum::Text(id) => integer(id),
            _ => None,
        };
        id.and_then(|id| provider.events.get(&id)).unwrap_or(&provider.every)
    }
}
