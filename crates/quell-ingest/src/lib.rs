//! Sources and decoders: from files and streams to records, and from records to ECS events.

mod context;
mod context_builder;
mod decode;
mod document;
pub mod format;
pub mod layout;
mod mapping;
pub mod source;
mod tolerant;

pub use context::{AsOf, Context, ProcessChange, ProcessFact};
pub use context_builder::{ContextBuilder, TellTale, may_tell_context};
pub use decode::{DecodeError, DecodeOptions, Decoder};
pub use document::DocumentDecoder;
pub use format::{FORMATS, Format, RecordReader, UnknownFormat, format_named};
pub use layout::Layout;
pub use mapping::{MappingError, mapping_errors};
pub use source::{
    Batch, Discovery, FileIdentity, FollowPosition, Input, InputWarning, Limits, Live, LiveInput, Loss,
    OpenOptions, Opened, Reread, SourceFile, WarningLog, discover, open,
};
