//! The hourly cap: how many notices one alert may send within an hour. Somebody who gets a
//! thousand texts in a night reads none of them.
//!
//! The last place is kept for the worst, that no backend is up, so that noise never uses up what
//! matters; where the cap is less than [`RESERVED_FROM`] there is no such place.

use std::collections::VecDeque;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);
/// The least cap of which a place is kept back.
const RESERVED_FROM: u32 = 4;

pub(super) struct Cap {
    max: u32,
    /// When the notices of the last hour went out.
    sent: VecDeque<Duration>,
    /// Held back since the last one that went out, and in all.
    held: u64,
    held_in_all: u64,
}

/// Whether a notice may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// It may not: there were enough.
    Held,
    /// It may.
    Granted {
        /// So many before it were held back.
        held: u64,
        /// None may follow for so long, but in the place that is kept.
        last_for: Option<Duration>,
        /// That place is free.
        is_kept: bool,
    },
}

impl Cap {
    pub(super) fn new(max: u32) -> Self {
        Self { max, sent: VecDeque::new(), held: 0, held_in_all: 0 }
    }

    pub(super) fn set(&mut self, max: u32) {
        self.max = max;
    }

    pub(super) fn held_back(&self) -> u64 {
        self.held_in_all
    }

    pub(super) fn ask(&mut self, is_worst: bool, now: Duration) -> Leave {
        while self.sent.front().is_some_and(|at| *at + HOUR <= now) {
            self.sent.pop_front();
        }
        let max = self.max_for(is_worst);
        if self.sent.len() >= max {
            self.held += 1;
            self.held_in_all += 1;
            return Leave::Held;
        }
        self.sent.push_back(now);
        let ordinary = self.max_for(false);
        let is_last = self.sent.len() >= ordinary;
        let last_for = is_last.then(|| self.frees(ordinary).saturating_sub(now));
        let is_kept = self.sent.len() < self.max as usize;
        Leave::Granted { held: std::mem::take(&mut self.held), last_for, is_kept }
    }

    /// When one more may be told.
    pub(super) fn frees_at(&self) -> Duration {
        self.frees(self.max_for(false))
    }

    pub(super) fn has_held(&self) -> bool {
        self.held > 0
    }

    /// The last that was held back is to go yet, and is not missed.
    pub(super) fn put_off(&mut self) {
        self.held -= 1;
    }

    /// What was held back is not to be told any more.
    pub(super) fn forget(&mut self) {
        self.held = 0;
    }

    fn max_for(&self, is_worst: bool) -> usize {
        let reserved = u32::from(!is_worst && self.max >= RESERVED_FROM);
        (self.max - reserved) as usize
    }

    /// When fewer than `max` of those that went out are of the last hour.
    fn frees(&self, max: usize) -> Duration {
        let behind = self.sent.len().saturating_sub(max);
        self.sent.get(behind).map_or(Duration::ZERO, |at| *at + HOUR)
    }
}
