//! The way down: the backend's answer, checked, framed anew for this client, and relayed.
//!
//! A client that takes nothing stops it: the backend is read only when all that came before is with
//! the client. So the backend's own buffers fill, and it waits, instead of our memory growing.

use super::account::text;
use super::trouble::Trouble;
use super::{Exchange, Progress};
use crate::blame::Blame;
use crate::engine::{HEADROOM, Read, STEP_BYTES};
use crate::event::About;
use crate::http::body::{self, Reader};
use crate::http::{self, Framing, Malformed, Parsed, Repairs, request};
use crate::pool::{Mode, Outcome};
use crate::relay::kit::Context;
use std::ops::Range;
use std::time::Duration;

impl Exchange {
    /// Writes what waits for the client; then, if it took all, reads on from the backend.
    pub(super) fn pull(&mut self, cx: &mut Context, buf: &mut [u8]) -> Result<Progress, Trouble> {
        let client = &mut self.client;
        let drained = client.out.drain_to(&mut client.stream).map_err(|_| Trouble::CLIENT_GONE)?;
        self.times.bytes.to_client += drained;
        let stuck = if drained > 0 { Progress::Moved } else { Progress::Stuck };
        if !client.out.is_flushed() {
            return Ok(stuck);
        }
        if self.answer.is_whole() {
            return self.await_rest(stuck, cx, buf);
        }
        let Some(upstream) = &mut self.upstream else {
            return Ok(stuck);
        };
        let early = std::mem::take(&mut self.answer.early);
        let room = &mut buf[HEADROOM..];
        room[..early.len()].copy_from_slice(&early);
        match upstream.stream.read(&mut room[early.len()..STEP_BYTES]) {
            Ok(Read::Bytes(n)) => {
                cx.spend(n);
                self.times.bytes.from_backend += n;
                self.receive(HEADROOM..HEADROOM + early.len() + n, cx, buf)
            }
            Ok(Read::WouldBlock) => {
                self.answer.early = early;
                Ok(stuck)
            }
            Ok(Read::End) => self.backend_ended(is_blank(&early), cx),
            Err(error) if Blame::of(&error).is_ours() => Err(Trouble::Ours(error)),
            Err(error) => Err(self.backend_broke(is_blank(&early), &error.to_string())),
        }
    }

    /// The answer is whole and with the client. What is left of the request goes on to its end, if
    /// the backend listens: it may have said early that it will do what it is asked (RFC 9112 9.3).
    fn await_rest(
        &mut self,
        stuck: Progress,
        cx: &mut Context,
        buf: &mut [u8],
    ) -> Result<Progress, Trouble> {
        let has_rest = self.has_rest();
        let Some(upstream) = self.upstream.as_mut().filter(|_| has_rest) else {
            self.release(cx);
            return Ok(Progress::Ended);
        };
        match upstream.stream.read(&mut buf[..STEP_BYTES]) {
            Ok(Read::WouldBlock) => Ok(stuck),
            // Bytes behind the answer's end belong to nobody and are dropped. They do not count as
            // progress, for a backend that sends without end would keep us from ever reaching the
            // deadline of a client that does not go on with its body.
            Ok(Read::Bytes(n)) => {
                cx.spend(n);
                self.answer.reusable &= n == 0;
                Ok(stuck)
            }
            Ok(Read::End) | Err(_) => {
                self.body_given_up = true;
                Ok(Progress::Moved)
            }
        }
    }

    /// True when the request outlasts its answer.
    fn has_rest(&self) -> bool {
        self.answer.listens && !self.request_is_over()
    }

    /// New bytes of the answer stand in `buf[bytes]`, behind room for a head.
    fn receive(
        &mut self,
        mut bytes: Range<usize>,
        cx: &mut Context,
        buf: &mut [u8],
    ) -> Result<Progress, Trouble> {
        cx.out.clear();
        let unanswered = self.answer.status == 0;
        while self.answer.status == 0 {
            let mut slots = http::slots();
            let limits = self.branch.config.limits.head();
            let method = text(&self.sent.bytes[..self.asked.method_length]);
            let parsed = http::response::parse(&buf[bytes.clone()], &limits, method, &mut slots);
            let bad = |malformed: Malformed| Trouble::bad_head(&buf[bytes.clone()], malformed.0);
            match parsed.map_err(bad)? {
                Parsed::Partial => {
                    self.answer.early = buf[bytes].to_vec();
                    return Ok(Progress::Moved);
                }
                Parsed::Complete { head, length } => {
                    bytes.start += length;
                    self.take_head(&head, length, cx)?;
                }
            }
            if self.answer.status == 101 {
                return Ok(Progress::Upgraded(bytes));
            }
        }
        let relayed = self.relay(bytes, unanswered, cx, buf);
        if unanswered && matches!(relayed, Err(Trouble::Backend { .. })) {
            // Its first bytes are bad already, and none has gone: there is still time to say so.
            self.answer.status = 0;
            self.answer.repairs = Repairs::default();
            self.answer.body = Reader::new(Framing::UntilClose);
            self.times.first_byte = None;
        }
        relayed.map(|()| Progress::Moved)
    }

    /// Relays the head in `cx.out`, if there is one, and the body bytes in `buf[bytes]`.
    fn relay(
        &mut self,
        bytes: Range<usize>,
        unanswered: bool,
        cx: &mut Context,
        buf: &mut [u8],
    ) -> Result<(), Trouble> {
        let used = match self.answer.recoded {
            true => self.relay_recoded(&buf[bytes.clone()], unanswered, cx)?,
            false => self.relay_as_is(bytes.clone(), cx, buf)?,
        };
        if self.answer.body.is_done() {
            // What comes beyond the end belongs to nobody: the connection is not to be trusted.
            if used < bytes.len() {
                self.answer.reusable = false;
                self.say_surplus(cx);
            }
            if !self.has_rest() {
                self.release(cx);
            }
        }
        Ok(())
    }

    /// The body needs no new framing: its bytes go from the buffer to the socket, with the head
    /// copied in front of them so that one write takes both.
    fn relay_as_is(
        &mut self,
        bytes: Range<usize>,
        cx: &mut Context,
        buf: &mut [u8],
    ) -> Result<usize, Trouble> {
        let piece = self.answer.body.next(&buf[bytes.clone()]).map_err(bad_body)?;
        let (used, length) = (piece.consumed, piece.data.len());
        self.answer.bytes += length as u64;
        let client = &mut self.client;
        let mut start = bytes.start;
        if cx.out.len() <= start {
            start -= cx.out.len();
            buf[start..bytes.start].copy_from_slice(&cx.out);
        } else {
            client.out.send(&mut client.stream, &cx.out).map_err(|_| Trouble::CLIENT_GONE)?;
        }
        self.send_down(&buf[start..bytes.start + length])?;
        Ok(used)
    }

    /// The body was chunked, or is to be: its data are framed anew, behind the head.
    fn relay_recoded(
        &mut self,
        bytes: &[u8],
        unanswered: bool,
        cx: &mut Context,
    ) -> Result<usize, Trouble> {
        let answer = &mut self.answer;
        let mut used = 0;
        while used < bytes.len() && !answer.body.is_done() {
            let piece = match answer.body.next(&bytes[used..]) {
                Ok(piece) => piece,
                Err(malformed) => return self.relay_up_to(malformed, unanswered, cx),
            };
            used += piece.consumed;
            answer.bytes += piece.data.len() as u64;
            match answer.chunked {
                true => body::write_chunk(&mut cx.out, piece.data),
                false => cx.out.extend_from_slice(piece.data),
            }
        }
        if answer.chunked && answer.body.is_done() {
            body::write_last_chunk(&mut cx.out, answer.body.trailers());
        }
        self.send_down(&cx.out)?;
        Ok(used)
    }

    /// What came before the bytes that are malformed is the client's, unless the whole answer can
    /// still be refused.
    fn relay_up_to(
        &mut self,
        malformed: Malformed,
        unanswered: bool,
        cx: &Context,
    ) -> Result<usize, Trouble> {
        if !unanswered {
            self.send_down(&cx.out)?;
        }
        Err(bad_body(malformed))
    }

    /// Sends bytes of the answer to the client; the last ones together with the close, if it
    /// follows.
    fn send_down(&mut self, data: &[u8]) -> Result<(), Trouble> {
        let last = self.answer.body.is_done() && !self.answer.keep_alive && !self.has_rest();
        let (out, socket) = (&mut self.client.out, &mut self.client.stream);
        let sent = if last { out.send_last(socket, data) } else { out.send(socket, data) };
        sent.map_err(|_| Trouble::CLIENT_GONE)
    }

    /// What comes beyond the end belongs to nobody, however TCP cut it: the answer is what was
    /// announced, and the connection is not used again. Some send a body to HEAD.
    fn say_surplus(&self, cx: &Context) {
        if self.lease.is_some() && !self.asked.head_only {
            let what =
                "bytes behind the end of its answer; they are dropped, and the connection is";
            self.complain(About::Surplus, format_args!("{what} closed"), &cx.kit.shared);
        }
    }

    /// The backend closed. That is the end of an answer that only the close ends; else the answer
    /// was cut, or the connection was stale.
    fn backend_ended(&mut self, silent: bool, cx: &mut Context) -> Result<Progress, Trouble> {
        if self.answer.status == 0 || self.answer.body.eof().is_err() {
            return Err(self.backend_broke(silent, "closed before its answer was whole"));
        }
        if self.answer.chunked {
            body::write_last_chunk(&mut self.client.out.bytes, &[]);
        }
        self.answer.reusable = false;
        self.release(cx);
        Ok(Progress::Moved)
    }

    /// What a broken connection means: a reused one without a byte of answer may just be stale.
    fn backend_broke(&self, silent: bool, reason: &str) -> Trouble {
        let reused = self.upstream.as_ref().is_some_and(|upstream| upstream.reused);
        let nothing_came = silent && self.answer.status == 0 && self.answer.interim_bytes == 0;
        if reused && nothing_came {
            return Trouble::Stale;
        }
        Trouble::reset(reason)
    }

    /// The backend has given its whole answer: the lease ends, and the connection is kept if it is
    /// fit to be used again.
    pub(super) fn release(&mut self, cx: &mut Context) {
        let upstream = self.upstream.take();
        let keeps = self.answer.reusable
            && self.request_is_sent()
            && !self.branch.config.timeouts.upstream_keep_alive.is_zero();
        let told_end = upstream.as_ref().is_some_and(|upstream| upstream.told_end);
        let stays = self.asked.keep_alive; // else nobody asks again on whose behalf it was made
        if let Some(lease) = self.lease.take() {
            // Another connection has carried the request: the one before was closed as idle.
            if let Some((to, rested)) = self.tries.stale {
                cx.kit.shared.idle.was_closed(&to, rested, cx.now);
            }
            let upstream = upstream.filter(|_| keeps && !told_end);
            if let Some(upstream) = upstream.filter(|own| own.to.told.is_none() || stays) {
                let limit = self.branch.config.timeouts.upstream_keep_alive;
                let (kit, backend) = (&cx.kit, lease.backend());
                // It may have left the file while this went on, or be in maintenance now.
                let wanted =
                    |to: &_| backend.mode() != Mode::Maint && kit.leads_to(to, &self.branch);
                kit.shared.idle.keep(backend.name(), upstream, cx.now, limit, wanted);
            }
            let latency = self.latency(cx.now);
            let answered = Outcome::Answered { status: self.answer.status, latency };
            // What it says to the end of a client that left is no word about its health.
            self.report(lease, if told_end { Outcome::Abandoned } else { answered }, cx);
        }
    }

    /// Of this try alone: it is not charged for the queue, nor for what failed before it.
    pub(super) fn latency(&self, now: Duration) -> Duration {
        let answered = self.times.first_byte.unwrap_or(now);
        let asked = self.times.asked.filter(|asked| *asked <= answered);
        answered.saturating_sub(asked.unwrap_or(self.times.tried))
    }
}

/// True while nothing of an answer has come: empty lines in front of one do not begin it.
fn is_blank(early: &[u8]) -> bool {
    request::blank(early) == early.len()
}

fn bad_body(malformed: Malformed) -> Trouble {
    Trouble::bad_answer(malformed.0)
}
