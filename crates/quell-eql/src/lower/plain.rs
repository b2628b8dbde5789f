//! The plainest predicate of a leaf: what it can be, by the type of its one field.

use super::Lowerer;
use super::condition::Lowered;
use quell_ir::expr::Expr;
use quell_ir::function::Function;
use quell_ir::pattern::{IpBlock, Wildcard};
use quell_ir::plain::{compared, in_blocks, like, one_of, regex};
use quell_ir::{Case, Condition, Predicate, Span, Value};

impl Lowerer<'_> {
    /// A boolean expression as a condition.
    pub(super) fn plainest(&self, expr: Expr, span: Span) -> Lowered {
        let conditions = |parts: Vec<Predicate>| {
            Lowered::Is(Condition::any(parts.into_iter().map(|predicate| Condition::leaf(predicate, span))))
        };
        match expr {
            Expr::Constant(Value::Null) => Lowered::Null,
            Expr::Constant(value) => Lowered::constant(value == Value::Boolean(true)),
            Expr::Not(inner) => self.plainest(*inner, span).negate(),
            Expr::Field(field) => Lowered::leaf(Predicate::Boolean { field, value: true }, span),
            Expr::IsNull(inner) => match *inner {
                Expr::Field(field) => Lowered::leaf(Predicate::Exists(field), span).negate(),
                other => Lowered::leaf(Predicate::Expr(Expr::IsNull(Box::new(other))), span),
            },
            Expr::Compare(op, left, right) => match (*left, *right) {
                (Expr::Field(field), Expr::Constant(value)) => {
                    conditions(compared(field, op, &value).into_iter().collect())
                }
                (left, right) => {
                    Lowered::leaf(Predicate::Expr(Expr::Compare(op, Box::new(left), Box::new(right))), span)
                }
            },
            Expr::In { operand, values, case } => match *operand {
                Expr::Field(field) => conditions(one_of(&field, &values, case)),
                other => {
                    Lowered::leaf(Predicate::Expr(Expr::In { operand: Box::new(other), values, case }), span)
                }
            },
            Expr::Like { operand, patterns, case } => match *operand {
                Expr::Field(field) => conditions(like(field, patterns, case)),
                other => Lowered::leaf(
                    Predicate::Expr(Expr::Like { operand: Box::new(other), patterns, case }),
                    span,
                ),
            },
            Expr::Regex { operand, patterns, case } => match *operand {
                Expr::Field(field) => conditions(regex(field, patterns, case)),
                other => Lowered::leaf(
                    Predicate::Expr(Expr::Regex { operand: Box::new(other), patterns, case }),
                    span,
                ),
            },
            Expr::Call { function, case, arguments } => match self.called(function, case, &arguments) {
                Some(predicates) => conditions(predicates),
                None => Lowered::leaf(Predicate::Expr(Expr::Call { function, case, arguments }), span),
            },
            other => Lowered::leaf(Predicate::Expr(other), span),
        }
    }

    /// A function that a predicate on its first argument can answer.
    fn called(&self, function: &Function, case: Case, arguments: &[Expr]) -> Option<Vec<Predicate>> {
        let (Expr::Field(field), rest) = arguments.split_first()? else { return None };
        if function.name == "cidrMatch" {
            let blocks = rest.iter().filter_map(constant_text).filter_map(IpBlock::parse);
            return Some(vec![in_blocks(field.clone(), blocks.collect())]);
        }
        let [part] = rest else { return None };
        let part = constant_text(part)?;
        let active = self.options.strict_elasticsearch;
        let pattern = match function.name {
            "startsWith" => Wildcard::starts_with(part),
            "endsWith" if active => Wildcard::parse(&format!("*{part}")),
            "endsWith" => Wildcard::ends_with(part),
            "stringContains" if active => Wildcard::parse(&format!("*{part}*")),
            "stringContains" if part.is_empty() => return Some(Vec::new()),
            "stringContains" => Wildcard::contains(part),
            _ => return None,
        };
        Some(like(field.clone(), vec![pattern], case))
    }
}

fn constant_text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Constant(Value::Text(text)) => Some(text),
        _ => None,
    }
}
