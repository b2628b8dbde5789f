//! The two-valued level: `and`, `or`, `not` and what stands alone.

use super::{ElementScope, Lowerer};
use crate::Dialect;
use crate::ast::{self, ExprKind};
use quell_ir::expr::CompareOp;
use quell_ir::{Code, Condition, Diagnostic, Predicate, Span, Value};

/// A lowered condition, or one that is null whatever the event holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Lowered {
    Is(Condition),
    /// Folded to null before it was split: it matches nothing, and neither does `not` of it.
    Null,
}

impl Lowered {
    pub(super) fn constant(b: bool) -> Lowered {
        Lowered::Is(Condition::Constant(b))
    }

    pub(super) fn leaf(predicate: Predicate, span: Span) -> Lowered {
        Lowered::Is(Condition::leaf(predicate, span))
    }

    pub(super) fn condition(self) -> Condition {
        match self {
            Lowered::Is(condition) => condition,
            Lowered::Null => Condition::Constant(false),
        }
    }

    pub(super) fn negate(self) -> Lowered {
        match self {
            Lowered::Is(condition) => Lowered::Is(condition.negate()),
            Lowered::Null => Lowered::Null,
        }
    }

    pub(super) fn negate_if(self, negated: bool) -> Lowered {
        if negated { self.negate() } else { self }
    }
}

impl Lowerer<'_> {
    pub(super) fn condition(&mut self, expr: &ast::Expr) -> Lowered {
        match &expr.kind {
            ExprKind::Paren(inner) => self.condition(inner),
            ExprKind::Not(inner) => self.condition(inner).negate(),
            ExprKind::And(parts) => self.joined(parts, Condition::all),
            ExprKind::Or(parts) => self.joined(parts, Condition::any),
            ExprKind::Lineage { relation, filter } => {
                let filter = Box::new(self.filter(filter));
                Lowered::leaf(Predicate::Lineage { relation: *relation, filter }, expr.span)
            }
            ExprKind::Call(call) if self.is_array_search(call) => self.array_search(call, expr.span),
            ExprKind::Compare { op, left, right } => match constant_truth(*op, left, right) {
                Some((test, wanted)) => self.condition(test).negate_if(!wanted),
                None => self.leaf(expr),
            },
            _ => self.leaf(expr),
        }
    }

    fn joined(&mut self, parts: &[ast::Expr], join: fn(Vec<Condition>) -> Condition) -> Lowered {
        let parts: Vec<Lowered> = parts.iter().map(|part| self.condition(part)).collect();
        if parts.iter().all(|part| *part == Lowered::Null) {
            return Lowered::Null;
        }
        Lowered::Is(join(parts.into_iter().map(Lowered::condition).collect()))
    }

    fn leaf(&mut self, expr: &ast::Expr) -> Lowered {
        let typed = self.expression(expr);
        if !typed.kind.is_boolean() {
            let text = self.text(expr.span);
            let message = format!("the condition must be boolean, `{text}` is {}", typed.kind.phrase());
            let help = if expr.unwrapped().as_field().is_some() {
                format!("compare it, or ask whether it has a value: `{text} != null`")
            } else {
                "compare it with something".to_owned()
            };
            self.report(
                Diagnostic::new(Code::NOT_BOOLEAN, message)
                    .at(expr.span)
                    .label(typed.kind.as_str())
                    .help(help),
            );
            return Lowered::constant(false);
        }
        self.plainest(typed.expr, expr.span)
    }

    pub(super) fn is_array_search(&self, call: &ast::Call) -> bool {
        self.options.dialect == Dialect::Endpoint && call.name.text.eq_ignore_ascii_case("_arraysearch")
    }

    /// `_arraysearch(array, $element, condition)`: the condition on one element.
    fn array_search(&mut self, call: &ast::Call, span: Span) -> Lowered {
        let [array, variable, condition] = call.arguments.as_slice() else { return Lowered::constant(false) };
        let (Some(array), Some(variable)) = (array.as_field(), variable.as_field()) else {
            return Lowered::constant(false); // the parser has refused it
        };
        let (field, known_as) = self.array(array);
        self.scopes.push(ElementScope { variable: variable.dotted().into(), array: known_as });
        let condition = Box::new(self.condition(condition).condition());
        self.scopes.pop();
        Lowered::leaf(Predicate::Object { field, condition }, span)
    }
}

/// `B == true`, `false != B` and the like, where `B` is a test and no field: `B`, and what it must be.
pub(super) fn constant_truth<'e>(
    op: CompareOp,
    left: &'e ast::Expr,
    right: &'e ast::Expr,
) -> Option<(&'e ast::Expr, bool)> {
    let equal = match op {
        CompareOp::Equal => true,
        CompareOp::NotEqual => false,
        _ => return None,
    };
    let literal = |expr: &ast::Expr| match &expr.unwrapped().kind {
        ExprKind::Literal(ast::Literal { value: Value::Boolean(b), .. }) => Some(*b),
        _ => None,
    };
    let (test, wanted) = match (literal(left), literal(right)) {
        (None, Some(b)) => (left, b),
        (Some(b), None) => (right, b),
        _ => return None,
    };
    let is_test = matches!(
        test.unwrapped().kind,
        ExprKind::Call(_)
            | ExprKind::Compare { .. }
            | ExprKind::In { .. }
            | ExprKind::Match { .. }
            | ExprKind::Lineage { .. }
    );
    is_test.then_some((test, wanted == equal))
}
