//! Rules: their formats, the sets they come in, and what can be said of them without an event.

pub mod check;
pub mod compile;
pub mod condition;
pub mod embedded;
pub mod finding;
mod format;
mod json;
pub mod limits;
mod lints;
pub mod load;
mod node;
mod object;
pub mod report;
pub mod rule;
pub mod schedule;
mod schema;
pub mod select;
pub mod source_map;
pub mod type_fields;

pub use check::{Checked, check};
pub use compile::{CompileOptions, Outcome, compile_rule};
pub use condition::{CompiledCondition, compile_condition, compile_rule_condition};
pub use embedded::EmbeddedSet;
pub use finding::FileFinding;
pub use format::{Attachment, AttachmentKind};
pub use load::{RuleSet, RuleSpec};
pub use rule::{
    FieldOverrides, Language, Origin, QueryText, Rule, RuleFormat, RuleKind, RuleSeverity, Technique, Threat,
};
pub use schedule::Schedule;
pub use select::Selection;
pub use source_map::SourceMap;
