//! The watch against real sockets.

mod answers;
mod crowd;
mod deadline;
mod first_round;
mod ours;
mod replaced;
mod shape;
mod threads;
#[cfg(feature = "tls")]
mod tls;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, unbounded};

use super::{Respread, Settings, Watch, WatchEvent, Watched, WatchedPool};
use crate::config::Answers;
use crate::pool::Notice;
use crate::pool::testing::{pool_of, spec};
use crate::pool::{Pool, Rules, Spec, Standing, Statuses};
use crate::tls::{Connector, Remedy};

/// Long enough for anything that is to happen, however busy the machine is.
const SOON: Duration = Duration::from_secs(20);

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Checks in quick succession.
fn quick() -> Settings {
    Settings { interval: Some(ms(10)), ..Settings::default() }
}

/// One round and no more, with `timeout`.
fn one_round(timeout: Duration) -> Settings {
    Settings { interval: Some(Duration::from_secs(3600)), timeout, ..Settings::default() }
}

/// A server that hands every connection with its request's head to `answer`.
fn server(answer: impl Fn(TcpStream, String) + Send + Sync + 'static) -> SocketAddr {
    server_at(([127, 0, 0, 1], 0).into(), answer)
}

fn server_at(
    address: SocketAddr,
    answer: impl Fn(TcpStream, String) + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind(address).unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            thread::spawn(move || {
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                    head.push(byte[0]);
                }
                answer(stream, String::from_utf8_lossy(&head).into_owned());
            });
        }
    });
    address
}

/// A server that answers with these bytes.
fn says(answer: impl Into<String>) -> SocketAddr {
    let answer = answer.into();
    server(move |mut stream, _| stream.write_all(answer.as_bytes()).unwrap())
}

fn status(status: u16) -> SocketAddr {
    says(format!("HTTP/1.1 {status} Whatever\r\nContent-Length: 2\r\n\r\nOK"))
}

/// A server that accepts and then says nothing.
fn silent() -> SocketAddr {
    server(|mut stream, _| {
        let _ = stream.read(&mut [0]);
    })
}

/// A port that nobody listens at.
fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A listener with no room for another connection: the kernel swallows the connect.
struct BlackHole {
    address: SocketAddr,
    _held: (TcpListener, Vec<TcpStream>),
}

fn black_hole() -> BlackHole {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let address = listener.local_addr().unwrap();
    let connect = || TcpStream::connect_timeout(&address, ms(200)).ok();
    let held = std::iter::from_fn(connect).collect();
    BlackHole { address, _held: (listener, held) }
}

/// A backend at each of `addresses`, named a, b and so on.
fn specs(addresses: &[SocketAddr]) -> Vec<Spec> {
    let named = (b'a'..).zip(addresses);
    named
        .map(|(name, at)| Spec { port: at.port(), ..spec(&char::from(name).to_string()) })
        .collect()
}

/// A pool under watch.
struct Bench {
    pool: Arc<Pool>,
    watch: Watch,
    events: Receiver<Heard>,
    epoch: Instant,
}

/// Has no other pool made.
pub(super) fn as_it_is() -> Respread {
    Box::new(|_, _| None)
}

/// Watching `pool` in the clear.
pub(super) fn watching(pool: &Arc<Pool>) -> Watched {
    watching_by(pool, Vec::new(), Settings::default())
}

/// Watching `pool`, reached so, by these settings.
fn watching_by(
    pool: &Arc<Pool>,
    connectors: Vec<Option<Connector>>,
    settings: Settings,
) -> Watched {
    let pool = WatchedPool { pool: Arc::clone(pool), connectors, settings };
    Watched { pools: vec![pool], answers: Answers::new() }
}

/// What was told, as it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Noticed(Notice),
    /// The kind of event, and its line.
    Told(&'static str, String),
}

impl From<WatchEvent<'_>> for Heard {
    fn from(event: WatchEvent) -> Self {
        match event {
            WatchEvent::Noticed(notice) => Self::Noticed(notice.clone()),
            WatchEvent::Other(event) => Self::Told(event.class().word, event.to_string()),
        }
    }
}

/// A listener, and what it heard.
fn hearing() -> (super::OnEvent, Receiver<Heard>) {
    let (heard, events) = unbounded();
    (Arc::new(move |event: WatchEvent| drop(heard.send(event.into()))), events)
}

impl Bench {
    fn start(specs: Vec<Spec>, settings: Settings) -> Self {
        Self::over(pool_of(specs, Rules::default()), settings)
    }

    fn over(pool: Arc<Pool>, settings: Settings) -> Self {
        Self::through(Vec::new(), pool, settings)
    }

    fn through(connectors: Vec<Option<Connector>>, pool: Arc<Pool>, settings: Settings) -> Self {
        let (on, events) = hearing();
        let epoch = Instant::now();
        let first = watching_by(&pool, connectors, settings);
        let watch = Watch::start(first, epoch, as_it_is(), move |event| on(event)).unwrap();
        Self { pool, watch, events, epoch }
    }

    /// Watches for one round.
    fn checked(addresses: &[SocketAddr], settings: Settings) -> Self {
        let watched = Self::start(specs(addresses), settings);
        assert!(watched.watch.first_round(SOON));
        watched
    }

    fn standing(&self, index: usize) -> Standing {
        self.pool.backends()[index].standing(self.epoch.elapsed())
    }

    /// The next change, as a line.
    fn next_change(&self) -> String {
        loop {
            if let Heard::Noticed(Notice::Changed(change)) = self.events.recv_timeout(SOON).unwrap()
            {
                return change.to_string();
            }
        }
    }

    /// The next event, which is of this kind, as a line.
    fn next_of(&self, kind: &str) -> String {
        match self.events.recv_timeout(SOON).unwrap() {
            Heard::Told(told, text) if told == kind => text,
            other => panic!("{other:?}"),
        }
    }

    /// How the only backend fails its check.
    fn failure(address: SocketAddr, settings: Settings) -> String {
        let watched = Self::checked(&[address], settings);
        assert_eq!(watched.standing(0), Standing::Down);
        watched.next_change()
    }

    /// Waits for so many checks of the backend at `index`.
    fn await_checks(&self, index: usize, count: u64) {
        let counts = || self.pool.backends()[index].counts();
        let made = || counts().checks_passed + counts().checks_failed;
        await_that("checks are made", || made() >= count);
    }
}

fn await_that(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + SOON;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        thread::park_timeout(ms(1));
    }
}

/// Runs one of the ignored tests in a process of its own.
fn alone(test: &str, environment: &[(&str, &str)]) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "--ignored", &format!("watch::tests::{test}")]);
    let output = command.envs(environment.iter().copied()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
