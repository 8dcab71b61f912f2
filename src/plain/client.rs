//! A client's connection: a request out, an answer in, read as strictly as the relay reads a
//! backend's. The failover client has one for each try, the load generator keeps one as long as it
//! may. It must never wait past its deadlines, and it knows whether a byte of the request has left.
//!
//! It tells what happened in terms of the connection. Whose fault that is, and how to say it, is
//! for whoever asked.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use super::ahead::Ahead;
use crate::blame::Blame;
use crate::http::body::Reader;
use crate::http::response::{self, Response};
use crate::http::{Framing, HeadLimits, INTERIM_BYTES_MAX, Malformed, Parsed, slots};
use crate::tls::{Connector, Stream};

/// What one write takes at most: with each that succeeds the time to take more begins anew.
const WRITE_BYTES: usize = 64 * 1024;

/// How long what may last of an exchange.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// When all of it must be over.
    pub until: Instant,
    /// A connect, to all addresses together.
    pub connect: Duration,
    /// A handshake of TLS.
    pub handshake: Duration,
    /// Until the server takes more of a request, and from its last byte to the answer's head. An
    /// interim answer starts that anew.
    pub response: Duration,
    /// Silence inside a body.
    pub silence: Duration,
}

/// A connection to a server.
pub struct Link {
    /// None over a socket of the file system.
    address: Option<SocketAddr>,
    stream: Stream,
    patience: Patience,
    ahead: Ahead,
    /// Of the exchange: whether any byte of the request was sent, when all were, when the first
    /// byte of an answer came, and how many came in all.
    sent_any: bool,
    asked: Instant,
    first_byte: Option<Instant>,
    received: u64,
}

/// The head of a final answer, once its bytes are used.
#[derive(Clone, Copy, Debug)]
pub struct LinkHead {
    /// 200 to 999.
    pub status: u16,
    /// How the body ends.
    pub framing: Framing,
    /// Whether the connection may serve another exchange.
    pub keep_alive: bool,
}

/// What ended an exchange before its answer was whole.
#[derive(Debug)]
pub enum LinkError {
    /// There is no connection to that address, for which so much time was allowed.
    Connect {
        /// Where to.
        address: SocketAddr,
        /// How long it might have taken; less if all must be over before.
        allowed: Duration,
        /// `TimedOut` if it took longer.
        error: io::Error,
    },
    /// The server did not prove who it is, or what it speaks is no TLS.
    Handshake(io::Error),
    /// A read or a write failed.
    Io(io::Error),
    /// This was not over after so long, or when all had to be.
    Late(Phase, Duration),
    /// The server closed before the head was whole: inside it, or before its first byte.
    Closed {
        /// Whether anything came.
        inside: bool,
    },
    /// The head breaks this rule. What was read of it is still there.
    BadHead(&'static str),
    /// The body breaks this rule.
    BadBody(&'static str),
    /// The server closed inside the body.
    Cut(&'static str),
}

/// What may be late, but for the connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The handshake of TLS.
    Handshake,
    /// The server takes the request.
    Request,
    /// Its answer's head comes.
    Head,
    /// Its answer's body comes.
    Body,
}

impl Link {
    /// Connects to the first of `addresses` that can be reached, TLS included. The time for it is
    /// shared evenly between those that are left. `goes_on` hears of each that failed, and says
    /// whether to ask the next.
    ///
    /// # Errors
    /// That of the last address that was asked.
    pub fn connect(
        addresses: &[SocketAddr],
        connector: Option<&Connector>,
        patience: Patience,
        goes_on: &mut dyn FnMut(SocketAddr, &LinkError) -> bool,
    ) -> Result<Self, LinkError> {
        let began = Instant::now();
        // Told where there is no address at all.
        let mut last = LinkError::Io(ErrorKind::NotFound.into());
        for (index, address) in addresses.iter().enumerate() {
            let left = (addresses.len() - index) as u32;
            let share = patience.connect.saturating_sub(began.elapsed()) / left;
            match Self::connect_to(*address, share, connector, patience) {
                Ok(link) => return Ok(link),
                Err(error) => last = error,
            }
            if !goes_on(*address, &last) {
                break;
            }
        }
        Err(last)
    }

    fn connect_to(
        address: SocketAddr,
        allowed: Duration,
        connector: Option<&Connector>,
        patience: Patience,
    ) -> Result<Self, LinkError> {
        let failed = |error| LinkError::Connect { address, allowed, error };
        let now = Instant::now();
        let left = patience.until.saturating_duration_since(now).min(allowed);
        if left.is_zero() {
            return Err(failed(ErrorKind::TimedOut.into()));
        }
        let socket = TcpStream::connect_timeout(&address, left).map_err(failed)?;
        socket.set_nodelay(true).map_err(failed)?;
        let stream = Stream::new(socket, connector).map_err(LinkError::Handshake)?;
        let mut link = Self::on(stream, Some(address), patience);
        link.handshake()?;
        Ok(link)
    }

    /// Takes a connected socket of the file system, over which all is in the clear.
    ///
    /// # Errors
    /// None on Linux.
    pub fn over(socket: impl Into<OwnedFd>, patience: Patience) -> io::Result<Self> {
        // As in the server: to the kernel a stream is a stream.
        let stream = Stream::new(TcpStream::from(socket.into()), None)?;
        Ok(Self::on(stream, None, patience))
    }

    fn on(stream: Stream, address: Option<SocketAddr>, patience: Patience) -> Self {
        let (ahead, asked, first_byte) = (Ahead::new(), Instant::now(), None);
        let (sent_any, received) = (false, 0);
        Self { address, stream, patience, ahead, sent_any, asked, first_byte, received }
    }

    /// Until both sides have proved who they are; in the clear it is nothing.
    fn handshake(&mut self) -> Result<(), LinkError> {
        if !self.stream.is_tls() {
            return Ok(());
        }
        let limit = self.patience.handshake;
        self.hurry(Instant::now(), limit);
        match self.stream.handshake() {
            Err(error) if is_late(&error) => Err(LinkError::Late(Phase::Handshake, limit)),
            done => done.map_err(LinkError::Handshake),
        }
    }

    /// Begins another exchange on a connection that has served one.
    pub fn renew(&mut self, patience: Patience) {
        self.patience = patience;
        (self.sent_any, self.first_byte, self.received) = (false, None, 0);
    }

    /// Sends `request`, which has that method, and reads up to the end of the head of the final
    /// answer. `keep` is shown that head, to copy from it what it likes.
    pub fn ask(
        &mut self,
        request: &[u8],
        method: &str,
        limits: &HeadLimits,
        keep: &mut dyn FnMut(&Response),
    ) -> Result<LinkHead, LinkError> {
        let sent = self.send(request);
        self.asked = Instant::now();
        match sent {
            Ok(()) => self.read_head(method, limits, keep),
            // A server may answer and close without reading all of the request: what it said
            // counts more than the write that failed.
            Err(LinkError::Io(error)) if self.sent_any && !Blame::of(&error).is_ours() => {
                let head = self.read_head(method, limits, keep);
                let head = head.map_err(|_| LinkError::Io(error))?;
                Ok(LinkHead { keep_alive: false, ..head })
            }
            Err(unsent) => Err(unsent),
        }
    }

    fn send(&mut self, mut rest: &[u8]) -> Result<(), LinkError> {
        let limit = self.patience.response;
        while !rest.is_empty() {
            self.hurry(Instant::now(), limit);
            // A write that fails may have sent some of what TLS had sealed for it.
            self.sent_any |= self.stream.is_tls();
            match self.stream.write(&rest[..rest.len().min(WRITE_BYTES)]) {
                Ok(written) => {
                    self.sent_any |= written > 0;
                    rest = &rest[written..];
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(LinkError::io(error, Phase::Request, limit)),
            }
        }
        Ok(())
    }

    fn read_head(
        &mut self,
        method: &str,
        limits: &HeadLimits,
        keep: &mut dyn FnMut(&Response),
    ) -> Result<LinkHead, LinkError> {
        let limit = self.patience.response;
        let (mut since, mut interim_bytes) = (self.asked, 0);
        loop {
            let (head, length) = match self.parse(method, limits, keep)? {
                Some(parsed) => parsed,
                None => {
                    self.hurry(since, limit);
                    if self.read(Phase::Head, limit)? == 0 {
                        return Err(LinkError::Closed { inside: self.first_byte.is_some() });
                    }
                    continue;
                }
            };
            if head.status >= 200 {
                self.ahead.used(length);
                return Ok(head);
            }
            interim_bytes += length;
            if interim_bytes > INTERIM_BYTES_MAX {
                return Err(LinkError::BadHead("more interim answers than are allowed"));
            }
            self.ahead.used(length);
            since = Instant::now();
        }
    }

    /// The head at the front of what was read, and its length. Only a final one is shown.
    fn parse(
        &self,
        method: &str,
        limits: &HeadLimits,
        keep: &mut dyn FnMut(&Response),
    ) -> Result<Option<(LinkHead, usize)>, LinkError> {
        let mut slots = slots();
        let parsed = response::parse(self.ahead.bytes(), limits, method, &mut slots);
        let bad = |Malformed(why)| LinkError::BadHead(why);
        let Parsed::Complete { head, length } = parsed.map_err(bad)? else { return Ok(None) };
        if head.status == 101 {
            return Err(LinkError::BadHead("a 101 that nobody asked for"));
        }
        if !head.is_interim() {
            keep(&head);
        }
        let Response { status, framing, keep_alive, .. } = head;
        Ok(Some((LinkHead { status, framing, keep_alive }, length)))
    }

    /// Reads the body that follows such a head. `take` gets it piece by piece, and says whether it
    /// wants more: false is the result if not.
    pub fn read_body(
        &mut self,
        framing: Framing,
        take: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<bool, LinkError> {
        let (mut reader, limit) = (Reader::of_answer(framing), self.patience.silence);
        loop {
            while !self.ahead.bytes().is_empty() && !reader.is_done() {
                let piece = reader.next(self.ahead.bytes());
                let piece = piece.map_err(|Malformed(why)| LinkError::BadBody(why))?;
                if !take(piece.data) {
                    return Ok(false);
                }
                self.ahead.used(piece.consumed);
            }
            if reader.is_done() {
                return Ok(true);
            }
            self.hurry(Instant::now(), limit);
            if self.read(Phase::Body, limit)? == 0 {
                let cut = |Malformed(why)| LinkError::Cut(why);
                return reader.eof().map(|()| true).map_err(cut);
            }
        }
    }

    /// Reads more. 0 is the end.
    fn read(&mut self, phase: Phase, limit: Duration) -> Result<usize, LinkError> {
        let read = self.ahead.fill(&mut self.stream);
        let read = read.map_err(|error| LinkError::io(error, phase, limit))?;
        if read > 0 {
            self.first_byte.get_or_insert_with(Instant::now);
            self.received += read as u64;
        }
        Ok(read)
    }

    /// From here on nothing may last longer than the limit since then, or past the whole.
    fn hurry(&mut self, since: Instant, limit: Duration) {
        self.stream.set_deadline(Some(self.patience.until.min(since + limit)));
    }

    /// The address that was reached; none over a socket of the file system.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Whether any byte of the request was sent.
    pub fn sent_any(&self) -> bool {
        self.sent_any
    }

    /// From the request's last byte to the answer's first.
    pub fn latency(&self) -> Duration {
        self.first_byte.unwrap_or(self.asked).saturating_duration_since(self.asked)
    }

    /// How many bytes came in this exchange.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// What came and was not used: behind an answer it belongs to none, and of a head that breaks a
    /// rule it is the start.
    pub fn unused(&self) -> &[u8] {
        self.ahead.bytes()
    }

    /// Whether the server has not closed the connection since its last answer. Bytes that nobody
    /// asked for are left to the next answer, which they spoil.
    pub fn is_open(&mut self) -> bool {
        match recv(self.stream.socket(), &mut [0], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Ok((_, length)) if length > 0 && self.stream.is_tls() => {
                self.is_silent().unwrap_or(false)
            }
            Ok((_, length)) => length > 0,
            Err(error) => error == Errno::AGAIN,
        }
    }

    /// Whether what came was for TLS alone, such as a ticket, and not its end.
    fn is_silent(&mut self) -> io::Result<bool> {
        self.stream.set_deadline(None);
        self.stream.socket().set_nonblocking(true)?;
        let read = self.stream.read(&mut [0]);
        self.stream.socket().set_nonblocking(false)?;
        Ok(read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock))
    }
}

impl LinkError {
    fn io(error: io::Error, phase: Phase, limit: Duration) -> Self {
        if is_late(&error) { Self::Late(phase, limit) } else { Self::Io(error) }
    }
}

/// What a socket's own timeout looks like on Linux.
fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
