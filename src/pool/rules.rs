//! What the configuration may set about the pool's decisions, with the defaults.
//!
//! Filled in by the configuration, read by the pool. Holds no state and decides nothing.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::Secret;

/// Everything that steers a pool, apart from its backends and its policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// What people call the pool; none where there is but one.
    pub pool: Option<String>,
    /// When traffic itself takes a backend out.
    pub passive: PassiveRules,
    /// When a request may be tried again.
    pub retry: RetryRules,
    /// How many checks in a row turn a backend up or down.
    pub check: CheckRules,
    /// How long a backend that comes back takes to get its full share; zero gives it at once.
    pub slow_start: Duration,
    /// What sticky sessions' tokens are made with; none has no sticky sessions.
    pub sticky: Option<Secret>,
    /// How long what is in flight at a backend may take from when it is set to maint.
    pub drain: Duration,
    /// With no backend up: try all that are not in maintenance, rather than answer 503.
    pub fail_open: bool,
}

/// Passive marking: failures in a row take a backend out for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassiveRules {
    /// Failures in a row that eject, at most 1000; 0 turns passive marking off.
    pub failures: u16,
    /// The first ejection's length; each further one is twice as long.
    pub eject: Duration,
    /// The longest ejection, and the good stretch after which doubling starts over.
    pub eject_max: Duration,
    /// Answers that count as failures.
    pub statuses: Statuses,
    /// Whether answers that our rules refuse count as failures.
    pub bad_answers: bool,
    /// How many clients must have met the failures that a request may have brought about: 2, or 1
    /// where what one alone meets is enough.
    pub clients: u16,
}

/// Active checks: how many results in a row it takes to turn a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckRules {
    /// Passing checks that turn a backend up.
    pub rise: u32,
    /// Failing checks that turn a backend down.
    pub fall: u32,
}

/// When and how often a request may be tried again, and how many may be so at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryRules {
    /// What may be followed by another try.
    pub on: RetryOn,
    /// Tries after the first, of every kind together; 0 turns retries off.
    pub attempts: u32,
    /// Further backends for a request that one was sent and gave no answer to. It may be what
    /// breaks whoever gets it: let it not go round.
    pub unanswered: u32,
    /// Retries allowed at once, in percent of the requests in flight.
    pub budget_percent: u32,
    /// Retries allowed at once however few requests are in flight.
    pub budget_min: u32,
}

/// What may be followed by another try, beside a kept connection that turns out closed, which is no
/// failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryOn {
    /// No connection came about, in time or at all.
    pub connect: bool,
    /// The connection broke after the request was sent.
    pub reset: bool,
    /// The answer did not begin in time.
    pub timeout: bool,
    /// The answer has one of these statuses.
    pub statuses: Statuses,
}

/// A set of status codes, as ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statuses(Vec<RangeInclusive<u16>>);

impl Default for PassiveRules {
    fn default() -> Self {
        Self {
            failures: 3,
            eject: Duration::from_secs(10),
            eject_max: Duration::from_secs(60),
            statuses: Statuses::new(vec![502..=504]),
            bad_answers: false,
            clients: 2,
        }
    }
}

impl Default for CheckRules {
    fn default() -> Self {
        Self { rise: 2, fall: 3 }
    }
}

impl Default for RetryRules {
    fn default() -> Self {
        Self {
            on: RetryOn::default(),
            attempts: 2,
            unanswered: 1,
            budget_percent: 20,
            budget_min: 3,
        }
    }
}

impl Default for RetryOn {
    fn default() -> Self {
        Self { connect: true, reset: true, timeout: true, statuses: Statuses::default() }
    }
}

impl Statuses {
    /// The statuses within any of `ranges`.
    pub fn new(ranges: Vec<RangeInclusive<u16>>) -> Self {
        Self(ranges)
    }

    /// The same, as they were given.
    pub fn ranges(&self) -> &[RangeInclusive<u16>] {
        &self.0
    }

    /// True if `status` is one of them.
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            let (first, last) = (range.start(), range.end());
            match first == last {
                true => write!(f, "{comma}{first}")?,
                false => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_hold_single_codes_and_ranges() {
        let statuses = Statuses::new(vec![200..=299, 401..=401]);
        let held: Vec<u16> = [199, 200, 299, 300, 401, 402].into_iter().collect();
        let held: Vec<u16> = held.into_iter().filter(|code| statuses.contains(*code)).collect();
        assert_eq!(held, [200, 299, 401]);
        assert_eq!(statuses.to_string(), "200-299, 401");
        assert!(!Statuses::default().contains(200));
    }

    #[test]
    fn a_500_and_every_4xx_are_no_failure_by_default() {
        let failing: Vec<u16> =
            (100..600).filter(|code| Rules::default().passive.statuses.contains(*code)).collect();
        assert_eq!(failing, [502, 503, 504]);
    }
}
