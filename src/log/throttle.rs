//! A throttle: lets one event a second through and counts the rest. One for each thing that may be
//! said in a flood, and of what is said of backends, one for each of them; `Log::limited` asks it.

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

/// What did not pass before an event that does.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LeftOut {
    pub(super) count: u64,
    /// In this time.
    pub(super) within: Duration,
}

impl Throttle {
    /// One that lets the next event through.
    pub const fn new() -> Throttle {
        Throttle(Mutex::new(Since { passed: None, left_out: 0 }))
    }

    /// What was left out before, when this event may be said at `now`. The first always may.
    pub(super) fn pass(&self, now: Instant) -> Option<LeftOut> {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = since.passed.map(|passed| now.saturating_duration_since(passed));
        let within = passed.unwrap_or_default();
        if passed.is_some() && within < PERIOD {
            since.left_out += 1;
            return None;
        }
        since.passed = Some(now);
        Some(LeftOut { count: std::mem::take(&mut since.left_out), within })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_event_a_second_passes_and_says_how_many_did_not() {
        let throttle = Throttle::new();
        let start = Instant::now();
        let passed = |count, within| Some(LeftOut { count, within });
        assert_eq!(throttle.pass(start), passed(0, Duration::ZERO));
        assert_eq!(throttle.pass(start), None);
        assert_eq!(throttle.pass(start + Duration::from_millis(999)), None);
        assert_eq!(throttle.pass(start + PERIOD), passed(2, PERIOD));
        assert_eq!(throttle.pass(start + PERIOD), None);
    }
}
