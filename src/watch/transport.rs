//! How ureq reaches a backend for a check: one connection, in the clear or through the very TLS
//! that its requests go through.
//!
//! Called by ureq. What it brings along for this is not used, for it knows proxies and names: a
//! check goes to the address in its URL and nowhere else. The answer's head is read as the relay
//! reads it: an answer that clients get is none that takes a backend out.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Weak};
use std::time::Instant;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};
use ureq::{Error, Timeout};

use crate::http::response::{self, Response};
use crate::http::{Framing, HEADERS_MAX, HeadLimits, INTERIM_BYTES_MAX, Malformed, Parsed, slots};
use crate::pool::Took;
use crate::tls;

/// Most of an answer's head, and the size of the buffers that ureq makes for a check.
pub(super) const HEAD_MAX: usize = 16 * 1024;

/// As much as `[limits]` can allow: what clients may get takes nobody out.
const LIMITS: HeadLimits =
    HeadLimits { head_bytes: 128 * 1024, headers: HEADERS_MAX, target_bytes: 0 };

/// Takes the address that the URL holds.
#[derive(Debug)]
pub(super) struct Literal;

impl Resolver for Literal {
    fn resolve(
        &self,
        uri: &Uri,
        _config: &Config,
        _timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let mut found = self.empty();
        let address = uri.authority().and_then(|authority| authority.as_str().parse().ok());
        found.push(address.ok_or(Error::HostNotFound)?);
        Ok(found)
    }
}

/// Makes the connections to one backend; without a connector in the clear, and to any.
#[derive(Debug)]
pub(super) struct Connect(pub(super) Option<tls::Connector>);

impl Connector for Connect {
    type Out = Connection;

    /// The handshake is a part of it, and has what the connect has left of their time.
    fn connect(
        &self,
        details: &ConnectionDetails,
        _chained: Option<()>,
    ) -> Result<Option<Connection>, Error> {
        let (left, until) = (*details.timeout.after, deadline(&details.timeout));
        let late = |error| timed(error, Timeout::Connect);
        let address = details.addrs.first().ok_or(Error::HostNotFound)?;
        let socket = TcpStream::connect_timeout(address, left).map_err(late)?;
        let mut stream = tls::Stream::new(socket, self.0.as_ref())?;
        let handle: Weak<TcpStream> = Arc::downgrade(stream.socket());
        (details.register_shutdown)(handle)?;
        stream.set_deadline(until);
        stream.handshake().map_err(|error| match is_late(&error) {
            true => {
                let what = format!("no TLS handshake {} after the connect began", Took(left));
                io::Error::new(ErrorKind::TimedOut, what)
            }
            false => error,
        })?;
        let buffers = LazyBuffers::new(HEAD_MAX, HEAD_MAX);
        Ok(Some(Connection { stream, buffers, ahead: Vec::new(), has_head: false }))
    }
}

/// A connection for one check.
pub(super) struct Connection {
    stream: tls::Stream,
    buffers: LazyBuffers,
    /// Read, and not handed to ureq yet.
    ahead: Vec<u8>,
    /// The answer's head has been read.
    has_head: bool,
}

/// What one read of a head takes at most.
const READ_BYTES: usize = 4 * 1024;

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.set_deadline(deadline(&timeout));
        let output = &self.buffers.output()[..amount];
        self.stream.write_all(output).map_err(|error| timed(error, timeout.reason))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.set_deadline(deadline(&timeout));
        let late = |error| timed(error, timeout.reason);
        if !self.has_head && !self.read_head().map_err(late)? {
            return Ok(false);
        }
        let into = self.buffers.input_append_buf();
        let taken = match self.ahead.len().min(into.len()) {
            0 => read(&mut self.stream, into).map_err(late)?,
            taken => {
                into[..taken].copy_from_slice(&self.ahead[..taken]);
                self.ahead.drain(..taken);
                taken
            }
        };
        self.buffers.input_appended(taken);
        Ok(taken > 0)
    }

    /// Asked only of one that is to be used again, and none is.
    fn is_open(&mut self) -> bool {
        false
    }

    fn is_tls(&self) -> bool {
        self.stream.is_tls()
    }
}

impl Connection {
    /// Reads the final head, and puts one in its place that says as much of it as a check asks for;
    /// false if the backend closed before.
    fn read_head(&mut self) -> io::Result<bool> {
        let mut interim_bytes = 0;
        loop {
            let mut slots = slots();
            let parsed = response::parse(&self.ahead, &LIMITS, "GET", &mut slots);
            match parsed.map_err(bad_answer)? {
                Parsed::Complete { head, length } if head.is_interim() => {
                    self.ahead.drain(..length);
                    interim_bytes += length;
                    if interim_bytes > INTERIM_BYTES_MAX {
                        return Err(bad_answer(Malformed("more interim answers than are allowed")));
                    }
                    continue;
                }
                Parsed::Complete { head, length } => {
                    let plain = plain(&head);
                    self.ahead.splice(..length, plain.into_bytes());
                    self.has_head = true;
                    return Ok(true);
                }
                Parsed::Partial => {}
            }
            let filled = self.ahead.len();
            self.ahead.resize(filled + READ_BYTES, 0);
            let read = read(&mut self.stream, &mut self.ahead[filled..])?;
            self.ahead.truncate(filled + read);
            if read == 0 {
                return Ok(false);
            }
        }
    }
}

/// Status and framing alone.
fn plain(head: &Response) -> String {
    let framing = match head.framing {
        Framing::None => "Content-Length: 0\r\n".to_owned(),
        Framing::Length(length) => format!("Content-Length: {length}\r\n"),
        Framing::Chunked => "Transfer-Encoding: chunked\r\n".to_owned(),
        Framing::UntilClose => String::new(),
    };
    format!("HTTP/1.1 {} \r\nConnection: close\r\n{framing}\r\n", head.status)
}

fn bad_answer(Malformed(why): Malformed) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("bad answer: {why}"))
}

fn read(stream: &mut tls::Stream, into: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.read(into) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}

/// None if it is too far away for the clock.
fn deadline(timeout: &NextTimeout) -> Option<Instant> {
    Instant::now().checked_add(*timeout.after)
}

fn timed(error: io::Error, reason: Timeout) -> Error {
    match is_late(&error) {
        true => Error::Timeout(reason),
        false => error.into(),
    }
}

/// What a socket's own timeout looks like on Linux, and a connect's.
fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
