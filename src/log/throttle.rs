//! A throttle: lets one event a second through and counts the rest. One for each thing that may be
//! said in a flood; `Log::limited` asks it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const PERIOD: Duration = Duration::from_secs(1);

/// May be a `static`. Its lock is held for a comparison, never across I/O.
#[derive(Debug, Default)]
pub struct Throttle(Mutex<Since>);

#[derive(Debug, Default)]
struct Since {
    passed: Option<Instant>,
    left_out: u64,
}

impl Throttle {
    /// One that lets the next event through.
    pub const fn new() -> Throttle {
        Throttle(Mutex::new(Since { passed: None, left_out: 0 }))
    }

    /// `Some(how many were left out before)` when this event may be said at `now`.
    pub fn pass(&self, now: Instant) -> Option<u64> {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if since.passed.is_some_and(|passed| now.saturating_duration_since(passed) < PERIOD) {
            since.left_out += 1;
            return None;
        }
        since.passed = Some(now);
        Some(std::mem::take(&mut since.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_event_a_second_passes_and_says_how_many_did_not() {
        let throttle = Throttle::new();
        let start = Instant::now();
        assert_eq!(throttle.pass(start), Some(0));
        assert_eq!(throttle.pass(start), None);
        assert_eq!(throttle.pass(start + Duration::from_millis(999)), None);
        assert_eq!(throttle.pass(start + PERIOD), Some(2));
        assert_eq!(throttle.pass(start + PERIOD), None);
    }
}
