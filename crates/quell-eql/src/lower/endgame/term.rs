//! Expressions of the Endgame dialect: fields whole, comparisons without case and of one kind only.
//!
//! Source: the Python implementation of EQL.

use super::is_indexed;
use crate::ast::{self, ExprKind, Segment};
use crate::lower::Lowerer;
use crate::lower::expression::{Typed, all_constant, folded, negated_test, ordinal};
use crate::lower::types::Type;
use quell_ir::expr::{ArithmeticOp, CompareOp, Expr};
use quell_ir::function::find_endgame;
use quell_ir::pattern::Wildcard;
use quell_ir::{Case, Code, Diagnostic, FieldRef, FieldType, Scope, Span, Value};

/// What `count` and `unique_count` make.
const MADE_BY_PIPES: [&str; 5] = ["count", "hosts", "key", "percent", "total_hosts"];

impl Lowerer<'_> {
    pub(in crate::lower) fn term(&mut self, expr: &ast::Expr) -> Typed {
        let span = expr.span;
        match &expr.kind {
            ExprKind::Literal(literal) => Typed::constant(literal.value.clone(), span),
            ExprKind::Paren(inner) => Typed { span, ..self.term(inner) },
            ExprKind::Field(field) => self.whole(field),
            ExprKind::Sign { negative, operand } => {
                let operand = self.number_term(operand);
                if !negative {
                    return Typed { span, ..operand };
                }
                let constant = operand.value().is_some();
                folded(Expr::Negative(Box::new(operand.expr)), constant, operand.kind, span)
            }
            ExprKind::Arithmetic { op, left, right } => self.arithmetic_term(*op, left, right, span),
            ExprKind::Call(call) => self.call_term(call, span),
            ExprKind::Compare { op, left, right } => self.same(*op, left, right, span),
            ExprKind::In { operand, negated, list, .. } => {
                let found = self.member(operand, list, span);
                if *negated { negated_test(found) } else { found }
            }
            ExprKind::Not(inner) => {
                let inner = self.truth_term(inner);
                negated_test(Typed { span, ..inner })
            }
            ExprKind::And(parts) | ExprKind::Or(parts) => {
                let parts: Vec<Expr> = parts.iter().map(|part| self.truth_term(part).expr).collect();
                let constant = all_constant(&parts);
                let all = matches!(expr.kind, ExprKind::And(_));
                folded(if all { Expr::And(parts) } else { Expr::Or(parts) }, constant, Type::Boolean, span)
            }
            ExprKind::Lineage { relation, .. } => {
                self.not_a_value(&format!("{} of", relation.as_str()), span)
            }
            // The parser has refused it.
            ExprKind::Match { .. } => Typed::refused(span),
        }
    }

    fn truth_term(&mut self, expr: &ast::Expr) -> Typed {
        let term = self.term(expr);
        if term.kind.is_boolean() {
            return term;
        }
        self.report_not_boolean(expr, term.kind);
        Typed::refused(expr.span)
    }

    fn number_term(&mut self, expr: &ast::Expr) -> Typed {
        let term = self.term(expr);
        if term.kind.is_number() {
            return term;
        }
        self.report_not_a_number(expr, term.kind);
        Typed::refused(expr.span)
    }

    fn arithmetic_term(
        &mut self,
        op: ArithmeticOp,
        left: &ast::Expr,
        right: &ast::Expr,
        span: Span,
    ) -> Typed {
        let (left, right) = (self.number_term(left), self.number_term(right));
        if left.is_null() || right.is_null() {
            return Typed::constant(Value::Null, span);
        }
        let constant = left.value().is_some() && right.value().is_some();
        let rounding = match op {
            ArithmeticOp::Divide => find_endgame("divide"),
            ArithmeticOp::Modulo => find_endgame("modulo"),
            ArithmeticOp::Add | ArithmeticOp::Subtract | ArithmeticOp::Multiply => None,
        };
        let expr = match rounding {
            Some(function) => {
                Expr::Call { function, case: Case::Folded, arguments: vec![left.expr, right.expr] }
            }
            None => Expr::Arithmetic(op, Box::new(left.expr), Box::new(right.expr)),
        };
        folded(expr, constant, Type::Float, span)
    }

    /// A field as one value, or one element of it.
    fn whole(&mut self, field: &ast::Field) -> Typed {
        let span = field.span;
        let (step, field) = self.event_of_result(field);
        let index = match field.path.last() {
            Some(Segment::Index { index, .. }) => Some(*index),
            _ => None,
        };
        let names = ast::Field {
            path: field.path.iter().filter(|part| matches!(part, Segment::Name { .. })).cloned().collect(),
            ..field.clone()
        };
        if field.path.len() - names.path.len() > usize::from(index.is_some()) {
            let message = "an index takes an element of an array here only at the end of a path";
            let finding = Diagnostic::new(Code::ENDGAME_UNSUPPORTED, message).at(span);
            self.report(
                finding.help("search the elements: `arraySearch(array, element, condition on element)`"),
            );
            return Typed::refused(span);
        }
        if self.piped.as_ref().is_some_and(|piped| piped.made)
            && MADE_BY_PIPES.contains(&names.dotted().as_str())
        {
            let made = FieldRef::event(names.dotted(), FieldType::Unknown);
            return Typed::new(
                index.map_or(Expr::Whole(made.clone()), |at| Expr::Element(made, at)),
                Type::Unknown,
                span,
            );
        }
        let mut resolved = self.field(&names);
        if let (Some(step), Scope::Event) = (step, &resolved.field.scope) {
            resolved.field.scope = Scope::Step(step);
        }
        let expr = match index {
            Some(index) => Expr::Element(resolved.field, index),
            None => Expr::Whole(resolved.field),
        };
        Typed::new(expr, resolved.kind, span)
    }

    /// In a pipe, `events[2].field` is a field of the result's third event: its place where it is not the first, and the
    /// field.
    fn event_of_result(&mut self, field: &ast::Field) -> (Option<u16>, ast::Field) {
        let whole = (None, field.clone());
        let Some(events) = self.piped.as_ref().map(|piped| piped.events) else { return whole };
        let [Segment::Name { name, .. }, Segment::Index { index, span }, rest @ ..] = field.path.as_slice()
        else {
            return whole;
        };
        if &**name != "events" || !matches!(rest.first(), Some(Segment::Name { .. })) {
            return whole;
        }
        if *index >= events as u64 {
            let message = format!("a result has {events} events here, and they are counted from 0");
            let finding = Diagnostic::new(Code::ENDGAME_UNSUPPORTED, message).at(*span);
            self.report(finding.help("write a smaller number"));
        }
        let step = u16::try_from(*index).ok().filter(|index| *index > 0);
        (step, ast::Field { path: rest.to_vec(), ..field.clone() })
    }

    /// A comparison: constants to the right, `!=` as `not ==`, null as a test for presence, `*` as a wildcard. Null and
    /// patterns are such as they are written: what comes to them is not.
    fn same(&mut self, op: CompareOp, left: &ast::Expr, right: &ast::Expr, span: Span) -> Typed {
        let tests_presence = is_null_literal(left) || is_null_literal(right);
        let (left_pattern, right_pattern) = (is_pattern(left), is_pattern(right));
        let (left, right) = (self.term(left), self.term(right));
        let (op, negated) = match op {
            CompareOp::NotEqual => (CompareOp::Equal, true),
            op => (op, false),
        };
        let is_constant = (left.value().is_some(), right.value().is_some());
        let turned =
            is_constant == (true, false) || is_constant == (true, true) && left_pattern && !right_pattern;
        let (op, left, right) = if turned { (op.turned(), right, left) } else { (op, left, right) };
        let test = if tests_presence && op == CompareOp::Equal {
            absent(if right.is_null() { left } else { right }, span)
        } else if right.is_null() || left.is_null() {
            // What comes to null, as `number("x")` does, is no test for presence.
            Typed::constant(Value::Null, span)
        } else if !self.check_kinds(op, &left, &right) {
            return Typed::refused(span);
        } else {
            let pattern = op == CompareOp::Equal && (left_pattern || right_pattern);
            same_values(op, left, right, pattern, span)
        };
        if negated { negated_test(test) } else { test }
    }

    /// Reports two sides that are never of one kind, and an order of booleans.
    fn check_kinds(&mut self, op: CompareOp, left: &Typed, right: &Typed) -> bool {
        let (a, b) = (family(left.kind), family(right.kind));
        let message = if a.is_open() || b.is_open() || a == b {
            let one = if a.is_open() { b } else { a };
            if op == CompareOp::Equal || one != Type::Boolean {
                return true;
            }
            format!("`{}` has no order: booleans are equal or not", op.as_str())
        } else {
            format!(
                "`{}` is {}, `{}` is {}: they are never of one kind",
                self.text(left.span),
                left.kind.phrase(),
                self.text(right.span),
                right.kind.phrase(),
            )
        };
        let finding = Diagnostic::new(Code::KINDS_DIFFER, message).at(right.span).label(right.kind.as_str());
        let help = match (a, b) {
            (Type::Boolean, _) | (_, Type::Boolean) => "compare with `true` or `false`",
            (Type::Integer, _) => "write a number, or convert one side with `number` or `string`",
            _ => "write a text in quotes, or convert one side with `number` or `string`",
        };
        self.report(finding.help(help));
        false
    }

    fn member(&mut self, operand: &ast::Expr, list: &[ast::Expr], span: Span) -> Typed {
        let operand = self.term(operand);
        let wanted = family(operand.kind);
        let mut values: Vec<Value> = Vec::new();
        let mut tests: Vec<Expr> = Vec::new();
        let mut refused = false;
        for (place, written) in list.iter().enumerate() {
            let member = self.term(written);
            let kind = family(member.kind);
            if !wanted.is_open() && !kind.is_open() && wanted != kind {
                let message = format!(
                    "the {} member of the list is {}, `{}` is {}",
                    ordinal(place),
                    member.kind.phrase(),
                    self.text(operand.span),
                    operand.kind.phrase(),
                );
                let finding = Diagnostic::new(Code::LIST_MEMBER_TYPE, message)
                    .at(member.span)
                    .label(member.kind.as_str());
                self.report(finding.help("the members of a list are of the kind of its left side"));
                refused = true;
                continue;
            }
            match member.expr {
                // Nothing equals it.
                Expr::Constant(Value::Null) if is_null_literal(written) => {}
                null @ Expr::Constant(Value::Null) => tests.push(null),
                Expr::Constant(value) => values.push(value),
                dynamic => tests.push(Expr::Same(
                    CompareOp::Equal,
                    Box::new(operand.expr.clone()),
                    Box::new(dynamic),
                )),
            }
        }
        if refused {
            return Typed::refused(span);
        }
        let constant = operand.value().is_some() && tests.is_empty();
        let dynamic = !tests.is_empty();
        if !values.is_empty() || tests.is_empty() {
            tests.insert(0, Expr::SameAsOne { operand: Box::new(operand.expr), values });
        }
        let test = if dynamic { Expr::Or(tests) } else { tests.remove(0) };
        folded(test, constant, Type::Boolean, span)
    }

    fn report_not_a_number(&mut self, expr: &ast::Expr, kind: Type) {
        let message = format!("arithmetic needs numbers, `{}` is {}", self.text(expr.span), kind.phrase());
        let help = "read a text as a number with `number(…)`, join texts with `concat(…)`";
        self.report(
            Diagnostic::new(Code::NOT_A_NUMBER, message).at(expr.span).label(kind.as_str()).help(help),
        );
    }

    pub(super) fn report_not_boolean(&mut self, expr: &ast::Expr, kind: Type) {
        let text = self.text(expr.span);
        let message = format!("the condition must be boolean, `{text}` is {}", kind.phrase());
        let help = format!("compare it, or ask whether it has a value: `{text} != null`");
        self.report(
            Diagnostic::new(Code::NOT_BOOLEAN, message).at(expr.span).label(kind.as_str()).help(help),
        );
    }

    /// A join key's field: quell joins on fields alone.
    pub(in crate::lower) fn endgame_key<'e>(&mut self, key: &'e ast::Expr) -> Option<&'e ast::Field> {
        let field = key.unwrapped().as_field().filter(|field| !is_indexed(field));
        // A key of the whole query comes once for each step.
        if field.is_none() && !self.findings.iter().any(|finding| finding.span == Some(key.span)) {
            let message = format!("`{}` is no field, and no other join key runs", self.text(key.span));
            let finding = Diagnostic::new(Code::ENDGAME_UNSUPPORTED, message).at(key.span);
            self.report(finding.help("join on a field"));
        }
        field
    }
}

/// Texts, numbers and booleans; dates, addresses and versions are texts.
pub(super) fn family(kind: Type) -> Type {
    match kind {
        Type::Date | Type::Ip | Type::Version => Type::Keyword,
        Type::Float => Type::Integer,
        other => other,
    }
}

/// `x == null`: of a field whether it is there, be it a value or a list.
fn absent(operand: Typed, span: Span) -> Typed {
    let constant = operand.value().is_some();
    let tested = match operand.expr {
        Expr::Whole(field) => Expr::Element(field, 0),
        other => other,
    };
    folded(Expr::IsNull(Box::new(tested)), constant, Type::Boolean, span)
}

fn is_null_literal(expr: &ast::Expr) -> bool {
    matches!(&expr.unwrapped().kind, ExprKind::Literal(literal) if literal.value == Value::Null)
}

/// A text with a `*`, written as such.
fn is_pattern(expr: &ast::Expr) -> bool {
    match &expr.unwrapped().kind {
        ExprKind::Literal(literal) => matches!(&literal.value, Value::Text(text) if text.contains('*')),
        _ => false,
    }
}

fn same_values(op: CompareOp, left: Typed, right: Typed, is_pattern: bool, span: Span) -> Typed {
    let constant = left.value().is_some() && right.value().is_some();
    let pattern = match right.value() {
        Some(Value::Text(text)) if is_pattern => Some(Wildcard::parse_runs(text)),
        _ => None,
    };
    // Dates, addresses and versions have more spellings than one.
    let converted = right.value().is_some() && matches!(left.kind, Type::Date | Type::Ip | Type::Version);
    let test = match pattern {
        Some(pattern) => Expr::Like {
            operand: Box::new(Expr::Text(Box::new(left.expr))),
            patterns: vec![pattern],
            case: Case::Folded,
        },
        None if converted => Expr::Compare(op, Box::new(left.expr), Box::new(right.expr)),
        None => Expr::Same(op, Box::new(left.expr), Box::new(right.expr)),
    };
    folded(test, constant, Type::Boolean, span)
}
