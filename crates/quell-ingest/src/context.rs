//! Context: facts of the host that a record lacks and Elastic's agents add.
//!
//! It is a table of what was seen of processes: that of a host and process id one started, or ended, at a time. A lifetime
//! reaches from a start to the next end or start of the same id. What is kept is the set of these moments, so it makes no
//! difference in which order they were seen, or by how many threads.

use crate::mapping::Mappings;
use crate::mapping::derive::PROCESS;
use quell_event::{Facts, FieldSet, KnownProcess, PartOfLife};
use serde::{Deserialize, Serialize, Serializer};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// How much memory a context takes, in bytes: that of some 400 000 starts and ends with command lines of usual length.
/// Past it the oldest are forgotten.
const MAX_BYTES: usize = 128 << 20;

/// What is known of the hosts besides the record that is decoded: the processes, by host, process id and time.
///
/// A first pass over the input fills it ([`crate::ContextBuilder`]), or, in a stream, the records as they come. What one
/// record saw in a stream is asked again by [`Context::as_of`].
///
/// It can be saved; the limit is not: one that was read back has none, until [`Context::limit_to`] sets it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(from = "Saved")]
pub struct Context {
    #[serde(serialize_with = "as_list")]
    moments: BTreeMap<(Owner, i64), Moment>,
    #[serde(skip)]
    by_time: BTreeSet<(i64, Owner)>,
    #[serde(skip)]
    bytes: usize,
    #[serde(skip)]
    limit: usize,
    /// The latest time of which something was forgotten: all up to it is, whatever is seen later.
    horizon: Option<i64>,
    observed: u64,
}

/// What is saved of a context.
#[derive(Deserialize)]
struct Saved {
    moments: Vec<((Owner, i64), Moment)>,
    horizon: Option<i64>,
    observed: u64,
}

/// A process id of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Owner {
    /// A hash of the host's name in lower case, so that a look-up allocates nothing.
    host: u128,
    pid: u32,
}

/// What happened to a process id at one time: a start, an end, or an end and a start.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Moment {
    start: Option<Box<Started>>,
    /// The number of the record that first told of the start.
    start_seen: u64,
    /// That of the first to tell of the end.
    end_seen: Option<u64>,
}

/// A moment as it was known once.
#[derive(Clone, Copy)]
struct Known<'c> {
    start: Option<&'c Started>,
    end: bool,
}

/// What a start says.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Started {
    executable: Box<str>,
    command_line: Box<str>,
}

/// A process that started or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessFact<'f> {
    /// The name of its host, in any case.
    pub host: &'f str,
    /// Its id.
    pub pid: u32,
    /// When, in nanoseconds since 1970.
    pub time: i64,
    /// What.
    pub change: ProcessChange<'f>,
}

/// What happened to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessChange<'f> {
    /// It started.
    Started {
        /// The path of its program; may be empty.
        executable: &'f str,
        /// Its command line; may be empty.
        command_line: &'f str,
    },
    /// It ended.
    Ended,
}

impl Default for Context {
    fn default() -> Self {
        Self::with_limit(MAX_BYTES)
    }
}

impl Context {
    /// A context that knows nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, which takes about so many bytes at most.
    #[must_use]
    pub fn with_limit(bytes: usize) -> Self {
        Context {
            moments: BTreeMap::new(),
            by_time: BTreeSet::new(),
            bytes: 0,
            limit: bytes,
            horizon: None,
            observed: 0,
        }
    }

    /// Whether some mapping makes one of these fields of what a context knows.
    #[must_use]
    pub fn is_asked(fields: &FieldSet) -> bool {
        Mappings::embedded().fields_by(&PROCESS).any(|field| fields.get(field).is_some())
    }

    /// Sets how many bytes it takes at most, about; what is beyond is forgotten.
    pub fn limit_to(&mut self, bytes: usize) {
        self.limit = bytes;
        self.forget_oldest();
    }

    /// About how many bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Learns of a process. What was seen before is learnt once; past the limit the oldest is forgotten.
    pub fn observe(&mut self, fact: &ProcessFact<'_>) {
        self.observe_in(0, fact);
    }

    /// The same, of the record of a stream that has this number: those before it did not know ([`Context::as_of`]).
    pub fn observe_in(&mut self, record: u64, fact: &ProcessFact<'_>) {
        self.observed += 1;
        let owner = Owner { host: host_key(fact.host), pid: fact.pid };
        let moment = match fact.change {
            ProcessChange::Started { executable, command_line } => Moment {
                start: Some(Box::new(Started {
                    executable: executable.into(),
                    command_line: command_line.into(),
                })),
                start_seen: record,
                end_seen: None,
            },
            ProcessChange::Ended => Moment { end_seen: Some(record), ..Moment::default() },
        };
        self.put((owner, fact.time), moment);
        self.forget_oldest();
    }

    /// Learns what another context knows. The order in which contexts are put together makes no difference.
    pub fn absorb(&mut self, mut other: Context) {
        if other.moments.len() > self.moments.len() {
            std::mem::swap(self, &mut other);
        }
        self.observed += other.observed;
        if let Some(horizon) = other.horizon {
            self.forget_up_to(horizon);
        }
        for (key, moment) in other.moments {
            self.put(key, moment);
        }
        self.forget_oldest();
    }

    /// How many starts and ends were forgotten, those that were seen twice among them; 0 while the limit was not reached.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        if self.horizon.is_none() {
            return 0;
        }
        let kept = |moment: &Moment| u64::from(moment.start.is_some()) + u64::from(moment.end_seen.is_some());
        self.observed.saturating_sub(self.moments.values().map(kept).sum())
    }

    fn put(&mut self, key: (Owner, i64), new: Moment) {
        if self.horizon.is_some_and(|horizon| key.1 <= horizon) {
            return;
        }
        let moment = self.moments.entry(key).or_insert_with(|| {
            self.by_time.insert((key.1, key.0));
            self.bytes += Moment::default().bytes();
            Moment::default()
        });
        self.bytes -= moment.bytes();
        moment.unite(new);
        self.bytes += moment.bytes();
    }

    fn forget_oldest(&mut self) {
        while self.bytes > self.limit
            && let Some((oldest, _)) = self.by_time.first()
        {
            self.forget_up_to(*oldest);
        }
    }

    /// Whole instants go, so that it does not matter in which order the facts of one were seen.
    fn forget_up_to(&mut self, horizon: i64) {
        while let Some((time, owner)) = self.by_time.first().copied()
            && time <= horizon
        {
            self.by_time.pop_first();
            if let Some(moment) = self.moments.remove(&(owner, time)) {
                self.bytes -= moment.bytes();
            }
        }
        self.horizon = self.horizon.max(Some(horizon));
    }

    /// What was known when the record of this number was matched, but for what was forgotten since.
    #[must_use]
    pub fn as_of(&self, record: u64) -> AsOf<'_> {
        AsOf { context: self, record }
    }
}

/// What a context knew when it had seen the records up to one.
#[derive(Clone, Copy, Debug)]
pub struct AsOf<'c> {
    context: &'c Context,
    record: u64,
}

impl<'c> AsOf<'c> {
    /// The start before this time of the process that still runs then, if one is known.
    fn running_before(&self, owner: Owner, time: i64) -> Option<(i64, &'c Started)> {
        /// Moments that are an end and a start at once say nothing of what was before them. Only where time is counted in
        /// seconds are there many in a row, and past so many of them nothing is known for sure.
        const MOST: usize = 64;
        /// Nor is it looked behind more than so many that were not known.
        const MOST_UNKNOWN: usize = 4096;
        let before = self.context.moments.range((owner, i64::MIN)..(owner, time)).rev().take(MOST_UNKNOWN);
        let known = before.filter_map(|((_, at), moment)| Some((at, moment.as_of(self.record)?)));
        let mut latest = None;
        for (at, moment) in known.take(MOST) {
            match (moment.start, moment.end) {
                // It runs from here on, and so does each that took its place in the moment in which it ended.
                (Some(start), false) => return latest.or(Some((*at, start))),
                // Either this end is that of an elder process, or the start's own: what was before decides.
                (Some(start), true) => latest = latest.or(Some((*at, start))),
                (None, _) => return None,
            }
        }
        None
    }
}

impl Facts for Context {
    fn process(&self, host: &str, pid: u32, time: i64, part: PartOfLife) -> Option<KnownProcess<'_>> {
        self.as_of(u64::MAX).find(host, pid, time, part)
    }
}

impl Facts for AsOf<'_> {
    fn process(&self, host: &str, pid: u32, time: i64, part: PartOfLife) -> Option<KnownProcess<'_>> {
        self.find(host, pid, time, part)
    }
}

impl<'c> AsOf<'c> {
    fn find(&self, host: &str, pid: u32, time: i64, part: PartOfLife) -> Option<KnownProcess<'c>> {
        let moments = &self.context.moments;
        if moments.is_empty() {
            return None;
        }
        let owner = Owner { host: host_key(host), pid };
        let elder = self.running_before(owner, time);
        let here = moments.get(&(owner, time)).and_then(|moment| moment.as_of(self.record));
        let started = here.and_then(|here| Some((time, here.start?)));
        let (start, process) = match (started, here.is_some_and(|here| here.end)) {
            // Its end is its last moment.
            (None, _) => elder?,
            // Whatever ran under this id has ended, though nobody said so.
            (Some(started), false) => started,
            // It ended in the moment in which it started.
            (Some(started), true) if elder.is_none() => started,
            // Two processes meet.
            (Some(_), true) if part == PartOfLife::End => elder?,
            (Some(_), true) => return None,
        };
        Some(KnownProcess { start, executable: &process.executable, command_line: &process.command_line })
    }
}

impl Moment {
    /// Two starts of one id at one time are one; of what they say the longer is kept, so that the order makes no difference
    /// and memory only grows.
    fn unite(&mut self, other: Moment) {
        self.end_seen = [self.end_seen, other.end_seen].into_iter().flatten().min();
        if other.start.is_some() {
            let earlier = self.start.as_ref().map_or(u64::MAX, |_| self.start_seen);
            self.start_seen = earlier.min(other.start_seen);
        }
        if let Some(new) = other.start
            && self.start.as_ref().is_none_or(|old| (new.len(), &new) > (old.len(), old))
        {
            self.start = Some(new);
        }
    }

    /// What the records up to this one said of it, if they said anything.
    fn as_of(&self, record: u64) -> Option<Known<'_>> {
        let start = self.start.as_deref().filter(|_| self.start_seen <= record);
        let end = self.end_seen.is_some_and(|seen| seen <= record);
        (start.is_some() || end).then_some(Known { start, end })
    }

    /// What it takes in both tables, about.
    fn bytes(&self) -> usize {
        const TABLES: usize = 184;
        const ALLOCATED: usize = 64;
        TABLES + self.start.as_ref().map_or(0, |started| ALLOCATED + started.len())
    }
}

impl Started {
    fn len(&self) -> usize {
        self.executable.len() + self.command_line.len()
    }
}

/// A map whose keys are no texts, so that any form of writing can hold it.
fn as_list<S: Serializer>(moments: &BTreeMap<(Owner, i64), Moment>, out: S) -> Result<S::Ok, S::Error> {
    out.collect_seq(moments)
}

impl From<Saved> for Context {
    fn from(saved: Saved) -> Self {
        let mut context = Context::with_limit(usize::MAX);
        (context.horizon, context.observed) = (saved.horizon, saved.observed);
        for (key, moment) in saved.moments {
            context.put(key, moment);
        }
        context
    }
}

/// The first 16 bytes of the SHA-256 of the name in lower case: nobody finds two names of one key.
fn host_key(host: &str) -> u128 {
    let mut hash = Sha256::new();
    crate::mapping::derive::hash_lower(&mut hash, host);
    let bytes = hash.finalize();
    bytes.iter().take(16).fold(0, |key, byte| key << 8 | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::{Context, ProcessChange, ProcessFact};
    use proptest::prelude::*;
    use quell_event::{Facts, PartOfLife};

    fn started(host: &str, pid: u32, time: i64) -> ProcessFact<'_> {
        let change = ProcessChange::Started { executable: "a.exe", command_line: "a.exe -x" };
        ProcessFact { host, pid, time, change }
    }

    fn ended(host: &str, pid: u32, time: i64) -> ProcessFact<'_> {
        ProcessFact { host, pid, time, change: ProcessChange::Ended }
    }

    fn of(facts: &[ProcessFact<'_>]) -> Context {
        let mut context = Context::new();
        facts.iter().for_each(|fact| context.observe(fact));
        context
    }

    fn start_at(context: &Context, host: &str, pid: u32, time: i64) -> Option<i64> {
        context.process(host, pid, time, PartOfLife::Any).map(|process| process.start)
    }

    fn start_of_ended(context: &Context, pid: u32, time: i64) -> Option<i64> {
        context.process("h", pid, time, PartOfLife::End).map(|process| process.start)
    }

    #[test]
    fn a_process_lives_from_its_start_to_its_end_both_included() {
        let context = of(&[started("h", 7, 100), ended("h", 7, 200)]);
        for (time, expected) in
            [(99, None), (100, Some(100)), (150, Some(100)), (200, Some(100)), (201, None)]
        {
            assert_eq!(start_at(&context, "h", 7, time), expected, "at {time}");
        }
        assert_eq!(start_of_ended(&context, 7, 200), Some(100));
        let process = context.process("h", 7, 150, PartOfLife::Any).unwrap();
        assert_eq!((process.executable, process.command_line), ("a.exe", "a.exe -x"));
    }

    #[test]
    fn a_process_whose_end_was_not_seen_lives_until_its_id_is_used_again() {
        let context = of(&[started("h", 7, 100), started("h", 7, 300)]);
        for (time, expected) in [(299, Some(100)), (300, Some(300)), (i64::MAX, Some(300))] {
            assert_eq!(start_at(&context, "h", 7, time), expected, "at {time}");
        }
    }

    #[test]
    fn what_started_before_the_log_has_no_start() {
        let context = of(&[ended("h", 7, 100), started("h", 8, 50)]);
        for time in [99, 100, 101] {
            assert_eq!(start_at(&context, "h", 7, time), None, "at {time}");
        }
        assert_eq!(start_of_ended(&context, 7, 100), None);
        assert_eq!(start_at(&Context::new(), "h", 7, 100), None);
        // Between an end and the next start that was seen, whoever has the id is unknown too.
        let context = of(&[started("h", 7, 100), ended("h", 7, 200), started("h", 7, 300)]);
        assert_eq!(start_at(&context, "h", 7, 250), None);
        // And so is a process that ended while none was known.
        let context = of(&[started("h", 7, 100), ended("h", 7, 200), ended("h", 7, 250)]);
        assert_eq!(start_of_ended(&context, 7, 250), None);
    }

    #[test]
    fn hosts_are_apart_and_written_in_any_case() {
        let context = of(&[started("WS-1.lab", 7, 100), started("ws-2.lab", 7, 150)]);
        assert_eq!(start_at(&context, "ws-1.LAB", 7, 200), Some(100));
        assert_eq!(start_at(&context, "WS-2.lab", 7, 200), Some(150));
        assert_eq!(start_at(&context, "ws-3.lab", 7, 200), None);
        let long = "x".repeat(200);
        let context = of(&[started(&long, 7, 100)]);
        assert_eq!(start_at(&context, &long.to_uppercase(), 7, 100), Some(100));
        assert_eq!(start_at(&context, "x", 7, 100), None);
    }

    /// Where time is counted in seconds, an id may end and start in the same one.
    #[test]
    fn of_two_processes_that_meet_the_elder_ends_and_nothing_else_is_sure() {
        let context = of(&[started("h", 7, 100), ended("h", 7, 200), started("h", 7, 200)]);
        assert_eq!(start_of_ended(&context, 7, 200), Some(100));
        assert_eq!(start_at(&context, "h", 7, 200), None);
        assert_eq!(start_at(&context, "h", 7, 201), Some(200));
        // Without an elder the end is the start's own.
        let context = of(&[started("h", 7, 200), ended("h", 7, 200)]);
        assert_eq!(
            (start_of_ended(&context, 7, 200), start_at(&context, "h", 7, 200)),
            (Some(200), Some(200))
        );
        assert_eq!(start_at(&context, "h", 7, 201), None);
        // Three in a row that took over from one another, and three that did not last.
        let meeting = [200, 300, 400].map(|time| [ended("h", 7, time), started("h", 7, time)]);
        let mut facts = meeting.concat();
        assert_eq!(start_at(&of(&facts), "h", 7, 450), None);
        facts.push(started("h", 7, 100));
        assert_eq!(start_at(&of(&facts), "h", 7, 450), Some(400));
        assert_eq!(start_of_ended(&of(&facts), 7, 300), Some(200));
    }

    #[test]
    fn past_the_limit_the_oldest_are_forgotten_and_counted() {
        let mut context = Context::with_limit(2000);
        for time in 0..100 {
            context.observe(&started("h", 7, time));
        }
        let kept = (0..100).filter(|time| start_at(&context, "h", 7, *time) == Some(*time)).count();
        assert!((5..20).contains(&kept), "{kept}");
        assert_eq!(start_at(&context, "h", 7, 99), Some(99));
        assert_eq!(context.forgotten(), 100 - kept as u64);
        // What comes late is older than what was forgotten.
        context.observe(&started("h", 8, 0));
        assert_eq!(start_at(&context, "h", 8, 0), None);
        assert_eq!(of(&[started("h", 7, 1), started("h", 7, 1)]).forgotten(), 0);
    }

    #[test]
    fn a_smaller_limit_forgets_at_once() {
        let mut context = of(&[started("h", 7, 100), started("h", 8, 200)]);
        context.limit_to(context.bytes() - 1);
        assert_eq!((start_at(&context, "h", 7, 300), start_at(&context, "h", 8, 300)), (None, Some(200)));
        assert_eq!(context.forgotten(), 1);
    }

    #[test]
    fn memory_stays_within_the_limit_whatever_a_start_says() {
        let mut context = Context::with_limit(10_000);
        let long = "x".repeat(20_000);
        for time in 0..50 {
            let change = ProcessChange::Started { executable: &long, command_line: "" };
            context.observe(&ProcessFact { host: "h", pid: 7, time, change });
        }
        assert!(context.moments.is_empty() && context.bytes == 0 && context.forgotten() == 50);
    }

    type Seen = (u8, u32, i64, Option<&'static str>);

    fn fact((host, pid, time, start): Seen) -> ProcessFact<'static> {
        let change = start.map_or(ProcessChange::Ended, |executable| ProcessChange::Started {
            executable,
            command_line: "",
        });
        ProcessFact { host: if host == 0 { "a" } else { "b" }, pid, time, change }
    }

    fn any_seen() -> impl Strategy<Value = Vec<Seen>> {
        let start = prop_oneof![Just(None), Just(Some("a")), Just(Some("b")), Just(Some("long"))];
        prop::collection::vec((0..2_u8, 1..4_u32, 0..30_i64, start), 0..60)
    }

    /// All that can be asked.
    fn answers(context: &dyn Facts) -> Vec<Option<(i64, String)>> {
        let mut answers = Vec::new();
        for host in ["a", "b"] {
            for pid in 1..4 {
                for time in -1..31 {
                    for part in [PartOfLife::Any, PartOfLife::End] {
                        let found = context.process(host, pid, time, part);
                        answers.push(found.map(|process| (process.start, process.executable.to_owned())));
                    }
                }
            }
        }
        answers
    }

    proptest! {
        #[test]
        fn neither_order_nor_division_makes_a_difference(
            seen in any_seen(),
            shuffled in any::<prop::sample::Index>(),
            threads in 1..5_usize,
            limit in prop_oneof![Just(usize::MAX), 0..8000_usize],
        ) {
            let mut whole = Context::with_limit(limit);
            seen.iter().for_each(|seen| whole.observe(&fact(*seen)));
            let mut turned = seen.clone();
            turned.rotate_left(shuffled.index(seen.len().max(1)));
            turned.reverse();
            let mut parts: Vec<Context> = (0..threads).map(|_| Context::with_limit(limit)).collect();
            for (number, seen) in turned.into_iter().enumerate() {
                parts[number * number % threads].observe(&fact(seen));
            }
            let mut together = Context::with_limit(limit);
            parts.into_iter().for_each(|part| together.absorb(part));
            prop_assert_eq!(answers(&whole), answers(&together));
            prop_assert_eq!(whole.forgotten(), together.forgotten());
            prop_assert!(whole.bytes <= limit && together.bytes == whole.bytes);
        }

        /// Whatever was learnt since, a look-up as of a record finds what it found then.
        #[test]
        fn what_a_record_saw_is_seen_again(seen in any_seen(), at in any::<prop::sample::Index>()) {
            let mut whole = Context::new();
            let mut then = Context::new();
            let number = at.index(seen.len() + 1);
            for (before, seen) in seen.iter().enumerate() {
                whole.observe_in(before as u64 + 1, &fact(*seen));
                if before < number {
                    then.observe(&fact(*seen));
                }
            }
            let starts = |facts: &dyn Facts| -> Vec<Option<i64>> {
                answers(facts).into_iter().map(|found| found.map(|(start, _)| start)).collect()
            };
            prop_assert_eq!(starts(&whole.as_of(number as u64)), starts(&then));
        }

        #[test]
        fn a_context_that_was_saved_goes_on_as_it_would_have(
            seen in any_seen(),
            at in any::<prop::sample::Index>(),
            limit in prop_oneof![Just(usize::MAX), 0..8000_usize],
        ) {
            let mut whole = Context::with_limit(limit);
            let mut parts = Context::with_limit(limit);
            let pause = at.index(seen.len() + 1);
            for (number, seen) in seen.iter().enumerate() {
                if number == pause {
                    let saved = serde_json::to_string(&parts).unwrap();
                    parts = serde_json::from_str(&saved).unwrap();
                    prop_assert_eq!(serde_json::to_string(&parts).unwrap(), saved);
                    parts.limit_to(limit);
                }
                whole.observe_in(number as u64, &fact(*seen));
                parts.observe_in(number as u64, &fact(*seen));
            }
            prop_assert_eq!(answers(&whole), answers(&parts));
            let middle = seen.len() as u64 / 2;
            prop_assert_eq!(answers(&whole.as_of(middle)), answers(&parts.as_of(middle)));
            prop_assert_eq!((whole.forgotten(), whole.bytes()), (parts.forgotten(), parts.bytes()));
        }

        /// By a plain reading: the latest start, unless something ended in between.
        #[test]
        fn where_no_start_shares_its_moment_with_an_end_a_plain_search_finds_the_same(seen in any_seen()) {
            let at = |seen: &[Seen], wanted: Seen| seen.iter().any(|other| {
                (other.0, other.1, other.2, other.3.is_some()) == (wanted.0, wanted.1, wanted.2, wanted.3.is_some())
            });
            let all = seen.clone();
            let seen: Vec<Seen> = seen
                .into_iter()
                .filter(|(host, pid, time, start)| start.is_some() || !at(&all, (*host, *pid, *time, Some(""))))
                .collect();
            let facts: Vec<_> = seen.iter().map(|seen| fact(*seen)).collect();
            let context = of(&facts);
            for (number, host) in [(0, "a"), (1, "b")] {
                for pid in 1..4 {
                    for time in 0..30 {
                        let latest = (0..=time).rev().find(|start| at(&seen, (number, pid, *start, Some(""))));
                        let lasted = latest.filter(|start| {
                            !(*start + 1..time).any(|end| at(&seen, (number, pid, end, None)))
                        });
                        prop_assert_eq!(start_at(&context, host, pid, time), lasted);
                    }
                }
            }
        }
    }
}
