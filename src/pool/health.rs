//! What is known of one backend's health: what checks found, and what traffic found.
//!
//! Called by the pool, from any thread. What checks found is one atomic word, the row of failures
//! another; both only ever change by compare-and-swap, so two observers never lose each other's
//! update, and no lock is needed for that. (The pool holds one for the rules that look at several
//! backends.) Never reads a clock: `now` counts from an arbitrary start, the same for all callers.
//!
//! An ejection is a third word, written by the one thread that has moved the row to
//! [`Exit::Leaving`]; until that has moved it on, failures and successes leave the row as it is.
//!
//! The two are kept apart: a passing check does not shorten an ejection, and an answered request
//! does not turn a backend up that checks call down.

use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::Duration;

use super::row::{Exit, Ripeness, Row};
use super::{CheckRules, PassiveRules, Witness};

/// One backend's health.
pub(super) struct Health {
    /// A packed [`Checks`].
    checks: AtomicU32,
    /// A packed [`Row`]; 0 if there is nothing to forget.
    row: AtomicU64,
    /// A packed [`Ejection`]; 0 if there was none.
    ejection: AtomicU64,
}

/// What follows from a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// None yet.
    Nothing,
    /// None, but this row has just grown so long that it would have ejected, had not one client
    /// alone met it.
    OneClient(Row),
    /// It is to be ejected.
    Eject {
        /// The row was too short before.
        is_news: bool,
    },
}

impl Health {
    /// `alive` is believed until the first check, whose result alone decides.
    pub(super) fn new(alive: bool) -> Self {
        let [row, ejection] = [0, 0].map(AtomicU64::new);
        Self { checks: AtomicU32::new(Checks::first(alive).pack()), row, ejection }
    }

    /// Forgets everything, as a new one does: it is somewhere else now. What is noted at the same
    /// moment by another thread may be kept: a failure, at most.
    pub(super) fn begin_anew(&self, alive: bool) {
        self.row.store(0, Release);
        self.ejection.store(0, Release);
        self.checks.store(Checks::first(alive).pack(), Relaxed);
    }

    /// No check speaks any more: `alive` is believed again.
    pub(super) fn leave_unchecked(&self, alive: bool) {
        self.checks.store(Checks::first(alive).pack(), Relaxed);
    }

    /// The file says so now. True if that is another than what was believed before: no check has
    /// spoken yet.
    pub(super) fn believe(&self, alive: bool) -> bool {
        let undecided = |word| {
            let checks = Checks::unpack(word);
            let is_news = !checks.decided && checks.up != alive;
            is_news.then(|| Checks::first(alive).pack())
        };
        self.checks.fetch_update(Relaxed, Relaxed, undecided).is_ok()
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
        let left_ms = self.ejection().until_ms.saturating_sub(ms(now));
        (left_ms > 0).then(|| Duration::from_millis(left_ms))
    }

    /// True while it is ejected.
    pub(super) fn is_ejected(&self, now: Duration) -> bool {
        let Ejection { until_ms, .. } = self.ejection();
        // Most never were, and need no clock.
        until_ms > 0 && until_ms > ms(now)
    }

    /// When the last ejection ends or ended; zero if there was none.
    pub(super) fn last_ejection_ends(&self) -> Duration {
        Duration::from_millis(self.ejection().until_ms)
    }

    /// A request went well. True for the first one after an ejection. A success during an ejection
    /// does not end it.
    ///
    /// On the happy path, with nothing to forget, this is one relaxed load.
    pub(super) fn succeeded(&self, now: Duration) -> bool {
        if self.row.load(Relaxed) == 0 {
            return false;
        }
        let mut is_news = false;
        let _ = self.row.fetch_update(AcqRel, Acquire, |word| {
            let row = Row::unpack(word);
            is_news = row.exit == Exit::Returning && !self.is_ejected(now);
            Some(Row::after(if is_news { Exit::None } else { row.exit }).pack())
        });
        is_news
    }

    /// A request failed. What is done during an ejection was sent before it, and is judged already.
    pub(super) fn failed(
        &self,
        witness: Option<Witness>,
        now: Duration,
        rules: &PassiveRules,
    ) -> Effect {
        if rules.failures == 0 {
            return Effect::Nothing;
        }
        let before = self.row.fetch_update(AcqRel, Acquire, |word| {
            let row = Row::unpack(word);
            let counts = row.exit != Exit::Leaving && !self.is_ejected(now);
            counts.then(|| row.and(witness).pack())
        });
        let Ok(before) = before.map(Row::unpack) else { return Effect::Nothing };
        let after = before.and(witness);
        match after.ripeness(rules) {
            Ripeness::Ripe => Effect::Eject { is_news: before.ripeness(rules) != Ripeness::Ripe },
            Ripeness::OneClient if before.ripeness(rules) != Ripeness::OneClient => {
                Effect::OneClient(after)
            }
            _ => Effect::Nothing,
        }
    }

    /// Ejects if the row is still ripe; says for how long, and what row it was. `None`: a success
    /// came in between, or somebody else was faster.
    pub(super) fn eject(&self, now: Duration, rules: &PassiveRules) -> Option<(Duration, Row)> {
        let before = self.row.fetch_update(AcqRel, Acquire, |word| {
            let is_ripe = Row::unpack(word).ripeness(rules) == Ripeness::Ripe;
            is_ripe.then(|| Row::after(Exit::Leaving).pack())
        });
        let row = Row::unpack(before.ok()?);
        let ejection = self.ejection().next(now, rules);
        self.ejection.store(ejection.pack(), Release);
        let returning = |_| Some(Row::after(Exit::Returning).pack());
        let _ = self.row.fetch_update(AcqRel, Acquire, returning);
        Some((self.ejected_for(now)?, row))
    }

    /// Goes on with what another process knew, before anybody is sent there. While it is ejected,
    /// the first success after that is news here too.
    pub(super) fn inherit(&self, ejection: Ejection, now: Duration) {
        self.ejection.store(ejection.pack(), Release);
        if self.is_ejected(now) {
            self.row.store(Row::after(Exit::Returning).pack(), Release);
        }
    }

    /// The last ejection.
    pub(super) fn ejection(&self) -> Ejection {
        Ejection::unpack(self.ejection.load(Acquire))
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

    /// Before the first result.
    fn first(alive: bool) -> Self {
        Self { up: alive, decided: false, run: 0 }
    }

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

/// The latest ejection: 8 bits `count`, 40 bits `until_ms` (34 years). Written by whoever has the
/// row at [`Exit::Leaving`], and by nobody else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ejection {
    /// Ejections without a good stretch between them.
    pub count: u8,
    /// When it ends or ended, on the pool's clock; 0 if there was none.
    pub until_ms: u64,
}

impl Ejection {
    fn pack(self) -> u64 {
        u64::from(self.count) | self.until_ms << 8
    }

    fn unpack(word: u64) -> Self {
        Self { count: word as u8, until_ms: word >> 8 }
    }

    /// The n-th ejection lasts `eject` * 2^(n-1), at most `eject_max`: 10, 20, 40, 60, 60 s.
    /// A good stretch, `eject_max` without an ejection, starts the doubling over.
    fn next(self, now: Duration, rules: &PassiveRules) -> Self {
        let good_stretch = ms(now) >= self.until_ms + ms(rules.eject_max);
        let before = if good_stretch { 0 } else { self.count };
        let doubled = ms(rules.eject).saturating_mul(1 << before.min(32));
        let until_ms = ms(now) + doubled.min(ms(rules.eject_max)).max(1);
        Self { count: before.saturating_add(1), until_ms }
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

    #[test]
    fn the_file_is_believed_until_a_check_has_spoken() {
        let health = Health::new(true);
        assert!(!health.believe(true) && health.believe(false) && !health.is_up());
        health.checked(false, &CheckRules::default());
        assert!(!health.believe(true) && !health.is_up());
    }

    #[test]
    fn one_that_begins_anew_is_as_new() {
        let health = Health::new(true);
        health.checked(false, &CheckRules::default());
        assert!(eject(&health, s(0)).is_some());
        assert!(!fail(&health, s(11), &PassiveRules::default()));
        health.begin_anew(true);
        assert!(health.is_up() && !health.is_ejected(s(1)) && !health.succeeded(s(11)));
        assert_eq!(health.last_ejection_ends(), s(0));
        assert_eq!(eject(&health, s(11)), Some(s(10)), "neither two nor one of three are left");
        health.begin_anew(true);
        assert!(health.checked(false, &CheckRules::default()), "the first result decides");
    }

    /// A failure that counts by itself; true if it is enough to eject.
    fn fail(health: &Health, now: Duration, rules: &PassiveRules) -> bool {
        matches!(health.failed(None, now, rules), Effect::Eject { .. })
    }

    /// Fails often enough at `now` and ejects.
    fn eject(health: &Health, now: Duration) -> Option<Duration> {
        let rules = PassiveRules::default();
        let row: Vec<bool> = (0..3).map(|_| fail(health, now, &rules)).collect();
        assert_eq!(row, [false, false, true]);
        health.eject(now, &rules).map(|(length, _)| length)
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
            assert!(fail(&health, now, &rules));
            now += health.eject(now, &rules).unwrap().0;
        }
        let long = Duration::MAX;
        let rules = PassiveRules { failures: 1, eject: long, eject_max: long, ..rules };
        assert!(fail(&health, now, &rules));
        assert!(health.eject(now, &rules).unwrap().0 > s(60 * 60 * 24 * 365));
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
        assert!(!fail(&health, s(0), &rules) && !fail(&health, s(0), &rules));
        assert!(!health.succeeded(s(0)));
        assert!(!fail(&health, s(0), &rules) && !fail(&health, s(0), &rules));
        assert!(fail(&health, s(0), &rules));
        assert!(!health.succeeded(s(0)), "a success between the third failure and the ejection");
        assert_eq!(health.eject(s(0), &rules), None);
    }

    #[test]
    fn nothing_during_an_ejection_changes_it() {
        let (health, rules) = (Health::new(true), PassiveRules::default());
        eject(&health, s(0));
        assert!((0..9).all(|_| !fail(&health, s(1), &rules)));
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
        assert!((0..100).all(|_| !fail(&health, s(0), &rules)));
    }

    #[test]
    fn that_one_client_alone_meets_failures_is_said_once_a_row() {
        let (health, rules) = (Health::new(true), PassiveRules::default());
        let witness = |path| Some(Witness::new(1, path));
        for _ in 0..2 {
            let effects: Vec<_> =
                (0..20).map(|n| health.failed(witness(n), s(0), &rules)).collect();
            let said = effects.iter().filter(|effect| matches!(effect, Effect::OneClient(_)));
            assert_eq!(
                (said.count(), effects.iter().any(|effect| matches!(effect, Effect::Eject { .. }))),
                (1, false)
            );
            assert!(matches!(effects[2], Effect::OneClient(_)), "{effects:?}");
            assert!(!health.succeeded(s(0)));
        }
    }

    #[test]
    fn a_failure_by_another_client_ejects_for_what_all_have_met() {
        let (health, rules) = (Health::new(true), PassiveRules::default());
        for n in 0..5 {
            let effect = health.failed(Some(Witness::new(1, n)), s(0), &rules);
            assert!(!matches!(effect, Effect::Eject { .. }));
        }
        let effect = health.failed(Some(Witness::new(2, 0)), s(0), &rules);
        assert_eq!(effect, Effect::Eject { is_news: true });
        let (length, row) = health.eject(s(0), &rules).unwrap();
        let words = "6 failures in a row, met by several clients at several paths";
        assert_eq!((length, row.to_string().as_str()), (s(10), words));
    }

    /// Runs `act` so many times in each of 4 threads, each with its number; how often it returned
    /// true.
    fn in_threads(times: usize, act: impl Fn(usize) -> bool + Sync) -> usize {
        together(4, |thread| (0..times).filter(|_| act(thread)).count()).into_iter().sum()
    }

    #[test]
    fn no_check_result_is_lost_between_threads() {
        for _ in 0..20 {
            let health = Health::new(true);
            let rules = CheckRules { rise: 2, fall: 40_000 };
            health.checked(true, &rules);
            assert_eq!(in_threads(10_000, |_| health.checked(false, &rules)), 1);
            assert!(!health.is_up());
        }
    }

    #[test]
    fn no_failure_is_lost_between_threads() {
        for _ in 0..500 {
            let health = Health::new(true);
            let rules = PassiveRules { failures: 1000, ..PassiveRules::default() };
            assert_eq!(in_threads(250, |_| fail(&health, s(0), &rules)), 1);
        }
    }

    #[test]
    fn no_witness_is_lost_between_threads() {
        for _ in 0..500 {
            let health = Health::new(true);
            let rules = PassiveRules { failures: 1000, ..PassiveRules::default() };
            let witness = |thread| Some(Witness::new(thread as u64, thread as u64));
            let ripe = |thread| {
                matches!(health.failed(witness(thread), s(0), &rules), Effect::Eject { .. })
            };
            assert_eq!(in_threads(250, ripe), 1);
            let (_, row) = health.eject(s(0), &rules).unwrap();
            let words = "1000 failures in a row, met by several clients at several paths";
            assert_eq!(row.to_string(), words);
        }
    }

    #[test]
    fn failures_and_successes_at_once_leave_an_ejection_as_it_is() {
        for _ in 0..1000 {
            let (health, rules) = (Health::new(true), PassiveRules::default());
            while !fail(&health, s(0), &rules) {}
            let ejected = together(4, |thread| match thread {
                0 => health.eject(s(0), &rules).is_some(),
                1 => fail(&health, s(0), &rules),
                _ => health.succeeded(s(0)),
            });
            assert!(!ejected[2] && !ejected[3], "no news of a return that has not come");
            assert_eq!(health.is_ejected(s(0)), ejected[0]);
            assert_eq!(health.succeeded(s(10)), ejected[0]);
        }
    }

    #[test]
    fn of_many_threads_one_ejects_and_one_hears_of_the_return() {
        for _ in 0..1000 {
            let (health, rules) = (Health::new(true), PassiveRules::default());
            while !fail(&health, s(0), &rules) {}
            let ejected = together(2, |_| health.eject(s(0), &rules).is_some());
            assert_ne!(ejected[0], ejected[1]);
            let heard = together(2, |_| health.succeeded(s(10)));
            assert_ne!(heard[0], heard[1]);
        }
    }
}
