//! After the last answer: shut down writing, and discard what the client still sends.
//!
//! Closing a socket with unread bytes resets the connection, and a reset destroys what the client
//! has not read yet: the 413 that it sends its body past, the end of an answer that an old browser
//! follows with an empty line (RFC 9112 9.6). So bytes are read and dropped for as long as they
//! come: a deadline between two reads, another one in all.

use super::client::{Client, LAST_CALL};
use super::kit::Context;
use crate::engine::{Next, Read, Resting};
use std::convert::Infallible;
use std::time::Duration;

/// How much is discarded at a time.
const DISCARD_BYTES: usize = 64 * 1024;

/// A connection that has been answered and waits to be closed by its client.
pub(crate) struct Linger {
    pub(crate) client: Box<Client>,
    /// The last answer ends before its time.
    cut: bool,
    /// The answer is written and the writing side shut down.
    finished: bool,
    /// The client has sent its end: no unread byte can bring about a reset any more.
    silent: bool,
    /// When it began; then when the answer was written.
    answered: Duration,
    /// The same, and then when bytes last came.
    heard: Duration,
    /// Never beyond this.
    end: Duration,
}

impl Linger {
    /// Closes `client` once its outbox is written and it has had the time to read it. `cut`: its
    /// last answer ends before its time.
    pub(crate) fn begin(mut client: Box<Client>, cut: bool, cx: &Context) -> Box<Self> {
        client.held = Vec::new();
        let end = cx.now + cx.kit.site.config.timeouts.client_write;
        Box::new(Self {
            client,
            cut,
            finished: false,
            silent: false,
            answered: cx.now,
            heard: cx.now,
            end,
        })
    }

    /// Writes the rest of the answer, then discards until the client closes or patience ends.
    pub(crate) fn step(
        mut self: Box<Self>,
        cx: &mut Context,
        buf: &mut [u8],
    ) -> Next<Box<Self>, Infallible> {
        let client = &mut self.client;
        client.stream.refresh();
        match client.out.drain_to(&mut client.stream) {
            Ok(0) => {}
            Ok(n) => self.reader_moved(n as u64, cx),
            Err(_) => return Next::Done,
        }
        let client = &self.client;
        if !self.finished && client.out.is_flushed() {
            self.finish(cx);
        }
        while !self.silent {
            match self.client.stream.read(&mut buf[..DISCARD_BYTES]) {
                Ok(Read::Bytes(n)) => {
                    cx.spend(n);
                    self.heard = cx.now;
                }
                Ok(Read::WouldBlock) => break,
                Ok(Read::End) => self.silent = true,
                Err(_) => return Next::Done,
            }
            if cx.is_spent() {
                return Next::Queue(self);
            }
        }
        let deadline = self.deadline(cx);
        let unwanted = self.finished && self.client.is_in_the_way();
        let done = self.finished && self.silent || unwanted;
        if done || cx.now >= deadline { Next::Done } else { Next::Park(self, deadline) }
    }

    /// Since when it has only kept a place: others may need it more.
    pub(crate) fn resting(&self) -> Option<Resting> {
        self.client.resting().filter(|_| self.finished)
    }

    /// The client takes its answer: each byte gives it as long as it may take, as in an exchange.
    fn reader_moved(&mut self, bytes: u64, cx: &Context) {
        let timeouts = &cx.kit.site.config.timeouts;
        let end = self.end.saturating_add(timeouts.worth(bytes));
        self.end = end.min(cx.now + timeouts.client_write);
    }

    /// Says that the answer is over, once the client takes that.
    fn finish(&mut self, cx: &Context) {
        let stream = &mut self.client.stream;
        self.finished = if self.cut {
            stream.cut_writes();
            true
        } else {
            stream.finish_writes()
        };
        if !self.finished {
            return;
        }
        self.client.await_close(cx.now);
        (self.answered, self.heard) = (cx.now, cx.now);
        self.end = cx.now + cx.kit.site.config.timeouts.linger_total;
    }

    /// A client that does not take its answer has the time of any reader, one that only goes on
    /// sending as much as the configuration grants, and little when all are to leave.
    fn deadline(&self, cx: &Context) -> Duration {
        if !self.finished {
            return self.end;
        }
        let patience = self.heard + cx.kit.site.config.timeouts.linger;
        let last_call = self.answered + LAST_CALL;
        let patience = if cx.kit.shared.is_draining() { patience.min(last_call) } else { patience };
        self.end.min(patience)
    }
}
