//! The lab: what Evenly is tried out with: the demo backend, the simulator of policies, and the
//! reports that show how they did.

pub mod backend;
#[cfg(feature = "lab")]
pub mod bench;
#[cfg(feature = "lab")]
pub mod report;
#[cfg(feature = "lab")]
pub mod simulate;
