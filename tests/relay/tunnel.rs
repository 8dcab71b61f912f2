//! Upgrades: a tunnel begins with a real 101, and each direction ends by itself.

use crate::harness::{Backend, Broken, Proxy, Wire, eventually};
use rustix::net::sockopt::set_socket_linger;
use std::thread;
use std::time::Duration;

const ASKED: &str = "GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive, Upgrade\r\n\
                     Upgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n";
const AGREED: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
                      Upgrade: websocket\r\nSec-WebSocket-Accept: y\r\n\r\n";

/// A client whose tunnel has begun.
fn tunnel(proxy: &Proxy) -> Wire {
    let mut client = proxy.connect();
    client.send(ASKED);
    assert_eq!(client.answer().status(), 101);
    client
}

/// A backend that agrees and then follows `script`.
fn agreeing(script: impl Fn(&mut Wire) + Send + Sync + 'static) -> Backend {
    Backend::first(move |wire| {
        wire.request().unwrap();
        wire.send(AGREED);
        script(wire);
    })
}

#[test]
fn both_sides_agree_on_the_protocol_and_then_talk() {
    let backend = agreeing(|wire| {
        wire.expect("ping");
        wire.send("pong");
        wire.expect("ping");
        wire.send("pong");
        wire.expect_end();
    });
    let proxy = Proxy::over(&[&backend]);
    let mut client = proxy.connect();
    client.send(ASKED);
    let answer = client.answer();
    assert_eq!(answer.field("upgrade"), Some("websocket"));
    assert!(answer.field("connection").is_some_and(|value| value.eq_ignore_ascii_case("upgrade")));
    assert_eq!(answer.field("sec-websocket-accept"), Some("y"));
    for _ in 0..2 {
        client.send("ping");
        client.expect("pong");
    }
    let seen = &backend.requests()[0];
    assert_eq!(seen.field("upgrade"), Some("websocket"));
    assert!(seen.field("connection").is_some_and(|value| value.eq_ignore_ascii_case("upgrade")));
    assert_eq!(seen.field("sec-websocket-key"), Some("x"));
    client.finish();
    client.expect_end();
}

#[test]
fn what_comes_right_behind_the_heads_is_not_lost() {
    let backend = Backend::first(|wire| {
        wire.request().unwrap();
        wire.send(format!("{AGREED}hello from behind"));
        wire.expect("sent ahead");
    });
    let proxy = Proxy::over(&[&backend]);
    let mut client = proxy.connect();
    client.send(format!("{ASKED}sent ahead"));
    assert_eq!(client.answer().status(), 101);
    client.expect("hello from behind");
    client.expect_end();
}

#[test]
fn a_client_that_is_done_sending_still_hears_the_rest() {
    let backend = agreeing(|wire| {
        assert_eq!(wire.ending(), (b"last words".to_vec(), Broken::End));
        wire.send("and an answer");
    });
    let proxy = Proxy::over(&[&backend]);
    let mut client = tunnel(&proxy);
    client.send("last words");
    client.finish();
    assert_eq!(client.ending(), (b"and an answer".to_vec(), Broken::End));
}

#[test]
fn a_backend_that_is_done_sending_still_hears_the_rest() {
    let backend = agreeing(|wire| {
        wire.send("bye");
        wire.finish();
        assert_eq!(wire.ending(), (b"wait, one more".to_vec(), Broken::End));
    });
    let proxy = Proxy::over(&[&backend]);
    let mut client = tunnel(&proxy);
    assert_eq!(client.ending(), (b"bye".to_vec(), Broken::End));
    client.send("wait, one more");
    client.finish();
    eventually("the tunnel ends", || backend.connections() == 0);
}

#[test]
fn a_side_that_resets_ends_the_other() {
    let backend = agreeing(|wire| drop(wire.ending()));
    let proxy = Proxy::over(&[&backend]);
    tunnel(&proxy).reset();
    eventually("the backend is left alone", || backend.connections() == 0);
}

#[test]
fn an_offer_that_is_declined_is_an_ordinary_request() {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    let mut client = proxy.connect();
    client.send(ASKED);
    assert_eq!(client.answer().text(), "GET /ws 0\n");
    assert_eq!(client.get("/next").text(), "GET /next 0\n");
}

#[test]
fn requests_behind_a_declined_offer_are_requests() {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    let mut client = proxy.connect();
    client.send(format!("{ASKED}GET /2 HTTP/1.1\r\nHost: a.test\r\n\r\n"));
    assert_eq!(client.answer().text(), "GET /ws 0\n");
    assert_eq!(client.answer().text(), "GET /2 0\n");
}

#[test]
fn an_offer_of_http_2_is_dropped() {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    let answer = proxy.ask(
        "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
         HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
    );
    assert_eq!(answer.status(), 200);
    let seen = &backend.requests()[0];
    for name in ["upgrade", "connection", "http2-settings"] {
        assert_eq!(seen.field(name), None, "{name}");
    }
}

#[test]
fn an_offer_that_connection_does_not_name_is_dropped() {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    proxy.ask("GET / HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\n\r\n");
    assert_eq!(backend.requests()[0].field("upgrade"), None);
}

#[test]
fn a_101_that_nobody_asked_for_is_a_502() {
    let backend = Backend::first(|wire| {
        wire.request();
        wire.send(AGREED);
        wire.ending();
    });
    let proxy = Proxy::over(&[&backend]);
    assert_eq!(proxy.get("/").status(), 502);
}

#[test]
fn a_101_that_does_not_agree_to_what_was_asked_is_a_502() {
    for fields in ["", "Upgrade: websocket\r\n", "Connection: upgrade\r\nUpgrade: h2c\r\n"] {
        let backend = Backend::first(move |wire| {
            wire.request();
            wire.send(format!("HTTP/1.1 101 Switching Protocols\r\n{fields}\r\n"));
            wire.ending();
        });
        let proxy = Proxy::over(&[&backend]);
        assert_eq!(proxy.ask(ASKED).status(), 502, "{fields}");
    }
}

#[test]
fn a_tunnel_on_which_nobody_speaks_is_closed() {
    let backend = agreeing(|wire| drop(wire.ending()));
    let proxy = Proxy::with(&[&backend], "timeouts.tunnel_idle = \"300ms\"");
    let mut client = tunnel(&proxy);
    let (rest, _) = client.ending();
    assert!(rest.is_empty());
    eventually("the backend is left alone", || backend.connections() == 0);
}

#[test]
fn a_side_that_is_silent_once_the_other_has_ended_is_not_waited_for_long() {
    let backend = agreeing(|wire| {
        wire.finish();
        assert_eq!(wire.ending().1, Broken::Reset, "it is no good end");
    });
    let proxy = Proxy::with(&[&backend], "timeouts.tunnel_fin = \"300ms\"");
    let mut client = tunnel(&proxy);
    client.expect_end();
    eventually("the backend is left alone", || backend.connections() == 0);
}

#[test]
fn the_last_words_of_a_backend_that_reads_no_more_arrive() {
    let backend = agreeing(|wire| {
        wire.expect("x");
        wire.send("FATAL: no");
        set_socket_linger(wire.stream(), Some(Duration::ZERO)).unwrap();
    });
    let proxy = Proxy::over(&[&backend]);
    let mut client = tunnel(&proxy);
    client.send("x");
    assert_eq!(client.ending(), (b"FATAL: no".to_vec(), Broken::Reset));
}

#[test]
fn a_tunnel_takes_no_more_than_the_other_side_reads() {
    let backend = agreeing(|wire| {
        wire.stream().set_write_timeout(Some(Duration::from_millis(300))).unwrap();
        let block = vec![b'x'; 1 << 20];
        assert!((0..100).any(|_| !wire.offer(&block)), "100 MiB were taken, and nobody read");
    });
    let proxy = Proxy::over(&[&backend]);
    let client = tunnel(&proxy);
    eventually("the backend gives up", || backend.connections() == 0);
    assert!(proxy.process.memory_kib("VmHWM") < 32 * 1024);
    client.reset();
}

#[test]
fn a_tunnel_carries_much_both_ways_at_once() {
    const BYTES: usize = 8 << 20;
    let backend = agreeing(|wire| {
        thread::scope(|scope| {
            let mut sender = Wire::of(wire.stream().try_clone().unwrap());
            scope.spawn(move || sender.send(vec![b'd'; BYTES]));
            assert!(wire.exactly(BYTES).unwrap().iter().all(|byte| *byte == b'u'));
        });
    });
    let proxy = Proxy::over(&[&backend]);
    let mut client = tunnel(&proxy);
    thread::scope(|scope| {
        let mut sender = Wire::of(client.stream().try_clone().unwrap());
        scope.spawn(move || sender.send(vec![b'u'; BYTES]));
        assert!(client.exactly(BYTES).unwrap().iter().all(|byte| *byte == b'd'));
    });
    client.expect_end();
}
