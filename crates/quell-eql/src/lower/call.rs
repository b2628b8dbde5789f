//! Function calls: names, numbers and types of arguments.

use super::Lowerer;
use super::expression::{Typed, all_constant, folded, ordinal};
use super::types::Type;
use crate::ast;
use quell_ir::diagnostic::{did_you_mean, near_names};
use quell_ir::expr::Expr;
use quell_ir::function::{self, FUNCTIONS, Function, Kind};
use quell_ir::pattern::{IpBlock, Wildcard};
use quell_ir::{Case, Code, Diagnostic, Span, Value};

/// Functions of the Endgame dialect, and what to write instead.
const ELSEWHERE: &[(&str, &str)] = &[
    ("arrayContains", "compare the field: `field == value` holds where any of its values does"),
    ("arrayCount", "elements of a list cannot be counted"),
    ("arraySearch", "the endpoint dialect has `_arraysearch(array, $entry, condition)`"),
    ("_arraysearch", "select the endpoint dialect, which has it"),
    ("match", "write `field regex~ \"expression\"`, which covers the whole value"),
    ("matchLite", "write `field regex~ \"expression\"`, which covers the whole value"),
    ("safe", "leave it out: a value of the wrong type gives null"),
];

impl Lowerer<'_> {
    pub(super) fn call(&mut self, call: &ast::Call, span: Span) -> Typed {
        let arguments: Vec<Typed> = call.arguments.iter().map(|argument| self.expression(argument)).collect();
        let Some(function) = function::find(&call.name.text) else {
            self.report_unknown_function(&call.name);
            return Typed::refused(span);
        };
        if call.folded && !function.folds {
            let message = format!("`{}` has no form that ignores case", function.name);
            let finding = Diagnostic::new(Code::NO_FOLDED_FORM, message).at(call.name.span);
            self.report(finding.help(format!("write `{}` without the `~`", call.name.text)));
            return Typed::refused(span);
        }
        if !self.check_count(function, call, &arguments, span) || !self.check_arguments(function, &arguments)
        {
            return Typed::refused(span);
        }
        let case = if call.folded { Case::Folded } else { Case::Sensitive };
        self.checked_call(function, case, arguments, span)
    }

    fn checked_call(
        &self,
        function: &'static Function,
        case: Case,
        arguments: Vec<Typed>,
        span: Span,
    ) -> Typed {
        if arguments.iter().enumerate().any(|(i, argument)| argument.is_null() && function.null_propagates(i))
        {
            return Typed::constant(Value::Null, span);
        }
        let kind = match function.returns {
            // Arithmetic on integers stays integer.
            Kind::Number if function.name != "number" => {
                let all = |wanted: Type| arguments.iter().all(|argument| argument.kind == wanted);
                let any = |wanted: Type| arguments.iter().any(|argument| argument.kind == wanted);
                match () {
                    () if all(Type::Integer) => Type::Integer,
                    () if any(Type::Unknown) => Type::Unknown,
                    () => Type::Float,
                }
            }
            returns => Type::of_kind(returns),
        };
        let mut arguments: Vec<Expr> = arguments.into_iter().map(|argument| argument.expr).collect();
        let constant = all_constant(&arguments);
        if function.name == "wildcard" && !constant {
            // The same as `like`.
            let patterns = arguments.split_off(1).iter().filter_map(pattern).collect();
            let operand = Box::new(arguments.remove(0));
            return Typed::new(Expr::Like { operand, patterns, case }, Type::Boolean, span);
        }
        folded(Expr::Call { function, case, arguments }, constant, kind, span)
    }

    fn report_unknown_function(&mut self, name: &ast::Name) {
        let near = near_names(&name.text, FUNCTIONS.iter().map(|function| function.name));
        let elsewhere = ELSEWHERE.iter().find(|(other, _)| other.eq_ignore_ascii_case(&name.text));
        let help = match (elsewhere, did_you_mean(&near)) {
            (Some((_, instead)), _) => (*instead).to_owned(),
            (None, Some(question)) => question,
            (None, None) => {
                let names: Vec<&str> = FUNCTIONS.iter().map(|function| function.name).collect();
                format!("the functions are {}", names.join(", "))
            }
        };
        let message = format!("unknown function `{}`", name.text);
        self.report(Diagnostic::new(Code::UNKNOWN_FUNCTION, message).at(name.span).help(help));
    }

    pub(super) fn check_count(
        &mut self,
        function: &Function,
        call: &ast::Call,
        arguments: &[Typed],
        span: Span,
    ) -> bool {
        let (fewest, most) = function.arity();
        let count = arguments.len();
        if count >= fewest && most.is_none_or(|most| count <= most) {
            return true;
        }
        let plural = |n: usize| if n == 1 { "argument" } else { "arguments" };
        let wanted = match most {
            Some(most) if most == fewest => format!("{fewest} {}", plural(fewest)),
            Some(most) => format!("{fewest} to {most} arguments"),
            None => format!("at least {fewest} {}", plural(fewest)),
        };
        let message = format!("`{}` takes {wanted}, not {count}", function.name);
        let at = match most.and_then(|most| arguments.get(most)) {
            Some(superfluous) => superfluous.span.to(arguments.last().map_or(span, |last| last.span)),
            None => call.name.span.to(call.close),
        };
        self.report(
            Diagnostic::new(Code::ARGUMENT_COUNT, message)
                .at(at)
                .help(format!("its form is `{}`", function.signature())),
        );
        false
    }

    pub(super) fn check_arguments(&mut self, function: &Function, arguments: &[Typed]) -> bool {
        let mut good = true;
        for (place, argument) in arguments.iter().enumerate() {
            let Some(parameter) = function.parameter(place) else { continue };
            let which = format!("the {} argument of `{}`", ordinal(place), function.name);
            // An address can be written as a text.
            let written_address =
                parameter.kind == Kind::Ip && matches!(argument.value(), Some(Value::Text(_)));
            if !argument.kind.fits(parameter.kind) && !written_address {
                self.report_argument_type(&which, parameter.kind, argument);
                good = false;
            } else if parameter.constant && argument.value().is_none() {
                self.report_constant_required(&which, argument);
                good = false;
            } else if parameter.name == "block" && !self.check_block(argument) {
                good = false;
            }
        }
        good
    }

    fn report_argument_type(&mut self, which: &str, wanted: Kind, argument: &Typed) {
        let text = self.text(argument.span);
        let article = if matches!(wanted, Kind::Integer | Kind::Ip) { "an" } else { "a" };
        let message =
            format!("{which} must be {article} {}, `{text}` is {}", wanted.as_str(), argument.kind.phrase());
        let help = match wanted {
            Kind::String => format!("convert it: `string({text})`"),
            Kind::Number if argument.kind == Type::Keyword => format!("convert it: `number({text})`"),
            Kind::Ip => "name a field of type ip".to_owned(),
            _ => format!("give {article} {} instead", wanted.as_str()),
        };
        self.report(
            Diagnostic::new(Code::ARGUMENT_TYPE, message)
                .at(argument.span)
                .label(argument.kind.as_str())
                .help(help),
        );
    }

    fn check_block(&mut self, argument: &Typed) -> bool {
        let good = match argument.value() {
            Some(Value::Text(text)) => IpBlock::parse(text).is_some(),
            _ => false,
        };
        if !good {
            let message = format!("`{}` is no address block", self.text(argument.span));
            let finding = Diagnostic::new(Code::BAD_BLOCK, message).at(argument.span);
            self.report(
                finding.help("write a block such as \"10.0.0.0/8\" or \"fe80::/10\", or one address"),
            );
        }
        good
    }
}

fn pattern(argument: &Expr) -> Option<Wildcard> {
    match argument {
        Expr::Constant(Value::Text(text)) => Some(Wildcard::parse(text)),
        _ => None,
    }
}
