//! Takes the spans out of a tree, so that two trees can be compared for what they say alone.

use quell_ir::Span;

use crate::ast::{Body, Expr, ExprKind, Field, Filter, Literal, Name, Query, Segment, Step};

impl Query {
    /// Whether both say the same in the same words, wherever they stand in their sources.
    #[must_use]
    pub fn same_as(&self, other: &Query) -> bool {
        let (mut a, mut b) = (self.clone(), other.clone());
        a.strip_spans();
        b.strip_spans();
        a == b
    }

    /// Sets every span to nothing.
    pub fn strip_spans(&mut self) {
        self.span = Span::default();
        match &mut self.body {
            Body::Event(filter) => strip_filter(filter),
            Body::Sequence(sequence) => {
                sequence.span = Span::default();
                if let Some(maxspan) = &mut sequence.maxspan {
                    maxspan.span = Span::default();
                }
                strip_steps(&mut sequence.by, &mut sequence.steps, sequence.until.as_deref_mut());
            }
            Body::Sample(sample) => {
                sample.span = Span::default();
                strip_steps(&mut sample.by, &mut sample.steps, None);
            }
            Body::Join(join) => {
                join.span = Span::default();
                strip_steps(&mut join.by, &mut join.steps, join.until.as_deref_mut());
            }
        }
        for pipe in &mut self.pipes {
            pipe.span = Span::default();
            strip_name(&mut pipe.name);
            pipe.arguments.iter_mut().for_each(Expr::strip_spans);
        }
    }
}

impl Expr {
    /// Sets every span to nothing.
    pub fn strip_spans(&mut self) {
        self.span = Span::default();
        match &mut self.kind {
            ExprKind::Literal(literal) => strip_literal(literal),
            ExprKind::Field(field) => strip_field(field),
            ExprKind::Call(call) => {
                strip_name(&mut call.name);
                call.close = Span::default();
                call.arguments.iter_mut().for_each(Expr::strip_spans);
            }
            ExprKind::Paren(inner) | ExprKind::Not(inner) | ExprKind::Sign { operand: inner, .. } => {
                inner.strip_spans()
            }
            ExprKind::And(operands) | ExprKind::Or(operands) => {
                operands.iter_mut().for_each(Expr::strip_spans)
            }
            ExprKind::Compare { left, right, .. } | ExprKind::Arithmetic { left, right, .. } => {
                left.strip_spans();
                right.strip_spans();
            }
            ExprKind::In { operand, list, list_span, .. } => {
                operand.strip_spans();
                list.iter_mut().for_each(Expr::strip_spans);
                *list_span = Span::default();
            }
            ExprKind::Match { operand, patterns, list_span, .. } => {
                operand.strip_spans();
                patterns.iter_mut().for_each(strip_literal);
                *list_span = Span::default();
            }
            ExprKind::Lineage { filter, .. } => strip_filter(filter),
        }
    }
}

fn strip_steps(by: &mut [Expr], steps: &mut [Step], until: Option<&mut Step>) {
    by.iter_mut().for_each(Expr::strip_spans);
    for step in steps.iter_mut().chain(until) {
        step.span = Span::default();
        step.close = Span::default();
        strip_filter(&mut step.filter);
        step.by.iter_mut().for_each(Expr::strip_spans);
        if let Some(runs) = &mut step.runs {
            runs.span = Span::default();
        }
        if let Some(alias) = &mut step.alias {
            strip_name(alias);
        }
        if let Some(fork) = &mut step.fork {
            fork.span = Span::default();
        }
    }
}

fn strip_filter(filter: &mut Filter) {
    filter.span = Span::default();
    filter.category.span = Span::default();
    filter.condition.strip_spans();
}

fn strip_name(name: &mut Name) {
    name.span = Span::default();
}

fn strip_literal(literal: &mut Literal) {
    literal.span = Span::default();
}

fn strip_field(field: &mut Field) {
    field.span = Span::default();
    for segment in &mut field.path {
        let (Segment::Name { span, .. } | Segment::Index { span, .. }) = segment;
        *span = Span::default();
    }
}
