//! Function calls of the Endgame dialect, and the forms that are no functions of single values.
//!
//! Source: the Python implementation of EQL.

use super::term::family;
use crate::ast;
use crate::lower::Lowerer;
use crate::lower::expression::{Typed, all_constant, folded};
use crate::lower::types::Type;
use quell_ir::diagnostic::{did_you_mean, near_names};
use quell_ir::expr::{CompareOp, Expr};
use quell_ir::function::{ENDGAME_FUNCTIONS, Function, Kind, find_endgame};
use quell_ir::pattern::{Regex, Wildcard};
use quell_ir::{Case, Code, Diagnostic, FieldRef, FieldType, Scope, Span, Value};

/// What stands in the registry's place for arrays, regular expressions and errors.
const FORMS: [&str; 6] = ["arrayContains", "arrayCount", "arraySearch", "match", "matchLite", "safe"];

impl Lowerer<'_> {
    pub(super) fn call_term(&mut self, call: &ast::Call, span: Span) -> Typed {
        match (&*call.name.text, call.arguments.as_slice()) {
            ("safe", [inner]) => Typed { span, ..self.term(inner) },
            ("safe", _) => self.refuse_count(call, "one expression", span),
            (name @ ("arraySearch" | "arrayCount"), arguments) => {
                let Some((field, condition)) = self.elements(call, arguments, span) else {
                    return Typed::refused(span);
                };
                let count = Expr::Count { field, condition: Box::new(condition) };
                if name == "arrayCount" {
                    return Typed::new(count, Type::Integer, span);
                }
                let none = Expr::Constant(Value::Integer(0));
                Typed::new(
                    Expr::Same(CompareOp::Greater, Box::new(count), Box::new(none)),
                    Type::Boolean,
                    span,
                )
            }
            ("arrayContains", [array, values @ ..]) if !values.is_empty() => {
                self.array_contains(array, values, span)
            }
            ("arrayContains", _) => self.refuse_count(call, "an array and values", span),
            ("match" | "matchLite", [source, patterns @ ..]) if !patterns.is_empty() => {
                self.match_start(call, source, patterns, span)
            }
            ("match" | "matchLite", _) => self.refuse_count(call, "a text and regular expressions", span),
            (name, _) => match find_endgame(name) {
                Some(function) => self.function_term(function, call, span),
                None => {
                    self.report_unknown_endgame(&call.name);
                    Typed::refused(span)
                }
            },
        }
    }

    fn function_term(&mut self, function: &'static Function, call: &ast::Call, span: Span) -> Typed {
        let mut arguments: Vec<Typed> = call.arguments.iter().map(|argument| self.term(argument)).collect();
        if function.name == "length"
            && let [Typed { expr: Expr::Whole(field), kind, .. }] = arguments.as_slice()
        {
            let list = self.is_list(field);
            if list || family(*kind).is_text() || field.kind == FieldType::Object {
                return Typed::new(Expr::Length { field: field.clone(), list }, Type::Integer, span);
            }
        }
        for argument in &mut arguments {
            if family(argument.kind) == Type::Keyword {
                argument.kind = Type::Keyword;
            }
        }
        if !self.check_count(function, call, &arguments, span) || !self.check_arguments(function, &arguments)
        {
            return Typed::refused(span);
        }
        if function.name == "cidrMatch" && !self.check_blocks(&arguments) {
            return Typed::refused(span);
        }
        let nulls =
            |(place, argument): (usize, &Typed)| argument.is_null() && function.null_propagates(place);
        if arguments.iter().enumerate().any(nulls) {
            return Typed::constant(Value::Null, span);
        }
        let kind =
            if function.returns == Kind::Number { Type::Float } else { Type::of_kind(function.returns) };
        let mut arguments: Vec<Expr> = arguments.into_iter().map(|argument| argument.expr).collect();
        let constant = all_constant(&arguments);
        if function.name == "wildcard" && !constant {
            // The same as `==`, read once.
            let pattern = |argument: &Expr| match argument {
                Expr::Constant(Value::Text(text)) => Some(Wildcard::parse_runs(text)),
                _ => None,
            };
            let patterns = arguments.split_off(1).iter().filter_map(pattern).collect();
            let operand = Box::new(Expr::Text(Box::new(arguments.remove(0))));
            return Typed::new(Expr::Like { operand, patterns, case: Case::Folded }, Type::Boolean, span);
        }
        folded(Expr::Call { function, case: Case::Folded, arguments }, constant, kind, span)
    }

    /// Here a block has its length written.
    fn check_blocks(&mut self, arguments: &[Typed]) -> bool {
        let address =
            |block: &&Typed| matches!(block.value(), Some(Value::Text(text)) if !text.contains('/'));
        let Some(address) = arguments.iter().skip(1).find(address) else { return true };
        let message = format!("`{}` is no address block", self.text(address.span));
        let finding = Diagnostic::new(Code::BAD_BLOCK, message).at(address.span);
        self.report(finding.help("write the length of the block behind it, such as `/32`"));
        false
    }

    fn is_list(&self, field: &FieldRef) -> bool {
        let known = if field.scope == Scope::Event { self.options.schema.field(&field.path) } else { None };
        known.is_some_and(|info| info.array)
    }

    fn array_contains(&mut self, array: &ast::Expr, values: &[ast::Expr], span: Span) -> Typed {
        let array = self.term(array);
        let values: Vec<Expr> = values.iter().map(|value| self.term(value).expr).collect();
        let values = values.into_iter().filter(|value| *value != Expr::Constant(Value::Null)).collect();
        match array.expr {
            Expr::Whole(field) => Typed::new(Expr::Contains { field, values }, Type::Boolean, span),
            Expr::Constant(Value::Null) => Typed::constant(Value::Null, span),
            _ => {
                let message = "the first argument of `arrayContains` must be an array".to_owned();
                let finding = Diagnostic::new(Code::ARGUMENT_TYPE, message).at(array.span);
                self.report(finding.label("no array").help("name a field that holds an array"));
                Typed::refused(span)
            }
        }
    }

    /// `match(source, expression, …)`: one of the expressions fits from the start on.
    fn match_start(
        &mut self,
        call: &ast::Call,
        source: &ast::Expr,
        patterns: &[ast::Expr],
        span: Span,
    ) -> Typed {
        let name = &*call.name.text;
        let source = self.term(source);
        if !family(source.kind).is_text() {
            let message = format!(
                "the first argument of `{name}` must be a string, `{}` is {}",
                self.text(source.span),
                source.kind.phrase()
            );
            let help = format!("convert it: `string({})`", self.text(source.span));
            let finding = Diagnostic::new(Code::ARGUMENT_TYPE, message).at(source.span);
            self.report(finding.label(source.kind.as_str()).help(help));
            return Typed::refused(span);
        }
        let mut expressions = Vec::new();
        for pattern in patterns {
            let pattern = self.term(pattern);
            let Some(Value::Text(text)) = pattern.value() else {
                self.report_constant_required(&format!("a regular expression of `{name}`"), &pattern);
                continue;
            };
            match Regex::parse_start(text) {
                Ok(regex) => expressions.push(regex),
                Err(error) => {
                    let help = "expressions are Python's without look-around and back-references";
                    let finding = Diagnostic::new(Code::BAD_REGEX, error.message).at(pattern.span);
                    self.report(finding.help(help));
                }
            }
        }
        if expressions.len() < patterns.len() {
            return Typed::refused(span);
        }
        let constant = source.value().is_some();
        let operand = Box::new(Expr::Text(Box::new(source.expr)));
        let test = Expr::Regex { operand, patterns: expressions, case: Case::Folded };
        folded(test, constant, Type::Boolean, span)
    }

    fn refuse_count(&mut self, call: &ast::Call, wanted: &str, span: Span) -> Typed {
        let name = &call.name.text;
        let message = format!("`{name}` takes {wanted}");
        let finding = Diagnostic::new(Code::ARGUMENT_COUNT, message).at(call.name.span.to(call.close));
        self.report(finding.help(format!("give `{name}` {wanted}")));
        Typed::refused(span)
    }

    fn report_unknown_endgame(&mut self, name: &ast::Name) {
        let names = || ENDGAME_FUNCTIONS.iter().map(|function| function.name).chain(FORMS);
        let other_case = names().find(|known| known.eq_ignore_ascii_case(&name.text));
        let near = near_names(&name.text, names());
        let help = match (other_case, did_you_mean(&near)) {
            (Some(known), _) => format!("write `{known}`: names of functions depend on case here"),
            (None, Some(question)) => question,
            (None, None) => format!("the functions are {}", names().collect::<Vec<_>>().join(", ")),
        };
        let message = format!("unknown function `{}`", name.text);
        self.report(Diagnostic::new(Code::UNKNOWN_FUNCTION, message).at(name.span).help(help));
    }
}
