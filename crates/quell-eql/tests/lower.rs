//! Lowering: which predicate each leaf becomes, and how names and types are refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use quell_eql::{Dialect, Options, compile, limits, lower, parse};
use quell_ir::codes::Area;
use quell_ir::diagnostic::near_names;
use quell_ir::expr::Expr;
use quell_ir::logic::{Join, Logic, Pipe, Sharding};
use quell_ir::schema::NoSchema;
use quell_ir::{
    Case, Code, Condition, Diagnostic, FieldInfo, FieldRef, FieldType, Predicate, Schema, Scope, Severity,
    Value,
};
use std::time::Duration;

/// One field of each type.
struct Small;

const FIELDS: &[(&str, FieldType)] = &[
    ("k", FieldType::Keyword),
    ("k2", FieldType::Keyword),
    ("n", FieldType::Integer),
    ("n2", FieldType::Integer),
    ("f", FieldType::Float),
    ("b", FieldType::Boolean),
    ("d", FieldType::Date),
    ("ip", FieldType::Ip),
    ("v", FieldType::Version),
    ("text", FieldType::Text),
    ("object", FieldType::Object),
    ("object.name", FieldType::Keyword),
    ("nested", FieldType::Nested),
    ("nested.name", FieldType::Keyword),
    ("geo", FieldType::Unsupported),
    ("stack", FieldType::Object),
    ("stack.symbol", FieldType::Keyword),
    ("stack.size", FieldType::Integer),
    ("event.category", FieldType::Keyword),
    ("process.name", FieldType::Keyword),
    ("process.pid", FieldType::Integer),
    ("process.parent", FieldType::Object),
    ("message", FieldType::Text),
    ("user.id", FieldType::Keyword),
    ("user.name", FieldType::Keyword),
    ("source.ip", FieldType::Ip),
    ("process.command_line", FieldType::Keyword),
];

impl Schema for Small {
    fn field(&self, path: &str) -> Option<FieldInfo> {
        FIELDS.iter().find(|(name, _)| *name == path).map(|(_, kind)| FieldInfo { kind: *kind, array: false })
    }

    fn near(&self, path: &str) -> Vec<String> {
        near_names(path, FIELDS.iter().map(|(name, _)| *name)).into_iter().map(str::to_owned).collect()
    }

    fn name(&self) -> &str {
        "Small 1"
    }
}

fn condition(source: &str, options: &Options<'_>) -> Condition {
    let query = format!("any where {source}");
    let compiled = compile(&query, options).unwrap_or_else(|found| panic!("{query}: {found:#?}"));
    let Logic::Event(filter) = compiled.query.logic else { panic!("{query}") };
    filter.condition
}

/// A condition in few words.
fn show(condition: &Condition) -> String {
    let list = |parts: &[Condition]| parts.iter().map(show).collect::<Vec<_>>().join(" ");
    match condition {
        Condition::Constant(b) => b.to_string(),
        Condition::And(parts) => format!("and({})", list(parts)),
        Condition::Or(parts) => format!("or({})", list(parts)),
        Condition::Not(inner) => format!("not({})", show(inner)),
        Condition::Leaf(leaf) => show_predicate(&leaf.predicate),
    }
}

fn name(field: &FieldRef) -> String {
    match field.scope {
        Scope::Event => field.path.to_string(),
        Scope::Step(n) => format!("step{n}.{}", field.path),
        Scope::Element(n) => format!("element{n}.{}", field.path),
    }
}

fn value(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Boolean(b) => b.to_string(),
        Value::Integer(n) => n.to_string(),
        Value::Unsigned(n) => format!("{n}u"),
        Value::Float(n) => format!("{n:?}"),
        Value::Text(text) => format!("'{text}'"),
    }
}

fn show_predicate(predicate: &Predicate) -> String {
    let tilde = |case: &Case| if *case == Case::Folded { "~" } else { "" };
    match predicate {
        Predicate::Exists(field) => format!("exists({})", name(field)),
        Predicate::Keyword { field, values, case } => {
            format!("keyword{}({}: {})", tilde(case), name(field), values.join("|"))
        }
        Predicate::Wildcard { field, patterns, case } => {
            let patterns: Vec<String> = patterns.iter().map(ToString::to_string).collect();
            format!("wildcard{}({}: {})", tilde(case), name(field), patterns.join("|"))
        }
        Predicate::Regex { field, patterns, case } => {
            let patterns: Vec<&str> = patterns.iter().map(|pattern| pattern.source()).collect();
            format!("regex{}({}: {})", tilde(case), name(field), patterns.join(" | "))
        }
        Predicate::TextOrder { field, op, value } => format!("text({} {} {value})", name(field), op.as_str()),
        Predicate::Number { field, op, value: v } => {
            format!("number({} {} {})", name(field), op.as_str(), value(v))
        }
        Predicate::Date { field, from, to } => {
            let instant = |n: &i64| match *n {
                i64::MIN => "-".to_owned(),
                i64::MAX => "-".to_owned(),
                n => (n / 1_000_000).to_string(),
            };
            format!("date({}: {}..{})", name(field), instant(from), instant(to))
        }
        Predicate::Ip { field, blocks } => {
            let blocks: Vec<String> = blocks.iter().map(ToString::to_string).collect();
            format!("ip({}: {})", name(field), blocks.join("|"))
        }
        Predicate::IpOrder { field, op, value } => format!("ip({} {} {value})", name(field), op.as_str()),
        Predicate::Version { field, op, value } => {
            format!("version({} {} {value})", name(field), op.as_str())
        }
        Predicate::Boolean { field, value } => format!("boolean({}: {value})", name(field)),
        Predicate::Dynamic { field, op, value: v } => {
            format!("dynamic({} {} {})", name(field), op.as_str(), value(v))
        }
        Predicate::Object { field, condition } => format!("object({}: {})", name(field), show(condition)),
        Predicate::Lineage { relation, filter } => {
            let category = filter.category.as_ref().map_or("any", |category| &*category.value);
            format!("lineage({relation:?} {category}: {})", show(&filter.condition)).to_lowercase()
        }
        Predicate::Expr(expr) => format!("expr({})", show_expr(expr)),
        other => panic!("EQL has no {other:?}"),
    }
}

fn show_expr(expr: &Expr) -> String {
    let list = |parts: &[Expr]| parts.iter().map(show_expr).collect::<Vec<_>>().join(", ");
    match expr {
        Expr::Constant(v) => value(v),
        Expr::Field(field) => name(field),
        Expr::Call { function, case, arguments } => {
            format!("{}{}({})", function.name, if *case == Case::Folded { "~" } else { "" }, list(arguments))
        }
        Expr::Arithmetic(op, left, right) => {
            format!("{op:?}({}, {})", show_expr(left), show_expr(right)).to_lowercase()
        }
        Expr::Negative(inner) => format!("-{}", show_expr(inner)),
        Expr::Compare(op, left, right) => format!("{} {} {}", show_expr(left), op.as_str(), show_expr(right)),
        Expr::IsNull(inner) => format!("null?({})", show_expr(inner)),
        Expr::In { operand, values, .. } => {
            format!("{} in {}", show_expr(operand), values.iter().map(value).collect::<Vec<_>>().join("|"))
        }
        Expr::Like { operand, patterns, .. } => {
            format!(
                "{} like {}",
                show_expr(operand),
                patterns.iter().map(ToString::to_string).collect::<Vec<_>>().join("|")
            )
        }
        Expr::Regex { operand, patterns, .. } => {
            format!(
                "{} regex {}",
                show_expr(operand),
                patterns.iter().map(|pattern| pattern.source()).collect::<Vec<_>>().join("|")
            )
        }
        Expr::And(parts) => format!("and({})", list(parts)),
        Expr::Or(parts) => format!("or({})", list(parts)),
        Expr::Not(inner) => format!("not({})", show_expr(inner)),
        Expr::Whole(field) => name(field),
        Expr::Element(field, at) => format!("{}[{at}]", name(field)),
        Expr::Length { field, list } => {
            format!("length{}({})", if *list { " of list" } else { "" }, name(field))
        }
        Expr::Contains { field, values } => format!("{} contains {}", name(field), list(values)),
        Expr::Count { field, condition } => format!("count({}: {})", name(field), show(condition)),
        Expr::Same(op, left, right) => format!("{} {}~ {}", show_expr(left), op.as_str(), show_expr(right)),
        Expr::SameAsOne { operand, values } => {
            format!("{} in~ {}", show_expr(operand), values.iter().map(value).collect::<Vec<_>>().join("|"))
        }
        Expr::Text(inner) => show_expr(inner),
    }
}

#[test]
fn leaves_become_the_plainest_predicate_of_their_type() {
    let cases = [
        // exact text
        (r#"k == "a""#, "keyword(k: a)"),
        (r#""a" == k"#, "keyword(k: a)"),
        (r#"k != "a""#, "not(keyword(k: a))"),
        ("k == 7", "keyword(k: 7)"),
        ("k == 7.5", "keyword(k: 7.5)"),
        ("k == true", "keyword(k: true)"),
        (r#"k < "b""#, "text(k < b)"),
        (r#""b" <= k"#, "text(k >= b)"),
        (r#"k == "a*""#, "keyword(k: a*)"),
        (r#"k in ("b", "a", "b")"#, "keyword(k: a|b)"),
        (r#"k not in ("b", "a")"#, "not(keyword(k: a|b))"),
        (r#"k in~ ("B*", "a", "b*")"#, "keyword~(k: a|b*)"),
        (r#"k not in~ ("B")"#, "not(keyword~(k: b))"),
        (r#"k in ("a", null)"#, "keyword(k: a)"),
        (r#"k == concat("a", 1 + 1)"#, "keyword(k: a2)"),
        // patterns
        (r#"k : "CMD.exe""#, "keyword~(k: cmd.exe)"),
        (r#"k : "É""#, "keyword~(k: é)"),
        (r#"k like "CMD.exe""#, "keyword(k: CMD.exe)"),
        (r#"k like~ "CMD.exe""#, "keyword~(k: cmd.exe)"),
        (r#"k : ("b*", "A", "?c", "b**")"#, "or(keyword~(k: a) wildcard~(k: b*|?c))"),
        (r#"k like "a*""#, "wildcard(k: a*)"),
        (r#"not k : "a*""#, "not(wildcard~(k: a*))"),
        (r#"k : "*""#, "exists(k)"),
        (r#"k like ("a", "**")"#, "exists(k)"),
        (r#"k regex "ab\\.c""#, "keyword(k: ab.c)"),
        (r#"k regex~ "AB""#, "keyword~(k: ab)"),
        (r#"k regex ".*""#, "exists(k)"),
        (r#"k regex ("a+", "b", "@")"#, "exists(k)"),
        (r#"k regex~ ("a+", "B")"#, "or(keyword~(k: b) regex~(k: a+))"),
        // presence
        ("k == null", "not(exists(k))"),
        ("null == k", "not(exists(k))"),
        ("k != null", "exists(k)"),
        ("not k != null", "not(exists(k))"),
        ("n == null", "not(exists(n))"),
        // numbers
        ("n == 3", "number(n == 3)"),
        ("n == 3.0", "number(n == 3)"),
        ("n == 3.5", "number(n == 3.5)"),
        (r#"n == "3""#, "number(n == 3)"),
        ("n > -3", "number(n > -3)"),
        ("4 < n", "number(n > 4)"),
        ("n >= 18446744073709551615", "number(n >= 18446744073709551615u)"),
        ("n == -9223372036854775808", "number(n == -9223372036854775808)"),
        ("f <= 1.5", "number(f <= 1.5)"),
        ("n in (3, 4, 3)", "or(number(n == 3) number(n == 4))"),
        ("n not in (3, 4)", "not(or(number(n == 3) number(n == 4)))"),
        ("n != 3", "not(number(n == 3))"),
        // booleans
        ("b", "boolean(b: true)"),
        ("not b", "not(boolean(b: true))"),
        ("b == true", "boolean(b: true)"),
        ("b == false", "boolean(b: false)"),
        ("b != true", "not(boolean(b: true))"),
        (r#"b == "false""#, "boolean(b: false)"),
        ("b in (true, false)", "or(boolean(b: true) boolean(b: false))"),
        // dates: what is left out is filled
        (r#"d == "2024-05-01""#, "date(d: 1714521600000..1714607999999)"),
        (r#"d == "2024-05-01T12:00:00.250Z""#, "date(d: 1714564800250..1714564800250)"),
        (r#"d >= "2024-05-01""#, "date(d: 1714521600000..-)"),
        (r#"d > "2024-05-01""#, "date(d: 1714608000000..-)"),
        (r#"d <= "2024-05-01""#, "date(d: -..1714607999999)"),
        (r#"d < "2024-05-01""#, "date(d: -..1714521599999)"),
        ("d == 1714564800250", "date(d: 1714564800250..1714564800250)"),
        (r#"d in ("2024-05-01", 5)"#, "or(date(d: 1714521600000..1714607999999) date(d: 5..5))"),
        // addresses
        (r#"ip == "::1""#, "ip(ip: ::1/128)"),
        (r#"ip == "10.1.2.3/8""#, "ip(ip: 10.0.0.0/8)"),
        (r#"ip != "::1""#, "not(ip(ip: ::1/128))"),
        (r#"ip in ("::1", "127.0.0.1")"#, "ip(ip: 127.0.0.1/32|::1/128)"),
        (r#"ip > "10.0.0.9""#, "ip(ip > 10.0.0.9)"),
        (r#"cidrMatch(ip, "10.0.0.0/8", "::1")"#, "ip(ip: 10.0.0.0/8|::1/128)"),
        (r#"not CIDRMATCH(ip, "10.0.0.0/8")"#, "not(ip(ip: 10.0.0.0/8))"),
        // versions
        (r#"v >= "1.2""#, "version(v >= 1.2)"),
        // functions on a field
        (r#"startsWith(k, "a*")"#, "wildcard(k: a**)"),
        (r#"endswith~(k, "A")"#, "wildcard~(k: *A)"),
        (r#"stringContains(k, "a")"#, "wildcard(k: *a*)"),
        (r#"stringContains(k, "")"#, "false"),
        (r#"not stringContains(k, "")"#, "true"),
        (r#"endsWith(k, "")"#, "exists(k)"),
        (r#"wildcard~(k, "a*", "B")"#, "or(keyword~(k: b) wildcard~(k: a*))"),
        (r#"startsWith~(k, substring(k2, 0, -1))"#, "expr(startsWith~(k, substring(k2, 0, -1)))"),
        (r#"length(k) > 3"#, "expr(length(k) > 3)"),
        (r#"3 < length(k)"#, "expr(length(k) > 3)"),
        (r#"length(k) != 3"#, "not(expr(length(k) == 3))"),
        (r#"length(k) == null"#, "expr(null?(length(k)))"),
        (r#"length(k) != null"#, "not(expr(null?(length(k))))"),
        (r#"length(k) in (1, 2)"#, "expr(length(k) in 1|2)"),
        (r#"substring(k, 5) like "a*""#, "expr(substring(k, 5) like a*)"),
        (r#"substring(k, 5) regex "a+""#, "expr(substring(k, 5) regex a+)"),
        (r#"concat(k, n) == "x7""#, "expr(concat(k, n) == 'x7')"),
        ("n + n2 > 10", "expr(add(n, n2) > 10)"),
        ("-n == 3", "expr(-n == 3)"),
        ("n > 1 + 2 * 3", "number(n > 7)"),
        // constants of truth
        (r#"startsWith(k, "a") == false"#, "not(wildcard(k: a*))"),
        (r#"startsWith(k, "a") != false"#, "wildcard(k: a*)"),
        (r#"true == startsWith(k, "a")"#, "wildcard(k: a*)"),
        ("(n > 1) == false", "not(number(n > 1))"),
        ("(n not in (1)) != true", "number(n == 1)"),
        (r#"(k : "a*") == true"#, "wildcard~(k: a*)"),
        ("(n > 1) == null", "expr(null?(n > 1))"),
        ("null == (n > 1)", "expr(null?(n > 1))"),
        ("(not n == 1) == null", "expr(null?(not(n == 1)))"),
        ("(n == 1 and b) == null", "expr(null?(and(n == 1, b)))"),
        // constants
        ("true", "true"),
        ("not true", "false"),
        ("1 + 1 == 2", "true"),
        (r#""a" < "b" and k == "a""#, "keyword(k: a)"),
        ("null == null", "true"),
        ("null != null", "false"),
        (r#""a" == null"#, "false"),
        (r#""a" != null"#, "true"),
        ("1 > null", "false"),
        ("not 1 > null", "false"),
        ("n > null", "false"),
        ("not n > null", "false"),
        ("null", "false"),
        ("not null", "false"),
        (r#"not startsWith(k, null)"#, "false"),
        ("not length(null) > 3", "false"),
        (r#"n > null or k == "a""#, "keyword(k: a)"),
        ("k in (null)", "false"),
        ("n == 1 / 0", "not(exists(n))"),
        // the tree
        (
            r#"k == "a" and (n == 1 or n == 2) and not b"#,
            "and(keyword(k: a) or(number(n == 1) number(n == 2)) not(boolean(b: true)))",
        ),
        (r#"?k == "a""#, "keyword(k: a)"),
        (r#"?absent == "a""#, "keyword(absent: a)"),
        (r#"?absent != null"#, "exists(absent)"),
        ("`object.name` == \"a\"", "keyword(object.name: a)"),
    ];
    for (source, expected) in cases {
        assert_eq!(show(&condition(source, &Options::new(&Small))), expected, "{source}");
    }
}

#[test]
fn without_a_schema_the_constant_decides() {
    let cases = [
        (r#"x == "abc""#, "keyword(x: abc)"),
        (r#"x == "7""#, "dynamic(x == '7')"),
        (r#"x == "::1""#, "dynamic(x == '::1')"),
        (r#"x == "true""#, "dynamic(x == 'true')"),
        ("x == 7", "dynamic(x == 7)"),
        ("x != 7", "not(dynamic(x == 7))"),
        ("x == true", "boolean(x: true)"),
        ("x", "boolean(x: true)"),
        (r#"x < "b""#, "dynamic(x < 'b')"),
        (r#"x in ("b", 7, "a", 7)"#, "or(keyword(x: a|b) dynamic(x == 7))"),
        (r#"x : "7""#, "keyword~(x: 7)"),
        (r#"x : "a*""#, "wildcard~(x: a*)"),
        (r#"cidrMatch(x, "10.0.0.0/8")"#, "ip(x: 10.0.0.0/8)"),
        (r#"startsWith(x, "a")"#, "wildcard(x: a*)"),
        ("x + 1 > 2", "expr(add(x, 1) > 2)"),
        ("x == null", "not(exists(x))"),
    ];
    for (source, expected) in cases {
        assert_eq!(show(&condition(source, &Options::new(&NoSchema))), expected, "{source}");
    }
}

#[test]
fn the_strict_way_is_elasticsearchs() {
    let strict = Options { strict_elasticsearch: true, ..Options::new(&Small) };
    let cases = [
        (r#"stringContains(k, "a*b")"#, "wildcard(k: *a*b*)"),
        (r#"endsWith(k, "a?")"#, "wildcard(k: *a?)"),
        (r#"startsWith(k, "a*")"#, "wildcard(k: a**)"),
        (r#"stringContains(k, "")"#, "exists(k)"),
        ("?absent == null", "true"),
        ("?absent != null", "false"),
        (r#"?absent == "a""#, "false"),
        (r#"?absent != "a""#, "true"),
        (r#"not ?absent : "a""#, "false"),
        ("not ?absent > 1", "false"),
        ("?absent == ?missing", "true"),
        ("?absent == k", "not(exists(k))"),
    ];
    for (source, expected) in cases {
        assert_eq!(show(&condition(source, &strict)), expected, "{source}");
    }
    let Condition::Leaf(leaf) = condition(r#"k regex~ "[a-c]+""#, &strict) else { panic!() };
    let Predicate::Regex { patterns, .. } = leaf.predicate else { panic!() };
    assert!(patterns[0].matches("abc", Case::Folded) && !patterns[0].matches("ABC", Case::Folded));
}

#[test]
fn the_endpoint_dialect_compares_fields_and_searches_arrays() {
    let endpoint = Options { dialect: Dialect::Endpoint, ..Options::new(&Small) };
    let cases = [
        ("k == k2", "expr(k == k2)"),
        ("k != k2", "not(expr(k == k2))"),
        ("length(k) > length(k2)", "expr(length(k) > length(k2))"),
        ("?k == ?k2", "expr(or(k == k2, and(null?(k), null?(k2))))"),
        ("object != null", "exists(object)"),
        ("k in (1, \"a\")", "keyword(k: 1|a)"),
        (
            r#"_arraysearch(stack, $e, $e.symbol : "a*" and $e.size > 3)"#,
            "object(stack: and(wildcard~(element0.symbol: a*) number(element0.size > 3)))",
        ),
        (r#"not _arraysearch(stack, $e, $e.symbol == k)"#, "not(object(stack: expr(element0.symbol == k)))"),
        (
            r#"_arraysearch(stack, $e, $e.size == 1) == false"#,
            "not(object(stack: number(element0.size == 1)))",
        ),
        (
            r#"_arraysearch(object, $a, _arraysearch(stack, $b, $a.name == "x" and $b.size == 1))"#,
            "object(object: object(stack: and(keyword(element1.name: x) number(element0.size == 1))))",
        ),
        (
            r#"descendant of [process where process.name == "x"]"#,
            "lineage(descendant process: keyword(process.name: x))",
        ),
    ];
    for (source, expected) in cases {
        assert_eq!(show(&condition(source, &endpoint)), expected, "{source}");
    }
}

#[test]
fn sequences_keep_keys_steps_aliases_and_pipes() {
    let source = r#"sequence by k, ?n with maxspan=1m
        [process where process.name == "a"] by v with runs=3
        ![file where true] by v
        [any where k : "x"] by v
        until [process where b] by v
        | tail 10 | head 3"#;
    let query = compile(source, &Options::new(&Small)).unwrap().query;
    assert_eq!(query.pipes, [Pipe::Tail(10), Pipe::Head(3)]);
    let Logic::Sequence(sequence) = query.logic else { panic!() };
    assert_eq!(sequence.maxspan, Some(Duration::from_secs(60)));
    let steps: Vec<(u32, bool, &str)> = sequence
        .steps
        .iter()
        .map(|step| {
            (
                step.runs,
                step.missing,
                step.filter.category.as_ref().map_or("any", |category| &*category.value),
            )
        })
        .collect();
    assert_eq!(steps, [(3, false, "process"), (1, true, "file"), (1, false, "any")]);
    for step in sequence.steps.iter().chain(&sequence.until) {
        let keys: Vec<(&str, bool)> = step.by.iter().map(|key| (&*key.field.path, key.optional)).collect();
        assert_eq!(keys, [("k", false), ("n", true), ("v", false)]);
    }
    assert_eq!(show(&sequence.until.unwrap().filter.condition), "boolean(b: true)");

    let source = r#"sequence [process where k == "a"] as one [process where k == one.k and one.n > 3 and as.k == two.k] as two"#;
    let query =
        compile(source, &Options { dialect: Dialect::Endpoint, ..Options::new(&NoSchema) }).unwrap().query;
    let Logic::Sequence(sequence) = query.logic else { panic!() };
    assert_eq!(sequence.steps[0].alias.as_deref(), Some("one"));
    let second = &sequence.steps[1].filter.condition;
    assert_eq!(show(second), "and(expr(k == step0.k) dynamic(step0.n > 3) expr(as.k == k))");
    let mut deferred = Vec::new();
    second.each_leaf(&mut |leaf| deferred.push(leaf.predicate.is_deferred()));
    assert_eq!(deferred, [true, true, false]);

    let query = compile("sample by k [process where b] [file where b]", &Options::new(&Small)).unwrap().query;
    let Logic::Sample(steps) = query.logic else { panic!() };
    assert_eq!(steps.len(), 2);
    assert_eq!(&*steps[1].by[0].field.path, "k");
}

#[test]
fn the_category_is_a_test_of_its_field() {
    let filter = |source: &str, field| {
        let options = Options { event_category_field: field, ..Options::new(&Small) };
        let Logic::Event(filter) = compile(source, &options).unwrap().query.logic else { panic!() };
        filter.category.map(|category| (category.field, category.value))
    };
    assert_eq!(filter("any where true", None), None);
    let (field, value) = filter("process where true", None).unwrap();
    assert_eq!((&*field.path, field.kind, &*value), ("event.category", FieldType::Keyword, "process"));
    let (field, value) = filter(r#""any" where true"#, Some("kind")).unwrap();
    assert_eq!((&*field.path, &*value), ("kind", "any"));
}

fn findings(source: &str, options: &Options<'_>) -> Vec<Diagnostic> {
    match compile(source, options) {
        Ok(compiled) => compiled.warnings,
        Err(findings) => findings,
    }
}

#[test]
fn refusals_name_code_place_and_remedy() {
    // source, code, text of the span, part of the message, part of the help
    let cases = [
        (
            "any where process.comand_line == \"a\"",
            "W0201",
            "process.comand_line",
            "unknown field `process.comand_line`",
            "did you mean `process.command_line`? write `?process.comand_line`",
        ),
        ("any where zzzzzz == \"a\"", "W0201", "zzzzzz", "unknown field", "write `?zzzzzz`"),
        ("any where n == \"abc\"", "W0202", "\"abc\"", "cannot be read as a long", "correct"),
        (
            "any where n in (1, true)",
            "E0213",
            "true",
            "second member of the list must be a long, `true` is a boolean",
            "`n` is a long",
        ),
        ("any where b == 1", "W0202", "1", "cannot be read as a boolean", ""),
        ("any where d > \"now-1d\"", "W0202", "\"now-1d\"", "cannot be read as a date", "relative dates"),
        ("any where ip == \"x\"", "W0202", "\"x\"", "cannot be read as an ip", "block"),
        ("any where ip > \"10.0.0.0/8\"", "W0202", "\"10.0.0.0/8\"", "an ip", "one address"),
        ("any where v > 1", "W0202", "1", "a version", ""),
        ("any where text == \"a\"", "E0203", "text", "analysed text", "KQL"),
        ("any where object == null", "E0204", "object", "is an object", "`object.…`"),
        ("any where nested : \"a\"", "E0204", "nested", "nested object", "KQL"),
        ("any where nested.name : \"a\"", "E0204", "nested.name", "within one", "KQL"),
        ("any where geo != null", "E0204", "geo", "no condition can use", ""),
        ("any where b and k", "E0205", "k", "must be boolean, `k` is a keyword", "`k != null`"),
        ("any where length(k)", "E0205", "length(k)", "is a long", "compare it"),
        ("any where not 4", "E0205", "4", "is a long", ""),
        ("any where \"a\"", "E0205", "\"a\"", "is a keyword", ""),
        ("any where n + 1", "E0205", "n + 1", "is a long", ""),
        ("any where (n and b) == null", "E0205", "n", "is a long", ""),
        (
            "any where n : \"4\"",
            "E0206",
            "n",
            "`:` needs a string on its left, `n` is a long",
            "`n == \"4\"`",
        ),
        ("any where n : (\"4\", \"5\")", "E0206", "n", "is a long", "`n in (\"4\", \"5\")`"),
        ("any where b like \"t*\"", "E0206", "b", "`like` needs a string", ""),
        ("any where ip : \"10.*\"", "E0206", "ip", "is an ip", "cidrMatch(ip, …)"),
        ("any where d regex \"2.*\"", "E0206", "d", "`regex`", ""),
        ("any where n in~ (\"a\")", "E0206", "n", "`in~`", "`n in (\"a\")`"),
        ("any where k : 4", "E0207", "4", "must be a string, `4` is a long", "`\"4\"`"),
        ("any where k : (\"a\", null)", "E0207", "null", "is null", "== null"),
        (
            "any where k in~ (\"a\", 4)",
            "E0213",
            "4",
            "second member of the list must be a keyword",
            "`\"4\"`",
        ),
        (
            "any where stringContain(k, \"a\")",
            "E0208",
            "stringContain",
            "unknown function",
            "did you mean `stringContains`?",
        ),
        ("any where match(k, \"a\")", "E0208", "match", "unknown function", "regex~"),
        ("any where zzzzzz(k)", "E0208", "zzzzzz", "unknown function", "the functions are add,"),
        ("any where length~(k) > 1", "E0209", "length~", "no form that ignores case", "without the `~`"),
        ("any where cidrMatch~(ip, \"::1\")", "E0209", "cidrMatch~", "no form", ""),
        (
            "any where startsWith(k)",
            "E0210",
            "startsWith(k)",
            "takes 2 arguments, not 1",
            "startsWith(source, part)",
        ),
        (
            "any where length(k, k2, \"a\") > 1",
            "E0210",
            "k2, \"a\"",
            "takes 1 argument, not 3",
            "length(string)",
        ),
        ("any where cidrMatch(ip)", "E0210", "cidrMatch(ip)", "at least 2 arguments", "block, …"),
        ("any where concat() == \"a\"", "E0210", "concat()", "at least 1 argument, not 0", ""),
        (
            "any where length(n) > 3",
            "E0211",
            "n",
            "first argument of `length` must be a string, `n` is a long",
            "`string(n)`",
        ),
        ("any where cidrMatch(k, \"::1\")", "E0211", "k", "must be an ip, `k` is a keyword", ""),
        ("any where add(k, 1) == 2", "E0211", "k", "must be a number", "`number(k)`"),
        (
            "any where substring(k, 1.5) == \"a\"",
            "E0211",
            "1.5",
            "second argument of `substring` must be an integer, `1.5` is a double",
            "",
        ),
        (
            "any where between(k, \"a\", \"b\", \"c\") == \"a\"",
            "E0211",
            "\"c\"",
            "fourth argument of `between` must be a boolean",
            "",
        ),
        ("any where number(n) == 3", "E0211", "n", "must be a string", ""),
        ("any where k in (k2, \"a\")", "E0212", "k2", "a member of a list must be a constant", ""),
        ("any where cidrMatch(ip, k)", "E0212", "k", "second argument of `cidrMatch` must be a constant", ""),
        (
            "any where wildcard(k, \"a\", k2)",
            "E0212",
            "k2",
            "third argument of `wildcard` must be a constant",
            "",
        ),
        ("any where number(k, n) == 3", "E0212", "n", "must be a constant", ""),
        (
            "any where k in (\"a\", 4)",
            "E0213",
            "4",
            "second member of the list must be a keyword, `4` is a long",
            "`\"4\"`",
        ),
        ("any where k == k2", "E0214", "k2", "comparison against the field `k2`", "endpoint"),
        ("any where length(k) > length(k2)", "E0214", "length(k2)", "comparison against the field `k2`", ""),
        ("any where k regex \"a(b\"", "E0215", "(", "not closed", "Lucene"),
        ("any where k regex \"\"\"a\\d~\"\"\"", "E0215", "~", "complement", ""),
        ("any where k regex \"\\\\d~\"", "E0215", "\"\\\\d~\"", "complement", ""),
        (
            "any where k regex \"(((a{1000}){1000}){1000})\"",
            "E0215",
            "\"(((a{1000}){1000}){1000})\"",
            "too large",
            "",
        ),
        (
            "any where cidrMatch(ip, \"::1\", \"10.0.0.0/33\")",
            "E0216",
            "\"10.0.0.0/33\"",
            "no address block",
            "10.0.0.0/8",
        ),
        ("any where k + 1 == 2", "E0217", "k", "arithmetic needs numbers, `k` is a keyword", "number("),
        ("any where -d == 2", "E0217", "d", "is a date", ""),
        (
            "sequence [any where b] by k [any where b] by n",
            "E0218",
            "n",
            "the join key `n` is a long, `k` at its place in another step is a keyword",
            "one type",
        ),
        (
            "sequence by k [any where b] [any where b] until [any where text == \"a\"]",
            "E0203",
            "text",
            "",
            "",
        ),
        (
            "sequence [any where b] by k [any where b] by k2 until [any where b] by d",
            "E0218",
            "d",
            "is a date",
            "",
        ),
    ];
    for (source, code, place, message, help) in cases {
        let found = findings(source, &Options::new(&Small));
        assert_eq!(found.len(), 1, "{source}: {found:#?}");
        let finding = &found[0];
        assert_eq!(finding.code.as_str(), code, "{source}: {finding:?}");
        assert_eq!(finding.span.unwrap().text(source), place, "{source}: {finding:?}");
        assert!(finding.message.contains(message), "{source}: {}", finding.message);
        let shown = finding.help.as_deref().expect("a help line");
        assert!(shown.contains(help), "{source}: {shown}");
        assert_eq!(finding.is_error(), code.starts_with('E'), "{source}");
    }
}

#[test]
fn the_endpoint_dialect_has_refusals_of_its_own() {
    let cases = [
        ("sequence [any where k == two.k] as one [any where b] as two", "E0219", "two.k", "later step"),
        (
            "any where concat(_arraysearch(stack, $e, $e.size == 1)) == \"true\"",
            "E0220",
            "_arraysearch(stack, $e, $e.size == 1)",
            "no value",
        ),
        (
            "any where (descendant of [any where b]) == null",
            "E0220",
            "descendant of [any where b]",
            "no value",
        ),
        ("any where _arraysearch(stack, $e, $e.size)", "E0205", "$e.size", "is a long"),
        ("any where _arraysearch(stack, $e, $e.sise == 1)", "W0201", "$e.sise", "unknown field"),
    ];
    for (source, code, place, message) in cases {
        let found = findings(source, &Options { dialect: Dialect::Endpoint, ..Options::new(&Small) });
        let found: Vec<&Diagnostic> = found.iter().filter(|finding| finding.code.as_str() == code).collect();
        assert_eq!(found.len(), 1, "{source}");
        assert_eq!(found[0].span.unwrap().text(source), place, "{source}");
        assert!(found[0].message.contains(message), "{source}: {}", found[0].message);
    }
}

fn endgame(schema: &dyn Schema) -> Options<'_> {
    Options { dialect: Dialect::Endgame, ..Options::new(schema) }
}

/// What a condition becomes that is wanted true, and `not` of it.
#[test]
fn leaves_of_the_endgame_dialect_are_plain_where_types_are_known() {
    let cases = [
        (r#"k == "CMD.exe""#, "keyword~(k: cmd.exe)", "and(exists(k) not(keyword~(k: cmd.exe)))"),
        (r#"k != "a""#, "and(exists(k) not(keyword~(k: a)))", "keyword~(k: a)"),
        (r#"k in ("B", "a", "b")"#, "keyword~(k: a|b)", "and(exists(k) not(keyword~(k: a|b)))"),
        (r#"k == "a*?""#, "wildcard~(k: a*?)", "and(exists(k) not(wildcard~(k: a*?)))"),
        ("n > 4", "number(n > 4)", "number(n <= 4)"),
        ("n == 4", "number(n == 4)", "or(number(n < 4) number(n > 4))"),
        ("b", "boolean(b: true)", "boolean(b: false)"),
        ("b == false", "boolean(b: false)", "boolean(b: true)"),
        ("k == null", "not(exists(k))", "exists(k)"),
        (r#"ip == "10.0.0.1""#, "ip(ip: 10.0.0.1/32)", "and(exists(ip) not(ip(ip: 10.0.0.1/32)))"),
        (r#"startsWith(k, "a")"#, "wildcard~(k: a*)", "and(exists(k) not(wildcard~(k: a*)))"),
        (r#"stringContains(k, "a")"#, "wildcard~(k: *a*)", "not(wildcard~(k: *a*))"),
        (r#"arrayContains(k, "a", "B")"#, "keyword~(k: a|b)", "and(exists(k) not(keyword~(k: a|b)))"),
        (r#"k < "a""#, "expr(k <~ 'a')", "expr(not(k <~ 'a'))"),
        ("k == k2", "expr(k ==~ k2)", "expr(not(k ==~ k2))"),
        ("n / 2 == 1", "expr(divide~(n, 2) ==~ 1)", "expr(not(divide~(n, 2) ==~ 1))"),
        (r#"k == number("x") or b"#, "boolean(b: true)", "false"),
        (
            "not (b and not n > 4)",
            "or(boolean(b: false) number(n > 4))",
            "and(boolean(b: true) number(n <= 4))",
        ),
        ("safe(n > 4) == false", "number(n <= 4)", "number(n > 4)"),
        (
            r#"arraySearch(stack, x, x.symbol == "A")"#,
            "object(stack: and(keyword~(element0.symbol: a) expr(element0.symbol ==~ 'A')))",
            "not(object(stack: and(keyword~(element0.symbol: a) expr(element0.symbol ==~ 'A'))))",
        ),
    ];
    for (source, yes, no) in cases {
        assert_eq!(show(&condition(source, &endgame(&Small))), yes, "{source}");
        assert_eq!(show(&condition(&format!("not ({source})"), &endgame(&Small))), no, "not {source}");
    }
}

/// Where no schema says that a field is single, the plain predicate stands in front of the exact test.
#[test]
fn leaves_of_the_endgame_dialect_are_exact_where_types_are_unknown() {
    let cases = [
        (r#"x == "A""#, "and(keyword~(x: a) expr(x ==~ 'A'))", "and(exists(x) expr(not(x ==~ 'A')))"),
        ("x > 4", "and(dynamic(x > 4) expr(x >~ 4))", "and(exists(x) expr(not(x >~ 4)))"),
        (r#"x == "a*""#, "and(wildcard~(x: a*) expr(x like a*))", "and(exists(x) expr(not(x like a*)))"),
        ("x[1] == 4", "expr(x[1] ==~ 4)", "expr(not(x[1] ==~ 4))"),
        ("length(x) > 1", "expr(length(x) >~ 1)", "expr(not(length(x) >~ 1))"),
        (
            r#"match(x, "a.b")"#,
            "and(regex~(x: a.b) expr(x regex a.b))",
            "and(exists(x) expr(not(x regex a.b)))",
        ),
        (
            r#"stringContains(x, "a")"#,
            "and(wildcard~(x: *a*) expr(stringContains~(x, 'a')))",
            "expr(not(stringContains~(x, 'a')))",
        ),
        (
            "arrayCount(x, e, e > 1) == 2",
            "expr(count(x: and(dynamic(element0. > 1) expr(element0. >~ 1))) ==~ 2)",
            "expr(not(count(x: and(dynamic(element0. > 1) expr(element0. >~ 1))) ==~ 2))",
        ),
    ];
    for (source, yes, no) in cases {
        assert_eq!(show(&condition(source, &endgame(&NoSchema))), yes, "{source}");
        assert_eq!(show(&condition(&format!("not ({source})"), &endgame(&NoSchema))), no, "not {source}");
    }
}

#[test]
fn what_the_endgame_dialect_joins_and_pipes() {
    let query = |source: &str| compile(source, &endgame(&NoSchema)).unwrap().query;
    let sequence = query(
        "sequence by a with maxspan=2s [p where b] by c [q where d] fork by c [q where d] fork=false by c until [r where e] by c",
    );
    let Logic::Sequence(sequence) = sequence.logic else { panic!() };
    assert!(sequence.until_first && sequence.until.is_some());
    assert_eq!(sequence.steps.iter().map(|step| step.fork).collect::<Vec<_>>(), [false, true, false]);
    let keys: Vec<_> =
        sequence.steps[1].by.iter().map(|key| (&*key.field.path, key.optional, key.case)).collect();
    assert_eq!(keys, [("a", true, Case::Folded), ("c", true, Case::Folded)]);
    let join = query("join by a [p where b] [q where d] until [r where e]");
    let Logic::Join(Join { steps, until }) = &join.logic else { panic!() };
    assert!(steps.len() == 2 && until.is_some());
    assert_eq!(join.sharding(), Sharding::SingleLane);
    let piped = query(
        "join by a [p where b] [q where d] | filter events[1].x == 'A' and events[0].y == y | sort x, length(y) | unique x | unique_count z | count events[1].w | filter count > 2 | head",
    );
    let step = |path: &str| {
        Expr::Whole(FieldRef { scope: Scope::Step(1), path: path.into(), kind: FieldType::Unknown })
    };
    let first = |path: &str| Expr::Whole(FieldRef::event(path, FieldType::Unknown));
    let [filter, sort, unique, unique_count, count, of_count, head] = piped.pipes.as_slice() else {
        panic!()
    };
    let Pipe::Filter(filter) = filter else { panic!() };
    assert_eq!(show(filter), "and(keyword~(step1.x: a) expr(step1.x ==~ 'A') expr(y ==~ y))");
    let Pipe::Sort(keys) = sort else { panic!() };
    assert_eq!(keys.len(), 2);
    assert_eq!(*unique, Pipe::Unique(vec![first("x")]));
    assert_eq!(*unique_count, Pipe::UniqueCount(vec![first("z")]));
    assert_eq!(*count, Pipe::Count(vec![step("w")]));
    let Pipe::Filter(of_count) = of_count else { panic!() };
    assert_eq!(show(of_count), "and(dynamic(count > 2) expr(count >~ 2))");
    assert_eq!(*head, Pipe::Head(50));
    let fields = piped.fields();
    assert!(
        ["x", "y", "z", "w"].iter().all(|name| fields.iter().any(|field| **field == **name)),
        "{fields:?}"
    );
    let lineage =
        query("process where not (child of [process where b == true] or event of [file where true])");
    let Logic::Event(filter) = lineage.logic else { panic!() };
    let shown = show(&filter.condition);
    assert!(
        shown.starts_with("and(not(lineage(child process: ") && shown.contains("not(lineage(event file: "),
        "{shown}"
    );
}

/// The example on each code's page brings that code forth.
#[test]
fn the_examples_of_the_registry_are_found_with_their_code() {
    let dialects = [
        ("E0219", Dialect::Endpoint),
        ("E0220", Dialect::Endpoint),
        ("E0222", Dialect::Endgame),
        ("E0223", Dialect::Endgame),
    ];
    let mut seen = 0;
    for code in
        Code::of(Area::Eql).filter(|code| ["E02", "W02"].iter().any(|area| code.as_str().starts_with(area)))
    {
        let example = code.explanation().lines().find_map(|line| line.strip_prefix("    "));
        let example = example.unwrap_or_else(|| panic!("{code} has no example"));
        let dialect = dialects.iter().find(|(name, _)| *name == code.as_str());
        let dialect = dialect.map_or(Dialect::Elasticsearch, |(_, dialect)| *dialect);
        let found = findings(example, &Options { dialect, ..Options::new(&Small) });
        assert!(found.iter().any(|finding| finding.code == code), "{code} {example}: {found:#?}");
        seen += 1;
    }
    assert_eq!(seen, 22);
}

#[test]
fn several_findings_come_together_in_order() {
    let source = "any where text == \"a\" and nope : \"x\" and n : \"4\" and length(n) > 1 and nope == \"y\"";
    let found = findings(source, &Options::new(&Small));
    let codes: Vec<&str> = found.iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(codes, ["E0203", "W0201", "E0206", "E0211"]);
}

#[test]
fn unknown_names_are_errors_where_that_is_asked_for() {
    let severity = |source: &str, options: Options<'_>| {
        findings(source, &options).first().map(|finding| finding.severity)
    };
    let plain = Options::new(&Small);
    assert_eq!(severity("any where nope == 1", plain), Some(Severity::Warning));
    assert_eq!(severity("any where ?nope == 1", plain), None);
    for options in [Options { strict: true, ..plain }, Options { strict_elasticsearch: true, ..plain }] {
        assert_eq!(severity("any where nope == 1", options), Some(Severity::Error));
        assert_eq!(severity("any where ?nope == 1", options), None);
        assert_eq!(severity("sequence by nope [any where b] [any where b]", options), Some(Severity::Error));
    }
    assert_eq!(
        severity("any where n == \"abc\"", Options { strict_elasticsearch: true, ..plain }),
        Some(Severity::Error)
    );
    assert_eq!(severity("any where nope == 1", Options { strict: true, ..Options::new(&NoSchema) }), None);
}

#[test]
fn deep_and_long_queries_compile_or_are_refused_in_time() {
    let depth = limits::MAX_DEPTH as usize - 10;
    for deep in [
        format!("any where {}b{}", "(".repeat(depth), ")".repeat(depth)),
        format!("any where {}b", "not ".repeat(depth)),
        format!("any where {}n{} > 1", "add(".repeat(depth), ", 1)".repeat(depth)),
        format!("any where {}b{} == null", "(not ".repeat(depth / 2), ")".repeat(depth / 2)),
    ] {
        // Parsing is another matter: lowering alone must do with a thread's usual stack.
        let roomy = std::thread::Builder::new().stack_size(64 << 20);
        let text = deep.clone();
        let tree =
            roomy.spawn(move || parse(&text, Dialect::Elasticsearch)).unwrap().join().unwrap().unwrap();
        assert!(lower(&tree, &deep, &Options::new(&Small)).is_ok(), "{deep}");
    }
    let sum = format!("n > {}", vec!["1"; 80].join(" + "));
    assert_eq!(show(&condition(&sum, &Options::new(&Small))), "number(n > 80)");
    let many: Vec<String> = (0..20_000).map(|i| format!("k == \"v{i}\"")).collect();
    assert!(compile(&format!("any where {}", many.join(" or ")), &Options::new(&Small)).is_ok());
    let list: Vec<String> = (0..20_000).map(|i| format!("\"v{i}\"")).collect();
    let condition = condition(&format!("k in ({})", list.join(", ")), &Options::new(&Small));
    let Condition::Leaf(leaf) = condition else { panic!() };
    let Predicate::Keyword { values, .. } = leaf.predicate else { panic!() };
    assert_eq!(values.len(), 20_000);
    let wrong: Vec<String> = (0..5_000).map(|i| format!("f{i}(k)")).collect();
    let found = findings(&format!("any where {}", wrong.join(" and ")), &Options::new(&Small));
    assert!(!found.is_empty() && found.len() <= 64, "{}", found.len());
}
