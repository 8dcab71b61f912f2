//! The budget that stops a storm of retries: how many may be in flight at once.
//!
//! A request's course asks for a [`RetryPermit`] and holds it until the request is over. Whether a
//! request may be tried again at all is not decided here.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::RetryRules;

/// Most bytes of a request body that are held so that the request can be sent again.
pub const BODY_HELD_MAX: usize = 64 * 1024;

/// How many retries are in flight.
#[derive(Default)]
pub(super) struct Retrying(AtomicUsize);

/// Leave for one retry to be in flight. Dropped, the next one may start.
pub(super) struct RetryPermit(Arc<Retrying>);

impl RetryPermit {
    /// Leave to retry a request; `None` when the retries in flight have used the budget up. Only
    /// where more than `budget_min` of them are is it asked how many requests are in flight.
    pub(super) fn take(
        retrying: &Arc<Retrying>,
        in_flight: impl FnOnce() -> usize,
        rules: &RetryRules,
    ) -> Option<Self> {
        let share = || in_flight().saturating_mul(rules.budget_percent as usize) / 100;
        let granted = retrying.take(rules.budget_min as usize) || retrying.take(share());
        granted.then(|| Self(Arc::clone(retrying)))
    }
}

impl Drop for RetryPermit {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Relaxed);
    }
}

impl Retrying {
    /// Counts one more, unless there are so many. Two threads never share the last one.
    fn take(&self, budget: usize) -> bool {
        let next = |retrying| (retrying < budget).then_some(retrying + 1);
        self.0.fetch_update(Relaxed, Relaxed, next).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::testing::together;

    #[test]
    fn the_budget_is_a_fifth_of_the_requests_in_flight_and_at_least_three() {
        let allowed = |in_flight| {
            let (retrying, rules) = (Arc::default(), RetryRules::default());
            let next = || RetryPermit::take(&retrying, || in_flight, &rules);
            std::iter::from_fn(next).collect::<Vec<_>>().len()
        };
        let budgets: Vec<usize> = [0, 1, 15, 19, 20, 100].into_iter().map(allowed).collect();
        assert_eq!(budgets, [3, 3, 3, 3, 4, 20]);
    }

    #[test]
    fn the_last_of_the_budget_goes_to_one_thread() {
        let rules = RetryRules { budget_min: 1, ..RetryRules::default() };
        let (retrying, inside) = (Arc::default(), AtomicUsize::new(0));
        together(4, |_| {
            for _ in 0..100_000 {
                if let Some(permit) = RetryPermit::take(&retrying, || 0, &rules) {
                    assert_eq!(inside.fetch_add(1, Relaxed), 0, "two are inside");
                    inside.fetch_sub(1, Relaxed);
                    drop(permit);
                }
            }
        });
        assert_eq!(retrying.0.load(Relaxed), 0);
    }
}
