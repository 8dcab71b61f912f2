//! What befell a backend lately: what its checks said, and what brought it where it stands.
//!
//! Part of its record, for people to read. Written by whoever changes its standing and by its
//! checks, so seldom that a lock will do; no request looks at it. Decides nothing.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{CheckOutcome, Standing};

/// How many checks are remembered.
const CHECKS_MAX: usize = 5;
/// How much is kept of what a check saw: it may quote what the backend sent.
const SEEN_BYTES_MAX: usize = 256;

/// A check that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastCheck {
    /// When it ended, on the pool's clock.
    pub at: Duration,
    /// How long it took.
    pub took: Duration,
    /// Whether the backend counts as healthy by it.
    pub passed: bool,
    /// What was seen: `status 200`.
    pub seen: String,
}

/// What befell one backend.
pub(super) struct Past {
    notes: Mutex<Notes>,
}

struct Notes {
    /// The newest last.
    checks: Vec<PastCheck>,
    /// Why checks call it what they call it.
    of_checks: String,
    /// What took it out for a while, last.
    of_ejection: String,
    /// What brought it where it stood when that last changed.
    reason: String,
    standing: Standing,
    since: Duration,
}

impl Past {
    /// Of one that stands there for the file says so.
    pub(super) fn new(standing: Standing, now: Duration) -> Self {
        Self { notes: Mutex::new(Notes::new(standing, now)) }
    }

    /// Begins anew: it is somewhere else, or the file says otherwise and no check has spoken yet.
    pub(super) fn begin_anew(&self, standing: Standing, now: Duration) {
        *self.lock() = Notes::new(standing, now);
    }

    /// Remembers a check, and its words if it turned the backend.
    pub(super) fn checked(&self, outcome: &CheckOutcome, turned: bool, now: Duration) {
        let mut notes = self.lock();
        let is_first = notes.checks.is_empty() && !outcome.asks_drain;
        if notes.checks.len() == CHECKS_MAX {
            notes.checks.remove(0);
        }
        let CheckOutcome { passed, took, seen, .. } = outcome;
        let seen = shortened(seen).to_owned();
        notes.checks.push(PastCheck { at: now, took: *took, passed: *passed, seen });
        if turned || is_first {
            notes.of_checks = shortened(&outcome.to_string()).to_owned();
        }
        // Whoever took it out before that has said why.
        if is_first && !matches!(notes.standing, Standing::Drain | Standing::Maint) {
            notes.reason = notes.of_checks.clone();
        }
    }

    /// No check speaks any more.
    pub(super) fn left_unchecked(&self, alive: bool) {
        self.lock().of_checks = format!("the file says alive = {alive}, and it is not checked");
    }

    /// It was taken out for a while, for this reason.
    pub(super) fn ejected(&self, reason: &str) {
        reason.clone_into(&mut self.lock().of_ejection);
    }

    /// It stands there from now on, for this reason.
    pub(super) fn came(&self, standing: Standing, reason: &str, now: Duration) {
        let mut notes = self.lock();
        shortened(reason).clone_into(&mut notes.reason);
        (notes.standing, notes.since) = (standing, now);
    }

    /// Why it stands there, and since when; `ejection_ends` is when the last one ends or ended, of
    /// which nobody tells.
    pub(super) fn why(&self, standing: Standing, ejection_ends: Duration) -> (String, Duration) {
        let notes = self.lock();
        let is_back = notes.standing == Standing::Ejected && standing == Standing::Up;
        let reason = match standing {
            Standing::Up if is_back => return ("its ejection is over".to_owned(), ejection_ends),
            Standing::Down => &notes.of_checks,
            Standing::Ejected => &notes.of_ejection,
            Standing::Up | Standing::Drain | Standing::Maint => &notes.reason,
        };
        (reason.clone(), notes.since)
    }

    /// The last checks, the newest first.
    pub(super) fn checks(&self) -> Vec<PastCheck> {
        self.lock().checks.iter().rev().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notes {
    fn new(standing: Standing, since: Duration) -> Self {
        let alive = standing == Standing::Up;
        let reason = format!("the file says alive = {alive}, and no check has spoken yet");
        let (of_checks, of_ejection) = (reason.clone(), String::new());
        Self { checks: Vec::new(), of_checks, of_ejection, reason, standing, since }
    }
}

/// No more of it than is kept, cut between two characters.
fn shortened(text: &str) -> &str {
    let mut end = text.len().min(SEEN_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::testing::{check, pool};
    use crate::pool::{Ask, Fault, Outcome, Pool, Rules};

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn why(pool: &Pool, now: Duration) -> (String, Duration) {
        let status = pool.status(0, now);
        (status.why, status.since)
    }

    #[test]
    fn the_last_five_checks_are_remembered_the_newest_first_and_cut() {
        let pool = pool(1, Rules::default());
        for number in 0..7 {
            let seen = format!("{number}{}", "é".repeat(200));
            pool.record_check(0, &CheckOutcome { seen, ..check(true) }, s(number));
        }
        let checks = pool.status(0, s(9)).checks;
        let times: Vec<u64> = checks.iter().map(|check| check.at.as_secs()).collect();
        assert_eq!(times, [6, 5, 4, 3, 2]);
        assert!(checks.iter().all(|check| check.passed && check.seen.len() == SEEN_BYTES_MAX - 1));
    }

    #[test]
    fn where_it_stands_is_told_with_the_reason_and_since_when() {
        let pool = pool(3, Rules::default());
        let first = "the file says alive = true, and no check has spoken yet";
        assert_eq!(why(&pool, s(1)), (first.into(), s(0)));
        pool.record_check(0, &check(true), s(2));
        assert_eq!(why(&pool, s(3)), ("check passed: as told (1.0 ms)".into(), s(0)));
        for now in 4..7 {
            pool.record_check(0, &check(false), s(now));
        }
        let down = ("check failed: as told (1.0 ms)".to_owned(), s(6));
        assert_eq!(why(&pool, s(9)), down);
        pool.set_mode(0, crate::pool::Mode::Drain, false, s(10)).unwrap();
        assert_eq!(why(&pool, s(11)), ("set to drain by an operator".into(), s(10)));
        pool.set_mode(0, crate::pool::Mode::Ready, false, s(12)).unwrap();
        assert_eq!(why(&pool, s(13)), (down.0, s(12)), "it is down still, for what checks say");
    }

    #[test]
    fn who_was_taken_out_before_the_first_check_is_out_for_the_operators_reason_still() {
        let pool = pool(2, Rules::default());
        pool.set_mode(0, crate::pool::Mode::Maint, false, s(1)).unwrap();
        pool.record_check(0, &check(true), s(2));
        assert_eq!(why(&pool, s(3)), ("set to maint by an operator".into(), s(1)));
    }

    #[test]
    fn what_is_known_of_a_thousand_backends_fits_into_ten_megabytes() {
        const WORKERS: usize = 4;
        let check = size_of::<PastCheck>() + SEEN_BYTES_MAX;
        let past = CHECKS_MAX.next_power_of_two() * check + 3 * 2 * SEEN_BYTES_MAX;
        let tallies = WORKERS * size_of::<crate::pool::tally::Tally>().next_multiple_of(128);
        let record = size_of::<crate::pool::record::Record>();
        assert!(record + past + tallies < 10_000, "{record} + {past} + {tallies}");
    }

    #[test]
    fn one_that_comes_back_by_itself_is_known_to_since_its_ejection_ended() {
        let pool = pool(3, Rules::default());
        for _ in 0..3 {
            let lease = pool.pick(&Ask { tried: &[1, 2], ..Ask::default() }).unwrap();
            lease.finish(Outcome::Failed(Fault::Connect), s(1));
        }
        let (reason, since) = why(&pool, s(2));
        assert!(reason.starts_with("3 failures in a row, the last: connect failed"), "{reason}");
        assert_eq!(since, s(1));
        assert_eq!(why(&pool, s(11)), ("its ejection is over".into(), s(11)));
    }
}
