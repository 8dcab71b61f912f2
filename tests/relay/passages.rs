//! Listeners of mode "tcp": the whole connection is passed on as it is, whatever is spoken on it.

mod ends;
#[cfg(feature = "tls")]
mod names;
mod real;
mod strangers;

use crate::harness::{
    Backend, BlackHole, Broken, DEADLINE, Gate, Hosted, Keyed, Length, Place, Proxy, Vacant, Wire,
    eventually, timed,
};
use serde_json::Value;
use std::io::{Read as _, Write};
use std::net::Ipv4Addr;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

pub(super) const TCP: &str = "[[listeners]]\nlisten = \"127.0.0.1:0\"\nmode = \"tcp\"\n";

/// In front of these, with these settings, one a line, and keys of the listener.
fn with(backends: &[&dyn Place], settings: &str, keys: &str) -> Proxy {
    let proxy = Proxy::with(backends, &format!("log.access = \"json\"\n{settings}\n{TCP}{keys}\n"));
    proxy.no_farewell();
    proxy
}

fn passing(backends: &[&dyn Place], settings: &str) -> Proxy {
    with(backends, settings, "")
}

/// Sends back whatever comes, until that ends.
fn echo(wire: &mut Wire) {
    let mut out = wire.stream().try_clone().unwrap();
    let mut send = |data: &[u8]| drop(out.write_all(data));
    let _ = wire.body(Length::UntilClose, &mut send);
}

/// Says who it is, then sends back whatever comes.
fn named(name: &'static str) -> Backend {
    Backend::every(move |wire| {
        wire.offer(name);
        echo(wire);
    })
}

/// What the log says of the connections that have ended, once there are so many.
fn records(proxy: &Proxy, count: usize) -> Vec<Value> {
    let line = |nth| proxy.process.printed.wait_nth("\"cause\":", nth);
    (1..=count).map(|nth| serde_json::from_str(&line(nth)).unwrap()).collect()
}

fn record(proxy: &Proxy) -> Value {
    records(proxy, 1).remove(0)
}

#[test]
fn bytes_go_both_ways_as_they_are_and_leave_one_line() {
    let backend = Backend::every(echo);
    let proxy = passing(&[&backend], "");
    let line = proxy.process.said.wait("listening on ");
    assert!(line.ends_with(": TCP, 1 application, round-robin"), "{line}");
    let mut client = proxy.connect();
    let odd = b"GET / HTTP/9\n\0\xff\r\n\r\nX-Forwarded-For: me\r\n".as_slice();
    for _ in 0..3 {
        client.send(odd);
        assert_eq!(client.exactly(odd.len()).unwrap(), odd);
    }
    client.finish();
    client.expect_end();
    assert_eq!(backend.tapes()[0], odd.repeat(3));
    let record = record(&proxy);
    assert_eq!((&record["status"], &record["cause"]), (&Value::Null, &"--".into()), "{record}");
    assert_eq!((&record["backend"], &record["tries"]), (&"A".into(), &1.into()), "{record}");
    let moved = (&record["bytes_sent"], &record["bytes_received"]);
    assert_eq!(moved, (&(3 * odd.len()).into(), &(3 * odd.len()).into()), "{record}");
    assert_eq!((&record["method"], &record["request_id"]), (&"".into(), &Value::Null), "{record}");
    assert!(record["first_byte_ms"].is_number(), "{record}");
}

#[test]
fn the_backend_may_be_the_one_that_speaks_first() {
    let backend = named("220 ready\r\n");
    let proxy = passing(&[&backend], "");
    let mut client = proxy.connect();
    client.expect("220 ready\r\n");
    client.send("QUIT");
    client.expect("QUIT");
}

#[test]
fn http_through_it_is_untouched() {
    let backend = Backend::plain();
    let proxy = passing(&[&backend], "");
    proxy.farewell(200);
    let mut client = proxy.connect();
    assert_eq!(client.get("/a").status(), 200);
    assert_eq!(client.get("/b").status(), 200, "on one connection");
    let seen = &backend.requests()[0];
    assert_eq!((seen.field("x-forwarded-for"), seen.field("host")), (None, Some("a.test")));
}

#[test]
fn much_goes_both_ways_at_once_and_no_more_is_held_than_is_read() {
    const BYTES: usize = 16 << 20;
    let gate = Gate::new();
    let opens = gate.clone();
    let backend = Backend::every(move |wire| {
        opens.pass();
        echo(wire);
    });
    let proxy = passing(&[&backend], "");
    let mut client = proxy.connect();
    thread::scope(|scope| {
        let mut sender = Wire::of(client.stream().try_clone().unwrap());
        scope.spawn(move || sender.send(vec![b'u'; BYTES]));
        assert!(client.is_silent_for(Duration::from_millis(200)), "nobody reads there");
        assert!(proxy.process.memory_kib("VmHWM") < 32 * 1024);
        gate.open();
        assert!(client.exactly(BYTES).unwrap().iter().all(|byte| *byte == b'u'));
    });
}

#[test]
fn one_direction_that_never_rests_leaves_the_other_its_turn() {
    const ENOUGH: usize = 512 << 20;
    let backend = Backend::every(|wire| {
        wire.exactly(1).unwrap();
        wire.send("heard");
        let mut room = vec![0; 1 << 20];
        while wire.stream().read(&mut room).is_ok_and(|bytes| bytes > 0) {}
    });
    let proxy = passing(&[&backend], "server.workers = 1");
    let mut client = proxy.connect();
    let heard = Gate::new();
    let sent = thread::scope(|scope| {
        let (mut sender, is_heard) = (client.stream().try_clone().unwrap(), heard.clone());
        let sending = scope.spawn(move || {
            let (block, mut sent) = (vec![b'u'; 1 << 20], 0);
            while !is_heard.is_open() && sent < ENOUGH {
                sender.write_all(&block).unwrap();
                sent += block.len();
            }
            sent
        });
        client.expect("heard");
        heard.open();
        sending.join().unwrap()
    });
    assert!(sent < ENOUGH);
}

#[test]
fn a_connection_that_was_slowed_down_once_is_small_again() {
    const MANY: usize = 20;
    let (told, tells) = mpsc::channel();
    // Sends until nobody takes any more.
    let backend = Backend::every(move |wire| {
        wire.stream().set_write_timeout(Some(Duration::from_millis(50))).unwrap();
        let (mut stream, mut sent) = (wire.stream(), 0);
        while let Ok(written) = stream.write(&[b'd'; 64 * 1024]) {
            sent += written;
        }
        told.send(sent).unwrap();
        wire.ending();
    });
    let proxy = passing(&[&backend], "");
    let slow = |_| {
        let mut client = proxy.connect();
        client.exactly(tells.recv_timeout(DEADLINE).unwrap()).unwrap();
        client
    };
    let _first = slow(0);
    let before = proxy.process.memory_kib("VmRSS");
    let _others: Vec<_> = (0..MANY).map(slow).collect();
    let grown = proxy.process.memory_kib("VmRSS").saturating_sub(before);
    assert!(grown < MANY * 16, "{grown} KiB");
}

#[test]
fn a_backend_that_takes_no_connection_is_skipped_and_then_left_out() {
    let (vacant, b) = (Vacant::new(), named("b"));
    let proxy = passing(&[&vacant, &b], "");
    for _ in 0..6 {
        proxy.connect().expect("b");
    }
    let records = records(&proxy, 6);
    assert!(records.iter().all(|record| record["backend"] == "B"), "{records:?}");
    assert_eq!(records.iter().filter(|record| record["tries"] == 2).count(), 3, "{records:?}");
    proxy.process.said.wait("backend A: connect failed: ");
    proxy.process.said.wait("up -> ejected");
}

#[test]
fn a_backend_that_is_silent_to_a_connect_costs_its_time_and_no_client() {
    let (hole, b) = (BlackHole::new(), named("b"));
    let settings = "timeouts.connect = \"200ms\"\nbalance.policy = \"first-alive\"";
    let proxy = passing(&[&hole, &b], settings);
    let ((), took) = timed(|| proxy.connect().expect("b"));
    assert!(took >= Duration::from_millis(200), "{took:?}");
    proxy.process.said.wait("backend A: connect timed out after 200.0 ms ([timeouts] connect)");
}

#[test]
fn a_connect_that_comes_about_late_is_one() {
    let hole = BlackHole::new();
    let proxy = passing(&[&hole], "timeouts.connect = \"9s\"");
    let mut client = proxy.connect();
    client.stands_in_line();
    client.send("asked early");
    let _backend = hole.open(|wire| {
        wire.offer("late, ");
        echo(wire);
    });
    client.expect("late, asked early");
    client.finish();
    client.expect_end();
}

#[test]
fn the_next_address_of_a_name_is_tried_before_another_backend() {
    let b = named("b");
    let (here, other) = (Hosted(&b, "localhost"), named("other"));
    let proxy = passing(&[&here, &other], "balance.policy = \"first-alive\"");
    for _ in 0..3 {
        proxy.connect().expect("b");
    }
}

#[test]
fn where_no_backend_takes_it_the_client_is_reset_and_told_of_in_the_log() {
    let (one, two) = (Vacant::new(), Vacant::new());
    let proxy = passing(&[&one, &two], "passive.failures = 0");
    let mut client = proxy.connect_as(1);
    assert_eq!(client.ending(), (Vec::new(), Broken::Reset), "an end would say that this was all");
    let record = record(&proxy);
    assert_eq!((&record["cause"], &record["tries"]), (&"SC".into(), &2.into()), "{record}");
    let reason = record["reason"].as_str().unwrap();
    assert!(reason.starts_with("connect failed: "), "{reason}");
    proxy.process.said.wait("for the TCP client 127.0.0.1:");
}

#[test]
fn where_none_is_up_the_client_is_reset_at_once() {
    let vacant = Vacant::new();
    let proxy = passing(&[&Keyed(&vacant, "alive = false")], "");
    proxy.pardon("resetting a connection: no backend is usable: 1 down; for the TCP client ");
    // A connect with a limit looks at the connection before it returns, and may find the reset.
    assert_eq!(proxy.connect_as(1).ending(), (Vec::new(), Broken::Reset));
    assert_eq!(record(&proxy)["cause"], "PC");
}

#[test]
fn who_finds_all_full_waits_in_line_and_each_connection_takes_a_place() {
    let backend = named("hello");
    let one = Keyed(&backend, "max_connections = 1");
    let proxy = passing(&[&one], "queue.timeout = \"9s\"");
    let mut first = proxy.connect();
    first.expect("hello");
    let mut second = proxy.connect();
    second.stands_in_line();
    let mut third = proxy.connect();
    third.stands_in_line();
    assert_eq!(backend.visits(), 1);
    drop(first);
    second.expect("hello");
    third.stands_in_line();
    second.finish();
    second.expect_end();
    third.expect("hello");
}

#[test]
fn who_waits_in_vain_is_reset_and_so_is_who_finds_the_line_full() {
    let backend = named("hello");
    let one = Keyed(&backend, "max_connections = 1");
    let proxy = passing(&[&one], "queue.timeout = \"2s\"\nqueue.length = 1");
    let mut first = proxy.connect();
    first.expect("hello");
    let mut second = proxy.connect();
    second.stands_in_line();
    assert_eq!(proxy.connect_as(1).ending().1, Broken::Reset, "the line is full");
    assert_eq!(second.ending().1, Broken::Reset);
    assert_eq!(proxy.said("answering 503"), 0, "that is for requests");
    proxy.process.said.wait("resetting a connection: every backend is busy");
    let records = records(&proxy, 2);
    assert_eq!((&records[0]["cause"], &records[1]["cause"]), (&"PC".into(), &"sQ".into()));
    assert_eq!(records[1]["backend"], Value::Null, "{}", records[1]);
}

#[test]
fn who_leaves_the_line_takes_no_place() {
    let backend = named("hello");
    let one = Keyed(&backend, "max_connections = 1");
    let proxy = passing(&[&one], "queue.timeout = \"9s\"");
    let mut first = proxy.connect();
    first.expect("hello");
    let mut gone = proxy.connect();
    gone.stands_in_line();
    let mut next = proxy.connect();
    next.stands_in_line();
    drop(gone);
    assert_eq!(record(&proxy)["cause"], "CH");
    drop(first);
    next.expect("hello");
    assert_eq!(backend.visits(), 2);
}

#[test]
fn a_policy_sees_open_connections_as_it_sees_requests() {
    let (a, b) = (named("a"), named("b"));
    let settings = "server.workers = 1\nbalance.policy = \"least-connections\"";
    let proxy = passing(&[&a, &b], settings);
    let mut clients: Vec<_> = (0..6).map(|_| proxy.connect()).collect();
    for client in &mut clients {
        client.exactly(1).unwrap();
    }
    assert_eq!((a.visits(), b.visits()), (3, 3));
}

#[test]
fn a_client_goes_to_one_backend_by_its_address() {
    let (a, b, c) = (named("a"), named("b"), named("c"));
    let proxy = passing(&[&a, &b, &c], "balance.policy = \"hash\"");
    let mut seen = Vec::new();
    for number in 21..=32 {
        let firsts: Vec<_> = (0..3).map(|_| proxy.connect_as(number).exactly(1).unwrap()).collect();
        assert!(firsts.iter().all(|first| *first == firsts[0]), "{firsts:?}");
        seen.push(firsts[0].clone());
    }
    seen.sort();
    seen.dedup();
    assert!(seen.len() > 1, "all go to one: {seen:?}");
}

#[test]
fn prefaces_are_taken_from_one_side_and_given_to_the_other() {
    let backend = Backend::every(|wire| {
        wire.expect("PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n");
        wire.send("hello");
        echo(wire);
    });
    let told = Keyed(&backend, "proxy_protocol = \"v1\"");
    let trusted = "server.trusted_proxies = [\"127.0.0.0/8\"]";
    let proxy = with(&[&told], trusted, "proxy_protocol = \"required\"");
    let mut client = proxy.connect();
    client.send("PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\nping");
    client.expect("helloping");
    client.finish();
    client.expect_end();
    assert_eq!(record(&proxy)["client"], "192.0.2.7");
}

#[test]
fn a_backend_that_speaks_first_is_told_whose_connection_it_is_at_once() {
    let backend = Backend::every(|wire| {
        let preface = wire.exactly(28).unwrap();
        assert_eq!(preface[16..20], Ipv4Addr::new(127, 0, 0, 3).octets());
        wire.send("hello");
        echo(wire);
    });
    let told = Keyed(&backend, "proxy_protocol = \"v2\"");
    let proxy = passing(&[&told], "");
    let ((), took) = timed(|| proxy.connect_as(3).expect("hello"));
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn checks_ask_for_no_more_than_a_connection_where_nothing_else_is_said() {
    let silent = Backend::every(|wire| drop(wire.ending()));
    let vacant = Vacant::new();
    let settings = "health.interval = \"50ms\"\nhealth.timeout = \"50ms\"";
    let proxy = passing(&[&silent, &vacant], settings);
    proxy.process.said.wait("backend B: check failed: ");
    eventually("checks come", || silent.visits() > 3);
    assert_eq!(proxy.said("backend A: "), 0);
    assert!(silent.tapes().iter().all(Vec::is_empty), "nothing is said there");
}

#[test]
fn checks_may_ask_by_http_and_elsewhere() {
    let (data, health) = (named("hello"), Backend::plain());
    let place = Keyed(&data, "");
    let settings = format!(
        "health.interval = \"50ms\"\nhealth.path = \"/up\"\nhealth.port = {}",
        health.port()
    );
    let proxy = passing(&[&place], &settings);
    proxy.connect().expect("hello");
    eventually("checks come", || health.requests().len() > 1);
    assert_eq!(health.requests()[0].target(), "/up");
}
