//! HTTP through TLS: what works in the clear works here, with openssl and curl as clients.

mod backends;
mod checks;
mod ciphers;
mod ends;
mod files;
mod names;
mod owed;
mod probes;
mod renewing;
mod slow;
mod trust;

use crate::harness::{
    Backend, Certs, Gate, Keyed, Length, OpenSsl, Place, Process, Proxy, Scratch, Wire, has, serve,
};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const MIB: u64 = 1 << 20;
const VERSIONS: [&str; 2] = ["-tls1_2", "-tls1_3"];

/// Does it with openssl as the client of a proxy over `backend`, in each version.
fn with_openssl(backend: &Backend, work: impl Fn(&mut Wire)) {
    let certs = Certs::make();
    let proxy = Proxy::secure(&certs, &[backend], "");
    for version in VERSIONS {
        let name = ["-servername", "localhost", "-verify_hostname", "localhost"];
        let mut client = OpenSsl::connect(proxy.address, &certs, &[&[version][..], &name].concat());
        work(&mut client.wire);
    }
}

/// Bytes that are not all the same.
fn pattern(length: u64) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

/// Sends each body back.
fn echo(wire: &mut Wire) {
    while let Some(request) = wire.request() {
        let length = request.body.len();
        wire.offer(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"));
        wire.offer(&request.body);
    }
}

#[test]
fn requests_follow_one_another_on_one_connection() {
    with_openssl(&Backend::plain(), |client| {
        for target in ["/1", "/2", "/3"] {
            assert_eq!(client.get(target).text(), format!("GET {target} 0\n"));
        }
        let head = client.ask("HEAD /4 HTTP/1.1\r\nHost: a.test\r\n\r\n");
        assert_eq!((head.status(), head.field("content-length")), (200, Some("10")));
        assert_eq!(client.get("/5").text(), "GET /5 0\n");
    });
}

#[test]
fn requests_sent_ahead_are_answered_in_turn() {
    with_openssl(&Backend::plain(), |client| {
        let ahead = |number| format!("GET /{number} HTTP/1.1\r\nHost: a.test\r\n\r\n");
        client.send((0..50).map(ahead).collect::<String>());
        for number in 0..50 {
            assert_eq!(client.answer().text(), format!("GET /{number} 0\n"));
        }
    });
}

#[test]
fn requests_may_share_records_and_a_request_may_have_many() {
    let certs = Certs::make();
    let backend = Backend::plain();
    let settings = "limits.requests_per_connection = 0\nserver.workers = 1";
    let proxy = Proxy::secure(&certs, &[&backend], settings);
    let mut client = proxy.connect();
    client.send("GET /ahead HTTP/1.1\r\nHost: a.test\r\n\r\n".repeat(3000));
    for _ in 0..3000 {
        assert_eq!(client.answer().text(), "GET /ahead 0\n");
    }
    for byte in "POST /bytes HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello".bytes() {
        client.send([byte]);
    }
    assert_eq!(client.answer().text(), "POST /bytes 5\n");
}

#[test]
fn bodies_come_through_unaltered_both_ways() {
    with_openssl(&Backend::every(echo), |client| {
        for length in [0, 1, 100, 16_383, 16_384, 16_385, 65_536, MIB] {
            let body = pattern(length);
            client.send("POST /b HTTP/1.1\r\nHost: a.test\r\n");
            client.send(format!("Content-Length: {length}\r\n\r\n"));
            client.send(&body);
            assert!(client.answer().body == body, "{length} bytes came altered");
        }
    });
}

#[test]
fn chunked_bodies_come_through_unaltered_both_ways() {
    let backend = Backend::every(|wire| {
        while let Some(request) = wire.request() {
            wire.offer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            for piece in request.body.chunks(10_007) {
                wire.offer(format!("{:x}\r\n", piece.len()));
                wire.offer(piece);
                wire.offer("\r\n");
            }
            wire.offer("0\r\n\r\n");
        }
    });
    with_openssl(&backend, |client| {
        let body = pattern(MIB);
        client.send("POST /e HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n");
        for piece in body.chunks(70_001) {
            client.send(format!("{:X}\r\n", piece.len()));
            client.send(piece);
            client.send("\r\n");
        }
        client.send("0\r\n\r\n");
        assert!(client.answer().body == body, "the body came back altered");
        assert_eq!(client.get("/").body, b"");
    });
}

#[test]
fn a_client_that_asks_first_is_told_to_continue() {
    let backend = Backend::every(|wire| {
        while let Some(head) = wire.request_head() {
            if head.field("expect").is_some() {
                wire.send("HTTP/1.1 100 Continue\r\n\r\n");
            }
            wire.body(head.request_length().unwrap(), &mut |_| {}).unwrap();
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
    });
    with_openssl(&backend, |client| {
        client.send("PUT /p HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n");
        client.send("Expect: 100-continue\r\n\r\n");
        assert_eq!(client.answer().status(), 100);
        client.send("hello");
        assert_eq!(client.answer().status(), 200);
    });
}

#[test]
fn an_upgrade_becomes_a_tunnel() {
    let backend = Backend::every(|wire| {
        let Some(request) = wire.request() else { return };
        if request.field("upgrade").is_none() {
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            return;
        }
        wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n");
        wire.send("Upgrade: websocket\r\n\r\nhello from behind");
        wire.expect("ping");
        wire.send("pong");
        let big = wire.exactly(MIB as usize).unwrap();
        wire.send(&big);
        wire.expect_end();
    });
    with_openssl(&backend, |client| {
        client.send("GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\n");
        client.send("Upgrade: websocket\r\n\r\nping");
        assert_eq!(client.answer().status(), 101);
        client.expect("hello from behindpong");
        client.send(pattern(MIB));
        assert!(client.exactly(MIB as usize).unwrap() == pattern(MIB), "the tunnel altered bytes");
    });
}

#[test]
fn curl_is_served_by_name_and_by_address() {
    if !has("curl") {
        return;
    }
    let certs = Certs::make();
    let backend = Backend::plain();
    let proxy = Proxy::secure(&certs, &[&backend], "");
    let scratch = Scratch::new();
    for (host, version) in [("localhost", "--tlsv1.3"), ("127.0.0.1", "--tls-max")] {
        let url = format!("https://{host}:{}/curl", proxy.address.port());
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--max-time", "10", "--noproxy", "*", version]);
        curl.args(if version == "--tls-max" { &["1.2"][..] } else { &[] });
        // curl offers HTTP/2 as well, and takes what it gets.
        curl.args(["--ipv4", "--write-out", "%{http_version} %{ssl_verify_result}\n"]);
        let curl = curl.arg("--cacert").arg(&certs.ca).args([&url, &url]);
        let (code, printed, said) = Process::start(curl, scratch.path()).finish();
        let once = "GET /curl 0\n1.1 0";
        let twice = format!("{once}\n{once}");
        assert_eq!((code, printed, said), (Some(0), twice, String::new()));
    }
    assert_eq!(backend.requests().len(), 4);
}

#[test]
fn backends_are_told_that_it_was_https() {
    let certs = Certs::make();
    let backend = Backend::plain();
    let settings = "server.forwarded = true\nserver.trusted_proxies = [\"192.0.2.0/24\"]";
    let proxy = Proxy::secure(&certs, &[&backend], settings);
    proxy.ask("GET / HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-Proto: http\r\n\r\n");
    let seen = &backend.requests()[0];
    assert_eq!(seen.field("x-forwarded-proto"), Some("https"));
    assert!(seen.field("forwarded").is_some_and(|value| value.contains("proto=https")));
}

#[test]
fn the_sticky_cookie_is_for_https_alone() {
    let certs = Certs::make();
    let backend = Backend::plain();
    let proxy = Proxy::secure(&certs, &[&backend], "sticky.cookie = \"__Host-B\"");
    let answer = proxy.get("/");
    let cookie = answer.field("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-B="), "{cookie}");
    assert!(cookie.split("; ").any(|attribute| attribute == "Secure"), "{cookie}");
    let value = cookie.split(';').next().unwrap();
    let request = format!("GET / HTTP/1.1\r\nHost: a.test\r\nCookie: {value}\r\n\r\n");
    assert_eq!(proxy.ask(request).field("set-cookie"), None);
}

#[test]
fn redirects_say_https_where_the_application_speaks_tls() {
    let certs = Certs::make();
    let backend = Backend::plain();
    for (keys, scheme) in [("tls = true\ntls_verify = false", "https"), ("", "http")] {
        let settings = "server.mode = \"redirect\"";
        let proxy = Proxy::secure(&certs, &[&Keyed(&backend, keys)], settings);
        proxy.farewell(307);
        let location = format!("{scheme}://127.0.0.1:{}/shop", backend.port());
        assert_eq!(proxy.get("/shop").field("location"), Some(location.as_str()));
    }
}

#[test]
fn a_huge_download_takes_bounded_memory() {
    let certs = Certs::make();
    let backend = Backend::first(|wire| {
        wire.request();
        wire.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 100 * MIB));
        let block = pattern(MIB);
        (0..100).for_each(|_| wire.send(&block));
        serve(wire);
    });
    let proxy = Proxy::secure(&certs, &[&backend], "");
    let mut client = proxy.connect();
    client.send("GET /d HTTP/1.1\r\nHost: a.test\r\n\r\n");
    let length = client.head().unwrap().answer_length("GET").unwrap();
    let (block, mut at) = (pattern(MIB), 0);
    let mut compare = |data: &[u8]| {
        let place = at % block.len();
        let whole = place + data.len() <= block.len();
        assert!(!whole || data == &block[place..place + data.len()], "altered at {at}");
        at += data.len();
    };
    client.body(length, &mut compare).unwrap();
    assert_eq!(at as u64, 100 * MIB);
    assert!(proxy.process.memory_kib("VmHWM") < 32 * 1024);
    assert_eq!(client.get("/next").status(), 200);
}

#[test]
fn a_huge_upload_takes_bounded_memory() {
    let certs = Certs::make();
    let received = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&received);
    let backend = Backend::first(move |wire| {
        wire.request_head();
        let add = &mut |data: &[u8]| {
            count.fetch_add(data.len() as u64, Ordering::Relaxed);
        };
        wire.body(Length::Bytes(64 * MIB), add).unwrap();
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    });
    let proxy = Proxy::secure(&certs, &[&backend], "");
    let mut client = proxy.connect();
    client.send(format!("PUT /u HTTP/1.1\r\nHost: a.test\r\nContent-Length: {}\r\n\r\n", 64 * MIB));
    let block = pattern(MIB);
    (0..64).for_each(|_| client.send(&block));
    assert_eq!(client.answer().status(), 200);
    assert_eq!(received.load(Ordering::Relaxed), 64 * MIB);
    assert!(proxy.process.memory_kib("VmHWM") < 32 * 1024);
}

#[test]
fn each_event_of_a_stream_arrives_at_once() {
    let certs = Certs::make();
    let gate = Gate::new();
    let held = gate.clone();
    let backend = Backend::first(move |wire| {
        wire.request();
        wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\ndata: 1\r\n");
        held.pass();
        wire.send("7\r\ndata: 2\r\n0\r\n\r\n");
    });
    let proxy = Proxy::secure(&certs, &[&backend], "");
    let mut client = OpenSsl::connect(proxy.address, &certs, &[]);
    client.wire.send("GET /events HTTP/1.1\r\nHost: a.test\r\n\r\n");
    client.wire.head().unwrap();
    client.wire.expect("7\r\ndata: 1\r\n");
    gate.open();
    client.wire.expect("7\r\ndata: 2\r\n0\r\n\r\n");
}
