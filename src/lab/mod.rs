//! The lab: what Evenly is tried out with, and the reports that show how it did.

pub mod backend;
#[cfg(feature = "lab")]
pub mod bench;
#[cfg(feature = "lab")]
pub mod report;
