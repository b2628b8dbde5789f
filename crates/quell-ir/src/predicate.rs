//! Predicates: the leaves of a condition, one variant a way of testing.
//!
//! All but [`Predicate::Expr`] name one field and hold when at least one of its elements satisfies the test (the
//! any-element rule); an absent field satisfies none.

use crate::expr::{CompareOp, Expr};
use crate::field::{FieldRef, Scope};
use crate::pattern::{IpBlock, Regex, Wildcard};
use crate::value::{Case, Value};
use crate::{Condition, EventFilter};
use std::sync::Arc;

/// One test. Equal predicates are asked once for each event, however many rules ask.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Predicate {
    /// The field has a value (`!= null`, `: "*"`).
    Exists(FieldRef),
    /// An element's text equals one of the values: `==`, `in`, `in~`, `:` without wildcards. Sorted, no duplicates; for
    /// [`Case::Folded`] the values are folded. Numbers and booleans of the event are compared as their text.
    Keyword {
        /// The field.
        field: FieldRef,
        /// The texts.
        values: Vec<Arc<str>>,
        /// Whether case matters.
        case: Case,
    },
    /// An element's text is covered by one of the patterns.
    Wildcard {
        /// The field.
        field: FieldRef,
        /// The patterns, not folded.
        patterns: Vec<Wildcard>,
        /// Whether case matters.
        case: Case,
    },
    /// An element's text is covered by one of the regular expressions.
    Regex {
        /// The field.
        field: FieldRef,
        /// The expressions.
        patterns: Vec<Regex>,
        /// Whether case matters.
        case: Case,
    },
    /// An element's text stands in this order to a text, by code points.
    TextOrder {
        /// The field.
        field: FieldRef,
        /// Never `NotEqual`.
        op: CompareOp,
        /// The text.
        value: Arc<str>,
    },
    /// An element, a number or a text that reads as one, stands in this order to a number.
    Number {
        /// The field.
        field: FieldRef,
        /// Never `NotEqual`.
        op: CompareOp,
        /// An integer, an unsigned integer or a float.
        value: Value,
    },
    /// An element, read as a date, lies between two instants, both included. All comparisons of dates are such ranges,
    /// since `== "2024-05-01"` covers the whole day.
    Date {
        /// The field.
        field: FieldRef,
        /// The first instant, in nanoseconds since 1970; `i64::MIN` where there is no lower bound.
        from: i64,
        /// The last instant, in nanoseconds since 1970; `i64::MAX` where there is no upper bound.
        to: i64,
    },
    /// An element is an address inside one of the blocks: `cidrMatch`, and `==` on an ip field.
    Ip {
        /// The field.
        field: FieldRef,
        /// The blocks, sorted.
        blocks: Vec<IpBlock>,
    },
    /// An element, an address, stands in this order to an address (IPv4 as `::ffff:a.b.c.d`).
    IpOrder {
        /// The field.
        field: FieldRef,
        /// Never `NotEqual`, `Equal`.
        op: CompareOp,
        /// The address.
        value: std::net::IpAddr,
    },
    /// An element, a version, stands in this order to a version.
    Version {
        /// The field.
        field: FieldRef,
        /// Never `NotEqual`.
        op: CompareOp,
        /// The version as written.
        value: Arc<str>,
    },
    /// An element is this boolean, or its text.
    Boolean {
        /// The field.
        field: FieldRef,
        /// Which.
        value: bool,
    },
    /// A field of unknown type compared with a constant, converted by the value at hand: see
    /// [`crate::function::compare::compare_data`].
    Dynamic {
        /// The field.
        field: FieldRef,
        /// Never `NotEqual`.
        op: CompareOp,
        /// The constant, not null.
        value: Value,
    },
    /// A term or phrase of analysed text (KQL on text fields).
    Text {
        /// The field.
        field: FieldRef,
        /// What splits the text.
        analyzer: Analyzer,
        /// The terms in order and in lower case; one is a term query, more are a phrase.
        terms: Vec<Arc<str>>,
    },
    /// One term of analysed text passes a test: wildcards and regular expressions on text fields never see more than one
    /// term.
    TextTerm {
        /// The field.
        field: FieldRef,
        /// What splits the text.
        analyzer: Analyzer,
        /// What one term must pass; case is folded.
        test: TermTest,
    },
    /// Some field whose name the pattern covers satisfies the test (KQL field-name wildcards). `test` names the field by
    /// an empty path.
    FieldNames {
        /// The pattern of dotted paths.
        pattern: Wildcard,
        /// The test.
        test: Box<Predicate>,
    },
    /// Any field at all satisfies the test (free text). `test` names the field by an empty path. Terms of analysed text
    /// stand beside it as tests of their own.
    AnyField {
        /// The test.
        test: Box<Predicate>,
    },
    /// Some element of an array of objects satisfies the whole condition; inside, fields have [`Scope::Element`].
    Object {
        /// The array.
        field: FieldRef,
        /// What one element must satisfy.
        condition: Box<Condition>,
    },
    /// The process of the event stands in this relation to the process of an event that matched the filter.
    Lineage {
        /// Which relation.
        relation: Relation,
        /// The filter.
        filter: Box<EventFilter>,
    },
    /// Anything else, three-valued inside.
    Expr(Expr),
}

/// A test of one term.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TermTest {
    /// The pattern covers the term.
    Wildcard(Wildcard),
    /// The expression covers the term.
    Regex(Regex),
}

/// How a text field's content is split into terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Analyzer {
    /// Elasticsearch's standard analyser: words of Unicode text segmentation, lower-cased.
    Standard,
    /// Letters, digits, `_` and `-`, lower-cased: what the PowerShell data streams use for script blocks.
    PowerShell,
}

/// A relation of processes (Endpoint and Endgame dialects).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Relation {
    /// `event of`: the same process.
    Event,
    /// `child of`: the parent.
    Child,
    /// `descendant of`: any ancestor.
    Descendant,
}

impl Relation {
    /// The word before `of`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Relation::Event => "event",
            Relation::Child => "child",
            Relation::Descendant => "descendant",
        }
    }

    /// The relation of that word.
    #[must_use]
    pub fn of(word: &str) -> Option<Relation> {
        [Relation::Event, Relation::Child, Relation::Descendant]
            .into_iter()
            .find(|known| known.as_str() == word)
    }
}

impl Predicate {
    /// Calls `visit` on every field that the predicate reads, those of elements and earlier steps included.
    pub fn each_field<'p>(&'p self, visit: &mut dyn FnMut(&'p FieldRef)) {
        match self {
            Predicate::Exists(field)
            | Predicate::Keyword { field, .. }
            | Predicate::Wildcard { field, .. }
            | Predicate::Regex { field, .. }
            | Predicate::TextOrder { field, .. }
            | Predicate::Number { field, .. }
            | Predicate::Date { field, .. }
            | Predicate::Ip { field, .. }
            | Predicate::IpOrder { field, .. }
            | Predicate::Version { field, .. }
            | Predicate::Boolean { field, .. }
            | Predicate::Dynamic { field, .. }
            | Predicate::Text { field, .. }
            | Predicate::TextTerm { field, .. } => visit(field),
            Predicate::FieldNames { .. } | Predicate::AnyField { .. } | Predicate::Lineage { .. } => {}
            Predicate::Object { field, condition } => {
                visit(field);
                condition.each_leaf(&mut |leaf| leaf.predicate.each_field(visit));
            }
            Predicate::Expr(expr) => expr.each_field(visit),
        }
    }

    /// Whether the answer needs more than the event: an earlier step's fields, or lineage. Such leaves are unknown when
    /// events are matched and are decided when hits are correlated.
    #[must_use]
    pub fn is_deferred(&self) -> bool {
        let mut deferred = false;
        match self {
            Predicate::Lineage { .. } => return true,
            Predicate::Object { field, condition } => {
                deferred |= matches!(field.scope, Scope::Step(_));
                condition.each_leaf(&mut |leaf| deferred |= leaf.predicate.is_deferred());
            }
            other => other.each_field(&mut |field| deferred |= matches!(field.scope, Scope::Step(_))),
        }
        deferred
    }
}
