//! What is said of a try that is over: to the log, how it failed; to the pool, what came of it, and
//! of a failure who met it and where, for the request may have brought it about. That is read from
//! the head as it was sent: nothing is kept for it, and a request that goes well pays nothing.

use super::Exchange;
use crate::pool::hash::siphash;
use crate::pool::{Fault, Lease, Outcome, Witness};
use crate::proxy::Shared;
use crate::proxy::worker::Context;
use std::fmt;
use std::net::IpAddr;

/// Most bytes of a path that the log shows.
const SHOWN_MAX: usize = 200;

impl Exchange {
    /// Ends a lease, and tells the pool what came of it for this request.
    pub(super) fn report(&self, lease: Lease, outcome: Outcome, cx: &Context) {
        cx.report(lease, outcome, || self.witness(&cx.shared));
    }

    /// Says how the backend failed, and at what: an operator can ask for it, too.
    pub(super) fn say_failed(&self, backend: &str, fault: Fault, reason: &str, shared: &Shared) {
        if fault == Fault::Connect {
            return shared.say_failed(backend, fault, format_args!("{reason}"));
        }
        let (method, path) = self.shown_request();
        shared.say_failed(backend, fault, format_args!("{reason}; asked for {method} {path}"));
    }

    /// What was asked for, as the log may show it.
    pub(super) fn shown_request(&self) -> (&str, impl fmt::Display) {
        let (method, path) = self.asked_for();
        (method, path[..path.len().min(SHOWN_MAX)].escape_ascii())
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
