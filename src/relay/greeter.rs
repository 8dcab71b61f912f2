//! What becomes of a client that comes in: the first state of its connection.

use super::Shared;
use super::client::Client;
use super::task::Task;
use crate::engine::{self, Place, Registry, Stream};
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

/// At the door of a listener that speaks HTTP, in the clear or through TLS.
pub(super) struct Greeter(pub(super) Arc<Shared>);

impl engine::Greeter for Greeter {
    type Task = Task;

    fn welcome(&self, socket: OwnedFd, peer: SocketAddr, place: Place) -> (Task, Duration) {
        let shared = &self.0;
        let (config, now) = (&shared.config, shared.now());
        let tls = shared.tls.acceptor.as_ref();
        let (begin, patience): (fn(Box<Client>) -> Task, _) = match tls {
            Some(_) => (Task::Handshake, config.timeouts.handshake),
            None => (Task::Head, config.timeouts.request_head),
        };
        let (ip, deadline) = (peer.ip().to_canonical(), now + patience);
        let trusted = config.server.trusted_proxies.iter().any(|network| network.contains(ip));
        let lot = Arc::clone(&shared.lot) as Arc<dyn Registry>;
        let stream = Stream::accepted(socket, lot, tls);
        (begin(Client::new(stream, peer, trusted, place, now, deadline)), deadline)
    }

    fn say_full(&self) {
        self.0.say_full();
    }

    fn say_exhausted(&self, error: &io::Error) {
        self.0.idle.give_way(self.0.now());
        self.0.say_exhausted("accepting a client", error);
    }
}
