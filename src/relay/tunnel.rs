//! Bytes both ways, unparsed, until both sides have closed: what a request becomes by a 101 (RFC
//! 9110 7.8), and what a passage is once its backend has taken the connection.
//!
//! One side may stop sending and still listen: its end is passed on as a shutdown once all before
//! it is written, and the other direction goes on. A side that resets, or is silent for too long,
//! ends both, and by a reset: by a mere close, the other could take what came so far for all there
//! is. The lease is held for as long as the tunnel lives, for the backend is as busy with it as
//! with a request.

mod ending;
mod way;

pub(crate) use ending::{Ending, TAKEN_OUT};

use super::Shared;
use super::client::Client;
use super::kit::Context;
use super::upstream::Upstream;
use crate::config::Timeouts;
use crate::engine::{Next, Outbox, Owner};
use crate::log::Cause;
use std::convert::Infallible;
use std::time::Duration;
use way::{Broken, Way};

/// What a tunnel grew out of, and what is told of it at its end.
pub(crate) trait Carried {
    fn client(&mut self) -> &mut Client;

    fn timeouts(&self) -> &Timeouts;

    /// True once its backend has been in maintenance for so long that this is to end.
    fn is_cut(&self) -> bool;

    /// So much has been carried so far, and it may rest for hours.
    fn so_far(&mut self, _: Load) {}

    /// Gives the backend's place back: the tunnel is closed.
    fn release(&mut self, cx: &mut Context);

    /// Counts it, and writes its line.
    fn close(&mut self, load: Load, ending: &Ending, shared: &Shared, now: Duration);
}

/// Bytes that a tunnel has carried.
#[derive(Clone, Copy, Default)]
pub(crate) struct Load {
    pub(crate) up: u64,
    pub(crate) down: u64,
}

/// A connection of which nobody here reads a byte any more.
pub(crate) struct Tunnel<C> {
    /// The client, the lease, and the log's entry at the end.
    pub(crate) carried: Box<C>,
    upstream: Box<Upstream>,
    to_backend: Way,
    to_client: Way,
    /// The way down goes first: whoever does may move all that a step moves.
    is_downs_turn: bool,
    /// When bytes last moved.
    moved: Duration,
}

/// Why it cannot go on.
enum Off {
    Broken(Cause),
    /// The client closed and left out the end of its TLS. So many do that the backend is to see no
    /// more in it than a close.
    Left,
}

impl<C: Carried> Tunnel<C> {
    /// What stands in the client's outbox goes down first, then `surplus`, which the backend has
    /// sent already; what the client has sent goes up.
    pub(crate) fn begin(
        mut carried: Box<C>,
        upstream: Box<Upstream>,
        surplus: &[u8],
        now: Duration,
    ) -> Box<Self> {
        let client = carried.client();
        client.out.bytes.extend_from_slice(surplus);
        let to_backend = Way::of(Outbox::of(std::mem::take(&mut client.held)));
        let to_client = Way::of(std::mem::take(&mut client.out));
        Box::new(Self {
            carried,
            upstream,
            to_backend,
            to_client,
            is_downs_turn: false,
            moved: now,
        })
    }

    /// Moves bytes both ways until neither moves.
    pub(crate) fn step(
        mut self: Box<Self>,
        cx: &mut Context,
        buf: &mut [u8],
    ) -> Next<Box<Self>, Infallible> {
        self.carried.client().stream.refresh();
        self.upstream.stream.refresh();
        if self.carried.is_cut() {
            return self.cut(Cause::TakenOut, cx);
        }
        loop {
            let moved = match self.carry(cx, buf) {
                Ok(moved) => moved,
                Err(Off::Left) => return self.end(&Ending::CUT, cx),
                Err(Off::Broken(cause)) => return self.cut(cause, cx),
            };
            match self.to_backend.ended && self.to_client.ended {
                true if self.to_backend.broken => return self.cut(Cause::BackendReset, cx),
                true => return self.end(&Cause::Done.into(), cx),
                false => {}
            }
            if moved {
                self.moved = cx.now;
            }
            if cx.is_spent() {
                self.is_downs_turn = !self.is_downs_turn;
                self.tell_so_far();
                return Next::Queue(self);
            }
            if !moved {
                return self.wait(cx);
            }
        }
    }

    /// Who has broken off behind its own end. No read would tell of that, and no write as long as
    /// there is nothing to write; but where one that may still be written to is closed in both
    /// directions, that was a reset.
    fn left(&mut self) -> Option<Cause> {
        let client = &self.carried.client().stream;
        match (self.to_backend.ended, self.to_client.ended) {
            (true, false) if client.is_broken() => Some(Cause::ClientGone),
            (false, true) if self.upstream.stream.is_broken() => Some(Cause::BackendReset),
            _ => None,
        }
    }

    /// Each direction once; true when something moved.
    fn carry(&mut self, cx: &mut Context, buf: &mut [u8]) -> Result<bool, Off> {
        let (up, down);
        if self.is_downs_turn {
            down = self.carry_down(cx, buf);
            up = self.carry_up(cx, buf);
        } else {
            up = self.carry_up(cx, buf);
            down = self.carry_down(cx, buf);
        }
        match (up, down) {
            (Ok(up), Ok(down)) => Ok(up || down),
            // Its last words may be here still: they say why.
            (Err(Broken::Sink), Ok(_)) => {
                self.to_backend.break_off();
                Ok(true)
            }
            (Err(Broken::Cut), _) => Err(Off::Left),
            (Err(Broken::Source), _) | (_, Err(Broken::Sink)) => {
                Err(Off::Broken(Cause::ClientGone))
            }
            (_, Err(Broken::Source | Broken::Cut)) => Err(Off::Broken(Cause::BackendReset)),
        }
    }

    fn carry_up(&mut self, cx: &mut Context, buf: &mut [u8]) -> Result<bool, Broken> {
        self.to_backend.is_last = self.to_client.ended;
        let (client, backend) = (&mut self.carried.client().stream, &mut self.upstream.stream);
        self.to_backend.carry(client, backend, cx, buf)
    }

    fn carry_down(&mut self, cx: &mut Context, buf: &mut [u8]) -> Result<bool, Broken> {
        self.to_client.is_last = self.to_backend.ended;
        let (client, backend) = (&mut self.carried.client().stream, &mut self.upstream.stream);
        self.to_client.carry(backend, client, cx, buf)
    }

    fn wait(mut self: Box<Self>, cx: &mut Context) -> Next<Box<Self>, Infallible> {
        if let Some(cause) = self.left() {
            return self.cut(cause, cx);
        }
        let (up, down, timeouts) = (&self.to_backend, &self.to_client, self.carried.timeouts());
        let deadline = self.moved + ending::limit(up, down, timeouts).0;
        if cx.now >= deadline {
            let ending = Ending::late(up, down, timeouts);
            return self.cut(ending, cx);
        }
        self.tell_so_far();
        // A slow side has had it filled, maybe once in its life.
        self.to_backend.out.release_memory();
        self.to_client.out.release_memory();
        let home = self.carried.client().stream.key(Owner::Itself);
        match home.and_then(|home| self.upstream.stream.key(Owner::Home(home))) {
            Ok(_) => Next::Park(self, deadline),
            Err(_) => self.cut(Cause::Exhausted, cx),
        }
    }

    /// It ends before its time, which both sides are to see.
    fn cut(&mut self, why: impl Into<Ending>, cx: &mut Context) -> Next<Box<Self>, Infallible> {
        self.reset_on_close();
        self.end(&why.into(), cx)
    }

    fn end(&mut self, ending: &Ending, cx: &mut Context) -> Next<Box<Self>, Infallible> {
        self.carried.release(cx);
        self.carried.close(self.load(), ending, &cx.kit.shared, cx.now);
        Next::Done
    }

    /// The server stops before the tunnel has ended.
    pub(crate) fn abandon(&mut self, shared: &Shared) {
        self.reset_on_close();
        self.carried.close(self.load(), &Cause::Stopped.into(), shared, shared.now());
    }

    fn reset_on_close(&mut self) {
        self.carried.client().stream.reset_on_close();
        self.upstream.stream.reset_on_close();
    }

    fn tell_so_far(&mut self) {
        let load = self.load();
        self.carried.so_far(load);
    }

    fn load(&self) -> Load {
        Load { up: self.to_backend.bytes, down: self.to_client.bytes }
    }
}
