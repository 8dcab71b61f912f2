//! How long an exchange waits for what it waits for: until when, and what bytes buy of time.
//!
//! If any byte began the wait anew, whoever sends one a minute would live for ever. So a byte buys
//! as much time as it may take by `[timeouts] slowest`, and only the bytes of whoever is awaited
//! count.

use super::Exchange;
use super::awaited::{Awaited, Down, Up, between};
use std::time::Duration;

impl Exchange {
    /// What is waited for now.
    pub(super) fn awaited(&self) -> Awaited {
        if self.ticket.is_some() {
            return Awaited::Place;
        }
        let connecting = self.upstream.as_ref().filter(|upstream| !upstream.connected);
        match connecting.filter(|_| self.client.out.is_flushed()) {
            Some(upstream) if upstream.stream.awaits_handshake() => Awaited::Handshake,
            Some(_) => Awaited::Connection,
            None => between(self.up(), self.down()),
        }
    }

    fn up(&self) -> Up {
        if self.request_is_over() {
            Up::Over
        } else if self.upstream.is_none() || self.waits_for_client() {
            Up::Sent
        } else {
            Up::Held
        }
    }

    fn down(&self) -> Down {
        if !self.client.out.is_flushed() {
            Down::Held
        } else if self.answer.is_whole() {
            Down::Whole
        } else if self.answer.status != 0 {
            Down::Begun
        } else {
            Down::Unbegun
        }
    }

    /// Until when it is waited for, on the server's clock.
    pub(super) fn deadline(&mut self, now: Duration) -> Duration {
        if let Some(asked) = &self.proving {
            return asked.until;
        }
        let awaited = self.awaited();
        // Whoever is awaited anew has the whole time, whatever the others took of theirs.
        if self.times.awaited.replace(awaited) != Some(awaited) {
            self.times.moved = now;
        }
        let since = match awaited {
            Awaited::Connection | Awaited::Handshake => self.times.tried,
            Awaited::Place if self.is_held => {
                return self.branch.queue.held_until(self.times.moved, self.limit(awaited));
            }
            // A head that comes in pieces gains nothing by it; an interim one starts anew.
            Awaited::Answer => self.times.asked.unwrap_or_default().max(self.times.interim),
            _ => self.times.moved,
        };
        since + self.limit(awaited)
    }

    /// How long it may last.
    pub(super) fn limit(&self, awaited: Awaited) -> Duration {
        awaited.limit(&self.branch.config)
    }

    /// Bytes moved. Whoever is awaited has shown itself if they are its own: an answer that flows
    /// does not excuse a client that stopped its body. Each byte is worth what it may take, so that
    /// a body at one byte a second, which would never be silent, falls behind until it is late.
    pub(super) fn moved(&mut self, now: Duration) {
        let bytes = std::mem::take(&mut self.times.bytes);
        let own = match self.times.awaited {
            Some(Awaited::Body) => bytes.from_client,
            Some(Awaited::Taker) => bytes.to_backend,
            Some(Awaited::Reader) => bytes.to_client,
            Some(Awaited::MoreAnswer) => bytes.from_backend + bytes.to_backend,
            _ => return self.times.moved = now,
        };
        let arises = self.times.awaited == Some(Awaited::MoreAnswer) && self.answer.arises;
        if own > 0 {
            let timeouts = &self.branch.config.timeouts;
            let worth = if arises { Duration::MAX } else { timeouts.worth(own as u64) };
            self.times.moved = now.min(self.times.moved.saturating_add(worth));
        }
    }

    /// True when it is for the client to go on: all that came of its body has gone up.
    pub(super) fn waits_for_client(&self) -> bool {
        !self.request_is_over() && self.sent.is_flushed()
    }
}
