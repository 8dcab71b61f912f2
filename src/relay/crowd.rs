//! Whose place is wanted by others: one number, the *cutoff*, which the timer sets (`lookout.rs`)
//! and the steps of idle clients look at. Another one is for those whose own listener is full.

use crate::engine::Place;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long a new client may take to ask before it counts as idle. With TLS that is several turns
/// of the way there and back.
pub(crate) const ASKING: Duration = Duration::from_secs(1);

/// The cutoff, for the steps to see.
#[derive(Default)]
pub(crate) struct Crowd {
    cutoff_us: AtomicU64,
    apart_us: AtomicU64,
}

impl Crowd {
    /// Whoever has been idle since `cutoff`, or for longer, is to leave; and whoever has since
    /// `apart`, where others wait at its own listener.
    pub(super) fn set(&self, cutoff: Duration, apart: Duration) {
        self.cutoff_us.store(cutoff.as_micros() as u64, Ordering::Relaxed);
        self.apart_us.store(apart.as_micros() as u64, Ordering::Relaxed);
    }

    /// True when `place` is wanted of a client that has been idle since then.
    pub(crate) fn wants_place_of(&self, idle_since: Duration, place: &Place) -> bool {
        // As the slots have it, and so the cutoff: without the nanoseconds.
        let since_us = idle_since.as_micros() as u64;
        let is_late = |cutoff_us: &AtomicU64| since_us <= cutoff_us.load(Ordering::Relaxed);
        is_late(&self.cutoff_us) || (is_late(&self.apart_us) && place.is_wanted())
    }
}
