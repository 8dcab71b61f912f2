//! The TLS handshake of a client that has just been accepted: a state like any other, which costs
//! no worker while the client is slow or silent.

use super::client::Client;
use super::kit::Context;
use crate::engine::Next;
use crate::event::Event;
use crate::http::Refusal;
use std::io::{self, ErrorKind};

/// What follows a handshake.
pub(crate) enum Shaken {
    /// It is done: the client may ask.
    Head(Box<Client>),
    /// The client speaks plain HTTP, and is told so. These are the bytes that it sent.
    Refuse(Box<Client>, Refusal, Vec<u8>),
    /// It has failed. The client has had its alert, and gets the time to read it.
    Linger(Box<Client>),
}

/// Moves a handshake on.
pub(crate) fn step(mut client: Box<Client>, cx: &mut Context) -> Next<Box<Client>, Shaken> {
    client.stream.refresh();
    match client.stream.handshake() {
        Ok(true) => {
            client.head_deadline = cx.now + cx.kit.site.config.timeouts.request_head;
            Next::Go(Shaken::Head(client))
        }
        Ok(false) => client.await_opening(cx, |client, limit| {
            say(client, &format_args!("TLS: handshake not done after {limit}"), cx);
        }),
        Err(error) => fail(client, &error, cx),
    }
}

/// The alert that says why is on its way: a close at once could destroy it, so the client lingers.
fn fail(mut client: Box<Client>, error: &io::Error, cx: &Context) -> Next<Box<Client>, Shaken> {
    let is_plain = client.stream.is_plain_spoken();
    let received = client.stream.leave_tls();
    if is_plain && client.entrance.passes() {
        // An answer of HTTP would be no word of what is spoken there.
        say(&client, error, cx);
        client.stream.reset_on_close();
        return Next::Done;
    }
    if is_plain {
        return Next::Go(Shaken::Refuse(client, PLAIN, received));
    }
    // Who leaves before it has begun is a port scan, or a balancer's check of the port.
    if !matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) {
        say(&client, error, cx);
    }
    Next::Go(Shaken::Linger(client))
}

const PLAIN: Refusal = Refusal { status: 400, reason: "this port speaks TLS: ask with https" };

fn say(client: &Client, what: &dyn std::fmt::Display, cx: &Context) {
    let client = client.address();
    cx.kit.shared.teller.tell(Event::Unshaken { client, why: what });
}
