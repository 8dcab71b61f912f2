//! The lab: what Evenly is tried out with: the demo backend, the simulator of policies, and the
//! reports that show how they did.

pub mod backend;
pub mod bench;
pub mod report;
pub mod simulate;
