//! May this request be tried again? The rule, and the budget that stops a storm of retries.
//!
//! The proxy asks [`Attempt::verdict`] when a try has failed; the pool hands out the
//! [`RetryPermit`]s. Never looks at a request: the caller says what it knows in an [`Attempt`].

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::{Pool, RetryRules};

/// Most bytes of a request body that are held so that the request can be sent again.
pub const BODY_HELD_MAX: usize = 64 * 1024;

/// A try that failed, as far as the rule needs to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Tries made so far, of every kind, this one included.
    pub tries: u32,
    /// Sending the request twice means the same as once (RFC 9110, 9.2.2).
    pub idempotent: bool,
    /// Any byte of the request went to the backend in this try.
    pub sent_any: bool,
    /// The whole body is at hand to be sent again; true when there is none.
    pub body_held: bool,
    /// The connection had been used before and ended before the first byte of an answer: most
    /// likely the backend closed it as idle while the request was under way (RFC 9112, 9.3.1).
    pub stale: bool,
    /// Any byte of an answer has reached the client.
    pub response_started: bool,
    /// Something came, and our rules refuse to pass it on. The application has spoken, and its
    /// other instances would say the same.
    pub refused: bool,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Answer the client with the failure.
    GiveUp,
    /// The same backend, over a new connection. Its lease is kept: the backend is not at fault,
    /// so nothing is reported and no permit is needed. A new connection cannot be stale, so this
    /// happens once a backend.
    FreshConnection,
    /// A backend not yet tried; given a [`RetryPermit`], if any of the request was sent. One that
    /// no backend has heard of adds nothing to what the others bear.
    AnotherBackend,
}

impl Attempt {
    /// The rule. Each line rules something out; what is left may be tried again.
    pub fn verdict(&self, rules: &RetryRules) -> Verdict {
        let may_have_acted = self.sent_any && !self.idempotent;
        match self {
            _ if self.response_started || self.refused => Verdict::GiveUp,
            _ if self.tries > rules.attempts => Verdict::GiveUp,
            _ if may_have_acted || !self.body_held => Verdict::GiveUp,
            _ if self.stale => Verdict::FreshConnection,
            _ => Verdict::AnotherBackend,
        }
    }
}

/// Leave for one retry to be in flight. Dropped, the next one may start.
pub struct RetryPermit(Arc<Pool>);

impl RetryPermit {
    /// `None` when the retries in flight have used the budget up.
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
    use super::Verdict::{AnotherBackend, FreshConnection, GiveUp};
    use super::*;
    use crate::pool::testing::together;

    /// A GET whose connect failed at the first try.
    const CONNECT_FAILED: Attempt = Attempt {
        tries: 1,
        idempotent: true,
        sent_any: false,
        body_held: true,
        stale: false,
        response_started: false,
        refused: false,
    };

    #[test]
    fn each_case_of_the_rule() {
        let get = CONNECT_FAILED;
        let post = Attempt { idempotent: false, ..get };
        let stale = Attempt { stale: true, sent_any: true, ..get };
        let table = [
            ("a GET not sent", get, AnotherBackend),
            ("a GET sent", Attempt { sent_any: true, ..get }, AnotherBackend),
            ("a POST not sent", post, AnotherBackend),
            ("a POST sent in part", Attempt { sent_any: true, ..post }, GiveUp),
            ("a PUT sent, body gone", Attempt { sent_any: true, body_held: false, ..get }, GiveUp),
            ("a PUT not sent, body gone before", Attempt { body_held: false, ..get }, GiveUp),
            ("a GET whose answer is refused", Attempt { refused: true, ..get }, GiveUp),
            ("a GET half answered", Attempt { response_started: true, ..get }, GiveUp),
            ("a GET, second try", Attempt { tries: 2, ..get }, AnotherBackend),
            ("a GET, third try", Attempt { tries: 3, ..get }, GiveUp),
            ("a GET on a stale connection", stale, FreshConnection),
            (
                "a stale one that would not be sent",
                Attempt { sent_any: false, ..stale },
                FreshConnection,
            ),
            (
                "a POST that a stale connection did not take",
                Attempt { idempotent: false, sent_any: false, ..stale },
                FreshConnection,
            ),
            ("a POST on a stale connection", Attempt { idempotent: false, ..stale }, GiveUp),
            ("a stale PUT, body gone", Attempt { body_held: false, ..stale }, GiveUp),
            ("a stale GET, half answered", Attempt { response_started: true, ..stale }, GiveUp),
            ("a stale GET, third try", Attempt { tries: 3, ..stale }, GiveUp),
        ];
        for (case, attempt, verdict) in table {
            assert_eq!(attempt.verdict(&RetryRules::default()), verdict, "{case}");
        }
    }

    #[test]
    fn no_attempts_means_no_retry_of_any_kind() {
        let rules = RetryRules { attempts: 0, ..RetryRules::default() };
        assert_eq!(CONNECT_FAILED.verdict(&rules), GiveUp);
        assert_eq!(Attempt { stale: true, ..CONNECT_FAILED }.verdict(&rules), GiveUp);
    }

    #[test]
    fn a_request_that_may_have_acted_is_never_sent_again_whatever_else_holds() {
        for bits in 0..16 {
            let bit = |n: u32| bits >> n & 1 == 1;
            let attempt = Attempt {
                tries: 1,
                idempotent: false,
                sent_any: true,
                body_held: bit(0),
                stale: bit(1),
                response_started: bit(2),
                refused: bit(3),
            };
            assert_eq!(attempt.verdict(&RetryRules::default()), GiveUp, "{attempt:?}");
        }
    }

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
