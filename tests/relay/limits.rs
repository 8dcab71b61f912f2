//! Limits: what is too large is refused with its status, what is too much waits or is shed.

use crate::harness::{Backend, Certs, Gate, Keyed, Proxy, Wire, eventually, timed};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

#[test]
fn a_body_over_the_limit_is_refused_before_anyone_is_asked() {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], "limits.body_bytes = \"10B\"");
    let mut client = proxy.connect();
    let answer = client.ask("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 11\r\n\r\n");
    assert_eq!((answer.status(), answer.field("connection")), (413, Some("close")));
    client.expect_end();
    assert_eq!(backend.visits(), 0);
    let fits = "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\n0123456789";
    assert_eq!(proxy.ask(fits).text(), "POST / 10\n");
}

#[test]
fn a_chunked_body_that_grows_over_the_limit_is_broken_off() {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], "limits.body_bytes = \"10B\"");
    let head = "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut client = proxy.connect();
    client.send(format!("{head}6\r\nabcdef\r\n"));
    client.send("5\r\nghijk\r\n0\r\n\r\n");
    assert_eq!(client.answer().status(), 413);
    client.expect_end();
    eventually("the backend is left alone", || backend.connections() == 0);
    assert_eq!(backend.requests().len(), 0, "the backend must not take a part for the whole");
    let fits = format!("{head}6\r\nabcdef\r\n4\r\nghij\r\n0\r\n\r\n");
    assert_eq!(proxy.ask(fits).text(), "POST / 10\n");
}

#[test]
fn a_refused_client_can_read_why_though_it_keeps_sending() {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], "limits.body_bytes = \"10B\"");
    let mut client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 50000\r\n\r\n");
    client.send(vec![b'x'; 50_000]);
    assert_eq!(client.answer().status(), 413);
    client.expect_end();
}

#[test]
fn a_client_that_never_stops_sending_is_cut_off() {
    let backend = Backend::plain();
    let settings = "limits.body_bytes = \"10B\"\ntimeouts.linger_total = \"300ms\"";
    let proxy = Proxy::with(&[&backend], settings);
    let mut client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000000000\r\n\r\n");
    eventually("the sender is cut off", || !client.offer(vec![b'x'; 10_000]));
}

#[test]
fn a_target_is_as_long_as_allowed_and_no_longer() {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], "limits.target_bytes = \"100B\"");
    let target = format!("/{}", "x".repeat(99));
    assert_eq!(proxy.get(&target).status(), 200);
    let mut client = proxy.connect();
    assert_eq!(client.get(&format!("{target}x")).status(), 414);
    client.expect_end();
    // It is known before the head is complete, and nobody has to send the rest.
    let mut client = proxy.connect();
    client.send(format!("GET {target}{target}"));
    assert_eq!(client.answer().status(), 414);
    assert_eq!(backend.requests().len(), 1);
}

#[test]
fn a_head_has_as_many_fields_as_allowed_and_no_more() {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], "limits.headers = 10");
    let request = |fields: usize| {
        let fields: String = (0..fields).map(|n| format!("X-{n}: v\r\n")).collect();
        format!("GET / HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n")
    };
    assert_eq!(proxy.ask(request(9)).status(), 200);
    let mut client = proxy.connect();
    assert_eq!(client.ask(request(10)).status(), 431);
    client.expect_end();
    assert_eq!(backend.requests().len(), 1);
}

#[test]
fn a_head_is_as_long_as_allowed_and_no_longer() {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], "limits.head_bytes = \"1KiB\"");
    let request = |bytes: usize| {
        let head = "GET / HTTP/1.1\r\nHost: a.test\r\nX: ";
        format!("{head}{}\r\n\r\n", "x".repeat(bytes - head.len() - 4))
    };
    assert_eq!(proxy.ask(request(1024)).status(), 200);
    let mut client = proxy.connect();
    assert_eq!(client.ask(request(1025)).status(), 431);
    client.expect_end();
    assert_eq!(backend.requests().len(), 1);
}

#[test]
fn a_head_of_any_size_within_the_defaults_passes() {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    let fields: String = (0..90).map(|n| format!("X-{n}: {}\r\n", "y".repeat(160))).collect();
    assert_eq!(proxy.ask(format!("GET / HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n")).status(), 200);
    assert_eq!(backend.requests()[0].all("x-89")[0].len(), 160);
}

/// Longer than the timer takes to look around, several times over.
const SWEEPS: Duration = Duration::from_millis(400);

#[test]
fn max_connections_holds_and_the_next_client_is_served_when_one_leaves() {
    let gate = Gate::new();
    let backend = Backend::holding(&gate);
    let proxy = Proxy::with(&[&backend], "server.max_connections = 4");
    let mut busy: Vec<Wire> = (0..4).map(|_| proxy.asking("/held")).collect();
    backend.wait_requests(4);
    let mut fifth = proxy.asking("/5");
    assert!(fifth.is_silent_for(SWEEPS));
    proxy.process.said.wait("max_connections");
    busy.pop().unwrap().reset();
    assert_eq!(fifth.answer().status(), 200);
    gate.open();
    for client in &mut busy {
        assert_eq!(client.answer().status(), 200);
    }
}

#[test]
fn a_newcomer_gets_the_place_of_the_client_that_has_been_idle_for_longest() {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], "server.max_connections = 4");
    let mut idle: Vec<Wire> = (0..4).map(|_| proxy.connect()).collect();
    for client in [0, 1, 2, 3, 0] {
        assert_eq!(idle[client].get("/").status(), 200);
    }
    let (_, took) = timed(|| assert_eq!(proxy.get("/new").status(), 200));
    assert!(took < Duration::from_secs(5), "{took:?}");
    idle.remove(1).expect_end();
    proxy.process.said.wait("the longest idle are closed");
    for client in &mut idle {
        assert_eq!(client.get("/").status(), 200);
    }
}

#[test]
fn clients_in_the_middle_of_something_keep_their_places() {
    let gate = Gate::new();
    let backend = Backend::holding(&gate);
    let proxy = Proxy::with(&[&backend], "server.max_connections = 3");
    let mut busy = proxy.asking("/held");
    backend.wait_requests(1);
    let mut partial = [proxy.connect(), proxy.connect()];
    assert_eq!(partial[0].get("/").status(), 200);
    for client in &mut partial {
        client.send("GET /partial HTTP/1.1\r\n");
    }
    let mut newcomer = proxy.asking("/new");
    assert!(newcomer.is_silent_for(SWEEPS));
    gate.open();
    // Now it is idle, the only one to be.
    assert_eq!(busy.answer().status(), 200);
    busy.expect_end();
    assert_eq!(newcomer.answer().status(), 200);
    for mut client in partial {
        assert_eq!(client.ask("Host: a.test\r\n\r\n").status(), 200);
    }
}

#[test]
fn clients_that_hardly_pause_starve_nobody() {
    let backend = Backend::plain();
    let settings = "server.max_connections = 4\nlimits.requests_per_connection = 0";
    let proxy = Proxy::with(&[&backend], settings);
    let (address, over) = (proxy.address, AtomicBool::new(false));
    let ask_again_and_again = || {
        let mut client = Wire::connect(address);
        while !over.load(Ordering::SeqCst) {
            let asked = client.offer("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
            if !asked || client.try_answer("GET").is_err() {
                client = Wire::connect(address);
            }
        }
    };
    thread::scope(|scope| {
        (0..4).for_each(|_| drop(scope.spawn(ask_again_and_again)));
        backend.wait_requests(100);
        let served = proxy.asking("/new").try_answer("GET");
        over.store(true, Ordering::SeqCst);
        assert_eq!(served.map(|answer| answer.status()), Ok(200));
    });
}

#[test]
fn silent_clients_starve_nobody() {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], "server.max_connections = 20\nserver.workers = 1");
    // They alone would hold every place for 10 s, three times over.
    let silent: Vec<Wire> = (0..60).map(|_| proxy.connect()).collect();
    assert_eq!(proxy.get("/").status(), 200);
    drop(silent);
}

#[test]
fn silent_clients_of_a_listener_with_tls_starve_nobody() {
    let backend = Backend::plain();
    let certs = Certs::make();
    let proxy = Proxy::secure(&certs, &[&backend], "server.max_connections = 8");
    let stuck = || {
        let mut client = proxy.connect_raw();
        client.send(b"\x16\x03\x01"); // how a handshake begins
        client
    };
    let silent: Vec<Wire> = (0..8).flat_map(|_| [proxy.connect_raw(), stuck()]).collect();
    let mut idle = proxy.connect();
    assert_eq!(idle.get("/").status(), 200);
    drop(silent);
    let more: Vec<Wire> = (0..16).map(|_| proxy.connect_raw()).collect();
    // It ends as TLS has it, not with a cut.
    idle.expect_end();
    drop(more);
}

#[test]
fn idle_clients_may_stay_for_less_as_the_house_fills() {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], "server.max_connections = 2");
    let mut idle = [proxy.connect(), proxy.connect()];
    for client in &mut idle {
        assert_eq!(client.get("/").status(), 200);
    }
    // It is 5 s, of 60 s; and 60 s for the other, now that half of the places are free.
    idle[0].expect_end();
    assert!(idle[1].is_silent_for(SWEEPS));
    assert_eq!(idle[1].get("/").status(), 200);
}

#[test]
fn a_place_in_a_full_house_is_given_again_and_again() {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], "server.max_connections = 1");
    for _ in 0..30 {
        assert_eq!(proxy.connect().get("/").status(), 200);
    }
}

#[test]
fn at_the_descriptor_limit_requests_wait_or_are_shed_and_it_recovers_by_itself() {
    let gate = Gate::new();
    let held = gate.clone();
    let backend = Backend::every(move |wire| {
        if wire.request().is_some() {
            held.pass();
            wire.offer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
    });
    // Room for 136 clients, who want a connection to the backend each.
    let proxy = Proxy::within("ulimit -n 200", &[&backend], "");
    proxy.pardon("open files");
    let mut clients = Vec::new();
    for number in 1..=130 {
        let mut client = proxy.connect();
        client.send("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
        clients.push(client);
        if number <= 80 {
            backend.wait_requests(number);
        }
    }
    proxy.process.said.wait("open files");
    let before = proxy.process.cpu_ms();
    let (_, took) = timed(|| clients[0].is_silent_for(Duration::from_millis(500)));
    let spent = Duration::from_millis(proxy.process.cpu_ms() - before);
    assert!(spent * 3 < took, "it tries again and again without a pause: {spent:?} of {took:?}");
    gate.open();
    for mut client in clients {
        assert!(matches!(client.answer().status(), 200 | 503));
    }
    eventually("it recovers", || proxy.get("/").status() == 200);
    assert_eq!(proxy.said("->"), 0, "it is our fault, not the backend's");
    assert!(proxy.said("open files") <= 20, "each kind of line at most once a second");
}

#[test]
fn a_descriptor_that_comes_back_opens_the_door_though_nobody_left() {
    let gate = Gate::new();
    let backend = Backend::holding(&gate);
    let proxy = Proxy::with(&[&backend], "timeouts.upstream_keep_alive = \"6s\"");
    proxy.pardon("open files");
    let mut busy = proxy.asking("/held");
    backend.wait_requests(1);
    assert_eq!(proxy.get("/").status(), 200);
    let before = proxy.process.limit_descriptors(Some(3));
    // An `accept` that was under way before has its descriptor: it lets one more in.
    let newcomers = || proxy.asking("/new");
    let mut newcomer = newcomers();
    if !newcomer.is_silent_for(SWEEPS) {
        assert_eq!(newcomer.answer().status(), 200);
        newcomer = newcomers();
    }
    proxy.process.said.wait("open files");
    let used = || eventually("what is idle gives way", || backend.connections() == 1);
    assert!(timed(used).1 < Duration::from_secs(4), "a connection to the backend is kept");
    assert!(newcomer.is_silent_for(SWEEPS));
    proxy.process.limit_descriptors(before);
    assert_eq!(newcomer.answer().status(), 200);
    gate.open();
    assert_eq!(busy.answer().status(), 200);
}

#[test]
fn more_connections_than_descriptors_are_not_promised() {
    let backend = Backend::plain();
    let proxy = Proxy::within("ulimit -n 200", &[&backend], "server.max_connections = 5000");
    proxy.process.said.wait(" WARN ");
    let idle: Vec<Wire> = (0..190).map(|_| proxy.connect()).collect();
    eventually("the house is full", || proxy.said("max_connections") > 0);
    drop(idle);
    assert_eq!(proxy.get("/").status(), 200);
}

#[test]
fn an_answer_with_a_head_over_the_limit_is_a_502() {
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\nContent-Length: 0\r\n\r\n", "x".repeat(2000));
    let backend = Backend::says(long);
    let proxy = Proxy::with(&[&backend], "limits.head_bytes = \"1KiB\"");
    assert_eq!(proxy.get("/").status(), 502);
}

#[test]
fn a_limit_on_a_backends_connections_holds_under_load() {
    static BUSY: AtomicUsize = AtomicUsize::new(0);
    static BUSIEST: AtomicUsize = AtomicUsize::new(0);
    let backend = Backend::every(|wire| {
        while wire.request().is_some() {
            BUSIEST.fetch_max(BUSY.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            wire.is_silent_for(Duration::from_millis(5));
            BUSY.fetch_sub(1, Ordering::SeqCst);
            wire.offer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let place = Keyed(&backend, "max_connections = 2");
    let proxy = Proxy::with(&[&place], "server.workers = 4");
    let mut clients: Vec<Wire> = (0..20).map(|_| proxy.connect()).collect();
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    }
    for client in &mut clients {
        assert_eq!(client.answer().status(), 200);
    }
    assert_eq!(BUSIEST.load(Ordering::SeqCst), 2);
}

#[test]
fn clients_that_only_go_on_sending_make_room() {
    let backend = Backend::plain();
    let settings = "server.max_connections = 4\nlimits.body_bytes = \"10B\"\n\
                    timeouts.linger_total = \"1m\"\ntimeouts.linger = \"1m\"";
    let proxy = Proxy::with(&[&backend], settings);
    let refused = || {
        let mut client = proxy.connect();
        client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000000000\r\n\r\n");
        assert_eq!(client.answer().status(), 413);
        client
    };
    let lingering = [(); 4].map(|()| refused());
    assert_eq!(proxy.get("/").status(), 200);
    drop(lingering);
}
