//! What backends are asked, and which answers are good ones.
//!
//! Called by the checks thread. Pure: an answer in, a verdict out.

use ureq::http::{self, Request};

use super::Settings;
use super::transport::Answer;
use crate::pool::{Backend, Statuses};

/// The question of all checks, as far as it is the same for every backend.
pub(super) struct Question {
    path: String,
    /// 404 and 405 count as up.
    is_path_a_guess: bool,
    expect: Option<Statuses>,
}

/// What an answer means.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) passed: bool,
    /// What was seen: `status 200`.
    pub(super) seen: String,
    /// The status by which a backend says that it does not know the default path. That is well
    /// enough.
    pub(super) unknown_path: Option<u16>,
}

impl Question {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            path: settings.path.clone(),
            is_path_a_guess: !settings.path_set && settings.expect.is_none(),
            expect: settings.expect.clone(),
        }
    }

    /// The request to `backend`. It follows no redirect and uses no proxy, whatever the environment
    /// says: the question is how this one backend is.
    pub(super) fn request(&self, backend: &Backend) -> Result<Request<()>, http::Error> {
        // Where it goes is decided elsewhere; the authority only makes the URL a whole one.
        Request::get(format!("http://backend{}", self.path))
            .header("Host", backend.authority())
            .header("Connection", "close")
            .body(())
    }

    /// For a sentence: `GET /health`.
    pub(super) fn words(&self) -> String {
        format!("GET {}", self.path)
    }

    /// What `answer` says about the backend.
    pub(super) fn judge(&self, answer: &Answer) -> Verdict {
        let status = answer.status;
        let is_healthy = match &self.expect {
            Some(expect) => expect.contains(status),
            None => (200..300).contains(&status),
        };
        let unknown_path =
            Some(status).filter(|it| self.is_path_a_guess && [404, 405].contains(it));
        let passed = is_healthy || unknown_path.is_some();
        let seen = match status {
            300..400 if !passed => format!("status {status}, not followed"),
            _ => format!("status {status}"),
        };
        Verdict { passed, seen, unknown_path }
    }
}
