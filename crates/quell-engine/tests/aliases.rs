//! Sequences whose steps ask for the events of earlier ones, against lists that are gone through one by one.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod scan;

use proptest::prelude::*;
use quell_engine::{Detection, Engine, EngineOptions};
use scan::{bare_rule, detections, engine_of, with_rule};

const NAMES: [&str; 3] = ["a", "b", "c"];
const FIELDS: [&str; 2] = ["user.name", "process.name"];

#[derive(Clone, Debug)]
struct Moment {
    /// In milliseconds.
    time: i64,
    name: usize,
    /// Of each field.
    values: [Option<u8>; 2],
    key: u8,
}

/// How a step asks for an earlier event.
#[derive(Clone, Copy, Debug)]
enum Ask {
    /// A tie of its own field to the earlier one's.
    Equal,
    Unequal,
    /// Equal, or of this name.
    Or(usize),
    /// Either of both is absent.
    NotBoth,
}

/// `ask` of the own field and the field of the event `back` steps before, as far as there are so many.
#[derive(Clone, Copy, Debug)]
struct Test {
    ask: Ask,
    own: usize,
    other: usize,
    back: usize,
}

#[derive(Clone, Debug)]
struct Step {
    /// Any if it is beyond the names.
    name: usize,
    tests: Vec<Test>,
}

#[derive(Clone, Debug)]
struct Query {
    steps: Vec<Step>,
    until: Option<Step>,
    maxspan: Option<i64>,
    keyed: bool,
}

impl Test {
    /// The step that a test of step `at` asks for.
    fn step(&self, at: usize) -> Option<usize> {
        if at == 0 { None } else { Some(at.saturating_sub(self.back + 1)) }
    }

    fn text(&self, at: usize) -> Option<String> {
        let (own, step, other) = (FIELDS[self.own], self.step(at)?, FIELDS[self.other]);
        let other = format!("event{step}.{other}");
        Some(match self.ask {
            Ask::Equal => format!("{own} == {other}"),
            Ask::Unequal => format!("{own} != {other}"),
            Ask::Or(name) => format!("(event.action == \"{}\" or {own} == {other})", NAMES[name]),
            Ask::NotBoth => format!("not ({own} != null and {other} != null)"),
        })
    }

    fn holds(&self, at: usize, event: &Moment, earlier: &[&Moment]) -> bool {
        let Some(step) = self.step(at) else { return true };
        let own = event.values[self.own];
        let other = earlier.get(step).and_then(|event| event.values[self.other]);
        let equal = own.is_some() && own == other;
        match self.ask {
            Ask::Equal => equal,
            Ask::Unequal => !equal,
            Ask::Or(name) => event.name == name || equal,
            Ask::NotBoth => own.is_none() || other.is_none(),
        }
    }
}

impl Step {
    fn text(&self, at: usize) -> String {
        let name = NAMES.get(self.name).map(|name| format!("event.action == \"{name}\""));
        let tests = self.tests.iter().filter_map(|test| test.text(at));
        let all: Vec<String> = name.into_iter().chain(tests).collect();
        let all = if all.is_empty() { "true".to_owned() } else { all.join(" and ") };
        format!("[any where {all}]")
    }

    fn takes(&self, at: usize, event: &Moment, earlier: &[&Moment]) -> bool {
        let name = self.name >= NAMES.len() || self.name == event.name;
        name && self.tests.iter().all(|test| test.holds(at, event, earlier))
    }
}

impl Query {
    fn text(&self) -> String {
        let by = if self.keyed { " by k" } else { "" };
        let maxspan = self.maxspan.map(|span| format!(" with maxspan={span}ms")).unwrap_or_default();
        let steps = (0..).zip(&self.steps).map(|(at, step)| format!(" {} as event{at}", step.text(at)));
        let until = self.until.as_ref().map(|step| format!(" until {}", step.text(self.steps.len())));
        format!("sequence{by}{maxspan}{}{}", steps.collect::<String>(), until.unwrap_or_default())
    }

    /// What later steps are tied to, of what waits behind step `at`.
    fn tied(&self, at: usize, events: &[&Moment]) -> Vec<Option<u8>> {
        let later = self.steps.iter().enumerate().skip(at + 1);
        let ties = later.flat_map(|(step, of)| of.tests.iter().map(move |test| (step, test)));
        let ties = ties.filter(|(_, test)| matches!(test.ask, Ask::Equal));
        let of_event = |(step, test): (usize, &Test)| {
            let asked = test.step(step).unwrap();
            (asked <= at).then(|| events[asked].values[test.other])
        };
        ties.filter_map(of_event).collect()
    }

    /// The results in order, as places of events; events are in order of time.
    fn answer(&self, events: &[Moment]) -> Vec<Vec<usize>> {
        // The key, the step, the events; the oldest first.
        let mut waiting: Vec<(u8, usize, Vec<usize>)> = Vec::new();
        let mut found = Vec::new();
        for (place, event) in events.iter().enumerate() {
            let key = if self.keyed { event.key } else { 0 };
            for (at, step) in self.steps.iter().enumerate().rev() {
                let mut reached = Vec::new();
                if at == 0 {
                    reached.extend(step.takes(0, event, &[]).then(|| vec![place]));
                } else {
                    waiting.retain(|(of_key, behind, earlier)| {
                        let moments: Vec<&Moment> = earlier.iter().map(|place| &events[*place]).collect();
                        let goes = *of_key == key && behind + 1 == at && step.takes(at, event, &moments);
                        let began = events[earlier[0]].time;
                        if goes && self.maxspan.is_none_or(|span| event.time - began <= span) {
                            reached.push([&earlier[..], &[place]].concat());
                        }
                        !goes
                    });
                }
                for own in reached {
                    if at + 1 == self.steps.len() {
                        found.push(own);
                        continue;
                    }
                    let tied = |places: &[usize]| {
                        let moments: Vec<&Moment> = places.iter().map(|place| &events[*place]).collect();
                        self.tied(at, &moments)
                    };
                    waiting.retain(|(of_key, behind, other)| {
                        (*of_key, *behind) != (key, at) || tied(other) != tied(&own)
                    });
                    waiting.push((key, at, own));
                }
            }
            if let Some(until) = &self.until {
                waiting.retain(|(of_key, _, earlier)| {
                    let moments: Vec<&Moment> = earlier.iter().map(|place| &events[*place]).collect();
                    *of_key != key || !until.takes(self.steps.len(), event, &moments)
                });
            }
        }
        found
    }
}

fn engine(query: &Query) -> Engine {
    let mut rule = bare_rule("0");
    rule.os_list = vec!["windows".to_owned()];
    engine_of(vec![with_rule(rule, &query.text())], &EngineOptions::default())
}

fn record(event: &Moment) -> String {
    let mut record = serde_json::json!({
        "@timestamp": event.time, "event.action": NAMES[event.name], "k": event.key,
    });
    for (field, value) in FIELDS.iter().zip(event.values) {
        if let Some(value) = value {
            record[*field] = value.to_string().into();
        }
    }
    record.to_string()
}

fn places(detection: &Detection) -> Vec<usize> {
    let place = |member: &Option<quell_engine::Member>| {
        usize::try_from(member.as_ref().unwrap().record.position.number).unwrap() - 1
    };
    detection.members.iter().map(place).collect()
}

fn test() -> impl Strategy<Value = Test> {
    let ask = prop_oneof![
        3 => Just(Ask::Equal),
        1 => Just(Ask::Unequal),
        1 => (0..NAMES.len()).prop_map(Ask::Or),
        1 => Just(Ask::NotBoth),
    ];
    (ask, 0..2usize, 0..2usize, 0..2usize).prop_map(|(ask, own, other, back)| Test { ask, own, other, back })
}

fn step() -> impl Strategy<Value = Step> {
    (0..NAMES.len() + 1, proptest::collection::vec(test(), 0..3))
        .prop_map(|(name, tests)| Step { name, tests })
}

fn query() -> impl Strategy<Value = Query> {
    let steps = proptest::collection::vec(step(), 2..5);
    let until = proptest::option::weighted(0.3, step());
    (steps, until, proptest::option::of(1i64..12), any::<bool>())
        .prop_map(|(steps, until, maxspan, keyed)| Query { steps, until, maxspan, keyed })
}

fn moment() -> impl Strategy<Value = Moment> {
    let value = || proptest::option::weighted(0.9, 0u8..3);
    (0i64..3, 0..NAMES.len(), [value(), value()], 0u8..2).prop_map(|(time, name, values, key)| Moment {
        time,
        name,
        values,
        key,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 400, ..Default::default() })]
    #[test]
    fn steps_take_what_their_tests_of_earlier_events_say(
        query in query(),
        streams in proptest::collection::vec(proptest::collection::vec(moment(), 0..40), 10),
    ) {
        let engine = engine(&query);
        for mut events in streams {
            let mut time = 0;
            for event in &mut events {
                time += event.time;
                event.time = time;
            }
            let records: Vec<String> = events.iter().map(record).collect();
            let records: Vec<&str> = records.iter().map(String::as_str).collect();
            let found: Vec<Vec<usize>> = detections(&engine, &records).iter().map(places).collect();
            prop_assert_eq!(found, query.answer(&events), "{}\n{}", query.text(), records.join("\n"));
        }
    }
}
