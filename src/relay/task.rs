//! The states of a client's connection, and which of them follows which: the one file that names
//! them all.
//!
//! Each state is a file of its own. Its step says what follows as data (`Shaken`, `Heard`,
//! `Ended`), and here that becomes the next state: so the way of a connection can be read in one
//! place, and no state knows its neighbours.
//!
//! ```text
//! Preface --> Handshake --> Head <--> Exchange --> Tunnel
//!    |            |          |            |
//!    |            +----------+--> Linger <+
//!    |            |
//!    +-> Hello -> Passage --> Passing
//! ```

use super::Shared;
use super::answer::refuse;
use super::client::Client;
use super::exchange::{Ended, Exchange};
use super::handshake::{self, Shaken};
use super::head::{self, Heard};
use super::hello;
use super::kit::{Context, Kit};
use super::linger::Linger;
use super::passage::{Passage, Passed};
use super::preface::{self, Prefaced};
use super::tunnel::Tunnel;
use crate::engine::{Key, Next, Owner, Resting, Task};
use crate::event::Event;
use crate::http::Refusal;
use crate::log::Cause;
use std::io;

/// A client's connection, in one of the states of its life.
pub(crate) enum ClientTask {
    /// Waiting for the word of a balancer in front on whose connection it is (`preface.rs`).
    Preface(Box<Client>),
    /// Waiting for the TLS handshake of a new client (`handshake.rs`).
    Handshake(Box<Client>),
    /// Waiting for a request head (`head.rs`).
    Head(Box<Client>),
    /// One request in flight (`exchange/`).
    Exchange(Box<Exchange>),
    /// Bytes both ways after a 101 (`tunnel.rs`).
    Tunnel(Box<Tunnel<Exchange>>),
    /// A TCP client's TLS is read for the name that it asks for (`hello.rs`).
    Hello(Box<Client>),
    /// A TCP client waits for its connection to a backend (`passage/`).
    Passage(Box<Passage>),
    /// It has one: bytes both ways (`tunnel.rs`).
    Passing(Box<Tunnel<Passage>>),
    /// The last answer is given; the client may still read it (`linger.rs`).
    Linger(Box<Linger>),
}

impl Task for ClientTask {
    type Kit = Kit;

    fn step(self, cx: &mut Context, buf: &mut [u8]) -> Next<Self> {
        cx.kit.begin(cx.now);
        match self {
            Self::Preface(client) => {
                let next = preface::step(client, cx, buf);
                next.map(Self::Preface, |prefaced| after_preface(prefaced, cx))
            }
            Self::Handshake(client) => {
                let next = handshake::step(client, cx);
                next.map(Self::Handshake, |shaken| after_handshake(shaken, cx))
            }
            Self::Head(client) => {
                let next = head::step(client, cx, buf);
                next.map(Self::Head, |heard| after_head(heard, cx))
            }
            Self::Exchange(exchange) => {
                let next = exchange.step(cx, buf);
                next.map(Self::Exchange, |ended| after_exchange(ended, cx, buf))
            }
            Self::Tunnel(tunnel) => tunnel.step(cx, buf).map(Self::Tunnel, |never| match never {}),
            Self::Hello(client) => {
                let next = hello::step(client, cx, buf);
                next.map(Self::Hello, |heard| after_hello(heard, cx))
            }
            Self::Passage(passage) => {
                let next = passage.step(cx);
                next.map(Self::Passage, |passed| after_passage(passed, cx))
            }
            Self::Passing(tunnel) => {
                tunnel.step(cx, buf).map(Self::Passing, |never| match never {})
            }
            Self::Linger(linger) => linger.step(cx, buf).map(Self::Linger, |never| match never {}),
        }
    }

    fn home(&mut self) -> io::Result<Key> {
        let client = match self {
            Self::Preface(client)
            | Self::Handshake(client)
            | Self::Hello(client)
            | Self::Head(client) => client,
            Self::Passage(passage) => &mut passage.client,
            Self::Passing(tunnel) => &mut tunnel.carried.client,
            Self::Exchange(exchange) => &mut exchange.client,
            Self::Tunnel(tunnel) => &mut tunnel.carried.client,
            Self::Linger(linger) => &mut linger.client,
        };
        client.stream.key(Owner::Itself)
    }

    fn resting(&self) -> Option<Resting> {
        match self {
            Self::Preface(client)
            | Self::Handshake(client)
            | Self::Hello(client)
            | Self::Head(client) => client.resting(),
            Self::Linger(linger) => linger.resting(),
            Self::Exchange(_) | Self::Tunnel(_) | Self::Passage(_) | Self::Passing(_) => None,
        }
    }

    fn lose(self, error: &io::Error, cx: &mut Context) {
        cx.kit.shared.say_exhausted("watching a connection", error);
    }

    fn stirred(list: u32, key: Key, cx: &mut Context) {
        cx.kit.shared.idle.discard(list, key, cx.now);
    }

    fn panicked(cx: &mut Context) {
        cx.kit.shared.teller.tell(Event::Panicked);
    }
}

fn after_preface(Prefaced(client): Prefaced, cx: &Context) -> Next<ClientTask> {
    Next::Go(match client.is_secure() {
        true => ClientTask::Handshake(client),
        false if client.entrance.reads_hello() => ClientTask::Hello(hello::begin(client, cx)),
        false => begin(client, cx),
    })
}

/// A client whose bytes are in the clear.
fn begin(client: Box<Client>, cx: &Context) -> ClientTask {
    match client.entrance.passes() {
        true => ClientTask::Passage(Passage::begin(client, None, &cx.kit.site, cx.now)),
        false => ClientTask::Head(client),
    }
}

fn after_hello(hello::Named { client, name }: hello::Named, cx: &Context) -> Next<ClientTask> {
    Next::Go(ClientTask::Passage(Passage::begin(client, name, &cx.kit.site, cx.now)))
}

fn after_passage(Passed(passage, upstream): Passed, cx: &Context) -> Next<ClientTask> {
    Next::Go(ClientTask::Passing(Tunnel::begin(passage, upstream, &[], cx.now)))
}

fn after_handshake(shaken: Shaken, cx: &mut Context) -> Next<ClientTask> {
    match shaken {
        Shaken::Head(client) => Next::Go(begin(client, cx)),
        Shaken::Refuse(client, refusal, received) => turn_away(client, &refusal, &received, cx),
        Shaken::Linger(client) => linger(client, false, cx),
    }
}

fn after_head(heard: Heard, cx: &mut Context) -> Next<ClientTask> {
    match heard {
        Heard::Exchange(exchange) => Next::Go(ClientTask::Exchange(exchange)),
        Heard::Refuse(client, refusal, head) => turn_away(client, &refusal, &head, cx),
    }
}

fn after_exchange(ended: Ended, cx: &Context, buf: &[u8]) -> Next<ClientTask> {
    match ended {
        Ended::Head(client) => Next::Go(ClientTask::Head(client)),
        Ended::Linger(client, cut) => linger(client, cut, cx),
        Ended::Tunnel(exchange, upstream, surplus) => {
            let tunnel = Tunnel::begin(exchange, upstream, &buf[surplus], cx.now);
            Next::Go(ClientTask::Tunnel(tunnel))
        }
    }
}

/// Answers what is no request, and ends the connection.
fn turn_away(
    mut client: Box<Client>,
    refusal: &Refusal,
    head: &[u8],
    cx: &mut Context,
) -> Next<ClientTask> {
    refuse(&mut client, refusal, head, cx);
    linger(client, false, cx)
}

fn linger(client: Box<Client>, cut: bool, cx: &Context) -> Next<ClientTask> {
    Next::Go(ClientTask::Linger(Linger::begin(client, cut, cx)))
}

impl ClientTask {
    /// The server stops before the task is done. A request that was under way still gets its line
    /// in the log, and its backend its counts; then all are dropped, and their sockets close.
    pub(crate) fn abandon(self, shared: &Shared) {
        match self {
            Self::Exchange(mut exchange) => exchange.account(Cause::Stopped, shared, shared.now()),
            Self::Tunnel(mut tunnel) => tunnel.abandon(shared),
            Self::Passage(mut passage) => passage.abandon(shared),
            Self::Passing(mut tunnel) => tunnel.abandon(shared),
            Self::Preface(_)
            | Self::Handshake(_)
            | Self::Hello(_)
            | Self::Head(_)
            | Self::Linger(_) => {}
        }
    }
}
