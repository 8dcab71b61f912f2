//! The Location of a redirect: where a request is to go on, in full.
//!
//! The proxy's redirect mode calls it. Of what the client sent it must take nothing but the checked
//! target's path and query: whatever these are, they stay behind an authority that is ours, so no
//! request can turn the answer into a way to somewhere else.

/// `origin` is ours: scheme and authority, with no slash at the end. `target` is that of a
/// [`Request`](super::request::Request), whose bytes are printable ASCII: a path with its query,
/// which goes on as it came; a query alone, which gets the path `/`; or `*`, which is the origin
/// with no path at all (RFC 9110 section 7.1).
#[must_use]
pub fn location(origin: &str, target: &str) -> String {
    match target.as_bytes().first() {
        Some(b'/') => format!("{origin}{target}"),
        Some(b'?') => format!("{origin}/{target}"),
        _ => origin.to_owned(),
    }
}

/// Where the host of a [`Request`](super::request::Request), which is a checked name or address
/// with an optional port, is by https at `port`.
#[must_use]
pub fn secure_origin(host: &str, port: u16) -> String {
    let end = host.rfind(']').map_or(0, |bracket| bracket + 1);
    let name = &host[..host[end..].find(':').map_or(host.len(), |colon| end + colon)];
    match port {
        443 => format!("https://{name}"),
        port => format!("https://{name}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{HeadLimits, Parsed, request, slots};
    use proptest::prelude::*;

    /// The Location for a request with this target, if its head is let through.
    fn redirected(method: &str, target: &str) -> Option<String> {
        let head = format!("{method} {target} HTTP/1.1\r\nHost: evil.test\r\n\r\n");
        match request::parse(head.as_bytes(), &HeadLimits::default(), &mut slots()) {
            Ok(Parsed::Complete { head, .. }) => Some(location("http://a:1", head.target)),
            _ => None,
        }
    }

    #[test]
    fn a_path_stays_behind_the_authority_whatever_it_looks_like() {
        for (target, expected) in [
            ("/", "http://a:1/"),
            ("/a/b?c=d&e", "http://a:1/a/b?c=d&e"),
            ("//evil.test/", "http://a:1//evil.test/"),
            ("/@evil.test/", "http://a:1/@evil.test/"),
            ("/..//../x", "http://a:1/..//../x"),
            ("/%0d%0aSet-Cookie:x=y", "http://a:1/%0d%0aSet-Cookie:x=y"),
            ("/http://evil.test/", "http://a:1/http://evil.test/"),
            ("/?next=http://evil.test/\\", "http://a:1/?next=http://evil.test/\\"),
            ("http://evil.test/p?q", "http://a:1/p?q"),
            ("https://evil.test", "http://a:1/"),
            ("http://evil.test?q=//x", "http://a:1/?q=//x"),
            ("http://evil.test//evil.test", "http://a:1//evil.test"),
        ] {
            assert_eq!(redirected("GET", target).as_deref(), Some(expected));
        }
    }

    #[test]
    fn an_asterisk_is_the_origin_itself() {
        assert_eq!(redirected("OPTIONS", "*").as_deref(), Some("http://a:1"));
        assert_eq!(redirected("OPTIONS", "http://evil.test").as_deref(), Some("http://a:1"));
    }

    #[test]
    fn https_is_at_the_same_name_and_its_own_port() {
        for (host, port, expected) in [
            ("a.test", 443, "https://a.test"),
            ("a.test:80", 443, "https://a.test"),
            ("a.test:", 443, "https://a.test"),
            ("a.test:8080", 8443, "https://a.test:8443"),
            ("[::1]:80", 443, "https://[::1]"),
            ("[2001:db8::1]", 8443, "https://[2001:db8::1]:8443"),
            ("192.0.2.1:8080", 443, "https://192.0.2.1"),
        ] {
            assert_eq!(secure_origin(host, port), expected);
        }
    }

    proptest! {
        #[test]
        fn no_target_leaves_the_origin_or_the_line(target in "[ -~\r\n\t]{0,40}") {
            if let Some(location) = redirected("GET", &target) {
                prop_assert!(location.starts_with("http://a:1/"), "{}", location);
                prop_assert!(location.bytes().all(|byte| byte.is_ascii_graphic()), "{}", location);
            }
        }
    }
}
