//! The lab: what Evenly is tried out with. The demo backend, and the load generator.

pub mod backend;
#[cfg(feature = "lab")]
pub mod bench;
