//! Facts: what is known of an event's host besides its record, for fields that the record alone does not give.

/// What a resolver may ask while it makes a field.
pub trait Facts: Sync {
    /// The process that has this id on this host at this time, in nanoseconds since 1970; `None` where that is not known for
    /// sure. Hosts compare without the case of ASCII letters.
    fn process(&self, host: &str, pid: u32, time: i64, part: PartOfLife) -> Option<KnownProcess<'_>>;
}

/// What an event at a time says of its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartOfLife {
    /// That it runs. Where two processes of one id meet in that instant, neither is meant for sure.
    Any,
    /// That it ends: of two that meet, it is the elder.
    End,
}

/// A process whose start was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownProcess<'f> {
    /// When it started, in nanoseconds since 1970.
    pub start: i64,
    /// The path of its program; empty where that is not known.
    pub executable: &'f str,
    /// Its command line; empty where that is not known.
    pub command_line: &'f str,
}

/// Nothing is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFacts;

impl Facts for NoFacts {
    fn process(&self, _: &str, _: u32, _: i64, _: PartOfLife) -> Option<KnownProcess<'_>> {
        None
    }
}
