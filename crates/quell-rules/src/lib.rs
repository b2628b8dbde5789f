//! Rules: their formats, the sets they come in, and what can be said of them without an event.

pub mod check;
pub mod compile;
pub mod condition;
pub mod embedded;
pub mod exception;
pub mod filters;
pub mod finding;
mod format;
mod json;
pub mod limits;
mod lints;
pub mod load;
pub mod maintenance;
mod node;
mod object;
pub mod report;
pub mod rule;
pub mod schedule;
mod schema;
pub mod select;
pub mod source_map;
mod term;
pub mod type_fields;
pub mod value_list;

pub use check::{Checked, check};
pub use compile::{CompileOptions, Outcome, compile_rule};
pub use condition::{CompiledCondition, compile_condition, compile_rule_condition};
pub use embedded::EmbeddedSet;
pub use exception::{CompiledExceptions, Exception, ExceptionItem, ExceptionSet};
pub use filters::compile_filters;
pub use finding::FileFinding;
pub use format::{Attachment, AttachmentKind};
pub use load::{RuleSet, RuleSpec};
pub use maintenance::MaintenanceWindow;
pub use rule::{
    FieldOverrides, Language, Origin, QueryText, Rule, RuleFormat, RuleKind, RuleSeverity, Technique, Threat,
};
pub use schedule::Schedule;
pub use select::Selection;
pub use source_map::SourceMap;
