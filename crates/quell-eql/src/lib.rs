//! EQL: lexer, parser, checks, formatter, and lowering to quell's intermediate form.

pub mod ast;
mod layout;
mod lexer;
pub mod limits;
mod lower;
mod parser;
mod printer;
mod spans;

pub use lower::{Compiled, Options, compile, lower};
pub use parser::{parse, parse_condition};
pub use printer::{format, format_source};

/// Which of the three EQLs a query is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Elasticsearch's, the one of Elastic Security's detection rules.
    #[default]
    Elasticsearch,
    /// Elastic Endpoint's behaviour rules: Elasticsearch's with step aliases, `_arraysearch` and `descendant of`.
    Endpoint,
    /// Endgame's, the one of the Python implementation: `=`, old strings, `join`, `fork`, lineage, every pipe.
    Endgame,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Dialect; 3] = [Dialect::Elasticsearch, Dialect::Endpoint, Dialect::Endgame];

    /// The name on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Dialect::Elasticsearch => "elasticsearch",
            Dialect::Endpoint => "endpoint",
            Dialect::Endgame => "endgame",
        }
    }

    /// The dialect of that name.
    #[must_use]
    pub fn of(name: &str) -> Option<Dialect> {
        Dialect::ALL.into_iter().find(|dialect| dialect.as_str() == name)
    }
}
