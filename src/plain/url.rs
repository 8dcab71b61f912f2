//! Where to send: an http or https URL, taken apart. The command line and whoever plans a run parse
//! one. It must never guess: what two readers could take in two ways is refused with a sentence.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// An `http://` or `https://` URL (RFC 3986, RFC 9110 section 4.2) without user and fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    tls: bool,
    host: String,
    port: u16,
    /// As the Host field has it.
    authority: String,
    path: String,
}

impl Url {
    /// True for https.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// The name or address to connect to; an IPv6 address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port to connect to: 80, or 443 for https, unless the URL says another.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The value of Host: the port is left out where it is the usual one.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Path and query, at least `/`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", if self.tls { "https" } else { "http" }, self.authority, self.path)
    }
}

impl FromStr for Url {
    /// A sentence that quotes the URL and says what to do.
    type Err = String;

    fn from_str(text: &str) -> Result<Url, String> {
        read(text).map_err(|what| format!("URL \"{}\": {what}", text.escape_debug()))
    }
}

fn read(text: &str) -> Result<Url, String> {
    let (tls, rest) = split_scheme(text)?;
    let usual = if tls { 443 } else { 80 };
    if let Some(bad) = rest.chars().find(|c| !c.is_ascii_graphic()) {
        return Err(format!("{bad:?} must be percent-encoded"));
    }
    if rest.contains('#') {
        return Err("what follows # is never sent; leave it out".into());
    }
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err("it names a user; send an Authorization header instead".into());
    }
    let (host, port) = split_port(authority, usual)?;
    let bracketed = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let authority = if port == usual { bracketed } else { format!("{bracketed}:{port}") };
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Ok(Url { tls, host: host.to_owned(), port, authority, path })
}

/// Whether it is https, and what follows.
fn split_scheme(text: &str) -> Result<(bool, &str), String> {
    match text.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => Ok((false, rest)),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => Ok((true, rest)),
        Some((scheme, _)) => Err(format!("unknown scheme {scheme:?}; use http:// or https://")),
        None => Err(format!("it does not begin with http://; write http://{}", text.trim())),
    }
}

fn split_port(authority: &str, usual: u16) -> Result<(&str, u16), String> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or("the bracket [ is not closed")?;
            if host.parse::<Ipv6Addr>().is_err() {
                return Err(format!("[{host}] is not an IPv6 address"));
            }
            (host, port)
        }
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    if host.is_empty() {
        return Err("it names no host; write http://HOST/".into());
    }
    let name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if !authority.starts_with('[') && !host.bytes().all(name_byte) {
        return Err(format!("{host:?} is neither a host name nor an address"));
    }
    Ok((host, read_port(port, usual)?))
}

fn read_port(text: &str, usual: u16) -> Result<u16, String> {
    let Some(digits) = text.strip_prefix(':') else {
        let junk = || format!("expected a colon and a port behind the host, not {text:?}");
        return if text.is_empty() { Ok(usual) } else { Err(junk()) };
    };
    let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok());
    match number.flatten() {
        Some(port) if port > 0 => Ok(port),
        _ => Err(format!("port {digits:?}: expected a number from 1 to 65535")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (String, u16, String, String) {
        let url: Url = text.parse().unwrap();
        (url.host, url.port, url.authority, url.path)
    }

    fn expect(text: &str, host: &str, port: u16, authority: &str, path: &str) {
        assert_eq!(parts(text), (host.into(), port, authority.into(), path.into()), "{text}");
    }

    #[test]
    fn a_url_is_taken_apart_and_gets_its_defaults() {
        expect("http://a.test", "a.test", 80, "a.test", "/");
        expect("HTTP://a.test:80/x?y=/", "a.test", 80, "a.test", "/x?y=/");
        expect("http://127.0.0.1:8080?q", "127.0.0.1", 8080, "127.0.0.1:8080", "/?q");
        expect("http://[::1]:8080/", "::1", 8080, "[::1]:8080", "/");
        expect("http://[::1]", "::1", 80, "[::1]", "/");
        expect("HTTPS://a.test", "a.test", 443, "a.test", "/");
        expect("https://[::1]:80/", "::1", 80, "[::1]:80", "/");
    }

    #[test]
    fn a_url_is_shown_as_it_is_sent() {
        for text in ["http://a.test/", "http://[::1]:81/x?y", "https://a.test:80/"] {
            assert_eq!(text.parse::<Url>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn bad_urls_are_refused_with_a_remedy() {
        let cases = r#"
            ftp://a/ -> unknown scheme "ftp"; use http:// or https://
            localhost:80 -> it does not begin with http://; write http://localhost:80
            http:// -> it names no host; write http://HOST/
            http://:80/ -> it names no host; write http://HOST/
            http://u@a/ -> it names a user; send an Authorization header instead
            http://a/x#y -> what follows # is never sent; leave it out
            http://a:0/ -> port "0": expected a number from 1 to 65535
            http://a:+1/ -> port "+1": expected a number from 1 to 65535
            http://a:65536/ -> port "65536": expected a number from 1 to 65535
            http://a:/ -> port "": expected a number from 1 to 65535
            http://::1/ -> it names no host; write http://HOST/
            http://[::1/ -> the bracket [ is not closed
            http://[x]/ -> [x] is not an IPv6 address
            http://[::1]80/ -> expected a colon and a port behind the host, not "80"
            http://a,b/ -> "a,b" is neither a host name nor an address
            http://a/x y -> ' ' must be percent-encoded
        "#;
        for (text, what) in cases.lines().filter_map(|line| line.trim().split_once(" -> ")) {
            assert_eq!(text.parse::<Url>(), Err(format!("URL \"{text}\": {what}")));
        }
    }
}
