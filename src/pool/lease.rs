//! The guard that a pick returns: it keeps the backend busy and reports what came of it.
//!
//! Held by the task that serves the request. Whatever happens to that task, dropping the lease
//! gives the place back.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Backend, Notice, Pool, Witness};

/// One request's use of one backend. Dropped without a report, it was [`Outcome::Abandoned`].
pub struct Lease {
    pool: Arc<Pool>,
    index: usize,
}

/// What came of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The backend answered, well or not: its status says which.
    Answered {
        /// 100 to 599.
        status: u16,
        /// From the request's last byte to the answer's first.
        latency: Duration,
    },
    /// The backend failed.
    Failed(Fault),
    /// The client left, or we are stopping: nothing is known about the backend.
    Abandoned,
}

/// How a backend failed. Our own limits (descriptors, ports) are never a fault of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No connection came about, in time or at all.
    Connect,
    /// The connection ended before the answer did.
    Reset,
    /// The answer, or its next byte, came too late.
    Timeout,
    /// What came was no HTTP: a TLS alert, the greeting of another protocol, garbage.
    NoHttp,
    /// An answer came, and our rules refuse it: the application's word for this request, which its
    /// other instances would give too.
    BadAnswer,
}

impl Lease {
    pub(super) fn new(pool: Arc<Pool>, index: usize) -> Self {
        Self { pool, index }
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

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered { status, .. } => write!(f, "status {status}"),
            Self::Failed(fault) => fault.fmt(f),
            Self::Abandoned => f.write_str("abandoned"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Connect => "connect failed",
            Self::Reset => "connection reset",
            Self::Timeout => "timed out",
            Self::NoHttp => "no HTTP",
            Self::BadAnswer => "bad answer",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::testing::pool;
    use crate::pool::{Ask, Rules};

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

    #[test]
    fn outcomes_are_worded_for_the_log() {
        let faults =
            [Fault::Connect, Fault::Reset, Fault::Timeout, Fault::NoHttp, Fault::BadAnswer];
        let words = faults.map(|fault| Outcome::Failed(fault).to_string());
        let expected = ["connect failed", "connection reset", "timed out", "no HTTP", "bad answer"];
        assert_eq!(words, expected);
        assert_eq!(Outcome::Answered { status: 503, latency: NOW }.to_string(), "status 503");
        assert_eq!(Outcome::Abandoned.to_string(), "abandoned");
    }
}
