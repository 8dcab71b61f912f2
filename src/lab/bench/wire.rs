//! One connection and the exchanges on it: a request out, an answer in, read as strictly as the
//! proxy reads a backend's. A worker owns one. On the usual path an exchange is one write, one
//! read and no allocation; it must never wait past its deadline.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use super::Plan;
use super::fault::{Failed, Fault};
use crate::http::body::Reader;
use crate::http::{Framing, HeadLimits, INTERIM_BYTES_MAX, Malformed, Parsed, response, slots};
use crate::tls::{Connector, Stream};

/// What one read takes at most. A head always fits: its limit is 16 KiB.
const BUFFER_BYTES: usize = 64 * 1024;

/// What every worker asks, and whom.
pub(super) struct Target {
    request: Vec<u8>,
    addresses: Vec<SocketAddr>,
    connector: Option<Connector>,
    method: String,
    is_idempotent: bool,
    keep_alive: bool,
    timeout: Duration,
    pub(super) is_open_loop: bool,
}

impl Target {
    pub(super) fn new(
        plan: &Plan,
        request: Vec<u8>,
        addresses: Vec<SocketAddr>,
        connector: Option<Connector>,
    ) -> Self {
        Target {
            request,
            addresses,
            connector,
            method: plan.request.method.clone(),
            is_idempotent: plan.request.is_idempotent(),
            keep_alive: plan.request.keep_alive,
            timeout: plan.timeout,
            is_open_loop: plan.rate.is_some(),
        }
    }
}

/// A connection to the target, made when it is needed.
pub(super) struct Wire<'t> {
    target: &'t Target,
    stream: Option<Stream>,
    /// The address that answered last: the first of a name may be one where nobody listens.
    address: usize,
    buffer: Vec<u8>,
    served_by: Vec<u8>,
    /// The current exchange: when it must be over, and the bytes of its answer so far.
    deadline: Instant,
    received: u64,
    /// Whether the connection had served an exchange before.
    is_kept: bool,
    /// Whether the socket's timeouts are the target's, and not what is left of an exchange.
    is_patient: bool,
    /// Bytes received by all exchanges.
    pub(super) bytes: u64,
    /// Requests that were sent again on a new connection.
    pub(super) resent: u64,
}

/// A final head, as far as it is needed once its bytes may be overwritten.
struct Head {
    status: u16,
    framing: Framing,
    keep_alive: bool,
    /// Where in the buffer the body starts, and where what was read ends.
    body: usize,
    filled: usize,
}

impl<'t> Wire<'t> {
    pub(super) fn new(target: &'t Target) -> Self {
        Wire {
            target,
            stream: None,
            address: 0,
            buffer: vec![0; BUFFER_BYTES],
            served_by: Vec::new(),
            deadline: Instant::now(),
            received: 0,
            is_kept: false,
            is_patient: false,
            bytes: 0,
            resent: 0,
        }
    }

    /// Sends the request, begun `now`, and reads the answer to its end. Returns its status.
    ///
    /// A kept connection may be closed by the server just as the next request comes. As RFC 9112
    /// section 9.3.1 has it, an idempotent request is then sent once more on a new one. It is
    /// counted, and its latency goes on.
    pub(super) fn exchange(&mut self, now: Instant) -> Result<u16, Failed> {
        self.deadline = now + self.target.timeout;
        let was_kept = self.stream.is_some();
        match self.attempt() {
            Err(failed) if was_kept && self.may_resend(failed.fault) => {
                self.resent += 1;
                self.attempt()
            }
            result => result,
        }
    }

    /// The value of X-Served-By in the last answer, empty if there was none.
    pub(super) fn served_by(&self) -> &[u8] {
        &self.served_by
    }

    fn may_resend(&self, fault: Fault) -> bool {
        let was_closed = matches!(fault, Fault::Closed | Fault::Reset);
        was_closed && self.received == 0 && self.target.is_idempotent
    }

    fn attempt(&mut self) -> Result<u16, Failed> {
        self.received = 0;
        self.served_by.clear();
        // A request that may not be sent twice looks first, as the proxy does.
        let mut kept = self.stream.take();
        if !self.target.is_idempotent && !kept.as_mut().is_some_and(is_open) {
            kept = None;
        }
        self.is_kept = kept.is_some();
        let mut stream = match kept {
            Some(stream) => stream,
            None => self.connect()?,
        };
        self.set_out(&mut stream)?;
        let sent = self.send(&mut stream);
        let head = match sent {
            Ok(()) => self.read_head(&mut stream)?,
            // A server may answer and close without reading all of the request: what it said
            // counts more than the write that failed.
            Err(unsent) if unsent.fault == Fault::Reset => {
                Head { keep_alive: false, ..self.read_head(&mut stream).map_err(|_| unsent)? }
            }
            Err(unsent) => return Err(unsent),
        };
        self.read_body(&mut stream, &head)?;
        if head.keep_alive && self.target.keep_alive {
            self.stream = Some(stream);
        }
        Ok(head.status)
    }

    /// Sets the timeouts of the first calls: of a new connection to what the connect has left, of
    /// a kept one to all there is, which then holds for the exchanges that follow.
    fn set_out(&mut self, stream: &mut Stream) -> Result<(), Failed> {
        if stream.is_tls() {
            stream.set_deadline(Some(self.deadline));
        } else if !self.is_kept {
            return self.hurry(stream);
        } else if !self.is_patient {
            set_timeouts(stream, self.target.timeout)?;
            self.is_patient = true;
        }
        Ok(())
    }

    fn connect(&mut self) -> Result<Stream, Failed> {
        let addresses = &self.target.addresses;
        let mut result = Err(Failed::timeout());
        for turn in 0..addresses.len() {
            let index = (self.address + turn) % addresses.len();
            // One that is silent leaves the others their share.
            let left = self.left()? / (addresses.len() - turn) as u32;
            let socket = TcpStream::connect_timeout(&addresses[index], left)
                .and_then(|socket| socket.set_nodelay(true).map(|()| socket));
            match socket {
                Ok(socket) => {
                    self.address = index;
                    return self.handshake(socket).map_err(|error| Failed::handshake(&error));
                }
                Err(error) => result = Err(Failed::connect(&error, addresses[index])),
            }
        }
        result
    }

    fn handshake(&self, socket: TcpStream) -> io::Result<Stream> {
        let mut stream = Stream::new(socket, self.target.connector.as_ref())?;
        if stream.is_tls() {
            stream.set_deadline(Some(self.deadline));
            stream.handshake()?;
        }
        Ok(stream)
    }

    fn send(&mut self, stream: &mut Stream) -> Result<(), Failed> {
        let mut rest = &self.target.request[..];
        loop {
            match stream.write(rest) {
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Failed::io(&error)),
            }
            if rest.is_empty() {
                return Ok(());
            }
            self.hurry(stream)?;
        }
    }

    /// Reads up to the end of the head of the final answer.
    fn read_head(&mut self, stream: &mut Stream) -> Result<Head, Failed> {
        let mut filled = 0;
        let mut interim_bytes = 0;
        loop {
            let read = self.read(stream, filled)?;
            if read == 0 {
                let how = if self.received == 0 { "before an answer" } else { "inside a head" };
                return Err(Failed::new(Fault::Closed, format!("the server closed {how}")));
            }
            filled += read;
            loop {
                match self.parse(filled)? {
                    None => break,
                    Some((head, false)) => return Ok(head),
                    Some((head, true)) => {
                        interim_bytes += head.body;
                        if interim_bytes > INTERIM_BYTES_MAX {
                            let what = "more interim answers than are allowed";
                            return Err(Failed::new(Fault::Malformed, what));
                        }
                        self.buffer.copy_within(head.body..filled, 0);
                        filled -= head.body;
                    }
                }
            }
        }
    }

    /// Reads a head from the start of the buffer, and whether it is an interim one.
    fn parse(&mut self, filled: usize) -> Result<Option<(Head, bool)>, Failed> {
        let bytes = &self.buffer[..filled];
        let mut slots = slots();
        let parsed =
            response::parse(bytes, &HeadLimits::default(), &self.target.method, &mut slots);
        let (head, body) = match parsed.map_err(|bad| self.explain(bad, bytes))? {
            Parsed::Partial => return Ok(None),
            Parsed::Complete { head, length } => (head, length),
        };
        if head.status == 101 {
            return Err(Failed::new(Fault::Malformed, "a 101 that nobody asked for"));
        }
        self.served_by.extend_from_slice(&head.field("x-served-by").unwrap_or_default());
        let (status, framing, keep_alive) = (head.status, head.framing, head.keep_alive);
        let is_interim = head.is_interim();
        if is_interim {
            self.served_by.clear();
        }
        Ok(Some((Head { status, framing, keep_alive, body, filled }, is_interim)))
    }

    /// Where a kept connection brings bytes that begin no answer, the one before has not told the
    /// truth about its length.
    fn explain(&self, Malformed(why): Malformed, bytes: &[u8]) -> Failed {
        let is_first = self.is_kept && self.received == bytes.len() as u64;
        if is_first && !bytes.starts_with(b"HTTP/") {
            return Failed::new(Fault::LongBody, "more came behind an answer that was over");
        }
        Failed::new(Fault::Malformed, why)
    }

    fn read_body(&mut self, stream: &mut Stream, head: &Head) -> Result<(), Failed> {
        let mut body = Reader::of_answer(head.framing);
        let (mut at, mut filled) = (head.body, head.filled);
        loop {
            while at < filled && !body.is_done() {
                let bad = |Malformed(why)| Failed::new(Fault::Malformed, why);
                at += body.next(&self.buffer[at..filled]).map_err(bad)?.consumed;
            }
            if body.is_done() {
                break;
            }
            (at, filled) = (0, self.read(stream, 0)?);
            if filled == 0 {
                let cut = |Malformed(why)| Failed::new(Fault::ShortBody, why);
                return body.eof().map_err(cut);
            }
        }
        if at < filled {
            let what = format!("at least {} bytes behind the answer", filled - at);
            return Err(Failed::new(Fault::LongBody, what));
        }
        Ok(())
    }

    fn read(&mut self, stream: &mut Stream, at: usize) -> Result<usize, Failed> {
        // The first read of an answer may wait as long as an exchange may take.
        if self.received > 0 {
            self.hurry(stream)?;
        }
        loop {
            match stream.read(&mut self.buffer[at..]) {
                Ok(read) => {
                    self.received += read as u64;
                    self.bytes += read as u64;
                    return Ok(read);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => self.hurry(stream)?,
                Err(error) => return Err(Failed::io(&error)),
            }
        }
    }

    /// From here on no call may wait longer than what is left of the exchange.
    fn hurry(&mut self, stream: &Stream) -> Result<(), Failed> {
        self.is_patient = false;
        let left = self.left()?;
        // With TLS there is a deadline already.
        if stream.is_tls() { Ok(()) } else { set_timeouts(stream, left) }
    }

    fn left(&self) -> Result<Duration, Failed> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(Failed::timeout()) } else { Ok(left) }
    }
}

fn set_timeouts(stream: &Stream, timeout: Duration) -> Result<(), Failed> {
    let set = stream.socket().set_read_timeout(Some(timeout));
    set.and_then(|()| stream.socket().set_write_timeout(Some(timeout))).map_err(|e| Failed::io(&e))
}

/// Whether the server has not closed a kept connection yet. Bytes that nobody asked for are left to
/// the next answer, which they spoil.
fn is_open(stream: &mut Stream) -> bool {
    match recv(stream.socket(), &mut [0], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
        Ok((_, length)) if length > 0 && stream.is_tls() => is_silent(stream).unwrap_or(false),
        Ok((_, length)) => length > 0,
        Err(error) => error == Errno::AGAIN,
    }
}

/// Whether what came was for TLS alone, such as a ticket, and not its end.
fn is_silent(stream: &mut Stream) -> io::Result<bool> {
    stream.set_deadline(None);
    stream.socket().set_nonblocking(true)?;
    let read = stream.read(&mut [0]);
    stream.socket().set_nonblocking(false)?;
    Ok(read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock))
}
