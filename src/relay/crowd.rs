//! Whose place is wanted by others: one number, the *cutoff*, which the timer sets (`lookout.rs`)
//! and the steps of idle clients look at.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long a new client may take to ask before it counts as idle. With TLS that is several turns
/// of the way there and back.
pub(crate) const ASKING: Duration = Duration::from_secs(1);

/// The cutoff, for the steps to see.
#[derive(Default)]
pub(crate) struct Crowd {
    cutoff_us: AtomicU64,
}

impl Crowd {
    /// Whoever has been idle since `cutoff`, or for longer, is to leave.
    pub(super) fn set(&self, cutoff: Duration) {
        self.cutoff_us.store(cutoff.as_micros() as u64, Ordering::Relaxed);
    }

    /// True when the place is wanted of a client that has been idle since then, if it is idle.
    pub(crate) fn wants_place_of(&self, idle_since: Option<Duration>) -> bool {
        let cutoff_us = self.cutoff_us.load(Ordering::Relaxed);
        // As the slots have it, and so the cutoff: without the nanoseconds.
        let is_late = |since: Duration| since.as_micros() as u64 <= cutoff_us;
        idle_since.is_some_and(is_late)
    }
}
