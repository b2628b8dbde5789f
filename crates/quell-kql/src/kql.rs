//! Kibana's query language.
//!
//! Source: Kibana's "Kibana Query Language". Where that page is silent, its grammar decides: what is quoted there is quoted
//! here, and what it refuses is refused.

mod ast;
mod lower;
mod parser;
mod printer;

pub use ast::{Expr, ExprKind, Query};
pub(crate) use lower::lower;
pub use parser::parse;
pub use printer::{format, quoted};
