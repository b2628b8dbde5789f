//! A plan: the rows of one kind of event, compiled to the slots that a decoder's fields need.

use super::derive::{self, Argument, Derivation, Digits, Input, Output, Run, Settings};
use super::expression::{Alternative, Group, Name, Source};
use super::table::{Row, Rows};
use super::unmapped;
use crate::layout::Envelope;
use quell_event::{
    EventState, Facts, FieldSet, ProjectionBuilder, Resolver, Scalar, Slot, TextRef, Want, walk,
};
use quell_ir::{Datum, Value};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// How many values a list that is made of several sources may have; further ones are dropped. Such lists are
/// `related.*` and their like. Their values are kept distinct, and a hostile record must not make that quadratic.
const MAX_DISTINCT: usize = 256;

/// How a field without a row is found.
pub(crate) enum Origin<'f> {
    /// The event data field of this name.
    EventData(&'f str),
    /// The user data field of this name.
    UserData(&'f str),
}

/// The source slots that plans need, and the projection that fills them.
pub(crate) struct Sources<'e> {
    envelope: &'e Envelope,
    slots: FxHashMap<(String, Want), usize>,
    projection: ProjectionBuilder,
}

impl<'e> Sources<'e> {
    pub(crate) fn new(envelope: &'e Envelope) -> Self {
        Sources { envelope, slots: FxHashMap::default(), projection: ProjectionBuilder::new() }
    }

    /// How many slots there are, and what fills them.
    pub(crate) fn finish(self) -> (usize, ProjectionBuilder) {
        (self.slots.len(), self.projection)
    }

    /// The slots of a part of the envelope, best first.
    pub(crate) fn part(&mut self, name: &str) -> Vec<Place> {
        let paths = self.envelope.part(name);
        paths.iter().map(|path| self.place(path, Want::Scalars)).collect()
    }

    fn place(&mut self, path: &str, want: Want) -> Place {
        let next = self.slots.len();
        let slot = *self.slots.entry((path.to_owned(), want)).or_insert_with(|| {
            self.projection.add(path, next, want);
            next
        });
        Place { slot, except: &[] }
    }

    fn data(&mut self, name: &str) -> Option<Place> {
        let path = self.envelope.data_path(name)?;
        let ambiguous = self.envelope.ambiguous.iter().find(|(known, _)| *known == name);
        let place = self.place(&path, Want::Scalars);
        Some(Place { except: ambiguous.map_or(&[], |(_, words)| *words), ..place })
    }

    fn named(&mut self, name: &Name) -> Vec<Place> {
        match name {
            Name::Part(part) => self.part(part),
            Name::Data(name) => self.data(name).into_iter().collect(),
            Name::Field(_) => Vec::new(), // a field is no source slot: `Planner::part`
        }
    }
}

/// A source slot, and words in it that are not the event's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) slot: usize,
    except: &'static [&'static str],
}

impl Place {
    /// Whether the value is one: not blank, not a dash alone, not the recorder's word.
    fn accepts(self, datum: Datum<'_>) -> bool {
        match datum {
            Datum::Null | Datum::Text("" | "-") => false,
            Datum::Text(text) => !self.except.contains(&text),
            _ => true,
        }
    }
}

/// Makes the ECS slots of one kind of event.
pub(crate) struct Plan {
    /// By ECS slot.
    recipes: Vec<Option<Recipe>>,
    settings: Arc<Settings>,
}

/// How one field is made.
enum Recipe {
    /// Always of these values.
    Constants(Vec<Value>),
    /// Of the first way that gives a value.
    First(Vec<Way>),
    /// Of the values of the first way of each group, every value once.
    Union(Vec<Vec<Way>>),
}

struct Way {
    start: Start,
    steps: Vec<Step>,
    /// The slot in the ECS table where the last values stand: a temporary one, or `None` for the field's own.
    target: Option<usize>,
}

enum Start {
    Constant(Value),
    FirstOf(Vec<Place>),
    /// All of these, put together in a temporary slot.
    Joined(Vec<Part>, usize),
    /// The member of this name in the user data, whatever element stands around it.
    UserData {
        place: Place,
        wrapped: bool,
        name: String,
    },
}

/// One part of what is joined.
enum Part {
    FirstOf(Vec<Place>),
    /// Another field of the event, made for this one alone.
    Field(Vec<Way>),
}

struct Step {
    derivation: &'static Derivation,
    argument: Argument,
    /// The slot in the ECS table that takes the values: a temporary one, or `None` for that of the way.
    target: Option<usize>,
}

/// Compiles plans for one decoder.
pub(crate) struct Planner<'p> {
    sources: Sources<'p>,
    fields: &'p FieldSet,
    settings: Arc<Settings>,
    /// The highest number of temporary slots that a plan uses. They come after the fields' slots.
    temporaries: usize,
    /// Those that the plan in the making uses.
    used: usize,
}

impl<'p> Planner<'p> {
    pub(crate) fn new(sources: Sources<'p>, fields: &'p FieldSet, settings: Settings) -> Self {
        Planner { sources, fields, settings: Arc::new(settings), temporaries: 0, used: 0 }
    }

    /// The sources, and how many slots the ECS table needs.
    pub(crate) fn finish(self) -> (Sources<'p>, usize) {
        (self.sources, self.fields.len() + self.temporaries)
    }

    /// The plan of these rows.
    pub(crate) fn plan(&mut self, rows: &Rows) -> Plan {
        self.used = 0;
        let fields = self.fields;
        let recipes = fields.iter().map(|(_, field)| self.recipe(field, rows)).collect();
        self.temporaries = self.temporaries.max(self.used);
        Plan { recipes, settings: Arc::clone(&self.settings) }
    }

    fn temporary(&mut self) -> usize {
        self.used += 1;
        self.fields.len() + self.used - 1
    }

    fn recipe(&mut self, field: &str, rows: &Rows) -> Option<Recipe> {
        let Some(Row { groups, .. }) = rows.get(field) else {
            let ways = match unmapped(field)? {
                Origin::EventData(name) => self.event_data(name),
                Origin::UserData(name) => self.user_data(name)?,
            };
            return (!ways.is_empty()).then_some(Recipe::First(ways));
        };
        let constants = groups.iter().map(|group| match group.alternatives.as_slice() {
            [Alternative { source: Source::Constant(value), .. }, ..] => Some(value.clone()),
            _ => None,
        });
        if let Some(constants) = constants.collect() {
            return Some(Recipe::Constants(constants));
        }
        let union = groups.len() > 1;
        let mut groups: Vec<Vec<Way>> =
            groups.iter().map(|group| self.group(group, union, Some(rows))).collect();
        groups.retain(|ways| !ways.is_empty());
        if union {
            return (!groups.is_empty()).then_some(Recipe::Union(groups));
        }
        groups.pop().map(Recipe::First)
    }

    /// The ways of a group, with slots of their own or into the field's. `rows` are those of the fields that it may name.
    fn group(&mut self, group: &Group, apart: bool, rows: Option<&Rows>) -> Vec<Way> {
        group.alternatives.iter().filter_map(|alternative| self.way(alternative, apart, rows)).collect()
    }

    /// `None` where the layout has no such source.
    fn way(
        &mut self,
        Alternative { source, steps }: &Alternative,
        apart: bool,
        rows: Option<&Rows>,
    ) -> Option<Way> {
        let start = match source {
            Source::Constant(value) => Start::Constant(value.clone()),
            Source::FirstOf(names) => {
                let places: Vec<Place> = names.iter().flat_map(|name| self.sources.named(name)).collect();
                (!places.is_empty()).then_some(Start::FirstOf(places))?
            }
            Source::Joined(names) => {
                let parts: Option<Vec<Part>> = names.iter().map(|name| self.part(name, rows)).collect();
                Start::Joined(parts?, self.temporary())
            }
        };
        let last = steps.len().saturating_sub(1);
        let steps = steps.iter().enumerate().map(|(at, step)| Step {
            derivation: step.derivation,
            argument: step.argument.clone(),
            target: (at < last).then(|| self.temporary()),
        });
        let steps = steps.collect();
        Some(Way { start, steps, target: apart.then(|| self.temporary()) })
    }

    /// A part of what is joined. A field that is named by another names none itself, so this ends.
    fn part(&mut self, name: &Name, rows: Option<&Rows>) -> Option<Part> {
        let Name::Field(field) = name else {
            let places = self.sources.named(name);
            return (!places.is_empty()).then_some(Part::FirstOf(places));
        };
        let [group] = rows?.get(field)?.groups.as_slice() else { return None };
        let ways = self.group(group, true, None);
        (!ways.is_empty()).then_some(Part::Field(ways))
    }

    fn event_data(&mut self, name: &str) -> Vec<Way> {
        let step = |derivation, argument, target| Step { derivation, argument, target };
        let named = self.sources.data(name).map(|place| Way {
            start: Start::FirstOf(vec![place]),
            steps: vec![step(&derive::TEXT, Argument::None, None)],
            target: None,
        });
        let mut ways: Vec<Way> = named.into_iter().collect();
        // Unnamed data are param1, param2 and so on in Elastic's documents.
        let number = name.strip_prefix("param").and_then(|digits| digits.parse().ok());
        if let (Some(number @ 1..), Some(path)) = (number, self.sources.envelope.unnamed_data) {
            let place = self.sources.place(path, Want::Scalars);
            let nth = step(&derive::NTH, Argument::Number(number), Some(self.temporary()));
            ways.push(Way {
                start: Start::FirstOf(vec![place]),
                steps: vec![nth, step(&derive::TEXT, Argument::None, None)],
                target: None,
            });
        }
        ways
    }

    fn user_data(&mut self, name: &str) -> Option<Vec<Way>> {
        let (path, wrapped) = self.sources.envelope.user_data?;
        let place = self.sources.place(path, Want::Subtree);
        let start = Start::UserData { place, wrapped, name: name.to_owned() };
        Some(vec![Way { start, steps: Vec::new(), target: None }])
    }
}

impl Resolver for Plan {
    fn resolve(&self, slot: Slot, record: &str, facts: &dyn Facts, state: &mut EventState) {
        let Some(Some(recipe)) = self.recipes.get(slot.index()) else { return };
        let mut run = Running { record, state, facts, settings: &self.settings, slot: slot.index() };
        match recipe {
            Recipe::Constants(values) => {
                for value in values {
                    run.constant(value, run.slot);
                }
            }
            Recipe::First(ways) => {
                let _ = run.first(ways);
            }
            Recipe::Union(groups) => {
                for ways in groups {
                    if let Some(slot) = run.first(ways) {
                        run.unite(slot);
                    }
                }
            }
        }
    }
}

/// One field of one event in the making.
struct Running<'r> {
    record: &'r str,
    state: &'r mut EventState,
    facts: &'r dyn Facts,
    settings: &'r Settings,
    /// The field's slot.
    slot: usize,
}

/// Where a step reads.
#[derive(Clone, Copy)]
enum From {
    Source(Place),
    Ecs(usize),
}

impl Running<'_> {
    /// Goes the ways until one gives a value, and tells where it stands.
    fn first(&mut self, ways: &[Way]) -> Option<usize> {
        ways.iter().find_map(|way| {
            let target = way.target.unwrap_or(self.slot);
            self.go(way, target);
            self.state.ecs.first(target).is_some().then_some(target)
        })
    }

    fn go(&mut self, way: &Way, target: usize) {
        let mut from = match &way.start {
            Start::Constant(value) => return self.constant(value, target),
            Start::UserData { place, wrapped, name } => {
                return self.user_data(*place, *wrapped, name, target);
            }
            Start::FirstOf(places) => {
                let Some(place) = places.iter().find(|place| self.value_at(**place).is_some()) else {
                    return;
                };
                From::Source(*place)
            }
            Start::Joined(parts, joined) => {
                self.join(parts, *joined);
                From::Ecs(*joined)
            }
        };
        for step in &way.steps {
            let target = step.target.unwrap_or(target);
            self.step(step, from, target);
            from = From::Ecs(target);
        }
    }

    /// The first value of a source slot that is one.
    fn value_at(&self, place: Place) -> Option<Scalar> {
        let EventState { source, arena, .. } = &*self.state;
        source.values(place.slot).find(|value| place.accepts(value.datum(self.record, arena)))
    }

    fn step(&mut self, step: &Step, from: From, target: usize) {
        let EventState { source, ecs, arena, scratch, .. } = &mut *self.state;
        let mut at = match from {
            From::Source(place) => source.walk(place.slot),
            From::Ecs(slot) => ecs.walk(slot),
        };
        let (mut index, mut accepted) = (0, 0);
        loop {
            let next = match from {
                From::Source(_) => source.step(&mut at),
                From::Ecs(_) => ecs.step(&mut at),
            };
            let Some(scalar) = next else { break };
            let datum = scalar.datum(self.record, arena);
            let is_value = match from {
                From::Source(place) => place.accepts(datum),
                From::Ecs(_) => !datum.is_null(),
            };
            accepted += usize::from(is_value);
            match step.derivation.run {
                Run::Each(run) if is_value => {
                    let mut digits;
                    let (text, whole) = match (datum, scalar) {
                        (Datum::Text(text), Scalar::Text(whole)) => (text, Some((whole, text))),
                        _ => {
                            digits = Digits::new();
                            (digits.of(datum), None)
                        }
                    };
                    let input = Input { scalar, datum, text, settings: self.settings, facts: self.facts };
                    let arena_len = arena.len();
                    let mut output =
                        Output { input: whole, table: &mut *ecs, slot: target, scratch, arena_len };
                    run(&input, &step.argument, &mut output);
                    arena.push_str(scratch);
                    scratch.clear();
                }
                Run::Select(accept) if is_value && accept(index, &step.argument) => ecs.push(target, scalar),
                Run::Each(_) | Run::Select(_) | Run::Total(_) => {}
            }
            index += 1;
        }
        if let Run::Total(total) = step.derivation.run
            && accepted > 0
        {
            ecs.push(target, total(accepted));
        }
    }

    fn constant(&mut self, value: &Value, target: usize) {
        let scalar = match value {
            Value::Null => None,
            Value::Boolean(b) => Some(Scalar::Boolean(*b)),
            Value::Integer(n) => Some(Scalar::Integer(*n)),
            Value::Unsigned(n) => Some(Scalar::Unsigned(*n)),
            Value::Float(n) => Some(Scalar::Float(*n)),
            Value::Text(text) => self.state.store_text(text).map(Scalar::Text),
        };
        if let Some(scalar) = scalar {
            self.state.ecs.push(target, scalar);
        }
    }

    /// Puts the first values of all parts into a slot, a tab between them; nothing where one is missing.
    fn join(&mut self, parts: &[Part], target: usize) {
        // Making a field uses the scratch buffer: the fields are made before it is written to.
        let made = parts.iter().all(|part| match part {
            Part::FirstOf(_) => true,
            Part::Field(ways) => self.made(ways).is_some() || self.first(ways).is_some(),
        });
        let mut scratch = std::mem::take(&mut self.state.scratch);
        let all = made
            && parts.iter().enumerate().all(|(at, part)| {
                let value = match part {
                    Part::FirstOf(places) => places.iter().find_map(|place| self.value_at(*place)),
                    Part::Field(ways) => self.made(ways),
                };
                let Some(value) = value else { return false };
                if at > 0 {
                    scratch.push('\t');
                }
                scratch.push_str(Digits::new().of(value.datum(self.record, &self.state.arena)));
                true
            });
        if all && let Some(text) = self.state.store_text(&scratch) {
            self.state.ecs.push(target, Scalar::Text(text));
        }
        scratch.clear();
        self.state.scratch = scratch;
    }

    /// The first value of a field that was made by one of these ways.
    fn made(&self, ways: &[Way]) -> Option<Scalar> {
        ways.iter().find_map(|way| self.state.ecs.first(way.target?))
    }

    /// Finds a member by name in an object, or in the objects in it. This reads the object anew: it is for the few rules
    /// that ask for it.
    fn user_data(&mut self, place: Place, wrapped: bool, name: &str, target: usize) {
        let EventState { source, ecs, arena, scratch, .. } = &mut *self.state;
        for value in source.values(place.slot) {
            let Scalar::Object(object) = value else { continue };
            let arena_len = arena.len();
            let mut take = |path: &str, datum: Datum<'_>| {
                let member =
                    if wrapped { path.split_once('.').map(|(_, member)| member) } else { Some(path) };
                if member == Some(name) && place.accepts(datum) {
                    let start = scratch.len();
                    scratch.push_str(Digits::new().of(datum));
                    if let Some(text) = TextRef::arena(arena_len + start, scratch.len() - start) {
                        ecs.push(target, Scalar::Text(text));
                    }
                }
            };
            // The record was read before: what is wrong in it was reported.
            let _ = walk(object.resolve(self.record, arena), &mut take);
            arena.push_str(scratch);
            scratch.clear();
        }
    }

    /// Moves the values of a temporary slot to the field's, but for those that it has.
    fn unite(&mut self, from: usize) {
        let EventState { ecs, arena, .. } = &mut *self.state;
        let mut at = ecs.walk(from);
        while let Some(value) = ecs.step(&mut at) {
            let text = |value: Scalar| match value {
                Scalar::Text(text) => Some(text.resolve(self.record, arena)),
                _ => None,
            };
            let mut count = 0;
            let known = ecs.values(self.slot).any(|other| {
                count += 1;
                other == value || (text(value).is_some() && text(other) == text(value))
            });
            if count >= MAX_DISTINCT {
                return;
            }
            if !known {
                ecs.push(self.slot, value);
            }
        }
    }
}
