//! What becomes of a client that comes in: the first state of its connection.
//!
//! Called by the keeper of a door (`engine/keeper.rs`), which knows no HTTP, on its own thread. It
//! must be quick and never wait: all who come in at that door stand behind this one.

use super::Shared;
use super::client::Client;
use super::entrance::Entrance;
use super::passage::Passage;
use super::task::ClientTask;
use crate::engine::{Greeter, Place, Stream};
use crate::pool::Snapshot;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

/// At the door of a listener, whatever is spoken there.
pub(super) struct ClientGreeter {
    pub(super) shared: Arc<Shared>,
    /// What becomes of who comes in now.
    pub(super) entrance: Arc<Snapshot<Entrance>>,
}

impl Greeter for ClientGreeter {
    type Task = ClientTask;

    fn welcome(
        &self,
        socket: OwnedFd,
        peer: SocketAddr,
        place: Place,
    ) -> (ClientTask, Option<Duration>) {
        let (site, now) = (self.shared.site.current(), self.shared.now());
        let (timeouts, entrance) = (&site.config.timeouts, self.entrance.current());
        let trusted = site.trusts(peer.ip().to_canonical());
        let (begin, patience): (fn(Box<Client>) -> ClientTask, _) = match entrance.acceptor() {
            _ if entrance.expects_preface() => {
                // A stranger has no time at all: the timer's next look is its end.
                let patience = if trusted { timeouts.handshake } else { Duration::ZERO };
                (ClientTask::Preface, patience)
            }
            // The deadline of a head begins anew once the handshake is done.
            Some(_) => (ClientTask::Handshake, timeouts.handshake),
            None if entrance.reads_hello() => (ClientTask::Hello, timeouts.handshake),
            None => (ClientTask::Head, timeouts.request_head),
        };
        let (deadline, is_secure) = (now + patience, entrance.acceptor().is_some());
        let begins = is_secure || entrance.expects_preface() || entrance.reads_hello();
        let passes_at_once = entrance.passes() && !begins;
        let stream = Stream::accepted(socket, Arc::clone(&self.shared.lot), entrance.acceptor());
        let client = Client::new(stream, peer, trusted, (entrance, place), now, deadline);
        match passes_at_once {
            // The backend may be the one that speaks first.
            true => (ClientTask::Passage(Passage::begin(client, None, &site, now)), None),
            false => (begin(client), Some(deadline)),
        }
    }

    fn say_full(&self, apart: Option<usize>) {
        let entrance = self.entrance.current();
        self.shared.say_full(apart.map(|limit| (entrance.name(), limit)));
    }

    fn say_exhausted(&self, error: &io::Error) {
        self.shared.idle.give_way(self.shared.now());
        self.shared.say_exhausted("accepting a client", error);
    }
}
