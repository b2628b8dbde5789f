//! What rules know beforehand: indicators of threats, and whether a history.

use crate::console::Console;
use crate::failure::Failure;
use crate::units::{count, counted};
use clap::{Args, ValueHint};
use quell::{Indicators, ScanOptions};
use std::path::PathBuf;
use std::sync::Arc;

/// What rules know beforehand.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Rules")]
pub struct MemoryOptions {
    /// Indicators for indicator match rules: CSV, a STIX 2.1 bundle, or ECS documents as NDJSON; repeatable
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub indicators: Vec<PathBuf>,
    /// Let new terms rules speak before they have seen a whole history window
    #[arg(long)]
    pub no_warm_up: bool,
}

impl MemoryOptions {
    /// The same options with these. What is passed over in files of indicators is said.
    ///
    /// # Errors
    /// A file of indicators is of no use.
    pub fn apply(&self, options: ScanOptions, console: &Console) -> Result<ScanOptions, Failure> {
        let indicators =
            Indicators::load(&self.indicators).map_err(|error| Failure::unusable(error.to_string()))?;
        if indicators.not_read() > 0 {
            let passed_over = counted(indicators.not_read(), "entry", "entries");
            let read = count(indicators.len() as u64);
            console.warn(&format!(
                "{passed_over} in the files of indicators could not be read; {read} were read"
            ));
        }
        Ok(ScanOptions { no_warm_up: self.no_warm_up, indicators: Arc::new(indicators), ..options })
    }
}
