//! The watch against real sockets.

mod crowd;
mod deadline;
mod ours;
mod replaced;
mod shape;
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

use super::{Respread, Settings, Watch, WatchEvent, Watched, WatchedPool, spawn};
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

#[test]
fn a_backend_that_answers_comes_up_before_the_first_round_is_over() {
    let (heard, requests) = unbounded();
    let address = server(move |mut stream, request| {
        heard.send(request).unwrap();
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
    });
    let mut specs = specs(&[address]);
    specs[0].alive = false;
    let watched = Bench::start(specs, one_round(SOON));
    assert!(watched.watch.first_round(SOON));
    assert_eq!(watched.standing(0), Standing::Up);
    let change = watched.next_change();
    assert!(change.starts_with("backend a: check passed: status 204 ("), "{change}");
    assert!(change.ends_with("; down -> up; 1 of 1 up, the first"), "{change}");
    let request = requests.recv_timeout(SOON).unwrap().to_lowercase();
    assert!(request.starts_with("get /health http/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("\r\nhost: {address}\r\n")), "{request}");
}

#[test]
fn a_backend_by_name_is_asked_at_its_address_under_its_name() {
    let (heard, requests) = unbounded();
    let address = server(move |_, request| heard.send(request).unwrap());
    let mut specs = specs(&[address]);
    (specs[0].host, specs[0].found) = ("app.invalid".into(), Some(Ok(address)));
    let _watched = Bench::start(specs, one_round(SOON));
    let request = requests.recv_timeout(SOON).unwrap().to_lowercase();
    let host = format!("\r\nhost: app.invalid:{}\r\n", address.port());
    assert!(request.contains(&host), "{request}");
}

#[test]
fn a_backend_that_nobody_runs_is_down_after_the_first_round() {
    let change = Bench::failure(nobody(), one_round(SOON));
    assert!(change.contains("check failed: Connection refused (os error 111) ("), "{change}");
    assert!(
        change.ends_with("up -> down; 0 of 1 left: NO BACKEND IS UP; out: a (down)"),
        "{change}"
    );
}

#[test]
fn a_bad_status_is_down_and_expect_may_call_it_good() {
    let change = Bench::failure(status(503), one_round(SOON));
    assert!(change.contains("check failed: status 503 ("), "{change}");
    let expect = Some(Statuses::new(vec![503..=503]));
    let settings = Settings { expect, ..one_round(SOON) };
    let watched = Bench::checked(&[status(503), status(200), status(404)], settings);
    let standings = [0, 1, 2].map(|index| watched.standing(index));
    assert_eq!(standings, [Standing::Up, Standing::Down, Standing::Down]);
}

#[test]
fn a_silent_backend_is_down_when_the_time_is_up() {
    let began = Instant::now();
    let change = Bench::failure(silent(), one_round(ms(200)));
    let what = "check failed: no answer within 200ms of the check's start (";
    assert!(change.contains(what), "{change}");
    assert!(began.elapsed() >= ms(200));
}

#[test]
fn a_black_hole_is_down_when_the_time_is_up() {
    let hole = black_hole();
    let change = Bench::failure(hole.address, one_round(ms(300)));
    assert!(change.contains("check failed: connect timed out after 300ms ("), "{change}");
}

#[test]
fn an_endless_body_is_read_so_far_and_no_further() {
    let address = server(|mut stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b'.'; 1024]).is_ok() {}
    });
    let watched = Bench::checked(&[address], one_round(SOON));
    assert_eq!(watched.standing(0), Standing::Up);
}

#[test]
fn what_is_no_http_answer_is_down() {
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", ".".repeat(200_000));
    let short = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nOK".to_owned();
    for answer in ["SSH-2.0-OpenSSH_9.2\r\n".to_owned(), String::new(), long, short] {
        let change = Bench::failure(says(answer), one_round(SOON));
        assert_eq!(change.lines().count(), 1, "{change}");
    }
}

/// What clients get through the relay must not take the backend out.
#[test]
fn an_answer_with_one_meaning_is_as_good_as_any() {
    let heads = [
        "X-A : b\r\nContent-Length: 2\r\n",
        "X-A: b\r\n c\r\nContent-Length: 2\r\n",
        "X-A: b\nContent-Length: 2\n",
        "Content-Length: 2\r\nContent-Length: 2\r\n",
        "Connection: keep-alive; timeout=5\r\nContent-Length: 2, 2\r\n",
        "",
    ];
    let whole = |head: &&str| says(format!("HTTP/1.1 200 OK\r\n{head}\r\nOK"));
    let chunked = "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n";
    let interim = "HTTP/1.1 103 Early Hints\r\nLink : <x>\r\n\r\n";
    let mut addresses: Vec<_> = heads.iter().map(whole).collect();
    addresses
        .push(says(format!("{interim}HTTP/1.1 200 OK\r\n{chunked}\r\n2 \r\nOK\r\n0 \r\n\r\n")));
    let watched = Bench::checked(&addresses, one_round(SOON));
    for index in 0..addresses.len() {
        assert_eq!(watched.standing(index), Standing::Up, "{index}");
    }
}

#[test]
fn an_answer_with_two_meanings_is_down() {
    for head in ["Content-Length: 2\r\nContent-Length: 3", "X-A: b\rX-C: d", "No colon"] {
        let answer = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\nOK");
        let change = Bench::failure(says(answer), one_round(SOON));
        assert!(change.contains("check failed: bad answer: "), "{head:?}: {change}");
    }
}

#[test]
fn an_unknown_default_path_counts_as_up_with_one_warning_a_backend() {
    let watched = Bench::start(specs(&[status(404), status(405)]), quick());
    watched.await_checks(0, 5);
    watched.await_checks(1, 5);
    assert_eq!([watched.standing(0), watched.standing(1)], [Standing::Up; 2]);
    let events = watched.events.clone();
    watched.watch.stop();
    let mut warnings: Vec<String> = events
        .try_iter()
        .map(|event| match event {
            Heard::Told("unknown-path", text) => text,
            other => panic!("{other:?}"),
        })
        .collect();
    warnings.sort();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].starts_with("backend a: GET /health answered 404, which counts as up"));
    assert!(warnings[1].starts_with("backend b: GET /health answered 405, which counts as up"));
}

#[test]
fn an_unknown_path_that_the_file_sets_is_down() {
    let settings = Settings { path_set: true, path: "/up".into(), ..one_round(SOON) };
    let change = Bench::failure(status(404), settings);
    assert!(change.contains("check failed: status 404 ("), "{change}");
}

#[test]
fn a_redirect_is_not_followed_and_is_down() {
    let (heard, requests) = unbounded();
    let elsewhere = server(move |_, request| heard.send(request).unwrap());
    let answer = format!("HTTP/1.1 302 Found\r\nLocation: http://{elsewhere}/\r\n\r\n");
    let change = Bench::failure(says(answer), one_round(SOON));
    assert!(change.contains("check failed: status 302, not followed ("), "{change}");
    assert!(requests.is_empty());
}

#[test]
fn a_flapping_backend_goes_down_after_fall_and_up_after_rise() {
    let health = Arc::new(AtomicU16::new(200));
    let now = Arc::clone(&health);
    let address = server(move |mut stream, _| {
        let answer = format!("HTTP/1.1 {} Now\r\nContent-Length: 0\r\n\r\n", now.load(Relaxed));
        let _ = stream.write_all(answer.as_bytes());
    });
    let watched = Bench::checked(&[address], quick());
    let counts = || watched.pool.backends()[0].counts();
    let count = || (counts().checks_passed, counts().checks_failed);
    health.store(503, Relaxed);
    assert!(watched.next_change().contains("up -> down"));
    let (_, failed) = count();
    assert!(failed >= 3, "down after {failed} failed checks");
    let (passed, _) = count();
    health.store(200, Relaxed);
    assert!(watched.next_change().contains("down -> up"));
    let (passed_now, _) = count();
    assert!(passed_now >= passed + 2, "up after {} checks", passed_now - passed);
}

#[test]
fn one_failure_among_passes_changes_nothing() {
    let turn = AtomicU16::new(0);
    let address = server(move |mut stream, _| {
        let status = if turn.fetch_add(1, Relaxed) % 3 == 2 { 500 } else { 200 };
        let answer = format!("HTTP/1.1 {status} Now\r\nContent-Length: 0\r\n\r\n");
        let _ = stream.write_all(answer.as_bytes());
    });
    let watched = Bench::start(specs(&[address]), quick());
    watched.await_checks(0, 12);
    assert_eq!(watched.standing(0), Standing::Up);
    assert!(watched.events.is_empty());
}

#[test]
fn a_slow_round_is_given_up_at_the_deadline() {
    let watched = Bench::start(specs(&[silent()]), one_round(SOON));
    let began = Instant::now();
    assert!(!watched.watch.first_round(ms(50)));
    assert!(began.elapsed() < SOON / 4);
    assert_eq!(watched.standing(0), Standing::Up, "the file's word holds");
    watched.watch.stop();
}

#[test]
fn checks_that_are_off_ask_nobody() {
    let (heard, requests) = unbounded();
    let address = server(move |_, request| heard.send(request).unwrap());
    let settings = Settings { interval: None, ..Settings::default() };
    let watched = Bench::start(specs(&[address]), settings);
    assert!(watched.watch.first_round(SOON));
    watched.watch.stop();
    assert!(requests.is_empty());
    assert!(watched.events.is_empty());
}

#[test]
fn a_replaced_pool_is_watched_instead() {
    let watched = Bench::checked(&[status(200)], quick());
    let next = pool_of(specs(&[status(200), nobody()]), Rules::default());
    watched.watch.replace(watching_by(&next, Vec::new(), quick()));
    assert!(watched.next_change().contains("backend b: check failed"));
    assert_eq!(next.backends()[1].standing(watched.epoch.elapsed()), Standing::Down);
}

#[test]
fn stopping_waits_for_no_interval_and_no_check() {
    let (reached, asked) = unbounded();
    let address = server(move |mut stream, _| {
        reached.send(()).unwrap();
        let _ = stream.read(&mut [0]);
        reached.send(()).unwrap();
    });
    let hole = black_hole();
    let long = Duration::from_secs(3600);
    let settings = Settings { names_every: long, ..one_round(long) };
    let watched = Bench::start(specs(&[address, hole.address]), settings);
    asked.recv_timeout(SOON).unwrap();
    let began = Instant::now();
    watched.watch.stop();
    assert!(began.elapsed() < Duration::from_secs(5));
    asked.recv_timeout(SOON).expect("the check under way is cut off");
    assert_eq!(watched.pool.backends()[0].standing(SOON), Standing::Up, "and not held against it");
    assert!(watched.events.is_empty());
}

#[test]
fn a_thread_that_panics_is_told_of() {
    let (on, events) = hearing();
    let quiet = || std::panic::resume_unwind(Box::new("a bug"));
    assert!(spawn("checks", &on, quiet).unwrap().join().is_err());
    let told = Heard::Told("died", "thread checks panicked: ending the process".into());
    assert_eq!(events.recv_timeout(SOON).unwrap(), told);
    spawn("checks", &on, || ()).unwrap().join().unwrap();
    assert!(events.is_empty(), "one that ends in peace is not");
}

/// Runs one of the ignored tests below in a process of its own.
fn alone(test: &str, environment: &[(&str, &str)]) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "--ignored", &format!("watch::tests::{test}")]);
    let output = command.envs(environment.iter().copied()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn the_environments_proxy_is_ignored() {
    let proxies = ["http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"];
    let proxies = proxies.map(|name| (name, "http://127.0.0.1:1"));
    alone("alone_a_backend_that_answers_is_up", &proxies);
}

#[test]
#[ignore = "run by the_environments_proxy_is_ignored"]
fn alone_a_backend_that_answers_is_up() {
    let watched = Bench::checked(&[status(200)], one_round(SOON));
    assert_eq!(watched.standing(0), Standing::Up);
}

#[test]
fn the_number_of_threads_is_bounded() {
    alone("alone_there_are_few_threads", &[]);
}

/// Threads of this process by the name of `name`.
fn threads(name: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let names = tasks.flat_map(|task| std::fs::read_to_string(task.path().join("comm")));
    names.filter(|found| found.trim() == name).count()
}

#[test]
#[ignore = "run by the_number_of_threads_is_bounded"]
fn alone_there_are_few_threads() {
    let all = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let before = all();
    let hole = black_hole();
    let many = Bench::start(specs(&[hole.address; 50]), Settings { timeout: ms(160), ..quick() });
    for _ in 0..3 {
        many.await_checks(0, 1 + many.pool.backends()[0].counts().checks_failed);
        assert_eq!((["checks", "names"].map(threads), all()), ([1, 1], before + 2));
    }
    many.watch.stop();
    await_that("threads end", || all() == before);
}
