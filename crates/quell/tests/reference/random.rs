//! Random event queries and random documents over a handful of fields, small enough to meet often.

use serde_json::{Map, Value as Json, json};

/// A small random generator: the same seed gives the same cases on every machine.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from((self.next() >> 33) % n as u64).unwrap()
    }

    pub fn one_of<'v, T>(&mut self, values: &'v [T]) -> &'v T {
        &values[self.below(values.len())]
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

const KEYWORDS: &[&str] = &["process.name", "process.args", "process.command_line", "user.name"];
const NUMBERS: &[&str] = &["process.pid", "event.risk_score", "source.port"];
const BOOLEANS: &[&str] = &["process.code_signature.trusted", "process.interactive"];
const DATES: &[&str] = &["event.created", "process.start"];
const IPS: &[&str] = &["source.ip", "host.ip"];
const UNKNOWN: &[&str] = &["quell_test.a", "quell_test.b"];

const TEXTS: &[&str] = &[
    "cmd.exe",
    "CMD.EXE",
    "Nmap",
    "nmap.exe",
    "a",
    "ab",
    "aXb",
    "a b",
    "",
    "É",
    "é",
    "\u{212A}",
    "k",
    "*",
    "a*b",
    "a?b",
    "10",
    "10.0",
    "1.5",
    "true",
    "false",
    "-sS",
    "C:\\Windows\\cmd.exe",
    "line\nbreak",
    "10.0.0.1",
    "naïve",
];
const PATTERNS: &[&str] = &[
    "*", "a*", "*b", "*a*", "a?b", "?", "??", "*.exe", "cmd*", "*\\\\*", "É", "*k*", "*ï*", "?:\\\\*", "a*b",
    "*-s?", "nmap*", "", "**", "*a*b*", "cmd.exe", "10*",
];
const REGEXES: &[&str] =
    &["a.*", ".*", "[a-c]+b?", "cmd\\\\.exe", "(a|nmap).*", "", "[^a]+", "a{1,2}b", "[0-9]+"];
const ADDRESSES: &[&str] = &["10.0.0.1", "10.1.2.3", "192.168.1.5", "::1", "fe80::1", "::ffff:10.0.0.1"];
const BLOCKS: &[&str] =
    &["10.0.0.0/8", "192.168.0.0/16", "::1", "fe80::/10", "10.0.0.1", "::/0", "0.0.0.0/0"];
const INSTANTS: &[&str] = &["2024-05-01T10:00:00Z", "2024-05-01T10:00:00.500Z", "2023-01-01T00:00:00Z"];

/// A query that compiles.
pub fn query(dice: &mut Dice) -> String {
    let category = *dice.one_of(&["process", "any", "any", "network", "file"]);
    format!("{category} where {}", condition(dice, 3))
}

fn condition(dice: &mut Dice, depth: usize) -> String {
    if depth == 0 || dice.chance(30) {
        return leaf(dice);
    }
    match dice.below(4) {
        0 => format!("not ({})", condition(dice, depth - 1)),
        1 => format!("({}) and ({})", condition(dice, depth - 1), condition(dice, depth - 1)),
        2 => format!("({}) or ({})", condition(dice, depth - 1), condition(dice, depth - 1)),
        _ => leaf(dice),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

fn list(dice: &mut Dice, pool: &[&str], quote: bool) -> String {
    let members: Vec<String> = (0..=dice.below(3))
        .map(|_| {
            let member = *dice.one_of(pool);
            if quote { quoted(member) } else { format!("\"{member}\"") }
        })
        .collect();
    format!("({})", members.join(", "))
}

fn field(dice: &mut Dice, pool: &[&str]) -> String {
    let optional = if dice.chance(10) { "?" } else { "" };
    format!("{optional}{}", dice.one_of(pool))
}

fn leaf(dice: &mut Dice) -> String {
    let order = *dice.one_of(&["==", "!=", "<", "<=", ">", ">="]);
    let equality = *dice.one_of(&["==", "!="]);
    let text = quoted(dice.one_of::<&str>(TEXTS));
    match dice.below(18) {
        0 => format!("{} {order} {text}", field(dice, KEYWORDS)),
        1 => format!("{} {equality} {}", field(dice, KEYWORDS), dice.one_of(&["7", "10", "true", "null"])),
        2 => {
            let op = *dice.one_of(&["in", "not in", "in~", "not in~"]);
            format!("{} {op} {}", field(dice, KEYWORDS), list(dice, TEXTS, true))
        }
        3 | 4 => {
            let op = *dice.one_of(&[":", "like", "like~"]);
            let fields = if dice.chance(80) { KEYWORDS } else { UNKNOWN };
            format!("{} {op} {}", field(dice, fields), list(dice, PATTERNS, false))
        }
        5 => {
            let op = *dice.one_of(&["regex", "regex~"]);
            format!("{} {op} {}", field(dice, KEYWORDS), list(dice, REGEXES, false))
        }
        6 => {
            let number = *dice.one_of(&["0", "10", "1.5", "3.0", "-7", "4294967296", "\"10\""]);
            format!("{} {order} {number}", field(dice, NUMBERS))
        }
        7 => format!("{} in (10, 4, 443)", field(dice, &["process.pid", "source.port"])),
        8 => match dice.below(3) {
            0 => field(dice, BOOLEANS),
            1 => format!(
                "{} {equality} {}",
                field(dice, BOOLEANS),
                dice.one_of(&["true", "false", "\"true\""])
            ),
            _ => format!("{} {equality} null", field(dice, BOOLEANS)),
        },
        9 => format!("{} {order} \"{}\"", field(dice, DATES), dice.one_of(INSTANTS)),
        10 => {
            let block = if dice.chance(50) { *dice.one_of(ADDRESSES) } else { *dice.one_of(BLOCKS) };
            format!("{} {equality} \"{block}\"", field(dice, IPS))
        }
        11 => {
            format!("cidrMatch({}, {})", field(dice, IPS), list(dice, BLOCKS, false).trim_matches(['(', ')']))
        }
        12 => {
            let name = *dice.one_of(&[
                "startsWith",
                "startsWith~",
                "endsWith",
                "endsWith~",
                "stringContains",
                "stringContains~",
            ]);
            let second = if dice.chance(70) { text } else { field(dice, KEYWORDS) };
            format!("{name}({}, {second})", field(dice, KEYWORDS))
        }
        13 => {
            let number = dice.below(6);
            format!("length({}) {order} {number}", field(dice, KEYWORDS))
        }
        14 => {
            let (a, b) = (dice.below(6), dice.below(9));
            let (a, b) = (i64::try_from(a).unwrap() - 3, i64::try_from(b).unwrap() - 3);
            format!("substring({}, {a}, {b}) {order} {text}", field(dice, KEYWORDS))
        }
        15 => {
            let op = *dice.one_of(&["+", "-", "*", "/", "%"]);
            let right = *dice.one_of(&["2", "0", "-3", "0.5", "process.pid", "source.port"]);
            format!("{} {op} {right} {order} 5", field(dice, NUMBERS))
        }
        16 => match dice.below(6) {
            0 => format!("({} > 4) == {}", field(dice, NUMBERS), dice.one_of(&["true", "false", "null"])),
            1 => format!(
                "startsWith({}, \"a\") {equality} {}",
                field(dice, KEYWORDS),
                dice.one_of(&["true", "false", "null"])
            ),
            2 => format!("concat({}, {}) {equality} {text}", field(dice, KEYWORDS), field(dice, KEYWORDS)),
            3 => format!("indexOf({}, \"a\") {equality} null", field(dice, KEYWORDS)),
            4 => format!("string({}) {equality} \"10\"", field(dice, &["process.pid"])),
            _ => format!("between({}, \"a\", \"b\") == {text}", field(dice, KEYWORDS)),
        },
        _ => {
            let fields = if dice.chance(50) { UNKNOWN } else { KEYWORDS };
            match dice.below(4) {
                0 => format!("{} {equality} null", field(dice, fields)),
                1 => format!("{} {order} {text}", field(dice, fields)),
                2 => format!("{} {order} {}", field(dice, UNKNOWN), dice.one_of(&["10", "1.5"])),
                _ => format!("{} {equality} {}", field(dice, UNKNOWN), dice.one_of(&["true", "false"])),
            }
        }
    }
}

/// A document over the same fields: some absent, some lists, some of the wrong kind, nested or dotted.
pub fn document(dice: &mut Dice) -> Map<String, Json> {
    let mut document = Map::new();
    let categories: &[Json] = &[
        json!("process"),
        json!(["process"]),
        json!(["file", "process"]),
        json!("network"),
        json!("Process"),
        json!([]),
    ];
    let category = dice.one_of(categories).clone();
    put(dice, &mut document, "event.category", category);
    for (fields, kind) in [(KEYWORDS, 0), (NUMBERS, 1), (BOOLEANS, 2), (DATES, 3), (IPS, 4), (UNKNOWN, 5)] {
        for name in fields {
            if dice.chance(30) {
                continue;
            }
            let value = values(dice, kind);
            put(dice, &mut document, name, value);
        }
    }
    document
}

fn values(dice: &mut Dice, kind: usize) -> Json {
    match dice.below(10) {
        0 => Json::Null,
        1 => Json::Array(Vec::new()),
        2 => Json::Array((0..=dice.below(3)).map(|_| scalar(dice, kind)).collect()),
        3 => Json::Array(vec![
            scalar(dice, kind),
            Json::Array(vec![scalar(dice, kind), Json::Null]),
            Json::Null,
        ]),
        _ => scalar(dice, kind),
    }
}

fn scalar(dice: &mut Dice, kind: usize) -> Json {
    let kind = if dice.chance(6) { dice.below(6) } else { kind };
    match kind {
        0 => json!(dice.one_of(TEXTS)),
        1 => dice
            .one_of(&[
                json!(10),
                json!(4),
                json!(443),
                json!(1.5),
                json!(-7),
                json!(0),
                json!("10"),
                json!(3),
            ])
            .clone(),
        2 => dice.one_of(&[json!(true), json!(false), json!("true"), json!("false")]).clone(),
        3 => json!(dice.one_of(INSTANTS)),
        4 => json!(dice.one_of(ADDRESSES)),
        _ => dice
            .one_of(&[json!(10), json!("10"), json!(true), json!("ab"), json!("10.0.0.1"), json!(1.5)])
            .clone(),
    }
}

/// Puts a value at a path, split into objects at random dots.
fn put(dice: &mut Dice, document: &mut Map<String, Json>, path: &str, value: Json) {
    let dots: Vec<usize> = path.match_indices('.').map(|(at, _)| at).collect();
    for at in dots {
        let (head, tail) = (&path[..at], &path[at + 1..]);
        if dice.chance(60) {
            let inner = document.entry(head).or_insert_with(|| Json::Object(Map::new()));
            if let Json::Object(inner) = inner {
                put(dice, inner, tail, value);
                return;
            }
        }
    }
    document.insert(path.to_owned(), value);
}
