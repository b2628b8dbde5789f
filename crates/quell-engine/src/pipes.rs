//! Pipes: which results of a rule are kept, as they come in order.
//!
//! Source: Elasticsearch's "EQL pipe reference". The implied limit stands directly in front of the first pipe and takes
//! its direction.

use crate::compile::{ResultLimit, ResultPosition};
use crate::correlate::Detection;
use quell_ir::logic::Pipe;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// The pipes of one rule, and what they have let through or hold.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Pipes {
    stages: Vec<Stage>,
}

#[derive(Debug, Serialize, Deserialize)]
enum Stage {
    /// So many more.
    Head(u64),
    /// The last so many.
    Tail { size: u64, kept: VecDeque<Detection> },
}

impl Pipes {
    pub(crate) fn new(pipes: &[Pipe], limit: Option<ResultLimit>) -> Pipes {
        let implied = limit.map(|limit| {
            let tail = match pipes.first() {
                Some(pipe) => matches!(pipe, Pipe::Tail(_)),
                None => limit.position == ResultPosition::Tail,
            };
            if tail { Pipe::Tail(limit.size) } else { Pipe::Head(limit.size) }
        });
        let stage = |pipe: &Pipe| match pipe {
            Pipe::Head(n) => Some(Stage::Head(*n)),
            Pipe::Tail(n) => Some(Stage::Tail { size: *n, kept: VecDeque::new() }),
            // A rule with one of these does not run yet.
            Pipe::Filter(_) | Pipe::Sort(_) | Pipe::Unique(_) | Pipe::UniqueCount(_) | Pipe::Count(_) => None,
        };
        Pipes { stages: implied.iter().chain(pipes).filter_map(stage).collect() }
    }

    /// Names the rule anew to which the held detections belong.
    pub(crate) fn renumber(&mut self, rule: u32) {
        for stage in &mut self.stages {
            if let Stage::Tail { kept, .. } = stage {
                kept.iter_mut().for_each(|detection| detection.rule = rule);
            }
        }
    }

    /// What comes out at once, if anything.
    pub(crate) fn push(&mut self, detection: Detection) -> Option<Detection> {
        through(&mut self.stages, detection)
    }

    /// What comes out at the end.
    pub(crate) fn finish(mut self) -> Vec<Detection> {
        let mut out = Vec::new();
        let mut stages = self.stages.as_mut_slice();
        while let Some((stage, others)) = stages.split_first_mut() {
            if let Stage::Tail { kept, .. } = stage {
                out.extend(kept.drain(..).filter_map(|detection| through(others, detection)));
            }
            stages = others;
        }
        out
    }
}

fn through(stages: &mut [Stage], detection: Detection) -> Option<Detection> {
    for stage in stages {
        match stage {
            Stage::Head(0) => return None,
            Stage::Head(left) => *left -= 1,
            Stage::Tail { size, kept } => {
                kept.push_back(detection);
                if kept.len() as u64 > *size {
                    kept.pop_front();
                }
                return None;
            }
        }
    }
    Some(detection)
}

#[cfg(test)]
mod tests {
    use super::Pipes;
    use crate::compile::{ResultLimit, ResultPosition};
    use crate::correlate::Detection;
    use quell_ir::logic::Pipe::{self, Head, Tail};
    use std::ops::Range;

    #[test]
    fn pipes_apply_from_left_to_right_behind_the_limit() {
        let limit = |size, position| Some(ResultLimit { size, position });
        let cases: &[(&[Pipe], Option<ResultLimit>, Range<i64>)] = &[
            (&[], None, 0..20),
            (&[Head(3)], None, 0..3),
            (&[Tail(3)], None, 17..20),
            (&[Tail(10), Head(7)], None, 10..17),
            (&[Head(10), Tail(7)], None, 3..10),
            (&[Tail(10), Tail(3)], None, 17..20),
            (&[Head(0)], None, 0..0),
            (&[Tail(0)], None, 20..20),
            (&[Head(50)], None, 0..20),
            (&[Tail(50)], None, 0..20),
            (&[Head(u64::MAX)], None, 0..20),
            (&[], limit(10, ResultPosition::Tail), 10..20),
            (&[], limit(10, ResultPosition::Head), 0..10),
            (&[Head(50)], limit(10, ResultPosition::Tail), 0..10),
            (&[Tail(5), Head(2)], limit(10, ResultPosition::Head), 15..17),
        ];
        for (pipes, limit, expected) in cases {
            let mut state = Pipes::new(pipes, *limit);
            let one = |time| Detection { rule: 0, time: Some(time), keys: Vec::new(), members: Vec::new() };
            let mut found: Vec<Detection> = (0..20).filter_map(|time| state.push(one(time))).collect();
            found.extend(state.finish());
            let found: Vec<Option<i64>> = found.iter().map(|one| one.time).collect();
            assert_eq!(found, expected.clone().map(Some).collect::<Vec<_>>(), "{pipes:?} {limit:?}");
        }
    }
}
