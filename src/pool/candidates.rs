//! The backends as one request may use them.
//!
//! Made by the pool for each pick, looked at by the policy. Decides who may be picked, never who
//! is.

use super::policy::{Facts, View};
use super::{Ask, Pool, Standing, chance};

/// Which backends a pick may use. A later tier is looked at only when those before it have none.
#[derive(Clone, Copy)]
pub(super) enum Tier {
    /// Up, and no backup. One that has just come back is only now and then among them.
    Regular,
    /// Up, and no backup, however short a time it has been back.
    Warming,
    /// Up, and a backup.
    Backup,
    /// Ejected: with nothing up, one that may work beats a sure 503. So an ejection never empties
    /// the pool, not even one that was followed by failing checks of all others.
    Ejected,
    /// All but those in maintenance: `fail_open`.
    Open,
}

/// The backends as one request may use them, within one tier.
pub(super) struct Candidates<'a> {
    pub(super) pool: &'a Pool,
    pub(super) ask: &'a Ask<'a>,
    pub(super) tier: Tier,
    /// Drawn anew each time that the policy is asked.
    pub(super) chance: u64,
}

impl Candidates<'_> {
    /// Slow start: for as long as a backend has been back less than `slow_start`, this request may
    /// use it with a chance of the part of that time that has gone by. Whatever the policy, its
    /// share so grows steadily from nothing. Under `hash` it is the key that decides, not chance: a
    /// client that has moved back stays.
    fn is_warm_for_this(&self, index: usize) -> bool {
        let slow_start = self.pool.rules.slow_start;
        if slow_start.is_zero() {
            return true;
        }
        let Some(back) = self.pool.backends[index].record.back_at() else { return true };
        let since = self.ask.now.saturating_sub(back);
        // Scrambled twice, for policies draw from the same number scrambled once: they would draw
        // a backend just when its lot is good.
        let number = chance::scramble(self.ask.key.unwrap_or(self.chance));
        let lot = chance::scramble(number ^ index as u64);
        since >= slow_start
            || chance::fraction(lot) < since.as_secs_f64() / slow_start.as_secs_f64()
    }
}

impl View for Candidates<'_> {
    fn count(&self) -> usize {
        self.pool.backends.len()
    }

    fn is_usable(&self, index: usize) -> bool {
        let backend = &self.pool.backends[index];
        let standing = backend.standing(self.ask.now);
        let is_in_tier = match self.tier {
            Tier::Regular | Tier::Warming => standing == Standing::Up && !backend.is_backup(),
            Tier::Backup => standing == Standing::Up && backend.is_backup(),
            Tier::Ejected => standing == Standing::Ejected,
            Tier::Open => standing != Standing::Maint,
        };
        is_in_tier
            && !backend.is_full()
            && !self.ask.tried.contains(&index)
            && (!matches!(self.tier, Tier::Regular) || self.is_warm_for_this(index))
    }

    fn facts(&self, index: usize) -> Facts<'_> {
        let backend = &self.pool.backends[index];
        Facts { in_use: backend.in_use(), weight: backend.weight(), memory: backend.memory() }
    }

    fn chance(&self) -> u64 {
        self.chance
    }

    fn key(&self) -> Option<u64> {
        self.ask.key
    }
}
