//! A request on its way to a backend: its head rebuilt from parsed values, with our own fields.
//!
//! The upstream side calls it once an attempt. It must never send a field that the client could
//! use to speak for us, unless the client is a proxy that the operator trusts.

use std::net::IpAddr;
use std::ops::Range;

use super::fields::{self, Name};
use super::likeness::Likeness;
use super::request::Request;
use super::{Claims, Framing, Version, render};
use crate::text::address;

/// What Evenly knows about the request and the client does not say.
#[derive(Clone, Copy, Debug)]
pub struct Forwarding<'a> {
    /// Who sent it.
    pub peer: IpAddr,
    /// `http`, or `https` if that came over TLS.
    pub peer_proto: &'a str,
    /// For whom: another one only if the peer is trusted.
    pub client: IpAddr,
    /// How that one asked.
    pub proto: &'a str,
    /// Whether the peer is one of `trusted_proxies`: then what it says about origins is kept.
    pub trusted: bool,
    /// Fields that go no further unless it is.
    pub claims: &'a Claims,
    /// Whether to add Forwarded (RFC 7239) as well.
    pub forwarded: bool,
    /// Whether to add Via (RFC 9110 7.6.3).
    pub via: bool,
    /// Whether an offer of `Upgrade: h2c` goes on.
    pub upgrade_h2c: bool,
    /// The name of this request in logs. A trusted peer's own X-Request-Id goes before it.
    pub request_id: &'a str,
}

impl Request<'_, '_> {
    /// Appends the head as it is sent to a backend, always as HTTP/1.1. Where an HTTP/1.0 client
    /// names no host, it lacks the Host that 1.1 demands: [`name_host`] adds it. Returns where the
    /// request's name in logs stands.
    pub fn write_forward(&self, out: &mut Vec<u8>, how: &Forwarding) -> Range<usize> {
        self.write_request_line(out);
        if !self.host.is_empty() {
            render::field(out, "Host", self.host.as_bytes());
        }
        for (index, field) in self.fields.iter().enumerate() {
            if !self.rewritten.has(index) && self.goes_on(field.name.as_bytes(), how) {
                render::field(out, field.name, field.value);
            }
        }
        self.write_framing(out, how);
        let id = self.write_origin(out, how);
        out.extend_from_slice(b"\r\n");
        id
    }

    /// A claim of a trusted peer is not nominated away either: the client before it may have named
    /// it in a Connection field that the peer let through.
    fn goes_on(&self, name: &[u8], how: &Forwarding) -> bool {
        match how.claims.likeness(name) {
            Likeness::Different => !self.connection.nominates(name),
            Likeness::Same => how.trusted,
            Likeness::Disguised => false,
        }
    }

    fn write_request_line(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.method.as_bytes());
        out.push(b' ');
        if self.target.starts_with('?') {
            out.push(b'/');
        }
        out.extend_from_slice(self.target.as_bytes());
        out.extend_from_slice(b" HTTP/1.1\r\n");
    }

    fn write_framing(&self, out: &mut Vec<u8>, how: &Forwarding) {
        match self.framing {
            Framing::Length(length) => render::number_field(out, "Content-Length", length),
            Framing::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
            Framing::None | Framing::UntilClose => {}
        }
        if self.expects_continue {
            out.extend_from_slice(b"Expect: 100-continue\r\n");
        }
        let h2c = (self.h2c && how.upgrade_h2c).then_some("h2c");
        if let Some(protocol) = self.upgrade.or(h2c) {
            out.extend_from_slice(b"Connection: upgrade\r\n");
            render::field(out, "Upgrade", protocol.as_bytes());
        } else if self.wants_trailers {
            // Whoever sends TE names it there (RFC 9110 10.1.4).
            out.extend_from_slice(b"Connection: TE\r\nTE: trailers\r\n");
        }
        if let Some(hops) = self.max_forwards {
            render::number_field(out, "Max-Forwards", hops.saturating_sub(1));
        }
    }

    fn write_origin(&self, out: &mut Vec<u8>, how: &Forwarding) -> Range<usize> {
        let said = if how.trusted { self.write_trusted(out, how) } else { Said::default() };
        out.extend_from_slice(b"X-Forwarded-For: ");
        if !self.write_earlier(out, how, Name::ForwardedFor) && how.client != how.peer {
            address(out, how.client);
            out.extend_from_slice(b", ");
        }
        address(out, how.peer);
        out.extend_from_slice(b"\r\n");
        render::field(out, "X-Forwarded-Proto", how.proto.as_bytes());
        if !said.host && !self.host.is_empty() {
            render::field(out, "X-Forwarded-Host", self.host.as_bytes());
        }
        if how.forwarded {
            out.extend_from_slice(b"Forwarded: ");
            if !self.write_earlier(out, how, Name::Forwarded) && how.client != how.peer {
                write_asker(out, how.client);
                out.extend_from_slice(b";proto=");
                out.extend_from_slice(how.proto.as_bytes());
                out.extend_from_slice(b", ");
            }
            self.write_element(out, how);
        }
        let id = said.request_id.unwrap_or_else(|| write_id(out, how.request_id.as_bytes()));
        if how.via {
            out.extend_from_slice(match self.version {
                Version::Http11 => b"Via: 1.1 evenly\r\n",
                Version::Http10 => b"Via: 1.0 evenly\r\n",
            });
        }
        id
    }

    /// Passes on what a trusted peer says, but for the lists: those get one more element.
    fn write_trusted(&self, out: &mut Vec<u8>, how: &Forwarding) -> Said {
        let mut said = Said::default();
        for (index, field) in self.fields.iter().enumerate() {
            if !self.rewritten.has(index) {
                continue;
            }
            match fields::classify(field.name.as_bytes()) {
                Name::ForwardedHost => said.host = true,
                Name::RequestId if !field.value.is_empty() => {
                    said.request_id = Some(write_id(out, field.value));
                    continue;
                }
                Name::Forwarded if !how.forwarded && self.believes(Name::Forwarded) => {}
                _ => continue,
            }
            render::field(out, field.name, field.value);
        }
        said
    }

    /// The elements of a list that a trusted peer began, each with a comma after it; false if there
    /// are none.
    fn write_earlier(&self, out: &mut Vec<u8>, how: &Forwarding, list: Name) -> bool {
        if !how.trusted || !self.believes(list) {
            return false;
        }
        let before = out.len();
        for value in self.lists(list) {
            out.extend_from_slice(value);
            out.extend_from_slice(b", ");
        }
        out.len() > before
    }

    /// A proxy that writes X-Forwarded-For may let a Forwarded of its client's through: where there
    /// are both, only the first says who asks, and the other goes no further.
    fn believes(&self, list: Name) -> bool {
        list != Name::Forwarded || self.lists(Name::ForwardedFor).next().is_none()
    }

    /// The values of a list, but for empty ones.
    fn lists(&self, list: Name) -> impl Iterator<Item = &[u8]> {
        let ours = move |name: &str| fields::classify(name.as_bytes()) == list;
        let fields = self.fields.iter().filter(move |it| !it.value.is_empty() && ours(it.name));
        fields.map(|field| field.value)
    }

    /// RFC 7239 section 4. A host has passed the checks of `target` and holds neither a quote nor a
    /// backslash.
    fn write_element(&self, out: &mut Vec<u8>, how: &Forwarding) {
        write_asker(out, how.peer);
        if !self.host.is_empty() {
            out.extend_from_slice(b";host=\"");
            out.extend_from_slice(self.host.as_bytes());
            out.push(b'"');
        }
        out.extend_from_slice(b";proto=");
        out.extend_from_slice(how.peer_proto.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

/// Writes X-Request-Id, and returns where its value stands.
fn write_id(out: &mut Vec<u8>, id: &[u8]) -> Range<usize> {
    render::field(out, "X-Request-Id", id);
    let end = out.len() - "\r\n".len();
    end - id.len()..end
}

/// The first half of an element of Forwarded. Quotes are needed around an IPv6 address and a port.
fn write_asker(out: &mut Vec<u8>, asker: IpAddr) {
    let six = asker.to_canonical().is_ipv6();
    out.extend_from_slice(if six { b"for=\"[" } else { b"for=" });
    address(out, asker);
    out.extend_from_slice(if six { b"]\"" } else { b"" });
}

/// Writes a Host line into a head for a client that named none, in place of the one that was
/// written for a backend before. `place` is where that stands, or at first the empty place behind
/// the request line; returned is where it stands now.
pub fn name_host(head: &mut Vec<u8>, place: Range<usize>, host: &str) -> Range<usize> {
    let mut line = Vec::with_capacity(host.len() + "Host: \r\n".len());
    render::field(&mut line, "Host", host.as_bytes());
    let start = place.start;
    let length = line.len();
    head.splice(place, line);
    start..start + length
}

/// Which of our fields a trusted peer has already sent.
#[derive(Default)]
struct Said {
    host: bool,
    request_id: Option<Range<usize>>,
}

#[cfg(test)]
mod tests;
