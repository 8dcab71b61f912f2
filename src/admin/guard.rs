//! Who may ask: the rules that keep strangers out, and the web pages that an operator looks at.
//!
//! Pure: facts of a request in, a verdict out. Asked before anything else is done with a request.
//!
//! Any page may make the browser that shows it ask the endpoint. Three rules stop that, and none
//! does it alone:
//! - **Host.** A page of evil.test may have its name lead to our address ("DNS rebinding"). To the
//!   browser it then asks its own server: Origin equals Host, and there is no Sec-Fetch-Site. Only
//!   that Host is none of ours gives it away.
//! - **X-Evenly.** A form, a beacon and a `no-cors` fetch reach any server, but with no field of
//!   their own. For that the browser asks first, by OPTIONS, and is never allowed.
//! - **Sec-Fetch-Site and Origin.** What the browser says of where a request comes from. A page at
//!   another port of this host is `same-site`, and as strange as any.

use std::hint::black_box;
use std::net::{IpAddr, SocketAddr};

use super::route::{is_check, is_open};
use crate::http::request::Request;

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// 401, 403 or 421.
    pub(super) status: u16,
    /// A sentence with a remedy.
    pub(super) why: &'static str,
}

/// The rules of one listener.
pub(super) enum Guard {
    /// The socket that is open to our own user alone.
    User,
    /// One of the network.
    Network {
        /// What each request must show; empty if nothing.
        token: String,
        /// Hosts that are ours besides the address, each with a port or for any.
        hosts: Vec<String>,
    },
}

const NOT_OUR_HOST: Refused = Refused {
    status: 421,
    why: "this Host is not ours; ask by address and port, or add it to [admin] hosts",
};
const NO_TOKEN: Refused =
    Refused { status: 401, why: "send the token of [admin] as Authorization: Bearer TOKEN" };
const NO_FIELD: Refused = Refused {
    status: 403,
    why: "a change takes the field X-Evenly, with any value; no page of another site can send it",
};
const ANOTHER_SITE: Refused = Refused {
    status: 403,
    why: "this comes from a page of another site, which may change nothing",
};

impl Guard {
    /// Lets a request through that came to our address `local`; a socket of the file system has
    /// none.
    pub(super) fn check(&self, head: &Request, local: Option<SocketAddr>) -> Result<(), Refused> {
        if let (Self::Network { token, hosts }, Some(local)) = (self, local) {
            // HTTP/1.0 without Host is spoken by checks of other balancers, and by no browser.
            let is_hostless = is_check(head.target) && head.host.is_empty();
            if !is_hostless && !is_ours(head.host, hosts, local) {
                return Err(NOT_OUR_HOST);
            }
            if !is_open(head.target) && !token.is_empty() && !shows(head, token) {
                return Err(NO_TOKEN);
            }
        }
        if head.method != "POST" {
            return Ok(());
        }
        if !head.values("sec-fetch-site").all(|site| site == b"same-origin" || site == b"none") {
            return Err(ANOTHER_SITE);
        }
        if !head.values("origin").all(|origin| is_of(origin, head.host)) {
            return Err(ANOTHER_SITE);
        }
        head.field("x-evenly").map(drop).ok_or(NO_FIELD)
    }
}

/// True for a Host that no page of a stranger can have: an address of ours or of this machine, its
/// name, or one that the operator has listed.
fn is_ours(host: &str, hosts: &[String], local: SocketAddr) -> bool {
    let (name, port) = split(host);
    let is_listed = |own: &String| [host, name].iter().any(|it| own.eq_ignore_ascii_case(it));
    let is_here = |ip: IpAddr| ip.is_loopback() || ip == local.ip().to_canonical();
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let is_near = name.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|ip| is_here(ip.to_canonical()));
    hosts.iter().any(is_listed) || (is_near && port == local.port())
}

/// The name or address, and the port; that of http if none is written.
fn split(host: &str) -> (&str, u16) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port.parse().unwrap_or(0)),
        _ => (host, 80),
    }
}

/// True for the origin of a page of our own. TLS may be in between.
fn is_of(origin: &[u8], host: &str) -> bool {
    let own = |scheme: &str| {
        let rest = origin.strip_prefix(scheme.as_bytes());
        rest.is_some_and(|rest| rest.eq_ignore_ascii_case(host.as_bytes()))
    };
    own("http://") || own("https://")
}

/// True if the request shows the token.
fn shows(head: &Request, token: &str) -> bool {
    let mut shown = head.values("authorization").peekable();
    let is_right = |value: &[u8]| {
        let (scheme, rest) = value.split_at_checked(b"Bearer ".len()).unwrap_or_default();
        scheme.eq_ignore_ascii_case(b"Bearer ") & is_same(rest.trim_ascii(), token.as_bytes())
    };
    shown.peek().is_some() && shown.all(is_right)
}

/// Takes as long however much of it is right, so that the time tells nothing.
fn is_same(given: &[u8], token: &[u8]) -> bool {
    let pairs = given.iter().zip(token.iter().cycle());
    let differing = pairs.fold(0, |differing, (one, other)| black_box(differing | (one ^ other)));
    (given.len() == token.len()) & (differing == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{HeadLimits, Parsed, request, slots};

    const TOKEN: &str = "a-token-of-ours-16";

    /// The status that a request with these lines is refused with at 127.0.0.1:9900; 0 if it is
    /// let through.
    fn verdict(guard: &Guard, line: &str, fields: &str) -> u16 {
        let fields: String = fields.split(" | ").map(|field| format!("{field}\r\n")).collect();
        let text = format!("{line}\r\n{}\r\n", fields.trim_start_matches("\r\n"));
        let mut slots = slots();
        let parsed = request::parse(text.as_bytes(), &HeadLimits::default(), &mut slots).unwrap();
        let Parsed::Complete { head, .. } = parsed else { panic!("not whole: {text:?}") };
        let local = Some(([127, 0, 0, 1], 9900).into());
        guard.check(&head, local).err().map_or(0, |refused| refused.status)
    }

    fn network(token: &str, hosts: &[&str]) -> Guard {
        let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        Guard::Network { token: token.to_owned(), hosts }
    }

    #[test]
    fn only_a_host_that_is_ours_is_answered() {
        let guard = network("", &["lb1.example.org", "lb2.example.org:8443"]);
        let cases = "
            0   127.0.0.1:9900 127.9.9.9:9900 [::1]:9900 localhost:9900 LocalHost:9900
            0   lb1.example.org lb1.example.org:1 LB1.EXAMPLE.ORG:9900 lb2.example.org:8443
            421 evil.test evil.test:9900 127.0.0.1 127.0.0.1:80 localhost localhost:9901
            421 lb2.example.org lb2.example.org:9900 lb1.example.org.evil.test evil-localhost:9900
            421 localhost.evil.test:9900 127.0.0.1.evil.test:9900 10.0.0.1:9900 [::2]:9900
            421 foo.localhost:9900 localhost.:9900
        ";
        for line in cases.trim().lines() {
            let mut words = line.split_whitespace();
            let status: u16 = words.next().unwrap().parse().unwrap();
            for host in words {
                for line in ["GET /status HTTP/1.1", "GET /live HTTP/1.1", "OPTIONS /x HTTP/1.1"] {
                    assert_eq!(verdict(&guard, line, &format!("Host: {host}")), status, "{host}");
                }
            }
        }
    }

    #[test]
    fn a_check_without_a_host_learns_whether_we_live_and_no_more() {
        let guard = network(TOKEN, &[]);
        assert_eq!(verdict(&guard, "GET /live HTTP/1.0", ""), 0);
        assert_eq!(verdict(&guard, "GET /ready?x HTTP/1.0", ""), 0);
        assert_eq!(verdict(&guard, "GET /status HTTP/1.0", ""), 421);
        assert_eq!(verdict(&guard, "GET /readyz HTTP/1.0", ""), 421);
        assert_eq!(verdict(&guard, "GET / HTTP/1.0", ""), 421);
    }

    #[test]
    fn a_token_is_demanded_of_all_but_what_tells_nothing() {
        let guard = network(TOKEN, &[]);
        let get = |path: &str, field: &str| {
            let fields = format!("Host: localhost:9900 | {field}");
            verdict(&guard, &format!("GET {path} HTTP/1.1"), fields.trim_end_matches(" | "))
        };
        assert_eq!([get("/live", ""), get("/ready", ""), get("/status", "")], [0, 0, 401]);
        assert_eq!([get("/", ""), get("/script.js", ""), get("/style.css", "")], [0, 0, 0]);
        assert_eq!(get("/status", &format!("Authorization: Bearer {TOKEN}")), 0);
        assert_eq!(get("/status", &format!("Authorization: bearer  {TOKEN}")), 0);
        for wrong in [
            "Basic YTpi",
            "Bearer",
            "Bearer ",
            "Bearer a-token-of-ours-1",
            "Bearer a-token-of-ours-17",
            "Bearer a-token-of-ours-16a-token-of-ours-16",
            "Bearer A-token-of-ours-16",
            "a-token-of-ours-16",
        ] {
            assert_eq!(get("/status", &format!("Authorization: {wrong}")), 401, "{wrong}");
        }
        let twice = format!("Authorization: Bearer {TOKEN} | Authorization: Bearer x");
        assert_eq!(get("/status", &twice), 401);
    }

    #[test]
    fn a_change_comes_from_no_page_of_another_site() {
        let guard = network("", &["lb1.example.org"]);
        let cases = [
            (0, "X-Evenly: 1"),
            (0, "x-evenly: "),
            (0, "X-Evenly: 1 | Sec-Fetch-Site: same-origin | Origin: http://localhost:9900"),
            (0, "X-Evenly: 1 | Sec-Fetch-Site: none"),
            (0, "X-Evenly: 1 | Origin: https://LOCALHOST:9900"),
            (403, "X-Evenlyx: 1"),
            (403, "Origin: http://localhost:9900"),
            (403, "X-Evenly: 1 | Sec-Fetch-Site: same-site"),
            (403, "X-Evenly: 1 | Sec-Fetch-Site: cross-site"),
            (403, "X-Evenly: 1 | Sec-Fetch-Site: none | Sec-Fetch-Site: cross-site"),
            (403, "X-Evenly: 1 | Origin: null"),
            (403, "X-Evenly: 1 | Origin: http://localhost:9901"),
            (403, "X-Evenly: 1 | Origin: http://localhost:9900.evil.test"),
            (403, "X-Evenly: 1 | Origin: http://lb1.example.org"),
        ];
        for (status, fields) in cases {
            let fields = format!("Host: localhost:9900 | Content-Length: 0 | {fields}");
            assert_eq!(verdict(&guard, "POST /pause HTTP/1.1", &fields), status, "{fields}");
        }
    }

    #[test]
    fn our_own_user_needs_neither_host_nor_token_but_says_what_it_means() {
        let post = |fields: &str| verdict(&Guard::User, "POST /pause HTTP/1.1", fields);
        assert_eq!(post("Host: evenly | Content-Length: 0 | X-Evenly: 1"), 0);
        assert_eq!(post("Host: evenly | Content-Length: 0"), 403);
        assert_eq!(verdict(&Guard::User, "GET /status HTTP/1.1", "Host: a"), 0);
    }
}
