//! Pools none of whose backends is up, and what was told of that. Pure, as the book that has it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use super::scene::Sight;

/// Pools that are known to be lost; of more nobody could be told one by one.
const POOLS_MAX: usize = 1024;

/// The pools that are lost, by name; where there is but one, it has none.
#[derive(Default)]
pub(super) struct Losses {
    lost: BTreeMap<String, Loss>,
    /// One that somebody was told of is served again, and that was not told.
    is_regained: bool,
}

/// No backend of a pool is up.
#[derive(Clone)]
pub(super) struct Loss {
    /// The backend that was up last, where that is known.
    pub(super) last: Option<String>,
    pub(super) reason: String,
    pub(super) when: SystemTime,
    /// From when on that is told.
    ripe: Duration,
    is_told: bool,
}

impl Loss {
    pub(super) fn new(last: Option<&str>, reason: &str, when: SystemTime, ripe: Duration) -> Self {
        let (last, reason) = (last.map(str::to_owned), reason.to_owned());
        Self { last, reason, when, ripe, is_told: false }
    }
}

impl Losses {
    /// True if that is news.
    pub(super) fn lose(&mut self, pool: &str, loss: Loss) -> bool {
        if self.lost.contains_key(pool) || self.lost.len() == POOLS_MAX {
            return false;
        }
        self.lost.insert(pool.to_owned(), loss);
        true
    }

    /// Some backend of the pool is up. True if none was.
    pub(super) fn regain(&mut self, pool: &str) -> bool {
        let lost = self.lost.remove(pool);
        self.is_regained |= lost.as_ref().is_some_and(|loss| loss.is_told);
        lost.is_some()
    }

    /// Those that are not among these are gone. True if one was lost.
    pub(super) fn keep(&mut self, all: &[Sight]) -> bool {
        self.name(all);
        let is_gone = |pool: &&String| !all.iter().any(|sight| sight.pool == **pool);
        let gone: Vec<String> = self.lost.keys().filter(is_gone).cloned().collect();
        gone.iter().for_each(|pool| _ = self.regain(pool));
        !gone.is_empty()
    }

    /// What was lost as a whole, before any name resolved, is each of these pools: told, if that
    /// was.
    fn name(&mut self, all: &[Sight]) {
        let pools = pools(all);
        if pools.is_empty() || pools.contains("") {
            return;
        }
        if let Some(whole) = self.lost.remove("") {
            pools.into_iter().for_each(|pool| _ = self.lose(pool, whole.clone()));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lost.is_empty()
    }

    /// The one that was lost first.
    pub(super) fn first(&self) -> Option<&Loss> {
        self.lost.values().min_by_key(|loss| loss.when)
    }

    /// When one is to be told that was not.
    pub(super) fn ripens_at(&self) -> Option<Duration> {
        self.lost.values().filter(|loss| !loss.is_told).map(|loss| loss.ripe).min()
    }

    /// What is to be told now: which are lost, the latest first, and that one is served again.
    pub(super) fn tell(&mut self, now: Duration) -> (Vec<(String, Loss)>, bool) {
        let mut news = Vec::new();
        let ripe = |loss: &Loss| !loss.is_told && loss.ripe <= now;
        for (pool, loss) in self.lost.iter_mut().filter(|(_, loss)| ripe(loss)) {
            loss.is_told = true;
            news.push((pool.clone(), loss.clone()));
        }
        news.sort_by_key(|(_, loss)| std::cmp::Reverse(loss.when));
        (news, std::mem::take(&mut self.is_regained))
    }

    /// Those that were told, and since when they are lost.
    pub(super) fn told(&self) -> Vec<(String, SystemTime)> {
        let told = self.lost.iter().filter(|(_, loss)| loss.is_told);
        told.map(|(pool, loss)| (pool.clone(), loss.when)).collect()
    }

    /// This one was told by another process.
    pub(super) fn inherit(&mut self, pool: &str, when: SystemTime, now: Duration) {
        self.lose(pool, Loss::new(None, "no backend is up", when, now));
        if let Some(loss) = self.lost.get_mut(pool) {
            loss.is_told = true;
        }
    }
}

/// Each pool once.
pub(super) fn pools(all: &[Sight]) -> BTreeSet<&str> {
    all.iter().map(|sight| sight.pool.as_str()).collect()
}
