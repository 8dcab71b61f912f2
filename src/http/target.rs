//! Where a request wants to go: the forms of its target, and the host (RFC 9112 section 3.2).
//!
//! `request` calls it. It must never change a path: two readers that normalise differently
//! disagree about what was asked for.

use std::net::Ipv6Addr;

use super::Broken;

/// A target, reduced to what is sent on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target<'b> {
    /// A path with its query, or `*`. It starts with `?` where an absolute target had no path.
    pub(super) path: &'b str,
    /// The authority of an absolute target. It replaces Host.
    pub(super) authority: Option<&'b str>,
}

/// Reads the target of any method but CONNECT.
pub(super) fn read<'b>(target: &'b str, method: &str) -> Result<Target<'b>, Broken> {
    check_characters(target)?;
    if target.starts_with('/') {
        return Ok(Target { path: target, authority: None });
    }
    let options = method == "OPTIONS";
    if target == "*" {
        let path = options.then_some(target).ok_or("target * with a method other than OPTIONS")?;
        return Ok(Target { path, authority: None });
    }
    let rest = strip_scheme(target).ok_or("the target is neither a path nor an http URL")?;
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let authority = Some(host(authority.as_bytes())?);
    let path = match path {
        "" if options => "*",
        "" => "/",
        path => path,
    };
    Ok(Target { path, authority })
}

/// A fragment never travels, other scripts travel percent-encoded, and a backslash in a path is a
/// slash to some servers. Browsers send it unencoded in queries, where it means nothing.
fn check_characters(target: &str) -> Result<(), Broken> {
    let bytes = target.as_bytes();
    if bytes.iter().fold(false, |bad, byte| bad | (*byte == b'#') | (*byte >= 0x80)) {
        return Err("a # or a character outside ASCII in the target");
    }
    let backslash = bytes.iter().fold(false, |found, byte| found | (*byte == b'\\'));
    if backslash && target.split('?').next().is_some_and(|path| path.contains('\\')) {
        return Err("a backslash in the target's path");
    }
    Ok(())
}

fn strip_scheme(target: &str) -> Option<&str> {
    let (scheme, rest) = target.split_once("://")?;
    let known = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    known.then_some(rest)
}

/// Checks a `host[:port]`, as Host and authorities have it: an IPv6 address in brackets, an IPv4
/// address or a name. Of what RFC 3986 section 3.2.2 allows in a name, the comma is refused
/// (a list of hosts to some readers) and so is percent-encoding (nobody agrees on its meaning).
pub(super) fn host(value: &[u8]) -> Result<&str, Broken> {
    const BAD: Broken = "the host is not a name or an address with an optional port";
    let text = std::str::from_utf8(value).map_err(|_| BAD)?;
    let port = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']').ok_or(BAD)?;
            address.parse::<Ipv6Addr>().map_err(|_| BAD)?;
            port
        }
        None => {
            let end = value.iter().position(|byte| !is_name_byte(*byte)).unwrap_or(value.len());
            let (name, port) = text.split_at(end);
            if name.is_empty() {
                return Err(BAD);
            }
            port
        }
    };
    if is_port(port) { Ok(text) } else { Err(BAD) }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&'..=b'+' | b';' | b'=')
}

/// Nothing, or a colon and a port; RFC 3986 section 3.2.3 lets the digits be left out.
fn is_port(text: &str) -> bool {
    match text.strip_prefix(':') {
        Some("") => true,
        Some(digits) => {
            digits.bytes().all(|byte| byte.is_ascii_digit())
                && digits.parse::<u16>().is_ok_and(|port| port > 0)
        }
        None => text.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path<'b>(target: &'b str, method: &str) -> Option<(&'b str, Option<&'b str>)> {
        read(target, method).ok().map(|target| (target.path, target.authority))
    }

    #[test]
    fn a_path_goes_on_as_it_came() {
        for target in ["/", "//x", "/a?b=c?d", "/a|b", "/\"q\"?x=\\y", "/%00", "/../x"] {
            assert_eq!(path(target, "GET"), Some((target, None)));
        }
    }

    #[test]
    fn an_absolute_target_becomes_a_path_and_a_host() {
        assert_eq!(path("http://a.test/p?q", "GET"), Some(("/p?q", Some("a.test"))));
        assert_eq!(path("HTTPS://a.test:8443", "GET"), Some(("/", Some("a.test:8443"))));
        assert_eq!(path("http://[::1]:80/", "GET"), Some(("/", Some("[::1]:80"))));
        assert_eq!(path("http://a.test?q=1", "GET"), Some(("?q=1", Some("a.test"))));
        assert_eq!(path("http://a.test?q=/", "GET"), Some(("?q=/", Some("a.test"))));
        assert_eq!(path("http://a.test", "OPTIONS"), Some(("*", Some("a.test"))));
        assert_eq!(path("http://a.test/", "OPTIONS"), Some(("/", Some("a.test"))));
    }

    #[test]
    fn userinfo_and_strange_schemes_are_refused() {
        for target in ["http://u@a.test/", "http://u:p@a.test/", "http://", "http:///x", "ftp://a/"]
        {
            assert_eq!(path(target, "GET"), None, "{target}");
        }
        for target in ["a.test:80", "x", "http:/a", "javascript://x", "", "?q", "http://a,b/"] {
            assert_eq!(path(target, "GET"), None, "{target}");
        }
    }

    #[test]
    fn an_asterisk_is_for_options_only() {
        assert_eq!(path("*", "OPTIONS"), Some(("*", None)));
        assert_eq!(path("*", "GET"), None);
        assert_eq!(path("*x", "OPTIONS"), None);
    }

    #[test]
    fn fragments_other_scripts_and_backslashes_in_a_path_are_refused() {
        for target in ["/a#b", "/a?b#c", "/caf\u{e9}", "/a\\b", "/a\\b?c", "http://a.test\\b/"] {
            assert_eq!(path(target, "GET"), None, "{target}");
        }
    }

    #[test]
    fn hosts_are_names_or_addresses_with_a_port() {
        for good in ["a", "a.test:8080", "a_b", "192.0.2.1:1", "[::1]", "[2001:db8::1]:65535", "a:"]
        {
            assert_eq!(host(good.as_bytes()), Ok(good));
        }
        for bad in
            ["", ":80", "a:0", "a:65536", "a:+1", "a:1:2", "u@a", "a b", "a,b", "a/b", "a%41"]
        {
            assert!(host(bad.as_bytes()).is_err(), "{bad}");
        }
        for bad in ["[", "[]", "[::1", "[::1]x", "[::1%25lo]", "[v1.x]", "::1", "a?b", "\u{e9}"] {
            assert!(host(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(host(b"\xff").is_err());
    }
}
