//! What becomes of an exchange that cannot go on as it is: another try, an answer of our own, or a
//! visible break.

use super::awaited::Awaited;
use super::given::Given;
use super::trouble::Trouble;
use super::{Ended, Exchange};
use crate::engine::Next;
use crate::log::Cause;
use crate::pool::{Fault, Lease, Outcome, is_better_part};
use crate::relay::answer::{self, Answer};
use crate::relay::kit::Context;

impl Exchange {
    /// Goes on with another backend or a fresh connection, or ends the exchange.
    pub(super) fn settle(
        mut self: Box<Self>,
        mut trouble: Trouble,
        cx: &mut Context,
    ) -> Result<Box<Self>, Next<Box<Self>, Ended>> {
        if self.answer.is_whole() {
            return Err(self.leave_rest(&trouble, cx));
        }
        // The client has left, and the backend was told. If it broke off then, it is for that
        // reason, and no fault of its own.
        if self.upstream.as_ref().is_some_and(|upstream| upstream.told_end) {
            trouble = Trouble::CLIENT_GONE;
        }
        if matches!(trouble, Trouble::Elsewhere) || self.tries_again(&trouble, cx) {
            return Ok(self);
        }
        // No other try is allowed, so the client is to hear of it: a close without an answer, which
        // may as well have been the crash of what got this request.
        if matches!(trouble, Trouble::Stale) {
            trouble = Trouble::reset("closed a kept connection without an answer");
        }
        self.give_up(&trouble, cx);
        if let Trouble::NoWay(error) = &trouble {
            self.say_exhausted(error, &cx.kit.shared);
        }
        if self.answer.status != 0 {
            return Err(self.break_off(&trouble, cx));
        }
        if let Trouble::Client(cause) = trouble {
            self.answer.status = CLIENT_CLOSED;
            self.account_for(cause, &trouble.reason(), &cx.kit.shared, cx.now);
            return Err(Next::Done);
        }
        Err(self.end(&trouble.answer(), trouble.cause(), &trouble.reason(), cx))
    }

    /// Ends the lease and tells the pool what became of it.
    pub(super) fn give_up(&mut self, trouble: &Trouble, cx: &mut Context) {
        let waited_for_client = self.waits_for_client();
        self.upstream = None;
        let (shared, pool) = (&cx.kit.shared, &self.branch.pool);
        match trouble {
            Trouble::NoBackend(none) => shared.say_unavailable(pool, none, self.shown()),
            Trouble::QueueFull { .. } | Trouble::QueueLate | Trouble::Held => {
                shared.say_busy(pool, &trouble.reason(), self.shown());
            }
            Trouble::Ours(error) => {
                shared.idle.give_way(cx.now);
                self.say_exhausted(error, shared);
            }
            _ => {}
        }
        let Some(lease) = self.lease.take() else {
            return;
        };
        let outcome = match trouble {
            Trouble::Backend { fault, reason, .. } => {
                self.say_failed(*fault, reason, &cx.kit.shared);
                self.learn_from(*fault, &lease, cx);
                Outcome::failed(*fault, waited_for_client)
            }
            Trouble::Overdue(awaited) => self.judge_overdue(*awaited, cx),
            Trouble::NoWay(error) => {
                self.say_no_way(error, &cx.kit.shared);
                Outcome::Abandoned
            }
            _ => Outcome::Abandoned,
        };
        self.report(lease, outcome, cx);
    }

    /// One that fails may be somewhere else now; and one that takes no connections any more had not
    /// closed its idle ones for their age.
    fn learn_from(&self, fault: Fault, lease: &Lease, cx: &Context) {
        match fault {
            Fault::Connect => cx.kit.shared.idle.forget(lease.backend().number()),
            Fault::Reset | Fault::Timeout | Fault::NoHttp => lease.backend().doubt(),
            Fault::BadAnswer => {}
        }
    }

    /// What the end of the whole request's time says of the backend that has it.
    fn judge_overdue(&self, awaited: Awaited, cx: &Context) -> Outcome {
        let Some(fault) = awaited.fault() else {
            return Outcome::Abandoned;
        };
        let [had, all] =
            [self.times.tried, self.times.begun].map(|since| cx.now.saturating_sub(since));
        if !is_better_part(had, all) {
            return Outcome::Abandoned;
        }
        self.say_failed(fault, &Trouble::Overdue(awaited).reason(), &cx.kit.shared);
        Outcome::Failed(fault)
    }

    /// Gives an answer that no backend has part in. The one that it names, if it names one, is
    /// given back: what the client does there, nobody here sees.
    pub(super) fn give(
        mut self: Box<Self>,
        given: &Given,
        cx: &mut Context,
    ) -> Next<Box<Self>, Ended> {
        if let Some(lease) = self.lease.take() {
            self.report(lease, Outcome::Abandoned, cx);
        }
        self.end(&given.answer(), given.cause, &given.reason, cx)
    }

    /// Ends the exchange with an answer of our own.
    fn end(
        mut self: Box<Self>,
        answer: &Answer,
        cause: Cause,
        reason: &str,
        cx: &mut Context,
    ) -> Next<Box<Self>, Ended> {
        let asker = self.asker(cx);
        self.answer.status = answer.status;
        let before = self.client.out.bytes.len();
        let affinity = self.branch.affinity.as_ref();
        self.answer.bytes = answer::put(&mut self.client, answer, &asker, affinity, cx);
        cx.spend(self.client.out.bytes.len() - before);
        self.account_for(cause, reason, &cx.kit.shared, cx.now);
        cx.recycle(std::mem::take(&mut self.sent.bytes));
        let mut client = self.client;
        if asker.keep_alive {
            client.await_next(cx.now, &self.branch.config.timeouts);
            return Next::Go(Ended::Head(client));
        }
        Next::Go(Ended::Linger(client, false))
    }

    /// The answer is whole, and something keeps the rest of the request from going up: the backend
    /// has done its part, and is not blamed for a body that nobody waits for.
    fn leave_rest(
        mut self: Box<Self>,
        trouble: &Trouble,
        cx: &mut Context,
    ) -> Next<Box<Self>, Ended> {
        self.answer.reusable = false;
        self.release(cx);
        self.break_off(trouble, cx)
    }

    /// The client has a part of the answer already, and is to get all that came before the end. A
    /// length or chunks make the cut visible; where only the close marks the end, that takes a
    /// reset.
    fn break_off(
        mut self: Box<Self>,
        trouble: &Trouble,
        cx: &mut Context,
    ) -> Next<Box<Self>, Ended> {
        self.account_for(trouble.cause(), &trouble.reason(), &cx.kit.shared, cx.now);
        let is_whole = self.answer.is_whole();
        let unread = matches!(trouble, Trouble::Client(_) | Trouble::Overdue(Awaited::Reader));
        if unread || (self.answer.until_close && !is_whole) {
            self.client.stream.reset_on_close();
            return Next::Done;
        }
        Next::Go(Ended::Linger(self.client, !is_whole))
    }
}

/// What the access log says of a client that left before its answer (nginx's code).
const CLIENT_CLOSED: u16 = 499;
