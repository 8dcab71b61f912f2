//! Answers ahead of the request's end: what is left of the body still goes where it was sent.

use crate::harness::{Backend, Broken, Gate, Keyed, Length, Proxy, Wire, eventually};
use std::time::Duration;

const KEPT: &str = "timeouts.upstream_keep_alive = \"1s\"";
const ACCEPTED: &str = "HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\n\r\nlater";

/// Says 202 right after each head, reads the body to its end, and serves on.
fn accepting(wire: &mut Wire) {
    let Some(head) = wire.request_head() else { return };
    wire.send(ACCEPTED);
    let mut body = Vec::new();
    let length = head.request_length().unwrap();
    if wire.body(length, &mut |data| body.extend_from_slice(data)).is_ok() {
        assert!(body.iter().all(|byte| *byte == b'h') && !body.is_empty());
        while let Some(request) = wire.request() {
            let text = format!("{} behind {}", request.target(), body.len());
            wire.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len()));
        }
    }
}

/// The head of an upload, and its body in ten pieces.
fn upload(framing: &str) -> (String, Vec<String>) {
    let head = format!("POST /log HTTP/1.1\r\nHost: a.test\r\n{framing}\r\n\r\n");
    let pieces = match framing.starts_with("Content-Length") {
        true => vec!["hhhhh".to_owned(); 10],
        false => (0..10).map(|_| "5\r\nhhhhh\r\n".to_owned()).chain(["0\r\n\r\n".into()]).collect(),
    };
    (head, pieces)
}

#[test]
fn a_body_goes_on_to_its_end_though_the_answer_came_first() {
    for framing in ["Content-Length: 50", "Transfer-Encoding: chunked"] {
        let backend = Backend::every(accepting);
        let proxy = Proxy::with(&[&backend], KEPT);
        let mut client = proxy.connect();
        let (head, pieces) = upload(framing);
        client.send(head);
        let answer = client.answer();
        assert_eq!((answer.status(), answer.text().as_str()), (202, "later"), "{framing}");
        assert_eq!(answer.field("connection"), None, "{framing}");
        for piece in pieces {
            client.send(piece);
            assert!(client.is_silent_for(Duration::from_millis(10)));
        }
        // Both connections live on.
        assert_eq!(client.get("/next").text(), "/next behind 50", "{framing}");
        assert_eq!(backend.visits(), 1, "{framing}");
        proxy.no_farewell();
    }
}

#[test]
fn a_request_behind_such_a_body_waits_for_its_end() {
    let backend = Backend::every(accepting);
    let proxy = Proxy::with(&[&backend], KEPT);
    let mut client = proxy.connect();
    let (head, pieces) = upload("Content-Length: 50");
    client.send(head);
    assert_eq!(client.answer().status(), 202);
    client.send(pieces.concat() + "GET /next HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert_eq!(client.answer().text(), "/next behind 50");
    proxy.no_farewell();
}

#[test]
fn a_large_upload_that_is_answered_at_once_arrives_whole() {
    const BYTES: usize = 8 << 20;
    let backend = Backend::every(accepting);
    let proxy = Proxy::with(&[&backend], KEPT);
    let mut client = proxy.connect();
    client.send(format!("POST /u HTTP/1.1\r\nHost: a.test\r\nContent-Length: {BYTES}\r\n\r\n"));
    client.send(vec![b'h'; BYTES]);
    assert_eq!(client.answer().status(), 202);
    assert_eq!(client.get("/next").text(), format!("/next behind {BYTES}"));
    assert!(proxy.process.memory_kib("VmHWM") < 32 * 1024);
    proxy.no_farewell();
}

#[test]
fn a_last_request_is_sent_to_its_end_too() {
    let backend = Backend::every(accepting);
    let proxy = Proxy::with(&[&backend], "limits.requests_per_connection = 1");
    let mut client = proxy.connect();
    let (head, pieces) = upload("Content-Length: 50");
    client.send(head);
    let answer = client.answer();
    assert_eq!((answer.status(), answer.field("connection")), (202, Some("close")));
    client.send(pieces.concat());
    client.expect_end();
    eventually("the body is there", || {
        String::from_utf8_lossy(&backend.tapes()[0]).matches("hhhhh").count() == 10
    });
    proxy.no_farewell();
}

#[test]
fn a_refusal_in_the_middle_of_a_body_that_was_asked_for_leaves_the_connections_whole() {
    let backend = Backend::every(|wire| {
        let Some(head) = wire.request_head() else { return };
        wire.send("HTTP/1.1 100 Continue\r\n\r\n");
        wire.expect("hhhh");
        wire.send("HTTP/1.1 400 No\r\nContent-Length: 2\r\n\r\nno");
        let rest = Length::Bytes(1_000_000 - 4);
        assert_eq!(head.request_length(), Ok(Length::Bytes(1_000_000)));
        wire.body(rest, &mut |_| {}).unwrap();
        crate::harness::serve(wire);
    });
    let proxy = Proxy::with(&[&backend], KEPT);
    let mut client = proxy.connect();
    client.send("POST /u HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000000\r\n");
    client.send("Expect: 100-continue\r\n\r\n");
    assert_eq!(client.answer().status(), 100);
    client.send("hhhh");
    let answer = client.answer();
    assert_eq!((answer.status(), answer.field("connection")), (400, None));
    client.send(vec![b'h'; 999_996]);
    assert_eq!(client.get("/next").text(), "GET /next 0\n");
    assert_eq!(backend.visits(), 1);
    proxy.no_farewell();
}

#[test]
fn a_backend_that_closes_after_its_answer_loses_the_body_alone() {
    let backend = Backend::first(|wire| {
        wire.request_head();
        wire.send(ACCEPTED);
    });
    let proxy = Proxy::with(&[&backend], KEPT);
    let mut client = proxy.connect();
    let (head, pieces) = upload("Transfer-Encoding: chunked");
    client.send(head);
    assert_eq!(client.answer().text(), "later");
    // The client may go on, and is not reset.
    eventually("the backend is gone", || backend.connections() == 0);
    for piece in pieces {
        client.send(piece);
    }
    client.finish();
    client.expect_end();
}

/// What is left of a request is given up without blame: ten of them eject nobody. Each is begun,
/// and then all are waited for.
fn blames_nobody<E: FnOnce()>(settings: &str, begin: impl Fn(&Proxy) -> E) {
    let stop = Gate::new();
    let held = stop.clone();
    let backend = Backend::every(move |wire| {
        while let Some(head) = wire.request_head() {
            match head.request_length() {
                Ok(Length::Bytes(0)) => wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
                // It answers and reads no more.
                _ => {
                    wire.send(ACCEPTED);
                    return held.pass();
                }
            }
        }
    });
    let other = Backend::plain();
    let proxy = Proxy::with(&[&backend, &Keyed(&other, "backup = true")], settings);
    let ends: Vec<E> = (0..10).map(|_| begin(&proxy)).collect();
    ends.into_iter().for_each(|end| end());
    stop.open();
    assert_eq!(proxy.said("ejected"), 0);
}

#[test]
fn a_backend_that_reads_no_further_has_answered_all_the_same() {
    let settings = "timeouts.response = \"1s\"\ntimeouts.linger_total = \"100ms\"";
    blames_nobody(settings, |proxy| {
        let mut client = proxy.connect();
        client.send("PUT /u HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100000000\r\n\r\n");
        let mut sender = Wire::of(client.stream().try_clone().unwrap());
        let sending = std::thread::spawn(move || while sender.offer([b'h'; 65_536]) {});
        assert_eq!(client.answer_to("PUT").status(), 202);
        move || {
            sending.join().unwrap();
            drop(client);
        }
    });
}

#[test]
fn a_whole_answer_is_no_cut_for_an_old_client_that_stops_its_body() {
    let backend = Backend::first(|wire| {
        wire.request_head();
        wire.send("HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n");
        wire.send("5\r\nlater\r\n0\r\n\r\n");
        wire.ending();
    });
    let proxy = Proxy::with(&[&backend], "timeouts.client_body = \"1s\"");
    let mut client = proxy.connect();
    client.send("POST /u HTTP/1.0\r\nHost: a.test\r\nContent-Length: 9\r\n\r\nhh");
    client.head().unwrap();
    assert_eq!(client.ending(), (b"later".to_vec(), Broken::End));
}

#[test]
fn a_backend_that_talks_on_behind_its_answer_holds_nobody_for_ever() {
    let backend = Backend::first(|wire| {
        wire.request_head();
        wire.send(ACCEPTED);
        while wire.offer("surplus") {}
    });
    let proxy = Proxy::with(&[&backend], "timeouts.client_body = \"1s\"");
    let mut client = proxy.connect();
    client.send("POST /u HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9\r\n\r\nhh");
    assert_eq!(client.answer().status(), 202);
    client.expect_end();
}

#[test]
fn a_client_that_stops_its_body_after_the_answer_is_let_go() {
    blames_nobody("timeouts.client_body = \"1s\"", |proxy| {
        let mut client = proxy.connect();
        client.send("POST /u HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9\r\n\r\nhh");
        assert_eq!(client.answer().status(), 202);
        move || assert_eq!(client.ending().1, Broken::End)
    });
}
