//! Another try: whether the rules and the budget allow one, with whom, and how it begins.

use super::Exchange;
use super::trouble::Trouble;
use crate::pool::{Attempt, Fault, Outcome, RetryPermit, Setback, Verdict};
use crate::relay::kit::Context;
use std::net::SocketAddr;
use std::time::Duration;

/// Where the request has been.
#[derive(Default)]
pub(super) struct Tries {
    /// The backend that was given this request last.
    pub(super) last: Option<usize>,
    /// Those before it, whatever came of it there: none for nearly all requests, and no memory.
    pub(super) tried: Vec<usize>,
    /// The address of it that was asked for a connection.
    pub(super) address: Option<SocketAddr>,
    /// Those before it, where there was none.
    pub(super) dead: Vec<SocketAddr>,
    /// Times that it was sent, or was to be.
    pub(super) count: u32,
    /// How many of those before the last got some of it, and gave no answer.
    unanswered: u32,
    /// The last one did so, on a connection before this.
    broke: bool,
    /// The next connection must be a new one: a kept one was stale.
    pub(super) fresh: bool,
    /// Where that one led, and how long it had been idle.
    pub(super) stale: Option<(SocketAddr, Duration)>,
    permit: Option<RetryPermit>,
    /// Body bytes beyond what is held have gone up: it cannot be sent again.
    pub(super) unrepeatable: bool,
}

impl Exchange {
    /// Makes ready for another try, if the rules and the budget allow one.
    pub(super) fn tries_again(&mut self, trouble: &Trouble, cx: &mut Context) -> bool {
        if self.client_has_left() {
            return false;
        }
        let setback = match trouble {
            Trouble::Stale => {
                let stale = self.upstream.as_ref();
                self.tries.stale = stale.map(|upstream| (upstream.address, upstream.rested));
                Setback::Stale
            }
            Trouble::NoWay(_) => {
                // It was no try: nothing has left. There are as many of these as backends at most.
                self.tries.count -= 1;
                Setback::NoWay
            }
            // No HTTP, too, may be what one path brings about: no other backend is to say it for
            // that.
            Trouble::Backend { fault: Fault::BadAnswer | Fault::NoHttp, .. } => Setback::Refused,
            // It got the request on a kept connection, and is gone since.
            Trouble::Backend { fault: Fault::Connect, .. } if self.tries.broke => {
                Setback::Fault(Fault::Reset)
            }
            Trouble::Backend { fault, .. } => Setback::Fault(*fault),
            _ => return false,
        };
        let attempt = self.attempt(setback);
        match attempt.verdict(&self.site.pool.rules().retry) {
            Verdict::GiveUp => return false,
            Verdict::FreshConnection => {
                self.tries.fresh = true;
                self.tries.broke |= attempt.sent_any;
            }
            Verdict::AnotherBackend => {
                self.give_up(trouble, cx);
                // Where no other can be had, the client hears of this failure, not of a 503.
                if !self.is_within_budget(attempt.sent_any) || self.pick(cx).is_err() {
                    return false;
                }
                self.leave_behind(&attempt);
            }
        }
        self.start_over(cx.now);
        true
    }

    /// The backend answers with this status: true if another is asked instead, which has then been
    /// leased. Where none can be had, the answer is the client's.
    pub(super) fn goes_elsewhere(&mut self, status: u16, cx: &mut Context) -> bool {
        let rules = &self.site.pool.rules().retry;
        if !rules.on.statuses.contains(status) || self.client_has_left() {
            return false; // as nearly always: no need to gather what the rule asks for
        }
        let attempt = self.attempt(Setback::Status(status));
        if attempt.verdict(rules) != Verdict::AnotherBackend {
            return false;
        }
        let answered = self.lease.take();
        if !self.is_within_budget(true) || self.pick(cx).is_err() {
            self.lease = answered;
            return false;
        }
        if let Some(lease) = answered {
            let latency = self.latency(cx.now);
            self.report(lease, Outcome::Answered { status, latency }, cx);
        }
        self.leave_behind(&attempt);
        self.start_over(cx.now);
        true
    }

    /// What the rule needs to know of the try.
    fn attempt(&self, setback: Setback) -> Attempt {
        let sent_any = !self.sent.is_untouched();
        let is_answered = matches!(setback, Setback::Status(_));
        let broke = self.tries.broke || (sent_any && !is_answered);
        Attempt {
            setback,
            tries: self.tries.count,
            unanswered: self.tries.unanswered + u32::from(broke),
            idempotent: self.asked.idempotent,
            sent_any,
            body_held: !self.tries.unrepeatable,
            response_started: self.answer.status != 0 || self.answer.interim_bytes > 0,
        }
    }

    /// True when one more try is no storm. One that no backend has heard of yet adds nothing to
    /// what the others bear, so it needs no permit: a dead backend then costs no request.
    fn is_within_budget(&mut self, was_sent: bool) -> bool {
        if was_sent && self.tries.permit.is_none() {
            self.tries.permit = self.site.pool.retry_permit();
        }
        !was_sent || self.tries.permit.is_some()
    }

    /// Another backend is at it now.
    fn leave_behind(&mut self, attempt: &Attempt) {
        self.tries.unanswered = attempt.unanswered;
        self.tries.broke = false;
    }

    fn start_over(&mut self, now: Duration) {
        self.upstream = None;
        self.answer.early.clear();
        self.sent.rewind();
        self.body_given_up = false;
        self.times.asked = None;
        self.times.moved = now;
    }
}
