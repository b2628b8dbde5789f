//! Lowering of the Endgame dialect: what its leaves become, wanted true and wanted false, and what is refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]
