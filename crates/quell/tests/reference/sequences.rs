//! What a sequence and a sample are, by their definition and without regard to time: no slots, no pass over events.
//!
//! A partial sequence that ends at step i with event e is what the latest earlier event made of step i - 1, if no other
//! event could have used it up since. Everything is looked for anew among all events, once for each key.

use super::random::Dice;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

type Key = Vec<Option<String>>;

/// A result: the values of its keys, and the numbers of its events.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    pub keys: Key,
    pub members: Vec<Option<usize>>,
}

#[derive(Clone, Debug)]
pub struct Moment {
    /// Its place in the input.
    pub number: usize,
    nanoseconds: Option<i64>,
    tiebreaker: Option<i64>,
    name: &'static str,
    fields: Vec<(&'static str, Vec<&'static str>)>,
}

#[derive(Clone, Debug)]
struct KeyField {
    name: &'static str,
    optional: bool,
}

#[derive(Clone, Debug)]
struct Step {
    /// Any event if empty.
    names: Vec<&'static str>,
    missing: bool,
    runs: usize,
    by: Vec<KeyField>,
}

#[derive(Clone, Debug)]
pub struct Query {
    sample: bool,
    shared: Vec<KeyField>,
    steps: Vec<Step>,
    until: Option<Step>,
    /// In milliseconds.
    maxspan: Option<i64>,
}

const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const FIELDS: [&str; 3] = ["user.name", "host.id", "process.entity_id"];
const VALUES: [&str; 3] = ["x", "y", "z"];

/// Some twenty events within 40 ms.
pub fn events(dice: &mut Dice) -> Vec<Moment> {
    let count = 4 + dice.below(24);
    let spread = 1 + dice.below(40);
    let lists = dice.below(3);
    let mut events = Vec::new();
    for number in 0..count {
        let milliseconds = if dice.below(4) == 0 { dice.below(spread) } else { number * spread / count };
        let part = if dice.below(4) == 0 { dice.below(3) * 400_000 } else { 0 };
        let nanoseconds = 1_714_521_600_000_000_000 + (milliseconds * 1_000_000 + part) as i64;
        let fields = FIELDS.map(|field| {
            let values = match dice.below(12) {
                0 => 0,
                1 | 2 => 1 + lists,
                _ => 1,
            };
            (field, (0..values).map(|_| *dice.one_of(&VALUES)).collect())
        });
        events.push(Moment {
            number,
            nanoseconds: (dice.below(25) > 0).then_some(nanoseconds),
            tiebreaker: (dice.below(4) > 0).then(|| dice.below(5) as i64),
            name: NAMES[dice.below(NAMES.len())],
            fields: fields.into(),
        });
    }
    events
}

impl Moment {
    pub fn document(&self) -> String {
        let mut document = json!({ "_id": format!("e{}", self.number), "process": { "name": self.name } });
        if let Some(nanoseconds) = self.nanoseconds {
            let time = jiff::Timestamp::from_nanosecond(i128::from(nanoseconds)).unwrap();
            document["@timestamp"] = Json::String(time.to_string());
        }
        if let Some(tiebreaker) = self.tiebreaker {
            document["event.sequence"] = json!(tiebreaker);
        }
        // Some say that a process was created, for rules beside the queries.
        if self.number.is_multiple_of(3) {
            document["event.category"] = json!("process");
            document["event.type"] = json!("start");
        }
        for (field, values) in &self.fields {
            document[*field] = match values.as_slice() {
                [] if self.number.is_multiple_of(2) => continue,
                [] => json!([null]),
                [one] => json!(one),
                several => json!(several),
            };
        }
        document.to_string()
    }

    /// The distinct values of a field; that there are none is one too.
    pub fn values(&self, field: &str) -> BTreeSet<Option<String>> {
        let own = self.fields.iter().filter(|(name, _)| *name == field).flat_map(|(_, values)| values);
        let own: BTreeSet<Option<String>> = own.map(|value| Some((*value).to_owned())).collect();
        if own.is_empty() { BTreeSet::from([None]) } else { own }
    }

    fn milliseconds(&self) -> i64 {
        self.nanoseconds.unwrap().div_euclid(1_000_000)
    }
}

fn key_field(dice: &mut Dice) -> KeyField {
    KeyField { name: FIELDS[dice.below(FIELDS.len())], optional: dice.below(4) == 0 }
}

fn step(dice: &mut Dice, own_keys: usize) -> Step {
    let names = match dice.below(8) {
        0 => Vec::new(),
        1 => vec![*dice.one_of(&NAMES), *dice.one_of(&NAMES)],
        _ => vec![*dice.one_of(&NAMES)],
    };
    Step { names, missing: false, runs: 1, by: (0..own_keys).map(|_| key_field(dice)).collect() }
}

pub fn sequence(dice: &mut Dice) -> Query {
    let shared = (0..[0, 1, 1, 1, 2][dice.below(5)]).map(|_| key_field(dice)).collect();
    let own = [0, 0, 0, 1][dice.below(4)];
    let mut maxspan = (dice.below(3) > 0).then(|| 1 + dice.below(25) as i64);
    let mut steps: Vec<Step> = (0..1 + dice.below(4)).map(|_| step(dice, own)).collect();
    for step in &mut steps {
        if dice.below(6) == 0 {
            step.runs = 2 + dice.below(2);
        }
    }
    if dice.below(2) == 0 {
        for _ in 0..1 + dice.below(3) {
            let at = dice.below(steps.len() + 1);
            let runs = if dice.below(8) == 0 { 2 } else { 1 };
            steps.insert(at, Step { missing: true, runs, ..step(dice, own) });
        }
        maxspan = Some(maxspan.unwrap_or(10));
    }
    if steps.iter().map(|step| step.runs).sum::<usize>() < 2 {
        steps.push(step(dice, own));
    }
    let until = (dice.below(4) == 0).then(|| step(dice, own));
    Query { sample: false, shared, steps, until, maxspan }
}

pub fn sample(dice: &mut Dice) -> Query {
    let own = dice.below(2);
    let shared =
        (0..if own == 0 { 1 + dice.below(2) } else { dice.below(2) }).map(|_| key_field(dice)).collect();
    let steps = (0..2 + dice.below(3)).map(|_| step(dice, own)).collect();
    Query { sample: true, shared, steps, until: None, maxspan: None }
}

fn by(keys: &[KeyField]) -> String {
    let key = |key: &KeyField| format!("{}{}", if key.optional { "?" } else { "" }, key.name);
    let keys: Vec<String> = keys.iter().map(key).collect();
    if keys.is_empty() { String::new() } else { format!(" by {}", keys.join(", ")) }
}

impl Step {
    fn text(&self) -> String {
        let condition = match self.names.as_slice() {
            [] => "true".to_owned(),
            [name] => format!("process.name == \"{name}\""),
            names => format!("process.name in (\"{}\")", names.join("\", \"")),
        };
        let mark = if self.missing { "!" } else { "" };
        let runs = if self.runs > 1 { format!(" with runs={}", self.runs) } else { String::new() };
        format!("{mark}[any where {condition}]{}{runs}", by(&self.by))
    }
}

impl Query {
    pub fn text(&self) -> String {
        let kind = if self.sample { "sample" } else { "sequence" };
        let maxspan = self.maxspan.map_or(String::new(), |span| format!(" with maxspan={span}ms"));
        let steps: Vec<String> = self.steps.iter().map(Step::text).collect();
        let until = self.until.as_ref().map_or(String::new(), |step| format!("\n  until {}", step.text()));
        format!("{kind}{}{maxspan}\n  {}{until}", by(&self.shared), steps.join("\n  "))
    }

    /// The same query with nothing that must not come; itself where a single step would be left.
    pub fn without_missing_steps(&self) -> Query {
        let steps: Vec<Step> = self.steps.iter().filter(|step| !step.missing).cloned().collect();
        Query { steps, ..self.clone() }
    }

    /// Whether the event is one of the step's, with that key.
    fn takes(&self, step: &Step, event: &Moment, key: &Key) -> bool {
        let fields = self.shared.iter().chain(&step.by);
        let has = |(field, value): (&KeyField, &Option<String>)| {
            (field.optional || value.is_some()) && event.values(field.name).contains(value)
        };
        (step.names.is_empty() || step.names.contains(&event.name)) && fields.zip(key).all(has)
    }

    /// The results in order.
    pub fn answer(&self, events: &[Moment], tiebreaker: bool) -> Vec<Found> {
        let mut events: Vec<&Moment> = events.iter().collect();
        // What has no time or tiebreaker comes last.
        let moment = |event: &Moment| {
            let tie = event.tiebreaker.filter(|_| tiebreaker);
            (event.nanoseconds.is_none(), event.nanoseconds, tiebreaker && tie.is_none(), tie, event.number)
        };
        events.sort_by_key(|event| moment(event));
        if !self.sample {
            events.retain(|event| event.nanoseconds.is_some());
        }
        let values: Vec<Option<String>> =
            std::iter::once(None).chain(VALUES.map(|value| Some(value.to_owned()))).collect();
        let places = self.shared.len() + self.steps[0].by.len();
        let mut keys: Vec<Key> = vec![Vec::new()];
        for _ in 0..places {
            keys = keys
                .iter()
                .flat_map(|key| values.iter().map(move |value| [key.clone(), vec![value.clone()]].concat()))
                .collect();
        }
        let mut found: Vec<(Option<usize>, Found)> = Vec::new();
        for key in &keys {
            let of_key = OneKey { query: self, events: &events, key };
            if self.sample {
                found.extend(of_key.sample().map(|found| (None, found)));
            } else {
                found.extend(of_key.sequences().into_iter().map(|(last, found)| (Some(last), found)));
            }
        }
        found.sort(); // by the place of the last event, then by key; samples by key alone
        found.into_iter().map(|(_, found)| found).collect()
    }
}

/// A query among the events in order, for one key.
struct OneKey<'q> {
    query: &'q Query,
    events: &'q [&'q Moment],
    key: &'q Key,
}

impl OneKey<'_> {
    fn is(&self, step: &Step, at: usize) -> bool {
        self.query.takes(step, self.events[at], self.key)
    }

    fn found(&self, members: Vec<Option<usize>>) -> Found {
        let number = |at: usize| self.events[at].number;
        Found { keys: self.key.clone(), members: members.into_iter().map(|at| at.map(number)).collect() }
    }

    /// The partial sequence through step `i` that event `e` ends, by those through the step before.
    fn partial(
        &self,
        steps: &[&Step],
        i: usize,
        e: usize,
        before: &[Option<Vec<usize>>],
    ) -> Option<Vec<usize>> {
        if !self.is(steps[i], e) {
            return None;
        }
        if i == 0 {
            return Some(vec![e]);
        }
        let (last, mut events) =
            (0..e).rev().find_map(|earlier| Some((earlier, before[earlier].clone()?)))?;
        let used_up = (last + 1..e).any(|between| self.is(steps[i], between));
        let time = |at: usize| self.events[at].nanoseconds.unwrap();
        let too_long = self.query.maxspan.is_some_and(|span| time(e) - time(events[0]) > span * 1_000_000);
        let ended = self.query.until.as_ref().is_some_and(|until| (last..e).any(|at| self.is(until, at)));
        if used_up || too_long || ended {
            return None;
        }
        events.push(e);
        Some(events)
    }

    /// Each with the place of its last event.
    fn sequences(&self) -> Vec<(usize, Found)> {
        let positive = self.query.steps.iter().filter(|step| !step.missing);
        let steps: Vec<&Step> = positive.flat_map(|step| std::iter::repeat_n(step, step.runs)).collect();
        let mut partials: Vec<Option<Vec<usize>>> = Vec::new();
        for i in 0..steps.len() {
            partials = (0..self.events.len()).map(|e| self.partial(&steps, i, e, &partials)).collect();
        }
        let standing = partials.into_iter().flatten().filter(|events| self.stands(events));
        let with_gaps = |events: Vec<usize>| {
            let mut rest = events.iter().copied();
            let expanded = self.query.steps.iter().flat_map(|step| std::iter::repeat_n(step, step.runs));
            let members = expanded.map(|step| if step.missing { None } else { rest.next() }).collect();
            (*events.last().unwrap(), self.found(members))
        };
        standing.map(with_gaps).collect()
    }

    /// Whether nothing came that must not come. With one end watched the window of `maxspan` is as far from it as the
    /// events let it be; with both any window will do that holds the events.
    fn stands(&self, events: &[usize]) -> bool {
        let steps = &self.query.steps;
        let first_positive = steps.iter().position(|step| !step.missing).unwrap();
        let last_positive = steps.iter().rposition(|step| !step.missing).unwrap();
        let time = |at: usize| self.events[at].milliseconds();
        // Half milliseconds, so that a window may begin between two.
        let comes = |steps: &[Step], from: i64, to: i64, closed: (bool, bool)| {
            (0..self.events.len()).any(|at| {
                let t = time(at) * 2;
                let inside = (t > from || (closed.0 && t == from)) && (t < to || (closed.1 && t == to));
                inside && steps.iter().any(|step| step.missing && self.is(step, at))
            })
        };
        let mut place = 0;
        for (at, step) in steps.iter().enumerate() {
            if !step.missing {
                place += step.runs;
            } else if at > first_positive && at < last_positive {
                let (before, after) = (time(events[place - 1]) * 2, time(events[place]) * 2);
                if comes(&steps[at..=at], before, after, (false, false)) {
                    return false;
                }
            }
        }
        let (leading, trailing) = (&steps[..first_positive], &steps[last_positive + 1..]);
        let (first, last) = (time(events[0]) * 2, time(*events.last().unwrap()) * 2);
        let Some(span) = self.query.maxspan.map(|span| span * 2) else { return true };
        let free = |from: i64| {
            !comes(leading, from, first, (true, false)) && !comes(trailing, last, from + span, (false, true))
        };
        match (leading.is_empty(), trailing.is_empty()) {
            (true, true) => true,
            (false, true) => free(last - span),
            (true, false) => free(first),
            (false, false) => (last - span..=first).any(free),
        }
    }

    /// The first of all ways to give every filter an event of its own.
    fn sample(&self) -> Option<Found> {
        let steps = &self.query.steps;
        let lists: Vec<Vec<usize>> = steps
            .iter()
            .map(|step| (0..self.events.len()).filter(|at| self.is(step, *at)).take(steps.len()).collect())
            .collect();
        fn choose(lists: &[Vec<usize>], taken: &mut Vec<usize>) -> bool {
            let Some(list) = lists.get(taken.len()) else { return true };
            for at in list {
                if !taken.contains(at) {
                    taken.push(*at);
                    if choose(lists, taken) {
                        return true;
                    }
                    taken.pop();
                }
            }
            false
        }
        let mut taken = Vec::new();
        choose(&lists, &mut taken).then(|| self.found(taken.into_iter().map(Some).collect()))
    }
}
