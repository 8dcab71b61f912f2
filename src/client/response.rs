//! A whole answer. Made by the call, when the last byte of it is here.

use std::borrow::Cow;
use std::fmt;

/// A backend's answer.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Vec<u8>,
    pub(super) backend: String,
    pub(super) tries: u32,
}

impl Response {
    /// 200 to 999.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Each header in order: its name as it came, and its value.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// The first header of that name, in any case, if its value is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let named = self.headers.iter().find(|(theirs, _)| theirs.eq_ignore_ascii_case(name));
        std::str::from_utf8(&named?.1).ok()
    }

    /// The body, all of it.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body for keeps.
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }

    /// The body as text; what is not UTF-8 in it shows as U+FFFD.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The name of the backend that gave it.
    pub fn backend(&self) -> &str {
        &self.backend
    }

    /// How many tries it took, at least 1.
    pub fn tries(&self) -> u32 {
        self.tries
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, backend, tries, .. } = self;
        write!(f, "{status} of {backend} at try {tries}: {}", self.text())
    }
}
