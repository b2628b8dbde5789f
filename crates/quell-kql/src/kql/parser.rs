//! The parser of KQL: characters to tree, for words end only where the grammar says so.
//!
//! An unquoted value runs over blanks up to a sign or to ` and `, ` or ` or `not `, so there are no tokens apart from it.

use super::ast::{Expr, ExprKind, Query};
use crate::Literal;
use crate::literal::Parts;
use crate::text::{Found, Text};
use quell_ir::pattern::Token;
use quell_ir::{Code, Diagnostic, Span};

/// Reads a query.
///
/// # Errors
/// The first thing that is no KQL.
pub fn parse(source: &str) -> Result<Query, Vec<Diagnostic>> {
    read(source).map_err(|finding| vec![*finding])
}

fn read(source: &str) -> Found<Query> {
    let mut text = Text::new(source)?;
    text.skip(is_space);
    if text.peek().is_none() {
        return Ok(Query { root: None, span: Span::new(text.at, text.at) });
    }
    let root = or(&mut text, condition)?;
    text.skip(is_space);
    match text.peek() {
        None => Ok(Query { span: root.span, root: Some(root) }),
        Some(_) => Err(after_condition(&text)),
    }
}

/// Reads one operand.
type Operand = fn(&mut Text<'_>) -> Found<Expr>;

fn or(text: &mut Text<'_>, operand: Operand) -> Found<Expr> {
    list(text, "or", ExprKind::Or, |text| list(text, "and", ExprKind::And, operand))
}

fn list(
    text: &mut Text<'_>,
    word: &str,
    kind: fn(Vec<Expr>) -> ExprKind,
    operand: impl Fn(&mut Text<'_>) -> Found<Expr>,
) -> Found<Expr> {
    let first = operand(text)?;
    let mut parts = vec![first];
    while conjunction(text, word) {
        parts.push(operand(text)?);
    }
    if parts.len() == 1
        && let Some(only) = parts.pop()
    {
        return Ok(only);
    }
    let span = parts.iter().map(|part| part.span).reduce(Span::to).unwrap_or_default();
    Ok(Expr { kind: kind(parts), span })
}

/// Reads past `and` or `or` with the blanks around it.
fn conjunction(text: &mut Text<'_>, word: &str) -> bool {
    let start = text.at;
    if text.skip(is_space) > 0 && text.after_word(word).is_some_and(|rest| rest.starts_with(is_space)) {
        text.at += word.len();
        text.skip(is_space);
        return true;
    }
    text.at = start;
    false
}

/// Reads past `not` with the blanks behind it.
fn not(text: &mut Text<'_>) -> Option<usize> {
    let start = text.at;
    if !text.after_word("not").is_some_and(|rest| rest.starts_with(is_space)) {
        return None;
    }
    text.at += "not".len();
    text.skip(is_space);
    Some(start)
}

fn condition(text: &mut Text<'_>) -> Found<Expr> {
    let Some(start) = not(text) else { return single(text) };
    let inner = text.deeper(single)?;
    Ok(Expr { span: Span::new(start, start).to(inner.span), kind: ExprKind::Not(Box::new(inner)) })
}

fn single(text: &mut Text<'_>) -> Found<Expr> {
    if text.peek() == Some('(') { paren(text, condition) } else { expression(text) }
}

fn paren(text: &mut Text<'_>, operand: Operand) -> Found<Expr> {
    let start = text.at;
    text.eat("(");
    text.skip(is_space);
    let inner = text.deeper(|text| or(text, operand))?;
    text.skip(is_space);
    text.close('(', start)?;
    Ok(Expr { kind: ExprKind::Paren(Box::new(inner)), span: text.span_from(start) })
}

/// `field: …`, `field > …`, or a value alone.
fn expression(text: &mut Text<'_>) -> Found<Expr> {
    let first = literal(text, "a field or a value")?;
    let after = text.at;
    text.skip(is_space);
    if text.eat(":") {
        text.skip(is_space);
        if text.peek() == Some('{') {
            return nested(text, first);
        }
        let values = values(text)?;
        let span = first.span.to(values.span);
        return Ok(Expr { kind: ExprKind::Field { field: first, values: Box::new(values) }, span });
    }
    if let Some(op) = text.order() {
        text.skip(is_space);
        let value = literal(text, "a value")?;
        let span = first.span.to(value.span);
        return Ok(Expr { kind: ExprKind::Range { field: first, op, value }, span });
    }
    text.at = after;
    Ok(Expr { span: first.span, kind: ExprKind::Value(first) })
}

fn nested(text: &mut Text<'_>, field: Literal) -> Found<Expr> {
    let start = text.at;
    text.eat("{");
    text.skip(is_space);
    let condition = text.deeper(|text| or(text, condition))?;
    text.skip(is_space);
    text.close('{', start)?;
    let span = field.span.to(text.span_from(start));
    Ok(Expr { kind: ExprKind::Nested { field, condition: Box::new(condition) }, span })
}

/// What stands behind the colon.
fn values(text: &mut Text<'_>) -> Found<Expr> {
    if text.peek() == Some('(') {
        return paren(text, negated_values);
    }
    let value = literal(text, "a value")?;
    Ok(Expr { span: value.span, kind: ExprKind::Value(value) })
}

fn negated_values(text: &mut Text<'_>) -> Found<Expr> {
    let Some(start) = not(text) else { return values(text) };
    let inner = text.deeper(values)?;
    Ok(Expr { span: Span::new(start, start).to(inner.span), kind: ExprKind::Not(Box::new(inner)) })
}

fn literal(text: &mut Text<'_>, what: &str) -> Found<Literal> {
    if text.peek() == Some('"') { quoted(text) } else { unquoted(text, what) }
}

fn quoted(text: &mut Text<'_>) -> Found<Literal> {
    let start = text.at;
    text.next();
    let mut parts = Parts::default();
    loop {
        match text.next() {
            None => return Err(text.unclosed_quote(start)),
            Some('"') => break,
            Some('\\') => {
                let after = text.at;
                match text.next() {
                    Some('t') => parts.push('\t'),
                    Some('r') => parts.push('\r'),
                    Some('n') => parts.push('\n'),
                    Some(c @ ('\\' | '"')) => parts.push(c),
                    Some('u') => match text.hex_unit() {
                        Some(unit) => parts.push_unit(unit),
                        None => parts.push_str("\\u"),
                    },
                    // Before anything else a backslash is itself.
                    _ => {
                        text.at = after;
                        parts.push('\\');
                    }
                }
            }
            Some(c) => parts.push(c),
        }
    }
    let span = text.span_from(start);
    Ok(Literal { pattern: parts.into_pattern(), quoted: true, text: span.text(text.source).into(), span })
}

fn unquoted(text: &mut Text<'_>, what: &str) -> Found<Literal> {
    let start = text.at;
    let mut parts = Parts::default();
    // The end of what is no blank: the literal is trimmed.
    let mut end = start;
    while let Some(c) = text.peek() {
        match c {
            '\\' => escape(text, &mut parts)?,
            '*' => {
                text.next();
                parts.wildcard(Token::AnyRun);
            }
            '(' | ')' | ':' | '<' | '>' | '"' | '{' | '}' => break,
            _ if at_keyword(text) => break,
            c => {
                text.next();
                parts.push(c);
                if c.is_whitespace() {
                    continue;
                }
            }
        }
        end = text.at;
    }
    if end == start {
        return Err(missing(text, what));
    }
    let span = Span::new(start, end);
    Ok(Literal { pattern: parts.into_trimmed(), quoted: false, text: span.text(text.source).into(), span })
}

fn escape(text: &mut Text<'_>, parts: &mut Parts) -> Found<()> {
    let start = text.at;
    text.next();
    match text.peek() {
        Some('t') => parts.push('\t'),
        Some('r') => parts.push('\r'),
        Some('n') => parts.push('\n'),
        Some(c @ ('\\' | '(' | ')' | ':' | '<' | '>' | '"' | '*' | '{' | '}')) => parts.push(c),
        _ => {
            if text.eat("u")
                && let Some(unit) = text.hex_unit()
            {
                parts.push_unit(unit);
                return Ok(());
            }
            for word in ["or", "and"] {
                if text.after_word(word).is_some() {
                    parts.push_str(text.rest().get(..word.len()).unwrap_or(word));
                    text.at += word.len();
                    return Ok(());
                }
            }
            let span = Span::new(start, text.here().end as usize);
            let finding =
                Diagnostic::new(Code::QUERY_ESCAPE, format!("unknown escape `{}`", span.text(text.source)));
            return Err(Box::new(
                finding.at(span).help("double the backslash, or put the value in double quotes"),
            ));
        }
    }
    text.next();
    Ok(())
}

/// Whether ` and `, ` or ` or `not ` stands here.
fn at_keyword(text: &Text<'_>) -> bool {
    let followed = |rest: &str| rest.starts_with(is_space);
    if text.after_word("not").is_some_and(followed) {
        return true;
    }
    let Some(c) = text.peek().filter(|c| is_space(*c)) else { return false };
    ["or", "and"].iter().any(|word| text.word_at(text.at + c.len_utf8(), word).is_some_and(followed))
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n' | '\u{a0}')
}

/// That a field or value must stand here.
fn missing(text: &Text<'_>, what: &str) -> Box<Diagnostic> {
    let finding = text.expected(what);
    let word = ["not", "or", "and"]
        .into_iter()
        .find(|word| text.after_word(word).is_some_and(|rest| rest.is_empty() || rest.starts_with(is_space)));
    match (text.peek(), word) {
        (_, Some("not")) => Box::new(
            finding
                .help("`not` stands once before a condition; put a text with `not` in it in double quotes"),
        ),
        (Some('(' | ')' | ':' | '<' | '>' | '{' | '}'), _) => {
            Box::new(finding.help("put a text with signs in double quotes, or a backslash before each"))
        }
        _ => finding,
    }
}

/// That no condition can go on like this.
fn after_condition(text: &Text<'_>) -> Box<Diagnostic> {
    let finding = text.expected("`and`, `or` or the end");
    let help = match text.peek() {
        Some(')' | '}') => "nothing is open here",
        Some('(') => {
            "join conditions by `and` or `or`, with blanks around them; a blank stands behind `not` too"
        }
        Some(':' | '<' | '>') => "put a value with signs in double quotes",
        _ if text.after_word("not").is_some_and(|rest| rest.starts_with(is_space)) => {
            "a value cannot hold `not `: put it in double quotes, or write `and not`"
        }
        _ => "join conditions by `and` or `or`, with blanks around them",
    };
    Box::new(finding.help(help))
}
