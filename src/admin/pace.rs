//! How much the endpoint may work: a share of one processor's time, so that however much it is
//! asked, the clients of the relay do not feel it.
//!
//! What each answer cost is measured, so one over 10,000 backends counts for more than a refusal.
//! It is the thread's time on a processor: by the clock each answer of a busy machine would be as
//! dear as it is late, and nobody would see its status where it is wanted most.
//! Each listener has a pace of its own: a flood at the one keeps nobody from the other.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// At a port: of so much time, one part may be work.
pub(super) const OF_STRANGERS: u32 = 100;
/// At the socket, where only its owner asks: a status of 10,000 backends each second.
pub(super) const OF_THE_OWNER: u32 = 10;
/// Work that may be done at once, after a rest: 1,000 requests, or a status of very many backends.
const BURST: Duration = Duration::from_millis(100);

/// A bucket of time. It is kept as the moment at which it would be full again.
pub(super) struct Pace {
    share: u32,
    full_at: Mutex<Instant>,
}

impl Pace {
    /// Of `share` parts of the time, one may be work.
    pub(super) fn new(share: u32, now: Instant) -> Self {
        Self { share, full_at: Mutex::new(now) }
    }

    /// So much work was done by now: how long to rest until there may be more.
    pub(super) fn spend(&self, work: Duration, now: Instant) -> Duration {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        *full_at = (*full_at).max(now) + work * self.share;
        full_at.duration_since(now).saturating_sub(BURST * self.share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_burst_is_free_and_then_a_hundredth_of_the_time_is_work() {
        let start = Instant::now();
        let pace = Pace::new(100, start);
        for _ in 0..100 {
            assert_eq!(pace.spend(MS, start), Duration::ZERO);
        }
        assert_eq!(pace.spend(MS, start), 100 * MS);
        assert_eq!(pace.spend(MS, start + 100 * MS), 100 * MS);
        assert_eq!(pace.spend(MS, start + 1000 * MS), Duration::ZERO);
    }

    #[test]
    fn a_long_rest_saves_up_no_more_than_a_burst() {
        let start = Instant::now();
        let pace = Pace::new(100, start);
        let later = start + Duration::from_secs(3600);
        assert_eq!(pace.spend(BURST, later), Duration::ZERO);
        assert_eq!(pace.spend(MS, later), 100 * MS);
    }
}
