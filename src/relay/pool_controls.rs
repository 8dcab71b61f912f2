//! One pool of a running server with the line in front of it, as it is shown and steered.

use super::branch::Branch;
use super::totals::Totals;
use crate::pool::Pool;
use crate::text::Traffic;
use std::sync::Arc;
use std::time::Duration;

/// A pool with the line in front of it.
pub struct PoolControls {
    pub(super) branch: Arc<Branch>,
    /// What clients have under way there.
    pub(super) traffic: Traffic,
    /// On the pool's clock.
    pub(super) now: Duration,
}

impl PoolControls {
    /// The pool that requests are given to.
    pub fn pool(&self) -> &Arc<Pool> {
        &self.branch.pool
    }

    /// What clients have under way there.
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// Requests that wait for a place now, and how many may.
    pub fn waiting(&self) -> (usize, usize) {
        (self.branch.queue.len(), self.branch.config.queue.length)
    }

    /// How much longer requests are held; `None` if they are not.
    pub fn paused_for(&self) -> Option<Duration> {
        self.branch.queue.paused_for(self.now)
    }

    /// What the requests of this pool have come to since the start.
    pub fn totals(&self) -> Totals {
        self.branch.seen.sum(Totals::default(), Totals::with)
    }

    /// Holds new requests in the line; returns for how long at the most.
    pub(super) fn pause(&self, at_most: Duration) -> Duration {
        self.branch.queue.pause(at_most, self.now)
    }

    /// Lets the requests go that are held; how many those were, if any could be.
    pub(super) fn resume(&self) -> Option<usize> {
        let held = self.branch.queue.len();
        self.branch.queue.resume(self.now).then_some(held)
    }
}
