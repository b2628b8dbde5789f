//! Context: facts of the host that a record lacks and Elastic's agents add.

/// What is known of the hosts besides the record that is decoded.
///
/// It is empty for now. It will hold, read-only while events are matched: the name, arguments and entity id of processes
/// by host, process id and time (for `process.parent.*` and for entity ids of sources that have none), and the user names of
/// security identifiers by host. A first pass over the input fills it; a stream fills it with what it has seen. Look-ups
/// will be lazy, for empty fields that a rule asks for.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Context {}

impl Context {
    /// A context that knows nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}
