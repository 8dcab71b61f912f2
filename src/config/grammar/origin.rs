//! Origins: the scheme and authority under which clients reach an application (RFC 6454 section 4).
//!
//! Goes into answers in front of a request's own path, so it must never let through anything that
//! could end the authority anywhere else.

use super::{host, quote};

/// `http://` or `https://`, a host, and a port if it is not the scheme's own. In one spelling:
/// names in lower case, no slash at the end.
pub(in crate::config) fn read(text: &str) -> Result<String, String> {
    let said = quote(text);
    let scheme = ["http://", "https://"].into_iter().find(|scheme| text.starts_with(scheme));
    let Some(scheme) = scheme else {
        return Err(match host_and_port(text) {
            Some(authority) => format!("{said} has no scheme; write \"http://{authority}\""),
            None => format!("{said} is no http URL; write for example \"https://a.example.org\""),
        });
    };
    let rest = &text[scheme.len()..];
    let (authority, beyond) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    match host_and_port(authority) {
        Some(authority) if beyond.is_empty() => Ok(format!("{scheme}{authority}")),
        Some(authority) => {
            Err(format!("{said} goes on after the host; write \"{scheme}{authority}\" alone"))
        }
        None => Err(format!(
            "{said} names no host and port; write for example \"https://a.example.org\""
        )),
    }
}

/// None for userinfo, a port out of range, IPv6 without brackets.
pub(super) fn host_and_port(text: &str) -> Option<String> {
    let end = text.rfind(']').map_or(0, |bracket| bracket + 1);
    let (name, port) = text.split_at(text[end..].find(':').map_or(text.len(), |at| end + at));
    let bracketed = name.starts_with('[');
    let host = host(name).ok().filter(|host| host.contains(':') == bracketed)?;
    let name = if bracketed { format!("[{host}]") } else { host };
    match port.strip_prefix(':') {
        None => Some(name),
        Some(digits) => {
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            let port = digits.parse::<u16>().ok().filter(|port| plain && *port > 0)?;
            Some(format!("{name}:{port}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_one_spelling() {
        for (text, origin) in [
            ("https://a.example.org", "https://a.example.org"),
            ("http://A.Test:8080", "http://a.test:8080"),
            ("http://192.0.2.1", "http://192.0.2.1"),
            ("https://[::1]:443", "https://[::1]:443"),
            ("https://[2001:DB8::0]", "https://[2001:db8::]"),
            ("http://a:080", "http://a:80"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(origin));
        }
    }

    #[test]
    fn what_could_end_the_authority_elsewhere_is_none() {
        for authority in [
            "",
            ":80",
            "a:",
            "a:0",
            "a:65536",
            "a:+1",
            "a:1:2",
            "u@a",
            "u:p@a",
            "a b",
            "a,b",
            "a%41",
            "::1",
            "[::1",
            "[]",
            "[::1]x",
            "[::1]x:1",
            "[a]",
            "[127.0.0.1]",
            "a\\b",
            "a\r\nb",
            "a\"",
            "*.a",
            "é",
            "1.2.3",
            "]",
            "a]:1",
            "[::1%25lo]",
        ] {
            assert!(read(&format!("http://{authority}")).is_err(), "{authority}");
        }
        for text in ["//a", "ftp://a", "javascript://a", "HTTP://a", "http:/a", "a", ""] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
