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
mod tests;
