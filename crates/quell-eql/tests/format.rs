//! The style of the formatter, and where comments go.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use quell_eql::{Dialect, format, format_source, parse};

/// Formats in the Endpoint dialect, which holds Elasticsearch's, and checks what holds of every result.
fn formatted(source: &str) -> String {
    let dialect = Dialect::Endpoint;
    let text = format_source(source, dialect).unwrap_or_else(|findings| panic!("{source}: {findings:?}"));
    let tree = parse(&text, dialect).unwrap_or_else(|findings| panic!("{text}: {findings:?}"));
    assert!(tree.same_as(&parse(source, dialect).unwrap()), "another tree:\n{text}");
    assert_eq!(format_source(&text, dialect).unwrap(), text, "formatting it again changes it");
    assert!(text.lines().all(|line| line.trim_end() == line), "space at a line's end:\n{text}");
    text
}

fn check(cases: &[(&str, &str)]) {
    for (source, expected) in cases {
        assert_eq!(formatted(source), expected.trim_matches('\n'), "{source}");
    }
}

#[test]
fn what_fits_stands_on_one_line_with_single_spaces() {
    check(&[
        ("process   where\n true", "process where true"),
        ("any where a==1 and(b!=2or c)", "any where a == 1 and (b != 2 or c)"),
        (
            r#"a where b:("x","y")and not c in~("z",)"#.replace(",)", ")").as_str(),
            r#"a where b : ("x", "y") and not c in~ ("z")"#,
        ),
        ("a where f~ ( b,1 )>-1", "a where f~(b, 1) > -1"),
        ("a where b . c==? d.`e f`", "a where b.c == ?d.`e f`"),
        ("a where 1+2*3-(4)", "a where 1 + 2 * 3 - (4)"),
        ("a where f()", "a where f()"),
        ("a where b|head 5|tail 2", "a where b | head 5 | tail 2"),
        (r#"a where b == "\u{41}" and c == """d\e""""#, r#"a where b == "\u{41}" and c == """d\e""""#),
        ("a where b not in(1,2.50)", "a where b not in (1, 2.50)"),
        ("a where _arraysearch(b,$c,$c.d==1)", "a where _arraysearch(b, $c, $c.d == 1)"),
        ("a where descendant of[b where c]", "a where descendant of [b where c]"),
        ("sample by k[a where b][c where d]", "sample by k\n  [a where b]\n  [c where d]"),
    ]);
}

#[test]
fn long_conditions_break_at_their_operators() {
    check(&[
        (
            r#"process where host.os.type == "windows" and event.type == "start" and (process.name : ("aaaaaaaaaaaaaaaa.exe", "bbbbbbbbbbbbbbbbbbbbbbb.exe", "ccccccccccccccccccccc.exe", "ddddddddddd.exe") or process.args == "x") and not user.id == "S-1-5-18""#,
            r#"
process where host.os.type == "windows" and
  event.type == "start" and
  (
    process.name : (
      "aaaaaaaaaaaaaaaa.exe", "bbbbbbbbbbbbbbbbbbbbbbb.exe", "ccccccccccccccccccccc.exe",
      "ddddddddddd.exe"
    ) or
    process.args == "x"
  ) and
  not user.id == "S-1-5-18"
"#,
        ),
        (
            r#"process where (process.name == "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" or process.name == "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb")"#,
            r#"
process where
  (
    process.name == "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" or
    process.name == "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
  )
"#,
        ),
        (
            r#"any where aaaaaaaaaaaaaaaaaaaaaaaaaa == "aaaaaaaaaaaaaaaaaaaaaaaa" and b or ccccccccccccccccccccccccc == "ddddddddddddddddddd" and d"#,
            r#"
any where aaaaaaaaaaaaaaaaaaaaaaaaaa == "aaaaaaaaaaaaaaaaaaaaaaaa" and b or
  ccccccccccccccccccccccccc == "ddddddddddddddddddd" and d
"#,
        ),
        (
            r#"any where _arraysearch(process.thread.Ext.call_stack, $entry, $entry.symbol_info : "aaaaaaaaaaaaaaaaaaaaaaaaaaa") and b"#,
            r#"
any where
  _arraysearch(
    process.thread.Ext.call_stack,
    $entry,
    $entry.symbol_info : "aaaaaaaaaaaaaaaaaaaaaaaaaaa"
  ) and
  b
"#,
        ),
    ]);
}

#[test]
fn every_step_begins_a_line() {
    check(&[
        (
            "sequence by host.id, user.id with maxspan = 1m [process where a == 1] by b with runs=3 ![file where c] by d until [any where e] by f | tail 1",
            "
sequence by host.id, user.id with maxspan=1m
  [process where a == 1] by b with runs=3
  ![file where c] by d
until [any where e] by f
| tail 1
",
        ),
        (
            r#"sequence [process where host.os.type == "windows" and event.type == "start" and process.name == "a.exe" and process.args == "b"] as event0 [file where file.path == event0.file.path]"#,
            r#"
sequence
  [process where host.os.type == "windows" and
    event.type == "start" and
    process.name == "a.exe" and
    process.args == "b"] as event0
  [file where file.path == event0.file.path]
"#,
        ),
    ]);
}

#[test]
fn comments_stay_where_they_say_something() {
    check(&[
        ("// head\nprocess where true // tail", "// head\nprocess where true // tail"),
        ("/* head */ process where true\n/* foot */", "/* head */ process where true\n/* foot */"),
        (
            "process where\n    // only the first\n a == 1 and // why\n b == 2\n// and c == 3\n",
            "
process where
  // only the first
  a == 1 and // why
  b == 2
// and c == 3
",
        ),
        ("process where a == 1 // why\n and b == 2", "process where a == 1 and // why\n  b == 2"),
        ("process where a == /* inner */ 1", "process where a == /* inner */ 1"),
        (
            "process where a in (1, // one\n 2 /* two */, 3)",
            "process where\n  a in (\n    1, // one\n    2, /* two */ 3\n  )",
        ),
        (
            "process where a in (1,\n // more to come\n)".replace("1,", "1").as_str(),
            "process where\n  a in (\n    1\n    // more to come\n  )",
        ),
        (
            "process where (a or\n  // not yet: c or\n b)",
            "process where\n  (\n    a or\n    // not yet: c or\n    b\n  )",
        ),
        (
            "sequence // of two\n// first\n[a where b] // one\n [c where d\n // and e\n]",
            "
sequence // of two
  // first
  [a where b] // one
  [c where d
    // and e
  ]
",
        ),
        ("process where a // x\n == // y\n 1 and b", "process where a == 1 and // x\n  // y\n  b"),
        ("process where true\n/* a\n   b */\n| head 1", "process where true\n/* a\n   b */\n| head 1"),
    ]);
}

#[test]
fn a_tree_without_parentheses_is_printed_with_those_it_needs() {
    use quell_eql::ast::{Body, Expr, ExprKind};
    let condition = |source: &str| {
        let Body::Event(filter) = parse(&format!("a where {source}"), Dialect::Elasticsearch).unwrap().body
        else {
            panic!("not an event query")
        };
        Box::new(filter.condition)
    };
    let expr = |kind| Expr { kind, span: quell_ir::Span::default() };
    let mut tree = parse("a where b", Dialect::Elasticsearch).unwrap();
    let Body::Event(filter) = &mut tree.body else { panic!("not an event query") };
    filter.condition = expr(ExprKind::Not(Box::new(expr(ExprKind::And(vec![
        *condition("b or c"),
        *condition("d and e"),
        expr(ExprKind::Compare {
            op: quell_eql::ast::CompareOp::Equal,
            left: condition("f == g"),
            right: condition("1 + 2"),
        }),
    ])))));
    assert_eq!(format(&tree), "a where not ((b or c) and (d and e) and (f == g) == 1 + 2)");
}
