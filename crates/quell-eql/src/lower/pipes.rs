//! Pipes: how many results, and in the Endgame dialect which ones, in which order and how often.

use super::Lowerer;
use crate::{Dialect, ast};
use quell_ir::expr::Expr;
use quell_ir::logic::Pipe;
use quell_ir::{Code, Diagnostic};

/// What a pipe of the Endgame dialect reads.
pub(super) struct Piped {
    /// How many events a result has.
    pub(super) events: usize,
    /// Whether a pipe before it has made fields.
    pub(super) made: bool,
}

/// How many results `head` and `tail` keep in the Endgame dialect where no number says so.
const DEFAULT_COUNT: u64 = 50;

impl Lowerer<'_> {
    pub(super) fn pipes(&mut self, body: &ast::Body, pipes: &[ast::Pipe]) -> Vec<Pipe> {
        if self.options.dialect != Dialect::Endgame {
            return pipes.iter().filter_map(count_pipe).collect();
        }
        let steps = |steps: &[ast::Step]| steps.len();
        let mut events = match body {
            ast::Body::Event(_) => 1,
            ast::Body::Sequence(sequence) => steps(&sequence.steps),
            ast::Body::Sample(sample) => steps(&sample.steps),
            ast::Body::Join(join) => steps(&join.steps),
        };
        let mut made = false;
        let mut lowered = Vec::new();
        for pipe in pipes {
            self.piped = Some(Piped { events, made });
            lowered.extend(self.endgame_pipe(pipe));
            match &*pipe.name.text {
                "count" => (events, made) = (1, true),
                "unique_count" => made = true,
                _ => {}
            }
        }
        self.piped = None;
        lowered
    }

    fn endgame_pipe(&mut self, pipe: &ast::Pipe) -> Option<Pipe> {
        // The parser has refused all other names and counts.
        let count = || if pipe.arguments.is_empty() { Some(DEFAULT_COUNT) } else { pipe.count() };
        Some(match &*pipe.name.text {
            "head" => Pipe::Head(count()?),
            "tail" => Pipe::Tail(count()?),
            "filter" => Pipe::Filter(self.decided(pipe.arguments.first()?, true)),
            "sort" => Pipe::Sort(self.pipe_keys(pipe)),
            "unique" => Pipe::Unique(self.pipe_keys(pipe)),
            "unique_count" => Pipe::UniqueCount(self.pipe_keys(pipe)),
            "count" => Pipe::Count(self.pipe_keys(pipe)),
            _ => return None,
        })
    }

    fn pipe_keys(&mut self, pipe: &ast::Pipe) -> Vec<Expr> {
        let mut keys = Vec::new();
        for argument in &pipe.arguments {
            let key = self.term(argument);
            if key.value().is_some() {
                let message = format!("`{}` is the same for all results", self.text(argument.span));
                let finding = Diagnostic::new(Code::PIPE_ARGUMENT, message).at(argument.span);
                self.report(finding.help("name a field"));
            }
            keys.push(key.expr);
        }
        keys
    }
}

/// `head` and `tail`; the parser has refused all others.
fn count_pipe(pipe: &ast::Pipe) -> Option<Pipe> {
    let count = pipe.count()?;
    match &*pipe.name.text {
        "head" => Some(Pipe::Head(count)),
        "tail" => Some(Pipe::Tail(count)),
        _ => None,
    }
}
