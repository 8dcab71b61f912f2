//! Who answers what a plain server has read: the demo backend, and whoever else has something to
//! say; and what their clients may take. The server reads the whole request first; a handler never
//! sees what breaks a rule.

use std::borrow::Cow;
use std::convert::Infallible;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::Duration;

use crossbeam_channel::Receiver;
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use crate::http::reply::TEXT;
use crate::http::{HeadLimits, Refusal, request};

/// Descriptors that may go with one answer.
pub const DESCRIPTORS_MAX: usize = 16;

/// Whoever has the answers. Many threads call it at once.
pub trait Handler: Send + Sync {
    /// The answer to a request. It may take its time: the client's own thread waits.
    fn answer<'a>(&'a self, asked: &WholeRequest<'a>) -> Handled<'a>;

    /// The answer to what is no request, after which the connection closes.
    fn refuse(&self, refusal: Refusal) -> Handled<'_> {
        Handled::new(refusal.status, TEXT, refusal.reason)
    }

    /// A connection was let in: how long the next one is kept waiting outside.
    fn pause(&self) -> Duration {
        Duration::ZERO
    }
}

/// What a client of a plain server may take of room and of time.
#[derive(Clone, Debug)]
pub struct ServerLimits {
    /// Connections at a time, each with a thread. More wait in the kernel.
    pub connections_max: usize,
    /// How many may wait there.
    pub backlog: i32,
    /// Whether the oldest connection without a request is closed for one that waits there.
    pub idle_give_way: bool,
    /// Descriptors that are held back, for clients who come when the process has none left.
    pub spare_descriptors: usize,
    /// Of a request's head. More is 414 or 431.
    pub head: HeadLimits,
    /// Bytes of a request's body. More is 413.
    pub body_bytes_max: usize,
    /// From the last answer to the first byte of a request; then the connection closes.
    pub idle: Duration,
    /// From the first byte of a request to its last. Later is 408.
    pub request: Duration,
    /// For the client to take an answer; then the connection closes.
    pub answer: Duration,
}

/// A request, read to its end.
pub struct WholeRequest<'a> {
    /// Its head, which obeys every rule.
    pub head: &'a request::Request<'a, 'a>,
    /// Its body, without the framing.
    pub body: &'a [u8],
    /// The connection that it came by, of the network or of the file system: to be asked who that
    /// is.
    pub socket: &'a TcpStream,
    pub(super) stopped: &'a Receiver<Infallible>,
}

impl WholeRequest<'_> {
    /// Waits before the answer, but not longer than the server runs.
    pub fn wait(&self, time: Duration) {
        let _ = self.stopped.recv_timeout(time);
    }

    /// True where the client has ended its direction, or is gone: most that do so have given up.
    pub fn has_ended(&self) -> bool {
        match recv(self.socket, &mut [0; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Ok((bytes, _)) => bytes == 0,
            Err(error) => error != Errno::AGAIN,
        }
    }
}

/// What a handler makes of a request: an answer, but for its framing.
pub struct Handled<'a> {
    /// A final status: 200 to 599.
    pub status: u16,
    /// What the body is.
    pub content_type: &'a str,
    /// The body; only counted where the request was HEAD.
    pub body: Cow<'a, str>,
    /// For the Allow field of a 405.
    pub allow: Option<&'a str>,
    /// Further fields, by name and value.
    pub fields: &'a [(&'a str, &'a str)],
    /// They go with the first bytes of the answer, over a socket of the file system.
    pub descriptors: Vec<OwnedFd>,
}

impl<'a> Handled<'a> {
    /// With this status and body, and no field but those that every answer has.
    pub fn new(status: u16, content_type: &'a str, body: impl Into<Cow<'a, str>>) -> Self {
        Handled {
            status,
            content_type,
            body: body.into(),
            allow: None,
            fields: &[],
            descriptors: Vec::new(),
        }
    }
}
