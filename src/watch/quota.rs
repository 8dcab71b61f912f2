//! How many checks may be under way at once: each holds a descriptor, and clients need those too.
//!
//! Owned by the checks thread.

use std::time::Duration;

use rustix::process::{Resource, getrlimit};

/// Checks under way at once, however many descriptors there are.
const UNDER_WAY_MAX: u64 = 4096;
/// The same, however few there are.
const UNDER_WAY_MIN: u64 = 8;
/// The part of all descriptors that checks may hold, and in the first round, whose end clients
/// wait for.
const PART: u64 = 8;
const PART_FIRST: u64 = 2;

/// How many checks may be under way.
pub(super) struct Quota {
    usual: usize,
    first: usize,
    /// How many there was room for when we ran out of descriptors, and until when to believe it.
    shrunk: (usize, Duration),
}

impl Quota {
    /// As the process's limit allows now.
    pub(super) fn new() -> Self {
        Self::of(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX))
    }

    fn of(descriptors: u64) -> Self {
        let part = |of: u64| (descriptors / of).clamp(UNDER_WAY_MIN, UNDER_WAY_MAX) as usize;
        Self { usual: part(PART), first: part(PART_FIRST), shrunk: (0, Duration::ZERO) }
    }

    /// How many checks may be under way at `now`.
    pub(super) fn at(&self, now: Duration, is_first_round: bool) -> usize {
        match self.is_shrunk(now) {
            true => self.shrunk.0,
            false if is_first_round => self.first,
            false => self.usual,
        }
    }

    /// What makes it so many, for people who may want more.
    pub(super) fn bound(&self, is_first_round: bool) -> &'static str {
        let places = if is_first_round { self.first } else { self.usual };
        match is_first_round {
            _ if places as u64 == UNDER_WAY_MAX => "the most, whatever the limit on open files",
            true => "half of the limit on open files, in the first round",
            false => "an eighth of the limit on open files",
        }
    }

    /// There was less room than usual a moment ago.
    pub(super) fn is_shrunk(&self, now: Duration) -> bool {
        now < self.shrunk.1
    }

    /// There is no room for more than are under way, as far as is known until then.
    pub(super) fn shrink(&mut self, under_way: usize, until: Duration) {
        self.shrunk = (under_way, until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_named_as_it_is() {
        let words = |descriptors| [true, false].map(|first| Quota::of(descriptors).bound(first));
        let half = "half of the limit on open files, in the first round";
        let eighth = "an eighth of the limit on open files";
        let most = "the most, whatever the limit on open files";
        assert_eq!(words(1024), [half, eighth]);
        assert_eq!(words(UNDER_WAY_MAX * PART_FIRST), [most, eighth]);
        assert_eq!(words(UNDER_WAY_MAX * PART), [most, most]);
    }

    #[test]
    fn it_shrinks_to_what_could_be_had_and_grows_back() {
        let second = Duration::from_secs(1);
        let mut quota = Quota::new();
        let (usual, first) = (quota.at(second, false), quota.at(second, true));
        assert!(UNDER_WAY_MIN <= usual as u64 && usual <= first);
        assert!(first as u64 <= UNDER_WAY_MAX);
        quota.shrink(3, 2 * second);
        assert_eq!((quota.at(second, true), quota.is_shrunk(second)), (3, true));
        assert_eq!((quota.at(2 * second, false), quota.is_shrunk(2 * second)), (usual, false));
    }
}
