//! What came of a try, and of a check: what a backend's health and the policy's view of it go by.

use std::fmt;
use std::time::Duration;

use crate::text::Took;

/// What came of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The backend answered, well or not: its status says which.
    Answered {
        /// 100 to 599.
        status: u16,
        /// From the request's last byte to the answer's first.
        latency: Duration,
    },
    /// The backend has taken a connection of which nobody here reads a byte.
    Connected {
        /// How long that took.
        latency: Duration,
    },
    /// The backend failed.
    Failed(Fault),
    /// The client left, or we are stopping: nothing is known about the backend.
    Abandoned,
}

/// How a backend failed. Our own limits (descriptors, ports) are never a fault of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No connection came about, in time or at all.
    Connect,
    /// The connection ended before the answer did.
    Reset,
    /// The answer, or its next byte, came too late.
    Timeout,
    /// What came was no HTTP: a TLS alert, the greeting of another protocol, garbage.
    NoHttp,
    /// An answer came, and our rules refuse it: the application's word for this request, which its
    /// other instances would give too.
    BadAnswer,
}

/// One check's result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckOutcome {
    /// Whether the backend counts as healthy by it.
    pub passed: bool,
    /// It asks to be drained instead, which counts neither for nor against its health: `[health]
    /// drain`.
    pub asks_drain: bool,
    /// What was seen: `status 200`, `connect timed out after 500ms`.
    pub seen: String,
    /// How long it took.
    pub took: Duration,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered { status, .. } => write!(f, "status {status}"),
            Self::Connected { .. } => f.write_str("connected"),
            Self::Failed(fault) => fault.fmt(f),
            Self::Abandoned => f.write_str("abandoned"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Connect => "connect failed",
            Self::Reset => "connection reset",
            Self::Timeout => "timed out",
            Self::NoHttp => "no HTTP",
            Self::BadAnswer => "bad answer",
        })
    }
}

impl CheckOutcome {
    /// What it comes to, as a predicate of the check.
    pub fn verdict(&self) -> &'static str {
        match (self.asks_drain, self.passed) {
            (true, _) => "asks to be drained",
            (false, true) => "passed",
            (false, false) => "failed",
        }
    }
}

impl fmt::Display for CheckOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "check {}: {} ({})", self.verdict(), self.seen, Took(self.took))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_worded_for_the_log() {
        let faults =
            [Fault::Connect, Fault::Reset, Fault::Timeout, Fault::NoHttp, Fault::BadAnswer];
        let words = faults.map(|fault| Outcome::Failed(fault).to_string());
        let expected = ["connect failed", "connection reset", "timed out", "no HTTP", "bad answer"];
        assert_eq!(words, expected);
        assert_eq!(
            Outcome::Answered { status: 503, latency: Duration::ZERO }.to_string(),
            "status 503"
        );
        assert_eq!(Outcome::Connected { latency: Duration::ZERO }.to_string(), "connected");
        assert_eq!(Outcome::Abandoned.to_string(), "abandoned");
    }
}
