//! The stories of keys: what happened to the sequences of each, kept while a rule is explained.
//!
//! Memory is bounded twice: a story keeps its beginning, its end and what matters most between them, and of all stories those
//! that came least far are forgotten first.

use quell::{Explain, Key, Member, RecordRef, RecordText, Remembered, SequenceStep, Told};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// About the bytes that all stories take.
const BUDGET: usize = 256 << 20;
/// The lines of a story that are kept of each: its beginning, the marked ones after it, its end.
const LINES: usize = 200;

/// The last lines among which one is looked for that says the same.
const WINDOW: usize = 16;

/// An event of a story.
#[derive(Clone, Debug)]
pub struct Happening {
    pub id: Arc<str>,
    pub time: Option<i64>,
    pub record: RecordRef,
}

impl Happening {
    fn of(member: &Member) -> Happening {
        Happening { id: member.id.as_str().into(), time: member.time, record: member.record.clone() }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A sequence waits now behind this place; it replaces one whose last event was then.
    Reached { place: usize, replaces: Option<i64> },
    /// Nothing waited for the event of this place.
    Nothing { place: usize },
    /// It does not go with what waited.
    Unlike { place: usize },
    /// It came so long, in nanoseconds, after the first event.
    TooLong { place: usize, after: i64 },
    /// `until` ended what waited behind this place since then.
    Ended { place: usize, since: i64 },
    /// What must not come in this gap.
    Forbidden { gap: usize },
    /// What must not come before this place had come then, in milliseconds.
    Between { place: usize, came: i64 },
    /// All came.
    Complete,
    /// All came; it is decided then, in milliseconds.
    Open { until: i64 },
    /// All came, and what must not: then, in milliseconds, if it was before the first event.
    Refuted { lead: Option<i64> },
    /// What must not came behind the last event.
    RefutedBehind,
    /// It did not.
    Decided,
    /// So many events count, with so many distinct values by field; the group is quiet since then, or a detection now.
    Counted { count: u64, distinct: Vec<u64>, quiet_since: Option<i64>, reached: bool },
    /// The values were last seen then; they are new, but the rule may be silent still.
    Remembered { last: Option<i64>, new: bool, silent: bool },
    /// What waits behind this place since then waits in vain; it began then.
    Left { place: usize, since: i64, began: i64 },
}

impl What {
    /// Whether many of them in a row say no more than one.
    fn repeats(&self, other: &What) -> bool {
        match (self, other) {
            (
                What::Reached { place: a, replaces: Some(_) },
                What::Reached { place: b, replaces: Some(_) },
            )
            | (What::Nothing { place: a }, What::Nothing { place: b })
            | (What::Unlike { place: a }, What::Unlike { place: b })
            | (What::Forbidden { gap: a }, What::Forbidden { gap: b }) => a == b,
            (
                What::Counted { quiet_since: a, reached: false, .. },
                What::Counted { quiet_since: b, reached: false, .. },
            ) => a == b,
            (What::Remembered { new: false, .. }, What::Remembered { new: false, .. }) => true,
            _ => false,
        }
    }

    fn is_nothing(&self) -> bool {
        matches!(self, What::Nothing { .. })
    }

    /// Whether no sequence is changed by it.
    fn is_quiet(&self) -> bool {
        matches!(self, What::Nothing { .. } | What::Unlike { .. } | What::Forbidden { .. })
    }

    /// Whether it decides over a sequence.
    fn decides(&self) -> bool {
        matches!(
            self,
            What::Complete
                | What::Open { .. }
                | What::Refuted { .. }
                | What::RefutedBehind
                | What::Decided
                | What::TooLong { .. }
                | What::Ended { .. }
                | What::Counted { reached: true, .. }
                | What::Remembered { new: true, .. }
        )
    }
}

/// A line of a story.
#[derive(Clone, Debug)]
pub struct Line {
    /// In nanoseconds since 1970.
    pub time: i64,
    pub what: What,
    /// The event that did it; of several the last.
    pub event: Option<Happening>,
    /// How many in a row.
    pub count: u64,
    /// When the first of them was.
    pub since: i64,
    /// Whether the event that is looked for did it.
    pub marked: bool,
    /// The one before the last, if there are several.
    previous: Option<(i64, Option<Happening>)>,
}

impl Line {
    /// The line without its last event, if there are others.
    fn without_last(self) -> Option<Line> {
        let (time, event) = self.previous?;
        Some(Line { time, event, count: self.count.saturating_sub(1), previous: None, ..self })
    }
}

/// What happened to a key.
#[derive(Clone, Debug)]
pub struct Story {
    pub key: Key,
    /// Sequences or samples that were found.
    pub found: u64,
    /// How many places were reached at most.
    pub furthest: usize,
    /// Of a sample: how many events satisfied each filter, and the first.
    pub filters: Vec<(u64, Option<Happening>)>,
    first: i64,
    head: Vec<Line>,
    marked: Vec<Line>,
    tail: VecDeque<Line>,
    /// Lines that were left out between `head` and `tail`.
    pub omitted: u64,
    bytes: usize,
}

impl Story {
    fn new(key: &Key, first: i64, filters: usize) -> Story {
        Story {
            key: Arc::clone(key),
            found: 0,
            furthest: 0,
            filters: vec![(0, None); filters],
            first,
            head: Vec::new(),
            marked: Vec::new(),
            tail: VecDeque::new(),
            omitted: 0,
            bytes: size_of::<Story>(),
        }
    }

    /// Its beginning, what matters after it, and its end.
    pub fn lines(&self) -> [Vec<&Line>; 3] {
        [self.head.iter().collect(), self.marked.iter().collect(), self.tail.iter().collect()]
    }

    fn last(&mut self) -> Option<&mut Line> {
        self.tail.back_mut().or(self.head.last_mut())
    }

    fn push(&mut self, line: Line) {
        self.bytes += bytes_of(&line);
        if self.head.len() < LINES {
            self.head.push(line);
            return;
        }
        self.tail.push_back(line);
        if self.tail.len() > LINES
            && let Some(line) = self.tail.pop_front()
        {
            if (line.marked || line.what.decides()) && self.marked.len() < LINES {
                self.marked.push(line);
            } else {
                self.omitted += line.count;
                self.bytes = self.bytes.saturating_sub(bytes_of(&line));
            }
        }
    }

    /// Adds a line, or counts it to the last one.
    fn add(&mut self, line: Line) {
        let same_event = |a: &Line, b: &Line| match (&a.event, &b.event) {
            (Some(a), Some(b)) => a.id == b.id,
            _ => false,
        };
        // Of an event that did something it need not be said what it did not do.
        while self.last().is_some_and(|last| last.what.is_nothing() && same_event(last, &line)) {
            let rest = self.remove(0).and_then(Line::without_last);
            rest.into_iter().for_each(|rest| self.push(rest));
        }
        if line.what.is_nothing() && self.last().is_some_and(|last| same_event(last, &line)) {
            return;
        }
        match self.repeated(&line) {
            Some(back) if !line.marked => {
                let (count, since, previous) = match self.remove(back) {
                    Some(old) => (old.count + 1, old.since, Some((old.time, old.event))),
                    None => (1, line.since, None),
                };
                self.push(Line { count, since, previous, ..line });
            }
            _ => self.push(line),
        }
    }

    /// How far back the line is that says the same, if nothing came of those after it.
    fn repeated(&self, line: &Line) -> Option<usize> {
        let mut recent = self.tail.iter().rev().chain(self.head.iter().rev()).take(WINDOW).enumerate();
        if !line.what.is_quiet() {
            return recent
                .next()
                .filter(|(_, last)| last.what.repeats(&line.what) && !last.marked)
                .map(|_| 0);
        }
        recent
            .take_while(|(_, other)| other.what.is_quiet() && !other.marked)
            .find(|(_, other)| other.what.repeats(&line.what))
            .map(|(back, _)| back)
    }

    /// Takes out the line that is so many before the last.
    fn remove(&mut self, back: usize) -> Option<Line> {
        let line = match self.tail.len().checked_sub(back + 1) {
            Some(at) => self.tail.remove(at),
            None => {
                let at = (self.tail.len() + self.head.len()).checked_sub(back + 1)?;
                (at < self.head.len()).then(|| self.head.remove(at))
            }
        };
        self.bytes = self.bytes.saturating_sub(line.as_ref().map_or(0, bytes_of));
        line
    }
}

fn bytes_of(line: &Line) -> usize {
    let previous = line.previous.as_ref().and_then(|(_, event)| event.as_ref());
    let events = line.event.iter().chain(previous);
    size_of::<Line>() + events.map(|event| event.id.len() + record_bytes(&event.record)).sum::<usize>()
}

fn record_bytes(record: &RecordRef) -> usize {
    if let RecordText::Owned(text) = &record.text { text.len() } else { 0 }
}

/// The stories of all keys.
pub struct Stories<'e> {
    explain: &'e Explain,
    event: Option<&'e str>,
    stories: HashMap<Key, Story>,
    bytes: usize,
    /// Stories that were forgotten.
    pub forgotten: u64,
}

impl<'e> Stories<'e> {
    /// No stories yet; the lines of that event are marked.
    pub fn new(explain: &'e Explain, event: Option<&'e str>) -> Stories<'e> {
        Stories { explain, event, stories: HashMap::new(), bytes: 0, forgotten: 0 }
    }

    /// Takes what happened.
    pub fn told(&mut self, told: Told<'_>) {
        match told {
            Told::Happened { key, time, step } => self.happened(key, time, step),
            Told::Matched { key, part, hit } => {
                let filters = self.explain.parts().len();
                self.change(key, hit.time.unwrap_or(i64::MAX), |story| {
                    story.filters.resize(filters, (0, None));
                    if let Some((count, first)) = story.filters.get_mut(part) {
                        *count += 1;
                        if first.is_none() {
                            story.bytes += record_bytes(&hit.record) + size_of::<Happening>();
                            let id = hit.member.as_str().into();
                            *first = Some(Happening { id, time: hit.time, record: hit.record.clone() });
                        }
                    }
                    story.furthest = story.filters.iter().filter(|(count, _)| *count > 0).count();
                });
            }
            Told::Counted { key, time, counted } => {
                let what = What::Counted {
                    count: counted.count,
                    distinct: counted.distinct.clone(),
                    quiet_since: counted.quiet_since,
                    reached: counted.reached,
                };
                self.looked_at(key, time, what, &counted.member, counted.count, counted.reached);
            }
            Told::Remembered { key, time, remembered } => {
                let Remembered { last, new, silent, .. } = *remembered;
                let what = What::Remembered { last, new, silent };
                self.looked_at(key, time, what, &remembered.member, 1, new && !silent);
            }
            // Of sequences each step is told, what pipes leave out too.
            Told::Found(detection)
                if self.explain.places() == 0
                    && !detection.keys.is_empty()
                    && detection.particulars.is_none() =>
            {
                let key = Key::from(detection.keys.as_slice());
                self.change(&key, detection.time.unwrap_or(i64::MAX), |story| story.found += 1);
            }
            Told::Found(_) => {}
        }
    }

    /// The stories, those that came furthest first.
    pub fn finish(self) -> Vec<Story> {
        let mut stories: Vec<Story> = self.stories.into_values().collect();
        stories.sort_by(|a, b| {
            let rank = |story: &Story| (story.found > 0, story.furthest);
            let key = |story: &Story| crate::story_words::key_text(&story.key);
            rank(b).cmp(&rank(a)).then_with(|| a.first.cmp(&b.first)).then_with(|| key(a).cmp(&key(b)))
        });
        stories
    }

    /// An event was counted, or its values were looked for: so far that came, and perhaps it is found.
    fn looked_at(&mut self, key: &Key, time: i64, what: What, member: &Member, far: u64, found: bool) {
        let marked = self.event == Some(member.id.as_str());
        let event = Some(Happening::of(member));
        self.change(key, time, |story| {
            story.furthest = story.furthest.max(usize::try_from(far).unwrap_or(usize::MAX));
            story.found += u64::from(found);
            story.add(Line { time, what, event, count: 1, since: time, marked, previous: None });
        });
    }

    fn happened(&mut self, key: &Key, time: i64, step: SequenceStep) {
        let places = self.explain.places();
        let marks = self.event;
        if let SequenceStep::Replaced { events, .. } = &step {
            // It is the reason of the line before.
            let since = last_time(events);
            self.change(key, time, |story| {
                if let Some(Line { what: What::Reached { replaces, .. }, .. }) = story.last() {
                    *replaces = since;
                }
                story.join_last();
            });
            return;
        }
        let Some((what, event)) = what_of(step) else { return };
        self.change(key, time, |story| {
            let reached = match &what {
                What::Reached { place, .. } => place + 1,
                What::Complete | What::Open { .. } | What::Refuted { .. } => places,
                _ => 0,
            };
            story.furthest = story.furthest.max(reached);
            story.found += u64::from(matches!(what, What::Complete | What::Decided));
            let marked = event.as_ref().is_some_and(|event| marks == Some(&*event.id));
            story.add(Line { time, what, event, count: 1, since: time, marked, previous: None });
        });
    }

    fn change(&mut self, key: &Key, time: i64, change: impl FnOnce(&mut Story)) {
        let story = self.stories.entry(Arc::clone(key)).or_insert_with(|| Story::new(key, time, 0));
        let before = story.bytes;
        change(story);
        self.bytes = (self.bytes + story.bytes).saturating_sub(before);
        if self.bytes > BUDGET {
            self.forget();
        }
    }

    /// Forgets the stories that came least far, half of the memory of all.
    fn forget(&mut self) {
        let mut stories: Vec<(bool, usize, i64, Key, usize)> = self
            .stories
            .values()
            .map(|story| (story.found > 0, story.furthest, story.first, Arc::clone(&story.key), story.bytes))
            .collect();
        stories.sort_by_key(|(found, furthest, first, ..)| (*found, *furthest, *first));
        for (.., key, bytes) in stories {
            if self.bytes <= BUDGET / 2 {
                break;
            }
            self.stories.remove(&key);
            self.bytes = self.bytes.saturating_sub(bytes);
            self.forgotten += 1;
        }
    }
}

impl Story {
    /// Counts the last line to the one before it, if that says the same.
    fn join_last(&mut self) {
        if let Some(line) = self.remove(0) {
            self.add(line);
        }
    }
}

fn last_time(events: &[Arc<Member>]) -> Option<i64> {
    events.last().and_then(|last| last.time)
}

fn what_of(step: SequenceStep) -> Option<(What, Option<Happening>)> {
    let last = |events: &[Arc<Member>]| events.last().map(|member| Happening::of(member));
    let began = |events: &[Arc<Member>]| events.first().and_then(|first| first.time).unwrap_or(0);
    Some(match step {
        SequenceStep::Reached { place, events } => (What::Reached { place, replaces: None }, last(&events)),
        SequenceStep::Replaced { .. } => return None,
        SequenceStep::Nothing { place, member } => (What::Nothing { place }, Some(Happening::of(&member))),
        SequenceStep::Unlike { place, member } => (What::Unlike { place }, Some(Happening::of(&member))),
        SequenceStep::TooLong { place, member, events } => {
            let after = member.time.unwrap_or(0).saturating_sub(began(&events));
            (What::TooLong { place, after }, Some(Happening::of(&member)))
        }
        SequenceStep::Ended { place, events, by } => {
            let since = last_time(&events).unwrap_or(0);
            (What::Ended { place, since }, Some(Happening::of(&by)))
        }
        SequenceStep::Forbidden { gap, by } => (What::Forbidden { gap }, Some(Happening::of(&by))),
        SequenceStep::Between { place, came } => (What::Between { place, came }, None),
        SequenceStep::Complete { events } => (What::Complete, last(&events)),
        SequenceStep::Open { until, events } => (What::Open { until }, last(&events)),
        SequenceStep::Refuted { lead, events } => (What::Refuted { lead }, last(&events)),
        SequenceStep::RefutedBehind { by, .. } => (What::RefutedBehind, Some(Happening::of(&by))),
        SequenceStep::Decided { .. } => (What::Decided, None),
        SequenceStep::Left { place, events } => {
            let since = last_time(&events).unwrap_or(0);
            (What::Left { place, since, began: began(&events) }, None)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{Happening, LINES, Line, Story, What};
    use quell::{RecordRef, RecordText};
    use std::sync::Arc;

    fn line(time: i64, what: What, id: &str) -> Line {
        let record = RecordRef { source: 0, position: Default::default(), text: RecordText::Reread(1) };
        let event = Some(Happening { id: id.into(), time: Some(time), record });
        Line { time, what, event, count: 1, since: time, marked: false, previous: None }
    }

    fn told(story: &Story) -> Vec<(i64, u64)> {
        story.lines().concat().iter().map(|line| (line.time, line.count)).collect()
    }

    #[test]
    fn what_changes_nothing_is_counted_and_what_an_event_did_hides_what_it_did_not() {
        let mut story = Story::new(&Arc::from([]), 0, 0);
        let (reached, nothing) =
            (What::Reached { place: 0, replaces: None }, |place| What::Nothing { place });
        for (time, what, id) in [
            (1, nothing(2), "a"),
            (1, nothing(1), "a"), // the same event: said once
            (2, nothing(1), "b"),
            (3, nothing(2), "c"),
            (4, nothing(1), "d"),
            (5, nothing(1), "e"),
            (5, reached.clone(), "e"), // it did something
            (6, nothing(1), "f"),
        ] {
            story.add(line(time, what, id));
        }
        // Place 2: c; place 1: a, b and d; then e, then f.
        assert_eq!(told(&story), [(3, 1), (4, 3), (5, 1), (6, 1)]);
    }

    #[test]
    fn a_long_story_keeps_its_beginning_its_end_and_what_decided() {
        let mut story = Story::new(&Arc::from([]), 0, 0);
        for time in 0..10_000 {
            let what =
                if time == 5_000 { What::Complete } else { What::Reached { place: 0, replaces: None } };
            story.add(line(time, what, &time.to_string()));
        }
        let times: Vec<i64> = told(&story).iter().map(|(time, _)| *time).collect();
        let n = LINES as i64;
        let expected: Vec<i64> = (0..n).chain([5_000]).chain(10_000 - n..10_000).collect();
        assert_eq!(times, expected);
        assert_eq!(story.omitted, 10_000 - 2 * LINES as u64 - 1);
        let bytes: usize = story.lines().concat().iter().map(|line| super::bytes_of(line)).sum();
        assert_eq!(story.bytes, bytes + size_of::<Story>());
    }
}
