//! What is answered without being relayed: redirects to a backend, look-ups of the next one, and
//! whether this server is ready.
//!
//! Consulted by a new exchange, where the configuration wants any of them. The backend is picked as
//! for relaying and given back at once: what the client does there, nobody here sees. Must never
//! put a client's bytes into a head, but for those that `http::location` takes.

use super::given::{Given, object};
use super::trouble::{BUSY, HELD, HELD_RETRY_AFTER_S, RETRY_AFTER_S, Trouble, UNAVAILABLE};
use super::{Exchange, Progress};
use crate::http::{Refusal, location};
use crate::pool::{Pool, Unavailable};
use crate::relay::answer::JSON;
use crate::relay::direct::Wanted;
use crate::relay::kit::Context;
use std::sync::Arc;

impl Exchange {
    /// What this turn comes to, if no backend is to give the answer.
    pub(super) fn answer_directly(
        &mut self,
        cx: &mut Context,
    ) -> Result<Option<Progress>, Trouble> {
        if let Some(turn) = self.prove(cx)? {
            return Ok(Some(turn));
        }
        let given = match self.branch.direct {
            Some(_) => self.configured(cx)?,
            None => None,
        };
        let given = given.or_else(|| self.send_to_https());
        let given = given.or_else(|| self.asked.last_hop.then(Given::to_the_last_hop));
        let given = given.or_else(|| self.asked.way.as_ref().err().map(Given::refusing));
        Ok(given.map(Progress::from))
    }

    /// What the configuration wants answered here.
    fn configured(&mut self, cx: &mut Context) -> Result<Option<Given>, Trouble> {
        let branch = Arc::clone(&self.branch);
        let Some(direct) = &branch.direct else { return Ok(None) };
        let (method, target) = self.request_line();
        Ok(Some(match direct.wanted(method, target) {
            None => return Ok(None),
            // Balancers in front ask wherever they send clients.
            Some(wanted) if !self.is_led() && wanted != Wanted::Readiness => return Ok(None),
            Some(Wanted::Redirect { status }) => self.redirect(status, cx)?,
            Some(Wanted::LookUp) => self.look_up(cx),
            Some(Wanted::Readiness) => readiness(cx.kit.shared.is_served()),
            Some(Wanted::Refusal { reason, allow }) => Given {
                allow: Some(allow.to_owned()),
                ..Given::refusing(&Refusal { status: 405, reason })
            },
        }))
    }

    fn redirect(&mut self, status: u16, cx: &mut Context) -> Result<Given, Trouble> {
        if self.branch.queue.is_paused() {
            return Err(Trouble::Held);
        }
        self.pick(cx).map_err(Trouble::NoBackend)?;
        let lease = self.lease.as_ref().expect("one was just picked");
        let (_, target) = self.request_line();
        Ok(Given {
            location: Some(location(lease.backend().origin(), target)),
            token: self.new_token(lease.index()),
            ..Given::new(status, "go to the address in Location")
        })
    }

    /// Waits for nobody: who is told to wait can ask again.
    fn look_up(&mut self, cx: &mut Context) -> Given {
        if self.branch.queue.is_paused() {
            return Given::unavailable(HELD, HELD_RETRY_AFTER_S);
        }
        if !self.branch.queue.is_open() {
            return Given::unavailable(BUSY, RETRY_AFTER_S);
        }
        if let Err(none) = self.pick(cx) {
            return none_for_a_look_up(&self.branch.pool, &none, cx);
        }
        let lease = self.lease.as_ref().expect("one was just picked");
        let backend = lease.backend();
        let body = object(&[("name", backend.name()), ("url", backend.origin())]);
        let content_type = Some(JSON);
        Given { content_type, token: self.new_token(lease.index()), ..Given::new(200, &body) }
    }

    /// The token of the backend at `index`, if the client is to get a cookie with it.
    fn new_token(&self, index: usize) -> Option<u64> {
        self.branch.pool.token(index).filter(|token| self.ties.token != Some(*token))
    }
}

/// For balancers in front: how the backends are is another question, and if it took all of us out
/// at once when one application is down, nobody would be left for the others.
fn readiness(is_ready: bool) -> Given {
    match is_ready {
        true => Given::new(200, "ready"),
        false => Given::new(503, "not ready: about to stop"),
    }
}

fn none_for_a_look_up(pool: &Pool, none: &Unavailable, cx: &Context) -> Given {
    if none.full > 0 {
        return Given::unavailable(BUSY, RETRY_AFTER_S);
    }
    cx.kit.shared.say_unavailable(pool, none, "asked for the next server");
    let reason = none.to_string().into();
    Given { reason, ..Given::unavailable(UNAVAILABLE, none.retry_after_s()) }
}
