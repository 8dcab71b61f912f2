//! The PROXY protocol, versions 1 and 2: the few bytes in front of a connection by which a proxy
//! says whose it is. Bytes in, bytes out; the source is HAProxy's proxy-protocol.txt.
//!
//! Called by the relay, where one is required of a client or owed to a backend, and by the checks.
//! It must never guess: what is no preface in all its parts is refused, for whoever reads it
//! otherwise takes one client for another. Whom to believe is for the caller to know.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// The longest preface that is taken: a larger one is refused unread.
pub const BYTES_MAX: usize = V2_HEAD_BYTES + V2_REST_BYTES_MAX;

/// How version 1 begins.
const V1: &[u8] = b"PROXY ";
/// A line of it, with the CR LF at its end.
const V1_BYTES_MAX: usize = 107;

/// How version 2 begins.
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// What stands in front of the addresses: that, the command, the family and a length.
const V2_HEAD_BYTES: usize = 16;
/// Addresses and extensions (TLVs). Those of AWS take 84 bytes, of HAProxy with a client's whole
/// certificate some 2 KiB.
const V2_REST_BYTES_MAX: usize = 4096;

/// In which form a preface is written. Both are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

/// The two ends of a client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The client's.
    pub from: SocketAddr,
    /// Where it connected to.
    pub to: SocketAddr,
}

/// What the first bytes of a connection come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A preface so far, and not its end.
    Partial,
    /// A preface.
    Whole {
        /// Whose connection it is. None is the sender's own, or of a kind that has no such
        /// addresses: the connection's own ends hold.
        ends: Option<Ends>,
        /// Its bytes: whatever follows them belongs to the client.
        length: usize,
    },
}

/// Why the first bytes of a connection are no preface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

/// Reads the preface that `bytes` begin with.
///
/// # Errors
/// They do not begin with one, whatever may follow.
pub fn parse(bytes: &[u8]) -> Result<Parsed, Malformed> {
    let may_become = |start: &[u8]| start.iter().zip(bytes).all(|(one, other)| one == other);
    match bytes.first() {
        None => Ok(Parsed::Partial),
        Some(b'\r') if may_become(V2) => parse_v2(bytes),
        Some(b'P') if may_become(V1) => parse_v1(bytes),
        Some(0x16) => Err(Malformed("TLS begins without it")),
        Some(b'A'..=b'Z') => Err(Malformed("what looks like a request begins without it")),
        Some(_) => Err(Malformed("the first bytes are those of another protocol")),
    }
}

/// A line that ends otherwise, or later, is refused: whoever takes a line feed alone for its end
/// would read the rest of it as a request.
fn parse_v1(bytes: &[u8]) -> Result<Parsed, Malformed> {
    const ENDLESS: Malformed = Malformed("version 1: no end of the line within 107 bytes");
    let line = &bytes[..bytes.len().min(V1_BYTES_MAX)];
    let end = line.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(line.len());
    match &line[end..] {
        [b'\r', b'\n', ..] => {
            let ends = ends_v1(&line[V1.len().min(end)..end])?;
            Ok(Parsed::Whole { ends, length: end + 2 })
        }
        [] | [b'\r'] if line.len() < V1_BYTES_MAX => Ok(Parsed::Partial),
        [] | [b'\r'] => Err(ENDLESS),
        _ => Err(Malformed("version 1: the line does not end with CR LF")),
    }
}

/// What the line says behind its first word.
fn ends_v1(said: &[u8]) -> Result<Option<Ends>, Malformed> {
    if said == b"UNKNOWN" || said.starts_with(b"UNKNOWN ") {
        return Ok(None); // and whatever stands behind that
    }
    let words = std::str::from_utf8(said).unwrap_or_default().split(' ').collect::<Vec<_>>();
    let &[family, from, to, from_port, to_port] = words.as_slice() else {
        return Err(Malformed("version 1: not the six words that it has"));
    };
    let address = match family {
        "TCP4" => |text: &str| text.parse().map(IpAddr::V4).ok(),
        "TCP6" => |text: &str| text.parse().map(IpAddr::V6).ok(),
        _ => return Err(Malformed("version 1: neither TCP4 nor TCP6 nor UNKNOWN")),
    };
    let (Some(from), Some(to)) = (address(from), address(to)) else {
        return Err(Malformed("version 1: not an address of the family that it names"));
    };
    let (Some(from_port), Some(to_port)) = (port(from_port), port(to_port)) else {
        return Err(Malformed("version 1: not a port, of 0 to 65535 and without leading zeros"));
    };
    let ends = Ends { from: (from, from_port).into(), to: (to, to_port).into() };
    Ok(Some(ends))
}

/// As the number alone: `u16` takes a plus and zeros in front of it.
fn port(text: &str) -> Option<u16> {
    let is_plain = text == "0" || text.starts_with(|first: char| matches!(first, '1'..='9'));
    u16::from_str(text).ok().filter(|_| is_plain)
}

/// What is known to be wrong is refused before the rest is here.
fn parse_v2(bytes: &[u8]) -> Result<Parsed, Malformed> {
    let (command, family) = (bytes.get(12).copied(), bytes.get(13).copied());
    let is_proxied = match command {
        None => return Ok(Parsed::Partial),
        Some(0x20) => false, // LOCAL, whatever the family
        Some(0x21) => true,
        Some(_) => return Err(Malformed("version 2: an unknown version or command")),
    };
    if is_proxied && family.is_some_and(|family| family >> 4 > 3 || family & 15 > 2) {
        return Err(Malformed("version 2: an unknown family or protocol"));
    }
    let Some(&[high, low]) = bytes.get(14..V2_HEAD_BYTES) else {
        return Ok(Parsed::Partial);
    };
    let rest_length = usize::from(u16::from_be_bytes([high, low]));
    let needed = match family.filter(|_| is_proxied) {
        Some(0x11 | 0x12) => 12,
        Some(0x21 | 0x22) => 36,
        Some(0x31 | 0x32) => 216,
        _ => 0,
    };
    if rest_length > V2_REST_BYTES_MAX {
        return Err(Malformed("version 2: longer than 4096 bytes"));
    }
    if rest_length < needed {
        return Err(Malformed("version 2: too short for its addresses"));
    }
    let length = V2_HEAD_BYTES + rest_length;
    let Some(rest) = bytes.get(V2_HEAD_BYTES..length) else {
        return Ok(Parsed::Partial);
    };
    let ends = match family.filter(|_| is_proxied) {
        Some(0x11) => ends_v2(rest, |address: [u8; 4]| address.into()),
        Some(0x21) => ends_v2(rest, |address: [u8; 16]| address.into()),
        _ => None, // of a datagram, a Unix socket, or nothing that is said
    };
    Ok(Parsed::Whole { ends, length })
}

/// Two addresses, then two ports, in network byte order.
fn ends_v2<const N: usize>(rest: &[u8], address: fn([u8; N]) -> IpAddr) -> Option<Ends> {
    let (from, rest) = rest.split_first_chunk()?;
    let (to, rest) = rest.split_first_chunk()?;
    let (from_port, rest) = rest.split_first_chunk()?;
    let (to_port, _) = rest.split_first_chunk()?;
    let end = |at: &[u8; N], port: &[u8; 2]| (address(*at), u16::from_be_bytes(*port)).into();
    Some(Ends { from: end(from, from_port), to: end(to, to_port) })
}

/// The preface of a connection that is made for a client with these ends; none for one that is made
/// for its own sake. At most 107 bytes.
pub fn write(version: Version, ends: Option<Ends>) -> Vec<u8> {
    let ends = ends.map(Ends::of_one_family);
    match version {
        Version::V1 => write_v1(ends),
        Version::V2 => write_v2(ends),
    }
}

fn write_v1(ends: Option<Ends>) -> Vec<u8> {
    let Some(Ends { from, to }) = ends else {
        return b"PROXY UNKNOWN\r\n".to_vec();
    };
    let family = if from.is_ipv4() { "TCP4" } else { "TCP6" };
    let (from_ip, to_ip, from_port, to_port) = (from.ip(), to.ip(), from.port(), to.port());
    format!("PROXY {family} {from_ip} {to_ip} {from_port} {to_port}\r\n").into_bytes()
}

fn write_v2(ends: Option<Ends>) -> Vec<u8> {
    let mut out = V2.to_vec();
    let Some(Ends { from, to }) = ends else {
        out.extend_from_slice(&[0x20, 0, 0, 0]);
        return out;
    };
    out.extend_from_slice(if from.is_ipv4() { &[0x21, 0x11, 0, 12] } else { &[0x21, 0x21, 0, 36] });
    for ip in [from.ip(), to.ip()] {
        match ip {
            IpAddr::V4(four) => out.extend_from_slice(&four.octets()),
            IpAddr::V6(six) => out.extend_from_slice(&six.octets()),
        }
    }
    for port in [from.port(), to.port()] {
        out.extend_from_slice(&port.to_be_bytes());
    }
    out
}

impl Ends {
    /// A preface has one family for both: where they differ, the IPv4 one is written as IPv6 (RFC
    /// 4291 section 2.5.5.2). An IPv4 client of an IPv6 socket is written as what it is.
    fn of_one_family(self) -> Self {
        let [from, to] = [self.from, self.to].map(|end| end.ip().to_canonical());
        let as_six = |ip: IpAddr| -> Ipv6Addr {
            match ip {
                IpAddr::V4(four) => four.to_ipv6_mapped(),
                IpAddr::V6(six) => six,
            }
        };
        let [from, to] = match from.is_ipv4() == to.is_ipv4() {
            true => [from, to],
            false => [from, to].map(|ip| as_six(ip).into()),
        };
        Self { from: (from, self.from.port()).into(), to: (to, self.to.port()).into() }
    }
}

#[cfg(test)]
mod tests;
