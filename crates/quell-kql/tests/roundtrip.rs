//! Random trees are printed and read back as they were; random texts never panic, and formatting twice changes nothing.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may panic")]

use proptest::prelude::*;
use quell_ir::Span;
use quell_ir::expr::CompareOp;
use quell_ir::pattern::{Token, Wildcard};
use quell_ir::schema::NoSchema;
use quell_kql::kql::{self, Expr, ExprKind, Query};
use quell_kql::lucene::{self, Clause, Conjunction, Modifier};
use quell_kql::{Language, Literal, Options, compile, format_source};

fn literal(pattern: Wildcard, quoted: bool, text: String) -> Literal {
    Literal { pattern, quoted, text: text.into(), span: Span::default() }
}

fn op() -> impl Strategy<Value = CompareOp> {
    prop_oneof![
        Just(CompareOp::Less),
        Just(CompareOp::LessOrEqual),
        Just(CompareOp::Greater),
        Just(CompareOp::GreaterOrEqual)
    ]
}

/// Unquoted, without blanks at its ends and without keywords; what is not plain is escaped.
fn kql_unquoted() -> impl Strategy<Value = Literal> {
    let part = prop_oneof![
        3 => "[a-m0-9._/+-]{1,6}".prop_map(|text| (Some(text.clone()), text)),
        1 => "[():<>{}\\\\*\"]".prop_map(|sign| (Some(sign.clone()), format!("\\{sign}"))),
        1 => Just((None, "*".to_owned())),
    ];
    prop::collection::vec(part, 1..4).prop_map(|parts| {
        let mut tokens = Vec::new();
        let mut text = String::new();
        let mut run = String::new();
        for (plain, written) in parts {
            text.push_str(&written);
            match plain {
                Some(plain) => run.push_str(&plain),
                None => tokens.extend([Token::Literal(std::mem::take(&mut run).into()), Token::AnyRun]),
            }
        }
        tokens.push(Token::Literal(run.into()));
        literal(Wildcard::from_tokens(tokens), false, text)
    })
}

fn kql_literal() -> impl Strategy<Value = Literal> {
    let quoted = "[a-z \"\\\\*:(){}<>\\n\\té]{0,8}".prop_map(|text| {
        literal(Wildcard::from_tokens([Token::Literal((&*text).into())]), true, kql::quoted(&text))
    });
    prop_oneof![kql_unquoted(), quoted]
}

fn kind(kind: ExprKind) -> Expr {
    Expr { kind, span: Span::default() }
}

fn paren(inner: Expr) -> Expr {
    kind(ExprKind::Paren(Box::new(inner)))
}

/// What binds as tight as a value: put into parentheses where it does not.
fn tight(expr: Expr) -> Expr {
    match expr.kind {
        ExprKind::And(_) | ExprKind::Or(_) | ExprKind::Not(_) => paren(expr),
        _ => expr,
    }
}

fn joined(leaf: BoxedStrategy<Expr>) -> BoxedStrategy<Expr> {
    leaf.prop_recursive(4, 24, 4, |inner| {
        let parts = prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            inner.clone().prop_map(|inner| kind(ExprKind::Not(Box::new(tight(inner))))),
            inner.prop_map(paren),
            parts.clone().prop_map(|parts| kind(ExprKind::And(
                parts
                    .into_iter()
                    .map(|part| if matches!(part.kind, ExprKind::And(_) | ExprKind::Or(_)) {
                        paren(part)
                    } else {
                        part
                    })
                    .collect()
            ))),
            parts.prop_map(|parts| kind(ExprKind::Or(
                parts
                    .into_iter()
                    .map(|part| if matches!(part.kind, ExprKind::Or(_)) { paren(part) } else { part })
                    .collect()
            ))),
        ]
    })
    .boxed()
}

fn kql_expr() -> BoxedStrategy<Expr> {
    let value = || kql_literal().prop_map(|value| kind(ExprKind::Value(value)));
    let values = joined(value().boxed()).prop_map(|values| match values.kind {
        ExprKind::Value(_) | ExprKind::Paren(_) => values,
        _ => paren(values),
    });
    let leaf = prop_oneof![
        (kql_unquoted(), values)
            .prop_map(|(field, values)| kind(ExprKind::Field { field, values: Box::new(values) })),
        (kql_unquoted(), op(), kql_literal()).prop_map(|(field, op, value)| kind(ExprKind::Range {
            field,
            op,
            value
        })),
        value(),
    ];
    let leaf = leaf.boxed();
    let nested = (kql_unquoted(), joined(leaf.clone()))
        .prop_map(|(field, condition)| kind(ExprKind::Nested { field, condition: Box::new(condition) }));
    joined(prop_oneof![4 => leaf, 1 => nested].boxed())
}

fn lucene_value() -> BoxedStrategy<lucene::Expr> {
    let kind = |kind| lucene::Expr { kind, span: Span::default() };
    let term = || "[a-m0-9._]{1,6}".prop_map(|text| literal(Wildcard::parse(&text), false, text));
    let bound = move || prop::option::of(term());
    prop_oneof![
        term().prop_map(move |term| kind(lucene::ExprKind::Term(term))),
        "[a-z ]{1,6}".prop_map(move |text| {
            let pattern = Wildcard::from_tokens([Token::Literal((&*text).into())]);
            kind(lucene::ExprKind::Term(literal(pattern, true, format!("\"{text}\""))))
        }),
        (bound(), any::<bool>(), bound(), any::<bool>()).prop_map(
            move |(low, low_included, high, high_included)| {
                kind(lucene::ExprKind::Range { low, low_included, high, high_included })
            }
        ),
        (op(), term()).prop_map(move |(op, value)| kind(lucene::ExprKind::Compare { op, value })),
        "[a-z.+]{1,5}".prop_map(move |source| {
            let text = format!("/{source}/").into();
            kind(lucene::ExprKind::Regex { source: source.into(), text })
        }),
    ]
    .boxed()
}

fn clauses(expr: impl Strategy<Value = lucene::Expr>) -> impl Strategy<Value = Vec<Clause>> {
    let conjunction = prop_oneof![Just(None), Just(Some(Conjunction::And)), Just(Some(Conjunction::Or))];
    let modifier = prop_oneof![
        Just(None),
        Just(Some(Modifier::Plus)),
        Just(Some(Modifier::Minus)),
        Just(Some(Modifier::Not))
    ];
    let clause = (conjunction, modifier, expr).prop_map(|(conjunction, modifier, expr)| Clause {
        conjunction,
        modifier,
        expr,
    });
    prop::collection::vec(clause, 1..4).prop_map(|mut clauses| {
        if let Some(first) = clauses.first_mut() {
            first.conjunction = None;
        }
        clauses
    })
}

fn lucene_expr() -> impl Strategy<Value = lucene::Expr> {
    let kind = |kind| lucene::Expr { kind, span: Span::default() };
    let field = || "[a-m._]{1,6}".prop_map(|text| literal(Wildcard::parse(&text), false, text));
    let leaf = prop_oneof![
        lucene_value(),
        (field(), lucene_value())
            .prop_map(move |(field, value)| kind(lucene::ExprKind::Field { field, value: Box::new(value) })),
    ];
    leaf.prop_recursive(3, 16, 3, move |inner| {
        let group = clauses(inner).prop_map(move |clauses| kind(lucene::ExprKind::Group(clauses))).boxed();
        prop_oneof![
            group.clone(),
            (field(), group).prop_map(move |(field, value)| kind(lucene::ExprKind::Field {
                field,
                value: Box::new(value)
            })),
        ]
    })
}

proptest! {
    #[test]
    fn kql_trees_read_back(root in kql_expr()) {
        let query = Query { root: Some(root), span: Span::default() };
        let text = kql::format(&query);
        let read = kql::parse(&text).map_err(|error| TestCaseError::fail(format!("{text}\n{error:?}")))?;
        prop_assert!(read.same_as(&query), "{text}\n{read:?}\n{query:?}");
    }

    #[test]
    fn lucene_trees_read_back(parts in clauses(lucene_expr())) {
        let query = lucene::Query { clauses: parts, span: Span::default() };
        let text = lucene::format(&query);
        let read = lucene::parse(&text).map_err(|error| TestCaseError::fail(format!("{text}\n{error:?}")))?;
        prop_assert!(read.same_as(&query), "{text}\n{read:?}\n{query:?}");
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[a-c \\n:()<>{}\\[\\]\"*?\\\\/^~+!&|-]{0,24}|(a|not|and|or|AND|OR|NOT|TO|:|\\(|\\)| |\\*|\"|>|\\{|\\}|\\\\|null){0,16}") {
        for language in [Language::Kql, Language::Lucene] {
            let options = Options::new(&NoSchema);
            match compile(&text, language, &options) {
                Ok(compiled) => {
                    let formatted = format_source(&text, language).unwrap();
                    let again = format_source(&formatted, language);
                    prop_assert_eq!(again.as_ref(), Ok(&formatted), "{}", text);
                    let again = compile(&formatted, language, &options).unwrap();
                    prop_assert_eq!(again.condition, compiled.condition, "{}\n{}", text, formatted);
                }
                Err(findings) => {
                    prop_assert!(findings.iter().any(quell_ir::Diagnostic::is_error));
                    for finding in findings {
                        let span = finding.span.unwrap();
                        prop_assert!(text.get(span.start as usize..span.end as usize).is_some(), "{}: {:?}", text, finding);
                    }
                }
            }
        }
    }
}

#[test]
fn large_and_deep_queries_are_refused_or_read() {
    let deep = |open: &str, count: usize| open.repeat(count) + "a";
    for (text, language) in [
        (deep("(", 100_000), Language::Kql),
        (deep("not (", 100_000), Language::Kql),
        (deep("a:{", 100_000), Language::Kql),
        (format!("a:{}", deep("(", 100_000)), Language::Kql),
        (deep("(", 100_000), Language::Lucene),
        (deep("a:(", 100_000), Language::Lucene),
        ("a".repeat((1 << 20) + 1), Language::Kql),
        ("a".repeat((1 << 20) + 1), Language::Lucene),
    ] {
        let errors = compile(&text, language, &Options::new(&NoSchema)).unwrap_err();
        assert!(["E0110", "E0020"].contains(&errors[0].code.as_str()), "{:?}", errors[0]);
    }
    let wide = format!("a: ({})", vec!["b"; 100_000].join(" or "));
    assert!(compile(&wide, Language::Kql, &Options::new(&NoSchema)).is_ok());
    assert!(format_source(&wide, Language::Kql).is_ok());
}
