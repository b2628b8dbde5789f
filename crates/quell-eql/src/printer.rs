//! The formatter: a tree to text in one style, which parses to the same tree.
//!
//! Two columns of indentation, lines of up to 100 characters. A condition that does not fit has one operand of its outermost
//! `and` or `or` on a line; lists are filled; each step of a sequence begins a line. Literals and names stay as written.

use std::borrow::Cow;

use quell_ir::{Diagnostic, Span};

use crate::Dialect;
use crate::ast::{
    ArithmeticOp, Body, Call, Expr, ExprKind, Field, FieldMark, Filter, Literal, Query, Segment, Step,
};
use crate::layout::{Breaks, Layout};
use crate::lexer::Keyword;
use crate::parser::parse_with_comments;

/// The query in the one style, without comments and without a line end after the last line.
#[must_use]
pub fn format(query: &Query) -> String {
    let mut printer = Printer { layout: Layout::new() };
    printer.query(query);
    printer.layout.render("", &[])
}

/// The query of `source` in the one style, its comments kept, without a line end after the last line.
///
/// # Errors
/// Those of [`crate::parse`].
pub fn format_source(source: &str, dialect: Dialect) -> Result<String, Vec<Diagnostic>> {
    let (query, comments) = parse_with_comments(source, dialect)?;
    let mut printer = Printer { layout: Layout::new() };
    printer.query(&query);
    Ok(printer.layout.render(source, &comments))
}

/// How tight an expression binds; an operand that binds less tight than its place asks for stands in parentheses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Or,
    And,
    Not,
    Comparison,
    Sum,
    Product,
    Sign,
    Predicate,
    Primary,
}

fn binding(kind: &ExprKind) -> Binding {
    match kind {
        ExprKind::Or(_) => Binding::Or,
        ExprKind::And(_) => Binding::And,
        ExprKind::Not(_) => Binding::Not,
        ExprKind::Compare { .. } => Binding::Comparison,
        ExprKind::Arithmetic { op: ArithmeticOp::Add | ArithmeticOp::Subtract, .. } => Binding::Sum,
        ExprKind::Arithmetic { .. } => Binding::Product,
        ExprKind::Sign { .. } => Binding::Sign,
        ExprKind::In { .. } | ExprKind::Match { .. } => Binding::Predicate,
        ExprKind::Literal(_)
        | ExprKind::Field(_)
        | ExprKind::Call(_)
        | ExprKind::Paren(_)
        | ExprKind::Lineage { .. } => Binding::Primary,
    }
}

struct Printer<'t> {
    layout: Layout<'t>,
}

impl<'t> Printer<'t> {
    fn query(&mut self, query: &'t Query) {
        let pipe_breaks = if let Body::Event(_) = query.body { Breaks::WithGroup } else { Breaks::Always };
        self.layout.open();
        match &query.body {
            Body::Event(filter) => self.filter(filter),
            Body::Sequence(sequence) => {
                self.head("sequence", sequence.span, &sequence.by);
                if let Some(maxspan) = &sequence.maxspan {
                    self.layout.put(" with maxspan=");
                    let length = format!("{}{}", maxspan.amount, maxspan.unit.as_str());
                    self.layout.put_at(length, maxspan.span.start);
                }
                self.steps(&sequence.steps, sequence.until.as_deref());
            }
            Body::Sample(sample) => {
                self.head("sample", sample.span, &sample.by);
                self.steps(&sample.steps, None);
            }
            Body::Join(join) => {
                self.head("join", join.span, &join.by);
                self.steps(&join.steps, join.until.as_deref());
            }
        }
        for pipe in &query.pipes {
            self.layout.line(" ", pipe_breaks);
            self.layout.put_at("|", pipe.span.start);
            self.layout.put(" ");
            self.layout.put_at(&*pipe.name.text, pipe.name.span.start);
            for (at, argument) in pipe.arguments.iter().enumerate() {
                self.layout.put(if at == 0 { " " } else { ", " });
                self.expr(argument);
            }
        }
        self.layout.close();
    }

    fn head(&mut self, word: &'static str, span: Span, by: &'t [Expr]) {
        self.layout.put_at(word, span.start);
        self.layout.indent();
        self.keys(by);
        self.layout.dedent();
    }

    /// ` by a, b`, filled.
    fn keys(&mut self, keys: &'t [Expr]) {
        if keys.is_empty() {
            return;
        }
        self.layout.put(" by ");
        self.layout.indent();
        self.layout.open();
        for (at, key) in keys.iter().enumerate() {
            if at > 0 {
                self.layout.put(",");
                self.layout.line(" ", Breaks::WhenFull);
            }
            self.expr(key);
        }
        self.layout.close();
        self.layout.dedent();
    }

    fn steps(&mut self, steps: &'t [Step], until: Option<&'t Step>) {
        self.layout.indent();
        for step in steps {
            self.layout.line("", Breaks::Always);
            self.step(step);
        }
        self.layout.dedent();
        if let Some(step) = until {
            self.layout.line("", Breaks::Always);
            self.layout.put("until ");
            self.step(step);
        }
    }

    fn step(&mut self, step: &'t Step) {
        self.layout.open();
        self.layout.put_at(if step.missing { "![" } else { "[" }, step.span.start);
        self.filter(&step.filter);
        self.layout.closing_line(Breaks::ForComment);
        self.layout.put_at("]", step.close.start);
        if let Some(fork) = &step.fork {
            self.layout.put(" ");
            self.layout.put_at(if fork.value { "fork" } else { "fork=false" }, fork.span.start);
        }
        self.layout.indent();
        self.keys(&step.by);
        self.layout.dedent();
        if let Some(runs) = &step.runs {
            self.layout.put(" ");
            self.layout.put_at(format!("with runs={}", runs.count), runs.span.start);
        }
        if let Some(alias) = &step.alias {
            self.layout.put(" as ");
            self.layout.put_at(&*alias.text, alias.span.start);
        }
        self.layout.close();
    }

    /// `category where condition`, the condition's further lines one level deeper.
    fn filter(&mut self, filter: &'t Filter) {
        self.layout.put_at(&*filter.category.text, filter.category.span.start);
        self.layout.put(" where");
        self.layout.indent();
        self.layout.open();
        self.layout.line(" ", Breaks::WhenFull);
        self.operands(&filter.condition);
        self.layout.close();
        self.layout.dedent();
    }

    /// The operands of `and` or `or`, with the line ends of the group around them; anything else as it is.
    fn operands(&mut self, expr: &'t Expr) {
        let (operands, word, least) = match &expr.kind {
            ExprKind::And(operands) => (operands, " and", Binding::Not),
            ExprKind::Or(operands) => (operands, " or", Binding::And),
            _ => return self.expr(expr),
        };
        for (at, operand) in operands.iter().enumerate() {
            if at > 0 {
                self.layout.put(word);
                self.layout.line(" ", Breaks::WithGroup);
            }
            self.operand(operand, least);
        }
    }

    /// An operand in a place that asks for `least`.
    fn operand(&mut self, expr: &'t Expr, least: Binding) {
        if binding(&expr.kind) < least {
            self.parenthesised(expr, None);
        } else {
            self.expr(expr);
        }
    }

    fn parenthesised(&mut self, inner: &'t Expr, span: Option<Span>) {
        self.layout.open();
        match span {
            Some(span) => self.layout.put_at("(", span.start),
            None => self.layout.put("("),
        }
        self.layout.indent();
        self.layout.line("", Breaks::WithGroup);
        self.operands(inner);
        self.layout.dedent();
        self.layout.closing_line(Breaks::WithGroup);
        match span {
            Some(span) => self.closing(")", span),
            None => self.layout.put(")"),
        }
        self.layout.close();
    }

    /// The last character of `span`.
    fn closing(&mut self, bracket: &'static str, span: Span) {
        self.layout.put_at(bracket, span.end.saturating_sub(1));
    }

    fn expr(&mut self, expr: &'t Expr) {
        match &expr.kind {
            ExprKind::Literal(literal) => self.literal(literal),
            ExprKind::Field(field) => self.field(field),
            ExprKind::Call(call) => self.call(call),
            ExprKind::Paren(inner) => self.parenthesised(inner, Some(expr.span)),
            ExprKind::Not(operand) => {
                self.layout.put_at("not", expr.span.start);
                self.layout.put(" ");
                self.operand(operand, Binding::Not);
            }
            ExprKind::And(_) | ExprKind::Or(_) => {
                self.layout.indent();
                self.layout.open();
                self.operands(expr);
                self.layout.close();
                self.layout.dedent();
            }
            ExprKind::Compare { op, left, right } => {
                self.operand(left, Binding::Sum);
                self.infix(op.as_str());
                self.operand(right, Binding::Sum);
            }
            ExprKind::Arithmetic { op, left, right } => {
                let product = binding(&expr.kind) == Binding::Product;
                let (first, second) = if product {
                    (Binding::Product, Binding::Sign)
                } else {
                    (Binding::Sum, Binding::Product)
                };
                self.part(left, first);
                self.infix(op.as_str());
                self.part(right, second);
            }
            ExprKind::Sign { negative, operand } => {
                self.layout.put_at(if *negative { "-" } else { "+" }, expr.span.start);
                self.part(operand, Binding::Sign);
            }
            ExprKind::In { operand, negated, folded, list, list_span } => {
                self.operand(operand, Binding::Primary);
                self.layout.put(match (negated, folded) {
                    (false, false) => " in ",
                    (false, true) => " in~ ",
                    (true, false) => " not in ",
                    (true, true) => " not in~ ",
                });
                self.list(list, *list_span, Breaks::WhenFull, Self::operands);
            }
            ExprKind::Match { operand, op, patterns, parens, list_span } => {
                self.operand(operand, Binding::Primary);
                self.infix(op.as_str());
                match patterns.as_slice() {
                    [pattern] if !parens => self.literal(pattern),
                    _ => self.list(patterns, *list_span, Breaks::WhenFull, Self::literal),
                }
            }
            ExprKind::Lineage { relation, filter } => {
                self.layout.open();
                self.layout.put_at(relation.as_str(), expr.span.start);
                self.layout.put(" of [");
                self.layout.indent();
                self.layout.line("", Breaks::WithGroup);
                self.filter(filter);
                self.layout.dedent();
                self.layout.closing_line(Breaks::WithGroup);
                self.closing("]", expr.span);
                self.layout.close();
            }
        }
    }

    /// An operand of arithmetic: a list test stands in parentheses, since it binds looser in the Endgame dialect.
    fn part(&mut self, expr: &'t Expr, least: Binding) {
        if let ExprKind::In { .. } = expr.kind {
            self.parenthesised(expr, None);
        } else {
            self.operand(expr, least);
        }
    }

    fn infix(&mut self, operator: &'static str) {
        self.layout.put(" ");
        self.layout.put(operator);
        self.layout.put(" ");
    }

    /// `(a, b)`; `span` is that of the parentheses.
    fn list<T>(&mut self, members: &'t [T], span: Span, breaks: Breaks, member: fn(&mut Self, &'t T)) {
        self.layout.open();
        self.layout.put("(");
        self.layout.indent();
        for (at, each) in members.iter().enumerate() {
            if at == 0 {
                self.layout.line("", Breaks::WithGroup);
            } else {
                self.layout.put(",");
                self.layout.line(" ", breaks);
            }
            member(self, each);
        }
        self.layout.dedent();
        self.layout.closing_line(if members.is_empty() { Breaks::ForComment } else { Breaks::WithGroup });
        self.closing(")", span);
        self.layout.close();
    }

    fn call(&mut self, call: &'t Call) {
        let mut arguments = call.arguments.as_slice();
        if call.method
            && let Some((receiver, rest)) = arguments.split_first()
        {
            self.operand(receiver, Binding::Primary);
            self.layout.put(":");
            arguments = rest;
        }
        self.layout.put_at(&*call.name.text, call.name.span.start);
        if call.folded {
            self.layout.put("~");
        }
        let simple = |expr: &Expr| matches!(expr.kind, ExprKind::Literal(_) | ExprKind::Field(_));
        let breaks = if arguments.iter().all(simple) { Breaks::WhenFull } else { Breaks::WithGroup };
        self.list(arguments, call.close, breaks, Self::expr);
    }

    fn literal(&mut self, literal: &'t Literal) {
        self.layout.put_at(&*literal.text, literal.span.start);
    }

    fn field(&mut self, field: &'t Field) {
        let mut text = String::new();
        text.push_str(match field.mark {
            FieldMark::Plain => "",
            FieldMark::Optional => "?",
            FieldMark::Variable => "$",
        });
        for (at, segment) in field.path.iter().enumerate() {
            match segment {
                Segment::Name { name, quoted, .. } => {
                    if at > 0 {
                        text.push('.');
                    }
                    text.push_str(&written_name(name, *quoted));
                }
                Segment::Index { index, .. } => text.push_str(&format!("[{index}]")),
            }
        }
        self.layout.put_at(text, field.span.start);
    }
}

/// A part of a path, in backticks where it was or has to be.
fn written_name(name: &str, quoted: bool) -> Cow<'_, str> {
    let mut chars = name.chars();
    let bare = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_' || c == '@')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && Keyword::of(name).is_none();
    if bare && !quoted { Cow::Borrowed(name) } else { Cow::Owned(format!("`{}`", name.replace('`', "``"))) }
}
