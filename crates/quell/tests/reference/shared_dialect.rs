//! Random queries, as text, and random events that mean the same in Elasticsearch's EQL and in that of Python's `eql`.
//!
//! What is left out, because the two differ there on purpose, is said where it is left out; `python_eql.rs` shows each
//! difference in a case of its own. All texts are lower-case ASCII and all fields are there: Python folds case and knows
//! nothing of lists, and its `not` of null is null.

use super::random::Dice;
use serde_json::{Value as Json, json};

const TEXT_FIELDS: &[&str] = &["process.name", "user.name", "process.command_line"];
/// Never empty: Python's `stringContains` of an empty part is true.
const FILLED_FIELDS: &[&str] = &["process.name", "user.name"];
const TEXTS: &[&str] = &[
    "a",
    "ab",
    "aab",
    "abc",
    "ba",
    "b",
    "a b",
    "-ss",
    "10",
    "nmap",
    "nmap.exe",
    "cmd.exe",
    "c:\\windows\\cmd.exe",
    "x[y]z[a]",
    "a*b",
    "a?b",
];
const PARTS: &[&str] =
    &["a", "b", "ab", "c", "[", "]", ".exe", "cmd", "nm", "\\", "c:", "10", "-", " ", "zz"];
/// Without `?`, which Python takes literally.
const PATTERNS: &[&str] =
    &["*", "a*", "*b", "*a*", "a*b", "*.exe", "cmd*", "*\\*", "nmap*", "a*b*c", "ab", "**", "x[*", "1*"];
const ADDRESSES: &[&str] = &["10.0.0.1", "10.1.2.3", "192.168.1.5", "::1", "fe80::1", "2001:db8::5"];
/// No block of IPv6 that covers IPv4, which Python keeps apart, and no bare address, which Python refuses.
const BLOCKS: &[&str] = &[
    "10.0.0.0/8",
    "10.6.48.157/8",
    "10.0.0.1/32",
    "192.168.0.0/16",
    "0.0.0.0/0",
    "fe80::/10",
    "2001:db8::/32",
    "::1/128",
];
/// What `number` reads: no exponents, no white space and no digits above 9, which Python reads as null, and nothing that
/// makes it fail, as `cmd.exe` would.
const NUMERALS: &[&str] = &["10", "-5", "+7", "007", "0x1f", "1.5", "-.5", "2.", "xyz", "", "1_0"];
const COUNTS: &[i64] = &[0, 1, 2, 3, 4, 7, 10, 443];
const CATEGORIES: &[&str] = &["process", "network", "file"];
const ACTIONS: &[&str] = &["a", "b", "c", "d"];

const TEXT_KEYS: &[&str] = &["host.id", "process.entity_id", "process.parent.entity_id"];
const NUMBER_KEYS: &[&str] = &["process.parent.pid", "process.thread.id"];

/// Some events within half a minute, in the order of the input, which is not always that of time.
pub fn events(dice: &mut Dice, most: usize) -> Vec<Json> {
    let count = 2 + dice.below(most - 1);
    let spread = 4 + dice.below(60);
    let actions = 2 + dice.below(ACTIONS.len() - 1);
    (0..count)
        .map(|number| {
            let halves = if dice.below(5) == 0 { dice.below(spread) } else { number * spread / count };
            let time = halves as i64 * 500 + if dice.below(6) == 0 { 1 } else { 0 };
            let mut document = document(dice, &format!("e{number}"), time);
            // `u` ends sequences.
            let action = if dice.below(8) == 0 { "u" } else { ACTIONS[dice.below(actions)] };
            document["event"]["action"] = json!(action);
            document
        })
        .collect()
}

fn document(dice: &mut Dice, id: &str, milliseconds: i64) -> Json {
    let mut count = || *dice.one_of(COUNTS);
    let (pid, port) = (count(), count());
    let mut small = || 1 + dice.below(2);
    let (parent_pid, thread) = (small(), small());
    let mut key = || *dice.one_of(&["x", "y"]);
    let (host, entity, parent_entity) = (key(), key(), key());
    let mut text = || *dice.one_of(TEXTS);
    let (name, user, command_line) = (text(), text(), text());
    let empty = dice.below(8) == 0;
    let document = json!({
        "user": { "name": user },
        "host": { "id": host },
        "event": {
            "code": dice.one_of(NUMERALS),
            // Floats stay floats and integers integers: Python goes by the value, quell by the field.
            "risk_score": dice.one_of(&[0.0, 1.5, 3.0, 10.0, 47.25]),
        },
        "process": {
            "name": name,
            "command_line": if empty { "" } else { command_line },
            "pid": pid,
            "exit_code": dice.one_of(&[0, 1, 3, -7, -1]),
            "interactive": dice.below(2) == 0,
            "entity_id": entity,
            "thread": { "id": thread },
            "parent": { "pid": parent_pid, "entity_id": parent_entity },
        },
        "source": { "port": port, "ip": dice.one_of(ADDRESSES) },
    });
    identified(document, id, dice.one_of::<&str>(CATEGORIES), milliseconds)
}

/// The document with what names and places its event, for quell and for Python.
pub fn identified(mut document: Json, id: &str, category: &str, milliseconds: i64) -> Json {
    let time = jiff::Timestamp::from_millisecond(1_714_521_600_000 + milliseconds).unwrap();
    document["_id"] = json!(id);
    document["@timestamp"] = json!(time.to_string());
    document["event"]["category"] = json!(category);
    document["timestamp"] = json!(milliseconds);
    document["event_type"] = json!(category);
    document
}

pub fn event_query(dice: &mut Dice) -> String {
    let filter = format!("{} where {}", category(dice), condition(dice, 3, true));
    filter + &pipes(dice)
}

pub fn sequence(dice: &mut Dice) -> String {
    // Python ends sequences before it looks whether the same event takes part in one: no step takes what `until` takes.
    let until = dice.below(3) == 0;
    let shared: Vec<&str> = (0..[0, 1, 1, 1, 2][dice.below(5)])
        .map(|_| if dice.below(3) == 0 { *dice.one_of(NUMBER_KEYS) } else { *dice.one_of(TEXT_KEYS) })
        .collect();
    let own: Vec<&[&str]> = (0..[0, 0, 0, 1, 1][dice.below(5)])
        .map(|_| if dice.below(3) == 0 { NUMBER_KEYS } else { TEXT_KEYS })
        .collect();
    let steps = 2 + [0, 0, 0, 1, 1, 2][dice.below(6)];
    let mut text = format!("sequence{}{}", by(&shared), maxspan(dice));
    for _ in 0..steps {
        let condition = step(dice, until);
        let runs =
            if dice.below(10) == 0 { format!(" with runs={}", 2 + dice.below(2)) } else { String::new() };
        text += &format!("\n  [{condition}]{}{runs}", own_keys(dice, &own));
    }
    if until {
        let condition = format!("{} where event.action == \"u\"{}", category(dice), extra(dice));
        text += &format!("\n  until [{condition}]{}", own_keys(dice, &own));
    }
    text + &pipes(dice)
}

/// Whole seconds: Python cuts parts of seconds off.
fn maxspan(dice: &mut Dice) -> String {
    let seconds = 1 + dice.below(15);
    match dice.below(6) {
        0 | 1 => String::new(),
        2 => format!(" with maxspan={}ms", seconds * 1000),
        3 => " with maxspan=1m".to_owned(),
        _ => format!(" with maxspan={seconds}s"),
    }
}

fn by(keys: &[&str]) -> String {
    if keys.is_empty() { String::new() } else { format!(" by {}", keys.join(", ")) }
}

fn own_keys(dice: &mut Dice, pools: &[&[&str]]) -> String {
    let keys: Vec<&str> = pools.iter().map(|pool| *dice.one_of(pool)).collect();
    by(&keys)
}

fn step(dice: &mut Dice, until: bool) -> String {
    let category = category(dice);
    let action = |dice: &mut Dice| ACTIONS[dice.below(3)];
    let condition = match dice.below(8) {
        0 if until => "event.action != \"u\"".to_owned(),
        0 => "true".to_owned(),
        1 => format!("event.action in (\"{}\", \"{}\")", action(dice), action(dice)),
        _ => format!("event.action == \"{}\"", action(dice)),
    };
    format!("{category} where {condition}{}", extra(dice))
}

fn extra(dice: &mut Dice) -> String {
    if dice.below(10) == 0 { format!(" and ({})", condition(dice, 1, true)) } else { String::new() }
}

fn category(dice: &mut Dice) -> &'static str {
    if dice.below(6) > 0 { "any" } else { dice.one_of::<&str>(CATEGORIES) }
}

/// At least one result: Python refuses `head 0`.
fn pipes(dice: &mut Dice) -> String {
    let count = [0, 0, 0, 1, 1, 2][dice.below(6)];
    (0..count).map(|_| format!(" | {} {}", dice.one_of(&["head", "tail"]), 1 + dice.below(5))).collect()
}

/// A condition. In a `positive` place, one with an even number of `not` around it, null is as good as false in both; below
/// an odd number Python gives null and Elasticsearch true, so no leaf there may be null.
fn condition(dice: &mut Dice, depth: usize, positive: bool) -> String {
    if depth == 0 || dice.below(10) < 3 {
        return leaf(dice, positive);
    }
    match dice.below(4) {
        0 => format!("not ({})", condition(dice, depth - 1, !positive)),
        1 => format!("not {}", leaf(dice, !positive)),
        _ => {
            let mut text = term(dice, depth, positive);
            for _ in 0..=dice.below(2) {
                text += *dice.one_of(&[" and ", " or "]);
                text += &term(dice, depth, positive);
            }
            text
        }
    }
}

/// Often without parentheses, so that binding is tried too.
fn term(dice: &mut Dice, depth: usize, positive: bool) -> String {
    let condition = condition(dice, depth - 1, positive);
    if dice.below(2) == 0 { format!("({condition})") } else { condition }
}

const ORDERS: &[&str] = &["==", "!=", "<", "<=", ">", ">="];

fn leaf(dice: &mut Dice, positive: bool) -> String {
    match dice.below(20) {
        0 => compared(dice, TEXT_FIELDS, TEXTS, literal),
        1 => {
            let op = *dice.one_of(&["in", "not in"]);
            format!("{} {op} ({})", text(dice, 1), list(dice, TEXTS))
        }
        2 => format!("{} : {}", text(dice, 1), pattern(dice)),
        3 => format!("wildcard({}, {})", text(dice, 1), list(dice, PATTERNS)),
        4 => boolean_call(dice),
        5 => format!(
            "{} {} {}",
            boolean_call(dice),
            dice.one_of(&["==", "!="]),
            dice.one_of(&["true", "false"])
        ),
        6 => format!("length({}) {} {}", text(dice, 1), dice.one_of(ORDERS), dice.below(12)),
        7 => {
            let (order, constant) = (*dice.one_of(ORDERS), *dice.one_of(TEXTS));
            format!("{} {order} {}", text(dice, 2), literal(dice, constant))
        }
        8 => format!("{} {} null", index_of(dice), dice.one_of(&["==", "!="])),
        9 => format!("{} {} null", number_of(dice), dice.one_of(&["==", "!="])),
        10 => format!("cidrMatch(source.ip, {})", list(dice, BLOCKS)),
        11 => format!("source.ip {} \"{}\"", dice.one_of(&["==", "!="]), dice.one_of(ADDRESSES)),
        12 => compared(
            dice,
            &["process.pid", "source.port", "process.exit_code"],
            &["0", "3", "7", "-1", "2.5"],
            plain,
        ),
        13 => format!(
            "{} {} (10, 4, 443, 3)",
            dice.one_of(&["process.pid", "event.risk_score"]),
            dice.one_of(&["in", "not in"])
        ),
        14 => dice
            .one_of(&[
                "process.interactive",
                "process.interactive == true",
                "process.interactive == false",
                "process.interactive != true",
                "process.pid == null",
                "user.name != null",
                "true",
                "false",
            ])
            .to_string(),
        15 | 19 => {
            let number = number(dice, 2, positive);
            let order = order(dice, number.null);
            format!(
                "{} {order} {}",
                number.text,
                dice.one_of(&["0", "1", "3", "5", "-4", "10", "1.5", "100"])
            )
        }
        16 => {
            let (order, constant) = (*dice.one_of(ORDERS), dice.below(20));
            format!("{} {order} {constant}", unbracketed(dice))
        }
        17 if positive => nullable(dice),
        18 if positive => format!("{} {} {}", index_of(dice), order(dice, true), dice.below(5)),
        _ => format!("startsWith({}, {})", text(dice, 2), part(dice)),
    }
}

/// `!=` on null is true in Elasticsearch and null in Python.
fn order(dice: &mut Dice, null: bool) -> &'static str {
    let orders: &[&str] = if null { &["==", "<", "<=", ">", ">="] } else { ORDERS };
    dice.one_of::<&str>(orders)
}

fn compared(
    dice: &mut Dice,
    fields: &[&str],
    constants: &[&str],
    write: fn(&mut Dice, &str) -> String,
) -> String {
    let (field, order, constant) = (*dice.one_of(fields), *dice.one_of(ORDERS), *dice.one_of(constants));
    let constant = write(dice, constant);
    if dice.below(6) == 0 {
        format!("{constant} {order} {field}")
    } else {
        format!("{field} {order} {constant}")
    }
}

/// What may be null where it is not found. `between` gives null in Python and an empty text in Elasticsearch, so it is
/// compared with nothing that an empty text satisfies.
fn nullable(dice: &mut Dice) -> String {
    match dice.below(4) {
        0 => format!(
            "{} {} {}",
            number_of(dice),
            order(dice, true),
            dice.one_of(&["10", "0", "7", "1.5", "31"])
        ),
        1 => {
            let constant = *dice.one_of(PARTS);
            format!("{} == {}", between(dice), literal(dice, constant))
        }
        2 => format!("length({}) > {}", between(dice), dice.below(4)),
        _ => format!("startsWith({}, {})", between(dice), part(dice)),
    }
}

fn boolean_call(dice: &mut Dice) -> String {
    let name = *dice.one_of(&["startsWith", "endsWith", "stringContains"]);
    let source = text(dice, 1);
    let part = if dice.below(4) == 0 { (*dice.one_of(FILLED_FIELDS)).to_owned() } else { part(dice) };
    format!("{name}({source}, {part})")
}

/// Starts are not negative, and no part is empty: Python fails where such a start lies past the end.
fn index_of(dice: &mut Dice) -> String {
    let start = if dice.below(2) == 0 { format!(", {}", dice.below(6)) } else { String::new() };
    format!("indexOf({}, {}{start})", text(dice, 1), part(dice))
}

fn number_of(dice: &mut Dice) -> String {
    format!("number(event.code{})", dice.one_of(&["", "", ", 10", ", 16", ", 8"]))
}

fn between(dice: &mut Dice) -> String {
    let greedy = *dice.one_of(&["", "", ", true", ", false"]);
    format!("between({}, {}, {}{greedy})", text(dice, 1), part(dice), part(dice))
}

/// A text that is never null.
fn text(dice: &mut Dice, depth: usize) -> String {
    if depth == 0 || dice.below(2) == 0 {
        return (*dice.one_of(TEXT_FIELDS)).to_owned();
    }
    match dice.below(5) {
        0 => format!("substring({}, {})", text(dice, depth - 1), dice.below(9) as i64 - 4),
        1 => {
            let (start, end) = (dice.below(9) as i64 - 4, dice.below(12) as i64 - 5);
            format!("substring({}, {start}, {end})", text(dice, depth - 1))
        }
        2 => format!("string({})", dice.one_of(&["process.pid", "event.risk_score", "process.interactive"])),
        3 => format!("concat({}, {})", text(dice, depth - 1), part(dice)),
        _ => {
            let second =
                *dice.one_of(&["process.pid", "event.risk_score", "process.interactive", "user.name"]);
            format!("concat({}, {second})", text(dice, depth - 1))
        }
    }
}

fn part(dice: &mut Dice) -> String {
    let part = *dice.one_of(PARTS);
    literal(dice, part)
}

fn pattern(dice: &mut Dice) -> String {
    if dice.below(2) == 0 {
        let pattern = *dice.one_of(PATTERNS);
        return literal(dice, pattern);
    }
    format!("({})", list(dice, PATTERNS))
}

fn list(dice: &mut Dice, pool: &[&str]) -> String {
    let members: Vec<String> = (0..=dice.below(3))
        .map(|_| {
            let member = *dice.one_of(pool);
            literal(dice, member)
        })
        .collect();
    members.join(", ")
}

fn literal(dice: &mut Dice, text: &str) -> String {
    if dice.below(4) == 0 {
        format!("\"\"\"{text}\"\"\"")
    } else {
        format!("\"{}\"", text.replace('\\', "\\\\"))
    }
}

fn plain(_: &mut Dice, text: &str) -> String {
    text.to_owned()
}

/// Arithmetic whose binding the operators decide; what `/` and `%` take is not negative.
fn unbracketed(dice: &mut Dice) -> String {
    let mut text = "process.pid".to_owned();
    for _ in 0..=dice.below(3) {
        let operand = match *dice.one_of(&["+", "-", "*", "/", "%"]) {
            op @ ("/" | "%") => format!(" {op} {}", dice.one_of(&["2", "3", "2.5"])),
            op => format!(" {op} {}", dice.one_of(&["source.port", "event.risk_score", "3", "1.5"])),
        };
        text += &operand;
    }
    text
}

struct Number {
    text: String,
    integer: bool,
    negative: bool,
    null: bool,
}

/// Arithmetic. Python's division of integers rounds down and its remainder has the sign of the right side, which differs
/// where something is negative; its remainder by zero fails.
fn number(dice: &mut Dice, depth: usize, may_be_null: bool) -> Number {
    if depth == 0 || dice.below(4) == 0 {
        let (text, integer, negative) = *dice.one_of(&[
            ("process.pid", true, false),
            ("source.port", true, false),
            ("process.exit_code", true, true),
            ("event.risk_score", false, false),
            ("2", true, false),
            ("2.5", false, false),
            ("-3", true, true),
        ]);
        return Number { text: text.to_owned(), integer, negative, null: false };
    }
    let (left, mut right) = (number(dice, depth - 1, may_be_null), number(dice, depth - 1, may_be_null));
    let integers = left.integer && right.integer;
    let negative = left.negative || right.negative;
    let (op, name) = match dice.below(5) {
        0 => ("+", "add"),
        1 => ("-", "subtract"),
        2 if !(integers && negative) => ("/", "divide"),
        3 if !negative => ("%", "modulo"),
        _ => ("*", "multiply"),
    };
    if op == "%" || (op == "/" && !may_be_null) {
        let divisors: &[_] =
            if left.negative { &[("2.5", false)] } else { &[("3", true), ("2", true), ("2.5", false)] };
        let (text, integer) = *dice.one_of(divisors);
        right = Number { text: text.to_owned(), integer, negative: false, null: false };
    }
    let integer = left.integer && right.integer;
    let text = if dice.below(2) == 0 {
        format!("{name}({}, {})", left.text, right.text)
    } else {
        format!("({} {op} {})", left.text, right.text)
    };
    Number { text, integer, negative: negative || op == "-", null: left.null || right.null || op == "/" }
}
