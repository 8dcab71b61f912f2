//! A request's course from backend to backend: who is tried next, when another try is allowed, and
//! what a try counts for.
//!
//! Kept by whoever has a request to place: the relay, the client library and the simulator, so that
//! all three go by one rule. Never looks at a request: the caller says what it knows of a try in an
//! [`Attempt`]. They all keep to this order:
//!
//! 1. [`Course::pick`], and [`Course::begin`] once the try begins.
//! 2. When it came to nothing, [`Course::judge`] says what may follow.
//! 3. For another backend [`Course::has_leave`], then `pick` again. A lease that failed is reported
//!    before that, for what is known of the backend and its place are then the next one's, too. A
//!    lease whose backend has *answered* is held until the other is picked: where none can be had,
//!    that answer is the client's.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::retry::RetryPermit;
use super::{Ask, Fault, Lease, Outcome, Pool, Reason, RetryOn, RetryRules, Unavailable};

/// Where a request has been, and what came of it there. A request that goes well at its first try
/// costs no memory.
#[derive(Default)]
pub struct Course {
    /// The backend that was given this request last.
    last: Option<usize>,
    /// By which rule that one was picked.
    reason: Option<Reason>,
    /// Those before it, whatever came of it there.
    before: Vec<usize>,
    /// Times that it was sent, or was to be.
    tries: u32,
    /// How many of those before the last got some of it, and gave no answer.
    unanswered: u32,
    /// The last one did so.
    broke: bool,
    /// A backend heard of it in the try that is over.
    was_heard: bool,
    permit: Option<RetryPermit>,
}

/// A try that came to nothing, as far as the rule needs to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// What became of it.
    pub setback: Setback,
    /// Any byte of the request went to the backend in this try.
    pub sent_any: bool,
    /// Sending the request twice means the same as once (RFC 9110, 9.2.2).
    pub idempotent: bool,
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
pub enum Decision {
    /// The client is told of the failure, or gets the answer.
    GiveUp(GaveUp),
    /// The same backend, over a new connection. Its lease is kept: the backend is not at fault,
    /// so nothing is reported and no permit is needed. A new connection cannot be stale, so this
    /// happens once a backend.
    FreshConnection,
    /// A backend not yet tried, with [leave](Course::has_leave).
    AnotherBackend,
}

/// Why a request that failed is not sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GaveUp {
    /// The backend may have acted on it, and acting twice is not the same as acting once.
    MayHaveActed,
    /// There was an answer, and it breaks the rules of HTTP: another backend runs the same
    /// application and would give it, too.
    BadAnswer,
    /// `[retry]` allows no other try after this: by `on`, `attempts` or `unanswered`. Nor can there
    /// be one once the answer has begun, or the body is gone.
    Attempts,
    /// So many requests are being retried that one more would be a storm: `[retry]
    /// budget_percent`.
    Budget,
    /// The request's own time was up; said by the caller, who has a clock.
    Deadline,
}

impl Course {
    /// Leases a backend that has not been tried; `tried` of the wish is filled in here.
    pub fn pick(&mut self, pool: &Arc<Pool>, ask: &Ask) -> Result<Lease, Unavailable> {
        let count = self.before.len();
        self.before.extend(self.last);
        let picked = pool.pick(&Ask { tried: &self.before, ..*ask });
        match &picked {
            Ok(lease) => {
                (self.last, self.reason) = (Some(lease.index()), Some(lease.reason()));
                self.unanswered += u32::from(std::mem::take(&mut self.broke));
            }
            Err(_) => self.before.truncate(count),
        }
        picked
    }

    /// A try begins.
    pub fn begin(&mut self) {
        self.tries += 1;
    }

    /// The try has come to nothing: what may follow.
    pub fn judge(&mut self, attempt: &Attempt, rules: &RetryRules) -> Decision {
        let setback = match attempt.setback {
            // It got the request on a connection before this, and is gone since.
            Setback::Fault(Fault::Connect) if self.broke => Setback::Fault(Fault::Reset),
            setback => setback,
        };
        let is_answered = matches!(setback, Setback::Status(_));
        self.broke |= attempt.sent_any && !is_answered;
        self.was_heard = attempt.sent_any || is_answered;
        // No try at all: nothing has left. There are as many of these as backends at most.
        self.tries -= u32::from(setback == Setback::NoWay).min(self.tries);
        self.rule(&Attempt { setback, ..*attempt }, rules)
    }

    /// The rule. Each line rules something out; what is left may be tried again.
    fn rule(&self, attempt: &Attempt, rules: &RetryRules) -> Decision {
        let Attempt { setback, sent_any, idempotent, body_held, response_started } = *attempt;
        let is_over = response_started || !body_held || !rules.on.includes(setback);
        let unanswered = self.unanswered + u32::from(self.broke);
        match setback {
            Setback::Refused => Decision::GiveUp(GaveUp::BadAnswer),
            _ if sent_any && !idempotent => Decision::GiveUp(GaveUp::MayHaveActed),
            _ if is_over || self.tries > rules.attempts => Decision::GiveUp(GaveUp::Attempts),
            Setback::Stale => Decision::FreshConnection,
            _ if unanswered > rules.unanswered => Decision::GiveUp(GaveUp::Attempts),
            _ => Decision::AnotherBackend,
        }
    }

    /// True when one more try is no storm: the budget has granted it, now or before. One that no
    /// backend has heard of yet adds nothing to what the others bear, so it needs no permit: a dead
    /// backend then costs no request.
    pub fn has_leave(&mut self, pool: &Arc<Pool>) -> bool {
        if self.was_heard && self.permit.is_none() {
            self.permit = pool.retry_permit();
        }
        !self.was_heard || self.permit.is_some()
    }

    /// Tries so far, of every kind together.
    pub fn tries(&self) -> u32 {
        self.tries
    }

    /// The backend that was picked last, by its index.
    pub fn last(&self) -> Option<usize> {
        self.last
    }

    /// By which rule that one was picked.
    pub fn reason(&self) -> Option<Reason> {
        self.reason
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

/// What a failure means for the request.
impl From<Fault> for Setback {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::BadAnswer => Self::Refused,
            fault => Self::Fault(fault),
        }
    }
}

/// What a failure means for the backend.
impl Outcome {
    /// A connection that broke while it was for the client to go on says nothing of the backend: it
    /// may well have lost patience with a client that does not.
    pub fn failed(fault: Fault, waited_for_client: bool) -> Self {
        match waited_for_client && fault == Fault::Reset {
            true => Self::Abandoned,
            false => Self::Failed(fault),
        }
    }
}

/// True if so much of a request's whole time was the better part. Of the backend that has a request
/// when its time is over this tells whether it failed, or was only left what the line before it and
/// those that were tried first had not used up.
pub fn is_better_part(had: Duration, whole: Duration) -> bool {
    had * 2 >= whole
}

impl fmt::Display for GaveUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MayHaveActed => "not sent again, for it may have been acted on",
            Self::BadAnswer => "not sent again, for the application has answered",
            Self::Attempts => "not sent again, for [retry] allows no more tries",
            Self::Budget => "not sent again, for too many requests are being retried",
            Self::Deadline => "not sent again, for the time of the call is up",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Decision::{AnotherBackend, FreshConnection, GiveUp};
    use super::GaveUp::{Attempts, BadAnswer, MayHaveActed};
    use super::*;
    use crate::pool::testing::pool;
    use crate::pool::{Rules, Statuses};

    /// A GET whose connect failed.
    const CONNECT_FAILED: Attempt = Attempt {
        setback: Setback::Fault(Fault::Connect),
        sent_any: false,
        idempotent: true,
        body_held: true,
        response_started: false,
    };
    /// One that was sent, and whose connection then broke.
    const BROKEN: Attempt =
        Attempt { setback: Setback::Fault(Fault::Reset), sent_any: true, ..CONNECT_FAILED };
    const STALE: Attempt = Attempt { setback: Setback::Stale, ..BROKEN };
    const BUSY: Attempt = Attempt { setback: Setback::Status(503), ..BROKEN };
    const NO_WAY: Attempt = Attempt { setback: Setback::NoWay, ..CONNECT_FAILED };

    fn of(rules: &RetryRules) -> Arc<Pool> {
        pool(9, Rules { retry: rules.clone(), ..Rules::default() })
    }

    /// What follows when the tries of a request come to these, one after the other.
    fn end(rules: &RetryRules, tries: &[Attempt]) -> Decision {
        let (pool, mut course) = (of(rules), Course::default());
        let mut decision = AnotherBackend;
        for attempt in tries {
            match decision {
                AnotherBackend => drop(course.pick(&pool, &Ask::default()).unwrap()),
                FreshConnection => {}
                GiveUp(_) => panic!("{attempt:?} comes too late"),
            }
            course.begin();
            decision = course.judge(attempt, rules);
        }
        decision
    }

    fn nothing() -> RetryOn {
        RetryOn { connect: false, reset: false, timeout: false, statuses: Statuses::default() }
    }

    fn with(on: RetryOn) -> RetryRules {
        RetryRules { on, ..RetryRules::default() }
    }

    #[test]
    fn each_case_of_the_rule() {
        let (get, broken, stale) = (CONNECT_FAILED, BROKEN, STALE);
        let late = Attempt { setback: Setback::Fault(Fault::Timeout), ..broken };
        let other = |attempt| Attempt { idempotent: false, ..attempt };
        let bodiless = |attempt| Attempt { body_held: false, ..attempt };
        let begun = |attempt| Attempt { response_started: true, ..attempt };
        let unsent = |attempt| Attempt { sent_any: false, ..attempt };
        let refused = Attempt { setback: Setback::Refused, ..broken };
        let no_more = GiveUp(Attempts);
        let table: [(&str, &[Attempt], Decision); 32] = [
            ("a GET not sent", &[get], AnotherBackend),
            ("a GET sent", &[broken], AnotherBackend),
            ("a GET sent to two", &[broken, broken], no_more),
            ("a GET too late at two", &[late, late], no_more),
            ("a GET that one broke on", &[broken, get], AnotherBackend),
            ("a GET that the second broke on", &[get, broken], AnotherBackend),
            ("a POST not sent", &[other(get)], AnotherBackend),
            ("a POST sent in part", &[other(broken)], GiveUp(MayHaveActed)),
            ("a PUT sent, body gone", &[bodiless(broken)], no_more),
            ("a PUT not sent, body gone before", &[bodiless(get)], no_more),
            ("a GET whose answer is refused", &[refused], GiveUp(BadAnswer)),
            ("a POST whose answer is refused", &[other(refused)], GiveUp(BadAnswer)),
            ("a GET answered with a status", &[BUSY], no_more),
            ("a GET half answered", &[begun(broken)], no_more),
            ("a GET, second try", &[get, get], AnotherBackend),
            ("a GET, third try", &[get, get, get], no_more),
            ("a GET on a stale connection", &[stale], FreshConnection),
            ("another on one", &[broken, stale], FreshConnection),
            ("a stale one that would not be sent", &[unsent(stale)], FreshConnection),
            ("a POST that a stale one did not take", &[unsent(other(stale))], FreshConnection),
            ("a POST on a stale connection", &[other(stale)], GiveUp(MayHaveActed)),
            ("a stale PUT, body gone", &[bodiless(stale)], no_more),
            ("a stale GET, half answered", &[begun(stale)], no_more),
            ("a stale GET, third try", &[get, get, stale], no_more),
            ("a fresh connection that breaks: one backend", &[stale, broken], AnotherBackend),
            ("and then another backend's", &[stale, broken, broken], no_more),
            ("a fresh connection that is refused", &[stale, get], AnotherBackend),
            ("a stale one at the second that broke", &[broken, stale, get], no_more),
            ("no way, as often as there are backends", &[NO_WAY; 9], AnotherBackend),
            ("no way is no try", &[NO_WAY, NO_WAY, get, get], AnotherBackend),
            ("nor does it forgive any", &[get, get, NO_WAY, get], no_more),
            ("a POST that had no way", &[other(NO_WAY)], AnotherBackend),
        ];
        for (case, tries, decision) in table {
            assert_eq!(end(&RetryRules::default(), tries), decision, "{case}");
        }
    }

    #[test]
    fn only_what_the_rules_name_is_tried_again() {
        let cases = [
            (Setback::Fault(Fault::Connect), RetryOn { connect: true, ..nothing() }),
            (Setback::Fault(Fault::Reset), RetryOn { reset: true, ..nothing() }),
            (Setback::Fault(Fault::NoHttp), RetryOn { reset: true, ..nothing() }),
            (Setback::Fault(Fault::Timeout), RetryOn { timeout: true, ..nothing() }),
            (
                Setback::Status(503),
                RetryOn { statuses: Statuses::new(vec![502..=504]), ..nothing() },
            ),
        ];
        for (setback, own) in &cases {
            let attempt = Attempt { setback: *setback, ..BROKEN };
            assert_eq!(end(&with(nothing()), &[attempt]), GiveUp(Attempts), "{setback:?}");
            for (_, on) in &cases {
                let expected = if on == own { AnotherBackend } else { GiveUp(Attempts) };
                assert_eq!(end(&with(on.clone()), &[attempt]), expected, "{setback:?} {on:?}");
            }
        }
        // A connection that was closed as idle is nobody's failure, nor is a lack of ours.
        assert_eq!(end(&with(nothing()), &[STALE]), FreshConnection);
        assert_eq!(end(&with(nothing()), &[NO_WAY]), AnotherBackend);
    }

    #[test]
    fn one_that_is_gone_after_it_had_the_request_counts_as_a_break() {
        let rules = with(RetryOn { reset: true, ..nothing() });
        assert_eq!(end(&rules, &[STALE, CONNECT_FAILED]), AnotherBackend);
        let rules = with(RetryOn { connect: true, ..nothing() });
        assert_eq!(end(&rules, &[STALE, CONNECT_FAILED]), GiveUp(Attempts));
        let unsent = Attempt { sent_any: false, ..STALE };
        assert_eq!(end(&rules, &[unsent, CONNECT_FAILED]), AnotherBackend);
    }

    #[test]
    fn how_many_tries_and_how_many_breaks_are_borne_is_for_the_rules_to_say() {
        let busy = RetryOn { statuses: Statuses::new(vec![503..=503]), ..RetryOn::default() };
        for attempts in 0..4 {
            for unanswered in 0..4 {
                let rules = RetryRules { attempts, unanswered, ..with(busy.clone()) };
                let tries = |kind| {
                    let goes_on =
                        |count: &usize| end(&rules, &vec![kind; *count]) == AnotherBackend;
                    1 + (1..9).take_while(goes_on).count() as u32
                };
                assert_eq!(tries(CONNECT_FAILED), attempts + 1);
                assert_eq!(tries(BUSY), attempts + 1, "an answer is no break");
                assert_eq!(tries(BROKEN), attempts.min(unanswered) + 1);
            }
        }
        let none = RetryRules { attempts: 0, ..RetryRules::default() };
        assert_eq!(end(&none, &[STALE]), GiveUp(Attempts));
        assert_eq!(end(&none, &[NO_WAY]), AnotherBackend, "it was not tried at all");
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
                let decision = end(&RetryRules::default(), &[attempt]);
                assert!(matches!(decision, GiveUp(_)), "{attempt:?}");
            }
        }
    }

    #[test]
    fn each_pick_is_another_and_a_vain_one_changes_nothing() {
        let (pool, mut course) = (pool(2, Rules::default()), Course::default());
        assert_eq!((course.last(), course.tries()), (None, 0));
        let first = course.pick(&pool, &Ask::default()).unwrap().index();
        course.begin();
        assert_eq!((course.last(), course.tries()), (Some(first), 1));
        let second = course.pick(&pool, &Ask::default()).unwrap().index();
        course.begin();
        assert_ne!(first, second);
        for _ in 0..2 {
            let none = course.pick(&pool, &Ask::default()).unwrap_err();
            assert_eq!((none.tried, course.last(), course.tries()), (2, Some(second), 2));
        }
        assert_eq!(course.before, [first]);
    }

    #[test]
    fn only_what_a_backend_has_heard_of_needs_a_permit_and_that_once() {
        let rules = RetryRules { budget_min: 1, budget_percent: 0, ..RetryRules::default() };
        let pool = of(&rules);
        let (mut first, mut second) = (Course::default(), Course::default());
        let leave = |course: &mut Course, attempt: &Attempt| {
            course.begin();
            course.judge(attempt, &rules);
            course.has_leave(&pool)
        };
        assert!(leave(&mut first, &CONNECT_FAILED) && pool.retry_permit().is_some());
        assert!(leave(&mut first, &BROKEN) && pool.retry_permit().is_none());
        assert!(leave(&mut first, &BUSY), "it has it already");
        assert!(!leave(&mut second, &BUSY) && !leave(&mut second, &BROKEN));
        assert!(leave(&mut second, &CONNECT_FAILED), "though it was sent before");
        drop(first);
        assert!(leave(&mut second, &BROKEN) && pool.retry_permit().is_none());
    }

    #[test]
    fn a_failure_is_the_applications_word_or_the_backends_fault() {
        let faults = [Fault::Connect, Fault::Reset, Fault::Timeout, Fault::NoHttp];
        for fault in faults {
            assert_eq!(Setback::from(fault), Setback::Fault(fault));
        }
        assert_eq!(Setback::from(Fault::BadAnswer), Setback::Refused);
        let blamed = faults.map(|fault| Outcome::failed(fault, true) == Outcome::Failed(fault));
        assert_eq!(blamed, [true, false, true, true], "who waited for a client may lose patience");
        assert!(faults.iter().all(|one| Outcome::failed(*one, false) == Outcome::Failed(*one)));
    }

    #[test]
    fn half_of_the_time_and_more_is_the_better_part_of_it() {
        let better = |had| is_better_part(Duration::from_millis(had), Duration::from_millis(100));
        assert_eq!([0, 49, 50, 100].map(better), [false, false, true, true]);
        assert!(is_better_part(Duration::ZERO, Duration::ZERO));
    }

    #[test]
    fn why_it_is_given_up_is_worded_for_people() {
        let all = [MayHaveActed, BadAnswer, Attempts, GaveUp::Budget, GaveUp::Deadline];
        let words: std::collections::BTreeSet<String> = all.iter().map(GaveUp::to_string).collect();
        assert!(
            words.len() == 5 && words.iter().all(|one| one.starts_with("not sent again, for "))
        );
    }
}
