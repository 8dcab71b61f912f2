//! What can go wrong with an exchange, each under a name that stays. `kept` finds it, `tally`
//! counts it. It must never hold more than one example of each: a dead server is asked often.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use crate::blame::Blame;
use crate::plain::client::LinkError;

/// Why there was no whole, sound answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LoadFault {
    /// Nobody listens there: the connect was refused.
    Refused,
    /// The connect failed in another way, such as no route.
    Unreachable,
    /// The server did not prove who it is, or what it speaks is no TLS.
    Tls,
    /// The exchange, its connect included, took longer than the timeout.
    Timeout,
    /// The connection was reset before the answer was whole.
    Reset,
    /// The connection was closed before the answer's head was whole.
    Closed,
    /// The connection was closed inside a body: shorter than announced, or cut off.
    ShortBody,
    /// More bytes came than the answer announced.
    LongBody,
    /// The answer breaks a rule of HTTP.
    Malformed,
    /// This machine ran out of ports, descriptors or buffers: no fault of the server.
    Local,
}

impl LoadFault {
    /// Each of them, in the order of a report.
    pub const ALL: [LoadFault; 10] = [
        LoadFault::Refused,
        LoadFault::Unreachable,
        LoadFault::Tls,
        LoadFault::Timeout,
        LoadFault::Reset,
        LoadFault::Closed,
        LoadFault::ShortBody,
        LoadFault::LongBody,
        LoadFault::Malformed,
        LoadFault::Local,
    ];

    /// The key in `--json`.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            LoadFault::Refused => "refused",
            LoadFault::Unreachable => "unreachable",
            LoadFault::Tls => "tls",
            LoadFault::Timeout => "timeout",
            LoadFault::Reset => "reset",
            LoadFault::Closed => "closed",
            LoadFault::ShortBody => "short_body",
            LoadFault::LongBody => "long_body",
            LoadFault::Malformed => "malformed",
            LoadFault::Local => "local",
        }
    }

    /// For people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            LoadFault::Refused => "connection refused",
            LoadFault::Unreachable => "unreachable",
            LoadFault::Tls => "TLS failed",
            LoadFault::Timeout => "timed out",
            LoadFault::Reset => "connection reset",
            LoadFault::Closed => "closed early",
            LoadFault::ShortBody => "body shorter than announced",
            LoadFault::LongBody => "body longer than announced",
            LoadFault::Malformed => "bad answer",
            LoadFault::Local => "out of ports or descriptors here",
        }
    }
}

/// How often something went wrong, and how it looked the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failures {
    /// Exchanges.
    pub count: u64,
    /// One of them in words.
    pub example: String,
}

/// One exchange that failed.
#[derive(Debug)]
pub(super) struct FailedExchange {
    pub(super) fault: LoadFault,
    pub(super) example: String,
}

impl FailedExchange {
    pub(super) fn new(fault: LoadFault, example: impl Into<String>) -> Self {
        FailedExchange { fault, example: example.into() }
    }

    fn connect(error: &io::Error, to: SocketAddr) -> Self {
        let fault = match error.kind() {
            _ if Blame::of(error).is_ours() => LoadFault::Local,
            ErrorKind::ConnectionRefused => LoadFault::Refused,
            ErrorKind::TimedOut => LoadFault::Timeout,
            ErrorKind::ConnectionReset => LoadFault::Reset,
            _ => LoadFault::Unreachable,
        };
        FailedExchange::new(fault, format!("connect to {to}: {error}"))
    }

    /// An open connection failed; `otherwise` where the error alone does not tell.
    fn io(error: &io::Error, otherwise: LoadFault) -> Self {
        let fault = match error.kind() {
            _ if Blame::of(error).is_ours() => LoadFault::Local,
            // What a session makes of records and certificates that it does not believe.
            ErrorKind::InvalidData => LoadFault::Tls,
            _ => otherwise,
        };
        FailedExchange::new(fault, error.to_string())
    }
}

impl From<LinkError> for FailedExchange {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Connect { address, error, .. } => FailedExchange::connect(&error, address),
            LinkError::Handshake(error) => FailedExchange::io(&error, LoadFault::Tls),
            LinkError::Io(error) => FailedExchange::io(&error, LoadFault::Reset),
            LinkError::Late(..) => {
                FailedExchange::new(LoadFault::Timeout, "no whole answer within the timeout")
            }
            LinkError::Closed { inside } => {
                let how = if inside { "inside a head" } else { "before an answer" };
                FailedExchange::new(LoadFault::Closed, format!("the server closed {how}"))
            }
            LinkError::Cut(why) => FailedExchange::new(LoadFault::ShortBody, why),
            LinkError::BadHead(why) | LinkError::BadBody(why) => {
                FailedExchange::new(LoadFault::Malformed, why)
            }
        }
    }
}
