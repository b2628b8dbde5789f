//! quell: Elastic's detection rules on any log, without a cluster.
//!
//! This crate is the stable face of the engine: load rules, scan inputs, get alerts. The crates behind it may change.
//!
//! ```
//! use quell::{CompileOptions, NoProgress, RuleSet, RuleSpec, Scan, ScanOptions};
//!
//! let rules = RuleSet::load(&[RuleSpec::Embedded("t1046".into())]);
//! let scan = Scan::new(rules.rules, &CompileOptions::new(quell::schema()), ScanOptions::default());
//! assert!(scan.findings().iter().all(|finding| !finding.diagnostic.is_error()));
//!
//! let nothing: [&str; 0] = [];
//! let report = scan.run(&nothing, &NoProgress);
//! assert!(report.alerts.is_empty());
//! ```

mod alert_stage;
mod checkpoint;
mod context;
mod decode;
mod documents;
mod explain;
mod indicators;
mod maintenance;
mod pipeline;
mod query;
mod scan;
mod stream;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use decode::{Decoded, decode};
pub use documents::{DocumentError, Documents};
pub use explain::{
    Explain, Explanation, Focus, KeptOut, NotExplained, Part, PartCounts, PartKind, PartVerdict, Reason,
    ReasonKind, SeenEvent, Told, ToldSink,
};
pub use indicators::{IndicatorError, Indicators};
pub use pipeline::{NoProgress, Progress, Seen};
pub use query::{QueryError, QueryOptions, format_query, query};
pub use scan::{AlertSink, HeldBack, NotRun, Report, Scan, ScanOptions, Stats};
pub use stream::{
    StreamCounts, StreamError, StreamOptions, StreamOutput, follow, stream_pipe, stream_reader,
    stream_standard_input,
};

pub use quell_engine::{
    Alert, Counted, Enrichment, HeldBy, Key, Maintenance, Member, Particulars, Remembered, ResultLimit,
    ResultPosition, SpillError, Step as SequenceStep, Suppression, ThresholdResult, Totals,
};
pub use quell_eql::Dialect;
pub use quell_event::{EcsSchema, RecordRef, RecordText};
pub use quell_ingest::{FollowPosition, InputWarning, LiveInput, Loss, WarningLog};
pub use quell_ir::Value as Constant;
pub use quell_ir::diagnostic::{did_you_mean, near_names};
pub use quell_ir::logic::{Query, Sharding, Threshold};
pub use quell_ir::{Code, Diagnostic, FieldType, Schema, Severity, Span};
pub use quell_rules::{
    Checked, CompileOptions, EmbeddedSet, ExceptionItem, ExceptionSet, FileFinding, Language,
    MaintenanceWindow, Outcome, Rule, RuleFormat, RuleKind, RuleSet, RuleSeverity, RuleSpec, Selection,
    check, compile_rule, embedded::templates, report,
};

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// The fields that rules may name: ECS, and what Elastic's integrations add to it.
#[must_use]
pub fn schema() -> &'static EcsSchema {
    static SCHEMA: LazyLock<EcsSchema> = LazyLock::new(EcsSchema::new);
    &SCHEMA
}

/// The files that `paths` name, as a scan would read them; standard input is none.
#[must_use]
pub fn input_files<P: AsRef<Path>>(paths: &[P]) -> Vec<PathBuf> {
    let files = quell_ingest::discover(paths).files.into_iter();
    files.filter(|file| !file.standard_input).map(|file| file.path.to_path_buf()).collect()
}

/// The names of the input formats, as [`ScanOptions::input_format`] takes them.
#[must_use]
pub fn input_format_names() -> Vec<&'static str> {
    quell_ingest::FORMATS.iter().map(|format| format.name()).collect()
}
