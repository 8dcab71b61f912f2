//! A pick: tier by tier, the policy's choice of those that a request may use, with a place taken.
//!
//! Called by a request's course, from many workers at once; takes no lock.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::candidates::{Candidates, Tier};
use super::policy::View;
use super::{Ask, Lease, Pool, Reason, Unavailable, chance};

/// Places lost to other pickers before the policy is no longer asked.
const LOST_MAX: usize = 8;

impl Pool {
    /// A backend for a request, not among those that it has tried.
    pub fn pick(self: &Arc<Self>, ask: &Ask) -> Result<Lease, Unavailable> {
        let occupy = |tier| self.occupy(ask, tier);
        let (index, reason) = occupy(Tier::Regular)
            .or_else(|| self.has_slow_start().then(|| occupy(Tier::Warming)).flatten())
            .or_else(|| occupy(Tier::Backup))
            .or_else(|| self.last_resorts(ask.now).find_map(occupy))
            .ok_or_else(|| Unavailable::new(&self.backends, ask.now, ask.tried))?;
        let tally = self.backends[index].tally();
        tally.requests.fetch_add(1, Relaxed);
        if !ask.tried.is_empty() {
            tally.retries.fetch_add(1, Relaxed);
        }
        Ok(Lease::new(Arc::clone(self), index, reason))
    }

    /// What may be tried with nothing up.
    fn last_resorts(&self, now: Duration) -> impl Iterator<Item = Tier> {
        let nothing_up = self.usable(now) == 0;
        let ejected = nothing_up.then_some(Tier::Ejected);
        let open = (nothing_up && self.rules.fail_open).then_some(Tier::Open);
        ejected.into_iter().chain(open)
    }

    fn has_slow_start(&self) -> bool {
        !self.rules.slow_start.is_zero()
    }

    /// Takes a place at the backend that the client is to stay with, else at the one that the
    /// policy picks.
    fn occupy(&self, ask: &Ask, tier: Tier) -> Option<(usize, Reason)> {
        if let Some(index) = ask.token.and_then(|token| self.stay(token, ask, tier)) {
            return Some((index, Reason::Sticky));
        }
        self.occupy_any(ask, tier).map(|index| (index, reason(tier, ask)))
    }

    fn occupy_any(&self, ask: &Ask, tier: Tier) -> Option<usize> {
        let mut view = Candidates { pool: self, ask, tier, chance: ask.chance };
        // From anywhere: were the first half down, each request would look at all of it.
        let start = chance::below(ask.chance, self.backends.len());
        let mut indexes = (start..self.backends.len()).chain(0..start);
        // Ends at the first usable one. Asking the policy for nothing would cost it a turn.
        if !indexes.clone().any(|index| view.is_usable(index)) {
            return None;
        }
        for _ in 0..LOST_MAX {
            let index = self.policy.pick(&view)?;
            if self.backends[index].occupy() {
                return Some(index);
            }
            view.chance = chance::scramble(view.chance);
        }
        indexes.find(|index| view.is_usable(*index) && self.backends[*index].occupy())
    }

    /// Takes a place at the backend of that token, if the request may use it. Slow start holds
    /// nobody back whom the backend served before.
    fn stay(&self, token: u64, ask: &Ask, tier: Tier) -> Option<usize> {
        let index = self.tokens.as_ref()?.owner(token)?;
        let tier = if let Tier::Regular = tier { Tier::Warming } else { tier };
        let view = Candidates { pool: self, ask, tier, chance: ask.chance };
        (view.is_usable(index) && self.backends[index].occupy()).then_some(index)
    }
}

/// Why the policy was asked in that tier.
fn reason(tier: Tier, ask: &Ask) -> Reason {
    match tier {
        Tier::Backup => Reason::Backup,
        Tier::Ejected => Reason::Ejected,
        Tier::Open => Reason::Open,
        Tier::Regular | Tier::Warming if !ask.tried.is_empty() => Reason::Retry,
        Tier::Regular => Reason::Policy,
        Tier::Warming => Reason::Warming,
    }
}
