//! Compile, match, correlate, alert.
//!
//! An [`Engine`] is a compiled rule set. Each thread makes a [`Matcher`] of it, which turns events into [`Hit`]s in any
//! order; [`correlate()`] turns all hits into [`Detection`]s in one order, and those become [`Alert`]s. The same events give
//! the same alerts, however they were spread over threads and files.

mod alert;
mod compile;
mod correlate;
mod gate;
mod hit;
mod hit_runs;
mod hold;
mod index_patterns;
mod join;
mod join_key;
mod lineage;
mod matcher;
mod new_terms;
mod object;
mod particulars;
mod pipes;
mod program;
mod residual;
mod sample;
mod saved;
mod sequence;
mod slot;
mod stats;
mod suppress;
mod term_index;
mod text_index;
mod threats;
mod threshold;
mod trace;
mod truth;
mod waiting;
mod why;
mod wildcard;
mod witness;

pub use alert::{Alert, HeldBy, Maintenance, alert_document};
pub use compile::{Engine, EngineOptions, EngineRule, EngineSize, NotRunYet, ResultLimit, ResultPosition};
pub use correlate::{Correlator, Detection, Found, InOrder, Limited, Member, correlate, correlate_in_order};
pub use hit::{Hit, MemberId, Series, Tiebreaker};
pub use hit_runs::{HitRuns, Merged, SpillError};
pub use join_key::Key;
pub use lineage::{Fact, Lineage, ProcessIds};
pub use matcher::Matcher;
pub use particulars::{Enrichment, Particulars, ThresholdResult};
pub use pipes::Totals;
pub use residual::{Captured, Facts, Residual, Tie};
pub use saved::{Restored, StateError};
pub use stats::MatchStats;
pub use suppress::{Suppression, SuppressionCounts, Suppressor};
pub use threats::Indicator;
pub use trace::{Counted, NoTrace, Remembered, Step, Trace};
pub use waiting::Waiting;
pub use why::{Tested, Verdict, Why};
