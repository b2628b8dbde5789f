//! How large and how deep a query may be; each limit has a code of its own and is reported when it bites.

/// The most bytes of a query's text (the longest published rule has 47 thousand).
pub const MAX_SOURCE_BYTES: usize = 1 << 20;

/// The most expressions above one another: parentheses, `not`, signs, calls, chains of arithmetic.
pub const MAX_DEPTH: u32 = 100;

/// The most steps of a sequence or sample, `with runs=n` counted n times.
pub const MAX_STEPS: u64 = 1024;

/// The largest `runs`. Source: Elasticsearch, "EQL syntax reference", "with runs".
pub const MAX_RUNS: u64 = 100;

/// How many comments may hold an opening `/*` that nothing closes.
pub(crate) const MAX_UNBALANCED_COMMENTS: u32 = 16;

/// The most findings reported for one query.
pub(crate) const MAX_FINDINGS: usize = 64;
