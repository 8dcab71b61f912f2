//! A request as meant, and its bytes. What a caller puts into a part of it can never become more
//! than that part: each request is read back by the strict reader before any of it is sent.

use crate::http::{HeadLimits, Parsed, request, slots};
use crate::pool::hash::siphash;

/// Fields that say where the message or the connection ends: ours to write.
const OURS: [(&str, &str); 4] = [
    ("content-length", "the body decides it"),
    ("transfer-encoding", "bodies are sent with their length"),
    ("connection", "each try has a connection of its own"),
    ("upgrade", "a call ends with one whole answer"),
];

/// As in the proxy, so that all agree on whose backend is whose.
const KEY: [u64; 2] = [0, 0];

/// A request to whichever backend is picked.
///
/// ```
/// use evenly::client::Request;
/// let put = Request::new("PUT", "/orders/7").header("If-Match", "\"3\"").body(b"{}");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    key: Option<u64>,
}

impl Request {
    /// A request without headers of its own and without a body. The path starts with a slash and
    /// may have a query.
    #[must_use]
    pub fn new(method: &str, path: &str) -> Self {
        let (method, path) = (method.to_owned(), path.to_owned());
        Self { method, path, headers: Vec::new(), body: Vec::new(), key: None }
    }

    /// Adds a header. Host, User-Agent and Accept replace ours.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body. Its length is sent along.
    #[must_use]
    pub fn body(mut self, body: &[u8]) -> Self {
        body.clone_into(&mut self.body);
        self
    }

    /// What the policy `hash` goes by: a session, a customer or the like. Requests of one key go to
    /// one backend for as long as that is well. An Evenly whose `hash_by` names a header agrees
    /// where its value is the same.
    #[must_use]
    pub fn key(mut self, key: &[u8]) -> Self {
        self.key = Some(siphash(KEY, key));
        self
    }

    pub(super) fn method(&self) -> &str {
        &self.method
    }

    pub(super) fn hash_key(&self) -> Option<u64> {
        self.key
    }

    /// Whether it may be sent twice (RFC 9110 section 9.2.2). The error is a sentence about the
    /// part that is wrong.
    pub(super) fn check(&self, limits: &HeadLimits) -> Result<bool, String> {
        let Self { method, path, .. } = self;
        if !path.starts_with('/') {
            return Err(format!("path {path:?} does not start with a slash; write \"/{path}\""));
        }
        let names = self.headers.iter().map(|(name, _)| ("header name", name));
        let values = self.headers.iter().map(|(_, value)| ("header value", value));
        let parts = [("method", method), ("path", path)].into_iter().chain(names).chain(values);
        for (part, text) in parts {
            if text.contains(['\r', '\n', '\0']) {
                return Err(format!("{part} {text:?} has a control character; remove it"));
            }
        }
        for (name, _) in &self.headers {
            if let Some((_, why)) = OURS.iter().find(|(ours, _)| name.eq_ignore_ascii_case(ours)) {
                return Err(format!("header {name} cannot be set: {why}"));
            }
        }
        self.read_back(limits)
    }

    fn read_back(&self, limits: &HeadLimits) -> Result<bool, String> {
        let (bytes, mut slots) = (self.head("a.test"), slots());
        let request = || format!("request {:?} {:?}", self.method, self.path);
        match request::parse(&bytes, limits, &mut slots) {
            Ok(Parsed::Complete { head, length })
                if length == bytes.len()
                    && (head.method, head.target) == (&self.method, &self.path) =>
            {
                Ok(head.is_idempotent())
            }
            Ok(_) => Err(format!("{} is not one whole request", request())),
            Err(refusal) => Err(format!("{}: {}", request(), refusal.reason)),
        }
    }

    /// All that is sent to a backend that is called `authority`.
    pub(super) fn bytes(&self, authority: &str) -> Vec<u8> {
        let mut bytes = self.head(authority);
        bytes.extend_from_slice(&self.body);
        bytes
    }

    fn head(&self, authority: &str) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        let mut line = |name: &str, value: &str| head.extend([name, ": ", value, "\r\n"]);
        let agent = concat!("evenly/", env!("CARGO_PKG_VERSION"));
        for (name, value) in [("Host", authority), ("User-Agent", agent), ("Accept", "*/*")] {
            if !self.headers.iter().any(|(theirs, _)| theirs.eq_ignore_ascii_case(name)) {
                line(name, value);
            }
        }
        self.headers.iter().for_each(|(name, value)| line(name, value));
        // A length of 0 is said where the method expects a body (RFC 9110 section 8.6).
        if !self.body.is_empty() || ["POST", "PUT", "PATCH"].contains(&self.method.as_str()) {
            line("Content-Length", &self.body.len().to_string());
        }
        line("Connection", "close");
        head.push_str("\r\n");
        head.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(request: &Request) -> Result<bool, String> {
        request.check(&HeadLimits::default())
    }

    #[test]
    fn what_may_be_sent_twice_is_known() {
        for (method, idempotent) in
            [("GET", true), ("HEAD", true), ("PUT", true), ("DELETE", true), ("POST", false)]
        {
            assert_eq!(check(&Request::new(method, "/x?y=1")), Ok(idempotent), "{method}");
        }
        assert_eq!(check(&Request::new("PATCH", "/").body(b"x")), Ok(false));
    }

    #[test]
    fn headers_replace_ours_and_a_body_brings_its_length() {
        let request = Request::new("POST", "/").header("host", "b").header("X", "1").body(b"{}");
        let text = String::from_utf8(request.bytes("a:80")).unwrap();
        assert!(text.starts_with("POST / HTTP/1.1\r\nUser-Agent: evenly/"), "{text}");
        let end = "host: b\r\nX: 1\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
        assert!(text.ends_with(end), "{text}");
    }

    #[test]
    fn no_part_of_a_request_becomes_another_part() {
        let get = || Request::new("GET", "/");
        let cases = [
            (Request::new("GET", "x"), "path \"x\" does not start with a slash; write \"/x\""),
            (Request::new("GET", "/\r\nX: y"), "path \"/\\r\\nX: y\" has a control character"),
            (Request::new("GET", "/ HTTP/1.1"), "request \"GET\" \"/ HTTP/1.1\""),
            (Request::new("GET", "/a#b"), "request \"GET\" \"/a#b\": "),
            (Request::new("GE T", "/"), "request \"GE T\" \"/\""),
            (Request::new("", "/"), "request \"\" \"/\""),
            (Request::new("CONNECT", "/"), "request \"CONNECT\" \"/\": "),
            (get().header("A", "x\nB: y"), "header value \"x\\nB: y\" has a control character"),
            (get().header("A: x\r\nB", "y"), "header name \"A: x\\r\\nB\" has a control"),
            (get().header("A B", "y"), "request \"GET\" \"/\": "),
            (get().header("Content-length", "3"), "header Content-length cannot be set: the body"),
            (get().header("Transfer_Encoding", "chunked"), "request \"GET\" \"/\": "),
            (get().header("Upgrade", "h2c"), "header Upgrade cannot be set: "),
        ];
        for (request, words) in cases {
            let error = check(&request).unwrap_err();
            assert!(error.starts_with(words), "{error}");
        }
    }
}
