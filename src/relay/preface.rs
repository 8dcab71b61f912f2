//! Waiting for the PROXY protocol: what a balancer in front says, ahead of TLS and of HTTP, about
//! whose connection this is. The first state of a connection where the listener requires it.
//!
//! Exactly the preface is read, not a byte more: it is looked at in the kernel's buffer until it is
//! whole, and taken then. So no state after this one knows that there was anything before it. It is
//! never guessed whether there is one: what does not begin so is closed, whatever it is.

use super::client::Client;
use super::kit::Context;
use crate::engine::{Next, Read};
use crate::event::Event;
use crate::preface::{BYTES_MAX, Ends, Malformed, Parsed, parse};
use std::fmt::Display;

/// What follows: the client may go on, with TLS or with its request.
pub(crate) struct Prefaced(pub(crate) Box<Client>);

/// Moves a connection on that waits for its preface.
pub(crate) fn step(
    mut client: Box<Client>,
    cx: &Context,
    buf: &mut [u8],
) -> Next<Box<Client>, Prefaced> {
    let peer = client.address();
    if !cx.kit.site.trusts(peer) {
        cx.kit.shared.teller.tell(Event::Stranger { peer });
        return Next::Done;
    }
    client.stream.refresh();
    loop {
        let peeked = match client.stream.peek_ahead(&mut buf[..BYTES_MAX]) {
            Ok(Read::Bytes(0)) => continue, // a signal came in between
            Ok(Read::Bytes(n)) => n,
            Ok(Read::WouldBlock) => return wait(client, cx),
            // Who says nothing at all is a balancer that checks the port.
            Ok(Read::End) | Err(_) => return Next::Done,
        };
        return match parse(&buf[..peeked]) {
            Ok(Parsed::Whole { ends, length }) => go_on(client, ends, &mut buf[..length], cx),
            Ok(Parsed::Partial) if client.stream.await_more() => wait(client, cx),
            Ok(Parsed::Partial) => {
                close(&client, &format_args!("it ends after {peeked} bytes"), cx)
            }
            Err(Malformed(why)) => close(&client, &why, cx),
        };
    }
}

/// Whom it stands for is believed; whether that one may speak for others again, the configuration
/// says.
fn go_on(
    mut client: Box<Client>,
    ends: Option<Ends>,
    preface: &mut [u8],
    cx: &Context,
) -> Next<Box<Client>, Prefaced> {
    if client.stream.take_ahead(preface).is_err() {
        return Next::Done;
    }
    if let Some(ends) = ends {
        client.stand_for(ends);
        client.trusted = cx.kit.site.trusts(client.address());
    }
    if !client.is_secure() {
        client.head_deadline = cx.now + cx.kit.site.config.timeouts.request_head;
        client.head_begun = cx.now;
    }
    Next::Go(Prefaced(client))
}

fn wait(client: Box<Client>, cx: &Context) -> Next<Box<Client>, Prefaced> {
    client.await_opening(cx, |client, limit| {
        if !client.stream.is_silent() {
            close(client, &format_args!("its end did not come within {limit}"), cx);
        }
    })
}

fn close(client: &Client, why: &dyn Display, cx: &Context) -> Next<Box<Client>, Prefaced> {
    cx.kit.shared.teller.tell(Event::Unprefaced { peer: client.address(), why });
    Next::Done
}
