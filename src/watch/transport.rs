//! ureq without a socket. It writes its request into memory, and reads an answer as far as that has
//! come; where more is needed it is asked again once more is there.
//!
//! Called by a check ([`probe`](super::probe)), which has the socket and never waits at it: so no
//! call of ureq waits either, and none needs a thread or a timeout of its own. The answer's head is
//! read as the relay reads it: an answer that clients get is none that takes a backend out.

use std::io::{self, ErrorKind, Read};
use std::sync::{Arc, Mutex, PoisonError};

use ureq::config::Config;
use ureq::http::{Request, Uri};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};
use ureq::{Agent, Error};

use crate::http::response::{self, Response};
use crate::http::{Framing, HEADERS_MAX, HeadLimits, INTERIM_BYTES_MAX, Malformed, Parsed, slots};

/// The size of the buffers that ureq makes for a call, and so the most of a request's one line.
const BUFFER_BYTES: usize = 16 * 1024;

/// Most of an answer's body that is read. What is longer, or endless, is good up to here.
pub(super) const BODY_MAX: usize = 64 * 1024;

/// As much as `[limits]` can allow: what clients may get takes nobody out.
const LIMITS: HeadLimits =
    HeadLimits { head_bytes: 128 * 1024, headers: HEADERS_MAX, target_bytes: 0 };

/// What one read of the socket takes at most.
const READ_BYTES: usize = 16 * 1024;

/// An answer that is whole, or long enough.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Without its framing, at most [`BODY_MAX`].
    pub(super) body: Vec<u8>,
}

/// The bytes of a request, as ureq writes it.
pub(super) fn write(request: &Request<()>) -> Result<Vec<u8>, Error> {
    let tape = Arc::new(Tape::default());
    match call(request, &tape) {
        // It has written all and would read the answer.
        Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
            Ok(std::mem::take(&mut *tape.written.lock().unwrap_or_else(PoisonError::into_inner)))
        }
        Err(error) => Err(error),
        Ok(_) => Err(Error::BodyStalled),
    }
}

/// An answer on its way.
#[derive(Default)]
pub(super) struct Incoming {
    /// What has come. Once the head is whole, one stands in its place that says as much of it as a
    /// check asks for.
    bytes: Vec<u8>,
    /// The length of that head; 0 while it is not whole.
    head: usize,
    interim_bytes: usize,
    /// Nothing more will come.
    ended: bool,
}

impl Incoming {
    /// How far it has come, for a sentence about what did not: none, a part, all of the head.
    pub(super) fn progress(&self) -> Progress {
        match (self.head, self.bytes.len() + self.interim_bytes) {
            (0, 0) => Progress::Nothing,
            (0, _) => Progress::Head,
            _ => Progress::Body,
        }
    }

    /// Reads once.
    pub(super) fn take(&mut self, from: &mut impl Read) -> io::Result<()> {
        // One that has nothing to say holds no buffer.
        let mut chunk = [0; READ_BYTES];
        match from.read(&mut chunk) {
            Ok(0) => self.ended = true,
            Ok(read) => self.bytes.extend_from_slice(&chunk[..read]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Whether TLS said the end of the body is all the same: nobody uses it.
            Err(error) if self.head > 0 && is_cut(&error) => self.ended = true,
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The answer to `request`, once it is there.
    pub(super) fn answer(&mut self, request: &Request<()>) -> io::Result<Option<Answer>> {
        if self.head == 0 && !self.read_head(request.method().as_str())? {
            return match self.ended {
                true => Err(io::Error::new(ErrorKind::UnexpectedEof, "closed without an answer")),
                false => Ok(None),
            };
        }
        let tape = Tape { read: self.bytes.clone(), ended: self.ended, ..Tape::default() };
        let answer = call(request, &Arc::new(tape)).map_err(Error::into_io)?;
        let (status, mut body) = (answer.status().as_u16(), Vec::new());
        let mut reader = answer.into_body().into_reader();
        match reader.read_to_end(&mut body) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if self.bytes.len() - self.head < BODY_MAX {
                    return Ok(None);
                }
            }
            Err(error) => return Err(error),
        }
        body.truncate(BODY_MAX);
        Ok(Some(Answer { status, body }))
    }

    /// Replaces the head; false while there is no whole final one.
    fn read_head(&mut self, method: &str) -> io::Result<bool> {
        loop {
            let mut slots = slots();
            let parsed = response::parse(&self.bytes, &LIMITS, method, &mut slots);
            match parsed.map_err(bad_answer)? {
                Parsed::Complete { head, length } if head.is_interim() => {
                    self.bytes.drain(..length);
                    self.interim_bytes += length;
                    if self.interim_bytes > INTERIM_BYTES_MAX {
                        return Err(bad_answer(Malformed("more interim answers than are allowed")));
                    }
                }
                Parsed::Complete { head, length } => {
                    let plain = plain(&head);
                    self.head = plain.len();
                    self.bytes.splice(..length, plain.into_bytes());
                    return Ok(true);
                }
                Parsed::Partial => return Ok(false),
            }
        }
    }
}

/// How far an answer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Not a byte.
    Nothing,
    /// A part of the head, or interim answers.
    Head,
    /// The head, and maybe a part of the body.
    Body,
}

/// A peer that is gone, once its answer has begun: whether that is whole is for ureq to tell.
fn is_cut(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset)
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

/// Has ureq make a call whose bytes are on the tape.
fn call(
    request: &Request<()>,
    tape: &Arc<Tape>,
) -> Result<ureq::http::Response<ureq::Body>, Error> {
    let config = Agent::config_builder()
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .max_idle_connections(0)
        .max_idle_connections_per_host(0)
        .max_response_header_size(BUFFER_BYTES)
        .user_agent(concat!("evenly-check/", env!("CARGO_PKG_VERSION")))
        .build();
    Agent::with_parts(config, Player(Arc::clone(tape)), Nowhere).run(request.clone())
}

/// What a call reads and writes instead of a socket.
#[derive(Debug, Default)]
struct Tape {
    read: Vec<u8>,
    /// What is in `read` is all that will ever come.
    ended: bool,
    written: Mutex<Vec<u8>>,
}

/// Resolves nothing: whoever has the socket knows where it leads.
#[derive(Debug)]
struct Nowhere;

impl Resolver for Nowhere {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        Ok(self.empty())
    }
}

/// Plays the tape from its beginning to each call.
#[derive(Debug)]
struct Player(Arc<Tape>);

impl Connector for Player {
    type Out = Playback;

    fn connect(&self, _: &ConnectionDetails, _: Option<()>) -> Result<Option<Playback>, Error> {
        let buffers = LazyBuffers::new(BUFFER_BYTES, BUFFER_BYTES);
        Ok(Some(Playback { tape: Arc::clone(&self.0), at: 0, buffers }))
    }
}

/// A tape that is being played.
#[derive(Debug)]
struct Playback {
    tape: Arc<Tape>,
    /// How far it was read.
    at: usize,
    buffers: LazyBuffers,
}

impl Transport for Playback {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
        let output = &self.buffers.output()[..amount];
        let written = self.tape.written.lock();
        written.unwrap_or_else(PoisonError::into_inner).extend_from_slice(output);
        Ok(())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, Error> {
        let rest = &self.tape.read[self.at..];
        if rest.is_empty() && !self.tape.ended {
            return Err(io::Error::from(ErrorKind::WouldBlock).into());
        }
        let into = self.buffers.input_append_buf();
        let taken = rest.len().min(into.len());
        into[..taken].copy_from_slice(&rest[..taken]);
        self.buffers.input_appended(taken);
        self.at += taken;
        Ok(taken > 0)
    }

    /// Asked only of one that is to be used again, and none is.
    fn is_open(&mut self) -> bool {
        false
    }
}
