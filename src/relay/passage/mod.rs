//! A TCP client's connection on its way to a backend: it is given one, waits in the same line where
//! all are full, and connects, trying another where there is no connection to be had. Then it is a
//! tunnel (`tunnel.rs`). Nobody here reads a byte of it.
//!
//! It goes by the rules that requests go by: the policy, `max_connections`, the queue, `[retry]`,
//! drain and maintenance. Nothing of the client's goes up before a backend has taken the
//! connection, so another try is always safe, and needs no leave of the budget, which is for what
//! may have been heard. A backend is at fault if there is no connection to it, and what is said on
//! one that came about is between the two.
//!
//! A client that cannot be served is reset: a mere close would tell it that this is all there is.

mod account;
mod trouble;

use super::branch::{Branch, Way};
use super::client::Client;
use super::kit::Context;
use super::queue::Ticket;
use super::site::Site;
use super::tunnel::Load;
use super::upstream::{Destination, Upstream};
use crate::engine::{Next, Owner, Read};
use crate::event::Event;
use crate::pool::{Ask, Attempt, Course, Decision, Lease, Outcome};
use crate::preface;
use crate::text::Took;
use crate::tls::Connector;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use trouble::Trouble;

/// A client that waits for its connection to a backend, and what is known of it for as long as that
/// lasts.
pub(crate) struct Passage {
    pub(crate) client: Box<Client>,
    /// The configuration that it began with.
    branch: Arc<Branch>,
    /// The place of the route that led it there, if one did; or none leads anywhere.
    way: Way,
    /// Whom its TLS asks for, where that was read.
    name: Option<Box<str>>,
    /// Held while it waits for a place at a backend.
    ticket: Option<Ticket>,
    /// A pause has kept it waiting.
    is_held: bool,
    lease: Option<Lease>,
    upstream: Option<Box<Upstream>>,
    course: Course,
    times: Times,
    /// Bytes that its backend's counts have already.
    counted: Load,
}

/// When things happened, on the server's clock.
struct Times {
    begun: Duration,
    /// It stands in line since then.
    lined_up: Duration,
    /// The try began.
    tried: Duration,
    /// The backend has taken the connection.
    connected: Option<Duration>,
}

/// What follows: bytes both ways.
pub(crate) struct Passed(pub(crate) Box<Passage>, pub(crate) Box<Upstream>);

impl Passage {
    /// Begins with a client that is to have a backend; `name` is whom its TLS asks for.
    pub(crate) fn begin(
        client: Box<Client>,
        name: Option<Box<str>>,
        site: &Site,
        now: Duration,
    ) -> Box<Self> {
        let (branch, way) = site.way_of(&client.entrance, name.as_deref());
        let times = Times { begun: now, lined_up: now, tried: now, connected: None };
        let branch = Arc::clone(branch);
        Box::new(Self {
            client,
            branch,
            way,
            name,
            ticket: None,
            is_held: false,
            lease: None,
            upstream: None,
            course: Course::default(),
            times,
            counted: Load::default(),
        })
    }

    /// Goes on until a backend has taken the connection, or it must wait.
    pub(crate) fn step(mut self: Box<Self>, cx: &mut Context) -> Next<Box<Self>, Passed> {
        self.client.stream.refresh();
        if let Some(upstream) = &mut self.upstream {
            upstream.stream.refresh();
        }
        loop {
            let trouble = match self.advance(cx) {
                Ok(Some(upstream)) => return Next::Go(Passed(self, upstream)),
                Ok(None) => match self.wait(cx) {
                    Ok(deadline) => return Next::Park(self, deadline),
                    Err(trouble) => trouble,
                },
                Err(trouble) => trouble,
            };
            if !self.asks_another(&trouble, cx) {
                return self.fail(&trouble, cx);
            }
        }
    }

    /// The connection that a backend has taken; none while it must wait.
    fn advance(&mut self, cx: &mut Context) -> Result<Option<Box<Upstream>>, Trouble> {
        if self.client.stream.is_broken() {
            return Err(Trouble::Left);
        }
        if self.way.is_err() {
            return Err(Trouble::NoRoute);
        }
        if self.lease.as_ref().is_some_and(|lease| lease.backend().is_cut()) {
            return Err(Trouble::TakenOut);
        }
        if self.lease.is_none() && !self.admit(cx)? {
            return Ok(None);
        }
        let mut upstream = match self.upstream.take() {
            Some(upstream) => upstream,
            None => self.connect(cx)?,
        };
        match upstream.stream.establish() {
            Ok(true) => {
                self.say_connected(cx);
                Ok(Some(upstream))
            }
            Ok(false) => {
                self.upstream = Some(upstream);
                Ok(None)
            }
            Err(error) => Err(Trouble::connect(error)),
        }
    }

    /// Leases a backend; false while it must wait for its turn.
    fn admit(&mut self, cx: &mut Context) -> Result<bool, Trouble> {
        let queue = Arc::clone(&self.branch.queue);
        if self.ticket.is_none() && queue.is_open() && self.picked(cx)? {
            return Ok(true);
        }
        if self.branch.config.server.abort_on_close && self.has_said_its_end() {
            return Err(Trouble::Left);
        }
        if self.ticket.is_none() {
            let home = self.client.stream.key(Owner::Itself).map_err(Trouble::Ours)?;
            let full = Trouble::QueueFull { is_paused: queue.is_paused() };
            self.ticket = Some(queue.draw(home).ok_or(full)?);
            self.times.lined_up = cx.now;
        }
        let is_first = self.ticket.as_ref().is_some_and(Ticket::is_first);
        self.is_held |= queue.is_paused();
        if queue.is_paused() || !is_first || !self.picked(cx)? {
            return Ok(false);
        }
        self.ticket = None;
        Ok(true)
    }

    /// Asks the pool; false when backends are up, but full. Who was held by a pause waits for one
    /// to be up, too.
    fn picked(&mut self, cx: &mut Context) -> Result<bool, Trouble> {
        match self.pick(cx) {
            Ok(()) => Ok(true),
            Err(Trouble::NoBackend(none)) if none.full > 0 || self.is_held => Ok(false),
            Err(trouble) => Err(trouble),
        }
    }

    /// Leases a backend that has not been tried.
    fn pick(&mut self, cx: &mut Context) -> Result<(), Trouble> {
        let affinity = self.branch.affinity.as_ref();
        let key = affinity.and_then(|affinity| affinity.of_client(self.client.address()));
        let ask = Ask { now: cx.now, chance: cx.kit.dice.roll(), key, ..Ask::default() };
        self.lease = Some(self.course.pick(&self.branch.pool, &ask).map_err(Trouble::NoBackend)?);
        Ok(())
    }

    /// Begins a connection to the backend that was leased.
    fn connect(&mut self, cx: &Context) -> Result<Box<Upstream>, Trouble> {
        let lease = self.lease.as_ref().expect("it connects once it is admitted");
        let (index, backend) = (lease.index(), lease.backend());
        self.course.begin();
        self.times.tried = cx.now;
        let address = backend.address().map_err(|why| Trouble::connect(io::Error::other(why)))?;
        let (preface, tls) = (backend.preface(), self.branch.connector(index));
        // Only where it is needed: a client that is registered before its bytes are read wakes a
        // worker for them.
        let home = preface.map(|_| self.client.stream.key(Owner::Itself));
        let told = home.transpose().map_err(Trouble::Ours)?;
        let (backend, trust) = (backend.number(), tls.map_or(0, Connector::trust));
        let to = Destination { backend, trust, told, address };
        let ahead = preface.map(|version| preface::write(version, self.client.ends()));
        let lot = Arc::clone(&cx.kit.shared.lot);
        Upstream::connect(to, lot, tls, ahead.unwrap_or_default().into()).map_err(Trouble::connect)
    }

    /// Leases another backend, if the rules allow it and there is one.
    fn asks_another(&mut self, trouble: &Trouble, cx: &mut Context) -> bool {
        let Some(setback) = trouble.setback() else { return false };
        let attempt = Attempt {
            setback,
            sent_any: false,
            idempotent: true,
            body_held: true,
            response_started: false,
        };
        let decision = self.course.judge(&attempt, &self.branch.pool.rules().retry);
        self.give_up(trouble, cx);
        decision == Decision::AnotherBackend && self.pick(cx).is_ok()
    }

    /// Until when to wait, with both sockets watched; or what is late.
    fn wait(&mut self, cx: &Context) -> Result<Duration, Trouble> {
        let deadline = self.deadline();
        if cx.now >= deadline {
            return Err(self.late());
        }
        let home = self.client.stream.key(Owner::Itself).map_err(Trouble::Ours)?;
        if let Some(upstream) = &mut self.upstream {
            upstream.stream.key(Owner::Home(home)).map_err(Trouble::Ours)?;
        }
        Ok(deadline)
    }

    fn deadline(&self) -> Duration {
        let (times, queue) = (&self.times, &self.branch.config.queue);
        match (&self.ticket, self.is_held) {
            (Some(_), true) => self.branch.queue.held_until(times.lined_up, queue.timeout),
            (Some(_), false) => times.lined_up + queue.timeout,
            (None, _) => times.tried + self.limit(),
        }
    }

    /// How long a connect may take.
    fn limit(&self) -> Duration {
        let timeouts = &self.branch.config.timeouts;
        if self.awaits_handshake() { timeouts.handshake } else { timeouts.connect }
    }

    fn awaits_handshake(&self) -> bool {
        self.upstream.as_ref().is_some_and(|upstream| upstream.stream.awaits_handshake())
    }

    fn late(&self) -> Trouble {
        match (&self.ticket, self.is_held) {
            (Some(_), true) => Trouble::Held,
            (Some(_), false) => Trouble::QueueLate,
            (None, _) => {
                let took = Took(self.limit());
                Trouble::Late(match self.awaits_handshake() {
                    true => format!("TLS handshake not done after {took} ([timeouts] handshake)"),
                    false => format!("connect timed out after {took} ([timeouts] connect)"),
                })
            }
        }
    }

    /// True if it has closed its side and left nothing to be passed on. While it stands in line,
    /// that is who has gone; one that a backend is connected for may only have nothing to say.
    fn has_said_its_end(&mut self) -> bool {
        let stream = &mut self.client.stream;
        stream.has_hung_up() && matches!(stream.peek_ahead(&mut [0]), Ok(Read::End) | Err(_))
    }

    /// The backend has taken the connection: that is all there is to know of it.
    fn say_connected(&mut self, cx: &Context) {
        let latency = cx.now.saturating_sub(self.times.tried);
        self.times.connected = Some(cx.now);
        let notice = self.lease.as_ref().and_then(|lease| lease.connected(latency, cx.now));
        if let Some(notice) = notice {
            cx.kit.shared.teller.tell(Event::from(&notice));
        }
    }

    /// Ends the lease and tells the pool what became of it. Only after it is gone is there a place
    /// for whoever is first in line.
    fn end_lease(&mut self, outcome: Outcome, cx: &Context) {
        let Some(lease) = self.lease.take() else { return };
        let is_limited = lease.backend().max_connections() > 0;
        if let Some(notice) = lease.finish(outcome, cx.now) {
            cx.kit.shared.teller.tell(Event::from(&notice));
        }
        if is_limited {
            self.branch.queue.ring_first();
        }
    }
}
