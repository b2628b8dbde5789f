//! The tree of each construct, as an s-expression.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use quell_eql::ast::{Body, Expr, ExprKind, Field, FieldMark, Filter, Literal, Query, Segment, Step};
use quell_eql::{Dialect, parse, parse_condition};
use quell_ir::Value;

fn value(literal: &Literal) -> String {
    match &literal.value {
        Value::Null => "null".to_owned(),
        Value::Boolean(b) => b.to_string(),
        Value::Integer(n) => n.to_string(),
        Value::Unsigned(n) => format!("{n}u"),
        Value::Float(n) => format!("{n:?}"),
        Value::Text(text) => format!("{text:?}"),
    }
}

fn field(field: &Field) -> String {
    let mut text = match field.mark {
        FieldMark::Plain => String::new(),
        FieldMark::Optional => "?".to_owned(),
        FieldMark::Variable => "$".to_owned(),
    };
    for (at, segment) in field.path.iter().enumerate() {
        match segment {
            Segment::Name { name, quoted, .. } => {
                if at > 0 {
                    text.push('.');
                }
                text.push_str(&if *quoted { format!("`{name}`") } else { name.to_string() });
            }
            Segment::Index { index, .. } => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

fn all<'a>(exprs: impl IntoIterator<Item = &'a Expr>) -> String {
    exprs.into_iter().map(|e| format!(" {}", expr(e))).collect()
}

fn expr(e: &Expr) -> String {
    match &e.kind {
        ExprKind::Literal(literal) => value(literal),
        ExprKind::Field(f) => field(f),
        ExprKind::Call(call) => format!(
            "({}{}{}{})",
            if call.method { ":" } else { "" },
            call.name.text,
            if call.folded { "~" } else { "" },
            all(&call.arguments)
        ),
        ExprKind::Paren(inner) => format!("(paren {})", expr(inner)),
        ExprKind::Not(inner) => format!("(not {})", expr(inner)),
        ExprKind::And(operands) => format!("(and{})", all(operands)),
        ExprKind::Or(operands) => format!("(or{})", all(operands)),
        ExprKind::Compare { op, left, right } => format!("({} {} {})", op.as_str(), expr(left), expr(right)),
        ExprKind::Arithmetic { op, left, right } => {
            format!("({} {} {})", op.as_str(), expr(left), expr(right))
        }
        ExprKind::Sign { negative, operand } => {
            format!("({} {})", if *negative { "neg" } else { "pos" }, expr(operand))
        }
        ExprKind::In { operand, negated, folded, list, .. } => format!(
            "({}in{} {}{})",
            if *negated { "not-" } else { "" },
            if *folded { "~" } else { "" },
            expr(operand),
            all(list)
        ),
        ExprKind::Match { operand, op, patterns, parens, .. } => {
            let patterns: Vec<String> = patterns.iter().map(value).collect();
            let list = if *parens { format!("[{}]", patterns.join(" ")) } else { patterns.join(" ") };
            format!("({} {} {list})", op.as_str(), expr(operand))
        }
        ExprKind::Lineage { relation, filter: f } => format!("({}-of {})", relation.as_str(), filter(f)),
    }
}

fn filter(filter: &Filter) -> String {
    let category = filter.category.name.as_ref().map_or("any".to_owned(), |name| format!("{name:?}"));
    format!("(where {category} {})", expr(&filter.condition))
}

fn step(step: &Step) -> String {
    let mut text = format!("({} {}", if step.missing { "missing" } else { "step" }, filter(&step.filter));
    if !step.by.is_empty() {
        text += &format!(" (by{})", all(&step.by));
    }
    if let Some(runs) = &step.runs {
        text += &format!(" (runs {})", runs.count);
    }
    if let Some(alias) = &step.alias {
        text += &format!(" (as {})", alias.text);
    }
    if let Some(fork) = &step.fork {
        text += &format!(" (fork {})", fork.value);
    }
    text + ")"
}

fn query(query: &Query) -> String {
    let steps = |by: &[Expr], steps: &[Step], until: Option<&Step>| {
        let mut text = if by.is_empty() { String::new() } else { format!(" (by{})", all(by)) };
        text.extend(steps.iter().map(|s| format!(" {}", step(s))));
        text.extend(until.map(|s| format!(" (until {})", step(s))));
        text
    };
    let mut text = match &query.body {
        Body::Event(f) => filter(f),
        Body::Sequence(s) => {
            let maxspan =
                s.maxspan.as_ref().map_or(String::new(), |m| format!(" (maxspan {}ms)", m.milliseconds()));
            format!("(sequence{maxspan}{})", steps(&s.by, &s.steps, s.until.as_deref()))
        }
        Body::Sample(s) => format!("(sample{})", steps(&s.by, &s.steps, None)),
        Body::Join(s) => format!("(join{})", steps(&s.by, &s.steps, s.until.as_deref())),
    };
    for pipe in &query.pipes {
        text += &format!(" (pipe {}{})", pipe.name.text, all(&pipe.arguments));
    }
    text
}

fn conditions(dialect: Dialect, cases: &[(&str, &str)]) {
    for (source, expected) in cases {
        let tree =
            parse_condition(source, dialect).unwrap_or_else(|findings| panic!("{source}: {findings:?}"));
        assert_eq!(expr(&tree), *expected, "{source}");
        assert_eq!(tree.span.text(source), *source, "the span of the whole");
    }
}

fn queries(dialect: Dialect, cases: &[(&str, &str)]) {
    for (source, expected) in cases {
        let tree = parse(source, dialect).unwrap_or_else(|findings| panic!("{source}: {findings:?}"));
        assert_eq!(query(&tree), *expected, "{source}");
        assert_eq!(tree.span.text(source), *source, "the span of the whole");
    }
}

#[test]
fn operators_bind_as_the_grammar_says() {
    conditions(
        Dialect::Elasticsearch,
        &[
            ("true", "true"),
            ("a", "a"),
            ("a == 1 and b or c", "(or (and (== a 1) b) c)"),
            ("a or b and c or d", "(or a (and b c) d)"),
            ("a and b and c", "(and a b c)"),
            ("(a and b) and c", "(and (paren (and a b)) c)"),
            ("not a == 1 and b", "(and (not (== a 1)) b)"),
            ("not not a", "(not (not a))"),
            ("not (a or b)", "(not (paren (or a b)))"),
            ("1 + 2 * 3 - 4", "(- (+ 1 (* 2 3)) 4)"),
            ("8 / 4 / 2 % 3", "(% (/ (/ 8 4) 2) 3)"),
            ("a - b - c == -1", "(== (- (- a b) c) (neg 1))"),
            ("- + -a", "(neg (pos (neg a)))"),
            ("-a * b", "(* (neg a) b)"),
            ("-x in (1)", "(neg (in x 1))"),
            ("1 + x in (2)", "(+ 1 (in x 2))"),
            ("x in (1) == true", "(== (in x 1) true)"),
            ("a + 1 > b * 2", "(> (+ a 1) (* b 2))"),
            ("4 < x", "(< 4 x)"),
            ("a != 1 or a <= 2 or a >= 3 or a < 4", "(or (!= a 1) (<= a 2) (>= a 3) (< a 4))"),
            ("(x > 1) == null", "(== (paren (> x 1)) null)"),
        ],
    );
}

#[test]
fn patterns_and_lists() {
    conditions(
        Dialect::Elasticsearch,
        &[
            (r#"x : "a*""#, r#"(: x "a*")"#),
            (r#"x:("a","b")"#, r#"(: x ["a" "b"])"#),
            (r#"x : ("a")"#, r#"(: x ["a"])"#),
            (r#"x like "a" and y like~ ("b")"#, r#"(and (like x "a") (like~ y ["b"]))"#),
            (r#"x regex "a.*" or y regex~ "b""#, r#"(or (regex x "a.*") (regex~ y "b"))"#),
            (r#"x : 4"#, "(: x 4)"),
            (r#"x in (1, "a", null, true)"#, r#"(in x 1 "a" null true)"#),
            (r#"x in~ ("a")"#, r#"(in~ x "a")"#),
            ("x not in (1)", "(not-in x 1)"),
            (r#"x not in~ ("a")"#, r#"(not-in~ x "a")"#),
            ("not x in (1)", "(not (in x 1))"),
            ("x in (y, 1 + 2, f(z))", "(in x y (+ 1 2) (f z))"),
            (r#"f(x) : "a""#, r#"(: (f x) "a")"#),
            (r#"(x) like "a""#, r#"(like (paren x) "a")"#),
        ],
    );
}

#[test]
fn names_calls_and_constants() {
    conditions(
        Dialect::Elasticsearch,
        &[
            ("process.name", "process.name"),
            ("process . name", "process.name"),
            ("?process.name == null", "(== ?process.name null)"),
            ("? a", "?a"),
            ("?`a.b-c`", "?`a.b-c`"),
            ("a.`any`.b", "a.`any`.b"),
            ("`a``b`", "`a`b`"),
            ("@timestamp", "@timestamp"),
            ("runs == head", "(== runs head)"),
            ("as.number", "as.number"),
            ("f()", "(f)"),
            ("f ( )", "(f)"),
            ("startsWith~(a, \"b\")", "(startsWith~ a \"b\")"),
            ("f(a and b, not c)", "(f (and a b) (not c))"),
            ("f(g(h(1)))", "(f (g (h 1)))"),
            ("9223372036854775807", "9223372036854775807"),
            ("18446744073709551615", "18446744073709551615u"),
            ("18446744073709551616", "1.8446744073709552e19"),
            ("1.5e3", "1500.0"),
            (".5", "0.5"),
            (r#""a\\b""#, r#""a\\b""#),
            (r#""""a\b""""#, r#""a\\b""#),
        ],
    );
}

#[test]
fn whole_queries() {
    queries(
        Dialect::Elasticsearch,
        &[
            ("any where true", "(where any true)"),
            (r#""my category" where a"#, r#"(where "my category" a)"#),
            (r#""any" where a"#, r#"(where "any" a)"#),
            (r#""""x\y""" where a"#, r#"(where "x\\y" a)"#),
            ("process where a | head 5 | tail 3", "(where \"process\" a) (pipe head 5) (pipe tail 3)"),
            ("sequence [a where b] [c where d]", r#"(sequence (step (where "a" b)) (step (where "c" d)))"#),
            (
                "sequence by k, ?l with maxspan = 5 m [a where b] by x with runs=3 ![c where d] by y until [e where f] by z | tail 1",
                r#"(sequence (maxspan 300000ms) (by k ?l) (step (where "a" b) (by x) (runs 3)) (missing (where "c" d) (by y)) (until (step (where "e" f) (by z)))) (pipe tail 1)"#,
            ),
            (
                "sequence with maxspan=1ms [a where b] with runs=2",
                r#"(sequence (maxspan 1ms) (step (where "a" b) (runs 2)))"#,
            ),
            (
                "sequence with maxspan=2h [a where b] [a where b]",
                r#"(sequence (maxspan 7200000ms) (step (where "a" b)) (step (where "a" b)))"#,
            ),
            (
                "sequence with maxspan=2d ![a where b] [a where b]",
                r#"(sequence (maxspan 172800000ms) (missing (where "a" b)) (step (where "a" b)))"#,
            ),
            (
                "sample by k [a where b] [c where d]",
                r#"(sample (by k) (step (where "a" b)) (step (where "c" d)))"#,
            ),
            (
                "sample [a where b] by k [c where d] by l",
                r#"(sample (step (where "a" b) (by k)) (step (where "c" d) (by l)))"#,
            ),
        ],
    );
}

#[test]
fn the_endpoint_dialect_adds() {
    conditions(
        Dialect::Endpoint,
        &[
            ("file.path == event0.file.path", "(== file.path event0.file.path)"),
            (
                "_arraysearch(p.stack, $e, $e.info : \"a\" and $e == null)",
                "(_arraysearch p.stack $e (and (: $e.info \"a\") (== $e null)))",
            ),
            (
                "_arraysearch(a, $e, _arraysearch($e.b, $f, $e.c == $f.c))",
                "(_arraysearch a $e (_arraysearch $e.b $f (== $e.c $f.c)))",
            ),
            ("not descendant of [process where x]", "(not (descendant-of (where \"process\" x)))"),
            ("descendant == 1", "(== descendant 1)"),
        ],
    );
    queries(
        Dialect::Endpoint,
        &[(
            "sequence [a where b] by k as event0 [c where event0.d] by k as event1",
            r#"(sequence (step (where "a" b) (by k) (as event0)) (step (where "c" event0.d) (by k) (as event1)))"#,
        )],
    );
}

#[test]
fn the_endgame_dialect_adds() {
    conditions(
        Dialect::Endgame,
        &[
            ("a = 'x' and b = ?'C:\\x'", "(and (== a \"x\") (== b \"C:\\\\x\"))"),
            ("a[0].b[12] == 1", "(== a[0].b[12] 1)"),
            ("x:length() == 3", "(== (:length x) 3)"),
            ("x:f(1):g(2,)", "(:g (:f x 1) 2)"),
            ("a + 1 in (b, 2,) == true", "(== (in (+ a 1) b 2) true)"),
            ("-a not in (b)", "(not-in (neg a) b)"),
            (
                "child of [a where b] or event of [a where b]",
                "(or (child-of (where \"a\" b)) (event-of (where \"a\" b)))",
            ),
        ],
    );
    queries(
        Dialect::Endgame,
        &[
            (
                "join by k [a where b] [c where d] until [e where f]",
                r#"(join (by k) (step (where "a" b)) (step (where "c" d)) (until (step (where "e" f))))"#,
            ),
            (
                "sequence by f(k) [a where b] [c where d] fork=false [c where d] fork",
                r#"(sequence (by (f k)) (step (where "a" b)) (step (where "c" d) (fork false)) (step (where "c" d) (fork true)))"#,
            ),
            (
                "sequence with maxspan=1s by k, [a where b] by c [d where e] fork by f | tail",
                r#"(sequence (maxspan 1000ms) (by k) (step (where "a" b) (by c)) (step (where "d" e) (by f) (fork true))) (pipe tail)"#,
            ),
            (
                "a where b | unique x y | sort z, | head",
                r#"(where "a" b) (pipe unique x y) (pipe sort z) (pipe head)"#,
            ),
            (
                "a where b | unique x, f(y) | count | filter z > 1",
                r#"(where "a" b) (pipe unique x (f y)) (pipe count) (pipe filter (> z 1))"#,
            ),
        ],
    );
}

#[test]
fn spans_cover_exactly_what_they_name() {
    let source = "sequence by host.id with maxspan = 5 m\n  [process where not a : (\"x\", \"y\")] by b\n ![file where true] by c | head 3";
    let tree = parse(source, Dialect::Elasticsearch).unwrap();
    let Body::Sequence(sequence) = &tree.body else { panic!("not a sequence") };
    assert_eq!(sequence.by[0].span.text(source), "host.id");
    assert_eq!(sequence.maxspan.as_ref().unwrap().span.text(source), "5 m");
    let first = &sequence.steps[0];
    assert_eq!(first.span.text(source), "[process where not a : (\"x\", \"y\")] by b");
    assert_eq!(first.close.text(source), "]");
    assert_eq!(first.filter.span.text(source), "process where not a : (\"x\", \"y\")");
    assert_eq!(first.filter.category.span.text(source), "process");
    let ExprKind::Not(inner) = &first.filter.condition.kind else { panic!("not a not") };
    assert_eq!(inner.span.text(source), "a : (\"x\", \"y\")");
    let ExprKind::Match { patterns, list_span, .. } = &inner.kind else { panic!("not a match") };
    assert_eq!(list_span.text(source), "(\"x\", \"y\")");
    assert_eq!(patterns[1].span.text(source), "\"y\"");
    assert_eq!(sequence.steps[1].span.text(source), "![file where true] by c");
    assert_eq!(tree.pipes[0].span.text(source), "| head 3");
    assert_eq!(tree.pipes[0].count(), Some(3));
}
