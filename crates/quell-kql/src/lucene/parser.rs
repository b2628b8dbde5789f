//! The parser of Lucene query strings.

use super::ast::{Clause, Conjunction, Expr, ExprKind, Modifier, Query};
use crate::Literal;
use crate::literal::Parts;
use crate::text::{Found, Text};
use quell_ir::pattern::{Token, Wildcard};
use quell_ir::{Code, Diagnostic, Span};

/// Reads a query.
///
/// # Errors
/// The first thing that is no query string.
pub fn parse(source: &str) -> Result<Query, Vec<Diagnostic>> {
    read(source).map_err(|finding| vec![*finding])
}

fn read(source: &str) -> Found<Query> {
    let mut text = Text::new(source)?;
    text.skip(is_space);
    let start = text.at;
    let clauses = clauses(&mut text)?;
    let span = Span::new(start, text.at);
    text.skip(is_space);
    if text.peek().is_some() {
        return Err(Box::new(text.expected("a clause or the end").help(
            "a sign that is meant as a character has a backslash before it, or stands in double quotes",
        )));
    }
    Ok(Query { clauses, span })
}

/// The clauses up to the end or a closing parenthesis; afterwards the place is behind the last one.
fn clauses(text: &mut Text<'_>) -> Found<Vec<Clause>> {
    let mut clauses: Vec<Clause> = Vec::new();
    loop {
        let end = text.at;
        text.skip(is_space);
        if matches!(text.peek(), None | Some(')')) {
            text.at = end;
            return Ok(clauses);
        }
        let conjunction = if clauses.is_empty() { None } else { conjunction(text) };
        let modifier = modifier(text);
        let expr = clause(text)?;
        clauses.push(Clause { conjunction, modifier, expr });
    }
}

fn conjunction(text: &mut Text<'_>) -> Option<Conjunction> {
    for (word, conjunction) in [
        ("AND", Conjunction::And),
        ("&&", Conjunction::And),
        ("OR", Conjunction::Or),
        ("||", Conjunction::Or),
    ] {
        if eat_operator(text, word) {
            text.skip(is_space);
            return Some(conjunction);
        }
    }
    None
}

fn modifier(text: &mut Text<'_>) -> Option<Modifier> {
    let modifier = if text.eat("+") {
        Modifier::Plus
    } else if text.eat("-") {
        Modifier::Minus
    } else if text.eat("!") || eat_operator(text, "NOT") {
        Modifier::Not
    } else {
        return None;
    };
    text.skip(is_space);
    Some(modifier)
}

/// Reads past an operator that is no part of a longer term.
fn eat_operator(text: &mut Text<'_>, word: &str) -> bool {
    let found = is_operator(text, word);
    if found {
        text.at += word.len();
    }
    found
}

fn is_operator(text: &Text<'_>, word: &str) -> bool {
    let goes_on = |rest: &str| rest.starts_with(|c| is_in_term(c) || matches!(c, '\\' | '*' | '?'));
    text.rest().strip_prefix(word).is_some_and(|rest| !goes_on(rest))
}

fn at_operator(text: &Text<'_>) -> bool {
    ["AND", "&&", "OR", "||", "NOT"].into_iter().any(|word| is_operator(text, word))
}

fn clause(text: &mut Text<'_>) -> Found<Expr> {
    let start = text.at;
    if starts_term(text) && !at_operator(text) {
        let term = term(text)?;
        let after = text.at;
        text.skip(is_space);
        if text.eat(":") {
            text.skip(is_space);
            let value = if text.peek() == Some('(') { group(text)? } else { value(text, true)? };
            let span = Span::new(start, value.span.end as usize);
            return Ok(Expr { kind: ExprKind::Field { field: term, value: Box::new(value) }, span });
        }
        text.at = after;
        return suffixes(text, Expr { span: term.span, kind: ExprKind::Term(term) });
    }
    if text.peek() == Some('(') { group(text) } else { value(text, false) }
}

fn group(text: &mut Text<'_>) -> Found<Expr> {
    let start = text.at;
    text.eat("(");
    let inner = text.deeper(clauses)?;
    text.skip(is_space);
    if inner.is_empty() {
        return Err(text.expected("a clause"));
    }
    if text.peek().is_some_and(|c| c != ')') {
        return Err(text.expected("a clause or `)`"));
    }
    text.close('(', start)?;
    let group = Expr { kind: ExprKind::Group(inner), span: text.span_from(start) };
    suffixes(text, group)
}

/// What one value can be.
fn value(text: &mut Text<'_>, of_field: bool) -> Found<Expr> {
    let start = text.at;
    let expr = match text.peek() {
        Some('"') => {
            let phrase = phrase(text)?;
            Expr { span: phrase.span, kind: ExprKind::Term(phrase) }
        }
        Some('[' | '{') => range(text)?,
        Some('/') => regex(text)?,
        Some('<' | '>') => compare(text)?,
        _ if starts_term(text) && !at_operator(text) => {
            let term = term(text)?;
            Expr { span: term.span, kind: ExprKind::Term(term) }
        }
        _ => {
            let help =
                "a sign that is meant as a character has a backslash before it, or stands in double quotes";
            return Err(Box::new(text.expected(if of_field { "a value" } else { "a clause" }).help(help)));
        }
    };
    debug_assert!(text.at > start, "something was read");
    suffixes(text, expr)
}

fn compare(text: &mut Text<'_>) -> Found<Expr> {
    let start = text.at;
    let Some(op) = text.order() else { return Err(text.expected("a value")) };
    let value = match text.peek() {
        Some('"') => phrase(text)?,
        _ if starts_term(text) || text.peek() == Some('-') => term(text)?,
        _ => return Err(text.expected("a value")),
    };
    Ok(Expr { kind: ExprKind::Compare { op, value }, span: text.span_from(start) })
}

/// `~2` and `^2` behind an expression.
fn suffixes(text: &mut Text<'_>, mut expr: Expr) -> Found<Expr> {
    let mut count = 0;
    loop {
        let start = text.at;
        let make: fn(Box<Expr>, Box<str>) -> ExprKind = if text.eat("~") {
            ExprKind::Fuzzy
        } else if text.eat("^") {
            ExprKind::Boost
        } else {
            return Ok(expr);
        };
        count += 1;
        if count > 2 {
            text.at = start;
            return Err(text.expected("a clause or the end"));
        }
        let number = text.at;
        text.skip(|c| c.is_ascii_digit() || c == '.');
        let written: Box<str> = text.span_from(number).text(text.source).into();
        let boost = text.source.get(start..number) == Some("^");
        if boost && written.is_empty() {
            return Err(text.expected("a number"));
        }
        let span = expr.span.to(text.span_from(start));
        expr = Expr { kind: make(Box::new(expr), written), span };
    }
}

fn term(text: &mut Text<'_>) -> Found<Literal> {
    let start = text.at;
    let mut parts = Parts::default();
    while let Some(c) = text.peek() {
        match c {
            '\\' => parts_escape(text, &mut parts)?,
            '*' | '?' => {
                text.next();
                parts.wildcard(if c == '*' { Token::AnyRun } else { Token::AnyChar });
            }
            c if is_in_term(c) => {
                text.next();
                parts.push(c);
            }
            _ => break,
        }
    }
    Ok(literal(text, start, parts.into_pattern(), false))
}

fn parts_escape(text: &mut Text<'_>, parts: &mut Parts) -> Found<()> {
    let start = text.at;
    text.next();
    if text.eat("u") {
        match text.hex_unit() {
            Some(unit) => parts.push_unit(unit),
            None => parts.push('u'),
        }
        return Ok(());
    }
    match text.next() {
        Some(c) => parts.push(c),
        None => {
            let finding = Diagnostic::new(Code::QUERY_ESCAPE, "a backslash at the end escapes nothing");
            return Err(Box::new(finding.at(text.span_from(start)).help("double the backslash")));
        }
    }
    Ok(())
}

fn phrase(text: &mut Text<'_>) -> Found<Literal> {
    let start = text.at;
    text.next();
    let mut parts = Parts::default();
    loop {
        match text.peek() {
            None => return Err(text.unclosed_quote(start)),
            Some('"') => {
                text.next();
                break;
            }
            Some('\\') if text.rest().len() > 1 => parts_escape(text, &mut parts)?,
            Some(c) => {
                text.next();
                parts.push(c);
            }
        }
    }
    Ok(literal(text, start, parts.into_pattern(), true))
}

fn regex(text: &mut Text<'_>) -> Found<Expr> {
    let start = text.at;
    text.next();
    let mut source = String::new();
    loop {
        match text.next() {
            None => {
                let finding = Diagnostic::new(Code::QUERY_UNCLOSED, "the regular expression is never closed")
                    .at(Span::new(start, text.source.len()));
                return Err(Box::new(finding.label("opened here").help(
                    "close it with `/`; a slash that is meant as a character has a backslash before it, or stands in double quotes",
                )));
            }
            Some('/') => break,
            Some('\\') if text.eat("/") => source.push('/'),
            Some('\\') => {
                source.push('\\');
                source.extend(text.next());
            }
            Some(c) => source.push(c),
        }
    }
    let span = text.span_from(start);
    let written = span.text(text.source).into();
    Ok(Expr { kind: ExprKind::Regex { source: source.into(), text: written }, span })
}

fn range(text: &mut Text<'_>) -> Found<Expr> {
    let start = text.at;
    let low_included = text.next() == Some('[');
    let low = bound(text)?;
    text.skip(is_space);
    if !text.eat("TO") || text.skip(is_space) == 0 {
        return Err(text.expected("`TO` between two bounds"));
    }
    let high = bound(text)?;
    text.skip(is_space);
    let high_included = match text.peek() {
        Some(']') => true,
        Some('}') => false,
        _ => return Err(text.expected("`]` or `}`")),
    };
    text.next();
    let kind = ExprKind::Range { low, low_included, high, high_included };
    Ok(Expr { kind, span: text.span_from(start) })
}

fn bound(text: &mut Text<'_>) -> Found<Option<Literal>> {
    text.skip(is_space);
    if text.peek() == Some('"') {
        return phrase(text).map(Some);
    }
    let start = text.at;
    let mut parts = Parts::default();
    while let Some(c) = text.peek().filter(|c| !is_space(*c) && !matches!(c, ']' | '}')) {
        if c == '\\' {
            parts_escape(text, &mut parts)?;
        } else {
            text.next();
            parts.push(c);
        }
    }
    match text.span_from(start).text(text.source) {
        "" => Err(text.expected("a bound")),
        "*" => Ok(None),
        _ => Ok(Some(literal(text, start, parts.into_pattern(), false))),
    }
}

fn literal(text: &Text<'_>, start: usize, pattern: Wildcard, quoted: bool) -> Literal {
    let span = text.span_from(start);
    Literal { pattern, quoted, text: span.text(text.source).into(), span }
}

fn starts_term(text: &Text<'_>) -> bool {
    text.peek().is_some_and(|c| {
        matches!(c, '\\' | '*' | '?') || (is_in_term(c) && !matches!(c, '+' | '-' | '<' | '>'))
    })
}

/// The characters of a term; the first is neither `+` nor `-`.
fn is_in_term(c: char) -> bool {
    !is_space(c)
        && !matches!(
            c,
            '!' | '(' | ')' | ':' | '^' | '[' | ']' | '"' | '{' | '}' | '~' | '*' | '?' | '\\' | '/'
        )
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{3000}')
}
