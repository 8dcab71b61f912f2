//! Clients that ask without pause, and remember when which request came to nothing.

use std::fmt;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::harness::{DEADLINE, eventually};

pub const CLIENTS: usize = 8;
/// Between two requests of a client, and after one that failed.
const PAUSE: Duration = Duration::from_millis(4);
const REST: Duration = Duration::from_millis(50);
/// For a connect, of which the first two SYNs may be lost, and for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A request that came to nothing.
#[derive(Clone)]
pub struct Failure {
    pub begun: Instant,
    pub ended: Instant,
    pub why: String,
}

/// The last that happened.
#[derive(Clone, Copy, Default)]
struct Strike {
    begun: Option<Instant>,
    ended: Option<Instant>,
    /// The first answer to a request that was begun after it.
    back: Option<Instant>,
    /// The address was seen elsewhere.
    moved: Option<Instant>,
}

#[derive(Default)]
struct Book {
    answers: AtomicUsize,
    strike: Mutex<Strike>,
    failures: Mutex<Vec<Failure>>,
    slowest: Mutex<Duration>,
    /// The latest that a thread was let run after its pause: how busy the machine is.
    lateness: Mutex<Duration>,
    is_over: AtomicBool,
}

/// Clients under way; [`Load::stop`] ends them.
pub struct Load {
    book: Arc<Book>,
    clients: Vec<JoinHandle<()>>,
}

/// What became of all requests.
pub struct Toll {
    pub answers: usize,
    pub failures: Vec<Failure>,
    pub slowest: Duration,
    /// From the strike to the first answer after it, and until the address was elsewhere.
    gap: Duration,
    moved: Duration,
    strike: Strike,
    lateness: Duration,
}

impl Load {
    /// Under way, with answers.
    pub fn on(address: Ipv4Addr) -> Self {
        let book = Arc::<Book>::default();
        let client = |_| {
            let book = Arc::clone(&book);
            thread::spawn(move || book.ask_on((address, 80).into()))
        };
        let load = Self { clients: (0..CLIENTS).map(client).collect(), book };
        load.goes_on();
        load
    }

    /// Has something happen, and notes when: what is lost from its beginning on is its doing, and
    /// what is asked after its end shows whether all is well again.
    pub fn strike<T>(&self, blow: impl FnOnce() -> T) -> T {
        *self.book.strike.lock().unwrap() =
            Strike { begun: Some(Instant::now()), ..Strike::default() };
        let done = blow();
        let mut strike = self.book.strike.lock().unwrap();
        (strike.ended, strike.back) = (Some(Instant::now()), None);
        drop(strike);
        done
    }

    /// Notes that the address is somewhere else now.
    pub fn moved(&self) {
        self.book.strike.lock().unwrap().moved = Some(Instant::now());
    }

    /// Waits for more answers to requests that were begun after the strike.
    pub fn goes_on(&self) {
        let is_back = || {
            let strike = *self.book.strike.lock().unwrap();
            strike.begun.is_none() || strike.back.is_some()
        };
        eventually("there are answers again", is_back);
        let before = self.answers();
        eventually("answers go on", || self.answers() > before + CLIENTS * 20);
    }

    pub fn answers(&self) -> usize {
        self.book.answers.load(SeqCst)
    }

    /// What became of all.
    pub fn stop(self) -> Toll {
        self.book.is_over.store(true, SeqCst);
        self.clients.into_iter().for_each(|client| client.join().unwrap());
        let strike = *self.book.strike.lock().unwrap();
        let since = |then: Option<Instant>| {
            strike.begun.zip(then).map_or(Duration::ZERO, |(begun, then)| then - begun)
        };
        let (gap, moved) = (since(strike.back), since(strike.moved));
        let failures = self.book.failures.lock().unwrap().clone();
        let (slowest, lateness) =
            (*self.book.slowest.lock().unwrap(), *self.book.lateness.lock().unwrap());
        let answers = self.book.answers.load(SeqCst);
        Toll { answers, failures, slowest, gap, moved, strike, lateness }
    }
}

impl fmt::Debug for Toll {
    /// With times in milliseconds since the strike.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { answers, gap, moved, slowest, lateness, .. } = self;
        let lost = self.failures.len();
        writeln!(f, "{answers} answers, the slowest after {slowest:?}; {lost} requests lost;")?;
        writeln!(f, "gap {gap:?}, moved after {moved:?}; threads late by {lateness:?}")?;
        let start = self.strike.begun.or(self.failures.first().map(|lost| lost.begun));
        let since =
            |then: Instant| match start.map(|start| (then.checked_duration_since(start), start)) {
                Some((Some(later), _)) => format!("{:.1}", later.as_secs_f64() * 1e3),
                Some((None, start)) => format!("-{:.1}", (start - then).as_secs_f64() * 1e3),
                None => String::new(),
            };
        for Failure { begun, ended, why } in &self.failures {
            writeln!(f, "  lost from {} to {} ms: {why}", since(*begun), since(*ended))?;
        }
        Ok(())
    }
}

impl Toll {
    /// Prints what it cost, for whoever runs the test to see.
    pub fn tell(&self, what: &str) {
        let shown = format!("{self:?}");
        let summary: Vec<_> = shown.lines().take(2).collect();
        let _ = writeln!(std::io::stderr(), "{what}: {}", summary.join(" "));
    }

    /// Whatever was lost was under way, or was asked, between the strike and the first answer.
    pub fn lies_within_the_gap(&self) {
        let (begun, back) = (self.strike.begun.unwrap(), self.strike.back.unwrap());
        let is_within = |lost: &&Failure| lost.ended >= begun && lost.begun <= back;
        let outside: Vec<_> = self.failures.iter().filter(|lost| !is_within(lost)).collect();
        assert!(outside.is_empty(), "{} outside of the gap: {self:?}", outside.len());
    }

    /// The floating address moved within what deploy/ha promises, and clients found it, at the
    /// latest by the SYN that they repeat after a second; a machine that lets nobody run gets as
    /// much more as our own threads had to wait.
    pub fn moved_in_time(&self) {
        let allowed = Duration::from_secs(3) + 4 * self.lateness;
        assert!(!self.moved.is_zero() && self.moved <= allowed, "of {allowed:?}: {self:?}");
        self.found_in_time();
    }

    /// Clients found the address.
    pub fn found_in_time(&self) {
        let allowed = Duration::from_secs(4) + 4 * self.lateness;
        assert!(!self.gap.is_zero() && self.gap <= allowed, "of {allowed:?}: {self:?}");
    }

    pub fn is_nothing(&self) {
        assert!(self.failures.is_empty(), "{self:?}");
    }
}

impl Book {
    fn ask_on(&self, address: SocketAddr) {
        let mut connection = None;
        while !self.is_over.load(SeqCst) {
            let begun = Instant::now();
            match exchange(&mut connection, address) {
                Ok(()) => self.answered(begun),
                Err(error) => {
                    connection = None;
                    let why = error.to_string();
                    self.failures.lock().unwrap().push(Failure {
                        begun,
                        ended: Instant::now(),
                        why,
                    });
                    thread::park_timeout(REST);
                }
            }
            let ended = Instant::now();
            thread::park_timeout(PAUSE);
            let late = ended.elapsed().saturating_sub(PAUSE);
            let mut lateness = self.lateness.lock().unwrap();
            *lateness = (*lateness).max(late);
        }
    }

    fn answered(&self, begun: Instant) {
        self.answers.fetch_add(1, SeqCst);
        let mut slowest = self.slowest.lock().unwrap();
        *slowest = (*slowest).max(begun.elapsed());
        drop(slowest);
        let mut strike = self.strike.lock().unwrap();
        if strike.back.is_none() && strike.ended.is_some_and(|ended| begun >= ended) {
            strike.back = Some(Instant::now());
        }
    }
}

type Connection = Option<BufReader<TcpStream>>;

/// A GET with its answer, on the connection of before if there is one.
fn exchange(connection: &mut Connection, address: SocketAddr) -> std::io::Result<()> {
    let mut reader = match connection.take() {
        Some(reader) => reader,
        None => {
            let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(DEADLINE))?;
            stream.set_nodelay(true)?;
            BufReader::new(stream)
        }
    };
    reader.get_mut().write_all(b"GET / HTTP/1.1\r\nHost: web.test\r\n\r\n")?;
    let mut head = Vec::new();
    let (mut length, mut closes, mut line) = (0, false, String::new());
    while line != "\r\n" {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(std::io::Error::other(format!("closed after {head:?}")));
        }
        let small = line.to_ascii_lowercase();
        if let Some(value) = small.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        closes |= small.starts_with("connection: close");
        head.push(line.trim().to_owned());
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    if !head[0].contains(" 200 ") {
        return Err(std::io::Error::other(head[0].clone()));
    }
    if !closes {
        *connection = Some(reader);
    }
    Ok(())
}
