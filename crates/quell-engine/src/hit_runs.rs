//! Hits of a whole scan in order, in memory up to a budget and beyond it in sorted runs on disk.
//!
//! Each thread fills runs of its own; in the end all are merged. So memory stays flat however many hits there are, and none is
//! dropped: where the disk takes no more, they stay in memory and it is said.

use crate::compile::Engine;
use crate::hit::Hit;
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use thiserror::Error;

/// Why hits could not be moved to disk or back.
#[derive(Debug, Error)]
pub enum SpillError {
    /// They stayed in memory: nothing is lost.
    #[error("hits could not be moved to a temporary file and stayed in memory: {0}")]
    Write(#[source] io::Error),
    /// They are lost.
    #[error("hits could not be read back from a temporary file: {0}")]
    Read(#[source] io::Error),
}

/// The hits of one thread.
pub struct HitRuns<'e> {
    engine: &'e Engine,
    /// The hits in memory. Push to it, then call [`HitRuns::settle`].
    pub hits: Vec<Hit>,
    /// How many of them are in `bytes`.
    counted: usize,
    bytes: usize,
    budget: usize,
    runs: Vec<File>,
    error: Option<SpillError>,
}

impl<'e> HitRuns<'e> {
    /// No hits yet; more than about `budget` bytes of them go to disk.
    #[must_use]
    pub fn new(engine: &'e Engine, budget: usize) -> HitRuns<'e> {
        HitRuns { engine, hits: Vec::new(), counted: 0, bytes: 0, budget, runs: Vec::new(), error: None }
    }

    /// Counts what was pushed, and moves all to disk if that is too much.
    pub fn settle(&mut self) {
        self.bytes += self.hits.iter().skip(self.counted).map(Hit::bytes).sum::<usize>();
        self.counted = self.hits.len();
        if self.bytes > self.budget && self.error.is_none() {
            match self.spill() {
                Ok(run) => {
                    self.runs.push(run);
                    self.hits.clear();
                    (self.counted, self.bytes) = (0, 0);
                }
                Err(error) => self.error = Some(SpillError::Write(error)),
            }
        }
    }

    fn spill(&mut self) -> io::Result<File> {
        let mut out = BufWriter::with_capacity(1 << 20, tempfile::tempfile()?);
        for place in places_in_order(self.engine, &self.hits) {
            let Some(hit) = self.hits.get(place) else { continue };
            let bytes = postcard::to_stdvec(hit).map_err(io::Error::other)?;
            let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
            out.write_all(&length.to_le_bytes())?;
            out.write_all(&bytes)?;
        }
        out.into_inner().map_err(io::IntoInnerError::into_error)
    }

    /// How many runs are on disk.
    #[must_use]
    pub fn on_disk(&self) -> usize {
        self.runs.len()
    }
}

/// The hits of all threads in the order of [`Engine::order`].
pub struct Merged<'e> {
    engine: &'e Engine,
    heads: BinaryHeap<Head<'e>>,
    errors: Vec<SpillError>,
}

impl<'e> Merged<'e> {
    /// Merges the hits of all threads.
    #[must_use]
    pub fn new(engine: &'e Engine, threads: Vec<HitRuns<'e>>) -> Merged<'e> {
        let mut merged = Merged { engine, heads: BinaryHeap::new(), errors: Vec::new() };
        let mut in_memory = Vec::new();
        for HitRuns { mut hits, runs, error, .. } in threads {
            merged.errors.extend(error);
            // Not copied where there is one thread.
            if in_memory.is_empty() {
                in_memory = hits;
            } else {
                in_memory.append(&mut hits);
            }
            for mut file in runs {
                match file.seek(SeekFrom::Start(0)) {
                    Ok(_) => merged.enter(Run::File(BufReader::with_capacity(1 << 16, file))),
                    Err(error) => merged.errors.push(SpillError::Read(error)),
                }
            }
        }
        merged.enter(Run::Memory(in_order(engine, in_memory)));
        merged
    }

    fn enter(&mut self, mut run: Run) {
        match run.next() {
            Ok(Some(hit)) => self.heads.push(Head { engine: self.engine, hit, run }),
            Ok(None) => {}
            Err(error) => self.errors.push(SpillError::Read(error)),
        }
    }

    /// What went wrong so far.
    pub fn take_errors(&mut self) -> Vec<SpillError> {
        std::mem::take(&mut self.errors)
    }
}

impl Iterator for Merged<'_> {
    type Item = Hit;

    fn next(&mut self) -> Option<Hit> {
        let mut head = self.heads.peek_mut()?;
        match head.run.next() {
            Ok(Some(next)) => return Some(std::mem::replace(&mut head.hit, next)),
            Ok(None) => {}
            Err(error) => self.errors.push(SpillError::Read(error)),
        }
        Some(PeekMut::pop(head).hit)
    }
}

enum Run {
    Memory(SortedHits),
    File(BufReader<File>),
}

impl Run {
    fn next(&mut self) -> io::Result<Option<Hit>> {
        let file = match self {
            Run::Memory(hits) => return Ok(hits.next()),
            Run::File(file) => file,
        };
        let mut length = [0; 4];
        match file.read_exact(&mut length) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
        file.read_exact(&mut bytes)?;
        postcard::from_bytes(&bytes).map(Some).map_err(io::Error::other)
    }
}

/// Hits in the order of [`Engine::order`].
pub(crate) fn in_order(engine: &Engine, hits: Vec<Hit>) -> SortedHits {
    let places = places_in_order(engine, &hits).into_iter();
    SortedHits { hits: hits.into_iter().map(Some).collect(), places }
}

/// Hits, and where in order they are: they are taken from where they stand.
pub(crate) struct SortedHits {
    hits: Vec<Option<Hit>>,
    places: std::vec::IntoIter<usize>,
}

impl Iterator for SortedHits {
    type Item = Hit;

    fn next(&mut self) -> Option<Hit> {
        let hits = &mut self.hits;
        self.places.find_map(|place| hits.get_mut(place)?.take())
    }
}

/// The places of hits in the order of [`Engine::order`]. Hits are large: what is sorted is their time and rule, and where those
/// are equal they are looked at themselves.
fn places_in_order(engine: &Engine, hits: &[Hit]) -> Vec<usize> {
    let key = |(place, hit): (usize, &Hit)| (hit.time.unwrap_or(i64::MAX), engine.rank(hit.rule), place);
    let mut keys: Vec<(i64, u32, usize)> = hits.iter().enumerate().map(key).collect();
    let whole = |a: usize, b: usize| {
        let both = hits.get(a).zip(hits.get(b));
        both.map_or(Ordering::Equal, |(a, b)| engine.order(a, b))
    };
    keys.sort_unstable_by(|(time, rank, a), (other_time, other_rank, b)| {
        // What has no time stands behind the last time that there is.
        let ranks = if *time == i64::MAX { Ordering::Equal } else { rank.cmp(other_rank) };
        time.cmp(other_time).then(ranks).then_with(|| whole(*a, *b))
    });
    keys.into_iter().map(|(_, _, place)| place).collect()
}

/// The next hit of a run; the earliest is the greatest.
struct Head<'e> {
    engine: &'e Engine,
    hit: Hit,
    run: Run,
}

impl Ord for Head<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.engine.order(&other.hit, &self.hit)
    }
}

impl PartialOrd for Head<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Head<'_> {}
