//! The syntax tree: what the author wrote, in the author's order and spelling, with a span at every node.
//!
//! The tree keeps what printing needs (parentheses, the written form of literals and names); white space and comments
//! are not in it. Equality compares everything, spans too; [`Query::same_as`] leaves the spans out.
//!
//! Depth is bounded: a parsed tree is at most [`crate::limits::MAX_DEPTH`] expressions deep, so plain recursion over it is
//! safe. `and` and `or` are flat lists, however long.

pub use quell_ir::expr::{ArithmeticOp, CompareOp};
pub use quell_ir::predicate::Relation;
use quell_ir::{Span, Value};

/// A whole query.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// What is asked for.
    pub body: Body,
    /// The pipes behind it, in order.
    pub pipes: Vec<Pipe>,
    /// All of it, pipes included.
    pub span: Span,
}

/// The four kinds of query.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// `process where …`: single events.
    Event(Filter),
    /// `sequence … [ … ] [ … ]`: events in order.
    Sequence(Sequence),
    /// `sample by … [ … ] [ … ]`: events in any order.
    Sample(Sample),
    /// `join … [ … ] [ … ]`: the Endgame dialect's unordered sequence.
    Join(Join),
}

/// `category where condition`.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    /// What stands before `where`.
    pub category: Category,
    /// What stands behind `where`.
    pub condition: Expr,
    /// From the category to the condition's end, without brackets.
    pub span: Span,
}

/// What stands before `where`.
#[derive(Clone, Debug, PartialEq)]
pub struct Category {
    /// The name, quotes removed and escapes decoded; `None` is the bare word `any`, which is every category.
    pub name: Option<Box<str>>,
    /// The name as written: `process`, `"my category"`, `any`.
    pub text: Box<str>,
    /// Where.
    pub span: Span,
}

/// `sequence [by keys] [with maxspan=…] step… [until step]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Sequence {
    /// The keys of all steps and of `until`; each is a field (any expression in the Endgame dialect).
    pub by: Vec<Expr>,
    /// The most time from the first event to the last.
    pub maxspan: Option<Maxspan>,
    /// The steps as written: `with runs` is not expanded.
    pub steps: Vec<Step>,
    /// The step that ends pending sequences.
    pub until: Option<Box<Step>>,
    /// From `sequence` to the last step's end.
    pub span: Span,
}

/// `sample [by keys] step…`; steps have neither `runs` nor `![`.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The keys of all steps.
    pub by: Vec<Expr>,
    /// The filters, each with its own further keys.
    pub steps: Vec<Step>,
    /// From `sample` to the last step's end.
    pub span: Span,
}

/// `join [by keys] step… [until step]`, Endgame dialect only.
#[derive(Clone, Debug, PartialEq)]
pub struct Join {
    /// The keys of all steps and of `until`.
    pub by: Vec<Expr>,
    /// The terms.
    pub steps: Vec<Step>,
    /// The step that clears what was collected.
    pub until: Option<Box<Step>>,
    /// From `join` to the last step's end.
    pub span: Span,
}

/// `[filter]` or `![filter]`, with what may follow it.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// `![ … ]`: such an event must be absent.
    pub missing: bool,
    /// The events of the step.
    pub filter: Filter,
    /// The step's own keys, behind those of the whole query.
    pub by: Vec<Expr>,
    /// `with runs=n`: the step stands for n equal steps.
    pub runs: Option<Runs>,
    /// `as event0`: the name by which other steps refer to this step's event (Endpoint dialect).
    pub alias: Option<Name>,
    /// `fork`, `fork=true`, `fork=false` (Endgame dialect).
    pub fork: Option<Fork>,
    /// From the opening bracket to the last of what follows it.
    pub span: Span,
    /// The closing bracket.
    pub close: Span,
}

/// `with runs=n`, n from 1 to 100.
#[derive(Clone, Debug, PartialEq)]
pub struct Runs {
    /// How many equal steps.
    pub count: u32,
    /// The number.
    pub span: Span,
}

/// `fork` on a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Fork {
    /// `fork` alone is `true`.
    pub value: bool,
    /// `fork` to the value.
    pub span: Span,
}

/// `maxspan=30s`; always positive.
#[derive(Clone, Debug, PartialEq)]
pub struct Maxspan {
    /// The number as written.
    pub amount: u64,
    /// The unit as written.
    pub unit: TimeUnit,
    /// Number and unit.
    pub span: Span,
}

impl Maxspan {
    /// The length in milliseconds (the parser has refused what would not fit).
    #[must_use]
    pub fn milliseconds(&self) -> u64 {
        self.amount.saturating_mul(self.unit.milliseconds())
    }
}

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeUnit {
    /// `ms`
    Milliseconds,
    /// `s`
    Seconds,
    /// `m`
    Minutes,
    /// `h`
    Hours,
    /// `d`
    Days,
}

impl TimeUnit {
    /// Every unit, shortest first.
    pub const ALL: [TimeUnit; 5] =
        [TimeUnit::Milliseconds, TimeUnit::Seconds, TimeUnit::Minutes, TimeUnit::Hours, TimeUnit::Days];

    /// As written in a query.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            TimeUnit::Milliseconds => "ms",
            TimeUnit::Seconds => "s",
            TimeUnit::Minutes => "m",
            TimeUnit::Hours => "h",
            TimeUnit::Days => "d",
        }
    }

    /// How long one of it is.
    #[must_use]
    pub fn milliseconds(self) -> u64 {
        match self {
            TimeUnit::Milliseconds => 1,
            TimeUnit::Seconds => 1_000,
            TimeUnit::Minutes => 60_000,
            TimeUnit::Hours => 3_600_000,
            TimeUnit::Days => 86_400_000,
        }
    }
}

/// `| name arguments`. In the Elasticsearch and Endpoint dialects: `head` or `tail` with one integer, see [`Pipe::count`].
#[derive(Clone, Debug, PartialEq)]
pub struct Pipe {
    /// The name of the pipe.
    pub name: Name,
    /// What follows it.
    pub arguments: Vec<Expr>,
    /// From the bar to the last argument's end.
    pub span: Span,
}

impl Pipe {
    /// The one argument, where it is a non-negative integer.
    #[must_use]
    pub fn count(&self) -> Option<u64> {
        let [argument] = self.arguments.as_slice() else { return None };
        match &argument.unwrapped().kind {
            ExprKind::Literal(Literal { value: Value::Integer(n), .. }) => u64::try_from(*n).ok(),
            ExprKind::Literal(Literal { value: Value::Unsigned(n), .. }) => Some(*n),
            _ => None,
        }
    }
}

/// A bare word that names something (a function, a pipe, an alias).
#[derive(Clone, Debug, PartialEq)]
pub struct Name {
    /// The word as written, without a glued-on tilde.
    pub text: Box<str>,
    /// Where.
    pub span: Span,
}

/// An expression; a condition is an expression too.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where.
    pub span: Span,
}

/// What an expression can be.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// `"text"`, `5`, `true`, `null`
    Literal(Literal),
    /// `process.name`, `?process.name`, `$entry.symbol_info`
    Field(Field),
    /// `length(x)`, `startsWith~(x, "a")`
    Call(Call),
    /// `( … )` as written; means what is inside.
    Paren(Box<Expr>),
    /// `not a`
    Not(Box<Expr>),
    /// `a and b and c`: two operands or more. `(a and b) and c` keeps its parentheses and so its nesting.
    And(Vec<Expr>),
    /// `a or b or c`: two operands or more.
    Or(Vec<Expr>),
    /// `a == b`
    Compare {
        /// Which comparison.
        op: CompareOp,
        /// Left of it.
        left: Box<Expr>,
        /// Right of it.
        right: Box<Expr>,
    },
    /// `a + b`
    Arithmetic {
        /// Which operation.
        op: ArithmeticOp,
        /// Left of it.
        left: Box<Expr>,
        /// Right of it.
        right: Box<Expr>,
    },
    /// `-a`, `+a`. A negative number is a sign before a literal.
    Sign {
        /// `-` (else `+`).
        negative: bool,
        /// Behind the sign.
        operand: Box<Expr>,
    },
    /// `a in (…)`, `a not in~ (…)`
    In {
        /// Left of it.
        operand: Box<Expr>,
        /// `not in`
        negated: bool,
        /// `in~`: without case.
        folded: bool,
        /// The members, one at least; any expression as far as the syntax goes.
        list: Vec<Expr>,
        /// The list with its parentheses.
        list_span: Span,
    },
    /// `a : "x*"`, `a like ("x*", "y")`
    Match {
        /// Left of it.
        operand: Box<Expr>,
        /// Which operator.
        op: MatchOp,
        /// The constants, one at least.
        patterns: Vec<Literal>,
        /// Whether the constants stand in parentheses.
        parens: bool,
        /// The constant, or the list with its parentheses.
        list_span: Span,
    },
    /// `descendant of [ … ]` (Endpoint and Endgame dialects; `child of` and `event of` Endgame only).
    Lineage {
        /// Which relation.
        relation: Relation,
        /// The events of the other process.
        filter: Box<Filter>,
    },
}

impl Expr {
    /// The expression inside any parentheses.
    #[must_use]
    pub fn unwrapped(&self) -> &Expr {
        let mut expr = self;
        while let ExprKind::Paren(inner) = &expr.kind {
            expr = inner;
        }
        expr
    }

    /// The field, if it is a bare one.
    #[must_use]
    pub fn as_field(&self) -> Option<&Field> {
        if let ExprKind::Field(field) = &self.kind { Some(field) } else { None }
    }
}

/// A constant.
#[derive(Clone, Debug, PartialEq)]
pub struct Literal {
    /// The value, escapes decoded.
    pub value: Value,
    /// As written: quotes, escapes and digits.
    pub text: Box<str>,
    /// Where.
    pub span: Span,
}

/// A path.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Whether a mark stands before it.
    pub mark: FieldMark,
    /// The segments, one at least; the first is a name.
    pub path: Vec<Segment>,
    /// Mark to last segment.
    pub span: Span,
}

impl Field {
    /// The names joined by dots, backticks and mark removed: `process.name`. Array indexes stay: `a[0].b`.
    #[must_use]
    pub fn dotted(&self) -> String {
        let mut path = String::new();
        for segment in &self.path {
            match segment {
                Segment::Name { name, .. } => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(name);
                }
                Segment::Index { index, .. } => path.push_str(&format!("[{index}]")),
            }
        }
        path
    }
}

/// What stands before a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FieldMark {
    /// Nothing.
    Plain,
    /// `?`: the field may be unknown.
    Optional,
    /// `$`: the element that `_arraysearch` is at (Endpoint dialect); the first segment is the variable's name.
    Variable,
}

/// One part of a path.
#[derive(Clone, Debug, PartialEq)]
pub enum Segment {
    /// `name` or `` `name` ``
    Name {
        /// The name, backticks removed. In backticks it may itself hold dots, which separate as any dot does.
        name: Box<str>,
        /// Whether it was written in backticks.
        quoted: bool,
        /// Where.
        span: Span,
    },
    /// `[0]` (Endgame dialect)
    Index {
        /// From 0.
        index: u64,
        /// The brackets too.
        span: Span,
    },
}

/// A function call.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The function's name as written, without the tilde.
    pub name: Name,
    /// Whether a tilde was glued to the name: the form without case.
    pub folded: bool,
    /// `x:length()`: the first argument stands before the name (Endgame dialect).
    pub method: bool,
    /// The arguments, the method's receiver first.
    pub arguments: Vec<Expr>,
    /// The closing parenthesis.
    pub close: Span,
}

/// An operator whose right side is one constant or a list of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatchOp {
    /// `:`: wildcards, without case.
    Seq,
    /// `like`: wildcards.
    Like,
    /// `like~`: wildcards, without case.
    LikeFolded,
    /// `regex`: regular expressions.
    Regex,
    /// `regex~`: regular expressions, without case.
    RegexFolded,
}

impl MatchOp {
    /// As written in a query.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            MatchOp::Seq => ":",
            MatchOp::Like => "like",
            MatchOp::LikeFolded => "like~",
            MatchOp::Regex => "regex",
            MatchOp::RegexFolded => "regex~",
        }
    }
}
