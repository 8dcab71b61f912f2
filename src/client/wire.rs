//! One try: a new connection, a request out, a whole answer in. Called by the call; it must never
//! wait past its deadlines, and it must know whether a byte of the request has left.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::Terms;
use crate::blame::Blame;
use crate::http::body::Reader;
use crate::http::{Framing, INTERIM_BYTES_MAX, Malformed, Parsed, response, slots};
use crate::pool::{Backend, Fault, is_better_part};
use crate::tls::{Connector, Stream};

/// What one read takes at most.
const READ_BYTES: usize = 16 * 1024;
/// What one write takes at most: with each that succeeds the time to take more begins anew.
const WRITE_BYTES: usize = 64 * 1024;

/// A connection in the course of its one exchange.
pub(super) struct Wire<'t> {
    terms: &'t Terms,
    time: Time,
    stream: Stream,
    /// Read, and not used yet.
    ahead: Vec<u8>,
    /// Any byte of the request was sent.
    pub(super) sent_any: bool,
    /// When the first byte of an answer came.
    first_byte: Option<Instant>,
}

/// What one try has of the time of its call.
#[derive(Clone, Copy)]
struct Time {
    /// When the try began.
    began: Instant,
    /// When the whole call must be over.
    until: Instant,
    /// How long that may take.
    whole: Duration,
}

impl Time {
    /// True if who was asked at `began` has had the better part of it.
    fn was_spent_since(self, began: Instant) -> bool {
        is_better_part(began.elapsed(), self.whole)
    }
}

/// A whole answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Vec<u8>,
    /// From the request's last byte to the answer's first.
    pub(super) latency: Duration,
}

/// Why there is none.
pub(super) enum Failed {
    /// The backend failed, and how that looked.
    Backend(Fault, String),
    /// The time of the call was up, and those that were tried before had the better part of it: not
    /// the backend's fault. How that looked.
    Hurried(String),
    /// Its answer of this status is longer than allowed: well served, but not by us.
    TooLong(u16, Duration),
    /// We are out of something: no backend's fault.
    Ours(io::Error),
    /// We are out of something towards this backend: not its fault, and another may do.
    NoWay(io::Error),
}

/// A head, once its bytes are used.
struct Head {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    framing: Framing,
}

impl<'t> Wire<'t> {
    /// Connects to the first of the backend's addresses that can be reached. The time for a connect
    /// is shared evenly between those that are left.
    pub(super) fn connect(
        backend: &Backend,
        connector: Option<&Connector>,
        until: Instant,
        terms: &'t Terms,
    ) -> Result<Self, Failed> {
        let unfound = |why| Failed::Backend(Fault::Connect, why);
        let addresses = backend.addresses().map_err(unfound)?;
        let (began, mut left) = (Instant::now(), addresses.len() as u32);
        let time = Time { began, until, whole: terms.timeout };
        let mut last = Failed::Backend(Fault::Connect, String::new());
        for address in addresses {
            let share = terms.timeouts.connect.saturating_sub(began.elapsed()) / left;
            let asked = Instant::now();
            match Self::connect_to(address, share, connector, time, terms) {
                Ok(wire) => return Ok(wire),
                Err(ours @ Failed::Ours(_)) => return Err(ours),
                Err(failed) => last = failed,
            }
            if Instant::now() >= until && !time.was_spent_since(asked) {
                return Err(last);
            }
            backend.avoid(address);
            left -= 1;
        }
        Err(last)
    }

    /// With a connector, until both sides have proved who they are.
    fn connect_to(
        address: SocketAddr,
        limit: Duration,
        connector: Option<&Connector>,
        time: Time,
        terms: &'t Terms,
    ) -> Result<Self, Failed> {
        let late = || Failed::late("connect timed out", limit, time).before_sending();
        let left = time.until.saturating_duration_since(Instant::now()).min(limit);
        if left.is_zero() {
            return Err(late());
        }
        let socket = TcpStream::connect_timeout(&address, left)
            .and_then(|socket| socket.set_nodelay(true).map(|()| socket))
            .map_err(|error| match error.kind() {
                ErrorKind::TimedOut => late(),
                _ => Failed::connect(error),
            })?;
        let refused = |error: io::Error| Failed::Backend(Fault::Connect, error.to_string());
        let stream = Stream::new(socket, connector).map_err(refused)?;
        let ahead = Vec::new();
        let mut wire = Self { terms, time, stream, ahead, sent_any: false, first_byte: None };
        if connector.is_some() {
            wire.handshake()?;
        }
        Ok(wire)
    }

    fn handshake(&mut self) -> Result<(), Failed> {
        let (what, limit) = ("TLS handshake not done", self.terms.timeouts.handshake);
        let hurried = self.hurry(what, Instant::now() + limit, limit);
        hurried.map_err(Failed::before_sending)?;
        let done = self.stream.handshake();
        let failed = |error| Failed::io(error, what, limit, self.time).before_sending();
        done.map_err(failed)
    }

    /// Sends `request`, which has that method, and reads the answer to its end.
    pub(super) fn exchange(&mut self, request: &[u8], method: &str) -> Result<Answer, Failed> {
        let sent = self.send(request);
        let asked = Instant::now();
        let head = match sent {
            Ok(()) => self.read_head(method, asked)?,
            // A server may answer and close without reading all of the request: what it said
            // counts more than the write that failed.
            Err(unsent @ Failed::Backend(Fault::Reset, _)) if self.sent_any => {
                self.read_head(method, asked).map_err(|_| unsent)?
            }
            Err(unsent) => return Err(unsent),
        };
        let first_byte = self.first_byte.unwrap_or(asked);
        let latency = first_byte.saturating_duration_since(asked);
        let body = self.read_body(&head, latency)?;
        Ok(Answer { status: head.status, headers: head.headers, body, latency })
    }

    fn send(&mut self, mut rest: &[u8]) -> Result<(), Failed> {
        let (what, limit) = ("took no more of the request", self.terms.timeouts.response);
        while !rest.is_empty() {
            self.hurry(what, Instant::now() + limit, limit)?;
            // A write that fails may have sent some of what TLS had sealed for it.
            self.sent_any |= self.stream.is_tls();
            match self.stream.write(&rest[..rest.len().min(WRITE_BYTES)]) {
                Ok(written) => {
                    self.sent_any |= written > 0;
                    rest = &rest[written..];
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Failed::io(error, what, limit, self.time)),
            }
        }
        Ok(())
    }

    /// Reads up to the end of the head of the final answer.
    fn read_head(&mut self, method: &str, asked: Instant) -> Result<Head, Failed> {
        let limit = self.terms.timeouts.response;
        let (mut since, mut interim_bytes) = (asked, 0);
        loop {
            let held = self.ahead.len();
            match self.parse(method)? {
                Some((head, false)) => return Ok(head),
                Some(_) => {
                    since = Instant::now(); // each starts the wait anew
                    interim_bytes += held - self.ahead.len();
                    if interim_bytes > INTERIM_BYTES_MAX {
                        return Err(Failed::bad_answer("more interim answers than are allowed"));
                    }
                }
                None => {
                    if self.read("no answer", since + limit, limit)? == 0 {
                        let so_far = if self.first_byte.is_none() { "before" } else { "inside" };
                        let why = format!("closed {so_far} its answer's head");
                        return Err(Failed::Backend(Fault::Reset, why));
                    }
                }
            }
        }
    }

    /// Takes a head off what was read, and says whether it is an interim one.
    fn parse(&mut self, method: &str) -> Result<Option<(Head, bool)>, Failed> {
        let mut slots = slots();
        let parsed = response::parse(&self.ahead, &self.terms.head, method, &mut slots);
        let bad = |Malformed(why)| match response::is_http(&self.ahead) {
            true => Failed::bad_answer(why),
            false => Failed::Backend(Fault::NoHttp, format!("no HTTP: {why}")),
        };
        let (head, length) = match parsed.map_err(bad)? {
            Parsed::Partial => return Ok(None),
            Parsed::Complete { head, length } => (head, length),
        };
        if head.status == 101 {
            return Err(Failed::bad_answer("a 101 that nobody asked for"));
        }
        let headers = head.fields().map(|(name, value)| (name.to_owned(), value.into_owned()));
        let (status, framing, is_interim) = (head.status, head.framing, head.is_interim());
        let head = Head { status, framing, headers: headers.collect() };
        self.ahead.drain(..length);
        Ok(Some((head, is_interim)))
    }

    fn read_body(&mut self, head: &Head, latency: Duration) -> Result<Vec<u8>, Failed> {
        let (mut reader, mut body) = (Reader::of_answer(head.framing), Vec::new());
        let limit = self.terms.timeouts.stream_idle;
        loop {
            let mut at = 0;
            while at < self.ahead.len() && !reader.is_done() {
                let piece = reader.next(&self.ahead[at..]);
                let piece = piece.map_err(|Malformed(why)| Failed::bad_answer(why))?;
                at += piece.consumed;
                if body.len() + piece.data.len() > self.terms.body_bytes_max {
                    return Err(Failed::TooLong(head.status, latency));
                }
                body.extend_from_slice(piece.data);
            }
            self.ahead.clear();
            if reader.is_done() {
                return Ok(body);
            }
            if self.read("silent in its answer", Instant::now() + limit, limit)? == 0 {
                let cut = |Malformed(why): Malformed| Failed::Backend(Fault::Reset, why.to_owned());
                return reader.eof().map(|()| body).map_err(cut);
            }
        }
    }

    /// Reads more, by `phase`, which ends when `what` has lasted for `limit`. 0 is the end.
    fn read(&mut self, what: &str, phase: Instant, limit: Duration) -> Result<usize, Failed> {
        let filled = self.ahead.len();
        self.ahead.resize(filled + READ_BYTES, 0);
        let read = loop {
            self.hurry(what, phase, limit)?;
            match self.stream.read(&mut self.ahead[filled..]) {
                Ok(read) => break read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Failed::io(error, what, limit, self.time)),
            }
        };
        self.ahead.truncate(filled + read);
        if read > 0 {
            self.first_byte.get_or_insert_with(Instant::now);
        }
        Ok(read)
    }

    /// From here on nothing may last past the phase or the call.
    fn hurry(&mut self, what: &str, phase: Instant, limit: Duration) -> Result<(), Failed> {
        let until = phase.min(self.time.until);
        if Instant::now() >= until {
            return Err(Failed::late(what, limit, self.time));
        }
        self.stream.set_deadline(Some(until));
        Ok(())
    }
}

impl Failed {
    /// It took longer than `limit`, unless what was over is the time of the whole call.
    fn late(what: &str, limit: Duration, time: Time) -> Self {
        if Instant::now() < time.until {
            let why = format!("{what} after {} s", limit.as_secs_f64());
            return Self::Backend(Fault::Timeout, why);
        }
        let why = format!("{what} until the time of the call was up");
        match time.was_spent_since(time.began) {
            true => Self::Backend(Fault::Timeout, why),
            false => Self::Hurried(why),
        }
    }

    fn connect(error: io::Error) -> Self {
        match Blame::of(&error) {
            Blame::Ours => Self::Ours(error),
            Blame::OurWay => Self::NoWay(error),
            Blame::Theirs => Self::Backend(Fault::Connect, format!("connect failed: {error}")),
        }
    }

    fn io(error: io::Error, what: &str, limit: Duration, time: Time) -> Self {
        match error.kind() {
            // What a socket's own timeout looks like on Linux.
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Self::late(what, limit, time),
            _ if Blame::of(&error).is_ours() => Self::Ours(error),
            _ => Self::Backend(Fault::Reset, error.to_string()),
        }
    }

    /// It came before a byte of the request was sent.
    fn before_sending(self) -> Self {
        match self {
            Self::Backend(_, why) => Self::Backend(Fault::Connect, why),
            ours => ours,
        }
    }

    fn bad_answer(why: &str) -> Self {
        Self::Backend(Fault::BadAnswer, format!("bad answer: {why}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Timeouts};
    use crate::pool::policy::{Kind, ScoredRules};
    use crate::pool::testing::spec;
    use crate::pool::{Pool, Rules};
    use std::net::TcpListener;

    /// An address whose kernel swallows the connect while the rest of it is held.
    fn black_hole() -> (SocketAddr, TcpListener, Vec<TcpStream>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let address = listener.local_addr().unwrap();
        let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok();
        let held = std::iter::from_fn(connect).collect();
        (address, listener, held)
    }

    /// What comes of a connect to two holes with so much of a call's second left, which the first
    /// may have to itself, and which of them is asked first the next time.
    fn hurried(left: Duration) -> (Failed, usize) {
        let holes = [black_hole(), black_hole()];
        let addresses = holes.each_ref().map(|hole| hole.0);
        let (specs, found) = (vec![spec("a")], vec![Ok(addresses.to_vec())]);
        let policy = Kind::RoundRobin.build(&specs, &ScoredRules::default());
        let pool = Pool::new(specs, found, policy, Rules::default());
        let timeouts = Timeouts { connect: Duration::from_secs(60), ..Timeouts::default() };
        let terms = Terms {
            timeouts,
            head: Config::default().limits.head(),
            queue: Duration::ZERO,
            timeout: Duration::from_secs(1),
            wait: Duration::ZERO,
            body_bytes_max: 0,
        };
        let backend = &pool.backends()[0];
        let failed = Wire::connect(backend, None, Instant::now() + left, &terms).err().unwrap();
        let first = backend.addresses().unwrap()[0];
        (failed, addresses.iter().position(|address| *address == first).unwrap())
    }

    #[test]
    fn what_had_no_time_is_not_blamed_for_that_of_the_call() {
        let (failed, first) = hurried(Duration::from_millis(50));
        assert!(matches!(failed, Failed::Hurried(_)) && first == 0);
        let (failed, first) = hurried(Duration::from_secs(1));
        assert!(matches!(failed, Failed::Backend(Fault::Connect, _)) && first == 1);
    }
}
