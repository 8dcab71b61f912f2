//! May this request be tried again? The rule, and the budget that stops a storm of retries.
//!
//! The proxy asks [`Attempt::verdict`] when a try has come to nothing; the pool hands out the
//! [`RetryPermit`]s. Never looks at a request: the caller says what it knows in an [`Attempt`].

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::{Fault, Pool, RetryOn, RetryRules};

/// Most bytes of a request body that are held so that the request can be sent again.
pub const BODY_HELD_MAX: usize = 64 * 1024;

/// A try that failed, as far as the rule needs to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// What became of it.
    pub setback: Setback,
    /// Tries made so far, of every kind, this one included.
    pub tries: u32,
    /// Backends that any byte of the request went to and that gave no answer to it, this one
    /// included.
    pub unanswered: u32,
    /// Sending the request twice means the same as once (RFC 9110, 9.2.2).
    pub idempotent: bool,
    /// Any byte of the request went to the backend in this try.
    pub sent_any: bool,
    /// The whole body is at hand to be sent again; true when there is none.
    pub body_held: bool,
    /// Any byte of an answer has reached the client.
    pub response_started: bool,
}

/// Why another try is thought of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setback {
    /// The connection had been used before and ended before the first byte of an answer: most
    /// likely the backend closed it as idle while the request was under way (RFC 9112, 9.3.1).
    Stale,
    /// We had no way to the backend: nothing was sent, and it is not at fault.
    NoWay,
    /// The backend failed.
    Fault(Fault),
    /// Something came, and our rules refuse to pass it on. The application has spoken, and its
    /// other instances would say the same.
    Refused,
    /// It answered, with this status.
    Status(u16),
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
            _ if self.response_started || !rules.on.includes(self.setback) => Verdict::GiveUp,
            _ if self.tries > rules.attempts => Verdict::GiveUp,
            _ if may_have_acted || !self.body_held => Verdict::GiveUp,
            _ if self.setback == Setback::Stale => Verdict::FreshConnection,
            _ if self.unanswered > rules.unanswered => Verdict::GiveUp,
            _ => Verdict::AnotherBackend,
        }
    }
}

impl RetryOn {
    /// True if a try that came to this may be followed by another.
    fn includes(&self, setback: Setback) -> bool {
        match setback {
            Setback::Stale | Setback::NoWay => true,
            Setback::Fault(Fault::Connect) => self.connect,
            Setback::Fault(Fault::Timeout) => self.timeout,
            Setback::Fault(Fault::Reset | Fault::NoHttp | Fault::BadAnswer) => self.reset,
            Setback::Refused => false,
            Setback::Status(status) => self.statuses.contains(status),
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
    use crate::pool::Statuses;
    use crate::pool::testing::together;

    /// A GET whose connect failed at the first try.
    const CONNECT_FAILED: Attempt = Attempt {
        setback: Setback::Fault(Fault::Connect),
        tries: 1,
        unanswered: 0,
        idempotent: true,
        sent_any: false,
        body_held: true,
        response_started: false,
    };
    /// One that was sent, and whose connection then broke.
    const BROKEN: Attempt = Attempt {
        setback: Setback::Fault(Fault::Reset),
        unanswered: 1,
        sent_any: true,
        ..CONNECT_FAILED
    };

    #[test]
    fn each_case_of_the_rule() {
        let (get, broken) = (CONNECT_FAILED, BROKEN);
        let late = Attempt { setback: Setback::Fault(Fault::Timeout), ..broken };
        let stale = Attempt { setback: Setback::Stale, ..broken };
        let busy = Attempt { setback: Setback::Status(503), unanswered: 0, ..broken };
        let other = |attempt| Attempt { idempotent: false, ..attempt };
        let bodiless = |attempt| Attempt { body_held: false, ..attempt };
        let begun = |attempt| Attempt { response_started: true, ..attempt };
        let unsent = |attempt| Attempt { sent_any: false, unanswered: 0, ..attempt };
        let at = |tries, attempt| Attempt { tries, ..attempt };
        let refused = Attempt { setback: Setback::Refused, ..broken };
        let table = [
            ("a GET not sent", get, AnotherBackend),
            ("a GET sent", broken, AnotherBackend),
            ("a GET sent to two", Attempt { unanswered: 2, ..at(2, broken) }, GiveUp),
            ("a GET too late at two", Attempt { unanswered: 2, ..at(2, late) }, GiveUp),
            ("a GET that one broke on", Attempt { unanswered: 1, ..at(2, get) }, AnotherBackend),
            ("a POST not sent", other(get), AnotherBackend),
            ("a POST sent in part", other(broken), GiveUp),
            ("a PUT sent, body gone", bodiless(broken), GiveUp),
            ("a PUT not sent, body gone before", bodiless(get), GiveUp),
            ("a GET whose answer is refused", refused, GiveUp),
            ("a GET answered with a status", busy, GiveUp),
            ("a GET half answered", begun(broken), GiveUp),
            ("a GET, second try", at(2, get), AnotherBackend),
            ("a GET, third try", at(3, get), GiveUp),
            ("a GET on a stale connection", stale, FreshConnection),
            ("another on one", Attempt { unanswered: 2, ..at(2, stale) }, FreshConnection),
            ("a stale one that would not be sent", unsent(stale), FreshConnection),
            ("a POST that a stale one did not take", unsent(other(stale)), FreshConnection),
            ("a POST on a stale connection", other(stale), GiveUp),
            ("a stale PUT, body gone", bodiless(stale), GiveUp),
            ("a stale GET, half answered", begun(stale), GiveUp),
            ("a stale GET, third try", at(3, stale), GiveUp),
        ];
        for (case, attempt, verdict) in table {
            assert_eq!(attempt.verdict(&RetryRules::default()), verdict, "{case}");
        }
    }

    #[test]
    fn only_what_the_rules_name_is_tried_again() {
        let none =
            RetryOn { connect: false, reset: false, timeout: false, statuses: Statuses::default() };
        let with = |on| RetryRules { on, ..RetryRules::default() };
        let cases = [
            (Setback::Fault(Fault::Connect), RetryOn { connect: true, ..none.clone() }),
            (Setback::Fault(Fault::Reset), RetryOn { reset: true, ..none.clone() }),
            (Setback::Fault(Fault::Timeout), RetryOn { timeout: true, ..none.clone() }),
            (
                Setback::Status(503),
                RetryOn { statuses: Statuses::new(vec![502..=504]), ..none.clone() },
            ),
        ];
        for (index, (setback, _)) in cases.iter().enumerate() {
            let attempt = Attempt { setback: *setback, ..BROKEN };
            assert_eq!(attempt.verdict(&with(none.clone())), GiveUp, "{setback:?}");
            for (other, (_, on)) in cases.iter().enumerate() {
                let expected = if index == other { AnotherBackend } else { GiveUp };
                assert_eq!(attempt.verdict(&with(on.clone())), expected, "{setback:?} {on:?}");
            }
        }
        // A connection that was closed as idle is nobody's failure, nor is a lack of ours.
        let stale = Attempt { setback: Setback::Stale, ..BROKEN };
        assert_eq!(stale.verdict(&with(none.clone())), FreshConnection);
        let no_way = Attempt { setback: Setback::NoWay, ..CONNECT_FAILED };
        assert_eq!(no_way.verdict(&with(none)), AnotherBackend);
    }

    #[test]
    fn no_attempts_means_no_retry_of_any_kind() {
        let rules = RetryRules { attempts: 0, ..RetryRules::default() };
        assert_eq!(CONNECT_FAILED.verdict(&rules), GiveUp);
        assert_eq!(Attempt { setback: Setback::Stale, ..BROKEN }.verdict(&rules), GiveUp);
    }

    #[test]
    fn a_request_that_may_have_acted_is_never_sent_again_whatever_else_holds() {
        let faults = [Fault::Connect, Fault::Reset, Fault::Timeout, Fault::NoHttp];
        let others = [Setback::Stale, Setback::NoWay, Setback::Refused, Setback::Status(503)];
        for setback in others.into_iter().chain(faults.map(Setback::Fault)) {
            for (body_held, response_started) in
                [(false, false), (false, true), (true, false), (true, true)]
            {
                let attempt =
                    Attempt { setback, idempotent: false, body_held, response_started, ..BROKEN };
                assert_eq!(attempt.verdict(&RetryRules::default()), GiveUp, "{attempt:?}");
            }
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
