//! Random trees: printed, they parse to the same tree; with comments strewn in, no comment is lost.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use std::sync::Arc;

use proptest::prelude::*;
use quell_eql::ast::{
    ArithmeticOp, Body, Call, Category, CompareOp, Expr, ExprKind, Field, FieldMark, Filter, Fork, Join,
    Literal, MatchOp, Maxspan, Name, Pipe, Query, Relation, Runs, Sample, Segment, Sequence, Step, TimeUnit,
};
use quell_eql::{Dialect, format, format_source, parse};
use quell_ir::{Span, Value};

const KEYWORDS: &[&str] =
    &["and", "any", "by", "in", "like", "maxspan", "not", "null", "of", "sequence", "where", "with"];

fn at() -> Span {
    Span::default()
}

fn expr(kind: ExprKind) -> Expr {
    Expr { kind, span: at() }
}

fn word() -> impl Strategy<Value = String> {
    "[a-zA-Z_][a-zA-Z0-9_]{0,6}".prop_filter("a keyword", |word| {
        !KEYWORDS.contains(&word.as_str())
            && !["or", "join", "true", "false", "regex", "sample", "until", "as", "fork"]
                .contains(&word.to_lowercase().as_str())
    })
}

/// Text to put in quotes; without white space where comments are to be put at white space.
fn content(spaces: bool) -> BoxedStrategy<String> {
    if spaces { "[ -~\t\né\u{1F600}]{0,8}".boxed() } else { "[!-.0-~]{0,8}".boxed() }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            'Z' => out.push_str("\\u{5a}"),
            c => out.push(c),
        }
    }
    out + "\""
}

fn literal(spaces: bool) -> impl Strategy<Value = Literal> {
    let text = |text: String, raw: bool| {
        let raw_fits = !text.contains(['"', '\n', '\r']);
        let written = if raw && raw_fits { format!("\"\"\"{text}\"\"\"") } else { quoted(&text) };
        Literal { value: Value::Text(Arc::from(text.as_str())), text: written.into(), span: at() }
    };
    let plain = |value: Value, text: String| Literal { value, text: text.into(), span: at() };
    prop_oneof![
        4 => (content(spaces), any::<bool>()).prop_map(move |(content, raw)| text(content, raw)),
        1 => Just(plain(Value::Null, "null".into())),
        1 => any::<bool>().prop_map(move |b| plain(Value::Boolean(b), b.to_string())),
        1 => (0..=i64::MAX).prop_map(move |n| plain(Value::Integer(n), n.to_string())),
        1 => (1_u64 << 63..=u64::MAX).prop_map(move |n| plain(Value::Unsigned(n), n.to_string())),
        1 => (0.0..1e300_f64).prop_map(move |n| plain(Value::Float(n), format!("{n:e}").replace('e', ".0e").replace(".0e", "e"))),
    ]
    .prop_map(|literal| match &literal.value {
        // `1e3` and `3` differ: let the text decide what a float is.
        Value::Float(_) if !literal.text.contains(['.', 'e']) => {
            Literal { text: format!("{}.0", literal.text).into(), ..literal }
        }
        _ => literal,
    })
}

fn segment(spaces: bool) -> BoxedStrategy<Segment> {
    let odd = if spaces { "[ -~é\n]{1,6}" } else { "[!-.0-~]{1,6}" };
    prop_oneof![
        4 => word().prop_map(|name| Segment::Name { name: name.into(), quoted: false, span: at() }),
        1 => prop_oneof![odd.boxed(), proptest::sample::select(KEYWORDS).prop_map(str::to_owned).boxed()]
            .prop_map(|name| Segment::Name { name: name.into(), quoted: true, span: at() }),
    ]
    .boxed()
}

fn field(spaces: bool, endgame: bool) -> impl Strategy<Value = Field> {
    let mark = prop_oneof![4 => Just(FieldMark::Plain), 1 => Just(FieldMark::Optional)];
    let index = (0..9_u64).prop_map(|index| Segment::Index { index, span: at() }).boxed();
    let further = if endgame { prop_oneof![segment(spaces), index].boxed() } else { segment(spaces) };
    (mark, segment(spaces), prop::collection::vec(further, 0..3)).prop_map(|(mark, first, further)| {
        let path = std::iter::once(first).chain(further).collect();
        Field { mark, path, span: at() }
    })
}

fn condition(spaces: bool, endgame: bool) -> BoxedStrategy<Expr> {
    let leaf = prop_oneof![
        literal(spaces).prop_map(|literal| expr(ExprKind::Literal(literal))),
        field(spaces, endgame).prop_map(|field| expr(ExprKind::Field(field))),
    ];
    leaf.prop_recursive(5, 48, 4, move |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        let two = (boxed.clone(), boxed.clone());
        let many = prop::collection::vec(inner.clone(), 2..4);
        let compare = proptest::sample::select(vec![
            CompareOp::Equal,
            CompareOp::NotEqual,
            CompareOp::Less,
            CompareOp::LessOrEqual,
            CompareOp::Greater,
            CompareOp::GreaterOrEqual,
        ]);
        let arithmetic = proptest::sample::select(vec![
            ArithmeticOp::Add,
            ArithmeticOp::Subtract,
            ArithmeticOp::Multiply,
            ArithmeticOp::Divide,
            ArithmeticOp::Modulo,
        ]);
        let matching = proptest::sample::select(vec![
            MatchOp::Seq,
            MatchOp::Like,
            MatchOp::LikeFolded,
            MatchOp::Regex,
            MatchOp::RegexFolded,
        ]);
        let call = (word(), any::<bool>(), any::<bool>(), prop::collection::vec(inner.clone(), 0..4));
        let relation = if endgame {
            proptest::sample::select(vec![Relation::Event, Relation::Child, Relation::Descendant]).boxed()
        } else {
            Just(Relation::Descendant).boxed()
        };
        prop_oneof![
            boxed.clone().prop_map(|e| expr(ExprKind::Paren(e))),
            boxed.clone().prop_map(|e| expr(ExprKind::Not(e))),
            many.clone().prop_map(|es| expr(ExprKind::And(es))),
            many.prop_map(|es| expr(ExprKind::Or(es))),
            (compare, two.clone()).prop_map(|(op, (left, right))| expr(ExprKind::Compare {
                op,
                left,
                right
            })),
            (arithmetic, two).prop_map(|(op, (left, right))| expr(ExprKind::Arithmetic { op, left, right })),
            (any::<bool>(), boxed.clone())
                .prop_map(|(negative, operand)| expr(ExprKind::Sign { negative, operand })),
            (boxed.clone(), any::<bool>(), any::<bool>(), prop::collection::vec(inner, 1..4)).prop_map(
                |(operand, negated, folded, list)| expr(ExprKind::In {
                    operand,
                    negated,
                    folded,
                    list,
                    list_span: at()
                })
            ),
            (boxed, matching, prop::collection::vec(literal(spaces), 1..5), any::<bool>()).prop_map(
                |(operand, op, patterns, parens)| {
                    let parens = parens || patterns.len() > 1;
                    expr(ExprKind::Match { operand, op, patterns, parens, list_span: at() })
                }
            ),
            call.prop_map(move |(name, folded, method, arguments)| {
                let method = method && endgame && !arguments.is_empty();
                // A tilde needs a letter in front.
                let folded = folded && !name.starts_with('_');
                let name = Name { text: name.into(), span: at() };
                expr(ExprKind::Call(Call { name, folded, method, arguments, close: at() }))
            }),
            (relation, category(spaces), field(spaces, endgame)).prop_map(|(relation, category, field)| {
                let condition = expr(ExprKind::Field(field));
                let filter = Box::new(Filter { category, condition, span: at() });
                expr(ExprKind::Lineage { relation, filter })
            }),
        ]
    })
    .boxed()
}

fn category(spaces: bool) -> BoxedStrategy<Category> {
    prop_oneof![
        word().prop_map(|word| Category { name: Some(word.as_str().into()), text: word.into(), span: at() }),
        Just(Category { name: None, text: "any".into(), span: at() }),
        content(spaces).prop_map(|text| Category {
            name: Some(text.as_str().into()),
            text: quoted(&text).into(),
            span: at()
        }),
    ]
    .boxed()
}

fn filter(spaces: bool, endgame: bool) -> impl Strategy<Value = Filter> {
    (category(spaces), condition(spaces, endgame)).prop_map(|(category, condition)| Filter {
        category,
        condition,
        span: at(),
    })
}

/// A step with exactly `keys` keys.
fn step(spaces: bool, endgame: bool, keys: usize, plain: bool) -> BoxedStrategy<Step> {
    let key = field(spaces, false).prop_map(|field| expr(ExprKind::Field(field)));
    let by = prop::collection::vec(key, keys);
    let runs = prop::option::of((2..=100_u32).prop_map(|count| Runs { count, span: at() }));
    let alias = prop::option::of(word().prop_map(|word| Name { text: word.into(), span: at() }));
    let fork = prop::option::of(any::<bool>().prop_map(|value| Fork { value, span: at() }));
    (any::<bool>(), filter(spaces, endgame), by, runs, alias, fork)
        .prop_map(move |(missing, filter, by, runs, alias, fork)| Step {
            missing: missing && !plain,
            filter,
            by,
            runs: runs.filter(|_| !plain),
            alias: alias.filter(|_| !plain && !endgame),
            fork: fork.filter(|_| endgame),
            span: at(),
            close: at(),
        })
        .boxed()
}

fn body(spaces: bool, endgame: bool) -> BoxedStrategy<Body> {
    let key = move || field(spaces, false).prop_map(|field| expr(ExprKind::Field(field)));
    let by = move |least: usize| prop::collection::vec(key(), least..3);
    let maxspan = (1..1000_u64, proptest::sample::select(TimeUnit::ALL.to_vec()))
        .prop_map(|(amount, unit)| Maxspan { amount, unit, span: at() });
    let steps = move |plain: bool| {
        (0..3_usize).prop_flat_map(move |keys| {
            let until = prop::option::of(step(spaces, endgame, keys, true).prop_map(Box::new));
            let first = step(spaces, endgame, keys, true);
            (first, prop::collection::vec(step(spaces, endgame, keys, plain), 1..3), until)
        })
    };
    let join = move |(first, mut steps, until): (Step, Vec<Step>, Option<Box<Step>>)| {
        steps.insert(0, first);
        for (at, step) in steps.iter_mut().enumerate() {
            // Aliases must differ.
            if let Some(alias) = &mut step.alias {
                alias.text = format!("{}{at}", alias.text).into();
            }
        }
        (steps, until)
    };
    let event = filter(spaces, endgame).prop_map(Body::Event);
    let sequence = (by(0), maxspan, steps(false)).prop_map(move |(by, maxspan, parts)| {
        let (steps, until) = join(parts);
        Body::Sequence(Sequence { by, maxspan: Some(maxspan), steps, until, span: at() })
    });
    let sample = (by(1), steps(true)).prop_map(move |(by, parts)| {
        let (steps, _) = join(parts);
        Body::Sample(Sample { by, steps, span: at() })
    });
    let joined = (by(0), steps(true)).prop_map(move |(by, parts)| {
        let (steps, until) = join(parts);
        Body::Join(Join { by, steps, until, span: at() })
    });
    if endgame {
        prop_oneof![event, sequence, sample, joined].boxed()
    } else {
        prop_oneof![event, sequence, sample].boxed()
    }
}

fn query(spaces: bool, endgame: bool) -> impl Strategy<Value = Query> {
    let count = |name: &'static str| {
        (0..=i64::MAX).prop_map(move |n| {
            let literal = Literal { value: Value::Integer(n), text: n.to_string().into(), span: at() };
            let name = Name { text: name.into(), span: at() };
            Pipe { name, arguments: vec![expr(ExprKind::Literal(literal))], span: at() }
        })
    };
    let free = (
        proptest::sample::select(vec!["count", "unique", "sort"]),
        prop::collection::vec(condition(spaces, true), 0..3),
    )
        .prop_map(|(name, arguments)| Pipe {
            name: Name { text: name.into(), span: at() },
            arguments,
            span: at(),
        });
    let pipe = if endgame {
        prop_oneof![count("head"), count("tail"), free].boxed()
    } else {
        prop_oneof![count("head"), count("tail")].boxed()
    };
    (body(spaces, endgame), prop::collection::vec(pipe, 0..3)).prop_map(move |(body, pipes)| {
        let query = Query { body, pipes, span: at() };
        if endgame { without_what_endgame_lacks(query) } else { query }
    })
}

/// The query in the words of the Endgame dialect.
fn without_what_endgame_lacks(mut query: Query) -> Query {
    fn literal(literal: &mut Literal) {
        if let Value::Text(text) = &literal.value {
            literal.text = quoted(text).into();
        }
    }
    fn expr(e: &mut Expr) {
        match &mut e.kind {
            ExprKind::Literal(value) => literal(value),
            ExprKind::Field(field) => field.mark = FieldMark::Plain,
            ExprKind::Call(call) => {
                call.folded = false;
                call.arguments.iter_mut().for_each(expr);
            }
            ExprKind::Paren(inner) | ExprKind::Not(inner) | ExprKind::Sign { operand: inner, .. } => {
                expr(inner)
            }
            ExprKind::And(operands) | ExprKind::Or(operands) => operands.iter_mut().for_each(expr),
            ExprKind::Compare { left, right, .. } | ExprKind::Arithmetic { left, right, .. } => {
                expr(left);
                expr(right);
            }
            ExprKind::In { operand, folded, list, .. } => {
                *folded = false;
                expr(operand);
                list.iter_mut().for_each(expr);
            }
            ExprKind::Match { operand, .. } => {
                let mut operand = (**operand).clone();
                expr(&mut operand);
                e.kind = ExprKind::Paren(Box::new(operand));
            }
            ExprKind::Lineage { filter: inner, .. } => filter(inner),
        }
    }
    fn filter(filter: &mut Filter) {
        if filter.category.text.starts_with('"') {
            filter.category.name = Some("odd".into());
            filter.category.text = "odd".into();
        }
        expr(&mut filter.condition);
    }
    if let Body::Sample(Sample { by, steps, .. }) = query.body {
        query.body = Body::Join(Join { by, steps, until: None, span: at() });
    }
    let (by, steps, until, forks): (&mut [Expr], &mut [Step], _, _) = match &mut query.body {
        Body::Event(inner) => {
            filter(inner);
            (&mut [], &mut [], None, true)
        }
        Body::Sequence(s) => (&mut s.by, &mut s.steps, s.until.as_deref_mut(), true),
        Body::Join(j) => (&mut j.by, &mut j.steps, j.until.as_deref_mut(), false),
        Body::Sample(s) => (&mut s.by, &mut s.steps, None, false),
    };
    by.iter_mut().for_each(expr);
    for (place, step) in steps.iter_mut().chain(until).enumerate() {
        (step.missing, step.runs) = (false, None);
        step.fork.take_if(|_| place == 0 || !forks);
        filter(&mut step.filter);
        step.by.iter_mut().for_each(expr);
    }
    for pipe in &mut query.pipes {
        pipe.arguments.iter_mut().for_each(expr);
        let counts = matches!(&*pipe.name.text, "head" | "tail");
        if counts && pipe.count() == Some(0) {
            pipe.arguments.clear();
        }
        if !counts {
            pipe.arguments.retain(|argument| !matches!(argument.unwrapped().kind, ExprKind::Literal(_)));
            if pipe.arguments.is_empty() {
                pipe.name.text = "count".into();
            }
        }
    }
    query
}

/// Takes all parentheses out: the printer may have put in those that a tree needs.
fn bare(query: &Query) -> Query {
    fn expr(e: &mut Expr) {
        while let ExprKind::Paren(inner) = &mut e.kind {
            let inner = std::mem::replace(&mut **inner, Expr { kind: ExprKind::And(Vec::new()), span: at() });
            *e = inner;
        }
        match &mut e.kind {
            ExprKind::Literal(_) | ExprKind::Field(_) | ExprKind::Paren(_) => {}
            ExprKind::Call(call) => call.arguments.iter_mut().for_each(expr),
            ExprKind::Not(inner)
            | ExprKind::Sign { operand: inner, .. }
            | ExprKind::Match { operand: inner, .. } => expr(inner),
            ExprKind::And(operands) | ExprKind::Or(operands) => operands.iter_mut().for_each(expr),
            ExprKind::Compare { left, right, .. } | ExprKind::Arithmetic { left, right, .. } => {
                expr(left);
                expr(right);
            }
            ExprKind::In { operand, list, .. } => {
                expr(operand);
                list.iter_mut().for_each(expr);
            }
            ExprKind::Lineage { filter, .. } => expr(&mut filter.condition),
        }
    }
    let mut query = query.clone();
    let (steps, until): (&mut [Step], _) = match &mut query.body {
        Body::Event(filter) => {
            expr(&mut filter.condition);
            (&mut [], None)
        }
        Body::Sequence(s) => (&mut s.steps, s.until.as_deref_mut()),
        Body::Sample(s) => (&mut s.steps, None),
        Body::Join(s) => (&mut s.steps, s.until.as_deref_mut()),
    };
    steps.iter_mut().chain(until).for_each(|step| expr(&mut step.filter.condition));
    query.pipes.iter_mut().flat_map(|pipe| &mut pipe.arguments).for_each(expr);
    query
}

fn dialect(endgame: bool) -> Dialect {
    if endgame { Dialect::Endgame } else { Dialect::Endpoint }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_printed_tree_parses_to_itself((endgame, tree) in any::<bool>().prop_flat_map(|endgame| (Just(endgame), query(true, endgame)))) {
        let dialect = dialect(endgame);
        let text = format(&tree);
        let parsed = parse(&text, dialect).unwrap_or_else(|findings| panic!("{findings:?}\n{text}"));
        prop_assert!(bare(&parsed).same_as(&bare(&tree)), "{text}\n{tree:?}");
        // From here on the tree came from text: it holds all its parentheses.
        prop_assert_eq!(&format(&parsed), &text);
        prop_assert_eq!(&format_source(&text, dialect).unwrap(), &text);
    }

    #[test]
    fn comments_survive((endgame, tree, seed) in any::<bool>().prop_flat_map(|endgame| (Just(endgame), query(false, endgame), prop::collection::vec(0..40_usize, 1..60)))) {
        let dialect = dialect(endgame);
        // Every white space of the printed text is one between tokens: put a comment at some.
        let plain = format(&tree);
        let mut source = String::new();
        let mut comments = Vec::new();
        for (at, c) in plain.chars().enumerate() {
            if !matches!(c, ' ' | '\n') {
                source.push(c);
                continue;
            }
            let n = comments.len();
            let (before, comment, after) = match seed[at % seed.len()] {
                0 => (" ", format!("/* c{n}c */"), " "),
                // A slash before it would make a line comment of it.
                1 if !source.ends_with('/') => ("", format!("/* c{n}c */"), ""),
                2 => (" ", format!("// c{n}c"), "\n"),
                3 => ("\n", format!("// c{n}c"), "\n"),
                4 => ("\n", format!("/* c{n}c\n  /* inner */ */"), "\n"),
                5 => (" ", format!("/* c{n}c\n */"), " "),
                6 => ("\n", format!("/* c{n}c */"), " "),
                7 => ("\r\n", format!("//c{n}c"), "\r\n\r\n"),
                _ => {
                    source.push(c);
                    continue;
                }
            };
            source.push_str(before);
            source.push_str(&comment);
            source.push_str(after);
            comments.push(comment);
        }
        let text = format_source(&source, dialect).unwrap_or_else(|findings| panic!("{findings:?}\n{source}"));
        let parsed = parse(&text, dialect).unwrap_or_else(|findings| panic!("{findings:?}\n{source}\n--\n{text}"));
        prop_assert!(bare(&parsed).same_as(&bare(&tree)), "{source}\n--\n{text}");
        for comment in &comments {
            prop_assert_eq!(text.matches(comment.as_str()).count(), 1, "{}\n{}\n--\n{}", comment, source, text);
        }
        let again = format_source(&text, dialect).unwrap();
        prop_assert_eq!(&again, &text, "not stable, from\n{}", source);
    }
}
