//! Random conditions of the Endgame dialect over random events: quell's answer is that of Python's implementation of EQL.
//!
//! `QUELL_EQL_PYTHON` names a Python that has the module `eql`; without one that has it the test is skipped.
//! `QUELL_CASES` is the number of cases, `QUELL_SEED` another seed. Left out on purpose: what ends Python with an
//! exception, lists of one element (quell takes them for their value), lists that hold null, and whether there is an
//! object (no schema, no field).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a test may panic and say what it skips"
)]

use bumpalo::Bump;
use quell_eql::{Dialect, Options, compile};
use quell_ir::eval::{self, Fields};
use quell_ir::schema::NoSchema;
use quell_ir::{Datum, FieldInfo, FieldRef, FieldType, Logic, Schema, Scope};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

/// A small random generator: the same seed gives the same cases on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % n as u64).unwrap()
    }

    fn one_of<'v>(&mut self, values: &[&'v str]) -> &'v str {
        values[self.below(values.len())]
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// A value of an event.
#[derive(Clone, Debug)]
enum Json {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(&'static str),
    List(Vec<Json>),
    Object(Vec<(&'static str, Json)>),
}

impl Json {
    fn write(&self, out: &mut String) {
        match self {
            Json::Null => out.push_str("null"),
            Json::Boolean(b) => out.push_str(&b.to_string()),
            Json::Integer(n) => out.push_str(&n.to_string()),
            Json::Float(n) => out.push_str(&format!("{n:?}")),
            Json::Text(text) => write_text(text, out),
            Json::List(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    item.write(out);
                }
                out.push(']');
            }
            Json::Object(members) => {
                out.push('{');
                for (at, (name, value)) in members.iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    write_text(name, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }

    /// What stands at a path.
    fn at(&self, path: &str) -> &Json {
        if path.is_empty() {
            return self;
        }
        let Json::Object(members) = self else { return &Json::Null };
        members.iter().find(|(name, _)| *name == path).map_or(&Json::Null, |(_, value)| value)
    }

    fn items(&self) -> &[Json] {
        match self {
            Json::Null => &[],
            Json::List(items) => items,
            other => std::slice::from_ref(other),
        }
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    out.push_str(&text.replace('\\', "\\\\").replace('"', "\\\""));
    out.push('"');
}

/// An event or an element of one, with what is around it.
struct Level<'e, 'o> {
    value: &'e Json,
    around: Option<&'o Level<'e, 'o>>,
}

impl<'e> Level<'e, '_> {
    fn find(&self, field: &FieldRef) -> &'e Json {
        let mut level = self;
        let up = match field.scope {
            Scope::Element(up) => usize::from(up),
            _ => usize::MAX,
        };
        for _ in 0..up {
            let Some(around) = level.around else { break };
            level = around;
        }
        level.value.at(&field.path)
    }
}

impl<'e: 'a, 'a> Fields<'a> for Level<'e, '_> {
    fn values(&self, field: &FieldRef, arena: &'a Bump) -> &'a [Datum<'a>] {
        let scalar = |item: &'e Json| match item {
            Json::Boolean(b) => Some(Datum::Boolean(*b)),
            Json::Integer(n) => Some(Datum::Integer(*n)),
            Json::Float(n) => Some(Datum::Float(*n)),
            Json::Text(text) => Some(Datum::Text(text)),
            Json::Null | Json::List(_) | Json::Object(_) => None,
        };
        let values: Vec<Datum<'a>> = self.find(field).items().iter().filter_map(scalar).collect();
        arena.alloc_slice_copy(&values)
    }

    fn any_object(&self, field: &FieldRef, test: &mut dyn FnMut(&dyn Fields<'a>) -> bool) -> bool {
        self.find(field).items().iter().any(|value| test(&Level { value, around: Some(self) }))
    }
}

/// Knows every field of the events.
struct Known;

impl Schema for Known {
    fn field(&self, path: &str) -> Option<FieldInfo> {
        let kind = match path {
            "texts" | "objects.name" => FieldType::Keyword,
            "numbers" | "objects.size" => FieldType::Integer,
            "objects" => FieldType::Object,
            _ => match path.chars().next()? {
                's' | 'i' => FieldType::Keyword,
                'n' => FieldType::Integer,
                'f' => FieldType::Float,
                'b' => FieldType::Boolean,
                _ => return None,
            },
        };
        Some(FieldInfo { kind, array: matches!(path, "texts" | "numbers" | "objects") })
    }

    fn near(&self, _path: &str) -> Vec<String> {
        Vec::new()
    }

    fn name(&self) -> &str {
        "the test's fields"
    }
}

const TEXTS: &[&str] = &[
    "cmd.exe",
    "CMD.EXE",
    "Cmd",
    "net",
    "Net.exe",
    "a",
    "A",
    "ab",
    "aXb",
    "",
    "É",
    "é",
    "a*b",
    "a?b",
    "A.b.C",
    "12",
    "-7",
    "0x1F",
    "1.5",
    "true",
    "a\\b",
    "\u{1F600}x",
];
const PATTERNS: &[&str] = &["*", "c*", "*.EXE", "a*b", "*b*", "É*", "n?t*", "*?*", "**", "a*", "*x"];
const EXPRESSIONS: &[&str] = &[
    "c",
    "C.D",
    "a.b",
    "(net|cmd)[.]exe",
    "net$",
    "^a",
    "[a-c]+$",
    ".*x",
    "\\w+",
    "a|b",
    "é",
    "x*",
    "(?:a)b?",
];
const ADDRESSES: &[&str] = &["10.1.2.3", "192.168.0.1", "172.16.5.4", "fe80::1", "::1"];
const BLOCKS: &[&str] = &["10.0.0.0/8", "192.168.0.0/16", "fe80::/10", "0.0.0.0/0", "172.16.0.0/12"];

fn event(dice: &mut Dice) -> Json {
    let mut members = Vec::new();
    let mut put = |dice: &mut Dice, name: &'static str, value: &dyn Fn(&mut Dice) -> Json| match dice.below(8)
    {
        0 | 1 => {}
        2 => members.push((name, Json::Null)),
        _ => {
            let value = value(dice);
            members.push((name, value));
        }
    };
    let text = |dice: &mut Dice| Json::Text(dice.one_of(TEXTS));
    let integer = |dice: &mut Dice| Json::Integer(i64::try_from(dice.below(9)).unwrap() - 3);
    let float = |dice: &mut Dice| Json::Float(f64::from(u32::try_from(dice.below(9)).unwrap()) * 0.5 - 1.0);
    let boolean = |dice: &mut Dice| Json::Boolean(dice.chance(50));
    put(dice, "s1", &text);
    put(dice, "s2", &text);
    put(dice, "n1", &integer);
    put(dice, "n2", &integer);
    put(dice, "f1", &float);
    put(dice, "b1", &boolean);
    put(dice, "b2", &boolean);
    put(dice, "i1", &|dice| Json::Text(dice.one_of(ADDRESSES)));
    let list = |dice: &mut Dice, item: &dyn Fn(&mut Dice) -> Json| {
        let length = 2 + dice.below(3);
        Json::List((0..length).map(|_| item(dice)).collect())
    };
    put(dice, "texts", &|dice| list(dice, &text));
    put(dice, "numbers", &|dice| list(dice, &integer));
    put(dice, "objects", &|dice| {
        list(dice, &|dice| {
            let mut object = Vec::new();
            if dice.chance(75) {
                object.push(("name", text(dice)));
            }
            if dice.chance(75) {
                object.push(("size", integer(dice)));
            }
            Json::Object(object)
        })
    });
    Json::Object(members)
}

/// Makes conditions as text.
struct Maker<'d> {
    dice: &'d mut Dice,
    /// The names of elements around the place, and whether they are objects, texts or numbers.
    elements: Vec<(String, Kind)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Object,
}

impl Maker<'_> {
    fn quoted(&mut self, texts: &[&str]) -> String {
        let text = self.dice.one_of(texts);
        if self.dice.chance(20) && !text.contains('\\') {
            return format!("'{text}'");
        }
        if self.dice.chance(10) {
            return format!("?\"{text}\"");
        }
        let mut out = String::new();
        write_text(text, &mut out);
        out
    }

    fn text_literal(&mut self) -> String {
        self.quoted(TEXTS)
    }

    fn element(&mut self, kind: Kind) -> Option<String> {
        let usable: Vec<String> = self
            .elements
            .iter()
            .filter_map(|(name, of)| match (of, kind) {
                (Kind::Object, Kind::Text) => Some(format!("{name}.name")),
                (Kind::Object, Kind::Number) => Some(format!("{name}.size")),
                (of, kind) => (*of == kind).then(|| name.clone()),
            })
            .collect();
        if usable.is_empty() || self.dice.chance(30) {
            return None;
        }
        Some(usable[self.dice.below(usable.len())].clone())
    }

    fn text_field(&mut self) -> String {
        if let Some(element) = self.element(Kind::Text) {
            return element;
        }
        match self.dice.below(8) {
            0 => format!("texts[{}]", self.dice.below(4)),
            n => ["s1", "s2"][n % 2].to_owned(),
        }
    }

    fn number_field(&mut self) -> String {
        if let Some(element) = self.element(Kind::Number) {
            return element;
        }
        match self.dice.below(8) {
            0 => format!("numbers[{}]", self.dice.below(4)),
            n => ["n1", "n2", "f1"][n % 3].to_owned(),
        }
    }

    fn text(&mut self, depth: usize) -> String {
        if depth == 0 || self.dice.chance(60) {
            return if self.dice.chance(70) { self.text_field() } else { self.text_literal() };
        }
        let depth = depth - 1;
        match self.dice.below(5) {
            0 => {
                let (a, b) = (self.text(depth), self.number(depth));
                if self.dice.chance(50) {
                    format!("concat({a}, {b})")
                } else {
                    format!("concat({a}, \"-\", {a})")
                }
            }
            1 => format!(
                "string({})",
                if self.dice.chance(50) { self.number(depth) } else { self.text(depth) }
            ),
            2 => {
                let source = self.text(depth);
                let (start, end) = (self.small(), self.small());
                match self.dice.below(3) {
                    0 => format!("substring({source}, {start})"),
                    1 => format!("{source}:substring({start}, {end})"),
                    _ => format!("substring({source}, {start}, {end})"),
                }
            }
            3 => {
                let source = self.text(depth);
                let (left, right) =
                    (self.quoted(&["a", "C", ".", "", "M"]), self.quoted(&["b", "E", ".", "", "d"]));
                let greedy = self.dice.one_of(&["", ", true", ", false"]);
                format!("between({source}, {left}, {right}{greedy})")
            }
            _ => format!("safe({})", self.text(depth)),
        }
    }

    fn small(&mut self) -> i64 {
        i64::try_from(self.dice.below(11)).unwrap() - 5
    }

    fn number_literal(&mut self) -> String {
        if self.dice.chance(30) {
            self.dice.one_of(&["0.5", "1.0", "2.5", "-1.5"]).to_owned()
        } else {
            self.small().to_string()
        }
    }

    fn number(&mut self, depth: usize) -> String {
        if depth == 0 || self.dice.chance(50) {
            return if self.dice.chance(70) { self.number_field() } else { self.number_literal() };
        }
        let depth = depth - 1;
        match self.dice.below(9) {
            0..=2 => {
                let (a, b) = (self.number(depth), self.number(depth));
                let op = self.dice.one_of(&["+", "-", "*", "/", "%"]);
                format!("({a} {op} {b})")
            }
            3 => {
                let name = self.dice.one_of(&["add", "subtract", "multiply", "divide", "modulo"]);
                format!("{name}({}, {})", self.number(depth), self.number(depth))
            }
            4 => match self.dice.below(4) {
                0 => format!("length({})", self.dice.one_of(&["texts", "numbers", "objects"])),
                1 => format!("{}:length()", self.text_field()),
                _ => format!("length({})", self.text(depth)),
            },
            5 => {
                let (source, part) = (self.text(depth), self.text(0));
                if self.dice.chance(50) {
                    format!("indexOf({source}, {part})")
                } else {
                    format!("indexOf({source}, {part}, {})", self.small())
                }
            }
            6 => {
                let base = self.dice.one_of(&["", ", 10", ", 16", ", 8"]);
                format!("number({}{base})", self.text(depth))
            }
            7 => self.over_elements("arrayCount", depth),
            _ => format!("-({})", self.number(depth)),
        }
    }

    /// `arrayCount` or `arraySearch`.
    fn over_elements(&mut self, function: &str, depth: usize) -> String {
        let (array, kind) =
            [("texts", Kind::Text), ("numbers", Kind::Number), ("objects", Kind::Object)][self.dice.below(3)];
        let name = format!("x{}", self.elements.len());
        self.elements.push((name.clone(), kind));
        let condition = self.condition(depth.min(2));
        self.elements.pop();
        format!("{function}({array}, {name}, {condition})")
    }

    fn list(
        &mut self,
        depth: usize,
        member: fn(&mut Self, usize) -> String,
        literal: fn(&mut Self) -> String,
    ) -> String {
        let count = 1 + self.dice.below(4);
        let dynamic = self.dice.chance(20);
        let members: Vec<String> = (0..count)
            .map(|_| if dynamic && self.dice.chance(50) { member(self, depth) } else { literal(self) })
            .collect();
        format!("({}{})", members.join(", "), self.dice.one_of(&["", "", ","]))
    }

    fn condition(&mut self, depth: usize) -> String {
        if depth == 0 || self.dice.chance(35) {
            return self.leaf(depth);
        }
        let depth = depth - 1;
        match self.dice.below(8) {
            0..=2 => format!("({} and {})", self.condition(depth), self.condition(depth)),
            3..=5 => format!("({} or {})", self.condition(depth), self.condition(depth)),
            6 => format!("not ({})", self.condition(depth)),
            _ => format!(
                "(({}) {} {})",
                self.condition(depth),
                self.dice.one_of(&["==", "!="]),
                self.dice.one_of(&["true", "false"])
            ),
        }
    }

    fn leaf(&mut self, depth: usize) -> String {
        let op = self.dice.one_of(&["==", "!=", "==", "!=", "=", "<", "<=", ">", ">="]);
        let equal = self.dice.one_of(&["==", "!="]);
        match self.dice.below(22) {
            0 | 1 => format!("{} {op} {}", self.text_field(), self.text_literal()),
            2 => format!("{} {op} {}", self.text(depth), self.text(depth)),
            3 => format!("{} {equal} {}", self.text(depth), self.quoted(PATTERNS)),
            4 => format!("{} {equal} {}", self.quoted(PATTERNS), self.text_field()),
            5 | 6 => format!("{} {op} {}", self.number_field(), self.number_literal()),
            7 => format!("{} {op} {}", self.number(depth), self.number(depth)),
            8 => {
                let absent = [
                    self.text(depth),
                    self.number(depth),
                    self.dice.one_of(&["texts", "numbers", "b1"]).to_owned(),
                ];
                let place = self.dice.below(3);
                if self.dice.chance(80) {
                    format!("{} {equal} null", absent[place])
                } else {
                    format!("null {equal} {}", absent[place])
                }
            }
            9 => {
                let (operand, not) = (self.text(depth), self.dice.one_of(&["", "not "]));
                format!("{operand} {not}in {}", self.list(depth, Self::text, Self::text_literal))
            }
            10 => {
                let (operand, not) = (self.number(depth), self.dice.one_of(&["", "not "]));
                format!("{operand} {not}in {}", self.list(depth, Self::number, Self::number_literal))
            }
            11 => self
                .dice
                .one_of(&["b1", "b2", "b1 == true", "b2 != false", "b1 == b2", "b1 != b2", "true", "false"])
                .to_owned(),
            12 => {
                let name = self.dice.one_of(&["startsWith", "endsWith", "stringContains"]);
                format!("{name}({}, {})", self.text(depth), self.text(0))
            }
            13 => {
                let name = self.dice.one_of(&["startsWith", "endsWith", "stringContains"]);
                format!("{}:{name}({})", self.text_field(), self.quoted(&["c", "E", "", "B", "."]))
            }
            14 => {
                format!("wildcard({}, {}, {})", self.text(depth), self.quoted(PATTERNS), self.text_literal())
            }
            15 => {
                let name = self.dice.one_of(&["match", "matchLite"]);
                format!(
                    "{name}({}, {}, {})",
                    self.text_field(),
                    self.quoted(EXPRESSIONS),
                    self.quoted(EXPRESSIONS)
                )
            }
            16 => {
                format!("cidrMatch(i1, \"{}\", \"{}\")", self.dice.one_of(BLOCKS), self.dice.one_of(BLOCKS))
            }
            17 => match self.dice.below(3) {
                0 => format!("arrayContains(numbers, {}, {})", self.number_literal(), self.number(depth)),
                1 => format!("arrayContains(texts, {})", self.text(depth)),
                _ => format!("arrayContains(texts, {}, {})", self.text_literal(), self.text_literal()),
            },
            18 | 19 => self.over_elements("arraySearch", depth),
            20 => format!("safe({})", self.condition(depth.saturating_sub(1))),
            _ => format!("({}) {equal} ({})", self.condition(0), self.condition(0)),
        }
    }
}

fn python() -> Option<String> {
    let python = std::env::var("QUELL_EQL_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let found = Command::new(&python).args(["-c", "import eql"]).stderr(Stdio::null()).status();
    found.is_ok_and(|status| status.success()).then_some(python)
}

/// The answers of Python, one a line of the cases.
fn answers(python: &str, cases: String) -> Vec<String> {
    let driver = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testing/python_endgame.py");
    let mut child =
        Command::new(python).arg(driver).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(cases.as_bytes()));
    let output = BufReader::new(child.stdout.take().unwrap());
    let lines = output.lines().collect::<Result<_, _>>().unwrap();
    writer.join().unwrap().unwrap();
    assert!(child.wait().unwrap().success());
    lines
}

fn holds(condition: &str, schema: &dyn Schema, event: &Json) -> Result<bool, String> {
    let query = format!("any where {condition}");
    let options = Options { dialect: Dialect::Endgame, ..Options::new(schema) };
    let compiled = compile(&query, &options).map_err(|findings| format!("{query}: {findings:#?}"))?;
    let Logic::Event(filter) = compiled.query.logic else { panic!("{query}") };
    let arena = Bump::new();
    let outcome = eval::condition(&filter.condition, &Level { value: event, around: None }, &arena);
    assert!(!outcome.cut, "{query}");
    Ok(outcome.holds)
}

#[test]
fn conditions_give_the_answers_of_python() {
    let Some(python) = python() else {
        println!("skipped: no python with eql (QUELL_EQL_PYTHON)");
        return;
    };
    let number = |name: &str, default: u64| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let count = number("QUELL_CASES", 2_000);
    let mut dice = Dice(number("QUELL_SEED", 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut cases = Vec::new();
    let mut lines = String::new();
    for _ in 0..count {
        let event = event(&mut dice);
        let depth = dice.below(4);
        let condition = Maker { dice: &mut dice, elements: Vec::new() }.condition(depth);
        lines.push_str("{\"condition\":");
        write_text(&condition, &mut lines);
        lines.push_str(",\"event\":");
        event.write(&mut lines);
        lines.push_str("}\n");
        cases.push((condition, event));
    }
    let answers = answers(&python, lines);
    assert_eq!(answers.len(), cases.len());
    let (mut wrong, mut errors, mut seen) = (Vec::new(), Vec::new(), [0_usize; 3]);
    for ((condition, event), answer) in cases.iter().zip(&answers) {
        let expected = match answer.as_str() {
            "true" => (true, false),
            "false" => (false, true),
            "null" => (false, false),
            _ => {
                errors.push(format!("{condition}: {answer}"));
                continue;
            }
        };
        seen[usize::from(expected.0) + 2 * usize::from(expected.1)] += 1;
        for (name, schema) in [("unknown", &NoSchema as &dyn Schema), ("known", &Known)] {
            let found = holds(condition, schema, event)
                .and_then(|yes| Ok((yes, holds(&format!("not ({condition})"), schema, event)?)));
            if found.as_ref() != Ok(&expected) {
                let mut text = String::new();
                event.write(&mut text);
                wrong.push(format!(
                    "{name} fields: {condition}\n  over {text}\n  is {answer}, found {found:?}"
                ));
            }
        }
    }
    println!("{count} cases: null, true, false {seen:?}, {} errors of Python", errors.len());
    for error in errors.iter().take(number("QUELL_SHOW", 0).try_into().unwrap()) {
        println!("{error}");
    }
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong[..wrong.len().min(12)].join("\n"));
    assert!(errors.len() * 10 < cases.len(), "{} errors, such as {}", errors.len(), errors[0]);
    assert!(seen.iter().all(|seen| *seen * 20 > cases.len()), "answers of one kind: {seen:?}");
}
