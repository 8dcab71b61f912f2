//! The TLS handshake of a client that has just been accepted: a state like any other, which costs
//! no worker while the client is slow or silent.

use super::client::Client;
use super::head;
use super::linger::Linger;
use super::task::{Next, Task};
use super::worker::Context;
use crate::http::Refusal;
use crate::pool::Took;
use std::io::{self, ErrorKind};

/// Moves a handshake on.
pub(crate) fn step(mut client: Box<Client>, cx: &mut Context) -> Next {
    client.stream.refresh();
    match client.stream.handshake() {
        Ok(true) => {
            client.head_deadline = cx.now + cx.shared.config.timeouts.request_head;
            Next::Step(Task::Head(client))
        }
        Ok(false) => wait(client, cx),
        Err(error) => fail(client, &error, cx),
    }
}

fn wait(mut client: Box<Client>, cx: &Context) -> Next {
    if cx.shared.is_draining() {
        client.head_deadline = client.head_deadline.min(cx.now + head::LAST_CALL);
    }
    if cx.shared.crowd.wants_place_of(&client) {
        return Next::Done;
    }
    let deadline = client.head_deadline;
    if cx.now < deadline {
        return Next::Park(Task::Handshake(client), deadline);
    }
    let limit = Took(cx.shared.config.timeouts.handshake);
    say(&client, &format_args!("TLS: handshake not done after {limit}"), cx);
    Next::Done
}

/// A client that speaks plain HTTP is told so. Another one has had its alert, and the time to read
/// it.
fn fail(mut client: Box<Client>, error: &io::Error, cx: &mut Context) -> Next {
    let is_plain = client.stream.is_plain_spoken();
    let received = client.stream.leave_tls();
    if is_plain {
        return head::refuse(client, &PLAIN, &received, cx);
    }
    // Who leaves before it has begun is a port scan, or a balancer's check of the port.
    if !matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) {
        say(&client, error, cx);
    }
    Linger::begin(client, cx)
}

const PLAIN: Refusal = Refusal { status: 400, reason: "this port speaks TLS: ask with https" };

fn say(client: &Client, what: &dyn std::fmt::Display, cx: &Context) {
    cx.shared.say_unshaken(format_args!("client {}: {what}", client.address()));
}
