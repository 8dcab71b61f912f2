//! What an operator does while traffic flows: take a backend out and have it back, hold requests
//! and let them go. In the test's own process, by the controls that the endpoint uses.

use crate::harness::{Backend, Broken, Gate, Keyed, Place, Wire, eventually, serve, timed};
use evenly::config::Config;
use evenly::engine::Listener;
use evenly::event::Teller;
use evenly::log::Log;
use evenly::pool::{CheckOutcome, Mode, Pool, Rules, Secret, Standing};
use evenly::relay::{Controls, Server};
use evenly::tls::Tls;
use std::fmt::Write as _;
use std::io::{ErrorKind, Read as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\n\
                       Upgrade: websocket\r\n\r\n";
const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
                        Upgrade: websocket\r\n\r\n";
const HALF: &str = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf";
/// Long enough for anything that is to happen.
const LONG: Duration = Duration::from_secs(30);

/// A running relay, and what steers it.
struct Relay {
    server: Option<Server>,
    controls: Controls,
    teller: Teller,
    config: Config,
}

impl Relay {
    /// Over these backends, with more settings in TOML.
    fn over(backends: &[&dyn Place], settings: &str) -> Self {
        let listen = match settings.contains("[[listeners]]") {
            true => "",
            false => "server.listen = \"127.0.0.1:0\"\n",
        };
        let mut text = format!("{listen}{settings}\n");
        for backend in backends {
            let (port, keys) = (backend.port(), backend.keys());
            let place = format!("ip = \"127.0.0.1\"\nport = {port}\n{keys}");
            writeln!(text, "[[applications]]\n{place}").unwrap();
        }
        let config = Config::parse(&text, "test").unwrap();
        let listener = Listener::bind(config.address()).unwrap();
        let (pool, teller) = (pool(&config, None), Teller::new(Log::start(None).unwrap()));
        let (tls, told) = (Tls::default(), teller.clone());
        let server =
            Server::start(config.clone(), tls, vec![listener], &[pool], told, Instant::now())
                .unwrap();
        let controls = server.controls();
        Self { server: Some(server), controls, teller, config }
    }

    fn connect(&self) -> Wire {
        Wire::connect(self.address())
    }

    fn address(&self) -> SocketAddr {
        self.controls.listening()[0].address
    }

    fn asking(&self, target: &str) -> Wire {
        let mut client = self.connect();
        client.send(format!("GET {target} HTTP/1.1\r\nHost: a.test\r\n\r\n"));
        client
    }

    /// A client whose tunnel has begun.
    fn tunnel(&self) -> Wire {
        let mut client = self.connect();
        client.send(UPGRADE);
        assert_eq!(client.answer().status(), 101);
        client
    }

    /// A client that has half of its answer.
    fn download(&self) -> Wire {
        let mut client = self.asking("/half");
        client.head().unwrap();
        client.expect("half");
        client
    }

    /// Sets a mode, whatever follows from it.
    fn set(&self, index: usize, mode: Mode) {
        self.controls.set_mode(&self.controls.pool(), index, mode, true).unwrap();
    }

    fn in_use(&self, index: usize) -> u32 {
        self.controls.pool().backends()[index].in_use()
    }

    /// What a check says.
    fn check(&self, passed: bool) {
        let (seen, took) = ("as told".to_owned(), Duration::ZERO);
        let outcome = CheckOutcome { passed, asks_drain: false, seen, took };
        self.controls.pool().record_check(0, &outcome, self.controls.now());
    }

    fn told(&self) -> Vec<&'static str> {
        self.teller.since(0).events.iter().map(|told| told.class.word).collect()
    }

    /// So many wait in the line.
    fn has_waiting(&self, count: usize) {
        eventually("those who wait", || self.controls.waiting().0 == count);
    }
}

/// That of the configuration, in the place of `old`.
fn pool(config: &Config, old: Option<&Pool>) -> Arc<Pool> {
    let specs = config.applications.clone();
    let policy = config.balance.policy.build(&specs, &config.scored);
    let sticky = config.sticky.cookie.as_ref().map(|_| Secret::drawn([1, 2]));
    let rules = Rules { sticky, ..config.rules() };
    match old {
        None => Pool::new(specs, policy, rules),
        Some(old) => Pool::succeeding(old, specs, policy, rules, LONG),
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let server = self.server.take().unwrap();
        if thread::panicking() {
            return;
        }
        assert!(server.drain(LONG, &mut || false));
        server.stop();
        let told = self.told();
        assert!(!told.iter().any(|word| ["panicked", "died"].contains(word)), "{told:?}");
        assert_eq!(self.controls.pool().in_flight(), 0, "no place is lost");
    }
}

/// Agrees to a tunnel and echoes there; sends half of what it is asked for at `/half` until the
/// gate opens; keeps `/silent` waiting; and is else a good server.
fn lively(gate: &Gate) -> Backend {
    let gate = gate.clone();
    Backend::every(move |wire| {
        while let Some(request) = wire.request() {
            match request.target() {
                "/ws" => {
                    wire.send(SWITCHED);
                    while let Ok(byte) = wire.exactly(1) {
                        wire.offer(byte);
                    }
                    return;
                }
                "/half" => {
                    wire.send(HALF);
                    gate.pass();
                    if !wire.offer("more") {
                        return;
                    }
                }
                "/silent" => return drop(wire.ending()),
                _ if !wire.offer("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nlively") => return,
                _ => {}
            }
        }
    })
}

#[test]
fn what_is_in_flight_at_a_drained_backend_ends_and_the_next_request_goes_elsewhere() {
    let gate = Gate::new();
    let (lively, other) = (lively(&gate), Backend::plain());
    let relay = Relay::over(&[&lively, &other], "balance.policy = \"first-alive\"");
    let mut kept = relay.connect();
    assert_eq!(kept.get("/a").text(), "lively");
    let (mut tunnel, mut download) = (relay.tunnel(), relay.download());
    relay.set(0, Mode::Drain);
    assert_eq!(kept.get("/b").text(), "GET /b 0\n", "on the connection that it had");
    tunnel.send("x");
    tunnel.expect("x");
    gate.open();
    download.expect("more");
    eventually("the tunnel alone goes on", || relay.in_use(0) == 1);
    tunnel.finish();
    tunnel.expect_end();
    eventually("it is idle", || relay.in_use(0) == 0);
}

#[test]
fn clients_that_are_tied_to_a_backend_move_on_when_it_is_taken_out() {
    for mode in [Mode::Drain, Mode::Maint] {
        let backends = [(); 2].map(|()| Backend::plain());
        let relay = Relay::over(&[&backends[0], &backends[1]], "sticky.cookie = \"tie\"");
        let cookie = |answer: &crate::harness::Message| {
            let set = answer.field("set-cookie").map(str::to_owned)?;
            Some(set.split(';').next().unwrap_or_default().to_owned())
        };
        let mut client = relay.connect();
        let tied = cookie(&client.get("/first")).unwrap();
        let stays = || format!("GET /stays HTTP/1.1\r\nHost: a.test\r\nCookie: {tied}\r\n\r\n");
        assert_eq!(cookie(&client.ask(stays())), None);
        let place = backends.iter().position(|backend| backend.requests().len() == 2).unwrap();
        relay.set(place, mode);
        assert_ne!(cookie(&client.ask(stays())), None, "{mode}: a new cookie");
        assert_eq!(backends[1 - place].requests().len(), 1, "{mode}: of another");
        relay.set(place, Mode::Ready);
        assert_eq!(cookie(&client.ask(stays())), None, "{mode}: the old one is as good as ever");
    }
}

#[test]
fn maintenance_ends_what_is_in_flight_when_the_time_to_drain_is_over() {
    let gate = Gate::new();
    let (lively, other) = (lively(&gate), Backend::plain());
    let settings = "balance.policy = \"first-alive\"\ntimeouts.drain = \"300ms\"";
    let relay = Relay::over(&[&lively, &other], settings);
    let (mut tunnel, mut download) = (relay.tunnel(), relay.download());
    let (mut asking, mut posting) = (relay.asking("/silent"), relay.connect());
    posting.send("POST /silent HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\n\r\nx");
    lively.wait_requests(4);
    let ((rest, broken), took) = timed(|| {
        relay.set(0, Mode::Maint);
        tunnel.ending()
    });
    assert!(took >= Duration::from_millis(300), "not before: {took:?}");
    assert!(rest.is_empty() && matches!(broken, Broken::End | Broken::Reset), "{broken:?}");
    assert_eq!(download.ending(), (b"".to_vec(), Broken::End), "half, and a visible cut");
    assert_eq!(asking.answer().text(), "GET /silent 0\n", "what can be sent again, is");
    let answer = posting.answer();
    assert_eq!((answer.status(), answer.field("retry-after")), (503, Some("1")));
    eventually("nothing is left", || relay.in_use(0) == 0);
    let pool = relay.controls.pool();
    assert_eq!(pool.status(0, relay.controls.now()).counts.failures, 0, "it is not its fault");
    gate.open();
}

#[test]
fn connections_of_tcp_clients_outlive_a_drain_and_end_by_maintenance() {
    let say = |name: &'static str| {
        Backend::every(move |wire| {
            wire.send(name);
            while let Ok(byte) = wire.exactly(1) {
                wire.offer(byte);
            }
        })
    };
    let (a, b) = (say("a"), say("b"));
    let settings = "balance.policy = \"first-alive\"\ntimeouts.drain = \"300ms\"\n\
                    [[listeners]]\nlisten = \"127.0.0.1:0\"\nmode = \"tcp\"";
    let relay = Relay::over(&[&a, &b], settings);
    let mut open = relay.connect();
    open.expect("a");
    relay.set(0, Mode::Drain);
    relay.connect().expect("b");
    open.send("x");
    open.expect("x");
    assert_eq!(relay.in_use(0), 1, "it counts as in flight");
    relay.set(0, Mode::Maint);
    assert_eq!(open.ending(), (Vec::new(), Broken::Reset));
    eventually("nothing is left", || relay.in_use(0) == 0);
}

#[test]
fn tcp_clients_wait_while_operators_hold_them() {
    let backend = Backend::every(|wire| wire.send("hello"));
    let settings = "[[listeners]]\nlisten = \"127.0.0.1:0\"\nmode = \"tcp\"";
    let relay = Relay::over(&[&backend], settings);
    relay.controls.pause(LONG, None);
    let mut client = relay.connect();
    client.stands_in_line();
    relay.controls.resume(None);
    client.expect("hello");
    client.expect_end();
}

#[test]
fn a_tcp_client_for_whom_the_line_of_a_pause_is_full_is_said_to_be_that() {
    let backend = Backend::every(|wire| wire.send("hello"));
    let settings = "queue.length = 0\n[[listeners]]\nlisten = \"127.0.0.1:0\"\nmode = \"tcp\"";
    let relay = Relay::over(&[&backend], settings);
    relay.controls.pause(LONG, None);
    // It may come before the connect is seen to be done.
    let reset = TcpStream::connect(relay.address()).and_then(|mut it| it.read(&mut [0]));
    assert_eq!(reset.unwrap_err().kind(), ErrorKind::ConnectionReset);
    let said = "resetting a connection: the pool is paused, and its line is full";
    eventually("it is said", || {
        relay.teller.since(0).events.iter().any(|told| told.text.starts_with(said))
    });
}

#[test]
fn one_that_is_ready_again_in_time_keeps_its_tunnels() {
    let (lively, other) = (lively(&Gate::new()), Backend::plain());
    let settings = "balance.policy = \"first-alive\"\ntimeouts.drain = \"1s\"";
    let relay = Relay::over(&[&lively, &other], settings);
    let mut tunnel = relay.tunnel();
    for mode in [Mode::Ready, Mode::Drain] {
        relay.set(0, Mode::Maint);
        relay.set(0, mode);
        let late = relay.controls.now() + Duration::from_millis(1500);
        eventually("its time would be up", || relay.controls.now() > late);
        tunnel.send("x");
        tunnel.expect("x");
    }
    relay.set(0, Mode::Ready);
    assert_eq!(relay.connect().get("/").text(), "lively");
}

#[test]
fn no_idle_connection_to_a_backend_in_maintenance_is_left() {
    let backends = [(); 2].map(|()| Backend::plain());
    let settings = "timeouts.upstream_keep_alive = \"60s\"";
    let relay = Relay::over(&[&backends[0], &backends[1]], settings);
    let mut client = relay.connect();
    (0..2).for_each(|_| assert_eq!(client.get("/").status(), 200));
    assert_eq!(backends.each_ref().map(Backend::connections), [1, 1]);
    relay.set(0, Mode::Maint);
    eventually("it is closed", || backends[0].connections() == 0);
    assert_eq!(backends[1].connections(), 1, "the other's stays");
}

#[test]
fn the_last_usable_backend_is_taken_out_by_one_operator_of_two_at_most() {
    let backends = [(); 2].map(|()| Backend::plain());
    let relay = Relay::over(&[&backends[0], &backends[1]], "");
    let drain = |index| {
        let controls = relay.controls.clone();
        let set = move || controls.set_mode(&controls.pool(), index, Mode::Drain, false);
        thread::spawn(move || set().is_ok())
    };
    let drained = [drain(0), drain(1)].map(|drain| drain.join().unwrap());
    assert_eq!(drained.iter().filter(|is_drained| **is_drained).count(), 1);
    assert_eq!(relay.connect().get("/").status(), 200);
    assert_eq!(relay.told(), ["out"], "what is refused is no event");
}

#[test]
fn a_paused_pool_loses_no_request_while_its_only_application_restarts() {
    let backend = Backend::plain();
    let relay = Relay::over(&[&backend], "");
    let mut before = relay.connect();
    assert_eq!(before.get("/before").status(), 200);
    relay.controls.pause(LONG, None);
    let mut held: Vec<Wire> = Vec::new();
    for number in 0..4 {
        held.push(relay.asking(&format!("/{number}")));
        relay.has_waiting(number + 1);
    }
    let vacant = backend.go_down();
    (0..3).for_each(|_| relay.check(false));
    assert_eq!(relay.controls.pool().usable(relay.controls.now()), 0);
    held[0].stands_in_line();
    let backend = vacant.open(serve);
    relay.controls.resume(None);
    held[0].stands_in_line(); // no check has seen it yet
    (0..2).for_each(|_| relay.check(true));
    for (number, client) in held.iter_mut().enumerate() {
        assert_eq!(client.answer().text(), format!("GET /{number} 0\n"));
    }
    assert_eq!(backend.requests().len(), 4);
    assert_eq!(relay.told().first(), Some(&"paused"));
    assert!(relay.told().contains(&"resumed"));
}

#[test]
fn those_who_are_held_go_in_their_order_and_no_more_at_once_than_there_are_places() {
    let gate = Gate::new();
    let backend = Backend::holding(&gate);
    let relay = Relay::over(&[&Keyed(&backend, "max_connections = 1")], "queue.timeout = \"30s\"");
    relay.controls.pause(LONG, None);
    let mut held: Vec<Wire> = Vec::new();
    for (number, target) in ["/held", "/1", "/2", "/3"].iter().enumerate() {
        held.push(relay.asking(target));
        relay.has_waiting(number + 1);
    }
    relay.controls.resume(None);
    backend.wait_requests(1);
    let mut newcomer = relay.asking("/4");
    relay.has_waiting(4);
    gate.open();
    held.iter_mut().for_each(|client| assert_eq!(client.answer().status(), 200));
    assert_eq!(newcomer.answer().status(), 200);
    let order: Vec<_> = backend.requests().iter().map(|seen| seen.target().to_owned()).collect();
    assert_eq!(order, ["/held", "/1", "/2", "/3", "/4"]);
}

#[test]
fn a_pause_that_nobody_ends_is_over_by_itself() {
    let backend = Backend::plain();
    let relay = Relay::over(&[&backend], "");
    relay.controls.pause(Duration::from_millis(100), None);
    let mut client = relay.asking("/");
    assert_eq!(client.answer().status(), 200);
    assert_eq!(relay.controls.paused_for(None), None);
    // Who is let go may be faster than the word of it.
    eventually("its end is told", || relay.told() == ["paused", "pause-over"]);
    relay.controls.resume(None);
    assert_eq!(relay.told().len(), 2, "there was nothing to resume");
}

#[test]
fn the_line_of_a_pause_has_its_length_and_who_leaves_gives_the_place_back() {
    let backend = Backend::plain();
    let relay = Relay::over(&[&backend], "queue.length = 1");
    relay.controls.pause(LONG, None);
    let held = relay.asking("/held");
    relay.has_waiting(1);
    let refused = relay.connect().get("/refused");
    assert_eq!((refused.status(), refused.field("retry-after")), (503, Some("5")));
    assert_eq!(refused.text(), "requests are held for a moment\n");
    let paused = "the pool is paused, and its line is full ([queue] length)";
    assert!(relay.teller.since(0).events.iter().any(|told| told.text.contains(paused)));
    drop(held);
    relay.has_waiting(0);
    let mut next = relay.asking("/next");
    relay.has_waiting(1);
    relay.controls.resume(None);
    assert_eq!(next.answer().text(), "GET /next 0\n");
    assert_eq!(backend.requests().len(), 1, "who left is not served");
}

#[test]
fn what_is_only_told_where_to_go_is_not_held_by_a_pause() {
    let backend = Backend::plain();
    for settings in ["server.mode = \"redirect\"", "lookup.path = \"/next\""] {
        let relay = Relay::over(&[&backend], &format!("{settings}\nserver.ready = \"/ready\""));
        relay.controls.pause(LONG, None);
        let answer = relay.connect().get("/next");
        assert_eq!(answer.status(), 503, "{settings}");
        assert!(answer.text().contains("requests are held for a moment"), "{settings}");
        assert_eq!(answer.field("retry-after"), Some("5"), "{settings}");
        assert_eq!(relay.connect().get("/ready").status(), 200);
        relay.controls.resume(None);
        assert!(relay.connect().get("/next").status() < 400, "{settings}");
    }
}

#[test]
fn a_pause_and_a_mode_outlive_another_configuration() {
    let backends = [(); 2].map(|()| Backend::plain());
    let relay = Relay::over(&[&backends[0], &backends[1]], "");
    relay.set(0, Mode::Drain);
    relay.controls.pause(LONG, None);
    let mut held = relay.asking("/held");
    relay.has_waiting(1);
    let next = pool(&relay.config, Some(&relay.controls.pool()));
    let server = relay.server.as_ref().unwrap();
    server.replace(relay.config.clone(), Tls::default(), &[next]);
    assert!(relay.controls.paused_for(None).is_some());
    let status = relay.controls.pool().status(0, relay.controls.now());
    assert_eq!(
        (status.standing, status.why.as_str()),
        (Standing::Drain, "set to drain by an operator")
    );
    held.stands_in_line();
    relay.controls.resume(None);
    assert_eq!(held.answer().status(), 200);
    assert_eq!(backends.each_ref().map(|backend| backend.requests().len()), [0, 1]);
}

#[test]
fn a_server_that_stops_lets_those_go_who_are_held() {
    let backend = Backend::plain();
    let mut relay = Relay::over(&[&backend], "");
    relay.controls.pause(LONG, None);
    let mut held = relay.asking("/held");
    relay.has_waiting(1);
    let server = relay.server.take().unwrap();
    let stopping = thread::spawn(move || {
        assert!(server.drain(LONG, &mut || false));
        server
    });
    assert_eq!(held.answer().text(), "GET /held 0\n");
    relay.server = Some(stopping.join().unwrap());
}
