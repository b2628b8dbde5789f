//! What can be wrong with a query as a whole: steps that do not fit together, and pipes.
//!
//! Source: Elasticsearch, "EQL syntax reference" (sequences, samples) and "EQL pipe reference".

use std::collections::HashSet;

use quell_ir::{Code, Diagnostic, diagnostic};

use super::cursor::Parser;
use crate::Dialect;
use crate::ast::{Body, Expr, ExprKind, Pipe, Step};
use crate::limits::MAX_STEPS;

/// The pipes of Elasticsearch, each with one count.
const PIPES: [&str; 2] = ["head", "tail"];

/// The pipes of the Endgame dialect, whose names Elasticsearch knows and refuses.
const ENDGAME_PIPES: [&str; 5] = ["count", "filter", "sort", "unique", "unique_count"];

impl Parser<'_> {
    pub(super) fn check_shape(&mut self, body: &Body) {
        match body {
            Body::Event(_) => {}
            Body::Sequence(sequence) => {
                self.check_steps("sequence", &sequence.steps, sequence.until.as_deref());
                // The Endgame dialect has no missing events, which was said.
                let missing = self.dialect() != Dialect::Endgame;
                if missing
                    && sequence.steps.iter().all(|step| step.missing)
                    && let Some(first) = sequence.steps.first()
                {
                    let finding = Diagnostic::new(Code::NO_POSITIVE_STEP, "every step is a missing event");
                    self.report(finding.at(first.span).help("one step at least is written without `!`"));
                }
                if missing
                    && sequence.maxspan.is_none()
                    && let Some(step) = sequence.steps.iter().find(|step| step.missing)
                {
                    let message = "a missing event needs a time span in which it is missing";
                    let finding = Diagnostic::new(Code::MISSING_WITHOUT_MAXSPAN, message);
                    self.report(finding.at(step.span).help("write `sequence … with maxspan=…`"));
                }
                self.check_aliases(&sequence.steps);
                self.check_no_fork(sequence.steps.first(), "the first step of a sequence");
            }
            Body::Sample(sample) => {
                self.check_steps("sample", &sample.steps, None);
                if sample.by.is_empty() && sample.steps.iter().all(|step| step.by.is_empty()) {
                    let finding = Diagnostic::new(Code::SAMPLE_WITHOUT_KEY, "a sample needs a join key");
                    self.report(finding.at(sample.span).help("write `sample by field …`"));
                }
            }
            Body::Join(join) => {
                self.check_steps("join", &join.steps, join.until.as_deref());
                self.check_no_fork(join.steps.iter().chain(join.until.as_deref()), "a step of a `join`");
            }
        }
    }

    /// Refuses `fork` where the Endgame dialect does not have it; the other dialects have refused it.
    fn check_no_fork<'t>(&mut self, steps: impl IntoIterator<Item = &'t Step>, what: &str) {
        if self.dialect() != Dialect::Endgame {
            return;
        }
        for fork in steps.into_iter().filter_map(|step| step.fork.as_ref()) {
            let finding = Diagnostic::new(Code::FORK_UNSUPPORTED, format!("{what} cannot have `fork`"));
            self.report(finding.at(fork.span).help("remove it"));
        }
    }

    fn check_steps(&mut self, what: &str, steps: &[Step], until: Option<&Step>) {
        let Some(first) = steps.first() else { return };
        let count: u64 =
            steps.iter().map(|step| step.runs.as_ref().map_or(1, |runs| u64::from(runs.count))).sum();
        if count < 2 {
            let finding = Diagnostic::new(
                Code::TOO_FEW_STEPS,
                format!("a {what} has two steps at least, this one has {count}"),
            );
            let help = "add a step; single events are found by `category where condition`, without brackets";
            self.report(finding.at(first.span).help(help));
        }
        if count > MAX_STEPS {
            let message = format!("this {what} has {count} steps, and {MAX_STEPS} are the most");
            let finding = Diagnostic::new(Code::TOO_MANY_STEPS, message).at(first.span);
            self.report(finding.help("use fewer steps, or smaller `runs`"));
        }
        let odd = steps.iter().chain(until).skip(1).find(|step| step.by.len() != first.by.len());
        if let Some(odd) = odd {
            let message = format!(
                "the first step has {} of its own, this one has {}",
                keys(first.by.len()),
                keys(odd.by.len()),
            );
            let place = odd
                .by
                .first()
                .zip(odd.by.last())
                .map_or(odd.span, |(a, b): (&Expr, &Expr)| a.span.to(b.span));
            let finding = Diagnostic::new(Code::JOIN_KEY_COUNT, message).at(place);
            self.report(finding.help("give every step the same number of keys, `until` too"));
        }
    }

    fn check_aliases(&mut self, steps: &[Step]) {
        let mut seen = HashSet::new();
        for alias in steps.iter().filter_map(|step| step.alias.as_ref()) {
            if !seen.insert(&alias.text) {
                let finding =
                    Diagnostic::new(Code::DUPLICATE_ALIAS, format!("two steps are called `{}`", alias.text));
                self.report(finding.at(alias.span).help("give each step a name of its own"));
            }
        }
    }

    pub(super) fn check_pipe(&mut self, pipe: &Pipe) {
        let name = &*pipe.name.text;
        let counts = PIPES.contains(&name);
        if !counts && !ENDGAME_PIPES.contains(&name) {
            let known =
                PIPES.iter().chain(if self.dialect() == Dialect::Endgame { &ENDGAME_PIPES[..] } else { &[] });
            let near = diagnostic::near_names(name, known.copied());
            let help = diagnostic::did_you_mean(&near)
                .unwrap_or_else(|| "the pipes are `head` and `tail`".to_owned());
            let finding = Diagnostic::new(Code::UNKNOWN_PIPE, format!("there is no pipe `{name}`"));
            self.report(finding.at(pipe.name.span).help(help));
            return;
        }
        if self.dialect() == Dialect::Endgame {
            self.check_endgame_pipe(pipe, counts);
            return;
        }
        if !counts {
            let finding =
                Diagnostic::new(Code::UNSUPPORTED_PIPE, format!("the pipe `{name}` is not supported"));
            self.report(finding.at(pipe.name.span).help("the pipes are `head` and `tail`"));
            return;
        }
        let [argument] = pipe.arguments.as_slice() else {
            let given = pipe.arguments.len();
            let finding = Diagnostic::new(
                Code::PIPE_ARGUMENTS,
                format!("`{name}` takes one number, here are {given} arguments"),
            );
            self.report(finding.at(pipe.span).help(format!("write `| {name} 10`")));
            return;
        };
        if pipe.count().is_none() {
            let message = format!("`{name}` takes an integer constant that is not negative");
            let finding = Diagnostic::new(Code::PIPE_ARGUMENT, message);
            self.report(finding.at(argument.span).help(format!("write `| {name} 10`")));
        }
    }
}

impl Parser<'_> {
    /// Numbers of arguments, and counts. Source: the Python implementation of EQL.
    fn check_endgame_pipe(&mut self, pipe: &Pipe, counts: bool) {
        let name = &*pipe.name.text;
        let given = pipe.arguments.len();
        let wanted = match name {
            "head" | "tail" if given > 1 => "one number or none",
            "filter" if given != 1 => "one condition",
            "sort" | "unique" | "unique_count" if given == 0 => "one key at least",
            _ => "",
        };
        if !wanted.is_empty() {
            let plural = if given == 1 { "argument" } else { "arguments" };
            let message = format!("`{name}` takes {wanted}, here are {given} {plural}");
            let help = if counts { format!("write `| {name} 10`") } else { format!("write `| {name} …`") };
            self.report(Diagnostic::new(Code::PIPE_ARGUMENTS, message).at(pipe.span).help(help));
            return;
        }
        if counts
            && let Some(argument) = pipe.arguments.first()
            && pipe.count().is_none_or(|count| count == 0)
        {
            let message = format!("`{name}` takes a positive integer constant");
            let finding = Diagnostic::new(Code::PIPE_ARGUMENT, message);
            self.report(finding.at(argument.span).help(format!("write `| {name} 10`")));
        }
        let constant = |argument: &&Expr| matches!(argument.unwrapped().kind, ExprKind::Literal(_));
        if !counts
            && name != "filter"
            && let Some(argument) = pipe.arguments.iter().find(constant)
        {
            let message = format!("a key of `{name}` is the same for all results");
            let finding = Diagnostic::new(Code::PIPE_ARGUMENT, message);
            self.report(finding.at(argument.span).help("name a field"));
        }
    }
}

fn keys(count: usize) -> String {
    match count {
        0 => "no join key".to_owned(),
        1 => "1 join key".to_owned(),
        n => format!("{n} join keys"),
    }
}
