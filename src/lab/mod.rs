//! The lab: what Evenly is tried out with. The demo backend, and the
//! simulator of policies.

pub mod backend;
#[cfg(feature = "lab")]
pub mod simulate;
