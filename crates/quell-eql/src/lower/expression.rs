//! The three-valued level: checked expressions of one leaf, with constants folded.
//!
//! A null that is known here makes null of everything that null makes null; Elasticsearch folds so too.

use super::Lowerer;
use super::types::Type;
use crate::Dialect;
use crate::ast::{self, ExprKind};
use quell_ir::date::instants_of;
use quell_ir::expr::{ArithmeticOp, CompareOp, Expr};
use quell_ir::pattern::{IpBlock, Ranges, Regex, Wildcard, parse_ip};
use quell_ir::{Case, Code, Datum, Diagnostic, Severity, Span, Value, eval};
use std::collections::HashSet;

/// An expression and its type.
pub(super) struct Typed {
    pub(super) expr: Expr,
    pub(super) kind: Type,
    pub(super) span: Span,
    /// A field marked with `?`.
    pub(super) optional: bool,
}

impl Typed {
    pub(super) fn constant(value: Value, span: Span) -> Typed {
        let kind = Type::of_value(&value);
        Typed { expr: Expr::Constant(value), kind, span, optional: false }
    }

    pub(super) fn new(expr: Expr, kind: Type, span: Span) -> Typed {
        Typed { expr, kind, span, optional: false }
    }

    /// What stands for an expression that was refused: it fits everywhere, so that nothing else is reported of it.
    pub(super) fn refused(span: Span) -> Typed {
        Typed::new(
            Expr::Call { function: &REFUSED, case: Case::Sensitive, arguments: Vec::new() },
            Type::Unknown,
            span,
        )
    }

    pub(super) fn value(&self) -> Option<&Value> {
        if let Expr::Constant(value) = &self.expr { Some(value) } else { None }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self.expr, Expr::Constant(Value::Null))
    }
}

/// Stands in a tree that is thrown away, since an error was reported.
static REFUSED: quell_ir::function::Function = quell_ir::function::Function {
    name: "",
    meaning: "",
    folds: false,
    spoken: quell_ir::function::Spoken::Everywhere,
    parameters: &[],
    returns: quell_ir::function::Kind::Any,
    missing: quell_ir::function::Missing::Propagates,
    eval: |_, _| Datum::Null,
    examples: &[],
};

impl Lowerer<'_> {
    pub(super) fn expression(&mut self, expr: &ast::Expr) -> Typed {
        let span = expr.span;
        match &expr.kind {
            ExprKind::Literal(literal) => Typed::constant(literal.value.clone(), span),
            ExprKind::Paren(inner) => Typed { span, ..self.expression(inner) },
            ExprKind::Field(field) => {
                let resolved = self.field(field);
                if resolved.is_null {
                    return Typed::constant(Value::Null, span);
                }
                let optional = field.mark == ast::FieldMark::Optional;
                Typed { expr: Expr::Field(resolved.field), kind: resolved.kind, span, optional }
            }
            ExprKind::Sign { negative, operand } => self.sign(*negative, operand, span),
            ExprKind::Arithmetic { op, left, right } => self.arithmetic(*op, left, right, span),
            ExprKind::Call(call) if self.is_array_search(call) => self.not_a_value("_arraysearch", span),
            ExprKind::Lineage { relation, .. } => {
                self.not_a_value(&format!("{} of", relation.as_str()), span)
            }
            ExprKind::Call(call) => self.call(call, span),
            ExprKind::Compare { op, left, right } => {
                let (left, right) = (self.expression(left), self.expression(right));
                self.compare(*op, left, right, span)
            }
            ExprKind::In { operand, negated, folded, list, list_span } => {
                let found = self.in_list(operand, *folded, list, *list_span, span);
                if *negated { negated_test(found) } else { found }
            }
            ExprKind::Match { operand, op, patterns, list_span, .. } => {
                self.patterns(operand, *op, patterns, *list_span, span)
            }
            ExprKind::Not(inner) => {
                let inner = self.truth(inner);
                negated_test(Typed { span, ..inner })
            }
            ExprKind::And(parts) | ExprKind::Or(parts) => {
                let parts: Vec<Expr> = parts.iter().map(|part| self.truth(part).expr).collect();
                let constant = all_constant(&parts);
                let all = matches!(expr.kind, ExprKind::And(_));
                folded(if all { Expr::And(parts) } else { Expr::Or(parts) }, constant, Type::Boolean, span)
            }
        }
    }

    /// An operand of `and`, `or` or `not` inside a leaf.
    fn truth(&mut self, expr: &ast::Expr) -> Typed {
        let typed = self.expression(expr);
        if typed.kind.is_boolean() {
            return typed;
        }
        let message =
            format!("the condition must be boolean, `{}` is {}", self.text(expr.span), typed.kind.phrase());
        let finding = Diagnostic::new(Code::NOT_BOOLEAN, message).at(expr.span).label(typed.kind.as_str());
        self.report(finding.help("compare it with something"));
        Typed::refused(expr.span)
    }

    pub(super) fn not_a_value(&mut self, what: &str, span: Span) -> Typed {
        let message = format!("`{what}` is a condition of its own and no value");
        let finding = Diagnostic::new(Code::NOT_A_VALUE, message).at(span);
        self.report(finding.help("join it with `and`, `or` and `not`"));
        Typed::refused(span)
    }

    fn sign(&mut self, negative: bool, operand: &ast::Expr, span: Span) -> Typed {
        let operand = self.number(operand);
        if !negative {
            return Typed { span, optional: false, ..operand };
        }
        let constant = operand.value().is_some();
        folded(Expr::Negative(Box::new(operand.expr)), constant, operand.kind, span)
    }

    fn arithmetic(&mut self, op: ArithmeticOp, left: &ast::Expr, right: &ast::Expr, span: Span) -> Typed {
        let (left, right) = (self.number(left), self.number(right));
        if left.is_null() || right.is_null() {
            return Typed::constant(Value::Null, span);
        }
        let kind = match (left.kind, right.kind) {
            (Type::Integer, Type::Integer) => Type::Integer,
            (Type::Unknown, _) | (_, Type::Unknown) => Type::Unknown,
            _ => Type::Float,
        };
        let constant = left.value().is_some() && right.value().is_some();
        folded(Expr::Arithmetic(op, Box::new(left.expr), Box::new(right.expr)), constant, kind, span)
    }

    fn number(&mut self, expr: &ast::Expr) -> Typed {
        let typed = self.expression(expr);
        if typed.kind.is_number() {
            return typed;
        }
        let message =
            format!("arithmetic needs numbers, `{}` is {}", self.text(expr.span), typed.kind.phrase());
        let help = if typed.kind == Type::Keyword {
            "read a text as a number with `number(…)`, join texts with `concat(…)`"
        } else {
            "use a numeric field"
        };
        self.report(
            Diagnostic::new(Code::NOT_A_NUMBER, message).at(expr.span).label(typed.kind.as_str()).help(help),
        );
        Typed::refused(expr.span)
    }

    /// A comparison: literals to the right, `!=` as `not ==`, null as a test for presence.
    fn compare(&mut self, op: CompareOp, left: Typed, right: Typed, span: Span) -> Typed {
        let (op, negated) = match op {
            CompareOp::NotEqual => (CompareOp::Equal, true),
            op => (op, false),
        };
        let (op, left, right) = if left.value().is_some() && right.value().is_none() {
            (op.turned(), right, left)
        } else {
            (op, left, right)
        };
        let test = if right.is_null() {
            match op {
                CompareOp::Equal => {
                    let constant = left.value().is_some();
                    folded(Expr::IsNull(Box::new(left.expr)), constant, Type::Boolean, span)
                }
                _ => Typed::constant(Value::Null, span),
            }
        } else if left.is_null() {
            // Both are constant here: no other value is null.
            match op {
                CompareOp::Equal => Typed::constant(Value::Boolean(false), span),
                _ => Typed::constant(Value::Null, span),
            }
        } else {
            self.compare_values(op, left, right, span)
        };
        if negated { negated_test(test) } else { test }
    }

    fn compare_values(&mut self, op: CompareOp, left: Typed, right: Typed, span: Span) -> Typed {
        if let Some(value) = right.value() {
            self.check_fit(left.kind, op, value, right.span);
            let constant = left.value().is_some();
            return folded(
                Expr::Compare(op, Box::new(left.expr), Box::new(right.expr)),
                constant,
                Type::Boolean,
                span,
            );
        }
        let refused_side = matches!(&right.expr, Expr::Call { function, .. } if function.name.is_empty());
        if self.options.dialect != Dialect::Endpoint && !refused_side {
            let mut offender = None;
            right.expr.each_field(&mut |field| _ = offender.get_or_insert_with(|| field.path.to_string()));
            let message = format!(
                "comparison against the field `{}`",
                offender.unwrap_or_else(|| self.text(right.span))
            );
            let finding =
                Diagnostic::new(Code::FIELD_COMPARISON, message).at(right.span).label("not a constant");
            self.report(
                finding.help("compare with a constant; only the endpoint dialect compares two fields"),
            );
            return Typed::refused(span);
        }
        let optional = left.optional && right.optional && op == CompareOp::Equal;
        let both_null = optional.then(|| {
            let null = |expr: &Expr| Expr::IsNull(Box::new(expr.clone()));
            Expr::And(vec![null(&left.expr), null(&right.expr)])
        });
        let test = Expr::Compare(op, Box::new(left.expr), Box::new(right.expr));
        Typed::new(both_null.map_or(test.clone(), |both| Expr::Or(vec![test, both])), Type::Boolean, span)
    }

    /// Warns of a constant that the left side's type cannot hold. Elasticsearch fails on it when the query runs.
    fn check_fit(&mut self, kind: Type, op: CompareOp, value: &Value, span: Span) {
        let datum = value.datum();
        let fits = match kind {
            Type::Integer | Type::Float => datum.to_number().is_some(),
            Type::Boolean => datum.to_boolean().is_some(),
            Type::Date => instants_of(datum).is_some(),
            Type::Ip if op == CompareOp::Equal => datum.as_text().and_then(IpBlock::parse).is_some(),
            Type::Ip => datum.as_text().and_then(parse_ip).is_some(),
            Type::Version => datum.as_text().is_some(),
            Type::Keyword | Type::Null | Type::Unknown => true,
        };
        if fits {
            return;
        }
        let message = format!(
            "`{}` cannot be read as {}, so the comparison never holds",
            self.text(span),
            kind.phrase()
        );
        let help = match kind {
            Type::Date => {
                "write an instant such as \"2024-05-01T10:00:00Z\"; relative dates are not supported"
            }
            Type::Ip if op != CompareOp::Equal => "write one address",
            Type::Ip => "write an address or a block such as \"10.0.0.0/8\"",
            _ => "correct the constant",
        };
        let mut finding = Diagnostic::new(Code::CONSTANT_MISFIT, message).at(span).help(help);
        if self.options.strict_elasticsearch {
            finding = finding.severity(Severity::Error);
        }
        self.report(finding);
    }

    fn in_list(
        &mut self,
        operand: &ast::Expr,
        folded_case: bool,
        list: &[ast::Expr],
        list_span: Span,
        span: Span,
    ) -> Typed {
        let case = if folded_case { Case::Folded } else { Case::Sensitive };
        let operand = self.expression(operand);
        if folded_case && !operand.kind.is_text() {
            self.report_not_a_string("in~", "in", &operand, list_span);
            return Typed::refused(span);
        }
        let mut values: Vec<Value> = Vec::new();
        let mut seen: HashSet<Value> = HashSet::new();
        for (place, member) in list.iter().enumerate() {
            let member = self.expression(member);
            let Some(value) = member.value() else {
                self.report_constant_required("a member of a list", &member);
                continue;
            };
            if self.check_member(&operand, folded_case, place, value, member.span)
                && seen.insert(value.clone())
            {
                values.push(value.clone());
            }
        }
        if operand.is_null() || values.is_empty() {
            return Typed::constant(Value::Null, span);
        }
        let constant = operand.value().is_some();
        folded(Expr::In { operand: Box::new(operand.expr), values, case }, constant, Type::Boolean, span)
    }

    /// Whether a member is kept; one of another kind is reported, null is dropped: nothing equals it.
    fn check_member(
        &mut self,
        operand: &Typed,
        folded_case: bool,
        place: usize,
        value: &Value,
        span: Span,
    ) -> bool {
        let kind = Type::of_value(value);
        if kind == Type::Null {
            return false;
        }
        let fits = match operand.kind {
            _ if folded_case => kind == Type::Keyword,
            Type::Null | Type::Unknown => true,
            // The Endpoint's own rules list numbers for texts.
            _ if self.options.dialect == Dialect::Endpoint => true,
            // Texts name the values of these types.
            Type::Date => matches!(kind, Type::Keyword | Type::Integer),
            Type::Ip | Type::Version => kind == Type::Keyword,
            Type::Integer | Type::Float => kind.is_number(),
            Type::Keyword | Type::Boolean => kind == operand.kind,
        };
        if fits {
            self.check_fit(operand.kind, CompareOp::Equal, value, span);
            return true;
        }
        let wanted = if folded_case { Type::Keyword } else { operand.kind };
        let message = format!(
            "the {} member of the list must be {}, `{}` is {}",
            ordinal(place),
            wanted.phrase(),
            self.text(span),
            kind.phrase(),
        );
        let help = match (wanted, kind) {
            (Type::Keyword, _) => format!("write it in quotes: `\"{}\"`", self.text(span)),
            _ => format!("`{}` is {}", self.text(operand.span), operand.kind.phrase()),
        };
        self.report(
            Diagnostic::new(Code::LIST_MEMBER_TYPE, message).at(span).label(kind.as_str()).help(help),
        );
        false
    }

    fn patterns(
        &mut self,
        operand: &ast::Expr,
        op: ast::MatchOp,
        patterns: &[ast::Literal],
        list_span: Span,
        span: Span,
    ) -> Typed {
        let operand = self.expression(operand);
        if !operand.kind.is_text() {
            self.report_not_a_string(
                op.as_str(),
                if patterns.len() > 1 { "in" } else { "==" },
                &operand,
                list_span,
            );
            return Typed::refused(span);
        }
        let texts = self.pattern_texts(op.as_str(), patterns);
        let case = match op {
            ast::MatchOp::Like | ast::MatchOp::Regex => Case::Sensitive,
            ast::MatchOp::Seq | ast::MatchOp::LikeFolded | ast::MatchOp::RegexFolded => Case::Folded,
        };
        let regex = matches!(op, ast::MatchOp::Regex | ast::MatchOp::RegexFolded);
        let expressions = if regex { self.expressions(&texts, case) } else { Vec::new() };
        if operand.is_null() {
            return Typed::constant(Value::Null, span);
        }
        let constant = operand.value().is_some();
        let operand = Box::new(operand.expr);
        let test = if regex {
            Expr::Regex { operand, patterns: expressions, case }
        } else {
            Expr::Like {
                operand,
                patterns: texts.iter().map(|(text, _)| Wildcard::parse(text)).collect(),
                case,
            }
        };
        folded(test, constant, Type::Boolean, span)
    }

    fn pattern_texts<'p>(
        &mut self,
        op: &str,
        patterns: &'p [ast::Literal],
    ) -> Vec<(&'p str, &'p ast::Literal)> {
        let mut texts = Vec::new();
        for pattern in patterns {
            if let Value::Text(text) = &pattern.value {
                texts.push((&**text, pattern));
                continue;
            }
            let kind = Type::of_value(&pattern.value);
            let message =
                format!("the right side of `{op}` must be a string, `{}` is {}", pattern.text, kind.phrase());
            let help = if kind == Type::Null {
                "ask for a missing value with `== null`".to_owned()
            } else {
                format!("write it in quotes: `\"{}\"`", pattern.text)
            };
            self.report(
                Diagnostic::new(Code::PATTERN_TYPE, message).at(pattern.span).label(kind.as_str()).help(help),
            );
        }
        texts
    }

    fn expressions(&mut self, texts: &[(&str, &ast::Literal)], case: Case) -> Vec<Regex> {
        let ranges = if self.options.strict_elasticsearch && case == Case::Folded {
            Ranges::Exact
        } else {
            Ranges::Folded
        };
        let mut expressions = Vec::new();
        for (text, literal) in texts {
            let regex = Regex::parse_with(text, ranges).and_then(|regex| match regex.automaton(case) {
                Some(_) => Ok(regex),
                None => Err(regex.compile(case).err().unwrap_or(quell_ir::pattern::RegexError {
                    message: "the expression is too large".to_owned(),
                    at: None,
                })),
            });
            match regex {
                Ok(regex) => expressions.push(regex),
                Err(error) => {
                    let span = error.at.and_then(|at| inside(literal, text, at)).unwrap_or(literal.span);
                    let help = "expressions are Lucene's: they cover the whole value, `\\` makes a character literal";
                    let finding = Diagnostic::new(Code::BAD_REGEX, error.message).at(span).help(help);
                    self.report(finding);
                }
            }
        }
        expressions
    }

    fn report_not_a_string(&mut self, op: &str, instead: &str, operand: &Typed, list_span: Span) {
        let left = self.text(operand.span);
        let message = format!("`{op}` needs a string on its left, `{left}` is {}", operand.kind.phrase());
        let help = if operand.kind == Type::Ip {
            format!("use `==`, `in` or `cidrMatch({left}, …)`")
        } else {
            format!("use `{instead}`: `{left} {instead} {}`", self.text(list_span))
        };
        let finding =
            Diagnostic::new(Code::NOT_A_STRING, message).at(operand.span).label(operand.kind.as_str());
        self.report(finding.help(help));
    }

    pub(super) fn report_constant_required(&mut self, what: &str, found: &Typed) {
        let message = format!("{what} must be a constant, `{}` is none", self.text(found.span));
        let finding =
            Diagnostic::new(Code::CONSTANT_REQUIRED, message).at(found.span).label("not a constant");
        self.report(finding.help("write a constant here"));
    }
}

/// The place of an offset into a decoded string, if the string holds no escape before it.
fn inside(literal: &ast::Literal, text: &str, at: usize) -> Option<Span> {
    let quotes = if literal.text.starts_with("\"\"\"") && literal.text.len() >= 6 { 3 } else { 1 };
    let before = literal.text.get(quotes..quotes + at)?;
    let length = text.get(at..)?.chars().next().map_or(0, char::len_utf8);
    (before == text.get(..at)?).then(|| {
        let start = literal.span.start as usize + quotes + at;
        Span::new(start, start + length.max(1))
    })
}

/// Three-valued `not`, with null and constants folded.
pub(super) fn negated_test(test: Typed) -> Typed {
    let expr = match test.expr {
        Expr::Constant(Value::Boolean(b)) => Expr::Constant(Value::Boolean(!b)),
        Expr::Constant(Value::Null) => Expr::Constant(Value::Null),
        Expr::Not(inner) => *inner,
        other => Expr::Not(Box::new(other)),
    };
    Typed { expr, ..test }
}

pub(super) fn all_constant(parts: &[Expr]) -> bool {
    parts.iter().all(|part| matches!(part, Expr::Constant(_)))
}

/// The expression, or its value where all that it is made of is constant.
pub(super) fn folded(expr: Expr, constant: bool, kind: Type, span: Span) -> Typed {
    if !constant {
        return Typed::new(expr, kind, span);
    }
    let arena = bumpalo::Bump::new();
    let value = eval::constant(&expr, &arena).map(|datum| match datum {
        Datum::Null => Value::Null,
        Datum::Boolean(b) => Value::Boolean(b),
        Datum::Integer(n) => Value::Integer(n),
        Datum::Unsigned(n) => Value::Unsigned(n),
        Datum::Float(n) => Value::Float(n),
        Datum::Text(text) => Value::Text(text.into()),
    });
    match value {
        Some(value) => Typed::constant(value, span),
        None => Typed::new(expr, kind, span),
    }
}

/// `first`, `second`, …
pub(super) fn ordinal(place: usize) -> String {
    match place {
        0 => "first".to_owned(),
        1 => "second".to_owned(),
        2 => "third".to_owned(),
        3 => "fourth".to_owned(),
        4 => "fifth".to_owned(),
        n => {
            let n = n + 1;
            let ending = match (n % 10, n % 100) {
                (_, 11..=13) => "th",
                (1, _) => "st",
                (2, _) => "nd",
                (3, _) => "rd",
                _ => "th",
            };
            format!("{n}{ending}")
        }
    }
}
