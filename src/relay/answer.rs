//! Answers that Evenly gives itself: refusals, failures, redirects and look-ups, each with its
//! status and a sentence or an object of JSON.

use super::affinity::{Affinity, Ties};
use super::client::Client;
use super::direct::Direct;
use super::kit::Context;
use super::totals::Ending;
use super::traces::{Micros, Mishap, Short, Trace, Tried};
use crate::http::reply::{Reply, TEXT};
use crate::http::request::ALLOW;
use crate::http::{FirstLine, Refusal, Version};
use crate::log::{Access, Cause};

/// An answer of our own, before it is worded for a client.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) reason: &'a str,
    pub(crate) retry_after_s: Option<u64>,
    pub(crate) allow: Option<&'a str>,
    pub(crate) location: Option<&'a str>,
    pub(crate) content_type: &'a str,
    /// Nobody may keep it.
    pub(crate) no_store: bool,
    /// Of the sticky cookie, if one is to be set.
    pub(crate) token: Option<u64>,
}

/// What a machine reads.
pub(crate) const JSON: &str = "application/json";

/// To whom it goes.
pub(crate) struct Asker {
    pub(crate) version: Version,
    /// The request was a HEAD: the answer has no body.
    pub(crate) head_only: bool,
    /// The request came by https.
    pub(crate) secure: bool,
    /// The connection may go on after it.
    pub(crate) keep_alive: bool,
    /// What the request is called in logs, if the client is to know.
    pub(crate) request_id: Option<String>,
}

/// Somebody whose request could not be read: where the next one would begin, nobody knows, so the
/// connection ends.
pub(crate) const UNKNOWN: Asker = Asker {
    version: Version::Http11,
    head_only: false,
    secure: false,
    keep_alive: false,
    request_id: None,
};

impl<'a> Answer<'a> {
    pub(crate) fn new(status: u16, reason: &'a str) -> Self {
        Self {
            status,
            reason,
            retry_after_s: None,
            allow: None,
            location: None,
            content_type: TEXT,
            no_store: false,
            token: None,
        }
    }

    pub(crate) fn refusal(refusal: &'a Refusal) -> Self {
        let allow = (refusal.status == 405).then_some(ALLOW);
        Self { allow, ..Self::new(refusal.status, refusal.reason) }
    }
}

/// Puts the answer into the client's outbox, and returns how many bytes its body has. `affinity`:
/// that of the configuration by which the answer was made, for the cookie's name.
pub(crate) fn put(
    client: &mut Client,
    answer: &Answer,
    asker: &Asker,
    affinity: Option<&Affinity>,
    cx: &Context,
) -> u64 {
    let reply = Reply {
        keep_alive: asker.keep_alive,
        head_only: asker.head_only,
        retry_after_s: answer.retry_after_s,
        allow: answer.allow,
        location: answer.location,
        content_type: answer.content_type,
        no_store: answer.no_store,
        request_id: asker.request_id.as_deref(),
        set_cookie: affinity
            .and_then(|ties| ties.cookie(answer.token, Ties::default(), asker.secure)),
        ..Reply::new(answer.status, answer.reason, &cx.kit.date.text)
    };
    reply.write(&mut client.out.bytes, asker.version);
    reply.body_bytes() as u64
}

/// Answers a head that will not be forwarded, of which this is what came.
pub(crate) fn refuse(client: &mut Client, refusal: &Refusal, head: &[u8], cx: &mut Context) {
    client.held = Vec::new();
    client.requests += 1;
    let mut answer = Answer::refusal(refusal);
    if let Some(fewer) = cx.kit.site.common.direct.as_ref().and_then(Direct::allow) {
        answer.allow = answer.allow.map(|_| fewer);
    }
    let id = cx.kit.ids.next().to_owned();
    let request_id = cx.kit.site.config.server.request_id.then(|| id.clone());
    let asker = Asker { request_id, ..UNKNOWN };
    let bytes_sent = put(client, &answer, &asker, None, cx);
    let cause = if refusal.status == 408 { Cause::ClientTimeout } else { Cause::Refused };
    let total = cx.now.saturating_sub(client.head_begun);
    let ending = Ending { status: refusal.status, cause, waited: total };
    cx.kit.site.common.seen.own().count_without_backend(&ending, total);
    let first = FirstLine::of(head);
    // Without the endpoint nobody could ask for it.
    if cfg!(feature = "admin") {
        cx.kit.shared.traces.keep(Trace {
            begun: client.head_begun,
            id: Short::from(id.as_bytes()),
            asked: Short::asked(&first),
            led: 0,
            client: client.address(),
            status: refusal.status,
            cause,
            // None of its fields can be relied on, and so neither who was asked for.
            mishap: Some(Mishap::of(refusal.reason, b"")),
            was_held: false,
            queued: Micros::default(),
            waited: total.into(),
            took: total.into(),
            tries: Tried::default(),
        });
    }
    let FirstLine { method, target, version } = first;
    cx.kit.shared.log.access(&Access {
        when: Access::arrived(total),
        client: client.address(),
        peer: client.address(),
        method,
        target,
        version,
        status: refusal.status,
        bytes_sent,
        bytes_received: 0,
        referer: b"",
        user_agent: b"",
        backend: None,
        tries: 0,
        first_byte: None,
        total,
        cause,
        reason: refusal.reason,
        request_id: &id,
        host: b"",
        pool: None,
        route: None,
        pick: None,
    });
}
