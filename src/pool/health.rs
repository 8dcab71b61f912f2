//! What is known of one backend's health: what checks found, and what traffic found.
//!
//! Called by the pool, from any thread. Each of the two is one atomic word that only ever changes
//! by compare-and-swap, so two observers never lose each other's update; no lock is needed for
//! that. (The pool holds one for the rules that look at several backends.) Never reads a clock:
//! `now` counts from an arbitrary start, the same for all callers.
//!
//! The two are kept apart: a passing check does not shorten an ejection, and an answered request
//! does not turn a backend up that checks call down.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::{CheckRules, PassiveRules};

/// One backend's health.
pub(super) struct Health {
    /// A packed [`Checks`].
    checks: AtomicU32,
    /// A packed [`Marks`].
    marks: AtomicU64,
}

impl Health {
    /// `alive` is believed until the first check, whose result alone decides.
    pub(super) fn new(alive: bool) -> Self {
        let checks = Checks { up: alive, decided: false, run: 0 };
        Self { checks: AtomicU32::new(checks.pack()), marks: AtomicU64::new(0) }
    }

    /// True if checks call it up.
    pub(super) fn is_up(&self) -> bool {
        Checks::unpack(self.checks.load(Relaxed)).up
    }

    /// True while the latest checks speak against the present state, too few to turn it yet.
    pub(super) fn is_changing(&self) -> bool {
        Checks::unpack(self.checks.load(Relaxed)).run > 0
    }

    /// Takes a check's result in; true if it turned the backend up or down.
    pub(super) fn checked(&self, passed: bool, rules: &CheckRules) -> bool {
        let before = self.checks.fetch_update(Relaxed, Relaxed, |word| {
            Some(Checks::unpack(word).checked(passed, rules).pack())
        });
        before.map(Checks::unpack).is_ok_and(|old| old.up != old.checked(passed, rules).up)
    }

    /// How much longer it is ejected; `None` if it is not.
    pub(super) fn ejected_for(&self, now: Duration) -> Option<Duration> {
        Marks::unpack(self.marks.load(Relaxed)).ejected_for(now)
    }

    /// True while it is ejected.
    pub(super) fn is_ejected(&self, now: Duration) -> bool {
        let until_ms = Marks::unpack(self.marks.load(Relaxed)).until_ms;
        // Most never were, and need no clock.
        until_ms > 0 && until_ms > ms(now)
    }

    /// When the last ejection ends or ended; zero if there was none.
    pub(super) fn last_ejection_ends(&self) -> Duration {
        Duration::from_millis(Marks::unpack(self.marks.load(Relaxed)).until_ms)
    }

    /// A request went well. True for the first one after an ejection.
    ///
    /// On the happy path, with nothing to forget, this is one relaxed load.
    pub(super) fn succeeded(&self, now: Duration) -> bool {
        let before = self.marks.load(Relaxed);
        if Marks::unpack(before).succeeded(now).is_none() {
            return false;
        }
        let before = self.marks.fetch_update(Relaxed, Relaxed, |word| {
            Marks::unpack(word).succeeded(now).map(Marks::pack)
        });
        before.map(Marks::unpack).is_ok_and(|old| old.has_returned(now))
    }

    /// A request failed. True once there are enough in a row to eject.
    pub(super) fn failed(&self, now: Duration, rules: &PassiveRules) -> bool {
        if rules.failures == 0 {
            return false;
        }
        let before = self.marks.fetch_update(Relaxed, Relaxed, |word| {
            Marks::unpack(word).failed(now).map(Marks::pack)
        });
        before.map(Marks::unpack).is_ok_and(|old| old.failures.saturating_add(1) >= rules.failures)
    }

    /// Ejects if the failures still stand; says for how long. `None`: a success came in between.
    pub(super) fn eject(&self, now: Duration, rules: &PassiveRules) -> Option<Duration> {
        let before = self.marks.fetch_update(Relaxed, Relaxed, |word| {
            Marks::unpack(word).ejected(now, rules).map(Marks::pack)
        });
        let after = Marks::unpack(before.ok()?).ejected(now, rules)?;
        after.ejected_for(now)
    }
}

/// What checks found: 1 bit `up`, 1 bit `decided`, 30 bits `run`.
#[derive(Clone, Copy)]
struct Checks {
    up: bool,
    /// False until the first result.
    decided: bool,
    /// Results in a row against `up`.
    run: u32,
}

impl Checks {
    const UP: u32 = 1 << 31;
    const DECIDED: u32 = 1 << 30;
    const RUN: u32 = Self::DECIDED - 1;

    fn pack(self) -> u32 {
        let up = if self.up { Self::UP } else { 0 };
        let decided = if self.decided { Self::DECIDED } else { 0 };
        up | decided | self.run.min(Self::RUN)
    }

    fn unpack(word: u32) -> Self {
        let (up, decided) = (word & Self::UP != 0, word & Self::DECIDED != 0);
        Self { up, decided, run: word & Self::RUN }
    }

    fn checked(self, passed: bool, rules: &CheckRules) -> Self {
        if !self.decided {
            return Self { up: passed, decided: true, run: 0 };
        }
        let needed = if passed { rules.rise } else { rules.fall };
        match self.run + 1 {
            _ if passed == self.up => Self { run: 0, ..self },
            run if run < needed => Self { run, ..self },
            _ => Self { up: passed, run: 0, ..self },
        }
    }
}

/// What traffic found: 16 bits `failures`, 7 bits `ejections`, 1 bit `returning`, 40 bits
/// `until_ms` (34 years).
#[derive(Clone, Copy)]
struct Marks {
    /// Failures in a row.
    failures: u16,
    /// Ejections without a good stretch between them.
    ejections: u8,
    /// Ejected, and nothing has gone well since.
    returning: bool,
    /// The end of the latest ejection.
    until_ms: u64,
}

impl Marks {
    const RETURNING: u64 = 1 << 23;
    const EJECTIONS_MAX: u8 = (1 << 7) - 1;

    fn pack(self) -> u64 {
        let returning = if self.returning { Self::RETURNING } else { 0 };
        u64::from(self.failures) | u64::from(self.ejections) << 16 | returning | self.until_ms << 24
    }

    fn unpack(word: u64) -> Self {
        Self {
            failures: word as u16,
            ejections: (word >> 16) as u8 & Self::EJECTIONS_MAX,
            returning: word & Self::RETURNING != 0,
            until_ms: word >> 24,
        }
    }

    fn ejected_for(self, now: Duration) -> Option<Duration> {
        let left_ms = self.until_ms.saturating_sub(ms(now));
        (left_ms > 0).then(|| Duration::from_millis(left_ms))
    }

    fn has_returned(self, now: Duration) -> bool {
        self.returning && self.ejected_for(now).is_none()
    }

    /// `None` when there is nothing to forget. A success during an ejection does not end it.
    fn succeeded(self, now: Duration) -> Option<Self> {
        let dirty = self.failures > 0 || self.has_returned(now);
        let returning = self.returning && !self.has_returned(now);
        dirty.then_some(Self { failures: 0, returning, ..self })
    }

    /// `None` during an ejection: the request was sent before it, and that is judged already.
    fn failed(self, now: Duration) -> Option<Self> {
        let counted = Self { failures: self.failures.saturating_add(1), ..self };
        self.ejected_for(now).is_none().then_some(counted)
    }

    /// The n-th ejection lasts `eject` * 2^(n-1), at most `eject_max`: 10, 20, 40, 60, 60 s.
    /// A good stretch, `eject_max` without an ejection, starts the doubling over.
    fn ejected(self, now: Duration, rules: &PassiveRules) -> Option<Self> {
        if self.failures < rules.failures || self.ejected_for(now).is_some() {
            return None;
        }
        let good_stretch = ms(now) >= self.until_ms + ms(rules.eject_max);
        let ejections = if good_stretch { 0 } else { self.ejections };
        let doubled = ms(rules.eject).saturating_mul(1 << ejections.min(32));
        Some(Self {
            failures: 0,
            ejections: (ejections + 1).min(Self::EJECTIONS_MAX),
            returning: true,
            until_ms: ms(now) + doubled.min(ms(rules.eject_max)).max(1),
        })
    }
}

/// Whole milliseconds, capped at 39 bits so that a sum of two fits the 40 of `until_ms`.
fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).min((1 << 39) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::testing::together;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn checks(alive: bool, results: &[bool]) -> Vec<bool> {
        let health = Health::new(alive);
        let check = |passed: &bool| {
            health.checked(*passed, &CheckRules { rise: 2, fall: 3 });
            health.is_up()
        };
        results.iter().map(check).collect()
    }

    #[test]
    fn the_first_result_decides_at_once() {
        assert_eq!(checks(true, &[false]), [false]);
        assert_eq!(checks(false, &[true]), [true]);
        assert_eq!(checks(true, &[true]), [true]);
        assert_eq!(checks(false, &[false]), [false]);
    }

    #[test]
    fn it_takes_fall_failures_in_a_row_to_go_down_and_rise_passes_to_come_back() {
        let (y, n) = (true, false);
        assert_eq!(checks(y, &[y, n, n, y, n, n, n]), [y, y, y, y, y, y, n]);
        assert_eq!(checks(y, &[n, y, n, y, y, n]), [n, n, n, n, y, y]);
    }

    #[test]
    fn it_is_changing_only_between_the_two_states() {
        let health = Health::new(true);
        let rules = CheckRules { rise: 2, fall: 3 };
        let mut seen = Vec::new();
        for passed in [true, false, false, false, true, true] {
            let turned = health.checked(passed, &rules);
            seen.push((turned, health.is_changing()));
        }
        let (no, yes) = (false, true);
        assert_eq!(seen, [(no, no), (no, yes), (no, yes), (yes, no), (no, yes), (yes, no)]);
    }

    #[test]
    fn a_rise_or_fall_of_zero_acts_as_one() {
        let health = Health::new(true);
        let rules = CheckRules { rise: 0, fall: 0 };
        assert!(!health.checked(true, &rules));
        assert!(health.checked(false, &rules));
        assert!(health.checked(true, &rules));
    }

    /// Fails often enough at `now` and ejects.
    fn eject(health: &Health, now: Duration) -> Option<Duration> {
        let rules = PassiveRules::default();
        let row: Vec<bool> = (0..3).map(|_| health.failed(now, &rules)).collect();
        assert_eq!(row, [false, false, true]);
        health.eject(now, &rules)
    }

    #[test]
    fn ejections_double_up_to_the_longest_and_start_over_after_a_good_stretch() {
        let health = Health::new(true);
        let mut now = s(0);
        let mut lengths = Vec::new();
        for _ in 0..5 {
            let length = eject(&health, now).unwrap();
            lengths.push(length.as_secs());
            now += length;
        }
        assert_eq!(lengths, [10, 20, 40, 60, 60]);
        assert_eq!(eject(&health, now + s(59)), Some(s(60)));
        assert_eq!(eject(&health, now + s(59 + 60 + 60)), Some(s(10)));
    }

    #[test]
    fn very_many_ejections_do_not_overflow() {
        let rules = PassiveRules { failures: 1, ..PassiveRules::default() };
        let (health, mut now) = (Health::new(true), s(0));
        for _ in 0..300 {
            assert!(health.failed(now, &rules));
            now += health.eject(now, &rules).unwrap();
        }
        let long = Duration::MAX;
        let rules = PassiveRules { failures: 1, eject: long, eject_max: long, ..rules };
        assert!(health.failed(now, &rules));
        assert!(health.eject(now, &rules).unwrap() > s(60 * 60 * 24 * 365));
        assert!(health.ejected_for(s(60 * 60 * 24 * 365)).is_some());
    }

    #[test]
    fn it_is_ejected_until_the_time_is_up_and_not_longer() {
        let health = Health::new(true);
        assert_eq!(eject(&health, s(5)), Some(s(10)));
        assert_eq!(health.ejected_for(s(5)), Some(s(10)));
        assert_eq!(health.ejected_for(s(14)), Some(s(1)));
        assert_eq!(health.ejected_for(s(15)), None);
    }

    #[test]
    fn a_success_ends_the_row_of_failures() {
        let (health, rules) = (Health::new(true), PassiveRules::default());
        assert!(!health.failed(s(0), &rules) && !health.failed(s(0), &rules));
        assert!(!health.succeeded(s(0)));
        assert!(!health.failed(s(0), &rules) && !health.failed(s(0), &rules));
        assert!(health.failed(s(0), &rules));
        assert!(!health.succeeded(s(0)), "a success between the third failure and the ejection");
        assert_eq!(health.eject(s(0), &rules), None);
    }

    #[test]
    fn nothing_during_an_ejection_changes_it() {
        let (health, rules) = (Health::new(true), PassiveRules::default());
        eject(&health, s(0));
        assert!((0..9).all(|_| !health.failed(s(1), &rules)));
        assert_eq!(health.eject(s(1), &rules), None);
        assert!(!health.succeeded(s(1)));
        health.checked(true, &CheckRules::default());
        assert_eq!(health.ejected_for(s(1)), Some(s(9)));
    }

    #[test]
    fn only_the_first_success_after_an_ejection_is_news() {
        let health = Health::new(true);
        eject(&health, s(0));
        let news: Vec<bool> = [9, 10, 11].into_iter().map(|at| health.succeeded(s(at))).collect();
        assert_eq!(news, [false, true, false]);
    }

    #[test]
    fn zero_failures_turns_passive_marking_off() {
        let rules = PassiveRules { failures: 0, ..PassiveRules::default() };
        let health = Health::new(true);
        assert!((0..100).all(|_| !health.failed(s(0), &rules)));
    }

    /// Runs `act` 10 000 times in each of 4 threads; how often it returned true.
    fn in_threads(act: impl Fn() -> bool + Sync) -> usize {
        together(4, |_| (0..10_000).filter(|_| act()).count()).into_iter().sum()
    }

    #[test]
    fn no_check_result_is_lost_between_threads() {
        for _ in 0..20 {
            let health = Health::new(true);
            let rules = CheckRules { rise: 2, fall: 40_000 };
            health.checked(true, &rules);
            assert_eq!(in_threads(|| health.checked(false, &rules)), 1);
            assert!(!health.is_up());
        }
    }

    #[test]
    fn no_failure_is_lost_between_threads() {
        for _ in 0..20 {
            let health = Health::new(true);
            let rules = PassiveRules { failures: 40_000, ..PassiveRules::default() };
            assert_eq!(in_threads(|| health.failed(s(0), &rules)), 1);
        }
    }

    #[test]
    fn of_many_threads_one_ejects_and_one_hears_of_the_return() {
        for _ in 0..1000 {
            let (health, rules) = (Health::new(true), PassiveRules::default());
            while !health.failed(s(0), &rules) {}
            let ejected = together(2, |_| health.eject(s(0), &rules).is_some());
            assert_ne!(ejected[0], ejected[1]);
            let heard = together(2, |_| health.succeeded(s(10)));
            assert_ne!(heard[0], heard[1]);
        }
    }
}
