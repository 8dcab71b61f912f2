//! What ties a client to a backend: the key that the policy `hash` goes by, and the sticky cookie.
//!
//! Read from each request when its exchange begins, where the configuration asks for either.
//! Decides nothing: the pool says what comes of it.

use super::origin::Origin;
use crate::config::{Config, HashBy};
use crate::http::cookie::{self, SetCookie};
use crate::http::request::Request;
use crate::pool::hash::siphash;
use crate::pool::policy::Kind;
use std::net::IpAddr;

/// What to look for in a request.
pub(crate) struct Affinity {
    /// None under policies that go by something else.
    hash_by: Option<HashBy>,
    cookie: Option<Cookie>,
}

/// The sticky cookie.
struct Cookie {
    name: String,
    max_age_s: Option<u64>,
}

/// What was found in one request.
#[derive(Clone, Copy, Default)]
pub(crate) struct Ties {
    /// What `hash` goes by.
    pub(crate) key: Option<u64>,
    /// The sticky cookie, if it looks like one of ours.
    pub(crate) token: Option<u64>,
}

/// The same in every Evenly, so that several agree on whose backend is whose. It keeps nothing
/// secret: who wants to burden one backend sends one value over and over.
const KEY: [u64; 2] = [0, 0];

impl Affinity {
    /// None if nothing ties clients to backends, as usual.
    pub(crate) fn new(config: &Config) -> Option<Self> {
        let hashes = config.balance.policy == Kind::Hash;
        let max_age_s = config.sticky.max_age.map(|time| time.as_millis().div_ceil(1000) as u64);
        let cookie = |name| Cookie { name, max_age_s };
        let affinity = Self {
            hash_by: hashes.then(|| config.balance.hash_by.clone()),
            cookie: config.sticky.cookie.clone().map(cookie),
        };
        (affinity.hash_by.is_some() || affinity.cookie.is_some()).then_some(affinity)
    }

    /// Looks at a request.
    pub(crate) fn read(&self, request: &Request, origin: Origin) -> Ties {
        let token = |Cookie { name, .. }: &Cookie| request.cookies(name).find_map(cookie::token);
        Ties {
            key: self.hash_by.as_ref().and_then(|by| self.key(by, request, origin)),
            token: self.cookie.as_ref().and_then(token),
        }
    }

    /// What `hash` goes by where there is no request to look at.
    pub(crate) fn of_client(&self, client: IpAddr) -> Option<u64> {
        self.hash_by.as_ref().map(|_| hash_address(client))
    }

    /// None where there is nothing to go by. An empty value is nothing: it would send everybody
    /// who lacks one to the same backend.
    fn key(&self, by: &HashBy, request: &Request, origin: Origin) -> Option<u64> {
        let value = match by {
            HashBy::Client => return Some(hash_address(origin.client)),
            HashBy::Header(name) => request.field(name),
            HashBy::Cookie(name) => request.cookies(name).next(),
        };
        value.filter(|value| !value.is_empty()).map(|value| siphash(KEY, value))
    }

    /// The cookie for an answer by the backend of this token, unless the client has it already;
    /// `secure`: it came by https, and is to show it nowhere else.
    pub(crate) fn cookie(
        &self,
        token: Option<u64>,
        ties: Ties,
        secure: bool,
    ) -> Option<SetCookie<'_>> {
        let Cookie { name, max_age_s } = self.cookie.as_ref()?;
        let token = token.filter(|_| token != ties.token)?;
        Some(SetCookie { name, token, max_age_s: *max_age_s, secure })
    }
}

fn hash_address(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(four) => siphash(KEY, &four.octets()),
        IpAddr::V6(six) => siphash(KEY, &six.octets()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn affinity(settings: &str) -> Option<Affinity> {
        let application = "[[applications]]\nip = \"192.0.2.1\"\nport = 1\n";
        Affinity::new(&Config::parse(&format!("{settings}\n{application}"), "test").unwrap())
    }

    #[test]
    fn nothing_is_looked_for_unless_the_configuration_asks_for_it() {
        assert!(affinity("").is_none());
        assert!(affinity("balance.hash_by = \"cookie A\"").is_none());
        assert!(affinity("balance.policy = \"hash\"").is_some());
        assert!(affinity("sticky.cookie = \"A\"").is_some());
    }

    #[test]
    fn a_client_gets_the_cookie_that_it_does_not_have() {
        let affinity = affinity("sticky.cookie = \"A\"\nsticky.max_age = \"1500ms\"").unwrap();
        let ties = |token| Ties { token, ..Ties::default() };
        let cookie = affinity.cookie(Some(7), ties(None), true).unwrap();
        assert_eq!((cookie.name, cookie.token, cookie.max_age_s), ("A", 7, Some(2)));
        assert!(cookie.secure);
        assert!(affinity.cookie(Some(7), ties(Some(8)), false).is_some());
        assert!(affinity.cookie(Some(7), ties(Some(7)), false).is_none());
        assert!(affinity.cookie(None, ties(None), false).is_none());
    }
}
