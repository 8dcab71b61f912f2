//! The backends as one request may use them.
//!
//! Made by the pool for each pick, looked at by the policy. Decides who may be picked, never who
//! is.

use std::time::Duration;

use super::policy::View;
use super::{Pool, Standing};

/// Which backends a pick may use. A later tier is looked at only when those before it have none.
#[derive(Clone, Copy)]
pub(super) enum Tier {
    /// Up, and no backup.
    Regular,
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
    pub(super) now: Duration,
    pub(super) tried: &'a [usize],
    pub(super) tier: Tier,
}

impl View for Candidates<'_> {
    fn count(&self) -> usize {
        self.pool.backends.len()
    }

    fn is_usable(&self, index: usize) -> bool {
        let backend = &self.pool.backends[index];
        let standing = backend.standing(self.now);
        let is_in_tier = match self.tier {
            Tier::Regular => standing == Standing::Up && !backend.is_backup(),
            Tier::Backup => standing == Standing::Up && backend.is_backup(),
            Tier::Ejected => standing == Standing::Ejected,
            Tier::Open => standing != Standing::Maint,
        };
        is_in_tier && !backend.is_full() && !self.tried.contains(&index)
    }

    fn in_use(&self, index: usize) -> u32 {
        self.pool.backends[index].in_use()
    }

    fn weight(&self, index: usize) -> u32 {
        self.pool.backends[index].weight()
    }
}
