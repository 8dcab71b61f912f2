//! A worker's exchanges with the target: on a connection that is kept as long as the server and the
//! plan allow, and made anew where that was closed. On the usual path an exchange is one write, one
//! read and no allocation; it must never last past its deadline.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::LoadPlan;
use super::fault::{FailedExchange, LoadFault};
use crate::http::HeadLimits;
use crate::http::response::Response;
use crate::plain::client::{Link, LinkError, LinkHead, Patience};
use crate::tls::Connector;

/// What every worker asks, and whom.
pub(super) struct LoadTarget {
    request: Vec<u8>,
    addresses: Vec<SocketAddr>,
    connector: Option<Connector>,
    method: String,
    is_idempotent: bool,
    keep_alive: bool,
    timeout: Duration,
    pub(super) is_open_loop: bool,
}

impl LoadTarget {
    pub(super) fn new(
        plan: &LoadPlan,
        request: Vec<u8>,
        addresses: Vec<SocketAddr>,
        connector: Option<Connector>,
    ) -> Self {
        LoadTarget {
            request,
            addresses,
            connector,
            method: plan.request.method.clone(),
            is_idempotent: plan.request.is_idempotent(),
            keep_alive: plan.request.keep_alive,
            timeout: plan.timeout,
            is_open_loop: plan.rate.is_some(),
        }
    }
}

/// A worker's connection to the target, made when it is needed.
pub(super) struct KeptLink<'t> {
    target: &'t LoadTarget,
    link: Option<Link>,
    /// Those of the target, first the one that answered last: where a name has several, the first
    /// may be one where nobody listens.
    addresses: Vec<SocketAddr>,
    served_by: Vec<u8>,
    /// Bytes of the current exchange's answer so far.
    received: u64,
    /// Bytes received by all exchanges.
    pub(super) bytes: u64,
    /// Requests that were sent again on a new connection.
    pub(super) resent: u64,
}

impl<'t> KeptLink<'t> {
    pub(super) fn new(target: &'t LoadTarget) -> Self {
        let (addresses, served_by) = (target.addresses.clone(), Vec::new());
        KeptLink { target, link: None, addresses, served_by, received: 0, bytes: 0, resent: 0 }
    }

    /// Sends the request, begun `now`, and reads the answer to its end. Returns its status.
    ///
    /// A kept connection may be closed by the server just as the next request comes. As RFC 9112
    /// section 9.3.1 has it, an idempotent request is then sent once more on a new one. It is
    /// counted, and its latency goes on.
    pub(super) fn exchange(&mut self, now: Instant) -> Result<u16, FailedExchange> {
        let whole = self.target.timeout;
        let until = now + whole;
        let patience =
            Patience { until, connect: whole, handshake: whole, response: whole, silence: whole };
        let was_kept = self.link.is_some();
        match self.attempt(patience) {
            Err(failed) if was_kept && self.may_resend(failed.fault) => {
                self.resent += 1;
                self.attempt(patience)
            }
            result => result,
        }
    }

    /// The value of X-Served-By in the last answer, empty if there was none.
    pub(super) fn served_by(&self) -> &[u8] {
        &self.served_by
    }

    fn may_resend(&self, fault: LoadFault) -> bool {
        let was_closed = matches!(fault, LoadFault::Closed | LoadFault::Reset);
        was_closed && self.received == 0 && self.target.is_idempotent
    }

    fn attempt(&mut self, patience: Patience) -> Result<u16, FailedExchange> {
        self.received = 0;
        self.served_by.clear();
        // A request that may not be sent twice looks first, as the proxy does.
        let mut kept = self.link.take();
        if !self.target.is_idempotent && !kept.as_mut().is_some_and(Link::is_open) {
            kept = None;
        }
        let is_kept = kept.is_some();
        let mut link = match kept {
            Some(link) => link,
            None => self.connect(patience)?,
        };
        link.renew(patience);
        let answered = self.converse(&mut link, is_kept);
        self.received = link.received();
        self.bytes += self.received;
        let head = answered?;
        if head.keep_alive && self.target.keep_alive {
            self.link = Some(link);
        }
        Ok(head.status)
    }

    fn connect(&mut self, patience: Patience) -> Result<Link, FailedExchange> {
        let connector = self.target.connector.as_ref();
        // Who answers and does not prove who it is is not passed over for another.
        let mut goes_on = |_, error: &LinkError| matches!(error, LinkError::Connect { .. });
        let link = Link::connect(&self.addresses, connector, patience, &mut goes_on)?;
        let reached = self.addresses.iter().position(|address| Some(*address) == link.address());
        self.addresses.rotate_left(reached.unwrap_or(0));
        Ok(link)
    }

    fn converse(&mut self, link: &mut Link, is_kept: bool) -> Result<LinkHead, FailedExchange> {
        let LoadTarget { request, method, .. } = self.target;
        let mut keep = |head: &Response| {
            self.served_by.extend_from_slice(&head.field("x-served-by").unwrap_or_default());
        };
        let head = link.ask(request, method, &HeadLimits::default(), &mut keep);
        let head = head.map_err(|error| explain(link, is_kept, error))?;
        link.read_body(head.framing, &mut |_| true)?;
        match link.unused().len() {
            0 => Ok(head),
            more => {
                let what = format!("at least {more} bytes behind the answer");
                Err(FailedExchange::new(LoadFault::LongBody, what))
            }
        }
    }
}

/// Where a kept connection brings bytes that begin no answer, the one before has not told the truth
/// about its length.
fn explain(link: &Link, is_kept: bool, error: LinkError) -> FailedExchange {
    let is_first = is_kept && link.received() == link.unused().len() as u64;
    match error {
        LinkError::BadHead(_) if is_first && !link.unused().starts_with(b"HTTP/") => {
            FailedExchange::new(LoadFault::LongBody, "more came behind an answer that was over")
        }
        other => other.into(),
    }
}
