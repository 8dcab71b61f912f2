//! The budget that stops a storm of retries: how many may be in flight at once.
//!
//! A request's course asks for a [`RetryPermit`] and holds it until the request is over. Whether a
//! request may be tried again at all is not decided here.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::{Pool, RetryRules};

/// Most bytes of a request body that are held so that the request can be sent again.
pub const BODY_HELD_MAX: usize = 64 * 1024;

/// Leave for one retry to be in flight. Dropped, the next one may start.
pub(super) struct RetryPermit(Arc<Pool>);

impl RetryPermit {
    /// Leave to retry a request; `None` when the retries in flight have used the budget up.
    pub(super) fn new(pool: &Arc<Pool>) -> Option<Self> {
        pool.retrying.take(pool.in_flight(), &pool.rules.retry).then(|| Self(Arc::clone(pool)))
    }
}

impl Drop for RetryPermit {
    fn drop(&mut self) {
        self.0.retrying.give_back();
    }
}

/// How many retries are in flight.
#[derive(Default)]
pub(super) struct Retrying(AtomicUsize);

impl Retrying {
    /// Counts one more, unless the budget is used up. Two threads never share the last one.
    fn take(&self, in_flight: usize, rules: &RetryRules) -> bool {
        let share = in_flight.saturating_mul(rules.budget_percent as usize) / 100;
        let budget = share.max(rules.budget_min as usize);
        let next = |retrying| (retrying < budget).then_some(retrying + 1);
        self.0.fetch_update(Relaxed, Relaxed, next).is_ok()
    }

    fn give_back(&self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::testing::together;

    #[test]
    fn the_budget_is_a_fifth_of_the_requests_in_flight_and_at_least_three() {
        let allowed = |in_flight| {
            let (retrying, rules) = (Retrying::default(), RetryRules::default());
            (0..1000).take_while(|_| retrying.take(in_flight, &rules)).count()
        };
        let budgets: Vec<usize> = [0, 1, 15, 19, 20, 100].into_iter().map(allowed).collect();
        assert_eq!(budgets, [3, 3, 3, 3, 4, 20]);
    }

    #[test]
    fn the_last_of_the_budget_goes_to_one_thread() {
        let rules = RetryRules { budget_min: 1, ..RetryRules::default() };
        let (retrying, inside) = (Retrying::default(), AtomicUsize::new(0));
        together(4, |_| {
            for _ in 0..100_000 {
                if retrying.take(0, &rules) {
                    assert_eq!(inside.fetch_add(1, Relaxed), 0, "two are inside");
                    inside.fetch_sub(1, Relaxed);
                    retrying.give_back();
                }
            }
        });
        assert!(retrying.take(0, &rules) && !retrying.take(0, &rules));
    }
}
