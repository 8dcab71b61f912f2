//! The request of a run: written once into bytes that every worker sends again and again. It must
//! never let an option become more than the field it was meant to be.

use crate::plain::url::Url;

/// Fields that say where the message or the connection ends: ours to write.
const FRAMING: [(&str, &str); 3] = [
    ("content-length", "the body decides it"),
    ("transfer-encoding", "bodies are sent with their length"),
    ("connection", "--no-keep-alive is there for it"),
];

/// Methods that a client may send again when a connection breaks (RFC 9110 section 9.2.2).
const IDEMPOTENT: [&str; 6] = ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"];

/// A request as meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadRequest {
    /// Where it goes.
    pub url: Url,
    /// A token in its own spelling, such as GET. CONNECT is refused.
    pub method: String,
    /// Names and values. One that is written anyway (Host, User-Agent, Accept) replaces ours.
    pub headers: Vec<(String, String)>,
    /// The body, sent with its length.
    pub body: Vec<u8>,
    /// Whether connections are used again. Without it each request asks for the close.
    pub keep_alive: bool,
}

impl LoadRequest {
    /// A plain GET over connections that are kept.
    #[must_use]
    pub fn get(url: Url) -> LoadRequest {
        let (headers, body) = (Vec::new(), Vec::new());
        LoadRequest { url, method: "GET".into(), headers, body, keep_alive: true }
    }

    /// Whether it may be sent twice without harm.
    pub(super) fn is_idempotent(&self) -> bool {
        IDEMPOTENT.contains(&self.method.as_str())
    }

    /// The bytes to send. The error is a sentence about the method or the header that is wrong.
    pub(super) fn bytes(&self) -> Result<Vec<u8>, String> {
        check_method(&self.method)?;
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.url.path());
        let agent = concat!("evenly/", env!("CARGO_PKG_VERSION"));
        let ours = [("Host", self.url.authority()), ("User-Agent", agent), ("Accept", "*/*")];
        for (name, value) in ours {
            if !self.headers.iter().any(|(theirs, _)| theirs.eq_ignore_ascii_case(name)) {
                line(&mut head, name, value);
            }
        }
        for (name, value) in &self.headers {
            check_header(name, value)?;
            line(&mut head, name, value);
        }
        // A length of 0 is said where the method expects a body (RFC 9110 section 8.6).
        if !self.body.is_empty() || ["POST", "PUT", "PATCH"].contains(&self.method.as_str()) {
            line(&mut head, "Content-Length", &self.body.len().to_string());
        }
        if !self.keep_alive {
            line(&mut head, "Connection", "close");
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        Ok(bytes)
    }
}

fn line(head: &mut String, name: &str, value: &str) {
    head.extend([name, ": ", value, "\r\n"]);
}

fn check_method(method: &str) -> Result<(), String> {
    if !is_token(method) {
        return Err(format!("method {method:?} is no word; use one such as GET"));
    }
    if method == "CONNECT" {
        return Err("method CONNECT opens a tunnel and has no answer to measure".into());
    }
    Ok(())
}

fn check_header(name: &str, value: &str) -> Result<(), String> {
    if !is_token(name) {
        return Err(format!("header name {name:?} is no word; write \"Name: value\""));
    }
    if value.chars().any(|c| c.is_control() && c != '\t') {
        return Err(format!("header {name} has a control character in its value {value:?}"));
    }
    match FRAMING.iter().find(|(ours, _)| name.eq_ignore_ascii_case(ours)) {
        Some((_, why)) => Err(format!("header {name} cannot be set: {why}")),
        None => Ok(()),
    }
}

/// RFC 9110 section 5.6.2.
fn is_token(text: &str) -> bool {
    let mark = |byte| b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || mark(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get() -> LoadRequest {
        LoadRequest::get("http://a.test:81/x?y".parse().unwrap())
    }

    fn text(request: &LoadRequest) -> String {
        String::from_utf8(request.bytes().unwrap()).unwrap()
    }

    #[test]
    fn a_get_says_what_is_needed_and_no_more() {
        let agent = concat!("evenly/", env!("CARGO_PKG_VERSION"));
        let head = format!("Host: a.test:81\r\nUser-Agent: {agent}\r\nAccept: */*\r\n");
        assert_eq!(text(&get()), format!("GET /x?y HTTP/1.1\r\n{head}\r\n"));
        let close = LoadRequest { keep_alive: false, ..get() };
        assert!(text(&close).ends_with("\r\nConnection: close\r\n\r\n"));
    }

    #[test]
    fn headers_replace_ours_and_a_body_brings_its_length() {
        let headers = [("host", "b"), ("X-A", "1"), ("X-A", "2")];
        let headers = headers.map(|(name, value)| (name.into(), value.into())).to_vec();
        let post = LoadRequest { method: "POST".into(), headers, body: b"{}".to_vec(), ..get() };
        let text = text(&post);
        assert!(text.contains("\r\nhost: b\r\nX-A: 1\r\nX-A: 2\r\n") && !text.contains("Host"));
        assert!(text.ends_with("\r\nContent-Length: 2\r\n\r\n{}"), "{text}");
    }

    #[test]
    fn a_post_without_a_body_says_so() {
        let post = LoadRequest { method: "POST".into(), ..get() };
        assert!(text(&post).ends_with("\r\nContent-Length: 0\r\n\r\n"));
    }

    #[test]
    fn what_would_break_the_message_is_refused() {
        for method in ["", "GE T", "GET\r\n", "CONNECT"] {
            assert!(LoadRequest { method: method.into(), ..get() }.bytes().is_err(), "{method}");
        }
        let bad = [("", "x"), ("A B", "x"), ("A:", "x"), ("A", "x\r\nB: y"), ("A", "\0")];
        for (name, value) in bad {
            let headers = vec![(name.into(), value.into())];
            assert!(LoadRequest { headers, ..get() }.bytes().is_err(), "{name} {value}");
        }
        let headers = vec![("Content-length".into(), "3".into())];
        let error = LoadRequest { headers, ..get() }.bytes().unwrap_err();
        assert_eq!(error, "header Content-length cannot be set: the body decides it");
    }
}
