//! What a running balancer tells, held against what it logs: whatever sees a backend fall.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::engine::Listener;
use crate::event::Told;
use crate::log::Level;
use crate::log::tests::{piped, text_of};
use crate::pool::{Mode, Notice, Pool};
use crate::tls::Tls;

const SOON: Duration = Duration::from_secs(20);

/// A backend that answers everything, or breaks every connection off while it is ill.
struct Backend {
    address: SocketAddr,
    is_ill: Arc<AtomicBool>,
}

impl Backend {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let is_ill = Arc::new(AtomicBool::new(false));
        let ill = Arc::clone(&is_ill);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let _ = answer(client, ill.load(SeqCst));
            }
        });
        Self { address, is_ill }
    }
}

fn answer(mut client: TcpStream, is_ill: bool) -> std::io::Result<()> {
    client.set_read_timeout(Some(SOON))?;
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    match is_ill {
        true => Ok(()),
        false => {
            client.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        }
    }
}

/// All of a balancer but its signals, over two backends, and the end that reads its log.
struct Running {
    server: Server,
    watch: Watch,
    teller: Teller,
    pool: Arc<Pool>,
    epoch: Instant,
    said: std::os::unix::net::UnixStream,
}

impl Running {
    /// With checks at this interval.
    fn start(backends: &[Backend; 2], interval: &str) -> Self {
        let mut text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[health]\ninterval = {interval}\nrise = 1\n\
             fall = 1\n[passive]\nfailures = 1\nclients = 1\n"
        );
        for backend in backends {
            let port = backend.address.port();
            text.push_str(&format!("[[applications]]\nip = \"127.0.0.1\"\nport = {port}\n"));
        }
        let config = Config::parse(&text, "test").unwrap();
        let ((log, said), epoch) = (piped(), Instant::now());
        let teller = Teller::new(log);
        let pools = build_pools(&config, None, &teller);
        let pool = Arc::clone(&pools.all()[0]);
        let listeners = vec![Listener::bind(config.server.listen).unwrap()];
        let tls = Tls::default();
        let names = (Answers::new(), names::line().0);
        let Ok(watch) = start_watch(&config, &tls, &pools, names, &teller, epoch) else {
            panic!("no watch");
        };
        let server =
            Server::start(config, tls, listeners, pools.all(), teller.clone(), epoch).unwrap();
        Self { server, watch, teller, pool, epoch, said }
    }

    fn ask(&self) {
        let mut client = TcpStream::connect(self.server.address()).unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        client.read_to_end(&mut Vec::new()).unwrap();
    }

    /// Asks for pages until an event of this kind was told.
    fn ask_until(&self, kind: &str) -> Arc<Told> {
        self.wait_while(kind, || self.ask())
    }

    /// Waits until one was told.
    fn wait_for(&self, kind: &str) -> Arc<Told> {
        self.wait_while(kind, thread::yield_now)
    }

    fn wait_while(&self, kind: &str, go_on: impl Fn()) -> Arc<Told> {
        let until = Instant::now() + SOON;
        loop {
            let events = self.teller.since(0).events;
            match events.into_iter().find(|told| told.class.word == kind) {
                Some(told) => return told,
                None if Instant::now() < until => go_on(),
                None => panic!("no {kind} in time"),
            }
        }
    }

    /// Stops it; what it logged.
    fn stop(self) -> (Vec<Arc<Told>>, String) {
        self.watch.stop();
        self.server.stop();
        assert!(self.teller.log().flush(SOON));
        let events = self.teller.since(0).events;
        drop((self.server, self.watch, self.teller, self.pool));
        (events, text_of(self.said))
    }
}

#[test]
fn log_and_ring_agree_line_by_line_while_backends_fall_and_rise() {
    let backends = [Backend::start(), Backend::start()];
    let running = Running::start(&backends, "\"50ms\"");
    backends[0].is_ill.store(true, SeqCst);
    running.ask_until("out");
    backends[1].is_ill.store(true, SeqCst);
    running.ask_until("last-out");
    backends.iter().for_each(|backend| backend.is_ill.store(false, SeqCst));
    running.ask_until("up");
    let (events, log) = running.stop();
    let line = |told: &Arc<Told>| format!("{} {}", level(told.class.level), told.text);
    let mut remembered: Vec<String> = events.iter().map(line).collect();
    let mut logged: Vec<String> = log.lines().map(without_time).collect();
    for (told, line) in remembered.iter_mut().zip(&mut logged) {
        // The ring has the beginning of a long line.
        if let Some(beginning) = told.strip_suffix("...") {
            line.truncate(beginning.len());
            *told = beginning.to_owned();
        }
    }
    // Threads that tell at once may reach the two in another order.
    remembered.sort();
    logged.sort();
    assert_eq!(logged, remembered);
    assert!(remembered.len() >= 3);
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Error => "ERROR",
        Level::Warn => "WARN ",
        Level::Info => "INFO ",
    }
}

fn without_time(line: &str) -> String {
    line.split_once(' ').unwrap().1.to_owned()
}

#[test]
fn a_fall_has_one_level_whether_a_check_a_request_or_an_operator_brings_it_about() {
    let (first, last) = ("out", "last-out");
    let by_check = || {
        let backends = [Backend::start(), Backend::start()];
        let running = Running::start(&backends, "\"50ms\"");
        backends[0].is_ill.store(true, SeqCst);
        let out = running.wait_for(first);
        backends[1].is_ill.store(true, SeqCst);
        (out, running.wait_for(last))
    };
    let by_operator = || {
        let running = Running::start(&[Backend::start(), Backend::start()], "\"off\"");
        for index in [0, 1] {
            let change =
                running.pool.set_mode(index, Mode::Maint, true, running.epoch.elapsed()).unwrap();
            running.teller.tell(Event::from(&Notice::Changed(change.unwrap())));
        }
        (running.wait_for(first), running.wait_for(last))
    };
    let by_request = || {
        let backends = [Backend::start(), Backend::start()];
        let running = Running::start(&backends, "\"off\"");
        backends[0].is_ill.store(true, SeqCst);
        let out = running.ask_until(first);
        // The last one up is ejected by no request; an operator may take it out.
        let change = running.pool.set_mode(1, Mode::Drain, true, running.epoch.elapsed()).unwrap();
        running.teller.tell(Event::from(&Notice::Changed(change.unwrap())));
        (out, running.wait_for(last))
    };
    for (out, last_out) in [by_check(), by_operator(), by_request()] {
        assert_eq!(out.class.level, Level::Warn, "{}", out.text);
        assert_eq!(last_out.class.level, Level::Error, "{}", last_out.text);
    }
}

/// A whole balancer by this file, as operators see it.
#[cfg(feature = "admin")]
fn steered(file: &std::path::Path, text: &str) -> Balancer {
    std::fs::write(file, text).unwrap();
    let source = Source { path: file.to_owned(), overrides: Default::default() };
    let (config, _) = source.load().unwrap();
    let Ok(signals) = Signals::listen() else { panic!("no signals") };
    let Ok(balancer) = Balancer::start(config, Some(source), signals) else { panic!("no start") };
    balancer
}

#[cfg(feature = "admin")]
#[test]
fn diff_says_what_reload_then_does_and_changes_nothing_itself() {
    use crate::admin::Steered;
    let backends = [Backend::start(), Backend::start()];
    let text = |keys: &str, count: usize| {
        let table = |backend: &Backend| {
            format!("[[applications]]\nip = \"127.0.0.1\"\nport = {}\n", backend.address.port())
        };
        let tables: String = backends[..count].iter().map(table).collect();
        format!("server.listen = \"127.0.0.1:0\"\n{keys}{tables}")
    };
    let folder = std::env::temp_dir().join(format!("evenly-diff-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("a.toml");
    let balancer = steered(&file, &text("", 1));
    let steered: &dyn Steered = &*balancer.running;
    assert_eq!(steered.diff(None).as_deref(), Ok("nothing changes"));
    let next = text("queue.length = 7\n", 2);
    let words = steered.diff(Some(&next)).unwrap();
    let port = backends[1].address.port();
    let new = format!("application 127.0.0.1:{port}: new, at 127.0.0.1:{port}\n");
    assert_eq!(words, format!("{new}queue.length: 1024 -> 7"));
    assert_eq!((steered.controls().pool().backends().len(), steered.life().reloads), (1, 0));
    let why = steered.diff(Some(&text("queue.length = -1\n", 1))).unwrap_err();
    assert!(why.starts_with("(given):2:16: queue.length: "), "{why}");
    let fixed = text("server.workers = 63\nqueue.length = 7\n", 1);
    let why = steered.diff(Some(&fixed)).unwrap_err();
    let refused = "server.workers: 0 -> 63: its threads are started once; restart instead\n";
    assert_eq!(why, format!("{refused}queue.length: 1024 -> 7: refused along with that"));

    std::fs::write(&file, next).unwrap();
    assert_eq!(steered.diff(None).as_ref(), Ok(&words));
    assert_eq!(steered.reload().as_ref(), Ok(&words));
    assert_eq!(steered.diff(None).as_deref(), Ok("nothing changes"));
    let life = steered.life();
    assert_eq!((life.reloads, life.path.as_ref()), (1, Some(&file)));
    assert_eq!(life.last_reload.unwrap().1, Ok(words));
    assert!(life.loaded > life.started && steered.config().contains("length = 7"));
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(steered.reload().unwrap_err().contains("is not there any more"));
    assert_eq!(steered.life().reloads, 1);
}

/// Two operators at once, and a signal.
#[cfg(feature = "admin")]
#[test]
fn reloads_at_once_wait_for_each_other_and_the_last_file_is_in_force() {
    use crate::admin::Steered;
    let backend = Backend::start();
    let port = backend.address.port();
    let text = |length: usize| {
        format!(
            "server.listen = \"127.0.0.1:0\"\nqueue.length = {length}\n\
             [[applications]]\nip = \"127.0.0.1\"\nport = {port}\n"
        )
    };
    let file = std::env::temp_dir().join(format!("evenly-turns-{}.toml", std::process::id()));
    let balancer = steered(&file, &text(1));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..10).for_each(|_| drop(balancer.running.reload().unwrap())));
        }
        for length in 2..40 {
            let next = file.with_extension("next");
            std::fs::write(&next, text(length)).unwrap();
            std::fs::rename(next, &file).unwrap();
        }
    });
    let steered: &dyn Steered = &*balancer.running;
    steered.reload().unwrap();
    assert!(steered.config().contains("length = 39"));
    std::fs::remove_file(file).unwrap();
}
