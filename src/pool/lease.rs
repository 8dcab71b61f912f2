//! The guard that a pick returns: it keeps the backend busy and reports what came of it.
//!
//! Held by the task that serves the request. Whatever happens to that task, dropping the lease
//! gives the place back.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Backend, Notice, Outcome, Pool, Reason, Witness};

/// One request's use of one backend. Dropped without a report, it was [`Outcome::Abandoned`].
pub struct Lease {
    pool: Arc<Pool>,
    index: usize,
    reason: Reason,
}

impl Lease {
    pub(super) fn new(pool: Arc<Pool>, index: usize, reason: Reason) -> Self {
        Self { pool, index, reason }
    }

    /// By which rule this one was picked.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// The backend's place in [`Pool::backends`].
    pub fn index(&self) -> usize {
        self.index
    }

    /// The backend picked.
    pub fn backend(&self) -> &Backend {
        &self.pool.backends[self.index]
    }

    /// The pool it was picked from.
    pub fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// The backend has taken a connection, of which nobody here reads a byte: that ends a row of
    /// failures, however long the connection lasts then.
    pub fn connected(&self, latency: Duration, now: Duration) -> Option<Notice> {
        self.pool.judge(self.index, &Outcome::Connected { latency }, || None, now)
    }

    /// Gives the backend back and says what came of the try, for a request that no stranger chose.
    /// The notice is for the log.
    pub fn finish(self, outcome: Outcome, now: Duration) -> Option<Notice> {
        self.pool.judge(self.index, &outcome, || None, now)
    }

    /// The same for a client's request, which may have brought a failure about itself; who asked
    /// and for what is needed only then.
    pub fn finish_for(
        self,
        witness: impl FnOnce() -> Witness,
        outcome: Outcome,
        now: Duration,
    ) -> Option<Notice> {
        self.pool.judge(self.index, &outcome, || Some(witness()), now)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.backend().vacate();
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lease").field(&self.backend().name()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::testing::pool;
    use crate::pool::{Ask, Fault, Rules};

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn a_lease_keeps_the_backend_busy_until_it_is_gone() {
        let pool = pool(1, Rules::default());
        let outcomes = [
            None,
            Some(Outcome::Abandoned),
            Some(Outcome::Failed(Fault::Reset)),
            Some(Outcome::Answered { status: 200, latency: NOW }),
        ];
        for outcome in outcomes {
            let lease = pool.pick(&Ask::default()).unwrap();
            assert_eq!(lease.backend().in_use(), 1);
            match outcome {
                Some(outcome) => drop(lease.finish(outcome, NOW)),
                None => drop(lease),
            }
            assert_eq!(pool.backends()[0].in_use(), 0, "after {outcome:?}");
        }
    }

    #[test]
    fn a_panic_gives_the_place_back() {
        let pool = pool(1, Rules::default());
        let held = Arc::clone(&pool);
        let panicked = std::thread::spawn(move || {
            let _lease = held.pick(&Ask::default()).unwrap();
            std::panic::resume_unwind(Box::new("in the middle of a request"));
        });
        assert!(panicked.join().is_err());
        assert_eq!(pool.backends()[0].in_use(), 0);
    }
}
