//! After a 101: bytes both ways, unparsed, until both sides have closed (RFC 9110 7.8).
//!
//! One side may stop sending and still listen: its end is passed on as a shutdown, no more. The
//! lease is held for as long as the tunnel lives, for the backend is as busy with it as with a
//! request. By its 101 it has answered, whatever is said then: nobody here reads it.

use super::exchange::Exchange;
use super::kit::Context;
use super::upstream::Upstream;
use crate::engine::{Next, Outbox, Owner, Read, Stream};
use crate::log::Cause;
use std::convert::Infallible;
use std::io;

/// How much is read at a time, and so the most that each side's outbox holds.
const READ_MAX: usize = 64 * 1024;

/// A connection that the backend has switched to another protocol.
pub(crate) struct Tunnel {
    /// What it grew out of: the client, the lease, and the log's entry at the end.
    pub(crate) exchange: Box<Exchange>,
    upstream: Box<Upstream>,
    to_backend: Way,
    to_client: Way,
}

/// One direction.
#[derive(Default)]
struct Way {
    out: Outbox,
    /// The source has ended, and the end has been passed on.
    ended: bool,
    bytes: u64,
}

impl Tunnel {
    /// Takes over an exchange whose 101 stands in the client's outbox; `surplus` is what the
    /// backend sent behind it.
    pub(crate) fn begin(mut exchange: Box<Exchange>, surplus: &[u8]) -> Option<Box<Self>> {
        let upstream = exchange.take_upstream()?;
        let client = &mut exchange.client;
        client.out.bytes.extend_from_slice(surplus);
        let to_backend =
            Way { out: Outbox::of(std::mem::take(&mut client.held)), ..Way::default() };
        let to_client = Way { out: std::mem::take(&mut client.out), ..Way::default() };
        Some(Box::new(Self { exchange, upstream, to_backend, to_client }))
    }

    /// Moves bytes both ways until neither moves.
    pub(crate) fn step(
        mut self: Box<Self>,
        cx: &mut Context,
        buf: &mut [u8],
    ) -> Next<Box<Self>, Infallible> {
        self.exchange.client.stream.refresh();
        self.upstream.stream.refresh();
        if self.exchange.is_cut() {
            return self.close(Cause::TakenOut, cx);
        }
        loop {
            let (client, backend) = (&mut self.exchange.client.stream, &mut self.upstream.stream);
            let up = self.to_backend.carry(client, backend, cx, buf);
            let down = self.to_client.carry(backend, client, cx, buf);
            let (Ok(up), Ok(down)) = (up, down) else {
                return self.close(Cause::BackendReset, cx);
            };
            if self.to_backend.ended && self.to_client.ended {
                return self.close(Cause::Done, cx);
            }
            if cx.is_spent() {
                return Next::Queue(self);
            }
            if !up && !down {
                return self.wait(cx);
            }
            self.exchange.touch(cx.now);
        }
    }

    fn wait(mut self: Box<Self>, cx: &mut Context) -> Next<Box<Self>, Infallible> {
        let deadline = self.exchange.last_moved() + self.exchange.tunnel_idle();
        if cx.now >= deadline {
            return self.close(Cause::ClientTimeout, cx);
        }
        let home = self.exchange.client.stream.key(Owner::Itself);
        match home.and_then(|home| self.upstream.stream.key(Owner::Home(home))) {
            Ok(_) => Next::Park(self, deadline),
            Err(_) => self.close(Cause::Exhausted, cx),
        }
    }

    fn close(&mut self, cause: Cause, cx: &mut Context) -> Next<Box<Self>, Infallible> {
        self.exchange.end_tunnel(self.to_backend.bytes, self.to_client.bytes, cause, cx);
        Next::Done
    }
}

impl Way {
    /// Moves bytes from `from` to `to`; true when something moved.
    fn carry(
        &mut self,
        from: &mut Stream,
        to: &mut Stream,
        cx: &mut Context,
        buf: &mut [u8],
    ) -> io::Result<bool> {
        let mut moved = false;
        loop {
            moved |= self.out.drain_to(to)? > 0;
            if self.ended || !self.out.is_flushed() || cx.is_spent() {
                return Ok(moved);
            }
            match from.read(&mut buf[..READ_MAX])? {
                Read::WouldBlock => return Ok(moved),
                Read::End => {
                    to.finish_writes();
                    self.ended = true;
                }
                Read::Bytes(n) => {
                    cx.spend(n);
                    self.bytes += n as u64;
                    self.out.send(to, &buf[..n])?;
                }
            }
            moved = true;
        }
    }
}
