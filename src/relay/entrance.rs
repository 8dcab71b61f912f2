//! What becomes of clients at a listener.
//!
//! A client keeps the entrance by which it came until its connection ends; who comes in after
//! another configuration has taken its place comes in by that one's.

use super::challenges::Challenges;
use crate::config::{self, Config, Mode};
use crate::tls::{Acceptor, Tls};
use std::net::SocketAddr;
use std::sync::Arc;

/// What becomes of those who come in at one listener.
pub(crate) struct Entrance {
    listener: config::Listener,
    /// What is proved to clients; none if they speak no TLS.
    acceptor: Option<Acceptor>,
    expects_preface: bool,
    challenges: Option<Challenges>,
}

/// A listener, as others are shown it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    /// Its name.
    pub name: String,
    /// Where it is; the kernel's choice where port 0 was asked for.
    pub address: SocketAddr,
    /// What becomes of a request there.
    pub mode: Mode,
    /// Whether clients are spoken to through TLS.
    pub is_secure: bool,
    /// Whether each connection begins with the PROXY protocol.
    pub expects_preface: bool,
    /// Clients that came in there and are here still.
    pub clients: usize,
    /// How many there may be; none is as many as there may be in all.
    pub clients_max: Option<u32>,
}

impl Entrance {
    pub(super) fn new(listener: config::Listener, config: &Config, tls: &Tls) -> Arc<Self> {
        let acceptor = tls.acceptor.clone().filter(|_| config.is_secure(&listener));
        let challenges = listener.acme_webroot.as_deref().map(Challenges::of);
        let expects_preface = config.expects_preface(&listener);
        Arc::new(Self { listener, acceptor, expects_preface, challenges })
    }

    /// True where clients are served that are to come in at `listen`.
    pub(super) fn is_for(&self, listen: SocketAddr) -> bool {
        self.listener.listen == listen
    }

    /// As it is shown, with so many `clients`; `address` is the kernel's choice where port 0 was
    /// asked for.
    pub(super) fn listening(&self, address: SocketAddr, clients: usize) -> Listening {
        Listening {
            name: self.name().to_owned(),
            address,
            mode: self.listener.mode,
            is_secure: self.acceptor.is_some(),
            expects_preface: self.expects_preface,
            clients,
            clients_max: self.listener.max_connections,
        }
    }

    /// What it is called.
    pub(super) fn name(&self) -> &str {
        &self.listener.name
    }

    /// How many clients that came in there may be here at once.
    pub(super) fn limit(&self) -> usize {
        self.listener.max_connections.map_or(usize::MAX, |most| most as usize)
    }

    /// What is proved to clients; none if they speak no TLS.
    pub(super) fn acceptor(&self) -> Option<&Acceptor> {
        self.acceptor.as_ref()
    }

    /// Whether each connection begins with a preface.
    pub(super) fn expects_preface(&self) -> bool {
        self.expects_preface
    }

    /// Whether connections are passed on as they are.
    pub(super) fn passes(&self) -> bool {
        self.listener.mode == Mode::Tcp
    }

    /// Whether each connection begins with TLS that is read for the name it asks for.
    pub(super) fn reads_hello(&self) -> bool {
        self.passes() && self.listener.sni
    }

    /// The pool for all who come in there, if there is one.
    pub(super) fn pool(&self) -> Option<&str> {
        self.listener.pool.as_deref()
    }

    /// The port at which https is spoken, if clients are sent there.
    pub(super) fn sends_to(&self) -> Option<u16> {
        (self.listener.mode == Mode::ToHttps).then_some(self.listener.https_port)
    }

    /// What proves that names are ours; none where no request asks for it.
    pub(super) fn challenges(&self) -> Option<&Challenges> {
        self.challenges.as_ref()
    }
}
