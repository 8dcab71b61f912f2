//! A client's connection, whatever it is doing: the part of a task that lives as long as the
//! connection does. Small, since thousands of them wait at a time. It goes from state to state in
//! the same box, so a change of state copies a pointer.

use super::entrance::Entrance;
use super::kit::Context;
use crate::config::Timeouts;
use crate::engine::{Next, Outbox, Place, Resting, Stream};
use crate::http::request;
use crate::preface::Ends;
use crate::text::Took;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// How long a new client may take to ask before it counts as idle. With TLS that is several turns
/// of the way there and back.
pub(super) const ASKING: Duration = Duration::from_secs(1);

/// How long a client that may be about to ask may take to do so when the server is to stop.
pub(super) const LAST_CALL: Duration = Duration::from_secs(1);

/// One client's connection.
pub(crate) struct Client {
    pub(crate) stream: Stream,
    /// The client's end; where one is told by a preface, that.
    pub(crate) peer: SocketAddr,
    /// By which it came in.
    pub(crate) entrance: Arc<Entrance>,
    /// Where it connected to, if a preface tells. In a box, as most have none.
    came_to: Option<Box<SocketAddr>>,
    /// Read but not used yet: a part of a head, or requests sent ahead of their turn. At most
    /// `READ_AHEAD` of `head.rs` and a head.
    pub(crate) held: Vec<u8>,
    /// Not written yet; while there is some, nothing more is read for this client.
    pub(crate) out: Outbox,
    /// Requests begun on this connection.
    pub(crate) requests: u64,
    /// The peer is one of `trusted_proxies`: what it says of the client before it is believed.
    pub(crate) trusted: bool,
    /// When the handshake or the head that is waited for must be there, or the idle connection
    /// ends.
    pub(crate) head_deadline: Duration,
    /// When its last request was over; for one that has not asked, or need not any more, when it
    /// might have done so or gone.
    idle_since: Duration,
    /// When the first byte of the head came, or might have come.
    pub(crate) head_begun: Duration,
    /// Counts this connection against `max_connections` until it is dropped.
    place: Place,
}

impl Client {
    /// One that has just come in, and has until `deadline` to begin.
    pub(crate) fn new(
        stream: Stream,
        peer: SocketAddr,
        trusted: bool,
        (entrance, place): (Arc<Entrance>, Place),
        now: Duration,
        deadline: Duration,
    ) -> Box<Self> {
        Box::new(Self {
            stream,
            peer,
            entrance,
            came_to: None,
            held: Vec::new(),
            out: Outbox::default(),
            requests: 0,
            trusted,
            head_deadline: deadline,
            idle_since: now + ASKING,
            head_begun: now,
            place,
        })
    }

    /// How it reaches us: the listener may have changed its ways since.
    pub(crate) fn is_secure(&self) -> bool {
        self.stream.is_secure()
    }

    /// The peer's address; an IPv4 one that came in through an IPv6 socket as what it is.
    pub(crate) fn address(&self) -> IpAddr {
        self.peer.ip().to_canonical()
    }

    /// It is another's, and came in elsewhere, as whoever connected for it has said.
    pub(crate) fn stand_for(&mut self, ends: Ends) {
        self.peer = ends.from;
        self.came_to = Some(Box::new(ends.to));
    }

    /// It stands for nobody, though it came in where each is to say for whom it does: a balancer
    /// in front that asks for itself, such as in a check.
    pub(crate) fn stands_for_nobody(&self) -> bool {
        self.entrance.expects_preface() && self.came_to.is_none()
    }

    /// Its two ends, to be told to a backend; none where one of them is not known.
    pub(crate) fn ends(&self) -> Option<Ends> {
        let own = || self.stream.local_address();
        let to = self.came_to.as_deref().copied().or_else(own)?;
        (!self.peer.ip().is_unspecified()).then_some(Ends { from: self.peer, to })
    }

    /// Parks until it goes on with what comes ahead of a request: a preface, a hello, a handshake.
    /// One that does not is only in the way when the server is to stop, or when its place is
    /// wanted. `late` has the last word once its time is up, which was so long: at the end it was
    /// not.
    pub(crate) fn await_opening<N>(
        mut self: Box<Self>,
        cx: &Context,
        late: impl FnOnce(&mut Self, fmt::Arguments),
    ) -> Next<Box<Self>, N> {
        let is_last_call = cx.kit.shared.is_draining();
        if is_last_call {
            self.head_deadline = self.head_deadline.min(cx.now + LAST_CALL);
        }
        if self.is_in_the_way() {
            return Next::Done;
        }
        let deadline = self.head_deadline;
        if cx.now < deadline {
            return Next::Park(self, deadline);
        }
        if !is_last_call {
            let limit = Took(cx.kit.site.config.timeouts.handshake);
            late(&mut self, format_args!("{limit} ([timeouts] handshake)"));
        }
        Next::Done
    }

    /// Becomes idle, and small, once it has taken its answer. The next request's head has its
    /// deadline: a shorter one where a part of it is here already.
    pub(crate) fn await_next(&mut self, now: Duration, timeouts: &Timeouts) {
        self.out.release_memory();
        self.head_begun = now;
        self.head_deadline = now
            + match self.out.is_flushed() {
                false => timeouts.client_write,
                true if self.is_blank() => timeouts.keep_alive,
                true => timeouts.request_head,
            };
        self.idle_since = now;
    }

    /// Its last answer is written. It counts as idle once it has had the time to read it.
    pub(crate) fn await_close(&mut self, now: Duration) {
        self.idle_since = now + ASKING;
    }

    /// True where it is idle and others want its place.
    pub(crate) fn is_in_the_way(&self) -> bool {
        self.resting().is_some_and(|resting| self.place.is_wanted(resting.since))
    }

    /// Since when it has done nothing but keep a place, if it waits for a head, a handshake or
    /// its end.
    pub(crate) fn resting(&self) -> Option<Resting> {
        let is_idle = self.is_blank() && self.out.is_flushed();
        is_idle.then(|| Resting { since: self.idle_since, room: self.place.room() })
    }

    /// True while nothing of a request is here: an empty line begins none.
    fn is_blank(&self) -> bool {
        request::blank(&self.held) == self.held.len()
    }
}
