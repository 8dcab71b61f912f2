//! One try: a new connection, a request out, a whole answer in. Called by the call: here it becomes
//! clear what a failure says about the backend.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use super::Terms;
use crate::blame::Blame;
use crate::http::response::{Response, is_http};
use crate::plain::client::{Link, LinkError, Patience, Phase};
use crate::pool::{Backend, Fault, is_better_part};
use crate::tls::Connector;

/// A connection in the course of its one exchange.
pub(super) struct Wire<'t> {
    terms: &'t Terms,
    time: Time,
    link: Link,
    /// Any byte of the request was sent.
    pub(super) sent_any: bool,
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

impl<'t> Wire<'t> {
    /// Connects to the backend.
    pub(super) fn connect(
        backend: &Backend,
        connector: Option<&Connector>,
        until: Instant,
        terms: &'t Terms,
    ) -> Result<Self, Failed> {
        let unfound = |why: &str| Failed::Backend(Fault::Connect, why.to_owned());
        let address = backend.address().map_err(unfound)?;
        let time = Time { began: Instant::now(), until, whole: terms.timeout };
        let timeouts = &terms.timeouts;
        let patience = Patience {
            until,
            connect: timeouts.connect,
            handshake: timeouts.handshake,
            response: timeouts.response,
            silence: timeouts.stream_idle,
        };
        let link = Link::connect(&[address], connector, patience, &mut |_, _| false);
        let link = link.map_err(|error| Failed::of(error, time).before_sending())?;
        Ok(Self { terms, time, link, sent_any: false })
    }

    /// Sends `request`, which has that method, and reads the answer to its end.
    pub(super) fn exchange(&mut self, request: &[u8], method: &str) -> Result<Answer, Failed> {
        let mut headers = Vec::new();
        let mut keep = |head: &Response| {
            let owned = head.fields().map(|(name, value)| (name.to_owned(), value.into_owned()));
            headers = owned.collect();
        };
        let head = self.link.ask(request, method, &self.terms.head, &mut keep);
        self.sent_any = self.link.sent_any();
        let head = head.map_err(|error| match error {
            LinkError::BadHead(why) if !is_http(self.link.unused()) => {
                Failed::Backend(Fault::NoHttp, format!("no HTTP: {why}"))
            }
            other => Failed::of(other, self.time),
        })?;
        let (status, latency) = (head.status, self.link.latency());
        let (mut body, body_bytes_max) = (Vec::new(), self.terms.body_bytes_max);
        let mut take = |data: &[u8]| {
            let fits = body.len() + data.len() <= body_bytes_max;
            if fits {
                body.extend_from_slice(data);
            }
            fits
        };
        match self.link.read_body(head.framing, &mut take) {
            Ok(true) => Ok(Answer { status, headers, body, latency }),
            Ok(false) => Err(Failed::TooLong(status, latency)),
            Err(error) => Err(Failed::of(error, self.time)),
        }
    }
}

impl Failed {
    fn of(error: LinkError, time: Time) -> Self {
        match error {
            LinkError::Connect { allowed, error, .. } if error.kind() == ErrorKind::TimedOut => {
                Self::late("connect timed out", allowed, time)
            }
            LinkError::Connect { error, .. } => Self::connect(error),
            LinkError::Late(phase, limit) => Self::late(late_words(phase), limit, time),
            LinkError::Handshake(error) | LinkError::Io(error) => match Blame::of(&error) {
                Blame::Theirs => Self::reset(error.to_string()),
                _ => Self::Ours(error),
            },
            LinkError::Closed { inside } => {
                let so_far = if inside { "inside" } else { "before" };
                Self::reset(format!("closed {so_far} its answer's head"))
            }
            LinkError::Cut(why) => Self::reset(why.to_owned()),
            LinkError::BadHead(why) | LinkError::BadBody(why) => {
                Self::Backend(Fault::BadAnswer, format!("bad answer: {why}"))
            }
        }
    }

    fn reset(why: String) -> Self {
        Self::Backend(Fault::Reset, why)
    }

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

    /// It came before a byte of the request was sent.
    fn before_sending(self) -> Self {
        match self {
            Self::Backend(_, why) => Self::Backend(Fault::Connect, why),
            ours => ours,
        }
    }
}

/// What a backend has not done in time.
fn late_words(phase: Phase) -> &'static str {
    match phase {
        Phase::Handshake => "TLS handshake not done",
        Phase::Request => "took no more of the request",
        Phase::Head => "no answer",
        Phase::Body => "silent in its answer",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Timeouts};
    use crate::pool::testing::pool_of;
    use crate::pool::testing::spec;
    use crate::pool::{Rules, Spec};
    use std::net::{SocketAddr, TcpListener, TcpStream};

    /// An address whose kernel swallows the connect while the rest of it is held.
    fn black_hole() -> (SocketAddr, TcpListener, Vec<TcpStream>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let address = listener.local_addr().unwrap();
        let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok();
        let held = std::iter::from_fn(connect).collect();
        (address, listener, held)
    }

    /// What comes of a connect to a hole with so much of a call's second left.
    fn hurried(left: Duration) -> Failed {
        let hole = black_hole();
        let pool = pool_of(vec![Spec { port: hole.0.port(), ..spec("a") }], Rules::default());
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
        Wire::connect(backend, None, Instant::now() + left, &terms).err().unwrap()
    }

    #[test]
    fn what_had_no_time_is_not_blamed_for_that_of_the_call() {
        let failed = hurried(Duration::from_millis(50));
        assert!(matches!(failed, Failed::Hurried(_)));
        let failed = hurried(Duration::from_secs(1));
        assert!(matches!(failed, Failed::Backend(Fault::Connect, _)));
    }
}
