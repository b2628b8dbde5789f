//! Patterns: case folding, wildcards, Lucene regular expressions, address blocks.

mod fold;
mod ip;
mod regex;
mod wildcard;

pub use fold::{equal_folded, fold_char, fold_into, folded};
pub use ip::{IpBlock, in_any_block, parse_ip};
pub use regex::{Ranges, Regex, RegexError};
pub use wildcard::{Token, Wildcard};
