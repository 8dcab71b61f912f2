//! The lab: what Evenly is tried out with. So far the demo backend.

pub mod backend;
