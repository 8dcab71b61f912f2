//! One client's connection to the demo backend, from its first request to its last: reads with the
//! same strict code as the proxy, answers what `answer` says. Runs on a thread of its own
//! (`serve`).

use std::convert::Infallible;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::Receiver;

use super::answer::{Api, Route, message};
use super::pattern::Turn;
use crate::http::body::Reader;
use crate::http::reply::Reply;
use crate::http::{Framing, HeadLimits, Malformed, Parsed, Refusal, Version, request, slots};

/// The largest body taken.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Room for what was read and not yet used: the largest head, and then some.
const INPUT_BYTES: usize = 20 * 1024;
/// After the last answer: how long a client may be silent before the close, and how long it may go
/// on sending in all. Closing on unread bytes resets the connection, and what the client has not
/// read of its answer is lost with it (RFC 9112 9.6).
const LINGER: Duration = Duration::from_secs(5);
const LINGER_TOTAL: Duration = Duration::from_secs(60);
const JSON: &str = "application/json";
const TOO_LARGE: Refusal = Refusal { status: 413, reason: "The body is larger than 1 MiB" };

/// The buffers are reused from request to request.
pub(super) struct Connection<'a> {
    socket: &'a TcpStream,
    api: &'a Api,
    stopped: &'a Receiver<Infallible>,
    input: Vec<u8>,
    /// `input[start..end]` was read and not yet used.
    start: usize,
    end: usize,
    body: Vec<u8>,
    content_type: String,
    scratch: String,
    date: Date,
    out: Vec<u8>,
}

/// What is kept of a head once its bytes are let go.
struct Asked {
    route: Route,
    head_only: bool,
    version: Version,
    framing: Framing,
    keep_alive: bool,
    expects_continue: bool,
}

/// Why there is no next request.
enum End {
    /// The client left, or was too slow.
    Closed,
    /// The client has its last answer.
    Answered,
    Refused(Refusal),
}

impl<'a> Connection<'a> {
    pub(super) fn new(
        socket: &'a TcpStream,
        api: &'a Api,
        stopped: &'a Receiver<Infallible>,
    ) -> Connection<'a> {
        Connection {
            socket,
            api,
            stopped,
            input: vec![0; INPUT_BYTES],
            start: 0,
            end: 0,
            body: Vec::new(),
            content_type: String::new(),
            scratch: String::new(),
            date: Date::default(),
            out: Vec::new(),
        }
    }

    /// Answers request after request until one side ends it.
    pub(super) fn run(mut self) {
        loop {
            match self.exchange() {
                Ok(()) => {}
                Err(End::Closed) => return,
                // Whether the client hears it is up to the client.
                Err(End::Answered) => return self.linger().unwrap_or_default(),
                Err(End::Refused(refusal)) => {
                    return self.refuse(refusal).and_then(|()| self.linger()).unwrap_or_default();
                }
            }
        }
    }

    fn exchange(&mut self) -> Result<(), End> {
        let asked = self.read_head()?;
        self.read_body(&asked)?;
        self.answer(&asked)?;
        self.let_go();
        if asked.keep_alive { Ok(()) } else { Err(End::Answered) }
    }

    fn read_head(&mut self) -> Result<Asked, End> {
        loop {
            if self.start < self.end
                && let Some(asked) = self.parse_head()?
            {
                return Ok(asked);
            }
            self.fill()?;
        }
    }

    fn parse_head(&mut self) -> Result<Option<Asked>, Refusal> {
        let mut slots = slots();
        let input = &self.input[self.start..self.end];
        let Parsed::Complete { head, length } =
            request::parse(input, &HeadLimits::default(), &mut slots)?
        else {
            return Ok(None);
        };
        let content_type = head.field("content-type").and_then(|value| str::from_utf8(value).ok());
        self.content_type.clear();
        self.content_type.push_str(content_type.unwrap_or(JSON));
        self.start += length;
        Ok(Some(Asked {
            route: Route::of(head.method, head.target),
            head_only: head.method == "HEAD",
            version: head.version,
            framing: head.framing,
            keep_alive: head.keep_alive,
            expects_continue: head.expects_continue,
        }))
    }

    fn read_body(&mut self, asked: &Asked) -> Result<(), End> {
        self.body.clear();
        match asked.framing {
            Framing::None => return Ok(()),
            Framing::Length(length) if length > BODY_BYTES_MAX as u64 => {
                return Err(TOO_LARGE.into());
            }
            _ => {}
        }
        if asked.expects_continue && self.start == self.end {
            self.socket.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let mut reader = Reader::new(asked.framing);
        while !reader.is_done() {
            if self.start == self.end {
                self.fill()?;
            }
            let piece = reader.next(&self.input[self.start..self.end])?;
            if self.body.len() + piece.data.len() > BODY_BYTES_MAX {
                return Err(TOO_LARGE.into());
            }
            self.body.extend_from_slice(piece.data);
            self.start += piece.consumed;
        }
        Ok(())
    }

    fn answer(&mut self, asked: &Asked) -> io::Result<()> {
        let turn = self.api.turn(asked.route);
        if let Some(Turn { latency, .. }) = turn {
            let _ = self.stopped.recv_timeout(latency);
        }
        let answer = match turn {
            Some(Turn { fails: true, .. }) => self.api.failure(),
            _ => self.api.answer(asked.route, &self.body, &mut self.scratch),
        };
        let echoes = asked.route == Route::Echo && answer.status == 200;
        self.out.clear();
        let reply = Reply {
            content_type: if echoes { &self.content_type } else { JSON },
            keep_alive: asked.keep_alive,
            head_only: asked.head_only,
            allow: answer.allow,
            ..Reply::new(answer.status, answer.body, self.date.now())
        };
        reply.write(&mut self.out, asked.version);
        self.socket.write_all(&self.out)
    }

    /// Who idles behind a large body holds no memory for it.
    fn let_go(&mut self) {
        self.body.clear();
        self.body.shrink_to(INPUT_BYTES);
        self.out.clear();
        self.out.shrink_to(INPUT_BYTES);
        self.scratch.clear();
        self.scratch.shrink_to(INPUT_BYTES);
    }

    fn refuse(&mut self, refusal: Refusal) -> io::Result<()> {
        let body = message(false, refusal.reason);
        self.out.clear();
        let reply =
            Reply { content_type: JSON, ..Reply::new(refusal.status, &body, self.date.now()) };
        reply.write(&mut self.out, Version::Http11);
        self.socket.write_all(&self.out)
    }

    fn linger(&mut self) -> io::Result<()> {
        self.socket.shutdown(Shutdown::Write)?;
        self.socket.set_read_timeout(Some(LINGER))?;
        let until = Instant::now() + LINGER_TOTAL;
        while Instant::now() < until && self.socket.read(&mut self.input)? > 0 {}
        Ok(())
    }

    /// Reads more input, at least a byte.
    fn fill(&mut self) -> Result<(), End> {
        self.input.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        loop {
            match self.socket.read(&mut self.input[self.end..]) {
                Ok(0) => return Err(End::Closed),
                Ok(bytes) => {
                    self.end += bytes;
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl From<Refusal> for End {
    fn from(refusal: Refusal) -> End {
        End::Refused(refusal)
    }
}

impl From<Malformed> for End {
    fn from(Malformed(reason): Malformed) -> End {
        End::Refused(Refusal { status: 400, reason })
    }
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> End {
        End::Closed
    }
}

/// The value of the Date field, rendered once a second.
#[derive(Default)]
struct Date {
    second: u64,
    text: String,
}

impl Date {
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
