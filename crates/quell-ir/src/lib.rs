//! The intermediate form in which every language of quell meets.
//!
//! A front end (EQL first) lowers its queries to the types of this crate; the engine and every converter read these
//! types alone. The crate also holds what all of them must agree on: values and types, the rules for missing and
//! multi-valued fields, the functions, the patterns, and the diagnostics.
//!
//! Semantics are Elasticsearch's, from its EQL manual pages "EQL syntax reference" and "EQL function reference".

pub mod analysis;
pub mod arithmetic;
pub mod codes;
pub mod condition;
pub mod date;
pub mod diagnostic;
pub mod element;
pub mod eval;
pub mod expr;
pub mod field;
pub mod function;
pub mod logic;
pub mod pattern;
pub mod plain;
pub mod predicate;
pub mod printed;
pub mod schema;
pub mod span;
pub mod value;
pub mod version;

pub use codes::Code;
pub use condition::{Condition, Leaf};
pub use diagnostic::{Diagnostic, Severity};
pub use expr::Expr;
pub use field::{FieldRef, Scope};
pub use logic::{EventFilter, Logic, Query};
pub use predicate::Predicate;
pub use schema::{FieldInfo, FieldType, Schema};
pub use span::Span;
pub use value::{Case, Datum, Value};
