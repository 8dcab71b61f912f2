//! The throttle: of each kind of event that may come in floods, and of each backend (or listener)
//! apart, it lets one a second through and counts the rest. So two backends that die together are
//! both named at once, and one application's odd answers hide no other that fails.
//!
//! Backends are known by name, not by their place in the file: a place may be another's after the
//! next change of the configuration. Asked only on the path of errors.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// One event of a kind and a backend may pass in this time.
const PERIOD: Duration = Duration::from_secs(1);
/// Backends of which is known when something was last said of them. Of further ones that complain
/// within the same minute all are treated as one.
const BACKENDS_MAX: usize = 4096;
/// Where there are as many, those of which nothing was said for so long are forgotten.
const FORGOTTEN: Duration = Duration::from_secs(60);
/// What events have in the place of a name that are about no backend.
const NO_BACKEND: &str = "";

/// Its lock is held for a look and a comparison, never across I/O.
#[derive(Default)]
pub(super) struct Throttle(Mutex<Table>);

#[derive(Default)]
struct Table {
    /// In the order of their names: they are few, and new ones are fewer.
    backends: Vec<(Box<str>, Vec<Passed>)>,
    swept: Option<Instant>,
}

/// When an event of this kind passed.
struct Passed {
    kind: &'static str,
    at: Instant,
    left_out: u64,
}

/// What did not pass before an event that does. Displayed, it ends that event's line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LeftOut {
    pub(super) count: u64,
    /// In this time: a count that comes after a quiet night is no news of now.
    pub(super) within: Duration,
}

impl Throttle {
    /// What was left out before, when this event may be told at `now`. The first always may.
    pub(super) fn pass(
        &self,
        kind: &'static str,
        backend: Option<&str>,
        now: Instant,
    ) -> Option<LeftOut> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = table.of(backend.unwrap_or(NO_BACKEND), now);
        let Some(last) = passed.iter_mut().find(|passed| passed.kind == kind) else {
            passed.push(Passed { kind, at: now, left_out: 0 });
            return Some(LeftOut::default());
        };
        let within = now.saturating_duration_since(last.at);
        if within < PERIOD {
            last.left_out += 1;
            return None;
        }
        last.at = now;
        Some(LeftOut { count: std::mem::take(&mut last.left_out), within })
    }
}

impl Table {
    /// What has passed of this backend. A name is copied only when it is new.
    fn of(&mut self, backend: &str, now: Instant) -> &mut Vec<Passed> {
        if self.backends.len() >= BACKENDS_MAX && self.place(backend).is_err() {
            self.sweep(now);
        }
        let is_full = self.backends.len() >= BACKENDS_MAX && self.place(backend).is_err();
        let name = if is_full { NO_BACKEND } else { backend };
        let place = self.place(name).unwrap_or_else(|place| {
            self.backends.insert(place, (name.into(), Vec::new()));
            place
        });
        &mut self.backends[place].1
    }

    /// Where this name is, or would be.
    fn place(&self, name: &str) -> Result<usize, usize> {
        self.backends.binary_search_by(|(known, _)| (**known).cmp(name))
    }

    /// Forgets the silent ones; not more often than they may become silent, as it looks at all.
    fn sweep(&mut self, now: Instant) {
        if self.swept.is_some_and(|swept| now < swept + FORGOTTEN) {
            return;
        }
        self.swept = Some(now);
        let is_recent = |passed: &Passed| now < passed.at + FORGOTTEN;
        self.backends.retain(|(_, passed)| passed.iter().any(is_recent));
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self { count: 0, .. } => Ok(()),
            Self { count, within } => {
                let within_s = within.as_secs();
                write!(f, " ({count} more of these left out in {within_s} s)")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn passes(throttle: &Throttle, backend: &str, now: Instant) -> bool {
        throttle.pass("reset", Some(backend), now).is_some()
    }

    #[test]
    fn one_event_a_second_passes_and_says_how_many_did_not() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        let pass = |now| throttle.pass("reset", None, now);
        assert_eq!(pass(start), Some(LeftOut::default()));
        assert_eq!(pass(start), None);
        assert_eq!(pass(start + Duration::from_millis(999)), None);
        assert_eq!(pass(start + PERIOD), Some(LeftOut { count: 2, within: PERIOD }));
        assert_eq!(pass(start + PERIOD), None);
    }

    #[test]
    fn each_kind_and_each_backend_has_its_own() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for backend in [None, Some("a"), Some("b")] {
            for kind in ["reset", "timeout"] {
                assert!(throttle.pass(kind, backend, now).is_some(), "{kind} {backend:?}");
                assert!(throttle.pass(kind, backend, now).is_none(), "{kind} {backend:?}");
            }
        }
    }

    #[test]
    fn ever_new_names_fill_no_memory_and_old_ones_make_room() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        for number in 0..2 * BACKENDS_MAX {
            passes(&throttle, &number.to_string(), start);
        }
        // The ones too many share one entry.
        let known = || throttle.0.lock().unwrap().backends.len();
        assert_eq!(known(), BACKENDS_MAX + 1);
        assert!(!passes(&throttle, "new", start));
        assert!(passes(&throttle, "new", start + MINUTE + MINUTE));
        assert_eq!(known(), 1);
    }
}
