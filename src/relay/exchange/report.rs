//! What is said of a try that is over: to the log, how it failed; to the pool, what came of it, and
//! of a failure who met it and where, for the request may have brought it about. That is read from
//! the head as it was sent: nothing is kept for it, and a request that goes well pays nothing.

use super::Exchange;
use crate::event::{About, Event};
use crate::pool::hash::siphash;
use crate::pool::{Fault, Lease, Outcome, Witness};
use crate::relay::Shared;
use crate::relay::kit::Context;
use std::fmt;
use std::io;
use std::net::IpAddr;

/// Most bytes of a path, and of an id, that the log shows.
const SHOWN_MAX: usize = 200;

impl Exchange {
    /// Ends a lease, and tells the pool what came of it for this request. Then the line is told,
    /// for only after the lease is gone is there a place for whoever is first.
    pub(super) fn report(&mut self, lease: Lease, outcome: Outcome, cx: &Context) {
        let after = self.times.since_begun(cx.now);
        self.tries.told.end(lease.backend().number(), &outcome, after);
        let status = if let Outcome::Answered { status, .. } = outcome { status } else { 0 };
        if self.branch.pool.rules().passive.statuses.contains(status) {
            let what = format_args!("answered {status}");
            self.complain_of(lease.index(), About::Status, what, &cx.kit.shared);
        }
        let limited = lease.backend().max_connections() > 0;
        if let Some(notice) = lease.finish_for(|| self.witness(&cx.kit.shared), outcome, cx.now) {
            cx.kit.shared.teller.tell(Event::from(&notice));
        }
        if limited {
            self.branch.queue.ring_first();
        }
    }

    /// Says how the backend failed.
    pub(super) fn say_failed(&self, fault: Fault, reason: &str, shared: &Shared) {
        self.complain(fault.into(), format_args!("{reason}"), shared);
    }

    /// Says that no local port is left to the backend.
    pub(super) fn say_no_way(&self, error: &io::Error, shared: &Shared) {
        let what = "out of local ports? Not held against it";
        self.complain(About::NoPort, format_args!("no way there: {error}; {what}"), shared);
    }

    /// Says that we are short of something.
    pub(super) fn say_exhausted(&self, error: &io::Error, shared: &Shared) {
        let error = format_args!("{error}; {}", self.shown());
        shared.say_exhausted("connecting to a backend", error);
    }

    /// Says something of the backend that has, or had, this request, and at what: an operator can
    /// ask for it, too, and find it in other logs.
    pub(super) fn complain(&self, about: About, what: fmt::Arguments, shared: &Shared) {
        if let Some(index) = self.tries.course.last() {
            self.complain_of(index, about, what, shared);
        }
    }

    fn complain_of(&self, index: usize, about: About, what: fmt::Arguments, shared: &Shared) {
        let name = self.branch.pool.backends()[index].name();
        shared.say_of(name, about, format_args!("{what}; {}", self.shown()));
    }

    /// What was asked for, as the log may show it.
    pub(super) fn shown(&self) -> impl fmt::Display {
        let ((method, path), id) = (self.asked_for(), self.request_id().as_bytes());
        let [path, id] = [path, id].map(|text| &text[..text.len().min(SHOWN_MAX)]);
        Shown { method, path, id }
    }

    fn witness(&self, shared: &Shared) -> Witness {
        let key = shared.witness_key;
        let (method, path) = self.asked_for();
        let line = &self.sent.bytes[..method.len() + 1 + path.len()];
        Witness::new(hash_client(key, self.asked.origin.client), siphash(key, line))
    }

    /// Method and path: a query is made up too easily, and may hold what no log should.
    fn asked_for(&self) -> (&str, &[u8]) {
        let (method, target) = self.request_line();
        let path = target.split('?').next().unwrap_or(target);
        (method, path.as_bytes())
    }
}

/// A request in a line of the log: `asked for GET /a, request id 0123abcd`.
struct Shown<'r> {
    method: &'r str,
    path: &'r [u8],
    id: &'r [u8],
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, path, id } = self;
        write!(f, "asked for {method} {}, request id {}", path.escape_ascii(), id.escape_ascii())
    }
}

/// An IPv6 client is its network of 64 bits: whoever has one address of it has them all (RFC 6177).
fn hash_client(key: [u64; 2], client: IpAddr) -> u64 {
    match client {
        IpAddr::V4(four) => siphash(key, &four.octets()),
        IpAddr::V6(six) => siphash(key, &six.octets()[..8]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_who_has_a_network_of_addresses_is_one_client() {
        let hash = |text: &str| hash_client([1, 2], text.parse().unwrap());
        assert_eq!(hash("2001:db8:1:2::1"), hash("2001:db8:1:2:ffff::2"));
        assert_ne!(hash("2001:db8:1:2::1"), hash("2001:db8:1:3::1"));
        assert_ne!(hash("192.0.2.1"), hash("192.0.2.2"));
        assert_ne!(hash("192.0.2.1"), hash_client([1, 3], "192.0.2.1".parse().unwrap()));
    }
}
