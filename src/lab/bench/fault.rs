//! What can go wrong with an exchange, each under a name that stays. `wire` finds it, `tally`
//! counts it. It must never hold more than one example of each: a dead server is asked often.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use crate::blame::Blame;
use crate::plain::client::LinkError;

/// Why there was no whole, sound answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
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

impl Fault {
    /// Each of them, in the order of a report.
    pub const ALL: [Fault; 10] = [
        Fault::Refused,
        Fault::Unreachable,
        Fault::Tls,
        Fault::Timeout,
        Fault::Reset,
        Fault::Closed,
        Fault::ShortBody,
        Fault::LongBody,
        Fault::Malformed,
        Fault::Local,
    ];

    /// The key in `--json`.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Fault::Refused => "refused",
            Fault::Unreachable => "unreachable",
            Fault::Tls => "tls",
            Fault::Timeout => "timeout",
            Fault::Reset => "reset",
            Fault::Closed => "closed",
            Fault::ShortBody => "short_body",
            Fault::LongBody => "long_body",
            Fault::Malformed => "malformed",
            Fault::Local => "local",
        }
    }

    /// For people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Fault::Refused => "connection refused",
            Fault::Unreachable => "unreachable",
            Fault::Tls => "TLS failed",
            Fault::Timeout => "timed out",
            Fault::Reset => "connection reset",
            Fault::Closed => "closed early",
            Fault::ShortBody => "body shorter than announced",
            Fault::LongBody => "body longer than announced",
            Fault::Malformed => "bad answer",
            Fault::Local => "out of ports or descriptors here",
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
pub(super) struct Failed {
    pub(super) fault: Fault,
    pub(super) example: String,
}

impl Failed {
    pub(super) fn new(fault: Fault, example: impl Into<String>) -> Self {
        Failed { fault, example: example.into() }
    }

    fn connect(error: &io::Error, to: SocketAddr) -> Self {
        let fault = match error.kind() {
            _ if Blame::of(error).is_ours() => Fault::Local,
            ErrorKind::ConnectionRefused => Fault::Refused,
            ErrorKind::TimedOut => Fault::Timeout,
            ErrorKind::ConnectionReset => Fault::Reset,
            _ => Fault::Unreachable,
        };
        Failed::new(fault, format!("connect to {to}: {error}"))
    }

    /// An open connection failed; `otherwise` where the error alone does not tell.
    fn io(error: &io::Error, otherwise: Fault) -> Self {
        let fault = match error.kind() {
            _ if Blame::of(error).is_ours() => Fault::Local,
            // What a session makes of records and certificates that it does not believe.
            ErrorKind::InvalidData => Fault::Tls,
            _ => otherwise,
        };
        Failed::new(fault, error.to_string())
    }
}

impl From<LinkError> for Failed {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Connect { address, error, .. } => Failed::connect(&error, address),
            LinkError::Handshake(error) => Failed::io(&error, Fault::Tls),
            LinkError::Io(error) => Failed::io(&error, Fault::Reset),
            LinkError::Late(..) => {
                Failed::new(Fault::Timeout, "no whole answer within the timeout")
            }
            LinkError::Closed { inside } => {
                let how = if inside { "inside a head" } else { "before an answer" };
                Failed::new(Fault::Closed, format!("the server closed {how}"))
            }
            LinkError::Cut(why) => Failed::new(Fault::ShortBody, why),
            LinkError::BadHead(why) | LinkError::BadBody(why) => Failed::new(Fault::Malformed, why),
        }
    }
}
