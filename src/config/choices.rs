//! What keys offer to choose from. Each is read and written by its line in `keys.rs`.

use std::ops::RangeInclusive;
use std::path::PathBuf;

/// What Evenly does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serving {
    /// Carries it to a backend and the answer back.
    Relay,
    /// Answers with the address of a backend, to which the client goes itself.
    Redirect,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

/// What becomes of a client that asks for a name which no certificate has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownNames {
    /// It is shown the first certificate.
    First,
    /// It is refused, and shown none.
    Refuse,
}

/// How checks ask a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking {
    /// By a request of HTTP.
    Http,
    /// By a connection, and TLS where the application speaks it.
    Tcp,
}

impl Asking {
    /// All there are, by their words in the file.
    pub(super) const ALL: [(&'static str, Self); 2] = [("http", Self::Http), ("tcp", Self::Tcp)];
}

/// What may be followed by another try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RetryReason {
    /// No connection came about.
    Connect,
    /// The connection broke before the answer was there.
    Reset,
    /// The answer did not begin in time.
    Timeout,
    /// The answer has one of these statuses.
    Statuses(RangeInclusive<u16>),
}

/// What tells one client from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashBy {
    /// Its address.
    Client,
    /// The first header field of this name.
    Header(String),
    /// The first cookie of this name.
    Cookie(String),
}

/// Where the endpoint for operators has its Unix socket.
#[cfg(feature = "admin")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminSocket {
    /// In the runtime directory, named after the port that clients are served at.
    Auto,
    /// Nowhere.
    Off,
    /// There.
    At(PathBuf),
}

/// The format of the access log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessLog {
    /// No line.
    Off,
    /// The common log format of NCSA httpd.
    Common,
    /// Common with referer and user agent.
    Combined,
    /// One object a line, with all that is known.
    Json,
}

/// Where the access log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// Appended to a file.
    File(PathBuf),
}
