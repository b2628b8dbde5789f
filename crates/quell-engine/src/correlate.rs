//! Correlation: hits in, detections out, in one order.
//!
//! Of an event rule each hit is a detection; those of sequences and samples are joined. Hits may arrive in any order. Of
//! each rule they are ordered by time, then by the rule's tiebreaker (an absent one comes last), then by input; among those
//! that are still equal and come from one log of one host, the record's number decides. What has no time comes last.
//! Source: Elasticsearch's "EQL search", the order of matching events, and "EQL pipe reference".

use crate::compile::{CompiledRule, Engine, Join, ResultLimit, ResultPosition};
use crate::hit::{Hit, MemberId, Tiebreaker};
use crate::sample::samples;
use crate::sequence::{Joined, Occurrence};
use quell_event::RecordRef;
use quell_ir::Value;
use quell_ir::logic::Pipe;
use rustc_hash::FxHashMap;
use std::cmp::Ordering;
use std::ops::Range;

/// What a rule detected: one event, or several that belong together.
#[derive(Clone, Debug)]
pub struct Detection {
    /// The rule's number in the engine.
    pub rule: u32,
    /// The time of its last event, in nanoseconds since 1970.
    pub time: Option<i64>,
    /// The values that its events have in common by the rule; none for an event rule.
    pub keys: Vec<Value>,
    /// Its events in order; `None` stands for a step that must not come.
    pub members: Vec<Option<Member>>,
}

/// An event of a detection.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its identity; of equal records each has its own.
    pub id: MemberId,
    /// Its time, in nanoseconds since 1970.
    pub time: Option<i64>,
    /// The values of the fields that later stages read.
    pub captures: Box<[Vec<Value>]>,
    /// How to have its record again.
    pub record: RecordRef,
}

/// Makes detections of all hits of a scan. The result is ordered by time, then by rule id, and does not depend on the
/// order of `hits`. A rule's own order is kept: samples are ordered by their keys, so one may follow a later one.
#[must_use]
pub fn correlate(engine: &Engine, mut hits: Vec<Hit>) -> Vec<Detection> {
    hits.sort_by(|a, b| a.rule.cmp(&b.rule).then_with(|| order(a, b)));
    let mut detections: Vec<(Option<i64>, Detection)> = Vec::new();
    let mut rest = hits;
    while let Some(number) = rest.first().map(|hit| hit.rule) {
        let others = rest.split_off(rest.partition_point(|hit| hit.rule == number));
        let of_rule = std::mem::replace(&mut rest, others);
        let Some(rule) = engine.rules.get(number as usize) else { continue };
        let found = match &rule.join {
            Join::Event => events(rule, number, engine.limit, of_rule),
            Join::Sequence(plan) => {
                joined(rule, number, engine.limit, of_rule, |occurrences| plan.join(occurrences))
            }
            Join::Sample(filters) => {
                joined(rule, number, engine.limit, of_rule, |occurrences| samples(*filters, occurrences))
            }
        };
        let mut latest = None;
        detections.extend(found.into_iter().map(|detection| {
            let time = detection.time;
            latest = Some(latest.map_or(time, |latest| later(latest, time)));
            (latest.flatten(), detection)
        }));
    }
    let id = |detection: &Detection| engine.rule(detection.rule).map_or("", |rule| rule.id.as_str());
    // Stable: each rule's own order is kept within one time.
    detections.sort_by(|(time_a, a), (time_b, b)| {
        absent_last(time_a, time_b).then_with(|| id(a).cmp(id(b))).then_with(|| a.rule.cmp(&b.rule))
    });
    detections.into_iter().map(|(_, detection)| detection).collect()
}

/// The detections of an event rule: its hits, less those that its pipes leave out.
fn events(
    rule: &CompiledRule,
    number: u32,
    limit: Option<ResultLimit>,
    mut hits: Vec<Hit>,
) -> Vec<Detection> {
    by_record_number(&mut hits, |hit| Some(hit));
    let kept = kept(hits.len(), &rule.pipes, limit);
    let mut times = Repetitions::default();
    // Also what a pipe leaves out is counted: an event's identity is not a matter of its rule's pipes.
    let members = hits.into_iter().map(|hit| times.member(&hit));
    let detections = members.enumerate().filter(|(at, _)| kept.contains(at)).map(|(_, member)| Detection {
        rule: number,
        time: member.time,
        keys: Vec::new(),
        members: vec![Some(member)],
    });
    detections.collect()
}

/// The detections of a rule whose hits are joined, less those that its pipes leave out.
fn joined(
    rule: &CompiledRule,
    number: u32,
    limit: Option<ResultLimit>,
    hits: Vec<Hit>,
    join: impl FnOnce(&[Occurrence]) -> Vec<Joined>,
) -> Vec<Detection> {
    let mut occurrences: Vec<Occurrence> = Vec::new();
    for hit in hits {
        match occurrences.last_mut() {
            Some(Occurrence { hits }) if hits.last().is_some_and(|last| of_one_event(last, &hit)) => {
                hits.push(hit);
            }
            _ => occurrences.push(Occurrence { hits: vec![hit] }),
        }
    }
    by_record_number(&mut occurrences, |occurrence| occurrence.hits.first());
    let mut times = Repetitions::default();
    let firsts = occurrences.iter().map(|occurrence| occurrence.hits.first());
    let members: Vec<Option<Member>> = firsts.map(|first| first.map(|hit| times.member(hit))).collect();
    let found = join(&occurrences);
    let kept = kept(found.len(), &rule.pipes, limit);
    let detection = |Joined { key, members: numbers }: &Joined| {
        let member = |number: &Option<usize>| members.get((*number)?)?.clone();
        let members: Vec<Option<Member>> = numbers.iter().map(member).collect();
        let times = members.iter().flatten().map(|member| member.time);
        Detection { rule: number, time: times.reduce(later).flatten(), keys: key.to_vec(), members }
    };
    found.get(kept).unwrap_or_default().iter().map(detection).collect()
}

/// How often each identity came.
#[derive(Default)]
struct Repetitions(FxHashMap<MemberId, usize>);

impl Repetitions {
    /// The event of the next hit. Of equal records each has an identity of its own.
    fn member(&mut self, hit: &Hit) -> Member {
        let n = self.0.entry(hit.member.clone()).or_default();
        *n += 1;
        Member {
            id: hit.member.repeated(*n),
            time: hit.time,
            captures: hit.captures.clone(),
            record: hit.record.clone(),
        }
    }
}

/// Of two hits of one rule.
fn of_one_event(a: &Hit, b: &Hit) -> bool {
    (a.record.source, a.record.position) == (b.record.source, b.record.position)
}

/// The later of two times; an absent one is the latest.
fn later(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    if absent_last(&a, &b).is_lt() { b } else { a }
}

/// The order of two hits of a rule, but for record numbers.
fn order(a: &Hit, b: &Hit) -> Ordering {
    let input = |hit: &Hit| (hit.record.source, hit.record.position, hit.step);
    moment(a, b).then_with(|| input(a).cmp(&input(b)))
}

fn moment(a: &Hit, b: &Hit) -> Ordering {
    absent_last(&a.time, &b.time).then_with(|| absent_last::<Tiebreaker>(&a.tiebreaker, &b.tiebreaker))
}

fn absent_last<T: Ord>(a: &Option<T>, b: &Option<T>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => a.cmp(b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}

/// Within each run of equal time and tiebreaker, puts the events of one log of one host in the order of their record
/// numbers, in the places that they hold together. So the order is total, whatever stands between them. `hit` is a hit of
/// the event.
fn by_record_number<T: Clone>(events: &mut [T], hit: impl Fn(&T) -> Option<&Hit>) {
    let together = |a: &T, b: &T| hit(a).zip(hit(b)).is_some_and(|(a, b)| moment(a, b).is_eq());
    for run in events.chunk_by_mut(together) {
        if run.len() < 2 {
            continue;
        }
        let series = |event: &T| hit(event).and_then(|hit| hit.series);
        let mut places: FxHashMap<u64, Vec<usize>> = FxHashMap::default();
        for (place, event) in run.iter().enumerate() {
            if let Some(series) = series(event) {
                places.entry(series.origin).or_default().push(place);
            }
        }
        let mut moves: Vec<(usize, T)> = Vec::new();
        for places in places.into_values().filter(|places| places.len() > 1) {
            let mut group: Vec<&T> = places.iter().filter_map(|place| run.get(*place)).collect();
            group.sort_by_key(|event| series(event).map(|series| series.number));
            moves.extend(places.iter().copied().zip(group.into_iter().cloned()));
        }
        for (place, event) in moves {
            if let Some(old) = run.get_mut(place) {
                *old = event;
            }
        }
    }
}

/// Which of `count` ordered results the pipes keep, the limit in front of them.
fn kept(count: usize, pipes: &[Pipe], limit: Option<ResultLimit>) -> Range<usize> {
    let implied = limit.map(|limit| {
        let tail = match pipes.first() {
            Some(pipe) => matches!(pipe, Pipe::Tail(_)),
            None => limit.position == ResultPosition::Tail,
        };
        if tail { Pipe::Tail(limit.size) } else { Pipe::Head(limit.size) }
    });
    let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    implied.iter().chain(pipes).fold(0..count, |kept, pipe| match *pipe {
        Pipe::Head(n) => kept.start..kept.end.min(kept.start.saturating_add(size(n))),
        Pipe::Tail(n) => kept.start.max(kept.end.saturating_sub(size(n)))..kept.end,
        // A rule with one of these does not run yet.
        Pipe::Filter(_) | Pipe::Sort(_) | Pipe::Unique(_) | Pipe::UniqueCount(_) | Pipe::Count(_) => kept,
    })
}

#[cfg(test)]
mod tests {
    use super::{by_record_number, kept, order};
    use crate::compile::{ResultLimit, ResultPosition};
    use crate::hit::{Hit, Series};
    use quell_event::{Position, RecordRef, RecordText};
    use quell_ir::logic::Pipe::{self, Head, Tail};
    use std::ops::Range;

    #[test]
    fn pipes_apply_from_left_to_right_behind_the_limit() {
        let limit = |size, position| Some(ResultLimit { size, position });
        let cases: &[(&[Pipe], Option<ResultLimit>, Range<usize>)] = &[
            (&[], None, 0..20),
            (&[Head(3)], None, 0..3),
            (&[Tail(3)], None, 17..20),
            (&[Tail(10), Head(7)], None, 10..17),
            (&[Head(10), Tail(7)], None, 3..10),
            (&[Head(0)], None, 0..0),
            (&[Tail(0)], None, 20..20),
            (&[Head(50)], None, 0..20),
            (&[Head(u64::MAX)], None, 0..20),
            (&[], limit(10, ResultPosition::Tail), 10..20),
            (&[], limit(10, ResultPosition::Head), 0..10),
            (&[Head(50)], limit(10, ResultPosition::Tail), 0..10),
            (&[Tail(5), Head(2)], limit(10, ResultPosition::Head), 15..17),
        ];
        for (pipes, limit, expected) in cases {
            assert_eq!(kept(20, pipes, *limit), *expected, "{pipes:?} {limit:?}");
        }
    }

    fn hit(offset: u64, time: i64, series: Option<(u64, u64)>) -> Hit {
        let position = Position { offset, number: offset };
        Hit {
            rule: 0,
            step: 0,
            keys: Box::default(),
            time: Some(time),
            tiebreaker: None,
            series: series.map(|(origin, number)| Series { origin, number }),
            member: "m".into(),
            captures: Box::default(),
            record: RecordRef { source: 0, position, text: RecordText::Reread(1) },
        }
    }

    #[test]
    fn record_numbers_order_what_one_log_wrote_at_one_time() {
        // Logs 1 and 2 stand mixed; a hit without a log keeps its place; another time is another run.
        let mut hits = vec![
            hit(0, 5, Some((1, 30))),
            hit(1, 5, Some((2, 8))),
            hit(2, 5, None),
            hit(3, 5, Some((1, 10))),
            hit(4, 5, Some((2, 7))),
            hit(5, 5, Some((1, 20))),
            hit(6, 6, Some((1, 1))),
        ];
        hits.reverse();
        hits.sort_by(order);
        by_record_number(&mut hits, |hit| Some(hit));
        let offsets: Vec<u64> = hits.iter().map(|hit| hit.record.position.offset).collect();
        assert_eq!(offsets, [3, 4, 2, 5, 1, 0, 6]);
    }
}
