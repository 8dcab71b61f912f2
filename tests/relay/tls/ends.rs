//! Ends: a good one is told from a cut by its close_notify (RFC 8446 section 6.1).

use crate::harness::{Backend, Broken, Certs, Gate, OpenSsl, Proxy, eventually, timed};
use std::net::TcpStream;
use std::time::Duration;

const CLOSE: &str = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";

/// A backend that answers each request with these bytes and closes.
fn saying(answer: &'static str) -> Backend {
    Backend::every(move |wire| {
        if wire.request().is_some() {
            wire.offer(answer);
        }
    })
}

#[test]
fn an_answer_that_closes_ends_in_order() {
    let certs = Certs::make();
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\nhello",
        "HTTP/1.1 204 No Content\r\n\r\n",
    ] {
        let backend = saying(answer);
        let proxy = Proxy::secure(&certs, &[&backend], "");
        proxy.farewell(answer[9..12].parse().unwrap());
        for version in ["-tls1_2", "-tls1_3"] {
            let mut client = OpenSsl::connect(proxy.address, &certs, &[version]);
            client.wire.send(CLOSE);
            let (came, end) = client.wire.ending();
            assert!(end == Broken::End && came.starts_with(&answer.as_bytes()[..12]), "{came:?}");
            let verdict = client.verdict();
            assert!(!verdict.contains("unexpected eof"), "{version} {answer}: {verdict}");
        }
        let mut client = proxy.connect();
        client.send(CLOSE);
        assert_eq!(client.ending().1, Broken::End, "{answer}");
    }
}

#[test]
fn an_answer_that_the_backend_cuts_is_cut_for_the_client() {
    let certs = Certs::make();
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ] {
        let backend = saying(answer);
        let proxy = Proxy::secure(&certs, &[&backend], "");
        proxy.no_farewell();
        let mut client = proxy.connect();
        client.send(CLOSE);
        let (came, end) = client.ending();
        assert!(came.ends_with(b"hello") || came.ends_with(b"hello\r\n"), "{came:?}");
        assert!(matches!(end, Broken::Cut | Broken::Reset), "{answer}: {end:?}");
        let mut client = OpenSsl::connect(proxy.address, &certs, &[]);
        client.wire.send(CLOSE);
        client.wire.ending();
        let verdict = client.verdict();
        assert!(verdict.contains("unexpected eof") || verdict.contains("errno"), "{verdict}");
    }
}

#[test]
fn a_client_that_idles_is_left_in_order() {
    let certs = Certs::make();
    let backend = Backend::plain();
    let proxy = Proxy::secure(&certs, &[&backend], "timeouts.keep_alive = \"100ms\"");
    let mut client = proxy.connect();
    assert_eq!(client.get("/").status(), 200);
    client.expect_end();
    let mut client = OpenSsl::connect(proxy.address, &certs, &[]);
    assert_eq!(client.wire.get("/").status(), 200);
    client.wire.expect_end();
    assert!(!client.verdict().contains("unexpected eof"));
}

#[test]
fn refusals_and_the_last_request_of_a_connection_end_in_order() {
    let certs = Certs::make();
    let backend = Backend::plain();
    let settings = "limits.requests_per_connection = 2\ntimeouts.request_head = \"1s\"";
    let proxy = Proxy::secure(&certs, &[&backend], settings);
    let mut client = proxy.connect();
    assert_eq!(client.get("/1").field("connection"), None);
    assert_eq!(client.get("/2").field("connection"), Some("close"));
    client.expect_end();
    for (request, status) in [("nonsense\r\n\r\n", 400), ("GET / HTTP/1.1\r\n", 408)] {
        let mut client = proxy.connect();
        client.send(request);
        assert_eq!(client.answer().status(), status);
        client.expect_end();
    }
}

#[test]
fn a_client_that_still_sends_can_read_why_it_is_refused() {
    let certs = Certs::make();
    let backend = Backend::plain();
    let proxy = Proxy::secure(&certs, &[&backend], "limits.body_bytes = \"1KiB\"");
    for head in ["Content-Length: 60000", "Transfer-Encoding: chunked"] {
        let mut client = proxy.connect();
        client.send(format!("POST / HTTP/1.1\r\nHost: a.test\r\n{head}\r\n\r\nea60\r\n"));
        client.offer([b'x'; 50_000]);
        assert_eq!(client.answer().status(), 413, "{head}");
        client.expect_end();
    }
    assert_eq!(backend.requests().len(), 0);
}

#[test]
fn a_client_that_is_done_sending_still_gets_its_answer() {
    let certs = Certs::make();
    let gate = Gate::new();
    let backend = Backend::held(&gate, "late");
    let proxy = Proxy::secure(&certs, &[&backend], "");
    let mut client = proxy.asking("/");
    client.finish();
    backend.wait_requests(1);
    gate.open();
    assert_eq!(client.answer().text(), "late");
    client.expect_end();
}

#[test]
fn an_upload_that_is_cut_is_no_request() {
    let certs = Certs::make();
    let backend = Backend::plain();
    let proxy = Proxy::secure(&certs, &[&backend], "");
    for head in ["Content-Length: 10", "Transfer-Encoding: chunked"] {
        let mut client = proxy.connect();
        client.send(format!("POST /up HTTP/1.1\r\nHost: a.test\r\n{head}\r\n\r\n5\r\nhe"));
        eventually("the backend has it", || backend.connections() == 1);
        drop(client);
        eventually("the backend is left", || backend.connections() == 0);
    }
    assert_eq!(backend.requests().len(), 0);
}

#[test]
fn each_side_of_a_tunnel_hears_that_the_other_is_done() {
    let certs = Certs::make();
    let backend = Backend::first(|wire| {
        wire.request().unwrap();
        wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
        assert_eq!(wire.ending(), (b"last words".to_vec(), Broken::End));
        wire.send("and an answer");
    });
    let proxy = Proxy::secure(&certs, &[&backend], "");
    let mut client = proxy.connect();
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
    assert_eq!(client.answer().status(), 101);
    client.send("last words");
    client.finish();
    assert_eq!(client.ending(), (b"and an answer".to_vec(), Broken::End));
}

#[test]
fn stopping_ends_open_connections_in_order() {
    let certs = Certs::make();
    let gate = Gate::new();
    let backend = Backend::held(&gate, "late");
    let mut proxy = Proxy::secure(&certs, &[&backend], "timeouts.drain = \"1m\"");
    let mut busy = proxy.asking("/late");
    backend.wait_requests(1);
    let mut idle = proxy.connect();
    idle.get("/");
    let mut unused = proxy.connect();
    unused.handshake().unwrap();
    let mut silent = proxy.connect_raw();
    // Once a later connection is answered, those before it have been taken in.
    proxy.get("/");
    let (_, took) = timed(|| {
        proxy.terminate();
        eventually("the listener closes", || TcpStream::connect(proxy.address).is_err());
        idle.expect_end();
        unused.expect_end();
        silent.expect_end();
        gate.open();
        assert_eq!(busy.answer().text(), "late");
        busy.expect_end();
        assert_eq!(proxy.exit_code(), Some(0));
    });
    assert!(took < Duration::from_secs(8), "not only when the drain is over: {took:?}");
    assert_eq!(proxy.said("handshake not done"), 0, "nobody had that time");
}
