//! Closing: what is still under way to a client is not destroyed by it (RFC 9112 section 9.6).

use crate::harness::{Backend, Broken, Gate, Length, Proxy, Wire, eventually, timed};
use std::thread;
use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(60);
const MIB: usize = 1 << 20;

/// Sends `bytes` of a body, all of them before it reads a byte, as many clients do.
fn refused(client: &mut Wire, bytes: usize) -> u16 {
    client.send(format!("POST /u HTTP/1.1\r\nHost: a.test\r\nContent-Length: {bytes}\r\n\r\n"));
    client.send(vec![b'x'; bytes]);
    client.answer().status()
}

#[test]
fn who_sends_all_of_a_refused_upload_reads_why() {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], "limits.body_bytes = \"1KiB\"");
    for bytes in [60_000, MIB, 8 * MIB] {
        let mut client = proxy.connect();
        assert_eq!(refused(&mut client, bytes), 413, "{bytes}");
        client.expect_end();
    }
    assert_eq!(backend.visits(), 0);
}

#[test]
fn an_upload_that_the_backend_refuses_and_reads_no_further_is_read_away() {
    let backend = Backend::every(|wire| {
        while let Some(head) = wire.request_head() {
            if head.method() == "GET" {
                wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
                continue;
            }
            wire.send("HTTP/1.1 413 Much\r\nContent-Length: 4\r\nConnection: close\r\n\r\nmuch");
            wire.finish();
            wire.ending();
            return;
        }
    });
    let proxy = Proxy::over(&[&backend]);
    for bytes in [60_000, 8 * MIB] {
        let mut client = proxy.connect();
        assert_eq!(refused(&mut client, bytes), 413, "{bytes}");
    }
}

#[test]
fn a_slow_upload_is_read_away_for_as_long_as_it_comes() {
    let backend = Backend::plain();
    let settings = "limits.body_bytes = \"10B\"\ntimeouts.linger = \"1s\"";
    let proxy = Proxy::with(&[&backend], settings);
    let mut client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 20000\r\n\r\n");
    // In all it takes longer than any silence may.
    for _ in 0..20 {
        client.send(vec![b'x'; 1000]);
        thread::park_timeout(PAUSE);
    }
    assert_eq!(client.answer().status(), 413);
    client.expect_end();
}

#[test]
fn who_sends_far_too_many_fields_reads_why() {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    let fields: String = (0..50_000).map(|n| format!("X-{n}: some value\r\n")).collect();
    let mut client = proxy.connect();
    client.send(format!("GET / HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n"));
    assert_eq!(client.answer().status(), 431);
    client.expect_end();
}

#[test]
fn who_falls_silent_or_never_ends_is_closed_in_time() {
    let backend = Backend::plain();
    let settings = "limits.body_bytes = \"10B\"\ntimeouts.linger = \"200ms\"\n\
                    timeouts.linger_total = \"600ms\"";
    let proxy = Proxy::with(&[&backend], settings);
    let refused = || {
        let mut client = proxy.connect();
        client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000000000\r\n\r\n");
        assert_eq!(client.answer().status(), 413);
        client
    };
    let (silent, mut endless) = (refused(), refused());
    let ((), took) = timed(|| {
        eventually("the endless sender is cut off", || {
            thread::park_timeout(PAUSE);
            !endless.offer([b'x'; 1000])
        })
    });
    assert!(took >= PAUSE * 3, "{took:?}: that was silence, not the whole");
    eventually("the silent one is closed", || proxy.process.descriptors() < 20);
    drop(silent);
}

/// What `client` gets when it begins to read only after the backend's end has come.
fn late_reader(proxy: &Proxy, backend: &Backend, version: &str) -> (usize, Broken) {
    let mut client = proxy.connect();
    client.send(format!("GET / {version}\r\nHost: a.test\r\n\r\n"));
    backend.wait_requests(1);
    eventually("the backend is gone", || backend.connections() == 0);
    thread::park_timeout(PAUSE);
    let (bytes, ending) = client.ending();
    (bytes.iter().filter(|byte| **byte == b'x').count(), ending)
}

/// A backend that breaks off after so many bytes of a longer answer; `rude`: with a reset.
fn breaking(framing: &'static str, bytes: usize, rude: bool) -> Backend {
    Backend::first(move |wire| {
        wire.request();
        wire.send(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n"));
        if framing.starts_with("Transfer-Encoding") {
            wire.send("200000\r\n");
        }
        wire.send(vec![b'x'; bytes]);
        if rude {
            rustix::net::sockopt::set_socket_linger(wire.stream(), Some(Duration::ZERO)).unwrap();
        }
    })
}

#[test]
fn what_came_of_an_answer_that_breaks_off_is_delivered() {
    for framing in ["Content-Length: 600000", "Transfer-Encoding: chunked"] {
        let backend = breaking(framing, 300_000, false);
        let proxy = Proxy::over(&[&backend]);
        let got = late_reader(&proxy, &backend, "HTTP/1.1");
        assert_eq!(got, (300_000, Broken::End), "{framing}");
    }
}

#[test]
fn a_head_whose_body_never_comes_is_delivered() {
    for length in [5, 500_000] {
        let head = format!("HTTP/1.1 500 Oh\r\nContent-Length: {length}\r\n\r\n");
        let backend = Backend::says(head);
        let proxy = Proxy::over(&[&backend]);
        let mut client = proxy.connect();
        client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
        assert_eq!(client.head().unwrap().status(), 500);
        client.expect_end();
    }
}

#[test]
fn a_backend_that_resets_ends_its_answer_but_not_the_clients_connection_with_a_reset() {
    let backend = breaking("Content-Length: 600000", 50_000, true);
    let proxy = Proxy::over(&[&backend]);
    let (_, ending) = late_reader(&proxy, &backend, "HTTP/1.1");
    assert_eq!(ending, Broken::End);
}

#[test]
fn where_only_the_close_marks_the_end_a_cut_is_a_reset() {
    let backend = breaking("Transfer-Encoding: chunked", 10, false);
    let proxy = Proxy::over(&[&backend]);
    assert_eq!(late_reader(&proxy, &backend, "HTTP/1.0").1, Broken::Reset);
}

#[test]
fn chunks_before_a_bad_one_are_delivered_however_they_come() {
    for bad in ["zz\r\n", "-1\r\n"] {
        let gate = Gate::new();
        let head_is_out = gate.clone();
        let backend = Backend::first(move |wire| {
            wire.request();
            wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n");
            head_is_out.pass();
            wire.send(format!("3\r\nxxx\r\n{bad}"));
            wire.ending();
        });
        let proxy = Proxy::over(&[&backend]);
        let mut client = proxy.connect();
        client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
        client.head().unwrap();
        gate.open();
        let (rest, ending) = client.ending();
        assert_eq!(String::from_utf8_lossy(&rest), "1\r\nx\r\n3\r\nxxx\r\n");
        assert_eq!(ending, Broken::End);
    }
}

const CLOSE: &str = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";

#[test]
fn who_has_said_all_it_had_to_say_is_closed_with_its_answer_though_it_stays() {
    let backend = Backend::plain();
    // Nobody is waited for here, or it would show.
    let settings = "timeouts.linger = \"1m\"\ntimeouts.linger_total = \"1m\"";
    let proxy = Proxy::with(&[&backend], settings);
    let before = proxy.process.descriptors();
    for has_ended in [false, true] {
        let mut client = proxy.connect();
        client.send(CLOSE);
        if has_ended {
            client.finish();
        }
        assert_eq!(client.answer().text(), "GET / 0\n");
        client.expect_end();
        eventually("its place is free", || proxy.process.descriptors() <= before);
    }
}

#[test]
fn stray_bytes_that_came_before_a_small_last_answer_take_nothing_from_it() {
    let gate = Gate::new();
    let backend = Backend::held(&gate, "late");
    // With two, one may hear of the answer before the other has told of the stray bytes.
    let proxy = Proxy::with(&[&backend], "server.workers = 1");
    let mut client = proxy.connect();
    client.send(CLOSE);
    backend.wait_requests(1);
    client.send("\r\n");
    gate.open();
    assert_eq!(client.answer().text(), "late");
    client.expect_end();
}

#[test]
fn stray_bytes_of_a_client_that_wants_the_close_take_nothing_from_its_answer() {
    const BYTES: usize = 2 * MIB;
    let backend = Backend::every(|wire| {
        while wire.request().is_some() {
            wire.offer(format!("HTTP/1.1 200 OK\r\nContent-Length: {BYTES}\r\n\r\n"));
            wire.offer(vec![b'x'; BYTES]);
        }
    });
    let proxy = Proxy::over(&[&backend]);
    let get = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n";
    for request in [format!("{get}\r\n"), format!("{get}Content-Length: 2\r\n\r\nhi")] {
        for later in [false, true] {
            let mut client = proxy.connect();
            match later {
                false => client.send(format!("{request}\r\n")),
                true => client.send(&request),
            }
            client.head().unwrap();
            if later {
                client.send("\r\n");
            }
            thread::park_timeout(PAUSE);
            let mut received = 0;
            let length = Length::Bytes(BYTES as u64);
            client.body(length, &mut |data| received += data.len()).unwrap();
            assert_eq!(received, BYTES);
            client.expect_end();
        }
    }
}
