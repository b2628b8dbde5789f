//! The projection: one pass over a record's JSON text that fills source slots and reads past all else.
//!
//! A path names a leaf however its segments are spread over nested objects and dotted keys, and arrays on the way are
//! walked into; these are Elasticsearch's rules for indexing documents ("Arrays", "Object field type", "dots in field
//! names"). So every node of the tree of wanted paths knows all its descendants by their relative dotted path, and a
//! key costs one look-up whether it has dots or not.

use crate::cursor::{Cursor, RawText, Read, error, unescape};
use crate::{EventState, Scalar, SlotTable, TextRef};
use std::collections::BTreeMap;
use thiserror::Error;

/// How deep the objects and arrays of wanted fields may nest. What is not wanted may nest to any depth.
pub const MAX_DEPTH: usize = 128;
/// How many values one record may put into slots.
pub const MAX_VALUES: usize = 1_000_000;
/// How many segments a wanted path may have; a longer one matches nothing. Elasticsearch refuses mappings of more
/// than 20 by default.
pub const MAX_SEGMENTS: usize = 64;

/// Why a record could not be read.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{kind} at byte {offset}")]
pub struct ProjectionError {
    /// Where, in bytes from the record's start.
    pub offset: usize,
    /// What is wrong.
    pub kind: ProjectionErrorKind,
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq, Hash)]
pub enum ProjectionErrorKind {
    /// The text ends inside of the record.
    #[error("the record ends too early")]
    Truncated,
    /// A byte that cannot stand there.
    #[error("this is not JSON")]
    BadToken,
    /// A backslash and what is no escape.
    #[error("this escape is not JSON")]
    BadEscape,
    /// A number that no 64-bit float can hold.
    #[error("the number is out of range")]
    NumberOutOfRange,
    /// The record is some other value than an object.
    #[error("the record is not a JSON object")]
    NotAnObject,
    /// Something stands behind the record.
    #[error("there is text behind the record")]
    TrailingText,
    /// Wanted fields nest deeper than [`MAX_DEPTH`].
    #[error("objects and arrays are nested more than {MAX_DEPTH} deep")]
    TooDeep,
    /// More values than [`MAX_VALUES`].
    #[error("the record has more than {MAX_VALUES} values")]
    TooManyValues,
    /// The record, or the text decoded from it, passes 4 GiB.
    #[error("the record is longer than 4 GiB")]
    TooLong,
}

/// What is wanted of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Want {
    /// The scalars at the path.
    Scalars,
    /// The scalars, and the objects as raw text ([`Scalar::Object`]). Only an object that stands in the record as one
    /// is found: `{"a.b":1}` holds no object `a`.
    Subtree,
}

/// Collects wanted paths.
#[derive(Clone, Debug, Default)]
pub struct ProjectionBuilder {
    wanted: BTreeMap<String, Vec<(Want, usize)>>,
}

impl ProjectionBuilder {
    /// No paths.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Wants the values at a dotted path in a slot. A path may be wanted in several slots. A path with an empty
    /// segment, or with more than [`MAX_SEGMENTS`], matches nothing.
    pub fn add(&mut self, path: &str, slot: usize, want: Want) {
        if path.split('.').any(str::is_empty) || path.split('.').nth(MAX_SEGMENTS).is_some() {
            return;
        }
        let slots = self.wanted.entry(path.to_owned()).or_default();
        if !slots.contains(&(want, slot)) {
            slots.push((want, slot));
        }
    }

    /// The projection onto the paths so far.
    #[must_use]
    pub fn build(self) -> Projection {
        let mut projection = Projection::default();
        let paths: Vec<&str> = prefixes(&self.wanted).into_iter().collect();
        for path in &paths {
            projection.add_node(path, &self.wanted);
        }
        projection.build_tables(&paths);
        projection
    }
}

/// All paths and the paths above them, sorted; the first is the empty one, that of the record.
fn prefixes(wanted: &BTreeMap<String, Vec<(Want, usize)>>) -> std::collections::BTreeSet<&str> {
    wanted
        .keys()
        .flat_map(|path| {
            let above = path.match_indices('.').filter_map(|(dot, _)| path.get(..dot));
            above.chain([path.as_str()])
        })
        .chain([""])
        .collect()
}

/// Compiled wanted paths. Cheap to share between threads.
#[derive(Clone, Debug, Default)]
pub struct Projection {
    /// Node 0 is the record itself.
    nodes: Vec<Node>,
    /// The full paths of all nodes, one after the other; keys are ends of them.
    paths: String,
    /// The tables of all nodes. The first place stays empty: it is the table of nodes with nothing below.
    tables: Vec<Entry>,
    slots: Vec<usize>,
}

/// A wanted path or one above it.
#[derive(Clone, Copy, Debug)]
struct Node {
    /// Where its table of descendants begins.
    table: u32,
    /// The table's size less one; 0 if nothing is below.
    mask: u32,
    /// A key's entry is looked for from `hash >> shift` on.
    shift: u32,
    /// All slots that want scalars.
    slots: Range,
    /// Those of them that want objects too.
    subtrees: Range,
}

impl Node {
    #[inline(always)]
    fn has_descendants(&self) -> bool {
        self.mask != 0
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Range {
    start: u32,
    end: u32,
}

impl Range {
    #[inline(always)]
    fn is_empty(self) -> bool {
        self.start == self.end
    }

    #[inline(always)]
    fn of<T>(self, list: &[T]) -> &[T] {
        list.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// An entry of a node's open-addressing table: a descendant by its relative path.
#[derive(Clone, Copy, Debug)]
struct Entry {
    print: Print,
    node: u32,
    /// Where the key stands in `paths`.
    start: u32,
}

impl Entry {
    /// No key is so long.
    const EMPTY: Entry = Entry { print: Print { low: 0, high: 0, len: u32::MAX }, node: 0, start: 0 };

    #[inline(always)]
    fn is_empty(&self) -> bool {
        self.print.len == u32::MAX
    }
}

/// A key's length and first sixteen bytes, filled up with zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Print {
    low: u64,
    high: u64,
    len: u32,
}

impl Print {
    /// How many bytes a print holds.
    const WHOLE: usize = 16;

    /// The print of the first `len` bytes.
    #[inline(always)]
    #[allow(
        clippy::cast_possible_truncation,
        reason = "keys are shorter than 4 GiB, and a word is split in halves"
    )]
    fn of(bytes: &[u8], len: usize) -> Print {
        let both = match bytes.first_chunk() {
            Some(chunk) => u128::from_le_bytes(*chunk),
            None => short_word(bytes),
        };
        let mask = MASKS.get(len.min(Print::WHOLE)).copied().unwrap_or_default();
        let both = both & mask;
        Print { low: both as u64, high: (both >> 64) as u64, len: len as u32 }
    }

    #[inline(always)]
    fn hash(self) -> u64 {
        (self.low ^ self.high.rotate_left(21) ^ (u64::from(self.len) << 56))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// The low n bytes of a word, by n.
const MASKS: [u128; Print::WHOLE + 1] = {
    let mut masks = [u128::MAX; Print::WHOLE + 1];
    let mut rest: &mut [u128] = &mut masks;
    let mut mask = 0;
    while let [first, behind @ ..] = rest {
        *first = mask;
        mask = mask << 8 | 0xff;
        rest = behind;
    }
    masks
};

#[inline(never)]
fn short_word(bytes: &[u8]) -> u128 {
    bytes.iter().take(Print::WHOLE).rev().fold(0, |word, byte| (word << 8) | u128::from(*byte))
}

impl Projection {
    /// Adds the node of a path, and gives the path's place in `paths`.
    fn add_node(&mut self, path: &str, wanted: &BTreeMap<String, Vec<(Want, usize)>>) {
        let of_path = wanted.get(path).map(Vec::as_slice).unwrap_or_default();
        let mut add = |kind: Want| {
            let start = offset(self.slots.len());
            self.slots.extend(of_path.iter().filter(|(want, _)| *want == kind).map(|(_, slot)| *slot));
            Range { start, end: offset(self.slots.len()) }
        };
        let scalars = add(Want::Scalars);
        let subtrees = add(Want::Subtree);
        let slots = Range { start: scalars.start, end: subtrees.end };
        self.nodes.push(Node { table: 0, mask: 0, shift: 0, slots, subtrees });
    }

    /// Makes the tables of all nodes, which were added in the order of their paths.
    fn build_tables(&mut self, paths: &[&str]) {
        self.tables.push(Entry::EMPTY);
        let by_path: BTreeMap<&str, usize> = paths.iter().enumerate().map(|(n, path)| (*path, n)).collect();
        let mut below: Vec<Vec<Entry>> = vec![Vec::new(); paths.len()];
        for (n, path) in paths.iter().enumerate().skip(1) {
            let dots = path.match_indices('.').filter_map(|(dot, _)| Some((path.get(..dot)?, dot + 1)));
            for (above, begin) in dots.chain([("", 0)]) {
                let key = path.get(begin..).unwrap_or("").as_bytes();
                let start = offset(self.paths.len() + begin);
                let entry = Entry { print: Print::of(key, key.len()), node: offset(n), start };
                if let Some(list) = by_path.get(above).and_then(|above| below.get_mut(*above)) {
                    list.push(entry);
                }
            }
            self.paths.push_str(path);
        }
        for (node, entries) in self.nodes.iter_mut().zip(below) {
            if entries.is_empty() {
                continue;
            }
            // At most a quarter full, so that most keys that are not wanted end at an empty place.
            let size = (entries.len() * 4).next_power_of_two();
            node.shift = 64 - size.trailing_zeros();
            node.mask = offset(size - 1);
            node.table = offset(self.tables.len());
            let mut table = vec![Entry::EMPTY; size];
            for entry in entries {
                let mut place = (entry.print.hash() >> node.shift) as usize;
                while table.get(place).is_some_and(|taken| !taken.is_empty()) {
                    place = (place + 1) & (size - 1);
                }
                if let Some(free) = table.get_mut(place) {
                    *free = entry;
                }
            }
            self.tables.extend(table);
        }
    }

    /// Fills `state.source` from a record's JSON text. [`EventState::begin`] was called before; on an error the slots
    /// hold what was found up to it.
    ///
    /// Strings that hold escapes are decoded into `state.arena`. Duplicate keys, and one path written in several ways,
    /// add up. What is not wanted is read past: its strings must end and its brackets must balance, but it is not
    /// checked to be JSON throughout. Control characters in strings are let through.
    ///
    /// # Errors
    /// Where the record is no JSON object or passes a limit.
    pub fn project(&self, record: &str, state: &mut EventState) -> Result<(), ProjectionError> {
        let mut cursor = Cursor::new(record)?;
        cursor.open_record()?;
        let Some(root) = self.nodes.first() else {
            cursor.skip_container()?;
            return cursor.close_record();
        };
        match cursor.token()? {
            b'"' => {}
            b'}' => return cursor.close_record(),
            _ => return cursor.unexpected(),
        }
        state.frames.clear();
        let run = Run {
            projection: self,
            frames: &mut state.frames,
            table: &mut state.source,
            arena: &mut state.arena,
            room: MAX_VALUES,
        };
        run.members(cursor, root)
    }

    /// The node of a key below a node: of the first `len` of some bytes.
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "the mask leaves fewer bits")]
    fn child(&self, node: &Node, bytes: &[u8], len: usize) -> Option<u32> {
        let print = Print::of(bytes, len);
        let mut place = (print.hash() >> node.shift) as u32;
        loop {
            let entry = self.tables.get((node.table + (place & node.mask)) as usize)?;
            if entry.print == print && (len <= Print::WHOLE || self.key(entry) == bytes.get(..len)) {
                return Some(entry.node);
            }
            if entry.is_empty() {
                return None;
            }
            place = place.wrapping_add(1);
        }
    }

    fn key(&self, entry: &Entry) -> Option<&[u8]> {
        let start = entry.start as usize;
        self.paths.as_bytes().get(start..start + entry.print.len as usize)
    }
}

/// An offset into the tables; rule sets fall short of 2^32 by far.
fn offset(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// A container that is read.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// The node in which an object's keys are looked up, or that an array's elements belong to.
    node: u32,
    array: bool,
}

/// Where to go on behind a container.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    around: Place,
    /// Offset of the container's opening bracket.
    start: usize,
}

/// One pass over one record.
struct Run<'p, 's> {
    projection: &'p Projection,
    frames: &'s mut Vec<Frame>,
    table: &'s mut SlotTable,
    arena: &'s mut String,
    /// How many more values may come.
    room: usize,
}

impl<'p> Run<'p, '_> {
    /// Reads a record up to the opening quote of whose first key it was read. One loop, so that the cursor stays in
    /// registers throughout.
    fn members(mut self, mut cursor: Cursor<'_>, root: &'p Node) -> Read<()> {
        let mut here = Place { node: 0, array: false };
        let mut node = root;
        'member: loop {
            let key = cursor.string()?;
            let mut child = if key.escaped {
                self.escaped_child(cursor, node, key)?
            } else {
                let from_key = cursor.bytes().get(key.start..).unwrap_or_default();
                self.projection.child(node, from_key, key.end - key.start)
            };
            let mut first = cursor.colon()?;
            'value: loop {
                match child.and_then(|id| Some((id, self.projection.nodes.get(id as usize)?))) {
                    None => cursor.skip_value(first)?,
                    Some((id, wanted)) => match first {
                        b'"' => self.text(&mut cursor, wanted)?,
                        b'{' if !wanted.has_descendants() => {
                            let start = cursor.offset() - 1;
                            cursor.skip_container()?;
                            self.push_object(wanted, start, cursor.offset())?;
                        }
                        b'{' => {
                            let start = cursor.offset() - 1;
                            self.enter(here, start)?;
                            match cursor.token()? {
                                b'"' => {
                                    (here, node) = (Place { node: id, array: false }, wanted);
                                    continue 'member;
                                }
                                b'}' => {
                                    self.frames.pop();
                                    self.push_object(wanted, start, cursor.offset())?;
                                }
                                _ => return cursor.unexpected(),
                            }
                        }
                        b'[' => {
                            self.enter(here, cursor.offset() - 1)?;
                            first = cursor.token()?;
                            if first != b']' {
                                here = Place { node: id, array: true };
                                continue 'value;
                            }
                            self.frames.pop();
                        }
                        b'-' | b'0'..=b'9' => {
                            let number = cursor.number(first)?;
                            self.push(wanted.slots, number, cursor.offset())?;
                        }
                        _ => {
                            if let Some(value) = cursor.literal(first)? {
                                self.push(wanted.slots, value, cursor.offset())?;
                            }
                        }
                    },
                }
                // What may stand behind a value: the next one, or the ends of what is around.
                loop {
                    if !here.array && cursor.next_key() {
                        continue 'member;
                    }
                    match cursor.token()? {
                        b',' if here.array => {
                            first = cursor.token()?;
                            child = Some(here.node);
                            continue 'value;
                        }
                        b',' if cursor.token()? == b'"' => continue 'member,
                        b']' if here.array => {}
                        b'}' if !here.array => {}
                        _ => return cursor.unexpected(),
                    }
                    let Some(frame) = self.frames.pop() else { return cursor.close_record() };
                    if !here.array {
                        self.push_object(node, frame.start, cursor.offset())?;
                    }
                    here = frame.around;
                    node = self.projection.nodes.get(here.node as usize).unwrap_or(root);
                }
            }
        }
    }

    #[cold]
    fn escaped_child(&mut self, cursor: Cursor<'_>, node: &Node, key: RawText) -> Read<Option<u32>> {
        let before = self.arena.len();
        self.decode(cursor, key)?;
        let child = self.projection.child(
            node,
            self.arena.as_bytes().get(before..).unwrap_or_default(),
            self.arena.len() - before,
        );
        self.arena.truncate(before);
        Ok(child)
    }

    /// A wanted string whose opening quote was read.
    #[inline(always)]
    fn text(&mut self, cursor: &mut Cursor<'_>, node: &Node) -> Read<()> {
        let text = cursor.string()?;
        if node.slots.is_empty() {
            return Ok(());
        }
        let range = if text.escaped {
            let start = self.arena.len();
            self.decode(*cursor, text)?;
            TextRef::arena(start, self.arena.len() - start)
        } else {
            TextRef::record(text.start, text.end - text.start)
        };
        match range {
            Some(range) => self.push(node.slots, Scalar::Text(range), text.end),
            None => error(text.start, ProjectionErrorKind::TooLong),
        }
    }

    #[inline(never)]
    fn decode(&mut self, cursor: Cursor<'_>, text: RawText) -> Read<()> {
        unescape(cursor.text(text.start, text.end), self.arena)
            .or_else(|at| error(text.start + at, ProjectionErrorKind::BadEscape))
    }

    #[inline(always)]
    fn push_object(&mut self, node: &Node, start: usize, end: usize) -> Read<()> {
        match TextRef::record(start, end - start) {
            Some(range) if !node.subtrees.is_empty() => self.push(node.subtrees, Scalar::Object(range), end),
            _ => Ok(()),
        }
    }

    /// Puts a value, which ended at an offset, into slots.
    #[inline(always)]
    fn push(&mut self, slots: Range, value: Scalar, end: usize) -> Read<()> {
        for slot in slots.of(&self.projection.slots) {
            let Some(room) = self.room.checked_sub(1) else {
                return error(end, ProjectionErrorKind::TooManyValues);
            };
            self.room = room;
            self.table.push(*slot, value);
        }
        Ok(())
    }

    /// Enters a container that begins at an offset.
    #[inline(always)]
    fn enter(&mut self, around: Place, start: usize) -> Read<()> {
        // The record itself is a level too.
        if self.frames.len() + 1 >= MAX_DEPTH {
            return error(start, ProjectionErrorKind::TooDeep);
        }
        self.frames.push(Frame { around, start });
        Ok(())
    }
}
