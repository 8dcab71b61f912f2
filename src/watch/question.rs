//! What backends are asked, and which answers are good ones.
//!
//! Called by the checks thread. Pure: an answer in, a verdict out.

use std::fmt::Write;

use super::Settings;
use super::answer::CheckAnswer;
use crate::pool::{Backend, Statuses, authority, bracketed};

/// The port that a Host field need not name where TLS is spoken (RFC 9110 section 4.2.2).
const HTTPS: u16 = 443;

/// The question, as far as it is the same for every backend.
pub(super) struct Question {
    connects_only: bool,
    method: &'static str,
    path: String,
    host: Option<String>,
    headers: Vec<String>,
    port: Option<u16>,
    /// 404 and 405 count as up.
    is_path_a_guess: bool,
    expect: Option<Statuses>,
    contains: Option<String>,
    drain: Statuses,
}

/// A request of a check, whole.
pub(super) struct CheckRequest {
    pub(super) method: &'static str,
    pub(super) head: Vec<u8>,
}

/// What a request says of the program, and what it takes, unless the configuration says otherwise.
const OWN_FIELDS: [&str; 2] =
    [concat!("User-Agent: evenly-check/", env!("CARGO_PKG_VERSION")), "Accept: */*"];

/// What an answer means.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) passed: bool,
    /// The application asks for no new requests.
    pub(super) asks_drain: bool,
    /// What was seen: `status 200`.
    pub(super) seen: String,
    /// The status by which a backend says that it does not know the default path. That is well
    /// enough.
    pub(super) unknown_path: Option<u16>,
}

impl Question {
    pub(super) fn new(settings: &Settings) -> Self {
        let Settings { path_set, expect, contains, drain, .. } = settings;
        Self {
            connects_only: settings.connects_only,
            method: settings.method,
            path: settings.path.clone(),
            host: settings.host.clone(),
            headers: settings.headers.clone(),
            port: settings.port,
            // Whoever says what a good answer is knows the page.
            is_path_a_guess: !path_set && expect.is_none() && contains.is_none(),
            expect: expect.clone(),
            contains: contains.clone(),
            drain: drain.clone(),
        }
    }

    /// The port that checks of `backend` go to.
    pub(super) fn port(&self, backend: &Backend) -> u16 {
        backend.health_port().or(self.port).unwrap_or(backend.port())
    }

    /// The request to `backend`; none where its connection says enough. It follows no redirect and
    /// uses no proxy, whatever the environment says: the question is how this one backend is.
    pub(super) fn request(&self, backend: &Backend) -> Option<CheckRequest> {
        if self.connects_only {
            return None;
        }
        let (method, path, host) = (self.method, &self.path, self.host(backend));
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
        let name = |field: &str| field.split(':').next().unwrap_or_default().to_ascii_lowercase();
        let is_own = |own: &&str| !self.headers.iter().any(|field| name(field) == name(own));
        let own = OWN_FIELDS.into_iter().filter(is_own);
        for field in own.chain(self.headers.iter().map(String::as_str)) {
            let _ = write!(head, "{field}\r\n"); // a String takes every text
        }
        head.push_str("\r\n");
        Some(CheckRequest { method, head: head.into_bytes() })
    }

    fn host(&self, backend: &Backend) -> String {
        let port = self.port(backend);
        match (&self.host, backend.tls_name()) {
            (Some(host), _) => host.clone(),
            (None, Some(name)) if port == HTTPS => bracketed(name).into_owned(),
            (None, name) => authority(name.unwrap_or(backend.host()), port),
        }
    }

    /// For a sentence: `GET /health`, and the port if it is another than the backend's.
    pub(super) fn words(&self, backend: &Backend) -> String {
        let (Self { method, path, .. }, port) = (self, self.port(backend));
        match port == backend.port() {
            true => format!("{method} {path}"),
            false => format!("{method} {path} at port {port}"),
        }
    }

    /// What `answer` says about the backend; none is that its connection came about, and no more
    /// was asked.
    pub(super) fn judge(&self, answer: Option<&CheckAnswer>) -> Verdict {
        let Some(answer) = answer else {
            let seen = "connected".to_owned();
            return Verdict { passed: true, asks_drain: false, seen, unknown_path: None };
        };
        let status = answer.status;
        if self.drain.contains(status) {
            let seen = format!("status {status}");
            return Verdict { passed: false, asks_drain: true, seen, unknown_path: None };
        }
        let is_healthy = match &self.expect {
            Some(expect) => expect.contains(status),
            None => (200..300).contains(&status),
        };
        let unknown_path =
            Some(status).filter(|it| self.is_path_a_guess && [404, 405].contains(it));
        let missing = self.missing(answer).filter(|_| is_healthy);
        let passed = (is_healthy && missing.is_none()) || unknown_path.is_some();
        let seen = match (missing, status) {
            (Some(missing), _) => format!("status {status}, but {missing}"),
            (None, 300..400) if !passed => format!("status {status}, not followed"),
            _ => format!("status {status}"),
        };
        Verdict { passed, asks_drain: false, seen, unknown_path }
    }

    /// A sentence about the text that is not in the body.
    fn missing(&self, answer: &CheckAnswer) -> Option<String> {
        let (text, body) = (self.contains.as_ref()?, &answer.body);
        if body.windows(text.len()).any(|window| window == text.as_bytes()) {
            return None;
        }
        let (read, most) = (body.len(), if answer.is_cut { ", the most" } else { "" });
        Some(format!("the body does not contain {text:?} ({read} bytes read{most})"))
    }
}
