//! Lucene query strings, as Kibana sends them: any clause by default, wildcards analysed.
//!
//! Source: Elasticsearch's "Query string query" and its "Query string syntax"; Lucene's classic query parser.

mod ast;
mod lower;
mod parser;
mod printer;

pub use ast::{Clause, Conjunction, Expr, ExprKind, Modifier, Query};
pub(crate) use lower::lower;
pub use parser::parse;
pub use printer::format;
