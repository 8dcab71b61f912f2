//! A connection to a backend, begun without waiting. Between two exchanges it is in `idle.rs`.

use crate::dial;
use crate::engine::{Key, Registry, Stream};
use crate::tls::Connector;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Whom a connection is to, and under which trust it was made: where two connections agree in all
/// of it, one stands for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    /// The number of the backend's record: it stays when the file around it changes.
    pub(crate) backend: u64,
    /// What stands for the trust; 0 in the clear. See [`Connector::trust`].
    pub(crate) trust: u64,
    /// The client for whom it was made, where the backend was told so: all requests on it are then
    /// taken for that one's, so it carries no other's (proxy-protocol.txt, section 2).
    pub(crate) told: Option<Key>,
    pub(crate) address: SocketAddr,
}

/// A connection to a backend, in use by one exchange or passage. It goes from exchange to exchange
/// in the same box, as a client does from state to state: what it is made of is copied once.
pub(crate) struct Upstream {
    pub(crate) stream: Stream,
    pub(crate) to: Destination,
    /// Has taken bytes: the connect is over. What fails from here on may have been heard.
    pub(crate) connected: bool,
    /// Is told that the client is gone: it carries nothing else any more.
    pub(crate) told_end: bool,
    /// That has not left us yet, for want of room.
    pub(crate) owes_end: bool,
    /// Has carried an exchange before: its end may be older than our request.
    pub(crate) reused: bool,
    /// How long it was idle before this exchange.
    pub(crate) rested: Duration,
    /// For how long the backend said that it may be idle, in its last answer.
    pub(crate) said: Option<Duration>,
}

impl Upstream {
    /// Begins to connect. Whether it worked is told by the first write: `EAGAIN` while it is under
    /// way, the error if it failed; on a near network the first write already goes through, which
    /// saves a turn through epoll. TLS, if any, is spoken by the same writes and reads. `ahead` is
    /// what comes before all of it.
    pub(crate) fn connect(
        to: Destination,
        lot: Arc<dyn Registry>,
        tls: Option<&Connector>,
        ahead: Box<[u8]>,
    ) -> io::Result<Box<Self>> {
        let fd = dial::begin(to.address)?;
        let stream = Stream::connecting(fd, lot, tls, ahead)?;
        Ok(Box::new(Self {
            stream,
            to,
            connected: false,
            told_end: false,
            owes_end: false,
            reused: false,
            rested: Duration::ZERO,
            said: None,
        }))
    }
}
