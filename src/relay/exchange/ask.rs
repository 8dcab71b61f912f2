//! The way up: a backend, a connection to it, and the request with its body.
//!
//! The request is kept from its first byte for as long as it may have to be sent again: that is why
//! the body goes through `sent` instead of straight from one socket to the other.

use super::trouble::Trouble;
use super::{Exchange, Progress, TOO_LARGE};
use crate::blame::Blame;
use crate::engine::{Owner, Read};
use crate::http::request::name_host;
use crate::http::{Refusal, Repairs, body};
use crate::log::Cause;
use crate::pool::{Ask, Unavailable};
use crate::preface;
use crate::relay::affinity::Ties;
use crate::relay::kit::Context;
use crate::relay::queue::Ticket;
use crate::relay::upstream::{Destination, Upstream};
use crate::tls::Connector;
use std::io;
use std::sync::Arc;

/// Says to a client that its body is wanted (RFC 9110 15.2.1).
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
/// How much of a request body is read at a time; with what may be held for a retry, this bounds
/// what an upload costs.
const BODY_READ: usize = 64 * 1024;

impl Exchange {
    /// Awaits a body before the request takes a place that others could use: a client that sends
    /// slowly takes one only when it has something to say. None once it has; else what this turn
    /// came to.
    pub(super) fn await_body(
        &mut self,
        cx: &mut Context,
        buf: &mut [u8],
    ) -> Result<Option<Progress>, Trouble> {
        if !self.branch.awaits_bodies() || self.ticket.is_some() {
            return Ok(None);
        }
        let client = &mut self.client;
        if self.asked.asks_for_body && !self.answer.continued {
            self.answer.continued = true;
            client.out.bytes.extend_from_slice(CONTINUE);
        }
        self.times.bytes.to_client +=
            client.out.drain_to(&mut client.stream).map_err(|_| Trouble::CLIENT_GONE)?;
        let enough = self.asked.head_length + self.branch.config.limits.buffer_bytes;
        while !self.body.is_done() && self.sent.bytes.len() < enough {
            if cx.is_spent() {
                return Ok(Some(Progress::Moved));
            }
            if !self.read_body(cx, buf)? {
                return Ok(Some(Progress::Stuck));
            }
            self.moved(cx.now);
        }
        Ok(None)
    }

    /// Leases a backend; false while the request must wait for its turn.
    pub(super) fn admit(&mut self, cx: &mut Context) -> Result<bool, Trouble> {
        if self.ticket.is_none() && self.branch.queue.is_open() && self.picked(cx)? {
            return Ok(true);
        }
        if self.client_has_left() {
            return Err(Trouble::CLIENT_GONE);
        }
        if self.ticket.is_none() {
            let home = self.client.stream.key(Owner::Itself).map_err(Trouble::Ours)?;
            let full = Trouble::QueueFull { is_paused: self.branch.queue.is_paused() };
            self.ticket = Some(self.branch.queue.draw(home).ok_or(full)?);
            self.times.lined_up = Some(cx.now);
        }
        let first = self.ticket.as_ref().is_some_and(Ticket::is_first);
        let is_paused = self.branch.queue.is_paused();
        self.is_held |= is_paused;
        if is_paused || !first || !self.picked(cx)? {
            return Ok(false);
        }
        self.ticket = None;
        self.times.leave_line(cx.now);
        Ok(true)
    }

    /// Asks the pool; false when backends are up, but full. Who was held by a pause waits for one
    /// to be up, too: most likely it was restarted meanwhile, and checks have not seen it yet.
    fn picked(&mut self, cx: &mut Context) -> Result<bool, Trouble> {
        match self.pick(cx) {
            Ok(()) => Ok(true),
            Err(none) if none.full > 0 || self.is_held => Ok(false),
            Err(none) => Err(Trouble::NoBackend(none)),
        }
    }

    /// Takes or begins a connection to the backend that was leased.
    pub(super) fn connect(&mut self, cx: &mut Context) -> Result<(), Trouble> {
        let lease = self.lease.as_ref().expect("it connects once it is admitted");
        let (index, backend, number) = (lease.index(), lease.backend(), lease.backend().number());
        let preface = backend.preface();
        self.tries.course.begin();
        self.times.tried = cx.now;
        // Without one it is asked only where nobody else is up.
        let address = backend.address().map_err(|why| Trouble::connect(io::Error::other(why)))?;
        self.name_host();
        let home = self.client.stream.key(Owner::Itself).map_err(Trouble::Ours)?;
        let tls = self.branch.connector(index);
        let trust = tls.map_or(0, Connector::trust);
        let to = Destination { backend: number, trust, told: preface.map(|_| home), address };
        let idle = match self.tries.fresh {
            false => cx.kit.shared.idle.take(&to, !self.is_repeatable(), home, cx.now),
            true => None,
        };
        self.answer.repairs = Repairs::default();
        self.upstream = Some(match idle {
            Some(upstream) => upstream,
            None => {
                let lot = Arc::clone(&cx.kit.shared.lot);
                let ahead = preface.map(|version| preface::write(version, self.client.ends()));
                Upstream::connect(to, lot, tls, ahead.unwrap_or_default().into())
                    .map_err(Trouble::connect)?
            }
        });
        Ok(())
    }

    /// True when the request can be sent again, should its connection turn out to be closed.
    fn is_repeatable(&self) -> bool {
        let rules = &self.branch.config.retry;
        let is_held = match self.body.is_done() {
            true => self.sent.bytes.len() <= self.asked.head_length + rules.body_bytes,
            false => (1..=rules.body_bytes as u64).contains(&self.asked.announced),
        };
        self.asked.idempotent && is_held && self.tries.course.tries() < rules.attempts
    }

    /// Tells the backend its own address where an HTTP/1.0 client did not say whom it meant.
    /// Nothing has been sent to it yet.
    fn name_host(&mut self) {
        let Some((place, lease)) = self.asked.own_host.take().zip(self.lease.as_ref()) else {
            return;
        };
        let (head, before) = (&mut self.sent.bytes, place.len());
        let place = name_host(head, place, &lease.backend().authority());
        self.asked.head_length = self.asked.head_length + place.len() - before;
        self.asked.own_host = Some(place);
    }

    /// Leases a backend that has not been tried.
    pub(super) fn pick(&mut self, cx: &mut Context) -> Result<(), Unavailable> {
        let Ties { key, token } = self.ties;
        let ask = Ask { now: cx.now, chance: cx.kit.dice.roll(), key, token, ..Ask::default() };
        let lease = self.tries.course.pick(&self.branch.pool, &ask)?;
        let (number, after) = (lease.backend().number(), self.times.since_begun(cx.now));
        self.tries.told.begin(number, lease.reason(), after);
        self.lease = Some(lease);
        self.tries.fresh = false;
        Ok(())
    }

    /// Sends what is held of the request, and reads on while the backend takes it; true when bytes
    /// moved.
    pub(super) fn push(&mut self, cx: &mut Context, buf: &mut [u8]) -> Result<bool, Trouble> {
        let mut moved = false;
        loop {
            moved |= self.send(cx)?;
            let listens = self.upstream.is_some() && self.sent.is_flushed();
            let waits_for_body = listens && !self.request_is_over();
            if !waits_for_body || cx.is_spent() || !self.read_body(cx, buf)? {
                return Ok(moved);
            }
            moved = true;
        }
    }

    /// True when no more of the request will go up.
    pub(super) fn request_is_over(&self) -> bool {
        self.body_given_up || self.request_is_sent()
    }

    /// True when the whole request has gone up.
    pub(super) fn request_is_sent(&self) -> bool {
        self.body.is_done() && self.sent.is_flushed()
    }

    fn send(&mut self, cx: &mut Context) -> Result<bool, Trouble> {
        let Some(upstream) = self.upstream.as_mut().filter(|_| !self.body_given_up) else {
            return Ok(false);
        };
        match self.sent.write_to(&mut upstream.stream) {
            Ok(n) => {
                let moved = n > 0;
                upstream.connected |= moved;
                self.times.bytes.to_backend += n;
                if moved && self.sent.is_flushed() {
                    self.after_flush(cx);
                }
                Ok(moved)
            }
            Err(error) if !upstream.connected => Err(Trouble::connect(error)),
            Err(error) if Blame::of(&error).is_ours() => Err(Trouble::Ours(error)),
            // The backend may have answered before it closed: its answer, or its end, is read next.
            Err(_) => {
                self.body_given_up = true;
                self.times.asked = Some(cx.now);
                Ok(true)
            }
        }
    }

    /// All that is held has gone up: keep it for a retry if it is short enough.
    fn after_flush(&mut self, cx: &Context) {
        if self.body.is_done() {
            self.times.asked = Some(cx.now);
        }
        let held_max = self.asked.head_length + self.branch.config.retry.body_bytes;
        if self.tries.unrepeatable || self.sent.bytes.len() > held_max {
            self.tries.unrepeatable = true;
            self.sent.forget_after(self.asked.head_length);
        }
    }

    /// Reads the next bytes of the body into `sent`; false when there are none yet.
    fn read_body(&mut self, cx: &mut Context, buf: &mut [u8]) -> Result<bool, Trouble> {
        if self.take_held()? {
            return Ok(true);
        }
        match self.client.stream.read(&mut buf[..BODY_READ]) {
            Ok(Read::Bytes(n)) => {
                cx.spend(n);
                let used = self.take_body(&buf[..n])?;
                self.client.held.extend_from_slice(&buf[used..n]);
                Ok(true)
            }
            Ok(Read::WouldBlock) => Ok(false),
            Ok(Read::End) => Err(Trouble::Refused(CUT_SHORT, Cause::ClientGone)),
            Err(_) => Err(Trouble::Client(Cause::ClientGone)),
        }
    }

    /// Takes what came with the head, or behind it; false if there was nothing.
    pub(super) fn take_held(&mut self) -> Result<bool, Trouble> {
        if self.client.held.is_empty() || self.body.is_done() {
            return Ok(false);
        }
        let mut held = std::mem::take(&mut self.client.held);
        let used = self.take_body(&held)?;
        self.client.held = held.split_off(used); // with no more memory than is left in it
        Ok(true)
    }

    /// Decodes body bytes and frames them for the backend; returns how many belonged to the body.
    fn take_body(&mut self, bytes: &[u8]) -> Result<usize, Trouble> {
        let limit = self.branch.config.limits.body_bytes;
        let mut used = 0;
        while used < bytes.len() && !self.body.is_done() {
            let piece = self.body.next(&bytes[used..]).map_err(malformed)?;
            used += piece.consumed;
            self.bytes_received += piece.data.len() as u64;
            self.times.bytes.from_client += piece.data.len();
            if limit > 0 && self.bytes_received > limit {
                return Err(Trouble::Refused(TOO_LARGE, Cause::Refused));
            }
            match self.asked.chunked {
                true => body::write_chunk(&mut self.sent.bytes, piece.data),
                false => self.sent.bytes.extend_from_slice(piece.data),
            }
        }
        if self.asked.chunked && self.body.is_done() {
            let trailers = self.branch.claims.without(self.body.trailers());
            body::write_last_chunk(&mut self.sent.bytes, &trailers);
        }
        Ok(used)
    }
}

const CUT_SHORT: Refusal = Refusal { status: 400, reason: "the request body ends early" };

fn malformed(malformed: crate::http::Malformed) -> Trouble {
    Trouble::Refused(Refusal { status: 400, reason: malformed.0 }, Cause::Refused)
}
