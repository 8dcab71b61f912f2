//! One client's connection to a plain server, from its first request to its last: reads with the
//! same strict code as the proxy, answers what the handler says. Runs on a thread of its own
//! (`server`).

use std::convert::Infallible;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::Receiver;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use super::ahead::Ahead;
use super::handler::{DESCRIPTORS_MAX, Handled, Handler, ServerLimits, WholeRequest};
use crate::http::body::Reader;
use crate::http::reply::Reply;
use crate::http::{Framing, Malformed, Parsed, Refusal, Version, request, slots};
use crate::tls::Stream;

/// What is kept of buffers between requests, and one read of what nobody wants.
const KEPT_BYTES: usize = 20 * 1024;
/// After the last answer: how long a client may be silent before the close, and how long it may go
/// on sending in all. Closing on unread bytes resets the connection, and what the client has not
/// read of its answer is lost with it (RFC 9112 9.6).
const LINGER: Duration = Duration::from_secs(5);
const LINGER_TOTAL: Duration = Duration::from_secs(60);
const TOO_LARGE: Refusal = Refusal { status: 413, reason: "The body is larger than allowed" };
const TOO_LATE: Refusal = Refusal { status: 408, reason: "The request was not whole in time" };

/// The buffers are reused from request to request.
pub(super) struct Conversation<'s> {
    stream: Stream,
    limits: &'s ServerLimits,
    handler: &'s dyn Handler,
    stopped: &'s Receiver<Infallible>,
    /// Whether nothing of a request is here.
    is_idle: &'s AtomicBool,
    /// Whether the time for the current request runs.
    has_begun: bool,
    body: Vec<u8>,
    date: HeldDate,
    out: Vec<u8>,
}

/// Why there is no next request.
enum Ending {
    /// The client left, or was too slow.
    Closed,
    /// The client has its last answer.
    Answered,
    Refused(Refusal),
}

/// Where the bytes behind a request are.
enum Behind {
    /// There, after so many that are used now.
    Used(usize),
    /// All that was there is used, and more was read.
    More(Ahead),
}

impl<'s> Conversation<'s> {
    pub(super) fn new(
        stream: Stream,
        limits: &'s ServerLimits,
        handler: &'s dyn Handler,
        stopped: &'s Receiver<Infallible>,
        is_idle: &'s AtomicBool,
    ) -> Self {
        let (body, out, date) = (Vec::new(), Vec::new(), HeldDate::default());
        let has_begun = false;
        Conversation { stream, limits, handler, stopped, is_idle, has_begun, body, date, out }
    }

    /// Answers request after request until one side ends it.
    pub(super) fn run(mut self) {
        let mut ahead = Ahead::new();
        loop {
            match self.exchange(&mut ahead) {
                Ok(()) => {}
                Err(Ending::Closed) => return,
                // Whether the client hears it is up to the client.
                Err(Ending::Answered) => return self.linger().unwrap_or_default(),
                Err(Ending::Refused(refusal)) => {
                    return self.refuse(refusal).and_then(|()| self.linger()).unwrap_or_default();
                }
            }
        }
    }

    /// One request and its answer. The head lies in `ahead` until it is answered; so a body that
    /// does not fit behind it is read into a buffer of its own.
    fn exchange(&mut self, ahead: &mut Ahead) -> Result<(), Ending> {
        self.allow(self.limits.idle);
        self.has_begun = false;
        self.is_idle.store(ahead.bytes().is_empty(), Ordering::Relaxed);
        loop {
            let mut slots = slots();
            let parsed = request::parse(ahead.bytes(), &self.limits.head, &mut slots)?;
            let Parsed::Complete { head, length } = parsed else {
                if request::blank(ahead.bytes()) < ahead.bytes().len() {
                    self.begin();
                }
                self.fill(ahead)?;
                continue;
            };
            let behind = self.read_body(&head, &ahead.bytes()[length..])?;
            self.answer(&head)?;
            let keep_alive = head.keep_alive;
            match behind {
                Behind::Used(bytes) => ahead.used(length + bytes),
                Behind::More(more) => *ahead = more,
            }
            self.let_go();
            return if keep_alive { Ok(()) } else { Err(Ending::Answered) };
        }
    }

    fn read_body(&mut self, head: &request::Request, ahead: &[u8]) -> Result<Behind, Ending> {
        self.body.clear();
        if let Framing::Length(length) = head.framing
            && length > self.limits.body_bytes_max as u64
        {
            return Err(TOO_LARGE.into());
        }
        let mut reader = Reader::new(head.framing);
        let used = self.take_body(&mut reader, ahead)?;
        if reader.is_done() {
            return Ok(Behind::Used(used));
        }
        if head.expects_continue && ahead.is_empty() {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        self.begin();
        let mut more = Ahead::new();
        while !reader.is_done() {
            self.fill(&mut more)?;
            let used = self.take_body(&mut reader, more.bytes())?;
            more.used(used);
        }
        Ok(Behind::More(more))
    }

    /// Takes what is here of the body, and says how many bytes that is.
    fn take_body(&mut self, reader: &mut Reader, bytes: &[u8]) -> Result<usize, Ending> {
        let mut at = 0;
        while at < bytes.len() && !reader.is_done() {
            let piece = reader.next(&bytes[at..])?;
            if self.body.len() + piece.data.len() > self.limits.body_bytes_max {
                return Err(TOO_LARGE.into());
            }
            self.body.extend_from_slice(piece.data);
            at += piece.consumed;
        }
        Ok(at)
    }

    fn answer(&mut self, head: &request::Request) -> io::Result<()> {
        let (body, socket, stopped) = (&self.body, self.stream.socket(), self.stopped);
        let asked = WholeRequest { head, body, socket, stopped };
        let handled = self.handler.answer(&asked);
        self.out.clear();
        let reply = Reply {
            keep_alive: head.keep_alive,
            head_only: head.method == "HEAD",
            ..reply(&handled, self.date.now())
        };
        reply.write(&mut self.out, head.version);
        let descriptors = handled.descriptors;
        self.send(&descriptors)
    }

    /// Who idles behind a large body holds no memory for it.
    fn let_go(&mut self) {
        self.body.clear();
        self.body.shrink_to(KEPT_BYTES);
        self.out.clear();
        self.out.shrink_to(KEPT_BYTES);
    }

    fn refuse(&mut self, refusal: Refusal) -> io::Result<()> {
        let handled = self.handler.refuse(refusal);
        self.out.clear();
        reply(&handled, self.date.now()).write(&mut self.out, Version::Http11);
        self.send(&[])
    }

    fn send(&mut self, descriptors: &[OwnedFd]) -> io::Result<()> {
        self.allow(self.limits.answer);
        let sent = match descriptors {
            [] => 0,
            some => hand_over(self.stream.socket(), some, &self.out)?,
        };
        self.stream.write_all(&self.out[sent..])
    }

    fn linger(&mut self) -> io::Result<()> {
        self.stream.socket().shutdown(Shutdown::Write)?;
        let until = Instant::now() + LINGER_TOTAL;
        self.body.resize(KEPT_BYTES, 0);
        loop {
            self.stream.set_deadline(Some(until.min(Instant::now() + LINGER)));
            if self.stream.read(&mut self.body)? == 0 {
                return Ok(());
            }
        }
    }

    /// From here on all may last so long.
    fn allow(&mut self, time: Duration) {
        self.stream.set_deadline(Some(Instant::now() + time));
    }

    /// Some of a request is here, and not all: the time for it runs.
    fn begin(&mut self) {
        if !self.has_begun {
            self.has_begun = true;
            self.allow(self.limits.request);
        }
    }

    /// Reads more, at least a byte.
    fn fill(&mut self, ahead: &mut Ahead) -> Result<(), Ending> {
        match ahead.fill(&mut self.stream) {
            Ok(0) => Err(Ending::Closed),
            Ok(_) => {
                self.is_idle.store(false, Ordering::Relaxed);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock && self.has_begun => {
                Err(TOO_LATE.into())
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Descriptors go with bytes, never alone; says how many went.
fn hand_over(socket: &TcpStream, descriptors: &[OwnedFd], bytes: &[u8]) -> io::Result<usize> {
    let handed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(&handed)) {
        return Err(ErrorKind::InvalidInput.into());
    }
    Ok(sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)?)
}

fn reply<'a>(handled: &'a Handled, date: &'a str) -> Reply<'a> {
    let Handled { status, content_type, body, allow, fields, .. } = handled;
    Reply { content_type, allow: *allow, fields, ..Reply::new(*status, body, date) }
}

impl From<Refusal> for Ending {
    fn from(refusal: Refusal) -> Ending {
        Ending::Refused(refusal)
    }
}

impl From<Malformed> for Ending {
    fn from(Malformed(reason): Malformed) -> Ending {
        Ending::Refused(Refusal { status: 400, reason })
    }
}

impl From<io::Error> for Ending {
    fn from(_: io::Error) -> Ending {
        Ending::Closed
    }
}

/// The value of the Date field, rendered once a second.
#[derive(Default)]
struct HeldDate {
    second: u64,
    text: String,
}

impl HeldDate {
    fn now(&mut self) -> &str {
        let now = SystemTime::now();
        let second = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if self.second != second || self.text.is_empty() {
            self.text = httpdate::fmt_http_date(now);
            self.second = second;
        }
        &self.text
    }
}
