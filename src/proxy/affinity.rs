//! What ties a client to a backend: the key that the policy `hash` goes by, and the sticky cookie.
//!
//! Read from each request when its exchange begins, where the configuration asks for either.
//! Decides nothing: the pool says what comes of it.

use super::client::Client;
use crate::config::{Config, HashBy, Network};
use crate::http::cookie::{self, SetCookie};
use crate::http::request::Request;
use crate::pool::hash::siphash;
use crate::pool::policy::Kind;
use std::net::{IpAddr, SocketAddr};

/// What to look for in a request.
pub(crate) struct Affinity {
    /// None under policies that go by something else.
    hash_by: Option<HashBy>,
    cookie: Option<Cookie>,
    trusted_proxies: Vec<Network>,
}

/// The sticky cookie.
struct Cookie {
    name: String,
    max_age_s: Option<u64>,
    /// The listener speaks TLS, and nothing else.
    secure: bool,
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
        let secure = !config.tls.certificates.is_empty();
        let cookie = |name| Cookie { name, max_age_s, secure };
        let affinity = Self {
            hash_by: hashes.then(|| config.balance.hash_by.clone()),
            cookie: config.sticky.cookie.clone().map(cookie),
            trusted_proxies: config.server.trusted_proxies.clone(),
        };
        (affinity.hash_by.is_some() || affinity.cookie.is_some()).then_some(affinity)
    }

    /// Looks at a request.
    pub(crate) fn read(&self, request: &Request, client: &Client) -> Ties {
        let token = |Cookie { name, .. }: &Cookie| request.cookies(name).find_map(cookie::token);
        Ties {
            key: self.hash_by.as_ref().and_then(|by| self.key(by, request, client)),
            token: self.cookie.as_ref().and_then(token),
        }
    }

    /// None where there is nothing to go by. An empty value is nothing: it would send everybody
    /// who lacks one to the same backend.
    fn key(&self, by: &HashBy, request: &Request, client: &Client) -> Option<u64> {
        let value = match by {
            HashBy::Client => {
                let peer = client.peer.ip().to_canonical();
                let lists = request.values("x-forwarded-for").rev();
                return Some(hash_address(match client.trusted {
                    true => behind(peer, lists, &self.trusted_proxies),
                    false => peer,
                }));
            }
            HashBy::Header(name) => request.field(name),
            HashBy::Cookie(name) => request.cookies(name).next(),
        };
        value.filter(|value| !value.is_empty()).map(|value| siphash(KEY, value))
    }

    /// The cookie for an answer by the backend of this token, unless the client has it already.
    pub(crate) fn cookie(&self, token: Option<u64>, ties: Ties) -> Option<SetCookie<'_>> {
        let Cookie { name, max_age_s, secure } = self.cookie.as_ref()?;
        let token = token.filter(|_| token != ties.token)?;
        Some(SetCookie { name, token, max_age_s: *max_age_s, secure: *secure })
    }
}

/// Whom a trusted peer asks for, by its X-Forwarded-For, the last list first. Each proxy appends
/// the one that asked it, so a list is read from its end, up to the first address that is no proxy
/// of ours: what stands before it was written by who knows whom.
pub(super) fn behind<'v>(
    peer: IpAddr,
    lists: impl Iterator<Item = &'v [u8]>,
    trusted_proxies: &[Network],
) -> IpAddr {
    let mut nearest = peer;
    for named in lists.flat_map(|list| list.rsplit(|byte| *byte == b',')) {
        let Some(address) = address(named) else { return nearest };
        nearest = address;
        if !trusted_proxies.iter().any(|network| network.contains(address)) {
            break;
        }
    }
    nearest
}

fn hash_address(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(four) => siphash(KEY, &four.octets()),
        IpAddr::V6(six) => siphash(KEY, &six.octets()),
    }
}

/// An address as proxies write it, some of them with a port.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let alone = text.parse().ok();
    alone
        .or_else(|| text.parse().map(|with_port: SocketAddr| with_port.ip()).ok())
        .map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{HeadLimits, Parsed, request, slots};

    fn with<T>(fields: &str, look: impl FnOnce(&Request) -> T) -> T {
        let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        match request::parse(head.as_bytes(), &HeadLimits::default(), &mut slots()) {
            Ok(Parsed::Complete { head, .. }) => look(&head),
            other => panic!("{fields:?}: {other:?}"),
        }
    }

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
    fn behind_trusted_proxies_the_client_is_the_last_that_is_none_of_them() {
        let trust = "server.trusted_proxies = [\"10.0.0.0/8\", \"fd00::/8\"]\n\
                     balance.policy = \"hash\"";
        let affinity = affinity(trust).unwrap();
        let cases = [
            ("", "10.0.0.1"),
            ("X-Forwarded-For: 192.0.2.7\r\n", "192.0.2.7"),
            ("X-Forwarded-For: 198.51.100.1, 192.0.2.7,10.0.0.2\r\n", "192.0.2.7"),
            ("X-Forwarded-For: 192.0.2.7\r\nx-forwarded-for: fd00::2\r\n", "192.0.2.7"),
            ("X-Forwarded-For: 10.0.0.3, 10.0.0.2\r\n", "10.0.0.3"),
            ("X-Forwarded-For: 192.0.2.7:4711\r\n", "192.0.2.7"),
            ("X-Forwarded-For: [2001:db8::1]:80\r\n", "2001:db8::1"),
            ("X-Forwarded-For: ::ffff:192.0.2.7\r\n", "192.0.2.7"),
            ("X-Forwarded-For: 192.0.2.7, unknown, 10.0.0.2\r\n", "10.0.0.2"),
            ("X-Forwarded-For: 192.0.2.7,\r\n", "10.0.0.1"),
        ];
        for (fields, expected) in cases {
            let peer = "10.0.0.1".parse().unwrap();
            let trusted = &affinity.trusted_proxies;
            let client = with(fields, |request| {
                behind(peer, request.values("x-forwarded-for").rev(), trusted)
            });
            assert_eq!(client.to_string(), expected, "{fields:?}");
        }
    }

    #[test]
    fn a_client_gets_the_cookie_that_it_does_not_have() {
        let affinity = affinity("sticky.cookie = \"A\"\nsticky.max_age = \"1500ms\"").unwrap();
        let ties = |token| Ties { token, ..Ties::default() };
        let cookie = affinity.cookie(Some(7), ties(None)).unwrap();
        assert_eq!((cookie.name, cookie.token, cookie.max_age_s), ("A", 7, Some(2)));
        assert!(affinity.cookie(Some(7), ties(Some(8))).is_some());
        assert!(affinity.cookie(Some(7), ties(Some(7))).is_none());
        assert!(affinity.cookie(None, ties(None)).is_none());
    }

    #[test]
    fn the_cookie_is_secure_where_the_listener_speaks_tls() {
        let secure = |settings: &str| {
            let affinity = affinity(settings).unwrap();
            affinity.cookie(Some(7), Ties::default()).unwrap().secure
        };
        assert!(!secure("sticky.cookie = \"A\""));
        assert!(secure("sticky.cookie = \"__Host-A\"\ntls.certificates = [\"./site.pem\"]"));
    }
}
