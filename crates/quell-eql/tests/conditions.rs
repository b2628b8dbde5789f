//! The meaning of conditions over events: missing fields, several values, null inside and outside of leaves.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use bumpalo::Bump;
use quell_eql::{Dialect, Options, compile};
use quell_ir::eval::{self, Fields, MAX_COMBINATIONS};
use quell_ir::schema::NoSchema;
use quell_ir::{Datum, FieldInfo, FieldRef, FieldType, Logic, Schema, Scope};

/// A JSON-like value.
#[derive(Clone, Debug)]
enum Json {
    Text(&'static str),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    List(Vec<Json>),
    Object(Event),
}

/// Flat names to values.
type Event = Vec<(&'static str, Json)>;

use Json::{Boolean, Float, Integer, List, Object, Text};

impl Json {
    fn collect<'a>(&self, into: &mut Vec<Datum<'a>>) {
        match self {
            Text(text) => into.push(Datum::Text(text)),
            Integer(n) => into.push(Datum::Integer(*n)),
            Float(n) => into.push(Datum::Float(*n)),
            Boolean(b) => into.push(Datum::Boolean(*b)),
            List(items) => items.iter().for_each(|item| item.collect(into)),
            Object(_) => {}
        }
    }
}

/// An event, or an element of an array with what is around it.
struct Reader<'e> {
    members: &'e Event,
    around: Option<&'e Reader<'e>>,
}

impl<'e> Reader<'e> {
    fn object(&self, scope: &Scope) -> &'e Event {
        let outer = |steps: usize| {
            let mut reader = self;
            for _ in 0..steps {
                reader = reader.around.unwrap();
            }
            reader
        };
        match scope {
            Scope::Element(n) => outer(usize::from(*n)).members,
            Scope::Event => {
                let mut reader = self;
                while let Some(around) = reader.around {
                    reader = around;
                }
                reader.members
            }
            Scope::Step(_) => panic!("there are no steps here"),
        }
    }

    fn find(&self, field: &FieldRef) -> Option<&'e Json> {
        self.object(&field.scope).iter().find(|(name, _)| *name == &*field.path).map(|(_, value)| value)
    }
}

impl<'a> Fields<'a> for Reader<'_> {
    fn values(&self, field: &FieldRef, arena: &'a Bump) -> &'a [Datum<'a>] {
        let mut values = Vec::new();
        if let Some(value) = self.find(field) {
            value.collect(&mut values);
        }
        arena.alloc_slice_copy(&values)
    }

    fn any_object(&self, field: &FieldRef, test: &mut dyn FnMut(&dyn Fields<'a>) -> bool) -> bool {
        let items = match self.find(field) {
            Some(List(items)) => items.as_slice(),
            Some(single) => std::slice::from_ref(single),
            None => &[],
        };
        items.iter().any(|item| match item {
            Object(members) => test(&Reader { members, around: Some(self) }),
            _ => false,
        })
    }
}

struct Typed;

impl Schema for Typed {
    fn field(&self, path: &str) -> Option<FieldInfo> {
        let kind = match path {
            "x" | "y" => FieldType::Integer,
            "s" | "t" => FieldType::Keyword,
            "f" => FieldType::Float,
            "b" => FieldType::Boolean,
            "at" => FieldType::Date,
            "ip" => FieldType::Ip,
            "v" => FieldType::Version,
            _ => return None,
        };
        Some(FieldInfo { kind, array: true })
    }

    fn near(&self, _path: &str) -> Vec<String> {
        Vec::new()
    }

    fn name(&self) -> &str {
        "typed"
    }
}

fn holds_by(source: &str, event: &Event, options: &Options<'_>) -> eval::Outcome {
    let query = format!("any where {source}");
    let compiled = compile(&query, options).unwrap_or_else(|found| panic!("{query}: {found:#?}"));
    let Logic::Event(filter) = compiled.query.logic else { panic!("{query}") };
    eval::condition(&filter.condition, &Reader { members: event, around: None }, &Bump::new())
}

/// With the types known, and by the values at hand, if both give the same.
fn holds(source: &str, event: &Event) -> bool {
    let typed = holds_by(source, event, &Options::new(&Typed));
    let untyped = holds_by(source, event, &Options::new(&NoSchema));
    assert_eq!(typed, untyped, "{source} depends on the schema for {event:?}");
    assert!(!typed.cut);
    typed.holds
}

#[test]
fn functions_and_arithmetic_see_values_as_the_fields_type_holds_them() {
    let event: Event = vec![
        ("s", List(vec![Integer(1000), Boolean(true), Float(7.5), Text("a")])),
        ("x", List(vec![Text("4"), Text("four")])),
        ("f", Integer(7)),
        ("b", List(vec![Text("true"), Integer(1)])),
        ("ip", List(vec![Text("0:0:0:0:0:0:0:1"), Text("::ffff:10.0.0.7"), Text("ten")])),
        ("v", Float(1.5)),
    ];
    let cases = [
        ("length(s) == 4", true),
        ("length(s) == 3", true),
        (r#"substring(s, 0, 2) == "tr""#, true),
        ("x + 1 == 5", true),
        ("x + 1 == null", true),
        (r#"string(x) == "four""#, false),
        ("f / 2 == 3.5", true),
        (r#"string(f) == "7.0""#, true),
        (r#"concat(b) == "true""#, true),
        (r#"concat(b) == "1""#, false),
        (r#"string(ip) == "::1""#, true),
        (r#"string(ip) == "10.0.0.7""#, true),
        (r#"string(ip) == "ten""#, false),
        (r#"concat(v) == "1.5""#, true),
    ];
    for (source, expected) in cases {
        assert_eq!(holds_by(source, &event, &Options::new(&Typed)).holds, expected, "{source}");
    }
}

#[test]
fn a_missing_field_makes_leaves_false_and_their_negations_true() {
    let cases = [
        ("x > 1", false),
        ("not (x > 1)", true),
        ("not x > 1", true),
        ("x == 1", false),
        ("x != 1", true),
        ("x in (1, 2)", false),
        ("x not in (1, 2)", true),
        (r#"s : "a*""#, false),
        (r#"not s : "a*""#, true),
        (r#"not s like "a""#, true),
        (r#"not s regex "a""#, true),
        (r#"startsWith(s, "a")"#, false),
        (r#"not startsWith(s, "a")"#, true),
        (r#"not startsWith(s, substring(t, 1))"#, true),
        ("not length(s) > 3", true),
        ("not (x > 1 and y == 2)", true),
        ("x == null", true),
        ("x != null", false),
        (r#"s : "*""#, false),
        (r#"s like "*""#, false),
        (r#"s regex ".*""#, false),
        ("(x > 1) == null", true),
        ("null == (x > 1)", true),
        ("(x > 1) != null", false),
        ("(x > 1) == false", true),
        ("(x > 1) == true", false),
        ("length(s) == null", true),
        ("(not x == 1) == null", true),
        ("(x == 1 or true) == null", false),
        ("(x == 1 and false) == null", false),
        ("(x == 1 and true) == null", true),
        ("b", false),
        ("not b", true),
        ("b == true", false),
        ("b == false", false),
        ("b != true", true),
        ("b != false", true),
        (r#"cidrMatch(ip, "10.0.0.0/8")"#, false),
        (r#"not cidrMatch(ip, "10.0.0.0/8")"#, true),
        ("x + 1 > 0", false),
        ("not x + 1 > 0", true),
        (r#"concat(s, "a") == "a""#, false),
        ("null", false),
        ("not null", false),
        ("not (1 > null)", false),
    ];
    for (source, expected) in cases {
        assert_eq!(holds(source, &vec![]), expected, "{source}");
        assert_eq!(
            holds(source, &vec![("x", List(vec![])), ("s", List(vec![]))]),
            expected,
            "{source} over empty lists"
        );
    }
    assert!(holds(r#"s : "*""#, &vec![("s", Text(""))]), "the empty string is a value");
    assert!(holds("s != null", &vec![("s", Text(""))]));
}

#[test]
fn one_element_is_enough_and_none_for_a_negation() {
    let event = vec![
        ("x", List(vec![Integer(1), Integer(10)])),
        ("y", List(vec![Integer(3), Integer(4)])),
        ("s", List(vec![Text("cmd.exe"), Text("/c"), Text("whoami")])),
        ("t", List(vec![Text("CMD"), Text("b")])),
        ("b", List(vec![Boolean(true), Boolean(false)])),
        ("ip", List(vec![Text("10.1.1.1"), Text("::1")])),
    ];
    let cases = [
        ("x > 5 and x < 3", true),
        ("x > 5", true),
        ("x == 4", false),
        ("x != 1", false),
        ("x != 4", true),
        ("not x == 1", false),
        ("x not in (2, 10)", false),
        (r#"s == "/c""#, true),
        (r#"s : "WHO*""#, true),
        (r#"s like "WHO*""#, false),
        (r#"s : "cmd.exe /c whoami""#, false),
        ("b == true and b == false", true),
        ("b != true", false),
        (r#"cidrMatch(ip, "10.0.0.0/8") and ip == "0:0:0:0:0:0:0:1""#, true),
        ("length(s) == 2", true),
        ("length(s) == 3", false), // never the number of elements
        ("length(s) > 7", false),
        // one element of each field; the same field twice is the same element
        ("x + y == 14", true),
        ("x + y == 6", false),
        ("x + x == 11", false),
        ("x + x == 20", true),
        ("x - x == 0", true),
        (r#"startsWith~(s, t)"#, true),
        (r#"startsWith(s, t)"#, false),
        (r#"concat(s, t) == "/cb""#, true),
        (r#"(x > 5) == null"#, false),
    ];
    for (source, expected) in cases {
        assert_eq!(holds(source, &event), expected, "{source}");
    }
}

#[test]
fn values_are_read_by_the_type_of_their_field() {
    let typed = Options::new(&Typed);
    let cases: &[(&str, Json, &str, bool)] = &[
        ("s", Integer(7), "s == 7", true),
        ("s", Text("7"), "s == 7", true),
        ("s", Text("10"), r#"s < "9""#, true),
        ("s", Boolean(true), r#"s == "true""#, true),
        ("s", Float(4.0), r#"s == "4.0""#, true),
        ("s", Integer(4722), r#"s : "47*""#, true),
        ("s", Text("System"), r#"s < "system""#, true),
        ("x", Text("10"), "x > 9", true),
        ("x", Text("abc"), "x > 9", false),
        ("x", Integer(3), "x == 3.0", true),
        ("x", Integer(3), "x == 3.5", false),
        ("x", Integer(3), "x < 3.5", true),
        ("x", Integer(3), r#"x == "3""#, true),
        ("b", Text("false"), "b == false", true),
        ("b", Text("true"), "b", true),
        ("b", Text("yes"), "b == true", false),
        ("at", Text("2024-05-01T12:30:00Z"), r#"at == "2024-05-01""#, true),
        ("at", Text("2024-05-02T00:00:00Z"), r#"at == "2024-05-01""#, false),
        ("at", Text("2024-05-01T23:59:59Z"), r#"at > "2024-05-01""#, false),
        ("at", Text("2024-05-01T14:00:00+02:00"), r#"at == "2024-05-01T12:00:00Z""#, true),
        ("at", Text("2024-05-01T12:00:00.400Z"), r#"at == "2024-05-01T12:00:00Z""#, true),
        ("at", Integer(1_714_564_800_000), r#"at >= "2024-05-01T12:00:00Z""#, true),
        ("at", Text("2024-05-01 12:00:00"), "at == 1714564800000", true),
        ("ip", Text("10.20.30.40"), r#"ip == "10.0.0.0/8""#, true),
        ("ip", Text("10.0.0.10"), r#"ip > "10.0.0.9""#, true),
        ("ip", Text("::1"), r#"ip == "0:0:0:0:0:0:0:1""#, true),
        ("ip", Text("host"), r#"ip != "::1""#, true),
        ("v", Text("1.9.0"), r#"v < "1.10""#, true),
    ];
    for (field, value, source, expected) in cases {
        let event = vec![(*field, value.clone())];
        assert_eq!(holds_by(source, &event, &typed).holds, *expected, "{source} for {value:?}");
    }
}

#[test]
fn two_dates_in_one_field_do_not_make_a_day() {
    let event = vec![("at", List(vec![Text("2024-04-30"), Text("2024-05-02")]))];
    assert!(!holds_by(r#"at == "2024-05-01""#, &event, &Options::new(&Typed)).holds);
}

#[test]
fn patterns_know_no_escape_and_cross_lines() {
    let event = vec![("s", List(vec![Text(r"C:\Temp\a*b"), Text("one\ntwo")]))];
    let cases = [
        (r#"s like "C:\\Temp\\*""#, true),
        (r#"s like """C:\Temp\*""""#, true),
        (r#"s like "one*two""#, true),
        (r#"s regex "one.two""#, true),
        (r#"s like "*\\*""#, true),
        (r#"s == "C:\\Temp\\*""#, false),
        (r#"s in ("C:\\Temp\\a*b")"#, true),
        (r#"s in~ ("c:\\temp\\*")"#, false),
        (r#"stringContains(s, "a*b")"#, true),
        (r#"stringContains(s, "p*b")"#, false),
        (r#"endsWith(s, "*b")"#, true),
        (r#"s regex ".*\\*.*""#, true),
        (r#"s regex "^one.*""#, false),
    ];
    for (source, expected) in cases {
        assert_eq!(holds(source, &event), expected, "{source}");
    }
}

#[test]
fn the_endpoint_dialect_tests_one_element_at_a_time() {
    let frame = |symbol, size| Object(vec![("symbol", Text(symbol)), ("size", Integer(size))]);
    let event = vec![
        ("stack", List(vec![frame("a", 1), frame("b", 2)])),
        ("s", Text("b")),
        ("t", Text("B")),
        ("single", frame("c", 3)),
    ];
    let cases = [
        (r#"_arraysearch(stack, $f, $f.symbol == "a" and $f.size == 1)"#, true),
        (r#"_arraysearch(stack, $f, $f.symbol == "a" and $f.size == 2)"#, false),
        (r#"_arraysearch(stack, $f, $f.symbol == s)"#, true),
        (r#"_arraysearch(stack, $f, $f.missing != 1)"#, true),
        (r#"not _arraysearch(stack, $f, $f.size > 2)"#, true),
        (r#"_arraysearch(single, $f, $f.size == 3)"#, true),
        (r#"_arraysearch(absent, $f, $f.missing != 1)"#, false),
        (r#"not _arraysearch(absent, $f, true)"#, true),
        (r#"_arraysearch(stack, $f, _arraysearch(stack, $g, $f.size == 1 and $g.size == 2))"#, true),
        ("s == t", false),
        ("s != t", true),
        ("s == absent", false),
        ("s != absent", true),
        ("?missing == ?absent", true),
        ("?s == ?absent", false),
        ("missing == absent", false),
    ];
    for (source, expected) in cases {
        let options = Options { dialect: Dialect::Endpoint, ..Options::new(&NoSchema) };
        assert_eq!(holds_by(source, &event, &options).holds, expected, "{source}");
    }
}

#[test]
fn too_many_combinations_are_cut_and_said_to_be() {
    let many = |n| List((0..n).map(Integer).collect());
    let few = vec![("x", many(64)), ("y", many(64))];
    let all = holds_by("x * y == -1", &few, &Options::new(&NoSchema));
    assert_eq!((all.holds, all.cut), (false, false), "{MAX_COMBINATIONS} fit");
    let more = vec![("x", many(65)), ("y", many(64))];
    let cut = holds_by("x * y == -1", &more, &Options::new(&NoSchema));
    assert_eq!((cut.holds, cut.cut), (false, true));
    assert!(holds_by("x * y == 1", &more, &Options::new(&NoSchema)).holds, "found before the limit");
}

#[test]
fn long_texts_are_cut_and_said_to_be() {
    let long: &'static str = Box::leak("a".repeat(3 << 20).into_boxed_str());
    let event = vec![("s", Text(long)), ("t", List((0..100).map(Integer).collect()))];
    let outcome = holds_by("concat(s, s) == null", &event, &Options::new(&NoSchema));
    assert!(outcome.cut);
    let outcome = holds_by(r#"concat(s, t) == "x""#, &event, &Options::new(&NoSchema));
    assert_eq!((outcome.holds, outcome.cut), (false, true), "a hundred texts of 3 MiB are too many");
}
