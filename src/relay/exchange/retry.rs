//! Another try: whether the rules and the budget allow one, with whom, and how it begins.
//!
//! The rule itself is the pool's (`pool/course.rs`), as the client library and the simulator go by
//! it too. Here the relay says what it knows of the try, and does what was decided.

use super::Exchange;
use super::trouble::Trouble;
use crate::pool::{Attempt, Decision, Fault, Outcome, Setback};
use crate::relay::kit::Context;
use std::time::Duration;

impl Exchange {
    /// Makes ready for another try, if the rules and the budget allow one.
    pub(super) fn tries_again(&mut self, trouble: &Trouble, cx: &mut Context) -> bool {
        let Some(setback) = setback(trouble).filter(|_| !self.client_has_left()) else {
            return false;
        };
        match self.judge(setback) {
            Decision::GiveUp(_) => return false,
            Decision::FreshConnection => {
                let stale = self.upstream.as_ref();
                self.tries.stale = stale.map(|upstream| (upstream.to, upstream.rested));
                self.tries.fresh = true;
            }
            Decision::AnotherBackend => {
                self.give_up(trouble, cx);
                // Where no other can be had, the client hears of this failure, not of a 503.
                if !self.moves_on(cx) {
                    return false;
                }
            }
        }
        self.start_over(cx.now);
        true
    }

    /// The backend answers with this status: true if another is asked instead, which has then been
    /// leased. Where none can be had, the answer is the client's.
    pub(super) fn goes_elsewhere(&mut self, status: u16, cx: &mut Context) -> bool {
        let asks_another = self.branch.pool.rules().retry.on.statuses.contains(status);
        if !asks_another || self.client_has_left() {
            return false; // as nearly always: no need to gather what the rule asks for
        }
        if self.judge(Setback::Status(status)) != Decision::AnotherBackend {
            return false;
        }
        let answered = self.lease.take();
        if !self.moves_on(cx) {
            self.lease = answered;
            return false;
        }
        if let Some(lease) = answered {
            let latency = self.latency(cx.now);
            self.report(lease, Outcome::Answered { status, latency }, cx);
        }
        self.start_over(cx.now);
        true
    }

    /// The try has come to this: what may follow.
    fn judge(&mut self, setback: Setback) -> Decision {
        let attempt = Attempt {
            setback,
            sent_any: !self.sent.is_untouched(),
            idempotent: self.asked.idempotent,
            body_held: !self.tries.unrepeatable,
            response_started: self.answer.status != 0 || self.answer.interim_bytes > 0,
        };
        self.tries.course.judge(&attempt, &self.branch.pool.rules().retry)
    }

    /// Leases another backend, if the budget allows it and there is one.
    fn moves_on(&mut self, cx: &mut Context) -> bool {
        self.tries.course.has_leave(&self.branch.pool) && self.pick(cx).is_ok()
    }

    /// Forgets what came of the last try, and has the request written from its start.
    fn start_over(&mut self, now: Duration) {
        self.upstream = None;
        self.answer.early.clear();
        self.sent.rewind();
        self.body_given_up = false;
        self.times.asked = None;
        self.times.moved = now;
    }
}

/// What the trouble means for the request, if another try can help at all.
fn setback(trouble: &Trouble) -> Option<Setback> {
    match trouble {
        Trouble::Stale => Some(Setback::Stale),
        Trouble::NoWay(_) => Some(Setback::NoWay),
        Trouble::TakenOut => Some(Setback::Fault(Fault::Timeout)),
        // One path may bring this about, as it may a bad answer: three backends that are asked for
        // it would then all count as failed.
        Trouble::Backend { fault: Fault::NoHttp, .. } => Some(Setback::Refused),
        Trouble::Backend { fault, .. } => Some(Setback::from(*fault)),
        _ => None,
    }
}
