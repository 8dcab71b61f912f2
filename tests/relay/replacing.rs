//! A configuration that is replaced as a whole, again and again, while requests go on.

use crate::harness::{
    Backend, Certs, Gate, Leaf, Place, Wire, eventually, probe, showing, trusting,
};
use evenly::config::Config;
use evenly::engine::Listener;
use evenly::event::Teller;
use evenly::log::Log;
use evenly::pool::Pool;
use evenly::relay::Server;
use evenly::tls::Tls;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

const CLIENTS: usize = 4;
const REPLACEMENTS: usize = 30;
const PERIOD: Duration = Duration::from_millis(100);
/// Requests that a client sends on one connection.
const A_CONNECTION: usize = 50;

/// Those who keep what they saw at their last look until the next: the workers.
const LOOKS: usize = 2;

/// With fewer places than there are clients, so that there is always one who waits for one.
fn configuration(backends: &[&Backend]) -> Config {
    let mut text = "[server]\nlisten = \"127.0.0.1:0\"\nworkers = 2\n".to_owned();
    for (name, backend) in ["A", "B", "C"].iter().zip(backends) {
        let port = backend.port();
        writeln!(text, "[[applications]]\nname = \"{name}\"\nip = \"127.0.0.1\"").unwrap();
        writeln!(text, "port = {port}\nmax_connections = 1").unwrap();
    }
    Config::parse(&text, "test").unwrap()
}

fn pool(config: &Config, before: Option<&Arc<Pool>>) -> Arc<Pool> {
    let specs = config.applications.clone();
    let policy = config.balance.policy.build(&specs, &config.scored);
    match before {
        None => Pool::new(specs, policy, config.rules()),
        Some(before) => Pool::succeeding(before, specs, policy, config.rules(), Duration::ZERO),
    }
}

fn start(config: Config, pool: &Arc<Pool>) -> Server {
    let listener = Listener::bind(config.server.listen).unwrap();
    let teller = Teller::new(Log::start(None).unwrap());
    let (tls, pools) = (Tls::load(&config).unwrap(), [Arc::clone(pool)]);
    Server::start(config, tls, vec![listener], &pools, teller, Instant::now()).unwrap()
}

fn stop(server: Server) {
    eventually("every connection is given back", || server.connections() == 0);
    assert!(server.drain(Duration::from_secs(5), &mut || false));
    server.stop();
}

/// Asks until it is told to stop; true if every answer was good.
fn ask_on(address: SocketAddr, answered: &AtomicU64, stop: &AtomicBool) -> bool {
    while !stop.load(SeqCst) {
        let mut client = Wire::connect(address);
        for _ in 0..A_CONNECTION {
            if client.get("/").status() != 200 {
                return false;
            }
            answered.fetch_add(1, SeqCst);
        }
    }
    true
}

#[test]
fn ten_replacements_a_second_cost_no_request_no_count_and_no_memory() {
    let backends = [(); 3].map(|()| Backend::plain());
    let [a, b, c] = &backends;
    let config = configuration(&[a, b]);
    let mut current = pool(&config, None);
    let server = start(config, &current);

    let (answered, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let mut pools: Vec<Weak<Pool>> = Vec::new();
    thread::scope(|scope| {
        let ask = || ask_on(server.address(), &answered, &done);
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(ask)).collect();
        for number in 0..REPLACEMENTS {
            let seen = answered.load(SeqCst);
            thread::park_timeout(PERIOD);
            eventually("requests go on", || answered.load(SeqCst) > seen);
            let two_or_three = &[a, b, c][..2 + (number + 1) % 2];
            let config = configuration(two_or_three);
            pools.push(Arc::downgrade(&current));
            current = pool(&config, Some(&current));
            server.replace(config, Tls::default(), &[Arc::clone(&current)]);
        }
        done.store(true, SeqCst);
        assert!(clients.into_iter().all(|client| client.join().unwrap()), "an answer was bad");
    });

    eventually("every connection is given back", || server.connections() == 0);
    let alive = || pools.iter().filter(|old| old.strong_count() > 0).count();
    eventually("no more are kept than were looked at last", || alive() <= LOOKS);
    let received = |backend: &Backend| backend.requests().len() as u64;
    let counted = |index: usize| current.backends()[index].counts().requests;
    assert_eq!([0, 1].map(counted), [a, b].map(received), "A and B have their counts");
    assert_eq!([a, b, c].map(received).iter().sum::<u64>(), answered.load(SeqCst));
    let totals = server.controls().totals();
    assert_eq!(
        [totals.classes[1], totals.errors_ours],
        [answered.load(SeqCst), 0],
        "of the gone, too"
    );
    assert!(received(c) > 0, "the third had its share");
    assert_eq!(current.in_flight(), 0);
    stop(server);
}

/// What is kept for the next request belongs to the trust that it was made with: read anew from the
/// same files it is the same, under another name it is not, and then it closes.
#[test]
fn an_idle_connection_outlives_a_replacement_and_no_change_of_trust() {
    let certs = Certs::make();
    let both = Leaf { names: "DNS:one.test,DNS:two.test", ..Leaf::default() };
    let backend = showing(&certs.leaf_of("both", &both));
    let keys = |name: &str| format!("{}tls_name = \"{name}\"\n", trusting(&certs));
    let settings = |keys: &str| {
        let port = backend.port();
        let text = "[server]\nlisten = \"127.0.0.1:0\"\n[[applications]]\nip = \"127.0.0.1\"";
        Config::parse(&format!("{text}\nport = {port}\n{keys}"), "test").unwrap()
    };
    let config = settings(&keys("one.test"));
    let mut current = pool(&config, None);
    let server = start(config, &current);
    let mut client = Wire::connect(server.address());
    assert_eq!((client.get("/").status(), backend.visits()), (200, 1));
    for (name, visits) in [("one.test", 1), ("two.test", 2), ("one.test", 3)] {
        let config = settings(&keys(name));
        current = pool(&config, Some(&current));
        let tls = Tls::load(&config).unwrap();
        server.replace(config, tls, &[Arc::clone(&current)]);
        assert_eq!((client.get("/").status(), backend.visits()), (200, visits), "{name}");
    }
    drop(client);
    stop(server);
}

/// Else all clients would shake hands anew at the same moment.
#[test]
fn a_ticket_outlives_a_replacement() {
    let (certs, backend) = (Certs::make(), Backend::plain());
    let (certificate, key) = certs.leaf("localhost");
    let shown = format!("[tls]\ncertificates = [{certificate:?}]\nkeys = [{key:?}]\n");
    let settings = || {
        let text = "[server]\nlisten = \"127.0.0.1:0\"\n[[applications]]\nip = \"127.0.0.1\"";
        Config::parse(&format!("{shown}{text}\nport = {}\n", backend.port()), "test").unwrap()
    };
    let first = pool(&settings(), None);
    let server = start(settings(), &first);
    let file = certs.dir().join("session");
    let said = |session: &str| {
        let arguments = ["-tls1_3", session, file.to_str().unwrap()];
        let request = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
        probe(server.address(), &certs, &arguments, request)
    };
    let text = said("-sess_out");
    assert!(text.contains("New, TLSv1.3") && text.contains("200 OK"), "{text}");
    let next = pool(&settings(), Some(&first));
    server.replace(settings(), Tls::load(&settings()).unwrap(), &[next]);
    let text = said("-sess_in");
    assert!(text.contains("Reused, TLSv1.3") && text.contains("200 OK"), "{text}");
    stop(server);
}

/// With these applications, each in a line of its own.
fn keeping(backends: &[&Backend]) -> Config {
    let text = "[server]\nlisten = \"127.0.0.1:0\"\n[timeouts]\nupstream_keep_alive = \"1h\"\n";
    let table = |backend: &&Backend| {
        format!("[[applications]]\nip = \"127.0.0.1\"\nport = {}\n", backend.port())
    };
    let tables: String = backends.iter().map(table).collect();
    Config::parse(&format!("{text}{tables}"), "test").unwrap()
}

#[test]
fn connections_to_a_backend_that_has_left_close_at_once_also_one_that_was_in_use() {
    let (gate, ended) = (Gate::new(), Arc::new(AtomicU64::new(0)));
    let (held, counts) = (gate.clone(), Arc::clone(&ended));
    let leaving = Backend::every(move |wire| {
        while let Some(request) = wire.request() {
            if request.target() == "/held" {
                held.pass();
            }
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
        counts.fetch_add(1, SeqCst);
    });
    let staying = Backend::plain();
    let config = keeping(&[&leaving]);
    let first = pool(&config, None);
    let server = start(config, &first);
    let mut clients = [(); 2].map(|()| Wire::connect(server.address()));
    clients[1].send("GET /held HTTP/1.1\r\nHost: a.test\r\n\r\n");
    eventually("it is asked", || first.in_flight() == 1);
    assert_eq!(clients[0].get("/").status(), 200);
    let config = keeping(&[&staying]);
    let next = pool(&config, Some(&first));
    server.replace(config, Tls::default(), &[next]);
    eventually("the idle one closes", || ended.load(SeqCst) == 1);
    gate.open();
    assert_eq!(clients[1].answer().status(), 200);
    eventually("and the other after its answer", || ended.load(SeqCst) == 2);
    assert_eq!(clients.each_mut().map(|client| client.get("/").text()), ["GET / 0\n"; 2]);
    drop(clients);
    stop(server);
}

fn move_somewhere_else(server: &Server, config: &Config, pool: &Arc<Pool>) {
    let listener = Listener::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let mut next = config.clone();
    next.server.listen = listener.address();
    server.open(vec![listener], &next, &Tls::default()).unwrap();
    server.replace(next, Tls::default(), &[Arc::clone(pool)]);
}

#[test]
fn clients_come_in_at_another_address_and_those_inside_stay() {
    let backend = Backend::plain();
    let config = keeping(&[&backend]);
    let pool = pool(&config, None);
    let server = start(config.clone(), &pool);
    let before = server.address();
    let mut inside = Wire::connect(before);
    assert_eq!(inside.get("/").status(), 200);
    for _ in 0..3 {
        move_somewhere_else(&server, &config, &pool);
        assert_eq!(Wire::connect(server.address()).get("/").status(), 200);
    }
    assert_ne!(server.address(), before);
    assert_eq!(server.controls().listening(), server.listening());
    eventually("the first door closes", || std::net::TcpStream::connect(before).is_err());
    assert_eq!(inside.get("/").status(), 200);
    drop(inside);
    stop(server);
}

/// Nobody who has connected is reset, however often the door moves while they come.
#[test]
fn who_waits_at_a_door_that_closes_is_let_in() {
    let backend = Backend::plain();
    let config = keeping(&[&backend]);
    let pool = pool(&config, None);
    let server = start(config.clone(), &pool);
    for _ in 0..10 {
        let address = server.address();
        let mut waiting: Vec<_> = (0..20).map(|_| Wire::connect(address)).collect();
        move_somewhere_else(&server, &config, &pool);
        waiting.iter_mut().for_each(|client| assert_eq!(client.get("/").status(), 200));
    }
    stop(server);
}
