//! How many client connections there are, and no more than may be.
//!
//! The listener asks for a place before it accepts; a connection gives its place back when it is
//! dropped. The only lock here is taken when the house is full, or empties for good.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How long a waiter sleeps at most before it looks again: a lost wake-up costs this, no more.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Counts connections against a limit.
pub(crate) struct Gate {
    taken: AtomicUsize,
    limit: usize,
    waiting: Mutex<()>,
    left: Condvar,
}

/// One connection's place; dropping it makes room.
pub(crate) struct Place(Arc<Gate>);

impl Gate {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            taken: AtomicUsize::new(0),
            limit,
            waiting: Mutex::new(()),
            left: Condvar::new(),
        })
    }

    /// A place, if there is one.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Place> {
        // Only the listener enters, so nobody can take the place between the look and the count.
        (self.taken.load(Ordering::SeqCst) < self.limit).then(|| {
            self.taken.fetch_add(1, Ordering::SeqCst);
            Place(Arc::clone(self))
        })
    }

    /// Connections now.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }

    /// The most connections at a time.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Waits until at most `count` places are taken or `timeout` has passed; true when they are.
    pub(crate) fn wait_until_at_most(&self, count: usize, timeout: Duration) -> bool {
        let deadline = std::time::Instant::now() + timeout;
        let mut guard = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        while self.taken() > count {
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            if left.is_zero() {
                return false;
            }
            let nap = left.min(LOOK_AGAIN);
            guard = self
                .left
                .wait_timeout(guard, nap)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let before = self.0.taken.fetch_sub(1, Ordering::SeqCst);
        if before == self.0.limit || before == 1 {
            self.0.left.notify_all();
        }
    }
}
