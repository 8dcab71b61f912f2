//! How an exchange begins: the head is written as a backend gets it, and what must be known of the
//! request while its bytes are gone is kept.
//!
//! The parsed request borrows from the worker's buffer, which the next step fills with something
//! else. So all that outlives this step is copied here: the head as it will be sent, from which the
//! log reads what it needs later, and a few words about it in [`Asked`].

use super::tries::Tries;
use super::{Asked, Exchange, Moved, RelayedAnswer, Times};
use crate::config::Server;
use crate::engine::Outbox;
use crate::http::Framing;
use crate::http::body::Reader;
use crate::http::request::{Forwarding, Request};
use crate::relay::branch::Branch;
use crate::relay::client::Client;
use crate::relay::kit::Context;
use crate::relay::origin::Origin;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

impl Exchange {
    /// Takes a request whose head is whole; `ahead` is what was read beyond it.
    pub(crate) fn begin(
        mut client: Box<Client>,
        request: &mut Request,
        ahead: &[u8],
        cx: &mut Context,
    ) -> Box<Self> {
        client.requests += 1;
        let site = &cx.kit.site;
        let (branch, way) = site.way(request, &client.entrance);
        let branch = Arc::clone(branch);
        // Where a body is awaited before a backend hears of it, no backend can ask for it.
        let asks_for_body = request.expects_continue && branch.awaits_bodies();
        request.expects_continue &= !asks_for_body;
        let origin = origin(request, &client, &branch.config.server);
        let (sent, id) = write_head(request, &client, origin, &branch, cx);
        let affinity = branch.affinity.as_ref();
        let ties = affinity.map(|affinity| affinity.read(request, origin)).unwrap_or_default();
        let mut exchange = Box::new(Self {
            asked: Asked { asks_for_body, way, ..Asked::of(request, origin, sent.len(), id) },
            sent: Outbox::of(sent),
            body: Reader::new(request.framing),
            body_given_up: false,
            ties,
            ticket: None,
            is_held: false,
            proving: None,
            lease: None,
            upstream: None,
            tries: Tries::default(),
            answer: RelayedAnswer::awaited(),
            times: Times::from(cx.now, branch.config.timeouts.request),
            bytes_received: 0,
            client,
            branch,
        });
        exchange.client.held.extend_from_slice(ahead);
        exchange
    }
}

/// What is known of who asks: nothing is looked at of what a stranger says.
fn origin(request: &Request, client: &Client, server: &Server) -> Origin {
    let own = Origin { client: client.address(), secure: client.is_secure() };
    match client.trusted {
        true => own.behind(request, &server.trusted_proxies),
        false => own,
    }
}

/// The head as the backend gets it, in a buffer that is used again; and where the request's id
/// stands in it.
fn write_head(
    request: &Request,
    client: &Client,
    origin: Origin,
    branch: &Branch,
    cx: &mut Context,
) -> (Vec<u8>, Range<usize>) {
    let mut sent = cx.spare();
    let server = &branch.config.server;
    let how = Forwarding {
        peer: client.address(),
        peer_proto: if client.is_secure() { "https" } else { "http" },
        client: origin.client,
        proto: origin.proto(),
        trusted: client.trusted,
        claims: &branch.claims,
        forwarded: server.forwarded,
        via: server.via,
        upgrade_h2c: server.upgrade_h2c,
        request_id: cx.kit.ids.next(),
    };
    let id = request.write_forward(&mut sent, &how);
    (sent, id)
}

impl Asked {
    fn of(request: &Request, origin: Origin, head_length: usize, id: Range<usize>) -> Self {
        let method_length = request.method.len();
        // A query alone gets a path on its way.
        let target_length = request.target.len() + usize::from(request.target.starts_with('?'));
        let line_length = method_length + target_length + "  HTTP/1.1\r\n".len();
        Self {
            origin,
            version: request.version,
            method_length,
            target_length,
            head_length,
            id: (head_length - id.start, id.len()),
            own_host: request.host.is_empty().then_some(line_length..line_length),
            announced: match request.framing {
                Framing::Length(length) => length,
                _ => 0,
            },
            last_hop: request.max_forwards == Some(0),
            head_only: request.method == "HEAD",
            idempotent: request.is_idempotent(),
            has_body: !matches!(request.framing, Framing::None | Framing::Length(0)),
            expects_continue: request.expects_continue,
            asks_for_body: false,
            way: Ok(None),
            chunked: request.framing == Framing::Chunked,
            keep_alive: request.keep_alive,
        }
    }
}

impl Times {
    /// `limit`: how long it may take in all; zero is for ever.
    fn from(now: Duration, limit: Duration) -> Self {
        Self {
            begun: now,
            tried: now,
            lined_up: None,
            queued: Duration::ZERO,
            due: (!limit.is_zero()).then_some(now + limit),
            asked: None,
            first_byte: None,
            interim: Duration::ZERO,
            awaited: None,
            moved: now,
            bytes: Moved::default(),
        }
    }

    /// How long after the request had come that was.
    pub(super) fn since_begun(&self, then: Duration) -> Duration {
        then.saturating_sub(self.begun)
    }

    /// It has its place, or waits for none any more.
    pub(super) fn leave_line(&mut self, now: Duration) {
        let since = self.lined_up.take();
        self.queued += since.map_or(Duration::ZERO, |since| now.saturating_sub(since));
    }
}
