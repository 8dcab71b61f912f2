//! Why a call has no answer, in words that name each backend. Made by the call, shown by the
//! command.

use std::fmt;
use std::io;
use std::time::Duration;

use crate::config::Errors;
use crate::pool::GaveUp;

/// Why there is no answer, or no client.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The configuration makes no sense. Nothing was started.
    Config(Errors),
    /// The request makes no sense, and this sentence says why. Nothing was sent.
    Request(String),
    /// No backend is left: each was skipped, or has failed this request.
    NoneLeft {
        /// Each backend, in the order of the file, and why.
        skipped: Vec<Skipped>,
        /// How long the call waited for one to be well again.
        waited: Duration,
    },
    /// A backend failed, and the request may not be sent again.
    Failed {
        /// The backend, and how it failed.
        last: Skipped,
        /// Why not again.
        because: GaveUp,
    },
    /// The answer's body is longer than [`with_body_limit`](super::Client::with_body_limit).
    TooLong {
        /// The backend that sent it.
        backend: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// We are out of descriptors, memory or threads: no backend's fault.
    System(io::Error),
}

/// A backend that was not used, or not to the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its name.
    pub backend: String,
    /// `check failed: status 503 (0.4 ms)`, `connect failed: Connection refused (os error 111)`
    pub why: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(errors) => errors.fmt(f),
            Self::Request(what) => f.write_str(what),
            Self::NoneLeft { skipped, waited } => {
                f.write_str("no backend is left")?;
                if !waited.is_zero() {
                    write!(f, " after a wait of {:.1} s", waited.as_secs_f64())?;
                }
                skipped.iter().enumerate().try_for_each(|(index, one)| {
                    let before = if index == 0 { ": " } else { "; " };
                    write!(f, "{before}{one}")
                })
            }
            Self::Failed { last, because } => write!(f, "{last}; {because}"),
            Self::TooLong { backend, limit } => {
                write!(f, "{backend}: the answer is longer than the limit of {limit} bytes")
            }
            Self::System(error) => write!(f, "out of our own means: {error}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Config(errors) => Some(errors),
            Self::System(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.backend, self.why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skipped(backend: &str, why: &str) -> Skipped {
        Skipped { backend: backend.into(), why: why.into() }
    }

    #[test]
    fn each_backend_is_named_with_its_reason() {
        let two = vec![skipped("a", "check failed: status 503"), skipped("b", "drain")];
        let none = Error::NoneLeft { skipped: two.clone(), waited: Duration::ZERO };
        let words = "no backend is left: a: check failed: status 503; b: drain";
        assert_eq!(none.to_string(), words);
        let waited = Duration::from_millis(1540);
        let none = Error::NoneLeft { skipped: two, waited }.to_string();
        assert!(none.starts_with("no backend is left after a wait of 1.5 s: a: "), "{none}");
    }

    #[test]
    fn a_failure_says_why_there_was_no_other_try() {
        let error = Error::Failed { last: skipped("a", "reset"), because: GaveUp::MayHaveActed };
        assert_eq!(error.to_string(), "a: reset; not sent again, for it may have been acted on");
    }
}
