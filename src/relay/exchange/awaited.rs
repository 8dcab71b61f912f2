//! Who is awaited while nothing moves, for how long, and what it means if they do not come.
//!
//! Both directions of an exchange are open at once, so several may be late together. The table in
//! [`between`] settles who is: first of all the client, as a backend cannot go on without it, and
//! must not be blamed for a body or a reader that never comes.

use super::trouble::Trouble;
use super::{Exchange, Times};
use crate::config::Config;
use crate::http::Refusal;
use crate::log::Cause;
use crate::pool::Fault;
use crate::text::Took;
use std::time::Duration;

/// What an exchange can wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    /// A place at a backend.
    Place,
    /// The client takes its answer.
    Reader,
    /// The connect succeeds.
    Connection,
    /// The backend proves who it is.
    Handshake,
    /// The backend begins to answer.
    Answer,
    /// The backend goes on with its answer.
    MoreAnswer,
    /// The client goes on with its body.
    Body,
    /// The backend takes more of the body.
    Taker,
}

/// How the request stands on its way up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Up {
    /// All that will go up has.
    Over,
    /// All that came has gone up: the client is to send more.
    Sent,
    /// The backend has not taken all that came.
    Held,
}

/// How the answer stands on its way down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Down {
    /// No final head has come.
    Unbegun,
    /// All that came has gone down: the backend is to send more.
    Begun,
    /// It has come to its end.
    Whole,
    /// The client has not taken all that came.
    Held,
}

/// Who is awaited while neither direction moves.
fn between(up: Up, down: Down) -> Awaited {
    match (up, down) {
        (_, Down::Held) => Awaited::Reader,
        (Up::Sent, _) => Awaited::Body,
        (Up::Held, Down::Unbegun | Down::Whole) => Awaited::Taker,
        (Up::Over, Down::Unbegun) => Awaited::Answer,
        (_, Down::Begun) | (Up::Over, Down::Whole) => Awaited::MoreAnswer,
    }
}

impl Awaited {
    /// How long each may last.
    fn limit(self, config: &Config) -> Duration {
        self.key(config).0
    }

    /// The same, with the key that says so.
    fn key(self, config: &Config) -> (Duration, &'static str) {
        let limits = &config.timeouts;
        match self {
            Self::Place => (config.queue.timeout, "[queue] timeout"),
            Self::Reader => (limits.client_write, "[timeouts] client_write"),
            Self::Connection => (limits.connect, "[timeouts] connect"),
            Self::Handshake => (limits.handshake, "[timeouts] handshake"),
            Self::Answer | Self::Taker => (limits.response, "[timeouts] response"),
            Self::MoreAnswer => (limits.stream_idle, "[timeouts] stream_idle"),
            Self::Body => (limits.client_body, "[timeouts] client_body"),
        }
    }

    /// What it means that it did not come within `limit`.
    pub(super) fn late(self, limit: Duration, config: &Config) -> Trouble {
        let what = match self {
            Self::Place => return Trouble::QueueLate,
            Self::Reader => return Trouble::Client(self.cause()),
            Self::Body => return Trouble::Refused(LATE_BODY, self.cause()),
            Self::Connection => "connect timed out",
            Self::Handshake => "TLS handshake not done",
            Self::Answer => "no answer",
            Self::MoreAnswer => "silent, or too slow, in its answer",
            Self::Taker => "took the body no more, or too slowly",
        };
        let (_, key) = self.key(config);
        let reason = format!("{what} after {} ({key})", Took(limit));
        let fault = self.fault().unwrap_or(Fault::Timeout);
        Trouble::Backend { fault, cause: self.cause(), status: 504, reason }
    }

    /// What the access log says if it did not come.
    pub(super) fn cause(self) -> Cause {
        match self {
            Self::Place => Cause::QueueTimeout,
            Self::Reader | Self::Body => Cause::ClientTimeout,
            Self::Connection | Self::Handshake => Cause::ConnectTimeout,
            Self::Answer | Self::MoreAnswer | Self::Taker => Cause::BackendTimeout,
        }
    }

    /// How the backend failed if it did not come; none where it is not the backend's to come.
    pub(super) fn fault(self) -> Option<Fault> {
        match self {
            Self::Place | Self::Reader | Self::Body => None,
            Self::Connection | Self::Handshake => Some(Fault::Connect),
            Self::Answer | Self::MoreAnswer | Self::Taker => Some(Fault::Timeout),
        }
    }
}

const LATE_BODY: Refusal = Refusal {
    status: 408,
    reason: "the request body came no more, or too slowly ([timeouts] client_body)",
};

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
        let awaited = self.awaited();
        // Whoever is awaited anew has the whole time, whatever the others took of theirs.
        if self.times.awaited.replace(awaited) != Some(awaited) {
            self.times.moved = now;
        }
        let since = match awaited {
            Awaited::Connection | Awaited::Handshake => self.times.connecting,
            // A head that comes in pieces gains nothing by it; an interim one starts anew.
            Awaited::Answer => self.times.asked.unwrap_or_default().max(self.times.interim),
            _ => self.times.moved,
        };
        since + self.limit(awaited)
    }

    /// How long it may last. The time for a connect is one for all addresses of the backend: each
    /// gets an even share of what is left, so that the last is asked in time, too.
    pub(super) fn limit(&self, awaited: Awaited) -> Duration {
        let limit = awaited.limit(&self.site.config);
        match awaited {
            Awaited::Connection | Awaited::Handshake => {
                let Times { tried, connecting, addresses_left, .. } = self.times;
                limit.saturating_sub(connecting.saturating_sub(tried)) / addresses_left
            }
            _ => limit,
        }
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
        let floor = if arises { 0 } else { self.site.config.timeouts.slowest };
        if own > 0 {
            let caught_up = self.times.moved + worth(own as u64, floor);
            self.times.moved = if floor == 0 { now } else { now.min(caught_up) };
        }
    }

    /// True when it is for the client to go on: all that came of its body has gone up.
    pub(super) fn waits_for_client(&self) -> bool {
        !self.request_is_over() && self.sent.is_flushed()
    }
}

/// How long so many bytes may take.
fn worth(bytes: u64, a_second: u64) -> Duration {
    Duration::from_micros(bytes.saturating_mul(1_000_000) / a_second.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_is_awaited_before_the_backend_and_every_pair_has_its_answer() {
        let table = [
            (Up::Over, Down::Unbegun, Awaited::Answer),
            (Up::Over, Down::Begun, Awaited::MoreAnswer),
            (Up::Over, Down::Held, Awaited::Reader),
            (Up::Sent, Down::Unbegun, Awaited::Body),
            (Up::Sent, Down::Begun, Awaited::Body),
            (Up::Sent, Down::Whole, Awaited::Body),
            (Up::Sent, Down::Held, Awaited::Reader),
            (Up::Held, Down::Unbegun, Awaited::Taker),
            (Up::Held, Down::Begun, Awaited::MoreAnswer),
            (Up::Held, Down::Whole, Awaited::Taker),
            (Up::Held, Down::Held, Awaited::Reader),
        ];
        for (up, down, awaited) in table {
            assert_eq!(between(up, down), awaited, "{up:?} {down:?}");
        }
    }

    #[test]
    fn bytes_are_worth_the_time_that_they_may_take() {
        assert_eq!(worth(16, 16), Duration::from_secs(1));
        assert_eq!(worth(1, 1000), Duration::from_millis(1));
        assert!(worth(u64::MAX, 1) > Duration::from_secs(1 << 20));
    }
}
