//! How large and how deep a query may be; each limit has a code of its own and is reported when it bites.

/// The most bytes of a query's text.
pub const MAX_SOURCE_BYTES: usize = 1 << 20;

/// The most parentheses, `not` and nested objects above one another.
pub const MAX_DEPTH: u32 = 100;

/// The most terms of one phrase.
pub const MAX_TERMS: usize = 1024;

/// The most findings reported for one query.
pub(crate) const MAX_FINDINGS: usize = 64;
