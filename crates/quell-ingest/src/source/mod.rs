//! Sources: finding inputs, opening them, and reading them as batches of records.
//!
//! A source knows nothing of what its records mean. Whatever is wrong with an input is an [`InputWarning`]: counted,
//! with its place, and without end to anything else.

mod batch;
mod discover;
mod file;
mod live;
mod open;
mod reread;
mod stream;
mod warning;

pub use batch::{Batch, RecordSpan};
pub use discover::{Discovery, discover};
pub use file::{Origin, SourceFile};
pub use live::{FileIdentity, FollowPosition, Live, LiveInput};
pub use open::{Input, OpenOptions, Opened, open};
pub use reread::Reread;
pub use stream::Limits;
pub use warning::{InputWarning, Loss, Tally, WarningLog};
