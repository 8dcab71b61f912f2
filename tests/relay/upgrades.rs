//! Which offers of another protocol go on, and which 101 is believed.

use crate::harness::{Backend, Proxy, Wire, eventually};

/// As `docker exec` asks: what to run, then the terminal's bytes.
const EXEC: &str = "POST /exec/1/start HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\n\
                    Upgrade: tcp\r\nContent-Type: application/json\r\n";
const SWITCHED: &str = "HTTP/1.1 101 UPGRADED\r\n\
                        Content-Type: application/vnd.docker.raw-stream\r\n\
                        Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
/// As `docker build` asks for a session with its builder.
const SESSION: &str = "POST /session HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\n\
                       Upgrade: h2c\r\nX-Docker-Expose-Session-Uuid: 1\r\n\r\n";
const PREFACE: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const H2C: &str = "server.upgrade_h2c = true";

/// A 101 that names this protocol.
fn switching_to(protocol: &str) -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n"
    )
}

/// A backend that takes a request, says this, and then echoes `ping` once.
fn saying(answer: String) -> Backend {
    Backend::first(move |wire| {
        if wire.request().is_some() && wire.offer(&answer) && wire.exactly(4).is_ok() {
            wire.offer("pong");
        }
    })
}

fn ping(client: &mut Wire) {
    client.send("ping");
    client.expect("pong");
}

#[test]
fn a_body_comes_before_the_other_protocol() {
    let length = format!("{EXEC}Content-Length: 14\r\n\r\n{{\"Tty\": false}}");
    let chunked =
        format!("{EXEC}Transfer-Encoding: chunked\r\n\r\ne\r\n{{\"Tty\": false}}\r\n0\r\n\r\n");
    let none = format!("{EXEC}Content-Length: 0\r\n\r\n");
    for (asked, body) in [(length, "{\"Tty\": false}"), (chunked, "{\"Tty\": false}"), (none, "")] {
        let backend = saying(SWITCHED.to_owned());
        let proxy = Proxy::over(&[&backend]);
        let mut client = proxy.connect();
        client.send(&asked);
        let answer = client.answer();
        assert_eq!((answer.status(), answer.field("upgrade")), (101, Some("tcp")), "{asked}");
        assert_eq!(answer.field("content-type"), Some("application/vnd.docker.raw-stream"));
        ping(&mut client);
        let seen = &backend.requests()[0];
        assert_eq!(
            (seen.field("upgrade"), seen.field("connection")),
            (Some("tcp"), Some("upgrade"))
        );
        assert_eq!(seen.text(), body);
    }
}

#[test]
fn what_a_client_sends_behind_its_body_is_the_other_protocols() {
    let backend = saying(SWITCHED.to_owned());
    let proxy = Proxy::over(&[&backend]);
    let mut client = proxy.connect();
    client.send(format!("{EXEC}Content-Length: 2\r\n\r\n{{}}ping"));
    assert_eq!(client.answer().status(), 101);
    client.expect("pong");
    assert_eq!(backend.requests()[0].text(), "{}");
}

#[test]
fn a_101_ahead_of_the_body_is_a_502() {
    for framing in ["Content-Length: 4\r\n\r\n{}", "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"]
    {
        let backend = Backend::first(|wire| {
            wire.request_head().unwrap();
            wire.send(SWITCHED);
            drop(wire.ending());
        });
        let proxy = Proxy::over(&[&backend]);
        let mut client = proxy.connect();
        client.send(format!("{EXEC}{framing}"));
        assert_eq!(client.answer().status(), 502, "{framing}");
        drop(client);
        eventually("the backend is left alone", || backend.connections() == 0);
        let line = proxy.process.said.wait("bad answer");
        assert!(line.contains("a 101 ahead of the request's body"), "{line}");
    }
}

#[test]
fn an_offer_with_a_body_that_is_declined_is_an_ordinary_request() {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    let mut client = proxy.connect();
    client.send(format!("{EXEC}Content-Length: 2\r\n\r\n{{}}"));
    assert_eq!(client.answer().text(), "POST /exec/1/start 2\n");
    assert_eq!(client.get("/next").text(), "GET /next 0\n");
}

#[test]
fn a_101_names_the_protocol_that_was_offered_in_any_case() {
    let asked = |protocol: &str| {
        format!(
            "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: {protocol}\r\n\r\n"
        )
    };
    for (offered, named, status) in [
        ("websocket", "WebSocket", 101),
        ("TLS/1.0", "tls/1.0", 101),
        ("websocket", "tcp", 502),
        ("websocket", "websocket2", 502),
        ("websocket", "websocket, tcp", 502),
        ("websocket", "h2c", 502),
        ("TLS/1.0", "TLS", 502),
    ] {
        let backend = saying(switching_to(named));
        let proxy = Proxy::over(&[&backend]);
        let mut client = proxy.connect();
        client.send(asked(offered));
        assert_eq!(client.answer().status(), status, "{offered} {named}");
        if status == 101 {
            ping(&mut client);
        }
    }
}

#[test]
fn h2c_is_offered_on_where_the_configuration_allows_it() {
    let backend = Backend::first(|wire| {
        wire.request().unwrap();
        wire.send(switching_to("h2c"));
        wire.expect(PREFACE);
        wire.send("settings");
    });
    let proxy = Proxy::with(&[&backend], H2C);
    let mut client = proxy.connect();
    client.send(SESSION);
    assert_eq!(client.answer().field("upgrade"), Some("h2c"));
    client.send(PREFACE);
    client.expect("settings");
    let seen = &backend.requests()[0];
    assert_eq!((seen.field("upgrade"), seen.field("connection")), (Some("h2c"), Some("upgrade")));
}

#[test]
fn h2c_is_not_offered_on_unasked_nor_together_with_this_request() {
    let settings = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade, HTTP2-Settings\r\n\
                    Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n";
    let unnamed = "GET / HTTP/1.1\r\nHost: a.test\r\nUpgrade: h2c\r\n\r\n";
    for (keys, asked) in [("", SESSION), (H2C, settings), (H2C, unnamed)] {
        let backend = Backend::plain();
        let proxy = Proxy::with(&[&backend], keys);
        assert_eq!(proxy.ask(asked).status(), 200);
        let seen = &backend.requests()[0];
        for name in ["upgrade", "connection", "http2-settings"] {
            assert_eq!(seen.field(name), None, "{name}: {asked}");
        }
    }
}

#[test]
fn a_101_to_an_h2c_that_was_not_offered_on_is_a_502() {
    let backend = saying(switching_to("h2c"));
    let proxy = Proxy::over(&[&backend]);
    assert_eq!(proxy.ask(SESSION).status(), 502);
}
