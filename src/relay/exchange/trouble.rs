//! What can go wrong in an exchange, whose fault it is, and what becomes of the request.

use super::awaited::Awaited;
use super::given::Given;
use super::{Ended, Exchange};
use crate::engine::Next;
use crate::http::Refusal;
use crate::http::request::ALLOW;
use crate::http::response::{HEAD_TOO_LONG, TOO_MANY_FIELDS, is_http};
use crate::log::Cause;
use crate::pool::{Fault, Lease, Outcome, Unavailable, is_better_part};
use crate::relay::answer::{self, Answer};
use crate::relay::kit::Context;
use std::io;
use std::net::SocketAddr;

/// Why an exchange cannot go on as it is.
pub(super) enum Trouble {
    /// The client left, or takes its answer too slowly.
    Client(Cause),
    /// The client's request turned out to be bad, too large or too late.
    Refused(Refusal, Cause),
    /// A request for us, not for a backend.
    LastHop,
    /// A request that is answered here: redirected, looked up, or refused as neither.
    Given(Box<Given>),
    /// No backend can take the request.
    NoBackend(Unavailable),
    /// Every backend is full, and so is the line of those who wait for a place.
    QueueFull,
    /// No place came free in time.
    QueueLate,
    /// We are out of descriptors or memory (law 10): no backend's fault.
    Ours(io::Error),
    /// We are out of ports towards this backend: not its fault, and another may do.
    NoWay(io::Error),
    /// The backend failed.
    Backend { fault: Fault, cause: Cause, status: u16, reason: String },
    /// A connection that was kept turned out to be closed: nobody's fault.
    Stale,
    /// The backend answered with a status that another is asked for, which has been leased.
    Elsewhere,
    /// All the time that the request may take is over.
    Overdue(Awaited),
}

impl Trouble {
    /// The client's connection is closed or reset.
    pub(super) const CLIENT_GONE: Self = Self::Client(Cause::ClientGone);

    /// The connect failed.
    pub(super) fn connect(error: &io::Error) -> Self {
        let reason = format!("connect failed: {error}");
        Self::Backend { fault: Fault::Connect, cause: Cause::ConnectFailed, status: 502, reason }
    }

    /// The backend sent what is not allowed.
    pub(super) fn bad_answer(reason: &str) -> Self {
        let key = match reason {
            HEAD_TOO_LONG => " ([limits] head_bytes)",
            TOO_MANY_FIELDS => " ([limits] headers)",
            _ => "",
        };
        let reason = format!("bad answer: {reason}{key}");
        Self::Backend { fault: Fault::BadAnswer, cause: Cause::BadAnswer, status: 502, reason }
    }

    /// What the backend sent is no head of an answer.
    pub(super) fn bad_head(sent: &[u8], reason: &str) -> Self {
        if is_http(sent) {
            return Self::bad_answer(reason);
        }
        let reason = format!("no HTTP: {reason}");
        Self::Backend { fault: Fault::NoHttp, cause: Cause::BadAnswer, status: 502, reason }
    }

    /// The backend closed or reset the connection.
    pub(super) fn reset(reason: &str) -> Self {
        let reason = reason.to_owned();
        Self::Backend { fault: Fault::Reset, cause: Cause::BackendReset, status: 502, reason }
    }

    /// What the access log says.
    fn cause(&self) -> Cause {
        match self {
            Self::Client(cause) | Self::Refused(_, cause) | Self::Backend { cause, .. } => *cause,
            Self::LastHop => Cause::Done,
            Self::Given(given) => given.cause,
            Self::NoBackend(_) | Self::QueueFull => Cause::NoBackend,
            Self::QueueLate => Cause::QueueTimeout,
            Self::Ours(_) | Self::NoWay(_) => Cause::Exhausted,
            Self::Stale | Self::Elsewhere => Cause::BackendReset,
            Self::Overdue(awaited) => awaited.cause(),
        }
    }

    /// The same in words; none where nothing went wrong, or where the cause says it all.
    fn reason(&self) -> &str {
        match self {
            Self::Refused(refusal, _) => refusal.reason,
            Self::Backend { reason, .. } => reason,
            Self::Given(given) => given.reason(),
            Self::Client(Cause::ClientTimeout) => {
                "the client took its answer no more, or too slowly ([timeouts] client_write)"
            }
            Self::Client(_) => "the client left",
            Self::QueueFull => {
                "every backend is busy, and [queue] length requests wait for a place"
            }
            Self::QueueLate => "every backend is busy: no place came free within [queue] timeout",
            Self::Overdue(_) => "the request took longer than [timeouts] request",
            Self::LastHop | Self::Stale => "",
            _ => self.answer().reason,
        }
    }

    /// What the client is told, if it has not been told anything yet.
    fn answer(&self) -> Answer<'_> {
        match self {
            Self::Refused(refusal, _) => Answer::refusal(refusal),
            Self::LastHop => Answer { allow: Some(ALLOW), ..Answer::new(200, "") },
            Self::Given(given) => given.answer(),
            Self::NoBackend(none) => Answer {
                retry_after_s: Some(none.retry_after_s()),
                ..Answer::new(503, "no backend can take the request now")
            },
            Self::QueueFull | Self::QueueLate | Self::Overdue(Awaited::Place) => Answer {
                retry_after_s: Some(RETRY_AFTER_S),
                ..Answer::new(503, "every backend is busy")
            },
            Self::Ours(_) | Self::NoWay(_) => Answer {
                retry_after_s: Some(RETRY_AFTER_S),
                ..Answer::new(503, "the load balancer is out of resources")
            },
            Self::Backend { status: 504, .. } => {
                Answer::new(504, "the backend did not answer in time")
            }
            Self::Overdue(Awaited::Body) => Answer::new(408, "the request took too long"),
            Self::Overdue(_) => Answer::new(504, "the request took too long"),
            Self::Client(_) | Self::Stale | Self::Elsewhere | Self::Backend { .. } => {
                Answer::new(502, "the backend gave no valid answer")
            }
        }
    }
}

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
        // Whatever it made of the end of a client that left, that is why.
        if self.upstream.as_ref().is_some_and(|upstream| upstream.told_end) {
            trouble = Trouble::CLIENT_GONE;
        }
        if matches!(trouble, Trouble::Elsewhere) || self.tries_again(&trouble, cx) {
            return Ok(self);
        }
        // With no other try it is the crash that it may have been.
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
            self.account_for(cause, trouble.reason(), &cx.kit.shared, cx.now);
            return Err(Next::Done);
        }
        Err(self.end(&trouble, cx))
    }

    /// Ends the lease and tells the pool what became of it.
    pub(super) fn give_up(&mut self, trouble: &Trouble, cx: &mut Context) {
        let waited_for_client = self.waits_for_client();
        let address = self.upstream.take().map(|upstream| upstream.address);
        match trouble {
            Trouble::NoBackend(none) => cx.kit.shared.say_unavailable(none, self.shown()),
            Trouble::QueueFull | Trouble::QueueLate => cx.kit.shared.say_busy(self.shown()),
            Trouble::Ours(error) => {
                cx.kit.shared.idle.give_way(cx.now);
                self.say_exhausted(error, &cx.kit.shared);
            }
            _ => {}
        }
        let Some(lease) = self.lease.take() else {
            return;
        };
        let outcome = match trouble {
            Trouble::Backend { fault, reason, .. } => {
                self.say_failed(*fault, reason, &cx.kit.shared);
                self.learn_from(*fault, &lease, address, cx);
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

    /// One of several addresses that takes connections and fails is asked last, as one that takes
    /// none; and one that takes none any more had not closed its idle connections for their age.
    fn learn_from(&self, fault: Fault, lease: &Lease, at: Option<SocketAddr>, cx: &Context) {
        match (fault, at) {
            (Fault::Connect, _) => cx.kit.shared.idle.forget(lease.index(), lease.backend().name()),
            (Fault::Reset | Fault::Timeout | Fault::NoHttp, Some(at)) => lease.backend().avoid(at),
            _ => {}
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
        self.say_failed(fault, Trouble::Overdue(awaited).reason(), &cx.kit.shared);
        Outcome::Failed(fault)
    }

    /// Ends the exchange with an answer of our own.
    fn end(mut self: Box<Self>, trouble: &Trouble, cx: &mut Context) -> Next<Box<Self>, Ended> {
        let (answer, asker) = (&trouble.answer(), self.asker(cx));
        self.answer.status = answer.status;
        let before = self.client.out.bytes.len();
        self.answer.bytes = answer::put(&mut self.client, answer, &asker, cx);
        cx.spend(self.client.out.bytes.len() - before);
        self.account_for(trouble.cause(), trouble.reason(), &cx.kit.shared, cx.now);
        cx.recycle(std::mem::take(&mut self.sent.bytes));
        let mut client = self.client;
        if asker.keep_alive {
            client.await_next(cx.now, &self.site.config.timeouts);
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
    fn break_off(self: Box<Self>, trouble: &Trouble, cx: &mut Context) -> Next<Box<Self>, Ended> {
        self.account_for(trouble.cause(), trouble.reason(), &cx.kit.shared, cx.now);
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
/// What a 503 suggests when it is we who are short of something.
pub(super) const RETRY_AFTER_S: u64 = 1;
