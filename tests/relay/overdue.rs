//! One deadline for the whole of a request, whoever it waits for.

use crate::harness::{Backend, Gate, Keyed, Proxy, Wire, timed};
use std::time::Duration;

const SETTINGS: &str = "log.access = \"json\"\ntimeouts.request = \"1s\"";

fn names_the_key(proxy: &Proxy, cause: &str) {
    let record = proxy.record("/late");
    let reason = record["reason"].as_str().unwrap();
    assert!(reason.contains("[timeouts] request"), "{record}");
    assert_eq!(record["cause"], cause, "{record}");
}

#[test]
fn tries_one_after_the_other_share_it() {
    let silent = [(); 3].map(|()| Backend::silent());
    let settings = "log.access = \"json\"\ntimeouts.request = \"3s\"\n\
                    timeouts.response = \"2s\"\nretry.unanswered = 2";
    let proxy = Proxy::with(&[&silent[0], &silent[1], &silent[2]], settings);
    proxy.no_farewell();
    let (answer, took) = timed(|| proxy.get("/late"));
    assert_eq!(answer.status(), 504);
    assert!(took < Duration::from_secs(5), "three times 2 s: {took:?}");
    names_the_key(&proxy, "sH");
    assert_eq!(proxy.record("/late")["tries"], 2);
    // The second had but a part of the time that is its due.
    proxy.process.said.wait("backend A: no answer");
    assert_eq!(proxy.said("backend B"), 0);
}

#[test]
fn a_backend_that_had_all_of_it_is_blamed() {
    let silent = Backend::silent();
    let proxy = Proxy::with(&[&silent], &format!("{SETTINGS}\npassive.clients = 1"));
    proxy.no_farewell();
    assert_eq!(proxy.get("/late").status(), 504);
    names_the_key(&proxy, "sH");
    proxy.process.said.wait("backend A: the request took longer than [timeouts] request");
}

#[test]
fn an_answer_that_goes_on_and_on_is_cut() {
    let stop = Gate::new();
    let told = stop.clone();
    let endless = Backend::every(move |wire| {
        wire.request();
        wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        while !told.is_open() && wire.offer("1000\r\n") && wire.offer([b'x'; 4096]) {
            wire.offer("\r\n");
            wire.is_silent_for(Duration::from_millis(5));
        }
    });
    let proxy = Proxy::with(&[&endless], SETTINGS);
    proxy.no_farewell();
    let mut client = proxy.connect();
    client.send("GET /late HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert!(client.try_answer("GET").is_err(), "a visible break");
    stop.open();
    names_the_key(&proxy, "sD");
}

#[test]
fn the_wait_in_line_counts() {
    let narrow = Backend::first(switch);
    let settings = format!("{SETTINGS}\nqueue.timeout = \"30s\"");
    let proxy = Proxy::with(&[&Keyed(&narrow, "max_connections = 1")], &settings);
    let mut first = tunnel(&proxy);
    let answer = proxy.get("/late");
    assert_eq!(answer.status(), 503);
    assert!(answer.field("retry-after").is_some());
    names_the_key(&proxy, "sQ");
    first.send("after a while");
    first.expect("yes");
}

#[test]
fn a_body_that_comes_too_slowly_is_a_408() {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], SETTINGS);
    let mut client = proxy.connect();
    client.send("POST /late HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100\r\n\r\nbegun");
    assert_eq!(client.answer().status(), 408);
    names_the_key(&proxy, "cR");
    assert_eq!(proxy.said("backend A"), 0, "nobody else is blamed");
}

/// Switches protocols, and answers one word in the new one.
fn switch(wire: &mut Wire) {
    wire.request();
    wire.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n");
    wire.expect("after a while");
    wire.send("yes");
}

fn tunnel(proxy: &Proxy) -> Wire {
    let mut client = proxy.connect();
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n");
    assert_eq!(client.head().unwrap().status(), 101);
    client
}

#[test]
fn a_tunnel_is_not_bound_by_it() {
    let backend = Backend::first(switch);
    let proxy = Proxy::with(&[&backend], "timeouts.request = \"1s\"");
    let mut client = tunnel(&proxy);
    assert!(client.is_silent_for(Duration::from_millis(1500)));
    client.send("after a while");
    client.expect("yes");
}
