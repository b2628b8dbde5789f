//! Conditions of the Endgame dialect: three-valued throughout, lowered to a two-valued tree that gives the same answer.
//!
//! A condition holds where it is true and `not` of it where it is false; null is neither. So each part is lowered for
//! the answer that is wanted of it: `not` turns the answer round on its way down, `and` and `or` follow Kleene, and a leaf
//! that is wanted false asks that its fields be there. Source: the Python implementation of EQL.

mod call;
mod plain;
mod term;

use super::condition::constant_truth;
use super::{ElementScope, Lowerer};
use crate::ast::{self, ExprKind};
use quell_ir::{Code, Condition, Diagnostic, Predicate, Span};

impl Lowerer<'_> {
    /// Where an expression has the wanted answer.
    pub(super) fn decided(&mut self, expr: &ast::Expr, wanted: bool) -> Condition {
        match &expr.kind {
            ExprKind::Paren(inner) => self.decided(inner, wanted),
            ExprKind::Not(inner) => self.decided(inner, !wanted),
            ExprKind::And(parts) => self.all_decided(parts, wanted, wanted),
            ExprKind::Or(parts) => self.all_decided(parts, wanted, !wanted),
            ExprKind::Lineage { .. } if self.piped.is_some() => {
                let message = "a pipe has no processes to look at";
                let finding = Diagnostic::new(Code::NOT_A_VALUE, message).at(expr.span);
                self.report(finding.help("put the relationship in front of the pipes"));
                Condition::Constant(false)
            }
            ExprKind::Lineage { relation, filter } => {
                let filter = Box::new(self.filter(filter));
                answered(Predicate::Lineage { relation: *relation, filter }, wanted, expr.span)
            }
            ExprKind::Call(call) => match (&*call.name.text, call.arguments.as_slice()) {
                ("safe", [inner]) => self.decided(inner, wanted),
                ("arraySearch", arguments) => match self.elements(call, arguments, expr.span) {
                    Some((field, condition)) => {
                        let condition = Box::new(condition);
                        answered(Predicate::Object { field, condition }, wanted, expr.span)
                    }
                    None => Condition::Constant(false),
                },
                _ => self.leaf_decided(expr, wanted),
            },
            ExprKind::Compare { op, left, right } => match constant_truth(*op, left, right) {
                Some((test, truth)) => self.decided(test, wanted == truth),
                None => self.leaf_decided(expr, wanted),
            },
            _ => self.leaf_decided(expr, wanted),
        }
    }

    fn all_decided(&mut self, parts: &[ast::Expr], wanted: bool, all: bool) -> Condition {
        let parts: Vec<Condition> = parts.iter().map(|part| self.decided(part, wanted)).collect();
        if all { Condition::all(parts) } else { Condition::any(parts) }
    }

    fn leaf_decided(&mut self, expr: &ast::Expr, wanted: bool) -> Condition {
        let term = self.term(expr);
        if !term.kind.is_boolean() {
            self.report_not_boolean(expr, term.kind);
            return Condition::Constant(false);
        }
        self.answer(term.expr, wanted, expr.span)
    }

    /// `(array, element, condition)`: the array, and the condition on one element.
    fn elements(
        &mut self,
        call: &ast::Call,
        arguments: &[ast::Expr],
        span: Span,
    ) -> Option<(quell_ir::FieldRef, Condition)> {
        let name = &call.name.text;
        let shape = match arguments {
            [array, variable, condition] => {
                let array = array.unwrapped().as_field().filter(|field| !is_indexed(field));
                let bare = |field: &&ast::Field| field.path.len() == 1 && !is_indexed(field);
                array
                    .zip(variable.as_field().filter(bare))
                    .map(|(array, variable)| (array, variable, condition))
            }
            _ => None,
        };
        let Some((array, variable, condition)) = shape else {
            let message = format!("`{name}` takes an array, a name for its elements and a condition");
            let finding = Diagnostic::new(Code::ARRAY_SEARCH_SHAPE, message).at(span);
            self.report(finding.help(format!("write `{name}(array, element, condition on element)`")));
            return None;
        };
        let (field, known_as) = self.array(array);
        self.scopes.push(ElementScope { variable: variable.dotted().into(), array: known_as });
        let condition = self.decided(condition, true);
        self.scopes.pop();
        Some((field, condition))
    }
}

/// A test that is never null.
fn answered(predicate: Predicate, wanted: bool, span: Span) -> Condition {
    let leaf = Condition::leaf(predicate, span);
    if wanted { leaf } else { leaf.negate() }
}

/// Whether a path takes an element of an array.
pub(super) fn is_indexed(field: &ast::Field) -> bool {
    field.path.iter().any(|segment| matches!(segment, ast::Segment::Index { .. }))
}
