//! Deadlines: nothing is waited for without an end.

use crate::harness::{Backend, BlackHole, Broken, Gate, Length, Proxy, Wire, eventually, timed};
use std::thread;
use std::time::Duration;

/// How often a slow peer sends its next byte.
const TRICKLE: Duration = Duration::from_millis(30);

#[test]
fn a_head_that_takes_too_long_is_408_however_it_trickles() {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], "timeouts.request_head = \"300ms\"");
    let mut client = proxy.connect();
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\nX: ");
    while client.is_silent_for(TRICKLE) {
        client.offer("x");
    }
    assert_eq!(client.answer().status(), 408);
    client.expect_end();
    assert_eq!(backend.visits(), 0);
}

#[test]
fn a_second_head_has_its_own_deadline() {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], "timeouts.request_head = \"300ms\"");
    let mut client = proxy.connect();
    client.get("/");
    client.send("GET");
    assert_eq!(client.answer().status(), 408);
    client.expect_end();
}

#[test]
fn a_client_that_stops_in_the_middle_of_its_body_is_told_408() {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], "timeouts.client_body = \"300ms\"");
    let mut client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\nhalf");
    assert_eq!(client.answer().status(), 408);
    client.expect_end();
    eventually("the backend is left alone", || backend.connections() == 0);
    assert_eq!(backend.requests().len(), 0);
}

#[test]
fn a_slow_body_that_moves_is_waited_for() {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], "timeouts.client_body = \"1s\"");
    let mut client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 40\r\n\r\n");
    for _ in 0..40 {
        client.send("x");
        client.is_silent_for(TRICKLE);
    }
    assert_eq!(client.answer().text(), "POST / 40\n");
}

#[test]
fn a_backend_that_takes_no_connection_is_a_504() {
    let hole = BlackHole::new();
    let proxy = Proxy::with(&[&hole], "timeouts.connect = \"200ms\"");
    proxy.no_farewell();
    let (answer, took) = timed(|| proxy.get("/"));
    assert_eq!(answer.status(), 504);
    assert!(took >= Duration::from_millis(200), "{took:?}");
}

#[test]
fn a_backend_that_does_not_answer_is_a_504() {
    let backend = Backend::silent();
    let proxy = Proxy::with(&[&backend], "timeouts.response = \"200ms\"");
    proxy.farewell(504);
    let mut client = proxy.connect();
    assert_eq!(client.get("/").status(), 504);
    let post = "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi";
    assert_eq!(proxy.ask(post).status(), 504);
}

#[test]
fn half_a_head_is_no_answer() {
    let backend = Backend::first(|wire| {
        wire.request();
        wire.send("HTTP/1.1 200 OK\r\nContent-");
        wire.ending();
    });
    let proxy = Proxy::with(&[&backend], "timeouts.response = \"1s\"");
    assert_eq!(proxy.get("/").status(), 504);
}

#[test]
fn the_answer_has_its_time_from_the_end_of_the_request() {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], "timeouts.response = \"1s\"");
    let mut client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 40\r\n\r\n");
    for _ in 0..40 {
        client.send("x");
        client.is_silent_for(TRICKLE);
    }
    assert_eq!(client.answer().status(), 200);
}

#[test]
fn a_backend_that_falls_silent_in_its_answer_is_a_visible_break() {
    for framing in ["Content-Length: 10", "Transfer-Encoding: chunked", "X-Until: close"] {
        let backend = Backend::first(move |wire| {
            wire.request();
            wire.send(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n3\r\nabc\r\n"));
            wire.ending();
        });
        let proxy = Proxy::with(&[&backend], "timeouts.stream_idle = \"200ms\"");
        let mut client = proxy.connect();
        client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
        let broken = client.try_answer("GET").err();
        assert!(matches!(broken, Some(Broken::End | Broken::Reset)), "{framing}: {broken:?}");
    }
}

#[test]
fn a_slow_answer_that_moves_is_waited_for() {
    let backend = Backend::first(|wire| {
        wire.request();
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n");
        for _ in 0..40 {
            wire.send("x");
            wire.is_silent_for(TRICKLE);
        }
    });
    let settings = "timeouts.stream_idle = \"1s\"\ntimeouts.response = \"1s\"";
    let proxy = Proxy::with(&[&backend], settings);
    assert_eq!(proxy.get("/").text(), "x".repeat(40));
}

#[test]
fn a_client_that_reads_nothing_is_dropped() {
    let backend = Backend::first(|wire| {
        wire.request();
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
        while wire.offer([b'x'; 65_536]) {}
    });
    let proxy = Proxy::with(&[&backend], "timeouts.client_write = \"300ms\"");
    let mut client = proxy.connect();
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    backend.wait_requests(1);
    eventually("the backend is left alone", || backend.connections() == 0);
    client.head().unwrap();
    let (mut received, add) = (0, Length::Bytes(100_000_000));
    let broken = client.body(add, &mut |data| received += data.len()).err();
    assert!(broken.is_some() && received < 100_000_000, "{received} {broken:?}");
}

#[test]
fn a_backend_that_takes_no_more_of_a_body_is_a_504() {
    let gate = Gate::new();
    let held = gate.clone();
    let backend = Backend::first(move |wire| {
        wire.request_head();
        held.pass();
    });
    let settings = "timeouts.response = \"1s\"\ntimeouts.linger_total = \"300ms\"";
    let proxy = Proxy::with(&[&backend], settings);
    let mut client = proxy.connect();
    client.send("PUT / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100000000\r\n\r\n");
    let mut sender = Wire::of(client.stream().try_clone().unwrap());
    let sending = thread::spawn(move || while sender.offer([b'x'; 65_536]) {});
    assert_eq!(client.answer_to("PUT").status(), 504);
    assert!(proxy.process.memory_kib("VmHWM") < 32 * 1024, "the body was hoarded");
    gate.open();
    drop(client.ending());
    sending.join().unwrap();
}

#[test]
fn a_body_that_stops_beside_an_answer_under_way_is_its_clients_fault() {
    let backend = || {
        Backend::every(|wire| {
            while let Some(head) = wire.request_head() {
                if head.method() == "GET" {
                    wire.offer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
                    continue;
                }
                wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
                wire.ending();
                return;
            }
        })
    };
    let (a, b) = (backend(), backend());
    let settings = "timeouts.client_body = \"1s\"\nlog.access = \"json\"";
    let proxy = Proxy::with(&[&a, &b], settings);
    let begun = [(); 9].map(|()| {
        let mut client = proxy.connect();
        client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9\r\n\r\nhh");
        client.head().unwrap();
        client
    });
    for mut client in begun {
        let (bytes, broken) = client.ending();
        assert_eq!((bytes.as_slice(), broken), (&b"3\r\nabc\r\n"[..], Broken::End));
    }
    assert!(proxy.process.printed.wait("\"cause\"").contains("\"cD\""));
    assert_eq!(proxy.said("backend "), 0);
}

/// A floor under the bytes of a body, far above what these clients and backends move.
const FLOOR: &str = "timeouts.slowest = \"10KiB\"\ntimeouts.client_body = \"1s\"\n\
                     timeouts.stream_idle = \"1s\"";
/// The time that a body has ahead of the floor: those settings, but for what a clock is rough.
const AHEAD: Duration = Duration::from_millis(900);

#[test]
fn a_body_that_only_trickles_is_late() {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], FLOOR);
    let mut client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000\r\n\r\n");
    let trickles = (0..1000).take_while(|_| client.offer("x") && client.is_silent_for(TRICKLE));
    let (sent, took) = timed(|| trickles.count());
    assert!(sent < 200 && took > AHEAD, "{sent} in {took:?}");
    assert_eq!(client.answer().status(), 408);
}

#[test]
fn a_body_above_the_floor_may_take_longer_than_any_silence() {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], FLOOR);
    let mut client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 80000\r\n\r\n");
    for _ in 0..40 {
        client.send([b'x'; 2000]);
        client.is_silent_for(TRICKLE);
    }
    assert_eq!(client.answer().text(), "POST / 80000\n");
}

/// Trickles an answer of this framing; whether it was let through to its end.
fn trickled(framing: &'static str) -> bool {
    let backend = Backend::first(move |wire| {
        wire.request();
        wire.send(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n"));
        let piece = if framing.starts_with("Transfer") { "1\r\nx\r\n" } else { "x" };
        for _ in 0..60 {
            if !wire.offer(piece) {
                return;
            }
            wire.is_silent_for(TRICKLE);
        }
        wire.offer(if framing.starts_with("Transfer") { "0\r\n\r\n" } else { "" });
    });
    let proxy = Proxy::with(&[&backend], FLOOR);
    let mut client = proxy.connect();
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    client.try_answer("GET").is_ok()
}

#[test]
fn an_answer_that_only_trickles_is_late_but_one_that_comes_as_it_arises_is_not() {
    assert!(!trickled("Content-Length: 60"));
    assert!(trickled("Transfer-Encoding: chunked"));
    assert!(trickled("Content-Type: text/event-stream\r\nX-Until: close"));
}

#[test]
fn what_a_body_is_framed_with_buys_no_time() {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], FLOOR);
    let mut client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunk = format!("1;{}\r\nx\r\n", "e".repeat(1000));
    let trickles = (0..1000).take_while(|_| client.offer(&chunk) && client.is_silent_for(TRICKLE));
    let (sent, took) = timed(|| trickles.count());
    assert!(sent < 200 && took > AHEAD, "{sent} in {took:?}");
    assert_eq!(client.answer().status(), 408);
}

#[test]
fn an_answer_that_flows_does_not_excuse_a_client_that_stops_its_body() {
    let backend = Backend::first(|wire| {
        wire.request_head();
        wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for _ in 0..200 {
            if !wire.offer("1\r\nx\r\n") {
                return;
            }
            thread::park_timeout(TRICKLE);
        }
    });
    let settings = "timeouts.client_body = \"1s\"\ntimeouts.linger = \"100ms\"";
    let proxy = Proxy::with(&[&backend], settings);
    let mut client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9\r\n\r\nhh");
    client.head().unwrap();
    let (bytes, broken) = client.ending();
    let pieces = bytes.iter().filter(|byte| **byte == b'x').count();
    assert!((3..150).contains(&pieces), "{pieces}");
    assert_eq!(broken, Broken::End);
}

#[test]
fn a_backend_that_loses_patience_with_a_silent_client_is_not_to_blame() {
    let impatient = || {
        Backend::every(|wire| {
            while let Some(head) = wire.request_head() {
                if head.method() == "POST" {
                    wire.is_silent_for(TRICKLE);
                    return;
                }
                wire.offer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            }
        })
    };
    let (a, b) = (impatient(), impatient());
    let proxy = Proxy::with(&[&a, &b], "passive.clients = 1\ntimeouts.upstream_keep_alive = 0");
    for number in 0..20 {
        let mut client = proxy.connect();
        let head = format!("POST /{number} HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9\r\n\r\n");
        client.send(head);
        assert_eq!(client.answer().status(), 502);
    }
    assert_eq!(proxy.said("ejected"), 0);
}
