//! Waiting for a request head: the state in which a connection begins, and idles between requests.
//!
//! Reads until a head is whole, then begins the exchange; refuses what is malformed, too large or
//! too late. Between requests the task keeps no buffer, only what came ahead of its turn.

use super::client::{Client, LAST_CALL};
use super::exchange::Exchange;
use super::kit::Context;
use crate::engine::{HEADROOM, Next, Read};
use crate::http::{self, Parsed, Refusal};
use std::time::Duration;

/// How much is read beyond the largest head that is allowed: the start of a body, or requests sent
/// ahead.
pub(crate) const READ_AHEAD: usize = 64 * 1024;

/// What a request counts for in the share of a step, beside its body and its answer: as many bytes
/// as can be moved in the time that it takes. Whoever sends many at once lets others go first.
const REQUEST_COST_BYTES: usize = 4 * 1024;

/// What follows a head.
pub(crate) enum Heard {
    /// The request is on its way.
    Exchange(Box<Exchange>),
    /// It will not be: these bytes are what came of it.
    Refuse(Box<Client>, Refusal, Vec<u8>),
}

/// Moves a connection that waits for a request head.
pub(crate) fn step(
    mut client: Box<Client>,
    cx: &mut Context,
    buf: &mut [u8],
) -> Next<Box<Client>, Heard> {
    client.stream.refresh();
    match client.out.drain_to(&mut client.stream) {
        Err(_) => return Next::Done,
        // The answer before is not with the client yet: it is to take that first.
        Ok(_) if !client.out.is_flushed() => return wait_for_reader(client, cx),
        Ok(0) => {}
        Ok(_) => client.await_next(cx.now, &cx.kit.site.config.timeouts),
    }
    if cx.is_spent() {
        return Next::Queue(client);
    }
    let limits = cx.kit.site.config.limits.head();
    // What came before is parsed anew together with what comes now. A head that drips in a byte at
    // a time so costs more than its length, but not without end: `head_bytes` and a deadline bound
    // it.
    let room = &mut buf[HEADROOM..][..limits.head_bytes + READ_AHEAD];
    let mut filled = client.held.len();
    room[..filled].copy_from_slice(&client.held);
    loop {
        if filled > 0 {
            let mut slots = http::slots();
            match http::request::parse(&room[..filled], &limits, &mut slots) {
                Ok(Parsed::Complete { mut head, length }) => {
                    client.held = Vec::new();
                    cx.spend(REQUEST_COST_BYTES);
                    // A client that sends its body unasked waits for no 100 (RFC 9110 10.1.1).
                    head.expects_continue &= length == filled;
                    let ahead = &room[length..filled];
                    let exchange = Exchange::begin(client, &mut head, ahead, cx);
                    return Next::Go(Heard::Exchange(exchange));
                }
                Ok(Parsed::Partial) => {}
                Err(refusal) => return refuse(client, refusal, &room[..filled]),
            }
        }
        let idle = is_blank(&room[..filled]);
        match client.stream.read(&mut room[filled..]) {
            Ok(Read::Bytes(n)) => {
                filled += n;
                if idle && !is_blank(&room[..filled]) {
                    client.head_deadline = cx.now + cx.kit.site.config.timeouts.request_head;
                    client.head_begun = cx.now;
                }
            }
            Ok(Read::End) if !idle => return refuse(client, CUT_SHORT, &room[..filled]),
            Ok(Read::WouldBlock) => return wait(client, &room[..filled], cx),
            Ok(Read::End) => return leave(&mut client),
            Err(_) => return Next::Done,
        }
    }
}

const CUT_SHORT: Refusal = Refusal { status: 400, reason: "the request head ends early" };
const LATE: Refusal =
    Refusal { status: 408, reason: "the request head took longer than [timeouts] request_head" };

/// Parks until the client takes the answer that it has: until then no request of its is read, so
/// that what we say ourselves takes no more memory than what a backend says.
fn wait_for_reader(client: Box<Client>, cx: &Context) -> Next<Box<Client>, Heard> {
    let deadline = client.head_deadline;
    if cx.now >= deadline { Next::Done } else { Next::Park(client, deadline) }
}

/// True while nothing of a request has come. An old client ends a body with an empty line, which
/// begins nothing: it is kept with what follows, so that the verdict hangs on the bytes alone and
/// not on when they come.
fn is_blank(bytes: &[u8]) -> bool {
    http::request::blank(bytes) == bytes.len()
}

/// Parks until more comes; a partial head is all that is kept.
fn wait(mut client: Box<Client>, partial: &[u8], cx: &mut Context) -> Next<Box<Client>, Heard> {
    let idle = is_blank(partial);
    if idle && cx.kit.shared.is_draining() {
        // Who came just before the end may be about to ask; who has asked again already, though
        // its event is still under way, is not to be reset. Others were served and know the risk.
        let asks = client.requests == 0 || !client.stream.is_silent();
        let grace = if asks { LAST_CALL } else { Duration::ZERO };
        client.head_deadline = client.head_deadline.min(cx.now + grace);
    }
    if idle && client.is_in_the_way() && client.stream.is_silent() {
        return leave(&mut client);
    }
    if cx.now >= client.head_deadline {
        return if idle { leave(&mut client) } else { refuse(client, LATE, partial) };
    }
    if client.held.len() != partial.len() {
        client.held = partial.to_vec();
    }
    let deadline = client.head_deadline;
    Next::Park(client, deadline)
}

/// Between two requests: a good end.
fn leave(client: &mut Client) -> Next<Box<Client>, Heard> {
    client.stream.say_end();
    Next::Done
}

fn refuse(client: Box<Client>, refusal: Refusal, head: &[u8]) -> Next<Box<Client>, Heard> {
    Next::Go(Heard::Refuse(client, refusal, head.to_vec()))
}
