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
/// row at `Exit::Leaving`, and by nobody else.
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
mod tests;
