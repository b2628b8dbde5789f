//! How large rule files and rule sets may be; each limit is reported when it bites.

/// The most bytes of a TOML rule file: one rule. (The longest published one has 60 thousand.)
pub const MAX_TOML_BYTES: usize = 2 << 20;

/// The most bytes of a bare query.
pub const MAX_QUERY_BYTES: usize = quell_eql::limits::MAX_SOURCE_BYTES;

/// The most bytes of a Kibana export: some thousands of rules.
pub const MAX_EXPORT_BYTES: usize = 64 << 20;

/// How much of a file is read to tell what it is.
pub(crate) const HEAD_BYTES: usize = 256 << 10;

/// The most files looked at below the given folders.
pub const MAX_FILES: usize = 50_000;

/// The most bytes of all rule files together.
pub const MAX_TOTAL_BYTES: usize = 1 << 30;

/// How deep folders are descended.
pub const MAX_FOLDER_DEPTH: usize = 64;

/// How deep the values of a JSON object may be nested.
pub const MAX_JSON_DEPTH: u32 = 128;

/// The most values within one object of a Kibana export.
pub const MAX_JSON_VALUES: u32 = 500_000;

/// The most findings kept for one file.
pub const MAX_FINDINGS: usize = 100;

/// The most exceptions of a run.
pub const MAX_EXCEPTION_ITEMS: usize = 20_000;

/// The most entries of an exception, those within nested ones included.
pub const MAX_EXCEPTION_ENTRIES: usize = 1000;

/// The most bytes of a value list: some millions of values.
pub const MAX_VALUE_LIST_BYTES: usize = 64 << 20;

/// The most address blocks that a value list may come to.
pub const MAX_LIST_BLOCKS: usize = 2_000_000;

/// The most maintenance windows of a file.
pub const MAX_WINDOWS: usize = 1000;
