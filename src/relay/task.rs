//! A connection as a value: the states of its life, and what a step makes of it.
//!
//! Workers step tasks and the Lot parks them; the files named below hold one state each. A step
//! never waits: it moves bytes until it would have to, then says here what it waits for.

use super::Shared;
use super::client::Client;
use super::exchange::Exchange;
use super::handshake;
use super::head;
use super::linger::Linger;
use super::slots::{Key, Owner};
use super::tunnel::Tunnel;
use super::worker::Context;
use crate::log::Cause;
use std::io;
use std::time::Duration;

/// A client's connection, in one of the states of its life.
pub(crate) enum Task {
    /// Waiting for the TLS handshake of a new client (`handshake.rs`).
    Handshake(Box<Client>),
    /// Waiting for a request head (`head.rs`).
    Head(Box<Client>),
    /// One request in flight (`exchange/`).
    Exchange(Box<Exchange>),
    /// Bytes both ways after a 101 (`tunnel.rs`).
    Tunnel(Box<Tunnel>),
    /// The last answer is given; the client may still read it (`linger.rs`).
    Linger(Box<Linger>),
}

/// What a step leaves behind.
pub(crate) enum Next {
    /// A new state that may be able to go on at once.
    Step(Task),
    /// Wait for an event of the task's sockets, or until this time on the server's clock.
    Park(Task, Duration),
    /// The step has moved its share of bytes: let others go first.
    Queue(Task),
    /// The connection is over.
    Done,
}

impl Task {
    /// Moves the task as far as it goes without waiting. `buf` is the worker's, and holds nothing
    /// between steps.
    pub(crate) fn step(self, cx: &mut Context, buf: &mut [u8]) -> Next {
        match self {
            Task::Handshake(client) => handshake::step(client, cx),
            Task::Head(client) => head::step(client, cx, buf),
            Task::Exchange(exchange) => exchange.step(cx, buf),
            Task::Tunnel(tunnel) => tunnel.step(cx, buf),
            Task::Linger(linger) => linger.step(cx, buf),
        }
    }

    /// The server stops before the task is done: an exchange is accounted for, all are dropped.
    pub(crate) fn abandon(self, shared: &Shared) {
        match self {
            Task::Exchange(exchange) => exchange.account(Cause::Stopped, shared, shared.now()),
            Task::Tunnel(tunnel) => tunnel.exchange.account(Cause::Stopped, shared, shared.now()),
            Task::Handshake(_) | Task::Head(_) | Task::Linger(_) => {}
        }
    }

    /// Since when it has only kept a place; none while it is in the middle of something.
    pub(crate) fn idle_since(&self) -> Option<Duration> {
        match self {
            Task::Handshake(client) | Task::Head(client) => client.idle_since(),
            Task::Linger(linger) => linger.idle_since(),
            Task::Exchange(_) | Task::Tunnel(_) => None,
        }
    }

    /// The slot where this task is parked: its client's. Registers the client's socket when this
    /// is the first time that the task must wait.
    pub(crate) fn home(&mut self) -> io::Result<Key> {
        let client = match self {
            Task::Handshake(client) | Task::Head(client) => client,
            Task::Exchange(exchange) => &mut exchange.client,
            Task::Tunnel(tunnel) => &mut tunnel.exchange.client,
            Task::Linger(linger) => &mut linger.client,
        };
        client.stream.key(Owner::Itself)
    }
}
