//! The grammars of addresses, and of names that stand for one. Called by the forms of keys, and by
//! those of routes and `[admin]`; resolves no name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::config::message::quote;

/// Longest host name (RFC 1035 section 2.3.4), as text without the final dot.
pub(super) const HOST_BYTES_MAX: usize = 253;

/// An address to listen on; names are left out, so that nothing needs resolving.
pub(in crate::config) fn listen(text: &str) -> Result<SocketAddr, String> {
    listen_or((Ipv4Addr::UNSPECIFIED, 8080), text)
}

/// The same; who writes less is told of the rest of this.
pub(super) fn listen_or(
    (usual, port_usual): (Ipv4Addr, u16),
    text: &str,
) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let bare = text.split_once("://").map_or(text, |(_, rest)| rest).trim_end_matches('/');
    let (host, port) = bare.rsplit_once(':').unwrap_or(("", bare));
    let ipv6 = |host: &str| host.parse::<Ipv6Addr>().ok();
    // Without brackets the port passes for the end of an IPv6 address: "::1:8099", ":::80".
    let meant = ipv6(host).or_else(|| ipv6(&format!("{host}:"))).filter(|_| port.len() > 1);
    let (host, port) = match bare.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(address) if meant.is_none() => (address.to_string(), port_usual), // it ends in no port
        _ => (host.to_string(), port.parse::<u16>().unwrap_or(port_usual)),
    };
    let address = match host.trim_matches(['[', ']']) {
        "localhost" => Ok(Ipv4Addr::LOCALHOST.into()),
        host => meant.map_or_else(|| host.parse(), |meant| Ok(meant.into())),
    };
    let address = address.unwrap_or(IpAddr::V4(usual));
    let remedy = SocketAddr::new(address, port);
    let what = match meant {
        Some(_) => "needs brackets around the IPv6 address; write",
        None => "is not an address and a port; write for example",
    };
    Err(format!("{} {what} \"{remedy}\"", quote(text)))
}

/// An address or a host name, in one spelling each: IPv6 without brackets, names in lower case.
pub(in crate::config) fn host(text: &str) -> Result<String, String> {
    host_fits(text)?;
    if let Some(host) = host_or_none(text) {
        return Ok(host);
    }
    let said = quote(text);
    if text.contains("://") {
        return Err(format!("{said} is a URL; write the address alone, and the port under port"));
    }
    if let Some((host, port)) = text.rsplit_once(':')
        && port.parse::<u16>().is_ok()
        && host_or_none(host).is_some()
    {
        return Err(format!("{said} holds a port; write \"{host}\" and port = \"{port}\""));
    }
    Err(format!("{said} is neither an address nor a host name, such as \"127.0.0.1\""))
}

/// Refuses what is longer than any.
pub(in crate::config) fn host_fits(text: &str) -> Result<(), String> {
    if text.strip_suffix('.').unwrap_or(text).len() <= HOST_BYTES_MAX {
        return Ok(());
    }
    Err(format!("{} bytes are too many for a host; it has up to {HOST_BYTES_MAX}", text.len()))
}

/// The same as [`host`] without a word of why: what explains a text may ask it of a part.
pub(in crate::config) fn host_or_none(text: &str) -> Option<String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Some(address.to_canonical().to_string());
    }
    let label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len()) && label.bytes().all(plain) && !label.starts_with('-')
    };
    let name = text.strip_suffix('.').unwrap_or(text);
    // A last label of digits makes it an IPv4 address, and then a broken one (RFC 3696 section 2).
    let number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_name = name.len() <= HOST_BYTES_MAX && name.split('.').all(label) && !number(last);
    is_name.then(|| text.to_ascii_lowercase())
}
