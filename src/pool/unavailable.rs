//! Why no backend could be picked, for the 503 and its Retry-After.

use std::fmt;
use std::time::Duration;

use super::{Backend, Standing};

/// Retry-After when nothing tells how long it will take: about one health check.
const RETRY_AFTER_S: u64 = 5;

/// No backend could be picked. Each one is counted once, under the first that applies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unavailable {
    /// Has failed this request already.
    pub tried: usize,
    /// Down or ejected.
    pub down: usize,
    /// Drained or in maintenance.
    pub drained: usize,
    /// Up, with every place under `max_connections` taken.
    pub full: usize,
    /// When the next ejection ends.
    pub back_in: Option<Duration>,
}

impl Unavailable {
    pub(super) fn new(backends: &[Backend], now: Duration, tried: &[usize]) -> Self {
        let mut why = Self::default();
        for (index, backend) in backends.iter().enumerate() {
            let count = match backend.standing(now) {
                _ if tried.contains(&index) => &mut why.tried,
                Standing::Down | Standing::Ejected => &mut why.down,
                Standing::Drain | Standing::Maint => &mut why.drained,
                Standing::Up => &mut why.full,
            };
            *count += 1;
        }
        why.back_in = backends.iter().filter_map(|one| one.record.health.ejected_for(now)).min();
        why
    }

    /// Seconds for the Retry-After field, at least 1: a full pool has room again soon, an ejection
    /// has an end, and anything else takes a check to change.
    pub fn retry_after_s(&self) -> u64 {
        match self.back_in {
            _ if self.full > 0 => 1,
            Some(left) => left.as_secs_f64().ceil().max(1.0) as u64,
            None => RETRY_AFTER_S,
        }
    }
}

/// `no backend is usable: 2 down, 1 full`
impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no backend is usable")?;
        let counts = [
            (self.tried, "tried"),
            (self.down, "down"),
            (self.drained, "drained"),
            (self.full, "full"),
        ];
        let told = counts.into_iter().filter(|(count, _)| *count > 0);
        for (place, (count, what)) in told.enumerate() {
            let before = if place == 0 { ':' } else { ',' };
            write!(f, "{before} {count} {what}")?;
        }
        Ok(())
    }
}
