//! The projection and the walk against tables and against an obviously right reading of the same document.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may panic"
)]

use proptest::prelude::*;
use quell_event::{
    EventState, MAX_DEPTH, MAX_SEGMENTS, MAX_VALUES, Projection, ProjectionBuilder, ProjectionError,
    ProjectionErrorKind, Scalar, Want, walk,
};
use quell_ir::Datum;
use serde_json::{Value, json};

/// What the projection finds, path by path: scalars as JSON values, objects as `{"object": raw text}`.
fn project(record: &str, wanted: &[(&str, Want)]) -> Result<Vec<Vec<Value>>, ProjectionError> {
    project_in(&mut EventState::default(), record, wanted)
}

fn project_in(
    state: &mut EventState,
    record: &str,
    wanted: &[(&str, Want)],
) -> Result<Vec<Vec<Value>>, ProjectionError> {
    let projection = projection(wanted);
    // The second time, the state has seen a record of this shape.
    state.begin(wanted.len(), 0);
    let first = projection.project(record, state);
    let once = first.map(|()| found(state, record, wanted.len()));
    state.begin(wanted.len(), 0);
    let second = projection.project(record, state);
    let twice = second.map(|()| found(state, record, wanted.len()));
    assert_eq!(once, twice, "{record}");
    twice
}

fn projection<S: AsRef<str>>(wanted: &[(S, Want)]) -> Projection {
    let mut builder = ProjectionBuilder::new();
    for (slot, (path, want)) in wanted.iter().enumerate() {
        builder.add(path.as_ref(), slot, *want);
    }
    builder.build()
}

fn found(state: &EventState, record: &str, slots: usize) -> Vec<Vec<Value>> {
    let value = |scalar: Scalar| match scalar {
        Scalar::Object(text) => json!({ "object": text.resolve(record, &state.arena) }),
        other => from_datum(other.datum(record, &state.arena)),
    };
    (0..slots).map(|slot| state.source.values(slot).map(value).collect()).collect()
}

fn from_datum(datum: Datum<'_>) -> Value {
    match datum {
        Datum::Null => Value::Null,
        Datum::Boolean(b) => json!(b),
        Datum::Integer(n) => json!(n),
        Datum::Unsigned(n) => json!(n),
        Datum::Float(n) => json!(n),
        Datum::Text(text) => json!(text),
    }
}

fn scalars(record: &str, path: &str) -> Vec<Value> {
    project(record, &[(path, Want::Scalars)]).unwrap_or_else(|e| panic!("{record}: {e}")).remove(0)
}

#[test]
fn a_path_names_a_leaf_however_it_is_written() {
    let cases = [
        (r#"{"a":{"b":{"c":1}}}"#, json!([1])),
        (r#"{"a.b.c":1}"#, json!([1])),
        (r#"{"a":{"b.c":1}}"#, json!([1])),
        (r#"{"a.b":{"c":1}}"#, json!([1])),
        (r#"{"a.b":{"c":1},"a":{"b.c":2,"b":{"c":3}},"a.b.c":4}"#, json!([1, 2, 3, 4])),
        (r#"{"a":[{"b":{"c":1}},{"b":[{"c":2},{"c":[3,[4]]}]},{"b.c":5},7]}"#, json!([1, 2, 3, 4, 5])),
        (r#"{"a":[[{"b.c":[[1],[],[[2]]]}]]}"#, json!([1, 2])),
        (r#"{"a":{"b":{"c":null}}}"#, json!([])),
        (r#"{"a":{"b":{"c":[null,1,null]}}}"#, json!([1])),
        (r#"{"a":{"b":{"c":[]}}}"#, json!([])),
        (r#"{"a":{"b":{"c":{}}}}"#, json!([])),
        (r#"{"a":{"b":{"c":{"d":1}}}}"#, json!([])),
        (r#"{"a":{"b":{"c":1}},"a":{"b":{"c":2}}}"#, json!([1, 2])),
        (r#"{"a":{"b":{"c":1,"c":2}}}"#, json!([1, 2])),
        (r#"{"a":1,"b":{"c":1},"c":1,"a.b":1,"b.c":1,"a.bc":1,"a.b.c.d":1}"#, json!([])),
        (r#"{"a..b.c":1,".a.b.c":1,"a.b.c.":1,"":{"a.b.c":1},"a.":{"b.c":1},"a":{"":{"b.c":1}}}"#, json!([])),
        (r#"{"\u0061":{"\u0062.c":1},"a\u002eb.c":2}"#, json!([1, 2])),
        (r#"{"a":{"b":{"c":""}}}"#, json!([""])),
        (" \t\r\n{ \"a\" : { \"b.c\" : [ 1 , 2.5 , \"x\" , true ] } } \n", json!([1, 2.5, "x", true])),
        (r#"{"x":"\\","y":"\\\"","z":{"{":"}\"]","[":[[["}"]]]},"a.b.c":1}"#, json!([1])),
        ("{}", json!([])),
    ];
    for (record, expected) in cases {
        assert_eq!(json!(scalars(record, "a.b.c")), expected, "{record}");
    }
}

#[test]
fn a_leaf_and_what_is_below_it_can_be_wanted_at_once() {
    let wanted = [("a", Want::Scalars), ("a.b", Want::Scalars), ("a", Want::Subtree), ("a", Want::Scalars)];
    let record = r#"{"a":[1,{"b":2,"c":{}},[{"b":3}]],"a.b":4}"#;
    let objects = json!([1, {"object": r#"{"b":2,"c":{}}"#}, {"object": r#"{"b":3}"#}]);
    assert_eq!(json!(project(record, &wanted).unwrap()), json!([[1], [2, 3, 4], objects, [1]]));
    // Without anything wanted below, a subtree is found all the same.
    assert_eq!(json!(project(record, &[("a", Want::Subtree)]).unwrap()), json!([objects]));
    assert_eq!(json!(project(r#"{"a":{}}"#, &[("a", Want::Subtree)]).unwrap()), json!([[{"object": "{}"}]]));
}

#[test]
fn keys_of_every_length_are_told_apart() {
    // Equal in the first and the last eight bytes, different between.
    let wanted = [("beginning_AA_the_end", Want::Scalars), ("beginning_BB_the_end", Want::Scalars)];
    let record = r#"{"beginning_BB_the_end":2,"beginning_AA_the_end":1,"beginning_CC_the_end":3}"#;
    assert_eq!(json!(project(record, &wanted).unwrap()), json!([[1], [2]]));
    for len in 1..80 {
        let key = "k".repeat(len);
        let record = format!(r#"{{"{key}k":0,"{key}":1,"x{key}":2,"{}":3}}"#, "k".repeat(len - 1));
        assert_eq!(json!(scalars(&record, &key)), json!([1]), "{record}");
        assert_eq!(json!(scalars(&format!(r#"{{"{key}":1}}"#), &key)), json!([1]));
    }
}

#[test]
fn strings_are_decoded_wherever_their_escapes_stand() {
    for before in 0..140 {
        let plain = "é".repeat(before / 2) + &"x".repeat(before);
        let record =
            format!(r#"{{"s":"{plain}\\\"\n\ud83d\ude00\ud800{plain}","t":"{plain}","a":"\\","b":"\\\\"}}"#);
        let expected = format!("{plain}\\\"\n😀\u{fffd}{plain}");
        assert_eq!(json!(scalars(&record, "s")), json!([expected]));
        assert_eq!(json!(scalars(&record, "t")), json!([plain]));
        assert_eq!(json!(scalars(&record, "b")), json!([r"\\"]));
    }
}

#[test]
fn text_without_escapes_is_borrowed_from_the_record() {
    let mut state = EventState::default();
    project_in(&mut state, r#"{"a":"plain","b":"es\\caped","\u0061":"x"}"#, &[("a", Want::Scalars)]).unwrap();
    assert_eq!(state.arena, "");
}

#[test]
fn damaged_records_say_where_and_why() {
    use ProjectionErrorKind as Kind;
    let cases = [
        ("", 0, Kind::Truncated),
        ("  ", 2, Kind::Truncated),
        ("[1]", 0, Kind::NotAnObject),
        (" 7", 1, Kind::NotAnObject),
        ("{} x", 3, Kind::TrailingText),
        ("{}{}", 2, Kind::TrailingText),
        ("{}}", 2, Kind::TrailingText),
        (r#"{"a":1,}"#, 7, Kind::BadToken),
        (r#"{"a":1 "b":2}"#, 7, Kind::BadToken),
        (r#"{"a" 1}"#, 5, Kind::BadToken),
        (r#"{a:1}"#, 1, Kind::BadToken),
        (r#"{"a":}"#, 5, Kind::BadToken),
        (r#"{"a":[1,]}"#, 8, Kind::BadToken),
        (r#"{"a":[1 2]}"#, 8, Kind::BadToken),
        (r#"{"a":[1}"#, 7, Kind::BadToken),
        (r#"{"a":01}"#, 5, Kind::BadToken),
        (r#"{"a":1.}"#, 5, Kind::BadToken),
        (r#"{"a":-}"#, 5, Kind::BadToken),
        (r#"{"a":1e999}"#, 5, Kind::NumberOutOfRange),
        (r#"{"a":nul}"#, 5, Kind::BadToken),
        (r#"{"a":truest}"#, 9, Kind::BadToken),
        (r#"{"x":truest}"#, 9, Kind::BadToken),
        (r#"{"x":?}"#, 5, Kind::BadToken),
        (r#"{"a":"ab\x"}"#, 8, Kind::BadEscape),
        (r#"{"a":"\u12"}"#, 6, Kind::BadEscape),
        (r#"{"\q":1}"#, 2, Kind::BadEscape),
        (r#"{"a":"x"#, 7, Kind::Truncated),
        (r#"{"x":[["#, 7, Kind::Truncated),
        (r#"{"a":1"#, 6, Kind::Truncated),
        (r#"{"a":tru"#, 8, Kind::Truncated),
        (r#"{"a":-"#, 6, Kind::Truncated),
    ];
    for (record, offset, kind) in cases {
        // `a` is read, everything else is read past.
        assert_eq!(
            project(record, &[("a", Want::Scalars)]),
            Err(ProjectionError { offset, kind }),
            "{record}"
        );
    }
    let error = project(r#"{"a":1,}"#, &[]).unwrap_err();
    let error = ProjectionError { kind: ProjectionErrorKind::Truncated, ..error };
    assert_eq!(error.to_string(), format!("the record ends too early at byte {}", error.offset));
}

#[test]
fn only_wanted_nesting_is_limited() {
    let nest = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let deep = format!(r#"{{"x":{},"a":1}}"#, nest(100_000));
    assert_eq!(json!(scalars(&deep, "a")), json!([1]));
    let allowed = format!(r#"{{"a":{}}}"#, nest(MAX_DEPTH - 1));
    assert_eq!(json!(scalars(&allowed, "a")), json!([]));
    for depth in [MAX_DEPTH, 100_000] {
        let refused = format!(r#"{{"a":{}}}"#, nest(depth));
        let error = project(&refused, &[("a", Want::Scalars)]).unwrap_err();
        assert_eq!(error, ProjectionError { offset: 5 + MAX_DEPTH - 1, kind: ProjectionErrorKind::TooDeep });
        assert_eq!(walk(&refused, &mut |_, _| ()).unwrap_err().kind, ProjectionErrorKind::TooDeep);
    }
}

#[test]
fn the_number_of_values_is_limited() {
    let record = |count: usize| format!(r#"{{"a":[{}1]}}"#, "1,".repeat(count - 1));
    assert_eq!(scalars(&record(MAX_VALUES), "a").len(), MAX_VALUES);
    let error = project(&record(MAX_VALUES + 1), &[("a", Want::Scalars)]).unwrap_err();
    assert_eq!(error.kind, ProjectionErrorKind::TooManyValues);
    let twice = [("a", Want::Scalars), ("a", Want::Scalars)];
    assert_eq!(project(&record(MAX_VALUES), &twice).unwrap_err().kind, ProjectionErrorKind::TooManyValues);
}

#[test]
fn a_path_with_too_many_segments_matches_nothing() {
    let path = |segments: usize| vec!["a"; segments].join(".");
    for (segments, expected) in [(MAX_SEGMENTS, json!([1])), (MAX_SEGMENTS + 1, json!([]))] {
        assert_eq!(json!(scalars(&format!(r#"{{"{}":1}}"#, path(segments)), &path(segments))), expected);
    }
}

#[test]
fn one_state_serves_many_projections() {
    let mut state = EventState::default();
    for (record, path, expected) in [
        (r#"{"a":1,"b":2}"#, "a", json!([[1]])),
        (r#"{"a":1,"b":2}"#, "b", json!([[2]])),
        (r#"{"b":3,"a":{"b":4}}"#, "a.b", json!([[4]])),
        (r#"{"a":1,"b":2}"#, "b", json!([[2]])),
    ] {
        assert_eq!(
            json!(project_in(&mut state, record, &[(path, Want::Scalars)]).unwrap()),
            expected,
            "{record} {path}"
        );
    }
}

#[test]
fn the_walk_visits_every_scalar_in_order() {
    let record =
        r#"{"a":{"b":1,"":2},"c.d":[true,[{"e":"x\n"}],null],"":{"f":3.5},"\u0067":18446744073709551615}"#;
    let mut visited = Vec::new();
    walk(record, &mut |path, datum| visited.push((path.to_owned(), from_datum(datum)))).unwrap();
    let expected = json!([
        ["a.b", 1],
        ["a.", 2],
        ["c.d", true],
        ["c.d.e", "x\n"],
        [".f", 3.5],
        ["g", 18_446_744_073_709_551_615u64]
    ]);
    assert_eq!(json!(visited), expected);
}

/// A document as it is written: keys in order, duplicates and all.
#[derive(Clone, Debug)]
enum Doc {
    Null,
    Boolean(bool),
    Integer(i64),
    Unsigned(u64),
    Float(f64),
    Text(String),
    Array(Vec<Doc>),
    Object(Vec<(String, Doc)>),
}

fn any_key() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[abc]",
        4 => "[abc]\\.[abc]",
        2 => "[abc]\\.[abc]\\.[abc]",
        1 => "[abc.\"\\\\é😀{}\\[\\]:,\n]{0,24}",
        1 => "a_longer_key_that_passes_sixteen_[abc]",
    ]
}

fn any_doc() -> impl Strategy<Value = Doc> {
    let leaf = prop_oneof![
        Just(Doc::Null),
        any::<bool>().prop_map(Doc::Boolean),
        any::<i64>().prop_map(Doc::Integer),
        (0i64..1000).prop_map(Doc::Integer),
        (i64::MAX as u64 + 1..=u64::MAX).prop_map(Doc::Unsigned),
        any::<f64>().prop_filter("JSON has no others", |n| n.is_finite()).prop_map(Doc::Float),
        ".{0,40}".prop_map(Doc::Text),
        "[\\\\\"/{}\\[\\]a]{0,150}".prop_map(Doc::Text),
    ];
    leaf.prop_recursive(5, 60, 8, |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..5).prop_map(Doc::Array),
            3 => prop::collection::vec((any_key(), inner), 0..8).prop_map(Doc::Object),
        ]
    })
}

fn any_record() -> impl Strategy<Value = Doc> {
    prop::collection::vec((any_key(), any_doc()), 0..8).prop_map(Doc::Object)
}

/// How a document is written out.
#[derive(Clone, Copy, Debug)]
struct Style {
    space: &'static str,
    unicode_escapes: bool,
}

fn any_style() -> impl Strategy<Value = Style> {
    (prop_oneof![3 => Just(""), 1 => Just(" "), 1 => Just("\r\n\t ")], any::<bool>())
        .prop_map(|(space, unicode_escapes)| Style { space, unicode_escapes })
}

fn write(doc: &Doc, style: Style, out: &mut String) {
    let space = style.space;
    match doc {
        Doc::Null => out.push_str("null"),
        Doc::Boolean(b) => out.push_str(&b.to_string()),
        Doc::Integer(n) => out.push_str(&n.to_string()),
        Doc::Unsigned(n) => out.push_str(&n.to_string()),
        Doc::Float(n) => out.push_str(&serde_json::to_string(n).unwrap()),
        Doc::Text(text) => write_text(text, style, out),
        Doc::Array(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                out.push_str(if n > 0 { "," } else { "" });
                out.push_str(space);
                write(item, style, out);
                out.push_str(space);
            }
            out.push(']');
        }
        Doc::Object(members) => {
            out.push('{');
            for (n, (key, value)) in members.iter().enumerate() {
                out.push_str(if n > 0 { "," } else { "" });
                out.push_str(space);
                write_text(key, style, out);
                out.push_str(space);
                out.push(':');
                out.push_str(space);
                write(value, style, out);
                out.push_str(space);
            }
            out.push('}');
        }
    }
}

fn write_text(text: &str, style: Style, out: &mut String) {
    if style.unicode_escapes {
        out.push('"');
        text.encode_utf16().for_each(|unit| out.push_str(&format!("\\u{unit:04X}")));
        out.push('"');
    } else {
        out.push_str(&serde_json::to_string(text).unwrap());
    }
}

/// Every scalar with its full path, and every object with the path at which it stands.
fn flatten(path: Option<&str>, doc: &Doc, style: Style, out: &mut Vec<(String, Value)>) {
    let here = || path.unwrap_or("").to_owned();
    match doc {
        Doc::Null => {}
        Doc::Boolean(b) => out.push((here(), json!(b))),
        Doc::Integer(n) => out.push((here(), json!(n))),
        Doc::Unsigned(n) => out.push((here(), json!(n))),
        Doc::Float(n) => out.push((here(), json!(n))),
        Doc::Text(text) => out.push((here(), json!(text))),
        Doc::Array(items) => items.iter().for_each(|item| flatten(path, item, style, out)),
        Doc::Object(members) => {
            for (key, value) in members {
                let full = path.map_or_else(|| key.clone(), |path| format!("{path}.{key}"));
                flatten(Some(&full), value, style, out);
            }
            let mut text = String::new();
            write(doc, style, &mut text);
            out.push((here(), json!({ "object": text })));
        }
    }
}

fn any_wanted() -> impl Strategy<Value = Vec<(String, Want)>> {
    let path = prop_oneof![4 => "[abc](\\.[abc]){0,4}", 1 => any_key()];
    prop::collection::vec((path, prop_oneof![3 => Just(Want::Scalars), 1 => Just(Want::Subtree)]), 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn the_projection_finds_what_a_plain_reading_finds(
        docs in prop::collection::vec(any_record(), 1..4), style in any_style(), wanted in any_wanted(),
    ) {
        let projection = projection(&wanted);
        let mut state = EventState::default();
        for doc in docs.iter().chain(docs.iter().rev()) {
            let mut record = String::new();
            write(doc, style, &mut record);
            let mut leaves = Vec::new();
            flatten(None, doc, style, &mut leaves);
            state.begin(wanted.len(), 0);
            prop_assert_eq!(projection.project(&record, &mut state), Ok(()), "{}", record);
            let found = found(&state, &record, wanted.len());
            for ((path, want), found) in wanted.iter().zip(found) {
                let nameable = !path.split('.').any(str::is_empty);
                let expected: Vec<&Value> = leaves
                    .iter()
                    .filter(|(leaf, value)| nameable && leaf == path && (*want == Want::Subtree || !value.is_object()))
                    .map(|(_, value)| value)
                    .collect();
                prop_assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{} {:?} in {}", path, want, record);
            }
            let mut visited = Vec::new();
            walk(&record, &mut |path, datum| visited.push((path.to_owned(), from_datum(datum)))).unwrap();
            leaves.retain(|(_, value)| !value.is_object());
            prop_assert_eq!(visited, leaves, "{}", record);
        }
    }

    #[test]
    fn every_prefix_of_a_record_is_refused(doc in any_record(), style in any_style(), wanted in any_wanted()) {
        let mut record = String::new();
        write(&doc, style, &mut record);
        let projection = projection(&wanted);
        let mut state = EventState::default();
        // All prefixes of a short record, some hundreds of a long one.
        let step = 1 + record.len() / 500;
        for end in (0..record.len()).step_by(step).filter(|end| record.is_char_boundary(*end)) {
            state.begin(wanted.len(), 0);
            prop_assert!(projection.project(&record[..end], &mut state).is_err(), "{}", &record[..end]);
            prop_assert!(walk(&record[..end], &mut |_, _| ()).is_err(), "{}", &record[..end]);
        }
    }

    #[test]
    fn damage_never_panics_and_what_serde_accepts_is_accepted(
        doc in any_record(), style in any_style(), wanted in any_wanted(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), "[\\\\\"{}\\[\\],:0-9a-z\\-+. ]"), 1..6),
    ) {
        let mut record = String::new();
        write(&doc, style, &mut record);
        let mut bytes = record.into_bytes();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte.as_bytes()[0];
        }
        let record = String::from_utf8_lossy(&bytes).into_owned();
        let wanted: Vec<(&str, Want)> = wanted.iter().map(|(path, want)| (path.as_str(), *want)).collect();
        let projected = project(&record, &wanted);
        let walked = walk(&record, &mut |_, _| ());
        if serde_json::from_str::<Value>(&record).is_ok_and(|value| value.is_object()) {
            prop_assert!(projected.is_ok(), "{} {:?}", record, projected);
            prop_assert!(walked.is_ok(), "{} {:?}", record, walked);
        }
        if walked.is_ok() {
            prop_assert!(projected.is_ok(), "the walk reads more than the projection: {}", record);
        }
    }
}
