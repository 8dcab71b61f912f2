//! Waiting for the ClientHello of a client whose TLS is passed on as it is: whom it asks for, and
//! no more, is read before it is given a backend.
//!
//! The bytes are looked at in the kernel's buffer and stay there, so that the backend gets all of
//! them, and no state after this one knows that they were read. What is no TLS is closed: there is
//! nothing that could be said to it.

use super::client::Client;
use super::kit::Context;
use crate::engine::{Next, Read};
use crate::event::Event;
use crate::hello::{BYTES_MAX, Hello, read};
use std::fmt::Display;

/// What follows: a client that may go on, and whom it asks for.
pub(crate) struct Named {
    pub(crate) client: Box<Client>,
    pub(crate) name: Option<Box<str>>,
}

/// A client that has said who it is, and has the time of a handshake from now on.
pub(crate) fn begin(mut client: Box<Client>, cx: &Context) -> Box<Client> {
    client.head_deadline = cx.now + cx.kit.site.config.timeouts.handshake;
    client
}

/// Moves a connection on that waits for its hello.
pub(crate) fn step(
    mut client: Box<Client>,
    cx: &Context,
    buf: &mut [u8],
) -> Next<Box<Client>, Named> {
    client.stream.refresh();
    loop {
        let peeked = match client.stream.peek_ahead(&mut buf[..BYTES_MAX]) {
            Ok(Read::Bytes(0)) => continue, // a signal came in between
            Ok(Read::Bytes(n)) => n,
            Ok(Read::WouldBlock) => return wait(client, cx),
            // Who says nothing at all is a balancer that checks the port.
            Ok(Read::End) | Err(_) => return Next::Done,
        };
        return match read(&buf[..peeked]) {
            Hello::Whole(name) => {
                let name = name.map(String::into_boxed_str);
                Next::Go(Named { client, name })
            }
            Hello::Partial if client.stream.await_more() => wait(client, cx),
            Hello::Partial => close(&client, &"it ends in the middle of its ClientHello", cx),
            Hello::Malformed(why) => close(&client, &why, cx),
        };
    }
}

fn wait(client: Box<Client>, cx: &Context) -> Next<Box<Client>, Named> {
    client.await_opening(cx, |client, limit| {
        if !client.stream.is_silent() {
            close(client, &format_args!("its ClientHello did not come in {limit}"), cx);
        }
    })
}

fn close(client: &Client, why: &dyn Display, cx: &Context) -> Next<Box<Client>, Named> {
    client.stream.reset_on_close();
    cx.kit.shared.teller.tell(Event::Unshaken { client: client.address(), why });
    Next::Done
}
