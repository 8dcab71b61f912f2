//! The time between the word to stop and the closing of the door: clients are served, and balancers
//! in front are told to go elsewhere.

use crate::harness::{Backend, Gate, Proxy, eventually, timed};
use rustix::process::Signal;
use std::net::TcpStream;
use std::time::Duration;

#[test]
fn it_serves_on_and_is_seen_not_to_be_ready() {
    let backend = Backend::plain();
    let settings = "timeouts.lame_duck = \"1m\"\nserver.ready = \"/ready\"";
    let mut proxy = Proxy::with(&[&backend], settings);
    let mut kept = proxy.connect();
    let answer = kept.get("/ready");
    assert_eq!((answer.status(), answer.text().trim_end()), (200, "ready"));
    assert_eq!(answer.field("connection"), None);
    proxy.terminate();
    let line = proxy.process.said.wait("not ready any more");
    assert!(line.contains("serving on for 60s"), "{line}");
    let answer = proxy.get("/ready?from=balancer");
    assert_eq!((answer.status(), answer.field("cache-control")), (503, Some("no-store")));
    // A new client, and one that was there, are served once more each.
    for client in [&mut proxy.connect(), &mut kept] {
        let answer = client.get("/served");
        assert_eq!((answer.status(), answer.field("connection")), (200, Some("close")));
        client.expect_end();
    }
    assert!(backend.requests().iter().all(|request| request.target() == "/served"));
    // Other signals do what they always do.
    proxy.process.signal(Signal::USR2);
    proxy.process.said.wait("backend A: up");
    let (code, took) = timed(|| {
        proxy.terminate();
        proxy.exit_code()
    });
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(5), "a second signal ends it at once: {took:?}");
}

#[test]
fn when_it_is_over_the_door_closes_and_what_is_under_way_is_finished() {
    let gate = Gate::new();
    let backend = Backend::holding(&gate);
    let mut proxy = Proxy::with(&[&backend], "timeouts.lame_duck = \"300ms\"");
    let mut busy = proxy.connect();
    busy.send("GET /held HTTP/1.1\r\nHost: a.test\r\n\r\n");
    backend.wait_requests(1);
    proxy.terminate();
    proxy.process.said.wait("stopping: 1 connection has");
    eventually("the listener closes", || TcpStream::connect(proxy.address).is_err());
    gate.open();
    assert_eq!(busy.answer().field("connection"), Some("close"));
    drop(busy);
    assert_eq!(proxy.exit_code(), Some(0));
}

#[test]
fn a_second_signal_breaks_off_what_is_under_way() {
    let backend = Backend::silent();
    let settings = "timeouts.lame_duck = \"1m\"\ntimeouts.drain = \"1m\"";
    let mut proxy = Proxy::with(&[&backend], settings);
    let mut busy = proxy.connect();
    busy.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    backend.wait_requests(1);
    proxy.terminate();
    proxy.process.said.wait("not ready any more");
    proxy.process.signal(Signal::INT);
    busy.ending();
    assert_eq!(proxy.exit_code(), Some(0));
}

#[test]
fn without_it_the_door_closes_at_once() {
    let gate = Gate::new();
    let backend = Backend::holding(&gate);
    let mut proxy = Proxy::with(&[&backend], "server.ready = \"/ready\"");
    let mut busy = proxy.connect();
    busy.send("GET /held HTTP/1.1\r\nHost: a.test\r\n\r\n");
    backend.wait_requests(1);
    proxy.terminate();
    eventually("the listener closes", || TcpStream::connect(proxy.address).is_err());
    gate.open();
    assert_eq!(busy.answer().status(), 200);
    drop(busy);
    assert_eq!(proxy.exit_code(), Some(0));
}

#[test]
fn readiness_is_not_how_the_backends_are_and_takes_get_and_head_alone() {
    let settings = "server.ready = \"/ready\"\nretry.attempts = 0";
    let proxy = Proxy::with(&[&1u16], settings);
    proxy.farewell(502);
    assert_eq!(proxy.get("/ready").status(), 200);
    let head = proxy.ask("HEAD /ready HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert_eq!((head.status(), head.body.len()), (200, 0));
    let post = "POST /ready HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n";
    let refused = proxy.ask(post);
    assert_eq!((refused.status(), refused.field("allow")), (405, Some("GET, HEAD")));
    assert_eq!(proxy.get("/ready/").status(), 502);
}
