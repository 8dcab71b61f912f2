//! Who asks, and how: decided once, when a request's head is read, and used wherever it matters, by
//! the log, the policy `hash`, the passive checks, the sticky cookie and the forwarded fields.
//!
//! A peer speaks for itself, unless it is one of `trusted_proxies`: then it says for whom. Who the
//! client is must never be believed of the client itself; how it asked is, for whoever lies there
//! gets cookies and links that do not suit it, and no more.

use crate::config::Network;
use crate::http::request::Request;
use std::net::{IpAddr, SocketAddr};

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) client: IpAddr,
    /// The client asked by https.
    pub(crate) secure: bool,
}

impl Origin {
    /// As `http` or `https`.
    pub(crate) fn proto(self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }

    /// Whom a trusted peer asks for: by X-Forwarded-For, or by Forwarded (RFC 7239) where it has
    /// none of that. X-Forwarded-Proto goes before what Forwarded says; of a list of them the first
    /// counts, as the client's own connection is the one that its browser knows of.
    pub(crate) fn behind(self, request: &Request, proxies: &[Network]) -> Self {
        let mut addresses =
            members(request, "x-forwarded-for").map(|named| (named, None)).peekable();
        let elements = elements(request).into_iter().map(|element| {
            (parameter(element, "for").unwrap_or_default(), parameter(element, "proto"))
        });
        let (client, said) = match addresses.peek() {
            Some(_) => nearest_stranger(self.client, addresses, proxies),
            None => nearest_stranger(self.client, elements, proxies),
        };
        let proto = members(request, "x-forwarded-proto").last();
        let secure = proto.and_then(is_secure).or_else(|| said.and_then(is_secure));
        Self { client, secure: secure.unwrap_or(self.secure) }
    }
}

/// Each proxy appends the one that asked it, so a list is read from its end, up to the first
/// address that is no proxy of ours: what stands before it was written by who knows whom. What is
/// no address (`unknown`, `_hidden`) ends it too. Returned with what was said beside that address.
fn nearest_stranger<'r>(
    peer: IpAddr,
    named: impl Iterator<Item = (&'r [u8], Option<&'r [u8]>)>,
    proxies: &[Network],
) -> (IpAddr, Option<&'r [u8]>) {
    let mut nearest = (peer, None);
    for (text, said) in named {
        let Some(address) = address(text) else { break };
        nearest = (address, said);
        if !proxies.iter().any(|network| network.contains(address)) {
            break;
        }
    }
    nearest
}

/// The members of all lists of that name, from the last to the first; empty ones say nothing (RFC
/// 9110 5.6.1).
fn members<'b>(request: &Request<'_, 'b>, name: &str) -> impl Iterator<Item = &'b [u8]> {
    let lists = request.values(name).rev();
    let members = lists.flat_map(|list| list.rsplit(|byte| *byte == b','));
    members.map(<[u8]>::trim_ascii).filter(|member| !member.is_empty())
}

/// The elements of all Forwarded lists, from the last to the first. Some of their words, such as
/// the Host, are the client's own, in quotes: what stands in these parts nothing. A list whose
/// quotes do not end says nothing, and ends it all.
fn elements<'b>(request: &Request<'_, 'b>) -> Vec<&'b [u8]> {
    let lists = request.values("forwarded").rev();
    let members = lists.map_while(|list| split_unquoted(list, b','));
    members.flat_map(|all| all.into_iter().rev()).filter(|element| !element.is_empty()).collect()
}

/// The pieces between separators that stand in no quotes (RFC 9110 5.6.4); none if a quote does not
/// end.
fn split_unquoted(text: &[u8], separator: u8) -> Option<Vec<&[u8]>> {
    let (mut pieces, mut start) = (Vec::new(), 0);
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in text.iter().enumerate() {
        match *byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            byte if byte == separator && !quoted => {
                pieces.push(text[start..at].trim_ascii());
                start = at + 1;
            }
            _ => {}
        }
    }
    pieces.push(text[start..].trim_ascii());
    (!quoted).then_some(pieces)
}

/// The value of a parameter in an element of Forwarded, without its quotes (RFC 7239 section 4).
fn parameter<'e>(element: &'e [u8], name: &str) -> Option<&'e [u8]> {
    let value = split_unquoted(element, b';')?.into_iter().find_map(|pair| {
        let (key, value) = pair.split_at_checked(name.len())?;
        key.eq_ignore_ascii_case(name.as_bytes()).then(|| value.strip_prefix(b"="))?
    })?;
    let quoted = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    Some(quoted.unwrap_or(value))
}

/// An address as proxies write it, some of them with a port, and IPv6 with brackets.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let alone = bare.unwrap_or(text).parse().ok();
    alone
        .or_else(|| text.parse().map(|with_port: SocketAddr| with_port.ip()).ok())
        .map(|address: IpAddr| address.to_canonical())
}

/// What a proxy says of the client's connection; some call it by its inner protocol (RFC 6455).
fn is_secure(proto: &[u8]) -> Option<bool> {
    let is = |names: [&str; 2]| names.iter().any(|it| proto.eq_ignore_ascii_case(it.as_bytes()));
    match () {
        () if is(["https", "wss"]) => Some(true),
        () if is(["http", "ws"]) => Some(false),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{HeadLimits, Parsed, request, slots};

    /// Who asks by a head with these fields, of a peer at 10.0.0.1 that is one of the proxies.
    fn behind(fields: &str) -> (String, bool) {
        let proxies = ["10.0.0.0/8", "fd00::/8"].map(|text| text.parse().unwrap());
        let own = Origin { client: "10.0.0.1".parse().unwrap(), secure: false };
        let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        let mut slots = slots();
        match request::parse(head.as_bytes(), &HeadLimits::default(), &mut slots) {
            Ok(Parsed::Complete { head, .. }) => {
                let origin = own.behind(&head, &proxies);
                (origin.client.to_string(), origin.secure)
            }
            other => panic!("{fields:?}: {other:?}"),
        }
    }

    #[test]
    fn the_client_is_the_last_that_is_no_proxy_of_ours() {
        for (list, expected) in [
            ("", "10.0.0.1"),
            ("192.0.2.7", "192.0.2.7"),
            ("198.51.100.1, 192.0.2.7,10.0.0.2", "192.0.2.7"),
            ("192.0.2.7\r\nx-forwarded-for: fd00::2", "192.0.2.7"),
            ("6.6.6.6\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-For: 10.0.0.2", "192.0.2.7"),
            ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
            ("192.0.2.7:4711", "192.0.2.7"),
            ("[2001:db8::1]:80", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("2001:DB8::1", "2001:db8::1"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("192.0.2.7, ::ffff:10.0.0.2", "192.0.2.7"),
            ("192.0.2.7,, ,", "192.0.2.7"),
            ("192.0.2.7, unknown, 10.0.0.2", "10.0.0.2"),
            ("192.0.2.7, _secret", "10.0.0.1"),
            ("192.0.2.7, 1.2.3.4.5", "10.0.0.1"),
            ("192.0.2.7, 010.0.0.2", "10.0.0.1"),
            ("192.0.2.7, fe80::1%eth0", "10.0.0.1"),
            ("192.0.2.7, \u{e4}", "10.0.0.1"),
        ] {
            let fields = format!("X-Forwarded-For: {list}\r\n");
            assert_eq!(behind(&fields).0, expected, "{list:?}");
        }
    }

    #[test]
    fn forwarded_is_read_where_that_is_missing() {
        for (fields, expected) in [
            ("Forwarded: for=192.0.2.7\r\n", ("192.0.2.7", false)),
            ("Forwarded: For=\"192.0.2.7:80\";proto=https;by=x\r\n", ("192.0.2.7", true)),
            ("Forwarded: for=\"[2001:db8::1]:80\"\r\n", ("2001:db8::1", false)),
            (
                "Forwarded: for=6.6.6.6, proto=https;for=192.0.2.7, for=10.0.0.2;proto=http\r\n",
                ("192.0.2.7", true),
            ),
            ("Forwarded: for=192.0.2.7\r\nForwarded: for=10.0.0.2\r\n", ("192.0.2.7", false)),
            ("Forwarded: for=192.0.2.7, for=unknown;proto=https\r\n", ("10.0.0.1", false)),
            ("Forwarded: for=192.0.2.7, proto=https\r\n", ("10.0.0.1", false)),
            ("Forwarded: for=\"6.6.6.6, for=192.0.2.7\r\n", ("10.0.0.1", false)),
            (
                "Forwarded: for=192.0.2.7;host=\"a,for=6.6.6.6;x=y\";proto=http\r\n",
                ("192.0.2.7", false),
            ),
            ("Forwarded: for=192.0.2.7;host=\"a;proto=https;x\"\r\n", ("192.0.2.7", false)),
            ("Forwarded: host=\"\\\", for=6.6.6.6\";for=192.0.2.7\r\n", ("192.0.2.7", false)),
            (
                "Forwarded: for=6.6.6.6\r\nForwarded: for=\"1\r\nForwarded: for=10.0.0.2\r\n",
                ("10.0.0.2", false),
            ),
            ("Forwarded: forx=192.0.2.7\r\n", ("10.0.0.1", false)),
            ("X-Forwarded-For: ,\r\nForwarded: for=192.0.2.7\r\n", ("192.0.2.7", false)),
            (
                "X-Forwarded-For: 192.0.2.7\r\nForwarded: for=6.6.6.6;proto=https\r\n",
                ("192.0.2.7", false),
            ),
        ] {
            assert_eq!(behind(fields), (expected.0.to_owned(), expected.1), "{fields:?}");
        }
    }

    #[test]
    fn how_the_client_asked_is_said_by_the_first_of_a_list() {
        for (protos, secure) in [
            ("https", true),
            ("HTTPS", true),
            ("http", false),
            ("https, http", true),
            ("http,https", false),
            ("https\r\nX-Forwarded-Proto: http", true),
            ("wss", true),
            ("gopher", false),
            ("https;", false),
            ("", false),
        ] {
            assert_eq!(behind(&format!("X-Forwarded-Proto: {protos}\r\n")).1, secure, "{protos}");
        }
        let both = "X-Forwarded-Proto: http\r\nForwarded: for=192.0.2.7;proto=https\r\n";
        assert_eq!(behind(both), ("192.0.2.7".to_owned(), false));
    }
}
