//! Every refusal: its code, the text under its span, and that it helps.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::BTreeSet;

use quell_eql::{Dialect, limits, parse};
use quell_ir::codes::Area;
use quell_ir::{Code, Diagnostic};

use Dialect::{Elasticsearch, Endgame, Endpoint};

/// The query, the code, the text under the span, a part of the help (or of the label, where there is no help).
type Case = (&'static str, &'static str, &'static str, &'static str);

fn refused(source: &str, dialect: Dialect) -> Vec<Diagnostic> {
    match parse(source, dialect) {
        Ok(_) => panic!("{source} is accepted"),
        Err(findings) => findings,
    }
}

fn check(dialect: Dialect, cases: &[Case]) {
    for (source, code, text, advice) in cases {
        let findings = refused(source, dialect);
        let finding = &findings[0];
        assert_eq!(finding.code.as_str(), *code, "{source}: {finding:?}");
        assert_eq!(findings.len(), 1, "{source}: {findings:?}");
        assert_eq!(finding.span.unwrap().text(source), *text, "{source}: {finding:?}");
        let given = [&finding.help, &finding.label].map(|text| text.clone().unwrap_or_default()).concat();
        assert!(given.contains(advice), "{source}: {advice:?} is not in {given:?}");
        let plain = finding.message.starts_with(|c: char| c.is_lowercase() || c == '`')
            && !finding.message.ends_with('.');
        assert!(plain, "{source}: {}", finding.message);
    }
}

#[test]
fn syntax() {
    check(
        Elasticsearch,
        &[
            ("", "E0101", "", "expected an event category"),
            ("42 where true", "E0101", "42", "expected an event category"),
            ("process", "E0101", "", "expected `where`"),
            ("process where", "E0101", "", "expected a value"),
            ("process whre true", "E0101", "whre", "did you mean `where`?"),
            ("process where a b", "E0101", "b", "expected `and`, `or`, a pipe or the end"),
            ("process where a and", "E0101", "", "expected a value"),
            ("process where and a", "E0101", "and", "expected a value"),
            ("process where a == ", "E0101", "", "expected a value"),
            ("process where a == == 1", "E0101", "==", "expected a value"),
            ("process where ()", "E0101", ")", "expected a value"),
            ("process where a)", "E0101", ")", "end of the query"),
            ("process where f(a,)", "E0101", ")", "remove the comma"),
            ("process where a in (1,)", "E0101", ")", "remove the comma"),
            (r#"process where a in ("x" "y")"#, "E0101", "\"y\"", "a comma is missing"),
            (r#"process where a in "x""#, "E0101", "\"x\"", "takes a list"),
            (r#"process where a == ("x", "y")"#, "E0101", ",", "a list stands behind `in`"),
            ("process where a.5b == 1", "E0101", ".5", ".`5…`"),
            ("process where a. 5 == 1", "E0101", "5", ".`5…`"),
            ("process where a. == 1", "E0101", "==", "the name of a field"),
            ("process where ? == 1", "E0101", "==", "the name of a field"),
            ("process where f~ == 1", "E0101", "==", "a word with a tilde is a function"),
            ("process where a : \"x\" : \"y\"", "E0101", ":", "expected `and`, `or`"),
            ("process where a[x]", "E0101", "[", "expected `and`, `or`"),
            ("process where a |", "E0101", "", "the name of a pipe"),
            ("sequence by", "E0101", "", "expected a value"),
            ("sequence", "E0101", "", "`by`, `with maxspan` or `[`"),
            ("sequence with maxspan=5s", "E0101", "", "expected `[`"),
            ("sequence with runs=5 [a where b] [a where b]", "E0101", "runs", "`maxspan`"),
            ("sequence with maxspan 5s [a where b]", "E0101", "5", "`=`"),
            ("sequence with maxspan=x [a where b]", "E0101", "x", "a number and a unit"),
            ("sequence [a where b] [c where d] e", "E0101", "e", "a further step, `until`"),
            ("sequence [a where b] until ![c where d]", "E0101", "![", "expected `[`"),
            ("sequence [a where b] with maxspan=5s [c where d]", "E0101", "maxspan", "before the first step"),
            ("sequence [a where b] with runs=x [c where d]", "E0101", "x", "a number from 1 to 100"),
            (
                "sequence [a where b] [c where d] until [e where f] with runs=2",
                "E0101",
                "with runs=2",
                "remove it",
            ),
            ("sample [a where b", "E0113", "[", "close it with `]`"),
            ("sequence ![a where b", "E0113", "![", "close it with `]`"),
            ("process where (a", "E0113", "(", "close it with `)`"),
            ("process where f(a", "E0113", "(", "close it with `)`"),
            ("process where a in (1, 2", "E0113", "(", "close it with `)`"),
            ("process where a : (\"x\"", "E0113", "(", "close it with `)`"),
            ("process where a != 1e999", "E0008", "1e999", "smaller"),
        ],
    );
}

#[test]
fn what_was_meant() {
    check(
        Elasticsearch,
        &[
            ("process where log.sequence == 1", "E0102", "sequence", "`sequence`"),
            ("process where sequence == 1", "E0102", "sequence", "`sequence`"),
            ("process where maxspan : \"x\"", "E0102", "maxspan", "backticks"),
            ("process where source.as.any.x : \"x\"", "E0102", "any", "backticks"),
            ("process where ?of.x", "E0102", "of", "backticks"),
            ("sequence where true", "E0102", "sequence", "\"sequence\" where"),
            ("process where a AND b", "E0103", "AND", "`and`"),
            ("process where a or b Or c", "E0103", "Or", "`or`"),
            ("process where NOT a", "E0103", "NOT", "`not`"),
            ("process WHERE a", "E0103", "WHERE", "`where`"),
            ("process where a IN (1)", "E0103", "IN", "`in`"),
            ("process where a LIKE~ \"x\"", "E0103", "LIKE~", "`like~`"),
            ("SEQUENCE by a [b where c] [b where c]", "E0103", "SEQUENCE", "`sequence`"),
            ("sequence BY a [b where c] [b where c]", "E0103", "BY", "`by`"),
            ("process where a = 1", "E0104", "=", "`==`"),
            ("process where a < b < c", "E0105", "<", "`a < b and b < …`"),
            ("process where a == b != c", "E0105", "!=", "`a == b and b != …`"),
            ("process where a in ()", "E0106", "()", "members"),
            ("process where a : ( )", "E0106", "( )", "members"),
            ("process where a like~ ()", "E0106", "()", "members"),
            (r#"process where a not like "x""#, "E0107", "not like", "`not a like …`"),
            (r#"process where a not : "x""#, "E0107", "not :", "`not a : …`"),
            (r#"process where f(a) not regex~ "x""#, "E0107", "not regex~", "`not f(a) regex~ …`"),
            ("`my cat` where true", "E0108", "`my cat`", "\"my cat\" where"),
            (r#"process.name == "x""#, "E0109", "process.", "any where"),
            (r#"name == "x""#, "E0109", "name ==", "any where"),
            (r#"length(a) > 1"#, "E0109", "length(", "any where"),
            ("process where a : b", "E0112", "b", "constant"),
            ("process where a like f(b, 1)", "E0112", "f(b, 1)", "constant"),
            (r#"process where a : ("x", ?b.c)"#, "E0112", "?b.c", "constant"),
            ("process where a : -1", "E0112", "-1", "constant"),
            ("process where a && b", "E0114", "&&", "`and`"),
            ("process where a || b", "E0114", "||", "`or`"),
            ("process where !a", "E0114", "!", "`not`"),
            (r#"process where a == 'x'"#, "E0005", "'x'", "\"x\""),
            (r#"process where a == ?"x""#, "E0005", "?\"x\"", "\"\"\"x\"\"\""),
            (r#"process where a == "C:\W""#, "E0003", r"\W", r"\\W"),
        ],
    );
}

#[test]
fn sequences_and_samples() {
    check(
        Elasticsearch,
        &[
            ("sequence with maxspan=30 [a where b] [a where b]", "E0120", "30", "did you mean `30s`?"),
            ("sequence with maxspan=5min [a where b] [a where b]", "E0121", "5min", "did you mean `5m`?"),
            (
                "sequence with maxspan=5 Seconds [a where b] [a where b]",
                "E0121",
                "5 Seconds",
                "did you mean `5s`?",
            ),
            ("sequence with maxspan=5w [a where b] [a where b]", "E0121", "5w", "the units are"),
            ("sequence with maxspan=1.5m [a where b] [a where b]", "E0122", "1.5m", "smaller unit"),
            ("sequence with maxspan=1. [a where b] [a where b]", "E0122", "1.", "smaller unit"),
            ("sequence with maxspan=0s [a where b] [a where b]", "E0123", "0s", "no limit"),
            ("sequence with maxspan=-5s [a where b] [a where b]", "E0123", "-5s", "no limit"),
            (
                "sequence with maxspan=9223372036854775807s [a where b] [a where b]",
                "E0123",
                "9223372036854775807s",
                "63 bits",
            ),
            (
                "sequence with maxspan=99999999999999999999s [a where b] [a where b]",
                "E0123",
                "99999999999999999999s",
                "63 bits",
            ),
            (
                "sequence with maxspan=5s by k [a where b] [a where b]",
                "E0124",
                "by k",
                "sequence by k with maxspan",
            ),
            ("sequence [a where b] with runs=2 by k [a where b] by k", "E0124", "by k", "by k with runs"),
            ("sequence [a where b] by k [a where b]", "E0125", "[a where b]", "same number"),
            ("sequence [a where b] by k [a where b] by k, l", "E0125", "k, l", "same number"),
            ("sequence by h [a where b] [a where b] until [a where b] by k", "E0125", "k", "`until` too"),
            ("sequence by f(k) [a where b] [a where b]", "E0126", "f(k)", "name a field"),
            ("sequence by k, 1 [a where b] [a where b]", "E0126", "1", "name a field"),
            ("sequence [a where b] by \"k\" [a where b] by k", "E0126", "\"k\"", "name a field"),
            ("sequence [a where b]", "E0127", "[a where b]", "add a step"),
            ("sequence [a where b] with runs=1", "E0127", "[a where b] with runs=1", "add a step"),
            ("sample by k [a where b]", "E0127", "[a where b]", "add a step"),
            ("sequence with maxspan=1m ![a where b] ![a where b]", "E0128", "![a where b]", "without `!`"),
            ("sequence [a where b] ![a where b]", "E0129", "![a where b]", "with maxspan"),
            ("sequence [a where b] with runs=0 [a where b]", "E0130", "with runs=0", "leave it out"),
            ("sequence [a where b] with runs=101 [a where b]", "E0130", "with runs=101", "leave it out"),
            ("sequence [a where b] with runs=1.5 [a where b]", "E0130", "with runs=1.5", "leave it out"),
            ("sequence [a where b] with runs=-1 [a where b]", "E0130", "with runs=-1", "leave it out"),
            ("sample [a where b] [a where b]", "E0131", "sample [a where b] [a where b]", "sample by"),
            ("sample by k with maxspan=1m [a where b] [a where b]", "E0132", "with maxspan=1m", "remove it"),
            ("sample by k [a where b] [a where b] until [a where b]", "E0132", "until", "remove it"),
            ("sample by k [a where b] ![a where b]", "E0132", "![", "remove it"),
            ("sample by k [a where b] with runs=2 [a where b]", "E0132", "with runs=2", "remove it"),
        ],
    );
}

#[test]
fn what_the_dialect_lacks() {
    check(
        Elasticsearch,
        &[
            ("join by k [a where b] [c where d]", "E0140", "join", "`sequence`"),
            ("a where child of [b where c]", "E0141", "child of", "process.parent.name"),
            ("a where not descendant of [b where c]", "E0141", "descendant of", "process.parent.name"),
            ("a where name of [b where c]", "E0141", "name of", "`child of`"),
            ("a where b[0] == 1", "E0142", "[0]", "leave it out"),
            ("sequence [a where b] fork [c where d]", "E0143", "fork", "remove it"),
            ("sequence [a where b] fork=true [c where d]", "E0143", "fork=true", "remove it"),
            ("sequence [a where b] as event0 [c where d]", "E0144", "as event0", "endpoint dialect"),
            ("a where $entry.x == 1", "E0145", "$entry", "endpoint dialect"),
            ("a where b | heda 5", "E0150", "heda", "did you mean `head`?"),
            ("a where b | window 5", "E0150", "window", "`head` and `tail`"),
            ("a where b | unique c", "E0151", "unique", "`head` and `tail`"),
            ("a where b | count", "E0151", "count", "`head` and `tail`"),
            ("a where b | filter c > 1", "E0151", "filter", "`head` and `tail`"),
            ("a where b | sort c, d", "E0151", "sort", "`head` and `tail`"),
            ("a where b | unique_count c", "E0151", "unique_count", "`head` and `tail`"),
            ("a where b | head", "E0152", "| head", "| head 10"),
            ("a where b | tail 1, 2", "E0152", "| tail 1, 2", "| tail 10"),
            ("a where b | head -1", "E0153", "-1", "| head 10"),
            ("a where b | head 1.5", "E0153", "1.5", "| head 10"),
            ("a where b | head c", "E0153", "c", "| head 10"),
            ("a where b | head \"1\"", "E0153", "\"1\"", "| head 10"),
        ],
    );
    check(
        Endpoint,
        &[
            ("a where child of [b where c]", "E0141", "child of", "another dialect"),
            ("a where $entry.x == 1", "E0145", "$entry", "_arraysearch(array, $entry"),
            ("a where _arraysearch(b, $e, $f.x)", "E0145", "$f", "_arraysearch(array, $f"),
            ("a where _arraysearch(b, $e, $e.x) and $e.y", "E0145", "$e", "_arraysearch"),
            ("a where _arraysearch(b, e, true)", "E0147", "e", "$entry"),
            ("a where _arraysearch(1, $e, true)", "E0147", "1", "$entry"),
            ("a where _arraysearch(b, $e.f, true)", "E0147", "$e.f", "$entry"),
            ("a where _arraysearch(b, $e)", "E0147", "_arraysearch(b, $e)", "$entry"),
            ("sequence [a where b] as x [c where d] as x", "E0149", "x", "of its own"),
            ("join by k [a where b] [c where d]", "E0140", "join", "`sequence`"),
            ("a where b = 1", "E0104", "=", "`==`"),
        ],
    );
}

/// What Python's parser of the dialect refuses too.
#[test]
fn what_the_endgame_dialect_lacks() {
    check(
        Endgame,
        &[
            ("a where b | uniqe c", "E0150", "uniqe", "did you mean `unique`?"),
            (r#"a where b : "x*""#, "E0154", ":", "try `wildcard(b, …)`"),
            (r#"a where b like "x*""#, "E0154", "like", "wildcard"),
            (r#"a where b like~ ("x*", "y")"#, "E0154", "like~", "wildcard"),
            (r#"a where b regex "x.*""#, "E0154", "regex", "try `match(b, …)`"),
            (r#"a where b regex~ "x.*""#, "E0154", "regex~", "match"),
            (r#"a where b in~ ("x")"#, "E0154", "in~", "write `in`"),
            (r#"a where b not in~ ("x")"#, "E0154", "in~", "write `in`"),
            (r#"a where startsWith~(b, "x")"#, "E0154", "startsWith~", "write `startsWith`"),
            ("a where ?b == 1", "E0154", "?", "remove the `?`"),
            (r#"a where b == """x""""#, "E0154", r#""""x""""#, "raw string"),
            (r#""a" where b"#, "E0154", r#""a""#, "write `a where …`"),
            ("sequence [a where b] ![a where b]", "E0154", "![", "remove"),
            ("sequence [a where b] with runs=2 [a where b]", "E0154", "with runs", "several times"),
            ("sample by k [a where b] [a where b]", "E0154", "sample", "`join`"),
            ("sequence [a where b] as x [c where d]", "E0144", "as x", "`by`"),
            ("sequence [a where b] fork [c where d]", "E0143", "fork", "remove it"),
            ("join by k [a where b] [c where d] fork", "E0143", "fork", "remove it"),
            ("sequence [a where b]", "E0127", "[a where b]", "add a step"),
            ("a where $b == 1", "E0145", "$b", "endpoint"),
            ("b == 1", "E0109", "b ==", "any where"),
            ("a where b | head 1, 2", "E0152", "| head 1, 2", "| head 10"),
            ("a where b | tail 0", "E0153", "0", "| tail 10"),
            ("a where b | head c", "E0153", "c", "| head 10"),
            ("a where b | sort", "E0152", "| sort", "| sort …"),
            ("a where b | unique_count", "E0152", "| unique_count", "…"),
            ("a where b | filter c, d", "E0152", "| filter c, d", "…"),
            ("a where b | unique 1", "E0153", "1", "name a field"),
        ],
    );
}

#[test]
fn structural_findings_are_collected_in_the_order_of_the_text() {
    let source = "sequence by 1 with maxspan=5 [a where b[0]] with runs=0 [c where d] by e | heda 5 | count";
    let codes: Vec<&str> =
        refused(source, Elasticsearch).iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(codes, ["E0126", "E0120", "E0142", "E0130", "E0125", "E0150", "E0151"]);
}

#[test]
fn findings_are_limited_in_number() {
    let source = format!("a where {}b[0]", "b[0] and ".repeat(10_000));
    let count = refused(&source, Elasticsearch).len();
    assert!((10..1000).contains(&count), "{count}");
}

/// The example on each code's page is refused with that code.
#[test]
fn the_examples_of_the_registry_are_refused_with_their_code() {
    // What only a very large query, or only another dialect, brings forth.
    let too_large = ["E0020", "E0110", "E0133"];
    let dialects = [("E0147", Endpoint), ("E0149", Endpoint), ("E0154", Endgame)];
    let mut seen = BTreeSet::new();
    for code in Code::of(Area::Eql).filter(|code| code.as_str() < "E0200" && code.as_str().starts_with('E')) {
        seen.insert(code.as_str());
        if too_large.contains(&code.as_str()) {
            continue;
        }
        let dialect = dialects.iter().find(|(name, _)| *name == code.as_str());
        let dialect = dialect.map_or(Elasticsearch, |(_, dialect)| *dialect);
        let example = code.explanation().lines().find_map(|line| line.strip_prefix("    "));
        let example = example.unwrap_or_else(|| panic!("{code} has no example"));
        let findings = refused(example, dialect);
        assert_eq!(findings[0].code, code, "{example}: {findings:?}");
    }
    assert!(seen.len() > 40, "{seen:?}");
}

/// In a thread with a small stack, so that recursion too deep for it fails here and not at a user's.
fn with_small_stack(test: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(1 << 20).spawn(test).unwrap().join().unwrap();
}

#[test]
fn depth_is_limited_and_never_overflows_the_stack() {
    with_small_stack(|| {
        let deep: &[(&str, &str)] = &[
            ("(", ""),
            ("not ", "a"),
            ("-", "1"),
            ("f(", ""),
            ("x in (", ""),
            ("1 + ", "1"),
            ("2 * ", "1"),
            ("f(1) - ", "1"),
            ("(1 + ", ""),
        ];
        for (part, end) in deep {
            let source = format!("a where {}{end}", part.repeat(100_000));
            assert_eq!(refused(&source, Elasticsearch)[0].code.as_str(), "E0110", "{part}");
        }
        let lineage = format!("a where {}", "child of [a where ".repeat(50_000));
        assert_eq!(refused(&lineage, Endgame)[0].code.as_str(), "E0110");
        let methods = format!("a where x{}", ":f()".repeat(100_000));
        assert_eq!(refused(&methods, Endgame)[0].code.as_str(), "E0110");
        // Chains of arithmetic under parentheses add up.
        let mut source = "1".to_owned();
        for _ in 0..100 {
            source = format!("({source}{})", " + 1".repeat(100));
        }
        assert_eq!(refused(&format!("a where {source}"), Elasticsearch)[0].code.as_str(), "E0110");
    });
}

#[test]
fn what_is_within_the_limits_is_read_and_printed() {
    with_small_stack(|| {
        let depth = limits::MAX_DEPTH as usize - 1;
        let sources = [
            format!("a where {}b{}", "(".repeat(depth), ")".repeat(depth)),
            format!("a where {}b", "not ".repeat(depth)),
            format!("a where {}", "b and ".repeat(100_000) + "c"),
            format!("a where b in ({})", "\"x\", ".repeat(100_000) + "\"y\""),
        ];
        for source in &sources {
            let tree = parse(source, Elasticsearch).unwrap_or_else(|findings| panic!("{findings:?}"));
            let printed = quell_eql::format(&tree);
            assert!(parse(&printed, Elasticsearch).unwrap().same_as(&tree));
        }
    });
}

#[test]
fn sizes_are_limited() {
    let long = format!("a where b{}", " ".repeat(limits::MAX_SOURCE_BYTES));
    assert_eq!(refused(&long, Elasticsearch)[0].code.as_str(), "E0020");
    let steps = format!("sequence {}", "[a where b] with runs=100 ".repeat(11));
    assert_eq!(refused(&steps, Elasticsearch)[0].code.as_str(), "E0133");
    let comments = format!("a where b {}", "/* /* */ ".repeat(100));
    assert_eq!(refused(&comments, Elasticsearch)[0].code.as_str(), "E0006");
}

/// Reading takes time in proportion to the text: no part, however often repeated, makes a query slow.
#[test]
fn time_is_linear_in_the_text() {
    let parts = [
        "/* /* */ ",
        "\"\"\"a\"\"\" ",
        "\"\"\" ",
        "'a' ",
        "?",
        "`",
        "`a` ",
        "\"\\",
        "\"a\" ",
        "\"a\", ",
        "a.",
        "[",
        "![",
        "(",
        ") ",
        "/*",
        "*/",
        "/*a*/",
        "//\n",
        "a ",
        "0",
        "1e",
        "é",
        "\u{feff}",
        "| head 1 ",
        "not ",
        "AND ",
        "in~",
        "$a ",
        "a[0]",
        "?a.b == 1 and ",
        "a < b and ",
        "f(a, ",
        "f(a) and ",
        "[a where b] ",
    ];
    let prefixes =
        ["", "a where ", "a where b in (", "a where not b and (c or ", "sequence [a where b] ", "a where \""];
    for part in parts {
        for prefix in prefixes {
            let source = format!("{prefix}{}", part.repeat(((1 << 15) - prefix.len()) / part.len()));
            let begin = std::time::Instant::now();
            for dialect in [Elasticsearch, Endgame] {
                if let Ok(tree) = parse(&source, dialect) {
                    assert!(!quell_eql::format(&tree).is_empty());
                }
            }
            // A debug build reads some megabytes a second; what is quadratic takes minutes.
            let taken = begin.elapsed();
            assert!(taken.as_secs() < 8, "{prefix}{part}: {taken:?}");
        }
    }
}
