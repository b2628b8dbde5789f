//! Random queries of the Endgame dialect, as text, and random events: sequences, joins and pipes. Conditions have a test of
//! their own.
//!
//! What is left out: keys of `sort` and `count` that are lists, over which Python fails; texts that are empty and numbers that
//! are 0, which it takes for null in pipes; lists of one element, which quell takes for their value; keys of `count` that are
//! floats or booleans. Where `count` gives a null key Python has an empty value, so tests of it ask for null first.

use super::random::Dice;
use super::shared_dialect::identified;
use serde_json::{Value as Json, json};

const ACTIONS: &[&str] = &["a", "A", "b", "B", "c"];
const CATEGORIES: &[&str] = &["process", "file"];
const TEXT_FIELDS: &[&str] = &["user.name", "process.name", "process.entity_id"];
const NUMBER_FIELDS: &[&str] = &["process.pid", "process.thread.id"];
const KEYS: &[&str] =
    &["user.name", "process.entity_id", "process.thread.id", "process.args", "process.name"];

/// Some events within half a minute, in the order of the input, which is not always that of time.
pub fn events(dice: &mut Dice, most: usize) -> Vec<Json> {
    let count = 2 + dice.below(most - 1);
    let spread = 4 + dice.below(60);
    (0..count)
        .map(|number| {
            let halves = if dice.below(5) == 0 { dice.below(spread) } else { number * spread / count };
            document(dice, &format!("e{number}"), halves as i64 * 500)
        })
        .collect()
}

fn document(dice: &mut Dice, id: &str, milliseconds: i64) -> Json {
    let mut document = json!({ "event": { "action": dice.one_of(ACTIONS) }, "user": {}, "process": {} });
    if dice.below(8) == 0 {
        document["event"]["action"] = json!("u");
    }
    let mut put = |object: &str, field: &str, values: &[Json]| {
        // Absent now and then.
        if dice.below(6) > 0 {
            document[object][field] = dice.one_of(values).clone();
        }
    };
    put("user", "name", &[json!("x"), json!("X"), json!("y")]);
    put("process", "entity_id", &[json!("p"), json!("P"), json!("q")]);
    put(
        "process",
        "name",
        &[json!("cmd.exe"), json!("CMD.exe"), json!("Net.exe"), json!("net.exe"), json!("b")],
    );
    put("process", "pid", &[json!(1), json!(2), json!(3), json!(-4), json!(10)]);
    put("process", "thread", &[json!({ "id": 1 }), json!({ "id": 2 }), json!({})]);
    put("process", "args", &[json!(["a", "b"]), json!(["A", "b"]), json!(["b", "a"]), json!("a")]);
    let host = *dice.one_of(&["", "h1", "h2", "H1"]);
    if !host.is_empty() {
        document["host"] = json!({ "name": host });
        // What Python takes for the host.
        document["hostname"] = json!(host);
    }
    identified(document, id, dice.one_of::<&str>(CATEGORIES), milliseconds)
}

pub fn sequence(dice: &mut Dice) -> String {
    let (by, own) = keys(dice);
    let span = match dice.below(4) {
        0 | 1 => String::new(),
        _ => format!(" with maxspan={}s", 1 + dice.below(15)),
    };
    steps(dice, &format!("sequence{by}{span}"), own, true)
}

pub fn join(dice: &mut Dice) -> String {
    let (by, own) = keys(dice);
    steps(dice, &format!("join{by}"), own, false)
}

pub fn piped_events(dice: &mut Dice) -> String {
    format!("{}{}", step(dice), pipes(dice, 1, 1))
}

/// The keys of all steps, and the fields of one type of which each has one more.
fn keys(dice: &mut Dice) -> (String, Vec<&'static [&'static str]>) {
    let shared: Vec<&str> = (0..[0, 1, 1, 1, 2][dice.below(5)]).map(|_| *dice.one_of(KEYS)).collect();
    let by = if shared.is_empty() { String::new() } else { format!(" by {}", shared.join(", ")) };
    let own = (0..[0, 0, 0, 1, 2][dice.below(5)]).map(|_| *dice.one_of(&[TEXT_FIELDS, NUMBER_FIELDS]));
    (by, own.collect())
}

fn steps(dice: &mut Dice, start: &str, own: Vec<&[&str]>, forks: bool) -> String {
    let count = 2 + [0, 0, 1, 1, 2][dice.below(5)];
    let mut text = start.to_owned();
    let by = |dice: &mut Dice| {
        let own: Vec<&str> = own.iter().map(|pool| *dice.one_of(pool)).collect();
        if own.is_empty() { String::new() } else { format!(" by {}", own.join(", ")) }
    };
    for place in 0..count {
        let fork = match dice.below(8) {
            0 | 1 if forks && place > 0 => " fork",
            2 if forks && place > 0 => " fork=true",
            3 if forks && place > 0 => " fork=false",
            _ => "",
        };
        text += &format!("\n  [{}]{fork}{}", step(dice), by(dice));
    }
    if dice.below(3) == 0 {
        let condition = match dice.below(3) {
            0 => step(dice),
            _ => "any where event.action == \"u\"".to_owned(),
        };
        text += &format!("\n  until [{condition}]{}", by(dice));
    }
    text + &pipes(dice, 0, count)
}

fn step(dice: &mut Dice) -> String {
    let category = if dice.below(5) > 0 { "any" } else { dice.one_of::<&str>(CATEGORIES) };
    let condition = match dice.below(8) {
        0 => "true".to_owned(),
        1 => "event.action != \"b\"".to_owned(),
        2 => format!("event.action in (\"{}\", \"{}\")", dice.one_of(ACTIONS), dice.one_of(ACTIONS)),
        _ => format!("event.action == \"{}\"", dice.one_of(ACTIONS)),
    };
    format!("{category} where {condition}")
}

/// What can be read at a place in a chain of pipes.
struct Chain {
    /// How many events a result has; none behind `count`.
    events: usize,
    /// Whether counts were made.
    made: bool,
    /// Behind `count` of a single key, whether that is a text.
    text_key: Option<bool>,
}

fn pipes(dice: &mut Dice, least: usize, events: usize) -> String {
    let mut chain = Chain { events, made: false, text_key: None };
    let count = least + [0, 1, 1, 2][dice.below(4)];
    (0..count).map(|_| format!("\n  | {}", pipe(dice, &mut chain))).collect()
}

fn pipe(dice: &mut Dice, chain: &mut Chain) -> String {
    match dice.below(8) {
        0 => format!("{} {}", dice.one_of(&["head", "tail"]), 1 + dice.below(6)),
        1 | 2 => format!("filter {}", test(dice, chain, 2)),
        3 => format!("sort {}", list(dice, chain, sortable)),
        4 => format!("unique {}", list(dice, chain, groupable)),
        5 => {
            let keys = list(dice, chain, groupable);
            chain.made = true;
            format!("unique_count {keys}")
        }
        _ => {
            let of_result = chain.events == 0;
            let keys = match dice.below(5) {
                0 => None,
                _ if of_result => Some(("count".to_owned(), Some(false))),
                1 => Some((
                    format!("{}, {}", field(dice, chain, TEXT_FIELDS), field(dice, chain, NUMBER_FIELDS)),
                    None,
                )),
                2 => Some((field(dice, chain, NUMBER_FIELDS), Some(false))),
                3 => Some((format!("length({})", field(dice, chain, TEXT_FIELDS)), Some(false))),
                _ => Some((field(dice, chain, TEXT_FIELDS), Some(true))),
            };
            let text = match &keys {
                Some((keys, _)) => format!("count {keys}"),
                None => "count".to_owned(),
            };
            *chain = Chain { events: 0, made: true, text_key: keys.map_or(Some(true), |(_, text)| text) };
            text
        }
    }
}

fn list(dice: &mut Dice, chain: &Chain, key: fn(&mut Dice, &Chain) -> String) -> String {
    let keys: Vec<String> = (0..=[0, 0, 1][dice.below(3)]).map(|_| key(dice, chain)).collect();
    keys.join(", ")
}

fn field(dice: &mut Dice, chain: &Chain, fields: &[&str]) -> String {
    let field = dice.one_of(fields);
    match dice.below(chain.events.max(1) * 2) {
        place if place < chain.events && chain.events > 1 => format!("events[{place}].{field}"),
        _ => (*field).to_owned(),
    }
}

fn sortable(dice: &mut Dice, chain: &Chain) -> String {
    if chain.events == 0 || (chain.made && dice.below(2) == 0) {
        return (*dice.one_of(&["count", "percent", "total_hosts"])).to_owned();
    }
    match dice.below(4) {
        0 => field(dice, chain, NUMBER_FIELDS),
        1 => format!("length({})", field(dice, chain, TEXT_FIELDS)),
        _ => field(dice, chain, TEXT_FIELDS),
    }
}

fn groupable(dice: &mut Dice, chain: &Chain) -> String {
    if chain.events == 0 {
        return sortable(dice, chain);
    }
    match dice.below(6) {
        0 => field(dice, chain, &["process.args"]),
        1 => format!("{} == \"x\"", field(dice, chain, &["user.name"])),
        _ => sortable(dice, chain),
    }
}

fn test(dice: &mut Dice, chain: &Chain, depth: usize) -> String {
    if depth > 0 {
        match dice.below(5) {
            0 => return format!("not ({})", test(dice, chain, depth - 1)),
            1 => {
                let op = *dice.one_of(&["and", "or"]);
                return format!("({} {op} {})", test(dice, chain, depth - 1), test(dice, chain, depth - 1));
            }
            _ => {}
        }
    }
    if chain.events == 0 || (chain.made && dice.below(2) == 0) {
        return match (dice.below(5), chain.text_key) {
            (0, Some(true)) => {
                format!("(key != null and key == \"{}\")", dice.one_of(&["X", "cmd*", "p", "totals"]))
            }
            (0, Some(false)) => format!("(key != null and key > {})", dice.below(3)),
            (1, _) => format!("percent > {}", dice.one_of(&["0.2", "0.5"])),
            (2, _) => format!("total_hosts {}", dice.one_of(&["== null", "== 1", "!= 1"])),
            (3, _) => format!("hosts[0] == \"{}\"", dice.one_of(&["h1", "H2"])),
            _ => format!("count {} {}", dice.one_of(&[">", "<=", "!="]), 1 + dice.below(3)),
        };
    }
    match dice.below(7) {
        0 => format!("{} > {}", field(dice, chain, NUMBER_FIELDS), dice.below(4)),
        1 => format!(
            "{} == \"{}\"",
            field(dice, chain, TEXT_FIELDS),
            dice.one_of(&["x", "cmd*", "*t.exe", "P"])
        ),
        2 => format!(
            "{} != \"{}\"",
            field(dice, chain, TEXT_FIELDS),
            dice.one_of(&["x", "cmd*", "*t.exe", "P"])
        ),
        3 => format!("{} {} null", field(dice, chain, TEXT_FIELDS), dice.one_of(&["==", "!="])),
        4 => format!("length({}) > {}", field(dice, chain, &["process.args", "process.name"]), dice.below(4)),
        5 => format!("{} == {}", field(dice, chain, TEXT_FIELDS), field(dice, chain, TEXT_FIELDS)),
        _ => format!("arrayContains({}, \"B\")", field(dice, chain, &["process.args"])),
    }
}
