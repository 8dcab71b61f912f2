//! Interim answers, and final ones that come before the request is complete.

use crate::harness::{Backend, Broken, Gate, Proxy};
use std::time::Duration;

const EXPECTING: &str = "POST /e HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\
                         Expect: 100-continue\r\n\r\n";

#[test]
fn a_client_that_waits_for_100_gets_it_from_the_backend() {
    let backend = Backend::first(|wire| {
        let head = wire.request_head().unwrap();
        assert_eq!(head.field("expect"), Some("100-continue"));
        wire.send("HTTP/1.1 100 Continue\r\n\r\n");
        wire.expect("hello");
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    let proxy = Proxy::over(&[&backend]);
    let mut client = proxy.connect();
    client.send(EXPECTING);
    let interim = client.answer();
    assert_eq!((interim.status(), interim.fields.len()), (100, 0));
    client.send("hello");
    assert_eq!(client.answer().text(), "ok");
    assert_eq!(client.get("/next").status(), 200);
}

#[test]
fn a_backend_may_refuse_a_body_that_is_held_back() {
    let backend = Backend::first(|wire| {
        wire.request_head();
        wire.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
        wire.ending();
    });
    let proxy = Proxy::over(&[&backend]);
    let mut client = proxy.connect();
    client.send(EXPECTING);
    let answer = client.answer();
    assert_eq!((answer.status(), answer.text().as_str()), (403, "no"));
    // The body may or may not follow: the connection cannot carry another request.
    assert_eq!(answer.field("connection"), Some("close"));
    client.expect_end();
}

#[test]
fn an_impatient_client_may_send_its_body_at_once() {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    let mut client = proxy.connect();
    client.send(EXPECTING);
    client.send("hello");
    assert_eq!(client.answer().text(), "POST /e 5\n");
}

#[test]
fn early_hints_are_relayed_as_they_come() {
    let backend = Backend::first(|wire| {
        wire.request();
        wire.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n");
        wire.send("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </b>\r\n\r\n");
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    let proxy = Proxy::over(&[&backend]);
    let mut client = proxy.connect();
    let first = client.get("/");
    assert_eq!((first.status(), first.field("link")), (103, Some("</a.css>; rel=preload")));
    assert_eq!(client.answer().status(), 102);
    assert_eq!(client.answer().field("link"), Some("</b>"));
    assert_eq!(client.answer().text(), "ok");
}

#[test]
fn an_interim_answer_does_not_wait_for_the_final_one() {
    let gate = Gate::new();
    let held = gate.clone();
    let backend = Backend::first(move |wire| {
        wire.request();
        wire.send("HTTP/1.1 103 Early Hints\r\n\r\n");
        held.pass();
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    let proxy = Proxy::over(&[&backend]);
    let mut client = proxy.connect();
    assert_eq!(client.get("/").status(), 103);
    gate.open();
    assert_eq!(client.answer().text(), "ok");
}

#[test]
fn an_http_1_0_client_gets_no_interim_answer() {
    let backend = Backend::says(
        "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    );
    let proxy = Proxy::over(&[&backend]);
    let answer = proxy.ask("GET / HTTP/1.0\r\n\r\n");
    assert_eq!((answer.status(), answer.text().as_str()), (200, "ok"));
}

#[test]
fn interim_answers_are_limited_by_their_bytes_not_by_their_number() {
    let said = |interims: usize| {
        let interims = "HTTP/1.1 102 Processing\r\n\r\n".repeat(interims);
        format!("{interims}HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    };
    let last = |interims: usize| {
        let backend = Backend::says(said(interims));
        let proxy = Proxy::over(&[&backend]);
        let mut client = proxy.connect();
        let mut answer = client.get("/");
        while answer.status() < 200 {
            answer = client.answer();
        }
        answer.status()
    };
    assert_eq!(last(1000), 200);
    // 27 bytes each: beyond 64 KiB.
    assert_eq!(last(2500), 502);
}

#[test]
fn each_interim_answer_starts_the_wait_anew() {
    let backend = Backend::first(|wire| {
        wire.request();
        for _ in 0..20 {
            wire.send("HTTP/1.1 102 Processing\r\n\r\n");
            wire.is_silent_for(Duration::from_millis(60));
        }
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    let proxy = Proxy::with(&[&backend], "timeouts.response = \"1s\"");
    let mut client = proxy.connect();
    let mut answer = client.get("/");
    while answer.status() < 200 {
        answer = client.answer();
    }
    assert_eq!(answer.text(), "ok");
}

#[test]
fn silence_behind_an_interim_answer_is_late_all_the_same() {
    let backend = Backend::first(|wire| {
        wire.request();
        wire.send("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 2");
        wire.ending();
    });
    let proxy = Proxy::with(&[&backend], "timeouts.response = \"1s\"");
    let mut client = proxy.connect();
    assert_eq!(client.get("/").status(), 102);
    assert_eq!(client.answer().status(), 504);
}

#[test]
fn a_final_answer_ahead_of_the_body_is_relayed_and_ends_the_connection() {
    let backend = Backend::first(|wire| {
        wire.request_head();
        wire.send("HTTP/1.1 413 Too Much\r\nContent-Length: 4\r\nConnection: close\r\n\r\nmuch");
        wire.finish();
        wire.ending();
    });
    let proxy = Proxy::over(&[&backend]);
    let mut client = proxy.connect();
    client.send("POST /big HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000000\r\n\r\n");
    client.send([b'x'; 1000]);
    let answer = client.answer();
    assert_eq!((answer.status(), answer.text().as_str()), (413, "much"));
    // What is still under way is taken, so that no reset overtakes the answer.
    client.offer([b'x'; 1000]);
    let (rest, broken) = client.ending();
    assert!(rest.is_empty() && matches!(broken, Broken::End | Broken::Reset), "{broken:?}");
}

#[test]
fn an_early_answer_is_not_lost_when_the_backend_closes_on_the_body() {
    // Closing with unread bytes resets: the answer is in the proxy's socket by then (RFC 9112 9.6).
    for _ in 0..10 {
        let backend = Backend::first(|wire| {
            wire.request_head();
            wire.offer("HTTP/1.1 403 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
        });
        let proxy = Proxy::over(&[&backend]);
        let mut client = proxy.connect();
        client.send("POST /b HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n");
        client.offer(format!("8000\r\n{}\r\n", "x".repeat(0x8000)));
        assert_eq!(client.answer().status(), 403);
    }
}
