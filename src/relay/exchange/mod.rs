//! One request in flight: from its whole head to the last byte of its answer.
//!
//! It begins (`begin.rs`); the request goes up (`ask.rs`) while the answer comes down (`heads.rs`,
//! `relay.rs`), each as far as it can in a step. Who is awaited, `awaited.rs` tells, and for how
//! long `patience.rs`; what goes wrong is a `Trouble`, which `settle.rs` deals with: another try
//! (`retry.rs`), an answer of our own, or a visible break. What is not relayed at all, `direct.rs`
//! answers, or `entered.rs`, for the listener. `report.rs` tells pool and log what came of a try,
//! `account.rs` of the whole. Every exchange watches both its sockets.
//!
//! Both directions are open at once, and neither waits for the other: an answer may come before the
//! request has gone up, and a body may be longer than any buffer. So a step tries each in turn for
//! as long as one of them moves, and parks when neither does: the state is in what has been sent,
//! received and answered.

mod account;
mod ask;
mod awaited;
mod begin;
mod carried;
mod direct;
mod entered;
mod given;
mod heads;
mod patience;
mod relay;
mod report;
mod retry;
mod settle;
mod tries;
mod trouble;

use super::affinity::Ties;
use super::answer::Asker;
use super::branch::{Branch, Way};
use super::client::Client;
use super::kit::Context;
use super::origin::Origin;
use super::queue::Ticket;
use super::tunnel::Carried;
use super::upstream::Upstream;
use crate::engine::{Next, Outbox, Owner};
use crate::http::body::Reader;
use crate::http::{Refusal, Repairs, Version};
use crate::log::Cause;
use crate::pool::Lease;
use awaited::Awaited;
use given::Given;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tries::Tries;
use trouble::Trouble;

/// A request, the backend it was given to, and the answer as far as it has come.
pub(crate) struct Exchange {
    pub(crate) client: Box<Client>,
    asked: Asked,
    /// The request as the backend gets it: head, then body. Kept whole while it may be sent again.
    sent: Outbox,
    body: Reader,
    /// The body is read no further: the backend has stopped listening.
    body_given_up: bool,
    /// The configuration that it began with.
    branch: Arc<Branch>,
    ties: Ties,
    /// Held while the request waits for a place at a backend.
    ticket: Option<Ticket>,
    /// A pause has kept it waiting.
    is_held: bool,
    /// Held while what proves that a name is ours is read.
    proving: Option<super::challenges::Asked>,
    lease: Option<Lease>,
    upstream: Option<Box<Upstream>>,
    tries: Tries,
    answer: RelayedAnswer,
    times: Times,
    bytes_received: u64,
}

/// What must be remembered of the request while its bytes are gone.
struct Asked {
    /// Who asked, and how.
    origin: Origin,
    version: Version,
    method_length: usize,
    target_length: usize,
    head_length: usize,
    /// How far before the head's end the request's id begins, and its length. What is put into the
    /// head later stands before it.
    id: (usize, usize),
    /// Where Host stands, or is to, if the client named none: the backend is told its own address.
    own_host: Option<Range<usize>>,
    /// Bytes that the body is said to have.
    announced: u64,
    head_only: bool,
    /// An OPTIONS that may travel no further (RFC 9110 7.6.2).
    last_hop: bool,
    idempotent: bool,
    /// How it came to its pool, or what is said as it came to none.
    way: Way,
    /// There is a body, however short.
    has_body: bool,
    /// The client may hold its body back until a 100 comes from the backend.
    expects_continue: bool,
    /// The same, but it is we who say it.
    asks_for_body: bool,
    /// The body comes and goes in chunks.
    chunked: bool,
    keep_alive: bool,
}

/// The backend's answer on its way down.
struct RelayedAnswer {
    /// 0 until the final head is there.
    status: u16,
    /// A part of its head, until the rest has come.
    early: Vec<u8>,
    /// Of the heads that came before the final one.
    interim_bytes: usize,
    /// A 100 was among them: the client sends its body.
    continued: bool,
    /// What was mended in its heads.
    repairs: Repairs,
    body: Reader,
    /// The client gets the body in chunks.
    chunked: bool,
    /// The body's framing changes on the way, or is checked chunk by chunk.
    recoded: bool,
    /// Only the close tells the client where the body ends.
    until_close: bool,
    /// It has no length, and comes as it arises: an event stream, as far as anybody can tell.
    arises: bool,
    /// The client's connection goes on after this answer.
    keep_alive: bool,
    /// The backend goes on to read the request, even when it has answered.
    listens: bool,
    /// The backend's connection can carry another exchange.
    reusable: bool,
    bytes: u64,
}

/// When things happened, on the server's clock.
struct Times {
    begun: Duration,
    /// The try began.
    tried: Duration,
    /// It stands in line for a place since then.
    lined_up: Option<Duration>,
    /// How long it stood there.
    queued: Duration,
    /// When all of it must be over, if ever.
    due: Option<Duration>,
    /// The last byte of the request went up.
    asked: Option<Duration>,
    first_byte: Option<Duration>,
    /// The last interim answer came.
    interim: Duration,
    /// Whom the last wait was for.
    awaited: Option<Awaited>,
    /// The last time that bytes moved in either direction, or less late for slow ones.
    moved: Duration,
    /// Bytes that moved since.
    bytes: Moved,
}

/// Bytes by whose progress they are. Of the client's body they are the body's own, since framing
/// can be made up without end.
#[derive(Default)]
struct Moved {
    from_client: usize,
    to_backend: usize,
    from_backend: usize,
    to_client: usize,
}

/// What follows an exchange.
pub(crate) enum Ended {
    /// The client may ask again.
    Head(Box<Client>),
    /// Its connection closes once it has had the time to read what it was answered. True: that ends
    /// before its time.
    Linger(Box<Client>, bool),
    /// The connection is another protocol's now. What the backend sent behind its 101 stands in
    /// this part of the buffer.
    Tunnel(Box<Exchange>, Box<Upstream>, Range<usize>),
}

/// An answer up to here is on its way whole when it is written: nothing that the client sends after
/// it can take it back.
const QUICK_CLOSE_BYTES_MAX: u64 = 8 * 1024;

impl Exchange {
    /// Moves bytes both ways until neither moves.
    pub(crate) fn step(
        mut self: Box<Self>,
        cx: &mut Context,
        buf: &mut [u8],
    ) -> Next<Box<Self>, Ended> {
        self.client.stream.refresh();
        if let Some(upstream) = &mut self.upstream {
            upstream.stream.refresh();
        }
        let mut is_cut = self.is_cut();
        loop {
            let advanced = match std::mem::take(&mut is_cut) {
                true => Err(Trouble::TakenOut),
                false => self.advance(cx, buf),
            };
            let trouble = match advanced {
                Ok(Progress::Ended) => return self.finish(cx),
                Ok(Progress::Given(given)) => return self.give(&given, cx),
                Ok(Progress::Upgraded(surplus)) => return self.tunnel(surplus),
                Ok(Progress::Moved) => {
                    self.moved(cx.now);
                    if cx.is_spent() {
                        return Next::Queue(self);
                    }
                    continue;
                }
                Ok(Progress::Stuck) => match self.wait(cx) {
                    Ok(deadline) => return Next::Park(self, deadline),
                    Err(trouble) => trouble,
                },
                Err(trouble) => trouble,
            };
            self = match self.settle(trouble, cx) {
                Ok(again) => again,
                Err(next) => return next,
            };
        }
    }

    /// Looks at what has come of the body before a backend is asked for, so that none hears of a
    /// request which is known to be bad.
    fn check_body(&mut self) -> Result<(), Trouble> {
        let limit = self.branch.config.limits.body_bytes;
        if limit > 0 && self.asked.announced > limit {
            return Err(Trouble::Refused(TOO_LARGE, Cause::Refused));
        }
        self.take_held().map(drop)
    }

    /// Each direction once, as far as it goes.
    fn advance(&mut self, cx: &mut Context, buf: &mut [u8]) -> Result<Progress, Trouble> {
        if self.client.stream.is_broken() {
            return Err(Trouble::CLIENT_GONE);
        }
        if self.times.due.is_some_and(|due| cx.now >= due) {
            return Err(Trouble::Overdue(self.awaited()));
        }
        if self.upstream.is_none() && !self.answer.is_whole() {
            self.check_body()?;
            if let Some(turn) = self.answer_directly(cx)? {
                return Ok(turn);
            }
            if self.lease.is_none() {
                if let Some(turn) = self.await_body(cx, buf)? {
                    return Ok(turn);
                }
                if !self.admit(cx)? {
                    return Ok(Progress::Stuck);
                }
            }
            self.connect(cx)?;
        }
        let up = self.push(cx, buf)?;
        let down = self.pull(cx, buf)?;
        Ok(match down {
            Progress::Stuck if up => Progress::Moved,
            other => other,
        })
    }

    /// Tells a backend that has the whole request of a client that left, as the client would have
    /// done by itself: it may have nothing more to do, and would keep its place. With one that is
    /// not connected yet it is over.
    fn tell_end(&mut self) -> Result<(), Trouble> {
        if !self.client_has_left() {
            return Ok(());
        }
        let is_sent = self.request_is_sent();
        match &mut self.upstream {
            Some(upstream) if !upstream.connected => return Err(Trouble::CLIENT_GONE),
            Some(upstream) if is_sent && (upstream.owes_end || !upstream.told_end) => {
                upstream.told_end = true;
                upstream.owes_end = !upstream.stream.finish_writes();
            }
            _ => {}
        }
        Ok(())
    }

    /// True when the client has closed its side, and is not to be served all the same.
    fn client_has_left(&self) -> bool {
        self.client.stream.has_hung_up() && self.branch.config.server.abort_on_close
    }

    /// Until when to wait, with both sockets watched; or what is late.
    fn wait(&mut self, cx: &Context) -> Result<Duration, Trouble> {
        let deadline = self.deadline(cx.now);
        if cx.now >= deadline {
            let awaited = self.awaited();
            return Err(match awaited {
                Awaited::Place if self.is_held => Trouble::Held,
                _ => Trouble::late(awaited, self.limit(awaited), &self.branch.config),
            });
        }
        self.tell_end()?;
        if let Some(upstream) = &mut self.upstream {
            let home = self.client.stream.key(Owner::Itself).map_err(Trouble::Ours)?;
            upstream.stream.key(Owner::Home(home)).map_err(Trouble::Ours)?;
        }
        Ok(self.times.due.map_or(deadline, |due| due.min(deadline)))
    }

    /// The answer is with the client: account for it, and go on to the next request or close.
    fn finish(mut self: Box<Self>, cx: &mut Context) -> Next<Box<Self>, Ended> {
        self.account(Cause::Done, &cx.kit.shared, cx.now);
        // A backend that stopped listening has left a part of the body behind.
        let keep_alive = self.answer.keep_alive && self.body.is_done();
        let quick = self.may_close_at_once();
        cx.recycle(std::mem::take(&mut self.sent.bytes));
        let mut client = self.client;
        if keep_alive {
            client.await_next(cx.now, &self.branch.config.timeouts);
            Next::Go(Ended::Head(client))
        } else if quick && client.stream.say_end() {
            Next::Done
        } else {
            Next::Go(Ended::Linger(client, false))
        }
    }

    /// A client that wants the close and sent no body has said all it had to say, and a small
    /// answer has left as a whole: nothing to linger for, which would cost a turn through epoll.
    fn may_close_at_once(&self) -> bool {
        let asked_for_it = !self.asked.keep_alive && !self.asked.has_body;
        let silent = self.client.held.is_empty() && !self.client.stream.may_read();
        asked_for_it && silent && self.answer.bytes <= QUICK_CLOSE_BYTES_MAX
    }

    /// Becomes a tunnel; `surplus` is what the backend sent behind its 101.
    fn tunnel(mut self: Box<Self>, surplus: Range<usize>) -> Next<Box<Self>, Ended> {
        match self.upstream.take() {
            Some(upstream) => Next::Go(Ended::Tunnel(self, upstream, surplus)),
            None => Next::Done,
        }
    }

    /// How the client is to be answered if we must do it ourselves.
    fn asker(&self, cx: &Context) -> Asker {
        let tells_id = self.branch.config.server.request_id;
        Asker {
            version: self.asked.version,
            head_only: self.asked.head_only,
            secure: self.asked.origin.secure,
            keep_alive: self.may_go_on(cx) && self.body.is_done(),
            request_id: tells_id.then(|| self.request_id().to_owned()),
        }
    }

    /// True when the client's connection can carry another request behind the end of this one.
    fn may_go_on(&self, cx: &Context) -> bool {
        let config = &self.branch.config;
        let enough = config.limits.requests_per_connection;
        self.asked.keep_alive
            && (enough == 0 || self.client.requests < enough)
            && !config.timeouts.keep_alive.is_zero()
            && cx.kit.shared.is_ready()
    }
}

/// What one turn of both directions came to.
enum Progress {
    Moved,
    Stuck,
    /// The answer has been read and written to its end.
    Ended,
    /// The request is not for a backend to answer: this is the answer.
    Given(Box<Given>),
    /// A 101 has been relayed; what the backend sent after it stands in this part of the buffer.
    Upgraded(Range<usize>),
}

const TOO_LARGE: Refusal =
    Refusal { status: 413, reason: "the request body is larger than [limits] body_bytes" };
