//! Who is awaited while nothing moves, for how long, and what it means if they do not come.
//!
//! Both directions of an exchange are open at once, so several may be late together. The table in
//! [`between`] settles who is: first of all the client, as a backend cannot go on without it, and
//! must not be blamed for a body or a reader that never comes.

use crate::config::Config;
use crate::log::Cause;
use crate::pool::Fault;
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
pub(super) enum Up {
    /// All that will go up has.
    Over,
    /// All that came has gone up: the client is to send more.
    Sent,
    /// The backend has not taken all that came.
    Held,
}

/// How the answer stands on its way down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Down {
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
pub(super) fn between(up: Up, down: Down) -> Awaited {
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
    pub(super) fn limit(self, config: &Config) -> Duration {
        self.key(config).0
    }

    /// The same, with the key that says so.
    pub(super) fn key(self, config: &Config) -> (Duration, &'static str) {
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
}
